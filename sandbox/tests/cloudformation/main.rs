//! CloudFormation's stand-in: its evaluator by tables, its operations over real HTTP with a clock that the test steps.
//! No sleeps; sandbox time passes only when a test says so.

mod aws;
mod changes;
mod evaluator;
mod kinds;
mod stacks;
mod updates;

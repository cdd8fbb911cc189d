//! CloudFormation's stand-in: its evaluator by tables, its operations over real HTTP with a clock that the test steps.
//! No sleeps; sandbox time passes only when a test says so.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aws;
mod changes;
mod evaluator;
mod kinds;
mod stacks;
mod updates;

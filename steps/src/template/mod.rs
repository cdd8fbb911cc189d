//! CloudFormation templates: what can be told of one from its text and the values of its parameters, offline.
//! Knows nothing of AWS, of files and of steps; the schemas of resource properties are left to cfn-lint.

mod conditions;
pub mod node;
mod read;

pub use read::{LARGEST_BODY, LARGEST_TEMPLATE, Parameter, Template};

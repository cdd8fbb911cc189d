//! The typed model of CreateCluster: what a config may hold, what is wrong with it, and how it becomes a request.
//! Knows nothing of templates, of the pipeline file or of clusters that exist.

pub mod check;
pub mod facts;
mod given;
pub mod json;
pub mod needs;
pub mod request;
pub mod rules;
pub mod shapes;

pub use check::{ConfigFinding, Lacks, OTHER_TYPE, check};
pub use facts::facts;
pub use given::{Given, with_patterns};
pub use json::Node;

//! hprun: a YAML pipeline of typed steps, run, recorded and resumed.
//! The library never prints and never exits: that is the command line's.

mod address;
pub mod cli;
pub mod codes;
pub mod decide;
pub mod diagnostic;
mod document;
pub mod engine;
pub mod event;
pub mod expr;
pub mod lsp;
pub mod params;
pub mod pipeline;
pub mod plan;
pub mod policy;
pub mod report;
pub mod run_file;
pub mod state;
pub mod store;

//! The integration suite: one binary, so that it links once.
//! Everything here uses hprun as its users do: as a program, or by the files it ships.
#![expect(clippy::unwrap_used, reason = "tests say what they promise by their names")]

mod architecture;
mod aws;
mod benches;
mod check;
mod commands;
mod crash;
mod docs;
mod endings;
mod explain;
mod export;
mod fuzz;
mod iam_policy;
mod killed;
mod live;
mod lsp;
mod pipelines;
mod rerun;
mod schema;
mod secrets;
mod signals;
mod store;
mod support;
mod templates;
mod troubles;

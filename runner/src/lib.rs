//! hprun: a YAML pipeline of typed steps, run, recorded and resumed.
//! The library never prints and never exits: that is the command line's.

pub mod event;
pub mod state;
pub mod store;

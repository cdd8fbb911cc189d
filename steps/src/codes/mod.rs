//! The kinds of mistakes that step types find, by section; those of pipeline files are the runner's.
//! Knows nothing of how they are found.

pub mod cluster;
pub mod live;
pub mod neighbours;
pub mod rendered;
pub mod template;

use crate::finding::Code;

/// A section of the catalogue: what it is about, and its kinds of mistakes in order of number.
pub type Section = (&'static str, &'static [&'static Code]);

/// The sections whose mistakes are found here.
pub const SECTIONS: &[Section] = &[
    ("CloudFormation templates", template::ALL),
    ("Rendered files", rendered::ALL),
    ("CreateCluster requests", cluster::ALL),
    ("Scripts, charts, kubeconfigs, waits", neighbours::ALL),
    ("Live questions", live::ALL),
];

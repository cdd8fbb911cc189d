//! A YAML document as a tree with places, and typed fields taken off it: what every file that people write is read by.
//! Knows nothing of pipelines, params or steps.

pub(crate) mod fields;
pub(crate) mod yaml;

pub(crate) use fields::a;
pub(crate) use yaml::LARGEST_TEXT;

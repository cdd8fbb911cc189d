//! The exhaustive crash test: hprun is killed at every boundary of the shipped pipelines and resumed; what is left must be the
//! same as without a kill (docs/crash-test.md). Must know nothing of hprun's insides but the names of its kill points.

mod campaign;
mod enumerate;
mod kill;
mod scene;
mod world;

use campaign::{Campaign, Extent};

/// Spread over all scenes and classes; in every run of the tests.
#[test]
fn a_spread_of_kills_resumes_to_the_same_end() {
    Campaign::begin().run(&Extent { kills: Some(60), pairs: 6 });
}

/// Every boundary: `scripts/crash-test`.
#[test]
#[ignore = "takes half an hour: scripts/crash-test"]
fn every_kill_resumes_to_the_same_end() {
    Campaign::begin().run(&Extent { kills: None, pairs: 200 });
}

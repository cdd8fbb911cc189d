//! How a run and a pass begin in tests, with nothing special in them; a test changes what it is about.
//! Knows nothing of what is tested.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::{Event, FORMAT, PassStarted, RunStarted, Selection, Target};
use crate::plan::Plan;

/// The beginning of a run on AWS.
pub fn run_started() -> RunStarted {
    RunStarted {
        format: FORMAT,
        version: "0.0.0".to_owned(),
        pipeline: "p".to_owned(),
        path: "/p.yaml".to_owned(),
        text: String::new(),
        target: Target::Aws { profile: None },
        partition: "aws".to_owned(),
        account: "111122223333".to_owned(),
        region: "us-west-2".to_owned(),
        caller: "arn".to_owned(),
        params: IndexMap::new(),
        lineage: Vec::new(),
    }
}

/// The beginning of a pass without steps.
pub fn pass_started() -> PassStarted {
    PassStarted {
        pid: 1,
        host: "h".to_owned(),
        params: IndexMap::new(),
        text: None,
        orphaned: Vec::new(),
        notes: Vec::new(),
        usual: BTreeMap::new(),
        steps: IndexMap::new(),
        again: BTreeMap::new(),
        selection: Selection::default(),
    }
}

/// The beginning of a pass over this plan.
pub fn pass_over(plan: &Plan) -> Event {
    let steps = plan.steps.iter().map(|s| (s.spec.id.to_string(), s.spec.step_type.name.to_owned())).collect();
    Event::PassStarted(Box::new(PassStarted { steps, ..pass_started() }))
}

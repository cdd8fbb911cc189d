//! The plan: the steps of a sound pipeline in an order in which they can run, with indices instead of names.
//! Knows nothing of what has run; `decide` puts the two together.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use crate::params::Params;
use crate::pipeline::{AwsSpec, Pipeline, StepId, StepSpec};

/// What a run would do. It exists only for a pipeline that was checked, so its graph has no cycle.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The pipeline's name.
    pub name: String,
    /// The pipeline's own version.
    pub version: Option<String>,
    /// Where it runs, as templates over params.
    pub aws: AwsSpec,
    /// The params, resolved.
    pub params: Params,
    /// The steps, each after all that it needs, otherwise in the order of the file; those of `finally:` last.
    pub steps: Vec<PlannedStep>,
    index: HashMap<StepId, usize>,
    dependents: Vec<Vec<usize>>,
}

/// One step of a plan.
#[derive(Clone, Debug)]
pub struct PlannedStep {
    /// The step.
    pub spec: StepSpec,
    /// Indices into [`Plan::steps`] of the steps that it needs.
    pub needs: Vec<usize>,
}

impl Plan {
    /// The plan of `pipeline` with these params.
    pub fn new(pipeline: Pipeline, params: Params) -> Self {
        let order = order(&pipeline.steps);
        let mut specs: Vec<Option<StepSpec>> = pipeline.steps.into_iter().map(Some).collect();
        let specs: Vec<StepSpec> =
            order.iter().map(|old| specs[*old].take().expect("an order names each step once")).collect();
        let index: HashMap<StepId, usize> = specs.iter().enumerate().map(|(i, spec)| (spec.id.clone(), i)).collect();
        let mut dependents = vec![Vec::new(); specs.len()];
        let mut steps = Vec::with_capacity(specs.len());
        for (i, spec) in specs.into_iter().enumerate() {
            let needs: Vec<usize> = spec.needs.iter().map(|id| index[id]).collect();
            needs.iter().for_each(|need| dependents[*need].push(i));
            steps.push(PlannedStep { spec, needs });
        }
        let (name, version, aws) = (pipeline.name, pipeline.version, pipeline.aws);
        Self { name, version, aws, params, steps, index, dependents }
    }

    /// The index of the step with this id.
    pub fn index(&self, id: &str) -> Option<usize> {
        self.index.get(id).copied()
    }

    /// The steps that need step `i`, in order.
    pub fn dependents(&self, i: usize) -> &[usize] {
        &self.dependents[i]
    }
}

/// Indices of the steps in topological order; among those that could stand next, the first of the file does.
fn order(steps: &[StepSpec]) -> Vec<usize> {
    let by_id: HashMap<&str, usize> = steps.iter().enumerate().map(|(i, step)| (step.id.as_str(), i)).collect();
    let mut graph = DiGraph::<(), (), usize>::with_capacity(steps.len(), steps.len());
    for _ in steps {
        graph.add_node(());
    }
    for (i, step) in steps.iter().enumerate() {
        for need in &step.needs {
            graph.add_edge(NodeIndex::new(by_id[need.as_str()]), NodeIndex::new(i), ());
        }
    }
    let mut open: Vec<usize> = steps.iter().map(|step| step.needs.len()).collect();
    // `finally` steps stand last whatever they need: the file's order has them there already.
    let mut ready: BinaryHeap<Reverse<(bool, usize)>> =
        (0..steps.len()).filter(|i| open[*i] == 0).map(|i| Reverse((steps[i].finally, i))).collect();
    let mut order = Vec::with_capacity(steps.len());
    while let Some(Reverse((_, i))) = ready.pop() {
        order.push(i);
        for edge in graph.edges(NodeIndex::new(i)) {
            let next = edge.target().index();
            open[next] -= 1;
            if open[next] == 0 {
                ready.push(Reverse((steps[next].finally, next)));
            }
        }
    }
    assert_eq!(order.len(), steps.len(), "a checked pipeline has no cycle");
    order
}

#[cfg(test)]
mod tests;

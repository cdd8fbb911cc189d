//! Subnets and security groups of one set of nodes: whether they belong to one network.
//! Knows which step's outputs they are, not what the steps make.

use std::borrow::Cow;
use std::collections::HashMap;

use hprun_steps::fact::Fact;
use hprun_steps::finding::{At, Finding};
use hprun_steps::partial::{Piece, Text};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::Across;
use crate::codes::across;
use crate::expr::Target;
use crate::pipeline::graph::Bits;

/// For each step the origins of its outputs: the steps whose outputs reach it, by way of others too, and itself; and the
/// stacks that they read, for one may be read twice.
pub(super) struct Origins<'a> {
    numbers: HashMap<Origin<'a>, usize>,
    /// By number.
    reached: Vec<Bits>,
}

/// Where something comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Origin<'a> {
    Step(Cow<'a, str>),
    Stack(&'a Text),
}

impl Across<'_> {
    /// The origins of everything, found once for all sets of nodes.
    pub(super) fn origins(&self) -> Origins<'_> {
        let own = |at: usize| {
            let stacks = self.facts[at].iter().filter_map(|fact| {
                // A stack that a step makes may be read by its name, too.
                let (Fact::NeedsOutputs { stack, .. } | Fact::Makes { stack, .. }) = fact else { return None };
                (!stack.is_unknown()).then_some(Origin::Stack(stack))
            });
            let references = self.steps[at].with.references().into_iter();
            let steps = references.filter_map(|reference| match reference.target {
                Target::Output { step, .. } => Some(Origin::Step(Cow::Owned(step))),
                Target::Param { .. } | Target::Status { .. } | Target::Run { .. } => None,
            });
            stacks.chain(steps).collect()
        };
        Origins::new((0..self.steps.len()).map(|at| (self.id(at), own(at))))
    }

    /// Subnets and security groups that come from steps which have nothing to do with each other.
    pub(super) fn mixed(&self, ids: &[(Text, At)], origins: &Origins<'_>) -> Option<Finding> {
        let mut from = ids.iter().filter_map(|(text, at)| Some((source(text)?, at)));
        let (first, _) = from.next()?;
        // What is made of the same outputs, such as the subnets and the security groups of one VPC, may well go together.
        let (other, at) = from.find(|(other, _)| *other != first && !origins.meet(first, other))?;
        let message = format!("this comes from the step `{other}`, what it goes with from `{first}`");
        let finding = Finding::new(&across::MIXED_MODES, at.clone(), message).as_warning();
        Some(finding.help("a security group works only in the VPC of the subnets: take both from one step"))
    }
}

impl<'a> Origins<'a> {
    /// Of these steps, each with where its inputs come from.
    fn new(steps: impl Iterator<Item = (&'a str, Vec<Origin<'a>>)>) -> Self {
        let mut numbers: HashMap<Origin<'a>, usize> = HashMap::new();
        let mut graph = DiGraph::<(), (), usize>::default();
        let mut edges = Vec::new();
        for (id, inputs) in steps {
            let mut number = |origin| *numbers.entry(origin).or_insert_with(|| graph.add_node(()).index());
            let step = number(Origin::Step(Cow::Borrowed(id)));
            edges.extend(inputs.into_iter().map(|input| (step, number(input))));
        }
        graph.extend_with_edges(edges.iter().copied());
        let mut reached = vec![Bits::default(); graph.node_count()];
        // Steps that are made of each other, by mistake, come as one; before them comes what they are made of.
        for together in kosaraju_scc(&graph) {
            let mut bits = Bits::default();
            for node in &together {
                bits.set(node.index());
                graph.neighbors(*node).for_each(|input| bits.add(&reached[input.index()]));
            }
            for node in together {
                reached[node.index()] = bits.clone();
            }
        }
        Self { numbers, reached }
    }

    /// Whether what these two steps hand on has an origin in common.
    fn meet(&self, one: &str, other: &str) -> bool {
        let of = |id: &str| Some(&self.reached[*self.numbers.get(&Origin::Step(Cow::Borrowed(id)))?]);
        matches!((of(one), of(other)), (Some(one), Some(other)) if one.meets(other))
    }
}

/// The step whose output it is.
fn source(text: &Text) -> Option<&str> {
    let [Piece::From(source)] = text.0.as_slice() else { return None };
    source.strip_prefix("steps.")?.split('.').next()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_steps_are_made_of_is_found_whatever_the_way_and_each_step_is_looked_at_once() {
        let step = |id: &str| Origin::Step(Cow::Owned(id.to_owned()));
        let stack = Text::known("s");
        let mut steps: Vec<(String, Vec<Origin<'_>>)> = Vec::new();
        for chain in ["a", "b"] {
            steps.push((format!("{chain}0"), Vec::new()));
            steps.extend((1..500).map(|n| (format!("{chain}{n}"), vec![step(&format!("{chain}{}", n - 1))])));
        }
        let more = [
            ("joined", vec![step("a499"), step("b499")]),
            ("reader", vec![Origin::Stack(&stack)]),
            ("again", vec![Origin::Stack(&stack), step("nobody")]),
            ("x", vec![step("y")]),
            ("y", vec![step("x"), step("a7")]),
            ("lost", vec![step("nobody")]),
        ];
        steps.extend(more.map(|(id, inputs)| (id.to_owned(), inputs)));
        let looked = Cell::new(0);
        let told = steps.iter().map(|(id, inputs)| {
            looked.set(looked.get() + 1);
            (id.as_str(), inputs.clone())
        });
        let origins = Origins::new(told);
        for (one, other, expected) in [
            ("a499", "a3", true),
            ("a499", "b499", false),
            ("joined", "b2", true),
            ("reader", "again", true),
            ("reader", "a1", false),
            ("again", "lost", true),
            ("x", "a9", true),
            ("x", "b9", false),
            ("lost", "nobody", true),
            ("lost", "nowhere", false),
        ] {
            assert_eq!(origins.meet(one, other), expected, "{one} {other}");
            assert_eq!(origins.meet(other, one), expected, "{other} {one}");
        }
        assert_eq!(looked.get(), steps.len(), "however often is asked");
    }
}

//! What a CreateCluster request needs from other steps: its scripts, and what its parts must have in common.
//! Knows nothing of what other steps do.

use std::ops::Range;

use super::json::{Node, What};
use crate::fact::{Fact, Tie};
use crate::finding::At;
use crate::partial::Text;

/// The facts of a request; `at` gives the place of a part of it.
pub fn facts(request: &Node, at: &dyn Fn(&Range<usize>) -> At) -> Vec<Fact> {
    let mut facts = Vec::new();
    let known = |node: Option<&Node>| -> Option<(Text, At)> {
        let node = node?;
        Some((node.open_text().filter(|text| !text.is_unknown())?, at(&node.span)))
    };
    let name = |facts: &mut Vec<Fact>, node: Option<&Node>| {
        facts.extend(known(node).map(|(id, at)| Fact::Names { id, at, tie: Tie::Firm }));
    };
    name(&mut facts, request.get("Orchestrator").and_then(|o| o.get("Eks")).and_then(|eks| eks.get("ClusterArn")));
    name(&mut facts, request.get("ClusterRole"));
    facts.extend(together(request.get("VpcConfig"), &known, at));
    let groups = ["InstanceGroups", "RestrictedInstanceGroups"];
    for group in groups.iter().filter_map(|list| request.get(list)).flat_map(Node::items) {
        name(&mut facts, group.get("ExecutionRole"));
        name(&mut facts, group.get("TrainingPlanArn"));
        facts.extend(together(group.get("OverrideVpcConfig"), &known, at));
        let Some(scripts) = group.get("LifeCycleConfig") else { continue };
        let Some((folder, at)) = known(scripts.get("SourceS3Uri")) else { continue };
        let script = scripts.get("OnCreate").or_else(|| scripts.get("OnInitComplete"));
        if let Some((name, _)) = known(script) {
            facts.push(Fact::NeedsObject { folder: folder.clone(), name, at: at.clone() });
        }
        if let Some((role, _)) = known(group.get("ExecutionRole")) {
            facts.push(Fact::RoleReads { role, folder, at });
        }
    }
    facts
}

/// A text and its place, where there is one and something is known of it.
type Known<'a> = &'a dyn Fn(Option<&Node>) -> Option<(Text, At)>;

/// The networks of one set of nodes.
fn together(network: Option<&Node>, known: Known<'_>, at: &dyn Fn(&Range<usize>) -> At) -> Option<Fact> {
    let network = network?;
    let lists = ["Subnets", "SecurityGroupIds"].iter().filter_map(|list| network.get(list));
    let ids = lists.flat_map(|list| match list.items() {
        [] => match &list.what {
            What::Unknown(hole) if !hole.text.is_unknown() => vec![(hole.text.clone(), at(&list.span))],
            What::Unknown(_)
            | What::Null
            | What::Flag(_)
            | What::Number(_)
            | What::Text(_)
            | What::Open(_)
            | What::List(_)
            | What::Map(_) => Vec::new(),
        },
        items => items.iter().filter_map(|item| known(Some(item))).collect(),
    });
    let ids: Vec<(Text, At)> = ids.collect();
    (ids.len() > 1).then_some(Fact::Together { ids })
}

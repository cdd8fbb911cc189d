//! Permissions of many steps as few statements: what is on the same resources under the same conditions stands together.
//! Knows nothing of steps but their ids.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hprun_steps::permissions::{Condition, Permission, capitalised, tags_any_kind};
use indexmap::map::Entry;
use indexmap::{IndexMap, IndexSet};

use super::pattern::{Patterns, covers};
use super::{Home, Statement, Use};

/// Leaves out resources that another pattern covers, and keeps what has no resources to the region.
pub(super) fn narrow(permission: &mut Permission, home: &Home) {
    let all = permission.resources.clone();
    permission.resources.retain(|one| !all.iter().any(|other| other != one && covers(other, one)));
    if permission.resources.contains("*") && home.region != "*" {
        let region = Condition { key: "aws:RequestedRegion", values: vec![home.region.clone()] };
        permission.conditions.push(region);
    }
}

/// The same with what one template needs for one purpose in as few as possible: a statement for each resource would make a
/// policy too long. No action gets a resource that could be of use to it and that nothing needs it on.
pub(super) fn of_templates(uses: &[Use]) -> Vec<Use> {
    let mut groups: Vec<Vec<&Use>> = Vec::new();
    for of in uses {
        let same = |group: &&mut Vec<&Use>| {
            let first = group[0];
            first.step == of.step
                && first.permission.needed_by.is_some()
                && first.permission.purpose == of.permission.purpose
                && first.permission.conditions == of.permission.conditions
        };
        match groups.last_mut().filter(|_| of.permission.needed_by.is_some()).filter(same) {
            Some(group) => group.push(of),
            None => groups.push(vec![of]),
        }
    }
    groups.iter().flat_map(|group| together(group)).collect()
}

/// Uses of one purpose: each action with the resources that it is needed on, and those that it cannot be used on.
fn together(group: &[&Use]) -> Vec<Use> {
    let mut needed: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for of in group {
        for action in &of.permission.actions {
            needed.entry(action).or_default().extend(&of.permission.resources);
        }
    }
    let mut alike: Vec<Alike<'_>> = Vec::new();
    for (action, resources) in needed {
        match alike.iter_mut().find(|it| it.members[0].1 == resources) {
            Some(it) => it.members.push((action, resources)),
            None => alike.push(Alike { resources: resources.clone(), members: vec![(action, resources)] }),
        }
    }
    // What has the most resources first: it is what others can most likely stand with.
    alike.sort_by_key(|it| std::cmp::Reverse(it.resources.len()));
    let mut joined: Vec<Alike<'_>> = Vec::new();
    for one in alike {
        match joined.iter_mut().find(|it| it.can_take(&one)) {
            Some(it) => it.take(one),
            None => joined.push(one),
        }
    }
    let like = |it: Alike<'_>| {
        let permission = Permission {
            actions: it.members.into_iter().map(|(action, _)| action.clone()).collect(),
            resources: it.resources.into_iter().cloned().collect(),
            ..group[0].permission.clone()
        };
        Use { permission, ..group[0].clone() }
    };
    joined.into_iter().map(like).collect()
}

/// Actions that can stand in one statement, each with the resources that it is needed on.
struct Alike<'a> {
    resources: BTreeSet<&'a String>,
    members: Vec<(&'a String, BTreeSet<&'a String>)>,
}

impl<'a> Alike<'a> {
    /// Whether no action of either would reach more than it is needed on.
    fn can_take(&self, other: &Self) -> bool {
        let keeps =
            |of: &Self, more: &Self| of.members.iter().all(|it| more.resources.iter().all(|one| gains_none(it, one)));
        keeps(self, other) && keeps(other, self)
    }

    fn take(&mut self, other: Self) {
        self.resources.extend(other.resources);
        self.members.extend(other.members);
    }
}

/// Whether it is all the same if the action is allowed on `one` too: because it is anyway, or because the action is for
/// things of another kind, such as `ec2:DeleteSubnet` on a VPC.
fn gains_none((action, needed): &(&String, BTreeSet<&String>), one: &str) -> bool {
    if needed.iter().any(|it| covers(it, one)) {
        return true;
    }
    let Some(kind) = kind(one) else { return false };
    !tags_any_kind(action) && needed.iter().all(|it| self::kind(it).is_some_and(|it| it != kind))
}

/// Service and kind of the thing that an ARN names, such as `iam` and `role`; none where they cannot be told. A pattern of a
/// bucket matches objects too: all of S3 is of one kind.
fn kind(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (service, account, rest) = (parts.nth(2)?, parts.nth(1)?, parts.next()?);
    if service == "s3" {
        return Some((service, ""));
    }
    let is_account = account == "*" || account == "aws" || account.bytes().all(|byte| byte.is_ascii_digit());
    let kind = rest.split(['/', ':', '*']).next().unwrap_or_default();
    (is_account && !kind.is_empty()).then_some((service, kind))
}

/// The statements, in the order in which the steps need them: of `merged`, with nothing that no one of `uses` needs.
pub(super) fn statements(merged: &[Use], uses: &[Use]) -> Vec<Statement> {
    let mut alike: IndexMap<(&BTreeSet<String>, &[Condition]), Group<'_>> = IndexMap::new();
    for of in merged {
        let permission = &of.permission;
        match alike.entry((&permission.resources, &permission.conditions)) {
            Entry::Occupied(group) => group.into_mut().add(of),
            Entry::Vacant(free) => _ = free.insert(Group::of(of)),
        }
    }
    let mut groups: Vec<Group<'_>> = alike.into_values().collect();
    drop_covered(&mut groups, uses);
    let mut taken = BTreeSet::new();
    let named = groups.into_iter().map(|group| {
        let mut sid = group.sid();
        let base = sid.clone();
        let mut number = 2;
        while !taken.insert(sid.clone()) {
            sid = format!("{base}{number}");
            number += 1;
        }
        Statement { sid, ..group.statement }
    });
    named.collect()
}

struct Group<'a> {
    uses: Vec<&'a Use>,
    statement: Statement,
}

impl<'a> Group<'a> {
    fn of(of: &'a Use) -> Self {
        let Permission { actions, resources, conditions, .. } = of.permission.clone();
        Self { uses: vec![of], statement: Statement { sid: String::new(), actions, resources, conditions } }
    }

    fn add(&mut self, of: &'a Use) {
        self.statement.actions.extend(of.permission.actions.iter().cloned());
        self.uses.push(of);
    }

    /// The steps that still need it, then what for.
    fn sid(&self) -> String {
        let needing = self.uses.iter().filter(|of| !of.permission.actions.is_disjoint(&self.statement.actions));
        let mut words: IndexSet<String> = IndexSet::new();
        let mut purposes: IndexSet<&str> = IndexSet::new();
        for of in needing {
            words.insert(of.step.split(|c: char| !c.is_ascii_alphanumeric()).map(capitalised).collect());
            purposes.insert(&of.permission.purpose);
        }
        words.iter().map(String::as_str).chain(purposes).collect()
    }
}

/// An action is said once on what needs it, where another statement allows it on all of that.
fn drop_covered(groups: &mut Vec<Group<'_>>, uses: &[Use]) {
    let covering = covering(groups, uses);
    let mut needed = needed(groups, uses, &covering);
    for at in 0..groups.len() {
        let elsewhere = |action: &str, resource: &str| {
            covering[resource].iter().any(|other| {
                let it = &groups[*other].statement;
                *other != at && it.conditions.is_empty() && it.actions.contains(action)
            })
        };
        let needed = std::mem::take(&mut needed[at]);
        let kept = needed.into_iter().filter(|(action, on)| on.iter().any(|resource| !elsewhere(action, resource)));
        let kept = kept.map(|(action, _)| action.to_owned()).collect();
        groups[at].statement.actions = kept;
    }
    groups.retain(|group| !group.statement.actions.is_empty());
}

/// By each resource that is needed: the groups whose resources cover it.
fn covering<'a>(groups: &[Group<'_>], uses: &'a [Use]) -> HashMap<&'a str, Vec<usize>> {
    let all = groups.iter().enumerate();
    let all = all.flat_map(|(at, group)| group.statement.resources.iter().map(move |it| (it.as_str(), at)));
    let patterns = Patterns::new(&all.collect::<Vec<_>>());
    let mut covering: HashMap<&str, Vec<usize>> = HashMap::new();
    for resource in uses.iter().flat_map(|of| &of.permission.resources) {
        covering.entry(resource).or_insert_with(|| patterns.covering(resource));
    }
    covering
}

/// By group: its actions that are needed on something that it covers, each with all of that.
fn needed<'a>(
    groups: &[Group<'_>],
    uses: &'a [Use],
    covering: &HashMap<&'a str, Vec<usize>>,
) -> Vec<BTreeMap<&'a str, BTreeSet<&'a str>>> {
    let mut needed = vec![BTreeMap::<&str, BTreeSet<&str>>::new(); groups.len()];
    for Permission { actions, resources, conditions, .. } in uses.iter().map(|of| &of.permission) {
        for resource in resources {
            for at in &covering[resource.as_str()] {
                let group = &groups[*at].statement;
                if group.conditions != *conditions {
                    continue;
                }
                for action in actions.iter().filter(|action| group.actions.contains(*action)) {
                    needed[*at].entry(action).or_default().insert(resource);
                }
            }
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::gains_none;

    #[test]
    fn an_action_is_put_beside_things_only_that_it_has_already_or_cannot_be_used_on() {
        for (action, needed, beside, expected) in [
            ("ec2:CreateSubnet", "arn:aws:ec2:r:*:vpc/vpc-1", "arn:aws:ec2:r:*:vpc/vpc-1", true),
            ("ec2:CreateSubnet", "arn:aws:ec2:r:*:vpc/vpc-1", "arn:aws:ec2:r:*:vpc/*", false),
            ("ec2:DeleteVpc", "arn:aws:ec2:r:*:vpc/*", "arn:aws:ec2:r:*:vpc/vpc-1", true),
            ("ec2:DeleteSubnet", "arn:aws:ec2:r:*:subnet/*", "arn:aws:ec2:r:*:vpc/vpc-1", true),
            ("ec2:DeleteTags", "arn:aws:ec2:r:*:subnet/*", "arn:aws:ec2:r:*:vpc/vpc-1", false),
            ("iam:CreateRole", "arn:aws:iam::*:role/a", "arn:aws:iam::*:role/*/a", false),
            ("iam:CreateRole", "arn:aws:iam::*:role/a", "*", false),
            ("s3:DeleteBucket", "arn:aws:s3:::a", "arn:aws:s3:::b/*", false),
            ("lambda:InvokeFunction", "arn:aws:lambda:*:function:a", "arn:aws:lambda:r:*:function:b", false),
        ] {
            let (action, needed) = (action.to_owned(), needed.to_owned());
            let gains = gains_none(&(&action, BTreeSet::from([&needed])), beside);
            assert_eq!(gains, expected, "{action} {needed} {beside}");
        }
    }
}

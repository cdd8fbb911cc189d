//! Permissions of many steps as few statements: what is on the same resources under the same conditions stands together.
//! Knows nothing of steps but their ids.

use std::collections::BTreeSet;

use hprun_steps::permissions::{Condition, Permission, capitalised};

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

/// The same with what one template needs for one purpose in one: a statement for each resource would make a policy too long.
pub(super) fn of_templates(uses: &[Use]) -> Vec<Use> {
    let mut merged: Vec<Use> = Vec::new();
    for of in uses {
        let same = |it: &&mut Use| {
            it.step == of.step
                && it.permission.needed_by.is_some()
                && it.permission.purpose == of.permission.purpose
                && it.permission.conditions == of.permission.conditions
        };
        match merged.last_mut().filter(|_| of.permission.needed_by.is_some()).filter(same) {
            Some(group) => {
                group.permission.actions.extend(of.permission.actions.iter().cloned());
                group.permission.resources.extend(of.permission.resources.iter().cloned());
            }
            None => merged.push(of.clone()),
        }
    }
    merged
}

/// The statements, in the order in which the steps need them.
pub(super) fn statements(uses: &[Use]) -> Vec<Statement> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for of in uses {
        let permission = &of.permission;
        let same = |group: &&mut Group<'_>| {
            group.statement.resources == permission.resources && group.statement.conditions == permission.conditions
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.add(of),
            None => groups.push(Group::of(of)),
        }
    }
    drop_covered(&mut groups);
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
        let mut words: Vec<String> = Vec::new();
        let mut purposes: Vec<String> = Vec::new();
        for of in needing {
            let step: String = of.step.split(|c: char| !c.is_ascii_alphanumeric()).map(capitalised).collect();
            if !words.contains(&step) {
                words.push(step);
            }
            if !purposes.contains(&of.permission.purpose) {
                purposes.push(of.permission.purpose.clone());
            }
        }
        words.into_iter().chain(purposes).collect()
    }
}

/// An action that another statement allows on all of the same resources is said once.
fn drop_covered(groups: &mut Vec<Group<'_>>) {
    for at in 0..groups.len() {
        let Statement { actions, resources, .. } = groups[at].statement.clone();
        let elsewhere = |action: &String| {
            groups.iter().enumerate().any(|(other, group)| {
                let it = &group.statement;
                let all = || resources.iter().all(|one| it.resources.iter().any(|wide| covers(wide, one)));
                other != at && it.conditions.is_empty() && it.actions.contains(action) && all()
            })
        };
        let kept = actions.iter().filter(|action| !elsewhere(action)).cloned().collect();
        groups[at].statement.actions = kept;
    }
    groups.retain(|group| !group.statement.actions.is_empty());
}

/// Whether every resource of the pattern `narrow` is one of `wide`.
fn covers(wide: &str, narrow: &str) -> bool {
    let mut parts = wide.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = narrow.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_pattern_covers_what_it_matches() {
        for (wide, narrow, expected) in [
            ("*", "arn:aws:s3:::b", true),
            ("arn:aws:ec2:r:*:vpc/*", "arn:aws:ec2:r:*:vpc/vpc-1", true),
            ("arn:aws:ec2:r:*:vpc/vpc-1", "arn:aws:ec2:r:*:vpc/*", false),
            ("arn:aws:s3:::b-*-c", "arn:aws:s3:::b-x-c", true),
            ("arn:aws:s3:::b-*-c", "arn:aws:s3:::b-x-d", false),
            ("arn:aws:s3:::b", "arn:aws:s3:::b", true),
            ("arn:aws:s3:::b", "arn:aws:s3:::bc", false),
        ] {
            assert_eq!(covers(wide, narrow), expected, "{wide} {narrow}");
        }
    }
}

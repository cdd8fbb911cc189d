//! Resources of a template that wait for each other.
//! Knows only which resource surely needs which.

use std::collections::HashMap;

use super::Problem;
use super::conditions::groups;
use super::walk::{Here, Walk};
use crate::codes::template as codes;
use crate::partial::Place;

impl<'a> Walk<'_, 'a> {
    pub(super) fn need(&mut self, here: Here<'a>, on: usize, place: Place) {
        if let Some(who) = here.index {
            let needs = self.needs.entry(who).or_default();
            if !needs.iter().any(|(index, _)| *index == on) {
                needs.push((on, place));
            }
        }
    }

    /// Resources that wait for each other.
    pub(super) fn circles(&mut self) {
        let count = self.stack.template.resources.len();
        let needs: Vec<Vec<usize>> = (0..count)
            .map(|i| self.needs.get(&i).map(|needs| needs.iter().map(|(on, _)| *on).collect()).unwrap_or_default())
            .collect();
        for mut group in groups(&needs) {
            group.sort_unstable();
            if group.len() == 1 && !needs[group[0]].contains(&group[0]) {
                continue;
            }
            let walk = self.walk_round(&group);
            let name =
                |index: usize| self.stack.template.resources.get_index(index).map_or("", |(name, _)| name.as_str());
            let mut names: Vec<String> = walk.iter().map(|(who, _, _)| format!("`{}`", name(*who))).collect();
            names.extend(names.first().cloned());
            let Some((_, _, first)) = walk.first() else { continue };
            let mut problem = Problem::error(
                &codes::CIRCULAR_RESOURCES,
                *first,
                format!("resources wait for each other: {}", names.join(" → ")),
            );
            for (who, on, place) in walk.iter().skip(1).take(6) {
                problem = problem.related(*place, format!("`{}` needs `{}`", name(*who), name(*on)));
            }
            self.problems.push(
                problem.help("CloudFormation would refuse the stack: Circular dependency between resources. Take one of these references out"),
            );
        }
    }

    /// A way round within a group, from its first resource: who needs whom, and where it says so.
    fn walk_round(&self, group: &[usize]) -> Vec<(usize, usize, Place)> {
        let (mut at, mut walk, mut seen) = (group[0], Vec::new(), HashMap::new());
        while !seen.contains_key(&at) {
            seen.insert(at, walk.len());
            let next =
                self.needs.get(&at).and_then(|needs| needs.iter().find(|(on, _)| group.binary_search(on).is_ok()));
            let Some((on, place)) = next else { return walk };
            walk.push((at, *on, *place));
            at = *on;
        }
        walk.split_off(seen[&at])
    }
}

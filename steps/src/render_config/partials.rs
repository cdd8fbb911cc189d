//! Whether the partials of a template call each other without an end.
//! Knows nothing of what they write.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::render::{Problem, problem};

/// Longest chain of partials that call each other.
const LONGEST_CHAIN: usize = 16;

/// Which partial calls which.
#[derive(Default)]
pub(super) struct Partials(Vec<Call>);

struct Call {
    /// None outside of all partials.
    caller: Option<String>,
    /// None where that is known only when it is called: it may be any.
    callee: Option<String>,
    span: Range<usize>,
}

impl Partials {
    pub fn add(&mut self, caller: Option<String>, callee: Option<String>, span: Range<usize>) {
        self.0.push(Call { caller, callee, span });
    }

    /// A problem if partials may call each other without an end.
    pub fn endless(&self) -> Option<Problem> {
        let mut chains = Chains::default();
        for Call { caller, callee, .. } in &self.0 {
            if let Some(caller) = caller {
                chains.calls.entry(caller).or_default().insert(callee.as_deref());
            }
        }
        let mut looked_at = HashSet::new();
        let outside = self.0.iter().filter(|call| call.caller.is_none());
        outside.filter(|call| looked_at.insert(&call.callee)).find_map(|Call { callee, span, .. }| {
            chains.is_endless(callee.as_deref()).then(|| {
                let name = callee.as_deref().unwrap_or("…");
                problem(format!("the partial `{name}` may call itself without an end"), span.clone())
                    .help(format!("partials may call others, {LONGEST_CHAIN} deep, but not themselves"))
            })
        })
    }
}

/// How far calls lead: each partial is looked at once, however many ways there are to it.
#[derive(Default)]
struct Chains<'a> {
    /// Whom each partial calls.
    calls: HashMap<&'a str, HashSet<Option<&'a str>>>,
    /// The longest chain that begins with a partial; none while that is being found out.
    depths: HashMap<&'a str, Option<usize>>,
}

impl<'a> Chains<'a> {
    fn is_endless(&mut self, callee: Option<&'a str>) -> bool {
        self.depth(callee, 0).is_none_or(|depth| depth > LONGEST_CHAIN)
    }

    /// The longest chain that a call leads into from `above` partials deep; none if that is too long.
    fn depth(&mut self, callee: Option<&'a str>, above: usize) -> Option<usize> {
        let called: Vec<&str> = match callee {
            Some(name) => vec![name],
            None => self.calls.keys().copied().collect(),
        };
        called.into_iter().try_fold(0, |deepest, name| Some(deepest.max(self.depth_of(name, above + 1)?)))
    }

    fn depth_of(&mut self, name: &'a str, level: usize) -> Option<usize> {
        if let Some(known) = self.depths.get(name) {
            return *known;
        }
        if level > LONGEST_CHAIN {
            return None;
        }
        self.depths.insert(name, None);
        let calls = self.calls.get(name).cloned().unwrap_or_default();
        let below =
            calls.into_iter().try_fold(0, |deepest: usize, call| Some(deepest.max(self.depth(call, level)?)))?;
        self.depths.insert(name, Some(below + 1));
        Some(below + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_endless(calls: &[(Option<&str>, Option<&str>)]) -> bool {
        let mut partials = Partials::default();
        for (caller, callee) in calls {
            partials.add(caller.map(str::to_owned), callee.map(str::to_owned), 0..1);
        }
        partials.endless().is_some()
    }

    /// A chain of so many partials, the first of which is called from outside.
    fn chain(names: &[String]) -> Vec<(Option<&str>, Option<&str>)> {
        let callers = std::iter::once(None).chain(names.iter().map(|name| Some(name.as_str())));
        callers.zip(names.iter().map(|name| Some(name.as_str()))).collect()
    }

    #[test]
    fn loops_and_long_chains_are_endless_and_nothing_else() {
        let names: Vec<String> = (0..20).map(|n| format!("p{n}")).collect();
        assert!(!is_endless(&chain(&names[..16])) && is_endless(&chain(&names[..17])));
        let long_way = |first: &[(Option<&'static str>, Option<&'static str>)]| {
            let mut calls = first.to_vec();
            calls.extend([(Some("a"), Some("b")), (Some("b"), Some("c"))]);
            is_endless(&calls)
        };
        assert!(!long_way(&[(None, Some("a")), (None, Some("b"))]));
        assert!(long_way(&[(None, Some("a")), (Some("c"), Some("a"))]));
        assert!(!long_way(&[(Some("c"), Some("a"))]), "nobody calls them");
        assert!(!long_way(&[(None, None)]) && long_way(&[(None, Some("a")), (Some("c"), None)]), "any may be called");
        // What is known of a partial from a short way to it holds for a long one, too.
        let mut calls = vec![(None, Some(names[10].as_str()))];
        calls.extend(chain(&names[..17]));
        assert!(is_endless(&calls));
    }

    #[test]
    fn many_ways_to_one_partial_are_one_look() {
        let name = |layer: usize, n: usize| format!("p{layer}-{n}");
        let mut partials = Partials::default();
        partials.add(None, Some(name(0, 0)), 0..1);
        for layer in 0..15 {
            for (from, to) in (0..8).flat_map(|from| (0..8).map(move |to| (from, to))) {
                partials.add(Some(name(layer, from)), Some(name(layer + 1, to)), 0..1);
            }
        }
        assert!(partials.endless().is_none());
        partials.add(Some(name(15, 7)), Some(name(0, 0)), 0..1);
        assert!(partials.endless().is_some());
    }
}

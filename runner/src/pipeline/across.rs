//! Whether what one step brings is what another looks for: scripts, outputs, files, regions, networks.
//! Knows facts only, not the step types that told them.

mod files;
mod home;
mod networks;
mod scripts;

use std::cell::LazyCell;
use std::collections::HashMap;

use hprun_steps::fact::Fact;
use hprun_steps::files::Files;
use hprun_steps::finding::{At, Finding};
use hprun_steps::partial::{Place, Text, nearest};

use super::authored::AuthoredStep;
use super::graph::Graph;
use crate::codes::across;
use crate::diagnostic::Diagnostic;
use crate::document::fields::list;

/// A fact, and the step that told it.
type Told<'a> = (usize, &'a Fact);

/// A step that makes a stack, the outputs of it, and where its template is named.
type Made<'a> = (usize, &'a [String], Place);

/// What facts are held against.
pub struct Across<'a> {
    pub steps: &'a [AuthoredStep],
    pub graph: &'a Graph,
    /// By step: what it told.
    pub facts: &'a [Vec<Fact>],
    /// By step: the files that it read.
    pub files: &'a [Files],
    /// The region of `aws:`, if it is known.
    pub region: Option<&'a str>,
    /// The account of `aws:`, if it is known.
    pub account: Option<&'a str>,
}

/// Everything that does not go together.
pub fn check(across: &Across<'_>, problems: &mut Vec<Diagnostic>) {
    let told: Vec<Told<'_>> =
        across.facts.iter().enumerate().flat_map(|(step, facts)| facts.iter().map(move |fact| (step, fact))).collect();
    let mut findings: Vec<(usize, Finding)> = Vec::new();
    across.scripts(&told, &mut findings);
    across.late(&told, &mut findings);
    across.put_at_a_root(&told, problems);
    across.outputs(&told, &mut findings);
    across.accounts(&told, &mut findings);
    across.created_twice(&told, &mut findings);
    across.shared_files(&told, problems, &mut findings);
    let origins = LazyCell::new(|| across.origins());
    for (step, fact) in &told {
        match fact {
            Fact::Names { id, at, tie } => findings.extend(across.home(id, at, *tie).map(|finding| (*step, finding))),
            Fact::Together { ids } => findings.extend(across.mixed(ids, &origins).map(|finding| (*step, finding))),
            Fact::RoleReads { role, folder, at } => {
                findings.extend(scripts::unreadable(role, folder, at).map(|finding| (*step, finding)));
            }
            Fact::Puts { .. }
            | Fact::Publishes { .. }
            | Fact::Creates { .. }
            | Fact::NeedsObject { .. }
            | Fact::Makes { .. }
            | Fact::NeedsOutputs { .. }
            | Fact::Writes { .. }
            | Fact::Reads { .. } => {}
        }
    }
    let mut seen: Vec<Diagnostic> = Vec::new();
    for (step, finding) in findings {
        let diagnostic = Diagnostic::from_finding(finding, &across.files[step]);
        // Two groups of one template look for the same script at the same place, and are told once.
        if !seen.contains(&diagnostic) {
            seen.push(diagnostic);
        }
    }
    problems.extend(seen);
}

impl Across<'_> {
    fn id(&self, step: usize) -> &str {
        &self.steps[step].id.0
    }

    /// Things of one name that two steps make.
    fn created_twice(&self, told: &[Told<'_>], findings: &mut Vec<(usize, Finding)>) {
        let mut first: HashMap<(&str, &Text), (usize, &At)> = HashMap::new();
        for (step, fact) in told {
            let Fact::Creates { what, name, at } = fact else { continue };
            // Of steps that may be skipped one may be for each mode.
            if name.is_unknown() || self.steps[*step].when.is_some() {
                continue;
            }
            let Some((other, there)) = first.get(&(*what, name)) else {
                first.insert((what, name), (*step, at));
                continue;
            };
            let message = format!("`{}` makes the {what} `{}` too", self.id(*other), name.beginning());
            let finding = Finding::new(&across::CREATED_TWICE, at.clone(), message);
            let finding =
                finding.help(format!("give one of them another name: a {what} belongs to the step that made it"));
            findings.push((*step, finding.related((*there).clone(), "made here")));
        }
    }

    /// What is fetched from a stack of this pipeline will be there.
    fn outputs(&self, told: &[Told<'_>], findings: &mut Vec<(usize, Finding)>) {
        let mut stacks: HashMap<&Text, Vec<Made<'_>>> = HashMap::new();
        for (step, fact) in told {
            if let Fact::Makes { stack, outputs, place, .. } = fact
                && !stack.is_unknown()
            {
                stacks.entry(stack).or_default().push((*step, outputs, *place));
            }
        }
        for (step, fact) in told {
            let Fact::NeedsOutputs { stack, keys, place, .. } = fact else { continue };
            let Some(makers) = stacks.get(stack) else { continue };
            // Of several, such as one for each mode, the one that will run is not known: what all of them lack is missing.
            let has = |key: &String| makers.iter().any(|(_, outputs, _)| outputs.contains(key));
            let missing: Vec<&(String, Vec<String>)> = keys.iter().filter(|(_, any)| !any.iter().any(has)).collect();
            let ([(maker, outputs, made), ..], [(first, any), ..]) = (makers.as_slice(), missing.as_slice()) else {
                continue;
            };
            let message = format!("the stack of `{}` will have no output for {}", self.id(*maker), wanted(&missing));
            let near = any.iter().find_map(|key| nearest(key, outputs.iter().map(String::as_str)));
            let help = match near {
                Some(near) => format!("write `map: {{ {first}: {near} }}`"),
                None => format!(
                    "give it under `values:`, or list under `require:` what is needed; the stack has {}",
                    list(outputs)
                ),
            };
            let finding = Finding::error(&across::OUTPUT_NOT_IN_STACK, *place, message).help(help);
            let finding = finding.related(At::Pipeline(*made), "its template, with these parameters");
            findings.push((*step, finding));
        }
    }
}

/// What is looked for, and the keys that would give it; things that the same keys would give stand together.
fn wanted(missing: &[&(String, Vec<String>)]) -> String {
    let mut groups: Vec<(Vec<String>, &[String])> = Vec::new();
    for (what, any) in missing {
        let what = format!("`{what}`");
        match groups.iter_mut().find(|(_, keys)| keys == any) {
            Some((whats, _)) => whats.push(what),
            None => groups.push((vec![what], any)),
        }
    }
    let words = groups.iter().map(|(whats, any)| {
        let keys: Vec<String> = any.iter().map(|key| format!("`{key}`")).collect();
        format!("{} ({})", whats.join(" and "), keys.join(" or "))
    });
    words.collect::<Vec<_>>().join(", ")
}

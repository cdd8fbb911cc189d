//! Whether what one step brings is what another looks for: scripts, outputs, files, regions, networks.
//! Knows facts only, not the step types that told them.

mod files;
mod home;

use std::collections::HashMap;

use hprun_steps::codes::cluster::WHOLE_BUCKET;
use hprun_steps::fact::Fact;
use hprun_steps::files::Files;
use hprun_steps::finding::{At, Finding};
use hprun_steps::partial::{Piece, Place, Text, nearest};

pub(crate) use home::partition_of;

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
    across.put_at_a_root(&told, problems);
    across.outputs(&told, &mut findings);
    across.shared_files(&told, problems, &mut findings);
    for (step, fact) in &told {
        match fact {
            Fact::Names { id, at, tie } => findings.extend(across.home(id, at, *tie).map(|finding| (*step, finding))),
            Fact::Together { ids } => findings.extend(mixed(ids).map(|finding| (*step, finding))),
            Fact::RoleReads { role, folder, at } => {
                findings.extend(unreadable(role, folder, at).map(|finding| (*step, finding)));
            }
            Fact::Puts { .. }
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

/// Objects that a step puts into S3.
struct Put<'a> {
    step: usize,
    folder: &'a Text,
    /// None where they are not known.
    names: Option<&'a [String]>,
    place: Place,
}

fn puts<'a>(told: &[Told<'a>]) -> Vec<Put<'a>> {
    let puts = told.iter().filter_map(|(step, fact)| {
        let Fact::Puts { folder, names, place } = fact else { return None };
        Some(Put { step: *step, folder, names: names.as_deref(), place: *place })
    });
    puts.collect()
}

impl Put<'_> {
    /// Whether the object `name` of `folder` is one of them, or may be.
    fn has(&self, folder: &Text, name: &str) -> bool {
        match beneath(folder, self.folder) {
            // The cluster may look into a folder within the one that was uploaded.
            Some(inner) => self.names.is_none_or(|names| names.iter().any(|own| *own == join(inner, name))),
            None => false,
        }
    }
}

impl Across<'_> {
    fn id(&self, step: usize) -> &str {
        &self.steps[step].id.0
    }

    /// `SourceS3Uri` + `/` + `OnCreate` is an object that a step puts there.
    fn scripts(&self, told: &[Told<'_>], findings: &mut Vec<(usize, Finding)>) {
        let puts = puts(told);
        for (step, fact) in told {
            let Fact::NeedsObject { folder, name, at } = fact else { continue };
            let Some(name) = name.as_known() else { continue };
            findings.extend(self.script(&puts, &without_slash(folder), name, at).map(|finding| (*step, finding)));
        }
    }

    /// A whole bucket is where scripts are looked for rightly, where a step puts them at its root.
    fn put_at_a_root(&self, told: &[Told<'_>], problems: &mut Vec<Diagnostic>) {
        let puts = puts(told);
        for (step, fact) in told {
            let Fact::NeedsObject { folder, name, at } = fact else { continue };
            let folder = without_slash(folder);
            let there = |put: &Put<'_>| match name.as_known() {
                Some(name) => put.has(&folder, name),
                None => beneath(&folder, put.folder).is_some(),
            };
            if puts.iter().any(there) {
                let told = Diagnostic::from_finding(Finding::new(&WHOLE_BUCKET, at.clone(), ""), &self.files[*step]);
                problems.retain(|p| (p.code.number, p.place, &p.file) != (told.code.number, told.place, &told.file));
            }
        }
    }

    fn script(&self, puts: &[Put<'_>], folder: &Text, name: &str, at: &At) -> Option<Finding> {
        // What lies in a folder that cannot be read is not known.
        if puts.is_empty() || puts.iter().any(|put| put.has(folder, name)) {
            return None;
        }
        let (bucket, prefix) = split(folder)?;
        let place = |put: &Put<'_>| At::Pipeline(put.place);
        let is_it = |own: &String| own == name || own.ends_with(&format!("/{name}"));
        let has = |put: &&Put<'_>| put.names.is_some_and(|names| names.iter().any(is_it));
        let candidates = || puts.iter().filter_map(|put| Some((put, split(put.folder)?)));
        // The same bucket, surely: nobody puts it there.
        if let Some((put, _)) = candidates().find(|(_, (other, _))| *other == bucket) {
            let missing = match puts.iter().find(has) {
                Some(put) => format!("`{}` puts it into {}: use its output `s3_uri`", self.id(put.step), put.folder),
                None => format!("`{}` uploads {}", self.id(put.step), list(put.names.unwrap_or_default())),
            };
            let message = format!("`{name}` is looked for in {folder}, where no step puts it");
            let finding = Finding::new(&across::SCRIPT_NOT_UPLOADED, at.clone(), message);
            // A bucket that is known by name was there before, and may hold what no step has anything to do with.
            let is_touched = puts.iter().any(|put| has(&put) || beneath(folder, put.folder).is_some());
            let may_hold = bucket.as_known().is_some() && !is_touched;
            let finding = if may_hold { finding.as_warning() } else { finding };
            return Some(finding.help(missing).related(place(put), "uploaded here"));
        }
        let (put, (other, _)) = candidates().find(|(put, _)| has(put))?;
        let message =
            format!("`{name}` is looked for in {folder}, the step `{}` puts it into {}", self.id(put.step), put.folder);
        let help = "use the output `s3_uri` of that step";
        if bucket.as_known().is_some() && other.as_known().is_some() {
            let finding = Finding::new(&across::OTHER_BUCKET, at.clone(), message).as_warning();
            return Some(finding.help(help).related(place(put), "uploaded here"));
        }
        // Not known to be the same bucket; but the root of a bucket is hardly where it lies when it was put elsewhere.
        let is_root = prefix.is_none_or(|prefix| prefix.as_known() == Some(""));
        let finding = Finding::new(&across::SCRIPT_NOT_UPLOADED, at.clone(), message);
        is_root.then(|| finding.help(help).related(place(put), "uploaded here"))
    }

    /// What is fetched from a stack of this pipeline will be there.
    fn outputs(&self, told: &[Told<'_>], findings: &mut Vec<(usize, Finding)>) {
        let mut stacks: HashMap<&Text, Vec<Made<'_>>> = HashMap::new();
        for (step, fact) in told {
            if let Fact::Makes { stack, outputs, place } = fact
                && !stack.is_unknown()
            {
                stacks.entry(stack).or_default().push((*step, outputs, *place));
            }
        }
        for (step, fact) in told {
            let Fact::NeedsOutputs { stack, keys, place } = fact else { continue };
            // Of several, such as one for each mode, the one that will run is not known.
            let Some([(maker, outputs, made)]) = stacks.get(stack).map(Vec::as_slice) else { continue };
            let missing: Vec<&(String, Vec<String>)> =
                keys.iter().filter(|(_, any)| !any.iter().any(|key| outputs.contains(key))).collect();
            let [(first, any), ..] = missing.as_slice() else { continue };
            let told = missing.iter().map(|(what, any)| {
                format!("`{what}` ({})", any.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" or "))
            });
            let told = told.collect::<Vec<_>>().join(", ");
            let message = format!("the stack of `{}` will have no output for {told}", self.id(*maker));
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

/// Subnets and security groups that come from different steps.
fn mixed(ids: &[(Text, At)]) -> Option<Finding> {
    let source = |text: &Text| match text.0.as_slice() {
        [Piece::From(source)] => {
            source.strip_prefix("steps.").and_then(|rest| rest.split('.').next()).map(str::to_owned)
        }
        _ => None,
    };
    let mut from = ids.iter().filter_map(|(text, at)| Some((source(text)?, at)));
    let (first, _) = from.next()?;
    let (other, at) = from.find(|(other, _)| *other != first)?;
    let message = format!("this comes from the step `{other}`, what it goes with from `{first}`");
    let finding = Finding::new(&across::MIXED_MODES, at.clone(), message).as_warning();
    Some(finding.help("a security group works only in the VPC of the subnets: take both from one step"))
}

/// AWS's own policy for nodes reads only buckets named `sagemaker-…`. A role that a step of the run hands on may have more.
fn unreadable(role: &Text, folder: &Text, at: &At) -> Option<Finding> {
    let bucket = folder.without_beginning("s3://")?;
    let known = bucket.beginning();
    if role.as_known().is_none()
        || known.is_empty()
        || known.starts_with("sagemaker-")
        || "sagemaker-".starts_with(known)
    {
        return None;
    }
    let name = known.split('/').next().unwrap_or(known);
    let message = format!("the role may not be able to read the bucket `{name}`");
    let help = "AWS's managed policy for nodes covers only buckets whose names begin with `sagemaker-`: name it so, or let the role read this one";
    Some(Finding::new(&across::ROLE_AND_BUCKET, at.clone(), message).as_warning().help(help))
}

fn without_slash(folder: &Text) -> Text {
    let mut pieces = folder.0.clone();
    if let Some(Piece::Known(end)) = pieces.last_mut() {
        end.truncate(end.trim_end_matches('/').len());
        if end.is_empty() {
            pieces.pop();
        }
    }
    Text(pieces)
}

/// What of `folder` lies within `outer`, without the slash between; none where it does not.
fn beneath<'a>(folder: &'a Text, outer: &Text) -> Option<&'a str> {
    if folder == outer {
        return Some("");
    }
    let (last, before) = folder.0.split_last()?;
    let Piece::Known(text) = last else { return None };
    if before == outer.0.as_slice() {
        return text.strip_prefix('/');
    }
    let (outer_last, outer_before) = outer.0.split_last()?;
    let Piece::Known(start) = outer_last else { return None };
    if before != outer_before { None } else { text.strip_prefix(start.as_str())?.strip_prefix('/') }
}

fn join(inner: &str, name: &str) -> String {
    if inner.is_empty() { name.to_owned() } else { format!("{inner}/{name}") }
}

/// Bucket and prefix of `s3://bucket/prefix`.
fn split(folder: &Text) -> Option<(Text, Option<Text>)> {
    let rest = folder.without_beginning("s3://")?;
    match rest.split_once('/') {
        Some((bucket, prefix)) => Some((bucket, Some(prefix))),
        None => Some((rest, None)),
    }
}

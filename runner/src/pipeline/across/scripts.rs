//! Lifecycle scripts: whether a step puts them where the nodes look for them.
//! Knows names in S3 and which steps surely run before which, not what is in the scripts.

use std::collections::HashMap;

use hprun_steps::codes::cluster::WHOLE_BUCKET;
use hprun_steps::fact::{Fact, FileUse};
use hprun_steps::files::spelled;
use hprun_steps::finding::{At, Finding};
use hprun_steps::partial::{Piece, Place, Text};

use super::{Across, Told};
use crate::codes::across;
use crate::diagnostic::Diagnostic;
use crate::document::fields::list;

/// Objects that a step puts into S3.
struct Put<'a> {
    step: usize,
    folder: &'a Text,
    /// None where they are not known.
    names: Option<&'a [String]>,
    place: Place,
}

/// The steps that act on what they read, by path.
fn readers(told: &[Told<'_>]) -> HashMap<Text, Vec<usize>> {
    let mut readers: HashMap<Text, Vec<usize>> = HashMap::new();
    for (step, fact) in told {
        if let Fact::Reads { path, kind, .. } = fact
            && *kind != FileUse::Look
            && !path.is_unknown()
        {
            readers.entry(spelled(path)).or_default().push(*step);
        }
    }
    readers
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
    /// `SourceS3Uri` + `/` + `OnCreate` is an object that a step puts there.
    pub(super) fn scripts(&self, told: &[Told<'_>], findings: &mut Vec<(usize, Finding)>) {
        let puts = puts(told);
        for (step, fact) in told {
            let Fact::NeedsObject { folder, name, at } = fact else { continue };
            let Some(name) = name.as_known() else { continue };
            findings.extend(self.script(&puts, &without_slash(folder), name, at).map(|finding| (*step, finding)));
        }
    }

    /// Scripts that are put where they are looked for, but perhaps later than the cluster is made.
    pub(super) fn late(&self, told: &[Told<'_>], findings: &mut Vec<(usize, Finding)>) {
        let (puts, readers) = (puts(told), readers(told));
        for (step, fact) in told {
            let Fact::NeedsObject { folder, name, at } = fact else { continue };
            let Some(name) = name.as_known() else { continue };
            let folder = without_slash(folder);
            let there: Vec<&Put<'_>> = puts.iter().filter(|put| put.has(&folder, name)).collect();
            let [put, ..] = there.as_slice() else { continue };
            let is_late = |user: &usize| {
                there.iter().all(|put| put.step != *user && self.graph.runs_before(put.step, *user) == Some(false))
            };
            let Some(user) = self.users(*step, &readers).into_iter().find(is_late) else { continue };
            let (upload, user) = (self.id(put.step), self.id(user));
            let message = format!("`{name}` is uploaded by `{upload}`, which has not surely run before `{user}`");
            let finding = Finding::new(&across::SCRIPT_NOT_YET_UPLOADED, at.clone(), message).as_warning();
            let finding = finding.help(format!("add `{upload}` to the `needs` of `{user}`"));
            findings.push((*step, finding.related(At::Pipeline(put.place), "uploaded here")));
        }
    }

    /// The steps that act on what `step` told: those that read the file that it writes, or itself where it writes none.
    fn users(&self, step: usize, readers: &HashMap<Text, Vec<usize>>) -> Vec<usize> {
        let mut users = Vec::new();
        let mut writes = false;
        for fact in &self.facts[step] {
            let Fact::Writes { path, output, .. } = fact else { continue };
            writes = true;
            let own = Text(vec![Piece::From(format!("steps.{}.outputs.{output}", self.id(step)))]);
            users.extend([own, spelled(path)].iter().filter_map(|path| readers.get(path)).flatten());
            users.sort_unstable();
        }
        if !writes {
            users.push(step);
        }
        users
    }

    /// A whole bucket is where scripts are looked for rightly, where a step puts them at its root.
    pub(super) fn put_at_a_root(&self, told: &[Told<'_>], problems: &mut Vec<Diagnostic>) {
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
            // A bucket that is known by name was there before, and may hold what no step has anything to do with; not so a folder
            // that a step uploads, or one around it if the script lies in that.
            let around = |put: &Put<'_>| beneath(put.folder, folder).is_some() && has(&put);
            let is_touched = puts.iter().any(|put| beneath(folder, put.folder).is_some() || around(put));
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
}

/// AWS's own policy for nodes reads only buckets named `sagemaker-…`. A role that a step of the run hands on may have more.
pub(super) fn unreadable(role: &Text, folder: &Text, at: &At) -> Option<Finding> {
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

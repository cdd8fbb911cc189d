//! Files that one step writes and another reads.
//! Knows which steps surely run before which, not what is in the files.

use std::path::Path;

use hprun_steps::fact::{Fact, FileUse};
use hprun_steps::files::{Files, normalize, spelled};
use hprun_steps::finding::{At, Finding};
use hprun_steps::partial::{Piece, Place, Text};

use super::{Across, Told};
use crate::codes::{across, inputs};
use crate::diagnostic::Diagnostic;
use crate::pipeline::shelf::unreadable;

/// A file that a step writes.
struct Written {
    step: usize,
    /// Known, and spelled in one way; none where hprun chooses it.
    path: Option<String>,
    /// The output that holds it.
    output: &'static str,
    kind: FileUse,
    place: Place,
}

/// A file that a step reads when it runs.
struct Read {
    step: usize,
    path: String,
    kind: FileUse,
    place: Place,
}

impl Across<'_> {
    /// Whether each file is written once, before it is read.
    pub(super) fn shared_files(
        &self,
        told: &[Told<'_>],
        problems: &mut Vec<Diagnostic>,
        findings: &mut Vec<(usize, Finding)>,
    ) {
        let mut written: Vec<Written> = Vec::new();
        for (step, fact) in told {
            let Fact::Writes { path, output, kind, place } = fact else { continue };
            let path = spelled(path).as_known().map(str::to_owned);
            let own = Written { step: *step, path, output, kind: *kind, place: *place };
            findings.extend(self.twice(&own, &written).map(|finding| (*step, finding)));
            written.push(own);
        }
        self.not_yet(&written, problems);
        for (step, fact) in told {
            let Fact::Publishes { from, place } = fact else { continue };
            let Some(from) = from.as_known() else { continue };
            findings.extend(self.published(from, *place, &written).into_iter().map(|finding| (*step, finding)));
        }
        for (step, fact) in told {
            let Fact::Reads { path, kind, place } = fact else { continue };
            let path = spelled(path);
            if *kind == FileUse::Request {
                findings.extend(self.unchecked(&path, *place, &written).map(|finding| (*step, finding)));
            }
            let Some(path) = path.as_known() else { continue };
            let read = Read { step: *step, path: path.to_owned(), kind: *kind, place: *place };
            if written.iter().any(|written| written.path.as_ref() == Some(&read.path)) {
                // It need not be there yet.
                forgive(*place, problems);
            }
            findings.extend(self.read(&read, &written).map(|finding| (*step, finding)));
        }
    }

    fn twice(&self, own: &Written, others: &[Written]) -> Option<Finding> {
        // Two of which one may be skipped, or may fail without ending the run, may be meant to stand in for each other.
        let surely = |written: &&Written| self.steps[written.step].is_sure();
        let path = own.path.as_ref().filter(|_| surely(&own))?;
        let first = others.iter().filter(surely).find(|other| other.path.as_ref() == Some(path))?;
        let message = format!("`{}` writes {path} too", self.id(first.step));
        let finding = Finding::error(&across::WRITTEN_TWICE, own.place, message).help("give one of them another path");
        Some(finding.related(At::Pipeline(first.place), "written here"))
    }

    /// A request that a step writes without holding it against what is known of requests.
    fn unchecked(&self, path: &Text, place: Place, written: &[Written]) -> Option<Finding> {
        let is_it = |it: &&Written| match path.0.as_slice() {
            [Piece::From(source)] => *source == format!("steps.{}.outputs.{}", self.id(it.step), it.output),
            _ => path.as_known().is_some() && it.path.as_deref() == path.as_known(),
        };
        let writer = written.iter().find(is_it).filter(|it| it.kind == FileUse::Plain)?;
        let id = self.id(writer.step);
        let message = format!("nothing of the request that `{id}` writes is checked before the run");
        let finding = Finding::warning(&across::UNCHECKED_REQUEST, place, message);
        let finding = finding.help(format!("write `schema: create-cluster` in `{id}`"));
        Some(finding.related(At::Pipeline(writer.place), "written here"))
    }

    /// Files with a secret among those that are copied to where others may read them.
    fn published(&self, from: &str, place: Place, written: &[Written]) -> Vec<Finding> {
        let folder = normalize(Path::new(from));
        let told = written.iter().filter(|it| it.kind == FileUse::Secret).filter_map(|it| {
            let path = it.path.as_ref().filter(|path| Path::new(path).starts_with(&folder))?;
            let id = self.id(it.step);
            let message = format!("a secret would be uploaded: `{id}` writes it into {path}");
            let help = format!("let `{id}` write into another folder; a node can read the secret from AWS");
            let finding = Finding::error(&across::SECRET_PUBLISHED, place, message).help(help);
            Some(finding.related(At::Pipeline(it.place), "written here"))
        });
        told.collect()
    }

    /// Files that are read before the run although a step of it writes them: advice that leads there.
    fn not_yet(&self, written: &[Written], problems: &mut [Diagnostic]) {
        for (path, why) in self.files.iter().flat_map(Files::errors) {
            let wanted = spelled(&Text::known(path.to_string_lossy()));
            let same = |written: &&Written| written.path.as_deref() == wanted.as_known();
            let Some(writer) = written.iter().find(same) else { continue };
            let (message, id, output) = (unreadable(path, why), self.id(writer.step), writer.output);
            for problem in problems.iter_mut().filter(|problem| problem.message == message) {
                let own = format!("write \"{{{{ steps.{id}.outputs.{output} }}}}\", or have it there before the run");
                problem.help = Some(format!("`{id}` writes it when it runs, this is read before: {own}"));
            }
        }
    }

    fn read(&self, read: &Read, written: &[Written]) -> Option<Finding> {
        let mut writers = written.iter().filter(|written| written.path.as_ref() == Some(&read.path));
        let is_late = |writer: &Written| self.graph.runs_before(writer.step, read.step) == Some(false);
        if let Some(first) = writers.clone().next() {
            let id = self.id(first.step);
            let message = format!("{} is written by `{id}`, which has not surely run", read.path);
            let finding = Finding::error(&across::FILE_NOT_YET_WRITTEN, read.place, message);
            let finding = finding.help(format!("add `{id}` to the `needs` of `{}`", self.id(read.step)));
            return writers.all(is_late).then(|| finding.related(At::Pipeline(first.place), "written here"));
        }
        if read.kind != FileUse::Kubeconfig {
            return None;
        }
        let writer = written.iter().find(|written| written.kind == FileUse::Kubeconfig)?;
        let (id, output) = (self.id(writer.step), writer.output);
        let message = format!("this is not the kubeconfig that `{id}` writes");
        let finding = Finding::warning(&across::OTHER_KUBECONFIG, read.place, message);
        let help = format!("write \"{{{{ steps.{id}.outputs.{output} }}}}\", unless another cluster is meant");
        Some(finding.help(help).related(At::Pipeline(writer.place), "written here"))
    }
}

/// A file that a step of the pipeline writes need not be readable before it has run.
fn forgive(place: Place, problems: &mut Vec<Diagnostic>) {
    let unreadable = inputs::UNREADABLE_FILE.number;
    problems.retain(|problem| problem.code.number != unreadable || problem.place != place);
}

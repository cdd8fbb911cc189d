//! `hprun export RUN`: the run as one file, to go on elsewhere, or a copy of it to look at.
//! Knows nothing of the file's form.

use std::io::Write;
use std::path::{Path, PathBuf};

use hprun_steps::context::Record;
use hprun_steps::files::sha256;
use hprun_steps::helm_install::process;
use jiff::Timestamp;

use super::args::{ExportArgs, Global};
use super::recorded::Recorded;
use super::source::open_store;
use super::{CliError, print};
use crate::event::{Entry, Event, Target};
use crate::run_file::{FORMAT, Head, RunFile};
use crate::state::{Left, RunState};
use crate::store::{Batch, RunRow, Store, StoreError, host_name};

/// Writes it.
pub fn run(global: &Global, args: &ExportArgs) -> Result<(), CliError> {
    let store = open_store(global)?.ok_or(StoreError::NoRuns)?;
    let row = store.find(Some(&args.run))?;
    if args.copy { copy(&store, &row, args) } else { hand_out(&store, &row, args) }
}

/// The order is what keeps a run from being lost, and from having two owners:
///
/// 1. The file is written beside its place and synced: a full disk is met before anything has changed.
/// 2. `Exported`, the last event in the file, is recorded here: from now on this record refuses to go on.
/// 3. The file is put in its place by a rename.
///
/// A crash before 2 leaves the run here, and no file. A crash between 2 and 3 leaves a run that says that it was
/// exported, and no file: it can be exported again, which writes the same once more, or taken back. The other way
/// round there would be a file that can go on elsewhere, and a run here that can go on as well.
fn hand_out(store: &Store, row: &RunRow, args: &ExportArgs) -> Result<(), CliError> {
    let held = Recorded::hold(store, row)?;
    let again = matches!(held.state.left, Some(Left::Exported(_)));
    if !again {
        held.refuse_gone(store, "export")?;
    }
    refuse_children(&held)?;
    let (id, seq) = (&held.id, held.state.seq);
    let event = Event::Exported { host: host_name() };
    let leaving = Entry { seq: seq + 1, at: moment(&held.state), event };
    let mut entries = store.events(id)?;
    entries.extend((!again).then(|| leaving.clone()));
    let file = RunFile { head: head(&held.state, id, false), entries };
    let draft = Draft::write(args.file.as_deref(), id, &file.to_text())?;
    if !again {
        let events = vec![(leaving.at, leaving.event)];
        store.commit(vec![Batch { run: id, lock: &held.lock, seq, events }])?;
    }
    let place = draft.put(id)?;
    if again {
        print::note(format!("the run {id} was exported before: this is the same once more, for one place to go on in"));
    }
    print::note(format!("the run {id} is in {place}, and goes on where that is imported: hprun import FILE"));
    print::note(format!("here it goes on only when it is taken back: hprun resume {id} --take-back"));
    Ok(())
}

/// A copy changes nothing here, so it may be of a run that goes on, and even of one that went away.
fn copy(store: &Store, row: &RunRow, args: &ExportArgs) -> Result<(), CliError> {
    let entries = store.events(&row.id)?;
    let state = RunState::replay(&entries).map_err(|e| CliError::Engine { error: e.into(), run: row.id.clone() })?;
    if let Some(Left::Copied(host)) = &state.left {
        let message = format!("this is a copy of the run {} itself: make one on {host}", row.id);
        return Err(CliError::Refused { message, help: None });
    }
    let file = RunFile { head: head(&state, &row.id, true), entries };
    let place = Draft::write(args.file.as_deref(), &row.id, &file.to_text())?.put(&row.id)?;
    print::note(format!("a copy of the run {}, to look at, is in {place}; the run itself stays here", row.id));
    Ok(())
}

/// When something happens to a run that nobody works on. A sandbox's time stands still then.
pub fn moment(state: &RunState) -> Timestamp {
    let last = state.last.unwrap_or(Timestamp::UNIX_EPOCH);
    match state.started.as_ref().map(|started| &started.target) {
        Some(Target::Sandbox { .. }) => last,
        Some(Target::Aws { .. }) | None => Timestamp::now().max(last),
    }
}

fn head(state: &RunState, run: &str, copy: bool) -> Head {
    Head {
        format: FORMAT,
        hprun: env!("CARGO_PKG_VERSION").to_owned(),
        run: run.to_owned(),
        pipeline: state.started.as_ref().map(|started| started.pipeline.clone()).unwrap_or_default(),
        pipeline_sha256: sha256(state.text().unwrap_or_default().as_bytes()),
        host: host_name(),
        exported_at: Timestamp::now(),
        copy,
    }
}

/// A program that a killed run left behind may still change things; elsewhere nobody can end it.
fn refuse_children(held: &Recorded) -> Result<(), CliError> {
    let all: Vec<Record> = held.state.steps.values().flat_map(|step| step.records.clone()).collect();
    match process::still_running(&all).first() {
        None => Ok(()),
        Some((pid, program)) => Err(CliError::refused(
            format!("{program} (process {pid}) of the run {} is still at work on this machine", held.id),
            format!("wait for its end or end it (kill {pid}), then export"),
        )),
    }
}

/// What will stand in the file, where nobody takes it for the file yet.
enum Draft {
    Stdout(String),
    Beside(tempfile::NamedTempFile, PathBuf),
}

impl Draft {
    /// Readable by this user alone: accounts and endpoints are named in it.
    fn write(file: Option<&Path>, run: &str, text: &str) -> Result<Self, CliError> {
        let path = match file {
            Some(path) if path == Path::new("-") => return Ok(Self::Stdout(text.to_owned())),
            Some(path) => path.to_owned(),
            None => PathBuf::from(format!("{run}.hprun-run")),
        };
        if path.is_dir() {
            return Err(CliError::usage(format!("{} is a folder: name a file", path.display())));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut draft = tempfile::Builder::new()
            .prefix(".hprun-")
            .tempfile_in(folder)
            .map_err(CliError::io(format!("write into {}", folder.display())))?;
        let written = draft.write_all(text.as_bytes()).and_then(|()| draft.as_file().sync_all());
        written.map_err(CliError::io(format!("write {}", path.display())))?;
        Ok(Self::Beside(draft, path))
    }

    /// Puts it in its place, and names that.
    fn put(self, run: &str) -> Result<String, CliError> {
        let again = format!("; nothing is lost, write it elsewhere: hprun export {run} -o FILE");
        match self {
            Self::Stdout(text) => print::data(text).map(|()| "what was printed".to_owned()),
            Self::Beside(draft, path) => {
                let doing = format!("put the file at {}{again}", path.display());
                draft.persist(&path).map_err(|e| CliError::io(doing)(e.error))?;
                Ok(path.display().to_string())
            }
        }
    }
}

//! `hprun import FILE`: a run that left another record goes on in this one.
//! Knows nothing of the file's form, nor of how the run then goes on.

use std::io::Read;
use std::path::{Path, PathBuf};

use hprun_steps::files::sha256;
use jiff::Timestamp;

use super::args::{Global, ImportArgs};
use super::export::moment;
use super::source::{Source, state_folder};
use super::{CliError, print};
use crate::event::{Entry, Event, RunStarted, Target};
use crate::run_file::{Meeting, RunFile, meet};
use crate::state::{Left, RunState};
use crate::store::{Batch, RunLock, Store, host_name};

/// Takes it in.
pub fn run(global: &Global, args: &ImportArgs) -> Result<(), CliError> {
    let shown = args.file.display().to_string();
    let (file, state) = RunFile::read(&read(&args.file)?)
        .map_err(|e| CliError::Refused { message: format!("nothing was imported from {shown}: {e}"), help: None })?;
    let run = file.head.run.clone();
    let store = Store::open(state_folder(global)?)?;
    let lock = store.folder().lock(&run)?;
    let here = store.events(&run)?;
    let known = RunState::replay(&here).map_err(|e| CliError::Engine { error: e.into(), run: run.clone() })?;
    if file.head.copy {
        return look_at(&store, &lock, file, &state, &known);
    }
    let seq = match join(&shown, &run, &here, &known, &file)? {
        Some(seq) => seq,
        None => return Ok(()),
    };
    let started = state.started.as_ref().expect("a file that was read holds a run");
    refuse_without_world(started)?;
    let path = pipeline(args, started, state.path().unwrap_or(&started.path), &file)?;
    let new = file.entries.into_iter().skip_while(|entry| entry.seq <= seq).map(|entry| (entry.at, entry.event));
    let imported = Event::Imported { host: host_name(), path: path.to_string_lossy().into_owned() };
    let events = new.chain([(moment(&state), imported)]).collect();
    store.commit(vec![Batch { run: &run, lock: &lock, seq, events }])?;
    print::note(format!("the run {run} of {} is here, with its pipeline {}", file.head.pipeline, path.display()));
    print::data(format!("hprun resume {run}"))
}

/// A copy is kept to be shown, and refused where the run itself is.
fn look_at(store: &Store, lock: &RunLock, file: RunFile, state: &RunState, known: &RunState) -> Result<(), CliError> {
    let (run, host) = (file.head.run, file.head.host);
    if known.started.is_some() && !matches!(known.left, Some(Left::Copied(_))) {
        return Err(CliError::refused(
            format!("the run {run} itself is here, and the file is a copy to look at"),
            format!("look at what is here: hprun show {run}; or keep the copy elsewhere: --state FOLDER"),
        ));
    }
    let at = moment(state);
    let copied: (Timestamp, Event) = (at, Event::Copied { host: host.clone() });
    let events = file.entries.into_iter().map(|entry| (entry.at, entry.event)).chain([copied]).collect();
    store.commit(vec![Batch { run: &run, lock, seq: 0, events }])?;
    print::note(format!("a copy of the run {run}, to look at; the run itself is on {host}"));
    print::data(format!("hprun show {run}"))
}

/// After which event here the file goes on; none if there is nothing to take in.
fn join(shown: &str, run: &str, here: &[Entry], known: &RunState, file: &RunFile) -> Result<Option<u64>, CliError> {
    if here.is_empty() || matches!(known.left, Some(Left::Copied(_))) {
        return Ok(Some(0));
    }
    match (meet(here, &file.entries), &known.left) {
        (Meeting::Ahead, Some(Left::Exported(_))) => Ok(Some(known.seq)),
        (Meeting::Same, _) => {
            print::note(format!("the run {run} is here, just as in {shown}: this is where it left"));
            print::note(format!("to go on here: hprun resume {run} --take-back"));
            Ok(None)
        }
        (Meeting::Behind, left) => {
            print::note(format!("the run {run} is here already, with all that is in {shown} and more"));
            if left.is_none() {
                print::data(format!("hprun resume {run}"))?;
            }
            Ok(None)
        }
        (Meeting::Ahead, _) => Err(CliError::refused(
            format!("the run {run} is here too, and this record does not say that it left"),
            "only one of the two may go on: if this one is an old copy of the state folder, use another with --state",
        )),
        (Meeting::Parted(after), _) => Err(CliError::refused(
            format!("the run {run} is here and in {shown}, and they went different ways after event {after}"),
            format!("only one of the two may go on; look at this one: hprun show {run}"),
        )),
    }
}

fn refuse_without_world(started: &RunStarted) -> Result<(), CliError> {
    match &started.target {
        Target::Sandbox { world } if !Path::new(world).is_dir() => Err(CliError::refused(
            format!("nothing was imported: the run happens in the sandbox world {world}, which is not here"),
            "put that folder here; or only look at the run: export it with --copy",
        )),
        Target::Sandbox { .. } | Target::Aws { .. } => Ok(()),
    }
}

/// The pipeline file's full path on this machine.
fn pipeline(args: &ImportArgs, started: &RunStarted, recorded: &str, file: &RunFile) -> Result<PathBuf, CliError> {
    let run = &file.head.run;
    let named = match &args.pipeline {
        Some(path) => path.clone(),
        None if Path::new(recorded).is_file() => PathBuf::from(recorded),
        None => {
            return Err(CliError::refused(
                format!("nothing was imported: the pipeline file {recorded} is not on this machine"),
                "say where it is: --pipeline PATH",
            ));
        }
    };
    let source = Source::read(&named)?;
    if let Some(name) = source.name().filter(|name| *name != started.pipeline) {
        let message = format!("nothing was imported: {} is the pipeline {name}", source.shown);
        return Err(CliError::refused(message, format!("name the file of {}: --pipeline PATH", started.pipeline)));
    }
    if sha256(source.text.as_bytes()) != file.head.pipeline_sha256 {
        let shown = &source.shown;
        print::note(format!(
            "{shown} is not as the run had it; what that changes is told by: hprun resume {run} --explain"
        ));
    }
    Ok(source.path)
}

fn read(path: &Path) -> Result<String, CliError> {
    let doing = || CliError::io(format!("read the run in {}", path.display()));
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map_err(doing())?;
        return Ok(text);
    }
    // What is no text is no exported run, and is told as that.
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(doing())
}

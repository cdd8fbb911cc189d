//! What a step is given to work with: the record, the clients, its files, the clock, and a line to show.
//! Knows nothing of the store or the terminal: records and progress leave through channels to the engine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::clients::Clients;
use crate::clock::Clock;
use crate::error::{ErrorClass, StepError};
use crate::files::{FileDigest, Files, sha256};
use crate::kill_point;

/// Tag on everything that hprun makes: the run that made it.
pub const TAG_RUN: &str = "hprun:run-id";
/// Tag on everything that hprun makes: the step that made it.
pub const TAG_STEP: &str = "hprun:step";

/// All that a step may use. Only the engine (and tests) build one, from [`Parts`].
pub struct StepContext<'a> {
    /// Which try of this step this is, from 1.
    pub attempt: u32,
    /// The id of the step.
    pub step: &'a str,
    /// The run it belongs to.
    pub run: &'a RunInfo,
    /// AWS and Kubernetes.
    pub clients: &'a Clients,
    /// The files that the inputs name.
    pub files: &'a Files,
    /// Time: every wait goes through it.
    pub clock: &'a Clock,
    /// Fires when the run is told to stop.
    pub cancelled: CancellationToken,
    records: mpsc::Sender<RecordRequest>,
    progress: watch::Sender<String>,
    history: Vec<Record>,
    written: Vec<FileDigest>,
}

/// What a [`StepContext`] is built from.
pub struct Parts<'a> {
    /// Which try of this step this is, from 1.
    pub attempt: u32,
    /// The id of the step.
    pub step: &'a str,
    /// The run it belongs to.
    pub run: &'a RunInfo,
    /// AWS and Kubernetes.
    pub clients: &'a Clients,
    /// The files that the inputs name.
    pub files: &'a Files,
    /// Time.
    pub clock: &'a Clock,
    /// Fires when the run is told to stop.
    pub cancelled: CancellationToken,
    /// Where records go; each is durable when its answer comes.
    pub records: mpsc::Sender<RecordRequest>,
    /// The line shown beside the step.
    pub progress: watch::Sender<String>,
    /// What earlier attempts of this step recorded in this run, oldest first.
    pub history: Vec<Record>,
}

/// The run that a step belongs to.
#[derive(Clone, Debug)]
pub struct RunInfo {
    /// The run's id.
    pub id: String,
    /// Earlier runs whose things passed to this one: what names them is ours.
    pub lineage: Vec<String>,
    /// The pipeline's name.
    pub pipeline: String,
    /// AWS partition, such as `aws`.
    pub partition: String,
    /// Account id of 12 digits.
    pub account: String,
    /// Region, such as `us-west-2`.
    pub region: String,
    /// Who we are, as GetCallerIdentity says.
    pub caller_arn: String,
    /// Whether this is the sandbox.
    pub sandbox: bool,
    /// A folder of this run alone, mode 0700, for files that no input places elsewhere.
    pub folder: PathBuf,
    /// The folder of the pipeline file: relative paths in inputs start here.
    pub base: PathBuf,
    /// This program, for a kubeconfig's exec entry.
    pub program: PathBuf,
    /// What a child process needs in its environment to reach the same AWS (the sandbox's endpoint, a profile).
    pub environment: Vec<(String, String)>,
}

impl RunInfo {
    /// Whether the run `id` is this one, or one whose things passed to it.
    pub fn is_ours(&self, id: &str) -> bool {
        self.id == id || self.lineage.iter().any(|earlier| earlier == id)
    }
}

/// A record on its way to the store, and where to say that it is durable (or that the store failed).
pub type RecordRequest = (Record, oneshot::Sender<Result<(), String>>);

/// What a step tells the store while it works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Record {
    /// About to send a call that makes or changes something.
    CallIntended(CallIntended),
    /// The outcome of an intended call is known.
    CallSettled {
        /// Of the call.
        token: String,
        /// How it ended.
        outcome: CallOutcome,
    },
    /// A resource is there because of this step, or was taken over by it.
    ResourceRecorded {
        /// As CloudFormation names it, such as `AWS::SageMaker::Cluster`.
        kind: String,
        /// ARN or other unique id.
        id: String,
        /// The name a person gave it.
        name: String,
        /// Whether we made it.
        origin: Origin,
    },
    /// A resource that this run made was removed by it.
    ResourceRemoved {
        /// As in `ResourceRecorded`.
        kind: String,
        /// As in `ResourceRecorded`.
        id: String,
    },
    /// A child process was started; a resume ends or awaits it first.
    ChildStarted {
        /// Process id.
        pid: u32,
        /// When the system says that it started (clock ticks since boot on Linux), so that a reused pid is told apart.
        started: u64,
        /// The program's name, to show.
        program: String,
    },
    /// That child ended.
    ChildEnded {
        /// Process id.
        pid: u32,
    },
}

/// A call that makes or changes something, recorded before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CallIntended {
    /// Our name of the call within the step, such as `create-stack`.
    pub op: String,
    /// Names this one request: sent to services that take one.
    pub token: String,
    /// Digest of the request.
    pub digest: String,
    /// Kind of the resource it is about.
    pub kind: String,
    /// Name of the resource it is about.
    pub name: String,
    /// Whether that resource was there before the call.
    pub existed: bool,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallOutcome {
    /// The service took it.
    Done,
    /// The service refused it: nothing happened.
    Refused,
}

/// Whose a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// This run made it.
    Made,
    /// It was there, and the step said `adopt: true`.
    Adopted,
}

/// A call to announce with [`StepContext::intend`].
pub struct Intent<'a, R: Serialize> {
    /// Our name of the call within the step, such as `create-stack`.
    pub op: &'a str,
    /// Kind of the resource, as CloudFormation names it.
    pub kind: &'a str,
    /// Name of the resource.
    pub name: &'a str,
    /// Whether that resource is there now.
    pub existed: bool,
    /// The request, or what of it makes it this one: its digest names the token. Must hold no secret text.
    pub request: &'a R,
}

impl<'a> StepContext<'a> {
    /// A context from its parts.
    pub fn new(parts: Parts<'a>) -> Self {
        Self {
            attempt: parts.attempt,
            step: parts.step,
            run: parts.run,
            clients: parts.clients,
            files: parts.files,
            clock: parts.clock,
            cancelled: parts.cancelled,
            records: parts.records,
            progress: parts.progress,
            history: parts.history,
            written: Vec::new(),
        }
    }

    /// Records that a call is about to be sent, and gives the token to send with it. The same request gets the same
    /// token while the outcome of its last sending is unknown; after a known outcome, or for another request, a new one.
    pub async fn intend<R: Serialize>(&mut self, intent: Intent<'_, R>) -> Result<String, StepError> {
        let digest = digest_of(intent.request)?;
        let same = |i: &&CallIntended| i.op == intent.op;
        if let Some(last) = self.intents().filter(same).last()
            && last.digest == digest
            && self.outcome_of(&last.token).is_none()
        {
            return Ok(last.token.clone());
        }
        let generation = self.intents().filter(same).count() + 1;
        let token = format!("hprun-{}-{}-{}-{generation}-{}", self.run.id, self.step, intent.op, &digest[..12]);
        let record = CallIntended {
            op: intent.op.to_owned(),
            token: token.clone(),
            digest,
            kind: intent.kind.to_owned(),
            name: intent.name.to_owned(),
            existed: intent.existed,
        };
        self.record(Record::CallIntended(record)).await?;
        Ok(token)
    }

    /// The token of the newest call of this name, if that was this very request and was not refused: a crash may have come
    /// between its effect and the record of that.
    pub fn newest_of<R: Serialize>(&self, intent: &Intent<'_, R>) -> Result<Option<String>, StepError> {
        let digest = digest_of(intent.request)?;
        let newest = self.intents().filter(|i| i.op == intent.op).last();
        let same = newest.filter(|i| i.digest == digest && self.outcome_of(&i.token) != Some(CallOutcome::Refused));
        Ok(same.map(|i| i.token.clone()))
    }

    /// Records how an intended call ended, where that is known: an answer, or an error that says it did not happen.
    /// Gives the result back.
    pub async fn settle<T>(&mut self, token: &str, result: Result<T, StepError>) -> Result<T, StepError> {
        let outcome = match &result {
            Ok(_) => CallOutcome::Done,
            Err(e) if e.class.is_known() => CallOutcome::Refused,
            Err(_) => return result,
        };
        self.record(Record::CallSettled { token: token.to_owned(), outcome }).await?;
        result
    }

    /// Makes `record` durable. An error means that the store failed and the run must stop.
    pub async fn record(&mut self, record: Record) -> Result<(), StepError> {
        let (answer, durable) = oneshot::channel();
        let lost = || StepError::new(ErrorClass::Interrupted, "the run's record is closed");
        self.records.send((record.clone(), answer)).await.map_err(|_| lost())?;
        durable.await.map_err(|_| lost())?.map_err(|e| StepError::new(ErrorClass::Interrupted, e))?;
        self.history.push(record);
        Ok(())
    }

    /// Records a resource that is there because of this step (or adopted by it), unless that is recorded already.
    pub async fn resource(&mut self, kind: &str, id: &str, name: &str, origin: Origin) -> Result<(), StepError> {
        let (kind, id, name) = (kind.to_owned(), id.to_owned(), name.to_owned());
        let record = Record::ResourceRecorded { kind, id, name, origin };
        if self.history.contains(&record) { Ok(()) } else { self.record(record).await }
    }

    /// What this step recorded in this run so far, oldest first: earlier attempts included.
    pub fn history(&self) -> &[Record] {
        &self.history
    }

    /// The calls this step intended in this run, oldest first.
    pub fn intents(&self) -> impl Iterator<Item = &CallIntended> {
        self.history.iter().filter_map(|record| match record {
            Record::CallIntended(intent) => Some(intent),
            Record::CallSettled { .. }
            | Record::ResourceRecorded { .. }
            | Record::ResourceRemoved { .. }
            | Record::ChildStarted { .. }
            | Record::ChildEnded { .. } => None,
        })
    }

    /// How the call with this token ended, if that is known.
    pub fn outcome_of(&self, token: &str) -> Option<CallOutcome> {
        self.history.iter().rev().find_map(|record| match record {
            Record::CallSettled { token: of, outcome } if of == token => Some(*outcome),
            Record::CallSettled { .. }
            | Record::CallIntended(_)
            | Record::ResourceRecorded { .. }
            | Record::ResourceRemoved { .. }
            | Record::ChildStarted { .. }
            | Record::ChildEnded { .. } => None,
        })
    }

    /// Whether the resource `id` of `kind` was made by this step in this run and not removed by it since.
    pub fn made(&self, kind: &str, id: &str) -> bool {
        self.made_ids(kind).contains(&id)
    }

    /// The resources of `kind` that this step made in this run and has not removed since, in the order they were made.
    pub fn made_ids(&self, kind: &str) -> Vec<&str> {
        let mut made: Vec<&str> = Vec::new();
        for record in &self.history {
            match record {
                Record::ResourceRecorded { kind: k, id, origin, .. } if k == kind => {
                    made.retain(|other| other != id);
                    if *origin == Origin::Made {
                        made.push(id);
                    }
                }
                Record::ResourceRemoved { kind: k, id } if k == kind => made.retain(|other| other != id),
                Record::ResourceRecorded { .. }
                | Record::ResourceRemoved { .. }
                | Record::CallIntended(_)
                | Record::CallSettled { .. }
                | Record::ChildStarted { .. }
                | Record::ChildEnded { .. } => {}
            }
        }
        made
    }

    /// Whether a mark of the run `id` on a resource (a tag, a label) says that it is ours: it names this run, or one whose
    /// things passed to it.
    pub fn is_ours(&self, id: &str) -> bool {
        self.run.is_ours(id)
    }

    /// The tags that say whose a resource is; written when it is created, never later.
    pub fn tags(&self) -> [(&'static str, String); 2] {
        [(TAG_RUN, self.run.id.clone()), (TAG_STEP, self.step.to_owned())]
    }

    /// Shows what the step is doing or waiting for, such as `34/41 resources, now NatGateway1`. Not kept.
    pub fn progress(&self, text: impl Into<String>) {
        let text = text.into();
        self.progress.send_if_modified(|shown| {
            let new = *shown != text;
            *shown = text;
            new
        });
    }

    /// Waits. Ends early, with an error, when the run is told to stop.
    pub async fn sleep(&self, duration: Duration) -> Result<(), StepError> {
        tokio::select! {
            () = self.cancelled.cancelled() => Err(StepError::interrupted()),
            () = self.clock.sleep(duration) => Ok(()),
        }
    }

    /// What `asked` gives, or an error as soon as the run is told to stop. For calls that change nothing: one that is
    /// given up half-way would leave it unknown what it did.
    pub async fn unless_stopped<T>(&self, asked: impl Future<Output = T>) -> Result<T, StepError> {
        tokio::select! {
            () = self.cancelled.cancelled() => Err(StepError::interrupted()),
            answer = asked => Ok(answer),
        }
    }

    /// An error when the run is told to stop; to be asked at safe points.
    pub fn stop_here(&self) -> Result<(), StepError> {
        if self.cancelled.is_cancelled() { Err(StepError::interrupted()) } else { Ok(()) }
    }

    /// Writes a file whole or not at all: a temporary file beside it, synced, then renamed. A relative path starts at
    /// the pipeline's folder. Gives the full path.
    pub fn write_file(&mut self, path: &Path, bytes: &[u8], mode: FileMode) -> Result<PathBuf, StepError> {
        let full = self.run.base.join(path);
        write_atomically(&full, &self.beside(&full), bytes, mode)
            .map_err(|e| StepError::failed(format!("cannot write {}", full.display())).because(e.to_string()))?;
        self.written.retain(|f| Path::new(&f.path) != full);
        let path = full.to_string_lossy().into_owned();
        let sha256 = if mode == FileMode::Secret { String::new() } else { sha256(bytes) };
        self.written.push(FileDigest { path, sha256, mode: mode.bits() });
        Ok(full)
    }

    /// Where a file is until it is whole: the same for the same file of this step, so that one that a crash left behind is
    /// written over and not left for ever.
    fn beside(&self, path: &Path) -> String {
        let place = format!("{} {} {}", self.run.id, self.step, path.display());
        format!(".hprun-{}", &sha256(place.as_bytes())[..16])
    }

    /// The files that [`StepContext::write_file`] wrote in this attempt, for the record of its success.
    pub fn written(&self) -> &[FileDigest] {
        &self.written
    }
}

/// Who may read a file that a step writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileMode {
    /// Only this user (0600): for what names accounts and endpoints.
    Private,
    /// Only this user (0600), and no digest of it is recorded: the digest of a short secret would be a leak.
    Secret,
    /// Everyone (0644).
    Shared,
}

impl FileMode {
    /// The permission bits.
    pub fn bits(self) -> u32 {
        match self {
            Self::Private | Self::Secret => 0o600,
            Self::Shared => 0o644,
        }
    }
}

/// Digest of a request, independent of the order of its keys.
fn digest_of<R: Serialize>(request: &R) -> Result<String, StepError> {
    let json =
        serde_json::to_value(request).map_err(|e| StepError::invalid(format!("a request cannot be recorded: {e}")))?;
    Ok(hex::encode(Sha256::digest(canonical(&json).as_bytes())))
}

/// JSON text with sorted keys.
pub fn canonical(json: &serde_json::Value) -> String {
    let mut sorted = json.clone();
    sorted.sort_all_objects();
    sorted.to_string()
}

fn write_atomically(path: &Path, beside: &str, bytes: &[u8], mode: FileMode) -> std::io::Result<()> {
    use std::io::Write;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    match std::fs::remove_file(folder.join(beside)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(beside).rand_bytes(0);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode.bits()));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let name = || path.file_name().unwrap_or_default().to_string_lossy();
    kill_point::reach(|| format!("before rename {}", name()));
    file.persist(path).map_err(|e| e.error)?;
    kill_point::reach(|| format!("after rename {}", name()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::{ClientOptions, SandboxEndpoint};

    fn run() -> RunInfo {
        let text = || "x".to_owned();
        RunInfo {
            id: "r1".to_owned(),
            lineage: vec!["r0".to_owned()],
            pipeline: text(),
            partition: text(),
            account: text(),
            region: text(),
            caller_arn: text(),
            sandbox: true,
            folder: PathBuf::new(),
            base: PathBuf::new(),
            program: PathBuf::new(),
            environment: Vec::new(),
        }
    }

    /// The tokens of these intents, each settled as said (or not), after this history.
    async fn tokens(history: Vec<Record>, calls: &[(&str, u32, Option<ErrorClass>)]) -> (Vec<String>, Vec<Record>) {
        let (key, nowhere) = ("none".to_owned(), "http://127.0.0.1:1".to_owned());
        let sandbox = SandboxEndpoint { url: nowhere, access_key: key.clone(), secret_key: key };
        let clients = Clients::new(ClientOptions { sandbox: Some(sandbox), ..ClientOptions::default() }).await;
        let (records, mut recorded) = mpsc::channel::<RecordRequest>(1);
        tokio::spawn(async move {
            while let Some((_, answer)) = recorded.recv().await {
                drop(answer.send(Ok(())));
            }
        });
        let (run, files, clock) = (run(), Files::default(), Clock::system());
        let mut cx = StepContext::new(Parts {
            attempt: 1,
            step: "s",
            run: &run,
            clients: &clients,
            files: &files,
            clock: &clock,
            cancelled: CancellationToken::new(),
            records,
            progress: watch::Sender::new(String::new()),
            history,
        });
        let mut tokens = Vec::new();
        for (op, request, end) in calls {
            let intent = Intent { op, kind: "K", name: "n", existed: false, request };
            let token = cx.intend(intent).await.expect("it is recorded");
            let result = end.map_or(Ok(()), |class| Err(StepError::new(class, "no")));
            // What is settled as unknown is not settled.
            let _ended = cx.settle(&token, result).await;
            tokens.push(token);
        }
        (tokens, cx.history().to_vec())
    }

    #[tokio::test]
    async fn one_request_keeps_its_token_while_nobody_knows_what_became_of_it_and_not_longer() {
        let unknown = Some(ErrorClass::Unknown);
        let (told, history) = tokens(Vec::new(), &[("a", 1, unknown), ("a", 1, unknown), ("b", 1, unknown)]).await;
        assert_eq!(told[0], told[1], "the same request, sent again");
        assert_ne!(told[0], told[2], "another operation");
        let (after, _) = tokens(history.clone(), &[("a", 1, unknown)]).await;
        assert_eq!(after[0], told[0], "also after a crash");
        let (other, _) = tokens(history.clone(), &[("a", 2, unknown)]).await;
        assert_ne!(other[0], told[0], "another request");
        let known = [("a", 1, Some(ErrorClass::Failed)), ("a", 1, None), ("a", 1, unknown)];
        let (next, _) = tokens(history, &known).await;
        assert_eq!(next[0], told[0], "its outcome was unknown until now");
        assert!(next[1] != next[0] && next[2] != next[1], "a known failure, and a success, end a token: {next:?}");
    }
}

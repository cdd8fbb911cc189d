//! upload-lifecycle: puts a folder of lifecycle scripts into S3, where the nodes of a HyperPod cluster fetch them.
//! Knows nothing of the cluster. It never removes an object that this run did not put there.

mod folder;
mod objects;
mod permissions;
mod shell;
mod siblings;

use futures::{StreamExt, TryStreamExt};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::codes::live;
use crate::context::{CallOutcome, Intent, Origin, Record, StepContext};
use crate::error::{ErrorClass, StepError};
use crate::fact::Fact;
use crate::files::{FileInput, FileKind, Files};
use crate::finding::{At, Finding, Severity};
use crate::pace::Pace;
use crate::partial::{Hole, Partial, ValueType};
use crate::permissions::{Needs, Surroundings};
use crate::question::{Asked, Question, Wish};
use crate::step::{Foresight, Health, Step};

use folder::{Script, digest};
use objects::{Bucket, Found};

const KIND: &str = "AWS::S3::Object";
/// How many objects are looked at or sent at the same time.
const AT_ONCE: usize = 8;

/// Files that are there unchanged are left alone. A script with CRLF line ends, and one (`*.sh`) without `#!` that no other names, is
/// refused before the run: it would fail on every node.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UploadLifecycle {
    /// The folder: a path relative to the pipeline file. All files in it are uploaded, but for `.git` and `.DS_Store`.
    pub from: String,
    /// The bucket. The cluster's role must be able to read it: AWS's own policy covers names that begin with `sagemaker-`.
    pub bucket: String,
    /// The folder within the bucket. Default: none.
    #[serde(default)]
    pub prefix: String,
    /// Scripts (paths within the folder) that may have CRLF line ends.
    #[serde(default)]
    pub allow_crlf: Vec<String>,
    /// Scripts `*.sh` (paths within the folder) that may lack a first line `#!…`.
    #[serde(default)]
    pub allow_no_shebang: Vec<String>,
    /// Remove objects that this run uploaded earlier and that the folder no longer holds. Default: false.
    #[serde(default)]
    pub delete_extra: bool,
    /// Write over objects with other contents that this run did not upload. Default: false, they are refused.
    #[serde(default)]
    pub adopt: bool,
}

/// Scripts that are in S3.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Uploaded {
    /// `s3://bucket/prefix`, without a slash at the end: what the cluster's `SourceS3Uri` must say.
    pub s3_uri: String,
    /// The objects, in order of name.
    pub objects: Vec<Object>,
    /// Digest of all names and contents: it changes when any script does.
    pub digest: String,
}

/// One object in S3.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Object {
    /// Path within the folder, such as `on_create.sh`.
    pub name: String,
    /// Key within the bucket.
    pub key: String,
    /// Size in bytes.
    pub size: usize,
    /// Hex digest of the contents.
    pub sha256: String,
}

impl Step for UploadLifecycle {
    const TYPE: &'static str = "upload-lifecycle";
    const SUMMARY: &'static str = "Upload a folder of lifecycle scripts to S3";
    const EXAMPLE: &'static str = r#"- id: scripts
  type: upload-lifecycle
  with:
    from: lifecycle/base-config
    bucket: "{{ steps.infra.outputs.s3_bucket }}"
    prefix: LifecycleScripts/base-config
"#;
    type Outputs = Uploaded;

    fn files(inputs: &Partial) -> Vec<FileInput> {
        FileInput::named(inputs, "from", FileKind::Folder).into_iter().collect()
    }

    fn check(inputs: &Partial, files: &Files) -> Vec<Finding> {
        folder::check(inputs, files)
    }

    fn permissions(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
        permissions::needs(inputs, around)
    }

    fn foreseen(inputs: &Partial, _files: &Files) -> IndexMap<String, Partial> {
        let Some(text) = folder::target(inputs) else { return IndexMap::new() };
        let uri = match text.as_known() {
            Some(known) => Partial::Known(known.into(), inputs.place()),
            None => Partial::Unknown(Hole { of: ValueType::String, text }, inputs.place()),
        };
        IndexMap::from([("s3_uri".to_owned(), uri)])
    }

    fn facts(inputs: &Partial, files: &Files) -> Vec<Fact> {
        let place = inputs.get("prefix").or_else(|| inputs.get("bucket")).unwrap_or(inputs).place();
        let publishes =
            inputs.get("from").and_then(|from| Some(Fact::Publishes { from: from.text()?, place: from.place() }));
        let puts = match (folder::target(inputs), inputs.str_at("from")) {
            (Some(folder), Some(from)) => Some(Fact::Puts { folder, names: folder::names(files, from), place }),
            (_, _) => None,
        };
        puts.into_iter().chain(publishes).collect()
    }

    fn questions(inputs: &Partial, _: &Files) -> Vec<Asked> {
        let Some(bucket) = inputs.get("bucket") else { return Vec::new() };
        let at = At::Pipeline(bucket.place());
        let question = |bucket| Question::BucketRegion { bucket };
        Asked::of(&live::BUCKET_REGION, &at, Wish::text(Some(bucket)), question).into_iter().collect()
    }

    async fn run(self, cx: &mut StepContext<'_>) -> Result<Uploaded, StepError> {
        let scripts = self.scripts(cx.files)?;
        let bucket = Bucket::new(cx, &self.bucket);
        let found = look(cx, &bucket, &scripts).await?;
        let missing: Vec<Script> = changed(&scripts, &found).cloned().collect();
        let foreign: Vec<&Found> =
            missing.iter().map(|s| found_of(&found, s)).filter(|f| f.is_foreign(cx.run)).collect();
        if !self.adopt {
            refuse_foreign(&self.bucket, &foreign)?;
        }
        for object in foreign {
            // Recorded before it is written over: afterwards it looks like one of ours.
            cx.resource(KIND, &uri(&self.bucket, &object.key), &object.key, Origin::Adopted).await?;
        }
        if !missing.is_empty() {
            self.upload(cx, &bucket, &missing, &found).await?;
        }
        for script in &scripts {
            let id = uri(&self.bucket, &script.key);
            let ours = missing.iter().any(|m| m.key == script.key) || found_of(&found, script).is_by(cx.run);
            if ours && !is_adopted(cx, &id) {
                cx.resource(KIND, &id, &script.name, Origin::Made).await?;
            }
        }
        if self.delete_extra {
            self.delete_extra(cx, &bucket, &scripts).await?;
        }
        let unchanged = scripts.len() - missing.len();
        cx.progress(format!("{} uploaded, {unchanged} unchanged", missing.len()));
        Ok(self.outputs_of(&scripts))
    }

    async fn probe(self, _outputs: &serde_json::Value, cx: &mut StepContext<'_>) -> Result<Health, StepError> {
        let scripts = self.scripts(cx.files)?;
        let found = look(cx, &Bucket::new(cx, &self.bucket), &scripts).await?;
        let lost: Vec<&str> = changed(&scripts, &found).map(|script| script.key.as_str()).collect();
        Ok(if lost.is_empty() {
            Health::Good
        } else {
            Health::Lost(format!("missing or changed in s3://{}: {}", self.bucket, lost.join(", ")))
        })
    }

    async fn foresee(self, cx: &mut StepContext<'_>) -> Result<Foresight, StepError> {
        let scripts = self.scripts(cx.files)?;
        let found = look(cx, &Bucket::new(cx, &self.bucket), &scripts).await?;
        let missing: Vec<&Script> = changed(&scripts, &found).collect();
        let foreign: Vec<&Found> =
            missing.iter().map(|s| found_of(&found, s)).filter(|f| f.is_foreign(cx.run)).collect();
        let refusal = if self.adopt { None } else { refuse_foreign(&self.bucket, &foreign).err() };
        let changes = missing.iter().map(|script| format!("s3://{}/{} is uploaded", self.bucket, script.key)).collect();
        let outputs = serde_json::to_value(self.outputs_of(&scripts)).ok();
        Ok(Foresight { outputs, changes, refusal, ..Foresight::default() })
    }
}

impl UploadLifecycle {
    /// The folder's scripts; what `check` would find is an error here too, for a prefix known only now.
    fn scripts(&self, files: &Files) -> Result<Vec<Script>, StepError> {
        let wrong = folder::wrong_target(&self.bucket, &self.prefix);
        if let Some((_, message)) = wrong.into_iter().next() {
            return Err(StepError::invalid(message));
        }
        let faults = folder::faults(files, &self.from, &self.allow_crlf, &self.allow_no_shebang);
        let mut errors = faults.into_iter().filter(|f| f.severity == Severity::Error);
        if let Some(first) = errors.next() {
            let error = StepError::invalid(first.message);
            let error = errors.fold(error, |error, other| error.because(other.message));
            return Err(match first.help {
                Some(help) => error.help(help),
                None => error,
            });
        }
        folder::scripts(files, &self.from, &self.prefix).map_err(StepError::invalid)
    }

    async fn upload(
        &self,
        cx: &mut StepContext<'_>,
        bucket: &Bucket,
        missing: &[Script],
        found: &[Found],
    ) -> Result<(), StepError> {
        let unfinished = cx.intents().any(|i| i.op == "upload" && cx.outcome_of(&i.token) != Some(CallOutcome::Done));
        let request = json!({ "bucket": self.bucket, "objects": missing.iter().map(|s| (&s.key, &s.sha256)).collect::<Vec<_>>() });
        let existed = missing.iter().any(|script| found.iter().any(|f| f.key == script.key && f.size.is_some()));
        let name = uri(&self.bucket, &self.clean_prefix());
        let token = cx.intend(Intent { op: "upload", kind: KIND, name: &name, existed, request: &request }).await?;
        let result = self.send(cx, bucket, missing, unfinished).await;
        cx.settle(&token, result).await
    }

    /// Sends every script; one that is not taken for now is sent again, because an object is whole or absent.
    async fn send(
        &self,
        cx: &StepContext<'_>,
        bucket: &Bucket,
        missing: &[Script],
        mut unfinished: bool,
    ) -> Result<(), StepError> {
        let (mut left, mut done, mut pace) = (missing.to_vec(), 0, Pace::default());
        loop {
            let sends = std::mem::take(&mut left).into_iter().map(move |script| {
                let bucket = bucket.clone();
                async move { (put(&bucket, &script, unfinished).await, script) }
            });
            let mut running = futures::stream::iter(sends).buffer_unordered(AT_ONCE);
            let mut setback = None;
            cx.progress(format!("{done}/{} files", missing.len()));
            // Objects are whole or absent, so this is a safe point to stop at any time.
            while let Some((result, script)) = cx.unless_stopped(running.next()).await? {
                match result {
                    Ok(()) => {
                        done += 1;
                        cx.progress(format!("{done}/{} files", missing.len()));
                    }
                    Err(e) if matches!(e.class, ErrorClass::Transient | ErrorClass::Unknown) => {
                        left.push(script);
                        setback = Some(e);
                    }
                    Err(e) => return Err(e),
                }
            }
            let Some(error) = setback else { return Ok(()) };
            pace.after(cx, error).await?;
            unfinished = true;
        }
    }

    /// Removes what this step uploaded in this run and the folder no longer holds.
    async fn delete_extra(
        &self,
        cx: &mut StepContext<'_>,
        bucket: &Bucket,
        scripts: &[Script],
    ) -> Result<(), StepError> {
        let start = format!("s3://{}/", self.bucket);
        let ours = cx.made_ids(KIND).into_iter().filter_map(|id| id.strip_prefix(&start));
        let extra: Vec<String> =
            ours.filter(|key| !scripts.iter().any(|script| script.key == *key)).map(str::to_owned).collect();
        for key in extra {
            let id = uri(&self.bucket, &key);
            if bucket.head(&key).await?.is_foreign(cx.run) {
                cx.progress(format!("{id} is somebody else's by now: it stays"));
                continue;
            }
            let intent = Intent { op: "delete", kind: KIND, name: &id, existed: true, request: &json!({ "id": id }) };
            let token = cx.intend(intent).await?;
            let result = bucket.delete(&key).await;
            cx.settle(&token, result).await?;
            cx.record(Record::ResourceRemoved { kind: KIND.to_owned(), id }).await?;
        }
        Ok(())
    }

    fn clean_prefix(&self) -> String {
        self.prefix.trim_matches('/').to_owned()
    }

    fn outputs_of(&self, scripts: &[Script]) -> Uploaded {
        let object = |script: &Script| Object {
            name: script.name.clone(),
            key: script.key.clone(),
            size: script.bytes.len(),
            sha256: script.sha256.clone(),
        };
        Uploaded {
            s3_uri: uri(&self.bucket, &self.clean_prefix()),
            objects: scripts.iter().map(object).collect(),
            digest: digest(scripts),
        }
    }
}

async fn put(bucket: &Bucket, script: &Script, unfinished: bool) -> Result<(), StepError> {
    if unfinished && script.is_large() {
        bucket.abort_unfinished(&script.key).await?;
    }
    bucket.put(script).await
}

/// What is in the bucket under each script's key.
async fn look(cx: &StepContext<'_>, bucket: &Bucket, scripts: &[Script]) -> Result<Vec<Found>, StepError> {
    cx.progress(format!("looking at {} objects", scripts.len()));
    let mut pace = Pace::default();
    loop {
        let looks = scripts.iter().map(|script| {
            let (bucket, key) = (bucket.clone(), script.key.clone());
            async move { bucket.head(&key).await }
        });
        // Collected first: a stream of borrowing futures would not be `Send`.
        let looks: Vec<_> = looks.collect();
        match cx.unless_stopped(futures::stream::iter(looks).buffered(AT_ONCE).try_collect()).await? {
            Ok(found) => return Ok(found),
            // An answer to HEAD has no body, so it does not say whether the credentials are the reason.
            Err(e) if e.code.is_none() && e.class == ErrorClass::Failed => {
                let login = cx.clients.caller().await.err().filter(|e| e.class == ErrorClass::Login);
                return Err(login.unwrap_or(e));
            }
            Err(e) => pace.after(cx, e).await?,
        }
    }
}

fn found_of<'a>(found: &'a [Found], script: &Script) -> &'a Found {
    found.iter().find(|f| f.key == script.key).expect("every script was looked up")
}

fn changed<'a>(scripts: &'a [Script], found: &'a [Found]) -> impl Iterator<Item = &'a Script> {
    scripts.iter().filter(|script| !found_of(found, script).is(script))
}

/// Whether the object was somebody else's when this step took it over.
fn is_adopted(cx: &StepContext<'_>, object: &str) -> bool {
    cx.history().iter().any(|record| match record {
        Record::ResourceRecorded { kind, id, origin: Origin::Adopted, .. } => kind == KIND && id == object,
        Record::ResourceRecorded { origin: Origin::Made, .. }
        | Record::ResourceRemoved { .. }
        | Record::CallIntended(_)
        | Record::CallSettled { .. }
        | Record::ChildStarted { .. }
        | Record::ChildEnded { .. } => false,
    })
}

/// Refuses objects of other contents that this run did not put there.
fn refuse_foreign(bucket: &str, foreign: &[&Found]) -> Result<(), StepError> {
    let Some(first) = foreign.first() else { return Ok(()) };
    let others = if foreign.len() > 1 { format!(" (and {} more)", foreign.len() - 1) } else { String::new() };
    let age = first.changed.as_deref().unwrap_or("an unknown time");
    let id = uri(bucket, &first.key);
    Err(StepError::refused(format!("{id}{others} has other contents, and {}", first.owner()))
        .because(format!("last changed at {age}"))
        .help("choose another `prefix`, or say `adopt: true` to write over it"))
}

fn uri(bucket: &str, key: &str) -> String {
    if key.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{key}") }
}

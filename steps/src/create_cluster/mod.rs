//! create-cluster: a HyperPod cluster as its config wants it, made once, whatever happens on the way.
//! Knows nothing of templates, and does not wait until the cluster works: that is wait-status.

mod difference;
mod doubt;
mod foresight;
mod permissions;

use std::time::Duration;

use aws_sdk_sagemaker::operation::describe_cluster::DescribeClusterOutput;
use aws_sdk_sagemaker::types::ClusterStatus;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws_error::explain;
use crate::cluster_config::{self, Given, Node, request};
use crate::codes::cluster;
use crate::context::{CallIntended, Intent, Origin, Record, StepContext, TAG_RUN, TAG_STEP, canonical};
use crate::error::{ErrorClass, StepError};
use crate::fact::{Fact, FileUse};
use crate::files::{FileInput, FileKind, Files, sha256};
use crate::finding::{At, Finding, Severity};
use crate::hyperpod::{self, KIND};
use crate::partial::Partial;
use crate::permissions::{Needs, Surroundings};
use crate::question::{Asked, Question};
use crate::step::{Foresight, Health, Step};
use crate::value::Value;
use difference::{Difference, difference};
use doubt::{Doubt, is_not_there_yet};

/// How long what was just made elsewhere (a role, a cluster) may stay unseen, in the service's time.
const SETTLES_WITHIN: Duration = Duration::from_secs(120);

/// What to do about a failed cluster of somebody else's.
const NOT_OURS_TO_DELETE: &str =
    "a failed cluster cannot be updated and hprun deletes none that it did not make: delete it, then resume";

/// Most updates that one attempt sends: more would mean that AWS never shows what was asked for.
const MOST_UPDATES: u32 = 3;

/// A cluster of that name that the run did not make is refused. One that it made is updated to the config or, if it has
/// failed, deleted and made again. A new cluster is not waited for: that is `wait-status`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CreateCluster {
    /// Path of a JSON file that holds a CreateCluster request. Give this or `cluster`.
    pub config: Option<String>,
    /// The CreateCluster request itself, with the field names of the API. Give this or `config`.
    #[serde(default)]
    #[schemars(schema_with = "crate::value::without_secrets")]
    pub cluster: Option<Value>,
    /// The output `digest` of upload-lifecycle: with a mended script the step runs again, and a failed cluster of this
    /// run is made again.
    pub lifecycle_digest: Option<String>,
    /// Take over a cluster of that name that this run did not make. It is updated to the config like an own one, but
    /// never deleted. Default: false.
    #[serde(default)]
    pub adopt: bool,
}

/// Outputs of `create-cluster`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CreateClusterOutputs {
    /// ARN of the cluster
    pub cluster_arn: String,
    /// Its id: the last part of the ARN
    pub cluster_id: String,
    /// Its name
    pub name: String,
}

impl Step for CreateCluster {
    const TYPE: &'static str = "create-cluster";
    const SUMMARY: &'static str = "Create or update a SageMaker HyperPod cluster";
    const EXAMPLE: &'static str = r#"
- id: cluster
  type: create-cluster
  with:
    cluster:
      ClusterName: ml-cluster
      Orchestrator: { Eks: { ClusterArn: "arn:aws:eks:us-west-2:111122223333:cluster/ml" } }
      InstanceGroups:
        - InstanceGroupName: workers
          InstanceType: ml.m5.2xlarge
          InstanceCount: 2
          ExecutionRole: arn:aws:iam::111122223333:role/hyperpod-execution
          LifeCycleConfig: { SourceS3Uri: "s3://sagemaker-scripts/base-config", OnCreate: on_create.sh }
      VpcConfig: { Subnets: [subnet-0123456789abcdef0], SecurityGroupIds: [sg-0123456789abcdef0] }
"#;
    type Outputs = CreateClusterOutputs;

    fn permissions(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
        permissions::needs(inputs, around)
    }

    async fn run(self, cx: &mut StepContext<'_>) -> Result<CreateClusterOutputs, StepError> {
        let wanted = self.wanted(cx.files)?;
        let name = wanted["ClusterName"].as_str().unwrap_or_default().to_owned();
        let arn = Work { wanted, name: name.clone(), adopt: self.adopt }.reach(cx).await?;
        Ok(CreateClusterOutputs { cluster_id: hyperpod::id_of(&arn).to_owned(), cluster_arn: arn, name })
    }

    fn files(inputs: &Partial) -> Vec<FileInput> {
        FileInput::named(inputs, "config", FileKind::File).into_iter().collect()
    }

    fn check(inputs: &Partial, files: &Files) -> Vec<Finding> {
        match (inputs.get("config"), inputs.get("cluster")) {
            (Some(_), Some(both)) => {
                vec![Finding::error(
                    &cluster::NEITHER_CONFIG_NOR_CLUSTER,
                    both.place(),
                    "`cluster` cannot stand beside `config`: give one of the two",
                )]
            }
            (None, None) => vec![Finding::error(
                &cluster::NEITHER_CONFIG_NOR_CLUSTER,
                inputs.place(),
                "`config` or `cluster` is missing",
            )],
            (Some(_), None) | (None, Some(_)) => {
                Given::read(inputs, files).map(|given| given.findings()).unwrap_or_default()
            }
        }
    }

    fn facts(inputs: &Partial, files: &Files) -> Vec<Fact> {
        let adopts = inputs.get("adopt").is_some_and(|adopt| adopt.known() != Some(Value::Bool(false)));
        let created = Given::read(inputs, files).filter(|_| !adopts).and_then(|given| given.created());
        Given::read_facts(inputs, files, FileUse::Request).into_iter().chain(created).collect()
    }

    fn foreseen(inputs: &Partial, _files: &Files) -> IndexMap<String, Partial> {
        let name = inputs.get("cluster").and_then(|cluster| cluster.get("ClusterName"));
        name.map(|name| ("name".to_owned(), name.clone())).into_iter().collect()
    }

    fn questions(inputs: &Partial, files: &Files) -> Vec<Asked> {
        let adopt = matches!(inputs.get("adopt"), Some(Partial::Known(Value::Bool(true), _)));
        // A file that an earlier step writes is asked about by that step.
        Given::read(inputs, files).map_or_else(
            || {
                let whichever = Question::ClusterName { name: String::new(), adopt };
                adopt.then(|| Asked::now(At::Pipeline(inputs.place()), whichever)).into_iter().collect()
            },
            |given| given.questions(adopt),
        )
    }

    async fn probe(self, outputs: &Json, cx: &mut StepContext<'_>) -> Result<Health, StepError> {
        let name = outputs["name"].as_str().unwrap_or_default();
        Ok(match hyperpod::describe(cx, name).await? {
            None => Health::Lost(format!("the cluster {name} is gone")),
            Some(now) if now.cluster_arn() != outputs["cluster_arn"].as_str() => {
                Health::Lost(format!("another cluster has the name {name} now"))
            }
            Some(now) => match now.cluster_status() {
                Some(ClusterStatus::Failed | ClusterStatus::Rollingback) => {
                    let why = now.failure_message().unwrap_or("SageMaker gives no reason");
                    Health::Lost(format!("the cluster {name} failed: {why}"))
                }
                Some(ClusterStatus::Deleting) => Health::Lost(format!("the cluster {name} is being deleted")),
                Some(_) | None => Health::Good,
            },
        })
    }

    async fn foresee(self, cx: &mut StepContext<'_>) -> Result<Foresight, StepError> {
        let wanted = self.wanted(cx.files)?;
        let name = wanted["ClusterName"].as_str().unwrap_or_default().to_owned();
        Work { wanted, name, adopt: self.adopt }.foresee(cx).await
    }
}

impl CreateCluster {
    /// The request that the inputs spell, checked whole.
    fn wanted(&self, files: &Files) -> Result<Json, StepError> {
        let (node, json) = match (&self.config, &self.cluster) {
            (Some(path), None) => {
                let text = files.text(path).map_err(StepError::invalid)?;
                let (node, faults) = cluster_config::json::parse(text);
                let json = serde_json::from_str::<Json>(text).unwrap_or_default();
                if !faults.is_empty() || json.is_null() {
                    let error = StepError::invalid(format!("{path} is not JSON"));
                    return Err(faults.into_iter().fold(error, |e, f| e.because(f.message)));
                }
                (node, json)
            }
            (None, Some(cluster)) => {
                if let Some(secret) = cluster.secrets().first() {
                    let message =
                        format!("the secret `{}` cannot be part of a cluster: it could be read there", secret.name());
                    return Err(StepError::invalid(message));
                }
                (Node::from_value(cluster, 0..0), cluster.to_record())
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err(StepError::invalid("create-cluster needs one of `config` and `cluster`"));
            }
        };
        let errors: Vec<_> =
            cluster_config::check(&node).into_iter().filter(|f| f.severity == Severity::Error).collect();
        if errors.is_empty() {
            return Ok(json);
        }
        let error = StepError::invalid(format!("the cluster config has {} errors", errors.len()));
        Err(errors.into_iter().fold(error, |e, f| {
            let help = f.help.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
            e.because(format!("{}{help}", f.line()))
        }))
    }
}

struct Work {
    wanted: Json,
    name: String,
    adopt: bool,
}

/// What to do next with the cluster that is there or not.
enum Turn {
    /// It is as it should be: its ARN.
    Done(String),
    /// Look again after a pause.
    Wait(String),
    /// Look again at once.
    Again,
}

impl Work {
    /// Looks, compares, acts, until the cluster is there and is as the config wants it. Gives its ARN.
    async fn reach(&self, cx: &mut StepContext<'_>) -> Result<String, StepError> {
        let mut pause = 5.0_f64;
        let mut doubt = Doubt::default();
        loop {
            cx.stop_here()?;
            let turn = match hyperpod::describe(cx, &self.name).await {
                Ok(None) => self.create(cx, &mut doubt).await?,
                Ok(Some(current)) => self.existing(cx, &current, &mut doubt).await?,
                Err(e) if hyperpod::is_passing(&e) => Turn::Wait(e.message),
                Err(e) => return Err(e),
            };
            match turn {
                Turn::Done(arn) => return Ok(arn),
                Turn::Again => {}
                Turn::Wait(what) => {
                    cx.progress(what);
                    cx.sleep(Duration::from_secs_f64(pause * (0.8 + 0.4 * fastrand::f64()))).await?;
                    pause = (pause * 1.3).min(30.0);
                }
            }
        }
    }

    /// There is no such cluster, as far as can be seen.
    async fn create(&self, cx: &mut StepContext<'_>, doubt: &mut Doubt) -> Result<Turn, StepError> {
        if doubt.is_made_and_unseen(cx) {
            return Ok(Turn::Wait(format!("the cluster {} is made and not yet seen", self.name)));
        }
        settle_deletion(cx).await?;
        let mut config = self.wanted.clone();
        let own = cx.tags().map(|(key, value)| json!({ "Key": key, "Value": value }));
        let tags = config.as_object_mut().map(|map| map.entry("Tags").or_insert_with(|| json!([])));
        if let Some(Json::Array(tags)) = tags {
            tags.extend(own);
        }
        let call = request::create(cx.clients.sagemaker(), &config)?;
        let intent =
            Intent { op: "create-cluster", kind: KIND, name: &self.name, existed: false, request: &self.wanted };
        let token = cx.intend(intent).await?;
        cx.progress(format!("creating the cluster {}", self.name));
        let sent = call.send().await.map_err(|e| explain(&format!("create the cluster {}", self.name), e));
        match sent {
            Ok(answer) => {
                cx.settle(&token, Ok(())).await?;
                let arn = answer.cluster_arn().unwrap_or_default().to_owned();
                cx.resource(KIND, &arn, &self.name, Origin::Made).await?;
                doubt.made = Some(cx.clock.elapsed());
                Ok(Turn::Again)
            }
            // It may be ours, made by a call whose answer was lost: what is there is looked at.
            Err(e) if e.has_code("ResourceInUse") => {
                doubt.made = Some(cx.clock.elapsed());
                Ok(Turn::Wait(format!("the name {} is taken: looking whose the cluster is", self.name)))
            }
            Err(e) if is_not_there_yet(&e) && doubt.may_go_on(cx) => Ok(Turn::Wait(e.message)),
            // Before it is sent again the cluster is looked for: a call without an answer may have made it.
            Err(e) if hyperpod::is_passing(&e) => Ok(Turn::Wait(e.message)),
            Err(e) => {
                let error = cx.settle::<()>(&token, Err(e)).await.err();
                Err(with_advice(error.unwrap_or_else(|| StepError::failed("the cluster was not created"))))
            }
        }
    }

    async fn existing(
        &self,
        cx: &mut StepContext<'_>,
        current: &DescribeClusterOutput,
        doubt: &mut Doubt,
    ) -> Result<Turn, StepError> {
        let arn = current.cluster_arn().unwrap_or_default().to_owned();
        let status = current.cluster_status().cloned().unwrap_or_else(|| ClusterStatus::from("unknown"));
        if status == ClusterStatus::Deleting {
            *doubt = Doubt::default();
            return Ok(Turn::Wait(format!("the cluster {} is being deleted", self.name)));
        }
        let origin = match self.whose(cx, &arn, current).await {
            Err(e) if hyperpod::is_passing(&e) => return Ok(Turn::Wait(e.message)),
            other => other?,
        };
        cx.resource(KIND, &arn, &self.name, origin).await?;
        match status {
            ClusterStatus::Failed => self.failed(cx, current, &arn, origin).await,
            ClusterStatus::Rollingback => Ok(Turn::Wait(format!("the cluster {} is rolling back", self.name))),
            _ => self.compare(cx, current, &status, doubt).await,
        }
    }

    /// Whether the cluster is ours, or may be taken over; refused otherwise.
    async fn whose(
        &self,
        cx: &StepContext<'_>,
        arn: &str,
        current: &DescribeClusterOutput,
    ) -> Result<Origin, StepError> {
        if cx.made(KIND, arn) {
            return Ok(Origin::Made);
        }
        let tags = hyperpod::tags(cx, arn).await?;
        let tag = |key: &str| tags.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
        let ours = tag(TAG_RUN).is_some_and(|run| cx.is_ours(run)) && tag(TAG_STEP) == Some(cx.step);
        if ours {
            return Ok(Origin::Made);
        }
        if self.adopt {
            return Ok(Origin::Adopted);
        }
        let owner = match (tag(TAG_RUN), tag(TAG_STEP)) {
            (Some(run), step) => format!("it was made by the run {run}, step {}", step.unwrap_or("unknown")),
            (None, _) if tags.is_empty() => "it has no tags".to_owned(),
            (None, _) => {
                format!("its tags are {}", tags.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", "))
            }
        };
        let age = current.creation_time().map(|t| format!(", created {t}")).unwrap_or_default();
        let message = format!("a cluster {} exists that this run did not make{age}", self.name);
        Err(StepError::refused(message)
            .because(owner)
            .help("choose another ClusterName, or say `adopt: true` to take it over"))
    }

    /// A failed cluster cannot be updated (facts: AWS docs): one that this run made is deleted and made again.
    async fn failed(
        &self,
        cx: &mut StepContext<'_>,
        current: &DescribeClusterOutput,
        arn: &str,
        origin: Origin,
    ) -> Result<Turn, StepError> {
        if origin != Origin::Made {
            let error = hyperpod::failure::explain_cluster(cx, current).await;
            return Err(StepError { class: ErrorClass::Refused, ..error.help(NOT_OURS_TO_DELETE) });
        }
        cx.progress(format!("the cluster {} of this run failed: deleting it to make it again", self.name));
        let request = json!({ "ClusterName": self.name, "ClusterArn": arn });
        let token = cx
            .intend(Intent { op: "delete-cluster", kind: KIND, name: &self.name, existed: true, request: &request })
            .await?;
        let sent = cx.clients.sagemaker().delete_cluster().cluster_name(arn).send().await;
        match sent.map_err(|e| explain(&format!("delete the failed cluster {}", self.name), e)) {
            Err(e) if hyperpod::is_passing(&e) || e.has_code("ConflictException") => return Ok(Turn::Wait(e.message)),
            Err(e) if hyperpod::is_missing(&e) => cx.settle(&token, Ok(())).await?,
            result => drop(cx.settle(&token, result).await?),
        }
        let gone = Record::ResourceRemoved { kind: KIND.to_owned(), id: arn.to_owned() };
        self.wait_until_gone(cx, arn).await?;
        cx.record(gone).await?;
        Ok(Turn::Again)
    }

    async fn wait_until_gone(&self, cx: &StepContext<'_>, arn: &str) -> Result<(), StepError> {
        let began = cx.clock.elapsed();
        loop {
            match hyperpod::describe(cx, &self.name).await {
                Ok(None) => return Ok(()),
                Ok(Some(other)) if other.cluster_arn() != Some(arn) => return Ok(()),
                Ok(Some(still)) => {
                    let is_new = cx.clock.elapsed().saturating_sub(began) < SETTLES_WITHIN;
                    if still.cluster_status() == Some(&ClusterStatus::Failed) && !is_new {
                        let why = still.failure_message().unwrap_or("SageMaker gives no reason");
                        let message = format!("the failed cluster {} does not go away: {why}", self.name);
                        return Err(StepError::failed(message).help("remove what holds it, then resume"));
                    }
                    cx.progress(format!("the failed cluster {} is being deleted", self.name));
                }
                Err(e) if hyperpod::is_passing(&e) => cx.progress(e.message),
                Err(e) => return Err(e),
            }
            cx.sleep(Duration::from_secs_f64(10.0 + 5.0 * fastrand::f64())).await?;
        }
    }

    async fn compare(
        &self,
        cx: &mut StepContext<'_>,
        current: &DescribeClusterOutput,
        status: &ClusterStatus,
        doubt: &mut Doubt,
    ) -> Result<Turn, StepError> {
        let arn = current.cluster_arn().unwrap_or_default();
        let shown = request::to_json(DescribeClusterOutput::SCHEMA, current)?;
        let (reasons, update) = match difference(&shown, &self.wanted, self.same_as_recorded(cx)) {
            Difference::Unchanged => return Ok(Turn::Done(arn.to_owned())),
            Difference::Unsafe(reasons) => return Err(fixed(&self.name, reasons)),
            Difference::Update { reasons, request } => (reasons, request),
        };
        if *status != ClusterStatus::Inservice {
            let what = reasons.join("; ");
            return Ok(Turn::Wait(format!("{} is {status}, then to change: {what}", self.name)));
        }
        if doubt.updates == MOST_UPDATES {
            let error =
                StepError::failed(format!("the cluster {} still differs after {MOST_UPDATES} updates", self.name));
            return Err(reasons.into_iter().fold(error, StepError::because));
        }
        cx.progress(format!("updating the cluster {}: {}", self.name, reasons.join("; ")));
        let call = request::update(cx.clients.sagemaker(), &update)?;
        // The whole config names the request, so that a later look can tell what was last asked for.
        let intent =
            Intent { op: "update-cluster", kind: KIND, name: &self.name, existed: true, request: &self.wanted };
        let token = cx.intend(intent).await?;
        let sent = call.send().await.map_err(|e| explain(&format!("update the cluster {}", self.name), e));
        match sent {
            Err(e) if hyperpod::is_passing(&e) || e.has_code("ConflictException") => Ok(Turn::Wait(e.message)),
            Ok(_) => {
                cx.settle(&token, Ok(())).await?;
                doubt.updates += 1;
                Ok(Turn::Wait(format!("the update of the cluster {} is not yet seen", self.name)))
            }
            Err(e) => Err(with_advice(cx.settle::<()>(&token, Err(e)).await.expect_err("an error stays an error"))),
        }
    }

    /// Whether the last create or update that our record has for this cluster asked for the same config.
    fn same_as_recorded(&self, cx: &StepContext<'_>) -> bool {
        let digest = sha256(canonical(&self.wanted).as_bytes());
        let ours = |op: &str| op == "create-cluster" || op == "update-cluster";
        let last = cx.intents().filter(|i| ours(&i.op)).last();
        last.is_some_and(|i| {
            i.digest == digest && cx.outcome_of(&i.token) != Some(crate::context::CallOutcome::Refused)
        })
    }
}

/// No cluster is there, so a DeleteCluster of ours whose answer was lost has happened.
async fn settle_deletion(cx: &mut StepContext<'_>) -> Result<(), StepError> {
    let open = |i: &&CallIntended| i.op == "delete-cluster" && cx.outcome_of(&i.token).is_none();
    let tokens: Vec<String> = cx.intents().filter(open).map(|i| i.token.clone()).collect();
    let made = |record: &Record| match record {
        Record::ResourceRecorded { kind, id, .. } if kind == KIND && cx.made(KIND, id) => Some(id.clone()),
        Record::ResourceRecorded { .. }
        | Record::ResourceRemoved { .. }
        | Record::CallIntended(_)
        | Record::CallSettled { .. }
        | Record::ChildStarted { .. }
        | Record::ChildEnded { .. } => None,
    };
    let gone: Vec<String> = cx.history().iter().filter_map(made).collect();
    if tokens.is_empty() {
        return Ok(());
    }
    for id in gone {
        cx.record(Record::ResourceRemoved { kind: KIND.to_owned(), id }).await?;
    }
    for token in tokens {
        cx.settle(&token, Ok(())).await?;
    }
    Ok(())
}

/// What to say of changes that AWS cannot make.
fn fixed(name: &str, reasons: Vec<String>) -> StepError {
    let message = format!("the cluster {name} cannot be changed as the config wants it");
    let help = "undo the change, or delete the cluster and resume: networks and the orchestrator are fixed at creation";
    reasons.into_iter().fold(StepError::refused(message), StepError::because).help(help)
}

fn with_advice(error: StepError) -> StepError {
    match hyperpod::failure::advice([error.message.as_str()]) {
        Some(advice) if error.help.is_none() => error.help(advice),
        Some(_) | None => error,
    }
}

//! wait-status: waits until something works, shows how far it is, and ends at once where it cannot work any more.
//! Knows nothing of who made it; changes nothing.

mod kubernetes;
mod permissions;
mod rule;

use std::time::Duration;

use aws_sdk_sagemaker::operation::describe_cluster::DescribeClusterOutput;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws_error::explain;
use crate::codes::neighbours;
use crate::context::StepContext;
use crate::error::{ErrorClass, StepError};
use crate::fact::{Fact, FileUse};
use crate::files::{FileInput, FileKind, Files};
use crate::finding::Finding;
use crate::hyperpod;
use crate::partial::Partial;
use crate::permissions::{Needs, Surroundings};
use crate::step::{Health, Step};
use rule::{Goal, Group, Look, Memory, Seen};

/// How long what was just made may stay unseen, or an access entry unknown.
const SETTLES_WITHIN: Duration = Duration::from_secs(120);
/// The inputs of which exactly one says what is waited for.
const SUBJECTS: [&str; 5] = ["cluster", "stack", "eks-cluster", "workload", "kubernetes-nodes"];

/// Exactly one of `cluster`, `stack`, `eks-cluster`, `workload` and `kubernetes-nodes` says what is waited for. A state that
/// cannot become good any more ends the wait at once, with the service's words.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WaitStatus {
    /// Name of a HyperPod cluster.
    pub cluster: Option<String>,
    /// What the HyperPod cluster must reach. Default: in-service.
    pub until: Option<Until>,
    /// So many failed nodes do not matter with `until: nodes-running`. Default: 0.
    #[serde(default)]
    pub allow_failed_nodes: u32,
    /// What to do when there is no capacity, in continuous mode. Default: wait.
    pub on_capacity: Option<OnCapacity>,
    /// Name of a CloudFormation stack: until its operation has ended well.
    pub stack: Option<String>,
    /// Name of an EKS cluster: until it is ACTIVE.
    pub eks_cluster: Option<String>,
    /// A Kubernetes workload: until all its pods are ready (a Job: done). Needs `kubeconfig`.
    pub workload: Option<Workload>,
    /// Number of Kubernetes nodes of HyperPod that must be Ready. Needs `kubeconfig`.
    pub kubernetes_nodes: Option<u32>,
    /// Path of the kubeconfig for `workload` and `kubernetes-nodes`.
    pub kubeconfig: Option<String>,
}

/// What a HyperPod cluster must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// The cluster is in service and every group has the instances it needs (its MinInstanceCount, or all)
    InService,
    /// Every instance runs, deep health checks included
    NodesRunning,
}

/// What to do when AWS has no capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnCapacity {
    /// Go on waiting: the cluster goes on trying
    Wait,
    /// Fail
    Fail,
}

/// A Kubernetes workload.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Workload {
    /// What it is.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// The kinds of workload that can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadKind {
    /// A Deployment
    Deployment,
    /// A StatefulSet
    StatefulSet,
    /// A DaemonSet
    DaemonSet,
    /// A Job
    Job,
}

impl WorkloadKind {
    fn word(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::StatefulSet => "stateful set",
            Self::DaemonSet => "daemon set",
            Self::Job => "job",
        }
    }
}

/// Outputs of `wait-status`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WaitStatusOutputs {
    /// The status at the end, in the service's word
    pub status: String,
    /// How many nodes (for a workload: pods) work; 0 for a stack or an EKS cluster
    pub nodes: i64,
    /// How long this attempt waited, in seconds
    pub waited: u64,
}

impl Step for WaitStatus {
    const TYPE: &'static str = "wait-status";
    const SUMMARY: &'static str = "Wait until a cluster, its nodes, a stack or a workload works";
    const EXAMPLE: &'static str = r"
- id: ready
  type: wait-status
  with:
    cluster: ml-cluster
    until: nodes-running
  timeout: 60m
";
    type Outputs = WaitStatusOutputs;

    fn permissions(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
        permissions::needs(inputs, around)
    }

    fn facts(inputs: &Partial, _files: &Files) -> Vec<Fact> {
        let kubeconfig = inputs.get("kubeconfig");
        let reads = |at: &Partial| Some(Fact::Reads { path: at.text()?, kind: FileUse::Kubeconfig, place: at.place() });
        kubeconfig.and_then(reads).into_iter().collect()
    }

    async fn run(self, cx: &mut StepContext<'_>) -> Result<WaitStatusOutputs, StepError> {
        let mut subject = Subject::of(&self, cx.files).await?;
        let started = cx.clock.elapsed();
        let mut pause = 15.0_f64;
        loop {
            cx.stop_here()?;
            let waited = cx.clock.elapsed().saturating_sub(started);
            match cx.unless_stopped(subject.look(cx, waited < SETTLES_WITHIN)).await? {
                Ok(Look::Ready { status, nodes }) => {
                    return Ok(WaitStatusOutputs { status, nodes, waited: waited.as_secs() });
                }
                Ok(Look::Busy(what)) => cx.progress(what),
                Ok(Look::Failed(why)) => return Err(subject.failure(cx, &why).await),
                Err(e) if hyperpod::is_passing(&e) => cx.progress(e.message),
                // An access entry that was made a moment ago is refused at first.
                Err(e) if subject.is_kubernetes() && e.class == ErrorClass::Login && waited < SETTLES_WITHIN => {
                    cx.progress(e.message);
                }
                Err(e) => return Err(e),
            }
            cx.sleep(Duration::from_secs_f64(pause * (0.9 + 0.2 * fastrand::f64()))).await?;
            pause = (pause * 1.2).min(60.0);
        }
    }

    /// Looks once: what was waited for may be another one by now, made again by a step before this one.
    async fn probe(self, _: &serde_json::Value, cx: &mut StepContext<'_>) -> Result<Health, StepError> {
        let mut subject = Subject::of(&self, cx.files).await?;
        Ok(match subject.look(cx, true).await? {
            Look::Ready { .. } => Health::Good,
            Look::Busy(what) => Health::Lost(what),
            Look::Failed(why) => Health::Lost(why),
        })
    }

    fn files(inputs: &Partial) -> Vec<FileInput> {
        FileInput::named(inputs, "kubeconfig", FileKind::File).into_iter().collect()
    }

    fn check(inputs: &Partial, _: &Files) -> Vec<Finding> {
        let given: Vec<_> = SUBJECTS.iter().filter_map(|name| Some((*name, inputs.get(name)?))).collect();
        let mut findings = Vec::new();
        match given.as_slice() {
            [] => findings.push(Finding::error(
                &neighbours::WAIT_SUBJECT,
                inputs.place(),
                format!("one of {} is missing", SUBJECTS.join(", ")),
            )),
            [_] => {}
            [(first, _), rest @ ..] => findings.extend(rest.iter().map(|(name, value)| {
                Finding::error(
                    &neighbours::WAIT_SUBJECT,
                    value.place(),
                    format!("`{name}` cannot stand beside `{first}`"),
                )
                .help("make two steps of it")
            })),
        }
        for (name, value) in &given {
            let needs_kubeconfig = matches!(*name, "workload" | "kubernetes-nodes");
            if needs_kubeconfig && inputs.get("kubeconfig").is_none() {
                findings.push(Finding::error(
                    &neighbours::WAIT_BESIDE,
                    value.place(),
                    format!("`{name}` needs `kubeconfig` beside it"),
                ));
            }
        }
        for name in ["until", "allow-failed-nodes", "on-capacity"] {
            if let (Some(value), None) = (inputs.get(name), inputs.get("cluster")) {
                findings.push(Finding::error(
                    &neighbours::WAIT_BESIDE,
                    value.place(),
                    format!("`{name}` is only for a `cluster`"),
                ));
            }
        }
        findings
    }
}

/// What is waited for.
enum Subject<'a> {
    Cluster {
        name: &'a str,
        goal: Goal,
        fail_without_capacity: bool,
        memory: Memory,
        last: Option<Box<DescribeClusterOutput>>,
    },
    Stack(&'a str),
    Eks(&'a str),
    Workload(kube::Client, &'a Workload),
    Nodes(kube::Client, u32),
}

impl<'a> Subject<'a> {
    async fn of(inputs: &'a WaitStatus, files: &Files) -> Result<Self, StepError> {
        let connect = async || {
            let path = inputs.kubeconfig.as_deref().ok_or_else(|| StepError::invalid("`kubeconfig` is missing"))?;
            kubernetes::connect(files.text(path).map_err(StepError::invalid)?).await
        };
        let all = (&inputs.cluster, &inputs.stack, &inputs.eks_cluster, &inputs.workload, inputs.kubernetes_nodes);
        match all {
            (Some(name), None, None, None, None) => {
                let nodes_running = inputs.until == Some(Until::NodesRunning);
                let goal = Goal { nodes_running, allow_failed: i64::from(inputs.allow_failed_nodes) };
                let fail_without_capacity = inputs.on_capacity == Some(OnCapacity::Fail);
                Ok(Self::Cluster { name, goal, fail_without_capacity, memory: Memory::default(), last: None })
            }
            (None, Some(name), None, None, None) => Ok(Self::Stack(name)),
            (None, None, Some(name), None, None) => Ok(Self::Eks(name)),
            (None, None, None, Some(workload), None) => Ok(Self::Workload(connect().await?, workload)),
            (None, None, None, None, Some(count)) => Ok(Self::Nodes(connect().await?, count)),
            _ => Err(StepError::invalid(format!("exactly one of {} is needed", SUBJECTS.join(", ")))),
        }
    }

    fn is_kubernetes(&self) -> bool {
        match self {
            Self::Workload(..) | Self::Nodes(..) => true,
            Self::Cluster { .. } | Self::Stack(_) | Self::Eks(_) => false,
        }
    }

    async fn look(&mut self, cx: &StepContext<'_>, early: bool) -> Result<Look, StepError> {
        match self {
            Self::Cluster { name, goal, fail_without_capacity, memory, last } => {
                let described = hyperpod::describe(cx, name).await?;
                let seen = match &described {
                    Some(cluster) => Some(seen(cx, name, cluster).await?),
                    None => None,
                };
                let look = rule::cluster(seen.as_ref(), memory, *goal, early);
                if described.is_some() {
                    *last = described.map(Box::new);
                }
                if *fail_without_capacity
                    && let Look::Busy(_) = look
                    && let Some(why) = no_capacity(cx, name, last.as_deref()).await?
                {
                    return Ok(Look::Failed(why));
                }
                Ok(look)
            }
            Self::Stack(name) => stack(cx, name).await,
            Self::Eks(name) => eks(cx, name, early).await,
            Self::Workload(client, workload) => kubernetes::workload(client, workload).await,
            Self::Nodes(client, count) => kubernetes::nodes(client, i64::from(*count)).await,
        }
    }

    /// The failure with all that can be found out about it.
    async fn failure(&self, cx: &StepContext<'_>, why: &str) -> StepError {
        match self {
            Self::Cluster { name, last, .. } => match last {
                Some(cluster) => {
                    let known = cluster.failure_message().is_some_and(|m| !m.trim().is_empty());
                    let mut error = hyperpod::failure::explain_cluster(cx, cluster).await;
                    if !known {
                        error.message = format!("the cluster {name} does not come up: {why}");
                        error.help = error.help.or_else(|| hyperpod::failure::advice([why]).map(str::to_owned));
                    }
                    error
                }
                None => StepError::failed(format!("the cluster {name}: {why}")),
            },
            Self::Stack(name) => StepError::failed(format!("the stack {name}: {why}")),
            Self::Eks(name) => StepError::failed(format!("the EKS cluster {name}: {why}")),
            Self::Workload(_, it) => {
                StepError::failed(format!("the {} {}/{}: {why}", it.kind.word(), it.namespace, it.name))
            }
            Self::Nodes(..) => StepError::failed(format!("the Kubernetes nodes: {why}")),
        }
    }
}

async fn seen(cx: &StepContext<'_>, name: &str, cluster: &DescribeClusterOutput) -> Result<Seen, StepError> {
    let nodes = match hyperpod::nodes(cx, name).await {
        Ok(nodes) => nodes,
        Err(e) if hyperpod::is_missing(&e) => Vec::new(),
        Err(e) => return Err(e),
    };
    let number = |n: Option<i32>| i64::from(n.unwrap_or(0));
    let plain = cluster.instance_groups().iter().map(|g| Group {
        name: g.instance_group_name().unwrap_or_default().to_owned(),
        status: g.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        current: number(g.current_count()),
        target: number(g.target_count()),
        least: g.min_count().map(i64::from),
    });
    let restricted = cluster.restricted_instance_groups().iter().map(|g| Group {
        name: g.instance_group_name().unwrap_or_default().to_owned(),
        status: g.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        current: number(g.current_count()),
        target: number(g.target_count()),
        least: None,
    });
    let status = |n: &aws_sdk_sagemaker::types::ClusterNodeSummary| {
        let status = n.instance_status();
        let word = status.and_then(|s| s.status()).map(|s| s.as_str().to_owned()).unwrap_or_default();
        (word, status.and_then(|s| s.message()).unwrap_or_default().to_owned())
    };
    Ok(Seen {
        status: cluster.cluster_status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        groups: plain.chain(restricted).collect(),
        nodes: nodes.iter().map(status).collect(),
    })
}

/// What an event says about missing capacity, in continuous mode.
async fn no_capacity(
    cx: &StepContext<'_>,
    name: &str,
    cluster: Option<&DescribeClusterOutput>,
) -> Result<Option<String>, StepError> {
    if cluster.is_none_or(|c| c.node_provisioning_mode().is_none()) {
        return Ok(None);
    }
    let events = hyperpod::events(cx, name).await?;
    let words = |text: &str| text.to_lowercase().contains("sufficient capacity");
    Ok(events.iter().filter_map(|e| e.description()).find(|d| words(d)).map(str::to_owned))
}

async fn stack(cx: &StepContext<'_>, name: &str) -> Result<Look, StepError> {
    let doing = format!("describe the stack {name}");
    let sent = cx.clients.cloudformation().describe_stacks().stack_name(name).send().await;
    let found = sent.map_err(|e| explain(&doing, e))?;
    let Some(stack) = found.stacks().first() else { return Ok(Look::Failed("there is none of that name".to_owned())) };
    let status = stack.stack_status().map(|s| s.as_str()).unwrap_or_default();
    Ok(rule::stack(status, stack.stack_status_reason().unwrap_or_default()))
}

async fn eks(cx: &StepContext<'_>, name: &str, early: bool) -> Result<Look, StepError> {
    let sent = cx.clients.eks().describe_cluster().name(name).send().await;
    match sent.map_err(|e| explain(&format!("describe the EKS cluster {name}"), e)) {
        Ok(found) => {
            let status = found.cluster().and_then(|c| c.status()).map(|s| s.as_str()).unwrap_or_default();
            Ok(rule::eks(status))
        }
        Err(e) if early && e.has_code("ResourceNotFoundException") => Ok(Look::Busy("not yet seen".to_owned())),
        Err(e) => Err(e),
    }
}

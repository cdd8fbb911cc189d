//! update-kubeconfig: a kubeconfig for an EKS cluster, and proof that the cluster lets the caller in.
//! Knows nothing of helm or of what is done with the kubeconfig. It never holds a token, only the program that makes one.

pub mod access;
pub mod file;
mod permissions;

use std::path::{Path, PathBuf};

use aws_sdk_eks::types::{Cluster, ClusterStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws_error::explain;
use crate::codes::live;
use crate::context::{FileMode, StepContext};
use crate::error::StepError;
use crate::fact::{Fact, FileUse};
use crate::files::Files;
use crate::finding::At;
use crate::pace::Pace;
use crate::partial::{Partial, Text};
use crate::permissions::{Needs, Surroundings};
use crate::question::{Asked, Question, Wish};
use crate::step::{Health, Step};
use file::Entry;

/// The kubeconfig belongs to the run unless a path is given, and gets its tokens from `hprun eks-token`. Where the cluster lets
/// the caller not in, the step ends with the commands that would.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UpdateKubeconfig {
    /// Name of the EKS cluster.
    pub cluster: String,
    /// Where to write it; relative to the pipeline's file. Default: a file of this run alone, so that no other kubeconfig
    /// is touched.
    pub path: Option<String>,
    /// Put the cluster into the user's own kubeconfig (`$KUBECONFIG` or `~/.kube/config`), make it current there, and
    /// keep all else in that file. Not done in the sandbox. Default: false.
    #[serde(default)]
    pub merge_into_default: bool,
    /// Name of the context. Default: the cluster's ARN, as with the AWS CLI.
    pub alias: Option<String>,
    /// Role to assume when a token is made. Default: the caller as it is.
    pub role_arn: Option<String>,
}

/// How to reach the cluster's Kubernetes API.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Connection {
    /// Full path of the kubeconfig.
    pub path: String,
    /// Name of the context in it.
    pub context: String,
    /// Address of the API.
    pub endpoint: String,
    /// ARN of the cluster.
    pub cluster_arn: String,
    /// Version of the API server, such as `v1.33.1-eks-1`.
    pub kubernetes_version: String,
    /// Whether the caller may do everything in the cluster, which helm needs.
    pub cluster_admin: bool,
}

impl Step for UpdateKubeconfig {
    const TYPE: &'static str = "update-kubeconfig";
    const SUMMARY: &'static str = "Write a kubeconfig for an EKS cluster and check that its API answers";
    const EXAMPLE: &'static str = r#"- id: kubeconfig
  type: update-kubeconfig
  with:
    cluster: "{{ steps.infra.outputs.eks_cluster_name }}"
    alias: training
"#;
    type Outputs = Connection;

    fn permissions(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
        permissions::needs(inputs, around)
    }

    fn facts(inputs: &Partial, _files: &Files) -> Vec<Fact> {
        let (path, place) = match inputs.get("path") {
            Some(path) => (path.text().unwrap_or_default(), path.place()),
            None => (Text::default(), inputs.place()),
        };
        // One that is also merged into the user's own may be read from there.
        let merged =
            inputs.get("merge-into-default").is_some_and(|it| it.known() != Some(crate::value::Value::Bool(false)));
        let kind = if merged { FileUse::Plain } else { FileUse::Kubeconfig };
        vec![Fact::Writes { path, output: "path", kind, place }]
    }

    fn questions(inputs: &Partial, _: &Files) -> Vec<Asked> {
        let input = inputs.get("cluster");
        let at = At::Pipeline(input.unwrap_or(inputs).place());
        let role = Wish::text(inputs.get("role-arn")).known();
        let active = Asked::of(&live::EKS_ACTIVE, &at, Wish::text(input), |eks| Question::EksActive { eks });
        let entry = Asked::of(&live::CALLER_ENTRY, &at, Wish::text(input), |eks| Question::CallerEntry { eks, role });
        active.into_iter().chain(entry).collect()
    }

    async fn run(self, cx: &mut StepContext<'_>) -> Result<Connection, StepError> {
        cx.progress(format!("describing the EKS cluster {}", self.cluster));
        let cluster = describe(cx, &self.cluster).await?;
        usable(&cluster)?;
        let entry = self.entry(cx, &cluster)?;
        let path = self.write(cx, &entry)?;
        let principal = self.role_arn.clone().unwrap_or_else(|| access::principal(&cx.run.caller_arn));
        // Asked through a file of its own: the user's own may hold much else, and may be changed meanwhile.
        let probe = write_own(cx, &entry)?;
        let answer = access::check(cx, &probe, &cluster, &principal).await?;
        if !answer.admin {
            cx.progress(format!("{principal} may not do everything in {}: helm will be refused", self.cluster));
        }
        Ok(Connection {
            path: path.to_string_lossy().into_owned(),
            context: entry.context,
            endpoint: entry.endpoint,
            cluster_arn: entry.arn,
            kubernetes_version: answer.version,
            cluster_admin: answer.admin,
        })
    }

    async fn probe(self, outputs: &serde_json::Value, cx: &mut StepContext<'_>) -> Result<Health, StepError> {
        let cluster = match describe(cx, &self.cluster).await {
            Ok(cluster) => cluster,
            Err(e) if e.has_code("ResourceNotFoundException") => {
                return Ok(Health::Lost(format!("the EKS cluster {} is gone", self.cluster)));
            }
            Err(e) => return Err(e),
        };
        let moved = outputs["endpoint"].as_str() != cluster.endpoint();
        let named = outputs["path"].as_str().unwrap_or_default();
        Ok(match (moved, Path::new(named).is_file()) {
            (true, _) => Health::Lost(format!("{} is another cluster now", self.cluster)),
            (false, false) => Health::Lost(format!("the kubeconfig {named} is gone")),
            (false, true) => Health::Good,
        })
    }
}

impl UpdateKubeconfig {
    fn entry(&self, cx: &StepContext<'_>, cluster: &Cluster) -> Result<Entry, StepError> {
        let lacks = |what: &str| StepError::failed(format!("the EKS cluster {} has no {what} yet", self.cluster));
        let arn = cluster.arn().ok_or_else(|| lacks("ARN"))?.to_owned();
        let endpoint = cluster.endpoint().ok_or_else(|| lacks("endpoint"))?.to_owned();
        let authority = cluster.certificate_authority().and_then(|authority| authority.data());
        let authority = authority.ok_or_else(|| lacks("certificate authority"))?.to_owned();
        let words = ["eks-token", "--cluster-name", &self.cluster, "--region", &cx.run.region];
        let mut args: Vec<String> = words.map(str::to_owned).to_vec();
        if let Some(role) = &self.role_arn {
            args.extend(["--role".to_owned(), role.clone()]);
        }
        Ok(Entry {
            context: self.alias.clone().unwrap_or_else(|| arn.clone()),
            arn,
            endpoint,
            authority,
            program: cx.run.program.clone(),
            args,
            environment: cx.run.environment.clone(),
        })
    }

    fn write(&self, cx: &mut StepContext<'_>, entry: &Entry) -> Result<PathBuf, StepError> {
        if self.merge_into_default && !cx.run.sandbox {
            return merge(cx, entry);
        }
        if self.merge_into_default {
            cx.progress("in the sandbox the user's own kubeconfig is left alone");
        }
        match &self.path {
            Some(path) => write(cx, Path::new(path), &text(entry)?),
            None => write_own(cx, entry),
        }
    }
}

fn merge(cx: &mut StepContext<'_>, entry: &Entry) -> Result<PathBuf, StepError> {
    let home = std::env::home_dir();
    let named = std::env::var("KUBECONFIG").ok();
    let path = file::users_own(named.as_deref(), home.as_deref()).ok_or_else(|| {
        StepError::invalid("there is no home folder to find the user's kubeconfig in").help("set KUBECONFIG")
    })?;
    let existing = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(StepError::failed(format!("cannot read {}", path.display())).because(e.to_string())),
    };
    let merged = entry.merged_into(&existing).map_err(|e| {
        StepError::invalid(format!("{} is no kubeconfig: {e}", path.display())).help("mend it, or set `path`")
    })?;
    write(cx, &path, &merged)
}

/// The kubeconfig of this run and step alone.
fn write_own(cx: &mut StepContext<'_>, entry: &Entry) -> Result<PathBuf, StepError> {
    let path = cx.run.folder.join(format!("kubeconfig-{}", cx.step));
    write(cx, &path, &text(entry)?)
}

fn text(entry: &Entry) -> Result<String, StepError> {
    entry.text().map_err(|e| StepError::failed(format!("the kubeconfig cannot be written: {e}")))
}

fn write(cx: &mut StepContext<'_>, path: &Path, text: &str) -> Result<PathBuf, StepError> {
    cx.write_file(path, text.as_bytes(), FileMode::Private)
}

async fn describe(cx: &StepContext<'_>, name: &str) -> Result<Cluster, StepError> {
    let doing = format!("describe the EKS cluster {name}");
    let mut pace = Pace::default();
    loop {
        let asked = cx.clients.eks().describe_cluster().name(name).send();
        match cx.unless_stopped(asked).await? {
            Ok(answer) => {
                return answer.cluster.ok_or_else(|| StepError::failed(format!("EKS described no cluster {name}")));
            }
            Err(e) => pace.after(cx, explain(&doing, e)).await?,
        }
    }
}

/// An error that says what state the cluster is in, unless it can be used.
fn usable(cluster: &Cluster) -> Result<(), StepError> {
    let name = cluster.name().unwrap_or_default();
    let wait = format!("put a wait-status step for the EKS cluster {name} before this one, or resume later");
    match cluster.status() {
        Some(ClusterStatus::Active | ClusterStatus::Updating) => Ok(()),
        Some(ClusterStatus::Creating | ClusterStatus::Pending) => {
            Err(StepError::failed(format!("the EKS cluster {name} is still being made")).help(wait))
        }
        Some(ClusterStatus::Deleting) => Err(StepError::refused(format!("the EKS cluster {name} is being deleted"))),
        Some(ClusterStatus::Failed) => {
            let failed = StepError::refused(format!("the EKS cluster {name} failed to be made"));
            let issues = cluster.health().map(|health| health.issues()).unwrap_or_default();
            let told = issues.iter().fold(failed, |failed, issue| {
                let code = issue.code().map_or("issue", |code| code.as_str());
                failed.because(format!("{code}: {}", issue.message().unwrap_or_default()))
            });
            Err(told.help("delete it and make it again"))
        }
        other => {
            let status = other.map_or("no status", |status| status.as_str());
            Err(StepError::failed(format!("the EKS cluster {name} is not active: {status}")).help(wait))
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_eks::types::{ClusterHealth, ClusterIssue, ClusterIssueCode};

    use super::*;

    fn check(status: ClusterStatus) -> String {
        let issue = ClusterIssue::builder().code(ClusterIssueCode::Ec2SubnetNotFound).message("no subnet-1").build();
        let health = ClusterHealth::builder().issues(issue).build();
        match usable(&Cluster::builder().name("ml").status(status).health(health).build()) {
            Ok(()) => "usable".to_owned(),
            Err(e) => format!("{e} {:?}", e.causes),
        }
    }

    #[test]
    fn a_cluster_that_cannot_be_used_says_why() {
        assert_eq!(check(ClusterStatus::Active), "usable");
        assert_eq!(check(ClusterStatus::Updating), "usable");
        assert_eq!(check(ClusterStatus::Creating), "the EKS cluster ml is still being made []");
        assert_eq!(check(ClusterStatus::Deleting), "the EKS cluster ml is being deleted []");
        let failed = check(ClusterStatus::Failed);
        assert_eq!(failed, "the EKS cluster ml failed to be made [\"Ec2SubnetNotFound: no subnet-1\"]");
    }
}

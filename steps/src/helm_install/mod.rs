//! helm-install: a chart from anywhere, installed or upgraded by the real helm, 3 or 4.
//! Knows nothing of EKS: the kubeconfig says how to reach the cluster.

mod chart;
mod check;
mod failure;
mod helm;
pub mod process;
mod release;

use std::io::Write;
use std::path::Path;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::context::{Intent, Origin, StepContext};
use crate::error::StepError;
use crate::fact::{Fact, FileUse};
use crate::files::{FileInput, Files};
use crate::finding::Finding;
use crate::partial::Partial;
use crate::program::Program;
use crate::question::Asked;
use crate::step::{Health, Step};
use crate::value::Value;
use chart::Chart;
use helm::Helm;
use release::{KIND, Place, Ready, UPGRADE};

/// Needs helm 3.8 or newer, or helm 4. The chart's dependencies are built first, then it is linted, tried as a dry run and
/// installed. A release that an interrupted attempt of this run left pending is cleared away; another's is refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HelmInstall {
    /// Where the chart comes from: exactly one of the five.
    pub chart: ChartSource,
    /// A chart (folder or archive) that stands in for `chart` in the sandbox, which has no internet.
    pub sandbox_chart: Option<String>,
    /// Name of the release.
    pub release: String,
    /// Namespace of the release.
    pub namespace: String,
    /// Make the namespace if it is not there. Default: false.
    #[serde(default)]
    pub create_namespace: bool,
    /// Values for the chart; they win over `values-files`. May hold secrets.
    #[serde(default)]
    pub values: IndexMap<String, Value>,
    /// Files with values; a later one wins over an earlier one.
    #[serde(default)]
    pub values_files: Vec<String>,
    /// Single values as `helm --set` takes them (`a.b=c`); they win over all others. Not for secrets.
    #[serde(default)]
    pub set: Vec<String>,
    /// Path of the kubeconfig: the output `path` of update-kubeconfig.
    pub kubeconfig: String,
    /// Context in the kubeconfig. Default: its current one.
    pub context: Option<String>,
    /// Wait until all that the chart makes is ready. Default: false: before the cluster has nodes nothing can be.
    #[serde(default)]
    pub wait: bool,
    /// How long helm may take for each thing it waits for, on the wall's clock. Default: 5m.
    #[serde(default = "five_minutes")]
    pub timeout: String,
    /// The helm program. Default: `$HPRUN_HELM`, else `helm` on PATH.
    pub helm: Option<String>,
    /// Run `helm lint` first. Default: true.
    #[serde(default = "yes")]
    pub lint: bool,
    /// Do a dry run on the server first. Default: true.
    #[serde(default = "yes")]
    pub dry_run: bool,
    /// Take over a release of this name that another run, or somebody else, made. Default: false.
    #[serde(default)]
    pub adopt: bool,
}

/// Where a chart comes from: exactly one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ChartSource {
    /// A folder; relative to the pipeline's file. It is copied, never written to.
    pub path: Option<String>,
    /// An archive (`.tgz`); relative to the pipeline's file.
    pub archive: Option<String>,
    /// A chart repository.
    pub repository: Option<RepositoryChart>,
    /// An OCI registry.
    pub oci: Option<OciChart>,
    /// A folder of a git repository at one commit.
    pub git: Option<GitChart>,
}

/// A chart in a chart repository.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RepositoryChart {
    /// Address of the repository: `https://…`
    pub url: String,
    /// Name of the chart in it.
    pub name: String,
    /// Exact version.
    pub version: String,
}

/// A chart in an OCI registry.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OciChart {
    /// `oci://registry/path/chart`
    #[serde(rename = "ref")]
    pub reference: String,
    /// Exact version.
    pub version: String,
}

/// A chart in a git repository.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GitChart {
    /// Address of the repository.
    pub url: String,
    /// Full id of the commit: 40 hexadecimal digits.
    pub commit: String,
    /// Folder of the chart in the repository.
    pub path: String,
}

/// A release that is in the cluster.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Installed {
    /// Name of the release.
    pub release: String,
    /// Namespace of the release.
    pub namespace: String,
    /// Revision, from 1.
    pub revision: i64,
    /// `deployed`, as helm says.
    pub status: String,
    /// Version of what the chart installs.
    pub app_version: String,
    /// Version of the chart.
    pub chart_version: String,
    /// Which chart was used, to show.
    pub chart: String,
}

impl Step for HelmInstall {
    const TYPE: &'static str = "helm-install";
    const SUMMARY: &'static str = "Install or upgrade a Helm chart";
    const EXAMPLE: &'static str = r#"- id: charts
  type: helm-install
  with:
    chart: { path: charts/hyperpod-fixture }
    release: hyperpod-dependencies
    namespace: kube-system
    kubeconfig: "{{ steps.kubeconfig.outputs.path }}"
    values:
      jobController: { replicas: 2 }
"#;
    const BY_THE_WALL: bool = true;
    type Outputs = Installed;

    fn facts(inputs: &Partial, _files: &Files) -> Vec<Fact> {
        let kubeconfig = inputs.get("kubeconfig");
        let reads = |at: &Partial| Some(Fact::Reads { path: at.text()?, kind: FileUse::Kubeconfig, place: at.place() });
        kubeconfig.and_then(reads).into_iter().collect()
    }

    async fn run(self, cx: &mut StepContext<'_>) -> Result<Installed, StepError> {
        self.valid()?;
        process::end_leftovers(cx).await?;
        let place = self.place(cx)?;
        let work = cx.run.folder.join("helm").join(cx.step);
        let cannot = |e: std::io::Error| StepError::failed(format!("cannot make the folder {}: {e}", work.display()));
        std::fs::create_dir_all(&work).map_err(cannot)?;
        let helm = Helm::find(cx, self.helm.as_deref(), &work).await?;
        let chart = chart::prepare(cx, &helm, &self).await?;
        let values = self.values(cx, &work)?;
        if self.lint {
            cx.progress("linting the chart");
            let words = [&["lint".to_owned(), text(&chart.path)][..], &values.words(), &self.set_words()].concat();
            let ran = helm.run(cx, &words).await?;
            if !ran.success {
                return Err(lint_failure(&chart, &ran));
            }
        }
        cx.progress(format!("looking at the release {}", place.id()));
        let standing = release::prepare(cx, &helm, &place, self.adopt).await?;
        if self.dry_run {
            cx.progress("dry run");
            let server = helm.version >= semver::Version::new(3, 13, 0);
            let mut words = self.upgrade(cx, &helm, &chart, &values, &place, "")?;
            words.push(if server { "--dry-run=server" } else { "--dry-run" }.to_owned());
            chart::told(cx, &helm, &words, &format!("install {} (dry run)", place.id())).await?;
        }
        self.install(cx, &helm, &chart, &values, &place, standing).await
    }

    fn files(inputs: &Partial) -> Vec<FileInput> {
        check::files(inputs)
    }

    fn programs(inputs: &Partial, base: &Path) -> Vec<Program> {
        match inputs.get("helm") {
            Some(helm) if helm.as_str().is_none() => Vec::new(),
            helm => vec![helm::program(helm.and_then(Partial::as_str), base)],
        }
    }

    fn check(inputs: &Partial, files: &Files) -> Vec<Finding> {
        check::check(inputs, files)
    }

    fn questions(inputs: &Partial, _: &Files) -> Vec<Asked> {
        check::questions(inputs)
    }

    async fn probe(self, outputs: &Json, cx: &mut StepContext<'_>) -> Result<Health, StepError> {
        let Ok(place) = self.place(cx) else {
            return Ok(Health::Lost(format!("the kubeconfig {} is gone", self.kubeconfig)));
        };
        let work = cx.run.folder.join("helm").join(cx.step);
        std::fs::create_dir_all(&work).map_err(|e| StepError::failed(format!("cannot make a folder: {e}")))?;
        let helm = Helm::find(cx, self.helm.as_deref(), &work).await?;
        Ok(match release::look(cx, &helm, &place).await? {
            None => Health::Lost(format!("the release {} is gone", place.id())),
            Some(found) if found.info.status != "deployed" => {
                Health::Lost(format!("the release {} is {}", place.id(), found.info.status))
            }
            Some(found) if outputs["revision"].as_i64() != Some(found.version) => {
                Health::Lost(format!("the release {} was changed: it has revision {}", place.id(), found.version))
            }
            Some(_) => Health::Good,
        })
    }
}

impl HelmInstall {
    /// What the static checks could not see because it was not known then.
    fn valid(&self) -> Result<(), StepError> {
        let ChartSource { path, archive, repository, oci, git } = &self.chart;
        let given = [path.is_some(), archive.is_some(), repository.is_some(), oci.is_some(), git.is_some()];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err(StepError::invalid("`chart` needs exactly one of path, archive, repository, oci, git"));
        }
        if let Some(git) = git.as_ref().filter(|git| !check::is_commit(&git.commit)) {
            return Err(StepError::invalid(format!("the commit {} is not a full commit id", git.commit)));
        }
        check::timeout(&self.timeout).map(drop).map_err(StepError::invalid)
    }

    /// The kubeconfig must be there: helm would silently try localhost instead.
    fn place(&self, cx: &StepContext<'_>) -> Result<Place, StepError> {
        let path = cx.run.base.join(&self.kubeconfig);
        let read = std::fs::read_to_string(&path).map_err(|e| {
            StepError::invalid(format!("cannot read the kubeconfig {}: {e}", path.display()))
                .help("give the output `path` of an update-kubeconfig step")
        })?;
        let current = || {
            let parsed: serde_yaml::Value = serde_yaml::from_str(&read).ok()?;
            parsed.get("current-context")?.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
        };
        let context = self.context.clone().or_else(current).ok_or_else(|| {
            StepError::invalid(format!("the kubeconfig {} has no current context", path.display()))
                .help("set `context`")
        })?;
        let (release, namespace) = (self.release.clone(), self.namespace.clone());
        Ok(Place { release, namespace, kubeconfig: text(&path), context })
    }

    /// The values as files that only this user can read, and that are gone when helm has read them. There is always
    /// one, because helm without values takes those of the last revision.
    fn values(&self, cx: &StepContext<'_>, work: &Path) -> Result<Values, StepError> {
        let work = &work.join("values");
        let cannot = |e: std::io::Error| StepError::failed(format!("cannot make the folder {}: {e}", work.display()));
        // What a crash left behind may hold secrets.
        if work.exists() {
            std::fs::remove_dir_all(work).map_err(cannot)?;
        }
        std::fs::create_dir(work).map_err(cannot)?;
        let mut values = Values { files: Vec::new() };
        for path in &self.values_files {
            values.add(work, &cx.files.get(path).map_err(StepError::invalid)?.bytes)?;
        }
        let own: serde_json::Map<String, Json> = self.values.iter().map(|(k, v)| (k.clone(), v.reveal())).collect();
        let own =
            serde_yaml::to_string(&own).map_err(|e| StepError::invalid(format!("`values` cannot be written: {e}")))?;
        values.add(work, own.as_bytes())?;
        Ok(values)
    }

    fn set_words(&self) -> Vec<String> {
        self.set.iter().flat_map(|set| ["--set".to_owned(), set.clone()]).collect()
    }

    /// The words that install or upgrade, by the call that `token` names.
    fn upgrade(
        &self,
        cx: &StepContext<'_>,
        helm: &Helm,
        chart: &Chart,
        values: &Values,
        place: &Place,
        token: &str,
    ) -> Result<Vec<String>, StepError> {
        let seconds = check::timeout(&self.timeout).map_err(StepError::invalid)?.as_secs();
        let (path, timeout, description) = (text(&chart.path), format!("{seconds}s"), release::description(cx, token));
        let mut words = vec!["upgrade", "--install", &self.release, &path, "-o", "json", "--reset-values"];
        words.extend(["--timeout", &timeout, "--description", &description]);
        let labels = release::labels(cx);
        if helm.has_labels() {
            words.extend(["--labels", &labels]);
        }
        words.extend(self.create_namespace.then_some("--create-namespace"));
        words.extend(self.wait.then_some("--wait"));
        let own = [values.words(), self.set_words()].concat();
        words.extend(own.iter().map(String::as_str));
        Ok(place.words(&words))
    }

    async fn install(
        self,
        cx: &mut StepContext<'_>,
        helm: &Helm,
        chart: &Chart,
        values: &Values,
        place: &Place,
        ready: Option<Ready>,
    ) -> Result<Installed, StepError> {
        let id = place.id();
        let request = serde_json::json!({
            "chart": chart.origin,
            "version": chart.version,
            "files": cx.files.digests(),
            "values": self.values.iter().map(|(k, v)| (k.clone(), v.to_record())).collect::<serde_json::Map<_, _>>(),
            "set": self.set,
            "wait": self.wait,
        });
        let existed = ready.is_some();
        let origin = ready.as_ref().map_or(Origin::Made, |ready| ready.origin);
        let intent = Intent { op: UPGRADE, kind: KIND, name: &id, existed, request: &request };
        let done = match &ready {
            Some(ready) if !self.has_secrets() => {
                cx.newest_of(&intent)?.filter(|token| ready.standing.is_done_by(cx, token))
            }
            Some(_) | None => None,
        };
        let found = match (done, ready) {
            (Some(token), Some(ready)) => {
                cx.progress(format!("{id} is as this very request left it before: done"));
                if cx.outcome_of(&token).is_none() {
                    cx.settle(&token, Ok(())).await?;
                }
                ready.standing
            }
            (_, _) => {
                let token = cx.intend(intent).await?;
                cx.progress(format!("{} {id}", if existed { "upgrading" } else { "installing" }));
                let ran = helm.change(cx, &self.upgrade(cx, helm, chart, values, place, &token)?).await?;
                let doing = format!("{} {id}", if existed { "upgrade" } else { "install" });
                let result = if ran.success { Ok(ran.stdout) } else { Err(failure::explain(&doing, &ran)) };
                let shown = cx.settle(&token, result).await?;
                serde_json::from_str::<release::Standing>(&shown)
                    .map_err(|e| StepError::failed(format!("helm's answer on {id} cannot be read: {e}")))?
            }
        };
        cx.resource(KIND, &id, &self.release, origin).await?;
        Ok(Installed {
            release: self.release,
            namespace: self.namespace,
            revision: found.version,
            status: found.info.status,
            app_version: chart.app_version.clone(),
            chart_version: chart.version.clone(),
            chart: chart.origin.clone(),
        })
    }

    /// A secret is not in the record, so nobody can tell whether what was installed before a crash has the same.
    fn has_secrets(&self) -> bool {
        self.values.values().any(|value| !value.secrets().is_empty())
    }
}

impl ChartSource {
    /// The source, to show.
    fn told(&self) -> String {
        let Self { path, archive, repository, oci, git } = self;
        if let Some(path) = path.as_ref().or(archive.as_ref()) {
            path.clone()
        } else if let Some(RepositoryChart { url, name, version }) = repository {
            format!("{name} {version} from {url}")
        } else if let Some(OciChart { reference, version }) = oci {
            format!("{reference} {version}")
        } else if let Some(GitChart { url, commit, path }) = git {
            format!("{path} of {url} at {}", &commit[..commit.len().min(12)])
        } else {
            "no chart".to_owned()
        }
    }
}

/// Values files, mode 0600, removed when dropped.
struct Values {
    files: Vec<tempfile::NamedTempFile>,
}

impl Values {
    fn add(&mut self, folder: &Path, bytes: &[u8]) -> Result<(), StepError> {
        let make = || {
            let mut file = tempfile::Builder::new().prefix("values-").suffix(".yaml").tempfile_in(folder)?;
            file.write_all(bytes)?;
            file.flush()?;
            Ok(file)
        };
        let file = make().map_err(|e: std::io::Error| StepError::failed(format!("cannot write the values: {e}")))?;
        self.files.push(file);
        Ok(())
    }

    fn words(&self) -> Vec<String> {
        self.files.iter().flat_map(|file| ["--values".to_owned(), text(file.path())]).collect()
    }
}

/// `helm lint` tells what it found on standard output.
fn lint_failure(chart: &Chart, ran: &process::Ran) -> StepError {
    let failed = StepError::invalid(format!("the chart {} does not pass `helm lint`", chart.origin));
    let found = ran.stdout.lines().chain(ran.stderr.lines()).map(str::trim);
    found
        .filter(|line| line.contains("[ERROR]") || line.starts_with("Error"))
        .fold(failed, StepError::because)
        .help("mend the chart or its values, or say `lint: false`")
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn yes() -> bool {
    true
}

fn five_minutes() -> String {
    "5m".to_owned()
}

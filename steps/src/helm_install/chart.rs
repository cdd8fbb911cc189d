//! Where the chart comes from: put whole into a folder of this run, with its dependencies, ready for helm.
//! Knows nothing of releases or clusters. The user's own chart folder is only read.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::helm::Helm;
use super::process::{self, Invocation};
use super::{ChartSource, GitChart, HelmInstall, failure};
use crate::context::StepContext;
use crate::error::{ErrorClass, StepError};

/// A chart that helm can install.
#[derive(Debug)]
pub struct Chart {
    /// Folder or archive, below this run's folder.
    pub path: PathBuf,
    /// Where it was taken from, to show.
    pub origin: String,
    /// Its version.
    pub version: String,
    /// Version of what it installs.
    pub app_version: String,
}

#[derive(Deserialize)]
struct Metadata {
    version: String,
    #[serde(rename = "appVersion", default)]
    app_version: serde_yaml::Value,
    #[serde(default)]
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    #[serde(default)]
    repository: String,
}

/// Fetches or copies the chart that the inputs name, with its dependencies.
pub async fn prepare(cx: &mut StepContext<'_>, helm: &Helm, inputs: &HelmInstall) -> Result<Chart, StepError> {
    let folder = helm.work.join("chart");
    empty(&folder)?;
    let (path, origin) = match inputs.sandbox_chart.as_deref().filter(|_| cx.run.sandbox) {
        Some(path) => {
            cx.progress(format!("the sandbox has no internet: {path} stands in for {}", inputs.chart.told()));
            (from_files(cx, path, &folder)?, format!("{path} (in the sandbox, for {})", inputs.chart.told()))
        }
        None => (fetch(cx, helm, &inputs.chart, &folder).await?, inputs.chart.told()),
    };
    if path.is_dir() {
        dependencies(cx, helm, &path).await?;
    }
    let shown = told(cx, helm, &["show", "chart", &text(&path)], &format!("read the chart {origin}")).await?;
    let metadata: Metadata = serde_yaml::from_str(&shown)
        .map_err(|e| StepError::invalid(format!("the Chart.yaml of {origin} is wrong: {e}")))?;
    let app_version = match metadata.app_version {
        serde_yaml::Value::String(version) => version,
        serde_yaml::Value::Null => String::new(),
        other => serde_yaml::to_string(&other).unwrap_or_default().trim().to_owned(),
    };
    Ok(Chart { path, origin, version: metadata.version, app_version })
}

async fn fetch(
    cx: &mut StepContext<'_>,
    helm: &Helm,
    source: &ChartSource,
    folder: &Path,
) -> Result<PathBuf, StepError> {
    cx.progress(format!("fetching the chart {}", source.told()));
    let to = text(folder);
    if let Some(path) = source.path.as_deref().or(source.archive.as_deref()) {
        return from_files(cx, path, folder);
    }
    if let Some(git) = &source.git {
        return from_git(cx, git, folder).await;
    }
    let words = if let Some(repository) = &source.repository {
        let (name, url, version) = (&repository.name, &repository.url, &repository.version);
        ["pull", name, "--repo", url, "--version", version, "--destination", &to].map(str::to_owned).to_vec()
    } else if let Some(oci) = &source.oci {
        ["pull", &oci.reference, "--version", &oci.version, "--destination", &to].map(str::to_owned).to_vec()
    } else {
        return Err(StepError::invalid("`chart` names no source"));
    };
    told(cx, helm, &words, &format!("fetch the chart {}", source.told())).await?;
    let mut archives = entries(folder)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "tgz"));
    archives.next().ok_or_else(|| StepError::failed(format!("helm fetched no archive for {}", source.told())))
}

/// The chart as it was read, byte for byte: the record's digest is of these.
fn from_files(cx: &StepContext<'_>, path: &str, folder: &Path) -> Result<PathBuf, StepError> {
    if !cx.files.is_folder(path) {
        let file = cx.files.get(path).map_err(StepError::invalid)?;
        let archive = folder.join(Path::new(path).file_name().unwrap_or_default());
        return write(&archive, &file.bytes, 0o644).map(|()| archive);
    }
    for relative in cx.files.folder(path).map_err(StepError::invalid)? {
        let file = cx.files.get(&Path::new(path).join(relative).to_string_lossy()).map_err(StepError::invalid)?;
        write(&folder.join(relative), &file.bytes, file.mode)?;
    }
    Ok(folder.to_owned())
}

/// Exactly this commit, nothing of its history.
async fn from_git(cx: &mut StepContext<'_>, git: &GitChart, folder: &Path) -> Result<PathBuf, StepError> {
    let cache = cx.run.folder.join("git").join(&git.commit);
    let doing = format!("fetch {} at {}", git.url, git.commit);
    if git_says(cx, &cache, &["rev-parse", "HEAD"]).await.ok().as_deref() != Some(git.commit.as_str()) {
        empty(&cache)?;
        for words in [
            &["init", "--quiet", "."][..],
            &["fetch", "--quiet", "--depth", "1", "--", &git.url, &git.commit],
            &["checkout", "--quiet", "--detach", "FETCH_HEAD"],
        ] {
            git_says(cx, &cache, words).await.map_err(|why| why.doing(&doing))?;
        }
    }
    let head = git_says(cx, &cache, &["rev-parse", "HEAD"]).await.map_err(|why| why.doing(&doing))?;
    if head != git.commit {
        return Err(StepError::failed(format!("{} gave the commit {head} instead of {}", git.url, git.commit)));
    }
    // What a crash or a person left in the folder must not get into the chart.
    git_says(cx, &cache, &["reset", "--quiet", "--hard"]).await.map_err(|why| why.doing(&doing))?;
    git_says(cx, &cache, &["clean", "--quiet", "-ffdx"]).await.map_err(|why| why.doing(&doing))?;
    let chart = cache.join(&git.path);
    if !chart.join("Chart.yaml").is_file() {
        let none = format!("{} has no chart at {} in the commit {}", git.url, git.path, git.commit);
        return Err(StepError::invalid(none));
    }
    copy(&chart, folder)?;
    Ok(folder.to_owned())
}

/// git did not do it.
struct GitFailure(StepError);

impl GitFailure {
    fn doing(self, doing: &str) -> StepError {
        let Self(error) = self;
        if error.class == ErrorClass::Interrupted {
            return error;
        }
        StepError::new(error.class, format!("could not {doing}: {}", error.message))
            .help("check the address, the commit and the network; git must be installed")
    }
}

async fn git_says(cx: &mut StepContext<'_>, folder: &Path, words: &[&str]) -> Result<String, GitFailure> {
    if !folder.is_dir() {
        return Err(GitFailure(StepError::failed("its folder is not there")));
    }
    let safe = ["-c", "core.autocrlf=false", "-c", "protocol.ext.allow=never", "-c", "core.hooksPath=/dev/null"];
    let taken_away = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"].map(|name| (name.to_owned(), None));
    let invocation = Invocation {
        program: PathBuf::from("git"),
        args: safe.iter().chain(words).map(|word| (*word).to_owned()).collect(),
        environment: taken_away.into_iter().chain([("GIT_TERMINAL_PROMPT".to_owned(), Some("0".to_owned()))]).collect(),
        folder: folder.to_owned(),
        recorded: false,
    };
    let ran = process::run(cx, &invocation).await.map_err(GitFailure)?;
    if ran.success {
        return Ok(ran.stdout.trim().to_owned());
    }
    let said = ran.stderr.trim().lines().last().unwrap_or("git failed").to_owned();
    Err(GitFailure(StepError::new(ErrorClass::Transient, said)))
}

/// Builds what Chart.lock names, or else resolves what Chart.yaml asks for: a chart's own `charts/` is not trusted,
/// because it may hold one dependency twice.
async fn dependencies(cx: &mut StepContext<'_>, helm: &Helm, chart: &Path) -> Result<(), StepError> {
    let read = std::fs::read_to_string(chart.join("Chart.yaml"))
        .map_err(|e| StepError::invalid(format!("the chart has no Chart.yaml: {e}")))?;
    let metadata: Metadata =
        serde_yaml::from_str(&read).map_err(|e| StepError::invalid(format!("the chart's Chart.yaml is wrong: {e}")))?;
    if metadata.dependencies.is_empty() {
        return Ok(());
    }
    cx.progress("building the chart's dependencies");
    let locked = chart.join("Chart.lock").is_file();
    if locked {
        let mut urls: Vec<&str> =
            metadata.dependencies.iter().map(|dependency| dependency.repository.as_str()).collect();
        urls.retain(|url| url.starts_with("http"));
        urls.sort_unstable();
        urls.dedup();
        for (at, url) in urls.iter().enumerate() {
            let words = ["repo", "add", "--force-update", &format!("dependency-{at}"), url];
            told(cx, helm, &words, &format!("read the chart repository {url}")).await?;
        }
    }
    let how = if locked { "build" } else { "update" };
    told(cx, helm, &["dependency", how, &text(chart)], "build the chart's dependencies").await.map(drop)
}

/// Standard output of a helm that must succeed.
pub async fn told<S: AsRef<str>>(
    cx: &mut StepContext<'_>,
    helm: &Helm,
    words: &[S],
    doing: &str,
) -> Result<String, StepError> {
    let ran = helm.run(cx, words).await?;
    if ran.success { Ok(ran.stdout) } else { Err(failure::explain(doing, &ran)) }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// An empty folder at `path`, whatever was there.
fn empty(path: &Path) -> Result<(), StepError> {
    let cannot = |e: std::io::Error| StepError::failed(format!("cannot make the folder {}: {e}", path.display()));
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(cannot(e)),
        Ok(()) | Err(_) => {}
    }
    std::fs::create_dir_all(path).map_err(cannot)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, StepError> {
    let cannot = |e: std::io::Error| StepError::failed(format!("cannot read {}: {e}", folder.display()));
    std::fs::read_dir(folder).map_err(cannot)?.map(|entry| entry.map(|e| e.path()).map_err(cannot)).collect()
}

fn copy(from: &Path, to: &Path) -> Result<(), StepError> {
    for entry in walkdir::WalkDir::new(from).follow_links(true) {
        let cannot = |why: String| StepError::failed(format!("cannot copy the chart: {why}"));
        let entry = entry.map_err(|e| cannot(e.to_string()))?;
        if entry.file_type().is_file() {
            let relative = entry.path().strip_prefix(from).map_err(|e| cannot(e.to_string()))?;
            let bytes = std::fs::read(entry.path()).map_err(|e| cannot(e.to_string()))?;
            write(&to.join(relative), &bytes, 0o644)?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StepError> {
    use std::os::unix::fs::PermissionsExt;
    let write = || {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        std::fs::write(path, bytes)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
    };
    write().map_err(|e: std::io::Error| StepError::failed(format!("cannot write {}: {e}", path.display())))
}

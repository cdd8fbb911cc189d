//! The helm program: found, old enough or not, and called with folders of its own and this cluster only.
//! Knows nothing of charts or releases.

use std::path::{Path, PathBuf};

use semver::Version;

use super::process::{self, Invocation, Ran};
use crate::context::StepContext;
use crate::error::{ErrorClass, StepError};
use crate::program::Program;

/// OCI charts work without a switch from here on (helm release notes).
const OLDEST: Version = Version::new(3, 8, 0);
/// From here on a release can have labels.
const LABELS: Version = Version::new(3, 13, 0);
const ADVICE: &str = "install helm 3.8 or newer (https://helm.sh/docs/intro/install/; macOS: `brew install helm`) and put \
it on PATH, or name it with `helm:` or HPRUN_HELM";

/// A helm that can be used.
#[derive(Debug)]
pub struct Helm {
    program: PathBuf,
    /// Its version.
    pub version: Version,
    /// Folder of this run's step for all that helm and we keep meanwhile.
    pub work: PathBuf,
    environment: Vec<(String, Option<String>)>,
}

impl Helm {
    /// Finds helm: the input, HPRUN_HELM, or PATH; and asks for its version.
    pub async fn find(cx: &mut StepContext<'_>, input: Option<&str>, work: &Path) -> Result<Self, StepError> {
        let program = program(input, &cx.run.base).path;
        let mut helm =
            Self { program, version: OLDEST, work: work.to_owned(), environment: environment(cx, &work.join("home")) };
        let shown = helm.program.display().to_string();
        let ran = helm.run(cx, &["version", "--template", "{{.Version}}"]).await.map_err(|e| {
            let stopped = e.class == ErrorClass::Interrupted;
            if stopped { e } else { StepError::invalid(format!("helm is not there: {e}")).help(ADVICE) }
        })?;
        let version = Version::parse(ran.stdout.trim().trim_start_matches('v')).map_err(|_| {
            StepError::invalid(format!("{shown} does not tell its version")).because(ran.stderr).help(ADVICE)
        })?;
        if version < OLDEST {
            return Err(StepError::invalid(format!("helm {version} is too old")).help(ADVICE));
        }
        helm.version = version;
        Ok(helm)
    }

    /// Whether releases can have labels.
    pub fn has_labels(&self) -> bool {
        self.version >= LABELS
    }

    /// Runs helm for something that leaves the cluster as it is.
    pub async fn run<S: AsRef<str>>(&self, cx: &mut StepContext<'_>, words: &[S]) -> Result<Ran, StepError> {
        process::run(cx, &self.invocation(words, false)).await
    }

    /// Runs helm for something that changes the cluster: its life is recorded.
    pub async fn change<S: AsRef<str>>(&self, cx: &mut StepContext<'_>, words: &[S]) -> Result<Ran, StepError> {
        process::run(cx, &self.invocation(words, true)).await
    }

    fn invocation<S: AsRef<str>>(&self, words: &[S], recorded: bool) -> Invocation {
        Invocation {
            program: self.program.clone(),
            args: words.iter().map(|word| word.as_ref().to_owned()).collect(),
            environment: self.environment.clone(),
            folder: self.work.clone(),
            recorded,
        }
    }
}

/// The helm that is meant: the input (a path starts at `base`), HPRUN_HELM, or the one on PATH.
pub fn program(input: Option<&str>, base: &Path) -> Program {
    let named = input.map(|path| if path.contains('/') { base.join(path) } else { PathBuf::from(path) });
    let from_variable = || std::env::var_os("HPRUN_HELM").filter(|path| !path.is_empty()).map(PathBuf::from);
    Program { path: named.or_else(from_variable).unwrap_or_else(|| PathBuf::from("helm")), advice: ADVICE }
}

/// The user's helm settings, kubeconfig and plugins take no part: what happens is what the pipeline says.
fn environment(cx: &StepContext<'_>, home: &Path) -> Vec<(String, Option<String>)> {
    let taken_away = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        // Logins to private registries stay usable where they are named.
        .filter(|name| name.starts_with("HELM_") && name != "HELM_REGISTRY_CONFIG")
        .chain(["KUBECONFIG".to_owned()])
        .chain(cx.run.sandbox.then(|| "AWS_PROFILE".to_owned()))
        .map(|name| (name, None));
    let own = [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")]
        .map(|(name, folder)| (name.to_owned(), Some(home.join(folder).to_string_lossy().into_owned())));
    let reaching = cx.run.environment.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
    taken_away.chain(own).chain(reaching).collect()
}

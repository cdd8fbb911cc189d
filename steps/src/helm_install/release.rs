//! The release in the cluster: how it stands, whose it is, and what an interrupted attempt of ours left half done.
//! Knows nothing of where the chart comes from.

use serde::Deserialize;

use super::chart::told;
use super::failure;
use super::helm::Helm;
use crate::context::{Origin, StepContext};
use crate::error::StepError;

/// The kind of resource that a release is in our record.
pub const KIND: &str = "Helm::Release";
/// Our name of the call that installs or upgrades.
pub const UPGRADE: &str = "helm-upgrade";

/// Where the release is, as helm is told.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its name.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// Full path of the kubeconfig.
    pub kubeconfig: String,
    /// Name of the context in it.
    pub context: String,
}

/// A release as `helm status -o json` tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct Standing {
    /// Revision, from 1.
    #[serde(default)]
    pub version: i64,
    /// What of it changes.
    pub info: Info,
}

/// The changing part of a release.
#[derive(Clone, Debug, Deserialize)]
pub struct Info {
    /// `deployed`, `failed`, `pending-install` …
    pub status: String,
    /// Ours, or helm's own.
    #[serde(default)]
    pub description: String,
    /// When it last changed.
    #[serde(default)]
    pub last_deployed: String,
}

impl Standing {
    /// Whether the call of this token made it so, and nothing came after it.
    pub fn is_done_by(&self, cx: &StepContext<'_>, token: &str) -> bool {
        self.info.status == "deployed" && call_in(cx, &self.info.description) == Some(&*call(token))
    }
}

impl Place {
    /// Its id in our record.
    pub fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.release)
    }

    /// `words` for this cluster and namespace.
    pub fn words(&self, words: &[&str]) -> Vec<String> {
        let at = ["--namespace", &self.namespace, "--kubeconfig", &self.kubeconfig, "--kube-context", &self.context];
        words.iter().chain(&at).map(|word| (*word).to_owned()).collect()
    }
}

/// How the release stands; none when there is none.
pub async fn look(cx: &mut StepContext<'_>, helm: &Helm, place: &Place) -> Result<Option<Standing>, StepError> {
    let doing = format!("look at the release {}", place.id());
    let ran = helm.run(cx, &place.words(&["status", &place.release, "-o", "json"])).await?;
    if failure::is_not_found(&ran) {
        return Ok(None);
    }
    if !ran.success {
        return Err(failure::explain(&doing, &ran));
    }
    let standing = serde_json::from_str(&ran.stdout);
    standing.map(Some).map_err(|e| StepError::failed(format!("could not {doing}: helm's answer cannot be read: {e}")))
}

/// A release that may be upgraded.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Whose it is.
    pub origin: Origin,
    /// How it stands.
    pub standing: Standing,
}

/// Makes the release ready to be upgraded: refuses one that is not ours, and clears away what our own interrupted
/// attempt left pending. Gives none when there is no release (any more).
pub async fn prepare(
    cx: &mut StepContext<'_>,
    helm: &Helm,
    place: &Place,
    adopt: bool,
) -> Result<Option<Ready>, StepError> {
    let Some(standing) = look(cx, helm, place).await? else { return Ok(None) };
    let ours = is_ours(cx, helm, place, &standing).await?;
    let recorded = origin(cx, place);
    match standing.info.status.as_str() {
        status if status.starts_with("pending-") && !ours => Err(foreign_change(place, &standing)),
        "pending-install" => {
            cx.progress(format!(
                "removing {}, which an interrupted attempt of this run left half installed",
                place.id()
            ));
            let words = place.words(&["uninstall", &place.release, "--wait", "--ignore-not-found"]);
            change(cx, helm, &words, &format!("remove the half installed release {}", place.id())).await?;
            Ok(None)
        }
        status if status.starts_with("pending-") => {
            cx.progress(format!(
                "rolling {} back, which an interrupted attempt of this run left half upgraded",
                place.id()
            ));
            // Not awaited: before the cluster has nodes nothing gets ready, and what counts is the upgrade that follows.
            let words = place.words(&["rollback", &place.release]);
            change(cx, helm, &words, &format!("roll the release {} back", place.id())).await?;
            Ok(Some(Ready { origin: recorded.unwrap_or(Origin::Made), standing }))
        }
        "uninstalling" | "uninstalled" => Err(StepError::refused(format!(
            "the release {} is being removed",
            place.id()
        ))
        .help(format!("finish that with `helm uninstall -n {} {}`, then resume", place.namespace, place.release))),
        _ if ours => Ok(Some(Ready { origin: recorded.unwrap_or(Origin::Made), standing })),
        _ if adopt => Ok(Some(Ready { origin: Origin::Adopted, standing })),
        _ => Err(foreign(place, &standing)),
    }
}

async fn change(cx: &mut StepContext<'_>, helm: &Helm, words: &[String], doing: &str) -> Result<(), StepError> {
    let ran = helm.change(cx, words).await?;
    if ran.success { Ok(()) } else { Err(failure::explain(doing, &ran)) }
}

/// What our record says of the release.
fn origin(cx: &StepContext<'_>, place: &Place) -> Option<Origin> {
    use crate::context::Record;
    let id = place.id();
    cx.history().iter().rev().find_map(|record| match record {
        Record::ResourceRecorded { kind, id: of, origin, .. } if kind == KIND && *of == id => Some(*origin),
        Record::ResourceRecorded { .. }
        | Record::CallIntended(_)
        | Record::CallSettled { .. }
        | Record::ResourceRemoved { .. }
        | Record::ChildStarted { .. }
        | Record::ChildEnded { .. } => None,
    })
}

/// Ours by the record, or by what this run wrote on it. Without labels (old helm) a half made release carries no mark:
/// then our intent to make it, taken when there was none, decides.
async fn is_ours(cx: &mut StepContext<'_>, helm: &Helm, place: &Place, standing: &Standing) -> Result<bool, StepError> {
    if origin(cx, place).is_some() || call_in(cx, &standing.info.description).is_some() {
        return Ok(true);
    }
    if !helm.has_labels() {
        let id = place.id();
        return Ok(cx.intents().any(|intent| intent.op == UPGRADE && intent.name == id && !intent.existed));
    }
    let filter = format!("^{}$", place.release.replace('.', "\\."));
    let selector = selector(cx);
    let states = ["--deployed", "--failed", "--pending", "--superseded", "--uninstalled", "--uninstalling"];
    let words = [&["list", "-o", "json", "--filter", &filter, "--selector", &selector][..], &states[..]].concat();
    let shown = told(cx, helm, &place.words(&words), &format!("list the releases of {}", place.namespace)).await?;
    let found: Vec<serde_json::Value> = serde_json::from_str(&shown)
        .map_err(|e| StepError::failed(format!("helm's list of releases cannot be read: {e}")))?;
    Ok(!found.is_empty())
}

/// The labels that say whose a release is, as helm takes and selects them.
pub fn labels(cx: &StepContext<'_>) -> String {
    format!("hprun-run-id={},hprun-step={}", label(&cx.run.id), label(cx.step))
}

/// The text that a deployed release shows in `helm history`: who made it and by which call. helm writes it only when all
/// is done.
pub fn description(cx: &StepContext<'_>, token: &str) -> String {
    format!("hprun:{} {} {}", cx.run.id, cx.step, call(token))
}

/// A call, told by the end of its token.
fn call(token: &str) -> String {
    let parts = token.rsplitn(3, '-').take(2).collect::<Vec<_>>();
    parts.into_iter().rev().collect::<Vec<_>>().join("-")
}

/// What helm selects releases of this step by: made by this run, or by one whose things passed to it.
fn selector(cx: &StepContext<'_>) -> String {
    let runs = cx.run.lineage.iter().chain([&cx.run.id]).map(|run| label(run));
    format!("hprun-run-id in ({}),hprun-step={}", runs.collect::<Vec<_>>().join(","), label(cx.step))
}

/// The call by which this step last changed a release of this description, in this run or in one whose things passed to it:
/// the end of its token, empty where the description does not say it.
fn call_in<'a>(cx: &StepContext<'_>, description: &'a str) -> Option<&'a str> {
    let (run, rest) = description.strip_prefix("hprun:")?.split_once(' ')?;
    let call = rest.strip_prefix(cx.step).filter(|_| cx.is_ours(run))?;
    if call.is_empty() { Some(call) } else { call.strip_prefix(' ') }
}

/// A label's value holds 63 of few characters (Kubernetes API conventions).
fn label(text: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    let short: String = text.chars().map(fits).take(63).collect();
    short.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

fn foreign(place: &Place, standing: &Standing) -> StepError {
    let Info { status, description, last_deployed } = &standing.info;
    let id = place.id();
    let by = match description.strip_prefix("hprun:").and_then(|rest| rest.split_once(' ')) {
        Some((run, rest)) => format!("step {} of the run {run}", rest.split(' ').next().unwrap_or_default()),
        None => format!("\"{description}\""),
    };
    StepError::refused(format!("the release {id} is there and is not of this run"))
        .because(format!("it is {status} at revision {}, last changed {last_deployed} by {by}", standing.version))
        .help("choose another `release`, or say `adopt: true` to take it over")
}

fn foreign_change(place: &Place, standing: &Standing) -> StepError {
    let Info { status, description, last_deployed } = &standing.info;
    StepError::refused(format!("someone else is changing the release {}", place.id()))
        .because(format!("it is {status} since {last_deployed}: {description}"))
        .help("wait for its end, then resume; if nobody is at it any more, `helm rollback` or `helm uninstall` it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_hold_what_kubernetes_takes() {
        assert_eq!(label("01k9-run"), "01k9-run");
        assert_eq!(label("_charts & more_"), "charts___more");
        assert_eq!(label(&"x".repeat(70)).len(), 63);
    }
}

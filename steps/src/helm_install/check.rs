//! What can be known to be wrong with the inputs of helm-install before anything runs.
//! Knows nothing of helm itself or of any cluster.

use std::time::Duration;

use crate::codes::{live, neighbours};
use crate::duration;
use crate::files::{FileInput, FileKind, Files};
use crate::finding::{At, Finding};
use crate::partial::Partial;
use crate::question::{Asked, Question, Wish};
use crate::value::Value;

/// The kinds of source that a chart can have.
const SOURCES: &str = "path, archive, repository, oci, git";

/// The files that the inputs name.
pub fn files(inputs: &Partial) -> Vec<FileInput> {
    let chart = inputs.get("chart");
    let values = match inputs.get("values-files") {
        Some(Partial::List(items, _)) => items.iter().collect(),
        Some(Partial::Known(..) | Partial::Unknown(..) | Partial::Map(..)) | None => Vec::new(),
    };
    [
        chart.and_then(|chart| FileInput::named(chart, "path", FileKind::Folder)),
        chart.and_then(|chart| FileInput::named(chart, "archive", FileKind::File)),
        FileInput::named(inputs, "sandbox-chart", FileKind::Either),
    ]
    .into_iter()
    .chain(values.into_iter().map(|item| FileInput::of(item, FileKind::File)))
    .flatten()
    .collect()
}

/// What is asked before the run: whether the name of the release is free in the cluster that the pipeline connects to.
pub fn questions(inputs: &Partial) -> Vec<Asked> {
    let adopt = matches!(inputs.get("adopt"), Some(Partial::Known(Value::Bool(true), _)));
    let at = At::Pipeline(inputs.get("release").unwrap_or(inputs).place());
    let both = Wish::text(inputs.get("release")).and(Wish::text(inputs.get("namespace")));
    let question = |(release, namespace)| Question::Release { eks: String::new(), namespace, release, adopt };
    Asked::of(&live::RELEASE, &at, both, question).into_iter().collect()
}

/// All that is wrong, in one pass.
pub fn check(inputs: &Partial, files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(chart) = inputs.get("chart") {
        findings.extend(one_source(chart));
        findings.extend(commit(chart));
        findings.extend(["repository", "oci"].into_iter().filter_map(|source| version(chart.get(source)?)));
        findings.extend(is_chart(chart.get("path"), files));
    }
    findings.extend(is_chart(inputs.get("sandbox-chart"), files));
    for (key, longest) in [("release", 53), ("namespace", 63)] {
        findings.extend(name(inputs.get(key), key, longest));
    }
    if let Some(at) = inputs.get("timeout")
        && let Some(text) = at.as_str()
        && let Err(why) = timeout(text)
    {
        findings.push(Finding::error(&neighbours::WRONG_TIME, at.place(), why).help(duration::UNITS));
    }
    findings
}

/// helm's own timeout.
///
/// # Errors
/// It is no duration, or none at all.
pub fn timeout(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Some(duration) if duration >= Duration::from_secs(1) => Ok(duration),
        Some(_) => Err(format!("the timeout {text} is under a second")),
        None => Err(format!("the timeout {text} is no duration")),
    }
}

/// Whether `text` is a full commit id.
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn one_source(chart: &Partial) -> Option<Finding> {
    let Partial::Map(entries, place) = chart else { return None };
    match entries.len() {
        1 => None,
        0 => Some(
            Finding::error(&neighbours::CHART_SOURCE, *place, "the chart has no source")
                .help(format!("give one of {SOURCES}")),
        ),
        _ => {
            let given = entries.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let message = format!("the chart has more than one source: {given}");
            Some(Finding::error(&neighbours::CHART_SOURCE, *place, message).help(format!("give one of {SOURCES}")))
        }
    }
}

fn commit(chart: &Partial) -> Option<Finding> {
    let at = chart.get("git")?.get("commit")?;
    let text = at.as_str()?;
    let message = format!("the commit {text} is not a full commit id");
    (!is_commit(text)).then(|| {
        Finding::error(&neighbours::CHART_NOT_PINNED, at.place(), message)
            .help("give all 40 digits (`git rev-parse`): a branch or a tag can move")
    })
}

/// A version of which it is sure that it names no one version. helm takes `1.2` for a version where a chart has that one.
fn version(source: &Partial) -> Option<Finding> {
    let at = source.get("version")?;
    let text = at.as_str()?;
    let message = format!("\"{text}\" is no exact version");
    (!is_version(text)).then(|| {
        Finding::error(&neighbours::CHART_NOT_PINNED, at.place(), message)
            .help("give one version in full, such as 1.2.3: what a range or a word stands for changes")
    })
}

/// Whether `text` may be a version: up to three numbers, with what may stand before and after them.
fn is_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = text.split_once('+').unwrap_or((text, "0"));
    let (numbers, before) = text.split_once('-').unwrap_or((text, "0"));
    let numbers: Vec<&str> = numbers.split('.').collect();
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    numbers.len() <= 3
        && numbers.iter().all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
        && before.split('.').chain(build.split('.')).all(is_word)
}

fn is_chart(at: Option<&Partial>, files: &Files) -> Option<Finding> {
    let at = at?;
    let path = at.as_str()?;
    let lacks = files.is_folder(path) && files.get(&format!("{path}/Chart.yaml")).is_err();
    lacks.then(|| {
        Finding::error(&neighbours::NOT_A_CHART, at.place(), format!("{path} is no chart: it has no Chart.yaml"))
    })
}

/// Names that Kubernetes and helm take (RFC 1123 labels; helm's limit is 53).
fn name(at: Option<&Partial>, key: &str, longest: usize) -> Option<Finding> {
    let at = at?;
    let text = at.as_str()?;
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || (key == "release" && b == b'.');
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let good =
        text.len() <= longest && text.bytes().all(inner) && edge(text.bytes().next()) && edge(text.bytes().next_back());
    (!good).then(|| {
        Finding::error(&neighbours::WRONG_RELEASE_NAME, at.place(), format!("\"{text}\" is no name for a {key}")).help(
            format!("use at most {longest} lower-case letters, digits and `-`, with a letter or digit at both ends"),
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn messages(inputs: serde_json::Value) -> Vec<String> {
        let inputs = Partial::from_value(&Value::from_json(&inputs));
        check(&inputs, &Files::default()).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn all_that_is_wrong_is_found_in_one_pass() {
        let git = json!({ "url": "https://example.com/x", "commit": "main", "path": "charts/x" });
        assert_eq!(
            messages(
                json!({ "chart": { "git": git, "path": "x" }, "release": "A", "namespace": "a.b", "timeout": "5" })
            ),
            [
                "the chart has more than one source: git, path",
                "the commit main is not a full commit id",
                "\"A\" is no name for a release",
                "\"a.b\" is no name for a namespace",
                "the timeout 5 is no duration",
            ]
        );
        assert_eq!(messages(json!({ "chart": {} })), ["the chart has no source"]);
        let pinned = json!({ "url": "u", "commit": "0".repeat(40), "path": "p" });
        assert!(messages(json!({ "chart": { "git": pinned }, "release": "a-1", "timeout": "5m" })).is_empty());
    }

    #[test]
    fn a_version_is_one_version() {
        let of = |source: &str, version: &str| {
            messages(json!({ "chart": { source: { "version": version } }, "release": "a", "namespace": "b" }))
        };
        for range in
            ["^1.0", "~1.2.3", "latest", "1.x", "1.2.*", "*", ">=1.0.0", "1.0.0 - 2.0.0", "1.2.3.4", "v", "", "1..2"]
        {
            for source in ["repository", "oci"] {
                assert_eq!(of(source, range), [format!("\"{range}\" is no exact version")]);
            }
        }
        for one in ["1.2.3", "v1.2.3", "0.1.0-rc.1", "1.2.3-a-b+build.5", "1.2.3+x-y", "2024.10.1", "1.2"] {
            assert!(of("oci", one).is_empty(), "{one}");
        }
    }
}

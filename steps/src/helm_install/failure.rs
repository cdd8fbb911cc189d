//! What a failure of helm means: it exits 1 whatever happened, so its words decide, those of helm 3 and of helm 4.
//! Knows nothing of what was asked of helm.

use super::process::Ran;
use crate::error::{ErrorClass, StepError};

/// Most lines of helm's own words to show.
const LINES: usize = 12;

/// Words (in lower case) in helm's standard error, the class, what it means, what to do. The first that fits counts.
const MEANINGS: [(&str, ErrorClass, &str, &str); 27] = [
    ("getting credentials: exec", ErrorClass::Login, "no token could be made for the caller", LOGIN),
    (
        "asked for the client to provide credentials",
        ErrorClass::Refused,
        "the cluster does not know the caller",
        ACCESS,
    ),
    ("unauthorized", ErrorClass::Refused, "the cluster or the registry does not know the caller", ACCESS),
    ("kubernetes cluster unreachable", ErrorClass::Transient, "the cluster's API cannot be reached", REACH),
    (
        "invalid ownership metadata",
        ErrorClass::Refused,
        "the cluster has an object of the chart that is not of this release",
        OWNERSHIP,
    ),
    ("has no deployed releases", ErrorClass::Refused, "the release exists but was never deployed", UNINSTALL),
    (
        "is in progress",
        ErrorClass::Failed,
        "someone else is changing the release",
        "wait for its end, or look at `helm history`",
    ),
    ("name that is still in use", ErrorClass::Refused, "the release was made meanwhile by someone else", UNINSTALL),
    ("is forbidden", ErrorClass::Refused, "the caller may not do that in the cluster", ACCESS),
    ("context deadline exceeded", ErrorClass::Failed, "it was not ready in time", TIME),
    ("timed out waiting for the condition", ErrorClass::Failed, "it was not ready in time", TIME),
    ("release interrupted", ErrorClass::Unknown, "helm was told to stop", "resume"),
    ("meet the specifications of the schema", ErrorClass::Invalid, "the chart does not take these values", VALUES),
    (
        "is out of sync",
        ErrorClass::Invalid,
        "Chart.lock does not fit Chart.yaml",
        "run `helm dependency update` in the chart",
    ),
    ("chart.yaml file is missing", ErrorClass::Invalid, "it is no chart", CHART),
    ("missing in charts/ directory", ErrorClass::Invalid, "a dependency of the chart is missing", CHART),
    ("not a valid chart repository", ErrorClass::Transient, "the chart's repository does not answer", DOWNLOAD),
    ("no such host", ErrorClass::Transient, "the chart cannot be fetched", DOWNLOAD),
    ("connection refused", ErrorClass::Transient, "the chart cannot be fetched", DOWNLOAD),
    ("i/o timeout", ErrorClass::Transient, "the chart cannot be fetched", DOWNLOAD),
    ("not found in", ErrorClass::Invalid, "the repository has no such chart or version", CHART),
    (
        "no matches for kind",
        ErrorClass::Failed,
        "the cluster does not know a kind that the chart uses",
        "install what defines it first",
    ),
    ("chart.metadata", ErrorClass::Invalid, "the chart is invalid", CHART),
    ("execution error at", ErrorClass::Invalid, "the chart cannot be rendered with these values", VALUES),
    ("parse error", ErrorClass::Invalid, "the chart is invalid", CHART),
    ("yaml", ErrorClass::Invalid, "the chart or its values are invalid", CHART),
    ("chart(s) failed", ErrorClass::Invalid, "the chart is invalid", CHART),
];

const LOGIN: &str = "log in to AWS again, then resume: nothing is lost";
const ACCESS: &str = "give the caller an access entry with AmazonEKSClusterAdminPolicy; update-kubeconfig says how";
const REACH: &str = "check the network and that the cluster is there, then resume";
const OWNERSHIP: &str = "remove that object, or give it helm's labels and annotations, then resume";
const UNINSTALL: &str = "look at it with `helm status`; if nobody needs it, `helm uninstall` it, then resume";
const TIME: &str = "look at its pods (Pending ones wait for nodes); set `wait: false` or a longer `timeout`";
const VALUES: &str = "mend `values`";
const CHART: &str = "mend the chart or where it is taken from";
const DOWNLOAD: &str = "check the network and the address, then resume";

/// The failure of `doing` (such as `upgrade the release x`), from what helm left.
pub fn explain(doing: &str, ran: &Ran) -> StepError {
    let lines = words(&ran.stderr);
    let all = lines.join("\n").to_lowercase();
    let meaning = MEANINGS.iter().find(|(words, ..)| all.contains(words));
    let failure = match meaning {
        _ if ran.killed => StepError::new(ErrorClass::Unknown, format!("helm could not {doing}: it was killed")),
        Some((_, class, meaning, help)) => {
            StepError::new(*class, format!("helm could not {doing}: {meaning}")).help(*help)
        }
        None => StepError::failed(format!("helm could not {doing}")),
    };
    lines.into_iter().take(LINES).fold(failure, StepError::because)
}

/// Whether helm says that there is no such release.
pub fn is_not_found(ran: &Ran) -> bool {
    !ran.success && ran.stderr.to_lowercase().contains("release: not found")
}

/// The lines of standard error that tell of the failure: helm 4 warns there also when all is well.
fn words(stderr: &str) -> Vec<String> {
    let is_noise = |line: &str| {
        line.is_empty() || line.contains("level=WARN") || line.contains("level=INFO") || line.starts_with("WARNING:")
    };
    stderr.lines().map(str::trim).filter(|line| !is_noise(line)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stderr: &str) -> (ErrorClass, String) {
        let ran = Ran { success: false, killed: false, stdout: String::new(), stderr: stderr.to_owned() };
        let error = explain("upgrade x", &ran);
        (error.class, error.message)
    }

    #[test]
    fn helm_3_and_helm_4_say_the_same_in_different_words() {
        for (words, class, message) in [
            (
                "Error: Kubernetes cluster unreachable: Get \"https://127.0.0.1:1/version\": dial tcp: connection refused",
                ErrorClass::Transient,
                "helm could not upgrade x: the cluster's API cannot be reached",
            ),
            (
                "level=WARN msg=careful\nError: kubernetes cluster unreachable: the server has asked for the client to provide credentials",
                ErrorClass::Refused,
                "helm could not upgrade x: the cluster does not know the caller",
            ),
            (
                "Error: Kubernetes cluster unreachable: Get \"https://127.0.0.1:1/version\": getting credentials: exec: executable /bin/hprun failed with exit code 3",
                ErrorClass::Login,
                "helm could not upgrade x: no token could be made for the caller",
            ),
            (
                "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
                ErrorClass::Failed,
                "helm could not upgrade x: someone else is changing the release",
            ),
            (
                "Error: INSTALLATION FAILED: cannot re-use a name that is still in use",
                ErrorClass::Refused,
                "helm could not upgrade x: the release was made meanwhile by someone else",
            ),
            (
                "Error: INSTALLATION FAILED: cannot reuse a name that is still in use",
                ErrorClass::Refused,
                "helm could not upgrade x: the release was made meanwhile by someone else",
            ),
            (
                "Error: UPGRADE FAILED: context deadline exceeded",
                ErrorClass::Failed,
                "helm could not upgrade x: it was not ready in time",
            ),
            (
                "Error: \"x\" has no deployed releases",
                ErrorClass::Refused,
                "helm could not upgrade x: the release exists but was never deployed",
            ),
            ("Error: something new", ErrorClass::Failed, "helm could not upgrade x"),
        ] {
            assert_eq!(check(words), (class, message.to_owned()), "{words}");
        }
    }
}

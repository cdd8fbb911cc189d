//! Mistakes in lifecycle scripts, charts, kubeconfigs, waits and environment files.
//! Knows nothing of the cluster.

use crate::finding::Code;

/// A lifecycle script would fail on every node.
pub static SCRIPT_WOULD_FAIL: Code = Code {
    number: 801,
    title: "a lifecycle script would fail on every node",
    cause: "It has CRLF line ends, no `#!` line, a byte order mark, or is empty: the node would fail after minutes. A script that another one names (sources, or starts) needs no `#!`; below the folder's root the lack of one is a warning.",
    example: "on_create.sh saved with Windows line ends",
    cure: "Save it with LF line ends and a first line `#!/bin/bash`.",
};

/// A script calls another that the folder does not have.
pub static SIBLING_MISSING: Code = Code {
    number: 802,
    title: "a script calls another that the folder does not have",
    cause: "The folder is uploaded as it is: what a script starts from beside itself must be in it. Nothing is said of what it asks for first (`[ -f x.sh ]`), makes, copies or fetches. The AWS sample only warns in such a case, and the node later runs out of disk.",
    example: "./on_create_main.sh      (and no such file)",
    cure: "Add the file to the folder.",
};

/// A folder of scripts cannot be uploaded as it is.
pub static FOLDER_EMPTY: Code = Code {
    number: 803,
    title: "a folder of scripts cannot be uploaded as it is",
    cause: "It is empty, leads out of itself by a link, or names a file that is not there.",
    example: "from: lifecycle/empty",
    cure: "Put the scripts into it.",
};

/// A chart has no source, or several.
pub static CHART_SOURCE: Code = Code {
    number: 804,
    title: "a chart has no source, or several",
    cause: "A chart comes from a path, a repository or a commit: exactly one.",
    example: "chart: { path: a, repo: b }",
    cure: "Give one.",
};

/// A chart is not pinned.
pub static CHART_NOT_PINNED: Code = Code {
    number: 805,
    title: "a chart is not pinned",
    cause: "A branch or a tag can move, and a range of versions has a new last one: the run of tomorrow would install something else.",
    example: "commit: main",
    cure: "Give the full commit, or the exact version.",
};

/// A folder is no chart.
pub static NOT_A_CHART: Code = Code {
    number: 806,
    title: "a folder is no chart",
    cause: "A chart has a Chart.yaml.",
    example: "chart: { path: docs }",
    cure: "Name the folder of the chart.",
};

/// A name of a release or a namespace is not one.
pub static WRONG_RELEASE_NAME: Code = Code {
    number: 807,
    title: "a name of a release or a namespace is not one",
    cause: "Kubernetes takes lower-case letters, digits and hyphens.",
    example: "release: My_Release",
    cure: "Write it so.",
};

/// A time cannot be read.
pub static WRONG_TIME: Code = Code {
    number: 808,
    title: "a time cannot be read",
    cause: "Times have units.",
    example: "timeout: 300",
    cure: "Write 5m or 300s.",
};

/// A wait has no subject, or several.
pub static WAIT_SUBJECT: Code = Code {
    number: 809,
    title: "a wait has no subject, or several",
    cause: "One step waits for one thing.",
    example: r"cluster: a
stack: b",
    cure: "Make two steps of it.",
};

/// An input of a wait does not go with its subject.
pub static WAIT_BESIDE: Code = Code {
    number: 810,
    title: "an input of a wait does not go with its subject",
    cause: "Some inputs belong to one subject only.",
    example: "until: nodes-running      (without a cluster)",
    cure: "Leave it out, or add what it needs.",
};

/// A name for an output is not one.
pub static WRONG_OUTPUT_NAME: Code = Code {
    number: 811,
    title: "a name for an output is not one",
    cause: "Names of outputs stand in expressions.",
    example: r#"map: { "my vpc": MyVpc }"#,
    cure: "Write letters, digits and `_`.",
};

/// A name for a shell variable is not one, or its value has no text.
pub static WRONG_VARIABLE: Code = Code {
    number: 812,
    title: "a name for a shell variable is not one, or its value has no text",
    cause: "The file is sourced by a shell.",
    example: r#"env: { "MY-VAR": 1 }"#,
    cure: "Write letters, digits and `_`; give text.",
};

/// An input has no effect.
pub static NO_EFFECT: Code = Code {
    number: 813,
    title: "an input has no effect",
    cause: "It needs another input to mean anything.",
    example: "env: { A: 1 }      (without env-file)",
    cure: "Add the other input, or remove this one.",
};

/// A bucket or a prefix is not one.
pub static WRONG_TARGET: Code = Code {
    number: 814,
    title: "a bucket or a prefix is not one",
    cause: "S3 takes names of 3 to 63 lower-case letters, digits, hyphens and dots; a prefix is a path without the bucket.",
    example: "bucket: s3://my-bucket/scripts",
    cure: "Give the bucket's name alone under `bucket`, the path under `prefix`.",
};

/// All of them, in order of number.
pub static ALL: &[&Code] = &[
    &SCRIPT_WOULD_FAIL,
    &SIBLING_MISSING,
    &FOLDER_EMPTY,
    &CHART_SOURCE,
    &CHART_NOT_PINNED,
    &NOT_A_CHART,
    &WRONG_RELEASE_NAME,
    &WRONG_TIME,
    &WAIT_SUBJECT,
    &WAIT_BESIDE,
    &WRONG_OUTPUT_NAME,
    &WRONG_VARIABLE,
    &NO_EFFECT,
    &WRONG_TARGET,
];

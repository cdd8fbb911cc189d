//! Mistakes in templates of files, and in what they give.
//! Knows nothing of what the file is for.

use crate::finding::Code;

/// A template of a file cannot be read.
pub static WRONG_TEMPLATE: Code = Code {
    number: 601,
    title: "a template of a file cannot be read",
    cause: "The text is no Handlebars template (a block is not closed, say), its partials call each other without an end, or it gives more than 32 MB.",
    example: "{{#if gpu}} …      (and no {{/if}})",
    cure: "Mend the place that is named.",
};

/// A template uses a value that its step does not give.
pub static UNKNOWN_VALUE: Code = Code {
    number: 602,
    title: "a template uses a value that its step does not give",
    cause: "A template sees only the `values` of its step. The AWS sample renders an empty text in such a place, and with it invalid JSON.",
    example: r#""InstanceCount": {{json ACCEL_COUNT}}      (values: { ACCEL_INSTANCE_COUNT: 1 })"#,
    cure: "Add it under `values`, or write the name that the message suggests.",
};

/// The rendered file is not JSON.
pub static NOT_JSON: Code = Code {
    number: 603,
    title: "the rendered file is not JSON",
    cause: "Whatever the values will be, the text is no JSON; a warning says that it is JSON for some values only.",
    example: r#""Count": ,"#,
    cure: "Mend the place that is named; write values with {{json …}}.",
};

/// The rendered file is not YAML.
pub static NOT_YAML: Code = Code {
    number: 604,
    title: "the rendered file is not YAML",
    cause: "Whatever the values will be, the text is no YAML. Several documents in one file are fine.",
    example: "a: [1",
    cure: "Mend the template.",
};

/// A schema is asked for where none can be checked.
pub static SCHEMA_WITHOUT_JSON: Code = Code {
    number: 605,
    title: "a schema is asked for where none can be checked",
    cause: "Only JSON is checked against a schema.",
    example: r"format: text
schema: create-cluster",
    cure: "Write `format: json`.",
};

/// A helper of a template is used wrongly.
pub static WRONG_HELPER_USE: Code = Code {
    number: 606,
    title: "a helper of a template is used wrongly",
    cause: "A list or a map has no text, a helper lacks an argument, or there is no helper of that name.",
    example: r#""Subnets": {{subnets}}"#,
    cure: "Write {{json subnets}}.",
};

/// The result would take the place of its template.
pub static OVER_ITS_TEMPLATE: Code = Code {
    number: 607,
    title: "the result would take the place of its template",
    cause: "`to` names the template itself: after the first run the template is gone, and what was rendered stands in its place.",
    example: r"template: cluster.json
to: ./cluster.json",
    cure: "Name another file, or leave `to` out: the result then lies in a folder of the run.",
};

/// All of them, in order of number.
pub static ALL: &[&Code] = &[
    &WRONG_TEMPLATE,
    &UNKNOWN_VALUE,
    &NOT_JSON,
    &NOT_YAML,
    &SCHEMA_WITHOUT_JSON,
    &WRONG_HELPER_USE,
    &OVER_ITS_TEMPLATE,
];

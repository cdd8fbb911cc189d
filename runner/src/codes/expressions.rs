//! Mistakes in expressions: their form, and the names in them.
//! Knows nothing of values.

use hprun_steps::finding::Code;

/// An expression cannot be read.
pub static WRONG_EXPRESSION: Code = Code {
    number: 301,
    title: "an expression cannot be read",
    cause: "What stands between `{{` and `}}` is Handlebars: a name, or a helper with its arguments.",
    example: r#"name: "{{ params. }}""#,
    cure: "Write {{ params.NAME }}, {{ steps.ID.outputs.NAME }} or {{ helper argument … }}.",
};

/// There is no such helper.
pub static UNKNOWN_HELPER: Code = Code {
    number: 302,
    title: "there is no such helper",
    cause: "Helpers are the words that begin an expression with arguments.",
    example: r#"name: "{{ uppercase params.name }}""#,
    cure: "Write one of those that the message lists.",
};

/// There is nothing of this name.
pub static UNKNOWN_NAME: Code = Code {
    number: 303,
    title: "there is nothing of this name",
    cause: "Names begin with `params`, `steps` or `run`.",
    example: r#"name: "{{ param.region }}""#,
    cure: "Write the name that the message suggests.",
};

/// There is no such param.
pub static UNKNOWN_PARAM: Code = Code {
    number: 304,
    title: "there is no such param",
    cause: "The expression names a param that the pipeline does not declare.",
    example: r#"bucket: "{{ params.buckt }}""#,
    cure: "Write the name that the message suggests, or declare the param.",
};

/// There is no such step.
pub static UNKNOWN_STEP: Code = Code {
    number: 305,
    title: "there is no such step",
    cause: "The expression names a step that the pipeline does not have.",
    example: r#"stack: "{{ steps.stak.outputs.name }}""#,
    cure: "Write the id that the message suggests.",
};

/// The step has no such output.
pub static UNKNOWN_OUTPUT: Code = Code {
    number: 306,
    title: "the step has no such output",
    cause: "Outputs are declared before the run: by the step type, and for deploy-stack by the template and its parameters.",
    example: r#"bucket: "{{ steps.infra.outputs.bucket }}""#,
    cure: "Write one that the message lists.",
};

/// A step is used that has not surely run.
pub static MAY_NOT_HAVE_RUN: Code = Code {
    number: 307,
    title: "a step is used that has not surely run",
    cause: "Without a need on the way two steps run side by side: the output may not be there yet.",
    example: r#"- id: b
  needs: []
  with: { name: "{{ steps.a.outputs.name }}" }"#,
    cure: "Add the step to `needs`.",
};

/// An output may be missing.
pub static NEEDS_DEFAULT: Code = Code {
    number: 308,
    title: "an output may be missing",
    cause: "A step with `when` may be skipped, one with `on-failure: continue` may fail: then there are no outputs.",
    example: r#"bucket: "{{ steps.maybe.outputs.bucket }}""#,
    cure: "Give a default: {{ default steps.maybe.outputs.bucket 'NAME' }}.",
};

/// A value has no parts.
pub static NO_PARTS: Code = Code {
    number: 309,
    title: "a value has no parts",
    cause: "Only lists and maps have parts.",
    example: r#"name: "{{ params.region.name }}""#,
    cure: "Leave the part out.",
};

/// Only params may be used here.
pub static PARAMS_ONLY: Code = Code {
    number: 310,
    title: "only params may be used here",
    cause: "`aws:` is settled before anything runs, and `template` and `map` decide which outputs a step has: both must be known before.",
    example: r#"aws: { region: "{{ steps.a.outputs.region }}" }"#,
    cure: "Use a param.",
};

/// `status` is used outside `finally`.
pub static STATUS_OUTSIDE_FINALLY: Code = Code {
    number: 311,
    title: "`status` is used outside `finally`",
    cause: "A step starts only when what it needs went well; there is no other status to see.",
    example: r#"when: "{{ eq steps.a.status 'failed' }}""#,
    cure: "Move the step under `finally`.",
};

/// A list or a map stands inside a longer text.
pub static LIST_IN_TEXT: Code = Code {
    number: 312,
    title: "a list or a map stands inside a longer text",
    cause: "It has no text that would be meant.",
    example: r#"name: "subnets {{ params.subnets }}""#,
    cure: "Let the expression be the whole value, or use {{ join … }} or {{ json … }}.",
};

/// An argument of a helper is wrong.
pub static WRONG_ARGUMENT: Code = Code {
    number: 313,
    title: "an argument of a helper is wrong",
    cause: "Each helper takes a certain number of arguments, of certain kinds.",
    example: r#"count: "{{ len params.count }}""#,
    cure: "Give what the message names.",
};

/// An expression has no value.
pub static NO_VALUE: Code = Code {
    number: 314,
    title: "an expression has no value",
    cause: "A name in it leads to nothing.",
    example: r#"name: "{{ default params.missing }}""#,
    cure: "Give the value, or a default.",
};

/// A step uses its own outputs.
pub static OWN_OUTPUT: Code = Code {
    number: 315,
    title: "a step uses its own outputs",
    cause: "They are there only when it has ended.",
    example: r#"- id: a
  with: { name: "{{ steps.a.outputs.name }}" }"#,
    cure: "Use an input of the step, or a param.",
};

/// `when` is no condition.
pub static WRONG_WHEN: Code = Code {
    number: 316,
    title: "`when` is no condition",
    cause: "A condition is one single expression that gives true or false.",
    example: r#"when: "{{ params.mode }}""#,
    cure: "Compare it: {{ eq params.mode 'full' }}.",
};

/// A secret is used in a condition or a helper.
pub static SECRET_COMPARED: Code = Code {
    number: 317,
    title: "a secret is used in a condition or a helper",
    cause: "What it gives would be recorded, and could tell the secret.",
    example: r#"when: "{{ eq params.password 'x' }}""#,
    cure: "Use a param that is no secret.",
};

/// A comparison never holds.
pub static NEVER_EQUAL: Code = Code {
    number: 318,
    title: "a comparison never holds",
    cause: "A text never equals a number, and a param is only ever one of its `enum`: the condition is always the same.",
    example: r#"params: { mode: { type: string, enum: [full, minimal] } }
…
when: "{{ eq params.mode 'mini' }}""#,
    cure: "Write a value that it may have, of its type; `number` makes a number of a text.",
};

/// All of them, in order of number.
pub static ALL: &[&Code] = &[
    &WRONG_EXPRESSION,
    &UNKNOWN_HELPER,
    &UNKNOWN_NAME,
    &UNKNOWN_PARAM,
    &UNKNOWN_STEP,
    &UNKNOWN_OUTPUT,
    &MAY_NOT_HAVE_RUN,
    &NEEDS_DEFAULT,
    &NO_PARTS,
    &PARAMS_ONLY,
    &STATUS_OUTSIDE_FINALLY,
    &LIST_IN_TEXT,
    &WRONG_ARGUMENT,
    &NO_VALUE,
    &OWN_OUTPUT,
    &WRONG_WHEN,
    &SECRET_COMPARED,
    &NEVER_EQUAL,
];

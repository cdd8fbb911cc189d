//! Mistakes in `with:`, seen from the schema of the step type.
//! Knows no step type.

use hprun_steps::finding::Code;

/// A step type has no such input.
pub static UNKNOWN_INPUT: Code = Code {
    number: 401,
    title: "a step type has no such input",
    cause: "A misspelt input would be ignored silently; so every one must be known.",
    example: r"type: deploy-stack
with: { nam: x }",
    cure: "Write the input that the message suggests.",
};

/// An input is missing.
pub static MISSING_INPUT: Code = Code {
    number: 402,
    title: "an input is missing",
    cause: "The step cannot do its work without it.",
    example: r"type: deploy-stack
with: { name: x }",
    cure: "Add it: `hprun steps TYPE` says what it means.",
};

/// An input is of the wrong type.
pub static WRONG_INPUT_TYPE: Code = Code {
    number: 403,
    title: "an input is of the wrong type",
    cause: "The step type takes another type of value. An expression counts as what it gives.",
    example: r#"with: { adopt: "yes" }"#,
    cure: "Write the type that the message names.",
};

/// An input is none of its values.
pub static NOT_A_CHOICE: Code = Code {
    number: 404,
    title: "an input is none of its values",
    cause: "The input takes only certain words.",
    example: "on-failure: keep",
    cure: "Write one that the message names.",
};

/// A number is out of range.
pub static OUT_OF_RANGE: Code = Code {
    number: 405,
    title: "a number is out of range",
    cause: "The input has a least or a greatest value.",
    example: "concurrency: 0",
    cure: "Write a number within the range.",
};

/// A text has the wrong form.
pub static NO_MATCH: Code = Code {
    number: 406,
    title: "a text has the wrong form",
    cause: "The input must match a pattern.",
    example: r#"account: "123""#,
    cure: "Write it in the form that the message names.",
};

/// A text is too short or too long.
pub static WRONG_LENGTH: Code = Code {
    number: 407,
    title: "a text is too short or too long",
    cause: "The input has a least or a greatest length.",
    example: r#"name: """#,
    cure: "Write a text of that length.",
};

/// A list has too few or too many items.
pub static WRONG_COUNT: Code = Code {
    number: 408,
    title: "a list has too few or too many items",
    cause: "The input takes a certain number of items.",
    example: "subnets: []",
    cure: "Write that many.",
};

/// A file that an input names cannot be read.
pub static UNREADABLE_FILE: Code = Code {
    number: 409,
    title: "a file that an input names cannot be read",
    cause: "Paths are relative to the pipeline file. What a step reads is read before anything runs.",
    example: "template: templats/a.yaml",
    cure: "Mend the path, or make the file readable.",
};

/// A secret enters an input that would show it.
pub static SECRET_NOT_TAKEN: Code = Code {
    number: 410,
    title: "a secret enters an input that would show it",
    cause: "Inputs are recorded and shown. A secret may only enter one that the step type keeps from sight.",
    example: r#"name: "{{ params.password }}""#,
    cure: "Use an input that is marked for a secret, or a param that is none.",
};

/// All of them, in order of number.
pub static ALL: &[&Code] = &[
    &UNKNOWN_INPUT,
    &MISSING_INPUT,
    &WRONG_INPUT_TYPE,
    &NOT_A_CHOICE,
    &OUT_OF_RANGE,
    &NO_MATCH,
    &WRONG_LENGTH,
    &WRONG_COUNT,
    &UNREADABLE_FILE,
    &SECRET_NOT_TAKEN,
];

//! Mistakes in params: how they are declared, and what they are given.
//! Knows nothing of steps.

use hprun_steps::finding::Code;

/// A param is declared wrongly.
pub static WRONG_DECLARATION: Code = Code {
    number: 201,
    title: "a param is declared wrongly",
    cause: "`params` is a map of names, each with its `type` and what else is known of it.",
    example: "params: [region]",
    cure: "Write `region: { type: string, description: … }`.",
};

/// A name for a param is not one.
pub static WRONG_PARAM_NAME: Code = Code {
    number: 202,
    title: "a name for a param is not one",
    cause: "Names of params become names of variables: a lower-case letter, then lower-case letters, digits, `_` and `-`.",
    example: "params: { Region: { type: string } }",
    cure: "Write it in lower case.",
};

/// There is no such param type.
pub static UNKNOWN_PARAM_TYPE: Code = Code {
    number: 203,
    title: "there is no such param type",
    cause: "There are string, integer, number, boolean, list and map.",
    example: "type: int",
    cure: "Write one of the six.",
};

/// A pattern cannot be read.
pub static WRONG_PATTERN: Code = Code {
    number: 204,
    title: "a pattern cannot be read",
    cause: "`pattern` is a regular expression for the whole value.",
    example: r#"pattern: "[a-z""#,
    cure: "Close the brackets; escape what is meant literally.",
};

/// A secret is declared as it cannot be.
pub static WRONG_SECRET: Code = Code {
    number: 205,
    title: "a secret is declared as it cannot be",
    cause: "A secret is text, and never stands in the file or on a command line: both are read by others.",
    example: "password: { type: string, secret: true, default: abc }",
    cure: "Give it by `env:` or `ssm:`.",
};

/// A default is no value of its param.
pub static WRONG_DEFAULT: Code = Code {
    number: 206,
    title: "a default is no value of its param",
    cause: "The default must be of the type and within the limits that the param declares, and known without any other value.",
    example: "count: { type: integer, default: many }",
    cure: "Write a value that the param accepts.",
};

/// A param is never used.
pub static UNUSED_PARAM: Code = Code {
    number: 207,
    title: "a param is never used",
    cause: "No expression names it: a value given for it changes nothing.",
    example: "params: { zone: { type: string } }     # and nothing says params.zone",
    cure: "Use it or remove it.",
};

/// A value for a param is not accepted.
pub static WRONG_PARAM_VALUE: Code = Code {
    number: 208,
    title: "a value for a param is not accepted",
    cause: "The value is not of the type, or not within the limits, that the param declares.",
    example: "hprun check f.yaml -p count=many",
    cure: "Give a value that the param accepts.",
};

/// A value is given for a param that is not declared.
pub static UNKNOWN_PARAM_GIVEN: Code = Code {
    number: 209,
    title: "a value is given for a param that is not declared",
    cause: "It would change nothing; the name is probably misspelt.",
    example: "hprun check f.yaml -p regoin=us-east-1",
    cure: "Write the name that the message suggests.",
};

/// A secret is given on the command line.
pub static SECRET_ON_COMMAND_LINE: Code = Code {
    number: 210,
    title: "a secret is given on the command line",
    cause: "Every user of the machine can read command lines.",
    example: "hprun run f.yaml -p password=abc",
    cure: "Give it in the environment or in a file.",
};

/// A param can have no value.
pub static EMPTY_RANGE: Code = Code {
    number: 211,
    title: "a param can have no value",
    cause: "Its minimum is above its maximum, or no choice fits the pattern.",
    example: "count: { type: integer, minimum: 5, maximum: 2 }",
    cure: "Turn the two round.",
};

/// All of them, in order of number.
pub static ALL: &[&Code] = &[
    &WRONG_DECLARATION,
    &WRONG_PARAM_NAME,
    &UNKNOWN_PARAM_TYPE,
    &WRONG_PATTERN,
    &WRONG_SECRET,
    &WRONG_DEFAULT,
    &UNUSED_PARAM,
    &WRONG_PARAM_VALUE,
    &UNKNOWN_PARAM_GIVEN,
    &SECRET_ON_COMMAND_LINE,
    &EMPTY_RANGE,
];

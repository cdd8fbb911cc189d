//! Mistakes in CloudFormation templates and in what they are given.
//! Knows nothing of stacks.

use crate::finding::Code;

/// The template cannot be read.
pub static UNREADABLE_TEMPLATE: Code = Code {
    number: 501,
    title: "the template cannot be read",
    cause: "CloudFormation takes YAML or JSON with a mapping `Resources` in it.",
    example: r"Resources:
  A: [",
    cure: "Mend the place that is named.",
};

/// A name of a stack is not one.
pub static WRONG_STACK_NAME: Code = Code {
    number: 502,
    title: "a name of a stack is not one",
    cause: "A letter, then letters, digits and hyphens, at most 128.",
    example: "name: my_stack",
    cure: "Write it with hyphens.",
};

/// The template is too large.
pub static TEMPLATE_TOO_LARGE: Code = Code {
    number: 503,
    title: "the template is too large",
    cause: "CloudFormation takes 51,200 bytes in a request, and 1 MB from S3.",
    example: "A template of 60 KB without `template-bucket`",
    cure: "Name a bucket for it, or split it into nested stacks.",
};

/// The template has no such parameter.
pub static UNKNOWN_PARAMETER: Code = Code {
    number: 504,
    title: "the template has no such parameter",
    cause: "CloudFormation refuses values for parameters that the template does not declare.",
    example: "parameters: { CreateEksCluster: true }",
    cure: "Write the name that the message suggests.",
};

/// A parameter has no value.
pub static MISSING_PARAMETER: Code = Code {
    number: 505,
    title: "a parameter has no value",
    cause: "The template gives it no default, so the step must.",
    example: "Zone: { Type: String }      (and nothing under `parameters`)",
    cure: "Add it under `parameters`, or give it a Default.",
};

/// A parameter does not accept its value.
pub static WRONG_PARAMETER_VALUE: Code = Code {
    number: 506,
    title: "a parameter does not accept its value",
    cause: "The template limits it: AllowedValues, AllowedPattern, lengths, ranges, type.",
    example: "CreateSubnet: yes      (AllowedValues: true, false)",
    cure: "Write a value that the message names.",
};

/// A secret enters a parameter that is shown.
pub static SECRET_PARAMETER_SHOWN: Code = Code {
    number: 507,
    title: "a secret enters a parameter that is shown",
    cause: "Without `NoEcho: true` everyone who may describe the stack can read it.",
    example: "Password: { Type: String }",
    cure: "Give the parameter `NoEcho: true`.",
};

/// All of them, in order of number.
pub static ALL: &[&Code] = &[
    &UNREADABLE_TEMPLATE,
    &WRONG_STACK_NAME,
    &TEMPLATE_TOO_LARGE,
    &UNKNOWN_PARAMETER,
    &MISSING_PARAMETER,
    &WRONG_PARAMETER_VALUE,
    &SECRET_PARAMETER_SHOWN,
];

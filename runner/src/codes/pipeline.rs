//! Mistakes in the shape of a pipeline: its keys, its steps, their order.
//! Knows nothing of what steps do.

use hprun_steps::finding::Code;

/// A key is not known here.
pub static UNKNOWN_KEY: Code = Code {
    number: 101,
    title: "a key is not known here",
    cause: "A misspelt key would be ignored silently, and with it what it should do; so every key must be one that hprun knows.",
    example: r"steps:
  - id: a
    type: approve
    timout: 5m",
    cure: "Write the key that the message suggests.",
};

/// A key is missing.
pub static MISSING_KEY: Code = Code {
    number: 102,
    title: "a key is missing",
    cause: "The pipeline or the step cannot be understood without it.",
    example: r"apiVersion: hprun/v1
steps: []        # no name",
    cure: "Add the key.",
};

/// The file is of another format.
pub static OTHER_VERSION: Code = Code {
    number: 103,
    title: "the file is of another format",
    cause: "`apiVersion` names the format of the file. A file of another format may have other keys, so nothing more is said of it.",
    example: "apiVersion: hprun/v2",
    cure: "Write `apiVersion: hprun/v1`, or use the hprun that reads the other format.",
};

/// A name for a pipeline is not one.
pub static WRONG_NAME: Code = Code {
    number: 104,
    title: "a name for a pipeline is not one",
    cause: "The name goes into tags and file names: a lower-case letter, then lower-case letters, digits and hyphens, 63 at most.",
    example: "name: My Pipeline",
    cure: "Write it as `my-pipeline`.",
};

/// The pipeline has no step.
pub static NO_STEPS: Code = Code {
    number: 105,
    title: "the pipeline has no step",
    cause: "There is nothing to run.",
    example: "steps: []",
    cure: "Add a step: `- id: …`, `type: …`.",
};

/// `steps` or `finally` is no list.
pub static NOT_A_LIST_OF_STEPS: Code = Code {
    number: 106,
    title: "`steps` or `finally` is no list",
    cause: "Steps are items of a list, each with its id.",
    example: r"steps:
  stack: { type: deploy-stack }",
    cure: "Begin each step with `- id: …`.",
};

/// An id of a step is not one.
pub static WRONG_ID: Code = Code {
    number: 107,
    title: "an id of a step is not one",
    cause: "Ids go into tags, names and expressions: a lower-case letter, then lower-case letters, digits and hyphens, 63 at most.",
    example: "- id: Deploy_Stack",
    cure: "Write it as `deploy-stack`.",
};

/// Two steps have the same id.
pub static ID_TAKEN: Code = Code {
    number: 108,
    title: "two steps have the same id",
    cause: "Expressions, the record and `--from` name steps by their id: it must be one step.",
    example: r"- id: stack
- id: stack",
    cure: "Give one of them another id.",
};

/// There is no such step type.
pub static UNKNOWN_TYPE: Code = Code {
    number: 109,
    title: "there is no such step type",
    cause: "`hprun steps` lists the types that this hprun has.",
    example: "type: deploy-stak",
    cure: "Write the type that the message suggests.",
};

/// `needs` lists no ids.
pub static WRONG_NEEDS: Code = Code {
    number: 110,
    title: "`needs` lists no ids",
    cause: "`needs` says which steps must have ended well before this one starts: a list of ids.",
    example: "needs: { stack: true }",
    cure: "Write `needs: [a, b]`, or `needs: []` to start at once.",
};

/// A step that is needed does not exist.
pub static UNKNOWN_NEED: Code = Code {
    number: 111,
    title: "a step that is needed does not exist",
    cause: "The id in `needs` is that of no step.",
    example: "needs: [stak]",
    cure: "Write the id that the message suggests.",
};

/// Steps need each other.
pub static CYCLE: Code = Code {
    number: 112,
    title: "steps need each other",
    cause: "Each waits for the other, so none can ever start.",
    example: r"- id: a
  needs: [b]
- id: b
  needs: [a]",
    cure: "Remove one of these needs. A step without `needs` needs the step above it.",
};

/// A need is listed twice.
pub static NEEDED_TWICE: Code = Code {
    number: 113,
    title: "a need is listed twice",
    cause: "It does no harm, but one of the two was probably meant to be another step.",
    example: "needs: [stack, stack]",
    cure: "Remove one of them.",
};

/// A step needs one that runs after it, or the other way round.
pub static FINALLY_TOO_LATE: Code = Code {
    number: 114,
    title: "a step needs one that runs after it, or the other way round",
    cause: "Steps under `finally` start when all others have ended: no other step can wait for them, and they need not name the others.",
    example: r"steps:
  - id: a
    needs: [report]
finally:
  - id: report",
    cure: "Move the step, or leave the need out; under `finally` see `steps.ID.status`.",
};

/// A value of `retry` is out of range.
pub static WRONG_RETRY: Code = Code {
    number: 115,
    title: "a value of `retry` is out of range",
    cause: "`max-attempts` is a whole number from 1 to 100, `backoff` a factor from 1 to 10.",
    example: "retry: { max-attempts: 0 }",
    cure: "Write a value within the range.",
};

/// `on-failure` has two values.
pub static WRONG_ON_FAILURE: Code = Code {
    number: 116,
    title: "`on-failure` has two values",
    cause: "A failed step stops the run (`stop`) or lets it go on (`continue`).",
    example: "on-failure: ignore",
    cure: "Write `stop` or `continue`.",
};

/// A timeout is shorter than the step ever takes.
pub static TIMEOUT_TOO_SHORT: Code = Code {
    number: 117,
    title: "a timeout is shorter than the step ever takes",
    cause: r#"What the step does takes longer in AWS, always: the attempt would end with "outcome unknown" while the work goes on there."#,
    example: r"- id: stack
  type: deploy-stack      # makes an EKS cluster
  timeout: 5m",
    cure: "Allow the time that the message names, or leave `timeout` out.",
};

/// A condition is always the same.
pub static CONSTANT_WHEN: Code = Code {
    number: 118,
    title: "a condition is always the same",
    cause: "No param and no output can change it, so the step always runs, or never.",
    example: r#"when: "{{ eq 1 1 }}""#,
    cure: "Remove `when:`, or the step; compare with a param.",
};

/// A step needs itself.
pub static NEEDS_ITSELF: Code = Code {
    number: 119,
    title: "a step needs itself",
    cause: "It would wait for its own end.",
    example: r"- id: a
  needs: [a]",
    cure: "Remove it from its `needs`.",
};

/// A part of `aws` is not spelled as AWS spells it.
pub static WRONG_AWS: Code = Code {
    number: 120,
    title: "a part of `aws` is not spelled as AWS spells it",
    cause: "A region is a place, a point of the compass and a number (us-west-2; with a letter behind it, it is a zone); an account has 12 digits; a role is given by its ARN. Of regions it is a warning only: AWS adds some.",
    example: r#"aws: { region: us-wst-2, account: "1234" }"#,
    cure: "Correct it; the message names what is near.",
};

/// All of them, in order of number.
pub static ALL: &[&Code] = &[
    &UNKNOWN_KEY,
    &MISSING_KEY,
    &OTHER_VERSION,
    &WRONG_NAME,
    &NO_STEPS,
    &NOT_A_LIST_OF_STEPS,
    &WRONG_ID,
    &ID_TAKEN,
    &UNKNOWN_TYPE,
    &WRONG_NEEDS,
    &UNKNOWN_NEED,
    &CYCLE,
    &NEEDED_TWICE,
    &FINALLY_TOO_LATE,
    &WRONG_RETRY,
    &WRONG_ON_FAILURE,
    &TIMEOUT_TOO_SHORT,
    &CONSTANT_WHEN,
    &NEEDS_ITSELF,
    &WRONG_AWS,
];

//! Mistakes in a file as a whole: it cannot be read, or is no YAML.
//! Knows nothing of what should stand in it.

use hprun_steps::finding::Code;

/// The file is not UTF-8 text.
pub static NOT_TEXT: Code = Code {
    number: 1,
    title: "the file is not UTF-8 text",
    cause: "A pipeline file is UTF-8. Other encodings (UTF-16, Latin-1) read as other characters, or not at all.",
    example: "A file saved as UTF-16 by an editor on Windows.",
    cure: "Save it as UTF-8, without a byte order mark.",
};

/// The file is not YAML.
pub static NOT_YAML: Code = Code {
    number: 2,
    title: "the file is not YAML",
    cause: "The text cannot be read as YAML, so nothing that stands in it is known. The parser stops at the first such place.",
    example: r"steps:
	- id: a        # a tab",
    cure: "Mend the place that is named; indent with spaces, quote values that hold `: ` or begin with `{{`.",
};

/// The file is too much to read.
pub static TOO_MUCH: Code = Code {
    number: 3,
    title: "the file is too much to read",
    cause: "Limits keep a file from taking all memory: 16 MB, 2 million values, 64 levels, 200 aliases. A real pipeline is far below them; aliases of aliases are not.",
    example: r"a: &a [x, x]
b: &b [*a, *a]
c: &c [*b, *b]    # and so on",
    cure: "Write the values out, or split the pipeline.",
};

/// A key stands twice in one mapping.
pub static DOUBLE_KEY: Code = Code {
    number: 4,
    title: "a key stands twice in one mapping",
    cause: "Of two values for one key one would win silently; which one, readers of YAML do not agree on.",
    example: "with: { bucket: a, bucket: b }",
    cure: "Keep one of them.",
};

/// A key is not text.
pub static KEY_NOT_TEXT: Code = Code {
    number: 5,
    title: "a key is not text",
    cause: "Keys are names. A list, a mapping or an expression cannot be one.",
    example: r"? [a, b]
: value",
    cure: "Write the name as plain text; quote it if it holds odd characters.",
};

/// An expression is not in quotes.
pub static UNQUOTED_EXPRESSION: Code = Code {
    number: 6,
    title: "an expression is not in quotes",
    cause: "YAML reads `{{` at the beginning of a value as the start of two mappings, so the expression never reaches hprun.",
    example: "name: {{ params.name }}",
    cure: r#"Put the value in double quotes: "{{ params.name }}"."#,
};

/// The file is empty.
pub static EMPTY_FILE: Code = Code {
    number: 7,
    title: "the file is empty",
    cause: "There is nothing in it but comments.",
    example: "# nothing yet",
    cure: "Begin with `apiVersion: hprun/v1`, `name:` and `steps:`.",
};

/// A value is of the wrong kind.
pub static WRONG_VALUE: Code = Code {
    number: 8,
    title: "a value is of the wrong kind",
    cause: "The key takes another kind of value than the one that stands there: text, a number, true or false, a list or a map. A version such as 1.30 must be quoted, or it is the number 1.3.",
    example: "version: 1.30",
    cure: "Write the kind that the message names.",
};

/// A duration cannot be read.
pub static WRONG_DURATION: Code = Code {
    number: 9,
    title: "a duration cannot be read",
    cause: "Durations have units, so that nobody has to guess whether 30 is seconds or minutes.",
    example: "timeout: 30",
    cure: "Write 45m, 1h30m or 90s.",
};

/// A mapping is needed.
pub static NOT_A_MAP: Code = Code {
    number: 10,
    title: "a mapping is needed",
    cause: "The place takes keys with values; a list or a single value has none.",
    example: "aws: us-west-2",
    cure: "Write `key: value` lines below it.",
};

/// All of them, in order of number.
pub static ALL: &[&Code] = &[
    &NOT_TEXT,
    &NOT_YAML,
    &TOO_MUCH,
    &DOUBLE_KEY,
    &KEY_NOT_TEXT,
    &UNQUOTED_EXPRESSION,
    &EMPTY_FILE,
    &WRONG_VALUE,
    &WRONG_DURATION,
    &NOT_A_MAP,
];

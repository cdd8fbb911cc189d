//! Whether a lifecycle script would succeed, judged by its text: the sandbox runs no script.
//! Must not know where the text comes from.
//!
//! The rule, whole: a script fails when it has a byte order mark or no `#!` in its first two bytes, when its lines end with CRLF, or
//! when a command `exit N` with N other than 0 stands outside every `if`, loop, `case`, function, heredoc and `&&`/`||` list, with
//! no such `exit 0` (or bare `exit`) before it. Everything else succeeds; scripts that it calls are not read.

/// The exit status and the last words of a script of this text; `None` when it succeeds.
pub(super) fn failure(name: &str, text: &str) -> Option<(u8, String)> {
    if !text.starts_with("#!") {
        return Some((126, format!("{name}: cannot execute: Exec format error")));
    }
    let first = text.lines().next().unwrap_or_default();
    if text.contains("\r\n") {
        let interpreter = text.split('\n').next().unwrap_or_default().trim_start_matches("#!").trim_start();
        let shown = interpreter.trim_end_matches('\r');
        let words = match shown.strip_prefix("/usr/bin/env ") {
            Some(program) => format!("/usr/bin/env: '{program}\\r': No such file or directory"),
            None => format!("{name}: {shown}^M: bad interpreter: No such file or directory"),
        };
        return Some((127, words));
    }
    if !first.contains("sh") {
        return None;
    }
    let status = exit_status(text)?;
    (status != 0).then(|| (status, format!("{name}: exited with status {status}")))
}

/// The status of the first `exit` that is surely reached.
fn exit_status(text: &str) -> Option<u8> {
    let mut depth = 0_i32;
    let mut heredoc: Option<String> = None;
    for line in text.lines() {
        if let Some(end) = &heredoc {
            if line.trim() == end {
                heredoc = None;
            }
            continue;
        }
        let code = line.split(" #").next().unwrap_or_default().trim();
        if code.starts_with('#') {
            continue;
        }
        heredoc = heredoc_end(code);
        let listed = code.contains("&&") || code.contains("||");
        for command in code.split(';').map(str::trim) {
            if depth == 0
                && !listed
                && let Some(status) = exit_of(command)
            {
                return Some(status);
            }
            depth += nesting(command);
        }
    }
    None
}

fn exit_of(command: &str) -> Option<u8> {
    let mut words = command.split_whitespace();
    (words.next()? == "exit").then(|| words.next().map_or(Some(0), |status| status.parse().ok()))?
}

/// How much deeper the lines after this command are.
fn nesting(command: &str) -> i32 {
    let mut words = command.split_whitespace();
    let mut first = words.next().unwrap_or_default();
    if matches!(first, "then" | "do" | "else") {
        first = words.next().unwrap_or_default();
    }
    let opens = matches!(first, "if" | "for" | "while" | "until" | "case" | "select" | "{" | "(")
        || command.ends_with('{')
        || command.contains("() {");
    let closes = matches!(first, "fi" | "done" | "esac" | "}" | ")");
    i32::from(opens) - i32::from(closes)
}

fn heredoc_end(code: &str) -> Option<String> {
    let (_, rest) = code.split_once("<<")?;
    let word = rest.trim_start_matches('-').trim_start();
    if rest.starts_with('<') {
        return None;
    }
    let end: String = word
        .chars()
        .filter(|letter| !matches!(letter, '\'' | '"' | '\\'))
        .take_while(|letter| !letter.is_whitespace())
        .collect();
    (!end.is_empty()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::failure;

    #[test]
    fn a_script_is_judged_by_what_it_surely_does() {
        let cases: &[(&str, Option<u8>)] = &[
            ("#!/bin/bash\nset -e\necho hello\n", None),
            ("#!/bin/bash\nexit 0\n", None),
            ("#!/bin/bash\necho a; exit 3\n", Some(3)),
            ("#!/bin/bash\nexit\nexit 1\n", None),
            ("#!/bin/bash\nif [ -e /x ]; then\n  exit 1\nfi\n", None),
            ("#!/bin/bash\nif [ -e /x ]; then exit 1; fi\necho fine\n", None),
            ("#!/bin/bash\nif true; then\n  echo a\nfi\nexit 2 # always\n", Some(2)),
            ("#!/bin/bash\nfail() {\n  exit 1\n}\necho fine\n", None),
            ("#!/bin/bash\nsay() { echo a; }\nif false; then\n  exit 1\nfi\n", None),
            ("#!/bin/bash\nfor i in 1 2; do\n  exit 4\ndone\n", None),
            ("#!/bin/bash\ncat <<'EOF' >/x\nexit 1\nEOF\necho fine\n", None),
            ("#!/bin/bash\n[ -e /x ] || exit 1\n", None),
            ("#!/bin/bash\n# exit 1\n", None),
            ("echo no shebang\n", Some(126)),
            ("\u{feff}#!/bin/bash\n", Some(126)),
            ("", Some(126)),
            ("#!/bin/bash\r\necho hello\r\n", Some(127)),
            ("#!/usr/bin/env python3\nexit 1\n", None),
        ];
        for (text, expected) in cases {
            assert_eq!(failure("on_create.sh", text).map(|(status, _)| status), *expected, "{text:?}");
        }
    }

    #[test]
    fn carriage_returns_are_named_as_the_shell_does() {
        let (_, words) = failure("on_create.sh", "#!/usr/bin/env bash\r\n").expect("CRLF fails");
        assert_eq!(words, "/usr/bin/env: 'bash\\r': No such file or directory");
    }
}

//! `hprun explain [CODE]`: what a finding means. The same text is docs/findings.md.

use std::fmt::Write as _;

use hprun_steps::finding::Code;

use super::args::{ExplainArgs, Global, Output};
use super::{CliError, print};
use crate::codes::{catalogue, find};

/// Prints one explanation, or the list.
pub fn run(global: &Global, args: &ExplainArgs) -> Result<(), CliError> {
    let Some(spelled) = &args.code else {
        return print::data(if args.markdown { page() } else { list() });
    };
    let Some(code) = find(spelled) else {
        let help = Some("see them all with: hprun explain".to_owned());
        return Err(CliError::Usage { message: format!("there is no code `{spelled}`"), help });
    };
    if global.output == Output::Json {
        let Code { title, cause, example, cure, .. } = code;
        let code = code.to_string();
        let json =
            serde_json::json!({ "code": code, "title": title, "cause": cause, "example": example, "cure": cure });
        return print::data(format!("{json:#}"));
    }
    let example: String = code.example.lines().map(|line| format!("    {line}\n")).collect();
    print::data(format!(
        "{code}: {}\n\n{}\n\nFor example:\n\n{example}\nWhat to do: {}",
        code.title, code.cause, code.cure
    ))
}

fn list() -> String {
    let mut text = String::new();
    for (section, codes) in catalogue() {
        let lines: String = codes.iter().map(|code| format!("  {code}  {}\n", code.title)).collect();
        let gap = if text.is_empty() { "" } else { "\n" };
        write!(text, "{gap}{section}:\n{lines}").expect("a text takes all");
    }
    text
}

/// The catalogue as a page of the documentation.
fn page() -> String {
    let mut text = String::from(
        "# Findings\n\nWhat `hprun check` can find, by code. `hprun explain HP0123` prints one of these. Written by `scripts/docs`.\n",
    );
    for (section, codes) in catalogue() {
        write!(text, "\n## {section}\n").expect("a text takes all");
        for code in codes {
            let Code { title, cause, example, cure, .. } = code;
            write!(text, "\n### {code}: {title}\n{cause}\n\n```text\n{example}\n```\n\n{cure}\n")
                .expect("a text takes all");
        }
    }
    text
}

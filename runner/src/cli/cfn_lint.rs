//! `hprun check --cfn-lint`: the program cfn-lint on the templates, its findings in the form of ours.
//! Knows nothing of templates: what cfn-lint says is taken as it is.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use hprun_steps::codes::template as codes;
use hprun_steps::finding::Severity;
use hprun_steps::partial::Place;
use serde::Deserialize;

use super::{CliError, print};
use crate::diagnostic::{Diagnostic, File, Lines};

/// The program.
const PROGRAM: &str = "cfn-lint";
/// How to get it.
const ADVICE: &str = "install it, for example with `pipx install cfn-lint`, or leave --cfn-lint out";

/// What cfn-lint says of one thing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Match {
    filename: Option<String>,
    level: String,
    location: Location,
    message: String,
    rule: Rule,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Location {
    start: Point,
    end: Point,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Point {
    line_number: usize,
    column_number: usize,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    id: String,
    #[serde(default)]
    source: String,
}

/// Runs cfn-lint on the templates at `paths`, which start at `base`, for a region, if one is known: without one it goes by
/// us-east-1, which has types and attributes that others have not.
pub fn run(base: &Path, paths: &[String], region: Option<&str>) -> Result<Vec<Diagnostic>, CliError> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let mut options: Vec<&str> =
        region.into_iter().flat_map(|region| ["--regions", region]).chain(["--format", "json"]).collect();
    let mut output = linted(base, paths, &options)?;
    if let Some(region) = region.filter(|_| String::from_utf8_lossy(&output.stderr).contains("are unsupported")) {
        print::note(format!("{PROGRAM} does not know {region}: it goes by us-east-1"));
        options.drain(..2);
        output = linted(base, paths, &options)?;
    }
    let texts = paths.iter().filter_map(|path| Some((path.clone(), std::fs::read_to_string(base.join(path)).ok()?)));
    let texts: BTreeMap<String, Arc<str>> = texts.map(|(path, text)| (path, Arc::from(text))).collect();
    read(&String::from_utf8_lossy(&output.stdout), &texts).map_err(|why| {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().map(str::trim).rfind(|line| !line.is_empty());
        let said = said.map(|line| format!("; it said: {line}")).unwrap_or_default();
        CliError::Usage {
            message: format!("what {PROGRAM} says cannot be read: {why}{said}"),
            help: Some(format!("see whether `{PROGRAM} {} {}` works by itself", options.join(" "), paths.join(" "))),
        }
    })
}

fn linted(base: &Path, paths: &[String], options: &[&str]) -> Result<Output, CliError> {
    let output = Command::new(PROGRAM).args(options).arg("--").args(paths).current_dir(base).output();
    output.map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            CliError::Usage { message: format!("{PROGRAM} is not on PATH"), help: Some(ADVICE.to_owned()) }
        }
        _ => CliError::Io { doing: format!("run {PROGRAM}"), source: e },
    })
}

/// cfn-lint's JSON as diagnostics; the error says what is wrong with it.
fn read(json: &str, texts: &BTreeMap<String, Arc<str>>) -> Result<Vec<Diagnostic>, String> {
    let matches: Vec<Match> = serde_json::from_str(json).map_err(|e| e.to_string())?;
    let lines: BTreeMap<&String, Lines<'_>> = texts.iter().map(|(path, text)| (path, Lines::of(text))).collect();
    let diagnostic = |found: Match| {
        let Rule { id, source } = found.rule;
        let Some(path) = found.filename else { return Err(format!("{id}: {}", found.message)) };
        let text = texts.get(&path).cloned();
        let place = lines.get(&path).map(|lines| {
            let at =
                |point: &Point| u32::try_from(lines.offset(point.line_number, point.column_number)).unwrap_or(u32::MAX);
            Place { start: at(&found.location.start), end: at(&found.location.end) }
        });
        let severity = if found.level == "Error" { Severity::Error } else { Severity::Warning };
        let message = format!("{PROGRAM} {id}: {}", found.message);
        let diagnostic = Diagnostic::error(&codes::CFN_LINT, place.unwrap_or_default(), message);
        let diagnostic = Diagnostic { severity, file: File::Beside { path, text }, ..diagnostic };
        Ok(if source.is_empty() { diagnostic } else { diagnostic.help(format!("see {source}")) })
    };
    matches.into_iter().map(diagnostic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::render;

    fn told(json: &str) -> String {
        let text: Arc<str> =
            Arc::from("Resources:\n  A: { Type: AWS::S3::Bucket, Properties: { Nä: x, BucketNam: y } }\n");
        let texts = BTreeMap::from([("t.yaml".to_owned(), text)]);
        match read(json, &texts) {
            Ok(found) => render(&found, ("pipeline.yaml", ""), false, 100),
            Err(e) => e,
        }
    }

    #[test]
    fn its_findings_have_our_form_and_their_own_rule() {
        let json = r#"[{"Filename": "t.yaml", "Id": "1", "Level": "Error", "ParentId": null,
            "Location": {"Start": {"LineNumber": 2, "ColumnNumber": 52}, "End": {"LineNumber": 2, "ColumnNumber": 61}, "Path": ["A"]},
            "Message": "Additional properties are not allowed",
            "Rule": {"Id": "E3002", "Description": "d", "ShortDescription": "s", "Source": "https://example.com/rule"}}]"#;
        insta::assert_snapshot!(told(json), @r"
        error[HP0541]: cfn-lint E3002: Additional properties are not allowed
         --> t.yaml:2:52
          |
        2 |   A: { Type: AWS::S3::Bucket, Properties: { Nä: x, BucketNam: y } }
          |                                                    ^^^^^^^^^
          |
        help: see https://example.com/rule
        ");
    }

    #[test]
    fn what_is_not_its_form_is_told() {
        assert_eq!(told("usage: cfn-lint"), "expected value at line 1 column 1");
        assert!(
            told(r#"[{"Filename": "t.yaml"}]"#).starts_with("missing field"),
            "{}",
            told(r#"[{"Filename": "t.yaml"}]"#)
        );
        let config = r#"[{"Filename": null, "Level": "Error", "Message": "t.yaml could not be processed",
            "Location": {"Start": {"LineNumber": 1, "ColumnNumber": 1}, "End": {"LineNumber": 1, "ColumnNumber": 1}},
            "Rule": {"Id": "E0003"}}]"#;
        assert_eq!(told(config), "E0003: t.yaml could not be processed");
        assert_eq!(told("[]"), "");
    }
}

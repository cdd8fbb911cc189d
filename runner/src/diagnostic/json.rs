//! Diagnostics as a program reads them: one JSON object each.
//! Knows nothing of terminals.

use hprun_steps::finding::Severity;
use hprun_steps::partial::Place;
use serde_json::{Value, json};

use super::sources::Source;
use super::{Diagnostic, File, Lines, Sources, Subject, brief};

/// The diagnostics as a JSON list: code, severity, message, help, file, line, column, end, related. Lines and columns count
/// from 1, columns in characters.
pub fn to_json<'a>(diagnostics: &[Diagnostic], pipeline: impl Into<Subject<'a>>) -> Value {
    let pipeline = pipeline.into();
    let sources = Sources::new(&pipeline);
    let one = |diagnostic: &Diagnostic| {
        let (path, at) = place(&sources, &diagnostic.file, diagnostic.place);
        let related: Vec<Value> = diagnostic
            .related
            .iter()
            .map(|related| {
                let (path, at) = place(&sources, &related.file, related.place);
                json!({ "message": related.words, "file": path, "at": at })
            })
            .collect();
        json!({
            "code": diagnostic.code.to_string(),
            "severity": word(diagnostic.severity),
            "message": brief(&diagnostic.message),
            "help": diagnostic.help.as_deref().map(brief),
            "file": path,
            "at": at,
            "related": related,
        })
    };
    diagnostics.iter().map(one).collect()
}

/// The word that JSON has for it.
fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn place(sources: &Sources<'_>, file: &File, place: Place) -> (Option<String>, Option<Value>) {
    match sources.of(file) {
        Some(Source { path, text }) => (Some(path.into_owned()), text.map(|(_, lines)| range(&lines, place))),
        None => (None, None),
    }
}

fn range(lines: &Lines<'_>, place: Place) -> Value {
    let (start, end) = (lines.position(place.start as usize), lines.position(place.end as usize));
    json!({ "line": start.line, "column": start.column, "end_line": end.line, "end_column": end.column })
}

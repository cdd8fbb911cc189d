//! Diagnostics as SARIF 2.1.0, which code scanning services read.
//! Knows nothing of terminals.

use std::collections::BTreeMap;

use hprun_steps::finding::{Code, Severity};
use hprun_steps::partial::Place;
use serde_json::{Value, json};

use super::{Diagnostic, File, Sources, Subject, brief};
use crate::address;

/// The diagnostics as one SARIF log with one run. Columns count UTF-16 units, as the format has it by default.
pub fn to_sarif<'a>(diagnostics: &[Diagnostic], pipeline: impl Into<Subject<'a>>) -> Value {
    let pipeline = pipeline.into();
    let sources = Sources::new(&pipeline);
    let codes: BTreeMap<u16, &Code> = diagnostics.iter().map(|d| (d.code.number, d.code)).collect();
    let numbers: Vec<u16> = codes.keys().copied().collect();
    let results: Vec<Value> = diagnostics
        .iter()
        .map(|diagnostic| {
            let text = match &diagnostic.help {
                Some(help) => format!("{}\n{}", brief(&diagnostic.message), brief(help)),
                None => brief(&diagnostic.message).into_owned(),
            };
            let related: Vec<Value> = diagnostic
                .related
                .iter()
                .filter_map(|related| {
                    let mut at = location(&sources, &related.file, related.place)?;
                    at["message"] = json!({ "text": related.words });
                    Some(at)
                })
                .collect();
            json!({
                "ruleId": diagnostic.code.to_string(),
                "ruleIndex": numbers.iter().position(|number| *number == diagnostic.code.number),
                "level": level(diagnostic.severity),
                "message": { "text": text },
                "locations": location(&sources, &diagnostic.file, diagnostic.place).into_iter().collect::<Vec<_>>(),
                "relatedLocations": related,
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "hprun",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": codes.values().map(|code| rule(code)).collect::<Vec<_>>(),
            } },
            "columnKind": "utf16CodeUnits",
            "results": results,
        }],
    })
}

fn rule(code: &Code) -> Value {
    json!({
        "id": code.to_string(),
        "shortDescription": { "text": code.title },
        "fullDescription": { "text": code.cause },
        "help": { "text": code.cure },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// A location; none where there is no file.
fn location(sources: &Sources<'_>, file: &File, place: Place) -> Option<Value> {
    let source = sources.of(file)?;
    let mut physical = json!({ "artifactLocation": { "uri": address::reference(&source.path) } });
    if let Some((text, lines)) = source.text {
        let column = |offset: u32| {
            let at = lines.position(offset as usize);
            let start = lines.start(at.line - 1);
            let units =
                text.get(start..).unwrap_or_default().chars().take(at.column - 1).map(char::len_utf16).sum::<usize>();
            (at.line, units + 1)
        };
        let ((line, start), (end_line, end)) = (column(place.start), column(place.end));
        physical["region"] = json!({ "startLine": line, "startColumn": start, "endLine": end_line, "endColumn": end });
    }
    Some(json!({ "physicalLocation": physical }))
}

//! Renders a template and holds what it gives to its format and its schema, as far as the values are known.
//! Knows nothing of inputs or of files.

use std::ops::Range;

use serde_json::Value as Json;

use super::render::{Compiled, Problem, Rendered, compile};
use super::seams::Doubt;
use super::{Format, SchemaName, Target, yaml};
use crate::cluster_config::json::{self, FaultKind, Node, What};
use crate::cluster_config::{self, ConfigFinding, Lacks};
use crate::codes::{cluster, rendered};
use crate::finding::{At, Code, Finding, Severity};
use crate::partial::{Hole, Place};

/// Something wrong with the template or with what it gives; the place is one of the template.
#[derive(Debug)]
pub(super) struct Issue {
    pub code: &'static Code,
    pub severity: Severity,
    pub span: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

impl Issue {
    pub fn into_finding(self, path: &str) -> Finding {
        let at = At::File { path: path.to_owned(), place: Place::of(&self.span) };
        Finding { severity: self.severity, ..Finding::new(self.code, at, self.message).maybe_help(self.help) }
    }

    /// `file:line:column message (help)`.
    pub fn line(&self, path: &str, source: &str) -> String {
        let help = self.help.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
        format!("{} {}{help}", self.place(path, source), self.message)
    }

    /// `file:line:column`.
    pub fn place(&self, path: &str, source: &str) -> String {
        let before = source.get(..self.span.start).unwrap_or(source);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{path}:{line}:{column}")
    }
}

/// What a template gives.
#[derive(Default)]
pub(super) struct Examined {
    /// The rendered text.
    pub text: String,
    /// Everything that is wrong, in the order of the template.
    pub issues: Vec<Issue>,
    /// The CreateCluster request, and how to find its places in the template.
    pub request: Option<(Node, Rendered)>,
}

/// Renders and looks at it. `holes` are the values that are not known, by number from 1.
pub(super) fn examine(source: &str, values: &Json, holes: &[Hole], target: Target) -> Examined {
    examine_compiled(&compile(source), values, holes, target)
}

/// The same for a template that was read.
pub(super) fn examine_compiled(
    template: &Result<Compiled, Problem>,
    values: &Json,
    holes: &[Hole],
    target: Target,
) -> Examined {
    let rendered = match template.as_ref().map_err(Clone::clone).and_then(|template| template.render(values, holes)) {
        Ok(rendered) => rendered,
        Err(problem) => return Examined { issues: vec![issue_of(problem)], ..Examined::default() },
    };
    let source = template.as_ref().map_or("", |template| template.source());
    let mut issues: Vec<Issue> = rendered.problems.iter().cloned().map(issue_of).collect();
    let root = match target.format {
        Format::Json => Some(examine_json(&rendered, source, target.schema, &mut issues)),
        Format::Yaml => {
            examine_yaml(&rendered, &mut issues);
            None
        }
        Format::Text => None,
    };
    issues.sort_by_key(|i| i.span.start);
    let text = rendered.text.clone();
    let root = root.filter(|_| target.schema == Some(SchemaName::CreateCluster));
    Examined { text, issues, request: root.map(|root| (root, rendered)) }
}

fn issue_of(problem: Problem) -> Issue {
    Issue {
        code: problem.code,
        severity: Severity::Error,
        span: problem.span,
        message: problem.message,
        help: problem.help,
    }
}

fn examine_json(rendered: &Rendered, source: &str, schema: Option<SchemaName>, issues: &mut Vec<Issue>) -> Node {
    let quoted = rendered.quoted_json();
    let (mut root, faults) = json::parse_with(&blanked(&rendered.text, &quoted), &rendered.holes);
    forget(&mut root, &quoted);
    for span in &quoted {
        let message = "the result is not JSON: quotes stand around what `json` writes, which has its own";
        let help = Some("leave out the quotes around the expression".to_owned());
        let (code, severity) = (&rendered::NOT_JSON, Severity::Error);
        issues.push(Issue { code, severity, span: rendered.origin(span), message: message.to_owned(), help });
    }
    let mut unsure = false;
    for fault in &faults {
        let doubt = match &fault.kind {
            FaultKind::Spelling | FaultKind::Bare => rendered.seams.spelling(&fault.span),
            FaultKind::Order => rendered.seams.order(&rendered.text, &fault.span),
            FaultKind::Twice(first) => rendered.seams.pair(first, &fault.span),
        };
        // What is not told here may be the reason of what comes after it.
        let doubt = if unsure && doubt == Doubt::None && fault.kind == FaultKind::Order { Doubt::Later } else { doubt };
        unsure |= doubt == Doubt::Near;
        let (worst, begin, help) = match &fault.kind {
            FaultKind::Bare => {
                (Severity::Warning, "", Some("write {{number …}} of a number, {{json …}} of a text".to_owned()))
            }
            FaultKind::Spelling | FaultKind::Order | FaultKind::Twice(_) => {
                (Severity::Error, "the result is not JSON: ", None)
            }
        };
        let Some(severity) = severity(worst, doubt) else { continue };
        let (span, message) = (rendered.origin(&fault.span), format!("{begin}{}", fault.message));
        issues.push(Issue { code: &rendered::NOT_JSON, severity, span, message, help });
    }
    let Some(SchemaName::CreateCluster) = schema else { return root };
    for finding in cluster_config::check(&root) {
        let Some(severity) = severity(finding.severity, doubt(rendered, source, &finding)) else { continue };
        let (span, message) = (rendered.origin(&finding.span), finding.line());
        let in_quotes = rendered.text[finding.span.clone()].starts_with('"');
        let help = finding.help.map(|help| match help.as_str() {
            cluster_config::OTHER_TYPE if in_quotes => format!("leave out the quotes around the expression, or {help}"),
            _ => help,
        });
        issues.push(Issue { code: finding.code, severity, span, message, help });
    }
    root
}

/// The text with blanks in these places.
fn blanked(text: &str, places: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    for place in places {
        out += &text[out.len()..place.start];
        out += &" ".repeat(place.len());
    }
    out += &text[out.len()..];
    out
}

/// Makes texts that hold one of these places unknown, which are in the order of the text.
fn forget(node: &mut Node, places: &[Range<usize>]) {
    match &mut node.what {
        What::Text(_) | What::Open(_) | What::Unknown(_) => {
            let first = places.partition_point(|place| place.start < node.span.start);
            if places.get(first).is_some_and(|place| place.end <= node.span.end) {
                *node = Node::unknown(node.span.clone());
            }
        }
        What::List(items) => items.iter_mut().for_each(|item| forget(item, places)),
        What::Map(entries) => entries.iter_mut().for_each(|(_, _, item)| forget(item, places)),
        What::Null | What::Flag(_) | What::Number(_) => {}
    }
}

/// How far a finding holds whatever the values will be that are not known.
fn doubt(rendered: &Rendered, source: &str, finding: &ConfigFinding) -> Doubt {
    if finding.by_absence {
        return if rendered.approximate { doubt_of_absence(rendered, source, finding) } else { Doubt::None };
    }
    let of_two =
        [&cluster::EXCLUSIVE, &cluster::GIVEN_TWICE, &cluster::COUNTS, &cluster::VOLUME, &cluster::DEEP_CHECKS_ON_CPU];
    if of_two.iter().any(|code| **code == *finding.code) {
        return rendered.seams.relation(finding.span.start);
    }
    // Of a list or a map it is told what it is, or a number of things.
    let word = !rendered.text[finding.span.clone()].starts_with(['{', '[']);
    if word { rendered.seams.value(&finding.span) } else { Doubt::None }
}

/// The same of a field that is missing where a block may be another: one that no part of the template names will not be there.
fn doubt_of_absence(rendered: &Rendered, source: &str, finding: &ConfigFinding) -> Doubt {
    let (fields, otherwise) = match finding.lacks {
        Lacks::Nothing => return Doubt::Near,
        Lacks::Always(fields) => (fields, Doubt::None),
        Lacks::Here(fields) => (fields, Doubt::Later),
    };
    let writes_keys = source.split("}}\"").skip(1).any(|rest| rest.trim_start().starts_with(':'));
    if rendered.undefined || writes_keys || fields.iter().any(|field| source.contains(field)) {
        return Doubt::Near;
    }
    // What lacks it may not be there itself.
    if rendered.seams.relation(finding.span.start) == Doubt::Near { Doubt::Later } else { otherwise }
}

/// How bad it is; none if nothing is to be said of it.
fn severity(severity: Severity, doubt: Doubt) -> Option<Severity> {
    match doubt {
        Doubt::None => Some(severity),
        Doubt::Later => Some(Severity::Warning),
        Doubt::Near => None,
    }
}

fn examine_yaml(rendered: &Rendered, issues: &mut Vec<Issue>) {
    let Err(fault) = yaml::check(&rendered.text) else { return };
    let Some(severity) = severity(Severity::Error, rendered.seams.yaml(&rendered.text, fault.at)) else { return };
    let span = rendered.origin(&(fault.at..fault.at));
    let message = format!("the result is not YAML: {}", fault.message);
    issues.push(Issue { code: &rendered::NOT_YAML, severity, span, message, help: fault.help });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_holds_a_place_is_forgotten_and_no_other() {
        let text = r#"["ab", "cd", {"k": "ef"}, 5, "gh"]"#;
        let at = |part: &str| text.find(part).map(|at| at..at + part.len()).expect("it is there");
        let forgotten = |parts: &[&str]| {
            let (mut root, _) = json::parse(text);
            forget(&mut root, &parts.iter().map(|part| at(part)).collect::<Vec<_>>());
            let inner = |node: &Node| node.get("k").unwrap_or(node).is_unknown();
            root.items().iter().enumerate().filter(|(_, node)| inner(node)).map(|(n, _)| n).collect::<Vec<_>>()
        };
        assert_eq!(forgotten(&[]), [0; 0]);
        assert_eq!(forgotten(&["cd"]), [1]);
        assert_eq!(forgotten(&["\"cd\"", "gh\""]), [1, 4], "the whole of a text");
        assert_eq!(forgotten(&["a", "b", "f", "gh"]), [0, 2, 4]);
        assert_eq!(forgotten(&["b\", \"c", "5"]), [0; 0], "a place that is in no text as a whole");
    }
}

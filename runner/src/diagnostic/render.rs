//! Diagnostics as a person sees them (the look of rustc) and as a program reads them (JSON).
//! Knows nothing of terminals: colour and width are handed in.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use hprun_steps::partial::{Place, Severity};

use super::lines::{Lines, floor_char_boundary};
use super::{Diagnostic, File};

/// Lines that one excerpt may span: places farther apart are shown as excerpts of their own.
const LONGEST_EXCERPT: usize = 60;

/// The diagnostics as text, one after the other with an empty line between; `pipeline` is the name and the text of
/// the pipeline file, `width` the columns of the terminal.
pub fn render(diagnostics: &[Diagnostic], pipeline: (&str, &str), colour: bool, width: usize) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.term_width(width);
    let lines = Lines::of(pipeline.1);
    let mut out = String::new();
    for diagnostic in diagnostics {
        if !out.is_empty() {
            out.push_str("\n\n");
        }
        out.push_str(&match &diagnostic.file {
            File::Pipeline => render_one(diagnostic, Some((pipeline.0, pipeline.1, &lines)), &renderer),
            File::Other { path, text: Some(text) } => {
                render_one(diagnostic, Some((path, text, &Lines::of(text))), &renderer)
            }
            File::Other { path, text: None } => {
                let title = level(diagnostic.severity).primary_title(diagnostic.message.as_str());
                renderer.render(&groups(title.element(Origin::path(path.as_str())), diagnostic))
            }
            File::Nowhere => render_one(diagnostic, None, &renderer),
        });
    }
    out
}

/// The diagnostics as a JSON list: severity, message, help, file, line, column, end, related.
pub fn to_json(diagnostics: &[Diagnostic], pipeline: (&str, &str)) -> serde_json::Value {
    let lines = Lines::of(pipeline.1);
    let range = |lines: &Lines<'_>, place: Place| {
        let (start, end) = (lines.position(place.start as usize), lines.position(place.end as usize));
        serde_json::json!({ "line": start.line, "column": start.column, "end_line": end.line, "end_column": end.column })
    };
    let one = |diagnostic: &Diagnostic| {
        let own;
        let (path, lines) = match &diagnostic.file {
            File::Pipeline => (Some(pipeline.0), Some(&lines)),
            File::Other { path, text: Some(text) } => {
                own = Lines::of(text);
                (Some(path.as_str()), Some(&own))
            }
            File::Other { path, text: None } => (Some(path.as_str()), None),
            File::Nowhere => (None, None),
        };
        let related: Vec<_> = diagnostic
            .related
            .iter()
            .map(|(place, words)| serde_json::json!({ "message": words, "at": lines.map(|l| range(l, *place)) }))
            .collect();
        serde_json::json!({
            "severity": match diagnostic.severity { Severity::Error => "error", Severity::Warning => "warning" },
            "message": diagnostic.message,
            "help": diagnostic.help,
            "file": path,
            "at": lines.map(|l| range(l, diagnostic.place)),
            "related": related,
        })
    };
    diagnostics.iter().map(one).collect()
}

fn render_one(diagnostic: &Diagnostic, source: Option<(&str, &str, &Lines<'_>)>, renderer: &Renderer) -> String {
    let title = level(diagnostic.severity).primary_title(diagnostic.message.as_str());
    let Some((path, text, lines)) = source else {
        return renderer.render(&groups(Group::with_title(title), diagnostic));
    };
    let near = excerpt_lines(lines, diagnostic);
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        diagnostic.related.iter().partition(|(place, _)| near.contains(&lines.line_of(place.start as usize)));
    let mut main = excerpt(path, text, lines, &near).annotation(AnnotationKind::Primary.span(within(
        text,
        lines,
        &near,
        diagnostic.place,
    )));
    for (place, words) in here {
        main = main.annotation(AnnotationKind::Context.span(within(text, lines, &near, *place)).label(words.as_str()));
    }
    let mut elements: Vec<Element<'_>> = vec![main.into()];
    for (place, words) in elsewhere {
        let line = lines.line_of(place.start as usize);
        let only = line..line + 1;
        let label = AnnotationKind::Context.span(within(text, lines, &only, *place)).label(words.as_str());
        elements.push(excerpt(path, text, lines, &only).annotation(label).into());
    }
    renderer.render(&groups(title.elements(elements), diagnostic))
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    }
}

fn groups<'a>(main: Group<'a>, diagnostic: &'a Diagnostic) -> Vec<Group<'a>> {
    let help = diagnostic.help.as_deref().map(|help| Group::with_title(Level::HELP.secondary_title(help)));
    std::iter::once(main).chain(help).collect()
}

/// The lines of one excerpt: those of the place (only its first, where it spans many) and of what is near it.
fn excerpt_lines(lines: &Lines<'_>, diagnostic: &Diagnostic) -> Range<usize> {
    let first = lines.line_of(diagnostic.place.start as usize);
    let mut range = first..first + 1;
    for (place, _) in &diagnostic.related {
        let line = lines.line_of(place.start as usize);
        let wider = range.start.min(line)..range.end.max(line + 1);
        if wider.len() <= LONGEST_EXCERPT {
            range = wider;
        }
    }
    range
}

fn excerpt<'a, T: Clone>(path: &'a str, text: &'a str, lines: &Lines<'_>, range: &Range<usize>) -> Snippet<'a, T> {
    Snippet::source(&text[lines.start(range.start)..lines.end(range.end - 1)]).line_start(range.start + 1).path(path)
}

/// The part of `place` on its first line, counted from the start of the excerpt; at least one character wide.
fn within(text: &str, lines: &Lines<'_>, excerpt: &Range<usize>, place: Place) -> Range<usize> {
    let base = lines.start(excerpt.start);
    let start = floor_char_boundary(text, place.start as usize);
    let line_end = lines.end(lines.line_of(start));
    let start = start.min(line_end);
    let end = floor_char_boundary(text, place.end as usize).clamp(start, line_end);
    let next = text[start..line_end].chars().next().map_or(start, |c| start + c.len_utf8());
    start - base..end.max(next) - base
}

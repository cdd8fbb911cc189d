//! Diagnostics as a person sees them: the look of rustc.
//! Knows nothing of terminals: colour and width are handed in.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use hprun_steps::finding::Severity;
use hprun_steps::partial::Place;

use super::lines::{Lines, floor_char_boundary};
use super::sources::{Source, Sources};
use super::{Diagnostic, Related, Subject};

/// Lines that one excerpt may span: places farther apart are shown as excerpts of their own.
const LONGEST_EXCERPT: usize = 60;

/// The diagnostics as text, one after the other with an empty line between; `pipeline` is the name and the text of
/// the pipeline file, `width` the columns of the terminal.
pub fn render<'a>(diagnostics: &[Diagnostic], pipeline: impl Into<Subject<'a>>, colour: bool, width: usize) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.term_width(width);
    let pipeline = pipeline.into();
    let sources = Sources::new(&pipeline);
    let rendered: Vec<String> = diagnostics.iter().map(|one| render_one(one, &sources, &renderer)).collect();
    rendered.join("\n\n")
}

fn render_one(diagnostic: &Diagnostic, sources: &Sources<'_>, renderer: &Renderer) -> String {
    let code = diagnostic.code.to_string();
    let title = level(diagnostic.severity).primary_title(diagnostic.message.as_str()).id(code.as_str());
    let (path, text, lines) = match sources.of(&diagnostic.file) {
        Some(Source { path, text: Some((text, lines)) }) => (path, text, lines),
        Some(Source { path, text: None }) => {
            return renderer.render(&groups(title.element(Origin::path(path)), diagnostic));
        }
        None => return renderer.render(&groups(Group::with_title(title), diagnostic)),
    };
    let near = excerpt_lines(&lines, diagnostic);
    let (here, elsewhere): (Vec<&Related>, Vec<&Related>) = diagnostic.related.iter().partition(|related| {
        related.file == diagnostic.file && near.contains(&lines.line_of(related.place.start as usize))
    });
    let mut main = excerpt(path, text, &lines, &near).annotation(AnnotationKind::Primary.span(within(
        text,
        &lines,
        &near,
        diagnostic.place,
    )));
    for Related { place, words, .. } in here {
        main = main.annotation(AnnotationKind::Context.span(within(text, &lines, &near, *place)).label(words.as_str()));
    }
    let mut elements: Vec<Element<'_>> = vec![main.into()];
    elements.extend(elsewhere.into_iter().filter_map(|related| apart(related, sources)));
    renderer.render(&groups(title.elements(elements), diagnostic))
}

/// A related place as an excerpt of its own.
fn apart<'a>(Related { file, place, words }: &'a Related, sources: &Sources<'a>) -> Option<Element<'a>> {
    let Source { path, text } = sources.of(file)?;
    let (text, lines) = text?;
    let line = lines.line_of(place.start as usize);
    let only = line..line + 1;
    let label = AnnotationKind::Context.span(within(text, &lines, &only, *place)).label(words.as_str());
    Some(excerpt(path, text, &lines, &only).annotation(label).into())
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
    for related in diagnostic.related.iter().filter(|related| related.file == diagnostic.file) {
        let line = lines.line_of(related.place.start as usize);
        let wider = range.start.min(line)..range.end.max(line + 1);
        if wider.len() <= LONGEST_EXCERPT {
            range = wider;
        }
    }
    range
}

fn excerpt<'a, T: Clone>(path: Cow<'a, str>, text: &'a str, lines: &Lines<'_>, range: &Range<usize>) -> Snippet<'a, T> {
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

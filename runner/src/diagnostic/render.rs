//! Diagnostics as a person sees them: the look of rustc.
//! Knows nothing of terminals: colour and width are handed in.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use hprun_steps::finding::Severity;
use hprun_steps::partial::Place;

use super::lines::{Lines, floor_char_boundary};
use super::sources::{Source, Sources};
use super::{Diagnostic, Related, Subject, brief};

/// Columns beside a source line that is cut on both sides: its number, and dots.
const FRAME: usize = 22;
/// Lines that one excerpt may span: places farther apart are shown as excerpts of their own.
const LONGEST_EXCERPT: usize = 60;

/// The diagnostics as text, one after the other with an empty line between; `pipeline` is the name and the text of
/// the pipeline file, `width` the columns of the terminal.
pub fn render<'a>(diagnostics: &[Diagnostic], pipeline: impl Into<Subject<'a>>, colour: bool, width: usize) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.term_width(width);
    let room = width.saturating_sub(FRAME).max(1);
    let pipeline = pipeline.into();
    let sources = Sources::new(&pipeline);
    let rendered: Vec<String> = diagnostics.iter().map(|one| render_one(one, &sources, (&renderer, room))).collect();
    rendered.join("\n\n")
}

fn render_one(diagnostic: &Diagnostic, sources: &Sources<'_>, (renderer, room): (&Renderer, usize)) -> String {
    let code = diagnostic.code.to_string();
    let title = level(diagnostic.severity).primary_title(brief(&diagnostic.message)).id(code.as_str());
    let (path, text, lines) = match sources.of(&diagnostic.file) {
        Some(Source { path, text: Some((text, lines)) }) => (path, text, lines),
        Some(Source { path, text: None }) => {
            return renderer.render(&groups(title.element(Origin::path(path)), diagnostic));
        }
        None => {
            // Without a place there is no line that would lead from one to the other.
            let groups = groups(Group::with_title(title), diagnostic);
            return groups.chunks(1).map(|group| renderer.render(group)).collect::<Vec<_>>().join("\n");
        }
    };
    let (near, here) = together(text, &lines, diagnostic, room);
    let (here, elsewhere): (Vec<&Related>, Vec<&Related>) =
        diagnostic.related.iter().partition(|related| here.iter().any(|one| std::ptr::eq(*one, *related)));
    let part = |place: Place| fitting(text, &lines, &near, (place, room));
    let mut main = excerpt(path, text, &lines, &near).annotation(AnnotationKind::Primary.span(part(diagnostic.place)));
    for Related { place, words, .. } in here {
        main = main.annotation(AnnotationKind::Context.span(part(*place)).label(words.as_str()));
    }
    let mut elements: Vec<Element<'_>> = vec![main.into()];
    elements.extend(elsewhere.into_iter().filter_map(|related| apart(related, sources, room)));
    renderer.render(&groups(title.elements(elements), diagnostic))
}

/// A related place as an excerpt of its own.
fn apart<'a>(Related { file, place, words }: &'a Related, sources: &Sources<'a>, room: usize) -> Option<Element<'a>> {
    let Source { path, text } = sources.of(file)?;
    let (text, lines) = text?;
    let line = lines.line_of(place.start as usize);
    let only = line..line + 1;
    let label = AnnotationKind::Context.span(fitting(text, &lines, &only, (*place, room))).label(words.as_str());
    Some(excerpt(path, text, &lines, &only).annotation(label).into())
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    }
}

fn groups<'a>(main: Group<'a>, diagnostic: &'a Diagnostic) -> Vec<Group<'a>> {
    let help = diagnostic.help.as_deref();
    let help = help.map(|help| Group::with_title(Level::HELP.secondary_title(brief(help))));
    std::iter::once(main).chain(help).collect()
}

/// The lines of one excerpt, that of the place (only its first, where it spans many) and those near it, and what is pointed
/// at there: as much as fits beside each other.
fn together<'d>(
    text: &str,
    lines: &Lines<'_>,
    diagnostic: &'d Diagnostic,
    room: usize,
) -> (Range<usize>, Vec<&'d Related>) {
    let columns = |place: Place, label: &str| {
        let line = lines.line_of(place.start as usize);
        let span = within(text, lines, &(line..line + 1), place);
        let width = |end: usize| console::measure_text_width(&text[lines.start(line)..][..end]);
        let end = width(span.start) + width(span.end).saturating_sub(width(span.start)).min(room);
        (line, width(span.start)..end + console::measure_text_width(label))
    };
    if diagnostic.related.is_empty() {
        let first = lines.line_of(diagnostic.place.start as usize);
        return (first..first + 1, Vec::new());
    }
    let (first, mut window) = columns(diagnostic.place, "");
    let (mut range, mut here) = (first..first + 1, Vec::new());
    for related in diagnostic.related.iter().filter(|related| related.file == diagnostic.file) {
        let (line, span) = columns(related.place, &related.words);
        let wider = range.start.min(line)..range.end.max(line + 1);
        let side = window.start.min(span.start)..window.end.max(span.end);
        if wider.len() <= LONGEST_EXCERPT && side.len() <= room {
            (range, window) = (wider, side);
            here.push(related);
        }
    }
    (range, here)
}

fn excerpt<'a, T: Clone>(path: Cow<'a, str>, text: &'a str, lines: &Lines<'_>, range: &Range<usize>) -> Snippet<'a, T> {
    Snippet::source(&text[lines.start(range.start)..lines.end(range.end - 1)]).line_start(range.start + 1).path(path)
}

/// The same, no wider than there is room: what is wider is not cut where the terminal ends.
fn fitting(text: &str, lines: &Lines<'_>, excerpt: &Range<usize>, (place, room): (Place, usize)) -> Range<usize> {
    let span = within(text, lines, excerpt, place);
    if span.len() <= room {
        return span;
    }
    let start = lines.start(excerpt.start) + span.start;
    let mut columns = 0;
    let mut fits = |c: &char| {
        columns += console::measure_text_width(c.encode_utf8(&mut [0; 4]));
        columns <= room
    };
    let shown = text[start..].chars().take_while(|c| fits(c)).map(char::len_utf8).sum::<usize>();
    span.start..span.end.min(span.start + shown)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::file::NOT_YAML;

    /// How many columns the widest line takes.
    fn widest(line: &str, label: &str, place: Range<usize>, width: usize) -> (usize, String) {
        let text = format!("{}{line}\n", "\n".repeat(32));
        let offset = |at: usize| u32::try_from(32 + at).expect("a short text");
        let place = Place { start: offset(place.start), end: offset(place.end) };
        let found = Diagnostic::error(&NOT_YAML, place, "short").related(Place { start: 31, end: 31 }, label);
        let shown = render(&[found], ("p.yaml", text.as_str()), false, width);
        (shown.lines().map(console::measure_text_width).max().unwrap_or_default(), shown)
    }

    #[test]
    fn source_lines_and_what_points_at_them_fit_the_terminal() {
        for width in [40, 80, 100] {
            for length in (40..220).chain([300, 20_000]) {
                for letter in ["x", "é", "日"] {
                    let line = letter.repeat(length / letter.len());
                    let bytes = |part: usize| line.len() * part / 8 / letter.len() * letter.len();
                    for place in [
                        bytes(0)..bytes(1),
                        bytes(4)..bytes(5),
                        bytes(7)..bytes(8),
                        bytes(0)..bytes(8),
                        bytes(2)..bytes(6),
                    ] {
                        let (columns, shown) = widest(&line, "first here", place.clone(), width);
                        assert!(columns <= width, "{columns} of {width} columns for {place:?}:\n{shown}");
                        assert!(shown.contains('^'), "{shown}");
                    }
                }
            }
        }
    }
}

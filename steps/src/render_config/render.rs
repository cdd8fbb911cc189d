//! Renders a template so that each byte of the result is known to come from a place in the template, and so that
//! unknown names are all found in one pass. Knows nothing of JSON or of steps.

use std::io::{self, Write};
use std::ops::Range;

use handlebars::template::Template;
use handlebars::{Handlebars, RenderError, RenderErrorReason};
use serde_json::Value as Json;

use super::helpers;
use super::marker::Marker;
use super::quoted;
use super::seams::{Edge, Seams};
use super::syntax;
use crate::cluster_config::json::{HOLE_END, HOLE_START};
use crate::codes::rendered;
use crate::finding::Code;
use crate::partial::{Hole, ValueType, nearest};

/// Begins a mark: the number of the place in the template where what follows comes from.
const MARK_START: char = '\u{F0000}';
/// Ends a mark.
const MARK_END: char = '\u{F0001}';
/// Longest text that a template may give, marks included, in bytes.
const LONGEST_TEXT: usize = 32 * 1024 * 1024;
/// What the deepest template takes of the stack, in bytes, with room to spare: debug builds take much.
const STACK: usize = 64 * 1024 * 1024;

/// The result of rendering.
pub struct Rendered {
    /// The text; a hole stands where a value is not known.
    pub text: String,
    /// What is wrong: places are bytes of the template.
    pub problems: Vec<Problem>,
    /// Whether a block was decided by a value that is not known, so that parts of the text may be missing.
    pub approximate: bool,
    /// Whether a block lacks a name, or a call that could be made: what it would write is not known.
    pub undefined: bool,
    /// Where the text could be another, whatever stands around.
    pub seams: Seams,
    /// The values that are not known, by number from 1.
    pub holes: Vec<Hole>,
    segments: Vec<Segment>,
    /// The places of what `json` writes, in the order of the text.
    as_json: Vec<Range<usize>>,
}

/// Something wrong with an expression of the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which kind of mistake it is.
    pub code: &'static Code,
    /// Whether a name has no value.
    pub undefined: bool,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Where in the template.
    pub span: Range<usize>,
}

/// From `start` in the text on, what is written comes from `from`.
struct Segment {
    start: usize,
    from: Source,
}

#[derive(Clone)]
pub(super) enum Source {
    /// Template text, byte for byte from here on.
    Text(usize),
    /// An expression: all it writes comes from these bytes.
    Expression(Range<usize>),
    /// No text: an edge of the block that is called at this place
    Seam(usize, Edge),
}

impl Rendered {
    /// The place in the template where the bytes `span` of the text come from.
    pub fn origin(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.origin_of(span.start);
        let end = self.origin_of(span.end.max(span.start + 1) - 1).end;
        if end > start.start { start.start..end } else { start }
    }

    /// Where `json` writes a text (or what holds one) between quotes.
    pub fn quoted_json(&self) -> Vec<Range<usize>> {
        quoted::json(&self.text, &self.as_json, &self.holes)
    }

    fn origin_of(&self, at: usize) -> Range<usize> {
        let next = self.segments.partition_point(|s| s.start <= at);
        match next.checked_sub(1).map(|i| &self.segments[i]) {
            Some(Segment { start, from: Source::Text(from) }) => from + (at - start)..from + (at - start) + 1,
            Some(Segment { from: Source::Expression(range), .. }) => range.clone(),
            Some(Segment { from: Source::Seam(..), .. }) | None => 0..0,
        }
    }
}

/// The mark of this place.
pub(super) fn written(place: usize) -> String {
    format!("{MARK_START}{place}{MARK_END}")
}

/// A hole of this number, to be put in place of a value that is not known.
pub fn hole(number: usize) -> String {
    format!("{HOLE_START}{number}{HOLE_END}")
}

impl Problem {
    /// The same problem with advice.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// A template that was read: what is the same whatever its values are.
pub struct Compiled {
    template: Template,
    marker: Marker,
}

/// Reads the template `source`. The error is that of one that cannot be read at all.
pub fn compile(source: &str) -> Result<Compiled, Problem> {
    if let Some(at) = source.find(is_reserved) {
        let message = "the template holds a private-use character (U+F0000 to U+F0003) that hprun needs for itself";
        return Err(problem(message, at..at + 4));
    }
    if let Some(problem) = syntax::too_deep(source) {
        return Err(problem);
    }
    // Parser and renderer call themselves for each level.
    stacker::maybe_grow(STACK, STACK, || compile_shallow(source))
}

fn is_reserved(c: char) -> bool {
    (MARK_START..=HOLE_END).contains(&c)
}

/// The value that holds a character which is ours, holes aside: the path of its name.
fn reserved_in(value: &Json, holes: usize) -> Option<String> {
    let below = |key: String, value: &Json| {
        let rest = reserved_in(value, holes)?;
        Some(if rest.is_empty() { key } else { format!("{key}.{rest}") })
    };
    match value {
        Json::String(text) => without_hole(text, holes).contains(is_reserved).then(String::new),
        Json::Array(items) => items.iter().enumerate().find_map(|(index, item)| below(index.to_string(), item)),
        Json::Object(entries) => entries.iter().find_map(|(key, value)| {
            // The key itself may hold one.
            if key.contains(is_reserved) { Some(key.replace(is_reserved, "?")) } else { below(key.clone(), value) }
        }),
        Json::Null | Json::Bool(_) | Json::Number(_) => None,
    }
}

/// The text, unless it is one of our holes.
fn without_hole(text: &str, holes: usize) -> &str {
    let number = text.strip_prefix(HOLE_START).and_then(|text| text.strip_suffix(HOLE_END));
    let ours = number.and_then(|number| number.parse().ok()).is_some_and(|number| (1..=holes).contains(&number));
    if ours { "" } else { text }
}

/// The same for a template that is known to be nested no deeper than the stack allows.
fn compile_shallow(source: &str) -> Result<Compiled, Problem> {
    let mut template = Template::compile(source).map_err(|e| unreadable(source, &e))?;
    let mut marker = Marker::new(source);
    marker.template(&mut template);
    match marker.partials.endless() {
        Some(problem) => Err(problem),
        None => Ok(Compiled { template, marker }),
    }
}

impl Compiled {
    /// The text of the template.
    pub fn source(&self) -> &str {
        &self.marker.source
    }

    /// Renders it over `values`, of which those with these numbers (from 1) are not known.
    pub fn render(&self, values: &Json, holes: &[Hole]) -> Result<Rendered, Problem> {
        if let Some(name) = reserved_in(values, holes.len()) {
            let message = format!(
                "the value `{name}` holds a private-use character (U+F0000 to U+F0003) that hprun needs for itself"
            );
            return Err(
                problem(message, 0..0).help("leave the character out, or write it as an escape of the file's format")
            );
        }
        stacker::maybe_grow(STACK, STACK, || self.render_shallow(values, holes))
    }

    fn render_shallow(&self, values: &Json, holes: &[Hole]) -> Result<Rendered, Problem> {
        let Self { template, marker } = self;
        let mut engine = Handlebars::new();
        let types: Vec<ValueType> = holes.iter().map(|hole| hole.of).collect();
        let found = helpers::register(&mut engine, values, &types);
        engine.register_template("it", template.clone());
        let mut marked = Limited::default();
        engine
            .render_to_write("it", values, &mut marked)
            .map_err(|e| unrendered(marker, &e, marked.full || found.went_on()))?;
        let (text, segments, edges) = unmark(&String::from_utf8_lossy(&marked.text), &marker.places);
        let mut problems = found.problems(&marker.source, |place| marker.range(place));
        problems.extend(marker.problems.iter().cloned());
        problems.sort_by_key(|p| p.span.start);
        let undefined = problems.iter().any(|p| p.undefined && in_block(&marker.source, &p.span));
        let decided = found.decided();
        let undefined = undefined || marker.left_out;
        let approximate = undefined || !decided.is_empty();
        let hidden = !decided.is_disjoint(&marker.hidden);
        let edges = edges.into_iter().filter(|(_, place, _)| decided.contains(place)).map(|(at, _, edge)| (at, edge));
        let holes = found.with_parts(holes);
        let seams = Seams::new(edges.collect(), hidden, &text, &holes);
        let as_json = as_json(&marker.source, &text, &segments);
        Ok(Rendered { text, problems, approximate, undefined, seams, holes, segments, as_json })
    }
}

/// Takes text up to a limit.
#[derive(Default)]
struct Limited {
    text: Vec<u8>,
    full: bool,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > LONGEST_TEXT {
            self.full = true;
            return Err(io::Error::other("the text is too long"));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Of `names`, the one that a person most likely meant by `wrong`.
pub fn meant<'a>(wrong: &str, names: &[&'a str]) -> Option<&'a str> {
    nearest(wrong, names.iter().copied()).or_else(|| same_words(wrong, names))
}

/// The only name that has all the words of `wrong`, or whose words `wrong` has: ACCEL_COUNT for ACCEL_INSTANCE_COUNT.
fn same_words<'a>(wrong: &str, names: &[&'a str]) -> Option<&'a str> {
    let words = |text: &str| text.to_lowercase().split(['_', '-']).map(str::to_owned).collect::<Vec<_>>();
    let wanted = words(wrong);
    let within = |a: &[String], b: &[String]| a.iter().all(|word| b.contains(word));
    let mut close = names.iter().filter(|name| {
        let have = words(name);
        within(&wanted, &have) || (have.len() > 1 && within(&have, &wanted))
    });
    close.next().copied().filter(|_| close.next().is_none())
}

/// Whether the expression at `span` opens a block.
fn in_block(source: &str, span: &Range<usize>) -> bool {
    source.get(span.clone()).is_some_and(|text| text.trim_start_matches(['{', '~']).starts_with('#'))
}

pub(super) fn problem(message: impl Into<String>, span: Range<usize>) -> Problem {
    Problem { code: &rendered::WRONG_TEMPLATE, undefined: false, message: message.into(), help: None, span }
}

pub(super) fn line_starts(source: &str) -> Vec<usize> {
    std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

/// The number of the line (from 1) where this byte stands.
pub(super) fn line_of(source: &str, at: usize) -> usize {
    source.get(..at).unwrap_or(source).matches('\n').count() + 1
}

fn unreadable(source: &str, error: &handlebars::TemplateError) -> Problem {
    let starts = line_starts(source);
    let at = error.pos().map_or(0, |(line, column)| position(source, &starts, line, column));
    syntax::explain(source, at)
}

fn unrendered(marker: &Marker, error: &RenderError, too_long: bool) -> Problem {
    let at = error.line_no.zip(error.column_no);
    let at = at.map_or(0, |(line, column)| position(&marker.source, &marker.line_starts, line, column));
    let span = marker.expression(at);
    if too_long {
        let help = "a loop inside a loop over the same list does that";
        let message = "the template gives more text, or takes more rounds of loops and partials, than any file needs";
        return problem(message, span).help(help);
    }
    match error.reason() {
        RenderErrorReason::PartialNotFound(name) => problem(format!("there is no partial `{name}`"), span)
            .help(format!("a template file has only its own: {{{{#*inline \"{name}\"}}}} … {{{{/inline}}}}")),
        RenderErrorReason::PartialBlockNotFound => {
            problem("`@partial-block` has a text only inside a partial that is called as a block", span)
        }
        RenderErrorReason::DecoratorNotFound(name) => {
            problem(format!("there is no decorator `{name}`"), span).help("there is `inline`")
        }
        reason => problem(format!("the template cannot be rendered: {reason}"), span),
    }
}

/// The byte at a line and column (from 1, in characters).
pub(super) fn position(source: &str, starts: &[usize], line: usize, column: usize) -> usize {
    let start = starts.get(line.saturating_sub(1)).copied().unwrap_or(source.len());
    let column = column.saturating_sub(1);
    source[start..].char_indices().nth(column).map_or(source.len(), |(offset, _)| start + offset)
}

/// Where the text comes from a call of `json`.
fn as_json(source: &str, text: &str, segments: &[Segment]) -> Vec<Range<usize>> {
    let ends = segments.iter().skip(1).map(|next| next.start).chain([text.len()]);
    let written = segments.iter().zip(ends).filter(|(segment, _)| match &segment.from {
        Source::Expression(tag) => calls_json(&source[tag.clone()]),
        Source::Text(_) | Source::Seam(..) => false,
    });
    // What ends a line behind it may have no mark of its own.
    written.map(|(segment, end)| segment.start..segment.start + text[segment.start..end].trim_end().len()).collect()
}

/// Whether a tag is a call of `json`, whatever white space is in it; before a bracket or a quote it needs none.
fn calls_json(tag: &str) -> bool {
    let call = tag.trim_start_matches(|c: char| matches!(c, '{' | '~') || c.is_whitespace());
    call.strip_prefix("json").is_some_and(|rest| rest.starts_with(|c: char| c.is_whitespace() || "(\"'".contains(c)))
}

/// The text without marks, what its parts come from, and the edges of blocks: where, of which, and which one.
fn unmark(marked: &str, places: &[Source]) -> (String, Vec<Segment>, Vec<(usize, usize, Edge)>) {
    let mut text = String::with_capacity(marked.len());
    let (mut segments, mut edges) = (Vec::new(), Vec::new());
    for (index, part) in marked.split(MARK_START).enumerate() {
        match part.split_once(MARK_END).filter(|_| index > 0) {
            Some((number, rest)) => {
                match number.parse().ok().and_then(|n: usize| places.get(n)) {
                    Some(Source::Seam(place, edge)) => edges.push((text.len(), *place, *edge)),
                    Some(from) => segments.push(Segment { start: text.len(), from: from.clone() }),
                    None => {}
                }
                text.push_str(rest);
            }
            None => text.push_str(part),
        }
    }
    (text, segments, edges)
}

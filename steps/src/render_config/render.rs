//! Renders a template so that each byte of the result is known to come from a place in the template, and so that
//! unknown names are all found in one pass. Knows nothing of JSON or of steps.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use handlebars::template::{HelperTemplate, Parameter, Subexpression, Template, TemplateElement, TemplateMapping};
use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError, RenderErrorReason,
    ScopedJson,
};
use serde_json::Value as Json;

use crate::cluster_config::json::{AS_JSON, HOLE_END, HOLE_START};
use crate::codes::rendered;
use crate::finding::Code;
use crate::partial::nearest;

/// Begins a mark: the number of the place in the template where what follows comes from.
const MARK_START: char = '\u{F0000}';
/// Ends a mark.
const MARK_END: char = '\u{F0001}';
/// Our helper around every name in a template: it finds out whether there is a value.
const VALUE: &str = "hprun-value";

/// The result of rendering.
pub struct Rendered {
    /// The text; a hole stands where a value is not known.
    pub text: String,
    /// What is wrong: places are bytes of the template.
    pub problems: Vec<Problem>,
    /// Whether a block was decided by a value that is not known, so that parts of the text may be missing.
    pub approximate: bool,
    segments: Vec<Segment>,
}

/// Something wrong with an expression of the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which kind of mistake it is.
    pub code: &'static Code,
    /// The path that has no value, for an undefined name.
    pub undefined: Option<String>,
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
enum Source {
    /// Template text, byte for byte from here on.
    Text(usize),
    /// An expression: all it writes comes from these bytes.
    Expression(Range<usize>),
}

impl Rendered {
    /// The place in the template where the bytes `span` of the text come from.
    pub fn origin(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.origin_of(span.start);
        let end = self.origin_of(span.end.max(span.start + 1) - 1).end;
        if end > start.start { start.start..end } else { start }
    }

    fn origin_of(&self, at: usize) -> Range<usize> {
        let next = self.segments.partition_point(|s| s.start <= at);
        match next.checked_sub(1).map(|i| &self.segments[i]) {
            Some(Segment { start, from: Source::Text(from) }) => from + (at - start)..from + (at - start) + 1,
            Some(Segment { from: Source::Expression(range), .. }) => range.clone(),
            None => 0..0,
        }
    }
}

/// A hole of this number, to be put in place of a value that is not known.
pub fn hole(number: usize) -> String {
    format!("{HOLE_START}{number}{HOLE_END}")
}

/// Renders `source` over `values`. The error is that of a template that cannot be read at all.
pub fn render(source: &str, values: &Json) -> Result<Rendered, Problem> {
    let reserved = |c: char| (MARK_START..=HOLE_END).contains(&c);
    if let Some(at) = source.find(reserved) {
        let message = "the template holds a private-use character (U+F0000 to U+F0003) that hprun needs for itself";
        return Err(problem(message, at..at + 4));
    }
    let mut template = Template::compile(source).map_err(|e| unreadable(source, &e))?;
    let mut marker = Marker { source, line_starts: line_starts(source), places: Vec::new(), cursor: 0 };
    marker.template(&mut template);
    let found = Arc::new(Found::default());
    let mut engine = Handlebars::new();
    engine.register_escape_fn(handlebars::no_escape);
    engine.register_helper(VALUE, Box::new(ValueHelper { found: Arc::clone(&found), values: values.clone() }));
    engine.register_helper("json", Box::new(JsonHelper));
    engine.register_helper("default", Box::new(DefaultHelper));
    engine.register_template("it", template);
    let marked = engine.render("it", values).map_err(|e| unrendered(&marker, &e))?;
    let (text, segments) = unmark(&marked, &marker.places);
    let seen = found.seen.lock().expect("nothing panics while it holds what was found");
    let mut problems: Vec<Problem> = seen.iter().map(|(place, what)| what.problem(marker.range(*place))).collect();
    problems.sort_by_key(|p| p.span.start);
    problems.dedup();
    let approximate = problems.iter().any(|p| p.undefined.is_some() && in_block(source, &p.span))
        || found.decided_by_hole.load(std::sync::atomic::Ordering::Relaxed);
    Ok(Rendered { text, problems, approximate, segments })
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

fn problem(message: impl Into<String>, span: Range<usize>) -> Problem {
    Problem { code: &rendered::WRONG_TEMPLATE, undefined: None, message: message.into(), help: None, span }
}

fn line_starts(source: &str) -> Vec<usize> {
    std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

fn unreadable(source: &str, error: &handlebars::TemplateError) -> Problem {
    let starts = line_starts(source);
    let at = error.pos().map_or(0, |(line, column)| position(source, &starts, line, column));
    problem(format!("the template cannot be read: {}", error.reason()), at..(at + 1).min(source.len()))
}

fn unrendered(marker: &Marker<'_>, error: &RenderError) -> Problem {
    let at = error.line_no.zip(error.column_no);
    let at = at.map_or(0, |(line, column)| position(marker.source, &marker.line_starts, line, column));
    problem(format!("the template cannot be rendered: {}", error.reason()), marker.expression(at))
}

/// The byte at a line and column (from 1, in characters).
fn position(source: &str, starts: &[usize], line: usize, column: usize) -> usize {
    let start = starts.get(line.saturating_sub(1)).copied().unwrap_or(source.len());
    let column = column.saturating_sub(1);
    source[start..].char_indices().nth(column).map_or(source.len(), |(offset, _)| start + offset)
}

/// Puts marks into a parsed template, and our helper around its names. Walks template and source side by side: the
/// parser's own places are those before white space was cut off around blocks.
struct Marker<'a> {
    source: &'a str,
    line_starts: Vec<usize>,
    places: Vec<Source>,
    /// Up to here the source has been found in the template.
    cursor: usize,
}

impl Marker<'_> {
    fn template(&mut self, template: &mut Template) {
        let elements = std::mem::take(&mut template.elements);
        let mapping = std::mem::take(&mut template.mapping);
        for (element, at) in elements.into_iter().zip(mapping) {
            self.element(template, element, &at);
        }
    }

    fn element(&mut self, template: &mut Template, element: TemplateElement, at: &TemplateMapping) {
        let mut push = |element| {
            template.elements.push(element);
            template.mapping.push(at.clone());
        };
        match element {
            TemplateElement::RawString(text) => {
                let rest = &self.source[self.cursor..];
                let until = rest.find("{{").unwrap_or(rest.len());
                let from = self.cursor + rest[..until].find(text.as_str()).unwrap_or(0);
                self.cursor += until;
                push(TemplateElement::RawString(self.mark(Source::Text(from)) + &text));
            }
            TemplateElement::Expression(mut call) => {
                push(TemplateElement::RawString(self.mark_tag("{{")));
                self.call(&mut call);
                push(TemplateElement::Expression(call));
            }
            TemplateElement::HtmlExpression(mut call) => {
                push(TemplateElement::RawString(self.mark_tag("{{")));
                self.call(&mut call);
                push(TemplateElement::HtmlExpression(call));
            }
            TemplateElement::HelperBlock(mut call) => {
                self.mark_tag(if call.chain { "{{else" } else { "{{" });
                let chain = call.chain;
                self.call(&mut call);
                if !chain {
                    self.take_tag("{{/");
                }
                push(TemplateElement::HelperBlock(call));
            }
            TemplateElement::Comment(text) => {
                let end = self.source[self.cursor..].find(text.as_str()).map_or(0, |n| n + text.len());
                self.cursor += end;
                self.cursor = self.source[self.cursor..].find("}}").map_or(self.cursor, |n| self.cursor + n + 2);
                push(TemplateElement::Comment(text));
            }
            other => {
                self.take_tag("{{");
                push(other);
            }
        }
    }

    /// The next tag that opens so (white space control aside), braces included; the cursor moves behind it.
    fn take_tag(&mut self, open: &str) -> Range<usize> {
        let rest = &self.source[self.cursor..];
        let with_control = open.replacen("{{", "{{~", 1);
        let found = [rest.find(open), rest.find(&with_control)].into_iter().flatten().min();
        let start = self.cursor + found.unwrap_or(0);
        let range = self.expression(start);
        self.cursor = range.end;
        range
    }

    fn mark_tag(&mut self, open: &str) -> String {
        let range = self.take_tag(open);
        self.mark(Source::Expression(range))
    }

    fn mark(&mut self, source: Source) -> String {
        self.places.push(source);
        format!("{MARK_START}{}{MARK_END}", self.places.len() - 1)
    }

    /// The bytes of the expression around `offset`, braces included.
    fn expression(&self, offset: usize) -> Range<usize> {
        let open = if self.source[offset..].starts_with("{{") {
            offset
        } else {
            self.source[..offset].rfind("{{").unwrap_or(offset)
        };
        let end = self.source[open..].find("}}").map_or(self.source.len(), |n| open + n + 2);
        let end = if self.source[end..].starts_with('}') { end + 1 } else { end };
        open..end
    }

    fn range(&self, place: usize) -> Range<usize> {
        match self.places.get(place) {
            Some(Source::Expression(range)) => range.clone(),
            Some(Source::Text(at)) => *at..*at + 1,
            None => 0..0,
        }
    }

    fn call(&mut self, call: &mut HelperTemplate) {
        let place = self.places.len() - 1;
        let is_name = call.params.is_empty() && call.hash.is_empty() && !call.block;
        if is_name && let Parameter::Path(_) = &call.name {
            let name = std::mem::replace(&mut call.name, Parameter::Name(VALUE.to_owned()));
            call.params = vec![name, Parameter::Literal(place.into())];
            return;
        }
        let own_default = call.name.as_name() == Some("default");
        for param in call.params.iter_mut().skip(usize::from(own_default)) {
            wrap(param, place, call.block);
        }
        for value in call.hash.values_mut() {
            wrap(value, place, false);
        }
        if let Some(template) = &mut call.template {
            self.template(template);
        }
        if let Some(inverse) = &mut call.inverse {
            let chained = matches!(inverse.elements.first(), Some(TemplateElement::HelperBlock(next)) if next.chain);
            if !chained && call.template.is_some() {
                let rest = &self.source[self.cursor..];
                let open = match (rest.find("{{else"), rest.find("{{^")) {
                    (Some(word), Some(sign)) if sign < word => "{{^",
                    (None, Some(_)) => "{{^",
                    (Some(_), Some(_) | None) | (None, None) => "{{else",
                };
                self.take_tag(open);
            }
            self.template(inverse);
        }
    }
}

/// A name that a helper is given: our helper looks whether it has a value first.
fn wrap(param: &mut Parameter, place: usize, block: bool) {
    match param {
        Parameter::Path(_) => {
            let name = std::mem::replace(param, Parameter::Literal(Json::Null));
            let args = vec![name, Parameter::Literal(place.into()), Parameter::Literal(block.into())];
            *param =
                Parameter::Subexpression(Subexpression::new(Parameter::Name(VALUE.to_owned()), args, HashMap::new()));
        }
        Parameter::Subexpression(inner) => {
            if let TemplateElement::Expression(call) = inner.element.as_mut() {
                let skip = usize::from(call.name.as_name() == Some("default"));
                call.params.iter_mut().skip(skip).for_each(|p| wrap(p, place, block));
                call.hash.values_mut().for_each(|p| wrap(p, place, block));
            }
        }
        Parameter::Name(_) | Parameter::Literal(_) => {}
        _ => {}
    }
}

fn unmark(marked: &str, places: &[Source]) -> (String, Vec<Segment>) {
    let mut text = String::with_capacity(marked.len());
    let mut segments = Vec::new();
    for (index, part) in marked.split(MARK_START).enumerate() {
        match part.split_once(MARK_END).filter(|_| index > 0) {
            Some((number, rest)) => {
                if let Some(from) = number.parse().ok().and_then(|n: usize| places.get(n)) {
                    segments.push(Segment { start: text.len(), from: from.clone() });
                }
                text.push_str(rest);
            }
            None => text.push_str(part),
        }
    }
    (text, segments)
}

/// What our helpers found while rendering.
#[derive(Default)]
struct Found {
    seen: Mutex<Vec<(usize, What)>>,
    decided_by_hole: std::sync::atomic::AtomicBool,
}

enum What {
    Undefined(String),
    NotText(String, &'static str),
}

impl What {
    fn problem(&self, span: Range<usize>) -> Problem {
        match self {
            Self::Undefined(name) => Problem {
                code: &rendered::UNKNOWN_VALUE,
                undefined: Some(name.clone()),
                ..problem(format!("`{name}` has no value"), span)
            },
            Self::NotText(name, kind) => Problem {
                code: &rendered::WRONG_HELPER_USE,
                help: Some(format!("write {{{{json {name}}}}}")),
                ..problem(format!("`{name}` is {kind}, which cannot be written as it is"), span)
            },
        }
    }
}

/// Gives the value of a name. Of one that has none it gives the value that was most likely meant, so that what is wrong with
/// that one is told in the same pass; else a hole.
struct ValueHelper {
    found: Arc<Found>,
    values: Json,
}

impl ValueHelper {
    fn found(&self, h: &Helper<'_>, what: impl Fn(String) -> What) -> String {
        let name = h.param(0).and_then(|p| p.relative_path()).cloned().unwrap_or_default();
        let place = h.param(1).and_then(|p| p.value().as_u64()).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let mut seen = self.found.seen.lock().expect("nothing panics while it holds what was found");
        seen.push((place, what(name)));
        hole(1_000_000 + seen.len())
    }

    fn meant(&self, h: &Helper<'_>) -> Option<Json> {
        let name = h.param(0)?.relative_path()?;
        let values = self.values.as_object()?;
        let names: Vec<&str> = values.keys().map(String::as_str).collect();
        values.get(meant(name, &names)?).cloned()
    }

    fn value(&self, h: &Helper<'_>) -> Json {
        let block = h.param(2).is_some_and(|p| p.value() == &Json::Bool(true));
        let value = match h.param(0) {
            Some(param) if !param.is_value_missing() => param.value().clone(),
            Some(_) | None => {
                let hole = Json::String(self.found(h, What::Undefined));
                self.meant(h).unwrap_or(hole)
            }
        };
        if block && value.as_str().is_some_and(|text| text.contains(HOLE_START)) {
            self.found.decided_by_hole.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        value
    }
}

impl HelperDef for ValueHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        Ok(ScopedJson::Derived(self.value(h)))
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let text = match self.value(h) {
            Json::String(text) => text,
            Json::Null => String::new(),
            Json::Bool(flag) => flag.to_string(),
            Json::Number(number) => number.to_string(),
            Json::Array(_) => self.found(h, |name| What::NotText(name, "a list")),
            Json::Object(_) => self.found(h, |name| What::NotText(name, "a map")),
        };
        Ok(out.write(&text)?)
    }
}

/// `{{json value}}`: the value as JSON.
struct JsonHelper;

impl HelperDef for JsonHelper {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let value = h.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("json", 0))?;
        Ok(out.write(&bare_holes(value.value().to_string()))?)
    }
}

/// JSON text in which each string that is one hole stands for a value of any type.
fn bare_holes(json: String) -> String {
    let (open, close) = (format!("\"{HOLE_START}"), format!("{HOLE_END}\""));
    if !json.contains(&open) {
        return json;
    }
    let mut out = String::with_capacity(json.len());
    for (index, part) in json.split(&open).enumerate() {
        match part.split_once(&close).filter(|(number, _)| index > 0 && number.bytes().all(|b| b.is_ascii_digit())) {
            Some((number, rest)) => out.extend([&format!("{HOLE_START}{AS_JSON}{number}{HOLE_END}"), rest]),
            None if index > 0 => out.extend([open.as_str(), part]),
            None => out.push_str(part),
        }
    }
    out
}

/// `{{default value other}}`: the value, or the other where there is none.
struct DefaultHelper;

impl HelperDef for DefaultHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let value = h.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("default", 0))?;
        let other = h.param(1).ok_or(RenderErrorReason::ParamNotFoundForIndex("default", 1))?;
        let chosen = if value.is_value_missing() || value.value().is_null() { other } else { value };
        Ok(ScopedJson::Derived(chosen.value().clone()))
    }
}

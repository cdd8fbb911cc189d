//! Puts marks into a parsed template, and our helper around its names; calls that cannot be made are told and taken out.
//! Knows nothing of values. Walks template and source side by side: the parser's own places are those before white space was cut.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use handlebars::template::{
    DecoratorTemplate, HelperTemplate, Parameter, Subexpression, Template, TemplateElement, TemplateMapping,
};
use serde_json::Value as Json;

use super::calls::misuse;
use super::compare::COMPARISONS;
use super::helpers::{BLOCK, BLOCK_BY_PARTS, HOLE, MARK, STEP, TEXT, VALUE};
use super::partials::Partials;
use super::render::{Problem, Source, line_starts, problem, written};
use super::seams::Edge;
use super::syntax::{self, Wanted as Tag};
use crate::codes::rendered;

pub(super) struct Marker {
    pub source: String,
    pub line_starts: Vec<usize>,
    /// What each mark stands for.
    pub places: Vec<Source>,
    /// Calls that cannot be made.
    pub problems: Vec<Problem>,
    /// Whether one of them was a block, whose text is left out.
    pub left_out: bool,
    /// Up to here the source has been found in the template.
    cursor: usize,
    /// The partials whose text is being read.
    inside: Vec<String>,
    /// More than zero in such a text, and in one that a partial is given: a mark that is text would spoil its indentation.
    indented: usize,
    /// Which partial calls which.
    pub partials: Partials,
    /// The places of blocks whose edges have no marks.
    pub hidden: HashSet<usize>,
}

impl Marker {
    pub fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            line_starts: line_starts(source),
            places: Vec::new(),
            problems: Vec::new(),
            left_out: false,
            cursor: 0,
            inside: Vec::new(),
            indented: 0,
            partials: Partials::default(),
            hidden: HashSet::new(),
        }
    }

    pub fn template(&mut self, template: &mut Template) {
        let elements = std::mem::take(&mut template.elements);
        let mut mapping = std::mem::take(&mut template.mapping).into_iter();
        for element in elements {
            self.element(template, element, mapping.next().as_ref());
        }
    }

    /// An element, and where the parser saw it: nowhere if it is the next link of a chain of `else if`.
    fn element(&mut self, template: &mut Template, element: TemplateElement, at: Option<&TemplateMapping>) {
        let mark = |template: &mut Template, mark: TemplateElement| {
            template.elements.push(mark);
            template.mapping.extend(at.cloned());
        };
        let element = match element {
            TemplateElement::RawString(text) => TemplateElement::RawString(self.raw(&text)),
            TemplateElement::Expression(mut call) => {
                mark(template, self.mark_tag(Tag::Any));
                self.call(&mut call, self.places.len() - 1);
                TemplateElement::Expression(call)
            }
            TemplateElement::HtmlExpression(mut call) => {
                mark(template, self.mark_tag(Tag::Any));
                self.call(&mut call, self.places.len() - 1);
                TemplateElement::HtmlExpression(call)
            }
            TemplateElement::HelperBlock(mut call) => {
                let is_link = at.is_none();
                self.mark_tag(if is_link { Tag::Else } else { Tag::Any });
                let place = self.places.len() - 1;
                self.seam(place, Edge::Beside).into_iter().for_each(|seam| mark(template, seam));
                self.call(&mut call, place);
                if !is_link {
                    self.take_tag(Tag::Close);
                }
                TemplateElement::HelperBlock(call)
            }
            TemplateElement::Comment(text) => {
                let end = self.source[self.cursor..].find(text.as_str()).map_or(0, |n| n + text.len());
                self.cursor += end;
                self.cursor = self.source[self.cursor..].find("}}").map_or(self.cursor, |n| self.cursor + n + 2);
                TemplateElement::Comment(text)
            }
            TemplateElement::PartialExpression(mut call) => {
                mark(template, self.partial(&mut call));
                TemplateElement::PartialExpression(call)
            }
            TemplateElement::PartialBlock(mut call) => {
                mark(template, self.partial(&mut call));
                self.take_tag(Tag::Close);
                TemplateElement::PartialBlock(call)
            }
            TemplateElement::DecoratorBlock(mut block) => {
                self.take_tag(Tag::Any);
                self.inline(&mut block);
                self.take_tag(Tag::Close);
                TemplateElement::DecoratorBlock(block)
            }
            // Decorators without a text, and whatever the parser may add.
            other => {
                self.take_tag(Tag::Any);
                other
            }
        };
        template.elements.push(element);
        template.mapping.extend(at.cloned());
    }

    /// The call of a partial; a mark for what it writes.
    fn partial(&mut self, call: &mut DecoratorTemplate) -> TemplateElement {
        let span = self.take_tag(Tag::Any);
        let callee = call.name.as_name().map(str::to_owned);
        self.partials.add(self.inside.last().cloned(), callee, span.clone());
        let place = self.place(Source::Expression(span));
        for param in &mut call.params {
            // The context of a partial must stay a path.
            if !matches!(param, Parameter::Path(_)) {
                self.wrap(param, Wanted { place, decides: Decides::Nothing, optional: false });
            }
        }
        for value in call.hash.values_mut() {
            self.wrap(value, Wanted { place, decides: Decides::Nothing, optional: false });
        }
        if let Some(template) = &mut call.template {
            self.indented += 1;
            self.template(template);
            self.indented -= 1;
        }
        call_of(MARK, place)
    }

    /// `{{#*inline "name"}}`: a partial.
    fn inline(&mut self, block: &mut DecoratorTemplate) {
        let name = match block.params.first() {
            Some(Parameter::Literal(Json::String(name))) => name.clone(),
            Some(_) | None => String::new(),
        };
        self.inside.push(name);
        self.indented += 1;
        if let Some(template) = &mut block.template {
            self.template(template);
            // All that it sees is copied for each call.
            count(template, 50);
        }
        self.indented -= 1;
        self.inside.pop();
    }

    /// Text between tags, with marks: where the template has a backslash before `{{`, text and template part ways by one.
    fn raw(&mut self, text: &str) -> String {
        let until = syntax::next_open(&self.source, self.cursor).unwrap_or(self.source.len());
        let mut out = String::with_capacity(text.len() + 16);
        let mut at = self.cursor;
        let braces = text.match_indices("{{").map(|(at, _)| at).filter(|at| *at > 0);
        let mut cuts: Vec<usize> = braces.collect();
        cuts.push(text.len());
        let mut start = 0;
        for cut in cuts {
            let part = &text[start..cut];
            // In raw text braces are text without a backslash, too.
            let ahead = &self.source[at..];
            let found = self
                .source
                .get(at..until)
                .and_then(|ahead| ahead.find(part))
                .or_else(|| ahead.find(part).filter(|_| start > 0));
            let from = at + found.unwrap_or(0);
            self.mark_text(from, part, &mut out);
            at = if found.is_some() { from + part.len() } else { at };
            start = cut;
        }
        self.cursor = until.max(at);
        out
    }

    /// Text with marks: inside of partials one a line, since each may be indented. There what ends a line stays the first that
    /// is written, or the line before would be indented that is empty.
    fn mark_text(&mut self, from: usize, text: &str, out: &mut String) {
        if self.indented == 0 {
            *out += &written(self.place(Source::Text(from)));
            *out += text;
            return;
        }
        let mut at = from;
        for line in text.split_inclusive('\n') {
            if !line.starts_with(['\n', '\r']) {
                *out += &written(self.place(Source::Text(at)));
            }
            *out += line;
            at += line.len();
        }
    }

    /// The next tag of this kind, braces included; the cursor moves behind it.
    fn take_tag(&mut self, wanted: Tag) -> Range<usize> {
        let range = syntax::next(&self.source, self.cursor, wanted).unwrap_or_else(|| self.expression(self.cursor));
        self.cursor = range.end;
        range
    }

    fn mark_tag(&mut self, wanted: Tag) -> TemplateElement {
        let range = self.take_tag(wanted);
        self.mark(Source::Expression(range))
    }

    /// A mark: a text; inside of partials a call that writes past their indentation.
    fn mark(&mut self, source: Source) -> TemplateElement {
        let place = self.place(source);
        if self.indented == 0 { TemplateElement::RawString(written(place)) } else { call_of(MARK, place) }
    }

    fn place(&mut self, source: Source) -> usize {
        self.places.push(source);
        self.places.len() - 1
    }

    /// The bytes of the expression around `offset`, braces included.
    pub fn expression(&self, offset: usize) -> Range<usize> {
        let open = if self.source[offset..].starts_with("{{") {
            offset
        } else {
            self.source[..offset].rfind("{{").unwrap_or(offset)
        };
        open..syntax::end_of_tag(&self.source, open)
    }

    pub fn range(&self, place: usize) -> Range<usize> {
        match self.places.get(place) {
            Some(Source::Expression(range)) => range.clone(),
            Some(Source::Text(at)) => *at..*at + 1,
            Some(Source::Seam(place, _)) => self.range(*place),
            None => 0..0,
        }
    }

    fn call(&mut self, call: &mut HelperTemplate, place: usize) {
        let is_name = call.params.is_empty() && call.hash.is_empty() && !call.block;
        if is_name && let Parameter::Path(_) = &call.name {
            let name = std::mem::replace(&mut call.name, Parameter::Name(TEXT.to_owned()));
            call.params = vec![name, Parameter::Literal(place.into())];
            return;
        }
        let decides = if call.block { Decides::Block } else { Decides::Nothing };
        self.arguments(call, Wanted { place, decides, optional: false });
        let of_any_kind = matches!(call.name.as_name(), Some("lookup" | "default"));
        if of_any_kind && !call.block {
            self.value_of_call(call, place);
        }
        self.blocks(call, place);
    }

    /// A call whose value may have no text: our helper looks at it first.
    fn value_of_call(&self, call: &mut HelperTemplate, place: usize) {
        let name = std::mem::replace(&mut call.name, Parameter::Name(TEXT.to_owned()));
        let inner = Subexpression::new(name, std::mem::take(&mut call.params), std::mem::take(&mut call.hash));
        let text = self.source[self.range(place)].trim_matches(['{', '}', '~', ' ']).to_owned();
        let more = [Json::from(place), Json::Null, text.into()].map(Parameter::Literal);
        call.params = std::iter::once(Parameter::Subexpression(inner)).chain(more).collect();
    }

    /// What stands inside the block at `place`.
    fn blocks(&mut self, call: &mut HelperTemplate, place: usize) {
        if let Some(template) = &mut call.template {
            self.branch(template, place);
            count(template, 1);
        }
        if let Some(inverse) = &mut call.inverse {
            let is_link =
                inverse.mapping.is_empty() && matches!(inverse.elements.first(), Some(TemplateElement::HelperBlock(_)));
            if !is_link && call.template.is_some() {
                self.take_tag(Tag::Else);
            }
            self.branch(inverse, place);
        }
    }

    /// One of the two texts of the block at `place`, with its edges.
    fn branch(&mut self, template: &mut Template, place: usize) {
        self.template(template);
        let (Some(enter), Some(leave)) = (self.seam(place, Edge::Enter), self.seam(place, Edge::Leave)) else { return };
        template.elements.insert(0, enter);
        template.elements.push(leave);
        // A text without anything in it has no place.
        if let Some(at) = template.mapping.first().cloned() {
            template.mapping.insert(0, at.clone());
            template.mapping.push(at);
        }
    }

    /// A mark for an edge of the block at `place`; none inside of partials.
    fn seam(&mut self, place: usize, edge: Edge) -> Option<TemplateElement> {
        if self.indented > 0 {
            self.hidden.insert(place);
            return None;
        }
        Some(self.mark(Source::Seam(place, edge)))
    }

    /// The arguments of a call. One that cannot be made is told, and gives a value that is not known.
    fn arguments(&mut self, call: &mut HelperTemplate, wanted: Wanted) {
        let name = call.name.as_name().unwrap_or_default().to_owned();
        if let Some((message, help)) = misuse(&name, call.params.len(), call.block) {
            let span = self.range(wanted.place);
            let told = Problem { code: &rendered::WRONG_HELPER_USE, help, ..problem(message, span) };
            if !self.problems.contains(&told) {
                self.problems.push(told);
            }
            self.left_out |= wanted.decides != Decides::Nothing;
            call.name = Parameter::Name(HOLE.to_owned());
            call.params.clear();
            call.hash.clear();
            return;
        }
        let compares = COMPARISONS.iter().any(|(compares, _)| *compares == name);
        let decides = wanted.decides.through(compares);
        let wanted = Wanted { decides, ..wanted };
        // The last alternative has nothing behind it.
        let alternatives = if name == "default" { call.params.len() - 1 } else { 0 };
        for (index, param) in call.params.iter_mut().enumerate() {
            self.wrap(param, Wanted { optional: wanted.optional || index < alternatives, ..wanted });
        }
        for value in call.hash.values_mut() {
            self.wrap(value, Wanted { decides: Decides::Nothing, ..wanted });
        }
        if matches!(name.as_str(), "lookup" | "len" | "number" | "join") {
            call.params.extend([Json::from(wanted.place), wanted.optional.into()].map(Parameter::Literal));
        }
    }

    /// A name that a helper is given: our helper looks whether it has a value first.
    fn wrap(&mut self, param: &mut Parameter, wanted: Wanted) {
        match param {
            Parameter::Path(_) if !wanted.optional => {
                looked_at(param, wanted);
            }
            Parameter::Subexpression(inner) => {
                if let TemplateElement::Expression(call) = inner.element.as_mut()
                    && !(call.params.is_empty() && call.hash.is_empty())
                {
                    self.arguments(call, wanted);
                }
                // What a call gives may not be known, either.
                if wanted.decides != Decides::Nothing {
                    looked_at(param, wanted);
                }
            }
            Parameter::Path(_) | Parameter::Name(_) | Parameter::Literal(_) => {}
            _ => {}
        }
    }
}

/// Our helper around an argument.
fn looked_at(param: &mut Parameter, wanted: Wanted) {
    let value = std::mem::replace(param, Parameter::Literal(Json::Null));
    let args = vec![value, Parameter::Literal(wanted.place.into()), wanted.decides.word()];
    let name = Parameter::Name(VALUE.to_owned());
    *param = Parameter::Subexpression(Subexpression::new(name, args, HashMap::new()));
}

/// A loop or a partial without any text would run on uncounted.
fn count(template: &mut Template, steps: usize) {
    template.elements.push(call_of(STEP, steps));
}

/// A call of one of our helpers with a number.
fn call_of(helper: &str, number: usize) -> TemplateElement {
    let params = vec![Parameter::Literal(number.into())];
    *Subexpression::new(Parameter::Name(helper.to_owned()), params, HashMap::new()).element
}

/// How a value is wanted.
#[derive(Clone, Copy)]
struct Wanted {
    /// Of which expression it is an argument.
    place: usize,
    decides: Decides,
    /// Whether it may be missing: `default` has another.
    optional: bool,
}

/// What a value decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decides {
    /// What is written at its place
    Nothing,
    /// A block
    Block,
    /// A block, by a comparison: each part of it counts
    BlockByParts,
}

impl Decides {
    /// What an argument decides of a call that decides this.
    fn through(self, compares: bool) -> Self {
        match (self, compares) {
            (Self::Nothing, _) => Self::Nothing,
            (Self::Block | Self::BlockByParts, true) => Self::BlockByParts,
            // What the call gives is looked at again.
            (Self::Block | Self::BlockByParts, false) => Self::Block,
        }
    }

    /// The word for our helper.
    fn word(self) -> Parameter {
        Parameter::Literal(match self {
            Self::Nothing => Json::Null,
            Self::Block => BLOCK.into(),
            Self::BlockByParts => BLOCK_BY_PARTS.into(),
        })
    }
}

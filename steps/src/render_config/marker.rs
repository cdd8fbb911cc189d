//! Puts marks into a parsed template, and our helper around its names; calls that cannot be made are told and taken out.
//! Knows nothing of values. Walks template and source side by side: the parser's own places are those before white space was cut.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use handlebars::template::{
    DecoratorTemplate, HelperTemplate, Parameter, Subexpression, Template, TemplateElement, TemplateMapping,
};
use serde_json::Value as Json;

use super::calls::misuse;
use super::helpers::{HOLE, STEP, TEXT, VALUE};
use super::render::{MARK_END, MARK_START, Problem, Source, line_starts, problem};
use crate::codes::rendered;

/// Longest chain of partials that call each other.
const LONGEST_CHAIN: usize = 16;

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
    /// More than zero in such a text, and in one that a partial is given: marks would spoil its indentation.
    unmarked: usize,
    /// Which partial calls which (any, if none), and where; the first is none outside of all partials.
    partials: Vec<(Option<String>, Option<String>, Range<usize>)>,
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
            unmarked: 0,
            partials: Vec::new(),
        }
    }

    pub fn template(&mut self, template: &mut Template) {
        let elements = std::mem::take(&mut template.elements);
        let mapping = std::mem::take(&mut template.mapping);
        for (element, at) in elements.into_iter().zip(mapping) {
            self.element(template, element, &at);
        }
    }

    /// A problem if partials may call each other without an end.
    pub fn endless_partial(&self) -> Option<Problem> {
        self.partials.iter().filter(|(caller, ..)| caller.is_none()).find_map(|(_, callee, span)| {
            self.endless(callee.as_deref(), &mut Vec::new()).then(|| {
                let name = callee.as_deref().unwrap_or("…");
                problem(format!("the partial `{name}` may call itself without an end"), span.clone())
                    .help(format!("partials may call others, {LONGEST_CHAIN} deep, but not themselves"))
            })
        })
    }

    fn endless<'m>(&'m self, callee: Option<&'m str>, above: &mut Vec<&'m str>) -> bool {
        // Which one is called is known only when it is.
        let called: HashSet<&str> = match callee {
            Some(name) => std::iter::once(name).collect(),
            None => self.partials.iter().filter_map(|(caller, ..)| caller.as_deref()).collect(),
        };
        called.into_iter().any(|name| {
            if above.contains(&name) || above.len() >= LONGEST_CHAIN {
                return true;
            }
            above.push(name);
            let calls = self.partials.iter().filter(|(caller, ..)| caller.as_deref() == Some(name));
            let endless = calls.map(|(_, callee, _)| callee.as_deref()).collect::<HashSet<_>>();
            let endless = endless.into_iter().any(|callee| self.endless(callee, above));
            above.pop();
            endless
        })
    }

    fn element(&mut self, template: &mut Template, element: TemplateElement, at: &TemplateMapping) {
        let mark = |template: &mut Template, mark: String| {
            if !mark.is_empty() {
                template.elements.push(TemplateElement::RawString(mark));
                template.mapping.push(at.clone());
            }
        };
        let element = match element {
            TemplateElement::RawString(text) => {
                let rest = &self.source[self.cursor..];
                let until = rest.find("{{").unwrap_or(rest.len());
                let from = self.cursor + rest[..until].find(text.as_str()).unwrap_or(0);
                self.cursor += until;
                TemplateElement::RawString(self.mark(Source::Text(from)) + &text)
            }
            TemplateElement::Expression(mut call) => {
                mark(template, self.mark_tag("{{"));
                self.call(&mut call);
                TemplateElement::Expression(call)
            }
            TemplateElement::HtmlExpression(mut call) => {
                mark(template, self.mark_tag("{{"));
                self.call(&mut call);
                TemplateElement::HtmlExpression(call)
            }
            TemplateElement::HelperBlock(mut call) => {
                self.mark_tag(if call.chain { "{{else" } else { "{{" });
                let chain = call.chain;
                self.call(&mut call);
                if !chain {
                    self.take_tag("{{/");
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
                self.take_tag("{{/");
                TemplateElement::PartialBlock(call)
            }
            TemplateElement::DecoratorBlock(mut block) => {
                self.take_tag("{{");
                self.inline(&mut block);
                self.take_tag("{{/");
                TemplateElement::DecoratorBlock(block)
            }
            // Decorators without a text, and whatever the parser may add.
            other => {
                self.take_tag("{{");
                other
            }
        };
        template.elements.push(element);
        template.mapping.push(at.clone());
    }

    /// The call of a partial; a mark for what it writes, unless that is indented with it.
    fn partial(&mut self, call: &mut DecoratorTemplate) -> String {
        let span = self.take_tag("{{");
        let callee = call.name.as_name().map(str::to_owned);
        self.partials.push((self.inside.last().cloned(), callee, span.clone()));
        let place = self.place(Source::Expression(span.clone()));
        for param in &mut call.params {
            // The context of a partial must stay a path.
            if !matches!(param, Parameter::Path(_)) {
                self.wrap(param, Wanted { place, block: false, optional: false });
            }
        }
        for value in call.hash.values_mut() {
            self.wrap(value, Wanted { place, block: false, optional: false });
        }
        if let Some(template) = &mut call.template {
            self.unmarked += 1;
            self.template(template);
            self.unmarked -= 1;
        }
        let on_its_line = self.source[..span.start].rsplit('\n').next().unwrap_or_default();
        if on_its_line.trim().is_empty() { String::new() } else { self.mark(Source::Expression(span)) }
    }

    /// `{{#*inline "name"}}`: a partial.
    fn inline(&mut self, block: &mut DecoratorTemplate) {
        let name = match block.params.first() {
            Some(Parameter::Literal(Json::String(name))) => name.clone(),
            Some(_) | None => String::new(),
        };
        self.inside.push(name);
        self.unmarked += 1;
        if let Some(template) = &mut block.template {
            self.template(template);
            // All that it sees is copied for each call.
            count(template, 50);
        }
        self.unmarked -= 1;
        self.inside.pop();
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

    /// A mark; none inside of partials, whose text belongs to the place where they are called.
    fn mark(&mut self, source: Source) -> String {
        let place = self.place(source);
        if self.unmarked == 0 { format!("{MARK_START}{place}{MARK_END}") } else { String::new() }
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
        let end = self.source[open..].find("}}").map_or(self.source.len(), |n| open + n + 2);
        let end = if self.source[end..].starts_with('}') { end + 1 } else { end };
        open..end
    }

    pub fn range(&self, place: usize) -> Range<usize> {
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
            let name = std::mem::replace(&mut call.name, Parameter::Name(TEXT.to_owned()));
            call.params = vec![name, Parameter::Literal(place.into())];
            return;
        }
        self.arguments(call, Wanted { place, block: call.block, optional: false });
        let of_any_kind = matches!(call.name.as_name(), Some("lookup" | "default"));
        if of_any_kind && !call.block {
            self.value_of_call(call, place);
        }
        self.blocks(call);
    }

    /// A call whose value may have no text: our helper looks at it first.
    fn value_of_call(&self, call: &mut HelperTemplate, place: usize) {
        let name = std::mem::replace(&mut call.name, Parameter::Name(TEXT.to_owned()));
        let inner = Subexpression::new(name, std::mem::take(&mut call.params), std::mem::take(&mut call.hash));
        let text = self.source[self.range(place)].trim_matches(['{', '}', '~', ' ']).to_owned();
        let more = [Json::from(place), false.into(), text.into()].map(Parameter::Literal);
        call.params = std::iter::once(Parameter::Subexpression(inner)).chain(more).collect();
    }

    /// What stands inside a block.
    fn blocks(&mut self, call: &mut HelperTemplate) {
        if let Some(template) = &mut call.template {
            self.template(template);
            count(template, 1);
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

    /// The arguments of a call. One that cannot be made is told, and gives a value that is not known.
    fn arguments(&mut self, call: &mut HelperTemplate, wanted: Wanted) {
        let name = call.name.as_name().unwrap_or_default().to_owned();
        if let Some((message, help)) = misuse(&name, call.params.len(), call.block) {
            let span = self.range(wanted.place);
            let told = Problem { code: &rendered::WRONG_HELPER_USE, help, ..problem(message, span) };
            if !self.problems.contains(&told) {
                self.problems.push(told);
            }
            self.left_out |= wanted.block;
            call.name = Parameter::Name(HOLE.to_owned());
            call.params.clear();
            call.hash.clear();
            return;
        }
        // The last alternative has nothing behind it.
        let alternatives = if name == "default" { call.params.len() - 1 } else { 0 };
        for (index, param) in call.params.iter_mut().enumerate() {
            self.wrap(param, Wanted { optional: wanted.optional || index < alternatives, ..wanted });
        }
        for value in call.hash.values_mut() {
            self.wrap(value, Wanted { block: false, ..wanted });
        }
        if matches!(name.as_str(), "lookup" | "len" | "join") {
            call.params.extend([Json::from(wanted.place), wanted.optional.into()].map(Parameter::Literal));
        }
    }

    /// A name that a helper is given: our helper looks whether it has a value first.
    fn wrap(&mut self, param: &mut Parameter, wanted: Wanted) {
        match param {
            Parameter::Path(_) if !wanted.optional => {
                let name = std::mem::replace(param, Parameter::Literal(Json::Null));
                let args = vec![name, Parameter::Literal(wanted.place.into()), Parameter::Literal(wanted.block.into())];
                let name = Parameter::Name(VALUE.to_owned());
                *param = Parameter::Subexpression(Subexpression::new(name, args, HashMap::new()));
            }
            Parameter::Subexpression(inner) => {
                if let TemplateElement::Expression(call) = inner.element.as_mut()
                    && !(call.params.is_empty() && call.hash.is_empty())
                {
                    self.arguments(call, wanted);
                }
            }
            Parameter::Path(_) | Parameter::Name(_) | Parameter::Literal(_) => {}
            _ => {}
        }
    }
}

/// A loop or a partial without any text would run on uncounted.
fn count(template: &mut Template, steps: u64) {
    let helper =
        Subexpression::new(Parameter::Name(STEP.to_owned()), vec![Parameter::Literal(steps.into())], HashMap::new());
    template.elements.push(*helper.element);
}

/// How a value is wanted.
#[derive(Clone, Copy)]
struct Wanted {
    /// Of which expression it is an argument.
    place: usize,
    /// Whether it decides a block.
    block: bool,
    /// Whether it may be missing: `default` has another.
    optional: bool,
}

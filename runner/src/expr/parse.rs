//! The text of a value to a parsed template, each name with its place in the file.
//! Knows nothing of values; the grammar is that of the Handlebars crate.

use handlebars::template::{HelperTemplate, Parameter, Template as Parsed, TemplateElement};
use handlebars::{Path, PathSeg};
use hprun_steps::partial::Place;
use hprun_steps::value::Value;

use super::ExprError;
use super::helpers::Helper;
use super::target::{Reference, Target};
use crate::codes::expressions;

/// Longest text with expressions, in bytes: longer texts belong in a template file.
const LONGEST_TEXT: usize = 32 * 1024;
/// Deepest nesting of brackets and blocks: the grammar is recursive.
const DEEPEST: usize = 32;

/// A text with expressions.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pub(super) source: String,
    pub(super) body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    /// One single expression, which keeps its type.
    Whole(Expr),
    /// Text with expressions in it.
    Text(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Text(String),
    Value(Expr),
    If { test: Expr, negated: bool, then: Vec<Part>, otherwise: Vec<Part> },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Name(Target, Place),
    Literal(Value),
    Call(Helper, Vec<Expr>, Place),
}

impl Template {
    /// Parses `value`, which stands at `place` of `file`.
    pub(super) fn parse(value: &str, file: &str, place: Place) -> Result<Self, ExprError> {
        let source = value.trim().to_owned();
        if let Some(path) = simple_path(value) {
            let at = Locator::new(value, file, place).find(path);
            let parts: Vec<_> = path.split('.').map(str::to_owned).collect();
            return Ok(Self { source, body: Body::Whole(Expr::Name(Target::of(&parts, at)?, at)) });
        }
        if value.len() > LONGEST_TEXT {
            let message = format!("a text with expressions may hold {} KB", LONGEST_TEXT / 1024);
            return Err(
                ExprError::new(&expressions::WRONG_EXPRESSION, place, message).help("put it into a template file")
            );
        }
        if nesting(value) > DEEPEST {
            return Err(ExprError::new(
                &expressions::WRONG_EXPRESSION,
                place,
                format!("expressions may be nested {DEEPEST} deep"),
            ));
        }
        if let Some(pieces) = simple_pieces(value) {
            let mut at = Locator::new(value, file, place);
            let parts = pieces.into_iter().map(|piece| at.part(piece)).collect::<Result<_, _>>()?;
            return Ok(Self { source, body: Body::Text(parts) });
        }
        Self::by_grammar(value, file, place)
    }

    fn by_grammar(value: &str, file: &str, place: Place) -> Result<Self, ExprError> {
        let source = value.trim().to_owned();
        let parsed = Parsed::compile(value).map_err(|e| syntax_error(&e, value, file, place))?;
        let mut reader = Reader { at: Locator::new(value, file, place) };
        let mut parts = reader.parts(&parsed)?;
        let body = match parts.as_mut_slice() {
            [Part::Value(_)] => match parts.remove(0) {
                Part::Value(expr) => Body::Whole(expr),
                Part::Text(_) | Part::If { .. } => unreachable!("it was just seen to be a value"),
            },
            _ => Body::Text(parts),
        };
        Ok(Self { source, body })
    }

    /// Every name in it.
    pub(super) fn collect(&self, found: &mut Vec<Reference>) {
        match &self.body {
            Body::Whole(expr) => expr.collect(false, found),
            Body::Text(parts) => collect_parts(parts, found),
        }
    }
}

fn collect_parts(parts: &[Part], found: &mut Vec<Reference>) {
    for part in parts {
        match part {
            Part::Text(_) => {}
            Part::Value(expr) => expr.collect(false, found),
            Part::If { test, then, otherwise, negated: _ } => {
                test.collect(false, found);
                collect_parts(then, found);
                collect_parts(otherwise, found);
            }
        }
    }
}

impl Expr {
    pub(super) fn collect(&self, defaulted: bool, found: &mut Vec<Reference>) {
        match self {
            Self::Literal(_) => {}
            Self::Name(target, place) => found.push(Reference { target: target.clone(), place: *place, defaulted }),
            Self::Call(Helper::Default, args, _) => {
                // The last alternative has nothing behind it.
                let last = args.len().saturating_sub(1);
                args.iter().enumerate().for_each(|(i, arg)| arg.collect(defaulted || i < last, found));
            }
            Self::Call(_, args, _) => args.iter().for_each(|arg| arg.collect(defaulted, found)),
        }
    }
}

/// Turns the crate's tree into ours. It visits names in the order of the text, so that each can be found in it.
struct Reader<'a> {
    at: Locator<'a>,
}

impl Reader<'_> {
    fn parts(&mut self, template: &Parsed) -> Result<Vec<Part>, ExprError> {
        let mut parts = Vec::new();
        for element in &template.elements {
            match element {
                TemplateElement::RawString(text) => {
                    self.at.pass(text);
                    parts.push(Part::Text(text.clone()));
                }
                TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => {
                    parts.push(Part::Value(self.call(&call.name, &call.params, !call.hash.is_empty())?));
                }
                TemplateElement::HelperBlock(block) => parts.push(self.block(block)?),
                TemplateElement::Comment(_) => {}
                // Partials and decorators, and whatever the crate may add.
                _ => {
                    let message = "partials (`{{> …}}`) and decorators (`{{* …}}`) have no meaning here";
                    return Err(ExprError::new(&expressions::WRONG_EXPRESSION, self.at.here(), message));
                }
            }
        }
        Ok(parts)
    }

    fn block(&mut self, block: &HelperTemplate) -> Result<Part, ExprError> {
        let name = block.name.as_name().unwrap_or_default().to_owned();
        let place = self.at.find(&name);
        let negated = match name.as_str() {
            "if" => false,
            "unless" => true,
            _ => {
                let message = format!("the block `{{{{#{name}}}}}` has no meaning in a pipeline file");
                return Err(ExprError::new(&expressions::WRONG_EXPRESSION, place, message)
                    .help("there are `#if` and `#unless`; for more use a template file"));
            }
        };
        let [test] = block.params.as_slice() else {
            return Err(ExprError::new(
                &expressions::WRONG_ARGUMENT,
                place,
                format!("`#{name}` takes one condition, this has {}", block.params.len()),
            ));
        };
        let test = self.argument(test)?;
        let then = block.template.as_ref().map_or(Ok(Vec::new()), |t| self.parts(t))?;
        let otherwise = block.inverse.as_ref().map_or(Ok(Vec::new()), |t| self.parts(t))?;
        Ok(Part::If { test, negated, then, otherwise })
    }

    fn call(&mut self, name: &Parameter, args: &[Parameter], has_hash: bool) -> Result<Expr, ExprError> {
        if args.is_empty() && !has_hash {
            return self.argument(name);
        }
        let word = name.as_name().unwrap_or_default().to_owned();
        let place = self.at.find(&word);
        let helper = Helper::named(&word, place)?;
        if has_hash {
            return Err(ExprError::new(
                &expressions::WRONG_ARGUMENT,
                place,
                format!("`{word}` takes no named arguments (`name=value`)"),
            ));
        }
        helper.check_count(args.len(), place)?;
        let args = args.iter().map(|arg| self.argument(arg)).collect::<Result<Vec<_>, _>>()?;
        Ok(Expr::Call(helper, args, place))
    }

    fn argument(&mut self, parameter: &Parameter) -> Result<Expr, ExprError> {
        match parameter {
            Parameter::Literal(json) => Ok(Expr::Literal(Value::from_json(json))),
            Parameter::Subexpression(sub) => {
                let TemplateElement::Expression(call) = sub.as_element() else {
                    unreachable!("the crate makes a subexpression of nothing else")
                };
                self.call(&call.name, &call.params, !call.hash.is_empty())
            }
            Parameter::Name(name) => {
                let place = self.at.find(name);
                Ok(Expr::Name(Target::of(std::slice::from_ref(name), place)?, place))
            }
            Parameter::Path(Path::Local((_, _, raw))) => {
                let place = self.at.find(raw);
                Err(ExprError::new(&expressions::UNKNOWN_NAME, place, format!("there is nothing called `{raw}`")))
            }
            Parameter::Path(Path::Relative((segments, raw))) => {
                let place = self.at.find(raw);
                let parts = segments
                    .iter()
                    .map(|segment| match segment {
                        PathSeg::Named(name) => Ok(name.clone()),
                        _ => Err(ExprError::new(
                            &expressions::WRONG_EXPRESSION,
                            place,
                            format!("`{raw}` leads upwards: name things in full"),
                        )),
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(Expr::Name(Target::of(&parts, place)?, place))
            }
            _ => Err(ExprError::new(
                &expressions::WRONG_EXPRESSION,
                self.at.here(),
                "this form of argument is not known here",
            )),
        }
    }
}

/// Finds where a word of the value stands in the file: the YAML between them may have quotes, escapes and indentation.
struct Locator<'a> {
    value: &'a str,
    /// The file's text at the value's place.
    slice: &'a str,
    place: Place,
    /// Up to here the value has been visited.
    cursor: usize,
}

impl<'a> Locator<'a> {
    fn new(value: &'a str, file: &'a str, place: Place) -> Self {
        let slice = file.get(place.start as usize..place.end as usize).unwrap_or_default();
        Self { value, slice, place, cursor: 0 }
    }

    /// Goes behind a piece of plain text.
    fn pass(&mut self, text: &str) {
        if let Some(at) = self.value[self.cursor..].find(text) {
            self.cursor += at + text.len();
        }
    }

    /// The place of the next `word`, and goes behind it.
    fn find(&mut self, word: &str) -> Place {
        let Some(at) = self.value[self.cursor..].find(word) else { return self.place };
        let at = self.cursor + at;
        self.cursor = at + word.len();
        self.in_file(at, word)
    }

    fn here(&self) -> Place {
        self.place
    }

    fn part(&mut self, piece: Piece<'_>) -> Result<Part, ExprError> {
        match piece {
            Piece::Text(text) => {
                self.pass(text);
                Ok(Part::Text(text.to_owned()))
            }
            Piece::Path(path) => {
                let place = self.find(path);
                let parts: Vec<_> = path.split('.').map(str::to_owned).collect();
                Ok(Part::Value(Expr::Name(Target::of(&parts, place)?, place)))
            }
        }
    }

    fn in_file(&self, at: usize, word: &str) -> Place {
        let start = match self.slice.find(self.value) {
            Some(verbatim) => Some(verbatim + at),
            None => {
                let before = self.value[..at].matches(word).count();
                self.slice.match_indices(word).nth(before).map(|(start, _)| start)
            }
        };
        let narrow = |offset: usize| u32::try_from(offset).ok().map(|offset| self.place.start + offset);
        match start.map(|start| (narrow(start), narrow(start + word.len()))) {
            Some((Some(start), Some(end))) => Place { start, end },
            _ => self.place,
        }
    }
}

/// `a.b-c.d` of `{{ a.b-c.d }}`: by far the most frequent form, read without the grammar.
fn simple_path(value: &str) -> Option<&str> {
    let path = value.strip_prefix("{{")?.strip_suffix("}}")?.trim_matches(' ');
    let plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            && part != "this"
            && part != "else"
    };
    (path.contains('.') && path.split('.').all(plain)).then_some(path)
}

/// A piece of a text that holds nothing but plain text and `{{ a.b }}`.
enum Piece<'a> {
    Text(&'a str),
    Path(&'a str),
}

/// The pieces of such a text, of which there are thousands in a large pipeline: read without the grammar. What may be an escape,
/// a number or a word of the grammar is left to that.
fn simple_pieces(value: &str) -> Option<Vec<Piece<'_>>> {
    if value.contains('\\') || value.contains("{{{") || value.contains("}}}") {
        return None;
    }
    let (mut pieces, mut rest) = (Vec::new(), value);
    while let Some(open) = rest.find("{{") {
        let close = open + rest[open..].find("}}")? + 2;
        let path = simple_path(&rest[open..close])?;
        if !path.starts_with("params.") && !path.starts_with("steps.") || rest[..open].contains("}}") {
            return None;
        }
        pieces.extend((open > 0).then_some(Piece::Text(&rest[..open])));
        pieces.push(Piece::Path(path));
        rest = &rest[close..];
    }
    if rest.contains("}}") {
        return None;
    }
    pieces.extend((!rest.is_empty()).then_some(Piece::Text(rest)));
    Some(pieces)
}

/// How deep brackets and blocks are nested, roughly and never less than they are.
fn nesting(value: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let bytes = value.as_bytes();
    for (i, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b'{' if bytes.get(i + 1) != Some(&b'{') && i > 0 && bytes[i - 1] != b'{' => depth += 1,
            b'#' if value[..i].trim_end_matches(['~', ' ']).ends_with("{{") => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'}' if bytes.get(i + 1) != Some(&b'}') && i > 0 && bytes[i - 1] != b'}' => depth = depth.saturating_sub(1),
            b'/' if value[..i].trim_end_matches(['~', ' ']).ends_with("{{") => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn syntax_error(error: &handlebars::TemplateError, value: &str, file: &str, place: Place) -> ExprError {
    use handlebars::TemplateErrorReason as Reason;
    let message = match error.reason() {
        Reason::MismatchingClosedHelper(open, close) => format!("`#{open}` is closed by `/{close}`"),
        Reason::InvalidParam(param) => format!("`{param}` is no valid argument"),
        _ if value.matches("{{").count() != value.matches("}}").count() => {
            "an expression is not closed: each `{{` needs its `}}`".to_owned()
        }
        _ => "this is no valid expression".to_owned(),
    };
    let at = error.pos().map_or(place, |(line, column)| {
        let offset = crate::diagnostic::Lines::of(value).offset(line, column);
        let word = value[offset..].split_whitespace().next().unwrap_or_default();
        if word.is_empty() { place } else { Locator::new(value, file, place).in_file(offset, word) }
    });
    let help = operator(value).unwrap_or_else(|| {
        "write {{ params.NAME }}, {{ steps.ID.outputs.NAME }} or {{ helper argument … }}".to_owned()
    });
    ExprError::new(&expressions::WRONG_EXPRESSION, at, message).help(help)
}

/// How to write what `value` says with an operator, as other languages do: `{{ params.n > 0 }}`.
fn operator(value: &str) -> Option<String> {
    // Those that bind least come first: they divide the whole.
    const OPERATORS: [(&str, &str); 8] = [
        (" || ", "or"),
        (" && ", "and"),
        (" == ", "eq"),
        (" != ", "ne"),
        (" >= ", "gte"),
        (" <= ", "lte"),
        (" > ", "gt"),
        (" < ", "lt"),
    ];
    let inside = value.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let (left, right, helper) = OPERATORS
        .iter()
        .find_map(|(sign, helper)| inside.split_once(sign).map(|(left, right)| (left.trim(), right.trim(), *helper)))?;
    // `x || 'none'` is how other languages say what is taken where there is no x.
    let helper = if helper == "or" && right.starts_with(['\'', '"']) { "default" } else { helper };
    let is_one = |side: &str| !side.is_empty() && !side.contains(char::is_whitespace);
    let said = (is_one(left) && is_one(right)).then(|| format!("{{{{ {helper} {left} {right} }}}}"));
    Some(format!("there are no operators: write {}", said.unwrap_or_else(|| format!("{{{{ {helper} a b }}}}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_without_the_grammar_is_what_the_grammar_reads() {
        let texts = [
            "a {{ params.b }}",
            "{{params.a}}-{{ steps.b-c.outputs.d_e }}\n\tü",
            "{{ steps.a.outputs.b }}{{ steps.a.outputs.b }} ",
            " {{ params.a.0.b }} { } x",
            "{{ steps.a.status }} {{ steps.a.what }}",
            "x {{ params.a }}\n",
        ];
        for text in texts {
            let file = format!("k: '{text}'");
            let place = Place { start: 3, end: u32::try_from(file.len()).expect("a short text") };
            assert!(simple_pieces(text).is_some(), "{text}");
            assert_eq!(Template::parse(text, &file, place), Template::by_grammar(text, &file, place), "{text}");
        }
        let others = [
            "a \\{{ params.b }}",
            "{{{ params.b }}} a",
            "{{ params.b }}} a",
            "a {{~ params.b }}",
            "a {{ 1.5 }}",
            "a }} {{ params.b }}",
        ];
        assert!(others.iter().all(|text| simple_pieces(text).is_none()));
    }
}

//! The tags of a template, read roughly: what is nested too deep for the parser, and in our own words why it reads no further.
//! Knows nothing of values; what a tag means is the parser's.

use std::ops::Range;

use super::render::{Problem, line_of, problem};

/// Deepest nesting of blocks, and of brackets in one tag: parser and renderer call themselves for each level.
const DEEPEST: usize = 64;
/// Most `else if` around one place: each is a block in the block before it, though nobody sees it so.
const MOST_ALTERNATIVES: usize = 500;

/// A tag, and where it stands.
struct Tag<'a> {
    span: Range<usize>,
    kind: Kind<'a>,
}

enum Kind<'a> {
    /// `{{#name …}}`
    Open(&'a str),
    /// `{{/name}}`
    Close(&'a str),
    /// `{{else}}` or `{{^}}`, and what stands behind it
    Else(&'a str),
    /// An expression, a partial
    Other,
    /// `{{` that no `}}` follows
    NeverEnds,
}

/// A problem if blocks or brackets are nested too deep.
pub(super) fn too_deep(source: &str) -> Option<Problem> {
    // Of each open block, how many `else if` it has so far; and all of them together.
    let (mut open, mut alternatives): (Vec<usize>, usize) = (Vec::new(), 0);
    // Up to here brackets were counted: what begins within is nested no deeper.
    let mut counted = 0;
    for tag in tags(source) {
        match tag.kind {
            Kind::Open(_) => open.push(0),
            Kind::Else(more) if !more.is_empty() => {
                if let Some(own) = open.last_mut() {
                    *own += 1;
                    alternatives += 1;
                }
            }
            Kind::Close(_) => alternatives -= open.pop().unwrap_or_default(),
            Kind::Else(_) | Kind::Other | Kind::NeverEnds => {}
        }
        let is_new = tag.span.end > counted;
        counted = counted.max(tag.span.end);
        if open.len() > DEEPEST || (is_new && brackets(&source[tag.span.clone()]) > DEEPEST) {
            return Some(problem(format!("the template is nested more than {DEEPEST} deep"), tag.span));
        }
        if alternatives > MOST_ALTERNATIVES {
            let message = format!("a block has more than {MOST_ALTERNATIVES} `else if`, those around it included");
            return Some(problem(message, tag.span).help("look the value up in a map: {{lookup map key}}"));
        }
    }
    None
}

/// Which tag is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Whatever comes next
    Any,
    /// `{{else}}`, `{{else if …}}` or `{{^}}`
    Else,
    /// `{{/…}}`
    Close,
}

/// The next tag of a kind from here on, braces included: of raw text the part that opens it.
pub(super) fn next(source: &str, from: usize, wanted: Wanted) -> Option<Range<usize>> {
    let mut cursor = from;
    loop {
        let start = next_open(source, cursor)?;
        let end = end_of_tag(source, start);
        let inside = source[start + 2..end].trim_start_matches(['{', '~', ' ', '\t', '\n', '\r']);
        let word = inside
            .strip_prefix("else")
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || "_-.".contains(c)));
        let fits = match wanted {
            Wanted::Any => true,
            Wanted::Else => word || inside.starts_with('^'),
            Wanted::Close => inside.starts_with('/'),
        };
        if fits {
            return Some(start..end);
        }
        cursor = end;
    }
}

/// Where the next tag or comment begins: one behind a backslash is text.
pub(super) fn next_open(source: &str, from: usize) -> Option<usize> {
    let mut cursor = from;
    loop {
        let start = cursor + source[cursor..].find("{{")?;
        if source[..start].bytes().rev().take_while(|b| *b == b'\\').count() != 1 {
            return Some(start);
        }
        cursor = start + 2;
    }
}

/// Where the tag ends that begins at `start`, braces included.
pub(super) fn end_of_tag(source: &str, start: usize) -> usize {
    let rest = &source[start..];
    if rest.starts_with("{{{{") {
        return rest.find("}}}}").map_or(source.len(), |n| start + n + 4);
    }
    let end = Ends::of_one(source).end_of(start);
    let end = end.or_else(|| rest.find("}}").map(|n| start + n + 2 + usize::from(rest[n + 2..].starts_with('}'))));
    end.unwrap_or(source.len())
}

/// Why the parser refuses a template; `at` is where it stopped.
pub(super) fn explain(source: &str, at: usize) -> Problem {
    let mut open: Vec<(&str, Range<usize>)> = Vec::new();
    for Tag { span, kind } in tags(source) {
        match kind {
            Kind::Open(name) => open.push((name, span)),
            Kind::NeverEnds => return problem("an expression is not closed: `{{` needs its `}}`", span),
            Kind::Else(more) if open.is_empty() => return outside(more, span),
            Kind::Close(name) => match open.pop() {
                None => {
                    return problem(format!("`{{{{/{name}}}}}` closes no block"), span)
                        .help(format!("write {{{{#{name} …}}}} before it, or remove it"));
                }
                Some((opened, _)) if opened == name || name.is_empty() => {}
                Some((opened, place)) if open.iter().any(|(outer, _)| *outer == name) => {
                    return never_closed(opened, place);
                }
                Some((opened, place)) => {
                    let line = line_of(source, place.start);
                    return problem(format!("`{{{{#{opened}}}}}` of line {line} is closed by `{{{{/{name}}}}}`"), span)
                        .help(format!("write {{{{/{opened}}}}}"));
                }
            },
            Kind::Else(_) | Kind::Other => {}
        }
    }
    match open.pop() {
        Some((name, place)) => never_closed(name, place),
        None => not_understood(source, at),
    }
}

fn never_closed(name: &str, place: Range<usize>) -> Problem {
    problem(format!("the block `{{{{#{name}}}}}` is never closed"), place)
        .help(format!("write {{{{/{name}}}}} where it ends"))
}

/// `{{else}}` or `{{^ …}}` where no block is open.
fn outside(more: &str, span: Range<usize>) -> Problem {
    match more.split_whitespace().next() {
        Some("if") => problem("`{{^if}}` and `{{else if}}` stand only inside a block", span)
            .help("write {{#unless …}} … {{/unless}} for what is written if something does not hold"),
        Some(_) | None => {
            problem("`{{else}}` stands in no block", span).help("write {{#if …}} or {{#each …}} before it")
        }
    }
}

fn not_understood(source: &str, at: usize) -> Problem {
    let open = source[..at.min(source.len())].rfind("{{").unwrap_or(at.min(source.len()));
    let end = source[open..].find("}}").map_or(source.len(), |n| open + n + 2);
    problem("this is no valid expression", open..end)
        .help("write {{NAME}}, {{helper argument …}} or a block such as {{#if NAME}} … {{/if}}")
}

/// The tags of a template, in order.
fn tags(source: &str) -> impl Iterator<Item = Tag<'_>> {
    let (mut cursor, mut ends) = (0, Ends::of_all(source));
    let mut line_end = Ahead::default();
    std::iter::from_fn(move || {
        loop {
            let start = next_open(source, cursor)?;
            let end = ends.end_of(start);
            cursor = end.unwrap_or(start + 2);
            if source[start..].starts_with("{{!") && end.is_some() {
                continue;
            }
            let Some(end) = end else {
                let end = line_end.next(source, start, |rest| rest.find(['\n', '\r'])).unwrap_or(source.len());
                return Some(Tag { span: start..end, kind: Kind::NeverEnds });
            };
            return Some(Tag { span: start..end, kind: kind(&source[start + 2..end]) });
        }
    })
}

/// Where tags end, asked from the first to the last: what was looked for once is not looked for again.
struct Ends<'a> {
    source: &'a str,
    /// Of each `{{` the first `}}` outside of quotes, if there is one; of a single tag it is looked for when it is asked for.
    closing: Option<Vec<(usize, Option<usize>)>>,
    raw: Ahead,
    raw_end: Ahead,
    comment_end: Ahead,
    end: Ahead,
}

impl<'a> Ends<'a> {
    fn of_one(source: &'a str) -> Self {
        let ahead = Ahead::default;
        Self { source, closing: None, raw: ahead(), raw_end: ahead(), comment_end: ahead(), end: ahead() }
    }

    fn of_all(source: &'a str) -> Self {
        Self { closing: Some(all_closing(source)), ..Self::of_one(source) }
    }

    /// Where the tag ends that begins at `start`; none if another begins before.
    fn end_of(&mut self, start: usize) -> Option<usize> {
        let source = self.source;
        let rest = &source[start..];
        if rest.starts_with("{{{{") {
            let close = self.raw.next(source, start, |rest| rest.find("{{{{/"))?;
            return self.raw_end.next(source, close, |rest| rest.find("}}}}")).map(|n| n + 4);
        }
        if rest.starts_with("{{!--")
            && let Some(end) = self.comment_end.next(source, start, |rest| rest.find("--}}"))
        {
            return Some(end + 4);
        }
        let first = self.end.next(source, start, |rest| rest.find("}}"))?;
        if rest.starts_with("{{!") {
            return Some(first + 2);
        }
        let end = self.closing(start).unwrap_or(first) + 2;
        let end = end + usize::from(source[end..].starts_with('}'));
        (!source[start + 2..end].trim_start_matches('{').contains("{{")).then_some(end)
    }

    fn closing(&self, start: usize) -> Option<usize> {
        match &self.closing {
            Some(all) => all.binary_search_by_key(&start, |(at, _)| *at).ok().and_then(|index| all[index].1),
            None => closing(&self.source[start..]).map(|n| start + n),
        }
    }
}

/// The next place of something in a text.
#[derive(Default)]
struct Ahead(Option<Option<usize>>);

impl Ahead {
    /// From `from` on, which is never less than before.
    fn next(&mut self, text: &str, from: usize, find: impl Fn(&str) -> Option<usize>) -> Option<usize> {
        match self.0 {
            Some(None) => None,
            Some(Some(at)) if at >= from => Some(at),
            Some(Some(_)) | None => {
                let at = find(&text[from..]).map(|n| from + n);
                self.0 = Some(at);
                at
            }
        }
    }
}

/// Of each `{{` the first `}}` outside of quotes: read from the end, what is found from a place on is known there.
fn all_closing(source: &str) -> Vec<(usize, Option<usize>)> {
    // What is found from here on: outside of quotes, in double ones, in single ones.
    let (mut plain, mut double, mut single): (Option<usize>, Option<usize>, Option<usize>) = (None, None, None);
    let mut all = Vec::new();
    let bytes = source.as_bytes();
    for (at, byte) in bytes.iter().enumerate().rev() {
        if bytes[at..].starts_with(b"{{") {
            all.push((at, plain));
        }
        match byte {
            b'"' => (plain, double) = (double, plain),
            b'\'' => (plain, single) = (single, plain),
            b'}' if bytes[at..].starts_with(b"}}") => plain = Some(at),
            _ => {}
        }
    }
    all.reverse();
    all
}

/// The first `}}` outside of quotes.
fn closing(rest: &str) -> Option<usize> {
    let mut quote = None;
    let mut chars = rest.char_indices().skip(2).peekable();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') if chars.peek().is_some_and(|(_, next)| *next == '}') => return Some(at),
            (Some(_) | None, _) => {}
        }
    }
    None
}

fn kind(inside: &str) -> Kind<'_> {
    let inside = inside.trim_start_matches(['~', ' ', '\t', '\n', '\r']);
    let inside = inside.trim_end_matches(['}', '~', ' ', '\t', '\n', '\r']);
    let word = |text: &'_ str| text.find([' ', '\t', '\n', '\r', '}', '~']).unwrap_or(text.len());
    if let Some(block) = inside.strip_prefix('#') {
        let block = block.trim_start_matches(['*', '>', ' ']);
        Kind::Open(&block[..word(block)])
    } else if let Some(name) = inside.strip_prefix('/') {
        Kind::Close(name.trim())
    } else if let Some(more) = inside.strip_prefix('^') {
        Kind::Else(more.trim())
    } else if let Some(more) =
        inside.strip_prefix("else").filter(|more| more.is_empty() || more.starts_with(char::is_whitespace))
    {
        Kind::Else(more.trim())
    } else {
        Kind::Other
    }
}

/// How deep the brackets of a tag are nested: never less than they are.
fn brackets(tag: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    for byte in tag.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(source: &str) -> String {
        let problem = explain(source, 0);
        format!("{:?} {}", &source[problem.span], problem.message)
    }

    #[test]
    fn what_the_parser_refuses_is_told_by_its_block() {
        let cases = [
            ("{{#if a}}x", "\"{{#if a}}\" the block `{{#if}}` is never closed"),
            ("{{#if a}}{{#each b}}x{{/if}}", "\"{{#each b}}\" the block `{{#each}}` is never closed"),
            ("a\n{{#if a}}{{/each}}", "\"{{/each}}\" `{{#if}}` of line 2 is closed by `{{/each}}`"),
            ("x{{/if}}", "\"{{/if}}\" `{{/if}}` closes no block"),
            ("{{^if a}}x{{/if}}", "\"{{^if a}}\" `{{^if}}` and `{{else if}}` stand only inside a block"),
            ("{{else}}", "\"{{else}}\" `{{else}}` stands in no block"),
            ("a {{b}\" {{c}}", "\"{{b}\\\" {{c}}\" an expression is not closed: `{{` needs its `}}`"),
            (
                "\\{{#if}} {{!-- {{#each}} --}} {{{{raw}}}} {{#x}} {{{{/raw}}}} {{a..b}}",
                "\"{{a..b}}\" this is no valid expression",
            ),
        ];
        for (source, expected) in cases {
            let at = source.rfind("{{").unwrap_or(0);
            let problem = explain(source, at + 2);
            assert_eq!(format!("{:?} {}", &source[problem.span], problem.message), expected);
        }
        assert_eq!(said("{{#a}}{{~#b~}}{{~/b~}}"), "\"{{#a}}\" the block `{{#a}}` is never closed");
    }

    #[test]
    fn the_end_of_each_tag_is_the_same_whether_all_are_asked_for_or_one() {
        let parts = ["{{", "}}", "\"", "'", "a", "\n", "{", "}", "!", "--", "/", "é"];
        // Every text of four parts, and what repeats it.
        for mut number in 0..parts.len().pow(4) {
            let mut text = String::new();
            for _ in 0..4 {
                text += parts[number % parts.len()];
                number /= parts.len();
            }
            let text = format!("{{{{{text}{text}");
            let mut all = Ends::of_all(&text);
            for (at, _) in text.match_indices("{{") {
                assert_eq!(all.end_of(at), Ends::of_one(&text).end_of(at), "{text:?} at {at}");
            }
        }
    }

    #[test]
    fn a_template_with_many_tags_that_never_end_is_read_in_one_pass() {
        let many = |tag: &str, end: &str| format!("{}{end}", tag.repeat(200_000));
        for text in [
            many("{{\n", ""),
            many("{{\n", "}}"),
            many("{{a} } ", ""),
            many("\"{{x \"}}\"\"", ""),
            many("\"{{\"}}\"", ""),
            many("{{!--\n", ""),
            many("{{{{a\n", ""),
            many("{{{{a}}}}\n", "{{{{/"),
        ] {
            // With a search to the end for each of them this would take minutes.
            let begin = text.get(..20).expect("it is longer");
            assert!(too_deep(&text).is_none(), "{begin}");
            assert!(explain(&text, 0).span.start < text.len(), "{begin}");
        }
    }

    #[test]
    fn what_would_exhaust_the_stack_is_not_parsed() {
        let deep = |n: usize| format!("{}{}", "{{#if a}}".repeat(n), "{{/if}}".repeat(n));
        assert!(too_deep(&deep(64)).is_none() && too_deep(&deep(65)).is_some());
        let chain = |n: usize| format!("{{{{#if a}}}}{}{{{{/if}}}}", "{{else if b}}".repeat(n));
        assert!(
            too_deep(&chain(500)).is_none() && too_deep(&chain(501)).is_some() && too_deep(&chain(99_999)).is_some()
        );
        assert!(too_deep(&chain(500).repeat(3)).is_none(), "blocks side by side are counted alone");
        assert!(too_deep(&format!("{{{{a {}b{}}}}}", "(c ".repeat(99_999), ")".repeat(99_999))).is_some());
        assert!(too_deep(&"{{#if a}}{{/if}}[{(".repeat(1_000)).is_none(), "what is not nested is not deep");
    }
}

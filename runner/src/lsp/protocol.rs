//! Answers as the protocol spells them, and what its requests hold.
//! Knows nothing of how answers are found.

use std::path::Path;

use hprun_steps::files::normalize;
use hprun_steps::finding::{Code, Severity};
use hprun_steps::partial::Place;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::completion::{Item, Kind};
use super::disk::Disk;
use super::fixes::Fix;
use super::hover::Hover;
use super::position::{Encoding, Position, Ruler, Span};
use super::symbols::Symbol;
use crate::diagnostic::{Diagnostic, File, brief};

/// `textDocument: { uri }`, and the position where there is one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The text that it is about.
    pub text_document: Named,
    /// Where in it.
    #[serde(default)]
    pub position: Option<Position>,
    /// Which part of it.
    #[serde(default)]
    pub range: Option<Span>,
}

/// The name of a text.
#[derive(Deserialize)]
pub struct Named {
    /// Its address.
    pub uri: String,
}

/// A text that was opened.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opened {
    /// The text.
    pub text_document: Whole,
}

/// A whole text.
#[derive(Deserialize)]
pub struct Whole {
    /// Its address.
    pub uri: String,
    /// Its version.
    pub version: i64,
    /// All of it.
    pub text: String,
}

/// A text that was changed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// Which one.
    pub text_document: Versioned,
    /// What was changed, one after the other.
    pub content_changes: Vec<Change>,
}

/// A version of a text.
#[derive(Deserialize)]
pub struct Versioned {
    /// Its address.
    pub uri: String,
    /// The version.
    pub version: i64,
}

/// One change: of a part, or of all of it.
#[derive(Deserialize)]
pub struct Change {
    /// The part.
    #[serde(default)]
    pub range: Option<Span>,
    /// What stands there now.
    pub text: String,
}

/// What this server can do.
pub fn capabilities(encoding: Encoding) -> Json {
    let encoding = match encoding {
        Encoding::Utf16 => "utf-16",
        Encoding::Utf8 => "utf-8",
    };
    json!({
        "capabilities": {
            "positionEncoding": encoding,
            "textDocumentSync": { "openClose": true, "change": 2, "save": true },
            "completionProvider": { "triggerCharacters": [".", "{", "/", ":"] },
            "hoverProvider": true,
            "definitionProvider": true,
            "documentSymbolProvider": true,
            "codeActionProvider": { "codeActionKinds": ["quickfix"] },
        },
        "serverInfo": { "name": "hprun", "version": env!("CARGO_PKG_VERSION") },
    })
}

/// The encoding to use with a client of these capabilities: bytes, where it takes them.
pub fn encoding(params: &Json) -> Encoding {
    let offered = params.pointer("/capabilities/general/positionEncodings").and_then(Json::as_array);
    let takes_bytes = offered.is_some_and(|offered| offered.iter().any(|one| one == "utf-8"));
    if takes_bytes { Encoding::Utf8 } else { Encoding::Utf16 }
}

/// Whether the client can be asked to watch files.
pub fn can_watch(params: &Json) -> bool {
    params.pointer("/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration") == Some(&Json::Bool(true))
}

/// Asks to be told when files change that pipelines may read, by whatever changes them (a checkout, another editor).
pub fn watch() -> Json {
    let watchers = json!([{ "globPattern": "**/*.{yaml,yml,json,hbs,sh,py,tpl,tgz}" }]);
    let registration = json!({
        "id": "files",
        "method": "workspace/didChangeWatchedFiles",
        "registerOptions": { "watchers": watchers },
    });
    json!({ "registrations": [registration] })
}

/// The list of what can be written.
pub fn completion(items: Vec<Item>, ruler: &Ruler<'_>) -> Json {
    let one = |(at, item): (usize, Item)| {
        let Item { label, kind, detail, about, replace, insert, rank: _ } = item;
        let mut told = json!({
            "label": label,
            "kind": kind_number(kind),
            "sortText": format!("{at:04}"),
            // What is typed begins with no quote.
            "filterText": insert.trim().trim_matches('"'),
            "textEdit": { "range": ruler.span(replace), "newText": insert },
        });
        if !detail.is_empty() {
            told["detail"] = detail.into();
        }
        if !about.is_empty() {
            told["documentation"] = markdown(&about);
        }
        told
    };
    json!({ "isIncomplete": false, "items": items.into_iter().enumerate().map(one).collect::<Vec<_>>() })
}

/// The protocol's numbers for kinds of completions.
fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Key => 10,
        Kind::Choice => 12,
        Kind::Step => 9,
        Kind::Output => 5,
        Kind::Param => 6,
        Kind::Helper => 3,
        Kind::Fact => 21,
        Kind::File => 17,
        Kind::Folder => 19,
    }
}

/// What is told of a place.
pub fn hover(hover: &Hover, ruler: &Ruler<'_>) -> Json {
    json!({ "contents": markdown(&hover.text), "range": ruler.span(hover.place.clone()) })
}

fn markdown(text: &str) -> Json {
    json!({ "kind": "markdown", "value": text })
}

/// The outline of a text.
pub fn symbols(symbols: Vec<Symbol>, ruler: &Ruler<'_>) -> Json {
    let one = |Symbol { name, detail, is_step, whole, place }| {
        // A step is a module of the program, a param a variable.
        let kind = if is_step { 2 } else { 13 };
        let (whole, place) = (ruler.span(whole), ruler.span(place));
        json!({ "name": name, "detail": detail, "kind": kind, "range": whole, "selectionRange": place })
    };
    symbols.into_iter().map(one).collect()
}

/// A fix, with the finding that it mends.
pub fn fix(fix: Fix, finding: Json, uri: &str, ruler: &Ruler<'_>) -> Json {
    let Fix { title, finding: _, replace, insert } = fix;
    let edit = json!({ "range": ruler.span(replace), "newText": insert });
    json!({
        "title": title,
        "kind": "quickfix",
        "diagnostics": [finding],
        "isPreferred": true,
        "edit": { "changes": { uri: [edit] } },
    })
}

/// The texts that places of findings count in.
pub struct Places<'a> {
    /// The address of the pipeline file.
    pub uri: &'a str,
    /// A ruler for its text.
    pub ruler: &'a Ruler<'a>,
    /// What stands beside it.
    pub disk: &'a Disk,
    /// What columns count.
    pub encoding: Encoding,
}

impl Places<'_> {
    /// A finding, with the address of the file that it is in.
    pub fn finding(&self, finding: &Diagnostic) -> (String, Json) {
        let help = finding.help.as_ref().map(|help| format!("\nhelp: {}", brief(help))).unwrap_or_default();
        let (uri, span) = self.at(&finding.file, finding.place);
        let related: Vec<Json> = finding
            .related
            .iter()
            .map(|related| {
                let (uri, span) = self.at(&related.file, related.place);
                json!({ "location": { "uri": uri, "range": span }, "message": related.words })
            })
            .collect();
        let mut told = json!({
            "range": span,
            "severity": match finding.severity { Severity::Error => 1, Severity::Warning => 2 },
            "code": finding.code.to_string(),
            "codeDescription": { "href": address(finding.code) },
            "source": "hprun",
            "message": format!("{}{help}", brief(&finding.message)),
            "data": { "explain": format!("hprun explain {}", finding.code) },
        });
        if !related.is_empty() {
            told["relatedInformation"] = related.into();
        }
        (uri, told)
    }

    fn at(&self, file: &File, place: Place) -> (String, Span) {
        match file {
            File::Pipeline => (self.uri.to_owned(), self.ruler.span_of(place)),
            File::Beside { path, text } => match self.disk.full(path) {
                Some(full) => self.elsewhere(&full, text.as_deref(), place),
                None => (self.uri.to_owned(), nowhere()),
            },
            File::Named { path, text } => {
                let full = std::path::absolute(path).unwrap_or_else(|_| Path::new(path).to_owned());
                self.elsewhere(&full, text.as_deref(), place)
            }
            // The environment and the like: told at the head of the pipeline that takes it.
            File::Nowhere => (self.uri.to_owned(), nowhere()),
        }
    }

    fn elsewhere(&self, path: &Path, text: Option<&str>, place: Place) -> (String, Span) {
        let span = text.map(|text| Ruler::new(text, self.encoding).span_of(place));
        (self.disk.address(&normalize(path)), span.unwrap_or_else(nowhere))
    }
}

/// The first character of a text.
pub fn nowhere() -> Span {
    let start = Position { line: 0, character: 0 };
    Span { start, end: start }
}

/// Where a kind of mistake is explained.
fn address(code: &Code) -> String {
    let title = format!("{code}: {}", code.title).to_lowercase();
    let letters = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    let anchor: String = letters.map(|c| if c == ' ' { '-' } else { c }).collect();
    format!("{}/blob/main/docs/findings.md#{anchor}", env!("CARGO_PKG_REPOSITORY"))
}

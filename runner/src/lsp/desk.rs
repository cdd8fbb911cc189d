//! The texts that an editor has open, what was found in them, and the answers to what it asks of them.
//! Knows nothing of streams, threads or time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hprun_steps::StepType;
use indexmap::{IndexMap, IndexSet};
use serde_json::{Error, Value as Json, json};

use super::analysis::{Analysis, Known};
use super::completion::complete;
use super::definition::{Target, define};
use super::disk::{Disk, OpenText, path_of};
use super::fixes::fixes;
use super::hover::hover;
use super::page::{Page, is_pipeline};
use super::position::{Encoding, Ruler};
use super::protocol::{self, Asked, Change, Changed, Opened, Places, nowhere};
use super::sketch::Sketch;
use super::symbols::symbols;
use crate::codes::inputs;
use crate::diagnostic::{Diagnostic, File};
use crate::pipeline::schema::schema;

/// All that is open.
pub struct Desk {
    /// What columns count.
    pub encoding: Encoding,
    types: &'static [StepType],
    schema: Json,
    texts: IndexMap<String, Text>,
    /// Pipelines that changed, or whose neighbours did, since they were last sent to be checked.
    stale: IndexSet<String>,
    /// By pipeline: the findings that it has in each file.
    told: HashMap<String, BTreeMap<String, Vec<Json>>>,
}

/// One open text.
struct Text {
    version: i64,
    text: Arc<str>,
    path: Option<PathBuf>,
    known: Known,
    is_pipeline: bool,
    /// What was found, and in which text.
    found: Option<(Arc<str>, Vec<Diagnostic>)>,
}

/// A text to check.
pub struct ToCheck {
    /// Its address.
    pub uri: String,
    /// The text.
    pub text: Arc<str>,
    /// What stands beside it.
    pub disk: Disk,
}

impl Desk {
    /// With nothing open.
    pub fn new(types: &'static [StepType]) -> Self {
        Self {
            encoding: Encoding::default(),
            types,
            schema: schema(types),
            texts: IndexMap::new(),
            stale: IndexSet::new(),
            told: HashMap::new(),
        }
    }

    /// Whether a text is to be checked.
    pub fn has_stale(&self) -> bool {
        !self.stale.is_empty()
    }

    /// The text that was changed last, to be checked.
    pub fn next_stale(&mut self) -> Option<ToCheck> {
        let uri = self.stale.pop()?;
        let text = self.texts.get(&uri)?;
        Some(ToCheck { disk: self.disk(text), text: Arc::clone(&text.text), uri })
    }

    /// Takes what was found in a text; what to tell of it. What was found in an older version is not told.
    pub fn take_analysis(&mut self, checked: &ToCheck, analysis: Analysis) -> Vec<Json> {
        let Analysis { mut found, known } = analysis;
        // What lies beside a text that is no file, nobody knows: it is not wrong.
        found.retain(|finding| checked.disk.base.is_some() || *finding.code != inputs::UNREADABLE_FILE);
        let Some(text) = self.texts.get_mut(&checked.uri) else { return Vec::new() };
        if let Some(known) = known {
            text.known = known;
        }
        // Versions begin anew when a text is closed and opened again.
        if !Arc::ptr_eq(&text.text, &checked.text) {
            return Vec::new();
        }
        let ruler = Ruler::new(&checked.text, self.encoding);
        let places = Places { uri: &checked.uri, ruler: &ruler, disk: &checked.disk, encoding: self.encoding };
        let mut by_file: BTreeMap<String, Vec<Json>> = BTreeMap::new();
        by_file.entry(checked.uri.clone()).or_default();
        for (uri, finding) in found.iter().map(|finding| places.finding(finding)) {
            by_file.entry(uri).or_default().push(finding);
        }
        text.found = Some((Arc::clone(&checked.text), found));
        let moved_on = self.moved_on(checked, &by_file);
        let told = self.told.get(&checked.uri);
        // What was told of them before stays: their places are others now, and the next check is on its way.
        for file in &moved_on {
            match told.and_then(|told| told.get(file)).cloned() {
                Some(before) => by_file.insert(file.clone(), before),
                None => by_file.remove(file),
            };
        }
        self.replace(&checked.uri, by_file, &moved_on)
    }

    /// Other files that changed while they were read.
    fn moved_on(&self, checked: &ToCheck, by_file: &BTreeMap<String, Vec<Json>>) -> BTreeSet<String> {
        let before = self.told.get(&checked.uri).into_iter().flat_map(BTreeMap::keys);
        let has_moved_on = |file: &&String| {
            let Some(now) = self.texts.get(*file) else { return false };
            let read = now.path.as_ref().and_then(|path| checked.disk.open.get(path));
            **file != checked.uri && read.is_none_or(|read| !Arc::ptr_eq(&read.text, &now.text))
        };
        by_file.keys().chain(before).filter(has_moved_on).cloned().collect()
    }

    /// Replaces what a pipeline has to tell; what is to be told of every file that it told or tells of, but for the `silent`.
    fn replace(&mut self, uri: &str, findings: BTreeMap<String, Vec<Json>>, silent: &BTreeSet<String>) -> Vec<Json> {
        let old = self.told.remove(uri).unwrap_or_default();
        let files: IndexSet<String> = findings.keys().chain(old.keys()).cloned().collect();
        if !findings.is_empty() {
            self.told.insert(uri.to_owned(), findings);
        }
        let tell = |file: String| {
            // A file may belong to several pipelines.
            let all: Vec<&Json> = self.told.values().filter_map(|of| of.get(&file)).flatten().collect();
            let mut params = json!({ "uri": file, "diagnostics": all });
            if let Some(text) = self.texts.get(&file) {
                params["version"] = text.version.into();
            }
            params
        };
        files.into_iter().filter(|file| !silent.contains(file)).map(tell).collect()
    }

    /// Takes what the client tells; what to tell it.
    pub fn take(&mut self, method: &str, params: Json) -> Result<Vec<Json>, Error> {
        match method {
            "textDocument/didOpen" => {
                let Opened { text_document: opened } = serde_json::from_value(params)?;
                let text = Text {
                    version: opened.version,
                    text: opened.text.into(),
                    path: path_of(&opened.uri),
                    known: Known::default(),
                    is_pipeline: false,
                    found: None,
                };
                self.texts.insert(opened.uri.clone(), text);
                return Ok(self.changed(&opened.uri));
            }
            "textDocument/didChange" => {
                let Changed { text_document, content_changes } = serde_json::from_value(params)?;
                let encoding = self.encoding;
                if let Some(text) = self.texts.get_mut(&text_document.uri) {
                    text.version = text_document.version;
                    content_changes.iter().for_each(|change| text.change(change, encoding));
                    return Ok(self.changed(&text_document.uri));
                }
            }
            "textDocument/didClose" => {
                let asked: Asked = serde_json::from_value(params)?;
                let uri = asked.text_document.uri;
                self.texts.shift_remove(&uri);
                self.stale.shift_remove(&uri);
                self.all_stale();
                return Ok(self.replace(&uri, BTreeMap::new(), &BTreeSet::new()));
            }
            // Files on the disk may have changed too.
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => self.all_stale(),
            _ => {}
        }
        Ok(Vec::new())
    }

    /// A text changed: it is to be checked if it is a pipeline, and any other may have it for a neighbour.
    fn changed(&mut self, uri: &str) -> Vec<Json> {
        let text = self.texts.get_mut(uri).expect("only texts that are open change");
        text.is_pipeline = is_pipeline(&Sketch::of(&text.text));
        if text.is_pipeline {
            self.stale.shift_remove(uri);
            self.stale.insert(uri.to_owned());
            return Vec::new();
        }
        self.stale.shift_remove(uri);
        self.all_stale();
        // It may have been a pipeline until now.
        if self.told.contains_key(uri) { self.replace(uri, BTreeMap::new(), &BTreeSet::new()) } else { Vec::new() }
    }

    fn all_stale(&mut self) {
        let pipelines = self.texts.iter().filter(|(_, text)| text.is_pipeline);
        let pipelines: Vec<String> =
            pipelines.map(|(uri, _)| uri.clone()).filter(|uri| !self.stale.contains(uri)).collect();
        self.stale.extend(pipelines);
    }

    fn disk(&self, text: &Text) -> Disk {
        let base = text.path.as_deref().and_then(Path::parent).map(Path::to_owned);
        let open = self.texts.iter().filter_map(|(uri, text)| {
            Some((text.path.clone()?, OpenText { uri: uri.clone(), text: Arc::clone(&text.text) }))
        });
        Disk { base, open: Arc::new(open.collect()) }
    }

    /// The answer to a request; none to one that is not known here.
    pub fn answer(&self, method: &str, params: Json) -> Option<Result<Json, Error>> {
        let answer = match method {
            "textDocument/completion" => Self::completion,
            "textDocument/hover" => Self::hover,
            "textDocument/definition" => Self::definition,
            "textDocument/documentSymbol" => Self::symbols,
            "textDocument/codeAction" => Self::fixes,
            _ => return None,
        };
        Some(serde_json::from_value::<Asked>(params).map(|asked| {
            let Some(text) = self.texts.get(&asked.text_document.uri) else { return Json::Null };
            let disk = self.disk(text);
            let page = Page::new(&text.text, &text.known, self.types, &disk);
            let ruler = Ruler::new(&text.text, self.encoding);
            let found = self.found_in(&asked.text_document.uri, text);
            answer(self, &Question { asked: &asked, found: &found, page: &page, ruler: &ruler, disk: &disk })
        }))
    }

    /// What was found in this very version of a text: of a pipeline itself, of another file by the pipelines that read it.
    fn found_in(&self, uri: &str, text: &Text) -> Vec<Diagnostic> {
        if let Some((_, own)) = text.found.as_ref().filter(|(read, _)| Arc::ptr_eq(read, &text.text)) {
            return own.clone();
        }
        let mut found = Vec::new();
        for pipeline in self.texts.values() {
            let disk = self.disk(pipeline);
            let is_here = |file: &File| match file {
                File::Beside { path, text: Some(read) } => {
                    **read == *text.text && disk.full(path).is_some_and(|full| disk.address(&full) == uri)
                }
                File::Beside { .. } | File::Named { .. } | File::Pipeline | File::Nowhere => false,
            };
            let here = pipeline.found.iter().flat_map(|(_, found)| found).filter(|finding| is_here(&finding.file));
            found.extend(here.map(|finding| Diagnostic {
                file: File::Pipeline,
                related: Vec::new(),
                ..finding.clone()
            }));
        }
        found
    }

    fn completion(&self, question: &Question<'_>) -> Json {
        let items = complete(question.page, &self.schema, question.at());
        protocol::completion(items, question.ruler)
    }

    fn hover(&self, question: &Question<'_>) -> Json {
        let told = hover(question.page, &self.schema, question.found, question.at());
        told.map_or(Json::Null, |told| protocol::hover(&told, question.ruler))
    }

    fn definition(&self, question: &Question<'_>) -> Json {
        let Some((_, Target { file, place })) = define(question.page, question.at()) else { return Json::Null };
        let (uri, span) = match file {
            None => (question.asked.text_document.uri.clone(), question.ruler.span(place)),
            Some((path, text)) => {
                let Some(full) = question.disk.full(&path) else { return Json::Null };
                let span = text.map_or_else(nowhere, |text| Ruler::new(&text, self.encoding).span(place));
                (question.disk.address(&full), span)
            }
        };
        json!({ "uri": uri, "range": span })
    }

    fn symbols(&self, question: &Question<'_>) -> Json {
        protocol::symbols(symbols(question.page), question.ruler)
    }

    fn fixes(&self, question: &Question<'_>) -> Json {
        let Some(span) = question.asked.range else { return json!([]) };
        let asked = question.ruler.offset(span.start)..question.ruler.offset(span.end);
        let (uri, ruler) = (&question.asked.text_document.uri, question.ruler);
        let places = Places { uri, ruler, disk: question.disk, encoding: self.encoding };
        let found = question.found;
        let fixes = fixes(question.page, found, &asked).into_iter();
        fixes.map(|fix| protocol::fix(fix.clone(), places.finding(&found[fix.finding]).1, uri, ruler)).collect()
    }
}

/// A request about one text.
struct Question<'a> {
    asked: &'a Asked,
    found: &'a [Diagnostic],
    page: &'a Page<'a>,
    ruler: &'a Ruler<'a>,
    disk: &'a Disk,
}

impl Question<'_> {
    fn at(&self) -> usize {
        self.asked.position.map_or(0, |position| self.ruler.offset(position))
    }
}

impl Text {
    fn change(&mut self, change: &Change, encoding: Encoding) {
        let Some(span) = change.range else {
            self.text = change.text.as_str().into();
            return;
        };
        let ruler = Ruler::new(&self.text, encoding);
        let (start, end) = (ruler.offset(span.start), ruler.offset(span.end));
        let mut text = String::with_capacity(self.text.len() + change.text.len());
        text.push_str(&self.text[..start]);
        text.push_str(&change.text);
        text.push_str(&self.text[end.max(start)..]);
        self.text = text.into();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lsp::position::Span;

    fn piece() -> impl Strategy<Value = String> {
        let letters = prop_oneof!["[a-c]{1,3}", Just("ä😀".to_owned()), Just("\n".to_owned()), Just("\r\n".to_owned())];
        proptest::collection::vec(letters, 0..8).prop_map(|letters| letters.concat())
    }

    /// Places between two characters, but not inside a line end: no editor has a cursor there.
    fn places(text: &str) -> Vec<usize> {
        let between = |at: &usize| !(text[..*at].ends_with('\r') && text[*at..].starts_with('\n'));
        text.char_indices().map(|(at, _)| at).chain([text.len()]).filter(between).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_text_that_is_changed_bit_by_bit_is_what_the_editor_has(
            start in piece(),
            edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), piece()), 1..6),
            bytes in any::<bool>(),
        ) {
            let encoding = if bytes { Encoding::Utf8 } else { Encoding::Utf16 };
            let text = Arc::from(start.as_str());
            let mut ours = Text { version: 1, text, path: None, known: Known::default(), is_pipeline: false, found: None };
            let mut theirs = start;
            for (from, to, insert) in edits {
                let places = places(&theirs);
                let (from, to) = (*from.get(&places), *to.get(&places));
                let (from, to) = (from.min(to), from.max(to));
                let ruler = Ruler::new(&theirs, encoding);
                let range = Some(Span { start: ruler.position(from), end: ruler.position(to) });
                ours.change(&Change { range, text: insert.clone() }, encoding);
                theirs.replace_range(from..to, &insert);
                prop_assert_eq!(&*ours.text, theirs.as_str());
            }
        }
    }
}

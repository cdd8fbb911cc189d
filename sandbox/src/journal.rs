//! The journal: every request and its answer, a JSON line each, in `journal.ndjson` of the world.
//! Must never hold credentials: headers are chosen by name, signatures and tokens are left out.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Sandbox time at which the request came.
    pub at: Timestamp,
    /// The SigV4 service name, or `kubernetes`.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The region of the signature.
    pub region: String,
    /// The id that the answer carries.
    pub request_id: String,
    /// Method and path with query, signatures taken out.
    pub request: String,
    /// The request's body: JSON where it is JSON, the form's fields where it is a form, else text.
    pub body: Value,
    /// The HTTP status answered; 0 when no answer was given.
    pub status: u16,
    /// The error code answered.
    pub error: Option<String>,
    /// Whether this changed the world.
    pub effect: bool,
    /// The fault that was injected.
    pub fault: Option<String>,
    /// The answer's headers.
    pub answer_headers: Vec<(String, String)>,
    /// The answer's body, whole; base64 with the prefix `base64:` when it is not text. Objects of S3 are left out: `object:` and their size.
    pub answer: String,
}

/// The journal of an open world.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    pub(crate) fn open(path: &Path) -> std::io::Result<Journal> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Journal { path: path.to_path_buf(), file: Mutex::new(file) })
    }

    /// Adds an entry.
    pub fn record(&self, entry: &Entry) {
        let mut line = serde_json::to_vec(entry).expect("an entry is plain data");
        line.push(b'\n');
        let mut file = self.file.lock().expect("nothing panics while it holds the journal");
        file.write_all(&line)
            .unwrap_or_else(|error| panic!("the journal {} cannot be written: {error}", self.path.display()));
    }

    /// All entries, oldest first. A last line that a dying process left half-written is left out.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn entries(&self) -> std::io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for line in BufReader::new(File::open(&self.path)?).lines() {
            if let Ok(entry) = serde_json::from_str(&line?) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }
}

/// A request's body as the journal holds it.
pub fn body_value(headers: &HeaderMap, body: &Bytes) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    let content_type = headers.get(http::header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if content_type.starts_with("application/x-www-form-urlencoded") {
        let fields = form_urlencoded::parse(body).into_owned().map(|(key, value)| (key, Value::String(value)));
        return Value::Object(fields.collect());
    }
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(body_text(body)))
}

/// Text as it is, other bytes as base64.
pub fn body_text(body: &Bytes) -> String {
    use base64::Engine as _;
    match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("base64:{}", base64::engine::general_purpose::STANDARD.encode(body)),
    }
}

/// An answer with the keys and tokens that STS hands out left out.
pub(crate) fn without_secrets(mut answer: String) -> String {
    for tag in ["SecretAccessKey", "SessionToken"] {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        if let (Some(from), Some(to)) = (answer.find(&open), answer.find(&close)) {
            answer.replace_range(from + open.len()..to, "left-out");
        }
    }
    answer
}

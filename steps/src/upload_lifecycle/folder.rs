//! The folder of scripts before it leaves: what is in it, under which keys, and what a node would stumble over.
//! Knows nothing of S3 clients; files come as they were loaded.

use std::collections::HashSet;
use std::path::Path;

use super::siblings;
use crate::codes::neighbours;
use crate::files::{FileContent, Files, sha256};
use crate::finding::{At, Code, Finding, Severity};
use crate::partial::{Partial, Place, Text};
use crate::value::Value;

/// Larger files are sent in parts.
const LARGE: usize = 64 * 1024 * 1024;

/// One file of the folder.
#[derive(Clone, Debug)]
pub struct Script {
    /// Path within the folder, with `/`.
    pub name: String,
    /// Key within the bucket.
    pub key: String,
    /// The contents.
    pub bytes: bytes::Bytes,
    /// Hex digest of the contents.
    pub sha256: String,
}

impl Script {
    /// Whether it is sent in parts.
    pub fn is_large(&self) -> bool {
        self.bytes.len() > LARGE
    }
}

/// All that is to be uploaded, in order of name.
pub fn scripts(files: &Files, from: &str, prefix: &str) -> Result<Vec<Script>, String> {
    let prefix = prefix.trim_matches('/');
    let script = |path: &Path| {
        let name = name_of(path)?;
        let content = files.get(&format!("{from}/{name}"))?;
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        Ok(Script { name, key, bytes: content.bytes.clone().into(), sha256: content.sha256.clone() })
    };
    files.folder(from)?.filter(|path| is_wanted(path)).map(script).collect()
}

/// Digest of all names and contents.
pub fn digest(scripts: &[Script]) -> String {
    let lines: String = scripts.iter().map(|script| format!("{} {}\n", script.sha256, script.name)).collect();
    sha256(lines.as_bytes())
}

/// `s3://bucket/prefix` as far as it is known; none where it has no text.
pub fn target(inputs: &Partial) -> Option<Text> {
    let bucket = inputs.get("bucket")?.text().filter(|bucket| !bucket.is_unknown())?;
    let prefix = match inputs.get("prefix") {
        None | Some(Partial::Known(Value::Null, _)) => Text::known(""),
        Some(prefix) => prefix.text().filter(|prefix| !prefix.is_unknown())?,
    };
    let prefix = match prefix.as_known() {
        Some(known) => Text::known(known.trim_matches('/')),
        None => prefix,
    };
    let whole = Text::known("s3://").then(bucket);
    Some(if prefix.as_known() == Some("") { whole } else { whole.then(Text::known("/")).then(prefix) })
}

/// The names of the objects, relative to the prefix; none where the folder cannot be read.
pub fn names(files: &Files, from: &str) -> Option<Vec<String>> {
    let inside = files.folder(from).ok()?.filter(|path| is_wanted(path));
    Some(inside.filter_map(|path| name_of(path).ok()).collect())
}

/// Everything that can be said offline.
pub fn check(inputs: &Partial, files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    let text = |key: &str| inputs.str_at(key).unwrap_or_default();
    for (input, message) in wrong_target(text("bucket"), text("prefix")) {
        let place = inputs.get(input).unwrap_or(inputs).place();
        // A bucket that is not known yet is no fault of the name.
        if inputs.get(input).is_some_and(|value| value.as_str().is_some()) {
            findings.push(Finding::error(&neighbours::WRONG_TARGET, place, message));
        }
    }
    let Some(from) = inputs.get("from") else { return findings };
    let Some(path) = from.as_str() else { return findings };
    let faults = faults(files, path, &list(inputs, "allow-crlf"), &list(inputs, "allow-no-shebang"));
    findings.extend(faults.into_iter().map(|fault| {
        let at = match fault.at {
            Some((path, place)) => At::File { path, place },
            None => At::Pipeline(from.place()),
        };
        let finding = Finding { severity: fault.severity, ..Finding::new(fault.code, at, fault.message) };
        finding.maybe_help(fault.help)
    }));
    findings
}

fn list(inputs: &Partial, key: &str) -> Vec<String> {
    match inputs.get(key).and_then(Partial::known) {
        Some(Value::List(items)) => {
            let text = |item: &Value| if let Value::String(text) = item { Some(text.clone()) } else { None };
            items.iter().filter_map(text).collect()
        }
        _ => Vec::new(),
    }
}

/// What is wrong with a bucket's name and a prefix: the input, and the message. An empty bucket is not known yet.
pub fn wrong_target(bucket: &str, prefix: &str) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let fits = (3..=63).contains(&bucket.len()) && bucket.chars().all(good);
    if !bucket.is_empty() && !fits {
        let message = format!("`{bucket}` is no name for a bucket: 3 to 63 of a-z, 0-9, hyphen and dot, without s3://");
        wrong.push(("bucket", message));
    }
    let odd = |part: &str| part.is_empty() || part == "." || part == "..";
    let inner = prefix.trim_matches('/');
    if prefix.contains("://") || (!inner.is_empty() && inner.split('/').any(odd)) {
        let message =
            format!("`{prefix}` is no prefix: a path such as LifecycleScripts/base-config, without the bucket");
        wrong.push(("prefix", message));
    }
    wrong
}

/// Something in the folder that a node would stumble over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Which kind of mistake it is.
    pub code: &'static Code,
    /// The script (folder and name) and the place in it, where it is about one.
    pub at: Option<(String, Place)>,
}

/// Everything in the folder that a node would stumble over.
pub fn faults(files: &Files, from: &str, allow_crlf: &[String], allow_no_shebang: &[String]) -> Vec<Fault> {
    let inside: Vec<&Path> = match files.folder(from) {
        Ok(inside) => inside.filter(|path| is_wanted(path)).collect(),
        Err(message) => return vec![fault(message, None)],
    };
    if inside.is_empty() {
        return vec![fault(format!("the folder {from} is empty"), None)];
    }
    let mut faults = Vec::new();
    let names: HashSet<&Path> = inside.iter().copied().collect();
    let texts = || {
        inside.iter().filter_map(|path| {
            let name = path.to_str()?;
            Some((name, files.text(&format!("{from}/{name}")).ok()?))
        })
    };
    let is_open = |(name, text): (&str, &str)| name.ends_with(".sh") && !text.starts_with("#!");
    let named: HashSet<String> = match texts().any(is_open) {
        true => texts().flat_map(|(name, text)| siblings::named_in(name, text)).collect(),
        false => HashSet::new(),
    };
    for path in &inside {
        let found = name_of(path).and_then(|name| {
            let content = files.get(&format!("{from}/{name}"))?;
            Ok((name, content))
        });
        match found {
            Ok((name, content)) => {
                let may = |list: &[String]| list.contains(&name);
                // What another reads or starts is read by its shell.
                let may_no_shebang = may(allow_no_shebang) || siblings::is_named(path, &named);
                faults.extend(faults_of(from, &name, content, may(allow_crlf), may_no_shebang));
                if let Ok(text) = std::str::from_utf8(&content.bytes) {
                    faults.extend(siblings::missing(from, &name, text, &names));
                }
            }
            Err(message) => faults.push(fault(message, None)),
        }
    }
    faults
}

fn faults_of(from: &str, name: &str, content: &FileContent, may_crlf: bool, may_no_shebang: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    let path = format!("{from}/{name}");
    let at_line = |line: usize, fault: Fault| Fault {
        code: &neighbours::SCRIPT_WOULD_FAIL,
        at: Some((path.clone(), line_place(&content.bytes, line))),
        ..fault
    };
    if let Some(target) = &content.leaves_folder {
        let help = "copy the file into the folder, so that what is uploaded is what is seen";
        faults.push(fault(format!("{path} is a link that leaves the folder: to {}", target.display()), Some(help)));
        return faults;
    }
    let bytes = &content.bytes;
    let bom = bytes.starts_with(b"\xef\xbb\xbf");
    let text = if bom { &bytes[3..] } else { bytes.as_slice() };
    let shell = name.ends_with(".sh");
    let shebang = text.starts_with(b"#!");
    if !shell && !shebang {
        return faults;
    }
    if bom {
        let help = "save it as UTF-8 without a byte order mark";
        faults
            .push(at_line(1, fault(format!("{path} begins with a byte order mark: a node cannot run it"), Some(help))));
    }
    if !may_crlf && let Some(line) = crlf_line(text) {
        let message = format!("{path}:{line} ends with CRLF: a node cannot run it");
        let help = "save it with LF, such as by `sed -i 's/\\r$//'`, or list it under `allow-crlf:`";
        faults.push(at_line(line, fault(message, Some(help))));
    }
    if shell && !shebang && !may_no_shebang {
        let help = "begin it with `#!/bin/bash`, or list it under `allow-no-shebang:`";
        let message = format!("{path} does not begin with `#!`: a node cannot tell how to run it");
        let fault = fault(message, Some(help));
        // Below the root it may well be a part that is started by hand, or by something that is not read here.
        let severity = if name.contains('/') { Severity::Warning } else { Severity::Error };
        faults.push(at_line(1, Fault { severity, ..fault }));
    }
    faults
}

fn fault(message: String, help: Option<&str>) -> Fault {
    let (code, help) = (&neighbours::FOLDER_EMPTY, help.map(str::to_owned));
    Fault { severity: Severity::Error, message, help, code, at: None }
}

/// The bytes of a line, from 1, without its end.
fn line_place(bytes: &[u8], line: usize) -> Place {
    let start: usize = bytes.split_inclusive(|b| *b == b'\n').take(line - 1).map(<[u8]>::len).sum();
    let length = bytes[start..].iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(bytes.len() - start);
    Place::of(&(start..start + length))
}

/// The first line, from 1, that ends with CRLF.
fn crlf_line(bytes: &[u8]) -> Option<usize> {
    bytes.split(|b| *b == b'\n').position(|line| line.ends_with(b"\r")).map(|index| index + 1)
}

/// What version control and file managers leave behind is no script.
fn is_wanted(path: &Path) -> bool {
    !path.iter().any(|part| part == ".git" || part == ".DS_Store")
}

fn name_of(path: &Path) -> Result<String, String> {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/")).ok_or_else(|| format!("the name {} is not UTF-8", path.display()))
}

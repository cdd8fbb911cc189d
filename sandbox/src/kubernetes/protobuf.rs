//! The Kubernetes protobuf form of the few kinds that helm and kubectl send in it, decoded into the same JSON as any other object.
//! Must not guess: a kind or field that has no row here is refused by name.

use base64::Engine as _;
use serde_json::{Map, Value, json};

/// The first bytes of every protobuf body.
const MAGIC: &[u8] = b"k8s\0";

type Row = (u64, &'static str, Form);

/// What a field holds.
#[derive(Clone, Copy)]
enum Form {
    /// Text; the empty text is left out, as in Go's JSON.
    Text,
    /// A list of texts.
    Texts,
    /// A number.
    Number,
    /// A number that is left out when it is 0.
    Count,
    /// True or false.
    Flag,
    /// A map from text to text.
    TextMap,
    /// A map from text to bytes, which are base64 in JSON.
    BytesMap,
    /// A time: seconds and nanoseconds.
    Time,
    /// JSON in the field 1 of a message.
    RawJson,
    /// A message.
    One(&'static [Row]),
    /// A list of messages.
    Many(&'static [Row]),
}

use Form::{BytesMap, Count, Flag, Many, Number, One, RawJson, Text, TextMap, Texts, Time};

#[rustfmt::skip]
const OWNER: &[Row] = &[
    (1, "kind", Text),
    (3, "name", Text),
    (4, "uid", Text),
    (5, "apiVersion", Text),
    (6, "controller", Flag),
    (7, "blockOwnerDeletion", Flag),
];
#[rustfmt::skip]
const MANAGED: &[Row] = &[
    (1, "manager", Text),
    (2, "operation", Text),
    (3, "apiVersion", Text),
    (4, "time", Time),
    (6, "fieldsType", Text),
    (7, "fieldsV1", RawJson),
    (8, "subresource", Text),
];
#[rustfmt::skip]
const META: &[Row] = &[
    (1, "name", Text),
    (2, "generateName", Text),
    (3, "namespace", Text),
    (4, "selfLink", Text),
    (5, "uid", Text),
    (6, "resourceVersion", Text),
    (7, "generation", Count),
    (8, "creationTimestamp", Time),
    (9, "deletionTimestamp", Time),
    (10, "deletionGracePeriodSeconds", Number),
    (11, "labels", TextMap),
    (12, "annotations", TextMap),
    (13, "ownerReferences", Many(OWNER)),
    (14, "finalizers", Texts),
    (17, "managedFields", Many(MANAGED)),
];
const NAMED: &[Row] = &[(1, "name", Text)];
#[rustfmt::skip]
const REFERENCE: &[Row] = &[
    (1, "kind", Text),
    (2, "namespace", Text),
    (3, "name", Text),
    (4, "uid", Text),
    (5, "apiVersion", Text),
    (6, "resourceVersion", Text),
    (7, "fieldPath", Text),
];
#[rustfmt::skip]
const SECRET: &[Row] = &[
    (1, "metadata", One(META)),
    (2, "data", BytesMap),
    (3, "type", Text),
    (4, "stringData", TextMap),
    (5, "immutable", Flag),
];
#[rustfmt::skip]
const CONFIG_MAP: &[Row] = &[
    (1, "metadata", One(META)),
    (2, "data", TextMap),
    (3, "binaryData", BytesMap),
    (4, "immutable", Flag),
];
#[rustfmt::skip]
const NAMESPACE: &[Row] = &[
    (1, "metadata", One(META)),
    (2, "spec", One(&[(1, "finalizers", Texts)])),
    (3, "status", One(&[(1, "phase", Text)])),
];
#[rustfmt::skip]
const SERVICE_ACCOUNT: &[Row] = &[
    (1, "metadata", One(META)),
    (2, "secrets", Many(REFERENCE)),
    (3, "imagePullSecrets", Many(NAMED)),
    (4, "automountServiceAccountToken", Flag),
];
#[rustfmt::skip]
const RESOURCE_ATTRIBUTES: &[Row] = &[
    (1, "namespace", Text),
    (2, "verb", Text),
    (3, "group", Text),
    (4, "version", Text),
    (5, "resource", Text),
    (6, "subresource", Text),
    (7, "name", Text),
];
#[rustfmt::skip]
const ACCESS_REVIEW: &[Row] = &[
    (1, "metadata", One(META)),
    (2, "spec", One(&[(1, "resourceAttributes", One(RESOURCE_ATTRIBUTES)), (2, "nonResourceAttributes", One(&[(1, "path", Text), (2, "verb", Text)]))])),
    (3, "status", One(&[(1, "allowed", Flag), (2, "reason", Text), (3, "evaluationError", Text), (4, "denied", Flag)])),
];
#[rustfmt::skip]
const RULES_REVIEW: &[Row] = &[
    (1, "metadata", One(META)),
    (2, "spec", One(&[(1, "namespace", Text)])),
    (3, "status", One(&[(3, "incomplete", Flag), (4, "evaluationError", Text)])),
];
#[rustfmt::skip]
const SUBJECT_REVIEW: &[Row] = &[
    (1, "metadata", One(META)),
    (2, "status", One(&[(1, "userInfo", One(&[(1, "username", Text), (2, "uid", Text)]))])),
];
#[rustfmt::skip]
const DELETE_OPTIONS: &[Row] = &[
    (1, "gracePeriodSeconds", Number),
    (2, "preconditions", One(&[(1, "uid", Text), (2, "resourceVersion", Text)])),
    (3, "orphanDependents", Flag),
    (4, "propagationPolicy", Text),
    (5, "dryRun", Texts),
    (6, "ignoreStoreReadErrorWithClusterBreakingPotential", Flag),
];
#[rustfmt::skip]
const SCALE: &[Row] = &[
    (1, "metadata", One(META)),
    (2, "spec", One(&[(1, "replicas", Number)])),
    (3, "status", One(&[(1, "replicas", Number), (2, "selector", Text)])),
];
#[rustfmt::skip]
const EVICTION: &[Row] = &[
    (1, "metadata", One(META)),
    (2, "deleteOptions", One(DELETE_OPTIONS)),
];

const KINDS: &[(&str, &[Row])] = &[
    ("Secret", SECRET),
    ("ConfigMap", CONFIG_MAP),
    ("Namespace", NAMESPACE),
    ("ServiceAccount", SERVICE_ACCOUNT),
    ("SelfSubjectAccessReview", ACCESS_REVIEW),
    ("SelfSubjectRulesReview", RULES_REVIEW),
    ("SelfSubjectReview", SUBJECT_REVIEW),
    ("DeleteOptions", DELETE_OPTIONS),
    ("Scale", SCALE),
    ("Eviction", EVICTION),
];

/// A body of the media type `application/vnd.kubernetes.protobuf` as JSON.
///
/// # Errors
/// What cannot be read, or which kind or field is not part of the sandbox.
pub fn decode(body: &[u8]) -> Result<Value, String> {
    let body = body.strip_prefix(MAGIC).ok_or("the body does not start as Kubernetes protobuf does")?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in Reader(body) {
        match field? {
            (1, Wire::Bytes(meta)) => {
                for field in Reader(meta) {
                    match field? {
                        (1, Wire::Bytes(bytes)) => api_version = utf8(bytes)?,
                        (2, Wire::Bytes(bytes)) => kind = utf8(bytes)?,
                        _ => {
                            return Err("an unknown field in the type of a protobuf body".to_owned());
                        }
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let Some((_, rows)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        return Err(format!(
            "hprun sandbox: {kind} ({api_version}) in protobuf is not part of the sandbox; send it as JSON"
        ));
    };
    let mut object = json!({ "apiVersion": api_version, "kind": kind });
    let fields = message(raw, rows, &kind)?;
    object.as_object_mut().expect("made an object above").extend(fields);
    Ok(object)
}

fn message(bytes: &[u8], rows: &[Row], of: &str) -> Result<Map<String, Value>, String> {
    let mut fields = Map::new();
    for field in Reader(bytes) {
        let (number, wire) = field?;
        let Some((_, name, form)) = rows.iter().find(|row| row.0 == number) else {
            return Err(format!(
                "hprun sandbox: field {number} of {of} in protobuf is not part of the sandbox; send it as JSON"
            ));
        };
        let place = format!("{of}.{name}");
        match (*form, wire) {
            (Text, Wire::Bytes([])) => {}
            (Text, Wire::Bytes(bytes)) => drop(fields.insert((*name).to_owned(), json!(utf8(bytes)?))),
            (Number, Wire::Varint(value)) => drop(fields.insert((*name).to_owned(), json!(value.cast_signed()))),
            (Count, Wire::Varint(0)) => {}
            (Count, Wire::Varint(value)) => drop(fields.insert((*name).to_owned(), json!(value.cast_signed()))),
            (Flag, Wire::Varint(value)) => drop(fields.insert((*name).to_owned(), json!(value != 0))),
            (Texts, Wire::Bytes(bytes)) => push(&mut fields, name, json!(utf8(bytes)?)),
            (Many(rows), Wire::Bytes(bytes)) => push(&mut fields, name, Value::Object(message(bytes, rows, &place)?)),
            (One(rows), Wire::Bytes(bytes)) => {
                drop(fields.insert((*name).to_owned(), Value::Object(message(bytes, rows, &place)?)))
            }
            (TextMap | BytesMap, Wire::Bytes(bytes)) => {
                let (key, value) = map_entry(bytes)?;
                let value = match form {
                    BytesMap => json!(base64::engine::general_purpose::STANDARD.encode(value)),
                    _ => json!(utf8(value)?),
                };
                let map = fields.entry(*name).or_insert_with(|| json!({}));
                map.as_object_mut().expect("a map field is an object").insert(key, value);
            }
            (Time, Wire::Bytes(bytes)) => {
                if let Some(time) = time(bytes)? {
                    fields.insert((*name).to_owned(), json!(time));
                }
            }
            (RawJson, Wire::Bytes(bytes)) => {
                let raw = Reader(bytes).next().transpose()?;
                if let Some((1, Wire::Bytes(raw))) = raw {
                    let value = serde_json::from_slice(raw).map_err(|error| format!("{place}: {error}"))?;
                    fields.insert((*name).to_owned(), value);
                }
            }
            _ => {
                return Err(format!("{place} has another form than it should in protobuf"));
            }
        }
    }
    Ok(fields)
}

fn push(fields: &mut Map<String, Value>, name: &str, value: Value) {
    let list = fields.entry(name).or_insert_with(|| json!([]));
    list.as_array_mut().expect("a repeated field is a list").push(value);
}

fn map_entry(bytes: &[u8]) -> Result<(String, &[u8]), String> {
    let (mut key, mut value) = (String::new(), &[][..]);
    for field in Reader(bytes) {
        match field? {
            (1, Wire::Bytes(bytes)) => key = utf8(bytes)?,
            (2, Wire::Bytes(bytes)) => value = bytes,
            _ => return Err("a map entry in protobuf has a key and a value only".to_owned()),
        }
    }
    Ok((key, value))
}

fn time(bytes: &[u8]) -> Result<Option<String>, String> {
    let mut seconds = None;
    for field in Reader(bytes) {
        if let (1, Wire::Varint(value)) = field? {
            seconds = Some(value.cast_signed());
        }
    }
    let Some(seconds) = seconds else {
        return Ok(None);
    };
    let time = jiff::Timestamp::from_second(seconds).map_err(|error| error.to_string())?;
    Ok(Some(format!("{time:.0}")))
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a text in protobuf is not UTF-8".to_owned())
}

enum Wire<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// Walks the fields of a message.
struct Reader<'a>(&'a [u8]);

impl<'a> Iterator for Reader<'a> {
    type Item = Result<(u64, Wire<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or_else(|| "a protobuf body ends in the middle of a field".to_owned()))
    }
}

impl<'a> Reader<'a> {
    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let tag = self.varint()?;
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.take(length)?)
            }
            1 => self.take(8).map(|_| Wire::Fixed)?,
            5 => self.take(4).map(|_| Wire::Fixed)?,
            _ => return None,
        };
        Some((tag >> 3, wire))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).expect("short in tests");
        [&[number << 3 | 2, length], bytes].concat()
    }

    fn body(kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &meta), field(2, raw), field(3, b""), field(4, b"")].concat()
    }

    #[test]
    fn a_release_secret_is_read_whole() {
        let label = [field(1, b"owner"), field(2, b"helm")].concat();
        let meta =
            [field(1, b"sh.helm.release.v1.x.v1"), field(2, b""), vec![7 << 3, 0], field(8, b""), field(11, &label)]
                .concat();
        let data = [field(1, b"release"), field(2, b"\xff\x00")].concat();
        let raw = [field(1, &meta), field(2, &data), field(3, b"helm.sh/release.v1")].concat();
        let expected = json!({ "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "sh.helm.release.v1.x.v1", "labels": { "owner": "helm" } },
            "data": { "release": "/wA=" }, "type": "helm.sh/release.v1" });
        assert_eq!(decode(&body("Secret", &raw)), Ok(expected));
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (bytes, part) in [
            (body("Widget", b""), "Widget (v1)"),
            (body("Secret", &field(9, b"x")), "field 9 of Secret"),
            (b"{}".to_vec(), "does not start"),
            (body("Secret", &[1 << 3 | 2, 9]), "ends in the middle"),
        ] {
            let error = decode(&bytes).expect_err("not known");
            assert!(error.contains(part), "{error}");
        }
    }
}

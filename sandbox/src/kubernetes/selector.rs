//! Label and field selectors: parsed once from a query or an object, then asked of many objects.
//! Must not know the store.

use serde_json::Value;

use super::status::Refusal;
use super::store::{items, text};

/// What a list, a watch or a controller picks.
#[derive(Debug, Clone, Default)]
pub struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Debug, Clone)]
struct Requirement {
    key: String,
    rule: Rule,
}

#[derive(Debug, Clone)]
enum Rule {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
}

impl Selector {
    /// From the query parameters `labelSelector` and `fieldSelector`; empty texts pick everything.
    ///
    /// # Errors
    /// 400 for a selector that cannot be read or a field that cannot be selected by.
    pub fn parse(labels: &str, fields: &str) -> Result<Selector, Refusal> {
        let labels = split_outside_parentheses(labels).into_iter().map(requirement).collect::<Result<_, _>>()?;
        let fields = fields.split(',').filter(|term| !term.is_empty()).map(field_term).collect::<Result<_, _>>()?;
        Ok(Selector { labels, fields })
    }

    /// From a `LabelSelector` object (`matchLabels`, `matchExpressions`).
    pub fn from_object(selector: &Value) -> Selector {
        let mut labels: Vec<Requirement> = selector["matchLabels"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| Requirement {
                key: key.clone(),
                rule: Rule::In(vec![value.as_str().unwrap_or_default().to_owned()]),
            })
            .collect();
        labels.extend(expressions(&selector["matchExpressions"]));
        Selector { labels, fields: Vec::new() }
    }

    /// From the `matchExpressions` of a node affinity term.
    pub fn from_node_term(term: &Value) -> Selector {
        Selector { labels: expressions(&term["matchExpressions"]), fields: Vec::new() }
    }

    /// Whether this object is picked.
    pub fn picks(&self, object: &Value) -> bool {
        self.picks_labels(&object["metadata"]["labels"])
            && self.fields.iter().all(|(path, equal, wanted)| (field(object, path) == *wanted) == *equal)
    }

    /// Whether these labels (an object of texts, or null) are picked.
    pub fn picks_labels(&self, labels: &Value) -> bool {
        self.labels.iter().all(|requirement| {
            let value = labels.get(&requirement.key).and_then(Value::as_str);
            match &requirement.rule {
                Rule::In(values) => value.is_some_and(|value| values.iter().any(|one| one == value)),
                Rule::NotIn(values) => value.is_none_or(|value| values.iter().all(|one| one != value)),
                Rule::Exists => value.is_some(),
                Rule::Absent => value.is_none(),
                Rule::Above(bound) => number(value).is_some_and(|value| value > *bound),
                Rule::Below(bound) => number(value).is_some_and(|value| value < *bound),
            }
        })
    }
}

fn number(value: Option<&str>) -> Option<i64> {
    value?.parse().ok()
}

fn expressions(list: &Value) -> Vec<Requirement> {
    let requirement = |expression: &Value| {
        let values: Vec<String> =
            items(expression, "/values").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let bound = values.first().and_then(|value| value.parse().ok()).unwrap_or_default();
        let rule = match text(expression, "/operator") {
            "In" => Rule::In(values),
            "NotIn" => Rule::NotIn(values),
            "DoesNotExist" => Rule::Absent,
            "Gt" => Rule::Above(bound),
            "Lt" => Rule::Below(bound),
            _ => Rule::Exists,
        };
        Requirement { key: text(expression, "/key").to_owned(), rule }
    };
    list.as_array().into_iter().flatten().map(requirement).collect()
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn requirement(term: &str) -> Result<Requirement, Refusal> {
    let unreadable = || Refusal::bad_request(format!("unable to parse requirement: {term}"));
    let set = |rest: &str| -> Result<Vec<String>, Refusal> {
        let inner = rest.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).ok_or_else(unreadable)?;
        Ok(inner.split(',').map(|value| value.trim().to_owned()).collect())
    };
    let one = |value: &str| vec![value.trim_start_matches('=').trim().to_owned()];
    let (key, rule) = if let Some(key) = term.strip_prefix('!') {
        (key, Rule::Absent)
    } else if let Some((key, values)) = term.split_once(" notin ") {
        (key, Rule::NotIn(set(values)?))
    } else if let Some((key, values)) = term.split_once(" in ") {
        (key, Rule::In(set(values)?))
    } else if let Some((key, value)) = term.split_once("!=") {
        (key, Rule::NotIn(one(value)))
    } else if let Some((key, value)) = term.split_once('=') {
        (key, Rule::In(one(value)))
    } else {
        (term, Rule::Exists)
    };
    let key = key.trim();
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err(unreadable());
    }
    Ok(Requirement { key: key.to_owned(), rule })
}

fn field_term(term: &str) -> Result<(String, bool, String), Refusal> {
    let (path, equal, value) = if let Some((path, value)) = term.split_once("!=") {
        (path, false, value)
    } else if let Some((path, value)) = term.split_once('=') {
        (path, true, value.trim_start_matches('='))
    } else {
        return Err(Refusal::bad_request(format!("invalid selector: '{term}'; can't understand '{term}'")));
    };
    const KNOWN: &[&str] = &[
        "metadata.",
        "spec.nodeName",
        "status.phase",
        "spec.restartPolicy",
        "type",
        "involvedObject.",
        "reason",
        "spec.unschedulable",
    ];
    if !KNOWN.iter().any(|known| path.starts_with(known)) {
        return Err(Refusal::bad_request(format!("field label not supported: {path}")));
    }
    Ok((path.to_owned(), equal, value.to_owned()))
}

fn field(object: &Value, path: &str) -> String {
    match object.pointer(&format!("/{}", path.replace('.', "/"))) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_pick_as_kubectl_expects() {
        let object = json!({ "metadata": { "name": "n", "labels": { "app": "web", "tier": "1" } }, "status": { "phase": "Running" } });
        for (labels, fields, picked) in [
            ("", "", true),
            ("app=web", "", true),
            ("app==web,tier!=2", "", true),
            ("app in (api, web),tier", "", true),
            ("app notin (web)", "", false),
            ("!other,app", "metadata.name=n", true),
            ("!app", "", false),
            ("", "metadata.name!=n", false),
            ("", "status.phase=Running,metadata.name=n", true),
        ] {
            let selector = Selector::parse(labels, fields).expect("readable");
            assert_eq!(selector.picks(&object), picked, "{labels} {fields}");
        }
        for (labels, fields) in [("a b=c", ""), ("=x", ""), ("", "spec.colour=red"), ("", "metadata.name")] {
            assert_eq!(
                Selector::parse(labels, fields).map(|_| ()).expect_err("unreadable").code,
                400,
                "{labels} {fields}"
            );
        }
    }
}

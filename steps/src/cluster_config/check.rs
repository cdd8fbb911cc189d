//! Compares a config with the shapes and rules of CreateCluster: every finding in one pass, each with its JSON path.
//! Knows nothing of files: spans are those of the tree that it is given.

use std::ops::Range;

use super::json::{Node, What};
use super::rules;
use super::shapes::{CLUSTER, Field, INSTANCE_TYPES, Shape};
use crate::codes::cluster;
use crate::finding::{Code, Severity};
use crate::partial::{ValueType, nearest};

/// Something wrong with a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFinding {
    /// Which kind of mistake it is.
    pub code: &'static Code,
    /// How bad it is.
    pub severity: Severity,
    /// Where in the JSON, such as `InstanceGroups[0].InstanceCount`; empty for the whole.
    pub path: String,
    /// Where in the text.
    pub span: Range<usize>,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Whether more knowledge could make it vanish: a missing field, a count, a relation between fields.
    pub by_absence: bool,
    /// The fields of which one would cure it.
    pub lacks: Lacks,
}

/// Fields that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// It is something else.
    Nothing,
    /// One of these is needed whatever else the request says.
    Always(&'static [&'static str]),
    /// One of these is needed because of something else in the request.
    Here(&'static [&'static str]),
}

impl ConfigFinding {
    /// An error at `node`.
    pub fn error(code: &'static Code, path: impl Into<String>, span: Range<usize>, message: impl Into<String>) -> Self {
        let (path, message) = (path.into(), message.into());
        Self {
            code,
            severity: Severity::Error,
            path,
            span,
            message,
            help: None,
            by_absence: false,
            lacks: Lacks::Nothing,
        }
    }

    /// A warning at `node`.
    pub fn warning(
        code: &'static Code,
        path: impl Into<String>,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, path, span, message) }
    }

    /// The same finding with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same finding, which rests on something that is not there.
    #[must_use]
    pub fn by_absence(mut self) -> Self {
        self.by_absence = true;
        self
    }

    /// The same finding, which rests on one of these fields not being there.
    #[must_use]
    pub fn lacking(mut self, fields: Lacks) -> Self {
        self.lacks = fields;
        self.by_absence()
    }

    /// `path: message`.
    pub fn line(&self) -> String {
        if self.path.is_empty() { self.message.clone() } else { format!("{}: {}", self.path, self.message) }
    }
}

/// The advice for a text that is not known, where something else is needed.
pub const OTHER_TYPE: &str = "give the expression a value of that type";

/// Everything wrong with `config` as a CreateCluster request for EKS.
pub fn check(config: &Node) -> Vec<ConfigFinding> {
    let mut walk = Walk { findings: Vec::new() };
    walk.value("", config, &CLUSTER);
    rules::check(config, &mut walk.findings);
    walk.findings.sort_by_key(|f| (f.span.start, f.span.end));
    walk.findings
}

struct Walk {
    findings: Vec<ConfigFinding>,
}

impl Walk {
    fn error(&mut self, code: &'static Code, path: &str, node: &Node, message: impl Into<String>) {
        self.findings.push(ConfigFinding::error(code, path, node.span.clone(), message));
    }

    fn error_with(
        &mut self,
        code: &'static Code,
        (path, node): (&str, &Node),
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let finding = ConfigFinding::error(code, path, node.span.clone(), message);
        self.findings.push(ConfigFinding { help, ..finding });
    }

    fn value(&mut self, path: &str, node: &Node, shape: &Shape) {
        if let What::Unknown(hole) = &node.what {
            return self.unknown(path, node, hole.of, shape);
        }
        match shape {
            Shape::Text { min, max, pattern } => self.text(path, node, *min, *max, pattern.as_ref()),
            Shape::Choice(words) => self.choice(path, node, words),
            Shape::InstanceType => self.instance_type(path, node),
            Shape::Whole { min, max } => self.whole(path, node, *min, *max),
            Shape::Flag => {
                if !matches!(node.what, What::Flag(_)) {
                    self.wrong_kind(path, node, "true or false");
                }
            }
            Shape::Moment => self.moment(path, node),
            Shape::List { min, max, of } => self.list(path, node, *min, *max, of),
            Shape::Map { max, key, value } => self.map(path, node, *max, key, value),
            Shape::Record(fields) => self.record(path, node, fields),
            Shape::OneOf(fields) => {
                self.record(path, node, fields);
                self.one_of(path, node, fields);
            }
        }
    }

    /// A value that is not known may still be known to be of the wrong type.
    fn unknown(&mut self, path: &str, node: &Node, of: ValueType, shape: &Shape) {
        let (wanted, fits): (&str, &[ValueType]) = match shape {
            Shape::Text { .. } | Shape::Choice(_) | Shape::InstanceType | Shape::Moment => {
                ("a string", &[ValueType::String])
            }
            Shape::Whole { .. } => ("a whole number", &[ValueType::Integer, ValueType::Number]),
            Shape::Flag => ("true or false", &[ValueType::Boolean]),
            Shape::List { .. } => ("a list", &[ValueType::List]),
            Shape::Map { .. } | Shape::Record(_) | Shape::OneOf(_) => ("an object", &[ValueType::Map]),
        };
        let moment = matches!(shape, Shape::Moment) && matches!(of, ValueType::Integer | ValueType::Number);
        if moment || matches!(of, ValueType::Any | ValueType::Secret) || fits.contains(&of) {
            return;
        }
        let message = format!("{wanted} is needed, this will be a {}", of.word());
        let help = (of == ValueType::String).then(|| OTHER_TYPE.to_owned());
        self.error_with(&cluster::WRONG_KIND, (path, node), message, help);
    }

    fn wrong_kind(&mut self, path: &str, node: &Node, wanted: &str) {
        let help = matches!(node.what, What::Null).then(|| "leave the field out instead".to_owned());
        self.error_with(
            &cluster::WRONG_KIND,
            (path, node),
            format!("{wanted} is needed, this is {}", node.kind()),
            help,
        );
    }

    fn text(
        &mut self,
        path: &str,
        node: &Node,
        min: usize,
        max: usize,
        pattern: Option<&(&'static std::sync::LazyLock<regex::Regex>, &'static str)>,
    ) {
        let Some(raw) = self.whole_text(path, node) else { return };
        let length = raw.chars().count();
        let words = pattern.map(|(_, words)| (*words).to_owned());
        if length < min && length == 0 {
            self.error_with(&cluster::WRONG_FORM, (path, node), "is empty", words.map(|w| format!("write {w}")));
        } else if length < min || length > max {
            self.error(
                &cluster::OUT_OF_RANGE,
                path,
                node,
                format!("has {length} characters, {min} to {max} are allowed"),
            );
        } else if let Some((regex, words)) = pattern
            && !regex.is_match(raw)
        {
            self.error(&cluster::WRONG_FORM, path, node, format!("`{raw}` is not {words}"));
        }
    }

    /// The text, if all of it is known; a value that is none is told.
    fn whole_text<'n>(&mut self, path: &str, node: &'n Node) -> Option<&'n str> {
        if node.text().is_none() && !matches!(node.what, What::Open(_)) {
            self.wrong_kind(path, node, "a string");
        }
        node.text()
    }

    fn choice(&mut self, path: &str, node: &Node, words: &[&'static str]) {
        let Some(raw) = self.whole_text(path, node) else { return };
        if words.contains(&raw) {
            return;
        }
        let meant = words.iter().find(|w| w.eq_ignore_ascii_case(raw)).copied();
        let help = match meant.or_else(|| nearest(raw, words.iter().copied())) {
            Some(word) if meant.is_some() => format!("write `{word}`: upper and lower case matter"),
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("write {}", words.join(" or ")),
        };
        let message = if raw.is_empty() {
            format!("is empty, one of {} is needed", words.join(", "))
        } else {
            format!("`{raw}` is none of {}", words.join(", "))
        };
        self.error_with(&cluster::WRONG_CHOICE, (path, node), message, Some(help));
    }

    fn instance_type(&mut self, path: &str, node: &Node) {
        let Some(raw) = self.whole_text(path, node) else { return };
        if INSTANCE_TYPES.contains(&raw) {
            return;
        }
        let bare = raw.trim();
        let with_prefix = format!("ml.{}", bare.to_lowercase());
        let meant = INSTANCE_TYPES
            .iter()
            .copied()
            .find(|t| *t == with_prefix || t.eq_ignore_ascii_case(bare))
            .or_else(|| nearest(bare, INSTANCE_TYPES.iter().copied()));
        let message = if bare.is_empty() {
            "is empty, the name of an instance type is needed".to_owned()
        } else {
            format!("`{raw}` is no instance type of HyperPod")
        };
        self.error_with(
            &cluster::UNKNOWN_INSTANCE_TYPE,
            (path, node),
            message,
            meant.map(|name| format!("did you mean `{name}`?")),
        );
    }

    fn whole(&mut self, path: &str, node: &Node, min: i64, max: i64) {
        let Some(number) = node.whole() else {
            let help = match &node.what {
                What::Text(raw) if raw.trim().parse::<i64>().is_ok() => Some("leave out the quotes".to_owned()),
                What::Null => Some("leave the field out instead".to_owned()),
                What::Text(_)
                | What::Open(_)
                | What::Flag(_)
                | What::Number(_)
                | What::List(_)
                | What::Map(_)
                | What::Unknown(_) => None,
            };
            return self.error_with(
                &cluster::WRONG_KIND,
                (path, node),
                format!("a whole number is needed, this is {}", node.kind()),
                help,
            );
        };
        if number < min || number > max {
            let bounds = if max == i64::from(i32::MAX) { format!("at least {min}") } else { format!("{min} to {max}") };
            self.error(&cluster::OUT_OF_RANGE, path, node, format!("{number} is out of range: {bounds} is allowed"));
        }
    }

    fn moment(&mut self, path: &str, node: &Node) {
        let fine = match &node.what {
            What::Number(_) => true,
            What::Open(_) => true,
            What::Text(raw) => raw.parse::<jiff::Timestamp>().is_ok(),
            What::Null | What::Flag(_) | What::List(_) | What::Map(_) | What::Unknown(_) => false,
        };
        if !fine {
            self.wrong_kind(path, node, "a time such as 2026-01-31T08:00:00Z");
        }
    }

    fn list(&mut self, path: &str, node: &Node, min: usize, max: usize, of: &Shape) {
        let What::List(items) = &node.what else { return self.wrong_kind(path, node, "a list") };
        if items.len() < min || items.len() > max {
            let message = format!("has {} entries, {min} to {max} are allowed", items.len());
            self.findings
                .push(ConfigFinding::error(&cluster::OUT_OF_RANGE, path, node.span.clone(), message).by_absence());
        }
        for (index, item) in items.iter().enumerate() {
            self.value(&format!("{path}[{index}]"), item, of);
        }
    }

    fn map(&mut self, path: &str, node: &Node, max: usize, key: &Shape, value: &Shape) {
        let What::Map(entries) = &node.what else { return self.wrong_kind(path, node, "an object") };
        if entries.len() > max {
            self.error(
                &cluster::OUT_OF_RANGE,
                path,
                node,
                format!("has {} entries, at most {max} are allowed", entries.len()),
            );
        }
        for (name, place, item) in entries {
            let below = format!("{path}.{name}");
            self.value(&below, &Node { what: What::Text(name.clone()), span: place.clone() }, key);
            self.value(&below, item, value);
        }
    }

    fn record(&mut self, path: &str, node: &Node, fields: &'static [Field]) {
        let What::Map(entries) = &node.what else { return self.wrong_kind(path, node, "an object") };
        for (name, place, item) in entries {
            match fields.iter().find(|f| f.name == name) {
                Some(field) => self.value(&join(path, name), item, field.shape),
                None => self.unknown_field(path, name, place, fields),
            }
        }
        for field in fields.iter().filter(|f| f.required) {
            if !entries.iter().any(|(name, ..)| name == field.name) {
                let message = format!("the field `{}` is missing", field.name);
                let lacks = Lacks::Always(std::slice::from_ref(&field.name));
                self.findings
                    .push(ConfigFinding::error(&cluster::MISSING_FIELD, path, at_start(node), message).lacking(lacks));
            }
        }
    }

    fn unknown_field(&mut self, path: &str, name: &str, place: &Range<usize>, fields: &[Field]) {
        let help = match nearest(name, fields.iter().map(|f| f.name)) {
            Some(right) => format!("did you mean `{right}`?"),
            None if fields.is_empty() => "write `{}`: it has no fields".to_owned(),
            None => format!("the fields are {}", fields.iter().map(|f| f.name).collect::<Vec<_>>().join(", ")),
        };
        let finding = ConfigFinding::error(
            &cluster::UNKNOWN_FIELD,
            join(path, name),
            place.clone(),
            format!("there is no field `{name}`"),
        );
        self.findings.push(finding.help(help));
    }

    fn one_of(&mut self, path: &str, node: &Node, fields: &[Field]) {
        let What::Map(entries) = &node.what else { return };
        let given = entries.iter().filter(|(name, ..)| fields.iter().any(|f| f.name == name)).count();
        if given != 1 {
            let names = fields.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
            let message = format!("exactly one of {names} is needed, {given} are given");
            self.findings.push(ConfigFinding::error(&cluster::EXCLUSIVE, path, at_start(node), message).by_absence());
        }
    }
}

/// `a` and `b` as one JSON path.
pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The first byte of a node, for findings about what it lacks: underlining all of it would hide the point.
pub fn at_start(node: &Node) -> Range<usize> {
    node.span.start..(node.span.start + 1).min(node.span.end)
}

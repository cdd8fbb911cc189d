//! The form of each section of a template: which keys it has and what may stand behind them.
//! Knows nothing of values, and of references only where they stand.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::Problem;
use super::calls::Call;
use super::node::{Duplicate, Entry, Node, Shape};
use super::parameters::Parameter;
use super::read::{Condition, Output, Resource, Rule};
use crate::codes::template as codes;
use crate::finding::Severity;
use crate::partial::{Place, nearest};

/// Longest logical name (CloudFormation quotas).
const LONGEST_NAME: usize = 255;
/// Longest description of a template, in bytes (CloudFormation quotas).
const LONGEST_OF_TEMPLATE: usize = 1024;
/// Longest description of a parameter, in characters (CloudFormation, "Parameters").
const LONGEST_OF_PARAMETER: usize = 4000;

const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Rules",
    "Transform",
    "Hooks",
    "Resources",
    "Outputs",
];
/// The long name of `Custom::…`.
const CUSTOM: &str = "AWS::CloudFormation::CustomResource";
/// `Version` first, which custom resources alone have.
const OF_RESOURCE: [&str; 10] = [
    "Version",
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Metadata",
    "CreationPolicy",
    "UpdatePolicy",
];
const OF_OUTPUT: [&str; 4] = ["Value", "Description", "Condition", "Export"];

/// Looks at the form of a template, section by section.
pub(super) struct Form {
    pub problems: Vec<Problem>,
    /// [`super::Template::open`]
    pub open: bool,
    has_resources: bool,
    /// Where mappings are merged: these places stand for all that comes of it.
    merges: HashSet<Place>,
}

impl Form {
    pub fn new(duplicates: Vec<Duplicate>, merges: &[Place]) -> Self {
        let told = |d: Duplicate| {
            Problem::error(&codes::DUPLICATE_KEY, d.again, format!("the key `{}` stands twice", d.key))
                .related(d.first, "it stands here first")
                .help("remove one of them: CloudFormation refuses the template, or takes one of the two")
        };
        let merged = merges.iter().map(|place| {
            Problem::error(
                &codes::UNKNOWN_KEY,
                *place,
                "CloudFormation merges no mappings: `<<` is a key like any other",
            )
            .help("write the keys out here")
        });
        let problems = duplicates.into_iter().map(told).chain(merged).collect();
        Self { problems, open: false, has_resources: false, merges: merges.iter().copied().collect() }
    }

    pub fn root(&mut self, entries: &[Entry]) {
        self.has_resources = entries.iter().any(|(key, _, _)| key == "Resources");
        self.keys(entries, &SECTIONS, "a template");
    }

    pub fn no_resources(&mut self, place: Place) {
        let words = if self.has_resources { "its `Resources` are empty" } else { "it has no `Resources`" };
        let place = Place { end: place.start, ..place };
        self.problems.push(
            Problem::error(&codes::NO_RESOURCES, place, format!("the template makes nothing: {words}"))
                .help("CloudFormation wants at least one resource"),
        );
    }

    pub fn version(&mut self, node: Option<&Node>) {
        if let Some(node) = node.filter(|node| node.text() != Some("2010-09-09")) {
            self.problems.push(
                Problem::error(&codes::WRONG_FORMAT_VERSION, node.place, "there is no such version of templates")
                    .help("write \"2010-09-09\", the only one"),
            );
        }
    }

    /// Something that must be a text, if it is there.
    pub fn text_of(&mut self, what: &str, node: Option<&Node>) -> Option<String> {
        match &node?.shape {
            Shape::Scalar(text) => return Some(text.clone()),
            Shape::Null => self.null(what, node?.place),
            Shape::List(_) | Shape::Map(_) => self.wrong(node?.place, format!("`{what}` must be a text")),
        }
        None
    }

    /// The description of the template, which is counted in bytes.
    pub fn own_description(&mut self, node: Option<&Node>) {
        let length = node.and_then(Node::text).map_or(0, str::len);
        self.description("the template", node, (length, "bytes", LONGEST_OF_TEMPLATE));
    }

    /// A description of so many of this unit, of which there may be so many.
    fn description(&mut self, of: &str, node: Option<&Node>, (length, unit, longest): (usize, &str, usize)) {
        if let Some(node) = node.filter(|_| length > longest) {
            let message = format!("the description of {of} has {length} {unit}; CloudFormation takes {longest}");
            self.problems.push(Problem::error(&codes::TOO_MANY, node.place, message).help("shorten it"));
        }
    }

    /// The entries of a section, read one by one.
    pub fn section<T>(
        &mut self,
        name: &str,
        node: Option<Node>,
        read: impl Fn(&mut Self, &str, Place, Node) -> Option<T>,
    ) -> IndexMap<String, T> {
        let Some(node) = node else { return IndexMap::new() };
        match node.shape {
            Shape::Map(entries) => {
                let mut out = IndexMap::with_capacity(entries.len());
                for (key, place, node) in entries {
                    if key.starts_with("Fn::") {
                        continue;
                    }
                    self.name(name, &key, place);
                    if let Some(value) = read(self, &key, place, node) {
                        out.insert(key, value);
                    }
                }
                out
            }
            Shape::Null => {
                self.null(name, node.place);
                IndexMap::new()
            }
            Shape::Scalar(_) | Shape::List(_) => {
                self.wrong(node.place, format!("`{name}` must be a mapping"));
                IndexMap::new()
            }
        }
    }

    pub fn parameter(&mut self, name: &str, place: Place, node: Node) -> Option<Parameter> {
        let entries = self.entries(name, node)?;
        let meant = self.keys(&entries, &Parameter::KEYS, "a parameter");
        let description = entries.iter().find(|(key, _, _)| key == "Description").map(|(_, _, node)| node);
        let length = description.and_then(Node::text).map_or(0, |text| text.chars().count());
        self.description(&format!("`{name}`"), description, (length, "characters", LONGEST_OF_PARAMETER));
        let mut wrong = Vec::new();
        let parameter = Parameter::read(place, &entries, &mut wrong);
        self.problems.extend(wrong);
        if !has(&entries, "Type") && !meant.contains(&"Type") {
            self.wrong(place, format!("the parameter `{name}` must have a `Type`"));
        }
        Some(parameter)
    }

    pub fn mapping(&mut self, name: &str, _: Place, node: Node) -> Option<HashMap<String, HashMap<String, Node>>> {
        let place = node.place;
        let first = self.entries(name, node)?;
        let mut out = HashMap::with_capacity(first.len());
        for (key, _, node) in first {
            if key.starts_with("Fn::") {
                return None;
            }
            let Shape::Map(second) = node.shape else {
                self.wrong(place, format!("the mapping `{name}` must have two levels of keys: `{key}` has no second"));
                return None;
            };
            for (_, _, node) in second.iter().filter(|(key, _, _)| key != "Fn::Transform") {
                if let Shape::Map(_) = node.shape {
                    let message = format!("a value of the mapping `{name}` must be a text or a list of texts");
                    self.problems.push(
                        Problem::error(&codes::WRONG_SHAPE, node.place, message)
                            .help("mappings have two levels of keys, and take no functions"),
                    );
                }
            }
            out.insert(key, second.into_iter().map(|(key, _, node)| (key, node)).collect());
        }
        Some(out)
    }

    pub fn condition(&mut self, name: &str, place: Place, node: Node) -> Option<Condition> {
        if !matches!(node.shape, Shape::Map(_)) {
            self.wrong(node.place, format!("the condition `{name}` must be a function, such as `!Equals [a, b]`"));
        }
        Some(Condition { place, expression: node })
    }

    pub fn rule(&mut self, name: &str, place: Place, node: Node) -> Option<Rule> {
        let entries = self.entries(name, node)?;
        let meant = self.keys(&entries, &["RuleCondition", "Assertions"], "a rule");
        let mut rule = Rule { condition: None, assertions: Vec::new() };
        let mut asserts = meant.contains(&"Assertions");
        for (key, _, node) in entries {
            match key.as_str() {
                "RuleCondition" => rule.condition = Some(node),
                "Assertions" => {
                    asserts = matches!(node.shape, Shape::List(_));
                    let Shape::List(items) = node.shape else { continue };
                    for item in items {
                        // Samples of AWS misspell these, and it seems to pass.
                        let before = self.problems.len();
                        self.keys(item.entries(), &["Assert", "AssertDescription"], "an assertion");
                        self.problems[before..].iter_mut().for_each(|problem| problem.severity = Severity::Warning);
                        match item.get("Assert") {
                            Some(assert) => {
                                let words = item.get("AssertDescription").and_then(Node::text).map(str::to_owned);
                                rule.assertions.push((assert.clone(), words));
                            }
                            None => self.wrong(item.place, "an assertion must have `Assert`"),
                        }
                    }
                }
                _ => {}
            }
        }
        if !asserts {
            self.wrong(place, format!("the rule `{name}` must have a list of `Assertions`"));
        }
        Some(rule)
    }

    pub fn resource(&mut self, name: &str, place: Place, node: Node) -> Option<Resource> {
        let entries = self.entries(name, node)?;
        let text_at = |name: &str| entries.iter().find(|(key, _, _)| key == name).and_then(|(_, _, node)| node.text());
        // Custom resources may name the version of their provider.
        let custom = text_at("Type").is_some_and(|kind| kind.starts_with("Custom::") || kind == CUSTOM);
        let typed = has(&entries, "Type");
        let known = if custom { OF_RESOURCE.as_slice() } else { &OF_RESOURCE[1..] };
        let meant = self.keys(&entries, known, "a resource");
        let mut resource = Resource {
            place,
            kind: (String::new(), place),
            condition: None,
            depends_on: Vec::new(),
            properties: None,
            others: Vec::new(),
        };
        for (key, at, node) in entries {
            match key.as_str() {
                "Type" => {
                    let at = node.place;
                    resource.kind = (self.text_of("Type", Some(&node)).unwrap_or_default(), at);
                }
                "Properties" => {
                    match node.shape {
                        Shape::Map(_) => self.nulls(&node),
                        Shape::Null => self.null("Properties", at),
                        Shape::Scalar(_) | Shape::List(_) => {
                            self.wrong(node.place, "`Properties` must be a mapping");
                        }
                    }
                    resource.properties = Some(node);
                }
                "Condition" => resource.condition = self.text_of("Condition", Some(&node)).map(|c| (c, node.place)),
                "DependsOn" => resource.depends_on = self.depends_on(&node),
                "DeletionPolicy" | "UpdateReplacePolicy" => self.policy(&key, &node),
                "Metadata" | "CreationPolicy" | "UpdatePolicy" => resource.others.push(node),
                _ => {}
            }
        }
        if resource.kind.0.is_empty() {
            if !meant.contains(&"Type") && !typed {
                self.wrong(place, format!("the resource `{name}` must have a `Type`"));
            }
        } else if !is_type(&resource.kind.0) {
            let (kind, at) = &resource.kind;
            self.problems.push(
                Problem::error(&codes::WRONG_RESOURCE_TYPE, *at, format!("`{kind}` is no name for a resource type"))
                    .help("it has two to four words with `::` between them, such as AWS::S3::Bucket"),
            );
        }
        Some(resource)
    }

    pub fn output(&mut self, name: &str, place: Place, node: Node) -> Option<Output> {
        if Call::of(&node).is_some() {
            self.problems.push(
                Problem::error(&codes::WRONG_SHAPE, place, format!("the output `{name}` must have a `Value`"))
                    .help(format!("write `{name}: {{ Value: … }}`")),
            );
            return Some(Output { place, value: Some(node), description: None, condition: None, export: None });
        }
        let entries = self.entries(name, node)?;
        let meant = self.keys(&entries, &OF_OUTPUT, "an output");
        let mut output = Output { place, value: None, description: None, condition: None, export: None };
        for (key, _, node) in entries {
            match key.as_str() {
                "Value" => {
                    self.nulls(&node);
                    output.value = Some(node);
                }
                "Description" => output.description = self.text_of("Description", Some(&node)),
                "Condition" => output.condition = self.text_of("Condition", Some(&node)).map(|c| (c, node.place)),
                "Export" => {
                    self.keys(node.entries(), &["Name"], "an export");
                    output.export = node.get("Name").cloned();
                    if output.export.is_none() && !self.open {
                        self.wrong(node.place, format!("the export of `{name}` must have a `Name`"));
                    }
                }
                _ => {}
            }
        }
        if output.value.is_none() && !meant.contains(&"Value") {
            self.wrong(place, format!("the output `{name}` must have a `Value`"));
        }
        Some(output)
    }

    fn depends_on(&mut self, node: &Node) -> Vec<(String, Place)> {
        let mut names = Vec::new();
        let items = if let Shape::List(items) = &node.shape { items.as_slice() } else { std::slice::from_ref(node) };
        for item in items {
            match item.text() {
                Some(name) => names.push((name.to_owned(), item.place)),
                None if self.open => {}
                None => self.problems.push(
                    Problem::error(&codes::WRONG_SHAPE, item.place, "`DependsOn` must be a name or a list of names")
                        .help("functions are not taken there: a `!If` in the metadata of the resource waits as well"),
                ),
            }
        }
        names
    }

    fn policy(&mut self, key: &str, node: &Node) {
        const FOR_DELETION: &str = "RetainExceptOnCreate";
        const POLICIES: [&str; 4] = ["Delete", "Retain", FOR_DELETION, "Snapshot"];
        let Some(text) = node.text() else { return };
        let known: Vec<&str> =
            POLICIES.into_iter().filter(|policy| key != "UpdateReplacePolicy" || *policy != FOR_DELETION).collect();
        if !known.contains(&text) {
            let problem = Problem::error(&codes::WRONG_POLICY, node.place, format!("there is no {key} `{text}`"));
            let problem = problem.help(format!("there are {}", known.join(", ")));
            let meant = if text == FOR_DELETION { "Retain" } else { text };
            self.problems.push(problem.nearest(meant, known));
        }
    }

    fn entries(&mut self, name: &str, node: Node) -> Option<Vec<Entry>> {
        match node.shape {
            Shape::Map(entries) => return Some(entries),
            Shape::Null => self.null(name, node.place),
            Shape::Scalar(_) | Shape::List(_) => self.wrong(node.place, format!("`{name}` must be a mapping")),
        }
        None
    }

    /// Keys that are not known; the right names of those that are misspelt, which are not missing then.
    fn keys<'k>(&mut self, entries: &[Entry], known: &[&'k str], what: &str) -> Vec<&'k str> {
        let mut meant = Vec::new();
        // Macros take keys of their own.
        if self.open {
            return meant;
        }
        for (key, place, _) in entries.iter().filter(|(key, _, _)| !known.contains(&key.as_str())) {
            // What is merged is told once, where it is merged.
            if key == "Fn::Transform" || self.merges.contains(place) {
                continue;
            }
            let help = match nearest(key, known.iter().copied()) {
                Some(right) => {
                    meant.push(right);
                    format!("did you mean `{right}`?")
                }
                None => format!("there are {}", known.join(", ")),
            };
            self.problems
                .push(Problem::error(&codes::UNKNOWN_KEY, *place, format!("{what} has no `{key}`")).help(help));
        }
        meant
    }

    fn name(&mut self, section: &str, name: &str, place: Place) {
        // Names of conditions and rules are taken more freely.
        let free = matches!(section, "Conditions" | "Rules");
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric());
        if (plain || free) && name.len() <= LONGEST_NAME {
            return;
        }
        self.problems.push(
            Problem::error(&codes::WRONG_NAME, place, format!("`{name}` is no name for {}", one_of(section)))
                .help(format!("letters and digits only, at most {LONGEST_NAME}")),
        );
    }

    /// Values that are `null` in an expression.
    fn nulls(&mut self, node: &Node) {
        match &node.shape {
            Shape::Scalar(_) => {}
            Shape::Null => self.null("this", node.place),
            Shape::List(items) => items.iter().for_each(|item| self.nulls(item)),
            Shape::Map(entries) => {
                for (key, place, node) in entries {
                    match node.shape {
                        // No region is this region: samples of AWS write it so.
                        Shape::Null if key == "Fn::GetAZs" => {}
                        Shape::Null => self.null(key, *place),
                        Shape::Scalar(_) | Shape::List(_) | Shape::Map(_) => self.nulls(node),
                    }
                }
            }
        }
    }

    fn null(&mut self, what: &str, place: Place) {
        let message = if what == "this" { "a value is missing".to_owned() } else { format!("`{what}` has no value") };
        self.problems.push(
            Problem::error(&codes::NULL_VALUE, place, message)
                .help("CloudFormation takes no null: leave the key out, or write !Ref AWS::NoValue"),
        );
    }

    fn wrong(&mut self, place: Place, message: impl Into<String>) {
        self.problems.push(Problem::error(&codes::WRONG_SHAPE, place, message));
    }
}

fn has(entries: &[Entry], name: &str) -> bool {
    entries.iter().any(|(key, _, _)| key == name)
}

fn one_of(section: &str) -> &'static str {
    match section {
        "Parameters" => "a parameter",
        "Mappings" => "a mapping",
        "Conditions" => "a condition",
        "Rules" => "a rule",
        "Resources" => "a resource",
        _ => "an output",
    }
}

/// Whether a text has the form of a resource type; whether there is one of this name only AWS knows.
fn is_type(kind: &str) -> bool {
    let words: Vec<&str> = kind.split("::").collect();
    let word = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-@".contains(c));
    (2..=4).contains(&words.len()) && words.iter().all(word)
}

//! The JSON Schema of the pipeline file, asked for what may stand at a way.
//! Knows nothing of pipelines but their schema: what that describes, an editor completes.

use serde_json::Value as Json;

use super::sketch::{Part, Sketch};

/// The rules that hold at one way of one text.
pub struct Rules<'s> {
    /// The schemas that what stands there may meet: of a step's `with` those of its type.
    pub rules: Vec<&'s Json>,
}

/// Goes through a schema along a way.
pub struct Grammar<'s> {
    /// The schema of the file.
    pub root: &'s Json,
    /// The text that it is asked for.
    pub sketch: &'s Sketch,
}

/// A value that is named for a place.
pub struct Choice<'s> {
    /// The value, as a text.
    pub text: String,
    /// Whether it must stay a text where it looks like something else.
    pub is_text: bool,
    /// What is said of it.
    pub about: Option<&'s str>,
    /// Whether others may stand there, and this one only shows how they look.
    pub is_example: bool,
}

/// A key that a mapping may have.
pub struct KeyRule<'s> {
    /// The key.
    pub name: &'s str,
    /// What its value must be.
    pub rule: &'s Json,
    /// Whether it must be there.
    pub required: bool,
}

impl<'s> Grammar<'s> {
    /// The rules for what stands at `way`, whose entries are `entries`.
    pub fn at(&self, way: &[Part], entries: &[Option<usize>]) -> Rules<'s> {
        let mut rules = self.expanded(&[self.root], Some(None));
        for (depth, part) in way.iter().enumerate() {
            let inner: Vec<&Json> = rules.iter().filter_map(|rule| step(rule, part)).collect();
            let entry = entries.get(depth).copied().flatten();
            rules = self.expanded(&inner, entry.map(Some));
        }
        Rules { rules }
    }

    /// The rules with all that they lead to, for what stands in the entry (none inside is the whole text).
    fn expanded(&self, rules: &[&'s Json], entry: Option<Option<usize>>) -> Vec<&'s Json> {
        let mut found = Vec::new();
        rules.iter().for_each(|rule| self.expand(rule, entry, &mut found));
        found
    }

    fn expand(&self, rule: &'s Json, entry: Option<Option<usize>>, found: &mut Vec<&'s Json>) {
        let pointer = rule.get("$ref").and_then(Json::as_str).and_then(|to| to.strip_prefix('#'));
        let rule = pointer.and_then(|to| self.root.pointer(to)).unwrap_or(rule);
        found.push(rule);
        for branch in branches(rule) {
            self.expand(branch, entry, found);
        }
        for part in rule.get("allOf").and_then(Json::as_array).into_iter().flatten() {
            match (part.get("if"), part.get("then")) {
                (Some(condition), Some(then)) if self.holds(condition, entry) => self.expand(then, entry, found),
                (Some(_), _) => {}
                (None, _) => self.expand(part, entry, found),
            }
        }
    }

    /// Whether the entry has the texts that the condition names.
    fn holds(&self, condition: &Json, entry: Option<Option<usize>>) -> bool {
        let Some(entry) = entry else { return false };
        let wanted = condition.get("properties").and_then(Json::as_object).into_iter().flatten();
        wanted.into_iter().all(|(key, rule)| {
            let scalar = self.sketch.scalar(entry, key);
            scalar.map(|scalar| scalar.text.as_str()) == rule.get("const").and_then(Json::as_str)
        })
    }
}

impl<'s> Rules<'s> {
    /// The keys that may stand here.
    pub fn keys(&self) -> Vec<KeyRule<'s>> {
        let required: Vec<&str> = self
            .rules
            .iter()
            .filter_map(|rule| rule.get("required")?.as_array())
            .flatten()
            .filter_map(Json::as_str)
            .collect();
        let mut keys: Vec<KeyRule<'s>> = Vec::new();
        for (name, rule) in self.rules.iter().filter_map(|rule| rule.get("properties")?.as_object()).flatten() {
            // A later rule is the closer one: the inputs of a step type after what is said of `with` in general.
            match keys.iter_mut().find(|key| key.name == name) {
                Some(key) => key.rule = rule,
                None => keys.push(KeyRule { name, rule, required: required.contains(&name.as_str()) }),
            }
        }
        keys
    }

    /// The values that are named for this place.
    pub fn values(&self) -> Vec<Choice<'s>> {
        let mut values: Vec<Choice<'s>> = Vec::new();
        let mut put = |value: &Json, about: Option<&'s str>, is_example: bool| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if !value.is_null() && !values.iter().any(|known| known.text == text) {
                values.push(Choice { text, is_text: value.is_string(), about, is_example });
            }
        };
        let mut add = |value: &Json, about: Option<&'s str>| put(value, about, false);
        for rule in self.with_items() {
            let about = rule.get("description").and_then(Json::as_str);
            rule.get("const").into_iter().for_each(|value| add(value, about));
            rule.get("enum").and_then(Json::as_array).into_iter().flatten().for_each(|value| add(value, None));
            if has_type(rule, "boolean") {
                add(&Json::Bool(true), None);
                add(&Json::Bool(false), None);
            }
        }
        for rule in &self.rules {
            let scalar = |value: &&Json| value.is_string() || value.is_number();
            rule.get("default").filter(scalar).into_iter().for_each(|value| put(value, Some("The default."), true));
            let examples = rule.get("examples").and_then(Json::as_array).into_iter().flatten();
            examples.filter(scalar).for_each(|value| put(value, Some("An example."), true));
        }
        values
    }

    /// The rules, and those of the items where it is a list.
    fn with_items(&self) -> Vec<&'s Json> {
        let items = self.rules.iter().filter_map(|rule| rule.get("items"));
        let items = items.flat_map(|items| std::iter::once(items).chain(branches(items)).chain(deep(items)));
        self.rules.iter().copied().chain(items).collect()
    }

    /// What is said of this place: by the closest rule that says anything.
    pub fn about(&self) -> Option<&'s str> {
        let said = |rule: &&'s Json| rule.get("const").is_none();
        self.rules.iter().filter(|rule| said(rule)).find_map(|rule| rule.get("description")?.as_str())
    }
}

/// What a value of this rule is, in the words of the pipeline file.
pub fn words<'s>(rule: &'s Json) -> String {
    let mut words: Vec<&str> = Vec::new();
    let mut add = |rule: &'s Json| {
        let types: Vec<&str> = match rule.get("type") {
            Some(Json::String(one)) => vec![one],
            Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
            Some(_) | None => Vec::new(),
        };
        let is_choice = rule.get("const").is_some_and(Json::is_string) || rule.get("enum").is_some();
        let is_expression = rule.get("pattern").and_then(Json::as_str) == Some(crate::pipeline::schema::EXPRESSION);
        let types = if is_choice { vec!["choice"] } else { types };
        for of in types.into_iter().filter(|of| *of != "null" && !is_expression) {
            let word = match of {
                "array" => "list",
                "object" => "map",
                other => other,
            };
            if !words.contains(&word) {
                words.push(word);
            }
        }
    };
    add(rule);
    branches(rule).chain(deep(rule)).for_each(&mut add);
    if words.contains(&"choice") {
        words.retain(|word| *word != "string");
    }
    if words.is_empty() { "any value".to_owned() } else { words.join(" or ") }
}

/// Whether a value of this rule is a mapping or a list, and nothing else.
pub fn is_container(rule: &Json) -> bool {
    words(rule).split(" or ").all(|word| word == "map" || word == "list")
}

fn branches(rule: &Json) -> impl Iterator<Item = &Json> {
    ["anyOf", "oneOf"].into_iter().filter_map(|key| rule.get(key)?.as_array()).flatten()
}

/// The branches of the branches: an optional choice that may be an expression is three deep.
fn deep(rule: &Json) -> impl Iterator<Item = &Json> {
    branches(rule).flat_map(branches).flat_map(|rule| std::iter::once(rule).chain(branches(rule)))
}

/// The rule for a part of what this rule describes.
fn step<'s>(rule: &'s Json, part: &Part) -> Option<&'s Json> {
    match part {
        Part::Key(key) => rule
            .get("properties")
            .and_then(|keys| keys.get(key))
            .or_else(|| rule.get("additionalProperties").filter(|more| more.is_object())),
        Part::Item(_) => rule.get("items"),
    }
}

fn has_type(rule: &Json, name: &str) -> bool {
    match rule.get("type") {
        Some(Json::String(one)) => one == name,
        Some(Json::Array(several)) => several.iter().any(|of| of == name),
        Some(_) | None => false,
    }
}

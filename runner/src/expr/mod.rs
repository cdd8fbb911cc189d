//! Expressions: the `{{ … }}` in the values of a pipeline file, in the Handlebars language over our own values.
//! Knows nothing of steps or of the file's shape; what a name means is handed in by a [`Scope`].
//!
//! The Handlebars crate parses; evaluation is ours, because its renderer knows only JSON text: it would lose types,
//! let missing names pass in helpers, and could not tell what a secret has entered.

mod condition;
mod eval;
mod helpers;
mod known;
mod never;
mod parse;
mod target;

use hprun_steps::finding::Code;
use hprun_steps::partial::Place;
use hprun_steps::value::Value;
use indexmap::IndexMap;

pub use condition::Condition;
pub use eval::{RunFacts, Scope, StepView};
pub(crate) use helpers::names as helper_names;
pub use known::{Foreseen, KnownScope};
pub(crate) use target::fact_names;
pub use target::{Reference, RunFact, Target};

use crate::codes::expressions;
use parse::Template;

/// A value of the pipeline file with the expressions in it, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    kind: Kind,
    place: Place,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Literal(Value),
    Template(Template),
    Broken,
    List(Vec<Tree>),
    Map(IndexMap<String, (Place, Tree)>),
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExprError {
    /// Which kind of mistake it is.
    pub code: &'static Code,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Where it stands in the pipeline file.
    pub place: Place,
    /// Whether a name has no value, which `default` forgives.
    pub missing: bool,
}

impl Tree {
    /// A value that holds no expression.
    pub fn literal(value: Value, place: Place) -> Self {
        Self { kind: Kind::Literal(value), place }
    }

    /// The text `value`, which stands at `place` of `file`, with its expressions.
    pub fn text(value: &str, file: &str, place: Place) -> Result<Self, ExprError> {
        if !value.contains("{{") {
            return Ok(Self::literal(Value::from(value), place));
        }
        Ok(Self { kind: Kind::Template(Template::parse(value, file, place)?), place })
    }

    /// What could not be parsed: nothing is known of it, so that one mistake is told once. Never in a pipeline.
    pub(crate) fn broken(place: Place) -> Self {
        Self { kind: Kind::Broken, place }
    }

    /// A sequence.
    pub fn list(items: Vec<Self>, place: Place) -> Self {
        Self { kind: Kind::List(items), place }
    }

    /// A mapping; each key with its place.
    pub fn map(entries: IndexMap<String, (Place, Self)>, place: Place) -> Self {
        Self { kind: Kind::Map(entries), place }
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The entry `key`, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map(entries) => entries.get(key).map(|(_, tree)| tree),
            Kind::Literal(_) | Kind::Template(_) | Kind::Broken | Kind::List(_) => None,
        }
    }

    /// The value, with every expression resolved.
    pub fn resolve(&self, scope: &Scope<'_>) -> Result<Value, ExprError> {
        match &self.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Template(template) => template.evaluate(scope, self.place),
            Kind::Broken => {
                Err(ExprError::new(&expressions::WRONG_EXPRESSION, self.place, "this expression could not be parsed"))
            }
            Kind::List(items) => {
                items.iter().map(|item| item.resolve(scope)).collect::<Result<Vec<_>, _>>().map(Value::List)
            }
            Kind::Map(entries) => entries
                .iter()
                .map(|(key, (_, tree))| Ok((key.clone(), tree.resolve(scope)?)))
                .collect::<Result<IndexMap<_, _>, _>>()
                .map(Value::Map),
        }
    }

    /// Every name that the expressions use, in the order of the file.
    pub fn references(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect(&self, found: &mut Vec<Reference>) {
        match &self.kind {
            Kind::Literal(_) | Kind::Broken => {}
            Kind::Template(template) => template.collect(found),
            Kind::List(items) => items.iter().for_each(|item| item.collect(found)),
            Kind::Map(entries) => entries.values().for_each(|(_, tree)| tree.collect(found)),
        }
    }
}

impl ExprError {
    pub(crate) fn new(code: &'static Code, place: Place, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, place, missing: false }
    }

    pub(crate) fn missing(place: Place, message: impl Into<String>) -> Self {
        Self { missing: true, ..Self::new(&expressions::NO_VALUE, place, message) }
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

#[cfg(test)]
mod tests;

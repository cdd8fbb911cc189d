//! `when:`: an expression that is true or false, with the reason that is recorded.
//! Knows nothing of what its outcome means for a step.

use hprun_steps::partial::{Place, ValueType};
use hprun_steps::value::Value;

use super::eval::Scope;
use super::parse::{Body, Template};
use super::{ExprError, Kind, KnownScope, Reference, Tree};
use crate::codes::expressions;

/// A single expression whose value must be a boolean.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    tree: Tree,
}

impl Condition {
    /// The condition that `tree` is: one single expression, or `true` or `false`.
    pub fn new(tree: Tree) -> Result<Self, ExprError> {
        let is_one = match &tree.kind {
            Kind::Literal(value) => matches!(value, Value::Bool(_)),
            Kind::Template(Template { body, .. }) => matches!(body, Body::Whole(_)),
            Kind::Broken | Kind::List(_) | Kind::Map(_) => false,
        };
        if is_one {
            Ok(Self { tree })
        } else {
            Err(ExprError::new(
                &expressions::WRONG_WHEN,
                tree.place,
                "`when` must be one single expression, or true or false",
            )
            .help("write it as \"{{ eq params.NAME 'value' }}\""))
        }
    }

    /// Whether it holds, and why: the expression with the values of its names. Secrets are named, not shown.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<(bool, String), ExprError> {
        let value = self.tree.resolve(scope)?;
        let reason = self.reason(scope);
        match value {
            Value::Bool(holds) => Ok((holds, reason)),
            Value::Null
            | Value::Integer(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Secret(_) => {
                let message = format!("`when` must be true or false, this is {}", crate::document::a(value.kind()));
                Err(ExprError::new(&expressions::WRONG_WHEN, self.tree.place, message)
                    .help("compare it: {{ eq … }}, {{ ne … }}, {{ gt … }}"))
            }
        }
    }

    /// What surely goes wrong with it: its type is known and is not a boolean, or what [`Tree::problems`] says.
    pub fn problems(&self, scope: &KnownScope<'_>) -> Vec<ExprError> {
        let problems = self.tree.problems(scope);
        match (problems.is_empty(), self.tree.partial(scope).value_type()) {
            (false, _) | (true, ValueType::Any | ValueType::Boolean) => problems,
            (
                true,
                ValueType::Integer
                | ValueType::Number
                | ValueType::String
                | ValueType::List
                | ValueType::Map
                | ValueType::Secret,
            ) => vec![
                ExprError::new(
                    &expressions::WRONG_WHEN,
                    self.tree.place,
                    "`when` must be true or false, this expression gives something else",
                )
                .help("compare it: {{ eq … }}, {{ ne … }}, {{ gt … }}"),
            ],
        }
    }

    /// Every name in it.
    pub fn references(&self) -> Vec<Reference> {
        self.tree.references()
    }

    /// The condition as an expression.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        self.tree.place
    }

    fn reason(&self, scope: &Scope<'_>) -> String {
        let source = match &self.tree.kind {
            Kind::Template(template) => template.source.trim_matches(['{', '}', ' ']).to_owned(),
            Kind::Literal(value) => return value.to_record().to_string(),
            Kind::Broken | Kind::List(_) | Kind::Map(_) => String::new(),
        };
        let mut values: Vec<String> = Vec::new();
        for reference in self.references() {
            let name = reference.target.to_string();
            let value = reference.target.evaluate(scope, reference.place);
            let shown =
                format!("{name} = {}", value.map_or_else(|_| "nothing".to_owned(), |v| v.to_record().to_string()));
            if !values.contains(&shown) {
                values.push(shown);
            }
        }
        if values.is_empty() { source } else { format!("{source} ({})", values.join(", ")) }
    }
}

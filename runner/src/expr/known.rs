//! What is known of an expression before the run: its value if only known params are in it, else its type.
//! Knows nothing of steps but the types that are handed in.

use hprun_steps::partial::{Partial, Place, ValueType};
use hprun_steps::value::Value;
use indexmap::IndexMap;

use super::eval::{RunFacts, Scope};
use super::parse::{Body, Expr, Part, Template};
use super::target::{Reference, RunFact, Target};
use super::{ExprError, Kind, Tree};

/// What the names in expressions mean before the run.
#[derive(Clone, Copy)]
pub struct KnownScope<'a> {
    /// The params whose values are known.
    pub params: &'a IndexMap<String, Value>,
    /// The type of any param.
    pub param_type: &'a dyn Fn(&str) -> ValueType,
    /// The type of an output: step, then name.
    pub output_type: &'a dyn Fn(&str, &str) -> ValueType,
}

impl Tree {
    /// The tree as far as it is known. What goes wrong in it is in [`Tree::problems`].
    pub fn partial(&self, scope: &KnownScope<'_>) -> Partial {
        match &self.kind {
            Kind::Literal(value) => at(value, self.place),
            Kind::Broken => Partial::Unknown(ValueType::Any, self.place),
            Kind::Template(template) => match template.known(scope, self.place) {
                Some(Ok(value)) => at(&value, self.place),
                Some(Err(_)) | None => Partial::Unknown(template.value_type(scope), self.place),
            },
            Kind::List(items) => Partial::List(items.iter().map(|item| item.partial(scope)).collect(), self.place),
            Kind::Map(entries) => Partial::Map(
                entries.iter().map(|(key, (place, tree))| (key.clone(), (*place, tree.partial(scope)))).collect(),
                self.place,
            ),
        }
    }

    /// What surely goes wrong: in expressions over known params, and with lists and maps inside of texts.
    pub fn problems(&self, scope: &KnownScope<'_>) -> Vec<ExprError> {
        match &self.kind {
            Kind::Literal(_) | Kind::Broken => Vec::new(),
            Kind::Template(template) => match template.known(scope, self.place) {
                Some(outcome) => outcome.err().into_iter().collect(),
                None => template.misplaced(scope),
            },
            Kind::List(items) => items.iter().flat_map(|item| item.problems(scope)).collect(),
            Kind::Map(entries) => entries.values().flat_map(|(_, tree)| tree.problems(scope)).collect(),
        }
    }
}

impl Template {
    /// The value (or why there is none) if every name in it is a known param.
    pub(super) fn known(&self, scope: &KnownScope<'_>, place: Place) -> Option<Result<Value, ExprError>> {
        let mut references = Vec::new();
        self.collect(&mut references);
        let is_known = |reference: &Reference| match &reference.target {
            Target::Param { name, .. } => scope.params.contains_key(name),
            Target::Output { .. } | Target::Status { .. } | Target::Run(_) => false,
        };
        references.iter().all(is_known).then(|| {
            let run = RunFacts::default();
            self.evaluate(&Scope { params: scope.params, steps: &|_| None, run: &run }, place)
        })
    }

    /// Lists and maps that stand inside a longer text.
    fn misplaced(&self, scope: &KnownScope<'_>) -> Vec<ExprError> {
        match &self.body {
            Body::Whole(_) => Vec::new(),
            Body::Text(parts) => parts.iter().flat_map(|part| part.misplaced(scope)).collect(),
        }
    }

    pub(super) fn value_type(&self, scope: &KnownScope<'_>) -> ValueType {
        match &self.body {
            Body::Whole(expr) => expr.value_type(scope),
            Body::Text(parts) if has_secret(parts, scope) => ValueType::Secret,
            Body::Text(_) => ValueType::String,
        }
    }
}

impl Part {
    fn misplaced(&self, scope: &KnownScope<'_>) -> Vec<ExprError> {
        match self {
            Self::Text(_) => Vec::new(),
            Self::Value(expr) => {
                let kind = match expr.value_type(scope) {
                    ValueType::List => "list",
                    ValueType::Map => "map",
                    ValueType::Any
                    | ValueType::Boolean
                    | ValueType::Integer
                    | ValueType::Number
                    | ValueType::String
                    | ValueType::Secret => return Vec::new(),
                };
                expr.place().map(|place| super::helpers::not_in_text(kind, place)).into_iter().collect()
            }
            Self::If { then, otherwise, .. } => {
                then.iter().chain(otherwise).flat_map(|part| part.misplaced(scope)).collect()
            }
        }
    }
}

impl Expr {
    fn value_type(&self, scope: &KnownScope<'_>) -> ValueType {
        match self {
            Self::Literal(value) => Partial::Known(value.clone(), Place::default()).value_type(),
            Self::Name(Target::Param { name, rest }, _) if rest.is_empty() => (scope.param_type)(name),
            Self::Name(Target::Output { step, name, rest }, _) if rest.is_empty() => (scope.output_type)(step, name),
            Self::Name(Target::Param { .. } | Target::Output { .. }, _) => ValueType::Any,
            Self::Name(Target::Status { .. }, _) => ValueType::String,
            Self::Name(Target::Run(RunFact::Sandbox), _) => ValueType::Boolean,
            Self::Name(Target::Run(_), _) => ValueType::String,
            Self::Call(helper, args, _) => match helper.value_type() {
                // Text made of a secret is one; `default` gives one of its arguments.
                ValueType::String if args.iter().any(|arg| arg.value_type(scope) == ValueType::Secret) => {
                    ValueType::Secret
                }
                ValueType::Any => self.common_type(args, scope),
                other => other,
            },
        }
    }

    /// The type that all the arguments of `default` share; the word for "any" where they differ.
    fn common_type(&self, args: &[Self], scope: &KnownScope<'_>) -> ValueType {
        if !matches!(self, Self::Call(super::helpers::Helper::Default, ..)) {
            return ValueType::Any;
        }
        let mut types = args.iter().map(|arg| arg.value_type(scope));
        let first = types.next().unwrap_or(ValueType::Any);
        if types.all(|of| of == first) { first } else { ValueType::Any }
    }
}

fn has_secret(parts: &[Part], scope: &KnownScope<'_>) -> bool {
    parts.iter().any(|part| match part {
        Part::Text(_) => false,
        Part::Value(expr) => expr.value_type(scope) == ValueType::Secret,
        Part::If { then, otherwise, .. } => has_secret(then, scope) || has_secret(otherwise, scope),
    })
}

/// The value with every leaf at this one place.
fn at(value: &Value, place: Place) -> Partial {
    match value {
        Value::List(items) => Partial::List(items.iter().map(|item| at(item, place)).collect(), place),
        Value::Map(entries) => {
            Partial::Map(entries.iter().map(|(key, value)| (key.clone(), (place, at(value, place)))).collect(), place)
        }
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) | Value::Secret(_) => {
            Partial::Known(value.clone(), place)
        }
    }
}

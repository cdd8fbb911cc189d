//! What is known of an expression before the run: its value if only known params are in it, else its type.
//! Knows nothing of steps but the types that are handed in.

use hprun_steps::partial::{Hole, Partial, Piece, Place, Text, ValueType};
use hprun_steps::step::DeclaredOutputs;
use hprun_steps::value::Value;
use indexmap::IndexMap;

use super::eval::{RunFacts, Scope, StepView};
use super::parse::{Body, Expr, Part, Template};
use super::target::{Reference, RunFact, Target};
use super::{ExprError, Kind, Tree};
use crate::codes::expressions;

/// What the names in expressions mean before the run.
#[derive(Clone, Copy)]
pub struct KnownScope<'a> {
    /// The params whose values are known.
    pub params: &'a IndexMap<String, Value>,
    /// The type of any param.
    pub param_type: &'a dyn Fn(&str) -> ValueType,
    /// What is known of a step's outputs, by its id.
    pub outputs: &'a dyn Fn(&str) -> Option<&'a Foreseen>,
}

/// The outputs of a step, as far as they are known before the run.
#[derive(Clone, Debug, Default)]
pub struct Foreseen {
    values: IndexMap<String, Partial>,
    /// Those that are known whole, by name.
    record: serde_json::Value,
}

impl Foreseen {
    /// The outputs of the step `id`: those it declares, each with what is foreseen of it.
    pub fn new(id: &str, declared: &DeclaredOutputs, mut foreseen: IndexMap<String, Partial>) -> Self {
        let nowhere = Place::default();
        let unknown = |name: &str, of: ValueType| Partial::Unknown(Hole::from(of, source(id, name)), nowhere);
        let values: IndexMap<String, Partial> = declared
            .iter()
            .map(|(name, output)| {
                // A text of which nothing is known is still the same text wherever it is named.
                let value = match foreseen.swap_remove(name) {
                    Some(Partial::Unknown(hole, _)) if hole.text.is_unknown() => unknown(name, hole.of),
                    Some(value) => value,
                    None => unknown(name, output.value_type),
                };
                (name.clone(), value)
            })
            .collect();
        let known = values.iter().filter_map(|(name, value)| Some((name.clone(), value.known()?.to_record())));
        Self { record: serde_json::Value::Object(known.collect()), values }
    }

    /// What is known of the output `name`.
    pub fn get(&self, name: &str) -> Option<&Partial> {
        self.values.get(name)
    }

    /// The same outputs of the step `id` while nothing of them is known but their types.
    pub fn hidden(&self, id: &str) -> Self {
        let hide = |name: &str, value: &Partial| {
            Partial::Unknown(Hole::from(value.value_type(), source(id, name)), value.place())
        };
        let values = self.values.iter().map(|(name, value)| (name.clone(), hide(name, value))).collect();
        Self { values, record: serde_json::Value::Object(serde_json::Map::new()) }
    }

    fn has_known(&self, name: &str) -> bool {
        self.record.get(name).is_some()
    }
}

/// What an output is called where its value is not known.
fn source(step: &str, name: &str) -> String {
    format!("steps.{step}.outputs.{name}")
}

impl Tree {
    /// The tree as far as it is known. What goes wrong in it is in [`Tree::problems`].
    pub fn partial(&self, scope: &KnownScope<'_>) -> Partial {
        match &self.kind {
            Kind::Literal(value) => at(value, self.place),
            Kind::Broken => Partial::Unknown(Hole::of(ValueType::Any), self.place),
            Kind::Template(template) => match template.known(scope, self.place) {
                Some(Ok(value)) => at(&value, self.place),
                Some(Err(_)) | None => template.unknown(scope, self.place),
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
            Target::Output { step, name, .. } => (scope.outputs)(step).is_some_and(|outputs| outputs.has_known(name)),
            Target::Status { .. } | Target::Run(_) => false,
        };
        references.iter().all(is_known).then(|| {
            let run = RunFacts::default();
            let view = |step: &str| {
                let outputs = (scope.outputs)(step)?;
                Some(StepView { outputs: Some(&outputs.record), status: "succeeded" })
            };
            self.evaluate(&Scope { params: scope.params, steps: &view, run: &run }, place)
        })
    }

    /// What is known of a value that is not known whole.
    fn unknown(&self, scope: &KnownScope<'_>, place: Place) -> Partial {
        let of = self.value_type(scope);
        match &self.body {
            Body::Whole(Expr::Name(Target::Output { step, name, rest }, _)) if rest.is_empty() => {
                match (scope.outputs)(step).and_then(|outputs| outputs.get(name)) {
                    Some(value) => value.at(place),
                    None => Partial::Unknown(Hole::from(of, source(step, name)), place),
                }
            }
            Body::Whole(_) => Partial::Unknown(Hole::from(of, self.inner()), place),
            Body::Text(parts) => Partial::Unknown(Hole { of, text: text_of(parts, scope) }, place),
        }
    }

    /// The expression without its braces.
    fn inner(&self) -> &str {
        self.source.trim_matches(['{', '}', '~', ' '])
    }

    /// Lists and maps that stand inside a longer text.
    fn misplaced(&self, scope: &KnownScope<'_>) -> Vec<ExprError> {
        match &self.body {
            Body::Whole(expr) => expr.misused(scope),
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
            Self::Value(expr) if !expr.misused(scope).is_empty() => expr.misused(scope),
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
            Self::If { test, .. } if !test.misused(scope).is_empty() => test.misused(scope),
            Self::If { test, .. } if test.value_type(scope) == ValueType::Secret => {
                let message = "`if` cannot look at a secret";
                test.place()
                    .map(|place| ExprError::new(&expressions::SECRET_COMPARED, place, message))
                    .into_iter()
                    .collect()
            }
            Self::If { then, otherwise, .. } => {
                then.iter().chain(otherwise).flat_map(|part| part.misplaced(scope)).collect()
            }
        }
    }
}

impl Expr {
    pub(super) fn value_type(&self, scope: &KnownScope<'_>) -> ValueType {
        match self {
            Self::Literal(value) => Partial::Known(value.clone(), Place::default()).value_type(),
            Self::Name(Target::Param { name, rest }, _) if rest.is_empty() => (scope.param_type)(name),
            Self::Name(Target::Output { step, name, rest }, _) if rest.is_empty() => {
                let output = (scope.outputs)(step).and_then(|outputs| outputs.get(name));
                output.map_or(ValueType::Any, Partial::value_type)
            }
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

    /// A helper that would tell something of a secret by what it gives, or that takes no values of these types.
    fn misused(&self, scope: &KnownScope<'_>) -> Vec<ExprError> {
        let Self::Call(helper, args, place) = self else { return Vec::new() };
        let types: Vec<ValueType> = args.iter().map(|arg| arg.value_type(scope)).collect();
        if !helper.makes_text() && types.contains(&ValueType::Secret) {
            return vec![super::helpers::secret_seen(*helper, None, *place)];
        }
        let deeper: Vec<ExprError> = args.iter().flat_map(|arg| arg.misused(scope)).collect();
        if deeper.is_empty() { helper.refuses(&types, *place).into_iter().collect() } else { deeper }
    }

    /// Its text inside a longer one.
    fn text(&self, scope: &KnownScope<'_>) -> Text {
        let of = |value: &Value| match value {
            Value::String(text) => Text::known(text.clone()),
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) => Text::known(value.to_record().to_string()),
            Value::Null | Value::List(_) | Value::Map(_) | Value::Secret(_) => Text::default(),
        };
        match self {
            Self::Literal(value) => of(value),
            Self::Name(Target::Param { name, rest }, _) if rest.is_empty() && scope.params.contains_key(name) => {
                of(&scope.params[name])
            }
            Self::Name(Target::Output { step, name, rest }, _) if rest.is_empty() => {
                match (scope.outputs)(step).and_then(|outputs| outputs.get(name)) {
                    Some(Partial::Known(value, _)) => of(value),
                    Some(value) => value.text().unwrap_or_default(),
                    None => Text(vec![Piece::From(source(step, name))]),
                }
            }
            Self::Name(target, _) => Text(vec![Piece::From(target.to_string())]),
            Self::Call(..) => Text::default(),
        }
    }

    /// The type that all the arguments of `default` share; the word for "any" where they differ. What may be a secret is one.
    fn common_type(&self, args: &[Self], scope: &KnownScope<'_>) -> ValueType {
        if !matches!(self, Self::Call(super::helpers::Helper::Default, ..)) {
            return ValueType::Any;
        }
        let types: Vec<ValueType> = args.iter().map(|arg| arg.value_type(scope)).collect();
        match types.as_slice() {
            all if all.contains(&ValueType::Secret) => ValueType::Secret,
            [first, others @ ..] if others.iter().all(|of| of == first) => *first,
            _ => ValueType::Any,
        }
    }
}

fn has_secret(parts: &[Part], scope: &KnownScope<'_>) -> bool {
    parts.iter().any(|part| match part {
        Part::Text(_) => false,
        Part::Value(expr) => expr.value_type(scope) == ValueType::Secret,
        Part::If { then, otherwise, .. } => has_secret(then, scope) || has_secret(otherwise, scope),
    })
}

/// The text of these parts, as far as it is known; nothing of it where a condition decides.
fn text_of(parts: &[Part], scope: &KnownScope<'_>) -> Text {
    let mut text = Text::known("");
    for part in parts {
        text = text.then(match part {
            Part::Text(plain) => Text::known(plain.clone()),
            Part::Value(expr) => expr.text(scope),
            Part::If { .. } => Text::default(),
        });
    }
    // The empty beginning is a piece of its own where an expression stands first.
    Text(text.0.into_iter().filter(|piece| !matches!(piece, Piece::Known(known) if known.is_empty())).collect())
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

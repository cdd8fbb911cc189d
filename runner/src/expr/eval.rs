//! The value of an expression, given what its names mean.
//! Knows nothing of the file; never guesses: a name without a value is an error that only `default` forgives.

use hprun_steps::partial::{Place, nearest};
use hprun_steps::value::Value;
use indexmap::IndexMap;

use super::ExprError;
use super::helpers::{Helper, Text, descend, is_truthy};
use super::parse::{Body, Expr, Part, Template};
use super::target::{RunFact, Target};
use crate::codes::expressions;

/// What the names in expressions mean.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The params' values.
    pub params: &'a IndexMap<String, Value>,
    /// What is recorded of a step, by its id.
    pub steps: &'a dyn Fn(&str) -> Option<StepView<'a>>,
    /// `run.*`
    pub run: &'a RunFacts,
}

/// What expressions see of a step.
#[derive(Clone, Copy, Debug)]
pub struct StepView<'a> {
    /// What it handed on, if it succeeded.
    pub outputs: Option<&'a serde_json::Value>,
    /// The word for how it stands, such as `succeeded` or `skipped`.
    pub status: &'a str,
}

/// Facts about the run, as `run.id` and so on give them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFacts {
    /// The run.
    pub id: String,
    /// AWS account, twelve digits.
    pub account: String,
    /// AWS region.
    pub region: String,
    /// AWS partition: `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// Whether the run is in a sandbox.
    pub sandbox: bool,
}

impl Template {
    pub(super) fn evaluate(&self, scope: &Scope<'_>, place: Place) -> Result<Value, ExprError> {
        match &self.body {
            Body::Whole(expr) => expr.evaluate(scope),
            Body::Text(parts) => {
                let mut text = Text::default();
                append(parts, scope, place, &mut text)?;
                Ok(text.finish())
            }
        }
    }
}

fn append(parts: &[Part], scope: &Scope<'_>, place: Place, text: &mut Text) -> Result<(), ExprError> {
    for part in parts {
        match part {
            Part::Text(plain) => text.push(&Value::from(plain.as_str()), place)?,
            Part::Value(expr) => text.push(&expr.evaluate(scope)?, expr.place().unwrap_or(place))?,
            Part::If { test, negated, then, otherwise } => {
                let value = test.evaluate(scope)?;
                let place = test.place().unwrap_or(place);
                if let Value::Secret(secret) = &value {
                    let message = format!("`if` cannot look at the secret `{}`", secret.name());
                    return Err(ExprError::new(&expressions::SECRET_COMPARED, place, message));
                }
                append(if is_truthy(&value) == *negated { otherwise } else { then }, scope, place, text)?;
            }
        }
    }
    Ok(())
}

impl Expr {
    pub(super) fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, ExprError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Name(target, place) => target.evaluate(scope, *place),
            Self::Call(Helper::Default, args, place) => first_with_value(args, scope, *place),
            Self::Call(helper, args, place) => {
                let args = args.iter().map(|arg| arg.evaluate(scope)).collect::<Result<Vec<_>, _>>()?;
                helper.call(&args, *place)
            }
        }
    }

    pub(super) fn place(&self) -> Option<Place> {
        match self {
            Self::Literal(_) => None,
            Self::Name(_, place) | Self::Call(_, _, place) => Some(*place),
        }
    }
}

/// The first argument that has a value other than null; if none has, what is wrong with the last.
fn first_with_value(args: &[Expr], scope: &Scope<'_>, place: Place) -> Result<Value, ExprError> {
    let mut last = Err(ExprError::missing(place, "`default` has no value to fall back to"));
    for arg in args {
        match arg.evaluate(scope) {
            Ok(Value::Null) => last = Ok(Value::Null),
            Err(e) if e.missing => last = Err(e),
            other => return other,
        }
    }
    last
}

impl Target {
    pub(super) fn evaluate(&self, scope: &Scope<'_>, place: Place) -> Result<Value, ExprError> {
        match self {
            Self::Param { name, rest } => {
                let value = scope
                    .params
                    .get(name)
                    .ok_or_else(|| ExprError::missing(place, format!("the param `{name}` has no value")))?;
                let mut value = value;
                for key in rest {
                    value = descend(value, key).ok_or_else(|| no_part(key, value, &self.to_string(), place))?;
                }
                Ok(value.clone())
            }
            Self::Output { step, name, rest } => {
                let view = (scope.steps)(step)
                    .ok_or_else(|| ExprError::missing(place, format!("the step `{step}` has not run")))?;
                let outputs = view.outputs.ok_or_else(|| {
                    ExprError::missing(place, format!("the step `{step}` has no outputs: it is {}", view.status))
                })?;
                let mut value = outputs.get(name).ok_or_else(|| no_output(step, name, outputs, place))?;
                for key in rest {
                    value = part_of(value, key)
                        .ok_or_else(|| no_part(key, &Value::from_json(value), &self.to_string(), place))?;
                }
                Ok(Value::from_json(value))
            }
            Self::Status { step } => (scope.steps)(step)
                .map(|view| Value::from(view.status))
                .ok_or_else(|| ExprError::missing(place, format!("nothing is known of the step `{step}`"))),
            Self::Run(fact) => Ok(scope.run.get(*fact)),
        }
    }
}

fn part_of<'a>(value: &'a serde_json::Value, key: &str) -> Option<&'a serde_json::Value> {
    match value {
        serde_json::Value::Object(map) => map.get(key),
        serde_json::Value::Array(items) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
        _ => None,
    }
}

fn no_output(step: &str, name: &str, outputs: &serde_json::Value, place: Place) -> ExprError {
    let names = || outputs.as_object().into_iter().flat_map(|map| map.keys().map(String::as_str));
    ExprError::missing(place, format!("the step `{step}` handed on no `{name}`"))
        .maybe_help(nearest(name, names()).map(|right| format!("did you mean `{right}`?")))
}

fn no_part(key: &str, value: &Value, path: &str, place: Place) -> ExprError {
    let near = match value {
        Value::Map(entries) => nearest(key, entries.keys().map(String::as_str)),
        Value::Null
        | Value::Bool(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::List(_)
        | Value::Secret(_) => None,
    };
    let message = match value {
        Value::List(items) => format!("`{path}`: there is no item `{key}` in a list of {}", items.len()),
        Value::Map(_) => format!("`{path}`: there is no `{key}` in the map"),
        Value::Null => format!("`{path}`: this is null, it has no `{key}`"),
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) | Value::Secret(_) => {
            return ExprError::new(
                &expressions::WRONG_EXPRESSION,
                place,
                format!("`{path}`: this is {}, it has no `{key}`", crate::document::a(value.kind())),
            );
        }
    };
    ExprError::missing(place, message).maybe_help(near.map(|right| format!("did you mean `{right}`?")))
}

impl RunFacts {
    fn get(&self, fact: RunFact) -> Value {
        match fact {
            RunFact::Id => Value::from(self.id.as_str()),
            RunFact::Account => Value::from(self.account.as_str()),
            RunFact::Region => Value::from(self.region.as_str()),
            RunFact::Partition => Value::from(self.partition.as_str()),
            RunFact::Sandbox => Value::Bool(self.sandbox),
        }
    }
}

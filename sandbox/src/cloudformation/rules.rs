//! The functions that only rules have: `Fn::Contains`, `Fn::EachMemberEquals`, `Fn::EachMemberIn`; the others are those of conditions.
//! It must not know stacks or resources: rules see parameters only.

use serde_json::Value;

use super::intrinsics::{Scope, function, unsupported};
use super::parameters::scalar;
use super::text::TemplateError;

/// Evaluates a rule-specific or condition function.
pub fn holds(scope: &Scope<'_>, expression: &Value) -> Result<bool, TemplateError> {
    let wrong = || TemplateError::error("every rule must be a rule-specific intrinsic function");
    let object = expression.as_object().ok_or_else(wrong)?;
    let (name, argument) = function(object)?.ok_or_else(wrong)?;
    let parts =
        || argument.as_array().ok_or_else(|| TemplateError::error(format!("every {name} object requires a list")));
    match name {
        "Fn::Equals" | "Condition" => scope.holds(expression, 0),
        "Fn::Not" => match parts()?.as_slice() {
            [one] => Ok(!holds(scope, one)?),
            _ => Err(TemplateError::error("every Fn::Not object requires one boolean parameter.")),
        },
        "Fn::And" => parts()?.iter().try_fold(true, |all, it| Ok(holds(scope, it)? && all)),
        "Fn::Or" => parts()?.iter().try_fold(false, |any, it| Ok(holds(scope, it)? || any)),
        "Fn::Contains" => match parts()?.as_slice() {
            [list, value] => Ok(texts(scope, list)?.contains(&scope.text(value, "the value of Fn::Contains")?)),
            _ => Err(TemplateError::error("every Fn::Contains object requires a list of strings and a string")),
        },
        "Fn::EachMemberEquals" => match parts()?.as_slice() {
            [list, value] => {
                let value = scope.text(value, "the value of Fn::EachMemberEquals")?;
                Ok(texts(scope, list)?.iter().all(|it| *it == value))
            }
            _ => Err(TemplateError::error("every Fn::EachMemberEquals object requires a list of strings and a string")),
        },
        "Fn::EachMemberIn" => match parts()?.as_slice() {
            [some, all] => {
                let all = texts(scope, all)?;
                Ok(texts(scope, some)?.iter().all(|it| all.contains(it)))
            }
            _ => Err(TemplateError::error("every Fn::EachMemberIn object requires two lists of strings")),
        },
        other => Err(unsupported(other)),
    }
}

fn texts(scope: &Scope<'_>, value: &Value) -> Result<Vec<String>, TemplateError> {
    let items = scope.list(value)?.unwrap_or_default();
    Ok(items.iter().filter_map(scalar).collect())
}

//! The part of the evaluator that gives true or false: conditions and rules.
//! It must not know stacks, services or the clock.

use serde_json::Value;

use super::intrinsics::{Scope, function, undefined_condition, unsupported};
use super::parameters::scalar;
use super::text::TemplateError;

impl Scope<'_> {
    /// Evaluates all conditions of the template into `self.conditions`.
    pub fn evaluate_conditions(&mut self) -> Result<(), TemplateError> {
        let template = self.template;
        for name in template.conditions.keys() {
            let value = self.condition(name, 0)?;
            self.conditions.insert(name.clone(), value);
        }
        Ok(())
    }

    /// Checks the rules of the template; the error lists every assertion that does not hold.
    pub fn check_rules(&self) -> Result<(), TemplateError> {
        let mut failed = Vec::new();
        for (name, rule) in &self.template.rules {
            let applies = match &rule.condition {
                None => true,
                Some(condition) => super::rules::holds(self, condition)?,
            };
            for (assert, description) in rule.assertions.iter().filter(|_| applies) {
                if !super::rules::holds(self, assert)? {
                    failed.push(description.clone().unwrap_or_else(|| format!("assertion of rule {name} failed")));
                }
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        Err(TemplateError::error(format!("Rules evaluation failed: {}", failed.join("; "))))
    }

    fn condition(&self, name: &str, depth: usize) -> Result<bool, TemplateError> {
        if let Some(known) = self.conditions.get(name) {
            return Ok(*known);
        }
        if depth > self.template.conditions.len() {
            return Err(TemplateError::format(format!("Circular dependency between conditions: [{name}]")));
        }
        let expression = self.template.conditions.get(name).ok_or_else(|| undefined_condition(name))?;
        self.holds(expression, depth + 1)
    }

    /// Evaluates a condition function.
    pub fn holds(&self, expression: &Value, depth: usize) -> Result<bool, TemplateError> {
        let object = expression
            .as_object()
            .ok_or_else(|| TemplateError::error("every condition must be a condition function"))?;
        let Some((name, argument)) = function(object)? else {
            return Err(TemplateError::error("every condition must be a condition function"));
        };
        let many = |least: usize, most: usize| -> Result<&Vec<Value>, TemplateError> {
            argument.as_array().filter(|it| (least..=most).contains(&it.len())).ok_or_else(|| wrong_condition(name))
        };
        match name {
            "Condition" => self.condition(argument.as_str().ok_or_else(|| wrong_condition(name))?, depth),
            "Fn::Equals" => {
                let pair = many(2, 2)?;
                Ok(self.comparable(&pair[0])? == self.comparable(&pair[1])?)
            }
            "Fn::Not" => Ok(!self.holds(&many(1, 1)?[0], depth)?),
            "Fn::And" => many(2, 10)?.iter().try_fold(true, |all, it| Ok(self.holds(it, depth)? && all)),
            "Fn::Or" => many(2, 10)?.iter().try_fold(false, |any, it| Ok(self.holds(it, depth)? || any)),
            other => Err(unsupported(other)),
        }
    }

    /// Text, numbers and booleans compare as text; lists and objects as they are.
    fn comparable(&self, value: &Value) -> Result<Value, TemplateError> {
        let resolved = self.resolve(value)?.unwrap_or(Value::Null);
        Ok(scalar(&resolved).map_or(resolved, Value::String))
    }
}

fn wrong_condition(name: &str) -> TemplateError {
    TemplateError::error(match name {
        "Fn::Equals" => "every Fn::Equals object requires a list of 2 string parameters.".to_owned(),
        "Fn::Not" => "every Fn::Not object requires one boolean parameter.".to_owned(),
        "Condition" => "every Condition member must be a string.".to_owned(),
        _ => format!("every {name} object requires a list of at least 2 and at most 10 boolean parameters."),
    })
}

//! The rules of a template: assertions over its parameters that CloudFormation checks before it makes anything.
//! Knows nothing of resources: rules see parameters only.

use super::conditions::Holds;
use super::evaluate::Stack;
use super::{Problem, explain};
use crate::codes::template as codes;

/// Assertions that surely fail.
pub(super) fn check(stack: &Stack<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, rule) in &stack.template.rules {
        if rule.condition.as_ref().map_or(Holds::Yes, |condition| stack.holds(condition)) != Holds::Yes {
            continue;
        }
        for (assertion, words) in &rule.assertions {
            if stack.holds(assertion) != Holds::No {
                continue;
            }
            let words = words.clone().unwrap_or_else(|| "its assertion does not hold".to_owned());
            let problem = Problem::error(
                &codes::FAILED_RULE,
                assertion.place,
                format!("the rule `{name}` refuses these parameters: {words}"),
            );
            let values = explain::values_in(stack, rule.condition.iter().chain([assertion]));
            problems.push(if values.is_empty() { problem } else { problem.help(format!("it is given {values}")) });
        }
    }
    problems
}

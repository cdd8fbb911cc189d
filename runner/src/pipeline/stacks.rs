//! Stacks that steps make and others read: what their readers surely hand on empty.
//! Knows facts only, not the step types that told them.

use std::collections::HashMap;

use hprun_steps::fact::Fact;
use hprun_steps::partial::Text;
use hprun_steps::value::Value;

use crate::document::fields::list;

/// The outputs of the stacks that steps make, by the name of the stack; none where nobody can tell all of them.
#[derive(Default)]
pub(super) struct Stacks(HashMap<Text, Option<Vec<String>>>);

/// An output that a step hands on empty.
pub(super) struct Empty {
    /// The step, and its output.
    pub(super) step: String,
    pub(super) output: String,
    /// Why.
    pub(super) reason: String,
}

impl Stacks {
    /// Takes on the stack that a step makes, if it surely does.
    pub(super) fn note(&mut self, facts: &[Fact], sure: bool) {
        for fact in facts {
            let Fact::Makes { stack, outputs, .. } = fact else { continue };
            if stack.is_unknown() {
                continue;
            }
            // Of two that make it, one may come after the reader.
            let first = !self.0.contains_key(stack);
            self.0.insert(stack.clone(), (sure && first).then(|| outputs.clone()));
        }
    }

    /// What the step `id` hands on although its stack will have nothing for it, and what it hands on then.
    pub(super) fn empty(&self, id: &str, facts: &[Fact]) -> Vec<(Empty, Value)> {
        let mut all = Vec::new();
        for fact in facts {
            let Fact::NeedsOutputs { stack, otherwise, .. } = fact else { continue };
            let Some(Some(outputs)) = self.0.get(stack) else { continue };
            for (output, keys, value) in
                otherwise.iter().filter(|(_, keys, _)| !keys.iter().any(|k| outputs.contains(k)))
            {
                let keys = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" or ");
                let reason =
                    format!("`{id}` hands on nothing: its stack will have no {keys} (it has {})", list(outputs));
                all.push((Empty { step: id.to_owned(), output: output.clone(), reason }, value.clone()));
            }
        }
        all
    }
}

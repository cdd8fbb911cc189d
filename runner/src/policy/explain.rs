//! What of a pipeline needs which action, on what: the policy before it is made short.
//! Knows no terminal but its width, and no step type.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::Policy;

/// One action of a step on what the same resources of its template need it on.
#[derive(Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Id of the step.
    pub step: &'a str,
    /// As in `s3:GetObject`.
    pub action: &'a str,
    /// ARNs, with `*` for what is not known.
    pub resources: BTreeSet<&'a str>,
    /// The resources of the step's template that need it on all of these, by logical id; none where the step itself calls it.
    pub needed_by: BTreeSet<&'a str>,
}

impl Policy {
    /// In the order of the steps; each ARN once for an action of a step.
    pub fn rows(&self) -> Vec<Row<'_>> {
        let mut actions: IndexMap<(&str, &str), BTreeMap<&str, BTreeSet<&str>>> = IndexMap::new();
        for of in &self.uses {
            for action in &of.permission.actions {
                let on = actions.entry((&of.step, action)).or_default();
                for resource in &of.permission.resources {
                    on.entry(resource).or_default().extend(of.permission.needed_by.as_deref());
                }
            }
        }
        let mut rows: Vec<Row<'_>> = Vec::new();
        for ((step, action), on) in actions {
            let first = rows.len();
            for (resource, needed_by) in on {
                match rows[first..].iter_mut().find(|row| row.needed_by == needed_by) {
                    Some(row) => _ = row.resources.insert(resource),
                    None => rows.push(Row { step, action, resources: BTreeSet::from([resource]), needed_by }),
                }
            }
        }
        rows
    }

    /// The rows for a person: under each step its actions, each with what of the template needs it, and under them the ARNs.
    /// Lines are broken at `width` where that is possible; an ARN stays whole, so that it can be copied.
    pub fn explained(&self, width: usize) -> String {
        let mut text = String::new();
        let mut step = None;
        for row in self.rows() {
            if step.replace(row.step) != Some(row.step) {
                text.push_str(&format!("{}\n", row.step));
            }
            let mut line = format!("  {}", row.action);
            for (i, name) in row.needed_by.iter().enumerate() {
                let word = if i == 0 { format!(" for {name}") } else { format!(", {name}") };
                if line.chars().count() + word.chars().count() > width.saturating_sub(1) && i > 0 {
                    text.push_str(&format!("{line},\n"));
                    line = format!("      {name}");
                } else {
                    line.push_str(&word);
                }
            }
            text.push_str(&format!("{line}\n"));
            for resource in row.resources {
                text.push_str(&format!("    {resource}\n"));
            }
        }
        text
    }
}

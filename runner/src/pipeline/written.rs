//! Files that steps write and others read: what lies there before the run is of an earlier one.
//! Knows facts only, not the step types that told them.

use std::collections::HashSet;

use hprun_steps::fact::Fact;
use hprun_steps::files::{Files, spelled};
use hprun_steps::partial::Text;

/// The paths that steps are known to write.
#[derive(Default)]
pub(crate) struct Written(HashSet<Text>);

impl Written {
    /// Takes on what a step writes.
    pub(crate) fn note(&mut self, facts: &[Fact]) {
        self.0.extend(facts.iter().filter_map(|fact| {
            let Fact::Writes { path, .. } = fact else { return None };
            path.as_known().map(|_| spelled(path))
        }));
    }

    /// Takes out of a step's files what it will find written anew; whether there was any.
    pub(crate) fn leave_out(&self, facts: &[Fact], files: &mut Files) -> bool {
        let mut found = false;
        for fact in facts {
            let Fact::Reads { path, .. } = fact else { continue };
            if let Some(known) = path.as_known().filter(|_| self.0.contains(&spelled(path))) {
                files.forget(known);
                found = true;
            }
        }
        found
    }
}

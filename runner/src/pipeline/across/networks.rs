//! Subnets and security groups of one set of nodes: whether they belong to one network.
//! Knows which step's outputs they are, not what the steps make.

use hprun_steps::fact::Fact;
use hprun_steps::finding::{At, Finding};
use hprun_steps::partial::{Piece, Text};

use super::Across;
use crate::codes::across;
use crate::expr::Target;

impl Across<'_> {
    /// Subnets and security groups that come from steps which have nothing to do with each other.
    pub(super) fn mixed(&self, ids: &[(Text, At)]) -> Option<Finding> {
        let mut from = ids.iter().filter_map(|(text, at)| Some((source(text)?, at)));
        let (first, _) = from.next()?;
        let origins = self.origins(first);
        // What is made of the same outputs, such as the subnets and the security groups of one VPC, may well go together.
        let is_apart = |id: &str| self.origins(id).iter().all(|origin| !origins.contains(origin));
        let (other, at) = from.find(|(other, _)| *other != first && is_apart(other))?;
        let message = format!("this comes from the step `{other}`, what it goes with from `{first}`");
        let finding = Finding::new(&across::MIXED_MODES, at.clone(), message).as_warning();
        Some(finding.help("a security group works only in the VPC of the subnets: take both from one step"))
    }

    /// The steps whose outputs reach the step `id`, by way of others too, and itself; and the stacks that they read, for one may be
    /// read twice.
    fn origins(&self, id: &str) -> Vec<String> {
        let mut origins = vec![id.to_owned()];
        let mut next = 0;
        while let Some(id) = origins.get(next) {
            next += 1;
            let Some(at) = self.steps.iter().position(|step| step.id.0 == *id) else { continue };
            let stacks = self.facts[at].iter().filter_map(|fact| {
                let Fact::NeedsOutputs { stack, .. } = fact else { return None };
                (!stack.is_unknown()).then(|| format!("stack {stack}"))
            });
            origins.extend(stacks);
            for reference in self.steps[at].with.references() {
                if let Target::Output { step, .. } = reference.target
                    && !origins.contains(&step)
                {
                    origins.push(step);
                }
            }
        }
        origins
    }
}

/// The step whose output it is.
fn source(text: &Text) -> Option<&str> {
    let [Piece::From(source)] = text.0.as_slice() else { return None };
    source.strip_prefix("steps.")?.split('.').next()
}

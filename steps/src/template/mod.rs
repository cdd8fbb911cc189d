//! CloudFormation templates: what can be told of one from its text and the values of its parameters, offline.
//! Knows nothing of AWS, of files and of steps; the schemas of resource properties are left to cfn-lint.
//!
//! [`Template::read`] turns a text into its sections, [`Stack`] is a template with the values of its parameters: it knows which
//! conditions hold, as far as that can be known, and what expressions come to. [`check`] tells what is wrong with it.
//!
//! ```
//! use hprun_steps::template::{Argument, Arguments, Holds, Stack, Template, resource_types};
//!
//! let text = "
//! Parameters: { Mode: { Type: String } }
//! Conditions: { Full: !Equals [!Ref Mode, full] }
//! Resources:
//!   Vpc: { Type: 'AWS::EC2::VPC', Condition: Full, Properties: { CidrBlock: 10.0.0.0/16 } }
//! ";
//! let template = Template::read(text).unwrap();
//! let arguments = Arguments::from_iter([("Mode".to_owned(), Argument::Text("full".to_owned()))]);
//! let stack = Stack::new(&template, arguments);
//! let vpc = &resource_types(&stack)[0];
//! assert_eq!((vpc.id, vpc.kind, vpc.holds), ("Vpc", "AWS::EC2::VPC", Holds::Yes));
//! ```

mod calls;
mod capabilities;
mod check;
mod circles;
mod conditions;
mod evaluate;
mod explain;
mod limits;
mod lookups;
mod macros;
mod network;
pub mod node;
mod parameters;
mod read;
mod references;
mod rules;
mod sections;
mod walk;
mod whole;
mod zones;

pub use capabilities::{Capabilities, needed_capabilities};
pub use check::check;
pub use conditions::Holds;
pub use evaluate::{Argument, Arguments, Resolved, ResourceType, Stack, resource_types};
pub use explain::values;
pub use limits::{LARGEST_BODY, LARGEST_TEMPLATE};
pub use parameters::Parameter;
pub use read::{Condition, Output, Resource, Rule, Template};

use crate::finding::{Code, Severity};
use crate::partial::Place;

/// Something wrong in a template, at a place of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which kind of mistake.
    pub code: &'static Code,
    /// How bad it is.
    pub severity: Severity,
    /// Bytes of the template's text.
    pub place: Place,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Other places of the template that explain it.
    pub related: Vec<(Place, String)>,
}

impl Problem {
    /// An error.
    pub fn error(code: &'static Code, place: Place, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, place, message: message.into(), help: None, related: Vec::new() }
    }

    /// A warning.
    pub fn warning(code: &'static Code, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    /// The same with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with "did you mean" and the nearest of `names`, if one is near.
    #[must_use]
    pub fn nearest<'a>(self, wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        match crate::partial::nearest(wrong, names) {
            Some(right) => self.help(format!("did you mean `{right}`?")),
            None => self,
        }
    }

    /// The same, pointing at one more place.
    #[must_use]
    pub fn related(mut self, place: Place, words: impl Into<String>) -> Self {
        self.related.push((place, words.into()));
        self
    }
}

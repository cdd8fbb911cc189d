//! What the AWS calls of a step need of IAM, as plain data: actions on resources, conditions, and what for.
//! Knows no step, sends nothing, and writes no policy: the runner makes one of what all steps need.

pub mod types;
mod written;

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::files::Files;
use crate::partial::{Partial, Piece, Place, Text};
use crate::value::Value;

pub use written::{WrittenFile, WrittenFiles};

/// Some actions that a step needs on some resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// What it is for, as part of a statement's id: letters and digits, beginning with a capital.
    pub purpose: String,
    /// As in `s3:GetObject`.
    pub actions: BTreeSet<String>,
    /// ARNs with `*` for what is not known; `*` alone for actions that IAM cannot narrow.
    pub resources: BTreeSet<String>,
    /// What must hold besides.
    pub conditions: Vec<Condition>,
    /// The resource of a template that needs it, by its logical id; none for what the step itself calls.
    pub needed_by: Option<String>,
}

/// A condition key that must have one of these values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Condition {
    /// As in `iam:PassedToService`.
    pub key: &'static str,
    /// Any of these will do.
    pub values: Vec<String>,
}

/// All that a step's calls need, and what it tells later steps about the resources that it names.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// The permissions.
    pub permissions: Vec<Permission>,
    /// What of a template needs permissions that are not known here: a person has to add them.
    pub unknown: Vec<Unknown>,
    /// Outputs that name resources, as far as they can be told.
    pub outputs: IndexMap<String, Text>,
    /// The stack that it makes: its name, and its outputs as far as they can be told.
    pub stack: Option<(Text, IndexMap<String, Text>)>,
    /// What the file that it writes holds, with `*` for what is not known.
    pub writes: Option<String>,
}

/// Something of a template whose permissions are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What it is.
    pub what: UnknownKind,
    /// The template, as the step spells it.
    pub path: String,
    /// Where in the template.
    pub place: Place,
}

/// What it is that is not known, and in each case the resource's logical id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownKind {
    /// A resource of a type that the table does not have.
    Type {
        /// Its logical id.
        logical: String,
        /// Its type.
        kind: String,
    },
    /// A module or a nested stack: what its own resources need.
    Inside(String),
    /// A custom resource whose `ServiceToken` is not known.
    Custom(String),
    /// A `{{resolve:…}}` of a service that is none of those whose permissions are known.
    Reference {
        /// The logical id of the resource that has it, or the name of the parameter.
        logical: String,
        /// The service that it names.
        service: String,
    },
}

/// Where a step runs and what the steps before it told. What is not known is `*`.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The step's own files.
    pub files: &'a Files,
    /// As in `aws`.
    pub partition: &'a str,
    /// As in `us-west-2`.
    pub region: &'a str,
    /// Twelve digits.
    pub account: &'a str,
    /// Stacks by name, each with its outputs.
    pub stacks: &'a [(Text, IndexMap<String, Text>)],
    /// Files that earlier steps write.
    pub written: &'a WrittenFiles,
}

impl Surroundings<'_> {
    /// The ARN of a thing of this account and region.
    pub fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{rest}", self.partition, self.region, self.account)
    }

    /// The ARN of a thing of IAM, which knows no regions.
    pub fn iam(&self, rest: &str) -> String {
        format!("arn:{}:iam::{}:{rest}", self.partition, self.account)
    }

    /// The ARN of a bucket or an object.
    pub fn s3(&self, rest: &str) -> String {
        format!("arn:{}:s3:::{rest}", self.partition)
    }
}

impl Permission {
    /// These actions on these resources, whatever the circumstances.
    pub fn new<'a>(
        purpose: &str,
        actions: impl IntoIterator<Item = &'a str>,
        resources: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            purpose: purpose.to_owned(),
            actions: actions.into_iter().map(str::to_owned).collect(),
            resources: resources.into_iter().collect(),
            conditions: Vec::new(),
            needed_by: None,
        }
    }

    /// Actions that IAM cannot narrow to resources.
    pub fn unnarrowed<'a>(purpose: &str, actions: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(purpose, actions, ["*".to_owned()])
    }

    /// To hand roles to a service, under any of the names that it has.
    pub fn pass_role(roles: impl IntoIterator<Item = String>, services: &[&str]) -> Self {
        let purpose = format!("PassRoleTo{}", services.first().map(|service| word_of(service)).unwrap_or_default());
        let values = services.iter().map(|service| (*service).to_owned()).collect();
        Self::new(&purpose, ["iam:PassRole"], roles).only_if("iam:PassedToService", values)
    }

    /// To make a service's own role, on the first use of the service in the account.
    pub fn linked_role(around: &Surroundings<'_>, service: &str, role: &str) -> Self {
        let purpose = format!("LinkedRoleOf{}", word_of(service));
        let resource = around.iam(&format!("role/aws-service-role/{service}/{role}"));
        Self::new(&purpose, ["iam:CreateServiceLinkedRole"], [resource])
            .only_if("iam:AWSServiceName", vec![service.to_owned()])
    }

    /// The same under one more condition.
    #[must_use]
    pub fn only_if(mut self, key: &'static str, values: Vec<String>) -> Self {
        self.conditions.push(Condition { key, values });
        self
    }
}

/// `eks-nodegroup.amazonaws.com` as `EksNodegroup`: IAM takes letters and digits in a statement's id, and nothing else.
fn word_of(service: &str) -> String {
    service.split('.').next().unwrap_or_default().split('-').map(capitalised).collect()
}

/// `eks` as `Eks`.
pub fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Whether the action sets or removes tags of whatever its service has; other actions are each for things of some kinds.
pub fn tags_any_kind(action: &str) -> bool {
    let name = action.split_once(':').map_or(action, |(_, name)| name);
    matches!(
        name,
        "CreateTags" | "DeleteTags" | "TagResource" | "UntagResource" | "AddTagsToResource" | "RemoveTagsFromResource"
    )
}

/// The text as a pattern: `*` for each piece that is not known.
pub fn glob(text: &Text) -> String {
    if text.is_unknown() {
        return "*".to_owned();
    }
    let mut pattern = String::new();
    for piece in &text.0 {
        match piece {
            Piece::Known(known) => pattern.push_str(known),
            Piece::From(_) if pattern.ends_with('*') => {}
            Piece::From(_) => pattern.push('*'),
        }
    }
    pattern
}

/// The pattern that the input `name` spells; `None` when it is not given.
pub fn input(inputs: &Partial, name: &str) -> Option<String> {
    let value = inputs.get(name)?;
    if value.known().is_some_and(|known| matches!(known, Value::Null)) {
        return None;
    }
    Some(value.text().as_ref().map_or_else(|| "*".to_owned(), glob))
}

/// A pattern back as a text: a piece that is not known for each `*`.
pub fn text(pattern: &str) -> Text {
    let mut pieces = Vec::new();
    for (at, known) in pattern.split('*').enumerate() {
        if at > 0 {
            pieces.push(Piece::From("aws".to_owned()));
        }
        if !known.is_empty() {
            pieces.push(Piece::Known(known.to_owned()));
        }
    }
    Text(pieces)
}

/// The value as JSON, with a pattern for what is not known.
pub fn patterns(partial: &Partial) -> serde_json::Value {
    match partial {
        Partial::Known(Value::Secret(_), _) => "*".into(),
        Partial::Known(value, _) => value.to_record(),
        Partial::Unknown(hole, _) => glob(&hole.text).into(),
        Partial::List(items, _) => items.iter().map(patterns).collect(),
        Partial::Map(entries, _) => {
            serde_json::Value::Object(entries.iter().map(|(key, (_, value))| (key.clone(), patterns(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_has_letters_and_digits_only() {
        let files = Files::default();
        let (partition, region, account) = ("aws", "us-west-2", "*");
        let around =
            Surroundings { files: &files, partition, region, account, stacks: &[], written: &WrittenFiles::new() };
        let linked = super::types::all().flat_map(|of| of.linked);
        let linked = linked.map(|(service, role)| Permission::linked_role(&around, service, role));
        let passed = super::types::all().flat_map(|of| of.passes);
        let passed = passed.map(|(_, service)| Permission::pass_role([], &[service]));
        for Permission { purpose, .. } in linked.chain(passed) {
            assert!(purpose.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{purpose}");
        }
    }

    #[test]
    fn what_is_not_known_of_a_text_is_a_star() {
        let hole = || Piece::From("steps.infra.outputs.s3_bucket".to_owned());
        let known = |text: &str| Piece::Known(text.to_owned());
        assert_eq!(glob(&Text::default()), "*");
        assert_eq!(glob(&Text(vec![known("a-"), hole(), hole(), known("-b")])), "a-*-b");
        assert_eq!(glob(&text("a-*-b")), "a-*-b");
    }
}

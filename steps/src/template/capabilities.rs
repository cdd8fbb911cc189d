//! What a template asks the caller to acknowledge: IAM resources, those with names, and macros.
//! Knows nothing of what the caller acknowledges.

use super::read::Template;
use crate::partial::Place;

/// IAM resources that need a capability, with the property that names them (AWS docs, acknowledging IAM resources).
const IAM: [(&str, Option<&str>); 8] = [
    ("AWS::IAM::AccessKey", None),
    ("AWS::IAM::Group", Some("GroupName")),
    ("AWS::IAM::InstanceProfile", Some("InstanceProfileName")),
    ("AWS::IAM::ManagedPolicy", Some("ManagedPolicyName")),
    ("AWS::IAM::Policy", None),
    ("AWS::IAM::Role", Some("RoleName")),
    ("AWS::IAM::User", Some("UserName")),
    ("AWS::IAM::UserToGroupAddition", None),
];

/// What must be acknowledged, with what asks for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Capabilities {
    /// The first IAM resource.
    pub iam: Option<(String, Place)>,
    /// The first IAM resource with a name of its own.
    pub named_iam: Option<(String, Place)>,
    /// Where a macro is called.
    pub macros: Option<Place>,
}

/// What a template asks for. CloudFormation asks the text alone: conditions do not count.
pub fn needed_capabilities(template: &Template) -> Capabilities {
    let mut needed = Capabilities { macros: template.macros, ..Capabilities::default() };
    for (id, resource) in &template.resources {
        let Some((_, name)) = IAM.iter().find(|(kind, _)| *kind == resource.kind.0) else { continue };
        let found = || Some((id.clone(), resource.kind.1));
        needed.iam = needed.iam.or_else(found);
        let named = name.is_some_and(|name| resource.properties.as_ref().is_some_and(|p| p.get(name).is_some()));
        if named {
            needed.named_iam = needed.named_iam.or_else(found);
        }
    }
    needed
}

//! Values of a template as patterns, with `*` for all that only AWS knows: to name the resources that a stack will have.
//! Knows nothing of permissions. It never guesses: what it cannot tell is `*`.

use crate::partial::{Piece, Text};
use crate::permissions::Surroundings;
use crate::template::node::Node;
use crate::template::{Holds, Resolved, Resource, Stack};

/// Most names that may lead to one another: a cycle ends here.
const DEEPEST: usize = 8;
/// So much of the stack's name, or of the logical id, is surely in a name that CloudFormation makes up.
const KEPT: usize = 20;

/// A stack before it is made, with what is known of where it will be.
pub struct Patterns<'a> {
    /// The template with the values of its parameters.
    pub stack: &'a Stack<'a>,
    /// Name of the stack, as a pattern.
    pub name: &'a str,
    /// Where it will be.
    pub around: &'a Surroundings<'a>,
}

impl<'a> Patterns<'a> {
    /// The resources that the stack has, with what cannot be told counting as there.
    pub fn resources(&self) -> impl Iterator<Item = (&'a str, &'a Resource)> {
        let all = self.stack.template.resources.iter();
        all.filter(|(_, it)| self.stack.has(it.condition.as_ref()) != Holds::No).map(|(id, it)| (id.as_str(), it))
    }

    /// The value as one text.
    pub fn text(&self, node: &Node) -> String {
        self.pattern(&self.stack.text(node), 0)
    }

    /// What a property comes to, each item of a list on its own; a dot leads into it (`Code.S3Bucket`).
    pub fn given(&self, resource: &Resource, path: &str) -> Vec<String> {
        self.at(resource, path).into_iter().flat_map(|value| self.items(value)).collect()
    }

    /// Whether the template gives the property; what cannot be told counts as given.
    pub fn has(&self, resource: &Resource, path: &str) -> bool {
        !self.at(resource, path).is_empty()
    }

    fn at(&self, resource: &Resource, path: &str) -> Vec<Resolved> {
        let mut names = path.split('.');
        let property = names.next().and_then(|name| self.property(resource, name));
        let mut found: Vec<Resolved> = property.map(|node| self.stack.resolve(node)).into_iter().collect();
        for name in names {
            found = found.into_iter().flat_map(|value| within(value, name)).collect();
        }
        found.retain(|value| *value != Resolved::Nothing);
        found
    }

    fn items(&self, value: Resolved) -> Vec<String> {
        match value {
            Resolved::List(items) => items.into_iter().map(|item| self.pattern(&item.into_text(), 0)).collect(),
            Resolved::Nothing => Vec::new(),
            other @ (Resolved::Text(_) | Resolved::Map(_) | Resolved::Unknown) => {
                vec![self.pattern(&other.into_text(), 0)]
            }
        }
    }

    /// The names that a resource of this stack may have: its own, or one that CloudFormation makes up, from the stack's but for
    /// two kinds. Parameters are `CFN-ID-…` (their resource handler); of EKS clusters AWS documents nothing, so either way is told.
    pub fn named(&self, logical: &str, resource: &Resource, property: &str) -> Vec<String> {
        let is_given = self.property(resource, property).is_some();
        let id: String = logical.chars().take(KEPT).collect();
        match resource.kind.0.as_str() {
            "AWS::SSM::Parameter" if !is_given => vec![format!("CFN-{id}*")],
            "AWS::EKS::Cluster" if !is_given => vec![self.named_within(resource, property, 0), format!("{id}-*")],
            _ => vec![self.named_within(resource, property, 0)],
        }
    }

    fn named_within(&self, resource: &Resource, property: &str, depth: usize) -> String {
        if let Some(given) = self.property(resource, property) {
            return self.pattern(&self.stack.text(given), depth + 1);
        }
        let kept: String = self.name.chars().take(KEPT).collect();
        let name = if kept.ends_with('*') { kept } else { format!("{kept}*") };
        if property == "BucketName" { name.to_lowercase() } else { name }
    }

    /// The roles that a property gives, by ARN or by name, as ARNs. A name does not tell the path, but for roles of this stack.
    pub fn roles(&self, resource: &Resource, path: &str) -> Vec<String> {
        self.given(resource, path).into_iter().flat_map(|role| self.arns_of_role(role)).collect()
    }

    fn arns_of_role(&self, role: String) -> Vec<String> {
        if role.starts_with("arn:") {
            return vec![role];
        }
        let own = self.resources().filter(|(_, it)| it.kind.0 == "AWS::IAM::Role" && role != "*");
        let own = own.filter(|(_, it)| self.named_within(it, "RoleName", 0) == role);
        let own: Vec<String> = own.map(|(_, it)| self.arn_of_role(it, 0)).collect();
        match own.is_empty() {
            true if role == "*" => vec![self.around.iam("role/*")],
            true => vec![self.around.iam(&format!("role/{role}")), self.around.iam(&format!("role/*/{role}"))],
            false => own,
        }
    }

    fn arn_of_role(&self, role: &Resource, depth: usize) -> String {
        let path = self.property(role, "Path").map(|path| self.pattern(&self.stack.text(path), depth));
        let name = self.named_within(role, "RoleName", depth);
        self.around.iam(&format!("role{}{name}", path.as_deref().unwrap_or("/")))
    }

    /// A property of a resource.
    pub fn property<'n>(&self, resource: &'n Resource, name: &str) -> Option<&'n Node> {
        resource.properties.as_ref()?.get(name)
    }

    fn pattern(&self, text: &Text, depth: usize) -> String {
        if text.is_unknown() || depth > DEEPEST {
            return "*".to_owned();
        }
        let mut pattern = String::new();
        for piece in &text.0 {
            let next = match piece {
                Piece::Known(known) => known.clone(),
                Piece::From(source) => self.source(source, depth + 1),
            };
            let repeated = next == "*" && pattern.ends_with('*');
            pattern.push_str(if repeated { "" } else { &next });
        }
        pattern
    }

    /// What a name of the template gives: where it will be, a resource's name, or an attribute that holds it.
    fn source(&self, source: &str, depth: usize) -> String {
        let around = self.around;
        match source {
            "AWS::Region" => return around.region.to_owned(),
            "AWS::AccountId" => return around.account.to_owned(),
            "AWS::Partition" => return around.partition.to_owned(),
            "AWS::StackName" => return self.name.to_owned(),
            "AWS::StackId" => return around.arn("cloudformation", &format!("stack/{}/*", self.name)),
            "AWS::URLSuffix" if around.partition == "aws" => return "amazonaws.com".to_owned(),
            _ => {}
        }
        let (id, attribute) = source.split_once('.').unwrap_or((source, ""));
        let unknown = "*".to_owned();
        let Some(resource) = self.stack.template.resources.get(id) else { return unknown };
        // The types whose id is their name (AWS resource type reference); the others have ids that are made up.
        let kind = resource.kind.0.as_str();
        let property = match kind {
            "AWS::S3::Bucket" => "BucketName",
            "AWS::IAM::Role" => "RoleName",
            "AWS::EKS::Cluster" | "AWS::SSM::Parameter" if self.property(resource, "Name").is_some() => "Name",
            "AWS::Logs::LogGroup" => "LogGroupName",
            "AWS::Lambda::Function" => "FunctionName",
            _ => return unknown,
        };
        let name = self.named_within(resource, property, depth);
        match (kind, attribute) {
            (_, "") => name,
            ("AWS::IAM::Role", "Arn") => self.arn_of_role(resource, depth),
            ("AWS::S3::Bucket", "Arn") => around.s3(&name),
            ("AWS::EKS::Cluster", "Arn") => around.arn("eks", &format!("cluster/{name}")),
            ("AWS::Lambda::Function", "Arn") => around.arn("lambda", &format!("function:{name}")),
            _ => unknown,
        }
    }
}

/// What a mapping, or each mapping of a list, has under this name.
fn within(value: Resolved, name: &str) -> Vec<Resolved> {
    match value {
        Resolved::Map(entries) => entries.into_iter().filter(|(key, _)| key == name).map(|(_, value)| value).collect(),
        Resolved::List(items) => items.into_iter().flat_map(|item| within(item, name)).collect(),
        Resolved::Nothing => Vec::new(),
        Resolved::Text(_) | Resolved::Unknown => vec![Resolved::Unknown],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Files;
    use crate::template::{Argument, Arguments, Template};

    const TEXT: &str = r#"
Parameters:
  Prefix: { Type: String, Default: hp }
  Mode: { Type: String }
Conditions:
  Full: !Equals [!Ref Mode, full]
Resources:
  Role: { Type: "AWS::IAM::Role", Properties: { RoleName: !Sub "${Prefix}-role-${AWS::Region}", Path: /team/ } }
  Bucket: { Type: "AWS::S3::Bucket", Properties: { BucketName: !Sub "b-${Prefix}-${AWS::AccountId}" } }
  Made: { Type: "AWS::S3::Bucket", Condition: Full }
  Vpc: { Type: "AWS::EC2::VPC" }
Outputs:
  A: { Value: !GetAtt Role.Arn }
  B: { Value: { "Fn::GetAtt": [Bucket, Arn] } }
  C: { Value: !Ref Made }
  D: { Value: !If [Full, !Ref Vpc, mine] }
  E: { Value: !Join ["-", [a, !Ref Prefix, !Ref Vpc]] }
  F: { Value: !Sub ["${Name}/${!x}", { Name: !Ref Bucket }] }
  G: { Value: !Select [0, !GetAZs ""] }
"#;

    fn check(mode: Option<&str>, expected: &[(&str, &str)]) {
        let template = Template::read(TEXT).expect("it is a template");
        let files = Files::default();
        let (partition, region, account) = ("aws", "us-west-2", "*");
        let around = Surroundings {
            files: &files,
            partition,
            region,
            account,
            stacks: &[],
            written: &crate::permissions::WrittenFiles::new(),
        };
        let mode_of = mode.map_or_else(|| Argument::Unknown(Text::default()), |mode| Argument::Text(mode.to_owned()));
        let stack = Stack::new(&template, Arguments::from_iter([("Mode".to_owned(), mode_of)]));
        let patterns = Patterns { stack: &stack, name: "A-stack-with-a-long-name", around: &around };
        for (key, pattern) in expected {
            let value = template.outputs[*key].value.as_ref().expect("an output has a value");
            assert_eq!(patterns.items(stack.resolve(value)).join(" "), *pattern, "{key} in mode {mode:?}");
        }
    }

    #[test]
    fn names_and_arns_are_told_as_far_as_they_are_known() {
        check(
            Some("full"),
            &[
                ("A", "arn:aws:iam::*:role/team/hp-role-us-west-2"),
                ("B", "arn:aws:s3:::b-hp-*"),
                ("C", "a-stack-with-a-long-*"),
                ("D", "*"),
                ("E", "a-hp-*"),
                ("F", "b-hp-*/${x}"),
                ("G", "*"),
            ],
        );
    }

    #[test]
    fn a_condition_decides_where_it_can_be_told() {
        check(Some("other"), &[("D", "mine")]);
        check(None, &[("D", "*")]);
    }
}

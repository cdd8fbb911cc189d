//! What deploy-stack needs of IAM: its own calls, and what CloudFormation asks of the caller for each resource of the template.
//! Knows no policy. With `role-arn` CloudFormation asks that role, and the caller must only be allowed to hand it over.

use indexmap::IndexMap;

use super::patterns::Patterns;
use super::reading::{arguments, template_of};
use super::references::{Reference, in_text, references};
use crate::partial::{Partial, Place, Text};
use crate::permissions::types::{self, TypeNeeds};
use crate::permissions::{Needs, Permission, Surroundings, Unknown, UnknownKind, capitalised, input, text};
use crate::s3_address;
use crate::template::node::{Node, Shape};
use crate::template::{Argument, Holds, LARGEST_BODY, Parameter, Resource, Stack};
use crate::value::Value;

/// The calls that `calls` and `update` make; the tags are those that hprun gives the stack.
const CALLS: [&str; 11] = [
    "cloudformation:CreateStack",
    "cloudformation:DescribeStacks",
    "cloudformation:DescribeStackEvents",
    "cloudformation:CreateChangeSet",
    "cloudformation:DescribeChangeSet",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:TagResource",
    "cloudformation:UntagResource",
];
/// Where the parameters are that AWS gives to everybody.
const PUBLIC: &str = "/aws/service/";
/// What `Fn::GetAZs` asks.
const ZONES: [&str; 3] = ["ec2:DescribeAvailabilityZones", "ec2:DescribeAccountAttributes", "ec2:DescribeSubnets"];

/// All that a step with these inputs needs.
pub fn needs(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
    let stack = input(inputs, "name").unwrap_or_else(|| "*".to_owned());
    let arn = around.arn("cloudformation", &format!("stack/{stack}/*"));
    let mut calls = Permission::new("Stack", CALLS, [arn.clone()]);
    if inputs.get("termination-protection").is_some_and(|it| !matches!(it, Partial::Known(Value::Null, _))) {
        calls.actions.insert("cloudformation:UpdateTerminationProtection".to_owned());
    }
    let mut needs = Needs { permissions: vec![calls], ..Needs::default() };
    let outputs = IndexMap::from([("name".to_owned(), text(&stack)), ("id".to_owned(), text(&arn))]);
    let path = inputs.str_at("template").unwrap_or_default();
    let size = around.files.get(path).map(|file| file.bytes.len()).unwrap_or_default();
    if let Some(bucket) = input(inputs, "template-bucket").filter(|_| size > LARGEST_BODY) {
        let objects = around.s3(&format!("{bucket}/hprun/templates/*"));
        needs.permissions.push(Permission::new("Template", ["s3:PutObject", "s3:GetObject"], [objects]));
    }
    let role = input(inputs, "role-arn");
    if let Some(role) = &role {
        needs.permissions.push(Permission::pass_role([role.clone()], &["cloudformation.amazonaws.com"]));
    }
    let Some(template) = template_of(inputs, around.files) else { return Needs { outputs, ..needs } };
    let mut arguments = arguments(inputs, &template);
    if around.region != "*" {
        arguments.insert("AWS::Region".to_owned(), Argument::Text(around.region.to_owned()));
    }
    let made = Stack::new(&template, arguments);
    let patterns = Patterns { stack: &made, name: &stack, around };
    let told = told(&patterns);
    if role.is_none() {
        let (permissions, unknown) = (Vec::new(), Vec::new());
        let mut asked = Asked { patterns: &patterns, around, path, by: String::new(), permissions, unknown };
        asked.template();
        asked.permissions.sort_by(|one, other| one.purpose.cmp(&other.purpose));
        needs.permissions.extend(asked.permissions);
        needs.unknown = asked.unknown;
    }
    needs.stack = Some((text(&stack), told.clone()));
    needs.outputs = told.into_iter().chain(outputs).collect();
    needs
}

/// The outputs of the stack, as far as they can be told.
fn told(patterns: &Patterns<'_>) -> IndexMap<String, Text> {
    let outputs = patterns.stack.template.outputs.iter();
    let there = outputs.filter(|(_, output)| patterns.stack.has(output.condition.as_ref()) != Holds::No);
    there.filter_map(|(key, output)| Some((key.clone(), text(&patterns.text(output.value.as_ref()?))))).collect()
}

/// What the resources of a template ask for, one by one.
struct Asked<'a> {
    patterns: &'a Patterns<'a>,
    around: &'a Surroundings<'a>,
    path: &'a str,
    /// Whose needs are told.
    by: String,
    permissions: Vec<Permission>,
    unknown: Vec<Unknown>,
}

impl Asked<'_> {
    fn template(&mut self) {
        let patterns = self.patterns;
        for (logical, resource) in patterns.resources() {
            let (name, place) = &resource.kind;
            logical.clone_into(&mut self.by);
            let logical = logical.to_owned();
            match types::find(name) {
                Some(of) => self.resource(of, resource),
                None if name.starts_with("Custom::") || name == "AWS::CloudFormation::CustomResource" => {
                    self.custom(resource);
                }
                None if name.ends_with("::MODULE") => self.unknown(UnknownKind::Inside(logical), *place),
                None => self.unknown(UnknownKind::Type { logical, kind: name.clone() }, *place),
            }
            if name == "AWS::CloudFormation::Stack" {
                self.nested(resource);
            }
            resource.properties.iter().flat_map(references).for_each(|it| self.reference(&it));
        }
        for (name, parameter) in &patterns.stack.template.parameters {
            name.clone_into(&mut self.by);
            if parameter.is_looked_up() {
                self.group("Parameters", &["ssm:GetParameters"], self.looked_up(name, parameter));
            }
            if let Some((default, place)) = &parameter.default {
                in_text(default, *place).iter().for_each(|it| self.reference(it));
            }
        }
    }

    /// What Parameter Store looks up in place of a value that names it. The public parameters of AWS have no account in
    /// their ARNs (Systems Manager user guide); a version or label behind the name is not in an ARN.
    fn looked_up(&self, name: &str, parameter: &Parameter) -> Vec<String> {
        let around = self.around;
        let public = |name: &str| format!("arn:{}:ssm:{}::parameter{name}", around.partition, around.region);
        let given = match self.patterns.stack.arguments.get(name) {
            Some(Argument::Text(text)) => Some(text),
            Some(Argument::Unknown(_)) => None,
            None => parameter.default.as_ref().map(|(text, _)| text),
        };
        match given.map(String::as_str) {
            Some(arn) if arn.starts_with("arn:") => vec![arn.to_owned()],
            Some(name) => {
                let name = name.split(':').next().unwrap_or(name);
                let own = || around.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')));
                vec![if name.starts_with(PUBLIC) { public(name) } else { own() }]
            }
            None => vec![around.arn("ssm", "parameter/*"), public(&format!("{PUBLIC}*"))],
        }
    }

    /// CloudFormation reads the template with the caller's rights; what is in it a person has to look into.
    fn nested(&mut self, resource: &Resource) {
        self.unknown(UnknownKind::Inside(self.by.clone()), resource.kind.1);
        let url = self.patterns.property(resource, "TemplateURL").map(|url| self.patterns.text(url));
        if let Some((bucket, key)) = url.as_deref().and_then(s3_address::parts) {
            let object = self.around.s3(&format!("{bucket}/{key}"));
            self.group("NestedTemplates", &["s3:GetObject"], [object]);
        }
    }

    /// A custom resource is a call of its function, or a message to its topic, with the caller's rights.
    fn custom(&mut self, resource: &Resource) {
        let token = self.patterns.property(resource, "ServiceToken").map(|token| self.patterns.text(token));
        match token {
            Some(token) if token.contains(":lambda:") => self.group("Custom", &["lambda:InvokeFunction"], [token]),
            Some(token) if token.contains(":sns:") => self.group("CustomTopics", &["sns:Publish"], [token]),
            Some(_) | None => self.unknown(UnknownKind::Custom(self.by.clone()), resource.kind.1),
        }
    }

    /// What CloudFormation looks up to put it into a property ("Required permissions" of the user guide's pages on them).
    fn reference(&mut self, of: &Reference) {
        let Reference { service, name, place } = of;
        match service.as_str() {
            "ssm" | "ssm-secure" => {
                let own = || self.around.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')));
                let parameter = if name.starts_with("arn:") { name.clone() } else { own() };
                self.group("References", &["ssm:GetParameters"], [parameter]);
            }
            "secretsmanager" => {
                // The ARN of a secret ends with six characters more than its name.
                let own = || self.around.arn("secretsmanager", &format!("secret:{name}-*"));
                let secret = if name.starts_with("arn:") { name.clone() } else { own() };
                self.group("Secrets", &["secretsmanager:GetSecretValue"], [secret]);
            }
            _ => {
                let (logical, service) = (self.by.clone(), service.clone());
                self.unknown(UnknownKind::Reference { logical, service }, *place);
            }
        }
    }

    fn unknown(&mut self, what: UnknownKind, place: Place) {
        self.unknown.push(Unknown { what, path: self.path.to_owned(), place });
    }

    fn resource(&mut self, of: &'static TypeNeeds, resource: &Resource) {
        let given = |(property, actions): &'static (&'static str, &'static [&'static str])| {
            let actions: &[&str] = if self.patterns.has(resource, property) { actions } else { &[] };
            actions.iter().copied()
        };
        let acts: Vec<&str> = of.acts.iter().copied().chain(of.acts_with.iter().flat_map(given)).collect();
        let looks: Vec<&str> = of.looks.iter().copied().chain(of.looks_with.iter().flat_map(given)).collect();
        self.acts(&acts, of.on, resource);
        for it in of.elsewhere.iter().filter(|it| self.patterns.has(resource, it.with)) {
            self.acts(it.acts, it.on, resource);
        }
        self.look(&looks);
        if resource.properties.as_ref().is_some_and(names_zones) {
            self.look(&ZONES);
        }
        for (property, service) in of.passes {
            let roles = self.patterns.roles(resource, property);
            self.group("Iam", of.role_looks, roles.clone());
            self.add(Permission::pass_role(roles, &[service]));
        }
        for (service, role) in of.linked {
            self.add(Permission::linked_role(self.around, service, role));
        }
    }

    /// Actions of one service, under its name.
    fn acts(&mut self, actions: &[&str], on: &[&str], resource: &Resource) {
        let service = actions.first().and_then(|action| action.split(':').next()).unwrap_or_default();
        let resources: Vec<String> = on.iter().flat_map(|on| self.resources_of(on, resource)).collect();
        self.group(&capitalised(service), actions, resources);
    }

    fn look(&mut self, actions: &[&str]) {
        self.group("Look", actions, ["*".to_owned()]);
    }

    fn group(&mut self, purpose: &str, actions: &[&str], resources: impl IntoIterator<Item = String>) {
        self.add(Permission::new(purpose, actions.iter().copied(), resources));
    }

    fn add(&mut self, more: Permission) {
        // A property that is not given names nothing.
        if !more.actions.is_empty() && !more.resources.is_empty() {
            self.permissions.push(Permission { needed_by: Some(self.by.clone()), ..more });
        }
    }

    /// `SERVICE:REST` with properties in braces as ARNs. A property that the template does not give leaves none, but for
    /// names, which CloudFormation makes up then.
    fn resources_of(&self, on: &str, resource: &Resource) -> Vec<String> {
        let (service, rest) = on.split_once(':').unwrap_or((on, "*"));
        if service == "role" {
            return self.patterns.roles(resource, rest);
        }
        let mut all = vec![String::new()];
        let mut rest = rest;
        while let Some((before, after)) = rest.split_once('{') {
            let (hole, behind) = after.split_once('}').unwrap_or((after, ""));
            // `parameter/` and `/a/b` have one slash between them; `log-group:` and `/a/b` have none.
            let joined = |all: &str, value: &String| match before.strip_suffix('/') {
                _ if value.starts_with("arn:") => value.clone(),
                Some(start) if value.starts_with('/') && service != "s3" => format!("{all}{start}{value}"),
                Some(_) | None => format!("{all}{before}{value}"),
            };
            let values = self.values(hole, resource);
            all = all.iter().flat_map(|it| values.iter().map(move |value| joined(it, value))).collect();
            rest = behind;
        }
        let arn = |rest: String| match service {
            _ if rest.starts_with("arn:") => rest,
            "iam" => self.around.iam(&rest),
            "s3" => self.around.s3(&rest),
            service => self.around.arn(service, &rest),
        };
        all.iter().map(|it| arn(format!("{it}{rest}"))).collect()
    }

    fn values(&self, hole: &str, resource: &Resource) -> Vec<String> {
        match hole.split_once(':') {
            Some(("name", property)) => self.patterns.named(&self.by, resource, property),
            Some(("path", property)) => {
                let given = self.patterns.property(resource, property);
                vec![given.map_or_else(|| "/".to_owned(), |path| self.patterns.text(path))]
            }
            Some(("key", property)) => self.patterns.given(resource, property).iter().map(|key| of_key(key)).collect(),
            Some(_) | None if hole == "stack" => vec![self.patterns.name.to_owned()],
            Some(_) | None => self.patterns.given(resource, hole),
        }
    }
}

/// A key by its ARN or id. An alias does not tell the key, whose ARN is what a policy has to name (KMS developer guide, "Specifying
/// KMS keys in IAM policy statements").
fn of_key(key: &str) -> String {
    match key {
        _ if key.starts_with("arn:") && key.contains(":key/") => key.to_owned(),
        _ if key.contains(['/', ':']) => "key/*".to_owned(),
        _ => format!("key/{key}"),
    }
}

/// Whether the zones of the region stand somewhere in this.
fn names_zones(node: &Node) -> bool {
    match &node.shape {
        Shape::Null | Shape::Scalar(_) => false,
        Shape::List(items) => items.iter().any(names_zones),
        Shape::Map(entries) => entries.iter().any(|(key, _, item)| key == "Fn::GetAZs" || names_zones(item)),
    }
}

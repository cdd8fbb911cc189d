//! What hprun must know of a template before it is sent: its parameters, and how many resources it will make.
//! Knows nothing of AWS. The deep checks of a template (references, properties) are not made here.

use indexmap::IndexMap;

use super::conditions;
use super::node::{Node, Shape};
use crate::partial::Place;

/// Largest body that CreateStack and CreateChangeSet take, in bytes (AWS API reference, `TemplateBody`).
pub const LARGEST_BODY: usize = 51_200;
/// Largest template that CloudFormation reads from S3, in bytes (CloudFormation quotas).
pub const LARGEST_TEMPLATE: usize = 1_048_576;

/// A template, as far as hprun looks into it.
#[derive(Clone, Debug)]
pub struct Template {
    /// Its parameters, by name.
    pub parameters: IndexMap<String, Parameter>,
    tree: Node,
}

/// A parameter that a template declares.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its value when none is given.
    pub default: Option<String>,
    /// The values it may have; empty: any.
    pub allowed: Vec<String>,
    /// A regular expression that the whole value must match.
    pub pattern: Option<String>,
    /// Whether CloudFormation keeps it from sight.
    pub no_echo: bool,
    /// Whether it is a list.
    pub list: bool,
}

impl Template {
    /// Reads a template. The error says what is wrong with it as a whole, and where.
    pub fn read(text: &str) -> Result<Self, (String, Place)> {
        let tree = Node::read(text).map_err(|(e, place)| (format!("the template cannot be read: {e}"), place))?;
        if !matches!(tree.shape, Shape::Map(_)) {
            return Err(("a template is a mapping with `Resources`".to_owned(), tree.place));
        }
        match tree.get("Resources") {
            None => return Err(("the template has no `Resources`".to_owned(), Place::default())),
            Some(resources) if resources.entries().is_empty() => {
                return Err(("`Resources` of the template is empty".to_owned(), resources.place));
            }
            Some(_) => {}
        }
        let section = |name: &str| tree.get(name).map(Node::entries).unwrap_or_default();
        let parameters = section("Parameters").iter().map(|(k, _, node)| (k.clone(), Parameter::read(node))).collect();
        Ok(Self { parameters, tree })
    }

    /// How many resources a stack with these parameters has; what cannot be told counts as being there.
    pub fn resources(&self, given: &IndexMap<String, String>) -> usize {
        let value =
            |name: &str| given.get(name).cloned().or_else(|| self.parameters.get(name).and_then(|p| p.default.clone()));
        let conditions = self.tree.get("Conditions");
        let resources = self.tree.get("Resources").map(Node::entries).unwrap_or_default();
        resources
            .iter()
            .filter(|(_, _, resource)| match resource.get("Condition").and_then(Node::text) {
                Some(name) => conditions::holds(name, conditions, &value) != Some(false),
                None => true,
            })
            .count()
    }
}

impl Parameter {
    fn read(node: &Node) -> Self {
        let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let allowed = node.get("AllowedValues").map(Node::items).unwrap_or_default();
        let kind = text("Type").unwrap_or_default();
        Self {
            default: text("Default"),
            allowed: allowed.iter().filter_map(Node::text).map(str::to_owned).collect(),
            pattern: text("AllowedPattern"),
            no_echo: text("NoEcho").is_some_and(|t| t.eq_ignore_ascii_case("true")),
            list: kind == "CommaDelimitedList" || kind.starts_with("List<"),
        }
    }

    /// What is wrong with this value, if anything.
    pub fn refuses(&self, value: &str) -> Option<String> {
        let parts: Vec<&str> = if self.list { value.split(',').map(str::trim).collect() } else { vec![value] };
        if let Some(wrong) = parts.iter().find(|v| !self.allowed.is_empty() && !self.allowed.iter().any(|a| a == *v)) {
            return Some(format!("`{wrong}` is none of {}", self.allowed.join(", ")));
        }
        let pattern = self.pattern.as_deref()?;
        // CloudFormation's patterns are Java's: what our engine cannot read is left to the service.
        let whole = regex::Regex::new(&format!("^(?:{pattern})$")).ok()?;
        let wrong = parts.iter().find(|v| !whole.is_match(v))?;
        Some(format!("`{wrong}` does not match {pattern}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r"
Parameters:
  Make: { Type: String, Default: true, AllowedValues: ['true', 'false'] }
  Zone: { Type: String, AllowedPattern: '[a-z]{3,4}[0-9]-az[0-9]' }
  Version: { Type: String, Default: 1.30 }
  Subnets: { Type: 'List<AWS::EC2::Subnet::Id>' }
  Password: { Type: String, NoEcho: true }
Conditions:
  Makes: !Equals [!Ref Make, 'true']
  Not: !Not [!Condition Makes]
  Both: { 'Fn::And': [{ Condition: Makes }, { 'Fn::Equals': [{ Ref: Zone }, usw2-az1] }] }
Resources:
  A: { Type: 'AWS::S3::Bucket' }
  B: { Type: 'AWS::S3::Bucket', Condition: Makes }
  C: { Type: 'AWS::S3::Bucket', Condition: Not }
  D: { Type: 'AWS::S3::Bucket', Condition: Both }
Outputs:
  Name: { Value: !Ref A, Description: the bucket }
  Other: { Value: !Sub '${B}', Condition: Makes }
";

    #[test]
    fn parameters_are_read_past_short_tags() {
        let template = Template::read(TEXT).expect("it is a template");
        assert_eq!(template.parameters["Version"].default.as_deref(), Some("1.30"));
        assert!(template.parameters["Subnets"].list && template.parameters["Password"].no_echo);
        assert_eq!(template.parameters["Make"].refuses("no").as_deref(), Some("`no` is none of true, false"));
        assert_eq!(template.parameters["Make"].refuses("false"), None);
        let wrong = template.parameters["Zone"].refuses("us-west-2a");
        assert_eq!(wrong.as_deref(), Some("`us-west-2a` does not match [a-z]{3,4}[0-9]-az[0-9]"));
    }

    #[test]
    fn only_resources_whose_condition_holds_are_counted() {
        let template = Template::read(TEXT).expect("it is a template");
        let count = |given: &[(&str, &str)]| {
            template.resources(&given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        };
        assert_eq!(count(&[("Zone", "usw2-az1")]), 3, "A, B and D");
        assert_eq!(count(&[("Zone", "usw2-az2")]), 2, "A and B");
        assert_eq!(count(&[("Make", "false")]), 2, "A and C");
        assert_eq!(count(&[]), 3, "what is not known counts");
    }

    #[test]
    fn what_is_no_template_is_said() {
        let check = |text: &str| Template::read(text).expect_err("it is none").0;
        assert_eq!(check("- a\n"), "a template is a mapping with `Resources`");
        assert_eq!(check("Parameters: {}\n"), "the template has no `Resources`");
        assert_eq!(check("Resources: {}\n"), "`Resources` of the template is empty");
    }
}

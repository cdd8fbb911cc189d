//! From the text of a template to its sections; what is wrong with their form is kept, and the rest can be used.
//! Knows nothing of values.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::node::{Node, Shape, Tree, Unreadable};
use super::parameters::Parameter;
use super::sections::Form;
use super::{Problem, macros};
use crate::codes::template as codes;
use crate::partial::Place;

/// A template, as far as hprun looks into it.
#[derive(Clone, Debug)]
pub struct Template {
    /// Its parameters, by name.
    pub parameters: IndexMap<String, Parameter>,
    /// Its mappings: map name, first key, second key.
    pub mappings: IndexMap<String, HashMap<String, HashMap<String, Node>>>,
    /// Its conditions, by name.
    pub conditions: IndexMap<String, Condition>,
    /// Its rules, by name.
    pub rules: IndexMap<String, Rule>,
    /// Its resources, by logical id.
    pub resources: IndexMap<String, Resource>,
    /// Its outputs, by key.
    pub outputs: IndexMap<String, Output>,
    /// The macros that `Transform` names, each where it stands.
    pub transforms: Vec<(String, Place)>,
    /// Whether a macro may add names and rewrite expressions: then a name that is not here may still be there.
    pub open: bool,
    /// Where a macro is first called, if one is.
    pub macros: Option<Place>,
    /// What is wrong with its form.
    pub problems: Vec<Problem>,
}

/// A named condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Where its name stands.
    pub place: Place,
    /// What it says.
    pub expression: Node,
}

/// A rule: assertions that must hold for the parameters, if its condition does.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// When it applies; always, if none.
    pub condition: Option<Node>,
    /// Assertions, each with the description that its author gave.
    pub assertions: Vec<(Node, Option<String>)>,
}

/// A resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Where its logical id stands.
    pub place: Place,
    /// Its type, and where that stands.
    pub kind: (String, Place),
    /// The condition that it needs.
    pub condition: Option<(String, Place)>,
    /// The resources that it names under `DependsOn`.
    pub depends_on: Vec<(String, Place)>,
    /// `Properties`
    pub properties: Option<Node>,
    /// The other parts that may hold expressions: metadata and policies.
    pub others: Vec<Node>,
}

/// An output.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Where its key stands.
    pub place: Place,
    /// Its value.
    pub value: Option<Node>,
    /// What its author says of it.
    pub description: Option<String>,
    /// The condition that it needs.
    pub condition: Option<(String, Place)>,
    /// The name under which it is exported.
    pub export: Option<Node>,
}

impl Template {
    /// Reads a template. An error is what makes nothing of it usable.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let Tree { root, duplicates, merges } = Tree::read(text)?;
        let Shape::Map(entries) = root.shape else {
            return Err(Unreadable {
                message: "a template is a mapping with `Resources`".to_owned(),
                place: root.place,
            });
        };
        let mut found: HashMap<String, (Place, Node)> = HashMap::new();
        let mut form = Form::new(duplicates, &merges);
        form.root(&entries);
        let open = macros::is_open(&entries);
        let first_macro = macros::first_macro(&entries);
        for (key, place, node) in entries {
            found.insert(key, (place, node));
        }
        let mut take = |name: &str| found.remove(name).map(|(_, node)| node);
        form.open = open;
        form.version(take("AWSTemplateFormatVersion").as_ref());
        let description = take("Description");
        form.text_of("Description", description.as_ref());
        form.own_description(description.as_ref());
        let mut template = Self {
            parameters: form.section("Parameters", take("Parameters"), Form::parameter),
            mappings: form.section("Mappings", take("Mappings"), Form::mapping),
            conditions: form.section("Conditions", take("Conditions"), Form::condition),
            rules: form.section("Rules", take("Rules"), Form::rule),
            resources: form.section("Resources", take("Resources"), Form::resource),
            outputs: form.section("Outputs", take("Outputs"), Form::output),
            transforms: macros::transforms(take("Transform").as_ref()),
            open,
            macros: first_macro,
            problems: Vec::new(),
        };
        if template.resources.is_empty() && !template.open {
            form.no_resources(root.place);
        }
        form.same_names(&template);
        form.list_outputs(&template);
        // A macro may make something right of any form; these it never sees.
        let stays = |problem: &Problem| [&codes::DUPLICATE_KEY, &codes::UNKNOWN_PARAMETER_TYPE].contains(&problem.code);
        template.problems = form.problems;
        template.problems.retain(|problem| !open || stays(problem));
        Ok(template)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        match Template::read(text) {
            Ok(template) => template.problems.into_iter().map(|p| format!("{} {}", p.code, p.message)).collect(),
            Err(e) => vec![e.message],
        }
    }

    #[test]
    fn one_mistake_does_not_hide_the_rest() {
        let text = "
Resource: {}
Parameters:
  A: { Tpye: String }
  B-c: { Type: String, MinValue: many }
Conditions:
  C: true
Resources:
  D: { Type: 'AWS::S3:Bucket', Condition: [x] }
  D: { Type: 'AWS::S3::Bucket' }
  E: { Properties: }
  F: { Type: 'AWS::S3::Bucket', DependsOn: { a: b }, DeletionPolicy: Keep }
Outputs:
  O: { Vlaue: 1 }
";
        insta::assert_snapshot!(told(text).join("\n"), @r"
        HP0510 the key `D` stands twice
        HP0509 a template has no `Resource`
        HP0509 a parameter has no `Tpye`
        HP0513 `B-c` is no name for a parameter
        HP0511 `MinValue` must be a number
        HP0511 the condition `C` must be a function, such as `!Equals [a, b]`
        HP0511 `Condition` must be a text
        HP0537 `AWS::S3:Bucket` is no name for a resource type
        HP0512 `Properties` has no value
        HP0511 the resource `E` must have a `Type`
        HP0511 `DependsOn` must be a name or a list of names
        HP0538 there is no DeletionPolicy `Keep`
        HP0509 an output has no `Vlaue`
        ");
    }

    #[test]
    fn what_is_no_template_is_said() {
        assert_eq!(told("- a\n"), ["a template is a mapping with `Resources`"]);
        assert_eq!(told("Parameters: {}\n"), ["HP0508 the template makes nothing: it has no `Resources`"]);
        assert_eq!(told("Resources: {}\n"), ["HP0508 the template makes nothing: its `Resources` are empty"]);
    }

    #[test]
    fn what_a_macro_makes_is_not_guessed_at() {
        let text = "
Transform: AWS::LanguageExtensions
Resources:
  Fn::ForEach::Buckets:
    - Name
    - [A, B]
    - Bucket${Name}: { Type: 'AWS::S3::Bucket' }
";
        let template = Template::read(text).expect("it is one");
        assert!(template.open && template.problems.is_empty() && template.resources.is_empty());
        let plain = text
            .replace("Fn::ForEach::Buckets:", "A:")
            .replace("    - Name\n    - [A, B]\n    - Bucket${Name}:", "    ");
        assert!(!Template::read(&plain).expect("it is one").open, "language extensions alone add no names");
    }
}

//! A template with the values of its parameters: what its expressions come to, as far as that is known before the run.
//! Knows nothing of what is wrong: an expression that cannot be evaluated is unknown here.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::calls::{Attribute, Call, Part, attribute, parts, substitution};
use super::conditions::{Holds, order};
use super::network::Block;
use super::node::{Node, Shape};
use super::parameters::Parameter;
use super::read::{Resource, Template};
use crate::partial::{Piece, Text};

/// The values of parameters by name; a parameter that is not here has its default. Pseudo parameters whose value is known
/// may be among them (`AWS::Region`).
pub type Arguments = IndexMap<String, Argument>;

/// What is known of the value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// The text that CloudFormation gets.
    Text(String),
    /// A text that is known only in part, or not at all ([`Text::default`]): an expression, or a secret.
    Unknown(Text),
}

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved {
    /// A text, as far as it is known: what is not is named after where it comes from (`AWS::Region`, `Bucket`,
    /// `Cluster.Arn`).
    Text(Text),
    /// A list.
    List(Vec<Resolved>),
    /// A mapping.
    Map(Vec<(String, Resolved)>),
    /// `AWS::NoValue`: as if it did not stand there.
    Nothing,
    /// Nothing is known of it.
    Unknown,
}

/// A template with the values of its parameters.
#[derive(Debug)]
pub struct Stack<'a> {
    /// The template.
    pub template: &'a Template,
    pub(crate) arguments: Arguments,
    conditions: HashMap<&'a str, Holds>,
    /// Conditions that go round in a circle.
    pub(super) circles: Vec<Vec<&'a str>>,
}

/// A resource as a stack has it, for those who look at types: [`resource_types`].
#[derive(Clone, Copy, Debug)]
pub struct ResourceType<'a> {
    /// Its logical id.
    pub id: &'a str,
    /// Its type, such as `AWS::EC2::VPC`.
    pub kind: &'a str,
    /// Whether it is made with these parameters.
    pub holds: Holds,
    /// Its properties as they are written; [`Stack::resolve`] tells what they come to.
    pub properties: Option<&'a Node>,
}

/// The resources of a stack in the order of the template, those that it surely does not have included.
pub fn resource_types<'a>(stack: &Stack<'a>) -> Vec<ResourceType<'a>> {
    let resource = |(id, resource): (&'a String, &'a Resource)| ResourceType {
        id,
        kind: &resource.kind.0,
        holds: stack.has(resource.condition.as_ref()),
        properties: resource.properties.as_ref(),
    };
    stack.template.resources.iter().map(resource).collect()
}

impl<'a> Stack<'a> {
    /// The template with these values; its conditions are told at once.
    pub fn new(template: &'a Template, arguments: Arguments) -> Self {
        let mut stack = Self { template, arguments, conditions: HashMap::new(), circles: Vec::new() };
        let expressions = template.conditions.iter().map(|(name, condition)| (name.as_str(), &condition.expression));
        for group in order(expressions) {
            let names_itself = |name: &&str| {
                let mut named = Vec::new();
                super::conditions::named_in(&template.conditions[*name].expression, &mut named);
                named.contains(name)
            };
            if group.len() > 1 || group.iter().any(names_itself) {
                stack.circles.push(group);
                continue;
            }
            for name in group {
                let holds = stack.holds(&template.conditions[name].expression);
                stack.conditions.insert(name, holds);
            }
        }
        stack
    }

    /// Whether the condition of this name holds.
    pub fn condition(&self, name: &str) -> Holds {
        self.conditions.get(name).copied().unwrap_or(Holds::Unknown)
    }

    /// The parameters that something names which the stack surely has.
    pub fn used_parameters(&self) -> HashSet<&'a str> {
        super::walk::used_parameters(self)
    }

    /// The parameters whose values stand in outputs, each with the key of the output and the place.
    pub fn shown_parameters(&self) -> Vec<(&'a str, &'a str, crate::partial::Place)> {
        super::walk::shown_parameters(self)
    }

    /// Whether the parameter has a value of its own, not its default.
    pub fn is_given(&self, name: &str) -> bool {
        self.arguments.contains_key(name)
    }

    /// Whether the stack has what needs this condition; what needs none is always there.
    pub fn has(&self, condition: Option<&(String, crate::partial::Place)>) -> Holds {
        condition.map_or(Holds::Yes, |(name, _)| self.condition(name))
    }

    /// The same text for readers outside of this stack, of this name: what only the stack knows is named after it. None
    /// where that would be all.
    pub fn abroad(&self, text: Text, stack: &Text) -> Option<Text> {
        let is_own = |source: &str| {
            let name = source.split('.').next().unwrap_or_default();
            let Template { parameters, resources, .. } = self.template;
            name.starts_with("AWS::Stack") || parameters.contains_key(name) || resources.contains_key(name)
        };
        let is_all = matches!(text.0.as_slice(), [] | [Piece::From(_)]);
        if is_all && text.0.iter().all(|piece| matches!(piece, Piece::From(source) if is_own(source))) {
            return None;
        }
        let renamed = text.0.into_iter().map(|piece| match piece {
            Piece::From(source) if is_own(&source) => {
                stack.as_known().map(|name| Piece::From(format!("{name}.{source}")))
            }
            Piece::From(_) | Piece::Known(_) => Some(piece),
        });
        renamed.collect::<Option<Vec<_>>>().map(Text)
    }

    /// How many resources the stack has; what cannot be told counts as being there.
    pub fn count(&self) -> usize {
        let resources = self.template.resources.values();
        resources.filter(|resource| self.has(resource.condition.as_ref()) != Holds::No).count()
    }

    /// The value of a parameter as text, as far as it is known; none if the parameter has no value at all.
    pub fn argument(&self, name: &str) -> Option<Text> {
        let parameter = self.template.parameters.get(name)?;
        match (self.arguments.get(name), &parameter.default) {
            _ if parameter.is_looked_up() => Some(Text::default()),
            (Some(Argument::Text(text)), _) if text.contains("{{resolve:") => Some(Text::default()),
            (Some(Argument::Text(text)), _) => Some(known(text)),
            (Some(Argument::Unknown(text)), _) => Some(text.clone()),
            (None, Some((default, _))) if parameter.default_is_unsure || default.contains("{{resolve:") => {
                Some(Text::default())
            }
            (None, Some((default, _))) => Some(known(default)),
            (None, None) => None,
        }
    }

    /// What an expression comes to.
    pub fn resolve(&self, node: &Node) -> Resolved {
        self.value(node, true)
    }

    /// The text that an expression comes to, as far as it is known.
    pub fn text(&self, node: &Node) -> Text {
        self.value(node, true).into_text()
    }

    /// `follow`: whether the names of resources are looked up in their properties, which may not look up others in turn.
    fn value(&self, node: &Node, follow: bool) -> Resolved {
        match &node.shape {
            Shape::Null => Resolved::Unknown,
            // A dynamic reference is put in by CloudFormation.
            Shape::Scalar(text) if text.contains("{{resolve:") || node.respelled().is_some() => Resolved::Unknown,
            Shape::Scalar(text) => Resolved::Text(known(text)),
            Shape::List(items) => {
                let items = items.iter().map(|item| self.value(item, follow));
                Resolved::List(items.filter(|item| *item != Resolved::Nothing).collect())
            }
            Shape::Map(entries) => match Call::of(node) {
                Some(call) => self.call(&call, follow),
                None if entries.iter().any(|(key, _, _)| key.starts_with("Fn::")) => Resolved::Unknown,
                None => {
                    let entries = entries.iter().map(|(key, _, node)| (key.clone(), self.value(node, follow)));
                    Resolved::Map(entries.filter(|(_, value)| *value != Resolved::Nothing).collect())
                }
            },
        }
    }

    fn call(&self, call: &Call<'_>, follow: bool) -> Resolved {
        let items = call.argument.items();
        let value = |node: &Node| self.value(node, follow);
        let found = match (call.name, items) {
            ("Ref", _) => call.argument.text().map(|name| self.reference(name, follow)),
            ("Fn::GetAtt", _) => match attribute(call.argument) {
                Some((name, Attribute::Named(attribute), _)) => Some(self.attribute(name, attribute, follow)),
                Some((_, Attribute::Expression(_), _)) | None => None,
            },
            ("Fn::Sub", _) => self.substitute(call.argument, follow),
            ("Fn::Join", [mark, list]) => mark.text().and_then(|mark| join(mark, value(list))),
            ("Fn::Select", [index, list]) => match value(list) {
                Resolved::List(items) => {
                    let index = value(index).known().and_then(|index| index.trim().parse::<usize>().ok());
                    index.and_then(|index| items.get(index).cloned())
                }
                Resolved::Text(_) | Resolved::Map(_) | Resolved::Nothing | Resolved::Unknown => None,
            },
            ("Fn::Split", [mark, text]) => match (mark.text(), value(text).known()) {
                (Some(mark), Some(text)) if !mark.is_empty() => {
                    Some(Resolved::List(text.split(mark).map(|part| Resolved::Text(known(part))).collect()))
                }
                (Some(_) | None, Some(_) | None) => None,
            },
            ("Fn::If", [name, yes, no]) => {
                Some(match name.text().map_or(Holds::Unknown, |name| self.condition(name)) {
                    Holds::Yes => value(yes),
                    Holds::No => value(no),
                    Holds::Unknown => {
                        let (yes, no) = (value(yes), value(no));
                        if yes.equals(&no) == Some(true) { yes } else { Resolved::Unknown }
                    }
                })
            }
            ("Fn::FindInMap", [map, first, second]) => {
                let keys = [map, first, second].map(|key| value(key).known());
                match keys {
                    [Some(map), Some(first), Some(second)] => self.mapped(&map, &first, &second).map(value),
                    _ => None,
                }
            }
            ("Fn::Cidr", [block, count, bits @ ..]) => {
                let number = |node: &Node| value(node).known().and_then(|text| text.trim().parse::<u32>().ok());
                let bits = bits.first().map_or(Some(8), number);
                let block = value(block).known().and_then(|text| Block::read(&text));
                block.zip(number(count)).zip(bits).and_then(|((block, count), bits)| block.divide(count, bits)).map(
                    |blocks| {
                        Resolved::List(blocks.iter().map(|block| Resolved::Text(known(&block.to_string()))).collect())
                    },
                )
            }
            _ => None,
        };
        found.unwrap_or(Resolved::Unknown)
    }

    /// What a mapping has for these keys.
    pub(super) fn mapped(&self, map: &str, first: &str, second: &str) -> Option<&'a Node> {
        self.template.mappings.get(map)?.get(first)?.get(second)
    }

    fn reference(&self, name: &str, follow: bool) -> Resolved {
        if name == "AWS::NoValue" {
            return Resolved::Nothing;
        }
        if name == "AWS::NotificationARNs" {
            return Resolved::Unknown;
        }
        if let Some(Argument::Text(text)) = self.arguments.get(name).filter(|_| name.starts_with("AWS::")) {
            return Resolved::Text(known(text));
        }
        if let Some(parameter) = self.template.parameters.get(name) {
            let text = self.argument(name).unwrap_or_default();
            if !parameter.is_list() {
                // Nothing is known of it but that it is the same wherever it is named.
                return Resolved::Text(if text.is_unknown() { hole(name) } else { text });
            }
            return match text.as_known() {
                // AWS's own templates ask whether the first item of a list is empty.
                Some("") => Resolved::List(vec![Resolved::Text(known(""))]),
                Some(text) => Resolved::List(Parameter::items(text).map(|item| Resolved::Text(known(item))).collect()),
                None => Resolved::Unknown,
            };
        }
        let named = self.template.resources.get(name).filter(|_| follow).and_then(|resource| self.name(resource));
        Resolved::Text(named.unwrap_or_else(|| hole(name)))
    }

    fn attribute(&self, id: &str, attribute: &str, follow: bool) -> Resolved {
        // Of these, the attribute is what `Ref` gives.
        let kind = self.template.resources.get(id).map(|resource| resource.kind.0.as_str());
        if matches!((kind, attribute), (Some("AWS::EC2::VPC"), "VpcId") | (Some("AWS::EC2::Subnet"), "SubnetId")) {
            return self.reference(id, follow);
        }
        let resource = self.template.resources.get(id).filter(|_| follow && attribute == "Arn");
        Resolved::Text(resource.and_then(|it| self.arn(it)).unwrap_or_else(|| hole(&format!("{id}.{attribute}"))))
    }

    /// The name that a resource is given in its properties, where that is what `Ref` gives (AWS docs, return values).
    fn name(&self, resource: &Resource) -> Option<Text> {
        let property = match resource.kind.0.as_str() {
            "AWS::S3::Bucket" => "BucketName",
            "AWS::IAM::Role" => "RoleName",
            "AWS::EKS::Cluster" => "Name",
            _ => return None,
        };
        let name = self.value(resource.properties.as_ref()?.get(property)?, false).into_text();
        (!name.is_unknown()).then_some(name)
    }

    /// The ARN of a resource whose name is known (AWS service authorization reference).
    fn arn(&self, resource: &Resource) -> Option<Text> {
        let arn = |service: &str| known("arn:").then(hole("AWS::Partition")).then(known(service));
        let name = self.name(resource)?;
        Some(match resource.kind.0.as_str() {
            "AWS::S3::Bucket" => arn(":s3:::").then(name),
            "AWS::IAM::Role" if resource.properties.as_ref()?.get("Path").is_none() => {
                arn(":iam::").then(hole("AWS::AccountId")).then(known(":role/")).then(name)
            }
            "AWS::EKS::Cluster" => arn(":eks:")
                .then(hole("AWS::Region"))
                .then(known(":"))
                .then(hole("AWS::AccountId"))
                .then(known(":cluster/"))
                .then(name),
            _ => return None,
        })
    }

    fn substitute(&self, argument: &Node, follow: bool) -> Option<Resolved> {
        let (text, locals) = substitution(argument)?;
        let mut pieces = Vec::new();
        for part in parts(text.text()?) {
            pieces.push(match part {
                Part::Text(text) => known(text),
                Part::Literal(name) => known(&format!("${{{name}}}")),
                Part::Wrong(..) => return None,
                Part::Name(name, _, _) => match locals.iter().find(|(key, _, _)| key == name) {
                    Some((_, _, local)) => self.value(local, follow).into_text(),
                    None => match name.split_once('.') {
                        Some((id, attribute)) => self.attribute(id, attribute, follow).into_text(),
                        None => self.reference(name, follow).into_text(),
                    },
                },
            });
        }
        Some(Resolved::Text(concat(pieces)))
    }
}

impl Resolved {
    /// The text, if all of it is known.
    pub fn known(&self) -> Option<String> {
        match self {
            Self::Text(text) => text.as_known().map(str::to_owned),
            Self::List(_) | Self::Map(_) | Self::Nothing | Self::Unknown => None,
        }
    }

    /// The text, as far as it is known; nothing is known of what is none.
    pub fn into_text(self) -> Text {
        match self {
            Self::Text(text) => text,
            Self::List(_) | Self::Map(_) | Self::Nothing | Self::Unknown => Text::default(),
        }
    }

    /// Whether both come to the same; none where that is not known.
    pub fn equals(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => texts_equal(a, b),
            (Self::List(a), Self::List(b)) => {
                let each = a.iter().zip(b).map(|(a, b)| a.equals(b).into()).fold(Holds::Yes, Holds::and);
                match (a.len() == b.len(), each) {
                    (false, _) | (true, Holds::No) => Some(false),
                    (true, Holds::Yes) => Some(true),
                    (true, Holds::Unknown) => None,
                }
            }
            (Self::Nothing, Self::Nothing) => Some(true),
            // How CloudFormation compares values of different kinds is written nowhere.
            (Self::Text(_) | Self::List(_) | Self::Map(_) | Self::Nothing | Self::Unknown, _) => None,
        }
    }
}

/// Whether two texts are the same; none where that is not known. Beginnings and ends that differ tell them apart.
fn texts_equal(a: &Text, b: &Text) -> Option<bool> {
    if a.is_unknown() || b.is_unknown() {
        return None;
    }
    if a == b {
        return Some(true);
    }
    if let (Some(_), Some(_)) = (a.as_known(), b.as_known()) {
        return Some(false);
    }
    let end = |text: &Text| match text.0.last() {
        Some(Piece::Known(end)) => end.clone(),
        Some(Piece::From(_)) | None => String::new(),
    };
    let differ = |a: &[u8], b: &[u8]| a.iter().zip(b).any(|(a, b)| a != b);
    let ends = (end(a), end(b));
    let reversed = |text: &str| text.bytes().rev().collect::<Vec<u8>>();
    let apart =
        differ(a.beginning().as_bytes(), b.beginning().as_bytes()) || differ(&reversed(&ends.0), &reversed(&ends.1));
    apart.then_some(false)
}

fn join(mark: &str, list: Resolved) -> Option<Resolved> {
    let Resolved::List(items) = list else { return None };
    let mut texts = Vec::new();
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            texts.push(known(mark));
        }
        texts.push(item.into_text());
    }
    Some(Resolved::Text(concat(texts)))
}

/// The texts one after the other; unknown if one of them is.
fn concat(texts: Vec<Text>) -> Text {
    if texts.iter().any(Text::is_unknown) {
        return Text::default();
    }
    // Empty pieces say nothing, and would make equal texts look different.
    let texts = texts.into_iter().filter(|text| text.as_known() != Some(""));
    texts.reduce(Text::then).unwrap_or_else(|| known(""))
}

fn known(text: &str) -> Text {
    Text::known(text)
}

/// What this name will give.
fn hole(name: &str) -> Text {
    Text(vec![Piece::From(name.to_owned())])
}

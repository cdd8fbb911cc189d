//! The evaluator of intrinsic functions, conditions and rules: a value of a template in, the resolved value out.
//! It must not know stacks, services or the clock; everything it may refer to comes in as data.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::parameters::scalar;
use super::substitute::{self, Part};
use super::template::Template;
use super::text::{TemplateError, get_att_pair};

/// Everything that an expression may refer to.
#[derive(Debug)]
pub struct Scope<'a> {
    /// The template the expression stands in.
    pub template: &'a Template,
    /// Values of all parameters, as text.
    pub parameters: &'a BTreeMap<String, String>,
    /// Pseudo parameters.
    pub pseudo: &'a Pseudo,
    /// Conditions, evaluated; empty while they are being evaluated.
    pub conditions: BTreeMap<String, bool>,
    /// Resources that exist, by logical id.
    pub resources: BTreeMap<String, Known>,
    /// Names of the region's availability zones.
    pub zones: Vec<String>,
    /// Exports of other stacks of the region.
    pub exports: BTreeMap<String, String>,
}

/// The values of the pseudo parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pseudo {
    /// `AWS::AccountId`
    pub account: String,
    /// `AWS::Region`
    pub region: String,
    /// `AWS::StackName`
    pub stack_name: String,
    /// `AWS::StackId`
    pub stack_id: String,
    /// `AWS::NotificationARNs`
    pub notification_arns: Vec<String>,
}

/// What an expression can ask a resource that exists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// What `Ref` gives.
    pub reference: String,
    /// What `Fn::GetAtt` gives, by attribute.
    pub attributes: Map<String, Value>,
}

/// A resolved value; `None` is `AWS::NoValue`.
pub type Resolved = Result<Option<Value>, TemplateError>;

const SUPPORTED: &str = "[Ref, Fn::Base64, Fn::GetAtt, Condition, Fn::If, Fn::Equals, Fn::And, Fn::Or, Fn::Not, Fn::FindInMap, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Select, Fn::Split, Fn::Sub, Fn::Cidr]";

impl Scope<'_> {
    /// Resolves a value: functions evaluated, members that are `AWS::NoValue` left out.
    pub fn resolve(&self, value: &Value) -> Resolved {
        match value {
            Value::Object(object) => match function(object)? {
                Some((name, argument)) => self.call(name, argument),
                None => self.resolve_members(object).map(|members| Some(Value::Object(members))),
            },
            Value::Array(items) => {
                let mut kept = Vec::new();
                for item in items {
                    kept.extend(self.resolve(item)?);
                }
                Ok(Some(Value::Array(kept)))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(Some(value.clone())),
        }
    }

    /// Resolves each member of an object that is no function itself.
    pub fn resolve_members(&self, object: &Map<String, Value>) -> Result<Map<String, Value>, TemplateError> {
        let mut members = Map::new();
        for (key, value) in object {
            if let Some(value) = self.resolve(value)? {
                members.insert(key.clone(), value);
            }
        }
        Ok(members)
    }

    /// Resolves a value that must be text.
    pub fn text(&self, value: &Value, place: &str) -> Result<String, TemplateError> {
        let resolved = self.resolve(value)?;
        resolved
            .as_ref()
            .and_then(scalar)
            .ok_or_else(|| TemplateError::error(format!("{place} must resolve to a string")))
    }

    fn call(&self, name: &str, argument: &Value) -> Resolved {
        match name {
            "Ref" => self.reference(argument),
            "Fn::GetAtt" => self.get_att(argument).map(Some),
            "Fn::Sub" => self.sub(argument).map(Some),
            "Fn::Join" => self.join(argument).map(Some),
            "Fn::Select" => self.select(argument).map(Some),
            "Fn::Split" => self.split(argument).map(Some),
            "Fn::If" => self.choose(argument),
            "Fn::FindInMap" => self.find_in_map(argument).map(Some),
            "Fn::GetAZs" => self.zones_of(argument).map(Some),
            "Fn::ImportValue" => self.import(argument).map(Some),
            "Fn::Base64" => {
                let text = self.text(argument, "Fn::Base64")?;
                Ok(Some(base64::engine::general_purpose::STANDARD.encode(text).into()))
            }
            "Fn::Cidr" => self.cidr(argument).map(Some),
            "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" | "Condition" => self
                .holds(&Value::Object(Map::from_iter([(name.to_owned(), argument.clone())])), 0)
                .map(|it| Some(it.into())),
            other => Err(unsupported(other)),
        }
    }

    fn reference(&self, argument: &Value) -> Resolved {
        let name = argument
            .as_str()
            .ok_or_else(|| TemplateError::error("every Ref object must have a single String value."))?;
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(value) = self.pseudo(name) {
            return Ok(Some(value));
        }
        if let (Some(declared), Some(text)) = (self.template.parameters.get(name), self.parameters.get(name)) {
            return Ok(Some(declared.reference(text)));
        }
        match self.resources.get(name) {
            Some(known) => Ok(Some(known.reference.clone().into())),
            None => Err(TemplateError::format(format!(
                "Unresolved resource dependencies [{name}] in the Resources block of the template"
            ))),
        }
    }

    fn pseudo(&self, name: &str) -> Option<Value> {
        Some(match name {
            "AWS::AccountId" => self.pseudo.account.clone().into(),
            "AWS::Region" => self.pseudo.region.clone().into(),
            "AWS::StackName" => self.pseudo.stack_name.clone().into(),
            "AWS::StackId" => self.pseudo.stack_id.clone().into(),
            "AWS::Partition" => "aws".into(),
            "AWS::URLSuffix" => "amazonaws.com".into(),
            "AWS::NotificationARNs" => self.pseudo.notification_arns.clone().into(),
            _ => return None,
        })
    }

    fn get_att(&self, argument: &Value) -> Result<Value, TemplateError> {
        let pair = argument.as_str().map_or_else(|| argument.clone(), get_att_pair);
        let (name, attribute) = match pair.as_array().map(Vec::as_slice) {
            Some([Value::String(name), attribute]) => {
                (name.clone(), self.text(attribute, "the attribute of Fn::GetAtt")?)
            }
            _ => {
                return Err(TemplateError::error(
                    "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute",
                ));
            }
        };
        let known = self.resources.get(&name).ok_or_else(|| {
            TemplateError::format(format!(
                "Unresolved resource dependencies [{name}] in the Resources block of the template"
            ))
        })?;
        known.attributes.get(&attribute).cloned().ok_or_else(|| {
            TemplateError::error(format!("resource {name} does not support attribute type {attribute} in Fn::GetAtt"))
        })
    }

    fn sub(&self, argument: &Value) -> Result<Value, TemplateError> {
        let none = Map::new();
        let (text, locals) = match argument {
            Value::String(text) => (text, &none),
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(text), Value::Object(locals)] => (text, locals),
                _ => return Err(substitute::wrong_arguments()),
            },
            _ => return Err(substitute::wrong_arguments()),
        };
        let mut out = String::new();
        for part in substitute::parts(text)? {
            match part {
                Part::Text(text) => out.push_str(&text),
                Part::Variable(name) => {
                    let value = match (locals.get(&name), name.contains('.')) {
                        (Some(local), _) => local.clone(),
                        (None, true) => function_of("Fn::GetAtt", get_att_pair(&name)),
                        (None, false) => function_of("Ref", name.clone().into()),
                    };
                    out.push_str(&self.text(&value, &format!("variable {name} of Fn::Sub"))?);
                }
            }
        }
        Ok(out.into())
    }

    fn join(&self, argument: &Value) -> Result<Value, TemplateError> {
        let wrong = || {
            TemplateError::error(
                "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.",
            )
        };
        let Some([Value::String(delimiter), list]) = argument.as_array().map(Vec::as_slice) else {
            return Err(wrong());
        };
        let items = self.list(list)?.ok_or_else(wrong)?;
        let texts: Vec<String> = items.iter().map(|it| scalar(it).ok_or_else(wrong)).collect::<Result<_, _>>()?;
        Ok(texts.join(delimiter).into())
    }

    fn select(&self, argument: &Value) -> Result<Value, TemplateError> {
        let wrong = || {
            TemplateError::error("Fn::Select requires a list argument with two elements: an integer index and a list")
        };
        let Some([index, list]) = argument.as_array().map(Vec::as_slice) else {
            return Err(wrong());
        };
        let index: usize = self.text(index, "the index of Fn::Select")?.parse().map_err(|_| wrong())?;
        let items = self.list(list)?.ok_or_else(wrong)?;
        items
            .get(index)
            .cloned()
            .ok_or_else(|| TemplateError::error(format!("Fn::Select cannot select nonexistent value at index {index}")))
    }

    fn split(&self, argument: &Value) -> Result<Value, TemplateError> {
        let wrong = || {
            TemplateError::error(
                "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split.",
            )
        };
        let Some([Value::String(delimiter), text]) = argument.as_array().map(Vec::as_slice) else {
            return Err(wrong());
        };
        if delimiter.is_empty() {
            return Err(wrong());
        }
        let text = self.text(text, "the second parameter of Fn::Split")?;
        Ok(text.split(delimiter.as_str()).map(Value::from).collect::<Vec<_>>().into())
    }

    fn choose(&self, argument: &Value) -> Resolved {
        let Some([Value::String(condition), yes, no]) = argument.as_array().map(Vec::as_slice) else {
            return Err(TemplateError::error(
                "Fn::If requires a list argument with three elements, the first of them a condition's name",
            ));
        };
        let holds = self.conditions.get(condition).ok_or_else(|| undefined_condition(condition))?;
        self.resolve(if *holds { yes } else { no })
    }

    fn find_in_map(&self, argument: &Value) -> Result<Value, TemplateError> {
        let Some([map, first, second]) = argument.as_array().map(Vec::as_slice) else {
            return Err(TemplateError::error(
                "every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value",
            ));
        };
        let map = self.text(map, "the map name of Fn::FindInMap")?;
        let first = self.text(first, "the first key of Fn::FindInMap")?;
        let second = self.text(second, "the second key of Fn::FindInMap")?;
        let found = self.template.mappings.get(&map).ok_or_else(|| {
            TemplateError::error(format!("Mapping named '{map}' is not present in the 'Mappings' section of template."))
        })?;
        let value = found.get(&first).and_then(|it| it.get(&second));
        value
            .cloned()
            .ok_or_else(|| TemplateError::error(format!("Unable to get mapping for {map}::{first}::{second}")))
    }

    fn zones_of(&self, argument: &Value) -> Result<Value, TemplateError> {
        let region = self.text(argument, "Fn::GetAZs")?;
        if !region.is_empty() && region != self.pseudo.region {
            return Err(TemplateError::error(format!(
                "hprun sandbox: Fn::GetAZs of another region ({region}) is not part of the sandbox"
            )));
        }
        Ok(self.zones.clone().into())
    }

    fn import(&self, argument: &Value) -> Result<Value, TemplateError> {
        let name = self.text(argument, "Fn::ImportValue")?;
        self.exports
            .get(&name)
            .map(|it| it.clone().into())
            .ok_or_else(|| TemplateError(format!("No export named {name} found.")))
    }

    fn cidr(&self, argument: &Value) -> Result<Value, TemplateError> {
        let wrong = || {
            TemplateError::error(
                "every Fn::Cidr object requires two parameters, (1) ipBlock and (2) count, and may have a third, cidrBits",
            )
        };
        let items = argument.as_array().ok_or_else(wrong)?;
        let [block, count, rest @ ..] = items.as_slice() else {
            return Err(wrong());
        };
        let block = self.text(block, "ipBlock of Fn::Cidr")?;
        let count: u32 = self.text(count, "count of Fn::Cidr")?.parse().map_err(|_| wrong())?;
        let bits: u32 = match rest {
            [] => 8,
            [bits] => self.text(bits, "cidrBits of Fn::Cidr")?.parse().map_err(|_| wrong())?,
            _ => return Err(wrong()),
        };
        let blocks = substitute::cidr_blocks(&block, count, bits).ok_or_else(wrong)?;
        Ok(blocks.into_iter().map(Value::from).collect::<Vec<_>>().into())
    }

    /// Resolves a value to a list; a function may give it. `None` if it is none.
    pub fn list(&self, value: &Value) -> Result<Option<Vec<Value>>, TemplateError> {
        Ok(match self.resolve(value)? {
            Some(Value::Array(items)) => Some(items),
            _ => None,
        })
    }
}

/// The function that an object is, if it is one. An `Fn::` key beside others is an error.
pub fn function(object: &Map<String, Value>) -> Result<Option<(&str, &Value)>, TemplateError> {
    let is_function = |key: &str| key == "Ref" || key == "Condition" || key.starts_with("Fn::");
    match object.iter().next() {
        // A policy statement has a member Condition, but an object below it; the function names a condition.
        Some((key, value)) if object.len() == 1 && is_function(key) && (key != "Condition" || value.is_string()) => {
            Ok(Some((key, value)))
        }
        _ => match object.keys().find(|key| key.starts_with("Fn::")) {
            Some(key) => Err(TemplateError::error(format!("{key} must be the only key of its object"))),
            None => Ok(None),
        },
    }
}

fn function_of(name: &str, argument: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), argument)]))
}

/// The error of a function that CloudFormation, or the sandbox, does not have.
pub fn unsupported(name: &str) -> TemplateError {
    TemplateError::error(format!("Encountered unsupported function: {name} Supported functions are: {SUPPORTED}"))
}

/// The error of a condition that the template does not have.
pub(super) fn undefined_condition(name: &str) -> TemplateError {
    TemplateError::format(format!("Unresolved condition dependency [{name}] in the template"))
}

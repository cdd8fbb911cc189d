//! A parameter of a template: what it declares, and what it refuses.
//! Knows nothing of who gives values; what only AWS can tell (that an id exists) is left to AWS.

use std::sync::OnceLock;

use regex::Regex;

use super::Problem;
use super::node::{Entry, Node, Shape};
use crate::codes::template as codes;
use crate::partial::{Place, nearest};
use crate::region;

/// Longest value of a parameter, in bytes (CloudFormation quotas).
const LONGEST_VALUE: usize = 4_096;
/// Types whose values AWS looks up, with what an id of theirs begins with.
const AWS_TYPES: [(&str, &str); 10] = [
    ("AWS::EC2::AvailabilityZone::Name", ""),
    ("AWS::EC2::Image::Id", "ami-"),
    ("AWS::EC2::Instance::Id", "i-"),
    ("AWS::EC2::KeyPair::KeyName", ""),
    ("AWS::EC2::SecurityGroup::GroupName", ""),
    ("AWS::EC2::SecurityGroup::Id", "sg-"),
    ("AWS::EC2::Subnet::Id", "subnet-"),
    ("AWS::EC2::VPC::Id", "vpc-"),
    ("AWS::EC2::Volume::Id", "vol-"),
    ("AWS::Route53::HostedZone::Id", ""),
];

/// A parameter that a template declares.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Where its name stands.
    pub place: Place,
    /// Its type, as spelled.
    pub kind: String,
    /// Its value when none is given, and where that stands.
    pub default: Option<(String, Place)>,
    /// Whether CloudFormation may spell the default otherwise than the file does.
    pub default_is_unsure: bool,
    /// The values it may have; empty: any.
    pub allowed: Vec<String>,
    /// A regular expression that the whole value must match.
    pub pattern: Option<String>,
    /// What its author says of its limits.
    pub constraint: Option<String>,
    /// Whether CloudFormation keeps it from sight.
    pub no_echo: bool,
    /// Fewest and most characters.
    pub length: (Option<f64>, Option<f64>),
    /// Least and greatest number.
    pub range: (Option<f64>, Option<f64>),
    compiled: OnceLock<Option<Regex>>,
}

impl Parameter {
    /// The keys that its declaration may have.
    pub(super) const KEYS: [&'static str; 11] = [
        "Type",
        "Default",
        "Description",
        "NoEcho",
        "AllowedValues",
        "AllowedPattern",
        "ConstraintDescription",
        "MinLength",
        "MaxLength",
        "MinValue",
        "MaxValue",
    ];

    /// Reads a declaration; what is wrong with it goes to `problems`.
    pub(super) fn read(place: Place, entries: &[Entry], problems: &mut Vec<Problem>) -> Self {
        let get = |name: &str| entries.iter().find(|(key, _, _)| key == name).map(|(_, _, node)| node);
        let mut wrong = |at: Place, message: String| problems.push(Problem::error(&codes::WRONG_SHAPE, at, message));
        let mut text = |name: &str| {
            let node = get(name)?;
            if node.text().is_none() {
                wrong(node.place, format!("`{name}` must be a text"));
            }
            node.text().map(str::to_owned)
        };
        let kind = text("Type");
        let (pattern, constraint) = (text("AllowedPattern"), text("ConstraintDescription"));
        let default = text("Default").zip(get("Default").map(|node| node.place));
        let default_is_unsure = get("Default").is_some_and(|node| node.respelled().is_some());
        let no_echo = text("NoEcho").is_some_and(|t| t.eq_ignore_ascii_case("true"));
        let mut number = |name: &str| {
            let node = get(name)?;
            let number = node.text().and_then(|text| text.trim().parse().ok());
            if number.is_none() {
                wrong(node.place, format!("`{name}` must be a number"));
            }
            number
        };
        let length = (number("MinLength"), number("MaxLength"));
        let range = (number("MinValue"), number("MaxValue"));
        let allowed = match get("AllowedValues") {
            Some(Node { shape: Shape::List(items), .. }) => {
                let spellings = |item: &Node| [item.text().map(str::to_owned), item.respelled()];
                items.iter().flat_map(spellings).flatten().collect()
            }
            Some(node) => {
                wrong(node.place, "`AllowedValues` must be a list".to_owned());
                Vec::new()
            }
            None => Vec::new(),
        };
        match (&kind, get("Type")) {
            (Some(kind), Some(node)) if !is_type(kind) => problems.push(unknown_type(kind, node.place)),
            (Some(_) | None, Some(_) | None) => {}
        }
        let (kind, compiled) = (kind.unwrap_or_default(), OnceLock::new());
        Self { place, kind, default, default_is_unsure, allowed, pattern, constraint, no_echo, length, range, compiled }
    }

    /// Whether `Ref` gives a list.
    pub fn is_list(&self) -> bool {
        self.kind == "CommaDelimitedList" || self.kind.starts_with("List<")
    }

    /// Whether CloudFormation puts the value of a Parameter Store parameter in place of what is given.
    pub fn is_looked_up(&self) -> bool {
        self.kind.starts_with("AWS::SSM::Parameter::Value<")
    }

    /// The items of a list, as CloudFormation divides them.
    pub fn items(value: &str) -> impl Iterator<Item = &str> {
        value.split(',').map(str::trim).filter(|_| !value.is_empty())
    }

    /// What is wrong with this value, if anything: a sentence that goes on after the parameter's name.
    pub fn refuses(&self, value: &str) -> Option<String> {
        if value.len() > LONGEST_VALUE {
            return Some(format!("has {} bytes; CloudFormation takes {LONGEST_VALUE}", value.len()));
        }
        let mut parts: Vec<&str> = if self.is_list() { Self::items(value).collect() } else { vec![value] };
        parts.dedup();
        parts.iter().find_map(|part| self.refuses_part(part)).or_else(|| self.wrong_length(value))
    }

    /// The allowed value that was meant by one that is not: a word for yes or no, other letters, a slip.
    pub fn meant(&self, value: &str) -> Option<&str> {
        let allowed = || self.allowed.iter().map(String::as_str);
        let mut parts: Vec<&str> = if self.is_list() { Self::items(value).collect() } else { vec![value] };
        parts.retain(|part| allowed().all(|allowed| allowed != *part));
        let part = *parts.first()?;
        let word = match part.to_ascii_lowercase().as_str() {
            "yes" | "on" | "1" => "true",
            "no" | "off" | "0" => "false",
            _ => part,
        };
        allowed().find(|allowed| allowed.eq_ignore_ascii_case(word)).or_else(|| nearest(part, allowed()))
    }

    fn refuses_part(&self, part: &str) -> Option<String> {
        if !self.allowed.is_empty() && !self.allowed.iter().any(|allowed| allowed == part) {
            return Some(format!("takes {}, not `{part}`", self.allowed.join(", ")));
        }
        let inner = self.kind.strip_prefix("List<").and_then(|rest| rest.strip_suffix('>')).unwrap_or(&self.kind);
        if inner == "Number" {
            let Ok(number) = part.trim().parse::<f64>() else { return Some(format!("takes numbers, not `{part}`")) };
            match self.range {
                (Some(least), _) if number < least => return Some(format!("takes {least} or more, not {part}")),
                (_, Some(most)) if number > most => return Some(format!("takes {most} at most, not {part}")),
                (Some(_) | None, Some(_) | None) => {}
            }
        }
        if let Some(wrong) = wrong_id(inner, part) {
            return Some(wrong);
        }
        let pattern = self.pattern.as_deref()?;
        // CloudFormation's patterns are Java's: what our engine cannot read is left to the service.
        let whole = self.compiled.get_or_init(|| Regex::new(&format!("^(?:{pattern})$")).ok()).as_ref()?;
        (!whole.is_match(part)).then(|| format!("must match {pattern}, which `{part}` does not"))
    }

    fn wrong_length(&self, value: &str) -> Option<String> {
        let length = value.chars().count();
        match self.length {
            (Some(least), _) if (length as f64) < least => {
                Some(format!("takes {least} characters or more, not {length}"))
            }
            (_, Some(most)) if length as f64 > most => Some(format!("takes {most} characters at most, not {length}")),
            (Some(_) | None, Some(_) | None) => None,
        }
    }
}

/// A value that cannot be what an AWS type asks for; an empty one never is.
fn wrong_id(kind: &str, value: &str) -> Option<String> {
    let (_, prefix) = AWS_TYPES.iter().find(|(name, _)| *name == kind)?;
    if value.is_empty() {
        // Of the other types samples of AWS have an empty default.
        let looked_up = ["KeyPair::KeyName", "SecurityGroup::Id", "Subnet::Id", "VPC::Id"];
        if !looked_up.iter().any(|end| kind.ends_with(end)) {
            return None;
        }
        return Some(format!("must not be empty: its type {kind} asks for something that exists"));
    }
    if kind == "AWS::EC2::AvailabilityZone::Name" && region::is_zone_id(value) {
        return Some(format!("takes the name of a zone, such as us-west-2b, not its id `{value}`"));
    }
    let rest = value.strip_prefix(prefix);
    let is_id =
        rest.is_some_and(|rest| prefix.is_empty() || (!rest.is_empty() && rest.chars().all(|c| c.is_ascii_hexdigit())));
    (!is_id).then(|| format!("takes an id such as {prefix}0123456789abcdef0, not `{value}`"))
}

fn is_type(kind: &str) -> bool {
    let aws = |kind: &str| AWS_TYPES.iter().any(|(name, _)| *name == kind);
    if let Some(inner) = kind.strip_prefix("List<").and_then(|rest| rest.strip_suffix('>')) {
        return inner == "Number" || inner == "String" || aws(inner);
    }
    // What stands in the Parameter Store has types of its own, and CloudFormation adds to them.
    matches!(kind, "String" | "Number" | "CommaDelimitedList") || aws(kind) || kind.starts_with("AWS::SSM::Parameter::")
}

fn unknown_type(kind: &str, place: Place) -> Problem {
    let known: Vec<String> = ["String", "Number", "CommaDelimitedList", "List<Number>"]
        .into_iter()
        .map(str::to_owned)
        .chain(AWS_TYPES.iter().flat_map(|(name, _)| [(*name).to_owned(), format!("List<{name}>")]))
        .collect();
    Problem::error(&codes::UNKNOWN_PARAMETER_TYPE, place, format!("there is no parameter type `{kind}`"))
        .help("there are String, Number, CommaDelimitedList, List<Number>, and types such as AWS::EC2::VPC::Id")
        .nearest(kind, known.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::super::Template;

    #[test]
    fn a_value_is_held_against_all_that_its_parameter_declares() {
        let table = [
            ("Type: String, AllowedValues: ['true', 'false']", "false", ""),
            ("Type: String, AllowedValues: ['true', 'false']", "no", "takes true, false, not `no`"),
            ("Type: String, AllowedValues: ['true', 'false']", "True", "takes true, false, not `True`"),
            ("Type: String, AllowedValues: [yes, no]", "yes", ""),
            ("Type: String, AllowedValues: [yes, no]", "true", ""),
            ("Type: String, AllowedValues: [1.30, 1.31]", "1.3", ""),
            ("Type: CommaDelimitedList, AllowedValues: [a, b]", "a, b,a", ""),
            ("Type: CommaDelimitedList, AllowedValues: [a, b]", "a,c", "takes a, b, not `c`"),
            ("Type: String, AllowedPattern: '[a-z]{3,4}[0-9]-az[0-9]'", "usw2-az1", ""),
            (
                "Type: String, AllowedPattern: '[a-z]{3,4}[0-9]-az[0-9]'",
                "us-west-2a",
                "must match [a-z]{3,4}[0-9]-az[0-9], which `us-west-2a` does not",
            ),
            ("Type: String, AllowedPattern: '(?!x)y'", "z", ""),
            ("Type: String, MinLength: 2, MaxLength: 3", "äöü", ""),
            ("Type: String, MinLength: 2, MaxLength: 3", "a", "takes 2 characters or more, not 1"),
            ("Type: String, MinLength: 2, MaxLength: 3", "abcd", "takes 3 characters at most, not 4"),
            ("Type: Number, MinValue: 1, MaxValue: 9.5", "9.5", ""),
            ("Type: Number, MinValue: 1, MaxValue: 9.5", "0", "takes 1 or more, not 0"),
            ("Type: Number, MinValue: 1, MaxValue: 9.5", "10", "takes 9.5 at most, not 10"),
            ("Type: Number", "many", "takes numbers, not `many`"),
            ("Type: List<Number>", "1, 2", ""),
            ("Type: List<Number>", "1, x", "takes numbers, not `x`"),
            ("Type: 'AWS::EC2::VPC::Id'", "vpc-0123456789abcdef0", ""),
            (
                "Type: 'AWS::EC2::VPC::Id'",
                "subnet-0123",
                "takes an id such as vpc-0123456789abcdef0, not `subnet-0123`",
            ),
            (
                "Type: 'AWS::EC2::VPC::Id'",
                "",
                "must not be empty: its type AWS::EC2::VPC::Id asks for something that exists",
            ),
            (
                "Type: 'List<AWS::EC2::Subnet::Id>'",
                "subnet-01,vpc-01",
                "takes an id such as subnet-0123456789abcdef0, not `vpc-01`",
            ),
            ("Type: 'AWS::EC2::AvailabilityZone::Name'", "us-west-2-lax-1a", ""),
            (
                "Type: 'AWS::EC2::AvailabilityZone::Name'",
                "usw2-az2",
                "takes the name of a zone, such as us-west-2b, not its id `usw2-az2`",
            ),
            ("Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>'", "/aws/service/ami", ""),
        ];
        for (declared, value, expected) in table {
            let text =
                format!("Parameters: {{ P: {{ {declared} }} }}\nResources: {{ A: {{ Type: 'AWS::S3::Bucket' }} }}");
            let template = Template::read(&text).expect("it is a template");
            assert!(template.problems.is_empty(), "{declared}: {:?}", template.problems);
            let told = template.parameters["P"].refuses(value).unwrap_or_default();
            assert_eq!(told, expected, "{declared} with {value}");
        }
    }
    #[test]
    fn the_allowed_value_that_was_meant_is_found() {
        for (declared, value, meant) in [
            ("Type: String, AllowedValues: ['true', 'false']", "yes", Some("true")),
            ("Type: String, AllowedValues: ['true', 'false']", "Off", Some("false")),
            ("Type: String, AllowedValues: ['true', 'false']", "TRUE", Some("true")),
            ("Type: String, AllowedValues: [small, large]", "larg", Some("large")),
            ("Type: String, AllowedValues: [small, large]", "yes", None),
            ("Type: CommaDelimitedList, AllowedValues: [api, audit]", "api,adit", Some("audit")),
            ("Type: String", "x", None),
        ] {
            let text =
                format!("Parameters: {{ P: {{ {declared} }} }}\nResources: {{ A: {{ Type: 'AWS::S3::Bucket' }} }}");
            let template = Template::read(&text).expect("it is a template");
            assert_eq!(template.parameters["P"].meant(value), meant, "{declared} with {value}");
        }
    }
}

//! Goes through every expression of a template: functions and what they are given, and the names that lead nowhere.
//! Knows values only where a condition decides whether an expression counts.

use std::collections::{HashMap, HashSet};

use super::Problem;
use super::calls::{Attribute, Call, FUNCTIONS, Part, attribute, inside, parts, substitution};
use super::conditions::Holds;
use super::evaluate::Stack;
use super::node::{Node, Shape};
use crate::codes::template as codes;
use crate::partial::Place;

/// What is wrong with the expressions of a template.
pub(super) fn check(stack: &Stack<'_>) -> Vec<Problem> {
    let mut walk = walk(stack);
    walk.circles();
    walk.problems
}

/// The parameters that outputs name, each with the output and the place.
pub(super) fn shown_parameters<'a>(stack: &Stack<'a>) -> Vec<(&'a str, &'a str, Place)> {
    walk(stack).shown
}

/// The parameters that something names which the stack surely has.
pub(super) fn used_parameters<'a>(stack: &Stack<'a>) -> HashSet<&'a str> {
    walk(stack).used
}

fn walk<'s, 'a>(stack: &'s Stack<'a>) -> Walk<'s, 'a> {
    let mut walk = Walk {
        stack,
        problems: Vec::new(),
        told: HashSet::new(),
        needs: HashMap::new(),
        used: HashSet::new(),
        shown: Vec::new(),
        searches: 0,
    };
    let template = stack.template;
    for (name, condition) in &template.conditions {
        let here = Here { block: Block::Conditions, owner: name, index: None, live: Holds::Yes, within: Within::Value };
        walk.condition(&condition.expression, here);
    }
    for (name, rule) in &template.rules {
        let here = Here { block: Block::Rules, owner: name, index: None, live: Holds::Yes, within: Within::Value };
        rule.condition.iter().for_each(|condition| walk.condition(condition, here));
        rule.assertions.iter().for_each(|(assertion, _)| walk.condition(assertion, here));
    }
    for (index, (id, resource)) in template.resources.iter().enumerate() {
        let live = stack.has(resource.condition.as_ref());
        let here = Here { block: Block::Resources, owner: id, index: Some(index), live, within: Within::Value };
        walk.named_condition(resource.condition.as_ref());
        resource.properties.iter().chain(&resource.others).for_each(|node| walk.expression(node, here));
        resource.depends_on.iter().for_each(|(name, place)| walk.depends_on(name, *place, here));
    }
    for (key, output) in &template.outputs {
        let live = stack.has(output.condition.as_ref());
        let here = Here { block: Block::Outputs, owner: key, index: None, live, within: Within::Value };
        walk.named_condition(output.condition.as_ref());
        output.value.iter().chain(&output.export).for_each(|node| walk.expression(node, here));
    }
    walk
}

/// The walk and what it has found so far.
pub(super) struct Walk<'s, 'a> {
    pub stack: &'s Stack<'a>,
    pub problems: Vec<Problem>,
    /// Who was told of which name: one that is used ten times is one mistake.
    pub told: HashSet<(Block, &'a str, String)>,
    /// Which resource surely needs which, and where it says so.
    pub needs: HashMap<usize, Vec<(usize, Place)>>,
    /// Parameters that something names which the stack surely has.
    pub used: HashSet<&'a str>,
    /// Parameters that outputs name, each with the output and the place.
    pub shown: Vec<(&'a str, &'a str, Place)>,
    /// How often a nearest name was looked for.
    pub searches: usize,
}

/// Where an expression stands.
#[derive(Clone, Copy)]
pub(super) struct Here<'a> {
    pub block: Block,
    /// The logical id or the key that it belongs to.
    pub owner: &'a str,
    /// Of a resource, its number.
    pub index: Option<usize>,
    /// Whether it counts with these parameters.
    pub live: Holds,
    /// What a function may stand in place of.
    pub within: Within,
}

/// Of what a name is a part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// A value, which a function may take the place of.
    Value,
    /// The text of an `Fn::Sub`, which takes names only.
    Text,
}

/// A section that holds expressions.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Block {
    Conditions,
    Rules,
    Resources,
    Outputs,
}

impl Block {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Conditions => "Conditions",
            Self::Rules => "Rules",
            Self::Resources => "Resources",
            Self::Outputs => "Outputs",
        }
    }
}

impl<'a> Walk<'_, 'a> {
    fn expression(&mut self, node: &'a Node, here: Here<'a>) {
        match &node.shape {
            Shape::Null | Shape::Scalar(_) => {}
            Shape::List(items) => items.iter().for_each(|item| self.expression(item, here)),
            Shape::Map(entries) => {
                if let Some(call) = Call::of(node) {
                    return self.call(call, here);
                }
                for (key, place, node) in entries {
                    self.crowded(key, *place, entries.len());
                    self.expression(node, here);
                }
            }
        }
    }

    /// A function beside other keys, where no macro may stand.
    fn crowded(&mut self, key: &str, place: Place, keys: usize) {
        let macros = key == "Fn::Transform" || key.starts_with("Fn::ForEach::");
        if keys > 1 && key.starts_with("Fn::") && !macros && self.stack.template.transforms.is_empty() {
            self.problems.push(
                Problem::error(&codes::WRONG_ARGUMENTS, place, format!("`{key}` must be the only key of its mapping"))
                    .help("a function stands for the whole value: put the other keys elsewhere"),
            );
        }
    }

    fn call(&mut self, call: Call<'a>, here: Here<'a>) {
        if !self.is_sound(&call) {
            return self.expression(call.argument, here);
        }
        let (argument, items) = (call.argument, call.argument.items());
        match (call.name, items) {
            ("Ref", _) => self.reference(argument.text().unwrap_or_default(), None, argument.place, here),
            ("Fn::GetAtt", _) => match attribute(argument) {
                Some((name, Attribute::Named(attribute), place)) => {
                    self.reference(name, Some(attribute), place, here);
                }
                Some((name, Attribute::Expression(expression), place)) => {
                    self.reference(name, Some("…"), place, here);
                    self.expression(expression, here);
                }
                None => {}
            },
            ("Fn::Sub", _) => self.substitution(argument, here),
            ("Fn::If", [name, yes, no]) => {
                let holds = name.text().map_or(Holds::Unknown, |text| {
                    self.condition_name(text, name.place);
                    self.stack.condition(text)
                });
                self.expression(yes, Here { live: here.live.and(holds), ..here });
                self.expression(no, Here { live: here.live.and(holds.not()), ..here });
            }
            ("Fn::FindInMap", [map, first, second]) => {
                items.iter().for_each(|item| self.expression(item, here));
                self.mapped(map, first, second, here);
            }
            ("Fn::Select", [index, list]) => {
                items.iter().for_each(|item| self.expression(item, here));
                self.selected(index, list, here);
            }
            ("Fn::Cidr", [block, count, bits @ ..]) => {
                items.iter().for_each(|item| self.expression(item, here));
                self.divided(block, count, bits.first(), here);
            }
            ("Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not", _) => self.logic(&call, here),
            _ => self.expression(argument, here),
        }
    }

    /// An expression that must be a condition.
    fn condition(&mut self, node: &'a Node, here: Here<'a>) {
        let Some(call) = Call::of_condition(node) else {
            // What is no mapping at all was told with the form.
            if matches!(node.shape, Shape::Map(_)) && self.stack.template.transforms.is_empty() {
                self.not_a_condition(node.place);
            }
            return self.expression(node, here);
        };
        if !self.is_sound(&call) {
            return self.expression(call.argument, here);
        }
        match call.name {
            "Condition" => self.condition_name(call.argument.text().unwrap_or_default(), call.argument.place),
            "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => self.logic(&call, here),
            "Fn::Contains" | "Fn::EachMemberEquals" | "Fn::EachMemberIn" | "Fn::Implies"
                if here.block == Block::Rules =>
            {
                self.expression(call.argument, here);
            }
            "Fn::Transform" => {}
            _ => {
                if self.stack.template.transforms.is_empty() {
                    self.not_a_condition(call.place);
                }
                self.call(call, here);
            }
        }
    }

    fn logic(&mut self, call: &Call<'a>, here: Here<'a>) {
        for item in call.argument.items() {
            if call.name == "Fn::Equals" {
                self.expression(item, here);
            } else if item.text().is_some() && self.stack.template.transforms.is_empty() {
                self.not_a_condition(item.place);
            } else {
                self.condition(item, here);
            }
        }
    }

    fn not_a_condition(&mut self, place: Place) {
        self.problems.push(
            Problem::error(&codes::WRONG_ARGUMENTS, place, "a condition must stand here")
                .help("write !Equals, !And, !Or, !Not, or the name of one: !Condition Name"),
        );
    }

    /// Whether there is such a function and it is given what it takes. Macros may make of it what they like.
    fn is_sound(&mut self, call: &Call<'a>) -> bool {
        let by_a_macro = Call::of(call.argument).is_some_and(|inner| inner.name == "Fn::Transform");
        if by_a_macro || !self.stack.template.transforms.is_empty() {
            return call.wrong_arguments().is_none();
        }
        let Call { name, place, argument } = *call;
        if name != "Condition" && !FUNCTIONS.contains(&name) && !name.starts_with("Fn::ForEach::") {
            let problem = Problem::error(&codes::UNKNOWN_FUNCTION, place, format!("there is no function `{name}`"));
            // `!ref` is no function of that spelling; it is nearer to its own than to any other.
            let short = name.strip_prefix("Fn::").unwrap_or(name);
            let same = |known: &&str| known.trim_start_matches("Fn::").eq_ignore_ascii_case(short);
            self.problems.push(match FUNCTIONS.into_iter().find(same) {
                Some(right) => problem.help(format!("did you mean `{right}`?")),
                None => problem.nearest(name, FUNCTIONS),
            });
            return false;
        }
        let wrong = call.wrong_arguments();
        if let Some(takes) = wrong {
            let place = if argument.place.end > argument.place.start { argument.place } else { place };
            self.problems.push(Problem::error(&codes::WRONG_ARGUMENTS, place, format!("`{name}` takes {takes}")));
        }
        wrong.is_none()
    }

    fn substitution(&mut self, argument: &'a Node, here: Here<'a>) {
        let Some((text, locals)) = substitution(argument) else { return };
        let in_text = Here { within: Within::Text, ..here };
        for part in parts(text.text().unwrap_or_default()) {
            match part {
                Part::Text(_) | Part::Literal(_) => {}
                Part::Wrong(wrong, start, end) => self.problems.push(
                    Problem::error(
                        &codes::WRONG_SUBSTITUTION,
                        inside(text, start, end),
                        format!("`{wrong}` between ${{ and }} is no name"),
                    )
                    .help("names have letters, digits, underscores, dots and colons; write ${!…} for the text itself"),
                ),
                Part::Name(name, _, _) if locals.iter().any(|(key, _, _)| key == name) => {}
                Part::Name(name, start, end) => {
                    let place = inside(text, start, end);
                    match name.split_once('.') {
                        Some((id, attribute)) => {
                            self.reference(id, Some(attribute), inside(text, start, start + id.len()), in_text);
                        }
                        None => self.reference(name, None, place, in_text),
                    }
                }
            }
        }
        locals.iter().for_each(|(_, _, local)| self.expression(local, here));
    }
}

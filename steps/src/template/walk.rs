//! Goes through every expression of a template: functions and what they are given, and the names that lead nowhere.
//! Knows values only where a condition decides whether an expression counts.

use std::collections::{HashMap, HashSet};

use super::calls::{Attribute, Call, FUNCTIONS, Part, attribute, inside, parts, substitution};
use super::conditions::{Holds, groups};
use super::evaluate::Stack;
use super::node::{Node, Shape};
use super::read::Resource;
use super::{Problem, explain};
use crate::codes::template as codes;
use crate::partial::{Place, nearest};

/// Pseudo parameters (AWS docs).
const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];
/// Most names for which a nearest one is looked for: each is held against all that there are.
const MOST_SEARCHES: usize = 50;

/// What is wrong with the expressions of a template.
pub(super) fn check(stack: &Stack<'_>) -> Vec<Problem> {
    let mut walk = Walk { stack, problems: Vec::new(), told: HashSet::new(), needs: HashMap::new(), searches: 0 };
    let template = stack.template;
    for (name, condition) in &template.conditions {
        let here = Here { block: Block::Conditions, owner: name, index: None, live: Holds::Yes };
        walk.condition(&condition.expression, here);
    }
    for (name, rule) in &template.rules {
        let here = Here { block: Block::Rules, owner: name, index: None, live: Holds::Yes };
        rule.condition.iter().for_each(|condition| walk.condition(condition, here));
        rule.assertions.iter().for_each(|(assertion, _)| walk.condition(assertion, here));
    }
    for (index, (id, resource)) in template.resources.iter().enumerate() {
        let live = stack.has(resource.condition.as_ref());
        let here = Here { block: Block::Resources, owner: id, index: Some(index), live };
        walk.named_condition(resource.condition.as_ref());
        resource.properties.iter().chain(&resource.others).for_each(|node| walk.expression(node, here));
        resource.depends_on.iter().for_each(|(name, place)| walk.depends_on(name, *place, here));
    }
    for (key, output) in &template.outputs {
        let live = stack.has(output.condition.as_ref());
        let here = Here { block: Block::Outputs, owner: key, index: None, live };
        walk.named_condition(output.condition.as_ref());
        output.value.iter().chain(&output.export).for_each(|node| walk.expression(node, here));
    }
    walk.circles();
    walk.problems
}

struct Walk<'s, 'a> {
    stack: &'s Stack<'a>,
    problems: Vec<Problem>,
    /// Who was told of which name: one that is used ten times is one mistake.
    told: HashSet<(&'a str, String)>,
    /// Which resource surely needs which, and where it says so.
    needs: HashMap<usize, Vec<(usize, Place)>>,
    searches: usize,
}

/// Where an expression stands.
#[derive(Clone, Copy)]
struct Here<'a> {
    block: Block,
    /// The logical id or the key that it belongs to.
    owner: &'a str,
    /// Of a resource, its number.
    index: Option<usize>,
    /// Whether it counts with these parameters.
    live: Holds,
}

/// A section that holds expressions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Conditions,
    Rules,
    Resources,
    Outputs,
}

impl Block {
    fn name(self) -> &'static str {
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
        if !self.stack.template.transforms.is_empty() {
            return call.wrong_arguments().is_none();
        }
        let Call { name, place, argument } = *call;
        if name != "Condition" && !FUNCTIONS.contains(&name) && !name.starts_with("Fn::ForEach::") {
            let problem = Problem::error(&codes::UNKNOWN_FUNCTION, place, format!("there is no function `{name}`"));
            self.problems.push(problem.nearest(name, FUNCTIONS));
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
                            self.reference(id, Some(attribute), inside(text, start, start + id.len()), here);
                        }
                        None => self.reference(name, None, place, here),
                    }
                }
            }
        }
        locals.iter().for_each(|(_, _, local)| self.expression(local, here));
    }

    fn reference(&mut self, name: &str, attribute: Option<&str>, place: Place, here: Here<'a>) {
        let template = self.stack.template;
        if PSEUDO.contains(&name) {
            return;
        }
        if let Some(index) = template.resources.get_index_of(name) {
            return self.resource(index, attribute, place, here);
        }
        if template.parameters.contains_key(name) {
            if attribute.is_some() && self.is_new(here.owner, name) {
                let message = format!("`{name}` is a parameter: it has no attributes");
                self.problems
                    .push(Problem::error(&codes::UNKNOWN_NAME, place, message).help(format!("write !Ref {name}")));
            }
            return;
        }
        if name.starts_with("AWS::") {
            let message = format!("there is no pseudo parameter `{name}`");
            self.problems.push(Problem::error(&codes::UNKNOWN_PSEUDO, place, message).nearest(name, PSEUDO));
            return;
        }
        if template.open || !self.is_new(here.owner, name) {
            return;
        }
        let what = if attribute.is_some() { "resource" } else { "parameter or resource" };
        let message = format!("there is no {what} `{name}`");
        let problem = Problem::error(&codes::UNKNOWN_NAME, place, message);
        let names = template.resources.keys().map(String::as_str);
        let parameters = template.parameters.keys().map(String::as_str).filter(|_| attribute.is_none());
        let near = self.search(name, names.chain(parameters));
        self.problems.push(match near {
            Some(right) => problem.help(format!("did you mean `{right}`?")),
            None => problem.help(format!(
                "CloudFormation would say: Unresolved resource dependencies [{name}] in the {} block of the template",
                here.block.name()
            )),
        });
    }

    /// A name that leads to a resource.
    fn resource(&mut self, index: usize, attribute: Option<&str>, place: Place, here: Here<'a>) {
        let (name, resource) = self.stack.template.resources.get_index(index).expect("it was found by its name");
        if matches!(here.block, Block::Conditions | Block::Rules) {
            let message = format!("`{name}` is a resource: {} know parameters only", here.block.name().to_lowercase());
            self.problems.push(
                Problem::error(&codes::RESOURCE_IN_CONDITION, place, message).related(resource.place, "made here"),
            );
            return;
        }
        match (here.live, self.stack.has(resource.condition.as_ref())) {
            (Holds::Yes, Holds::Yes) => self.need(here, index, place),
            (Holds::Yes, Holds::No) if self.is_new(here.owner, name) => {
                let problem = self.absent((name, attribute), resource, place, here);
                self.problems.push(problem);
            }
            (Holds::Yes | Holds::No | Holds::Unknown, Holds::Yes | Holds::No | Holds::Unknown) => {}
        }
    }

    /// The mistake that costs most: it is only met when the stack is made in the other mode.
    fn absent(
        &self,
        (name, attribute): (&str, Option<&str>),
        resource: &Resource,
        place: Place,
        here: Here<'a>,
    ) -> Problem {
        let (condition, _) = resource.condition.as_ref().expect("what needs no condition is there");
        let values = explain::values(self.stack, condition);
        let with = if values.is_empty() { String::new() } else { format!(" with {values}") };
        let (what, cure) = match here.block {
            Block::Outputs => (format!("the output `{}`", here.owner), "Give".to_owned()),
            Block::Conditions | Block::Rules | Block::Resources => {
                let value = attribute.map_or(format!("!Ref {name}"), |attribute| format!("!GetAtt {name}.{attribute}"));
                (format!("`{}`", here.owner), format!("Write !If [{condition}, {value}, !Ref AWS::NoValue], or give"))
            }
        };
        let message = format!("{what} needs `{name}`, which these parameters do not make");
        let mut problem = Problem::error(&codes::ABSENT_RESOURCE, place, message)
            .related(resource.place, format!("made only if `{condition}` holds"))
            .help(format!(
                "CloudFormation would refuse the stack: Unresolved resource dependencies [{name}] in the {} block of the \
                 template. {cure} {what} the condition {condition}",
                here.block.name()
            ));
        if let Some(declared) = self.stack.template.conditions.get(condition) {
            problem = problem.related(declared.place, format!("false{with}"));
        }
        problem
    }

    fn depends_on(&mut self, name: &str, place: Place, here: Here<'a>) {
        let template = self.stack.template;
        let Some((index, _, resource)) = template.resources.get_full(name) else {
            if template.open || !self.is_new(here.owner, name) {
                return;
            }
            let near = self.search(name, template.resources.keys().map(String::as_str));
            let problem = Problem::error(&codes::UNKNOWN_NAME, place, format!("there is no resource `{name}`"));
            self.problems.push(match near {
                Some(right) => problem.help(format!("did you mean `{right}`?")),
                None if template.parameters.contains_key(name) => problem.help("it is a parameter"),
                None => problem,
            });
            return;
        };
        match (here.live, self.stack.has(resource.condition.as_ref())) {
            (Holds::Yes, Holds::Yes) => self.need(here, index, place),
            (Holds::Yes, Holds::No) => {
                let (condition, at) = resource.condition.as_ref().expect("what needs no condition is there");
                let values = explain::values(self.stack, condition);
                let message = format!("`{}` waits for `{name}`, which these parameters do not make", here.owner);
                self.problems.push(
                    Problem::warning(&codes::ABSENT_DEPENDENCY, place, message)
                        .related(*at, format!("made only if `{condition}` holds: false with {values}"))
                        .help(
                            "nothing is waited for then; if it must be, let a !If in the metadata of the resource name it",
                        ),
                );
            }
            (Holds::Yes | Holds::No | Holds::Unknown, Holds::Yes | Holds::No | Holds::Unknown) => {}
        }
    }

    fn named_condition(&mut self, condition: Option<&(String, Place)>) {
        if let Some((name, place)) = condition {
            self.condition_name(name, *place);
        }
    }

    fn condition_name(&mut self, name: &str, place: Place) {
        let template = self.stack.template;
        if template.conditions.contains_key(name) || template.open {
            return;
        }
        let near = self.search(name, template.conditions.keys().map(String::as_str));
        let problem = Problem::error(&codes::UNKNOWN_CONDITION, place, format!("there is no condition `{name}`"));
        self.problems.push(match near {
            Some(right) => problem.help(format!("did you mean `{right}`?")),
            None => problem.help("declare it under `Conditions`"),
        });
    }

    /// A mapping that is not there, or has no such key.
    fn mapped(&mut self, map: &'a Node, first: &'a Node, second: &'a Node, here: Here<'a>) {
        let stack = self.stack;
        if here.live != Holds::Yes || stack.template.open || !stack.template.transforms.is_empty() {
            return;
        }
        let Some(name) = stack.resolve(map).known() else { return };
        let Some(keys) = stack.template.mappings.get(&name) else {
            let problem = Problem::error(&codes::UNKNOWN_MAPPING, map.place, format!("there is no mapping `{name}`"));
            return self.problems.push(problem.nearest(&name, stack.template.mappings.keys().map(String::as_str)));
        };
        let Some(key) = stack.resolve(first).known() else { return };
        let Some(inner) = keys.get(&key) else {
            let message = format!("the mapping `{name}` has no key `{key}`");
            return self.problems.push(missing_key(first.place, message, &key, keys.keys()));
        };
        let Some(last) = stack.resolve(second).known() else { return };
        if !inner.contains_key(&last) {
            let message = format!("the mapping `{name}` has no key `{last}` under `{key}`");
            self.problems.push(missing_key(second.place, message, &last, inner.keys()));
        }
    }

    /// An item that a list does not have.
    fn selected(&mut self, index: &'a Node, list: &'a Node, here: Here<'a>) {
        if here.live != Holds::Yes {
            return;
        }
        let Some(text) = self.stack.resolve(index).known() else { return };
        let Ok(number) = text.trim().parse::<usize>() else {
            let message = format!("`Fn::Select` takes a number from 0, not `{text}`");
            return self.problems.push(Problem::error(&codes::WRONG_SELECTION, index.place, message));
        };
        let super::Resolved::List(items) = self.stack.resolve(list) else { return };
        // An item that is not known may be several: a function can give a list within a list.
        if number >= items.len() && !items.contains(&super::Resolved::Unknown) {
            let message = format!("`Fn::Select` asks for item {number} of a list of {}", items.len());
            self.problems
                .push(Problem::error(&codes::WRONG_SELECTION, index.place, message).help("items are counted from 0"));
        }
    }

    fn need(&mut self, here: Here<'a>, on: usize, place: Place) {
        if let Some(who) = here.index {
            let needs = self.needs.entry(who).or_default();
            if !needs.iter().any(|(index, _)| *index == on) {
                needs.push((on, place));
            }
        }
    }

    /// Resources that wait for each other.
    fn circles(&mut self) {
        let count = self.stack.template.resources.len();
        let needs: Vec<Vec<usize>> = (0..count)
            .map(|i| self.needs.get(&i).map(|needs| needs.iter().map(|(on, _)| *on).collect()).unwrap_or_default())
            .collect();
        for mut group in groups(&needs) {
            group.sort_unstable();
            if group.len() == 1 && !needs[group[0]].contains(&group[0]) {
                continue;
            }
            let walk = self.walk_round(&group);
            let name =
                |index: usize| self.stack.template.resources.get_index(index).map_or("", |(name, _)| name.as_str());
            let mut names: Vec<String> = walk.iter().map(|(who, _, _)| format!("`{}`", name(*who))).collect();
            names.extend(names.first().cloned());
            let Some((_, _, first)) = walk.first() else { continue };
            let mut problem = Problem::error(
                &codes::CIRCULAR_RESOURCES,
                *first,
                format!("resources wait for each other: {}", names.join(" → ")),
            );
            for (who, on, place) in walk.iter().skip(1).take(6) {
                problem = problem.related(*place, format!("`{}` needs `{}`", name(*who), name(*on)));
            }
            self.problems.push(
                problem.help("CloudFormation would refuse the stack: Circular dependency between resources. Take one of these references out"),
            );
        }
    }

    /// A way round within a group, from its first resource: who needs whom, and where it says so.
    fn walk_round(&self, group: &[usize]) -> Vec<(usize, usize, Place)> {
        let (mut at, mut walk, mut seen) = (group[0], Vec::new(), HashMap::new());
        while !seen.contains_key(&at) {
            seen.insert(at, walk.len());
            let next =
                self.needs.get(&at).and_then(|needs| needs.iter().find(|(on, _)| group.binary_search(on).is_ok()));
            let Some((on, place)) = next else { return walk };
            walk.push((at, *on, *place));
            at = *on;
        }
        walk.split_off(seen[&at])
    }

    fn is_new(&mut self, owner: &'a str, name: &str) -> bool {
        self.told.insert((owner, name.to_owned()))
    }

    fn search<'n>(&mut self, wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        self.searches += 1;
        if self.searches > MOST_SEARCHES { None } else { nearest(wrong, names) }
    }
}

fn missing_key<'k>(place: Place, message: String, wrong: &str, keys: impl Iterator<Item = &'k String>) -> Problem {
    let mut keys: Vec<&str> = keys.map(String::as_str).collect();
    keys.sort_unstable();
    let has = format!("it has {}", keys.join(", "));
    Problem::error(&codes::UNKNOWN_MAPPING, place, message).help(has).nearest(wrong, keys)
}

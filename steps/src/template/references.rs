//! Names in a template: those that lead nowhere, and those that lead to what these parameters do not make.
//! Knows nothing of where expressions stand but what the walk tells.

use super::conditions::Holds;
use super::read::Resource;
use super::walk::{Block, Here, Walk, Within};
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

impl<'a> Walk<'_, 'a> {
    pub(super) fn reference(&mut self, name: &str, attribute: Option<&str>, place: Place, here: Here<'a>) {
        let template = self.stack.template;
        if PSEUDO.contains(&name) {
            return;
        }
        if let Some(index) = template.resources.get_index_of(name) {
            return self.resource(index, attribute, place, here);
        }
        if let Some((name, _)) = template.parameters.get_key_value(name) {
            if here.live == Holds::Yes && matches!(here.block, Block::Resources | Block::Outputs) {
                self.used.insert(name);
            }
            if here.live != Holds::No && here.block == Block::Outputs {
                self.shown.push((name, here.owner, place));
            }
            if attribute.is_some() && self.is_new(here, name) {
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
        if template.open || self.is_of_a_module(name) || !self.is_new(here, name) {
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
            (Holds::Yes, Holds::No) if self.is_new(here, name) => {
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
            Block::Resources if here.within == Within::Text => {
                let cure = format!("Write !If [{condition}, !Sub …, …] around the whole text, or give");
                (format!("`{}`", here.owner), cure)
            }
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

    pub(super) fn depends_on(&mut self, name: &str, place: Place, here: Here<'a>) {
        let template = self.stack.template;
        let Some((index, _, resource)) = template.resources.get_full(name) else {
            if template.open || !self.is_new(here, name) {
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
                let with = if values.is_empty() { String::new() } else { format!(" with {values}") };
                let message = format!("`{}` waits for `{name}`, which these parameters do not make", here.owner);
                self.problems.push(
                    Problem::warning(&codes::ABSENT_DEPENDENCY, place, message)
                        .related(*at, format!("made only if `{condition}` holds: false{with}"))
                        .help(
                            "nothing is waited for then; if it must be, let a !If in the metadata of the resource name it",
                        ),
                );
            }
            (Holds::Yes | Holds::No | Holds::Unknown, Holds::Yes | Holds::No | Holds::Unknown) => {}
        }
    }

    /// Whether a name may be that of a resource within a module: the names of both, one after the other.
    fn is_of_a_module(&self, name: &str) -> bool {
        let modules =
            self.stack.template.resources.iter().filter(|(_, resource)| resource.kind.0.ends_with("::MODULE"));
        modules.into_iter().any(|(id, _)| name.starts_with(id.as_str()))
    }

    pub(super) fn named_condition(&mut self, condition: Option<&(String, Place)>) {
        if let Some((name, place)) = condition {
            self.condition_name(name, *place);
        }
    }

    pub(super) fn condition_name(&mut self, name: &str, place: Place) {
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

    fn is_new(&mut self, here: Here<'a>, name: &str) -> bool {
        self.told.insert((here.block, here.owner, name.to_owned()))
    }

    fn search<'n>(&mut self, wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        self.searches += 1;
        if self.searches > MOST_SEARCHES { None } else { nearest(wrong, names) }
    }
}

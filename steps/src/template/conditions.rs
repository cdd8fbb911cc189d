//! Which conditions of a template hold, as far as that can be known: yes, no, or not before the run.
//! Knows nothing of resources; what only AWS knows (the account, the region) makes a condition unknown.

use petgraph::Directed;
use petgraph::graph::{Graph, NodeIndex};

use super::calls::Call;
use super::evaluate::{Resolved, Stack};
use super::node::{Node, Shape};

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// That is not known before the run.
    Unknown,
}

impl Holds {
    /// Both hold: one that does not decides.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            (Self::Unknown, Self::Yes | Self::Unknown) | (Self::Yes, Self::Unknown) => Self::Unknown,
        }
    }

    /// One of both holds: one that does decides.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }

    /// It does not hold.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "an operator would hide that there are three values")]
    pub fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<Option<bool>> for Holds {
    fn from(known: Option<bool>) -> Self {
        known.map_or(Self::Unknown, |holds| if holds { Self::Yes } else { Self::No })
    }
}

impl Stack<'_> {
    /// Whether an expression of `Conditions` or of a rule holds. Functions of rules are known too.
    pub fn holds(&self, expression: &Node) -> Holds {
        let Some(Call { name, argument, .. }) = Call::of_condition(expression) else { return Holds::Unknown };
        let items = argument.items();
        let each = || items.iter().map(|item| self.holds(item));
        match (name, items) {
            ("Condition", _) => argument.text().map_or(Holds::Unknown, |name| self.condition(name)),
            ("Fn::Equals", [left, right]) => self.resolve(left).equals(&self.resolve(right)).into(),
            ("Fn::Not", [_]) => each().fold(Holds::Yes, Holds::and).not(),
            ("Fn::And", [_, ..]) => each().fold(Holds::Yes, Holds::and),
            ("Fn::Or", [_, ..]) => each().fold(Holds::No, Holds::or),
            ("Fn::Contains", [list, value]) => self.contains(list, &self.resolve(value)),
            ("Fn::EachMemberEquals", [list, value]) => {
                let value = self.resolve(value);
                self.each_member(list, |member| member.equals(&value).into())
            }
            ("Fn::EachMemberIn", [some, all]) => self.each_member(some, |member| self.contains(all, member)),
            _ => Holds::Unknown,
        }
    }

    fn contains(&self, list: &Node, value: &Resolved) -> Holds {
        let Resolved::List(members) = self.resolve(list) else { return Holds::Unknown };
        members.iter().map(|member| member.equals(value).into()).fold(Holds::No, Holds::or)
    }

    fn each_member(&self, list: &Node, holds: impl Fn(&Resolved) -> Holds) -> Holds {
        let Resolved::List(members) = self.resolve(list) else { return Holds::Unknown };
        members.iter().map(holds).fold(Holds::Yes, Holds::and)
    }
}

/// The order in which conditions can be told: each after those that it names. Those that go round in a circle come
/// together, and can never be told.
pub(super) fn order<'a>(conditions: impl Iterator<Item = (&'a str, &'a Node)>) -> Vec<Vec<&'a str>> {
    let conditions: Vec<(&str, &Node)> = conditions.collect();
    let index: std::collections::HashMap<&str, usize> =
        conditions.iter().enumerate().map(|(i, (name, _))| (*name, i)).collect();
    let needs = conditions.iter().map(|(_, expression)| {
        let mut named = Vec::new();
        named_in(expression, &mut named);
        named.into_iter().filter_map(|name| index.get(name).copied()).collect()
    });
    let needs: Vec<Vec<usize>> = needs.collect();
    groups(&needs).into_iter().map(|group| group.into_iter().map(|i| conditions[i].0).collect()).collect()
}

/// The conditions that an expression names.
pub(super) fn named_in<'a>(node: &'a Node, found: &mut Vec<&'a str>) {
    match &node.shape {
        Shape::Null | Shape::Scalar(_) => {}
        Shape::List(items) => items.iter().for_each(|item| named_in(item, found)),
        Shape::Map(entries) => {
            if let [(key, _, argument)] = entries.as_slice()
                && key == "Condition"
            {
                found.extend(argument.text());
            }
            entries.iter().for_each(|(_, _, node)| named_in(node, found));
        }
    }
}

/// What needs what, in groups: each group after all that it needs; more than one in a group, or one that needs itself,
/// is a circle.
pub(super) fn groups(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut graph: Graph<(), (), Directed> = Graph::new();
    let nodes: Vec<NodeIndex> = needs.iter().map(|_| graph.add_node(())).collect();
    for (from, needs) in needs.iter().enumerate() {
        for to in needs {
            graph.add_edge(nodes[from], nodes[*to], ());
        }
    }
    // Kosaraju's algorithm keeps its own stack: a long chain in a template must not end ours.
    let groups = petgraph::algo::kosaraju_scc(&graph);
    groups.into_iter().map(|group| group.into_iter().map(NodeIndex::index).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Argument, Arguments, Template};
    use super::*;

    const TEXT: &str = r"
Parameters:
  Make: { Type: String, Default: true }
  Zone: { Type: String }
  Other: { Type: String }
  Nets: { Type: CommaDelimitedList, Default: 'a, b' }
Conditions:
  Makes: !Equals [!Ref Make, 'true']
  MakesNot: !Not [!Condition Makes]
  InOne: { 'Fn::And': [{ Condition: Makes }, { 'Fn::Equals': [{ Ref: Zone }, one] }] }
  Either: !Or [!Condition MakesNot, !Condition InOne]
  Same: !Equals [!Ref Other, !Ref Other]
  Here: !Equals [!Ref AWS::Region, us-west-2]
  NotHere: !Or [!Condition Here, !Condition Makes]
  Round: !Not [!Condition About]
  About: !Condition Round
  Lists: !Equals [!Ref Nets, [a, b]]
  Joined: !Equals [!Join ['-', !Ref Nets], a-b]
  Begins: !Equals [!Sub 'x-${Other}', 'y-z']
  Ends: !Equals [!Sub 'x-${Other}', 'x-z']
Resources:
  A: { Type: 'AWS::S3::Bucket' }
";

    fn check(arguments: &[(&str, &str)]) -> String {
        let template = Template::read(TEXT).expect("it is a template");
        let text = |value: &str| Argument::Text(value.to_owned());
        let arguments: Arguments = arguments.iter().map(|(k, v)| ((*k).to_owned(), text(v))).collect();
        let stack = Stack::new(&template, arguments);
        let word = |holds| match holds {
            Holds::Yes => "yes",
            Holds::No => "no",
            Holds::Unknown => "?",
        };
        let told: Vec<String> =
            template.conditions.keys().map(|name| format!("{name} {}", word(stack.condition(name)))).collect();
        told.join(", ")
    }

    #[test]
    fn what_is_not_known_decides_nothing_and_hides_nothing() {
        assert_eq!(
            check(&[("Zone", "one")]),
            "Makes yes, MakesNot no, InOne yes, Either yes, Same yes, Here ?, NotHere yes, Round ?, About ?, \
             Lists yes, Joined yes, Begins no, Ends ?"
        );
        assert_eq!(
            check(&[("Make", "false"), ("Other", "z"), ("Nets", "a")]),
            "Makes no, MakesNot yes, InOne no, Either yes, Same yes, Here ?, NotHere ?, Round ?, About ?, \
             Lists no, Joined no, Begins no, Ends yes"
        );
        assert!(check(&[]).contains("InOne ?, Either ?"), "{}", check(&[]));
    }

    #[test]
    fn a_chain_of_ten_thousand_is_walked() {
        let mut text = "Resources: { A: { Type: 'AWS::S3::Bucket' } }\nConditions:\n  C0: !Equals [a, a]\n".to_owned();
        for i in 1..10_000 {
            text += &format!("  C{i}: !Not [!Condition C{}]\n", i - 1);
        }
        let template = Template::read(&text).expect("it is a template");
        let stack = Stack::new(&template, Arguments::default());
        assert_eq!((stack.condition("C9998"), stack.condition("C9999")), (Holds::Yes, Holds::No));
    }
}

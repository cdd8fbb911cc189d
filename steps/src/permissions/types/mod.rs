//! What CloudFormation asks of its caller for each resource type, when the stack has no role of its own: facts of AWS's
//! resource handlers and of its service authorization reference. Knows no template: names of properties stand in braces.

mod compute;
mod ec2;
mod eks;
mod iam;
mod storage;

/// One resource type. The actions are those of making, reading, changing and deleting a resource of it.
#[derive(Debug)]
pub struct TypeNeeds {
    /// As in `AWS::EC2::VPC`.
    pub name: &'static str,
    /// Actions on [`TypeNeeds::on`], whatever the properties.
    pub acts: &'static [&'static str],
    /// More of them for each property that the template sets.
    pub acts_with: &'static [(&'static str, &'static [&'static str])],
    /// What the actions are on, the resource itself: `SERVICE:REST` of an ARN, where `{Property}` stands for a property's value
    /// (`*` where it is not known; a dot leads into it), `{name:Property}` for one that CloudFormation makes up if the template
    /// does not give it, `{key:Property}` for a key of KMS; `role:Property` for the roles that a property names. A value that
    /// is an ARN stands for the whole.
    pub on: &'static [&'static str],
    /// Actions on something else, for each property that names it: what it is made in, reads or hangs on.
    pub elsewhere: &'static [Elsewhere],
    /// Actions that IAM cannot narrow.
    pub looks: &'static [&'static str],
    /// More of them for each property that the template sets.
    pub looks_with: &'static [(&'static str, &'static [&'static str])],
    /// Properties that hold a role (its ARN, or its name) which is handed to a service.
    pub passes: &'static [(&'static str, &'static str)],
    /// Actions on the roles that are passed.
    pub role_looks: &'static [&'static str],
    /// Service-linked roles that are made on first use: the service, and the role's name.
    pub linked: &'static [(&'static str, &'static str)],
}

/// Actions on something that is not the resource itself, as `on` of [`TypeNeeds`] spells it; needed if the property is given.
#[derive(Debug)]
pub struct Elsewhere {
    /// The property; a dot leads into it.
    pub with: &'static str,
    /// Actions of one service.
    pub acts: &'static [&'static str],
    /// What they are on.
    pub on: &'static [&'static str],
}

impl TypeNeeds {
    /// A type that needs nothing.
    const NOTHING: Self = Self {
        name: "",
        acts: &[],
        acts_with: &[],
        on: &[],
        elsewhere: &[],
        looks: &[],
        looks_with: &[],
        passes: &[],
        role_looks: &[],
        linked: &[],
    };
}

const TABLES: [&[TypeNeeds]; 5] = [ec2::TYPES, iam::TYPES, eks::TYPES, storage::TYPES, compute::TYPES];

/// What a resource type needs; `None` for one that the table does not have.
pub fn find(name: &str) -> Option<&'static TypeNeeds> {
    all().find(|of| of.name == name)
}

/// Every type that the table has.
pub fn all() -> impl Iterator<Item = &'static TypeNeeds> {
    TABLES.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_stands_once_and_says_what_its_actions_are_on() {
        let mut names: Vec<&str> = all().map(|of| of.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for of in all() {
            assert_eq!(of.acts.is_empty() && of.acts_with.is_empty(), of.on.is_empty(), "{}", of.name);
            assert!(of.elsewhere.iter().all(|it| !it.acts.is_empty() && !it.on.is_empty()), "{}", of.name);
            assert!(of.role_looks.is_empty() || !of.passes.is_empty(), "{}", of.name);
            let actions = of.acts.iter().chain(of.looks).chain(of.role_looks);
            let more = of.acts_with.iter().chain(of.looks_with).flat_map(|(_, actions)| actions.iter());
            for action in actions.chain(more).chain(of.elsewhere.iter().flat_map(|it| it.acts)) {
                let (service, name) = action.split_once(':').expect("an action has a service");
                assert!(service.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{action}");
                assert!(name.chars().next().is_some_and(|c| c.is_ascii_uppercase()), "{action}");
            }
        }
    }
}

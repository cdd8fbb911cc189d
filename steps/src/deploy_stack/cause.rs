//! Why a stack failed: the first failing resource in its events, through nested stacks, without the noise.
//! Knows nothing of AWS clients: events are handed in, and it says which stack's events it needs next.

use std::collections::BTreeMap;

/// An event of a stack, as DescribeStackEvents gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Unique id.
    pub id: String,
    /// Microseconds since the epoch.
    pub at: i64,
    /// The resource's name in the template; for the stack itself, the stack's name.
    pub logical_id: String,
    /// The resource's id in AWS; for the stack itself, the stack's id.
    pub physical_id: String,
    /// As CloudFormation names it, such as `AWS::EC2::NatGateway`.
    pub kind: String,
    /// Such as `CREATE_FAILED`.
    pub status: String,
    /// Why.
    pub reason: String,
    /// The token of the operation that caused it.
    pub token: String,
}

/// The kind of a (nested) stack.
pub const STACK: &str = "AWS::CloudFormation::Stack";

/// What the events of a failed stack say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traced {
    /// The first cause.
    Found(Cause),
    /// The events of this nested stack (its id) are needed to tell.
    Needs(String),
    /// The events name no cause.
    Nothing,
}

/// The first cause of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Logical ids from the stack to the resource; empty when the stack itself failed.
    pub path: Vec<String>,
    /// The resource's type.
    pub kind: String,
    /// The service's words.
    pub reason: String,
}

impl Cause {
    /// One sentence on the stack `name`.
    pub fn sentence(&self, name: &str) -> String {
        let reason = self.reason.trim().trim_end_matches('.');
        if self.path.is_empty() {
            return format!("the stack {name} failed: {reason}");
        }
        format!("the stack {name} failed at {} ({}): {reason}", self.path.join("/"), self.kind)
    }
}

/// The first cause in the events of `stack` (by id), as far as `known` (events by stack id) goes.
pub fn trace(stack: &str, known: &BTreeMap<String, Vec<Event>>) -> Traced {
    let mut path = Vec::new();
    let mut stack = stack.to_owned();
    let mut best: Option<Cause> = None;
    loop {
        let Some(events) = known.get(&stack) else { return Traced::Needs(stack) };
        match first_failure(&stack, events) {
            Some(event) if event.kind == STACK && event.physical_id != stack && !event.physical_id.is_empty() => {
                path.push(event.logical_id.clone());
                best = Some(Cause { path: path.clone(), kind: event.kind.clone(), reason: event.reason.clone() });
                stack.clone_from(&event.physical_id);
            }
            Some(event) => {
                if event.physical_id != stack {
                    path.push(event.logical_id.clone());
                }
                return Traced::Found(Cause { path, kind: event.kind.clone(), reason: event.reason.clone() });
            }
            // A nested stack without a cause of its own: what its parent says of it is all there is.
            None => return best.map_or(Traced::Nothing, Traced::Found),
        }
    }
}

/// The earliest failure that is not the echo of another: a resource's or nested stack's, else the stack's own.
fn first_failure<'a>(stack: &str, events: &'a [Event]) -> Option<&'a Event> {
    let failures = || events.iter().filter(|e| is_failure(e) && !e.reason.is_empty());
    let echo = |e: &Event| is_noise(&e.reason) && !(e.kind == STACK && e.physical_id != stack);
    let of_a_resource = failures().filter(|e| !echo(e) && e.physical_id != stack).min_by_key(|e| e.at);
    of_a_resource.or_else(|| failures().filter(|e| !is_noise(&e.reason)).min_by_key(|e| e.at))
}

fn is_failure(event: &Event) -> bool {
    event.status.ends_with("_FAILED") || event.status.ends_with("ROLLBACK_IN_PROGRESS")
}

/// Reasons that only repeat that something else failed (facts part E).
fn is_noise(reason: &str) -> bool {
    const NOISE: [&str; 6] = [
        "Resource creation cancelled",
        "Resource update cancelled",
        "Resource deletion cancelled",
        "Rollback requested by user",
        "The following resource(s) failed to",
        "was not successfully",
    ];
    NOISE.iter().any(|noise| reason.contains(noise))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: i64, logical: &str, physical: &str, kind: &str, status: &str, reason: &str) -> Event {
        let s = str::to_owned;
        Event {
            at,
            logical_id: s(logical),
            physical_id: s(physical),
            kind: s(kind),
            status: s(status),
            reason: s(reason),
            ..Event::default()
        }
    }

    fn check(known: &[(&str, Vec<Event>)]) -> String {
        match trace("root", &known.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()) {
            Traced::Found(cause) => cause.sentence("hyperpod"),
            Traced::Needs(stack) => format!("needs {stack}"),
            Traced::Nothing => "nothing".to_owned(),
        }
    }

    fn rolled_back() -> Vec<Event> {
        vec![
            event(9, "hyperpod", "root", STACK, "ROLLBACK_COMPLETE", ""),
            event(
                6,
                "hyperpod",
                "root",
                STACK,
                "ROLLBACK_IN_PROGRESS",
                "The following resource(s) failed to create: [Nat, Role]. Rollback requested by user.",
            ),
            event(5, "Role", "", "AWS::IAM::Role", "CREATE_FAILED", "Resource creation cancelled"),
            event(
                4,
                "Nat",
                "",
                "AWS::EC2::NatGateway",
                "CREATE_FAILED",
                "Network vpc-1 has no Internet gateway attached.",
            ),
            event(1, "hyperpod", "root", STACK, "CREATE_IN_PROGRESS", "User Initiated"),
        ]
    }

    #[test]
    fn the_first_cause_is_one_sentence_without_the_noise() {
        assert_eq!(
            check(&[("root", rolled_back())]),
            "the stack hyperpod failed at Nat (AWS::EC2::NatGateway): Network vpc-1 has no Internet gateway attached"
        );
        let quota =
            event(3, "Eip", "", "AWS::EC2::EIP", "CREATE_FAILED", "The maximum number of addresses has been reached.");
        let mut two = rolled_back();
        two.push(quota);
        assert_eq!(
            check(&[("root", two)]),
            "the stack hyperpod failed at Eip (AWS::EC2::EIP): The maximum number of addresses has been reached"
        );
        assert_eq!(check(&[("root", vec![])]), "nothing");
    }

    #[test]
    fn a_stack_that_failed_as_a_whole_says_so() {
        let own = event(
            2,
            "hyperpod",
            "root",
            STACK,
            "ROLLBACK_IN_PROGRESS",
            "Stack creation time exceeded the specified timeout.",
        );
        assert_eq!(
            check(&[("root", vec![own])]),
            "the stack hyperpod failed: Stack creation time exceeded the specified timeout"
        );
    }

    #[test]
    fn nested_stacks_are_followed_to_the_resource() {
        let nested = event(
            4,
            "Vpc",
            "nested",
            STACK,
            "CREATE_FAILED",
            "Embedded stack arn:… was not successfully created: The following resource(s) failed to create: [Nat].",
        );
        let root = vec![nested, event(5, "Role", "", "AWS::IAM::Role", "CREATE_FAILED", "Resource creation cancelled")];
        assert_eq!(check(&[("root", root.clone())]), "needs nested");
        let inner = vec![event(3, "Nat", "", "AWS::EC2::NatGateway", "CREATE_FAILED", "no gateway")];
        assert_eq!(
            check(&[("root", root.clone()), ("nested", inner)]),
            "the stack hyperpod failed at Vpc/Nat (AWS::EC2::NatGateway): no gateway"
        );
        assert!(check(&[("root", root), ("nested", vec![])]).starts_with("the stack hyperpod failed at Vpc (AWS::"));
    }
}

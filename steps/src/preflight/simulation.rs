//! IAM's own simulation: what a principal may do, with what its policies' conditions will see in the real call.
//! Knows nothing of what the actions are for.

use std::collections::BTreeSet;

use super::asker::Asker;
use super::verdict::Verdict;
use crate::clients::Caller;
use crate::error::StepError;
use crate::signed::xml::Xml;
use crate::signed::{self, Service};

/// What is simulated: each action on the one resource.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub principal: &'a str,
    pub actions: &'a [&'a str],
    pub resource: &'a str,
    /// The account that the resource is of; none where that is not known.
    pub owner: Option<&'a str>,
    /// Keys of conditions, with the value that the real call has. What every call has need not be named.
    pub context: &'a [(&'a str, &'a str)],
}

/// What the principal may not do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    /// Actions that no circumstance allows.
    pub plainly: Vec<String>,
    /// Actions that may be allowed: it hangs on keys that only the real call has.
    unsure: Vec<String>,
    keys: BTreeSet<String>,
    /// Actions of which the answer says nothing.
    untold: Vec<String>,
}

impl Refused {
    /// Both together.
    pub fn and(mut self, other: Self) -> Self {
        self.plainly.extend(other.plainly);
        self.unsure.extend(other.unsure);
        self.keys.extend(other.keys);
        self.untold.extend(other.untold);
        self
    }

    /// What is made of it: what is plainly refused is worse than what nobody can tell.
    pub fn verdict(&self, of: impl FnOnce(&[String]) -> Verdict) -> Verdict {
        if !self.plainly.is_empty() {
            return of(&self.plainly);
        }
        if self.unsure.is_empty() && self.untold.is_empty() {
            return Verdict::Good;
        }
        if self.unsure.is_empty() {
            return Verdict::Unknown(format!("because IAM's simulation says nothing of {}", self.untold.join(", ")));
        }
        let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        let (actions, keys) = (self.unsure.join(", "), keys.join(", "));
        Verdict::Unknown(format!("because a policy lets {actions} hang on {keys}, which only the real call has"))
    }

    /// What results say of the actions that were asked about.
    fn of(results: &[Xml], actions: &[&str]) -> Self {
        let is_told = |action: &str| {
            let mut told = results.iter().filter(|item| item.text_at("EvalDecision").is_some());
            told.any(|item| item.text_at("EvalActionName").is_some_and(|name| name.eq_ignore_ascii_case(action)))
        };
        let untold = actions.iter().filter(|action| !is_told(action)).map(|action| (*action).to_owned()).collect();
        let mut refused = Self { untold, ..Self::default() };
        for item in results.iter().filter(|item| item.text_at("EvalDecision") != Some("allowed")) {
            let (Some(action), Some(_)) = (item.text_at("EvalActionName"), item.text_at("EvalDecision")) else {
                continue;
            };
            let keys = missing(item);
            let of = if keys.is_empty() { &mut refused.plainly } else { &mut refused.unsure };
            of.push(action.to_owned());
            refused.keys.extend(keys);
        }
        refused
    }
}

/// The keys that conditions look at and the simulation did not have. AWS names them in the result where the resource is
/// `*`, and in the part about the resource where one is named.
fn missing(item: &Xml) -> BTreeSet<String> {
    let texts =
        |of: &Xml| of.list("MissingContextValues").iter().map(|key| key.text.trim().to_owned()).collect::<Vec<_>>();
    texts(item).into_iter().chain(item.list("ResourceSpecificResults").iter().flat_map(texts)).collect()
}

/// What AWS's simulation says that the principal may not do.
pub(super) async fn refused(asker: &Asker<'_>, wanted: &Wanted<'_>) -> Result<Refused, StepError> {
    let fields = fields(wanted, asker.caller, asker.region());
    let answer = signed::query(asker.clients, Service::Iam, "SimulatePrincipalPolicy", &fields).await?;
    let results = answer.get("SimulatePrincipalPolicyResult").map(|result| result.list("EvaluationResults"));
    Ok(Refused::of(results.unwrap_or_default(), wanted.actions))
}

/// The request. A condition on a key that is not given counts as not met, so all that is known of the real call is given.
fn fields(wanted: &Wanted<'_>, caller: &Caller, region: &str) -> Vec<(String, String)> {
    let always = [("aws:PrincipalAccount", caller.account.as_str()), ("aws:PrincipalArn", wanted.principal)];
    let region = region_of(wanted.actions, &caller.partition, region).map(|region| ("aws:RequestedRegion", region));
    let owner = wanted.owner.map(|owner| ("aws:ResourceAccount", owner));
    let mut fields = vec![("PolicySourceArn".to_owned(), wanted.principal.to_owned())];
    let actions = wanted.actions.iter().enumerate();
    fields.extend(actions.map(|(i, of)| (format!("ActionNames.member.{}", i + 1), (*of).to_owned())));
    fields.push(("ResourceArns.member.1".to_owned(), wanted.resource.to_owned()));
    let text =
        always.iter().chain(&region).chain(&owner).chain(wanted.context).map(|(key, value)| (*key, "string", *value));
    let all = text.chain([("aws:SecureTransport", "boolean", "true")]);
    for (i, (key, kind, value)) in all.enumerate() {
        let entry = format!("ContextEntries.member.{}", i + 1);
        fields.push((format!("{entry}.ContextKeyName"), key.to_owned()));
        fields.push((format!("{entry}.ContextKeyType"), kind.to_owned()));
        fields.push((format!("{entry}.ContextKeyValues.member.1"), value.to_owned()));
    }
    fields
}

/// Where the call counts as made. IAM is one service for a partition, in one region (IAM user guide, "AWS global condition
/// context keys"). `iam:PassRole` is no call of its own, and AWS does not say in which region it counts.
fn region_of<'a>(actions: &[&str], partition: &str, region: &'a str) -> Option<&'a str> {
    let is_of_iam = |action: &&str| action.starts_with("iam:");
    match partition {
        _ if actions.contains(&"iam:PassRole") => None,
        _ if !actions.iter().any(is_of_iam) => Some(region),
        "aws" => Some("us-east-1"),
        "aws-cn" => Some("cn-north-1"),
        "aws-us-gov" => Some("us-gov-west-1"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(text: &str) -> Refused {
        let xml = Xml::read(&format!("<Results>{text}</Results>")).expect("it is XML");
        Refused::of(&xml.children, &["a:B"])
    }

    const DENIED: &str = "<EvalActionName>a:B</EvalActionName><EvalDecision>implicitDeny</EvalDecision>";
    const MISSING: &str = "<MissingContextValues><member>aws:MultiFactorAuthPresent</member></MissingContextValues>";

    #[test]
    fn a_denial_that_hangs_on_keys_that_were_not_given_is_no_denial() {
        let bad = |refused: &Refused| refused.verdict(|actions| Verdict::bad(actions.join(", ")));
        let allowed = DENIED.replace("implicitDeny", "allowed");
        assert_eq!(bad(&results(&format!("<member>{allowed}{MISSING}</member>"))), Verdict::Good);
        let plain = results(&format!("<member>{DENIED}<MissingContextValues/></member>"));
        assert_eq!(bad(&plain), Verdict::bad("a:B"));
        let specific = format!("<ResourceSpecificResults><member>{MISSING}</member></ResourceSpecificResults>");
        for keys in [MISSING, &specific] {
            let unsure = results(&format!("<member>{DENIED}{keys}</member>"));
            let Verdict::Unknown(why) = bad(&unsure) else { panic!("nobody can tell: {unsure:?}") };
            assert_eq!(
                why,
                "because a policy lets a:B hang on aws:MultiFactorAuthPresent, which only the real call has"
            );
            assert_eq!(bad(&unsure.and(plain.clone())), Verdict::bad("a:B"), "one is refused whatever the other is");
        }
    }

    #[test]
    fn an_action_of_which_the_answer_says_nothing_is_not_allowed_by_that() {
        let other = DENIED.replace("a:B", "a:C").replace("implicitDeny", "allowed");
        for text in ["", &format!("<member>{other}</member>"), "<member><EvalActionName>a:B</EvalActionName></member>"]
        {
            let untold = results(text);
            let why = "because IAM's simulation says nothing of a:B".to_owned();
            assert_eq!(untold.verdict(|_| Verdict::Good), Verdict::Unknown(why), "{text}");
        }
    }

    #[test]
    fn a_call_of_iam_counts_in_the_one_region_of_its_partition() {
        let check = |partition, action| region_of(&[action], partition, "eu-west-1");
        let linked = "iam:CreateServiceLinkedRole";
        assert_eq!(check("aws", "s3:GetObject"), Some("eu-west-1"));
        assert_eq!((check("aws", linked), check("aws-cn", linked)), (Some("us-east-1"), Some("cn-north-1")));
        assert_eq!((check("aws-us-gov", linked), check("aws-iso", linked)), (Some("us-gov-west-1"), None));
        assert_eq!(check("aws", "iam:PassRole"), None, "it is judged within the call that it is passed in");
    }

    #[test]
    fn the_simulation_is_told_what_conditions_will_see() {
        let context = [("iam:PassedToService", "sagemaker.amazonaws.com")];
        let caller = Caller { account: "111122223333".to_owned(), arn: "a".to_owned(), partition: "aws".to_owned() };
        let own = Some("111122223333");
        let wanted = Wanted { principal: "p", actions: &["a:B"], resource: "*", owner: own, context: &context };
        let whose = |wanted: &Wanted<'_>| {
            let fields = fields(wanted, &caller, "us-west-2");
            fields.iter().any(|(_, value)| value == "aws:ResourceAccount")
        };
        assert!(whose(&wanted) && !whose(&Wanted { owner: None, ..wanted }), "only where it is known");
        let fields = fields(&wanted, &caller, "us-west-2");
        let given = |key: &str| {
            let (name, _) = fields.iter().find(|(name, value)| name.ends_with("ContextKeyName") && value == key)?;
            let name = name.replace("ContextKeyName", "ContextKeyValues.member.1");
            fields.iter().find(|(of, _)| *of == name).map(|(_, value)| value.as_str())
        };
        assert_eq!(given("iam:PassedToService"), Some("sagemaker.amazonaws.com"));
        assert_eq!(
            (given("aws:ResourceAccount"), given("aws:PrincipalAccount")),
            (Some("111122223333"), Some("111122223333"))
        );
        assert_eq!((given("aws:RequestedRegion"), given("aws:SecureTransport")), (Some("us-west-2"), Some("true")));
    }
}

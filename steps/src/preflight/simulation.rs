//! IAM's own simulation: what a principal may do, with what its policies' conditions will see in the real call.
//! Knows nothing of what the actions are for.

use std::collections::BTreeSet;

use super::asker::Asker;
use super::verdict::Verdict;
use crate::error::StepError;
use crate::signed::xml::Xml;
use crate::signed::{self, Service};

/// What is simulated: each action on the one resource.
pub(super) struct Wanted<'a> {
    pub principal: &'a str,
    pub actions: &'a [&'a str],
    pub resource: &'a str,
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
}

impl Refused {
    /// Both together.
    pub fn and(mut self, other: Self) -> Self {
        self.plainly.extend(other.plainly);
        self.unsure.extend(other.unsure);
        self.keys.extend(other.keys);
        self
    }

    /// What is made of it: what is plainly refused is worse than what nobody can tell.
    pub fn verdict(&self, of: impl FnOnce(&[String]) -> Verdict) -> Verdict {
        if !self.plainly.is_empty() {
            return of(&self.plainly);
        }
        if self.unsure.is_empty() {
            return Verdict::Good;
        }
        let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        let (actions, keys) = (self.unsure.join(", "), keys.join(", "));
        Verdict::Unknown(format!("because a policy lets {actions} hang on {keys}, which only the real call has"))
    }

    fn of(results: &[Xml]) -> Self {
        let mut refused = Self::default();
        for item in results.iter().filter(|item| item.text_at("EvalDecision") != Some("allowed")) {
            let Some(action) = item.text_at("EvalActionName") else { continue };
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
    let fields = fields(wanted, &asker.caller.account, asker.region());
    let answer = signed::query(asker.clients, Service::Iam, "SimulatePrincipalPolicy", &fields).await?;
    let result = answer.get("SimulatePrincipalPolicyResult");
    Ok(result.map_or_else(Refused::default, |result| Refused::of(result.list("EvaluationResults"))))
}

/// The request. A condition on a key that is not given counts as not met, so all that is known of the real call is given.
fn fields(wanted: &Wanted<'_>, account: &str, region: &str) -> Vec<(String, String)> {
    let always = [
        ("aws:PrincipalAccount", account),
        ("aws:PrincipalArn", wanted.principal),
        ("aws:RequestedRegion", region),
        ("aws:ResourceAccount", account),
    ];
    let mut fields = vec![("PolicySourceArn".to_owned(), wanted.principal.to_owned())];
    let actions = wanted.actions.iter().enumerate();
    fields.extend(actions.map(|(i, of)| (format!("ActionNames.member.{}", i + 1), (*of).to_owned())));
    fields.push(("ResourceArns.member.1".to_owned(), wanted.resource.to_owned()));
    let text = always.iter().chain(wanted.context).map(|(key, value)| (*key, "string", *value));
    let all = text.chain([("aws:SecureTransport", "boolean", "true")]);
    for (i, (key, kind, value)) in all.enumerate() {
        let entry = format!("ContextEntries.member.{}", i + 1);
        fields.push((format!("{entry}.ContextKeyName"), key.to_owned()));
        fields.push((format!("{entry}.ContextKeyType"), kind.to_owned()));
        fields.push((format!("{entry}.ContextKeyValues.member.1"), value.to_owned()));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(text: &str) -> Refused {
        let xml = Xml::read(&format!("<Results>{text}</Results>")).expect("it is XML");
        Refused::of(&xml.children)
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
    fn the_simulation_is_told_what_conditions_will_see() {
        let context = [("iam:PassedToService", "sagemaker.amazonaws.com")];
        let wanted = Wanted { principal: "p", actions: &["a:B"], resource: "*", context: &context };
        let fields = fields(&wanted, "111122223333", "us-west-2");
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

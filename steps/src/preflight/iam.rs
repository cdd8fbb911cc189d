//! IAM: roles, what they trust, and what principals may do (P22, P23, P27, P29, P30).
//! Knows nothing of conditions: what only holds under one is left to AWS's own simulation (simulation.rs).

use serde_json::{Map, Value as Json};

use super::asker::Asker;
use super::buckets;
use super::simulation::{Refused, Wanted, refused};
use super::verdict::Verdict;
use crate::clients::{self, Caller};
use crate::error::StepError;
use crate::signed::{self, Service};

/// What a node does (AWS managed policies AmazonSageMakerClusterInstanceRolePolicy and AmazonEKS_CNI_Policy), some actions of
/// each kind: those on a log stream, the metrics, which the policy allows in HyperPod's namespace only, and the rest.
const NODE_LOGS: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];
const NODE_MEASURES: [&str; 1] = ["cloudwatch:PutMetricData"];
const NODE_DOES: [&str; 2] = ["ssmmessages:OpenControlChannel", "ec2:CreateNetworkInterface"];
/// HyperPod's log groups, and its namespace of metrics.
const CLUSTERS: &str = "/aws/sagemaker/Clusters";
/// The service that takes the nodes' role.
const SAGEMAKER: &str = "sagemaker.amazonaws.com";
/// HyperPod's own role, and the service that it belongs to.
const LINKED: (&str, &str) = ("AWSServiceRoleForSageMakerHyperPod", "hyperpod.sagemaker.amazonaws.com");

/// A role that is there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Role {
    pub arn: String,
    /// None, if it cannot be read.
    pub trust: Option<Json>,
}

/// The role of this name.
async fn role(asker: &Asker<'_>, name: &str) -> Result<Option<Role>, StepError> {
    let ask = async {
        let fields = [("RoleName".to_owned(), name.to_owned())];
        let answer = match signed::query(asker.clients, Service::Iam, "GetRole", &fields).await {
            Ok(answer) => answer,
            Err(e) if e.has_code("NoSuchEntity") => return Ok(None),
            Err(e) => return Err(e),
        };
        let role = answer.get("GetRoleResult").and_then(|result| result.get("Role"));
        let text = |name: &str| role.and_then(|role| role.text_at(name)).unwrap_or_default().to_owned();
        // IAM gives documents percent-encoded; a plus sign in one is a plus sign.
        let encoded = text("AssumeRolePolicyDocument").replace('+', "%2B");
        let decoded = url::form_urlencoded::parse(format!("d={encoded}").as_bytes())
            .next()
            .map(|(_, document)| document.into_owned())
            .unwrap_or_default();
        Ok(Some(Role { arn: text("Arn"), trust: serde_json::from_str(&decoded).ok() }))
    };
    asker.learnt.roles.get(name, ask).await
}

fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// Whether the role is one of the account that is asked; another's cannot be looked at.
fn is_own(asker: &Asker<'_>, arn: &str) -> bool {
    arn.split(':').nth(4) == Some(&asker.caller.account)
}

/// The caller as IAM and access entries name it. The path of a role, such as that of every role of IAM Identity Center, is
/// not in the ARN of its session: the role is looked up by its name.
///
/// # Errors
/// The caller may not look.
pub(super) async fn principal(asker: &Asker<'_>) -> Result<String, StepError> {
    let plain = clients::principal(&asker.caller.arn);
    if plain == asker.caller.arn {
        return Ok(plain);
    }
    Ok(role(asker, name_of(&plain)).await?.map_or(plain, |role| role.arn))
}

/// The same for the simulation, which tells by itself that there is no such principal.
async fn likely_principal(asker: &Asker<'_>) -> String {
    principal(asker).await.unwrap_or_else(|_| clients::principal(&asker.caller.arn))
}

pub(super) async fn trust(asker: &Asker<'_>, arn: &str) -> Result<Verdict, StepError> {
    if !is_own(asker, arn) {
        return Ok(Verdict::Unknown("because the role is of another account".to_owned()));
    }
    Ok(trust_verdict(arn, role(asker, name_of(arn)).await?.as_ref()))
}

/// Of the role that shall be the nodes'.
fn trust_verdict(arn: &str, role: Option<&Role>) -> Verdict {
    match role {
        None => Verdict::bad(format!("there is no role {arn}")),
        Some(role) if role.arn != arn => Verdict::bad(format!("there is no role {arn}: its ARN is {}", role.arn)),
        Some(Role { trust: None, .. }) => Verdict::Unknown("because the trust policy cannot be read".to_owned()),
        Some(Role { trust: Some(document), .. }) if trusts(document, SAGEMAKER) => Verdict::Good,
        Some(_) => Verdict::bad(format!("the trust policy of {arn} does not let {SAGEMAKER} assume it")).help(format!(
            "add {{ Effect: Allow, Principal: {{ Service: {SAGEMAKER} }}, Action: sts:AssumeRole }} to it"
        )),
    }
}

fn trusts(document: &Json, service: &str) -> bool {
    let is_service = |principal: &Json| {
        principal.as_str() == Some("*")
            || principal.get("Service").is_some_and(|all| texts(all).any(|of| of == service || of == "*"))
    };
    statements(document).any(|statement| {
        statement.get("Effect").and_then(Json::as_str) == Some("Allow")
            && statement.get("Principal").is_some_and(is_service)
            && statement.get("Action").is_some_and(|all| texts(all).any(|of| matches(of, "sts:AssumeRole")))
    })
}

/// Whether a document by itself allows an action on a resource. A condition counts as met.
pub(super) fn document_allows(document: &Json, action: &str, resource: &str) -> bool {
    let covers = |statement: &Map<String, Json>, name: &str, wanted: &str| {
        statement.get(name).is_some_and(|all| texts(all).any(|pattern| matches(pattern, wanted)))
    };
    let effect = |statement: &Map<String, Json>| statement.get("Effect").and_then(Json::as_str) == Some("Allow");
    let about =
        |statement: &Map<String, Json>| covers(statement, "Action", action) && covers(statement, "Resource", resource);
    let denied = statements(document).any(|s| !effect(s) && about(s) && !s.contains_key("Condition"));
    // What stands under NotAction or NotResource is not weighed here: it may allow.
    let odd = |s: &Map<String, Json>| s.contains_key("NotAction") || s.contains_key("NotResource");
    !denied && statements(document).any(|s| effect(s) && (odd(s) || about(s)))
}

fn statements(document: &Json) -> impl Iterator<Item = &Map<String, Json>> {
    let statement = document.get("Statement");
    let one = statement.and_then(Json::as_object).into_iter();
    one.chain(statement.and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_object))
}

fn texts(value: &Json) -> impl Iterator<Item = &str> {
    value.as_str().into_iter().chain(value.as_array().into_iter().flatten().filter_map(Json::as_str))
}

/// IAM's wildcard `*`; the other, `?`, is any one character.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern = regex::escape(pattern).replace(r"\*", ".*").replace(r"\?", ".");
    regex::Regex::new(&format!("^(?i:{pattern})$")).is_ok_and(|regex| regex.is_match(text))
}

/// Logs are looked at only where the cluster's name is known, which their groups have.
pub(super) async fn policies(asker: &Asker<'_>, arn: &str, cluster: &str) -> Result<Verdict, StepError> {
    if !is_own(asker, arn) || role(asker, name_of(arn)).await?.is_none() {
        // That the role is missing is said where its trust is asked for.
        return Ok(Verdict::Good);
    }
    let Caller { partition, account, .. } = asker.caller;
    let stream =
        format!("arn:{partition}:logs:{}:{account}:log-group:{CLUSTERS}/{cluster}/id:log-stream:any", asker.region());
    let context = [("cloudwatch:namespace", CLUSTERS)];
    let owner = Some(account.as_str());
    let wanted = |actions, resource, context| Wanted { principal: arn, actions, resource, owner, context };
    let logs = async {
        if cluster.is_empty() {
            return Ok(Refused::default());
        }
        refused(asker, &wanted(&NODE_LOGS, &stream, &[])).await
    };
    let (metrics, rest) = (wanted(&NODE_MEASURES, "*", &context), wanted(&NODE_DOES, "*", &[]));
    let (logs, metrics, rest) = futures::try_join!(logs, refused(asker, &metrics), refused(asker, &rest))?;
    Ok(logs.and(metrics).and(rest).verdict(|refused| policies_verdict(arn, refused)))
}

/// Of a role that may not do these.
fn policies_verdict(arn: &str, refused: &[String]) -> Verdict {
    Verdict::doubt(format!("the role {arn} may not do what nodes do: {}", refused.join(", ")))
        .help("attach AmazonSageMakerClusterInstanceRolePolicy and AmazonEKS_CNI_Policy, or policies of your own that allow it")
}

pub(super) async fn reads(asker: &Asker<'_>, arn: &str, bucket: &str, key: &str) -> Result<Verdict, StepError> {
    if !is_own(asker, arn) || role(asker, name_of(arn)).await?.is_none() {
        return Ok(Verdict::Good);
    }
    let of_bucket = format!("arn:{}:s3:::{bucket}", asker.caller.partition);
    let of_object = format!("{of_bucket}/{key}");
    // AWS's own policy lets a role read buckets of its own account only.
    let owner = buckets::is_own(asker, bucket).await?.then_some(asker.caller.account.as_str());
    let wanted = |actions, resource| Wanted { principal: arn, actions, resource, owner, context: &[] };
    let (list, get) = (wanted(&["s3:ListBucket"], &of_bucket), wanted(&["s3:GetObject"], &of_object));
    let (list, get) = futures::try_join!(refused(asker, &list), refused(asker, &get))?;
    Ok(list.and(get).verdict(|refused| reads_verdict(arn, bucket, refused)))
}

/// Of a role that may not do these on the bucket.
fn reads_verdict(arn: &str, bucket: &str, refused: &[String]) -> Verdict {
    let verdict = Verdict::bad(format!("the role {arn} may not do {} on the bucket {bucket}", refused.join(" and ")));
    verdict.help("allow both to the role: AWS's own policy covers buckets whose name begins with sagemaker- only")
}

pub(super) async fn pass_role(asker: &Asker<'_>, arn: &str) -> Result<Verdict, StepError> {
    let principal = likely_principal(asker).await;
    let context = [("iam:PassedToService", SAGEMAKER)];
    let owner = arn.split(':').nth(4);
    let wanted = Wanted { principal: &principal, actions: &["iam:PassRole"], resource: arn, owner, context: &context };
    Ok(refused(asker, &wanted).await?.verdict(|_| pass_verdict(&principal, arn)))
}

fn pass_verdict(principal: &str, arn: &str) -> Verdict {
    Verdict::bad(format!("{principal} may not pass the role {arn} to SageMaker"))
        .help(format!("allow iam:PassRole on {arn} for iam:PassedToService {SAGEMAKER}"))
}

pub(super) async fn linked_role(asker: &Asker<'_>) -> Result<Verdict, StepError> {
    if role(asker, LINKED.0).await?.is_some() {
        return Ok(Verdict::Good);
    }
    let principal = likely_principal(asker).await;
    let own = format!(
        "arn:{}:iam::{}:role/aws-service-role/{}/{}",
        asker.caller.partition, asker.caller.account, LINKED.1, LINKED.0
    );
    let context = [("iam:AWSServiceName", LINKED.1)];
    let actions = ["iam:CreateServiceLinkedRole"];
    let owner = Some(asker.caller.account.as_str());
    let wanted = Wanted { principal: &principal, actions: &actions, resource: &own, owner, context: &context };
    Ok(refused(asker, &wanted).await?.verdict(|_| linked_verdict(&principal)))
}

/// Of an account without the role, and a caller who may not make it.
fn linked_verdict(principal: &str) -> Verdict {
    Verdict::bad(format!("the account has no role {}, and {principal} may not make it", LINKED.0))
        .help(format!("let somebody make it: aws iam create-service-linked-role --aws-service-name {}", LINKED.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ARN: &str = "arn:aws:iam::111122223333:role/nodes";

    fn role(arn: &str, service: &Json) -> Role {
        let statement = json!({ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" });
        Role { arn: arn.to_owned(), trust: Some(json!({ "Statement": [statement] })) }
    }

    #[test]
    fn sagemaker_must_be_trusted() {
        assert_eq!(trust_verdict(ARN, Some(&role(ARN, &json!(SAGEMAKER)))), Verdict::Good);
        assert_eq!(trust_verdict(ARN, Some(&role(ARN, &json!(["ec2.amazonaws.com", SAGEMAKER])))), Verdict::Good);
        for wrong in [
            None,
            Some(role(ARN, &json!("ec2.amazonaws.com"))),
            Some(role("arn:aws:iam::111122223333:role/x/nodes", &json!(SAGEMAKER))),
        ] {
            assert!(matches!(trust_verdict(ARN, wrong.as_ref()), Verdict::Bad(..)), "{wrong:?}");
        }
    }

    #[test]
    fn a_trust_policy_is_read_as_iam_reads_it() {
        let check = |action: &str, principal: Json| {
            let statement = json!({ "Effect": "Allow", "Principal": principal, "Action": action });
            trusts(&json!({ "Statement": statement }), SAGEMAKER)
        };
        let service = || json!({ "Service": SAGEMAKER });
        assert!(check("sts:assumerole", service()) && check("sts:Assume*", service()) && check("*", service()));
        assert!(check("sts:AssumeRole", json!("*")));
        assert!(!check("sts:TagSession", service()) && !check("sts:AssumeRole", json!({ "AWS": "*" })));
        let unread = Role { trust: None, ..role(ARN, &json!(SAGEMAKER)) };
        assert!(matches!(trust_verdict(ARN, Some(&unread)), Verdict::Unknown(_)));
    }

    #[test]
    fn what_is_refused_is_named() {
        assert!(matches!(policies_verdict(ARN, &["logs:CreateLogStream".to_owned()]), Verdict::Doubt(..)));
        assert!(matches!(reads_verdict(ARN, "b", &["s3:GetObject".to_owned()]), Verdict::Bad(..)));
        assert!(matches!(pass_verdict("me", ARN), Verdict::Bad(..)));
        assert!(matches!(linked_verdict("me"), Verdict::Bad(..)));
    }

    #[test]
    fn a_document_allows_by_wildcards_and_a_denial_wins() {
        let statement = |effect: &str, action: &str, resource: &str| json!({ "Effect": effect, "Action": [action], "Resource": resource });
        let check = |all: Json| document_allows(&json!({ "Statement": all }), "s3:GetObject", "arn:aws:s3:::b/a");
        assert!(
            check(statement("Allow", "s3:*", "*")) && check(json!([statement("Allow", "s3:get*", "arn:aws:s3:::b/?")]))
        );
        assert!(!check(json!([])) && !check(statement("Allow", "s3:PutObject", "*")));
        assert!(!check(json!([statement("Allow", "*", "*"), statement("Deny", "s3:*", "arn:aws:s3:::b/*")])));
    }
}

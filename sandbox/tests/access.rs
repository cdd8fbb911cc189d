//! A policy of the caller, over the wire: what it does not allow is denied in each service's own form.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod common;

use common::{Ask, ask, open};
use hprun_sandbox::{CallerPolicy, Sandbox};
use serde_json::{Value, json};

/// A sandbox whose caller may only list buckets and describe stacks.
async fn restricted(dir: &std::path::Path) -> Sandbox {
    let (sandbox, _) = open(dir, None).await;
    let statement = |action: &str| json!({ "Effect": "Allow", "Action": action, "Resource": "*" });
    set(&sandbox, json!([statement("s3:ListAllMyBuckets"), statement("cloudformation:DescribeStacks")]));
    sandbox
}

fn set(sandbox: &Sandbox, statements: Value) {
    let policy = CallerPolicy::new(json!({ "Version": "2012-10-17", "Statement": statements })).unwrap();
    sandbox.world().access().set(policy).unwrap();
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn post<'a>(service: &'a str, body: &'a str) -> Ask<'a> {
    json(service, std::slice::from_ref(&FORM), body)
}

fn json<'a>(service: &'a str, headers: &'a [(&'a str, &'a str)], body: &'a str) -> Ask<'a> {
    Ask { service, method: "POST", headers, body: body.as_bytes(), ..Ask::default() }
}

fn why(action: &str, resource: &str) -> String {
    format!(
        "User: arn:aws:sts::111122223333:assumed-role/HprunSandbox/hprun is not authorized to perform: {action} on \
         resource: {resource} because no identity-based policy allows the {action} action"
    )
}

#[tokio::test]
async fn each_service_denies_in_its_own_words() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = restricted(dir.path()).await;
    let stack = "arn:aws:cloudformation:us-west-2:111122223333:stack/new/*";
    let role = "arn:aws:iam::111122223333:role/HprunSandbox";
    let logs = "arn:aws:logs:us-west-2:111122223333:log-group:/a:log-stream:";
    for (request, status, code, action, resource) in [
        (
            post("cloudformation", "Action=CreateStack&Version=2010-05-15&StackName=new"),
            403,
            "AccessDenied",
            "cloudformation:CreateStack",
            stack,
        ),
        (
            post("iam", "Action=GetRole&Version=2010-05-08&RoleName=HprunSandbox"),
            403,
            "AccessDenied",
            "iam:GetRole",
            role,
        ),
        (post("ec2", "Action=DescribeVpcs&Version=2016-11-15"), 403, "UnauthorizedOperation", "ec2:DescribeVpcs", "*"),
        (
            Ask { service: "eks", path: "/clusters/mine", ..Ask::default() },
            403,
            "AccessDeniedException",
            "eks:DescribeCluster",
            "arn:aws:eks:us-west-2:111122223333:cluster/mine",
        ),
        (
            json("sagemaker", &[("x-amz-target", "SageMaker.DescribeCluster")], r#"{"ClusterName":"ml"}"#),
            400,
            "AccessDeniedException",
            "sagemaker:DescribeCluster",
            "arn:aws:sagemaker:us-west-2:111122223333:cluster/*",
        ),
        (
            json("ssm", &[("x-amz-target", "AmazonSSM.GetParameter")], r#"{"Name":"/a/b"}"#),
            400,
            "AccessDeniedException",
            "ssm:GetParameter",
            "arn:aws:ssm:us-west-2:111122223333:parameter/a/b",
        ),
        (
            json("logs", &[("x-amz-target", "Logs_20140328.DescribeLogStreams")], r#"{"logGroupName":"/a"}"#),
            400,
            "AccessDeniedException",
            "logs:DescribeLogStreams",
            logs,
        ),
        (Ask { path: "/mine/key", ..Ask::default() }, 403, "AccessDenied", "s3:GetObject", "arn:aws:s3:::mine/key"),
    ] {
        let answer = ask(&sandbox, request).await.unwrap();
        let text = answer.text();
        assert_eq!(answer.status, status, "{action}: {text}");
        assert!(text.contains(code) && text.contains(&why(action, resource)), "{action}: {text}");
    }
}

#[tokio::test]
async fn what_is_allowed_passes_and_who_is_calling_may_always_be_asked() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = restricted(dir.path()).await;
    let identity = b"Action=GetCallerIdentity&Version=2011-06-15";
    let sts = Ask { service: "sts", method: "POST", headers: &[FORM], body: identity, ..Ask::default() };
    assert_eq!(ask(&sandbox, sts).await.unwrap().status, 200);
    assert_eq!(ask(&sandbox, Ask::default()).await.unwrap().status, 200, "ListBuckets");
}

#[tokio::test]
async fn a_missing_object_is_told_only_to_those_who_may_list_the_bucket() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = restricted(dir.path()).await;
    let on = |resource: &str, actions: Value| json!({ "Effect": "Allow", "Action": actions, "Resource": resource });
    let objects = on("arn:aws:s3:::mine/*", json!("s3:GetObject"));
    set(&sandbox, json!([objects, on("arn:aws:s3:::mine", json!("s3:CreateBucket"))]));
    let location =
        b"<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>us-west-2</LocationConstraint></CreateBucketConfiguration>";
    let made = ask(&sandbox, Ask { method: "PUT", path: "/mine", body: location, ..Ask::default() }).await.unwrap();
    assert_eq!(made.status, 200, "{}", made.text());
    let get = || Ask { path: "/mine/nothing", ..Ask::default() };
    assert_eq!(ask(&sandbox, get()).await.unwrap().status, 403);
    set(&sandbox, json!([objects, on("arn:aws:s3:::mine", json!(["s3:ListBucket"]))]));
    assert_eq!(ask(&sandbox, get()).await.unwrap().status, 404);
}

#[tokio::test]
async fn a_world_keeps_its_policy_until_another_is_given() {
    let dir = tempfile::tempdir().unwrap();
    restricted(dir.path()).await.stop().await;
    let (sandbox, _) = open(dir.path(), None).await;
    let answer = ask(&sandbox, Ask { path: "/mine/key", ..Ask::default() }).await.unwrap();
    assert_eq!(answer.status, 403, "{}", answer.text());
}

#[tokio::test]
async fn a_simulation_of_the_caller_goes_by_its_policy_and_names_what_it_would_have_to_know() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    let role = "arn:aws:iam::111122223333:role/exec";
    let simulated = async |more: &str| {
        let form = format!(
            "Action=SimulatePrincipalPolicy&Version=2010-05-08&PolicySourceArn=arn:aws:iam::111122223333:role/HprunSandbox\
             &ActionNames.member.1=iam:PassRole&ResourceArns.member.1={role}{more}"
        );
        let asked = Ask { service: "iam", method: "POST", headers: &[FORM], body: form.as_bytes(), ..Ask::default() };
        let text = ask(&sandbox, asked).await.unwrap().text();
        let decided = text.split("<EvalDecision>").nth(1).and_then(|rest| rest.split('<').next());
        assert!(decided.is_some_and(|it| text.contains(&format!("<EvalResourceDecision>{it}<"))), "{text}");
        (decided.unwrap().to_owned(), text.contains("<member>iam:PassedToService</member>"))
    };
    let service = |name: &str| {
        format!(
            "&ContextEntries.member.1.ContextKeyName=iam:PassedToService&ContextEntries.member.1.ContextKeyType=string\
             &ContextEntries.member.1.ContextKeyValues.member.1={name}"
        )
    };
    assert_eq!(simulated("").await, ("allowed".to_owned(), false), "an administrator");
    let simulate = json!({ "Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*" });
    let pass = json!({
        "Effect": "Allow", "Action": "iam:PassRole", "Resource": role,
        "Condition": { "StringEquals": { "iam:PassedToService": "sagemaker.amazonaws.com" } },
    });
    set(&sandbox, json!([simulate]));
    assert_eq!(simulated("").await, ("implicitDeny".to_owned(), false));
    set(&sandbox, json!([simulate, pass]));
    assert_eq!(simulated("").await, ("implicitDeny".to_owned(), true));
    assert_eq!(simulated(&service("sagemaker.amazonaws.com")).await, ("allowed".to_owned(), false));
    assert_eq!(simulated(&service("eks.amazonaws.com")).await, ("implicitDeny".to_owned(), false));
    let deny = json!({ "Effect": "Deny", "Action": "iam:*", "Resource": role });
    set(&sandbox, json!([simulate, pass, deny]));
    assert_eq!(simulated(&service("sagemaker.amazonaws.com")).await, ("explicitDeny".to_owned(), false));
}

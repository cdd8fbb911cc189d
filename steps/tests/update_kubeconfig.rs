//! update-kubeconfig against the sandbox's EKS and its Kubernetes API over TLS.

mod cluster;
mod support;

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use aws_sdk_eks::types::AuthenticationMode;
use cluster::{CLUSTER, bench, connected, make};
use hprun_steps::error::ErrorClass;
use hprun_steps::step::Health;
use hprun_steps::update_kubeconfig::UpdateKubeconfig;
use serde_json::json;
use support::example;

#[tokio::test(flavor = "multi_thread")]
async fn the_example_writes_a_private_file_and_the_api_answers() {
    let (bench, _) = connected().await;
    let inputs = example::<UpdateKubeconfig>(json!({ "cluster": CLUSTER, "path": "kube/config" }));
    let tried = bench.run::<UpdateKubeconfig>(inputs.clone()).await;
    let outputs = tried.result.expect("the cluster lets its maker in");
    let path = bench.base.join("kube/config");
    assert_eq!(outputs["path"], path.to_str().expect("a path in UTF-8"));
    assert_eq!(outputs["context"], "training");
    assert_eq!(outputs["cluster_arn"], "arn:aws:eks:us-west-2:111122223333:cluster/ml");
    assert_eq!(outputs["cluster_admin"], true);
    assert!(outputs["kubernetes_version"].as_str().expect("text").starts_with("v1.33"), "{outputs}");
    assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
    let written = std::fs::read_to_string(&path).expect("it can be read");
    assert!(!written.contains("k8s-aws-v1."), "a kubeconfig holds no token: {written}");
    assert_eq!(bench.probe::<UpdateKubeconfig>(inputs.clone(), &outputs, &[]).await, Ok(Health::Good));
    std::fs::remove_file(&path).expect("removed");
    let lost = bench.probe::<UpdateKubeconfig>(inputs, &outputs, &[]).await.expect("asked");
    assert!(matches!(lost, Health::Lost(_)), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_being_made_or_is_not_there_is_named() {
    let bench = bench().await;
    make(&bench, AuthenticationMode::Api, true).await;
    let early = bench.run::<UpdateKubeconfig>(json!({ "cluster": CLUSTER })).await.result.expect_err("too early");
    assert_eq!(early.message, "the EKS cluster ml is still being made");
    let wrong = bench.run::<UpdateKubeconfig>(json!({ "cluster": "mk" })).await.result.expect_err("no such cluster");
    assert!(wrong.has_code("ResourceNotFoundException"), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_access_gets_the_commands_and_a_fresh_entry_is_waited_for() {
    let bench = bench().await;
    make(&bench, AuthenticationMode::Api, false).await;
    bench.advance(Duration::from_secs(1200));
    let refused = bench.run::<UpdateKubeconfig>(json!({ "cluster": CLUSTER })).await.result.expect_err("no entry");
    assert_eq!(refused.class, ErrorClass::Refused);
    let role = hprun_steps::update_kubeconfig::access::principal(&bench.run.caller_arn);
    let help = refused.help.expect("advice");
    assert!(refused.message.contains(&role), "{}", refused.message);
    assert!(help.contains(&format!("create-access-entry --region us-west-2 --cluster-name ml --principal-arn {role}")));
    assert!(help.contains("associate-access-policy") && help.contains("AmazonEKSClusterAdminPolicy"), "{help}");
    let eks = bench.clients.eks();
    eks.create_access_entry().cluster_name(CLUSTER).principal_arn(&role).send().await.expect("an entry");
    let scope = aws_sdk_eks::types::AccessScope::builder().r#type("cluster".into()).build();
    let policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";
    let given = eks.associate_access_policy().cluster_name(CLUSTER).principal_arn(&role).policy_arn(policy);
    given.access_scope(scope).send().await.expect("a policy");
    let before = bench.passed();
    let outputs = bench.run::<UpdateKubeconfig>(json!({ "cluster": CLUSTER })).await.result.expect("let in at last");
    assert_eq!(outputs["cluster_admin"], true);
    assert!(bench.passed() > before, "the new entry was not known at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mode_config_map_is_explained() {
    let bench = bench().await;
    make(&bench, AuthenticationMode::ConfigMap, false).await;
    bench.advance(Duration::from_secs(1200));
    let tried = bench.run::<UpdateKubeconfig>(json!({ "cluster": CLUSTER })).await;
    let refused = match tried.result {
        Err(refused) => refused,
        Ok(outputs) => panic!("let in: {outputs}"),
    };
    assert!(refused.message.contains("CONFIG_MAP"), "{refused:?}");
    assert!(refused.help.expect("advice").contains("authenticationMode=API_AND_CONFIG_MAP"));
}

/// The presigned URL in a token: scheme, host and path, and the query without what differs from second to second.
fn parts(token: &str) -> (String, std::collections::BTreeMap<String, String>) {
    use base64::Engine as _;
    let encoded = token.strip_prefix("k8s-aws-v1.").expect("the prefix");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(encoded).expect("base64url");
    let url = url::Url::parse(&String::from_utf8(bytes).expect("text")).expect("a URL");
    let mut query: std::collections::BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    for differs in ["X-Amz-Date", "X-Amz-Signature"] {
        assert!(query.insert(differs.to_owned(), String::new()).is_some(), "{differs} is missing");
    }
    (format!("{}://{}{}", url.scheme(), url.authority(), url.path()), query)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_has_the_form_that_the_aws_cli_gives_it() {
    let bench = bench().await;
    let own = hprun_steps::eks_token::token(&bench.clients, CLUSTER).await.expect("a token");
    let (address, query) = parts(own.token.reveal());
    let names: Vec<&str> = query.keys().map(String::as_str).collect();
    let expected =
        "Action Version X-Amz-Algorithm X-Amz-Credential X-Amz-Date X-Amz-Expires X-Amz-Signature X-Amz-SignedHeaders";
    assert_eq!(names.join(" "), expected);
    assert_eq!(address, format!("{}/", bench.sandbox.endpoint()));
    let mut aws = tokio::process::Command::new("aws");
    aws.args(["eks", "get-token", "--cluster-name", CLUSTER, "--region", "us-west-2", "--output", "json"]);
    aws.envs(bench.run.environment.iter().map(|(name, value)| (name, value))).env_remove("AWS_PROFILE");
    let Ok(ran) = aws.output().await else {
        eprintln!("no AWS CLI on this machine: its token is not compared");
        return;
    };
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let theirs: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(parts(theirs["status"]["token"].as_str().expect("a token")), (address, query));
    let ours = hprun_steps::eks_token::exec_credential(&own);
    assert_eq!((&ours["kind"], &ours["apiVersion"]), (&theirs["kind"], &theirs["apiVersion"]));
}

//! EKS access entries decide who is let into a cluster's Kubernetes API.

#[expect(dead_code, reason = "only a part of it is needed here")]
mod eks_support;
mod kubernetes_support;

use eks_support::bench;
use kubernetes_support::Client;
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/HprunSandbox";

#[tokio::test]
async fn an_access_entry_lets_in_after_some_seconds_and_its_policy_says_what_for() {
    let bench = bench().await;
    let (_, first, second) = bench.network().await;
    let role = bench.role("control-plane", "eks.amazonaws.com").await;
    bench.pass(10);
    let access = json!({ "authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": true });
    let body = json!({ "name": "train", "version": "1.33", "roleArn": role, "accessConfig": access,
        "resourcesVpcConfig": { "subnetIds": [first, second] } });
    assert_eq!(bench.eks("POST", "/clusters", body).await.0, 200);
    bench.pass(600);
    let client = Client::of(&bench.sandbox, "train");
    let secrets = "/api/v1/namespaces/default/secrets";
    assert_eq!(client.get(secrets).await.0, 200, "the creator is an admin");
    let entries = "/clusters/train/access-entries";
    let entry = format!("{entries}/{}", ROLE.replace(':', "%3A").replace('/', "%2F"));
    bench.eks("DELETE", &entry, Value::Null).await;
    assert_eq!(client.get("/version").await.0, 401, "no entry");
    assert_eq!(bench.eks("POST", entries, json!({ "principalArn": ROLE })).await.0, 200);
    let view = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy";
    let policy = json!({ "policyArn": view, "accessScope": { "type": "cluster" } });
    assert_eq!(bench.eks("POST", &format!("{entry}/access-policies"), policy).await.0, 200);
    assert_eq!(client.get("/version").await.0, 401, "the entry is too new");
    bench.pass(60);
    assert_eq!(client.get("/api/v1/namespaces/default/services").await.0, 200);
    let space = json!({ "metadata": { "name": "x" } });
    let (status, refusal) = client.post("/api/v1/namespaces", space).await;
    assert_eq!((status, client.get(secrets).await.0), (403, 403));
    let message = refusal["message"].as_str().unwrap_or_default();
    assert!(
        message.ends_with("cannot create resource \"namespaces\" in API group \"\" at the cluster scope"),
        "{message}"
    );
}

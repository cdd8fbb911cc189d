//! The Kubernetes API over TLS: who is let in, what objects go through, what a watch tells, what survives a reopening.

mod kubernetes_support;

use std::time::Duration;

use bytes::Bytes;
use hprun_sandbox::{ClockKind, kubernetes};
use http_body_util::BodyExt as _;
use kubernetes_support::{CLUSTER, Client, REGION, add_node, advance, manual, open, token};
use serde_json::{Value, json};

fn deployment(name: &str) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": { "replicas": 2, "selector": { "matchLabels": { "app": name } }, "template": {
            "metadata": { "labels": { "app": name } }, "spec": { "containers": [{ "name": "c", "image": "i:1" }] } } } })
}

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const PODS: &str = "/api/v1/namespaces/default/pods";

#[tokio::test]
async fn only_a_token_for_this_cluster_is_let_in() {
    let dir = tempfile::tempdir().expect("a folder");
    let sandbox = open(dir.path(), manual()).await;
    for (token, status) in
        [(token(CLUSTER), 200), (token("other"), 401), (String::new(), 401), ("k8s-aws-v1.x".to_owned(), 401)]
    {
        let (got, body) = Client::with_token(&sandbox, &token).get("/version").await;
        assert_eq!(got, status, "{body}");
    }
}

#[tokio::test]
async fn pods_wait_for_a_node_and_run_some_seconds_after_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let sandbox = open(dir.path(), manual()).await;
    let client = Client::new(&sandbox);
    assert_eq!(client.post(DEPLOYMENTS, deployment("web")).await.0, 201);
    let phases = async || {
        let (_, list) = client.get(&format!("{PODS}?labelSelector=app%3Dweb")).await;
        let pods = list["items"].as_array().expect("a list").clone();
        pods.iter().map(|pod| pod["status"]["phase"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    advance(&sandbox, 3600);
    assert_eq!(phases().await, ["Pending", "Pending"]);
    add_node(&sandbox, "n1");
    advance(&sandbox, 4);
    assert_eq!(phases().await, ["Pending", "Pending"]);
    advance(&sandbox, 1);
    assert_eq!(phases().await, ["Running", "Running"]);
    let (_, web) = client.get(&format!("{DEPLOYMENTS}/web")).await;
    assert_eq!(web["status"]["readyReplicas"], 2);
    let ready = |sandbox: &hprun_sandbox::Sandbox| {
        sandbox.world().read(REGION, |state, _| kubernetes::ready_nodes(state, CLUSTER))
    };
    assert_eq!(ready(&sandbox), 1);
    sandbox.world().with(REGION, |state, cx| kubernetes::remove_node(state, cx, CLUSTER, "n1"));
    assert_eq!((ready(&sandbox), phases().await), (0, vec!["Pending".to_owned(), "Pending".to_owned()]));
}

#[tokio::test]
async fn refusals_are_those_of_a_real_server() {
    let dir = tempfile::tempdir().expect("a folder");
    let sandbox = open(dir.path(), manual()).await;
    let client = Client::new(&sandbox);
    assert_eq!(client.post(DEPLOYMENTS, deployment("web")).await.0, 201);
    let stale = json!({ "metadata": { "resourceVersion": "1" }, "spec": deployment("web")["spec"] });
    let mut other = deployment("odd");
    other["spec"]["selector"]["matchLabels"] = json!({ "app": "even" });
    let unknown_protobuf = [b"k8s\0".as_slice(), b"\x0a\x0e\x0a\x02v1\x12\x08Endpoint", b"\x12\x00"].concat();
    let as_bytes = |value: &Value| value.to_string().into_bytes();
    for (method, path, media, body, status, message) in [
        (
            "POST",
            DEPLOYMENTS,
            "application/json",
            as_bytes(&deployment("web")),
            409,
            "deployments.apps \"web\" already exists",
        ),
        (
            "GET",
            "/apis/apps/v1/namespaces/default/deployments/no",
            "",
            vec![],
            404,
            "deployments.apps \"no\" not found",
        ),
        ("GET", "/apis/example.com/v1/widgets", "", vec![], 404, "could not find the requested resource"),
        (
            "PUT",
            "/apis/apps/v1/namespaces/default/deployments/web",
            "application/json",
            as_bytes(&stale),
            409,
            "the object has been modified",
        ),
        ("POST", DEPLOYMENTS, "application/json", as_bytes(&other), 422, "`selector` does not match template `labels`"),
        (
            "POST",
            "/apis/apps/v1/namespaces/nowhere/deployments",
            "application/json",
            as_bytes(&deployment("x")),
            404,
            "namespaces \"nowhere\" not found",
        ),
        ("POST", DEPLOYMENTS, "text/plain", vec![b'x'], 415, "text/plain"),
        (
            "POST",
            "/api/v1/namespaces/default/endpoints",
            "application/vnd.kubernetes.protobuf",
            unknown_protobuf,
            415,
            "Endpoint (v1) in protobuf is not part of the sandbox",
        ),
        (
            "GET",
            "/api/v1/namespaces/default/pods?labelSelector=a%20b%3Dc",
            "",
            vec![],
            400,
            "unable to parse requirement",
        ),
        ("DELETE", "/api/v1/namespaces/kube-system", "", vec![], 403, "this namespace may not be deleted"),
    ] {
        let (got, answer) = client.send(method, path, media, Bytes::from(body)).await;
        assert_eq!(got, status, "{method} {path}: {answer}");
        assert!(answer["message"].as_str().unwrap_or_default().contains(message), "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn a_watch_tells_what_is_there_then_what_changes_and_ends_with_the_sandbox() {
    let dir = tempfile::tempdir().expect("a folder");
    let sandbox = open(dir.path(), manual()).await;
    let client = Client::new(&sandbox);
    let maps = "/api/v1/namespaces/default/configmaps";
    let map = |name: &str| json!({ "metadata": { "name": name, "labels": { "a": "b" } } });
    client.post(maps, map("one")).await;
    let query = "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=a%3Db";
    let mut body = client.open("GET", &format!("{maps}{query}"), "", Bytes::new()).await.into_body();
    let mut seen: Vec<(String, String)> = Vec::new();
    let told = |text: &str| {
        let event: Value = serde_json::from_str(text).expect("a line is an event");
        (
            event["type"].as_str().unwrap_or_default().to_owned(),
            event["object"]["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        )
    };
    client.post(maps, map("two")).await;
    client
        .send(
            "PATCH",
            &format!("{maps}/one"),
            "application/merge-patch+json",
            Bytes::from_static(br#"{"metadata":{"labels":null}}"#),
        )
        .await;
    client.send("DELETE", &format!("{maps}/two"), "", Bytes::new()).await;
    while seen.len() < 5 {
        let frame = tokio::time::timeout(Duration::from_secs(20), body.frame())
            .await
            .expect("in time")
            .expect("not the end")
            .expect("a frame");
        let data = frame.into_data().expect("data");
        seen.extend(String::from_utf8_lossy(&data).lines().map(told));
    }
    let events: Vec<(&str, &str)> = seen.iter().map(|(kind, name)| (kind.as_str(), name.as_str())).collect();
    assert_eq!(events, [("ADDED", "one"), ("BOOKMARK", ""), ("ADDED", "two"), ("DELETED", "one"), ("DELETED", "two")]);
    sandbox.stop().await;
    let end = tokio::time::timeout(Duration::from_secs(20), body.frame()).await.expect("the watch ends");
    assert!(end.is_none(), "{end:?}");
}

#[tokio::test]
async fn lists_page_and_custom_resources_come_and_go_with_their_definition() {
    let dir = tempfile::tempdir().expect("a folder");
    let sandbox = open(dir.path(), manual()).await;
    let client = Client::new(&sandbox);
    let crd = json!({ "metadata": { "name": "widgets.example.com" }, "spec": { "group": "example.com", "scope": "Namespaced",
        "names": { "plural": "widgets", "kind": "Widget" }, "versions": [{ "name": "v1", "served": true, "storage": true }] } });
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    assert_eq!(client.post(crds, crd).await.0, 201);
    let widgets = "/apis/example.com/v1/namespaces/default/widgets";
    for name in ["a", "b", "c"] {
        assert_eq!(client.post(widgets, json!({ "metadata": { "name": name } })).await.0, 201);
    }
    let (_, first) = client.get(&format!("{widgets}?limit=2")).await;
    let (_, second) = client
        .get(&format!("{widgets}?limit=2&continue={}", first["metadata"]["continue"].as_str().expect("there is more")))
        .await;
    let names = |list: &Value| {
        list["items"].as_array().expect("a list").iter().map(|one| one["metadata"]["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((names(&first), names(&second)), (vec![json!("a"), json!("b")], vec![json!("c")]));
    assert_eq!(second["kind"], "WidgetList");
    client.send("DELETE", &format!("{crds}/widgets.example.com"), "", Bytes::new()).await;
    assert_eq!(client.get(widgets).await.0, 404);
}

#[tokio::test]
async fn a_deleted_namespace_takes_everything_in_it_along() {
    let dir = tempfile::tempdir().expect("a folder");
    let sandbox = open(dir.path(), manual()).await;
    let client = Client::new(&sandbox);
    client.post("/api/v1/namespaces", json!({ "metadata": { "name": "gone" } })).await;
    let inside = "/apis/apps/v1/namespaces/gone/deployments";
    assert_eq!(client.post(inside, deployment("web")).await.0, 201);
    assert_eq!(client.get("/api/v1/namespaces/gone/pods").await.1["items"].as_array().map(Vec::len), Some(2));
    client.send("DELETE", "/api/v1/namespaces/gone", "", Bytes::new()).await;
    assert_eq!(client.get("/api/v1/namespaces/gone").await.0, 404);
    for left in [
        inside,
        "/api/v1/namespaces/gone/pods",
        "/apis/apps/v1/namespaces/gone/replicasets",
        "/api/v1/namespaces/gone/serviceaccounts",
    ] {
        assert_eq!(client.get(left).await.1["items"], json!([]), "{left}");
    }
}

#[tokio::test]
async fn a_reopened_world_has_its_objects_its_port_and_its_authority() {
    let dir = tempfile::tempdir().expect("a folder");
    let speed = ClockKind::Scaled { speed: 1.0 };
    let sandbox = open(dir.path(), speed.clone()).await;
    let before = kubernetes_support::address(&sandbox);
    assert_eq!(Client::new(&sandbox).post(DEPLOYMENTS, deployment("web")).await.0, 201);
    sandbox.stop().await;
    let sandbox = open(dir.path(), speed).await;
    assert_eq!(kubernetes_support::address(&sandbox), before);
    let client = Client::new(&sandbox);
    assert_eq!(client.get(&format!("{DEPLOYMENTS}/web")).await.0, 200);
    let old = client.get(&format!("{PODS}?watch=true&resourceVersion=1")).await;
    assert_eq!((old.0, &old.1["reason"]), (410, &json!("Expired")));
}

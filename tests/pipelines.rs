//! The shipped pipelines, each from nothing to working nodes, with real helm; and all of them checked and planned.
//! Must know nothing of hprun's insides.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Desk, End, finish, repository, succeed, text, tool, until, wire};

/// The cluster is InService, all its nodes run, and each is a Ready node of Kubernetes.
fn assert_works(desk: &Desk, name: &str, nodes: usize) {
    let cluster = json!({"ClusterName": name});
    let described = wire::sagemaker(desk.endpoint(), "DescribeCluster", &cluster);
    assert_eq!(described["ClusterStatus"], "InService", "{described:#}");
    let listed = wire::sagemaker(desk.endpoint(), "ListClusterNodes", &cluster);
    let listed = listed["ClusterNodeSummaries"].as_array().unwrap();
    assert_eq!(listed.len(), nodes);
    assert!(listed.iter().all(|node| node["InstanceStatus"]["Status"] == "Running"), "{listed:#?}");
    let outputs = desk.outputs();
    assert_eq!(outputs["nodes"]["status"], "InService");
    // Kubernetes is asked by the real kubectl, with the kubeconfig that the run wrote.
    let mut kubectl = Command::new(tool("kubectl"));
    kubectl.args(["get", "nodes", "-o", "json", "--kubeconfig", text(&outputs["kubeconfig"]["path"])]);
    let answer = kubectl.env("HOME", desk.path("home")).output().unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    let is_ready = |node: &&Value| {
        let conditions = node["status"]["conditions"].as_array().unwrap();
        conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    };
    let ready = answer["items"].as_array().unwrap().iter().filter(is_ready).count();
    assert_eq!(ready, nodes, "{answer:#}");
}

fn assert_releases(end: &End, desk: &Desk) {
    let release = &desk.outputs()["charts"];
    assert_eq!(
        (text(&release["release"]), text(&release["status"])),
        ("hyperpod-dependencies", "deployed"),
        "{}",
        end.stderr
    );
}

#[test]
fn all_three_deployments_end_with_working_nodes() {
    let desk = Desk::with_sandbox();
    // Each run has no more rights than the policy that is printed for its file; what the test itself does has all.
    may_only(&desk, "full-deployment.yaml", &[]);
    let end = succeed(desk.sandboxed(&desk.shipped("full-deployment.yaml"), &[]));
    may_all(&desk);
    assert_works(&desk, "ml-cluster", 2);
    assert_releases(&end, &desk);
    // What the full deployment made is what the other two are given.
    let infra = desk.outputs()["infra"].clone();
    let given = |name: &str| text(&infra[name]).to_owned();
    let subnet = text(&infra["private_subnet_ids"][0]).to_owned();

    let cluster = format!("eks_cluster_name={}", given("eks_cluster_name"));
    let group = format!("security_group_id={}", given("security_group_id"));
    let subnet = format!("subnet_id={subnet}");
    let minimal = ["-p", &cluster, "-p", &subnet, "-p", &group, "-p", "cluster_name=minimal", "-p", "gen_count=2"];
    remove_cluster(&desk, "ml-cluster");
    may_only(&desk, "minimal-deployment.yaml", &minimal);
    let end = finish(desk.sandboxed(&desk.shipped("minimal-deployment.yaml"), &minimal));
    assert_eq!(end.code, Some(1), "{}", end.stderr);
    assert!(
        end.stdout.contains("the release kube-system/hyperpod-dependencies is there and is not of this run"),
        "{}",
        end.stdout
    );
    uninstall(&desk);
    let end = succeed(desk.resume(&[]));
    may_all(&desk);
    assert_works(&desk, "minimal", 3);
    assert_releases(&end, &desk);

    let vpc = format!("vpc_id={}", given("vpc_id"));
    let gateway = format!("nat_gateway_id={}", physical_id(&desk, "NatGateway"));
    let mut integrative = vec!["-p", &cluster, "-p", &vpc, "-p", &gateway, "-p", &group];
    integrative.extend(["-p", "private_subnet_cidr=10.2.0.0/16", "-p", "cluster_name=integrative"]);
    remove_cluster(&desk, "minimal");
    uninstall(&desk);
    may_only(&desk, "integrative-deployment.yaml", &integrative);
    let end = succeed(desk.sandboxed(&desk.shipped("integrative-deployment.yaml"), &integrative));
    may_all(&desk);
    assert_works(&desk, "integrative", 2);
    assert_releases(&end, &desk);
}

/// From now on the sandbox denies what the policy of this pipeline does not allow.
fn may_only(desk: &Desk, file: &str, params: &[&str]) {
    let mut command = desk.command(&["iam-policy", &desk.shipped(file)]);
    command.args(params);
    let printed = succeed(command);
    assert_eq!(printed.stderr, "", "{file}");
    set_policy(desk, &printed.stdout);
}

/// Ends the rights of a run, of which nothing may have been denied: hprun goes on without some answers.
fn may_all(desk: &Desk) {
    let denied = |entry: &&Value| text(&entry["error"]).contains("AccessDenied") || entry["status"] == 403;
    assert_eq!(desk.journal().iter().filter(denied).collect::<Vec<_>>(), Vec::<&Value>::new());
    let all = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    set_policy(desk, &all.to_string());
}

fn set_policy(desk: &Desk, policy: &str) {
    let (status, body) = wire::post(desk.endpoint(), "/_sandbox/policy", &[], policy);
    assert_eq!(status, 200, "{body}");
}

/// An EKS cluster carries one HyperPod cluster at a time.
fn remove_cluster(desk: &Desk, name: &str) {
    wire::sagemaker(desk.endpoint(), "DeleteCluster", &json!({"ClusterName": name}));
    until("the cluster is gone", || {
        let listed = wire::sagemaker(desk.endpoint(), "ListClusters", &json!({}));
        listed["ClusterSummaries"].as_array().unwrap().is_empty().then_some(())
    });
}

/// The release of the run before is taken away by the real helm: hprun takes over no other run's release.
fn uninstall(desk: &Desk) {
    let mut helm = Command::new(tool("helm4"));
    helm.args(["uninstall", "hyperpod-dependencies", "--namespace", "kube-system", "--kubeconfig"]);
    helm.arg(text(&desk.outputs()["kubeconfig"]["path"])).env("HOME", desk.path("home"));
    let answer = helm.output().unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
}

fn physical_id(desk: &Desk, logical: &str) -> String {
    let form = "Action=ListStackResources&Version=2010-05-15&StackName=hyperpod-eks-full-stack";
    let (_, xml) = wire::query(desk.endpoint(), "cloudformation", form);
    let at = wire::tags(&xml, "LogicalResourceId").iter().position(|id| id == logical).unwrap();
    wire::tags(&xml, "PhysicalResourceId").swap_remove(at)
}

const INTEGRATIVE: &[&str] = &[
    "-p",
    "eks_cluster_name=mine",
    "-p",
    "vpc_id=vpc-0a1b2c3d4e",
    "-p",
    "nat_gateway_id=nat-0a1b2c3d4e",
    "-p",
    "security_group_id=sg-0a1b2c3d4e",
];

#[test]
fn every_shipped_pipeline_is_checked_and_planned_without_a_finding() {
    let desk = Desk::new();
    let params: [(&str, &[&str]); 3] = [
        ("full-deployment.yaml", &[]),
        ("integrative-deployment.yaml", INTEGRATIVE),
        (
            "minimal-deployment.yaml",
            &[
                "-p",
                "eks_cluster_name=mine",
                "-p",
                "subnet_id=subnet-0a1b2c3d4e",
                "-p",
                "security_group_id=sg-0a1b2c3d4e",
            ],
        ),
    ];
    let shipped = std::fs::read_dir(repository().join("pipelines")).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(shipped.filter(|path| path.extension().is_some_and(|e| e == "yaml")).count(), params.len());
    for (name, given) in params {
        for command in ["check", "plan"] {
            let mut command = desk.command(&[command, &desk.shipped(name)]);
            command.args(given);
            let end = finish(command);
            assert_eq!(end.code, Some(0), "{name}: {end:?}");
            assert!(!end.stderr.contains("warning:") && !end.stderr.contains("error:"), "{name}: {}", end.stderr);
        }
        // Also with nothing given: what is missing then is asked for by a run, and is no fault of the file.
        let end = finish(desk.command(&["check", &desk.shipped(name)]));
        assert_eq!(end.code, Some(0), "{name}: {end:?}");
    }
}

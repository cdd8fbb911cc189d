//! EC2, IAM and EKS in the sandbox, over HTTP with a stepped clock.

mod eks_support;

use eks_support::{Bench, REGION, bench};
use hprun_sandbox::eks::{Access, authenticate};
use hprun_sandbox::world::CALLER_ARN;
use serde_json::{Value, json};

const NINE_MINUTES: i64 = 9 * 60;

/// A cluster that is being made, in a network of its own.
async fn cluster(bench: &Bench, access: Value) -> (u16, Value) {
    let (_, first, second) = bench.network().await;
    let role = bench.role("control-plane", "eks.amazonaws.com").await;
    bench.pass(10);
    let body = json!({
        "name": "train",
        "version": "1.33",
        "roleArn": role,
        "resourcesVpcConfig": { "subnetIds": [first, second] },
        "accessConfig": access,
    });
    bench.eks("POST", "/clusters", body).await
}

async fn status(bench: &Bench) -> String {
    let (_, answer) = bench.eks("GET", "/clusters/train", Value::Null).await;
    let cluster = &answer["cluster"];
    format!("{} {}", cluster["status"].as_str().unwrap_or("gone"), cluster["endpoint"].is_string())
}

fn access(bench: &Bench, caller: &str) -> Access {
    bench.sandbox.world().read(REGION, |state, cx| authenticate(state, cx, "train", caller))
}

#[tokio::test]
async fn a_network_is_made_and_taken_down_in_order_only() {
    let bench = bench().await;
    let (vpc, subnet, _) = bench.network().await;
    let gateway = bench.done("ec2", "CreateInternetGateway", "").await.element("internetGatewayId");
    bench.done("ec2", "AttachInternetGateway", &format!("VpcId={vpc}&InternetGatewayId={gateway}")).await;
    let address = bench.done("ec2", "AllocateAddress", "Domain=vpc").await.element("allocationId");
    let nat = bench.done("ec2", "CreateNatGateway", &format!("SubnetId={subnet}&AllocationId={address}")).await;
    let nat = nat.element("natGatewayId");
    let described = format!("NatGatewayId.1={nat}");
    assert_eq!(bench.done("ec2", "DescribeNatGateways", &described).await.element("state"), "pending");
    bench.pass(120);
    assert_eq!(bench.done("ec2", "DescribeNatGateways", &described).await.element("state"), "available");
    let detach = format!("VpcId={vpc}&InternetGatewayId={gateway}");
    for (operation, fields) in [
        ("DeleteVpc", format!("VpcId={vpc}")),
        ("DeleteSubnet", format!("SubnetId={subnet}")),
        ("DetachInternetGateway", detach.clone()),
        ("DeleteInternetGateway", format!("InternetGatewayId={gateway}")),
    ] {
        assert_eq!(bench.refused("ec2", operation, &fields).await, "DependencyViolation", "{operation}");
    }
    bench.done("ec2", "DeleteNatGateway", &format!("NatGatewayId={nat}")).await;
    bench.pass(60);
    bench.done("ec2", "ReleaseAddress", &format!("AllocationId={address}")).await;
    bench.done("ec2", "DetachInternetGateway", &detach).await;
    bench.done("ec2", "DeleteInternetGateway", &format!("InternetGatewayId={gateway}")).await;
}

#[tokio::test]
async fn what_the_sandbox_does_not_know_is_refused_by_name() {
    let bench = bench().await;
    for (service, operation, fields, named) in [
        ("ec2", "RunInstances", "", "RunInstances"),
        ("ec2", "CreateVpc", "CidrBlock=10.0.0.0/16&Ipv6Pool=x", "Ipv6Pool"),
        ("iam", "CreateUser", "UserName=x", "CreateUser"),
        ("iam", "GetRole", "RoleName=HprunSandbox&Colour=red", "Colour"),
    ] {
        let answer = bench.form(service, operation, fields).await;
        assert_eq!(answer.status, 400, "{operation}: {}", answer.body);
        assert!(answer.element("Message").contains(named), "{}", answer.body);
    }
    bench.network().await;
    assert_eq!(
        bench.refused("ec2", "DescribeSubnets", "Filter.1.Name=colour&Filter.1.Value.1=red").await,
        "InvalidParameterValue"
    );
    let (status, answer) = bench.eks("POST", "/clusters", json!({ "name": "x", "colour": "red" })).await;
    assert_eq!(status, 400);
    assert!(answer["message"].as_str().is_some_and(|message| message.contains("colour")), "{answer}");
}

#[tokio::test]
async fn rules_are_added_all_or_none() {
    let bench = bench().await;
    let (vpc, ..) = bench.network().await;
    let group =
        bench.done("ec2", "CreateSecurityGroup", &format!("GroupName=nodes&GroupDescription=nodes&VpcId={vpc}")).await;
    let group = group.element("groupId");
    let own = format!("IpPermissions.1.IpProtocol=-1&IpPermissions.1.Groups.1.GroupId={group}");
    let wrong = "IpPermissions.2.IpProtocol=tcp&IpPermissions.2.IpRanges.1.CidrIp=10.0.0.0/8";
    let both = format!("GroupId={group}&{own}&{wrong}");
    assert_eq!(bench.refused("ec2", "AuthorizeSecurityGroupIngress", &both).await, "InvalidParameterValue");
    let one = format!("GroupId={group}&{own}");
    bench.done("ec2", "AuthorizeSecurityGroupIngress", &one).await;
    assert_eq!(bench.refused("ec2", "AuthorizeSecurityGroupIngress", &one).await, "InvalidPermission.Duplicate");
    let open = bench.sandbox.world().read(REGION, |state, _| hprun_sandbox::ec2::self_reference(state, &group));
    assert_eq!((open.ingress, open.egress), (true, false));
}

#[tokio::test]
async fn a_new_role_cannot_be_assumed_at_once() {
    let bench = bench().await;
    let (_, first, second) = bench.network().await;
    let role = bench.role("control-plane", "eks.amazonaws.com").await;
    let body = json!({ "name": "train", "roleArn": role, "resourcesVpcConfig": { "subnetIds": [first, second] } });
    bench.pass(9);
    let (status, answer) = bench.eks("POST", "/clusters", body.clone()).await;
    assert_eq!(status, 400);
    assert!(answer["message"].as_str().is_some_and(|m| m.contains("could not be assumed")), "{answer}");
    bench.pass(1);
    assert_eq!(bench.eks("POST", "/clusters", body).await.0, 200);
}

#[tokio::test]
async fn a_role_that_trusts_another_service_is_refused() {
    let bench = bench().await;
    let (_, first, second) = bench.network().await;
    let role = bench.role("nodes", "sagemaker.amazonaws.com").await;
    bench.pass(60);
    let subnets = json!({ "subnetIds": [first, second] });
    let (status, answer) = bench
        .eks("POST", "/clusters", json!({ "name": "train", "roleArn": role, "resourcesVpcConfig": subnets }))
        .await;
    assert_eq!((status, answer["__type"].as_str()), (400, Some("InvalidParameterException")), "{answer}");
    let unsupported = json!({ "name": "train", "version": "1.28", "roleArn": role, "resourcesVpcConfig": subnets });
    assert_eq!(bench.eks("POST", "/clusters", unsupported).await.1["message"], "unsupported Kubernetes version");
}

#[tokio::test]
async fn a_cluster_comes_in_nine_minutes_also_when_the_world_is_reopened() {
    let bench = bench().await;
    let (code, answer) = cluster(&bench, json!({ "authenticationMode": "API_AND_CONFIG_MAP" })).await;
    assert_eq!(code, 200, "{answer}");
    assert_eq!(status(&bench).await, "CREATING false");
    bench.pass(NINE_MINUTES - 1);
    assert_eq!(status(&bench).await, "CREATING false");
    let bench = bench.reopen().await;
    assert_eq!(status(&bench).await, "CREATING false");
    bench.pass(1);
    assert_eq!(status(&bench).await, "ACTIVE true");
    let interfaces = bench.done("ec2", "DescribeNetworkInterfaces", "").await;
    assert_eq!(interfaces.body.matches("<description>Amazon EKS train</description>").count(), 2);
    let (code, answer) = bench.eks("DELETE", "/clusters/train", Value::Null).await;
    assert_eq!((code, answer["cluster"]["status"].as_str()), (200, Some("DELETING")));
    bench.pass(180);
    assert_eq!(status(&bench).await, "gone false");
    let interfaces = bench.done("ec2", "DescribeNetworkInterfaces", "").await;
    assert!(!interfaces.body.contains("Amazon EKS"), "{}", interfaces.body);
}

#[tokio::test]
async fn an_access_entry_is_refused_at_first() {
    let bench = bench().await;
    let (_, answer) =
        cluster(&bench, json!({ "authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": false })).await;
    assert_eq!(answer["cluster"]["accessConfig"]["authenticationMode"], "API");
    bench.pass(NINE_MINUTES);
    assert_eq!(access(&bench, CALLER_ARN), Access::None);
    let role = "arn:aws:iam::111122223333:role/HprunSandbox";
    let (code, _) = bench.eks("POST", "/clusters/train/access-entries", json!({ "principalArn": role })).await;
    assert_eq!(code, 200);
    assert_eq!(access(&bench, CALLER_ARN), Access::None, "an entry without a policy lets nothing be done");
    let path = "/clusters/train/access-entries/arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2FHprunSandbox/access-policies";
    for (policy, later) in [("AmazonEKSViewPolicy", Access::View), ("AmazonEKSClusterAdminPolicy", Access::Admin)] {
        let arn = format!("arn:aws:eks::aws:cluster-access-policy/{policy}");
        let before = access(&bench, CALLER_ARN);
        let (code, answer) =
            bench.eks("POST", path, json!({ "policyArn": arn, "accessScope": { "type": "cluster" } })).await;
        assert_eq!(code, 200, "{answer}");
        let at_once = if before == Access::None { Access::NotYet } else { before };
        assert_eq!(access(&bench, CALLER_ARN), at_once, "{policy}");
        bench.pass(8);
        assert_eq!(access(&bench, CALLER_ARN), later, "{policy}");
    }
    assert_eq!(access(&bench, "arn:aws:sts::111122223333:assumed-role/Other/x"), Access::None);
    let session = json!({ "principalArn": CALLER_ARN });
    assert_eq!(bench.eks("POST", "/clusters/train/access-entries", session).await.0, 400, "a session is no principal");
}

#[tokio::test]
async fn the_authentication_mode_goes_one_way_and_brings_the_creators_entry() {
    let bench = bench().await;
    cluster(&bench, json!({ "authenticationMode": "CONFIG_MAP" })).await;
    bench.pass(NINE_MINUTES);
    let role = "arn:aws:iam::111122223333:role/control-plane";
    let entry = json!({ "principalArn": role });
    assert_eq!(bench.eks("POST", "/clusters/train/access-entries", entry.clone()).await.0, 400);
    let mode = |mode: &str| json!({ "accessConfig": { "authenticationMode": mode } });
    let (code, answer) = bench.eks("POST", "/clusters/train/update-config", mode("API_AND_CONFIG_MAP")).await;
    assert_eq!((code, answer["update"]["status"].as_str()), (200, Some("InProgress")));
    let update = format!("/clusters/train/updates/{}", answer["update"]["id"].as_str().unwrap_or_default());
    bench.pass(120);
    assert_eq!(bench.eks("GET", &update, Value::Null).await.1["update"]["status"], "Successful");
    assert_eq!(bench.eks("POST", "/clusters/train/update-config", mode("CONFIG_MAP")).await.0, 400);
    assert_eq!(bench.eks("POST", "/clusters/train/access-entries", entry).await.0, 200);
    let (_, answer) = bench.eks("GET", "/clusters/train/access-entries?maxResults=1", Value::Null).await;
    assert_eq!(answer, json!({ "accessEntries": ["arn:aws:iam::111122223333:role/HprunSandbox"], "nextToken": "1" }));
}

#[tokio::test]
async fn coredns_is_degraded_until_nodes_join() {
    let bench = bench().await;
    cluster(&bench, json!({ "authenticationMode": "API" })).await;
    let coredns = json!({ "addonName": "coredns" });
    assert_eq!(
        bench.eks("POST", "/clusters/train/addons", coredns.clone()).await.0,
        409,
        "not before the cluster is active"
    );
    bench.pass(NINE_MINUTES);
    for name in ["coredns", "vpc-cni"] {
        let (code, answer) = bench.eks("POST", "/clusters/train/addons", json!({ "addonName": name })).await;
        assert_eq!((code, answer["addon"]["status"].as_str()), (200, Some("CREATING")), "{answer}");
    }
    bench.pass(90);
    for (name, expected) in [("coredns", "DEGRADED"), ("vpc-cni", "ACTIVE")] {
        let (_, answer) = bench.eks("GET", &format!("/clusters/train/addons/{name}"), Value::Null).await;
        assert_eq!(answer["addon"]["status"], expected, "{name}");
    }
    assert_eq!(bench.eks("POST", "/clusters/train/addons", coredns).await.0, 409);
    assert_eq!(bench.eks("POST", "/clusters/train/addons", json!({ "addonName": "nothing" })).await.0, 400);
}

#[tokio::test]
async fn a_roles_policies_decide_what_it_can_read() {
    let bench = bench().await;
    let role = bench.role("nodes", "sagemaker.amazonaws.com").await;
    let reads = |bucket: &str| {
        let object = format!("arn:aws:s3:::{bucket}/on_create.sh");
        bench.sandbox.world().read(REGION, |state, _| hprun_sandbox::iam::allows(state, &role, "s3:GetObject", &object))
    };
    assert!(!reads("sagemaker-x"));
    let managed = "RoleName=nodes&PolicyArn=arn:aws:iam::aws:policy/AmazonSageMakerClusterInstanceRolePolicy";
    bench.done("iam", "AttachRolePolicy", managed).await;
    assert_eq!((reads("sagemaker-x"), reads("mine")), (true, false));
    let document = r#"{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::mine/*"}}"#;
    bench.done("iam", "PutRolePolicy", &format!("RoleName=nodes&PolicyName=own&PolicyDocument={document}")).await;
    assert!(reads("mine"));
    assert_eq!(bench.refused("iam", "DeleteRole", "RoleName=nodes").await, "DeleteConflict");
    bench.done("iam", "DeleteRolePolicy", "RoleName=nodes&PolicyName=own").await;
    bench.done("iam", "DetachRolePolicy", managed).await;
    bench.done("iam", "DeleteRole", "RoleName=nodes").await;
}

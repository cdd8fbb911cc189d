//! Every live question over real HTTP: once where the answer is good, once where it is bad; refused, it is unknown.
//! Knows the wire of the sandbox only: what is bad is made as it would be made at AWS.

mod cluster;
mod support;

use std::time::Duration;

use aws_sdk_eks::types::{
    AccessScope, AccessScopeType, AuthenticationMode, CreateAccessConfigRequest, VpcConfigRequest,
};
use hprun_sandbox::FaultScript;
use hprun_steps::clients::Caller;
use hprun_steps::finding::{At, Finding, Severity};
use hprun_steps::partial::Place;
use hprun_steps::preflight::{Answered, Asker, Preflight, Whose};
use hprun_steps::question::{Asked, Instances, NetworkPart, Question};
use serde_json::json;
use support::{ACCOUNT, Bench, example};
use wire::{element, form};

mod wire;

const ROLE: &str = "arn:aws:iam::111122223333:role/nodes";

/// Asks these questions, as somebody to whom only the run `ours` belongs.
async fn ask_as(bench: &Bench, questions: Vec<Question>, ours: &str) -> Answered {
    ask_by(bench, &bench.run.caller_arn, questions, ours).await
}

async fn ask_by(bench: &Bench, arn: &str, questions: Vec<Question>, ours: &str) -> Answered {
    let caller = Caller { account: ACCOUNT.to_owned(), arn: arn.to_owned(), partition: "aws".to_owned() };
    let asked: Vec<Asked> =
        questions.into_iter().map(|question| Asked::now(At::Pipeline(Place::default()), question)).collect();
    let whose = |id: &str| match id {
        own if own == ours => Whose::Own,
        "known" => Whose::Known("heir".to_owned()),
        _ => Whose::Foreign,
    };
    Asker::new(&bench.clients, &caller, &whose).ask(&asked).await
}

async fn ask(bench: &Bench, questions: Vec<Question>) -> Vec<Finding> {
    ask_as(bench, questions, "none").await.findings
}

/// The answer to one question is good.
async fn good(bench: &Bench, question: Question) {
    let found = ask(bench, vec![question.clone()]).await;
    assert!(found.is_empty(), "{question:?}: {found:#?}");
}

/// The answer to one question is bad (or a doubt), and says this.
async fn bad(bench: &Bench, question: Question, severity: Severity, says: &str) {
    let found = ask(bench, vec![question.clone()]).await;
    let [one] = found.as_slice() else { panic!("{question:?}: {found:#?}") };
    assert_eq!((one.code, one.severity), (question.code(), severity), "{one:?}");
    assert!(one.message.contains(says), "{}", one.message);
    assert!(!one.message.contains("unknown"), "{}", one.message);
}

fn owned(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn script(text: &str) -> Option<FaultScript> {
    Some(FaultScript::parse(text).expect("a fault script"))
}

#[tokio::test]
async fn regions_zones_and_types() {
    let bench = Bench::new().await;
    good(&bench, Question::Region).await;
    good(&bench, Question::Clock).await;
    good(&bench, Question::CredentialsLast { minutes: 75 }).await;
    good(&bench, Question::Zone { zone: "usw2-az2".to_owned() }).await;
    let zone = Question::Zone { zone: "use1-az1".to_owned() };
    bad(&bench, zone, Severity::Error, "the zone use1-az1 is not in us-west-2 (found now; in the run it would fail")
        .await;
    let types = |of: &str, zone: &str| Question::TypesOffered {
        types: owned(&[of]),
        zone: Some(zone.to_owned()),
        subnets: Vec::new(),
    };
    good(&bench, types("ml.p5.48xlarge", "usw2-az1")).await;
    bad(&bench, types("ml.p5.48xlarge", "usw2-az4"), Severity::Error, "not offered in usw2-az4").await;
    bad(&bench, types("ml.p6e-gb200.36xlarge", "usw2-az1"), Severity::Error, "not offered in this region").await;
}

#[tokio::test]
async fn a_region_that_is_none_is_told() {
    let bench = Bench::in_region("xx-nowhere-1").await;
    bad(&bench, Question::Region, Severity::Error, "there is no region xx-nowhere-1").await;
}

#[tokio::test]
async fn quotas_leave_room_or_not() {
    let text = "quotas: { ml.g5.xlarge for cluster usage: 1, Maximum number instances allowed per SageMaker HyperPod cluster: 3, \
                Total number of Spot instances allowed across SageMaker HyperPod clusters: 1 }";
    let bench = Bench::with_faults(script(text)).await;
    let of_type = |of: &str, wanted| Question::TypeQuota {
        instance_type: of.to_owned(),
        wanted,
        spot: false,
        cluster: "ml".to_owned(),
    };
    good(&bench, of_type("ml.g5.xlarge", 1)).await;
    bad(&bench, of_type("ml.g5.xlarge", 2), Severity::Error, "`ml.g5.xlarge for cluster usage` is 1, and 2 are wanted")
        .await;
    bad(&bench, of_type("ml.p6-b200.48xlarge", 1), Severity::Error, "is 0, and 1 are wanted").await;
    let total = |which, wanted| Question::TotalQuota { which, wanted, cluster: "ml".to_owned() };
    good(&bench, total(Instances::InCluster, 3)).await;
    good(&bench, total(Instances::Spot, 1)).await;
    bad(&bench, total(Instances::InCluster, 4), Severity::Error, "Maximum number instances").await;
    let spot = "`Total number of Spot instances allowed across SageMaker HyperPod clusters` is 1, and 2 are wanted";
    bad(&bench, total(Instances::Spot, 2), Severity::Error, spot).await;
    good(&bench, Question::VolumeQuota { gigabytes: 1024 }).await;
    bad(&bench, Question::VolumeQuota { gigabytes: 2000 }, Severity::Error, "2000 GB is wanted").await;
}

#[tokio::test]
async fn a_region_has_room_for_five_vpcs() {
    let bench = Bench::new().await;
    let question = |which| Question::NetworkQuota { stack: "s".to_owned(), which, wanted: 1 };
    for which in [NetworkPart::Vpcs, NetworkPart::Gateways, NetworkPart::Addresses] {
        good(&bench, question(which)).await;
    }
    for _ in 0..5 {
        form(&bench, "ec2", "CreateVpc", "CidrBlock=10.0.0.0/16").await;
    }
    bad(&bench, question(NetworkPart::Vpcs), Severity::Error, "may have 5 VPCs and has 5").await;
    good(&bench, question(NetworkPart::Gateways)).await;
}

/// A VPC with a private subnet behind NAT, a public one, a third that leads nowhere, and a security group.
struct Network {
    vpc: String,
    private: String,
    public: String,
    group: String,
    /// The private subnet's route table.
    table: String,
}

async fn network(bench: &Bench) -> Network {
    let vpc = element(&form(bench, "ec2", "CreateVpc", "CidrBlock=10.0.0.0/16").await, "vpcId");
    let mut subnets = Vec::new();
    for (cidr, zone) in [("10.0.1.0/28", "usw2-az1"), ("10.0.2.0/24", "usw2-az2")] {
        let fields = format!("VpcId={vpc}&CidrBlock={cidr}&AvailabilityZoneId={zone}");
        subnets.push(element(&form(bench, "ec2", "CreateSubnet", &fields).await, "subnetId"));
    }
    let [private, public] = <[String; 2]>::try_from(subnets).expect("two were made");
    let fields = format!("VpcId={vpc}&GroupName=nodes&GroupDescription=nodes");
    let group = element(&form(bench, "ec2", "CreateSecurityGroup", &fields).await, "groupId");
    let gateway = element(&form(bench, "ec2", "CreateInternetGateway", "").await, "internetGatewayId");
    form(bench, "ec2", "AttachInternetGateway", &format!("InternetGatewayId={gateway}&VpcId={vpc}")).await;
    let address = element(&form(bench, "ec2", "AllocateAddress", "Domain=vpc").await, "allocationId");
    route(bench, (&vpc, &public), &format!("GatewayId={gateway}")).await;
    let nat = form(bench, "ec2", "CreateNatGateway", &format!("SubnetId={public}&AllocationId={address}")).await;
    bench.advance(Duration::from_secs(600));
    let table = route(bench, (&vpc, &private), &format!("NatGatewayId={}", element(&nat, "natGatewayId"))).await;
    Network { vpc, private, public, group, table }
}

/// A route table of a subnet's own, by which everything goes to `target`.
async fn route(bench: &Bench, (vpc, subnet): (&str, &str), target: &str) -> String {
    let table = element(&form(bench, "ec2", "CreateRouteTable", &format!("VpcId={vpc}")).await, "routeTableId");
    form(bench, "ec2", "AssociateRouteTable", &format!("RouteTableId={table}&SubnetId={subnet}")).await;
    let fields = format!("RouteTableId={table}&DestinationCidrBlock=0.0.0.0/0&{target}");
    form(bench, "ec2", "CreateRoute", &fields).await;
    table
}

async fn open_to(bench: &Bench, group: &str, peer: &str, operation: &str) {
    let fields = format!("GroupId={group}&IpPermissions.1.IpProtocol=-1&IpPermissions.1.Groups.1.GroupId={peer}");
    form(bench, "ec2", operation, &fields).await;
}

#[tokio::test]
async fn networks_let_nodes_work_or_not() {
    let bench = Bench::new().await;
    let Network { vpc, private, public, group, .. } = network(&bench).await;
    let other = element(&form(&bench, "ec2", "CreateVpc", "CidrBlock=10.9.0.0/16").await, "vpcId");
    let fields = format!("VpcId={other}&CidrBlock=10.9.1.0/24&AvailabilityZoneId=usw2-az1");
    let away = element(&form(&bench, "ec2", "CreateSubnet", &fields).await, "subnetId");
    let one_vpc = |ids: &[&str]| Question::OneVpc { subnets: owned(ids), groups: owned(&[&group]) };
    good(&bench, one_vpc(&[&private, &public])).await;
    bad(&bench, one_vpc(&[&private, &away]), Severity::Error, &format!("{away} is in {other}")).await;
    bad(&bench, one_vpc(&["subnet-0123456789abcdef0"]), Severity::Error, "subnet-0123456789abcdef0").await;
    for (id, says) in [
        ("vpc-0123456789abcdef0", "vpc-0123456789abcdef0"),
        ("sg-0123456789abcdef0", "sg-0123456789abcdef0"),
        ("nat-0123456789abcdef0", "nat-0123456789abcdef0"),
    ] {
        bad(&bench, Question::There { id: id.to_owned() }, Severity::Error, says).await;
    }
    for id in [&vpc, &private, &group] {
        good(&bench, Question::There { id: id.clone() }).await;
    }
    let missing = || owned(&["subnet-0123456789abcdef0"]);
    let of_missing = vec![
        Question::TypesOffered { types: owned(&["ml.m5.large"]), zone: None, subnets: missing() },
        Question::WayOut { subnets: missing() },
        Question::OneVpc { subnets: missing(), groups: owned(&[&group]) },
        Question::OneZone { subnets: missing() },
    ];
    let found = ask(&bench, of_missing).await;
    assert_eq!(found.iter().map(|finding| finding.code.number).collect::<Vec<_>>(), [1010], "{found:#?}");
    let way_out = |id: &str| Question::WayOut { subnets: owned(&[id]) };
    good(&bench, way_out(&private)).await;
    bad(&bench, way_out(&public), Severity::Error, "is public").await;
    bad(&bench, way_out(&away), Severity::Error, "has no route to 0.0.0.0/0").await;
    let addresses = |count| Question::FreeAddresses {
        subnets: owned(&[&private]),
        nodes: vec![("ml.m5.large".to_owned(), count)],
        cluster: "ml".to_owned(),
    };
    good(&bench, addresses(11)).await;
    bad(&bench, addresses(12), Severity::Error, "11 free addresses").await;
    good(&bench, Question::OneZone { subnets: owned(&[&private]) }).await;
    let zones = Question::OneZone { subnets: owned(&[&private, &public]) };
    bad(&bench, zones, Severity::Warning, "usw2-az1, usw2-az2").await;
    let block = |cidr: &str| Question::BlockFree { stack: "s".to_owned(), vpc: vpc.clone(), cidr: cidr.to_owned() };
    good(&bench, block("10.1.0.0/16")).await;
    bad(&bench, block("10.0.128.0/20"), Severity::Error, "overlaps with 10.0.0.0/16").await;
    let itself = |efa| Question::SelfReference { groups: owned(&[&group]), efa };
    bad(&bench, itself(true), Severity::Error, "in from itself and out to itself").await;
    // All groups let everything out at first: that is enough for nodes without EFA.
    bad(&bench, itself(false), Severity::Warning, "has no rule for all traffic in from itself").await;
    open_to(&bench, &group, &group, "AuthorizeSecurityGroupIngress").await;
    open_to(&bench, &group, &group, "AuthorizeSecurityGroupEgress").await;
    good(&bench, itself(true)).await;
}

#[tokio::test]
async fn an_endpoint_may_keep_a_bucket_out() {
    let bench = Bench::new().await;
    let Network { vpc, private, table, .. } = network(&bench).await;
    let question = |bucket: &str| Question::EndpointPolicy {
        subnets: owned(&[&private]),
        bucket: bucket.to_owned(),
        key: "on_create.sh".to_owned(),
    };
    good(&bench, question("mine")).await;
    let allow = json!({ "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::mine/*" }] });
    let policy: String = url::form_urlencoded::byte_serialize(allow.to_string().as_bytes()).collect();
    let fields = format!("VpcId={vpc}&ServiceName=com.amazonaws.us-west-2.s3&PolicyDocument={policy}");
    form(&bench, "ec2", "CreateVpcEndpoint", &fields).await;
    good(&bench, question("yours")).await;
    form(&bench, "ec2", "CreateVpcEndpoint", &format!("{fields}&RouteTableId.1={table}")).await;
    good(&bench, question("mine")).await;
    bad(&bench, question("yours"), Severity::Error, "does not let arn:aws:s3:::yours/on_create.sh through").await;
}

/// An EKS cluster with this access mode in the network, active.
async fn eks(bench: &Bench, name: &str, network: &Network, mode: AuthenticationMode) {
    let subnets = VpcConfigRequest::builder().subnet_ids(&network.private).subnet_ids(&network.public);
    let access = CreateAccessConfigRequest::builder()
        .authentication_mode(mode)
        .bootstrap_cluster_creator_admin_permissions(false);
    let made = bench.clients.eks().create_cluster().name(name).version("1.33");
    let made = made.role_arn(format!("arn:aws:iam::{ACCOUNT}:role/control-plane"));
    made.resources_vpc_config(subnets.build()).access_config(access.build()).send().await.expect("a cluster is made");
    bench.advance(Duration::from_secs(1200));
}

#[tokio::test]
async fn eks_clusters_are_fit_or_not() {
    let bench = Bench::new().await;
    let net = network(&bench).await;
    role(&bench, "control-plane", "eks.amazonaws.com").await;
    bench.advance(Duration::from_secs(60));
    eks(&bench, "new", &net, AuthenticationMode::Api).await;
    eks(&bench, "old", &net, AuthenticationMode::ConfigMap).await;
    let of = |name: &str| name.to_owned();
    good(&bench, Question::EksActive { eks: of("new") }).await;
    bad(&bench, Question::EksActive { eks: of("gone") }, Severity::Error, "there is no EKS cluster gone").await;
    good(&bench, Question::EksAccessMode { eks: of("new") }).await;
    bad(&bench, Question::EksAccessMode { eks: of("old") }, Severity::Error, "takes no access entries").await;
    good(&bench, Question::EksVersion { eks: of("new") }).await;
    let vpc = |subnet: &str| Question::EksVpc { eks: of("new"), subnets: owned(&[subnet]) };
    good(&bench, vpc(&net.private)).await;
    let other = element(&form(&bench, "ec2", "CreateVpc", "CidrBlock=10.9.0.0/16").await, "vpcId");
    let fields = format!("VpcId={other}&CidrBlock=10.9.1.0/24&AvailabilityZoneId=usw2-az1");
    let away = element(&form(&bench, "ec2", "CreateSubnet", &fields).await, "subnetId");
    bad(&bench, vpc(&away), Severity::Error, "and the EKS cluster new is in").await;
    let entry = || Question::CallerEntry { eks: of("new"), role: None };
    bad(&bench, entry(), Severity::Error, "no access entry for arn:aws:iam::111122223333:role/HprunSandbox").await;
    let eks = bench.clients.eks();
    let principal = format!("arn:aws:iam::{ACCOUNT}:role/HprunSandbox");
    eks.create_access_entry().cluster_name("new").principal_arn(principal).send().await.expect("an entry is made");
    let nothing =
        "role/HprunSandbox in the EKS cluster new gives no rights: it has no access policy and no Kubernetes group";
    bad(&bench, entry(), Severity::Warning, nothing).await;
    let principal = format!("arn:aws:iam::{ACCOUNT}:role/HprunSandbox");
    let scope = AccessScope::builder().r#type(AccessScopeType::Cluster).build();
    let policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";
    let call = eks.associate_access_policy().cluster_name("new").principal_arn(principal).policy_arn(policy);
    call.access_scope(scope).send().await.expect("the policy is associated");
    good(&bench, entry()).await;
    // A session's ARN does not show the path of its role, and an entry has it.
    role(&bench, "deployer&Path=/team/", "ec2.amazonaws.com").await;
    let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/deployer/me");
    let answered = ask_by(&bench, &session, vec![entry()], "none").await;
    assert!(answered.findings[0].message.contains("no access entry for arn:aws:iam::111122223333:role/team/deployer"));
    let principal = format!("arn:aws:iam::{ACCOUNT}:role/team/deployer");
    let call = eks.create_access_entry().cluster_name("new").principal_arn(principal).kubernetes_groups("deployers");
    call.send().await.expect("an entry is made");
    let answered = ask_by(&bench, &session, vec![entry()], "none").await;
    assert!(answered.findings.is_empty(), "{:#?}", answered.findings);
    let agent = || Question::PodIdentity { eks: of("new") };
    bad(&bench, agent(), Severity::Warning, "no add-on eks-pod-identity-agent").await;
    for addon in ["eks-pod-identity-agent", "vpc-cni"] {
        let made = eks.create_addon().cluster_name("new").addon_name(addon).send().await;
        made.unwrap_or_else(|e| panic!("{addon}: {e:?}"));
    }
    good(&bench, agent()).await;
    good(&bench, Question::Cni { eks: of("new") }).await;
    let meet = || Question::GroupsMeet { groups: owned(&[&net.group]), eks: of("new") };
    bad(&bench, meet(), Severity::Warning, "the EKS cluster's group").await;
    let described = eks.describe_cluster().name("new").send().await.expect("it is there");
    let network = described.cluster().and_then(|cluster| cluster.resources_vpc_config()).expect("it has a network");
    let control = network.cluster_security_group_id().expect("it has a group");
    open_to(&bench, control, &net.group, "AuthorizeSecurityGroupIngress").await;
    open_to(&bench, &net.group, control, "AuthorizeSecurityGroupIngress").await;
    good(&bench, meet()).await;
}

async fn role(bench: &Bench, name: &str, service: &str) {
    let trust = json!({ "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }] });
    let trust: String = url::form_urlencoded::byte_serialize(trust.to_string().as_bytes()).collect();
    form(bench, "iam", "CreateRole", &format!("RoleName={name}&AssumeRolePolicyDocument={trust}")).await;
}

async fn attach(bench: &Bench, name: &str, policy: &str) {
    let fields = format!("RoleName={name}&PolicyArn=arn:aws:iam::aws:policy/{policy}");
    form(bench, "iam", "AttachRolePolicy", &fields).await;
}

#[tokio::test]
async fn roles_may_do_what_is_needed_or_not() {
    let bench = Bench::new().await;
    let trust = || Question::RoleTrust { role: ROLE.to_owned() };
    bad(&bench, trust(), Severity::Error, "there is no role").await;
    role(&bench, "wrong", "ec2.amazonaws.com").await;
    let wrong = Question::RoleTrust { role: ROLE.replace("nodes", "wrong") };
    bad(&bench, wrong, Severity::Error, "does not let sagemaker.amazonaws.com assume it").await;
    role(&bench, "nodes", "sagemaker.amazonaws.com").await;
    good(&bench, trust()).await;
    let of_role = |role: &str, cluster: &str| Question::RolePolicies {
        role: ROLE.replace("nodes", role),
        cluster: cluster.to_owned(),
    };
    let policies = || of_role("nodes", "ml");
    bad(&bench, policies(), Severity::Warning, "logs:CreateLogStream, logs:PutLogEvents, cloudwatch:PutMetricData")
        .await;
    attach(&bench, "nodes", "AmazonSageMakerClusterInstanceRolePolicy").await;
    attach(&bench, "nodes", "AmazonEKS_CNI_Policy").await;
    good(&bench, policies()).await;
    role(&bench, "metrics", "sagemaker.amazonaws.com").await;
    let elsewhere = json!({ "Statement": [
        { "Effect": "Allow", "Action": ["logs:*", "ssmmessages:*", "ec2:*"], "Resource": "*" },
        { "Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
          "Condition": { "StringEquals": { "cloudwatch:namespace": "elsewhere" } } },
    ] });
    put_policy(&bench, "metrics", &elsewhere).await;
    let metrics = of_role("metrics", "ml");
    bad(&bench, metrics, Severity::Warning, "may not do what nodes do: cloudwatch:PutMetricData").await;
    role(&bench, "narrow", "sagemaker.amazonaws.com").await;
    let narrow = json!({ "Statement": [
        { "Effect": "Allow", "Action": ["ssmmessages:*", "ec2:*", "cloudwatch:*"], "Resource": "*" },
        { "Effect": "Allow", "Action": "logs:*",
          "Resource": format!("arn:aws:logs:us-west-2:{ACCOUNT}:log-group:/aws/sagemaker/Clusters/ml/*") },
    ] });
    put_policy(&bench, "narrow", &narrow).await;
    good(&bench, of_role("narrow", "ml")).await;
    good(&bench, of_role("narrow", "")).await;
    bad(&bench, of_role("narrow", "other"), Severity::Warning, "do: logs:CreateLogStream, logs:PutLogEvents").await;
    let reads = |bucket: &str| Question::RoleReads {
        role: ROLE.to_owned(),
        bucket: bucket.to_owned(),
        key: "on_create.sh".to_owned(),
    };
    good(&bench, reads("sagemaker-scripts")).await;
    bad(&bench, reads("scripts"), Severity::Error, "s3:ListBucket and s3:GetObject on the bucket scripts").await;
}

#[tokio::test]
async fn a_bucket_that_s3_does_not_show_as_the_accounts_own_is_not_taken_for_it() {
    let bench =
        Bench::with_faults(script("calls: [{ service: s3, operation: HeadBucket, fault: access-denied }]")).await;
    role(&bench, "nodes", "sagemaker.amazonaws.com").await;
    attach(&bench, "nodes", "AmazonSageMakerClusterInstanceRolePolicy").await;
    let question = Question::RoleReads {
        role: ROLE.to_owned(),
        bucket: "sagemaker-scripts".to_owned(),
        key: "on_create.sh".to_owned(),
    };
    let found = ask(&bench, vec![question]).await;
    let [one] = found.as_slice() else { panic!("nobody can tell: {found:#?}") };
    assert_eq!(one.severity, Severity::Warning);
    assert!(one.message.contains("hang on aws:ResourceAccount"), "{one:?}");
}

#[tokio::test]
async fn where_s3_does_not_answer_no_policy_is_to_blame() {
    for fault in ["reset", "server-error"] {
        let text = format!("calls: [{{ service: s3, operation: HeadBucket, fault: {fault} }}]");
        let bench = Bench::with_faults(script(&text)).await;
        role(&bench, "nodes", "sagemaker.amazonaws.com").await;
        attach(&bench, "nodes", "AmazonSageMakerClusterInstanceRolePolicy").await;
        let (role, bucket) = (ROLE.to_owned(), "sagemaker-scripts".to_owned());
        let question = Question::RoleReads { role, bucket, key: "on_create.sh".to_owned() };
        let found = ask(&bench, vec![question]).await;
        let [one] = found.as_slice() else { panic!("nobody can tell: {found:#?}") };
        assert_eq!(one.severity, Severity::Warning);
        assert!(one.message.contains("because hprun could not look whose the bucket sagemaker-scripts is"), "{one:?}");
    }
}

async fn put_policy(bench: &Bench, role: &str, document: &serde_json::Value) {
    let document: String = url::form_urlencoded::byte_serialize(document.to_string().as_bytes()).collect();
    form(bench, "iam", "PutRolePolicy", &format!("RoleName={role}&PolicyName=own&PolicyDocument={document}")).await;
}

#[tokio::test]
async fn a_caller_may_under_conditions_that_the_real_call_meets() {
    let bench = Bench::new().await;
    let fields = "RoleName=HprunSandbox&PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess";
    form(&bench, "iam", "DetachRolePolicy", fields).await;
    let under = |key: &str, value: &str| {
        let allow = |action: &str, key: &str, value: &str| json!({ "Effect": "Allow", "Action": action, "Resource": "*", "Condition": { "StringEquals": { key: value } } });
        let linked = allow("iam:CreateServiceLinkedRole", "iam:AWSServiceName", "hyperpod.sagemaker.amazonaws.com");
        json!({ "Statement": [allow("iam:PassRole", key, value), linked] })
    };
    let pass = || Question::PassRole { role: ROLE.to_owned() };
    put_policy(&bench, "HprunSandbox", &under("iam:PassedToService", "sagemaker.amazonaws.com")).await;
    good(&bench, pass()).await;
    good(&bench, Question::LinkedRole).await;
    for (region, is_met) in [("us-east-1", true), ("us-west-2", false)] {
        let linked = json!({ "Effect": "Allow", "Action": "iam:CreateServiceLinkedRole", "Resource": "*",
            "Condition": { "StringEquals": { "aws:RequestedRegion": region } } });
        put_policy(&bench, "HprunSandbox", &json!({ "Statement": [linked] })).await;
        let found = ask(&bench, vec![Question::LinkedRole]).await;
        assert_eq!(found.is_empty(), is_met, "IAM is called in us-east-1, not in {region}: {found:#?}");
    }
    put_policy(&bench, "HprunSandbox", &under("iam:PassedToService", "ec2.amazonaws.com")).await;
    bad(&bench, pass(), Severity::Error, "may not pass the role").await;
    put_policy(&bench, "HprunSandbox", &under("aws:PrincipalTag/team", "ml")).await;
    let found = ask(&bench, vec![pass()]).await;
    let [one] = found.as_slice() else { panic!("nobody can tell: {found:#?}") };
    assert_eq!(one.severity, Severity::Warning);
    assert!(
        one.message.contains("unknown, because a policy lets iam:PassRole hang on aws:PrincipalTag/team"),
        "{one:?}"
    );
}

#[tokio::test]
async fn the_caller_may_hand_roles_on_or_not() {
    let bench = Bench::new().await;
    let pass = || Question::PassRole { role: ROLE.to_owned() };
    good(&bench, pass()).await;
    good(&bench, Question::LinkedRole).await;
    let fields = "RoleName=HprunSandbox&PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess";
    form(&bench, "iam", "DetachRolePolicy", fields).await;
    bad(&bench, pass(), Severity::Error, "role/HprunSandbox may not pass the role").await;
    bad(&bench, Question::LinkedRole, Severity::Error, "may not make it").await;
    linked_role(&bench).await;
    good(&bench, Question::LinkedRole).await;
}

/// HyperPod's own role is there, as after the account's first cluster: the step itself may not make it.
async fn linked_role(bench: &Bench) {
    form(bench, "iam", "CreateServiceLinkedRole", "AWSServiceName=hyperpod.sagemaker.amazonaws.com").await;
}

#[tokio::test]
async fn buckets_and_scripts_are_where_they_are_looked_for_or_not() {
    let bench = Bench::new().await;
    let s3 = bench.clients.s3();
    let here = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint("us-west-2".into()).build();
    s3.create_bucket().bucket("here").create_bucket_configuration(here).send().await.expect("a bucket is made");
    wire::bucket(&bench, "there", "eu-west-1").await;
    let region = |bucket: &str| Question::BucketRegion { bucket: bucket.to_owned() };
    good(&bench, region("here")).await;
    bad(&bench, region("there"), Severity::Error, "the bucket there is in eu-west-1").await;
    bad(&bench, region("gone"), Severity::Error, "there is no bucket gone").await;
    let script = || Question::ScriptThere { bucket: "here".to_owned(), key: "a/on_create.sh".to_owned() };
    bad(&bench, script(), Severity::Error, "there is no s3://here/a/on_create.sh").await;
    let put = s3.put_object().bucket("here").key("a/on_create.sh").body(b"#!/bin/bash\n".to_vec().into());
    put.send().await.expect("it is put");
    good(&bench, script()).await;
}

#[tokio::test]
async fn names_are_free_ours_or_taken() {
    let bench = Bench::new().await;
    let stack = |adopt| Question::StackName { name: "s".to_owned(), adopt };
    good(&bench, stack(false)).await;
    let template = r#"{"Resources":{"A":{"Type":"AWS::Logs::LogGroup"}}}"#;
    let tag = |run: &str| {
        let tag = aws_sdk_cloudformation::types::Tag::builder().key("hprun:run-id").value(run);
        Some(vec![tag.build()])
    };
    let cloudformation = bench.clients.cloudformation();
    for (name, tags) in [("s", None), ("ours", tag("r1")), ("known", tag("known"))] {
        let made = cloudformation.create_stack().stack_name(name).template_body(template).set_tags(tags);
        made.send().await.expect("a stack is made");
    }
    bad(&bench, stack(false), Severity::Error, "a stack s is there already").await;
    good(&bench, stack(true)).await;
    let ours = || Question::StackName { name: "ours".to_owned(), adopt: false };
    bad(&bench, ours(), Severity::Error, "run r1 of hprun made it, which is not in this record").await;
    let known = Question::StackName { name: "known".to_owned(), adopt: false };
    let found = ask(&bench, vec![known.clone()]).await;
    assert_eq!(found[0].help.as_deref(), Some("go on with it: hprun resume heir"), "{found:#?}");
    bad(&bench, known, Severity::Warning, "run known of hprun made it").await;
    assert!(ask_as(&bench, vec![ours()], "r1").await.findings.is_empty());
    let cluster = |name: &str| Question::ClusterName { name: name.to_owned(), adopt: false };
    good(&bench, cluster("ml")).await;
    wire::cluster(&bench, "ml").await;
    bad(&bench, cluster("ml"), Severity::Error, "a cluster ml is there already").await;
    let taken = Question::TypeQuota {
        instance_type: "ml.m5.large".to_owned(),
        wanted: 20,
        spot: false,
        cluster: "b".to_owned(),
    };
    bad(&bench, taken, Severity::Error, "of which 1 are used").await;
}

#[tokio::test]
async fn a_training_plan_suffices_or_not() {
    let bench = Bench::new().await;
    let net = network(&bench).await;
    let plan = |wanted, subnet: &str| Question::TrainingPlan {
        plan: format!("arn:aws:sagemaker:us-west-2:{ACCOUNT}:training-plan/reserved"),
        instance_type: "ml.p5.48xlarge".to_owned(),
        wanted,
        subnets: owned(&[subnet]),
        cluster: "ml".to_owned(),
    };
    bad(&bench, plan(1, &net.private), Severity::Error, "there is no training plan reserved").await;
    let sagemaker = bench.clients.sagemaker();
    let of_type = aws_sdk_sagemaker::types::ReservedCapacityInstanceType::MlP548Xlarge;
    let offers = sagemaker.search_training_plan_offerings().instance_type(of_type).instance_count(4).duration_hours(48);
    let offers = offers.send().await.expect("there are offers");
    let first = &offers.training_plan_offerings()[0];
    let id = first.training_plan_offering_id().expect("an offer has an id");
    let made = sagemaker.create_training_plan().training_plan_name("reserved").training_plan_offering_id(id);
    made.send().await.expect("a plan is made");
    good(&bench, plan(4, &net.private)).await;
    bad(&bench, plan(5, &net.private), Severity::Error, "has 4 free instances, and 5 are wanted").await;
    bad(&bench, plan(4, &net.public), Severity::Error, "is in usw2-az1, and the subnets are in usw2-az2").await;
    bench.advance(Duration::from_secs(49 * 3600));
    bad(&bench, plan(4, &net.private), Severity::Error, "is Expired").await;
}

#[tokio::test]
async fn a_release_is_absent_or_taken() {
    let (bench, kubeconfig) = cluster::connected().await;
    let release = |adopt| Question::Release {
        eks: cluster::CLUSTER.to_owned(),
        namespace: "kube-system".to_owned(),
        release: "charts".to_owned(),
        adopt,
    };
    good(&bench, release(false)).await;
    let client = client(&kubeconfig).await;
    for (version, status) in [("9", "superseded"), ("10", "deployed")] {
        let labels = json!({ "owner": "helm", "name": "charts", "status": status, "version": version });
        let secret =
            json!({ "metadata": { "name": format!("sh.helm.release.v1.charts.v{version}"), "labels": labels } });
        let secret = serde_json::from_value(secret).expect("a secret");
        secrets(&client).create(&Default::default(), &secret).await.expect("it is made");
    }
    bad(&bench, release(false), Severity::Error, "the release kube-system/charts is there already (deployed)").await;
    good(&bench, release(true)).await;
    let gone =
        Question::Release { eks: "gone".to_owned(), namespace: "n".to_owned(), release: "r".to_owned(), adopt: false };
    good(&bench, gone).await;
}

fn secrets(client: &kube::Client) -> kube::Api<k8s_openapi::api::core::v1::Secret> {
    kube::Api::namespaced(client.clone(), "kube-system")
}

async fn client(kubeconfig: &str) -> kube::Client {
    let read = kube::config::Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let config = kube::Config::from_custom_kubeconfig(read, &Default::default()).await.expect("a config");
    let made = tokio::task::spawn_blocking(move || kube::Client::try_from(config)).await;
    made.expect("it ended").expect("a client")
}

/// One question of every kind.
fn every_question() -> Vec<Question> {
    let of = |name: &str| name.to_owned();
    let subnets = || owned(&["subnet-0123456789abcdef0"]);
    let groups = || owned(&["sg-0123456789abcdef0"]);
    let (eks, role, bucket, cluster, stack) = (|| of("e"), || of(ROLE), || of("bucket"), || of("c"), || of("s"));
    vec![
        Question::Region,
        Question::Zone { zone: of("usw2-az1") },
        Question::TypesOffered { types: owned(&["ml.m5.large"]), zone: None, subnets: Vec::new() },
        Question::TypeQuota { instance_type: of("ml.m5.large"), wanted: 1, spot: false, cluster: cluster() },
        Question::TotalQuota { which: Instances::InAll, wanted: 1, cluster: cluster() },
        Question::VolumeQuota { gigabytes: 1 },
        Question::NetworkQuota { stack: stack(), which: NetworkPart::Vpcs, wanted: 1 },
        Question::BlockFree { stack: stack(), vpc: of("vpc-1"), cidr: of("10.0.0.0/16") },
        Question::OneVpc { subnets: subnets(), groups: groups() },
        Question::WayOut { subnets: subnets() },
        Question::FreeAddresses { subnets: subnets(), nodes: Vec::new(), cluster: cluster() },
        Question::SelfReference { groups: groups(), efa: true },
        Question::GroupsMeet { groups: groups(), eks: eks() },
        Question::EksActive { eks: eks() },
        Question::EksAccessMode { eks: eks() },
        Question::EksVersion { eks: eks() },
        Question::EksVpc { eks: eks(), subnets: subnets() },
        Question::Cni { eks: eks() },
        Question::PodIdentity { eks: eks() },
        Question::CallerEntry { eks: eks(), role: None },
        Question::RoleTrust { role: role() },
        Question::RolePolicies { role: role(), cluster: cluster() },
        Question::BucketRegion { bucket: bucket() },
        Question::ScriptThere { bucket: bucket(), key: of("k") },
        Question::RoleReads { role: role(), bucket: bucket(), key: of("k") },
        Question::EndpointPolicy { subnets: subnets(), bucket: bucket(), key: of("k") },
        Question::There { id: of("nat-0123456789abcdef0") },
        Question::PassRole { role: role() },
        Question::Release { eks: eks(), namespace: of("n"), release: of("r"), adopt: false },
        Question::LinkedRole,
        Question::TrainingPlan {
            plan: of("arn/plan"),
            instance_type: of("ml.p5.48xlarge"),
            wanted: 1,
            subnets: Vec::new(),
            cluster: cluster(),
        },
        Question::ClusterName { name: cluster(), adopt: false },
        Question::StackName { name: stack(), adopt: false },
        Question::OneZone { subnets: subnets() },
        Question::Clock,
    ]
}

#[tokio::test]
async fn what_the_caller_may_not_ask_is_unknown_and_no_failure() {
    let bench = Bench::with_faults(script("calls: [{ fault: access-denied }]")).await;
    let questions = every_question();
    let count = questions.len();
    let answered = ask_as(&bench, questions, "none").await;
    assert_eq!((answered.asked, answered.unknown), (count, count));
    let [one] = answered.findings.as_slice() else { panic!("one cause, one finding: {:#?}", answered.findings) };
    assert_eq!((one.code.number, one.severity), (1045, Severity::Warning));
    let says = format!("{count} questions have no answer, because the caller may not ");
    assert!(one.message.starts_with(&says), "{}", one.message);
    for action in ["ec2:DescribeNatGateways", "iam:GetRole", "s3:ListBucket", "servicequotas:ListServiceQuotas"] {
        assert!(one.message.contains(action), "{action}: {}", one.message);
    }
    assert!(one.help.as_deref().is_some_and(|help| help.contains("whether nodes may meet")), "{one:#?}");
}

#[tokio::test]
async fn a_service_that_does_not_answer_leaves_its_questions_unknown() {
    let bench = Bench::with_faults(script("calls: [{ service: servicequotas, fault: server-error }]")).await;
    let answered = ask_as(&bench, every_question(), "none").await;
    let says = |finding: &&Finding| ["is unknown", "have no answer"].iter().any(|says| finding.message.contains(says));
    let unknown: Vec<u16> = answered.findings.iter().filter(says).map(|finding| finding.code.number).collect();
    assert_eq!(unknown, [1045, 1008], "{:#?}", answered.findings);
}

#[tokio::test]
async fn the_step_passes_where_nothing_stands_in_the_way_and_changes_nothing() {
    let bench = Bench::new().await;
    linked_role(&bench).await;
    let before = bench.journal().len();
    let tried = bench.run::<Preflight>(example::<Preflight>(json!({}))).await;
    let outputs = tried.result.expect("nothing stands in the way");
    assert_eq!((&outputs["unknown"], &outputs["warnings"]), (&json!(0), &json!([])), "{outputs}");
    assert!(outputs["asked"].as_u64().is_some_and(|asked| asked >= 9), "{outputs}");
    assert_eq!(tried.records, []);
    let effects: Vec<_> = bench.journal().into_iter().skip(before).filter(|entry| entry.effect).collect();
    assert!(effects.is_empty(), "{effects:#?}");
}

#[tokio::test]
async fn the_step_may_look_at_each_bucket_that_it_is_given() {
    let bench = Bench::new().await;
    linked_role(&bench).await;
    let names = ["of-its-own", "of-scripts"];
    for name in names {
        let here =
            aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint("us-west-2".into()).build();
        let made = bench.clients.s3().create_bucket().bucket(name).create_bucket_configuration(here);
        made.send().await.expect("a bucket is made");
    }
    let script = json!({ "SourceS3Uri": "s3://of-scripts/a", "OnCreate": "on_create.sh" });
    let group = json!({ "InstanceType": "ml.m5.large", "InstanceCount": 1, "LifeCycleConfig": script });
    let inputs = json!({ "bucket": names[0], "cluster": { "ClusterName": "ml", "InstanceGroups": [group] } });
    let before = bench.journal().len();
    let outputs = bench.run::<Preflight>(inputs).await.result.expect("nothing stands in the way");
    assert_eq!((&outputs["unknown"], &outputs["warnings"]), (&json!(0), &json!([])), "{outputs}");
    let journal: Vec<_> = bench.journal().into_iter().skip(before).filter(|entry| entry.service == "s3").collect();
    assert_eq!(journal.iter().map(|entry| entry.status).collect::<Vec<_>>(), [200; 2], "{journal:#?}");
}

#[tokio::test]
async fn the_step_fails_with_all_that_stands_in_the_way_at_once() {
    let text = "quotas: { ml.g5.12xlarge for cluster usage: 0, Maximum number instances allowed per SageMaker HyperPod cluster: 0, \
                Total number of instances allowed across SageMaker HyperPod clusters: 0 }";
    let bench = Bench::with_faults(script(text)).await;
    linked_role(&bench).await;
    let template = r#"{"Resources":{"A":{"Type":"AWS::Logs::LogGroup"}}}"#;
    let made =
        bench.clients.cloudformation().create_stack().stack_name("hyperpod-eks-full-stack").template_body(template);
    made.send().await.expect("somebody's stack is made");
    let inputs = example::<Preflight>(json!({ "availability-zone-id": "use1-az1" }));
    let error = bench.run::<Preflight>(inputs).await.result.expect_err("five things stand in the way");
    assert_eq!(error.message, "5 things stand in the way of this run");
    let codes: Vec<&str> = error.causes.iter().filter_map(|cause| cause.split(':').next()).collect();
    assert_eq!(codes, ["HP1033", "HP1003", "HP1005", "HP1006", "HP1006"], "{error:#?}");
}

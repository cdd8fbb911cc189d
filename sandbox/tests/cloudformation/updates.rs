//! Changing stacks: in place, by replacement, with rollback.

use insta::assert_snapshot;

use crate::aws::Aws;

fn template(cidr: &str, dns: bool, more: &str) -> String {
    format!(
        "
Resources:
  Vpc: {{Type: AWS::EC2::VPC, Properties: {{CidrBlock: 10.0.0.0/16, EnableDnsHostnames: {dns}}}}}
  Subnet: {{Type: AWS::EC2::Subnet, Properties: {{VpcId: !Ref Vpc, CidrBlock: {cidr}, AvailabilityZone: us-west-2a}}}}
{more}
"
    )
}

const GATEWAY: &str = "  Gateway: {Type: AWS::EC2::InternetGateway}";
const TABLE: &str = "  Table: {Type: AWS::EC2::RouteTable, DependsOn: Subnet, Properties: {VpcId: !Ref Vpc}}";

async fn made(faults: &str) -> Aws {
    let aws = Aws::with_faults(faults).await;
    aws.create("net", &template("10.0.1.0/24", false, GATEWAY)).await;
    aws.pass(1000);
    assert_eq!(aws.status("net").await, "CREATE_COMPLETE");
    aws
}

fn since(events: &str, second: i64) -> String {
    let later = |line: &&str| line.trim().split(' ').next().unwrap().parse::<i64>().unwrap() >= second;
    events.lines().filter(later).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn an_update_changes_replaces_adds_and_then_cleans_up() {
    let aws = made("").await;
    let before = aws.resources("net").await;
    let new = template("10.0.2.0/24", true, TABLE);
    aws.ok("UpdateStack", &[("StackName", "net"), ("TemplateBody", &new)]).await;
    aws.pass(300);
    assert_snapshot!(since(&aws.events("net").await, 1000));
    let after = aws.resources("net").await;
    let id = |resources: &[(String, String, String)], name: &str| {
        resources.iter().find(|it| it.0 == name).map(|it| it.1.clone())
    };
    assert_eq!(id(&before, "Vpc"), id(&after, "Vpc"));
    assert_ne!(id(&before, "Subnet"), id(&after, "Subnet"));
    assert_eq!(id(&after, "Gateway"), None);
    assert_eq!(
        aws.refused("UpdateStack", &[("StackName", "net"), ("TemplateBody", &new)]).await,
        "ValidationError: No updates are to be performed."
    );
}

#[tokio::test]
async fn a_failed_update_gives_everything_its_former_state() {
    let aws = made(
        "resources: [{kind: 'AWS::EC2::RouteTable', reason: The limit of route tables has been reached., after: 2s}]",
    )
    .await;
    let before = aws.resources("net").await;
    let new = template("10.0.2.0/24", true, TABLE);
    aws.ok("UpdateStack", &[("StackName", "net"), ("TemplateBody", &new)]).await;
    aws.pass(300);
    assert_snapshot!(since(&aws.events("net").await, 1000));
    assert_eq!(aws.status("net").await, "UPDATE_ROLLBACK_COMPLETE");
    let ids =
        |resources: Vec<(String, String, String)>| resources.into_iter().map(|it| (it.0, it.1)).collect::<Vec<_>>();
    assert_eq!(ids(aws.resources("net").await), ids(before));
    let old = template("10.0.1.0/24", false, GATEWAY);
    assert_eq!(
        aws.refused("UpdateStack", &[("StackName", "net"), ("TemplateBody", &old)]).await,
        "ValidationError: No updates are to be performed."
    );
}

#[tokio::test]
async fn a_cancelled_update_rolls_back() {
    let aws = made("").await;
    let new = template("10.0.1.0/24", true, TABLE);
    aws.ok("UpdateStack", &[("StackName", "net"), ("TemplateBody", &new)]).await;
    aws.pass(10);
    aws.ok("CancelUpdateStack", &[("StackName", "net")]).await;
    assert_eq!(aws.status("net").await, "UPDATE_ROLLBACK_IN_PROGRESS: User Initiated");
    aws.pass(100);
    assert_eq!(aws.status("net").await, "UPDATE_ROLLBACK_COMPLETE");
    assert!(
        aws.refused("CancelUpdateStack", &[("StackName", "net")])
            .await
            .contains("cannot be called from current stack status")
    );
}

#[tokio::test]
async fn a_retained_resource_is_left_behind() {
    let aws = Aws::new().await;
    let with = |policy: &str| {
        format!(
            "Resources:\n  A: {{Type: AWS::EC2::EIP}}\n  B: {{Type: AWS::EC2::InternetGateway, DeletionPolicy: {policy}}}\n"
        )
    };
    aws.create("s", &with("Retain")).await;
    aws.pass(100);
    aws.ok("UpdateStack", &[("StackName", "s"), ("TemplateBody", "Resources: {A: {Type: AWS::EC2::EIP}}")]).await;
    aws.pass(100);
    let events = aws.events("s").await;
    assert!(events.contains("B DELETE_SKIPPED") && !events.contains("B DELETE_IN_PROGRESS"), "{events}");
    assert_eq!(aws.resources("s").await.len(), 1);
}

#[tokio::test]
async fn stack_tags_reach_the_resources_and_a_changed_one_updates_them() {
    let aws = Aws::new().await;
    let template = template("10.0.1.0/24", false, GATEWAY);
    let tagged = |value: &'static str| {
        [
            ("StackName", "net"),
            ("TemplateBody", template.as_str()),
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", value),
        ]
    };
    aws.ok("CreateStack", &tagged("a")).await;
    aws.pass(100);
    assert!(aws.refused("UpdateStack", &tagged("a")).await.ends_with("No updates are to be performed."));
    aws.ok("UpdateStack", &tagged("b")).await;
    aws.pass(100);
    let events = since(&aws.events("net").await, 100);
    assert!(events.contains("Vpc UPDATE_COMPLETE") && events.contains("Subnet UPDATE_COMPLETE"), "{events}");
}

const STUCK: &str = "
resources:
  - {kind: 'AWS::EC2::RouteTable', reason: The limit of route tables has been reached., after: 2s}
  - {kind: 'AWS::EC2::VPC/rollback', reason: It will not go back., times: 2}
";

#[tokio::test]
async fn a_rollback_that_fails_can_be_continued_or_skip_what_hinders_it() {
    let aws = made(STUCK).await;
    let new = template("10.0.2.0/24", true, TABLE);
    aws.ok("UpdateStack", &[("StackName", "net"), ("TemplateBody", &new)]).await;
    aws.pass(100);
    let stuck = "UPDATE_ROLLBACK_FAILED: The following resource(s) failed to update: [Vpc]. ";
    assert_eq!(aws.status("net").await, stuck);
    assert!(
        aws.refused("UpdateStack", &[("StackName", "net"), ("TemplateBody", &new)])
            .await
            .contains("can not be updated")
    );
    aws.ok("ContinueUpdateRollback", &[("StackName", "net")]).await;
    aws.pass(100);
    assert_eq!(aws.status("net").await, stuck);
    aws.ok("ContinueUpdateRollback", &[("StackName", "net"), ("ResourcesToSkip.member.1", "Vpc")]).await;
    aws.pass(100);
    assert_snapshot!(since(&aws.events("net").await, 1200));
    assert_eq!(aws.status("net").await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(aws.resources("net").await.len(), 3);
}

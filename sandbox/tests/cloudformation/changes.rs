//! Change sets: what they say, when they fail, that carrying them out does it.

use crate::aws::{Aws, all, first};

const TEMPLATE: &str = "
Parameters: {Cidr: {Type: String, Default: 10.0.0.0/16}, Dns: {Type: String, Default: 'false'}}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref Cidr, EnableDnsHostnames: !Ref Dns}}
  Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  Gateway: {Type: AWS::EC2::InternetGateway}
";

/// `Action Logical Replacement (property: recreation evaluation source cause)`
async fn described(aws: &Aws, name: &str) -> Vec<String> {
    let body = aws.ok("DescribeChangeSet", &[("StackName", "net"), ("ChangeSetName", name)]).await;
    let line = |change: &String| {
        let detail = first(change, "Details");
        let parts = ["Name", "RequiresRecreation", "Evaluation", "ChangeSource", "CausingEntity"]
            .map(|tag| first(&detail, tag));
        format!(
            "{} {} {} {}",
            first(change, "Action"),
            first(change, "LogicalResourceId"),
            first(change, "Replacement"),
            parts.join(" ")
        )
        .trim()
        .to_owned()
    };
    all(&body, "ResourceChange").iter().map(line).collect()
}

async fn made() -> Aws {
    let aws = Aws::new().await;
    let set =
        [("StackName", "net"), ("ChangeSetName", "first"), ("ChangeSetType", "CREATE"), ("TemplateBody", TEMPLATE)];
    aws.ok("CreateChangeSet", &set).await;
    assert_eq!(aws.status("net").await, "REVIEW_IN_PROGRESS: User Initiated");
    let early = aws.refused("ExecuteChangeSet", &[("StackName", "net"), ("ChangeSetName", "first")]).await;
    assert!(early.starts_with("InvalidChangeSetStatus: ChangeSet ["), "{early}");
    aws.pass(5);
    assert_eq!(described(&aws, "first").await, ["Add Vpc", "Add Table", "Add Gateway"]);
    aws.ok("ExecuteChangeSet", &[("StackName", "net"), ("ChangeSetName", "first"), ("ClientRequestToken", "t")]).await;
    aws.pass(100);
    assert_eq!(aws.status("net").await, "CREATE_COMPLETE");
    aws
}

async fn change(aws: &Aws, name: &str, more: &[(&str, &str)]) {
    let mut parameters = vec![("StackName", "net"), ("ChangeSetName", name)];
    parameters.extend_from_slice(more);
    aws.ok("CreateChangeSet", &parameters).await;
    aws.pass(5);
}

#[tokio::test]
async fn replacements_are_foretold_and_those_of_dependents_are_conditional() {
    let aws = made().await;
    let cidr = [
        ("UsePreviousTemplate", "true"),
        ("Parameters.member.1.ParameterKey", "Cidr"),
        ("Parameters.member.1.ParameterValue", "10.1.0.0/16"),
    ];
    change(&aws, "cidr", &cidr).await;
    assert_eq!(
        described(&aws, "cidr").await,
        [
            "Modify Vpc True CidrBlock Always Static ParameterReference",
            "Modify Table Conditional VpcId Always Dynamic ResourceReference Vpc"
        ]
    );
    let dns = [
        ("UsePreviousTemplate", "true"),
        ("Parameters.member.1.ParameterKey", "Dns"),
        ("Parameters.member.1.ParameterValue", "true"),
    ];
    change(&aws, "dns", &dns).await;
    assert_eq!(described(&aws, "dns").await, ["Modify Vpc False EnableDnsHostnames Never Static ParameterReference"]);
    let fewer = TEMPLATE.replace("  Gateway: {Type: AWS::EC2::InternetGateway}\n", "");
    change(&aws, "fewer", &[("TemplateBody", &fewer)]).await;
    assert_eq!(described(&aws, "fewer").await, ["Remove Gateway"]);
    aws.ok("ExecuteChangeSet", &[("StackName", "net"), ("ChangeSetName", "dns")]).await;
    aws.pass(100);
    assert_eq!(aws.status("net").await, "UPDATE_COMPLETE");
    assert_eq!(aws.resources("net").await.len(), 3);
}

#[tokio::test]
async fn a_change_set_without_changes_fails_and_can_be_deleted() {
    let aws = made().await;
    change(&aws, "same", &[("TemplateBody", TEMPLATE)]).await;
    let body = aws.ok("DescribeChangeSet", &[("StackName", "net"), ("ChangeSetName", "same")]).await;
    assert_eq!(
        (first(&body, "Status"), first(&body, "ExecutionStatus")),
        ("FAILED".to_owned(), "UNAVAILABLE".to_owned())
    );
    assert_eq!(
        first(&body, "StatusReason"),
        "The submitted information didn't contain changes. Submit different information to create a change set."
    );
    aws.ok("DeleteChangeSet", &[("StackName", "net"), ("ChangeSetName", "same")]).await;
    let gone = aws.refused("DescribeChangeSet", &[("StackName", "net"), ("ChangeSetName", "same")]).await;
    assert_eq!(gone, "ChangeSetNotFound: ChangeSet [same] does not exist");
}

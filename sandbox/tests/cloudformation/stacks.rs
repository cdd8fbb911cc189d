//! Making and deleting stacks, well and badly.

use insta::assert_snapshot;

use crate::aws::{Aws, all, first};

const NETWORK: &str = "
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Gateway: {Type: AWS::EC2::InternetGateway}
  Attachment: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway}}
  Public: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24, AvailabilityZone: !Select [0, !GetAZs '']}}
  Ip: {Type: AWS::EC2::EIP, DependsOn: Attachment, Properties: {Domain: vpc}}
  Nat: {Type: AWS::EC2::NatGateway, Properties: {SubnetId: !Ref Public, AllocationId: !GetAtt Ip.AllocationId}}
Outputs:
  Zone: {Value: !GetAtt Public.AvailabilityZone, Export: {Name: !Sub '${AWS::StackName}-zone'}}
";

const BUCKET: &str = "
Resources:
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: sagemaker-b}}
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle, DependsOn: Bucket}
";

#[tokio::test]
async fn resources_are_made_in_dependency_order_each_with_its_events() {
    let aws = Aws::new().await;
    aws.create("net", NETWORK).await;
    assert_eq!(aws.status("net").await, "CREATE_IN_PROGRESS: User Initiated");
    aws.pass(600);
    assert_snapshot!(aws.events("net").await);
    let stack = aws.ok("DescribeStacks", &[("StackName", "net")]).await;
    assert_eq!(first(&stack, "OutputValue"), "us-west-2a");
    assert_eq!(first(&stack, "ExportName"), "net-zone");
    aws.ok("DeleteStack", &[("StackName", "net")]).await;
    aws.pass(600);
    let id = first(&stack, "StackId");
    assert_snapshot!("a_deleted_stack_is_told_by_its_id", aws.events(&id).await);
    assert_eq!(
        aws.refused("DescribeStacks", &[("StackName", "net")]).await,
        "ValidationError: Stack with id net does not exist"
    );
    assert_eq!(aws.status(&id).await, "DELETE_COMPLETE");
}

#[tokio::test]
async fn a_world_opened_again_in_the_middle_goes_on_as_if_nothing_had_happened() {
    let whole = Aws::new().await;
    whole.create("net", NETWORK).await;
    whole.pass(600);
    let mut aws = Aws::new().await;
    aws.create("net", NETWORK).await;
    for _ in 0..12 {
        aws.pass(7);
        aws.status("net").await;
        aws = aws.reopen().await;
    }
    assert!(aws.status("net").await.starts_with("CREATE_IN_PROGRESS"), "the test must cut a creation");
    aws.pass(600 - 12 * 7);
    assert_eq!(aws.events("net").await, whole.events("net").await);
}

const FAILING: &str = "
resources:
  - {kind: 'AWS::EC2::Subnet', name: Public, reason: 'The CIDR is taken.', after: 1s, times: 1}
";

#[tokio::test]
async fn a_failure_cancels_the_others_and_rolls_back_in_reverse_order() {
    let aws = Aws::with_faults(FAILING).await;
    aws.create("net", NETWORK).await;
    aws.pass(600);
    assert_snapshot!(aws.events("net").await);
    assert_eq!(
        aws.refused("UpdateStack", &[("StackName", "net"), ("TemplateBody", BUCKET)])
            .await
            .split(' ')
            .skip(2)
            .collect::<Vec<_>>()
            .join(" "),
        "is in ROLLBACK_COMPLETE state and can not be updated."
    );
    aws.ok("DeleteStack", &[("StackName", "net")]).await;
    aws.pass(10);
    aws.create("net", NETWORK).await;
    aws.pass(600);
    assert_eq!(aws.status("net").await, "CREATE_COMPLETE");
}

#[tokio::test]
async fn what_happens_on_failure_is_as_asked_for() {
    for (on_failure, status) in [
        ("DO_NOTHING", "CREATE_FAILED: The following resource(s) failed to create: [Gateway, Public]. "),
        ("DELETE", "DELETE_COMPLETE"),
    ] {
        let aws = Aws::with_faults(FAILING).await;
        let parameters = [("StackName", "net"), ("TemplateBody", NETWORK), ("OnFailure", on_failure)];
        let id = first(&aws.ok("CreateStack", &parameters).await, "StackId");
        aws.pass(600);
        assert_eq!(aws.status(&id).await, status);
    }
}

#[tokio::test]
async fn a_bucket_with_objects_fails_the_deletion_until_it_is_retained() {
    let aws = Aws::new().await;
    aws.create("b", BUCKET).await;
    aws.pass(60);
    aws.put_object("sagemaker-b", "key", "text").await;
    let early = aws.refused("DeleteStack", &[("StackName", "b"), ("RetainResources.member.1", "Bucket")]).await;
    assert!(
        early.contains("RetainResources parameter can only be specified for stacks in the DELETE_FAILED state"),
        "{early}"
    );
    aws.ok("DeleteStack", &[("StackName", "b")]).await;
    aws.pass(60);
    assert_eq!(aws.status("b").await, "DELETE_FAILED: The following resource(s) failed to delete: [Bucket]. ");
    let events = aws.events("b").await;
    assert!(
        events.contains(
            "Bucket DELETE_FAILED Resource handler returned message: \"The bucket you tried to delete is not empty"
        ),
        "{events}"
    );
    aws.ok("DeleteStack", &[("StackName", "b"), ("RetainResources.member.1", "Bucket")]).await;
    aws.pass(60);
    assert_eq!(
        aws.refused("DescribeStacks", &[("StackName", "b")]).await,
        "ValidationError: Stack with id b does not exist"
    );
    aws.put_object("sagemaker-b", "still-there", "text").await;
}

#[tokio::test]
async fn a_deletion_that_fails_by_script_can_be_repeated() {
    let aws =
        Aws::with_faults("resources: [{kind: 'AWS::S3::Bucket/delete', reason: The bucket is locked., times: 1}]")
            .await;
    aws.create("b", BUCKET).await;
    aws.pass(60);
    aws.ok("DeleteStack", &[("StackName", "b")]).await;
    aws.pass(60);
    assert_eq!(aws.status("b").await, "DELETE_FAILED: The following resource(s) failed to delete: [Bucket]. ");
    aws.ok("DeleteStack", &[("StackName", "b")]).await;
    aws.pass(60);
    assert_eq!(
        aws.refused("DescribeStacks", &[("StackName", "b")]).await,
        "ValidationError: Stack with id b does not exist"
    );
}

/// Operation, parameters, the error.
type Refused<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

#[tokio::test]
async fn requests_are_refused_in_awss_words() {
    let aws = Aws::new().await;
    aws.create("b", BUCKET).await;
    let role = "Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: r, AssumeRolePolicyDocument: {}}}}";
    let large = "x".repeat(51_201);
    let table: &[Refused] = &[
        (
            "CreateStack",
            &[("StackName", "b"), ("TemplateBody", BUCKET)],
            "AlreadyExistsException: Stack [b] already exists",
        ),
        (
            "CreateStack",
            &[("StackName", "n"), ("TemplateBody", role)],
            "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_NAMED_IAM]",
        ),
        (
            "CreateStack",
            &[("StackName", "1b"), ("TemplateBody", BUCKET)],
            "ValidationError: 1 validation error detected: Value '1b' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
        ),
        (
            "CreateStack",
            &[("StackName", "n")],
            "ValidationError: Either Template URL or Template Body must be specified.",
        ),
        (
            "CreateStack",
            &[("StackName", "n"), ("TemplateBody", BUCKET), ("StackPolicyBody", "{}")],
            "NotPartOfTheSandbox: hprun sandbox: parameter StackPolicyBody of operation CreateStack of service cloudformation is not part of the sandbox",
        ),
        ("UpdateStack", &[("StackName", "n"), ("TemplateBody", BUCKET)], "ValidationError: Stack [n] does not exist"),
        ("DescribeStackEvents", &[("StackName", "n")], "ValidationError: Stack [n] does not exist"),
        (
            "DetectStackDrift",
            &[("StackName", "b")],
            "NotPartOfTheSandbox: hprun sandbox: operation DetectStackDrift of service cloudformation is not part of the sandbox",
        ),
    ];
    for (operation, parameters, expected) in table {
        assert_eq!(aws.refused(operation, parameters).await, *expected);
    }
    let answer = aws.refused("CreateStack", &[("StackName", "n"), ("TemplateBody", &large)]).await;
    assert!(
        answer.ends_with(
            "at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200"
        ),
        "{answer}"
    );
}

#[tokio::test]
async fn wrong_properties_fail_the_resource() {
    let aws = Aws::new().await;
    let table = [
        (
            "Resources: {A: {Type: AWS::EC2::VPC, Properties: {Cidr: 10.0.0.0/16}}}",
            "Encountered unsupported property Cidr",
        ),
        ("Resources: {A: {Type: AWS::EC2::RouteTable}}", "Property VpcId cannot be empty."),
    ];
    for (index, (template, reason)) in table.iter().enumerate() {
        let name = format!("s{index}");
        aws.create(&name, template).await;
        aws.pass(60);
        let events = aws.events(&name).await;
        assert!(events.contains(&format!("A CREATE_FAILED {reason}")), "{events}");
        assert!(aws.status(&name).await.starts_with("ROLLBACK_COMPLETE"));
    }
}

#[tokio::test]
async fn a_token_answers_its_own_request_again_and_no_other() {
    let aws = Aws::new().await;
    let create = [("StackName", "b"), ("TemplateBody", BUCKET), ("ClientRequestToken", "t-1")];
    let id = first(&aws.ok("CreateStack", &create).await, "StackId");
    assert_eq!(first(&aws.ok("CreateStack", &create).await, "StackId"), id);
    aws.pass(60);
    let events = aws.ok("DescribeStackEvents", &[("StackName", "b")]).await;
    assert!(all(&events, "member").iter().all(|event| first(event, "ClientRequestToken") == "t-1"));
    let again = aws.refused("DeleteStack", &[("StackName", "b"), ("ClientRequestToken", "t-1")]).await;
    assert!(again.starts_with("TokenAlreadyExistsException"), "{again}");
    let delete = [("StackName", "b"), ("ClientRequestToken", "t-2")];
    aws.ok("DeleteStack", &delete).await;
    aws.ok("DeleteStack", &delete).await;
    aws.pass(60);
    let again = aws.refused("CreateStack", &create).await;
    assert!(again.starts_with("TokenAlreadyExistsException"), "{again}");
}

#[tokio::test]
async fn a_protected_stack_is_not_deleted() {
    let aws = Aws::new().await;
    aws.ok("CreateStack", &[("StackName", "b"), ("TemplateBody", BUCKET), ("EnableTerminationProtection", "true")])
        .await;
    aws.pass(60);
    let refused = "ValidationError: Stack [b] cannot be deleted while TerminationProtection is enabled";
    assert_eq!(aws.refused("DeleteStack", &[("StackName", "b")]).await, refused);
    aws.ok("UpdateTerminationProtection", &[("StackName", "b"), ("EnableTerminationProtection", "false")]).await;
    aws.ok("DeleteStack", &[("StackName", "b")]).await;
}

#[tokio::test]
async fn events_come_in_pages_newest_first() {
    let aws = Aws::new().await;
    let handles: String =
        (0..40).map(|i| format!("  H{i}: {{Type: AWS::CloudFormation::WaitConditionHandle}}\n")).collect();
    aws.create("many", &format!("Resources:\n{handles}")).await;
    aws.pass(60);
    let page = aws.ok("DescribeStackEvents", &[("StackName", "many")]).await;
    let token = first(&page, "NextToken");
    let rest = aws.ok("DescribeStackEvents", &[("StackName", "many"), ("NextToken", &token)]).await;
    assert_eq!((all(&page, "member").len(), all(&rest, "member").len()), (100, 22));
    assert_eq!(first(&page, "ResourceStatus"), "CREATE_COMPLETE");
    assert_eq!(first(&rest, "NextToken"), "");
    assert_eq!(first(all(&rest, "member").last().unwrap(), "LogicalResourceId"), "many");
}

const PARENT: &str = "
Resources:
  Child: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: 'https://stack-templates.s3.us-west-2.amazonaws.com/child.yaml', Parameters: {Cidr: 10.9.0.0/16}}}
Outputs: {Vpc: {Value: !GetAtt Child.Outputs.Vpc}}
";
const CHILD: &str = "
Parameters: {Cidr: {Type: String}}
Resources: {Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref Cidr}}}
Outputs: {Vpc: {Value: !GetAtt Vpc.CidrBlock}}
";

#[tokio::test]
async fn a_nested_stack_is_a_resource_with_outputs() {
    let aws = Aws::new().await;
    aws.create("store", "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: stack-templates}}}").await;
    aws.pass(60);
    aws.put_object("stack-templates", "child.yaml", CHILD).await;
    aws.create("parent", PARENT).await;
    aws.pass(120);
    assert_eq!(aws.status("parent").await, "CREATE_COMPLETE");
    assert_eq!(first(&aws.ok("DescribeStacks", &[("StackName", "parent")]).await, "OutputValue"), "10.9.0.0/16");
    let child = aws.resources("parent").await[0].1.clone();
    assert_eq!(aws.status(&child).await, "CREATE_COMPLETE");
    assert_snapshot!(aws.events("parent").await.replace(&child, "CHILD"));
    aws.ok("DeleteStack", &[("StackName", "parent")]).await;
    aws.pass(120);
    assert_eq!(aws.status(&child).await, "DELETE_COMPLETE");
}

#[tokio::test]
async fn a_failed_nested_stack_fails_its_parent_and_both_roll_back() {
    let aws = Aws::with_faults(
        "resources: [{kind: 'AWS::EC2::VPC', name: Vpc, reason: The maximum number of VPCs has been reached.}]",
    )
    .await;
    aws.create("store", "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: stack-templates}}}").await;
    aws.pass(60);
    aws.put_object("stack-templates", "child.yaml", CHILD).await;
    aws.create("parent", PARENT).await;
    aws.pass(300);
    assert_eq!(aws.status("parent").await, "ROLLBACK_COMPLETE");
    let events = aws.events("parent").await;
    let failed = events.lines().find(|line| line.contains("Child CREATE_FAILED")).unwrap();
    assert!(
        failed.contains("Embedded stack arn:aws:cloudformation:us-west-2:111122223333:stack/parent-Child-"),
        "{failed}"
    );
    assert!(failed.ends_with("was not successfully created: The following resource(s) failed to create: [Vpc]. Rollback requested by user."), "{failed}");
}

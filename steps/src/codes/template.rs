//! Mistakes in CloudFormation templates and in what they are given.
//! Knows nothing of stacks.

use crate::finding::Code;

/// The template cannot be read.
pub static UNREADABLE_TEMPLATE: Code = Code {
    number: 501,
    title: "the template cannot be read",
    cause: "CloudFormation takes YAML or JSON with a mapping `Resources` in it. A text that begins with `{` is JSON.",
    example: r"Resources:
  A: [",
    cure: "Mend the place that is named.",
};

/// A name of a stack is not one.
pub static WRONG_STACK_NAME: Code = Code {
    number: 502,
    title: "a name of a stack is not one",
    cause: "A letter, then letters, digits and hyphens, at most 128.",
    example: "name: my_stack",
    cure: "Write it with hyphens.",
};

/// The template is too large.
pub static TEMPLATE_TOO_LARGE: Code = Code {
    number: 503,
    title: "the template is too large",
    cause: "CloudFormation takes 51,200 bytes in a request, and 1 MB from S3.",
    example: "A template of 60 KB without `template-bucket`",
    cure: "Name a bucket for it, or split it into nested stacks.",
};

/// The template has no such parameter.
pub static UNKNOWN_PARAMETER: Code = Code {
    number: 504,
    title: "the template has no such parameter",
    cause: "CloudFormation refuses values for parameters that the template does not declare.",
    example: "parameters: { CreateEksCluster: true }",
    cure: "Write the name that the message suggests.",
};

/// A parameter has no value.
pub static MISSING_PARAMETER: Code = Code {
    number: 505,
    title: "a parameter has no value",
    cause: "The template gives it no default, so the step must.",
    example: "Zone: { Type: String }      (and nothing under `parameters`)",
    cure: "Add it under `parameters`, or give it a Default.",
};

/// A parameter does not accept its value.
pub static WRONG_PARAMETER_VALUE: Code = Code {
    number: 506,
    title: "a parameter does not accept its value",
    cause: "The template limits it: AllowedValues, AllowedPattern, lengths, ranges, type.",
    example: "CreateSubnet: yes      (AllowedValues: true, false)",
    cure: "Write a value that the message names.",
};

/// A secret enters a parameter that is shown.
pub static SECRET_PARAMETER_SHOWN: Code = Code {
    number: 507,
    title: "a secret enters a parameter that is shown",
    cause: "Without `NoEcho: true` everyone who may describe the stack can read it.",
    example: "Password: { Type: String }",
    cure: "Give the parameter `NoEcho: true`.",
};

/// The template makes nothing.
pub static NO_RESOURCES: Code = Code {
    number: 508,
    title: "the template makes nothing",
    cause: "A template must have at least one resource.",
    example: "Parameters: { A: { Type: String } }      (and no `Resources`)",
    cure: "Add the resources, or take the step out.",
};

/// A key that templates do not have.
pub static UNKNOWN_KEY: Code = Code {
    number: 509,
    title: "a key that templates do not have",
    cause: "CloudFormation refuses keys that it does not know, in the template and in each part of it. Properties of resources are not meant: cfn-lint knows those.",
    example: r"Resources:
  A: { Type: AWS::S3::Bucket, Propertys: {} }",
    cure: "Write the key that the message suggests, or take it out.",
};

/// A key stands twice.
pub static DUPLICATE_KEY: Code = Code {
    number: 510,
    title: "a key stands twice",
    cause: "One of the two values would be lost; which one depends on who reads the file.",
    example: r"Resources:
  Bucket: { Type: AWS::S3::Bucket }
  Bucket: { Type: AWS::S3::Bucket }",
    cure: "Remove one of them, or give it another name.",
};

/// A part of the template has the wrong shape.
pub static WRONG_SHAPE: Code = Code {
    number: 511,
    title: "a part of the template has the wrong shape",
    cause: "Each part of a template is a mapping, a list or a text, and some must be there: a `Type` for a resource, a `Value` for an output.",
    example: r"Outputs:
  Name: !Ref Bucket",
    cure: "Write it in the shape that the message names: `Name: { Value: !Ref Bucket }`.",
};

/// A value is missing.
pub static NULL_VALUE: Code = Code {
    number: 512,
    title: "a value is missing",
    cause: "A key without a value is null in YAML, and CloudFormation takes no null.",
    example: r"Properties:
  BucketName:",
    cure: "Give it a value, leave the key out, or write `!Ref AWS::NoValue`.",
};

/// A name in a template is not one.
pub static WRONG_NAME: Code = Code {
    number: 513,
    title: "a name in a template is not one",
    cause: "Logical ids, parameters and outputs are named with letters and digits only, at most 255.",
    example: r"Resources:
  my-bucket: { Type: AWS::S3::Bucket }",
    cure: "Leave hyphens and underscores out: MyBucket.",
};

/// The template has too many of something.
pub static TOO_MANY: Code = Code {
    number: 514,
    title: "the template is beyond a quota",
    cause: "CloudFormation takes 200 parameters, 200 mappings, 500 resources and 200 outputs a template; its description may have 1,024 bytes, that of a parameter 4,000 characters.",
    example: "A template with 501 resources",
    cure: "Divide it into several stacks: several `deploy-stack` steps, or nested stacks.",
};

/// A hidden parameter is given a value in the clear.
pub static PLAIN_VALUE_FOR_HIDDEN: Code = Code {
    number: 515,
    title: "a hidden parameter is given a value in the clear",
    cause: "The template keeps this parameter from sight (`NoEcho`), but its value stands in the pipeline file or in the record.",
    example: "parameters: { Password: letmein }      (Password: { NoEcho: true })",
    cure: "Take it from a param with `secret: true`.",
};

/// A default that its parameter refuses.
pub static WRONG_DEFAULT: Code = Code {
    number: 516,
    title: "a default that its parameter refuses",
    cause: "CloudFormation holds a default against the limits of its parameter when the default is used.",
    example: "Mode: { Type: String, Default: full, AllowedValues: [all, none] }",
    cure: "Mend the default, or give a value under `parameters`.",
};

/// There is no such parameter type.
pub static UNKNOWN_PARAMETER_TYPE: Code = Code {
    number: 517,
    title: "there is no such parameter type",
    cause: "Parameters are String, Number, CommaDelimitedList, List<Number>, of an AWS type such as AWS::EC2::VPC::Id, or read from the Parameter Store.",
    example: "Count: { Type: Integer }",
    cure: "Write the type that the message suggests; for whole numbers, Number.",
};

/// A name leads to no parameter and no resource.
pub static UNKNOWN_NAME: Code = Code {
    number: 518,
    title: "a name leads to no parameter and no resource",
    cause: "`Ref`, `GetAtt`, `Sub` and `DependsOn` must name something that the template declares, also in branches that are not taken.",
    example: "VpcId: !Ref Vcp      (Resources: { Vpc: … })",
    cure: "Write the name that the message suggests, or declare it.",
};

/// A resource is needed that these parameters do not make.
pub static ABSENT_RESOURCE: Code = Code {
    number: 519,
    title: "a resource is needed that these parameters do not make",
    cause: r#"The resource has a condition that is false for these parameters, and something that is made names it. CloudFormation finds this only when it makes the stack: "Unresolved resource dependencies". The AWS sample template for HyperPod has this mistake in its integrative mode."#,
    example: r"PublicRouteTable: { Type: AWS::EC2::RouteTable, Condition: CreateEKSCluster }
S3Endpoint:
  Type: AWS::EC2::VPCEndpoint
  Properties: { RouteTableIds: [!Ref PublicRouteTable] }",
    cure: "Name it only under its condition: `!If [CreateEKSCluster, !Ref PublicRouteTable, !Ref AWS::NoValue]`; or give what names it the same condition.",
};

/// A resource waits for one that these parameters do not make.
pub static ABSENT_DEPENDENCY: Code = Code {
    number: 520,
    title: "a resource waits for one that these parameters do not make",
    cause: "`DependsOn` takes no functions, so it also names the resource where its condition is false. Then there is nothing to wait for.",
    example: "DependsOn: Route      (Route: { Condition: Full }, and Full is false)",
    cure: r#"If the order matters, name the resource in the metadata under its condition: `Metadata: { After: !If [Full, !Ref Route, ""] }`."#,
};

/// There is no such condition.
pub static UNKNOWN_CONDITION: Code = Code {
    number: 521,
    title: "there is no such condition",
    cause: "`Condition`, `!Condition` and `!If` must name a condition that the template declares.",
    example: "Condition: IsProd      (Conditions: { Prod: … })",
    cure: "Write the name that the message suggests, or declare it under `Conditions`.",
};

/// Conditions go round in a circle.
pub static CIRCULAR_CONDITIONS: Code = Code {
    number: 522,
    title: "conditions go round in a circle",
    cause: "A condition cannot be told if it names itself, directly or through others.",
    example: r"Conditions:
  A: !Not [!Condition B]
  B: !Not [!Condition A]",
    cure: "Let one of them ask parameters instead.",
};

/// Resources wait for each other.
pub static CIRCULAR_RESOURCES: Code = Code {
    number: 523,
    title: "resources wait for each other",
    cause: "What a resource names must be made before it. If two name each other, neither can be first.",
    example: r"A: { Type: AWS::EC2::SecurityGroup, Properties: { … !Ref B … } }
B: { Type: AWS::EC2::SecurityGroup, Properties: { … !Ref A … } }",
    cure: "Take one reference out of the resource into one of its own, such as AWS::EC2::SecurityGroupIngress.",
};

/// A function is given what it does not take.
pub static WRONG_ARGUMENTS: Code = Code {
    number: 524,
    title: "a function is given what it does not take",
    cause: "Each intrinsic function takes a certain number and shape of arguments, and is the only key of its mapping.",
    example: r#"!If [Full, !Ref Vpc]      (the value for "not full" is missing)"#,
    cure: "Give it what the message names.",
};

/// There is no such function.
pub static UNKNOWN_FUNCTION: Code = Code {
    number: 525,
    title: "there is no such function",
    cause: "CloudFormation knows a fixed set of intrinsic functions; more come only from macros (`Transform`).",
    example: r#"!Substitute "${Name}""#,
    cure: "Write the function that the message suggests.",
};

/// A mapping or its key does not exist.
pub static UNKNOWN_MAPPING: Code = Code {
    number: 526,
    title: "a mapping or its key does not exist",
    cause: "`FindInMap` must find a value for the keys that these parameters give.",
    example: "!FindInMap [Regions, mars-1, Zone]",
    cure: "Add the key to the mapping, or ask for one that it has.",
};

/// A condition names a resource.
pub static RESOURCE_IN_CONDITION: Code = Code {
    number: 527,
    title: "a condition names a resource",
    cause: "Conditions and rules are told before anything is made: they know parameters and mappings only.",
    example: r#"Conditions:
  HasVpc: !Equals [!Ref Vpc, ""]      (Vpc is a resource)"#,
    cure: "Ask the parameter that decides about the resource.",
};

/// There is no such pseudo parameter.
pub static UNKNOWN_PSEUDO: Code = Code {
    number: 528,
    title: "there is no such pseudo parameter",
    cause: "Names that begin with AWS:: are CloudFormation's own, eight in number.",
    example: "!Ref AWS::Regoin",
    cure: "Write the one that the message suggests.",
};

/// A rule of the template refuses these parameters.
pub static FAILED_RULE: Code = Code {
    number: 529,
    title: "a rule of the template refuses these parameters",
    cause: "The template's author wrote assertions under `Rules`, which CloudFormation checks before it makes anything. This one does not hold.",
    example: "CreateSubnet: true without VpcId",
    cure: "Give the values that the rule asks for; it stands in the template, with the words of its author.",
};

/// The step does not acknowledge what the template can do.
pub static MISSING_CAPABILITY: Code = Code {
    number: 530,
    title: "the step does not acknowledge what the template can do",
    cause: "A template that makes IAM resources needs CAPABILITY_IAM, one that names them CAPABILITY_NAMED_IAM, one with macros CAPABILITY_AUTO_EXPAND. CloudFormation refuses the stack without.",
    example: "capabilities: [CAPABILITY_IAM]      (a role has a RoleName)",
    cure: "Read what the template makes, and add the capability under `capabilities`.",
};

/// A nested stack names a file of this machine.
pub static LOCAL_NESTED_TEMPLATE: Code = Code {
    number: 531,
    title: "a nested stack names a file of this machine",
    cause: "CloudFormation reads the templates of nested stacks from S3, and deploy-stack sends its template as it is.",
    example: r"Network:
  Type: AWS::CloudFormation::Stack
  Properties: { TemplateURL: ./network.yaml }",
    cure: "Upload it and write its URL (`aws cloudformation package` does both), or deploy it in a step of its own.",
};

/// Blocks of addresses overlap.
pub static OVERLAPPING_BLOCKS: Code = Code {
    number: 532,
    title: "blocks of addresses overlap",
    cause: "Subnets of one VPC share no address, nor do the blocks of a VPC. EC2 refuses the second of them when the stack is half made.",
    example: "A: 10.0.0.0/23, B: 10.0.1.0/24",
    cure: "Give one of them another block.",
};

/// A subnet is not in its VPC.
pub static SUBNET_OUTSIDE: Code = Code {
    number: 533,
    title: "a subnet is not in its VPC",
    cause: "A subnet must lie in one of the blocks of its VPC.",
    example: "VPC 10.0.0.0/16, subnet 10.1.0.0/24",
    cure: "Give it a block within, or add one to the VPC with AWS::EC2::VPCCidrBlock.",
};

/// A block of addresses that no network can have.
pub static WRONG_BLOCK: Code = Code {
    number: 534,
    title: "a block of addresses that no network can have",
    cause: "A VPC and a subnet take IPv4 blocks from /16 to /28.",
    example: "CidrBlock: 10.0.0.0/8",
    cure: "Write a block of that size.",
};

/// An item that a list does not have.
pub static WRONG_SELECTION: Code = Code {
    number: 535,
    title: "an item that a list does not have",
    cause: "`Select` counts from 0 and must find its item.",
    example: "!Select [2, [a, b]]",
    cure: "Ask for an item that is there.",
};

/// A text in `Sub` has no name where one must stand.
pub static WRONG_SUBSTITUTION: Code = Code {
    number: 536,
    title: "a text in `Sub` has no name where one must stand",
    cause: "Between `${` and `}` stands the name of a parameter, a resource or an attribute; `${!…}` is the text itself.",
    example: r#"!Sub "echo ${HOME:-/root}""#,
    cure: "Write `${!HOME:-/root}` for what is not CloudFormation's.",
};

/// A name of a resource type is not one.
pub static WRONG_RESOURCE_TYPE: Code = Code {
    number: 537,
    title: "a name of a resource type is not one",
    cause: "A type has two to four words with `::` between them. Whether there is a type of this name, and which properties it has, is for cfn-lint.",
    example: "Type: AWS::S3:Bucket",
    cure: "Write AWS::S3::Bucket.",
};

/// There is no such policy for deletion or replacement.
pub static WRONG_POLICY: Code = Code {
    number: 538,
    title: "there is no such policy for deletion or replacement",
    cause: "DeletionPolicy is Delete, Retain, RetainExceptOnCreate or Snapshot; UpdateReplacePolicy is Delete, Retain or Snapshot.",
    example: "DeletionPolicy: Keep",
    cure: "Write Retain.",
};

/// There is no such version of templates.
pub static WRONG_FORMAT_VERSION: Code = Code {
    number: 539,
    title: "there is no such version of templates",
    cause: "The only version is 2010-09-09.",
    example: r#"AWSTemplateFormatVersion: "2024-01-01""#,
    cure: r#"Write "2010-09-09", or leave it out."#,
};

/// An output that these parameters do not make.
pub static ABSENT_OUTPUT: Code = Code {
    number: 540,
    title: "an output that these parameters do not make",
    cause: "The output of the template has a condition that is false for these parameters: the stack will not have it.",
    example: "{{ steps.stack.outputs.ClusterArn }}      (with CreateEKSCluster: false)",
    cure: "Give the value yourself (a param, or `values` of fetch-outputs), or choose the other mode.",
};

/// Cfn-lint found something.
pub static CFN_LINT: Code = Code {
    number: 541,
    title: "cfn-lint found something",
    cause: "The program cfn-lint knows the schemas of all resource types. Its rule id is in the message.",
    example: "Properties: { BucketNam: x }",
    cure: "See the rule in cfn-lint's documentation; a template may switch a rule off in its `Metadata`.",
};

/// Two outputs have one export name.
pub static EXPORTED_TWICE: Code = Code {
    number: 542,
    title: "two outputs are exported under one name",
    cause: "Other stacks import a value by its export name, which is unique in an account and region. CloudFormation refuses a template that gives one name to two outputs.",
    example: "Outputs:
  A: { Value: !Ref A, Export: { Name: shared } }
  B: { Value: !Ref B, Export: { Name: shared } }",
    cure: "Give each output an export name of its own; a name that begins with ${AWS::StackName} is unique for the stack, too.",
};

/// A secret stands in an output.
pub static SECRET_OUTPUT: Code = Code {
    number: 543,
    title: "an output shows a secret",
    cause: "`NoEcho` hides the value of a parameter, not what outputs make of it: everyone who may describe the stack can read them, and they would be recorded.",
    example: r#"Parameters: { Password: { Type: String, NoEcho: true } }
Outputs: { Url: { Value: !Sub "https://admin:${Password}@db" } }"#,
    cure: "Take the secret out of the output; let those who need it read it from Secrets Manager or the Parameter Store.",
};

/// A zone is given by its name where its id is wanted, or the other way round.
pub static WRONG_ZONE: Code = Code {
    number: 544,
    title: "a zone is given by its name where its id is wanted, or the other way round",
    cause: "A zone has an id that is the same in every account (usw2-az2), and a name that is not (us-west-2b). EC2 takes each in a property of its own.",
    example: "AvailabilityZoneId: us-west-2b",
    cure: "Give an id to `AvailabilityZoneId`, a name to `AvailabilityZone`.",
};

/// All of them, in order of number.
pub static ALL: &[&Code] = &[
    &UNREADABLE_TEMPLATE,
    &WRONG_STACK_NAME,
    &TEMPLATE_TOO_LARGE,
    &UNKNOWN_PARAMETER,
    &MISSING_PARAMETER,
    &WRONG_PARAMETER_VALUE,
    &SECRET_PARAMETER_SHOWN,
    &NO_RESOURCES,
    &UNKNOWN_KEY,
    &DUPLICATE_KEY,
    &WRONG_SHAPE,
    &NULL_VALUE,
    &WRONG_NAME,
    &TOO_MANY,
    &PLAIN_VALUE_FOR_HIDDEN,
    &WRONG_DEFAULT,
    &UNKNOWN_PARAMETER_TYPE,
    &UNKNOWN_NAME,
    &ABSENT_RESOURCE,
    &ABSENT_DEPENDENCY,
    &UNKNOWN_CONDITION,
    &CIRCULAR_CONDITIONS,
    &CIRCULAR_RESOURCES,
    &WRONG_ARGUMENTS,
    &UNKNOWN_FUNCTION,
    &UNKNOWN_MAPPING,
    &RESOURCE_IN_CONDITION,
    &UNKNOWN_PSEUDO,
    &FAILED_RULE,
    &MISSING_CAPABILITY,
    &LOCAL_NESTED_TEMPLATE,
    &OVERLAPPING_BLOCKS,
    &SUBNET_OUTSIDE,
    &WRONG_BLOCK,
    &WRONG_SELECTION,
    &WRONG_SUBSTITUTION,
    &WRONG_RESOURCE_TYPE,
    &WRONG_POLICY,
    &WRONG_FORMAT_VERSION,
    &ABSENT_OUTPUT,
    &CFN_LINT,
    &EXPORTED_TWICE,
    &SECRET_OUTPUT,
    &WRONG_ZONE,
];

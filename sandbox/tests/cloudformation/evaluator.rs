//! Templates, parameters and intrinsic functions, as tables.

use std::collections::BTreeMap;

use hprun_sandbox::cloudformation::graph;
use hprun_sandbox::cloudformation::intrinsics::{Known, Pseudo, Scope};
use hprun_sandbox::cloudformation::parameters::{Given, resolve};
use hprun_sandbox::cloudformation::template::Template;
use hprun_sandbox::cloudformation::text;
use serde_json::{Value, json};

const BASE: &str = "
Parameters:
  Name: {Type: String, Default: demo}
  Count: {Type: Number, Default: 3}
  Subnets: {Type: CommaDelimitedList, Default: 'a, b,c'}
Mappings:
  Regions: {us-west-2: {Zone: usw2-az2, Many: [x, y]}}
Conditions:
  Yes: !Equals [!Ref Name, demo]
  No: !Not [!Condition Yes]
  Both: !And [!Condition Yes, !Equals [!Ref Count, '3']]
  Either: !Or [!Condition No, !Equals [a, b]]
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
";

/// Evaluates an expression in the scope of `BASE`: the value as JSON, `(none)`, or the error.
fn evaluate(expression: &str) -> String {
    let template = Template::parse(BASE).unwrap();
    let parameters = resolve(&template.parameters, &[], None).unwrap();
    let pseudo = Pseudo {
        account: "111122223333".into(),
        region: "us-west-2".into(),
        stack_name: "net".into(),
        stack_id: "arn:stack".into(),
        notification_arns: vec![],
    };
    let attributes = json!({"CidrBlock": "10.0.0.0/16"}).as_object().cloned().unwrap();
    let mut scope = Scope {
        template: &template,
        parameters: &parameters,
        pseudo: &pseudo,
        conditions: BTreeMap::new(),
        resources: BTreeMap::from([("Vpc".to_owned(), Known { reference: "vpc-1".into(), attributes })]),
        zones: vec!["us-west-2a".into(), "us-west-2b".into()],
        exports: BTreeMap::from([("shared".to_owned(), "subnet-9".to_owned())]),
    };
    scope.evaluate_conditions().unwrap();
    let value = text::parse(&format!("V: {expression}")).unwrap()["V"].clone();
    match scope.resolve(&value) {
        Ok(Some(value)) => value.to_string(),
        Ok(None) => "(none)".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn functions_resolve_as_in_aws() {
    let table: &[(&str, &str)] = &[
        ("!Ref Name", r#""demo""#),
        ("!Ref Subnets", r#"["a","b","c"]"#),
        ("!Ref Vpc", r#""vpc-1""#),
        ("!Ref AWS::AccountId", r#""111122223333""#),
        ("!Ref AWS::NoValue", "(none)"),
        ("{a: !Ref 'AWS::NoValue', b: [1, !Ref 'AWS::NoValue']}", r#"{"b":[1]}"#),
        ("!GetAtt Vpc.CidrBlock", r#""10.0.0.0/16""#),
        ("{'Fn::GetAtt': [Vpc, CidrBlock]}", r#""10.0.0.0/16""#),
        ("!Sub '${Name}-${AWS::Region}-${Vpc.CidrBlock}-${!Literal}'", r#""demo-us-west-2-10.0.0.0/16-${Literal}""#),
        ("!Sub ['${x}/${Count}', {x: !Ref Vpc}]", r#""vpc-1/3""#),
        ("!Join ['-', [a, !Ref Count, c]]", r#""a-3-c""#),
        ("!Join [',', !Ref Subnets]", r#""a,b,c""#),
        ("!Select [1, !Ref Subnets]", r#""b""#),
        ("!Select ['0', !GetAZs '']", r#""us-west-2a""#),
        ("!Select [9, !Ref Subnets]", "Template error: Fn::Select cannot select nonexistent value at index 9"),
        ("!Split ['/', !GetAtt Vpc.CidrBlock]", r#"["10.0.0.0","16"]"#),
        ("!FindInMap [Regions, !Ref 'AWS::Region', Zone]", r#""usw2-az2""#),
        ("!FindInMap [Regions, !Ref 'AWS::Region', Many]", r#"["x","y"]"#),
        ("!FindInMap [Regions, eu-west-1, Zone]", "Template error: Unable to get mapping for Regions::eu-west-1::Zone"),
        (
            "!FindInMap [Nope, a, b]",
            "Template error: Mapping named 'Nope' is not present in the 'Mappings' section of template.",
        ),
        ("!If [Yes, 1, 2]", "1"),
        ("!If [No, 1, !Ref 'AWS::NoValue']", "(none)"),
        ("!If [Both, !If [Either, a, b], c]", r#""b""#),
        ("!ImportValue shared", r#""subnet-9""#),
        ("!ImportValue lost", "No export named lost found."),
        ("{'Fn::Base64': !Sub 'hi ${Name}'}", r#""aGkgZGVtbw==""#),
        ("!Cidr [10.0.0.0/16, 3, 8]", r#"["10.0.0.0/24","10.0.1.0/24","10.0.2.0/24"]"#),
        ("!Select [2, !Cidr [!GetAtt Vpc.CidrBlock, 3, 12]]", r#""10.0.32.0/20""#),
        (
            "!Cidr [10.0.0.0/24, 3, 7]",
            "Template error: every Fn::Cidr object requires two parameters, (1) ipBlock and (2) count, and may have a third, cidrBits",
        ),
        (
            "{Statement: {Condition: {StringEquals: {a: b}}}}",
            r#"{"Statement":{"Condition":{"StringEquals":{"a":"b"}}}}"#,
        ),
        (
            "!Join ['-', a]",
            "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.",
        ),
        ("{'Fn::Sub': a, b: c}", "Template error: Fn::Sub must be the only key of its object"),
        (
            "!Sub '${a b}'",
            "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons",
        ),
    ];
    for (expression, expected) in table {
        assert_eq!(evaluate(expression), *expected, "{expression}");
    }
    assert!(
        evaluate("!Length [a]")
            .starts_with("Template error: Encountered unsupported function: Fn::Length Supported functions are: [")
    );
}

const RESOURCES: &str = "Resources: {A: {Type: AWS::EC2::EIP}}";

#[test]
fn wrong_templates_are_refused_in_awss_words() {
    let table: &[(&str, &str)] = &[
        ("{", "Template format error: JSON not well-formed. (line 1, column 1)"),
        ("a: [b", "Template format error: YAML not well-formed. (line 2, column 1)"),
        ("just text", "Template format error: unsupported structure."),
        ("Parameters: {}", "Template format error: At least one Resources member must be defined."),
        ("Resource: {}\nResources: {A: {Type: AWS::EC2::EIP}}", "Invalid template property or properties [Resource]"),
        (
            "Resources: {A: {Properties: {}}}",
            "Template format error: [/Resources/A] Every Resources object must contain a Type member.",
        ),
        ("Resources: {a-b: {Type: AWS::EC2::EIP}}", "Template format error: Resource name a-b is non alphanumeric."),
        ("Resources: {A: {Type: AWS::EC2::EIP, Propertys: {}}}", "Invalid template resource property 'Propertys'"),
        (
            "Resources: {A: {Type: AWS::EC2::Instance}}",
            "Template format error: Unrecognized resource types: [AWS::EC2::Instance] (hprun sandbox: not part of the sandbox)",
        ),
        (
            "Resources: {A: {Type: AWS::EC2::EIP, Properties: {Domain: !Ref Nobody}}}",
            "Template format error: Unresolved resource dependencies [Nobody] in the Resources block of the template",
        ),
        (
            "Resources: {A: {Type: AWS::EC2::EIP, DependsOn: [B]}}",
            "Template format error: Unresolved resource dependencies [B] in the Resources block of the template",
        ),
        (
            "Resources: {A: {Type: AWS::EC2::EIP, Properties: {Domain: !GetAtt B.Id}}}",
            "Template error: instance of Fn::GetAtt references undefined resource B",
        ),
        (
            "Resources: {A: {Type: AWS::EC2::EIP}, B: {Type: AWS::EC2::EIP, Properties: {Domain: !GetAtt A.Nope}}}",
            "Template error: resource A does not support attribute type Nope in Fn::GetAtt",
        ),
        (
            "Resources: {A: {Type: AWS::EC2::EIP, Condition: C}}",
            "Template format error: Unresolved condition dependency [C] in the Resources block of the template",
        ),
        (
            "Conditions: {C: !Equals [!Ref A, b]}\nResources: {A: {Type: AWS::EC2::EIP}}",
            "Template format error: Unresolved dependencies [A]. Cannot reference resources in the Conditions block of the template",
        ),
        (
            "Resources: {A: {Type: AWS::EC2::EIP}}\nOutputs: {O: {Value: !Ref B}}",
            "Template format error: Unresolved resource dependencies [B] in the Outputs block of the template",
        ),
        (
            "Parameters: {P: {Type: Text}}\nResources: {A: {Type: AWS::EC2::EIP}}",
            "Template format error: Unrecognized parameter type: Text",
        ),
        (
            "Parameters: {P: {Type: 'AWS::SSM::Parameter::Value<String>'}}\nResources: {A: {Type: AWS::EC2::EIP}}",
            "Template error: hprun sandbox: parameter type AWS::SSM::Parameter::Value<String> is not part of the sandbox",
        ),
        (
            "Transform: x\nResources: {A: {Type: AWS::EC2::EIP}}",
            "Template error: hprun sandbox: section Transform is not part of the sandbox",
        ),
    ];
    for (template, expected) in table {
        assert_eq!(Template::parse(template).unwrap_err().to_string(), *expected, "{template}");
    }
    Template::parse(RESOURCES).unwrap();
}

#[test]
fn json_and_yaml_with_short_tags_are_the_same_template() {
    let yaml = "Resources:\n  A: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !If [C, !Ref P, !Sub '${P}']}}\nParameters: {P: {Type: String}}\nConditions: {C: !Equals [a, b]}";
    let json = r#"{"Resources": {"A": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": {"Fn::If": ["C", {"Ref": "P"}, {"Fn::Sub": "${P}"}]}}}},
        "Parameters": {"P": {"Type": "String"}}, "Conditions": {"C": {"Fn::Equals": ["a", "b"]}}}"#;
    assert_eq!(Template::parse(yaml).unwrap(), Template::parse(json).unwrap());
}

#[test]
fn parameters_are_checked_against_their_declaration() {
    let template = "
Parameters:
  Mode: {Type: String, Default: a, AllowedValues: [a, b]}
  Name: {Type: String, AllowedPattern: '[a-z]+', MinLength: 2, MaxLength: 4}
  Said: {Type: String, Default: x, AllowedPattern: '[a-z]', ConstraintDescription: one letter}
  Size: {Type: Number, Default: 2, MinValue: 1, MaxValue: 9}
  Nets: {Type: 'List<AWS::EC2::Subnet::Id>', Default: subnet-1}
Resources: {A: {Type: AWS::EC2::EIP}}";
    let template = Template::parse(template).unwrap();
    let check = |given: &[(&str, &str)]| {
        let given: Vec<(String, Given)> =
            given.iter().map(|(name, value)| ((*name).to_owned(), Given::Value((*value).to_owned()))).collect();
        resolve(&template.parameters, &given, None)
            .map_or_else(|error| error.to_string(), |values| json!(values).to_string())
    };
    let table: &[(&[(&str, &str)], &str)] = &[
        (&[("Name", "abc")], r#"{"Mode":"a","Name":"abc","Nets":"subnet-1","Said":"x","Size":"2"}"#),
        (&[], "Parameters: [Name] must have values"),
        (&[("Name", "abc"), ("Other", "1"), ("More", "2")], "Parameters: [Other, More] do not exist in the template"),
        (&[("Name", "abc"), ("Mode", "c")], "Parameter Mode must be one of AllowedValues"),
        (&[("Name", "ABC")], "Parameter Name must match pattern [a-z]+"),
        (&[("Name", "a")], "Parameter Name must contain at least 2 characters"),
        (&[("Name", "abcde")], "Parameter Name must contain at most 4 characters"),
        (&[("Name", "abc"), ("Said", "10")], "Parameter Said failed to satisfy constraint: one letter"),
        (&[("Name", "abc"), ("Size", "x")], "Parameter 'Size' must be a number."),
        (&[("Name", "abc"), ("Size", "0")], "Parameter Size must be a number not less than 1"),
        (
            &[("Name", "abc"), ("Nets", "subnet-1,vpc-1")],
            "Parameter validation failed: parameter value vpc-1 for parameter name Nets does not exist. Rollback requested by user.",
        ),
    ];
    for (given, expected) in table {
        assert_eq!(check(given), *expected, "{given:?}");
    }
}

/// The order, or the error, under a condition `On`.
fn order(template: &str, on: bool) -> Value {
    let template = Template::parse(template).unwrap();
    match graph::needs(&template, &BTreeMap::from([("On".to_owned(), on)])) {
        Ok(needs) => json!(needs),
        Err(error) => error.to_string().into(),
    }
}

#[test]
fn a_reference_counts_only_in_the_branch_that_holds() {
    let template = "
Conditions: {On: !Equals [a, b]}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Condition: On}
  Table: {Type: AWS::EC2::RouteTable, Condition: On, Properties: {VpcId: !Ref Vpc}}
  Endpoint: {Type: AWS::EC2::VPCEndpoint, DependsOn: Table, Properties: {VpcId: !If [On, !Ref Vpc, vpc-1], RouteTableIds: [!Ref Table]}}
  Group: {Type: AWS::EC2::SecurityGroup, Properties: {VpcId: !If [On, !Ref Vpc, !Ref 'AWS::NoValue']}}";
    assert_eq!(
        order(template, true),
        json!({"Vpc": [], "Table": ["Vpc"], "Endpoint": ["Table", "Vpc"], "Group": ["Vpc"]})
    );
    // The well-known fault of the public template: a table that exists in one mode only, referred to in another.
    assert_eq!(
        order(template, false),
        json!("Template format error: Unresolved resource dependencies [Table] in the Resources block of the template")
    );
}

#[test]
fn a_cycle_is_named_by_its_members_alone() {
    let template = "
Conditions: {On: !Equals [a, b]}
Resources:
  Before: {Type: AWS::EC2::EIP}
  A: {Type: AWS::EC2::EIP, DependsOn: [B, Before]}
  B: {Type: AWS::EC2::EIP, DependsOn: C}
  C: {Type: AWS::EC2::EIP, DependsOn: A}
  After: {Type: AWS::EC2::EIP, DependsOn: A}";
    assert_eq!(order(template, true), json!("Circular dependency between resources: [A, B, C]"));
}

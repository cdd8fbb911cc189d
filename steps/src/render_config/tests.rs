//! Templates and what is said of them.

use serde_json::json;

use super::*;

fn said(source: &str, values: Json, schema: bool) -> Vec<String> {
    let target = Target { format: Format::Json, schema: schema.then_some(SchemaName::CreateCluster) };
    let issues = examine(source, &values, &[], target).issues;
    issues.iter().map(|i| format!("{}: {}", format!("{:?}", i.severity).to_lowercase(), i.line("t", source))).collect()
}

/// The guide's own snippet with `${X}` written as `{{X}}`, and the variables that its reader has in a new shell after
/// create_config.sh: those of its `env_vars`, plus the misspelt one that the guide exports by hand.
#[test]
fn the_guides_own_config_gives_all_its_errors_in_one_pass() {
    let source = include_str!("fixtures/guide-cluster-config.json.hbs");
    let values = json!({
        "AWS_REGION": "us-west-2",
        "EKS_CLUSTER_NAME": "hyperpod-eks-cluster",
        "EKS_CLUSTER_ARN": "arn:aws:eks:us-west-2:111122223333:cluster/hyperpod-eks-cluster",
        "S3_BUCKET_NAME": "hyperpod-eks-bucket-111122223333-us-west-2",
        "EXECUTION_ROLE": "arn:aws:iam::111122223333:role/hyperpod-eks-AMSMExecutionRole-us-west-2",
        "VPC_ID": "vpc-0123456789abcdef0",
        "PRIVATE_SUBNET_ID": "subnet-0123456789abcdef0",
        "SECURITY_GROUP_ID": "sg-0123456789abcdef0",
        "ACCEL_INSTANCE_TYPE": "ml.g5.12xlarge",
        "ACCEL_INSTANCE_COUNT": 1,
        "ACCEL_VOLUME_SIZE": 500,
        "GEN_INSTANCE_TYPE": "ml.m5.2xlarge",
        "GEN_INSTANCE_COUNT": 1,
        "GEN_VOLUME_SIZE": 500,
        "NODE_RECOVEY": "AUTOMATIC",
    });
    insta::assert_snapshot!("guide", said(source, values, true).join("\n"));
}

/// What the shell would have made of it: unset variables are empty, and the misspelt ones are mended.
#[test]
fn the_guides_config_with_empty_variables_is_read_to_its_end() {
    let source = include_str!("fixtures/guide-cluster-config.json.hbs");
    let values = json!({
        "EKS_CLUSTER_ARN": "", "ACCEL_INSTANCE_TYPE": "g5.12xlarge", "ACCEL_COUNT": "", "ACCEL_VOLUME_SIZE": 50000,
        "BUCKET_NAME": "hyperpod", "EXECUTION_ROLE": "role", "GEN_INSTANCE_TYPE": "", "GEN_COUNT": 1,
        "GEN_VOLUME_SIZE": 500, "SECURITY_GROUP": "", "SUBNET_ID": "subnet-1", "NODE_RECOVERY": "AUTOMATIC",
    });
    insta::assert_snapshot!("guide_empty", said(source, values, true).join("\n"));
}

#[test]
fn names_are_looked_up_in_their_scope() {
    let none: [&str; 0] = [];
    let values = json!({ "groups": [{ "name": "a" }, { "name": "b" }], "on": true, "map": { "k": 1 } });
    let fine = "[{{#each groups}}\"{{name}} {{@index}} {{../on}}\"{{#unless @last}},{{/unless}}{{/each}}]";
    assert_eq!(said(fine, values.clone(), false), none);
    assert_eq!(
        said(
            "{\n  \"a\": [{{#each groups}}\"{{nam}}\",{{/each}}1],\n  \"b\": {{#if off}}1{{else}}2{{/if}}\n}",
            values.clone(),
            false
        ),
        [
            "error: t:2:26 `nam` has no value (did you mean `name`?)",
            "error: t:3:8 `off` has no value (add it to `values` (there are: groups, on, map))",
        ]
    );
    assert_eq!(
        said("{\"a\": {{map}}, \"b\": {{json map}}, \"c\": {{default missing 3}}}", values, false),
        ["error: t:1:7 `map` is a map, which cannot be written as it is (write {{json map}})"]
    );
}

#[test]
fn what_is_not_known_yet_passes_and_the_rest_is_checked() {
    let source = r#"{ "ClusterName": "{{name}}", "InstanceGroups": {{json groups}}, "VpcConfig": { "Subnets": {{json subnets}}, "SecurityGroupIds": ["{{sg}}"] }, "Orchestrator": { "Eks": { "ClusterArn": "{{arn}}" } }, "NodeRecovry": "None" }"#;
    let mut holes = Vec::new();
    let unknown = || Partial::Unknown(crate::partial::Hole::of(crate::partial::ValueType::Any), Place::default());
    let entries = ["name", "groups", "subnets", "sg", "arn"].map(|k| (k.to_owned(), (Place::default(), unknown())));
    let values = holed(&Partial::Map(entries.into_iter().collect(), Place::default()), &mut holes);
    assert_eq!(
        said(source, values, true),
        ["error: t:1:199 NodeRecovry: there is no field `NodeRecovry` (did you mean `NodeRecovery`?)"]
    );
}

#[test]
fn text_is_kept_as_it_was_rendered() {
    let source = "a: <{{x}}> \"{{{x}}}\"\n{{#if on}}\n  b: 1\n{{/if}}\nc: {{json y}}\n";
    let target = Target { format: Format::Text, schema: None };
    let values = json!({ "x": "<&>", "on": true, "y": { "k": [1, "é"] } });
    let Examined { text, issues, .. } = examine(source, &values, &[], target);
    assert!(issues.is_empty(), "{issues:?}");
    assert_eq!(text, "a: <<&>> \"<&>\"\n  b: 1\nc: {\"k\":[1,\"é\"]}\n");
}

/// Marks and helpers of ours change no byte of what the template gives.
#[test]
fn the_text_is_that_of_the_template_language_itself() {
    let values = json!({ "x": "<&>", "on": true, "l": [{ "n": "a" }, { "n": "b" }], "m": { "k": "v" } });
    let sources = [
        "{{#*inline \"p\"}}\na: 1\n\nb: {{x}}\n{{/inline}}\nroot:\n  {{> p}}\nend {{> p}}\n",
        "{{#*inline \"p\"}}{{n}}-{{@index}}{{/inline}}\n{{#each l}}\n  - {{> p}}\n  {{> p n=\"z\"}}\n{{/each}}\n{{x}}",
        "{{#*inline \"p\"}}<{{> @partial-block}}>{{/inline}}a {{#> p}}\n  {{x}}\n{{/p}} b\n",
        "a {{~#if on~}} \n 1 {{~else~}} 2 {{~/if}} b\n{{#each l}}\n{{#unless @last}}\n{{n}},\n{{/unless}}\n{{/each}}\n",
        "{{#with m}}{{k}}{{/with}} {{lookup m \"k\"}} {{default nope x}} {{{x}}} \\{{x}} {{! c }}{{!-- {{d}} --}}\n",
    ];
    for source in sources {
        let mut plain = handlebars::Handlebars::new();
        plain.register_escape_fn(handlebars::no_escape);
        let own = source.replace("{{default nope x}}", "{{x}}");
        let expected = plain.render_template(&own, &values).expect("it is a template");
        let target = Target { format: Format::Text, schema: None };
        let Examined { text, issues, .. } = examine(source, &values, &[], target);
        assert!(issues.is_empty(), "{source}: {issues:?}");
        assert_eq!(text, expected, "{source}");
    }
}

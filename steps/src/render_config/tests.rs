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
    let target = Target { format: Format::Json, schema: Some(SchemaName::CreateCluster) };
    let issues = examine(source, &values, &holes, target).issues;
    let lines: Vec<_> = issues.iter().map(|issue| issue.line("t", source)).collect();
    assert_eq!(lines, ["t:1:199 NodeRecovry: there is no field `NodeRecovry` (did you mean `NodeRecovery`?)"]);
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
    let values =
        json!({ "x": "<&>", "on": true, "l": [{ "n": "a" }, { "n": "b" }], "m": { "k": "v" }, "e": "", "nl": "\n" });
    let sources = [
        "{{#*inline \"p\"}}\na: 1\n\nb: {{x}}\n{{/inline}}\nroot:\n  {{> p}}\nend {{> p}}\n",
        "{{#*inline \"p\"}}{{n}}-{{@index}}{{/inline}}\n{{#each l}}\n  - {{> p}}\n  {{> p n=\"z\"}}\n{{/each}}\n{{x}}",
        "{{#*inline \"p\"}}<{{> @partial-block}}>{{/inline}}a {{#> p}}\n  {{x}}\n{{/p}} b\n",
        "{{#*inline \"q\"}}\n{{@root.on}}{{@root.x}}\n\n{{@root.x}}\n{{@root.e}}\n{{#if @root.on}}\n\nb\n{{else}}\nc\n{{/if}}\n{{@root.e}}{{@root.nl}}{{@root.e}}\n\n  \\{{d}}\n{{/inline}}{{#*inline \"p\"}}\na:\n  {{> q}}\n\n{{#each l}}\n  {{> q}}\n- {{n}}{{/each}}{{/inline}}\nroot:\n  {{> p}}\n  {{#if on}}\n  {{> q}}\n  {{/if}}\nend {{> p}}{{> q}}\n",
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

/// The places of what is said, by line and column.
fn places(source: &str, values: Json) -> Vec<String> {
    let issues = examine(source, &values, &[], Target { format: Format::Text, schema: None }).issues;
    issues.iter().map(|issue| issue.place("", source).trim_start_matches(':').to_owned()).collect()
}

#[test]
fn what_is_wrong_behind_a_tag_is_told_at_its_own_place() {
    let lines =
        "\n{{nope}}\n{{#if a}}\n\"x\"\n{{ else }}\n{{nope2}}\n{{/if}}\n{{#if a}}1{{~ else ~}}2{{~/if~}} {{nope3}}\n";
    let of = |begin: &str| places(&format!("{begin}{lines}"), json!({ "a": false, "elsewhere": 1, "x": 2 }));
    let begins = [
        "[1,",
        "\\{{x}}",
        "{{#unless a}}{{ ^ }}{{/unless}}",
        "{{!-- {{else}} --}}{{{{raw}}}} {{a}} {{{{/raw}}}}",
        "{{#if a}}1{{ else if x }}2{{ else }}3{{/if}}",
        "{{default x \"}}\"}}",
        "{{! \\{{x}} }}\\\\{{x}}",
    ];
    for begin in begins {
        assert_eq!(of(begin), ["2:1", "6:1", "8:34"], "{begin}");
    }
}

/// A partial writes its own lines, wherever and however far indented it is called.
#[test]
fn what_a_partial_writes_is_told_at_its_own_line() {
    let partial = "{{#*inline \"g\"}}\n{\n\n  \"n\": {{@root.n}},\n  \"m\": nul,\n{{#if @root.n}}\n  \"o\": \"{{@root.n}}{{@root.t}}\n{{/if}}\n}\n{{/inline}}\n";
    let calls = [
        "[{{> g}}, x]",
        "[\n{{> g}}\n, x]",
        "[\n    {{> g}}\n, x]",
        "[\n{{#each l}}\n  {{> g}}\n{{/each}}\n, x]",
        "{{#*inline \"h\"}}\n  {{> g}}\n{{/inline}}\n[\n  {{> h}}\n, x]",
        "{{#*inline \"h\"}}{{> @partial-block}}{{/inline}}\n[{{#> h}}\n  {{> g}}{{/h}}, x]",
    ];
    for call in calls {
        let source = format!("{partial}{call}");
        let (before, _) = source.split_once(", x").expect("each ends so");
        let last = (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().len() + 3);
        let last = format!("{}:{}", last.0, last.1);
        let target = Target { format: Format::Json, schema: None };
        let issues = examine(&source, &json!({ "n": "ml.m5", "t": "", "l": [1] }), &[], target).issues;
        let places: Vec<_> =
            issues.iter().map(|issue| issue.place("", &source).trim_start_matches(':').to_owned()).collect();
        assert_eq!(places, ["4:8", "5:8", "7:8", last.as_str()], "{call}: {issues:?}");
    }
}

/// What is said of a template whose `u`, `v` and `m.k` are outputs of a step.
fn said_of_unknown(source: &str, format: Format, schema: bool) -> Vec<String> {
    let hole = |name: &str| Hole::from(ValueType::String, name.to_owned());
    let holes = [hole("u"), hole("v"), hole("m"), Hole::of(ValueType::Integer)];
    let values = json!({ "u": render::hole(1), "v": render::hole(2), "m": { "k": render::hole(3) }, "n": render::hole(4),
        "l": [render::hole(1), "x"] });
    let target = Target { format, schema: schema.then_some(SchemaName::CreateCluster) };
    let issues = examine(source, &values, &holes, target).issues;
    issues.iter().map(|i| format!("{:?}: {}", i.severity, i.line("t", source)).to_lowercase()).collect()
}

#[test]
fn a_number_is_made_of_a_text_whether_it_is_known_or_not() {
    let target = Target { format: Format::Json, schema: None };
    let rendered = |source: &str| examine(source, &json!({ "t": "4", "x": "4x", "l": [1], "n": 2.5 }), &[], target);
    for (source, text) in [("{{number t}}", "4"), ("[{{number n}}]", "[2.5]"), ("{{number \"-1\"}}", "-1")] {
        let it = rendered(source);
        assert_eq!((it.text.as_str(), it.issues.len()), (text, 0), "{source}: {:?}", it.issues);
    }
    for (source, message) in [
        ("{{number x}}", "t:1:1 `number` takes a number, or a text that is one, not `4x`"),
        ("{{number l}}", "t:1:1 `number` takes a number, or a text that is one, not a list"),
    ] {
        assert_eq!(rendered(source).issues[0].line("t", source), message);
    }
    let none: [&str; 0] = [];
    for sound in ["[{{number u}}, {{number m.k}}, {{number n}}]", "{\"a\": \"{{number u}}\"}", "[{{json (number u)}}]"]
    {
        assert_eq!(said_of_unknown(sound, Format::Json, false), none, "{sound}");
    }
    let whole = group(r#", "LifeCycleConfig": { "SourceS3Uri": "s3://sagemaker-b/p", "OnCreate": "a.sh" }"#);
    let count = |call: &str| whole.replace("\"InstanceCount\": 1", &format!("\"InstanceCount\": {call}"));
    assert_eq!(said_of_unknown(&count("{{number u}}"), Format::Json, true), none);
    let name = whole.replace("\"ml.m5.large\"", "{{number u}}");
    let said = said_of_unknown(&name, Format::Json, true);
    assert!(said.len() == 1 && said[0].contains("a string is needed, this will be a number"), "{said:?}");
}

/// A cluster with this in its one group.
fn group(more: &str) -> String {
    format!(
        r#"{{ "ClusterName": "ml", "Orchestrator": {{ "Eks": {{ "ClusterArn": "arn:aws:eks:us-west-2:111122223333:cluster/ml" }} }},
 "VpcConfig": {{ "Subnets": ["subnet-0123456789abcdef0"], "SecurityGroupIds": ["sg-0123456789abcdef0"] }}, "InstanceGroups": [{{
  "InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 1, "ExecutionRole": "arn:aws:iam::111122223333:role/r"
  {more} }}] }}"#
    )
}

#[test]
fn a_block_is_undecided_whatever_a_value_went_through() {
    let scripts = r#","LifeCycleConfig": { "SourceS3Uri": "s3://sagemaker-b/p", "OnCreate": "a.sh" }"#;
    let none: [&str; 0] = [];
    let opens = [
        "unless u",
        "unless (default u false)",
        "if (eq (default u \"y\") \"x\")",
        "unless (lookup m \"k\")",
        "if (eq (lookup m \"k\") \"x\")",
        "each (lookup m \"k\")",
        "if (gt (len u) 3)",
        "if (eq (join l \",\") \"a,x\")",
        "if (eq l m)",
        "if (not (or u (eq v \"x\")))",
        "eq (lookup m \"k\") \"x\"",
    ];
    for open in opens {
        let close = open.split(' ').next().unwrap_or_default();
        let source = group(&format!("{{{{#{open}}}}}{scripts}{{{{/{close}}}}}"));
        assert_eq!(said_of_unknown(&source, Format::Json, true), none, "{open}");
    }
    let known = group(&format!("{{{{#if (eq (len l) 3)}}}}{scripts}{{{{/if}}}}"));
    assert!(said_of_unknown(&known, Format::Json, true)[0].contains("`lifecycleconfig` is missing"));
}

#[test]
fn what_stands_side_by_side_only_before_the_run_is_no_error() {
    let none: [&str; 0] = [];
    let config = r#","LifeCycleConfig": { "SourceS3Uri": "s3://sagemaker-b/p" "#;
    let schema = [
        format!(
            "{config}{{{{#if u}}}},\"OnCreate\":\"a\"{{{{/if}}}}{{{{#if v}}}},\"OnInitComplete\":\"b\"{{{{/if}}}} }}"
        ),
        format!(
            "{config}{{{{#if (ne u \"a\")}}}},\"OnCreate\":\"a\"{{{{/if}}}}{{{{#if (ne v \"a\")}}}},\"OnCreate\":\"b\"{{{{/if}}}} }}"
        ),
        format!(
            "{config},\"OnCreate\":\"{{{{#if (ne u 1)}}}}a{{{{/if}}}}{{{{#if (ne u 2)}}}}b{{{{/if}}}}\" }},\"ThreadsPerCore\":{{{{#if (ne u 1)}}}}1{{{{/if}}}}{{{{#if (ne u 2)}}}}2{{{{/if}}}}"
        ),
    ];
    for source in &schema {
        assert_eq!(said_of_unknown(&group(source), Format::Json, true), none, "{source}");
    }
    let json = [
        r#"{"a": {{#if (eq u "x")}}1{{/if}}{{#if (eq u "y")}}2{{/if}} }"#,
        r#"{"a": {{#if (ne u "x")}}true{{/if}}{{#if (ne u "y")}}false{{/if}} }"#,
        "[{\"a\": 1},\n{{#each u}}{\"b\": 2}{{#unless @last}},{{/unless}}{{/each}}\n]",
        r#"{"a": 1 {{u}} }"#,
        r#"{ {{u}} "b": 1 }"#,
        r#"[{{#if u}}1{{/if}} {{#if v}}, 2{{/if}}{{#unless u}}3{{/unless}}]"#,
    ];
    for source in json {
        assert_eq!(said_of_unknown(source, Format::Json, false), none, "{source}");
    }
    let yaml = [
        "a: 1\n{{u}}\n",
        "a: 1\n{{u}}\nb: 2\n",
        "a: {{u}}\n  b: 1\n",
        "{{#if (ne u 1)}}a: 1\n{{/if}}{{#if (ne u 2)}}a: 2\n{{/if}}",
    ];
    for source in yaml {
        assert_eq!(said_of_unknown(source, Format::Yaml, false), none, "{source}");
    }
}

#[test]
fn what_is_wrong_whatever_the_values_will_be_stays_an_error() {
    let json = [
        r#"{"a": 1 "b": {{#if u}}1{{else}}2{{/if}} }"#,
        r#"{"a": {{#if u}}1{{else}}2{{/if}}, "b": x }"#,
        r#"{"a": "{{u}}" "b": 1 }"#,
        "{\"a\": {{n}}\n \"b\": 1 }",
        "{\"a\": {{json u}}\n \"b\": 1 }",
        r#"{ {{#if u}}"a": 1, "b": 2, "a": 3{{/if}} }"#,
        r#"{"a": {{u}}, "b": 1 "c": 2 }"#,
    ];
    for source in json {
        let said = said_of_unknown(source, Format::Json, false);
        assert!(
            said.iter().any(|line| line.starts_with("error: ") && !line.contains("without quotes")),
            "{source}: {said:?}"
        );
    }
    let later = said_of_unknown("{ {{#if u}}\"a\": 1,{{/if}} \"b\": 1, \"c\": 2 \"d\": 3 }", Format::Json, false);
    assert_eq!(later, ["warning: t:1:42 the result is not json: a `,` is missing here"]);
    for source in ["a: 1\na: 2\nb: {{u}}\n", "a: {{u}}\nb: 1\n\nb: 2\n", "a: \"{{u}}\" b: 1\n"] {
        let said = said_of_unknown(source, Format::Yaml, false);
        assert!(said.iter().any(|line| line.starts_with("error: ")), "{source}: {said:?}");
    }
}

#[test]
fn a_text_that_may_be_json_is_no_error_before_it_is_known() {
    let bare = "a text is written here without quotes: it must be a number, true, false, null or json of its own (write {{number …}} of a number, {{json …}} of a text)";
    let source = group(
        ", \"ThreadsPerCore\": {{u}}, \"LifeCycleConfig\": { \"SourceS3Uri\": \"s3://sagemaker-b/p\", \"OnCreate\": \"a.sh\" }",
    );
    assert_eq!(said_of_unknown(&source, Format::Json, true), [format!("warning: t:4:23 {bare}")]);
    assert_eq!(said_of_unknown("{\"a\": {{u}} }", Format::Json, false), [format!("warning: t:1:7 {bare}")]);
    let of = |known: &str| {
        let text =
            Text(vec![crate::partial::Piece::Known(known.to_owned()), crate::partial::Piece::From("x".to_owned())]);
        let target = Target { format: Format::Json, schema: None };
        let holes = [Hole { of: ValueType::String, text }];
        examine("[{{u}}]", &json!({ "u": render::hole(1) }), &holes, target).issues.remove(0).severity
    };
    for known in ["arn:aws:", "ml.", "nope", "s3://"] {
        assert_eq!(of(known), Severity::Error, "{known}");
    }
    for known in ["1", "-", "\"", "tr", "true", " "] {
        assert_eq!(of(known), Severity::Warning, "{known}");
    }
}

#[test]
fn quotes_around_json_of_a_text_are_one_error() {
    let none: [&str; 0] = [];
    let line = |at: &str| {
        format!(
            "error: t:{at} the result is not json: quotes stand around what `json` writes, which has its own (leave out the quotes around the expression)"
        )
    };
    for (source, places) in [
        ("{\"a\":\"{{json u}}\"}", vec!["1:7"]),
        ("{\"a\":\"s3://{{json u}}/x\"}", vec!["1:12"]),
        ("{\"a\":\"{{json \"x\"}}\"}", vec!["1:7"]),
        ("{\"a\":\"{{json \"\"}}\",\n\"b\":[\"{{json l}}\",{{json u}}]}", vec!["1:7", "2:7"]),
        ("{\"a\":\"{{json u}}{{json u}}\"}", vec!["1:7", "1:17"]),
        ("{\"a\":\"{{json\tu}}\"}", vec!["1:7"]),
        ("{\"a\":\"{{json\nu}}\"}", vec!["1:7"]),
        ("{\"a\":\"{{json(default u 1)}}\"}", vec!["1:7"]),
        ("{\"a\":\"{{json\"x\"}}\"}", vec!["1:7"]),
        ("{\"a\":\"{{~\tjson \"x\"}}\"}", vec!["1:7"]),
    ] {
        let said = said_of_unknown(source, Format::Json, false);
        assert_eq!(said, places.into_iter().map(line).collect::<Vec<_>>(), "{source}");
    }
    for source in
        ["{\"a\":\"{{json n}}\"}", "{\"a\":{{json u}}}", "{\"a\":\"x\",\"b\":{{json \"y\"}}}", "[\"{{json 5}}\"]"]
    {
        assert_eq!(said_of_unknown(source, Format::Json, false), none, "{source}");
    }
    let source = group(
        ", \"ImageId\": \"{{json u}}\", \"LifeCycleConfig\": { \"SourceS3Uri\": \"s3://sagemaker-b/p\", \"OnCreate\": \"a.sh\" }",
    );
    assert_eq!(said_of_unknown(&source, Format::Json, true), [line("4:17")]);
}

#[test]
fn a_missing_name_is_told_once_and_loops_over_it_end() {
    let names: String = (0..60).map(|n| format!("{{{{#unless n{n}}}}}{{{{/unless}}}}")).collect();
    let source = format!("{{{{#each l}}}}{{{{#each ../l}}}}{names}{{{{/each}}}}{{{{/each}}}}");
    let few = said(&source, json!({ "l": [1, 2, 3] }), false);
    assert_eq!(few.iter().filter(|line| line.contains("has no value")).count(), 60);
    let many = said(&source, json!({ "l": (0..990).collect::<Vec<_>>() }), false);
    assert!(many.len() == 1 && many[0].contains("takes more rounds"), "{many:?}");
}

#[test]
fn a_value_with_a_character_of_ours_is_refused() {
    for c in ['\u{F0000}', '\u{F0001}', '\u{F0002}', '\u{F0003}'] {
        let said = said("{\"a\": \"{{m.l.[1]}}\"}", json!({ "m": { "l": ["", format!("A{c}B")] } }), false);
        let message = "error: t:1:1 the value `m.l.1` holds a private-use character (U+F0000 to U+F0003) that hprun needs for itself (";
        assert!(said.len() == 1 && said[0].starts_with(message), "{said:?}");
    }
    let said = said("\"{{a}}\"", json!({ "a": "\u{F0002}1\u{F0003}" }), false);
    assert!(said[0].contains("the value `a` holds"), "at the run no text is a hole: {said:?}");
}

/// Parser and renderer call themselves for each `else if`.
#[test]
fn a_long_chain_of_alternatives_is_rendered() {
    let chain: String = (0..500).map(|n| format!("{{{{else if (eq t \"a{n}\")}}}}{n}")).collect();
    let nested = |deep: usize, inner: &str| format!("{}{inner}{}", "{{#if t}}".repeat(deep), "{{/if}}".repeat(deep));
    for deep in [0, 63] {
        let source = nested(deep, &format!("{{{{#if (eq t \"\")}}}}{chain}{{{{else}}}}0{{{{/if}}}}"));
        let target = Target { format: Format::Json, schema: None };
        for (t, expected) in [("a0", "0"), ("a3", "3"), ("a499", "499"), ("b", "0")] {
            let Examined { text, issues, .. } = examine(&source, &json!({ "t": t }), &[], target);
            assert!(issues.is_empty() && text == expected, "{deep} {t}: {text} {issues:?}");
        }
    }
}

#[test]
fn alternatives_are_counted_however_they_are_spaced() {
    for space in [" ", "\t", "\n"] {
        let chain = format!("{{{{else{space}if b}}}}x").repeat(2_000);
        let target = Target { format: Format::Text, schema: None };
        let Examined { issues, .. } = examine(&format!("{{{{#if a}}}}y{chain}{{{{/if}}}}"), &json!({}), &[], target);
        assert!(issues.first().is_some_and(|issue| *issue.code == rendered::WRONG_TEMPLATE), "{space:?}: {issues:?}");
    }
}

#[test]
fn of_a_chain_of_alternatives_the_first_that_holds_is_written() {
    let source = "{{#if a}}1{{else if b}}2{{ else if (eq c 3) ~}} 3 {{else}}{{#if d}}4{{else if e}}5{{else}}6{{/if}}{{/if}}{{nope}}";
    let target = Target { format: Format::Text, schema: None };
    for (on, expected) in [("a", "1"), ("b", "2"), ("c", "3 "), ("d", "4"), ("e", "5"), ("f", "6")] {
        let mut values = json!({ "a": false, "b": false, "c": 0, "d": false, "e": false });
        values[on] = if on == "c" { json!(3) } else { json!(true) };
        let Examined { text, issues, .. } = examine(source, &values, &[], target);
        let nope = issues.iter().map(|issue| issue.place("t", source)).collect::<Vec<_>>();
        assert_eq!(
            (text.starts_with(expected), nope),
            (true, vec![format!("t:1:{}", source.len() - 7)]),
            "{on}: {text}"
        );
    }
}

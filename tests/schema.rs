//! The published schema of the pipeline file takes what hprun takes and refuses what it refuses.
//! The validator here knows only the keywords that the schema uses; any other is a failure, never passed over.

use serde_json::{Map, Value, json};

use crate::support::{Desk, finish, repository, succeed};

/// What is wrong with `value`, each with its place.
fn faults(schema: &Value, root: &Value, value: &Value, at: &str) -> Vec<String> {
    let schema = match schema {
        Value::Bool(true) => return Vec::new(),
        Value::Bool(false) => return vec![format!("{at}: nothing is allowed here")],
        Value::Object(schema) => schema,
        other => panic!("{other} is no schema"),
    };
    let mut found = Vec::new();
    for (keyword, rule) in schema {
        found.extend(by_keyword(keyword, rule, schema, root, value, at));
    }
    found
}

fn by_keyword(
    keyword: &str,
    rule: &Value,
    schema: &Map<String, Value>,
    root: &Value,
    value: &Value,
    at: &str,
) -> Vec<String> {
    let wrong = |holds: bool| if holds { Vec::new() } else { vec![format!("{at}: {value} breaks {keyword} {rule}")] };
    if let Some(holds) = of_itself(keyword, rule, value) {
        return wrong(holds);
    }
    let all =
        |rules: &Value| rules.as_array().unwrap().iter().map(|rule| faults(rule, root, value, at)).collect::<Vec<_>>();
    match keyword {
        "items" => value
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .flat_map(|(i, item)| faults(rule, root, item, &format!("{at}/{i}")))
            .collect(),
        "propertyNames" => {
            value.as_object().into_iter().flatten().flat_map(|(key, _)| faults(rule, root, &json!(key), at)).collect()
        }
        "properties" => value
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(key, item)| Some(faults(rule.get(key)?, root, item, &format!("{at}/{key}"))))
            .flatten()
            .collect(),
        "additionalProperties" => {
            let known = schema.get("properties").and_then(Value::as_object);
            let others = value
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key)));
            others.flat_map(|(key, item)| faults(rule, root, item, &format!("{at}/{key}"))).collect()
        }
        "allOf" => all(rule).concat(),
        "anyOf" => {
            if all(rule).iter().any(Vec::is_empty) {
                Vec::new()
            } else {
                wrong(false)
            }
        }
        "oneOf" => wrong(all(rule).iter().filter(|found| found.is_empty()).count() == 1),
        "if" => {
            if faults(rule, root, value, at).is_empty() {
                schema.get("then").map_or_else(Vec::new, |then| faults(then, root, value, at))
            } else {
                Vec::new()
            }
        }
        "$ref" => faults(
            root.pointer(rule.as_str().unwrap().trim_start_matches('#')).expect("a reference leads somewhere"),
            root,
            value,
            at,
        ),
        other => panic!("the schema uses {other}, which this check does not know"),
    }
}

/// Whether a keyword that looks at no other schema holds; none for one that does.
fn of_itself(keyword: &str, rule: &Value, value: &Value) -> Option<bool> {
    let has = |map: &Map<String, Value>| rule.as_array().unwrap().iter().all(|k| map.contains_key(k.as_str().unwrap()));
    Some(match keyword {
        "$schema" | "title" | "description" | "default" | "examples" | "format" | "x-secret" | "$defs" => true,
        // Looked at with its `if`.
        "then" => true,
        "type" => rule.as_array().map_or_else(|| is(rule, value), |types| types.iter().any(|of| is(of, value))),
        "const" => rule == value,
        "enum" => rule.as_array().unwrap().contains(value),
        "pattern" => {
            value.as_str().is_none_or(|text| regex::Regex::new(rule.as_str().unwrap()).unwrap().is_match(text))
        }
        "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
        "required" => value.as_object().is_none_or(has),
        _ => return None,
    })
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}

fn schema() -> Value {
    serde_json::from_str(&succeed(Desk::new().command(&["schema"])).stdout).unwrap()
}

#[test]
fn the_schema_takes_every_shipped_pipeline() {
    let schema = schema();
    let files = std::fs::read_dir(repository().join("pipelines")).unwrap().map(|entry| entry.unwrap().path());
    for file in files.filter(|path| path.extension().is_some_and(|e| e == "yaml")) {
        let pipeline: Value = serde_yaml::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(faults(&schema, &schema, &pipeline, ""), [""; 0], "{}", file.display());
    }
}

#[test]
fn the_schema_refuses_what_hprun_refuses() {
    let (desk, schema) = (Desk::new(), schema());
    let good = "apiVersion: hprun/v1\nname: good\naws: { region: us-west-2 }\nsteps:\n  - id: a\n    type: deploy-stack\n    with: { name: s, template: templates/hyperpod-eks.yaml, parameters: { CreateEKSCluster: true } }\n";
    let broken = [
        ("", ""),
        ("apiVersion: hprun/v1", "apiVersion: hprun/v9"),
        ("name: good", "nmae: good"),
        ("type: deploy-stack", "type: deploy-stak"),
        ("template: templates/hyperpod-eks.yaml, ", ""),
        ("name: s,", "name: s, color: red,"),
        ("name: s,", "name: [s],"),
        ("id: a", "id: A B"),
        ("id: a", "id: a\n    retry: { max-attempts: 0 }"),
    ];
    for (from, to) in broken {
        let text = good.replacen(from, to, 1);
        let file = desk.write("one.yaml", &text);
        let end = finish(desk.command(&["check", &file]));
        let found = faults(&schema, &schema, &serde_yaml::from_str(&text).unwrap(), "");
        assert_eq!(end.code, Some(if from.is_empty() { 0 } else { 2 }), "{to}: {end:?}");
        assert_eq!(found.is_empty(), from.is_empty(), "{to}: {found:?}");
    }
}

/// Keys and choices below `schema` of which nothing is said, each with the way that leads to it.
fn undescribed(schema: &Value, at: &str, found: &mut Vec<String>) {
    let silent = |schema: &Value| schema.get("description").and_then(Value::as_str).is_none_or(str::is_empty);
    match schema {
        Value::Object(parts) => {
            for (keyword, part) in parts {
                let at = format!("{at}/{keyword}");
                let (keys, is_choice) = match (keyword.as_str(), part) {
                    ("properties", Value::Object(keys)) if !at.ends_with("/if/properties") => (Some(keys), false),
                    ("oneOf" | "anyOf", _) => (None, true),
                    (_, _) => (None, false),
                };
                // `then` names `with` once more, to say what is in it.
                found.extend(
                    keys.into_iter().flatten().filter(|(_, key)| silent(key)).map(|(key, _)| format!("{at}/{key}")),
                );
                let choices =
                    part.as_array().into_iter().flatten().filter(|one| is_choice && one.get("const").is_some());
                found.extend(choices.filter(|one| silent(one)).map(|one| format!("{at}: {one}")));
                undescribed(part, &at, found);
            }
        }
        Value::Array(parts) => {
            parts.iter().enumerate().for_each(|(i, part)| undescribed(part, &format!("{at}/{i}"), found))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_key_and_every_choice_is_described() {
    let mut found = Vec::new();
    undescribed(&schema(), "", &mut found);
    assert_eq!(found, [""; 0], "an editor would show nothing there");
}

#[test]
fn every_input_takes_its_type_or_an_expression() {
    let schema = schema();
    let step = &schema["properties"]["steps"]["items"];
    let branch =
        step["allOf"].as_array().unwrap().iter().find(|of| of["if"]["properties"]["type"]["const"] == "wait-status");
    let with = &branch.unwrap()["then"]["properties"]["with"];
    let check = |inputs: Value, fits: bool| assert_eq!(faults(with, &schema, &inputs, "").is_empty(), fits, "{inputs}");
    check(json!({ "kubernetes-nodes": 3 }), true);
    check(json!({ "kubernetes-nodes": "{{ steps.nodes.outputs.nodes }}" }), true);
    check(json!({ "kubernetes-nodes": "three" }), false);
    check(json!({ "until": "nodes-running" }), true);
    check(json!({ "until": "{{ params.until }}" }), true);
    check(json!({ "until": "nodes-runing" }), false);
}

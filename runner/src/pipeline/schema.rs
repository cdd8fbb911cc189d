//! The JSON Schema of the pipeline file, so that editors complete and check it.
//! Knows nothing of any one step type: each brings the schema of its inputs.

use hprun_steps::StepType;
use serde_json::{Map, Value as Json, json};

use super::API_VERSION;

/// A leaf may be its type or an expression; expressions are recognised by their braces.
pub(crate) const EXPRESSION: &str = r"\{\{.*\}\}";

/// The schema of the pipeline file with these step types.
pub fn schema(types: &[StepType]) -> Json {
    let step = step_schema(types);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hprun pipeline",
        "description": "A pipeline of typed steps for hprun.",
        "type": "object",
        "required": ["apiVersion", "name", "steps"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": { "const": API_VERSION, "default": API_VERSION, "description": "The file format." },
            "name": { "type": "string", "pattern": "^[a-z][a-z0-9-]{0,62}$", "description": "The name of the pipeline: a lower-case letter, then lower-case letters, digits and hyphens.", "examples": ["full-deployment"] },
            "version": { "type": "string", "description": "The version of this pipeline, for people.", "examples": ["1.0.0"] },
            "description": { "type": "string", "description": "One line for people." },
            "params": {
                "type": ["object", "null"],
                "description": "Values given at run time: by `--param NAME=VALUE`, a params file, the environment, SSM, or their default. Expressions name them as `{{ params.NAME }}`.",
                "propertyNames": { "pattern": "^[a-z][a-z0-9_-]*$" },
                "additionalProperties": param_schema(),
            },
            "aws": aws_schema(),
            "steps": { "type": "array", "minItems": 1, "items": step, "description": "The steps. A step that states no `needs` needs the one above it." },
            "finally": { "type": "array", "items": { "$ref": "#/properties/steps/items" }, "description": "Steps that run when all others have ended, well or not. They may look at `steps.ID.status`." },
        },
    })
}

fn param_schema() -> Json {
    json!({
        "type": "object",
        "description": "A value given at run time.",
        "required": ["type"],
        "additionalProperties": false,
        "properties": {
            "type": choices("The type of the value.", &[
                ("string", "Text."),
                ("integer", "A whole number."),
                ("number", "A number."),
                ("boolean", "`true` or `false`."),
                ("list", "A sequence; from the environment as JSON."),
                ("map", "A mapping; from the environment as JSON."),
            ]),
            "description": { "type": "string", "description": "One line for people." },
            "default": { "description": "The value where nothing else gives one. A param without a default must be given." },
            "env": { "type": ["string", "array"], "items": { "type": "string" }, "description": "Environment variables that give it, the first that is set; `HPRUN_PARAM_NAME` stands behind them.", "examples": ["AWS_REGION"] },
            "ssm": { "type": "string", "description": "Path of an SSM parameter that gives it.", "examples": ["/hprun/hub-token"] },
            "secret": { "type": "boolean", "default": false, "description": "Keeps the value from sight; it cannot be given on the command line." },
            "enum": { "type": "array", "minItems": 1, "description": "The values that it may have." },
            "pattern": { "type": "string", "description": "A regular expression that the whole text must match.", "examples": ["[a-z]{2}-[a-z]+-[0-9]"] },
            "minimum": { "type": "number", "description": "Smallest number, or fewest characters or items." },
            "maximum": { "type": "number", "description": "Largest number, or most characters or items." },
        },
    })
}

fn aws_schema() -> Json {
    let text = |description: &str, example: &str| json!({ "type": "string", "description": description, "examples": [example] });
    json!({
        "type": "object",
        "additionalProperties": false,
        "description": "Where the pipeline runs. Expressions may use params only.",
        "properties": {
            "region": text("The region of every call.", "{{ params.region }}"),
            "profile": text("The profile of the shared AWS files.", "default"),
            "role": text("A role to assume.", "arn:aws:iam::111122223333:role/hyperpod-admin"),
            "account": text("The account that it must be; any other is refused.", "111122223333"),
        },
    })
}

fn step_schema(types: &[StepType]) -> Json {
    let described: Vec<(&str, String)> = types.iter().map(|of| (of.name, sentence(of.summary))).collect();
    let described: Vec<(&str, &str)> = described.iter().map(|(name, about)| (*name, about.as_str())).collect();
    json!({
        "type": "object",
        "description": "One step: what it does (`type`), with what (`with`), and after which others (`needs`).",
        "required": ["id", "type"],
        "additionalProperties": false,
        "properties": {
            "id": { "type": "string", "pattern": "^[a-z][a-z0-9-]{0,62}$", "description": "The id of the step, unique in the pipeline. Expressions name its outputs as `{{ steps.ID.outputs.NAME }}`.", "examples": ["stack"] },
            "type": choices("What the step does.", &described),
            "description": { "type": "string", "description": "One line for people." },
            "needs": { "type": ["array", "string"], "items": { "type": "string", "description": "The id of a step." }, "description": "Steps that must be met before this one; without it the step above. `[]` starts at once.", "examples": [["infra"], []] },
            "with": { "type": ["object", "null"], "description": "The inputs; which there are depends on `type`." },
            "when": { "type": ["string", "boolean"], "description": "An expression over what is known when the step is ready; false skips the step.", "examples": ["{{ params.enabled }}"] },
            "timeout": duration("How long one attempt may take. Then its outcome is unknown: it does not mean that the remote work failed.", "60m"),
            "retry": {
                "type": "object",
                "additionalProperties": false,
                "description": "When a failed attempt is tried again. Without it a step has one attempt.",
                "properties": {
                    "max-attempts": { "type": "integer", "minimum": 1, "maximum": 100, "default": 1, "description": "Known failures until the step has failed." },
                    "delay": duration("Time before the second attempt. Default: 10s.", "10s"),
                    "backoff": { "type": "number", "minimum": 1, "maximum": 10, "default": 2, "description": "By what each further delay grows." },
                },
            },
            "on-failure": choices("What a failure of this step means for the run. Default: stop.", &[
                ("stop", "Nothing new is started, and the run fails."),
                ("continue", "What needs this step goes on; its outputs need a default."),
            ]),
        },
        "allOf": types.iter().map(inputs_of).collect::<Vec<_>>(),
    })
}

/// The inputs of one step type, for steps of that type.
fn inputs_of(of: &StepType) -> Json {
    let mut with = with_expressions((of.input_schema)().to_value());
    let needs_inputs = with.get("required").and_then(Json::as_array).is_some_and(|required| !required.is_empty());
    let required = if needs_inputs { json!(["with"]) } else { json!([]) };
    let about = with.get("description").and_then(Json::as_str).unwrap_or_default();
    let about = format!("The inputs of `{}`: {}", of.name, sentence(about));
    with["description"] = about.into();
    // Editors show the title: the name of a Rust type tells nobody anything.
    with["title"] = of.name.into();
    json!({
        "if": { "properties": { "type": { "const": of.name } }, "required": ["type"] },
        "then": { "properties": { "with": with }, "required": required },
    })
}

/// One of these texts, each with its meaning, which editors show beside it.
fn choices(description: &str, choices: &[(&str, &str)]) -> Json {
    let branches: Vec<Json> =
        choices.iter().map(|(text, about)| json!({ "const": text, "description": about })).collect();
    json!({ "type": "string", "description": description, "oneOf": branches })
}

fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

fn duration(description: &str, example: &str) -> Json {
    json!({ "type": "string", "description": description, "examples": [example, "45m", "1h30m", "90s"] })
}

/// The schema with every value also allowed as an expression; what describes a value stays beside the choice, where
/// editors look for it.
fn with_expressions(schema: Json) -> Json {
    let Json::Object(mut schema) = schema else { return schema };
    let described: Map<String, Json> =
        ["title", "description", "default", "examples"].iter().filter_map(|key| schema.remove_entry(*key)).collect();
    for key in ["properties", "$defs"] {
        if let Some(Json::Object(members)) = schema.get_mut(key) {
            members.values_mut().for_each(|member| *member = or_expression(std::mem::take(member)));
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(member) = schema.get_mut(key)
            && member.is_object()
        {
            *member = or_expression(std::mem::take(member));
        }
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(Json::Array(branches)) = schema.get_mut(key) {
            branches.iter_mut().for_each(|branch| *branch = with_expressions(std::mem::take(branch)));
        }
    }
    Json::Object(described.into_iter().chain(schema).collect())
}

fn or_expression(schema: Json) -> Json {
    let takes_text = schema
        .get("type")
        .is_none_or(|of| of == "string" || of.as_array().is_some_and(|several| several.contains(&json!("string"))));
    let is_open = ["pattern", "enum", "const", "anyOf", "oneOf", "format"].iter().all(|key| schema.get(key).is_none());
    if schema.is_boolean() || (takes_text && is_open) || schema.get("const").is_some() {
        return with_expressions(schema);
    }
    let Json::Object(mut inner) = with_expressions(schema) else { unreachable!("booleans were left alone") };
    let mut outer: Map<String, Json> =
        ["title", "description", "default", "examples"].iter().filter_map(|key| inner.remove_entry(*key)).collect();
    outer.insert("anyOf".to_owned(), json!([inner, { "type": "string", "pattern": EXPRESSION }]));
    Json::Object(outer)
}

//! The JSON Schema of the pipeline file, so that editors complete and check it.
//! Knows nothing of any one step type: each brings the schema of its inputs.

use hprun_steps::StepType;
use serde_json::{Map, Value as Json, json};

use super::API_VERSION;

/// A leaf may be its type or an expression; expressions are recognised by their braces.
const EXPRESSION: &str = r"\{\{.*\}\}";

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
            "apiVersion": { "const": API_VERSION, "description": "The file format." },
            "name": { "type": "string", "pattern": "^[a-z][a-z0-9-]{0,62}$", "description": "The name of the pipeline." },
            "version": { "type": "string", "description": "The version of this pipeline." },
            "description": { "type": "string", "description": "One line for people." },
            "params": {
                "type": ["object", "null"],
                "description": "Values given at run time.",
                "propertyNames": { "pattern": "^[a-z][a-z0-9_-]*$" },
                "additionalProperties": param_schema(),
            },
            "aws": aws_schema(),
            "steps": { "type": "array", "minItems": 1, "items": step, "description": "The steps. A step that states no `needs` needs the one above it." },
            "finally": { "type": "array", "items": { "$ref": "#/properties/steps/items" }, "description": "Steps that run when all others have ended, well or not." },
        },
    })
}

fn param_schema() -> Json {
    json!({
        "type": "object",
        "required": ["type"],
        "additionalProperties": false,
        "properties": {
            "type": { "enum": ["string", "integer", "number", "boolean", "list", "map"], "description": "The type of the value." },
            "description": { "type": "string", "description": "One line for people." },
            "default": { "description": "The value where nothing else gives one." },
            "env": { "type": ["string", "array"], "items": { "type": "string" }, "description": "Environment variables that give it." },
            "ssm": { "type": "string", "description": "Path of an SSM parameter that gives it." },
            "secret": { "type": "boolean", "description": "Keeps the value from sight; it cannot be given on the command line." },
            "enum": { "type": "array", "minItems": 1, "description": "The values that it may have." },
            "pattern": { "type": "string", "description": "A regular expression that the whole text must match." },
            "minimum": { "type": "number", "description": "Smallest number, or fewest characters or items." },
            "maximum": { "type": "number", "description": "Largest number, or most characters or items." },
        },
    })
}

fn aws_schema() -> Json {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "additionalProperties": false,
        "description": "Where the pipeline runs. Expressions may use params only.",
        "properties": {
            "region": text("The region of every call."),
            "profile": text("The profile of the shared AWS files."),
            "role": text("A role to assume."),
            "account": text("The account that it must be; any other is refused."),
        },
    })
}

fn step_schema(types: &[StepType]) -> Json {
    let described: Vec<Json> = types.iter().map(|of| json!({ "const": of.name, "description": of.summary })).collect();
    let inputs: Vec<Json> = types
        .iter()
        .map(|of| {
            let with = with_expressions((of.input_schema)().to_value());
            let needs_inputs =
                with.get("required").and_then(Json::as_array).is_some_and(|required| !required.is_empty());
            let required = if needs_inputs { json!(["with"]) } else { json!([]) };
            json!({
                "if": { "properties": { "type": { "const": of.name } }, "required": ["type"] },
                "then": { "properties": { "with": with }, "required": required },
            })
        })
        .collect();
    json!({
        "type": "object",
        "required": ["id", "type"],
        "additionalProperties": false,
        "properties": {
            "id": { "type": "string", "pattern": "^[a-z][a-z0-9-]{0,62}$", "description": "The id of the step, unique in the pipeline." },
            "type": { "description": "What the step does.", "oneOf": described },
            "description": { "type": "string", "description": "One line for people." },
            "needs": { "type": ["array", "string"], "items": { "type": "string" }, "description": "Steps that must be met before this one; without it the step above." },
            "with": { "type": ["object", "null"], "description": "The inputs." },
            "when": { "type": ["string", "boolean"], "description": "An expression; false skips the step." },
            "timeout": duration("How long one attempt may take."),
            "retry": {
                "type": "object",
                "additionalProperties": false,
                "description": "When a failed attempt is tried again.",
                "properties": {
                    "max-attempts": { "type": "integer", "minimum": 1, "maximum": 100, "description": "Known failures until the step has failed." },
                    "delay": duration("Time before the second attempt."),
                    "backoff": { "type": "number", "minimum": 1, "maximum": 10, "description": "By what each further delay grows." },
                },
            },
            "on-failure": { "enum": ["stop", "continue"], "description": "What a failure of this step means for the run." },
        },
        "allOf": inputs,
    })
}

fn duration(description: &str) -> Json {
    json!({ "type": "string", "description": description, "examples": ["45m", "1h30m", "90s"] })
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

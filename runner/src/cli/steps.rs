//! `hprun steps [TYPE]`: what pipelines can do. The same text is the reference in docs/steps.

use std::fmt::Write as _;

use hprun_steps::StepType;
use hprun_steps::partial::nearest;
use schemars::Schema;
use serde_json::Value;

use super::CliError;
use super::args::{Global, Output, StepsArgs};

/// Prints the list, or one reference page.
pub fn run(global: &Global, args: &StepsArgs) -> Result<(), CliError> {
    let types = hprun_steps::STEP_TYPES;
    let Some(name) = &args.step_type else {
        for step_type in types {
            println!("{:<20} {}", step_type.name, step_type.summary);
        }
        return Ok(());
    };
    let Some(step_type) = hprun_steps::find(name) else {
        let help = nearest(name, types.iter().map(|t| t.name)).map(|right| format!("did you mean `{right}`?"));
        return Err(CliError::Usage { message: format!("there is no step type `{name}`"), help });
    };
    if global.output == Output::Json {
        let (inputs, outputs) = ((step_type.input_schema)(), (step_type.output_schema)());
        println!("{:#}", serde_json::json!({ "type": name, "summary": step_type.summary, "inputs": inputs, "outputs": outputs }));
    } else {
        print!("{}", page(step_type));
    }
    Ok(())
}

/// The reference page of a step type, as Markdown: generated from its doc comments.
pub fn page(step_type: &StepType) -> String {
    let (inputs, outputs) = ((step_type.input_schema)(), (step_type.output_schema)());
    let mut page = format!("# {}\n\n{}.\n", step_type.name, step_type.summary.trim_end_matches('.'));
    if let Some(about) = inputs.get("description").and_then(Value::as_str) {
        write!(page, "\n{about}\n").expect("writing to a string");
    }
    write!(page, "\n```yaml\n{}\n```\n", step_type.example.trim()).expect("writing to a string");
    page.push_str("\n## Inputs\n\n");
    page.push_str(&table(&inputs, true));
    page.push_str("\n## Outputs\n\n");
    page.push_str(&table(&outputs, false));
    page
}

fn table(schema: &Schema, inputs: bool) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object).filter(|p| !p.is_empty()) else {
        return "None.\n".to_owned();
    };
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut text = String::from("| name | type | |\n|---|---|---|\n");
    for (name, property) in properties {
        let about = property.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
        let must = if inputs && required.contains(&name.as_str()) { "**Required.** " } else { "" };
        writeln!(text, "| `{name}` | {} | {must}{} |", type_words(property), about.replace('|', "\\|"))
            .expect("writing to a string");
    }
    text
}

fn type_words(property: &Value) -> String {
    let choices = |values: &Vec<Value>| {
        values.iter().filter_map(Value::as_str).map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", ")
    };
    if let Some(values) = property.get("enum").and_then(Value::as_array) {
        return choices(values);
    }
    if let Some(options) = property.get("oneOf").or_else(|| property.get("anyOf")).and_then(Value::as_array) {
        let constants: Vec<Value> = options.iter().filter_map(|o| o.get("const").cloned()).collect();
        if constants.len() == options.len() {
            return choices(&constants);
        }
        let words: Vec<String> = options.iter().map(type_words).filter(|w| w != "null").collect();
        return words.join(" or ");
    }
    match property.get("type") {
        Some(Value::String(one)) if one == "array" => match property.get("items") {
            Some(items) => format!("list of {}", type_words(items)),
            None => "list".to_owned(),
        },
        Some(Value::String(one)) if one == "object" => "map".to_owned(),
        Some(Value::String(one)) => one.clone(),
        Some(Value::Array(many)) => {
            let words: Vec<&str> = many.iter().filter_map(Value::as_str).filter(|t| *t != "null").collect();
            words.join(" or ").replace("object", "map").replace("array", "list")
        }
        Some(_) | None => "any".to_owned(),
    }
}

//! `hprun outputs [RUN]`: what the steps of a run handed on, for a shell or a program.

use serde_json::{Map, Value};

use super::args::{Global, OutputsArgs, OutputsFormat};
use super::source::open_store;
use super::{CliError, print};
use crate::state::RunState;
use crate::store::StoreError;

/// Prints them.
pub fn run(global: &Global, args: &OutputsArgs) -> Result<(), CliError> {
    let store = open_store(global)?.ok_or(StoreError::NoRuns)?;
    let row = store.find(args.run.as_deref())?;
    let entries = store.events(&row.id)?;
    let state = RunState::replay(&entries).map_err(|e| CliError::Refused { message: e.to_string(), help: None })?;
    let outputs: Map<String, Value> = state
        .steps
        .iter()
        .filter_map(|(id, step)| Some((id.clone(), step.success.as_ref()?.outputs.clone())))
        .collect();
    match args.format {
        OutputsFormat::Json => print::data(format!("{:#}", Value::Object(outputs)))?,
        OutputsFormat::Env => print::data(as_env(&outputs))?,
    }
    Ok(())
}

/// `STACK_VPC_ID='vpc-1'`: step and output in capitals, the value quoted so that a shell reads back exactly it.
fn as_env(outputs: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (step, outputs) in outputs {
        for (name, value) in outputs.as_object().into_iter().flatten() {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Null => continue,
                other => other.to_string(),
            };
            text.push_str(&format!("{}={}\n", variable(step, name), quoted(&value)));
        }
    }
    text
}

fn variable(step: &str, output: &str) -> String {
    format!("{step}_{output}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect()
}

/// `text` so that a shell reads back exactly it.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_the_exact_value() {
        let outputs = serde_json::json!({"my-step": {"a": "it's $HOME `x`\nline", "n": 3, "l": ["x"], "none": null}});
        let text = as_env(outputs.as_object().expect("an object"));
        assert_eq!(text, "MY_STEP_A='it'\\''s $HOME `x`\nline'\nMY_STEP_N='3'\nMY_STEP_L='[\"x\"]'\n");
    }
}

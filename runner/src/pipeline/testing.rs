//! Two step types that do nothing, for the tests of the pipeline language.
//! Knows nothing of the real step types.

use std::collections::BTreeMap;
use std::path::Path;

use hprun_steps::context::StepContext;
use hprun_steps::files::{FileInput, FileKind, Files};
use hprun_steps::finding::Finding;
use hprun_steps::partial::{Partial, ValueType};
use hprun_steps::step::{DeclaredOutput, DeclaredOutputs, declared_outputs};
use hprun_steps::value::{Secret, Value};
use hprun_steps::{Step, StepError, StepType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KnownParams, Pipeline, check, read};
use crate::diagnostic::{Diagnostic, render};

/// The step types of these tests.
pub static TYPES: &[StepType] = &[StepType::of::<Make>(), StepType::of::<Use>()];

/// Makes a thing.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only the schema is looked at")]
struct Make {
    /// The name of the thing.
    #[schemars(regex(pattern = "^[a-z-]+$"))]
    name: String,
    /// How many there are.
    count: Option<u32>,
    /// What opens it.
    token: Option<Secret>,
    /// How fast.
    speed: Option<Speed>,
    /// A file whose words become outputs.
    template: Option<String>,
    /// Anything by name.
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Speed {
    /// Slowly
    Slow,
    /// Fast
    Fast,
}

#[derive(Serialize, JsonSchema)]
struct Made {
    /// The id of the thing.
    id: String,
    /// Its parts.
    parts: Vec<String>,
}

impl Step for Make {
    const TYPE: &'static str = "make-thing";
    const SUMMARY: &'static str = "make a thing";
    const EXAMPLE: &'static str = "";
    type Outputs = Made;

    async fn run(self, _: &mut StepContext<'_>) -> Result<Made, StepError> {
        Ok(Made { id: String::new(), parts: Vec::new() })
    }

    fn files(inputs: &Partial) -> Vec<FileInput> {
        FileInput::named(inputs, "template", FileKind::File).into_iter().collect()
    }

    fn check(inputs: &Partial, _: &Files) -> Vec<Finding> {
        let forbidden = inputs.get("name").filter(|name| name.as_str() == Some("forbidden"));
        forbidden
            .map(|name| {
                Finding::error(&hprun_steps::codes::template::WRONG_STACK_NAME, name.place(), "this name is taken")
                    .help("take another")
            })
            .into_iter()
            .collect()
    }

    fn outputs(inputs: &Partial, files: &Files) -> DeclaredOutputs {
        let words = inputs.str_at("template").and_then(|path| files.text(path).ok()).unwrap_or_default();
        let more = words.split_whitespace().map(|word| {
            (word.to_owned(), DeclaredOutput { value_type: ValueType::String, description: String::new() })
        });
        declared_outputs::<Made>().into_iter().chain(more).collect()
    }
}

/// Uses a thing.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only the schema is looked at")]
struct Use {
    /// What to say.
    text: Option<String>,
    /// How often.
    times: Option<u32>,
    /// To whom.
    to: Option<Vec<String>>,
}

#[derive(Serialize, JsonSchema)]
struct Used {}

impl Step for Use {
    const TYPE: &'static str = "use-thing";
    const SUMMARY: &'static str = "use a thing";
    const EXAMPLE: &'static str = "";
    type Outputs = Used;

    async fn run(self, _: &mut StepContext<'_>) -> Result<Used, StepError> {
        Ok(Used {})
    }
}

/// Files of this folder, as a loader gives them.
pub fn files_in(base: &Path) -> impl Fn(&[FileInput]) -> Files {
    move |inputs| Files::load(base, inputs)
}

/// Reads and checks with the params' defaults known.
pub fn load_in(text: &str, base: &Path) -> Result<(Pipeline, Vec<Diagnostic>), Vec<Diagnostic>> {
    let authored = read(text)?;
    let defaults = authored.params.iter().filter_map(|(name, spec)| Some((name.clone(), spec.default.clone()?)));
    let params = KnownParams { values: defaults.collect() };
    check(authored, TYPES, &files_in(base), &params)
}

/// Reads and checks a pipeline that reads no file.
pub fn load(text: &str) -> Result<(Pipeline, Vec<Diagnostic>), Vec<Diagnostic>> {
    load_in(text, Path::new("/nonexistent"))
}

/// All findings as a person sees them.
pub fn findings(text: &str) -> String {
    let found = match load(text) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    };
    render(&found, ("p.yaml", text), false, 120)
}

/// The head of a pipeline, then these steps.
pub fn with_head(steps: &str) -> String {
    format!("apiVersion: hprun/v1\nname: p\nsteps:\n{steps}")
}

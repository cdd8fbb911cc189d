//! What a step is: the trait that each step type implements, and the erased form that the runner holds.
//! Knows nothing of any one step, of the pipeline file, of the store or of the terminal.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde::{Serialize, de::DeserializeOwned};

use crate::context::StepContext;
use crate::error::{ErrorClass, StepError};
use crate::fact::Fact;
use crate::files::{FileInput, Files};
use crate::finding::Finding;
use crate::partial::{Partial, ValueType};
use crate::permissions::{Needs, Surroundings};
use crate::program::Program;
use crate::question::Asked;
use crate::value::Value;

/// One thing hprun can do to the outside world. `Self` is the inputs, and exists only when every expression in
/// them is resolved. `run` must be safe to repeat: after a crash it is called again.
pub trait Step: DeserializeOwned + JsonSchema + Send + Sync + Sized + 'static {
    /// The word in the pipeline file's `type:`.
    const TYPE: &'static str;
    /// One line for `hprun steps`: what it does, in the imperative.
    const SUMMARY: &'static str;
    /// A step of this type as it stands in a pipeline file: the list item, with `id:` and `type:`. A test runs it.
    const EXAMPLE: &'static str;
    /// Whether its work is done by child processes, which know no sandbox time: its timeout then runs by the wall.
    const BY_THE_WALL: bool = false;
    /// What the step hands on.
    type Outputs: Serialize + JsonSchema + Send;

    /// Does it. Called again after a crash or a retry, with what earlier attempts recorded in `cx.history()`.
    fn run(self, cx: &mut StepContext<'_>) -> impl Future<Output = Result<Self::Outputs, StepError>> + Send;

    /// The files that these inputs name, so that they are read (and hashed) before anything runs.
    fn files(_inputs: &Partial) -> Vec<FileInput> {
        Vec::new()
    }

    /// What is wrong with these inputs beyond their schema, as far as they and their files are known.
    fn check(_inputs: &Partial, _files: &Files) -> Vec<Finding> {
        Vec::new()
    }

    /// The outputs that a step with these inputs declares.
    fn outputs(_inputs: &Partial, _files: &Files) -> DeclaredOutputs {
        declared_outputs::<Self::Outputs>()
    }

    /// Outputs that other inputs would give, each with the reason why these do not.
    fn absent_outputs(_inputs: &Partial, _files: &Files) -> IndexMap<String, String> {
        IndexMap::new()
    }

    /// Whether the step may hand on outputs that nobody can name before the run.
    fn may_hand_on_more(_inputs: &Partial, _files: &Files) -> bool {
        false
    }

    /// The outputs of a step with these inputs, as far as they are known before the run. What is left out is unknown.
    fn foreseen(_inputs: &Partial, _files: &Files) -> IndexMap<String, Partial> {
        IndexMap::new()
    }

    /// What a step with these inputs brings to other steps, or needs from them.
    fn facts(_inputs: &Partial, _files: &Files) -> Vec<Fact> {
        Vec::new()
    }

    /// What its AWS calls need of IAM. A test holds it to the calls that it makes.
    fn permissions(_inputs: &Partial, _around: &Surroundings<'_>) -> Needs {
        Needs::default()
    }

    /// How long a step with these inputs takes at least when it has everything to do, and what takes so long.
    fn least(_inputs: &Partial, _files: &Files) -> Option<(Duration, &'static str)> {
        None
    }

    /// What a step with these inputs asks of AWS before the run (`check --live`, the step type `preflight`).
    fn questions(_inputs: &Partial, _files: &Files) -> Vec<Asked> {
        Vec::new()
    }

    /// The programs of this machine that a step with these inputs runs; relative paths start at `base`.
    fn programs(_inputs: &Partial, _base: &Path) -> Vec<Program> {
        Vec::new()
    }

    /// On resume: whether what a finished step made is still there and healthy. Asks only, changes nothing.
    fn probe(
        self,
        _outputs: &serde_json::Value,
        _cx: &mut StepContext<'_>,
    ) -> impl Future<Output = Result<Health, StepError>> + Send {
        async { Ok(Health::Good) }
    }

    /// What [`Step::run`] would do now, as far as can be told by asking only: for `resume --explain`.
    fn foresee(self, _cx: &mut StepContext<'_>) -> impl Future<Output = Result<Foresight, StepError>> + Send {
        async { Ok(Foresight::default()) }
    }
}

/// The outputs of a step by name.
pub type DeclaredOutputs = IndexMap<String, DeclaredOutput>;

/// One output, declared before the run.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredOutput {
    /// Its type, as far as it is known.
    pub value_type: ValueType,
    /// What it is, in one line.
    pub description: String,
}

/// What a finished step made, looked at again on resume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Still there and as it was left.
    Good,
    /// No longer there or no longer good; the text says what was found.
    Lost(String),
}

/// What a step would do, told before it does it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Foresight {
    /// What it would hand on, if that is known.
    pub outputs: Option<serde_json::Value>,
    /// Files that it would write, with full paths.
    pub files: Vec<(String, Vec<u8>)>,
    /// What it would change on what is there, one line each.
    pub changes: Vec<String>,
    /// Why it would refuse.
    pub refusal: Option<StepError>,
}

/// A boxed future of a step.
pub type StepFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StepError>> + Send + 'a>>;

/// A step type with its Rust types erased: what the runner works with.
pub struct StepType {
    /// The word in the pipeline file's `type:`.
    pub name: &'static str,
    /// One line: what it does.
    pub summary: &'static str,
    /// A step of this type as it stands in a pipeline file.
    pub example: &'static str,
    /// [`Step::BY_THE_WALL`]
    pub by_the_wall: bool,
    /// JSON Schema of the inputs (`with:`), descriptions included.
    pub input_schema: fn() -> Schema,
    /// JSON Schema of the outputs that every step of this type has.
    pub output_schema: fn() -> Schema,
    /// [`Step::files`]
    pub files: fn(&Partial) -> Vec<FileInput>,
    /// [`Step::check`]
    pub check: fn(&Partial, &Files) -> Vec<Finding>,
    /// [`Step::absent_outputs`]
    pub absent_outputs: fn(&Partial, &Files) -> IndexMap<String, String>,
    /// [`Step::may_hand_on_more`]
    pub may_hand_on_more: fn(&Partial, &Files) -> bool,
    /// [`Step::foreseen`]
    pub foreseen: fn(&Partial, &Files) -> IndexMap<String, Partial>,
    /// [`Step::facts`]
    pub facts: fn(&Partial, &Files) -> Vec<Fact>,
    /// [`Step::permissions`]
    pub permissions: fn(&Partial, &Surroundings<'_>) -> Needs,
    /// [`Step::least`]
    pub least: fn(&Partial, &Files) -> Option<(Duration, &'static str)>,
    /// [`Step::questions`]
    pub questions: fn(&Partial, &Files) -> Vec<Asked>,
    /// [`Step::programs`]
    pub programs: fn(&Partial, &Path) -> Vec<Program>,
    /// [`Step::outputs`]
    pub outputs: fn(&Partial, &Files) -> DeclaredOutputs,
    /// Parses the inputs, then [`Step::run`]; the outputs as JSON.
    pub run: for<'a> fn(Value, &'a mut StepContext<'_>) -> StepFuture<'a, serde_json::Value>,
    /// Parses the inputs, then [`Step::probe`].
    pub probe: for<'a> fn(Value, &'a serde_json::Value, &'a mut StepContext<'_>) -> StepFuture<'a, Health>,
    /// Parses the inputs, then [`Step::foresee`].
    pub foresee: for<'a> fn(Value, &'a mut StepContext<'_>) -> StepFuture<'a, Foresight>,
}

impl StepType {
    /// The erased form of `T`.
    pub const fn of<T: Step>() -> Self {
        Self {
            name: T::TYPE,
            summary: T::SUMMARY,
            example: T::EXAMPLE,
            by_the_wall: T::BY_THE_WALL,
            input_schema: schema_of::<T>,
            output_schema: schema_of::<T::Outputs>,
            files: T::files,
            check: T::check,
            absent_outputs: T::absent_outputs,
            may_hand_on_more: T::may_hand_on_more,
            foreseen: T::foreseen,
            facts: T::facts,
            permissions: T::permissions,
            least: T::least,
            questions: T::questions,
            programs: T::programs,
            outputs: T::outputs,
            run: run_erased::<T>,
            probe: probe_erased::<T>,
            foresee: foresee_erased::<T>,
        }
    }
}

impl std::fmt::Debug for StepType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The outputs that the type `T` declares by its schema.
pub fn declared_outputs<T: JsonSchema>() -> DeclaredOutputs {
    let schema = schema_of::<T>();
    let Some(properties) = schema.get("properties").and_then(|p| p.as_object()) else { return DeclaredOutputs::new() };
    properties
        .iter()
        .map(|(name, property)| {
            let description = property.get("description").and_then(|d| d.as_str()).unwrap_or_default().to_owned();
            (name.clone(), DeclaredOutput { value_type: type_in(property), description })
        })
        .collect()
}

/// The type that a property schema names, or `Any`.
pub fn type_in(property: &serde_json::Value) -> ValueType {
    let named = match property.get("type") {
        Some(serde_json::Value::Array(types)) => types.iter().find_map(|t| t.as_str().filter(|t| *t != "null")),
        Some(other) => other.as_str(),
        None => None,
    };
    match named {
        Some("string") => ValueType::String,
        Some("integer") => ValueType::Integer,
        Some("number") => ValueType::Number,
        Some("boolean") => ValueType::Boolean,
        Some("array") => ValueType::List,
        Some("object") => ValueType::Map,
        _ => ValueType::Any,
    }
}

/// Schemas are inlined, so that a reader (an editor, the checker) needs no `$ref`.
fn schema_of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|s| {
        s.inline_subschemas = true;
        s.meta_schema = None;
    });
    SchemaGenerator::new(settings).into_root_schema_for::<T>()
}

fn parse<T: Step>(inputs: Value) -> Result<T, StepError> {
    inputs
        .parse::<T>()
        .map_err(|e| StepError::new(ErrorClass::Invalid, format!("the inputs of this step are wrong: {e}")))
}

/// What to do once a person has logged in.
const RESUME: &str = "resume: nothing is lost";

fn run_erased<'a, T: Step>(inputs: Value, cx: &'a mut StepContext<'_>) -> StepFuture<'a, serde_json::Value> {
    // The context outlives the future it is lent to; only its inner lifetime has to be named away.
    let cx: &'a mut StepContext<'_> = cx;
    Box::pin(async move {
        let outputs = match parse::<T>(inputs)?.run(cx).await {
            Ok(outputs) => outputs,
            Err(e) => return Err(cx.clients.with_advice(e, RESUME).await),
        };
        serde_json::to_value(outputs)
            .map_err(|e| StepError::new(ErrorClass::Failed, format!("the outputs cannot be recorded: {e}")))
    })
}

fn probe_erased<'a, T: Step>(
    inputs: Value,
    outputs: &'a serde_json::Value,
    cx: &'a mut StepContext<'_>,
) -> StepFuture<'a, Health> {
    Box::pin(async move {
        match parse::<T>(inputs)?.probe(outputs, cx).await {
            Ok(health) => Ok(health),
            Err(e) => Err(cx.clients.with_advice(e, RESUME).await),
        }
    })
}

fn foresee_erased<'a, T: Step>(inputs: Value, cx: &'a mut StepContext<'_>) -> StepFuture<'a, Foresight> {
    Box::pin(async move { parse::<T>(inputs)?.foresee(cx).await })
}

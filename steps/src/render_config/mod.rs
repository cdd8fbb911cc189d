//! render-config: a template and values become a file, checked before it is used; every finding names its template line.
//! Knows nothing of where the values come from: a template sees only its step's `values`.

mod calls;
mod compare;
mod examine;
mod functions;
mod helpers;
mod marker;
mod partials;
mod permissions;
mod quoted;
mod render;
mod seams;
mod syntax;
mod values;
mod yaml;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::cluster_config::{self, needs};
use crate::codes::rendered;
use crate::context::{FileMode, StepContext};
use crate::error::{ErrorClass, StepError};
use crate::fact::{Fact, FileUse};
use crate::files::{FileInput, FileKind, Files, normalize, sha256};
use crate::finding::{At, Finding, Severity};
use crate::partial::{Hole, Partial, Place, Text, ValueType};
use crate::permissions::{Needs, Surroundings};
use crate::question::Asked;
use crate::step::{Foresight, Health, Step};
use crate::value::Value;
pub use calls::HELPERS;
use examine::{Examined, examine, examine_compiled};
use render::{Compiled, Problem, compile, hole};

/// The template is checked before the run, as far as its values are known then, and each finding names its template line.
/// With `schema: create-cluster` every field is checked: names, types, ranges, and what excludes what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RenderConfig {
    /// Path of the Handlebars template. Unknown names are errors, nothing is escaped; `{{json x}}` writes x as JSON. It has the
    /// helpers of expressions, and blocks and partials: docs/pipeline-file.md, "In template files".
    pub template: String,
    /// What the template sees, by name. Secrets are allowed: the file is then readable by this user only.
    #[serde(default)]
    pub values: IndexMap<String, Value>,
    /// Where to write the result. Default: the name of the template without `.hbs`, in a folder of this run and step.
    pub to: Option<String>,
    /// What the result must be. Default: by the name (`.json`, `.yaml`, `.yml`), else text.
    pub format: Option<Format>,
    /// What the result is checked against, field by field (needs the format json).
    pub schema: Option<SchemaName>,
}

/// What a rendered file must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// It must parse as JSON
    Json,
    /// It must parse as YAML: one document or several
    Yaml,
    /// Anything
    Text,
}

/// A schema that hprun knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SchemaName {
    /// A CreateCluster request of SageMaker
    CreateCluster,
}

/// Outputs of `render-config`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RenderConfigOutputs {
    /// Full path of the rendered file
    pub path: String,
    /// Hex digest of the rendered file; none when it holds a secret
    pub sha256: Option<String>,
}

impl Step for RenderConfig {
    const TYPE: &'static str = "render-config";
    const SUMMARY: &'static str = "Render a template to a file and check the result";
    const EXAMPLE: &'static str = r#"
- id: config
  type: render-config
  with:
    template: cluster-config.json.hbs
    values: { cluster_name: ml-cluster, instance_count: 2 }
    format: json
"#;
    type Outputs = RenderConfigOutputs;

    fn permissions(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
        permissions::needs(inputs, around)
    }

    async fn run(self, cx: &mut StepContext<'_>) -> Result<RenderConfigOutputs, StepError> {
        let files = cx.files.clone();
        let (text, this) = aside(move || (self.rendered(&files), self)).await?;
        let text = text?;
        let path = this.target(&cx.run.folder, cx.step);
        let real = |path: &Path| std::fs::canonicalize(cx.run.base.join(path)).ok();
        if real(&path).is_some_and(|path| real(Path::new(&this.template)) == Some(path)) {
            return Err(StepError::invalid(over_its_template(&this.template)).help(ELSEWHERE));
        }
        let mode = if this.holds_secret() { FileMode::Secret } else { FileMode::Shared };
        let path = cx.write_file(&path, text.as_bytes(), mode)?;
        Ok(this.outputs(&path, &text))
    }

    async fn foresee(self, cx: &mut StepContext<'_>) -> Result<Foresight, StepError> {
        let files = cx.files.clone();
        let (text, this) = aside(move || (self.rendered(&files), self)).await?;
        let text = match text {
            Ok(text) => text,
            Err(error) => return Ok(Foresight { refusal: Some(error), ..Foresight::default() }),
        };
        let path = cx.run.base.join(this.target(&cx.run.folder, cx.step));
        let outputs = serde_json::to_value(this.outputs(&path, &text)).ok();
        let files = vec![(path.to_string_lossy().into_owned(), text.into_bytes())];
        Ok(Foresight { outputs, files, ..Foresight::default() })
    }

    fn files(inputs: &Partial) -> Vec<FileInput> {
        FileInput::named(inputs, "template", FileKind::File).into_iter().collect()
    }

    fn check(inputs: &Partial, files: &Files) -> Vec<Finding> {
        let Some(template) = inputs.get("template") else { return Vec::new() };
        let Some(path) = template.as_str() else { return Vec::new() };
        let mut findings: Vec<Finding> = over_itself(inputs, path, template.place()).into_iter().collect();
        if let Err(message) = files.text(path) {
            findings.push(Finding::error(&rendered::WRONG_TEMPLATE, template.place(), message));
            return findings;
        }
        let target = Target::of(inputs, path);
        if target.schema.is_some() && target.format != Format::Json {
            let at = inputs.get("schema").map_or(template.place(), Partial::place);
            let message = "a schema can only be checked with `format: json`";
            findings.push(Finding::error(&rendered::SCHEMA_WITHOUT_JSON, at, message));
            return findings;
        }
        let issues = examine_inputs(inputs, files).map(|(_, examined)| examined.issues).unwrap_or_default();
        findings.extend(issues.into_iter().map(|issue| issue.into_finding(path)));
        findings
    }

    fn facts(inputs: &Partial, files: &Files) -> Vec<Fact> {
        let written = match inputs.get("to") {
            Some(to) => (to.text().unwrap_or_default(), to.place()),
            None => (Text::default(), inputs.place()),
        };
        let is_request = inputs.str_at("schema") == Some("create-cluster");
        let kind = match inputs.get("values").is_some_and(Partial::has_secret) {
            true => FileUse::Secret,
            false if is_request => FileUse::Request,
            false => FileUse::Plain,
        };
        let writes = Fact::Writes { path: written.0, output: "path", kind, place: written.1 };
        if !is_request {
            return vec![writes];
        }
        let Some((path, Examined { request: Some((request, rendered)), .. })) = examine_inputs(inputs, files) else {
            return vec![writes];
        };
        let at = |span: &Range<usize>| At::File { path: path.clone(), place: Place::of(&rendered.origin(span)) };
        std::iter::once(writes).chain(cluster_config::facts(&request, &at)).collect()
    }

    fn questions(inputs: &Partial, files: &Files) -> Vec<Asked> {
        if inputs.str_at("schema") != Some("create-cluster") {
            return Vec::new();
        }
        let Some((path, Examined { request: Some((request, rendered)), .. })) = examine_inputs(inputs, files) else {
            return Vec::new();
        };
        let at = |span: &Range<usize>| At::File { path: path.clone(), place: Place::of(&rendered.origin(span)) };
        // Whether the step that makes the cluster may take one over is that step's to say.
        let asked = needs::questions(&request, false, &at);
        if rendered.approximate { needs::of_a_draft(asked, &at(&request.span)) } else { asked }
    }

    async fn probe(self, outputs: &Json, cx: &mut StepContext<'_>) -> Result<Health, StepError> {
        let path = outputs["path"].as_str().unwrap_or_default().to_owned();
        let files = cx.files.clone();
        aside(move || {
            let text = self.examined(files.text(&self.template).map_err(StepError::invalid)?).text;
            Ok(match std::fs::read(&path) {
                Ok(bytes) if bytes == text.as_bytes() => Health::Good,
                Ok(_) => Health::Lost(format!("{path} was changed since")),
                Err(e) => Health::Lost(format!("{path} cannot be read: {e}")),
            })
        })
        .await?
    }
}

/// A large template is rendered for seconds without a pause: the threads that others wait on stay free.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StepError> {
    tokio::task::spawn_blocking(work).await.map_err(|ended| match ended.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => StepError::new(ErrorClass::Interrupted, "the rendering was cut off"),
    })
}

impl RenderConfig {
    /// The text of the file, if nothing is wrong with it.
    fn rendered(&self, files: &Files) -> Result<String, StepError> {
        let source = files.text(&self.template).map_err(StepError::invalid)?;
        let Examined { text, issues: findings, .. } = self.examined(source);
        let errors: Vec<_> = findings.iter().filter(|f| f.severity == Severity::Error).collect();
        if errors.is_empty() {
            return Ok(text);
        }
        let (count, secret) = (errors.len(), self.holds_secret());
        let message = format!("{} gives {count} error{}", self.template, if count == 1 { "" } else { "s" });
        // What is said of a text may quote it, in part or escaped: nobody would know the secret in it again.
        let lines = errors
            .iter()
            .map(|f| if secret { f.place(&self.template, source) } else { f.line(&self.template, source) });
        let error = lines.fold(StepError::invalid(message), StepError::because);
        let help =
            "only the places are told, because the values hold a secret: `hprun check` says what is wrong without it";
        Err(if secret { error.help(help) } else { error })
    }

    fn examined(&self, source: &str) -> Examined {
        let values: serde_json::Map<_, _> = self.values.iter().map(|(k, v)| (k.clone(), v.reveal())).collect();
        let target = Target { format: self.format_or_by_name(), schema: self.schema };
        examine(source, &Json::Object(values), &[], target)
    }

    fn holds_secret(&self) -> bool {
        self.values.values().any(|value| !value.secrets().is_empty())
    }

    fn outputs(&self, path: &Path, text: &str) -> RenderConfigOutputs {
        let sha256 = (!self.holds_secret()).then(|| sha256(text.as_bytes()));
        RenderConfigOutputs { path: path.to_string_lossy().into_owned(), sha256 }
    }

    fn format_or_by_name(&self) -> Format {
        self.format.unwrap_or_else(|| by_name(self.to.as_deref().unwrap_or(&self.template)))
    }

    fn target(&self, folder: &Path, step: &str) -> PathBuf {
        match &self.to {
            Some(to) => PathBuf::from(to),
            None => {
                let name = Path::new(&self.template).file_name().unwrap_or("rendered".as_ref()).to_string_lossy();
                // A folder of its own: another step may render a template of that name, and the run has files of its own.
                folder.join("rendered").join(step).join(name.strip_suffix(".hbs").unwrap_or(&name))
            }
        }
    }
}

/// Whether `to` is the template, as far as it is spelled so.
fn over_itself(inputs: &Partial, template: &str, place: Place) -> Option<Finding> {
    let to = inputs.get("to")?;
    let is_same = normalize(Path::new(to.as_str()?)) == normalize(Path::new(template));
    is_same.then(|| {
        let finding = Finding::error(&rendered::OVER_ITS_TEMPLATE, to.place(), over_its_template(template));
        finding.help(ELSEWHERE).related(At::Pipeline(place), "the template")
    })
}

fn over_its_template(template: &str) -> String {
    format!("the result would take the place of its template {template}")
}

const ELSEWHERE: &str = "name another file, or leave `to` out: the result then lies in a folder of the run";

fn by_name(path: &str) -> Format {
    let name = path.strip_suffix(".hbs").unwrap_or(path);
    match name.rsplit_once('.') {
        Some((_, "json")) => Format::Json,
        Some((_, "yaml" | "yml")) => Format::Yaml,
        Some(_) | None => Format::Text,
    }
}

#[derive(Clone, Copy)]
struct Target {
    format: Format,
    schema: Option<SchemaName>,
}

impl Target {
    /// What the inputs ask for, as far as they are known.
    fn of(inputs: &Partial, template: &str) -> Self {
        let schema = (inputs.str_at("schema") == Some("create-cluster")).then_some(SchemaName::CreateCluster);
        let format = match inputs.str_at("format") {
            Some("json") => Format::Json,
            Some("yaml") => Format::Yaml,
            Some("text") => Format::Text,
            // One that is none of its values is told as such; what was meant is what the schema needs.
            Some(_) if schema.is_some() => Format::Json,
            Some(_) | None => by_name(inputs.str_at("to").unwrap_or(template)),
        };
        Self { format, schema }
    }
}

/// The template that the inputs name, and what it gives with their values as far as these are known.
fn examine_inputs(inputs: &Partial, files: &Files) -> Option<(String, Examined)> {
    let path = inputs.str_at("template")?;
    let template = compiled(path, files).ok()?;
    let mut holes = Vec::new();
    let values = match inputs.get("values") {
        Some(Partial::Unknown(..)) => return None,
        Some(values) => holed(values, &mut holes),
        None => Json::Object(serde_json::Map::new()),
    };
    Some((path.to_owned(), examine_compiled(&template, &values, &holes, Target::of(inputs, path))))
}

/// The template at `path`, read once however many steps name it. The error is that of a file that is no text.
fn compiled(path: &str, files: &Files) -> Result<Arc<Result<Compiled, Problem>>, String> {
    let source = files.text(path)?;
    Ok(files.get(path)?.parsed(|_| compile(source)).unwrap_or_else(|| Arc::new(compile(source))))
}

/// The values as JSON, with a hole for each that is not known or must not be shown.
fn holed(partial: &Partial, holes: &mut Vec<Hole>) -> Json {
    let mut next = |of: Hole| {
        holes.push(of);
        Json::String(hole(holes.len()))
    };
    match partial {
        Partial::Unknown(hole, _) => next(hole.clone()),
        Partial::Known(value, _) if value.secrets().is_empty() => value.to_record(),
        // A secret is text wherever it is used, and not for checks to look at.
        Partial::Known(..) => next(Hole::of(ValueType::Any)),
        Partial::List(items, _) => Json::Array(items.iter().map(|item| holed(item, holes)).collect()),
        Partial::Map(entries, _) => {
            Json::Object(entries.iter().map(|(key, (_, value))| (key.clone(), holed(value, holes))).collect())
        }
    }
}

#[cfg(test)]
mod tests;

//! The pipeline file as its author wrote it: shape and spelling are right, names may still lead nowhere.
//! Knows nothing of step types; goes on after an error, so that a person sees all of them at once.

use std::time::Duration;

use hprun_steps::partial::{Place, nearest};
use hprun_steps::value::Value;
use indexmap::IndexMap;

use super::{API_VERSION, OnFailure, Retry};
use crate::codes::{file, inputs, pipeline};
use crate::diagnostic::Diagnostic;
use crate::document::fields::{Fields, a, list, unknown_key};
use crate::document::yaml::{self, Node, NodeValue};
use crate::expr::{Condition, ExprError, Tree};
use crate::params::{ParamSpecs, read_specs};

/// A pipeline file that could be read, with what is wrong so far. [`super::check()`] makes it a pipeline, or says why not.
#[derive(Clone, Debug)]
pub struct Authored {
    /// The word after `name:`; empty if there is none.
    pub name: String,
    /// The pipeline's own version.
    pub version: Option<String>,
    /// One line for people.
    pub description: Option<String>,
    /// The params that it takes.
    pub params: ParamSpecs,
    /// `aws:`
    pub aws: super::AwsSpec,
    /// The steps in the order of the file, those of `finally:` last.
    pub steps: Vec<AuthoredStep>,
    /// What is wrong with the file itself. `check` gives these again, together with what it finds.
    pub problems: Vec<Diagnostic>,
}

/// One step as written.
#[derive(Clone, Debug)]
pub struct AuthoredStep {
    /// `id:` and its place.
    pub id: (String, Place),
    /// `type:` and its place; none if it was wrong.
    pub step_type: Option<(String, Place)>,
    /// `needs:` if it is there.
    pub needs: Option<Vec<(String, Place)>>,
    /// `with:`
    pub with: Tree,
    /// `when:`
    pub when: Option<Condition>,
    /// `timeout:`
    pub timeout: Option<Duration>,
    /// `retry:`
    pub retry: Retry,
    /// `on-failure:`
    pub on_failure: OnFailure,
    /// Whether it stands under `finally:`.
    pub finally: bool,
}

impl AuthoredStep {
    /// Whether what comes after it can count on it: it is not skipped, and its failure ends the run.
    pub fn is_sure(&self) -> bool {
        self.when.is_none() && self.on_failure == OnFailure::Stop
    }
}

/// The pipeline that `text` spells. The error holds why nothing could be read; what is wrong with a file that could
/// be is in [`Authored::problems`].
pub fn read(text: &str) -> Result<Authored, Vec<Diagnostic>> {
    let (node, mut problems) = yaml::parse(text);
    let Some(node) = node else { return Err(problems) };
    if node.value == NodeValue::Scalar(Value::Null) {
        problems.push(
            Diagnostic::error(&file::EMPTY_FILE, node.place, "the file is empty")
                .help("start with `apiVersion: hprun/v1`"),
        );
        return Err(problems);
    }
    let Some(mut fields) = Fields::of(node, "the pipeline", &mut problems) else { return Err(problems) };
    if !is_our_version(&mut fields) {
        return Err(problems);
    }
    let mut reader = Reader { text };
    let name = fields.need_text("name");
    let version = fields.text("version").map(|(text, _)| text);
    let description = fields.text("description").map(|(text, _)| text);
    let params = fields.take("params").map(|(_, node)| read_specs(node, fields.diagnostics())).unwrap_or_default();
    let aws = fields.take("aws").map(|(_, node)| reader.aws(node, fields.diagnostics())).unwrap_or_default();
    let steps = fields.need("steps");
    let mut steps = steps.map(|(_, node)| reader.steps(node, false, fields.diagnostics())).unwrap_or_default();
    let finally = fields.take("finally");
    steps.extend(finally.map(|(_, node)| reader.steps(node, true, fields.diagnostics())).unwrap_or_default());
    fields.finish();
    if let Some((name, place)) = &name
        && super::StepId::new(name.as_str()).is_err()
    {
        let help = "a lower-case letter, then lower-case letters, digits and hyphens";
        problems.push(
            Diagnostic::error(&pipeline::WRONG_NAME, *place, format!("`{name}` is not a name for a pipeline"))
                .help(help),
        );
    }
    let name = name.map(|(name, _)| name).unwrap_or_default();
    Ok(Authored { name, version, description, params, aws, steps, problems })
}

/// Whether the file is of the format that we read. A file of another format may have other keys: nothing more is said.
fn is_our_version(fields: &mut Fields<'_>) -> bool {
    match fields.need_text("apiVersion") {
        Some((version, place)) if version != API_VERSION => {
            let message = format!("this hprun reads apiVersion {API_VERSION}, the file has `{version}`");
            let help = match version.strip_prefix("hprun/") {
                Some(_) => "a newer hprun may read it",
                None => "write `apiVersion: hprun/v1`",
            };
            fields.diagnostics().push(Diagnostic::error(&pipeline::OTHER_VERSION, place, message).help(help));
            false
        }
        Some(_) | None => true,
    }
}

/// Reads the parts that hold expressions, whose places are found in the text.
struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn aws(&mut self, node: Node, problems: &mut Vec<Diagnostic>) -> super::AwsSpec {
        let Some(mut fields) = Fields::of(node, "`aws`", problems) else { return super::AwsSpec::default() };
        let mut one = |key| self.text_tree(&mut fields, key);
        let spec = super::AwsSpec {
            region: one("region"),
            profile: one("profile"),
            role: one("role"),
            account: one("account"),
        };
        fields.finish();
        spec
    }

    fn text_tree(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<Tree> {
        let (text, place) = fields.text(key)?;
        Tree::text(&text, self.text, place).map_err(|e| fields.diagnostics().push(e.into())).ok()
    }

    fn steps(&mut self, node: Node, finally: bool, problems: &mut Vec<Diagnostic>) -> Vec<AuthoredStep> {
        let word = if finally { "finally" } else { "steps" };
        let place = node.place;
        match node.value {
            NodeValue::List(items) => {
                if items.is_empty() && !finally {
                    problems.push(Diagnostic::error(&pipeline::NO_STEPS, place, "the pipeline has no step"));
                }
                items.into_iter().filter_map(|item| self.step(item, finally, problems)).collect()
            }
            NodeValue::Scalar(_) | NodeValue::Map(_) => {
                problems.push(
                    Diagnostic::error(
                        &pipeline::NOT_A_LIST_OF_STEPS,
                        place,
                        format!("`{word}` must be a list of steps"),
                    )
                    .help("start each step with `- id: …`"),
                );
                Vec::new()
            }
        }
    }

    fn step(&mut self, node: Node, finally: bool, problems: &mut Vec<Diagnostic>) -> Option<AuthoredStep> {
        let place = Place { end: node.place.start, ..node.place };
        let what = match &node.value {
            NodeValue::Map(entries) => {
                entries.iter().find(|(key, _)| key.text == "id").and_then(|(_, node)| match &node.value {
                    NodeValue::Scalar(Value::String(id)) => Some(format!("the step `{id}`")),
                    NodeValue::Scalar(_) | NodeValue::List(_) | NodeValue::Map(_) => None,
                })
            }
            NodeValue::Scalar(_) | NodeValue::List(_) => None,
        };
        let mut fields = Fields::of(node, what.unwrap_or_else(|| "this step".to_owned()), problems)?;
        let id = fields.need_text("id");
        let step_type = fields.need_text("type");
        let needs = fields.take("needs").and_then(|(_, node)| read_needs(node, fields.diagnostics()));
        let with = fields.take("with").map(|(_, node)| node);
        let with = with.filter(|node| node.value != NodeValue::Scalar(Value::Null));
        let with = match with {
            Some(node) if !matches!(node.value, NodeValue::Map(_)) => {
                let message = format!("`with` must be a map of inputs, this is {}", a(node.kind()));
                fields.diagnostics().push(Diagnostic::error(&file::NOT_A_MAP, node.place, message));
                Tree::map(IndexMap::new(), place)
            }
            Some(node) => self.tree(&node, fields.diagnostics()),
            None => Tree::map(IndexMap::new(), id.as_ref().map_or(place, |(_, place)| *place)),
        };
        let when = fields.take("when").and_then(|(_, node)| self.condition(&node, fields.diagnostics()));
        let timeout = fields.duration("timeout");
        let retry = fields.take("retry").map(|(_, node)| read_retry(node, fields.diagnostics())).unwrap_or_default();
        let on_failure =
            fields.text("on-failure").map(|(text, place)| read_on_failure(&text, place, fields.diagnostics()));
        // For people only; it takes no part in the run.
        fields.text("description");
        fields.finish();
        Some(AuthoredStep {
            id: id?,
            step_type,
            needs,
            with,
            when,
            timeout,
            retry,
            on_failure: on_failure.unwrap_or_default(),
            finally,
        })
    }

    fn condition(&mut self, node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Condition> {
        let already = problems.len();
        let tree = self.tree(node, problems);
        // An expression written without its braces is what people forget first.
        if problems.len() > already || problems.iter().any(|p| p.place == node.place) {
            return None;
        }
        Condition::new(tree).map_err(|e| problems.push(e.into())).ok()
    }

    /// The tree of expressions; an expression that cannot be parsed is reported and stands as null.
    fn tree(&mut self, node: &Node, problems: &mut Vec<Diagnostic>) -> Tree {
        match &node.value {
            NodeValue::Scalar(Value::String(text)) => Tree::text(text, self.text, node.place).unwrap_or_else(|e| {
                problems.push(e.into());
                Tree::broken(node.place)
            }),
            // Such as an unquoted `{{ … }}`, which the YAML module has reported.
            NodeValue::Scalar(Value::Null) if problems.iter().any(|p| p.place == node.place) => {
                Tree::broken(node.place)
            }
            NodeValue::Scalar(value) => Tree::literal(value.clone(), node.place),
            NodeValue::List(items) => {
                Tree::list(items.iter().map(|item| self.tree(item, problems)).collect(), node.place)
            }
            NodeValue::Map(entries) => {
                let entries =
                    entries.iter().map(|(key, node)| (key.text.clone(), (key.place, self.tree(node, problems))));
                Tree::map(entries.collect(), node.place)
            }
        }
    }
}

fn read_needs(node: Node, problems: &mut Vec<Diagnostic>) -> Option<Vec<(String, Place)>> {
    let place = node.place;
    let wrong = |place, problems: &mut Vec<Diagnostic>| {
        problems.push(
            Diagnostic::error(&pipeline::WRONG_NEEDS, place, "`needs` must list ids of steps")
                .help("write `needs: [a, b]`, or `needs: []` to start at once"),
        );
    };
    match node.value {
        NodeValue::Scalar(Value::String(id)) => Some(vec![(id, place)]),
        NodeValue::List(items) => {
            let mut ids = Vec::with_capacity(items.len());
            for item in items {
                match item.value {
                    NodeValue::Scalar(Value::String(id)) => ids.push((id, item.place)),
                    NodeValue::Scalar(_) | NodeValue::List(_) | NodeValue::Map(_) => wrong(item.place, problems),
                }
            }
            Some(ids)
        }
        NodeValue::Scalar(_) | NodeValue::Map(_) => {
            wrong(place, problems);
            None
        }
    }
}

fn read_retry(node: Node, problems: &mut Vec<Diagnostic>) -> Retry {
    let mut retry = Retry::default();
    let Some(mut fields) = Fields::of(node, "`retry`", problems) else { return retry };
    if let Some((n, place)) = fields.number("max-attempts") {
        if n.fract() == 0.0 && (1.0..=100.0).contains(&n) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in 1 to 100")]
            let n = n as u32;
            retry.max_attempts = n;
        } else {
            fields.diagnostics().push(Diagnostic::error(
                &pipeline::WRONG_RETRY,
                place,
                "`max-attempts` must be a whole number from 1 to 100",
            ));
        }
    }
    if let Some(delay) = fields.duration("delay") {
        retry.delay = delay;
    }
    if let Some((n, place)) = fields.number("backoff") {
        if (1.0..=10.0).contains(&n) {
            retry.backoff = n;
        } else {
            fields.diagnostics().push(Diagnostic::error(
                &pipeline::WRONG_RETRY,
                place,
                "`backoff` must be a number from 1 to 10",
            ));
        }
    }
    fields.finish();
    retry
}

fn read_on_failure(text: &str, place: Place, problems: &mut Vec<Diagnostic>) -> OnFailure {
    match text {
        "stop" => OnFailure::Stop,
        "continue" => OnFailure::Continue,
        other => {
            let words = ["stop", "continue"];
            let help = match nearest(other, words) {
                Some(right) => format!("did you mean `{right}`?"),
                None => format!("there are {}", list(&words)),
            };
            problems.push(
                Diagnostic::error(&pipeline::WRONG_ON_FAILURE, place, format!("`on-failure` cannot be `{other}`"))
                    .help(help),
            );
            OnFailure::Stop
        }
    }
}

impl From<ExprError> for Diagnostic {
    fn from(error: ExprError) -> Self {
        Self::error(error.code, error.place, error.message).maybe_help(error.help)
    }
}

/// The diagnostic for an input that a step type does not have; the `open` are those that are not given yet.
pub(super) fn unknown_input(key: &str, place: Place, type_name: &str, known: &[&str], open: &[&str]) -> Diagnostic {
    Diagnostic { code: &inputs::UNKNOWN_INPUT, ..unknown_key(key, place, &format!("`{type_name}`"), known, open) }
}

//! What the CloudFormation template of a step names: its parameters and outputs, as far as its text spells them.
//! Knows no step type: any file that a step's inputs name may be a template.

use std::ops::Range;
use std::sync::Arc;

use super::page::{Page, StepAt};
use super::sketch::{Part, Sketch};

/// The input that gives values to a template's parameters.
const INPUT: &str = "parameters";

/// A file that a step names, with its shape.
pub struct Template {
    /// As the step spells it.
    pub path: String,
    /// Its text.
    pub text: Arc<str>,
    sketch: Sketch,
}

/// A parameter of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub of: String,
    /// What it is, its default, the values it may have: one sentence each.
    pub about: String,
    /// Whether it has no default.
    pub required: bool,
    /// The values that it may have, where the template lists them.
    pub allowed: Vec<String>,
}

/// The files that the step named when the text could last be read.
pub fn templates(page: &Page<'_>, step: &StepAt<'_>) -> Vec<Template> {
    let outlined = step.id.and_then(|id| page.known.outline.as_ref()?.step(&id.text));
    let files = outlined.into_iter().flat_map(|step| &step.files);
    let read = files.filter_map(|input| {
        let text = page.beside.text(&input.path)?;
        Some(Template { path: input.path.clone(), sketch: Sketch::of(&text), text })
    });
    read.collect()
}

/// Whether the way leads to what gives values to the parameters of a step's template.
pub fn is_parameters(way: &[Part]) -> bool {
    matches!(way, [list, Part::Item(_), with, input]
        if (list.is("steps") || list.is("finally")) && with.is("with") && input.is(INPUT))
}

impl Template {
    /// Where an output is declared.
    pub fn output(&self, name: &str) -> Option<Range<usize>> {
        self.place(&["Outputs", name])
    }

    /// Where a parameter is declared.
    pub fn parameter_place(&self, name: &str) -> Option<Range<usize>> {
        self.place(&["Parameters", name])
    }

    fn place(&self, way: &[&str]) -> Option<Range<usize>> {
        Some(self.sketch.entries[self.sketch.find(way)?].place.clone())
    }

    /// All parameters, in the order of the template.
    pub fn parameters(&self) -> Vec<Parameter> {
        let Some(section) = self.sketch.find(&["Parameters"]) else { return Vec::new() };
        let sketch = &self.sketch;
        let named = |at: usize| match &sketch.entries[at].part {
            Part::Key(name) => Some(self.parameter(name, at)),
            Part::Item(_) => None,
        };
        sketch.children(Some(section)).filter_map(named).collect()
    }

    fn parameter(&self, name: &str, at: usize) -> Parameter {
        let text = |key: &str| self.sketch.scalar(Some(at), key).map(|scalar| scalar.text.clone());
        let (description, default) = (text("Description"), text("Default"));
        let allowed = self.sketch.child(Some(at), "AllowedValues");
        let allowed: Vec<String> = allowed
            .into_iter()
            .flat_map(|allowed| self.sketch.children(Some(allowed)))
            .filter_map(|item| Some(self.sketch.entries[item].scalar.as_ref()?.text.clone()))
            .collect();
        let parts = [
            description.clone().filter(|text| !text.is_empty()),
            default.as_ref().map(|default| format!("Default: `{default}`.")),
            (!allowed.is_empty()).then(|| {
                format!("One of {}.", allowed.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", "))
            }),
        ];
        Parameter {
            name: name.to_owned(),
            of: text("Type").unwrap_or_default(),
            about: parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n"),
            required: default.is_none(),
            allowed,
        }
    }
}

//! A text to its findings and to what is known of its steps: the same that `hprun check` finds.
//! Knows nothing of the protocol or of disks: files and values are handed in.

use hprun_steps::StepType;
use hprun_steps::files::{FileInput, Files};
use indexmap::IndexMap;

use crate::diagnostic::Diagnostic;
use crate::params::{ParamProblems, ParamSpecs, Params};
use crate::pipeline::{self, KnownParams, Outline};

/// What was found in one text.
pub struct Analysis {
    /// All that is wrong, in the order of the file.
    pub found: Vec<Diagnostic>,
    /// What is known of it; none if it could not be read.
    pub known: Option<Known>,
}

/// What is known of a text that could be read.
#[derive(Default)]
pub struct Known {
    /// Its params.
    pub params: ParamSpecs,
    /// The values that its params have now, to show, each with where it comes from.
    pub values: IndexMap<String, (String, String)>,
    /// Its steps.
    pub outline: Option<Outline>,
}

/// Reads the files that inputs name.
pub type Load<'a> = dyn Fn(&[FileInput]) -> Files + 'a;
/// The values of these params, as far as they are given.
pub type Give<'a> = dyn Fn(&ParamSpecs) -> Result<Params, ParamProblems> + 'a;

/// Reads and checks `text`.
pub fn analyse(text: &str, types: &'static [StepType], load: &Load<'_>, give: &Give<'_>) -> Analysis {
    let authored = match pipeline::read(text) {
        Ok(authored) => authored,
        Err(found) => return Analysis { found, known: None },
    };
    let (given, wrong) = match give(&authored.params) {
        Ok(given) => (given, Vec::new()),
        Err(problems) => (problems.known, problems.wrong),
    };
    let known = KnownParams { values: given.values.clone() };
    let params = authored.params.clone();
    let (checked, outline) = pipeline::check_and_outline(authored, types, load, &known);
    let mut found = match checked {
        Ok((_, warnings)) => warnings,
        Err(errors) => errors,
    };
    found.extend(wrong);
    let values = shown(&params, &given);
    Analysis { found, known: Some(Known { params, values, outline: Some(outline) }) }
}

fn shown(specs: &ParamSpecs, given: &Params) -> IndexMap<String, (String, String)> {
    let show = |(name, value): (&String, &hprun_steps::value::Value)| {
        let is_secret = specs.get(name).is_none_or(|spec| spec.secret) || !value.secrets().is_empty();
        let text = if is_secret { "(secret)".to_owned() } else { value.to_record().to_string() };
        let source = given.sources.get(name).map(ToString::to_string).unwrap_or_default();
        (name.clone(), (text, source))
    };
    given.values.iter().map(show).collect()
}

//! What stands at a place, told in Markdown.
//! Knows nothing of the protocol; a finding there is told with its explanation.

use std::fmt::Write as _;
use std::ops::Range;

use hprun_steps::StepType;
use serde_json::Value as Json;

use super::expression::{Name, name_at};
use super::grammar::{Grammar, words};
use super::page::Page;
use super::sketch::{On, Part};
use super::template::{Parameter, is_parameters, templates};
use super::vocabulary;
use crate::diagnostic::{Diagnostic, File, brief};

/// What is told of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hover {
    /// Markdown.
    pub text: String,
    /// What it is about.
    pub place: Range<usize>,
}

/// What stands at the byte `at`; `found` are the findings of this very text.
pub fn hover(page: &Page<'_>, schema: &Json, found: &[Diagnostic], at: usize) -> Option<Hover> {
    // In other files only findings are explained.
    let is_ours = page.is_pipeline();
    let told = is_ours.then(|| expression(page, at).or_else(|| entry(page, schema, at))).flatten();
    let explained: Vec<&Diagnostic> = found.iter().filter(|finding| is_at(finding, at)).collect();
    let Some(first) = explained.first() else { return told };
    let place = told.as_ref().map_or(first.place.start as usize..first.place.end as usize, |told| told.place.clone());
    let mut text = told.map(|told| told.text).unwrap_or_default();
    for finding in explained {
        let gap = if text.is_empty() { "" } else { "\n\n---\n\n" };
        write!(text, "{gap}{}", explanation(finding)).expect("a text takes all");
    }
    Some(Hover { text, place })
}

fn is_at(finding: &Diagnostic, at: usize) -> bool {
    finding.file == File::Pipeline && finding.place.start as usize <= at && at <= finding.place.end as usize
}

/// What `hprun explain` says of a finding, as far as it fits.
fn explanation(finding: &Diagnostic) -> String {
    let code = finding.code;
    let help = finding.help.as_ref().map(|help| format!("\n\nHelp: {}", brief(help))).unwrap_or_default();
    format!("**{code}: {}**{help}\n\n{}\n\n{}", brief(&finding.message), code.cause, code.cure)
}

fn expression(page: &Page<'_>, at: usize) -> Option<Hover> {
    let name = name_at(page.text, at)?;
    let text = match name.upto().as_slice() {
        ["params", param] => param_text(page, param)?,
        ["steps", id] | ["steps", id, "outputs"] => step_text(page, id)?,
        ["steps", id, "outputs", output] => output_text(page, id, output)?,
        ["run", fact] => format!("`run.{fact}`\n\n{}", vocabulary::fact(fact)?),
        [word] => word_text(&name, word)?,
        _ => return None,
    };
    Some(Hover { text, place: name.place() })
}

fn word_text(name: &Name<'_>, word: &str) -> Option<String> {
    let root = vocabulary::ROOTS.iter().find(|(root, _)| *root == word).filter(|_| name.parts.len() > 1);
    let helper = || vocabulary::helper(word).map(|(usage, about)| format!("`{usage}`\n\n{about}"));
    root.map(|(root, about)| format!("`{root}`\n\n{about}")).or_else(helper)
}

/// A param: its declaration, and the value that it has now.
fn param_text(page: &Page<'_>, name: &str) -> Option<String> {
    let at = page.param(name)?;
    let scalar = |key| page.sketch.scalar(Some(at), key).map(|scalar| scalar.text.clone());
    let mut text = format!("**{name}** (param, {})", scalar("type").unwrap_or_else(|| "no type".to_owned()));
    if let Some(about) = scalar("description") {
        write!(text, "\n\n{about}").expect("a text takes all");
    }
    if let Some(default) = scalar("default") {
        write!(text, "\n\nDefault: `{default}`").expect("a text takes all");
    }
    match page.known.values.get(name) {
        Some((_, source)) if source == "default" => {}
        Some((value, source)) => write!(text, "\n\nNow: `{value}` ({source})").expect("a text takes all"),
        None if page.known.params.contains_key(name) => text.push_str("\n\nNothing gives it now."),
        None => {}
    }
    Some(text)
}

fn step_text(page: &Page<'_>, id: &str) -> Option<String> {
    let step = page.step(id)?;
    let of = step.type_name.map_or_else(|| "no type".to_owned(), |name| name.text.clone());
    let summary = step.step_type.map(|of| format!("\n\n{}.", of.summary)).unwrap_or_default();
    let about = page.sketch.scalar(Some(step.entry), "description");
    let about = about.map(|about| format!("\n\n{}", about.text)).unwrap_or_default();
    let outputs = page.known.outline.as_ref().and_then(|outline| outline.step(id)).map(|step| &step.outputs);
    let names: Vec<String> = outputs.into_iter().flatten().map(|(name, _)| format!("`{name}`")).collect();
    let outputs = if names.is_empty() { String::new() } else { format!("\n\nOutputs: {}", names.join(", ")) };
    Some(format!("**{id}** (step, {of}){about}{summary}{outputs}"))
}

fn output_text(page: &Page<'_>, id: &str, output: &str) -> Option<String> {
    let declared = page.known.outline.as_ref()?.step(id)?.outputs.get(output)?;
    let about = &declared.description;
    let gap = if about.is_empty() { "" } else { "\n\n" };
    Some(format!("**{output}** (output of {id}, {}){gap}{about}", declared.value_type.word()))
}

/// What a key or a value is, by the schema.
fn entry(page: &Page<'_>, schema: &Json, at: usize) -> Option<Hover> {
    let on = page.sketch.at(at)?;
    let (On::Key(entry) | On::Scalar(entry)) = on;
    let place = match on {
        On::Key(_) => page.sketch.entries[entry].place.clone(),
        On::Scalar(_) => page.sketch.entries[entry].scalar.as_ref()?.place.clone(),
    };
    let way = page.sketch.way(entry);
    let text = match (way.as_slice(), &on) {
        ([params, Part::Key(name)], On::Key(_)) if params.is("params") => param_text(page, name)?,
        ([list, Part::Item(_), key], On::Scalar(_)) if key.is("type") && is_steps(list) => {
            type_text(page.step_of(entry)?.step_type?)
        }
        ([list, Part::Item(_), key] | [list, Part::Item(_), key, Part::Item(_)], On::Scalar(_))
            if is_steps(list) && (key.is("needs") || key.is("id")) =>
        {
            step_text(page, &page.sketch.entries[entry].scalar.as_ref()?.text)?
        }
        ([outer @ .., Part::Key(name)], On::Key(_)) if is_parameters(outer) => {
            parameter_text(page, entry, name).or_else(|| rule_text(page, schema, entry, &way, &on))?
        }
        _ => rule_text(page, schema, entry, &way, &on)?,
    };
    Some(Hover { text, place })
}

/// A parameter of the step's template.
fn parameter_text(page: &Page<'_>, entry: usize, name: &str) -> Option<String> {
    let templates = templates(page, &page.step_of(entry)?);
    let (path, parameter) = templates.iter().find_map(|template| {
        let parameter = template.parameters().into_iter().find(|parameter| parameter.name == name)?;
        Some((&template.path, parameter))
    })?;
    let Parameter { of, about, .. } = parameter;
    let gap = if about.is_empty() { "" } else { "\n\n" };
    Some(format!("**{name}** (parameter of {path}, {of}){gap}{about}"))
}

fn is_steps(part: &Part) -> bool {
    part.is("steps") || part.is("finally")
}

fn type_text(of: &StepType) -> String {
    let (name, summary, example) = (of.name, of.summary, of.example.trim());
    let example = if example.is_empty() { String::new() } else { format!("\n\n```yaml\n{example}\n```") };
    format!("**{name}**\n\n{summary}.{example}\n\nMore: `hprun steps {name}`")
}

fn rule_text(page: &Page<'_>, schema: &Json, entry: usize, way: &[Part], on: &On) -> Option<String> {
    let mut entries: Vec<Option<usize>> = page.sketch.ancestry(Some(entry)).into_iter().map(Some).collect();
    entries.reverse();
    let grammar = Grammar { root: schema, sketch: &page.sketch };
    if let On::Scalar(_) = on {
        let value = &page.sketch.entries[entry].scalar.as_ref()?.text;
        let rules = grammar.at(way, &entries);
        let choice = rules.values().into_iter().find(|choice| choice.text == *value && !choice.is_example)?;
        return Some(format!("**{value}**\n\n{}", choice.about?));
    }
    let (Part::Key(name), outer) = way.split_last()? else { return None };
    let keys = grammar.at(outer, &entries[..outer.len()]).keys();
    let Some(key) = keys.iter().find(|key| key.name == name) else {
        // A key of the author's own, such as a value of a template: what is said of all of them.
        let about = grammar.at(outer, &entries[..outer.len()]).about()?;
        return Some(format!("**{name}**\n\n{about}"));
    };
    let required = if key.required { ", required" } else { "" };
    let mut text = format!("**{name}** ({}{required})", words(key.rule));
    if let Some(about) = key.rule.get("description").and_then(Json::as_str) {
        write!(text, "\n\n{about}").expect("a text takes all");
    }
    let choices = grammar.at(way, &entries).values();
    for choice in choices.iter().filter(|choice| !choice.is_example) {
        let value = &choice.text;
        let about = choice.about.map(|about| format!(": {about}")).unwrap_or_default();
        let gap = if text.contains("\n- ") { "\n" } else { "\n\n" };
        write!(text, "{gap}- `{value}`{about}").expect("a text takes all");
    }
    Some(text)
}

//! What can be written at a cursor.
//! Knows no key and no step type by name but the frame of a pipeline: the schema and the text say what there is.

mod paths;
mod spelling;

use std::ops::Range;

use hprun_steps::partial::{Partial, Place};
use indexmap::IndexMap;
use serde_json::Value as Json;

use super::expression::{Name, name_at, takes_helper};
use super::grammar::{Choice, Grammar, KeyRule, is_container, words};
use super::page::{Page, may_become_pipeline};
use super::sketch::{Part, Role, Spot};
use super::template::{Parameter, Template, is_parameters, templates};
use super::vocabulary;
use crate::expr::{fact_names, helper_names};

/// One thing that can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// How it is shown.
    pub label: String,
    /// What kind of thing it is.
    pub kind: Kind,
    /// Beside it, in a few words.
    pub detail: String,
    /// Below it, in sentences.
    pub about: String,
    /// What is replaced.
    pub replace: Range<usize>,
    /// By what.
    pub insert: String,
    /// Where it stands in the list: lower first, then by label.
    pub rank: u8,
}

/// The kinds of things that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A key
    Key,
    /// A value of several
    Choice,
    /// A step
    Step,
    /// An output of a step
    Output,
    /// A param
    Param,
    /// A helper of expressions
    Helper,
    /// A fact about the run, or a word that names begin with
    Fact,
    /// A file
    File,
    /// A folder
    Folder,
}

/// What can be written at the byte `cursor`.
pub fn complete(page: &Page<'_>, schema: &Json, cursor: usize) -> Vec<Item> {
    if !page.is_pipeline() && !may_become_pipeline(&page.sketch) {
        return Vec::new();
    }
    let spot = page.spot(cursor);
    if spot.role == Role::Nothing {
        // What is behind a finished value can still be inside an expression that breaks the text.
        return name_at(page.text, cursor).map(|name| names(page, &spot, &name)).unwrap_or_default();
    }
    if let Some(name) = name_at(page.text, cursor) {
        return names(page, &spot, &name);
    }
    let grammar = Grammar { root: schema, sketch: &page.sketch };
    let rules = grammar.at(&spot.way, &spot.entries);
    let mut items = Vec::new();
    if matches!(spot.role, Role::Key | Role::Either) {
        let by_schema = rules.keys().iter().map(Candidate::of_rule).collect::<Vec<_>>();
        let candidates = by_schema.into_iter().chain(parameters(page, &spot)).collect();
        items.extend(keys(page, &spot, candidates, cursor));
    }
    if matches!(spot.role, Role::Value | Role::Either) {
        let replace = spot.typed.start..token_end(page.text, &spot, cursor);
        let put = |text: &str| if spot.needs_space { format!(" {text}") } else { text.to_owned() };
        items.extend(ids(page, &spot, &replace, &put));
        items.extend(paths::files(page, &spot, &put));
        let choices = rules.values().into_iter().chain(allowed(page, &spot));
        items.extend(choices.map(|choice| Item {
            insert: put(&spelling::spelled(page.text, &spot, &choice.text, choice.is_text)),
            label: choice.text,
            kind: Kind::Choice,
            detail: String::new(),
            about: choice.about.unwrap_or_default().to_owned(),
            replace: replace.clone(),
            rank: 1,
        }));
    }
    if matches!(spot.role, Role::Dash | Role::Either)
        && spot.way.len() == 1
        && (spot.way[0].is("steps") || spot.way[0].is("finally"))
    {
        items.push(new_step(cursor));
    }
    items.sort_by(|a, b| (a.rank, &a.label).cmp(&(b.rank, &b.label)));
    items
}

fn new_step(cursor: usize) -> Item {
    Item {
        label: "- id".to_owned(),
        kind: Kind::Key,
        detail: "a step".to_owned(),
        about: "Begins the next step of the list.".to_owned(),
        replace: cursor..cursor,
        insert: "- id: ".to_owned(),
        rank: 0,
    }
}

/// A key that may be written.
struct Candidate {
    name: String,
    of: String,
    about: String,
    required: bool,
    /// Whether its value stands on the lines below.
    opens: bool,
}

impl Candidate {
    fn of_rule(rule: &KeyRule<'_>) -> Self {
        Self {
            name: rule.name.to_owned(),
            of: words(rule.rule),
            about: rule.rule.get("description").and_then(Json::as_str).unwrap_or_default().to_owned(),
            required: rule.required,
            opens: is_container(rule.rule),
        }
    }

    fn of_parameter(parameter: Parameter) -> Self {
        let Parameter { name, of, about, required, allowed: _ } = parameter;
        Self { name, of, about, required, opens: false }
    }
}

/// The parameters of the step's template, where values are given to them.
fn parameters(page: &Page<'_>, spot: &Spot) -> Vec<Candidate> {
    let step = if is_parameters(&spot.way) { page.step_around(&spot.entries) } else { None };
    let templates = step.map(|step| templates(page, &step)).unwrap_or_default();
    templates.iter().flat_map(Template::parameters).map(Candidate::of_parameter).collect()
}

/// The values that the template allows for the parameter that the value at the spot is given to.
fn allowed<'s>(page: &Page<'_>, spot: &Spot) -> Vec<Choice<'s>> {
    let Some((Part::Key(name), outer)) = spot.way.split_last().filter(|(_, outer)| is_parameters(outer)) else {
        return Vec::new();
    };
    let step = page.step_around(&spot.entries[..outer.len()]);
    let templates = step.map(|step| templates(page, &step)).unwrap_or_default();
    let parameter = templates.iter().flat_map(Template::parameters).find(|parameter| parameter.name == *name);
    let choice = |text| Choice { text, is_text: false, about: None, is_example: false };
    parameter.into_iter().flat_map(|parameter| parameter.allowed).map(choice).collect()
}

/// The keys that the mapping does not have yet.
fn keys(page: &Page<'_>, spot: &Spot, candidates: Vec<Candidate>, cursor: usize) -> Vec<Item> {
    let parent = spot.entries.last().copied().flatten();
    let is_new = !spot.entries.is_empty() && parent.is_none();
    let has = |name: &str| {
        let there = if is_new { None } else { page.sketch.child(parent, name) };
        there.is_some_and(|at| {
            page.sketch.entries[at].place != spot.typed && !holds(&page.sketch.entries[at].place, cursor)
        })
    };
    let end = token_end(page.text, spot, cursor);
    // A colon that is there already stays.
    let has_colon = page.text[end..].trim_start_matches(' ').starts_with(':');
    let all = candidates.into_iter().filter(|candidate| !has(&candidate.name));
    all.map(|Candidate { name, of, about, required, opens }| {
        let colon = match (has_colon, opens && !spot.is_flow) {
            (true, _) => "",
            (false, true) => ":",
            (false, false) => ": ",
        };
        Item {
            insert: format!("{name}{colon}"),
            label: name,
            kind: Kind::Key,
            detail: format!("{of}{}", if required { ", required" } else { "" }),
            about,
            replace: spot.typed.start..end,
            rank: if required { 0 } else { 2 },
        }
    })
    .collect()
}

fn holds(place: &Range<usize>, cursor: usize) -> bool {
    place.start <= cursor && cursor <= place.end
}

/// Where the word that the cursor stands in ends.
fn token_end(text: &str, spot: &Spot, cursor: usize) -> usize {
    let ends = |c: char| match spot.role {
        Role::Key => !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')),
        Role::Value | Role::Either | Role::Dash | Role::Nothing => {
            matches!(c, '\n' | '\r' | ',' | '}' | ']' | '"' | '\'' | ' ' | ':')
        }
    };
    cursor + text[cursor..].find(ends).unwrap_or(text.len() - cursor)
}

/// The ids of steps, where `needs` lists them.
fn ids(page: &Page<'_>, spot: &Spot, replace: &Range<usize>, put: &dyn Fn(&str) -> String) -> Vec<Item> {
    let is_needs = match spot.way.as_slice() {
        [list, Part::Item(_), key] | [list, Part::Item(_), key, Part::Item(_)] => {
            (list.is("steps") || list.is("finally")) && key.is("needs")
        }
        _ => false,
    };
    if !is_needs {
        return Vec::new();
    }
    let here = page.step_around(&spot.entries);
    let own = here.as_ref().map(|step| step.entry);
    let finally = here.as_ref().is_some_and(|step| step.finally);
    let others = page.steps().into_iter().filter(|step| Some(step.entry) != own && step.finally == finally);
    others
        .filter_map(|step| {
            let id = step.id?.text.clone();
            Some(Item {
                insert: put(&id),
                label: id,
                kind: Kind::Step,
                detail: step.type_name.map(|name| name.text.clone()).unwrap_or_default(),
                about: step.step_type.map(|of| of.summary.to_owned()).unwrap_or_default(),
                replace: replace.clone(),
                rank: 0,
            })
        })
        .collect()
}

/// Names in an expression.
fn names(page: &Page<'_>, spot: &Spot, name: &Name<'_>) -> Vec<Item> {
    let before = name.before();
    let mut items = match before.as_slice() {
        [] => roots(page, name),
        ["params"] => params(page, name),
        ["run"] => fact_names().map(|fact| word(name, fact, Kind::Fact, vocabulary::fact(fact))).collect(),
        ["steps"] => steps(page, spot, name),
        ["steps", _] => {
            let in_finally = page.step_around(&spot.entries).is_some_and(|step| step.finally);
            let mut items = vec![word(name, "outputs", Kind::Fact, Some("What the step hands on."))];
            items[0].insert = "outputs.".to_owned();
            if in_finally {
                items.push(word(name, "status", Kind::Fact, Some("How the step ended.")));
            }
            items
        }
        ["steps", id, "outputs"] => outputs(page, name, id),
        _ => Vec::new(),
    };
    items.sort_by(|a, b| (a.rank, &a.label).cmp(&(b.rank, &b.label)));
    items
}

fn word(name: &Name<'_>, label: &str, kind: Kind, about: Option<&str>) -> Item {
    Item {
        label: label.to_owned(),
        kind,
        detail: String::new(),
        about: about.unwrap_or_default().to_owned(),
        replace: name.place(),
        insert: label.to_owned(),
        rank: 1,
    }
}

fn roots(page: &Page<'_>, name: &Name<'_>) -> Vec<Item> {
    let root = |(root, about): &(&str, &str)| Item {
        insert: format!("{root}."),
        rank: 0,
        ..word(name, root, Kind::Fact, Some(about))
    };
    let mut items: Vec<Item> = vocabulary::ROOTS.iter().map(root).collect();
    if takes_helper(page.text, name) {
        items.extend(helper_names().map(|helper| {
            let (usage, about) = vocabulary::helper(helper).unwrap_or_default();
            Item { detail: usage.to_owned(), ..word(name, helper, Kind::Helper, Some(about)) }
        }));
    }
    items
}

fn params(page: &Page<'_>, name: &Name<'_>) -> Vec<Item> {
    let item = |(param, at): (&str, usize)| {
        let scalar = |key| page.sketch.scalar(Some(at), key).map(|scalar| scalar.text.clone());
        let value = page.known.values.get(param).map(|(value, _)| format!(" = {value}")).unwrap_or_default();
        Item {
            detail: format!("{}{value}", scalar("type").unwrap_or_default()),
            ..word(name, param, Kind::Param, scalar("description").as_deref())
        }
    };
    page.params().into_iter().map(item).collect()
}

/// The other steps; those that surely ran before first.
fn steps(page: &Page<'_>, spot: &Spot, name: &Name<'_>) -> Vec<Item> {
    let here = page.step_around(&spot.entries);
    let (own, own_id) = (here.as_ref().map(|step| step.entry), here.and_then(|step| step.id));
    let item = |step: super::page::StepAt<'_>| {
        let id = step.id?.text.clone();
        let surely = own_id.and_then(|own| page.known.outline.as_ref()?.runs_before(&id, &own.text));
        let what = step.type_name.map(|name| name.text.clone()).unwrap_or_default();
        let detail =
            if surely == Some(false) { format!("{what}, has not surely run: add it to `needs`") } else { what };
        let about = step.step_type.map(|of| of.summary);
        Some(Item {
            insert: format!("{id}.outputs."),
            detail,
            rank: u8::from(surely == Some(false)),
            ..word(name, &id, Kind::Step, about)
        })
    };
    page.steps().into_iter().filter(|step| Some(step.entry) != own).filter_map(item).collect()
}

fn outputs(page: &Page<'_>, name: &Name<'_>, id: &str) -> Vec<Item> {
    let known = page.known.outline.as_ref().and_then(|outline| outline.step(id)).map(|step| step.outputs.clone());
    // A step that was written since the text could last be read: what its type always has.
    let by_type = || {
        let of = page.step(id)?.step_type?;
        Some((of.outputs)(&Partial::Map(IndexMap::new(), Place::default()), &hprun_steps::files::Files::default()))
    };
    let outputs = known.filter(|outputs| !outputs.is_empty()).or_else(by_type).unwrap_or_default();
    let item = |(output, declared): (&String, &hprun_steps::step::DeclaredOutput)| Item {
        detail: declared.value_type.word().to_owned(),
        ..word(name, output, Kind::Output, Some(&declared.description))
    };
    outputs.iter().map(item).collect()
}

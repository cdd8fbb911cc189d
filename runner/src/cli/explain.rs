//! `hprun resume --explain`: what a resume would do and why, for people and for programs.
//! Knows nothing of how it was found out.

use std::fmt::Write as _;

use serde_json::json;

use super::args::{Global, Output};
use super::{CliError, print};
use crate::engine::explain::{Fate, Verdict};
use crate::event::Failure;

/// What is told of a run.
pub struct Told {
    /// What would become of each step, in order.
    pub verdicts: Vec<Verdict>,
    /// Steps that are gone from the file.
    pub orphaned: Vec<String>,
    /// What else a person should know.
    pub notes: Vec<String>,
}

/// Prints it. An error says that something would be refused: a resume would not end well.
pub fn print(global: &Global, run: &str, told: &Told) -> Result<(), CliError> {
    if global.output == Output::Json {
        print::data(format!("{:#}", to_json(run, told)))?;
    } else {
        print::data(text(told))?;
    }
    let refused = told.verdicts.iter().find(|verdict| matches!(verdict.fate, Fate::Refused { .. }));
    match refused {
        None => {
            print::note(format!("nothing was done; to do it: {}", without_explain(run)));
            Ok(())
        }
        Some(verdict) => Err(CliError::refused(
            format!("the step {} would be refused; nothing was done", verdict.step),
            "mend that first, then look again",
        )),
    }
}

/// The command that was typed, without `--explain` and with the run's whole id.
fn without_explain(run: &str) -> String {
    let typed = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    // What begins like the id is the id, as it was typed; a single digit is some option's value.
    let is_id = |word: &str| word.len() > 3 && run.starts_with(word);
    let words = typed.filter(|word| word != "--explain" && !is_id(word));
    let mut command = vec!["hprun".to_owned()];
    let mut named = false;
    for word in words {
        let is_command = word == "resume" && !named;
        command.push(quoted(&word));
        if is_command {
            named = true;
            command.push(run.to_owned());
        }
    }
    command.join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) { word.to_owned() } else { super::outputs::quoted(word) }
}

fn text(told: &Told) -> String {
    let mut text = String::new();
    for note in &told.notes {
        writeln!(text, "{note}").expect("writing to a string");
    }
    let ids = told.verdicts.iter().map(|verdict| &verdict.step).chain(&told.orphaned);
    let width = ids.map(|id| id.chars().count()).max().unwrap_or(0).min(32);
    for Verdict { step, fate } in &told.verdicts {
        let (sign, word, details) = words(fate);
        writeln!(text, "{sign} {step:<width$}  {word}").expect("writing to a string");
        for detail in details.iter().flat_map(|detail| detail.lines()) {
            writeln!(text, "{:left$}{detail}", "", left = width + 4).expect("writing to a string");
        }
    }
    for step in &told.orphaned {
        writeln!(text, "? {step:<width$}  orphaned: no longer in the pipeline, what it made is left as it is")
            .expect("writing to a string");
    }
    text
}

/// A sign, the verdict, and what belongs below it.
fn words(fate: &Fate) -> (char, String, Vec<String>) {
    match fate {
        Fate::Reused => ('=', "reused: same inputs, same files, still there".to_owned(), Vec::new()),
        Fate::Trusted => ('=', "taken as done, without looking (--trust)".to_owned(), Vec::new()),
        Fate::Again { because, changes } => ('~', "runs again".to_owned(), reasons(because, changes)),
        Fate::Runs { why, changes } => ('+', format!("runs: {why}"), reasons(&[], changes)),
        Fate::Depends(steps) => {
            let names = steps.join(", ");
            ('~', format!("runs again only if what it takes from {names} has changed by then"), Vec::new())
        }
        Fate::Skipped(reason) => ('-', format!("skipped: {reason}"), Vec::new()),
        Fate::Refused { because, refusal } => {
            let mut details = reasons(because, &[]);
            details.extend(told_of(refusal));
            ('!', format!("refused: {}", refusal.message), details)
        }
        Fate::Unclear(failure) => ('?', format!("cannot be told: {}", failure.message), told_of(failure).collect()),
        Fate::NotChosen => (' ', "left as it is: not chosen".to_owned(), Vec::new()),
    }
}

fn reasons(because: &[String], changes: &[String]) -> Vec<String> {
    let because = because.iter().map(|why| format!("because {why}"));
    because.chain(changes.iter().map(|change| format!("then {change}"))).collect()
}

fn told_of(failure: &Failure) -> impl Iterator<Item = String> {
    failure.causes.iter().cloned().chain(failure.help.iter().map(|help| format!("help: {help}")))
}

fn to_json(run: &str, told: &Told) -> serde_json::Value {
    let steps = told.verdicts.iter().map(|Verdict { step, fate }| {
        let mut object = match fate {
            Fate::Reused => json!({ "verdict": "reused" }),
            Fate::Trusted => json!({ "verdict": "trusted" }),
            Fate::Again { because, changes } => {
                json!({ "verdict": "again", "because": because, "changes": changes })
            }
            Fate::Runs { why, changes } => json!({ "verdict": "runs", "because": [why], "changes": changes }),
            Fate::Depends(on) => json!({ "verdict": "depends", "on": on }),
            Fate::Skipped(reason) => json!({ "verdict": "skipped", "because": [reason] }),
            Fate::Refused { because, refusal } => {
                json!({ "verdict": "refused", "because": because, "refusal": refusal })
            }
            Fate::Unclear(failure) => json!({ "verdict": "unclear", "failure": failure }),
            Fate::NotChosen => json!({ "verdict": "not-chosen" }),
        };
        object["step"] = step.clone().into();
        object
    });
    let orphaned = told.orphaned.iter().map(|step| json!({ "step": step, "verdict": "orphaned" }));
    json!({ "run": run, "notes": told.notes, "steps": steps.chain(orphaned).collect::<Vec<_>>() })
}

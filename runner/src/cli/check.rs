//! `hprun check FILE`: everything that is wrong, as far as it can be known offline; with `--live`, as far as AWS can tell now.
//! Knows nothing of any one mistake, or of any one question.

use std::path::Path;

use hprun_steps::value::Value;
use indexmap::IndexMap;

use super::args::{CheckArgs, Global, Output};
use super::cfn_lint;
use super::failure::CliError;
use super::params::Givers;
use super::source::Source;
use super::{live, print};
use crate::diagnostic::{Diagnostic, to_json, to_sarif};
use crate::pipeline::Pipeline;

/// Checks it. Params without a value are no error here: their types are enough.
pub fn run(global: &Global, args: &CheckArgs) -> Result<(), CliError> {
    has_room(global, args)?;
    let source = Source::read(&args.pipeline.file)?;
    let givers = Givers::read(&args.pipeline.params)?;
    let (known, wrong) = givers.known(&source);
    let (pipeline, mut found) = source.examine(&known.values, wrong);
    lint(global, args, &source, &known.values, &mut found)?;
    conclude(global, args, &source, (pipeline.as_ref(), &found))
}

/// The same, and asks AWS if the file is sound.
pub async fn run_live(global: &Global, args: &CheckArgs) -> Result<(), CliError> {
    has_room(global, args)?;
    let source = Source::read(&args.pipeline.file)?;
    let mut givers = Givers::read(&args.pipeline.params)?;
    let (known, wrong) = givers.known(&source);
    let (pipeline, mut found) = source.examine(&known.values, wrong);
    // Before AWS is asked: from then on a signal is heard by what asks.
    lint(global, args, &source, &known.values, &mut found)?;
    let sound = pipeline.as_ref().filter(|_| !found.iter().any(Diagnostic::is_error));
    match sound {
        Some(pipeline) => {
            let subject = live::Subject { source: &source, pipeline, params: &known };
            match live::ask(global, args, &mut givers, &subject).await {
                Ok(more) => found.extend(more),
                // What is known offline is no less true.
                Err(error) => {
                    show(global, args, &source, &found)?;
                    return Err(error);
                }
            }
        }
        None => print::note("AWS was not asked: the file is not sound yet"),
    }
    conclude(global, args, &source, (pipeline.as_ref(), &found))
}

/// Adds what cfn-lint finds, if it was asked for.
fn lint(
    global: &Global,
    args: &CheckArgs,
    source: &Source,
    known: &IndexMap<String, Value>,
    found: &mut Vec<Diagnostic>,
) -> Result<(), CliError> {
    if !args.cfn_lint {
        return Ok(());
    }
    match cfn_lint::run(&source.base, &source.templates(known), source.region(known).as_deref()) {
        Ok(more) => found.extend(more),
        // What hprun itself found is no less true.
        Err(error) => {
            show(global, args, source, found)?;
            return Err(error);
        }
    }
    Ok(())
}

/// Whether all forms of the findings have where to go: said before anything is asked, which may take minutes.
fn has_room(global: &Global, args: &CheckArgs) -> Result<(), CliError> {
    one_list(global, args)?;
    args.sarif.as_deref().map_or(Ok(()), is_free)
}

/// Stdout holds one list: nobody can read two of them, one after the other.
fn one_list(global: &Global, args: &CheckArgs) -> Result<(), CliError> {
    match (global.output, args.sarif.as_deref()) {
        (Output::Json, Some(path)) if path == Path::new("-") => Err(CliError::Usage {
            message: "the findings cannot go to stdout both as JSON and as SARIF".to_owned(),
            help: Some("name a file for --sarif, or leave --output json out".to_owned()),
        }),
        (Output::Json | Output::Auto | Output::Plain, _) => Ok(()),
    }
}

/// Shows what was found, in every form that was asked for.
fn show(global: &Global, args: &CheckArgs, source: &Source, found: &[Diagnostic]) -> Result<(), CliError> {
    match global.output {
        Output::Json => print::data(format!("{:#}", to_json(found, source.subject())))?,
        Output::Auto | Output::Plain if found.is_empty() => {}
        Output::Auto | Output::Plain => print::note(format!("{}\n\n", source.render(found))),
    }
    if let Some(path) = &args.sarif {
        let text = format!("{:#}\n", to_sarif(found, source.subject()));
        match path.as_os_str() == "-" {
            true => print::data(text)?,
            false => {
                // Again: what is there may have come since.
                is_free(path)?;
                std::fs::write(path, text).map_err(CliError::io(format!("write {}", path.display())))?;
            }
        }
    }
    Ok(())
}

/// A report may take the place of one, and of nothing else: a pipeline is soon named where a report is meant.
fn is_free(path: &Path) -> Result<(), CliError> {
    // A pipe would be waited for.
    if !path.is_file() {
        return Ok(());
    }
    let bytes = std::fs::read(path).map_err(CliError::io(format!("read {}", path.display())))?;
    let is_report = || serde_json::from_slice::<serde_json::Value>(&bytes).is_ok_and(|json| json.get("runs").is_some());
    if bytes.is_empty() || is_report() {
        return Ok(());
    }
    Err(CliError::Usage {
        message: format!("{} is there and is no SARIF report: it is not written over", path.display()),
        help: Some("name another file for --sarif".to_owned()),
    })
}

/// The same, and how it ends.
fn conclude(
    global: &Global,
    args: &CheckArgs,
    source: &Source,
    (pipeline, found): (Option<&Pipeline>, &[Diagnostic]),
) -> Result<(), CliError> {
    show(global, args, source, found)?;
    let errors = found.iter().filter(|finding| finding.is_error()).count();
    match pipeline {
        Some(pipeline) if errors == 0 => {
            let (count, plural) = (pipeline.steps.len(), plural(pipeline.steps.len()));
            print::note(format!("{}: {count} step{plural}, no errors{}", source.shown, warnings(found)));
            Ok(())
        }
        Some(_) | None => {
            Err(CliError::Invalid(format!("{}: {errors} error{}{}\n", source.shown, plural(errors), warnings(found))))
        }
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// How many warnings there are, if there are any.
fn warnings(found: &[Diagnostic]) -> String {
    match found.iter().filter(|finding| !finding.is_error()).count() {
        0 => String::new(),
        count => format!(", {count} warning{}", plural(count)),
    }
}

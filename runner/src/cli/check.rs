//! `hprun check FILE`: everything that is wrong, as far as it can be known offline.

use super::args::{CheckArgs, Global, Output};
use super::cfn_lint;
use super::failure::CliError;
use super::params::Givers;
use super::print;
use super::source::Source;
use crate::diagnostic::{Diagnostic, to_json, to_sarif};

/// Checks it. Params without a value are no error here: their types are enough.
pub fn run(global: &Global, args: &CheckArgs) -> Result<(), CliError> {
    let source = Source::read(&args.pipeline.file)?;
    let givers = Givers::read(&args.pipeline.params)?;
    let (known, wrong) = match givers.resolve(&source) {
        Ok(params) => (params, Vec::new()),
        Err(problems) => (problems.known, problems.wrong),
    };
    let (pipeline, mut found) = source.examine(&known.values, wrong);
    let pipeline_file = (source.shown.as_str(), source.text.as_str());
    if args.cfn_lint {
        match cfn_lint::run(&source.base, &source.templates(&known.values)) {
            Ok(more) => found.extend(more),
            // What hprun itself found is no less true.
            Err(e) => {
                if !found.is_empty() {
                    print::note(source.render(&found));
                }
                return Err(e);
            }
        }
    }
    match global.output {
        Output::Json => print::data(format!("{:#}", to_json(&found, pipeline_file)))?,
        Output::Auto | Output::Plain if found.is_empty() => {}
        Output::Auto | Output::Plain => print::note(format!("{}\n\n", source.render(&found))),
    }
    if let Some(path) = &args.sarif {
        let text = format!("{:#}\n", to_sarif(&found, pipeline_file));
        match path.as_os_str() == "-" {
            true => print::data(text)?,
            false => std::fs::write(path, text).map_err(CliError::io(format!("write {}", path.display())))?,
        }
    }
    let errors = found.iter().filter(|finding| finding.is_error()).count();
    match pipeline {
        Some(pipeline) if errors == 0 => {
            let (count, plural) = (pipeline.steps.len(), plural(pipeline.steps.len()));
            print::note(format!("{}: {count} step{plural}, no errors{}", source.shown, warnings(&found)));
            Ok(())
        }
        Some(_) | None => {
            Err(CliError::Invalid(format!("{}: {errors} error{}{}\n", source.shown, plural(errors), warnings(&found))))
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

//! `hprun graph FILE`: the pipeline as a drawing.
//! Knows who needs whom, not what the steps do.

use std::fmt::Write as _;

use super::args::{Global, GraphArgs, GraphFormat};
use super::failure::CliError;
use super::params::Givers;
use super::print;
use super::source::Source;
use crate::plan::Plan;

/// Prints it.
pub fn run(_: &Global, args: &GraphArgs) -> Result<(), CliError> {
    let source = Source::read(&args.pipeline.file)?;
    let givers = Givers::read(&args.pipeline.params)?;
    let (known, _) = givers.known(&source);
    let plan = Plan::new(source.check(&known.values, Vec::new())?, known);
    print::data(match args.format {
        GraphFormat::Mermaid => mermaid(&plan),
        GraphFormat::Dot => dot(&plan),
    })
}

/// Mermaid's flowchart. Ids of steps are names there as they are, but for the hyphens.
fn mermaid(plan: &Plan) -> String {
    let node = |i: usize| plan.steps[i].spec.id.as_str().replace('-', "_");
    let mut text = String::from("flowchart TD\n");
    for (i, step) in plan.steps.iter().enumerate() {
        let (id, kind) = (step.spec.id.as_str(), step.spec.step_type.name);
        let (open, close) = if step.spec.finally { ("([", "])") } else { ("[", "]") };
        writeln!(text, "  {}{open}\"{id}<br/>{kind}\"{close}", node(i)).expect("writing to a string");
    }
    for (i, step) in plan.steps.iter().enumerate() {
        for &need in &step.needs {
            writeln!(text, "  {} --> {}", node(need), node(i)).expect("writing to a string");
        }
    }
    text
}

fn dot(plan: &Plan) -> String {
    let mut text = String::from("digraph pipeline {\n  node [shape=box];\n");
    for step in &plan.steps {
        let (id, kind) = (step.spec.id.as_str(), step.spec.step_type.name);
        writeln!(text, "  \"{id}\" [label=\"{id}\\n{kind}\"];").expect("writing to a string");
    }
    for step in &plan.steps {
        for &need in &step.needs {
            writeln!(text, "  \"{}\" -> \"{}\";", plan.steps[need].spec.id.as_str(), step.spec.id.as_str())
                .expect("writing to a string");
        }
    }
    text.push_str("}\n");
    text
}

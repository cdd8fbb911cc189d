//! `hprun iam-policy FILE`: the IAM policy that a run of the pipeline needs, told offline.

use std::fmt::Write as _;
use std::path::Path;

use hprun_steps::files::Files;
use hprun_steps::permissions::UnknownType;

use super::args::{Global, IamPolicyArgs, Output};
use super::failure::CliError;
use super::launch::aws_wish;
use super::params::Givers;
use super::print;
use super::source::Source;
use crate::diagnostic::Lines;
use crate::plan::Plan;
use crate::policy::{self, Home, LARGEST_MANAGED, Policy};

/// Prints it. Params without a value are no error here: what they decide is `*`.
pub fn run(global: &Global, args: &IamPolicyArgs) -> Result<(), CliError> {
    let source = Source::read(&args.pipeline.file)?;
    let givers = Givers::read(&args.pipeline.params)?;
    let (known, wrong) = match givers.resolve(&source) {
        Ok(params) => (params, Vec::new()),
        Err(problems) => (problems.known, problems.wrong),
    };
    let pipeline = source.check(&known.values, wrong)?;
    // What cannot be told without a param is not known, which is no fault of the file.
    let aws = aws_wish(&source, &pipeline, &known.values).unwrap_or_default();
    let home = Home::new(aws.region.as_deref(), aws.account.as_deref());
    let plan = Plan::new(pipeline, known);
    let load = |inputs: &[_]| Files::load(&source.base, inputs);
    let policy = policy::policy(&plan, &source.specs(), &home, &givers.ssm_needed(&source), &load);
    for gap in &policy.gaps {
        print::note(warning(gap, &source.base));
    }
    if let Some(role) = &aws.role {
        print::note(format!("note: this is the policy of {role}; who runs hprun needs sts:AssumeRole on it"));
    }
    if args.explain {
        return print::data(explained(&policy, global.output == Output::Json));
    }
    let size = policy.size();
    if args.split {
        return print::data(format!("{:#}", serde_json::Value::Array(policy.documents())));
    }
    if size > LARGEST_MANAGED {
        print::note(format!(
            "warning: the policy has {size} characters, and a managed policy takes {LARGEST_MANAGED}: print several with \
             --split, or make it an inline policy of a role (10240 in all)"
        ));
    }
    print::data(format!("{:#}", policy.document()))
}

fn warning(gap: &UnknownType, base: &Path) -> String {
    let UnknownType { logical, kind, path, place } = gap;
    let text = std::fs::read_to_string(base.join(path)).unwrap_or_default();
    let at = Lines::of(&text).position(place.start as usize);
    let what = if kind == "AWS::CloudFormation::Stack" {
        format!("what the template of the nested stack {logical} needs is not looked into")
    } else {
        format!("hprun does not know what {logical} needs, a resource of type {kind}")
    };
    format!(
        "warning: {path}:{}:{}: {what}: add the permissions of its resource handlers by hand \
         (aws cloudformation describe-type --type RESOURCE --type-name {kind} names them)",
        at.line, at.column
    )
}

/// One line of the table.
struct Row<'a> {
    step: &'a str,
    action: &'a str,
    on: Vec<&'a str>,
}

/// Which step needs which action, on what.
fn explained(policy: &Policy, json: bool) -> String {
    let rows = policy.uses.iter().flat_map(|of| {
        let on: Vec<&str> = of.permission.resources.iter().map(String::as_str).collect();
        of.permission.actions.iter().map(move |action| Row { step: &of.step, action, on: on.clone() })
    });
    let rows: Vec<Row<'_>> = rows.collect();
    if json {
        let one = |row: &Row<'_>| serde_json::json!({ "step": row.step, "action": row.action, "resources": row.on });
        return format!("{:#}", rows.iter().map(one).collect::<serde_json::Value>());
    }
    let steps = rows.iter().map(|row| row.step.len()).max().unwrap_or_default().max(4);
    let actions = rows.iter().map(|row| row.action.len()).max().unwrap_or_default().max(6);
    let mut text = format!("{:steps$}  {:actions$}  ON\n", "STEP", "ACTION");
    for Row { step, action, on } in &rows {
        writeln!(text, "{step:steps$}  {action:actions$}  {}", on.join(" ")).expect("writing to a string");
    }
    text
}

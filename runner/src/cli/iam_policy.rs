//! `hprun iam-policy FILE`: the IAM policy that a run of the pipeline needs, told offline.
//! Knows where it is shown, not what any step needs.

use std::io::IsTerminal as _;
use std::path::Path;

use hprun_steps::files::Files;
use hprun_steps::permissions::{Unknown, UnknownKind};

use super::args::{Global, IamPolicyArgs, Output};
use super::failure::CliError;
use super::launch::aws_wish;
use super::params::Givers;
use super::print;
use super::source::Source;
use crate::diagnostic::Lines;
use crate::plan::Plan;
use crate::policy::{self, Home, LARGEST_MANAGED, Policy};

/// Most managed policies of a role, unless its quota was raised (IAM quotas).
const MOST_OF_A_ROLE: usize = 10;

/// Prints it. Params without a value are no error here: what they decide is `*`.
pub fn run(global: &Global, args: &IamPolicyArgs) -> Result<(), CliError> {
    let source = Source::read(&args.pipeline.file)?;
    let givers = Givers::read(&args.pipeline.params)?;
    let (known, wrong) = givers.known(&source);
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
        return print::data(explained(&policy, global.output));
    }
    if policy.statements.is_empty() {
        print::note(
            "note: the pipeline needs no permissions, and IAM takes no policy without a statement: there is none to attach",
        );
    }
    if args.split {
        let documents = policy.documents();
        if documents.len() > MOST_OF_A_ROLE {
            print::note(format!(
                "warning: these are {} policies, and a role takes {MOST_OF_A_ROLE} managed policies unless its quota is raised: \
                 give `role-arn` to stacks, or run parts of the pipeline under roles of their own",
                documents.len()
            ));
        }
        return print::data(format!("{:#}", serde_json::Value::Array(documents)));
    }
    let size = policy.size();
    if size > LARGEST_MANAGED {
        print::note(format!(
            "warning: the policy has {size} characters, and a managed policy takes {LARGEST_MANAGED}: print several with \
             --split, or make it an inline policy of a role (10240 in all)"
        ));
    }
    print::data(format!("{:#}", policy.document()))
}

fn warning(gap: &Unknown, base: &Path) -> String {
    let Unknown { what, path, place } = gap;
    let text = std::fs::read_to_string(base.join(path)).unwrap_or_default();
    let at = Lines::of(&text).position(place.start as usize);
    let what = match what {
        UnknownKind::Type { logical, kind } => format!(
            "hprun does not know what {logical} needs, a resource of type {kind}: add the permissions of its resource handlers \
             by hand (aws cloudformation describe-type --type RESOURCE --type-name {kind} names them)"
        ),
        UnknownKind::Inside(logical) => format!(
            "what the template of {logical} needs is not looked into: add the permissions of its resources by hand, and \
             s3:GetObject on it if its URL is not known here"
        ),
        UnknownKind::Custom(logical) => format!(
            "it is not known what the custom resource {logical} calls: add lambda:InvokeFunction on the function of its \
             ServiceToken by hand, or sns:Publish on the topic"
        ),
        UnknownKind::Reference { logical, service } => format!(
            "hprun does not know what a dynamic reference to `{service}` needs, which {logical} has: add it by hand"
        ),
    };
    format!("warning: {path}:{}:{}: {what}", at.line, at.column)
}

/// Which step needs which action, on what.
fn explained(policy: &Policy, output: Output) -> String {
    match output {
        Output::Json => {
            let one = |row: policy::Row<'_>| {
                let policy::Row { step, action, resources, needed_by } = row;
                serde_json::json!({ "step": step, "action": action, "resources": resources, "needed_by": needed_by })
            };
            format!("{:#}", policy.rows().into_iter().map(one).collect::<serde_json::Value>())
        }
        Output::Auto | Output::Plain => {
            let width = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
            policy.explained(width.filter(|_| std::io::stdout().is_terminal()).unwrap_or(usize::MAX))
        }
    }
}

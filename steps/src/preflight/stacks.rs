//! CloudFormation: whether the stack's name is free or ours, and the stack can be worked with (P33).
//! Knows nothing of templates.

use super::asker::Asker;
use super::verdict::Verdict;
use crate::aws_error::explain;
use crate::context::TAG_RUN;
use crate::error::StepError;

/// A stack that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stack {
    pub status: String,
    /// The run whose tag it has.
    pub run: Option<String>,
}

/// The stack of this name, unless it is deleted.
pub(super) async fn stack(asker: &Asker<'_>, name: &str) -> Result<Option<Stack>, StepError> {
    let ask = async {
        match asker.clients.cloudformation().describe_stacks().stack_name(name).send().await {
            Ok(answer) => Ok(answer.stacks().first().map(|stack| Stack {
                status: stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
                run: stack
                    .tags()
                    .iter()
                    .find(|tag| tag.key() == Some(TAG_RUN))
                    .and_then(|tag| tag.value())
                    .map(str::to_owned),
            })),
            Err(e) => {
                let error = explain(&format!("describe the stack {name}"), e);
                // A missing stack has no code of its own (facts: CloudFormation).
                let missing = error.has_code("ValidationError") && error.message.contains("does not exist");
                if missing { Ok(None) } else { Err(error) }
            }
        }
    };
    let found = asker.learnt.stacks.get(name, ask).await?;
    Ok(found.filter(|stack| stack.status != "DELETE_COMPLETE"))
}

pub(super) async fn name(asker: &Asker<'_>, name: &str, adopt: bool) -> Result<Verdict, StepError> {
    let found = stack(asker, name).await?;
    let run = found.as_ref().and_then(|stack| stack.run.as_deref());
    let ours = run.is_some_and(|run| (asker.ours)(run));
    Ok(stack_verdict(name, found.as_ref(), ours, adopt))
}

/// Of the stack that has the name.
fn stack_verdict(name: &str, found: Option<&Stack>, ours: bool, adopt: bool) -> Verdict {
    let Some(Stack { status, run }) = found else { return Verdict::Good };
    let dead = ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"];
    match (ours, run) {
        (true, _) => Verdict::Good,
        (false, _) if adopt && dead.contains(&status.as_str()) => {
            Verdict::bad(format!("the stack {name} is in {status}, and can only be deleted"))
                .help(format!("delete it: aws cloudformation delete-stack --stack-name {name}"))
        }
        (false, _) if adopt => Verdict::Good,
        (false, Some(run)) => Verdict::doubt(format!("the stack {name} is there already: run {run} of hprun made it"))
            .help(format!("go on with that run: hprun resume {run}")),
        (false, None) => {
            Verdict::bad(format!("a stack {name} is there already ({status}), and no run of hprun made it"))
                .help("choose another name, or say `adopt: true`")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_must_be_free_or_ours() {
        let stack = |status: &str, run: Option<&str>| Stack { status: status.to_owned(), run: run.map(str::to_owned) };
        let good = stack("CREATE_COMPLETE", None);
        let (bad, doubt) = (|v: &Verdict| matches!(v, Verdict::Bad(..)), |v: &Verdict| matches!(v, Verdict::Doubt(..)));
        assert_eq!(stack_verdict("s", None, false, false), Verdict::Good);
        assert!(bad(&stack_verdict("s", Some(&good), false, false)));
        assert_eq!(stack_verdict("s", Some(&good), false, true), Verdict::Good);
        assert!(bad(&stack_verdict("s", Some(&stack("ROLLBACK_COMPLETE", None)), false, true)));
        assert!(doubt(&stack_verdict("s", Some(&stack("CREATE_COMPLETE", Some("r1"))), false, false)));
        assert_eq!(stack_verdict("s", Some(&stack("ROLLBACK_COMPLETE", Some("r1"))), true, false), Verdict::Good);
    }
}

//! CloudFormation: whether the stack's name is free or ours, and the stack can be worked with (P33).
//! Knows nothing of templates.

use super::asker::{Asker, Whose};
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
    Ok(stack_verdict(name, found.as_ref(), run.map(|run| (run, (asker.whose)(run))), adopt))
}

/// Of the stack that has the name, and the run that made it.
fn stack_verdict(name: &str, found: Option<&Stack>, run: Option<(&str, Whose)>, adopt: bool) -> Verdict {
    let Some(Stack { status, .. }) = found else { return Verdict::Good };
    let dead = ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"];
    match run {
        Some((_, Whose::Own)) => Verdict::Good,
        Some(_) | None if adopt && dead.contains(&status.as_str()) => {
            Verdict::bad(format!("the stack {name} is in {status}, and can only be deleted"))
                .help(format!("delete it: aws cloudformation delete-stack --stack-name {name}"))
        }
        Some(_) | None if adopt => Verdict::Good,
        Some(run) => Verdict::taken(&format!("the stack {name}"), run),
        None => Verdict::bad(format!("a stack {name} is there already ({status}), and no run of hprun made it"))
            .help("choose another name, or say `adopt: true`"),
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
        let check = |found: Option<&Stack>, whose: Option<Whose>, adopt| {
            stack_verdict("s", found, whose.map(|whose| ("r1", whose)), adopt)
        };
        let (made, rolled_back) = (stack("CREATE_COMPLETE", Some("r1")), stack("ROLLBACK_COMPLETE", Some("r1")));
        assert_eq!(check(None, None, false), Verdict::Good);
        assert!(bad(&check(Some(&good), None, false)));
        assert_eq!(check(Some(&good), None, true), Verdict::Good);
        assert!(bad(&check(Some(&stack("ROLLBACK_COMPLETE", None)), None, true)));
        assert!(doubt(&check(Some(&made), Some(Whose::Known("r1".to_owned())), false)));
        assert!(bad(&check(Some(&made), Some(Whose::Foreign), false)));
        assert_eq!(check(Some(&made), Some(Whose::Foreign), true), Verdict::Good);
        assert_eq!(check(Some(&rolled_back), Some(Whose::Own), false), Verdict::Good);
    }
}

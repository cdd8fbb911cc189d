//! How a stack's failure, or somebody else's stack, is put into words.
//! Knows nothing of what was tried; it only looks at the stack and its events.

use std::time::Duration;

use aws_sdk_cloudformation::types::Stack;

use super::standing::{Standing, standing};
use super::{status_of, wait};
use crate::context::StepContext;
use crate::error::StepError;

/// The refusal of a stack that is somebody else's, with its tags and age.
pub fn foreign(cx: &StepContext<'_>, stack: &Stack) -> StepError {
    let name = stack.stack_name().unwrap_or_default();
    let tags: Vec<String> = stack
        .tags()
        .iter()
        .map(|t| format!("{}={}", t.key().unwrap_or_default(), t.value().unwrap_or_default()))
        .collect();
    let tags = if tags.is_empty() { "it has no tags".to_owned() } else { format!("its tags: {}", tags.join(", ")) };
    let made = stack.creation_time().map(|t| t.secs()).unwrap_or_default();
    let age = u64::try_from(cx.clock.now().as_second() - made).unwrap_or_default() / 60;
    let age = humantime::format_duration(Duration::from_secs(age * 60));
    StepError::refused(format!("there is a stack {name} already, and this run did not make it"))
        .because(format!("it is in {}, {age} old; {tags}", status_of(stack)))
        .help("choose another `name`, or say `adopt: true` to take it over")
}

/// A failed operation as one sentence, with the first cause.
pub async fn failure(cx: &StepContext<'_>, stack: &Stack, token: &str) -> StepError {
    let (name, status) = (stack.stack_name().unwrap_or_default(), status_of(stack));
    let message = match wait::first_cause(cx, stack.stack_id().unwrap_or_default(), token).await {
        Ok(Some(cause)) => cause.sentence(name),
        Ok(None) | Err(_) => {
            let reason = stack.stack_status_reason().unwrap_or("the service gives no reason").trim_end_matches('.');
            format!("the stack {name} failed: {reason}")
        }
    };
    let error = StepError::failed(message).because(format!("the stack is in {status}"));
    match standing(Some(status)) {
        Standing::NeverCreated => {
            error.help("mend the cause and resume: the failed stack of this run is deleted and made again")
        }
        Standing::DeleteStuck => error.help("remove what holds these resources (the reason names it), then resume"),
        Standing::RollbackStuck => error.help("mend the cause and resume: the rollback then goes on first"),
        Standing::Absent | Standing::Shell | Standing::Busy | Standing::Good | Standing::Unknown => {
            error.help("mend the cause and resume")
        }
    }
}

//! The CloudFormation calls of deploy-stack, one function each, with our words for what failed.
//! Knows nothing of when to call what. Reads keep asking through throttling and lost connections; writes are sent once.

use aws_sdk_cloudformation::types::{Capability as SdkCapability, OnFailure as SdkOnFailure, Stack, StackEvent, Tag};

use super::cause::Event;
use super::request::Wanted;
use super::{Capability, OnFailure};
use crate::aws_error::explain;
use crate::context::StepContext;
use crate::error::StepError;
use crate::pace::Pace;

/// Longest client request token that CloudFormation takes (AWS API reference).
const LONGEST_TOKEN: usize = 128;

/// A token as it is sent: CloudFormation takes 128 characters, a long step id can make more.
pub fn sent(token: &str) -> String {
    if token.len() <= LONGEST_TOKEN {
        return token.to_owned();
    }
    let digest = crate::files::sha256(token.as_bytes());
    format!("{}-{}", &token[..LONGEST_TOKEN - 33], &digest[..32])
}

/// The stack of this name or id, if there is one.
pub async fn find(cx: &StepContext<'_>, name_or_id: &str) -> Result<Option<Stack>, StepError> {
    let mut pace = Pace::default();
    loop {
        let asked = cx.clients.cloudformation().describe_stacks().stack_name(name_or_id).send();
        let error = match cx.unless_stopped(asked).await? {
            Ok(answer) => return Ok(answer.stacks.unwrap_or_default().into_iter().next()),
            Err(e) => explain(&format!("describe the stack {name_or_id}"), e),
        };
        // No code of its own: only the text tells that the stack is not there (AWS API reference, DescribeStacks).
        if error.has_code("ValidationError") && error.message.contains("does not exist") {
            return Ok(None);
        }
        pace.after(cx, error).await?;
    }
}

/// One page of a stack's events, newest first, and the token of the next.
pub async fn events(
    cx: &StepContext<'_>,
    id: &str,
    page: Option<String>,
) -> Result<(Vec<Event>, Option<String>), StepError> {
    let mut pace = Pace::default();
    loop {
        let call = cx.clients.cloudformation().describe_stack_events().stack_name(id).set_next_token(page.clone());
        match cx.unless_stopped(call.send()).await? {
            Ok(answer) => {
                let next = answer.next_token().map(str::to_owned);
                return Ok((answer.stack_events().iter().map(event).collect(), next));
            }
            Err(e) => pace.after(cx, explain("read the events of the stack", e)).await?,
        }
    }
}

fn event(event: &StackEvent) -> Event {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    Event {
        id: text(event.event_id()),
        at: event.timestamp().map(|t| (t.as_nanos() / 1000) as i64).unwrap_or_default(),
        logical_id: text(event.logical_resource_id()),
        physical_id: text(event.physical_resource_id()),
        kind: text(event.resource_type()),
        status: text(event.resource_status().map(|s| s.as_str())),
        reason: text(event.resource_status_reason()),
        token: text(event.client_request_token()),
    }
}

/// The token of the operation that is going on, as it was sent, if the operation is one of ours.
pub async fn our_operation(cx: &StepContext<'_>, id: &str) -> Result<Option<String>, StepError> {
    let (newest, _) = events(cx, id, None).await?;
    let Some(token) = newest.first().map(|e| e.token.clone()) else { return Ok(None) };
    Ok(cx.intents().any(|intent| sent(&intent.token) == token).then_some(token))
}

/// CreateStack; the new stack's id.
pub async fn create(
    cx: &StepContext<'_>,
    wanted: &Wanted,
    tags: Vec<Tag>,
    template_url: Option<String>,
    token: &str,
) -> Result<String, StepError> {
    let name = &wanted.inputs.name;
    let body = template_url.is_none().then(|| wanted.body.clone());
    let call = cx
        .clients
        .cloudformation()
        .create_stack()
        .stack_name(name)
        .set_template_body(body)
        .set_template_url(template_url)
        .set_parameters(Some(wanted.parameters()))
        .set_capabilities(Some(capabilities(&wanted.inputs.capabilities)))
        .set_tags(Some(tags))
        .set_role_arn(wanted.inputs.role_arn.clone())
        .on_failure(match wanted.inputs.on_failure {
            OnFailure::Rollback => SdkOnFailure::Rollback,
            OnFailure::Delete => SdkOnFailure::Delete,
            OnFailure::DoNothing => SdkOnFailure::DoNothing,
        })
        .client_request_token(token);
    let answer = call.send().await.map_err(|e| with_advice(explain(&format!("create the stack {name}"), e)))?;
    Ok(answer.stack_id().unwrap_or(name).to_owned())
}

/// DeleteStack.
pub async fn delete(cx: &StepContext<'_>, id: &str, token: &str) -> Result<(), StepError> {
    let call = cx.clients.cloudformation().delete_stack().stack_name(id).client_request_token(token);
    call.send().await.map(drop).map_err(|e| explain(&format!("delete the stack {id}"), e))
}

/// ContinueUpdateRollback.
pub async fn continue_rollback(cx: &StepContext<'_>, id: &str, token: &str) -> Result<(), StepError> {
    let call = cx.clients.cloudformation().continue_update_rollback().stack_name(id).client_request_token(token);
    call.send().await.map(drop).map_err(|e| explain(&format!("let the rollback of the stack {id} go on"), e))
}

/// UpdateTerminationProtection.
pub async fn protect(cx: &StepContext<'_>, id: &str, on: bool) -> Result<(), StepError> {
    let call = cx.clients.cloudformation().update_termination_protection().stack_name(id);
    let call = call.enable_termination_protection(on);
    call.send().await.map(drop).map_err(|e| explain(&format!("set the termination protection of the stack {id}"), e))
}

/// PutObject, for a large template.
pub async fn upload(cx: &StepContext<'_>, bucket: &str, key: &str, body: &[u8]) -> Result<(), StepError> {
    let call = cx.clients.s3().put_object().bucket(bucket).key(key).body(body.to_vec().into());
    call.send().await.map(drop).map_err(|e| explain(&format!("put the template into s3://{bucket}/{key}"), e))
}

/// Capabilities as the SDK spells them.
pub fn capabilities(ours: &[Capability]) -> Vec<SdkCapability> {
    let one = |capability: &Capability| match capability {
        Capability::CapabilityIam => SdkCapability::CapabilityIam,
        Capability::CapabilityNamedIam => SdkCapability::CapabilityNamedIam,
        Capability::CapabilityAutoExpand => SdkCapability::CapabilityAutoExpand,
    };
    ours.iter().map(one).collect()
}

/// Advice for what CloudFormation refuses before it begins.
pub fn with_advice(error: StepError) -> StepError {
    match error.code.as_deref() {
        Some("InsufficientCapabilitiesException") => error.help("add what it asks for to `capabilities:`"),
        Some("LimitExceededException") => error.help("delete a stack, or ask for a higher quota"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_token_is_cut_to_what_the_service_takes_and_stays_its_own() {
        assert_eq!(sent("hprun-1-stack"), "hprun-1-stack");
        let long = format!("hprun-{}", "x".repeat(200));
        assert_eq!(sent(&long).len(), LONGEST_TOKEN);
        assert_ne!(sent(&long), sent(&format!("{long}y")));
    }
}

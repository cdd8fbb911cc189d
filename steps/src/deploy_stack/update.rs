//! Updating a stack through a change set: made, looked at, refused or executed, and never left behind.
//! Knows nothing of how a stack came to be. A change set's token stays open until the change set has ended, so that a
//! resumed step finds the one that it made.

use std::time::Duration;

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    Change, ChangeAction, ChangeSetStatus, ChangeSetType, ExecutionStatus, Replacement, Stack,
};

use super::calls::{capabilities, sent, with_advice};
use super::failure::failure;
use super::request::Wanted;
use super::{LOOK_AGAIN_AFTER, is_spent, standing, status_of, wait};
use crate::aws_error::explain;
use crate::context::{Intent, StepContext};
use crate::error::StepError;
use crate::pace::Pace;

const KIND: &str = "AWS::CloudFormation::ChangeSet";
const OP: &str = "create-change-set";

/// Brings `stack` to what the inputs say. `None` means: look again.
pub async fn update(cx: &mut StepContext<'_>, wanted: &Wanted, stack: &Stack) -> Result<Option<Stack>, StepError> {
    let id = stack.stack_id().unwrap_or_default().to_owned();
    let template_url = wanted.upload_if_large(cx).await?;
    let mut request = wanted.record(OP);
    request["stack"] = id.clone().into();
    let name = &wanted.inputs.name;
    if wanted.has_hidden() {
        // What is hidden is not in the record, so nobody can tell whether a change set from before a crash holds the
        // same: it is made anew.
        remove_leftovers(cx, &id, "").await?;
    }
    let token = cx.intend(Intent { op: OP, kind: KIND, name, existed: true, request: &request }).await?;
    remove_leftovers(cx, &id, &token).await?;
    cx.progress("comparing the stack with the template");
    if let Err(e) = create_change_set(cx, wanted, stack, template_url, &sent(&token)).await {
        if e.class.is_known() {
            return cx.settle(&token, Err(e)).await;
        }
        return Err(e);
    }
    let (answer, changes) = match until_ready(cx, &id, &sent(&token)).await {
        // Deleted before a crash, and not made again because its token was known: the next one is a new one.
        Err(e) if e.has_code("ChangeSetNotFound") => return cx.settle(&token, Ok(None)).await,
        other => other?,
    };
    if !is_fresh(&answer) {
        // Executed before a crash: what it did is in the stack now, so compare anew.
        cx.settle(&token, Ok(())).await?;
        return Ok(None);
    }
    if answer.status() == Some(&ChangeSetStatus::Failed) {
        delete_change_set(cx, &id, &sent(&token)).await?;
        cx.settle(&token, Ok(())).await?;
        return nothing_to_do(&answer, wanted, stack);
    }
    let risky = risky(&changes);
    if !risky.is_empty() && !wanted.inputs.allow_replacement {
        delete_change_set(cx, &id, &sent(&token)).await?;
        cx.settle(&token, Ok(())).await?;
        return Err(too_risky(&wanted.inputs.name, &risky));
    }
    execute(cx, wanted, &id, &token, changes.len()).await
}

async fn execute(
    cx: &mut StepContext<'_>,
    wanted: &Wanted,
    id: &str,
    change_set: &str,
    changes: usize,
) -> Result<Option<Stack>, StepError> {
    let request = serde_json::json!({ "stack": id, "change-set": change_set });
    let name = &wanted.inputs.name;
    let intent = Intent { op: "execute-change-set", kind: super::KIND, name, existed: true, request: &request };
    let token = cx.intend(intent).await?;
    cx.progress(format!("updating the stack: {changes} changes"));
    let call = cx.clients.cloudformation().execute_change_set().stack_name(id).change_set_name(sent(change_set));
    let result = call.client_request_token(sent(&token)).send().await.map(drop);
    let result = result.map_err(|e| explain(&format!("update the stack {name}"), e));
    match cx.settle(&token, result).await {
        Ok(()) => {}
        // Executed already (the SDK sends a call again whose answer was lost), or out of date: the next look tells.
        Err(e) if e.has_code("InvalidChangeSetStatus") || e.has_code("ChangeSetNotFound") || is_spent(&e) => {
            return cx.sleep(LOOK_AGAIN_AFTER).await.map(|()| None);
        }
        Err(e) => return Err(e),
    }
    cx.settle(change_set, Ok(())).await?;
    let stack = wait::until_settled(cx, id, Some(&sent(&token)), Some(changes)).await?;
    if standing::succeeded(status_of(&stack)) { Ok(Some(stack)) } else { Err(failure(cx, &stack, &sent(&token)).await) }
}

async fn create_change_set(
    cx: &StepContext<'_>,
    wanted: &Wanted,
    stack: &Stack,
    template_url: Option<String>,
    token: &str,
) -> Result<(), StepError> {
    // The stack keeps its tags as they are: a changed stack tag would update every resource.
    let present =
        stack.tags().iter().map(|t| (t.key().unwrap_or_default().into(), t.value().unwrap_or_default().into()));
    let body = template_url.is_none().then(|| wanted.body.clone());
    let call = cx
        .clients
        .cloudformation()
        .create_change_set()
        .stack_name(stack.stack_id().unwrap_or_default())
        .change_set_name(token)
        .client_token(token)
        .change_set_type(ChangeSetType::Update)
        .set_template_body(body)
        .set_template_url(template_url)
        .set_parameters(Some(wanted.parameters()))
        .set_capabilities(Some(capabilities(&wanted.inputs.capabilities)))
        .set_tags(Some(wanted.tags(present)))
        .set_role_arn(wanted.inputs.role_arn.clone());
    match call.send().await {
        Ok(_) => Ok(()),
        Err(e) => {
            let error = explain(&format!("compare the stack {} with the template", wanted.inputs.name), e);
            // Made by us before a crash: its name is our token.
            if error.has_code("AlreadyExistsException") { Ok(()) } else { Err(with_advice(error)) }
        }
    }
}

/// The change set when it is worked out, with all pages of its changes.
async fn until_ready(
    cx: &StepContext<'_>,
    id: &str,
    name: &str,
) -> Result<(DescribeChangeSetOutput, Vec<Change>), StepError> {
    let mut pace = Pace::new(Duration::from_secs(2), Duration::from_secs(15));
    let mut changes: Vec<Change> = Vec::new();
    let mut page = None;
    loop {
        let call = cx.clients.cloudformation().describe_change_set().stack_name(id).change_set_name(name);
        let answer = match cx.unless_stopped(call.set_next_token(page.clone()).send()).await? {
            Ok(answer) => answer,
            Err(e) => {
                pace.after(cx, explain("read the change set", e)).await?;
                continue;
            }
        };
        let working = [ChangeSetStatus::CreatePending, ChangeSetStatus::CreateInProgress];
        if answer.status().is_some_and(|s| working.contains(s)) {
            pace.pause(cx).await?;
            continue;
        }
        changes.extend(answer.changes().iter().cloned());
        page = answer.next_token().map(str::to_owned);
        if page.is_none() {
            return Ok((answer, changes));
        }
    }
}

fn is_fresh(answer: &DescribeChangeSetOutput) -> bool {
    let ended = [
        ExecutionStatus::ExecuteInProgress,
        ExecutionStatus::ExecuteComplete,
        ExecutionStatus::ExecuteFailed,
        ExecutionStatus::Obsolete,
    ];
    !answer.execution_status().is_some_and(|s| ended.contains(s))
}

/// A change set that "failed" because there is nothing to change is a success.
fn nothing_to_do(answer: &DescribeChangeSetOutput, wanted: &Wanted, stack: &Stack) -> Result<Option<Stack>, StepError> {
    let reason = answer.status_reason().unwrap_or("the service gives no reason").trim_end_matches('.');
    if ["didn't contain changes", "No updates are to be performed"].iter().any(|text| reason.contains(text)) {
        return Ok(Some(stack.clone()));
    }
    Err(StepError::failed(format!("the stack {} cannot be compared with the template: {reason}", wanted.inputs.name)))
}

/// Change sets of earlier requests that a crash left behind; one that is gone already is as good.
async fn remove_leftovers(cx: &mut StepContext<'_>, id: &str, current: &str) -> Result<(), StepError> {
    let open = |token: &&str| *token != current && cx.outcome_of(token).is_none();
    let left: Vec<String> =
        cx.intents().filter(|i| i.op == OP).map(|i| i.token.as_str()).filter(open).map(str::to_owned).collect();
    for token in left {
        delete_change_set(cx, id, &sent(&token)).await?;
        cx.settle(&token, Ok(())).await?;
    }
    Ok(())
}

async fn delete_change_set(cx: &StepContext<'_>, id: &str, name: &str) -> Result<(), StepError> {
    let mut pace = Pace::default();
    loop {
        let call = cx.clients.cloudformation().delete_change_set().stack_name(id).change_set_name(name);
        let Err(e) = call.send().await else { return Ok(()) };
        let error = explain("delete a change set", e);
        // Executed (so it cannot be deleted) or gone: either way it is no longer in the way.
        if error.has_code("InvalidChangeSetStatus") || error.has_code("ChangeSetNotFound") {
            return Ok(());
        }
        pace.after(cx, error).await?;
    }
}

/// Changes that lose something: one line each.
fn risky(changes: &[Change]) -> Vec<String> {
    let of = |change: &Change| {
        let change = change.resource_change()?;
        let what = match (change.action(), change.replacement()) {
            (Some(ChangeAction::Remove), _) => "removed",
            (_, Some(Replacement::True)) => "replaced",
            (_, Some(Replacement::Conditional)) => "perhaps replaced",
            _ => return None,
        };
        let (name, kind) =
            (change.logical_resource_id().unwrap_or_default(), change.resource_type().unwrap_or_default());
        Some(format!("{name} ({kind}) would be {what}"))
    };
    changes.iter().filter_map(of).collect()
}

fn too_risky(name: &str, risky: &[String]) -> StepError {
    let error = StepError::refused(format!(
        "the update of the stack {name} would lose {}: {}",
        if risky.len() == 1 { "a resource".to_owned() } else { format!("{} resources", risky.len()) },
        risky.join(", ")
    ));
    error.help("mend the template or the parameters, or say `allow-replacement: true`")
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::ResourceChange;

    use super::*;

    #[test]
    fn what_would_be_lost_is_listed() {
        let change = |name: &str, action: ChangeAction, replacement: Option<Replacement>| {
            let inner = ResourceChange::builder().logical_resource_id(name).resource_type("AWS::X").action(action);
            Change::builder().resource_change(inner.set_replacement(replacement).build()).build()
        };
        let changes = [
            change("A", ChangeAction::Add, None),
            change("B", ChangeAction::Modify, Some(Replacement::False)),
            change("C", ChangeAction::Modify, Some(Replacement::True)),
            change("D", ChangeAction::Modify, Some(Replacement::Conditional)),
            change("E", ChangeAction::Remove, None),
        ];
        let error = too_risky("hyperpod", &risky(&changes));
        assert_eq!(
            error.message,
            "the update of the stack hyperpod would lose 3 resources: C (AWS::X) would be replaced, D (AWS::X) would be \
             perhaps replaced, E (AWS::X) would be removed"
        );
    }
}

//! deploy-stack: creates a CloudFormation stack from a local template, or brings it to what the template says.
//! Knows nothing of what the stack is for. Decisions are in `standing`, causes of failures in `cause`; this file acts.

mod calls;
mod cause;
mod check;
mod failure;
mod outlook;
mod patterns;
mod permissions;
mod questions;
mod reading;
mod references;
mod request;
mod standing;
mod update;
mod wait;

use std::time::Duration;

use aws_sdk_cloudformation::types::Stack;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::context::{CallIntended, Intent, Origin, Record, StepContext, TAG_RUN, TAG_STEP};
use crate::error::StepError;
use crate::fact::Fact;
use crate::files::{FileInput, FileKind, Files};
use crate::finding::Finding;
use crate::pace::Pace;
use crate::partial::Partial;
use crate::permissions::{Needs, Surroundings};
use crate::question::Asked;
use crate::step::{DeclaredOutputs, Health, Step};
use crate::value::Value;

use calls::sent;
use failure::{failure, foreign};
use request::Wanted;
use standing::{Move, Standing, Whose, next_move, standing};

/// Kind of the resource that this step makes.
const KIND: &str = cause::STACK;
/// Most times one attempt looks at the stack and acts, not counting calls that got no answer: far more than any path
/// through the states needs.
const MOST_LOOKS: usize = 24;
/// Pause before another look after a call that did not say what became of it.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A stack of this name that the run did not make is refused; one that it made and that failed is deleted and made
/// again. An update goes through a change set; one without changes is a success.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeployStack {
    /// Name of the stack: letters, digits and hyphens, at most 128, beginning with a letter.
    pub name: String,
    /// The template, YAML or JSON: a path relative to the pipeline file.
    pub template: String,
    /// Values for the template's parameters. Booleans and numbers become text, lists comma-separated text. A secret is
    /// taken only by a parameter with `NoEcho: true`.
    #[serde(default)]
    pub parameters: IndexMap<String, Value>,
    /// Tags of the stack, which CloudFormation passes on to its resources. hprun adds its own two when it creates it.
    #[serde(default)]
    pub tags: IndexMap<String, String>,
    /// What the template may do. Default: `[CAPABILITY_NAMED_IAM]`, because HyperPod templates make named roles.
    #[serde(default = "default_capabilities")]
    pub capabilities: Vec<Capability>,
    /// Bucket for a template of more than 51,200 bytes, which CloudFormation takes only from S3.
    pub template_bucket: Option<String>,
    /// Role that CloudFormation works with. Default: the caller's own permissions.
    pub role_arn: Option<String>,
    /// Take over a stack of this name that this run did not make. Default: false, it is refused.
    #[serde(default)]
    pub adopt: bool,
    /// Let an update remove or replace resources. Default: false, the update is refused with the list.
    #[serde(default)]
    pub allow_replacement: bool,
    /// Switch termination protection of the finished stack on or off. Default: left as it is.
    pub termination_protection: Option<bool>,
    /// What CloudFormation does when the creation fails. Default: `rollback`.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// A capability to acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Capability {
    /// The template makes IAM resources.
    CapabilityIam,
    /// The template makes IAM resources with names of their own.
    CapabilityNamedIam,
    /// The template has macros or nested stacks that have.
    CapabilityAutoExpand,
}

/// What CloudFormation does with a stack whose creation fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Removes what was made; the empty stack stays, to look at.
    #[default]
    Rollback,
    /// Removes everything.
    Delete,
    /// Leaves everything as it is, to look at.
    DoNothing,
}

fn default_capabilities() -> Vec<Capability> {
    vec![Capability::CapabilityNamedIam]
}

/// A stack that stands as the template says. Beside these two, each output of the template under its own key.
#[derive(Debug, JsonSchema)]
pub struct StackOutputs {
    /// Name of the stack.
    pub name: String,
    /// ARN of the stack.
    pub id: String,
    #[schemars(skip)]
    outputs: IndexMap<String, String>,
}

impl Serialize for StackOutputs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("id", &self.id)?;
        for (key, value) in self.outputs.iter().filter(|(key, _)| *key != "name" && *key != "id") {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl StackOutputs {
    fn of(stack: &Stack) -> Self {
        let output = |o: &aws_sdk_cloudformation::types::Output| {
            Some((o.output_key()?.to_owned(), o.output_value().unwrap_or_default().to_owned()))
        };
        Self {
            name: stack.stack_name().unwrap_or_default().to_owned(),
            id: stack.stack_id().unwrap_or_default().to_owned(),
            outputs: stack.outputs().iter().filter_map(output).collect(),
        }
    }
}

impl Step for DeployStack {
    const TYPE: &'static str = "deploy-stack";
    const SUMMARY: &'static str = "Create or update a CloudFormation stack from a local template";
    const EXAMPLE: &'static str = r"- id: stack
  type: deploy-stack
  with:
    name: hyperpod-eks-full-stack
    template: templates/hyperpod-eks.yaml
    parameters:
      CreateEKSCluster: true
      AvailabilityZoneId: usw2-az2
  timeout: 60m
";
    type Outputs = StackOutputs;

    fn files(inputs: &Partial) -> Vec<FileInput> {
        FileInput::named(inputs, "template", FileKind::File).into_iter().collect()
    }

    fn check(inputs: &Partial, files: &Files) -> Vec<Finding> {
        check::check(inputs, files)
    }

    fn outputs(inputs: &Partial, files: &Files) -> DeclaredOutputs {
        outlook::outputs(inputs, files)
    }

    fn permissions(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
        permissions::needs(inputs, around)
    }

    fn absent_outputs(inputs: &Partial, files: &Files) -> IndexMap<String, String> {
        outlook::absent(inputs, files)
    }

    fn may_hand_on_more(inputs: &Partial, files: &Files) -> bool {
        // What a macro will make of the template is CloudFormation's to say; one that cannot be read is told as that.
        reading::template_of(inputs, files).map_or_else(|| inputs.get("template").is_some(), |template| template.open)
    }

    fn foreseen(inputs: &Partial, files: &Files) -> IndexMap<String, Partial> {
        outlook::foreseen(inputs, files)
    }

    fn facts(inputs: &Partial, files: &Files) -> Vec<Fact> {
        outlook::facts(inputs, files)
    }

    fn least(inputs: &Partial, files: &Files) -> Option<(Duration, &'static str)> {
        outlook::least(inputs, files)
    }

    fn questions(inputs: &Partial, files: &Files) -> Vec<Asked> {
        questions::questions(inputs, files)
    }

    async fn run(self, cx: &mut StepContext<'_>) -> Result<StackOutputs, StepError> {
        let wanted = Wanted::new(self, cx)?;
        let (mut pace, mut looks) = (Pace::default(), 0);
        while looks < MOST_LOOKS {
            cx.stop_here()?;
            match look_and_act(cx, &wanted).await {
                Ok(Some(stack)) => return Ok(StackOutputs::of(&stack)),
                Ok(None) => looks += 1,
                // Of a call that got no answer nobody knows what it did: the next look tells.
                Err(e) => pace.after(cx, e).await?,
            }
        }
        Err(StepError::failed(format!("the stack {} does not come to rest", wanted.inputs.name))
            .help("somebody else may be working on it: look at its events in the CloudFormation console"))
    }

    async fn probe(self, outputs: &serde_json::Value, cx: &mut StepContext<'_>) -> Result<Health, StepError> {
        let Some(stack) = calls::find(cx, &self.name).await? else {
            return Ok(Health::Lost(format!("the stack {} is gone", self.name)));
        };
        let status = status_of(&stack);
        if outputs.get("id").and_then(|id| id.as_str()) != stack.stack_id() {
            return Ok(Health::Lost(format!("the stack {} is another one now", self.name)));
        }
        Ok(match standing(Some(status)) {
            Standing::Good | Standing::Busy => Health::Good,
            Standing::Absent
            | Standing::Shell
            | Standing::NeverCreated
            | Standing::RollbackStuck
            | Standing::DeleteStuck
            | Standing::Unknown => Health::Lost(format!("the stack {} is in {status}", self.name)),
        })
    }
}

/// One look at the stack and the one move that follows from it; the stack, when it stands as wanted. An error that passes
/// by itself means: look again.
async fn look_and_act(cx: &mut StepContext<'_>, wanted: &Wanted) -> Result<Option<Stack>, StepError> {
    let Some(stack) = find_and_move(cx, wanted).await? else { return Ok(None) };
    protect(cx, wanted, &stack).await?;
    Ok(Some(stack))
}

async fn find_and_move(cx: &mut StepContext<'_>, wanted: &Wanted) -> Result<Option<Stack>, StepError> {
    let Some(stack) = calls::find(cx, &wanted.inputs.name).await? else {
        record_as_gone(cx).await?;
        return create(cx, wanted).await;
    };
    let standing = standing(Some(status_of(&stack)));
    let whose = whose(cx, &stack, wanted.inputs.adopt);
    let id = stack.stack_id().unwrap_or_default().to_owned();
    let ours = if standing == Standing::Busy { calls::our_operation(cx, &id).await? } else { None };
    match whose {
        Whose::Made => {
            cx.resource(KIND, &id, &wanted.inputs.name, Origin::Made).await?;
            settle_creation(cx).await?;
        }
        Whose::Adopted => cx.resource(KIND, &id, &wanted.inputs.name, Origin::Adopted).await?,
        Whose::Foreign => {}
    }
    match next_move(standing, whose, ours.is_some()) {
        Move::Create => create(cx, wanted).await,
        Move::Recreate => remove(cx, &stack).await.map(|()| None),
        Move::Attach => attach(cx, wanted, &id, &ours.expect("an attached operation is ours")).await.map(|()| None),
        Move::WaitAndLook => {
            cx.progress(format!("waiting for the end of an operation that is not ours ({})", status_of(&stack)));
            wait::until_settled(cx, &id, None, None).await.map(|_| None)
        }
        Move::Update => update::update(cx, wanted, &stack).await,
        Move::ContinueRollback => continue_rollback(cx, wanted, &id).await.map(|()| None),
        Move::RefuseForeign => Err(foreign(cx, &stack)),
        Move::RefuseState => {
            Err(StepError::refused(format!("the stack {} is in {}", wanted.inputs.name, status_of(&stack)))
                .because(stack.stack_status_reason().unwrap_or("the service gives no reason").to_owned())
                .help(
                    "this run did not make it, so hprun does not delete it: bring it to rest or delete it, then resume",
                ))
        }
    }
}

/// The stack is there, so a CreateStack whose answer was lost has happened: its token must not be sent again.
async fn settle_creation(cx: &mut StepContext<'_>) -> Result<(), StepError> {
    let open = |i: &&CallIntended| i.op == "create-stack" && cx.outcome_of(&i.token).is_none();
    let tokens: Vec<String> = cx.intents().filter(open).map(|i| i.token.clone()).collect();
    for token in tokens {
        cx.settle(&token, Ok(())).await?;
    }
    Ok(())
}

/// No stack is there, so those of this step that the record knows are gone.
async fn record_as_gone(cx: &mut StepContext<'_>) -> Result<(), StepError> {
    let gone: Vec<String> = cx.made_ids(KIND).into_iter().map(str::to_owned).collect();
    for id in gone {
        cx.record(Record::ResourceRemoved { kind: KIND.to_owned(), id }).await?;
    }
    Ok(())
}

/// Sends CreateStack and waits. `None` means: look again.
async fn create(cx: &mut StepContext<'_>, wanted: &Wanted) -> Result<Option<Stack>, StepError> {
    let name = &wanted.inputs.name;
    let template_url = wanted.upload_if_large(cx).await?;
    let request = wanted.record("create-stack");
    let token = cx.intend(Intent { op: "create-stack", kind: KIND, name, existed: false, request: &request }).await?;
    cx.progress("creating the stack");
    let tags = wanted.tags(cx.tags().into_iter().map(|(key, value)| (key.to_owned(), value)));
    let result = calls::create(cx, wanted, tags, template_url, &sent(&token)).await;
    let id = match cx.settle(&token, result).await {
        Ok(id) => id,
        // Ours from before a crash, or somebody was faster: its tags will tell.
        Err(e) if e.has_code("AlreadyExistsException") || is_spent(&e) => {
            cx.progress(format!("looking again: {}", e.message));
            return cx.sleep(LOOK_AGAIN_AFTER).await.map(|()| None);
        }
        Err(e) => return Err(e),
    };
    cx.resource(KIND, &id, name, Origin::Made).await?;
    let total = wanted.resources();
    let stack = wait::until_settled(cx, &id, Some(&sent(&token)), Some(total)).await?;
    if standing::succeeded(status_of(&stack)) { Ok(Some(stack)) } else { Err(failure(cx, &stack, &sent(&token)).await) }
}

/// Waits for an operation that we started before a crash; a failure of it is ours.
async fn attach(cx: &mut StepContext<'_>, wanted: &Wanted, id: &str, token: &str) -> Result<(), StepError> {
    let started = cx.intents().find(|i| sent(&i.token) == token).map(|i| (i.op.clone(), i.token.clone()));
    let (op, ours) = started.expect("our operation has an intent of ours");
    if cx.outcome_of(&ours).is_none() {
        cx.settle(&ours, Ok(())).await?;
    }
    let total = (op == "create-stack").then(|| wanted.resources());
    let stack = wait::until_settled(cx, id, Some(token), total).await?;
    match standing(Some(status_of(&stack))) {
        _ if op == "delete-stack" => settle_removal(cx, &stack, token).await,
        Standing::Good if standing::succeeded(status_of(&stack)) => Ok(()),
        Standing::Good
        | Standing::Absent
        | Standing::Shell
        | Standing::Busy
        | Standing::NeverCreated
        | Standing::RollbackStuck
        | Standing::DeleteStuck
        | Standing::Unknown => Err(failure(cx, &stack, token).await),
    }
}

/// Deletes a stack of this run that was never created, so that it can be made again.
async fn remove(cx: &mut StepContext<'_>, stack: &Stack) -> Result<(), StepError> {
    let (id, name) = (stack.stack_id().unwrap_or_default(), stack.stack_name().unwrap_or_default());
    cx.progress(format!("the stack of this run is in {}: deleting it, to make it again", status_of(stack)));
    let intent =
        Intent { op: "delete-stack", kind: KIND, name, existed: true, request: &serde_json::json!({ "id": id }) };
    let token = cx.intend(intent).await?;
    let result = calls::delete(cx, id, &sent(&token)).await;
    match cx.settle(&token, result).await {
        Ok(()) => {}
        Err(e) if is_spent(&e) => return cx.sleep(LOOK_AGAIN_AFTER).await,
        Err(e) => return Err(e),
    }
    let gone = wait::until_settled(cx, id, Some(&sent(&token)), None).await?;
    settle_removal(cx, &gone, &sent(&token)).await
}

async fn settle_removal(cx: &mut StepContext<'_>, stack: &Stack, token: &str) -> Result<(), StepError> {
    if standing(Some(status_of(stack))) != Standing::Absent {
        return Err(failure(cx, stack, token).await);
    }
    let id = stack.stack_id().unwrap_or_default().to_owned();
    cx.record(Record::ResourceRemoved { kind: KIND.to_owned(), id }).await
}

/// Lets a stuck rollback go on; the next look sees where that led. A second time in one attempt is a failure.
async fn continue_rollback(cx: &mut StepContext<'_>, wanted: &Wanted, id: &str) -> Result<(), StepError> {
    let name = &wanted.inputs.name;
    cx.progress("the rollback of an earlier update is stuck: letting it go on");
    let request = serde_json::json!({ "id": id });
    let intent = Intent { op: "continue-rollback", kind: KIND, name, existed: true, request: &request };
    let token = cx.intend(intent).await?;
    let result = calls::continue_rollback(cx, id, &sent(&token)).await;
    match cx.settle(&token, result).await {
        Ok(()) => {}
        // Also when the SDK sent it twice, because the first answer was lost.
        Err(e) if is_spent(&e) || e.message.contains("_IN_PROGRESS") => return cx.sleep(LOOK_AGAIN_AFTER).await,
        Err(e) => return Err(e),
    }
    let stack = wait::until_settled(cx, id, Some(&sent(&token)), None).await?;
    match standing(Some(status_of(&stack))) {
        Standing::RollbackStuck => Err(failure(cx, &stack, &sent(&token)).await),
        Standing::Good
        | Standing::Absent
        | Standing::Shell
        | Standing::Busy
        | Standing::NeverCreated
        | Standing::DeleteStuck
        | Standing::Unknown => Ok(()),
    }
}

/// Termination protection as the inputs say, once the stack stands: so a failed one can always be deleted.
async fn protect(cx: &mut StepContext<'_>, wanted: &Wanted, stack: &Stack) -> Result<(), StepError> {
    let Some(on) = wanted.inputs.termination_protection else { return Ok(()) };
    if stack.enable_termination_protection() == Some(on) {
        return Ok(());
    }
    let (id, name) = (stack.stack_id().unwrap_or_default(), &wanted.inputs.name);
    let request = serde_json::json!({ "id": id, "on": on });
    let intent = Intent { op: "termination-protection", kind: KIND, name, existed: true, request: &request };
    let token = cx.intend(intent).await?;
    let result = calls::protect(cx, id, on).await;
    cx.settle(&token, result).await
}

/// Whether the token was used by an operation that is over: what that came to is seen by looking, and the next call
/// has a new token.
fn is_spent(error: &StepError) -> bool {
    error.has_code("TokenAlreadyExistsException")
}

/// Whose the stack is: our record or our tags make it ours, and nothing else.
fn whose(cx: &StepContext<'_>, stack: &Stack, adopt: bool) -> Whose {
    let tag = |key: &str| stack.tags().iter().find(|t| t.key() == Some(key)).and_then(|t| t.value());
    let tagged = tag(TAG_RUN).is_some_and(|run| cx.is_ours(run)) && tag(TAG_STEP) == Some(cx.step);
    if tagged || cx.made(KIND, stack.stack_id().unwrap_or_default()) {
        Whose::Made
    } else if adopt {
        Whose::Adopted
    } else {
        Whose::Foreign
    }
}

fn status_of(stack: &Stack) -> &str {
    stack.stack_status().map(|s| s.as_str()).unwrap_or_default()
}

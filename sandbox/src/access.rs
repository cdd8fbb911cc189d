//! Whether the caller may do what a request asks for, when the world has a policy for it; and how each service says no.
//! Knows what actions requests and resources need (below), and nothing of what a service does with them.

mod eks;
mod requests;
mod s3;
mod stacks;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::iam::{CallerPolicy, Findings, Question, Verdict};
use crate::wire::{Call, Protocol, ServiceError, protocol_of};
use crate::world::{CALLER_ARN, Moment, OpenError, World, replace};

pub(crate) use stacks::{Change, Subject};

const FILE: &str = "policy.json";

/// The caller's policy, and all that was asked of it. Without a policy everything is allowed.
#[derive(Debug)]
pub struct Access {
    file: PathBuf,
    held: Mutex<Held>,
}

/// Under one lock: a question belongs to the policy that it was asked of, and two locks would be taken in two orders.
#[derive(Debug, Default)]
struct Held {
    policy: Option<CallerPolicy>,
    asked: BTreeSet<(String, String)>,
}

impl Access {
    /// The policy that the world had goes on, unless another one is given.
    pub(crate) fn open(world: &Path, given: Option<CallerPolicy>) -> Result<Access, OpenError> {
        let file = world.join(FILE);
        let access = Access { file, held: Mutex::default() };
        match given {
            Some(policy) => access.set(policy)?,
            None => access.lock().policy = access.kept()?,
        }
        Ok(access)
    }

    /// From now on the caller has this policy; the list of what was asked begins anew.
    ///
    /// # Errors
    /// When it cannot be kept on disk.
    pub fn set(&self, policy: CallerPolicy) -> std::io::Result<()> {
        replace(&self.file, policy.source().to_string().as_bytes())?;
        *self.lock() = Held { policy: Some(policy), asked: BTreeSet::new() };
        Ok(())
    }

    /// Every action with its resource that was asked for since the policy came, and the policy.
    pub(crate) fn told(&self) -> Value {
        let held = self.lock();
        let asked: Vec<Value> =
            held.asked.iter().map(|(action, resource)| json!({ "action": action, "resource": resource })).collect();
        json!({ "policy": held.policy.as_ref().map(CallerPolicy::source), "asked": asked })
    }

    /// What the caller's policy says of a question that somebody only wonders about; `None` without a policy.
    pub(crate) fn findings(&self, question: &Question) -> Option<Findings> {
        self.lock().policy.as_ref().map(|policy| policy.findings(question))
    }

    /// Why the caller may not do one of these; `None` when it may do all.
    fn refusal(&self, questions: &[Question], cx: &Moment<'_>) -> Option<String> {
        let Held { policy, asked } = &mut *self.lock();
        for question in questions {
            asked.insert((question.action.clone(), question.resource.clone()));
            let Some(policy) = policy else { continue };
            let mut question = question.clone();
            question.keys.push(("aws:RequestedRegion".to_owned(), cx.region.to_owned()));
            let Question { action, resource, .. } = &question;
            let why = match policy.verdict(&question) {
                Verdict::Allowed => continue,
                Verdict::NotAllowed => format!("because no identity-based policy allows the {action} action"),
                Verdict::Denied => "with an explicit deny in an identity-based policy".to_owned(),
            };
            return Some(format!(
                "User: {CALLER_ARN} is not authorized to perform: {action} on resource: {resource} {why}"
            ));
        }
        None
    }

    fn kept(&self) -> Result<Option<CallerPolicy>, OpenError> {
        let text = match std::fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let policy = CallerPolicy::parse(&text).map_err(|why| {
            std::io::Error::other(format!("{} holds no policy that the sandbox can read: {why}", self.file.display()))
        })?;
        Ok(Some(policy))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().expect("nothing panics while it holds the policy")
    }
}

/// The service's answer to a call that the caller may not make.
pub(crate) fn refusal(world: &World, call: &Call) -> Option<ServiceError> {
    let message = world.read(&call.region, |state, cx| {
        let questions = requests::questions(state, cx, call);
        cx.access.refusal(&questions, cx)
    })?;
    Some(denied(call, message))
}

/// The error of a resource that CloudFormation may not make, change or delete with the caller's rights.
pub(crate) fn of_resource(subject: &Subject<'_>, change: Change) -> Result<(), ServiceError> {
    let questions = stacks::questions(subject, change);
    match subject.cx.access.refusal(&questions, subject.cx) {
        None => Ok(()),
        Some(message) => Err(ServiceError::new(403, "AccessDenied", message)),
    }
}

/// A refusal in the words and the form of the call's service.
pub(crate) fn denied(call: &Call, message: String) -> ServiceError {
    match protocol_of(&call.service) {
        Protocol::Query | Protocol::RestXml => ServiceError::new(403, "AccessDenied", message),
        Protocol::Ec2 => {
            let text = format!("You are not authorized to perform this operation. {message}");
            ServiceError::new(403, "UnauthorizedOperation", text)
        }
        Protocol::Json11 => ServiceError::new(400, "AccessDeniedException", message),
        Protocol::RestJson => ServiceError::new(403, "AccessDeniedException", message),
    }
}

fn question(action: impl Into<String>, resource: impl Into<String>) -> Question {
    Question { action: action.into(), resource: resource.into(), keys: Vec::new() }
}

/// To hand a role to a service.
fn pass_role(role: &str, service: &str) -> Question {
    Question { keys: vec![("iam:PassedToService".to_owned(), service.to_owned())], ..question("iam:PassRole", role) }
}

/// To make a service's own role, if the account does not have it yet.
fn linked_role(state: &crate::world::State, cx: &Moment<'_>, service: &str) -> Option<Question> {
    let arn = crate::iam::missing_linked_role(state, cx, service)?;
    let keys = vec![("iam:AWSServiceName".to_owned(), service.to_owned())];
    Some(Question { keys, ..question("iam:CreateServiceLinkedRole", arn) })
}

/// `arn:aws:SERVICE:REGION:ACCOUNT:REST` of the world.
fn arn(cx: &Moment<'_>, service: &str, rest: &str) -> String {
    format!("arn:aws:{service}:{}:{}:{rest}", cx.region, cx.account)
}

//! IAM in the sandbox: roles and policies of the account, and whether a service may assume a role.
//! Global: every region sees the same. Users, groups and instance profiles are not part of it.

mod caller;
mod condition;
mod managed;
mod model;
mod policy;
mod requests;
mod resources;

use jiff::{SignedDuration, Timestamp};

use crate::wire::{Call, Reply, ServiceError};
use crate::world::{self, Moment, World};

pub use caller::{CallerPolicy, Question, Verdict};
pub use condition::ContextKey;
pub(crate) use condition::Findings;
pub use model::{Role, State};
pub use resources::*;

/// How long a new role or a changed trust policy stays unknown to the other services (it is some 10 s at AWS).
const SPREAD: SignedDuration = SignedDuration::from_secs(10);

/// Nothing here changes by itself: whoever waits for a role asks again.
pub fn next_due(_state: &world::State, _after: Timestamp) -> Option<Timestamp> {
    None
}

/// Nothing here changes by itself.
pub fn advance(_state: &mut world::State, _cx: &Moment<'_>) -> bool {
    false
}

/// Answers a call.
///
/// # Errors
/// IAM's own, and the sandbox's for what is not part of it.
pub fn handle(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    world.with(&call.region, |state, cx| {
        // What is refused changes nothing, also when the fault is found late, such as a parameter that nothing took.
        let before = state.iam.clone();
        requests::answer(state, cx, call).inspect_err(|_| state.iam = before)
    })
}

/// Whether a service such as `sagemaker.amazonaws.com` can assume a role now.
///
/// # Errors
/// Why not, in words that a service can put into its own error.
pub fn can_assume(state: &world::State, cx: &Moment<'_>, role_arn: &str, service: &str) -> Result<(), String> {
    let role = state.iam.role_of_arn(role_arn).ok_or_else(|| format!("the role {role_arn} does not exist"))?;
    if cx.now < role.trust_since + SPREAD {
        return Err(format!("the role {role_arn} cannot be assumed by {service} yet"));
    }
    if !policy::trusts(&role.trust, service) {
        return Err(format!("the trust policy of role {role_arn} does not allow {service} to assume it"));
    }
    Ok(())
}

/// Whether the role's policies allow an action such as `s3:GetObject` on a resource ARN. Conditions are not looked at: an allowing
/// statement counts as if they were met, a denying one as if they were not.
pub fn allows(state: &world::State, role_arn: &str, action: &str, resource: &str) -> bool {
    state.iam.role_of_arn(role_arn).is_some_and(|role| state.iam.decide(role, action, resource) == Verdict::Allowed)
}

/// The role of this ARN.
pub fn role<'a>(state: &'a world::State, role_arn: &str) -> Option<&'a Role> {
    state.iam.role_of_arn(role_arn)
}

/// The ARN of the service-linked role of a service, if the account does not have it yet.
pub(crate) fn missing_linked_role(state: &world::State, cx: &Moment<'_>, service: &str) -> Option<String> {
    let linked = managed::linked_role(service)?;
    let arn = format!("arn:aws:iam::{}:role/aws-service-role/{service}/{}", cx.account, linked.role);
    state.iam.role_of_arn(&arn).is_none().then_some(arn)
}

/// The ARN of the role of this name, also of one that is not there (its path is not known then).
pub(crate) fn arn_of_role(state: &world::State, name: &str, account: &str) -> String {
    let found = state.iam.roles.get(name).map(|role| role.arn.clone());
    found.unwrap_or_else(|| format!("arn:aws:iam::{account}:role/{name}"))
}

/// Makes the service-linked role of a service if the account has none, as services do on their first use; gives its ARN.
pub fn ensure_service_linked_role(state: &mut world::State, cx: &Moment<'_>, service: &str) -> Option<String> {
    let linked = managed::linked_role(service)?;
    let arn = format!("arn:aws:iam::{}:role/aws-service-role/{service}/{}", cx.account, linked.role);
    if state.iam.role_of_arn(&arn).is_none() {
        requests::add_linked_role(state, cx, service, linked).ok()?;
    }
    Some(arn)
}

/// An error as IAM gives it.
fn fault(status: u16, code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError::new(status, code, message)
}

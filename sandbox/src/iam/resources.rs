//! IAM's resources for CloudFormation: roles, inline policies and managed policies.
//! Knows nothing of stacks.

use jiff::Timestamp;
use serde_json::{Map, json};

use super::model::{NewRole, Policy};
use crate::cfn_resource::properties::{Properties, invalid};
use crate::cfn_resource::{Created, Given, Made, Readiness, Tags};
use crate::wire::ServiceError;
use crate::world::{Moment, State};

const ROLE: &[&str] = &[
    "RoleName",
    "Path",
    "AssumeRolePolicyDocument",
    "Description",
    "ManagedPolicyArns",
    "Policies",
    "MaxSessionDuration",
    "Tags",
];

/// Makes `AWS::IAM::Role` with its policies; its id is the role's name.
pub fn create_role(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, ROLE)?;
    let name = given.need("RoleName")?;
    let trust = given.need_document("AssumeRolePolicyDocument")?;
    let new = NewRole {
        name: name.clone(),
        path: given.text("Path"),
        trust,
        description: given.text("Description"),
        max_session: given.number("MaxSessionDuration")?,
        tags: vec![],
        linked: false,
    };
    let before = state.iam.clone();
    state.iam.add_role(&mut state.ids, new, cx.now)?;
    let made = update_role(state, cx, &name, properties, tags);
    if made.is_err() {
        state.iam = before;
    }
    made
}

/// Changes what `AWS::IAM::Role` may do and who may assume it.
pub fn update_role(state: &mut State, cx: &Moment<'_>, id: &str, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, ROLE)?;
    let role = state.iam.role_mut(id)?;
    if let Some(trust) = given.document("AssumeRolePolicyDocument").filter(|trust| *trust != role.trust) {
        super::policy::check(&trust, true)?;
        role.trust = trust;
        role.trust_since = cx.now;
    }
    role.description = given.text("Description");
    role.tags = given.tags(tags)?;
    role.attached.clear();
    role.inline.clear();
    for arn in given.texts("ManagedPolicyArns")? {
        state.iam.attach(id, &arn)?;
    }
    for policy in given.objects("Policies")? {
        let policy = Properties::of(policy, &["PolicyName", "PolicyDocument"])?;
        let document = policy.need_document("PolicyDocument")?;
        state.iam.put_inline(id, &policy.need("PolicyName")?, &document)?;
    }
    let role = state.iam.role(id)?;
    let attributes = json!({ "Arn": role.arn, "RoleId": role.id });
    Ok(Made::new(id, attributes))
}

/// Whether `AWS::IAM::Role` can be used by the other services: CloudFormation waits for that.
pub fn ready_role(state: &State, cx: &Moment<'_>, id: &str) -> Readiness {
    match state.iam.role(id) {
        Ok(role) if cx.now < role.created + super::SPREAD => Readiness::Busy,
        Ok(_) | Err(_) => Readiness::Ready(Map::new()),
    }
}

/// Deletes `AWS::IAM::Role` with the policies it has; CloudFormation detaches them first.
pub fn delete_role(state: &mut State, _cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    let Ok(role) = state.iam.role_mut(id) else {
        return Ok(());
    };
    role.attached.clear();
    role.inline.clear();
    state.iam.remove_role(id)
}

/// Makes `AWS::IAM::Policy`: an inline policy in each of its roles; its id is `NAME|ROLE,ROLE`.
pub fn create_policy(state: &mut State, _cx: &Moment<'_>, properties: Given<'_>, _tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, &["PolicyName", "PolicyDocument", "Roles"])?;
    let (name, roles) = (given.need("PolicyName")?, given.texts("Roles")?);
    let document = given.need_document("PolicyDocument")?;
    if roles.is_empty() {
        return Err(invalid("At least one of [Groups,Roles,Users] must be non-empty."));
    }
    for role in &roles {
        state.iam.role(role)?;
    }
    for role in &roles {
        state.iam.put_inline(role, &name, &document)?;
    }
    Ok(Made { id: format!("{name}|{}", roles.join(",")), attributes: Map::new() })
}

/// Writes the changed document of `AWS::IAM::Policy` into its roles, and takes it out of roles no longer named.
pub fn update_policy(state: &mut State, cx: &Moment<'_>, id: &str, properties: Given<'_>, tags: Tags<'_>) -> Created {
    delete_policy(state, cx, id)?;
    create_policy(state, cx, properties, tags)
}

/// Deletes `AWS::IAM::Policy`.
pub fn delete_policy(state: &mut State, _cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    let (name, roles) = id.split_once('|').unwrap_or((id, ""));
    for role in roles.split(',') {
        if let Ok(role) = state.iam.role_mut(role) {
            role.inline.remove(name);
        }
    }
    Ok(())
}

const MANAGED: &[&str] = &["ManagedPolicyName", "Path", "PolicyDocument", "Description", "Roles"];

/// Makes `AWS::IAM::ManagedPolicy`; its id is its ARN.
pub fn create_managed_policy(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, _tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, MANAGED)?;
    let before = state.iam.clone();
    let new = policy_of(given, cx.now)?;
    let arn = state.iam.add_policy(&mut state.ids, new)?;
    for role in given.texts("Roles")? {
        if let Err(error) = state.iam.attach(&role, &arn) {
            state.iam = before;
            return Err(error);
        }
    }
    let id = state.iam.policies[&arn].id.clone();
    let attributes = json!({ "PolicyArn": arn, "PolicyId": id, "DefaultVersionId": "v1", "IsAttachable": true });
    Ok(Made::new(arn, attributes))
}

/// Changes the document and the roles of `AWS::IAM::ManagedPolicy`.
pub fn update_managed_policy(
    state: &mut State,
    cx: &Moment<'_>,
    id: &str,
    properties: Given<'_>,
    _tags: Tags<'_>,
) -> Created {
    let given = Properties::of(properties, MANAGED)?;
    let document = policy_of(given, cx.now)?.document;
    super::policy::check(&document, false)?;
    let missing = || super::fault(404, "NoSuchEntity", format!("Policy {id} was not found."));
    state.iam.policies.get_mut(id).ok_or_else(missing)?.document = document;
    let roles = given.texts("Roles")?;
    for role in state.iam.roles.values_mut().filter(|role| !roles.contains(&role.name)) {
        role.attached.retain(|arn| arn != id);
    }
    for role in roles {
        state.iam.attach(&role, id)?;
    }
    Ok(Made { id: id.to_owned(), attributes: Map::new() })
}

fn policy_of(given: Properties<'_>, now: Timestamp) -> Result<Policy, ServiceError> {
    Ok(Policy {
        name: given.need("ManagedPolicyName")?,
        path: given.text("Path").unwrap_or_default(),
        id: String::new(),
        arn: String::new(),
        document: given.need_document("PolicyDocument")?,
        description: given.text("Description"),
        tags: vec![],
        created: now,
    })
}

/// Deletes `AWS::IAM::ManagedPolicy`; CloudFormation detaches it first.
pub fn delete_managed_policy(state: &mut State, _cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    for role in state.iam.roles.values_mut() {
        role.attached.retain(|arn| arn != id);
    }
    state.iam.policies.remove(id);
    Ok(())
}

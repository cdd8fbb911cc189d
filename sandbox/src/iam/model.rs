//! What IAM keeps: roles and the account's own managed policies, and the rules for changing them.
//! Knows nothing of the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

use super::condition::{ContextKey, Findings};
use super::{Verdict, fault, managed, policy};
use crate::wire::ServiceError;
use crate::world::{ACCOUNT, CALLER_ROLE_ARN, Ids};

/// Managed policies a role may have (the default quota).
const ATTACHED_QUOTA: usize = 10;

/// The account's roles and policies. A new account has the caller's role.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    pub(super) roles: BTreeMap<String, Role>,
    /// The account's own managed policies, by ARN.
    pub(super) policies: BTreeMap<String, Policy>,
}

impl Default for State {
    fn default() -> State {
        let trust = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}},"Action":"sts:AssumeRole"}}]}}"#
        );
        let role = Role {
            name: "HprunSandbox".into(),
            path: "/".into(),
            id: "AROAHPRUNSANDBOX00000".into(),
            arn: CALLER_ROLE_ARN.into(),
            trust,
            trust_since: Timestamp::UNIX_EPOCH,
            description: Some("The caller of every sandbox".into()),
            max_session: 3600,
            attached: vec!["arn:aws:iam::aws:policy/AdministratorAccess".into()],
            inline: BTreeMap::new(),
            tags: vec![],
            created: Timestamp::UNIX_EPOCH,
            linked: false,
        };
        State { roles: BTreeMap::from([(role.name.clone(), role)]), policies: BTreeMap::new() }
    }
}

/// A role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Role {
    /// Unique in the account, whatever the path.
    pub name: String,
    /// Begins and ends with `/`.
    pub path: String,
    /// Such as `AROA…`.
    pub id: String,
    /// With the path in it.
    pub arn: String,
    /// The trust policy, as JSON text.
    pub trust: String,
    /// Since when the trust policy stands: other services see it some seconds later.
    pub trust_since: Timestamp,
    pub(super) description: Option<String>,
    pub(super) max_session: i64,
    /// ARNs of attached managed policies.
    pub attached: Vec<String>,
    /// Inline policies: name to JSON text.
    pub inline: BTreeMap<String, String>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) created: Timestamp,
    pub(super) linked: bool,
}

/// A managed policy of the account's own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Policy {
    pub name: String,
    pub path: String,
    pub id: String,
    pub arn: String,
    pub document: String,
    pub description: Option<String>,
    pub tags: Vec<(String, String)>,
    pub created: Timestamp,
}

/// What a new role is to be.
#[derive(Debug, Default)]
pub(super) struct NewRole {
    pub name: String,
    pub path: Option<String>,
    pub trust: String,
    pub description: Option<String>,
    pub max_session: Option<i64>,
    pub tags: Vec<(String, String)>,
    pub linked: bool,
}

impl State {
    /// The role of this ARN.
    pub(super) fn role_of_arn(&self, arn: &str) -> Option<&Role> {
        self.roles.get(arn.rsplit('/').next()?).filter(|role| role.arn == arn)
    }

    /// The role of this name, or IAM's error.
    pub(super) fn role(&self, name: &str) -> Result<&Role, ServiceError> {
        self.roles.get(name).ok_or_else(|| no_role(name))
    }

    /// The role of this name, to change.
    pub(super) fn role_mut(&mut self, name: &str) -> Result<&mut Role, ServiceError> {
        self.roles.get_mut(name).ok_or_else(|| no_role(name))
    }

    /// Makes a role.
    pub(super) fn add_role(&mut self, ids: &mut Ids, new: NewRole, now: Timestamp) -> Result<(), ServiceError> {
        check_name("roleName", &new.name, 64)?;
        let path = checked_path(new.path)?;
        if self.roles.contains_key(&new.name) {
            let text = format!("Role with name {} already exists.", new.name);
            return Err(fault(409, "EntityAlreadyExists", text));
        }
        policy::check(&new.trust, true)?;
        let max_session = new.max_session.unwrap_or(3600);
        if !(3600..=43200).contains(&max_session) {
            let text = format!(
                "1 validation error detected: Value '{max_session}' at 'maxSessionDuration' failed to satisfy constraint: Member must have value between 3600 and 43200"
            );
            return Err(fault(400, "ValidationError", text));
        }
        let role = Role {
            arn: format!("arn:aws:iam::{ACCOUNT}:role{path}{}", new.name),
            id: format!("AROA{}", ids.hex(17).to_uppercase()),
            name: new.name,
            path,
            trust: new.trust,
            trust_since: now,
            description: new.description,
            max_session,
            attached: vec![],
            inline: BTreeMap::new(),
            tags: new.tags,
            created: now,
            linked: new.linked,
        };
        self.roles.insert(role.name.clone(), role);
        Ok(())
    }

    /// Deletes a role that has no policies left.
    pub(super) fn remove_role(&mut self, name: &str) -> Result<(), ServiceError> {
        let role = self.role(name)?;
        if role.linked {
            let text = format!(
                "Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
            );
            return Err(fault(400, "UnmodifiableEntity", text));
        }
        if !role.attached.is_empty() {
            return Err(fault(409, "DeleteConflict", "Cannot delete entity, must detach all policies first."));
        }
        if !role.inline.is_empty() {
            return Err(fault(409, "DeleteConflict", "Cannot delete entity, must delete policies first."));
        }
        self.roles.remove(name);
        Ok(())
    }

    /// Attaches a managed policy that AWS or the account has.
    pub(super) fn attach(&mut self, role: &str, arn: &str) -> Result<(), ServiceError> {
        if self.document(arn).is_none() {
            let text = format!("Policy {arn} does not exist or is not attachable.");
            return Err(fault(404, "NoSuchEntity", text));
        }
        let role = self.role_mut(role)?;
        if role.attached.iter().any(|a| a == arn) {
            return Ok(());
        }
        if role.attached.len() >= ATTACHED_QUOTA {
            let text = format!("Cannot exceed quota for PoliciesPerRole: {ATTACHED_QUOTA}");
            return Err(fault(409, "LimitExceeded", text));
        }
        role.attached.push(arn.to_owned());
        Ok(())
    }

    /// Detaches a managed policy.
    pub(super) fn detach(&mut self, role: &str, arn: &str) -> Result<(), ServiceError> {
        let role = self.role_mut(role)?;
        let at = role.attached.iter().position(|a| a == arn);
        let at = at.ok_or_else(|| fault(404, "NoSuchEntity", format!("Policy {arn} was not found.")))?;
        role.attached.remove(at);
        Ok(())
    }

    /// Writes an inline policy.
    pub(super) fn put_inline(&mut self, role: &str, name: &str, document: &str) -> Result<(), ServiceError> {
        check_name("policyName", name, 128)?;
        policy::check(document, false)?;
        self.role_mut(role)?.inline.insert(name.to_owned(), document.to_owned());
        Ok(())
    }

    /// Makes a managed policy of the account's own; gives its ARN.
    pub(super) fn add_policy(&mut self, ids: &mut Ids, mut new: Policy) -> Result<String, ServiceError> {
        check_name("policyName", &new.name, 128)?;
        policy::check(&new.document, false)?;
        new.path = checked_path(Some(new.path).filter(|path| !path.is_empty()))?;
        new.arn = format!("arn:aws:iam::{ACCOUNT}:policy{}{}", new.path, new.name);
        new.id = format!("ANPA{}", ids.hex(17).to_uppercase());
        if self.policies.values().any(|policy| policy.name == new.name) {
            let text = format!("A policy called {} already exists. Duplicate names are not allowed.", new.name);
            return Err(fault(409, "EntityAlreadyExists", text));
        }
        let arn = new.arn.clone();
        self.policies.insert(arn.clone(), new);
        Ok(arn)
    }

    /// Deletes a managed policy of the account's own that is attached nowhere.
    pub(super) fn remove_policy(&mut self, arn: &str) -> Result<(), ServiceError> {
        if !self.policies.contains_key(arn) {
            return Err(fault(404, "NoSuchEntity", format!("Policy {arn} was not found.")));
        }
        if self.attachments(arn) > 0 {
            return Err(fault(409, "DeleteConflict", "Cannot delete a policy attached to entities."));
        }
        self.policies.remove(arn);
        Ok(())
    }

    /// How many roles have a managed policy.
    pub(super) fn attachments(&self, arn: &str) -> usize {
        self.roles.values().filter(|role| role.attached.iter().any(|a| a == arn)).count()
    }

    /// The document of a managed policy, AWS's or the account's.
    pub(super) fn document(&self, arn: &str) -> Option<Value> {
        let own = || self.policies.get(arn).and_then(|policy| serde_json::from_str(&policy.document).ok());
        managed::document(arn).or_else(own)
    }

    /// What a role's policies say of an action on a resource, whatever the circumstances.
    pub(super) fn decide(&self, role: &Role, action: &str, resource: &str) -> Verdict {
        policy::decide(self.documents(role).iter(), action, resource)
    }

    /// The same under circumstances that are given, as AWS's simulation weighs them.
    pub(super) fn simulate(
        &self,
        role: &Role,
        (action, resource): (&str, &str),
        given: &[ContextKey],
    ) -> Result<Findings, String> {
        policy::findings(self.documents(role).iter(), (action, resource), given)
    }

    fn documents(&self, role: &Role) -> Vec<Value> {
        let attached = role.attached.iter().filter_map(|arn| self.document(arn));
        let inline = role.inline.values().filter_map(|text| serde_json::from_str(text).ok());
        attached.chain(inline).collect()
    }
}

fn no_role(name: &str) -> ServiceError {
    fault(404, "NoSuchEntity", format!("The role with name {name} cannot be found."))
}

fn check_name(member: &str, name: &str, longest: usize) -> Result<(), ServiceError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !name.is_empty() && name.len() <= longest && name.chars().all(fine) {
        return Ok(());
    }
    let constraint = match name.len() > longest {
        true => format!("Member must have length less than or equal to {longest}"),
        false => "Member must satisfy regular expression pattern: [\\w+=,.@-]+".to_owned(),
    };
    let text =
        format!("1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: {constraint}");
    Err(fault(400, "ValidationError", text))
}

fn checked_path(path: Option<String>) -> Result<String, ServiceError> {
    let path = path.unwrap_or_else(|| "/".into());
    if path.starts_with('/') && path.ends_with('/') && path.len() <= 512 {
        return Ok(path);
    }
    let text = "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.";
    Err(fault(400, "ValidationError", text))
}

//! The calls of IAM about roles and policies.
//! Reads forms, writes XML; the rules are in `model`.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::condition::Findings;
use super::managed::{LinkedRole, linked_role};
use super::model::{NewRole, Policy, Role};
use super::{ContextKey, Question, Verdict, fault, policy};
use crate::wire::{Call, Form, Reply, ServiceError, Xml, iso8601};
use crate::world::{CALLER_ROLE_ARN, Moment, State};

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// Answers a call.
pub(super) fn answer(state: &mut State, cx: &Moment<'_>, call: &Call) -> Result<Reply, ServiceError> {
    let form = call.form();
    match call.operation.as_str() {
        "CreateRole" | "CreateServiceLinkedRole" => create_role(state, cx, call, form),
        "GetRole" | "ListRoles" | "ListRoleTags" => look_at_roles(state, call, form),
        "ListAttachedRolePolicies" | "ListRolePolicies" | "GetRolePolicy" => look_at_role_policies(state, call, form),
        "CreatePolicy" | "GetPolicy" | "GetPolicyVersion" => policies(state, cx, call, form),
        "SimulatePrincipalPolicy" => simulate(state, cx, call, form),
        _ => change(state, cx, call, form),
    }
}

/// Calls whose answer is empty.
fn change(state: &mut State, cx: &Moment<'_>, call: &Call, mut form: Form) -> Result<Reply, ServiceError> {
    let iam = &mut state.iam;
    match call.operation.as_str() {
        "DeleteRole" => iam.remove_role(&form.need("RoleName")?)?,
        "AttachRolePolicy" => iam.attach(&form.need("RoleName")?, &form.need("PolicyArn")?)?,
        "DetachRolePolicy" => iam.detach(&form.need("RoleName")?, &form.need("PolicyArn")?)?,
        "PutRolePolicy" => {
            let (role, name) = (form.need("RoleName")?, form.need("PolicyName")?);
            iam.put_inline(&role, &name, &form.need("PolicyDocument")?)?;
        }
        "DeleteRolePolicy" => {
            let (role, name) = (form.need("RoleName")?, form.need("PolicyName")?);
            iam.role_mut(&role)?.inline.remove(&name).ok_or_else(|| no_policy(&name))?;
        }
        "DeletePolicy" => iam.remove_policy(&form.need("PolicyArn")?)?,
        "UpdateAssumeRolePolicy" => {
            let (name, trust) = (form.need("RoleName")?, form.need("PolicyDocument")?);
            policy::check(&trust, true)?;
            let role = iam.role_mut(&name)?;
            role.trust = trust;
            role.trust_since = cx.now;
        }
        "TagRole" => {
            let (name, tags) = (form.need("RoleName")?, tags(&mut form)?);
            let role = iam.role_mut(&name)?;
            role.tags.retain(|(key, _)| !tags.iter().any(|(new, _)| new == key));
            role.tags.extend(tags);
        }
        "UntagRole" => {
            let (name, keys) = (form.need("RoleName")?, form.texts("TagKeys"));
            iam.role_mut(&name)?.tags.retain(|(key, _)| !keys.contains(key));
        }
        _ => return Err(call.not_part()),
    }
    form.finish()?;
    Ok(empty(call))
}

/// An answer without a result element, as IAM gives it.
fn empty(call: &Call) -> Reply {
    let mut xml = Xml::document();
    let tag = format!("{}Response", call.operation);
    xml.open_ns(&tag, NAMESPACE);
    xml.nest("ResponseMetadata", |xml| xml.text("RequestId", &call.request_id));
    xml.close(&tag);
    Reply::new(http::StatusCode::OK, "text/xml", xml.finish())
}

fn tags(form: &mut Form) -> Result<Vec<(String, String)>, ServiceError> {
    let pair = |mut tag: Form| {
        let pair = (tag.need("Key")?, tag.need("Value")?);
        tag.finish().map(|()| pair)
    };
    form.list("Tags").into_iter().map(pair).collect()
}

fn create_role(state: &mut State, cx: &Moment<'_>, call: &Call, mut form: Form) -> Result<Reply, ServiceError> {
    let name = if call.operation == "CreateRole" {
        let new = NewRole {
            name: form.need("RoleName")?,
            path: form.take("Path"),
            trust: form.need("AssumeRolePolicyDocument")?,
            description: form.take("Description"),
            max_session: form.number("MaxSessionDuration")?,
            tags: tags(&mut form)?,
            linked: false,
        };
        form.finish()?;
        let name = new.name.clone();
        state.iam.add_role(&mut state.ids, new, cx.now)?;
        name
    } else {
        let (service, _description) = (form.need("AWSServiceName")?, form.take("Description"));
        form.finish()?;
        let linked = linked_role(&service)
            .ok_or_else(|| ServiceError::not_part(format!("the service-linked role of {service}")))?;
        if state.iam.role(linked.role).is_ok() {
            let text = format!(
                "Service role name {} has been taken in this account, please try a different suffix.",
                linked.role
            );
            return Err(fault(400, "InvalidInput", text));
        }
        add_linked_role(state, cx, &service, linked)?;
        linked.role.to_owned()
    };
    let role = state.iam.role(&name)?;
    Ok(Reply::query(call, NAMESPACE, |xml| xml.nest("Role", |xml| write_role(xml, role))))
}

/// Makes a service's own role.
pub(super) fn add_linked_role(
    state: &mut State,
    cx: &Moment<'_>,
    service: &str,
    linked: LinkedRole,
) -> Result<(), ServiceError> {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }],
    });
    let new = NewRole {
        name: linked.role.to_owned(),
        path: Some(format!("/aws-service-role/{service}/")),
        trust: trust.to_string(),
        linked: true,
        ..NewRole::default()
    };
    state.iam.add_role(&mut state.ids, new, cx.now)?;
    state.iam.attach(linked.role, linked.policy)
}

fn look_at_roles(state: &State, call: &Call, mut form: Form) -> Result<Reply, ServiceError> {
    if call.operation == "ListRoles" {
        let prefix = form.take("PathPrefix").unwrap_or_else(|| "/".into());
        let page = Page::take(&mut form)?;
        form.finish()?;
        let roles = state.iam.roles.values().filter(|role| role.path.starts_with(&prefix)).collect();
        let (roles, next) = page.cut(roles);
        return Ok(Reply::query(call, NAMESPACE, |xml| {
            xml.list("Roles", "member", roles, |xml, role: &Role| write_role(xml, role));
            truncated(xml, next);
        }));
    }
    let role = state.iam.role(&form.need("RoleName")?)?;
    if call.operation == "GetRole" {
        form.finish()?;
        return Ok(Reply::query(call, NAMESPACE, |xml| {
            xml.nest("Role", |xml| {
                write_role(xml, role);
                write_tags(xml, &role.tags);
            });
        }));
    }
    let page = Page::take(&mut form)?;
    form.finish()?;
    let (tags, next) = page.cut(role.tags.clone());
    Ok(Reply::query(call, NAMESPACE, |xml| {
        write_tags(xml, &tags);
        truncated(xml, next);
    }))
}

fn write_role(xml: &mut Xml, role: &Role) {
    xml.text("Path", &role.path);
    xml.text("RoleName", &role.name);
    xml.text("RoleId", &role.id);
    xml.text("Arn", &role.arn);
    xml.text("CreateDate", iso8601(role.created));
    xml.text("AssumeRolePolicyDocument", encoded(&role.trust));
    xml.maybe("Description", role.description.as_ref());
    xml.text("MaxSessionDuration", role.max_session);
}

fn write_tags(xml: &mut Xml, tags: &[(String, String)]) {
    xml.list("Tags", "member", tags, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}

/// IAM gives policy documents percent-encoded (RFC 3986).
fn encoded(document: &str) -> String {
    utf8_percent_encode(document, NON_ALPHANUMERIC).to_string()
}

fn look_at_role_policies(state: &State, call: &Call, mut form: Form) -> Result<Reply, ServiceError> {
    let role = state.iam.role(&form.need("RoleName")?)?;
    if call.operation == "GetRolePolicy" {
        let name = form.need("PolicyName")?;
        form.finish()?;
        let document = role.inline.get(&name).ok_or_else(|| no_policy(&name))?;
        return Ok(Reply::query(call, NAMESPACE, |xml| {
            xml.text("RoleName", &role.name);
            xml.text("PolicyName", &name);
            xml.text("PolicyDocument", encoded(document));
        }));
    }
    let attached = call.operation == "ListAttachedRolePolicies";
    let page = Page::take(&mut form)?;
    if attached && let Some(prefix) = form.take("PathPrefix").filter(|prefix| prefix != "/") {
        return Err(ServiceError::not_part(format!("PathPrefix {prefix} of ListAttachedRolePolicies")));
    }
    form.finish()?;
    let names = if attached { role.attached.clone() } else { role.inline.keys().cloned().collect() };
    let (names, next) = page.cut(names);
    Ok(Reply::query(call, NAMESPACE, |xml| {
        if attached {
            xml.list("AttachedPolicies", "member", names, |xml, arn| {
                xml.text("PolicyName", arn.rsplit('/').next().unwrap_or_default());
                xml.text("PolicyArn", arn);
            });
        } else {
            xml.list("PolicyNames", "member", names, |xml, name| xml.inner(name));
        }
        truncated(xml, next);
    }))
}

fn policies(state: &mut State, cx: &Moment<'_>, call: &Call, mut form: Form) -> Result<Reply, ServiceError> {
    let arn = if call.operation == "CreatePolicy" {
        let new = Policy {
            name: form.need("PolicyName")?,
            path: form.take("Path").unwrap_or_default(),
            id: String::new(),
            arn: String::new(),
            document: form.need("PolicyDocument")?,
            description: form.take("Description"),
            tags: tags(&mut form)?,
            created: cx.now,
        };
        state.iam.add_policy(&mut state.ids, new)?
    } else {
        form.need("PolicyArn")?
    };
    let missing = || fault(404, "NoSuchEntity", format!("Policy {arn} was not found."));
    let document = state.iam.document(&arn).ok_or_else(missing)?;
    let own = state.iam.policies.get(&arn);
    let created = iso8601(own.map_or(jiff::Timestamp::UNIX_EPOCH, |policy| policy.created));
    if call.operation == "GetPolicyVersion" {
        let version = form.need("VersionId")?;
        form.finish()?;
        if version != "v1" {
            let text = format!("Policy {arn} version {version} does not exist or is not attachable.");
            return Err(fault(404, "NoSuchEntity", text));
        }
        return Ok(Reply::query(call, NAMESPACE, |xml| {
            xml.nest("PolicyVersion", |xml| {
                xml.text("Document", encoded(&document.to_string()));
                xml.text("VersionId", "v1");
                xml.text("IsDefaultVersion", true);
                xml.text("CreateDate", &created);
            });
        }));
    }
    form.finish()?;
    let name = arn.rsplit('/').next().unwrap_or_default();
    Ok(Reply::query(call, NAMESPACE, |xml| {
        xml.nest("Policy", |xml| {
            xml.text("PolicyName", name);
            xml.text("PolicyId", own.map_or("ANPAHPRUNSANDBOX00000", |policy| &policy.id));
            xml.text("Arn", &arn);
            xml.text("Path", own.map_or("/", |policy| &policy.path));
            xml.text("DefaultVersionId", "v1");
            xml.text("AttachmentCount", state.iam.attachments(&arn));
            xml.text("PermissionsBoundaryUsageCount", 0);
            xml.text("IsAttachable", true);
            xml.maybe("Description", own.and_then(|policy| policy.description.as_ref()));
            xml.text("CreateDate", &created);
            xml.text("UpdateDate", &created);
            if let Some(policy) = own {
                write_tags(xml, &policy.tags);
            }
        });
    }))
}

/// What a role may do; the caller's own, by the policy that the world has for it.
fn simulate(state: &State, cx: &Moment<'_>, call: &Call, mut form: Form) -> Result<Reply, ServiceError> {
    let (source, actions) = (form.need("PolicySourceArn")?, form.texts("ActionNames"));
    let mut resources = form.texts("ResourceArns");
    let mut given = context(&mut form)?;
    form.finish()?;
    let missing = || fault(404, "NoSuchEntity", format!("The principal {source} cannot be found."));
    let role = state.iam.role_of_arn(&source).ok_or_else(missing)?;
    if resources.is_empty() {
        resources.push("*".into());
    }
    if !given.iter().any(|(key, _)| key.eq_ignore_ascii_case(PRINCIPAL_ACCOUNT)) {
        given.push((PRINCIPAL_ACCOUNT.to_owned(), cx.account.to_owned()));
    }
    let one = |action: &str, resource: &str| {
        let question = Question { action: action.to_owned(), resource: resource.to_owned(), keys: given.clone() };
        match cx.access.findings(&question).filter(|_| source == CALLER_ROLE_ARN) {
            Some(findings) => Ok(findings),
            None => state.iam.simulate(role, (action, resource), &given).map_err(ServiceError::not_part),
        }
    };
    let mut results = Vec::new();
    for action in &actions {
        let each: Result<Vec<Findings>, _> = resources.iter().map(|resource| one(action, resource)).collect();
        results.push((action, each?));
    }
    Ok(Reply::query(call, NAMESPACE, |xml| {
        xml.list("EvaluationResults", "member", results, |xml, (action, each)| {
            write_result(xml, action, resources.iter().zip(&each).collect());
        });
        xml.text("IsTruncated", false);
    }))
}

/// The simulation knows whose policies they are.
const PRINCIPAL_ACCOUNT: &str = "aws:PrincipalAccount";

/// `ContextEntries`: a key with its values, whatever their type.
fn context(form: &mut Form) -> Result<Vec<ContextKey>, ServiceError> {
    let mut given = Vec::new();
    for mut entry in form.list("ContextEntries") {
        let (key, _kind) = (entry.need("ContextKeyName")?, entry.need("ContextKeyType")?);
        given.extend(entry.texts("ContextKeyValues").into_iter().map(|value| (key.clone(), value)));
        entry.finish()?;
    }
    Ok(given)
}

/// One result for the action: the strictest of those of its resources, which follow one by one.
fn write_result(xml: &mut Xml, action: &str, each: Vec<(&String, &Findings)>) {
    let strictest = each.iter().map(|(_, findings)| findings.verdict()).max_by_key(|verdict| match verdict {
        Verdict::Allowed => 0,
        Verdict::NotAllowed => 1,
        Verdict::Denied => 2,
    });
    let decision = |verdict: Verdict| match verdict {
        Verdict::Allowed => "allowed",
        Verdict::NotAllowed => "implicitDeny",
        Verdict::Denied => "explicitDeny",
    };
    let missing = |xml: &mut Xml, keys: Vec<&String>| {
        xml.list("MissingContextValues", "member", keys, |xml, key| xml.inner(key));
    };
    let mut all: Vec<&String> = each.iter().flat_map(|(_, findings)| &findings.missing).collect();
    all.sort_unstable();
    all.dedup();
    xml.text("EvalActionName", action);
    xml.text("EvalResourceName", each.first().map_or("*", |(resource, _)| resource.as_str()));
    xml.text("EvalDecision", decision(strictest.unwrap_or(Verdict::NotAllowed)));
    missing(xml, all);
    xml.list("ResourceSpecificResults", "member", each, |xml, (resource, findings)| {
        xml.text("EvalResourceName", resource);
        xml.text("EvalResourceDecision", decision(findings.verdict()));
        missing(xml, findings.missing.iter().collect());
    });
}

fn no_policy(name: &str) -> ServiceError {
    fault(404, "NoSuchEntity", format!("The role policy with name {name} cannot be found."))
}

fn truncated(xml: &mut Xml, next: Option<String>) {
    xml.text("IsTruncated", next.is_some());
    xml.maybe("Marker", next);
}

/// Which part of a listing is asked for.
struct Page {
    start: usize,
    size: usize,
}

impl Page {
    fn take(form: &mut Form) -> Result<Page, ServiceError> {
        let size = form.number("MaxItems")?.map_or(100, |size| usize::try_from(size).unwrap_or(1).clamp(1, 1000));
        let wrong = || fault(400, "ValidationError", "Invalid Marker.");
        let start = form.take("Marker").map_or(Ok(0), |marker| marker.parse().map_err(|_| wrong()))?;
        Ok(Page { start, size })
    }

    fn cut<T>(&self, items: Vec<T>) -> (Vec<T>, Option<String>) {
        let end = self.start.saturating_add(self.size);
        let next = (end < items.len()).then(|| end.to_string());
        (items.into_iter().skip(self.start).take(self.size).collect(), next)
    }
}

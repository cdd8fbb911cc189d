//! STS: who the caller is, and roles to assume.
//! Must not give credentials that reach anything but the sandbox.

use crate::wire::{Call, Form, Reply, ServiceError, Xml, iso8601};
use crate::world::{ACCESS_KEY, ACCOUNT, CALLER_ARN, SECRET_KEY, State, World};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Answers a call.
///
/// # Errors
/// AWS's own, and the sandbox's for what is not part of it.
pub fn handle(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    match call.operation.as_str() {
        "GetCallerIdentity" => caller(call),
        "AssumeRole" => world.with(&call.region, |state, _| assume(state, call)),
        _ => Err(call.not_part()),
    }
}

fn caller(call: &Call) -> Result<Reply, ServiceError> {
    call.form().finish()?;
    Ok(Reply::query(call, NAMESPACE, |xml| {
        xml.text("Arn", CALLER_ARN);
        xml.text("UserId", "AROAHPRUNSANDBOX00000:hprun");
        xml.text("Account", ACCOUNT);
    }))
}

fn assume(state: &mut State, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let role = form.need("RoleArn")?;
    let session = form.need("RoleSessionName")?;
    let seconds = form.number("DurationSeconds")?.unwrap_or(3600);
    form.take("ExternalId");
    drop_tags(&mut form);
    form.finish()?;
    if !(900..=43_200).contains(&seconds) {
        let message = format!(
            "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200"
        );
        return Err(ServiceError::new(400, "ValidationError", message));
    }
    let name = role_name(&role)?;
    // Whether IAM lets this caller in is not asked: the caller stands for an administrator of the account.
    let id = format!("AROA{}", state.ids.hex(16).to_uppercase());
    // Credentials expire by the wall's clock: clients compare them with theirs.
    let wall = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    let token = format!("hprun-sandbox-session-{}", state.ids.hex(24));
    Ok(Reply::query(call, NAMESPACE, |xml| {
        xml.nest("Credentials", |xml| credentials(xml, &token, wall));
        xml.nest("AssumedRoleUser", |xml| {
            xml.text("AssumedRoleId", format!("{id}:{session}"));
            xml.text("Arn", format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}"));
        });
    }))
}

/// The one pair of keys that the sandbox knows: what an assumed role does is done by the same caller.
fn credentials(xml: &mut Xml, token: &str, expires: jiff::Timestamp) {
    xml.text("AccessKeyId", ACCESS_KEY);
    xml.text("SecretAccessKey", SECRET_KEY);
    xml.text("SessionToken", token);
    xml.text("Expiration", iso8601(expires));
}

fn drop_tags(form: &mut Form) {
    // Session tags change nothing here, because no policy of the caller is evaluated.
    form.list("Tags");
    form.list("TransitiveTagKeys");
}

fn role_name(arn: &str) -> Result<&str, ServiceError> {
    let name = arn.strip_prefix(&format!("arn:aws:iam::{ACCOUNT}:role/")).and_then(|path| path.rsplit('/').next());
    name.filter(|it| !it.is_empty()).ok_or_else(|| {
        let message = format!("User: {CALLER_ARN} is not authorized to perform: sts:AssumeRole on resource: {arn}");
        ServiceError::new(403, "AccessDenied", message)
    })
}

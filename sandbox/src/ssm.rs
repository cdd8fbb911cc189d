//! Systems Manager: parameters.
//! Must not know what they are for; other parts of Systems Manager are not in the sandbox.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::wire::{Call, Reply, ServiceError, epoch};
use crate::world::{Moment, World};

/// The parameters of a region.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// By name.
    pub parameters: BTreeMap<String, Parameter>,
}

/// A parameter with its versions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// `String`, `StringList` or `SecureString`.
    pub kind: String,
    /// Values, the first is version 1.
    pub values: Vec<(Timestamp, String)>,
    /// The KMS key of a SecureString.
    pub key_id: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A parameter's newest value, for CloudFormation's parameter types and dynamic references.
pub fn value<'a>(state: &'a crate::world::State, name: &str) -> Option<&'a str> {
    state.ssm.parameters.get(name)?.values.last().map(|(_, value)| value.as_str())
}

/// Answers a call.
///
/// # Errors
/// AWS's own, and the sandbox's for what is not part of it.
pub fn handle(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let body = match call.operation.as_str() {
        "PutParameter" => {
            let input: Put = call.json()?;
            world.with(&call.region, |state, cx| put(&mut state.ssm, cx, input))?
        }
        "GetParameter" => {
            let input: Get = call.json()?;
            world.read(&call.region, |state, cx| get(&state.ssm, cx, &input))?
        }
        "GetParameters" => {
            let input: GetSeveral = call.json()?;
            world.read(&call.region, |state, cx| get_several(&state.ssm, cx, &input))?
        }
        "GetParametersByPath" => {
            let input: ByPath = call.json()?;
            world.read(&call.region, |state, cx| by_path(&state.ssm, cx, &input))?
        }
        "DeleteParameter" => {
            let input: Name = call.json()?;
            let gone = world.with(&call.region, |state, _| state.ssm.parameters.remove(&input.name));
            gone.map(|_| json!({})).ok_or_else(|| not_found(&input.name))?
        }
        _ => return Err(call.not_part()),
    };
    Ok(Reply::json11(&body))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Put {
    name: String,
    value: String,
    r#type: Option<String>,
    overwrite: Option<bool>,
    key_id: Option<String>,
    /// Kept by AWS, not shown by any operation of the sandbox.
    #[expect(dead_code, reason = "accepted as AWS does; no operation of the sandbox shows it")]
    description: Option<String>,
    tier: Option<String>,
    data_type: Option<String>,
    allowed_pattern: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

fn put(state: &mut State, cx: &Moment<'_>, input: Put) -> Result<Value, ServiceError> {
    valid(&input)?;
    let overwrite = input.overwrite.unwrap_or(false);
    let present = state.parameters.get_mut(&input.name);
    if present.is_some() && !overwrite {
        let message =
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.";
        return Err(ServiceError::new(400, "ParameterAlreadyExists", message));
    }
    let kind = input.r#type.or_else(|| present.as_ref().map(|it| it.kind.clone()));
    let Some(kind) = kind else {
        return Err(invalid("A parameter type is required when you create a parameter."));
    };
    let key_id = (kind == "SecureString").then(|| input.key_id.unwrap_or_else(|| "alias/aws/ssm".to_owned()));
    let parameter = state.parameters.entry(input.name).or_insert_with(|| Parameter {
        kind: kind.clone(),
        values: Vec::new(),
        key_id: None,
        tags: input.tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
    });
    parameter.kind = kind;
    parameter.key_id = key_id;
    parameter.values.push((cx.now, input.value));
    Ok(json!({ "Version": parameter.values.len(), "Tier": "Standard" }))
}

fn valid(input: &Put) -> Result<(), ServiceError> {
    let characters = input.name.chars().all(|it| it.is_ascii_alphanumeric() || "_.-/".contains(it));
    if !characters || input.name.is_empty() || (input.name.contains('/') && !input.name.starts_with('/')) {
        return Err(invalid(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_",
        ));
    }
    let kinds = ["String", "StringList", "SecureString"];
    if input.r#type.as_deref().is_some_and(|kind| !kinds.contains(&kind)) {
        let kind = input.r#type.as_deref().unwrap_or_default();
        return Err(invalid(&format!(
            "1 validation error detected: Value '{kind}' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [SecureString, StringList, String]"
        )));
    }
    if input.value.is_empty() || input.value.len() > 4096 {
        return Err(invalid("Standard tier parameters support a maximum parameter value of 4096 characters."));
    }
    for (given, only, what) in [(&input.tier, "Standard", "Tier"), (&input.data_type, "text", "DataType")] {
        if given.as_deref().is_some_and(|it| it != only) {
            return Err(ServiceError::not_part(format!(
                "{what} other than {only} in operation PutParameter of service ssm"
            )));
        }
    }
    if input.allowed_pattern.is_some() {
        return Err(ServiceError::not_part("member AllowedPattern of operation PutParameter of service ssm"));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Get {
    name: String,
    #[serde(default)]
    with_decryption: bool,
}

fn get(state: &State, cx: &Moment<'_>, input: &Get) -> Result<Value, ServiceError> {
    let found = shown(state, cx, &input.name, input.with_decryption)?;
    Ok(json!({ "Parameter": found }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct GetSeveral {
    names: Vec<String>,
    #[serde(default)]
    with_decryption: bool,
}

fn get_several(state: &State, cx: &Moment<'_>, input: &GetSeveral) -> Result<Value, ServiceError> {
    if input.names.is_empty() || input.names.len() > 10 {
        return Err(invalid(
            "1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length less than or equal to 10",
        ));
    }
    let mut parameters = Vec::new();
    let mut missing = Vec::new();
    for name in &input.names {
        match shown(state, cx, name, input.with_decryption) {
            Ok(found) => parameters.push(found),
            Err(_) => missing.push(name.clone()),
        }
    }
    Ok(json!({ "Parameters": parameters, "InvalidParameters": missing }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ByPath {
    path: String,
    #[serde(default)]
    recursive: bool,
    #[serde(default)]
    with_decryption: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
}

fn by_path(state: &State, cx: &Moment<'_>, input: &ByPath) -> Result<Value, ServiceError> {
    if !input.path.starts_with('/') {
        return Err(invalid("The parameter path must begin with a forward slash (/)."));
    }
    let most = input.max_results.unwrap_or(10);
    if !(1..=10).contains(&most) {
        return Err(invalid(
            "1 validation error detected: Value at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 10",
        ));
    }
    let root = format!("{}/", input.path.trim_end_matches('/'));
    let below = |name: &&String| {
        let rest = name.strip_prefix(&root);
        rest.is_some_and(|rest| input.recursive || !rest.contains('/'))
            && input.next_token.as_ref().is_none_or(|token| *name > token)
    };
    let names: Vec<&String> = state.parameters.keys().filter(below).collect();
    let page = names.iter().take(most);
    let parameters: Vec<Value> =
        page.map(|name| shown(state, cx, name, input.with_decryption)).collect::<Result<_, _>>()?;
    let mut body = json!({ "Parameters": parameters });
    if names.len() > most {
        body["NextToken"] = json!(names[most - 1]);
    }
    Ok(body)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Name {
    name: String,
}

/// A parameter as it is answered. `name` may be an ARN and may end in `:VERSION`.
fn shown(state: &State, cx: &Moment<'_>, name: &str, decrypt: bool) -> Result<Value, ServiceError> {
    let prefix = format!("arn:aws:ssm:{}:{}:parameter", cx.region, cx.account);
    let plain = name.strip_prefix(&prefix).unwrap_or(name);
    let (plain, selector) = plain.split_once(':').map_or((plain, None), |(plain, version)| (plain, Some(version)));
    let found = [plain, plain.trim_start_matches('/')].into_iter().find_map(|it| state.parameters.get_key_value(it));
    let (key, parameter) = found.ok_or_else(|| not_found(name))?;
    let version = match selector {
        None => parameter.values.len(),
        Some(text) => text.parse().ok().filter(|it| (1..=parameter.values.len()).contains(it)).ok_or_else(|| {
            ServiceError::new(
                400,
                "ParameterVersionNotFound",
                format!("Systems Manager could not find version {text} of {plain}."),
            )
        })?,
    };
    let (at, value) = &parameter.values[version - 1];
    let secure = parameter.kind == "SecureString" && !decrypt;
    let mut shown = json!({
        "Name": key,
        "Type": parameter.kind,
        "Value": if secure { cipher(value) } else { value.clone() },
        "Version": version,
        "LastModifiedDate": epoch(*at),
        "ARN": format!("{prefix}{}{key}", if key.starts_with('/') { "" } else { "/" }),
        "DataType": "text",
    });
    if let Some(selector) = selector {
        shown["Selector"] = json!(format!(":{selector}"));
    }
    Ok(shown)
}

/// What stands for a cipher text: different for different values, and not the value.
fn cipher(value: &str) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(format!("hprun sandbox cipher {value}")))
}

/// AWS gives this code without a message.
fn not_found(name: &str) -> ServiceError {
    tracing::debug!(name, "there is no such parameter");
    ServiceError::new(400, "ParameterNotFound", "")
}

fn invalid(message: &str) -> ServiceError {
    ServiceError::new(400, "ValidationException", message)
}

//! What the inputs ask of CloudFormation: the template's text, the parameters as text, the tags; and what of it is recorded.
//! Knows nothing of how a stack stands. Secrets are revealed only into the request itself.

use std::sync::Arc;

use aws_sdk_cloudformation::types::{Parameter, Tag};
use indexmap::IndexMap;
use serde_json::json;

use super::reading::read;
use super::{DeployStack, calls};
use crate::context::{Intent, StepContext};
use crate::error::StepError;
use crate::files::sha256;
use crate::partial::Text;
use crate::template::{Argument, LARGEST_BODY, LARGEST_TEMPLATE, Stack, Template};
use crate::value::Value;

/// A stack as the inputs want it.
pub struct Wanted {
    /// The inputs.
    pub inputs: DeployStack,
    /// The template's text.
    pub body: String,
    /// The template, looked into.
    pub template: Arc<Template>,
    /// Parameters without secrets, as text.
    parameters_shown: IndexMap<String, String>,
    digest: String,
}

impl Wanted {
    /// Reads the template and turns the parameters into text.
    pub fn new(inputs: DeployStack, cx: &StepContext<'_>) -> Result<Self, StepError> {
        let body = cx.files.text(&inputs.template).map_err(StepError::invalid)?.to_owned();
        let template = read(&inputs.template, cx.files).map_err(|e| {
            let why = e.map_or_else(|| "the file cannot be read".to_owned(), |e| e.message);
            StepError::invalid(format!("{}: {why}", inputs.template))
        })?;
        let mut parameters_shown = IndexMap::new();
        for (name, value) in &inputs.parameters {
            if let Value::Secret(secret) = value {
                let no_echo = template.parameters.get(name).is_some_and(|p| p.no_echo);
                if !no_echo {
                    return Err(StepError::invalid(format!(
                        "the parameter {name} would show the secret `{}` to everyone who may describe the stack",
                        secret.name()
                    ))
                    .help("give the parameter `NoEcho: true` in the template"));
                }
                continue;
            }
            let text = text_of(value).map_err(|e| StepError::invalid(format!("the parameter {name} {e}")))?;
            if !template.parameters.get(name).is_some_and(|p| p.no_echo) {
                parameters_shown.insert(name.clone(), text);
            }
        }
        let digest = sha256(body.as_bytes());
        Ok(Self { inputs, body, template, parameters_shown, digest })
    }

    /// How many resources the stack will have; what cannot be told counts as being there.
    pub fn resources(&self) -> usize {
        let argument = |name: &String| match self.parameters_shown.get(name) {
            Some(text) => Argument::Text(text.clone()),
            None => Argument::Unknown(Text::default()),
        };
        let arguments = self.inputs.parameters.keys().map(|name| (name.clone(), argument(name))).collect();
        Stack::new(&self.template, arguments).count()
    }

    /// The parameters as they are sent.
    pub fn parameters(&self) -> Vec<Parameter> {
        let text = |value: &Value| match value {
            Value::Secret(secret) => secret.reveal().to_owned(),
            other => text_of(other).expect("parameters were turned into text before"),
        };
        let parameter = |(name, value): (&String, &Value)| {
            Parameter::builder().parameter_key(name).parameter_value(text(value)).build()
        };
        self.inputs.parameters.iter().map(parameter).collect()
    }

    /// The tags as they are sent: what the stack has already (or gets from us), and the inputs' own over them.
    pub fn tags(&self, present: impl IntoIterator<Item = (String, String)>) -> Vec<Tag> {
        let mut tags: IndexMap<String, String> = present.into_iter().collect();
        tags.extend(self.inputs.tags.clone());
        tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
    }

    /// Whether it holds a parameter that is not shown: its value is in no record.
    pub fn has_hidden(&self) -> bool {
        self.inputs.parameters.keys().any(|name| self.template.parameters.get(name).is_some_and(|p| p.no_echo))
    }

    /// What makes this request this one, without secrets and without their digests.
    pub fn record(&self, op: &str) -> serde_json::Value {
        let shown = |(name, value): (&String, &Value)| {
            let hidden = self.template.parameters.get(name).is_some_and(|p| p.no_echo);
            (name.clone(), if hidden { json!("hidden") } else { value.to_record() })
        };
        json!({
            "op": op,
            "name": self.inputs.name,
            "template": self.digest,
            "parameters": self.inputs.parameters.iter().map(shown).collect::<serde_json::Map<_, _>>(),
            "tags": self.inputs.tags,
            "capabilities": self.inputs.capabilities,
            "role-arn": self.inputs.role_arn,
            "on-failure": self.inputs.on_failure,
        })
    }

    /// Puts a template that is too large for a request into the bucket; its URL, then.
    pub async fn upload_if_large(&self, cx: &mut StepContext<'_>) -> Result<Option<String>, StepError> {
        let size = self.body.len();
        if size <= LARGEST_BODY {
            return Ok(None);
        }
        if size > LARGEST_TEMPLATE {
            let message = format!("{} is {size} bytes; CloudFormation takes {LARGEST_TEMPLATE}", self.inputs.template);
            return Err(StepError::invalid(message).help("split it into nested stacks"));
        }
        let Some(bucket) = &self.inputs.template_bucket else {
            let message = format!("{} is {size} bytes; a request takes {LARGEST_BODY}", self.inputs.template);
            return Err(StepError::invalid(message).help("name a bucket for it: `template-bucket: …`"));
        };
        let key = format!("hprun/templates/{}.template", self.digest);
        let request = json!({ "bucket": bucket, "key": key });
        let kind = "AWS::S3::Object";
        let name = format!("s3://{bucket}/{key}");
        let token =
            cx.intend(Intent { op: "upload-template", kind, name: &name, existed: false, request: &request }).await?;
        let result = calls::upload(cx, bucket, &key, self.body.as_bytes()).await;
        cx.settle(&token, result).await?;
        Ok(Some(url(cx, bucket, &key)))
    }
}

/// Where CloudFormation finds the object (AWS docs: virtual-hosted style; a fixed endpoint has path style).
fn url(cx: &StepContext<'_>, bucket: &str, key: &str) -> String {
    if let Some(endpoint) = cx.clients.endpoint_url() {
        return format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/'));
    }
    let suffix = if cx.run.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{bucket}.s3.{}.{suffix}/{key}", cx.run.region)
}

/// A value as CloudFormation takes it; the error finishes "the parameter X …".
pub fn text_of(value: &Value) -> Result<String, String> {
    match value {
        Value::Bool(b) => Ok(b.to_string()),
        Value::Integer(i) => Ok(i.to_string()),
        Value::Float(f) => Ok(f.to_string()),
        Value::String(s) => Ok(s.clone()),
        Value::List(items) => Ok(items.iter().map(text_of).collect::<Result<Vec<_>, _>>()?.join(",")),
        Value::Null => Err("has no value: leave it out to use the template's default".to_owned()),
        Value::Map(_) => Err("is a map; CloudFormation takes text, numbers, booleans and lists".to_owned()),
        Value::Secret(_) => Err("holds a secret inside a list: give it a parameter of its own".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_the_text_that_cloudformation_compares() {
        let check = |json: serde_json::Value| text_of(&Value::from_json(&json));
        assert_eq!(check(json!(true)).as_deref(), Ok("true"));
        assert_eq!(check(json!(500)).as_deref(), Ok("500"));
        assert_eq!(check(json!(["a", 1, false])).as_deref(), Ok("a,1,false"));
        assert_eq!(check(json!("1.30")).as_deref(), Ok("1.30"));
        assert!(check(json!({"a": 1})).is_err() && check(json!(null)).is_err());
    }
}

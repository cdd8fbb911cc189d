//! From a request to the definition of a stack: template parsed, parameters resolved, rules held, conditions evaluated, names checked.
//! It must not know what becomes of it.

use serde_json::Value;

use super::graph;
use super::intrinsics::{Pseudo, Scope};
use super::parameters::{self, Given};
use super::stack::Definition;
use super::template::Template;
use super::text::TemplateError;
use crate::wire::ServiceError;
use crate::world::{Moment, State};

/// What a caller gives to make or change a stack.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The template's text.
    pub body: String,
    /// Parameters by name.
    pub parameters: Vec<(String, Given)>,
    /// Tags; `None` keeps those of the stack.
    pub tags: Option<Vec<(String, String)>>,
    /// Capabilities acknowledged.
    pub capabilities: Vec<String>,
    /// `NotificationARNs`
    pub notification_arns: Vec<String>,
    /// `RoleARN`
    pub role_arn: Option<String>,
}

/// Builds the definition. `previous` is the stack's present one, for an update.
pub(super) fn define(
    state: &State,
    cx: &Moment<'_>,
    pseudo: &Pseudo,
    source: Source,
    previous: Option<&Definition>,
) -> Result<Definition, ServiceError> {
    let template = Template::parse(&source.body).map_err(validation)?;
    check_capabilities(&template, &source.capabilities)?;
    let values = parameters::resolve(&template.parameters, &source.parameters, previous.map(|it| &it.parameters))
        .map_err(validation)?;
    let mut scope = Scope {
        template: &template,
        parameters: &values,
        pseudo,
        conditions: std::collections::BTreeMap::new(),
        resources: std::collections::BTreeMap::new(),
        zones: super::resources::zones(cx),
        exports: super::outputs::exports(state, Some(&pseudo.stack_id)),
    };
    scope.check_rules().map_err(validation)?;
    scope.evaluate_conditions().map_err(validation)?;
    check_imports(&scope, &template).map_err(validation)?;
    let conditions = scope.conditions;
    let needs = graph::needs(&template, &conditions).map_err(validation)?;
    Ok(Definition {
        body: source.body,
        parameters: values,
        conditions,
        needs,
        tags: source.tags.unwrap_or_else(|| previous.map(|it| it.tags.clone()).unwrap_or_default()),
        capabilities: source.capabilities,
        notification_arns: source.notification_arns,
        role_arn: source.role_arn.or_else(|| previous.and_then(|it| it.role_arn.clone())),
        template,
    })
}

/// The `ValidationError` of a template or parameter that is wrong.
pub(super) fn validation(error: TemplateError) -> ServiceError {
    ServiceError::new(400, "ValidationError", error.0)
}

fn check_capabilities(template: &Template, given: &[String]) -> Result<(), ServiceError> {
    const KNOWN: [&str; 3] = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"];
    if let Some(unknown) = given.iter().find(|it| !KNOWN.contains(&it.as_str())) {
        return Err(ServiceError::new(
            400,
            "ValidationError",
            format!(
                "1 validation error detected: Value '[{unknown}]' at 'capabilities' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [CAPABILITY_IAM, CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND]]"
            ),
        ));
    }
    let (needed, _) = template.capabilities();
    let met = |need: &str| given.iter().any(|it| it == need || it == "CAPABILITY_NAMED_IAM");
    match needed.into_iter().find(|need| !met(need)) {
        None => Ok(()),
        Some(need) => Err(ServiceError::new(
            400,
            "InsufficientCapabilitiesException",
            format!("Requires capabilities : [{need}]"),
        )),
    }
}

/// An import that no stack exports fails the request, not only the resource.
fn check_imports(scope: &Scope<'_>, template: &Template) -> Result<(), TemplateError> {
    let included = template.resources.values().filter(|spec| graph::holds(&scope.conditions, spec.condition.as_ref()));
    included.flat_map(|spec| spec.properties.values()).try_for_each(|value| check_import(scope, value))
}

fn check_import(scope: &Scope<'_>, value: &Value) -> Result<(), TemplateError> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|it| check_import(scope, it)),
        Value::Object(object) => {
            match (object.get("Fn::ImportValue"), object.get("Fn::If").and_then(Value::as_array).map(Vec::as_slice)) {
                (Some(_), _) => scope.resolve(value).map(drop),
                (None, Some([Value::String(condition), yes, no])) => {
                    check_import(scope, if graph::holds(&scope.conditions, Some(condition)) { yes } else { no })
                }
                (None, _) => object.values().try_for_each(|it| check_import(scope, it)),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

//! The rules by which the API server refuses an object, as far as the sandbox itself relies on them.
//! Must not change the object; `defaults` fills it in before.

use serde_json::Value;

use super::resource::Resource;
use super::status::Refusal;
use super::store::{items, name, text};

/// Refuses what a real server would refuse of the fields that the sandbox itself relies on.
///
/// # Errors
/// 422 with the field.
pub fn validate(resource: &Resource, object: &Value, before: Option<&Value>) -> Result<(), Refusal> {
    let kind = resource.qualified_kind();
    let shelf = resource.qualified();
    valid_name(resource, object)?;
    match shelf.as_str() {
        "deployments.apps" | "replicasets.apps" | "statefulsets.apps" | "daemonsets.apps" => {
            selects_itself(object, before).map_err(|broken| broken.of(&kind, object))?;
            containers(&kind, object, "/spec/template/spec", "spec.template.spec")
        }
        "jobs.batch" => {
            containers(&kind, object, "/spec/template/spec", "spec.template.spec")?;
            ends(object, before).map_err(|broken| broken.of(&kind, object))
        }
        "pods" => containers(&kind, object, "/spec", "spec"),
        _ => plain(&shelf, object, before).map_err(|broken| broken.of(&kind, object)),
    }
}

/// A broken rule: the field and what is wrong with it.
struct Broken(&'static str, String);

impl Broken {
    fn of(self, kind: &str, object: &Value) -> Refusal {
        Refusal::invalid(kind, name(object), self.0, &self.1)
    }
}

/// A workload's selector must pick its own pods, and stays.
fn selects_itself(object: &Value, before: Option<&Value>) -> Result<(), Broken> {
    let selector = &object["spec"]["selector"];
    if !selector.is_object() {
        return Err(Broken("spec.selector", "Required value".to_owned()));
    }
    let labels = &object["spec"]["template"]["metadata"]["labels"];
    if !super::selector::Selector::from_object(selector).picks_labels(labels) {
        let what = format!("Invalid value: {labels}: `selector` does not match template `labels`");
        return Err(Broken("spec.template.metadata.labels", what));
    }
    if before.is_some_and(|before| before["spec"]["selector"] != *selector) {
        return Err(Broken("spec.selector", format!("Invalid value: {selector}: field is immutable")));
    }
    Ok(())
}

/// A job's pods must come to an end, and its template stays.
fn ends(object: &Value, before: Option<&Value>) -> Result<(), Broken> {
    if before.is_some_and(|before| before["spec"]["template"] != object["spec"]["template"]) {
        return Err(Broken("spec.template", "Invalid value: field is immutable".to_owned()));
    }
    if text(object, "/spec/template/spec/restartPolicy") == "Always" {
        let what = "Required value: valid values: \"OnFailure\", \"Never\"".to_owned();
        return Err(Broken("spec.template.spec.restartPolicy", what));
    }
    Ok(())
}

fn plain(shelf: &str, object: &Value, before: Option<&Value>) -> Result<(), Broken> {
    match shelf {
        "services" => {
            let headless = text(object, "/spec/clusterIP") == "None";
            let needs_ports = text(object, "/spec/type") != "ExternalName" && !headless;
            if needs_ports && items(object, "/spec/ports").is_empty() {
                return Err(Broken("spec.ports", "Required value".to_owned()));
            }
        }
        "customresourcedefinitions.apiextensions.k8s.io" => {
            let (plural, group) = (text(object, "/spec/names/plural"), text(object, "/spec/group"));
            if name(object) != format!("{plural}.{group}") {
                let what = format!("Invalid value: \"{}\": must be spec.names.plural+\".\"+spec.group", name(object));
                return Err(Broken("metadata.name", what));
            }
        }
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io"
            if before.is_some_and(|before| before["roleRef"] != object["roleRef"]) =>
        {
            return Err(Broken("roleRef", format!("Invalid value: {}: cannot change roleRef", object["roleRef"])));
        }
        _ => {}
    }
    Ok(())
}

fn valid_name(resource: &Resource, object: &Value) -> Result<(), Refusal> {
    let (kind, name) = (resource.qualified_kind(), name(object));
    if name.is_empty() {
        return Err(Refusal::invalid(&kind, name, "metadata.name", "Required value: name or generateName is required"));
    }
    let free = resource.group == "rbac.authorization.k8s.io";
    let plain = |character: char| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-' || character == '.'
    };
    let ends = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    if free || (name.len() <= 253 && name.chars().all(plain) && name.starts_with(ends) && name.ends_with(ends)) {
        return Ok(());
    }
    let what = format!(
        "Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
    );
    Err(Refusal::invalid(&kind, name, "metadata.name", &what))
}

fn containers(kind: &str, object: &Value, pointer: &str, field: &str) -> Result<(), Refusal> {
    let containers = items(object, &format!("{pointer}/containers"));
    if containers.is_empty() {
        return Err(Refusal::invalid(kind, name(object), &format!("{field}.containers"), "Required value"));
    }
    for (at, container) in containers.iter().enumerate() {
        for part in ["name", "image"] {
            if text(container, &format!("/{part}")).is_empty() {
                return Err(Refusal::invalid(
                    kind,
                    name(object),
                    &format!("{field}.containers[{at}].{part}"),
                    "Required value",
                ));
            }
        }
    }
    Ok(())
}

//! Calls about templates alone: GetTemplate, GetTemplateSummary, ValidateTemplate.
//! It must not change anything.

use super::NAMESPACE;
use super::define::validation;
use super::operations::invalid;
use super::requests::{body, find_change_set};
use super::template::Template;
use crate::wire::{Call, Reply, ServiceError, Xml};
use crate::world::World;

/// `GetTemplate`
pub(super) fn get_template(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let stack_name = form.take("StackName");
    let set = form.take("ChangeSetName");
    // Without transforms both stages are the same text.
    form.take("TemplateStage");
    form.finish()?;
    world.read(&call.region, |state, _| {
        let text = match (&set, &stack_name) {
            (Some(set), _) => {
                let (stack, name) = find_change_set(&state.cloudformation, set, stack_name.as_deref())?;
                &state.cloudformation.stacks[&stack].change_sets[&name].definition.body
            }
            (None, Some(name)) => &state.cloudformation.look_up(name)?.definition.body,
            (None, None) => {
                return Err(invalid("Either StackName or ChangeSetName must be specified"));
            }
        };
        Ok(Reply::query(call, NAMESPACE, |xml| {
            xml.text("TemplateBody", text);
            xml.list("StagesAvailable", "member", ["Original", "Processed"], |xml, stage| xml.inner(stage));
        }))
    })
}

/// `ValidateTemplate`
pub(super) fn validate_template(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let text = world.read(&call.region, |state, cx| body(&mut form, state, cx))?;
    form.finish()?;
    let text = text.ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))?;
    let template = Template::parse(&text).map_err(validation)?;
    Ok(Reply::query(call, NAMESPACE, |xml| {
        xml.list("Parameters", "member", &template.parameters, |xml, (name, declared)| {
            xml.text("ParameterKey", name);
            xml.maybe("DefaultValue", declared.default.as_ref());
            xml.text("NoEcho", declared.no_echo);
            xml.maybe("Description", declared.description.as_ref());
        });
        xml.maybe("Description", template.description.as_ref());
        write_capabilities(xml, &template);
    }))
}

/// `GetTemplateSummary`
pub(super) fn get_template_summary(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let stack_name = form.take("StackName");
    let text = world.read(&call.region, |state, cx| match &stack_name {
        Some(name) => Ok(Some(state.cloudformation.look_up(name)?.definition.body.clone())),
        None => body(&mut form, state, cx),
    })?;
    form.finish()?;
    let text =
        text.ok_or_else(|| invalid("Either StackName, StackSetName, TemplateBody or TemplateURL must be specified."))?;
    let template = Template::parse(&text).map_err(validation)?;
    let mut kinds: Vec<&str> = Vec::new();
    for spec in template.resources.values() {
        if !kinds.contains(&spec.kind.as_str()) {
            kinds.push(&spec.kind);
        }
    }
    Ok(Reply::query(call, NAMESPACE, |xml| {
        xml.list("Parameters", "member", &template.parameters, |xml, (name, declared)| {
            xml.text("ParameterKey", name);
            xml.maybe("DefaultValue", declared.default.as_ref());
            xml.text("ParameterType", &declared.kind);
            xml.text("NoEcho", declared.no_echo);
            xml.maybe("Description", declared.description.as_ref());
            xml.nest("ParameterConstraints", |xml| {
                if !declared.allowed_values.is_empty() {
                    xml.list("AllowedValues", "member", &declared.allowed_values, |xml, it| xml.inner(it));
                }
            });
        });
        xml.maybe("Description", template.description.as_ref());
        write_capabilities(xml, &template);
        xml.list("ResourceTypes", "member", &kinds, |xml, it| xml.inner(it));
        xml.text("Version", "2010-09-09");
        xml.maybe("Metadata", template.metadata.as_ref());
        xml.list("ResourceIdentifierSummaries", "member", Vec::<&str>::new(), |xml, it| xml.inner(it));
    }))
}

fn write_capabilities(xml: &mut Xml, template: &Template) {
    let (capabilities, reasons) = template.capabilities();
    if capabilities.is_empty() {
        return;
    }
    xml.list("Capabilities", "member", capabilities, |xml, it| xml.inner(it));
    xml.text("CapabilitiesReason", format!("The following resource(s) require capabilities: [{}]", reasons.join(", ")));
}

//! Calls that describe stacks, their events, resources and change sets: looked up, paged, written as XML.
//! It must not change anything.

use super::NAMESPACE;
use super::changeset::{Action, Change};
use super::operations::invalid;
use super::requests::find_change_set;
use super::stack::{Definition, Event, Resource, Stack};
use crate::wire::{Call, Reply, ServiceError, Xml, iso8601};
use crate::world::World;

/// How many events, resources or stacks a page holds.
const PAGE: usize = 100;

/// `DescribeStacks`
pub(super) fn describe_stacks(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let name = form.take("StackName").filter(|it| !it.is_empty());
    let token = form.take("NextToken");
    form.finish()?;
    world.read(&call.region, |state, _| {
        let stacks: Vec<&Stack> = match name {
            Some(name) => vec![state.cloudformation.look_up(&name)?],
            None => newest_first(state.cloudformation.stacks.values().filter(|it| it.deleted.is_none())),
        };
        let (page, next) = page(&stacks, token.as_deref())?;
        Ok(Reply::query(call, NAMESPACE, |xml| {
            xml.list("Stacks", "member", page, write_stack);
            xml.maybe("NextToken", next);
        }))
    })
}

/// `ListStacks`
pub(super) fn list_stacks(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let filter = form.texts("StackStatusFilter");
    let token = form.take("NextToken");
    form.finish()?;
    world.read(&call.region, |state, _| {
        let wanted = |stack: &&Stack| filter.is_empty() || filter.contains(&stack.status.to_string());
        let stacks = newest_first(state.cloudformation.stacks.values().filter(wanted));
        let (page, next) = page(&stacks, token.as_deref())?;
        Ok(Reply::query(call, NAMESPACE, |xml| {
            xml.list("StackSummaries", "member", page, |xml, stack| {
                write_stack_head(xml, stack);
                xml.maybe("TemplateDescription", stack.definition.template.description.as_ref());
            });
            xml.maybe("NextToken", next);
        }))
    })
}

/// `DescribeStackEvents`: newest first. A page's token counts from the oldest, so that new events do not shift it.
pub(super) fn describe_stack_events(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let name = form.need("StackName")?;
    let token = form.take("NextToken");
    form.finish()?;
    world.read(&call.region, |state, _| {
        let stack = state.cloudformation.find(&name)?;
        let end = match token {
            None => stack.events.len(),
            Some(token) => token
                .parse()
                .ok()
                .filter(|end| *end <= stack.events.len())
                .ok_or_else(|| invalid("Invalid NextToken"))?,
        };
        let start = end.saturating_sub(PAGE);
        Ok(Reply::query(call, NAMESPACE, |xml| {
            xml.list("StackEvents", "member", stack.events[start..end].iter().rev(), |xml, event| {
                write_event(xml, stack, event)
            });
            xml.maybe("NextToken", (start > 0).then_some(start));
        }))
    })
}

/// `DescribeStackResource`
pub(super) fn describe_stack_resource(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let (name, logical) = (form.need("StackName")?, form.need("LogicalResourceId")?);
    form.finish()?;
    world.read(&call.region, |state, _| {
        let stack = state.cloudformation.find(&name)?;
        let resource = stack
            .resources
            .get(&logical)
            .ok_or_else(|| invalid(format!("Resource {logical} does not exist for stack {}", stack.name)))?;
        let metadata = stack.definition.template.resources.get(&logical).and_then(|it| it.metadata.as_ref());
        Ok(Reply::query(call, NAMESPACE, |xml| {
            xml.nest("StackResourceDetail", |xml| {
                write_owner(xml, stack);
                write_resource(xml, &logical, resource, "LastUpdatedTimestamp");
                xml.maybe("Metadata", metadata);
            });
        }))
    })
}

/// `DescribeStackResources`
pub(super) fn describe_stack_resources(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let (name, physical, logical) =
        (form.take("StackName"), form.take("PhysicalResourceId"), form.take("LogicalResourceId"));
    form.finish()?;
    world.read(&call.region, |state, _| {
        let stack = match (&name, &physical) {
            (Some(name), None) => state.cloudformation.look_up(name)?,
            (None, Some(physical)) => state
                .cloudformation
                .stacks
                .values()
                .find(|it| {
                    it.deleted.is_none()
                        && it.resources.values().any(|resource| resource.physical.as_ref() == Some(physical))
                })
                .ok_or_else(|| invalid(format!("Stack for {physical} does not exist")))?,
            _ => {
                return Err(invalid("Exactly one of StackName and PhysicalResourceId must be specified"));
            }
        };
        let wanted = stack.resources.iter().filter(|(name, _)| logical.as_ref().is_none_or(|it| it == *name));
        Ok(Reply::query(call, NAMESPACE, |xml| {
            xml.list("StackResources", "member", wanted.take(PAGE), |xml, (logical, resource)| {
                write_owner(xml, stack);
                write_resource(xml, logical, resource, "Timestamp");
            });
        }))
    })
}

/// `ListStackResources`
pub(super) fn list_stack_resources(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let name = form.need("StackName")?;
    let token = form.take("NextToken");
    form.finish()?;
    world.read(&call.region, |state, _| {
        let stack = state.cloudformation.look_up(&name)?;
        let all: Vec<(&String, &Resource)> = stack.resources.iter().collect();
        let (page, next) = page(&all, token.as_deref())?;
        Ok(Reply::query(call, NAMESPACE, |xml| {
            xml.list("StackResourceSummaries", "member", page, |xml, (logical, resource)| {
                write_resource(xml, logical, resource, "LastUpdatedTimestamp")
            });
            xml.maybe("NextToken", next);
        }))
    })
}

/// `DescribeChangeSet`
pub(super) fn describe_change_set(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let named = form.need("ChangeSetName")?;
    let stack_name = form.take("StackName");
    let token = form.take("NextToken");
    form.flag("IncludePropertyValues")?;
    form.finish()?;
    world.read(&call.region, |state, cx| {
        let (stack_id, name) = find_change_set(&state.cloudformation, &named, stack_name.as_deref())?;
        let stack = &state.cloudformation.stacks[&stack_id];
        let set = &stack.change_sets[&name];
        let done = set.worked_out(cx.now);
        let all: Vec<&Change> = set.changes.iter().filter(|_| done).collect();
        let (changes, next) = page(&all, token.as_deref())?;
        Ok(Reply::query(call, NAMESPACE, |xml| {
            xml.text("ChangeSetName", &set.name);
            xml.text("ChangeSetId", &set.id);
            write_owner(xml, stack);
            xml.maybe("Description", set.description.as_ref());
            write_parameters(xml, &set.definition);
            xml.text("CreationTime", iso8601(set.created));
            xml.text("ExecutionStatus", set.execution(cx.now));
            xml.text("Status", set.status(cx.now));
            xml.maybe("StatusReason", set.failed.as_ref().filter(|_| done));
            xml.list("NotificationARNs", "member", &set.definition.notification_arns, |xml, arn| xml.inner(arn));
            xml.nest("RollbackConfiguration", |_| {});
            xml.list("Capabilities", "member", &set.definition.capabilities, |xml, it| xml.inner(it));
            write_tags(xml, &set.definition.tags);
            xml.list("Changes", "member", changes, write_change);
            xml.maybe("NextToken", next);
            xml.text("IncludeNestedStacks", set.nested);
        }))
    })
}

/// `ListChangeSets`
pub(super) fn list_change_sets(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let name = form.need("StackName")?;
    form.take("NextToken");
    form.finish()?;
    world.read(&call.region, |state, cx| {
        let stack = state.cloudformation.find(&name)?;
        let pending = stack.change_sets.values().filter(|set| !set.executed);
        Ok(Reply::query(call, NAMESPACE, |xml| {
            xml.list("Summaries", "member", pending, |xml, set| {
                write_owner(xml, stack);
                xml.text("ChangeSetId", &set.id);
                xml.text("ChangeSetName", &set.name);
                xml.text("ExecutionStatus", set.execution(cx.now));
                xml.text("Status", set.status(cx.now));
                xml.maybe("StatusReason", set.failed.as_ref().filter(|_| set.worked_out(cx.now)));
                xml.text("CreationTime", iso8601(set.created));
                xml.maybe("Description", set.description.as_ref());
                xml.text("IncludeNestedStacks", set.nested);
            });
        }))
    })
}

fn newest_first<'a>(stacks: impl Iterator<Item = &'a Stack>) -> Vec<&'a Stack> {
    let mut stacks: Vec<&Stack> = stacks.collect();
    stacks.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.name.cmp(&b.name)));
    stacks
}

/// One page, and the token of the next.
fn page<T: Copy>(all: &[T], token: Option<&str>) -> Result<(Vec<T>, Option<usize>), ServiceError> {
    let start: usize = token
        .map_or(Ok(0), str::parse)
        .ok()
        .filter(|start| *start <= all.len())
        .ok_or_else(|| invalid("Invalid NextToken"))?;
    let end = all.len().min(start + PAGE);
    Ok((all[start..end].to_vec(), (end < all.len()).then_some(end)))
}

fn write_owner(xml: &mut Xml, stack: &Stack) {
    xml.text("StackId", &stack.id);
    xml.text("StackName", &stack.name);
}

/// What DescribeStacks and ListStacks both say.
fn write_stack_head(xml: &mut Xml, stack: &Stack) {
    write_owner(xml, stack);
    xml.text("CreationTime", iso8601(stack.created));
    xml.maybe("LastUpdatedTime", stack.updated.map(iso8601));
    xml.maybe("DeletionTime", stack.deleted.map(iso8601));
    xml.text("StackStatus", stack.status);
    xml.maybe("StackStatusReason", stack.reason.as_ref());
    xml.maybe("ParentId", stack.parent.as_ref());
    xml.maybe("RootId", stack.parent.as_ref());
    xml.nest("DriftInformation", |xml| xml.text("StackDriftStatus", "NOT_CHECKED"));
}

fn write_stack(xml: &mut Xml, stack: &Stack) {
    let definition = &stack.definition;
    write_stack_head(xml, stack);
    let executed = stack.change_sets.values().find(|set| set.executed);
    xml.maybe("ChangeSetId", executed.map(|set| &set.id));
    xml.maybe("Description", definition.template.description.as_ref());
    write_parameters(xml, definition);
    xml.nest("RollbackConfiguration", |_| {});
    xml.text("DisableRollback", stack.disable_rollback);
    xml.list("NotificationARNs", "member", &definition.notification_arns, |xml, arn| xml.inner(arn));
    xml.maybe("TimeoutInMinutes", stack.timeout_minutes);
    xml.list("Capabilities", "member", &definition.capabilities, |xml, it| xml.inner(it));
    if !stack.outputs.is_empty() {
        xml.list("Outputs", "member", &stack.outputs, |xml, output| {
            xml.text("OutputKey", &output.key);
            xml.text("OutputValue", &output.value);
            xml.maybe("Description", output.description.as_ref());
            xml.maybe("ExportName", output.export.as_ref());
        });
    }
    xml.maybe("RoleARN", definition.role_arn.as_ref());
    write_tags(xml, &definition.tags);
    xml.text("EnableTerminationProtection", stack.protected);
}

fn write_parameters(xml: &mut Xml, definition: &Definition) {
    if definition.parameters.is_empty() {
        return;
    }
    xml.list("Parameters", "member", &definition.parameters, |xml, (key, value)| {
        let hidden = definition.template.parameters.get(key).is_some_and(|it| it.no_echo);
        xml.text("ParameterKey", key);
        xml.text("ParameterValue", if hidden { "****" } else { value });
    });
}

fn write_tags(xml: &mut Xml, tags: &[(String, String)]) {
    xml.list("Tags", "member", tags, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}

fn write_event(xml: &mut Xml, stack: &Stack, event: &Event) {
    write_owner(xml, stack);
    xml.text("EventId", &event.id);
    xml.text("OperationId", &event.operation);
    xml.text("LogicalResourceId", &event.logical);
    xml.text("PhysicalResourceId", event.physical.as_deref().unwrap_or_default());
    xml.text("ResourceType", &event.kind);
    xml.text("Timestamp", iso8601(event.at));
    xml.text("ResourceStatus", event.status);
    xml.maybe("ResourceStatusReason", event.reason.as_ref());
    xml.maybe("ResourceProperties", event.properties.as_ref().map(|it| serde_json::Value::Object(it.clone())));
    xml.maybe("ClientRequestToken", event.token.as_ref());
}

fn write_resource(xml: &mut Xml, logical: &str, resource: &Resource, time: &str) {
    xml.text("LogicalResourceId", logical);
    xml.maybe("PhysicalResourceId", resource.physical.as_ref());
    xml.text("ResourceType", &resource.kind);
    xml.text(time, iso8601(resource.updated));
    xml.text("ResourceStatus", resource.status);
    xml.maybe("ResourceStatusReason", resource.reason.as_ref());
    xml.nest("DriftInformation", |xml| xml.text("StackResourceDriftStatus", "NOT_CHECKED"));
}

fn write_change(xml: &mut Xml, change: &Change) {
    xml.text("Type", "Resource");
    xml.nest("ResourceChange", |xml| {
        xml.text(
            "Action",
            match change.action {
                Action::Add => "Add",
                Action::Modify => "Modify",
                Action::Remove => "Remove",
            },
        );
        xml.text("LogicalResourceId", &change.logical);
        xml.maybe("PhysicalResourceId", change.physical.as_ref());
        xml.text("ResourceType", &change.kind);
        xml.maybe("Replacement", change.replacement.as_ref());
        let mut scope: Vec<&str> = Vec::new();
        for detail in &change.details {
            if !scope.contains(&detail.attribute.as_str()) {
                scope.push(&detail.attribute);
            }
        }
        xml.list("Scope", "member", scope, |xml, it| xml.inner(it));
        xml.list("Details", "member", &change.details, |xml, detail| {
            xml.nest("Target", |xml| {
                xml.text("Attribute", &detail.attribute);
                xml.maybe("Name", detail.name.as_ref());
                xml.text("RequiresRecreation", &detail.recreation);
            });
            xml.text("Evaluation", if detail.is_static { "Static" } else { "Dynamic" });
            xml.text("ChangeSource", &detail.source);
            xml.maybe("CausingEntity", detail.cause.as_ref());
        });
    });
}

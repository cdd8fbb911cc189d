//! CloudWatch Logs: what services wrote, to be read.
//! Must not know who writes; services call `append`.

mod reading;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use reading::{describe_groups, describe_streams, filter, get_events, invalid, no_group};

use crate::cfn_resource::{Created, Given, Made, Readiness, Tags};
use crate::wire::{Call, Reply, ServiceError};
use crate::world::{Moment, World};

/// The log groups of a region.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// By name.
    pub groups: BTreeMap<String, Group>,
}

/// A log group.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// When it was made.
    pub created: Timestamp,
    /// Days; without end when `None`.
    pub retention: Option<u32>,
    /// Streams by name.
    pub streams: BTreeMap<String, Stream>,
}

/// A log stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// When it was made.
    pub created: Timestamp,
    /// Lines in the order of their time.
    pub lines: Vec<(Timestamp, String)>,
}

/// Adds a line; makes group and stream where they are missing.
pub fn append(state: &mut crate::world::State, group: &str, stream: &str, at: Timestamp, line: &str) {
    let new = || Group { created: at, retention: None, streams: BTreeMap::new() };
    let group = state.logs.groups.entry(group.to_owned()).or_insert_with(new);
    let stream = group.streams.entry(stream.to_owned()).or_insert_with(|| Stream { created: at, lines: Vec::new() });
    let place = stream.lines.partition_point(|(other, _)| *other <= at);
    stream.lines.insert(place, (at, line.to_owned()));
}

/// Makes the group of an `AWS::Logs::LogGroup`.
///
/// # Errors
/// `ResourceAlreadyExistsException`, and properties that the sandbox does not have.
pub fn create_log_group(
    state: &mut crate::world::State,
    cx: &Moment<'_>,
    properties: Given<'_>,
    _tags: Tags<'_>,
) -> Created {
    let name = properties.get("LogGroupName").and_then(Value::as_str).map(str::to_owned);
    let name = name.unwrap_or_else(|| format!("log-group-{}", state.ids.suffix(12)));
    let retention = retention(properties)?;
    if state.logs.groups.contains_key(&name) {
        return Err(ServiceError::new(400, "ResourceAlreadyExistsException", "The specified log group already exists"));
    }
    let group = Group { created: cx.now, retention, streams: BTreeMap::new() };
    state.logs.groups.insert(name.clone(), group);
    Ok(made(cx, name))
}

/// Changes a group's retention.
///
/// # Errors
/// `ResourceNotFoundException`, and properties that the sandbox does not have.
pub fn update_log_group(
    state: &mut crate::world::State,
    cx: &Moment<'_>,
    id: &str,
    properties: Given<'_>,
    _tags: Tags<'_>,
) -> Created {
    let retention = retention(properties)?;
    state.logs.groups.get_mut(id).ok_or_else(no_group)?.retention = retention;
    Ok(made(cx, id.to_owned()))
}

/// Deletes a group; one that is gone already is no error.
///
/// # Errors
/// None today; the shape is CloudFormation's.
pub fn delete_log_group(state: &mut crate::world::State, _cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    state.logs.groups.remove(id);
    Ok(())
}

/// A group is ready at once.
pub fn ready_log_group(_state: &crate::world::State, cx: &Moment<'_>, id: &str) -> Readiness {
    Readiness::Ready(made(cx, id.to_owned()).attributes)
}

fn retention(properties: Given<'_>) -> Result<Option<u32>, ServiceError> {
    let known = ["LogGroupName", "RetentionInDays", "Tags"];
    if let Some(name) = properties.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(ServiceError::not_part(format!("property {name} of AWS::Logs::LogGroup")));
    }
    let days = properties.get("RetentionInDays");
    let text = days.map(|days| days.as_str().map_or_else(|| days.to_string(), str::to_owned));
    text.map(|text| text.parse().map_err(|_| invalid(&format!("RetentionInDays {text} is not a number of days"))))
        .transpose()
}

fn made(cx: &Moment<'_>, name: String) -> Made {
    let arn = format!("{}:*", group_arn(cx, &name));
    Made::new(name, json!({ "Arn": arn }))
}

fn group_arn(cx: &Moment<'_>, name: &str) -> String {
    format!("arn:aws:logs:{}:{}:log-group:{name}", cx.region, cx.account)
}

/// Answers a call.
///
/// # Errors
/// AWS's own, and the sandbox's for what is not part of it.
pub fn handle(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let body = match call.operation.as_str() {
        "DescribeLogGroups" => {
            let input: reading::DescribeGroups = call.json()?;
            world.read(&call.region, |state, cx| describe_groups(&state.logs, cx, &input))?
        }
        "DescribeLogStreams" => {
            let input: reading::DescribeStreams = call.json()?;
            world.read(&call.region, |state, cx| describe_streams(&state.logs, cx, &input))?
        }
        "GetLogEvents" => {
            let input: reading::GetEvents = call.json()?;
            world.read(&call.region, |state, cx| get_events(&state.logs, cx, &input))?
        }
        "FilterLogEvents" => {
            let input: reading::Filter = call.json()?;
            world.read(&call.region, |state, cx| filter(&state.logs, cx, &input))?
        }
        _ => return Err(call.not_part()),
    };
    Ok(Reply::json11(&body))
}

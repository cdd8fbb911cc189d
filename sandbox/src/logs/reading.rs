//! The operations that read logs.
//! Must not change anything.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Group, State, Stream, group_arn};
use crate::wire::ServiceError;
use crate::world::Moment;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct DescribeGroups {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
}

pub(super) fn describe_groups(state: &State, cx: &Moment<'_>, input: &DescribeGroups) -> Result<Value, ServiceError> {
    let fits = |name: &str| {
        input.log_group_name_prefix.as_ref().is_none_or(|it| name.starts_with(it))
            && input.log_group_name_pattern.as_ref().is_none_or(|it| name.to_lowercase().contains(&it.to_lowercase()))
    };
    let found: Vec<(&String, &Group)> = state.groups.iter().filter(|(name, _)| fits(name)).collect();
    let (page, next) = page(&found, input.next_token.as_deref(), input.limit, 50)?;
    let groups = page.iter().map(|(name, group)| {
        let arn = group_arn(cx, name);
        let mut shown = json!({
            "logGroupName": name,
            "creationTime": group.created.as_millisecond(),
            "metricFilterCount": 0,
            "arn": format!("{arn}:*"),
            "storedBytes": group.streams.values().map(bytes).sum::<usize>(),
            "logGroupClass": "STANDARD",
            "logGroupArn": arn,
        });
        if let Some(days) = group.retention {
            shown["retentionInDays"] = json!(days);
        }
        shown
    });
    Ok(with_next(json!({ "logGroups": groups.collect::<Vec<_>>() }), next))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct DescribeStreams {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    descending: bool,
    next_token: Option<String>,
    limit: Option<usize>,
}

pub(super) fn describe_streams(state: &State, cx: &Moment<'_>, input: &DescribeStreams) -> Result<Value, ServiceError> {
    let (name, group) = group(state, cx, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let by_time = match input.order_by.as_deref() {
        None | Some("LogStreamName") => false,
        Some("LastEventTime") => true,
        Some(other) => {
            return Err(invalid(&format!(
                "Value '{other}' at 'orderBy' failed to satisfy constraint: Member must satisfy enum value set: [LogStreamName, LastEventTime]"
            )));
        }
    };
    if by_time && input.log_stream_name_prefix.is_some() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    let mut found: Vec<(&String, &Stream)> =
        group.streams.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
    if by_time {
        found.sort_by_key(|(_, stream)| stream.lines.last().map(|(at, _)| *at));
    }
    if input.descending {
        found.reverse();
    }
    let (page, next) = page(&found, input.next_token.as_deref(), input.limit, 50)?;
    let streams = page.iter().map(|(stream_name, stream)| {
        let mut shown = json!({
            "logStreamName": stream_name,
            "creationTime": stream.created.as_millisecond(),
            "arn": format!("{}:log-stream:{stream_name}", group_arn(cx, name)),
            "storedBytes": 0,
        });
        if let (Some((first, _)), Some((last, _))) = (stream.lines.first(), stream.lines.last()) {
            shown["firstEventTimestamp"] = json!(first.as_millisecond());
            shown["lastEventTimestamp"] = json!(last.as_millisecond());
            shown["lastIngestionTime"] = json!(last.as_millisecond());
            shown["uploadSequenceToken"] = json!(format!("{:056}", stream.lines.len()));
        }
        shown
    });
    Ok(with_next(json!({ "logStreams": streams.collect::<Vec<_>>() }), next))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct GetEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: String,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<usize>,
    start_from_head: bool,
    unmask: bool,
}

/// Tokens are `f/N` and `b/N`, where N is a place between lines, as in AWS's own form `f/…` and `b/…`.
pub(super) fn get_events(state: &State, cx: &Moment<'_>, input: &GetEvents) -> Result<Value, ServiceError> {
    let _unmasked = input.unmask;
    let (_, group) = group(state, cx, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let stream = group.streams.get(&input.log_stream_name).ok_or_else(no_stream)?;
    let lines: Vec<&(Timestamp, String)> =
        stream.lines.iter().filter(|(at, _)| within(*at, input.start_time, input.end_time)).collect();
    let most = input.limit.unwrap_or(10_000).clamp(1, 10_000);
    let (from, to) = match input.next_token.as_deref().map(place).transpose()? {
        Some(('f', at)) => (at.min(lines.len()), lines.len().min(at + most)),
        Some((_, at)) => (at.min(lines.len()).saturating_sub(most), at.min(lines.len())),
        None if input.start_from_head => (0, lines.len().min(most)),
        None => (lines.len().saturating_sub(most), lines.len()),
    };
    let shown = lines[from..to].iter().map(
        |(at, line)| json!({ "timestamp": at.as_millisecond(), "message": line, "ingestionTime": at.as_millisecond() }),
    );
    Ok(json!({
        "events": shown.collect::<Vec<_>>(),
        "nextForwardToken": format!("f/{to:056}"),
        "nextBackwardToken": format!("b/{from:056}"),
    }))
}

fn place(token: &str) -> Result<(char, usize), ServiceError> {
    let parsed = token.split_once('/').and_then(|(way, at)| Some((way.chars().next()?, at.parse().ok()?)));
    parsed.ok_or_else(|| invalid("The specified nextToken is invalid."))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Filter {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Vec<String>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
    interleaved: bool,
    unmask: bool,
}

pub(super) fn filter(state: &State, cx: &Moment<'_>, input: &Filter) -> Result<Value, ServiceError> {
    // Events are always interleaved since 2019 (AWS API reference), and nothing here is masked.
    let _without_effect = (input.interleaved, input.unmask);
    let (_, group) = group(state, cx, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let words = words(input.filter_pattern.as_deref().unwrap_or_default())?;
    let named = |name: &String| input.log_stream_names.is_empty() || input.log_stream_names.contains(name);
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    let mut found: Vec<(Timestamp, &String, &String)> = Vec::new();
    for (name, stream) in group.streams.iter().filter(|(name, _)| named(name) && name.starts_with(prefix)) {
        let lines = stream.lines.iter().filter(|(at, line)| {
            within(*at, input.start_time, input.end_time) && words.iter().all(|word| line.contains(word))
        });
        found.extend(lines.map(|(at, line)| (*at, name, line)));
    }
    found.sort_by_key(|(at, ..)| *at);
    let (page, next) = page(&found, input.next_token.as_deref(), input.limit, 10_000)?;
    let events = page.iter().enumerate().map(|(index, (at, stream, line))| {
        let id = format!("{:032}{:024}", at.as_millisecond(), index);
        json!({ "logStreamName": stream, "timestamp": at.as_millisecond(), "message": line, "ingestionTime": at.as_millisecond(), "eventId": id })
    });
    Ok(with_next(json!({ "events": events.collect::<Vec<_>>(), "searchedLogStreams": [] }), next))
}

/// Plain words and quoted texts, all of which a line must hold; other filter syntax is refused.
fn words(pattern: &str) -> Result<Vec<String>, ServiceError> {
    if pattern.contains(['{', '[', '%', '?']) || pattern.starts_with('-') || pattern.contains(" -") {
        return Err(ServiceError::not_part(format!(
            "filter pattern {pattern} of operation FilterLogEvents of service logs"
        )));
    }
    let mut words = Vec::new();
    for (index, part) in pattern.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    Ok(words)
}

fn within(at: Timestamp, start: Option<i64>, end: Option<i64>) -> bool {
    let at = at.as_millisecond();
    start.is_none_or(|start| at >= start) && end.is_none_or(|end| at < end)
}

fn group<'a>(
    state: &'a State,
    cx: &Moment<'_>,
    name: Option<&str>,
    identifier: Option<&str>,
) -> Result<(&'a String, &'a Group), ServiceError> {
    let prefix = format!("arn:aws:logs:{}:{}:log-group:", cx.region, cx.account);
    let name = match (name, identifier) {
        (Some(name), None) => name,
        (None, Some(identifier)) => identifier.strip_prefix(&prefix).unwrap_or(identifier),
        _ => {
            return Err(invalid("Exactly one of logGroupName and logGroupIdentifier must be given."));
        }
    };
    state.groups.get_key_value(name).ok_or_else(no_group)
}

/// A page of what was found; the token is the place of the next.
fn page<'a, T>(
    found: &'a [T],
    token: Option<&str>,
    limit: Option<usize>,
    usual: usize,
) -> Result<(&'a [T], Option<String>), ServiceError> {
    let from: usize = match token {
        None => 0,
        Some(token) => token.parse().map_err(|_| invalid("The specified nextToken is invalid."))?,
    };
    let to = found.len().min(from + limit.unwrap_or(usual).clamp(1, usual));
    let page = found.get(from..to).unwrap_or_default();
    Ok((page, (to < found.len()).then(|| to.to_string())))
}

fn with_next(mut body: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        body["nextToken"] = json!(next);
    }
    body
}

fn bytes(stream: &Stream) -> usize {
    // AWS counts 26 bytes for each event beside its text.
    stream.lines.iter().map(|(_, line)| line.len() + 26).sum()
}

pub(super) fn no_group() -> ServiceError {
    ServiceError::new(400, "ResourceNotFoundException", "The specified log group does not exist.")
}

fn no_stream() -> ServiceError {
    ServiceError::new(400, "ResourceNotFoundException", "The specified log stream does not exist.")
}

pub(super) fn invalid(message: &str) -> ServiceError {
    ServiceError::new(400, "InvalidParameterException", message)
}

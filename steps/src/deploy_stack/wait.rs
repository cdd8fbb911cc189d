//! Waiting for a stack operation to end, with counts to show; and finding out why it failed.
//! Knows nothing of what comes next. What the events say is turned into text by pure functions.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use aws_sdk_cloudformation::types::Stack;
use indexmap::IndexMap;

use super::calls;
use super::cause::{Cause, Event, Traced, trace};
use super::standing::{Standing, standing};
use super::status_of;
use crate::context::StepContext;
use crate::error::StepError;
use crate::pace::Pace;

/// Most stacks that may be nested in each other when a cause is looked for.
const DEEPEST: usize = 8;

/// How long what was just begun may stay unseen: answers of CloudFormation may be older than what it took a moment ago.
const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// Waits until no operation is going on; the stack as it then stands. `token`, as sent, picks the events of our
/// operation, and its end counts only when there are some; `total` is how many resources it is about.
pub async fn until_settled(
    cx: &StepContext<'_>,
    id: &str,
    token: Option<&str>,
    total: Option<usize>,
) -> Result<Stack, StepError> {
    let mut pace = Pace::new(Duration::from_secs(3), Duration::from_secs(20));
    let mut seen = Seen::default();
    let began = cx.clock.elapsed();
    loop {
        let stack = calls::find(cx, id).await?;
        let standing = stack.as_ref().map(|stack| standing(Some(status_of(stack))));
        if stack.is_some() {
            seen.read(cx, id, token).await?;
        }
        let is_new = cx.clock.elapsed().saturating_sub(began) < SEEN_WITHIN;
        let has_begun = token.is_none() || !seen.ids.is_empty();
        match (turn(standing, has_begun, is_new), stack) {
            (Turn::Gone, _) => return Err(StepError::failed(format!("the stack {id} is gone"))),
            (Turn::Ended, Some(stack)) => return Ok(stack),
            (Turn::Ended | Turn::Wait, stack) => {
                let status = stack.as_ref().map(status_of).unwrap_or_default();
                if let Some(line) = progress_line(&seen.resources, status, total) {
                    cx.progress(line);
                }
            }
        }
        pace.pause(cx).await?;
    }
}

/// What one look at a stack with an operation of ours means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Look again after a pause.
    Wait,
    /// The operation has ended.
    Ended,
    /// There is no such stack.
    Gone,
}

/// A stack that is at rest before our operation shows in its events is one of which an old picture was given. `is_new`
/// says that the operation began so short a time ago that this can be.
fn turn(standing: Option<Standing>, has_begun: bool, is_new: bool) -> Turn {
    match standing {
        Some(Standing::Busy) => Turn::Wait,
        None if is_new => Turn::Wait,
        None => Turn::Gone,
        Some(_) if is_new && !has_begun => Turn::Wait,
        Some(
            Standing::Absent
            | Standing::Shell
            | Standing::Good
            | Standing::NeverCreated
            | Standing::RollbackStuck
            | Standing::DeleteStuck
            | Standing::Unknown,
        ) => Turn::Ended,
    }
}

/// The first cause of a failed operation of ours.
pub async fn first_cause(cx: &StepContext<'_>, id: &str, token: &str) -> Result<Option<Cause>, StepError> {
    let mut known: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    let mut since = i64::MIN;
    for _ in 0..DEEPEST {
        match trace(id, &known) {
            Traced::Found(cause) => return Ok(Some(cause)),
            Traced::Nothing => return Ok(None),
            Traced::Needs(stack) => {
                let mut events = all_events(cx, &stack).await?;
                // A nested stack's events carry another token: time tells which belong to this operation.
                if stack == id {
                    events.retain(|e| e.token == token);
                    since = events.iter().map(|e| e.at).min().unwrap_or(since);
                }
                events.retain(|e| e.at >= since);
                known.insert(stack, events);
            }
        }
    }
    Ok(None)
}

async fn all_events(cx: &StepContext<'_>, id: &str) -> Result<Vec<Event>, StepError> {
    let (mut all, mut page) = (Vec::new(), None);
    loop {
        let (events, next) = calls::events(cx, id, page).await?;
        all.extend(events);
        page = next;
        if page.is_none() {
            return Ok(all);
        }
    }
}

/// The latest status of each resource of an operation, in the order in which they began.
#[derive(Default)]
struct Seen {
    ids: HashSet<String>,
    resources: IndexMap<String, String>,
}

impl Seen {
    /// Reads the events that are new, newest first, until one that is known or belongs to another operation.
    async fn read(&mut self, cx: &StepContext<'_>, id: &str, token: Option<&str>) -> Result<(), StepError> {
        let (mut new, mut page) = (Vec::new(), None);
        'pages: loop {
            let (events, next) = calls::events(cx, id, page).await?;
            for event in events {
                if self.ids.contains(&event.id) || token.is_some_and(|t| t != event.token) {
                    break 'pages;
                }
                new.push(event);
            }
            page = next;
            if page.is_none() {
                break;
            }
        }
        for event in new.into_iter().rev() {
            self.ids.insert(event.id);
            if event.physical_id != id {
                self.resources.insert(event.logical_id, event.status);
            }
        }
        Ok(())
    }
}

/// The line beside the step, such as `34/41 resources, now NatGateway1`.
fn progress_line(resources: &IndexMap<String, String>, status: &str, total: Option<usize>) -> Option<String> {
    let busy: Vec<&str> =
        resources.iter().filter(|(_, s)| s.ends_with("_IN_PROGRESS")).map(|(name, _)| name.as_str()).collect();
    let now = match busy.as_slice() {
        [] => String::new(),
        [one] => format!(", now {one}"),
        [first, rest @ ..] => format!(", now {first} and {} more", rest.len()),
    };
    let ended = |ends: &str| resources.values().filter(|s| s.ends_with(ends)).count();
    if status.contains("ROLLBACK") {
        return Some(format!("rolling back: {} resources undone{now}", ended("DELETE_COMPLETE")));
    }
    if status.starts_with("DELETE") {
        return Some(format!("deleting: {} resources gone{now}", ended("DELETE_COMPLETE")));
    }
    let done = ended("CREATE_COMPLETE") + ended("UPDATE_COMPLETE");
    match total {
        Some(total) => Some(format!("{done}/{} resources{now}", total.max(resources.len()))),
        None if resources.is_empty() => None,
        None => Some(format!("{done} resources done{now}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_at_rest_ends_a_wait_only_when_our_operation_shows_in_its_events() {
        // standing, our events are there, began a moment ago
        let table = [
            (Some(Standing::Good), false, true, Turn::Wait),
            (Some(Standing::NeverCreated), false, true, Turn::Wait),
            (Some(Standing::Good), true, true, Turn::Ended),
            (Some(Standing::Good), false, false, Turn::Ended),
            (Some(Standing::Absent), true, true, Turn::Ended),
            (Some(Standing::Busy), true, false, Turn::Wait),
            (None, false, true, Turn::Wait),
            (None, false, false, Turn::Gone),
        ];
        for (standing, has_begun, is_new, expected) in table {
            assert_eq!(turn(standing, has_begun, is_new), expected, "{standing:?} {has_begun} {is_new}");
        }
    }

    #[test]
    fn the_line_counts_and_names_what_is_waited_for() {
        let resources = |all: &[(&str, &str)]| -> IndexMap<String, String> {
            all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let two =
            resources(&[("Vpc", "CREATE_COMPLETE"), ("Nat", "CREATE_IN_PROGRESS"), ("Role", "CREATE_IN_PROGRESS")]);
        let check = |status, total| progress_line(&two, status, total);
        assert_eq!(check("CREATE_IN_PROGRESS", Some(41)).as_deref(), Some("1/41 resources, now Nat and 1 more"));
        assert_eq!(check("UPDATE_IN_PROGRESS", None).as_deref(), Some("1 resources done, now Nat and 1 more"));
        let undone = resources(&[("Vpc", "DELETE_COMPLETE"), ("Nat", "DELETE_IN_PROGRESS")]);
        let line = progress_line(&undone, "ROLLBACK_IN_PROGRESS", Some(2));
        assert_eq!(line.as_deref(), Some("rolling back: 1 resources undone, now Nat"));
        assert_eq!(progress_line(&resources(&[]), "CREATE_IN_PROGRESS", None), None);
    }
}

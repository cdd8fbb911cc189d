//! How an operation on a stack goes on: which resource's turn it is, when a phase is over, what comes then.
//! It must not know protocols, nor how a resource is made: `items` does one resource's next step.

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

use super::stack::{
    Definition, End, Event, Item, Making, OnFailure, Operation, OperationKind, Phase, Resource, Stack, Stage, Status,
    Task, Verb,
};
use super::types::STACK;
use super::{items, outputs};
use crate::world::{Moment, State};

/// One stack, taken out of the state while its operation goes on.
pub(super) struct Turn<'a, 'm> {
    pub state: &'a mut State,
    pub stack: &'a mut Stack,
    pub cx: &'a Moment<'m>,
}

/// The next instant at which an operation goes on.
pub fn next_due(state: &State, after: Timestamp) -> Option<Timestamp> {
    state.cloudformation.stacks.values().filter_map(due).filter(|at| *at > after).min()
}

/// Moves on every stack whose operation has something due; says whether one had.
pub fn advance(state: &mut State, cx: &Moment<'_>) -> bool {
    let due_now: Vec<String> = state
        .cloudformation
        .stacks
        .values()
        .filter(|stack| due(stack).is_some_and(|at| at <= cx.now))
        .map(|stack| stack.id.clone())
        .collect();
    for id in &due_now {
        with_stack(state, id, cx, |turn| while turn.step() {});
    }
    !due_now.is_empty()
}

/// Lends one stack out of the state.
pub(super) fn with_stack<T>(
    state: &mut State,
    id: &str,
    cx: &Moment<'_>,
    act: impl FnOnce(&mut Turn<'_, '_>) -> T,
) -> Option<T> {
    let mut stack = state.cloudformation.stacks.remove(id)?;
    let result = act(&mut Turn { state, stack: &mut stack, cx });
    state.cloudformation.stacks.insert(id.to_owned(), stack);
    Some(result)
}

fn due(stack: &Stack) -> Option<Timestamp> {
    let operation = stack.operation.as_ref()?;
    operation.items.iter().filter_map(|item| item.due).chain(operation.deadline).min()
}

impl Turn<'_, '_> {
    /// Does the one thing that has been due longest; false if nothing is due.
    fn step(&mut self) -> bool {
        let Some(operation) = &self.stack.operation else {
            return false;
        };
        let now = self.cx.now;
        let next = operation.items.iter().enumerate().filter_map(|(index, item)| Some((item.due?, index))).min();
        if let Some((at, index)) = next
            && at <= now
        {
            items::step(self, index);
            self.settle();
            return true;
        }
        if operation.deadline.is_some_and(|deadline| deadline <= now) {
            self.give_up("Stack creation time exceeded the specified timeout. Rollback requested by user.");
            return true;
        }
        false
    }

    /// The operation under way.
    pub fn operation(&mut self) -> &mut Operation {
        self.stack.operation.as_mut().expect("a turn is taken only while an operation is under way")
    }

    /// Begins a phase with these items.
    pub fn begin(&mut self, phase: Phase, items: Vec<Item>) {
        let operation = self.operation();
        operation.phase = phase;
        operation.items = items;
        self.settle();
    }

    /// Starts what can start now; ends the phase if nothing is left to wait for.
    fn settle(&mut self) {
        let soon = self.cx.now + SignedDuration::from_secs(1);
        let Some(operation) = self.stack.operation.as_mut() else {
            return;
        };
        if operation.phase == Phase::Making && operation.items.iter().any(|item| item.stage == Stage::Failed) {
            self.fail_making();
            return;
        }
        let open: Vec<(String, Stage)> =
            operation.items.iter().map(|item| (item.logical.clone(), item.stage)).collect();
        for item in operation.items.iter_mut().filter(|item| item.stage == Stage::Waiting && item.due.is_none()) {
            let met =
                |need: &String| open.iter().filter(|(name, _)| name == need).all(|(_, stage)| *stage == Stage::Done);
            if item.needs.iter().all(met) {
                item.due = Some(soon);
            }
        }
        if operation.items.iter().all(|item| item.due.is_none()) {
            self.end_phase();
        }
    }

    fn end_phase(&mut self) {
        let operation = self.operation();
        let failed: Vec<String> = operation
            .items
            .iter()
            .filter(|item| item.stage == Stage::Failed)
            .map(|item| item.logical.clone())
            .collect();
        let (kind, phase) = (operation.kind, operation.phase);
        match (phase, kind) {
            (Phase::Making, OperationKind::Create) => self.outputs_then(Verb::Create),
            (Phase::Making, OperationKind::Update) => self.outputs_then(Verb::Update),
            (Phase::Making, OperationKind::Delete) => unreachable!("a deletion makes nothing"),
            (Phase::Deleting, OperationKind::Create) => self.end_deleting(Verb::Rollback, &failed),
            (Phase::Deleting, OperationKind::Update | OperationKind::Delete) => {
                self.end_deleting(Verb::Delete, &failed)
            }
            (Phase::Restoring, _) if failed.is_empty() => {
                let status = Status::new(Verb::UpdateRollback, End::Cleaning);
                self.status(status, None);
                self.clean();
            }
            (Phase::Restoring, _) => {
                let reason = format!("The following resource(s) failed to update: [{}]. ", failed.join(", "));
                self.stack.stuck = self.stack.operation.clone();
                self.finish(Status::new(Verb::UpdateRollback, End::Failed), Some(reason));
            }
            // What cannot be cleaned up is left behind; AWS ends the update well all the same.
            (Phase::Cleaning, _) => self.finish(Status::new(self.stack.status.verb, End::Complete), None),
        }
    }

    fn outputs_then(&mut self, verb: Verb) {
        match outputs::resolve(self) {
            Ok(outputs) => {
                self.stack.outputs = outputs;
                if verb == Verb::Create {
                    self.finish(Status::new(verb, End::Complete), None);
                } else {
                    self.status(Status::new(verb, End::Cleaning), None);
                    self.leave_removed();
                    self.clean();
                }
            }
            Err(reason) => self.roll_back(&reason),
        }
    }

    /// Resources that the new definition no longer has become leftovers.
    fn leave_removed(&mut self) {
        let gone: Vec<String> = self
            .stack
            .resources
            .keys()
            .filter(|name| !self.stack.definition.needs.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            let resource = self.stack.resources[&name].clone();
            self.leave(&name, resource);
        }
    }

    fn clean(&mut self) {
        let leftovers = std::mem::take(&mut self.operation().leftovers);
        let items = deletions(leftovers);
        self.begin(Phase::Cleaning, items);
    }

    fn end_deleting(&mut self, verb: Verb, failed: &[String]) {
        if failed.is_empty() {
            self.stack.outputs.clear();
            let delete_after = self.operation().on_failure == OnFailure::Delete;
            if verb == Verb::Delete || delete_after {
                self.stack.deleted = Some(self.cx.now);
                self.finish(Status::new(Verb::Delete, End::Complete), None);
            } else {
                self.finish(Status::new(verb, End::Complete), None);
            }
            return;
        }
        let reason = format!("The following resource(s) failed to delete: [{}]. ", failed.join(", "));
        let verb = if self.stack.status.verb == Verb::Delete { Verb::Delete } else { verb };
        self.finish(Status::new(verb, End::Failed), Some(reason));
    }

    /// Ends what is under way because of this, as if a resource had failed.
    pub fn give_up(&mut self, reason: &str) {
        items::cancel_rest(self);
        self.roll_back(reason);
    }

    fn fail_making(&mut self) {
        items::cancel_rest(self);
        let mut created = Vec::new();
        let mut updated = Vec::new();
        for item in self
            .operation()
            .items
            .iter()
            .filter(|item| matches!(item.stage, Stage::Failed | Stage::Cancelled) && item.begun.is_some())
        {
            match item.task {
                Task::Make(Making::Update) => updated.push(item.logical.clone()),
                Task::Make(Making::Undecided | Making::Create | Making::Replace) | Task::Restore | Task::Delete(_) => {
                    created.push(item.logical.clone())
                }
            }
        }
        let mut reason = String::new();
        if !created.is_empty() {
            reason.push_str(&format!("The following resource(s) failed to create: [{}]. ", created.join(", ")));
        }
        if !updated.is_empty() {
            reason.push_str(&format!("The following resource(s) failed to update: [{}]. ", updated.join(", ")));
        }
        self.roll_back(&reason);
    }

    fn roll_back(&mut self, reason: &str) {
        let operation = self.operation();
        operation.deadline = None;
        let (kind, on_failure) = (operation.kind, operation.on_failure);
        match (kind, on_failure) {
            (OperationKind::Create, OnFailure::Rollback) => {
                let reason = match reason.contains("requested by user") {
                    true => reason.to_owned(),
                    false => format!("{}. Rollback requested by user.", reason.trim_end_matches(['.', ' '])),
                };
                self.status(Status::new(Verb::Rollback, End::InProgress), Some(reason));
                self.delete_all(true);
            }
            (OperationKind::Create, OnFailure::Delete) => {
                self.status(
                    Status::new(Verb::Delete, End::InProgress),
                    Some(format!("{reason}Delete requested by user.")),
                );
                self.delete_all(true);
            }
            (OperationKind::Create, OnFailure::DoNothing) => {
                self.finish(Status::new(Verb::Create, End::Failed), Some(reason.to_owned()))
            }
            (_, OnFailure::DoNothing) => self.finish(Status::new(Verb::Update, End::Failed), Some(reason.to_owned())),
            (_, OnFailure::Rollback | OnFailure::Delete) => {
                self.status(Status::new(Verb::UpdateRollback, End::InProgress), Some(reason.to_owned()));
                self.restore();
            }
        }
    }

    /// Deletes every resource, the dependent ones first.
    pub fn delete_all(&mut self, failed_creation: bool) {
        let keep = |resource: &Resource| items::kept(resource, failed_creation);
        let retain = self.operation().retain.clone();
        let mut victims = Vec::new();
        for (name, resource) in self.stack.resources.clone() {
            if resource.status == Status::new(Verb::Delete, End::Complete) {
                continue;
            }
            if keep(&resource) || retain.contains(&name) {
                items::record(self, &name, Status::new(Verb::Delete, End::Skipped), None);
            } else {
                victims.push((name, resource));
            }
        }
        let items = deletions(victims);
        self.begin(Phase::Deleting, items);
    }

    /// Gives every changed resource its former state again; what is new becomes a leftover.
    pub fn restore(&mut self) {
        let operation = self.operation();
        let before = operation.before.clone();
        // What was replaced is needed again.
        operation.leftovers.retain(|(name, it)| before.get(name).is_none_or(|old| old.physical != it.physical));
        if let Some(previous) = operation.previous.take() {
            self.stack.definition = previous;
        }
        let skip = self.operation().skip.clone();
        let mut changed = Vec::new();
        for (name, now) in self.stack.resources.clone() {
            match before.get(&name) {
                None => self.leave(&name, now),
                Some(old) if skip.contains(&name) => {
                    self.stack.resources.insert(name.clone(), old.clone());
                    items::record(
                        self,
                        &name,
                        Status::new(Verb::Update, End::Complete),
                        Some("Resource skipped during rollback".to_owned()),
                    );
                }
                Some(old) if old.updated != now.updated || old.physical != now.physical => {
                    if old.physical != now.physical {
                        self.leave(&name, now);
                    }
                    changed.push(name);
                }
                Some(old) => {
                    self.stack.resources.insert(name, old.clone());
                }
            }
        }
        let items = changed.iter().map(|name| {
            Item::waiting(
                name,
                Task::Restore,
                before[name].needs.iter().filter(|it| changed.contains(it)).cloned().collect(),
            )
        });
        let items = items.collect();
        self.begin(Phase::Restoring, items);
    }

    /// Leaves something to be deleted at the end, once.
    fn leave(&mut self, name: &str, resource: Resource) {
        let leftovers = &mut self.operation().leftovers;
        if !leftovers.iter().any(|(other, it)| other == name && it.physical == resource.physical) {
            leftovers.push((name.to_owned(), resource));
        }
    }

    /// Sets the stack's status and tells it as an event.
    pub fn status(&mut self, status: Status, reason: Option<String>) {
        self.stack.status = status;
        self.stack.reason.clone_from(&reason);
        if status == Status::new(Verb::Update, End::InProgress) {
            self.stack.updated = Some(self.cx.now);
        }
        let (token, operation) = {
            let operation = self.operation();
            (operation.token.clone(), operation.id.clone())
        };
        let event = Event {
            id: self.state.ids.uuid(),
            at: self.cx.now,
            token,
            operation,
            logical: self.stack.name.clone(),
            physical: Some(self.stack.id.clone()),
            kind: STACK.to_owned(),
            status,
            reason,
            properties: None,
        };
        self.stack.events.push(event);
    }

    fn finish(&mut self, status: Status, reason: Option<String>) {
        self.status(status, reason);
        self.stack.operation = None;
    }
}

impl Item {
    /// An item that waits for these others.
    pub fn waiting(logical: &str, task: Task, needs: Vec<String>) -> Self {
        Self { logical: logical.to_owned(), task, needs, stage: Stage::Waiting, due: None, begun: None, fault: None }
    }
}

/// The items that make, or bring to their new state, all resources of a definition.
pub(super) fn makings(definition: &Definition) -> Vec<Item> {
    definition
        .needs
        .iter()
        .map(|(name, needs)| Item::waiting(name, Task::Make(Making::Undecided), needs.clone()))
        .collect()
}

/// Items that delete these, each after those that need it.
fn deletions(victims: Vec<(String, Resource)>) -> Vec<Item> {
    let users: IndexMap<String, Vec<String>> = victims
        .iter()
        .map(|(name, _)| {
            let users = victims.iter().filter(|(other, resource)| other != name && resource.needs.contains(name));
            (name.clone(), users.map(|(other, _)| other.clone()).collect())
        })
        .collect();
    victims
        .into_iter()
        .rev()
        .map(|(name, resource)| Item::waiting(&name, Task::Delete(Box::new(resource)), users[&name].clone()))
        .collect()
}

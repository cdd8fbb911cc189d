//! Where all steps stand, as far as it matters for what comes next, kept up to date one step at a time.
//! Pure, like what it is derived from: brought up to date or made anew, it is the same.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Limits, Move};
use crate::event::Outcome;
use crate::pipeline::OnFailure;
use crate::plan::Plan;
use crate::state::{RunState, Status};

/// What `next` needs of all steps, so that a decision costs what it decides and not what the plan holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The only steps that may be begun, if a person chose.
    chosen: Option<Chosen>,
    /// What each step was when it was last looked at.
    statuses: Vec<Status>,
    /// How many of each step's needs are not met.
    unmet_needs: Vec<usize>,
    /// How many steps do not let go on what needs them.
    unmet: usize,
    /// How many failed in a way that ends the run.
    fatal: usize,
    main: Part,
    finally: Part,
}

/// The steps under `steps:`, or those under `finally:`.
#[derive(Clone, Debug, Default, PartialEq)]
struct Part {
    running: usize,
    /// Those that can be begun or verified at once.
    ready: BTreeSet<usize>,
    /// Those that wait for their next try.
    retrying: BTreeSet<usize>,
}

/// The steps of a pass in which a person chose a single one: it, and those that are taken as done.
#[derive(Clone, Debug, PartialEq)]
struct Chosen {
    only: usize,
    trusted: BTreeSet<usize>,
}

impl Standing {
    /// Where the steps of `plan` stand; the newest pass of `state` is one over this plan.
    pub fn new(plan: &Plan, state: &RunState) -> Self {
        let all = plan.steps.len();
        let mut standing = Self {
            chosen: Chosen::of(plan, state),
            statuses: vec![Status::Interrupted; all],
            // As if nothing were met: `Interrupted` meets no need.
            unmet_needs: plan.steps.iter().map(|step| step.needs.len()).collect(),
            unmet: all,
            fatal: 0,
            main: Part::default(),
            finally: Part::default(),
        };
        for i in 0..all {
            standing.update(plan, state, i);
        }
        standing
    }

    /// Takes in what an event has made of step `i`.
    pub fn update(&mut self, plan: &Plan, state: &RunState, i: usize) {
        // The newest pass names the plan's steps in their order, and the state keeps that order.
        let (id, step) = state.steps.get_index(i).expect("the pass has every step of its plan");
        debug_assert_eq!(id, plan.steps[i].spec.id.as_str());
        let was = std::mem::replace(&mut self.statuses[i], step.status);
        self.count(plan, i, was, step.status);
        let (was_met, is_met) = (self.meets(plan, i, was), self.meets(plan, i, step.status));
        if was_met != is_met {
            let change = |count: &mut usize| if is_met { *count -= 1 } else { *count += 1 };
            change(&mut self.unmet);
            for &dependent in plan.dependents(i) {
                change(&mut self.unmet_needs[dependent]);
                self.file(plan, dependent);
            }
        }
        self.file(plan, i);
    }

    /// What to do now. `verifying` are the steps whose earlier result is being looked at. An empty answer means: wait for
    /// what is under way.
    pub fn next(&self, plan: &Plan, verifying: &BTreeSet<usize>, limits: Limits, now: Timestamp) -> Vec<Move> {
        let is_finally = |i: &usize| plan.steps[*i].spec.finally;
        let looked_at = verifying.iter().filter(|&&i| self.statuses[i] != Status::Running).count();
        let busy = self.main.running + self.finally.running + looked_at;
        if limits.stopping {
            return if busy == 0 { vec![Move::Finish(Outcome::Interrupted)] } else { Vec::new() };
        }
        let free = limits.max_parallel.saturating_sub(busy);
        if self.fatal == 0 && self.main.has_any(verifying) {
            return self.moves(plan, &self.main, verifying, (free, now));
        }
        let main_rests = self.main.running == 0 && verifying.iter().all(is_finally);
        if main_rests && self.finally.has_any(verifying) {
            return self.moves(plan, &self.finally, verifying, (free, now));
        }
        if busy == 0 { vec![Move::Finish(self.outcome(plan))] } else { Vec::new() }
    }

    /// What can be begun of `part`, in the order of the plan and as far as there is room, and when more can be.
    fn moves(
        &self,
        plan: &Plan,
        part: &Part,
        verifying: &BTreeSet<usize>,
        (free, now): (usize, Timestamp),
    ) -> Vec<Move> {
        let mut starts: Vec<usize> = part.ready.difference(verifying).copied().take(free).collect();
        let mut soonest: Option<Timestamp> = None;
        for i in part.retrying.difference(verifying) {
            if let Status::Retrying(at) = self.statuses[*i]
                && at > now
            {
                soonest = Some(soonest.map_or(at, |known| known.min(at)));
            } else {
                starts.push(*i);
            }
        }
        starts.sort_unstable();
        starts.truncate(free);
        let moves = starts.into_iter().map(|i| {
            // What stands in `finally:` runs in every pass, whatever an earlier one made of it.
            let may_stand = self.statuses[i] == Status::Held && !plan.steps[i].spec.finally;
            if may_stand { Move::Verify(i) } else { Move::Begin(i) }
        });
        moves.chain(soonest.map(Move::WaitUntil)).collect()
    }

    /// Puts step `i` where it belongs among those that may begin.
    fn file(&mut self, plan: &Plan, i: usize) {
        let (ready, retrying) = match self.statuses[i] {
            Status::Waiting | Status::Held => (self.unmet_needs[i] == 0, false),
            Status::Retrying(_) => (false, true),
            Status::Running
            | Status::Succeeded
            | Status::Reused
            | Status::Skipped
            | Status::Failed
            | Status::Interrupted => (false, false),
        };
        let may_begin = self.chosen.as_ref().is_none_or(|chosen| chosen.has(i));
        let part = self.part(plan, i);
        put(&mut part.ready, i, ready && may_begin);
        put(&mut part.retrying, i, retrying && may_begin);
    }

    fn count(&mut self, plan: &Plan, i: usize, was: Status, is: Status) {
        let part = self.part(plan, i);
        part.running -= usize::from(was == Status::Running);
        part.running += usize::from(is == Status::Running);
        let spec = &plan.steps[i].spec;
        if spec.on_failure == OnFailure::Stop && !spec.finally {
            self.fatal -= usize::from(was == Status::Failed);
            self.fatal += usize::from(is == Status::Failed);
        }
    }

    /// Whether a step that stands so lets go on what needs it.
    fn meets(&self, plan: &Plan, i: usize, status: Status) -> bool {
        match status {
            Status::Succeeded | Status::Reused | Status::Skipped => true,
            Status::Failed => plan.steps[i].spec.on_failure == OnFailure::Continue,
            // With one step chosen, what the others did before is enough for it.
            Status::Held | Status::Waiting => self.chosen.as_ref().is_some_and(|chosen| !chosen.has(i)),
            Status::Running | Status::Retrying(_) | Status::Interrupted => false,
        }
    }

    fn outcome(&self, plan: &Plan) -> Outcome {
        match &self.chosen {
            Some(chosen) if self.meets(plan, chosen.only, self.statuses[chosen.only]) => Outcome::Partial,
            Some(_) => Outcome::Failed,
            None if self.unmet == 0 => Outcome::Succeeded,
            None => Outcome::Failed,
        }
    }

    fn part(&mut self, plan: &Plan, i: usize) -> &mut Part {
        if plan.steps[i].spec.finally { &mut self.finally } else { &mut self.main }
    }
}

impl Part {
    /// Whether any step can be begun, now or after a pause.
    fn has_any(&self, verifying: &BTreeSet<usize>) -> bool {
        self.ready.difference(verifying).next().is_some() || self.retrying.difference(verifying).next().is_some()
    }
}

impl Chosen {
    fn of(plan: &Plan, state: &RunState) -> Option<Self> {
        let selection = &state.pass.as_ref()?.selection;
        let only = plan.index(selection.only.as_deref()?)?;
        Some(Self { only, trusted: selection.trust.iter().filter_map(|id| plan.index(id)).collect() })
    }

    fn has(&self, i: usize) -> bool {
        self.only == i || self.trusted.contains(&i)
    }
}

fn put(set: &mut BTreeSet<usize>, i: usize, inside: bool) {
    if inside {
        set.insert(i);
    } else {
        set.remove(&i);
    }
}

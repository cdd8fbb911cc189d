//! What is decided from a plan and a log: by hand for each rule, and by chance for the promise that every prefix of
//! a log resumes to the same end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hprun_steps::ErrorClass;
use hprun_steps::files::FileDigest;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{LONGEST_DELAY, Limits, Move, SETBACKS_ALLOWED, Standing, changes, next, retry_delay};
use crate::event::testing::{pass_over, run_started};
use crate::event::{Entry, Event, Failure, Outcome};
use crate::params::Params;
use crate::pipeline::Retry;
use crate::pipeline::testing::{load, with_head};
use crate::plan::Plan;
use crate::state::{Inputs, RunState, Status, StepState, Success};

fn plan(steps: &str) -> Plan {
    let (pipeline, _) = load(&with_head(steps)).unwrap_or_else(|found| panic!("{found:?}\n{steps}"));
    Plan::new(pipeline, Params::default())
}

/// How a step of a simulated world behaves, however often it is tried.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// Succeeds at once.
    Works,
    /// Its `when` is false.
    Skips,
    /// Fails, known to have failed, every time.
    Fails,
    /// Fails so many times in the world, then works; its `max-attempts` allows for it.
    FailsFirst(u32),
    /// Is throttled so many times in the world, then works.
    Throttled(u32),
    /// Works, but what it made is lost by the time of a resume.
    IsLost,
}

/// A run without an engine: the same loop over `next` and `apply`, in which time and the world are simulated.
struct Simulation<'a> {
    plan: &'a Plan,
    fates: &'a [Fate],
    max_parallel: usize,
    log: Vec<Entry>,
    state: RunState,
    /// Brought up to date with each event.
    standing: Standing,
    now: Timestamp,
}

impl<'a> Simulation<'a> {
    /// A run as far as `log` tells; its first pass or one more is begun.
    fn resumed(plan: &'a Plan, fates: &'a [Fate], max_parallel: usize, log: &[Entry]) -> Self {
        let state = RunState::replay(log).expect("a prefix of a log is legal");
        let now = state.last.unwrap_or(Timestamp::UNIX_EPOCH);
        let first = log.is_empty().then(|| Event::RunStarted(Box::new(run_started())));
        let (mut state, mut log) = (state, log.to_vec());
        for event in first.into_iter().chain([pass_over(plan)]) {
            let entry = Entry { seq: state.seq + 1, at: now, event };
            state.apply(&entry).expect("a pass may begin");
            log.push(entry);
        }
        let standing = Standing::new(plan, &state);
        Self { plan, fates, max_parallel, log, state, standing, now }
    }

    fn push(&mut self, event: Event) {
        let entry = Entry { seq: self.state.seq + 1, at: self.now, event };
        self.state.apply(&entry).expect("only legal events are decided on");
        if let Some(step) = entry.event.step().and_then(|id| self.plan.index(id)) {
            self.standing.update(self.plan, &self.state, step);
        }
        self.log.push(entry);
    }

    fn id(&self, step: usize) -> String {
        self.plan.steps[step].spec.id.to_string()
    }

    fn moves(&self, stopping: bool) -> Vec<Move> {
        let limits = Limits { max_parallel: self.max_parallel, stopping };
        let fresh = Standing::new(self.plan, &self.state);
        assert_eq!(self.standing, fresh, "brought up to date or made anew, it is the same");
        fresh.next(self.plan, &BTreeSet::new(), limits, self.now)
    }

    /// Runs the pass to its end; the bound is on turns of the loop.
    fn finish(mut self) -> (Outcome, RunState, Vec<Entry>) {
        let bound = 20 + self.plan.steps.len() * 40;
        for _ in 0..bound {
            let mut wake = None;
            for decided in self.moves(false) {
                match decided {
                    Move::Begin(step) => self.begin(step),
                    Move::Verify(step) if self.fates[step] == Fate::Skips => self.begin(step),
                    Move::Verify(step) if self.fates[step] == Fate::IsLost => self.begin(step),
                    Move::Verify(step) => {
                        self.push(Event::StepReused { step: self.id(step), reason: String::new() });
                    }
                    Move::WaitUntil(at) => wake = Some(at),
                    Move::Finish(outcome) => {
                        self.push(Event::PassEnded { outcome });
                        return (outcome, self.state, self.log);
                    }
                }
            }
            self.settle_one(wake);
        }
        panic!("the loop took more than {bound} turns");
    }

    fn begin(&mut self, step: usize) {
        let id = self.id(step);
        if self.fates[step] == Fate::Skips {
            return self.push(Event::StepSkipped { step: id, reason: String::new() });
        }
        let busy = self.running().len();
        assert!(busy < self.max_parallel, "{busy} are under way and {id} begins");
        let attempt = self.state.step(&id).attempts + 1;
        let (inputs, files, because) = (json!({}), Vec::new(), Vec::new());
        self.push(Event::AttemptStarted { step: id, attempt, inputs, files, because });
    }

    fn running(&self) -> Vec<usize> {
        (0..self.plan.steps.len()).filter(|i| self.state.step(&self.id(*i)).status == Status::Running).collect()
    }

    /// One try under way comes to its end, or time passes until the next may begin.
    fn settle_one(&mut self, wake: Option<Timestamp>) {
        let Some(&step) = self.running().first() else {
            self.now = wake.unwrap_or(self.now).max(self.now);
            return;
        };
        self.now += SignedDuration::from_secs(1);
        let id = self.id(step);
        let attempt = self.state.step(&id).attempts;
        let class = match self.fates[step] {
            Fate::Works | Fate::Skips | Fate::IsLost => None,
            Fate::Fails => Some(ErrorClass::Failed),
            Fate::FailsFirst(n) => (attempt <= n).then_some(ErrorClass::Failed),
            Fate::Throttled(n) => (attempt <= n).then_some(ErrorClass::Transient),
        };
        match class {
            None => self.push(Event::StepSucceeded { step: id, attempt, outputs: json!({}), files: Vec::new() }),
            Some(class) => {
                let mut counted = self.state.step(&id).clone();
                if class == ErrorClass::Transient {
                    counted.setbacks += 1;
                } else {
                    counted.failures += 1;
                }
                let delay = retry_delay(&self.plan.steps[step].spec.retry, &counted, class);
                let retry_at = delay.map(|d| self.now + SignedDuration::try_from(d).expect("short"));
                self.push(Event::AttemptFailed { step: id, attempt, failure: failure(class), retry_at });
            }
        }
    }

    /// Every step with where it stands at the end, a reused result counting as the success it is.
    fn end(plan: &Plan, state: &RunState) -> BTreeMap<String, &'static str> {
        let word = |status: Status| if status == Status::Reused { "succeeded" } else { status.word() };
        plan.steps.iter().map(|s| (s.spec.id.to_string(), word(state.step(s.spec.id.as_str()).status))).collect()
    }
}

fn failure(class: ErrorClass) -> Failure {
    let (causes, help, code, request_id) = (Vec::new(), None, None, None);
    Failure { message: "no".to_owned(), causes, help, class, code, request_id }
}

/// Runs the steps with these fates (`Works` where none is named): the log as one line an event, then the end.
fn story(steps: &str, fates: &[(&str, Fate)], max_parallel: usize, passes: usize) -> String {
    let plan = plan(steps);
    let fate = |id: &str| fates.iter().find(|(name, _)| *name == id).map_or(Fate::Works, |(_, fate)| *fate);
    let fates: Vec<Fate> = plan.steps.iter().map(|s| fate(s.spec.id.as_str())).collect();
    let mut log = Vec::new();
    for _ in 0..passes {
        log = Simulation::resumed(&plan, &fates, max_parallel, &log).finish().2;
    }
    let told = log.iter().skip(1).map(|entry| match &entry.event {
        Event::PassStarted(_) => "|".to_owned(),
        Event::AttemptStarted { step, .. } => format!("{step}…"),
        Event::StepSucceeded { step, .. } => format!("{step}✓"),
        Event::AttemptFailed { step, retry_at, .. } => format!("{step}{}", if retry_at.is_some() { "↻" } else { "✗" }),
        Event::StepSkipped { step, .. } => format!("{step}-"),
        Event::StepReused { step, .. } => format!("{step}="),
        Event::PassEnded { outcome } => format!("{outcome:?}"),
        Event::StepTrusted { step, .. } => format!("{step}!"),
        Event::RunStarted(_)
        | Event::Recorded { .. }
        | Event::AttemptInterrupted { .. }
        | Event::Inherited { .. }
        | Event::HandedOver { .. }
        | Event::Exported { .. }
        | Event::Imported { .. }
        | Event::Copied { .. } => unreachable!("not simulated"),
    });
    told.collect::<Vec<_>>().join(" ")
}

fn step(id: &str, more: &str) -> String {
    format!("  - {{ id: {id}, type: use-thing{more} }}\n")
}

#[test]
fn steps_run_one_after_the_other_or_side_by_side_as_their_needs_say() {
    let chain = [step("a", ""), step("b", ""), step("c", "")].concat();
    assert_eq!(story(&chain, &[], 4, 1), "| a… a✓ b… b✓ c… c✓ Succeeded");
    let free = [step("a", ", needs: []"), step("b", ", needs: []"), step("c", ", needs: [a, b]")].concat();
    assert_eq!(story(&free, &[], 4, 1), "| a… b… a✓ b✓ c… c✓ Succeeded");
    assert_eq!(story(&free, &[], 1, 1), "| a… a✓ b… b✓ c… c✓ Succeeded", "one at a time");
}

#[test]
fn a_need_is_met_by_a_skipped_step_and_by_a_failed_one_that_lets_the_run_go_on() {
    let chain = [step("a", ""), step("b", "")].concat();
    assert_eq!(story(&chain, &[("a", Fate::Skips)], 4, 1), "| a- b… b✓ Succeeded");
    let lenient = [step("a", ", on-failure: continue"), step("b", "")].concat();
    assert_eq!(story(&lenient, &[("a", Fate::Fails)], 4, 1), "| a… a✗ b… b✓ Succeeded");
    assert_eq!(story(&chain, &[("a", Fate::Fails)], 4, 1), "| a… a✗ Failed");
}

#[test]
fn a_fatal_failure_starts_nothing_new_and_lets_what_is_under_way_end() {
    let steps =
        [step("a", ", needs: []"), step("b", ", needs: []"), step("c", ", needs: []"), step("d", ", needs: [b]")];
    assert_eq!(story(&steps.concat(), &[("a", Fate::Fails)], 2, 1), "| a… b… a✗ b✓ Failed");
}

#[test]
fn finally_runs_after_success_after_failure_and_again_after_each_resume() {
    let steps = format!("{}finally:\n{}", step("a", ""), step("f", ""));
    assert_eq!(story(&steps, &[], 4, 2), "| a… a✓ f… f✓ Succeeded | a= f… f✓ Succeeded");
    assert_eq!(story(&steps, &[("a", Fate::Fails)], 4, 2), "| a… a✗ f… f✓ Failed | a… a✗ f… f✓ Failed");
    assert_eq!(story(&steps, &[("f", Fate::Fails)], 4, 1), "| a… a✓ f… f✗ Failed");
}

#[test]
fn finally_waits_for_every_try_and_every_pause_of_the_steps_before() {
    let steps = format!(
        "{}{}finally:\n{}",
        step("a", ", needs: [], retry: { max-attempts: 2, delay: 30s }"),
        step("b", ", needs: []"),
        step("f", "")
    );
    assert_eq!(story(&steps, &[("a", Fate::FailsFirst(1))], 4, 1), "| a… b… a↻ b✓ a… a✓ f… f✓ Succeeded");
}

#[test]
fn a_lost_result_is_made_again_and_the_others_stand() {
    let steps = [step("a", ""), step("b", ""), step("c", "")].concat();
    assert_eq!(story(&steps, &[("b", Fate::IsLost)], 4, 2), "| a… a✓ b… b✓ c… c✓ Succeeded | a= b… b✓ c= Succeeded");
}

#[test]
fn an_interruption_starts_nothing_not_even_finally_and_ends_when_all_is_at_rest() {
    let plan = plan(&format!("{}finally:\n{}", step("a", ""), step("f", "")));
    let mut run = Simulation::resumed(&plan, &[Fate::Works, Fate::Works], 4, &[]);
    assert_eq!(run.moves(true), [Move::Finish(Outcome::Interrupted)]);
    run.begin(0);
    assert_eq!(run.moves(true), []);
    run.push(Event::AttemptInterrupted { step: "a".to_owned(), attempt: 1 });
    assert_eq!(run.moves(true), [Move::Finish(Outcome::Interrupted)]);
}

#[test]
fn what_is_being_looked_at_counts_as_under_way() {
    let plan = plan(&[step("a", ", needs: []"), step("b", ", needs: []")].concat());
    let run = Simulation::resumed(&plan, &[Fate::Works, Fate::Works], 1, &[]);
    let looking = BTreeSet::from([0]);
    let limits = |max_parallel, stopping| Limits { max_parallel, stopping };
    assert_eq!(next(&plan, &run.state, &looking, limits(1, false), run.now), []);
    assert_eq!(next(&plan, &run.state, &looking, limits(2, false), run.now), [Move::Begin(1)]);
    assert_eq!(next(&plan, &run.state, &looking, limits(2, true), run.now), []);
}

#[test]
fn the_pause_before_a_retry_grows_and_its_number_depends_on_the_class() {
    let retry = Retry { max_attempts: 3, delay: Duration::from_secs(10), backoff: 2.0 };
    let delays = |class: ErrorClass| -> Vec<Option<u64>> {
        let after = |n: u32| {
            let (setbacks, failures) = if class == ErrorClass::Transient { (n, 0) } else { (0, n) };
            StepState { setbacks, failures, ..StepState::default() }
        };
        (1..=SETBACKS_ALLOWED + 1).map(|n| retry_delay(&retry, &after(n), class).map(|d| d.as_secs())).collect()
    };
    let known = vec![Some(10), Some(20), None, None, None, None];
    assert_eq!(delays(ErrorClass::Failed), known);
    assert_eq!(delays(ErrorClass::Unknown), known);
    assert_eq!(delays(ErrorClass::Transient), [Some(10), Some(20), Some(40), Some(80), Some(160), None]);
    for class in [ErrorClass::Invalid, ErrorClass::Refused, ErrorClass::Login, ErrorClass::Interrupted] {
        assert_eq!(delays(class), vec![None; 6], "{class:?}");
    }
    let patient = Retry { max_attempts: u32::MAX, delay: Duration::from_secs(500), backoff: 10.0 };
    let often = StepState { failures: 4_000_000, ..StepState::default() };
    assert_eq!(retry_delay(&patient, &often, ErrorClass::Failed), Some(LONGEST_DELAY));
}

#[test]
fn a_changed_input_or_file_is_told_from_old_to_new() {
    let file = |path: &str, sha256: &str, mode| FileDigest { path: path.to_owned(), sha256: sha256.to_owned(), mode };
    let given = |inputs: Value, files| Inputs { step_type: "use-thing".to_owned(), inputs, files };
    let before = given(
        json!({"name": "x", "count": 1, "gone": true, "list": [1, 2], "deep": {"a": {"b": "old"}}, "token": "secret(t)"}),
        vec![file("same", "1", 0o644), file("text", "1", 0o644), file("mode", "1", 0o644), file("lost", "1", 0o644)],
    );
    let now = given(
        json!({"name": "x", "count": 2, "list": [1, 2, 3], "deep": {"a": {"b": "n".repeat(99)}}, "token": "secret(t)", "new": []}),
        vec![file("same", "1", 0o644), file("text", "2", 0o644), file("mode", "1", 0o755), file("more", "1", 0o644)],
    );
    let success = Success { given: before.clone(), outputs: Value::Null, files: Vec::new() };
    let step = StepState { success: Some(success), ..StepState::default() };
    assert_eq!(changes(&step, &before), Vec::<String>::new());
    insta::assert_snapshot!(changes(&step, &now).join("\n"));
    let other = Inputs { step_type: "make-thing".to_owned(), ..before };
    assert_eq!(changes(&step, &other), ["type: use-thing → make-thing"]);
    assert_eq!(changes(&StepState::default(), &now), Vec::<String>::new(), "nothing was done before");
}

/// A random pipeline: each step with the steps before it that it needs, whether its failure is fatal, its fate; and
/// how many steps stand under `finally:`.
#[derive(Clone, Debug)]
struct Random {
    steps: Vec<(Vec<prop::sample::Index>, bool, Fate)>,
    finally: usize,
    max_parallel: usize,
}

impl Random {
    fn plan(&self) -> (Plan, Vec<Fate>) {
        let mut text = String::new();
        let first_finally = self.steps.len() - self.finally;
        for (i, (needs, is_fatal, _)) in self.steps.iter().enumerate() {
            if i == first_finally {
                text.push_str("finally:\n");
            }
            let from = if i >= first_finally { first_finally } else { 0 };
            let needs: BTreeSet<usize> =
                needs.iter().filter(|_| i > from).map(|index| from + index.index(i - from)).collect();
            let needs: Vec<String> = needs.iter().map(|need| format!("s{need}")).collect();
            let on_failure = if *is_fatal { "stop" } else { "continue" };
            let more = format!(
                ", needs: [{}], on-failure: {on_failure}, retry: {{ max-attempts: 4, delay: 5s }}",
                needs.join(", ")
            );
            text.push_str(&step(&format!("s{i}"), &more));
        }
        let plan = plan(&text);
        let number = |id: &str| id[1..].parse::<usize>().expect("ids are sN");
        let fates = plan.steps.iter().map(|s| self.steps[number(s.spec.id.as_str())].2).collect();
        (plan, fates)
    }
}

fn random(longest: usize, hopeless: bool) -> impl Strategy<Value = Random> {
    let fate = prop_oneof![
        6 => Just(Fate::Works),
        1 => Just(Fate::Skips),
        1 => Just(Fate::Fails),
        1 => (1..4u32).prop_map(Fate::FailsFirst),
        1 => (1..=SETBACKS_ALLOWED).prop_map(Fate::Throttled),
        1 => Just(Fate::IsLost),
    ];
    let needs = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    let steps = prop::collection::vec((needs, any::<bool>(), fate), 1..=longest);
    (steps, 0..3usize, 1..6usize).prop_map(move |(mut steps, finally, max_parallel)| {
        for (_, is_fatal, fate) in &mut steps {
            *is_fatal &= hopeless || *fate != Fate::Fails;
        }
        let finally = finally.min(steps.len() - 1);
        Random { steps, finally, max_parallel }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Promise 2 of the design, without a world: wherever the log is cut, the rest leads to the same end.
    #[test]
    fn every_prefix_of_a_log_resumes_to_the_same_end(random in random(12, false)) {
        let (plan, fates) = random.plan();
        let (outcome, state, log) = Simulation::resumed(&plan, &fates, random.max_parallel, &[]).finish();
        prop_assert_eq!(outcome, Outcome::Succeeded);
        for cut in 0..=log.len() {
            let resumed = Simulation::resumed(&plan, &fates, random.max_parallel, &log[..cut]);
            let (again, end, _) = resumed.finish();
            prop_assert_eq!(again, outcome, "cut after {}", cut);
            prop_assert_eq!(Simulation::end(&plan, &end), Simulation::end(&plan, &state), "cut after {}", cut);
        }
    }

    /// With fatal failures it depends on the order what else was done, but never whether the run failed, and a cut
    /// of a cut is no different.
    #[test]
    fn large_and_failing_runs_end_from_any_cut_of_any_cut(random in random(40, true), cuts in any::<[prop::sample::Index; 3]>()) {
        let (plan, fates) = random.plan();
        let (outcome, _, mut log) = Simulation::resumed(&plan, &fates, random.max_parallel, &[]).finish();
        for cut in cuts {
            log.truncate(cut.index(log.len() + 1));
            let (again, state, longer) = Simulation::resumed(&plan, &fates, random.max_parallel, &log).finish();
            prop_assert_eq!(again, outcome);
            prop_assert_eq!(state.seq as usize, longer.len());
            log = longer;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same for pipelines as large as people write them: every single prefix.
    #[test]
    fn every_prefix_of_a_long_log_resumes_to_the_same_end(random in random(40, false)) {
        let (plan, fates) = random.plan();
        let (outcome, state, log) = Simulation::resumed(&plan, &fates, random.max_parallel, &[]).finish();
        for cut in 0..=log.len() {
            let (again, end, _) = Simulation::resumed(&plan, &fates, random.max_parallel, &log[..cut]).finish();
            prop_assert_eq!(again, outcome, "cut after {}", cut);
            prop_assert_eq!(Simulation::end(&plan, &end), Simulation::end(&plan, &state), "cut after {}", cut);
        }
    }
}

/// The properties above compare two runs by the same code: what both have wrong shows only here, where all of a state is
/// written down. Of every kind of step there is one, and the log is cut in the midst of a retry.
#[test]
fn the_whole_state_is_as_it_is_written_down() {
    let steps = format!(
        "{}{}{}{}finally:\n{}",
        step("works", ", needs: []"),
        step("retried", ", needs: [], retry: { max-attempts: 2, delay: 30s }"),
        step("skipped", ", needs: [works]"),
        step("lenient", ", needs: [skipped], on-failure: continue"),
        step("last", "")
    );
    let plan = plan(&steps);
    let fate = |id: &str| match id {
        "retried" => Fate::FailsFirst(1),
        "skipped" => Fate::Skips,
        "lenient" => Fate::Fails,
        _ => Fate::Works,
    };
    let fates: Vec<Fate> = plan.steps.iter().map(|s| fate(s.spec.id.as_str())).collect();
    let (_, unbroken, log) = Simulation::resumed(&plan, &fates, 4, &[]).finish();
    insta::assert_snapshot!("whole_state_unbroken", format!("{unbroken:#?}"));
    let retry = log.iter().position(|e| matches!(e.event, Event::AttemptFailed { retry_at: Some(_), .. }));
    let cut = retry.expect("a step is retried") + 1;
    let (_, resumed, _) = Simulation::resumed(&plan, &fates, 4, &log[..cut]).finish();
    insta::assert_snapshot!("whole_state_resumed", format!("{resumed:#?}"));
}

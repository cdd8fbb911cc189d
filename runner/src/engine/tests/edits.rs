//! A pipeline is run as far as chance has it, edited by chance and resumed: the end is that of a fresh run of the edited
//! pipeline, and no step ran that need not.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::bench::Bench;
use super::step;
use crate::event::{Event, Outcome};
use crate::state::RunState;

/// A step of a random pipeline: what it says, whether what it takes shows in what it says, and what it needs.
#[derive(Clone, Debug)]
struct Random {
    id: usize,
    text: u8,
    is_deaf: bool,
    fails: bool,
    needs: BTreeSet<usize>,
}

/// What a person does to the file.
#[derive(Clone, Debug)]
enum Edit {
    /// Says something else.
    Text(prop::sample::Index, u8),
    /// Listens, or no longer does.
    Deaf(prop::sample::Index),
    /// No longer needs the first thing that it needs.
    Needless(prop::sample::Index),
    /// Is gone; nobody needs it any more.
    Gone(prop::sample::Index),
    /// A new step that needs the one before it, at the end.
    New(u8),
}

fn random_step() -> impl Strategy<Value = (u8, bool, bool, Vec<prop::sample::Index>)> {
    (0..3u8, any::<bool>(), prop::bool::weighted(0.1), prop::collection::vec(any::<prop::sample::Index>(), 0..3))
}

fn random_edit() -> impl Strategy<Value = Edit> {
    let any_step = any::<prop::sample::Index>;
    prop_oneof![
        3 => (any_step(), 0..3u8).prop_map(|(step, text)| Edit::Text(step, text)),
        1 => any_step().prop_map(Edit::Deaf),
        1 => any_step().prop_map(Edit::Needless),
        1 => any_step().prop_map(Edit::Gone),
        1 => (0..3u8).prop_map(Edit::New),
    ]
}

fn pipeline(steps: Vec<(u8, bool, bool, Vec<prop::sample::Index>)>) -> Vec<Random> {
    let numbered = steps.into_iter().enumerate();
    numbered
        .map(|(id, (text, is_deaf, fails, needs))| {
            let needs = needs.iter().filter(|_| id > 0).map(|index| index.index(id)).collect();
            Random { id, text, is_deaf, fails, needs }
        })
        .collect()
}

/// The file after the edits, in which nothing fails any more.
fn edited(steps: &[Random], edits: &[Edit]) -> Vec<Random> {
    let mut steps = steps.to_vec();
    for edit in edits {
        let count = steps.len();
        match edit {
            Edit::Text(step, text) => steps[step.index(count)].text = *text,
            Edit::Deaf(step) => steps[step.index(count)].is_deaf ^= true,
            Edit::Needless(step) => drop(steps[step.index(count)].needs.pop_first()),
            Edit::Gone(step) if count > 1 => {
                let gone = steps.remove(step.index(count)).id;
                steps.iter_mut().for_each(|step| step.needs.retain(|need| *need != gone));
            }
            Edit::Gone(_) => {}
            Edit::New(text) => {
                let last = steps[count - 1].id;
                let id = steps.iter().map(|step| step.id).max().unwrap_or(0) + 100;
                steps.push(Random { id, text: *text, is_deaf: false, fails: false, needs: BTreeSet::from([last]) });
            }
        }
    }
    steps.iter_mut().for_each(|step| step.fails = false);
    steps
}

fn text(steps: &[Random]) -> String {
    let one = |of: &Random| {
        let ids: Vec<String> = of.needs.iter().map(|need| format!("s{need}")).collect();
        let taken: String = ids.iter().map(|id| format!("{{{{ steps.{id}.outputs.said }}}}.")).collect();
        let (said, heed) = if of.is_deaf { ("", taken.as_str()) } else { (taken.as_str(), "") };
        let fail = if of.fails { ", fail: 99" } else { "" };
        let with = format!("say: 't{}{said}', heed: '{heed}'{fail}", of.text);
        step(&format!("s{}", of.id), &format!(", needs: [{}]", ids.join(", ")), &with)
    };
    steps.iter().map(one).collect()
}

/// What every step of the file hands on at the end.
fn outputs(state: &RunState, steps: &[Random]) -> BTreeMap<String, serde_json::Value> {
    let ids = steps.iter().map(|step| format!("s{}", step.id));
    ids.map(|id| (id.clone(), state.step(&id).success.as_ref().map(|s| s.outputs.clone()).unwrap_or_default()))
        .collect()
}

/// The steps that must run: those without a result, and those whose result came of other inputs than a fresh run's.
fn needed(before: &RunState, fresh: &RunState, steps: &[Random]) -> BTreeSet<String> {
    let ids = steps.iter().map(|step| format!("s{}", step.id));
    ids.filter(|id| {
        let given = before.step(id).success.as_ref().map(|success| &success.given);
        given != fresh.step(id).latest.as_ref()
    })
    .collect()
}

fn begun_after(bench: &Bench, seq: u64) -> Vec<String> {
    let entries = bench.events().into_iter().filter(|entry| entry.seq > seq);
    let begun = entries.filter_map(|entry| match entry.event {
        Event::AttemptStarted { step, .. } => Some(step),
        _ => None,
    });
    begun.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_resume_after_edits_ends_as_a_fresh_run_and_runs_only_what_must(
        steps in prop::collection::vec(random_step(), 1..12),
        edits in prop::collection::vec(random_edit(), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let steps = pipeline(steps);
            let first = Bench::new();
            first.pass(&text(&steps)).await;
            let all = first.events();
            // Killed anywhere after its first pass began, or not at all.
            let kept = &all[..2 + cut.index(all.len() - 1)];
            let resumed = Bench::after(kept).await;
            let before = resumed.state();
            let after = edited(&steps, &edits);
            let fresh = Bench::new();
            prop_assert!(fresh.pass(&text(&after)).await.ends_with("Succeeded"));
            let outcome = resumed.try_pass(&text(&after)).await.expect("a sound store");
            prop_assert_eq!(outcome, Outcome::Succeeded);
            prop_assert_eq!(outputs(&resumed.state(), &after), outputs(&fresh.state(), &after));
            let begun = begun_after(&resumed, before.seq);
            let distinct: BTreeSet<String> = begun.iter().cloned().collect();
            prop_assert_eq!(begun.len(), distinct.len(), "no step runs twice");
            prop_assert_eq!(distinct, needed(&before, &fresh.state(), &after));
            Ok(())
        })?;
    }
}

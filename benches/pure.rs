//! What needs no disk: reading, checking, planning, deciding, replaying. Run by `cargo bench`, chosen by name as divan does.
//! Knows nothing of the other benches.

use std::path::Path;

use divan::Bencher;
use divan::counter::ItemsCount;
use hprun::event::Event;
use hprun::lsp::analysis::analyse;
use hprun::params::{Given, ParamSpecs, resolve};
use hprun::state::RunState;
use hprun_steps::files::Files;

use super::noop::{Shape, block_on, pipeline, plan, text};
use super::resume::{EVENTS_A_STEP, Killed};

const SIZES: [usize; 2] = [2_000, 10_000];

/// What the language server does after a key was typed in the shipped full deployment: all findings, its files read.
#[divan::bench]
fn findings_in_the_editor(bencher: Bencher) {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines");
    let text = std::fs::read_to_string(base.join("full-deployment.yaml")).expect("it is shipped");
    let load = |inputs: &[_]| Files::load(&base, inputs);
    let nothing = |_: &str| None;
    let given = Given { cli: &[], files: &[], recorded: &|_| None, environment: &nothing, ssm: &nothing, answers: &[] };
    let give = |specs: &ParamSpecs| resolve(specs, &given);
    bencher.bench_local(|| analyse(&text, hprun_steps::STEP_TYPES, &load, &give));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn read(bencher: Bencher, steps: usize) {
    let text = text(Shape::Chain, steps);
    bencher.counter(ItemsCount::new(steps)).bench(|| hprun::pipeline::read(&text));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn read_and_check(bencher: Bencher, steps: usize) {
    let text = text(Shape::Chain, steps);
    bencher.counter(ItemsCount::new(steps)).bench(|| pipeline(&text));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn plan_it(bencher: Bencher, steps: usize) {
    let sound = pipeline(&text(Shape::Chain, steps));
    bencher.counter(ItemsCount::new(steps)).with_inputs(|| sound.clone()).bench_values(plan);
}

/// 100,000 events from JSON.
#[divan::bench(sample_count = 10)]
fn parse_events(bencher: Bencher) {
    let entries = block_on(Killed::new(100_000 / EVENTS_A_STEP)).entries();
    let texts: Vec<String> =
        entries.iter().map(|entry| serde_json::to_string(&entry.event).expect("an event is plain data")).collect();
    bencher
        .counter(ItemsCount::new(texts.len()))
        .bench(|| texts.iter().filter(|text| serde_json::from_str::<Event>(text).is_ok()).count());
}

/// 100,000 events to the state they lead to.
#[divan::bench(sample_count = 10)]
fn replay(bencher: Bencher) {
    let entries = block_on(Killed::new(100_000 / EVENTS_A_STEP)).entries();
    bencher.counter(ItemsCount::new(entries.len())).bench(|| RunState::replay(&entries));
}

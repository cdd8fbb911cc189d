//! The benches: `scripts/bench` runs all of them beside other programs; `cargo bench` those that need no disk.
//! Says what it found as one JSON object a line; what that means is for who reads it.

mod bare;
mod noop;
mod pure;
mod resume;

use std::time::Instant;

use hprun::plan::Plan;
use noop::{Bench, Shape, Taken, block_on, pipeline, plan, text};
use serde_json::json;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |text: &str| text.parse().expect("a number of steps");
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["round", steps] => round(number(steps)),
        ["resume", steps] => resume(number(steps)),
        ["memory", "chain", steps] => memory(Shape::Chain, number(steps)),
        ["memory", "independent", steps] => memory(Shape::Independent, number(steps)),
        _ => divan::main(),
    }
}

/// A chain and the bare commits it needs, twice in turn; then independent steps.
fn round(steps: usize) {
    for _ in 0..2 {
        let chain = Bench::new();
        say("chain", steps, block_on(chain.run(prepared(Shape::Chain, steps), 1)));
        say("bare", steps, bare::run(&bare::groups(&chain)));
    }
    for max_parallel in [8, 64] {
        let taken = block_on(Bench::new().run(prepared(Shape::Independent, steps), max_parallel));
        say(&format!("independent-{max_parallel}"), steps, taken);
    }
}

/// The plan of a pipeline, with how long each part of getting there took.
fn prepared(shape: Shape, steps: usize) -> Plan {
    let text = text(shape, steps);
    let began = Instant::now();
    let pipeline = pipeline(&text);
    let checked = began.elapsed();
    let plan = plan(pipeline);
    let planned = began.elapsed() - checked;
    println!("{}", json!({ "what": format!("check-{shape:?}"), "steps": steps, "seconds": checked.as_secs_f64() }));
    println!("{}", json!({ "what": format!("plan-{shape:?}"), "steps": steps, "seconds": planned.as_secs_f64() }));
    plan
}

fn say(what: &str, steps: usize, taken: Taken) {
    let (seconds, step) = (taken.time.as_secs_f64(), taken.step.as_secs_f64());
    let found = json!({ "what": what, "steps": steps, "seconds": seconds, "step": step, "commits": taken.commits });
    println!("{found}");
}

/// Taking up a killed run with this many steps, in this process and as a program of its own.
fn resume(steps: usize) {
    let killed = block_on(resume::Killed::new(steps));
    let program = killed.program();
    let (parts, events) = killed.take_up();
    let seconds: f64 = parts.iter().map(|(_, time)| time.as_secs_f64()).sum();
    let parts: serde_json::Map<_, _> =
        parts.into_iter().map(|(name, time)| (name.to_owned(), time.as_secs_f64().into())).collect();
    println!("{}", json!({ "what": "resume", "steps": steps, "events": events, "seconds": seconds, "parts": parts }));
    println!("{}", json!({ "what": "outputs", "events": events, "seconds": program.as_secs_f64() }));
}

/// What this process ever held in memory, after it read, checked, planned and ran this many steps.
fn memory(shape: Shape, steps: usize) {
    let plan = plan(pipeline(&text(shape, steps)));
    let checked = peak_kib();
    let taken = block_on(Bench::new().run(plan, 64));
    let what = format!("memory-{shape:?}");
    let (seconds, commits) = (taken.time.as_secs_f64(), taken.commits);
    let found = json!({ "what": what, "steps": steps, "seconds": seconds, "commits": commits,
        "checked_kib": checked, "peak_kib": peak_kib() });
    println!("{found}");
}

/// The most memory that this process has had, as the kernel counts it.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel counts it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

//! The benches, once and small, so that they do not rot; and the number of commits that they are about. No time is looked at.

#[path = "../benches/bare.rs"]
mod bare;
#[path = "../benches/noop.rs"]
mod noop;
#[path = "../benches/resume.rs"]
mod resume;

use noop::{Bench, Shape, block_on, pipeline, plan, text};

const STEPS: usize = 20;

fn planned(shape: Shape) -> hprun::plan::Plan {
    plan(pipeline(&text(shape, STEPS)))
}

#[test]
fn a_chain_needs_one_commit_a_step_and_one_to_begin() {
    let bench = Bench::new();
    let taken = block_on(bench.run(planned(Shape::Chain), 8));
    assert_eq!(taken.commits as usize, STEPS + 1);
    println!("{:?}, {:?} a step", taken.time, taken.step);
    let bare = bare::run(&bare::groups(&bench));
    assert_eq!(bare.commits, taken.commits, "the bare loop does the same");
}

#[test]
fn independent_steps_need_no_more_commits_than_a_chain_and_share_the_first() {
    for max_parallel in [1, 8, 64] {
        let taken = block_on(Bench::new().run(planned(Shape::Independent), max_parallel));
        assert!(taken.commits as usize <= STEPS + 1, "{} commits, {max_parallel} at once", taken.commits);
    }
}

#[test]
fn a_killed_run_is_taken_up_where_it_stopped() {
    let killed = block_on(resume::Killed::new(STEPS));
    assert_eq!(killed.entries().len(), 2 + STEPS * resume::EVENTS_A_STEP - 1);
    killed.program();
    let (parts, events) = killed.take_up();
    assert_eq!((parts.len(), events), (8, killed.entries().len() - 1), "one event more: a pass has begun");
}

//! Whole renderings of one log that has everything, as each reporter shows it.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hprun_steps::ErrorClass;
use hprun_steps::clock::Clock;
use hprun_steps::context::Record;
use indicatif::{ProgressDrawTarget, TermLike};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::json;

use super::{Human, Json, Plain, Reporter, duration};
use crate::event::{Entry, Event, Failure, Outcome, PassStarted, RunStarted, testing};
use crate::state::RunState;

const BASE: i64 = 1_767_000_000;
const STACK_ARN: &str = "arn:aws:cloudformation:us-west-2:111122223333:stack/hyperpod/1";
const CLUSTER_ARN: &str = "arn:aws:sagemaker:us-west-2:111122223333:cluster/abcdef";

/// What a reporter is told.
enum Told {
    Event(Event),
    Progress(&'static str, &'static str),
    Stopping,
}

/// A run that fails, is mended, resumed, interrupted, and resumed to its end; with seconds since its start.
fn script() -> Vec<(i64, Told)> {
    [the_run_fails(), it_is_mended_and_interrupted(), it_ends()].into_iter().flatten().collect()
}

fn the_run_fails() -> Vec<(i64, Told)> {
    vec![
        event(0, run_started()),
        event(0, pass(&[], &[])),
        event(0, begun("stack", 1, &[])),
        (60, Told::Progress("stack", "3/41 resources, now NatGateway1")),
        (70, Told::Progress("stack", "3/41 resources, now NatGateway1")),
        event(90, Event::Recorded { step: id("stack"), record: Record::ChildEnded { pid: 1 } }),
        (
            600,
            Told::Progress(
                "stack",
                "34/41 resources, now EKSCluster, which waits for its control plane in three zones",
            ),
        ),
        event(1083, done("stack", 1, json!({"name": "hyperpod", "id": STACK_ARN}))),
        event(1083, begun("infra", 1, &[])),
        event(
            1084,
            failed(
                "infra",
                1,
                failure("could not describe the stack hyperpod: rate exceeded", &[], None, ErrorClass::Transient),
                Some(1092),
            ),
        ),
        event(1092, begun("infra", 2, &[])),
        event(1093, done("infra", 2, json!({}))),
        event(1093, begun("cluster", 1, &[])),
        event(1093, Event::StepSkipped { step: id("extra"), reason: id("gt params.extra 0 (params.extra = 0)") }),
        event(
            1833,
            failed(
                "cluster",
                1,
                failure(
                    "the cluster ml-cluster failed: the lifecycle script on_create.sh ended with exit code 1",
                    &[
                        "instance group worker, instance i-0123456789abcdef0",
                        "last lines of its log:\n  + mount /fsx\n  mount: /fsx: no such device",
                    ],
                    Some(
                        "mend lifecycle/base-config/on_create.sh, then resume: the failed cluster is deleted and made again",
                    ),
                    ErrorClass::Failed,
                ),
                None,
            ),
        ),
        event(1833, Event::PassEnded { outcome: Outcome::Failed }),
    ]
}

fn it_is_mended_and_interrupted() -> Vec<(i64, Told)> {
    vec![
        event(3600, pass(&["scripts"], &["$AWS_REGION is now eu-west-1, the run keeps us-west-2"])),
        event(3601, Event::StepReused { step: id("stack"), reason: id("same inputs, same files, still there") }),
        event(3601, begun("infra", 3, &["stack: \"a\" → \"b\"", "file map.yaml changed"])),
        event(3602, done("infra", 3, json!({}))),
        event(3602, begun("cluster", 2, &[])),
        (3700, Told::Progress("cluster", "Creating, 0/2 instances")),
        (3710, Told::Stopping),
        event(3711, Event::AttemptInterrupted { step: id("cluster"), attempt: 2 }),
        event(3711, Event::PassEnded { outcome: Outcome::Interrupted }),
        event(4000, pass(&[], &[])),
        event(
            4000,
            failed("stack", 0, failure("the inputs of this step are wrong", &[], None, ErrorClass::Invalid), None),
        ),
        event(4000, Event::PassEnded { outcome: Outcome::Failed }),
    ]
}

fn it_ends() -> Vec<(i64, Told)> {
    vec![
        event(5000, pass(&[], &[])),
        event(5001, Event::StepReused { step: id("stack"), reason: id("same inputs, same files, still there") }),
        event(5001, Event::StepReused { step: id("infra"), reason: id("same inputs, same files, still there") }),
        event(5001, begun("cluster", 3, &[])),
        event(5001, Event::StepSkipped { step: id("extra"), reason: id("gt params.extra 0 (params.extra = 0)") }),
        event(5721, done("cluster", 3, json!({"cluster_arn": CLUSTER_ARN}))),
        event(5721, begun("wait", 1, &[])),
        event(5722, done("wait", 1, json!({"status": "InService"}))),
        event(5722, Event::PassEnded { outcome: Outcome::Succeeded }),
    ]
}

fn event(at: i64, event: Event) -> (i64, Told) {
    (at, Told::Event(event))
}

fn id(text: &str) -> String {
    text.to_owned()
}

fn run_started() -> Event {
    Event::RunStarted(Box::new(RunStarted {
        version: id("0.1.0"),
        pipeline: id("full-deployment"),
        path: id("/p/full-deployment.yaml"),
        caller: id("arn:aws:sts::111122223333:assumed-role/Admin/me"),
        ..testing::run_started()
    }))
}

fn pass(orphaned: &[&str], notes: &[&str]) -> Event {
    let steps = [
        ("stack", "deploy-stack"),
        ("infra", "fetch-outputs"),
        ("cluster", "create-cluster"),
        ("extra", "run-command"),
        ("wait", "wait-status"),
    ];
    Event::PassStarted(Box::new(PassStarted {
        host: id("laptop"),
        orphaned: orphaned.iter().map(|step| id(step)).collect(),
        notes: notes.iter().map(|note| id(note)).collect(),
        usual: BTreeMap::from([(id("stack"), 1080.0), (id("cluster"), 720.0)]),
        steps: steps.iter().map(|(step, kind)| (id(step), id(kind))).collect(),
        ..testing::pass_started()
    }))
}

fn begun(step: &str, attempt: u32, because: &[&str]) -> Event {
    let because = because.iter().map(|why| id(why)).collect();
    Event::AttemptStarted { step: id(step), attempt, inputs: json!({"name": "x"}), files: Vec::new(), because }
}

fn done(step: &str, attempt: u32, outputs: serde_json::Value) -> Event {
    Event::StepSucceeded { step: id(step), attempt, outputs, files: Vec::new() }
}

fn failed(step: &str, attempt: u32, failure: Failure, retry_at: Option<i64>) -> Event {
    Event::AttemptFailed { step: id(step), attempt, failure, retry_at: retry_at.map(at) }
}

fn failure(message: &str, causes: &[&str], help: Option<&str>, class: ErrorClass) -> Failure {
    Failure {
        message: id(message),
        causes: causes.iter().map(|cause| id(cause)).collect(),
        help: help.map(id),
        class,
        code: Some(id("Throttling")),
        request_id: Some(id("2f1c-77")),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(BASE).expect("in range") + SignedDuration::from_secs(seconds)
}

/// Tells the reporter the script; `look` is called after each.
fn play<R: Reporter>(reporter: &mut R, clock: &AtomicI64, mut look: impl FnMut(i64, &R)) {
    let mut state = RunState::default();
    for (seconds, told) in script() {
        clock.store(at(seconds).as_microsecond(), std::sync::atomic::Ordering::SeqCst);
        match told {
            Told::Event(event) => {
                let entry = Entry { seq: state.seq + 1, at: at(seconds), event };
                state.apply(&entry).expect("the script is legal");
                reporter.event(&entry, &state);
            }
            Told::Progress(step, text) => reporter.progress(step, text),
            Told::Stopping => reporter.stopping(),
        }
        look(seconds, reporter);
    }
    reporter.close(&state);
}

/// Keeps what is written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics here").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("nobody panics here").clone()).expect("UTF-8")
    }
}

fn clock() -> Arc<AtomicI64> {
    Arc::new(AtomicI64::new(at(0).as_microsecond()))
}

#[test]
fn plain_lines_read_well_without_colour_and_without_a_terminal() {
    let (paper, time) = (Paper::default(), clock());
    let now = Clock::manual(Arc::clone(&time));
    let out = anstream::StripStream::new(Box::new(paper.clone()) as Box<dyn Write + Send>);
    let mut plain = Plain::new(out, TimeZone::UTC, move || now.now());
    play(&mut plain, &time, |_, _| ());
    insta::assert_snapshot!(paper.text());
}

#[test]
fn json_is_one_object_a_line_and_each_event_can_be_read_back() {
    let (paper, time) = (Paper::default(), clock());
    play(&mut Json::new(paper.clone(), "run1"), &time, |_, _| ());
    let text = paper.text();
    for line in text.lines().filter(|line| line.contains("\"event\"")) {
        serde_json::from_str::<Entry>(line).expect(line);
    }
    insta::assert_snapshot!(text);
}

/// A terminal of a fixed width.
#[derive(Clone, Debug)]
struct Screen {
    width: u16,
    shown: Arc<Mutex<Shown>>,
}

/// What is on a screen, and where its cursor is.
#[derive(Debug, Default)]
struct Shown {
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Screen {
    fn new(width: u16) -> Self {
        Self { width, shown: Arc::default() }
    }

    fn text(&self) -> String {
        let shown = self.shown.lock().expect("nobody panics here");
        let lines = shown.rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned());
        lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }

    fn put(&self, text: &str) {
        let mut shown = self.shown.lock().expect("nobody panics here");
        let Shown { rows, row, column } = &mut *shown;
        for c in console::strip_ansi_codes(text).chars() {
            if *column == usize::from(self.width) && c != '\n' {
                (*row, *column) = (*row + 1, 0);
            }
            if rows.len() <= *row {
                rows.resize(*row + 1, Vec::new());
            }
            match c {
                '\n' => (*row, *column) = (*row + 1, 0),
                '\r' => *column = 0,
                c => {
                    let line = &mut rows[*row];
                    line.resize(line.len().max(*column + 1), ' ');
                    line[*column] = c;
                    *column += 1;
                }
            }
        }
    }

    fn move_by(&self, down: isize, right: isize) {
        let mut shown = self.shown.lock().expect("nobody panics here");
        shown.row = shown.row.saturating_add_signed(down);
        shown.column = shown.column.saturating_add_signed(right);
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        200
    }

    fn move_cursor_up(&self, n: usize) -> std::io::Result<()> {
        self.move_by(-n.cast_signed(), 0);
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> std::io::Result<()> {
        self.move_by(n.cast_signed(), 0);
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> std::io::Result<()> {
        self.move_by(0, n.cast_signed());
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> std::io::Result<()> {
        self.move_by(0, -n.cast_signed());
        Ok(())
    }

    fn write_line(&self, text: &str) -> std::io::Result<()> {
        self.put(&format!("{text}\n"));
        Ok(())
    }

    fn write_str(&self, text: &str) -> std::io::Result<()> {
        self.put(text);
        Ok(())
    }

    fn clear_line(&self) -> std::io::Result<()> {
        let mut shown = self.shown.lock().expect("nobody panics here");
        let row = shown.row;
        if let Some(line) = shown.rows.get_mut(row) {
            line.clear();
        }
        shown.column = 0;
        Ok(())
    }

    fn flush(&self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The moving lines at some moments (the spinner's sign left out), then all that stays.
fn on_screen(width: u16) -> String {
    let (screen, time) = (Screen::new(width), clock());
    let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
    let mut human = Human::on(target, Clock::manual(Arc::clone(&time)), false, None);
    let mut looks = String::new();
    play(&mut human, &time, |seconds, human| {
        if [600, 1084, 3700].contains(&seconds) {
            human.redraw();
            let shown = screen.text();
            let moving: Vec<String> = shown
                .lines()
                .rev()
                .take(2)
                .map(|l| l.chars().map(|c| if "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏".contains(c) { '*' } else { c }).collect())
                .collect();
            looks.push_str(&format!(
                "after {}:\n{}\n{}\n",
                duration(Duration::from_secs(seconds.unsigned_abs())),
                moving[1],
                moving[0]
            ));
            assert!(moving.iter().all(|line| line.chars().count() <= usize::from(width)));
        }
    });
    format!("{looks}at the end:\n{}", screen.text())
}

#[test]
fn the_live_view_has_a_moving_line_a_running_step_and_settles_the_rest() {
    insta::assert_snapshot!("live_80", on_screen(80));
    insta::assert_snapshot!("live_120", on_screen(120));
}

#[test]
fn durations_read_as_people_say_them() {
    let told = |millis: u64| duration(Duration::from_millis(millis));
    assert_eq!([0, 420, 9_900, 10_000, 59_999].map(told), ["0.0s", "0.4s", "9.9s", "10s", "59s"]);
    assert_eq!(
        [60_000, 1_083_000, 3_599_999, 3_600_000, 7_500_000].map(told),
        ["1m 00s", "18m 03s", "59m 59s", "1h 00m", "2h 05m"]
    );
    assert_eq!(told(9_999), "9.9s");
}

//! What `run`, `resume` and `rerun` share: a checked pipeline in a reached world becomes a pass of the engine.
//! Knows nothing of what is typed.

use hprun_steps::context::RunInfo;
use hprun_steps::partial::ValueType;
use hprun_steps::value::Value;
use indexmap::IndexMap;

use super::args::{Global, Output, PassArgs};
use super::failure::CliError;
use super::params::{Givers, missing_error, should_ask, to_record};
use super::recorded::Recorded;
use super::signals::stop_token;
use super::source::Source;
use super::target::{AwsWish, Reached};
use super::{confirm, print};
use crate::engine::{self, Engine, Setup, World};
use crate::event::{Entry, Event, FORMAT, Outcome, PassStarted, RecordedParam, RunStarted, Selection, Target};
use crate::expr::{KnownScope, RunFacts, Scope};
use crate::params::Params;
use crate::pipeline::Pipeline;
use crate::plan::Plan;
use crate::report::{Human, Json, Plain, Reporter};
use crate::state::RunState;
use crate::store::{Batch, Log, RunLock, Store, StoreError, host_name};

/// A run about to be taken up by this process.
pub struct Launch<'a> {
    /// The command line.
    pub global: &'a Global,
    /// How to go about it.
    pub pass: &'a PassArgs,
    /// The store.
    pub store: &'a Store,
    /// The run's id.
    pub run: String,
    /// Keeps other processes from it.
    pub lock: RunLock,
    /// The pipeline file.
    pub source: &'a Source,
    /// What to do.
    pub plan: Plan,
    /// Where.
    pub reached: Reached,
}

/// What a pass begins with.
pub struct Beginning {
    /// The run so far.
    pub state: RunState,
    /// Events before the one that says that the pass began.
    pub first: Vec<Event>,
    /// The run whose things pass to this one.
    pub from: Option<Recorded>,
}

impl Beginning {
    /// Of another pass of a run.
    pub fn again(state: RunState) -> Self {
        Self { state, first: Vec::new(), from: None }
    }
}

/// Checks the pipeline offline with what is given so far, asking a person for what is missing.
pub fn check_offline(source: &Source, givers: &mut Givers, pass: &PassArgs) -> Result<(Pipeline, Params), CliError> {
    let waiting = givers.ssm_needed(source);
    let specs = source.specs();
    match givers.resolve(source) {
        Ok(params) => Ok((source.check(&params.values, Vec::new())?, params)),
        Err(mut problems) => {
            // What SSM will give is not missing: it is fetched once AWS is reached.
            problems.missing.retain(|param| {
                let ssm = specs.get(&param.name).and_then(|spec| spec.ssm.as_ref());
                !ssm.is_some_and(|path| waiting.contains(path))
            });
            let pipeline = source.check(&problems.known.values, problems.wrong.clone())?;
            if problems.missing.is_empty() {
                return Ok((pipeline, problems.known));
            }
            if !should_ask(&problems, pass) {
                return Err(missing_error(&problems.missing));
            }
            givers.ask(&problems.missing)?;
            let answered = PassArgs { no_input: true, ..pass.clone() };
            check_offline(source, givers, &answered)
        }
    }
}

/// The params with those from SSM, and the pipeline checked with all of them.
pub async fn check_reached(
    source: &Source,
    givers: &mut Givers,
    reached: &Reached,
    offline: (Pipeline, Params),
) -> Result<(Pipeline, Params), CliError> {
    if givers.ssm_needed(source).is_empty() {
        return Ok(offline);
    }
    givers.fetch(source, &reached.clients).await?;
    match givers.resolve(source) {
        Ok(params) => Ok((source.check(&params.values, Vec::new())?, params)),
        Err(problems) if problems.wrong.is_empty() => Err(missing_error(&problems.missing)),
        Err(problems) => Err(CliError::Invalid(source.render(&problems.wrong))),
    }
}

/// The pipeline's `aws:` with the params in it.
pub fn aws_wish(source: &Source, pipeline: &Pipeline, params: &IndexMap<String, Value>) -> Result<AwsWish, CliError> {
    let run = RunFacts::default();
    let scope = Scope { params, steps: &|_| None, run: &run };
    let text = |tree: &Option<crate::expr::Tree>| -> Result<Option<String>, CliError> {
        let Some(tree) = tree else { return Ok(None) };
        let wrong =
            |e: crate::expr::ExprError| CliError::Invalid(source.render(&[crate::diagnostic::Diagnostic::from(e)]));
        match tree.resolve(&scope).map_err(wrong)? {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            Value::Integer(number) => Ok(Some(format!("{number:012}"))),
            Value::Bool(_) | Value::Float(_) | Value::List(_) | Value::Map(_) | Value::Secret(_) => {
                Err(CliError::usage("`aws:` takes text"))
            }
        }
    };
    let aws = &pipeline.aws;
    Ok(AwsWish {
        region: text(&aws.region)?,
        profile: text(&aws.profile)?,
        role: text(&aws.role)?,
        account: text(&aws.account)?,
    })
}

/// A program that a step will need and this machine does not have is told now, not after half of the run.
pub fn refuse_missing_programs(source: &Source, plan: &Plan) -> Result<(), CliError> {
    let (any, none) = (|_: &str| ValueType::Any, |_: &str| None);
    let scope = KnownScope { params: &plan.params.values, param_type: &any, outputs: &none };
    for step in plan.steps.iter().filter(|step| step.spec.when.is_none()) {
        let programs = (step.spec.step_type.programs)(&step.spec.with.partial(&scope), &source.base);
        if let Some(missing) = programs.iter().find(|program| !program.is_there()) {
            let (id, path) = (step.spec.id.as_str(), missing.path.display());
            return Err(CliError::refused(
                format!("nothing was done: the step {id} needs the program {path}, which is not there"),
                missing.advice,
            ));
        }
    }
    Ok(())
}

/// A real account is asked about: it costs money. `help` says how it can be answered beforehand.
pub fn ask_before_real(pass: &PassArgs, plan: &Plan, reached: &Reached, help: &str) -> Result<(), CliError> {
    if matches!(reached.target, Target::Sandbox { .. }) || pass.yes {
        return Ok(());
    }
    if pass.no_input || !confirm::can_ask() {
        let message = format!("nothing was done: this would change {}", reached.line());
        return Err(CliError::refused(message, help));
    }
    print::note(format!("{} {}", plan.name, plan.version.as_deref().unwrap_or_default()));
    for step in &plan.steps {
        print::note(format!("  {:<24} {}", step.spec.id.as_str(), step.spec.step_type.summary));
    }
    if confirm::yes(&format!("Run this in {}?", reached.line()))? {
        Ok(())
    } else {
        Err(CliError::Refused { message: "nothing was done".to_owned(), help: None })
    }
}

/// How a run begins.
pub fn run_started(source: &Source, plan: &Plan, reached: &Reached) -> RunStarted {
    RunStarted {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pipeline: plan.name.clone(),
        path: source.path.to_string_lossy().into_owned(),
        text: source.text.clone(),
        target: reached.target.clone(),
        partition: reached.caller.partition.clone(),
        account: reached.caller.account.clone(),
        region: reached.region.clone(),
        caller: reached.caller.arn.clone(),
        params: to_record(&plan.params),
        lineage: Vec::new(),
    }
}

impl Launch<'_> {
    /// Records that the pass begins, and that what another run made is this one's, in one commit: a crash leaves both or
    /// neither. Then runs the pass to its end.
    pub async fn go(self, beginning: Beginning, pass: PassStarted) -> Result<(), CliError> {
        let Beginning { mut state, first, from } = beginning;
        let stop = stop_token();
        let mut reporter = reporter(self.global, &self.run, &self.reached);
        let now = self.reached.clock.now();
        let events = first.into_iter().chain([Event::PassStarted(Box::new(pass))]).map(|e| (now, e)).collect();
        let own = Batch { run: &self.run, lock: &self.lock, seq: state.seq, events };
        let handed_over = from.as_ref().map(|old| Batch {
            run: &old.id,
            lock: &old.lock,
            seq: old.state.seq,
            events: vec![(now, Event::HandedOver { to: self.run.clone() })],
        });
        let entries = self.store.commit([own].into_iter().chain(handed_over).collect())?.swap_remove(0);
        drop(from);
        let seq = entries.last().map_or(state.seq, |entry| entry.seq);
        // The run has begun by now: what is wrong from here on is its own, and resume goes on with it.
        let begun = |e: StoreError| CliError::Engine { error: e.into(), run: self.run.clone() };
        let log = Log::open(self.store.folder(), &self.run, self.lock, seq).map_err(begun)?;
        for entry in &entries {
            state.apply(entry).map_err(|e| CliError::Engine { error: e.into(), run: self.run.clone() })?;
            reporter.event(entry, &state);
        }
        let max_parallel = usize::from(self.pass.max_parallel);
        let world = world(self.store, &self.run, self.source, &self.reached, (self.plan, &state));
        let engine = Engine::new(Setup { world, state, log: log.handle(), reporter, max_parallel, stop });
        let result = engine.run().await;
        self.reached.close().await;
        drop(log);
        match result {
            Ok((Outcome::Succeeded | Outcome::Partial, _)) => Ok(()),
            Ok((outcome, _)) => Err(CliError::Ended { outcome, run: self.run }),
            Err(error) => Err(CliError::Engine { error, run: self.run }),
        }
    }

    /// Says what the pass would do, and does nothing.
    pub async fn explain(self, before: RunState, pass: PassStarted) -> Result<(), CliError> {
        let stop = stop_token();
        let (at, orphaned) = (self.reached.clock.now(), pass.orphaned.clone());
        let notes = pass.notes.clone();
        let mut state = before.clone();
        let entry = Entry { seq: state.seq + 1, at, event: Event::PassStarted(Box::new(pass)) };
        state.apply(&entry).map_err(|e| CliError::Engine { error: e.into(), run: self.run.clone() })?;
        let world = world(self.store, &self.run, self.source, &self.reached, (self.plan, &state));
        let verdicts = engine::explain::explain(world, &before, state, stop.clone()).await;
        self.reached.close().await;
        if stop.is_cancelled() {
            return Err(CliError::Ended { outcome: Outcome::Interrupted, run: self.run });
        }
        super::explain::print(self.global, &self.run, &super::explain::Told { verdicts, orphaned, notes })
    }

    /// The event that says that this process took the run up.
    pub fn pass_started(&self, params: IndexMap<String, RecordedParam>) -> Result<PassStarted, CliError> {
        let steps = self.plan.steps.iter().map(|s| (s.spec.id.to_string(), s.spec.step_type.name.to_owned())).collect();
        Ok(PassStarted {
            pid: std::process::id(),
            host: host_name(),
            params,
            text: None,
            orphaned: Vec::new(),
            notes: Vec::new(),
            again: std::collections::BTreeMap::new(),
            selection: Selection::default(),
            usual: self.store.usual_durations(&self.plan.name, self.reached.target.key())?,
            steps,
        })
    }
}

/// What every attempt of the run shares.
fn world(store: &Store, run: &str, source: &Source, reached: &Reached, (plan, state): (Plan, &RunState)) -> World {
    let Reached { caller, region, target, environment, .. } = reached;
    let run = RunInfo {
        id: run.to_owned(),
        lineage: state.started.as_ref().map(|started| started.lineage.clone()).unwrap_or_default(),
        pipeline: plan.name.clone(),
        partition: caller.partition.clone(),
        account: caller.account.clone(),
        region: region.clone(),
        caller_arn: caller.arn.clone(),
        sandbox: matches!(target, crate::event::Target::Sandbox { .. }),
        folder: store.folder().run(run),
        base: source.base.clone(),
        program: std::env::current_exe().unwrap_or_else(|_| "hprun".into()),
        environment: environment.clone(),
    };
    World { plan, run, clients: reached.clients.clone(), clock: reached.clock.clone() }
}

/// The reporter that the command line and the terminal ask for.
fn reporter(global: &Global, run: &str, reached: &Reached) -> Box<dyn Reporter> {
    let clock = reached.clock.clone();
    match global.output {
        Output::Json => Box::new(Json::new(std::io::stdout(), run)),
        Output::Auto if console::user_attended_stderr() => {
            Box::new(Human::new(clock, std::env::var_os("NO_COLOR").is_none()))
        }
        Output::Auto | Output::Plain => {
            let zone = jiff::tz::TimeZone::system();
            Box::new(Plain::new(anstream::AutoStream::auto(std::io::stderr()), zone, move || clock.now()))
        }
    }
}

//! Many cases side by side: each a scene, one or two kills, a resume to the end and a comparison; and what came of them.
//! Must not know how a kill is done or what is compared.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::enumerate::{Boundary, Class, boundaries};
use super::kill::{Ended, pass};
use super::scene::{Form, Ground, SCENES, Scene};
use super::world::World;

/// Cases at the same time: they wait more than they work.
const WORKERS: usize = 4;
/// How often a kill that was not reached is tried again, a little earlier each time.
const TRIES: usize = 8;

/// How much is done.
pub struct Extent {
    /// How many single kills, spread over all boundaries; all when left out.
    pub kills: Option<usize>,
    /// How many pairs of kills, drawn by the seed.
    pub pairs: usize,
}

pub struct Campaign {
    ground: Ground,
    seed: u64,
}

/// A scene, what an unbroken pass of it came by, and what it left.
struct Known {
    scene: &'static Scene,
    classes: Vec<Class>,
    moments: usize,
    world: World,
}

/// A scene and its kills: the first in the pass under test, the second in the resume that follows.
#[derive(Debug, Clone)]
struct Case {
    scene: &'static Scene,
    kills: Vec<Boundary>,
}

struct Done {
    case: Case,
    /// How many resumes it took, or why it failed.
    outcome: Result<usize, String>,
    took: Duration,
}

/// How one try of a case went.
enum Tried {
    Good { resumes: usize },
    NotReached { kill: usize },
    Bad(String),
}

impl Campaign {
    /// Makes what the scenes stand on.
    pub fn begin() -> Self {
        let given = std::env::var("HPRUN_SEED").ok().map(|seed| seed.parse().expect("HPRUN_SEED is a number"));
        let seed = given.unwrap_or_else(|| fastrand::u64(..1_000_000));
        println!("HPRUN_SEED={seed}");
        Self { ground: Ground::make(), seed }
    }

    /// Carries out so much, or the one case that `HPRUN_CRASH_ONLY` names. Panics if a case fails.
    pub fn run(&self, extent: &Extent) {
        let began = Instant::now();
        let only = std::env::var("HPRUN_CRASH_ONLY").ok().map(|text| Case::parse(&text));
        let scenes = match &only {
            Some(case) => vec![case.scene.base()],
            None => SCENES.iter().collect(),
        };
        let known = in_parallel(scenes, |scene| self.unbroken(scene));
        let base = |scene: &Scene| {
            let of = scene.base().name;
            &known.iter().find(|known| known.scene.name == of).expect("every base is a scene").world
        };
        for Known { scene, world, .. } in &known {
            assert_eq!(base(scene).differs(world), None, "{}: after one kill and a whole resume", scene.name);
        }
        let cases = only.map_or_else(|| self.cases(&known, extent), |case| vec![case]);
        let count = cases.len();
        println!("{count} cases; the unbroken passes took {:.0?}", began.elapsed());
        let so_far = AtomicUsize::new(0);
        let done = in_parallel(cases, |case| {
            let whole = base(case.scene);
            let done = self.carry_out(case, whole);
            let so_far = so_far.fetch_add(1, Ordering::Relaxed) + 1;
            if so_far.is_multiple_of(50) {
                println!("{so_far} of {count} after {:.0?}", began.elapsed());
            }
            done
        });
        report(&done, self.seed, began.elapsed());
    }

    /// A pass of a scene that is not killed.
    fn unbroken(&self, scene: &'static Scene) -> Known {
        let stage = scene.stage(&self.ground);
        let ended = pass(&stage.desk, stage.start(), None, "trace");
        assert_eq!(ended, Ended::Whole, "{}: an unbroken pass", scene.name);
        let trace = std::fs::read_to_string(stage.desk.path("trace")).unwrap();
        let journal = stage.desk.journal();
        let classes = boundaries(&trace, &journal[stage.journal_before..]);
        let world = World::look(&stage.desk, scene.has_helm(), &journal);
        Known { scene, classes, moments: trace.lines().count(), world }
    }

    /// The single kills, evenly spread over all boundaries, then the pairs.
    fn cases(&self, known: &[Known], extent: &Extent) -> Vec<Case> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let own: Vec<(&Known, Vec<&Class>)> = known.iter().map(|scene| (scene, own_classes(scene, known))).collect();
        for (scene, classes) in &own {
            println!("{}: {} boundaries, {} moments", scene.scene.name, classes.len(), scene.moments);
        }
        let single = own.iter().flat_map(|(scene, classes)| {
            classes.iter().map(|class| Case { scene: scene.scene, kills: vec![class.boundary.clone()] })
        });
        let mut cases = spread(single.collect(), extent.kills, &mut random);
        let first: Vec<&(&Known, Vec<&Class>)> = own.iter().filter(|(scene, _)| scene.scene.is_first_pass()).collect();
        for _ in 0..extent.pairs {
            let (scene, classes) = first[random.usize(..first.len())];
            let class = classes[random.usize(..classes.len())];
            // In the resume there is less to come by than there was left.
            let left = (scene.moments - class.at.min(scene.moments)) * 3 / 4 + 10;
            let second = Boundary::Point { turn: random.usize(1..=left), label: String::new() };
            cases.push(Case { scene: scene.scene, kills: vec![class.boundary.clone(), second] });
        }
        cases
    }

    /// Tries a case until all its kills were reached.
    fn carry_out(&self, mut case: Case, whole: &World) -> Done {
        let began = Instant::now();
        let mut outcome = Err("never tried".to_owned());
        for _ in 0..TRIES {
            match catch_unwind(AssertUnwindSafe(|| self.try_once(&case, whole))) {
                Ok(Tried::Good { resumes }) => {
                    outcome = Ok(resumes);
                    break;
                }
                Ok(Tried::NotReached { kill }) => {
                    outcome = Err(format!("{} was not reached", case.kills[kill]));
                    // The first of its kind is tried again as it is: on a busy machine what it waits for is over at times.
                    if let Some(earlier) = case.kills[kill].earlier() {
                        case.kills[kill] = earlier;
                    }
                }
                Ok(Tried::Bad(why)) => {
                    outcome = Err(why);
                    break;
                }
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().cloned();
                    outcome = Err(text.unwrap_or_else(|| "a panic without words".to_owned()));
                    break;
                }
            }
        }
        if let Err(why) = &outcome {
            println!("failed: {case}: {}", why.lines().next().unwrap_or_default());
        }
        Done { case, outcome, took: began.elapsed() }
    }

    fn try_once(&self, case: &Case, whole: &World) -> Tried {
        let stage = case.scene.stage(&self.ground);
        let mut command = stage.start();
        for (kill, boundary) in case.kills.iter().enumerate() {
            match pass(&stage.desk, command, Some(boundary), &format!("trace-{kill}")) {
                Ended::Killed => {}
                Ended::Whole => return Tried::NotReached { kill },
                Ended::Wrong(said) => return Tried::Bad(format!("the pass to be killed at {boundary}: {said}")),
            }
            command = stage.resume();
        }
        match pass(&stage.desk, command, None, "trace-last") {
            Ended::Whole => {}
            ended => return Tried::Bad(format!("the last resume: {}", ended.told())),
        }
        let left = World::look(&stage.desk, case.scene.has_helm(), &stage.desk.journal());
        let difference = if case.kills.iter().any(Boundary::is_in_helm) && case.scene.form == Form::Upgrade {
            whole.without_history().differs(&left.without_history())
        } else {
            whole.differs(&left)
        };
        match difference {
            None => Tried::Good { resumes: case.kills.len() },
            Some(difference) => Tried::Bad(format!("it left something else than an unbroken run:\n{difference}")),
        }
    }
}

impl Case {
    /// `SCENE|BOUNDARY|BOUNDARY`
    fn parse(text: &str) -> Self {
        let mut parts = text.split('|');
        let scene = Scene::named(parts.next().unwrap_or_default());
        Self { scene, kills: parts.map(|part| part.parse().expect("HPRUN_CRASH_ONLY names boundaries")).collect() }
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.scene.name)?;
        self.kills.iter().try_for_each(|kill| write!(f, "|{kill}"))
    }
}

/// The boundaries of a scene that no scene before it of the same pipeline has: with Helm, only what Helm brings.
fn own_classes<'a>(scene: &'a Known, all: &[Known]) -> Vec<&'a Class> {
    let without = all.iter().find(|other| Some(other.scene.name) == scene.scene.beyond);
    let known = |class: &Class| {
        without.is_some_and(|without| without.classes.iter().any(|other| other.boundary.is_like(&class.boundary)))
    };
    scene.classes.iter().filter(|class| !known(class)).collect()
}

/// So many of all, at equal distances from a random first.
fn spread(all: Vec<Case>, wanted: Option<usize>, random: &mut fastrand::Rng) -> Vec<Case> {
    let Some(wanted) = wanted.filter(|wanted| *wanted < all.len()) else { return all };
    let first = random.usize(..all.len());
    (0..wanted).map(|at| all[(first + at * all.len() / wanted) % all.len()].clone()).collect()
}

/// Some at a time; results in the order of the items.
fn in_parallel<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let queue = Mutex::new(items.into_iter().enumerate().collect::<VecDeque<_>>());
    let done = Mutex::new(Vec::new());
    let next = || queue.lock().expect("no worker panics with the queue").pop_front();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((at, item)) = next() {
                    let result = work(item);
                    done.lock().expect("no worker panics with the results").push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no worker panics with the results");
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Says what was done, by pipeline; panics if anything failed.
fn report(done: &[Done], seed: u64, wall: Duration) {
    let mut failures = String::new();
    for scene in &SCENES {
        let own: Vec<&Done> = done.iter().filter(|done| done.case.scene.name == scene.name).collect();
        let took: Duration = own.iter().map(|done| done.took).sum();
        let kills: usize = own.iter().filter(|done| done.outcome.is_ok()).map(|done| done.case.kills.len()).sum();
        let resumes: usize = own.iter().filter_map(|done| done.outcome.as_ref().ok()).sum();
        let failed = own.iter().filter(|done| done.outcome.is_err()).count();
        let (name, cases) = (scene.name, own.len());
        println!("{name}: {cases} cases, {kills} kills, {resumes} resumes, {failed} failures, {took:.0?} of runs");
    }
    for (case, why) in done.iter().filter_map(|done| Some((&done.case, done.outcome.as_ref().err()?))) {
        failures += &format!("{case}\n  HPRUN_SEED={seed} HPRUN_CRASH_ONLY='{case}' scripts/crash-test\n{why}\n\n");
    }
    let failed = done.iter().filter(|done| done.outcome.is_err()).count();
    println!("all: {} cases, {failed} failures, {wall:.0?} on the wall", done.len());
    assert!(failures.is_empty(), "{failures}");
}

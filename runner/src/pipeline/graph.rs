//! Who runs before whom: needs, cycles, and the set of all steps that surely ran before each.
//! Knows nothing of what steps do.

use std::collections::HashMap;

use hprun_steps::finding::Code;
use hprun_steps::partial::{Place, nearest};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::authored::AuthoredStep;
use crate::codes::pipeline;
use crate::diagnostic::Diagnostic;

/// The needs of every step as indices, and what lies behind them.
pub struct Graph {
    /// By step: the steps that it needs itself.
    pub needs: Vec<Vec<usize>>,
    /// The steps, each after those that it needs; as in the file where there is a cycle.
    pub order: Vec<usize>,
    ancestors: Vec<Bits>,
    /// By step: whether a need of it, or of one it needs, leads nowhere.
    is_lost: Vec<bool>,
}

/// The graph of these steps. Ids that lead nowhere are reported and left out; after a cycle no step has ancestors.
pub fn build(steps: &[AuthoredStep], index: &HashMap<&str, usize>, problems: &mut Vec<Diagnostic>) -> Graph {
    let needs: Vec<Vec<usize>> = (0..steps.len()).map(|i| needs_of(i, steps, index, problems)).collect();
    let mut graph = DiGraph::<(), (), usize>::with_capacity(steps.len(), steps.len());
    for _ in steps {
        graph.add_node(());
    }
    for (i, needs) in needs.iter().enumerate() {
        for need in needs {
            graph.add_edge(NodeIndex::new(*need), NodeIndex::new(i), ());
        }
    }
    // Components come in reverse topological order; in a sound graph each holds one step. Tarjan would do it in one
    // pass, but petgraph has it recursive: a chain of ten thousand steps overflows the stack.
    let components = kosaraju_scc(&graph);
    let mut is_sound = true;
    for component in &components {
        let mut members: Vec<usize> = component.iter().map(|node| node.index()).collect();
        members.sort_unstable();
        if members.len() > 1 || needs[members[0]].contains(&members[0]) {
            is_sound = false;
            problems.push(cycle(&members, &needs, steps));
        }
    }
    let order: Vec<usize> = match is_sound {
        true => components.iter().rev().filter_map(|component| component.first()).map(|node| node.index()).collect(),
        false => (0..steps.len()).collect(),
    };
    let ancestors = if is_sound { ancestors(order.iter().copied(), &needs) } else { Vec::new() };
    let mut is_lost: Vec<bool> = steps.iter().map(|step| leads_nowhere(step, index)).collect();
    for &step in &order {
        is_lost[step] |= needs[step].iter().any(|need| is_lost[*need]);
    }
    Graph { needs, order, ancestors, is_lost }
}

impl Graph {
    /// Whether `before` has surely ended when `step` starts; none if nobody can tell, because the graph has a cycle or what
    /// the step needs is misspelt.
    pub fn runs_before(&self, before: usize, step: usize) -> Option<bool> {
        let runs = self.ancestors.get(step).map(|bits| bits.has(before))?;
        (runs || !self.is_lost[step]).then_some(runs)
    }
}

fn needs_of(
    i: usize,
    steps: &[AuthoredStep],
    index: &HashMap<&str, usize>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<usize> {
    let step = &steps[i];
    let Some(needs) = &step.needs else {
        let above = i.checked_sub(1).filter(|above| steps[*above].finally == step.finally);
        return above.into_iter().collect();
    };
    let (mut found, mut seen) = (Vec::with_capacity(needs.len()), Bits(Vec::new()));
    for (id, place) in needs {
        match index.get(id.as_str()) {
            Some(&need) if steps[need].finally && !step.finally => problems.push(Diagnostic::error(
                &pipeline::FINALLY_TOO_LATE,
                *place,
                format!("`{id}` stands under `finally` and runs after this step"),
            )),
            Some(&need) if !steps[need].finally && step.finally => problems.push(
                Diagnostic::error(
                    &pipeline::FINALLY_TOO_LATE,
                    *place,
                    format!("a step under `finally` starts when all others have ended; it cannot need `{id}`"),
                )
                .help("leave it out; see `steps.ID.status` for how it ended"),
            ),
            Some(&need) if seen.has(need) => {
                problems.push(Diagnostic::warning(&pipeline::NEEDED_TWICE, *place, format!("`{id}` is listed twice")));
            }
            Some(&need) => {
                seen.set(need);
                found.push(need);
            }
            None => problems.push(no_step(&pipeline::UNKNOWN_NEED, id, *place, steps)),
        }
    }
    found
}

/// Whether it needs a step that is not there.
fn leads_nowhere(step: &AuthoredStep, index: &HashMap<&str, usize>) -> bool {
    step.needs.iter().flatten().any(|(id, _)| !index.contains_key(id.as_str()))
}

/// The diagnostic for an id that no step has.
pub fn no_step(code: &'static Code, id: &str, place: Place, steps: &[AuthoredStep]) -> Diagnostic {
    let help = match nearest(id, steps.iter().map(|step| step.id.0.as_str())) {
        Some(right) => Some(format!("did you mean `{right}`?")),
        None => id.contains(',').then(|| format!("a list has brackets: write `[{id}]`")),
    };
    Diagnostic::error(code, place, format!("there is no step `{id}`")).maybe_help(help)
}

/// One cycle through these steps, told as a walk.
fn cycle(members: &[usize], needs: &[Vec<usize>], steps: &[AuthoredStep]) -> Diagnostic {
    let mut walk = vec![members[0]];
    let mut visited = std::collections::HashSet::from([members[0]]);
    let inside: std::collections::HashSet<usize> = members.iter().copied().collect();
    let mut at = members[0];
    while let Some(&next) = needs[at].iter().find(|need| inside.contains(need)) {
        walk.push(next);
        if !visited.insert(next) {
            break;
        }
        at = next;
    }
    let last = *walk.last().expect("a walk starts somewhere");
    let start = walk.iter().position(|step| *step == last).unwrap_or(0);
    let walk = &walk[start..];
    let name = |i: &usize| steps[*i].id.0.as_str();
    let told = if walk.len() > 12 {
        format!("{} and {} more", walk[..12].iter().map(name).collect::<Vec<_>>().join(" → "), walk.len() - 12)
    } else {
        walk.iter().map(name).collect::<Vec<_>>().join(" → ")
    };
    if let [step, again] = walk
        && step == again
    {
        let message = format!("`{}` needs itself", name(step));
        return Diagnostic::error(&pipeline::NEEDS_ITSELF, steps[*step].id.1, message)
            .help("remove it from its `needs`: it would wait for its own end");
    }
    let mut problem =
        Diagnostic::error(&pipeline::CYCLE, steps[walk[0]].id.1, format!("these steps need each other: {told}"))
            .help("no step of a cycle can ever start; remove one of these needs");
    for step in walk.iter().skip(1).take(walk.len().saturating_sub(2)).take(5) {
        problem = problem.related(steps[*step].id.1, "needed on the way");
    }
    problem
}

fn ancestors(order: impl Iterator<Item = usize>, needs: &[Vec<usize>]) -> Vec<Bits> {
    let mut all = vec![Bits(Vec::new()); needs.len()];
    for step in order {
        let mut bits = Bits(Vec::new());
        for &need in &needs[step] {
            bits.add(&all[need]);
            bits.set(need);
        }
        all[step] = bits;
    }
    all
}

/// A set of small numbers; one word for 64 of them.
#[derive(Clone, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// Takes on a number.
    pub(super) fn set(&mut self, bit: usize) {
        if self.0.len() <= bit / 64 {
            self.0.resize(bit / 64 + 1, 0);
        }
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    fn has(&self, bit: usize) -> bool {
        self.0.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    /// Takes on all of the other.
    pub(super) fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(word, more)| *word |= more);
    }

    /// Whether a number is in both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(word, more)| word & more != 0)
    }
}

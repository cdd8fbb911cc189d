//! The boundaries: read from the trace of an unbroken pass and from the sandbox's journal of it, never sampled.
//! Must not know how a process is killed or what is compared.

use std::fmt;
use std::str::FromStr;

use indexmap::IndexMap;
use serde_json::Value;

use crate::support::text;

/// A moment at which hprun is killed. Its text is what `HPRUN_CRASH_ONLY` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boundary {
    /// hprun ends itself where it reaches this label for the `turn`th time; any label, if it is empty.
    Point { turn: usize, label: String },
    /// hprun and all its programs are ended when the `turn`th such call has had its effect and waits for its answer.
    Held { turn: usize, service: String, operation: String },
}

/// A boundary, and how many moments of the unbroken pass came before it.
#[derive(Debug, Clone)]
pub struct Class {
    pub boundary: Boundary,
    pub at: usize,
}

/// Each of up to so many repeats is a boundary of its own; of more, the first, the middle and the last.
const EACH: usize = 3;

/// The boundaries of a pass: those of the trace in its order, then the calls with an effect.
pub fn boundaries(trace: &str, journal: &[Value]) -> Vec<Class> {
    let labels: Vec<&str> = trace.lines().map(|line| line.split(" + ").next().unwrap()).collect();
    let mut moments: IndexMap<&str, Vec<usize>> = IndexMap::new();
    for (at, label) in labels.iter().enumerate() {
        moments.entry(label).or_default().push(at);
    }
    let points = moments.into_iter().flat_map(|(label, all)| {
        let turns = turns((1..=all.len()).collect());
        turns
            .into_iter()
            .map(move |turn| Class { boundary: Boundary::Point { turn, label: label.to_owned() }, at: all[turn - 1] })
    });
    let mut seen: IndexMap<(&str, &str), usize> = IndexMap::new();
    let mut effects: IndexMap<(&str, &str), Vec<usize>> = IndexMap::new();
    for entry in journal {
        let call = (text(&entry["service"]), text(&entry["operation"]));
        let turn = seen.entry(call).or_default();
        *turn += 1;
        if entry["effect"] == true {
            effects.entry(call).or_default().push(*turn);
        }
    }
    let half = labels.len() / 2;
    let held = effects.into_iter().flat_map(|((service, operation), all)| {
        turns(all).into_iter().map(move |turn| {
            let (service, operation) = (service.to_owned(), operation.to_owned());
            // Which moment of the trace it was is not known: as good as half-way.
            Class { boundary: Boundary::Held { turn, service, operation }, at: half }
        })
    });
    points.chain(held).collect()
}

fn turns(all: Vec<usize>) -> Vec<usize> {
    if all.len() <= EACH {
        return all;
    }
    vec![all[0], all[all.len() / 2], all[all.len() - 1]]
}

impl Boundary {
    /// The same a little earlier, for a pass that came by less often than the unbroken one.
    pub fn earlier(&self) -> Option<Self> {
        let earlier = |turn: usize| (turn > 1).then_some((turn * 3 / 4).max(1));
        match self {
            Self::Point { turn, label } => Some(Self::Point { turn: earlier(*turn)?, label: label.clone() }),
            Self::Held { turn, service, operation } => {
                let (service, operation) = (service.clone(), operation.clone());
                Some(Self::Held { turn: earlier(*turn)?, service, operation })
            }
        }
    }

    /// Whether helm is killed too, in the midst of a change.
    pub fn is_in_helm(&self) -> bool {
        matches!(self, Self::Held { service, .. } if service == "kubernetes")
    }

    /// Whether it is the same moment, whatever its turn.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Point { label, .. }, Self::Point { label: other, .. }) => label == other,
            (Self::Held { service, operation, .. }, Self::Held { service: other, operation: call, .. }) => {
                (service, operation) == (other, call)
            }
            (Self::Point { .. }, Self::Held { .. }) | (Self::Held { .. }, Self::Point { .. }) => false,
        }
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Point { turn, label } => write!(f, "point {turn} {label}"),
            Self::Held { turn, service, operation } => write!(f, "held {turn} {service} {operation}"),
        }
    }
}

impl FromStr for Boundary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no boundary");
        let mut words = text.splitn(3, ' ');
        let (kind, turn) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let turn = turn.parse().map_err(|_| wrong())?;
        let rest = words.next().unwrap_or_default();
        match kind {
            "point" => Ok(Self::Point { turn, label: rest.to_owned() }),
            "held" => {
                let (service, operation) = rest.split_once(' ').ok_or_else(wrong)?;
                Ok(Self::Held { turn, service: service.to_owned(), operation: operation.to_owned() })
            }
            _ => Err(wrong()),
        }
    }
}

#[test]
fn repeats_are_one_class_of_first_middle_and_last() {
    let trace = "a\nb\nb\nb\nc + d\na\np\np\np\np\np\n";
    let journal = [
        serde_json::json!({"service": "s3", "operation": "PutObject", "effect": false}),
        serde_json::json!({"service": "s3", "operation": "PutObject", "effect": true}),
    ];
    let found: Vec<String> = boundaries(trace, &journal).iter().map(|class| class.boundary.to_string()).collect();
    let expected = [
        "point 1 a",
        "point 2 a",
        "point 1 b",
        "point 2 b",
        "point 3 b",
        "point 1 c",
        "point 1 p",
        "point 3 p",
        "point 5 p",
        "held 2 s3 PutObject",
    ];
    assert_eq!(found, expected);
    assert!(found.iter().all(|text| text.parse::<Boundary>().unwrap().to_string() == *text));
}

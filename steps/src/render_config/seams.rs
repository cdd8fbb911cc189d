//! Where a rendered text could be another: at the edges of blocks that a value decides which is not known, and around such
//! values themselves where they stand bare. Knows nothing of templates.

use std::ops::Range;

use crate::cluster_config::json::{AS_JSON, HOLE_END, HOLE_START};
use crate::partial::{Hole, ValueType};

/// An edge of a block in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// The block stands here, whether any of it is written or not
    Beside,
    /// What it writes begins
    Enter,
    /// What it writes ends
    Leave,
}

/// How far a fault of the text is one of the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It is, whatever the values will be.
    None,
    /// What stands before it could be another.
    Later,
    /// It lies where the text could be another.
    Near,
}

/// All such places of a text, in its order.
pub struct Seams {
    edges: Vec<(usize, Edge)>,
    /// In how many blocks the text is before each edge, and behind the last.
    depths: Vec<i32>,
    /// Of each of these the next that is less; none is at the end of all.
    falls: Vec<usize>,
    /// Whether there are edges that nobody has marked.
    hidden: bool,
    /// Values outside of quotes that may be any text.
    holes: Vec<Range<usize>>,
}

impl Seams {
    pub(super) fn new(edges: Vec<(usize, Edge)>, hidden: bool, text: &str, holes: &[Hole]) -> Self {
        let mut depth = 0;
        let steps = edges.iter().map(|(_, edge)| {
            depth += edge.step();
            depth
        });
        let depths: Vec<i32> = std::iter::once(0).chain(steps).collect();
        let falls = falls(&depths);
        Self { edges, depths, falls, hidden, holes: bare(text, holes) }
    }

    /// What is to be thought of a fault in the order of things: something missing here, or standing where it cannot.
    pub(super) fn order(&self, text: &str, span: &Range<usize>) -> Doubt {
        let around = around(text, span);
        let in_it = |at: usize| around.start <= at && at <= around.end;
        let first = self.edges.partition_point(|(at, _)| *at < around.start);
        let near_edge = self.edges.get(first).is_some_and(|(at, _)| in_it(*at));
        let first_hole = self.holes.partition_point(|hole| hole.end < around.start);
        let near_hole = self.holes.get(first_hole).is_some_and(|hole| hole.start <= around.end);
        let begins_a_hole = self.holes.binary_search_by_key(&span.start, |hole| hole.start).is_ok();
        if near_edge || begins_a_hole {
            Doubt::Near
        } else if near_hole || first > 0 || self.hidden {
            Doubt::Later
        } else {
            Doubt::None
        }
    }

    /// The same of a fault in one word, which may be put together from several.
    pub(super) fn spelling(&self, span: &Range<usize>) -> Doubt {
        let first = self.edges.partition_point(|(at, _)| *at < span.start);
        if self.edges.get(first).is_some_and(|(at, _)| *at <= span.end) { Doubt::Near } else { Doubt::None }
    }

    /// The same of a value: one that is put together from several is not known.
    pub(super) fn value(&self, span: &Range<usize>) -> Doubt {
        let first = self.edges.partition_point(|(at, _)| *at <= span.start);
        if self.edges.get(first).is_some_and(|(at, _)| *at < span.end) { Doubt::Near } else { Doubt::None }
    }

    /// The same of two things that must not stand side by side.
    pub(super) fn pair(&self, first: &Range<usize>, second: &Range<usize>) -> Doubt {
        let from = self.edges.partition_point(|(at, _)| *at < first.end);
        let to = self.edges.partition_point(|(at, _)| *at <= second.start);
        // Things that overlap have no edge between them.
        let to = to.max(from);
        let outward = self.falls[from] <= to || self.depths[from] != self.depths[to];
        match (outward, from == to && !self.hidden) {
            (true, _) => Doubt::Near,
            (false, false) => Doubt::Later,
            (false, true) => Doubt::None,
        }
    }

    /// The same of something that stands here, and of another of which it is not known where it stands.
    pub(super) fn relation(&self, at: usize) -> Doubt {
        let depth = self.depths[self.edges.partition_point(|(edge, _)| *edge <= at)];
        match (depth > 0, self.edges.is_empty() && !self.hidden) {
            (true, _) => Doubt::Near,
            (false, false) => Doubt::Later,
            (false, true) => Doubt::None,
        }
    }

    /// The same of a fault in YAML, of which the first alone is known.
    pub(super) fn yaml(&self, text: &str, at: usize) -> Doubt {
        let line_start = |at: usize| text[..at].rfind('\n').map_or(0, |n| n + 1);
        let line_end = |at: usize| text[at..].find('\n').map_or(text.len(), |n| at + n);
        let this = line_start(at);
        let before = line_start(this.saturating_sub(1));
        let close = before..line_end(at);
        if self.edges.iter().any(|(edge, _)| close.start <= *edge && *edge <= close.end)
            || self.relation(at) == Doubt::Near
        {
            return Doubt::Near;
        }
        let indent = |start: usize| text[start..].len() - text[start..].trim_start_matches(' ').len();
        let mut later = self.hidden || self.edges.first().is_some_and(|(edge, _)| *edge < at);
        for hole in &self.holes {
            let start = line_start(hole.start);
            let alone = text[start..hole.start].trim().is_empty();
            let continued = alone || indent(this) > indent(start);
            if start == this || (start == before && continued) {
                return Doubt::Near;
            }
            later |= alone && hole.start < at;
        }
        if later { Doubt::Later } else { Doubt::None }
    }
}

impl Edge {
    fn step(self) -> i32 {
        match self {
            Self::Beside => 0,
            Self::Enter => 1,
            Self::Leave => -1,
        }
    }
}

/// Of each number the place of the next that is less; where there is none, that behind the last.
fn falls(numbers: &[i32]) -> Vec<usize> {
    let mut falls = vec![numbers.len(); numbers.len()];
    let mut open: Vec<usize> = Vec::new();
    for (at, number) in numbers.iter().enumerate() {
        while let Some(higher) = open.pop_if(|before| numbers[*before] > *number) {
            falls[higher] = at;
        }
        open.push(at);
    }
    falls
}

/// A place with the blanks, commas and colons around it.
fn around(text: &str, span: &Range<usize>) -> Range<usize> {
    let filler = [' ', '\t', '\n', '\r', ',', ':'];
    let start = text[..span.start].trim_end_matches(filler).len();
    let end = span.end + text[span.end..].len() - text[span.end..].trim_start_matches(filler).len();
    start..end
}

/// The values outside of double quotes that may be any text: not those of other types, and not those written as JSON.
fn bare(text: &str, holes: &[Hole]) -> Vec<Range<usize>> {
    let (mut found, mut quoted, mut escaped, mut start) = (Vec::new(), false, false, None);
    for (at, c) in text.char_indices() {
        match c {
            '\n' => quoted = false,
            '"' if !escaped => quoted = !quoted,
            HOLE_START if !quoted => start = Some(at),
            HOLE_END => found.extend(start.take().map(|start| start..at + c.len_utf8())),
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
    }
    found.retain(|span: &Range<usize>| {
        let number = text[span.clone()].trim_matches([HOLE_START, HOLE_END]);
        let hole = number.parse::<usize>().ok().and_then(|number| holes.get(number.checked_sub(1)?));
        !number.starts_with(AS_JSON)
            && hole.is_none_or(|hole| matches!(hole.of, ValueType::Any | ValueType::String | ValueType::Secret))
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it is defined: every edge between the two is looked at.
    fn pair(edges: &[(usize, Edge)], first: &Range<usize>, second: &Range<usize>) -> Doubt {
        let mut between = edges.iter().filter(|(at, _)| first.end <= *at && *at <= second.start).peekable();
        let (is_empty, mut depth, mut outward) = (between.peek().is_none(), 0, false);
        for (_, edge) in between {
            depth += edge.step();
            outward |= depth < 0;
        }
        match (outward || depth != 0, is_empty) {
            (true, _) => Doubt::Near,
            (false, false) => Doubt::Later,
            (false, true) => Doubt::None,
        }
    }

    #[test]
    fn what_stands_in_a_block_is_told_as_if_every_edge_were_looked_at() {
        let kinds = [Edge::Beside, Edge::Enter, Edge::Leave];
        for mut number in 0..kinds.len().pow(6) {
            let edges: Vec<(usize, Edge)> = (0..6)
                .map(|at| {
                    let kind = kinds[number % kinds.len()];
                    number /= kinds.len();
                    (2 * at + 1, kind)
                })
                .collect();
            let seams = Seams::new(edges.clone(), false, "", &[]);
            for from in 0..13 {
                let depth: i32 = edges.iter().filter(|(at, _)| *at <= from).map(|(_, edge)| edge.step()).sum();
                let expected = if depth > 0 { Doubt::Near } else { Doubt::Later };
                assert_eq!(seams.relation(from), expected, "{edges:?} {from}");
                for to in 0..13 {
                    let (first, second) = (from..from, to..to);
                    assert_eq!(seams.pair(&first, &second), pair(&edges, &first, &second), "{edges:?} {from} {to}");
                }
            }
        }
    }
}

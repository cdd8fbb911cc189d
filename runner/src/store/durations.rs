//! How long steps usually take, by what earlier runs recorded.
//! Knows nothing of who shows it. It is for show only: it must cost little, and must not stop a run.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::error::explain;
use super::{Store, StoreError};

/// Runs that are looked at, the newest first.
const RUNS: u32 = 20;
/// Events that are looked at: the newest run of a huge pipeline says enough by itself.
const EVENTS: i64 = 50_000;

impl Store {
    /// How long each step of this pipeline took in its newest runs, in seconds: the median of its successes. Runs in the
    /// sandbox and on AWS are not mixed.
    pub fn usual_durations(&self, pipeline: &str, target: &str) -> Result<BTreeMap<String, f64>, StoreError> {
        self.usual_among(EVENTS, pipeline, target)
    }

    /// [`Self::usual_durations`], by this many events.
    pub(super) fn usual_among(
        &self,
        mut left: i64,
        pipeline: &str,
        target: &str,
    ) -> Result<BTreeMap<String, f64>, StoreError> {
        let path = self.folder.database();
        let runs = self.newest_runs(pipeline, target).map_err(|e| explain(&path, &e))?;
        let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (run, events) in runs {
            // A run that cannot be read says nothing.
            for (step, seconds) in self.successes(&run, left).unwrap_or_default() {
                all.entry(step).or_default().push(seconds);
            }
            left -= events;
            if left <= 0 {
                break;
            }
        }
        Ok(all.into_iter().map(|(step, mut durations)| (step, median(&mut durations))).collect())
    }

    /// Ids, with how many events each has.
    fn newest_runs(&self, pipeline: &str, target: &str) -> rusqlite::Result<Vec<(String, i64)>> {
        let sql = "SELECT id, coalesce((SELECT max(seq) FROM event WHERE event.run = run.id), 0) FROM run
                    WHERE pipeline = ?1 AND (target = 'aws') = (?2 = 'aws') ORDER BY id DESC LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map((pipeline, target, RUNS), |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    /// Each success among a run's first `most` events: its step, and how long it took from the beginning of its attempt.
    fn successes(&self, run: &str, most: i64) -> rusqlite::Result<Vec<(String, f64)>> {
        let sql = "SELECT kind = 'attempt-started', at, json_extract(body, '$.step') FROM event
                    WHERE run = ?1 AND seq <= ?2 AND kind IN ('attempt-started', 'step-succeeded') ORDER BY seq";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query((run, most))?;
        let mut begun: BTreeMap<String, Timestamp> = BTreeMap::new();
        let mut successes = Vec::new();
        while let Some(row) = rows.next()? {
            let Ok(at) = row.get_ref(1)?.as_str()?.parse::<Timestamp>() else { continue };
            let step: String = row.get(2)?;
            if row.get(0)? {
                begun.insert(step, at);
            } else if let Some(since) = begun.get(&step) {
                let seconds = at.duration_since(*since).as_secs_f64();
                successes.push((step, seconds));
            }
        }
        Ok(successes)
    }
}

fn median(durations: &mut [f64]) -> f64 {
    durations.sort_by(f64::total_cmp);
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}

//! `hprun runs`: every run of the state folder, newest first.

use comfy_table::{ContentArrangement, Table, presets};

use super::args::{Global, Output};
use super::source::open_store;
use super::{CliError, print};
use crate::store::{Moved, RunRow, Store};

/// Prints them.
pub fn run(global: &Global) -> Result<(), CliError> {
    let Some(store) = open_store(global)? else {
        print::note("no runs yet");
        return Ok(());
    };
    let runs = store.runs()?;
    if global.output == Output::Json {
        for row in &runs {
            print::data(as_json(&store, row))?;
        }
        return Ok(());
    }
    if runs.is_empty() {
        print::note("no runs yet");
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["RUN", "PIPELINE", "WHERE", "BEGAN", "STATE"]);
    for row in &runs {
        let place = if row.target == "aws" { format!("{} {}", row.account, row.region) } else { "sandbox".to_owned() };
        let began = row.began.to_zoned(jiff::tz::TimeZone::system()).strftime("%F %T").to_string();
        table.add_row([row.id.clone(), row.pipeline.clone(), place, began, word(&store, row).to_owned()]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    print::data(table.trim_fmt())
}

/// What became of a run, in a word or two.
fn word(store: &Store, row: &RunRow) -> &'static str {
    match (row.moved, row.ended.as_deref()) {
        _ if store.folder().is_held(&row.id) => "running",
        (Some(Moved::HandedOver), _) => "handed over",
        (Some(Moved::Exported), _) => "exported",
        (Some(Moved::Copied), _) => "copy",
        (_, Some("succeeded")) => "done",
        (Some(Moved::Imported), _) => "imported",
        (None, Some("failed")) => "failed",
        (None, Some("interrupted")) => "interrupted",
        (None, Some("partial")) => "partial",
        (None, Some(_)) => "unknown",
        (None, None) => "killed",
    }
}

fn as_json(store: &Store, row: &RunRow) -> serde_json::Value {
    serde_json::json!({
        "run": row.id, "pipeline": row.pipeline, "path": row.path, "target": row.target, "account": row.account,
        "region": row.region, "began": row.began, "last": row.last, "state": word(store, row),
    })
}

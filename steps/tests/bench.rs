//! The bench itself: that a step on it sees its files, its record and the sandbox.

mod support;

use hprun_steps::context::{Intent, StepContext};
use hprun_steps::files::{FileInput, FileKind};
use hprun_steps::partial::Partial;
use hprun_steps::{Step, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use support::{Bench, Try};

#[derive(Deserialize, JsonSchema)]
struct Probe {
    file: String,
}

#[derive(Serialize, JsonSchema)]
struct Seen {
    text: String,
    account: String,
    tokens: Vec<String>,
}

impl Step for Probe {
    const TYPE: &'static str = "probe";
    const SUMMARY: &'static str = "look around";
    const EXAMPLE: &'static str = "- id: look\n  type: probe\n  with: { file: a.txt }\n";
    type Outputs = Seen;

    fn files(inputs: &Partial) -> Vec<FileInput> {
        let path = inputs.str_at("file").unwrap_or_default().to_owned();
        vec![FileInput { path, kind: FileKind::File, place: inputs.place() }]
    }

    async fn run(self, cx: &mut StepContext<'_>) -> Result<Seen, StepError> {
        let intent = |op| Intent { op, kind: "K", name: "n", existed: false, request: &1 };
        let tokens = vec![cx.intend(intent("one")).await?, cx.intend(intent("two")).await?];
        let text = cx.files.text(&self.file).map_err(StepError::invalid)?.to_owned();
        Ok(Seen { text, account: cx.clients.caller().await?.account, tokens })
    }
}

#[tokio::test]
async fn a_step_sees_its_files_its_record_and_the_sandbox() {
    let bench = Bench::new().await;
    bench.file("a.txt", "hello");
    let tried = bench.run::<Probe>(support::example::<Probe>(json!({}))).await;
    let outputs = tried.result.expect("it succeeds");
    assert_eq!((&outputs["text"], &outputs["account"]), (&json!("hello"), &json!(support::ACCOUNT)));
    assert_eq!(tried.records.len(), 2);
    let again = bench.run_with_history::<Probe>(json!({ "file": "a.txt" }), &tried.records).await;
    assert_eq!(again.result.expect("it succeeds")["tokens"], outputs["tokens"], "an unsettled call keeps its token");
}

#[tokio::test]
async fn a_run_can_be_made_to_die_after_any_record() {
    let bench = Bench::new().await;
    bench.file("a.txt", "hello");
    let how = Try { records_until_death: Some(1), ..Try::default() };
    let tried = bench.attempt::<Probe>(json!({ "file": "a.txt" }), how).await;
    assert_eq!(tried.records.len(), 1);
    assert_eq!(tried.result.expect_err("it died").message, "the run died here");
}

//! The step type of docs/adding-a-step.md, as it stands there, on the bench. A test compares the two texts.

mod support;

use hprun_steps::aws_error::explain;
use hprun_steps::context::{Intent, Origin, StepContext};
use hprun_steps::error::{ErrorClass, StepError};
use hprun_steps::finding::{Code, Finding};
use hprun_steps::partial::Partial;
use hprun_steps::permissions::{Needs, Permission, Surroundings, input};
use hprun_steps::step::{Health, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use support::{Bench, Try, example};

const KIND: &str = "AWS::SSM::Parameter";

/// A parameter of this name that the run did not make and that says something else is refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PutParameter {
    /// Name of the parameter: begins with a slash.
    pub name: String,
    /// What it holds. Not for secrets: the value is recorded.
    pub value: String,
}

/// A parameter that is there.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Stored {
    /// Name of the parameter.
    pub name: String,
}

/// The kind of mistake that `check` finds; it belongs into a section of `steps/src/codes`.
static NO_SLASH: Code = Code {
    number: 899,
    title: "the name of a parameter has no slash",
    cause: "Parameters that do not begin with a slash cannot be sorted into folders.",
    example: "name: cluster",
    cure: "Begin it with a slash: /hyperpod/cluster.",
};

impl Step for PutParameter {
    const TYPE: &'static str = "put-parameter";
    const SUMMARY: &'static str = "Store a text in an SSM parameter";
    const EXAMPLE: &'static str = r#"
- id: remember
  type: put-parameter
  with:
    name: /hyperpod/cluster
    value: ml-cluster
"#;
    type Outputs = Stored;

    fn check(inputs: &Partial, _: &hprun_steps::files::Files) -> Vec<Finding> {
        let wrong = inputs.get("name").filter(|name| name.as_str().is_some_and(|text| !text.starts_with('/')));
        let finding = |name: &Partial| Finding::error(&NO_SLASH, name.place(), "`name` must begin with a slash");
        wrong.map(finding).into_iter().collect()
    }

    fn permissions(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
        let name = input(inputs, "name").unwrap_or_else(|| "*".to_owned());
        let parameter = around.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')));
        let calls = Permission::new("Parameter", ["ssm:GetParameter", "ssm:PutParameter"], [parameter]);
        Needs { permissions: vec![calls], ..Needs::default() }
    }

    async fn run(self, cx: &mut StepContext<'_>) -> Result<Stored, StepError> {
        let found = self.look(cx).await?;
        if found.as_deref() != Some(self.value.as_str()) {
            self.put(cx, found.is_some()).await?;
        }
        Ok(Stored { name: self.name })
    }

    async fn probe(self, _: &serde_json::Value, cx: &mut StepContext<'_>) -> Result<Health, StepError> {
        let found = self.look(cx).await?;
        let same = found.as_deref() == Some(self.value.as_str());
        Ok(if same { Health::Good } else { Health::Lost(format!("{} is gone or was changed", self.name)) })
    }
}

impl PutParameter {
    async fn look(&self, cx: &StepContext<'_>) -> Result<Option<String>, StepError> {
        match cx.clients.parameter(&self.name, false).await {
            Ok(value) => Ok(Some(value)),
            Err(e) if e.has_code("ParameterNotFound") => Ok(None),
            Err(e) => Err(e),
        }
    }

    async fn put(&self, cx: &mut StepContext<'_>, existed: bool) -> Result<(), StepError> {
        // Of a call whose answer was lost only the intent is recorded: the parameter is ours all the same.
        let ours = cx.made(KIND, &self.name) || cx.intents().any(|intent| !intent.existed);
        if existed && !ours {
            let message = format!("the parameter {} exists, and this run did not make it", self.name);
            return Err(StepError::refused(message).help("choose another name"));
        }
        let request = (&self.name, &self.value);
        let intent = Intent { op: "put-parameter", kind: KIND, name: &self.name, existed, request: &request };
        let token = cx.intend(intent).await?;
        let call = cx.clients.ssm().put_parameter().name(&self.name).value(&self.value).overwrite(existed);
        let sent = call.r#type(aws_sdk_ssm::types::ParameterType::String).send().await;
        let sent = sent.map_err(|e| explain(&format!("store the parameter {}", self.name), e));
        cx.settle(&token, sent).await?;
        cx.resource(KIND, &self.name, &self.name, Origin::Made).await
    }
}

#[tokio::test]
async fn the_example_stores_the_value_once() {
    let bench = Bench::new().await;
    let first = bench.run::<PutParameter>(example::<PutParameter>(json!({}))).await;
    let outputs = first.result.expect("it succeeds");
    let again = bench.run_with_history::<PutParameter>(example::<PutParameter>(json!({})), &first.records).await;
    again.result.expect("it succeeds again");
    assert_eq!(bench.effects("PutParameter").len(), 1);
    assert_eq!(bench.probe::<PutParameter>(example::<PutParameter>(json!({})), &outputs, &[]).await, Ok(Health::Good));
}

#[tokio::test]
async fn a_run_that_dies_at_any_record_ends_the_same() {
    for records in 0..3 {
        let bench = Bench::new().await;
        let how = Try { records_until_death: Some(records), ..Try::default() };
        let died = bench.attempt::<PutParameter>(example::<PutParameter>(json!({})), how).await;
        died.result.expect_err("the run died");
        let again = bench.run_with_history::<PutParameter>(example::<PutParameter>(json!({})), &died.records).await;
        again.result.unwrap_or_else(|e| panic!("after {records} records: {e}"));
        assert_eq!(bench.effects("PutParameter").len(), 1, "after {records} records");
    }
}

#[tokio::test]
async fn a_foreign_parameter_is_refused_and_a_wrong_name_found_before_the_run() {
    let bench = Bench::new().await;
    bench.run::<PutParameter>(json!({ "name": "/hyperpod/cluster", "value": "another" })).await.result.expect("made");
    let error = bench.run::<PutParameter>(example::<PutParameter>(json!({}))).await.result.expect_err("refused");
    assert_eq!(error.class, ErrorClass::Refused);
    let found = bench.check::<PutParameter>(json!({ "name": "x", "value": "y" }));
    assert_eq!(support::messages(&found), ["`name` must begin with a slash"]);
}

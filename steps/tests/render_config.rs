//! render-config on files: what it writes, where, for whom, and what it says when that changed since.

mod support;

use std::os::unix::fs::PermissionsExt;

use hprun_steps::render_config::RenderConfig;
use hprun_steps::step::Health;
use hprun_steps::value::{Secret, Value};
use serde_json::{Value as Json, json};
use support::{Bench, Try, example};

const TEMPLATE: &str = r#"{ "ClusterName": "{{cluster_name}}", "Count": {{instance_count}} }"#;

async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.file("cluster-config.json.hbs", TEMPLATE);
    bench
}

fn with_secret(text: &str) -> Value {
    let mut inputs = Value::from_json(&example::<RenderConfig>(json!({})));
    if let Value::Map(map) = &mut inputs {
        let secret = Value::Secret(Secret::new("token", text));
        let values = [("cluster_name".to_owned(), secret), ("instance_count".to_owned(), Value::Integer(2))];
        map.insert("values".to_owned(), Value::Map(values.into_iter().collect()));
    }
    inputs
}

fn path_of(outputs: &Json) -> &str {
    outputs["path"].as_str().expect("a path")
}

fn mode(path: &str) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn the_example_writes_a_file_and_notices_when_it_changes() {
    let bench = bench().await;
    let inputs = || example::<RenderConfig>(json!({}));
    let outputs = bench.run::<RenderConfig>(inputs()).await.result.expect("it is rendered");
    let path = path_of(&outputs);
    assert_eq!(std::fs::read_to_string(path).expect("it is there"), r#"{ "ClusterName": "ml-cluster", "Count": 2 }"#);
    assert_eq!(mode(path), 0o644);
    assert_eq!(bench.probe::<RenderConfig>(inputs(), &outputs, &[]).await, Ok(Health::Good));
    std::fs::write(path, "changed").expect("it can be written");
    let changed = bench.probe::<RenderConfig>(inputs(), &outputs, &[]).await;
    assert_eq!(changed, Ok(Health::Lost(format!("{path} was changed since"))));
    std::fs::remove_file(path).expect("it is there");
    let gone = bench.probe::<RenderConfig>(inputs(), &outputs, &[]).await;
    assert!(matches!(&gone, Ok(Health::Lost(why)) if why.contains("cannot be read")), "{gone:?}");
}

/// Others wait on the thread that calls a step.
#[test]
fn nothing_is_rendered_on_the_thread_that_calls() {
    // With one thread for what takes long, which this test holds until it lets go.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build();
    runtime.expect("a runtime").block_on(async {
        let bench = bench().await;
        let inputs = || example::<RenderConfig>(json!({}));
        let outputs = bench.run::<RenderConfig>(inputs()).await.result.expect("it is rendered");
        let (let_go, held) = std::sync::mpsc::channel::<()>();
        let hold = tokio::task::spawn_blocking(move || held.recv());
        let mut probing = std::pin::pin!(bench.probe::<RenderConfig>(inputs(), &outputs, &[]));
        let mut foreseeing = std::pin::pin!(bench.foresee::<RenderConfig>(inputs()));
        assert!(futures::poll!(&mut probing).is_pending() && futures::poll!(&mut foreseeing).is_pending());
        drop(let_go);
        assert_eq!(probing.await, Ok(Health::Good));
        let foreseen = foreseeing.await.expect("it is rendered").outputs.expect("its outputs are known");
        assert_eq!(foreseen["path"], outputs["path"]);
        assert!(hold.await.expect("it ended").is_err(), "it was let go");
    });
}

#[tokio::test]
async fn two_steps_with_one_template_write_two_files_and_touch_none_of_the_runs() {
    let mut bench = bench().await;
    bench.file("lock.hbs", "text");
    let values =
        |count: u32| example::<RenderConfig>(json!({ "values": { "cluster_name": "a", "instance_count": count } }));
    let first = bench.run::<RenderConfig>(values(1)).await.result.expect("it is rendered");
    bench.step = "other".to_owned();
    let second = bench.run::<RenderConfig>(values(2)).await.result.expect("it is rendered");
    assert_ne!(path_of(&first), path_of(&second));
    assert_eq!(bench.probe::<RenderConfig>(values(1), &first, &[]).await, Ok(Health::Good));
    bench.run::<RenderConfig>(json!({ "template": "lock.hbs" })).await.result.expect("it is rendered");
    assert!(!bench.run.folder.join("lock").exists(), "the run's lock is not written over");
}

#[tokio::test]
async fn a_template_is_not_written_over_whatever_it_is_called() {
    let bench = bench().await;
    let link = bench.run.base.join("linked.json");
    std::os::unix::fs::symlink(bench.run.base.join("cluster-config.json.hbs"), &link).expect("the folder is ours");
    for to in ["linked.json", "x/../cluster-config.json.hbs"] {
        std::fs::create_dir_all(bench.run.base.join("x")).expect("the folder is ours");
        let tried = bench.run::<RenderConfig>(example::<RenderConfig>(json!({ "to": to }))).await;
        let error = tried.result.expect_err("the template would be lost");
        assert!(error.message.contains("take the place of its template"), "{error:?}");
    }
    let kept = std::fs::read_to_string(bench.run.base.join("cluster-config.json.hbs")).expect("it is there");
    assert_eq!(kept, TEMPLATE);
}

#[tokio::test]
async fn a_secret_goes_into_a_file_of_this_user_only_and_into_no_message() {
    let bench = bench().await;
    let tried = bench.attempt_value::<RenderConfig>(with_secret("hunter2hunter2"), Try::default()).await;
    let outputs = tried.result.expect("it is rendered");
    assert_eq!(mode(path_of(&outputs)), 0o600);
    assert!(std::fs::read_to_string(path_of(&outputs)).expect("it is there").contains("hunter2hunter2"));
    // A quote in the secret breaks the JSON, and whoever says so must not quote what stands there.
    let broken = bench.attempt_value::<RenderConfig>(with_secret("hun\"ter2hunter2"), Try::default()).await;
    let error = broken.result.expect_err("it is not JSON");
    assert!(!format!("{error:?}").contains("ter2"), "{error:?}");
    assert!(error.causes[0].starts_with("cluster-config.json.hbs:1:"), "{error:?}");
}

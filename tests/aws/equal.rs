//! `create-cluster` sends what `aws sagemaker create-cluster --cli-input-json` sends, for configurations that use every field.

use serde_json::{Value, json};

use super::world::{Served, awscli, root};

/// Configurations that together use every field; steps/tests/create_cluster.rs holds that they do.
const CONFIGS: &str = "steps/tests/fixtures/every-field.json";

#[test]
fn hprun_and_the_aws_cli_send_the_same_create_cluster() {
    let world = Served::start(&[awscli()]);
    let text = std::fs::read_to_string(root().join(CONFIGS)).unwrap();
    let configs: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(configs.len() >= 3);
    for config in configs {
        std::fs::write(world.work().join("config.json"), config.to_string()).unwrap();
        let cluster = config["ClusterName"].as_str().unwrap();
        let before = sent(&world).len();
        // hprun first: it would not ask for a cluster that the CLI has made. What the service answers does not matter to either.
        let said = run_hprun(&world, cluster);
        let from_hprun = sent(&world).into_iter().nth(before);
        let from_hprun = from_hprun.unwrap_or_else(|| panic!("hprun sent no CreateCluster for {cluster}: {said}"));
        let before = sent(&world).len();
        world.shell("aws sagemaker create-cluster --cli-input-json file://config.json");
        let from_cli = sent(&world).into_iter().nth(before);
        let from_cli = from_cli.unwrap_or_else(|| panic!("the CLI sent no CreateCluster for {cluster}"));
        assert_eq!(without_own_tags(from_hprun), from_cli, "for {cluster}");
        assert_eq!(from_cli, config, "the CLI sends {cluster} as it is");
    }
}

/// Runs a pipeline that only makes this cluster, in the world that is served already; gives what hprun said.
fn run_hprun(world: &Served, cluster: &str) -> String {
    let step = json!({ "id": "cluster", "type": "create-cluster", "with": { "config": "config.json" } });
    let name = format!("only-{cluster}");
    let pipeline = json!({ "apiVersion": "hprun/v1", "name": name, "version": "1.0.0", "aws": { "region": "us-west-2" }, "steps": [step] });
    std::fs::write(world.work().join("pipeline.yaml"), pipeline.to_string()).unwrap();
    let mut command = world.command(env!("CARGO_BIN_EXE_hprun"));
    let output =
        command.args(["run", "--sandbox", "--sandbox-world"]).arg(world.world()).arg("pipeline.yaml").output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The bodies of all CreateCluster requests to SageMaker so far.
fn sent(world: &Served) -> Vec<Value> {
    let create = |entry: &Value| entry["service"] == "sagemaker" && entry["operation"] == "CreateCluster";
    world.journal().into_iter().filter(create).map(|mut entry| entry["body"].take()).collect()
}

/// The request without the two tags by which hprun knows its own.
fn without_own_tags(mut body: Value) -> Value {
    let tags = body["Tags"].as_array_mut().unwrap();
    let all = tags.len();
    tags.retain(|tag| !tag["Key"].as_str().unwrap().starts_with("hprun:"));
    assert_eq!(all - tags.len(), 2, "hprun:run-id and hprun:step");
    if tags.is_empty() {
        body.as_object_mut().unwrap().remove("Tags");
    }
    body
}

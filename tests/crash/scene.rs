//! What is run and killed: the shipped pipelines, each on a desk of its own, in a world that has what the pipeline needs.
//! Must know nothing of kills.

use std::path::PathBuf;
use std::process::Command;

use super::kill::{Ended, pass};
use crate::support::{Desk, SPEED, copy_folder, finish, succeed, text, wire};

/// A pipeline in one of the forms in which it is killed.
#[derive(Debug)]
pub struct Scene {
    /// What a person calls it.
    pub name: &'static str,
    /// The shipped pipeline.
    pub file: &'static str,
    /// Which of its steps are there, and which pass is killed.
    pub form: Form,
    /// A kill that was before: then the pass under test is the resume after it.
    pub after: Option<&'static str>,
    /// A scene that has boundaries of this one too: they are not counted again.
    pub beyond: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Without Helm and Kubernetes, which take seconds: all of AWS.
    WithoutHelm,
    /// As it is shipped.
    Whole,
    /// Only the kubeconfig and the chart, done once; then the chart's values change and the pass that upgrades is killed.
    Upgrade,
}

pub static SCENES: [Scene; 12] = [
    scene("full", FULL, Form::WithoutHelm, None),
    scene("full, resumed early", FULL, Form::WithoutHelm, Some("held 1 cloudformation CreateStack")),
    scene("full, resumed in doubt", FULL, Form::WithoutHelm, Some("held 1 sagemaker CreateCluster")),
    scene("full, resumed late", FULL, Form::WithoutHelm, LATE),
    scene("integrative", INTEGRATIVE, Form::WithoutHelm, None),
    scene("integrative, resumed late", INTEGRATIVE, Form::WithoutHelm, LATE),
    scene("minimal", MINIMAL, Form::WithoutHelm, None),
    scene("minimal, resumed late", MINIMAL, Form::WithoutHelm, LATE),
    Scene { beyond: Some("full"), ..scene("full with helm", FULL, Form::Whole, None) },
    Scene { beyond: Some("integrative"), ..scene("integrative with helm", INTEGRATIVE, Form::Whole, None) },
    Scene { beyond: Some("minimal"), ..scene("minimal with helm", MINIMAL, Form::Whole, None) },
    scene("helm upgrade", MINIMAL, Form::Upgrade, None),
];

const FULL: &str = "full-deployment.yaml";
const INTEGRATIVE: &str = "integrative-deployment.yaml";
const MINIMAL: &str = "minimal-deployment.yaml";
/// Everything is done but for the last word.
const LATE: Option<&str> = Some("point 1 before commit pass-ended");

const fn scene(name: &'static str, file: &'static str, form: Form, after: Option<&'static str>) -> Scene {
    Scene { name, file, form, after, beyond: None }
}

/// The network and the EKS cluster that the integrative and the minimal deployment are given: made once, copied for each run.
pub struct Ground {
    desk: Desk,
    outputs: serde_json::Value,
    gateway: String,
}

/// A desk at which a scene is about to be played.
pub struct Stage {
    pub desk: Desk,
    file: String,
    params: Vec<String>,
    /// The run that was done before, where the pass under test is a second one.
    before: Option<String>,
    /// How much of the journal belongs to what was done before.
    pub journal_before: usize,
}

impl Ground {
    pub fn make() -> Self {
        let mut desk = Desk::with_sandbox();
        let shipped = std::fs::read_to_string(desk.shipped("full-deployment.yaml")).unwrap();
        let file = desk.write("ground.yaml", shipped.split("\n  # From here on").next().unwrap());
        succeed(desk.sandboxed(&file, &[]));
        let outputs = desk.outputs()["infra"].clone();
        let form = "Action=ListStackResources&Version=2010-05-15&StackName=hyperpod-eks-full-stack";
        let (_, xml) = wire::query(desk.endpoint(), "cloudformation", form);
        let at = wire::tags(&xml, "LogicalResourceId").iter().position(|id| id == "NatGateway").unwrap();
        let gateway = wire::tags(&xml, "PhysicalResourceId").swap_remove(at);
        desk.close();
        // A copy gets ports of its own, and a journal.
        for name in ["world.json", "lock", "journal.ndjson"] {
            std::fs::remove_file(desk.path("world").join(name)).unwrap();
        }
        Self { desk, outputs, gateway }
    }

    fn world(&self) -> PathBuf {
        self.desk.path("world")
    }

    /// What the pipeline of this file is given.
    fn params(&self, file: &str) -> Vec<String> {
        let output = |name: &str| text(&self.outputs[name]).to_owned();
        let subnet = text(&self.outputs["private_subnet_ids"][0]).to_owned();
        let (cluster, group) = (output("eks_cluster_name"), output("security_group_id"));
        match file {
            INTEGRATIVE => vec![
                format!("eks_cluster_name={cluster}"),
                format!("security_group_id={group}"),
                format!("vpc_id={}", output("vpc_id")),
                format!("nat_gateway_id={}", self.gateway),
                "private_subnet_cidr=10.2.0.0/16".to_owned(),
            ],
            MINIMAL => vec![
                format!("eks_cluster_name={cluster}"),
                format!("security_group_id={group}"),
                format!("subnet_id={subnet}"),
            ],
            _ => Vec::new(),
        }
    }
}

impl Scene {
    pub fn named(name: &str) -> &'static Scene {
        SCENES.iter().find(|scene| scene.name == name).unwrap_or_else(|| panic!("there is no scene {name}"))
    }

    /// Whether the pass under test begins with nothing done.
    pub fn is_first_pass(&self) -> bool {
        self.after.is_none() && self.form != Form::Upgrade
    }

    /// The scene that leaves the same without any kill.
    pub fn base(&self) -> &'static Scene {
        let same = |other: &&Scene| other.file == self.file && other.form == self.form && other.after.is_none();
        SCENES.iter().find(same).expect("every resumed scene has one that is not")
    }

    /// Whether a Kubernetes cluster takes part.
    pub fn has_helm(&self) -> bool {
        self.form != Form::WithoutHelm
    }

    /// Everything ready for the pass that is killed.
    pub fn stage(&self, ground: &Ground) -> Stage {
        let mut desk = Desk::new();
        if self.file != FULL {
            copy_folder(&ground.world(), &desk.path("world"));
        }
        desk.serve(SPEED);
        let file = match self.form {
            Form::WithoutHelm => desk.without_helm_of(self.file),
            Form::Whole => desk.shipped(self.file),
            Form::Upgrade => only_helm(&desk, self.file, &ground.outputs),
        };
        let params = if self.form == Form::Upgrade { Vec::new() } else { ground.params(self.file) };
        let mut stage = Stage { desk, file, params, before: None, journal_before: 0 };
        if self.form == Form::Upgrade {
            succeed(stage.run());
            stage.before = stage.recorded_run();
            stage.journal_before = stage.desk.journal().len();
            stage.desk.edit(
                "only-helm.yaml",
                "      release: hyperpod-dependencies\n",
                "      release: hyperpod-dependencies\n      values: { jobController: { replicas: 2 } }\n",
            );
        }
        if let Some(boundary) = self.after {
            let boundary = boundary.parse().unwrap();
            let ended = pass(&stage.desk, stage.run(), Some(&boundary), "trace-before");
            assert_eq!(ended, Ended::Killed, "{}: {boundary}", self.name);
            stage.before = stage.recorded_run();
            stage.journal_before = stage.desk.journal().len();
        }
        stage
    }
}

impl Stage {
    /// The pass under test.
    pub fn start(&self) -> Command {
        match &self.before {
            Some(run) => self.desk.resume(&[run]),
            None => self.run(),
        }
    }

    /// What a person types after a kill: resume, or the first command again if there was no run yet.
    pub fn resume(&self) -> Command {
        match self.recorded_run() {
            Some(run) => self.desk.resume(&[&run]),
            None => self.run(),
        }
    }

    fn run(&self) -> Command {
        let mut command = self.desk.sandboxed(&self.file, &[]);
        for param in &self.params {
            command.args(["-p", param]);
        }
        command
    }

    /// The run that the record has, if it got that far.
    pub fn recorded_run(&self) -> Option<String> {
        let end = finish(self.desk.command(&["show", "--output", "json"]));
        let first = serde_json::from_str::<serde_json::Value>(end.stdout.lines().next()?).unwrap();
        Some(text(&first["run"]).to_owned())
    }
}

/// The steps `kubeconfig` and `charts` of a shipped pipeline, on the cluster that is there.
fn only_helm(desk: &Desk, file: &str, outputs: &serde_json::Value) -> String {
    let shipped = std::fs::read_to_string(desk.shipped(file)).unwrap();
    let steps = &shipped[shipped.find("  - id: kubeconfig\n").unwrap()..shipped.find("\n  - id: scripts\n").unwrap()];
    let steps = steps
        .replace("    needs: [infra]\n", "")
        .replace("{{ steps.infra.outputs.eks_cluster_name }}", text(&outputs["eks_cluster_name"]));
    let head = "apiVersion: hprun/v1\nname: only-helm\nversion: 1.0.0\naws: { region: us-west-2 }\nsteps:\n";
    desk.write("only-helm.yaml", &format!("{head}{steps}\n"))
}

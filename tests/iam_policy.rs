//! The policy that `hprun iam-policy` prints: it is enough, in a sandbox that enforces it, and no statement of it is too much.
//! Must know nothing of hprun's insides. What the sandbox asks for is written there, apart from what the steps declare.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Desk, End, copy_folder, finish, succeed, text, wire};

/// Fast enough that a run takes seconds, and slow enough that what AWS takes some seconds to see is still waited for.
const SPEED: u32 = 2_000;
/// How many runs go on at the same time.
const AT_ONCE: usize = 4;

/// A shipped pipeline with the params that it must be given.
struct Shipped {
    file: &'static str,
    params: Vec<String>,
}

/// One run of the table: a policy without one of its statements.
struct Row {
    pipeline: usize,
    statement: usize,
    sid: String,
    /// The actions that only this statement allowed.
    actions: Vec<String>,
    shown: String,
}

#[test]
fn with_its_policy_each_pipeline_passes_and_without_any_one_statement_it_is_denied() {
    let (prepared, pipelines) = prepare();
    let policies: Vec<Value> = pipelines.iter().map(policy_of).collect();
    let mut rows = Vec::new();
    for (pipeline, policy) in policies.iter().enumerate() {
        // The statement that none of them lacks: the whole policy.
        rows.push((pipeline, None));
        rows.extend((0..statements(policy).len()).map(|statement| (pipeline, Some(statement))));
    }
    let (next, table, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((pipeline, statement)) = rows.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let scene = Scene { shipped: &pipelines[*pipeline], world: prepared.path("world") };
                    match statement {
                        None => scene.passes_with(&policies[*pipeline]),
                        Some(statement) => match scene.denied_without(&policies[*pipeline], *statement) {
                            Ok((sid, actions, shown)) => table.lock().unwrap().push(Row {
                                pipeline: *pipeline,
                                statement: *statement,
                                sid,
                                actions,
                                shown,
                            }),
                            Err(why) => wrong.lock().unwrap().push(why),
                        },
                    }
                }
            });
        }
    });
    let mut table = table.into_inner().unwrap();
    table.sort_by_key(|row| (row.pipeline, row.statement));
    for Row { pipeline, sid, actions, shown, .. } in &table {
        println!("{:<28} {sid:<28} {shown}: {}", pipelines[*pipeline].file, actions.join(", "));
    }
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert_eq!(table.len(), policies.iter().map(|policy| statements(policy).len()).sum::<usize>());
}

/// Actions of the policy that this scene does not come to: what AWS's resource handlers read back and the sandbox's do not,
/// changes that the sandbox has no function for, and calls of rarer ways (a stuck rollback, a cluster of unknown owner,
/// events of continuous mode). They rest on AWS's list of the handlers' permissions, or on the step's code, alone.
const NEVER_ASKED: &[&str] = &[
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:UntagResource",
    "ec2:DescribeInstances",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeVpnGateways",
    "ec2:ReplaceRoute",
    "ec2:ReplaceRouteTableAssociation",
    "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
    "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
    "eks:UntagResource",
    "eks:UpdateClusterVersion",
    "iam:GetRolePolicy",
    "iam:UntagRole",
    "iam:UpdateRole",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketTagging",
    "s3:GetEncryptionConfiguration",
    "s3:ListTagsForResource",
    "s3:TagResource",
    "s3:UntagResource",
    "sagemaker:ListClusterEvents",
    "sagemaker:ListTags",
];

#[test]
fn what_a_run_does_on_its_way_is_asked_of_the_policy_but_for_what_the_sandbox_never_does() {
    let mut desk = Desk::new();
    desk.serve(SPEED);
    let shipped = Shipped { file: "full-deployment.yaml", params: Vec::new() };
    let scene = Scene { shipped: &shipped, world: desk.path("world") };
    let policy = policy_of(&shipped);
    // Rolled back, made again; then a node fails, and the cluster is made again; then both are changed in place.
    desk.faults(
        &json!({"resources": [{"kind": "AWS::EKS::Addon", "name": "CoreDnsAddon", "reason": "no", "times": 1}]}),
    );
    desk.edit("lifecycle/base-config/on_create.sh", "set -euo pipefail\n", "exit 1\n");
    assert_eq!(scene.run(&desk, &policy).code, Some(1));
    assert_eq!(finish(desk.resume(&[])).code, Some(1));
    desk.edit("lifecycle/base-config/on_create.sh", "exit 1\n", "set -euo pipefail\n");
    succeed(desk.resume(&[]));
    for (from, to) in [
        ("Value: !Sub \"${ResourceNamePrefix}-vpc\"", "Value: another"),
        ("ResolveConflicts: OVERWRITE", "ResolveConflicts: PRESERVE"),
        ("{ Type: api }, ", ""),
        ("!Ref EKSPrivateRouteTable, !Ref PublicRouteTable]", "!Ref EKSPrivateRouteTable]"),
        ("Action: sts:AssumeRole", "Action: [sts:AssumeRole]"),
    ] {
        desk.edit("templates/hyperpod-eks.yaml", from, to);
    }
    // What hangs on a changed resource might be replaced, as far as CloudFormation can tell before.
    let template = "template: templates/hyperpod-eks.yaml";
    desk.edit("without-helm.yaml", template, &format!("{template}\n      allow-replacement: true"));
    succeed(desk.rerun(&["-p", "gen_count=2"]));
    // Nothing has changed since: the empty change set is removed.
    succeed(desk.rerun(&[]));
    assert_eq!(denials(&desk), Vec::<String>::new());

    let told: Value = serde_json::from_str(&wire::get(desk.endpoint(), "sts", "/_sandbox/policy")).unwrap();
    let asked: BTreeSet<&str> = told["asked"].as_array().unwrap().iter().map(|it| text(&it["action"])).collect();
    let allowed: BTreeSet<String> = statements(&policy).iter().flat_map(|it| texts(&it["Action"])).collect();
    let never: Vec<&str> = allowed.iter().map(String::as_str).filter(|it| !asked.contains(it)).collect();
    assert_eq!(never, NEVER_ASKED);
}

/// Inputs and resource types that the shipped pipelines do not have, in one file.
const BESIDES: &str = include_str!("iam_policy/besides.yaml");
const BESIDES_TEMPLATE: &str = include_str!("iam_policy/besides-template.yaml");

#[test]
fn inputs_and_resources_of_other_pipelines_are_in_their_policy_too() {
    let (prepared, _) = prepare();
    let mut desk = prepared;
    desk.start_sandbox();
    let parameter = json!({ "Name": "/team/days", "Value": "7", "Type": "String" });
    wire::json(desk.endpoint(), "ssm", "AmazonSSM.PutParameter", &parameter);
    // Too large for a request: it goes through the bucket.
    let large = format!("{BESIDES_TEMPLATE}{}", "# so long\n".repeat(6_000));
    desk.write("besides-template.yaml", &large);
    let file = desk.write("besides.yaml", BESIDES);
    let policy = printed(&desk, &file, &[]);
    let kept = desk.write("policy.json", &policy.to_string());
    // The last resource fails once: all that was made is deleted, with the caller's rights.
    let fault = json!({ "kind": "AWS::EKS::PodIdentityAssociation", "reason": "no", "times": 1 });
    desk.faults(&json!({ "resources": [fault] }));
    let end = finish(desk.sandboxed(&file, &["--sandbox-policy", &kept]));
    assert!(end.code == Some(1) && end.stdout.contains("ROLLBACK_COMPLETE"), "{}", end.stdout);
    succeed(desk.resume(&[]));
    assert_eq!(denials(&desk), Vec::<String>::new());
    assert_eq!(denied_actions(&std::fs::read_to_string(desk.path("world/journal.ndjson")).unwrap()), [""; 0]);
}

#[test]
fn what_a_person_has_to_add_is_said_and_a_long_policy_can_be_split() {
    let desk = Desk::new();
    let group =
        |n: usize| format!("  G{n}: {{ Type: 'AWS::Logs::LogGroup', Properties: {{ LogGroupName: /so/long/{n} }} }}\n");
    let groups: String = (0..100).map(group).collect();
    desk.write("t.yaml", &format!("Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n{groups}"));
    let step =
        |id: &str| format!("  - {{ id: {id}, type: deploy-stack, with: {{ name: s{id}, template: t.yaml }} }}\n");
    let steps = ["it", "again"].map(step).concat();
    let file = desk.write("p.yaml", &format!("apiVersion: hprun/v1\nname: p\nsteps:\n{steps}"));
    let whole = succeed(desk.command(&["iam-policy", &file]));
    let said: Vec<&str> = whole.stderr.lines().collect();
    assert!(
        said[0].starts_with(
            "warning: t.yaml:3:11: hprun does not know what Queue needs, a resource of type AWS::SQS::Queue"
        )
    );
    assert!(said[1].contains("and a managed policy takes 6144: print several with --split"), "{said:?}");
    let split = succeed(desk.command(&["iam-policy", &file, "--split"]));
    let split: Value = serde_json::from_str(&split.stdout).unwrap();
    let all = |policies: &[Value]| -> BTreeSet<String> {
        policies.iter().flat_map(|it| statements(it).iter().flat_map(|it| texts(&it["Action"]))).collect()
    };
    let split = split.as_array().unwrap();
    assert!(split.len() > 1 && split.iter().all(|it| it.to_string().len() <= 6144));
    assert_eq!(all(split), all(&[serde_json::from_str(&whole.stdout).unwrap()]));
    let table = succeed(desk.command(&["iam-policy", &file, "--explain"])).stdout;
    let own = "again\n  cloudformation:ContinueUpdateRollback\n    arn:aws:cloudformation:*:*:stack/sagain/*\n";
    assert!(table.contains(own), "{table}");
    let group = "  logs:CreateLogGroup for G10\n    arn:aws:logs:*:*:log-group:/so/long/10\n    arn:aws:logs:*:*:log-group:/so/long/10:*\n";
    assert!(table.contains(group) && table.contains("  logs:DescribeLogGroups for G0, G1, G10, "), "{table}");
    let json = succeed(desk.command(&["--output", "json", "iam-policy", &file, "--explain"])).stdout;
    let rows: Vec<Value> = serde_json::from_str(&json).unwrap();
    let look = rows.iter().find(|row| row["action"] == "logs:DescribeLogGroups" && row["step"] == "it").unwrap();
    assert_eq!((&look["resources"], texts(&look["needed_by"]).len()), (&json!(["*"]), 100));
}

#[test]
fn a_pipeline_that_needs_nothing_and_one_that_needs_too_much_are_told_so() {
    let desk = Desk::new();
    let nothing = "steps:\n  - { id: it, type: render-config, with: { template: t.hbs, format: json } }\n";
    let text = |steps: &str| format!("apiVersion: hprun/v1\nname: p\n{steps}");
    desk.write("t.hbs", "{}");
    let file = desk.write("p.yaml", &text(nothing));
    for (more, printed) in [(&[][..], json!([])), (&["--split"], json!(null))] {
        let end = succeed(desk.command(&[&["iam-policy", file.as_str()], more].concat()));
        assert!(end.stderr.contains("IAM takes no policy without a statement"), "{}", end.stderr);
        let told: Value = serde_json::from_str(&end.stdout).unwrap();
        assert_eq!(told["Statement"], printed);
    }
    let long = "l".repeat(400);
    let group =
        |n: usize| format!("  G{n}: {{ Type: 'AWS::Logs::LogGroup', Properties: {{ LogGroupName: /{long}/{n} }} }}\n");
    desk.write("t.yaml", &format!("Resources:\n{}", (0..90).map(group).collect::<String>()));
    let step = "steps:\n  - { id: it, type: deploy-stack, with: { name: s, template: t.yaml } }\n";
    let file = desk.write("p.yaml", &text(step));
    let end = succeed(desk.command(&["iam-policy", &file, "--split"]));
    assert!(end.stderr.contains("and a role takes 10 managed policies unless its quota is raised"), "{}", end.stderr);
}

/// A pipeline in a world of its own.
struct Scene<'a> {
    shipped: &'a Shipped,
    /// A world in which there is a VPC and an EKS cluster; the full deployment needs none.
    world: std::path::PathBuf,
}

impl Scene<'_> {
    fn desk(&self) -> Desk {
        let desk = Desk::new();
        if self.shipped.file != "full-deployment.yaml" {
            copy_folder(&self.world, &desk.path("world"));
            // Its address is taken anew, so that several copies can be served at once.
            for own in ["world.json", "lock"] {
                std::fs::remove_file(desk.path("world").join(own)).unwrap();
            }
        }
        desk
    }

    /// A run without Helm and without timeouts, which are short at this speed.
    fn run(&self, desk: &Desk, policy: &Value) -> End {
        let file = desk.without_helm_of(self.shipped.file);
        let without: Vec<&str> = self.shipped.params.iter().map(String::as_str).collect();
        let text: String = std::fs::read_to_string(&file)
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with("    timeout:"))
            .fold(String::new(), |text, line| text + line + "\n");
        std::fs::write(&file, text).unwrap();
        let policy = desk.write("policy.json", &policy.to_string());
        let speed = SPEED.to_string();
        let mut more = vec!["--sandbox-speed", &speed, "--sandbox-policy", &policy];
        more.extend(without);
        finish(desk.sandboxed(&file, &more))
    }

    fn passes_with(&self, policy: &Value) {
        let desk = self.desk();
        let end = self.run(&desk, policy);
        assert_eq!(end.code, Some(0), "{}: {}\n{}", self.shipped.file, end.stdout, end.stderr);
        assert_eq!(denials(&desk), Vec::<String>::new(), "{}: nothing was denied on the way", self.shipped.file);
    }

    /// The statement, the actions that were denied, and the scene that shows it; or why it seems not to be needed.
    fn denied_without(&self, policy: &Value, statement: usize) -> Result<(String, Vec<String>, String), String> {
        let mut less = policy.clone();
        let removed = less["Statement"].as_array_mut().unwrap().remove(statement);
        let sid = text(&removed["Sid"]).to_owned();
        let about = format!("{} without {sid}", self.shipped.file);
        let allowed: BTreeSet<String> = texts(&removed["Action"]).into_iter().collect();
        let desk = self.desk();
        // The log of a failed node is read only when one fails.
        let shown = if allowed.iter().all(|action| action.starts_with("logs:")) {
            desk.edit("lifecycle/base-config/on_create.sh", "set -euo pipefail\n", "exit 1\n");
            "a failing lifecycle script"
        } else {
            "a new deployment"
        };
        let end = self.run(&desk, &less);
        // The answer to a HEAD request has no words: the journal has them.
        let denied: Vec<String> = denied_actions(&format!("{}{}", end.stdout, denials(&desk).join("\n")));
        if end.code != Some(1) {
            return Err(format!("{about}: the run ended with {:?}\n{}", end.code, end.stderr));
        }
        if denied.is_empty() || denied.iter().any(|action| !allowed.contains(action)) {
            let last: Vec<&str> = end.stdout.lines().rev().take(3).collect();
            return Err(format!("{about}: denied {denied:?}\n{}", last.join("\n")));
        }
        Ok((sid, denied, shown.to_owned()))
    }
}

/// A world with the network and the EKS cluster of a full deployment, and nothing of HyperPod: and the pipelines, two of
/// which are given what is there.
fn prepare() -> (Desk, Vec<Shipped>) {
    let mut desk = Desk::new();
    desk.serve(SPEED);
    let text_of = std::fs::read_to_string(desk.shipped("full-deployment.yaml")).unwrap();
    let (head, steps) = text_of.split_once("  # From here on").unwrap();
    assert!(steps.contains("id: kubeconfig"));
    let file = desk.write("only-stack.yaml", &head.replace("    timeout: 60m\n", ""));
    succeed(desk.sandboxed(&file, &[]));
    let infra = desk.outputs()["infra"].clone();
    let given = |name: &str, key: &str| ["-p".to_owned(), format!("{name}={}", text(&infra[key]))];
    let cluster = given("eks_cluster_name", "eks_cluster_name");
    let group = given("security_group_id", "security_group_id");
    let subnet = ["-p".to_owned(), format!("subnet_id={}", text(&infra["private_subnet_ids"][0]))];
    let gateway = ["-p".to_owned(), format!("nat_gateway_id={}", physical_id(&desk, "NatGateway"))];
    let cidr = ["-p".to_owned(), "private_subnet_cidr=10.2.0.0/16".to_owned()];
    let vpc = given("vpc_id", "vpc_id");
    let integrative = [cluster.clone(), vpc, gateway, group.clone(), cidr].concat();
    let minimal = [cluster, subnet, group].concat();
    desk.stop_sandbox();
    let shipped = vec![
        Shipped { file: "full-deployment.yaml", params: Vec::new() },
        Shipped { file: "integrative-deployment.yaml", params: integrative },
        Shipped { file: "minimal-deployment.yaml", params: minimal },
    ];
    (desk, shipped)
}

fn physical_id(desk: &Desk, logical: &str) -> String {
    let form = "Action=ListStackResources&Version=2010-05-15&StackName=hyperpod-eks-full-stack";
    let (_, xml) = wire::query(desk.endpoint(), "cloudformation", form);
    let at = wire::tags(&xml, "LogicalResourceId").iter().position(|id| id == logical).unwrap();
    wire::tags(&xml, "PhysicalResourceId").swap_remove(at)
}

/// What `hprun iam-policy` prints for the shipped file, without a warning.
fn policy_of(shipped: &Shipped) -> Value {
    let desk = Desk::new();
    printed(&desk, &desk.shipped(shipped.file), &shipped.params)
}

fn printed(desk: &Desk, file: &str, params: &[String]) -> Value {
    let mut command = desk.command(&["iam-policy", file]);
    command.args(params);
    let end = succeed(command);
    assert_eq!(end.stderr, "", "{file}");
    serde_json::from_str(&end.stdout).unwrap()
}

fn statements(policy: &Value) -> &[Value] {
    policy["Statement"].as_array().unwrap()
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().map(|one| text(one).to_owned()).collect(),
        one => vec![text(one).to_owned()],
    }
}

/// The actions that a text says are denied.
fn denied_actions(text: &str) -> Vec<String> {
    let said = text.split("is not authorized to perform: ").skip(1);
    let actions: BTreeSet<String> = said.filter_map(|rest| rest.split([' ', '\n']).next()).map(str::to_owned).collect();
    actions.into_iter().collect()
}

/// Everything in the journal that was denied.
fn denials(desk: &Desk) -> Vec<String> {
    let denied = |entry: &&Value| {
        let error = text(&entry["error"]);
        error.contains("AccessDenied") || error.contains("Unauthorized") || entry["status"] == 403
    };
    let line = |entry: &Value| format!("{} {}", text(&entry["operation"]), text(&entry["answer"]));
    desk.journal().iter().filter(denied).map(line).collect()
}

//! What a finished run leaves in the world, in the record and on this machine, in words that two worlds have in common.
//! Must not use hprun's code: the world is asked over HTTP and by kubectl.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use regex::Regex;
use serde_json::{Value, json};

use crate::support::{Desk, text, tool, wire};

/// Lines by section, sorted: equal if and only if nothing is missing, left over or different.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct World(BTreeMap<String, Vec<String>>);

/// What is looked at on the way and is needed by more than one section.
struct Look<'a> {
    desk: &'a Desk,
    run: String,
    /// (stack, logical id, physical id)
    resources: Vec<(String, String, String)>,
    sections: BTreeMap<String, String>,
}

impl World {
    /// The end of the newest run of the desk, whose requests are `journal`. Panics where something is left that the record
    /// does not name.
    pub fn look(desk: &Desk, has_helm: bool, journal: &[Value]) -> Self {
        let events = desk.events();
        let run = text(&events[0]["run"]).to_owned();
        let mut look = Look { desk, run, resources: Vec::new(), sections: BTreeMap::new() };
        look.cloudformation();
        look.queries();
        look.s3();
        look.sagemaker();
        look.eks();
        if has_helm {
            look.kubernetes();
        }
        look.sections.insert("outputs".to_owned(), pretty(&desk.outputs()));
        let recorded = recorded(&events);
        look.nothing_unnamed(&recorded);
        let recorded: Vec<String> = recorded.into_values().collect();
        look.sections.insert("recorded".to_owned(), recorded.join("\n"));
        let last = events.last().map(|event| format!("{} {}", text(&event["event"]), text(&event["outcome"])));
        look.sections.insert("last event".to_owned(), last.unwrap_or_default());
        look.files();
        look.sections.insert("effects".to_owned(), effects(journal));
        look.normalised()
    }

    /// The same, of a release only what is deployed now: an upgrade that was killed half-way is rolled back and done again,
    /// and helm counts each of these as a revision.
    pub fn without_history(&self) -> Self {
        const RELEASE: &str = "Secret kube-system/sh.helm.release.v1.";
        let (releases, mut others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.0.clone().into_iter().partition(|(section, _)| section.starts_with(RELEASE));
        let is_deployed = |lines: &Vec<String>| lines.iter().any(|line| line.contains(r#""status": "deployed""#));
        let deployed: Vec<Vec<String>> = releases.into_values().filter(is_deployed).collect();
        let counts = |line: &String| {
            let numbered = [r#""version": "#, r#""revision": "#, r#""name": "sh.helm.release.v1."#];
            numbered.iter().any(|word| line.starts_with(word))
        };
        for (at, lines) in deployed.into_iter().enumerate() {
            others.insert(format!("deployed release {at}"), lines);
        }
        others.values_mut().for_each(|lines| lines.retain(|line| !counts(line)));
        Self(others)
    }

    /// What differs, line by line; nothing when nothing does.
    pub fn differs(&self, other: &Self) -> Option<String> {
        let mut found = Vec::new();
        let sections: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        for section in sections {
            let count = |world: &Self| {
                let mut counts: BTreeMap<String, i64> = BTreeMap::new();
                for line in world.0.get(section).into_iter().flatten() {
                    *counts.entry(line.clone()).or_default() += 1;
                }
                counts
            };
            let (ours, theirs) = (count(self), count(other));
            let lines: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            for line in lines {
                let times = |counts: &BTreeMap<String, i64>| counts.get(line).copied().unwrap_or(0);
                if times(&ours) != times(&theirs) {
                    let shown: String = line.chars().take(160).collect();
                    found.push(format!("  {section}: {}× instead of {}×: {shown}", times(&theirs), times(&ours)));
                }
            }
        }
        (!found.is_empty()).then(|| found.join("\n"))
    }
}

impl Look<'_> {
    fn query(&self, service: &str, version: &str, form: &str) -> String {
        let (status, xml) = wire::query(self.desk.endpoint(), service, &format!("Version={version}&Action={form}"));
        assert_eq!(status, 200, "{form}: {xml}");
        xml
    }

    fn add(&mut self, section: impl Into<String>, text: String) {
        self.sections.insert(section.into(), text);
    }

    fn cloudformation(&mut self) {
        let ask = |look: &Self, form: &str| look.query("cloudformation", "2010-05-15", form);
        let stacks = ask(self, "DescribeStacks");
        self.add("all stacks", ask(self, "ListStacks"));
        for name in wire::tags(&stacks, "StackName") {
            let listed = ask(self, &format!("ListStackResources&StackName={name}"));
            let ids = wire::tags(&listed, "LogicalResourceId").into_iter();
            let ids = ids.zip(wire::tags(&listed, "PhysicalResourceId"));
            self.resources.extend(ids.map(|(logical, physical)| (name.clone(), logical, physical)));
            self.add(format!("resources of {name}"), listed);
            let changes = ask(self, &format!("ListChangeSets&StackName={name}"));
            assert!(!changes.contains("<ChangeSetName>"), "a change set was left behind: {changes}");
        }
        self.add("stacks", stacks);
    }

    fn queries(&mut self) {
        let ec2 = [
            "DescribeAddresses",
            "DescribeInternetGateways",
            "DescribeNatGateways",
            "DescribeRouteTables",
            "DescribeSecurityGroups",
            "DescribeSecurityGroupRules",
            "DescribeSubnets",
            "DescribeTags",
            "DescribeVpcEndpoints",
            "DescribeVpcs",
        ];
        for operation in ec2 {
            self.add(operation, self.query("ec2", "2016-11-15", operation));
        }
        // A stack knows an address by its number, its tags by its id.
        for address in self.sections["DescribeAddresses"].split("<item>").skip(1) {
            let (number, id) = (wire::tags(address, "publicIp"), wire::tags(address, "allocationId"));
            let of = self.resources.iter().find(|(.., physical)| number.first() == Some(physical)).cloned();
            if let (Some((stack, logical, _)), Some(id)) = (of, id.into_iter().next()) {
                self.resources.push((stack, logical, id));
            }
        }
        self.add("ListRoles", self.query("iam", "2010-05-08", "ListRoles"));
    }

    fn s3(&mut self) {
        let get = |look: &Self, path: &str, query: &str| wire::s3(look.desk.endpoint(), path, query);
        let buckets = get(self, "/", "");
        for bucket in wire::tags(&buckets, "Name") {
            let listed = get(self, &format!("/{bucket}"), "list-type=2");
            let uploads = get(self, &format!("/{bucket}"), "uploads=");
            assert!(!uploads.contains("<UploadId>"), "an upload was left behind: {uploads}");
            for key in wire::tags(&listed, "Key") {
                let contents = get(self, &format!("/{bucket}/{key}"), "");
                self.add(format!("object {bucket}/{key}"), contents);
            }
            self.add(format!("objects of {bucket}"), listed);
        }
        self.add("buckets", buckets);
    }

    fn sagemaker(&mut self) {
        let ask = |look: &Self, operation: &str, body: Value| wire::sagemaker(look.desk.endpoint(), operation, &body);
        let clusters = ask(self, "ListClusters", json!({}));
        for cluster in clusters["ClusterSummaries"].as_array().unwrap() {
            let (name, arn) = (text(&cluster["ClusterName"]), text(&cluster["ClusterArn"]));
            let named = json!({ "ClusterName": name });
            self.add(format!("cluster {name}"), pretty(&ask(self, "DescribeCluster", named.clone())));
            self.add(format!("machines of {name}"), pretty(&ask(self, "ListClusterNodes", named)));
            self.add(format!("tags of {name}"), pretty(&ask(self, "ListTags", json!({ "ResourceArn": arn }))));
        }
        self.add("clusters", pretty(&clusters));
    }

    fn eks(&mut self) {
        let get = |look: &Self, path: &str| {
            let body = wire::get(look.desk.endpoint(), "eks", path);
            serde_json::from_str::<Value>(&body).unwrap()
        };
        let clusters = get(self, "/clusters");
        for name in clusters["clusters"].as_array().unwrap().iter().map(text) {
            for path in ["", "/addons", "/access-entries", "/pod-identity-associations"] {
                let path = format!("/clusters/{name}{path}");
                self.add(format!("EKS {path}"), pretty(&get(self, &path)));
            }
        }
        self.add("EKS clusters", pretty(&clusters));
    }

    /// Everything that the chart makes, and the release itself, asked by the real kubectl.
    fn kubernetes(&mut self) {
        const KINDS: &str = "namespaces,secrets,configmaps,serviceaccounts,services,deployments,daemonsets,jobs,\
                             clusterroles,clusterrolebindings,roles,rolebindings,customresourcedefinitions,nodes";
        let kubeconfig = text(&self.desk.outputs()["kubeconfig"]["path"]).to_owned();
        let mut kubectl = Command::new(tool("kubectl"));
        kubectl.args(["get", KINDS, "-A", "-o", "json", "--kubeconfig", &kubeconfig]);
        let answer = kubectl.env("HOME", self.desk.path("home")).output().unwrap();
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
        for item in answer["items"].as_array().unwrap() {
            let (kind, metadata) = (text(&item["kind"]), &item["metadata"]);
            let mut shown = item.clone();
            for key in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"] {
                shown["metadata"].as_object_mut().unwrap().remove(key);
            }
            // The release in a secret has its times packed into it; its revision and status are among the labels.
            for key in ["data", "status"] {
                shown.as_object_mut().unwrap().remove(key);
            }
            let name = format!("{kind} {}/{}", text(&metadata["namespace"]), text(&metadata["name"]));
            self.add(name, pretty(&shown));
        }
    }

    /// What bears the run's id is named by the record, or is a resource of a stack that is.
    fn nothing_unnamed(&self, recorded: &BTreeMap<String, String>) {
        let named_stack = |name: &str| recorded.keys().any(|id| id.contains(&format!(":stack/{name}/")));
        let of_stacks: BTreeSet<&String> =
            self.resources.iter().filter(|(stack, ..)| named_stack(stack)).map(|(.., physical)| physical).collect();
        for stack in self.sections["stacks"].split("<StackId>").skip(1).filter(|stack| stack.contains(&self.run)) {
            let id = stack.split('<').next().unwrap();
            assert!(recorded.contains_key(id), "the stack {id} is not in the record");
        }
        for tag in self.sections["DescribeTags"].split("<item>").skip(1).filter(|tag| tag.contains(&self.run)) {
            let id = wire::tags(tag, "resourceId").swap_remove(0);
            assert!(of_stacks.contains(&id), "{id} is tagged as this run's, and neither recorded nor of its stack");
        }
        for (section, tags) in &self.sections {
            if section.starts_with("tags of ") && tags.contains(&self.run) {
                let name = section.trim_start_matches("tags of ");
                let arn = serde_json::from_str::<Value>(&self.sections[&format!("cluster {name}")]).unwrap();
                let arn = text(&arn["ClusterArn"]);
                assert!(recorded.contains_key(arn), "the cluster {arn} is not in the record");
            }
            if section.starts_with("Secret ") && tags.contains(&self.run) {
                let release: Value = serde_json::from_str(tags).unwrap();
                let of = &release["metadata"];
                let id = format!("{}/{}", text(&of["namespace"]), text(&of["labels"]["name"]));
                assert!(recorded.contains_key(&id), "the release {id} is not in the record");
            }
        }
    }

    /// The files that steps write, with their contents; of the run's own folder the names.
    fn files(&mut self) {
        let (home, pipelines) = (self.desk.path("home"), self.desk.path("pipelines"));
        let own = self.desk.path("state/runs").join(&self.run);
        let mut found = Vec::new();
        for (folder, with_contents) in [(home, true), (pipelines, true), (own, false)] {
            for path in files_in(&folder) {
                let name = path.strip_prefix(self.desk.path("")).unwrap().display().to_string();
                // What helm and kubectl keep for themselves is their own affair.
                if ["/helm/charts/home/", "/helm/charts/chart/", "/.kube/cache/"].iter().any(|own| name.contains(own)) {
                    continue;
                }
                let contents = if with_contents { std::fs::read(&path).unwrap() } else { Vec::new() };
                let contents = String::from_utf8_lossy(&contents).into_owned();
                self.sections.insert(format!("contents of {name}"), contents);
                found.push(name);
            }
        }
        self.add("files", found.join("\n"));
    }

    fn normalised(self) -> World {
        let desk = self.desk.path("").display().to_string();
        let desk = desk.trim_end_matches('/');
        let mut known: Vec<(String, String)> =
            self.resources.iter().map(|(_, logical, physical)| (physical.clone(), format!("«{logical}»"))).collect();
        known.push((self.run.clone(), "«run»".to_owned()));
        known.push((desk.to_owned(), "«desk»".to_owned()));
        // The longest first: one id may be the beginning of another.
        known.sort_by_key(|(id, _)| std::cmp::Reverse(id.len()));
        let patterns = [
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "«uuid»"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", "«time»"),
            (r"\b1[0-9]{9}(\.[0-9]+)?\b", "«time»"),
            (r"\b([a-z]+)-0[0-9a-f]{16}\b", "$1-«id»"),
            (r"\bAROA[0-9A-Z]{17}\b", "«role»"),
            (r":cluster/[a-z0-9]{12}\b", ":cluster/«id»"),
            (r#""cluster_id": "[a-z0-9]{12}""#, "«cluster_id»"),
            (r#""waited": [0-9]+"#, "«waited»"),
            (r"LS0tLS1CRUdJTi[A-Za-z0-9+/=]+", "«certificate»"),
            (r"127\.0\.0\.1:[0-9]+", "«address»"),
        ];
        let patterns = patterns.map(|(pattern, name)| (Regex::new(pattern).unwrap(), name));
        let clean = |text: &str| {
            let text = known.iter().fold(text.to_owned(), |text, (id, name)| text.replace(id, name));
            patterns.iter().fold(text, |text, (pattern, name)| pattern.replace_all(&text, *name).into_owned())
        };
        let lines = |text: String| {
            let broken = text.replace("><", ">\n<");
            let mut lines: Vec<String> =
                broken.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let sections = self.sections.iter().map(|(name, text)| (clean(name), lines(clean(text))));
        World(sections.collect())
    }
}

/// What the record says is there, by id: kind, name and whose it is.
fn recorded(events: &[Value]) -> BTreeMap<String, String> {
    let mut there = BTreeMap::new();
    for record in events.iter().map(|event| &event["record"]) {
        let id = text(&record["id"]).to_owned();
        match text(&record["record"]) {
            "resource-recorded" => {
                let line = [&record["kind"], &record["id"], &record["name"], &record["origin"]].map(text).join(" ");
                there.insert(id, line);
            }
            "resource-removed" => drop(there.remove(&id)),
            _ => {}
        }
    }
    there
}

/// How often each making or changing call of AWS had its effect. Change sets are looks at a stack: as many removed as made, and
/// none executed. An object may be written again, with the same contents. What Helm writes is judged by what it leaves.
fn effects(journal: &[Value]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut looks: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut objects: BTreeMap<&str, &Value> = BTreeMap::new();
    let aws = journal.iter().filter(|entry| entry["effect"] == true && entry["service"] != "kubernetes");
    for entry in aws {
        let (operation, request) = (text(&entry["operation"]), text(&entry["request"]));
        if operation.contains("ChangeSet") {
            // A token may be sent again: that has no second effect.
            looks.entry(operation).or_default().insert(text(&entry["body"]["ChangeSetName"]));
            continue;
        }
        let body = &entry["body"];
        let named = ["ClusterName", "StackName", "name"].iter().find_map(|key| body[key].as_str());
        let count = counts.entry(format!("{operation} {}", named.unwrap_or(request))).or_default();
        if operation == "PutObject" {
            let before = objects.insert(request, body);
            assert!(before.is_none_or(|before| before == body), "{request} was written again with other contents");
            *count = 1;
        } else {
            *count += 1;
        }
    }
    assert_eq!(looks.get("CreateChangeSet"), looks.get("DeleteChangeSet"), "change sets were left behind");
    assert_eq!(looks.get("ExecuteChangeSet"), None, "nothing changed, and a change set was executed");
    counts.iter().map(|(call, times)| format!("{times}× {call}\n")).collect()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

fn files_in(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_in(&path)) } else { found.push(path) }
    }
    found
}

//! The rules between fields that the service enforces or that a cluster on EKS needs (facts: AWS docs; live errors).
//! Knows nothing of types and limits of single fields: those are data in `shapes`.

use super::check::{ConfigFinding, Lacks, at_start, join};
use super::json::{Node, What};
use crate::codes::cluster;
use crate::partial::Piece;

/// Adds what `config` does against the rules.
pub fn check(config: &Node, findings: &mut Vec<ConfigFinding>) {
    let What::Map(_) = config.what else { return };
    let cluster = Cluster { config, on_eks: config.get("Orchestrator").is_none_or(|o| o.get("Slurm").is_none()) };
    cluster.top(findings);
    cluster.auto_scaling(findings);
    cluster.names(findings);
    cluster.tags(findings);
    networks(config, "", "VpcConfig", findings);
    for (index, group) in groups(config, "InstanceGroups") {
        let group = Group { node: group, path: format!("InstanceGroups[{index}]"), on_eks: cluster.on_eks };
        group.instance_types(findings);
        group.life_cycle(findings);
        group.counts(findings);
        group.common(findings);
        networks(group.node, &group.path, "OverrideVpcConfig", findings);
        if cluster.on_eks
            && let Some(slurm) = group.node.get("SlurmConfig")
        {
            let path = join(&group.path, "SlurmConfig");
            findings.push(
                ConfigFinding::error(&cluster::NOT_ON_EKS, path, slurm.span.clone(), "is not for a cluster on EKS")
                    .help("leave it out"),
            );
        }
    }
    for (index, group) in groups(config, "RestrictedInstanceGroups") {
        let path = format!("RestrictedInstanceGroups[{index}]");
        networks(group, &path, "OverrideVpcConfig", findings);
        Group { node: group, path, on_eks: cluster.on_eks }.common(findings);
    }
}

fn groups<'a>(config: &'a Node, list: &str) -> impl Iterator<Item = (usize, &'a Node)> {
    let items = config.get(list).map(Node::items).unwrap_or_default();
    items.iter().enumerate().filter(|(_, group)| matches!(group.what, What::Map(_)))
}

struct Cluster<'a> {
    config: &'a Node,
    on_eks: bool,
}

impl Cluster<'_> {
    fn top(&self, findings: &mut Vec<ConfigFinding>) {
        let config = self.config;
        let mut lacks = |fields: Lacks, message: &str, help: &str| {
            let finding = ConfigFinding::error(&cluster::MISSING_FIELD, "", at_start(config), message);
            findings.push(finding.help(help).lacking(fields));
        };
        if config.get("InstanceGroups").is_none() && config.get("RestrictedInstanceGroups").is_none() {
            lacks(
                Lacks::Always(&["InstanceGroups", "RestrictedInstanceGroups"]),
                "the field `InstanceGroups` is missing",
                "a cluster needs at least one group (0 instances are allowed)",
            );
        }
        if self.on_eks && config.get("VpcConfig").is_none() {
            lacks(
                Lacks::Here(&["VpcConfig"]),
                "the field `VpcConfig` is missing",
                "a cluster on EKS needs the subnets and security groups of its nodes",
            );
        }
        if config.get("Orchestrator").is_none() {
            let message = "the field `Orchestrator` is missing: without it SageMaker makes a Slurm cluster";
            let finding = ConfigFinding::warning(&cluster::NO_ORCHESTRATOR, "", at_start(config), message);
            let finding = finding.help("write { \"Eks\": { \"ClusterArn\": … } }");
            findings.push(finding.lacking(Lacks::Always(&["Orchestrator"])));
        }
    }

    fn auto_scaling(&self, findings: &mut Vec<ConfigFinding>) {
        let Some(scaling) = self.config.get("AutoScaling") else { return };
        if scaling.get("Mode").and_then(Node::text) != Some("Enable") {
            return;
        }
        for (field, value) in
            [("NodeProvisioningMode", "`Continuous`"), ("ClusterRole", "a role that may add and delete nodes")]
        {
            if self.config.get(field).is_none() {
                let message = format!("needs the field `{field}` beside it");
                let finding = ConfigFinding::error(&cluster::NEEDS_ANOTHER, "AutoScaling", at_start(scaling), message);
                findings.push(finding.help(format!("set `{field}` to {value}")).by_absence());
            }
        }
    }

    fn names(&self, findings: &mut Vec<ConfigFinding>) {
        let mut seen: Vec<&str> = Vec::new();
        for list in ["InstanceGroups", "RestrictedInstanceGroups"] {
            for (index, group) in groups(self.config, list) {
                let Some(node) = group.get("InstanceGroupName") else { continue };
                let Some(name) = node.text() else { continue };
                if seen.contains(&name) {
                    let path = format!("{list}[{index}].InstanceGroupName");
                    let message = format!("the name `{name}` is given to two groups");
                    findings.push(ConfigFinding::error(&cluster::GIVEN_TWICE, path, node.span.clone(), message));
                }
                seen.push(name);
            }
        }
    }

    fn tags(&self, findings: &mut Vec<ConfigFinding>) {
        let mut seen: Vec<&str> = Vec::new();
        for (index, tag) in groups(self.config, "Tags") {
            let Some(node) = tag.get("Key") else { continue };
            let Some(key) = node.text() else { continue };
            let path = format!("Tags[{index}].Key");
            let lower = key.to_lowercase();
            if seen.contains(&key) {
                findings.push(ConfigFinding::error(
                    &cluster::GIVEN_TWICE,
                    path,
                    node.span.clone(),
                    format!("the tag `{key}` is given twice"),
                ));
            } else if lower.starts_with("aws:") || lower.starts_with("hprun:") {
                let owner = if lower.starts_with("aws:") { "AWS" } else { "hprun" };
                let message = format!("`{key}` cannot be set: tags with that prefix are {owner}'s own");
                findings.push(ConfigFinding::error(&cluster::RESERVED_TAG, path, node.span.clone(), message));
            }
            seen.push(key);
        }
    }
}

struct Group<'a> {
    node: &'a Node,
    path: String,
    on_eks: bool,
}

impl Group<'_> {
    fn lacks(&self, message: impl Into<String>) -> ConfigFinding {
        ConfigFinding::error(&cluster::MISSING_FIELD, self.path.clone(), at_start(self.node), message).by_absence()
    }

    fn instance_types(&self, findings: &mut Vec<ConfigFinding>) {
        match (self.node.get("InstanceType"), self.node.get("InstanceRequirements")) {
            (None, None) => {
                let either = Lacks::Always(&["InstanceType", "InstanceRequirements"]);
                let finding = self.lacks("the field `InstanceType` (or `InstanceRequirements`) is missing");
                findings.push(finding.lacking(either));
            }
            (Some(_), Some(both)) => {
                let path = join(&self.path, "InstanceRequirements");
                let message = "cannot stand beside `InstanceType`: exactly one of the two is needed";
                findings.push(ConfigFinding::error(&cluster::EXCLUSIVE, path, at_start(both), message));
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
    }

    fn life_cycle(&self, findings: &mut Vec<ConfigFinding>) {
        let Some(config) = self.node.get("LifeCycleConfig") else {
            if self.on_eks {
                let help = "a group on EKS needs one even with 0 instances: { \"SourceS3Uri\": …, \"OnCreate\": \"on_create.sh\" }";
                let finding = self.lacks("the field `LifeCycleConfig` is missing").help(help);
                findings.push(finding.lacking(Lacks::Here(&["LifeCycleConfig"])));
            }
            return;
        };
        let What::Map(_) = config.what else { return };
        let path = join(&self.path, "LifeCycleConfig");
        let (create, complete) = (config.get("OnCreate"), config.get("OnInitComplete"));
        if let (Some(_), Some(both)) = (create, complete) {
            let message = "cannot stand beside `OnCreate`: give one of the two";
            findings.push(ConfigFinding::error(
                &cluster::EXCLUSIVE,
                join(&path, "OnInitComplete"),
                both.span.clone(),
                message,
            ));
        }
        if config.get("SourceS3Uri").is_none() {
            let message = "the field `SourceS3Uri` is missing";
            let finding = ConfigFinding::error(&cluster::MISSING_FIELD, path.clone(), at_start(config), message);
            findings.push(finding.lacking(Lacks::Always(&["SourceS3Uri"])));
        }
        if create.is_none() && complete.is_none() {
            let message = "the field `OnCreate` is missing";
            let finding = ConfigFinding::error(&cluster::MISSING_FIELD, path.clone(), at_start(config), message);
            findings.push(finding.lacking(Lacks::Always(&["OnCreate", "OnInitComplete"])));
        }
        if let Some(uri) = config.get("SourceS3Uri") {
            let script = create.or(complete).and_then(Node::text).unwrap_or("the script");
            source(&join(&path, "SourceS3Uri"), uri, script, findings);
        }
    }

    fn counts(&self, findings: &mut Vec<ConfigFinding>) {
        let (Some(least), Some(count)) = (self.node.get("MinInstanceCount"), self.node.get("InstanceCount")) else {
            return;
        };
        if let (Some(min), Some(max)) = (least.whole(), count.whole())
            && min > max
        {
            let path = join(&self.path, "MinInstanceCount");
            let message = format!("{min} is more than the {max} of `InstanceCount`");
            findings.push(ConfigFinding::error(&cluster::COUNTS, path, least.span.clone(), message));
        }
    }

    /// Rules that hold for restricted groups too.
    fn common(&self, findings: &mut Vec<ConfigFinding>) {
        self.health_checks(findings);
        self.threads(findings);
        self.volumes(findings);
    }

    fn types(&self) -> Vec<&str> {
        let one = self.node.get("InstanceType").and_then(Node::text);
        let many = self.node.get("InstanceRequirements").and_then(|r| r.get("InstanceTypes"));
        one.into_iter().chain(many.map(Node::items).unwrap_or_default().iter().filter_map(Node::text)).collect()
    }

    fn health_checks(&self, findings: &mut Vec<ConfigFinding>) {
        let Some(checks) = self.node.get("OnStartDeepHealthChecks") else { return };
        let path = join(&self.path, "OnStartDeepHealthChecks");
        if let Some(plain) = self.types().into_iter().find(|t| !is_accelerated(t)) {
            let message = format!("deep health checks need accelerated instances, `{plain}` has no accelerator");
            findings.push(
                ConfigFinding::error(&cluster::DEEP_CHECKS_ON_CPU, path.clone(), at_start(checks), message)
                    .help("leave the field out"),
            );
        }
        for (index, item) in checks.items().iter().enumerate() {
            let mut before = checks.items()[..index].iter().filter_map(Node::text);
            if item.text().is_some_and(|name| before.any(|other| other == name)) {
                findings.push(ConfigFinding::error(
                    &cluster::GIVEN_TWICE,
                    format!("{path}[{index}]"),
                    item.span.clone(),
                    "is given twice",
                ));
            }
        }
    }

    fn threads(&self, findings: &mut Vec<ConfigFinding>) {
        if !self.types().iter().any(|t| t.starts_with("ml.p5") || t.starts_with("ml.p6")) {
            return;
        }
        let given = self.node.get("ThreadsPerCore");
        if given.is_none_or(|threads| threads.whole() == Some(1)) {
            let at = given.map_or_else(|| at_start(self.node), |threads| threads.span.clone());
            let message = "with one thread a core these instances show half of their vCPUs";
            let finding = ConfigFinding::warning(&cluster::ONE_THREAD, join(&self.path, "ThreadsPerCore"), at, message);
            findings.push(finding.help("set `ThreadsPerCore` to 2, unless that is meant").by_absence());
        }
    }

    fn volumes(&self, findings: &mut Vec<ConfigFinding>) {
        let storage = self.node.get("InstanceStorageConfigs").map(Node::items).unwrap_or_default();
        for (index, item) in storage.iter().enumerate() {
            let Some(volume) = item.get("EbsVolumeConfig") else { continue };
            let What::Map(_) = volume.what else { continue };
            let path = format!("{}.InstanceStorageConfigs[{index}].EbsVolumeConfig", self.path);
            let root = volume.get("RootVolume").map(|flag| &flag.what);
            let (size, key) = (volume.get("VolumeSizeInGB"), volume.get("VolumeKmsKeyId"));
            if root == Some(&What::Flag(true)) {
                if let Some(size) = size {
                    let message = "cannot be set for the root volume: its size is given";
                    findings.push(ConfigFinding::error(
                        &cluster::VOLUME,
                        join(&path, "VolumeSizeInGB"),
                        size.span.clone(),
                        message,
                    ));
                }
                if key.is_none() {
                    let message = "a root volume needs the field `VolumeKmsKeyId`";
                    findings.push(ConfigFinding::error(&cluster::VOLUME, path, at_start(volume), message).by_absence());
                }
            } else if size.is_none() && !matches!(root, Some(What::Unknown(_) | What::Text(_) | What::Open(_))) {
                let message = "the field `VolumeSizeInGB` is missing";
                findings.push(ConfigFinding::error(&cluster::VOLUME, path, at_start(volume), message).by_absence());
            }
        }
    }
}

/// Ids of the one kind where the other is needed: by the API's own patterns both are an id.
fn networks(node: &Node, path: &str, field: &str, findings: &mut Vec<ConfigFinding>) {
    let Some(network) = node.get(field) else { return };
    let kinds = [("Subnets", "subnet-", "sg-"), ("SecurityGroupIds", "sg-", "subnet-")];
    for (list, wanted, other) in kinds {
        let items = network.get(list).map(Node::items).unwrap_or_default();
        for (index, item) in items.iter().enumerate() {
            let text = item.open_text().unwrap_or_default();
            // Of a text that begins with something unknown nothing is known.
            let begin = text.beginning();
            if begin.is_empty() || begin.starts_with(wanted) || (text.as_known().is_none() && wanted.starts_with(begin))
            {
                continue;
            }
            let path = join(path, &format!("{field}.{list}[{index}]"));
            let message = format!("`{begin}` is no id such as {wanted}0123abcd");
            let finding = ConfigFinding::error(&cluster::WRONG_FORM, path, item.span.clone(), message);
            let swapped = begin.starts_with(other).then(|| "did you swap `Subnets` and `SecurityGroupIds`?".to_owned());
            findings.push(ConfigFinding { help: swapped, ..finding });
        }
    }
}

/// A whole bucket as the source is allowed, and nearly always a mistake: the scripts stand under a prefix.
fn source(path: &str, uri: &Node, script: &str, findings: &mut Vec<ConfigFinding>) {
    let Some(rest) = uri.open_text().and_then(|text| text.without_beginning("s3://")) else { return };
    let is_bucket = match rest.0.as_slice() {
        [Piece::Known(text)] => !text.trim_end_matches('/').is_empty() && !text.trim_end_matches('/').contains('/'),
        [Piece::From(_)] => true,
        [Piece::From(_), Piece::Known(text)] => text == "/",
        _ => false,
    };
    if !is_bucket {
        return;
    }
    let message = format!("names a whole bucket: `{script}` is looked for at its root");
    let help = "give the prefix that the scripts were uploaded to too: the output `s3_uri` of upload-lifecycle is exactly that";
    findings.push(ConfigFinding::warning(&cluster::WHOLE_BUCKET, path, uri.span.clone(), message).help(help));
}

/// Whether a type has GPUs, Trainium or Inferentia chips.
pub fn is_accelerated(instance_type: &str) -> bool {
    let family = instance_type.strip_prefix("ml.").unwrap_or(instance_type);
    ["p", "g", "trn", "inf"]
        .iter()
        .any(|start| family.strip_prefix(start).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())))
        || family.starts_with("gr")
}

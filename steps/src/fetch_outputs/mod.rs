//! fetch-outputs: reads a stack's outputs under the names that the rest of a HyperPod pipeline uses.
//! Knows nothing of how the stack was made. What a mode of deployment does not make, the user gives under `values`.

mod env;
mod facts;
mod permissions;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::aws_error::explain;
use crate::codes::neighbours;
use crate::context::{FileMode, StepContext};
use crate::error::StepError;
use crate::fact::Fact;
use crate::files::Files;
use crate::finding::Finding;
use crate::pace::Pace;
use crate::partial::{Partial, ValueType, nearest};
use crate::permissions::{Needs, Surroundings};
use crate::step::{DeclaredOutput, DeclaredOutputs, Health, Step, declared_outputs};
use crate::value::Value;

/// The output keys of the flat and of the nested HyperPod templates are known; `map` names those of other templates,
/// and `values` gives what the stack does not make. A value that is missing is an error that lists what the stack has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FetchOutputs {
    /// Name or ARN of the stack.
    pub stack: String,
    /// Output keys of a template that spells them in a way of its own: `vpc_id: MyVpc`. Other names than the seven
    /// become outputs of this step too.
    #[serde(default)]
    pub map: IndexMap<String, String>,
    /// Values that you give yourself, by logical name; they win over the stack's. An empty one counts as not given.
    #[serde(default)]
    pub values: Values,
    /// The logical names that must have a value. Default: all seven. The others are null where the stack has none.
    #[serde(default = "every_logical")]
    pub require: Vec<Logical>,
    /// A file to write for a shell to `source`: the variables of the guide's create_config.sh. Mode 0600.
    pub env_file: Option<String>,
    /// More variables for the file, such as `ACCEL_INSTANCE_TYPE`.
    #[serde(default)]
    pub env: IndexMap<String, Value>,
}

/// What the user gives instead of the stack.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Values {
    /// VPC of the cluster.
    pub vpc_id: Option<String>,
    /// Private subnets for the nodes: a list.
    #[serde(default)]
    pub private_subnet_ids: Vec<String>,
    /// Security group of the nodes.
    pub security_group_id: Option<String>,
    /// Name of the EKS cluster. Not needed beside its ARN.
    pub eks_cluster_name: Option<String>,
    /// ARN of the EKS cluster. Not needed beside its name, if it is of this account and region.
    pub eks_cluster_arn: Option<String>,
    /// Role of the nodes.
    pub execution_role_arn: Option<String>,
    /// Bucket for the lifecycle scripts.
    pub s3_bucket: Option<String>,
}

/// A name under which the rest of a pipeline knows a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Logical {
    /// VPC of the cluster.
    VpcId,
    /// Private subnets for the nodes.
    PrivateSubnetIds,
    /// Security group of the nodes.
    SecurityGroupId,
    /// Name of the EKS cluster.
    EksClusterName,
    /// ARN of the EKS cluster.
    EksClusterArn,
    /// Role of the nodes.
    ExecutionRoleArn,
    /// Bucket for the lifecycle scripts.
    S3Bucket,
}

impl Logical {
    const ALL: [Self; 7] = [
        Self::VpcId,
        Self::PrivateSubnetIds,
        Self::SecurityGroupId,
        Self::EksClusterName,
        Self::EksClusterArn,
        Self::ExecutionRoleArn,
        Self::S3Bucket,
    ];

    fn name(self) -> &'static str {
        self.spellings().0
    }

    /// Its name here, the keys of the flat and of the nested templates, the variable of create_config.sh (facts A.3).
    fn spellings(self) -> (&'static str, [&'static str; 2], &'static str) {
        match self {
            Self::VpcId => ("vpc_id", ["VPC", "OutputVpcId"], "VPC_ID"),
            Self::PrivateSubnetIds => {
                ("private_subnet_ids", ["PrivateSubnet1", "OutputPrivateSubnetIds"], "PRIVATE_SUBNET_ID")
            }
            Self::SecurityGroupId => {
                ("security_group_id", ["NoIngressSecurityGroup", "OutputSecurityGroupId"], "SECURITY_GROUP_ID")
            }
            Self::EksClusterName => ("eks_cluster_name", ["ClusterName", "OutputEKSClusterName"], "EKS_CLUSTER_NAME"),
            Self::EksClusterArn => ("eks_cluster_arn", ["ClusterArn", "OutputEKSClusterArn"], "EKS_CLUSTER_ARN"),
            Self::ExecutionRoleArn => (
                "execution_role_arn",
                ["AmazonSagemakerClusterExecutionRoleArn", "OutputSageMakerIAMRoleArn"],
                "EXECUTION_ROLE",
            ),
            Self::S3Bucket => ("s3_bucket", ["AmazonS3BucketName", "OutputS3BucketName"], "S3_BUCKET_NAME"),
        }
    }

    fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|logical| logical.name() == name)
    }
}

fn every_logical() -> Vec<Logical> {
    Logical::ALL.to_vec()
}

/// A stack's outputs. Beside these, each further name of `map` under its own name.
#[derive(Debug, PartialEq, JsonSchema)]
pub struct Fetched {
    /// VPC of the cluster.
    pub vpc_id: Option<String>,
    /// Private subnets for the nodes: a list.
    pub private_subnet_ids: Vec<String>,
    /// Security group of the nodes.
    pub security_group_id: Option<String>,
    /// Name of the EKS cluster.
    pub eks_cluster_name: Option<String>,
    /// ARN of the EKS cluster.
    pub eks_cluster_arn: Option<String>,
    /// Role of the nodes.
    pub execution_role_arn: Option<String>,
    /// Bucket for the lifecycle scripts.
    pub s3_bucket: Option<String>,
    /// All outputs of the stack, as they are.
    pub stack_outputs: IndexMap<String, String>,
    /// Path of the file that was written, if one was asked for.
    pub env_file: Option<String>,
    #[schemars(skip)]
    mapped: IndexMap<String, String>,
}

impl Serialize for Fetched {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for logical in Logical::ALL {
            match logical {
                Logical::PrivateSubnetIds => map.serialize_entry(logical.name(), &self.private_subnet_ids)?,
                other => map.serialize_entry(other.name(), &self.get(other))?,
            }
        }
        map.serialize_entry("stack_outputs", &self.stack_outputs)?;
        map.serialize_entry("env_file", &self.env_file)?;
        for (name, value) in &self.mapped {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Fetched {
    /// The value as one text; subnets joined with commas.
    fn get(&self, logical: Logical) -> Option<String> {
        match logical {
            Logical::VpcId => self.vpc_id.clone(),
            Logical::PrivateSubnetIds => {
                (!self.private_subnet_ids.is_empty()).then(|| self.private_subnet_ids.join(","))
            }
            Logical::SecurityGroupId => self.security_group_id.clone(),
            Logical::EksClusterName => self.eks_cluster_name.clone(),
            Logical::EksClusterArn => self.eks_cluster_arn.clone(),
            Logical::ExecutionRoleArn => self.execution_role_arn.clone(),
            Logical::S3Bucket => self.s3_bucket.clone(),
        }
    }
}

impl Step for FetchOutputs {
    const TYPE: &'static str = "fetch-outputs";
    const SUMMARY: &'static str = "Read a stack's outputs under the names that a HyperPod pipeline uses";
    const EXAMPLE: &'static str = r#"- id: infra
  type: fetch-outputs
  with:
    stack: "{{ steps.stack.outputs.name }}"
    env-file: env_vars
    env:
      ACCEL_INSTANCE_TYPE: ml.g5.12xlarge
      ACCEL_INSTANCE_COUNT: 1
"#;
    type Outputs = Fetched;

    fn check(inputs: &Partial, _files: &Files) -> Vec<Finding> {
        check(inputs)
    }

    fn outputs(inputs: &Partial, _files: &Files) -> DeclaredOutputs {
        let mut declared = declared_outputs::<Fetched>();
        if let Some(Partial::Map(map, _)) = inputs.get("map") {
            for (name, (_, key)) in map {
                let description = format!("the stack's output {}", key.as_str().unwrap_or_default());
                let output = DeclaredOutput { value_type: ValueType::String, description };
                declared.entry(name.clone()).or_insert(output);
            }
        }
        declared
    }

    fn permissions(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
        permissions::needs(inputs, around)
    }

    fn foreseen(inputs: &Partial, _files: &Files) -> IndexMap<String, Partial> {
        let Some(values) = inputs.get("values") else { return IndexMap::new() };
        let given = |logical: Logical| {
            let value = values.get(logical.name())?;
            facts::is_given(value).then(|| (logical.name().to_owned(), value.clone()))
        };
        Logical::ALL.into_iter().filter_map(given).collect()
    }

    fn facts(inputs: &Partial, _files: &Files) -> Vec<Fact> {
        facts::facts(inputs)
    }

    async fn run(self, cx: &mut StepContext<'_>) -> Result<Fetched, StepError> {
        let (stack, status) = describe(cx, &self.stack).await?;
        let mut fetched = resolve(&self, stack, &home_of_clusters(cx)).map_err(|e| match status.as_str() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => e,
            other => e.because(format!("the stack is in {other}")),
        })?;
        if let Some(path) = &self.env_file {
            let text = env::text(&env::variables(&self, &fetched, &cx.run.region)?)?;
            let secret = self.env.values().any(|value| !value.secrets().is_empty());
            let mode = if secret { FileMode::Secret } else { FileMode::Private };
            let full = cx.write_file(path.as_ref(), text.as_bytes(), mode)?;
            fetched.env_file = Some(full.to_string_lossy().into_owned());
        }
        Ok(fetched)
    }

    async fn probe(self, outputs: &serde_json::Value, cx: &mut StepContext<'_>) -> Result<Health, StepError> {
        let stack = match describe(cx, &self.stack).await {
            Ok((stack, _)) => stack,
            Err(e) if e.has_code("ValidationError") => return Ok(Health::Lost(e.message)),
            Err(e) => return Err(e),
        };
        let now = serde_json::to_value(&stack).unwrap_or_default();
        Ok(if outputs.get("stack_outputs") == Some(&now) {
            Health::Good
        } else {
            Health::Lost(format!("the outputs of the stack {} have changed", self.stack))
        })
    }
}

/// The stack's outputs and its status, by one DescribeStacks.
async fn describe(cx: &StepContext<'_>, name: &str) -> Result<(IndexMap<String, String>, String), StepError> {
    let doing = format!("describe the stack {name}");
    let mut pace = Pace::default();
    let answer = loop {
        let asked = cx.clients.cloudformation().describe_stacks().stack_name(name).send();
        match cx.unless_stopped(asked).await? {
            Ok(answer) => break answer,
            Err(e) => pace.after(cx, explain(&doing, e)).await?,
        }
    };
    let stack = answer.stacks().first().ok_or_else(|| StepError::failed(format!("there is no stack {name}")))?;
    let output = |o: &aws_sdk_cloudformation::types::Output| {
        Some((o.output_key()?.to_owned(), o.output_value().unwrap_or_default().to_owned()))
    };
    let status = stack.stack_status().map(|s| s.as_str()).unwrap_or_default().to_owned();
    Ok((stack.outputs().iter().filter_map(output).collect(), status))
}

/// What an EKS cluster's ARN begins with in this account and region.
fn home_of_clusters(cx: &StepContext<'_>) -> String {
    format!("arn:{}:eks:{}:{}:cluster/", cx.run.partition, cx.run.region, cx.run.account)
}

/// The outputs under their logical names: the user's values first, then `map`, then the two known templates.
fn resolve(inputs: &FetchOutputs, stack: IndexMap<String, String>, clusters: &str) -> Result<Fetched, StepError> {
    let given = &inputs.values;
    let pick = |logical: Logical, value: &Option<String>| {
        value.clone().filter(|v| is_value(v)).or_else(|| from_stack(inputs, &stack, logical))
    };
    let mut arn = pick(Logical::EksClusterArn, &given.eks_cluster_arn);
    let mut name = pick(Logical::EksClusterName, &given.eks_cluster_name);
    // One of the two that the user gave outranks the other from the stack: they are one cluster.
    let named = given.eks_cluster_name.as_ref().is_some_and(|v| is_value(v));
    let by_arn = given.eks_cluster_arn.as_ref().is_some_and(|v| is_value(v));
    if by_arn && !named || name.is_none() {
        name = arn.as_ref().and_then(|arn| Some(arn.split_once(":cluster/")?.1.to_owned())).or(name);
    } else if named && !by_arn || arn.is_none() {
        arn = name.as_ref().map(|name| format!("{clusters}{name}"));
    }
    let subnets = if given.private_subnet_ids.iter().any(|s| is_value(s)) {
        given.private_subnet_ids.clone()
    } else {
        let joined = from_stack(inputs, &stack, Logical::PrivateSubnetIds).unwrap_or_default();
        joined.split(',').map(str::trim).map(str::to_owned).collect()
    };
    let mut mapped = IndexMap::new();
    let mut missing = Vec::new();
    for (name, key) in inputs.map.iter().filter(|(name, _)| Logical::find(name).is_none()) {
        match stack.get(key).filter(|v| is_value(v)) {
            Some(value) => drop(mapped.insert(name.clone(), value.clone())),
            None => missing.push(format!("{name} ({key})")),
        }
    }
    let fetched = Fetched {
        vpc_id: pick(Logical::VpcId, &given.vpc_id),
        private_subnet_ids: subnets.into_iter().filter(|s| is_value(s)).collect(),
        security_group_id: pick(Logical::SecurityGroupId, &given.security_group_id),
        eks_cluster_name: name,
        eks_cluster_arn: arn,
        execution_role_arn: pick(Logical::ExecutionRoleArn, &given.execution_role_arn),
        s3_bucket: pick(Logical::S3Bucket, &given.s3_bucket),
        stack_outputs: stack,
        env_file: None,
        mapped,
    };
    one_cluster(&fetched)?;
    for logical in inputs.require.iter().filter(|logical| fetched.get(**logical).is_none()) {
        missing.push(format!("{} ({})", logical.name(), keys_of(inputs, *logical).join(" or ")));
    }
    if missing.is_empty() { Ok(fetched) } else { Err(nothing_for(inputs, &missing, &fetched.stack_outputs)) }
}

fn from_stack(inputs: &FetchOutputs, stack: &IndexMap<String, String>, logical: Logical) -> Option<String> {
    keys_of(inputs, logical).iter().find_map(|key| stack.get(*key).filter(|v| is_value(v)).cloned())
}

/// The output keys to look for: the one that `map` names, else those of the known templates.
fn keys_of(inputs: &FetchOutputs, logical: Logical) -> Vec<&str> {
    match inputs.map.get(logical.name()) {
        Some(key) => vec![key.as_str()],
        None => logical.spellings().1.to_vec(),
    }
}

/// `None` is what `aws --output text` prints for nothing, and what careless templates pass on.
fn is_value(text: &str) -> bool {
    !text.trim().is_empty() && text != "None"
}

fn one_cluster(fetched: &Fetched) -> Result<(), StepError> {
    match (&fetched.eks_cluster_name, &fetched.eks_cluster_arn) {
        (Some(name), Some(arn)) if !arn.ends_with(&format!(":cluster/{name}")) => Err(StepError::invalid(format!(
            "eks_cluster_name is {name}, but eks_cluster_arn is {arn}: two different clusters"
        ))
        .help("give both under `values:`, or only one of them")),
        _ => Ok(()),
    }
}

fn nothing_for(inputs: &FetchOutputs, missing: &[String], stack: &IndexMap<String, String>) -> StepError {
    let has = if stack.is_empty() {
        "it has no outputs".to_owned()
    } else {
        format!("it has {}", stack.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
    };
    StepError::failed(format!("the stack {} has no value for {}", inputs.stack, missing.join(", ")))
        .because(has)
        .help("name the right output under `map:`, give the value under `values:`, or leave the name out of `require:`")
}

/// Everything that can be said offline.
fn check(inputs: &Partial) -> Vec<Finding> {
    let entries = |key: &str| match inputs.get(key) {
        Some(Partial::Map(entries, _)) => entries.iter().collect(),
        Some(Partial::Known(..) | Partial::Unknown(..) | Partial::List(..)) | None => Vec::new(),
    };
    let mut findings = Vec::new();
    for (name, (place, _)) in entries("map") {
        let good = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let taken = ["stack_outputs", "env_file"].contains(&name.as_str());
        if !good || taken {
            let what = if taken { "is an output already" } else { "is no name for an output: a-z, 0-9 and _" };
            let near = nearest(name, Logical::ALL.map(Logical::name));
            let finding = Finding::error(&neighbours::WRONG_OUTPUT_NAME, *place, format!("`{name}` {what}"));
            findings.push(match near {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding,
            });
        }
    }
    for (name, (place, value)) in entries("env") {
        if !env::is_variable(name) {
            findings.push(Finding::error(
                &neighbours::WRONG_VARIABLE,
                *place,
                format!("`{name}` is no name for a shell variable"),
            ));
        }
        if value.value_type() == ValueType::Map {
            let message = format!("the variable {name} is a map; it holds text, a number, a boolean or a list");
            findings.push(Finding::error(&neighbours::WRONG_VARIABLE, value.place(), message));
        }
    }
    if let (Some(env), None) = (inputs.get("env"), inputs.get("env-file")) {
        findings.push(Finding::warning(&neighbours::NO_EFFECT, env.place(), "`env` has no effect without `env-file`"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CLUSTERS: &str = "arn:aws:eks:us-west-2:111122223333:cluster/";

    fn inputs(json: serde_json::Value) -> FetchOutputs {
        Value::from_json(&json).parse().expect("the inputs are right")
    }

    fn stack(outputs: &[(&str, &str)]) -> IndexMap<String, String> {
        outputs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn check_resolve(with: serde_json::Value, outputs: &[(&str, &str)]) -> serde_json::Value {
        match resolve(&inputs(with), stack(outputs), CLUSTERS) {
            Ok(fetched) => {
                let mut all = serde_json::to_value(fetched).expect("plain data");
                all.as_object_mut()
                    .expect("a map")
                    .retain(|k, v| k != "stack_outputs" && !v.is_null() && *v != json!([]));
                all
            }
            Err(e) => json!(format!("{} | {}", e.message, e.causes.join(" | "))),
        }
    }

    const FLAT: [(&str, &str); 7] = [
        ("VPC", "vpc-1"),
        ("PrivateSubnet1", "subnet-1"),
        ("NoIngressSecurityGroup", "sg-1"),
        ("ClusterArn", "arn:aws:eks:us-west-2:111122223333:cluster/c"),
        ("ClusterName", "c"),
        ("AmazonSagemakerClusterExecutionRoleArn", "arn:aws:iam::111122223333:role/r"),
        ("AmazonS3BucketName", "b"),
    ];

    #[test]
    fn both_known_templates_give_the_same_names() {
        let flat = check_resolve(json!({ "stack": "s" }), &FLAT);
        assert_eq!(flat["private_subnet_ids"], json!(["subnet-1"]));
        let nested = [
            ("OutputVpcId", "vpc-1"),
            ("OutputPrivateSubnetIds", "subnet-1"),
            ("OutputSecurityGroupId", "sg-1"),
            ("OutputEKSClusterArn", "arn:aws:eks:us-west-2:111122223333:cluster/c"),
            ("OutputEKSClusterName", "c"),
            ("OutputSageMakerIAMRoleArn", "arn:aws:iam::111122223333:role/r"),
            ("OutputS3BucketName", "b"),
        ];
        assert_eq!(check_resolve(json!({ "stack": "s" }), &nested), flat);
        let mut several = nested;
        several[1].1 = "subnet-1, subnet-2";
        let several = check_resolve(json!({ "stack": "s" }), &several);
        assert_eq!(several["private_subnet_ids"], json!(["subnet-1", "subnet-2"]));
    }

    #[test]
    fn a_map_wins_over_the_templates_and_values_win_over_all() {
        let with = json!({ "stack": "s", "map": { "vpc_id": "Mine", "extra": "Other" }, "values": { "s3_bucket": "mine", "security_group_id": "" } });
        let mut outputs = FLAT.to_vec();
        outputs.extend([("Mine", "vpc-2"), ("Other", "x")]);
        let got = check_resolve(with, &outputs);
        assert_eq!((&got["vpc_id"], &got["extra"]), (&json!("vpc-2"), &json!("x")));
        assert_eq!((&got["s3_bucket"], &got["security_group_id"]), (&json!("mine"), &json!("sg-1")));
    }

    #[test]
    fn minimal_mode_takes_what_the_stack_lacks_from_values() {
        let made = &FLAT[5..];
        let arn = "arn:aws:eks:us-west-2:111122223333:cluster/mine";
        let values = json!({ "private_subnet_ids": ["subnet-9"], "security_group_id": "sg-9", "eks_cluster_arn": arn });
        let all = check_resolve(json!({ "stack": "s", "values": values }), made);
        assert_eq!(
            all,
            json!(
                "the stack s has no value for vpc_id (VPC or OutputVpcId) | it has AmazonSagemakerClusterExecutionRoleArn, AmazonS3BucketName"
            )
        );
        let require = json!(["private_subnet_ids", "eks_cluster_name", "s3_bucket"]);
        let some = check_resolve(json!({ "stack": "s", "values": values, "require": require }), made);
        assert_eq!((&some["eks_cluster_name"], some.get("vpc_id")), (&json!("mine"), None));
        let by_name =
            check_resolve(json!({ "stack": "s", "values": { "eks_cluster_name": "mine" }, "require": [] }), &FLAT);
        assert_eq!(by_name["eks_cluster_arn"], json!(arn), "a cluster that the user names outranks the stack's");
    }

    #[test]
    fn what_is_missing_is_said_with_what_there_is() {
        let got = check_resolve(
            json!({ "stack": "s", "map": { "x": "Y" }, "require": ["s3_bucket"] }),
            &[("AmazonS3BucketName", "None"), ("A", "1")],
        );
        assert_eq!(
            got,
            json!(
                "the stack s has no value for x (Y), s3_bucket (AmazonS3BucketName or OutputS3BucketName) | it has AmazonS3BucketName, A"
            )
        );
        let two = json!({ "stack": "s", "values": { "eks_cluster_name": "a", "eks_cluster_arn": "arn:aws:eks:us-west-2:111122223333:cluster/b" }, "require": [] });
        let two = check_resolve(two, &[]);
        assert!(two.as_str().expect("an error").contains("two different clusters"), "{two}");
    }

    #[test]
    fn findings_before_the_run() {
        let with = json!({ "stack": "s", "map": { "VpcId": "A", "stack_outputs": "B" }, "env": { "A-B": 1, "C": {} } });
        let found = check(&Partial::from_value(&Value::from_json(&with)));
        let found: Vec<&str> = found.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(
            found,
            [
                "`VpcId` is no name for an output: a-z, 0-9 and _",
                "`stack_outputs` is an output already",
                "`A-B` is no name for a shell variable",
                "the variable C is a map; it holds text, a number, a boolean or a list",
                "`env` has no effect without `env-file`",
            ]
        );
    }
}

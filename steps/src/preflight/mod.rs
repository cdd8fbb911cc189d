//! preflight: asks AWS, before anything is made, what a run would only find out after half an hour; all findings come at once.
//! Knows nothing of other steps: what is asked stands in its inputs, or in the questions that `check --live` gathers.

mod asker;
mod buckets;
mod caller;
mod clusters;
mod eks;
mod gathered;
mod iam;
mod network;
mod permissions;
mod plans;
mod quotas;
mod releases;
mod simulation;
mod stacks;
mod verdict;
mod zones;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clients::Caller;
use crate::cluster_config::Given;
use crate::codes::{cluster, live};
use crate::context::StepContext;
use crate::error::StepError;
use crate::fact::{Fact, FileUse};
use crate::files::{FileInput, FileKind, Files};
use crate::finding::{At, Finding};
use crate::partial::{Partial, Place};
use crate::permissions::{Needs, Surroundings};
use crate::question::{Asked, Brought, Question, Wish, settled};
use crate::step::Step;
use crate::value::Value;

pub use asker::{Answered, Asker, Whose};

/// How long a full deployment takes, with time to spare.
pub const A_RUN: u32 = 75;

/// Everything that is given is asked about, but not whether a lifecycle script is there: a later step may bring it. The step
/// changes nothing. It fails if an answer means that the run would; what it may not ask is told and does not count.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Preflight {
    /// Name of a stack that the run will make.
    pub stack: Option<String>,
    /// Id of the zone of the nodes, such as `usw2-az2`.
    pub availability_zone_id: Option<String>,
    /// Name of an EKS cluster that is there.
    pub eks_cluster: Option<String>,
    /// Bucket of the lifecycle scripts, if it is there.
    pub bucket: Option<String>,
    /// The cluster that the run will make: as much of a CreateCluster request as is known, such as instance types and counts,
    /// subnets, security groups, the role.
    #[serde(default)]
    #[schemars(schema_with = "crate::value::without_secrets")]
    pub cluster: Option<Value>,
    /// Path of a JSON file that holds the request. Give this or `cluster`.
    pub config: Option<String>,
    /// A stack or cluster of that name that is there will be taken over. Default: false.
    #[serde(default)]
    pub adopt: bool,
}

/// Nothing stands in the way.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Cleared {
    /// How many questions were asked.
    pub asked: usize,
    /// How many of them could not be answered, mostly because the caller may not ask.
    pub unknown: usize,
    /// What is in doubt or unknown, one line each.
    pub warnings: Vec<String>,
}

impl Step for Preflight {
    const TYPE: &'static str = "preflight";
    const SUMMARY: &'static str = "Ask AWS what would make the run fail later: quotas, network, names, roles";
    const EXAMPLE: &'static str = r"
- id: preflight
  type: preflight
  with:
    stack: hyperpod-eks-full-stack
    availability-zone-id: usw2-az2
    cluster:
      ClusterName: ml-cluster
      InstanceGroups:
        - InstanceType: ml.g5.12xlarge
          InstanceCount: 1
          InstanceStorageConfigs: [{ EbsVolumeConfig: { VolumeSizeInGB: 500 } }]
";
    type Outputs = Cleared;

    fn files(inputs: &Partial) -> Vec<FileInput> {
        FileInput::named(inputs, "config", FileKind::File).into_iter().collect()
    }

    fn check(inputs: &Partial, files: &Files) -> Vec<Finding> {
        if let (Some(_), Some(both)) = (inputs.get("config"), inputs.get("cluster")) {
            let message = "`cluster` cannot stand beside `config`: give one of the two";
            return vec![Finding::error(&cluster::NEITHER_CONFIG_NOR_CLUSTER, both.place(), message)];
        }
        Given::read(inputs, files).map(|given| given.findings_of_a_part()).unwrap_or_default()
    }

    fn facts(inputs: &Partial, files: &Files) -> Vec<Fact> {
        let mut facts = Given::read_facts(inputs, files, FileUse::Look);
        // A later step may bring the scripts.
        facts.retain(|fact| !matches!(fact, Fact::NeedsObject { .. }));
        facts
    }

    fn questions(inputs: &Partial, files: &Files) -> Vec<Asked> {
        questions(inputs, files)
    }

    fn permissions(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
        permissions::needs(inputs, around)
    }

    async fn run(self, cx: &mut StepContext<'_>) -> Result<Cleared, StepError> {
        let inputs = self.inputs()?;
        let asked = settled(with_the_caller(questions(&Partial::from_value(&inputs), cx.files)), &Brought::default());
        cx.progress(format!("asking {} questions", asked.len()));
        let caller = Caller {
            account: cx.run.account.clone(),
            arn: cx.run.caller_arn.clone(),
            partition: cx.run.partition.clone(),
        };
        let run = cx.run;
        let whose = |id: &str| if run.is_ours(id) { Whose::Own } else { Whose::Foreign };
        let answered = Asker::new(cx.clients, &caller, &whose).ask(&asked).await;
        outcome(answered)
    }
}

impl Preflight {
    /// What is given, in the form that the questions are read from before a run too.
    fn inputs(&self) -> Result<Value, StepError> {
        if self.cluster.as_ref().is_some_and(|cluster| !cluster.secrets().is_empty()) {
            return Err(StepError::invalid("a secret cannot be part of a cluster: it could be read there"));
        }
        let text = |name: &str, given: &Option<String>| Some((name.to_owned(), Value::String(given.clone()?)));
        let given = [
            text("stack", &self.stack),
            text("availability-zone-id", &self.availability_zone_id),
            text("eks-cluster", &self.eks_cluster),
            text("bucket", &self.bucket),
            text("config", &self.config),
            self.cluster.clone().map(|cluster| ("cluster".to_owned(), cluster)),
            Some(("adopt".to_owned(), Value::Bool(self.adopt))),
        ];
        Ok(Value::Map(given.into_iter().flatten().collect()))
    }
}

/// What a step's answers come to: all errors at once.
fn outcome(answered: Answered) -> Result<Cleared, StepError> {
    let line = |finding: &Finding| {
        let help = finding.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}: {}{help}", finding.code, finding.message)
    };
    let count = answered.errors().count();
    if count > 0 {
        let plural = if count == 1 { "thing stands" } else { "things stand" };
        let error = StepError::failed(format!("{count} {plural} in the way of this run"));
        let error = answered.errors().map(line).fold(error, StepError::because);
        return Err(error.help("hprun explain CODE tells more of each"));
    }
    let warnings = answered.findings.iter().map(line).collect();
    Ok(Cleared { asked: answered.asked, unknown: answered.unknown, warnings })
}

/// The same with what every run needs: a right clock, and credentials that last.
pub fn with_the_caller(mut asked: Vec<Asked>) -> Vec<Asked> {
    let at = asked.first().map_or(At::Pipeline(Place::default()), |first| first.at.clone());
    asked.push(Asked::now(at.clone(), Question::Clock));
    asked.push(Asked::now(at, Question::CredentialsLast { minutes: A_RUN }));
    asked
}

fn questions(inputs: &Partial, files: &Files) -> Vec<Asked> {
    let adopt = matches!(inputs.get("adopt"), Some(Partial::Known(Value::Bool(true), _)));
    let at = |name: &str| At::Pipeline(inputs.get(name).unwrap_or(inputs).place());
    let text = |name: &str| Wish::text(inputs.get(name));
    let mut asked = vec![Asked::now(At::Pipeline(inputs.place()), Question::Region)];
    asked.extend(Asked::of(&live::STACK_NAME, &at("stack"), text("stack"), |name| Question::StackName { name, adopt }));
    let zone = "availability-zone-id";
    asked.extend(Asked::of(&live::ZONE, &at(zone), text(zone), |zone| Question::Zone { zone }));
    let of_eks: [fn(String) -> Question; 6] = [
        |eks| Question::EksActive { eks },
        |eks| Question::EksAccessMode { eks },
        |eks| Question::EksVersion { eks },
        |eks| Question::Cni { eks },
        |eks| Question::PodIdentity { eks },
        |eks| Question::CallerEntry { eks, role: None },
    ];
    for question in of_eks {
        let code = question(String::new()).code();
        asked.extend(Asked::of(code, &at("eks-cluster"), text("eks-cluster"), question));
    }
    asked.extend(Asked::of(&live::BUCKET_REGION, &at("bucket"), text("bucket"), |bucket| Question::BucketRegion {
        bucket,
    }));
    asked.extend(Given::read(inputs, files).map(|given| given.questions(adopt)).unwrap_or_default());
    // Whether a script is there cannot be asked from here: a later step may bring it.
    asked.retain(|asked| asked.code != &live::SCRIPT_THERE);
    asked
}

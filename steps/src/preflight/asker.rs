//! Asks all questions side by side and gathers what is found; what several questions look at is fetched once.
//! Knows nothing of steps, of files or of how findings are shown.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::verdict::Verdict;
use super::{buckets, caller, clusters, eks, gathered, iam, network, plans, quotas, releases, stacks, zones};
use crate::clients::{Caller, Clients};
use crate::error::StepError;
use crate::finding::{Finding, Severity};
use crate::question::{Asked, Question};

/// How long one question may take: a service that does not answer keeps nobody waiting longer. The list of quotas has some
/// dozens of pages at AWS.
const PATIENCE: Duration = Duration::from_secs(15);

/// Who asks, and what was learnt so far.
pub struct Asker<'a> {
    /// How AWS is reached.
    pub clients: &'a Clients,
    /// Who is calling.
    pub caller: &'a Caller,
    /// Whose the things of the run of this id are.
    pub whose: &'a (dyn Fn(&str) -> Whose + Sync),
    pub(super) learnt: Learnt,
}

/// Whose a thing is that a run of hprun made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Of the run that asks, or of one whose things passed to it.
    Own,
    /// Of another run: the one of this id has them now, and can be gone on with from here.
    Known(String),
    /// Of a run of another pipeline, of this name: it is known here, and does not help.
    Other(String),
    /// Of a run that nothing is known of here.
    Foreign,
}

/// What several questions look at.
#[derive(Default)]
pub(super) struct Learnt {
    pub zones: Memo<Vec<(String, String)>>,
    pub subnets: Memo<Vec<network::Subnet>>,
    pub groups: Memo<Vec<network::SecurityGroup>>,
    pub eks: Memo<Option<eks::Eks>>,
    pub quotas: Memo<Arc<quotas::Quotas>>,
    pub used: Memo<Arc<Vec<clusters::Used>>>,
    pub stacks: Memo<Option<stacks::Stack>>,
    pub roles: Memo<Option<iam::Role>>,
    pub buckets: Memo<buckets::Standing>,
    pub own_buckets: Memo<bool>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Answered {
    /// Everything that is wrong, in doubt or unknown, in the order of the questions.
    pub findings: Vec<Finding>,
    /// How many questions were asked.
    pub asked: usize,
    /// How many of them nobody could answer.
    pub unknown: usize,
    /// How many wait for the run.
    pub waiting: usize,
}

impl Answered {
    /// What keeps a run from ending well.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }
}

impl<'a> Asker<'a> {
    /// Somebody who has learnt nothing yet.
    pub fn new(clients: &'a Clients, caller: &'a Caller, whose: &'a (dyn Fn(&str) -> Whose + Sync)) -> Self {
        Self { clients, caller, whose, learnt: Learnt::default() }
    }

    /// Asks all of them.
    pub async fn ask(&self, questions: &[Asked]) -> Answered {
        let waiting = questions.iter().filter(|asked| asked.question.is_none()).count();
        let now: Vec<(&Asked, &Question)> =
            questions.iter().filter_map(|asked| Some((asked, asked.question.as_ref()?))).collect();
        let verdicts = futures::future::join_all(now.iter().map(|(_, question)| self.verdict(question))).await;
        let unknown =
            verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Unknown(_) | Verdict::Denied(_))).count();
        Answered { findings: gathered::findings(&now, verdicts), asked: now.len(), unknown, waiting }
    }

    async fn verdict(&self, question: &Question) -> Verdict {
        match tokio::time::timeout(PATIENCE, self.answer(question)).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(error)) => Verdict::of_error(&error),
            Err(_) => Verdict::Unknown("because the service does not answer".to_owned()),
        }
    }

    async fn answer(&self, question: &Question) -> Result<Verdict, StepError> {
        use Question as Q;
        match question {
            Q::Region => caller::region(self).await,
            Q::Clock => caller::clock(self).await,
            Q::CredentialsLast { minutes } => caller::credentials(self, *minutes).await,
            Q::Zone { zone } => zones::zone(self, zone).await,
            Q::TypesOffered { types, zone, subnets } => zones::offered(self, types, zone.as_deref(), subnets).await,
            Q::TypeQuota { instance_type, wanted, spot, cluster } => {
                quotas::of_type(self, (instance_type, *spot), *wanted, cluster).await
            }
            Q::TotalQuota { which, wanted, cluster } => quotas::total(self, *which, *wanted, cluster).await,
            Q::VolumeQuota { gigabytes } => quotas::volume(self, *gigabytes).await,
            Q::NetworkQuota { stack, which, wanted } => quotas::network(self, stack, *which, *wanted).await,
            Q::BlockFree { stack, vpc, cidr } => network::block(self, stack, vpc, cidr).await,
            Q::OneVpc { subnets, groups } => network::one_vpc(self, subnets, groups).await,
            Q::WayOut { subnets } => network::way_out(self, subnets).await,
            Q::FreeAddresses { subnets, nodes, cluster } => network::addresses(self, subnets, nodes, cluster).await,
            Q::SelfReference { groups, efa } => network::self_reference(self, groups, *efa).await,
            Q::GroupsMeet { groups, eks } => network::groups_meet(self, groups, eks).await,
            Q::EndpointPolicy { subnets, bucket, key } => network::endpoint_policy(self, subnets, (bucket, key)).await,
            Q::There { id } => network::there(self, id).await,
            Q::OneZone { subnets } => network::one_zone(self, subnets).await,
            Q::EksActive { eks } => eks::is_active(self, eks).await,
            Q::EksAccessMode { eks } => eks::takes_entries(self, eks).await,
            Q::EksVersion { eks } => eks::has_version(self, eks).await,
            Q::EksVpc { eks, subnets } => eks::is_in_vpc(self, eks, subnets).await,
            Q::Cni { eks } => eks::has_cni(self, eks).await,
            Q::PodIdentity { eks } => eks::has_pod_identity(self, eks).await,
            Q::CallerEntry { eks, role } => eks::lets_in(self, eks, role.as_deref()).await,
            Q::Release { eks, namespace, release, adopt } => {
                releases::release(self, eks, (namespace, release), *adopt).await
            }
            Q::RoleTrust { role } => iam::trust(self, role).await,
            Q::RolePolicies { role, cluster } => iam::policies(self, role, cluster).await,
            Q::RoleReads { role, bucket, key } => iam::reads(self, role, bucket, key).await,
            Q::PassRole { role } => iam::pass_role(self, role).await,
            Q::LinkedRole => iam::linked_role(self).await,
            Q::BucketRegion { bucket } => buckets::region(self, bucket).await,
            Q::ScriptThere { bucket, key } => buckets::script(self, bucket, key).await,
            Q::TrainingPlan { plan, instance_type, wanted, subnets, cluster } => {
                plans::plan(self, plan, (instance_type, *wanted), subnets, cluster).await
            }
            Q::ClusterName { name, adopt } => clusters::name(self, name, *adopt).await,
            Q::StackName { name, adopt } => stacks::name(self, name, *adopt).await,
        }
    }

    pub(super) fn region(&self) -> &str {
        self.clients.region().unwrap_or_default()
    }
}

/// What was asked for once, by name; the same answer, or error, for all who ask.
pub(super) struct Memo<T>(Mutex<HashMap<String, Cell<T>>>);

type Cell<T> = Arc<OnceCell<Result<T, StepError>>>;

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Memo<T> {
    pub async fn get(&self, name: &str, ask: impl Future<Output = Result<T, StepError>>) -> Result<T, StepError> {
        let cell = {
            let mut cells = self.0.lock().expect("nothing panics while it holds the cells");
            Arc::clone(cells.entry(name.to_owned()).or_default())
        };
        cell.get_or_init(|| ask).await.clone()
    }
}

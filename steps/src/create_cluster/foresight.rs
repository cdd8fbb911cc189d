//! What create-cluster would do now, told by looking only.
//! Changes nothing and records nothing.

use aws_sdk_sagemaker::operation::describe_cluster::DescribeClusterOutput;
use aws_sdk_sagemaker::types::ClusterStatus;

use super::difference::{Difference, difference};
use super::{CreateClusterOutputs, NOT_OURS_TO_DELETE, Work, fixed};
use crate::cluster_config::request;
use crate::context::{Origin, StepContext};
use crate::error::{ErrorClass, StepError};
use crate::hyperpod;
use crate::step::Foresight;

impl Work {
    /// Looks at the cluster that is there, and says what would become of it.
    pub(super) async fn foresee(&self, cx: &StepContext<'_>) -> Result<Foresight, StepError> {
        let name = &self.name;
        let Some(current) = hyperpod::describe(cx, name).await? else {
            return Ok(Foresight { changes: vec![format!("the cluster {name} is made")], ..Foresight::default() });
        };
        let arn = current.cluster_arn().unwrap_or_default().to_owned();
        let origin = match self.whose(cx, &arn, &current).await {
            Ok(origin) => origin,
            Err(error) if error.class == ErrorClass::Refused => {
                return Ok(Foresight { refusal: Some(error), ..Foresight::default() });
            }
            Err(error) => return Err(error),
        };
        match current.cluster_status() {
            Some(ClusterStatus::Failed | ClusterStatus::Rollingback) if origin == Origin::Made => {
                let changes = vec![format!("the failed cluster {name} is deleted and made again")];
                Ok(Foresight { changes, ..Foresight::default() })
            }
            Some(ClusterStatus::Failed) => {
                let message = format!("the cluster {name}, which this run did not make, has failed");
                let refusal = Some(StepError::refused(message).help(NOT_OURS_TO_DELETE));
                Ok(Foresight { refusal, ..Foresight::default() })
            }
            Some(ClusterStatus::Deleting) => {
                let changes = vec![format!("the cluster {name} is made when the old one is gone")];
                Ok(Foresight { changes, ..Foresight::default() })
            }
            Some(_) | None => self.foresee_update(cx, &current, arn),
        }
    }

    fn foresee_update(
        &self,
        cx: &StepContext<'_>,
        current: &DescribeClusterOutput,
        arn: String,
    ) -> Result<Foresight, StepError> {
        let shown = request::to_json(DescribeClusterOutput::SCHEMA, current)?;
        let (changes, refusal) = match difference(&shown, &self.wanted, self.same_as_recorded(cx)) {
            Difference::Unchanged => (Vec::new(), None),
            Difference::Update { reasons, .. } => (reasons, None),
            Difference::Unsafe(reasons) => (Vec::new(), Some(fixed(&self.name, reasons))),
        };
        let cluster_id = hyperpod::id_of(&arn).to_owned();
        let outputs = CreateClusterOutputs { cluster_arn: arn, cluster_id, name: self.name.clone() };
        Ok(Foresight { outputs: serde_json::to_value(outputs).ok(), changes, refusal, ..Foresight::default() })
    }
}

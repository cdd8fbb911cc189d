//! Whether zones and ARNs are of the region, the partition and the account that the pipeline is for.
//! Knows of AWS only how ARNs are spelled.

use hprun_steps::fact::{Fact, Tie};
use hprun_steps::finding::{At, Finding};
use hprun_steps::partial::Text;
use hprun_steps::region;

use super::{Across, Told};
use crate::codes::across;

impl Across<'_> {
    /// Whether all ARNs that must be of the pipeline's account are of one, where it does not say which.
    pub(super) fn accounts(&self, told: &[Told<'_>], findings: &mut Vec<(usize, Finding)>) {
        let mut first: Option<(&str, &At)> = None;
        for (step, fact) in told {
            let Fact::Names { id, at, tie: Tie::Firm } = fact else { continue };
            // Of steps that may be skipped one may be for each account.
            let counts = self.account.is_none() && self.steps[*step].when.is_none();
            let Some(of) = account_of(id).filter(|_| counts) else { continue };
            match first {
                Some((account, other)) if account != of => {
                    let message = format!("the ARN is of the account {of}, another is of {account}");
                    let finding = Finding::new(&across::OTHER_ACCOUNT, at.clone(), message);
                    let finding = finding.help("a cluster, its role and its EKS cluster are of one account");
                    findings.push((*step, finding.related(other.clone(), format!("of {account}"))));
                }
                Some(_) => {}
                None => first = Some((of, at)),
            }
        }
    }

    /// Whether an ARN or a zone belongs to the region and the account of `aws:`.
    pub(super) fn home(&self, id: &Text, at: &At, tie: Tie) -> Option<Finding> {
        let known = id.beginning();
        if let (Some(zone), Some(region)) = (id.as_known().and_then(region::of_zone), self.region) {
            return (zone != region).then(|| {
                let message = format!("{known} is a zone of {zone}, the pipeline is for {region}");
                let help = format!("list the zones: aws ec2 describe-availability-zones --region {region}");
                Finding::new(&across::OTHER_REGION, at.clone(), message).help(help)
            });
        }
        let mut parts = known.split(':');
        if parts.next() != Some("arn") {
            return None;
        }
        let rest: Vec<&str> = parts.collect();
        // The last part that is known may go on in one that is not.
        let part = |index: usize| rest.get(index).filter(|part| index + 1 < rest.len() && !part.is_empty());
        if let (Some(partition), Some(region)) = (part(0), self.region)
            && *partition != region::partition_of(region)
        {
            let message =
                format!("the ARN is of the partition `{partition}`, {region} is in `{}`", region::partition_of(region));
            return Some(Finding::new(&across::OTHER_PARTITION, at.clone(), message));
        }
        let (is_firm, is_near) = (tie == Tie::Firm, part(1).is_some_and(|service| NEAR.contains(service)));
        if let (Some(of), Some(region), true) = (part(2), self.region, is_firm || is_near)
            && *of != region
        {
            let message = format!("the ARN is of {of}, the pipeline is for {region}");
            let finding = Finding::new(&across::OTHER_REGION, at.clone(), message);
            return Some(if is_firm { finding } else { finding.as_warning() });
        }
        if let (Some(of), Some(account), true) = (part(3), self.account, is_firm)
            && *of != account
            && *of != "aws"
        {
            let message = format!("the ARN is of the account {of}, the pipeline is for {account}");
            let help = "take one of this account, or correct `aws: { account: … }`";
            return Some(Finding::new(&across::OTHER_ACCOUNT, at.clone(), message).help(help));
        }
        None
    }
}

/// The account in an ARN, if it is known; AWS's own things belong to nobody.
fn account_of(id: &Text) -> Option<&str> {
    let mut parts = id.beginning().split(':');
    let account = if parts.next() == Some("arn") { parts.nth(3)? } else { return None };
    // The last part that is known may go on in one that is not.
    parts.next()?;
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

/// Services of which a cluster's stack hardly needs anything of another region.
const NEAR: [&str; 3] = ["eks", "ec2", "sagemaker"];

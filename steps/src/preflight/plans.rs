//! SageMaker's training plans: whether one has what a group needs (P31).
//! Knows nothing of quotas: a plan is capacity.

use super::asker::Asker;
use super::verdict::Verdict;
use crate::aws_error::explain;
use crate::error::StepError;

/// The use that a plan must be for.
const HYPERPOD: &str = "hyperpod-cluster";

/// A plan, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plan {
    status: String,
    free: u64,
    uses: Vec<String>,
    /// Type, status, and id of the zone.
    reserved: Vec<(String, String, String)>,
}

pub(super) async fn plan(
    asker: &Asker<'_>,
    arn: &str,
    (instance_type, wanted): (&str, u64),
    subnets: &[String],
    cluster: &str,
) -> Result<Verdict, StepError> {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    let answered = asker.clients.sagemaker().describe_training_plan().training_plan_name(name).send().await;
    let found = match answered {
        Ok(answer) => {
            let reserved = answer.reserved_capacity_summaries().iter().map(|one| {
                let of_type = one.instance_type().map(|of| of.as_str().to_owned()).unwrap_or_default();
                let status = one.status().map(|status| status.as_str().to_owned()).unwrap_or_default();
                (of_type, status, one.availability_zone_id().unwrap_or_default().to_owned())
            });
            Some(Plan {
                status: answer.status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
                free: u64::try_from(answer.available_instance_count().unwrap_or(0)).unwrap_or(0),
                uses: answer.target_resources().iter().map(|of| of.as_str().to_owned()).collect(),
                reserved: reserved.collect(),
            })
        }
        Err(e) => {
            let error = explain(&format!("describe the training plan {name}"), e);
            if !error.has_code("ResourceNotFound") {
                return Err(error);
            }
            None
        }
    };
    let zones = if subnets.is_empty() { Vec::new() } else { super::network::subnets(asker, subnets).await? };
    let zones: Vec<&str> = zones.iter().map(|subnet| subnet.zone.as_str()).collect();
    let used = super::clusters::used(asker).await?;
    let own: u64 =
        used.iter().filter(|u| u.cluster == cluster && u.instance_type == instance_type).map(|u| u.count).sum();
    Ok(plan_verdict(name, found.as_ref(), (instance_type, wanted.saturating_sub(own)), &zones))
}

/// Of a plan for so many more instances of a type, in one of these zones (any, if none is known).
fn plan_verdict(name: &str, plan: Option<&Plan>, (instance_type, wanted): (&str, u64), zones: &[&str]) -> Verdict {
    let Some(plan) = plan else { return Verdict::bad(format!("there is no training plan {name}")) };
    let all = plan.reserved.iter().filter(|(of_type, ..)| of_type == instance_type);
    let of_type: Vec<&(String, String, String)> = all.collect();
    if !plan.uses.iter().any(|of| of == HYPERPOD) {
        return Verdict::bad(format!("the training plan {name} is for {}, not for {HYPERPOD}", plan.uses.join(", ")));
    }
    if of_type.is_empty() {
        let types: Vec<&str> = plan.reserved.iter().map(|(of_type, ..)| of_type.as_str()).collect();
        return Verdict::bad(format!("the training plan {name} has no {instance_type}"))
            .help(format!("it has {}", types.join(", ")));
    }
    if plan.status != "Active" {
        let verdict =
            if matches!(plan.status.as_str(), "Pending" | "Scheduled") { Verdict::doubt } else { Verdict::bad };
        return verdict(format!("the training plan {name} is {}: nodes come only out of an active one", plan.status));
    }
    if plan.free < wanted {
        return Verdict::bad(format!(
            "the training plan {name} has {} free instances, and {wanted} are wanted",
            plan.free
        ));
    }
    let there: Vec<&str> = of_type.iter().map(|(_, _, zone)| zone.as_str()).filter(|zone| !zone.is_empty()).collect();
    if !zones.is_empty() && !there.is_empty() && !zones.iter().any(|zone| there.contains(zone)) {
        let (there, zones) = (there.join(", "), zones.join(", "));
        return Verdict::bad(format!("the training plan {name} is in {there}, and the subnets are in {zones}"))
            .help("name a subnet in the zone of the plan");
    }
    Verdict::Good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_the_type_the_number_the_zone_and_the_use() {
        let plan = Plan {
            status: "Active".to_owned(),
            free: 4,
            uses: vec![HYPERPOD.to_owned()],
            reserved: vec![("ml.p5.48xlarge".to_owned(), "Active".to_owned(), "usw2-az1".to_owned())],
        };
        let check = |plan: &Plan, wanted| plan_verdict("p", Some(plan), wanted, &["usw2-az1"]);
        let p5 = |count| ("ml.p5.48xlarge", count);
        let bad = |verdict: Verdict| matches!(verdict, Verdict::Bad(..));
        assert_eq!(check(&plan, p5(4)), Verdict::Good);
        assert!(bad(check(&plan, p5(5))) && bad(check(&plan, ("ml.trn1.32xlarge", 1))));
        assert!(bad(plan_verdict("p", Some(&plan), p5(1), &["usw2-az2"])) && bad(plan_verdict("p", None, p5(1), &[])));
        assert_eq!(plan_verdict("p", Some(&plan), p5(1), &[]), Verdict::Good);
        let standing = |status: &str| Plan { status: status.to_owned(), ..plan.clone() };
        assert!(matches!(check(&standing("Scheduled"), p5(1)), Verdict::Doubt(..)));
        assert!(bad(check(&standing("Expired"), p5(1))));
        let other = Plan { uses: vec!["training-job".to_owned()], ..plan.clone() };
        assert!(bad(check(&other, p5(1))));
    }
}

//! Training plans: offers of reserved instances, and the plans that were made of them.
//! Must not know clusters beyond how many instances they take out of a plan. A plan costs nothing here and is there at once.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::request::{member, text};
use crate::ec2;
use crate::wire::{ServiceError, epoch};
use crate::world::{Moment, State};

/// Ten years. A time far beyond any plan of AWS's would not be one that a clock can tell.
const LONGEST: i64 = 87_600;

/// Reserved instances: offered, or in a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reserved {
    instance_type: String,
    count: u32,
    zone: String,
    zone_id: String,
    start: Timestamp,
    hours: i64,
    targets: Vec<String>,
}

impl Reserved {
    fn end(&self) -> Timestamp {
        self.start.checked_add(SignedDuration::from_hours(self.hours)).unwrap_or(Timestamp::MAX)
    }

    fn status(&self, now: Timestamp) -> &'static str {
        match now {
            now if now < self.start => "Scheduled",
            now if now < self.end() => "Active",
            _ => "Expired",
        }
    }

    fn offer_id(&self) -> String {
        let what = format!("{} {} {} {} {}", self.instance_type, self.count, self.zone, self.start, self.hours);
        format!("tpo-{}", &hex::encode(Sha256::digest(what))[..24])
    }
}

/// SearchTrainingPlanOfferings: one offer for each zone that has the type. What was offered can be taken.
pub(super) fn search(state: &mut State, cx: &Moment<'_>, body: &Value) -> Result<Value, ServiceError> {
    let instance_type = text(body, "InstanceType").to_owned();
    let hours: i64 = member(body, "DurationHours").unwrap_or(24);
    if !(1..=LONGEST).contains(&hours) {
        return Err(ServiceError::not_part(format!(
            "a training plan of {hours} hours, which is not from 1 to {LONGEST},"
        )));
    }
    let start = member::<f64>(body, "StartTimeAfter").and_then(|at| Timestamp::from_second(at as i64).ok());
    let targets: Vec<String> = member(body, "TargetResources")
        .unwrap_or_else(|| vec!["training-job".to_owned(), "hyperpod-cluster".to_owned()]);
    let offer = |zone: ec2::zones::Zone| Reserved {
        instance_type: instance_type.clone(),
        count: member(body, "InstanceCount").unwrap_or(1),
        zone: zone.name,
        zone_id: zone.id,
        start: start.unwrap_or(cx.now).max(cx.now),
        hours,
        targets: targets.clone(),
    };
    let plain = instance_type.strip_prefix("ml.").unwrap_or(&instance_type);
    let offers: Vec<Reserved> = ec2::zones_with(cx.region, plain).into_iter().map(offer).collect();
    let shown: Vec<Value> = offers.iter().map(shown).collect();
    state.sagemaker.offers.extend(offers.into_iter().map(|offer| (offer.offer_id(), offer)));
    Ok(json!({ "TrainingPlanOfferings": shown }))
}

fn shown(offer: &Reserved) -> Value {
    json!({
        "TrainingPlanOfferingId": offer.offer_id(),
        "TargetResources": offer.targets,
        "DurationHours": offer.hours,
        "DurationMinutes": 0,
        "UpfrontFee": "0",
        "CurrencyCode": "USD",
        "ReservedCapacityOfferings": [{
            "InstanceType": offer.instance_type,
            "InstanceCount": offer.count,
            "AvailabilityZone": offer.zone,
            "DurationHours": offer.hours,
            "DurationMinutes": 0,
            "StartTime": epoch(offer.start),
            "EndTime": epoch(offer.end()),
        }],
    })
}

/// CreateTrainingPlan.
pub(super) fn create(state: &mut State, cx: &Moment<'_>, body: &Value) -> Result<Value, ServiceError> {
    let (name, offer) = (text(body, "TrainingPlanName").to_owned(), text(body, "TrainingPlanOfferingId"));
    let _kept_nowhere = super::tags::read(body)?;
    if member::<u32>(body, "SpareInstanceCountPerUltraServer").is_some() {
        return Err(ServiceError::not_part("SpareInstanceCountPerUltraServer of CreateTrainingPlan"));
    }
    if state.sagemaker.plans.contains_key(&name) {
        let taken = format!("Training plan with name {name} already exists.");
        return Err(ServiceError::new(400, "ResourceInUse", taken));
    }
    let missing = || super::not_found(format!("Training plan offering {offer} was not found."));
    let plan = state.sagemaker.offers.get(offer).cloned().ok_or_else(missing)?;
    state.sagemaker.plans.insert(name.clone(), plan);
    Ok(json!({ "TrainingPlanArn": arn(cx, &name) }))
}

/// DescribeTrainingPlan.
pub(super) fn describe(state: &mut State, cx: &Moment<'_>, body: &Value) -> Result<Value, ServiceError> {
    let name = text(body, "TrainingPlanName");
    let missing = || super::not_found(format!("Training plan {name} was not found."));
    let plan = state.sagemaker.plans.get(name).ok_or_else(missing)?;
    let arn = arn(cx, name);
    let groups = state.sagemaker.clusters.values().flat_map(|cluster| &cluster.groups);
    let of_plan = groups.filter(|group| group.spec.training_plan_arn.as_deref() == Some(&arn));
    let used: u32 = of_plan.map(|group| group.target).sum();
    let status = plan.status(cx.now);
    Ok(json!({
        "TrainingPlanArn": arn,
        "TrainingPlanName": name,
        "Status": status,
        "DurationHours": plan.hours,
        "DurationMinutes": 0,
        "StartTime": epoch(plan.start),
        "EndTime": epoch(plan.end()),
        "UpfrontFee": "0",
        "CurrencyCode": "USD",
        "TotalInstanceCount": plan.count,
        "AvailableInstanceCount": plan.count.saturating_sub(used),
        "InUseInstanceCount": used,
        "TargetResources": plan.targets,
        "ReservedCapacitySummaries": [{
            "ReservedCapacityArn": arn.replace(":training-plan/", ":reserved-capacity/"),
            "ReservedCapacityType": "Instance",
            "InstanceType": plan.instance_type,
            "TotalInstanceCount": plan.count,
            "Status": status,
            "AvailabilityZone": plan.zone,
            "AvailabilityZoneId": plan.zone_id,
            "DurationHours": plan.hours,
            "DurationMinutes": 0,
            "StartTime": epoch(plan.start),
            "EndTime": epoch(plan.end()),
        }],
    }))
}

fn arn(cx: &Moment<'_>, name: &str) -> String {
    format!("arn:aws:sagemaker:{}:{}:training-plan/{name}", cx.region, cx.account)
}

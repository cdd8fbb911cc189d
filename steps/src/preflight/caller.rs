//! STS, and the region: the clock, the credentials, and whether the region can be used (P02, P42, P43).
//! Knows nothing of what the run will do there.

use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials;
use jiff::{SignedDuration, Timestamp};

use super::asker::Asker;
use super::verdict::Verdict;
use crate::aws_error::explain;
use crate::error::StepError;
use crate::signed::{self, Service};

/// Off by more than this, AWS refuses signatures (five minutes); a little less is told in time.
const SKEW: SignedDuration = SignedDuration::from_mins(4);
/// Off by more than this, a clock is not kept in time.
const DRIFT: SignedDuration = SignedDuration::from_secs(60);

pub(super) async fn region(asker: &Asker<'_>) -> Result<Verdict, StepError> {
    let all = [("AllRegions".to_owned(), "true".to_owned())];
    let answer = signed::query(asker.clients, Service::Ec2, "DescribeRegions", &all).await?;
    let regions: Vec<(&str, &str)> = answer
        .list("regionInfo")
        .iter()
        .filter_map(|item| Some((item.text_at("regionName")?, item.text_at("optInStatus").unwrap_or_default())))
        .collect();
    let verdict = region_verdict(asker.region(), &regions);
    if verdict != Verdict::Good {
        return Ok(verdict);
    }
    match asker.clients.sagemaker().list_clusters().max_results(1).send().await {
        Ok(_) => Ok(Verdict::Good),
        Err(e) => {
            let error = explain("list HyperPod clusters", e);
            let unknown = ["UnknownOperationException", "UnsupportedOperation"].iter().any(|code| error.has_code(code));
            let message = format!("the region {} has no HyperPod", asker.region());
            if unknown { Ok(Verdict::bad(message)) } else { Err(error) }
        }
    }
}

/// Of the region, among all with how they stand.
fn region_verdict(region: &str, all: &[(&str, &str)]) -> Verdict {
    match all.iter().find(|(name, _)| *name == region) {
        None => Verdict::bad(format!("there is no region {region}")),
        Some((_, "not-opted-in")) => Verdict::bad(format!("the region {region} is not switched on in this account"))
            .help(format!("aws account enable-region --region-name {region}")),
        Some((_, _)) => Verdict::Good,
    }
}

pub(super) async fn clock(asker: &Asker<'_>) -> Result<Verdict, StepError> {
    let answer = signed::send_query(asker.clients, Service::Sts, "GetCallerIdentity", &[]).await?;
    let here = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let there = answer.date.as_deref().and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    Ok(match there {
        Some(there) => clock_verdict(here.duration_since(there.timestamp())),
        None => Verdict::Unknown("because AWS gave no date".to_owned()),
    })
}

/// Of a clock that is so far ahead of AWS's.
fn clock_verdict(ahead: SignedDuration) -> Verdict {
    let way = if ahead.is_negative() { "behind" } else { "ahead of" };
    let message = format!("this machine's clock is {}s {way} AWS's", ahead.as_secs().unsigned_abs());
    match ahead.abs() {
        off if off > SKEW => Verdict::bad(message).help("set the clock: AWS refuses what is signed five minutes off"),
        off if off > DRIFT => Verdict::doubt(message).help("keep the clock in time (NTP)"),
        _ => Verdict::Good,
    }
}

pub(super) async fn credentials(asker: &Asker<'_>, minutes: u32) -> Result<Verdict, StepError> {
    let Some(provider) = asker.clients.credentials() else { return Ok(Verdict::Good) };
    let found = provider.provide_credentials().await;
    let credentials = found.map_err(|e| StepError::failed(format!("found no credentials: {e}")))?;
    let left = credentials.expiry().map(|end| {
        let left = end.duration_since(SystemTime::now()).unwrap_or_default();
        u32::try_from(left.as_secs() / 60).unwrap_or(u32::MAX)
    });
    Ok(credentials_verdict(left, minutes))
}

/// Of credentials that end after so many minutes, or never.
fn credentials_verdict(left: Option<u32>, needed: u32) -> Verdict {
    match left {
        Some(left) if left < needed => Verdict::doubt(format!(
            "the credentials end in {left} minutes, and a run takes about {needed}"
        ))
        .help("if they do not renew themselves, log in just before the run; `hprun resume` goes on after a new login"),
        Some(_) | None => Verdict::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_must_be_there_and_switched_on() {
        let all = [("us-west-2", "opt-in-not-required"), ("me-south-1", "not-opted-in"), ("eu-south-2", "opted-in")];
        assert_eq!(region_verdict("us-west-2", &all), Verdict::Good);
        assert_eq!(region_verdict("eu-south-2", &all), Verdict::Good);
        assert!(
            matches!(region_verdict("me-south-1", &all), Verdict::Bad(message, _) if message.contains("switched on"))
        );
        assert_eq!(region_verdict("xx-1", &all), Verdict::bad("there is no region xx-1"));
    }

    #[test]
    fn a_clock_may_be_off_by_seconds() {
        let check = |seconds| clock_verdict(SignedDuration::from_secs(seconds));
        assert_eq!((check(0), check(-50)), (Verdict::Good, Verdict::Good));
        assert!(matches!(check(90), Verdict::Doubt(message, _) if message.ends_with("90s ahead of AWS's")));
        assert!(matches!(check(-400), Verdict::Bad(message, _) if message.ends_with("400s behind AWS's")));
    }

    #[test]
    fn credentials_must_last() {
        assert_eq!((credentials_verdict(None, 75), credentials_verdict(Some(80), 75)), (Verdict::Good, Verdict::Good));
        assert!(matches!(credentials_verdict(Some(60), 75), Verdict::Doubt(..)));
    }
}

//! What is made of an answer: good, bad, a doubt, or not known; and the finding that follows.
//! Knows nothing of calls.

use super::asker::Whose;
use crate::codes::live;
use crate::error::{ErrorClass, StepError};
use crate::finding::Finding;
use crate::question::{Asked, Question};
use crate::signed;

/// What an answer comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to say.
    Good,
    /// The run would fail: why, and what to do.
    Bad(String, Option<String>),
    /// It might, or something would be missing afterwards.
    Doubt(String, Option<String>),
    /// Something that the inputs name is not there: told once, however many questions look at it.
    Gone(String),
    /// Nobody can tell: why.
    Unknown(String),
    /// The caller may not ask: the IAM action that it lacks, where that is known.
    Denied(Option<String>),
}

impl Verdict {
    /// The run would fail.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::Bad(message.into(), None)
    }

    /// A doubt.
    pub fn doubt(message: impl Into<String>) -> Self {
        Self::Doubt(message.into(), None)
    }

    /// Something of that name is there, such as `the stack s`, and not of the run that asks, nor to be taken over.
    pub fn taken(what: &str, (run, whose): (&str, Whose)) -> Self {
        match whose {
            Whose::Own => Self::Good,
            Whose::Known(holder) => Self::doubt(format!("{what} is there already: run {run} of hprun made it"))
                .help(format!("go on with it: hprun resume {holder}")),
            Whose::Other(pipeline) => {
                Self::bad(format!("{what} is there already: run {run} of the pipeline {pipeline} made it"))
                    .help("choose another name, or say `adopt: true`")
            }
            Whose::Foreign => {
                Self::bad(format!("{what} is there already: run {run} of hprun made it, which is not in this record"))
                    .help(format!(
                        "where that run was started: hprun resume {run} there, or hprun export {run} and then hprun import here; \
                         else choose another name, or say `adopt: true`"
                    ))
            }
        }
    }

    /// The same with what to do.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        match self {
            Self::Bad(message, _) => Self::Bad(message, Some(help.into())),
            Self::Doubt(message, _) => Self::Doubt(message, Some(help.into())),
            Self::Good | Self::Gone(_) | Self::Unknown(_) | Self::Denied(_) => self,
        }
    }

    /// What an error makes of a question: never a failure, for the question may be one that the caller need not ask.
    pub fn of_error(error: &StepError) -> Self {
        if let Some(words) = gone(error) {
            return Self::Gone(words);
        }
        match error.class {
            _ if is_denied(error) => Self::Denied(signed::lacking(error)),
            ErrorClass::Login => Self::Unknown("because the credentials were refused".to_owned()),
            ErrorClass::Invalid
            | ErrorClass::Refused
            | ErrorClass::Failed
            | ErrorClass::Transient
            | ErrorClass::Unknown
            | ErrorClass::Interrupted => Self::Unknown(format!("because hprun {}", error.message)),
        }
    }

    /// The finding, if there is one.
    pub fn finding(self, asked: &Asked, question: &Question) -> Option<Finding> {
        let finding = |message: String| Finding::new(asked.code, asked.at.clone(), message);
        let saved = |message: &str| {
            let minutes = in_words(question.fails_after());
            format!("{message} (found now; in the run it would fail after about {minutes})")
        };
        match self {
            Self::Good => None,
            Self::Bad(message, help) => Some(finding(saved(&message)).maybe_help(help)),
            Self::Gone(message) => Some(Finding::new(&live::ONE_VPC, asked.at.clone(), saved(&message))),
            Self::Doubt(message, help) => Some(finding(message).as_warning().maybe_help(help)),
            Self::Unknown(why) => Some(finding(format!("{} is unknown, {why}", question.subject())).as_warning()),
            Self::Denied(action) => {
                let what = action.as_deref().unwrap_or("ask");
                let message = format!("{} is unknown, because the caller may not {what}", question.subject());
                Some(
                    finding(message)
                        .as_warning()
                        .maybe_help(action.map(|action| format!("allow {action} to the caller"))),
                )
            }
        }
    }
}

fn in_words(minutes: u32) -> String {
    if minutes == 1 { "a minute".to_owned() } else { format!("{minutes} minutes") }
}

/// Whether the caller may not ask. The codes are those of IAM, of EC2, and of the JSON services.
fn is_denied(error: &StepError) -> bool {
    let denied = ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "Forbidden"];
    denied.iter().any(|code| error.has_code(code))
}

/// In what words something of the network is not there, where the error says so.
fn gone(error: &StepError) -> Option<String> {
    let code = error.code.as_deref()?;
    let things = ["InvalidSubnet", "InvalidGroup", "InvalidVpc", "NatGateway", "InvalidNatGateway"];
    let about = things.iter().any(|thing| code.starts_with(thing));
    if !about || !["NotFound", "Malformed"].iter().any(|end| code.ends_with(end)) {
        return None;
    }
    // "could not …: The subnet ID 'x' does not exist (Code)": the middle is what matters.
    let words = error.message.split_once(": ").map_or(error.message.as_str(), |(_, words)| words);
    let words = words.rsplit_once(" (").map_or(words, |(words, _)| words);
    Some(words.strip_prefix("The ").map_or(words.to_owned(), |rest| format!("the {rest}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{At, Severity};
    use crate::partial::Place;

    #[test]
    fn each_verdict_is_the_finding_that_it_should_be() {
        let question = Question::Zone { zone: "usw2-az9".to_owned() };
        let asked = Asked::now(At::Pipeline(Place::default()), question.clone());
        let denied = StepError { code: Some("UnauthorizedOperation".to_owned()), ..StepError::failed("could not ask") };
        let named = StepError {
            message: "could not ask ec2 for DescribeX: no (UnauthorizedOperation)".to_owned(),
            ..denied.clone()
        };
        let missing = StepError::failed(
            "could not ask ec2 for DescribeSubnets: The subnet ID 'subnet-1' does not exist (InvalidSubnetID.NotFound)",
        );
        let missing = StepError { code: Some("InvalidSubnetID.NotFound".to_owned()), ..missing };
        let table = [
            (Verdict::Good, None),
            (
                Verdict::bad("no zone").help("take another"),
                Some((
                    Severity::Error,
                    "no zone (found now; in the run it would fail after about 2 minutes)",
                    Some("take another"),
                )),
            ),
            (Verdict::doubt("hm"), Some((Severity::Warning, "hm", None))),
            (
                Verdict::of_error(&denied),
                Some((
                    Severity::Warning,
                    "whether the zone is in the region (usw2-az9) is unknown, because the caller may not ask",
                    None,
                )),
            ),
            (
                Verdict::of_error(&named),
                Some((
                    Severity::Warning,
                    "whether the zone is in the region (usw2-az9) is unknown, because the caller may not ec2:DescribeX",
                    Some("allow ec2:DescribeX to the caller"),
                )),
            ),
            (
                Verdict::of_error(&missing),
                Some((
                    Severity::Error,
                    "the subnet ID 'subnet-1' does not exist (found now; in the run it would fail after about 2 minutes)",
                    None,
                )),
            ),
        ];
        for (verdict, expected) in table {
            let finding = verdict.clone().finding(&asked, &question);
            let got = finding.as_ref().map(|f| (f.severity, f.message.as_str(), f.help.as_deref()));
            assert_eq!(got, expected, "{verdict:?}");
        }
    }
}

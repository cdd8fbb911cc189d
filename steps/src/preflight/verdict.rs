//! What is made of an answer: good, bad, a doubt, or not known; and the finding that follows.
//! Knows nothing of calls.

use crate::error::{ErrorClass, StepError};
use crate::finding::Finding;
use crate::question::{Asked, Question};

/// What an answer comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to say.
    Good,
    /// The run would fail: why, and what to do.
    Bad(String, Option<String>),
    /// It might, or something would be missing afterwards.
    Doubt(String, Option<String>),
    /// Nobody can tell: why.
    Unknown(String),
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

    /// The same with what to do.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        match self {
            Self::Bad(message, _) => Self::Bad(message, Some(help.into())),
            Self::Doubt(message, _) => Self::Doubt(message, Some(help.into())),
            Self::Good | Self::Unknown(_) => self,
        }
    }

    /// What an error makes of a question: never a failure, for the question may be one that the caller need not ask.
    pub fn of_error(error: &StepError) -> Self {
        Self::Unknown(match (is_denied(error), &error.code, error.class) {
            (true, Some(code), _) => format!("because {code}"),
            (_, _, ErrorClass::Login) => "because the credentials were refused".to_owned(),
            (_, _, _) => format!("because hprun {}", error.message),
        })
    }

    /// The finding, if there is one.
    pub fn finding(self, asked: &Asked, question: &Question) -> Option<Finding> {
        let finding = |message: String| Finding::new(asked.code, asked.at.clone(), message);
        match self {
            Self::Good => None,
            Self::Bad(message, help) => {
                let minutes = question.fails_after();
                let saved = format!("found now; in the run it would fail after about {}", in_words(minutes));
                Some(finding(format!("{message} ({saved})")).maybe_help(help))
            }
            Self::Doubt(message, help) => Some(finding(message).as_warning().maybe_help(help)),
            Self::Unknown(why) => Some(finding(format!("{} is unknown, {why}", question.subject())).as_warning()),
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
                    "whether the zone is in the region (usw2-az9) is unknown, because UnauthorizedOperation",
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

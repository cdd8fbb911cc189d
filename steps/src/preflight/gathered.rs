//! Findings out of answers: one for a cause, however many questions have it.
//! Knows nothing of any one question.

use std::collections::{BTreeSet, HashMap};

use super::verdict::Verdict;
use crate::codes::live;
use crate::finding::Finding;
use crate::question::{Asked, Question};

/// Why questions have no answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Cause {
    /// The caller may not ask.
    Denied,
    /// This.
    Why(String),
}

impl Cause {
    fn of(verdict: &Verdict) -> Option<Self> {
        match verdict {
            Verdict::Good | Verdict::Bad(..) | Verdict::Doubt(..) | Verdict::Gone(_) => None,
            Verdict::Unknown(why) => Some(Self::Why(why.clone())),
            Verdict::Denied(_) => Some(Self::Denied),
        }
    }
}

/// The findings of questions and what came of them, in the order of the questions.
pub(super) fn findings(asked: &[(&Asked, &Question)], verdicts: Vec<Verdict>) -> Vec<Finding> {
    let mut unanswered: HashMap<Cause, Vec<usize>> = HashMap::new();
    for (index, verdict) in verdicts.iter().enumerate() {
        if let Some(cause) = Cause::of(verdict) {
            unanswered.entry(cause).or_default().push(index);
        }
    }
    let mut found: Vec<(usize, Finding)> = Vec::new();
    for (cause, all) in unanswered.iter().filter(|(_, all)| all.len() > 1) {
        found.push((all[0], together(cause, all, asked, &verdicts)));
    }
    let told = tellers(asked, &verdicts);
    for (index, verdict) in verdicts.into_iter().enumerate() {
        let is_told = Cause::of(&verdict).is_some_and(|cause| unanswered[&cause].len() > 1);
        let is_told = is_told || told.get(&verdict_key(&verdict)).is_some_and(|teller| *teller != index);
        let (asked, question) = asked[index];
        if !is_told && let Some(finding) = verdict.finding(asked, question) {
            found.push((index, finding));
        }
    }
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// What is wrong, in words: none where nothing is.
fn verdict_key(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Bad(message, _) | Verdict::Gone(message) => Some(message.clone()),
        Verdict::Good | Verdict::Doubt(..) | Verdict::Unknown(_) | Verdict::Denied(_) => None,
    }
}

/// Which question tells of each thing that is wrong: the one that is about just that, else the first.
fn tellers(asked: &[(&Asked, &Question)], verdicts: &[Verdict]) -> HashMap<Option<String>, usize> {
    let mut tellers: HashMap<Option<String>, usize> = HashMap::new();
    for (index, verdict) in verdicts.iter().enumerate() {
        let key = verdict_key(verdict);
        if key.is_none() {
            continue;
        }
        let is_about = |index: usize| matches!(verdict, Verdict::Gone(_)) && asked[index].0.code == &live::ONE_VPC;
        let teller = tellers.entry(key).or_insert(index);
        if !is_about(*teller) && is_about(index) {
            *teller = index;
        }
    }
    tellers
}

/// One finding for all questions that have no answer for the same cause.
fn together(cause: &Cause, all: &[usize], asked: &[(&Asked, &Question)], verdicts: &[Verdict]) -> Finding {
    let subjects: Vec<String> = all.iter().map(|index| asked[*index].1.subject()).collect();
    let (count, subjects) = (all.len(), subjects.join("; "));
    let lacking: BTreeSet<&str> = all
        .iter()
        .filter_map(|index| match &verdicts[*index] {
            Verdict::Denied(action) => action.as_deref(),
            Verdict::Good | Verdict::Bad(..) | Verdict::Doubt(..) | Verdict::Gone(_) | Verdict::Unknown(_) => None,
        })
        .collect();
    let lacking = lacking.into_iter().collect::<Vec<_>>().join(", ");
    let (why, cure) = match cause {
        Cause::Why(why) => (why.clone(), String::new()),
        Cause::Denied if lacking.is_empty() => ("because the caller may not ask".to_owned(), String::new()),
        Cause::Denied => (format!("because the caller may not {lacking}"), "allow these, or go without: ".to_owned()),
    };
    let at = asked[all[0]].0.at.clone();
    let finding = Finding::new(&live::UNANSWERED, at, format!("{count} questions have no answer, {why}"));
    finding.as_warning().help(format!("{cure}it is unknown {subjects}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::At;
    use crate::partial::Place;

    fn check(all: Vec<(Question, Verdict)>) -> Vec<(u16, String, Option<String>)> {
        let (asked, verdicts): (Vec<Asked>, Vec<Verdict>) = all
            .into_iter()
            .map(|(question, verdict)| (Asked::now(At::Pipeline(Place::default()), question), verdict))
            .unzip();
        let asked: Vec<(&Asked, &Question)> =
            asked.iter().filter_map(|asked| Some((asked, asked.question.as_ref()?))).collect();
        let found = findings(&asked, verdicts).into_iter();
        found.map(|finding| (finding.code.number, finding.message, finding.help)).collect()
    }

    fn zone(zone: &str) -> Question {
        Question::Zone { zone: zone.to_owned() }
    }

    #[test]
    fn questions_without_an_answer_are_told_together_with_what_the_caller_lacks() {
        let denied = |action: &str| Verdict::Denied(Some(action.to_owned()));
        let found = check(vec![
            (Question::Region, denied("ec2:DescribeRegions")),
            (zone("a"), Verdict::bad("no zone a")),
            (zone("b"), denied("ec2:DescribeAvailabilityZones")),
            (Question::Clock, Verdict::Unknown("because AWS gave no date".to_owned())),
        ]);
        let [together, bad, alone] = found.as_slice() else { panic!("{found:#?}") };
        let message =
            "2 questions have no answer, because the caller may not ec2:DescribeAvailabilityZones, ec2:DescribeRegions";
        assert_eq!((together.0, together.1.as_str()), (1045, message));
        let help = "allow these, or go without: it is unknown whether the region is switched on and has HyperPod; \
                    whether the zone is in the region (b)";
        assert_eq!(together.2.as_deref(), Some(help));
        assert_eq!((bad.0, alone.0), (1003, 1042), "{found:#?}");
    }

    #[test]
    fn what_is_gone_is_told_once_by_the_question_that_is_about_it() {
        let gone = || Verdict::Gone("the subnet s does not exist".to_owned());
        let subnets = vec!["s".to_owned()];
        let one_vpc = Question::OneVpc { subnets: subnets.clone(), groups: Vec::new() };
        let way_out = Question::WayOut { subnets };
        let found = check(vec![(way_out.clone(), gone()), (one_vpc, gone()), (way_out, gone())]);
        let [(1010, message, _)] = found.as_slice() else { panic!("{found:#?}") };
        assert!(message.ends_with("after about 25 minutes)"), "it is the second that tells: {message}");
    }
}

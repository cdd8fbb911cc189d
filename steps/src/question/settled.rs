//! The questions of all steps together: each asked once, with what the steps know of each other.
//! Knows nothing of the steps, or of who asks.

use super::{Asked, Question};
use crate::fact::Made;

/// What the steps of a pipeline bring: it need not be there before the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// Objects in S3, as `s3://bucket/key`.
    pub objects: Vec<String>,
    /// What stacks make.
    pub made: Vec<Made>,
}

/// All questions of a pipeline as they are asked: each once, with what the steps know of each other.
pub fn settled(all: Vec<Asked>, brought: &Brought) -> Vec<Asked> {
    let zones: Vec<String> = all
        .iter()
        .filter_map(|asked| match &asked.question {
            Some(Question::Zone { zone }) => Some(zone.clone()),
            Some(_) | None => None,
        })
        .collect();
    let is_any = |asked: &Asked| matches!(&asked.question, Some(Question::ClusterName { name, .. }) if name.is_empty());
    let adopts = all.iter().any(is_any);
    let clusters: Vec<String> = all
        .iter()
        .filter_map(|asked| match &asked.question {
            Some(Question::EksActive { eks }) if !eks.is_empty() => Some(eks.clone()),
            Some(_) | None => None,
        })
        .collect();
    let mut kept: Vec<Asked> = Vec::new();
    for mut asked in all {
        if let Some(eks) = asked.question.as_mut().and_then(Question::eks_mut).filter(|eks| eks.is_empty()) {
            match clusters.as_slice() {
                [one, others @ ..] if others.iter().all(|other| other == one) => one.clone_into(eks),
                _ => asked.question = None,
            }
        }
        if is_any(&asked) {
            continue;
        }
        if let Some(Question::ClusterName { adopt, .. }) = &mut asked.question {
            *adopt |= adopts;
        }
        if let Some(Question::TypesOffered { zone: zone @ None, subnets, .. }) = &mut asked.question
            && let ([one], []) = (zones.as_slice(), subnets.as_slice())
        {
            // The only zone that the pipeline names is where its new subnet will be.
            *zone = Some(one.clone());
        }
        let is_put = matches!(&asked.question, Some(Question::ScriptThere { bucket, key })
            if brought.objects.iter().any(|object| *object == format!("s3://{bucket}/{key}")));
        let is_made = |question: &Question| {
            question.needs().into_iter().any(|need| brought.made.iter().any(|made| need.is(made)))
        };
        if asked.question.as_ref().is_some_and(is_made) {
            asked.question = None;
        }
        let asked_before = asked.question.is_some() && kept.iter().any(|before| before.question == asked.question);
        let waits_before = asked.question.is_none()
            && kept.iter().any(|before| before.question.is_none() && before.code == asked.code);
        if !is_put && !asked_before && !waits_before {
            kept.push(asked);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::At;

    fn asked(question: Question) -> Asked {
        Asked::now(At::Pipeline(crate::partial::Place::default()), question)
    }

    #[test]
    fn a_question_is_asked_once_and_types_are_asked_for_in_the_only_zone() {
        let types = |zone: Option<&str>| Question::TypesOffered {
            types: vec!["ml.m5.large".to_owned()],
            zone: zone.map(str::to_owned),
            subnets: Vec::new(),
        };
        let zone = |zone: &str| Question::Zone { zone: zone.to_owned() };
        let check = |all: &[Question], kept: &[Question]| {
            let got = settled(all.iter().cloned().map(asked).collect(), &Brought::default());
            assert_eq!(got.into_iter().filter_map(|asked| asked.question).collect::<Vec<_>>(), kept);
        };
        check(&[Question::Region, types(None), Question::Region], &[Question::Region, types(None)]);
        check(&[types(None), zone("usw2-az1")], &[types(Some("usw2-az1")), zone("usw2-az1")]);
        let two = [types(None), zone("usw2-az1"), zone("usw2-az2")];
        check(&two, &two);
    }

    #[test]
    fn a_release_is_asked_about_in_the_only_cluster_and_waits_without_one() {
        let release = |eks: &str| Question::Release {
            eks: eks.to_owned(),
            namespace: "kube-system".to_owned(),
            release: "r".to_owned(),
            adopt: false,
        };
        let cluster = |eks: &str| Question::EksActive { eks: eks.to_owned() };
        let check =
            |all: Vec<Question>| settled(all.into_iter().map(asked).collect(), &Brought::default())[0].question.clone();
        assert_eq!(check(vec![release(""), cluster("one")]), Some(release("one")));
        assert_eq!(check(vec![release(""), cluster("one"), cluster("two")]), None);
        assert_eq!(check(vec![release("")]), None);
        let version = |eks: &str| Question::EksVersion { eks: eks.to_owned() };
        assert_eq!(check(vec![version(""), cluster(""), cluster("one")]), Some(version("one")));
    }

    #[test]
    fn a_script_that_a_step_brings_is_not_looked_for() {
        let there = asked(Question::ScriptThere { bucket: "b".to_owned(), key: "a/on_create.sh".to_owned() });
        let put = |object: &str| Brought { objects: vec![object.to_owned()], ..Brought::default() };
        assert_eq!(settled(vec![there.clone()], &put("s3://b/a/on_create.sh")), []);
        assert_eq!(settled(vec![there.clone()], &put("s3://b/on_create.sh")), [there]);
    }

    #[test]
    fn what_a_stack_of_the_run_makes_is_not_asked_about_before_and_what_only_has_its_name_is() {
        let bucket = |name: &str| Question::BucketRegion { bucket: name.to_owned() };
        let eks = |name: &str| Question::EksActive { eks: name.to_owned() };
        let role = |arn: &str| Question::RoleTrust { role: format!("arn:aws:iam::111122223333:{arn}") };
        let reads = |role: &str, bucket: &str| Question::RoleReads {
            role: format!("arn:aws:iam::111122223333:role/{role}"),
            bucket: bucket.to_owned(),
            key: "on_create.sh".to_owned(),
        };
        let made_bucket = || Made::Bucket("ml".to_owned());
        let made_eks = || Made::EksCluster("ml".to_owned());
        let made_role = |path: Option<&str>| Made::Role { path: path.map(str::to_owned), name: "ml".to_owned() };
        let table = [
            (made_bucket(), bucket("ml"), true),
            (made_bucket(), bucket("theirs"), false),
            (made_bucket(), eks("ml"), false),
            (made_bucket(), role("role/ml"), false),
            (made_bucket(), reads("x", "ml"), true),
            (made_eks(), eks("ml"), true),
            (made_eks(), bucket("ml"), false),
            (made_role(Some("/")), role("role/ml"), true),
            (made_role(Some("/")), role("role/x/ml"), false),
            (made_role(Some("/")), role("role/not-ml"), false),
            (made_role(Some("/x/")), role("role/x/ml"), true),
            (made_role(Some("/x/")), role("role/ml"), false),
            (made_role(None), role("role/x/y/ml"), true),
            (made_role(None), role("role/x/not-ml"), false),
            (made_role(None), role("user/ml"), false),
            (made_role(Some("/")), bucket("ml"), false),
            (made_role(Some("/")), eks("ml"), false),
            (made_role(Some("/")), reads("ml", "x"), true),
        ];
        for (made, question, is_made) in table {
            let brought = Brought { made: vec![made.clone()], ..Brought::default() };
            let kept = settled(vec![asked(question.clone())], &brought);
            let expected = (!is_made).then(|| question.clone());
            assert_eq!(kept[0].question, expected, "{made:?} {question:?}");
        }
    }
}

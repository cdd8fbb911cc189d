//! Where a pipeline runs: what its `aws:` says, as far as params alone tell it, and whether AWS spells it so.
//! Knows nothing of steps; asks nobody.

use hprun_steps::partial::{Partial, Place, ValueType, nearest};
use hprun_steps::region;

use super::authored::Authored;
use super::check::KnownParams;
use crate::codes::{inputs, pipeline};
use crate::diagnostic::Diagnostic;
use crate::expr::{KnownScope, Tree};
use crate::params::ParamSpec;

/// What is known of where the pipeline runs.
pub(super) struct Home {
    pub(super) region: Option<String>,
    pub(super) account: Option<String>,
}

/// Whether every part of `aws:` may be shown and is spelled as AWS spells it; and what it says.
pub(super) fn check(authored: &Authored, params: &KnownParams, problems: &mut Vec<Diagnostic>) -> Home {
    let aws = &authored.aws;
    for tree in [&aws.region, &aws.profile, &aws.role, &aws.account].into_iter().flatten() {
        if partial(authored, tree, params).value_type() == ValueType::Secret {
            let message = "`aws` takes no secret: where a run goes is recorded and shown";
            problems.push(Diagnostic::error(&inputs::SECRET_NOT_TAKEN, tree.place(), message));
        }
    }
    let mut part = |tree: &Option<Tree>, wrong: fn(&str, Place) -> Option<Diagnostic>| {
        let text = settled(authored, tree, params)?;
        problems.extend(wrong(&text, tree.as_ref()?.place()));
        Some(text)
    };
    // Everything else is of another region than one that is misspelt.
    let region = part(&aws.region, wrong_region).filter(|region| region::is_spelled_right(region));
    let account = part(&aws.account, wrong_account);
    part(&aws.role, wrong_role);
    Home { region, account }
}

/// The region that `aws:` names, as far as params alone tell it.
pub fn known_region(authored: &Authored, params: &KnownParams) -> Option<String> {
    settled(authored, &authored.aws.region, params)
}

/// AWS may have regions that came after this hprun, so that one nobody knows is no error; a zone surely is.
fn wrong_region(text: &str, place: Place) -> Option<Diagnostic> {
    if region::is_spelled_right(text) {
        return None;
    }
    if let Some(region) = region::of_zone(text) {
        let told = Diagnostic::error(&pipeline::WRONG_AWS, place, format!("`{text}` is a zone, not a region"));
        return Some(told.help(format!("write `{region}`")));
    }
    let told = Diagnostic::warning(&pipeline::WRONG_AWS, place, format!("there is no region `{text}`"));
    let near = nearest(text, region::names()).map(|name| format!("did you mean `{name}`?"));
    Some(told.help(near.unwrap_or_else(|| "regions are spelled as us-west-2 is".to_owned())))
}

fn wrong_account(text: &str, place: Place) -> Option<Diagnostic> {
    (!is_account(text)).then(|| {
        let message = format!("`{text}` is no account: the id of one has 12 digits");
        let digits = text.replace('-', "");
        let help = match is_account(&digits) {
            true => format!("write `{digits}`"),
            false => "look it up: aws sts get-caller-identity --query Account".to_owned(),
        };
        Diagnostic::error(&pipeline::WRONG_AWS, place, message).help(help)
    })
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn wrong_role(text: &str, place: Place) -> Option<Diagnostic> {
    let mut parts = text.splitn(6, ':');
    let is_role = parts.next() == Some("arn")
        && parts.next().is_some_and(|partition| partition.starts_with("aws"))
        && parts.next() == Some("iam")
        && parts.next() == Some("")
        && parts.next().is_some_and(is_account)
        && parts.next().is_some_and(|rest| rest.strip_prefix("role/").is_some_and(|name| !name.is_empty()));
    (!is_role).then(|| {
        let message = format!("`{text}` is not the ARN of a role");
        Diagnostic::error(&pipeline::WRONG_AWS, place, message).help("write arn:aws:iam::111122223333:role/NAME")
    })
}

/// The text of an expression of `aws:`, if it is known and there is one.
fn settled(authored: &Authored, tree: &Option<Tree>, params: &KnownParams) -> Option<String> {
    let partial = partial(authored, tree.as_ref()?, params);
    partial.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// An expression of `aws:`, which may use params only.
fn partial(authored: &Authored, tree: &Tree, params: &KnownParams) -> Partial {
    let param_type = |name: &str| authored.params.get(name).map_or(ValueType::Any, ParamSpec::value_type);
    tree.partial(&KnownScope { params: &params.values, param_type: &param_type, outputs: &|_| None })
}

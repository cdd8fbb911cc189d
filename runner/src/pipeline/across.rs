//! Whether what one step brings is what another looks for: scripts, outputs, files, regions, networks.
//! Knows facts only, not the step types that told them.

use std::collections::HashMap;
use std::path::Path;

use hprun_steps::fact::{Fact, FileUse};
use hprun_steps::files::{Files, normalize};
use hprun_steps::finding::{At, Finding};
use hprun_steps::partial::{Piece, Place, Text, nearest};

use super::authored::AuthoredStep;
use super::graph::Graph;
use crate::codes::{across, inputs};
use crate::diagnostic::Diagnostic;
use crate::document::fields::list;

/// A fact, and the step that told it.
type Told<'a> = (usize, &'a Fact);

/// A step that makes a stack, the outputs of it, and where its template is named.
type Made<'a> = (usize, &'a [String], Place);

/// What facts are held against.
pub struct Across<'a> {
    pub steps: &'a [AuthoredStep],
    pub graph: &'a Graph,
    /// By step: what it told.
    pub facts: &'a [Vec<Fact>],
    /// By step: the files that it read.
    pub files: &'a [Files],
    /// The region of `aws:`, if it is known.
    pub region: Option<&'a str>,
    /// The account of `aws:`, if it is known.
    pub account: Option<&'a str>,
}

/// Everything that does not go together.
pub fn check(across: &Across<'_>, problems: &mut Vec<Diagnostic>) {
    let told: Vec<Told<'_>> =
        across.facts.iter().enumerate().flat_map(|(step, facts)| facts.iter().map(move |fact| (step, fact))).collect();
    let mut findings: Vec<(usize, Finding)> = Vec::new();
    across.scripts(&told, &mut findings);
    across.outputs(&told, &mut findings);
    across.shared_files(&told, problems, &mut findings);
    for (step, fact) in &told {
        match fact {
            Fact::Names { id, at } => findings.extend(across.home(id, at).map(|finding| (*step, finding))),
            Fact::Together { ids } => findings.extend(mixed(ids).map(|finding| (*step, finding))),
            Fact::RoleReads { role, folder, at } => {
                findings.extend(unreadable(role, folder, at).map(|finding| (*step, finding)));
            }
            Fact::Puts { .. }
            | Fact::NeedsObject { .. }
            | Fact::Makes { .. }
            | Fact::NeedsOutputs { .. }
            | Fact::Writes { .. }
            | Fact::Reads { .. } => {}
        }
    }
    let mut seen: Vec<Diagnostic> = Vec::new();
    for (step, finding) in findings {
        let diagnostic = Diagnostic::from_finding(finding, &across.files[step]);
        // Two groups of one template look for the same script at the same place, and are told once.
        if !seen.contains(&diagnostic) {
            seen.push(diagnostic);
        }
    }
    problems.extend(seen);
}

/// Objects that a step puts into S3.
struct Put<'a> {
    step: usize,
    folder: &'a Text,
    names: &'a [String],
    place: Place,
}

impl Across<'_> {
    fn id(&self, step: usize) -> &str {
        &self.steps[step].id.0
    }

    /// `SourceS3Uri` + `/` + `OnCreate` is an object that a step puts there.
    fn scripts(&self, told: &[Told<'_>], findings: &mut Vec<(usize, Finding)>) {
        let puts: Vec<Put<'_>> = told
            .iter()
            .filter_map(|(step, fact)| {
                let Fact::Puts { folder, names, place } = fact else { return None };
                Some(Put { step: *step, folder, names, place: *place })
            })
            .collect();
        for (step, fact) in told {
            let Fact::NeedsObject { folder, name, at } = fact else { continue };
            let Some(name) = name.as_known() else { continue };
            findings.extend(self.script(&puts, &without_slash(folder), name, at).map(|finding| (*step, finding)));
        }
    }

    fn script(&self, puts: &[Put<'_>], folder: &Text, name: &str, at: &At) -> Option<Finding> {
        let there = |put: &Put<'_>| match beneath(folder, put.folder) {
            // The cluster may look into a folder within the one that was uploaded.
            Some(inner) => put.names.iter().any(|own| *own == join(inner, name)),
            None => false,
        };
        if puts.is_empty() || puts.iter().any(there) {
            return None;
        }
        let (bucket, prefix) = split(folder)?;
        let place = |put: &Put<'_>| At::Pipeline(put.place);
        let has = |put: &&Put<'_>| put.names.iter().any(|own| own == name || own.ends_with(&format!("/{name}")));
        let candidates = || puts.iter().filter_map(|put| Some((put, split(put.folder)?)));
        // The same bucket, surely: nobody puts it there.
        if let Some((put, _)) = candidates().find(|(_, (other, _))| *other == bucket) {
            let missing = match puts.iter().find(has) {
                Some(put) => format!("`{}` puts it into {}: use its output `s3_uri`", self.id(put.step), put.folder),
                None => format!("`{}` uploads {}", self.id(put.step), list(put.names)),
            };
            let message = format!("`{name}` is looked for in {folder}, where no step puts it");
            let finding = Finding::new(&across::SCRIPT_NOT_UPLOADED, at.clone(), message);
            // A bucket that is known by name was there before, and may hold what no step has anything to do with.
            let is_touched = puts.iter().any(|put| has(&put) || beneath(folder, put.folder).is_some());
            let may_hold = bucket.as_known().is_some() && !is_touched;
            let finding = if may_hold { finding.as_warning() } else { finding };
            return Some(finding.help(missing).related(place(put), "uploaded here"));
        }
        let (put, (other, _)) = candidates().find(|(put, _)| has(put))?;
        let message =
            format!("`{name}` is looked for in {folder}, the step `{}` puts it into {}", self.id(put.step), put.folder);
        let help = "use the output `s3_uri` of that step";
        if bucket.as_known().is_some() && other.as_known().is_some() {
            let finding = Finding::new(&across::OTHER_BUCKET, at.clone(), message).as_warning();
            return Some(finding.help(help).related(place(put), "uploaded here"));
        }
        // Not known to be the same bucket; but the root of a bucket is hardly where it lies when it was put elsewhere.
        let is_root = prefix.is_none_or(|prefix| prefix.as_known() == Some(""));
        let finding = Finding::new(&across::SCRIPT_NOT_UPLOADED, at.clone(), message);
        is_root.then(|| finding.help(help).related(place(put), "uploaded here"))
    }

    /// What is fetched from a stack of this pipeline will be there.
    fn outputs(&self, told: &[Told<'_>], findings: &mut Vec<(usize, Finding)>) {
        let mut stacks: HashMap<&Text, Vec<Made<'_>>> = HashMap::new();
        for (step, fact) in told {
            if let Fact::Makes { stack, outputs, place } = fact
                && !stack.is_unknown()
            {
                stacks.entry(stack).or_default().push((*step, outputs, *place));
            }
        }
        for (step, fact) in told {
            let Fact::NeedsOutputs { stack, keys, place } = fact else { continue };
            // Of several, such as one for each mode, the one that will run is not known.
            let Some([(maker, outputs, made)]) = stacks.get(stack).map(Vec::as_slice) else { continue };
            let missing: Vec<&(String, Vec<String>)> =
                keys.iter().filter(|(_, any)| !any.iter().any(|key| outputs.contains(key))).collect();
            let [(first, any), ..] = missing.as_slice() else { continue };
            let told = missing.iter().map(|(what, any)| {
                format!("`{what}` ({})", any.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" or "))
            });
            let told = told.collect::<Vec<_>>().join(", ");
            let message = format!("the stack of `{}` will have no output for {told}", self.id(*maker));
            let near = any.iter().find_map(|key| nearest(key, outputs.iter().map(String::as_str)));
            let help = match near {
                Some(near) => format!("write `map: {{ {first}: {near} }}`"),
                None => format!(
                    "give it under `values:`, or list under `require:` what is needed; the stack has {}",
                    list(outputs)
                ),
            };
            let finding = Finding::error(&across::OUTPUT_NOT_IN_STACK, *place, message).help(help);
            let finding = finding.related(At::Pipeline(*made), "its template, with these parameters");
            findings.push((*step, finding));
        }
    }

    /// A file that a step of the pipeline writes need not be readable before it has run.
    fn forgive(&self, place: Place, problems: &mut Vec<Diagnostic>) {
        let unreadable = inputs::UNREADABLE_FILE.number;
        problems.retain(|problem| problem.code.number != unreadable || problem.place != place);
    }

    /// Files that one step writes and another reads.
    fn shared_files(&self, told: &[Told<'_>], problems: &mut Vec<Diagnostic>, findings: &mut Vec<(usize, Finding)>) {
        let mut written: Vec<(usize, String, FileUse, Place)> = Vec::new();
        let mut kubeconfigs: Vec<(usize, &'static str, Place)> = Vec::new();
        for (step, fact) in told {
            let Fact::Writes { path, output, kind, place } = fact else { continue };
            if *kind == FileUse::Kubeconfig {
                kubeconfigs.push((*step, output, *place));
            }
            let Some(path) = path.as_known().map(spelled) else { continue };
            // Two of which one may be skipped may be meant to stand in for each other.
            let surely = |step: usize| self.steps[step].when.is_none();
            let same = written.iter().find(|(first, other, ..)| *other == path && surely(*first) && surely(*step));
            if let Some((first, _, _, at)) = same {
                let message = format!("`{}` writes {path} too", self.id(*first));
                let finding =
                    Finding::error(&across::WRITTEN_TWICE, *place, message).help("give one of them another path");
                findings.push((*step, finding.related(At::Pipeline(*at), "written here")));
            }
            written.push((*step, path, *kind, *place));
        }
        for (step, fact) in told {
            let Fact::Reads { path, kind, place } = fact else { continue };
            let Some(path) = path.as_known().map(spelled) else { continue };
            let mut writers = written.iter().filter(|(_, other, ..)| *other == path);
            let is_late = |writer: usize| self.graph.runs_before(writer, *step) == Some(false);
            match writers.clone().next() {
                Some((writer, _, _, at)) if writers.all(|(writer, ..)| is_late(*writer)) => {
                    self.forgive(*place, problems);
                    let message = format!("{path} is written by `{}`, which has not surely run", self.id(*writer));
                    let finding = Finding::error(&across::FILE_NOT_YET_WRITTEN, *place, message);
                    let help = format!("add `{}` to `needs`", self.id(*writer));
                    findings.push((*step, finding.help(help).related(At::Pipeline(*at), "written here")));
                }
                // It need not be there yet.
                Some(_) => self.forgive(*place, problems),
                None if *kind == FileUse::Kubeconfig => {
                    let Some((writer, output, at)) = kubeconfigs.first() else { continue };
                    let id = self.id(*writer);
                    let message = format!("this is not the kubeconfig that `{id}` writes");
                    let finding = Finding::warning(&across::OTHER_KUBECONFIG, *place, message);
                    let help =
                        format!("write \"{{{{ steps.{id}.outputs.{output} }}}}\", unless another cluster is meant");
                    findings.push((*step, finding.help(help).related(At::Pipeline(*at), "written here")));
                }
                None => {}
            }
        }
    }

    /// Whether an ARN or a zone belongs to the region and the account of `aws:`.
    fn home(&self, id: &Text, at: &At) -> Option<Finding> {
        let known = id.beginning();
        if let (Some(zone), Some(region)) = (id.as_known().and_then(region_of_zone), self.region) {
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
            && *partition != partition_of(region)
        {
            let message =
                format!("the ARN is of the partition `{partition}`, {region} is in `{}`", partition_of(region));
            return Some(Finding::new(&across::OTHER_PARTITION, at.clone(), message));
        }
        if let (Some(of), Some(region)) = (part(2), self.region)
            && *of != region
        {
            let message = format!("the ARN is of {of}, the pipeline is for {region}");
            return Some(Finding::new(&across::OTHER_REGION, at.clone(), message));
        }
        if let (Some(of), Some(account)) = (part(3), self.account)
            && *of != account
            && *of != "aws"
        {
            let message = format!("the ARN is of the account {of}, the pipeline is for {account}");
            return Some(Finding::new(&across::OTHER_ACCOUNT, at.clone(), message));
        }
        None
    }
}

/// Subnets and security groups that come from different steps.
fn mixed(ids: &[(Text, At)]) -> Option<Finding> {
    let source = |text: &Text| match text.0.as_slice() {
        [Piece::From(source)] => {
            source.strip_prefix("steps.").and_then(|rest| rest.split('.').next()).map(str::to_owned)
        }
        _ => None,
    };
    let mut from = ids.iter().filter_map(|(text, at)| Some((source(text)?, at)));
    let (first, _) = from.next()?;
    let (other, at) = from.find(|(other, _)| *other != first)?;
    let message = format!("this comes from the step `{other}`, what it goes with from `{first}`");
    let finding = Finding::new(&across::MIXED_MODES, at.clone(), message).as_warning();
    Some(finding.help("a security group works only in the VPC of the subnets: take both from one step"))
}

/// AWS's own policy for nodes reads only buckets named `sagemaker-…`. A role that a step of the run hands on may have more.
fn unreadable(role: &Text, folder: &Text, at: &At) -> Option<Finding> {
    let bucket = folder.without_beginning("s3://")?;
    let known = bucket.beginning();
    if role.as_known().is_none()
        || known.is_empty()
        || known.starts_with("sagemaker-")
        || "sagemaker-".starts_with(known)
    {
        return None;
    }
    let name = known.split('/').next().unwrap_or(known);
    let message = format!("the role may not be able to read the bucket `{name}`");
    let help = "AWS's managed policy for nodes covers only buckets whose names begin with `sagemaker-`: name it so, or let the role read this one";
    Some(Finding::new(&across::ROLE_AND_BUCKET, at.clone(), message).as_warning().help(help))
}

fn without_slash(folder: &Text) -> Text {
    let mut pieces = folder.0.clone();
    if let Some(Piece::Known(end)) = pieces.last_mut() {
        end.truncate(end.trim_end_matches('/').len());
        if end.is_empty() {
            pieces.pop();
        }
    }
    Text(pieces)
}

/// What of `folder` lies within `outer`, without the slash between; none where it does not.
fn beneath<'a>(folder: &'a Text, outer: &Text) -> Option<&'a str> {
    if folder == outer {
        return Some("");
    }
    let (last, before) = folder.0.split_last()?;
    let Piece::Known(text) = last else { return None };
    if before == outer.0.as_slice() {
        return text.strip_prefix('/');
    }
    let (outer_last, outer_before) = outer.0.split_last()?;
    let Piece::Known(start) = outer_last else { return None };
    if before != outer_before { None } else { text.strip_prefix(start.as_str())?.strip_prefix('/') }
}

fn join(inner: &str, name: &str) -> String {
    if inner.is_empty() { name.to_owned() } else { format!("{inner}/{name}") }
}

/// Bucket and prefix of `s3://bucket/prefix`.
fn split(folder: &Text) -> Option<(Text, Option<Text>)> {
    let rest = folder.without_beginning("s3://")?;
    match rest.split_once('/') {
        Some((bucket, prefix)) => Some((bucket, Some(prefix))),
        None => Some((rest, None)),
    }
}

fn spelled(path: &str) -> String {
    normalize(Path::new(path)).to_string_lossy().into_owned()
}

/// The partition that a region is in (AWS: "AWS Regions and partitions").
fn partition_of(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("us-isob-") => "aws-iso-b",
        _ if region.starts_with("us-isof-") => "aws-iso-f",
        _ if region.starts_with("us-iso-") => "aws-iso",
        _ if region.starts_with("eu-isoe-") => "aws-iso-e",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}

/// The region of a zone id such as `usw2-az2` (EC2 user guide, "Availability Zone IDs"); none for one that is not known.
fn region_of_zone(id: &str) -> Option<&'static str> {
    let (short, zone) = id.split_once("-az")?;
    let is_zone = !zone.is_empty() && zone.bytes().all(|byte| byte.is_ascii_digit());
    ZONES.iter().find(|(known, _)| is_zone && *known == short).map(|(_, region)| *region)
}

/// What zone ids begin with, and the region.
const ZONES: [(&str, &str); 34] = [
    ("use1", "us-east-1"),
    ("use2", "us-east-2"),
    ("usw1", "us-west-1"),
    ("usw2", "us-west-2"),
    ("afs1", "af-south-1"),
    ("ape1", "ap-east-1"),
    ("ape2", "ap-east-2"),
    ("aps1", "ap-south-1"),
    ("aps2", "ap-south-2"),
    ("apne1", "ap-northeast-1"),
    ("apne2", "ap-northeast-2"),
    ("apne3", "ap-northeast-3"),
    ("apse1", "ap-southeast-1"),
    ("apse2", "ap-southeast-2"),
    ("apse3", "ap-southeast-3"),
    ("apse4", "ap-southeast-4"),
    ("apse5", "ap-southeast-5"),
    ("apse7", "ap-southeast-7"),
    ("cac1", "ca-central-1"),
    ("caw1", "ca-west-1"),
    ("cnn1", "cn-north-1"),
    ("cnw1", "cn-northwest-1"),
    ("euc1", "eu-central-1"),
    ("euc2", "eu-central-2"),
    ("eun1", "eu-north-1"),
    ("eus1", "eu-south-1"),
    ("eus2", "eu-south-2"),
    ("euw1", "eu-west-1"),
    ("euw2", "eu-west-2"),
    ("euw3", "eu-west-3"),
    ("ilc1", "il-central-1"),
    ("mec1", "me-central-1"),
    ("mes1", "me-south-1"),
    ("sae1", "sa-east-1"),
];

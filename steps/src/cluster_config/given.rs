//! A CreateCluster request as the inputs of a step give it: `cluster:` in the pipeline, or a file that `config:` names.
//! Knows nothing of what the step does with it.

use std::ops::Range;

use serde_json::Value as Json;

use super::json::{self, Fault, Node};
use super::{ConfigFinding, check, facts, needs};
use crate::codes::rendered;
use crate::fact::{Fact, FileUse};
use crate::files::Files;
use crate::finding::{At, Finding};
use crate::partial::{Partial, Place};
use crate::permissions::{Surroundings, patterns};
use crate::question::Asked;

/// The request, as far as it is known.
pub struct Given<'a> {
    node: Node,
    /// Why the file is not JSON.
    faults: Vec<Fault>,
    /// The file, as the inputs spell it; none where the request stands in the pipeline.
    file: Option<&'a str>,
}

impl<'a> Given<'a> {
    /// None where there is none, or where the file is not there yet: an earlier step may write it.
    pub fn read(inputs: &'a Partial, files: &Files) -> Option<Self> {
        if let Some(cluster) = inputs.get("cluster") {
            return Some(Self { node: Node::from_partial(cluster), faults: Vec::new(), file: None });
        }
        let path = inputs.str_at("config")?;
        let (node, faults) = json::parse(files.text(path).ok()?);
        Some(Self { node, faults, file: Some(path) })
    }

    fn at(&self, span: &Range<usize>) -> At {
        let place = Place::of(span);
        match self.file {
            Some(path) => At::File { path: path.to_owned(), place },
            None => At::Pipeline(place),
        }
    }

    /// Everything wrong with it.
    pub fn findings(&self) -> Vec<Finding> {
        self.told(|_| true)
    }

    /// The same where only a part of the request need be given: what is missing is no mistake.
    pub fn findings_of_a_part(&self) -> Vec<Finding> {
        self.told(|found| !found.by_absence)
    }

    fn told(&self, counts: impl Fn(&ConfigFinding) -> bool) -> Vec<Finding> {
        let broken = self.faults.iter().map(|fault| {
            let message = format!("the file is not JSON: {}", fault.message);
            Finding::new(&rendered::NOT_JSON, self.at(&fault.span), message)
        });
        let wrong = check(&self.node).into_iter().filter(counts).map(|found| {
            let finding = Finding::new(found.code, self.at(&found.span), found.line()).maybe_help(found.help);
            Finding { severity: found.severity, ..finding }
        });
        broken.chain(wrong).collect()
    }

    /// What it needs from other steps.
    pub fn facts(&self) -> Vec<Fact> {
        facts(&self.node, &|span| self.at(span))
    }

    /// The same, with the file that is read for it.
    pub fn read_facts(inputs: &'a Partial, files: &Files, kind: FileUse) -> Vec<Fact> {
        let config = inputs.get("config").and_then(|config| Some((config.text()?, config.place())));
        let reads = config.map(|(path, place)| Fact::Reads { path, kind, place });
        let given = Self::read(inputs, files).map(|given| given.facts()).unwrap_or_default();
        reads.into_iter().chain(given).collect()
    }

    /// The cluster that it makes.
    pub fn created(&self) -> Option<Fact> {
        let name = self.node.get("ClusterName")?;
        Some(Fact::Creates { what: "cluster", name: name.open_text()?, at: self.at(&name.span) })
    }

    /// What it asks of AWS; `adopt` says whether a cluster of its name is taken over.
    pub fn questions(&self, adopt: bool) -> Vec<Asked> {
        needs::questions(&self.node, adopt, &|span| self.at(span))
    }
}

/// The same with patterns for what is not known: from the inputs, from a file, or from what earlier steps may write there. Of
/// several any may be the one. None where none is given.
pub fn with_patterns(inputs: &Partial, around: &Surroundings<'_>) -> Vec<Json> {
    if let Some(cluster) = inputs.get("cluster") {
        return vec![patterns(cluster)];
    }
    let Some(path) = inputs.get("config").and_then(Partial::text) else { return Vec::new() };
    let written = around.written.at(&path);
    let mut requests: Vec<Json> = Vec::new();
    let mut may_be = |text: Option<&str>| {
        let request = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| Json::from("*"));
        if !requests.contains(&request) {
            requests.push(request);
        }
    };
    written.iter().for_each(|file| may_be(file.text.as_deref()));
    // What lies there already is read if none of the steps writes.
    let there = path.as_known().and_then(|path| around.files.text(path).ok());
    let is_sure = written.iter().any(|file| file.surely);
    if written.is_empty() || (there.is_some() && !is_sure) {
        may_be(there);
    }
    requests
}

//! A watch: which changes a client is told of, and in which words.
//! Must not know connections; it turns changes into lines.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::metadata_only;
use super::request::{Request, Target};
use super::selector::Selector;
use super::store::{Change, Cluster, namespace};
use super::table;

/// An open watch.
#[derive(Debug)]
pub struct Watch {
    /// What is watched.
    pub target: Target,
    /// The revision up to which the client has been told.
    pub revision: u64,
    /// How many wall seconds it stays open.
    pub timeout_seconds: u64,
    selector: Selector,
    bookmarks: bool,
    form: Form,
    lines: Vec<u8>,
}

#[derive(Debug)]
enum Form {
    Whole,
    Metadata,
    Table { include: String },
}

impl Watch {
    /// A watch that begins at a revision.
    pub fn new(target: Target, selector: Selector, request: &Request, revision: u64) -> Watch {
        let form = if request.wants_table() {
            Form::Table { include: request.get("includeObject").to_owned() }
        } else if request.wants_metadata() {
            Form::Metadata
        } else {
            Form::Whole
        };
        let timeout_seconds = request.get("timeoutSeconds").parse().ok().filter(|seconds| *seconds > 0).unwrap_or(1800);
        Watch {
            target,
            revision,
            timeout_seconds,
            selector,
            bookmarks: request.flag("allowWatchBookmarks"),
            form,
            lines: Vec::new(),
        }
    }

    /// Tells of what is there already; `marked` ends that with the bookmark that says so.
    pub fn begin(&mut self, found: &[Value], marked: bool, now: Timestamp) {
        for object in found {
            if self.selector.picks(object) {
                self.tell("ADDED", object, now);
            }
        }
        if marked {
            self.bookmark(json!({ "k8s.io/initial-events-end": "true" }));
        }
    }

    /// What there is to tell now; clears it.
    pub fn take_lines(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.lines)
    }

    /// Tells of what changed since it last looked. False when the cluster has forgotten that: the watch has said so and ends.
    pub fn look(&mut self, cluster: &mut Cluster, now: Timestamp) -> bool {
        let shelf = self.target.resource.qualified();
        match cluster.changes_after(&shelf, self.revision) {
            Ok(changes) => {
                for change in &changes {
                    self.tell_change(change, now);
                }
                self.revision = cluster.revision;
                true
            }
            Err(oldest) => {
                let status = super::status::Refusal::expired(self.revision, oldest).to_json();
                self.push(&json!({ "type": "ERROR", "object": status }));
                false
            }
        }
    }

    /// Says up to where the client has been told, if it asked for that.
    pub fn end(&mut self) {
        if self.bookmarks {
            self.bookmark(json!({}));
        }
    }

    fn tell_change(&mut self, change: &Change, now: Timestamp) {
        let space = &self.target.namespace;
        if !space.is_empty() && namespace(&change.after) != space {
            return;
        }
        let was = change.before.as_ref().is_some_and(|before| self.selector.picks(before));
        let is = !change.deleted && self.selector.picks(&change.after);
        match (was, is) {
            (false, true) => self.tell("ADDED", &change.after, now),
            (true, true) => self.tell("MODIFIED", &change.after, now),
            (true, false) => self.tell("DELETED", &change.after, now),
            (false, false) => {}
        }
    }

    fn tell(&mut self, what: &str, object: &Value, now: Timestamp) {
        let mut object = object.clone();
        object["apiVersion"] = json!(self.target.resource.api_version());
        let object = match &self.form {
            Form::Whole => object,
            Form::Metadata => metadata_only(&object),
            Form::Table { include } => {
                let version = object["metadata"]["resourceVersion"].clone();
                table::table(&self.target.resource, &[object], version, include, now)
            }
        };
        self.push(&json!({ "type": what, "object": object }));
    }

    fn bookmark(&mut self, annotations: Value) {
        let resource = &self.target.resource;
        let mut meta = json!({ "resourceVersion": self.revision.to_string(), "creationTimestamp": null });
        if annotations.as_object().is_some_and(|all| !all.is_empty()) {
            meta["annotations"] = annotations;
        }
        let object = match &self.form {
            Form::Whole => {
                json!({ "kind": resource.kind, "apiVersion": resource.api_version(), "metadata": meta })
            }
            Form::Metadata => {
                json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta })
            }
            Form::Table { .. } => {
                let row = json!({ "cells": [], "object": { "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta } });
                json!({ "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": { "resourceVersion": meta["resourceVersion"] }, "columnDefinitions": [], "rows": [row] })
            }
        };
        self.push(&json!({ "type": "BOOKMARK", "object": object }));
    }

    fn push(&mut self, event: &Value) {
        self.lines.extend_from_slice(event.to_string().as_bytes());
        self.lines.push(b'\n');
    }
}

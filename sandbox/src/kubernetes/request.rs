//! A request to one cluster, taken apart: which resource, which object, which verb, in which form the answer is wanted.
//! Must not know what is in the store beyond which resources there are.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::protobuf;
use super::resource::{self, Resource};
use super::status::Refusal;
use super::store::Cluster;

/// A request as it came, its path without the cluster's prefix.
#[derive(Debug, Clone)]
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// Path below the cluster.
    pub path: String,
    /// Query parameters, decoded; of repeated ones the last.
    pub query: BTreeMap<String, String>,
    /// `Accept`.
    pub accept: String,
    /// `Content-Type` without its parameters.
    pub content_type: String,
    /// `User-Agent`.
    pub user_agent: String,
    /// The body.
    pub body: Bytes,
}

/// What the path names: objects of a resource, one object, or a part of one.
#[derive(Debug, Clone)]
pub struct Target {
    /// The resource.
    pub resource: Resource,
    /// The namespace; empty for all of them or for objects that live in none.
    pub namespace: String,
    /// The object; empty for the collection.
    pub name: String,
    /// E.g. `status`; empty for the object itself.
    pub subresource: String,
}

impl Request {
    /// A query parameter; empty when it was not sent.
    pub fn get(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Whether a query parameter says yes.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), "true" | "1")
    }

    /// Whether nothing is to be kept of what the request does.
    pub fn dry_run(&self) -> bool {
        self.get("dryRun") == "All"
    }

    /// Whether a table for people is wanted.
    pub fn wants_table(&self) -> bool {
        self.accept.contains("as=Table")
    }

    /// Whether only metadata is wanted.
    pub fn wants_metadata(&self) -> bool {
        !self.wants_table() && self.accept.contains("as=PartialObjectMetadata")
    }

    /// Who writes, for the ownership of fields.
    pub fn manager(&self) -> &str {
        let agent = self.user_agent.split(['/', ' ']).next().unwrap_or_default();
        match (self.get("fieldManager"), agent) {
            ("", "") => "unknown",
            ("", agent) => agent,
            (manager, _) => manager,
        }
    }

    /// The body as JSON, whatever form it came in.
    ///
    /// # Errors
    /// 400 for one that cannot be read, 415 for a form that is not read.
    pub fn object(&self) -> Result<Value, Refusal> {
        match self.content_type.as_str() {
            "application/vnd.kubernetes.protobuf" => {
                protobuf::decode(&self.body).map_err(|why| Refusal::unsupported_media(&why))
            }
            ""
            | "application/json"
            | "application/json-patch+json"
            | "application/merge-patch+json"
            | "application/strategic-merge-patch+json" => serde_json::from_slice(&self.body)
                .map_err(|error| Refusal::bad_request(format!("error decoding the body: {error}"))),
            "application/yaml" | "application/apply-patch+yaml" => serde_json::from_slice(&self.body)
                .or_else(|_| serde_yaml::from_slice(&self.body))
                .map_err(|error| Refusal::bad_request(format!("error decoding YAML: {error}"))),
            other => Err(Refusal::unsupported_media(other)),
        }
    }
}

impl Target {
    /// What a path below `/api/v1` or `/apis/GROUP/VERSION` names.
    ///
    /// # Errors
    /// 404 as a real server answers for what is not there.
    pub fn parse(cluster: &Cluster, path: &str) -> Result<Target, Refusal> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Err(Refusal::no_such_path()),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() && !matches!(rest[0], "status" | "finalize") => {
                (*namespace, rest)
            }
            rest => ("", rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (*plural, "", String::new()),
            [plural, name] => (*plural, *name, String::new()),
            [plural, name, sub @ ..] => (*plural, *name, sub.join("/")),
            [] => return Err(Refusal::no_such_path()),
        };
        let resource = resource::find(cluster, group, version, plural).ok_or_else(Refusal::no_such_path)?;
        let misplaced = resource.namespaced == namespace.is_empty();
        let across = resource.namespaced && name.is_empty();
        if misplaced && !across {
            return Err(Refusal::no_such_path());
        }
        Ok(Target { resource, namespace: namespace.to_owned(), name: name.to_owned(), subresource })
    }

    /// The verb of a request on this target, as RBAC names it.
    pub fn verb(&self, request: &Request) -> &'static str {
        Target::verb_of(request.method.as_str(), self.name.is_empty(), request.flag("watch"))
    }

    /// The verb of a method on a collection or an object.
    pub fn verb_of(method: &str, collection: bool, watch: bool) -> &'static str {
        match (method, collection) {
            ("GET", _) if watch => "watch",
            ("GET", true) => "list",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", true) => "deletecollection",
            ("DELETE", false) => "delete",
            _ => "get",
        }
    }
}

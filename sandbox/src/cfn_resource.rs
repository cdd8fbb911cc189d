//! The shape in which a service offers one of its resources to CloudFormation: what was made, and whether it is ready.
//! It must not know stacks, templates or any service; it is the border between `cloudformation` and the services.
//!
//! A service writes, beside its own operations, plain functions of this shape for each resource type it offers:
//!
//! ```text
//! pub fn create_<thing>(state: &mut State, cx: &Moment, properties: &Map<String, Value>, tags: &[(String, String)]) -> Result<Made, ServiceError>
//! pub fn update_<thing>(state: &mut State, cx: &Moment, id: &str, properties: &Map<String, Value>, tags: &[(String, String)]) -> Result<Made, ServiceError>
//! pub fn delete_<thing>(state: &mut State, cx: &Moment, id: &str) -> Result<(), ServiceError>
//! pub fn ready_<thing>(state: &State, cx: &Moment, id: &str) -> Readiness
//! ```
//!
//! The properties are the resolved ones of the template (names checked, intrinsics evaluated, a generated name put in
//! where the template gives none). Deleting what is gone already is no error.

pub(crate) mod properties;

use serde_json::{Map, Value};

use crate::wire::ServiceError;

/// The resolved properties of a resource.
pub(crate) type Given<'a> = &'a Map<String, Value>;
/// The tags that a stack hands on to its resources.
pub(crate) type Tags<'a> = &'a [(String, String)];
/// What making or changing a resource gives.
pub(crate) type Created = Result<Made, ServiceError>;

/// What a service made for one resource of a template.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// The physical id, as `DescribeStackResources` shows it; it is what `Ref` gives.
    pub id: String,
    /// The values that `Fn::GetAtt` gives, by attribute name.
    pub attributes: Map<String, Value>,
}

impl Made {
    /// What was made, with its attributes as a JSON object.
    pub(crate) fn new(id: impl Into<String>, attributes: Value) -> Made {
        let Value::Object(attributes) = attributes else {
            unreachable!("attributes are written as an object");
        };
        Made { id: id.into(), attributes }
    }
}

/// How far a resource that was made has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Readiness {
    /// Still being made (or being deleted): ask again later.
    Busy,
    /// Usable; the attributes known now (they replace those of [`Made`] name by name).
    Ready(Map<String, Value>),
    /// It will not become ready, with the service's reason; of a deletion: it is stuck.
    Failed(String),
}

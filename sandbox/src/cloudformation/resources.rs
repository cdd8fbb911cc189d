//! The explicit table of resource types: for each the functions of its service that make, change, delete and look at one.
//! It must not know operations or events; `types` says what the properties of a type are.

use serde_json::{Map, Value, json};

use super::engine::Turn;
use super::nested;
use super::stack::Resource;
use super::types::{self, ResourceType};
use crate::access::{self, Change, Subject};
use crate::cfn_resource::{Made, Readiness};
use crate::wire::ServiceError;
use crate::world::{Moment, State};
use crate::{ec2, eks, iam, logs, s3};

type Properties = Map<String, Value>;
type Tags = [(String, String)];
type Create = fn(&mut State, &Moment<'_>, &Properties, &Tags) -> Result<Made, ServiceError>;
type Update = fn(&mut State, &Moment<'_>, &str, &Properties, &Tags) -> Result<Made, ServiceError>;
type Delete = fn(&mut State, &Moment<'_>, &str) -> Result<(), ServiceError>;
type Ready = fn(&State, &Moment<'_>, &str) -> Readiness;

/// The functions of one resource type.
struct Driver {
    kind: &'static str,
    create: Create,
    update: Option<Update>,
    delete: Delete,
    /// None: ready as soon as its usual time is over.
    ready: Option<Ready>,
}

/// Ready at once, and its properties never change in place.
const fn fixed(kind: &'static str, create: Create, delete: Delete) -> Driver {
    Driver { kind, create, update: None, delete, ready: None }
}

/// Ready at once; changed in place.
const fn changing(kind: &'static str, create: Create, update: Update, delete: Delete) -> Driver {
    Driver { kind, create, update: Some(update), delete, ready: None }
}

const DRIVERS: &[Driver] = &[
    changing("AWS::EC2::VPC", ec2::create_vpc, ec2::update_vpc, ec2::delete_vpc),
    fixed("AWS::EC2::VPCCidrBlock", ec2::create_vpc_cidr_block, ec2::delete_vpc_cidr_block),
    changing("AWS::EC2::Subnet", ec2::create_subnet, ec2::update_subnet, ec2::delete_subnet),
    fixed("AWS::EC2::InternetGateway", ec2::create_internet_gateway, ec2::delete_internet_gateway),
    fixed("AWS::EC2::VPCGatewayAttachment", ec2::create_vpc_gateway_attachment, ec2::delete_vpc_gateway_attachment),
    fixed("AWS::EC2::EIP", ec2::create_eip, ec2::delete_eip),
    Driver {
        ready: Some(ec2::ready_nat_gateway),
        ..fixed("AWS::EC2::NatGateway", ec2::create_nat_gateway, ec2::delete_nat_gateway)
    },
    fixed("AWS::EC2::RouteTable", ec2::create_route_table, ec2::delete_route_table),
    changing("AWS::EC2::Route", ec2::create_route, ec2::update_route, ec2::delete_route),
    fixed(
        "AWS::EC2::SubnetRouteTableAssociation",
        ec2::create_subnet_route_table_association,
        ec2::delete_subnet_route_table_association,
    ),
    changing(
        "AWS::EC2::SecurityGroup",
        ec2::create_security_group,
        ec2::update_security_group,
        ec2::delete_security_group,
    ),
    fixed("AWS::EC2::SecurityGroupIngress", ec2::create_security_group_ingress, ec2::delete_security_group_ingress),
    fixed("AWS::EC2::SecurityGroupEgress", ec2::create_security_group_egress, ec2::delete_security_group_egress),
    changing("AWS::EC2::VPCEndpoint", ec2::create_vpc_endpoint, ec2::update_vpc_endpoint, ec2::delete_vpc_endpoint),
    changing("AWS::IAM::Role", iam::create_role, iam::update_role, iam::delete_role),
    changing(
        "AWS::IAM::ManagedPolicy",
        iam::create_managed_policy,
        iam::update_managed_policy,
        iam::delete_managed_policy,
    ),
    changing("AWS::IAM::Policy", iam::create_policy, iam::update_policy, iam::delete_policy),
    Driver {
        ready: Some(eks::ready_cluster),
        ..changing("AWS::EKS::Cluster", eks::create_cluster, eks::update_cluster, eks::delete_cluster)
    },
    Driver {
        ready: Some(eks::ready_addon),
        ..changing("AWS::EKS::Addon", eks::create_addon, eks::update_addon, eks::delete_addon)
    },
    changing("AWS::EKS::AccessEntry", eks::create_access_entry, eks::update_access_entry, eks::delete_access_entry),
    fixed(
        "AWS::EKS::PodIdentityAssociation",
        eks::create_pod_identity_association,
        eks::delete_pod_identity_association,
    ),
    changing("AWS::S3::Bucket", s3::create_bucket, s3::update_bucket, s3::delete_bucket),
    changing("AWS::S3::BucketPolicy", s3::create_bucket_policy, s3::update_bucket_policy, s3::delete_bucket_policy),
    changing("AWS::Logs::LogGroup", logs::create_log_group, logs::update_log_group, logs::delete_log_group),
    fixed("AWS::CloudFormation::WaitConditionHandle", create_wait_handle, |_, _, _| Ok(())),
];

fn driver(kind: &str) -> Result<&'static Driver, ServiceError> {
    DRIVERS.iter().find(|it| it.kind == kind).ok_or_else(|| ServiceError::not_part(format!("resource type {kind}")))
}

/// Whether the caller's rights allow it, with which a stack works that has no role of its own.
pub(super) fn allowed(
    turn: &mut Turn<'_, '_>,
    logical: &str,
    resource: &Resource,
    change: Change,
) -> Result<(), ServiceError> {
    if turn.stack.definition.role_arn.is_some() {
        return Ok(());
    }
    // An update goes from what was there before, a rollback from what is there now.
    let before = turn.stack.operation.as_ref().and_then(|it| it.before.get(logical));
    let others = before.into_iter().chain(turn.stack.resources.get(logical));
    let changed: Vec<String> =
        others.flat_map(|other| super::outputs::changed_properties(&other.properties, &resource.properties)).collect();
    let spec = turn.stack.definition.template.resources.get(logical);
    let zones = spec.is_some_and(|it| it.properties.values().any(|value| value.to_string().contains("\"Fn::GetAZs\"")));
    let subject = Subject {
        state: turn.state,
        cx: turn.cx,
        kind: &resource.kind,
        properties: &named(resource),
        changed: &changed,
        id: resource.physical.as_deref().filter(|_| change != Change::Create),
        tagged: !resource.tags.is_empty() || resource.properties.contains_key("Tags"),
        zones,
    };
    access::of_resource(&subject, change)
}

/// Makes the resource.
pub(super) fn create(turn: &mut Turn<'_, '_>, logical: &str, resource: &Resource) -> Result<Made, ServiceError> {
    if resource.kind == types::STACK {
        return nested::create(turn, logical, resource);
    }
    let tags = tags(turn, logical, resource);
    (driver(&resource.kind)?.create)(turn.state, turn.cx, &named(resource), &tags)
}

/// Changes it in place.
pub(super) fn update(
    turn: &mut Turn<'_, '_>,
    logical: &str,
    resource: &Resource,
    id: &str,
) -> Result<Made, ServiceError> {
    if resource.kind == types::STACK {
        return nested::update(turn, resource, id);
    }
    let tags = tags(turn, logical, resource);
    match driver(&resource.kind)?.update {
        Some(update) => update(turn.state, turn.cx, id, &named(resource), &tags),
        None => keep(turn, logical, resource, id),
    }
}

/// What becomes of a change that the service has no function for: a changed tag is left as it was made (the tags of this
/// type are not the sandbox's), anything else is refused.
fn keep(turn: &mut Turn<'_, '_>, logical: &str, resource: &Resource, id: &str) -> Result<Made, ServiceError> {
    let old = turn.operation().before.get(logical).map(|it| it.properties.clone()).unwrap_or_default();
    let changed = super::outputs::changed_properties(&old, &resource.properties);
    match changed.iter().find(|name| *name != "Tags") {
        Some(name) => Err(ServiceError::not_part(format!("the update of property {name} of {}", resource.kind))),
        None => Ok(Made { id: id.to_owned(), attributes: resource.attributes.clone() }),
    }
}

/// Starts to delete it.
pub(super) fn delete(state: &mut State, cx: &Moment<'_>, kind: &str, id: &str) -> Result<(), ServiceError> {
    if kind == types::STACK {
        return nested::delete(state, cx, id);
    }
    (driver(kind)?.delete)(state, cx, id)
}

/// How far a made resource has come.
pub(super) fn ready(state: &State, cx: &Moment<'_>, kind: &str, id: &str) -> Readiness {
    if kind == types::STACK {
        return nested::ready(state, id);
    }
    driver(kind).ok().and_then(|it| it.ready).map_or(Readiness::Ready(Map::new()), |look| look(state, cx, id))
}

/// How far a deletion has come; `Ready` means gone.
pub(super) fn gone(state: &State, cx: &Moment<'_>, kind: &str, id: &str) -> Readiness {
    if kind == types::STACK { nested::gone(state, id) } else { ready(state, cx, kind, id) }
}

/// The names of the region's availability zones.
pub(super) fn zones(cx: &Moment<'_>) -> Vec<String> {
    crate::ec2::zones::zones(cx.region).into_iter().map(|zone| zone.name).collect()
}

/// The name that CloudFormation makes up for a resource that has one and is not given it: `stack-LogicalId-SUFFIX`.
pub(super) fn generated_name(
    turn: &mut Turn<'_, '_>,
    kind: &ResourceType,
    logical: &str,
    properties: &Properties,
) -> Option<String> {
    let property = kind.name_property?;
    if properties.contains_key(property) {
        return None;
    }
    let stack = &turn.stack.name;
    let suffix = turn.state.ids.suffix(12);
    let (limit, lower) = match property {
        "BucketName" => (63, true),
        "RoleName" => (64, false),
        _ => (100, false),
    };
    let room = limit - suffix.len() - 2;
    let logical: String = logical.chars().take(room / 2).collect();
    let stack: String = stack.chars().take(room - logical.len()).collect();
    let name = format!("{stack}-{logical}-{suffix}");
    Some(if lower { name.to_lowercase() } else { name })
}

/// The properties with the generated name put in.
fn named(resource: &Resource) -> Properties {
    let mut properties = resource.properties.clone();
    let property = types::find(&resource.kind).and_then(|kind| kind.name_property);
    if let (Some(property), Some(name)) = (property, &resource.generated) {
        properties.insert(property.to_owned(), name.clone().into());
    }
    properties
}

/// The stack's tags and the three that CloudFormation sets itself.
fn tags(turn: &Turn<'_, '_>, logical: &str, resource: &Resource) -> Vec<(String, String)> {
    let mut tags = resource.tags.clone();
    tags.push(("aws:cloudformation:stack-name".to_owned(), turn.stack.name.clone()));
    tags.push(("aws:cloudformation:stack-id".to_owned(), turn.stack.id.clone()));
    tags.push(("aws:cloudformation:logical-id".to_owned(), logical.to_owned()));
    tags
}

/// A service's error as the reason of a resource event.
pub(super) fn reason(kind: &str, error: &ServiceError, during: &str) -> String {
    let plain = ["Encountered unsupported", "Property ", "Value of property", "hprun sandbox:"];
    if kind == types::STACK || plain.iter().any(|start| error.message.starts_with(start)) {
        return error.message.clone();
    }
    let service = kind.split("::").nth(1).unwrap_or_default();
    let code = handler_code(error, during);
    format!(
        "Resource handler returned message: \"{} (Service: {service}, Status Code: {})\" (HandlerErrorCode: {code})",
        error.message, error.status
    )
}

fn handler_code(error: &ServiceError, during: &str) -> &'static str {
    let code = error.code.as_str();
    match code {
        _ if code.contains("AlreadyExists")
            || code.contains("AlreadyOwnedByYou")
            || code == "EntityAlreadyExists"
            || code.contains("Duplicate") =>
        {
            "AlreadyExists"
        }
        _ if code.contains("LimitExceeded") => "ServiceLimitExceeded",
        _ if code.contains("NotFound") || code == "NoSuchEntity" || code == "NoSuchBucket" => "NotFound",
        _ if code.contains("AccessDenied") || code.contains("Unauthorized") => "AccessDenied",
        _ if code.contains("Conflict")
            || code.contains("InUse")
            || code == "BucketNotEmpty"
            || code == "DependencyViolation" =>
        {
            if during == "DELETE" && code == "DependencyViolation" {
                "InvalidRequest"
            } else {
                "ResourceConflict"
            }
        }
        _ if error.status >= 500 => "ServiceInternalError",
        _ => "InvalidRequest",
    }
}

fn create_wait_handle(
    state: &mut State,
    cx: &Moment<'_>,
    _properties: &Properties,
    _tags: &Tags,
) -> Result<Made, ServiceError> {
    let id = format!(
        "https://cloudformation-waitcondition-{}.s3.{}.amazonaws.com/{}",
        cx.region,
        cx.region,
        state.ids.uuid()
    );
    let attributes = json!({ "Id": id });
    Ok(Made { attributes: attributes.as_object().cloned().unwrap_or_default(), id })
}

//! EC2's resources for CloudFormation: VPC, subnet, gateways, addresses, routes, endpoints.
//! Knows nothing of stacks; security groups are in the module beside it.

use super::model::{NatState, Target};
use super::network::NewSubnet;
use super::routes::NewEndpoint;
use super::{network, network_ref};
use crate::cfn_resource::properties::{Properties, invalid};
use crate::cfn_resource::{Created, Given, Made, Readiness, Tags};
use crate::wire::{ServiceError, iso8601};
use crate::world::{Moment, State};
use serde_json::{Map, json};

/// Deleting what is gone already is no error.
pub(super) fn gone_is_fine(result: Result<(), ServiceError>) -> Result<(), ServiceError> {
    match result {
        Err(error) if error.code.ends_with("NotFound") => Ok(()),
        other => other,
    }
}

const VPC: &[&str] = &["CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy", "Tags"];

/// Makes `AWS::EC2::VPC`.
pub fn create_vpc(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, VPC)?;
    let tenancy = given.text("InstanceTenancy").unwrap_or_else(|| "default".into());
    let id = network(state, cx).add_vpc(&given.need("CidrBlock")?, &tenancy, given.tags(tags)?)?;
    update_vpc(state, cx, &id, properties, tags)
}

/// Changes the DNS switches and tags of `AWS::EC2::VPC`.
pub fn update_vpc(state: &mut State, cx: &Moment<'_>, id: &str, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, VPC)?;
    let net = network(state, cx);
    let vpc = net.vpc_mut(id)?;
    vpc.dns_hostnames = given.flag("EnableDnsHostnames", false)?;
    vpc.dns_support = given.flag("EnableDnsSupport", true)?;
    vpc.tags = given.tags(tags)?;
    let blocks: Vec<&str> = vpc.blocks.iter().map(|b| b.association.as_str()).collect();
    let attributes = json!({
        "VpcId": id,
        "CidrBlock": vpc.blocks.first().map(|b| b.cidr.as_str()),
        "CidrBlockAssociations": blocks,
        "DefaultSecurityGroup": net.security_groups.values().find(|g| g.vpc == id && g.name == "default").map(|g| g.id.as_str()),
    });
    Ok(Made::new(id, attributes))
}

/// Deletes `AWS::EC2::VPC`.
pub fn delete_vpc(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    gone_is_fine(network(state, cx).remove_vpc(id))
}

/// Makes `AWS::EC2::VPCCidrBlock`.
pub fn create_vpc_cidr_block(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, _tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, &["VpcId", "CidrBlock"])?;
    let id = network(state, cx).add_block(&given.need("VpcId")?, &given.need("CidrBlock")?)?;
    Ok(Made::new(&id, json!({ "Id": id })))
}

/// Deletes `AWS::EC2::VPCCidrBlock`.
pub fn delete_vpc_cidr_block(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    gone_is_fine(network(state, cx).remove_block(id))
}

const SUBNET: &[&str] =
    &["VpcId", "CidrBlock", "AvailabilityZone", "AvailabilityZoneId", "MapPublicIpOnLaunch", "Tags"];

/// Makes `AWS::EC2::Subnet`.
pub fn create_subnet(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, SUBNET)?;
    let zone = match (given.text("AvailabilityZone"), given.text("AvailabilityZoneId")) {
        (Some(_), Some(_)) => {
            return Err(invalid("AvailabilityZone and AvailabilityZoneId cannot both be given."));
        }
        (name, id) => name.or(id),
    };
    let new = NewSubnet {
        vpc: given.need("VpcId")?,
        cidr: given.need("CidrBlock")?,
        zone,
        public_ip: given.flag("MapPublicIpOnLaunch", false)?,
        tags: given.tags(tags)?,
    };
    let net = network(state, cx);
    let id = net.add_subnet(new)?;
    let subnet = net.subnet(&id)?;
    let attributes = json!({
        "SubnetId": id,
        "VpcId": subnet.vpc,
        "CidrBlock": subnet.cidr,
        "AvailabilityZone": subnet.zone,
        "AvailabilityZoneId": subnet.zone_id,
    });
    Ok(Made::new(&id, attributes))
}

/// Changes the public-address switch and tags of `AWS::EC2::Subnet`.
pub fn update_subnet(state: &mut State, cx: &Moment<'_>, id: &str, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, SUBNET)?;
    let net = network(state, cx);
    net.subnet(id)?;
    let subnet = net.subnets.get_mut(id).expect("it was found just now");
    subnet.public_ip = given.flag("MapPublicIpOnLaunch", false)?;
    subnet.tags = given.tags(tags)?;
    Ok(Made::new(id, json!({})))
}

/// Deletes `AWS::EC2::Subnet`.
pub fn delete_subnet(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    gone_is_fine(network(state, cx).remove_subnet(id))
}

/// Makes `AWS::EC2::InternetGateway`.
pub fn create_internet_gateway(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, &["Tags"])?;
    let id = network(state, cx).add_internet_gateway(given.tags(tags)?)?;
    Ok(Made::new(&id, json!({ "InternetGatewayId": id })))
}

/// Deletes `AWS::EC2::InternetGateway`.
pub fn delete_internet_gateway(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    gone_is_fine(network(state, cx).remove_internet_gateway(id))
}

/// Makes `AWS::EC2::VPCGatewayAttachment`; its id is `IGW|vpc-…`.
pub fn create_vpc_gateway_attachment(
    state: &mut State,
    cx: &Moment<'_>,
    properties: Given<'_>,
    _tags: Tags<'_>,
) -> Created {
    let given = Properties::of(properties, &["VpcId", "InternetGatewayId"])?;
    let vpc = given.need("VpcId")?;
    network(state, cx).attach(&given.need("InternetGatewayId")?, &vpc)?;
    Ok(Made::new(format!("IGW|{vpc}"), json!({ "AttachmentType": "IGW" })))
}

/// Deletes `AWS::EC2::VPCGatewayAttachment`.
pub fn delete_vpc_gateway_attachment(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    let vpc = id.trim_start_matches("IGW|");
    let net = network(state, cx);
    match net.attached(vpc).map(str::to_owned) {
        Some(gateway) => net.detach(&gateway, vpc),
        None => Ok(()),
    }
}

/// Makes `AWS::EC2::EIP`; its id is the public address.
pub fn create_eip(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, &["Domain", "Tags"])?;
    if let Some(domain) = given.text("Domain").filter(|domain| domain != "vpc") {
        return Err(invalid(format!("Invalid value '{domain}' for domain.")));
    }
    let net = network(state, cx);
    let allocation = net.add_address(given.tags(tags)?)?;
    let public_ip = net.address(&allocation)?.public_ip.clone();
    Ok(Made::new(&public_ip, json!({ "AllocationId": allocation, "PublicIp": public_ip })))
}

/// Deletes `AWS::EC2::EIP`.
pub fn delete_eip(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    let net = network(state, cx);
    let allocation = net.addresses.values().find(|a| a.public_ip == id).map(|a| a.allocation.clone());
    allocation.map_or(Ok(()), |allocation| net.remove_address(&allocation))
}

/// Makes `AWS::EC2::NatGateway`; it takes some minutes.
pub fn create_nat_gateway(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, &["SubnetId", "AllocationId", "ConnectivityType", "Tags"])?;
    let allocation = given.text("AllocationId");
    let private = given.text("ConnectivityType").as_deref() == Some("private");
    if private == allocation.is_some() {
        return Err(invalid("AllocationId must be given for a public NAT gateway and must not be for a private one."));
    }
    let net = network(state, cx);
    let id = net.add_nat_gateway(&given.need("SubnetId")?, allocation.as_deref(), given.tags(tags)?, cx.now)?;
    let interface = net.nat_gateway(&id)?.interface.clone();
    Ok(Made::new(&id, json!({ "NatGatewayId": id, "EniId": interface })))
}

/// How far `AWS::EC2::NatGateway` is, while it is made and while it is deleted.
pub fn ready_nat_gateway(state: &State, _cx: &Moment<'_>, id: &str) -> Readiness {
    let Some(gateway) = network_ref(state).nat_gateways.get(id) else {
        return Readiness::Ready(Map::new());
    };
    match gateway.state {
        NatState::Pending | NatState::Deleting => Readiness::Busy,
        NatState::Available | NatState::Deleted => Readiness::Ready(Map::new()),
        NatState::Failed => {
            let message = gateway.failure.as_ref().map_or("", |(_, message)| message);
            Readiness::Failed(format!(
                "NatGateway {id} is in state failed and hence failed to stabilize. Detailed failure message: {message}"
            ))
        }
    }
}

/// Starts to delete `AWS::EC2::NatGateway`.
pub fn delete_nat_gateway(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    gone_is_fine(network(state, cx).remove_nat_gateway(id, cx.now))
}

/// Makes `AWS::EC2::RouteTable`.
pub fn create_route_table(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, &["VpcId", "Tags"])?;
    let id = network(state, cx).add_route_table(&given.need("VpcId")?, given.tags(tags)?)?;
    Ok(Made::new(&id, json!({ "RouteTableId": id })))
}

/// Deletes `AWS::EC2::RouteTable`.
pub fn delete_route_table(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    gone_is_fine(network(state, cx).remove_route_table(id))
}

const ROUTE: &[&str] = &["RouteTableId", "DestinationCidrBlock", "GatewayId", "NatGatewayId", "NetworkInterfaceId"];

/// Makes `AWS::EC2::Route`; its id is `rtb-…|destination`.
pub fn create_route(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, _tags: Tags<'_>) -> Created {
    put_route(state, cx, properties, false)
}

/// Changes where `AWS::EC2::Route` leads.
pub fn update_route(state: &mut State, cx: &Moment<'_>, _id: &str, properties: Given<'_>, _tags: Tags<'_>) -> Created {
    put_route(state, cx, properties, true)
}

fn put_route(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, replace: bool) -> Created {
    let given = Properties::of(properties, ROUTE)?;
    let (table, destination) = (given.need("RouteTableId")?, given.need("DestinationCidrBlock")?);
    let gateway = given.text("GatewayId").map(Target::Gateway);
    let nat = given.text("NatGatewayId").map(Target::Nat);
    let interface = given.text("NetworkInterfaceId").map(Target::Interface);
    let mut targets: Vec<Target> = [gateway, nat, interface].into_iter().flatten().collect();
    let (Some(target), true) = (targets.pop(), targets.is_empty()) else {
        return Err(invalid("Exactly one of GatewayId, NatGatewayId and NetworkInterfaceId must be given."));
    };
    network(state, cx).add_route(&table, &destination, target, replace)?;
    Ok(Made::new(format!("{table}|{destination}"), json!({ "CidrBlock": destination })))
}

/// Deletes `AWS::EC2::Route`.
pub fn delete_route(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    let (table, destination) = id.split_once('|').unwrap_or((id, ""));
    gone_is_fine(network(state, cx).remove_route(table, destination))
}

/// Makes `AWS::EC2::SubnetRouteTableAssociation`.
pub fn create_subnet_route_table_association(
    state: &mut State,
    cx: &Moment<'_>,
    properties: Given<'_>,
    _tags: Tags<'_>,
) -> Created {
    let given = Properties::of(properties, &["RouteTableId", "SubnetId"])?;
    let id = network(state, cx).associate(&given.need("RouteTableId")?, &given.need("SubnetId")?)?;
    Ok(Made::new(&id, json!({ "Id": id })))
}

/// Deletes `AWS::EC2::SubnetRouteTableAssociation`.
pub fn delete_subnet_route_table_association(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    gone_is_fine(network(state, cx).disassociate(id))
}

const ENDPOINT: &[&str] = &["VpcId", "ServiceName", "VpcEndpointType", "RouteTableIds", "PolicyDocument", "Tags"];

/// Makes `AWS::EC2::VPCEndpoint` (gateway endpoints only).
pub fn create_vpc_endpoint(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, ENDPOINT)?;
    let new = NewEndpoint {
        vpc: given.need("VpcId")?,
        service: given.need("ServiceName")?,
        kind: given.text("VpcEndpointType"),
        route_tables: given.texts("RouteTableIds")?,
        policy: given.document("PolicyDocument"),
        tags: given.tags(tags)?,
    };
    let id = network(state, cx).add_endpoint(new, cx.now)?;
    Ok(Made::new(
        &id,
        json!({ "Id": id, "CreationTimestamp": iso8601(cx.now), "DnsEntries": [], "NetworkInterfaceIds": [] }),
    ))
}

/// Changes the route tables, policy and tags of `AWS::EC2::VPCEndpoint`.
pub fn update_vpc_endpoint(
    state: &mut State,
    cx: &Moment<'_>,
    id: &str,
    properties: Given<'_>,
    tags: Tags<'_>,
) -> Created {
    let given = Properties::of(properties, ENDPOINT)?;
    let net = network(state, cx);
    net.set_endpoint_tables(id, given.texts("RouteTableIds")?)?;
    let endpoint = net.endpoints.get_mut(id).expect("it was found just now");
    if let Some(policy) = given.document("PolicyDocument") {
        endpoint.policy = policy;
    }
    endpoint.tags = given.tags(tags)?;
    Ok(Made::new(id, json!({})))
}

/// Deletes `AWS::EC2::VPCEndpoint`.
pub fn delete_vpc_endpoint(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    gone_is_fine(network(state, cx).remove_endpoint(id))
}

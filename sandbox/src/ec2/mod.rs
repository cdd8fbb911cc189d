//! EC2 in the sandbox: the networks that a HyperPod cluster needs, and what describes them.
//! No instances: HyperPod's and EKS's machines show up here only as network interfaces.

mod cidr;
mod describe;
mod gateways;
mod group_resources;
mod interfaces;
mod listing;
mod model;
mod network;
mod offerings;
mod requests;
mod resources;
mod routes;
mod rule_requests;
mod security;
mod tags;
mod views;
pub mod zones;

use crate::wire::{Call, Reply, ServiceError};
use crate::world::{self, Moment, World};
use jiff::Timestamp;

pub use group_resources::*;
pub use interfaces::NewInterface;
pub(crate) use listing::matches;
pub use model::{State, Subnet};
pub(crate) use offerings::zones_with;
pub use resources::*;
pub use security::SelfReference;

/// The earliest instant after `after` at which a NAT gateway comes, fails or goes.
pub fn next_due(state: &world::State, after: Timestamp) -> Option<Timestamp> {
    state.ec2.nat_gateways.values().filter_map(|gateway| gateway.due).filter(|due| *due > after).min()
}

/// Moves the NAT gateways on to `cx.now`; says whether anything changed.
pub fn advance(state: &mut world::State, cx: &Moment<'_>) -> bool {
    state.ec2.advance(cx.now)
}

/// Answers a call.
///
/// # Errors
/// EC2's own, and the sandbox's for what is not part of it.
pub fn handle(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    world.with(&call.region, |state, cx| {
        let net = network(state, cx);
        match describe::answer(net, cx, call)? {
            Some(reply) => Ok(reply),
            None => {
                // What is refused changes nothing, also when the fault is found late, such as a parameter that nothing took.
                let before = net.clone();
                requests::answer(net, cx, call).inspect_err(|_| *net = before)
            }
        }
    })
}

/// Puts an interface into a subnet, as HyperPod and EKS do; gives its id.
///
/// # Errors
/// `InsufficientFreeAddressesInSubnet`, `InvalidSubnetID.NotFound`, `InvalidGroup.NotFound`.
pub fn attach_eni(state: &mut world::State, cx: &Moment<'_>, new: NewInterface) -> Result<String, ServiceError> {
    network(state, cx).add_interface(new)
}

/// Takes an interface out of its subnet; one that is gone already is no error.
pub fn detach_eni(state: &mut world::State, cx: &Moment<'_>, id: &str) {
    let _gone_is_fine = network(state, cx).remove_interface(id);
}

/// The first private address of an interface.
pub fn address_of<'a>(state: &'a world::State, interface: &str) -> Option<&'a str> {
    state.ec2.interfaces.get(interface).and_then(|interface| interface.addresses.first()).map(String::as_str)
}

/// The subnet of this id.
pub fn subnet<'a>(state: &'a world::State, id: &str) -> Option<&'a Subnet> {
    state.ec2.subnets.get(id)
}

/// Addresses of a subnet that nothing has taken; 0 for a subnet that is not there.
pub fn free_addresses(state: &world::State, subnet: &str) -> u64 {
    state.ec2.subnets.get(subnet).map_or(0, |subnet| state.ec2.free_addresses(subnet))
}

/// The VPC of a security group; None when there is no such group.
pub fn vpc_of_group<'a>(state: &'a world::State, group: &str) -> Option<&'a str> {
    state.ec2.security_groups.get(group).map(|group| group.vpc.as_str())
}

/// Which ways a security group lets all traffic pass between its own members.
pub fn self_reference(state: &world::State, group: &str) -> SelfReference {
    state.ec2.self_reference(group)
}

/// How a subnet reaches the internet, by the route to `0.0.0.0/0` of its route table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Internet {
    /// Through a NAT gateway (or an interface): a private subnet.
    Nat,
    /// Through an internet gateway: a public subnet.
    Gateway,
    /// Not at all.
    None,
}

/// How a subnet reaches the internet.
pub fn internet_of(state: &world::State, subnet: &str) -> Internet {
    let table = state.ec2.subnets.get(subnet).and_then(|subnet| state.ec2.table_of_subnet(subnet));
    let route = table.and_then(|table| table.routes.iter().find(|route| route.destination == "0.0.0.0/0"));
    match route.map(|route| &route.target) {
        Some(model::Target::Nat(_) | model::Target::Interface(_)) => Internet::Nat,
        Some(model::Target::Gateway(_)) => Internet::Gateway,
        Some(model::Target::Local | model::Target::Endpoint(_)) | None => Internet::None,
    }
}

/// Makes the security group that EKS puts a cluster's interfaces and nodes into; gives its id.
///
/// # Errors
/// `InvalidVpcID.NotFound`.
pub fn make_cluster_group(
    state: &mut world::State,
    cx: &Moment<'_>,
    vpc: &str,
    name: &str,
    cluster: &str,
) -> Result<String, ServiceError> {
    let net = network(state, cx);
    let description = "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads.";
    let tags = vec![
        ("Name".to_owned(), name.to_owned()),
        ("aws:eks:cluster-name".to_owned(), cluster.to_owned()),
        (format!("kubernetes.io/cluster/{cluster}"), "owned".to_owned()),
    ];
    let id = net.add_group(vpc, name, description, tags)?;
    net.put_rule(&id, model::Permission::all(false, model::Peer::Group(id.clone())), None, vec![]);
    Ok(id)
}

/// Deletes that group. When a rule or an interface still names it, it stays behind, as at EKS, and keeps its VPC from being deleted.
pub fn delete_cluster_group(state: &mut world::State, cx: &Moment<'_>, id: &str) {
    let _stays_behind_when_in_use = network(state, cx).remove_group(id);
}

/// The networks of the call's region, to change.
pub(crate) fn network<'a>(state: &'a mut world::State, cx: &Moment<'_>) -> &'a mut State {
    if state.ec2.region.is_empty() {
        cx.region.clone_into(&mut state.ec2.region);
    }
    &mut state.ec2
}

/// The networks of the call's region.
pub(crate) fn network_ref(state: &world::State) -> &State {
    &state.ec2
}

/// How many VPCs, internet gateways and elastic addresses a region may have.
pub(crate) const QUOTAS: [usize; 3] = [network::VPC_QUOTA, gateways::GATEWAY_QUOTA, gateways::ADDRESS_QUOTA];

/// An error as EC2 gives it: all of them are HTTP 400.
pub(crate) fn fault(code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError::new(400, code, message)
}

//! What EC2 keeps: the networks of one region, and the things in them.
//! Data only; the rules are in the modules beside it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Key and value pairs, in the order they were given.
pub type Tags = Vec<(String, String)>;

/// All of EC2 in one region.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    pub(crate) region: String,
    made: u64,
    pub(crate) vpcs: BTreeMap<String, Vpc>,
    pub(crate) subnets: BTreeMap<String, Subnet>,
    pub(crate) internet_gateways: BTreeMap<String, InternetGateway>,
    pub(crate) addresses: BTreeMap<String, Address>,
    pub(crate) nat_gateways: BTreeMap<String, NatGateway>,
    pub(crate) route_tables: BTreeMap<String, RouteTable>,
    pub(crate) security_groups: BTreeMap<String, SecurityGroup>,
    pub(crate) rules: BTreeMap<String, Rule>,
    pub(crate) endpoints: BTreeMap<String, Endpoint>,
    pub(crate) interfaces: BTreeMap<String, Interface>,
}

/// A virtual private cloud.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Vpc {
    pub id: String,
    pub blocks: Vec<Block>,
    pub dns_support: bool,
    pub dns_hostnames: bool,
    pub tenancy: String,
    pub tags: Tags,
}

/// One address block of a VPC; the first is the primary one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Block {
    pub association: String,
    pub cidr: String,
}

/// A subnet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Subnet {
    /// Such as `subnet-0…`.
    pub id: String,
    /// The VPC it is in.
    pub vpc: String,
    /// Its address block.
    pub cidr: String,
    /// Such as `us-west-2b`.
    pub zone: String,
    /// Such as `usw2-az2`.
    pub zone_id: String,
    pub(crate) public_ip: bool,
    /// Its tags.
    pub tags: Tags,
}

/// An internet gateway, attached to one VPC at most.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InternetGateway {
    pub id: String,
    pub vpc: Option<String>,
    pub tags: Tags,
}

/// An elastic IP address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Address {
    pub allocation: String,
    pub public_ip: String,
    pub association: Option<String>,
    pub interface: Option<String>,
    pub tags: Tags,
}

/// How far a NAT gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NatState {
    Pending,
    Available,
    Failed,
    Deleting,
    Deleted,
}

/// A NAT gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NatGateway {
    pub id: String,
    pub subnet: String,
    pub vpc: String,
    pub allocation: Option<String>,
    pub public_ip: Option<String>,
    pub interface: String,
    pub private_ip: String,
    pub public: bool,
    pub state: NatState,
    pub failure: Option<(String, String)>,
    pub created: Timestamp,
    pub deleted: Option<Timestamp>,
    /// When the present state ends.
    pub due: Option<Timestamp>,
    pub tags: Tags,
}

/// A route table with its routes and associations.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RouteTable {
    pub id: String,
    pub vpc: String,
    pub main: Option<String>,
    pub routes: Vec<Route>,
    /// Association id to subnet id.
    pub associations: BTreeMap<String, String>,
    pub tags: Tags,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Target {
    Local,
    Gateway(String),
    Nat(String),
    Interface(String),
    Endpoint(String),
}

/// One route: a destination block or prefix list, and where it leads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Route {
    pub destination: String,
    pub target: Target,
}

/// A security group; its rules are kept apart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SecurityGroup {
    pub id: String,
    pub vpc: String,
    pub name: String,
    pub description: String,
    pub tags: Tags,
}

/// The other end of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Peer {
    Cidr(String),
    CidrV6(String),
    Group(String),
    PrefixList(String),
}

/// What a rule lets through, and whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Permission {
    pub egress: bool,
    /// `-1`, `tcp`, `udp`, `icmp` or a number.
    pub protocol: String,
    pub from: Option<i64>,
    pub to: Option<i64>,
    pub peer: Peer,
}

/// A security group rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub id: String,
    pub group: String,
    pub permission: Permission,
    pub description: Option<String>,
    /// The rule "all traffic out" that came with its group; CloudFormation takes it away when egress rules are stated.
    pub by_default: bool,
    pub tags: Tags,
}

/// A VPC endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    pub id: String,
    pub vpc: String,
    pub service: String,
    pub route_tables: Vec<String>,
    pub policy: String,
    pub created: Timestamp,
    pub tags: Tags,
}

/// A network interface.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Interface {
    pub id: String,
    pub subnet: String,
    pub vpc: String,
    pub zone: String,
    pub groups: Vec<String>,
    pub description: String,
    pub kind: String,
    pub requester: String,
    pub instance: Option<String>,
    /// The first is the primary one.
    pub addresses: Vec<String>,
    pub public_ip: Option<String>,
    pub tags: Tags,
}

impl State {
    /// An empty region.
    #[cfg(test)]
    pub(crate) fn in_region(region: &str) -> State {
        State { region: region.to_owned(), ..State::default() }
    }

    /// A new id as EC2 writes them, the same in every world that made the same things in the same order.
    pub(crate) fn new_id(&mut self, kind: &str) -> String {
        format!("{kind}-0{}", &self.digest(kind)[..16])
    }

    /// Hex digits that no other thing of this region got.
    pub(crate) fn digest(&mut self, kind: &str) -> String {
        self.made += 1;
        hex::encode(Sha256::digest(format!("{}/{kind}/{}", self.region, self.made)))
    }
}

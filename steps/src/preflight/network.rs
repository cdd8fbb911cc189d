//! EC2's networks: subnets, routes, endpoints, security groups, blocks of addresses (P09 to P14, P28, P41).
//! Knows nothing of what the nodes are for.

use std::net::Ipv4Addr;

use serde_json::Value as Json;

use super::asker::Asker;
use super::verdict::Verdict;
use crate::error::StepError;
use crate::signed::xml::Xml;
use crate::signed::{self, Service};

/// What nodes reach through endpoints where there is no NAT: names behind `com.amazonaws.REGION.` (AWS documentation,
/// closed network).
const ENDPOINTS: [&str; 11] =
    ["s3", "ec2", "ecr.api", "ecr.dkr", "sts", "logs", "monitoring", "ssm", "ssmmessages", "ec2messages", "eks-auth"];
/// Addresses that a node on EKS takes, by its type (AWS documentation, which tells it of these only: a smaller size has fewer
/// network cards); any other takes one at least.
const ADDRESSES: [(&str, u64); 9] = [
    ("ml.p5.48xlarge", 81),
    ("ml.p5e.48xlarge", 81),
    ("ml.p5en.48xlarge", 81),
    ("ml.p4d.24xlarge", 51),
    ("ml.p4de.24xlarge", 51),
    ("ml.trn1.32xlarge", 57),
    ("ml.trn1n.32xlarge", 57),
    ("ml.trn2.48xlarge", 65),
    ("ml.g5.48xlarge", 15),
];
/// Blocks of a VPC, the first one counted (default quota).
const BLOCKS: usize = 5;

/// A subnet, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subnet {
    pub id: String,
    pub vpc: String,
    /// Id of its zone.
    pub zone: String,
    /// Addresses that nothing has taken.
    pub free: u64,
}

/// A security group: its VPC, and whom it lets pass with all traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SecurityGroup {
    pub id: String,
    pub vpc: String,
    pub from: Vec<String>,
    pub to: Vec<String>,
    /// Whether it also lets all traffic of some addresses in, or out to some: whose they are is not looked at.
    pub from_addresses: bool,
    pub to_addresses: bool,
}

fn numbered(name: &str, values: &[String]) -> Vec<(String, String)> {
    values.iter().enumerate().map(|(i, value)| (format!("{name}.{}", i + 1), value.clone())).collect()
}

fn filter(number: usize, name: &str, value: &str) -> [(String, String); 2] {
    let (of, with) = (format!("Filter.{number}.Name"), format!("Filter.{number}.Value.1"));
    [(of, name.to_owned()), (with, value.to_owned())]
}

/// The subnets of these ids.
///
/// # Errors
/// `InvalidSubnetID.NotFound` where one is not there.
pub(super) async fn subnets(asker: &Asker<'_>, ids: &[String]) -> Result<Vec<Subnet>, StepError> {
    let ask = async {
        let answer = signed::query(asker.clients, Service::Ec2, "DescribeSubnets", &numbered("SubnetId", ids)).await?;
        let text = |item: &Xml, name: &str| item.text_at(name).unwrap_or_default().to_owned();
        let subnet = |item: &Xml| Subnet {
            id: text(item, "subnetId"),
            vpc: text(item, "vpcId"),
            zone: text(item, "availabilityZoneId"),
            free: text(item, "availableIpAddressCount").parse().unwrap_or(0),
        };
        Ok(answer.list("subnetSet").iter().map(subnet).collect())
    };
    asker.learnt.subnets.get(&ids.join(","), ask).await
}

async fn groups(asker: &Asker<'_>, ids: &[String]) -> Result<Vec<SecurityGroup>, StepError> {
    let ask = async {
        let fields = numbered("GroupId", ids);
        let answer = signed::query(asker.clients, Service::Ec2, "DescribeSecurityGroups", &fields).await?;
        Ok(answer.list("securityGroupInfo").iter().map(group).collect())
    };
    asker.learnt.groups.get(&ids.join(","), ask).await
}

fn group(item: &Xml) -> SecurityGroup {
    let peers = |set: &str| {
        let all = item.list(set).iter().filter(|rule| rule.text_at("ipProtocol") == Some("-1"));
        all.flat_map(|rule| rule.texts("groups", "groupId")).collect()
    };
    let addresses = |set: &str| {
        let mut all = item.list(set).iter().filter(|rule| rule.text_at("ipProtocol") == Some("-1"));
        all.any(|rule| ["ipRanges", "ipv6Ranges", "prefixListIds"].iter().any(|list| !rule.list(list).is_empty()))
    };
    let text = |name: &str| item.text_at(name).unwrap_or_default().to_owned();
    SecurityGroup {
        id: text("groupId"),
        vpc: text("vpcId"),
        from: peers("ipPermissions"),
        to: peers("ipPermissionsEgress"),
        from_addresses: addresses("ipPermissions"),
        to_addresses: addresses("ipPermissionsEgress"),
    }
}

pub(super) async fn one_vpc(asker: &Asker<'_>, ids: &[String], group_ids: &[String]) -> Result<Verdict, StepError> {
    let (subnets, groups) = futures::try_join!(subnets(asker, ids), groups(asker, group_ids))?;
    Ok(one_vpc_verdict(&subnets, &groups))
}

/// Whether something of the network that the inputs name is there, by its id; of an id of any other kind nothing is said.
pub(super) async fn there(asker: &Asker<'_>, id: &str) -> Result<Verdict, StepError> {
    let one = [id.to_owned()];
    match id.split('-').next() {
        Some("subnet") => subnets(asker, &one).await.map(|_| Verdict::Good),
        Some("sg") => groups(asker, &one).await.map(|_| Verdict::Good),
        Some("vpc") => {
            let fields = numbered("VpcId", &one);
            signed::query(asker.clients, Service::Ec2, "DescribeVpcs", &fields).await.map(|_| Verdict::Good)
        }
        Some("nat") => {
            let fields = numbered("NatGatewayId", &one);
            let answer = signed::query(asker.clients, Service::Ec2, "DescribeNatGateways", &fields).await?;
            Ok(nat_verdict(id, answer.list("natGatewaySet").first().and_then(|item| item.text_at("state"))))
        }
        Some(_) | None => Ok(Verdict::Good),
    }
}

/// Of a NAT gateway in that state; EC2 still tells of one for an hour after it was deleted.
fn nat_verdict(id: &str, state: Option<&str>) -> Verdict {
    match state {
        None => Verdict::Gone(format!("the NAT gateway {id} does not exist")),
        Some(state @ ("deleting" | "deleted" | "failed")) => {
            Verdict::bad(format!("the NAT gateway {id} is {state}")).help("name one that is available")
        }
        Some(_) => Verdict::Good,
    }
}

/// Of subnets and groups that go together.
fn one_vpc_verdict(subnets: &[Subnet], groups: &[SecurityGroup]) -> Verdict {
    let mut all = subnets.iter().map(|s| (&s.id, &s.vpc)).chain(groups.iter().map(|g| (&g.id, &g.vpc)));
    let Some((first, vpc)) = all.next() else { return Verdict::Good };
    match all.find(|(_, other)| *other != vpc) {
        Some((id, other)) => Verdict::bad(format!("{first} is in {vpc}, and {id} is in {other}"))
            .help("name subnets and security groups of one VPC: that of the EKS cluster"),
        None => Verdict::Good,
    }
}

pub(super) async fn addresses(
    asker: &Asker<'_>,
    ids: &[String],
    nodes: &[(String, u64)],
    cluster: &str,
) -> Result<Verdict, StepError> {
    let (subnets, used) = futures::try_join!(subnets(asker, ids), super::clusters::used(asker))?;
    // Nodes that are there have their addresses.
    let there = |of: &str| used.iter().filter(|u| u.cluster == cluster && u.instance_type == of).map(|u| u.count).sum();
    let more: Vec<(String, u64)> =
        nodes.iter().map(|(of, count)| (of.clone(), count.saturating_sub(there(of)))).collect();
    Ok(addresses_verdict(subnets.iter().map(|subnet| subnet.free).sum(), &more))
}

/// Of so many free addresses, for nodes by type.
fn addresses_verdict(free: u64, nodes: &[(String, u64)]) -> Verdict {
    let each = |of: &str| ADDRESSES.iter().find(|(name, _)| of == *name).map_or(1, |(_, count)| *count);
    let needed = nodes.iter().fold(0_u64, |sum, (of, count)| sum.saturating_add(each(of).saturating_mul(*count)));
    if needed <= free {
        return Verdict::Good;
    }
    Verdict::bad(format!("the subnets have {free} free addresses, and the nodes take at least {needed}"))
        .help("use a larger subnet: a node on EKS takes up to 81")
}

pub(super) async fn self_reference(asker: &Asker<'_>, ids: &[String], efa: bool) -> Result<Verdict, StepError> {
    Ok(self_reference_verdict(&groups(asker, ids).await?, efa))
}

/// Of the groups of the nodes: one that lets its members speak with each other is enough.
fn self_reference_verdict(groups: &[SecurityGroup], efa: bool) -> Verdict {
    // Rules of addresses let traffic through like others, but for EFA they do not count.
    let inward = |g: &SecurityGroup| g.from.contains(&g.id) || (!efa && g.from_addresses);
    let outward = |g: &SecurityGroup| g.to.contains(&g.id) || (!efa && g.to_addresses);
    if groups.iter().any(|group| inward(group) && outward(group)) {
        return Verdict::Good;
    }
    let way = match (groups.iter().any(inward), groups.iter().any(outward)) {
        (true, _) => "out to itself",
        (false, true) => "in from itself",
        (false, false) => "in from itself and out to itself",
    };
    let ids: Vec<&str> = groups.iter().map(|group| group.id.as_str()).collect();
    let message = format!("{} has no rule for all traffic {way}", ids.join(", "));
    let help = "add rules for all traffic, with the group itself as source and as destination: 0.0.0.0/0 does not count for EFA";
    if efa { Verdict::bad(message) } else { Verdict::doubt(message) }.help(help)
}

pub(super) async fn groups_meet(asker: &Asker<'_>, ids: &[String], eks: &str) -> Result<Verdict, StepError> {
    let Some(cluster) = super::eks::cluster(asker, eks).await? else { return Ok(Verdict::Good) };
    let both: Vec<String> = ids.iter().chain([&cluster.group]).cloned().collect();
    let all = groups(asker, &both).await?;
    let (own, control): (Vec<_>, Vec<_>) = all.into_iter().partition(|group| ids.contains(&group.id));
    Ok(meet_verdict(&own, &cluster.group, control.first()))
}

/// Of the groups of the nodes and of the control plane.
fn meet_verdict(own: &[SecurityGroup], control_id: &str, control: Option<&SecurityGroup>) -> Verdict {
    if own.iter().any(|group| group.id == control_id) {
        return Verdict::Good;
    }
    let Some(control) = control else { return Verdict::Good };
    let from_control = own.iter().any(|g| g.from_addresses || g.from.iter().any(|peer| peer == control_id));
    let to_control = control.from_addresses || own.iter().any(|group| control.from.contains(&group.id));
    match (from_control, to_control) {
        (true, true) => Verdict::Good,
        (_, _) => {
            let ids: Vec<&str> = own.iter().map(|group| group.id.as_str()).collect();
            let message = if to_control {
                format!("{} does not let all traffic in from the EKS cluster's group {control_id}", ids.join(", "))
            } else {
                format!("the EKS cluster's group {control_id} does not let all traffic in from {}", ids.join(", "))
            };
            Verdict::doubt(message)
                .help(format!("add rules in both directions, or add {control_id} to the nodes' groups"))
        }
    }
}

pub(super) async fn way_out(asker: &Asker<'_>, ids: &[String]) -> Result<Verdict, StepError> {
    let subnets = subnets(asker, ids).await?;
    for subnet in &subnets {
        let of_vpc = filter(1, "vpc-id", &subnet.vpc);
        let (tables, endpoints) = futures::try_join!(
            signed::query(asker.clients, Service::Ec2, "DescribeRouteTables", &of_vpc),
            signed::query(asker.clients, Service::Ec2, "DescribeVpcEndpoints", &of_vpc)
        )?;
        let services = endpoints.list("vpcEndpointSet").iter().filter_map(|item| item.text_at("serviceName"));
        let verdict = way_verdict(&subnet.id, default_route(&subnet.id, &tables), &services.collect::<Vec<_>>());
        if verdict != Verdict::Good {
            return Ok(verdict);
        }
    }
    Ok(Verdict::Good)
}

/// Where the route to 0.0.0.0/0 leads.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// To an internet gateway.
    Public,
    /// To a NAT gateway, a transit gateway, a firewall …
    Private,
    /// To something that is gone.
    Blackhole,
    /// There is no such route.
    None,
}

/// The route table of a subnet: its own, else the main one of its VPC.
fn table_of<'a>(subnet: &str, tables: &'a Xml) -> Option<&'a Xml> {
    let all = tables.list("routeTableSet");
    let has = |table: &&Xml, name: &str, value: &str| {
        table.list("associationSet").iter().any(|association| association.text_at(name) == Some(value))
    };
    all.iter().find(|table| has(table, "subnetId", subnet)).or_else(|| all.iter().find(|t| has(t, "main", "true")))
}

/// The way of a subnet: by the table that is its own, else by the main table of its VPC.
fn default_route(subnet: &str, tables: &Xml) -> Way {
    let Some(table) = table_of(subnet, tables) else { return Way::None };
    let to = |block: &str| table.list("routeSet").iter().find(|r| r.text_at("destinationCidrBlock") == Some(block));
    // Some split the default route into two halves.
    match to("0.0.0.0/0").or_else(|| to("0.0.0.0/1")) {
        None => Way::None,
        Some(route) if route.text_at("state") == Some("blackhole") => Way::Blackhole,
        Some(route) if route.text_at("gatewayId").is_some_and(|id| id.starts_with("igw-")) => Way::Public,
        Some(_) => Way::Private,
    }
}

/// Of a subnet with that way out, in a VPC with endpoints of these services.
fn way_verdict(subnet: &str, way: Way, services: &[&str]) -> Verdict {
    match way {
        Way::Private => Verdict::Good,
        Way::Public => Verdict::bad(format!("{subnet} is public: its route to 0.0.0.0/0 leads to an internet gateway"))
            .help("nodes get no public address: use a subnet whose route leads to a NAT gateway"),
        Way::Blackhole => Verdict::bad(format!("the route of {subnet} to 0.0.0.0/0 leads to something that is gone"))
            .help("route it to a NAT gateway that is there"),
        Way::None => {
            let has = |name: &str| services.iter().any(|service| service.ends_with(&format!(".{name}")));
            let lacking: Vec<&str> = ENDPOINTS.into_iter().filter(|name| !has(name)).collect();
            if lacking.is_empty() {
                return Verdict::Good;
            }
            Verdict::bad(format!("{subnet} has no route to 0.0.0.0/0, and its VPC lacks endpoints"))
                .help(format!("route it to a NAT gateway, or make endpoints for {}", lacking.join(", ")))
        }
    }
}

pub(super) async fn one_zone(asker: &Asker<'_>, ids: &[String]) -> Result<Verdict, StepError> {
    Ok(one_zone_verdict(&subnets(asker, ids).await?))
}

/// Of the subnets of nodes with EFA.
fn one_zone_verdict(subnets: &[Subnet]) -> Verdict {
    let mut zones: Vec<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    zones.sort_unstable();
    zones.dedup();
    match zones.as_slice() {
        [] | [_] => Verdict::Good,
        several => Verdict::doubt(format!("nodes with EFA would be in several zones: {}", several.join(", ")))
            .help("EFA works within one zone: name subnets of one"),
    }
}

pub(super) async fn block(asker: &Asker<'_>, stack: &str, vpc: &str, cidr: &str) -> Result<Verdict, StepError> {
    if super::stacks::stack(asker, stack).await?.is_some() {
        return Ok(Verdict::Good);
    }
    let fields = numbered("VpcId", &[vpc.to_owned()]);
    let answer = signed::query(asker.clients, Service::Ec2, "DescribeVpcs", &fields).await?;
    let blocks: Vec<String> =
        answer.list("vpcSet").iter().flat_map(|vpc| vpc.texts("cidrBlockAssociationSet", "cidrBlock")).collect();
    Ok(block_verdict(vpc, cidr, &blocks))
}

/// Of a block that shall come to those of a VPC.
fn block_verdict(vpc: &str, cidr: &str, blocks: &[String]) -> Verdict {
    let Some(wanted) = range(cidr) else { return Verdict::bad(format!("`{cidr}` is no block of addresses")) };
    let overlaps = |block: &&String| range(block).is_some_and(|(first, last)| first <= wanted.1 && wanted.0 <= last);
    if let Some(other) = blocks.iter().find(overlaps) {
        return Verdict::bad(format!("{cidr} overlaps with {other} of {vpc}"))
            .help("choose a block that the VPC does not have");
    }
    if blocks.len() >= BLOCKS {
        return Verdict::doubt(format!("{vpc} has {} blocks already, and may have {BLOCKS} by default", blocks.len()));
    }
    Verdict::Good
}

/// The first and the last address of a block.
fn range(cidr: &str) -> Option<(u32, u32)> {
    let (address, length) = cidr.split_once('/')?;
    let (address, length) = (u32::from(address.parse::<Ipv4Addr>().ok()?), length.parse::<u32>().ok()?);
    let mask = u32::MAX.checked_shl(32_u32.checked_sub(length)?).unwrap_or(0);
    Some((address & mask, address | !mask))
}

pub(super) async fn endpoint_policy(
    asker: &Asker<'_>,
    ids: &[String],
    (bucket, key): (&str, &str),
) -> Result<Verdict, StepError> {
    let subnets = subnets(asker, ids).await?;
    let Some(vpc) = subnets.first().map(|subnet| &subnet.vpc) else { return Ok(Verdict::Good) };
    let of_vpc = filter(1, "vpc-id", vpc);
    let (tables, endpoints) = futures::try_join!(
        signed::query(asker.clients, Service::Ec2, "DescribeRouteTables", &of_vpc),
        signed::query(asker.clients, Service::Ec2, "DescribeVpcEndpoints", &of_vpc)
    )?;
    let tables = subnets.iter().filter_map(|subnet| table_of(&subnet.id, &tables)?.text_at("routeTableId"));
    let tables: Vec<&str> = tables.collect();
    let policies = on_the_way(endpoints.list("vpcEndpointSet"), &tables)
        .into_iter()
        .filter_map(|item| item.text_at("policyDocument"))
        .map(|text| serde_json::from_str::<Json>(text).ok());
    let of_bucket = format!("arn:{}:s3:::{bucket}", asker.caller.partition);
    Ok(policy_verdict(&policies.collect::<Vec<_>>(), &of_bucket, key))
}

/// The endpoints through which nodes with these route tables reach S3. An interface that takes over S3's name in the VPC
/// comes before any gateway in a table of theirs; with private DNS for inbound resolvers only it takes over none there (EC2
/// API, DnsOptions).
fn on_the_way<'a>(endpoints: &'a [Xml], tables: &[&str]) -> Vec<&'a Xml> {
    let is_s3 = |it: &&Xml| it.text_at("serviceName").is_some_and(|name| name.ends_with(".s3"));
    let is_inbound = |it: &Xml| {
        let options = it.get("dnsOptions");
        options.and_then(|of| of.text_at("privateDnsOnlyForInboundResolverEndpoint")) == Some("true")
    };
    let takes_over = |it: &&Xml| it.text_at("privateDnsEnabled") == Some("true") && !is_inbound(it);
    let is_routed = |it: &&Xml| it.list("routeTableIdSet").iter().any(|id| tables.contains(&id.text.trim()));
    let all = || endpoints.iter().filter(is_s3);
    let interfaces: Vec<&Xml> = all().filter(takes_over).collect();
    if interfaces.is_empty() { all().filter(is_routed).collect() } else { interfaces }
}

/// Of the policies of S3 endpoints, as far as they can be read: one without a statement that lets the script through stands
/// in the way.
fn policy_verdict(policies: &[Option<Json>], bucket: &str, key: &str) -> Verdict {
    let object = format!("{bucket}/{key}");
    let allows = |policy: &Json| super::iam::document_allows(policy, "s3:GetObject", &object);
    if policies.iter().flatten().all(allows) {
        let is_read = policies.iter().all(Option::is_some);
        let unread = || Verdict::Unknown("because the policy of the VPC's S3 endpoint cannot be read".to_owned());
        return if is_read { Verdict::Good } else { unread() };
    }
    Verdict::bad(format!("the policy of the VPC's S3 endpoint does not let {object} through"))
        .help(format!("allow s3:GetObject and s3:ListBucket on {bucket} and {bucket}/* in it"))
}

#[cfg(test)]
mod tests;

//! EC2's things as XML, as the Describe calls and the Create calls show them.
//! Knows nothing of requests.

use super::cidr::Cidr;
use super::interfaces::mac_address;
use super::model::{
    Address, Block, Endpoint, Interface, InternetGateway, NatGateway, NatState, Peer, Permission, Route, RouteTable,
    Rule, SecurityGroup, State, Subnet, Tags, Target, Vpc,
};
use crate::wire::{Xml, iso8601};
use crate::world::ACCOUNT;

pub(super) fn tag_set(xml: &mut Xml, tags: &Tags) {
    xml.list("tagSet", "item", tags, |xml, (key, value)| {
        xml.text("key", key);
        xml.text("value", value);
    });
}

fn arn(net: &State, kind: &str, id: &str) -> String {
    format!("arn:aws:ec2:{}:{ACCOUNT}:{kind}/{id}", net.region)
}

fn in_state(xml: &mut Xml, tag: &str, state: &str) {
    xml.nest(tag, |xml| xml.text("state", state));
}

pub(super) fn block(xml: &mut Xml, block: &Block) {
    xml.text("associationId", &block.association);
    xml.text("cidrBlock", &block.cidr);
    in_state(xml, "cidrBlockState", "associated");
}

pub(super) fn vpc(xml: &mut Xml, _net: &State, vpc: &Vpc) {
    xml.text("vpcId", &vpc.id);
    xml.text("ownerId", ACCOUNT);
    xml.text("state", "available");
    xml.maybe("cidrBlock", vpc.blocks.first().map(|b| &b.cidr));
    xml.list("cidrBlockAssociationSet", "item", &vpc.blocks, block);
    xml.text("dhcpOptionsId", "default");
    xml.text("instanceTenancy", &vpc.tenancy);
    xml.text("isDefault", false);
    tag_set(xml, &vpc.tags);
}

pub(super) fn subnet(xml: &mut Xml, net: &State, subnet: &Subnet) {
    xml.text("subnetId", &subnet.id);
    xml.text("subnetArn", arn(net, "subnet", &subnet.id));
    xml.text("ownerId", ACCOUNT);
    xml.text("state", "available");
    xml.text("vpcId", &subnet.vpc);
    xml.text("cidrBlock", &subnet.cidr);
    xml.text("availableIpAddressCount", net.free_addresses(subnet));
    xml.text("availabilityZone", &subnet.zone);
    xml.text("availabilityZoneId", &subnet.zone_id);
    xml.text("defaultForAz", false);
    xml.text("mapPublicIpOnLaunch", subnet.public_ip);
    xml.text("assignIpv6AddressOnCreation", false);
    tag_set(xml, &subnet.tags);
}

pub(super) fn internet_gateway(xml: &mut Xml, _net: &State, gateway: &InternetGateway) {
    xml.text("internetGatewayId", &gateway.id);
    xml.text("ownerId", ACCOUNT);
    xml.list("attachmentSet", "item", &gateway.vpc, |xml, vpc| {
        xml.text("vpcId", vpc);
        xml.text("state", "available");
    });
    tag_set(xml, &gateway.tags);
}

pub(super) fn address(xml: &mut Xml, net: &State, address: &Address) {
    xml.text("publicIp", &address.public_ip);
    xml.text("allocationId", &address.allocation);
    xml.text("domain", "vpc");
    xml.text("publicIpv4Pool", "amazon");
    xml.text("networkBorderGroup", &net.region);
    xml.maybe("associationId", address.association.as_ref());
    if let Some(interface) = address.interface.as_ref().and_then(|id| net.interfaces.get(id)) {
        xml.text("networkInterfaceId", &interface.id);
        xml.text("networkInterfaceOwnerId", ACCOUNT);
        xml.maybe("privateIpAddress", interface.addresses.first());
    }
    tag_set(xml, &address.tags);
}

pub(super) fn nat_state(state: NatState) -> &'static str {
    match state {
        NatState::Pending => "pending",
        NatState::Available => "available",
        NatState::Failed => "failed",
        NatState::Deleting => "deleting",
        NatState::Deleted => "deleted",
    }
}

pub(super) fn nat_gateway(xml: &mut Xml, _net: &State, gateway: &NatGateway) {
    xml.text("natGatewayId", &gateway.id);
    xml.text("subnetId", &gateway.subnet);
    xml.text("vpcId", &gateway.vpc);
    xml.text("state", nat_state(gateway.state));
    xml.text("createTime", iso8601(gateway.created));
    xml.maybe("deleteTime", gateway.deleted.map(iso8601));
    xml.text("connectivityType", if gateway.public { "public" } else { "private" });
    if gateway.state == NatState::Failed {
        xml.maybe("failureCode", gateway.failure.as_ref().map(|(code, _)| code));
        xml.maybe("failureMessage", gateway.failure.as_ref().map(|(_, message)| message));
    }
    xml.list("natGatewayAddressSet", "item", [gateway], |xml, gateway| {
        xml.maybe("allocationId", gateway.allocation.as_ref());
        xml.maybe("publicIp", gateway.public_ip.as_ref());
        xml.text("networkInterfaceId", &gateway.interface);
        xml.text("privateIp", &gateway.private_ip);
        xml.text("isPrimary", true);
    });
    tag_set(xml, &gateway.tags);
}

pub(super) fn route_table(xml: &mut Xml, _net: &State, table: &RouteTable) {
    xml.text("routeTableId", &table.id);
    xml.text("vpcId", &table.vpc);
    xml.text("ownerId", ACCOUNT);
    xml.list("routeSet", "item", &table.routes, route);
    let main = table.main.iter().map(|id| (id, None));
    let associations = main.chain(table.associations.iter().map(|(id, subnet)| (id, Some(subnet))));
    xml.list("associationSet", "item", associations, |xml, (id, subnet)| {
        xml.text("routeTableAssociationId", id);
        xml.text("routeTableId", &table.id);
        xml.maybe("subnetId", subnet);
        xml.text("main", subnet.is_none());
        in_state(xml, "associationState", "associated");
    });
    xml.list("propagatingVgwSet", "item", Vec::<String>::new(), |xml, id| xml.text("gatewayId", id));
    tag_set(xml, &table.tags);
}

fn route(xml: &mut Xml, route: &Route) {
    let tag = if route.destination.starts_with("pl-") { "destinationPrefixListId" } else { "destinationCidrBlock" };
    xml.text(tag, &route.destination);
    match &route.target {
        Target::Local => xml.text("gatewayId", "local"),
        Target::Gateway(id) | Target::Endpoint(id) => xml.text("gatewayId", id),
        Target::Nat(id) => xml.text("natGatewayId", id),
        Target::Interface(id) => xml.text("networkInterfaceId", id),
    }
    xml.text("state", "active");
    xml.text("origin", if route.target == Target::Local { "CreateRouteTable" } else { "CreateRoute" });
}

pub(super) fn security_group(xml: &mut Xml, net: &State, group: &SecurityGroup) {
    xml.text("groupId", &group.id);
    xml.text("groupName", &group.name);
    xml.text("groupDescription", &group.description);
    xml.text("ownerId", ACCOUNT);
    xml.text("vpcId", &group.vpc);
    xml.text("securityGroupArn", arn(net, "security-group", &group.id));
    for (tag, egress) in [("ipPermissions", false), ("ipPermissionsEgress", true)] {
        let rules: Vec<&Rule> = net.rules_of(&group.id).filter(|rule| rule.permission.egress == egress).collect();
        xml.list(tag, "item", gathered(&rules), |xml, rules| permission(xml, &rules));
    }
    tag_set(xml, &group.tags);
}

/// EC2 shows rules of the same protocol and ports as one permission with several peers.
fn gathered<'a>(rules: &[&'a Rule]) -> Vec<Vec<&'a Rule>> {
    let mut sets: Vec<Vec<&Rule>> = Vec::new();
    let what = |p: &Permission| (p.protocol.clone(), p.from, p.to);
    for rule in rules {
        match sets.iter_mut().find(|set| what(&set[0].permission) == what(&rule.permission)) {
            Some(set) => set.push(rule),
            None => sets.push(vec![rule]),
        }
    }
    sets
}

fn permission(xml: &mut Xml, rules: &[&Rule]) {
    let first = &rules[0].permission;
    xml.text("ipProtocol", &first.protocol);
    xml.maybe("fromPort", first.from);
    xml.maybe("toPort", first.to);
    let (mut groups, mut v4, mut v6, mut lists) = (vec![], vec![], vec![], vec![]);
    for rule in rules {
        let (set, value) = match &rule.permission.peer {
            Peer::Group(id) => (&mut groups, id),
            Peer::Cidr(cidr) => (&mut v4, cidr),
            Peer::CidrV6(cidr) => (&mut v6, cidr),
            Peer::PrefixList(id) => (&mut lists, id),
        };
        set.push((value, rule.description.as_ref()));
    }
    for (tag, member, set) in [
        ("groups", "groupId", groups),
        ("ipRanges", "cidrIp", v4),
        ("ipv6Ranges", "cidrIpv6", v6),
        ("prefixListIds", "prefixListId", lists),
    ] {
        xml.list(tag, "item", set, |xml, (value, description)| {
            if member == "groupId" {
                xml.text("userId", ACCOUNT);
            }
            xml.text(member, value);
            xml.maybe("description", description);
        });
    }
}

pub(super) fn rule(xml: &mut Xml, net: &State, rule: &Rule) {
    xml.text("securityGroupRuleId", &rule.id);
    xml.text("securityGroupRuleArn", arn(net, "security-group-rule", &rule.id));
    xml.text("groupId", &rule.group);
    xml.text("groupOwnerId", ACCOUNT);
    xml.text("isEgress", rule.permission.egress);
    xml.text("ipProtocol", &rule.permission.protocol);
    xml.text("fromPort", rule.permission.from.unwrap_or(-1));
    xml.text("toPort", rule.permission.to.unwrap_or(-1));
    match &rule.permission.peer {
        Peer::Cidr(cidr) => xml.text("cidrIpv4", cidr),
        Peer::CidrV6(cidr) => xml.text("cidrIpv6", cidr),
        Peer::PrefixList(id) => xml.text("prefixListId", id),
        Peer::Group(id) => xml.nest("referencedGroupInfo", |xml| {
            xml.text("groupId", id);
            xml.text("userId", ACCOUNT);
        }),
    }
    xml.maybe("description", rule.description.as_ref());
    tag_set(xml, &rule.tags);
}

pub(super) fn endpoint(xml: &mut Xml, _net: &State, endpoint: &Endpoint) {
    xml.text("vpcEndpointId", &endpoint.id);
    xml.text("vpcEndpointType", "Gateway");
    xml.text("vpcId", &endpoint.vpc);
    xml.text("serviceName", &endpoint.service);
    xml.text("state", "available");
    xml.text("policyDocument", &endpoint.policy);
    xml.list("routeTableIdSet", "item", &endpoint.route_tables, |xml, id| xml.inner(id));
    xml.text("privateDnsEnabled", false);
    xml.text("requesterManaged", false);
    xml.text("creationTimestamp", iso8601(endpoint.created));
    xml.text("ownerId", ACCOUNT);
    tag_set(xml, &endpoint.tags);
}

pub(super) fn interface(xml: &mut Xml, net: &State, interface: &Interface) {
    xml.text("networkInterfaceId", &interface.id);
    xml.text("subnetId", &interface.subnet);
    xml.text("vpcId", &interface.vpc);
    xml.text("availabilityZone", &interface.zone);
    xml.text("description", &interface.description);
    xml.text("ownerId", ACCOUNT);
    xml.text("requesterId", &interface.requester);
    xml.text("requesterManaged", !interface.requester.is_empty());
    xml.text("status", "in-use");
    xml.text("interfaceType", &interface.kind);
    xml.text("macAddress", mac_address(&interface.id));
    xml.text("sourceDestCheck", interface.kind != "nat_gateway");
    xml.maybe("privateIpAddress", interface.addresses.first());
    xml.list("privateIpAddressesSet", "item", interface.addresses.iter().enumerate(), |xml, (at, address)| {
        xml.text("privateIpAddress", address);
        xml.text("primary", at == 0);
    });
    xml.list("groupSet", "item", &interface.groups, |xml, id| {
        xml.text("groupId", id);
        xml.maybe("groupName", net.security_groups.get(id).map(|g| &g.name));
    });
    xml.nest("attachment", |xml| {
        xml.text("attachmentId", interface.id.replacen("eni-", "eni-attach-", 1));
        xml.text("deleteOnTermination", false);
        xml.text("deviceIndex", 1);
        xml.maybe("instanceId", interface.instance.as_ref());
        xml.text("status", "attached");
    });
    if let Some(address) = net.addresses.values().find(|a| a.interface.as_deref() == Some(&interface.id)) {
        xml.nest("association", |xml| {
            xml.text("allocationId", &address.allocation);
            xml.maybe("associationId", address.association.as_ref());
            xml.text("ipOwnerId", ACCOUNT);
            xml.text("publicIp", &address.public_ip);
        });
    }
    tag_set(xml, &interface.tags);
}

/// All blocks of a VPC, for filters.
pub(super) fn blocks_of(vpc: &Vpc) -> Vec<String> {
    vpc.blocks.iter().filter_map(|b| Cidr::parse(&b.cidr)).map(|c| c.to_string()).collect()
}

//! The Describe calls of EC2: which things, by which filters.
//! Changes nothing.

use super::listing::{Filter, Listing, dry_run, keep};
use super::model::{State, Tags};
use super::{fault, offerings, tags, views, zones};
use crate::wire::{Call, Reply, ServiceError};
use crate::world::{ACCOUNT, Moment};

/// Answers a Describe call; None when the call is another one.
pub(super) fn answer(net: &State, _cx: &Moment<'_>, call: &Call) -> Result<Option<Reply>, ServiceError> {
    match call.operation.as_str() {
        "DescribeVpcs" => vpcs().answer(net, call, net.vpcs.values()),
        "DescribeSubnets" => subnets().answer(net, call, net.subnets.values()),
        "DescribeInternetGateways" => internet_gateways().answer(net, call, net.internet_gateways.values()),
        "DescribeAddresses" => addresses().answer(net, call, net.addresses.values()),
        "DescribeNatGateways" => nat_gateways().answer(net, call, net.nat_gateways.values()),
        "DescribeRouteTables" => route_tables().answer(net, call, net.route_tables.values()),
        "DescribeSecurityGroups" => groups().answer(net, call, net.security_groups.values()),
        "DescribeSecurityGroupRules" => rules().answer(net, call, net.rules.values()),
        "DescribeVpcEndpoints" => endpoints().answer(net, call, net.endpoints.values()),
        "DescribeNetworkInterfaces" => interfaces().answer(net, call, net.interfaces.values()),
        "DescribeAvailabilityZones" => availability_zones(net, call).map(Some),
        "DescribeRegions" => regions(call).map(Some),
        "DescribeInstanceTypeOfferings" => offerings::answer(net, call).map(Some),
        "DescribeTags" => tags::describe(net, call).map(Some),
        "DescribeVpcAttribute" => vpc_attribute(net, call).map(Some),
        _ => Ok(None),
    }
}

fn one(value: impl ToString) -> Option<Vec<String>> {
    Some(vec![value.to_string()])
}

fn any<T: ToString>(values: impl IntoIterator<Item = T>) -> Option<Vec<String>> {
    Some(values.into_iter().map(|value| value.to_string()).collect())
}

fn vpcs() -> Listing<super::model::Vpc> {
    Listing {
        ids: "VpcId",
        set: "vpcSet",
        id: |vpc| &vpc.id,
        exists: |net, id| net.vpc(id).map(drop),
        tags: |vpc| &vpc.tags,
        look: |_, vpc, name| match name {
            "vpc-id" => one(&vpc.id),
            "state" => one("available"),
            "cidr" => one(&vpc.blocks.first()?.cidr),
            "cidr-block-association.cidr-block" => Some(views::blocks_of(vpc)),
            "cidr-block-association.association-id" => any(vpc.blocks.iter().map(|b| &b.association)),
            "is-default" => one(false),
            "owner-id" => one(ACCOUNT),
            _ => None,
        },
        write: views::vpc,
    }
}

fn subnets() -> Listing<super::model::Subnet> {
    Listing {
        ids: "SubnetId",
        set: "subnetSet",
        id: |subnet| &subnet.id,
        exists: |net, id| net.subnet(id).map(drop),
        tags: |subnet| &subnet.tags,
        look: |net, subnet, name| match name {
            "subnet-id" => one(&subnet.id),
            "vpc-id" => one(&subnet.vpc),
            "cidr" | "cidr-block" | "cidrBlock" => one(&subnet.cidr),
            "availability-zone" | "availabilityZone" => one(&subnet.zone),
            "availability-zone-id" | "availabilityZoneId" => one(&subnet.zone_id),
            "state" => one("available"),
            "default-for-az" | "defaultForAz" => one(false),
            "map-public-ip-on-launch" => one(subnet.public_ip),
            "available-ip-address-count" => one(net.free_addresses(subnet)),
            "owner-id" => one(ACCOUNT),
            _ => None,
        },
        write: views::subnet,
    }
}

fn internet_gateways() -> Listing<super::model::InternetGateway> {
    Listing {
        ids: "InternetGatewayId",
        set: "internetGatewaySet",
        id: |gateway| &gateway.id,
        exists: |net, id| match net.internet_gateways.contains_key(id) {
            true => Ok(()),
            false => {
                Err(fault("InvalidInternetGatewayID.NotFound", format!("The internetGateway ID '{id}' does not exist")))
            }
        },
        tags: |gateway| &gateway.tags,
        look: |_, gateway, name| match name {
            "internet-gateway-id" => one(&gateway.id),
            "attachment.vpc-id" => any(&gateway.vpc),
            "attachment.state" => any(gateway.vpc.iter().map(|_| "available")),
            "owner-id" => one(ACCOUNT),
            _ => None,
        },
        write: views::internet_gateway,
    }
}

fn addresses() -> Listing<super::model::Address> {
    Listing {
        ids: "AllocationId",
        set: "addressesSet",
        id: |address| &address.allocation,
        exists: |net, id| net.address(id).map(drop),
        tags: |address| &address.tags,
        look: |_, address, name| match name {
            "allocation-id" => one(&address.allocation),
            "association-id" => any(&address.association),
            "network-interface-id" => any(&address.interface),
            "public-ip" => one(&address.public_ip),
            "domain" => one("vpc"),
            _ => None,
        },
        write: views::address,
    }
}

fn nat_gateways() -> Listing<super::model::NatGateway> {
    Listing {
        ids: "NatGatewayId",
        set: "natGatewaySet",
        id: |gateway| &gateway.id,
        exists: |net, id| net.nat_gateway(id).map(drop),
        tags: |gateway| &gateway.tags,
        look: |_, gateway, name| match name {
            "nat-gateway-id" => one(&gateway.id),
            "vpc-id" => one(&gateway.vpc),
            "subnet-id" => one(&gateway.subnet),
            "state" => one(views::nat_state(gateway.state)),
            _ => None,
        },
        write: views::nat_gateway,
    }
}

fn route_tables() -> Listing<super::model::RouteTable> {
    Listing {
        ids: "RouteTableId",
        set: "routeTableSet",
        id: |table| &table.id,
        exists: |net, id| net.route_table(id).map(drop),
        tags: |table| &table.tags,
        look: |_, table, name| match name {
            "route-table-id" => one(&table.id),
            "vpc-id" => one(&table.vpc),
            "association.subnet-id" => any(table.associations.values()),
            "association.route-table-association-id" => any(table.associations.keys().chain(&table.main)),
            "association.main" => {
                let own = table.associations.keys().map(|_| false);
                any(own.chain(table.main.iter().map(|_| true)))
            }
            "route.destination-cidr-block" => any(table.routes.iter().map(|r| &r.destination)),
            "owner-id" => one(ACCOUNT),
            _ => None,
        },
        write: views::route_table,
    }
}

fn groups() -> Listing<super::model::SecurityGroup> {
    Listing {
        ids: "GroupId",
        set: "securityGroupInfo",
        id: |group| &group.id,
        exists: |net, id| net.group(id).map(drop),
        tags: |group| &group.tags,
        look: |_, group, name| match name {
            "group-id" => one(&group.id),
            "group-name" => one(&group.name),
            "description" => one(&group.description),
            "vpc-id" => one(&group.vpc),
            "owner-id" => one(ACCOUNT),
            _ => None,
        },
        write: views::security_group,
    }
}

fn rules() -> Listing<super::model::Rule> {
    Listing {
        ids: "SecurityGroupRuleId",
        set: "securityGroupRuleSet",
        id: |rule| &rule.id,
        exists: |net, id| match net.rules.contains_key(id) {
            true => Ok(()),
            false => {
                let text = format!("The security group rule ID '{id}' does not exist");
                Err(fault("InvalidSecurityGroupRuleId.NotFound", text))
            }
        },
        tags: |rule| &rule.tags,
        look: |_, rule, name| match name {
            "group-id" => one(&rule.group),
            "security-group-rule-id" => one(&rule.id),
            _ => None,
        },
        write: views::rule,
    }
}

fn endpoints() -> Listing<super::model::Endpoint> {
    Listing {
        ids: "VpcEndpointId",
        set: "vpcEndpointSet",
        id: |endpoint| &endpoint.id,
        exists: |net, id| net.endpoint(id).map(drop),
        tags: |endpoint| &endpoint.tags,
        look: |_, endpoint, name| match name {
            "vpc-endpoint-id" => one(&endpoint.id),
            "vpc-id" => one(&endpoint.vpc),
            "service-name" => one(&endpoint.service),
            "vpc-endpoint-type" => one("Gateway"),
            "vpc-endpoint-state" => one("available"),
            _ => None,
        },
        write: views::endpoint,
    }
}

fn interfaces() -> Listing<super::model::Interface> {
    Listing {
        ids: "NetworkInterfaceId",
        set: "networkInterfaceSet",
        id: |interface| &interface.id,
        exists: |net, id| match net.interfaces.contains_key(id) {
            true => Ok(()),
            false => {
                let text = format!("The networkInterface ID '{id}' does not exist");
                Err(fault("InvalidNetworkInterfaceID.NotFound", text))
            }
        },
        tags: |interface| &interface.tags,
        look: |_, interface, name| match name {
            "network-interface-id" => one(&interface.id),
            "vpc-id" => one(&interface.vpc),
            "subnet-id" => one(&interface.subnet),
            "group-id" => any(&interface.groups),
            "status" => one("in-use"),
            "description" => one(&interface.description),
            "interface-type" => one(&interface.kind),
            "availability-zone" => one(&interface.zone),
            "requester-id" => one(&interface.requester),
            "private-ip-address" | "addresses.private-ip-address" => any(&interface.addresses),
            "attachment.instance-id" => any(&interface.instance),
            "owner-id" => one(ACCOUNT),
            _ => None,
        },
        write: views::interface,
    }
}

fn availability_zones(net: &State, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    dry_run(&mut form)?;
    let (names, ids) = (form.texts("ZoneName"), form.texts("ZoneId"));
    let _opted_in_or_not = form.flag("AllAvailabilityZones")?;
    let filters = Filter::take(&mut form)?;
    form.finish()?;
    for wanted in names.iter().chain(&ids) {
        if zones::find(&net.region, wanted).is_none() {
            return Err(fault("InvalidParameterValue", format!("Invalid availability zone: [{wanted}]")));
        }
    }
    let mut found = Vec::new();
    for zone in zones::zones(&net.region) {
        let asked = (names.is_empty() || names.contains(&zone.name)) && (ids.is_empty() || ids.contains(&zone.id));
        let look = |name: &str| match name {
            "zone-name" => one(&zone.name),
            "zone-id" => one(&zone.id),
            "region-name" => one(&net.region),
            "state" => one("available"),
            "opt-in-status" => one("opt-in-not-required"),
            "zone-type" => one("availability-zone"),
            _ => None,
        };
        if asked && keep(&filters, &Tags::new(), look)? {
            found.push(zone);
        }
    }
    Ok(Reply::ec2(call, |xml| {
        xml.list("availabilityZoneInfo", "item", found, |xml, zone| {
            xml.text("zoneState", "available");
            xml.text("optInStatus", "opt-in-not-required");
            xml.text("regionName", &net.region);
            xml.text("zoneName", &zone.name);
            xml.text("zoneId", &zone.id);
            xml.text("groupName", &net.region);
            xml.text("networkBorderGroup", &net.region);
            xml.text("zoneType", "availability-zone");
        });
    }))
}

fn regions(call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    dry_run(&mut form)?;
    let names = form.texts("RegionName");
    let _all = form.flag("AllRegions")?;
    let filters = Filter::take(&mut form)?;
    form.finish()?;
    if let Some(unknown) = names.iter().find(|name| zones::zones(name).is_empty()) {
        return Err(fault("InvalidParameterValue", format!("Invalid value '{unknown}' for RegionName.")));
    }
    let mut found = Vec::new();
    for region in zones::regions().filter(|region| names.is_empty() || names.iter().any(|name| name == region)) {
        let look = |name: &str| match name {
            "region-name" => one(region),
            "endpoint" => one(format!("ec2.{region}.amazonaws.com")),
            "opt-in-status" => one("opt-in-not-required"),
            _ => None,
        };
        if keep(&filters, &Tags::new(), look)? {
            found.push(region);
        }
    }
    Ok(Reply::ec2(call, |xml| {
        xml.list("regionInfo", "item", found, |xml, region| {
            xml.text("regionName", region);
            xml.text("regionEndpoint", format!("ec2.{region}.amazonaws.com"));
            xml.text("optInStatus", "opt-in-not-required");
        });
    }))
}

fn vpc_attribute(net: &State, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    dry_run(&mut form)?;
    let (id, attribute) = (form.need("VpcId")?, form.need("Attribute")?);
    form.finish()?;
    let vpc = net.vpc(&id)?;
    let value = match attribute.as_str() {
        "enableDnsSupport" => vpc.dns_support,
        "enableDnsHostnames" => vpc.dns_hostnames,
        other => return Err(ServiceError::not_part(format!("VPC attribute {other}"))),
    };
    Ok(Reply::ec2(call, |xml| {
        xml.text("vpcId", &id);
        xml.nest(&attribute, |xml| xml.text("value", value));
    }))
}

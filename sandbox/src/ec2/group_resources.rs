//! EC2's security groups and rules for CloudFormation.
//! Knows nothing of stacks.

use super::model::{Peer, Permission};
use super::network;
use super::resources::gone_is_fine;
use crate::cfn_resource::properties::{Properties, invalid};
use crate::cfn_resource::{Created, Given, Made, Tags};
use crate::wire::ServiceError;
use crate::world::{Moment, State};
use serde_json::json;

const GROUP: &[&str] =
    &["GroupDescription", "GroupName", "VpcId", "SecurityGroupIngress", "SecurityGroupEgress", "Tags"];

/// Makes `AWS::EC2::SecurityGroup` with the rules stated in it.
pub fn create_security_group(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, GROUP)?;
    let (vpc, name) = (given.need("VpcId")?, given.need("GroupName")?);
    let net = network(state, cx);
    let id = net.add_group(&vpc, &name, &given.need("GroupDescription")?, given.tags(tags)?)?;
    update_security_group(state, cx, &id, properties, tags)
}

/// Changes the stated rules and the tags of `AWS::EC2::SecurityGroup`.
pub fn update_security_group(
    state: &mut State,
    cx: &Moment<'_>,
    id: &str,
    properties: Given<'_>,
    tags: Tags<'_>,
) -> Created {
    let given = Properties::of(properties, GROUP)?;
    let net = network(state, cx);
    let vpc = net.group(id)?.vpc.clone();
    let mut wanted = Vec::new();
    for (name, egress) in [("SecurityGroupIngress", false), ("SecurityGroupEgress", true)] {
        for rule in given.objects(name)? {
            wanted.push(permission(rule, egress, &[])?);
        }
    }
    if wanted.iter().any(|(permission, _)| permission.egress) {
        net.drop_default_egress(id);
    }
    for (permission, description) in wanted {
        let permission = permission.normal()?;
        if !net.rules_of(id).any(|rule| rule.permission == permission) {
            net.add_rule(id, permission, description, vec![])?;
        }
    }
    net.security_groups.get_mut(id).expect("it was found just now").tags = given.tags(tags)?;
    Ok(Made::new(id, json!({ "GroupId": id, "Id": id, "VpcId": vpc })))
}

/// Deletes `AWS::EC2::SecurityGroup`.
pub fn delete_security_group(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    gone_is_fine(network(state, cx).remove_group(id))
}

/// Makes `AWS::EC2::SecurityGroupIngress`.
pub fn create_security_group_ingress(
    state: &mut State,
    cx: &Moment<'_>,
    properties: Given<'_>,
    _tags: Tags<'_>,
) -> Created {
    create_rule(state, cx, properties, false)
}

/// Makes `AWS::EC2::SecurityGroupEgress`; the group's default egress rule goes, as CloudFormation does it.
pub fn create_security_group_egress(
    state: &mut State,
    cx: &Moment<'_>,
    properties: Given<'_>,
    _tags: Tags<'_>,
) -> Created {
    create_rule(state, cx, properties, true)
}

fn create_rule(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, egress: bool) -> Created {
    let (permission, description) = permission(properties, egress, &["GroupId"])?;
    let group = Properties::of(properties, &[&RULE[..], &["GroupId"]].concat())?.need("GroupId")?;
    let net = network(state, cx);
    net.group(&group)?;
    if egress {
        net.drop_default_egress(&group);
    }
    let id = net.add_rule(&group, permission, description, vec![])?;
    Ok(Made::new(&id, json!({ "Id": id })))
}

/// Deletes `AWS::EC2::SecurityGroupIngress`.
pub fn delete_security_group_ingress(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    gone_is_fine(network(state, cx).remove_rule(id))
}

/// Deletes `AWS::EC2::SecurityGroupEgress`.
pub fn delete_security_group_egress(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    gone_is_fine(network(state, cx).remove_rule(id))
}

const RULE: [&str; 10] = [
    "IpProtocol",
    "FromPort",
    "ToPort",
    "CidrIp",
    "CidrIpv6",
    "SourceSecurityGroupId",
    "DestinationSecurityGroupId",
    "SourcePrefixListId",
    "DestinationPrefixListId",
    "Description",
];

fn permission(rule: Given<'_>, egress: bool, more: &[&str]) -> Result<(Permission, Option<String>), ServiceError> {
    let (group, prefix_list) = if egress {
        ("DestinationSecurityGroupId", "DestinationPrefixListId")
    } else {
        ("SourceSecurityGroupId", "SourcePrefixListId")
    };
    let given = Properties::of(rule, &[&RULE[..], more].concat())?;
    let peers = [
        given.text("CidrIp").map(Peer::Cidr),
        given.text("CidrIpv6").map(Peer::CidrV6),
        given.text(group).map(Peer::Group),
        given.text(prefix_list).map(Peer::PrefixList),
    ];
    let mut peers: Vec<Peer> = peers.into_iter().flatten().collect();
    let (Some(peer), true) = (peers.pop(), peers.is_empty()) else {
        return Err(invalid(format!(
            "Exactly one of CidrIp, CidrIpv6, {prefix_list}, {group} must be specified and not empty"
        )));
    };
    let permission = Permission {
        egress,
        protocol: given.need("IpProtocol")?,
        from: given.number("FromPort")?,
        to: given.number("ToPort")?,
        peer,
    };
    Ok((permission, given.text("Description")))
}

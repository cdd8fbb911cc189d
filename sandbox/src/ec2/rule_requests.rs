//! The calls of EC2 that make and delete security groups and their rules.
//! Knows the wire form of a permission; what a rule may say is in `security`.

use super::model::{Peer, Permission, Rule, State};
use super::tags::specified;
use super::{fault, views};
use crate::wire::{Call, Form, Reply, ServiceError};

type Stated = (Permission, Option<String>);
/// A list in a permission, the member that holds its value, and what the value is.
type PeerKind = (&'static str, &'static str, fn(String) -> Peer);

/// Answers a call about security groups.
pub(super) fn answer(net: &mut State, call: &Call, mut form: Form) -> Result<Reply, ServiceError> {
    let egress = call.operation.ends_with("Egress");
    match call.operation.as_str() {
        "CreateSecurityGroup" => {
            let (name, description) = (form.need("GroupName")?, form.need("GroupDescription")?);
            let vpc = form.need("VpcId")?;
            let tags = specified(&mut form, "security-group")?;
            form.finish()?;
            let id = net.add_group(&vpc, &name, &description, tags)?;
            let tags = &net.group(&id)?.tags;
            Ok(Reply::ec2(call, |xml| {
                xml.text("return", true);
                xml.text("groupId", &id);
                views::tag_set(xml, tags);
            }))
        }
        "DeleteSecurityGroup" => {
            let id = form.need("GroupId")?;
            form.finish()?;
            net.remove_group(&id)?;
            Ok(Reply::ec2(call, |xml| {
                xml.text("return", true);
                xml.text("groupId", &id);
            }))
        }
        "AuthorizeSecurityGroupIngress" | "AuthorizeSecurityGroupEgress" => {
            let group = form.need("GroupId")?;
            let stated = permissions(&mut form, egress)?;
            let tags = specified(&mut form, "security-group-rule")?;
            form.finish()?;
            // All or none: a rule that is refused must not leave the ones before it behind.
            let mut trial = net.clone();
            let mut ids = Vec::new();
            for (permission, description) in stated {
                ids.push(trial.add_rule(&group, permission, description, tags.clone())?);
            }
            *net = trial;
            let rules: Vec<&Rule> = ids.iter().filter_map(|id| net.rules.get(id)).collect();
            Ok(Reply::ec2(call, |xml| {
                xml.text("return", true);
                xml.list("securityGroupRuleSet", "item", rules, |xml, rule| views::rule(xml, net, rule));
            }))
        }
        _ => {
            let group = form.need("GroupId")?;
            let ids = form.texts("SecurityGroupRuleId");
            let stated = if ids.is_empty() { permissions(&mut form, egress)? } else { vec![] };
            form.finish()?;
            let mut trial = net.clone();
            for id in &ids {
                trial.remove_rule(id)?;
            }
            for (permission, _) in stated {
                trial.revoke(&group, permission)?;
            }
            *net = trial;
            Ok(Reply::ec2(call, |xml| xml.text("return", true)))
        }
    }
}

/// The permissions of a call: a list of them, or one spelled out in the call itself.
fn permissions(form: &mut Form, egress: bool) -> Result<Vec<Stated>, ServiceError> {
    let mut stated = Vec::new();
    for mut permission in form.list("IpPermissions") {
        let peers = peers(&mut permission)?;
        let (protocol, from, to) = ports(&mut permission)?;
        permission.finish()?;
        for (peer, description) in peers {
            let protocol = protocol.clone();
            stated.push((Permission { egress, protocol, from, to, peer }, description));
        }
    }
    if let Some(cidr) = form.take("CidrIp") {
        let (protocol, from, to) = ports(form)?;
        stated.push((Permission { egress, protocol, from, to, peer: Peer::Cidr(cidr) }, None));
    }
    if stated.is_empty() {
        return Err(fault("MissingParameter", "Either 'ipPermissions' or 'securityGroupRuleIds' should be provided."));
    }
    Ok(stated)
}

fn ports(form: &mut Form) -> Result<(String, Option<i64>, Option<i64>), ServiceError> {
    Ok((form.need("IpProtocol")?, form.number("FromPort")?, form.number("ToPort")?))
}

fn peers(form: &mut Form) -> Result<Vec<(Peer, Option<String>)>, ServiceError> {
    let mut peers = Vec::new();
    let kinds: [PeerKind; 4] = [
        ("IpRanges", "CidrIp", Peer::Cidr),
        ("Ipv6Ranges", "CidrIpv6", Peer::CidrV6),
        ("Groups", "GroupId", Peer::Group),
        ("PrefixListIds", "PrefixListId", Peer::PrefixList),
    ];
    for (list, member, kind) in kinds {
        for mut item in form.list(list) {
            let peer = kind(item.need(member)?);
            let description = item.take("Description");
            let _own_account = item.take("UserId");
            item.finish()?;
            peers.push((peer, description));
        }
    }
    Ok(peers)
}

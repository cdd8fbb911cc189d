//! Security groups and their rules.
//! Knows nothing of the wire or of CloudFormation.

use super::cidr::Cidr;
use super::fault;
pub(crate) use super::model::Permission;
use super::model::{Peer, Rule, SecurityGroup, State, Tags};
use crate::wire::ServiceError;

/// Rules a group and direction (the default quota).
const RULE_QUOTA: usize = 60;

impl Permission {
    /// All protocols and ports.
    pub(crate) fn all(egress: bool, peer: Peer) -> Permission {
        Permission { egress, protocol: "-1".into(), from: None, to: None, peer }
    }

    /// The same permission as EC2 keeps it: protocol names for numbers, no ports for "all".
    pub(crate) fn normal(mut self) -> Result<Permission, ServiceError> {
        self.protocol = match self.protocol.to_lowercase().as_str() {
            "-1" | "all" => "-1".into(),
            "6" | "tcp" => "tcp".into(),
            "17" | "udp" => "udp".into(),
            "1" | "icmp" => "icmp".into(),
            "58" | "icmpv6" => "icmpv6".into(),
            other if other.parse::<u8>().is_ok() => other.to_owned(),
            other => {
                let text = format!("Invalid value '{other}' for IP protocol. Unknown protocol.");
                return Err(fault("InvalidParameterValue", text));
            }
        };
        if self.protocol == "-1" {
            self.from = None;
            self.to = None;
        } else if matches!(self.protocol.as_str(), "tcp" | "udp") {
            let (Some(from), Some(to)) = (self.from, self.to) else {
                let text = "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.";
                return Err(fault("InvalidParameterValue", text));
            };
            if !(0..=65535).contains(&from) || !(0..=65535).contains(&to) || from > to {
                let text = format!("Invalid TCP/UDP port range ({from}:{to})");
                return Err(fault("InvalidParameterValue", text));
            }
        }
        if let Peer::Cidr(cidr) = &self.peer {
            let block = Cidr::parse(cidr)
                .ok_or_else(|| fault("InvalidParameterValue", format!("CIDR block {cidr} is malformed")))?;
            self.peer = Peer::Cidr(block.to_string());
        }
        Ok(self)
    }

    fn in_words(&self) -> String {
        let peer = match &self.peer {
            Peer::Cidr(peer) | Peer::CidrV6(peer) | Peer::Group(peer) | Peer::PrefixList(peer) => peer,
        };
        match (self.protocol.as_str(), self.from, self.to) {
            ("-1", _, _) => format!("peer: {peer}, ALL, ALLOW"),
            (protocol, Some(from), Some(to)) => {
                format!("peer: {peer}, {}, from port: {from}, to port: {to}, ALLOW", protocol.to_uppercase())
            }
            (protocol, _, _) => format!("peer: {peer}, {}, ALLOW", protocol.to_uppercase()),
        }
    }
}

impl State {
    /// Makes a security group; all traffic out is allowed until that rule is revoked.
    pub(crate) fn add_group(
        &mut self,
        vpc: &str,
        name: &str,
        description: &str,
        tags: Tags,
    ) -> Result<String, ServiceError> {
        self.vpc(vpc)?;
        if name.starts_with("sg-") || name.is_empty() || name.len() > 255 {
            let text = format!(
                "Invalid value '{name}' for groupName. It must be 1 to 255 characters and must not begin with sg-."
            );
            return Err(fault("InvalidParameterValue", text));
        }
        if self.security_groups.values().any(|g| g.vpc == vpc && g.name == name) {
            let text = format!("The security group '{name}' already exists for VPC '{vpc}'");
            return Err(fault("InvalidGroup.Duplicate", text));
        }
        let id = self.new_id("sg");
        let group = SecurityGroup {
            id: id.clone(),
            vpc: vpc.to_owned(),
            name: name.to_owned(),
            description: description.to_owned(),
            tags,
        };
        self.security_groups.insert(id.clone(), group);
        self.put_default_egress(&id);
        Ok(id)
    }

    /// The security group of this id, or EC2's error.
    pub(crate) fn group(&self, id: &str) -> Result<&SecurityGroup, ServiceError> {
        self.security_groups
            .get(id)
            .ok_or_else(|| fault("InvalidGroup.NotFound", format!("The security group '{id}' does not exist")))
    }

    /// The rules of a group.
    pub(crate) fn rules_of<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Rule> {
        self.rules.values().filter(move |rule| rule.group == group)
    }

    /// Adds a rule to a group; a rule that is there already is refused.
    pub(crate) fn add_rule(
        &mut self,
        group: &str,
        permission: Permission,
        description: Option<String>,
        tags: Tags,
    ) -> Result<String, ServiceError> {
        self.group(group)?;
        let permission = permission.normal()?;
        if let Peer::Group(peer) = &permission.peer {
            self.group(peer)?;
        }
        if self.rules_of(group).any(|rule| rule.permission == permission) {
            let text = format!("the specified rule \"{}\" already exists", permission.in_words());
            return Err(fault("InvalidPermission.Duplicate", text));
        }
        if self.rules_of(group).filter(|r| r.permission.egress == permission.egress).count() >= RULE_QUOTA {
            let text = "The maximum number of rules per security group has been reached.";
            return Err(fault("RulesPerSecurityGroupLimitExceeded", text));
        }
        Ok(self.put_rule(group, permission, description, tags))
    }

    /// Writes a rule that is known to be right.
    pub(crate) fn put_rule(
        &mut self,
        group: &str,
        permission: Permission,
        description: Option<String>,
        tags: Tags,
    ) -> String {
        let id = self.new_id("sgr");
        let rule = Rule { id: id.clone(), group: group.to_owned(), permission, description, by_default: false, tags };
        self.rules.insert(id.clone(), rule);
        id
    }

    /// Writes the rule that every new group has: all traffic out.
    pub(crate) fn put_default_egress(&mut self, group: &str) {
        let open = Permission::all(true, Peer::Cidr("0.0.0.0/0".into()));
        let id = self.put_rule(group, open, None, vec![]);
        if let Some(rule) = self.rules.get_mut(&id) {
            rule.by_default = true;
        }
    }

    /// Takes that rule away, as CloudFormation does when a template states egress rules.
    pub(crate) fn drop_default_egress(&mut self, group: &str) {
        self.rules.retain(|_, rule| rule.group != group || !rule.by_default);
    }

    /// Takes a rule away by its id.
    pub(crate) fn remove_rule(&mut self, id: &str) -> Result<(), ServiceError> {
        self.rules.remove(id).map(|_| ()).ok_or_else(|| {
            fault("InvalidSecurityGroupRuleId.NotFound", format!("The security group rule ID '{id}' does not exist"))
        })
    }

    /// Takes a rule away by what it says.
    pub(crate) fn revoke(&mut self, group: &str, permission: Permission) -> Result<(), ServiceError> {
        self.group(group)?;
        let permission = permission.normal()?;
        let id = self.rules_of(group).find(|rule| rule.permission == permission).map(|rule| rule.id.clone());
        let id = id.ok_or_else(|| {
            fault("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
        })?;
        self.remove_rule(&id)
    }

    /// Deletes a group that no interface uses and no other group's rule names.
    pub(crate) fn remove_group(&mut self, id: &str) -> Result<(), ServiceError> {
        if self.group(id)?.name == "default" {
            let text = format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user");
            return Err(fault("CannotDelete", text));
        }
        let named = |rule: &Rule| rule.group != id && rule.permission.peer == Peer::Group(id.to_owned());
        if self.interfaces.values().any(|i| i.groups.iter().any(|g| g == id)) || self.rules.values().any(named) {
            return Err(fault("DependencyViolation", format!("resource {id} has a dependent object")));
        }
        self.rules.retain(|_, rule| rule.group != id);
        self.security_groups.remove(id);
        Ok(())
    }

    /// Whether a group lets all traffic in from itself and out to itself, as EFA needs it.
    pub(crate) fn self_reference(&self, group: &str) -> SelfReference {
        let open = |egress: bool| {
            let own = Permission::all(egress, Peer::Group(group.to_owned()));
            self.rules_of(group).any(|rule| rule.permission == own)
        };
        SelfReference { ingress: open(false), egress: open(true) }
    }
}

/// Which ways a security group lets all traffic pass between its own members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelfReference {
    /// All traffic in from the group itself.
    pub ingress: bool,
    /// All traffic out to the group itself (a rule to `0.0.0.0/0` is not one).
    pub egress: bool,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Permission, SelfReference};
    use crate::ec2::model::{Peer, State};

    fn tcp(from: i64, to: i64) -> Permission {
        let peer = Peer::Cidr("10.0.0.0/8".into());
        Permission { egress: false, protocol: "tcp".into(), from: Some(from), to: Some(to), peer }
    }

    #[test]
    fn rules_are_unique_checked_and_revocable() {
        let mut net = State::in_region("us-west-2");
        let vpc = net.add_vpc("10.0.0.0/16", "default", vec![]).unwrap();
        let group = net.add_group(&vpc, "nodes", "nodes", vec![]).unwrap();
        assert_eq!(net.add_group(&vpc, "nodes", "again", vec![]).unwrap_err().code, "InvalidGroup.Duplicate");
        net.add_rule(&group, tcp(988, 988), None, vec![]).unwrap();
        let twice = net.add_rule(&group, tcp(988, 988), None, vec![]).unwrap_err();
        assert!(twice.message.contains("from port: 988, to port: 988"), "{}", twice.message);
        for bad in [tcp(5, 4), tcp(0, 70000), Permission { from: None, ..tcp(1, 1) }] {
            assert_eq!(net.add_rule(&group, bad, None, vec![]).unwrap_err().code, "InvalidParameterValue");
        }
        net.revoke(&group, Permission { protocol: "6".into(), ..tcp(988, 988) }).unwrap();
        assert_eq!(net.revoke(&group, tcp(988, 988)).unwrap_err().code, "InvalidPermission.NotFound");
    }

    #[test]
    fn a_group_that_another_one_names_stays() {
        let mut net = State::in_region("us-west-2");
        let vpc = net.add_vpc("10.0.0.0/16", "default", vec![]).unwrap();
        let a = net.add_group(&vpc, "a", "a", vec![]).unwrap();
        let b = net.add_group(&vpc, "b", "b", vec![]).unwrap();
        net.add_rule(&a, Permission::all(false, Peer::Group(a.clone())), None, vec![]).unwrap();
        let rule = net.add_rule(&b, Permission::all(false, Peer::Group(a.clone())), None, vec![]).unwrap();
        assert_eq!(net.self_reference(&a), SelfReference { ingress: true, egress: false });
        assert_eq!(net.remove_group(&a).unwrap_err().code, "DependencyViolation");
        net.remove_rule(&rule).unwrap();
        net.remove_group(&a).unwrap();
        assert_eq!(net.rules_of(&a).count(), 0);
    }
}

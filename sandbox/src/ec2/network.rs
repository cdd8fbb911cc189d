//! VPCs, their address blocks, and subnets: making, finding, deleting, with EC2's rules.
//! Knows nothing of the wire or of CloudFormation.

use super::cidr::Cidr;
use super::model::{Block, RouteTable, SecurityGroup, State, Subnet, Tags, Target, Vpc};
use super::security::Permission;
use super::{fault, zones};
use crate::wire::ServiceError;

/// VPCs a region (the default quota). The sandbox's account has no default VPC.
pub(super) const VPC_QUOTA: usize = 5;
/// IPv4 blocks a VPC, the primary one counted (the default quota).
const BLOCK_QUOTA: usize = 5;
/// Addresses that AWS keeps of every subnet: the first four and the last.
const RESERVED: u64 = 5;

/// What a new subnet is to be.
#[derive(Debug, Default)]
pub(crate) struct NewSubnet {
    pub vpc: String,
    pub cidr: String,
    /// A zone's name or id; None lets EC2 choose.
    pub zone: Option<String>,
    pub public_ip: bool,
    pub tags: Tags,
}

impl State {
    /// Makes a VPC with its main route table and default security group.
    pub(crate) fn add_vpc(&mut self, cidr: &str, tenancy: &str, tags: Tags) -> Result<String, ServiceError> {
        let block = vpc_block(cidr)?;
        if self.vpcs.len() >= VPC_QUOTA {
            return Err(fault("VpcLimitExceeded", "The maximum number of VPCs has been reached."));
        }
        let id = self.new_id("vpc");
        let association = self.new_id("vpc-cidr-assoc");
        let vpc = Vpc {
            id: id.clone(),
            blocks: vec![Block { association, cidr: block.to_string() }],
            dns_support: true,
            dns_hostnames: false,
            tenancy: tenancy.to_owned(),
            tags,
        };
        self.vpcs.insert(id.clone(), vpc);
        let main = self.new_id("rtbassoc");
        let table = self.new_id("rtb");
        let routes = vec![super::model::Route { destination: block.to_string(), target: Target::Local }];
        self.route_tables.insert(
            table.clone(),
            RouteTable {
                id: table,
                vpc: id.clone(),
                main: Some(main),
                routes,
                associations: Default::default(),
                tags: vec![],
            },
        );
        self.add_default_group(&id);
        Ok(id)
    }

    fn add_default_group(&mut self, vpc: &str) {
        let id = self.new_id("sg");
        let group = SecurityGroup {
            id: id.clone(),
            vpc: vpc.to_owned(),
            name: "default".into(),
            description: "default VPC security group".into(),
            tags: vec![],
        };
        self.security_groups.insert(id.clone(), group);
        self.put_default_egress(&id);
        self.put_rule(&id, Permission::all(false, super::model::Peer::Group(id.clone())), None, vec![]);
    }

    /// The VPC of this id, or EC2's error.
    pub(crate) fn vpc(&self, id: &str) -> Result<&Vpc, ServiceError> {
        self.vpcs.get(id).ok_or_else(|| fault("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist")))
    }

    /// The VPC of this id, to change.
    pub(crate) fn vpc_mut(&mut self, id: &str) -> Result<&mut Vpc, ServiceError> {
        self.vpcs.get_mut(id).ok_or_else(|| fault("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist")))
    }

    /// Adds an address block to a VPC; gives the association's id.
    pub(crate) fn add_block(&mut self, vpc: &str, cidr: &str) -> Result<String, ServiceError> {
        let block = vpc_block(cidr)?;
        let found = self.vpc(vpc)?;
        let primary = found.blocks.first().and_then(|b| Cidr::parse(&b.cidr)).expect("a VPC has a primary block");
        if found.blocks.iter().filter_map(|b| Cidr::parse(&b.cidr)).any(|b| b.overlaps(&block)) {
            return Err(fault(
                "InvalidVpc.Range",
                format!("The CIDR '{block}' conflicts with another CIDR of the VPC {vpc}."),
            ));
        }
        if found.blocks.len() >= BLOCK_QUOTA {
            return Err(fault(
                "CidrLimitExceeded",
                format!("This network '{vpc}' has met its maximum number of allowed CIDRs: {BLOCK_QUOTA}"),
            ));
        }
        if mixes_ranges(&primary, &block) {
            let advice = "Use a CIDR from the same private address range as the current VPC CIDR, or use a publicly-routable CIDR.";
            return Err(fault("InvalidVpc.Range", format!("The CIDR '{block}' is restricted. {advice}")));
        }
        let association = self.new_id("vpc-cidr-assoc");
        self.vpc_mut(vpc)?.blocks.push(Block { association: association.clone(), cidr: block.to_string() });
        for table in self.route_tables.values_mut().filter(|table| table.vpc == vpc) {
            table.routes.push(super::model::Route { destination: block.to_string(), target: Target::Local });
        }
        Ok(association)
    }

    /// Takes an address block away from its VPC.
    pub(crate) fn remove_block(&mut self, association: &str) -> Result<(), ServiceError> {
        let missing = || {
            fault(
                "InvalidVpcCidrBlockAssociationID.NotFound",
                format!("The vpc CIDR block association ID '{association}' does not exist"),
            )
        };
        let vpc = self
            .vpcs
            .values()
            .find(|vpc| vpc.blocks.iter().any(|b| b.association == association))
            .map(|vpc| vpc.id.clone())
            .ok_or_else(missing)?;
        let blocks = &self.vpc(&vpc)?.blocks;
        let at = blocks.iter().position(|b| b.association == association).ok_or_else(missing)?;
        let cidr = blocks[at].cidr.clone();
        if at == 0 {
            return Err(fault(
                "OperationNotPermitted",
                format!(
                    "The vpc CIDR block with association ID {association} may not be disassociated. It is the primary IPv4 CIDR block of the VPC"
                ),
            ));
        }
        let block = Cidr::parse(&cidr).expect("a stored block is valid");
        let used = |s: &&Subnet| s.vpc == vpc && Cidr::parse(&s.cidr).is_some_and(|c| block.contains(&c));
        if self.subnets.values().any(|s| used(&s)) {
            return Err(fault(
                "InvalidCidrBlock.InUse",
                format!("The vpc {vpc} currently has a subnet within CIDR block {cidr}"),
            ));
        }
        self.vpc_mut(&vpc)?.blocks.remove(at);
        for table in self.route_tables.values_mut().filter(|table| table.vpc == vpc) {
            table.routes.retain(|route| route.destination != cidr || route.target != Target::Local);
        }
        Ok(())
    }

    /// Deletes a VPC that nothing is left in but what was made with it.
    pub(crate) fn remove_vpc(&mut self, id: &str) -> Result<(), ServiceError> {
        self.vpc(id)?;
        let in_use = self.subnets.values().any(|s| s.vpc == id)
            || self.internet_gateways.values().any(|g| g.vpc.as_deref() == Some(id))
            || self.endpoints.values().any(|e| e.vpc == id)
            || self.interfaces.values().any(|i| i.vpc == id)
            || self.route_tables.values().any(|t| t.vpc == id && t.main.is_none())
            || self.security_groups.values().any(|g| g.vpc == id && g.name != "default");
        if in_use {
            return Err(fault(
                "DependencyViolation",
                format!("The vpc '{id}' has dependencies and cannot be deleted."),
            ));
        }
        let groups: Vec<String> = self.security_groups.values().filter(|g| g.vpc == id).map(|g| g.id.clone()).collect();
        self.rules.retain(|_, rule| !groups.contains(&rule.group));
        self.security_groups.retain(|_, group| group.vpc != id);
        self.route_tables.retain(|_, table| table.vpc != id);
        self.vpcs.remove(id);
        Ok(())
    }

    /// Makes a subnet inside one of its VPC's blocks.
    pub(crate) fn add_subnet(&mut self, new: NewSubnet) -> Result<String, ServiceError> {
        let vpc = self.vpc(&new.vpc)?;
        let invalid = || fault("InvalidSubnet.Range", format!("The CIDR '{}' is invalid.", new.cidr));
        let block = Cidr::parse(&new.cidr).filter(|c| (16..=28).contains(&c.prefix())).ok_or_else(invalid)?;
        if !vpc.blocks.iter().filter_map(|b| Cidr::parse(&b.cidr)).any(|b| b.contains(&block)) {
            return Err(invalid());
        }
        let conflicts = |s: &Subnet| s.vpc == new.vpc && Cidr::parse(&s.cidr).is_some_and(|c| c.overlaps(&block));
        if self.subnets.values().any(conflicts) {
            return Err(fault("InvalidSubnet.Conflict", format!("The CIDR '{block}' conflicts with another subnet")));
        }
        let zone = self.zone(new.zone.as_deref())?;
        let id = self.new_id("subnet");
        let subnet = Subnet {
            id: id.clone(),
            vpc: new.vpc,
            cidr: block.to_string(),
            zone: zone.name,
            zone_id: zone.id,
            public_ip: new.public_ip,
            tags: new.tags,
        };
        self.subnets.insert(id.clone(), subnet);
        Ok(id)
    }

    fn zone(&self, wanted: Option<&str>) -> Result<zones::Zone, ServiceError> {
        let all = zones::zones(&self.region);
        let Some(wanted) = wanted else {
            return all.into_iter().next().ok_or_else(|| {
                fault(
                    "InvalidParameterValue",
                    format!("hprun sandbox: region {} is not part of the sandbox", self.region),
                )
            });
        };
        let by_id = wanted.contains("-az");
        let names: Vec<&str> = all.iter().map(|z| if by_id { z.id.as_str() } else { z.name.as_str() }).collect();
        let parameter = if by_id { "availabilityZoneId" } else { "availabilityZone" };
        zones::find(&self.region, wanted).ok_or_else(|| {
            fault(
                "InvalidParameterValue",
                format!(
                    "Value ({wanted}) for parameter {parameter} is invalid. Subnets can currently only be created in the following availability zones: {}.",
                    names.join(", ")
                ),
            )
        })
    }

    /// The subnet of this id, or EC2's error.
    pub(crate) fn subnet(&self, id: &str) -> Result<&Subnet, ServiceError> {
        self.subnets
            .get(id)
            .ok_or_else(|| fault("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist")))
    }

    /// Addresses of a subnet that no interface has.
    pub(crate) fn free_addresses(&self, subnet: &Subnet) -> u64 {
        let size = Cidr::parse(&subnet.cidr).map_or(0, |c| c.size());
        let used: usize = self.interfaces.values().filter(|i| i.subnet == subnet.id).map(|i| i.addresses.len()).sum();
        size.saturating_sub(RESERVED + used as u64)
    }

    /// Deletes a subnet that no interface is in; its route table association goes with it.
    pub(crate) fn remove_subnet(&mut self, id: &str) -> Result<(), ServiceError> {
        self.subnet(id)?;
        if self.interfaces.values().any(|i| i.subnet == id) {
            let text = format!("The subnet '{id}' has dependencies and cannot be deleted.");
            return Err(fault("DependencyViolation", text));
        }
        for table in self.route_tables.values_mut() {
            table.associations.retain(|_, subnet| subnet != id);
        }
        self.subnets.remove(id);
        Ok(())
    }
}

fn vpc_block(cidr: &str) -> Result<Cidr, ServiceError> {
    Cidr::parse(cidr)
        .filter(|c| (16..=28).contains(&c.prefix()))
        .ok_or_else(|| fault("InvalidVpc.Range", format!("The CIDR '{cidr}' is invalid.")))
}

/// EC2 does not let blocks of different RFC 1918 ranges share a VPC (AWS docs, "VPC CIDR blocks").
fn mixes_ranges(primary: &Cidr, added: &Cidr) -> bool {
    match (primary.private_range(), added.private_range()) {
        (Some(primary), Some(added)) => primary != added,
        (_, None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::NewSubnet;
    use crate::ec2::model::State;

    fn network() -> State {
        State::in_region("us-west-2")
    }

    #[test]
    fn blocks_are_checked_for_overlap_range_and_number() {
        let mut net = network();
        let vpc = net.add_vpc("10.192.0.0/16", "default", vec![]).unwrap();
        for (cidr, code) in [
            ("10.192.128.0/17", "InvalidVpc.Range"),
            ("192.168.0.0/16", "InvalidVpc.Range"),
            ("10.1.0.0/8", "InvalidVpc.Range"),
        ] {
            assert_eq!(net.add_block(&vpc, cidr).unwrap_err().code, code, "{cidr}");
        }
        for n in 1..5 {
            net.add_block(&vpc, &format!("10.{n}.0.0/16")).unwrap();
        }
        assert_eq!(net.add_block(&vpc, "10.9.0.0/16").unwrap_err().code, "CidrLimitExceeded");
    }

    #[test]
    fn a_subnet_lies_in_a_block_of_its_vpc_and_in_a_zone_of_its_region() {
        let mut net = network();
        let vpc = net.add_vpc("10.0.0.0/16", "default", vec![]).unwrap();
        let make = |net: &mut State, cidr: &str, zone: &str| {
            let new =
                NewSubnet { vpc: vpc.clone(), cidr: cidr.into(), zone: Some(zone.into()), ..NewSubnet::default() };
            net.add_subnet(new).map_err(|e| e.code.to_string())
        };
        let id = make(&mut net, "10.0.1.0/24", "usw2-az2").unwrap();
        let subnet = net.subnet(&id).unwrap().clone();
        assert_eq!((subnet.zone.as_str(), net.free_addresses(&subnet)), ("us-west-2b", 251));
        for (cidr, zone, code) in [
            ("10.0.1.128/25", "usw2-az1", "InvalidSubnet.Conflict"),
            ("10.1.0.0/24", "usw2-az1", "InvalidSubnet.Range"),
            ("10.0.2.0/29", "usw2-az1", "InvalidSubnet.Range"),
            ("10.0.2.0/24", "use1-az1", "InvalidParameterValue"),
        ] {
            assert_eq!(make(&mut net, cidr, zone).unwrap_err(), code, "{cidr} {zone}");
        }
        assert_eq!(net.remove_vpc(&vpc).unwrap_err().code, "DependencyViolation");
        net.remove_subnet(&id).unwrap();
        net.remove_vpc(&vpc).unwrap();
        assert!(net.security_groups.is_empty() && net.route_tables.is_empty() && net.rules.is_empty());
    }
}

//! Internet gateways, elastic IP addresses and NAT gateways, with the times a NAT gateway takes.
//! Knows nothing of the wire or of CloudFormation.

use super::fault;
use super::interfaces::NewInterface;
use super::model::{Address, InternetGateway, NatGateway, NatState, State, Tags};
use crate::wire::ServiceError;
use jiff::{SignedDuration, Timestamp};

/// Internet gateways a region and elastic addresses a region (the default quotas).
pub(super) const GATEWAY_QUOTA: usize = 5;
pub(super) const ADDRESS_QUOTA: usize = 5;
/// How long a NAT gateway takes to come, to fail and to go.
const NAT_COMES: SignedDuration = SignedDuration::from_secs(120);
const NAT_FAILS: SignedDuration = SignedDuration::from_secs(20);
const NAT_GOES: SignedDuration = SignedDuration::from_secs(45);
/// How long a deleted NAT gateway is still shown.
const NAT_SHOWN: SignedDuration = SignedDuration::from_hours(1);

impl State {
    /// Makes an internet gateway.
    pub(crate) fn add_internet_gateway(&mut self, tags: Tags) -> Result<String, ServiceError> {
        if self.internet_gateways.len() >= GATEWAY_QUOTA {
            return Err(fault(
                "InternetGatewayLimitExceeded",
                "The maximum number of internet gateways has been reached.",
            ));
        }
        let id = self.new_id("igw");
        self.internet_gateways.insert(id.clone(), InternetGateway { id: id.clone(), vpc: None, tags });
        Ok(id)
    }

    fn internet_gateway(&mut self, id: &str) -> Result<&mut InternetGateway, ServiceError> {
        self.internet_gateways.get_mut(id).ok_or_else(|| {
            fault("InvalidInternetGatewayID.NotFound", format!("The internetGateway ID '{id}' does not exist"))
        })
    }

    /// Attaches an internet gateway to a VPC that has none.
    pub(crate) fn attach(&mut self, gateway: &str, vpc: &str) -> Result<(), ServiceError> {
        self.vpc(vpc)?;
        if self.attached(vpc).is_some_and(|other| other != gateway) {
            let text = format!("Network {vpc} already has an internet gateway attached");
            return Err(fault("InvalidParameterValue", text));
        }
        let found = self.internet_gateway(gateway)?;
        if let Some(at) = &found.vpc {
            let text = format!("resource {gateway} is already attached to network {at}");
            return Err(fault("Resource.AlreadyAssociated", text));
        }
        found.vpc = Some(vpc.to_owned());
        Ok(())
    }

    /// The internet gateway of a VPC.
    pub(crate) fn attached(&self, vpc: &str) -> Option<&str> {
        self.internet_gateways.values().find(|g| g.vpc.as_deref() == Some(vpc)).map(|g| g.id.as_str())
    }

    /// Detaches an internet gateway, unless the VPC has public addresses in use.
    pub(crate) fn detach(&mut self, gateway: &str, vpc: &str) -> Result<(), ServiceError> {
        if self.internet_gateway(gateway)?.vpc.as_deref() != Some(vpc) {
            let text = format!("resource {gateway} is not attached to network {vpc}");
            return Err(fault("Gateway.NotAttached", text));
        }
        if self.interfaces.values().any(|i| i.vpc == vpc && i.public_ip.is_some()) {
            let text = format!(
                "Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
            );
            return Err(fault("DependencyViolation", text));
        }
        self.internet_gateway(gateway)?.vpc = None;
        Ok(())
    }

    /// Deletes an internet gateway that is attached to nothing.
    pub(crate) fn remove_internet_gateway(&mut self, id: &str) -> Result<(), ServiceError> {
        if self.internet_gateway(id)?.vpc.is_some() {
            let text = format!("The internetGateway '{id}' has dependencies and cannot be deleted.");
            return Err(fault("DependencyViolation", text));
        }
        self.internet_gateways.remove(id);
        Ok(())
    }

    /// Allocates an elastic IP address; gives the allocation's id.
    pub(crate) fn add_address(&mut self, tags: Tags) -> Result<String, ServiceError> {
        if self.addresses.len() >= ADDRESS_QUOTA {
            return Err(fault("AddressLimitExceeded", "The maximum number of addresses has been reached."));
        }
        let allocation = self.new_id("eipalloc");
        // 198.51.100.0/24 is for documentation: no machine in the world has such an address.
        let host = (1..255).find(|n| !self.addresses.values().any(|a| a.public_ip == format!("198.51.100.{n}")));
        let public_ip = format!("198.51.100.{}", host.expect("the quota is below 254"));
        let address = Address { allocation: allocation.clone(), public_ip, association: None, interface: None, tags };
        self.addresses.insert(allocation.clone(), address);
        Ok(allocation)
    }

    /// The address of this allocation, or EC2's error.
    pub(crate) fn address(&self, allocation: &str) -> Result<&Address, ServiceError> {
        self.addresses.get(allocation).ok_or_else(|| {
            fault("InvalidAllocationID.NotFound", format!("The allocation ID '{allocation}' does not exist"))
        })
    }

    /// Gives an address back that nothing uses.
    pub(crate) fn remove_address(&mut self, allocation: &str) -> Result<(), ServiceError> {
        let address = self.address(allocation)?;
        if address.association.is_some() {
            let text = format!(
                "Address with allocation id [{allocation}] cannot be released because it is locked to your account or in use"
            );
            return Err(fault("InvalidIPAddress.InUse", text));
        }
        self.addresses.remove(allocation);
        Ok(())
    }

    /// Makes a NAT gateway. Without an internet gateway it is accepted and fails some seconds later, as at EC2.
    pub(crate) fn add_nat_gateway(
        &mut self,
        subnet: &str,
        allocation: Option<&str>,
        tags: Tags,
        now: Timestamp,
    ) -> Result<String, ServiceError> {
        let vpc = self.subnet(subnet)?.vpc.clone();
        let public_ip = match allocation {
            Some(allocation) => {
                let address = self.address(allocation)?;
                if address.association.is_some() {
                    let text = format!("Elastic IP address [{allocation}] is already associated");
                    return Err(fault("Resource.AlreadyAssociated", text));
                }
                Some(address.public_ip.clone())
            }
            None => None,
        };
        let id = self.new_id("nat");
        let failure = (allocation.is_some() && self.attached(&vpc).is_none())
            .then(|| ("Gateway.NotAttached".to_owned(), format!("Network {vpc} has no Internet gateway attached")));
        let interface = self.add_interface(NewInterface {
            subnet: subnet.to_owned(),
            description: format!("Interface for NAT Gateway {id}"),
            kind: "nat_gateway".into(),
            requester: "amazon-aws".into(),
            public_ip: public_ip.clone(),
            addresses: 1,
            ..NewInterface::default()
        })?;
        let private_ip = self.interfaces[&interface].addresses[0].clone();
        if let Some(address) = allocation.and_then(|a| self.addresses.get_mut(a)) {
            address.interface = Some(interface.clone());
            address.association = Some(id.replacen("nat-", "eipassoc-", 1));
        }
        let due = now + if failure.is_some() { NAT_FAILS } else { NAT_COMES };
        let gateway = NatGateway {
            id: id.clone(),
            subnet: subnet.to_owned(),
            vpc,
            allocation: allocation.map(str::to_owned),
            public_ip,
            interface,
            private_ip,
            public: allocation.is_some(),
            state: NatState::Pending,
            failure,
            created: now,
            deleted: None,
            due: Some(due),
            tags,
        };
        self.nat_gateways.insert(id.clone(), gateway);
        Ok(id)
    }

    /// The NAT gateway of this id, or EC2's error.
    pub(crate) fn nat_gateway(&self, id: &str) -> Result<&NatGateway, ServiceError> {
        self.nat_gateways
            .get(id)
            .ok_or_else(|| fault("NatGatewayNotFound", format!("The Nat Gateway {id} was not found")))
    }

    /// Starts to delete a NAT gateway; its interface and address are free when it is gone.
    pub(crate) fn remove_nat_gateway(&mut self, id: &str, now: Timestamp) -> Result<(), ServiceError> {
        self.nat_gateway(id)?;
        let gateway = self.nat_gateways.get_mut(id).expect("it was found just now");
        if !matches!(gateway.state, NatState::Deleting | NatState::Deleted) {
            gateway.state = NatState::Deleting;
            gateway.due = Some(now + NAT_GOES);
        }
        Ok(())
    }

    /// Moves the NAT gateways on to `now`; says whether anything changed.
    pub(crate) fn advance(&mut self, now: Timestamp) -> bool {
        let due = |gateway: &&NatGateway| gateway.due.is_some_and(|due| due <= now);
        let mut ids: Vec<(Option<Timestamp>, String)> =
            self.nat_gateways.values().filter(due).map(|g| (g.due, g.id.clone())).collect();
        ids.sort();
        let moved = !ids.is_empty();
        for (at, id) in ids {
            self.advance_nat(&id, at.unwrap_or(now), now);
        }
        moved
    }

    fn advance_nat(&mut self, id: &str, at: Timestamp, now: Timestamp) {
        let Some(gateway) = self.nat_gateways.get_mut(id) else {
            return;
        };
        gateway.due = None;
        match gateway.state {
            NatState::Pending if gateway.failure.is_some() => {
                gateway.state = NatState::Failed;
                self.free_nat(id);
            }
            NatState::Pending => gateway.state = NatState::Available,
            NatState::Deleting => {
                gateway.state = NatState::Deleted;
                gateway.deleted = Some(at);
                gateway.due = Some(at + NAT_SHOWN);
                self.free_nat(id);
                self.advance(now);
            }
            NatState::Deleted => {
                self.nat_gateways.remove(id);
            }
            NatState::Available | NatState::Failed => {}
        }
    }

    fn free_nat(&mut self, id: &str) {
        let Some(gateway) = self.nat_gateways.get(id) else {
            return;
        };
        self.interfaces.remove(&gateway.interface);
        for address in self.addresses.values_mut().filter(|a| a.interface.as_deref() == Some(&gateway.interface)) {
            address.interface = None;
            address.association = None;
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use crate::ec2::model::{NatState, State};
    use crate::ec2::network::NewSubnet;
    use jiff::{SignedDuration, Timestamp};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_secs(seconds)
    }

    fn network() -> (State, String, String) {
        let mut net = State::in_region("us-west-2");
        let vpc = net.add_vpc("10.0.0.0/16", "default", vec![]).unwrap();
        let new = NewSubnet { vpc: vpc.clone(), cidr: "10.0.1.0/24".into(), ..NewSubnet::default() };
        let subnet = net.add_subnet(new).unwrap();
        (net, vpc, subnet)
    }

    #[test]
    fn a_nat_gateway_without_internet_gateway_is_accepted_and_fails() {
        let (mut net, vpc, subnet) = network();
        let address = net.add_address(vec![]).unwrap();
        let nat = net.add_nat_gateway(&subnet, Some(&address), vec![], at(0)).unwrap();
        net.advance(at(60));
        let gateway = net.nat_gateway(&nat).unwrap();
        assert_eq!(gateway.state, NatState::Failed);
        assert_eq!(gateway.failure.clone().unwrap().1, format!("Network {vpc} has no Internet gateway attached"));
        net.remove_address(&address).expect("a failed gateway frees its address");
    }

    #[test]
    fn a_nat_gateway_comes_and_goes_in_time_and_holds_its_address_till_then() {
        let (mut net, vpc, subnet) = network();
        let igw = net.add_internet_gateway(vec![]).unwrap();
        net.attach(&igw, &vpc).unwrap();
        let address = net.add_address(vec![]).unwrap();
        let nat = net.add_nat_gateway(&subnet, Some(&address), vec![], at(0)).unwrap();
        let state = |net: &mut State, seconds| {
            net.advance(at(seconds));
            net.nat_gateway(&nat).map(|g| g.state).map_err(|e| e.code.to_string())
        };
        assert_eq!(state(&mut net, 119), Ok(NatState::Pending));
        assert_eq!(state(&mut net, 120), Ok(NatState::Available));
        assert_eq!(net.detach(&igw, &vpc).unwrap_err().code, "DependencyViolation");
        assert_eq!(net.remove_subnet(&subnet).unwrap_err().code, "DependencyViolation");
        net.remove_nat_gateway(&nat, at(200)).unwrap();
        assert_eq!(net.remove_address(&address).unwrap_err().code, "InvalidIPAddress.InUse");
        assert_eq!(state(&mut net, 246), Ok(NatState::Deleted));
        net.remove_address(&address).unwrap();
        net.detach(&igw, &vpc).unwrap();
        net.remove_subnet(&subnet).unwrap();
        assert_eq!(state(&mut net, 200 + 45 + 3600), Err("NatGatewayNotFound".into()));
    }

    #[test]
    fn the_sixth_address_is_over_the_quota() {
        let (mut net, ..) = network();
        for _ in 0..5 {
            net.add_address(vec![]).unwrap();
        }
        assert_eq!(net.add_address(vec![]).unwrap_err().code, "AddressLimitExceeded");
    }
}

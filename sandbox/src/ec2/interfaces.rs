//! State interfaces: those that EKS, HyperPod and NAT gateways put into a subnet.
//! Knows nothing of those services: they ask for an interface and give it back.

use super::cidr::Cidr;
use super::fault;
use super::model::{Interface, State, Tags};
use crate::wire::ServiceError;
use std::collections::BTreeSet;

/// Addresses at the start of a subnet that AWS keeps.
const FIRST_FREE: u64 = 4;

/// What a new network interface is to be.
#[derive(Debug, Default, Clone)]
pub struct NewInterface {
    /// The subnet's id.
    pub subnet: String,
    /// Ids of security groups in the subnet's VPC; none means the VPC's default group.
    pub groups: Vec<String>,
    /// Such as `Amazon EKS my-cluster`.
    pub description: String,
    /// EC2's interface type: `interface`, `nat_gateway`, `efa` … (empty: `interface`).
    pub kind: String,
    /// The service that asked.
    pub requester: String,
    /// The machine it is attached to, if any.
    pub instance: Option<String>,
    /// Private addresses, 1 at least.
    pub addresses: u32,
    /// An elastic address that is mapped to it.
    pub public_ip: Option<String>,
    /// Tags of the interface.
    pub tags: Tags,
}

impl State {
    /// Makes an interface and takes its addresses from the subnet.
    pub(crate) fn add_interface(&mut self, new: NewInterface) -> Result<String, ServiceError> {
        let subnet = self.subnet(&new.subnet)?.clone();
        for group in &new.groups {
            let found = self.group(group)?;
            if found.vpc != subnet.vpc {
                let text = "You have specified two resources that belong to different networks.";
                return Err(fault("InvalidParameterValue", text));
            }
        }
        let addresses = self.take_addresses(&subnet.id, new.addresses.max(1) as usize)?;
        let default = |net: &State| {
            net.security_groups.values().find(|g| g.vpc == subnet.vpc && g.name == "default").map(|g| g.id.clone())
        };
        let groups = if new.groups.is_empty() && new.kind != "nat_gateway" {
            default(self).into_iter().collect()
        } else {
            new.groups
        };
        let id = self.new_id("eni");
        let interface = Interface {
            id: id.clone(),
            subnet: subnet.id,
            vpc: subnet.vpc,
            zone: subnet.zone,
            groups,
            description: new.description,
            kind: if new.kind.is_empty() { "interface".into() } else { new.kind },
            requester: new.requester,
            instance: new.instance,
            addresses,
            public_ip: new.public_ip,
            tags: new.tags,
        };
        self.interfaces.insert(id.clone(), interface);
        Ok(id)
    }

    fn take_addresses(&self, subnet: &str, wanted: usize) -> Result<Vec<String>, ServiceError> {
        let subnet = self.subnet(subnet)?;
        if self.free_addresses(subnet) < wanted as u64 {
            let text = format!(
                "The specified subnet does not have enough free addresses to satisfy the request. (subnet {})",
                subnet.id
            );
            return Err(fault("InsufficientFreeAddressesInSubnet", text));
        }
        let used: BTreeSet<&str> = self
            .interfaces
            .values()
            .filter(|i| i.subnet == subnet.id)
            .flat_map(|i| i.addresses.iter().map(String::as_str))
            .collect();
        let block = Cidr::parse(&subnet.cidr).expect("a stored block is valid");
        let free = (FIRST_FREE..block.size() - 1).filter_map(|n| block.address(n)).map(|a| a.to_string());
        Ok(free.filter(|a| !used.contains(a.as_str())).take(wanted).collect())
    }

    /// Deletes an interface; its addresses are free again.
    pub(crate) fn remove_interface(&mut self, id: &str) -> Result<(), ServiceError> {
        self.interfaces.remove(id).map(|_| ()).ok_or_else(|| {
            fault("InvalidNetworkInterfaceID.NotFound", format!("The networkInterface ID '{id}' does not exist"))
        })
    }
}

/// The MAC address of an interface: made from its id, so that it stays the same.
pub(crate) fn mac_address(id: &str) -> String {
    let digits = id.trim_start_matches("eni-0");
    let pairs: Vec<&str> = (0..5).filter_map(|n| digits.get(n * 2..n * 2 + 2)).collect();
    format!("02:{}", pairs.join(":"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{NewInterface, mac_address};
    use crate::ec2::model::State;
    use crate::ec2::network::NewSubnet;

    #[test]
    fn a_small_subnet_runs_out_of_addresses_and_gets_them_back() {
        let mut net = State::in_region("us-west-2");
        let vpc = net.add_vpc("10.0.0.0/16", "default", vec![]).unwrap();
        let new = NewSubnet { vpc, cidr: "10.0.1.0/28".into(), ..NewSubnet::default() };
        let subnet = net.add_subnet(new).unwrap();
        let eni = |n| NewInterface { subnet: subnet.clone(), addresses: n, ..NewInterface::default() };
        let first = net.add_interface(eni(8)).unwrap();
        assert_eq!(net.interfaces[&first].addresses[0], "10.0.1.4");
        assert_eq!(net.add_interface(eni(4)).unwrap_err().code, "InsufficientFreeAddressesInSubnet");
        net.add_interface(eni(3)).unwrap();
        net.remove_interface(&first).unwrap();
        let again = net.add_interface(eni(8)).unwrap();
        assert_eq!(net.interfaces[&again].addresses[7], "10.0.1.11");
        assert_eq!(mac_address("eni-0123456789abcdef0").len(), 17);
    }
}

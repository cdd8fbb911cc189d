//! What CloudFormation asks for the resources of EC2, whose ids EC2 makes up.
//! Must not look at what hprun declares.

use serde_json::Value;

use super::super::arn;
use super::{Asking, Change};

impl Asking<'_> {
    pub(super) fn ec2(&mut self) {
        let kind = self.subject.kind.trim_start_matches("AWS::EC2::");
        let vpc = self.text("VpcId");
        match kind {
            "VPC" | "VPCCidrBlock" | "Subnet" => self.network(kind, vpc),
            "InternetGateway" | "VPCGatewayAttachment" | "EIP" | "NatGateway" => self.gateway(kind, vpc),
            "RouteTable" | "Route" | "SubnetRouteTableAssociation" => self.routing(kind, vpc),
            "SecurityGroup" => self.security_group(vpc),
            "SecurityGroupIngress" | "SecurityGroupEgress" => self.rule(&kind["SecurityGroup".len()..]),
            "VPCEndpoint" => self.endpoint(vpc),
            _ => {}
        }
    }

    fn network(&mut self, kind: &str, vpc: Option<String>) {
        let id = self.subject.id.map(str::to_owned);
        let delete = self.change == Change::Delete;
        match kind {
            "VPC" => {
                self.look("DescribeVpcs");
                self.make_or_delete("Vpc", "vpc", &[]);
                if self.sets("EnableDnsSupport") || self.sets("EnableDnsHostnames") {
                    self.on("ModifyVpcAttribute", "vpc", id.as_deref());
                    self.on("DescribeVpcAttribute", "vpc", id.as_deref());
                }
                self.tags("vpc");
            }
            "VPCCidrBlock" => {
                self.look("DescribeVpcs");
                let action = if delete { "DisassociateVpcCidrBlock" } else { "AssociateVpcCidrBlock" };
                self.on(action, "vpc", vpc.as_deref());
            }
            "Subnet" => {
                self.look("DescribeSubnets");
                self.make_or_delete("Subnet", "subnet", &[("vpc", vpc)]);
                if self.sets("MapPublicIpOnLaunch") {
                    self.on("ModifySubnetAttribute", "subnet", id.as_deref());
                }
                self.tags("subnet");
            }
            _ => {}
        }
    }

    fn gateway(&mut self, kind: &str, vpc: Option<String>) {
        let delete = self.change == Change::Delete;
        match kind {
            "InternetGateway" => {
                self.look("DescribeInternetGateways");
                self.make_or_delete("InternetGateway", "internet-gateway", &[]);
                self.tags("internet-gateway");
            }
            "VPCGatewayAttachment" => {
                self.look("DescribeInternetGateways");
                let action = if delete { "DetachInternetGateway" } else { "AttachInternetGateway" };
                self.on(action, "vpc", vpc.as_deref());
                let gateway = self.text("InternetGatewayId");
                self.on(action, "internet-gateway", gateway.as_deref());
            }
            "EIP" => {
                self.look("DescribeAddresses");
                match self.change {
                    Change::Create => self.on("AllocateAddress", "elastic-ip", None),
                    Change::Update => {}
                    Change::Delete => self.on("ReleaseAddress", "elastic-ip", None),
                }
                self.tags("elastic-ip");
            }
            "NatGateway" => {
                self.look("DescribeNatGateways");
                let parts = [("subnet", self.text("SubnetId")), ("elastic-ip", self.text("AllocationId"))];
                self.make_or_delete("NatGateway", "natgateway", &parts);
                self.tags("natgateway");
            }
            _ => {}
        }
    }

    fn routing(&mut self, kind: &str, vpc: Option<String>) {
        let create = self.change == Change::Create;
        let delete = self.change == Change::Delete;
        match kind {
            "RouteTable" => {
                self.look("DescribeRouteTables");
                self.make_or_delete("RouteTable", "route-table", &[("vpc", vpc)]);
                self.tags("route-table");
            }
            "Route" => {
                self.look("DescribeRouteTables");
                let action = if create {
                    "CreateRoute"
                } else if delete {
                    "DeleteRoute"
                } else {
                    "ReplaceRoute"
                };
                let table = self.text("RouteTableId");
                self.on(action, "route-table", table.as_deref());
            }
            "SubnetRouteTableAssociation" => {
                self.look("DescribeRouteTables");
                let action = if delete { "DisassociateRouteTable" } else { "AssociateRouteTable" };
                let (table, subnet) = (self.text("RouteTableId"), self.text("SubnetId"));
                self.on(action, "route-table", table.as_deref());
                self.on(action, "subnet", subnet.as_deref());
            }
            _ => {}
        }
    }

    /// An action of EC2 on one thing; one that is still to be made, or has no id here, is `kind/*`.
    fn on(&mut self, action: &str, kind: &str, id: Option<&str>) {
        let resource = arn(self.subject.cx, "ec2", &format!("{kind}/{}", id.unwrap_or("*")));
        self.ask(&format!("ec2:{action}"), resource);
    }

    /// `CreateX` on the new thing and what it is made in, or `DeleteX` on the thing.
    fn make_or_delete(&mut self, name: &str, kind: &str, within: &[(&str, Option<String>)]) {
        match self.change {
            Change::Create => {
                let action = format!("Create{name}");
                self.on(&action, kind, None);
                for (kind, id) in within.iter().filter(|(_, id)| id.is_some()) {
                    self.on(&action, kind, id.as_deref());
                }
            }
            Change::Update => {}
            Change::Delete => {
                let id = self.subject.id.map(str::to_owned);
                self.on(&format!("Delete{name}"), kind, id.as_deref());
            }
        }
    }

    fn tags(&mut self, kind: &str) {
        let id = self.subject.id.map(str::to_owned).filter(|_| kind != "elastic-ip");
        match self.change {
            Change::Create if self.subject.tagged => self.on("CreateTags", kind, None),
            Change::Update if self.sets("Tags") => {
                self.on("CreateTags", kind, id.as_deref());
                self.on("DeleteTags", kind, id.as_deref());
            }
            Change::Create | Change::Update | Change::Delete => {}
        }
    }

    fn security_group(&mut self, vpc: Option<String>) {
        self.look("DescribeSecurityGroups");
        self.make_or_delete("SecurityGroup", "security-group", &[("vpc", vpc)]);
        let id = self.subject.id.map(str::to_owned);
        for side in ["Ingress", "Egress"] {
            if self.sets(&format!("SecurityGroup{side}")) {
                self.on(&format!("AuthorizeSecurityGroup{side}"), "security-group", id.as_deref());
                // A group of its own egress rules loses the one that each new group has.
                if side == "Egress" || self.change == Change::Update {
                    self.on(&format!("RevokeSecurityGroup{side}"), "security-group", id.as_deref());
                }
            }
        }
        self.tags("security-group");
    }

    fn rule(&mut self, side: &str) {
        self.look("DescribeSecurityGroupRules");
        let verb = match self.change {
            Change::Create => "Authorize",
            Change::Update => "Update",
            Change::Delete => "Revoke",
        };
        let group = self.text("GroupId");
        let action = match verb {
            "Update" => format!("UpdateSecurityGroupRuleDescriptions{side}"),
            verb => format!("{verb}SecurityGroup{side}"),
        };
        self.on(&action, "security-group", group.as_deref());
    }

    fn endpoint(&mut self, vpc: Option<String>) {
        self.look("DescribeVpcEndpoints");
        let id = self.subject.id.map(str::to_owned);
        match self.change {
            Change::Create => {
                self.on("CreateVpcEndpoint", "vpc-endpoint", None);
                self.on("CreateVpcEndpoint", "vpc", vpc.as_deref());
                let tables = self.subject.properties.get("RouteTableIds").and_then(Value::as_array);
                for table in tables.into_iter().flatten().filter_map(Value::as_str) {
                    self.on("CreateVpcEndpoint", "route-table", Some(table));
                }
            }
            Change::Update => self.on("ModifyVpcEndpoint", "vpc-endpoint", id.as_deref()),
            Change::Delete => self.on("DeleteVpcEndpoints", "vpc-endpoint", id.as_deref()),
        }
        self.tags("vpc-endpoint");
    }
}

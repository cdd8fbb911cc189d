//! The calls of EC2 that make, change and delete networks, for users who bring a VPC of their own.
//! Security group rules and tags are in the modules beside it.

use super::listing::dry_run;
use super::model::{State, Target};
use super::network::NewSubnet;
use super::routes::NewEndpoint;
use super::tags::specified;
use super::{fault, rule_requests, tags, views};
use crate::wire::{Call, Form, Reply, ServiceError};
use crate::world::Moment;

/// Answers a call that changes something.
pub(super) fn answer(net: &mut State, cx: &Moment<'_>, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    dry_run(&mut form)?;
    match call.operation.as_str() {
        "CreateTags" => tags::create(net, call),
        "DeleteTags" => tags::delete(net, call),
        "CreateSecurityGroup"
        | "DeleteSecurityGroup"
        | "AuthorizeSecurityGroupIngress"
        | "AuthorizeSecurityGroupEgress"
        | "RevokeSecurityGroupIngress"
        | "RevokeSecurityGroupEgress" => rule_requests::answer(net, call, form),
        "CreateVpc" | "ModifyVpcAttribute" | "AssociateVpcCidrBlock" | "DisassociateVpcCidrBlock" => {
            vpc(net, call, form)
        }
        "CreateSubnet" | "ModifySubnetAttribute" => subnet(net, call, form),
        "CreateInternetGateway" | "AllocateAddress" | "CreateNatGateway" | "DeleteNatGateway" => {
            gateway(net, cx, call, form)
        }
        "CreateRouteTable" | "AssociateRouteTable" | "CreateRoute" | "ReplaceRoute" => route(net, call, form),
        "CreateVpcEndpoint" | "DeleteVpcEndpoints" => endpoint(net, cx, call, form),
        _ => plain(net, call, form),
    }
}

/// Calls whose answer is only `true`.
fn plain(net: &mut State, call: &Call, mut form: Form) -> Result<Reply, ServiceError> {
    match call.operation.as_str() {
        "DeleteVpc" => net.remove_vpc(&form.need("VpcId")?)?,
        "DeleteSubnet" => net.remove_subnet(&form.need("SubnetId")?)?,
        "AttachInternetGateway" => net.attach(&form.need("InternetGatewayId")?, &form.need("VpcId")?)?,
        "DetachInternetGateway" => net.detach(&form.need("InternetGatewayId")?, &form.need("VpcId")?)?,
        "DeleteInternetGateway" => net.remove_internet_gateway(&form.need("InternetGatewayId")?)?,
        "ReleaseAddress" => net.remove_address(&form.need("AllocationId")?)?,
        "DeleteRouteTable" => net.remove_route_table(&form.need("RouteTableId")?)?,
        "DeleteRoute" => net.remove_route(&form.need("RouteTableId")?, &form.need("DestinationCidrBlock")?)?,
        "DisassociateRouteTable" => net.disassociate(&form.need("AssociationId")?)?,
        "DeleteNetworkInterface" => {
            // Nobody but a service makes interfaces here, so each is in use as long as it is there.
            let id = form.need("NetworkInterfaceId")?;
            form.finish()?;
            let text = format!("Network interface '{id}' is currently in use.");
            return match net.interfaces.contains_key(&id) {
                true => Err(fault("InvalidNetworkInterface.InUse", text)),
                false => {
                    let text = format!("The networkInterface ID '{id}' does not exist");
                    Err(fault("InvalidNetworkInterfaceID.NotFound", text))
                }
            };
        }
        _ => return Err(call.not_part()),
    }
    form.finish()?;
    Ok(Reply::ec2(call, |xml| xml.text("return", true)))
}

fn vpc(net: &mut State, call: &Call, mut form: Form) -> Result<Reply, ServiceError> {
    match call.operation.as_str() {
        "CreateVpc" => {
            let cidr = form.need("CidrBlock")?;
            let tenancy = form.take("InstanceTenancy").unwrap_or_else(|| "default".into());
            let tags = specified(&mut form, "vpc")?;
            form.finish()?;
            let id = net.add_vpc(&cidr, &tenancy, tags)?;
            let vpc = net.vpc(&id)?;
            Ok(Reply::ec2(call, |xml| xml.nest("vpc", |xml| views::vpc(xml, net, vpc))))
        }
        "ModifyVpcAttribute" => {
            let id = form.need("VpcId")?;
            let (support, names) = (form.flag("EnableDnsSupport.Value")?, form.flag("EnableDnsHostnames.Value")?);
            form.finish()?;
            let vpc = net.vpc_mut(&id)?;
            vpc.dns_support = support.unwrap_or(vpc.dns_support);
            vpc.dns_hostnames = names.unwrap_or(vpc.dns_hostnames);
            Ok(Reply::ec2(call, |xml| xml.text("return", true)))
        }
        "AssociateVpcCidrBlock" => {
            let (id, cidr) = (form.need("VpcId")?, form.need("CidrBlock")?);
            form.finish()?;
            let association = net.add_block(&id, &cidr)?;
            let blocks = &net.vpc(&id)?.blocks;
            let block = blocks.iter().find(|b| b.association == association).expect("it was added just now");
            Ok(Reply::ec2(call, |xml| {
                xml.text("vpcId", &id);
                xml.nest("cidrBlockAssociation", |xml| views::block(xml, block));
            }))
        }
        _ => {
            let association = form.need("AssociationId")?;
            form.finish()?;
            let has = |vpc: &&super::model::Vpc| vpc.blocks.iter().any(|b| b.association == association);
            let before = net.vpcs.values().find(has).cloned();
            net.remove_block(&association)?;
            let vpc = before.expect("a block that could be removed was there");
            let block = vpc.blocks.iter().find(|b| b.association == association).expect("it was found by this block");
            Ok(Reply::ec2(call, |xml| {
                xml.text("vpcId", &vpc.id);
                xml.nest("cidrBlockAssociation", |xml| views::block(xml, block));
            }))
        }
    }
}

fn subnet(net: &mut State, call: &Call, mut form: Form) -> Result<Reply, ServiceError> {
    if call.operation == "ModifySubnetAttribute" {
        let (id, public) = (form.need("SubnetId")?, form.flag("MapPublicIpOnLaunch.Value")?);
        form.finish()?;
        net.subnet(&id)?;
        let subnet = net.subnets.get_mut(&id).expect("it was found just now");
        subnet.public_ip = public.unwrap_or(subnet.public_ip);
        return Ok(Reply::ec2(call, |xml| xml.text("return", true)));
    }
    let new = NewSubnet {
        vpc: form.need("VpcId")?,
        cidr: form.need("CidrBlock")?,
        zone: form.take("AvailabilityZone").or(form.take("AvailabilityZoneId")),
        public_ip: false,
        tags: specified(&mut form, "subnet")?,
    };
    form.finish()?;
    let id = net.add_subnet(new)?;
    let subnet = net.subnet(&id)?;
    Ok(Reply::ec2(call, |xml| xml.nest("subnet", |xml| views::subnet(xml, net, subnet))))
}

fn gateway(net: &mut State, cx: &Moment<'_>, call: &Call, mut form: Form) -> Result<Reply, ServiceError> {
    match call.operation.as_str() {
        "CreateInternetGateway" => {
            let tags = specified(&mut form, "internet-gateway")?;
            form.finish()?;
            let id = net.add_internet_gateway(tags)?;
            let gateway = &net.internet_gateways[&id];
            Ok(Reply::ec2(call, |xml| xml.nest("internetGateway", |xml| views::internet_gateway(xml, net, gateway))))
        }
        "AllocateAddress" => {
            let domain = form.take("Domain");
            let tags = specified(&mut form, "elastic-ip")?;
            form.finish()?;
            if let Some(domain) = domain.filter(|domain| domain != "vpc") {
                return Err(fault("InvalidParameterValue", format!("Invalid value '{domain}' for domain.")));
            }
            let id = net.add_address(tags)?;
            let address = net.address(&id)?;
            Ok(Reply::ec2(call, |xml| {
                xml.text("publicIp", &address.public_ip);
                xml.text("allocationId", &id);
                xml.text("domain", "vpc");
                xml.text("publicIpv4Pool", "amazon");
                xml.text("networkBorderGroup", &net.region);
            }))
        }
        "CreateNatGateway" => {
            let (subnet, allocation) = (form.need("SubnetId")?, form.take("AllocationId"));
            let private = form.take("ConnectivityType").as_deref() == Some("private");
            let token = form.take("ClientToken");
            let tags = specified(&mut form, "natgateway")?;
            form.finish()?;
            if !private && allocation.is_none() {
                return Err(fault("MissingParameter", "The request must contain the parameter AllocationId"));
            }
            let id = net.add_nat_gateway(&subnet, allocation.as_deref(), tags, cx.now)?;
            let gateway = net.nat_gateway(&id)?;
            Ok(Reply::ec2(call, |xml| {
                xml.maybe("clientToken", token);
                xml.nest("natGateway", |xml| views::nat_gateway(xml, net, gateway));
            }))
        }
        _ => {
            let id = form.need("NatGatewayId")?;
            form.finish()?;
            net.remove_nat_gateway(&id, cx.now)?;
            Ok(Reply::ec2(call, |xml| xml.text("natGatewayId", &id)))
        }
    }
}

fn route(net: &mut State, call: &Call, mut form: Form) -> Result<Reply, ServiceError> {
    match call.operation.as_str() {
        "CreateRouteTable" => {
            let (vpc, _token) = (form.need("VpcId")?, form.take("ClientToken"));
            let tags = specified(&mut form, "route-table")?;
            form.finish()?;
            let id = net.add_route_table(&vpc, tags)?;
            let table = net.route_table(&id)?;
            Ok(Reply::ec2(call, |xml| xml.nest("routeTable", |xml| views::route_table(xml, net, table))))
        }
        "AssociateRouteTable" => {
            let (table, subnet) = (form.need("RouteTableId")?, form.need("SubnetId")?);
            form.finish()?;
            let id = net.associate(&table, &subnet)?;
            Ok(Reply::ec2(call, |xml| {
                xml.text("associationId", id);
                xml.nest("associationState", |xml| xml.text("state", "associated"));
            }))
        }
        operation => {
            let (table, destination) = (form.need("RouteTableId")?, form.need("DestinationCidrBlock")?);
            let gateway = form.take("GatewayId").map(|id| match id.starts_with("vpce-") {
                true => Target::Endpoint(id),
                false => Target::Gateway(id),
            });
            let nat = form.take("NatGatewayId").map(Target::Nat);
            let interface = form.take("NetworkInterfaceId").map(Target::Interface);
            form.finish()?;
            let mut targets: Vec<Target> = [gateway, nat, interface].into_iter().flatten().collect();
            let (Some(target), true) = (targets.pop(), targets.is_empty()) else {
                return Err(fault(
                    "InvalidParameterCombination",
                    "The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId",
                ));
            };
            net.add_route(&table, &destination, target, operation == "ReplaceRoute")?;
            Ok(Reply::ec2(call, |xml| xml.text("return", true)))
        }
    }
}

fn endpoint(net: &mut State, cx: &Moment<'_>, call: &Call, mut form: Form) -> Result<Reply, ServiceError> {
    if call.operation == "DeleteVpcEndpoints" {
        let ids = form.texts("VpcEndpointId");
        form.finish()?;
        let failed: Vec<(String, ServiceError)> =
            ids.into_iter().filter_map(|id| net.remove_endpoint(&id).err().map(|error| (id, error))).collect();
        return Ok(Reply::ec2(call, |xml| {
            xml.list("unsuccessful", "item", failed, |xml, (id, error)| {
                xml.text("resourceId", id);
                xml.nest("error", |xml| {
                    xml.text("code", &error.code);
                    xml.text("message", &error.message);
                });
            });
        }));
    }
    let new = NewEndpoint {
        vpc: form.need("VpcId")?,
        service: form.need("ServiceName")?,
        kind: form.take("VpcEndpointType"),
        route_tables: form.texts("RouteTableId"),
        policy: form.take("PolicyDocument"),
        tags: specified(&mut form, "vpc-endpoint")?,
    };
    let token = form.take("ClientToken");
    form.finish()?;
    let id = net.add_endpoint(new, cx.now)?;
    let endpoint = net.endpoint(&id)?;
    Ok(Reply::ec2(call, |xml| {
        xml.maybe("clientToken", token);
        xml.nest("vpcEndpoint", |xml| views::endpoint(xml, net, endpoint));
    }))
}

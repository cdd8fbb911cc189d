//! Route tables, routes, their associations, and gateway endpoints (which are routes too).
//! Knows nothing of the wire or of CloudFormation.

use super::cidr::Cidr;
use super::fault;
use super::model::{Endpoint, Route, RouteTable, State, Tags, Target};
use crate::wire::ServiceError;
use jiff::Timestamp;

/// What a new VPC endpoint is to be.
#[derive(Debug, Default)]
pub(crate) struct NewEndpoint {
    pub vpc: String,
    pub service: String,
    pub kind: Option<String>,
    pub route_tables: Vec<String>,
    pub policy: Option<String>,
    pub tags: Tags,
}

impl State {
    /// Makes a route table; it begins with the local routes of its VPC.
    pub(crate) fn add_route_table(&mut self, vpc: &str, tags: Tags) -> Result<String, ServiceError> {
        let local = |b: &super::model::Block| Route { destination: b.cidr.clone(), target: Target::Local };
        let routes = self.vpc(vpc)?.blocks.iter().map(local).collect();
        let id = self.new_id("rtb");
        let table = RouteTable {
            id: id.clone(),
            vpc: vpc.to_owned(),
            main: None,
            routes,
            associations: Default::default(),
            tags,
        };
        self.route_tables.insert(id.clone(), table);
        Ok(id)
    }

    /// The route table of this id, or EC2's error.
    pub(crate) fn route_table(&self, id: &str) -> Result<&RouteTable, ServiceError> {
        self.route_tables
            .get(id)
            .ok_or_else(|| fault("InvalidRouteTableID.NotFound", format!("The routeTable ID '{id}' does not exist")))
    }

    fn route_table_mut(&mut self, id: &str) -> Result<&mut RouteTable, ServiceError> {
        self.route_table(id)?;
        Ok(self.route_tables.get_mut(id).expect("it was found just now"))
    }

    /// Deletes a route table that no subnet uses.
    pub(crate) fn remove_route_table(&mut self, id: &str) -> Result<(), ServiceError> {
        let table = self.route_table(id)?;
        if table.main.is_some() || !table.associations.is_empty() {
            let text = format!("The routeTable '{id}' has dependencies and cannot be deleted.");
            return Err(fault("DependencyViolation", text));
        }
        self.route_tables.remove(id);
        for endpoint in self.endpoints.values_mut() {
            endpoint.route_tables.retain(|table| table != id);
        }
        Ok(())
    }

    /// Adds a route; with `replace` an existing one to the same destination is changed.
    pub(crate) fn add_route(
        &mut self,
        table: &str,
        destination: &str,
        target: Target,
        replace: bool,
    ) -> Result<(), ServiceError> {
        let vpc = self.route_table(table)?.vpc.clone();
        let block = Cidr::parse(destination)
            .ok_or_else(|| fault("InvalidParameterValue", format!("Value ({destination}) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.")))?;
        self.check_target(&vpc, table, &target)?;
        let destination = block.to_string();
        let found = self.route_table_mut(table)?;
        match (found.routes.iter_mut().find(|r| r.destination == destination), replace) {
            (Some(route), true) if route.target != Target::Local => route.target = target,
            (Some(_), _) => {
                let text = format!("The route identified by {destination} already exists.");
                return Err(fault("RouteAlreadyExists", text));
            }
            (None, true) => return Err(no_route(table, &destination)),
            (None, false) => found.routes.push(Route { destination, target }),
        }
        Ok(())
    }

    fn check_target(&self, vpc: &str, table: &str, target: &Target) -> Result<(), ServiceError> {
        match target {
            Target::Gateway(id) => {
                let Some(gateway) = self.internet_gateways.get(id) else {
                    let text = format!("The internetGateway ID '{id}' does not exist");
                    return Err(fault("InvalidInternetGatewayID.NotFound", text));
                };
                if gateway.vpc.as_deref() != Some(vpc) {
                    let text = format!("route table {table} and network gateway {id} belong to different networks");
                    return Err(fault("InvalidParameterValue", text));
                }
            }
            Target::Nat(id) => {
                let Some(gateway) = self.nat_gateways.get(id) else {
                    let text = format!("The natGateway ID '{id}' does not exist");
                    return Err(fault("InvalidNatGatewayID.NotFound", text));
                };
                if gateway.vpc != vpc {
                    let text = format!("route table {table} and network gateway {id} belong to different networks");
                    return Err(fault("InvalidParameterValue", text));
                }
            }
            Target::Interface(id) => {
                if !self.interfaces.contains_key(id) {
                    let text = format!("The networkInterface ID '{id}' does not exist");
                    return Err(fault("InvalidNetworkInterfaceID.NotFound", text));
                }
            }
            Target::Endpoint(id) => {
                self.endpoint(id)?;
            }
            Target::Local => {}
        }
        Ok(())
    }

    /// Takes a route away.
    pub(crate) fn remove_route(&mut self, table: &str, destination: &str) -> Result<(), ServiceError> {
        let found = self.route_table_mut(table)?;
        let at = found.routes.iter().position(|r| r.destination == destination && r.target != Target::Local);
        let at = at.ok_or_else(|| no_route(table, destination))?;
        found.routes.remove(at);
        Ok(())
    }

    /// Lets a subnet use a route table; gives the association's id. A subnet has one table of its own at most.
    pub(crate) fn associate(&mut self, table: &str, subnet: &str) -> Result<String, ServiceError> {
        let vpc = self.subnet(subnet)?.vpc.clone();
        if self.route_table(table)?.vpc != vpc {
            let text = format!("Route table {table} and subnet {subnet} belong to different networks");
            return Err(fault("InvalidParameterValue", text));
        }
        if let Some(other) = self.route_tables.values().find(|t| t.associations.values().any(|s| s == subnet)) {
            let text = format!(
                "the specified association for route table {} conflicts with an existing association",
                other.id
            );
            return Err(fault("Resource.AlreadyAssociated", text));
        }
        let id = self.new_id("rtbassoc");
        self.route_table_mut(table)?.associations.insert(id.clone(), subnet.to_owned());
        Ok(id)
    }

    /// Ends an association.
    pub(crate) fn disassociate(&mut self, association: &str) -> Result<(), ServiceError> {
        let gone = self.route_tables.values_mut().any(|t| t.associations.remove(association).is_some());
        gone.then_some(()).ok_or_else(|| {
            let text = format!("The association ID '{association}' does not exist");
            fault("InvalidAssociationID.NotFound", text)
        })
    }

    /// The route table that a subnet uses: its own or the VPC's main one.
    pub(crate) fn table_of_subnet(&self, subnet: &super::model::Subnet) -> Option<&RouteTable> {
        let own = |t: &&RouteTable| t.associations.values().any(|s| *s == subnet.id);
        let main = |t: &&RouteTable| t.vpc == subnet.vpc && t.main.is_some();
        self.route_tables.values().find(own).or_else(|| self.route_tables.values().find(main))
    }

    /// Makes a gateway endpoint for S3 or DynamoDB; other endpoints are not part of the sandbox.
    pub(crate) fn add_endpoint(&mut self, new: NewEndpoint, now: Timestamp) -> Result<String, ServiceError> {
        self.vpc(&new.vpc)?;
        if let Some(kind) = new.kind.filter(|kind| kind != "Gateway") {
            let text = format!("hprun sandbox: VPC endpoints of type {kind} are not part of the sandbox");
            return Err(fault("InvalidParameter", text));
        }
        let known = ["s3", "dynamodb"].map(|name| format!("com.amazonaws.{}.{name}", self.region));
        if !known.contains(&new.service) {
            let text = format!("The Vpc Endpoint Service '{}' does not exist", new.service);
            return Err(fault("InvalidServiceName", text));
        }
        for table in &new.route_tables {
            if self.route_table(table)?.vpc != new.vpc {
                let text = format!("Route table {table} and endpoint belong to different networks");
                return Err(fault("InvalidParameter", text));
            }
            let taken = |e: &Endpoint| e.service == new.service && e.route_tables.contains(table);
            if self.endpoints.values().any(taken) {
                let text = format!(
                    "route table {table} already has a route with destination-prefix-list-id {}",
                    prefix_list(&new.service)
                );
                return Err(fault("RouteAlreadyExists", text));
            }
        }
        let id = self.new_id("vpce");
        let open =
            r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
        let endpoint = Endpoint {
            id: id.clone(),
            vpc: new.vpc,
            service: new.service,
            route_tables: vec![],
            policy: new.policy.unwrap_or_else(|| open.to_owned()),
            created: now,
            tags: new.tags,
        };
        self.endpoints.insert(id.clone(), endpoint);
        self.set_endpoint_tables(&id, new.route_tables)?;
        Ok(id)
    }

    /// Sets the route tables of a gateway endpoint; each gets the endpoint's route, others lose it.
    pub(crate) fn set_endpoint_tables(&mut self, id: &str, tables: Vec<String>) -> Result<(), ServiceError> {
        let service = self.endpoint(id)?.service.clone();
        for table in &tables {
            self.route_table(table)?;
        }
        let route = Route { destination: prefix_list(&service).to_owned(), target: Target::Endpoint(id.to_owned()) };
        for table in self.route_tables.values_mut() {
            table.routes.retain(|r| r.target != route.target);
            if tables.contains(&table.id) {
                table.routes.push(route.clone());
            }
        }
        if let Some(endpoint) = self.endpoints.get_mut(id) {
            endpoint.route_tables = tables;
        }
        Ok(())
    }

    /// The endpoint of this id, or EC2's error.
    pub(crate) fn endpoint(&self, id: &str) -> Result<&Endpoint, ServiceError> {
        self.endpoints
            .get(id)
            .ok_or_else(|| fault("InvalidVpcEndpointId.NotFound", format!("The Vpc Endpoint Id '{id}' does not exist")))
    }

    /// Deletes an endpoint with its routes.
    pub(crate) fn remove_endpoint(&mut self, id: &str) -> Result<(), ServiceError> {
        self.set_endpoint_tables(id, vec![])?;
        self.endpoints.remove(id);
        Ok(())
    }
}

fn no_route(table: &str, destination: &str) -> ServiceError {
    fault("InvalidRoute.NotFound", format!("no route with destination-cidr-block {destination} in route table {table}"))
}

/// The prefix list of a gateway service (ids differ by region at AWS; here it is us-west-2's).
fn prefix_list(service: &str) -> &'static str {
    if service.ends_with(".s3") { "pl-68a54001" } else { "pl-00a54069" }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::NewEndpoint;
    use crate::ec2::model::{State, Target};
    use crate::ec2::network::NewSubnet;

    #[test]
    fn routes_need_a_gateway_of_the_same_vpc() {
        let mut net = State::in_region("us-west-2");
        let vpc = net.add_vpc("10.0.0.0/16", "default", vec![]).unwrap();
        let table = net.add_route_table(&vpc, vec![]).unwrap();
        let igw = net.add_internet_gateway(vec![]).unwrap();
        let out = || Target::Gateway(igw.clone());
        let early = net.add_route(&table, "0.0.0.0/0", out(), false).unwrap_err();
        assert!(early.message.ends_with("belong to different networks"), "{}", early.message);
        net.attach(&igw, &vpc).unwrap();
        net.add_route(&table, "0.0.0.0/0", out(), false).unwrap();
        assert_eq!(net.add_route(&table, "0.0.0.0/0", out(), false).unwrap_err().code, "RouteAlreadyExists");
        net.remove_route(&table, "0.0.0.0/0").unwrap();
        assert_eq!(net.remove_route(&table, "0.0.0.0/0").unwrap_err().code, "InvalidRoute.NotFound");
        assert_eq!(net.remove_route(&table, "10.0.0.0/16").unwrap_err().code, "InvalidRoute.NotFound");
    }

    #[test]
    fn a_subnet_has_one_table_and_a_used_table_stays() {
        let mut net = State::in_region("us-west-2");
        let vpc = net.add_vpc("10.0.0.0/16", "default", vec![]).unwrap();
        let new = NewSubnet { vpc: vpc.clone(), cidr: "10.0.1.0/24".into(), ..NewSubnet::default() };
        let subnet = net.add_subnet(new).unwrap();
        let (a, b) = (net.add_route_table(&vpc, vec![]).unwrap(), net.add_route_table(&vpc, vec![]).unwrap());
        let association = net.associate(&a, &subnet).unwrap();
        assert_eq!(net.associate(&b, &subnet).unwrap_err().code, "Resource.AlreadyAssociated");
        assert_eq!(net.remove_route_table(&a).unwrap_err().code, "DependencyViolation");
        net.disassociate(&association).unwrap();
        net.remove_route_table(&a).unwrap();
    }

    #[test]
    fn an_endpoint_puts_its_route_into_its_tables_and_takes_it_out() {
        let mut net = State::in_region("eu-west-1");
        let vpc = net.add_vpc("10.0.0.0/16", "default", vec![]).unwrap();
        let table = net.add_route_table(&vpc, vec![]).unwrap();
        let new = |service: &str, table: &str| NewEndpoint {
            vpc: vpc.clone(),
            service: service.into(),
            route_tables: vec![table.into()],
            ..NewEndpoint::default()
        };
        let now = jiff::Timestamp::UNIX_EPOCH;
        let s3 = "com.amazonaws.eu-west-1.s3";
        let elsewhere = net.add_endpoint(new("com.amazonaws.us-west-2.s3", &table), now);
        assert_eq!(elsewhere.unwrap_err().code, "InvalidServiceName");
        assert_eq!(net.add_endpoint(new(s3, "rtb-0nowhere"), now).unwrap_err().code, "InvalidRouteTableID.NotFound");
        let id = net.add_endpoint(new(s3, &table), now).unwrap();
        assert_eq!(net.route_table(&table).unwrap().routes.len(), 2);
        net.remove_endpoint(&id).unwrap();
        assert_eq!(net.route_table(&table).unwrap().routes.len(), 1);
    }
}

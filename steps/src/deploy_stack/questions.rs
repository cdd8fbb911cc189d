//! What a deploy-stack asks of AWS before the run: its name, the zones and quotas that its template needs.
//! Knows nothing of how that is answered.

use std::collections::HashSet;

use super::reading;
use crate::codes::live;
use crate::files::Files;
use crate::finding::At;
use crate::partial::Partial;
use crate::question::{Asked, NetworkPart, Question, Wish};
use crate::region;
use crate::template::node::Node;
use crate::template::{Holds, ResourceType, Stack, resource_types};
use crate::value::Value;

/// All of them.
pub fn questions(inputs: &Partial, files: &Files) -> Vec<Asked> {
    let Some(name) = inputs.get("name") else { return Vec::new() };
    let adopt = matches!(inputs.get("adopt"), Some(Partial::Known(Value::Bool(true), _)));
    let (stack, at) = (Wish::text(Some(name)), At::Pipeline(name.place()));
    let mut asked = vec![Asked::now(at.clone(), Question::Region)];
    asked.extend(Asked::of(&live::STACK_NAME, &at, stack.clone(), |name| Question::StackName { name, adopt }));
    asked.extend(zones(inputs));
    reading::with_stack(inputs, files, |made| {
        asked.extend(given(made, inputs));
        asked.extend(network(made, &at, &stack));
        asked.extend(blocks(made, inputs, stack));
    });
    asked
}

/// Zone ids among the parameters; the one that is not known is told by its name.
fn zones(inputs: &Partial) -> Vec<Asked> {
    let Some(Partial::Map(entries, _)) = inputs.get("parameters") else { return Vec::new() };
    let asked = entries.iter().filter_map(|(name, (_, value))| {
        let zone = match Wish::text(Some(value)) {
            Wish::Now(text) if region::is_zone_id(&text) => Wish::Now(text),
            Wish::Later if name.contains("AvailabilityZone") => Wish::Later,
            Wish::Now(_) | Wish::Later | Wish::None => Wish::None,
        };
        Asked::of(&live::ZONE, &At::Pipeline(value.place()), zone, |zone| Question::Zone { zone })
    });
    asked.collect()
}

/// What the parameters name that must be there: CloudFormation looks it up where their type says what it is, and a resource
/// needs it in a property that takes nothing of another region or account.
fn given(made: &Stack<'_>, inputs: &Partial) -> Vec<Asked> {
    let Some(Partial::Map(entries, _)) = inputs.get("parameters") else { return Vec::new() };
    let mut named = HashSet::new();
    for resource in resource_types(made).into_iter().filter(|resource| resource.holds == Holds::Yes) {
        let local = LOCAL.iter().filter(|(kind, _)| *kind == resource.kind).flat_map(|(_, paths)| *paths);
        let given = |path: &&str| path.split('.').try_fold(resource.properties?, |node, name| node.get(name));
        local.filter_map(given).for_each(|node| named_in(made, node, &mut named));
    }
    let asked = entries.iter().flat_map(|(name, (_, value))| {
        let kind = made.template.parameters.get(name).map(|parameter| parameter.kind.as_str());
        let is_typed = kind.is_some_and(|kind| LOOKED_UP.iter().any(|of| kind.contains(of)));
        let items = match value {
            Partial::List(items, _) => items.iter().filter_map(Partial::as_str).collect(),
            other => other.as_str().map(|text| text.split(',').map(str::trim).collect()).unwrap_or_default(),
        };
        let ids: Vec<&str> = if is_typed || named.contains(name.as_str()) { items } else { Vec::new() };
        let at = At::Pipeline(value.place());
        ids.into_iter()
            .filter(|id| is_id(id))
            .map(move |id| Asked::now(at.clone(), Question::There { id: id.to_owned() }))
    });
    asked.collect()
}

/// Parts of the network that CloudFormation itself looks up: such a type, or a list of it.
const LOOKED_UP: [&str; 3] = ["AWS::EC2::SecurityGroup::Id", "AWS::EC2::Subnet::Id", "AWS::EC2::VPC::Id"];

/// Properties of resources that take parts of the network, and only those of the stack's own region that its account sees. A
/// peer's VPC, the group that a rule lets in, or what a tag says may lie elsewhere (CloudFormation template reference).
const LOCAL: [(&str, &[&str]); 24] = [
    ("AWS::EC2::FlowLog", &["ResourceId"]),
    ("AWS::EC2::Instance", &["SecurityGroupIds", "SubnetId"]),
    ("AWS::EC2::NatGateway", &["SubnetId"]),
    ("AWS::EC2::NetworkAcl", &["VpcId"]),
    ("AWS::EC2::NetworkInterface", &["GroupSet", "SubnetId"]),
    ("AWS::EC2::Route", &["NatGatewayId"]),
    ("AWS::EC2::RouteTable", &["VpcId"]),
    ("AWS::EC2::SecurityGroup", &["VpcId"]),
    ("AWS::EC2::SecurityGroupEgress", &["GroupId"]),
    ("AWS::EC2::SecurityGroupIngress", &["GroupId"]),
    ("AWS::EC2::Subnet", &["VpcId"]),
    ("AWS::EC2::SubnetCidrBlock", &["SubnetId"]),
    ("AWS::EC2::SubnetRouteTableAssociation", &["SubnetId"]),
    ("AWS::EC2::VPCCidrBlock", &["VpcId"]),
    ("AWS::EC2::VPCEndpoint", &["SecurityGroupIds", "SubnetIds", "VpcId"]),
    ("AWS::EC2::VPCGatewayAttachment", &["VpcId"]),
    // The one that asks for it; the other is `PeerVpcId`.
    ("AWS::EC2::VPCPeeringConnection", &["VpcId"]),
    ("AWS::EFS::MountTarget", &["SecurityGroups", "SubnetId"]),
    ("AWS::EKS::Cluster", &["ResourcesVpcConfig.SecurityGroupIds", "ResourcesVpcConfig.SubnetIds"]),
    ("AWS::EKS::Nodegroup", &["Subnets"]),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", &["SecurityGroups", "Subnets"]),
    ("AWS::FSx::FileSystem", &["SecurityGroupIds", "SubnetIds"]),
    ("AWS::Lambda::Function", &["VpcConfig.SecurityGroupIds", "VpcConfig.SubnetIds"]),
    ("AWS::SageMaker::Cluster", &["VpcConfig.SecurityGroupIds", "VpcConfig.Subnets"]),
];

/// Such as `subnet-0123456789abcdef0`, of something that can be asked for.
fn is_id(text: &str) -> bool {
    let Some((kind, number)) = text.split_once('-') else { return false };
    ["nat", "sg", "subnet", "vpc"].contains(&kind)
        && (8..=17).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The names to which an expression surely refers.
fn named_in<'a>(made: &Stack<'_>, node: &'a Node, named: &mut HashSet<&'a str>) {
    match node.entries() {
        [(function, _, name)] if function == "Ref" => named.extend(name.text()),
        [(function, _, given)] if function == "Fn::If" => {
            let [condition, one, other] = given.items() else { return };
            match condition.text().map(|name| made.condition(name)) {
                Some(Holds::Yes) => named_in(made, one, named),
                Some(Holds::No) => named_in(made, other, named),
                Some(Holds::Unknown) | None => {}
            }
        }
        entries => entries.iter().map(|(_, _, node)| node).chain(node.items()).for_each(|n| named_in(made, n, named)),
    }
}

/// The resources of a type that the stack may have.
fn of_kind<'a>(stack: &Stack<'a>, kind: &str) -> Vec<ResourceType<'a>> {
    let mut all = resource_types(stack);
    all.retain(|resource| resource.kind == kind && resource.holds != Holds::No);
    all
}

/// How much the stack adds to what a region may have.
fn network(made: &Stack<'_>, at: &At, stack: &Wish<String>) -> Vec<Asked> {
    let parts = [
        ("AWS::EC2::VPC", NetworkPart::Vpcs),
        ("AWS::EC2::InternetGateway", NetworkPart::Gateways),
        ("AWS::EC2::EIP", NetworkPart::Addresses),
    ];
    let asked = parts.into_iter().filter_map(|(kind, which)| {
        let all = of_kind(made, kind);
        if all.iter().any(|resource| resource.holds == Holds::Unknown) {
            return Some(Asked::waits(at.clone(), &live::NETWORK_QUOTAS));
        }
        let wanted = all.len() as u64;
        let stack = if all.is_empty() { Wish::None } else { stack.clone() };
        Asked::of(&live::NETWORK_QUOTAS, at, stack, |stack| Question::NetworkQuota { stack, which, wanted })
    });
    asked.collect()
}

/// Blocks of addresses that the stack adds to a VPC which is there.
fn blocks(made: &Stack<'_>, inputs: &Partial, stack: Wish<String>) -> Vec<Asked> {
    let parameters = inputs.get("parameters");
    let place = |cidr: Option<&str>| {
        let given = parameters.and_then(|all| match all {
            Partial::Map(entries, _) => entries.values().find(|(_, value)| cidr.is_some() && value.as_str() == cidr),
            Partial::Known(..) | Partial::Unknown(..) | Partial::List(..) => None,
        });
        given.map_or_else(|| parameters.unwrap_or(inputs).place(), |(_, value)| value.place())
    };
    let asked = of_kind(made, "AWS::EC2::VPCCidrBlock").into_iter().filter_map(|block| {
        let property = |name: &str| made.text(block.properties?.get(name)?).as_known().map(str::to_owned);
        // A VPC that the stack itself makes has no text here, and no blocks of others.
        let vpc = property("VpcId").filter(|vpc| vpc.starts_with("vpc-"))?;
        let cidr = property("CidrBlock").filter(|_| block.holds == Holds::Yes);
        let at = At::Pipeline(place(cidr.as_deref()));
        let both = cidr.map_or(Wish::Later, Wish::Now).and(stack.clone());
        let question = |(cidr, stack)| Question::BlockFree { stack, vpc, cidr };
        Asked::of(&live::BLOCK_FREE, &at, both, question)
    });
    asked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{FileInput, FileKind};
    use crate::partial::{Hole, Place, ValueType};

    const TEMPLATE: &str = r"
Parameters:
  Full: { Type: String, Default: 'true' }
  VpcId: { Type: String, Default: '' }
  Block: { Type: String, Default: 10.1.0.0/16 }
Conditions:
  Full: !Equals [!Ref Full, 'true']
  Not: !Not [!Condition Full]
Resources:
  Vpc: { Type: 'AWS::EC2::VPC', Condition: Full }
  Gateway: { Type: 'AWS::EC2::InternetGateway', Condition: Full }
  Own: { Type: 'AWS::EC2::VPCCidrBlock', Condition: Full, Properties: { VpcId: !Ref Vpc, CidrBlock: !Ref Block } }
  More: { Type: 'AWS::EC2::VPCCidrBlock', Condition: Not, Properties: { VpcId: !If [Full, !Ref Vpc, !Ref VpcId], CidrBlock: !Ref Block } }
";

    /// A template as `t.yaml`.
    fn files(template: &str) -> Files {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("t.yaml"), template).expect("written");
        let input = FileInput { path: "t.yaml".to_owned(), kind: FileKind::File, place: Place::default() };
        Files::load(folder.path(), &[input])
    }

    #[test]
    fn the_questions_follow_from_the_mode_of_the_template() {
        let files = files(TEMPLATE);
        let check = |parameters: serde_json::Value, more: &[Question]| {
            let inputs = serde_json::json!({ "name": "s", "template": "t.yaml", "parameters": parameters });
            let asked = questions(&Partial::from_value(&Value::from_json(&inputs)), &files);
            let mut expected = vec![Question::Region, Question::StackName { name: "s".to_owned(), adopt: false }];
            expected.extend(more.iter().cloned());
            assert_eq!(asked.into_iter().filter_map(|asked| asked.question).collect::<Vec<_>>(), expected);
        };
        let stack = || "s".to_owned();
        let quota = |which| Question::NetworkQuota { stack: stack(), which, wanted: 1 };
        let zone = Question::Zone { zone: "usw2-az9".to_owned() };
        check(
            serde_json::json!({ "Zone": "usw2-az9" }),
            &[zone, quota(NetworkPart::Vpcs), quota(NetworkPart::Gateways)],
        );
        let block = Question::BlockFree { stack: stack(), vpc: "vpc-1".to_owned(), cidr: "10.1.0.0/16".to_owned() };
        check(serde_json::json!({ "Full": false, "VpcId": "vpc-1" }), &[block]);
    }

    /// The ids that are looked for where the template is `t.yaml`.
    fn looked_for(files: &Files, parameters: &serde_json::Value) -> Vec<String> {
        let inputs = serde_json::json!({ "name": "s", "template": "t.yaml", "parameters": parameters });
        let asked = questions(&Partial::from_value(&Value::from_json(&inputs)), files).into_iter();
        let id = |asked: Asked| match asked.question {
            Some(Question::There { id }) => Some(id),
            Some(_) | None => None,
        };
        asked.filter_map(id).collect()
    }

    #[test]
    fn what_the_stack_is_given_must_be_there_if_it_is_used_or_typed() {
        let template = r"
Parameters:
  Full: { Type: String }
  Typed: { Type: 'List<AWS::EC2::Subnet::Id>' }
  Nat: { Type: String }
  Vpc: { Type: String }
  Unused: { Type: String }
Conditions: { Full: !Equals [!Ref Full, 'true'] }
Resources:
  Route: { Type: 'AWS::EC2::Route', Properties: { NatGatewayId: !Ref Nat, RouteTableId: x } }
  Subnet: { Type: 'AWS::EC2::Subnet', Properties: { VpcId: !If [Full, other, !Ref Vpc] } }
";
        let files = files(template);
        let check = |full: bool, expected: &[&str]| {
            let parameters = serde_json::json!({
                "Full": full, "Typed": ["subnet-0123456789", "subnet-1123456789"], "Nat": "nat-0123456789",
                "Vpc": "vpc-0123456789", "Unused": "sg-0123456789",
            });
            assert_eq!(looked_for(&files, &parameters), expected, "{full}");
        };
        check(true, &["subnet-0123456789", "subnet-1123456789", "nat-0123456789"]);
        check(false, &["subnet-0123456789", "subnet-1123456789", "nat-0123456789", "vpc-0123456789"]);
    }

    #[test]
    fn what_may_lie_in_another_region_or_account_is_not_looked_for() {
        let template = r"
Parameters: { Own: { Type: String }, Peer: { Type: String }, Group: { Type: String }, Source: { Type: String }, Nodes: { Type: String } }
Resources:
  Bucket: { Type: 'AWS::S3::Bucket', Properties: { Tags: [{ Key: peer, Value: !Ref Peer }] } }
  Peering: { Type: 'AWS::EC2::VPCPeeringConnection', Properties: { VpcId: !Ref Own, PeerVpcId: !Ref Peer, PeerRegion: eu-west-1 } }
  Rule: { Type: 'AWS::EC2::SecurityGroupIngress', Properties: { GroupId: !Ref Group, SourceSecurityGroupId: !Ref Source, SourceSecurityGroupOwnerId: '222233334444' } }
  Eks: { Type: 'AWS::EKS::Cluster', Properties: { ResourcesVpcConfig: { SubnetIds: [!Ref Nodes] } } }
";
        let parameters = serde_json::json!({
            "Own": "vpc-0123456789", "Peer": "vpc-1123456789", "Group": "sg-0123456789", "Source": "sg-1123456789",
            "Nodes": "subnet-0123456789",
        });
        assert_eq!(looked_for(&files(template), &parameters), ["vpc-0123456789", "sg-0123456789", "subnet-0123456789"]);
    }

    #[test]
    fn what_hangs_on_a_condition_that_is_not_known_waits() {
        let template = r"
Parameters: { Make: { Type: String } }
Conditions: { Make: !Equals [!Ref Make, 'true'] }
Resources: { Vpc: { Type: 'AWS::EC2::VPC', Condition: Make } }
";
        let files = files(template);
        let place = Place::default();
        let text = |text: &str| Partial::Known(Value::String(text.to_owned()), place);
        let entry = |name: &str, value: Partial| (name.to_owned(), (place, value));
        let unknown = Partial::Unknown(Hole::of(ValueType::String), place);
        let inputs = Partial::Map(
            [
                entry("name", text("s")),
                entry("template", text("t.yaml")),
                entry("parameters", Partial::Map([entry("Make", unknown)].into_iter().collect(), place)),
            ]
            .into_iter()
            .collect(),
            place,
        );
        let asked = questions(&inputs, &files);
        assert!(asked.iter().any(|a| a.code == &live::NETWORK_QUOTAS && a.question.is_none()), "{asked:#?}");
    }
}

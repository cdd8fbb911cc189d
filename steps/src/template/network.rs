//! Blocks of addresses in a template: subnets of one network that overlap, or lie outside of it.
//! Knows nothing of networks that exist already: only what stands in the template is held against each other.

use std::collections::HashMap;
use std::fmt;
use std::net::Ipv4Addr;

use super::Problem;
use super::conditions::Holds;
use super::evaluate::Stack;
use super::read::Resource;
use crate::codes::template as codes;
use crate::partial::{Place, Text};

/// Largest and smallest block of a VPC or a subnet (EC2 user guide).
const SIZES: std::ops::RangeInclusive<u32> = 16..=28;

/// A block of IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    first: u32,
    bits: u32,
}

impl Block {
    /// The block that a text such as `10.0.0.0/16` spells; its address need not be its first, as EC2 takes it.
    pub fn read(text: &str) -> Option<Self> {
        let (address, bits) = text.trim().split_once('/')?;
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        Some(Self { first: address & mask, bits })
    }

    /// `count` blocks with `host` bits for hosts, from the beginning; none if they do not fit.
    pub fn divide(self, count: u32, host: u32) -> Option<Vec<Self>> {
        let fits = host <= 32 - self.bits
            && (1..=256).contains(&count)
            && u64::from(count) << host <= 1_u64 << (32 - self.bits);
        // The first of a single block of all addresses is the only one: nothing is added to it.
        let first = |i: u32| self.first + i.checked_shl(host).unwrap_or(0);
        fits.then(|| (0..count).map(|i| Self { first: first(i), bits: 32 - host }).collect())
    }

    fn last(self) -> u32 {
        self.first | u32::MAX.checked_shr(self.bits).unwrap_or(0)
    }

    fn holds(self, other: Self) -> bool {
        self.first <= other.first && other.last() <= self.last()
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.bits)
    }
}

/// A block that a resource asks for.
struct Asked<'a> {
    id: &'a str,
    block: Block,
    place: Place,
    /// The network that it is in, as far as its id is known.
    network: Text,
}

/// The blocks of one network in a template, and whether they are all of them.
#[derive(Default)]
struct Network<'a> {
    own: Vec<Asked<'a>>,
    /// Whether there may be blocks that are not known.
    open: bool,
}

/// What is wrong with the blocks of networks and subnets, where they are known.
pub(super) fn check(stack: &Stack<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut networks: HashMap<Text, Network<'_>> = HashMap::new();
    let mut subnets: HashMap<Text, Vec<Asked<'_>>> = HashMap::new();
    let mut all_open = false;
    for (id, resource) in &stack.template.resources {
        let holds = stack.has(resource.condition.as_ref());
        if holds == Holds::No {
            continue;
        }
        let sure = holds == Holds::Yes;
        let asked = match asked(stack, id, resource) {
            Ok(asked) => asked,
            // Of what may not be made nothing is said.
            Err(problem) => {
                problems.extend(sure.then_some(problem));
                None
            }
        };
        match (resource.kind.0.as_str(), asked) {
            ("AWS::EC2::VPC", Some(asked)) if sure => {
                networks.entry(asked.network.clone()).or_default().own.push(asked)
            }
            ("AWS::EC2::VPC", _) => {
                networks.entry(Text(vec![crate::partial::Piece::From(id.clone())])).or_default().open = true
            }
            ("AWS::EC2::VPCCidrBlock", Some(asked)) if sure => {
                networks.entry(asked.network.clone()).or_default().own.push(asked);
            }
            // A block that nobody knows may belong to any network of the template.
            ("AWS::EC2::VPCCidrBlock", _) => match property(stack, resource, "VpcId") {
                Some(network) if !network.is_unknown() => networks.entry(network).or_default().open = true,
                Some(_) | None => all_open = true,
            },
            ("AWS::EC2::Subnet", Some(asked)) if sure => subnets.entry(asked.network.clone()).or_default().push(asked),
            _ => {}
        }
    }
    for (network, mut asked) in subnets {
        overlaps(&mut asked, "subnet", &mut problems);
        // Only a network of this template has all its blocks in it.
        let known = networks.get(&network).filter(|known| !all_open && !known.open);
        if let Some(known) = known.filter(|_| is_made_here(stack, &network)) {
            problems.extend(asked.iter().filter_map(|subnet| outside(subnet, known)));
        }
    }
    for mut network in networks.into_values() {
        overlaps(&mut network.own, "block", &mut problems);
    }
    problems
}

/// The block that a resource asks for, if it is known; the problem is that of one that no network can have.
fn asked<'a>(stack: &Stack<'_>, id: &'a str, resource: &Resource) -> Result<Option<Asked<'a>>, Problem> {
    let Some((network, place, text)) = wish(stack, id, resource) else { return Ok(None) };
    match Block::read(&text) {
        Some(block) if SIZES.contains(&block.bits) => {
            Ok((!network.is_unknown()).then_some(Asked { id, block, place, network }))
        }
        Some(_) | None => {
            Err(Problem::error(&codes::WRONG_BLOCK, place, format!("`{id}` cannot have the block `{text}`"))
                .help("a VPC and a subnet take IPv4 blocks from /16 to /28, such as 10.0.0.0/24"))
        }
    }
}

/// For which network a resource asks for a block, where it says so, and what it says.
fn wish(stack: &Stack<'_>, id: &str, resource: &Resource) -> Option<(Text, Place, String)> {
    let network = match resource.kind.0.as_str() {
        "AWS::EC2::VPC" => Text(vec![crate::partial::Piece::From(id.to_owned())]),
        "AWS::EC2::Subnet" | "AWS::EC2::VPCCidrBlock" => property(stack, resource, "VpcId")?,
        _ => return None,
    };
    let node = resource.properties.as_ref()?.get("CidrBlock")?;
    let text = stack.resolve(node).known()?;
    Some((network, node.place, text))
}

fn property(stack: &Stack<'_>, resource: &Resource, name: &str) -> Option<Text> {
    Some(stack.text(resource.properties.as_ref()?.get(name)?))
}

/// Whether the network is a resource of this template.
fn is_made_here(stack: &Stack<'_>, network: &Text) -> bool {
    let [crate::partial::Piece::From(id)] = network.0.as_slice() else { return false };
    stack.template.resources.get(id).is_some_and(|resource| resource.kind.0 == "AWS::EC2::VPC")
}

/// Blocks that share addresses: sorted, each need only be held against the one that reaches farthest so far.
fn overlaps(asked: &mut [Asked<'_>], what: &str, problems: &mut Vec<Problem>) {
    asked.sort_by_key(|asked| (asked.block.first, asked.place.start));
    let mut widest: Option<&Asked<'_>> = None;
    for next in asked.iter() {
        if let Some(before) = widest.filter(|before| before.block.last() >= next.block.first) {
            let (a, b) = if before.place.start < next.place.start { (before, next) } else { (next, before) };
            let message = format!("the {what}s `{}` ({}) and `{}` ({}) overlap", a.id, a.block, b.id, b.block);
            problems.push(
                Problem::error(&codes::OVERLAPPING_BLOCKS, b.place, message)
                    .related(a.place, format!("{} is asked for here", a.block))
                    .help("EC2 refuses the second: give one of them another block"),
            );
        }
        if widest.is_none_or(|before| next.block.last() > before.block.last()) {
            widest = Some(next);
        }
    }
}

fn outside(subnet: &Asked<'_>, network: &Network<'_>) -> Option<Problem> {
    if network.own.iter().any(|own| own.block.holds(subnet.block)) {
        return None;
    }
    let blocks: Vec<String> = network.own.iter().map(|own| own.block.to_string()).collect();
    let message =
        format!("the subnet `{}` ({}) is not in its VPC, which has {}", subnet.id, subnet.block, blocks.join(", "));
    let problem = Problem::error(&codes::SUBNET_OUTSIDE, subnet.place, message)
        .help("give it a block within, or add the block to the VPC (AWS::EC2::VPCCidrBlock)");
    let place = |own: &Asked<'_>| (own.place, format!("the VPC has {}", own.block));
    Some(Problem { related: network.own.iter().map(place).collect(), ..problem })
}

#[cfg(test)]
mod tests {
    use super::super::{Arguments, Template};
    use super::*;

    fn told(resources: &str) -> Vec<String> {
        let text = format!("Parameters: {{ Mine: {{ Type: String }} }}\nResources:\n{resources}");
        let template = Template::read(&text).expect("it is a template");
        let mut told: Vec<String> =
            check(&Stack::new(&template, Arguments::default())).into_iter().map(|p| p.message).collect();
        told.sort();
        told
    }

    #[test]
    fn blocks_are_read_as_ec2_takes_them() {
        let shown = |text: &str| Block::read(text).map(|block| block.to_string());
        assert_eq!(shown("10.0.1.7/16").as_deref(), Some("10.0.0.0/16"));
        assert_eq!(shown("0.0.0.0/0").as_deref(), Some("0.0.0.0/0"));
        assert_eq!((shown("10.0.0.0/33"), shown("10.0.0.0"), shown("fd00::/8")), (None, None, None));
        let divided = Block::read("10.0.0.0/16").and_then(|block| block.divide(3, 8)).expect("they fit");
        assert_eq!(
            divided.iter().map(Block::to_string).collect::<Vec<_>>(),
            ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]
        );
        assert_eq!(Block::read("10.0.0.0/24").and_then(|block| block.divide(3, 7)), None);
        assert!(Block::read("0.0.0.0/0").expect("it is one").divide(1, 32).is_some());
    }

    const VPC: &str = "  V: { Type: 'AWS::EC2::VPC', Properties: { CidrBlock: 10.0.0.0/16 } }\n";

    fn subnet(id: &str, vpc: &str, block: &str) -> String {
        format!("  {id}: {{ Type: 'AWS::EC2::Subnet', Properties: {{ VpcId: {vpc}, CidrBlock: {block} }} }}\n")
    }

    #[test]
    fn only_what_is_known_is_held_against_each_other() {
        let of_v = |id: &str, block: &str| subnet(id, "!Ref V", block);
        let sound = format!("{VPC}{}{}", of_v("A", "10.0.0.0/24"), of_v("B", "10.0.1.0/24"));
        assert_eq!(told(&sound), [""; 0]);
        let overlapping = format!("{VPC}{}{}", of_v("A", "10.0.0.0/23"), of_v("B", "10.0.1.0/24"));
        assert_eq!(told(&overlapping), ["the subnets `A` (10.0.0.0/23) and `B` (10.0.1.0/24) overlap"]);
        let outside = format!("{VPC}{}", of_v("A", "10.1.0.0/24"));
        assert_eq!(told(&outside), ["the subnet `A` (10.1.0.0/24) is not in its VPC, which has 10.0.0.0/16"]);
        let added =
            "  More: { Type: 'AWS::EC2::VPCCidrBlock', Properties: { VpcId: !Ref V, CidrBlock: 10.1.0.0/16 } }\n";
        assert_eq!(told(&format!("{outside}{added}")), [""; 0]);
        let unknown = added.replace("10.1.0.0/16", "!Ref Mine");
        assert_eq!(told(&format!("{outside}{unknown}")), [""; 0], "the block that is not known may be the one");
        let anywhere = unknown.replace("!Ref V", "!GetAtt X.Id");
        assert_eq!(told(&format!("{overlapping}{anywhere}")).len(), 1, "they overlap, whosever the block is");
        let mine = format!("{}{}", subnet("A", "!Ref Mine", "10.0.0.0/24"), subnet("B", "!Ref Mine", "10.0.0.0/25"));
        assert_eq!(told(&mine).len(), 1, "whatever the parameter is, it is the same VPC");
        let named = format!("{}{}", subnet("A", "vpc-1", "10.0.0.0/24"), subnet("B", "vpc-1", "10.0.0.0/25"));
        assert_eq!(told(&named), ["the subnets `A` (10.0.0.0/24) and `B` (10.0.0.0/25) overlap"]);
        let others = format!("{}{}", subnet("A", "vpc-1", "10.0.0.0/24"), subnet("B", "vpc-2", "10.0.0.0/25"));
        assert_eq!(told(&others), [""; 0]);
        assert_eq!(told(&VPC.replace("/16", "/8")), ["`V` cannot have the block `10.0.0.0/8`"]);
    }
}

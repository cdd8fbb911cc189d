//! What a deploy-stack asks of AWS before the run: its name, the zones and quotas that its template needs.
//! Knows nothing of how that is answered.

use super::check;
use crate::codes::live;
use crate::files::Files;
use crate::finding::At;
use crate::partial::Partial;
use crate::question::{Asked, Question, Wish};
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
    check::with_stack(inputs, files, |made| {
        asked.extend(network(made, &at, stack.clone()));
        asked.extend(blocks(made, inputs, stack));
    });
    asked
}

/// Zone ids among the parameters; the one that is not known is told by its name.
fn zones(inputs: &Partial) -> Vec<Asked> {
    let Some(Partial::Map(entries, _)) = inputs.get("parameters") else { return Vec::new() };
    let asked = entries.iter().filter_map(|(name, (_, value))| {
        let zone = match Wish::text(Some(value)) {
            Wish::Now(text) if is_zone_id(&text) => Wish::Now(text),
            Wish::Later if name.contains("AvailabilityZone") => Wish::Later,
            Wish::Now(_) | Wish::Later | Wish::None => Wish::None,
        };
        Asked::of(&live::ZONE, &At::Pipeline(value.place()), zone, |zone| Question::Zone { zone })
    });
    asked.collect()
}

/// Such as `usw2-az2`.
fn is_zone_id(text: &str) -> bool {
    let Some((region, zone)) = text.split_once("-az") else { return false };
    let letters = region.trim_end_matches(|c: char| c.is_ascii_digit());
    (3..=4).contains(&letters.len())
        && letters.bytes().all(|b| b.is_ascii_lowercase())
        && letters.len() < region.len()
        && !zone.is_empty()
        && zone.bytes().all(|b| b.is_ascii_digit())
}

/// The resources of a type that the stack may have: what cannot be told counts as being there.
fn of_kind<'a>(stack: &Stack<'a>, kind: &str) -> Vec<ResourceType<'a>> {
    let mut all = resource_types(stack);
    all.retain(|resource| resource.kind == kind && resource.holds != Holds::No);
    all
}

/// How much the stack adds to what a region may have.
fn network(made: &Stack<'_>, at: &At, stack: Wish<String>) -> Option<Asked> {
    let count = |kind| of_kind(made, kind).len() as u64;
    let (vpcs, gateways) = (count("AWS::EC2::VPC"), count("AWS::EC2::InternetGateway"));
    let addresses = count("AWS::EC2::EIP");
    if vpcs + gateways + addresses == 0 {
        return None;
    }
    let question = |stack| Question::NetworkQuotas { stack, vpcs, gateways, addresses };
    Asked::of(&live::NETWORK_QUOTAS, at, stack, question)
}

/// Blocks of addresses that the stack adds to a VPC which is there.
fn blocks(made: &Stack<'_>, inputs: &Partial, stack: Wish<String>) -> Vec<Asked> {
    let place = inputs.get("parameters").unwrap_or(inputs).place();
    let asked = of_kind(made, "AWS::EC2::VPCCidrBlock").into_iter().filter_map(|block| {
        let property = |name: &str| made.text(block.properties?.get(name)?).as_known().map(str::to_owned);
        // A VPC that the stack itself makes has no text here, and no blocks of others.
        let vpc = property("VpcId").filter(|vpc| vpc.starts_with("vpc-"))?;
        let both = property("CidrBlock").map_or(Wish::Later, Wish::Now).and(stack.clone());
        let question = |(cidr, stack)| Question::BlockFree { stack, vpc, cidr };
        Asked::of(&live::BLOCK_FREE, &At::Pipeline(place), both, question)
    });
    asked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{FileInput, FileKind};
    use crate::partial::Place;

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

    #[test]
    fn the_questions_follow_from_the_mode_of_the_template() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("t.yaml"), TEMPLATE).expect("written");
        let input = FileInput { path: "t.yaml".to_owned(), kind: FileKind::File, place: Place::default() };
        let files = Files::load(folder.path(), &[input]);
        let check = |parameters: serde_json::Value, more: &[Question]| {
            let inputs = serde_json::json!({ "name": "s", "template": "t.yaml", "parameters": parameters });
            let asked = questions(&Partial::from_value(&Value::from_json(&inputs)), &files);
            let mut expected = vec![Question::Region, Question::StackName { name: "s".to_owned(), adopt: false }];
            expected.extend(more.iter().cloned());
            assert_eq!(asked.into_iter().filter_map(|asked| asked.question).collect::<Vec<_>>(), expected);
        };
        let stack = || "s".to_owned();
        let quotas = Question::NetworkQuotas { stack: stack(), vpcs: 1, gateways: 1, addresses: 0 };
        let zone = Question::Zone { zone: "usw2-az9".to_owned() };
        check(serde_json::json!({ "Zone": "usw2-az9" }), &[zone, quotas]);
        let block = Question::BlockFree { stack: stack(), vpc: "vpc-1".to_owned(), cidr: "10.1.0.0/16".to_owned() };
        check(serde_json::json!({ "Full": false, "VpcId": "vpc-1" }), &[block]);
    }

    #[test]
    fn zone_ids_are_told_from_other_texts() {
        for (text, is) in
            [("usw2-az2", true), ("apse1-az3", true), ("us-west-2b", false), ("my-az1", false), ("use1-az", false)]
        {
            assert_eq!(is_zone_id(text), is, "{text}");
        }
    }
}

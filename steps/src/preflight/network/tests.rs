//! What is made of networks, as tables.

use serde_json::json;

use super::*;

fn subnet(id: &str, vpc: &str, zone: &str) -> Subnet {
    Subnet { id: id.to_owned(), vpc: vpc.to_owned(), zone: zone.to_owned(), free: 10 }
}

fn security(id: &str, vpc: &str, from: &[&str], to: &[&str]) -> SecurityGroup {
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    let (from, to) = (owned(from), owned(to));
    SecurityGroup { id: id.to_owned(), vpc: vpc.to_owned(), from, to, from_addresses: false, to_addresses: false }
}

fn bad(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Bad(..))
}

#[test]
fn subnets_and_groups_are_of_one_vpc() {
    let (a, b) = (subnet("subnet-a", "vpc-1", "z1"), subnet("subnet-b", "vpc-2", "z1"));
    let group = security("sg-1", "vpc-1", &[], &[]);
    assert_eq!(one_vpc_verdict(std::slice::from_ref(&a), std::slice::from_ref(&group)), Verdict::Good);
    let wrong = one_vpc_verdict(&[a, b], &[group]);
    assert!(matches!(wrong, Verdict::Bad(message, _) if message == "subnet-a is in vpc-1, and subnet-b is in vpc-2"));
}

#[test]
fn nodes_take_many_addresses() {
    let nodes = |of: &str, count| vec![(of.to_owned(), count)];
    assert_eq!(addresses_verdict(251, &nodes("ml.p5.48xlarge", 3)), Verdict::Good);
    assert!(bad(&addresses_verdict(251, &nodes("ml.p5.48xlarge", 4))));
    assert_eq!(addresses_verdict(11, &nodes("ml.m5.large", 11)), Verdict::Good);
    assert_eq!(addresses_verdict(251, &nodes("ml.p5.4xlarge", 4)), Verdict::Good, "a small size has one network card");
    assert!(bad(&addresses_verdict(251, &nodes("ml.p5.48xlarge", u64::MAX))), "any number can be written");
}

#[test]
fn a_group_lets_its_members_speak_both_ways() {
    let check = |from: &[&str], to: &[&str], efa| self_reference_verdict(&[security("sg-1", "vpc-1", from, to)], efa);
    assert_eq!(check(&["sg-1"], &["sg-1"], true), Verdict::Good);
    assert!(matches!(check(&["sg-1"], &[], true), Verdict::Bad(message, _) if message.ends_with("out to itself")));
    assert!(matches!(check(&[], &["sg-1"], false), Verdict::Doubt(message, _) if message.ends_with("in from itself")));
    assert!(matches!(check(&["sg-2"], &["sg-2"], true), Verdict::Bad(..)));
    let wide = SecurityGroup { from_addresses: true, to_addresses: true, ..security("sg-1", "vpc-1", &[], &[]) };
    let check = |efa| self_reference_verdict(std::slice::from_ref(&wide), efa);
    assert_eq!(check(false), Verdict::Good, "addresses let traffic through");
    assert!(bad(&check(true)), "but not for EFA");
}

#[test]
fn nodes_and_control_plane_meet() {
    let control = security("sg-eks", "vpc-1", &["sg-1"], &[]);
    let check = |own: SecurityGroup| meet_verdict(&[own], "sg-eks", Some(&control));
    assert_eq!(check(security("sg-1", "vpc-1", &["sg-eks"], &[])), Verdict::Good);
    assert_eq!(check(security("sg-eks", "vpc-1", &[], &[])), Verdict::Good);
    let wide = SecurityGroup { from_addresses: true, ..security("sg-1", "vpc-1", &[], &[]) };
    assert_eq!(check(wide), Verdict::Good);
    assert!(
        matches!(check(security("sg-1", "vpc-1", &[], &[])), Verdict::Doubt(message, _) if message.starts_with("sg-1 does not"))
    );
    assert!(
        matches!(check(security("sg-2", "vpc-1", &["sg-eks"], &[])), Verdict::Doubt(message, _) if message.starts_with("the EKS"))
    );
}

#[test]
fn a_way_out_is_by_nat_or_by_endpoints() {
    let route = |target: &str| {
        let text = format!(
            "<R><routeTableSet>\
             <item><associationSet><item><main>true</main></item></associationSet><routeSet/></item>\
             <item><associationSet><item><subnetId>s</subnetId><main>false</main></item></associationSet>\
             <routeSet><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock>{target}</item></routeSet></item>\
             </routeTableSet></R>"
        );
        Xml::read(&text).expect("it is XML")
    };
    let nat = route("<natGatewayId>nat-1</natGatewayId><state>active</state>");
    assert_eq!(default_route("s", &nat), Way::Private);
    assert_eq!(default_route("other", &nat), Way::None, "the main table has no such route");
    assert_eq!(default_route("s", &route("<gatewayId>igw-1</gatewayId>")), Way::Public);
    assert_eq!(
        default_route("s", &route("<natGatewayId>nat-1</natGatewayId><state>blackhole</state>")),
        Way::Blackhole
    );
    let halves = "<R><routeTableSet><item><associationSet><item><main>true</main></item></associationSet><routeSet><item>\
                  <destinationCidrBlock>0.0.0.0/1</destinationCidrBlock><natGatewayId>nat-1</natGatewayId></item></routeSet>\
                  </item></routeTableSet></R>";
    assert_eq!(default_route("s", &Xml::read(halves).expect("it is XML")), Way::Private);
    assert_eq!(way_verdict("s", Way::Private, &[]), Verdict::Good);
    assert!(bad(&way_verdict("s", Way::Public, &[])) && bad(&way_verdict("s", Way::Blackhole, &[])));
    let all: Vec<String> = ENDPOINTS.iter().map(|name| format!("com.amazonaws.us-west-2.{name}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(way_verdict("s", Way::None, &all), Verdict::Good);
    let lacking = way_verdict("s", Way::None, &all[1..]);
    assert!(matches!(lacking, Verdict::Bad(_, Some(help)) if help.ends_with("endpoints for s3")));
}

#[test]
fn efa_stays_in_one_zone() {
    let (a, b) = (subnet("a", "v", "usw2-az1"), subnet("b", "v", "usw2-az2"));
    assert_eq!(one_zone_verdict(&[a.clone(), a.clone()]), Verdict::Good);
    assert!(matches!(one_zone_verdict(&[a, b]), Verdict::Doubt(message, _) if message.ends_with("usw2-az1, usw2-az2")));
}

#[test]
fn an_endpoint_is_on_the_way_by_its_route_table_or_its_name() {
    let endpoint = |service: &str, table: &str, dns: &str| {
        format!(
            "<item><serviceName>com.amazonaws.us-west-2.{service}</serviceName>{dns}\
             <routeTableIdSet><item>{table}</item></routeTableIdSet></item>"
        )
    };
    let check = |all: &[&str]| {
        let set = Xml::read(&format!("<set>{}</set>", all.concat())).expect("it is XML");
        let way: Vec<usize> = on_the_way(&set.children, &["rtb-1"])
            .into_iter()
            .filter_map(|on| set.children.iter().position(|of| std::ptr::eq(of, on)))
            .collect();
        way
    };
    let (named, none) = ("<privateDnsEnabled>true</privateDnsEnabled>", "");
    let option = "<privateDnsOnlyForInboundResolverEndpoint>true</privateDnsOnlyForInboundResolverEndpoint>";
    let inbound = format!("{named}<dnsOptions>{option}</dnsOptions>");
    let gateway = endpoint("s3", "rtb-1", none);
    assert_eq!(check(&[&gateway, &endpoint("s3", "rtb-2", none), &endpoint("dynamodb", "rtb-1", named)]), [0]);
    assert_eq!(check(&[&gateway, &endpoint("s3", "", named)]), [1], "S3's name leads to the interface");
    assert_eq!(check(&[&gateway, &endpoint("s3", "", &inbound)]), [0], "that one is for what comes from outside");
}

#[test]
fn a_nat_gateway_that_is_gone_is_none() {
    assert_eq!(
        (nat_verdict("n", Some("available")), nat_verdict("n", Some("pending"))),
        (Verdict::Good, Verdict::Good)
    );
    assert!(bad(&nat_verdict("n", Some("deleted"))) && bad(&nat_verdict("n", Some("failed"))));
    assert!(matches!(nat_verdict("n", None), Verdict::Gone(_)));
}

#[test]
fn blocks_do_not_overlap() {
    let check = |cidr: &str, blocks: &[&str]| {
        block_verdict("vpc-1", cidr, &blocks.iter().map(|block| (*block).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(check("10.1.0.0/16", &["10.0.0.0/16", "10.2.0.0/16"]), Verdict::Good);
    assert!(bad(&check("10.1.0.0/16", &["10.1.240.0/20"])) && bad(&check("10.1.240.0/20", &["10.0.0.0/8"])));
    assert!(bad(&check("10.1.0.0", &[])) && bad(&check("10.1.0.0/33", &[])));
    assert!(matches!(check("10.9.0.0/16", &["10.1.0.0/16"; 5]), Verdict::Doubt(..) | Verdict::Good));
    assert!(bad(&check("10.1.0.0/16", &["0.0.0.0/0"])), "a block may be everything");
}

#[test]
fn an_endpoint_policy_may_stand_in_the_way() {
    let policy = |resource: &str| json!({ "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": resource }] });
    let check = |policies: &[Json]| {
        policy_verdict(
            &policies.iter().cloned().map(Some).collect::<Vec<_>>(),
            "arn:aws:s3:::b",
            "scripts/on_create.sh",
        )
    };
    assert_eq!(check(&[]), Verdict::Good);
    assert_eq!(check(&[policy("*")]), Verdict::Good);
    assert_eq!(check(&[policy("arn:aws:s3:::b/*")]), Verdict::Good);
    assert_eq!(check(&[policy("arn:aws:s3:::b/scripts/*")]), Verdict::Good, "the script is there");
    assert!(bad(&check(&[policy("arn:aws:s3:::other/*")])) && bad(&check(&[policy("arn:aws:s3:::b/data/*")])));
    let with_unread =
        |resource: &str| policy_verdict(&[None, Some(policy(resource))], "arn:aws:s3:::b", "on_create.sh");
    assert!(matches!(with_unread("*"), Verdict::Unknown(_)) && bad(&with_unread("arn:aws:s3:::other/*")));
    let china = policy_verdict(&[Some(policy("arn:aws-cn:s3:::b/*"))], "arn:aws-cn:s3:::b", "on_create.sh");
    assert_eq!(china, Verdict::Good, "a partition has ARNs of its own");
}

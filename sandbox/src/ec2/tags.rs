//! Tags of EC2's things: given, taken away, listed.
//! Which kind a thing is, is read from its id's prefix.

use super::fault;
use super::listing::{Filter, Page, dry_run, keep};
use super::model::{State, Tags};
use crate::wire::{Call, Form, Reply, ServiceError};

/// The tags of `TagSpecification` in a Create call, which must be for this resource type.
pub(super) fn specified(form: &mut Form, kind: &str) -> Result<Tags, ServiceError> {
    let mut tags = Tags::new();
    for mut specification in form.list("TagSpecification") {
        let resource = specification.need("ResourceType")?;
        if resource != kind {
            return Err(fault(
                "InvalidParameterValue",
                format!("'{resource}' is not a valid taggable resource type for this operation."),
            ));
        }
        tags.extend(pairs(&mut specification)?);
        specification.finish()?;
    }
    Ok(tags)
}

fn pairs(form: &mut Form) -> Result<Tags, ServiceError> {
    let pair = |mut tag: Form| {
        let pair = (tag.need("Key")?, tag.take("Value").unwrap_or_default());
        tag.finish().map(|()| pair)
    };
    form.list("Tag").into_iter().map(pair).collect()
}

/// CreateTags.
pub(super) fn create(net: &mut State, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    dry_run(&mut form)?;
    let (ids, tags) = (form.texts("ResourceId"), pairs(&mut form)?);
    form.finish()?;
    if let Some((key, _)) = tags.iter().find(|(key, _)| key.starts_with("aws:")) {
        let text = format!("Tag keys starting with 'aws:' are reserved for internal use ({key})");
        return Err(fault("InvalidParameterValue", text));
    }
    for id in &ids {
        of(net, id)?;
    }
    for id in &ids {
        let kept = of(net, id)?;
        for (key, value) in &tags {
            kept.retain(|(k, _)| k != key);
            kept.push((key.clone(), value.clone()));
        }
    }
    Ok(Reply::ec2(call, |xml| xml.text("return", true)))
}

/// DeleteTags; without tags all of a thing's own go.
pub(super) fn delete(net: &mut State, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    dry_run(&mut form)?;
    let ids = form.texts("ResourceId");
    let tags: Vec<(Option<String>, Option<String>)> =
        form.list("Tag").into_iter().map(|mut tag| (tag.take("Key"), tag.take("Value"))).collect();
    form.finish()?;
    for id in &ids {
        let goes = |key: &str, value: &str| {
            let named = |(k, v): &(Option<String>, Option<String>)| {
                k.as_deref() == Some(key) && v.as_deref().is_none_or(|v| v == value)
            };
            tags.is_empty() || tags.iter().any(named)
        };
        of(net, id)?.retain(|(key, value)| key.starts_with("aws:") || !goes(key, value));
    }
    Ok(Reply::ec2(call, |xml| xml.text("return", true)))
}

/// DescribeTags.
pub(super) fn describe(net: &State, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    dry_run(&mut form)?;
    let filters = Filter::take(&mut form)?;
    let page = Page::take(&mut form)?;
    form.finish()?;
    let mut found = Vec::new();
    for (id, tags) in all(net) {
        for (key, value) in tags {
            let look = |name: &str| match name {
                "key" => Some(vec![key.clone()]),
                "value" => Some(vec![value.clone()]),
                "resource-id" => Some(vec![id.to_owned()]),
                "resource-type" => Some(vec![kind_of(id).to_owned()]),
                _ => None,
            };
            let one = vec![(key.clone(), value.clone())];
            if keep(&filters, &one, look)? {
                found.push((id, key, value));
            }
        }
    }
    let (found, next) = page.cut(found);
    Ok(Reply::ec2(call, |xml| {
        xml.list("tagSet", "item", found, |xml, (id, key, value)| {
            xml.text("resourceId", id);
            xml.text("resourceType", kind_of(id));
            xml.text("key", key);
            xml.text("value", value);
        });
        xml.maybe("nextToken", next);
    }))
}

/// EC2's name for the kind of thing that has this id.
fn kind_of(id: &str) -> &'static str {
    let kinds = [
        ("vpce-", "vpc-endpoint"),
        ("vpc-", "vpc"),
        ("subnet-", "subnet"),
        ("igw-", "internet-gateway"),
        ("eipalloc-", "elastic-ip"),
        ("nat-", "natgateway"),
        ("rtb-", "route-table"),
        ("sgr-", "security-group-rule"),
        ("sg-", "security-group"),
        ("eni-", "network-interface"),
    ];
    kinds.iter().find(|(prefix, _)| id.starts_with(prefix)).map_or("", |(_, kind)| kind)
}

fn of<'a>(net: &'a mut State, id: &str) -> Result<&'a mut Tags, ServiceError> {
    let tags = match kind_of(id) {
        "vpc" => net.vpcs.get_mut(id).map(|thing| &mut thing.tags),
        "subnet" => net.subnets.get_mut(id).map(|thing| &mut thing.tags),
        "internet-gateway" => net.internet_gateways.get_mut(id).map(|thing| &mut thing.tags),
        "elastic-ip" => net.addresses.get_mut(id).map(|thing| &mut thing.tags),
        "natgateway" => net.nat_gateways.get_mut(id).map(|thing| &mut thing.tags),
        "route-table" => net.route_tables.get_mut(id).map(|thing| &mut thing.tags),
        "security-group" => net.security_groups.get_mut(id).map(|thing| &mut thing.tags),
        "security-group-rule" => net.rules.get_mut(id).map(|thing| &mut thing.tags),
        "vpc-endpoint" => net.endpoints.get_mut(id).map(|thing| &mut thing.tags),
        "network-interface" => net.interfaces.get_mut(id).map(|thing| &mut thing.tags),
        _ => return Err(fault("InvalidID", format!("The ID '{id}' is not valid"))),
    };
    tags.ok_or_else(|| fault("InvalidID", format!("The ID '{id}' does not exist")))
}

fn all(net: &State) -> Vec<(&str, &Tags)> {
    let mut all: Vec<(&str, &Tags)> = Vec::new();
    all.extend(net.vpcs.values().map(|t| (t.id.as_str(), &t.tags)));
    all.extend(net.subnets.values().map(|t| (t.id.as_str(), &t.tags)));
    all.extend(net.internet_gateways.values().map(|t| (t.id.as_str(), &t.tags)));
    all.extend(net.addresses.values().map(|t| (t.allocation.as_str(), &t.tags)));
    all.extend(net.nat_gateways.values().map(|t| (t.id.as_str(), &t.tags)));
    all.extend(net.route_tables.values().map(|t| (t.id.as_str(), &t.tags)));
    all.extend(net.security_groups.values().map(|t| (t.id.as_str(), &t.tags)));
    all.extend(net.rules.values().map(|t| (t.id.as_str(), &t.tags)));
    all.extend(net.endpoints.values().map(|t| (t.id.as_str(), &t.tags)));
    all.extend(net.interfaces.values().map(|t| (t.id.as_str(), &t.tags)));
    all
}

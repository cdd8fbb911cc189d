//! What a cluster config asks about its subnets and security groups, each network once with all groups that are in it.
//! Knows nothing of what groups are made of beyond their types and counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Cluster, Group};
use crate::codes::live;
use crate::finding::At;
use crate::question::{Asked, Question, Wish};

impl Cluster {
    /// What is asked of the networks.
    pub(super) fn network(&self) -> Vec<Asked> {
        let networks = self.networks();
        networks.iter().flat_map(|network| self.network_of(network)).chain(self.addresses(&networks)).collect()
    }

    /// The cluster's network, and each other one that groups have, with all groups that are in it.
    fn networks(&self) -> Vec<Network<'_>> {
        let new = |at, subnets, security| Network { at, subnets, security, groups: Vec::new() };
        let mut networks = vec![new(&self.network, &self.subnets, &self.security)];
        let mut numbers: HashMap<_, usize> = networks[0].ids().into_iter().map(|ids| (ids, 0)).collect();
        for group in &self.groups {
            let own = new(&group.network, &group.subnets, &group.security);
            let next = networks.len();
            let number = match own.ids() {
                _ if *own.subnets == Wish::None => 0,
                Some(ids) => *numbers.entry(ids).or_insert(next),
                None => next,
            };
            if number == next {
                networks.push(own);
            }
            networks[number].groups.push(group);
        }
        networks
    }

    fn network_of(&self, network: &Network<'_>) -> Vec<Asked> {
        let Network { at, subnets, security, groups } = network;
        let efa = groups.iter().any(|group| group.is_efa());
        let both = (*subnets).clone().and((*security).clone());
        let asked = [
            Asked::of(&live::ONE_VPC, at, both, |(subnets, groups)| Question::OneVpc { subnets, groups }),
            Asked::of(&live::WAY_OUT, at, (*subnets).clone(), |subnets| Question::WayOut { subnets }),
            Asked::of(&live::SELF_REFERENCE, at, (*security).clone(), |groups| Question::SelfReference { groups, efa }),
            Asked::of(&live::GROUPS_MEET, at, (*security).clone().and(self.eks_or_only()), |(groups, eks)| {
                Question::GroupsMeet { groups, eks }
            }),
        ];
        asked.into_iter().flatten().collect()
    }

    /// Whether the nodes of all groups have addresses, in each room of subnets that some group has, and in rooms together
    /// that share a subnet: a group that has no more than these subnets has to find its addresses there.
    fn addresses(&self, networks: &[Network<'_>]) -> Vec<Asked> {
        let (mut rooms, mut asked): (Vec<(BTreeSet<&str>, &At)>, _) = (Vec::new(), Vec::new());
        let mut seen: BTreeSet<BTreeSet<&str>> = BTreeSet::new();
        for network in networks {
            match (known(network.subnets), network.subnets) {
                (Some(room), _) => rooms.extend(seen.insert(room.clone()).then_some((room, network.at))),
                (None, Wish::Later) => asked.push(Asked::waits(network.at.clone(), &live::FREE_ADDRESSES)),
                (None, Wish::None | Wish::Now(_)) => {}
            }
        }
        let more = together(&rooms);
        rooms.extend(more.into_iter().filter(|(room, _)| !seen.contains(room)));
        // By the first of its subnets: a group is within no room that lacks this one.
        let mut groups: BTreeMap<Option<&str>, Vec<(usize, BTreeSet<&str>)>> = BTreeMap::new();
        for (number, group) in self.groups.iter().enumerate() {
            if let Some(own) = known(group.own_or(&self.subnets)) {
                groups.entry(own.first().copied()).or_default().push((number, own));
            }
        }
        let cluster = self.name.clone().known().unwrap_or_default();
        asked.extend(rooms.into_iter().filter_map(|(room, at)| {
            let firsts = room.iter().copied().map(Some).chain([None]);
            let near = firsts.filter_map(|first| groups.get(&first)).flatten();
            let mut within: Vec<usize> =
                near.filter(|(_, own)| own.is_subset(&room)).map(|(number, _)| *number).collect();
            within.sort_unstable();
            let nodes = within.into_iter().map(|number| self.groups[number].nodes()).collect::<Option<Vec<_>>>();
            let subnets = room.iter().map(|id| (*id).to_owned()).collect();
            let question = |nodes| Question::FreeAddresses { subnets, nodes, cluster: cluster.clone() };
            Asked::of(&live::FREE_ADDRESSES, at, nodes.map_or(Wish::Later, Wish::Now), question)
        }));
        asked
    }
}

/// Rooms that share a subnet, by way of others too, as one room, which stands where the first of them does.
fn together<'a>(rooms: &[(BTreeSet<&'a str>, &'a At)]) -> Vec<(BTreeSet<&'a str>, &'a At)> {
    let mut having: HashMap<&str, Vec<usize>> = HashMap::new();
    for (number, (room, _)) in rooms.iter().enumerate() {
        room.iter().for_each(|id| having.entry(id).or_default().push(number));
    }
    let mut reached = vec![false; rooms.len()];
    let mut together = Vec::new();
    for (first, (_, at)) in rooms.iter().enumerate().filter(|(_, (room, _))| !room.is_empty()) {
        let (mut whole, mut next) = (BTreeSet::new(), vec![first]);
        while let Some(number) = next.pop() {
            if std::mem::replace(&mut reached[number], true) {
                continue;
            }
            for id in &rooms[number].0 {
                if whole.insert(*id) {
                    next.extend(&having[id]);
                }
            }
        }
        together.extend((!whole.is_empty()).then_some((whole, *at)));
    }
    together
}

/// Subnets and security groups, and the instance groups that are in them.
struct Network<'a> {
    at: &'a At,
    subnets: &'a Wish<Vec<String>>,
    security: &'a Wish<Vec<String>>,
    groups: Vec<&'a Group>,
}

impl<'a> Network<'a> {
    /// What makes it the same as another, in whatever order they are named; nothing while it is not known.
    fn ids(&self) -> Option<(BTreeSet<&'a str>, Option<BTreeSet<&'a str>>)> {
        let security = match self.security {
            Wish::None => None,
            Wish::Now(_) | Wish::Later => Some(known(self.security)?),
        };
        Some((known(self.subnets)?, security))
    }
}

fn known(ids: &Wish<Vec<String>>) -> Option<BTreeSet<&str>> {
    match ids {
        Wish::None | Wish::Later => None,
        Wish::Now(ids) => Some(ids.iter().map(String::as_str).collect()),
    }
}

//! What a cluster config asks about its subnets and security groups, each network once with all groups that are in it.
//! Knows nothing of what groups are made of beyond their types and counts.

use std::collections::BTreeSet;

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
        for group in &self.groups {
            let own = new(&group.network, &group.subnets, &group.security);
            let is_in = |other: &&mut Network<'_>| *own.subnets == Wish::None || other.is_same(&own);
            match networks.iter_mut().find(is_in) {
                Some(network) => network.groups.push(group),
                None => networks.push(Network { groups: vec![group], ..own }),
            }
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
        let mut rooms: Vec<(BTreeSet<&str>, &At)> = Vec::new();
        let mut asked = Vec::new();
        for network in networks {
            match (known(network.subnets), network.subnets) {
                (Some(room), _) if rooms.iter().all(|(other, _)| *other != room) => rooms.push((room, network.at)),
                (None, Wish::Later) => asked.push(Asked::waits(network.at.clone(), &live::FREE_ADDRESSES)),
                (Some(_) | None, Wish::None | Wish::Now(_) | Wish::Later) => {}
            }
        }
        for number in 0..rooms.len() {
            let mut whole = rooms[number].0.clone();
            let mut before = 0;
            while whole.len() > before {
                before = whole.len();
                let more = rooms.iter().filter(|(other, _)| !whole.is_disjoint(other));
                let more: Vec<&str> = more.flat_map(|(other, _)| other.iter().copied()).collect();
                whole.extend(more);
            }
            if rooms.iter().all(|(other, _)| *other != whole) {
                rooms.push((whole, rooms[number].1));
            }
        }
        let cluster = self.name.clone().known().unwrap_or_default();
        asked.extend(rooms.into_iter().filter_map(|(room, at)| {
            let is_within = |group: &&Group| known(group.own_or(&self.subnets)).is_some_and(|own| own.is_subset(&room));
            let nodes = self.groups.iter().filter(is_within).map(Group::nodes).collect::<Option<Vec<_>>>();
            let subnets = room.iter().map(|id| (*id).to_owned()).collect();
            let question = |nodes| Question::FreeAddresses { subnets, nodes, cluster: cluster.clone() };
            Asked::of(&live::FREE_ADDRESSES, at, nodes.map_or(Wish::Later, Wish::Now), question)
        }));
        asked
    }
}

/// Subnets and security groups, and the instance groups that are in them.
struct Network<'a> {
    at: &'a At,
    subnets: &'a Wish<Vec<String>>,
    security: &'a Wish<Vec<String>>,
    groups: Vec<&'a Group>,
}

impl Network<'_> {
    /// In whatever order they are named.
    fn is_same(&self, other: &Self) -> bool {
        let same = |one, another| known(one).is_some_and(|ids| Some(ids) == known(another));
        let neither = *self.security == Wish::None && *other.security == Wish::None;
        same(self.subnets, other.subnets) && (neither || same(self.security, other.security))
    }
}

fn known(ids: &Wish<Vec<String>>) -> Option<BTreeSet<&str>> {
    match ids {
        Wish::None | Wish::Later => None,
        Wish::Now(ids) => Some(ids.iter().map(String::as_str).collect()),
    }
}

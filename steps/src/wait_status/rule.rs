//! When a wait is over: one pure state machine over what was seen of a HyperPod cluster.
//! Knows nothing of how it was seen, of time or of AWS clients.

/// What one look says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// What was waited for is there.
    Ready {
        /// The state, in the service's word.
        status: String,
        /// How many nodes (or pods) work.
        nodes: i64,
    },
    /// Not yet: what to show.
    Busy(String),
    /// It will not come: why.
    Failed(String),
}

/// What a cluster must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goal {
    /// Not only in service: every wanted node runs.
    pub nodes_running: bool,
    /// So many failed nodes do not matter.
    pub allow_failed: i64,
}

/// What DescribeCluster and ListClusterNodes show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// ClusterStatus, in the API's word.
    pub status: String,
    /// The groups.
    pub groups: Vec<Group>,
    /// The status and message of each node.
    pub nodes: Vec<(String, String)>,
}

/// A group of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its status, in the API's word.
    pub status: String,
    /// Instances that are there.
    pub current: i64,
    /// Instances that shall be there.
    pub target: i64,
    /// Instances that are enough, where the group says so.
    pub least: Option<i64>,
}

/// What earlier looks of this wait have shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The cluster was there.
    pub seen: bool,
    /// It was rolling back: whatever it says now, the change has failed.
    pub rolled_back: bool,
}

/// What one look at a cluster says (facts: the wait rule of HyperPod). `unseen_is_new` says that a cluster that cannot
/// be found may only be too new to be seen.
pub fn cluster(seen: Option<&Seen>, memory: &mut Memory, goal: Goal, unseen_is_new: bool) -> Look {
    let Some(seen) = seen else {
        return match memory.seen {
            true => Look::Failed("it is gone".to_owned()),
            false if unseen_is_new => Look::Busy("not yet seen".to_owned()),
            false => Look::Failed("there is none of that name".to_owned()),
        };
    };
    memory.seen = true;
    let counts = counts(seen);
    match seen.status.as_str() {
        "Failed" => Look::Failed("it failed".to_owned()),
        "Deleting" => Look::Failed("it is being deleted".to_owned()),
        "RollingBack" => {
            memory.rolled_back = true;
            Look::Busy(format!("rolling back, waiting for the reason; {counts}"))
        }
        "InService" if memory.rolled_back => Look::Failed("the change was rolled back".to_owned()),
        "InService" => in_service(seen, goal, counts),
        other => Look::Busy(format!("{other}, {counts}")),
    }
}

/// In continuous mode a cluster is InService before any node exists: counts decide.
fn in_service(seen: &Seen, goal: Goal, counts: String) -> Look {
    if let Some(group) = seen.groups.iter().find(|g| g.status == "Failed") {
        return Look::Failed(format!("the group {} failed", group.name));
    }
    let failed: Vec<_> = seen.nodes.iter().filter(|(status, _)| status == "Failure").collect();
    if goal.nodes_running && i64::try_from(failed.len()).unwrap_or(i64::MAX) > goal.allow_failed {
        let why = failed.iter().map(|(_, message)| message.trim()).find(|m| !m.is_empty()).unwrap_or("no reason given");
        let nodes = if failed.len() == 1 { "node has" } else { "nodes have" };
        return Look::Failed(format!("{} {nodes} failed: {why}", failed.len()));
    }
    let allowed = if goal.nodes_running { i64::try_from(failed.len()).unwrap_or(0) } else { 0 };
    let target: i64 = seen.groups.iter().map(|g| g.target).sum();
    let there: i64 = seen.groups.iter().map(|g| g.current).sum();
    let enough = seen.groups.iter().all(|g| g.current >= g.least.filter(|_| !goal.nodes_running).unwrap_or(g.target));
    if !goal.nodes_running {
        return if enough { ready(there) } else { Look::Busy(counts) };
    }
    let running = running(seen);
    // Every node that is listed must have settled: one more that is checked or patched is not done yet.
    let settled = seen.nodes.iter().all(|(status, _)| matches!(status.as_str(), "Running" | "Failure"));
    if running + allowed >= target && settled { ready(running) } else { Look::Busy(counts) }
}

fn ready(nodes: i64) -> Look {
    Look::Ready { status: "InService".to_owned(), nodes }
}

fn running(seen: &Seen) -> i64 {
    i64::try_from(seen.nodes.iter().filter(|(status, _)| status == "Running").count()).unwrap_or(i64::MAX)
}

/// `nodes 3/16 running, 13 pending`.
fn counts(seen: &Seen) -> String {
    let target: i64 = seen.groups.iter().map(|g| g.target).sum();
    let running = running(seen);
    let count = |word: &str| seen.nodes.iter().filter(|(status, _)| status == word).count();
    let mut text = format!("nodes {running}/{target} running");
    let others =
        [("DeepHealthCheckInProgress", "in deep health checks"), ("SystemUpdating", "updating"), ("Failure", "failed")];
    let mut named = running;
    for (status, words) in others {
        let number = count(status);
        named += i64::try_from(number).unwrap_or(0);
        if number > 0 {
            text.push_str(&format!(", {number} {words}"));
        }
    }
    if target > named {
        text.push_str(&format!(", {} pending", target - named));
    }
    text
}

/// What a stack's status says; `good` is an end of the last operation that kept what it made.
pub fn stack(status: &str, reason: &str) -> Look {
    match status {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => {
            Look::Ready { status: status.to_owned(), nodes: 0 }
        }
        // Names of the operations that only clean up or go on.
        busy if busy.ends_with("_IN_PROGRESS") && !busy.contains("ROLLBACK") && busy != "DELETE_IN_PROGRESS" => {
            Look::Busy(status.to_owned())
        }
        busy if busy.ends_with("_IN_PROGRESS") && busy != "DELETE_IN_PROGRESS" => {
            Look::Busy(format!("{status}, waiting for its end"))
        }
        bad if reason.is_empty() => Look::Failed(format!("it is {bad}")),
        bad => Look::Failed(format!("it is {bad}: {reason}")),
    }
}

/// What an EKS cluster's status says.
pub fn eks(status: &str) -> Look {
    match status {
        "ACTIVE" => Look::Ready { status: status.to_owned(), nodes: 0 },
        "CREATING" | "UPDATING" | "PENDING" => Look::Busy(status.to_owned()),
        bad => Look::Failed(format!("it is {bad}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `status; groups as current/target or current/target>least; nodes as R(unning) P(ending) D(eep check) F(ailure)`.
    fn check(looks: &[&str], nodes_running: bool) -> String {
        let goal = Goal { nodes_running, allow_failed: 1 };
        let mut memory = Memory::default();
        let last = looks.iter().map(|look| {
            let mut parts = look.split("; ");
            let status = parts.next().unwrap_or_default().to_owned();
            if status == "none" {
                return cluster(None, &mut memory, goal, true);
            }
            let number = |text: &str| text.parse::<i64>().expect("a number");
            let groups = parts.next().unwrap_or_default().split(' ').map(|group| {
                let (current, rest) = group.split_once('/').expect("current/target");
                let (target, least) = rest.split_once('>').map_or((rest, None), |(t, l)| (t, Some(number(l))));
                let status = "InService".to_owned();
                Group { name: "g".to_owned(), status, current: number(current), target: number(target), least }
            });
            let nodes = parts.next().unwrap_or_default().chars().map(|c| match c {
                'R' => ("Running".to_owned(), String::new()),
                'P' => ("Pending".to_owned(), String::new()),
                'D' => ("DeepHealthCheckInProgress".to_owned(), String::new()),
                _ => ("Failure".to_owned(), "disk broke".to_owned()),
            });
            let seen = Seen { status, groups: groups.collect(), nodes: nodes.collect() };
            cluster(Some(&seen), &mut memory, goal, true)
        });
        match last.last().expect("there is a look") {
            Look::Ready { nodes, .. } => format!("ready with {nodes}"),
            Look::Busy(text) => format!("busy: {text}"),
            Look::Failed(why) => format!("failed: {why}"),
        }
    }

    #[test]
    fn the_wait_rule_as_a_table() {
        let table: [(&[&str], bool, &str); 16] = [
            (&["none"], false, "busy: not yet seen"),
            (&["Creating; 0/2", "none"], false, "failed: it is gone"),
            (&["Creating; 0/16; RRR"], false, "busy: Creating, nodes 3/16 running, 13 pending"),
            (&["InService; 2/2; RR"], false, "ready with 2"),
            // Continuous mode: in service with nothing there.
            (&["InService; 0/2"], false, "busy: nodes 0/2 running, 2 pending"),
            (&["InService; 1/4>1; RPPP"], false, "ready with 1"),
            (&["InService; 1/4>1; RPPP"], true, "busy: nodes 1/4 running, 3 pending"),
            (&["InService; 2/2; RD"], true, "busy: nodes 1/2 running, 1 in deep health checks"),
            (&["InService; 2/2 1/1; RRR"], true, "ready with 3"),
            (&["InService; 0/0"], true, "ready with 0"),
            (&["InService; 3/3; RRF"], true, "ready with 2"),
            (&["InService; 3/3; RFF"], true, "failed: 2 nodes have failed: disk broke"),
            (&["Failed; 0/2"], false, "failed: it failed"),
            (&["Deleting; 0/2"], false, "failed: it is being deleted"),
            (
                &["RollingBack; 1/2; RP"],
                false,
                "busy: rolling back, waiting for the reason; nodes 1/2 running, 1 pending",
            ),
            (&["RollingBack; 1/2; RP", "InService; 1/1; R"], false, "failed: the change was rolled back"),
        ];
        for (looks, nodes_running, expected) in table {
            assert_eq!(check(looks, nodes_running), expected, "{looks:?} nodes_running={nodes_running}");
        }
    }

    #[test]
    fn stacks_and_eks_clusters() {
        let busy = |text: &str| Look::Busy(text.to_owned());
        assert_eq!(stack("CREATE_IN_PROGRESS", ""), busy("CREATE_IN_PROGRESS"));
        assert_eq!(stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""), busy("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"));
        assert_eq!(stack("ROLLBACK_IN_PROGRESS", "x"), busy("ROLLBACK_IN_PROGRESS, waiting for its end"));
        assert_eq!(
            stack("UPDATE_ROLLBACK_COMPLETE", "x"),
            Look::Failed("it is UPDATE_ROLLBACK_COMPLETE: x".to_owned())
        );
        assert_eq!(stack("DELETE_IN_PROGRESS", ""), Look::Failed("it is DELETE_IN_PROGRESS".to_owned()));
        assert_eq!(eks("CREATING"), busy("CREATING"));
        assert_eq!(eks("FAILED"), Look::Failed("it is FAILED".to_owned()));
    }
}

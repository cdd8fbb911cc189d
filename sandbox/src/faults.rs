//! The fault script: which calls fail and how, which resources fail, which instance types have no capacity.
//! Must not know services; they ask by name. Counters survive reopening the world.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// A fault script as it is written in YAML or JSON (docs/sandbox-faults.md).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FaultScript {
    /// Calls that fail; the first rule that applies to a call decides.
    #[serde(default)]
    pub calls: Vec<CallRule>,
    /// Resources that fail to be made.
    #[serde(default)]
    pub resources: Vec<ResourceRule>,
    /// Instance types without capacity.
    #[serde(default)]
    pub capacity: Vec<CapacityRule>,
    /// Account limits by quota name, in place of the sandbox's own; an instance type stands for its quota of cluster usage.
    #[serde(default, deserialize_with = "known_quotas")]
    pub quotas: BTreeMap<String, u64>,
}

/// One rule about calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CallRule {
    /// SigV4 service name; any when left out.
    #[serde(default)]
    pub service: Option<String>,
    /// Operation name; any when left out.
    #[serde(default)]
    pub operation: Option<String>,
    /// A text that the request's body or path must hold.
    #[serde(default, rename = "match")]
    pub matching: Option<String>,
    /// How many calls pass before the first that fails.
    #[serde(default)]
    pub after: u64,
    /// How many calls fail; all when left out.
    #[serde(default)]
    pub times: Option<u64>,
    /// Only every so manieth of the calls.
    #[serde(default)]
    pub every: Option<u64>,
    /// For how long after the first failure, in sandbox time; then the rule is over. With `refuse`: how long nobody listens.
    #[serde(default, rename = "for")]
    pub lasting: Option<Span>,
    /// What happens.
    pub fault: Fault,
    /// How long `delay` holds the answer back, in sandbox time.
    #[serde(default)]
    pub delay: Option<Span>,
    /// 500 or 503 for `server-error`.
    #[serde(default)]
    pub status: Option<u16>,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The service's throttling error; no effect.
    Throttle,
    /// 500 or 503; no effect.
    ServerError,
    /// The connection is closed before any effect.
    Reset,
    /// No effect, and nobody listens any more: every connection is closed, and none is taken for as long as `for` says.
    Refuse,
    /// The effect happens, the connection is closed without an answer.
    LoseAnswer,
    /// The effect happens, no answer is sent, and the connection stays open until the client leaves or another script comes.
    HoldAnswer,
    /// `ExpiredToken`; no effect.
    ExpiredCredentials,
    /// The service's access-denied error; no effect.
    AccessDenied,
    /// The answer comes late.
    Delay,
}

/// One rule about resources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResourceRule {
    /// What kind of thing, as in `AWS::EKS::Cluster`.
    pub kind: String,
    /// Its name (logical id, cluster name); any when left out.
    #[serde(default)]
    pub name: Option<String>,
    /// The reason that the service gives.
    pub reason: String,
    /// How long after its beginning it fails, in sandbox time; the service's usual time when left out.
    #[serde(default)]
    pub after: Option<Span>,
    /// How many times; always when left out.
    #[serde(default)]
    pub times: Option<u64>,
}

/// One rule about capacity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CapacityRule {
    /// The instance type, as in `ml.p5.48xlarge`; any when left out.
    #[serde(default)]
    pub instance_type: Option<String>,
    /// How many requests find none; all when left out.
    #[serde(default)]
    pub times: Option<u64>,
    /// Until when there is none, in sandbox time from the first request.
    #[serde(default, rename = "for")]
    pub lasting: Option<Span>,
    /// The reason that the service gives; its usual words when left out.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A span of time in words, as `90s`, `10m`, `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

/// The answer to `resource_failure`: fail, with this reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceFault {
    /// The reason to give.
    pub reason: String,
    /// How long after the beginning; the service's usual time when `None`.
    pub after: Option<Duration>,
    /// How many more times this rule will fail; without end when `None`.
    pub times: Option<u64>,
}

/// The answer to `capacity`: there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoCapacity {
    /// The reason to give; the service's usual words when `None`.
    pub reason: Option<String>,
}

/// The script of a world with what it has done so far.
#[derive(Debug)]
pub struct Faults {
    kept: Mutex<Kept>,
    /// Counts the scripts that came since the world was opened.
    replaced: watch::Sender<u64>,
}

/// What is kept on disk: script and counters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    script: FaultScript,
    /// By rule, as `calls/0`.
    counters: BTreeMap<String, Counter>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counter {
    seen: u64,
    failed: u64,
    first: Option<Timestamp>,
}

impl Faults {
    /// The kept script and counters go on, unless another script is given.
    pub(crate) fn open(script: Option<FaultScript>, kept: Option<Kept>) -> Faults {
        let mut kept = kept.unwrap_or_default();
        if let Some(script) = script.filter(|script| *script != kept.script) {
            kept = Kept { script, counters: BTreeMap::new() };
        }
        Faults { kept: Mutex::new(kept), replaced: watch::Sender::new(0) }
    }

    /// Takes another script; its counters begin at nothing.
    pub(crate) fn replace(&self, script: FaultScript) {
        *self.lock() = Kept { script, counters: BTreeMap::new() };
        self.replaced.send_modify(|count| *count += 1);
    }

    /// Waits until the script no longer has this rule.
    pub(crate) async fn without(&self, rule: &CallRule) {
        let mut replaced = self.replaced.subscribe();
        while self.lock().script.calls.contains(rule) && replaced.changed().await.is_ok() {}
    }

    pub(crate) fn kept(&self) -> Kept {
        self.lock().clone()
    }

    /// The rule that decides this call, counted.
    pub(crate) fn call(&self, service: &str, operation: &str, text: &str, now: Timestamp) -> Option<CallRule> {
        let mut kept = self.lock();
        let Kept { script, counters } = &mut *kept;
        for (index, rule) in script.calls.iter().enumerate() {
            let fits = rule.service.as_deref().is_none_or(|it| it == service)
                && rule.operation.as_deref().is_none_or(|it| it == operation)
                && rule.matching.as_deref().is_none_or(|it| text.contains(it));
            if fits {
                let counter = counters.entry(format!("calls/{index}")).or_default();
                counter.seen += 1;
                let turn = counter.seen > rule.after
                    && rule.every.is_none_or(|every| (counter.seen - rule.after) % every.max(1) == 0);
                if turn && counter.strike(rule.times, rule.lasting, now) {
                    return Some(rule.clone());
                }
            }
        }
        None
    }

    /// Whether a thing of this kind and name, which is about to be made, shall fail. Counted: ask once for each making.
    pub fn resource_failure(&self, kind: &str, name: &str) -> Option<ResourceFault> {
        let mut kept = self.lock();
        let Kept { script, counters } = &mut *kept;
        for (index, rule) in script.resources.iter().enumerate() {
            if rule.kind == kind && rule.name.as_deref().is_none_or(|it| it == name) {
                let counter = counters.entry(format!("resources/{index}")).or_default();
                counter.seen += 1;
                if rule.times.is_none_or(|times| counter.failed < times) {
                    counter.failed += 1;
                    let times = rule.times.map(|times| times - counter.failed);
                    return Some(ResourceFault {
                        reason: rule.reason.clone(),
                        after: rule.after.map(|span| span.0),
                        times,
                    });
                }
            }
        }
        None
    }

    /// Whether instances of this type are not to be had now. Counted: ask once for each request.
    pub fn capacity(&self, instance_type: &str, now: Timestamp) -> Option<NoCapacity> {
        let mut kept = self.lock();
        let Kept { script, counters } = &mut *kept;
        for (index, rule) in script.capacity.iter().enumerate() {
            if rule.instance_type.as_deref().is_none_or(|it| it == instance_type) {
                let counter = counters.entry(format!("capacity/{index}")).or_default();
                counter.seen += 1;
                if counter.strike(rule.times, rule.lasting, now) {
                    return Some(NoCapacity { reason: rule.reason.clone() });
                }
            }
        }
        None
    }

    /// The limit that the script sets for this quota.
    pub fn quota(&self, name: &str) -> Option<u64> {
        self.lock().script.quotas.get(name).copied()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it holds the fault script")
    }
}

impl Counter {
    /// Whether the rule still fails things; counts if so.
    fn strike(&mut self, times: Option<u64>, lasting: Option<Span>, now: Timestamp) -> bool {
        if times.is_some_and(|times| self.failed >= times) {
            return false;
        }
        let first = *self.first.get_or_insert(now);
        let over = lasting.is_some_and(|span| {
            now.duration_since(first) >= jiff::SignedDuration::try_from(span.0).unwrap_or(jiff::SignedDuration::MAX)
        });
        self.failed += u64::from(!over);
        !over
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{}ms", self.0.as_millis()))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let text = String::deserialize(deserializer)?;
        let span: jiff::SignedDuration = text
            .parse()
            .map_err(|error| D::Error::custom(format!("`{text}` is no span of time such as 90s or 10m: {error}")))?;
        Duration::try_from(span).map(Span).map_err(|_| D::Error::custom(format!("`{text}` is negative")))
    }
}

/// A quota that no service asks for would be set in silence.
fn known_quotas<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, u64>, D::Error> {
    let quotas = BTreeMap::<String, u64>::deserialize(deserializer)?;
    match quotas.keys().find(|name| !crate::sagemaker::has_quota(name)) {
        None => Ok(quotas),
        Some(unknown) => Err(D::Error::custom(format!(
            "there is no quota `{unknown}`: write an instance type, or a HyperPod quota's name as Service Quotas has it"
        ))),
    }
}

impl Fault {
    /// The name that it has in a script.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Throttle => "throttle",
            Fault::ServerError => "server-error",
            Fault::Reset => "reset",
            Fault::Refuse => "refuse",
            Fault::LoseAnswer => "lose-answer",
            Fault::HoldAnswer => "hold-answer",
            Fault::ExpiredCredentials => "expired-credentials",
            Fault::AccessDenied => "access-denied",
            Fault::Delay => "delay",
        }
    }

    /// Whether the effect happens and its answer never comes.
    pub(crate) fn loses_answer(self) -> bool {
        matches!(self, Fault::LoseAnswer | Fault::HoldAnswer)
    }
}

impl FaultScript {
    /// The script that `text` (YAML or JSON) spells.
    ///
    /// # Errors
    /// When it does not fit, in the parser's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_yaml::from_str(text).map_err(|error| error.to_string())
    }
}

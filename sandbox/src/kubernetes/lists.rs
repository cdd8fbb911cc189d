//! How the lists of the built-in kinds merge: by key, as a set, or whole. Used by strategic merge and by server-side apply.
//! Must not know objects; a list is known by the path of field names that leads to it.

/// How a list merges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ListKind {
    /// Elements are known by these fields; strategic merge goes by the first.
    Map(&'static [&'static str]),
    /// Elements are known by their value.
    Set,
    /// The list is one value.
    Atomic,
}

/// The kind of the list at a path of field names (indexes left out).
pub fn kind(path: &[&str]) -> ListKind {
    let parent = path.len().checked_sub(2).map_or("", |at| path[at]);
    match (parent, path.last().copied().unwrap_or_default()) {
        (_, "containers" | "initContainers" | "ephemeralContainers" | "volumes" | "env" | "imagePullSecrets") => {
            ListKind::Map(&["name"])
        }
        (_, "webhooks" | "resourceClaims") => ListKind::Map(&["name"]),
        (_, "volumeMounts") => ListKind::Map(&["mountPath"]),
        (_, "volumeDevices") => ListKind::Map(&["devicePath"]),
        ("containers" | "initContainers" | "ephemeralContainers", "ports") => {
            ListKind::Map(&["containerPort", "protocol"])
        }
        ("spec", "ports") => ListKind::Map(&["port", "protocol"]),
        (_, "conditions") => ListKind::Map(&["type"]),
        (_, "ownerReferences") => ListKind::Map(&["uid"]),
        (_, "hostAliases") => ListKind::Map(&["ip"]),
        (_, "topologySpreadConstraints") => ListKind::Map(&["topologyKey", "whenUnsatisfiable"]),
        ("", "secrets") => ListKind::Map(&["name"]),
        ("metadata", "finalizers") => ListKind::Set,
        _ => ListKind::Atomic,
    }
}

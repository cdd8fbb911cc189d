//! The calls of EKS about add-ons: JSON bodies.
//! Reads requests only; the rules are in `addons`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::addons::{self, KNOWN, NewAddon};
use super::cluster::{self, VERSIONS};
use super::model::Tags;
use super::requests::{Answer, list};
use super::{fault, views};
use crate::wire::{Call, ServiceError};
use crate::world::{Moment, State};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AddonRequest {
    addon_name: Option<String>,
    addon_version: Option<String>,
    service_account_role_arn: Option<String>,
    configuration_values: Option<String>,
    #[serde(rename = "resolveConflicts")]
    _resolve_conflicts: Option<String>,
    #[serde(rename = "clientRequestToken")]
    _client_request_token: Option<String>,
    #[serde(default)]
    tags: Tags,
}

impl AddonRequest {
    fn into_new(self, name: Option<&str>) -> Result<NewAddon, ServiceError> {
        let missing = || fault("InvalidParameterException", "addonName must not be null");
        Ok(NewAddon {
            name: name.map(str::to_owned).or(self.addon_name).ok_or_else(missing)?,
            version: self.addon_version,
            role_arn: self.service_account_role_arn,
            configuration: self.configuration_values,
            tags: self.tags,
        })
    }
}

/// The calls about add-ons of one cluster.
pub(super) fn answer(
    state: &mut State,
    cx: &Moment<'_>,
    call: &Call,
    operation: &str,
    name: &str,
    addon: Option<&str>,
) -> Answer {
    let view = |state: &State, addon: &str| -> Answer {
        let cluster = cluster::find(state, name)?;
        Ok(json!({ "addon": views::addon(state, cluster, addons::find(cluster, addon)?) }))
    };
    match (operation, addon) {
        ("CreateAddon", _) => {
            let new = call.json::<AddonRequest>()?.into_new(None)?;
            let addon = new.name.clone();
            addons::create(state, cx, name, new)?;
            view(state, &addon)
        }
        ("UpdateAddon", Some(addon)) => {
            let new = call.json::<AddonRequest>()?.into_new(Some(addon))?;
            let id = addons::update(state, cx, name, new)?;
            Ok(json!({ "update": views::update(&cluster::find(state, name)?.updates[&id]) }))
        }
        ("DeleteAddon", Some(addon)) => {
            addons::delete(state, cx, name, addon)?;
            view(state, addon)
        }
        (_, Some(addon)) => view(state, addon),
        (_, None) => {
            list(call, "addons", cluster::find(state, name)?.addons.keys().map(|name| json!(name)).collect(), &[])
        }
    }
}

/// DescribeAddonVersions.
pub(super) fn versions(call: &Call) -> Answer {
    let wanted = |name: &str| call.query("addonName").is_none_or(|wanted| wanted == name);
    let versions: Vec<&str> = match call.query("kubernetesVersion") {
        Some(version) => VERSIONS.iter().copied().filter(|known| *known == version).collect(),
        None => VERSIONS.to_vec(),
    };
    let mut addons = Vec::new();
    for known in KNOWN.iter().filter(|known| wanted(known.name)) {
        let mut by_version: indexmap::IndexMap<&str, Vec<Value>> = indexmap::IndexMap::new();
        for kubernetes in &versions {
            let fits = json!({ "clusterVersion": kubernetes, "platformVersions": ["*"], "defaultVersion": true });
            by_version.entry(known.version(kubernetes)).or_default().push(fits);
        }
        let listed = by_version.into_iter().map(|(version, compatibilities)| {
            json!({
                "addonVersion": version,
                "architecture": ["amd64", "arm64"],
                "compatibilities": compatibilities,
                "requiresConfiguration": false,
                "requiresIamPermissions": false,
            })
        });
        addons.push(json!({
            "addonName": known.name,
            "type": known.kind,
            "addonVersions": listed.collect::<Vec<_>>(),
            "publisher": "eks",
            "owner": "aws",
            "defaultNamespace": known.namespace,
        }));
    }
    list(call, "addons", addons, &["addonName", "kubernetesVersion"])
}

//! The calls of EKS about clusters: JSON bodies.
//! Reads requests only; the rules are in `cluster`.

use serde::Deserialize;
use serde_json::json;

use super::cluster::{self, NewCluster, mode_of, mode_text};
use super::model::{Status, Tags};
use super::requests::Answer;
use super::{access, fault, views};
use crate::wire::{Call, ServiceError};
use crate::world::{Moment, State};

/// CreateCluster.
pub(super) fn create(state: &mut State, cx: &Moment<'_>, call: &Call) -> Answer {
    let new = call.json::<CreateCluster>()?.into_new()?;
    let name = new.name.clone();
    cluster::create(state, cx, new)?;
    Ok(json!({ "cluster": views::cluster(cx, cluster::find(state, &name)?) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateCluster {
    name: String,
    version: Option<String>,
    role_arn: String,
    resources_vpc_config: VpcConfig,
    kubernetes_network_config: Option<NetworkConfig>,
    logging: Option<Logging>,
    client_request_token: Option<String>,
    #[serde(default)]
    tags: Tags,
    access_config: Option<AccessConfig>,
    #[serde(rename = "bootstrapSelfManagedAddons")]
    _bootstrap_self_managed_addons: Option<bool>,
    upgrade_policy: Option<UpgradePolicy>,
    deletion_protection: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct VpcConfig {
    subnet_ids: Vec<String>,
    security_group_ids: Vec<String>,
    endpoint_public_access: Option<bool>,
    endpoint_private_access: Option<bool>,
    public_access_cidrs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NetworkConfig {
    service_ipv4_cidr: Option<String>,
    ip_family: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Logging {
    #[serde(default)]
    cluster_logging: Vec<LogSetup>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogSetup {
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AccessConfig {
    bootstrap_cluster_creator_admin_permissions: Option<bool>,
    authentication_mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpgradePolicy {
    support_type: Option<String>,
}

impl CreateCluster {
    fn into_new(self) -> Result<NewCluster, ServiceError> {
        if let Some(family) =
            self.kubernetes_network_config.as_ref().and_then(|c| c.ip_family.as_ref()).filter(|f| *f != "ipv4")
        {
            return Err(ServiceError::not_part(format!("an EKS cluster of IP family {family}")));
        }
        let logging = self.logging.map(|logging| logging.cluster_logging).unwrap_or_default();
        let access = self.access_config;
        Ok(NewCluster {
            name: self.name,
            version: self.version,
            role_arn: self.role_arn,
            subnets: self.resources_vpc_config.subnet_ids,
            security_groups: self.resources_vpc_config.security_group_ids,
            public_access: self.resources_vpc_config.endpoint_public_access,
            private_access: self.resources_vpc_config.endpoint_private_access,
            public_cidrs: self.resources_vpc_config.public_access_cidrs,
            service_cidr: self.kubernetes_network_config.and_then(|config| config.service_ipv4_cidr),
            mode: access.as_ref().and_then(|access| access.authentication_mode.clone()),
            creator_is_admin: access.and_then(|access| access.bootstrap_cluster_creator_admin_permissions),
            log_types: logging.into_iter().filter(|setup| setup.enabled).flat_map(|setup| setup.types).collect(),
            support: self.upgrade_policy.and_then(|policy| policy.support_type),
            deletion_protection: self.deletion_protection.unwrap_or(false),
            token: self.client_request_token,
            tags: self.tags,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateClusterConfig {
    access_config: Option<AccessConfig>,
    deletion_protection: Option<bool>,
    #[serde(rename = "clientRequestToken")]
    _client_request_token: Option<String>,
}

/// The calls about one cluster.
pub(super) fn answer(state: &mut State, cx: &Moment<'_>, call: &Call, operation: &str, name: &str) -> Answer {
    match operation {
        "DescribeCluster" => {}
        "DeleteCluster" => cluster::delete(state, cx, name)?,
        _ => return update_cluster(state, cx, call, name),
    }
    Ok(json!({ "cluster": views::cluster(cx, cluster::find(state, name)?) }))
}

fn update_cluster(state: &mut State, cx: &Moment<'_>, call: &Call, name: &str) -> Answer {
    let change: UpdateClusterConfig = call.json()?;
    let found = cluster::usable(state, name)?;
    if found.status == Status::Updating {
        let text = format!("Cannot update cluster {name} because an update is in progress");
        return Err(fault("ResourceInUseException", text).with_member("clusterName", name));
    }
    let mode = change.access_config.and_then(|access| access.authentication_mode);
    let (kind, params) = match (mode, change.deletion_protection) {
        (Some(mode), None) => {
            let mode = mode_of(&mode)?;
            if mode <= found.mode {
                let text = format!(
                    "Unsupported authentication mode update from {} to {}",
                    mode_text(found.mode),
                    mode_text(mode)
                );
                return Err(fault("InvalidParameterException", text));
            }
            found.mode = mode;
            ("AccessConfigUpdate", vec![("AuthenticationMode".to_owned(), mode_text(mode).to_owned())])
        }
        (None, Some(protection)) => {
            found.deletion_protection = protection;
            ("DeletionProtectionUpdate", vec![("DeletionProtection".to_owned(), protection.to_string())])
        }
        _ => {
            return Err(fault(
                "InvalidParameterException",
                "Exactly one kind of update must be specified in the request",
            ));
        }
    };
    let id = cluster::start_update(state, cx, name, kind, params)?;
    access::add_creator(state, cx, name);
    Ok(json!({ "update": views::update(&cluster::find(state, name)?.updates[&id]) }))
}

//! A checked config as requests of the SDK, and the SDK's answers as JSON: by the SDK's own schemas, so no field is
//! listed twice. Knows nothing of what is sent when.

use aws_sdk_sagemaker::Client;
use aws_sdk_sagemaker::operation::create_cluster::CreateClusterInput;
use aws_sdk_sagemaker::operation::create_cluster::builders::CreateClusterFluentBuilder;
use aws_sdk_sagemaker::operation::update_cluster::UpdateClusterInput;
use aws_sdk_sagemaker::operation::update_cluster::builders::UpdateClusterFluentBuilder;
use aws_smithy_json::codec::{JsonCodec, JsonCodecSettings};
use aws_smithy_schema::Schema;
use aws_smithy_schema::codec::Codec;
use aws_smithy_schema::serde::{SerializableStruct, ShapeSerializer};
use serde_json::Value as Json;

use crate::error::StepError;

/// A CreateCluster call with everything that `config` holds.
pub fn create(client: &Client, config: &Json) -> Result<CreateClusterFluentBuilder, StepError> {
    let bytes = wire(config);
    let input = CreateClusterInput::deserialize(&mut codec().create_deserializer(&bytes)).map_err(unreadable)?;
    Ok(client
        .create_cluster()
        .set_cluster_name(input.cluster_name)
        .set_instance_groups(input.instance_groups)
        .set_restricted_instance_groups(input.restricted_instance_groups)
        .set_restricted_instance_groups_config(input.restricted_instance_groups_config)
        .set_vpc_config(input.vpc_config)
        .set_tags(input.tags)
        .set_orchestrator(input.orchestrator)
        .set_node_recovery(input.node_recovery)
        .set_tiered_storage_config(input.tiered_storage_config)
        .set_node_provisioning_mode(input.node_provisioning_mode)
        .set_cluster_role(input.cluster_role)
        .set_auto_scaling(input.auto_scaling))
}

/// An UpdateCluster call with everything that `request` holds.
pub fn update(client: &Client, request: &Json) -> Result<UpdateClusterFluentBuilder, StepError> {
    let bytes = wire(request);
    let input = UpdateClusterInput::deserialize(&mut codec().create_deserializer(&bytes)).map_err(unreadable)?;
    Ok(client
        .update_cluster()
        .set_cluster_name(input.cluster_name)
        .set_instance_groups(input.instance_groups)
        .set_restricted_instance_groups(input.restricted_instance_groups)
        .set_restricted_instance_groups_config(input.restricted_instance_groups_config)
        .set_tiered_storage_config(input.tiered_storage_config)
        .set_node_recovery(input.node_recovery)
        .set_instance_groups_to_delete(input.instance_groups_to_delete)
        .set_node_provisioning_mode(input.node_provisioning_mode)
        .set_cluster_role(input.cluster_role)
        .set_auto_scaling(input.auto_scaling)
        .set_orchestrator(input.orchestrator))
}

/// An answer of the SDK as JSON, with the API's own field names.
pub fn to_json<T: SerializableStruct>(schema: &Schema<'_>, answer: &T) -> Result<Json, StepError> {
    let mut serializer = codec().create_serializer();
    serializer.write_struct(schema, answer).map_err(unreadable)?;
    serde_json::from_slice(&serializer.finish()).map_err(unreadable)
}

/// JSON 1.1: field names as they are, times as seconds.
fn codec() -> JsonCodec {
    JsonCodec::new(JsonCodecSettings::builder().use_json_name(false).build())
}

/// The config as the wire has it: times that were written as text become seconds, as the AWS CLI does.
fn wire(config: &Json) -> Vec<u8> {
    let mut config = config.clone();
    seconds_for_times(&mut config);
    config.to_string().into_bytes()
}

fn seconds_for_times(json: &mut Json) {
    match json {
        Json::Object(map) => {
            for (key, value) in map {
                let time =
                    value.as_str().filter(|_| key == "NextPatchDate").and_then(|t| t.parse::<jiff::Timestamp>().ok());
                match time {
                    Some(time) if time.subsec_nanosecond() == 0 => *value = time.as_second().into(),
                    Some(time) => *value = (time.as_microsecond() as f64 / 1e6).into(),
                    None => seconds_for_times(value),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(seconds_for_times),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn unreadable(error: impl std::fmt::Display) -> StepError {
    StepError::invalid(format!("the cluster config cannot be read as a request: {error}"))
}

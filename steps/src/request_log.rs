//! One line of tracing for each answer of AWS: service, operation, status, request id. What `-v` and `--log-file` show.
//! Must not see bodies: they may hold secrets.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::kill_point;

/// Says what became of each request, tries of the SDK's own included.
#[derive(Debug)]
pub struct RequestLog;

/// The headers that services give their request id in: the query and JSON ones, then S3's.
const REQUEST_ID: [&str; 3] = ["x-amzn-requestid", "x-amzn-request-id", "x-amz-request-id"];

impl Intercept for RequestLog {
    fn name(&self) -> &'static str {
        "hprun request log"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        kill_point::reach(|| format!("before request {}", called(cfg)));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let called = called(cfg);
        match context.response() {
            Some(answer) => {
                let id = REQUEST_ID.iter().find_map(|name| answer.headers().get(name)).unwrap_or("none");
                tracing::info!("{called}: {}, request id {id}", answer.status().as_u16());
                kill_point::reach(|| format!("after answer {called}"));
            }
            None => tracing::info!("{called}: no answer"),
        }
        Ok(())
    }
}

/// Service and operation.
fn called(cfg: &ConfigBag) -> String {
    match cfg.load::<Metadata>() {
        Some(metadata) => format!("{} {}", metadata.service(), metadata.name()),
        None => "AWS a request".to_owned(),
    }
}

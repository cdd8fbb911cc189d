//! Everything hprun can do to the outside world: one module a step type, and the list of them.
//! Knows nothing of YAML text, of the store, of the terminal; no step knows another.

pub mod aws_error;
pub mod clients;
pub mod clock;
pub mod cluster_config;
pub mod codes;
pub mod context;
pub mod create_cluster;
pub mod deploy_stack;
pub mod duration;
pub mod eks_token;
pub mod error;
pub mod fact;
pub mod fetch_outputs;
pub mod files;
pub mod finding;
pub mod helm_install;
pub mod hyperpod;
pub mod kill_point;
mod kube_auth;
mod login;
pub mod pace;
pub mod partial;
pub mod permissions;
pub mod preflight;
pub mod program;
pub mod question;
pub mod region;
pub mod render_config;
mod request_log;
mod s3_address;
pub mod signed;
pub mod step;
pub mod template;
pub mod update_kubeconfig;
pub mod upload_lifecycle;
pub mod value;
pub mod wait_status;

pub use error::{ErrorClass, StepError};
pub use step::{Step, StepType};

/// THE LIST: every step type there is, in the order in which a person would use them.
pub static STEP_TYPES: &[StepType] = &[
    StepType::of::<preflight::Preflight>(),
    StepType::of::<deploy_stack::DeployStack>(),
    StepType::of::<fetch_outputs::FetchOutputs>(),
    StepType::of::<update_kubeconfig::UpdateKubeconfig>(),
    StepType::of::<helm_install::HelmInstall>(),
    StepType::of::<upload_lifecycle::UploadLifecycle>(),
    StepType::of::<render_config::RenderConfig>(),
    StepType::of::<create_cluster::CreateCluster>(),
    StepType::of::<wait_status::WaitStatus>(),
];

/// The step type of this name.
pub fn find(name: &str) -> Option<&'static StepType> {
    STEP_TYPES.iter().find(|step_type| step_type.name == name)
}

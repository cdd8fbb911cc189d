//! Everything hprun can do to the outside world: one module a step type, and the list of them.
//! Knows nothing of YAML text, of the store, of the terminal; no step knows another.

pub mod aws_error;
pub mod clients;
pub mod clock;
pub mod cluster_config;
pub mod context;
pub static STEP_TYPES: &[StepType] = &[
];
pub mod error;
pub mod fetch_outputs;
pub mod files;
pub static STEP_TYPES: &[StepType] = &[
];
pub mod partial;
pub mod render_config;
pub mod step;
pub mod upload_lifecycle;
pub mod value;
pub mod wait_status;

pub use error::{ErrorClass, StepError};
pub use step::{Step, StepType};

/// THE LIST: every step type there is, in the order in which a person would use them.
pub static STEP_TYPES: &[StepType] = &[
<<<<<<< HEAD
    StepType::of::<deploy_stack::DeployStack>(),
    StepType::of::<fetch_outputs::FetchOutputs>(),
    StepType::of::<upload_lifecycle::UploadLifecycle>(),
    StepType::of::<render_config::RenderConfig>(),
=======
    StepType::of::<render_config::RenderConfig>(),
    StepType::of::<create_cluster::CreateCluster>(),
<<<<<<< HEAD
>>>>>>> 802d237 (create-cluster: a cluster is made once, whatever is lost on the way, and updated as its config says)
=======
    StepType::of::<wait_status::WaitStatus>(),
>>>>>>> 933c26d (wait-status: waits for clusters, nodes, stacks and workloads, and ends at once on a failing state)
];

/// The step type of this name.
pub fn find(name: &str) -> Option<&'static StepType> {
    STEP_TYPES.iter().find(|step_type| step_type.name == name)
}

//! `hprun eks-token`: an EKS token as kubectl, helm and the kube crate ask for it.

use hprun_steps::clients::{ClientOptions, Clients};
use hprun_steps::eks_token;

use super::args::EksTokenArgs;
use super::failure::CliError;
use super::print;

/// Prints an ExecCredential.
pub async fn run(args: EksTokenArgs) -> Result<(), CliError> {
    let options =
        ClientOptions { region: args.region, profile: args.profile, role: args.role, sandbox: None, speed: None };
    let clients = Clients::new(options).await;
    let token = eks_token::token(&clients, &args.cluster_name).await?;
    print::data(eks_token::exec_credential(&token))
}

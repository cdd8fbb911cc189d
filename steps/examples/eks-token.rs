//! Prints an EKS token as `hprun eks-token` does: the program in the kubeconfigs of this crate's tests.
//! Takes its credentials from the environment that the kubeconfig sets.

use hprun_steps::clients::{ClientOptions, Clients};
use hprun_steps::eks_token;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), hprun_steps::StepError> {
    let words: Vec<String> = std::env::args().collect();
    let after = |flag: &str| words.iter().position(|w| w == flag).and_then(|at| words.get(at + 1)).cloned();
    let clients = Clients::new(ClientOptions { region: after("--region"), ..ClientOptions::default() }).await;
    let cluster = after("--cluster-name").unwrap_or_default();
    println!("{}", eks_token::exec_credential(&eks_token::token(&clients, &cluster).await?));
    Ok(())
}

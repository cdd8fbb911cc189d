//! Serves a world until it is killed: `cargo run -p hprun-sandbox --example serve -- WORLD [SPEED] [FAULTS.yaml]`.
//! Prints the environment for other programs as `export` lines.

use hprun_sandbox::{ClockKind, FaultScript, Options, Sandbox};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let world = args.next().ok_or("which world folder? serve WORLD [SPEED] [FAULTS.yaml]")?;
    let speed = args.next().map_or(Ok(60.0), |text| text.parse())?;
    let faults = match args.next() {
        Some(path) => Some(serde_yaml::from_str::<FaultScript>(&std::fs::read_to_string(path)?)?),
        None => None,
    };
    let sandbox =
        Sandbox::open(Options { world: world.into(), clock: ClockKind::Scaled { speed }, faults, policy: None })
            .await?;
    for (name, value) in sandbox.environment() {
        println!("export {name}='{value}'");
    }
    println!("# kubernetes: {}", sandbox.world().kubernetes_endpoint());
    tokio::signal::ctrl_c().await?;
    sandbox.stop().await;
    Ok(())
}

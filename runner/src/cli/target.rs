//! Where a run happens: a real account, or a sandbox world served here or by another process.
//! Knows nothing of pipelines; what it gives is clients, a clock and a caller.

use std::path::{Path, PathBuf};

use hprun_steps::clients::{Caller, ClientOptions, Clients};
use hprun_steps::clock::Clock;

use super::CliError;
use crate::event::Target;

/// AWS (or its stand-in), reached and asked who is calling.
pub struct Reached {
    /// What the record says of it.
    pub target: Target,
    /// The clients.
    pub clients: Clients,
    /// The time that the run lives by.
    pub clock: Clock,
    /// Who is calling.
    pub caller: Caller,
    /// The region of every call.
    pub region: String,
    /// What child processes need in their environment.
    pub environment: Vec<(String, String)>,
    /// Keeps a sandbox served until the run is over.
    #[cfg(feature = "sandbox")]
    served: Option<hprun_sandbox::Sandbox>,
}

/// The `aws:` of a pipeline, resolved.
#[derive(Clone, Debug, Default)]
pub struct AwsWish {
    /// Region to use.
    pub region: Option<String>,
    /// Profile to use.
    pub profile: Option<String>,
    /// Role to assume.
    pub role: Option<String>,
    /// The only account to run in.
    pub account: Option<String>,
}

/// How to open a sandbox world.
#[derive(Clone, Debug)]
pub struct SandboxWish {
    /// The world's folder.
    pub world: PathBuf,
    /// How much faster than the wall its clock runs.
    pub speed: f64,
    /// A script of faults.
    pub faults: Option<PathBuf>,
    /// The policy that the caller has in it.
    pub policy: Option<PathBuf>,
}

impl Reached {
    /// Reaches the account that the credentials lead to, and refuses any but the pinned one.
    pub async fn aws(wish: &AwsWish) -> Result<Self, CliError> {
        let options = ClientOptions {
            region: wish.region.clone(),
            profile: wish.profile.clone(),
            role: wish.role.clone(),
            sandbox: None,
            speed: None,
        };
        let clients = Clients::new(options).await;
        let Some(region) = clients.region().map(str::to_owned) else {
            return Err(CliError::Usage {
                message: "no region is set".to_owned(),
                help: Some("write `aws: { region: us-west-2 }` in the pipeline, or set AWS_REGION".to_owned()),
            });
        };
        let caller = clients.caller().await?;
        refuse_other_account(&caller, wish.account.as_deref())?;
        let mut environment = vec![("AWS_REGION".to_owned(), region.clone())];
        environment.extend(wish.profile.clone().map(|profile| ("AWS_PROFILE".to_owned(), profile)));
        Ok(Self {
            target: Target::Aws { profile: wish.profile.clone() },
            clients,
            clock: Clock::system(),
            caller,
            region,
            environment,
            #[cfg(feature = "sandbox")]
            served: None,
        })
    }

    /// Opens the world, or attaches to the process that serves it already.
    #[cfg(feature = "sandbox")]
    pub async fn sandbox(wish: &SandboxWish, aws: &AwsWish) -> Result<Self, CliError> {
        let (served, door) = open_or_attach(wish).await?;
        match Self::through(door, wish, aws).await {
            Ok(reached) => Ok(Self { served, ..reached }),
            Err(error) => {
                // What serves it is ended before anybody removes its folder.
                if let Some(sandbox) = served {
                    sandbox.stop().await;
                }
                Err(error)
            }
        }
    }

    /// Asks the world who is calling.
    #[cfg(feature = "sandbox")]
    async fn through(door: Door, wish: &SandboxWish, aws: &AwsWish) -> Result<Self, CliError> {
        use hprun_steps::clients::SandboxEndpoint;

        let region = aws.region.clone().unwrap_or_else(|| "us-west-2".to_owned());
        // A world whose clock a test steps by hand has no speed: its clients go by the wall.
        let speed = if door.speed > 0.0 { door.speed } else { 1.0 };
        let options = ClientOptions {
            region: Some(region.clone()),
            profile: None,
            role: None,
            sandbox: Some(SandboxEndpoint {
                url: door.endpoint.clone(),
                access_key: hprun_sandbox::ACCESS_KEY.to_owned(),
                secret_key: hprun_sandbox::SECRET_KEY.to_owned(),
            }),
            speed: Some(speed),
        };
        let clients = Clients::new(options).await;
        let caller = clients.caller().await?;
        refuse_other_account(&caller, aws.account.as_deref())?;
        let mut environment = door.environment;
        for (name, value) in &mut environment {
            if name == "AWS_REGION" || name == "AWS_DEFAULT_REGION" {
                value.clone_from(&region);
            }
        }
        let world = wish.world.canonicalize().unwrap_or_else(|_| wish.world.clone());
        Ok(Self {
            target: Target::Sandbox { world: world.to_string_lossy().into_owned() },
            clients,
            clock: Clock::scaled(door.now, speed),
            caller,
            region,
            environment,
            served: None,
        })
    }

    /// Without the sandbox there is only AWS.
    #[cfg(not(feature = "sandbox"))]
    pub async fn sandbox(_: &SandboxWish, _: &AwsWish) -> Result<Self, CliError> {
        Err(CliError::usage("this hprun was built without the sandbox"))
    }

    /// Lets go of what was opened.
    pub async fn close(self) {
        #[cfg(feature = "sandbox")]
        if let Some(sandbox) = self.served {
            sandbox.stop().await;
        }
    }

    /// One line for people: where this is.
    pub fn line(&self) -> String {
        let Caller { account, arn, .. } = &self.caller;
        match &self.target {
            Target::Aws { .. } => format!("account {account}, region {}, as {arn}", self.region),
            Target::Sandbox { world } => format!("sandbox {world}, region {}", self.region),
        }
    }
}

/// A folder for a world that is gone at the end. Only this user may open it: what is sent to a world is in it in clear.
pub fn temporary_world() -> Result<tempfile::TempDir, CliError> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    let made = tempfile::Builder::new().prefix("hprun-world-").permissions(mode).tempdir();
    made.map_err(CliError::io("make a folder for the world"))
}

/// A sandbox as a client sees it.
#[cfg(feature = "sandbox")]
struct Door {
    endpoint: String,
    environment: Vec<(String, String)>,
    now: jiff::Timestamp,
    speed: f64,
}

#[cfg(feature = "sandbox")]
async fn open_or_attach(wish: &SandboxWish) -> Result<(Option<hprun_sandbox::Sandbox>, Door), CliError> {
    use hprun_sandbox::{ClockKind, OpenError, Options, Sandbox};

    let faults = wish.faults.as_deref().map(read_faults).transpose()?;
    let policy = wish.policy.as_deref().map(read_policy).transpose()?;
    let (world, clock) = (wish.world.clone(), ClockKind::Scaled { speed: wish.speed });
    let options = Options { world, clock, faults: faults.clone(), policy: policy.clone() };
    match Sandbox::open(options).await {
        Ok(sandbox) => {
            let door = Door {
                endpoint: sandbox.endpoint().to_owned(),
                environment: sandbox.environment(),
                now: sandbox.clock().now(),
                speed: sandbox.clock().speed(),
            };
            Ok((Some(sandbox), door))
        }
        Err(OpenError::Held { endpoint, .. }) => {
            let unreachable = endpoint.clone();
            let refuse = |e: std::io::Error| CliError::Refused {
                message: format!("the sandbox at {unreachable} does not answer: {e}"),
                help: Some(format!("end the process that serves {}, or name another world", wish.world.display())),
            };
            let attached = hprun_sandbox::attach(&wish.world, &endpoint, faults.as_ref(), policy.as_ref()).await;
            let hprun_sandbox::Attached { endpoint, environment, now, speed } = attached.map_err(refuse)?;
            Ok((None, Door { endpoint, environment, now, speed }))
        }
        Err(error) => Err(CliError::Refused { message: error.to_string(), help: None }),
    }
}

/// The world's time goes on as fast as when it was last served.
#[cfg(feature = "sandbox")]
pub fn kept_speed(world: &Path) -> f64 {
    hprun_sandbox::kept_speed(world).unwrap_or(60.0)
}

/// Without the sandbox there is no such time.
#[cfg(not(feature = "sandbox"))]
pub fn kept_speed(_: &Path) -> f64 {
    1.0
}

/// The fault script in `path`.
#[cfg(feature = "sandbox")]
pub fn read_faults(path: &Path) -> Result<hprun_sandbox::FaultScript, CliError> {
    let text = std::fs::read_to_string(path).map_err(CliError::io(format!("read {}", path.display())))?;
    hprun_sandbox::FaultScript::parse(&text).map_err(|e| CliError::Usage {
        message: format!("{} is no fault script: {e}", path.display()),
        help: Some("docs/sandbox-faults.md describes the format".to_owned()),
    })
}

/// The caller's policy in `path`.
#[cfg(feature = "sandbox")]
pub fn read_policy(path: &Path) -> Result<hprun_sandbox::CallerPolicy, CliError> {
    let text = std::fs::read_to_string(path).map_err(CliError::io(format!("read {}", path.display())))?;
    hprun_sandbox::CallerPolicy::parse(&text).map_err(|why| CliError::Usage {
        message: format!("{} is no policy that the sandbox can enforce: {why}", path.display()),
        help: Some("it takes what `hprun iam-policy` prints; docs/iam-policy.md says what else".to_owned()),
    })
}

fn refuse_other_account(caller: &Caller, pinned: Option<&str>) -> Result<(), CliError> {
    match pinned {
        Some(pinned) if pinned != caller.account => Err(CliError::refused(
            format!(
                "the pipeline is for account {pinned}, and these credentials lead to {} ({})",
                caller.account, caller.arn
            ),
            "use the credentials of that account, or change `aws.account` in the pipeline",
        )),
        Some(_) | None => Ok(()),
    }
}

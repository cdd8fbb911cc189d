//! Stand-ins for AWS and Kubernetes on 127.0.0.1: open a world folder, serve it, stop.
//! Knows nothing of hprun: it speaks wire protocols only, so that any client can be pointed at it.

pub mod clock;
pub mod faults;
pub mod journal;
pub mod wire;
pub mod world;

mod access;
mod admin;
mod attach;
pub mod cfn_resource;
pub mod cloudformation;
mod door;
pub mod ec2;
pub mod eks;
mod environment;
mod front;
pub mod iam;
pub mod kubernetes;
pub mod logs;
pub mod quotas;
pub mod s3;
pub mod sagemaker;
pub mod ssm;
pub mod sts;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use attach::{Attached, attach};
pub use clock::{Clock, ClockKind};
pub use faults::FaultScript;
pub use iam::CallerPolicy;
pub use journal::{Entry, Journal};
pub use world::{ACCESS_KEY, OpenError, SECRET_KEY, World, kept_speed};

/// How to open a world.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that holds the world; made when it is not there.
    pub world: PathBuf,
    /// How sandbox time passes.
    pub clock: ClockKind,
    /// Which calls and resources fail; `None` keeps the script of the last opening, if there was one.
    pub faults: Option<FaultScript>,
    /// What the caller may do; `None` keeps the policy of the last opening, or allows everything if there was none.
    pub policy: Option<CallerPolicy>,
}

/// A served world: both ports answer until `stop`, or until this is dropped.
#[derive(Debug)]
pub struct Sandbox {
    world: Arc<World>,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Opens the world folder and serves it. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// `OpenError::Held` when another live process serves this world, `OpenError::PortTaken` when the world's port is in use
    /// by someone else, and the world's own errors when its files cannot be read or written.
    pub async fn open(options: Options) -> Result<Sandbox, OpenError> {
        let claim = world::Claim::take(&options.world)?;
        let aws = listen(claim.aws_port()).await?;
        let kubernetes = listen(claim.kubernetes_port()).await?;
        let ports = (port_of(&aws), port_of(&kubernetes));
        let world = Arc::new(World::open(claim, options, ports)?);
        environment::write_empty_config(world.dir())?;
        // Here and not in the task that serves it: the folder may be gone by then, when whoever opened the world gives up.
        let certificate = kubernetes::server_config(world.dir()).map_err(std::io::Error::other)?;
        let tasks = vec![
            tokio::spawn(front::serve(Arc::clone(&world), aws)),
            tokio::spawn(kubernetes::serve(Arc::clone(&world), kubernetes, certificate)),
            tokio::spawn(world::keep_time(Arc::clone(&world))),
        ];
        Ok(Sandbox { world, tasks })
    }

    /// The URL that all AWS services answer on, `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        self.world.endpoint()
    }

    /// The variables that point an AWS client at this sandbox and at nothing else.
    pub fn environment(&self) -> Vec<(String, String)> {
        environment::variables(&self.world)
    }

    /// Sandbox time.
    pub fn clock(&self) -> &Clock {
        self.world.clock()
    }

    /// Every request and answer so far.
    pub fn journal(&self) -> &Journal {
        self.world.journal()
    }

    /// The world itself, to look at its state.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Stops serving: open watches end, the time is stored, the folder is free for the next process.
    pub async fn stop(mut self) {
        self.world.stopping().cancel();
        for task in self.tasks.drain(..) {
            // A server that does not end by itself within two seconds is ended; its state is on disk already.
            let abort = task.abort_handle();
            if tokio::time::timeout(std::time::Duration::from_secs(2), task).await.is_err() {
                abort.abort();
            }
        }
        self.world.close();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.world.stopping().cancel();
        for task in &self.tasks {
            task.abort();
        }
        self.world.close();
    }
}

async fn listen(port: u16) -> Result<TcpListener, OpenError> {
    TcpListener::bind(("127.0.0.1", port)).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => OpenError::PortTaken { port },
        _ => OpenError::Listen { port, source },
    })
}

fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("a bound listener has an address").port()
}

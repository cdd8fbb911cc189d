//! What the front doors share: connections are taken and served until the sandbox stops, and faults delay, close or refuse them.
//! Must not know what is asked through them.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::faults::{CallRule, Fault};
use crate::world::World;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the fault script closes this connection")]
pub(crate) struct Closed;

/// The next connection; `None` when the sandbox stops.
pub(crate) async fn next(world: &World, listener: &TcpListener) -> Option<TcpStream> {
    loop {
        tokio::select! {
            () = world.stopping().cancelled() => return None,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    return Some(stream);
                }
                Err(error) => tracing::warn!(%error, "a connection could not be taken"),
            },
        }
    }
}

/// Serves one connection to its end; when the sandbox stops, the request under way is still answered.
pub(crate) async fn serve<I, S, B>(world: &World, http: auto::Builder<TokioExecutor>, stream: I, service: S)
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Closed>,
    S::Future: 'static,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    TokioExecutor: Http2ServerConnExec<S::Future, B>,
{
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = world.stopping().cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Refuses connections until then, and gives the door opened again.
pub(crate) async fn refuse(world: &World, listener: TcpListener, until: i64) -> TcpListener {
    let address = listener.local_addr().expect("a bound listener has an address");
    drop(listener);
    // A socket that does not listen refuses, and keeps the port from others.
    let socket = loop {
        match kept(address) {
            Ok(socket) => break socket,
            Err(error) => tracing::warn!(%error, "the port cannot be kept"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    wait_until(world, until).await;
    socket.listen(1024).expect("the port is kept")
}

fn kept(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// The instant that is this span of sandbox time away, in microseconds since the epoch.
pub(crate) fn after(world: &World, span: Duration) -> i64 {
    world.clock().micros() + i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 2)
}

/// Waits a span of sandbox time, or until the sandbox stops.
pub(crate) async fn wait(world: &World, span: Duration) {
    wait_until(world, after(world, span)).await;
}

async fn wait_until(world: &World, until: i64) {
    while world.clock().micros() < until && !world.stopping().is_cancelled() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What becomes of an answer when its effect has happened: `hold-answer` keeps the client waiting until it leaves (which
/// drops this), another script comes, or the sandbox stops; then, and for `lose-answer`, the connection is closed.
pub(crate) async fn let_go(world: &World, rule: Option<&CallRule>) -> Result<(), Closed> {
    let Some(rule) = rule.filter(|rule| rule.fault.loses_answer()) else { return Ok(()) };
    if rule.fault == Fault::HoldAnswer {
        tokio::select! {
            () = world.stopping().cancelled() => {}
            () = world.faults().without(rule) => {}
        }
    }
    Err(Closed)
}

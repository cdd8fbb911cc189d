//! The TLS server: connections, which cluster a request is for, who calls, faults, journal, and open watches.
//! Must not know resources; what a request is answered with is `api`'s.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{Request as HttpRequest, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto;
use jiff::Timestamp;
use rustls::ServerConfig;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::access::Caller;
use super::api::{self, Answer};
use super::auth;
use super::certificate;
use super::neighbours;
use super::record::{self, Visit, operation};
use super::request::Request;
use super::status::Refusal;
use super::watch::Watch;
use crate::door::{self, Closed};
use crate::faults::{CallRule, Fault};
use crate::world::World;

type Body = BoxBody<Bytes, std::convert::Infallible>;

/// A server certificate is made anew after this time, long before its year is over.
const RENEW: Duration = Duration::from_secs(30 * 24 * 3600);

/// Answers on the TLS port until the sandbox stops.
///
pub async fn serve(world: Arc<World>, listener: TcpListener, certificate: Arc<ServerConfig>) {
    let mut acceptor = TlsAcceptor::from(certificate);
    let mut made = std::time::Instant::now();
    while let Some(stream) = door::next(&world, &listener).await {
        if made.elapsed() > RENEW {
            match certificate::server_config(world.dir()) {
                Ok(certificate) => acceptor = TlsAcceptor::from(certificate),
                // The one in use is good for months yet.
                Err(error) => tracing::warn!(%error, "no new certificate for the sandbox's Kubernetes"),
            }
            made = std::time::Instant::now();
        }
        tokio::spawn(connection(Arc::clone(&world), acceptor.clone(), stream));
    }
}

async fn connection(world: Arc<World>, acceptor: TlsAcceptor, stream: TcpStream) {
    let stream = match acceptor.accept(stream).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, "a TLS handshake failed");
            return;
        }
    };
    let service = service_fn(|request| answer(Arc::clone(&world), request));
    door::serve(&world, auto::Builder::new(TokioExecutor::new()), stream, service).await;
}

async fn answer(world: Arc<World>, http: HttpRequest<Incoming>) -> Result<Response<Body>, Closed> {
    let (head, body) = http.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let (cluster, path) = split(head.uri.path());
    let authorization = text(&head.headers, header::AUTHORIZATION);
    let request = taken_apart(&head, path, body);
    let operation = operation(&request);
    let at = world.clock().now();
    let subject = format!("{} {}", cluster, request.path);
    let rule = world.faults().call("kubernetes", &operation, &subject, at);
    let found = world.find_region(|state| state.kubernetes.has_cluster(&cluster));
    let region = found.clone().unwrap_or_default();
    let visit = Visit { region, cluster, request, operation, at, rule };
    let outcome = match injected(&world, visit.rule.as_ref(), &visit.region).await {
        Injected::Close => {
            record::record(&world, &visit, 0, None);
            return Err(Closed);
        }
        Injected::Refuse(refusal) => Err(refusal),
        Injected::Pass if found.is_none() => Err(Refusal::not_found("clusters", &visit.cluster)),
        Injected::Pass => act(&world, &visit, &authorization),
    };
    match &outcome {
        Ok(Answer::Json(status, _)) => record::record(&world, &visit, *status, None),
        Ok(Answer::Typed(..) | Answer::Text(_) | Answer::Watch(_)) => record::record(&world, &visit, 200, None),
        Err(refusal) => record::record(&world, &visit, refusal.code, Some(refusal)),
    }
    door::let_go(&world, visit.rule.as_ref()).await?;
    Ok(written(world, visit, outcome))
}

fn taken_apart(head: &http::request::Parts, path: String, body: Bytes) -> Request {
    let content_type = text(&head.headers, header::CONTENT_TYPE);
    let query = head.uri.query().unwrap_or_default().as_bytes();
    Request {
        method: head.method.clone(),
        path,
        query: form_urlencoded::parse(query).into_owned().collect(),
        accept: text(&head.headers, header::ACCEPT),
        content_type: content_type.split(';').next().unwrap_or_default().trim().to_owned(),
        user_agent: text(&head.headers, header::USER_AGENT),
        body,
    }
}

/// An outcome in HTTP.
fn written(world: Arc<World>, visit: Visit, outcome: Result<Answer, Refusal>) -> Response<Body> {
    match outcome {
        Ok(Answer::Json(status, document)) => document_response(status, "application/json", &document),
        Ok(Answer::Typed(media, document)) => document_response(200, media, &document),
        Ok(Answer::Text(text)) => response(200, "text/plain; charset=utf-8", full(text.into_bytes())),
        Ok(Answer::Watch(watch)) => {
            response(200, "application/json", watch_body(world, visit.region, visit.cluster, *watch))
        }
        Err(refusal) => document_response(refusal.code, "application/json", &refusal.to_json()),
    }
}

/// The cluster that a path begins with, and the path below it, percent-decoded.
fn split(path: &str) -> (String, String) {
    let rest = path.strip_prefix("/clusters/").unwrap_or_default();
    let (cluster, below) = rest.split_once('/').unwrap_or((rest, ""));
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    (decode(cluster), format!("/{}", decode(below)))
}

fn text(headers: &http::HeaderMap, name: header::HeaderName) -> String {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

/// Checks the caller and carries the request out; what it changed is on disk when this returns.
fn act(world: &World, visit: &Visit, authorization: &str) -> Result<Answer, Refusal> {
    let cluster = visit.cluster.as_str();
    let identity = auth::identify(authorization, cluster, Timestamp::now()).map_err(|why| {
        tracing::debug!(cluster, why, "a Kubernetes token was refused");
        Refusal::unauthorized()
    })?;
    world.with(&visit.region, |state, cx| {
        let admin = neighbours::is_admin(state, cx, cluster, &identity.arn).ok_or_else(Refusal::unauthorized)?;
        let caller = Caller { user: identity.arn.clone(), admin };
        let served =
            state.kubernetes.clusters.get_mut(cluster).ok_or_else(|| Refusal::not_found("clusters", cluster))?;
        api::handle(served, &caller, &visit.request, cx.now)
    })
}

enum Injected {
    Pass,
    Close,
    Refuse(Refusal),
}

async fn injected(world: &World, rule: Option<&CallRule>, region: &str) -> Injected {
    let Some(rule) = rule else {
        return Injected::Pass;
    };
    // The counter must be on disk before its effect is seen.
    if !region.is_empty() {
        world.with(region, |_, _| ());
    }
    match rule.fault {
        Fault::Throttle => Injected::Refuse(Refusal::fault(
            429,
            "TooManyRequests",
            "the server has received too many requests and has asked us to try again later",
        )),
        Fault::ServerError => Injected::Refuse(Refusal::fault(
            rule.status.unwrap_or(500),
            "InternalError",
            "an error on the server has prevented the request from succeeding",
        )),
        Fault::ExpiredCredentials => Injected::Refuse(Refusal::unauthorized()),
        Fault::AccessDenied => {
            Injected::Refuse(Refusal::fault(403, "Forbidden", "forbidden: the fault script denies this"))
        }
        // The door of Kubernetes stays open: only this connection ends.
        Fault::Reset | Fault::Refuse => Injected::Close,
        Fault::LoseAnswer | Fault::HoldAnswer => Injected::Pass,
        Fault::Delay => {
            let span = rule.delay.map(|span| span.0).unwrap_or_default();
            door::wait(world, span).await;
            Injected::Pass
        }
    }
}

fn document_response(status: u16, media: &str, document: &Value) -> Response<Body> {
    response(status, media, full(document.to_string().into_bytes()))
}

fn full(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).boxed()
}

fn response(status: u16, media: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("statuses are HTTP's");
    let media = media.parse().expect("media types are plain text");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response.headers_mut().insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-cache, private"));
    response
}

/// The lines of a watch, until its time is over, the client leaves, or the sandbox stops.
fn watch_body(world: Arc<World>, region: String, cluster: String, watch: Watch) -> Body {
    let (lines, mut receiver) = mpsc::channel::<Bytes>(16);
    tokio::spawn(follow(world, region, cluster, watch, lines));
    let frames = stream::poll_fn(move |context| {
        receiver.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    });
    StreamBody::new(frames).boxed()
}

async fn follow(world: Arc<World>, region: String, cluster: String, mut watch: Watch, lines: mpsc::Sender<Bytes>) {
    let mut changes = world.changes();
    let end = tokio::time::sleep(Duration::from_secs(watch.timeout_seconds));
    tokio::pin!(end);
    loop {
        changes.mark_unchanged();
        let goes_on = world.with(&region, |state, cx| match state.kubernetes.clusters.get_mut(&cluster) {
            Some(cluster) => watch.look(cluster, cx.now),
            None => false,
        });
        let told = watch.take_lines();
        if !told.is_empty() && lines.send(Bytes::from(told)).await.is_err() {
            return;
        }
        if !goes_on {
            return;
        }
        tokio::select! {
            () = world.stopping().cancelled() => return,
            () = lines.closed() => return,
            () = &mut end => {
                watch.end();
                let _ = lines.send(Bytes::from(watch.take_lines())).await;
                return;
            }
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

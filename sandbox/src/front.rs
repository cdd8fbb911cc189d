//! The front door on 127.0.0.1: which service a request is for, its faults, its journal entry, its dispatch.
//! Must not know what any operation does.

mod scope;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::door::{self, Closed};
use crate::faults::{CallRule, Fault};
use crate::journal::{self, Entry, body_text, body_value};
use crate::wire::{Call, Reply, ServiceError};
use crate::world::{ACCESS_KEY, World};
use crate::{access, admin, cloudformation, ec2, eks, iam, logs, quotas, s3, sagemaker, ssm, sts};

/// For how long nobody listens, when `refuse` does not say.
const REFUSES_FOR: Duration = Duration::from_secs(60);

/// Answers until the sandbox stops.
pub(crate) async fn serve(world: Arc<World>, mut listener: TcpListener) {
    let mut shut = world.shut().subscribe();
    loop {
        let open = CancellationToken::new();
        let until = loop {
            tokio::select! {
                stream = door::next(&world, &listener) => match stream {
                    Some(stream) => drop(tokio::spawn(connection(Arc::clone(&world), stream, open.clone()))),
                    None => return,
                },
                _ = shut.changed() => break *shut.borrow_and_update(),
            }
        };
        open.cancel();
        listener = door::refuse(&world, listener, until).await;
    }
}

/// Serves a connection to its end, or as long as the door is open.
async fn connection(world: Arc<World>, stream: TcpStream, open: CancellationToken) {
    let service = service_fn(|request| answer(Arc::clone(&world), request));
    let http = auto::Builder::new(TokioExecutor::new()).http1_only();
    tokio::select! {
        () = open.cancelled() => {}
        () = door::serve(&world, http, stream, service) => {}
    }
}

async fn answer(world: Arc<World>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    if head.uri.path().starts_with("/_sandbox/") {
        return Ok(response(admin::handle(&world, &head, &body), ""));
    }
    let call = scope::call(&head, body.clone());
    let at = world.clock().now();
    let rule = world.faults().call(&call.service, &call.operation, &fault_text(&call), at);
    let outcome = run(&world, &call, rule.as_ref()).await;
    record(&world, &call, at, rule.as_ref(), outcome.as_ref().ok());
    let answered = outcome?;
    if world.is_closed() {
        return Err(Closed);
    }
    door::let_go(&world, rule.as_ref()).await?;
    Ok(response(answered.reply, &call.request_id))
}

/// A reply, and whether the service itself gave it.
struct Answered {
    reply: Reply,
    by_service: bool,
}

async fn run(world: &Arc<World>, call: &Call, rule: Option<&CallRule>) -> Result<Answered, Closed> {
    if let Some(rule) = rule {
        // The counter must be on disk before its effect is seen.
        world.with(&call.region, |_, _| ());
        match injected(call, rule) {
            Injected::Pass => {}
            Injected::Shut(span) => {
                world.shut().send_replace(door::after(world, span));
                return Err(Closed);
            }
            Injected::Close => return Err(Closed),
            Injected::Error(error) => {
                return Ok(Answered { reply: error.reply(call), by_service: false });
            }
            Injected::Wait(span) => door::wait(world, span).await,
        }
    }
    if call.access_key != ACCESS_KEY {
        return Ok(Answered { reply: scope::stranger(call).reply(call), by_service: false });
    }
    if let Some(error) = access::refusal(world, call) {
        return Ok(Answered { reply: error.reply(call), by_service: false });
    }
    Ok(Answered { reply: dispatch(world, call).await, by_service: true })
}

async fn dispatch(world: &Arc<World>, call: &Call) -> Reply {
    let result = match call.service.as_str() {
        "s3" => return s3::handle(world, call).await,
        "cloudformation" => cloudformation::handle(world, call),
        "ec2" => ec2::handle(world, call),
        "eks" => eks::handle(world, call),
        "iam" => iam::handle(world, call),
        "logs" => logs::handle(world, call),
        "sagemaker" => sagemaker::handle(world, call),
        "servicequotas" => quotas::handle(world, call),
        "ssm" => ssm::handle(world, call),
        "sts" => sts::handle(world, call),
        other => Err(ServiceError::not_part(format!("service {other}"))),
    };
    result.unwrap_or_else(|error| error.reply(call))
}

enum Injected {
    Pass,
    Close,
    Error(ServiceError),
    Wait(Duration),
    Shut(Duration),
}

fn injected(call: &Call, rule: &CallRule) -> Injected {
    match rule.fault {
        Fault::Throttle => Injected::Error(scope::throttled(call)),
        Fault::ServerError => Injected::Error(scope::server_error(call, rule.status.unwrap_or(500))),
        Fault::Reset => Injected::Close,
        Fault::Refuse => Injected::Shut(rule.lasting.map_or(REFUSES_FOR, |span| span.0)),
        Fault::LoseAnswer | Fault::HoldAnswer => Injected::Pass,
        Fault::ExpiredCredentials => Injected::Error(scope::expired(call)),
        Fault::AccessDenied => Injected::Error(denied_by_script(call)),
        Fault::Delay => Injected::Wait(rule.delay.map(|span| span.0).unwrap_or_default()),
    }
}

fn denied_by_script(call: &Call) -> ServiceError {
    let caller = crate::world::CALLER_ARN;
    access::denied(call, format!("User: {caller} is not authorized to perform: {}:{}", call.service, call.operation))
}

/// What a rule's `match` looks into.
fn fault_text(call: &Call) -> String {
    let query = call.query.iter().map(|(key, value)| format!("&{key}={value}")).collect::<String>();
    let body = if call.service == "s3" { String::new() } else { body_value(&call.headers, &call.body).to_string() };
    format!("{}{query}\n{body}", call.path)
}

fn record(world: &World, call: &Call, at: jiff::Timestamp, rule: Option<&CallRule>, answered: Option<&Answered>) {
    let object = call.service == "s3" && matches!(call.operation.as_str(), "PutObject" | "GetObject" | "UploadPart");
    let whole = |body: &Bytes| {
        if object && !body.is_empty() { format!("object: {} bytes", body.len()) } else { body_text(body) }
    };
    let status = answered.map_or(0, |it| it.reply.status.as_u16());
    let lost = rule.is_some_and(|rule| rule.fault.loses_answer());
    let headers = answered.map(|it| it.reply.headers.clone()).unwrap_or_default();
    world.journal().record(&Entry {
        at,
        service: call.service.clone(),
        operation: call.operation.clone(),
        region: call.region.clone(),
        request_id: call.request_id.clone(),
        request: scope::request_line(call),
        body: if object { whole(&call.body).into() } else { body_value(&call.headers, &call.body) },
        status: if lost { 0 } else { status },
        error: answered.and_then(|it| it.reply.error.clone()),
        effect: answered.is_some_and(|it| it.by_service && it.reply.status.is_success()) && scope::changes(call),
        fault: rule.map(|rule| rule.fault.name().to_owned()),
        answer_headers: headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        answer: answered.map(|it| journal::without_secrets(whole(&it.reply.body))).unwrap_or_default(),
    });
}

fn response(reply: Reply, request_id: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().entry("x-amzn-requestid").or_insert(id.clone());
        response.headers_mut().entry("x-amz-request-id").or_insert(id);
    }
    response
}

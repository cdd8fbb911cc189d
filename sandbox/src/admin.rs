//! The sandbox's own door, `/_sandbox/…`: clock, journal, health, faults and policy for tests in other processes.
//! Must not look like an AWS service; nothing of AWS begins with this path.

use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::{FaultScript, Span};
use crate::iam::CallerPolicy;
use crate::wire::Reply;
use crate::world::World;

pub(crate) fn handle(world: &World, head: &Parts, body: &Bytes) -> Reply {
    let path = head.uri.path().trim_start_matches("/_sandbox/");
    match (&head.method, path) {
        (&Method::GET, "health") => {
            ok(&json!({ "status": "serving", "pid": std::process::id(), "kubernetes": world.kubernetes_endpoint() }))
        }
        (&Method::GET, "clock") => ok(&clock(world)),
        (&Method::POST, "clock/advance") => advance(world, body),
        (&Method::GET, "journal") => journal(world),
        (&Method::POST, "faults") => faults(world, body),
        (&Method::GET, "policy") => ok(&world.access().told()),
        (&Method::POST, "policy") => policy(world, body),
        _ => problem(StatusCode::NOT_FOUND, &format!("the sandbox has no {} /_sandbox/{path}", head.method)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    by: Span,
}

fn advance(world: &World, body: &Bytes) -> Reply {
    match serde_json::from_slice::<Advance>(body) {
        Ok(Advance { by }) => {
            world.clock().advance(by.0);
            world.tick();
            ok(&clock(world))
        }
        Err(error) => problem(StatusCode::BAD_REQUEST, &format!("expected {{\"by\": \"10m\"}}: {error}")),
    }
}

fn clock(world: &World) -> Value {
    json!({ "now": world.clock().now().to_string(), "micros": world.clock().micros(), "speed": world.clock().speed() })
}

fn journal(world: &World) -> Reply {
    match std::fs::read(world.dir().join("journal.ndjson")) {
        Ok(bytes) => Reply::new(StatusCode::OK, "application/x-ndjson", bytes),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn faults(world: &World, body: &Bytes) -> Reply {
    match serde_json::from_slice::<FaultScript>(body) {
        Ok(script) => {
            world.faults().replace(script);
            world.tick();
            ok(&json!({}))
        }
        Err(error) => problem(StatusCode::BAD_REQUEST, &format!("the fault script is wrong: {error}")),
    }
}

fn policy(world: &World, body: &Bytes) -> Reply {
    let read = CallerPolicy::parse(&String::from_utf8_lossy(body)).map_err(|why| (StatusCode::BAD_REQUEST, why));
    let set = |policy| world.access().set(policy).map_err(|e| (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()));
    match read.and_then(set) {
        Ok(()) => ok(&json!({})),
        Err((status, why)) => problem(status, &format!("the policy cannot be used: {why}")),
    }
}

fn ok(body: &Value) -> Reply {
    Reply::new(StatusCode::OK, "application/json", body.to_string())
}

fn problem(status: StatusCode, message: &str) -> Reply {
    Reply::new(status, "application/json", json!({ "error": message }).to_string())
}

//! The core over real HTTP: worlds, time, faults, journal, and the services that belong to it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Answer, Ask, ask, open};
use hprun_sandbox::{ClockKind, OpenError, Options, Sandbox};

/// A JSON 1.1 call.
async fn json(sandbox: &Sandbox, service: &str, target: &str, body: &str) -> Option<Answer> {
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
    ask(sandbox, Ask { service, method: "POST", headers: &headers, body: body.as_bytes(), ..Ask::default() }).await
}

/// A Query call.
async fn query(sandbox: &Sandbox, service: &str, form: &str) -> Option<Answer> {
    let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    ask(sandbox, Ask { service, method: "POST", headers: &headers, body: form.as_bytes(), ..Ask::default() }).await
}

const PUT: &str = r#"{"Name":"/a/b","Value":"1","Type":"String"}"#;

async fn put(sandbox: &Sandbox) -> Option<Answer> {
    json(sandbox, "ssm", "AmazonSSM.PutParameter", PUT).await
}

async fn versions(sandbox: &Sandbox) -> usize {
    sandbox.world().read("us-west-2", |state, _| state.ssm.parameters.get("/a/b").map_or(0, |it| it.values.len()))
}

#[tokio::test]
async fn a_reopened_world_has_its_port_its_time_and_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    sandbox.clock().advance(Duration::from_secs(3600));
    assert_eq!(put(&sandbox).await.unwrap().status, 200);
    let (endpoint, now) = (sandbox.endpoint().to_owned(), sandbox.clock().micros());
    sandbox.stop().await;

    let (sandbox, clock) = open(dir.path(), None).await;
    assert_eq!(sandbox.endpoint(), endpoint);
    assert_eq!(clock.load(Ordering::SeqCst), now, "time stands still while nobody serves the world");
    assert_eq!(versions(&sandbox).await, 1);
    assert_eq!(sandbox.journal().entries().unwrap().len(), 1);
}

#[tokio::test]
async fn a_world_is_held_by_one_process_and_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    let options = Options {
        world: dir.path().to_path_buf(),
        clock: ClockKind::Scaled { speed: 1.0 },
        faults: None,
        policy: None,
    };
    match Sandbox::open(options).await {
        Err(OpenError::Held { endpoint, pid }) => {
            assert_eq!(endpoint, sandbox.endpoint());
            assert_eq!(pid, std::process::id());
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_write_that_a_dying_process_began_is_ended_at_opening() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    put(&sandbox).await.unwrap();
    sandbox.stop().await;
    let state = dir.path().join("state");
    let ssm = std::fs::read_to_string(state.join("us-west-2/ssm.json")).unwrap();
    let redo = serde_json::json!({ "us-west-2/ssm.json": ssm.replace("\"1\"", "\"redone\"") });
    std::fs::write(state.join("redo.json"), redo.to_string()).unwrap();

    let (sandbox, _) = open(dir.path(), None).await;
    let answer = json(&sandbox, "ssm", "AmazonSSM.GetParameter", r#"{"Name":"/a/b"}"#).await.unwrap();
    assert!(answer.text().contains("redone"), "{}", answer.text());
    assert!(!state.join("redo.json").exists());
}

#[tokio::test]
async fn strangers_and_unknown_calls_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    let cases = [
        ("sts", "AKIAOTHER", 403, "InvalidClientTokenId"),
        ("ssm", "AKIAOTHER", 400, "UnrecognizedClientException"),
        ("eks", "AKIAOTHER", 403, "UnrecognizedClientException"),
        ("s3", "AKIAOTHER", 403, "InvalidAccessKeyId"),
        ("dynamodb", common::KEY, 400, "service dynamodb is not part of the sandbox"),
        ("../../etc", common::KEY, 400, "service .. is not part"),
    ];
    for (service, key, status, text) in cases {
        let answer = ask(&sandbox, Ask { service, key, method: "POST", ..Ask::default() }).await.unwrap();
        assert!(answer.headers.contains_key("x-amzn-requestid"), "{service}");
        assert_eq!(answer.status, status, "{service} {}", answer.text());
        assert!(answer.text().contains(text), "{service}: {}", answer.text());
    }
    let answer = json(&sandbox, "ssm", "AmazonSSM.SendCommand", "{}").await.unwrap();
    assert!(
        answer.text().contains("operation SendCommand of service ssm is not part of the sandbox"),
        "{}",
        answer.text()
    );
    let answer = json(&sandbox, "ssm", "AmazonSSM.GetParameter", r#"{"Name":"x","Colour":1}"#).await.unwrap();
    assert!(answer.text().contains("SerializationException") && answer.text().contains("Colour"), "{}", answer.text());
    let answer = query(&sandbox, "sts", "Action=GetCallerIdentity&Version=2011-06-15&Colour=red").await.unwrap();
    assert!(answer.text().contains("parameter Colour of operation GetCallerIdentity"), "{}", answer.text());
}

#[tokio::test]
async fn a_throttled_call_has_no_effect_and_the_count_survives_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let script = "calls:\n  - { service: ssm, operation: PutParameter, times: 2, fault: throttle }\n";
    let (sandbox, _) = open(dir.path(), Some(script)).await;
    let answer = put(&sandbox).await.unwrap();
    assert_eq!((answer.status, answer.text().contains("ThrottlingException")), (400, true));
    sandbox.stop().await;
    let (sandbox, _) = open(dir.path(), Some(script)).await;
    assert_eq!(put(&sandbox).await.unwrap().status, 400);
    assert_eq!(versions(&sandbox).await, 0);
    assert_eq!(put(&sandbox).await.unwrap().status, 200);
    let faults: Vec<Option<String>> =
        sandbox.journal().entries().unwrap().into_iter().map(|entry| entry.fault).collect();
    assert_eq!(faults, [Some("throttle".to_owned()), Some("throttle".to_owned()), None]);
}

#[tokio::test]
async fn a_lost_answer_has_its_effect_and_a_reset_has_none() {
    for (fault, effect) in [("lose-answer", true), ("reset", false)] {
        let dir = tempfile::tempdir().unwrap();
        let script = format!("calls:\n  - {{ operation: PutParameter, match: /a/b, times: 1, fault: {fault} }}\n");
        let (sandbox, _) = open(dir.path(), Some(&script)).await;
        assert!(put(&sandbox).await.is_none(), "{fault}");
        assert_eq!(versions(&sandbox).await, usize::from(effect), "{fault}");
        let entry = sandbox.journal().entries().unwrap().remove(0);
        assert_eq!((entry.status, entry.effect, entry.fault.as_deref()), (0, effect, Some(fault)));
        assert!(put(&sandbox).await.is_some(), "{fault} happens once");
    }
}

#[tokio::test]
async fn a_held_answer_has_its_effect_and_comes_to_nothing_when_another_script_comes() {
    let dir = tempfile::tempdir().unwrap();
    let script = "calls:\n  - { operation: PutParameter, times: 1, fault: hold-answer }\n";
    let (sandbox, _) = open(dir.path(), Some(script)).await;
    let asked = put(&sandbox);
    tokio::pin!(asked);
    while versions(&sandbox).await == 0 {
        // The effect is there before any answer is; the journal tells of it.
        tokio::select! {
            answer = &mut asked => panic!("it was answered: {}", answer.is_some()),
            () = tokio::task::yield_now() => {}
        }
    }
    while sandbox.journal().entries().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let entry = sandbox.journal().entries().unwrap().remove(0);
    assert_eq!((entry.status, entry.effect, entry.fault.as_deref()), (0, true, Some("hold-answer")));
    let other = Ask { method: "POST", path: "/_sandbox/faults", body: b"{}", ..Ask::default() };
    assert_eq!(ask(&sandbox, other).await.unwrap().status, 200);
    assert!(asked.await.is_none(), "the connection is closed without an answer");
    assert!(put(&sandbox).await.is_some(), "the next one is answered");
}

#[tokio::test]
async fn refused_means_that_nobody_listens_until_the_time_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let script = "calls: [{ operation: PutParameter, times: 1, for: 1m, fault: refuse }]";
    let (sandbox, now) = open(dir.path(), Some(script)).await;
    let address = sandbox.endpoint().trim_start_matches("http://").to_owned();
    assert!(put(&sandbox).await.is_none());
    let refused = || {
        let error = std::net::TcpStream::connect(&address).err();
        error.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    };
    // The door is shut by another task.
    while !refused() {
        tokio::task::yield_now().await;
    }
    assert!(refused() && put(&sandbox).await.is_none());
    now.fetch_add(60_000_000, Ordering::SeqCst);
    while refused() {
        tokio::task::yield_now().await;
    }
    assert_eq!(put(&sandbox).await.unwrap().status, 200);
    assert_eq!(versions(&sandbox).await, 1);
}

#[tokio::test]
async fn rules_go_by_count_and_by_sandbox_time() {
    let dir = tempfile::tempdir().unwrap();
    let script = "
calls:
  - { operation: GetCallerIdentity, after: 1, every: 2, fault: expired-credentials }
  - { operation: PutParameter, for: 10m, fault: server-error, status: 503 }
";
    let (sandbox, _) = open(dir.path(), Some(script)).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(query(&sandbox, "sts", "Action=GetCallerIdentity").await.unwrap().status);
    }
    assert_eq!(statuses, [200, 200, 403, 200, 403]);
    assert_eq!(put(&sandbox).await.unwrap().status, 503);
    sandbox.clock().advance(Duration::from_secs(599));
    assert_eq!(put(&sandbox).await.unwrap().status, 503);
    sandbox.clock().advance(Duration::from_secs(1));
    assert_eq!(put(&sandbox).await.unwrap().status, 200);
}

#[tokio::test]
async fn resource_and_capacity_faults_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let script = "
resources:
  - { kind: 'AWS::EKS::Cluster', name: EKS, reason: no luck, after: 2m, times: 1 }
capacity:
  - { instance-type: ml.p5.48xlarge, for: 1h }
quotas: { ml.g5.12xlarge: 1 }
";
    let (sandbox, _) = open(dir.path(), Some(script)).await;
    let faults = sandbox.world().faults();
    assert_eq!(faults.resource_failure("AWS::EKS::Cluster", "Other"), None);
    let fault = faults.resource_failure("AWS::EKS::Cluster", "EKS").unwrap();
    assert_eq!((fault.reason.as_str(), fault.after, fault.times), ("no luck", Some(Duration::from_secs(120)), Some(0)));
    assert_eq!(faults.resource_failure("AWS::EKS::Cluster", "EKS"), None);
    let now = sandbox.clock().now();
    assert!(faults.capacity("ml.p5.48xlarge", now).is_some());
    assert!(faults.capacity("ml.m5.large", now).is_none());
    assert!(faults.capacity("ml.p5.48xlarge", now + Duration::from_secs(3600)).is_none());
    assert_eq!(faults.quota("ml.g5.12xlarge"), Some(1));
}

#[test]
fn a_fault_script_with_an_unknown_key_is_refused() {
    let wrong = [
        "calls: [{ fault: thunder }]",
        "calls: [{ fault: reset, time: 1 }]",
        "call: []",
        "calls: [{ fault: reset, for: soon }]",
        "quotas: { ml.p5.48xlargee: 0 }",
        "quotas: { instances: 0 }",
    ];
    for text in wrong {
        assert!(serde_yaml::from_str::<hprun_sandbox::FaultScript>(text).is_err(), "{text}");
    }
}

#[tokio::test]
async fn the_journal_never_holds_credentials() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    let form = "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fops&RoleSessionName=test";
    let answer = query(&sandbox, "sts", form).await.unwrap();
    assert!(answer.text().contains("hprun-sandbox-secret"), "{}", answer.text());
    let journal = std::fs::read_to_string(dir.path().join("journal.ndjson")).unwrap();
    for secret in ["hprun-sandbox-secret", "hprun-sandbox-session", "Signature=", "AKIAHPRUNSANDBOX0000/"] {
        assert!(!journal.contains(secret), "{secret} is in the journal");
    }
    let entry = &sandbox.journal().entries().unwrap()[0];
    assert_eq!(
        (entry.operation.as_str(), entry.body["RoleSessionName"].as_str(), entry.effect),
        ("AssumeRole", Some("test"), false)
    );
}

#[tokio::test]
async fn the_admin_door_tells_and_moves_the_time() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    let before = sandbox.clock().micros();
    let answer = ask(
        &sandbox,
        Ask { method: "POST", path: "/_sandbox/clock/advance", body: br#"{"by":"90s"}"#, ..Ask::default() },
    )
    .await
    .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(sandbox.clock().micros(), before + 90_000_000);
    let answer = ask(
        &sandbox,
        Ask {
            method: "POST",
            path: "/_sandbox/faults",
            body: br#"{"calls":[{"fault":"access-denied"}]}"#,
            ..Ask::default()
        },
    )
    .await
    .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(query(&sandbox, "sts", "Action=GetCallerIdentity").await.unwrap().text().contains("AccessDenied"));
}

#[tokio::test]
async fn logs_are_read_in_pages_from_either_end() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    sandbox.world().with("us-west-2", |state, cx| {
        for line in ["one", "two", "three"] {
            hprun_sandbox::logs::append(state, "/g", "s/1", cx.now, line);
        }
    });
    let get = |more: &str| {
        json(
            &sandbox,
            "logs",
            "Logs_20140328.GetLogEvents",
            format!(r#"{{"logGroupName":"/g","logStreamName":"s/1"{more}}}"#).leak(),
        )
    };
    let page = get(r#","limit":2,"startFromHead":true"#).await.unwrap();
    let page: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
    assert_eq!((&page["events"][0]["message"], &page["events"][1]["message"]), (&"one".into(), &"two".into()));
    let next = format!(r#","nextToken":{}"#, page["nextForwardToken"]);
    let page: serde_json::Value = serde_json::from_slice(&get(&next).await.unwrap().body).unwrap();
    assert_eq!(page["events"][0]["message"], "three");
    let tail: serde_json::Value = serde_json::from_slice(&get(r#","limit":1"#).await.unwrap().body).unwrap();
    assert_eq!(tail["events"][0]["message"], "three");
    let found =
        json(&sandbox, "logs", "Logs_20140328.FilterLogEvents", r#"{"logGroupName":"/g","filterPattern":"\"tw\""}"#)
            .await
            .unwrap();
    assert!(found.text().contains("two") && !found.text().contains("three"), "{}", found.text());
}

#[tokio::test]
async fn numbers_beyond_all_bounds_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    let most = r#"{"ServiceCode":"vpc","NextToken":"18446744073709551615"}"#;
    let answer = json(&sandbox, "servicequotas", "ServiceQuotasV20190624.ListServiceQuotas", most).await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"Quotas":[]}"#));
    for (hours, start, status) in [(100_000_000_000_000_000_i64, 0_i64, 400), (24, 253_402_000_000, 200)] {
        let wanted = format!(
            r#"{{"InstanceType":"ml.p5.48xlarge","InstanceCount":1,"DurationHours":{hours},"StartTimeAfter":{start},"TargetResources":["hyperpod-cluster"]}}"#
        );
        let target = "SageMaker.SearchTrainingPlanOfferings";
        let answer = json(&sandbox, "sagemaker", target, wanted.leak()).await.unwrap();
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

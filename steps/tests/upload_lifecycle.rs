//! upload-lifecycle against the sandbox's S3 over HTTP.

mod support;

use hprun_steps::context::{Origin, Record};
use hprun_steps::error::ErrorClass;
use hprun_steps::step::Health;
use hprun_steps::upload_lifecycle::UploadLifecycle;
use serde_json::{Value as Json, json};
use support::{Bench, Try, example};

const BUCKET: &str = "sagemaker-hyperpod-test";

async fn bench() -> Bench {
    bench_with(Json::Null).await
}

async fn bench_with(faults: Json) -> Bench {
    let bench = Bench::with_faults(serde_json::from_value(faults).expect("a fault script")).await;
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(support::REGION.into());
    let call = bench.clients.s3().create_bucket().bucket(BUCKET).create_bucket_configuration(place.build());
    call.send().await.expect("a bucket can be made");
    bench.file("lifecycle/base-config/on_create.sh", "#!/bin/bash\n./on_create_main.sh\n");
    bench.file("lifecycle/base-config/on_create_main.sh", "#!/bin/bash\ntrue\n");
    bench.file("lifecycle/base-config/lib/data.json", "{}");
    bench.file("lifecycle/base-config/.git/HEAD", "x");
    bench
}

fn inputs() -> Json {
    example::<UploadLifecycle>(json!({ "bucket": BUCKET }))
}

fn puts(bench: &Bench) -> usize {
    bench.effects("PutObject").len()
}

async fn text(bench: &Bench, key: &str) -> String {
    let answer = bench.clients.s3().get_object().bucket(BUCKET).key(key).send().await.expect("it is there");
    let bytes = answer.body.collect().await.expect("it can be read").into_bytes();
    String::from_utf8(bytes.to_vec()).expect("it is text")
}

#[tokio::test]
async fn the_example_uploads_a_folder_and_names_what_the_cluster_must_use() {
    let bench = bench().await;
    let tried = bench.run::<UploadLifecycle>(inputs()).await;
    let outputs = tried.result.expect("it succeeds");
    assert_eq!(outputs["s3_uri"], format!("s3://{BUCKET}/LifecycleScripts/base-config"));
    let names: Vec<&str> =
        outputs["objects"].as_array().expect("a list").iter().filter_map(|o| o["name"].as_str()).collect();
    assert_eq!(names, ["lib/data.json", "on_create.sh", "on_create_main.sh"]);
    assert_eq!(text(&bench, "LifecycleScripts/base-config/on_create.sh").await, "#!/bin/bash\n./on_create_main.sh\n");
    let made = |r: &&Record| matches!(r, Record::ResourceRecorded { origin: Origin::Made, .. });
    assert_eq!(tried.records.iter().filter(made).count(), 3);
}

#[tokio::test]
async fn what_is_there_unchanged_is_left_alone_and_the_digest_follows_the_contents() {
    let bench = bench().await;
    let first = bench.run::<UploadLifecycle>(inputs()).await;
    assert_eq!(puts(&bench), 3);
    let again = bench.run_with_history::<UploadLifecycle>(inputs(), &first.records).await;
    assert_eq!(puts(&bench), 3, "nothing is sent again");
    let outputs = first.result.expect("it succeeds");
    assert_eq!(again.result.expect("it succeeds"), outputs);
    assert_eq!(bench.probe::<UploadLifecycle>(inputs(), &outputs, &again.records).await, Ok(Health::Good));
    bench.file("lifecycle/base-config/on_create_main.sh", "#!/bin/bash\nmended\n");
    let mended = bench.run_with_history::<UploadLifecycle>(inputs(), &again.records).await;
    assert_eq!(puts(&bench), 4, "only the mended script is sent");
    assert_ne!(mended.result.expect("it succeeds")["digest"], outputs["digest"]);
}

#[tokio::test]
async fn a_lost_object_is_noticed_on_resume() {
    let bench = bench().await;
    let first = bench.run::<UploadLifecycle>(inputs()).await;
    let key = "LifecycleScripts/base-config/on_create.sh";
    bench.clients.s3().delete_object().bucket(BUCKET).key(key).send().await.expect("it can be deleted");
    let health = bench.probe::<UploadLifecycle>(inputs(), &first.result.expect("it succeeds"), &first.records).await;
    assert_eq!(health, Ok(Health::Lost(format!("missing or changed in s3://{BUCKET}: {key}"))));
}

#[tokio::test]
async fn somebody_elses_object_is_refused_unless_adopted() {
    let bench = bench().await;
    let key = "LifecycleScripts/base-config/on_create.sh";
    let put = bench.clients.s3().put_object().bucket(BUCKET).key(key).body(b"theirs".to_vec().into());
    put.send().await.expect("it can be put");
    let tried = bench.run::<UploadLifecycle>(inputs()).await;
    let error = tried.result.expect_err("it is refused");
    assert_eq!(error.class, ErrorClass::Refused);
    assert_eq!(error.message, format!("s3://{BUCKET}/{key} has other contents, and hprun did not upload it"));
    assert_eq!(text(&bench, key).await, "theirs");
    let mut adopting = inputs();
    adopting["adopt"] = json!(true);
    bench.run::<UploadLifecycle>(adopting).await.result.expect("it is adopted");
    assert!(text(&bench, key).await.starts_with("#!/bin/bash"));
}

#[tokio::test]
async fn an_object_of_another_run_is_refused_unless_adopted() {
    let mut bench = bench().await;
    bench.run::<UploadLifecycle>(inputs()).await.result.expect("it succeeds");
    bench.run.id = "02other".to_owned();
    let same = bench.run::<UploadLifecycle>(inputs()).await;
    same.result.expect("the same contents harm nobody");
    let made = |r: &Record| matches!(r, Record::ResourceRecorded { .. });
    assert!(!same.records.iter().any(made), "and are not taken for ours: {:?}", same.records);
    bench.file("lifecycle/base-config/on_create_main.sh", "#!/bin/bash\nmended\n");
    let error = bench.run::<UploadLifecycle>(inputs()).await.result.expect_err("it is refused");
    assert_eq!(error.class, ErrorClass::Refused);
    let key = "LifecycleScripts/base-config/on_create_main.sh";
    assert_eq!(
        error.message,
        format!("s3://{BUCKET}/{key} has other contents, and the run {} uploaded it", support::RUN)
    );
    assert_eq!(text(&bench, key).await, "#!/bin/bash\ntrue\n");
}

#[tokio::test]
async fn what_was_taken_over_or_replaced_since_is_never_removed() {
    let bench = bench().await;
    let key = |name: &str| format!("LifecycleScripts/base-config/{name}");
    let put = async |name: &str, body: &str| {
        let put = bench.clients.s3().put_object().bucket(BUCKET).key(key(name)).body(body.as_bytes().to_vec().into());
        put.send().await.expect("it can be put");
    };
    put("lib/data.json", "theirs before").await;
    let mut with = inputs();
    with["adopt"] = json!(true);
    with["delete-extra"] = json!(true);
    let first = bench.run::<UploadLifecycle>(with.clone()).await;
    first.result.expect("it is adopted");
    // A crash after the objects were put, before they were recorded, does not make the adopted one ours.
    let again = bench.run_with_history::<UploadLifecycle>(with.clone(), &first.records).await;
    put("on_create_main.sh", "theirs since").await;
    for name in ["lib/data.json", "on_create_main.sh"] {
        std::fs::remove_file(bench.base.join("lifecycle/base-config").join(name)).expect("it is there");
    }
    let removed = bench.run_with_history::<UploadLifecycle>(with, &again.records).await;
    removed.result.expect("it succeeds");
    assert_eq!(text(&bench, &key("on_create_main.sh")).await, "theirs since");
    assert_eq!(text(&bench, &key("lib/data.json")).await, "{}", "it was somebody else's before");
}

#[tokio::test]
async fn only_what_this_run_uploaded_is_ever_removed() {
    let bench = bench().await;
    let foreign = "LifecycleScripts/base-config/theirs.txt";
    let put = bench.clients.s3().put_object().bucket(BUCKET).key(foreign).body(b"theirs".to_vec().into());
    put.send().await.expect("it can be put");
    let first = bench.run::<UploadLifecycle>(inputs()).await;
    std::fs::remove_file(bench.base.join("lifecycle/base-config/lib/data.json")).expect("it is there");
    let kept = bench.run_with_history::<UploadLifecycle>(inputs(), &first.records).await;
    kept.result.expect("it succeeds");
    assert_eq!(text(&bench, "LifecycleScripts/base-config/lib/data.json").await, "{}", "kept by default");
    let mut removing = inputs();
    removing["delete-extra"] = json!(true);
    let removed = bench.run_with_history::<UploadLifecycle>(removing, &first.records).await;
    removed.result.expect("it succeeds");
    let gone = bench.clients.s3().head_object().bucket(BUCKET).key("LifecycleScripts/base-config/lib/data.json");
    assert!(gone.send().await.is_err(), "ours and no longer in the folder");
    assert_eq!(text(&bench, foreign).await, "theirs");
}

#[tokio::test]
async fn a_run_that_dies_after_any_record_ends_the_same_when_resumed() {
    for records in 0..5 {
        let bench = bench().await;
        let how = Try { records_until_death: Some(records), ..Try::default() };
        let died = bench.attempt::<UploadLifecycle>(inputs(), how).await;
        assert!(died.result.is_err(), "it died after {records} records");
        let resumed = bench.run_with_history::<UploadLifecycle>(inputs(), &died.records).await;
        resumed.result.expect("it goes on");
        assert_eq!(puts(&bench), 3, "each object is put once, dying after {records} records");
    }
}

#[tokio::test]
async fn a_large_file_goes_in_parts_and_comes_back_whole() {
    let bench = bench().await;
    let large: Vec<u8> = (0..65 * 1024 * 1024_u32).map(|i| (i / 7) as u8).collect();
    bench.file("lifecycle/base-config/model.bin", &large);
    bench.run::<UploadLifecycle>(inputs()).await.result.expect("it succeeds");
    assert_eq!(bench.effects("UploadPart").len(), 5);
    let key = "LifecycleScripts/base-config/model.bin";
    let answer = bench.clients.s3().get_object().bucket(BUCKET).key(key).send().await.expect("it is there");
    assert!(answer.body.collect().await.expect("it can be read").into_bytes() == large, "it is the same");
    bench.run::<UploadLifecycle>(inputs()).await.result.expect("it succeeds");
    assert_eq!(bench.effects("UploadPart").len(), 5, "it is not sent again");
}

#[tokio::test]
async fn what_a_node_would_stumble_over_is_found_before_the_run() {
    let bench = bench().await;
    bench.file("lifecycle/base-config/crlf.sh", "#!/bin/bash\r\ntrue\r\n");
    bench.file("lifecycle/base-config/bom.sh", "\u{feff}#!/bin/bash\n");
    bench.file("lifecycle/base-config/bare.sh", "true\n");
    bench.file("lifecycle/base-config/notes.txt", "any\r\nthing");
    let outside = bench.file("outside.sh", "#!/bin/bash\n");
    std::os::unix::fs::symlink(&outside, bench.base.join("lifecycle/base-config/link.sh")).expect("a link can be made");
    let found = support::messages(&bench.check::<UploadLifecycle>(inputs()));
    let from = "lifecycle/base-config";
    assert_eq!(
        found,
        [
            format!("{from}/bare.sh does not begin with `#!`: a node cannot tell how to run it"),
            format!("{from}/bom.sh begins with a byte order mark: a node cannot run it"),
            format!("{from}/crlf.sh:1 ends with CRLF: a node cannot run it"),
            format!("{from}/link.sh is a link that leaves the folder: to ../../outside.sh"),
        ]
    );
    let error = bench.run::<UploadLifecycle>(inputs()).await.result.expect_err("it is refused at run time too");
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::Invalid, found[0].as_str()));
    assert_eq!(puts(&bench), 0);
}

#[tokio::test]
async fn allowed_exceptions_and_wrong_targets() {
    let bench = bench().await;
    bench.file("lifecycle/base-config/crlf.sh", "true\r\n");
    let mut with = inputs();
    with["allow-crlf"] = json!(["crlf.sh"]);
    with["allow-no-shebang"] = json!(["crlf.sh"]);
    assert_eq!(bench.check::<UploadLifecycle>(with.clone()), []);
    let wrong = json!({ "from": "nowhere", "bucket": "s3://B", "prefix": "s3://b/x" });
    assert_eq!(
        support::messages(&bench.check::<UploadLifecycle>(wrong)),
        [
            "`s3://B` is no name for a bucket: 3 to 63 of a-z, 0-9, hyphen and dot, without s3://",
            "`s3://b/x` is no prefix: a path such as LifecycleScripts/base-config, without the bucket",
            "cannot read nowhere: it does not exist",
        ]
    );
    with["bucket"] = json!("no-such-bucket-x");
    let gone = bench.run::<UploadLifecycle>(with).await;
    let error = gone.result.expect_err("there is no such bucket");
    assert!(error.message.contains("NoSuchBucket"), "{error:?}");
}

#[tokio::test]
async fn what_passes_by_itself_ends_no_look_and_expired_credentials_say_so() {
    let rule = json!({ "service": "s3", "operation": "HeadObject", "times": 12, "fault": "server-error" });
    let bench = bench_with(json!({ "calls": [rule] })).await;
    bench.run::<UploadLifecycle>(inputs()).await.result.expect("it goes on asking");
    let rules = json!([
        { "service": "s3", "operation": "HeadObject", "fault": "expired-credentials" },
        { "service": "sts", "fault": "expired-credentials" },
    ]);
    let bench = bench_with(json!({ "calls": rules })).await;
    let error = bench.run::<UploadLifecycle>(inputs()).await.result.expect_err("nobody is logged in");
    assert_eq!(error.class, ErrorClass::Login);
    assert!(error.help.as_deref().is_some_and(|help| help.contains("aws sso login")), "{error:?}");
}

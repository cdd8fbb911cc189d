//! Every operation of the sandbox, called through the AWS CLI's own botocore; every other operation of its services, refused.

use super::world::{Served, awscli, root, validated};

#[test]
fn every_operation_answers_as_aws_does_and_every_other_is_refused_by_name() {
    let world = Served::start(&[]);
    let calls = root().join("tests/botocore/calls.py");
    let output = world.command(awscli().join("python")).arg("-B").arg(calls).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let (operations, answers) = validated(&world);
    // These may rise when the sandbox learns more; a lower number means that calls were lost.
    assert!(operations >= 190 && answers >= 256, "only {operations} operations and {answers} answers");
}

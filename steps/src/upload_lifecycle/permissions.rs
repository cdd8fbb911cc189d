//! What upload-lifecycle needs of IAM: the calls of `objects`, on the bucket and below the prefix.
//! ListBucket is there because S3 tells only those who have it that an object is missing.

use super::folder;
use crate::partial::{Partial, Piece, Text};
use crate::permissions::{Needs, Permission, Surroundings, input, text};
use crate::value::Value;

/// The bucket, and the objects in it.
pub fn needs(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
    let bucket = input(inputs, "bucket").unwrap_or_else(|| "*".to_owned());
    let prefix = input(inputs, "prefix").unwrap_or_default();
    let prefix = prefix.trim_matches('/');
    let below = if prefix.is_empty() { "*".to_owned() } else { format!("{prefix}/*") };
    let on = |name: &str| matches!(inputs.get(name), Some(Partial::Known(Value::Bool(true), _) | Partial::Unknown(..)));
    let from = inputs.str_at("from").unwrap_or_default();
    // What cannot be told (a folder that is not known yet) may be large.
    let large =
        folder::scripts(around.files, from, prefix).map_or(true, |all| all.iter().any(folder::Script::is_large));
    let mut of_bucket = Permission::new("Bucket", ["s3:ListBucket"], [around.s3(&bucket)]);
    let objects = around.s3(&format!("{bucket}/{below}"));
    let mut of_objects = Permission::new("Objects", ["s3:GetObject", "s3:PutObject"], [objects]);
    if large {
        of_bucket.actions.insert("s3:ListBucketMultipartUploads".to_owned());
        of_objects.actions.insert("s3:AbortMultipartUpload".to_owned());
    }
    if on("delete-extra") {
        of_objects.actions.insert("s3:DeleteObject".to_owned());
    }
    let folder = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
    let uri = Text(vec![Piece::Known("s3://".to_owned())]).then(text(&format!("{bucket}{folder}")));
    let outputs = [("s3_uri".to_owned(), uri)].into_iter().collect();
    Needs { permissions: vec![of_bucket, of_objects], outputs, ..Needs::default() }
}

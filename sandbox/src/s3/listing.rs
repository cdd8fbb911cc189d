//! Lists objects and their versions: prefix, delimiter, pages.
//! Must not know the bytes of objects.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::S3Result;
use s3s::dto::*;

use super::service::{Service, error, failed, timestamp};
use super::state::{self, Bucket};

/// What a page of a listing holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    keys: Vec<String>,
    prefixes: Vec<String>,
    /// The last entry when more follow.
    next: Option<String>,
}

/// What to list.
struct Wanted<'a> {
    prefix: &'a str,
    delimiter: &'a str,
    after: &'a str,
    most: usize,
}

fn page<'a>(keys: impl Iterator<Item = &'a str>, wanted: &Wanted<'_>) -> Page {
    let mut page = Page::default();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut last = String::new();
    for key in keys.filter(|key| key.starts_with(wanted.prefix) && *key > wanted.after) {
        let rest = &key[wanted.prefix.len()..];
        let common = (!wanted.delimiter.is_empty())
            .then(|| {
                rest.find(wanted.delimiter)
                    .map(|at| key[..wanted.prefix.len() + at + wanted.delimiter.len()].to_owned())
            })
            .flatten();
        let entry = common.clone().unwrap_or_else(|| key.to_owned());
        // A page that ended with a common prefix goes on behind everything below it.
        if (common.is_some() && entry == wanted.after) || seen.contains(&entry) {
            continue;
        }
        if page.keys.len() + page.prefixes.len() == wanted.most {
            page.next = (wanted.most > 0).then_some(last);
            return page;
        }
        last.clone_from(&entry);
        match common {
            Some(prefix) => {
                seen.insert(prefix.clone());
                page.prefixes.push(prefix);
            }
            None => page.keys.push(entry),
        }
    }
    page
}

fn present(bucket: &Bucket) -> impl Iterator<Item = &str> {
    bucket
        .objects
        .iter()
        .filter(|(_, versions)| versions.last().is_some_and(|it| it.object.is_some()))
        .map(|(key, _)| key.as_str())
}

fn listed(bucket: &Bucket, key: &str, encode: &dyn Fn(&str) -> String, with_owner: bool) -> Object {
    let version = bucket.objects.get(key).and_then(|versions| versions.last()).expect("a listed key is in the bucket");
    let object = version.object.as_ref().expect("a listed key has an object");
    let sum = object.sum.as_ref();
    Object {
        key: Some(encode(key)),
        size: i64::try_from(object.size).ok(),
        e_tag: Some(ETag::Strong(object.etag.clone())),
        last_modified: Some(timestamp(version.made)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        checksum_algorithm: sum.map(|sum| vec![sum.algorithm.clone().into()]),
        checksum_type: sum.map(|sum| sum.kind.clone().into()),
        owner: with_owner.then(super::buckets::owner),
        restore_status: None,
    }
}

/// How a key is written.
type Encoder = Box<dyn Fn(&str) -> String>;

/// Keys in XML may hold what XML cannot; clients ask for URL encoding then.
fn encoder(encoding: Option<&EncodingType>) -> S3Result<Encoder> {
    const KEPT: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');
    match encoding.map(EncodingType::as_str) {
        None => Ok(Box::new(str::to_owned)),
        Some("url") => Ok(Box::new(|text| utf8_percent_encode(text, KEPT).to_string())),
        Some(_) => Err(error(400, "InvalidArgument", "Invalid Encoding Method specified in Request")),
    }
}

fn most(asked: Option<i32>) -> S3Result<usize> {
    let asked = asked.unwrap_or(1000).min(1000);
    usize::try_from(asked)
        .map_err(|_| error(400, "InvalidArgument", "Argument maxKeys must be an integer between 0 and 2147483647"))
}

fn prefixes(found: &[String], encode: &dyn Fn(&str) -> String) -> Option<Vec<CommonPrefix>> {
    let list: Vec<CommonPrefix> = found.iter().map(|it| CommonPrefix { prefix: Some(encode(it)) }).collect();
    (!list.is_empty()).then_some(list)
}

/// A page of a bucket's keys, with what a listing says of each.
fn contents(
    service: &Service,
    bucket: &str,
    wanted: &Wanted<'_>,
    encode: &dyn Fn(&str) -> String,
    with_owner: bool,
) -> S3Result<(Page, Vec<Object>)> {
    let read = service.world.read(&service.region, |state, cx| {
        let bucket = state.s3.bucket(bucket, cx.region)?;
        let page = page(present(bucket), wanted);
        let contents = page.keys.iter().map(|key| listed(bucket, key, encode, with_owner)).collect();
        Ok((page, contents))
    });
    read.map_err(failed)
}

pub(super) fn v2(service: &Service, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    let encode = encoder(input.encoding_type.as_ref())?;
    let most = most(input.max_keys)?;
    let token = input.continuation_token.as_deref().map(decode_token).transpose()?;
    let after = token.or_else(|| input.start_after.clone()).unwrap_or_default();
    let prefix = input.prefix.clone().unwrap_or_default();
    let delimiter = input.delimiter.clone().unwrap_or_default();
    let wanted = Wanted { prefix: &prefix, delimiter: &delimiter, after: &after, most };
    let (page, contents) = contents(service, &input.bucket, &wanted, &encode, input.fetch_owner == Some(true))?;
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encode(&prefix)),
        delimiter: input.delimiter.as_deref().map(&encode),
        start_after: input.start_after.as_deref().map(&encode),
        encoding_type: input.encoding_type,
        max_keys: i32::try_from(most).ok(),
        key_count: i32::try_from(page.keys.len() + page.prefixes.len()).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_ref().map(|next| STANDARD.encode(next)),
        common_prefixes: prefixes(&page.prefixes, &encode),
        contents: (!contents.is_empty()).then_some(contents),
        ..ListObjectsV2Output::default()
    })
}

fn decode_token(token: &str) -> S3Result<String> {
    let decoded = STANDARD.decode(token).ok().and_then(|it| String::from_utf8(it).ok());
    decoded.ok_or_else(|| error(400, "InvalidArgument", "The continuation token provided is incorrect"))
}

pub(super) fn v1(service: &Service, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
    let encode = encoder(input.encoding_type.as_ref())?;
    let most = most(input.max_keys)?;
    let after = input.marker.clone().unwrap_or_default();
    let prefix = input.prefix.clone().unwrap_or_default();
    let delimiter = input.delimiter.clone().unwrap_or_default();
    let wanted = Wanted { prefix: &prefix, delimiter: &delimiter, after: &after, most };
    let (page, contents) = contents(service, &input.bucket, &wanted, &encode, true)?;
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(encode(&prefix)),
        marker: Some(encode(&after)),
        delimiter: input.delimiter.as_deref().map(&encode),
        encoding_type: input.encoding_type,
        max_keys: i32::try_from(most).ok(),
        is_truncated: Some(page.next.is_some()),
        // S3 gives it only with a delimiter; without one the last key is the marker.
        next_marker: page.next.as_deref().filter(|_| !delimiter.is_empty()).map(&encode),
        common_prefixes: prefixes(&page.prefixes, &encode),
        contents: (!contents.is_empty()).then_some(contents),
        ..ListObjectsOutput::default()
    })
}

pub(super) fn versions(service: &Service, input: ListObjectVersionsInput) -> S3Result<ListObjectVersionsOutput> {
    if input.delimiter.is_some() {
        return Err(failed(crate::wire::ServiceError::not_part(
            "parameter delimiter of operation ListObjectVersions of service s3",
        )));
    }
    let encode = encoder(input.encoding_type.as_ref())?;
    let most = most(input.max_keys)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let marker = input.key_marker.clone().unwrap_or_default();
    let found = service
        .world
        .read(&service.region, |state, cx| {
            let bucket = state.s3.bucket(&input.bucket, cx.region)?;
            Ok(behind(bucket, &prefix, &marker, input.version_id_marker.as_deref()))
        })
        .map_err(failed)?;
    let mut output = ListObjectVersionsOutput {
        name: Some(input.bucket),
        prefix: Some(encode(&prefix)),
        key_marker: Some(encode(&marker)),
        version_id_marker: input.version_id_marker,
        encoding_type: input.encoding_type,
        max_keys: i32::try_from(most).ok(),
        is_truncated: Some(found.len() > most),
        ..ListObjectVersionsOutput::default()
    };
    if found.len() > most && most > 0 {
        let (key, version, _) = &found[most - 1];
        output.next_key_marker = Some(encode(key));
        output.next_version_id_marker = Some(version.id.clone());
    }
    for (key, version, latest) in found.into_iter().take(most) {
        add_version(&mut output, encode(&key), version, latest);
    }
    Ok(output)
}

/// Versions in S3's order (by key, newest first) behind the marker, each with whether it is the latest.
fn behind(
    bucket: &Bucket,
    prefix: &str,
    marker: &str,
    version_marker: Option<&str>,
) -> Vec<(String, state::Version, bool)> {
    let mut found = Vec::new();
    for (key, versions) in bucket.objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() >= marker) {
        let mut skip = key == marker && !marker.is_empty();
        for (age, version) in versions.iter().rev().enumerate() {
            if !skip {
                found.push((key.clone(), version.clone(), age == 0));
            } else if version_marker == Some(version.id.as_str()) {
                skip = false;
            }
        }
    }
    found
}

fn add_version(output: &mut ListObjectVersionsOutput, key: String, version: state::Version, latest: bool) {
    let owner = Some(super::buckets::owner());
    let last_modified = Some(timestamp(version.made));
    match version.object {
        None => output.delete_markers.get_or_insert_default().push(DeleteMarkerEntry {
            key: Some(key),
            version_id: Some(version.id),
            is_latest: Some(latest),
            last_modified,
            owner,
        }),
        Some(object) => output.versions.get_or_insert_default().push(ObjectVersion {
            key: Some(key),
            version_id: Some(version.id),
            is_latest: Some(latest),
            last_modified,
            owner,
            e_tag: Some(ETag::Strong(object.etag)),
            size: i64::try_from(object.size).ok(),
            storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
            checksum_algorithm: object.sum.as_ref().map(|sum| vec![sum.algorithm.clone().into()]),
            checksum_type: object.sum.as_ref().map(|sum| sum.kind.clone().into()),
            restore_status: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: &[&str], prefix: &str, delimiter: &str, most: usize, pages: &[&[&str]]) {
        let mut after = String::new();
        let mut seen: Vec<Vec<String>> = Vec::new();
        loop {
            let page = page(keys.iter().copied(), &Wanted { prefix, delimiter, after: &after, most });
            let mut entries: Vec<String> = page.keys.iter().chain(&page.prefixes).cloned().collect();
            entries.sort();
            seen.push(entries);
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        assert_eq!(seen, pages);
    }

    #[test]
    fn pages_hold_every_key_and_common_prefix_once() {
        let keys = ["a", "b/1", "b/2", "b/3", "c", "d/x/1", "d/y"];
        check(&keys, "", "", 1000, &[&keys]);
        check(&keys, "", "", 3, &[&["a", "b/1", "b/2"], &["b/3", "c", "d/x/1"], &["d/y"]]);
        check(&keys, "", "/", 2, &[&["a", "b/"], &["c", "d/"]]);
        check(&keys, "", "/", 1, &[&["a"], &["b/"], &["c"], &["d/"]]);
        check(&keys, "d/", "/", 1000, &[&["d/x/", "d/y"]]);
        check(&keys, "nothing", "/", 1000, &[&[]]);
        check(&keys, "", "", 0, &[&[]]);
    }
}

//! Paths as addresses: what SARIF and editors call a file.
//! Knows nothing of what is in it.

use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands in an address as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The address of a full path.
pub fn of(path: &Path) -> String {
    format!("file://{}", utf8_percent_encode(&path.to_string_lossy(), PLAIN))
}

/// The path as a reference: relative to where it is read, or the address of a full path.
pub fn reference(path: &str) -> String {
    if Path::new(path).is_absolute() { of(Path::new(path)) } else { utf8_percent_encode(path, PLAIN).to_string() }
}

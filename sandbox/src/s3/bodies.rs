//! The bytes of objects: one file each below `s3/` in the world, written before the state that names it.
//! Must not know keys; a file whose state was never written is garbage that harms nobody.

use std::path::{Path, PathBuf};

use bytes::Bytes;

/// Writes a new file; gives its name.
pub(super) fn write(dir: &Path, body: &[u8]) -> std::io::Result<String> {
    let name = uuid::Uuid::new_v4().simple().to_string();
    let path = path_of(dir, &name);
    std::fs::create_dir_all(path.parent().expect("a body is in the s3 folder"))?;
    std::fs::write(path, body)?;
    Ok(name)
}

pub(super) fn read(dir: &Path, name: &str) -> std::io::Result<Bytes> {
    std::fs::read(path_of(dir, name)).map(Bytes::from)
}

/// Removes files that the state names no more.
pub(super) fn remove(dir: &Path, names: &[String]) {
    for name in names {
        let _ = std::fs::remove_file(path_of(dir, name));
    }
}

fn path_of(dir: &Path, name: &str) -> PathBuf {
    dir.join("s3").join(name)
}

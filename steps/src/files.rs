//! The files that a step reads, taken once and kept: what is hashed for the record is what is used.
//! Knows nothing of which step reads what; writing goes through [`crate::context::StepContext::write_file`].

use std::any::Any;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::partial::{Partial, Place, Text, nearest};

/// Most a single file may hold, in bytes: everything a step reads is kept in memory.
pub const LARGEST_FILE: u64 = 256 * 1024 * 1024;
/// Most that all files below a folder may hold, in bytes.
pub const LARGEST_FOLDER: u64 = 512 * 1024 * 1024;
/// Most files and folders below a folder: `from: /`, as it stands for a moment while a person types, is not read.
pub const MOST_ENTRIES: usize = 10_000;

const MEGABYTE: u64 = 1024 * 1024;

/// A file or folder that a step will read, as its inputs name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInput {
    /// As spelled in the inputs; relative to the pipeline file.
    pub path: String,
    /// One file, or a folder with all in it.
    pub kind: FileKind,
    /// Where the inputs name it.
    pub place: Place,
}

impl FileInput {
    /// What the input `name` names, where its text is known.
    pub fn named(inputs: &Partial, name: &str, kind: FileKind) -> Option<Self> {
        Self::of(inputs.get(name)?, kind)
    }

    /// What `input` names, where its text is known.
    pub fn of(input: &Partial, kind: FileKind) -> Option<Self> {
        Some(Self { path: input.as_str()?.to_owned(), kind, place: input.place() })
    }
}

/// What a [`FileInput`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// One file.
    File,
    /// A folder and everything below it.
    Folder,
    /// A file or a folder.
    Either,
}

/// Files by path, with their contents.
#[derive(Clone, Debug, Default)]
pub struct Files {
    base: PathBuf,
    entries: BTreeMap<PathBuf, Result<Arc<FileContent>, String>>,
    /// Of paths that lead nowhere: what may be meant.
    meant: BTreeMap<PathBuf, PathBuf>,
    folders: BTreeMap<PathBuf, Vec<PathBuf>>,
}

/// One file as it was when it was read.
#[derive(Debug)]
pub struct FileContent {
    /// The contents.
    pub bytes: Vec<u8>,
    /// Permission bits, such as 0o755 (0o644 where the system has none).
    pub mode: u32,
    /// Hex digest of the contents.
    pub sha256: String,
    /// Where a symbolic link led, relative to the folder that was read, if the entry was one and led out of it.
    pub leaves_folder: Option<PathBuf>,
    parsed: OnceLock<Arc<dyn Any + Send + Sync>>,
    shared: OnceLock<Option<Arc<str>>>,
}

impl FileContent {
    fn new(bytes: Vec<u8>, mode: u32, leaves_folder: Option<PathBuf>) -> Self {
        let sha256 = sha256(&bytes);
        Self { bytes, mode, sha256, leaves_folder, parsed: OnceLock::new(), shared: OnceLock::new() }
    }

    /// What `parse` makes of the contents, made once: a check asks a file many questions. None if the file was parsed
    /// as something else before.
    pub fn parsed<T: Any + Send + Sync>(&self, parse: impl FnOnce(&[u8]) -> T) -> Option<Arc<T>> {
        let parsed = self.parsed.get_or_init(|| Arc::new(parse(&self.bytes)));
        Arc::clone(parsed).downcast().ok()
    }
}

/// What is recorded of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDigest {
    /// As spelled in the inputs (for a file in a folder: folder, `/`, the rest).
    pub path: String,
    /// Hex digest of the contents; empty for a file that holds a secret.
    pub sha256: String,
    /// Permission bits.
    pub mode: u32,
}

impl Files {
    /// Reads all that `inputs` name; paths are relative to `base`. What cannot be read is kept as an error and
    /// given to whoever asks for it.
    pub fn load(base: &Path, inputs: &[FileInput]) -> Self {
        let mut files = Self { base: base.to_owned(), ..Self::default() };
        for input in inputs {
            files.add(input);
        }
        files
    }

    fn add(&mut self, input: &FileInput) {
        let spelled = PathBuf::from(&input.path);
        let full = self.base.join(&spelled);
        match (std::fs::metadata(&full), input.kind) {
            (Err(e), _) => {
                self.meant.extend(meant(&self.base, &spelled).map(|meant| (spelled.clone(), meant)));
                self.entries.insert(spelled, Err(explain(&e)));
            }
            (Ok(meta), FileKind::File) if meta.is_dir() => {
                self.entries.insert(spelled, Err("is a folder, a file is needed".to_owned()));
            }
            (Ok(meta), FileKind::Folder) if !meta.is_dir() => {
                self.entries.insert(spelled, Err("is a file, a folder is needed".to_owned()));
            }
            (Ok(meta), _) if meta.is_dir() => self.add_folder(&spelled, &full),
            (Ok(_), _) => drop(self.entries.insert(spelled, read(&full, None))),
        }
    }

    fn add_folder(&mut self, spelled: &Path, full: &Path) {
        let listed = match list(full) {
            Ok(listed) => listed,
            Err(message) => return drop(self.entries.insert(spelled.to_owned(), Err(message))),
        };
        let mut inside = Vec::with_capacity(listed.len());
        for (path, reason) in listed {
            let content = reason.map_or_else(|| read(&path, Some(full)), Err);
            let relative = path.strip_prefix(full).unwrap_or(&path).to_owned();
            self.entries.insert(spelled.join(&relative), content);
            inside.push(relative);
        }
        self.folders.insert(spelled.to_owned(), inside);
    }

    /// Takes what steps would write, before they do: `written` gives it by full path.
    pub fn foresee<'a>(&mut self, written: &dyn Fn(&Path) -> Option<&'a [u8]>) {
        for (spelled, entry) in &mut self.entries {
            let Some(bytes) = written(&normalize(&self.base.join(spelled))) else { continue };
            let mode = entry.as_ref().map_or(0o644, |content| content.mode);
            *entry = Ok(Arc::new(FileContent::new(bytes.to_vec(), mode, None)));
        }
    }

    /// Takes the texts of an editor in place of what is on the disk: `open` gives them by full path.
    pub fn overlay(&mut self, open: &dyn Fn(&Path) -> Option<Arc<str>>) {
        for (spelled, entry) in &mut self.entries {
            let Some(text) = open(&normalize(&self.base.join(spelled))) else { continue };
            let (mode, leaves_folder) = match entry {
                Ok(content) => (content.mode, content.leaves_folder.clone()),
                Err(_) => (0o644, None),
            };
            *entry = Ok(Arc::new(FileContent::new(text.as_bytes().to_vec(), mode, leaves_folder)));
        }
    }

    /// Leaves out what is at `path`: it is not what the step will find there.
    pub fn forget(&mut self, path: &str) {
        self.entries.remove(Path::new(path));
    }

    /// The file at `path`, spelled as in the inputs. The error says why it cannot be read.
    pub fn get(&self, path: &str) -> Result<&FileContent, String> {
        match self.entries.get(Path::new(path)) {
            Some(Ok(content)) => Ok(content),
            Some(Err(message)) => Err(format!("cannot read {path}: it {message}")),
            None => Err(format!("{path} was not declared as a file of this step")),
        }
    }

    /// The text of the file at `path`.
    pub fn text(&self, path: &str) -> Result<&str, String> {
        std::str::from_utf8(&self.get(path)?.bytes)
            .map_err(|e| format!("{path} is not UTF-8 text (byte {})", e.valid_up_to()))
    }

    /// The text of the file at `path` for those that keep it: one copy, however many keep it.
    pub fn shared_text(&self, path: &str) -> Option<Arc<str>> {
        let file = self.get(path).ok()?;
        file.shared.get_or_init(|| std::str::from_utf8(&file.bytes).ok().map(Arc::from)).clone()
    }

    /// The files in the folder `path`, relative to it, in order; an error if it could not be read.
    pub fn folder(&self, path: &str) -> Result<impl Iterator<Item = &Path>, String> {
        match self.folders.get(Path::new(path)) {
            Some(inside) => Ok(inside.iter().map(PathBuf::as_path)),
            None => Err(self.get(path).err().unwrap_or_else(|| format!("{path} is a file, a folder is needed"))),
        }
    }

    /// Whether `path` was read as a folder.
    pub fn is_folder(&self, path: &str) -> bool {
        self.folders.contains_key(Path::new(path))
    }

    /// Where `path` is on this machine, for programs that must be given a path (helm).
    pub fn on_disk(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// What to record: a digest of every file that could be read, in order of path.
    pub fn digests(&self) -> Vec<FileDigest> {
        let readable = self.entries.iter().filter_map(|(path, entry)| Some((path, entry.as_ref().ok()?)));
        readable
            .map(|(path, content)| FileDigest {
                path: path.to_string_lossy().into_owned(),
                sha256: content.sha256.clone(),
                mode: content.mode,
            })
            .collect()
    }

    /// What is there and may be meant by `path`, which leads nowhere.
    pub fn meant_by(&self, path: &Path) -> Option<&Path> {
        self.meant.get(path).map(PathBuf::as_path)
    }

    /// Files that could not be read, with the reason.
    pub fn errors(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.entries.iter().filter_map(|(path, entry)| Some((path.as_path(), entry.as_ref().err()?.as_str())))
    }
}

/// The hex digest that records use for file contents.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The files below `folder` in order of path, without what git keeps there, each with the reason why it cannot be read, if one is
/// known already. The error says why the folder is not read: it is looked over before anything in it is.
fn list(folder: &Path) -> Result<Vec<(PathBuf, Option<String>)>, String> {
    let (mut listed, mut size) = (Vec::new(), 0);
    let all = walkdir::WalkDir::new(folder).sort_by_file_name().follow_links(true);
    let wanted = all.into_iter().filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git");
    for (count, entry) in wanted.enumerate() {
        // The first is the folder itself.
        if count > MOST_ENTRIES {
            return Err(format!("holds more than {MOST_ENTRIES} files and folders"));
        }
        match entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            Ok(entry) => {
                size += entry.metadata().map_or(0, |meta| meta.len());
                listed.push((entry.into_path(), None));
            }
            Err(e) => {
                let message = e.io_error().map_or_else(|| "is a loop of symbolic links".to_owned(), explain);
                listed.push((e.path().unwrap_or(folder).to_owned(), Some(message)));
            }
        }
        if size > LARGEST_FOLDER {
            return Err(format!("holds more than {} MB", LARGEST_FOLDER / MEGABYTE));
        }
    }
    Ok(listed)
}

fn read(path: &Path, folder: Option<&Path>) -> Result<Arc<FileContent>, String> {
    let meta = std::fs::metadata(path).map_err(|e| explain(&e))?;
    // A pipe would be waited for, and a device has no end.
    if !meta.is_file() {
        return Err("is no ordinary file".to_owned());
    }
    let too_large = || format!("is larger than {} MB", LARGEST_FILE / MEGABYTE);
    if meta.len() > LARGEST_FILE {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| explain(&e))?;
    // What a file says of its size may not be so: those of `/proc` say 0.
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(|e| explain(&e))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST_FILE) {
        return Err(too_large());
    }
    Ok(Arc::new(FileContent::new(bytes, mode(&meta), folder.and_then(|f| leaves(path, f)))))
}

#[cfg(unix)]
fn mode(meta: &std::fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::mode(meta) & 0o777
}

#[cfg(not(unix))]
fn mode(_: &std::fs::Metadata) -> u32 {
    0o644
}

/// Where `path` really is, when that is outside `folder`, seen from there.
fn leaves(path: &Path, folder: &Path) -> Option<PathBuf> {
    let (real, root) = (path.canonicalize().ok()?, folder.canonicalize().ok()?);
    if real.starts_with(&root) {
        return None;
    }
    let shared = real.components().zip(root.components()).take_while(|(own, other)| own == other).count();
    let up = root.components().skip(shared).map(|_| Component::ParentDir);
    Some(up.chain(real.components().skip(shared)).collect())
}

/// The path with the name in it that is nearest to the first one that leads nowhere.
fn meant(base: &Path, spelled: &Path) -> Option<PathBuf> {
    let mut there = PathBuf::new();
    let mut parts = spelled.components();
    let wrong = loop {
        let part = parts.next()?;
        if std::fs::metadata(base.join(&there).join(part)).is_err() {
            break part;
        }
        there.push(part);
    };
    let inside = std::fs::read_dir(base.join(&there)).ok()?.take(MOST_ENTRIES);
    let mut names: Vec<String> = inside.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    let right = nearest(wrong.as_os_str().to_str()?, names.iter().map(String::as_str))?;
    let whole: PathBuf = there.join(right).components().chain(parts).collect();
    base.join(&whole).exists().then_some(whole)
}

fn explain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// A path as far as it is known before the run, in the one spelling in which paths are compared.
pub fn spelled(path: &Text) -> Text {
    match path.as_known() {
        Some(known) => Text::known(normalize(Path::new(known)).to_string_lossy()),
        None => path.clone(),
    }
}

/// `path` with `.` and `..` resolved by text alone, so that two spellings of one path compare equal.
pub fn normalize(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => drop(out.pop()),
            Component::ParentDir | Component::Normal(_) | Component::RootDir | Component::Prefix(_) => out.push(part),
        }
    }
    out
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// Why what `make` put into a folder cannot be read: the file `a`, and the folder itself.
    fn refused(make: impl FnOnce(&Path)) -> (String, String) {
        let folder = tempfile::tempdir().expect("the disk has room");
        make(folder.path());
        let named = |path: &str, kind| FileInput { path: path.to_owned(), kind, place: Place::default() };
        let files = Files::load(folder.path(), &[named("a", FileKind::File), named(".", FileKind::Folder)]);
        let of_folder = files.folder(".").map(Iterator::count).map_or_else(|e| e, |count| format!("{count} files"));
        (files.get("a").map_or_else(|e| e, |file| format!("{} bytes", file.bytes.len())), of_folder)
    }

    fn sparse(path: &Path, length: u64) {
        std::fs::File::create(path).and_then(|file| file.set_len(length)).expect("nothing is written");
    }

    #[test]
    fn what_has_no_end_or_is_too_much_is_not_read() {
        let link =
            |to: &'static str| move |folder: &Path| std::os::unix::fs::symlink(to, folder.join("a")).expect("a link");
        let pipe = |folder: &Path| {
            let made = std::process::Command::new("mkfifo").arg(folder.join("a")).status();
            assert!(made.is_ok_and(|status| status.success()));
        };
        let told = |file: &str, folder: &str| (file.to_owned(), folder.to_owned());
        assert_eq!(refused(pipe), told("cannot read a: it is no ordinary file", "1 files"));
        assert_eq!(refused(link("/dev/zero")), told("cannot read a: it is no ordinary file", "1 files"));
        let large = |folder: &Path| sparse(&folder.join("a"), LARGEST_FILE + 1);
        assert_eq!(refused(large), told("cannot read a: it is larger than 256 MB", "1 files"));
        let together = |folder: &Path| {
            ["a/1", "a/2", "a/3"].iter().for_each(|name| {
                std::fs::create_dir_all(folder.join("a")).expect("the disk has room");
                sparse(&folder.join(name), LARGEST_FOLDER / 3 + 1);
            })
        };
        assert_eq!(
            refused(together),
            told("cannot read a: it is a folder, a file is needed", "cannot read .: it holds more than 512 MB")
        );
        let many = |folder: &Path| (0..=MOST_ENTRIES).for_each(|n| sparse(&folder.join(n.to_string()), 0));
        assert_eq!(
            refused(many),
            told("cannot read a: it does not exist", "cannot read .: it holds more than 10000 files and folders")
        );
    }
    #[test]
    fn what_git_keeps_in_a_folder_is_no_part_of_it() {
        let kept = |folder: &Path| {
            std::fs::create_dir_all(folder.join(".git/objects")).expect("the disk has room");
            (0..=MOST_ENTRIES).for_each(|n| sparse(&folder.join(".git/objects").join(n.to_string()), 0));
            sparse(&folder.join("a"), 3);
        };
        assert_eq!(refused(kept), ("3 bytes".to_owned(), "1 files".to_owned()));
    }
}

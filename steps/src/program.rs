//! Programs of this machine that a step runs, so that a missing one is told before the run and not after half of it.
//! Knows nothing of what they are run for.

use std::path::{Path, PathBuf};

/// A program that a step will run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name, to be found on PATH, or its path.
    pub path: PathBuf,
    /// How to get it.
    pub advice: &'static str,
}

impl Program {
    /// Whether this machine has it: an executable file at its path, or of its name in a folder of PATH.
    pub fn is_there(&self) -> bool {
        if self.path.components().count() > 1 {
            return is_executable(&self.path);
        }
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).any(|folder| is_executable(&folder.join(&self.path)))
    }
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str) -> bool {
        Program { path: path.into(), advice: "" }.is_there()
    }

    #[test]
    fn a_program_is_a_file_that_can_be_run() {
        assert!(check("/bin/sh") && check("sh"));
        assert!(!check("/etc/passwd") && !check("/bin") && !check("no-such-program-anywhere"));
    }
}

//! The walls of the house, held by reading it: who may depend on whom, and what pure modules may not name.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Names of the crates in `[dependencies]` of a manifest (not those of tests).
fn dependencies(manifest: &str) -> Vec<String> {
    let text = read(manifest);
    let section = text.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|n| !n.is_empty()).map(str::to_owned).collect()
}

/// Every Rust file below `folder`.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// The code of a file without comments and without its tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    // Tests stand last in a file; a test module that is a file of its own (`mod tests;`) cuts nothing off.
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let text = &text[..end];
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn runner_has_no_aws_sdk() {
    let found: Vec<String> =
        dependencies("runner/Cargo.toml").into_iter().filter(|n| n.starts_with("aws-") || n == "kube").collect();
    assert!(found.is_empty(), "runner reaches AWS and Kubernetes only through steps, but depends on {found:?}");
}

#[test]
fn steps_know_no_runner_and_no_store() {
    let forbidden = ["hprun", "hprun-sandbox", "rusqlite", "indicatif", "clap", "console"];
    let found: Vec<String> =
        dependencies("steps/Cargo.toml").into_iter().filter(|n| forbidden.contains(&n.as_str())).collect();
    assert!(found.is_empty(), "steps know neither the store nor the terminal, but depend on {found:?}");
}

#[test]
fn sandbox_knows_no_hprun_crate() {
    let text = read("sandbox/Cargo.toml");
    let found: Vec<&str> = text.lines().filter(|l| l.starts_with("hprun")).collect();
    assert!(found.is_empty(), "the sandbox speaks wire protocols only, but depends on {found:?}");
}

#[test]
fn pure_modules_name_no_clock_file_environment_or_network() {
    const FORBIDDEN: [&str; 14] = [
        "std::fs",
        "std::env",
        "std::net",
        "std::process",
        "std::time::Instant",
        "SystemTime",
        "Timestamp::now",
        "Zoned::now",
        "tokio::",
        "rusqlite",
        "println!",
        "eprintln!",
        "fastrand",
        "crate::store",
    ];
    let mut files = vec!["plan.rs", "event.rs", "state.rs", "decide.rs", "run_file.rs"]
        .into_iter()
        .map(|name| root().join("runner/src").join(name))
        .collect::<Vec<_>>();
    for folder in ["decide", "document", "pipeline", "expr", "params", "diagnostic"] {
        let folder = format!("runner/src/{folder}");
        files.extend(
            sources(&folder).into_iter().filter(|path| !path.ends_with("tests.rs") && !path.ends_with("testing.rs")),
        );
    }
    // Of the language server the loop has time, and one module the disk.
    let reaches_out = |path: &PathBuf| {
        ["tests.rs", "server.rs", "disk.rs"].iter().any(|name| path.ends_with(name))
            || path.parent().unwrap().ends_with("tests")
    };
    files.extend(sources("runner/src/lsp").into_iter().filter(|path| !reaches_out(path)));
    let mut found = Vec::new();
    for file in &files {
        let code = code(file);
        found.extend(
            FORBIDDEN.iter().filter(|word| code.contains(*word)).map(|word| format!("{}: {word}", file.display())),
        );
    }
    assert!(files.len() > 10, "the pure modules were not found");
    assert!(found.is_empty(), "pure modules reach out:\n{}", found.join("\n"));
}

#[test]
fn kill_points_are_only_in_builds_with_debug_assertions() {
    let mut folders = sources("runner/src");
    folders.extend(sources("steps/src"));
    folders.extend(sources("sandbox/src"));
    let naming: Vec<PathBuf> = folders.into_iter().filter(|path| code(path).contains("HPRUN_KILL")).collect();
    assert_eq!(naming, [root().join("steps/src/kill_point.rs")]);
    let text = read("steps/src/kill_point.rs");
    let (outside, armed) = text.split_once("#[cfg(debug_assertions)]\nmod armed {").unwrap();
    assert!(armed.contains("HPRUN_KILL") && armed.ends_with("\n}\n") && !armed.contains("\n}\n\n"));
    assert!(!outside.contains("HPRUN_KILL") && !outside.contains("kill_process"));
    let uses = outside.split("armed::").count() - 1;
    let guarded = outside.split("#[cfg(debug_assertions)]\npub fn reach_all(").count() - 1;
    assert_eq!((uses, guarded), (1, 1), "only the guarded function reaches into it");
}

#[test]
fn only_the_engine_builds_a_step_context() {
    let builders: Vec<String> = sources("runner/src")
        .into_iter()
        .filter(|path| code(path).contains("StepContext::new"))
        .map(|path| path.strip_prefix(root()).unwrap().display().to_string())
        .collect();
    assert_eq!(builders, ["runner/src/engine/attempt.rs"]);
}

#[test]
fn only_the_command_line_prints() {
    let printing = ["println!", "eprintln!", "print!", "eprint!"];
    let mut folders = sources("runner/src");
    folders.extend(sources("steps/src"));
    let found: Vec<String> = folders
        .into_iter()
        .filter(|path| !path.starts_with(root().join("runner/src/cli")))
        .filter(|path| printing.iter().any(|word| code(path).contains(word)))
        .map(|path| path.display().to_string())
        .collect();
    assert!(found.is_empty(), "the library never prints:\n{}", found.join("\n"));
}

#[test]
fn no_step_knows_another() {
    let types: Vec<String> = hprun_steps::STEP_TYPES.iter().map(|t| t.name.replace('-', "_")).collect();
    let mut found = Vec::new();
    for own in &types {
        let (folder, file) = (root().join("steps/src").join(own), root().join(format!("steps/src/{own}.rs")));
        let files = if folder.is_dir() { sources(&format!("steps/src/{own}")) } else { vec![file] };
        for file in files {
            let code = code(&file);
            let others = types.iter().filter(|other| *other != own && code.contains(&format!("crate::{other}")));
            found.extend(others.map(|other| format!("{} uses {other}", file.display())));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

//! The pages of docs that are written from the program say what the program says.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What renews stale pages.
const RENEW: &str = "scripts/docs";

/// The commands whose help makes up docs/cli.md, in the order of the page.
const COMMANDS: [&str; 19] = [
    "run",
    "resume",
    "rerun",
    "check",
    "plan",
    "runs",
    "show",
    "outputs",
    "export",
    "import",
    "steps",
    "schema",
    "explain",
    "graph",
    "iam-policy",
    "lsp",
    "sandbox",
    "eks-token",
    "completions",
];

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs")
}

/// What hprun prints. No environment reaches it: help texts show the values of variables.
fn hprun(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_hprun")).args(arguments).env_clear().output().unwrap();
    assert!(output.status.success(), "hprun {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Compares the page with what it should be, or with HPRUN_BLESS=1 writes it.
fn check(page: &str, expected: &str) {
    let path = docs().join(page);
    if std::env::var_os("HPRUN_BLESS").is_some() {
        std::fs::write(&path, expected).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/{page} is not what hprun says (renew it with: {RENEW})");
}

fn step_types() -> Vec<String> {
    hprun(&["steps"]).lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn every_finding_is_on_its_page() {
    check("findings.md", &hprun(&["explain", "--markdown"]));
}

#[test]
fn every_step_type_has_its_page() {
    check("steps/README.md", &hprun(&["steps", "--markdown"]));
    let types = step_types();
    assert!(types.len() >= 6, "{types:?}");
    for name in &types {
        check(&format!("steps/{name}.md"), &hprun(&["steps", name]));
    }
    let pages = std::fs::read_dir(docs().join("steps")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let gone: Vec<String> = pages.filter(|p| p != "README.md" && !types.contains(&p.replace(".md", ""))).collect();
    assert!(gone.is_empty(), "pages of step types that are gone: {gone:?}");
}

#[test]
fn the_command_line_is_documented_as_its_help_says() {
    let help = hprun(&["--help"]);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let listed: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(listed, COMMANDS, "the commands of `hprun --help`");
    let mut page =
        format!("# Command line\n\nWhat `hprun --help` and `hprun COMMAND --help` print.\n\n```\n{help}```\n");
    for command in COMMANDS {
        page.push_str(&format!("\n## hprun {command}\n\n```\n{}```\n", hprun(&[command, "--help"])));
    }
    check("cli.md", &page);
}

/// No question of the preflight list is forgotten, and each code that the page names is there; all live ones are on it.
#[test]
fn every_question_of_the_preflight_list_says_where_it_is_answered() {
    let page = std::fs::read_to_string(docs().join("preflight.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| P")).collect();
    let numbers: Vec<String> = rows.iter().map(|row| row[2..5].to_owned()).collect();
    assert_eq!(numbers, (1..=44).map(|number| format!("P{number:02}")).collect::<Vec<_>>());
    let catalogue = hprun(&["explain", "--markdown"]);
    let codes = |text: &str| -> Vec<String> {
        text.match_indices("HP")
            .filter_map(|(at, _)| text.get(at..at + 6))
            .filter(|c| c[2..].parse::<u16>().is_ok())
            .map(str::to_owned)
            .collect()
    };
    let known = codes(&catalogue);
    for row in &rows {
        for code in codes(row) {
            assert!(known.contains(&code), "{code} is not known: {row}");
            let is_own = !code.starts_with("HP10") || code[4..] == row[3..5];
            assert!(is_own, "{code} is another question's: {row}");
        }
    }
    let mut live: Vec<String> = known.into_iter().filter(|code| code.starts_with("HP10")).collect();
    live.dedup();
    let told: Vec<String> = rows.iter().flat_map(|row| codes(row)).filter(|code| code.starts_with("HP10")).collect();
    // The last is no question's: it tells of all that have no answer.
    let (last, live) = live.split_last().unwrap();
    assert_eq!(told, live);
    assert!(last == "HP1045" && page.contains(last), "{last}");
}

#[test]
fn the_step_that_is_added_is_one_that_runs() {
    let page = std::fs::read_to_string(docs().join("adding-a-step.md")).unwrap();
    let code = std::fs::read_to_string(docs().parent().unwrap().join("steps/tests/adding_a_step.rs")).unwrap();
    let blocks: Vec<&str> = page.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 5, "the page shows {} pieces of code", blocks.len());
    for block in blocks {
        assert!(code.contains(block), "not in steps/tests/adding_a_step.rs:\n{block}");
    }
}

/// Every link in a page of ours to a file of ours leads somewhere.
#[test]
fn links_lead_to_files_that_are_there() {
    if std::env::var_os("HPRUN_BLESS").is_some() {
        return; // pages are being written meanwhile
    }
    let mut pages = vec![docs().parent().unwrap().join("README.md")];
    let mut folders = vec![docs()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                pages.push(path);
            }
        }
    }
    let mut broken = Vec::new();
    for page in &pages {
        let text = std::fs::read_to_string(page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            let is_ours = !target.is_empty() && !target.contains("://");
            if is_ours && !page.parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(pages.len() > 15, "the pages were not found");
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

//! Whether the scripts that a script starts from beside itself are in the folder too.
//! Reads shell as a person skims it: what may have been brought or made on the way, and what is only said, is not told.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use super::folder::Fault;
use crate::codes::neighbours;
use crate::finding::Severity;
use crate::partial::Place;

// What begins and ends a word is ASCII's, as the shell has it, where that makes a pattern cheaper to build: these took a fifth of a
// whole check. (With few letters to choose from, `MOVES` would be taken for a set of literals, which is dearer.)

/// A start of a script beside this one: `./x.sh`, `$(dirname "$0")/x.sh`. Group 1 is how it is named, group 2 the script.
static CALL: LazyLock<Regex> = LazyLock::new(|| {
    let words = r"(?:^|(?-u:[\s;&|(]))(?:(?:bash|sh|source|\.|exec|sudo|python3?)(?-u:\s)+)*";
    let beside = r#""?(\./|\$\(dirname "?\$(?:0|\{BASH_SOURCE\[0\]\})"?\)/|\$\{?SCRIPT_DIR\}?/)"#;
    let script = r"([A-Za-z0-9_][A-Za-z0-9_./-]*\.(?:sh|py))";
    Regex::new(&format!("{words}{beside}{script}")).expect("the pattern is sound")
});

/// After this, `./x.sh` may be there though it is not in the folder: another folder, or files from somewhere else.
static MOVES: LazyLock<Regex> = LazyLock::new(|| {
    let brings = r"cd|pushd|git\s+clone|tar|unzip|curl|wget|aws\s+s3|aws\s+s3api";
    Regex::new(&format!(r"(?:^|[\s;&|(])(?:(?:{brings})\s|(?:cp|mv|ln|rsync)\s[^;&|]*\s\.(?:[/\s;]|$))"))
        .expect("the pattern is sound")
});

/// The begin of a here-document; group 1 is the word that ends it. A digit begins none: `1<<4` is a number.
static HERE: LazyLock<Regex> = LazyLock::new(|| {
    let word = r"[A-Za-z_\x{80}-\x{10FFFF}][0-9A-Za-z_\x{80}-\x{10FFFF}]*";
    Regex::new(&format!(r#"(?:^|[^<])<<-?(?-u:\s)*['"\\]?({word})"#)).expect("the pattern is sound")
});

/// What makes a file; group 1 is its name.
static MAKES: LazyLock<Regex> = LazyLock::new(|| {
    let words = r"(?:>(?-u:\s)*|(?:-o|-O|(?-u:\b)tee|(?-u:\b)cp|(?-u:\b)chmod)(?-u:\s)+)";
    Regex::new(&format!(r#"{words}["']?(?:\./)?([^\s"'<>;&|()]+)"#)).expect("the pattern is sound")
});

/// A script beside this one that is read by a shell which is there already, or by one that is named: it needs no `#!`. Group 1 is
/// the script.
static READ: LazyLock<Regex> = LazyLock::new(|| {
    let beside = r#""?(?:\./|\$\(dirname "?\$(?:0|\{BASH_SOURCE\[0\]\})"?\)/|\$\{?SCRIPT_DIR\}?/)?"#;
    let script = r"([A-Za-z0-9_][A-Za-z0-9_./-]*\.sh)";
    Regex::new(&format!(r"(?:^|(?-u:[\s;&|(]))(?:bash|sh|source|\.)(?-u:\s)+{beside}{script}"))
        .expect("the pattern is sound")
});

/// The scripts of the folder that the script `name` has read by a shell, whether they say how they are run or not.
pub fn read_by<'a>(name: &'a str, text: &'a str) -> impl Iterator<Item = PathBuf> + 'a {
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    let found = READ.captures_iter(text).filter_map(|captures| captures.get(1));
    found.map(move |script| folder.join(script.as_str()))
}

/// Scripts that `name` (within the folder `from`) starts from beside itself and that are not `inside`, nor made by it.
pub fn missing(from: &str, name: &str, text: &str, inside: &HashSet<&Path>) -> Vec<Fault> {
    let path = format!("{from}/{name}");
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    let last_lines: HashMap<&str, usize> =
        text.lines().enumerate().map(|(number, line)| (line.trim(), number)).collect();
    let (mut faults, mut start) = (Vec::new(), 0);
    let (mut told, mut made): (HashSet<&str>, HashSet<&str>) = (HashSet::new(), HashSet::new());
    let (mut is_home, mut until): (bool, Option<&str>) = (true, None);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let (of_line, words) = (start, line.trim());
        start += line.len();
        made.extend(MAKES.captures_iter(line).filter_map(|captures| captures.get(1)).map(|name| name.as_str()));
        if let Some(end) = until {
            until = Some(end).filter(|end| *end != words);
            continue;
        }
        if words.starts_with('#') {
            continue;
        }
        let is_said = ["echo ", "printf "].iter().any(|say| words.starts_with(say));
        let home_until = if is_home { leaves_at(line) } else { 0 };
        let may_call = !is_said && [".sh", ".py"].iter().any(|script| line.contains(script));
        for captures in may_call.then(|| CALL.captures_iter(line)).into_iter().flatten() {
            let (Some(how), Some(script)) = (captures.get(1), captures.get(2)) else { continue };
            let (called, end) = (script.as_str(), of_line + script.end());
            let may_be_there = how.as_str() == "./" && !(is_home && how.start() <= home_until);
            if may_be_there
                || told.contains(called)
                || made.contains(called)
                || inside.contains(folder.join(called).as_path())
            {
                continue;
            }
            told.insert(called);
            let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let place = Place { start: small(of_line + script.start()), end: small(end) };
            let message = format!("{path}:{} starts `{called}`, which the folder does not hold", number + 1);
            faults.push(Fault {
                severity: Severity::Warning,
                message,
                help: Some("add it to the folder: all of it is uploaded".to_owned()),
                code: &neighbours::SIBLING_MISSING,
                at: Some((path.clone(), place)),
            });
        }
        is_home &= home_until == usize::MAX;
        let here = Some(line).filter(|line| line.contains("<<")).and_then(here_document);
        until = here.filter(|end| last_lines.get(end).is_some_and(|last| *last > number));
    }
    faults
}

/// Up to where a line stays in its folder and brings no files. `cd "$(dirname "$0")"` leads home.
fn leaves_at(line: &str) -> usize {
    let leads_home = ["dirname", "SCRIPT_DIR", "BASH_SOURCE"].iter().any(|word| line.contains(word));
    MOVES.find(line).filter(|_| !leads_home).map_or(usize::MAX, |found| found.start())
}

/// The word that ends the here-document which begins in this line.
fn here_document(line: &str) -> Option<&str> {
    let end = HERE.captures(line)?.get(1)?;
    let before = &line[..end.start()];
    // In `$((a<<b))` it is a sum.
    let is_sum = before.matches("((").count() > before.matches("))").count();
    (!is_sum).then(|| end.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let inside = ["on_create.sh", "here.sh"].map(Path::new).into_iter().collect();
        let faults = missing("f", "on_create.sh", text, &inside);
        faults.iter().map(|fault| fault.message.split(", ").next().unwrap_or_default().to_owned() + "\n").collect()
    }

    #[test]
    fn a_script_that_is_started_and_is_not_there_is_told_once() {
        let text = "./here.sh\n./a.sh\n  bash ./b.sh || ./a.sh\nif [ -f ./c.sh ]; then ./c.sh; fi\ncd \"$(dirname \"$0\")\"; ./d.py\n";
        insta::assert_snapshot!(told(text), @"
        f/on_create.sh:2 starts `a.sh`
        f/on_create.sh:3 starts `b.sh`
        f/on_create.sh:4 starts `c.sh`
        f/on_create.sh:5 starts `d.py`
        ");
        assert_eq!(told("curl -sO x\n. \"$(dirname \"$0\")/e.sh\"\n"), "f/on_create.sh:2 starts `e.sh`\n");
    }

    #[test]
    fn of_what_may_be_there_and_of_what_is_only_said_nothing_is_told() {
        let texts = [
            "# ./a.sh\necho \"run ./a.sh\"\n  printf './a.sh %s' x\n",
            "cat > a.sh <<'EOF'\n./inner.sh\nEOF\nchmod +x a.sh && ./a.sh\n",
            "cat <<-X | bash\n\t./y.sh\n\tX\n./here.sh\n",
            "aws s3 cp s3://b/x.sh ./x.sh\nbash ./x.sh\n",
            "cp /opt/a.sh . ; ./a.sh\n",
            "cat >a.sh <<EOF\n./inner.sh\nEOF\nbash ./a.sh\n",
            "cat > \"b.sh\" <<'EOF'\nEOF\nbash ./b.sh\n",
            "tar xzf t.tgz; ./t/setup.sh\n",
            "cd /tmp\n./other.sh\n",
            "pushd sub; ./here2.sh; popd\n",
            "git clone https://x/y.git && ./y/run.sh\n",
            "curl -o ./fetched.sh https://a/b && bash ./fetched.sh\n",
        ];
        let loud: Vec<_> = texts.iter().filter(|text| !told(text).is_empty()).collect();
        assert!(loud.is_empty(), "{loud:?}");
    }

    #[test]
    fn what_a_shell_reads_needs_not_say_how_it_is_run() {
        let text = ". ./lib.sh\nsource \"$(dirname \"$0\")/more.sh\"\nbash run.sh && ./started.sh\n";
        let read: Vec<_> = read_by("sub/on_create.sh", text).collect();
        assert_eq!(read, ["sub/lib.sh", "sub/more.sh", "sub/run.sh"].map(PathBuf::from));
    }

    #[test]
    fn a_shift_is_no_here_document() {
        let told_of = |first: &str| told(&format!("{first}\n./gone.sh\n"));
        for first in ["n=$((1<<4))", "n=$((a<<b))", "(( n <<= 2 ))", "x <<nowhere"] {
            assert_eq!(told_of(first), "f/on_create.sh:2 starts `gone.sh`\n", "{first}");
        }
    }

    #[test]
    fn a_long_script_is_read_in_one_pass() {
        let text: String = (0..20_000).map(|n| format!("./a{n}.sh\n")).collect();
        // With a search of what stands before for each of them this would take minutes.
        assert_eq!(told(&text).lines().count(), 20_000);
    }
}

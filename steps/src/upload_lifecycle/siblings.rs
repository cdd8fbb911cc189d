//! Whether the scripts that a script starts from beside itself are in the folder too.
//! Reads shell as a person skims it: what may have been brought or made on the way, or is asked for first, is not told.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::folder::Fault;
use super::shell::{Command, Word, commands};
use crate::codes::neighbours;
use crate::files::normalize;
use crate::finding::Severity;
use crate::partial::Place;

/// Commands that run or read the script which they are given.
const READERS: [&str; 8] = ["bash", "sh", "zsh", "source", ".", "python3", "python", "dash"];
/// Words that stand before a command.
const BEFORE: [&str; 22] = [
    "if", "then", "do", "else", "elif", "while", "until", "!", "{", "}", "time", "nohup", "exec", "sudo", "env",
    "command", "nice", "timeout", "readonly", "local", "export", "declare",
];
/// After these, what is named by its name alone may be there though it is not in the folder.
const BRINGS: [&str; 11] = ["pushd", "popd", "git", "tar", "unzip", "curl", "wget", "aws", "make", "docker", "pip"];
/// What these are given they make.
const MAKES: [&str; 9] = ["cp", "mv", "ln", "install", "rsync", "tee", "chmod", "touch", "sed"];
/// These only say what they are given.
const SAYS: [&str; 3] = ["echo", "printf", ":"];

/// The other scripts that a file names, by their last part; `lib/*.sh` is named as `lib/`.
pub fn named_in(name: &str, text: &str) -> HashSet<String> {
    let own = Path::new(name).file_name().and_then(|name| name.to_str());
    let is_shell = name.ends_with(".sh") || text.starts_with("#!/bin/") || text.starts_with("#!/usr/bin/env bash");
    let mut named = HashSet::new();
    if is_shell {
        let told =
            commands(text).into_iter().filter(|it| !SAYS.contains(&it.words.first().map_or("", |word| word.text)));
        told.flat_map(|command| command.words).for_each(|word| tokens(word.text, &mut named));
    } else {
        text.lines().filter(|line| !line.trim_start().starts_with('#')).for_each(|line| tokens(line, &mut named));
    }
    named.retain(|script| Some(script.as_str()) != own);
    named
}

/// Scripts in a text, by their last part.
fn tokens(text: &str, named: &mut HashSet<String>) {
    if !text.contains(".sh") {
        return;
    }
    for token in text.split(|c: char| !c.is_ascii_alphanumeric() && !"._-/*".contains(c)) {
        let Some(stem) = token.strip_suffix(".sh") else { continue };
        let (folder, last) = stem.rsplit_once('/').unwrap_or(("", stem));
        named.insert(match last.contains('*') {
            true => format!("{}/", folder.rsplit('/').next().unwrap_or_default()),
            false => format!("{last}.sh"),
        });
    }
}

/// Whether a script of the folder is among those that others name.
pub fn is_named(path: &Path, named: &HashSet<String>) -> bool {
    let part = |path: Option<&Path>| {
        path.and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default().to_owned()
    };
    named.contains(&part(Some(path))) || named.contains(&format!("{}/", part(path.parent())))
}

/// Scripts that `name` (within the folder `from`) starts from beside itself and that are not `inside`, nor made by it.
pub fn missing(from: &str, name: &str, text: &str, inside: &HashSet<&Path>) -> Vec<Fault> {
    if name.ends_with(".py") || ![".sh", ".py", ".bash"].iter().any(|end| text.contains(end)) {
        return Vec::new();
    }
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    let mut script = Script::default();
    commands(text).iter().for_each(|command| script.command(command));
    let path = format!("{from}/{name}");
    let Script { calls, asked, made, .. } = script;
    let (mut faults, mut told, mut line, mut counted) = (Vec::new(), HashSet::new(), 1, 0);
    for Call { script, start, end } in calls {
        let is_there = |folder: &Path| inside.contains(normalize(&folder.join(&script.path)).as_path());
        // A relative name is one of the folder that the first script was started in.
        let is_there = is_there(folder) || (script.at == At::Here && is_there(Path::new("")));
        let last = script.path.rsplit('/').next().unwrap_or_default();
        let first = script.path.split('/').next().unwrap_or_default();
        let is_made = made.contains(last) || made.contains(first);
        if is_there || is_made || asked.contains(&script.path) || !told.insert(script.path.clone()) {
            continue;
        }
        line += text.get(counted..start).map_or(0, |passed| passed.matches('\n').count());
        counted = counted.max(start);
        faults.push(Fault {
            severity: Severity::Warning,
            message: format!("{path}:{line} starts `{}`, which the folder does not hold", script.path),
            help: Some("add it to the folder: all of it is uploaded".to_owned()),
            code: &neighbours::SIBLING_MISSING,
            at: Some((path.clone(), Place::of(&(start..end)))),
        });
    }
    faults
}

/// A script, and from where it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    at: At,
    path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// The folder that the shell is in
    Here,
    /// The folder of this script
    Home,
}

struct Call {
    script: Named,
    start: usize,
    end: usize,
}

/// What is known of a script up to some command.
#[derive(Default)]
struct Script<'a> {
    /// Variables that hold this script's folder.
    homes: HashSet<&'a str>,
    /// Variables that hold a script.
    scripts: HashMap<&'a str, Named>,
    /// Whether it has left its folder, or brought files.
    is_away: bool,
    /// Scripts that it looks for before it starts them.
    asked: HashSet<String>,
    /// Last parts of files that it makes.
    made: HashSet<&'a str>,
    calls: Vec<Call>,
}

impl<'a> Script<'a> {
    fn command(&mut self, command: &Command<'a>) {
        let mut words = command.words.as_slice();
        for pair in words.windows(2).filter(|pair| matches!(pair[0].text, ">" | "-o" | "-O")) {
            self.made.insert(last_part(pair[1].text));
        }
        let (mut negated, mut wraps) = (false, false);
        while let [first, rest @ ..] = words {
            let text = first.text;
            let assigns = assignment(text);
            if let Some((variable, value)) = assigns {
                self.assign(variable, value);
            }
            let is_option = wraps && (text.starts_with('-') || text.starts_with(|c: char| c.is_ascii_digit()));
            if !BEFORE.contains(&text) && assigns.is_none() && !is_option {
                break;
            }
            negated ^= text == "!";
            wraps |= BEFORE.contains(&text);
            words = rest;
        }
        let [first, rest @ ..] = words else { return };
        match first.text.rsplit('/').next().unwrap_or_default() {
            "cd" => self.is_away = !rest.first().is_some_and(|word| self.is_home(word.text)),
            "[" | "[[" | "test" => self.asks(rest, negated),
            reader if READERS.contains(&reader) || first.text == "." => {
                let given = rest.iter().find(|word| !word.text.starts_with('-') || word.text == "-c");
                given.into_iter().for_each(|word| self.call(word));
                // A program of another kind may make scripts.
                self.is_away |= reader.starts_with("python");
            }
            said if SAYS.contains(&said) => {}
            brings if BRINGS.contains(&brings) => self.is_away = true,
            makes if MAKES.contains(&makes) => {
                self.is_away |= rest.iter().any(|word| matches!(word.text, "." | "./"));
                self.made.extend(rest.iter().map(|word| last_part(word.text)));
            }
            _ if first.text.contains('/') || first.text.contains('$') => self.call(first),
            _ => {}
        }
    }

    /// A condition of files: what it asks for may be missing.
    fn asks(&mut self, words: &[Word<'a>], negated: bool) {
        for (at, pair) in words.windows(2).enumerate() {
            let is_question = pair[0].text.len() == 2 && pair[0].text.starts_with('-');
            let is_not = negated ^ (at > 0 && words[at - 1].text == "!");
            if let Some(script) = self.named(pair[1].text).filter(|_| is_question && !is_not) {
                self.asked.insert(script.path);
            }
        }
    }

    fn assign(&mut self, variable: &'a str, value: &str) {
        if self.is_home(value) {
            self.homes.insert(variable);
        } else {
            self.homes.remove(variable);
        }
        match self.named(value).filter(|script| script.at == At::Home) {
            Some(script) => drop(self.scripts.insert(variable, script)),
            None => drop(self.scripts.remove(variable)),
        }
    }

    fn call(&mut self, word: &Word<'a>) {
        let Some(script) = self.named(word.text) else { return };
        if script.at == At::Here && self.is_away {
            return;
        }
        let from = word.text.rfind(&script.path).unwrap_or(0);
        let length = if word.text.contains(&script.path) { script.path.len() } else { word.text.len() };
        let start = word.start + from;
        self.calls.push(Call { script, start, end: start + length });
    }

    /// The script that a word names.
    fn named(&self, word: &str) -> Option<Named> {
        let word = unquoted(word);
        if let Some(script) =
            variable(&word).and_then(|(name, rest)| rest.is_empty().then(|| self.scripts.get(name))?)
        {
            return Some(script.clone());
        }
        let (at, path) =
            match word.rsplit_once(")/").or_else(|| word.rsplit_once("}/")).or_else(|| word.split_once('/')) {
                Some((_, path)) if word.starts_with('$') => {
                    let folder = &word[..word.len() - path.len() - 1];
                    (self.is_home(folder).then_some(At::Home)?, path)
                }
                Some(_) | None => (At::Here, word.strip_prefix("./").unwrap_or(&word)),
            };
        let is_path = path.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && path.bytes().all(|c| c.is_ascii_alphanumeric() || b"_./-".contains(&c));
        let is_script = [".sh", ".py", ".bash"].iter().any(|end| path.ends_with(end));
        (is_path && is_script).then(|| Named { at, path: path.to_owned() })
    }

    /// Whether a word gives this script's folder.
    fn is_home(&self, word: &str) -> bool {
        let word = unquoted(word);
        if ["${0%/*}", "${BASH_SOURCE%/*}", "${BASH_SOURCE[0]%/*}"].contains(&word.as_str()) {
            return true;
        }
        if let Some((name, "")) = variable(&word) {
            return name == "SCRIPT_DIR" || self.homes.contains(name);
        }
        let Some(inner) = word.strip_prefix("$(").and_then(|word| word.strip_suffix(')')) else { return false };
        // `$(cd $(dirname $0) && pwd)`: no other folder is named in it.
        let names_this = ["$0", "${0}", "BASH_SOURCE"].iter().any(|own| inner.contains(own));
        names_this && inner.contains("dirname") && !inner.contains("/..") && !inner.contains(")/")
    }
}

/// A word without its quotes.
fn unquoted(word: &str) -> String {
    word.replace(['"', '\''], "")
}

/// The variable that a text begins with, and what stands behind it.
fn variable(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix('$')?;
    let (name, rest) = match rest.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => rest.split_at(rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())),
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    is_name.then_some((name, rest))
}

/// The variable and the value of `NAME=value`.
fn assignment(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    is_name.then_some((name, value))
}

fn last_part(word: &str) -> &str {
    word.trim_matches(['"', '\'']).trim_end_matches('/').rsplit('/').next().unwrap_or_default()
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
        let text = "./here.sh\n./a.sh\n  bash ./b.sh || ./a.sh\nif [ ! -f ./c.sh ]; then ./c.sh; fi\ncd \"$(dirname \"$0\")\"; ./d.py\n";
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
            "if [ -f ./opt.sh ]; then bash ./opt.sh; fi\n",
            "[[ -x extra.sh ]] && ./extra.sh\n",
            "ls ./missing.sh || true\nrm -f ./x.sh\n: \"usage: ./x.sh\"\n",
            "cd \"$(dirname \"$0\")\"/utils\n./b.sh\n",
            "cp t.tmpl four.sh && bash ./four.sh\n",
            "make build\n./build.sh\n",
            "python3 here.sh && bash eleven.sh\n",
            "rsync -a /opt/x/ ./x/\n./x/run.sh\n",
            "bash \"$1\"/x.sh\nbash $UNKNOWN/y.sh\n",
        ];
        let loud: Vec<_> = texts.iter().filter(|text| !told(text).is_empty()).collect();
        assert!(loud.is_empty(), "{loud:?}");
    }

    #[test]
    fn a_script_beside_this_one_is_told_however_it_is_named() {
        let usual = [
            "bash gone.sh\n",
            "source gone.sh\n",
            ". gone.sh\n",
            "/bin/bash -ex ./gone.sh --all\n",
            "\"$(dirname \"$0\")\"/gone.sh\n",
            "\"$(dirname \"$(readlink -f \"$0\")\")/gone.sh\"\n",
            "HERE=$(cd \"$(dirname \"$0\")\" && pwd)\nbash \"$HERE/gone.sh\"\n",
            "readonly here=\"$(cd \"$(dirname \"${BASH_SOURCE[0]}\")\" && pwd)\"\nmain=\"${here}/gone.sh\"\nif [[ ! -f \"$main\" ]]; then exit 1; fi\nbash \"$main\"\n",
            "source \"${BASH_SOURCE%/*}/gone.sh\"\n",
            "cd \"$(dirname \"$0\")\"; bash gone.sh\n",
            "X=$(./gone.sh)\n",
            "X=`./gone.sh`\n",
            "echo done; ./gone.sh\n",
            "echo \"$(bash gone.sh)\"\n",
            "sudo -E timeout 60 bash './gone.sh'\n",
            "curl -s https://x | bash\n. $SCRIPT_DIR/gone.sh\n",
        ];
        for text in usual {
            assert!(told(text).contains("starts `gone.sh`"), "{text}");
        }
    }

    #[test]
    fn scripts_that_others_name_are_told_from_what_is_only_said() {
        let named = |text: &str| {
            let mut named: Vec<String> = named_in("on_create.sh", text).into_iter().collect();
            named.sort();
            named.join(" ")
        };
        for (text, expected) in [
            ("#!/bin/bash\n# bash x.sh\necho \"usage: bash y.sh\"\n./on_create.sh\n", ""),
            ("BASE=$(dirname $0)\nsource \"$BASE/lib/common.sh\"\nbash -e two.sh\n", "common.sh two.sh"),
            ("for f in lib/*.sh; do . \"$f\"; done\n", "lib/"),
            ("echo \"loading: it\" && . ./x.sh\n", "x.sh"),
        ] {
            assert_eq!(named(text), expected, "{text}");
        }
        assert!(is_named(Path::new("lib/a.sh"), &["lib/".to_owned()].into()));
        assert!(!is_named(Path::new("bin/a.sh"), &["lib/".to_owned()].into()));
        assert_eq!(named_in("main.py", "run([\"bash\", \"three.sh\"])\n# four.sh\n"), ["three.sh".to_owned()].into());
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

//! Shell scripts as a person skims them: commands and their words, in order, also those within `$(…)`.
//! Knows nothing of what a command does; where a script cannot be read, it is read on as well as may be.

use std::collections::HashMap;
use std::ops::Range;

/// A command: what stands between two of `;`, `&`, `|`, brackets and ends of lines.
#[derive(Debug, Default)]
pub struct Command<'a> {
    /// In order; what a redirection names stands behind a word `>`.
    pub words: Vec<Word<'a>>,
}

/// A word as it is spelled, quotes and all, and where it begins.
#[derive(Clone, Copy, Debug)]
pub struct Word<'a> {
    pub text: &'a str,
    pub start: usize,
}

/// Deepest `$(…)` that is looked into.
const DEEPEST: usize = 4;

/// The commands of a script.
pub fn commands(text: &str) -> Vec<Command<'_>> {
    let mut reader = Reader { text, lines: last_lines(text), found: Vec::new(), command: Command::default() };
    reader.read(0..text.len(), 0);
    reader.found
}

struct Reader<'a> {
    text: &'a str,
    /// Where each line stands last, by its words: what ends a here-document.
    lines: HashMap<&'a str, usize>,
    found: Vec<Command<'a>>,
    command: Command<'a>,
}

fn last_lines(text: &str) -> HashMap<&str, usize> {
    let mut start = 0;
    let lines = text.split_inclusive('\n').map(|line| {
        start += line.len();
        (line.trim(), start - line.len())
    });
    lines.collect()
}

impl<'a> Reader<'a> {
    fn read(&mut self, range: Range<usize>, depth: usize) {
        let bytes = self.text.as_bytes();
        let (mut at, mut here) = (range.start, None);
        while at < range.end {
            match bytes[at] {
                b'\n' => {
                    self.end();
                    at += 1;
                    if let Some(word) = here.take() {
                        at = self.after_here_document(word, at).min(range.end);
                    }
                }
                b'\\' if bytes.get(at + 1) == Some(&b'\n') => at += 2,
                b' ' | b'\t' | b'\r' => at += 1,
                b'#' => at = self.text[at..range.end].find('\n').map_or(range.end, |n| at + n),
                b'<' if self.text[at..range.end].starts_with("<<") => {
                    let (word, next) = here_word(self.text, at, range.end);
                    here = here.or(word);
                    at = next;
                }
                b'>' | b'<' => {
                    self.command.words.push(Word { text: ">", start: at });
                    at += 1;
                    while at < range.end && matches!(bytes[at], b'>' | b'&' | b'|') {
                        at += 1;
                    }
                }
                b'&' if bytes.get(at + 1) == Some(&b'>') => at += 1,
                b';' | b'&' | b'|' | b'(' | b')' | b'`' => {
                    self.end();
                    at += 1;
                }
                _ => at = self.word(at, range.end, depth),
            }
        }
        self.end();
    }

    fn end(&mut self) {
        if !self.command.words.is_empty() {
            self.found.push(std::mem::take(&mut self.command));
        }
    }

    /// Takes the word at `at`, then the commands within it; where it ends.
    fn word(&mut self, at: usize, end: usize, depth: usize) -> usize {
        let mut inner = Vec::new();
        let after = end_of_word(self.text, at, end, &mut inner);
        self.command.words.push(Word { text: &self.text[at..after], start: at });
        if depth < DEEPEST {
            let outer = std::mem::take(&mut self.command);
            for range in inner {
                self.read(range, depth + 1);
            }
            self.command = outer;
        }
        after
    }

    /// Behind the line that holds only this word, if there is one behind `at`.
    fn after_here_document(&self, word: &str, at: usize) -> usize {
        match self.lines.get(word).filter(|line| **line >= at) {
            Some(_) => {
                let mut start = at;
                for line in self.text[at..].split_inclusive('\n') {
                    start += line.len();
                    if line.trim() == word {
                        break;
                    }
                }
                start
            }
            None => at,
        }
    }
}

/// The word that ends the here-document which begins at `at`, and where to read on. `<<<` begins none.
fn here_word(text: &str, at: usize, end: usize) -> (Option<&str>, usize) {
    let behind = &text[at..end];
    let rest = behind.trim_start_matches('<');
    let next = at + (behind.len() - rest.len());
    if behind.len() - rest.len() != 2 {
        return (None, next);
    }
    let word = rest.trim_start_matches('-').trim_start_matches([' ', '\t']).trim_start_matches(['"', '\'', '\\']);
    let length = word.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(word.len());
    let is_word = word.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let quote = usize::from(word[length..].starts_with(['"', '\'']));
    if is_word { (Some(&word[..length]), end - word.len() + length + quote) } else { (None, next) }
}

/// Where the word at `at` ends; the ranges of what `$(…)` holds in it are put into `inner`.
fn end_of_word(text: &str, at: usize, end: usize, inner: &mut Vec<Range<usize>>) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut quoted) = (at, false);
    while at < end {
        match bytes[at] {
            b'\\' => at += 1 + text[(at + 1).min(end)..end].chars().next().map_or(0, char::len_utf8),
            b'"' => {
                quoted = !quoted;
                at += 1;
            }
            b'\'' if !quoted => at = text[at + 1..end].find('\'').map_or(end, |n| at + n + 2),
            b'$' if bytes.get(at + 1) == Some(&b'(') => {
                let close = closing(bytes, at + 1, end);
                // Two brackets hold a sum.
                if bytes.get(at + 2) != Some(&b'(') {
                    inner.push(at + 2..close);
                }
                at = (close + 1).min(end);
            }
            b'$' if bytes.get(at + 1) == Some(&b'{') => {
                at = text[at..end].find('}').map_or(end, |n| at + n + 1);
            }
            b'`' if quoted => {
                let close = text[at + 1..end].find('`').map_or(end, |n| at + 1 + n);
                inner.push(at + 1..close);
                at = (close + 1).min(end);
            }
            b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' | b'`' if !quoted => break,
            _ => at += 1,
        }
    }
    at
}

/// The bracket that closes the one at `open`, quotes left aside.
fn closing(bytes: &[u8], open: usize, end: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate().take(end).skip(open) {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 1 => return at,
            b')' => depth -= 1,
            _ => {}
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let line = |command: &Command<'_>| command.words.iter().map(|word| word.text).collect::<Vec<_>>().join("|");
        commands(text).iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_script_is_read_as_its_commands() {
        let text = "#!/bin/bash\nset -e # all of it\nX=1 ./a.sh \"b c\" >log 2>&1 && . ./d.sh;e\nif [ -f \"$f\" ]; then\n  cat <<'END' | tee x\n./not.sh\nEND\nfi\necho \"$(dirname \"$0\")/y; z\" `./w.sh`\nn=$((1<<4))\nlast \\\n  arg 'it;s'\n";
        insta::assert_snapshot!(shown(text), @r#"
        set|-e
        X=1|./a.sh|"b c"|>|log|2|>|1
        .|./d.sh
        e
        if|[|-f|"$f"|]
        then
        cat
        tee|x
        fi
        dirname|"$0"
        echo|"$(dirname "$0")/y; z"
        ./w.sh
        n=$((1<<4))
        last|arg|'it;s'
        "#);
    }

    #[test]
    fn what_is_not_closed_ends_with_the_text() {
        for text in
            ["\"a b", "'a", "$(a", "${a", "a `b", "<<", "a <<E", "$(", "\\", "é\\", "\"$(\"", "$((", "`", "\"`a"]
        {
            commands(text);
            commands(&format!("{text}\n{text}\né{text}"));
        }
    }
}

//! Long names, cut: a name of a megabyte helps nobody.
//! Knows nothing of what names stand for.

use std::borrow::Cow;

/// Longest word that is shown whole, in characters: addresses and paths that are meant have fewer.
const LONGEST: usize = 1_500;
/// What is shown of a longer one, in characters.
const SHOWN: usize = 100;

/// The text, with the middle of very long words left out.
pub fn brief(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let count = word.chars().count();
        match count > LONGEST {
            true => {
                shown.extend(word.chars().take(SHOWN));
                shown.push('…');
                shown.extend(word.chars().skip(count - SHOWN));
            }
            false => shown.push_str(word),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_very_long_words_are_cut() {
        let words = "a word and ".repeat(1_000);
        assert_eq!(brief(&words), words);
        let name = "é🚀".repeat(300_000);
        let told = format!("`{name}` is no name");
        assert_eq!(
            brief(&told).chars().count(),
            2 * SHOWN + 1 + "is no name".chars().count(),
            "one space is the word's"
        );
        assert!(brief(&told).ends_with("🚀` is no name"));
    }
}

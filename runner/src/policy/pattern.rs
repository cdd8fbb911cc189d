//! Patterns of ARNs: what covers what, also among many of them.
//! Knows nothing of statements.

use std::collections::HashMap;

/// Whether every resource of the pattern `narrow` is one of `wide`.
pub(super) fn covers(wide: &str, narrow: &str) -> bool {
    let mut parts = wide.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = narrow.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Many patterns, each with where it stands, found by what they cover.
pub(super) struct Patterns<'a> {
    by_word: HashMap<&'a str, Vec<(&'a str, usize)>>,
    /// Those without a word.
    others: Vec<(&'a str, usize)>,
}

impl<'a> Patterns<'a> {
    /// Each is kept by the one of its words that the fewest have: whatever it covers has that word too.
    pub(super) fn new(all: &[(&'a str, usize)]) -> Self {
        let mut count: HashMap<&str, usize> = HashMap::new();
        for (pattern, _) in all {
            words(pattern).for_each(|word| *count.entry(word).or_default() += 1);
        }
        let mut it = Self { by_word: HashMap::new(), others: Vec::new() };
        for (pattern, at) in all {
            match words(pattern).min_by_key(|word| count[word]) {
                Some(word) => it.by_word.entry(word).or_default().push((pattern, *at)),
                None => it.others.push((pattern, *at)),
            }
        }
        it
    }

    /// Where patterns stand that cover all of `narrow`, in order.
    pub(super) fn covering(&self, narrow: &str) -> Vec<usize> {
        let mut found: Vec<usize> =
            self.candidates(narrow).filter(|(wide, _)| covers(wide, narrow)).map(|(_, at)| *at).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn candidates(&self, narrow: &str) -> impl Iterator<Item = &(&'a str, usize)> {
        words(narrow).filter_map(|word| self.by_word.get(word)).flatten().chain(&self.others)
    }
}

/// The parts between `:` and `/` that are known as a whole: they stand so in all that the pattern matches.
fn words(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split([':', '/']).filter(|word| !word.is_empty() && !word.contains('*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_matches() {
        for (wide, narrow, expected) in [
            ("*", "arn:aws:s3:::b", true),
            ("arn:aws:ec2:r:*:vpc/*", "arn:aws:ec2:r:*:vpc/vpc-1", true),
            ("arn:aws:ec2:r:*:vpc/vpc-1", "arn:aws:ec2:r:*:vpc/*", false),
            ("arn:aws:s3:::b-*-c", "arn:aws:s3:::b-x-c", true),
            ("arn:aws:s3:::b-*-c", "arn:aws:s3:::b-x-d", false),
            ("arn:aws:s3:::b", "arn:aws:s3:::b", true),
            ("arn:aws:s3:::b", "arn:aws:s3:::bc", false),
        ] {
            assert_eq!(covers(wide, narrow), expected, "{wide} {narrow}");
        }
    }

    #[test]
    fn among_many_patterns_those_that_cover_are_found_and_few_others_looked_at() {
        let of = |n: usize| {
            let group = format!("arn:aws:logs:r:*:log-group:/l/n{n}");
            [
                format!("{group}:*"),
                group,
                format!("arn:aws:cloudformation:r:*:stack/s{n}/*"),
                format!("arn:aws:s3:::b-n{n}/*"),
                format!("arn:aws:s3:::b-n{n}*"),
                format!("arn:aws:iam::*:role/*/r-n{n}"),
            ]
        };
        let wide = ["*", "arn:aws:s3:::b-n1*", "arn:aws:iam::*:role/*", "arn:*:stack/s7/*", "x*", "*n5"];
        let all: Vec<String> = (0..200).flat_map(of).chain(wide.map(str::to_owned)).collect();
        let numbered: Vec<(&str, usize)> = all.iter().enumerate().map(|(at, pattern)| (pattern.as_str(), at)).collect();
        let patterns = Patterns::new(&numbered);
        let mut looked_at = 0;
        for narrow in &all {
            let expected: Vec<usize> =
                numbered.iter().filter(|(wide, _)| covers(wide, narrow)).map(|(_, at)| *at).collect();
            assert_eq!(patterns.covering(narrow), expected, "{narrow}");
            looked_at += patterns.candidates(narrow).count();
        }
        assert!(looked_at < all.len() * all.len() / 10, "{looked_at} of {} pairs", all.len() * all.len());
    }
}

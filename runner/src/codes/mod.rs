//! The kinds of mistakes that `check` knows in a pipeline file, by section; those of the steps are in `hprun_steps::codes`.
//! Knows nothing of how they are found.

pub mod across;
pub mod expressions;
pub mod file;
pub mod inputs;
pub mod params;
pub mod pipeline;

use hprun_steps::finding::Code;

/// A section of the catalogue: what it is about, and its kinds of mistakes in order of number.
pub type Section = hprun_steps::codes::Section;

/// The sections whose mistakes are found here.
const SECTIONS: &[Section] = &[
    ("The file", file::ALL),
    ("The pipeline", pipeline::ALL),
    ("Params", params::ALL),
    ("Expressions and references", expressions::ALL),
    ("Inputs of steps", inputs::ALL),
    ("Across steps", across::ALL),
];

/// The whole catalogue, in order of number.
pub fn catalogue() -> Vec<Section> {
    let mut sections = [SECTIONS, hprun_steps::codes::SECTIONS].concat();
    sections.sort_by_key(|(_, codes)| codes.first().map(|code| code.number));
    sections
}

/// The kind of this number, spelled `HP0123`, `hp123` or `123`.
pub fn find(spelled: &str) -> Option<&'static Code> {
    let digits = spelled.trim().trim_start_matches(['H', 'P', 'h', 'p']);
    let number: u16 = digits.parse().ok()?;
    catalogue().into_iter().flat_map(|(_, codes)| codes).copied().find(|code| code.number == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_given_once_and_stands_in_its_section() {
        let all: Vec<&Code> = catalogue().into_iter().flat_map(|(_, codes)| codes).copied().collect();
        assert!(all.windows(2).all(|two| two[0].number < two[1].number), "in order, none twice");
        for (section, codes) in catalogue() {
            let hundreds: Vec<u16> = codes.iter().map(|code| code.number / 100).collect();
            assert!(hundreds.windows(2).all(|two| two[0] == two[1]), "{section} holds one hundred");
        }
    }

    #[test]
    fn every_kind_is_explained_whole() {
        for code in catalogue().into_iter().flat_map(|(_, codes)| codes) {
            for (name, text) in
                [("title", code.title), ("cause", code.cause), ("example", code.example), ("cure", code.cure)]
            {
                assert!(!text.trim().is_empty(), "{code} has no {name}");
            }
            assert!(!code.title.ends_with('.'), "{code}: a title has no full stop");
            assert!(code.cause.ends_with('.') && code.cure.ends_with('.'), "{code}: sentences end");
        }
    }

    #[test]
    fn a_code_is_found_however_it_is_spelled() {
        for spelled in ["HP0101", "hp0101", "101", "HP101"] {
            assert_eq!(find(spelled).map(|code| code.number), Some(101), "{spelled}");
        }
        assert_eq!(find("HP9999"), None);
        assert_eq!(find("nonsense"), None);
    }
}

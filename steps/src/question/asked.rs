//! A question as a step asks it: with its place, and as far as what it is about is known.
//! Knows nothing of what is asked.

use super::Question;
use crate::finding::{At, Code};
use crate::partial::Partial;

/// A question with the place that it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Which one.
    pub code: &'static Code,
    /// Where the inputs say what is asked about.
    pub at: At,
    /// The question; none while what it is about comes from a step that has not run.
    pub question: Option<Question>,
}

impl Asked {
    /// A question that can be asked now.
    pub fn now(at: At, question: Question) -> Self {
        Self { code: question.code(), at, question: Some(question) }
    }

    /// A question that waits for the run.
    pub fn waits(at: At, code: &'static Code) -> Self {
        Self { code, at, question: None }
    }

    /// The question that follows from `value`; one that waits where it is not known, none where there is none.
    pub fn of<T>(code: &'static Code, at: &At, value: Wish<T>, question: impl FnOnce(T) -> Question) -> Option<Self> {
        match value {
            Wish::None => None,
            Wish::Later => Some(Self::waits(at.clone(), code)),
            Wish::Now(value) => Some(Self::now(at.clone(), question(value))),
        }
    }
}

/// What inputs say of something before the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish<T> {
    /// Nothing.
    None,
    /// Something that a step will give.
    Later,
    /// This.
    Now(T),
}

impl Wish<String> {
    /// The text of an input.
    pub fn text(input: Option<&Partial>) -> Self {
        match input {
            None => Self::None,
            Some(Partial::Unknown(..)) => Self::Later,
            Some(known) => {
                known.as_str().filter(|text| !text.is_empty()).map_or(Self::None, |t| Self::Now(t.to_owned()))
            }
        }
    }
}

impl<T> Wish<T> {
    /// The same of something else.
    pub fn map<U>(self, to: impl FnOnce(T) -> U) -> Wish<U> {
        match self {
            Self::None => Wish::None,
            Self::Later => Wish::Later,
            Self::Now(value) => Wish::Now(to(value)),
        }
    }

    /// Both; later if either comes later, none if either is none.
    pub fn and<U>(self, other: Wish<U>) -> Wish<(T, U)> {
        match (self, other) {
            (Self::None, _) | (_, Wish::None) => Wish::None,
            (Self::Later, _) | (_, Wish::Later) => Wish::Later,
            (Self::Now(one), Wish::Now(two)) => Wish::Now((one, two)),
        }
    }

    /// What it is, if it is known.
    pub fn known(self) -> Option<T> {
        match self {
            Self::None | Self::Later => None,
            Self::Now(value) => Some(value),
        }
    }
}

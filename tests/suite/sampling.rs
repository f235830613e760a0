//! Samples of cases. Each test of many cases takes one of so many by default; the environment variable
//! `DOCUMENTS_ONE_OF` changes that, and 1 tries all.

/// Cases of documents that are tried.
#[derive(Clone, Copy)]
pub(crate) struct Sampling(usize);

impl Sampling {
    /// Takes one of so many cases, or as many as the environment says.
    pub(crate) fn one_of(default: usize) -> Self {
        Self(std::env::var("DOCUMENTS_ONE_OF").map_or(default, |one_of| {
            one_of.parse().expect("DOCUMENTS_ONE_OF is a number")
        }))
    }

    /// Returns whether a case is in the sample. Of all pairs of two numbers, every number is in some.
    pub(crate) fn includes(self, one: usize, other: usize) -> bool {
        (one + other).is_multiple_of(self.0)
    }
}

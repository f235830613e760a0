//! Comparison of names without regard to case, as NTFS does it.

use std::fmt;

/// Case-folded name: two spellings of one name fold to the same value.
///
/// Each character is upper-cased by itself, as NTFS does: a character whose upper case is more than
/// one character (`ß`) or that is outside the Basic Multilingual Plane is not changed. Never shown
/// to people; the original spelling is kept with it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseFolded(String);

impl CaseFolded {
    /// Returns the folded form of a name or of a whole path (`/` folds to itself).
    pub fn of(name: &str) -> Self {
        Self(name.chars().map(upper).collect())
    }

    /// Returns the folded text, for prefix searches in ordered maps.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CaseFolded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns whether two spellings are one name.
pub fn same_name(a: &str, b: &str) -> bool {
    let mut left = a.chars().map(upper);
    let mut right = b.chars().map(upper);
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (x, y) if x == y => {}
            _ => return false,
        }
    }
}

fn upper(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    if u32::from(c) > 0xFFFF {
        return c;
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_fold_together() {
        assert!(same_name("HostedEmail2007NS.msi", "Hostedemail2007ns.MSI"));
        assert!(same_name("Überblick", "üBERBLICK"));
        assert!(!same_name("a", "ab"));
    }

    #[test]
    fn a_character_with_a_long_upper_case_stays() {
        assert!(!same_name("straße", "STRASSE"));
        assert!(same_name("straße", "STRAßE"));
    }
}

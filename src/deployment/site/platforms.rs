//! Check for misspelled platforms. Platforms are free text, so any name is allowed; but one that is
//! spelled almost like a known one is probably a typing mistake.

use std::collections::BTreeSet;

use super::description::Description;
use crate::document::{Code, Placed, Reader};

/// Common platforms.
pub const COMMON: [&str; 3] = ["x86", "x64", "ia64"];

/// Returns the common platforms and those of a deployment's servers.
pub fn known(deployment: Option<&Description>) -> Vec<&str> {
    let own = deployment
        .into_iter()
        .flat_map(|deployment| &deployment.servers);
    let own: BTreeSet<&str> = own.map(|server| server.platform.as_str()).collect();
    // A site has few platforms. The limit bounds the work, since each is compared with every row of
    // the file table.
    COMMON.into_iter().chain(own.into_iter().take(50)).collect()
}

/// Reports a platform that is almost one of the known ones.
pub fn check(reader: &mut Reader<'_>, platform: &Placed<String>, known: &[&str]) {
    if let Some(near) = misspelled(&platform.value, known) {
        let message = format!("the platform `{}` is unknown", platform.value);
        let finding = reader
            .findings
            .add(Code::MisspelledPlatform, platform.span.clone(), message);
        finding
            .did_you_mean(Some(near))
            .help("ignore this warning if there is such a platform");
    }
}

/// Returns the known platform that differs by one letter.
pub fn misspelled<'a>(platform: &str, known: &[&'a str]) -> Option<&'a str> {
    let platform = platform.to_lowercase();
    // The known platforms are short words, so a longer text is not a misspelling of one; and the
    // time of a comparison grows with the length.
    if platform.len() > 40 || known.iter().any(|known| known.to_lowercase() == platform) {
        return None;
    }
    let wrong = |known: &&&str| strsim::damerau_levenshtein(&platform, &known.to_lowercase());
    let near = known
        .iter()
        .filter(|known| known.len() > 2 && known.len() <= 40 && wrong(known) == 1);
    // Two swapped letters are more likely than a wrong one.
    near.copied()
        .min_by_key(|known| letters(known) != letters(&platform))
}

fn letters(word: &str) -> Vec<char> {
    let mut letters: Vec<char> = word.to_lowercase().chars().collect();
    letters.sort_unstable();
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_differ_by_one_letter_are_mistakes() {
        let near = |platform| misspelled(platform, &COMMON);
        assert_eq!(near("x85"), Some("x86"));
        assert_eq!(near("x46"), Some("x64"));
        assert_eq!(near("ia-64"), Some("ia64"));
        for other in ["x64", "X86", "arm64", "i386", "x86_64", "amd64", "PowerPC"] {
            assert_eq!(near(other), None, "{other}");
        }
    }
}

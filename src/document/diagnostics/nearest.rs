//! Spellings that the author may have meant.

/// Length of the longest text that is compared, in bytes. Longer texts are not typing mistakes, and
/// the comparison is quadratic in their length.
const LONGEST: usize = 200;

/// Returns the cost of comparing two texts, in steps of a fraction of a microsecond.
pub(in crate::document) fn trouble(a: &str, b: &str) -> usize {
    let (short, long) = (a.len().min(b.len()), a.len().max(b.len()));
    if long > LONGEST || short * 2 < long {
        1
    } else {
        1 + short * long / 64
    }
}

/// Returns the candidate that is spelled most like `wanted`, if one is near enough to be meant.
///
/// Case does not count. Of equally near ones the first wins, so the answer is the same every time.
pub fn nearest<'a>(wanted: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if wanted.len() > LONGEST {
        return None;
    }
    let case_folded = wanted.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for candidate in among.filter(|candidate| candidate.len() <= LONGEST) {
        let other = candidate.to_lowercase();
        // A common extension does not show which of two files was meant.
        let near = match (case_folded.rsplit_once('.'), other.rsplit_once('.')) {
            (Some((a, ending)), Some((b, same))) if ending == same => likeness(a, b),
            _ => likeness(&case_folded, &other),
        };
        if near > best.map_or(0.6, |(score, _)| score) {
            best = Some((near, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Returns the candidate of which `wanted` is a misspelling, for names that are free, so that
/// others than the candidates may be meant as well. Tolerated are one wrong letter for every eight,
/// or the case. Names that differ only in their numbers, such as `dc1` and `dc2`, are different
/// names.
pub fn slip<'a>(wanted: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let uncounted = |name: &str| {
        name.chars()
            .filter(|c| !c.is_ascii_digit())
            .collect::<String>()
    };
    let near = nearest(wanted, among)?;
    let (a, b) = (wanted.to_lowercase(), near.to_lowercase());
    let wrong = strsim::damerau_levenshtein(&a, &b);
    let slipped = wanted != near
        && (wrong == 0 || (wrong <= 1 + b.len() / 8 && uncounted(&a) != uncounted(&b)));
    slipped.then_some(near)
}

/// Returns the likeness of two names, from 0 to 1. Edits count against the length; a longer name
/// that contains the shorter one whole is near too, so that `rollup` finds `rollups` and `MPS Web`
/// finds `MPS Web Services`.
fn likeness(a: &str, b: &str) -> f64 {
    // Edits cannot reach the threshold if the lengths differ by more than half.
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let contained = short.len() >= 4 && long.contains(short);
    let by_parts = if contained {
        0.61 + 0.3 * short.len() as f64 / long.len() as f64
    } else {
        0.0
    };
    if short.len() * 2 < long.len() {
        return by_parts;
    }
    strsim::normalized_damerau_levenshtein(a, b).max(by_parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_free_names_only_a_slip_is_told() {
        let names = ["preferredDomainController", "dc1"];
        let slip = |wanted| slip(wanted, names.iter().copied());
        assert_eq!(
            slip("preferedDomainControler"),
            Some("preferredDomainController")
        );
        assert_eq!(
            slip("PreferredDomainController"),
            Some("preferredDomainController")
        );
        assert_eq!(slip("cd1"), Some("dc1"));
        for other in [
            "preferredDomainController",
            "preferredDomainController2",
            "otherDomainController",
            "dc2",
        ] {
            assert_eq!(slip(other), None, "{other}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_finds_what_was_meant() {
        let names = ["MPS Web Services", "Hosted Exchange", "files", "fixes"];
        let near = |wanted| nearest(wanted, names.iter().copied());
        assert_eq!(near("mps web servces"), Some("MPS Web Services"));
        assert_eq!(near("MPS Web"), Some("MPS Web Services"));
        assert_eq!(near("fies"), Some("files"));
        assert_eq!(near("something else"), None);
        assert_eq!(nearest("b.msi", ["a.msi"].into_iter()), None);
        assert_eq!(
            nearest("Providr.msi", ["Provider.msi"].into_iter()),
            Some("Provider.msi")
        );
        assert_eq!(near(&"x".repeat(1000)), None);
    }
}

//! Search for the name that the author probably meant.

/// Length of the longest text that is compared, in bytes. Longer texts are not typing mistakes, and
/// the comparison is quadratic in their length.
const LONGEST: usize = 200;

/// Returns the cost of comparing two texts, in units of a fraction of a microsecond.
pub(in crate::document) fn comparison_cost(a: &str, b: &str) -> usize {
    let (short, long) = (a.len().min(b.len()), a.len().max(b.len()));
    if long > LONGEST || short * 2 < long {
        1
    } else {
        1 + short * long / 64
    }
}

/// Returns the candidate whose spelling is most similar to `wanted`, if one is similar enough.
///
/// Case does not count. Of equally similar candidates the first wins, so the result is
/// deterministic.
pub fn nearest<'a>(wanted: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if wanted.len() > LONGEST {
        return None;
    }
    let case_folded = wanted.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for candidate in among.filter(|candidate| candidate.len() <= LONGEST) {
        let other = candidate.to_lowercase();
        // Equal extensions do not make two file names similar.
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

/// Returns the candidate of which `wanted` is a misspelling, for free names, which need not be
/// among the candidates. A misspelling has at most one wrong letter for every eight, or differs in
/// case. Names that differ only in their numbers, such as `dc1` and `dc2`, are different names.
pub fn misspelling_of<'a>(wanted: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let without_digits = |name: &str| {
        name.chars()
            .filter(|c| !c.is_ascii_digit())
            .collect::<String>()
    };
    let near = nearest(wanted, among)?;
    let (a, b) = (wanted.to_lowercase(), near.to_lowercase());
    let wrong = strsim::damerau_levenshtein(&a, &b);
    let is_misspelling = wanted != near
        && (wrong == 0 || (wrong <= 1 + b.len() / 8 && without_digits(&a) != without_digits(&b)));
    is_misspelling.then_some(near)
}

/// Returns the likeness of two names, from 0 to 1. Edits count relative to the length; a longer
/// name that contains the shorter one is similar, too, so that `rollup` finds `rollups` and `MPS
/// Web` finds `MPS Web Services`.
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
    fn only_misspellings_of_free_names_are_found() {
        let names = ["preferredDomainController", "dc1"];
        let misspelling_of = |wanted| misspelling_of(wanted, names.iter().copied());
        assert_eq!(
            misspelling_of("preferedDomainControler"),
            Some("preferredDomainController")
        );
        assert_eq!(
            misspelling_of("PreferredDomainController"),
            Some("preferredDomainController")
        );
        assert_eq!(misspelling_of("cd1"), Some("dc1"));
        for other in [
            "preferredDomainController",
            "preferredDomainController2",
            "otherDomainController",
            "dc2",
        ] {
            assert_eq!(misspelling_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_typing_mistake_finds_the_right_name() {
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

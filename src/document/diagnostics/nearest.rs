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

/// Name that an author probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeantName {
    pub name: String,
    /// True if nothing else can be meant: the name is one slip of the fingers away, and no other
    /// name is nearly as close.
    pub is_certain: bool,
}

impl From<&str> for MeantName {
    fn from(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            is_certain: false,
        }
    }
}

/// Returns the candidate whose spelling is most similar to `wanted`, if one is similar enough.
///
/// Case does not count. Of equally similar candidates the first wins, so the result is
/// deterministic.
pub fn nearest<'a>(wanted: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (candidates, best) = ranked(wanted, among);
    best.map(|best| candidates[best].name)
}

/// Returns the most similar candidate as [`nearest`] does, and whether nothing else can be meant.
pub(in crate::document) fn meant_name<'a>(
    wanted: &str,
    among: impl Iterator<Item = &'a str>,
) -> Option<MeantName> {
    let (candidates, best) = ranked(wanted, among);
    let best = &candidates[best?];
    Some(MeantName {
        name: best.name.to_owned(),
        is_certain: is_only_candidate(wanted, best, &candidates),
    })
}

/// Name that is compared with a wanted one.
struct Candidate<'a> {
    name: &'a str,
    likeness: Likeness,
}

/// Compares a name with all candidates. Returns also the position of the most similar one.
fn ranked<'a>(
    wanted: &str,
    among: impl Iterator<Item = &'a str>,
) -> (Vec<Candidate<'a>>, Option<usize>) {
    let mut candidates = Vec::new();
    let mut best: Option<(f64, usize)> = None;
    if wanted.len() > LONGEST {
        return (candidates, None);
    }
    let case_folded = wanted.to_lowercase();
    for name in among.filter(|candidate| candidate.len() <= LONGEST) {
        let other = name.to_lowercase();
        // Equal extensions do not make two file names similar.
        let likeness = match (case_folded.rsplit_once('.'), other.rsplit_once('.')) {
            (Some((a, ending)), Some((b, same))) if ending == same => Likeness::of(a, b),
            _ => Likeness::of(&case_folded, &other),
        };
        if likeness.score > best.map_or(0.6, |(score, _)| score) {
            best = Some((likeness.score, candidates.len()));
        }
        candidates.push(Candidate { name, likeness });
    }
    (candidates, best.map(|(_, at)| at))
}

/// Returns whether `wanted` is a misspelling of the best candidate and of no other one: at most one
/// letter of five and one of eight, and one more, is wrong; the digits are the same; and as a
/// misspelling of any other name with these digits it would have at least two more wrong letters.
fn is_only_candidate(wanted: &str, best: &Candidate<'_>, all: &[Candidate<'_>]) -> bool {
    let length = best.likeness.length;
    let most = (length / 5).min(1 + length / 8);
    let Some(wrong) = best.likeness.wrong.filter(|wrong| *wrong <= most) else {
        return false;
    };
    let digits = |name: &str| -> String { name.chars().filter(char::is_ascii_digit).collect() };
    let wanted_digits = digits(wanted);
    let is_rival = |other: &Candidate<'_>| {
        let is_close = other.likeness.wrong.is_some_and(|other| other < wrong + 2);
        is_close && other.name != best.name && digits(other.name) == wanted_digits
    };
    digits(best.name) == wanted_digits && !all.iter().any(is_rival)
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

/// Likeness of two names.
struct Likeness {
    /// Likeness from 0 to 1.
    score: f64,
    /// Number of wrong letters, unless the lengths differ by more than half.
    wrong: Option<usize>,
    /// Length of the second name.
    length: usize,
}

impl Likeness {
    /// Compares two names. Edits count relative to the length; a longer name that contains the
    /// shorter one is similar, too, so that `rollup` finds `rollups` and `MPS Web` finds `MPS Web
    /// Services`.
    fn of(a: &str, b: &str) -> Self {
        // Edits cannot reach the threshold if the lengths differ by more than half.
        let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        let contained = short.len() >= 4 && long.contains(short);
        let by_parts = if contained {
            0.61 + 0.3 * short.len() as f64 / long.len() as f64
        } else {
            0.0
        };
        let length = b.chars().count();
        let may_be_edited = short.len() * 2 >= long.len();
        let wrong = may_be_edited.then(|| strsim::damerau_levenshtein(a, b));
        let longest = a.chars().count().max(length).max(1);
        let by_edits = wrong.map_or(0.0, |wrong| 1.0 - wrong as f64 / longest as f64);
        Self {
            score: by_edits.max(by_parts),
            wrong,
            length,
        }
    }
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

    #[test]
    fn a_name_is_certain_if_no_other_one_is_close() {
        let names = [
            "Exchange 2003 Provider",
            "Exchange 2007 Provider",
            "Hostedemail2007ns.msi",
            "Hostedemail2007ws.msi",
            "title",
            "files",
            "fixes",
            "mps-engine",
            "on",
        ];
        let is_certain = |wanted| {
            let meant = meant_name(wanted, names.iter().copied());
            meant.is_some_and(|meant| meant.is_certain)
        };
        for wanted in [
            "titel",
            "Title",
            "ON",
            "mps-engin",
            "mps\u{a0}engine",
            "Exchange 2007 Providr",
            "exchange 2007 provider",
        ] {
            assert!(is_certain(wanted), "{wanted}");
        }
        for wanted in [
            "fies",
            "om",
            "Exchange 200 Provider",
            "Exchange 2010 Provider",
            "Hostedemal2007ns.msi",
            "mps",
            "tittles",
        ] {
            assert!(!is_certain(wanted), "{wanted}");
        }
    }
}

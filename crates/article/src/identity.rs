//! Identity of a rollup: number, title, product and versions, days.

use super::dates::{self, Day};
use super::lines::ArticleLine;
use super::numbers::numbers;
use super::outline::OutlineEntry;
use super::section::Section;
use super::{Located, OpenQuestion, clauses};
use rollup_names::{Kb, Version};

/// Number, title, product and days that the article gives.
#[derive(Debug, Default)]
pub(super) struct ArticleIdentity {
    pub(super) kb: Option<Located<Kb>>,
    pub(super) title: Option<Located<String>>,
    pub(super) product: Option<Located<String>>,
    pub(super) versions: Vec<Located<String>>,
    pub(super) scope: Option<Located<String>>,
    pub(super) released: Option<Located<String>>,
    pub(super) url: Option<Located<String>>,
    /// True if the address is not in the article, but derived from that of another article.
    pub(super) url_is_derived: bool,
    pub(super) revision: Option<Located<Version>>,
    pub(super) reviewed: Option<Located<String>>,
    pub(super) open: Vec<OpenQuestion>,
}

/// Largest number of lines in the head of an article.
const HEAD: usize = 40;

/// Reads the identity of the article.
pub(super) fn identity(outline: &[OutlineEntry<'_>]) -> ArticleIdentity {
    let mut found = ArticleIdentity {
        kb: own_number(outline),
        ..ArticleIdentity::default()
    };
    for OutlineEntry { line, section, .. } in outline {
        if *section != Section::Installation {
            days(line, &mut found);
        }
        if found.scope.is_none()
            && matches!(section, Section::Head | Section::Summary | Section::Other)
        {
            found.scope = scope(&line.text).map(|scope| Located::new(scope, line.number));
        }
    }
    applies_to(outline, &mut found);
    title(outline, &mut found);
    url(outline, &mut found);
    found
}

fn own_number(outline: &[OutlineEntry<'_>]) -> Option<Located<Kb>> {
    let of = |line: &ArticleLine| {
        numbers(&line.text)
            .into_iter()
            .next()
            .map(|kb| Located::new(kb, line.number))
    };
    let head = || outline.iter().map(|entry| entry.line).take(HEAD);
    let labelled = |line: &&ArticleLine| {
        let text = line.text.to_lowercase();
        [
            "article id",
            "article number",
            "article no",
            "article:",
            "kb number",
            "kb article",
            "kb:",
            "document id",
        ]
        .iter()
        .any(|label| text.starts_with(label))
            && !numbers(&line.text).is_empty()
    };
    if let Some(line) = outline.iter().map(|entry| entry.line).find(labelled) {
        return of(line);
    }
    if let Some(line) = head().find(|line| is_banner(&line.text)) {
        return of(line);
    }
    // Elsewhere, only a number with its letters is the article's own; others are those of articles
    // that it mentions.
    let lettered = |line: &&ArticleLine| {
        line.text.to_lowercase().match_indices("kb").any(|(at, _)| {
            line.text.as_bytes().get(at + 2..).is_some_and(|rest| {
                rest.iter()
                    .find(|b| !b" -".contains(b))
                    .is_some_and(u8::is_ascii_digit)
            })
        })
    };
    let in_head = outline
        .iter()
        .take(HEAD)
        .take_while(|entry| !entry.heading || entry.section == Section::Head || entry.line.heading)
        .map(|entry| entry.line)
        .find(|line| lettered(line) && !line.text.to_lowercase().contains("replace"));
    let keywords = || {
        outline.iter().map(|entry| entry.line).rfind(|line| {
            lettered(line)
                && line
                    .text
                    .split(' ')
                    .all(|word| word.to_lowercase().starts_with("kb"))
        })
    };
    in_head
        .or_else(keywords)
        .or_else(|| head().find(|line| is_title(&line.text) && lettered(line)))
        .and_then(of)
}

/// Returns whether a text is a banner, such as `Article 612345 Revision 1.0` or
/// `X Knowledge Base - Article 612345`: not a sentence, and nothing but the page's own name before
/// the word.
fn is_banner(text: &str) -> bool {
    const LABEL: &str = "article ";
    let lower = text.to_lowercase();
    let banner = lower.match_indices(LABEL).any(|(at, _)| {
        let before = lower[..at].trim_end();
        let begins = before.is_empty() || before.ends_with(['-', '–', '—', '|', ':', '>', '»']);
        let digits = lower[at + LABEL.len()..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        begins && (5..=9).contains(&digits)
    });
    banner
        && !text.ends_with(['.', '?', '!'])
        && text.chars().count() <= 150
        && numbers(text).len() == 1
}

/// Reads the days that follow their labels.
fn days(line: &ArticleLine, found: &mut ArticleIdentity) {
    let lower = line.text.to_lowercase();
    let mut take = |labels: &[&str], into: &mut Option<Located<String>>| {
        let label = labels.iter().find_map(|label| {
            let whole = |at: &usize| !lower[..*at].ends_with(char::is_alphanumeric);
            lower
                .match_indices(label)
                .map(|(at, _)| at)
                .find(whole)
                .map(|at| at + label.len())
        });
        let (Some(at), true) = (label, into.is_none()) else {
            return;
        };
        let rest = line.text.get(at..).unwrap_or_default();
        // The day follows its label directly, not somewhere later in the sentence.
        let rest: String = rest.chars().take(40).collect();
        let Some(day) = dates::day_in(&rest) else {
            return;
        };
        match (day.only(), &day) {
            (Some(day), _) => *into = Some(Located::new(day.clone(), line.number)),
            (None, Day { month_first: Some(one), day_first: Some(other) }) => {
                let message = format!("the day may be {one} or {other}");
                found.open.push(OpenQuestion {
                    line: Some(line.number),
                    message,
                });
            }
            _ => {}
        }
    };
    take(
        &[
            "last review",
            "last updated",
            "last modified",
            "last reviewed",
            "reviewed:",
            "reviewed on",
        ],
        &mut found.reviewed,
    );
    let labels = [
        "is dated",
        "was released on",
        "released on",
        "release date",
        "released:",
        "date published",
        "published:",
        "published on",
        "made available on",
        "became available on",
        "available since",
        "issued on",
        "dated",
    ];
    take(&labels, &mut found.released);
    if found.released.is_none() {
        found.released = clauses::sentences(&line.text)
            .into_iter()
            .find_map(released)
            .map(|day| Located::new(day, line.number));
    }
    if let Some(at) = lower.find("revision").filter(|_| found.revision.is_none()) {
        let rest = lower[at + "revision".len()..].trim_start_matches([' ', ':', '#']);
        let number: String = rest
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .take(20)
            .collect();
        found.revision = number
            .trim_end_matches('.')
            .parse()
            .ok()
            .map(|revision| Located::new(revision, line.number));
    }
}

/// Returns the day in "X released Update Rollup 7 for its services on 3 June 2011": verb, rollup
/// and day are in one sentence, which mentions no other article.
fn released(sentence: &str) -> Option<String> {
    let lower = sentence.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let announces = has(&[" released ", " published ", " issued ", " made available "])
        && has(&["rollup", "update", "hotfix"]);
    if !announces
        || lower.len() != sentence.len()
        || lower.len() > 1_000
        || !numbers(sentence).is_empty()
    {
        return None;
    }
    lower
        .match_indices(" on ")
        .find_map(|(at, on)| dates::day(&sentence[at + on.len()..])?.0.only().cloned())
}

/// Returns the scope in "… for the X services", "applies only to the X components".
fn scope(text: &str) -> Option<String> {
    const STARTS: [&str; 6] = [
        "applies only to the ",
        "applies only to ",
        "applies to the ",
        "for the ",
        "updates the ",
        "is for the ",
    ];
    const ENDS: [&str; 5] = [
        " services",
        " components",
        " service",
        " component",
        " features",
    ];
    let rest = STARTS
        .iter()
        .find_map(|start| text.find(start).map(|at| &text[at + start.len()..]))?;
    let end = ENDS.iter().filter_map(|end| rest.find(end)).min()?;
    let scope = &rest[..end];
    let is_name =
        scope.split(' ').count() <= 5 && scope.chars().next().is_some_and(char::is_uppercase);
    (is_name && !scope.contains([',', '.', ':'])).then(|| scope.to_owned())
}

/// Reads products with their versions from the list below "Applies to".
fn applies_to(outline: &[OutlineEntry<'_>], found: &mut ArticleIdentity) {
    let mut entries = Vec::new();
    for OutlineEntry { line, heading, .. } in outline
        .iter()
        .filter(|entry| entry.section == Section::AppliesTo)
    {
        let lower = line.text.to_lowercase();
        let text = match lower.find("applies to") {
            Some(at) => line
                .text
                .get(at + "applies to".len()..)
                .unwrap_or_default()
                .trim_start_matches([':', ' ']),
            None if *heading => "",
            None => line.text.as_str(),
        };
        // The text after the list belongs to the page itself.
        if lower.starts_with("keyword")
            || is_imprint(&lower)
            || text.split(' ').any(|word| word.starts_with("kb"))
        {
            break;
        }
        for entry in products(text) {
            entries.push(Located::new(entry.to_owned(), line.number));
        }
    }
    entries.truncate(100);
    for entry in entries {
        let entry = Located::new(without_marks(&entry.value), entry.line);
        let (product, version) = versioned(without_edition(&entry.value));
        match &found.product {
            None => found.product = Some(Located::new(product.to_owned(), entry.line)),
            Some(known) if known.value != product => {
                let message = format!(
                    "the article also applies to `{product}`, but a manifest is for one product: {}",
                    known.value
                );
                found.open.push(OpenQuestion {
                    line: Some(entry.line),
                    message,
                });
                continue;
            }
            Some(_) => {}
        }
        if let Some(version) =
            version.filter(|version| !found.versions.iter().any(|known| known.value == **version))
        {
            found
                .versions
                .push(Located::new(version.to_owned(), entry.line));
        }
    }
}

/// Returns whether a line belongs to the foot of a page, such as its copyright.
fn is_imprint(lower: &str) -> bool {
    lower.ends_with(['.', '?', '!'])
        || ["©", "(c)", "copyright"]
            .iter()
            .any(|mark| lower.starts_with(mark))
        || [
            "all rights reserved",
            "terms of use",
            "trademark",
            "trade mark",
            " | ",
        ]
        .iter()
        .any(|mark| lower.contains(mark))
}

/// Returns the products of a line; a comma separates them only if each has a version of its own.
fn products(text: &str) -> Vec<&str> {
    let parts: Vec<&str> = text
        .split([',', ';'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    let each = parts.len() > 1
        && parts
            .iter()
            .all(|part| versioned(without_edition(part)).1.is_some());
    if each {
        parts
    } else {
        Some(text)
            .filter(|text| !text.is_empty())
            .into_iter()
            .collect()
    }
}

/// Removes an edition: `Product 4.0 Provider Edition` and `Product 4.0 for Resellers` are editions
/// of `Product 4.0`.
fn without_edition(text: &str) -> &str {
    let edition = |rest: &str| {
        let rest = rest.to_lowercase();
        let rest = rest.trim();
        rest.starts_with("for ")
            || rest.starts_with('(')
            || rest.ends_with("edition")
            || rest.ends_with("editions")
    };
    let ends = text.match_indices(' ').map(|(at, _)| at).take(30);
    let found = ends
        .filter(|at| edition(&text[*at..]))
        .map(|at| &text[..at])
        .find(|before| versioned(before).1.is_some());
    found.unwrap_or(text)
}

/// Removes the signs that a name is protected.
fn without_marks(text: &str) -> String {
    ["®", "™", "℠", "(R)", "(TM)", "(tm)"]
        .iter()
        .fold(text.to_owned(), |text, mark| text.replace(mark, ""))
}

/// Splits `Product 4.0` into product and version; a version has a dot, or a `v` or `version` before
/// it.
fn versioned(text: &str) -> (&str, Option<&str>) {
    let text = text.trim_end_matches(['.', ',', ';']);
    let Some((before, last)) = text.rsplit_once(' ') else {
        return (text, None);
    };
    let number = last.trim_start_matches(['v', 'V']);
    let dotted = number.contains('.')
        && number
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let product = before
        .trim_end_matches("ersion")
        .trim_end_matches(" v")
        .trim_end_matches(" V");
    let named = product.len() < before.len() || number.len() < last.len();
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    match dotted || named && digits {
        true => (product.trim_end_matches([',', ' ']), Some(number)),
        false => (text, None),
    }
}

fn is_title(text: &str) -> bool {
    let lower = text.to_lowercase();
    let named = [
        "rollup",
        "hotfix",
        "cumulative update",
        "service update",
        "update for",
        "update package",
        "fix pack",
        "service pack",
    ];
    named.iter().any(|name| lower.contains(name)) && text.chars().count() <= 250
}

fn title(outline: &[OutlineEntry<'_>], found: &mut ArticleIdentity) {
    let head = || {
        outline
            .iter()
            .take(HEAD)
            .filter(|entry| entry.line.marker.is_none() && is_title(&entry.line.text))
    };
    let sentence = |entry: &&OutlineEntry<'_>| !entry.line.text.ends_with('.');
    let Some(OutlineEntry { line, .. }) = head()
        .find(|entry| entry.section == Section::Head && sentence(entry))
        .or_else(|| head().find(sentence))
    else {
        return;
    };
    let text = without_marks(&line.text);
    let mut title = without_frame(&text);
    // A product from the list is recognized in the title; without a list, the end of the title is
    // the only source.
    match found.product.as_ref().map(|product| product.value.clone()) {
        Some(product) => {
            if let Some(at) = title.find(&product) {
                let behind = &title[at + product.len()..];
                version_of_title(behind, line.number, found);
                title = title[..at].trim_end();
                for word in [" in", " for", " of", " to", " in the", " for the"] {
                    title = title.strip_suffix(word).unwrap_or(title).trim_end();
                }
            }
        }
        None => title = product_of_title(title, line.number, found),
    }
    let title = title.trim_end_matches([':', '-', '–', ',', ' ']);
    if found.scope.is_none() && found.product.is_some() {
        found.scope = part(title).map(|part| Located::new(part.to_owned(), line.number));
    }
    found.title = (!title.is_empty()).then(|| Located::new(title.to_owned(), line.number));
}

/// Returns a title without the words and the number that frame it.
fn without_frame(text: &str) -> &str {
    let mut title = text;
    for start in [
        "Title:",
        "Description of the",
        "Description of",
        "Availability of",
    ] {
        title = title.strip_prefix(start).map_or(title, str::trim_start);
    }
    if let Some(rest) = title.strip_prefix("KB") {
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        title = rest.trim_start_matches([':', ' ', '-', '–']);
    }
    let number = title
        .rsplit_once("(KB")
        .or_else(|| title.rsplit_once("(kb"));
    number.map_or(title, |(before, _)| before.trim_end())
}

/// Takes the version behind the product in a title, if no other is known.
fn version_of_title(behind: &str, line: u32, found: &mut ArticleIdentity) {
    let version = behind
        .trim()
        .trim_start_matches("version ")
        .trim_start_matches("Version ");
    let is_version =
        !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if is_version && found.versions.is_empty() {
        found.versions.push(Located::new(version.to_owned(), line));
    }
}

/// Returns the updated part in a title without its product, as in "Rollup 3 for the X".
fn part(title: &str) -> Option<&str> {
    let (_, part) = title.split_once(" for the ")?;
    let is_name = part.split(' ').count() <= 5
        && part
            .split(' ')
            .all(|word| word.starts_with(char::is_uppercase));
    (is_name && !part.contains([',', '.', ':'])).then_some(part)
}

/// Takes the product from a title such as "Rollup 3 for the X services in Product 4.0" if nothing
/// else names it, and returns the rest.
fn product_of_title<'t>(title: &'t str, line: u32, found: &mut ArticleIdentity) -> &'t str {
    let Some((before, product)) = title
        .rsplit_once(" in ")
        .or_else(|| title.rsplit_once(" for "))
    else {
        return title;
    };
    let (product, version) = versioned(product);
    if version.is_none() || !product.chars().next().is_some_and(char::is_uppercase) {
        return title;
    }
    found.product = Some(Located::new(product.to_owned(), line));
    found
        .versions
        .extend(version.map(|version| Located::new(version.to_owned(), line)));
    before
}

/// Finds the article's own address, or derives it from that of another article.
fn url(outline: &[OutlineEntry<'_>], found: &mut ArticleIdentity) {
    let Some(kb) = &found.kb else { return };
    let digits = kb.value.to_string()[2..].to_owned();
    let mut pattern = None;
    for OutlineEntry { line, .. } in outline {
        for url in addresses(&line.text) {
            let own = numbers(url).contains(&kb.value) || url.contains(&format!("/{digits}"));
            if own {
                found.url = Some(Located::new(url.to_owned(), line.number));
                return;
            }
            if let (None, Some(at)) = (&pattern, url.find("/kb/").or_else(|| url.find("/help/"))) {
                let rest = &url[at + 1..];
                let number = rest.split('/').nth(1).unwrap_or_default();
                if (5..=9).contains(&number.len())
                    && number.bytes().all(|byte| byte.is_ascii_digit())
                {
                    pattern = Some(Located::new(url.replacen(number, &digits, 1), line.number));
                }
            }
        }
    }
    found.url_is_derived = pattern.is_some();
    found.url = pattern;
}

fn addresses(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '(', ')', '<', '>', '"'])
        .filter(|word| word.starts_with("http://") || word.starts_with("https://"))
        .map(|word| word.trim_end_matches(['.', ',', ';']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::lines;
    use crate::outline::outline;

    fn read(text: &str) -> ArticleIdentity {
        identity(&outline(&lines(text)))
    }

    #[test]
    fn the_identity_is_read_from_the_head_and_the_list_of_products() {
        let found = read(
            "Article ID: 612345 - Last Review: 3 June 2011 - Revision: 2.10\n\nDescription of Update Rollup 7 for the Orchard \
             services in Contoso Grove 2.5\n\nSUMMARY\n\nThis rollup was released on 2011-05-30. See 600001 \
             (http://example.com/kb/600001/ ).\n\nAPPLIES TO\n  • Contoso Grove 2.5\n  • Contoso Grove 2.6\nKeywords: kbfix KB612345\n",
        );
        assert_eq!(
            found.kb.map(|kb| (kb.value.to_string(), kb.line)),
            Some(("KB612345".to_owned(), 1))
        );
        assert_eq!(
            found.title.map(|title| title.value).as_deref(),
            Some("Update Rollup 7 for the Orchard services")
        );
        assert_eq!(
            found.product.map(|product| product.value).as_deref(),
            Some("Contoso Grove")
        );
        let versions: Vec<_> = found
            .versions
            .iter()
            .map(|version| version.value.as_str())
            .collect();
        assert_eq!(versions, ["2.5", "2.6"]);
        assert_eq!(
            found.scope.map(|scope| scope.value).as_deref(),
            Some("Orchard")
        );
        assert_eq!(
            found.released.map(|day| day.value).as_deref(),
            Some("2011-05-30")
        );
        assert_eq!(
            found.reviewed.map(|day| day.value).as_deref(),
            Some("2011-06-03")
        );
        assert_eq!(
            found
                .revision
                .map(|revision| revision.value.to_string())
                .as_deref(),
            Some("2.10")
        );
        assert_eq!(
            found.url.map(|url| url.value).as_deref(),
            Some("http://example.com/kb/612345/")
        );
        assert!(found.url_is_derived);
    }

    #[test]
    fn the_number_may_be_in_a_banner() {
        for (line, wanted) in [
            ("Contoso Knowledge Base - Article 612345", Some("KB612345")),
            ("Article 612345 Revision 1.4", Some("KB612345")),
            ("For more see the Help - Article 612345.", None),
            ("See article 612345", None),
        ] {
            let found = read(&format!("{line}\nUpdate Rollup 7 for Contoso Grove 2.5\n"));
            assert_eq!(
                found.kb.map(|kb| kb.value.to_string()).as_deref(),
                wanted,
                "{line}"
            );
        }
    }

    #[test]
    fn the_day_of_the_release_may_be_in_a_sentence() {
        for (sentence, wanted) in [
            (
                "Contoso published this rollup for all groves on 30 May 2011.",
                Some("2011-05-30"),
            ),
            (
                "The rollup was made available on May 30, 2011.",
                Some("2011-05-30"),
            ),
            ("Contoso published this rollup in May 2011.", None),
            (
                "Contoso released the update of article 600001 for testers on 30 May 2011.",
                None,
            ),
        ] {
            let found = read(&format!(
                "Update Rollup 7 for Contoso Grove 2.5\n\n{sentence}\n"
            ));
            assert_eq!(
                found.released.map(|day| day.value).as_deref(),
                wanted,
                "{sentence}"
            );
        }
    }

    #[test]
    fn editions_are_one_product_and_the_foot_of_a_page_is_none() {
        for list in [
            "APPLIES TO\n- Contoso Grove 2.5 Small Edition\n- Contoso Grove 2.5 Large Edition\n\n© 2011 Contoso | Imprint\n",
            "Applies to: Contoso® Grove 2.5, Contoso Grove 2.5 for Schools\n(c) 2011 Contoso\n",
        ] {
            let found = read(&format!(
                "Update Rollup 7 for the Apple Press in Contoso® Grove 2.5 (KB612345)\n\nWords.\n\n{list}"
            ));
            assert_eq!(
                found.product.map(|product| product.value).as_deref(),
                Some("Contoso Grove")
            );
            assert_eq!(
                found
                    .versions
                    .iter()
                    .map(|version| version.value.as_str())
                    .collect::<Vec<_>>(),
                ["2.5"]
            );
            assert_eq!(
                found.title.map(|title| title.value).as_deref(),
                Some("Update Rollup 7 for the Apple Press")
            );
            assert_eq!(
                found.scope.map(|scope| scope.value).as_deref(),
                Some("Apple Press")
            );
            assert!(found.open.is_empty(), "{:?}", found.open);
        }
    }

    #[test]
    fn without_a_list_the_title_names_the_product() {
        let found =
            read("Cumulative Update 2 for Fabrikam Mill version 3 (KB700001)\n\nSome words.\n");
        assert_eq!(
            found.kb.map(|kb| kb.value.to_string()).as_deref(),
            Some("KB700001")
        );
        assert_eq!(
            found.product.map(|product| product.value).as_deref(),
            Some("Fabrikam Mill")
        );
        assert_eq!(
            found.title.map(|title| title.value).as_deref(),
            Some("Cumulative Update 2")
        );
    }
}

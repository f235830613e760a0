//! Identity of a rollup: number, title, product and versions, days.

use super::dates;
use super::lines::ArticleLine;
use super::numbers::numbers;
use super::outline::OutlineEntry;
use super::section::Section;
use super::{Located, OpenQuestion, clauses, words};
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

/// Reads the identity of the article; a given number decides which article it is.
pub(super) fn identity(outline: &[OutlineEntry<'_>], kb: Option<Kb>) -> ArticleIdentity {
    let mut found = ArticleIdentity::default();
    match kb {
        Some(kb) => found.kb = Some(Located::new(kb, 0)),
        None => own_number(outline, &mut found),
    }
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

/// Words before the number of the article itself.
const LABELS: [&str; 12] = [
    "article id",
    "article number",
    "article no",
    "article:",
    "original kb number",
    "kb number",
    "kb article",
    "kb:",
    "knowledge base article",
    "document id",
    "artikel-id",
    "artikelnummer",
];

/// Finds the number of the article itself. Only places that give no other number count: a label,
/// the banner or the title of the page, its address, its keywords. Several numbers are no answer.
fn own_number(outline: &[OutlineEntry<'_>], found: &mut ArticleIdentity) {
    let mut candidates: Vec<Located<Kb>> = Vec::new();
    for (at, OutlineEntry { line, section, .. }) in outline.iter().enumerate() {
        let is_listed =
            line.marker.is_some() || matches!(section, Section::Installation | Section::Files);
        if is_listed || !is_own_place(line, at) {
            continue;
        }
        for kb in numbers(&line.text).into_iter().take(1) {
            if !candidates.iter().any(|known| known.value == kb) {
                candidates.push(Located::new(kb, line.number));
            }
        }
    }
    if let [_, other, ..] = candidates.as_slice() {
        let places: Vec<String> = candidates
            .iter()
            .map(|kb| format!("{} (line {})", kb.value, kb.line))
            .collect();
        let message = format!(
            "`kb`: the article may be {}; `--kb` decides",
            places.join(" or ")
        );
        found.open.push(OpenQuestion {
            line: Some(other.line),
            message,
        });
        return;
    }
    found.kb = candidates.pop();
}

/// Returns whether a line is a place for the article's own number.
fn is_own_place(line: &ArticleLine, at: usize) -> bool {
    let lower = line.text.to_lowercase();
    let is_labelled = LABELS.iter().any(|label| lower.starts_with(label));
    let is_keywords = lower.split(' ').all(|word| word.starts_with("kb"));
    let in_brackets = lower.rsplit('(').next().filter(|_| lower.ends_with(')'));
    let is_title =
        line.title || at < HEAD && is_title(&line.text) && in_brackets.is_some_and(is_lettered);
    let is_numbered = at < 3 && numbered_title(&line.text).is_some();
    let is_address = line.address;
    is_labelled
        || is_keywords
        || is_title && is_lettered(&lower)
        || is_numbered
        || is_address
        || at < HEAD && is_banner(&line.text)
}

/// Returns whether a text has a number with its letters; digits alone may be anything.
fn is_lettered(lower: &str) -> bool {
    ["kb", "q"].iter().any(|letters| {
        lower.match_indices(letters).any(|(at, _)| {
            let rest = lower[at + letters.len()..].trim_start_matches([' ', '-']);
            rest.starts_with(|c: char| c.is_ascii_digit())
                && !lower[..at].ends_with(char::is_alphanumeric)
        })
    })
}

/// Returns the title in `KB612345: Title` and `Q612345 - Title`, which may be empty.
fn numbered_title(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("KB").or_else(|| text.strip_prefix('Q'))?;
    let digits = rest
        .trim_start_matches(' ')
        .trim_start_matches(|c: char| c.is_ascii_digit());
    let count = rest.trim_start().len() - digits.len();
    let rest = digits.trim_start();
    let title = rest
        .strip_prefix([':', '-', '–', '—', '|'])
        .or(rest.is_empty().then_some(""))?;
    (5..=9).contains(&count).then_some(title.trim())
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
        let number = lower[at + LABEL.len()..].trim_start_matches(['q', 'k', 'b']);
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        begins && (5..=9).contains(&digits)
    });
    banner
        && !text.ends_with(['.', '?', '!'])
        && text.chars().count() <= 150
        && numbers(text).len() == 1
}

/// Words before the day of the last review.
const REVIEWED: [&str; 7] = [
    "last review",
    "last updated",
    "last modified",
    "last reviewed",
    "ms.date",
    "reviewed:",
    "reviewed on",
];

/// Words before the day of the release.
const RELEASED: [&str; 12] = [
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

/// Reads the days that follow their labels, and the revision.
fn days(line: &ArticleLine, found: &mut ArticleIdentity) {
    if found.reviewed.is_none() {
        found.reviewed = labelled_day(line, &REVIEWED, &mut found.open);
    }
    // In a line that names a file, the day is that of the file.
    let names_file = line.text.split(' ').any(|word| words::name(word).is_some());
    if found.released.is_none() && !names_file {
        let released = || {
            clauses::sentences(&line.text)
                .into_iter()
                .find_map(released)
        };
        found.released = labelled_day(line, &RELEASED, &mut found.open)
            .or_else(|| released().map(|day| Located::new(day, line.number)));
    }
    let lower = line.text.to_lowercase();
    if let Some((_, rest)) = lower
        .split_once("revision")
        .filter(|_| found.revision.is_none())
    {
        let rest = rest.trim_start_matches([' ', ':', '#']);
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let number = rest[..end.unwrap_or(rest.len()).min(20)].trim_end_matches('.');
        let revision = number.parse().ok();
        found.revision = revision.map(|revision| Located::new(revision, line.number));
    }
}

/// Returns the day that directly follows a label, and not somewhere later in the sentence.
fn labelled_day(
    line: &ArticleLine,
    labels: &[&str],
    open: &mut Vec<OpenQuestion>,
) -> Option<Located<String>> {
    let lower = line.text.to_lowercase();
    let behind = labels.iter().find_map(|label| {
        let mut found = lower.match_indices(label);
        let (at, _) = found.find(|(at, _)| !lower[..*at].ends_with(char::is_alphanumeric))?;
        line.text.get(at + label.len()..)
    })?;
    let behind: String = behind.chars().take(40).collect();
    let day = dates::day_in(&behind)?;
    // In front matter, the month comes first.
    let is_front = lower.starts_with("ms.date");
    let only = if is_front {
        day.month_first.as_ref()
    } else {
        day.only()
    };
    if let (None, Some(one), Some(other)) = (only, &day.month_first, &day.day_first) {
        open.push(OpenQuestion {
            line: Some(line.number),
            message: format!("the day may be {one} or {other}"),
        });
    }
    only.map(|day| Located::new(day.clone(), line.number))
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
            || LABELS.iter().any(|label| lower.starts_with(label))
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
    let mut others: Vec<Located<String>> = Vec::new();
    for entry in entries {
        let line = entry.line;
        let entry = without_marks(&entry.value);
        let (product, versions) = with_versions(&entry);
        let known = found
            .product
            .get_or_insert_with(|| Located::new(product.to_owned(), line));
        if known.value != product {
            others.push(Located::new(product.to_owned(), line));
            continue;
        }
        for version in versions {
            if !found.versions.iter().any(|known| known.value == version) {
                found.versions.push(Located::new(version.to_owned(), line));
            }
        }
    }
    if let (Some(first), Some(product)) = (others.first(), &found.product) {
        let names: Vec<String> = others
            .iter()
            .map(|other| format!("`{}`", other.value))
            .collect();
        let message = format!(
            "the article also applies to {}, but a manifest is for one product: {}",
            names.join(", "),
            product.value
        );
        found.open.push(OpenQuestion {
            line: Some(first.line),
            message,
        });
    }
}

/// Splits `Product version 4.0` and `Product versions 4.0, 4.0 SP1` into product and versions.
fn with_versions(text: &str) -> (&str, Vec<&str>) {
    for words in [" versions ", " version "] {
        let Some((product, rest)) = text.split_once(words) else {
            continue;
        };
        let is_version = |part: &&str| {
            let mut words = part.split(' ');
            let numbered = words
                .next()
                .is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
            numbered && words.all(|word| word.starts_with("SP") || word.starts_with("R"))
        };
        let versions: Vec<&str> = rest.trim_end_matches('.').split(", ").collect();
        if versions.len() > 1 && versions.iter().all(is_version)
            || versions.len() == 1 && rest.contains(" SP") && is_version(&rest)
        {
            return (product.trim_end_matches(','), versions);
        }
    }
    let (product, version) = versioned(without_edition(text));
    (product, version.into_iter().collect())
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

/// Finds the title: behind the number, in the name of the page, or on the line after the number.
fn title(outline: &[OutlineEntry<'_>], found: &mut ArticleIdentity) {
    let head = || {
        outline
            .iter()
            .take(HEAD)
            .map(|entry| entry.line)
            .filter(|line| line.marker.is_none())
    };
    let first = outline.iter().take(3).map(|entry| entry.line);
    let behind = first
        .filter_map(|line| Some((numbered_title(&line.text)?, line.number)))
        .find(|(title, _)| !title.is_empty());
    if let Some((title, line)) = behind.filter(|(title, _)| !names_rollup(title)) {
        found.title = Some(Located::new(title.to_owned(), line));
        return;
    }
    let is_phrase = |line: &&ArticleLine| !line.text.ends_with('.');
    let of_rollup = || head().filter(|line| is_title(&line.text)).filter(is_phrase);
    let line = of_rollup()
        .find(|line| line.title)
        .or_else(|| {
            outline
                .iter()
                .take(HEAD)
                .find(|entry| {
                    entry.section == Section::Head
                        && of_rollup().any(|line| line.number == entry.line.number)
                })
                .map(|entry| entry.line)
        })
        .or_else(|| {
            outline
                .iter()
                .map(|entry| entry.line)
                .find(|line| line.title)
        })
        .or_else(|| of_rollup().next());
    match (line, behind) {
        (Some(line), _) if names_rollup(&line.text) => title_of_rollup(line, found),
        (_, Some((title, line))) => found.title = Some(Located::new(title.to_owned(), line)),
        (Some(line), None) => {
            let title = without_site(without_number(&line.text));
            found.title = (!title.is_empty()).then(|| Located::new(title.to_owned(), line.number));
        }
        (None, None) => found.title = after_number(outline, found),
    }
}

/// Returns whether a title names a rollup, which it shares with many others of one product.
fn names_rollup(title: &str) -> bool {
    let lower = title.to_lowercase();
    ["rollup", "cumulative update"]
        .iter()
        .any(|name| lower.contains(name))
}

/// Returns the line after the one with the number, if it can be a title.
fn after_number(outline: &[OutlineEntry<'_>], found: &ArticleIdentity) -> Option<Located<String>> {
    let number = found.kb.as_ref()?.line;
    let at = outline
        .iter()
        .take(HEAD)
        .position(|entry| entry.line.number == number)?;
    let entry = outline.get(at + 1)?;
    let text = &entry.line.text;
    let is_label = text
        .split_once(':')
        .is_some_and(|(label, _)| label.split(' ').count() <= 2);
    let is_title = entry.section == Section::Head
        && !text.ends_with(['.', ',', ';', ':'])
        && (2..=40).contains(&text.split(' ').count())
        && entry.line.marker.is_none()
        && entry.line.cells.len() < 2;
    (is_title && !is_label).then(|| Located::new(text.clone(), entry.line.number))
}

/// Returns a title without the name of the site behind it.
fn without_site(title: &str) -> &str {
    let site = [" - ", " | ", " – "]
        .iter()
        .filter_map(|dash| title.rsplit_once(*dash))
        .find(|(_, site)| {
            let lower = site.to_lowercase();
            ["support", "learn", "docs", "help", "knowledge base"]
                .iter()
                .any(|word| lower.ends_with(word))
                && site.split(' ').count() <= 4
        });
    site.map_or(title, |(title, _)| title).trim()
}

/// Takes the title of a rollup: its product, version and scope have keys of their own.
fn title_of_rollup(line: &ArticleLine, found: &mut ArticleIdentity) {
    let text = without_marks(without_site(&line.text));
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

/// Returns a title without the number before it or behind it.
fn without_number(title: &str) -> &str {
    let title = numbered_title(title)
        .filter(|title| !title.is_empty())
        .unwrap_or(title);
    let number = ["(KB", "(kb", "(Q"]
        .iter()
        .find_map(|open| title.rsplit_once(open));
    number.map_or(title, |(before, _)| before.trim_end())
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
    without_number(title)
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
        identity(&outline(&lines(text)), None)
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
    fn the_day_of_a_file_is_not_that_of_the_release() {
        let found = read(
            "KB612345: Wheels\n\nWheel.vxd version 4.0 (dated 31 May 2011) and later\n\nIt is dated 1 June 2011.\n",
        );
        assert_eq!(found.released.map(|day| day.line), Some(5));
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

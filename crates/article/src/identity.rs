//! Identity of a rollup: number, title, product and versions, days.

use super::dates;
use super::lines::ArticleLine;
use super::numbers::numbers;
use super::outline::OutlineEntry;
use super::section::Section;
use super::text::{LazyPattern, ends, has, pattern, without_end, without_start};
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
        let may_name = matches!(section, Section::Head | Section::Summary | Section::Other);
        if let (None, true, Some(scope)) = (&found.scope, may_name, SCOPE.captures(&line.text)) {
            found.scope = Some(Located::new(&scope[1], line.number));
        }
    }
    applies_to(outline, &mut found);
    title(outline, &mut found);
    url(outline, &mut found);
    found
}

/// Scope in "… for the X services", "applies only to the X components".
static SCOPE: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?:applies only to (?:the )?|applies to the |for the |updates the )([[:upper:]][^\s,.:]*(?: [^\s,.:]+){0,4}?) (?:services?|components?|features)",
    )
});

/// Line with the number of the article itself: a label, or its keywords.
static LABELLED: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?i)^(?:article (?:id|number|no)|article:|original kb number|kb number|kb article|kb:|knowledge base article|document id|artikel-id|artikelnummer)|^kb\S*(?: kb\S*)*$",
    )
});

/// Line below a list of products, which belongs to the page itself.
static BELOW_LIST: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?i)^(?:keyword|©|\(c\)|copyright)|[.?!]$|all rights reserved|terms of use|trade ?mark| \| |(?:^| )(?-i:kb)",
    )
});

/// Number with its letters; digits alone may be anything.
static LETTERED: LazyPattern = LazyPattern::new(|| pattern(r"(?i)(?:^|[\W_])(?:kb|q)[ -]*\d"));

/// Title in `KB612345: Title` and `Q612345 - Title`, which may be empty.
static NUMBERED_TITLE: LazyPattern =
    LazyPattern::new(|| pattern(r"^(?:KB|Q) *\d{5,9}\s*(?:[-:–—|]\s*(.*)|$)"));

/// Banner, such as `Article 612345 Revision 1.0` or `X Knowledge Base - Article 612345`: nothing
/// but the page's own name is before the word.
static BANNER: LazyPattern =
    LazyPattern::new(|| pattern(r"(?i)(?:^|[-–—|:>»])\s*article [qkb]*\d{5,9}(?:\D|$)"));

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
        if let Some(kb) = numbers(&line.text).first()
            && !candidates.iter().any(|known| known.value == *kb)
        {
            candidates.push(Located::new(*kb, line.number));
        }
    }
    let Some(other) = candidates.get(1) else {
        found.kb = candidates.pop();
        return;
    };
    let places = candidates.iter();
    let places = places.map(|kb| format!("{} (line {})", kb.value, kb.line));
    let places = places.collect::<Vec<_>>().join(" or ");
    let message = format!("`kb`: the article may be {places}; `--kb` decides");
    found.open.push(OpenQuestion::new(other.line, message));
}

/// Returns whether a line is a place for the article's own number.
fn is_own_place(line: &ArticleLine, at: usize) -> bool {
    let text = &line.text;
    let in_brackets = text.ends_with(')') && text.rsplit('(').next().is_some_and(is_lettered);
    let is_banner = BANNER.is_match(text)
        && !ends(text, ".|?|!")
        && text.chars().count() <= 150
        && numbers(text).len() == 1;
    line.address
        || line.title && is_lettered(text)
        || LABELLED.is_match(text)
        || at < 3 && NUMBERED_TITLE.is_match(text)
        || at < HEAD && (is_title(text) && in_brackets || is_banner)
}

fn is_lettered(text: &str) -> bool {
    LETTERED.is_match(text)
}

fn numbered_title(text: &str) -> Option<&str> {
    let found = NUMBERED_TITLE.captures(text)?;
    Some(found.get(1).map_or("", |title| title.as_str().trim()))
}

/// Words before the day of the last review.
static REVIEWED: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?i)(?:^|[\W_])(?:last (?:review|updated|modified)|ms\.date|reviewed:|reviewed on)(.{0,40})",
    )
});

/// Words before the day of the release.
static RELEASED: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?i)(?:^|[\W_])(?:released on|release date|released:|date published|published:|published on|made available on|became available on|available since|issued on|dated)(.{0,40})",
    )
});

/// Release in "X released Update Rollup 7 for its services on 3 June 2011".
static ANNOUNCED: LazyPattern =
    LazyPattern::new(|| pattern(r"(?i) (?:released|published|issued|made available) "));

static REVISION: LazyPattern = LazyPattern::new(|| pattern(r"(?i)revision[ :#]*(\d[\d.]{0,18})"));

/// Reads the days that follow their labels, and the revision.
fn days(line: &ArticleLine, found: &mut ArticleIdentity) {
    let ArticleLine { text, number, .. } = line;
    if found.reviewed.is_none() {
        found.reviewed = labelled_day(line, &REVIEWED, &mut found.open);
    }
    // In a line that names a file, the day is that of the file.
    let names_file = text.split(' ').any(|word| words::name(word).is_some());
    if found.released.is_none() && !names_file {
        found.released = labelled_day(line, &RELEASED, &mut found.open).or_else(|| {
            let day = clauses::sentences(text).into_iter().find_map(released)?;
            Some(Located::new(day, *number))
        });
    }
    if let (None, Some(revision)) = (&found.revision, REVISION.captures(text)) {
        let revision: Option<Version> = revision[1].trim_end_matches('.').parse().ok();
        found.revision = revision.map(|revision| Located::new(revision, *number));
    }
}

/// Returns the day that directly follows a label, and not somewhere later in the sentence.
fn labelled_day(
    line: &ArticleLine,
    label: &LazyPattern,
    open: &mut Vec<OpenQuestion>,
) -> Option<Located<String>> {
    let mut labels = label.captures_iter(&line.text);
    let day = labels.find_map(|label| dates::day_in(&label[1]))?;
    let only = match line.text.starts_with("ms.date") {
        // In front matter, the month comes first.
        true => day.month_first.as_ref(),
        false => day.only(),
    };
    if let (None, Some(one), Some(other)) = (only, &day.month_first, &day.day_first) {
        let message = format!("the day may be {one} or {other}");
        open.push(OpenQuestion::new(line.number, message));
    }
    only.map(|day| Located::new(day, line.number))
}

/// Returns the day of a release that a sentence announces: verb, rollup and day are in one
/// sentence, which mentions no other article.
fn released(sentence: &str) -> Option<String> {
    let is_announced = sentence.len() <= 1_000
        && ANNOUNCED.is_match(sentence)
        && has(&sentence.to_lowercase(), "rollup|update|hotfix")
        && numbers(sentence).is_empty();
    let mut places = sentence.split(" on ").skip(usize::from(is_announced));
    places
        .find_map(|text| dates::day(text)?.0.only().cloned())
        .filter(|_| is_announced)
}

/// Reads products with their versions from the list below "Applies to".
fn applies_to(outline: &[OutlineEntry<'_>], found: &mut ArticleIdentity) {
    let mut others: Vec<Located<String>> = Vec::new();
    let entries = outline.iter();
    let entries = entries.filter(|entry| entry.section == Section::AppliesTo);
    for OutlineEntry { line, heading, .. } in entries.take(100) {
        let lower = line.text.to_lowercase();
        let text = match lower.find("applies to") {
            Some(at) => line.text.get(at + "applies to".len()..).unwrap_or_default(),
            None if *heading => "",
            None => line.text.as_str(),
        };
        let text = without_marks(text.trim_start_matches([':', ' ']));
        if BELOW_LIST.is_match(&line.text) || LABELLED.is_match(&line.text) {
            break;
        }
        for entry in products(&text) {
            let (product, versions) = with_versions(entry);
            let named = Located::new(product, line.number);
            let known = found.product.get_or_insert(named.clone());
            if known.value != product {
                others.push(named);
                continue;
            }
            for version in versions {
                if !found.versions.iter().any(|known| known.value == version) {
                    let version = Located::new(version, line.number);
                    found.versions.push(version);
                }
            }
        }
    }
    if let (Some(first), Some(product)) = (others.first(), &found.product) {
        let names = others.iter().map(|other| format!("`{}`", other.value));
        let message = format!(
            "the article also applies to {}, but a manifest is for one product: {}",
            names.collect::<Vec<_>>().join(", "),
            product.value
        );
        found.open.push(OpenQuestion::new(first.line, message));
    }
}

/// `Product version 4.0 SP1` and `Product versions 4.0, 4.0 SP1`.
static VERSIONS: LazyPattern = LazyPattern::new(|| {
    pattern(r"^(.*?),? versions? ([\d.]+(?: (?:SP|R)[^ ,]*)*(?:, [\d.]+(?: (?:SP|R)[^ ,]*)*)*)$")
});

/// `Product 4.0`, perhaps with an edition: a version has a dot, or a `v` or `version` before it.
static PRODUCT: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?i)^(.+?),?(?: v(?:ersions?)? ?(\d+(?:\.\d+)*)| (\d+(?:\.\d+)+)),?(?: (?:for |\().*| (?:.* )?editions?)?$",
    )
});

/// Splits a text into product and versions.
fn with_versions(text: &str) -> (&str, Vec<&str>) {
    if let Some(found) = VERSIONS.captures(text.trim_end_matches('.')) {
        let (_, [product, versions]) = found.extract();
        let versions: Vec<&str> = versions.split(", ").collect();
        if versions.len() > 1 || versions[0].contains(" SP") {
            return (product, versions);
        }
    }
    let (product, version) = versioned(text);
    (product, version.into_iter().collect())
}

/// Splits a text into product and version.
fn versioned(text: &str) -> (&str, Option<&str>) {
    let text = text.trim_end_matches(['.', ',', ';']);
    let Some(found) = PRODUCT.captures(text) else {
        return (text, None);
    };
    let part = |at| found.get(at).map(|part| part.as_str());
    (part(1).unwrap_or(text), part(2).or(part(3)))
}

/// Returns the products of a line; a comma separates them only if each has a version of its own.
fn products(text: &str) -> Vec<&str> {
    let parts = text.split([',', ';']).map(str::trim);
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    match parts.iter().all(|part| versioned(part).1.is_some()) {
        true => parts,
        false => vec![text],
    }
}

/// Removes the signs that a name is protected.
fn without_marks(text: &str) -> String {
    ["®", "™", "℠", "(R)", "(TM)", "(tm)"]
        .iter()
        .fold(text.to_owned(), |text, mark| text.replace(mark, ""))
}

fn is_title(text: &str) -> bool {
    let words = "rollup|hotfix|cumulative update|service update|update for|update package|fix pack|service pack";
    has(&text.to_lowercase(), words) && text.chars().count() <= 250
}

/// Finds the title: behind the number, in the name of the page, or on the line after the number.
fn title(outline: &[OutlineEntry<'_>], found: &mut ArticleIdentity) {
    let behind: Option<Located<String>> = outline.iter().take(3).find_map(|entry| {
        let title = numbered_title(&entry.line.text).filter(|title| !title.is_empty())?;
        Some(Located::new(title, entry.line.number))
    });
    if behind
        .as_ref()
        .is_some_and(|title| !names_rollup(&title.value))
    {
        found.title = behind;
        return;
    }
    let head = outline.iter().take(HEAD).filter(|entry| {
        let text = &entry.line.text;
        entry.line.marker.is_none() && is_title(text) && !text.ends_with('.')
    });
    let head: Vec<&OutlineEntry<'_>> = head.collect();
    let mut named = head.iter().filter(|entry| entry.line.title);
    let mut above = head.iter().filter(|entry| entry.section == Section::Head);
    let of_page = outline.iter().find(|entry| entry.line.title);
    let entry = named.next().or(above.next()).copied();
    let entry = entry.or(of_page).or(head.first().copied());
    match (entry.map(|entry| entry.line), behind) {
        (Some(line), _) if names_rollup(&line.text) => title_of_rollup(line, found),
        (_, Some(title)) => found.title = Some(title),
        (Some(line), None) => {
            let title = without_site(without_number(&line.text));
            found.title = (!title.is_empty()).then(|| Located::new(title, line.number));
        }
        (None, None) => found.title = after_number(outline, found),
    }
}

/// Returns whether a title names a rollup, which it shares with many others of one product.
fn names_rollup(title: &str) -> bool {
    has(&title.to_lowercase(), "rollup|cumulative update")
}

/// Returns the line after the one with the number, if it can be a title.
fn after_number(outline: &[OutlineEntry<'_>], found: &ArticleIdentity) -> Option<Located<String>> {
    let number = found.kb.as_ref()?.line;
    let mut entries = outline.iter().take(HEAD + 1);
    entries.find(|entry| entry.line.number == number)?;
    let OutlineEntry { line, section, .. } = entries.next()?;
    let text = &line.text;
    let label = text.split_once(':').map(|(label, _)| label);
    let is_title = *section == Section::Head
        && !ends(text, ".|,|;|:")
        && (2..=40).contains(&text.split(' ').count())
        && line.marker.is_none()
        && line.cells.len() < 2
        && label.is_none_or(|label| label.split(' ').count() > 2);
    is_title.then(|| Located::new(text, line.number))
}

/// Name of the site behind a title.
static SITE: LazyPattern = LazyPattern::new(|| {
    pattern(r"(?i) [-|–] (?:[^ ]+ ){0,3}(?:[^ ]*(?:support|learn|docs|help)|knowledge base)$")
});

/// Returns a title without the name of the site behind it.
fn without_site(title: &str) -> &str {
    let site = SITE.find(title);
    site.map_or(title, |site| &title[..site.start()]).trim()
}

/// Title of a rollup without its product, as in "Rollup 3 for the X".
static PART: LazyPattern =
    LazyPattern::new(|| pattern(r" for the ([[:upper:]][^ ,.:]*(?: [[:upper:]][^ ,.:]*){0,4})$"));

/// Takes the title of a rollup: its product, version and scope have keys of their own.
fn title_of_rollup(line: &ArticleLine, found: &mut ArticleIdentity) {
    let text = without_marks(without_site(&line.text));
    let frame = "Title:|Description of the|Description of|Availability of";
    let mut title = without_number(without_start(&text, frame).trim_start());
    let located = |text: &str| Located::new(text, line.number);
    // A product from the list is recognized in the title; without a list, the end of the title is
    // the only source.
    if let Some(product) = &found.product {
        if let Some((before, version)) = title.split_once(&product.value) {
            let version = without_start(version.trim(), "version |Version ");
            let is_version = !version.is_empty() && version.trim_matches(is_numeric).is_empty();
            if is_version && found.versions.is_empty() {
                found.versions.push(located(version));
            }
            title = without_end(before.trim_end(), " the| in| for| of| to").trim_end();
        }
    } else if let Some((before, product)) = title.rsplit_once(" in ").or(title.rsplit_once(" for "))
        && let (product, Some(version)) = versioned(product)
        && product.starts_with(char::is_uppercase)
    {
        found.product = Some(located(product));
        found.versions.push(located(version));
        title = before;
    }
    let title = title.trim_end_matches([':', '-', '–', ',', ' ']);
    if let (None, Some(_), Some(part)) = (&found.scope, &found.product, PART.captures(title)) {
        found.scope = Some(located(&part[1]));
    }
    found.title = (!title.is_empty()).then(|| located(title));
}

fn is_numeric(c: char) -> bool {
    c.is_ascii_digit() || c == '.'
}

/// Returns a title without the number before it or behind it.
fn without_number(title: &str) -> &str {
    let numbered = numbered_title(title).filter(|title| !title.is_empty());
    let title = numbered.unwrap_or(title);
    let mut behind = ["(KB", "(kb", "(Q"].iter();
    let number = behind.find_map(|open| title.rsplit_once(open));
    number.map_or(title, |(before, _)| before.trim_end())
}

static ADDRESS: LazyPattern = LazyPattern::new(|| pattern(r#"https?://[^ ()<>"]+"#));

/// Number of an article in an address.
static NUMBER: LazyPattern = LazyPattern::new(|| pattern(r"/(?:kb|help)/(\d{5,9})(?:/|$)"));

/// Finds the article's own address, or derives it from that of another article.
fn url(outline: &[OutlineEntry<'_>], found: &mut ArticleIdentity) {
    let Some(kb) = &found.kb else { return };
    let digits = kb.value.to_string()[2..].to_owned();
    for OutlineEntry { line, .. } in outline {
        for url in ADDRESS.find_iter(&line.text) {
            let url = url.as_str().trim_end_matches(['.', ',', ';']);
            let is_own = numbers(url).contains(&kb.value) || url.contains(&format!("/{digits}"));
            if is_own {
                found.url = Some(Located::new(url, line.number));
                found.url_is_derived = false;
                return;
            }
            if let (None, Some(number)) = (&found.url, NUMBER.captures(url)) {
                let url = url.replacen(&number[1], &digits, 1);
                found.url = Some(Located::new(url, line.number));
                found.url_is_derived = true;
            }
        }
    }
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

//! The list below an instruction: names of items, services or files.

use super::Located;
use super::clauses::{self, verb};
use super::commands::Objects;
use super::issues::remark;
use super::lines::{ArticleLine, Marker, starts_with_file};
use super::outline::OutlineEntry;
use super::parts::is_title;
use super::steps::unique;
use super::table::short;
use super::text::{has, is};
use rollup_names::FileName;

/// Words for lists.
const LISTS: &str = "these files|these items|these components|these packages|of these|in this list";

/// Returns the list below an instruction, if it announces one.
pub(super) fn members<'l>(rest: &[&OutlineEntry<'l>]) -> Vec<&'l ArticleLine> {
    let text = &rest[0].line.text;
    let lower = text.to_lowercase();
    let announces = has(&lower, "following|listed below|these|in this list")
        && !lower.contains("steps")
        && (text.ends_with(':') || lower.contains("following") || has(&lower, LISTS));
    let below = rest[1..].iter().filter(|_| announces);
    below
        .take_while(|entry| !entry.heading && is_member(entry.line))
        .map(|entry| entry.line)
        .collect()
}

fn is_member(line: &ArticleLine) -> bool {
    let is_file = starts_with_file(&line.text) && !line.text.contains(' ');
    let is_listed = match line.marker {
        Some(marker) => marker == Marker::Bullet,
        // A list that lost its bullets has names of files or items, and not sentences.
        None => !line.heading && (is_file || is_name(line)),
    };
    is_listed && remark(&line.text).is_none()
}

fn is_name(line: &ArticleLine) -> bool {
    let text = &line.text;
    let verb = verb(text).map_or("", |(verb, _)| verb);
    is_title(line)
        && !line.apart
        && !text.ends_with(':')
        && text.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
        && text.split(' ').count() <= 8
        && clauses::clauses(text).len() == 1
        && !is(verb, "click|expand|right-click|copy|open|restart")
}

/// Returns the files of a step, and the open questions about them.
pub(super) fn listed(
    files: Objects,
    line: &ArticleLine,
    members: &[&ArticleLine],
) -> (Vec<Located<String>>, Vec<Located<String>>) {
    let mut todo = Vec::new();
    if let Objects::Named(names) = files {
        let names = names.into_iter();
        let names = names.map(|name| Located::new(name, line.number));
        return (unique(names.collect()), todo);
    }
    let mut listed = Vec::new();
    for (at, member) in members.iter().enumerate() {
        // The name of a part of the list has files one level deeper below it.
        let is_above =
            |next: &&ArticleLine| next.depth > member.depth && starts_with_file(&next.text);
        if !member.text.contains('.') && members.get(at + 1).is_some_and(is_above) {
            continue;
        }
        let name = member
            .text
            .split([' ', '\t', '('])
            .next()
            .unwrap_or_default();
        let name = name.trim_end_matches([',', ';', ':']);
        if name.contains('.') && FileName::parse(name).is_ok() {
            listed.push(Located::new(name, member.number));
        } else {
            let message = format!("`{}` is not a file name", short(&member.text));
            todo.push(Located::new(message, member.number));
        }
    }
    (unique(listed), todo)
}

//! The list below an instruction: names of items, services or files.

use super::Located;
use super::clauses::{self, verb};
use super::commands::Objects;
use super::issues::remark;
use super::lines::{ArticleLine, Marker, starts_with_file};
use super::outline::OutlineEntry;
use super::parts::is_title;
use super::steps::unique;

/// Returns the list below an instruction, if it announces one.
pub(super) fn members<'l>(rest: &[&OutlineEntry<'l>]) -> Vec<&'l ArticleLine> {
    let line = rest[0].line;
    let lower = line.text.to_lowercase();
    const LISTS: [&str; 6] = [
        "these files",
        "these items",
        "these components",
        "these packages",
        "of these",
        "in this list",
    ];
    let announces = (["following", "listed below", "these", "in this list"]
        .iter()
        .any(|word| lower.contains(word)))
        && !lower.contains("steps")
        && (line.text.ends_with(':')
            || lower.contains("following")
            || LISTS.iter().any(|list| lower.contains(list)));
    if !announces {
        return Vec::new();
    }
    let is_member = |line: &&ArticleLine| {
        let listed = match line.marker {
            Some(Marker::Bullet) => true,
            // A list that lost its bullets has names of files or items, and not sentences.
            None => {
                !line.heading
                    && (starts_with_file(&line.text) && !line.text.contains(' ') || is_name(line))
            }
            Some(_) => false,
        };
        listed && remark(&line.text).is_none()
    };
    rest[1..]
        .iter()
        .take_while(|entry| !entry.heading)
        .map(|entry| entry.line)
        .take_while(is_member)
        .collect()
}

fn is_name(line: &ArticleLine) -> bool {
    is_title(line)
        && !line.apart
        && !line.text.ends_with(':')
        && line
            .text
            .starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
        && line.text.split(' ').count() <= 8
        && clauses::clauses(&line.text).len() == 1
        && !matches!(
            verb(&line.text),
            Some((
                "click" | "expand" | "right-click" | "copy" | "open" | "restart",
                _
            ))
        )
}

/// Returns the files of a step, and the open questions about them.
pub(super) fn listed(
    files: Objects,
    line: &ArticleLine,
    members: &[&ArticleLine],
) -> (Vec<Located<String>>, Vec<Located<String>>) {
    let mut todo = Vec::new();
    if let Objects::Named(names) = files {
        let names = names
            .into_iter()
            .map(|name| Located::new(name, line.number));
        return (unique(names.collect()), todo);
    }
    // The name of a part of the list has files one level deeper below it.
    let is_heading = |at: usize| {
        members
            .get(at + 1)
            .is_some_and(|next| next.depth > members[at].depth && starts_with_file(&next.text))
            && !members[at].text.contains('.')
    };
    let following = members
        .iter()
        .enumerate()
        .filter(|(at, _)| !is_heading(*at))
        .filter_map(|(_, member)| {
            let name = member
                .text
                .split([' ', '\t', '('])
                .next()
                .unwrap_or_default()
                .trim_end_matches([',', ';', ':']);
            match rollup_names::FileName::parse(name) {
                Ok(_) if name.contains('.') => Some(Located::new(name.to_owned(), member.number)),
                _ => {
                    todo.push(Located::new(
                        format!("`{}` is not a file name", super::table::short(&member.text)),
                        member.number,
                    ));
                    None
                }
            }
        });
    let following: Vec<Located<String>> = following.collect();
    (unique(following), todo)
}

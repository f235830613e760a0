//! Lists of names in the sentence of a finding.

/// Returns names in back quotes, joined by commas.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Returns whether a key, or a value in place of one, needs no quotes.
pub(in crate::document) fn is_bare_key(key: &str) -> bool {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    key.chars().all(is_bare)
}

/// Returns the first few names in back quotes, and the number of the others.
pub(crate) fn some_of<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const LISTED: usize = 5;
    let count = names.len();
    // One more name is as short as "and 1 more".
    let listed = if count > LISTED + 1 { LISTED } else { count };
    let mut names: Vec<_> = names.take(listed).map(|name| format!("`{name}`")).collect();
    if count > listed {
        names.push(format!("{} more", count - listed));
    }
    match &names[..] {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

//! Lists of names in the sentence of a finding.

/// Returns names in back quotes, joined by commas.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Returns the first few names in back quotes, and the number of the others.
pub(crate) fn some_of<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const TOLD: usize = 5;
    let count = names.len();
    let told = if count == TOLD + 1 {
        count
    } else {
        count.min(TOLD)
    };
    let names: Vec<_> = names.take(told).map(|name| format!("`{name}`")).collect();
    match (&names[..], count - told) {
        ([], _) => "nothing".to_owned(),
        ([one], 0) => one.clone(),
        ([first @ .., last], 0) => format!("{} and {last}", first.join(", ")),
        (all, more) => format!("{} and {more} more", all.join(", ")),
    }
}

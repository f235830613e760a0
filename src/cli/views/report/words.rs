//! Texts that the parts of a report share: names, times and durations.

use std::time::Duration;

use crate::cli::terminal::out::duration;
use crate::events::Attempt;

/// Format of a time in UTC.
const TO_THE_SECOND: &str = "%Y-%m-%d %H:%M:%S UTC";

/// Returns the name of a server; targets without one are shared.
pub(super) fn server_name(server: Option<&String>) -> String {
    server.map_or("shared by all", String::as_str).to_owned()
}

/// Returns the time since which something is unavailable, if the attempt has not ended.
pub(crate) fn unavailable_since(attempt: &Attempt) -> Option<String> {
    let since_us = attempt
        .outages
        .iter()
        .filter_map(|outages| outages.since_us)
        .min()
        .filter(|_| attempt.outcome.is_none())?;
    Some(format_moment(attempt, since_us))
}

/// Formats a time of the wall clock, to the second.
pub(crate) fn format_time(at: &str) -> String {
    match at.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime(TO_THE_SECOND).to_string(),
        Err(_) => at.to_owned(),
    }
}

/// Formats a duration in the unit that suits it.
pub(crate) fn format_duration(us: u64) -> String {
    duration(Duration::from_micros(us))
}

/// Formats a duration; nothing if it is zero.
pub(super) fn duration_or_blank(us: u64) -> String {
    if us == 0 {
        return String::new();
    }
    format_duration(us)
}

/// Formats a moment of an attempt by the wall clock, to the second.
pub(super) fn format_moment(attempt: &Attempt, us: u64) -> String {
    let offset = Duration::from_micros(us.saturating_sub(attempt.span.from_us));
    let began = attempt.at.parse::<jiff::Timestamp>().ok();
    match began.and_then(|began| began.checked_add(offset).ok()) {
        Some(moment) => moment.strftime(TO_THE_SECOND).to_string(),
        None => "an unknown time".to_owned(),
    }
}

/// Returns the words before a time of an attempt of which events are missing.
pub(super) fn at_least(attempt: &Attempt) -> &'static str {
    if attempt.partial { "at least " } else { "" }
}

/// Formats a part of a whole in percent.
pub(super) fn format_share(part: u64, whole: u64) -> String {
    match (part as f64 * 100.0 / whole.max(1) as f64).round() as u64 {
        0 if part > 0 => "less than 1 %".to_owned(),
        percent => format!("{percent} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_share_is_not_zero_percent() {
        assert_eq!(format_share(1, 1_000_000), "less than 1 %");
        assert_eq!(
            (format_share(0, 0), format_share(1, 2)),
            ("0 %".to_owned(), "50 %".to_owned())
        );
    }
}

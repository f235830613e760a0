//! Times of an `allowed_signers` file: `20261231`, `202612312359` or `20261231235900`, with `Z` in
//! UTC, without it by the clock of the machine.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};

/// End of a period that a time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// `valid-after`.
    Start,
    /// `valid-before`.
    Stop,
}

/// Returns a time as seconds since 1970, or `None` if it is not one.
///
/// OpenSSH takes a local time as standard time, even in summer. Of both readings the one that leaves
/// the shorter period is returned.
pub(crate) fn parse(text: &str, end: End) -> Option<i64> {
    parse_in(text, end, &TimeZone::system())
}

fn parse_in(text: &str, end: End, zone: &TimeZone) -> Option<i64> {
    let (digits, is_utc) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let civil = civil(digits)?;
    let utc = TimeZone::UTC.to_timestamp(civil).ok()?.as_second();
    let seconds = match is_utc {
        true => utc,
        false => strictest(civil, utc, end, zone)?,
    };
    (seconds > 0).then_some(seconds)
}

fn civil(digits: &str) -> Option<DateTime> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let format = match digits.len() {
        8 => "%Y%m%d",
        12 => "%Y%m%d%H%M",
        14 => "%Y%m%d%H%M%S",
        _ => return None,
    };
    let time = match digits.len() {
        8 => Date::strptime(format, digits).ok()?.into(),
        _ => DateTime::strptime(format, digits).ok()?,
    };
    // A second 60 would be read as 59.
    (time.strftime(format).to_string() == digits).then_some(time)
}

/// Returns the strictest reading of a local time: by each offset that the zone has around it, and by
/// its standard offset.
fn strictest(civil: DateTime, utc: i64, end: End, zone: &TimeZone) -> Option<i64> {
    let mut offsets = match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => vec![offset],
        AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
            vec![before, after]
        }
    };
    // Half a year around it has the other offset of a year with a summer time.
    let instant = zone.to_timestamp(civil).ok()?;
    for months in [-6, -3, 3, 6] {
        let days = SignedDuration::from_hours(months * 30 * 24);
        if let Ok(around) = instant.checked_add(days) {
            offsets.push(zone.to_offset(around));
        }
    }
    let seconds = offsets
        .iter()
        .map(|offset| utc - i64::from(offset.seconds()));
    match end {
        End::Start => seconds.max(),
        End::Stop => seconds.min(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_eight_twelve_or_fourteen_digits() {
        for (text, seconds) in [
            ("20260701Z", Some(1_782_864_000)),
            ("202607010000z", Some(1_782_864_000)),
            ("20260701000000Z", Some(1_782_864_000)),
            ("20260701000001Z", Some(1_782_864_001)),
            ("20260701", Some(1_782_864_000)),
            ("20260732Z", None),
            ("20260229Z", None),
            ("202607012400Z", None),
            ("2026070100Z", None),
            ("20260701000060Z", None),
            ("2026-07-01Z", None),
            ("19700101Z", None),
            ("+2026070Z", None),
            ("Z", None),
            ("", None),
        ] {
            assert_eq!(
                parse_in(text, End::Start, &TimeZone::UTC),
                seconds,
                "{text}"
            );
        }
    }

    #[test]
    fn a_local_time_leaves_the_shorter_period() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        let parse = |text, end| parse_in(text, end, &zone).expect("a time");
        let noon = parse("202607011200Z", End::Start);
        // Summer time is two hours before UTC, standard time one.
        assert_eq!(parse("202607011200", End::Start), noon - 3600);
        assert_eq!(parse("202607011200", End::Stop), noon - 7200);
        let winter = parse("202612011200Z", End::Start);
        assert_eq!(parse("202612011200", End::Start), winter - 3600);
        assert_eq!(parse("202612011200", End::Stop), winter - 7200);
    }
}

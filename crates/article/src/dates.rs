//! Days and times as articles write them.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::text::{LazyPattern, pattern};

/// Day as printed: with digits alone, its month may come first or second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Day {
    /// Day that it is if its month comes first.
    pub(super) month_first: Option<String>,
    /// Day that it is if its day comes first.
    pub(super) day_first: Option<String>,
}

impl Day {
    fn known(day: String) -> Self {
        Self {
            month_first: Some(day.clone()),
            day_first: Some(day),
        }
    }

    /// Returns the day if there is only one.
    pub(super) fn only(&self) -> Option<&String> {
        match (&self.month_first, &self.day_first) {
            (Some(one), Some(other)) => (one == other).then_some(one),
            (one, other) => one.as_ref().or(other.as_ref()),
        }
    }
}

/// Beginnings of the months' names.
const MONTHS: &str = "janfebmaraprmayjunjulaugsepoctnovdec";

/// Pattern of a month, a day or a year.
const MONTH: &str = "(?<m>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t|tember)?|\
    oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)";
const DAY: &str = r"(?<d>\d{1,2})(?:st|nd|rd|th)?";
const YEAR: &str = r"(?<y>(?:19|20)\d\d|\d\d)";

/// Days whose month is known: `2008-03-31`, `31 March 2008`, `March 31st, 2008`.
static KNOWN: LazyLock<[Regex; 3]> = LazyLock::new(|| {
    let gap = "[ ,./-]";
    [
        r"^(?<y>\d{4})(?<s>[-/.])(?<m>\d{1,2})(?<t>[-/.])(?<d>\d{1,2})",
        &format!("(?i)^{DAY}(?: of )?{gap}*{MONTH}{gap}*{YEAR}"),
        &format!("(?i)^{MONTH}{gap}*{DAY}(?: of |{gap}+){YEAR}"),
    ]
    .map(pattern)
});

/// Days of digits alone: `3/31/2008`, `31.3.08`.
static DIGITS: LazyPattern = LazyPattern::new(|| {
    pattern(r"^(?<m>\d{1,2})(?<s>[-/.])(?<d>\d{1,2})(?<t>[-/.])(?<y>(?:19|20)\d\d|\d\d)")
});

/// `18:32`, `6:32 PM`, `06:32p`, `18:32:00`, and `18.32`, which may as well be a version.
static TIME: LazyPattern = LazyPattern::new(|| {
    pattern(r"(?i)^(\d{1,2})[:.](\d\d)(?::\d\d)?(?:(\s*([ap])(?:\.?m)?\.?)(?:[^a-z.]|$))?")
});

static WORDS: LazyPattern = LazyPattern::new(|| pattern(r"[[:alnum:]]+"));

/// Returns the day at the beginning of a text, and its length in bytes.
pub(super) fn day(text: &str) -> Option<(Day, usize)> {
    let known = KNOWN.iter().find_map(|form| {
        let found = form.captures(text)?;
        Some((Day::known(checked(&found, "m", "d")?), found[0].len()))
    });
    known.or_else(|| {
        let found = DIGITS.captures(text)?;
        let mut month_first = checked(&found, "m", "d");
        // A number that cannot be a month shows which one is the day.
        let day_first = checked(&found, "d", "m");
        // With dots the day comes first everywhere.
        if &found["s"] == "." && day_first.is_some() {
            month_first = None;
        }
        month_first.as_ref().or(day_first.as_ref())?;
        let day = Day {
            month_first,
            day_first,
        };
        Some((day, found[0].len()))
    })
}

/// Returns the first day anywhere in a text.
pub(super) fn day_in(text: &str) -> Option<Day> {
    let mut words = WORDS.find_iter(text);
    words.find_map(|word| Some(day(&text[word.start()..])?.0))
}

/// Returns the time at the beginning of a text, to the minute, and its length in bytes.
pub(super) fn time(text: &str) -> Option<((u8, u8), usize)> {
    let found = TIME.captures(text)?;
    let mut hour: u8 = found[1].parse().ok()?;
    let minute = found[2].parse().ok()?;
    let mut end = found.get(3).map_or(found[0].len(), |half| half.start());
    if let (Some(half), 1..=12) = (found.get(3), hour) {
        let is_afternoon = found[4].eq_ignore_ascii_case("p");
        hour = hour % 12 + if is_afternoon { 12 } else { 0 };
        end = half.end();
    }
    (hour < 24 && minute < 60).then_some(((hour, minute), end))
}

/// Returns the day of these parts. A year of two digits from 70 on is in the last century.
fn checked(found: &Captures<'_>, month: &str, day: &str) -> Option<String> {
    let (year, month) = (&found["y"], found[month].to_lowercase());
    let year = match (year.len(), year.parse().ok()?) {
        (2, year @ 70..) => 1900 + year,
        (2, year) => 2000 + year,
        (_, year) => year,
    };
    let month = match month.get(..3).and_then(|name| MONTHS.find(name)) {
        Some(at) => i8::try_from(at / 3 + 1).ok()?,
        None => month.parse().ok()?,
    };
    let date = jiff::civil::Date::new(year, month, found[day].parse().ok()?).ok()?;
    let separator = |name| found.name(name).map(|part| part.as_str());
    let is_sound = separator("s") == separator("t") && (1970..=2100).contains(&year);
    is_sound.then(|| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_in_every_order() {
        for text in [
            "31-Mar-2008",
            "2008-03-31",
            "March 31, 2008",
            "31 March 2008",
            "3/31/2008",
            "31.3.2008",
            "Mar 31 2008",
        ] {
            let (day, length) = day(text).unwrap_or_else(|| panic!("no day in {text}"));
            assert_eq!(
                (day.only().map(String::as_str), length),
                (Some("2008-03-31"), text.len()),
                "{text}"
            );
        }
        let either = Day {
            month_first: Some("2008-03-04".to_owned()),
            day_first: Some("2008-04-03".to_owned()),
        };
        assert_eq!(day("3/4/2008").map(|(day, _)| day), Some(either));
        for (text, wanted) in [
            ("12/31/99", "1999-12-31"),
            ("1-Mar-01", "2001-03-01"),
            ("19/02/98", "1998-02-19"),
        ] {
            let only = day(text).and_then(|(day, _)| day.only().cloned());
            assert_eq!(only.as_deref(), Some(wanted), "{text}");
        }
        for text in ["July 1st, 2009", "1st of July 2009", "1 July, 2009"] {
            assert_eq!(
                day(text),
                Some((Day::known("2009-07-01".to_owned()), text.len())),
                "{text}"
            );
        }
        for text in ["31-Feb-2008", "Marching 3, 2008", "9999-99-99", "4.0"] {
            assert_eq!(day(text), None, "{text}");
        }
        assert_eq!(
            day_in("It is dated (April 29, 2008)."),
            Some(Day::known("2008-04-29".to_owned()))
        );
        assert_eq!(day("31-Mar-200818:32").map(|(_, length)| length), Some(11));
    }

    #[test]
    fn times_are_read_to_the_minute() {
        assert_eq!(time("18:32Not"), Some(((18, 32), 5)));
        assert_eq!(time("6:32 PM"), Some(((18, 32), 7)));
        assert_eq!(time("12:05:59 am"), Some(((0, 5), 11)));
        assert_eq!(time("03:46p"), Some(((15, 46), 6)));
        assert_eq!(time("3:46 a.m. UTC"), Some(((3, 46), 9)));
        assert_eq!(time("25:00"), None);
    }
}

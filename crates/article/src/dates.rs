//! Days and times as articles write them.

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

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Returns the day at the beginning of a text, and its length in bytes.
pub(super) fn day(text: &str) -> Option<(Day, usize)> {
    let mut scan = Scan { text, at: 0 };
    let first = scan.at_digits();
    let found = if first == 4 { iso(&mut scan) } else { None };
    let found = found.or_else(|| {
        let mut scan = Scan { text, at: 0 };
        if first > 0 {
            day_first(&mut scan).or_else(|| slashes(&mut Scan { text, at: 0 }))
        } else {
            month_first(&mut scan)
        }
    })?;
    Some(found)
}

/// Returns the first day anywhere in a text.
pub(super) fn day_in(text: &str) -> Option<Day> {
    let starts = text.char_indices().filter(|(at, c)| {
        c.is_ascii_alphanumeric() && !text[..*at].ends_with(|before: char| before.is_alphanumeric())
    });
    starts
        .filter_map(|(at, _)| day(&text[at..]))
        .map(|(day, _)| day)
        .next()
}

/// Returns the time in `18:32`, `6:32 PM`, `06:32p`, `18:32:00 UTC`, to the minute, and its length in bytes.
pub(super) fn time(text: &str) -> Option<((u8, u8), usize)> {
    let mut scan = Scan { text, at: 0 };
    let hour = scan.number(1, 2)?;
    scan.take(":")?;
    let minute = scan.number(2, 2)?;
    if scan.rest().starts_with(':') {
        scan.take(":")?;
        scan.number(2, 2)?;
    }
    let mut hour = hour;
    let rest = scan.rest().trim_start();
    let half = rest.replace('.', "").to_ascii_lowercase();
    let letters = half.bytes().take_while(u8::is_ascii_alphabetic).count();
    if (1..=12).contains(&hour) && matches!(&half[..letters], "a" | "am" | "p" | "pm") {
        let dots = rest
            .bytes()
            .take(letters * 2)
            .filter(|byte| *byte == b'.')
            .count();
        scan.at = text.len() - rest.len() + letters + dots;
        hour = hour % 12 + if half.starts_with('p') { 12 } else { 0 };
    }
    (hour < 24 && minute < 60).then_some(((hour as u8, minute as u8), scan.at))
}

/// Reads `2008-03-31`.
fn iso(scan: &mut Scan<'_>) -> Option<(Day, usize)> {
    let year = scan.number(4, 4)?;
    let separator = scan.one(&['-', '/', '.'])?;
    let month = scan.number(1, 2)?;
    scan.take(separator)?;
    let day = scan.number(1, 2)?;
    Some((Day::known(checked(year, month, day)?), scan.at))
}

/// Reads `31-Mar-2008`, `31 March 2008`.
fn day_first(scan: &mut Scan<'_>) -> Option<(Day, usize)> {
    let day = scan.number(1, 2)?;
    scan.ordinal();
    scan.gap();
    let month = scan.month()?;
    scan.gap();
    let year = scan.year()?;
    Some((Day::known(checked(year, month, day)?), scan.at))
}

/// Reads `March 31, 2008`, `Mar-31-2008`.
fn month_first(scan: &mut Scan<'_>) -> Option<(Day, usize)> {
    let month = scan.month()?;
    scan.gap();
    let day = scan.number(1, 2)?;
    scan.ordinal();
    scan.gap();
    let year = scan.year()?;
    Some((Day::known(checked(year, month, day)?), scan.at))
}

/// Reads `3/31/2008`: a number that cannot be a month shows which one is the day.
fn slashes(scan: &mut Scan<'_>) -> Option<(Day, usize)> {
    let first = scan.number(1, 2)?;
    let separator = scan.one(&['/', '.', '-'])?;
    let second = scan.number(1, 2)?;
    scan.take(separator)?;
    let year = scan.year()?;
    let (mut month_first, day_first) = (checked(year, first, second), checked(year, second, first));
    // With dots the day comes first everywhere.
    if separator == "." && day_first.is_some() {
        month_first = None;
    }
    month_first.as_ref().or(day_first.as_ref())?;
    let day = Day {
        month_first,
        day_first,
    };
    Some((day, scan.at))
}

fn checked(year: u32, month: u32, day: u32) -> Option<String> {
    let (y, m, d) = (
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    );
    (1970..=2100).contains(&year).then_some(())?;
    jiff::civil::Date::new(y, m, d)
        .ok()
        .map(|date| date.to_string())
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scan<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn at_digits(&self) -> usize {
        self.rest().bytes().take_while(u8::is_ascii_digit).count()
    }

    /// Reads a number of `least` to `most` digits; of more, the first `most`.
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self.at_digits().min(most);
        let number = self.rest()[..digits]
            .parse()
            .ok()
            .filter(|_| digits >= least)?;
        self.at += digits;
        Some(number)
    }

    /// Reads a year of four digits, or of two: those from 70 on are in the last century.
    fn year(&mut self) -> Option<u32> {
        let is_whole = ["19", "20"]
            .iter()
            .any(|start| self.rest().starts_with(start));
        if is_whole && self.at_digits() >= 4 {
            return self.number(4, 4);
        }
        let year = self.number(2, 2)?;
        Some(year + if year >= 70 { 1900 } else { 2000 })
    }

    fn take(&mut self, expected: &str) -> Option<()> {
        self.rest()
            .starts_with(expected)
            .then(|| self.at += expected.len())
    }

    fn one(&mut self, which: &[char]) -> Option<&'t str> {
        let found = self.rest().chars().next().filter(|c| which.contains(c))?;
        let text = &self.rest()[..found.len_utf8()];
        self.at += text.len();
        Some(text)
    }

    fn gap(&mut self) {
        self.at += self
            .rest()
            .bytes()
            .take_while(|byte| matches!(byte, b' ' | b'-' | b',' | b'.' | b'/'))
            .count();
    }

    /// Skips the ending of `1st`, `2nd`, `3rd of`.
    fn ordinal(&mut self) {
        for ends in [&["st", "nd", "rd", "th"][..], &[" of "]] {
            let found = ends.iter().find(|end| self.rest().starts_with(**end));
            self.at += found.map_or(0, |end| end.len());
        }
    }

    fn month(&mut self) -> Option<u32> {
        let letters = self
            .rest()
            .bytes()
            .take_while(u8::is_ascii_alphabetic)
            .count();
        let word = self.rest()[..letters].to_ascii_lowercase();
        let is = |month: &str| {
            word == month || (word.len() == 3 || word == "sept") && month.starts_with(&word)
        };
        let month = MONTHS.iter().position(|month| is(month))?;
        self.at += letters;
        u32::try_from(month + 1).ok()
    }
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

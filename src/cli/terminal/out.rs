//! Output: results on standard output, messages on standard error. A closed or full stream never
//! fails a run: text that cannot be written is dropped. `print!` would panic instead.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anstream::adapter::strip_str;
use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::choices::{OutputChoices, choices};
use super::console::{self, Stream};
use super::{fitted, safe};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
pub(crate) use crate::names::wrapped;
use crate::names::{Escaped, STYLE_MARK, grouped};
use crate::run::event::micros;

/// Style of errors.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Style of warnings.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// Style of good results.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Style of what is removed.
pub(crate) const GONE: Style = AnsiColor::Red.on_default();
/// Style of what is changed.
pub(crate) const CHANGED: Style = AnsiColor::Yellow.on_default();
/// Style of headings.
pub(crate) const BOLD: Style = Style::new().bold();
/// Style of less important text.
pub(crate) const DIM: Style = Style::new().dimmed();

/// Formats a text in a style; `NO_COLOR` and pipes remove the style again.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    let marked = |style: String| style.replace('\u{1b}', &format!("{STYLE_MARK}\u{1b}"));
    let (begin, end) = (style.to_string(), format!("{style:#}"));
    format!("{}{text}{}", marked(begin), marked(end))
}

/// Formats the sign of an operation in the colours of `git diff` and Terraform; the sign alone says the
/// same.
pub(crate) fn signed(sign: char) -> String {
    let style = match sign {
        '+' | '>' => GOOD,
        '-' => GONE,
        '~' | '*' => CHANGED,
        _ => WARN,
    };
    styled(style, sign)
}

/// True if a result could not be written.
static LOST: AtomicBool = AtomicBool::new(false);
/// True if a document was printed.
static HAS_DOCUMENT: AtomicBool = AtomicBool::new(false);

/// Writes a line of the result. A failing write never stops a command.
pub(crate) fn line(text: impl Display) {
    result(safe::lines(&fitted::to_screen(format!("{text}\n"))));
}

/// Writes lines that keep their layout, such as a table or an excerpt of a file.
pub(crate) fn laid_out(text: impl Display) {
    result(safe::lines(&format!("{text}\n")));
}

/// Writes a text of the result to standard output, or beside a document to standard error.
fn result(text: String) {
    match choices() {
        OutputChoices {
            has_document: false,
            ..
        } => console::print(Stream::Results, text),
        OutputChoices {
            is_quiet: false, ..
        } => console::print(Stream::Messages, text),
        _ => {}
    }
}

/// Writes a document to standard output, as it is but for what [`safe::document`] escapes.
pub(crate) fn document(text: &str) {
    mark_document();
    console::print(Stream::Results, safe::document(&format!("{text}\n")));
}

/// Remembers that the document of the command is printed, or in its file.
pub(crate) fn mark_document() {
    HAS_DOCUMENT.store(true, Ordering::Relaxed);
}

/// Returns whether the document of the command is printed, or in its file.
pub(crate) fn has_document() -> bool {
    HAS_DOCUMENT.load(Ordering::Relaxed)
}

/// Returns whether some of the result could not be written to standard output.
pub(crate) fn is_lost() -> bool {
    // The console locks standard output as long as its reader takes nothing.
    if !console::settle() {
        return true;
    }
    let flushed = anstream::stdout().lock().flush();
    LOST.load(Ordering::Relaxed)
        || flushed.is_err_and(|error| error.kind() != ErrorKind::BrokenPipe)
}

/// Writes a message to standard error, on a line of its own; with `--quiet` it is left out.
pub(crate) fn message(text: impl Display) {
    if !choices().is_quiet {
        urgent(text);
    }
}

/// Writes a warning or an error to standard error, on a line of its own.
pub(crate) fn urgent(text: impl Display) {
    let text = fitted::to_screen(format!("{text}\n"));
    console::print(Stream::Messages, safe::lines(&text));
}

/// Writes a text at once.
pub(super) fn write(stream: Stream, text: &str) {
    let written = match stream {
        Stream::Results => write_to(std::io::stdout().lock(), text),
        Stream::Messages => write_to(std::io::stderr().lock(), text),
    };
    // A reader that closes the pipe needs no more output.
    let is_lost = written.is_err_and(|error| error.kind() != ErrorKind::BrokenPipe);
    if is_lost && stream == Stream::Results {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// Writes a text in one piece, without styles if the stream has none.
fn write_to(mut stream: impl RawStream, text: &str) -> std::io::Result<()> {
    match AutoStream::choice(&stream) {
        ColorChoice::Never => stream.write_all(strip_str(text).to_string().as_bytes()),
        _ => stream.write_all(text.as_bytes()),
    }
}

/// Writes a warning to standard error.
pub(crate) fn warn(text: impl Display) {
    urgent(format_args!(
        "{}: {}",
        styled(WARN, "warning"),
        Escaped(&text.to_string())
    ));
}

/// Writes a failure to standard error, with the current state if it is known.
pub(crate) fn fail(failure: &Failure, now: Option<&str>) {
    if let Some(findings) = &failure.findings {
        let findings = safe::lines(&format!("{findings}\n"));
        console::print(Stream::Messages, findings);
    }
    // A requested stop is not an error.
    let label = if failure.exit == Exit::Stopped {
        styled(WARN, "stopped")
    } else {
        styled(BAD, "error")
    };
    for reason in &failure.reasons {
        urgent(format_args!("{label}: {}", Escaped(reason)));
    }
    if let Some(now) = now {
        urgent(format_args!("{}: {}", styled(BOLD, "now"), Escaped(now)));
    }
    for next in &failure.next {
        urgent(format_args!("{}: {}", styled(BOLD, "next"), Escaped(next)));
    }
}

/// Widest text: longer lines are hard to read, however wide the terminal is.
const WIDEST: usize = 100;

/// Returns the width of text on standard output, in columns. Without a terminal, `COLUMNS` may ask for
/// any width.
pub(crate) fn width() -> usize {
    match screen() {
        Some(_) => table_width().min(WIDEST),
        None => table_width(),
    }
}

/// Returns the width of tables that need more than text: that of the terminal on standard output, in
/// columns; 100 without a terminal.
pub(crate) fn table_width() -> usize {
    columns().unwrap_or(WIDEST).clamp(40, 400)
}

/// Returns whether standard output is a terminal of a known width.
pub(crate) fn is_screen() -> bool {
    columns().is_some()
}

fn columns() -> Option<usize> {
    screen().or_else(|| std::env::var("COLUMNS").ok()?.parse().ok())
}

/// Returns the columns of the terminal on standard output.
pub(super) fn screen() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Formats a path for a shell: in quotes if the shell would split or expand it.
pub(crate) fn shell_quoted(path: &Path) -> String {
    let text = path.display().to_string();
    if !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || "/._-+:@%".contains(c))
    {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Formats a number with separators between the thousands.
pub(crate) fn number(number: u64) -> String {
    grouped(number, ',')
}

/// Formats a number with its noun, whose plural has an `s`: `1 file`, `2 files`.
pub(crate) fn count(count: usize, noun: &str) -> String {
    count_of(count, noun, &format!("{noun}s"))
}

/// Formats a number with the words for one and for any other number.
pub(crate) fn count_of(count: usize, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        number(count as u64),
        if count == 1 { one } else { many }
    )
}

/// Returns a text with words before it, or nothing if there is none or it is empty.
pub(crate) fn preceded(words: &str, text: Option<&str>) -> String {
    match text {
        Some(text) if !text.is_empty() => format!("{words}{text}"),
        _ => String::new(),
    }
}

/// Lists texts, with commas between them.
pub(crate) fn list(texts: impl IntoIterator<Item = impl Display>) -> String {
    let texts: Vec<String> = texts.into_iter().map(|text| text.to_string()).collect();
    texts.join(", ")
}

/// Formats a target with the servers that it is on, escaped: `X on A, B`, or `X` without servers.
pub(crate) fn on_servers<'s>(target: &str, servers: impl IntoIterator<Item = &'s str>) -> String {
    let servers: Vec<&str> = servers.into_iter().collect();
    if servers.is_empty() {
        return Escaped(target).to_string();
    }
    Escaped(&format!("{target} on {}", servers.join(", "))).to_string()
}

/// Returns the first few lines, and the number of the others.
pub(crate) fn first_few(lines: impl IntoIterator<Item = String>, limit: usize) -> Vec<String> {
    let mut lines: Vec<String> = lines.into_iter().collect();
    let more = lines.len().saturating_sub(limit);
    if more > 0 {
        lines.truncate(limit);
        lines.push(format!("and {} more", number(more as u64)));
    }
    lines
}

/// Formats a duration in the unit that suits it.
pub(crate) fn duration(duration: Duration) -> String {
    let us = micros(duration);
    let seconds = us / 1_000_000;
    match us {
        0..=999 => format!("{us} µs"),
        1_000..=99_999 => format!("{:.1} ms", us as f64 / 1e3),
        100_000..=9_999_999 => format!("{} ms", number(us / 1_000)),
        10_000_000..=119_999_999 => format!("{:.1} s", us as f64 / 1e6),
        120_000_000..=7_199_999_999 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        7_200_000_000..=172_799_999_999 => {
            format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60)
        }
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Formats a size for people, in decimal units with three significant digits; small ones are exact.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 10_000 {
        return count(bytes as usize, "byte");
    }
    let mut value = bytes as f64 / 1e3;
    for unit in ["kB", "MB", "GB"] {
        if value < 999.5 {
            return format!("{} {unit}", three_digits(value));
        }
        value /= 1e3;
    }
    format!("{} TB", three_digits(value))
}

/// Formats a number below 1,000 with three significant digits, and a larger one without decimals.
fn three_digits(value: f64) -> String {
    match value {
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => number(value.round() as u64),
    }
}

/// Formats a time of a record to the minute, with its age: `2026-11-30 22:25 UTC, 3 h ago`. A text that is
/// not a time stays as it is.
pub(crate) fn time_and_age(at: &str) -> String {
    let Ok(at) = at.replace(" UTC", "Z").parse::<Timestamp>() else {
        return at.to_owned();
    };
    let time = at.strftime("%Y-%m-%d %H:%M UTC");
    let age = Timestamp::now().as_second() - at.as_second();
    // The clock of the machine may have been set back since.
    u64::try_from(age).map_or(time.to_string(), |age| {
        format!("{time}, {} ago", coarse(age))
    })
}

/// Formats a number of seconds in its largest unit.
pub(super) fn coarse(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3_600 => (seconds / 60, "min"),
        3_600..172_800 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    format!("{} {unit}", self::number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        assert_eq!(number(0), "0");
        assert_eq!(number(372_736), "372,736");
        assert_eq!(number(1_000), "1,000");
    }

    #[test]
    fn a_size_has_three_digits_or_is_exact() {
        let sizes = [
            1,
            1_700,
            9_999,
            10_000,
            16_612_345,
            999_499,
            999_500,
            1_024_000_000,
        ];
        assert_eq!(
            sizes.map(size),
            [
                "1 byte",
                "1,700 bytes",
                "9,999 bytes",
                "10.0 kB",
                "16.6 MB",
                "999 kB",
                "1.00 MB",
                "1.02 GB"
            ]
        );
        assert_eq!(size(7_654_000_000_000_000), "7,654 TB");
    }

    #[test]
    fn an_age_is_in_the_largest_unit() {
        let ages = [59, 60, 10_800, 172_799, 172_800].map(coarse);
        assert_eq!(ages, ["59 s", "1 min", "3 h", "47 h", "2 d"]);
        assert_eq!(
            time_and_age("9999-01-01 00:00:00 UTC"),
            "9999-01-01 00:00 UTC"
        );
        assert!(time_and_age("2020-01-01T00:00:00.5Z").starts_with("2020-01-01 00:00 UTC, "));
        assert_eq!(time_and_age("an unknown time"), "an unknown time");
    }

    #[test]
    fn paths_are_quoted_if_a_shell_would_split_them() {
        assert_eq!(shell_quoted(Path::new("/srv/hmc40")), "/srv/hmc40");
        assert_eq!(shell_quoted(Path::new("my dep")), "'my dep'");
        assert_eq!(shell_quoted(Path::new("it's")), "'it'\\''s'");
    }

    #[test]
    fn a_duration_is_formatted_in_the_unit_that_suits_it() {
        let durations = [
            0,
            999,
            1_500,
            123_456,
            12_300_000,
            192_000_000,
            7_500_000_000,
            200_000_000_000,
        ]
        .map(|us| duration(Duration::from_micros(us)));
        assert_eq!(
            durations,
            [
                "0 µs",
                "999 µs",
                "1.5 ms",
                "123 ms",
                "12.3 s",
                "3 min 12 s",
                "2 h 05 min",
                "2 d 7 h"
            ]
        );
    }
}

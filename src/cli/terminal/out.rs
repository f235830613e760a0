//! Output: results on standard output, messages on standard error. A closed or full stream never
//! fails a run: text that cannot be written is dropped. `print!` would panic instead.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::console::{self, Stream};
use super::safe;
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

/// True if a result could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// Writes a line of the result to standard output. A failing write never stops a command.
pub(crate) fn line(text: impl Display) {
    console::print(Stream::Results, safe::lines(&format!("{text}\n")));
}

/// Writes a document to standard output, as it is but for what [`safe::document`] escapes.
pub(crate) fn document(text: &str) {
    console::print(Stream::Results, safe::document(&format!("{text}\n")));
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

/// Writes a message to standard error, on a line of its own.
pub(crate) fn message(text: impl Display) {
    console::print(Stream::Messages, safe::lines(&format!("{text}\n")));
}

/// Writes a text at once.
pub(super) fn write(stream: Stream, text: &str) {
    let written = match stream {
        Stream::Results => anstream::stdout().lock().write_all(text.as_bytes()),
        Stream::Messages => anstream::stderr().lock().write_all(text.as_bytes()),
    };
    // A reader that closes the pipe needs no more output.
    let is_lost = written.is_err_and(|error| error.kind() != ErrorKind::BrokenPipe);
    if is_lost && stream == Stream::Results {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// Writes a warning to standard error.
pub(crate) fn warn(text: impl Display) {
    message(format_args!(
        "{}: {}",
        styled(WARN, "warning"),
        Escaped(&text.to_string())
    ));
}

/// Writes a failure to standard error, with the current state if it is known.
pub(crate) fn fail(failure: &Failure, now: Option<&str>) {
    if let Some(findings) = &failure.findings {
        message(findings);
    }
    // A requested stop is not an error.
    let label = if failure.exit == Exit::Stopped {
        styled(WARN, "stopped")
    } else {
        styled(BAD, "error")
    };
    for reason in &failure.reasons {
        message(format_args!("{label}: {}", Escaped(reason)));
    }
    if let Some(now) = now {
        message(format_args!("{}: {}", styled(BOLD, "now"), Escaped(now)));
    }
    for next in &failure.next {
        message(format_args!("{}: {}", styled(BOLD, "next"), Escaped(next)));
    }
}

/// Returns the width of the terminal on standard output, in columns; 100 without a terminal.
pub(crate) fn width() -> usize {
    columns().unwrap_or(100).clamp(40, 400)
}

/// Returns whether standard output is a terminal of a known width.
pub(crate) fn is_screen() -> bool {
    columns().is_some()
}

fn columns() -> Option<usize> {
    let terminal = std::io::stdout().is_terminal().then(screen).flatten();
    terminal.or_else(|| std::env::var("COLUMNS").ok()?.parse().ok())
}

fn screen() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Formats a path for a shell: in quotes if the shell would split or expand it.
pub(crate) fn shell_quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Formats a number with separators between the thousands.
pub(crate) fn number(number: u64) -> String {
    grouped(number, ',')
}

/// Formats a number with its noun: `1 file`, `2 files`.
pub(crate) fn count(count: usize, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        number(count as u64),
        if count == 1 { one } else { many }
    )
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

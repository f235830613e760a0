//! Writing to the terminal. A closed or full one never fails a run, so no `print!` macros: what
//! cannot be written is dropped.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::exit::{Exit, Failure};
pub(super) use crate::names::wrapped;
use crate::names::{Shown, grouped};

/// What goes wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What deserves a look.
pub(super) const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// What is well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// What leads the eye.
pub(super) const BOLD: Style = Style::new().bold();
/// What may be passed over.
pub(super) const DIM: Style = Style::new().dimmed();

/// A text in a style; `NO_COLOR` and pipes take the style off again.
pub(super) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Whether a result could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// A line of result, to standard output. What cannot be written never stops a command.
pub(super) fn line(text: impl Display) {
    match writeln!(anstream::stdout().lock(), "{text}") {
        // Whoever stopped reading has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => LOST.store(true, Ordering::Relaxed),
        _ => {}
    }
}

/// Whether a part of the result never got to standard output.
pub(super) fn is_lost() -> bool {
    let flushed = anstream::stdout().lock().flush();
    LOST.load(Ordering::Relaxed)
        || flushed.is_err_and(|error| error.kind() != ErrorKind::BrokenPipe)
}

/// A line of message, to standard error.
pub(super) fn say(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// A warning, to standard error.
pub(super) fn warn(text: impl Display) {
    say(format_args!(
        "{}: {}",
        styled(WARN, "warning"),
        Shown(&text.to_string())
    ));
}

/// A failure, to standard error.
pub(super) fn fail(failure: &Failure) {
    if let Some(findings) = &failure.findings {
        say(findings);
    }
    // To be asked to stop is no error.
    let label = if failure.exit == Exit::Stopped {
        styled(WARN, "stopped")
    } else {
        styled(BAD, "error")
    };
    for reason in &failure.reasons {
        say(format_args!("{label}: {}", Shown(reason)));
    }
    if let Some(now) = &failure.now {
        say(format_args!("{}: {}", styled(BOLD, "now"), Shown(now)));
    }
    for next in &failure.next {
        say(format_args!("{}: {}", styled(BOLD, "next"), Shown(next)));
    }
}

/// Whether somebody can be asked: both ends of the conversation are a terminal.
pub(super) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a question, and returns the answer without surrounding space; empty at the end of input.
pub(super) fn ask(question: &str) -> String {
    let _ = write!(anstream::stderr().lock(), "{question} ");
    let _ = anstream::stderr().flush();
    answer()
}

/// The same, but nobody waits for an answer any more once `given_up` says so.
pub(super) fn ask_unless(question: &str, given_up: impl Fn() -> bool) -> String {
    let _ = write!(anstream::stderr().lock(), "{question} ");
    let _ = anstream::stderr().flush();
    let often = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    while !given_up() {
        let stdin = std::io::stdin();
        let mut waiting = [PollFd::new(&stdin, PollFlags::IN)];
        // A signal ends the wait early; anything else that fails is left to the reading.
        match poll(&mut waiting, Some(&often)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            _ => return answer(),
        }
    }
    String::new()
}

fn answer() -> String {
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    answer.trim().to_owned()
}

/// Whether an answer means yes.
pub(super) fn is_yes(answer: &str) -> bool {
    matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Columns of the screen that results go to; 100 where it is no terminal.
pub(super) fn width() -> usize {
    columns().unwrap_or(100).clamp(40, 400)
}

/// Whether results go to a screen of a known width.
pub(super) fn is_screen() -> bool {
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

/// A path to be typed: in quotes where a shell would take it apart.
pub(super) fn typed(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// A number with separators between the thousands.
pub(super) fn number(number: u64) -> String {
    grouped(number, ',')
}

/// `1 file`, `2 files`.
pub(super) fn count(count: usize, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        number(count as u64),
        if count == 1 { one } else { many }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted() {
        assert_eq!(number(0), "0");
        assert_eq!(number(372_736), "372,736");
        assert_eq!(number(1_000), "1,000");
    }

    #[test]
    fn paths_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(typed(Path::new("/srv/hmc40")), "/srv/hmc40");
        assert_eq!(typed(Path::new("my dep")), "'my dep'");
        assert_eq!(typed(Path::new("it's")), "'it'\\''s'");
    }
}

//! Prompts: questions on standard error, answers from standard input.

use std::io::IsTerminal;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::choices::choices;
use super::console::{self, Stream};

/// Returns whether a prompt is possible: standard input and standard error are terminals.
pub(crate) fn can_ask() -> bool {
    missing_terminal().is_none()
}

/// Returns the reason why no prompt is possible.
pub(crate) fn missing_terminal() -> Option<&'static str> {
    if choices().is_without_input {
        Some("`--no-input` was given")
    } else if !std::io::stdin().is_terminal() {
        Some("standard input is not a terminal")
    } else if !std::io::stderr().is_terminal() {
        Some("standard error is not a terminal")
    } else {
        None
    }
}

/// Asks a question, and returns the answer without surrounding space; empty at the end of input.
pub(crate) fn ask(question: &str) -> String {
    print_question(question, || false);
    read_answer()
}

/// Asks a question as [`ask`] does, but returns an empty answer as soon as `is_cancelled` returns
/// true.
pub(crate) fn ask_unless(question: &str, is_cancelled: impl Fn() -> bool) -> String {
    print_question(question, &is_cancelled);
    let interval = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    while !is_cancelled() {
        let stdin = std::io::stdin();
        let mut streams = [PollFd::new(&stdin, PollFlags::IN)];
        // A signal ends the wait early. Any other error is left to the read.
        match poll(&mut streams, Some(&interval)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            _ => return read_answer(),
        }
    }
    String::new()
}

/// Prints a question after everything that was printed before it.
fn print_question(question: &str, is_cancelled: impl Fn() -> bool) {
    console::print(Stream::Messages, format!("{question} "));
    console::settle_unless(is_cancelled);
}

fn read_answer() -> String {
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    answer.trim().to_owned()
}

/// Returns whether an answer means yes.
pub(crate) fn is_yes(answer: &str) -> bool {
    matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes")
}

//! Prompts: questions on standard error, answers from standard input.

use std::io::{IsTerminal, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Returns whether a prompt is possible: standard input and standard error are terminals.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a question, and returns the answer without surrounding space; empty at the end of input.
pub(crate) fn ask(question: &str) -> String {
    let _ = write!(anstream::stderr().lock(), "{question} ");
    let _ = anstream::stderr().flush();
    answer()
}

/// Asks a question as [`ask`] does, but returns an empty answer as soon as `given_up` returns true.
pub(crate) fn ask_unless(question: &str, given_up: impl Fn() -> bool) -> String {
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

/// Returns whether an answer means yes.
pub(crate) fn is_yes(answer: &str) -> bool {
    matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes")
}

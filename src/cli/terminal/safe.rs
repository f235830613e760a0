//! Text from outside, made safe for the terminal and for the log of a CI runner where it is written: no
//! caller has to remember it.
//!
//! Styles are marked where they are made, so that the sequence of a style in a name is no style.

use std::borrow::Cow;

use crate::names::{STYLE_MARK, is_hidden};

/// Beginnings of commands to a CI runner, which takes them from any place of a log.
const RUNNER_COMMANDS: [&str; 2] = ["##[", "##vso["];

/// Escapes what a terminal or a runner would obey: control characters, characters that hide or turn
/// text, and commands of runners.
pub(super) fn lines(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.trim_start().strip_prefix("::") {
            Some(rest) => {
                safe.push_str(&line[..line.len() - rest.len() - 2]);
                safe.push_str("\\u{3a}:");
                escape(rest, is_hidden, &mut safe);
            }
            None => escape(line, is_hidden, &mut safe),
        }
    }
    without_commands(&safe).into_owned()
}

/// Escapes control characters and commands of runners in a document; other characters are a part of it.
pub(in crate::cli) fn document(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    escape(text, |c| c.is_control() && c != '\t', &mut safe);
    without_commands(&safe).into_owned()
}

/// Escapes in JSON what [`lines`] escapes in lines; outside of strings there is nothing of it.
pub(in crate::cli) fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push(c),
            c if is_hidden(c) => safe.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => safe.push(c),
        }
    }
    for command in RUNNER_COMMANDS {
        safe = safe.replace(command, &command.replacen("##", "#\\u0023", 1));
    }
    safe
}

/// Escapes the characters that are to be hidden, but for line ends and marked styles.
fn escape(text: &str, is_escaped: impl Fn(char) -> bool, safe: &mut String) {
    let mut left = text;
    while let Some(c) = left.chars().next() {
        left = &left[c.len_utf8()..];
        if c == STYLE_MARK {
            let length = left
                .strip_prefix('\u{1b}')
                .and_then(|rest| rest.find('m'))
                .map_or(0, |end| end + 2);
            safe.push_str(&left[..length]);
            left = &left[length..];
        } else if c != '\n' && is_escaped(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
}

fn without_commands(text: &str) -> Cow<'_, str> {
    let mut safe = Cow::Borrowed(text);
    for command in RUNNER_COMMANDS {
        if safe.contains(command) {
            safe = safe
                .replace(command, &command.replacen("##", "#\\u{23}", 1))
                .into();
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::out::{BAD, styled};

    #[test]
    fn only_marked_styles_reach_the_terminal() {
        let text = format!("{}: \u{1b}[31mred\u{1b}]0;title\u{7}", styled(BAD, "error"));
        let safe = lines(&text);
        assert_eq!(safe.matches('\u{1b}').count(), 3, "{safe:?}");
        assert!(
            safe.ends_with(": \\u{1b}[31mred\\u{1b}]0;title\\u{7}"),
            "{safe:?}"
        );
    }

    #[test]
    fn commands_of_runners_are_broken_up() {
        let text = "##vso[task.prependpath]/tmp ##[group]\n  ::error::x\n";
        let safe = "#\\u{23}vso[task.prependpath]/tmp #\\u{23}[group]\n  \\u{3a}:error::x\n";
        assert_eq!(lines(text), safe);
        assert_eq!(lines("a::b"), "a::b");
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "a": "\u{202e}##vso[x] \u{85}\u{1b}" });
        let text = json(&serde_json::to_string(&value).expect("JSON"));
        assert!(!text.contains('\u{202e}') && !text.contains("##"), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON"),
            value
        );
    }
}

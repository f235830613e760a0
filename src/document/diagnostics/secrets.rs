//! Secrets in the text of a document, so that no excerpt shows them.
//!
//! They are found by the names before them, among the tokens of the text and not in what the parser
//! makes of them, since an excerpt may show a line that is not TOML. What is hidden by mistake is
//! only hidden in excerpts: documents are read from their own text.

use std::collections::BTreeSet;

use toml_parser::lexer::TokenKind;

use super::findings::Span;

/// Byte in place of each byte of a secret. A document with such a byte of its own is refused.
const MASK: u8 = 0;

/// Text in place of a secret in an excerpt, whatever its length.
const HIDDEN: &str = "***";

/// Words in the names of secrets.
const WORDS: [&str; 5] = ["password", "secret", "token", "credential", "key"];

/// Number of names of an entry that are kept: no table of the language is that deep.
const MOST_NAMES: usize = 16;

/// Keys that say where a secret is; their values are not secret.
const SOURCES: [&str; 2] = ["env", "file"];

/// Returns whether the name of a parameter says that its value is secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// Returns a text with the same offsets in which all secrets are masked; `None` for a text without
/// secrets. The names in `declared` are secret, and so are those that the text lists in `secret`.
pub(super) fn masked(text: &str, declared: &[String]) -> Option<String> {
    // Most documents have no name of a secret, which `secret` would be, too.
    if declared.is_empty() && !is_secret_name(text) {
        return None;
    }
    let mut scan = SecretScan {
        text,
        declared: listed_in_secret(text),
        ..SecretScan::default()
    };
    scan.declared
        .extend(declared.iter().map(|name| name.to_lowercase()));
    for token in toml_parser::Source::new(text).lex() {
        let span = token.span().start()..token.span().end();
        scan.visit(token.kind(), span);
    }
    if scan.found.is_empty() {
        return None;
    }
    let mut bytes = text.as_bytes().to_vec();
    for span in scan.found {
        for byte in &mut bytes[span] {
            if *byte != b'\n' {
                *byte = MASK;
            }
        }
    }
    Some(String::from_utf8(bytes).expect("only whole characters are masked"))
}

/// Returns a part of a masked text as people see it.
pub(super) fn shown(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    let mut rest = part;
    while let Some(start) = rest.find(char::from(MASK)) {
        text.push_str(&rest[..start]);
        text.push_str(HIDDEN);
        rest = rest[start..].trim_start_matches(char::from(MASK));
    }
    text.push_str(rest);
    text
}

/// Returns the names in all lists `secret = ["…"]` of a text, in lower case.
fn listed_in_secret(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut done = 0;
    for (at, key) in text.match_indices("secret") {
        if at < done {
            continue;
        }
        let list = text[at + key.len()..]
            .trim_start()
            .strip_prefix('=')
            .map(str::trim_start);
        if let Some(list) = list.and_then(|list| list.strip_prefix('[')) {
            let list = &list[..list.find(']').unwrap_or(list.len())];
            done = at + list.len();
            let quoted = list.split(['"', '\'']).skip(1).step_by(2);
            names.extend(quoted.map(str::to_lowercase));
        }
    }
    names
}

/// Meaning of the values in a table, in a list, or after a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Values {
    /// Values that are secret if their names are.
    #[default]
    Named,
    /// Values that belong to a secret.
    Secret,
    /// Values of names that are not parameters, but items or files.
    NotParameters,
}

/// Walk over the tokens of a text.
#[derive(Default)]
struct SecretScan<'t> {
    text: &'t str,
    /// Names in lower case that are secret besides those that say it.
    declared: BTreeSet<String>,
    found: Vec<Span>,
    /// Values below the last header.
    below_header: Values,
    /// Values in the brackets that are open, and whether they are those of a list.
    open: Vec<(Values, bool)>,
    /// Values after the `=` of the entry.
    value: Option<Values>,
    /// Names of the entry so far; of very many the first ones, and the last one.
    names: Vec<&'t str>,
    /// True if one of them is secret.
    is_named_secret: bool,
    is_after_dot: bool,
    is_in_header: bool,
    /// Offset up to which everything is found already.
    done: usize,
}

impl<'t> SecretScan<'t> {
    fn visit(&mut self, kind: TokenKind, span: Span) {
        match kind {
            TokenKind::Whitespace | TokenKind::Eof => return,
            TokenKind::Newline if self.open.is_empty() => self.begin_entry(None),
            TokenKind::Newline => return,
            TokenKind::Comment => self.comment(span),
            TokenKind::Comma => self.begin_entry(self.in_list()),
            TokenKind::Equals => self.equals(),
            TokenKind::LeftSquareBracket if self.value.is_none() && self.open.is_empty() => {
                self.is_in_header = true;
            }
            TokenKind::LeftSquareBracket => self.open(true),
            TokenKind::LeftCurlyBracket => self.open(false),
            TokenKind::RightSquareBracket if self.is_in_header => self.end_header(),
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                self.open.pop();
            }
            TokenKind::Dot => {}
            _ => self.word(kind, span),
        }
        self.is_after_dot = kind == TokenKind::Dot;
    }

    fn begin_entry(&mut self, value: Option<Values>) {
        self.clear_names();
        self.value = value;
        self.is_in_header = false;
    }

    /// Returns the values of the innermost bracket if it is a list.
    fn in_list(&self) -> Option<Values> {
        let innermost = self.open.last().filter(|(_, is_list)| *is_list);
        innermost.map(|(values, _)| *values)
    }

    fn open(&mut self, is_list: bool) {
        let values = self.value.unwrap_or_else(|| self.enclosing());
        // The tables in a list of items have ordinary keys.
        let values = match values {
            Values::NotParameters if is_list => Values::Named,
            values => values,
        };
        self.open.push((values, is_list));
        self.begin_entry(self.in_list());
    }

    fn enclosing(&self) -> Values {
        self.open
            .last()
            .map_or(self.below_header, |(values, _)| *values)
    }

    fn equals(&mut self) {
        // A second `=` may be part of a secret.
        if self.value != Some(Values::Secret) || self.in_list().is_some() {
            self.value = Some(self.values_of_names(self.enclosing()));
        }
        self.clear_names();
    }

    fn clear_names(&mut self) {
        self.names.clear();
        self.is_named_secret = false;
    }

    fn end_header(&mut self) {
        self.below_header = match self.names.as_slice() {
            ["steps", "items"] => Values::NotParameters,
            // A header of one name is that of a table of the language.
            [name] if self.is_secret(name) => Values::Named,
            _ => self.values_of_names(Values::Named),
        };
        self.begin_entry(None);
    }

    /// Returns the meaning of what follows the names.
    fn values_of_names(&self, enclosing: Values) -> Values {
        match self.names.as_slice() {
            [.., last] if SOURCES.contains(last) => Values::Named,
            _ if enclosing != Values::Named => enclosing,
            ["requires", ..] | ["items", _, ..] | ["sha256", ..] | ["payload", "sha256", ..] => {
                Values::NotParameters
            }
            _ if self.is_named_secret => Values::Secret,
            _ => Values::Named,
        }
    }

    fn is_secret(&self, name: &str) -> bool {
        // The keys of the lists themselves.
        let is_list = ["secret", "public"].contains(&name);
        !is_list && (is_secret_name(name) || self.declared.contains(&name.to_lowercase()))
    }

    /// Visits a text or a word.
    fn word(&mut self, kind: TokenKind, span: Span) {
        let raw = &self.text[span.clone()];
        if self.value == Some(Values::Secret) {
            match inside_of_quotes(raw).filter(|_| kind != TokenKind::Atom) {
                Some(inside) => self.hide(span.start + inside.start..span.start + inside.end),
                // It is not a text, so its end is unknown.
                None => self.hide_line(span.start),
            }
            return;
        }
        let name = raw.trim_matches(['"', '\'']);
        let is_key = self.text[span.end..].trim_start().starts_with(['=', '.']);
        if self.value.is_none() && !is_key && self.enclosing() == Values::Secret {
            self.hide(span.clone());
        }
        let (before_colon, has_colon) = match name.split_once(':') {
            Some((before, _)) => (before, true),
            None => (name, false),
        };
        let lacks_equals = !self.names.is_empty() && !self.is_after_dot && !self.is_in_header;
        if self.value.is_none() && lacks_equals && self.is_named_secret {
            self.hide_line(span.start);
        } else if has_colon && self.value.is_none() && self.is_secret(before_colon) {
            self.hide_line(span.start + before_colon.len());
        }
        self.is_named_secret |= self.is_secret(before_colon);
        self.names.truncate(MOST_NAMES - 1);
        self.names.push(before_colon);
    }

    /// Hides what a comment assigns to a secret.
    fn comment(&mut self, span: Span) {
        let comment = &self.text[span.clone()];
        for (at, sign) in comment.match_indices(['=', ':']) {
            let name = comment[..at]
                .trim_end()
                .trim_end_matches(['"', '\''])
                .rsplit([' ', '\t', '#', '{', ',', '.', '"', '\'', '=', ':'])
                .next();
            if name.is_some_and(|name| self.is_secret(name)) {
                self.hide_line(span.start + at + sign.len());
                return;
            }
        }
    }

    fn hide_line(&mut self, from: usize) {
        if from < self.done {
            return;
        }
        let length = self.text[from..].find('\n');
        let end = length.map_or(self.text.len(), |length| from + length);
        self.hide(from..end);
    }

    fn hide(&mut self, span: Span) {
        if span.start >= self.done && !span.is_empty() {
            self.done = span.end;
            self.found.push(span);
        }
    }
}

/// Returns the part of a quoted text inside its quotes, of which the last may be missing.
pub(super) fn inside_of_quotes(raw: &str) -> Option<Span> {
    let mut quotes = ["\"\"\"", "'''", "\"", "'"].into_iter();
    let quote = quotes.find(|quote| raw.starts_with(quote))?;
    let start = quote.len();
    let is_closed = raw.len() >= 2 * start && raw.ends_with(quote);
    let end = if is_closed {
        raw.len() - start
    } else {
        raw.len()
    };
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> String {
        shown(&masked(text, &["connection".to_owned()]).unwrap_or_else(|| text.to_owned()))
    }

    #[test]
    fn no_form_of_a_secret_is_shown() {
        for text in [
            "servicePassword = \"S3cr3t\"",
            "[parameters]\n\"P\" = { a = \"b\", Service_TOKEN = 'S3cr3t', c = \"d\" }",
            "parameters.\"P\".apiKey = \"S3cr3t\"",
            "\"client secret\" = \"\"\"\nS3cr3t\nS3cr3t\"\"\"",
            "connection = \"S3cr3t\"",
            "procedures = [{ name = \"P\", secret = [\"dsn\"] }]\ndsn = \"S3cr3t\"",
            "password = S3cr3t",
            "password = \"S3cr3t",
            "password = S3=cr3t, S3cr3t",
            "password = \"a\\\"S3cr3t\"",
            "password = \"a\"S3cr3t\"",
            "password = [\"S3cr3t\",\n\"S3cr3t\"]",
            "password = { value = \"S3cr3t\" }",
            "password = { \"S3cr3t\" }",
            "password.value = \"S3cr3t\"",
            "[parameters.P.password]\nvalue = \"S3cr3t\"",
            "[parameters] password = \"S3cr3t\"",
            "password: S3cr3t",
            "password:S3cr3t",
            "password \"S3cr3t\"",
            "x = { password \"S3cr3t\" }",
            "aliases = [\"a\"\npassword = \"S3cr3t\"",
            "# password = \"S3cr3t\"",
            "a = 1 # TODO \"password\": S3cr3t",
            "items = [{ name = \"I\", password = \"S3cr3t\" }]",
            "pässword-key = \"ü S3cr3t ü\"",
        ] {
            let hidden = hidden(text);
            assert!(!hidden.contains("cr3t"), "{text:?} is shown as {hidden:?}");
            assert!(hidden.contains(HIDDEN), "{text:?} is shown as {hidden:?}");
        }
    }

    #[test]
    fn everything_else_is_shown() {
        for text in [
            "password = { env = \"NAME\" }",
            "password.file = \"/run/secrets/name\"",
            "[parameters.P.password]\nenv = \"NAME\"",
            "procedures = [{ name = \"P\", needs = [\"password\"], secret = [\"a\"], public = [\"key\"] }]",
            "[requires]\n\"Token Service\" = [\"Key Service\"]",
            "items.\"Key Group\" = [\"Token Service\"]",
            "[steps.items]\n\"Key Group\" = [\"Token Service\"]",
            "[payload.sha256]\n\"keys.msi\" = \"00\"",
            "title = \"A change of a password\"",
            "# The password is elsewhere.",
            "password = \"\"",
        ] {
            assert_eq!(hidden(text), text);
        }
    }

    #[test]
    fn offsets_and_lines_stay() {
        let text = "a = 1\r\nkey = '''\nü\n''' # b\nc = 2";
        let masked = masked(text, &[]).expect("a secret");
        assert_eq!(masked.len(), text.len());
        assert_eq!(masked.lines().count(), text.lines().count());
        assert!(masked.ends_with("''' # b\nc = 2"), "{masked:?}");
    }
}

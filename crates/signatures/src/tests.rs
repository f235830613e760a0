//! Signatures that OpenSSH 9.2 made, with keys that were thrown away afterwards, and files of signers.
//!
//! Those of security keys were made without one, by OpenSSL from the description of the format, and
//! OpenSSH verifies them.

use super::*;

const STATEMENT: &str = include_str!("../../../fixtures/approvals/statement");
const SIGNERS: &str = include_str!("../../../fixtures/approvals/allowed_signers");

/// 1 December 2026.
const NOW: i64 = 1_796_083_200;

macro_rules! signature {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/approvals/", $name, ".sig"))
    };
}

fn verify_in(signers: &str, signature: &str) -> Result<Verified, SignatureError> {
    let signers = Signers::parse(signers).expect("a file of signers");
    signers.verify(Namespace::Approval, STATEMENT.as_bytes(), signature, NOW)
}

fn verify(signature: &str) -> Result<Verified, SignatureError> {
    verify_in(SIGNERS, signature)
}

/// Returns the line of the signers with a text.
fn line_of(text: &str) -> &'static str {
    let mut lines = SIGNERS.lines();
    lines.find(|line| line.contains(text)).expect("a line")
}

#[test]
fn signatures_of_ssh_keygen_are_verified() {
    for (signature, name, kind) in [
        (signature!("alice"), "alice@example.com", "ssh-ed25519"),
        (
            signature!("alice-sha256"),
            "alice@example.com",
            "ssh-ed25519",
        ),
        (signature!("bob"), "bob@example.com", "ecdsa-sha2-nistp256"),
        (
            signature!("carol"),
            "carol@example.com",
            "ecdsa-sha2-nistp384",
        ),
        (
            signature!("dave"),
            "dave@example.com",
            "ecdsa-sha2-nistp521",
        ),
        (
            signature!("gina"),
            "gina@example.com",
            "sk-ssh-ed25519@openssh.com",
        ),
        (
            signature!("hank"),
            "hank@example.com",
            "sk-ecdsa-sha2-nistp256@openssh.com",
        ),
    ] {
        let verified = verify(signature).expect("a signature that counts");
        assert_eq!((verified.names[0].as_str(), &*verified.kind), (name, kind));
        assert!(verified.fingerprint.starts_with("SHA256:"));
    }
}

#[test]
fn one_person_with_two_keys_counts_once() {
    let [first, second, other] = [signature!("alice"), signature!("alice2"), signature!("bob")]
        .map(|signature| verify(signature).expect("a signature that counts").person);
    assert_eq!(first, second);
    assert_ne!(first, other);
    let signers = Signers::parse(SIGNERS).expect("a file of signers");
    assert_eq!(
        signers.people()[first].names,
        ["alice@example.com", "alice"]
    );
    assert_eq!(signers.people().len(), 7);
    // Frank's key has expired.
    assert_eq!(signers.people_for("rollup-approval@1", NOW).len(), 6);
}

#[test]
fn signatures_that_do_not_count_say_why() {
    let not = |signature| {
        verify(signature)
            .expect_err("no signature that counts")
            .to_string()
    };
    assert_eq!(
        not(signature!("alice-git")),
        "it was made in the namespace `git`, and not in `rollup-approval@1`: sign with `-n \
         rollup-approval@1`"
    );
    assert_eq!(
        not(signature!("frank")),
        "its key is not valid at this time (line 6 of the signers)"
    );
    assert!(not(signature!("erin")).starts_with("it was made with a key of the kind `ssh-rsa`; "));
    // OpenSSH does not ask for the touch here; for a login it does.
    assert_eq!(
        not(signature!("gina-untouched")),
        "its security key was not touched"
    );
    // `ssh-keygen -Y verify` refuses it, too.
    assert_eq!(
        not(signature!("alice-crlf")),
        "it has line ends of Windows, which `ssh-keygen` does not read either: copy it as it was written"
    );
    let text = format!("{STATEMENT} ");
    let signers = Signers::parse(SIGNERS).expect("a file of signers");
    let other = signers.verify(
        Namespace::Approval,
        text.as_bytes(),
        signature!("alice"),
        NOW,
    );
    assert_eq!(other, Err(SignatureError::DoesNotMatch));
    let other = signers.verify(
        Namespace::Manifest,
        STATEMENT.as_bytes(),
        signature!("alice"),
        NOW,
    );
    assert!(matches!(other, Err(SignatureError::OtherNamespace { .. })));
}

#[test]
fn a_changed_letter_of_the_text_is_noticed() {
    let signers = Signers::parse(SIGNERS).expect("a file of signers");
    for at in 0..STATEMENT.len() {
        let mut changed = STATEMENT.as_bytes().to_vec();
        changed[at] ^= 1;
        let verified = signers.verify(Namespace::Approval, &changed, signature!("alice"), NOW);
        assert_eq!(verified, Err(SignatureError::DoesNotMatch), "{at}");
    }
}

#[test]
fn only_the_lines_of_the_key_count() {
    let alice = signature!("alice");
    let key = line_of("alice@").rsplit_once(" ssh").expect("a key").1;
    let key = format!("ssh{key}");
    let counts = |line: &str| verify_in(&line.replace("KEY", &key), alice);
    assert!(counts("alice KEY").is_ok());
    assert!(counts("\r\n# a comment\r\n\r\nalice KEY\r\n").is_ok());
    assert!(counts("alice\tKEY a comment with \"quotes\" and = signs").is_ok());
    assert!(counts("alice namespaces=\"git,rollup-approval@1\" KEY").is_ok());
    assert!(counts("alice NameSpaces=\"*\" KEY").is_ok());
    assert!(counts("alice valid-after=\"20200101\",valid-before=\"20300101Z\" KEY").is_ok());
    assert!(counts("alice namespaces=\"git\" KEY\nalice KEY").is_ok());
    for (line, why) in [
        (line_of("bob"), "its key SHA256:"),
        ("", "its key SHA256:"),
        ("alice namespaces=\"git\" KEY", "its key is not listed for"),
        (
            "alice namespaces=\"*,!rollup-*\" KEY",
            "its key is not listed for",
        ),
        ("alice namespaces=\"\" KEY", "its key is not listed for"),
        (
            "alice valid-after=\"20270101\" KEY",
            "its key is not valid at",
        ),
        (
            "alice valid-before=\"20261130Z\" KEY",
            "its key is not valid at",
        ),
        ("* KEY", "its key is listed for a pattern"),
        (
            "*@example.com,!alice@example.com KEY",
            "its key is listed for a pattern",
        ),
        ("alice,!al* KEY", "its key is listed for a pattern"),
    ] {
        let fault = counts(line).expect_err(line).to_string();
        assert!(fault.starts_with(why), "{line}: {fault}");
    }
    assert_eq!(counts("*,alice KEY").expect("it counts").names, ["alice"]);
}

#[test]
fn a_file_with_a_line_that_is_not_understood_is_refused() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEbMFBNpl4m+KWSK9m4otAJXTW9RyYABLZOyROvMB8jJ";
    assert!(Signers::parse(&format!("a {key}")).is_ok());
    for (line, why) in [
        ("a", "it has no key"),
        ("a ", "it has no key"),
        ("a namespaces=\"x\"", "it has no key"),
        ("a namespaces=\"x\" ", "it has no key"),
        ("a cert-authority KEY", "keys of a certificate authority"),
        (
            "a CERT-authority,namespaces=\"x\" KEY",
            "keys of a certificate authority",
        ),
        (
            "a no-touch-required KEY",
            "the option `no-touch-required` is not understood",
        ),
        (
            "a verify-required=\"x\" KEY",
            "the option `verify-required` is not understood",
        ),
        (
            "a namespaces KEY",
            "the option `namespaces` is not understood",
        ),
        (
            "a namespaces=x KEY",
            "the value of `namespaces` is not in quotation marks",
        ),
        (
            "a namespaces=\"x KEY",
            "the value of `namespaces` is not in quotation marks",
        ),
        (
            "a namespaces=\"x\\\" KEY",
            "the value of `namespaces` is not in quotation marks",
        ),
        (
            "a namespaces=\"x\",namespaces=\"y\" KEY",
            "the option `namespaces` is there twice",
        ),
        ("a namespaces=\"x\", KEY", "the option `` is not understood"),
        ("a namespaces=\"x\"y KEY", "the option `y ssh-ed25519"),
        (
            "a valid-after=\"2026\" KEY",
            "`2026` in `valid-after` is not a time",
        ),
        (
            "a valid-before=\"\" KEY",
            "`` in `valid-before` is not a time",
        ),
        (
            "a valid-after=\"20270101Z\",valid-before=\"20270101Z\" KEY",
            "`valid-before` is not after `valid-after`",
        ),
        ("\"a b\" KEY", "its principals are in quotation marks"),
        ("a\u{b}b KEY", "it has a control character"),
        ("a KEY\0", "it has a control character"),
        (
            "a ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ",
            "a key of the kind `ssh-rsa` cannot sign",
        ),
        (
            "a ssh-ed25519-cert-v01@openssh.com AAAA",
            "a key of the kind `ssh-ed25519-cert-v01",
        ),
        ("a ssh-ed25519 AAAA", "its key is not valid"),
        ("a ssh-ed25519", "its key is not valid"),
        ("a ecdsa-sha2-nistp256 DATA", "its key is not valid"),
    ] {
        let data = key.split(' ').nth(1).expect("the data");
        let text = line.replace("KEY", key).replace("DATA", data);
        let error = Signers::parse(&format!("# first\n{text}\n")).expect_err(line);
        assert_eq!(error.line, 2, "{line}");
        let error = error.to_string();
        assert!(
            error.starts_with(&format!("line 2: {why}")),
            "{line}: {error}"
        );
    }
}

//! Check of a signature that `ssh-keygen -Y sign` made.

use ssh_key::public::{KeyData, PublicKey};
use ssh_key::{HashAlg, SshSig};

use super::signers::{SignerLine, Signers};

/// Size of the largest signature that is read, in bytes.
pub const LARGEST_SIGNATURE: u64 = 64 * 1024;

/// First line of a signature.
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";

/// Bit of the flags of a security key: a person has touched it.
const TOUCHED: u8 = 1;
/// Bytes behind a signature of a security key: its flags, and a counter.
const TRAILER: usize = 5;

/// Purpose of a signature: one that was made for another purpose does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// Approval of a plan.
    Approval,
    /// Manifest, as its author published it.
    Manifest,
}

impl Namespace {
    /// Returns the name, as `ssh-keygen -n` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Approval => "rollup-approval@1",
            Self::Manifest => "rollup-manifest@1",
        }
    }
}

/// Reason why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It is not a signature as `ssh-keygen` writes it.
    #[error("it is not a signature that `ssh-keygen -Y sign` made")]
    NotASignature,
    /// It has the line ends of Windows.
    #[error(
        "it has line ends of Windows, which `ssh-keygen` does not read either: copy it as it was written"
    )]
    LineEnds,
    /// It is a signature by a kind of key that is not read.
    #[error(
        "it was made with a key of the kind `{0}`; `ssh-keygen -t ed25519` makes a key that can sign, \
         and `ssh-keygen -t ed25519-sk` one on a security key"
    )]
    KeyKind(String),
    /// It was made for something else.
    #[error(
        "it was made in the namespace `{made}`, and not in `{wanted}`: sign with `-n {wanted}`"
    )]
    OtherNamespace { made: String, wanted: &'static str },
    /// It is a signature of other bytes, or is damaged.
    #[error("it does not match: what was signed is another text, or the signature is damaged")]
    DoesNotMatch,
    /// It was made by a security key without a touch.
    #[error("its security key was not touched")]
    NotTouched,
    /// Its key is not in the file of signers.
    #[error("its key {0} is not among the signers")]
    UnknownKey(String),
    /// Its key may not be used for this.
    #[error("its key is not listed for `{wanted}` (line {line} of the signers)")]
    NotForNamespace { line: usize, wanted: &'static str },
    /// Its key is not valid yet, or not any more.
    #[error("its key is not valid at this time (line {line} of the signers)")]
    NotValidNow { line: usize },
    /// Its key belongs to no person.
    #[error("its key is listed for a pattern, which names no person (line {line} of the signers)")]
    NamesNoPerson { line: usize },
}

/// Signature that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Names of the key's owner on the lines that count, in the order of the file.
    pub names: Vec<String>,
    /// Position of the person in [`Signers::people`].
    pub person: usize,
    /// Fingerprint of the key, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// Kind of the key.
    pub kind: String,
}

impl Signers {
    /// Checks the signature of a text, at a time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Returns the reason why the signature does not count.
    pub fn verify(
        &self,
        namespace: Namespace,
        text: &[u8],
        signature: &str,
        now: i64,
    ) -> Result<Verified, SignatureError> {
        let signature = parse(signature)?;
        let key = signature.public_key();
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        check(&signature, namespace, text)?;
        let mut names = Vec::new();
        let mut person = None;
        for line in self.valid_lines(key, &fingerprint, namespace, now)? {
            person = person.or(line.person);
            let new = line.names.iter().filter(|name| !names.contains(*name));
            let new: Vec<String> = new.cloned().collect();
            names.extend(new);
        }
        let first = self.lines.iter().find(|line| line.key == *key);
        let line = first.map_or(0, |line| line.number);
        Ok(Verified {
            names,
            person: person.ok_or(SignatureError::NamesNoPerson { line })?,
            fingerprint,
            kind: key.algorithm().as_str().to_owned(),
        })
    }

    /// Returns the lines by which a key counts; at least one.
    fn valid_lines(
        &self,
        key: &KeyData,
        fingerprint: &str,
        namespace: Namespace,
        now: i64,
    ) -> Result<Vec<&SignerLine>, SignatureError> {
        let wanted = namespace.name();
        let mut lines: Vec<&SignerLine> = self.lines.iter().collect();
        lines.retain(|line| line.key == *key);
        let Some(SignerLine { number: line, .. }) = lines.first().copied() else {
            return Err(SignatureError::UnknownKey(fingerprint.to_owned()));
        };
        lines.retain(|line| line.allows(wanted));
        if lines.is_empty() {
            let line = *line;
            return Err(SignatureError::NotForNamespace { line, wanted });
        }
        let line = lines[0].number;
        lines.retain(|line| line.is_valid_at(now));
        match lines.is_empty() {
            true => Err(SignatureError::NotValidNow { line }),
            false => Ok(lines),
        }
    }
}

/// Parses a signature. Text before it is refused, as OpenSSH does.
fn parse(signature: &str) -> Result<SshSig, SignatureError> {
    if signature.contains('\r') {
        return Err(SignatureError::LineEnds);
    }
    if !signature.starts_with(BEGIN) {
        return Err(SignatureError::NotASignature);
    }
    let parsed = SshSig::from_pem(signature).map_err(|_| SignatureError::NotASignature)?;
    let is_known = parsed.version() == SshSig::VERSION && parsed.reserved().is_empty();
    match is_known {
        true => Ok(parsed),
        false => Err(SignatureError::NotASignature),
    }
}

/// Checks the signature itself: its purpose, its text, and the touch of a security key.
fn check(signature: &SshSig, namespace: Namespace, text: &[u8]) -> Result<(), SignatureError> {
    let (key, wanted) = (signature.public_key(), namespace.name());
    let is_security_key = match key {
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) => false,
        KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => true,
        other => {
            return Err(SignatureError::KeyKind(
                other.algorithm().as_str().to_owned(),
            ));
        }
    };
    if signature.namespace() != wanted {
        let made = signature.namespace().to_owned();
        return Err(SignatureError::OtherNamespace { made, wanted });
    }
    // The library verifies with whatever kind the signature itself names.
    if signature.algorithm() != key.algorithm() {
        return Err(SignatureError::NotASignature);
    }
    let verified = PublicKey::from(key.clone()).verify(wanted, text, signature);
    verified.map_err(|_| SignatureError::DoesNotMatch)?;
    let bytes = signature.signature_bytes();
    let flags = bytes.len().checked_sub(TRAILER).map(|at| bytes[at]);
    if is_security_key && flags.is_none_or(|flags| flags & TOUCHED == 0) {
        return Err(SignatureError::NotTouched);
    }
    Ok(())
}

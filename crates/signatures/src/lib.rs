//! Statements that people sign with SSH keys, and the check of such signatures.
//!
//! `ssh-keygen -Y sign` makes the signatures, and an `allowed_signers` file of OpenSSH says whose
//! keys count, for which namespace and how long. This package reads both and never signs: rollup
//! holds no private key. It is pure: it reads no file and no clock.
//!
//! The check fails closed. A file with a line that is not understood is refused as a whole, and
//! nothing is accepted that `ssh-keygen -Y verify` refuses. It is stricter than OpenSSH in three
//! respects: a security key must have been touched, a key of a certificate authority is refused, and
//! a local time counts in the sense that leaves the shorter period.

mod pattern;
mod signature;
mod signers;
mod statement;
#[cfg(test)]
mod tests;
mod times;

pub use signature::{LARGEST_SIGNATURE, Namespace, SignatureError, Verified};
pub use signers::{LARGEST_SIGNERS, Person, Signers, SignersError};
pub use statement::{Statement, StatementError};

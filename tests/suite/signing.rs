//! Keys that sign in the tests, in process: `ssh-keygen` is not needed for that.

use ssh_key::private::{Ed25519Keypair, KeypairData, PrivateKey};
use ssh_key::{HashAlg, LineEnding};

/// Namespace of the approval of a plan.
pub(crate) const APPROVAL: &str = "rollup-approval@1";
/// Namespace of the signature of a manifest.
pub(crate) const MANIFEST: &str = "rollup-manifest@1";

/// Key of a person, made from a number.
pub(crate) struct Key(PrivateKey);

impl Key {
    pub(crate) fn of(person: u8) -> Self {
        let pair = KeypairData::from(Ed25519Keypair::from_seed(&[person; 32]));
        Self(PrivateKey::new(pair, "").expect("a key"))
    }

    /// Returns the public key, as a file of signers has it.
    pub(crate) fn public(&self) -> String {
        self.0.public_key().to_openssh().expect("a key")
    }

    /// Returns the signature of a text.
    pub(crate) fn sign(&self, namespace: &str, text: &str) -> String {
        let signed = self.0.sign(namespace, HashAlg::Sha512, text.as_bytes());
        let signed = signed.expect("a signature");
        signed.to_pem(LineEnding::LF).expect("a text")
    }
}

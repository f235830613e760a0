//! Signatures that a run was begun with, as its first record names them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::Digest;

/// Signatures that a run was begun with, or the reason why it was begun without.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunSignatures {
    /// Approvals of the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<RecordedApproval>,
    /// Reason, in the user's words, if the run was begun without the approvals that the deployment
    /// requires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_approval: Option<String>,
    /// Author of the manifest, if the deployment requires the signature of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Signer>,
}

/// Owner of a key that signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signer {
    /// Names of the person in the file of signers at that time.
    pub names: Vec<String>,
    /// Fingerprint of the key, as `ssh-keygen -l` prints it.
    pub key: String,
    /// Kind of the key, such as `ssh-ed25519`.
    pub kind: String,
}

/// Approval of a plan. The statement and its signature are in the run's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordedApproval {
    #[serde(flatten)]
    pub signer: Signer,
    /// SHA-256 of the statement.
    pub statement: Digest,
    /// Time from which on the approval does not count any more; absent if it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl RunSignatures {
    /// Returns whether the run was begun without a signature, and without a reason for that.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

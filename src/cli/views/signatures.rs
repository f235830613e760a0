//! Signatures of a run in words, in the same sentences everywhere.

use crate::journal::{RunSignatures, Signer};

/// Returns a line for each approval of the plan, or for the reason why there is none, and one for the
/// signature of the manifest. They are not escaped yet.
pub(crate) fn describe_signatures(signatures: &RunSignatures) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(reason) = &signatures.without_approval {
        lines.push(format!("begun WITHOUT APPROVAL: {reason}"));
    }
    for approval in &signatures.approvals {
        let until = match &approval.until {
            Some(until) => format!(", until {until}"),
            None => String::new(),
        };
        lines.push(format!("approved by {}{until}", describe(&approval.signer)));
    }
    if let Some(signer) = &signatures.manifest {
        lines.push(format!("manifest signed by {}", describe(signer)));
    }
    lines
}

fn describe(signer: &Signer) -> String {
    let names = signer.names.join(" alias ");
    format!("{names} with the {} key {}", signer.kind, signer.key)
}

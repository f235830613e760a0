//! Check that manifests are signed by one of their authors.

use std::collections::BTreeMap;

use crate::document::{Code, Findings, Source};
use crate::signatures::{Namespace, Signers};

/// Signatures of manifests, and the people whose signatures count.
pub struct ManifestSignatures {
    /// People who may sign.
    pub signers: Signers,
    /// Time at which the signatures are checked, in seconds since 1970.
    pub now: i64,
    /// Texts of the signatures, by the names of their manifests.
    pub texts: BTreeMap<String, String>,
}

impl ManifestSignatures {
    /// Reports a manifest that has no signature that counts.
    pub(super) fn check(&self, manifest: &Source, findings: &mut Findings) {
        let message = match self.texts.get(manifest.name()) {
            None => "the manifest is not signed".to_owned(),
            Some(signature) => {
                let text = manifest.text().as_bytes();
                let checked = self
                    .signers
                    .verify(Namespace::Manifest, text, signature, self.now);
                match checked {
                    Ok(_) => return,
                    Err(fault) => format!("the signature of the manifest does not count: {fault}"),
                }
            }
        };
        let namespace = Namespace::Manifest.name();
        findings.add(Code::NotSigned, 0..0, message).help(format!(
            "sign the file: `ssh-keygen -Y sign -n {namespace} -f KEY FILE`"
        ));
    }
}

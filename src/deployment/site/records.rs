//! Records of the current state, as small TOML files: `state.toml` of items and procedures, and the
//! file of a service. They contain no times, so that the same plan on the same tree always gives the
//! same bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml_edit::{Key, Value};

use super::parameters::{self, ParameterValue, Parameters, PublicText};
use crate::deployment::disk::newer::{INSTALL_NEWER, NewerFormat};
use crate::deployment::disk::tree::FileFacts;
use crate::names::{Digest, FileName, Kb, RelPath, Version};

/// Schema version of all records.
pub const SCHEMA: u32 = 1;
/// Length of the longest record that is read, in bytes.
pub const LONGEST_RECORD: u64 = 64 * 1024 * 1024;

/// State of an instance, as the console names it. A run writes only the first and the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not installed.
    NotInstalled,
    /// Not installed: the installation failed.
    InstallFailed,
    /// Not installed: a parameter is missing.
    UserInputNeeded,
    /// Installed, not verified yet.
    Unverified,
    /// Installed, but the verification failed.
    VerifyFailed,
    /// Installed and verified.
    Verified,
}

impl State {
    /// Returns whether the state counts as installed: unverified, verify-failed and verified do.
    pub fn is_installed(self) -> bool {
        matches!(
            self,
            State::Unverified | State::VerifyFailed | State::Verified
        )
    }

    /// Returns the state as records contain it and messages show it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::NotInstalled => "not-installed",
            State::InstallFailed => "install-failed",
            State::UserInputNeeded => "user-input-needed",
            State::Unverified => "unverified",
            State::VerifyFailed => "verify-failed",
            State::Verified => "verified",
        }
    }
}

/// Reason why a record cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Text that is not the TOML of a record.
    #[error("it is not a record of rollup: {0}")]
    NotARecord(String),
    /// Record of a newer version of rollup.
    #[error("it {0}")]
    TooNew(NewerFormat),
}

impl RecordError {
    /// Returns advice on what to do with the record.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NotARecord(_) => "repair it by hand, or restore it from a backup",
            Self::TooNew(_) => INSTALL_NEWER,
        }
    }
}

/// Contents of `state.toml` of an item, or of a program that a step ran on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRecord {
    /// State of the instance.
    pub state: State,
    /// Rollup that installed or removed it.
    pub kb: Option<Kb>,
    /// The article revision of that rollup.
    pub revision: Option<Version>,
    /// True if a person accepted a state that no rollup left.
    pub accepted: bool,
    /// Installed product, if there is one.
    pub installed: Option<Installed>,
}

/// Record of an installed product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// ProductName of the installer; of an opaque package the name of its program.
    pub product: String,
    /// ProductVersion; of an opaque package the version in its resources, if it has one.
    pub version: Option<Version>,
    pub package: PackageRecord,
    /// Installer that it was installed from.
    pub installer: InstallerRecord,
    /// Files that it installed, by path below `files/`.
    pub files: BTreeMap<RelPath, FileRecord>,
}

/// Package of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageRecord {
    /// Windows Installer package, which was unpacked.
    Msi {
        /// ProductCode, with braces.
        product_code: String,
        /// UpgradeCode, with braces.
        upgrade_code: Option<String>,
        /// Features that were installed although the package has them off, sorted.
        features: Vec<String>,
    },
    /// File that rollup stored and could not open.
    Opaque {
        /// Documented arguments.
        arguments: Option<String>,
    },
}

/// Kinds of packages whose records name them.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenKind {
    Opaque,
}

/// Installer from which a product was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallerRecord {
    pub name: FileName,
    /// Its SHA-256.
    pub sha256: Digest,
}

/// File that an installer installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Digest,
}

impl From<FileRecord> for FileFacts {
    fn from(record: FileRecord) -> Self {
        Self {
            size: record.size,
            sha256: record.sha256,
        }
    }
}

/// Keys of the record of an item, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenItem {
    #[serde(rename = "schema")]
    _schema: u32,
    state: State,
    #[serde(alias = "id")]
    kb: Option<Kb>,
    revision: Option<Version>,
    #[serde(default)]
    accepted: bool,
    kind: Option<WrittenKind>,
    product: Option<String>,
    version: Option<Version>,
    product_code: Option<String>,
    upgrade_code: Option<String>,
    arguments: Option<String>,
    installer: Option<InstallerRecord>,
    #[serde(default)]
    features: Vec<String>,
    #[serde(default)]
    files: BTreeMap<RelPath, FileRecord>,
}

impl WrittenItem {
    /// Returns the installed product; none without any of its keys.
    fn installed(self) -> Result<Option<Installed>, RecordError> {
        let state = self.state;
        let incomplete = || {
            RecordError::NotARecord(format!(
                "state `{}`: the keys of an installed product do not belong together",
                state.as_str()
            ))
        };
        let has_codes = self.product_code.is_some() || self.upgrade_code.is_some();
        let package = match (self.kind, self.product_code) {
            (Some(WrittenKind::Opaque), None) if !has_codes && self.features.is_empty() => {
                PackageRecord::Opaque {
                    arguments: self.arguments,
                }
            }
            (None, Some(product_code)) if self.arguments.is_none() && self.version.is_some() => {
                PackageRecord::Msi {
                    product_code,
                    upgrade_code: self.upgrade_code,
                    features: self.features,
                }
            }
            (None, None) if self.product.is_none() && self.installer.is_none() => {
                let is_empty = self.version.is_none() && self.arguments.is_none() && !has_codes;
                return match is_empty && !state.is_installed() {
                    true => Ok(None),
                    false => Err(incomplete()),
                };
            }
            _ => return Err(incomplete()),
        };
        let (Some(product), Some(installer)) = (self.product, self.installer) else {
            return Err(incomplete());
        };
        Ok(Some(Installed {
            product,
            version: self.version,
            package,
            installer,
            files: self.files,
        }))
    }
}

impl ItemRecord {
    /// Returns the record of an item that this rollup removed.
    pub fn removed(kb: Kb, revision: Version) -> Self {
        Self {
            state: State::NotInstalled,
            kb: Some(kb),
            revision: Some(revision),
            accepted: false,
            installed: None,
        }
    }

    /// Returns the record of an installed product; `rollup` is the one that installed it, if any.
    pub fn installed(rollup: Option<(Kb, Version)>, installed: Installed) -> Self {
        let (kb, revision) = rollup.unzip();
        Self {
            state: State::Verified,
            kb,
            revision,
            accepted: false,
            installed: Some(installed),
        }
    }

    /// Reads a record.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        let written: WrittenItem = parse_record(text)?;
        Ok(Self {
            state: written.state,
            kb: written.kb,
            revision: written.revision.clone(),
            accepted: written.accepted,
            installed: written.installed()?,
        })
    }

    /// Formats the record as the text of its file.
    pub fn to_toml(&self) -> String {
        let mut text = head(self.state, self.kb, self.revision.as_ref());
        if self.accepted {
            line(&mut text, format_args!("accepted = true"));
        }
        if let Some(installed) = &self.installed {
            if let PackageRecord::Opaque { .. } = installed.package {
                key(&mut text, "kind", "opaque");
            }
            key(&mut text, "product", installed.product.as_str());
            if let Some(version) = &installed.version {
                key(&mut text, "version", version.as_str());
            }
            match &installed.package {
                PackageRecord::Msi {
                    product_code,
                    upgrade_code,
                    features,
                } => {
                    key(&mut text, "product_code", product_code.as_str());
                    if let Some(code) = upgrade_code {
                        key(&mut text, "upgrade_code", code.as_str());
                    }
                    if !features.is_empty() {
                        let features: Vec<String> =
                            features.iter().map(|name| quoted(name)).collect();
                        let features = features.join(", ");
                        line(&mut text, format_args!("features = [{features}]"));
                    }
                }
                PackageRecord::Opaque { arguments } => {
                    if let Some(arguments) = arguments {
                        key(&mut text, "arguments", arguments.as_str());
                    }
                }
            }
            let InstallerRecord { name, sha256 } = &installed.installer;
            line(
                &mut text,
                format_args!(
                    "installer = {{ name = {}, sha256 = \"{sha256}\" }}",
                    quoted(name.as_str())
                ),
            );
            line(&mut text, format_args!("\n[files]"));
            for (path, FileRecord { size, sha256 }) in &installed.files {
                let path = quoted_key(path.as_str());
                line(
                    &mut text,
                    format_args!("{path} = {{ size = {size}, sha256 = \"{sha256}\" }}"),
                );
            }
        }
        text
    }
}

/// Contents of `state.toml` of a procedure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcedureRecord {
    schema: u32,
    /// State of the procedure: verified once it ran.
    pub state: State,
    /// The rollup that ran it.
    #[serde(alias = "id")]
    pub kb: Option<Kb>,
    /// The article revision of that rollup.
    pub revision: Option<Version>,
    /// Parameters that it ran with.
    #[serde(default)]
    pub parameters: Parameters,
}

impl ProcedureRecord {
    /// Returns the record of a procedure that ran.
    pub fn ran(rollup: Option<(Kb, Version)>, parameters: Parameters) -> Self {
        let (kb, revision) = rollup.unzip();
        Self {
            schema: SCHEMA,
            state: State::Verified,
            kb,
            revision,
            parameters,
        }
    }

    /// Reads a record. It has no text of a secret, even if the file has one.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        let mut record: Self = parse_record(text)?;
        parameters::hide_secrets(&mut record.parameters);
        Ok(record)
    }

    /// Formats the record as the text of its file.
    pub fn to_toml(&self) -> String {
        let mut text = head(self.state, self.kb, self.revision.as_ref());
        if !self.parameters.is_empty() {
            line(&mut text, format_args!("\n[parameters]"));
        }
        for (name, value) in &self.parameters {
            let name = quoted_key(name);
            match value {
                ParameterValue::Text(value) => key(&mut text, &name, value),
                ParameterValue::Public(PublicText { public }) => {
                    let public = quoted(public);
                    line(&mut text, format_args!("{name} = {{ public = {public} }}"));
                }
                ParameterValue::Secret(_) => {
                    line(&mut text, format_args!("{name} = {{ secret = true }}"));
                }
            }
        }
        text
    }
}

/// Record of a service on one server. A service without a record is running and enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceRecord {
    /// Schema version, [`SCHEMA`].
    pub schema: u32,
    /// True if it runs.
    pub running: bool,
    /// True if it may be started.
    pub enabled: bool,
}

impl Default for ServiceRecord {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            running: true,
            enabled: true,
        }
    }
}

impl ServiceRecord {
    /// Reads a record.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        parse_record(text)
    }

    /// Formats the record as the text of its file.
    pub fn to_toml(&self) -> String {
        let Self {
            schema,
            running,
            enabled,
        } = self;
        format!("schema = {schema}\nrunning = {running}\nenabled = {enabled}\n")
    }

    /// Returns whether a path is that of a service's record.
    pub fn is_at(path: &RelPath) -> bool {
        let parts: Vec<&str> = path.parts().collect();
        let is_named = |part: &str, name: &str| crate::names::same_name(part, name);
        matches!(parts.as_slice(), [servers, _, services, _]
            if is_named(servers, "Servers") && is_named(services, "Services"))
    }

    /// Describes the state, such as "stopped, disabled".
    pub fn shown(&self) -> &'static str {
        match (self.running, self.enabled) {
            (true, true) => "running",
            (true, false) => "running, disabled",
            (false, true) => "stopped",
            (false, false) => "stopped, disabled",
        }
    }
}

/// Parses a record. The schema is checked first, so that a later format is reported instead of its
/// unknown keys.
pub(super) fn parse_record<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, RecordError> {
    #[derive(Deserialize)]
    struct SchemaLine {
        schema: u32,
    }
    let fault = |error: toml::de::Error| RecordError::NotARecord(error.message().to_owned());
    let SchemaLine { schema } = toml::from_str(text).map_err(fault)?;
    if schema > SCHEMA {
        return Err(RecordError::TooNew(NewerFormat {
            word: "schema",
            found: schema,
            known: SCHEMA,
        }));
    }
    if schema != SCHEMA {
        return Err(RecordError::NotARecord(format!(
            "no version of rollup writes schema {schema}"
        )));
    }
    toml::from_str(text).map_err(fault)
}

fn head(state: State, kb: Option<Kb>, revision: Option<&Version>) -> String {
    let mut text = format!("schema = {SCHEMA}\nstate = \"{}\"\n", state.as_str());
    if let Some(kb) = kb {
        line(&mut text, format_args!("{} = \"{kb}\"", kb.key()));
    }
    if let Some(revision) = revision {
        key(&mut text, "revision", revision.as_str());
    }
    text
}

fn key(text: &mut String, name: &str, value: &str) {
    line(text, format_args!("{name} = {}", quoted(value)));
}

fn quoted(value: &str) -> String {
    Value::from(value).to_string()
}

fn quoted_key(name: &str) -> String {
    Key::new(name).display_repr().into_owned()
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ItemRecord {
        let file = FileRecord {
            size: 3,
            sha256: Digest::of(b"abc"),
        };
        let path = RelPath::parse("Program Files/Änd \"quoted\"/a'b.dll").expect("a valid path");
        let installed = Installed {
            product: "A \"strange\" \\ 'product'\n".to_owned(),
            version: Some("4.0.300".parse().expect("a version")),
            package: PackageRecord::Msi {
                product_code: "{A}".to_owned(),
                upgrade_code: None,
                features: vec!["Tools \"x\"".to_owned()],
            },
            installer: InstallerRecord {
                name: FileName::parse("A'b.msi").expect("a name"),
                sha256: Digest::of(b""),
            },
            files: [(path, file)].into(),
        };
        ItemRecord::installed(
            Some((
                "952076".parse().expect("a KB"),
                "1.0".parse().expect("a revision"),
            )),
            installed,
        )
    }

    #[test]
    fn written_records_are_read_back_unchanged() {
        let record = record();
        assert_eq!(
            ItemRecord::parse(&record.to_toml()).expect("a record"),
            record
        );
        let service = ServiceRecord {
            running: false,
            ..ServiceRecord::default()
        };
        assert_eq!(
            ServiceRecord::parse(&service.to_toml()).expect("a record"),
            service
        );
        let open = |name: &str| {
            let value = ParameterValue::open(name, "a = value\u{7f}".to_owned());
            (name.to_owned(), value)
        };
        let secret = ("a password".to_owned(), ParameterValue::SECRET);
        let parameters = [open("a name"), open("a key"), secret].into();
        let procedure = ProcedureRecord::ran(None, parameters);
        assert_eq!(
            ProcedureRecord::parse(&procedure.to_toml()).expect("a record"),
            procedure
        );
    }

    #[test]
    fn a_later_format_is_named_as_such() {
        let later = ServiceRecord::parse("schema = 2\nnews = true\n");
        let newer = matches!(
            later,
            Err(RecordError::TooNew(NewerFormat { found: 2, .. }))
        );
        assert!(newer, "{later:?}");
    }

    #[test]
    fn a_schema_that_never_was_is_not_a_later_one() {
        let never = ServiceRecord::parse("schema = 0\nrunning = true\nenabled = true\n");
        assert!(
            matches!(never, Err(RecordError::NotARecord(_))),
            "{never:?}"
        );
    }

    #[test]
    fn an_installed_item_needs_a_product() {
        assert!(ItemRecord::parse("schema = 1\nstate = \"verified\"\n").is_err());
        assert!(ItemRecord::parse("schema = 1\nstate = \"not-installed\"\n").is_ok());
    }
}

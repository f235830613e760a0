//! Parameters of procedures, and the secrets among them.
//!
//! rollup has to know that a secret is set, and nothing else about it. So no value keeps the text of
//! one: `deployment.toml` is read into the place of a secret, plans and records have a mark, and
//! what is read from an environment variable or a file is forgotten at once.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::deployment::disk::tree::{DiskError, Tree};
use crate::document::is_secret_name;
use crate::names::{Escaped, RelPath, RelPathError};

/// Length of the longest secret that is read from a file, in bytes.
pub const LONGEST_SECRET: u64 = 64 * 1024;

/// Parameters of a procedure in plans and records, by name.
pub type Parameters = BTreeMap<String, ParameterValue>;

/// Value of a parameter in plans and records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ParameterValue {
    /// A text.
    Text(String),
    /// A text under a name of a secret, which the deployment lists in `public`.
    Public(PublicText),
    /// A secret, of which only is known that it is set.
    Secret(SecretMark),
}

/// Text of a parameter that is not secret in spite of its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicText {
    /// The text.
    pub public: String,
}

/// Mark in place of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretMark {
    secret: AlwaysTrue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "bool", into = "bool")]
struct AlwaysTrue;

impl TryFrom<bool> for AlwaysTrue {
    type Error = &'static str;

    fn try_from(value: bool) -> Result<Self, Self::Error> {
        value.then_some(Self).ok_or("`secret` is always true")
    }
}

impl From<AlwaysTrue> for bool {
    fn from(AlwaysTrue: AlwaysTrue) -> Self {
        true
    }
}

impl ParameterValue {
    /// A secret.
    pub const SECRET: Self = Self::Secret(SecretMark { secret: AlwaysTrue });

    /// Returns the value of a parameter that is not secret.
    pub fn open(name: &str, text: String) -> Self {
        if is_secret_name(name) {
            Self::Public(PublicText { public: text })
        } else {
            Self::Text(text)
        }
    }
}

/// Writes the text, or that there is a secret.
impl fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(text) | Self::Public(PublicText { public: text }) => text,
            Self::Secret(_) => "(secret)",
        })
    }
}

/// Replaces the texts under names of secrets, as a record may have them that rollup did not write. A
/// public text has its own form.
pub fn hide_secrets(parameters: &mut Parameters) {
    for (name, value) in parameters {
        if matches!(value, ParameterValue::Text(_)) && is_secret_name(name) {
            *value = ParameterValue::SECRET;
        }
    }
}

/// Parameter that `deployment.toml` stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum StoredParameter {
    /// A text that is not secret.
    Text(String),
    /// A secret. Its place is not part of what the description says: another machine, or a
    /// rehearsal, may have it elsewhere.
    Secret(#[serde(serialize_with = "without_place")] SecretSource),
}

fn without_place<S: Serializer>(_: &SecretSource, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_unit()
}

impl StoredParameter {
    /// Returns the value that plans and records have.
    pub fn value(&self, name: &str) -> ParameterValue {
        match self {
            Self::Text(text) => ParameterValue::open(name, text.clone()),
            Self::Secret(_) => ParameterValue::SECRET,
        }
    }
}

/// Place of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// `deployment.toml` itself, in clear text.
    Description,
    /// The environment variable of this name.
    Environment(String),
    /// A file of the deployment, by its path from the root.
    DeploymentFile(RelPath),
    /// A file of the machine, by its absolute path.
    MachineFile(PathBuf),
}

/// Reason why a secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment has no such variable.
    #[error("the environment variable `{}` is not set", Escaped(.0))]
    NotSet(String),
    /// The variable is not UTF-8.
    #[error("the environment variable `{}` is not UTF-8 text", Escaped(.0))]
    NotText(String),
    /// The variable, or the file, is empty.
    #[error("{0} is empty")]
    Empty(String),
    /// The file does not exist.
    #[error("the file `{}` does not exist", Escaped(.0))]
    NoFile(String),
    /// The file cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl SecretSource {
    /// Parses the name of an environment variable.
    ///
    /// # Errors
    ///
    /// The name has other characters than letters of ASCII, digits and `_`, or begins with a digit.
    pub fn variable(name: &str) -> Result<Self, &'static str> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_allowed) {
            return Err("it is not the name of an environment variable");
        }
        Ok(Self::Environment(name.to_owned()))
    }

    /// Parses the path of a file: an absolute one, or one from the root of the deployment.
    ///
    /// # Errors
    ///
    /// The path has an empty part, or one that is `.` or `..`.
    pub fn file(path: &str) -> Result<Self, RelPathError> {
        match path.strip_prefix('/') {
            None => Ok(Self::DeploymentFile(RelPath::parse(path)?)),
            Some(below) => {
                let below = RelPath::parse(below)?;
                Ok(Self::MachineFile(Path::new("/").join(below.to_path())))
            }
        }
    }

    /// Checks that the secret is set: that it can be read and is not empty, without the line end of
    /// a file. It is forgotten at once.
    ///
    /// # Errors
    ///
    /// Returns the reason, with the name of the variable or the path of the file.
    pub fn check(&self, deployment: &Tree) -> Result<(), SecretError> {
        match self {
            Self::Description => Ok(()),
            Self::Environment(name) => {
                let value =
                    std::env::var_os(name).ok_or_else(|| SecretError::NotSet(name.clone()))?;
                let value = value
                    .to_str()
                    .ok_or_else(|| SecretError::NotText(name.clone()))?;
                require_filled(value, || {
                    format!("the environment variable `{}`", Escaped(name))
                })
            }
            Self::DeploymentFile(path) => check_file(deployment, path),
            Self::MachineFile(path) => {
                let directory = path.parent().unwrap_or(Path::new("/"));
                let name = path.file_name().and_then(|name| name.to_str());
                let name = name.and_then(|name| RelPath::parse(name).ok());
                let no_file = || SecretError::NoFile(path.display().to_string());
                check_file(&Tree::open(directory)?, &name.ok_or_else(no_file)?)
            }
        }
    }

    /// Returns advice on how to set the secret; none for one in `deployment.toml`.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Description => None,
            Self::Environment(name) => Some(format!(
                "`read -rs {name} && export {name}` reads it without showing it; then run the same \
                 command again"
            )),
            Self::DeploymentFile(_) | Self::MachineFile(_) => Some(
                "write the secret into the file, readable only for the user who runs rollup; then run \
                 the same command again"
                    .to_owned(),
            ),
        }
    }
}

fn check_file(tree: &Tree, path: &RelPath) -> Result<(), SecretError> {
    let shown = || tree.shown(Some(path));
    let text = tree.text(path, LONGEST_SECRET)?;
    let text = text.ok_or_else(|| SecretError::NoFile(shown()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    require_filled(text, || format!("the file `{}`", Escaped(&shown())))
}

fn require_filled(secret: &str, what: impl FnOnce() -> String) -> Result<(), SecretError> {
    if secret.is_empty() {
        return Err(SecretError::Empty(what()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_one_form_and_no_text() {
        let secret: ParameterValue = serde_json::from_str("{\"secret\":true}").expect("a secret");
        assert_eq!(secret, ParameterValue::SECRET);
        for other in [
            "{\"secret\":false}",
            "{\"secret\":\"x\"}",
            "{\"public\":1}",
            "1",
        ] {
            assert!(
                serde_json::from_str::<ParameterValue>(other).is_err(),
                "{other}"
            );
        }
        assert_eq!(secret.to_string(), "(secret)");
    }

    #[test]
    fn texts_of_an_earlier_version_are_hidden_by_their_names() {
        let text = |text: &str| ParameterValue::Text(text.to_owned());
        let public = ParameterValue::open("keyPath", "C".to_owned());
        let mut parameters = Parameters::from([
            ("servicePassword".to_owned(), text("S3cr3t")),
            ("keyPath".to_owned(), public.clone()),
            ("controller".to_owned(), text("dc1")),
        ]);
        hide_secrets(&mut parameters);
        assert_eq!(parameters["servicePassword"], ParameterValue::SECRET);
        assert_eq!(parameters["keyPath"], public);
        assert_eq!(parameters["controller"], text("dc1"));
    }

    #[test]
    fn a_file_is_absolute_or_inside_of_the_deployment() {
        assert!(matches!(
            SecretSource::file("secrets/mail"),
            Ok(SecretSource::DeploymentFile(_))
        ));
        assert!(matches!(
            SecretSource::file("/run/secrets/mail"),
            Ok(SecretSource::MachineFile(_))
        ));
        for path in ["../mail", "a/../../mail", "/", "/a/../b", ""] {
            assert!(SecretSource::file(path).is_err(), "{path}");
        }
    }
}

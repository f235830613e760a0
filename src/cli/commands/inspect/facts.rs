//! Facts about a package, as far as they can be read.

use schemars::JsonSchema;
use serde::Serialize;

use crate::installer::{Component, Components, PackagedFile, Properties, Survey};
use crate::names::{Digest, RelPath, error_chain};

/// Facts about a package.
#[derive(Serialize, JsonSchema)]
pub(super) struct PackageFacts {
    pub(super) identity: Properties,
    pub(super) features: Vec<FeatureFacts>,
    /// Files that are installed unless other features are asked for, sorted by path.
    pub(super) files: Vec<InspectedFile>,
    /// Files that are not installed, because their features are off by default or another file has
    /// their path.
    pub(super) not_installed: Vec<InspectedFile>,
    /// Files that must be in the directory of the package, and are there.
    pub(super) beside: Vec<BesideFacts>,
    /// Files that must be in the directory of the package, and are missing.
    pub(super) absent: Vec<RelPath>,
    /// Peculiarities that keep nothing from being installed.
    pub(super) notes: Vec<String>,
}

/// Feature of a package.
#[derive(Serialize, JsonSchema)]
pub(super) struct FeatureFacts {
    /// Key, by which `features` of a manifest or of `deployment.toml` names it.
    pub(super) name: String,
    pub(super) title: Option<String>,
    /// Feature that it belongs to.
    pub(super) parent: Option<String>,
    /// True if it is installed by default.
    pub(super) default: bool,
    /// True if the package has conditions that may change this; they are not evaluated.
    pub(super) conditional: bool,
}

/// File of a package.
#[derive(Serialize, JsonSchema)]
pub(super) struct InspectedFile {
    /// Path below the target directory.
    pub(super) path: RelPath,
    /// Size in bytes.
    pub(super) size: u64,
    /// `null` if it cannot be unpacked.
    pub(super) sha256: Option<Digest>,
    pub(super) version: Option<String>,
    /// Features that it belongs to.
    pub(super) features: Vec<String>,
    /// Condition of its component, which is not evaluated.
    pub(super) condition: Option<String>,
}

/// File in the directory of a package.
#[derive(Serialize, JsonSchema)]
pub(super) struct BesideFacts {
    /// Path as the package spells it.
    pub(super) path: RelPath,
    /// Size in bytes.
    pub(super) size: u64,
    pub(super) sha256: Digest,
}

/// Returns the facts about a package, and the reason why it cannot be installed.
pub(super) fn package_facts(survey: Survey) -> (PackageFacts, Option<String>) {
    let mut facts = PackageFacts {
        identity: survey.properties.clone(),
        features: feature_facts(&survey.components),
        files: Vec::new(),
        not_installed: Vec::new(),
        beside: Vec::new(),
        absent: survey.absent.clone(),
        notes: Vec::new(),
    };
    let selected = survey
        .components
        .selected(&[])
        .expect("no feature is asked for");
    let mut keys: Vec<&str> = survey
        .files
        .iter()
        .filter(|file| selected[file.component])
        .map(|file| file.key.as_str())
        .collect();
    let error = match &survey.contents {
        Ok(contents) => {
            facts.notes = contents.notes.clone();
            facts.beside = contents
                .beside
                .iter()
                .map(|file| BesideFacts {
                    path: file.path.clone(),
                    size: file.size,
                    sha256: file.sha256,
                })
                .collect();
            match contents.installed(&[]) {
                Ok(installed) => {
                    keys = installed
                        .iter()
                        .map(|file| file.file.key.as_str())
                        .collect();
                    None
                }
                Err(error) => Some(error.to_string()),
            }
        }
        Err(error) => Some(error_chain(error)),
    };
    keys.sort_unstable();
    for file in &survey.files {
        let inspected = InspectedFile::new(&survey, file);
        if keys.binary_search(&file.key.as_str()).is_ok() {
            facts.files.push(inspected);
        } else {
            facts.not_installed.push(inspected);
        }
    }
    (facts, error)
}

fn feature_facts(components: &Components) -> Vec<FeatureFacts> {
    let features = &components.features;
    let facts = features.iter().map(|feature| FeatureFacts {
        name: feature.name.clone(),
        title: feature.title.clone(),
        parent: feature.parent.map(|parent| features[parent].name.clone()),
        default: feature.is_default,
        conditional: feature.has_condition,
    });
    facts.collect()
}

impl InspectedFile {
    fn new(survey: &Survey, file: &PackagedFile) -> Self {
        let Component {
            features,
            condition,
            ..
        } = &survey.components.components[file.component];
        let names = features
            .iter()
            .map(|at| survey.components.features[*at].name.clone());
        Self {
            path: file.path.clone(),
            size: file.size,
            sha256: survey.sha256.get(&file.key).copied(),
            version: file.version.clone(),
            features: names.collect(),
            condition: condition.clone(),
        }
    }
}

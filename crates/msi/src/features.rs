//! Features and components: which files of a package are installed.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use rollup_names::Escaped;

use super::InstallerError;
use super::database::Database;

/// Maximum number of features above one another; Windows Installer allows 16.
const MAX_DEPTH: usize = 16;

/// Feature of a package: what a person may choose to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Key in the package, by which it is selected.
    pub name: String,
    /// Title for people.
    pub title: Option<String>,
    /// Index of the feature that it belongs to, in [`Components::features`].
    pub parent: Option<usize>,
    /// True if it is installed by default. Conditions, which may change this, are not evaluated.
    pub is_default: bool,
    /// True if the package has conditions that may change whether it is installed.
    pub has_condition: bool,
}

/// Component of a package: the files that are installed together into one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Key in the package.
    pub name: String,
    /// Key of its directory.
    pub(super) directory: String,
    /// Condition under which Windows Installer installs it, which is not evaluated.
    pub condition: Option<String>,
    /// Indices of the features that it belongs to, in [`Components::features`].
    pub features: Vec<usize>,
}

/// Features and components of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Components {
    pub features: Vec<Feature>,
    pub components: Vec<Component>,
}

/// A feature that was asked for does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the package has no feature `{}`; it has {}", Escaped(.asked), Escaped(.known))]
pub struct UnknownFeatureError {
    asked: String,
    /// Features that exist, with those that are off by default first.
    known: String,
}

impl Components {
    pub(super) fn read<R: Read + Seek>(
        database: &Database,
        compound: &mut cfb::CompoundFile<R>,
        install_level: i32,
    ) -> Result<Self, InstallerError> {
        let features = read_features(database, compound, install_level)?;
        let mut components = read_components(database, compound)?;
        let feature_numbers = numbers(features.iter().map(|feature| &feature.name));
        let component_numbers = numbers(components.iter().map(|component| &component.name));
        let table = database.table(compound, "FeatureComponents", ["Feature_", "Component_"])?;
        for row in table.rows() {
            let feature = feature_numbers.get(&row.key(0)?);
            let component = component_numbers.get(&row.key(1)?);
            // Rows of merged modules may name what was left out.
            if let (Some(feature), Some(component)) = (feature, component) {
                components[*component].features.push(*feature);
            }
        }
        Ok(Self {
            features,
            components,
        })
    }

    /// Returns for each component whether it is installed with these features in addition to those
    /// that are on by default; a feature brings those that it belongs to.
    ///
    /// A component without a feature is never installed, unless the package has no features at all.
    pub fn selected(&self, asked: &[String]) -> Result<Vec<bool>, UnknownFeatureError> {
        let mut on: Vec<bool> = self
            .features
            .iter()
            .map(|feature| feature.is_default)
            .collect();
        for name in asked {
            let mut at = self
                .features
                .iter()
                .position(|feature| feature.name == *name);
            if at.is_none() {
                return Err(self.unknown(name));
            }
            while let Some(feature) = at {
                on[feature] = true;
                at = self.features[feature].parent;
            }
        }
        let is_on = |component: &Component| {
            self.features.is_empty() || component.features.iter().any(|feature| on[*feature])
        };
        Ok(self.components.iter().map(is_on).collect())
    }

    fn unknown(&self, asked: &str) -> UnknownFeatureError {
        let (on, off): (Vec<_>, Vec<_>) =
            self.features.iter().partition(|feature| feature.is_default);
        let names: Vec<&str> = off
            .iter()
            .chain(&on)
            .map(|feature| feature.name.as_str())
            .collect();
        UnknownFeatureError {
            asked: asked.to_owned(),
            known: match &names[..] {
                [] => "none".to_owned(),
                [first @ .., _] if first.len() >= 10 => {
                    format!("{} and {} more", first[..10].join(", "), names.len() - 10)
                }
                all => all.join(", "),
            },
        }
    }
}

fn numbers<'a>(names: impl Iterator<Item = &'a String>) -> BTreeMap<String, usize> {
    names.cloned().zip(0..).collect()
}

fn read_features<R: Read + Seek>(
    database: &Database,
    compound: &mut cfb::CompoundFile<R>,
    install_level: i32,
) -> Result<Vec<Feature>, InstallerError> {
    let table = database.table(
        compound,
        "Feature",
        ["Feature", "Feature_Parent", "?Title", "Level"],
    )?;
    let mut features = Vec::new();
    let mut parents = Vec::new();
    for row in table.rows() {
        let name = row.key(0)?;
        parents.push(row.text(1)?.filter(|parent| *parent != name));
        let level = row.number(3)?.unwrap_or(0);
        features.push(Feature {
            name,
            title: row.text_for_people(2),
            parent: None,
            is_default: level > 0 && level <= install_level,
            has_condition: false,
        });
    }
    let by_name = numbers(features.iter().map(|feature| &feature.name));
    if by_name.len() < features.len() {
        return Err(InstallerError::damaged_table(
            "Feature",
            "a feature is a duplicate",
        ));
    }
    for (feature, parent) in features.iter_mut().zip(parents) {
        feature.parent = parent.and_then(|parent| by_name.get(&parent).copied());
    }
    let table = database.table(compound, "Condition", ["Feature_"])?;
    for row in table.rows() {
        if let Some(feature) = by_name.get(&row.key(0)?) {
            features[*feature].has_condition = true;
        }
    }
    turn_off_below(&mut features)?;
    Ok(features)
}

/// Turns off the features that belong to one that is off.
fn turn_off_below(features: &mut [Feature]) -> Result<(), InstallerError> {
    for at in 0..features.len() {
        let mut above = features[at].parent;
        let mut depth = 1;
        while let Some(parent) = above {
            if depth == MAX_DEPTH {
                let name = Escaped(&features[at].name);
                let reason =
                    format!("`{name}` is below itself, or deeper than {MAX_DEPTH} features");
                return Err(InstallerError::damaged_table("Feature", reason));
            }
            features[at].is_default &= features[parent].is_default;
            above = features[parent].parent;
            depth += 1;
        }
    }
    Ok(())
}

fn read_components<R: Read + Seek>(
    database: &Database,
    compound: &mut cfb::CompoundFile<R>,
) -> Result<Vec<Component>, InstallerError> {
    let table = database.table(
        compound,
        "Component",
        ["Component", "Directory_", "?Condition"],
    )?;
    let mut components = BTreeMap::new();
    for row in table.rows() {
        let name = row.key(0)?;
        let component = Component {
            name: name.clone(),
            directory: row.key(1)?,
            condition: row.text_for_people(2),
            features: Vec::new(),
        };
        if components.insert(name, component).is_some() {
            return Err(row.damaged("the component is a duplicate"));
        }
    }
    Ok(components.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(name: &str, parent: Option<usize>, is_default: bool) -> Feature {
        Feature {
            name: name.to_owned(),
            title: None,
            parent,
            is_default,
            has_condition: false,
        }
    }

    fn component(name: &str, features: &[usize]) -> Component {
        Component {
            name: name.to_owned(),
            directory: "TARGETDIR".to_owned(),
            condition: None,
            features: features.to_vec(),
        }
    }

    #[test]
    fn a_feature_brings_those_that_it_belongs_to() {
        let all = Components {
            features: vec![
                feature("Main", None, true),
                feature("Tools", None, false),
                feature("Docs", Some(1), false),
            ],
            components: vec![
                component("main", &[0]),
                component("tools", &[1]),
                component("docs", &[2]),
                component("both", &[0, 2]),
                component("none", &[]),
            ],
        };
        let selected = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
            all.selected(&asked)
        };
        assert_eq!(selected(&[]), Ok(vec![true, false, false, true, false]));
        assert_eq!(selected(&["Docs"]), Ok(vec![true, true, true, true, false]));
        let error = selected(&["docs"]).expect_err("features differ in case");
        assert_eq!(
            error.to_string(),
            "the package has no feature `docs`; it has Tools, Docs, Main"
        );
    }

    #[test]
    fn a_feature_below_one_that_is_off_is_off() {
        let mut features = vec![
            feature("A", Some(1), true),
            feature("B", Some(2), true),
            feature("C", None, false),
        ];
        turn_off_below(&mut features).expect("three levels");
        assert!(features.iter().all(|feature| !feature.is_default));
        features[2].parent = Some(0);
        assert!(turn_off_below(&mut features).is_err());
    }

    #[test]
    fn without_features_everything_is_installed() {
        let all = Components {
            features: vec![],
            components: vec![component("c", &[])],
        };
        assert_eq!(all.selected(&[]), Ok(vec![true]));
    }
}

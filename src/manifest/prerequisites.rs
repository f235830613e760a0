//! Prerequisites: conditions that must hold before anything is staged.

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Name, meaning};
use crate::deployment::description::{ItemId, RoleId};
use crate::document::Placed;
use crate::names::Version;

/// Condition that the deployment must meet, with its line.
#[derive(Debug, Clone, Serialize)]
pub struct Prerequisite {
    /// The line in the manifest, from 1.
    #[serde(skip)]
    pub line: u32,
    #[serde(flatten)]
    pub condition: Condition,
}

/// Condition of a prerequisite.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Condition {
    /// Condition that rollup checks.
    Site(SiteCondition),
    /// Conditions of which one is enough.
    Any { any: Vec<SiteCondition> },
    /// Question that only a person can answer, asked before anything is staged.
    Confirm {
        /// Id for `--confirm ID`.
        id: Placed<String>,
        #[serde(rename = "confirm")]
        question: String,
    },
}

/// Condition on a product or an item of the deployment.
#[derive(Debug, Clone, Serialize)]
pub struct SiteCondition {
    #[serde(flatten)]
    pub subject: ConditionSubject,
    #[serde(flatten)]
    pub wanted: WantedState,
}

/// Product or item that a prerequisite is about.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum ConditionSubject {
    /// Product that servers have.
    Product {
        product: Placed<String>,
        /// Role whose servers must all have it, or none of them.
        #[serde(
            serialize_with = "meaning::text_or_none",
            skip_serializing_if = "Option::is_none"
        )]
        on: Option<Name<RoleId>>,
    },
    /// Item of the console.
    Item {
        /// Name or alias.
        #[serde(serialize_with = "meaning::text")]
        item: Name<ItemId>,
    },
}

/// State in which a prerequisite wants a product or an item.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum WantedState {
    /// Installed nowhere.
    Absent {
        /// Always `true`.
        absent: Placed<bool>,
    },
    /// Installed, as one of these.
    Present {
        /// Service packs of a product; an item has none.
        #[serde(skip_serializing_if = "Option::is_none")]
        service_pack: Option<ServicePacks>,
        /// Versions, if the version matters.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<WantedVersion>,
    },
}

/// Range of service packs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServicePacks {
    /// Lowest service pack that is accepted; 0 for none.
    pub min: u32,
    /// Highest service pack that is accepted.
    pub max: Option<u32>,
}

/// Version, or range of versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum WantedVersion {
    /// Exactly this version.
    Exactly(String),
    /// Versions between these two, if they are given.
    Range {
        #[serde(skip_serializing_if = "Option::is_none")]
        min: Option<Version>,
        #[serde(skip_serializing_if = "Option::is_none")]
        max: Option<Version>,
    },
}

impl SiteCondition {
    /// Returns whether it holds if the product or item is installed nowhere.
    pub fn wants_absence(&self) -> bool {
        matches!(self.wanted, WantedState::Absent { .. })
    }
}

impl ServicePacks {
    /// Returns whether a service pack is in the range.
    pub fn contain(self, pack: u32) -> bool {
        pack >= self.min && self.max.is_none_or(|max| pack <= max)
    }

    /// Returns whether every service pack is in the range, and none.
    pub fn are_all(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for ServicePacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (0, Some(0)) => f.write_str("no service pack"),
            (0, Some(max)) => write!(f, "at most service pack {max}"),
            (min, None) => write!(f, "at least service pack {min}"),
            (min, Some(max)) if min == max => write!(f, "service pack {min}"),
            (min, Some(max)) => write!(f, "service pack {min} to {max}"),
        }
    }
}

impl Serialize for ServicePacks {
    /// Serializes a minimum as a number, and any other range as a table: both spellings of a
    /// minimum mean the same.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(max) = self.max else {
            return serializer.serialize_u32(self.min);
        };
        let mut range = serializer.serialize_map(Some(2))?;
        range.serialize_entry("min", &self.min)?;
        range.serialize_entry("max", &max)?;
        range.end()
    }
}

impl WantedVersion {
    /// Returns whether a version is accepted. Versions that are numbers joined by dots are compared
    /// number by number; any other text is accepted only if it is the wanted one.
    pub fn accepts(&self, found: &str) -> bool {
        let number = found.parse::<Version>();
        match (self, &number) {
            (Self::Exactly(wanted), Ok(found)) if wanted.parse().as_ref() == Ok(found) => true,
            (Self::Exactly(wanted), _) => wanted == found,
            (Self::Range { min, max }, Ok(found)) => {
                min.as_ref().is_none_or(|min| found >= min)
                    && max.as_ref().is_none_or(|max| found <= max)
            }
            (Self::Range { .. }, Err(_)) => false,
        }
    }
}

impl fmt::Display for WantedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(version) => write!(f, "version {version}"),
            Self::Range {
                min: Some(min),
                max: Some(max),
            } => write!(f, "version {min} to {max}"),
            Self::Range { min: Some(min), .. } => write!(f, "at least version {min}"),
            Self::Range { max: Some(max), .. } => write!(f, "at most version {max}"),
            Self::Range { .. } => f.write_str("any version"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: &str, max: &str) -> WantedVersion {
        let limit = |text: &str| text.parse().ok();
        WantedVersion::Range {
            min: limit(min),
            max: limit(max),
        }
    }

    #[test]
    fn versions_compare_number_by_number_and_other_texts_for_equality() {
        let exactly = |text: &str| WantedVersion::Exactly(text.to_owned());
        for (wanted, found, accepted) in [
            (exactly("9.0"), "9", true),
            (exactly("9.0"), "9.0.1", false),
            (exactly("9.0"), "09.0", true),
            (exactly("2005 R2"), "2005 R2", true),
            (exactly("2005 R2"), "2005 r2", false),
            (exactly("2005 R2"), "2005", false),
            (range("9.9", ""), "9.10", true),
            (range("9.9", ""), "9.8.99", false),
            (range("", "10"), "10.0.0", true),
            (range("", "10"), "10.0.1", false),
            (range("9.0", "10"), "9.5", true),
            (range("9.0", "10"), "11", false),
            (range("9.0", ""), "2005 R2", false),
        ] {
            assert_eq!(wanted.accepts(found), accepted, "{wanted:?} and {found}");
        }
    }

    #[test]
    fn a_range_includes_both_of_its_limits() {
        let packs = ServicePacks {
            min: 1,
            max: Some(2),
        };
        let contained: Vec<u32> = (0..4).filter(|pack| packs.contain(*pack)).collect();
        assert_eq!(contained, [1, 2]);
        assert!(ServicePacks::default().contain(0) && ServicePacks::default().are_all());
    }
}

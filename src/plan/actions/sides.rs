//! The two sides of an operation, derived from records.

use crate::deployment::records::{ItemRecord, ProcedureRecord, State};
use crate::plan::Side;

pub(in crate::plan) fn item_side(record: Option<&ItemRecord>) -> Side {
    match record {
        None => Side::Nothing,
        Some(record) => Side::Item {
            state: record.state,
            version: record
                .installed
                .as_ref()
                .map(|installed| installed.version.clone()),
            installer: record
                .installed
                .as_ref()
                .map(|installed| installed.installer.sha256),
        },
    }
}

pub(in crate::plan) fn procedure_side(record: Option<&ProcedureRecord>) -> Side {
    match record {
        None => Side::Nothing,
        Some(record) => Side::Procedure {
            state: record.state,
            parameters: record.parameters.clone(),
        },
    }
}

pub(in crate::plan) fn seen_item(record: Option<&ItemRecord>) -> String {
    match record {
        None => "never installed here".to_owned(),
        Some(ItemRecord {
            state,
            installed: Some(installed),
            ..
        }) => {
            format!("{}, version {}", state.as_str(), installed.version)
        }
        Some(ItemRecord {
            state: State::NotInstalled,
            kb: Some(kb),
            ..
        }) => format!("not-installed, removed by {kb}"),
        Some(ItemRecord { state, .. }) => state.as_str().to_owned(),
    }
}

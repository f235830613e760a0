//! States before and after an operation, derived from records.

use crate::deployment::records::{ItemRecord, ProcedureRecord, State};
use crate::plan::TargetState;

pub(in crate::plan) fn item_state(record: Option<&ItemRecord>) -> TargetState {
    match record {
        None => TargetState::Nothing,
        Some(record) => TargetState::Item {
            state: record.state,
            version: record
                .installed
                .as_ref()
                .and_then(|installed| installed.version.clone()),
            installer: record
                .installed
                .as_ref()
                .map(|installed| installed.installer.sha256),
        },
    }
}

pub(in crate::plan) fn procedure_state(record: Option<&ProcedureRecord>) -> TargetState {
    match record {
        None => TargetState::Nothing,
        Some(record) => TargetState::Procedure {
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
        }) => match &installed.version {
            Some(version) => format!("{}, version {version}", state.as_str()),
            None => format!("{}, of unknown version", state.as_str()),
        },
        Some(ItemRecord {
            state: State::NotInstalled,
            kb: Some(kb),
            ..
        }) => format!("not-installed, removed by {kb}"),
        Some(ItemRecord { state, .. }) => state.as_str().to_owned(),
    }
}

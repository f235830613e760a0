//! Secrets that an earlier version stored as texts in its plans.

use super::{NewEntryKind, Origin, Plan, TargetState};
use crate::deployment::item_dir::ItemDir;
use crate::deployment::parameters::hide_old_secrets;
use crate::deployment::records::ProcedureRecord;

impl Plan {
    /// Hides the texts of secrets in the states of all operations, which are only shown.
    pub(super) fn hide_secrets_in_states(&mut self) {
        for step in &mut self.steps {
            for operation in &mut step.operations {
                for state in [&mut operation.before, &mut operation.after] {
                    if let TargetState::Procedure { parameters, .. } = state {
                        hide_old_secrets(parameters);
                    }
                }
            }
        }
    }

    /// Hides the texts of secrets in the records, too. Their sizes and hashes no longer match, so the
    /// plan of a run that has to be recovered keeps them.
    pub fn without_secrets(mut self) -> Self {
        for entry in self.swaps.iter_mut().flat_map(|swap| &mut swap.new) {
            if let NewEntryKind::File {
                origin: Origin::Text(text),
                ..
            } = &mut entry.kind
                && entry.path.name() == ItemDir::RECORD
                && let Ok(record) = ProcedureRecord::parse(text)
                && !record.parameters.is_empty()
            {
                *text = record.to_toml();
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::deployment::parameters::ParameterValue;
    use crate::plan::parse;

    const SECRET: &str = "S3cr3t";

    /// Returns a stored plan, as if an earlier version had run its procedures with a secret.
    fn earlier_plan() -> Plan {
        let files = include_str!("../../fixtures/runs/1/closed.json");
        let files: BTreeMap<String, Option<String>> =
            serde_json::from_str(files).expect("a stored run");
        let mut texts = files.into_iter();
        let text = texts.find_map(|(path, text)| text.filter(|_| path.ends_with("/plan.json")));
        let mut plan = parse(&text.expect("a plan")).expect("an intact plan");
        let secret = (
            "servicePassword".to_owned(),
            ParameterValue::Text(SECRET.to_owned()),
        );
        for operation in plan.steps.iter_mut().flat_map(|step| &mut step.operations) {
            if let TargetState::Procedure { parameters, .. } = &mut operation.after {
                parameters.extend([secret.clone()]);
            }
        }
        for entry in plan.swaps.iter_mut().flat_map(|swap| &mut swap.new) {
            let is_record = entry.path.as_str() == "Things/Prepare/state.toml";
            if let NewEntryKind::File {
                origin: Origin::Text(text),
                ..
            } = &mut entry.kind
                && is_record
            {
                *text += &format!("\n[parameters]\nservicePassword = \"{SECRET}\"\n");
            }
        }
        plan.bind();
        plan
    }

    #[test]
    fn the_plan_of_an_earlier_version_is_read_and_its_secrets_are_not_shown() {
        let text = earlier_plan().to_json();
        assert_eq!(text.matches(SECRET).count(), 2, "{text}");
        let plan = parse(&text).expect("an intact plan");
        assert!(!format!("{:?}", plan.steps).contains(SECRET));
        assert!(plan.to_json().contains(SECRET), "recovery needs the record");
        assert!(!plan.without_secrets().to_json().contains(SECRET));
    }
}

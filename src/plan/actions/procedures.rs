//! `initialize`: procedures with their parameters.

use std::collections::BTreeMap;

use super::PlannedStepDraft;
use super::states::procedure_state;
use crate::deployment::description::ItemKind;
use crate::deployment::records::ProcedureRecord;
use crate::manifest::{Selection, Step};
use crate::plan::OperationKind;
use crate::plan::planner::{Placement, Planner};
use crate::plan::refusal::ReasonKind;
use crate::plan::resolve::StepTarget;
use crate::plan::swaps::directory_with_record;

impl Planner<'_> {
    pub(super) fn initialize(
        &mut self,
        step: &Step,
        items: &Selection,
        given: &BTreeMap<String, BTreeMap<String, String>>,
        draft: &mut PlannedStepDraft,
    ) {
        let site = &self.snapshot.description;
        for target in self.resolver.instances(step, items, true) {
            let item = &site.items[target.instance.item.0];
            if !self.covers_instance(target.instance) {
                continue;
            }
            self.brought.instances.insert(target.instance);
            let ItemKind::Procedure { needs, parameters } = &item.kind else {
                continue;
            };
            let mut all = parameters.clone();
            for (name, values) in given {
                if site.item(name) == Some(target.instance.item) {
                    all.extend(values.clone());
                }
            }
            let missing: Vec<_> = needs
                .iter()
                .filter(|need| !all.contains_key(*need))
                .cloned()
                .collect();
            for need in missing {
                let message = format!(
                    "the procedure `{}` requires the parameter `{need}`, which has no value",
                    item.name
                );
                let help = "set it in the step's `parameters`, or store it under `[parameters]` in `deployment.toml`";
                self.refuse(ReasonKind::NotReady, message, Some(help));
            }
            self.initialize_one(target, all, draft);
        }
    }

    pub(super) fn initialize_one(
        &mut self,
        target: StepTarget,
        parameters: BTreeMap<String, String>,
        draft: &mut PlannedStepDraft,
    ) {
        let operation_target = self.instance_target(target.instance, target.line);
        let before = self.snapshot.procedure(target.instance).cloned();
        let kept = self.directory_object(&operation_target.at, None);
        let record = ProcedureRecord::ran(Some(self.rollup_identity()), parameters);
        let mut new = directory_with_record(&operation_target.at, record.to_toml());
        self.keep_unmanaged(&mut new, &operation_target.at, &kept);
        self.placements.push(Placement {
            live: operation_target.at.clone(),
            new,
            unmanaged: kept.unmanaged,
        });
        let seen = match &before {
            Some(before) => before.state.as_str().to_owned(),
            None => "never run here".to_owned(),
        };
        let states = (
            procedure_state(before.as_ref()),
            procedure_state(Some(&record)),
        );
        draft.add_operation(
            OperationKind::Initialize,
            operation_target,
            states,
            seen,
            self.placements.len() - 1,
        );
        self.procedures_run.insert(target.instance);
    }
}

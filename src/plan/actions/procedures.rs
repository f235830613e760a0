//! `initialize`: procedures with their parameters.

use super::StepDraft;
use super::states::procedure_state;
use crate::deployment::records::ProcedureRecord;
use crate::manifest::ProcedureTarget;
use crate::plan::OperationKind;
use crate::plan::brought::BroughtPlace;
use crate::plan::planner::StepPlanner;
use crate::plan::swaps::directory_with_record;

impl StepPlanner<'_> {
    pub(super) fn initialize(&self, procedure: &ProcedureTarget, draft: &mut StepDraft) {
        let instance = procedure.target.instance;
        if !self.inputs.covers_instance(instance) {
            return;
        }
        draft.brought.push(BroughtPlace::Instance(instance));
        let missing = procedure.missing.iter();
        draft.reasons.extend(missing.map(Into::into));
        let target = self.instance_target(instance, procedure.target.line);
        let before = self.inputs.snapshot.procedure(instance);
        let identity = self.inputs.rollup_identity();
        let record = ProcedureRecord::ran(Some(identity), procedure.parameters.clone());
        let new = directory_with_record(&target.at, record.to_toml());
        let seen = before.map_or("never run here", |before| before.state.as_str());
        let states = (procedure_state(before), procedure_state(Some(&record)));
        let operation = target.operation(OperationKind::Initialize, states, seen);
        self.replace_directory(operation, None, new, draft);
        draft.procedures.push(instance);
    }
}

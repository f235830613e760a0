//! `initialize`: procedures with their parameters.

use std::collections::BTreeMap;

use super::Draft;
use super::states::procedure_state;
use crate::deployment::description::ItemKind;
use crate::deployment::records::ProcedureRecord;
use crate::deployment::tree::path;
use crate::manifest::{Selection, Step};
use crate::plan::planner::{Planner, Put};
use crate::plan::refusal::ReasonKind;
use crate::plan::resolve::Target;
use crate::plan::swaps::text_entry;
use crate::plan::{NewEntry, NewWhat, OperationKind};

impl Planner<'_> {
    pub(super) fn initialize(
        &mut self,
        step: &Step,
        items: &Selection,
        given: &BTreeMap<String, BTreeMap<String, String>>,
        draft: &mut Draft,
    ) {
        let site = &self.snapshot.description;
        for target in self.resolver.instances(step, items, true) {
            let item = &site.items[target.instance.item.0];
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
                    "the procedure `{}` needs the parameter `{need}`, which nobody gives",
                    item.name
                );
                let help = "store it under `[parameters]` in `deployment.toml`, or give it in the step's `parameters`";
                self.refuse(ReasonKind::NotReady, message, Some(help));
            }
            self.initialize_one(target, all, draft);
        }
    }

    pub(super) fn initialize_one(
        &mut self,
        target: Target,
        parameters: BTreeMap<String, String>,
        draft: &mut Draft,
    ) {
        let place = self.instance_place(target.instance, target.line);
        let before = self.snapshot.procedure(target.instance).cloned();
        let kept = self.directory_object(&place.at, None);
        let record = ProcedureRecord::ran(Some(self.brought()), parameters);
        let mut new = vec![
            NewEntry {
                path: place.at.clone(),
                what: NewWhat::Directory,
            },
            text_entry(place.at.with(&path("state.toml")), record.to_toml()),
        ];
        self.take_along(&mut new, &place.at, &kept);
        self.puts.push(Put {
            live: place.at.clone(),
            new,
            unmanaged: kept.unmanaged,
        });
        let seen = match &before {
            Some(before) => before.state.as_str().to_owned(),
            None => "never run here".to_owned(),
        };
        let sides = (
            procedure_state(before.as_ref()),
            procedure_state(Some(&record)),
        );
        draft.operation(
            OperationKind::Initialize,
            place,
            sides,
            seen,
            self.puts.len() - 1,
        );
        self.procedures_run.insert(target.instance);
    }
}

//! What each action comes to: one function per action, each leaving puts for the swaps of its step.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::planner::{Downgrade, InstallNew, Package, Planner, Put, Shared, text_entry};
use super::refusal::{Reason, ReasonKind};
use super::resolve::{Target, server_file};
use super::world::{Kept, respell};
use super::{Gate, Idle, Member, NewEntry, NewWhat, Operation, OperationKind, Origin, PlannedStep, Side, SourceAt};
use crate::deployment::description::{Instance, ItemKind, ServerId, ServiceId};
use crate::deployment::locked::path;
use crate::deployment::records::{
    FileRecord, Installed, InstallerRecord, ItemRecord, ProcedureRecord, ServiceRecord, State,
};
use crate::deployment::snapshot::in_files;
use crate::deployment::tree::Kind;
use crate::installer::{Contents, ExternalCabinet};
use crate::manifest::{Action, CopyFiles, CopyTarget, InstallTargets, Selection, Servers, ServiceVerb, Step};
use crate::names::{FileName, Folded, Kb, RelPath, Version};

/// What a step came to while its puts are still open: an operation knows its put, not yet its swap.
#[derive(Default)]
struct Draft {
    operations: Vec<(Operation, usize)>,
    nothing: Vec<Idle>,
    left_out: Vec<String>,
    gate: Option<Gate>,
}

/// Where an operation happens, as people name it.
struct Place {
    target: String,
    server: Option<String>,
    at: RelPath,
    line: u32,
}

impl Draft {
    fn idle(&mut self, target: impl Into<String>, why: impl Into<String>) {
        self.nothing.push(Idle { target: target.into(), why: why.into() });
    }

    fn operation(&mut self, kind: OperationKind, place: Place, (was, becomes): (Side, Side), seen: String, put: usize) {
        let Place { target, server, at, line } = place;
        self.operations.push((Operation { kind, target, server, at, was, becomes, swap: 0, line, seen }, put));
    }
}

impl Planner<'_> {
    /// Plans one step of the manifest.
    pub(super) fn step(&mut self, at: usize, step: &Step) -> PlannedStep {
        let mut draft = Draft::default();
        match &step.action {
            Action::Uninstall(selection) => self.uninstall(at, step, selection, &mut draft),
            Action::Install(targets) => self.install(at, step, targets, &mut draft),
            Action::Copy { files, to } => self.copy(step, files, to, &mut draft),
            Action::Run { files, on } => {
                for file in files {
                    self.run(step, (&file.name, file.line), on, &mut draft);
                }
            }
            Action::Initialize { items, parameters } => self.initialize(step, items, parameters, &mut draft),
            Action::Service { verb, service, on, platform } => {
                let found = self.resolver.service(step, service, on.as_ref(), platform.as_deref());
                for (service, server) in found.into_iter().flat_map(|(id, on)| on.into_iter().map(move |s| (id, s))) {
                    self.service(step, *verb, (service, server), &mut draft);
                }
            }
            Action::Manual { instructions, undo, optional, on } => {
                let servers = on.as_ref().map(|on| self.resolver.servers(step, on)).unwrap_or_default();
                let name = |server: &ServerId| self.snapshot.description.servers[server.0].name.to_string();
                let servers = servers.iter().map(name).collect();
                let (instructions, undo, optional) = (instructions.clone(), undo.clone(), *optional);
                draft.gate = Some(Gate { instructions, undo, optional, servers });
            }
        }
        if draft.operations.is_empty() && draft.nothing.is_empty() && draft.gate.is_none() {
            draft.idle(step.title.clone(), "no item, file or server is meant by it here");
        }
        let numbers = self.close_step(Some(&step.id));
        let swap = |(operation, put): (Operation, usize)| Operation { swap: numbers[put], ..operation };
        PlannedStep {
            id: step.id.clone(),
            title: step.title.clone(),
            action: keyword(&step.action).to_owned(),
            line: step.line,
            operations: draft.operations.into_iter().map(swap).collect(),
            nothing: draft.nothing,
            left_out: draft.left_out,
            gate: draft.gate,
        }
    }

    fn brought(&self) -> (Kb, Version) {
        (self.manifest.rollup.kb, self.manifest.rollup.revision.clone())
    }

    fn instance_place(&self, instance: Instance, line: u32) -> Place {
        let site = &self.snapshot.description;
        Place {
            target: site.items[instance.item.0].name.to_string(),
            server: instance.server.map(|server| site.servers[server.0].name.to_string()),
            at: self.world.actual(&site.folder(instance)),
            line,
        }
    }

    /// Takes over the folder of an instance or program into the world, and says what of it is the
    /// operator's.
    fn folder_object(&mut self, live: &RelPath, record: Option<&ItemRecord>) -> Kept {
        self.inspect(live, Kind::Folder);
        let mut ours: BTreeSet<Folded> = [live.with(&path("state.toml")).folded()].into();
        let files = record.and_then(|record| record.installed.as_ref());
        ours.extend(files.iter().flat_map(|i| i.files.keys()).map(|file| in_files(live, file).folded()));
        self.world.load(live, &ours);
        self.warn_of_drift(live, record);
        self.world.kept(live)
    }

    /// Files of ours that are changed or missing are told; they stay with what is set aside.
    fn warn_of_drift(&mut self, live: &RelPath, record: Option<&ItemRecord>) {
        let Some(installed) = record.and_then(|record| record.installed.as_ref()) else { return };
        for (file, wanted) in &installed.files {
            let at = self.snapshot.actual(&in_files(live, file));
            let Some(found) = self.snapshot.node(&at).filter(|found| found.kind == Kind::File) else {
                self.warnings.push(format!("`{at}` is missing, though `{}` was installed with it", installed.product));
                continue;
            };
            match self.snapshot.facts(&found.path) {
                Some(facts) if facts.sha256 != wanted.sha256 => self.warnings.push(format!(
                    "`{at}` was changed since `{}` was installed; the changed file stays in the run's folder",
                    installed.product
                )),
                _ => {}
            }
        }
    }

    fn uninstall(&mut self, at: usize, step: &Step, selection: &Selection, draft: &mut Draft) {
        let mut targets = self.resolver.instances(step, selection, false);
        // Reversed is the order of the items, not that of the servers of one item.
        targets.sort_by_key(|target| (Reverse(self.resolver.rank(target.instance.item)), target.instance));
        for target in targets {
            self.uninstall_one(at, step, target, draft);
        }
    }

    fn uninstall_one(&mut self, at: usize, step: &Step, target: Target, draft: &mut Draft) {
        let site = &self.snapshot.description;
        let shown = site.shown(target.instance);
        let place = self.instance_place(target.instance, target.line);
        self.inspect_record(&place.at);
        let Some(record) = self.item_now(target.instance).filter(|record| record.state.is_installed()).cloned() else {
            return draft.idle(shown, "it is not installed");
        };
        if let ItemKind::Component { removable: false, .. } = site.items[target.instance.item.0].kind {
            let message = format!("step `{}` uninstalls `{shown}`, which may not be removed", step.id);
            return self.refuse(ReasonKind::NotReady, message, Some("`deployment.toml` says so: `removable = false`"));
        }
        let kept = self.folder_object(&place.at, Some(&record));
        let (kb, revision) = self.brought();
        let removed = ItemRecord::removed(kb, revision);
        let mut new = vec![
            NewEntry { path: place.at.clone(), what: NewWhat::Folder },
            text_entry(place.at.with(&path("state.toml")), removed.to_toml()),
        ];
        self.take_along(&mut new, &place.at, &kept);
        self.puts.push(Put { live: place.at.clone(), new, travellers: kept.travellers });
        let (was, becomes) = (item_side(Some(&record)), item_side(Some(&removed)));
        let seen = seen_item(Some(&record));
        draft.operation(OperationKind::Uninstall, place, (was, becomes), seen, self.puts.len() - 1);
        self.items.insert(target.instance, removed);
        self.absences.entry(target.instance).or_insert((at, None)).1 = None;
        self.removed_by.entry(Folded::of(&step.id)).or_default().push(target.instance);
    }

    /// Gives the new object the spelling and the operator's folders of the one it replaces.
    fn take_along(&mut self, new: &mut Vec<NewEntry>, live: &RelPath, kept: &Kept) {
        let old = self.world.object(live);
        if let Err((ours, his)) = respell(new, &old, kept) {
            let message = format!("the installer brings `{ours}` where an operator's `{his}` stands");
            self.refuse(ReasonKind::NotReady, message, Some("move the operator's file away first"));
        }
    }

    fn install(&mut self, at: usize, step: &Step, targets: &InstallTargets, draft: &mut Draft) {
        let targets = match targets {
            InstallTargets::Chosen(selection) => self.resolver.instances(step, selection, false),
            InstallTargets::RemovedBy { step: removing, line } => {
                let removed = self.removed_by.get(&Folded::of(removing)).cloned().unwrap_or_default();
                let target = |instance| Target { instance, line: *line, by_group: false };
                let mut targets: Vec<_> = removed.into_iter().map(target).collect();
                targets.sort_by_key(|target| (self.resolver.rank(target.instance.item), target.instance));
                targets
            }
        };
        for target in targets {
            self.install_one(at, target, draft);
        }
    }

    fn install_one(&mut self, at: usize, target: Target, draft: &mut Draft) {
        let shown = self.snapshot.description.shown(target.instance);
        let place = self.instance_place(target.instance, target.line);
        self.inspect_record(&place.at);
        let removed_here = self.absences.contains_key(&target.instance);
        let installed = self.installed_now(target.instance);
        if target.by_group && !removed_here {
            match installed {
                true => return draft.idle(shown, "it is installed, and this run did not remove it"),
                false if self.options.install_new == InstallNew::No => {
                    draft.left_out.push(shown);
                    return;
                }
                false => {}
            }
        }
        let ItemKind::Component { installer, product, .. } =
            &self.snapshot.description.items[target.instance.item.0].kind
        else {
            return;
        };
        let record = self.item_now(target.instance).cloned();
        let before = self.snapshot.item(target.instance).and_then(|record| record.installed.clone());
        match self.package(installer) {
            Package::Missing => self.refuse(
                ReasonKind::Mismatch,
                format!("`{shown}` needs the installer `{installer}`, which is not in the share at this step"),
                Some("put it into the share, or let a `copy` step bring it"),
            ),
            // A file of the payload that cannot be used was told when the payload was compared.
            Package::Unusable(_) if self.share.contains_key(&installer.folded()) => {}
            Package::Unusable(why) => {
                let message = format!("`{installer}`, which `{shown}` is installed from, cannot be used: {why}");
                self.refuse(ReasonKind::Mismatch, message, None);
            }
            Package::Unknown => {
                self.puts.push(Put { live: place.at.clone(), new: Vec::new(), travellers: Vec::new() });
                let kind = if installed { OperationKind::Replace } else { OperationKind::Install };
                let sides = (item_side(record.as_ref()), Side::Unknown);
                draft.operation(kind, place, sides, seen_item(record.as_ref()), self.puts.len() - 1);
            }
            Package::Known(contents, _) if contents.identity.product != *product => {
                self.refuse_product(installer, &shown, product, contents);
            }
            Package::Known(contents, shared) => {
                let come = Coming { contents, shared, installer, before: before.as_ref(), record, shown };
                if let Some(record) = self.lay_down(place, come, OperationKind::Install, draft) {
                    return self.come_back(at, target.instance, record);
                }
            }
        }
        // Where the install is refused, what requires the item would only be told as well, and by a
        // reason that hides the first one.
        if !self.installed_now(target.instance) {
            self.come_back(at, target.instance, placeholder(product, installer));
        }
    }

    fn come_back(&mut self, at: usize, instance: Instance, record: ItemRecord) {
        self.items.insert(instance, record);
        if let Some((_, back)) = self.absences.get_mut(&instance) {
            back.get_or_insert(at);
        }
    }

    fn refuse_product(&mut self, installer: &FileName, shown: &str, product: &str, contents: &Contents) {
        let found = &contents.identity.product;
        let message = format!("`{installer}` should hold `{product}` for `{shown}`, and holds `{found}`");
        let owner = self.snapshot.description.items.iter().find_map(|item| match &item.kind {
            ItemKind::Component { installer, product, .. } if product == found => Some(installer),
            _ => None,
        });
        let help = owner.map(|owner| format!("`{found}` belongs in `{owner}`: the two files may be swapped"));
        self.reasons.push(Reason { kind: ReasonKind::Mismatch, message, help });
    }

    /// Plans what an installer lays down in a folder, and returns the record it leaves; `None` where
    /// nothing is to be done, or it is refused.
    fn lay_down(
        &mut self,
        place: Place,
        come: Coming<'_>,
        fresh: OperationKind,
        draft: &mut Draft,
    ) -> Option<ItemRecord> {
        let Coming { contents, shared, installer, before, record, shown } = come;
        let installed = record.as_ref().filter(|record| record.state.is_installed());
        let now = installed.and_then(|record| record.installed.as_ref());
        if now.is_some_and(|now| is_same(now, contents, &shared)) {
            draft.idle(shown, format!("version {} of the same package is installed", contents.identity.version));
            return None;
        }
        if before.is_some_and(|before| !self.may_replace(before, contents, installer, &shown)) {
            return None;
        }
        let source = self.installer_source(&shared, contents, installer, fresh)?;
        let kept = self.folder_object(&place.at, record.as_ref());
        let record_after = ItemRecord::installed(Some(self.brought()), installed_from(contents, installer, &shared));
        let mut new = laid_down(&place.at, contents, source);
        new.push(text_entry(place.at.with(&path("state.toml")), record_after.to_toml()));
        self.take_along(&mut new, &place.at, &kept);
        self.puts.push(Put { live: place.at.clone(), new, travellers: kept.travellers });
        let kind = if installed.is_some() { OperationKind::Replace } else { fresh };
        let sides = (item_side(record.as_ref()), item_side(Some(&record_after)));
        draft.operation(kind, place, sides, seen_item(record.as_ref()), self.puts.len() - 1);
        Some(record_after)
    }

    /// Refuses another product line, and an older version unless that is allowed.
    fn may_replace(&mut self, before: &Installed, contents: &Contents, installer: &FileName, shown: &str) -> bool {
        let after = &contents.identity;
        if let (Some(was), Some(is)) = (&before.upgrade_code, &after.upgrade_code)
            && !was.eq_ignore_ascii_case(is)
        {
            let message = format!(
                "`{installer}` has the upgrade code {is}, `{shown}` was installed with {was}: it is another product line"
            );
            self.refuse(ReasonKind::Mismatch, message, None);
            return false;
        }
        if after.version < before.version && self.options.downgrade == Downgrade::Refuse {
            let message = format!(
                "`{installer}` has version {} of `{shown}`, which is older than the installed {}",
                after.version, before.version
            );
            self.refuse(ReasonKind::NotReady, message, Some("`--allow-downgrade` installs it all the same"));
            return false;
        }
        true
    }

    /// Takes an installer in as a source, together with the cabinets that must lie beside it.
    fn installer_source(
        &mut self,
        shared: &Shared,
        contents: &Contents,
        installer: &FileName,
        used: OperationKind,
    ) -> Option<usize> {
        let mut beside = Vec::new();
        for cabinet in &contents.external_cabinets {
            let found = self.cabinet(cabinet, shared, used);
            match found.filter(|found| found.sha256 == cabinet.sha256) {
                Some(found) => beside.push(self.source(&found)),
                None => {
                    let message = format!(
                        "`{installer}` needs the cabinet `{}` beside it, which this step would not find",
                        cabinet.name
                    );
                    self.refuse(
                        ReasonKind::Mismatch,
                        message,
                        Some("let the step that copies the installer copy it too"),
                    );
                    return None;
                }
            }
        }
        let source = self.source(shared);
        self.beside(source, beside);
        Some(source)
    }

    /// A cabinet as it lies beside an installer: in the share at this step, or, for what is run from
    /// the payload, in the payload.
    fn cabinet(&self, cabinet: &ExternalCabinet, installer: &Shared, used: OperationKind) -> Option<Shared> {
        let name = &cabinet.name;
        if used == OperationKind::Run {
            return self.payload_file(name.as_str());
        }
        if let Some(shared) = self.share.get(&name.folded()) {
            return shared.clone();
        }
        match &installer.at {
            // It was read from the share together with the installer.
            SourceAt::Share { .. } => {
                let path = self.snapshot.share_file(&name.folded())?.path.clone();
                Some(Shared { at: SourceAt::Share { path }, size: cabinet.size, sha256: cabinet.sha256 })
            }
            SourceAt::Payload { .. } => None,
        }
    }

    /// A payload file as a source, in the table's spelling.
    fn payload_file(&self, name: &str) -> Option<Shared> {
        let row = *self.rows.get(&Folded::of(name))?;
        let facts = self.payload?.files.get(&row.name.folded())?.facts.as_ref().ok()?;
        Some(Shared { at: SourceAt::Payload { name: row.name.clone() }, size: facts.size, sha256: facts.sha256 })
    }

    fn copy(&mut self, step: &Step, files: &CopyFiles, to: &CopyTarget, draft: &mut Draft) {
        let names: Vec<(String, u32)> = match files {
            CopyFiles::Named(names) => names.iter().map(|listed| (listed.name.clone(), listed.line)).collect(),
            CopyFiles::Others { names, line } => names.iter().map(|name| (name.to_string(), *line)).collect(),
        };
        match to {
            CopyTarget::Share => {
                for (name, line) in names {
                    let share = self.snapshot.description.share.to_string();
                    let Ok(at) = RelPath::parse(&format!("{share}/{name}")) else { continue };
                    let place = Place { target: name.clone(), server: None, at, line };
                    let shared = self.copy_file(&name, place, draft);
                    self.share.insert(Folded::of(&name), shared);
                }
            }
            CopyTarget::Servers { on, folder } => {
                for server in self.resolver.servers(step, on) {
                    for (name, line) in &names {
                        let site = &self.snapshot.description;
                        let Some(at) = server_file(site, server, folder.as_ref(), name) else { continue };
                        let server = Some(site.servers[server.0].name.to_string());
                        let place = Place { target: name.clone(), server, at, line: *line };
                        self.copy_file(name, place, draft);
                    }
                }
            }
        }
    }

    /// Plans the copy of one payload file to one place, and returns what stands there afterwards.
    fn copy_file(&mut self, name: &str, mut place: Place, draft: &mut Draft) -> Option<Shared> {
        place.at = self.world.actual(&place.at);
        let live = place.at.clone();
        self.inspect(&live, Kind::File);
        self.world.load(&live, &[live.folded()].into());
        let old = self.world.object(&live).into_iter().next();
        let was = match old.map(|entry| entry.what) {
            Some(super::What::File { size, sha256 }) => Side::File { size, sha256 },
            _ => Side::Nothing,
        };
        let kind = if was == Side::Nothing { OperationKind::Copy } else { OperationKind::Replace };
        let seen = if was == Side::Nothing { "not there" } else { "another file of this name" }.to_owned();
        let Some(shared) = self.payload_file(name) else {
            self.puts.push(Put { live, new: Vec::new(), travellers: Vec::new() });
            draft.operation(kind, place, (was, Side::Unknown), seen, self.puts.len() - 1);
            return None;
        };
        let becomes = Side::File { size: shared.size, sha256: shared.sha256 };
        if was == becomes {
            let at = place.server.map(|server| format!(" on {server}")).unwrap_or_default();
            draft.idle(format!("{name}{at}"), "the same file is there");
            return Some(shared);
        }
        let source = self.source(&shared);
        let what = NewWhat::File { size: shared.size, sha256: shared.sha256, origin: Origin::Source(source) };
        self.puts.push(Put { live: live.clone(), new: vec![NewEntry { path: live, what }], travellers: Vec::new() });
        draft.operation(kind, place, (was, becomes), seen, self.puts.len() - 1);
        Some(shared)
    }

    fn run(&mut self, step: &Step, (name, line): (&str, u32), on: &Servers, draft: &mut Draft) {
        let Some(&row) = self.rows.get(&Folded::of(name)) else { return };
        let installer = row.name.clone();
        let payload = self.payload;
        let contents = payload.and_then(|payload| payload.files.get(&installer.folded())?.package.as_ref().ok());
        for server in self.resolver.servers(step, on) {
            let server = self.snapshot.description.servers[server.0].name.to_string();
            let shown = format!("{name} on {server}");
            let (Some(contents), Some(shared)) = (contents, self.payload_file(name)) else {
                if payload.is_none() {
                    let at = RelPath::parse(&format!("Servers/{server}/Programs")).expect("a checked name");
                    self.puts.push(Put { live: at.clone(), new: Vec::new(), travellers: Vec::new() });
                    let place = Place { target: name.to_owned(), server: Some(server), at, line };
                    let sides = (Side::Unknown, Side::Unknown);
                    let seen = "known only with a payload".to_owned();
                    draft.operation(OperationKind::Run, place, sides, seen, self.puts.len() - 1);
                }
                continue;
            };
            let product = &contents.identity.product;
            if let Err(fault) = FileName::parse(product) {
                let message =
                    format!("`{installer}` cannot be run: its product `{product}` is no folder name: {fault}");
                return self.refuse(ReasonKind::Mismatch, message, None);
            }
            let folder = RelPath::parse(&format!("Servers/{server}/Programs/{product}")).expect("checked names");
            let at = self.world.actual(&folder);
            let before = self.snapshot.program(&at).and_then(|record| record.installed.clone());
            let record = self.programs.get(&at.folded()).or_else(|| self.snapshot.program(&at)).cloned();
            let place = Place { target: product.clone(), server: Some(server), at: at.clone(), line };
            let come = Coming { contents, shared, installer: &installer, before: before.as_ref(), record, shown };
            if let Some(record) = self.lay_down(place, come, OperationKind::Run, draft) {
                self.programs.insert(at.folded(), record);
            }
        }
    }

    fn initialize(
        &mut self,
        step: &Step,
        items: &Selection,
        given: &BTreeMap<String, BTreeMap<String, String>>,
        draft: &mut Draft,
    ) {
        let site = &self.snapshot.description;
        for target in self.resolver.instances(step, items, true) {
            let item = &site.items[target.instance.item.0];
            let ItemKind::Procedure { needs, parameters } = &item.kind else { continue };
            let mut all = parameters.clone();
            for (name, values) in given {
                if site.item(name) == Some(target.instance.item) {
                    all.extend(values.clone());
                }
            }
            let missing: Vec<_> = needs.iter().filter(|need| !all.contains_key(*need)).cloned().collect();
            for need in missing {
                let message = format!("the procedure `{}` needs the parameter `{need}`, which nobody gives", item.name);
                let help = "store it under `[parameters]` in `deployment.toml`, or give it in the step's `parameters`";
                self.refuse(ReasonKind::NotReady, message, Some(help));
            }
            self.initialize_one(target, all, draft);
        }
    }

    fn initialize_one(&mut self, target: Target, parameters: BTreeMap<String, String>, draft: &mut Draft) {
        let place = self.instance_place(target.instance, target.line);
        let before = self.snapshot.procedure(target.instance).cloned();
        let kept = self.folder_object(&place.at, None);
        let record = ProcedureRecord::ran(Some(self.brought()), parameters);
        let mut new = vec![
            NewEntry { path: place.at.clone(), what: NewWhat::Folder },
            text_entry(place.at.with(&path("state.toml")), record.to_toml()),
        ];
        self.take_along(&mut new, &place.at, &kept);
        self.puts.push(Put { live: place.at.clone(), new, travellers: kept.travellers });
        let seen = match &before {
            Some(before) => before.state.as_str().to_owned(),
            None => "never run here".to_owned(),
        };
        let sides = (procedure_side(before.as_ref()), procedure_side(Some(&record)));
        draft.operation(OperationKind::Initialize, place, sides, seen, self.puts.len() - 1);
        self.procedures_run.insert(target.instance);
    }

    fn service(&mut self, step: &Step, verb: ServiceVerb, at: (ServiceId, ServerId), draft: &mut Draft) {
        let site = &self.snapshot.description;
        let (name, server) = (&site.services[at.0.0].name, &site.servers[at.1.0].name);
        let now = self.services.get(&at).copied().unwrap_or_else(|| self.snapshot.service(at.0, at.1));
        let shown = format!("{name} on {server}");
        let starts = matches!(verb, ServiceVerb::Start | ServiceVerb::Restart);
        if starts && !now.enabled && (verb == ServiceVerb::Restart || !now.running) {
            let message = format!("step `{}` starts `{shown}`, which is disabled", step.id);
            return self.refuse(ReasonKind::NotReady, message, Some("enable it first, by a step or by hand"));
        }
        let file = self.world.actual(&site.service_file(at.0, at.1));
        self.inspect(&file, Kind::File);
        let changes = service_changes(verb, now, self.world.topmost_missing(&file).is_some());
        if changes.is_empty() {
            return draft.idle(shown, format!("it is {} already", now.shown()));
        }
        let mut was = now;
        for (kind, becomes) in changes {
            self.put_text(&file, becomes.to_toml());
            let place =
                Place { target: name.to_string(), server: Some(server.to_string()), at: file.clone(), line: step.line };
            let sides = (service_side(was), service_side(becomes));
            draft.operation(kind, place, sides, was.shown().to_owned(), self.puts.len() - 1);
            was = becomes;
        }
        self.services.insert(at, was);
    }
}

/// An installer about to be laid down.
struct Coming<'a> {
    contents: &'a Contents,
    shared: Shared,
    installer: &'a FileName,
    /// What was installed there before the run.
    before: Option<&'a Installed>,
    /// What stands there at this step.
    record: Option<ItemRecord>,
    shown: String,
}

/// The changes of a service's file. A restart is two, one where the service was stopped, and one
/// where the file's folder is still to be made: what a step puts below a new folder is one object.
fn service_changes(verb: ServiceVerb, now: ServiceRecord, folder_missing: bool) -> Vec<(OperationKind, ServiceRecord)> {
    let stopped = ServiceRecord { running: false, ..now };
    let started = ServiceRecord { running: true, starts: now.starts + 1, ..now };
    match verb {
        ServiceVerb::Start if now.running => Vec::new(),
        ServiceVerb::Start => vec![(OperationKind::Start, started)],
        ServiceVerb::Stop if !now.running => Vec::new(),
        ServiceVerb::Stop => vec![(OperationKind::Stop, stopped)],
        ServiceVerb::Restart if !now.running => vec![(OperationKind::Start, started)],
        ServiceVerb::Restart if folder_missing => vec![(OperationKind::Restart, started)],
        ServiceVerb::Restart => vec![(OperationKind::Stop, stopped), (OperationKind::Start, started)],
        ServiceVerb::Enable if now.enabled => Vec::new(),
        ServiceVerb::Enable => vec![(OperationKind::Enable, ServiceRecord { enabled: true, ..now })],
        ServiceVerb::Disable if !now.enabled => Vec::new(),
        ServiceVerb::Disable => vec![(OperationKind::Disable, ServiceRecord { enabled: false, ..now })],
    }
}

fn is_same(now: &Installed, contents: &Contents, shared: &Shared) -> bool {
    now.product_code.eq_ignore_ascii_case(&contents.identity.product_code)
        && now.version == contents.identity.version
        && now.installer.sha256 == shared.sha256
}

fn installed_from(contents: &Contents, installer: &FileName, shared: &Shared) -> Installed {
    let file = |file: &crate::installer::UnpackedFile| {
        (file.path.clone(), FileRecord { size: file.size, sha256: file.sha256 })
    };
    Installed {
        product: contents.identity.product.clone(),
        version: contents.identity.version.clone(),
        product_code: contents.identity.product_code.clone(),
        upgrade_code: contents.identity.upgrade_code.clone(),
        installer: InstallerRecord { name: installer.clone(), sha256: shared.sha256 },
        files: contents.files.iter().map(file).collect(),
    }
}

/// Stands for the record of an installer that nobody has seen; never written.
fn placeholder(product: &str, installer: &FileName) -> ItemRecord {
    let unknown = Installed {
        product: product.to_owned(),
        version: "0".parse().expect("a version"),
        product_code: String::new(),
        upgrade_code: None,
        installer: InstallerRecord { name: installer.clone(), sha256: crate::names::Digest::of(b"") },
        files: BTreeMap::new(),
    };
    ItemRecord::installed(None, unknown)
}

/// The folders and files of an installer below an instance's folder.
fn laid_down(live: &RelPath, contents: &Contents, source: usize) -> Vec<NewEntry> {
    let mut folders: BTreeSet<RelPath> = [live.clone()].into();
    let mut new = Vec::new();
    for file in &contents.files {
        let at = in_files(live, &file.path);
        folders.extend(at.ancestors().filter(|folder| folder.below(live).is_some()));
        let origin = Origin::Member(Member { source, path: file.path.clone() });
        new.push(NewEntry { path: at, what: NewWhat::File { size: file.size, sha256: file.sha256, origin } });
    }
    // An installed item has a folder for its files, even where its package brings none.
    folders.insert(live.with(&path("files")));
    new.extend(folders.into_iter().map(|path| NewEntry { path, what: NewWhat::Folder }));
    new
}

fn item_side(record: Option<&ItemRecord>) -> Side {
    match record {
        None => Side::Nothing,
        Some(record) => Side::Item {
            state: record.state,
            version: record.installed.as_ref().map(|installed| installed.version.clone()),
            installer: record.installed.as_ref().map(|installed| installed.installer.sha256),
        },
    }
}

fn procedure_side(record: Option<&ProcedureRecord>) -> Side {
    match record {
        None => Side::Nothing,
        Some(record) => Side::Procedure { state: record.state, parameters: record.parameters.clone() },
    }
}

fn service_side(record: ServiceRecord) -> Side {
    let ServiceRecord { running, enabled, starts, .. } = record;
    Side::Service { running, enabled, starts }
}

fn seen_item(record: Option<&ItemRecord>) -> String {
    match record {
        None => "never installed here".to_owned(),
        Some(ItemRecord { state, installed: Some(installed), .. }) => {
            format!("{}, version {}", state.as_str(), installed.version)
        }
        Some(ItemRecord { state: State::NotInstalled, kb: Some(kb), .. }) => format!("not-installed, removed by {kb}"),
        Some(ItemRecord { state, .. }) => state.as_str().to_owned(),
    }
}

fn keyword(action: &Action) -> &'static str {
    match action {
        Action::Uninstall(_) => "uninstall",
        Action::Install(_) => "install",
        Action::Copy { .. } => "copy",
        Action::Run { .. } => "run",
        Action::Initialize { .. } => "initialize",
        Action::Service { verb, .. } => match verb {
            ServiceVerb::Start => "start",
            ServiceVerb::Stop => "stop",
            ServiceVerb::Restart => "restart",
            ServiceVerb::Enable => "enable",
            ServiceVerb::Disable => "disable",
        },
        Action::Manual { .. } => "manual",
    }
}

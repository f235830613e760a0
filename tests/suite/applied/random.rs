//! Random sequences of commands, hand edits and changes of `deployment.toml`, compared with the
//! model after each of them.
//!
//! The same few sequences are tried every time. A campaign tries new ones:
//! `PROPTEST_CASES=500 cargo test applied::random -- --nocapture`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use serde_json::Value as Json;
use walkdir::WalkDir;

use super::drive::{Lab, Tree, differences};
use super::model::{Answer, Expected, ExpectedUndo, Model, Operation, Place, Value};
use super::site::{
    FILES, ITEMS, ROLES, Rollup, SERVERS, SERVICES, Server, Site, Step, Verb, kb, version,
};

/// Number of cases that are tried every time.
const SAMPLE: u32 = 8;

/// Site, its rollups, and what happens to it.
#[derive(Clone)]
struct Case {
    site: Site,
    rollups: Vec<Rollup>,
    actions: Vec<Action>,
}

/// One action. Numbers choose among what is possible when it happens.
#[derive(Debug, Clone, Copy)]
enum Action {
    Apply(u8),
    Reapply(u8),
    CatchUp(u8),
    Undo(u8),
    SwitchOffline(u8),
    SwitchRole(u8, u8),
    DeleteInstance(u8),
    DeleteFile(u8),
    EditFile(u8),
    EditInstance(u8),
    Accept,
    Ack(u8),
    AcceptApplied { rollup: u8, has_manifest: bool },
    Prune { keep: u8 },
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "--- deployment.toml\n{}", self.site.to_toml())?;
        if !self.site.has_service_records {
            writeln!(f, "# without records of services")?;
        }
        for (number, rollup) in self.rollups.iter().enumerate() {
            writeln!(f, "--- {}.toml\n{}", kb(number), rollup.to_toml(number))?;
        }
        writeln!(f, "{:?}", self.actions)
    }
}

fn choose<T: Copy>(from: &[T], number: u8) -> Option<T> {
    (!from.is_empty()).then(|| from[usize::from(number) % from.len()])
}

/// Deployment with its model, and what happened so far.
struct Session {
    lab: Lab,
    site: Site,
    rollups: usize,
    model: Model,
    log: String,
    edits: u32,
    /// Run that was the last change of the deployment.
    last_change: Option<usize>,
    is_over: bool,
    counts: Counts,
}

/// Numbers of the checks that were made.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    commands: usize,
    undone: usize,
    refused_undos: usize,
    catch_ups: usize,
    acknowledged: usize,
    open: usize,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.commands += other.commands;
        self.undone += other.undone;
        self.refused_undos += other.refused_undos;
        self.catch_ups += other.catch_ups;
        self.acknowledged += other.acknowledged;
        self.open += other.open;
    }
}

type Outcome = Result<(), String>;

impl Session {
    fn new(case: &Case) -> Self {
        Self {
            lab: Lab::new(&case.site, &case.rollups),
            site: case.site.clone(),
            rollups: case.rollups.len(),
            model: Model::new(&case.site, &case.rollups),
            log: String::new(),
            edits: 0,
            last_change: None,
            is_over: false,
            counts: Counts::default(),
        }
    }

    fn log(&mut self, line: impl fmt::Display) {
        writeln!(self.log, "  {line}").expect("a text takes everything");
    }

    fn json(&mut self, arguments: &str) -> (i32, Json) {
        self.counts.commands += 1;
        self.lab.json(arguments)
    }

    /// Performs an action. Returns false if it is not possible now.
    fn act(&mut self, action: Action) -> Result<bool, String> {
        let rollups: Vec<usize> = (0..self.rollups).collect();
        match action {
            Action::Apply(number) => {
                let does_something = |rollup: &usize| {
                    matches!(
                        self.model.expected(*rollup, false),
                        Expected::Ordinary | Expected::CatchUp
                    )
                };
                let possible: Vec<usize> = rollups.iter().copied().filter(does_something).collect();
                let chosen = choose(&possible, number).or(choose(&rollups, number));
                self.apply(chosen.expect("a rollup"), false)?;
            }
            Action::Reapply(number) => {
                let rollup = choose(&rollups, number).expect("a rollup");
                self.apply(rollup, true)?;
            }
            Action::CatchUp(number) => {
                let lags = |rollup: &usize| self.model.lags(*rollup) != Answer::No;
                let lagging: Vec<usize> = rollups.into_iter().filter(lags).collect();
                let Some(rollup) = choose(&lagging, number) else {
                    return Ok(false);
                };
                self.apply(rollup, false)?;
            }
            Action::Undo(number) => {
                let runs: Vec<usize> = self.not_undone();
                let Some(run) = choose(&runs, number) else {
                    return Ok(false);
                };
                self.undo(run)?;
            }
            Action::SwitchOffline(number) => {
                let servers: Vec<usize> = (0..self.site.servers.len()).collect();
                let server = choose(&servers, number).expect("a server");
                let is_offline = &mut self.site.servers[server].is_offline;
                *is_offline = !*is_offline;
                self.write_deployment();
            }
            Action::SwitchRole(number, role) => {
                let servers: Vec<usize> = (0..self.site.servers.len()).collect();
                let server = choose(&servers, number).expect("a server");
                let role = usize::from(role) % ROLES.len();
                let holders = self
                    .site
                    .servers
                    .iter()
                    .filter(|server| server.roles[role])
                    .count();
                let holds = &mut self.site.servers[server].roles[role];
                // Steps need a server of their role.
                if *holds && holders == 1 || !*holds && holders == 0 {
                    return Ok(false);
                }
                *holds = !*holds;
                self.write_deployment();
            }
            Action::DeleteInstance(number) => {
                let is_instance = |place: &Place| {
                    matches!(
                        place,
                        Place::Item { .. } | Place::Procedure { .. } | Place::Program { .. }
                    )
                };
                let Some(place) = self.choose_place(number, is_instance) else {
                    return Ok(false);
                };
                fs::remove_dir_all(self.lab.deployment().join(place.path())).expect("removed");
                self.edited(place, Value::Missing, "rm -r");
            }
            Action::DeleteFile(number) => {
                let Some(place) = self.choose_place(number, is_file) else {
                    return Ok(false);
                };
                fs::remove_file(self.lab.deployment().join(place.path())).expect("removed");
                self.edited(place, Value::Missing, "rm");
            }
            Action::EditFile(number) => {
                let Some(place) = self.choose_place(number, is_file) else {
                    return Ok(false);
                };
                let text = format!("edit {}", self.edits);
                fs::write(self.lab.deployment().join(place.path()), text).expect("written");
                self.edited(place, Value::Edited(self.edits), "edit");
            }
            Action::EditInstance(number) => {
                let is_item = |place: &Place| matches!(place, Place::Item { .. });
                let place = self.choose_place(number, is_item);
                let Some((place, Value::Installed { from, .. })) =
                    place.map(|place| (place, self.model.value(place)))
                else {
                    return Ok(false);
                };
                let files = self.lab.deployment().join(place.path()).join("files");
                let dll = WalkDir::new(files)
                    .into_iter()
                    .map(|entry| entry.expect("listed").into_path());
                let mut dll = dll.filter(|path| path.extension().is_some_and(|end| end == "dll"));
                let text = format!("edit {}", self.edits);
                fs::write(dll.next().expect("a library"), text).expect("written");
                let edit = Some(self.edits);
                self.edited(place, Value::Installed { from, edit }, "edit a file of");
            }
            Action::Accept => return self.accept(),
            Action::Ack(number) => return self.acknowledge(number),
            Action::AcceptApplied {
                rollup,
                has_manifest,
            } => {
                let rollup = choose(&rollups, rollup).expect("a rollup");
                return self.accept_applied(rollup, has_manifest);
            }
            Action::Prune { keep } => {
                let runs = self.not_undone().len();
                if runs == 0 {
                    return Ok(false);
                }
                let keep = usize::from(keep) % (runs + 1);
                self.command(&format!("prune --keep {keep} --yes"), 0)?;
                self.model.prune(keep);
            }
        }
        Ok(true)
    }

    fn not_undone(&self) -> Vec<usize> {
        let runs = self.model.runs.iter().enumerate();
        runs.filter(|(_, run)| !run.is_undone)
            .map(|(number, _)| number)
            .collect()
    }

    fn choose_place(&self, number: u8, condition: impl Fn(&Place) -> bool) -> Option<Place> {
        let mut places = self.model.console();
        places.retain(|place| condition(place) && self.model.value(*place) != Value::Missing);
        choose(&places, number)
    }

    fn edited(&mut self, place: Place, value: Value, verb: &str) {
        self.model.values.insert(place, value);
        self.edits += 1;
        self.last_change = None;
        self.log(format!("{verb} '{}'", place.path()));
    }

    fn write_deployment(&mut self) {
        let text = self.site.to_toml();
        fs::write(self.lab.deployment().join("deployment.toml"), text).expect("written");
        self.model.servers.clone_from(&self.site.servers);
        self.last_change = None;
        let servers: Vec<String> = self
            .site
            .servers
            .iter()
            .zip(SERVERS)
            .map(server_line)
            .collect();
        self.log(format!("servers: {}", servers.join(", ")));
    }

    /// Runs a command that changes the deployment.
    fn command(&mut self, arguments: &str, code: i32) -> Outcome {
        let before = self.lab.tree();
        self.counts.commands += 1;
        let ran = self.lab.run(arguments);
        self.log(format!("{arguments} -> {}", ran.code));
        if ran.code != code {
            return Err(format!(
                "`{arguments}` should exit with {code}, but {}",
                ran.description()
            ));
        }
        let after = self.lab.tree();
        if code != 0 && after != before {
            return Err(format!(
                "`{arguments}` changed {:?}",
                differences(&before, &after)
            ));
        }
        Ok(())
    }

    /// Returns the kind of plan that the program makes, and the operations of it.
    fn plan(&mut self, rollup: usize, reapply: bool) -> Result<(Expected, Vec<Operation>), String> {
        let option = if reapply { " --reapply" } else { "" };
        let arguments = format!("plan {}{option}", Lab::rollup(rollup));
        let (code, document) = self.json(&arguments);
        let kind = match code {
            0 if document["outcome"] == "nothing" => Expected::Nothing,
            0 if document["rollup"]["catch_up"]
                .as_array()
                .is_some_and(|all| !all.is_empty()) =>
            {
                Expected::CatchUp
            }
            0 => Expected::Ordinary,
            13 => Expected::Mismatch,
            15 => Expected::NotReady,
            16 => Expected::NotApplicable,
            _ => return Err(format!("`{arguments}` exited with {code}: {document:#}")),
        };
        let mut operations = Vec::new();
        let steps = document["steps"].as_array().into_iter().flatten();
        for operation in steps.flat_map(|step| step["operations"].as_array().into_iter().flatten())
        {
            let path = operation["at"].as_str().expect("a path");
            let mut places = self
                .model
                .values
                .keys()
                .copied()
                .chain(self.model.console());
            let place = places.find(|place| place.path() == path);
            let place = place.ok_or_else(|| format!("`{arguments}` touches {path}"))?;
            let kind = operation["kind"].as_str().expect("a kind");
            operations.push((place, kind.to_owned()));
        }
        Ok((kind, operations))
    }

    /// Compares the plan for a rollup with the model.
    fn check_plan(
        &mut self,
        rollup: usize,
        reapply: bool,
    ) -> Result<(Expected, Vec<Operation>), String> {
        let expected = self.model.expected(rollup, reapply);
        let (kind, operations) = self.plan(rollup, reapply)?;
        let is_right = match expected {
            Expected::Open => true,
            expected => kind == expected,
        };
        if !is_right {
            return Err(format!(
                "the plan of {} is {kind:?}, not {expected:?}",
                kb(rollup)
            ));
        }
        self.counts.open += usize::from(expected == Expected::Open);
        Ok((kind, operations))
    }

    fn apply(&mut self, rollup: usize, reapply: bool) -> Outcome {
        let (kind, operations) = self.check_plan(rollup, reapply)?;
        let before = self.lab.tree();
        let option = if reapply { " --reapply" } else { "" };
        let code = match kind {
            Expected::Mismatch => 13,
            Expected::NotReady => 15,
            Expected::NotApplicable => 16,
            _ => 0,
        };
        self.command(
            &format!("apply {} --yes{option}", Lab::rollup(rollup)),
            code,
        )?;
        match kind {
            Expected::Ordinary => {
                let planned = operations.iter().map(|(place, _)| *place).collect();
                let swaps = self.model.swaps(rollup);
                if swaps != planned {
                    return Err(format!(
                        "the plan has operations at {planned:?}, not at {swaps:?}"
                    ));
                }
                self.model.apply(rollup, before);
                self.model.ran(rollup, &operations);
                self.ran();
            }
            Expected::CatchUp if self.model.lags(rollup) == Answer::Open => self.is_over = true,
            Expected::CatchUp => {
                self.model.check_catch_up(rollup, &operations)?;
                self.model.catch_up(rollup, &operations, before);
                self.model.ran(rollup, &operations);
                self.counts.catch_ups += 1;
                self.ran();
            }
            _ if self.lab.tree() != before => return Err("it changed the deployment".to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn ran(&mut self) {
        let number = self.model.runs.len();
        self.last_change = Some(number - 1);
        self.log(format!("that was run {number}"));
    }

    fn undo(&mut self, number: usize) -> Outcome {
        let before = self.lab.tree();
        let code = self.check_undo(number)?;
        self.command(&format!("undo {} --yes", number + 1), code)?;
        if code != 0 {
            return Ok(());
        }
        let found = self.lab.tree();
        let differences = if self.last_change == Some(number) {
            differences(&self.model.runs[number].before, &found)
        } else {
            let wanted = self.model.tree_after_undo(number, before);
            differences(&files(wanted), &files(found))
        };
        if !differences.is_empty() {
            return Err(format!(
                "after the undo of run {}: {differences:#?}",
                number + 1
            ));
        }
        self.model.undo(number);
        self.last_change = None;
        self.counts.undone += 1;
        Ok(())
    }

    /// Compares the undo of a run, on a copy, with the model. Returns its exit code.
    fn check_undo(&mut self, number: usize) -> Result<i32, String> {
        let expected = self.model.expected_undo(number);
        let copy = self.lab.copy();
        let ran = copy.run(&format!("undo {} --yes", number + 1));
        self.counts.commands += 1;
        let found = match ran.code {
            0 => ExpectedUndo::Done,
            13 => ExpectedUndo::Changed,
            15 => ExpectedUndo::Refused,
            _ => return Err(format!("`undo {}` {}", number + 1, ran.description())),
        };
        if expected != ExpectedUndo::Open && expected != found {
            let description = ran.description();
            return Err(format!(
                "the undo of run {} is {found:?}, not {expected:?}: it {description}",
                number + 1
            ));
        }
        self.counts.open += usize::from(expected == ExpectedUndo::Open);
        self.counts.refused_undos += usize::from(found == ExpectedUndo::Refused);
        let (_, history) = self.json("history");
        let is_undoable = run_of(&history, number)["undoable"] == true;
        if is_undoable != (found != ExpectedUndo::Refused) {
            return Err(format!(
                "history says that run {} is undoable: {is_undoable}, but undo {}",
                number + 1,
                ran.description()
            ));
        }
        Ok(ran.code)
    }

    fn try_undos(&mut self, only_one: bool) -> Outcome {
        let runs = self.not_undone();
        let skip = if only_one && !runs.is_empty() {
            self.counts.commands % runs.len()
        } else {
            0
        };
        let take = if only_one { 1 } else { runs.len() };
        for number in runs.into_iter().skip(skip).take(take) {
            let before = self.lab.tree();
            self.check_undo(number)?;
            assert_eq!(before, self.lab.tree());
        }
        Ok(())
    }

    /// Acknowledges the restarts that one run left, or all.
    fn acknowledge(&mut self, number: u8) -> Result<bool, String> {
        let runs: Vec<usize> = self.model.all_pending().into_keys().collect();
        let Some(run) = choose(&runs, number) else {
            self.command("ack --yes", 0)?;
            return Ok(false);
        };
        if number.is_multiple_of(2) {
            self.command("ack --yes", 0)?;
            self.model.pending.clear();
        } else {
            self.command(&format!("ack {} --yes", run + 1), 0)?;
            self.model.pending.remove(&run);
        }
        self.counts.acknowledged += 1;
        Ok(true)
    }

    /// Compares the restarts that `status` shows as pending with the model.
    fn check_pending(&mut self) -> Outcome {
        let (_, document) = self.json("status");
        let mut found = BTreeMap::new();
        for row in document["pending"]
            .as_array()
            .ok_or("no list of restarts")?
        {
            let run = row["run"].as_str().ok_or("a run without a name")?;
            let number: usize = run[..4].parse().map_err(|_| run.to_owned())?;
            let actions = row["actions"].as_array().ok_or("no actions")?;
            let restart = |action: &Json| {
                let service = action["service"].as_str();
                let service = service.map(|name| position(&SERVICES.map(|(name, _)| name), name));
                let server = action["server"].as_str().expect("a server");
                (service, position(&SERVERS, server))
            };
            found.insert(number - 1, actions.iter().map(restart).collect());
        }
        let expected = self.model.all_pending();
        let state = match expected.is_empty() {
            true => "clean",
            false => "action-required",
        };
        if found == expected && document["state"] == state {
            return Ok(());
        }
        Err(format!(
            "`status` is {document:#}, and pending are {expected:?}"
        ))
    }

    fn accept(&mut self) -> Result<bool, String> {
        let Some(drift) = self.model.drift() else {
            return Ok(false);
        };
        let before = self.lab.tree();
        self.command("accept --yes --reason drift", 0)?;
        if !drift.is_empty() {
            self.model.accept(drift, before);
            self.ran();
        }
        Ok(true)
    }

    fn accept_applied(&mut self, rollup: usize, has_manifest: bool) -> Result<bool, String> {
        if self.site.listed == Some(rollup) {
            return Ok(false);
        }
        let before = self.lab.tree();
        let named = if has_manifest {
            format!("{}.toml", kb(rollup))
        } else {
            kb(rollup)
        };
        self.command(&format!("accept --applied {named} --yes --reason hand"), 0)?;
        let (_, history) = self.json("history");
        let is_new = history["runs"].as_array().map(Vec::len) > Some(self.model.runs.len());
        let records = self.model.records();
        let is_right = match records.get(&rollup) {
            None => is_new,
            // Without a manifest the revision is not known.
            Some(record) => !is_new || record.is_by_hand && has_manifest,
        };
        if !is_right {
            return Err(format!("`accept --applied {named}` made a run: {is_new}"));
        }
        if is_new {
            self.model.apply_by_hand(rollup, has_manifest, before);
            self.ran();
        }
        Ok(true)
    }

    /// Compares everything that the program shows with the model.
    fn check(&mut self) -> Outcome {
        let lags = self.model.anything_lags();
        for command in ["verify", "status"] {
            let (_, document) = self.json(command);
            let lagging = document["lagging"]
                .as_array()
                .ok_or("no list of what lags")?;
            let found = if lagging.is_empty() {
                Answer::No
            } else {
                Answer::Yes
            };
            if lags != Answer::Open && lags != found {
                return Err(format!(
                    "`{command}` shows {lagging:?} as lagging, not {lags:?}"
                ));
            }
        }
        self.check_pending()?;
        for rollup in 0..self.rollups {
            self.check_plan(rollup, false)?;
        }
        let (_, history) = self.json("history");
        let mut any = false;
        for number in self.not_undone() {
            let run = run_of(&history, number);
            let is_undoable = run["undoable"] == true;
            any |= is_undoable;
            let expected = self.model.expected_undo(number);
            let is_right = match expected {
                ExpectedUndo::Open => true,
                ExpectedUndo::Refused => !is_undoable,
                ExpectedUndo::Done | ExpectedUndo::Changed => is_undoable,
            };
            if !is_right {
                return Err(format!(
                    "the undo of run {} is {expected:?}, but history shows {run:#}",
                    number + 1
                ));
            }
        }
        if self.model.promises_an_undo() && !any {
            return Err(format!("no run can be undone: {history:#}"));
        }
        self.check_tree()
    }

    /// Compares the deployment with the values of the model.
    fn check_tree(&self) -> Outcome {
        let deployment = self.lab.deployment();
        for (&place, &value) in &self.model.values {
            let at = deployment.join(place.path());
            if !matches!(place, Place::Record { .. }) && !is_at(value, &at, place) {
                return Err(format!("`{}` is not {value:?}", place.path()));
            }
        }
        let records = self.model.records();
        for rollup in 0..self.rollups {
            let at = deployment.join(Place::Record { rollup }.path());
            let Some(record) = records.get(&rollup) else {
                if at.exists() {
                    return Err(format!("{} is on record", kb(rollup)));
                }
                continue;
            };
            let text =
                fs::read_to_string(&at).map_err(|error| format!("{}: {error}", kb(rollup)))?;
            let text: toml::Table = toml::from_str(&text).map_err(|error| error.to_string())?;
            let servers: BTreeMap<String, toml::Value> = record
                .servers
                .iter()
                .map(|(role, servers)| {
                    let names = servers
                        .iter()
                        .map(|server| SERVERS[*server].into())
                        .collect();
                    (ROLES[*role].to_owned(), toml::Value::Array(names))
                })
                .collect();
            let found = text.get("servers").and_then(toml::Value::as_table).cloned();
            let found: BTreeMap<String, toml::Value> =
                found.unwrap_or_default().into_iter().collect();
            let found_by_hand = text.get("by_hand") == Some(&toml::Value::Boolean(true));
            if servers != found || record.is_by_hand != found_by_hand {
                return Err(format!(
                    "{} covers {servers:?}, but its record is {text:#?}",
                    kb(rollup)
                ));
            }
        }
        Ok(())
    }
}

/// Returns the position of a name in a table.
/// Returns a run of the history, which is newest first, by its index from the oldest one.
fn run_of(history: &Json, number: usize) -> &Json {
    let runs = history["runs"].as_array().map_or(&[][..], Vec::as_slice);
    &runs[runs.len() - 1 - number]
}

fn position(names: &[&str], name: &str) -> usize {
    let mut names = names.iter();
    names
        .position(|known| *known == name)
        .expect("a known name")
}

fn is_file(place: &Place) -> bool {
    matches!(place, Place::File { .. })
}

fn server_line((server, name): (&Server, &str)) -> String {
    let held = ROLES.iter().zip(server.roles).filter(|(_, holds)| *holds);
    let held: Vec<&str> = held.map(|(role, _)| *role).collect();
    let offline = if server.is_offline { " (offline)" } else { "" };
    format!("{name} [{}]{offline}", held.join(" "))
}

fn files(tree: Tree) -> Tree {
    tree.into_iter()
        .filter(|(_, bytes)| bytes.is_some())
        .collect()
}

/// Returns true if an object is what the model says.
fn is_at(value: Value, at: &Path, place: Place) -> bool {
    let record = || fs::read_to_string(at.join("state.toml")).unwrap_or_default();
    match value {
        Value::Missing => !at.exists(),
        Value::NotInstalled => record().contains("state = \"not-installed\""),
        Value::Installed { from, .. } => {
            let version = from.map_or_else(|| "4.0.200".to_owned(), version);
            record().contains(&format!("version = \"{version}\""))
        }
        Value::Ran => record().contains("state = \"verified\""),
        Value::File(_) if matches!(place, Place::Share { .. }) => at.is_file(),
        Value::File(size) => fs::metadata(at).is_ok_and(|file| file.len() == size as u64),
        Value::Edited(number) => {
            fs::read_to_string(at).is_ok_and(|text| text == format!("edit {number}"))
        }
        Value::Service { running, enabled } => fs::read_to_string(at).is_ok_and(|text| {
            text.contains(&format!("running = {running}"))
                && text.contains(&format!("enabled = {enabled}"))
        }),
    }
}

fn sites() -> impl Strategy<Value = Site> {
    let roles = |number: u8| match number {
        0 => [true, false],
        1 => [false, true],
        2 => [true, true],
        _ => [false, false],
    };
    let servers = prop::collection::vec(0_u8..4, 1..=3);
    (
        servers,
        any::<bool>(),
        prop::option::weighted(0.1, 0_usize..2),
    )
        .prop_map(move |(others, has_service_records, listed)| {
            let mut held = vec![[true, false], [false, true]];
            held.extend(others.into_iter().map(roles));
            Site {
                listed,
                has_service_records,
                ..Site::with_servers(&held)
            }
        })
}

fn steps() -> impl Strategy<Value = Step> {
    let verb = prop_oneof![
        3 => Just(Verb::Restart),
        1 => Just(Verb::Start),
        1 => Just(Verb::Stop),
        1 => Just(Verb::Enable),
        1 => Just(Verb::Disable),
    ];
    prop_oneof![
        3 => (0..ITEMS.len()).prop_map(Step::Update),
        3 => (0..ITEMS.len()).prop_map(Step::Install),
        1 => (0..ITEMS.len()).prop_map(Step::Remove),
        5 => (0..FILES.len(), 0..ROLES.len()).prop_map(|(file, role)| Step::Copy { file, role }),
        2 => (0..ROLES.len()).prop_map(Step::Run),
        1 => (0_usize..2).prop_map(Step::Initialize),
        2 => (verb, 0..SERVICES.len()).prop_map(|(verb, service)| Step::Service { verb, service }),
    ]
}

/// Returns the subject of a step, which a rollup has only once.
fn subject(step: &Step) -> String {
    match step {
        Step::Update(item) | Step::Install(item) | Step::Remove(item) => format!("item {item}"),
        // A server may hold both roles.
        Step::Copy { file, .. } => format!("file {file}"),
        Step::Run(_) => "program".to_owned(),
        Step::Initialize(procedure) => format!("procedure {procedure}"),
        Step::Service { service, .. } => format!("service {service}"),
    }
}

/// Rollups of two lines, even and odd ones. Most relations are within a line.
fn rollups() -> impl Strategy<Value = Vec<Rollup>> {
    let rollup = (
        prop::collection::vec(steps(), 1..=3),
        prop::collection::vec(0_u8..100, 7),
    );
    prop::collection::vec(rollup, 3..=5).prop_map(|rollups| {
        let rollups = rollups.into_iter().enumerate();
        rollups
            .map(|(number, (steps, chances))| rollup_of(number, steps, &chances))
            .collect()
    })
}

fn rollup_of(number: usize, steps: Vec<Step>, chances: &[u8]) -> Rollup {
    let mut rollup = Rollup::default();
    for step in steps {
        if rollup
            .steps
            .iter()
            .all(|other| subject(other) != subject(&step))
        {
            rollup.steps.push(step);
        }
    }
    for (other, &chance) in chances.iter().enumerate().take(number) {
        let is_same_line = other % 2 == number % 2;
        match (is_same_line, chance) {
            (true, 40..65) | (false, 70..85) => rollup.requires.push(other),
            (true, 65..85) | (false, 85..92) => rollup.includes.push(other),
            (true, 85..) | (false, 92..) => rollup.replaces.push(other),
            _ => {}
        }
    }
    if chances[4] < 20 {
        let mut steps = rollup.steps.iter();
        rollup.irreversible = steps.position(|step| step.may_be_irreversible());
    }
    rollup.restarts_computers = chances[5] < 40;
    rollup.on_each_server = chances[6] >= 60;
    rollup
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        10 => any::<u8>().prop_map(Action::Apply),
        2 => any::<u8>().prop_map(Action::Reapply),
        4 => any::<u8>().prop_map(Action::CatchUp),
        7 => any::<u8>().prop_map(Action::Undo),
        5 => any::<u8>().prop_map(Action::SwitchOffline),
        4 => (any::<u8>(), any::<u8>()).prop_map(|(server, role)| Action::SwitchRole(server, role)),
        1 => any::<u8>().prop_map(Action::DeleteInstance),
        1 => any::<u8>().prop_map(Action::DeleteFile),
        1 => any::<u8>().prop_map(Action::EditFile),
        1 => any::<u8>().prop_map(Action::EditInstance),
        2 => Just(Action::Accept),
        6 => any::<u8>().prop_map(Action::Ack),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(rollup, has_manifest)| Action::AcceptApplied { rollup, has_manifest }),
        1 => any::<u8>().prop_map(|keep| Action::Prune { keep }),
    ];
    prop::collection::vec(action, 4..=16)
}

fn cases() -> impl Strategy<Value = Case> {
    (sites(), rollups(), actions()).prop_map(|(site, rollups, actions)| Case {
        site,
        rollups,
        actions,
    })
}

fn try_case(case: &Case) -> Result<Counts, String> {
    let mut session = Session::new(case);
    for &action in &case.actions {
        let result = session
            .act(action)
            .and_then(|happened| if happened { session.check() } else { Ok(()) });
        if let Err(why) = result {
            return Err(format!("{why}\n--- after\n{}", session.log));
        }
    }
    if let Err(why) = session.try_undos(false) {
        return Err(format!("{why}\n--- after\n{}", session.log));
    }
    Ok(session.counts)
}

#[test]
#[expect(clippy::print_stderr, reason = "a campaign is run by hand")]
fn random_sequences_do_what_the_model_says() {
    let mut config = Config {
        failure_persistence: None,
        max_shrink_iters: 150,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = SAMPLE;
        config.rng_seed = RngSeed::Fixed(952_076);
    }
    let is_sample = config.cases == SAMPLE;
    let mut runner = TestRunner::new(config);
    let total = RefCell::new(Counts::default());
    let result = runner.run(&cases(), |case| {
        let counts = try_case(&case).map_err(TestCaseError::fail)?;
        total.borrow_mut().add(counts);
        Ok(())
    });
    if let Err(TestError::Fail(why, case)) = result {
        panic!("{why}\n{case:?}");
    }
    let total = total.into_inner();
    eprintln!("{total:?}");
    if is_sample {
        assert!(total.undone > 0 && total.refused_undos > 0 && total.catch_ups > 0);
        assert!(total.acknowledged > 0);
    }
}

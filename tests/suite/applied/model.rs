//! A small model of applied rollups, written from the design alone: which runs exist, what each
//! swapped and brought, and what follows for the next command.
//!
//! Where the design leaves something open, the answer is [`Answer::Open`] or an open expectation.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::drive::Tree;
use super::site::{
    FILES, ITEMS, NOT_INSTALLED, PROCEDURES, PROGRAM, ROLES, Rollup, SERVERS, SERVICES, Server,
    Site, Step, Verb, file_size, kb,
};

/// Object that a run may swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Item {
        item: usize,
        server: Option<usize>,
    },
    Procedure {
        procedure: usize,
        server: Option<usize>,
    },
    Program {
        server: usize,
    },
    File {
        server: usize,
        file: usize,
    },
    Share {
        item: usize,
    },
    Service {
        server: usize,
        service: usize,
    },
    Record {
        rollup: usize,
    },
}

/// Object that is at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Missing,
    NotInstalled,
    /// Installed from the package of a rollup, or from the first one. An operator may have changed
    /// a file of it.
    Installed {
        from: Option<usize>,
        edit: Option<u32>,
    },
    /// Procedure that has run.
    Ran,
    /// File of the payload, by its size, or a package in the share, by its rollup.
    File(usize),
    /// File that an operator has changed.
    Edited(u32),
    Service {
        running: bool,
        enabled: bool,
    },
}

/// Result that a run wants at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    Value(Value),
    /// Not installed. The run may have found it so.
    Removed {
        by_run: bool,
    },
}

/// Subject of which only the newest run that brought it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Item(usize),
    Procedure(usize),
    Share(usize),
    Program { role: usize },
    File { role: usize, file: usize },
}

/// Answer of the design to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    No,
    Open,
    Yes,
}

/// Result of `plan` and `apply` for a rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Nothing,
    CatchUp,
    Ordinary,
    Mismatch,
    NotReady,
    NotApplicable,
    Open,
}

/// Result of `undo` for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExpectedUndo {
    Done,
    /// Refused with 15.
    Refused,
    /// Refused with 13, because an operator changed something.
    Changed,
    Open,
}

/// Record of a rollup in `applied`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    relations: Relations,
    pub(super) is_by_hand: bool,
    /// Covered servers by role.
    pub(super) servers: BTreeMap<usize, BTreeSet<usize>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Relations {
    includes: Vec<usize>,
    replaces: Vec<usize>,
    requires: Vec<usize>,
}

/// Values of a place before and after a run.
#[derive(Debug, Clone, Copy)]
struct Change {
    before: Value,
    after: Value,
}

/// Finished run.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) rollup: Option<usize>,
    /// Number of the run that a catch-up completes.
    completes: Option<usize>,
    pub(super) is_undone: bool,
    is_pruned: bool,
    swapped: BTreeMap<Place, Change>,
    /// Drift that the run accepted.
    accepted: BTreeMap<Place, Value>,
    record: Option<Record>,
    brought: BTreeMap<Place, Want>,
    brings: BTreeSet<Subject>,
    /// True if it did an operation that its author marked as irreversible.
    is_irreversible: bool,
    /// Restarts that its undo leaves to a person.
    restarts: BTreeSet<Restart>,
    /// Deployment before the run.
    pub(super) before: Tree,
}

/// Service on a server that has to be restarted; without a service the server itself.
pub(super) type Restart = (Option<usize>, usize);

/// Effects of all steps of a rollup.
#[derive(Debug, Default)]
struct Effects {
    swapped: BTreeMap<Place, Change>,
    brought: BTreeMap<Place, Want>,
    brings: BTreeSet<Subject>,
}

/// Set of runs, by number.
type Runs = u64;

/// Records by rollup.
type Records<'m> = BTreeMap<usize, &'m Record>;

/// Deployment with its runs.
#[derive(Clone)]
pub(super) struct Model {
    pub(super) servers: Vec<Server>,
    rollups: Vec<Rollup>,
    listed: Option<usize>,
    pub(super) values: BTreeMap<Place, Value>,
    pub(super) runs: Vec<Run>,
    /// Restarts that a person still has to do, by the number of the run that left them.
    pub(super) pending: BTreeMap<usize, BTreeSet<Restart>>,
}

impl Place {
    /// Returns the path of the object.
    pub(super) fn path(self) -> String {
        let instance = |name: &str, server: Option<usize>| match server {
            None => format!("Things/{name}"),
            Some(server) => format!("Things/{name}/{}", SERVERS[server]),
        };
        match self {
            Self::Item { item, server } => instance(ITEMS[item].0, server),
            Self::Procedure { procedure, server } => instance(PROCEDURES[procedure].0, server),
            Self::Program { server } => format!("Servers/{}/Programs/{PROGRAM}", SERVERS[server]),
            Self::File { server, file } => match FILES[file] {
                (name, ".") => format!("Servers/{}/Files/{name}", SERVERS[server]),
                (name, to) => format!("Servers/{}/Files/{to}/{name}", SERVERS[server]),
            },
            Self::Share { item } => format!("Share/{}.msi", ITEMS[item].0),
            Self::Service { server, service } => {
                let name = SERVICES[service].0;
                format!("Servers/{}/Services/{name}.toml", SERVERS[server])
            }
            Self::Record { rollup } => format!("applied/{}.toml", kb(rollup)),
        }
    }

    fn server(self) -> Option<usize> {
        match self {
            Self::Item { server, .. } | Self::Procedure { server, .. } => server,
            Self::Program { server } | Self::File { server, .. } | Self::Service { server, .. } => {
                Some(server)
            }
            Self::Share { .. } | Self::Record { .. } => None,
        }
    }
}

impl Value {
    /// Returns true if two values are the same to rollup: no record of a service counts as running
    /// and enabled.
    fn is_same(self, other: Self, place: Place) -> bool {
        match place {
            Place::Service { .. } => self.service() == other.service(),
            _ => self == other,
        }
    }

    fn service(self) -> (bool, bool) {
        match self {
            Self::Service { running, enabled } => (running, enabled),
            _ => (true, true),
        }
    }
}

impl Want {
    /// Returns if a place lags whose object an operator has not accepted.
    fn lags(self, value: Value) -> Answer {
        let lags = |condition| if condition { Answer::Yes } else { Answer::No };
        match (self, value) {
            (Self::Removed { by_run: true }, Value::Installed { .. }) => Answer::Yes,
            (Self::Removed { by_run: false }, Value::Installed { .. }) => Answer::Open,
            (Self::Removed { .. }, _) => Answer::No,
            (Self::Value(Value::Installed { from, .. }), Value::Installed { from: found, .. }) => {
                lags(from != found)
            }
            (Self::Value(Value::File(wanted)), Value::File(found)) if wanted != found => {
                Answer::Open
            }
            // Drift, which is no lag.
            (Self::Value(Value::File(_)), Value::Edited(_)) => Answer::No,
            (Self::Value(wanted), found) => lags(wanted != found),
        }
    }
}

impl Subject {
    fn of(place: Place, server: Option<&Server>) -> Vec<Self> {
        let roles = || {
            let holds = server.map_or([false; 2], |server| server.roles);
            (0..ROLES.len()).filter(move |&role| holds[role])
        };
        match place {
            Place::Item { item, .. } => vec![Self::Item(item)],
            Place::Procedure { procedure, .. } => vec![Self::Procedure(procedure)],
            Place::Share { item } => vec![Self::Share(item)],
            Place::Program { .. } => roles().map(|role| Self::Program { role }).collect(),
            Place::File { file, .. } => roles().map(|role| Self::File { role, file }).collect(),
            Place::Service { .. } | Place::Record { .. } => Vec::new(),
        }
    }
}

impl Subject {
    fn of_step(step: Step) -> Vec<Self> {
        match step {
            Step::Update(item) | Step::Install(item) => vec![Self::Item(item), Self::Share(item)],
            Step::Remove(item) => vec![Self::Item(item)],
            Step::Copy { file, role } => vec![Self::File { role, file }],
            Step::Run(role) => vec![Self::Program { role }],
            Step::Initialize(procedure) => vec![Self::Procedure(procedure)],
            Step::Service { .. } => Vec::new(),
        }
    }
}

impl Effects {
    fn swap(&mut self, place: Place, before: Value, after: Value) {
        let change = self.swapped.entry(place);
        change.or_insert(Change { before, after }).after = after;
    }

    fn bring(&mut self, subject: Subject, place: Place, want: Want) {
        self.brought.insert(place, want);
        self.brings.insert(subject);
    }

    fn value(&self, place: Place, model: &Model) -> Value {
        self.swapped
            .get(&place)
            .map_or_else(|| model.value(place), |change| change.after)
    }
}

/// Applied records, and what follows from them.
struct Relation<'m> {
    records: Records<'m>,
    listed: Option<usize>,
}

impl Relation<'_> {
    fn is_superseded(&self, rollup: usize) -> bool {
        self.is_included(rollup) || self.is_replaced(rollup)
    }

    fn is_included(&self, rollup: usize) -> bool {
        let mut others = self.records.iter().filter(|(other, _)| **other != rollup);
        others.any(|(_, record)| record.relations.includes.contains(&rollup))
    }

    fn is_replaced(&self, rollup: usize) -> bool {
        let mut others = self.records.iter().filter(|(other, _)| **other != rollup);
        others.any(|(_, record)| record.relations.replaces.contains(&rollup))
    }

    /// Returns everything that a rollup includes, through the records.
    fn included(&self, rollup: usize) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        let mut new = vec![rollup];
        while let Some(rollup) = new.pop() {
            let record = self.records.get(&rollup);
            for &included in record.iter().flat_map(|record| &record.relations.includes) {
                if all.insert(included) {
                    new.push(included);
                }
            }
        }
        all
    }

    /// Returns true if a requirement of the rollup holds.
    fn is_present(&self, rollup: usize) -> bool {
        let is_known = self.records.contains_key(&rollup) || self.listed == Some(rollup);
        if is_known && !self.is_superseded(rollup) {
            return true;
        }
        let mut applied = self
            .records
            .keys()
            .filter(|&&other| !self.is_superseded(other));
        applied.any(|&other| self.included(other).contains(&rollup))
    }
}

impl Model {
    pub(super) fn new(site: &Site, rollups: &[Rollup]) -> Self {
        let mut model = Self {
            servers: site.servers.clone(),
            rollups: rollups.to_vec(),
            listed: site.listed,
            values: BTreeMap::new(),
            pending: BTreeMap::new(),
            runs: Vec::new(),
        };
        let installed = Value::Installed {
            from: None,
            edit: None,
        };
        for place in model.console() {
            let value = match place {
                Place::Item { item, .. } if item != NOT_INSTALLED => installed,
                Place::Share { .. } => Value::File(usize::MAX),
                Place::Procedure { .. } => Value::Ran,
                Place::Service { .. } if site.has_service_records => Value::Service {
                    running: true,
                    enabled: true,
                },
                _ => Value::Missing,
            };
            model.values.insert(place, value);
        }
        model
    }

    pub(super) fn value(&self, place: Place) -> Value {
        self.values.get(&place).copied().unwrap_or(Value::Missing)
    }

    /// Returns the places of the console, those of offline servers included.
    pub(super) fn console(&self) -> Vec<Place> {
        let mut places = Vec::new();
        let holders = |role: Option<usize>| -> Vec<Option<usize>> {
            match role {
                None => vec![None],
                Some(role) => self.holders(role).map(Some).collect(),
            }
        };
        for (item, (_, role)) in ITEMS.iter().enumerate() {
            places.push(Place::Share { item });
            places.extend(
                holders(*role)
                    .into_iter()
                    .map(|server| Place::Item { item, server }),
            );
        }
        for (procedure, (_, role)) in PROCEDURES.iter().enumerate() {
            let of = |server| Place::Procedure { procedure, server };
            places.extend(holders(*role).into_iter().map(of));
        }
        for (service, (_, role)) in SERVICES.iter().enumerate() {
            places.extend(
                self.holders(*role)
                    .map(|server| Place::Service { server, service }),
            );
        }
        let is_used = |server: &usize| self.servers[*server].roles.contains(&true);
        for server in (0..self.servers.len()).filter(is_used) {
            places.push(Place::Program { server });
            places.extend((0..FILES.len()).map(|file| Place::File { server, file }));
        }
        places
    }

    fn holders(&self, role: usize) -> impl Iterator<Item = usize> {
        let servers = self.servers.iter().enumerate();
        servers
            .filter(move |(_, server)| server.roles[role])
            .map(|(at, _)| at)
    }

    fn online(&self, role: usize) -> impl Iterator<Item = usize> {
        self.holders(role)
            .filter(|&server| !self.servers[server].is_offline)
    }

    fn is_online(&self, place: Place) -> bool {
        place
            .server()
            .is_none_or(|server| !self.servers[server].is_offline)
    }

    /// Returns the places of an item or procedure that a step may touch.
    fn online_instances(&self, role: Option<usize>) -> Vec<Option<usize>> {
        match role {
            None => vec![None],
            Some(role) => self.online(role).map(Some).collect(),
        }
    }

    /// Returns the numbers of the runs that are not undone.
    fn not_undone(&self) -> Runs {
        let not_undone = self
            .runs
            .iter()
            .enumerate()
            .filter(|(_, run)| !run.is_undone);
        not_undone.fold(0, |runs, (number, _)| runs | 1 << number)
    }

    fn of(&self, runs: Runs) -> impl DoubleEndedIterator<Item = (usize, &Run)> {
        let all = self.runs.iter().enumerate();
        all.filter(move |(number, _)| runs >> number & 1 == 1)
    }

    fn relation(&self, runs: Runs) -> Relation<'_> {
        let mut records = Records::new();
        for (_, run) in self.of(runs) {
            if let (Some(rollup), Some(record)) = (run.rollup, &run.record) {
                records.insert(rollup, record);
            }
        }
        Relation {
            records,
            listed: self.listed,
        }
    }

    /// Returns the records that should be on disk.
    pub(super) fn records(&self) -> Records<'_> {
        self.relation(self.not_undone()).records
    }
}

/// Steps.
impl Model {
    /// Returns the effects of a rollup's steps, or `None` if a disabled service would be started.
    fn effects(&self, rollup: usize) -> Option<Effects> {
        let mut effects = Effects::default();
        for &step in &self.rollups[rollup].steps {
            effects.brings.extend(Subject::of_step(step));
            match step {
                Step::Update(item) => self.update(&mut effects, rollup, item),
                Step::Install(item) => {
                    self.share(&mut effects, rollup, item);
                    for server in self.online_instances(ITEMS[item].1) {
                        self.install(&mut effects, rollup, Place::Item { item, server });
                    }
                }
                Step::Remove(item) => {
                    for server in self.online_instances(ITEMS[item].1) {
                        self.remove(&mut effects, Place::Item { item, server });
                    }
                }
                Step::Copy { file, role } => {
                    let copied = Value::File(file_size(rollup, file));
                    for server in self.online(role) {
                        let place = Place::File { server, file };
                        let subject = Subject::File { role, file };
                        self.put(&mut effects, subject, place, copied);
                    }
                }
                Step::Run(role) => {
                    let installed = Value::Installed {
                        from: Some(rollup),
                        edit: None,
                    };
                    for server in self.online(role) {
                        let place = Place::Program { server };
                        self.put(&mut effects, Subject::Program { role }, place, installed);
                    }
                }
                Step::Initialize(procedure) => {
                    for server in self.online_instances(PROCEDURES[procedure].1) {
                        let place = Place::Procedure { procedure, server };
                        effects.swap(place, self.value(place), Value::Ran);
                        let want = Want::Value(Value::Ran);
                        effects.bring(Subject::Procedure(procedure), place, want);
                    }
                }
                Step::Service { verb, service } => {
                    for server in self.online(SERVICES[service].1) {
                        let place = Place::Service { server, service };
                        let found = effects.value(place, self);
                        if let Some(after) = serve(verb, found.service())? {
                            effects.swap(place, found, after);
                        }
                    }
                }
            }
        }
        Some(effects)
    }

    fn share(&self, effects: &mut Effects, rollup: usize, item: usize) {
        let place = Place::Share { item };
        self.put(effects, Subject::Share(item), place, Value::File(rollup));
    }

    /// Puts an object at a place, unless it is there already.
    fn put(&self, effects: &mut Effects, subject: Subject, place: Place, value: Value) {
        let found = effects.value(place, self);
        if found != value {
            effects.swap(place, found, value);
        }
        effects.bring(subject, place, Want::Value(value));
    }

    fn update(&self, effects: &mut Effects, rollup: usize, item: usize) {
        let instances = self.online_instances(ITEMS[item].1).into_iter();
        let places: Vec<Place> = instances
            .map(|server| Place::Item { item, server })
            .filter(|&place| matches!(effects.value(place, self), Value::Installed { .. }))
            .collect();
        for &place in &places {
            self.remove(effects, place);
        }
        self.share(effects, rollup, item);
        for &place in &places {
            self.install(effects, rollup, place);
        }
    }

    fn install(&self, effects: &mut Effects, rollup: usize, place: Place) {
        let found = effects.value(place, self);
        let from = Some(rollup);
        if !matches!(found, Value::Installed { from: found, .. } if found == from) {
            effects.swap(place, found, Value::Installed { from, edit: None });
        }
        let want = Want::Value(Value::Installed { from, edit: None });
        self.bring_item(effects, place, want);
    }

    fn remove(&self, effects: &mut Effects, place: Place) {
        let found = effects.value(place, self);
        let by_run = matches!(found, Value::Installed { .. });
        if by_run {
            effects.swap(place, found, Value::NotInstalled);
        }
        self.bring_item(effects, place, Want::Removed { by_run });
    }

    fn bring_item(&self, effects: &mut Effects, place: Place, want: Want) {
        if let Place::Item { item, .. } = place {
            effects.bring(Subject::Item(item), place, want);
        }
    }

    /// Returns the servers that a run of the rollup covers now, by role.
    fn covers(&self, rollup: usize) -> BTreeMap<usize, BTreeSet<usize>> {
        let mut covers = BTreeMap::new();
        for step in &self.rollups[rollup].steps {
            if let Some(role) = step.role() {
                covers.insert(role, self.online(role).collect());
            }
        }
        covers
    }

    fn relations(&self, rollup: usize) -> Relations {
        let rollup = &self.rollups[rollup];
        Relations {
            includes: rollup.includes.clone(),
            replaces: rollup.replaces.clone(),
            requires: rollup.requires.clone(),
        }
    }
}

/// Returns the state that a service step leaves if it changes something; `None` if it would start a
/// disabled service.
fn serve(verb: Verb, (running, enabled): (bool, bool)) -> Option<Option<Value>> {
    let service = |running, enabled| Some(Some(Value::Service { running, enabled }));
    match verb {
        Verb::Restart if !enabled => None,
        Verb::Start if !running && !enabled => None,
        Verb::Restart => service(true, enabled),
        Verb::Start if !running => service(true, enabled),
        Verb::Stop if running => service(false, enabled),
        Verb::Enable if !enabled => service(running, true),
        Verb::Disable if enabled => service(running, false),
        _ => Some(None),
    }
}

/// Lag and drift.
impl Model {
    /// Returns the rollup that counts for a place, and the number of its run.
    fn counting(&self, place: Place) -> Option<(usize, usize)> {
        let server = place.server().map(|server| &self.servers[server]);
        let subjects = Subject::of(place, server);
        let runs = self
            .of(self.not_undone())
            .filter(|(_, run)| subjects.iter().any(|subject| run.brings.contains(subject)));
        let runs =
            runs.filter_map(|(number, run)| Some((run.completes.unwrap_or(number), run.rollup?)));
        runs.max().map(|(number, rollup)| (rollup, number))
    }

    /// Returns the result that a run and its catch-ups brought to a place.
    fn brought(&self, number: usize, place: Place) -> Option<Want> {
        let runs = self.of(self.not_undone()).rev();
        let mut runs = runs.filter(|(of, run)| *of == number || run.completes == Some(number));
        runs.find_map(|(_, run)| run.brought.get(&place).copied())
    }

    fn brought_by_rollup(&self, rollup: usize, place: Place) -> bool {
        let mut runs = self.of(self.not_undone());
        runs.any(|(_, run)| run.rollup == Some(rollup) && run.brought.contains_key(&place))
    }

    /// Returns the newest run that swapped a place, or accepted drift there, and the value that it
    /// left.
    fn newest(&self, place: Place) -> Option<(&Run, Value)> {
        self.of(self.not_undone()).rev().find_map(|(_, run)| {
            let swapped = run.swapped.get(&place).map(|change| change.after);
            let left = swapped.or_else(|| run.accepted.get(&place).copied());
            left.map(|left| (run, left))
        })
    }

    /// Returns if a place lags behind the rollup that counts for it, on a server that does not lag
    /// as a whole.
    fn place_lags(&self, place: Place, number: usize) -> Answer {
        let value = self.value(place);
        if let Some((run, left)) = self.newest(place)
            && run.accepted.contains_key(&place)
            && left == value
        {
            return Answer::No;
        }
        match self.brought(number, place) {
            Some(want) => want.lags(value),
            // The record names the subject, but no run of the rollup had to do with this place.
            None => Answer::Open,
        }
    }

    /// Returns if a server lags as a whole behind a rollup, for one of its roles.
    fn server_lags(&self, rollup: usize, role: usize, server: usize) -> Answer {
        let relation = self.relation(self.not_undone());
        let names = |other: usize, role: usize| {
            let record = relation.records.get(&other);
            let servers = record.and_then(|record| record.servers.get(&role));
            servers.is_some_and(|servers| servers.contains(&server))
        };
        if names(rollup, role) {
            return Answer::No;
        }
        let including = relation.records.keys().copied();
        let including: Vec<usize> = including
            .filter(|&other| relation.included(other).contains(&rollup))
            .collect();
        let is_applied = |other: &&usize| !relation.is_superseded(**other);
        if including
            .iter()
            .filter(is_applied)
            .any(|&other| names(other, role))
        {
            return Answer::No;
        }
        let is_named = |&other: &usize| names(other, 0) || names(other, 1);
        if including.iter().any(is_named) || is_named(&rollup) && !including.is_empty() {
            return Answer::Open;
        }
        match (relation.is_included(rollup), relation.is_replaced(rollup)) {
            (false, false) => Answer::Yes,
            (false, true) => Answer::No,
            // Left open: an included rollup lags only where the including record has no such role.
            (true, _) => Answer::Open,
        }
    }

    /// Returns the online servers that may lag as a whole behind a rollup.
    fn lagging_servers(&self, rollup: usize) -> BTreeMap<usize, Answer> {
        let mut lagging = BTreeMap::new();
        let records = self.records();
        let Some(record) = records.get(&rollup) else {
            return lagging;
        };
        for &role in record.servers.keys() {
            for server in self.online(role) {
                let answer = self.server_lags(rollup, role, server);
                if answer != Answer::No {
                    let known = lagging.entry(server).or_insert(answer);
                    *known = answer.max(*known);
                }
            }
        }
        lagging
    }

    /// Returns the places that may lag behind a rollup, on servers that do not lag as a whole.
    fn lagging_places(&self, rollup: usize) -> BTreeMap<Place, Answer> {
        let servers = self.lagging_servers(rollup);
        let lags_as_whole = |place: Place| {
            let answer = place.server().and_then(|server| servers.get(&server));
            answer == Some(&Answer::Yes)
        };
        let mut lagging = BTreeMap::new();
        for place in self.console() {
            if !self.is_online(place) || lags_as_whole(place) {
                continue;
            }
            let Some((counting, number)) = self.counting(place) else {
                continue;
            };
            let answer = if counting == rollup {
                self.place_lags(place, number)
            } else if self.brought(number, place).is_none() && self.brought_by_rollup(rollup, place)
            {
                // Left open: another rollup counts here now.
                Answer::Open
            } else {
                Answer::No
            };
            if answer != Answer::No {
                lagging.insert(place, answer);
            }
        }
        lagging
    }

    /// Returns if anything lags behind a rollup.
    pub(super) fn lags(&self, rollup: usize) -> Answer {
        let servers = self.lagging_servers(rollup).into_values();
        let places = self.lagging_places(rollup).into_values();
        servers.chain(places).max().unwrap_or(Answer::No)
    }

    /// Returns if anything lags behind any rollup.
    pub(super) fn anything_lags(&self) -> Answer {
        let answers = self.records().into_keys().map(|rollup| self.lags(rollup));
        answers.max().unwrap_or(Answer::No)
    }

    /// Returns if something drifted that a rollup left.
    fn has_drifted(&self, rollup: usize) -> Answer {
        let console: BTreeSet<Place> = self.console().into_iter().collect();
        let mut drifted = Answer::No;
        for &place in self.values.keys() {
            let swaps = |(_, run): &(usize, &Run)| {
                run.swapped.contains_key(&place) && run.accepted.is_empty()
            };
            let newest = self.of(self.not_undone()).rev().find(swaps);
            let is_left = newest.is_some_and(|(_, run)| run.rollup == Some(rollup));
            let value = self.value(place);
            let is_same = |left: Value| value.is_same(left, place);
            if is_left && !self.newest(place).is_none_or(|(_, left)| is_same(left)) {
                let is_seen = console.contains(&place) && self.is_online(place);
                drifted = drifted.max(if is_seen { Answer::Yes } else { Answer::Open });
            }
            // The run found what it wants there, so another run left it.
            let counts = self
                .counting(place)
                .filter(|(counting, _)| *counting == rollup);
            let want = counts.and_then(|(_, number)| self.brought(number, place));
            if !is_left && want.is_some_and(|want| want != Want::Value(value)) {
                drifted = drifted.max(Answer::Open);
            }
        }
        drifted
    }
}

/// Expectations.
impl Model {
    /// Returns the result of `plan` and `apply`.
    pub(super) fn expected(&self, rollup: usize, reapply: bool) -> Expected {
        let relation = self.relation(self.not_undone());
        let record = relation.records.get(&rollup);
        let lags = self.lags(rollup);
        if !reapply && lags != Answer::No {
            let is_certain = lags == Answer::Yes && !self.may_start_disabled(rollup);
            return if is_certain {
                Expected::CatchUp
            } else {
                Expected::Open
            };
        }
        if relation.is_superseded(rollup) {
            return if lags == Answer::No {
                Expected::NotApplicable
            } else {
                Expected::Open
            };
        }
        if !reapply {
            // Left open: applied, and a requirement was broken since.
            let by_hand = record.is_some_and(|r| r.is_by_hand)
                || record.is_none() && self.listed == Some(rollup);
            if (by_hand || record.is_some())
                && self.expected_of_ordinary(rollup, &relation) != Expected::Ordinary
            {
                return Expected::Open;
            }
            match record {
                Some(record) if record.is_by_hand => return Expected::Nothing,
                None if self.listed == Some(rollup) => return Expected::Nothing,
                None => {}
                Some(_) => {
                    return match self.has_drifted(rollup) {
                        Answer::Yes => Expected::Mismatch,
                        Answer::Open => Expected::Open,
                        Answer::No => Expected::Nothing,
                    };
                }
            }
        }
        self.expected_of_ordinary(rollup, &relation)
    }

    fn may_start_disabled(&self, rollup: usize) -> bool {
        let starts = |step: &Step| {
            matches!(
                step,
                Step::Service {
                    verb: Verb::Start | Verb::Restart,
                    ..
                }
            )
        };
        let is_disabled = |value: &Value| matches!(value, Value::Service { enabled: false, .. });
        self.rollups[rollup].steps.iter().any(starts) && self.values.values().any(is_disabled)
    }

    /// Returns the result for a rollup whose steps are all done.
    fn expected_of_ordinary(&self, rollup: usize, now: &Relation<'_>) -> Expected {
        let without = Relation {
            records: now
                .records
                .clone()
                .into_iter()
                .filter(|(of, _)| *of != rollup)
                .collect(),
            listed: now.listed,
        };
        for &required in &self.rollups[rollup].requires {
            match (now.is_present(required), without.is_present(required)) {
                (false, _) => return Expected::NotReady,
                (true, false) => return Expected::Open,
                (true, true) => {}
            }
        }
        let record = Record {
            relations: self.relations(rollup),
            ..Record::default()
        };
        let mut after = Relation {
            records: now.records.clone(),
            listed: now.listed,
        };
        after.records.insert(rollup, &record);
        // Left open: a rollup that replaces what it requires.
        let mut own = self.rollups[rollup].requires.iter();
        if own.any(|required| !after.is_present(*required)) {
            return Expected::Open;
        }
        let others = now
            .records
            .iter()
            .filter(|(of, _)| **of != rollup && !after.is_superseded(**of));
        for (_, other) in others {
            for &required in &other.relations.requires {
                let (was, is) = (now.is_present(required), after.is_present(required));
                if was && !is {
                    return Expected::NotReady;
                }
                // The other rollup lacks it already.
                if record.relations.replaces.contains(&required) && !is {
                    return Expected::Open;
                }
            }
        }
        if self.effects(rollup).is_none() {
            return Expected::NotReady;
        }
        Expected::Ordinary
    }

    /// Returns the result of `undo` for a run that is not undone.
    pub(super) fn expected_undo(&self, number: usize) -> ExpectedUndo {
        let now = self.not_undone();
        if self.is_blocked(number, now, Offline::Counts) {
            return ExpectedUndo::Refused;
        }
        let strands = |offline| {
            let rest = now & !(1 << number);
            let known = RefCell::new(BTreeMap::new());
            let before = self.eventually(now, offline, &known);
            before & !self.eventually(rest, offline, &known) & !(1 << number) != 0
        };
        match (strands(Offline::Counts), strands(Offline::ComesBack)) {
            (false, false) => {}
            (true, true)
                if !self
                    .of(now)
                    .any(|(_, run)| run.is_pruned || run.is_irreversible) =>
            {
                return ExpectedUndo::Refused;
            }
            _ => return ExpectedUndo::Open,
        }
        let run = &self.runs[number];
        let is_changed = |(&place, change): (&Place, &Change)| {
            !self.is_left_alone(number, place, now)
                && !self.value(place).is_same(change.after, place)
        };
        if run.swapped.iter().any(is_changed) {
            return ExpectedUndo::Changed;
        }
        let is_stale =
            |(&place, &value): (&Place, &Value)| !self.value(place).is_same(value, place);
        if run.accepted.iter().any(is_stale) {
            return ExpectedUndo::Open;
        }
        ExpectedUndo::Done
    }

    /// Returns true if a run cannot be undone while these runs are not undone.
    fn is_blocked(&self, number: usize, runs: Runs, offline: Offline) -> bool {
        let run = &self.runs[number];
        let is_offline = |place: &Place| !self.is_online(*place);
        if run.is_pruned
            || run.is_irreversible
            || offline == Offline::Counts && run.swapped.keys().any(is_offline)
        {
            return true;
        }
        let places = run.swapped.keys().copied();
        let touched_later = |place: Place| {
            let mut later = self.of(runs).filter(|(later, _)| *later > number);
            later.any(|(_, run)| run.swapped.contains_key(&place))
        };
        let conflicts =
            |place: Place| touched_later(place) && !self.is_left_alone(number, place, runs);
        if places.clone().any(conflicts) {
            return true;
        }
        let (now, after) = (self.relation(runs), self.relation(runs & !(1 << number)));
        let would_lack = |record: &&Record| {
            let mut requires = record.relations.requires.iter();
            requires.any(|&required| now.is_present(required) && !after.is_present(required))
        };
        after.records.values().any(would_lack)
    }

    /// Returns true if the undo of a run leaves a place alone: the record of a service that the run
    /// did not change in effect, and that a later run touched.
    fn is_left_alone(&self, number: usize, place: Place, runs: Runs) -> bool {
        let Some(change) = self.runs[number].swapped.get(&place) else {
            return false;
        };
        let is_service = matches!(place, Place::Service { .. });
        let mut later = self.of(runs).filter(|(later, _)| *later > number);
        is_service
            && change.before.service() == change.after.service()
            && later.any(|(_, run)| run.swapped.contains_key(&place))
    }

    /// Returns the runs that can be undone in some order.
    fn eventually(
        &self,
        runs: Runs,
        offline: Offline,
        known: &RefCell<BTreeMap<Runs, Runs>>,
    ) -> Runs {
        if let Some(&undone) = known.borrow().get(&runs) {
            return undone;
        }
        let mut undone = 0;
        for (number, _) in self.of(runs).rev() {
            if undone == runs {
                break;
            }
            if !self.is_blocked(number, runs, offline) {
                let rest = runs & !(1 << number);
                undone |= 1 << number | self.eventually(rest, offline, known);
            }
        }
        known.borrow_mut().insert(runs, undone);
        undone
    }

    /// Returns true if some runs are not undone, and the promise holds that one of them can be.
    pub(super) fn promises_an_undo(&self) -> bool {
        let now = self.not_undone();
        let is_stuck = |run: &Run| {
            run.is_pruned
                || run.is_irreversible
                || run.swapped.keys().any(|place| !self.is_online(*place))
        };
        // Left open: a record by hand may lack what it requires from the start.
        let is_open = |run: &Run| {
            run.record
                .as_ref()
                .is_some_and(|r| r.is_by_hand && !r.relations.requires.is_empty())
        };
        now != 0 && !self.of(now).any(|(_, run)| is_stuck(run) || is_open(run))
    }
}

/// Meaning of offline servers for the undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offline {
    Counts,
    ComesBack,
}

/// Operation of a plan: its place, and its kind as the document names it.
pub(super) type Operation = (Place, String);

/// Changes.
impl Model {
    /// Returns the places that a run of all steps swaps, but for its applied record.
    pub(super) fn swaps(&self, rollup: usize) -> BTreeSet<Place> {
        let effects = self.effects(rollup);
        effects.map_or_else(BTreeSet::new, |effects| {
            effects.swapped.into_keys().collect()
        })
    }

    /// Adds a run of all steps.
    pub(super) fn apply(&mut self, rollup: usize, before: Tree) {
        let effects = self.effects(rollup).expect("it can be applied");
        let record = Record {
            relations: self.relations(rollup),
            is_by_hand: false,
            servers: self.covers(rollup),
        };
        self.add(Run {
            rollup: Some(rollup),
            completes: None,
            is_undone: false,
            is_pruned: false,
            is_irreversible: false,
            restarts: BTreeSet::new(),
            swapped: effects.swapped,
            accepted: BTreeMap::new(),
            record: Some(record),
            brought: effects.brought,
            brings: effects.brings,
            before,
        });
    }

    /// Checks the operations of a catch-up: all that certainly lags is in it, and nothing else but
    /// service steps on servers that have to do with it.
    pub(super) fn check_catch_up(
        &self,
        rollup: usize,
        operations: &[Operation],
    ) -> Result<(), String> {
        let planned: BTreeSet<Place> = operations.iter().map(|(place, _)| *place).collect();
        let places = self.lagging_places(rollup);
        for (place, answer) in &places {
            if *answer == Answer::Yes && !planned.contains(place) {
                return Err(format!("the catch-up leaves out `{}`", place.path()));
            }
        }
        let servers = self.lagging_servers(rollup);
        let concerned: BTreeSet<usize> = places.keys().filter_map(|place| place.server()).collect();
        for &place in &planned {
            let server = place.server();
            let lags_as_whole = server.is_some_and(|server| servers.contains_key(&server));
            let counts = self
                .counting(place)
                .is_none_or(|(counting, _)| counting == rollup);
            let is_concerned = server.is_some_and(|server| concerned.contains(&server));
            let is_wanted = match place {
                Place::Service { .. } => lags_as_whole || is_concerned,
                _ => places.contains_key(&place) || lags_as_whole && counts,
            };
            if !is_wanted {
                return Err(format!("the catch-up touches `{}`", place.path()));
            }
        }
        Ok(())
    }

    /// Adds a catch-up with the operations of its plan.
    pub(super) fn catch_up(&mut self, rollup: usize, operations: &[Operation], before: Tree) {
        let completes = self.completed_by_catch_up(rollup);
        let servers = self.lagging_servers(rollup);
        let wanted = self.effects_if_new(rollup);
        let mut effects = Effects::default();
        for (place, kind) in operations {
            let found = effects.value(*place, self);
            let after = match (place, kind.as_str()) {
                (Place::Item { .. }, "uninstall") => Value::NotInstalled,
                (Place::Service { .. }, _) => changed_service(kind, found.service()),
                _ => wanted.get(place).map_or(found, |(_, value)| *value),
            };
            effects.swap(*place, found, after);
        }
        for (&place, &(subject, value)) in &wanted {
            let is_swapped = effects.swapped.contains_key(&place);
            let is_covered = place
                .server()
                .is_some_and(|server| servers.contains_key(&server));
            let found = effects.value(place, self);
            let counts = self
                .counting(place)
                .is_none_or(|(counting, _)| counting == rollup);
            if is_swapped || is_covered && counts && found == value {
                let want = match value {
                    Value::NotInstalled => Want::Removed { by_run: is_swapped },
                    value => Want::Value(value),
                };
                effects.bring(subject, place, want);
            }
        }
        let mut record = (*self.records()[&rollup]).clone();
        for (role, servers) in self.covers(rollup) {
            record.servers.entry(role).or_default().extend(servers);
        }
        self.add(Run {
            rollup: Some(rollup),
            completes,
            is_undone: false,
            is_pruned: false,
            is_irreversible: false,
            restarts: BTreeSet::new(),
            swapped: effects.swapped,
            accepted: BTreeMap::new(),
            record: Some(record),
            brought: effects.brought,
            brings: effects.brings,
            before,
        });
    }

    fn completed_by_catch_up(&self, rollup: usize) -> Option<usize> {
        let mut runs = self.of(self.not_undone()).rev();
        let completed = runs.find(|(_, run)| run.rollup == Some(rollup) && run.completes.is_none());
        completed.map(|(number, _)| number)
    }

    /// Returns everything that a rollup wants to leave on the servers that are online.
    fn effects_if_new(&self, rollup: usize) -> BTreeMap<Place, (Subject, Value)> {
        let mut wanted = BTreeMap::new();
        let installed = Value::Installed {
            from: Some(rollup),
            edit: None,
        };
        for &step in &self.rollups[rollup].steps {
            match step {
                Step::Update(item) | Step::Install(item) | Step::Remove(item) => {
                    let is_removed = matches!(step, Step::Remove(_));
                    let value = if is_removed {
                        Value::NotInstalled
                    } else {
                        installed
                    };
                    for server in self.online_instances(ITEMS[item].1) {
                        let place = Place::Item { item, server };
                        wanted.insert(place, (Subject::Item(item), value));
                    }
                    if !is_removed {
                        let place = Place::Share { item };
                        wanted.insert(place, (Subject::Share(item), Value::File(rollup)));
                    }
                }
                Step::Copy { file, role } => {
                    let value = Value::File(file_size(rollup, file));
                    for server in self.online(role) {
                        let place = Place::File { server, file };
                        wanted.insert(place, (Subject::File { role, file }, value));
                    }
                }
                Step::Run(role) => {
                    for server in self.online(role) {
                        let place = Place::Program { server };
                        wanted.insert(place, (Subject::Program { role }, installed));
                    }
                }
                Step::Initialize(procedure) => {
                    for server in self.online_instances(PROCEDURES[procedure].1) {
                        let place = Place::Procedure { procedure, server };
                        wanted.insert(place, (Subject::Procedure(procedure), Value::Ran));
                    }
                }
                Step::Service { .. } => {}
            }
        }
        wanted
    }

    /// Adds the run that records a rollup as applied by hand.
    pub(super) fn apply_by_hand(&mut self, rollup: usize, has_manifest: bool, before: Tree) {
        let relations = if has_manifest {
            self.relations(rollup)
        } else {
            Relations::default()
        };
        self.add(Run {
            rollup: Some(rollup),
            completes: None,
            is_undone: false,
            is_pruned: false,
            is_irreversible: false,
            restarts: BTreeSet::new(),
            swapped: BTreeMap::new(),
            accepted: BTreeMap::new(),
            record: Some(Record {
                relations,
                is_by_hand: true,
                servers: BTreeMap::new(),
            }),
            brought: BTreeMap::new(),
            brings: BTreeSet::new(),
            before,
        });
    }

    fn add(&mut self, mut run: Run) {
        if let Some(rollup) = run.rollup {
            let change = Change {
                before: Value::Missing,
                after: Value::Missing,
            };
            run.swapped.insert(Place::Record { rollup }, change);
        }
        for (&place, change) in &run.swapped {
            self.values.insert(place, change.after);
        }
        self.runs.push(run);
    }

    /// Returns the places that differ from what the newest run left there, or from their records.
    /// `None` if some of them are on offline servers or outside the console.
    pub(super) fn drift(&self) -> Option<BTreeSet<Place>> {
        let console: BTreeSet<Place> = self.console().into_iter().collect();
        let mut drift = BTreeSet::new();
        for (&place, &value) in &self.values {
            let left = self.newest(place).map(|(_, left)| left);
            let is_edited = match left {
                Some(left) => !value.is_same(left, place),
                None => matches!(value, Value::Installed { edit: Some(_), .. }),
            };
            if is_edited && !(console.contains(&place) && self.is_online(place)) {
                return None;
            }
            if is_edited {
                drift.insert(place);
            }
        }
        Some(drift)
    }

    /// Adds the run that accepts drift. It rewrites the records of the changed items only.
    pub(super) fn accept(&mut self, drift: BTreeSet<Place>, before: Tree) {
        let accepted: BTreeMap<Place, Value> = drift
            .into_iter()
            .map(|place| (place, self.value(place)))
            .collect();
        let is_rewritten = |(_, value): &(&Place, &Value)| matches!(value, Value::Installed { .. });
        let swapped = accepted.iter().filter(is_rewritten);
        let swapped = swapped.map(|(&place, &value)| {
            (
                place,
                Change {
                    before: value,
                    after: value,
                },
            )
        });
        self.add(Run {
            rollup: None,
            completes: None,
            is_undone: false,
            is_pruned: false,
            is_irreversible: false,
            restarts: BTreeSet::new(),
            swapped: swapped.collect(),
            accepted,
            record: None,
            brought: BTreeMap::new(),
            brings: BTreeSet::new(),
            before,
        });
    }

    /// Returns the deployment as the undo of a run should leave it.
    pub(super) fn tree_after_undo(&self, number: usize, mut tree: Tree) -> Tree {
        let run = &self.runs[number];
        for &place in run.swapped.keys() {
            if self.is_left_alone(number, place, self.not_undone()) {
                continue;
            }
            let mut path = place.path();
            if run.rollup.is_none() {
                path += "/state.toml";
            }
            tree.retain(|at, _| !at.starts_with(&path));
            let restored = run.before.iter().filter(|(at, _)| at.starts_with(&path));
            tree.extend(restored.map(|(at, bytes)| (at.clone(), bytes.clone())));
        }
        tree
    }

    pub(super) fn undo(&mut self, number: usize) {
        let now = self.not_undone();
        let restored: Vec<(Place, Value)> = self.runs[number]
            .swapped
            .iter()
            .filter(|(place, _)| !self.is_left_alone(number, **place, now))
            .map(|(&place, change)| (place, change.before))
            .collect();
        self.values.extend(restored);
        let run = &mut self.runs[number];
        run.is_undone = true;
        self.pending.insert(number, run.restarts.clone());
    }

    /// Adds what follows from the operations of the newest run: the restarts that it did or left, and
    /// whether it can be undone.
    pub(super) fn ran(&mut self, rollup: usize, operations: &[Operation]) {
        let rollup = &self.rollups[rollup];
        let (mut services, mut computers) = (BTreeSet::new(), BTreeSet::new());
        for (place, kind) in operations {
            if rollup.restarts_computers {
                computers.extend(place.server().map(|server| (None, server)));
            }
            let Place::Service { server, service } = place else {
                continue;
            };
            let restart = (Some(*service), *server);
            services.insert(restart);
            if kind == "start" {
                for pending in self.pending.values_mut() {
                    pending.remove(&restart);
                }
            }
        }
        let marked = rollup.irreversible.map(|at| rollup.steps[at]);
        let is_marked = |operation: &Operation| marked.is_some_and(|step| is_of(step, operation));
        let number = self.runs.len() - 1;
        let run = &mut self.runs[number];
        run.is_irreversible = operations.iter().any(is_marked);
        run.restarts = &services | &computers;
        self.pending.insert(number, computers);
    }

    /// Returns the runs that left restarts which are pending, with these.
    pub(super) fn all_pending(&self) -> BTreeMap<usize, BTreeSet<Restart>> {
        let mut all = self.pending.clone();
        all.retain(|_, pending| !pending.is_empty());
        all
    }

    /// Clears the kept objects of all runs but the newest ones that are not undone.
    pub(super) fn prune(&mut self, keep: usize) {
        let runs = self.runs.iter_mut().rev().filter(|run| !run.is_undone);
        for run in runs.skip(keep) {
            run.is_pruned = true;
        }
    }
}

/// Returns true if an operation is the one that the mark of a step is about.
fn is_of(step: Step, (place, kind): &Operation) -> bool {
    match (step, place) {
        (Step::Update(wanted) | Step::Install(wanted), Place::Item { item, .. }) => {
            *item == wanted && matches!(kind.as_str(), "install" | "replace")
        }
        (Step::Initialize(wanted), Place::Procedure { procedure, .. }) => *procedure == wanted,
        (Step::Run(_), Place::Program { .. }) => true,
        _ => false,
    }
}

fn changed_service(kind: &str, (running, enabled): (bool, bool)) -> Value {
    match kind {
        "stop" => Value::Service {
            running: false,
            enabled,
        },
        "start" => Value::Service {
            running: true,
            enabled,
        },
        "enable" => Value::Service {
            running,
            enabled: true,
        },
        "disable" => Value::Service {
            running,
            enabled: false,
        },
        _ => Value::Service { running, enabled },
    }
}

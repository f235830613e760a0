//! Random deployments and their rollups, as plain data. They are printed as the texts that they
//! make, so that a failure can be read and reproduced by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::names::{ITEMS, StockItem};

/// Deployment with the rollups that are applied to it in order.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) site: RandomSite,
    pub(super) rollups: Vec<RandomRollup>,
}

#[derive(Clone)]
pub(super) struct RandomSite {
    pub(super) share: &'static str,
    pub(super) roles: Vec<&'static str>,
    pub(super) servers: Vec<RandomServer>,
    pub(super) services: Vec<RandomService>,
    pub(super) groups: Vec<&'static str>,
    pub(super) items: Vec<RandomItem>,
    pub(super) procedures: Vec<RandomProcedure>,
    /// Operator actions since the tree was set up, in order.
    pub(super) operator_actions: Vec<OperatorAction>,
}

#[derive(Clone)]
pub(super) struct RandomServer {
    pub(super) name: &'static str,
    pub(super) roles: Vec<usize>,
    pub(super) x64: bool,
}

#[derive(Clone)]
pub(super) struct RandomService {
    pub(super) name: &'static str,
    pub(super) role: usize,
    /// Its record on every server: running, enabled. It may have none.
    pub(super) file: Option<(bool, bool)>,
}

#[derive(Clone)]
pub(super) struct RandomItem {
    /// Position in [`ITEMS`].
    pub(super) stock: usize,
    pub(super) group: usize,
    pub(super) role: Option<usize>,
    /// Items before this one.
    pub(super) requires: Vec<usize>,
    pub(super) removable: bool,
    pub(super) found: InitialState,
}

/// State of an item or procedure before any rollup.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum InitialState {
    /// Installed, or run, with this state in its record.
    Recorded(&'static str),
    /// Not installed, with a record.
    Removed,
    /// Without a directory.
    Absent,
}

#[derive(Clone)]
pub(super) struct RandomProcedure {
    pub(super) name: &'static str,
    pub(super) group: usize,
    pub(super) role: Option<usize>,
    pub(super) requires: Vec<usize>,
    /// Need of a parameter, which is stored.
    pub(super) needs: bool,
    pub(super) found: InitialState,
}

/// Action of an operator on the tree. Paths are spelled as in `deployment.toml`.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum OperatorAction {
    /// Makes an unmanaged file.
    File { at: String, metadata: ModeAndOwner },
    /// Makes a hard link to a file.
    HardLink { of: String, at: String },
    /// Makes a directory.
    Directory { at: String, metadata: ModeAndOwner },
    /// Sets permissions and owner.
    Change { at: String, metadata: ModeAndOwner },
    /// Spells the last name in another case.
    Respell { at: String },
    /// Removes a file, or a directory with its contents.
    Remove { at: String },
    /// Writes other bytes to an installed file.
    Patch { at: String },
    /// Makes a symbolic link.
    Link { at: String },
}

/// Permission bits and owner; only root can change the owner.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ModeAndOwner {
    pub(super) mode: u32,
    pub(super) owner: u32,
}

#[derive(Clone)]
pub(super) struct RandomRollup {
    /// Number from 1; a later rollup has newer packages.
    pub(super) number: usize,
    pub(super) steps: Vec<RandomStep>,
    /// Items that are installed after it, unless an operator removed them before.
    pub(super) installed: BTreeSet<Instance>,
}

/// Item, with its server if it has one.
pub(super) type Instance = (usize, Option<usize>);

#[derive(Clone)]
pub(super) enum RandomStep {
    Uninstall(Selection),
    Install(Selection),
    /// Installs what the step at this position removed.
    Reinstall(usize),
    /// Copies payload files into the share.
    Share(Vec<String>),
    /// Copies payload files to the servers of a role; in a nested step, to its server.
    Servers {
        role: Option<usize>,
        to: &'static str,
        files: Vec<String>,
    },
    Run {
        role: Option<usize>,
        files: Vec<String>,
    },
    /// Stores packages that rollup cannot open, with instructions to roll them back.
    Opaque {
        role: Option<usize>,
        files: Vec<String>,
        arguments: Option<&'static str>,
        program: Option<&'static str>,
    },
    Initialize {
        procedures: Vec<usize>,
        given: bool,
    },
    Service {
        verb: &'static str,
        service: usize,
        x64: bool,
    },
    Manual {
        undo: bool,
        optional: bool,
    },
    /// Does its nested steps on one server of a role after another. A nested `Reinstall` has the
    /// position of a step beside it.
    EachServer {
        role: usize,
        x64: bool,
        steps: Vec<RandomStep>,
    },
}

/// Items by name, or a whole group; on some servers only, if `role` or `x64` is set.
#[derive(Clone)]
pub(super) struct Selection {
    pub(super) members: ItemsOrGroup,
    pub(super) role: Option<usize>,
    pub(super) x64: bool,
}

#[derive(Clone)]
pub(super) enum ItemsOrGroup {
    Items(Vec<usize>),
    Group(usize),
}

impl RandomItem {
    pub(super) fn stock(&self) -> &'static StockItem {
        &ITEMS[self.stock]
    }
}

impl RandomSite {
    /// Returns the servers that hold a role.
    pub(super) fn servers_of(&self, role: usize) -> impl Iterator<Item = (usize, &RandomServer)> {
        self.servers
            .iter()
            .enumerate()
            .filter(move |(_, server)| server.roles.contains(&role))
    }

    /// Returns the servers of an `each-server` step, in the order of the run.
    pub(super) fn each_server(
        &self,
        role: usize,
        x64: bool,
    ) -> impl Iterator<Item = (usize, &RandomServer)> {
        self.servers_of(role)
            .filter(move |(_, server)| !x64 || server.x64)
    }

    /// Returns the directories of an item or procedure, one for each server if it has a role.
    pub(super) fn directories(&self, group: usize, name: &str, role: Option<usize>) -> Vec<String> {
        let directory = format!("{}/{name}", self.groups[group]);
        match role {
            None => vec![directory],
            Some(role) => self
                .servers_of(role)
                .map(|(_, server)| format!("{directory}/{}", server.name))
                .collect(),
        }
    }

    /// Returns the directories of all items and procedures.
    pub(super) fn places(&self) -> Vec<String> {
        let items = self
            .items
            .iter()
            .map(|item| (item.group, item.stock().name, item.role));
        let procedures = self
            .procedures
            .iter()
            .map(|procedure| (procedure.group, procedure.name, procedure.role));
        items
            .chain(procedures)
            .flat_map(|(group, name, role)| self.directories(group, name, role))
            .collect()
    }

    /// Formats `deployment.toml`.
    pub(super) fn to_toml(&self) -> String {
        let roles = self
            .roles
            .iter()
            .map(|role| format!("{{ name = {} }}", quoted(role)));
        let server = |server: &RandomServer| {
            let platform = if server.x64 {
                ", platform = \"x64\""
            } else {
                ""
            };
            let roles = list(server.roles.iter().map(|&role| quoted(self.roles[role])));
            format!(
                "{{ name = {}, roles = {roles}{platform} }}",
                quoted(server.name)
            )
        };
        let service = |s: &RandomService| {
            format!(
                "{{ name = {}, on = {} }}",
                quoted(s.name),
                quoted(self.roles[s.role])
            )
        };
        let mut text = format!(
            "schema = 1\nname = \"random\"\nproduct = \"P\"\nproduct_version = \"1\"\nshare = {}\nroles = {}\n\
             servers = {}\nservices = {}\n",
            quoted(self.share),
            list(roles),
            list(self.servers.iter().map(server)),
            list(self.services.iter().map(service)),
        );
        for (at, path) in self.groups.iter().enumerate() {
            text += &format!("[[groups]]\npath = {}\n", quoted(path));
            let items = self
                .items
                .iter()
                .filter(|item| item.group == at)
                .map(|item| self.item(item));
            text += &format!("items = {}\n", list(items));
            let procedures = self
                .procedures
                .iter()
                .filter(|procedure| procedure.group == at);
            text += &format!(
                "procedures = {}\n",
                list(procedures.map(|procedure| self.procedure(procedure)))
            );
        }
        let named = self
            .items
            .iter()
            .map(|item| (item.stock().name, &item.requires));
        let named = named.chain(
            self.procedures
                .iter()
                .map(|procedure| (procedure.name, &procedure.requires)),
        );
        text += "[requires]\n";
        for (name, requires) in named.filter(|(_, requires)| !requires.is_empty()) {
            let required = list(
                requires
                    .iter()
                    .map(|&at| quoted(self.items[at].stock().name)),
            );
            text += &format!("{} = {required}\n", quoted(name));
        }
        text += "[parameters]\n";
        for procedure in self.procedures.iter().filter(|procedure| procedure.needs) {
            text += &format!("{} = {{ value = \"stored\" }}\n", quoted(procedure.name));
        }
        text
    }

    fn item(&self, item: &RandomItem) -> String {
        let StockItem {
            name,
            installer,
            product,
        } = item.stock();
        let removable = if item.removable {
            ""
        } else {
            ", removable = false"
        };
        let on = self.on(item.role);
        let (name, installer, product) = (quoted(name), quoted(installer), quoted(product));
        format!("{{ name = {name}, installer = {installer}, product = {product}{on}{removable} }}")
    }

    fn procedure(&self, procedure: &RandomProcedure) -> String {
        let needs = if procedure.needs {
            ", needs = [\"value\"]"
        } else {
            ""
        };
        format!(
            "{{ name = {}{needs}{} }}",
            quoted(procedure.name),
            self.on(procedure.role)
        )
    }

    fn on(&self, role: Option<usize>) -> String {
        role.map(|role| format!(", on = {}", quoted(self.roles[role])))
            .unwrap_or_default()
    }
}

impl RandomRollup {
    /// Formats the manifest.
    pub(super) fn to_toml(&self, site: &RandomSite) -> String {
        let number = self.number;
        let mut text = format!(
            "schema = 1\n[rollup]\nkb = \"KB{number}\"\ntitle = \"random\"\nproduct = \"P\"\nproduct_versions = [\"1\"]\n"
        );
        text += &steps_to_toml(site, &self.steps, "steps", "step");
        text += "[payload]\n";
        let version = super::stock::version(number);
        let row = |name: &String| format!("{{ name = {}, version = \"{version}\" }}", quoted(name));
        text += &format!("files = {}\n", list(self.files().iter().map(row)));
        text
    }

    /// Returns the payload files that the steps use, each once in any case.
    fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = Vec::new();
        for name in self.steps.iter().flat_map(RandomStep::files) {
            if !files
                .iter()
                .any(|known| rollup::names::same_name(known, name))
            {
                files.push(name.clone());
            }
        }
        files
    }
}

/// Formats steps of the manifest, or nested ones, whose ids begin with the same text.
fn steps_to_toml(site: &RandomSite, steps: &[RandomStep], table: &str, ids: &str) -> String {
    let mut text = String::new();
    for (at, step) in steps.iter().enumerate() {
        let id = step_id(ids, at);
        let (action, rest) = step.to_toml(site, ids, &id);
        text += &format!("[[{table}]]\nid = \"{id}\"\naction = \"{action}\"\n{rest}");
    }
    text
}

impl RandomStep {
    /// Returns the payload files that the step and its nested steps use.
    fn files(&self) -> Vec<&String> {
        match self {
            RandomStep::Share(files)
            | RandomStep::Servers { files, .. }
            | RandomStep::Run { files, .. }
            | RandomStep::Opaque { files, .. } => files.iter().collect(),
            RandomStep::EachServer { steps, .. } => {
                steps.iter().flat_map(RandomStep::files).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Formats the action and the other keys of the step with this id; those of its siblings begin
    /// with `ids`.
    fn to_toml(&self, site: &RandomSite, ids: &str, id: &str) -> (&'static str, String) {
        let names = |files: &[String]| list(files.iter().map(|name| quoted(name)));
        let role = |role: usize| format!("on = {}\n", quoted(site.roles[role]));
        let maybe_role = |on: Option<usize>| on.map(role).unwrap_or_default();
        match self {
            RandomStep::Uninstall(selection) => ("uninstall", selection.to_toml(site)),
            RandomStep::Install(selection) => ("install", selection.to_toml(site)),
            RandomStep::Reinstall(at) => {
                let removed_by = quoted(&step_id(ids, *at));
                ("install", format!("removed_by = {removed_by}\n"))
            }
            RandomStep::Share(files) => (
                "copy",
                format!("to = \"share\"\nfiles = {}\n", names(files)),
            ),
            RandomStep::Servers {
                role: on,
                to,
                files,
            } => (
                "copy",
                format!(
                    "to = {}\n{}files = {}\n",
                    quoted(to),
                    maybe_role(*on),
                    names(files)
                ),
            ),
            RandomStep::Run { role: on, files } => (
                "run",
                format!("{}files = {}\n", maybe_role(*on), names(files)),
            ),
            RandomStep::Opaque {
                role: on,
                files,
                arguments,
                program,
            } => {
                let mut text = format!("{}files = {}\n", maybe_role(*on), names(files));
                for (key, value) in [("arguments", arguments), ("program", program)] {
                    if let Some(value) = value {
                        text += &format!("{key} = {}\n", quoted(value));
                    }
                }
                ("run", text + "undo = \"uninstall it\"\n")
            }
            RandomStep::Initialize { procedures, given } => {
                let mut text = items(
                    site,
                    procedures.iter().map(|&at| {
                        let procedure = &site.procedures[at];
                        (procedure.group, procedure.name)
                    }),
                );
                for &at in procedures.iter().filter(|_| *given) {
                    text += &format!(
                        "parameters.{} = {{ value = \"given\" }}\n",
                        quoted(site.procedures[at].name)
                    );
                }
                ("initialize", text)
            }
            RandomStep::Service { verb, service, x64 } => {
                let platform = if *x64 { "platform = \"x64\"\n" } else { "" };
                (
                    verb,
                    format!(
                        "service = {}\n{platform}",
                        quoted(site.services[*service].name)
                    ),
                )
            }
            RandomStep::Manual { undo, optional } => {
                let undo = if *undo { "undo = \"undo it\"\n" } else { "" };
                let optional = if *optional { "optional = true\n" } else { "" };
                (
                    "manual",
                    format!("instructions = \"do it\"\n{undo}{optional}"),
                )
            }
            RandomStep::EachServer {
                role: on,
                x64,
                steps,
            } => {
                let platform = if *x64 { "platform = \"x64\"\n" } else { "" };
                let nested = steps_to_toml(site, steps, "steps.steps", id);
                ("each-server", format!("{}{platform}{nested}", role(*on)))
            }
        }
    }
}

impl Selection {
    fn to_toml(&self, site: &RandomSite) -> String {
        let mut text = match &self.members {
            ItemsOrGroup::Group(group) => format!("groups = [{}]\n", quoted(site.groups[*group])),
            ItemsOrGroup::Items(selection) => items(
                site,
                selection.iter().map(|&at| {
                    let item = &site.items[at];
                    (item.group, item.stock().name)
                }),
            ),
        };
        if let Some(role) = self.role {
            text += &format!("on = {}\n", quoted(site.roles[role]));
        }
        if self.x64 {
            text += "platform = \"x64\"\n";
        }
        text
    }
}

/// Formats members of groups, group by group.
fn items<'a>(site: &RandomSite, members: impl Iterator<Item = (usize, &'a str)>) -> String {
    let mut groups: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (group, name) in members {
        groups.entry(group).or_default().push(quoted(name));
    }
    let line = |(group, names): (usize, Vec<String>)| {
        format!(
            "items.{} = {}\n",
            quoted(site.groups[group]),
            list(names.into_iter())
        )
    };
    groups.into_iter().map(line).collect()
}

/// Returns the id of the step at a position; those of nested steps begin with the id of the outer
/// one.
pub(super) fn step_id(ids: &str, at: usize) -> String {
    format!("{ids}-{}", at + 1)
}

fn list(entries: impl Iterator<Item = String>) -> String {
    format!("[{}]", entries.collect::<Vec<_>>().join(", "))
}

/// Quotes a name as a TOML string; names of the language have no quotes and no backslashes.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n--- deployment.toml\n{}--- initial states",
            self.site.to_toml()
        )?;
        for item in &self.site.items {
            writeln!(f, "{}: {:?}", item.stock().name, item.found)?;
        }
        for procedure in &self.site.procedures {
            writeln!(f, "{}: {:?}", procedure.name, procedure.found)?;
        }
        for service in &self.site.services {
            writeln!(f, "{}: (running, enabled) {:?}", service.name, service.file)?;
        }
        for operator_action in &self.site.operator_actions {
            writeln!(f, "{operator_action:?}")?;
        }
        for rollup in &self.rollups {
            writeln!(
                f,
                "--- manifest {}\n{}",
                rollup.number,
                rollup.to_toml(&self.site)
            )?;
        }
        Ok(())
    }
}

impl fmt::Debug for InitialState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InitialState::Recorded(state) => state,
            InitialState::Removed => "not-installed",
            InitialState::Absent => "absent",
        })
    }
}

impl fmt::Debug for OperatorAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OperatorAction::File { at, metadata } => write!(f, "write {at:?} {metadata:?}"),
            OperatorAction::HardLink { of, at } => write!(f, "ln {of:?} {at:?}"),
            OperatorAction::Directory { at, metadata } => write!(f, "mkdir {at:?} {metadata:?}"),
            OperatorAction::Change { at, metadata } => write!(f, "chmod {metadata:?} {at:?}"),
            OperatorAction::Respell { at } => write!(f, "respell {at:?}"),
            OperatorAction::Remove { at } => write!(f, "rm -r {at:?}"),
            OperatorAction::Patch { at } => write!(f, "patch {at:?}"),
            OperatorAction::Link { at } => write!(f, "ln -s nowhere {at:?}"),
        }
    }
}

impl fmt::Debug for ModeAndOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:o} of {}", self.mode, self.owner)
    }
}

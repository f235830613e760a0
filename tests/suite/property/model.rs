//! A random deployment and what is applied to it, as plain data. Shown as the texts they stand for,
//! so that a failure can be read and typed in.

use std::collections::BTreeMap;
use std::fmt;

use super::names::{ITEMS, Stocked};

/// A deployment, and the rollups that are applied to it in order.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) site: Site,
    pub(super) rollups: Vec<Rollup>,
}

#[derive(Clone)]
pub(super) struct Site {
    pub(super) share: &'static str,
    pub(super) roles: Vec<&'static str>,
    pub(super) servers: Vec<Server>,
    pub(super) services: Vec<Service>,
    pub(super) groups: Vec<&'static str>,
    pub(super) items: Vec<Item>,
    pub(super) procedures: Vec<Procedure>,
    /// What operators did to the tree since it was set up, in order.
    pub(super) touches: Vec<Touch>,
}

#[derive(Clone)]
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) roles: Vec<usize>,
    pub(super) x64: bool,
}

#[derive(Clone)]
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) role: usize,
    /// What its file says on every server: running, enabled. It may have none.
    pub(super) file: Option<(bool, bool)>,
}

#[derive(Clone)]
pub(super) struct Item {
    /// Which of [`ITEMS`].
    pub(super) stock: usize,
    pub(super) group: usize,
    pub(super) role: Option<usize>,
    /// Items before this one.
    pub(super) requires: Vec<usize>,
    pub(super) removable: bool,
    pub(super) found: Found,
}

/// The state that an item or procedure is found in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Installed, or run, and its record says so in this word.
    As(&'static str),
    /// Its record says that it is not.
    Removed,
    /// It has no directory.
    Absent,
}

#[derive(Clone)]
pub(super) struct Procedure {
    pub(super) name: &'static str,
    pub(super) group: usize,
    pub(super) role: Option<usize>,
    pub(super) requires: Vec<usize>,
    /// Whether it needs a parameter, which is stored.
    pub(super) needs: bool,
    pub(super) found: Found,
}

/// Something an operator did. Paths are spelled as `deployment.toml` would.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Touch {
    /// Puts a file of his own there.
    File { at: String, metadata: ModeAndOwner },
    /// Gives a file of his another name as well.
    Twin { of: String, at: String },
    /// Makes a directory.
    Directory { at: String, metadata: ModeAndOwner },
    /// Sets permissions and owner.
    Change { at: String, metadata: ModeAndOwner },
    /// Spells the last name in another case.
    Respell { at: String },
    /// Takes something away, with all that is in it.
    Remove { at: String },
    /// Writes something else into a file that an installer brought.
    Patch { at: String },
    /// Puts a symbolic link there.
    Link { at: String },
}

/// Permission bits and owner; only root can give things away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ModeAndOwner {
    pub(super) mode: u32,
    pub(super) owner: u32,
}

#[derive(Clone)]
pub(super) struct Rollup {
    /// Which rollup it is, from 1; a later one brings newer packages.
    pub(super) number: usize,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone)]
pub(super) enum Step {
    Uninstall(Chosen),
    Install(Chosen),
    /// Puts back what the step at this position removed.
    PutBack(usize),
    /// Copies payload files into the share.
    Share(Vec<String>),
    /// Copies payload files to the servers of a role.
    Servers {
        role: usize,
        to: &'static str,
        files: Vec<String>,
    },
    Run {
        role: usize,
        files: Vec<String>,
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
}

/// Items by name or a whole group, maybe on some servers only.
#[derive(Clone)]
pub(super) struct Chosen {
    pub(super) which: Which,
    pub(super) role: Option<usize>,
    pub(super) x64: bool,
}

#[derive(Clone)]
pub(super) enum Which {
    Items(Vec<usize>),
    Group(usize),
}

impl Item {
    pub(super) fn stock(&self) -> &'static Stocked {
        &ITEMS[self.stock]
    }
}

impl Site {
    /// The servers that hold a role.
    pub(super) fn servers_of(&self, role: usize) -> impl Iterator<Item = (usize, &Server)> {
        self.servers
            .iter()
            .enumerate()
            .filter(move |(_, server)| server.roles.contains(&role))
    }

    /// The directories of an item or procedure, by server where it has a role.
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

    /// The directories of all items and procedures.
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

    /// `deployment.toml`.
    pub(super) fn to_toml(&self) -> String {
        let roles = self
            .roles
            .iter()
            .map(|role| format!("{{ name = {} }}", quoted(role)));
        let server = |server: &Server| {
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
        let service = |s: &Service| {
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
            text += &format!("{} = {{ key = \"stored\" }}\n", quoted(procedure.name));
        }
        text
    }

    fn item(&self, item: &Item) -> String {
        let Stocked {
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

    fn procedure(&self, procedure: &Procedure) -> String {
        let needs = if procedure.needs {
            ", needs = [\"key\"]"
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

impl Rollup {
    /// The manifest.
    pub(super) fn to_toml(&self, site: &Site) -> String {
        let number = self.number;
        let mut text = format!(
            "schema = 1\n[rollup]\nkb = \"KB{number}\"\ntitle = \"random\"\nproduct = \"P\"\nproduct_versions = [\"1\"]\n"
        );
        for (at, step) in self.steps.iter().enumerate() {
            let (action, rest) = step.to_toml(site);
            text += &format!(
                "[[steps]]\nid = \"{}\"\naction = \"{action}\"\n{rest}",
                step_id(at)
            );
        }
        text += "[payload]\n";
        let version = super::stock::version(number);
        let row = |name: &String| format!("{{ name = {}, version = \"{version}\" }}", quoted(name));
        text += &format!("files = {}\n", list(self.files().iter().map(row)));
        text
    }

    /// The payload files that the steps use, each once whatever its case.
    fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = Vec::new();
        for step in &self.steps {
            let (Step::Share(used)
            | Step::Servers { files: used, .. }
            | Step::Run { files: used, .. }) = step
            else {
                continue;
            };
            for name in used {
                if !files
                    .iter()
                    .any(|known| rollup::names::same_name(known, name))
                {
                    files.push(name.clone());
                }
            }
        }
        files
    }
}

impl Step {
    fn to_toml(&self, site: &Site) -> (&'static str, String) {
        let names = |files: &[String]| list(files.iter().map(|name| quoted(name)));
        let role = |role: usize| quoted(site.roles[role]);
        match self {
            Step::Uninstall(chosen) => ("uninstall", chosen.to_toml(site)),
            Step::Install(chosen) => ("install", chosen.to_toml(site)),
            Step::PutBack(at) => ("install", format!("removed_by = \"{}\"\n", step_id(*at))),
            Step::Share(files) => (
                "copy",
                format!("to = \"share\"\nfiles = {}\n", names(files)),
            ),
            Step::Servers {
                role: on,
                to,
                files,
            } => (
                "copy",
                format!(
                    "to = {}\non = {}\nfiles = {}\n",
                    quoted(to),
                    role(*on),
                    names(files)
                ),
            ),
            Step::Run { role: on, files } => (
                "run",
                format!("on = {}\nfiles = {}\n", role(*on), names(files)),
            ),
            Step::Initialize { procedures, given } => {
                let mut text = items(
                    site,
                    procedures.iter().map(|&at| {
                        let procedure = &site.procedures[at];
                        (procedure.group, procedure.name)
                    }),
                );
                for &at in procedures.iter().filter(|_| *given) {
                    text += &format!(
                        "parameters.{} = {{ key = \"given\" }}\n",
                        quoted(site.procedures[at].name)
                    );
                }
                ("initialize", text)
            }
            Step::Service { verb, service, x64 } => {
                let platform = if *x64 { "platform = \"x64\"\n" } else { "" };
                (
                    verb,
                    format!(
                        "service = {}\n{platform}",
                        quoted(site.services[*service].name)
                    ),
                )
            }
            Step::Manual { undo, optional } => {
                let undo = if *undo { "undo = \"undo it\"\n" } else { "" };
                let optional = if *optional { "optional = true\n" } else { "" };
                (
                    "manual",
                    format!("instructions = \"do it\"\n{undo}{optional}"),
                )
            }
        }
    }
}

impl Chosen {
    fn to_toml(&self, site: &Site) -> String {
        let mut text = match &self.which {
            Which::Group(group) => format!("groups = [{}]\n", quoted(site.groups[*group])),
            Which::Items(chosen) => items(
                site,
                chosen.iter().map(|&at| {
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

/// Members of groups, group by group.
fn items<'a>(site: &Site, members: impl Iterator<Item = (usize, &'a str)>) -> String {
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

/// The id of the step at a position.
fn step_id(at: usize) -> String {
    format!("step-{}", at + 1)
}

fn list(entries: impl Iterator<Item = String>) -> String {
    format!("[{}]", entries.collect::<Vec<_>>().join(", "))
}

/// A name as a TOML string; names of the language hold no quotes and no backslashes.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n--- deployment.toml\n{}--- found", self.site.to_toml())?;
        for item in &self.site.items {
            writeln!(f, "{}: {:?}", item.stock().name, item.found)?;
        }
        for procedure in &self.site.procedures {
            writeln!(f, "{}: {:?}", procedure.name, procedure.found)?;
        }
        for service in &self.site.services {
            writeln!(f, "{}: (running, enabled) {:?}", service.name, service.file)?;
        }
        for touch in &self.site.touches {
            writeln!(f, "{touch:?}")?;
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

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Found::As(state) => state,
            Found::Removed => "not-installed",
            Found::Absent => "absent",
        })
    }
}

impl fmt::Debug for Touch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Touch::File { at, metadata } => write!(f, "put file {at:?} {metadata:?}"),
            Touch::Twin { of, at } => write!(f, "ln {of:?} {at:?}"),
            Touch::Directory { at, metadata } => write!(f, "mkdir {at:?} {metadata:?}"),
            Touch::Change { at, metadata } => write!(f, "chmod {metadata:?} {at:?}"),
            Touch::Respell { at } => write!(f, "respell {at:?}"),
            Touch::Remove { at } => write!(f, "rm -r {at:?}"),
            Touch::Patch { at } => write!(f, "patch {at:?}"),
            Touch::Link { at } => write!(f, "ln -s nowhere {at:?}"),
        }
    }
}

impl fmt::Debug for ModeAndOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:o} of {}", self.mode, self.owner)
    }
}

//! Sites and rollups as plain data, the texts that they make, and the payloads of all rollups, which
//! are built once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use rollup::deployment::describe;
use rollup::deployment::description::Description;
use rollup::document::{Findings, Source};
use rollup::manifest;
use rollup::rehearse::{build_payload, build_site};
use tempfile::TempDir;

use crate::temporary::temporary;

/// Names of the roles; a site has the first one, or both.
pub(super) const ROLES: [&str; 2] = ["engine", "web"];
/// Names of the servers; a site has some of the first ones.
pub(super) const SERVERS: [&str; 5] = ["S1", "S2", "S3", "S4", "S5"];
/// Items with their roles.
pub(super) const ITEMS: [(&str, Option<usize>); 4] = [
    ("Alpha", None),
    ("Beta", None),
    ("Node", Some(0)),
    ("Site", Some(1)),
];
/// Position of the item in [`ITEMS`] that is not installed at first.
pub(super) const NOT_INSTALLED: usize = 1;
/// Procedures with their roles.
pub(super) const PROCEDURES: [(&str, Option<usize>); 2] = [("Setup", None), ("Tune", Some(0))];
/// Services with their roles.
pub(super) const SERVICES: [(&str, usize); 2] = [("Engine", 0), ("Pool", 1)];
/// Files that rollups copy to servers, with their directories below `Files`.
pub(super) const FILES: [(&str, &str); 3] =
    [("own.txt", "."), ("same.txt", "."), ("tool.txt", "Tools")];
/// Position of the file in [`FILES`] that has the same bytes in every rollup.
const SAME: usize = 1;
/// Program that rollups put on servers.
pub(super) const PROGRAM: &str = "Agent";
/// Number of rollups with payloads.
pub(super) const ROLLUPS: usize = 5;

/// Server with the roles that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) roles: [bool; 2],
    pub(super) is_offline: bool,
}

/// Deployment before any rollup.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) servers: Vec<Server>,
    /// Rollup that `deployment.toml` lists as applied.
    pub(super) listed: Option<usize>,
    /// True if every service has a record at first.
    pub(super) has_service_records: bool,
}

/// Rollup; its number is its position, and a later one has newer packages.
#[derive(Debug, Clone, Default)]
pub(super) struct Rollup {
    pub(super) includes: Vec<usize>,
    pub(super) replaces: Vec<usize>,
    pub(super) requires: Vec<usize>,
    pub(super) steps: Vec<Step>,
    /// Step that its author marked as irreversible.
    pub(super) irreversible: Option<usize>,
    /// True if the article requires that computers restart.
    pub(super) restarts_computers: bool,
    /// True if each step on a role is done on one server after another.
    pub(super) on_each_server: bool,
}

/// Step of a rollup. Positions are those in the tables of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Uninstalls an item, copies its installer to the share, and installs what was removed.
    Update(usize),
    /// Copies the installer of an item to the share, and installs the item.
    Install(usize),
    Remove(usize),
    /// Copies a file to the servers of a role.
    Copy {
        file: usize,
        role: usize,
    },
    /// Puts the program on the servers of a role.
    Run(usize),
    Initialize(usize),
    Service {
        verb: Verb,
        service: usize,
    },
}

/// Action of a service step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Restart,
    Start,
    Stop,
    Enable,
    Disable,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Enable => "enable",
            Self::Disable => "disable",
        }
    }
}

/// Returns the identity of a rollup.
pub(super) fn kb(rollup: usize) -> String {
    format!("KB{}", rollup + 1)
}

/// Returns the version of a rollup's packages.
pub(super) fn version(rollup: usize) -> String {
    format!("4.0.{}00", rollup + 3)
}

/// Returns the size of a rollup's file.
pub(super) fn file_size(rollup: usize, file: usize) -> usize {
    if file == SAME { 100 } else { 200 + rollup }
}

impl Site {
    /// Makes a site with servers that hold these roles, and with records of all services.
    pub(super) fn with_servers(roles: &[[bool; 2]]) -> Self {
        let server = |&roles: &[bool; 2]| Server {
            roles,
            is_offline: false,
        };
        Self {
            servers: roles.iter().map(server).collect(),
            listed: None,
            has_service_records: true,
        }
    }

    /// Formats `deployment.toml`.
    pub(super) fn to_toml(&self) -> String {
        let servers: String = self.servers.iter().zip(SERVERS).map(server_row).collect();
        let listed = self.listed.map_or_else(String::new, |rollup| {
            format!("applied = [\"{}\"]\n", kb(rollup))
        });
        let services = SERVICES
            .map(|(name, role)| format!("  {{ name = \"{name}\", on = \"{}\" }},\n", ROLES[role]));
        let items = ITEMS.map(|(name, role)| {
            format!(
                "  {{ name = \"{name}\", installer = \"{name}.msi\"{} }},\n",
                on(role)
            )
        });
        let procedures =
            PROCEDURES.map(|(name, role)| format!("  {{ name = \"{name}\"{} }},\n", on(role)));
        let roles = ROLES.map(|role| format!("{{ name = \"{role}\" }}"));
        format!(
            "schema = 1\nname = \"site\"\nproduct = \"Sample\"\nproduct_version = \"1.0\"\n\
             share = \"Share\"\n{listed}roles = [{}]\nservers = [\n{servers}]\nservices = [\n{}]\n\
             [[groups]]\npath = \"Things\"\nitems = [\n{}]\nprocedures = [\n{}]\n\
             [rehearsal]\nnot_installed = [\"{}\"]\n",
            roles.join(", "),
            services.concat(),
            items.concat(),
            procedures.concat(),
            ITEMS[NOT_INSTALLED].0,
        )
    }

    /// Writes the deployment into a directory that does not exist.
    pub(super) fn write(&self, deployment: &Path) {
        static BUILT: Mutex<BTreeMap<String, (TempDir, PathBuf)>> = Mutex::new(BTreeMap::new());
        let text = self.to_toml();
        let built = {
            let mut sites = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
            let (_, built) = sites.entry(text.clone()).or_insert_with(|| {
                let directory = temporary();
                let at = directory.path().join("deployment");
                build_site(&description(&text), &text, &at).expect("a site that can be built");
                (directory, at)
            });
            built.clone()
        };
        crate::world::copy_tree(&built, deployment);
        if self.has_service_records {
            return;
        }
        for server in &SERVERS[..self.servers.len()] {
            for (service, _) in SERVICES {
                let record = deployment.join(format!("Servers/{server}/Services/{service}.toml"));
                if record.exists() {
                    fs::remove_file(record).expect("it can be removed");
                }
            }
        }
    }
}

fn server_row((server, name): (&Server, &str)) -> String {
    let held = ROLES.iter().zip(server.roles).filter(|(_, holds)| *holds);
    let held: Vec<String> = held.map(|(role, _)| format!("\"{role}\"")).collect();
    let offline = if server.is_offline {
        ", offline = true"
    } else {
        ""
    };
    format!(
        "  {{ name = \"{name}\", roles = [{}]{offline} }},\n",
        held.join(", ")
    )
}

fn on(role: Option<usize>) -> String {
    role.map_or_else(String::new, |role| format!(", on = \"{}\"", ROLES[role]))
}

impl Rollup {
    /// Formats the manifest.
    pub(super) fn to_toml(&self, number: usize) -> String {
        let mut text = format!(
            "schema = 1\n[rollup]\nkb = \"{}\"\ntitle = \"random\"\nproduct = \"Sample\"\n\
             product_versions = [\"1.0\"]\n",
            kb(number)
        );
        let relations = [
            ("includes", &self.includes),
            ("replaces", &self.replaces),
            ("requires", &self.requires),
        ];
        for (key, rollups) in relations {
            if !rollups.is_empty() {
                let names: Vec<String> = rollups
                    .iter()
                    .map(|&other| format!("\"{}\"", kb(other)))
                    .collect();
                text += &format!("{key} = [{}]\n", names.join(", "));
            }
        }
        if self.restarts_computers {
            text += "computer_restart = \"required\"\n";
        }
        for (at, step) in self.steps.iter().enumerate() {
            text += &step.to_toml(at, step.role().filter(|_| self.on_each_server));
            // The last of its tables is the one that installs or runs something.
            if self.irreversible == Some(at) {
                text += "irreversible = \"marked\"\n";
            }
        }
        let mut rows: Vec<String> = self
            .steps
            .iter()
            .filter_map(|step| step.row(number))
            .collect();
        rows.sort();
        rows.dedup();
        text + &format!("[payload]\nfiles = [\n{}]\n", rows.concat())
    }
}

impl Step {
    /// Returns true if an author may mark the step as irreversible.
    pub(super) fn may_be_irreversible(self) -> bool {
        use Step::{Initialize, Install, Run, Update};
        matches!(self, Update(_) | Install(_) | Run(_) | Initialize(_))
    }

    /// Returns the role whose servers the step is done on; `None` for an item or procedure on none.
    pub(super) fn role(self) -> Option<usize> {
        match self {
            Self::Update(item) | Self::Install(item) | Self::Remove(item) => ITEMS[item].1,
            Self::Copy { role, .. } | Self::Run(role) => Some(role),
            Self::Initialize(procedure) => PROCEDURES[procedure].1,
            Self::Service { service, .. } => Some(SERVICES[service].1),
        }
    }

    /// Formats the step; if it is done on each server of a role, as nested steps. The share is on no
    /// server, so an installer is copied before these.
    fn to_toml(self, at: usize, each: Option<usize>) -> String {
        let items = |key: &str, name: &str| format!("{key}.\"Things\" = [\"{name}\"]\n");
        let table = if each.is_some() {
            "steps.steps"
        } else {
            "steps"
        };
        let step = |part: &str, action: &str, keys: &str| {
            format!("[[{table}]]\nid = \"{at}{part}\"\naction = \"{action}\"\n{keys}")
        };
        let on = |role: usize| match each {
            Some(_) => String::new(),
            None => format!("on = \"{}\"\n", ROLES[role]),
        };
        let outer = each.map_or_else(String::new, |role| {
            let role = ROLES[role];
            format!("[[steps]]\nid = \"{at}-each\"\naction = \"each-server\"\non = \"{role}\"\n")
        });
        let share = |name: &str| {
            format!(
                "[[steps]]\nid = \"{at}-share\"\naction = \"copy\"\nto = \"share\"\nfiles = [\"{name}.msi\"]\n"
            )
        };
        match self {
            Self::Update(item) => {
                let name = ITEMS[item].0;
                let remove = step("-remove", "uninstall", &items("items", name));
                let install = step("", "install", &format!("removed_by = \"{at}-remove\"\n"));
                match each {
                    Some(_) => share(name) + &outer + &remove + &install,
                    None => remove + &share(name) + &install,
                }
            }
            Self::Install(item) => {
                let name = ITEMS[item].0;
                share(name) + &outer + &step("", "install", &items("items", name))
            }
            Self::Remove(item) => outer + &step("", "uninstall", &items("items", ITEMS[item].0)),
            Self::Copy { file, role } => {
                let (name, to) = FILES[file];
                let keys = format!("to = \"{to}\"\n{}files = [\"{name}\"]\n", on(role));
                outer + &step("", "copy", &keys)
            }
            Self::Run(role) => {
                let keys = format!("{}files = [\"{PROGRAM}.msi\"]\n", on(role));
                outer + &step("", "run", &keys)
            }
            Self::Initialize(procedure) => {
                outer + &step("", "initialize", &items("items", PROCEDURES[procedure].0))
            }
            Self::Service { verb, service } => {
                let keys = format!("service = \"{}\"\n", SERVICES[service].0);
                outer + &step("", verb.name(), &keys)
            }
        }
    }

    /// Formats the row of the file table that the step needs.
    fn row(self, rollup: usize) -> Option<String> {
        let package = |name: &str| {
            format!(
                "  {{ name = \"{name}.msi\", version = \"{}\" }},\n",
                version(rollup)
            )
        };
        match self {
            Self::Update(item) | Self::Install(item) => Some(package(ITEMS[item].0)),
            Self::Run(_) => Some(package(PROGRAM)),
            Self::Copy { file, .. } => Some(plain_row(rollup, file)),
            Self::Remove(_) | Self::Initialize(_) | Self::Service { .. } => None,
        }
    }
}

fn plain_row(rollup: usize, file: usize) -> String {
    let size = file_size(rollup, file);
    format!("  {{ name = \"{}\", size = {size} }},\n", FILES[file].0)
}

/// Returns the payload of a rollup, which has every package and file. Files that a manifest does not
/// list are of no interest to it.
pub(super) fn payload(rollup: usize) -> &'static Path {
    static PAYLOADS: OnceLock<(TempDir, Vec<PathBuf>)> = OnceLock::new();
    let (_, payloads) = PAYLOADS.get_or_init(|| {
        let directory = temporary();
        let site = Site::with_servers(&[[true, true]]);
        let description = description(&site.to_toml());
        let build = |rollup: usize| {
            let at = directory.path().join(kb(rollup));
            let mut findings = Findings::default();
            let text = manifest_of_all(rollup);
            let manifest = manifest::parse(&Source::new("manifest.toml", &text), &mut findings);
            let manifest = manifest.unwrap_or_else(|| panic!("{findings:#?}"));
            build_payload(&manifest, &description, &at).expect("a payload that can be built");
            at
        };
        let payloads = (0..ROLLUPS).map(build).collect();
        (directory, payloads)
    });
    &payloads[rollup]
}

fn manifest_of_all(rollup: usize) -> String {
    let mut steps: Vec<Step> = (0..ITEMS.len()).map(Step::Update).collect();
    steps.push(Step::Run(0));
    steps.extend((0..FILES.len()).map(|file| Step::Copy { file, role: 0 }));
    let all = Rollup {
        steps,
        ..Rollup::default()
    };
    all.to_toml(rollup)
}

fn description(text: &str) -> Description {
    let mut findings = Findings::default();
    let description = describe::parse(&Source::new("deployment.toml", text), &mut findings);
    description.unwrap_or_else(|| panic!("{findings:#?}"))
}

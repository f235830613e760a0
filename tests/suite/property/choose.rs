//! Strategy for random cases: numbers are drawn, and read as choices. Any numbers make a case;
//! smaller ones a simpler case, and fewer ones a smaller case, so that failures shrink.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rollup::names::CaseFolded;

use super::model::{
    Case, InitialState, ItemsOrGroup, ModeAndOwner, OperatorAction, RandomItem, RandomProcedure,
    RandomRollup, RandomServer, RandomService, RandomSite, RandomStep, Selection,
};
use super::names::{
    ARGUMENTS, DIRECTORIES, FILES, GROUPS, ITEMS, OPAQUE, OPAQUE_DIRECTORIES, PLAIN, PROCEDURES,
    PROGRAMS, ROLES, SERVERS, SERVICES, SHARES, TARGETS,
};

/// Numbers that an entry is read from.
type Numbers = [u8; 6];

/// Kind of a step, and the numbers that it is read from.
type Choice = (&'static str, Numbers);

/// Returns a strategy for cases with at most so many rollups.
pub(super) fn cases(rollups: usize) -> impl Strategy<Value = Case> {
    let numbers = || any::<Numbers>();
    let site = (
        numbers(),
        vec(numbers(), 1..=3),
        vec(numbers(), 0..=2),
        vec(numbers(), 1..=4),
        vec(numbers(), 0..=2),
        vec((select(OPERATOR_ACTIONS), numbers()), 0..=9),
    );
    let nested = vec((select(NESTED_STEPS), numbers()), 1..=4);
    let steps = vec(((select(STEPS), numbers()), nested), 1..=7);
    (site, vec(steps, 1..=rollups)).prop_map(
        |((whole, servers, services, items, procedures, operator_actions), rollups)| {
            let mut site = RandomSite {
                share: pick(SHARES, whole[0]),
                roles: ROLES[..1 + usize::from(whole[1]) % ROLES.len()].to_vec(),
                servers: Vec::new(),
                services: Vec::new(),
                groups: GROUPS[..1 + usize::from(whole[2]) % GROUPS.len()].to_vec(),
                items: Vec::new(),
                procedures: Vec::new(),
                operator_actions: Vec::new(),
            };
            site.servers = servers
                .iter()
                .enumerate()
                .map(|(at, numbers)| server(&site, at, numbers))
                .collect();
            site.services = services
                .iter()
                .enumerate()
                .map(|(at, numbers)| service(&site, at, numbers))
                .collect();
            items
                .iter()
                .for_each(|numbers| site.items.extend(item(&site, numbers)));
            site.procedures = procedures
                .iter()
                .enumerate()
                .map(|(at, numbers)| procedure(&site, at, numbers))
                .collect();
            site.operator_actions = operator_actions
                .iter()
                .filter_map(|(kind, numbers)| operator_action(&site, kind, numbers))
                .collect();
            let mut rollups: Vec<RandomRollup> = rollups
                .iter()
                .enumerate()
                .map(|(at, choices)| RandomRollup {
                    number: at + 1,
                    steps: steps_of(&site, choices),
                    installed: BTreeSet::new(),
                })
                .collect();
            super::repair::repair(&site, &mut rollups);
            Case { site, rollups }
        },
    )
}

fn pick<T: Clone>(from: &[T], number: u8) -> T {
    from[usize::from(number) % from.len()].clone()
}

/// Returns true for one number in so many; never for zero, to which a number shrinks.
fn one_in(number: u8, many: u8) -> bool {
    number % many == many - 1
}

/// Returns the positions of the bits in a mask.
fn of_mask(mask: u8, count: usize) -> Vec<usize> {
    (0..count).filter(|at| mask >> (at % 8) & 1 == 1).collect()
}

fn server(site: &RandomSite, at: usize, &[mask, x64, ..]: &Numbers) -> RandomServer {
    let mut roles = of_mask(mask, site.roles.len());
    if roles.is_empty() {
        roles.push(0);
    }
    RandomServer {
        name: SERVERS[at],
        roles,
        x64: one_in(x64, 3),
    }
}

fn role(site: &RandomSite, number: u8) -> usize {
    usize::from(number) % site.roles.len()
}

/// Returns a role for half of the numbers: half of the items are on servers.
fn maybe_role(site: &RandomSite, number: u8) -> Option<usize> {
    (number % 2 == 1).then(|| role(site, number / 2))
}

fn service(site: &RandomSite, at: usize, &[on, file, ..]: &Numbers) -> RandomService {
    let files = [
        Some((true, true)),
        Some((true, true)),
        Some((false, true)),
        None,
        Some((false, false)),
        Some((false, false)),
    ];
    RandomService {
        name: SERVICES[at],
        role: role(site, on),
        file: pick(&files, file),
    }
}

fn item(
    site: &RandomSite,
    &[name, group, on, state, requires, removable]: &Numbers,
) -> Option<RandomItem> {
    let taken: BTreeSet<usize> = site.items.iter().map(|item| item.stock).collect();
    let left: Vec<usize> = (0..ITEMS.len())
        .filter(|stock| !taken.contains(stock))
        .collect();
    let states = [
        "verified",
        "verified",
        "verified",
        "verified",
        "unverified",
        "verify-failed",
        "install-failed",
    ];
    let found = match state % 10 {
        8 => InitialState::Removed,
        9 => InitialState::Absent,
        state => InitialState::Recorded(states[usize::from(state) % states.len()]),
    };
    Some(RandomItem {
        stock: pick(&left, name),
        group: usize::from(group) % site.groups.len(),
        role: maybe_role(site, on),
        requires: if requires % 2 == 1 {
            of_mask(requires / 2, site.items.len())
        } else {
            Vec::new()
        },
        removable: !one_in(removable, 8),
        found,
    })
}

fn procedure(
    site: &RandomSite,
    at: usize,
    &[group, on, state, requires, needs, _]: &Numbers,
) -> RandomProcedure {
    RandomProcedure {
        name: PROCEDURES[at],
        group: usize::from(group) % site.groups.len(),
        role: maybe_role(site, on),
        requires: if one_in(requires, 3) {
            of_mask(requires / 3, site.items.len())
        } else {
            Vec::new()
        },
        needs: needs % 2 == 1,
        found: pick(
            &[
                InitialState::Recorded("verified"),
                InitialState::Recorded("unverified"),
                InitialState::Removed,
                InitialState::Absent,
            ],
            state,
        ),
    }
}

/// Kinds of operator actions, the frequent ones more than once.
const OPERATOR_ACTIONS: &[&str] = &[
    "file",
    "file",
    "file",
    "file",
    "file",
    "directory",
    "directory",
    "change",
    "change",
    "respell",
    "respell",
    "hard-link",
    "patch",
    "remove",
    "link",
];

fn operator_action(
    site: &RandomSite,
    kind: &str,
    &[place, name, mode, owner, ..]: &Numbers,
) -> Option<OperatorAction> {
    let directories = directories(site);
    let inner = inner_directories(site);
    // Most actions are of interest only in a directory that a run may move.
    let directory = || {
        pick(
            if inner.is_empty() || place % 4 == 3 {
                &directories[..]
            } else {
                &inner
            },
            place / 4,
        )
    };
    let files = files(site);
    let a_file = || (!files.is_empty()).then(|| pick(&files, place));
    let owner = pick(&[0, 1000, 65_534], owner);
    let file_attributes = ModeAndOwner {
        mode: pick(&[0o644, 0o600, 0o640, 0o755, 0o444, 0o4755, 0o400], mode),
        owner,
    };
    let directory_attributes = ModeAndOwner {
        mode: pick(&[0o755, 0o700, 0o750, 0o775, 0o2755, 0o1777], mode),
        owner,
    };
    let below = |directory: String, name: &str| {
        format!("{directory}/{name}")
            .trim_start_matches('/')
            .to_owned()
    };
    Some(match kind {
        "file" => OperatorAction::File {
            at: below(directory(), pick(FILES, name)),
            metadata: file_attributes,
        },
        // The name `.rollup` is reserved at the root.
        "directory" if pick(DIRECTORIES, name) == ".rollup" && directory().is_empty() => {
            return None;
        }
        "directory" => OperatorAction::Directory {
            at: below(directory(), pick(DIRECTORIES, name)),
            metadata: directory_attributes,
        },
        "change" if place % 2 == 0 => OperatorAction::Change {
            at: a_file()?,
            metadata: file_attributes,
        },
        "change" => OperatorAction::Change {
            at: directory(),
            metadata: directory_attributes,
        },
        "respell" if name % 2 == 0 => OperatorAction::Respell { at: a_file()? },
        "respell" => OperatorAction::Respell { at: directory() },
        "hard-link" => OperatorAction::HardLink {
            of: a_file()?,
            at: below(directory(), pick(FILES, name)),
        },
        "patch" => OperatorAction::Patch {
            at: a_file().filter(|at| at.contains("/files/"))?,
        },
        "remove" if name % 2 == 0 => OperatorAction::Remove {
            at: a_file().filter(|at| at.contains("/files/"))?,
        },
        "remove" => OperatorAction::Remove {
            at: pick(&bare_directories(site), place),
        },
        _ => OperatorAction::Link {
            at: below(pick(&bare_directories(site), place), "link"),
        },
    })
}

/// Returns directories that no swap moves.
fn bare_directories(site: &RandomSite) -> Vec<String> {
    let mut directories = vec![site.share.to_owned(), "Servers".to_owned()];
    directories.extend(
        site.servers
            .iter()
            .map(|server| format!("Servers/{}", server.name)),
    );
    for name in ["Files", "Services", "Programs"] {
        directories.extend(
            site.servers
                .iter()
                .map(|server| format!("Servers/{}/{name}", server.name)),
        );
    }
    directories.extend(site.groups.iter().map(|&group| group.to_owned()));
    directories
}

/// Returns the directories of items, procedures and programs, and those that installers make.
fn inner_directories(site: &RandomSite) -> Vec<String> {
    let mut directories = Vec::new();
    for item in &site.items {
        for directory in site.directories(item.group, item.stock().name, item.role) {
            let product = format!("{directory}/files/Program Files/{}", item.stock().product);
            directories.extend([
                directory.clone(),
                format!("{directory}/files"),
                format!("{directory}/files/Program Files"),
            ]);
            directories.extend([format!("{product}/Documentation"), product]);
        }
    }
    for procedure in &site.procedures {
        directories.extend(site.directories(procedure.group, procedure.name, procedure.role));
    }
    directories
}

fn directories(site: &RandomSite) -> Vec<String> {
    let mut directories = vec![String::new()];
    directories.extend(bare_directories(site));
    for server in &site.servers {
        directories.push(format!("Servers/{}/Files/tools", server.name));
        directories.push(format!("Servers/{}/Files/Tools/New", server.name));
        directories.push(format!("Servers/{}/Programs/Tool", server.name));
        directories.push(format!("Servers/{}/Programs/Tool/files", server.name));
        directories.push(format!("Servers/{}/Programs/hotfix.exe", server.name));
        directories.push(format!("Servers/{}/Programs/Hotfix 7/files", server.name));
    }
    directories
}

/// Returns the files of the tree before any operator action.
fn files(site: &RandomSite) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    for item in &site.items {
        for directory in site.directories(item.group, item.stock().name, item.role) {
            let built = &super::stock::stock().items[item.stock].files;
            files.extend(
                built
                    .iter()
                    .map(|(below, _)| format!("{directory}/files/{}", below.display())),
            );
            files.push(format!("{directory}/state.toml"));
        }
    }
    files.extend(
        site.items
            .iter()
            .map(|item| format!("{}/{}", site.share, item.stock().installer)),
    );
    for service in &site.services {
        let on = site.servers_of(service.role);
        files.extend(
            on.map(|(_, server)| format!("Servers/{}/Services/{}.toml", server.name, service.name)),
        );
    }
    for procedure in &site.procedures {
        let directories = site
            .directories(procedure.group, procedure.name, procedure.role)
            .into_iter();
        files.extend(directories.map(|directory| format!("{directory}/state.toml")));
    }
    files
}

/// Kinds of steps, the frequent ones more than once. An update is three steps.
const STEPS: &[&str] = &[
    "servers",
    "share",
    "share",
    "update",
    "update",
    "uninstall",
    "uninstall",
    "reinstall",
    "reinstall",
    "install",
    "install",
    "run",
    "run",
    "initialize",
    "initialize",
    "service",
    "service",
    "service",
    "service",
    "service",
    "manual",
    "opaque",
    "opaque",
    "each-server",
    "each-server",
    "each-server",
];

/// Kinds of nested steps, the frequent ones more than once.
const NESTED_STEPS: &[&str] = &[
    "servers",
    "update",
    "update",
    "update",
    "uninstall",
    "reinstall",
    "install",
    "run",
    "initialize",
    "service",
    "service",
    "manual",
    "manual",
    "opaque",
    "opaque",
];

fn steps_of(site: &RandomSite, choices: &[(Choice, Vec<Choice>)]) -> Vec<RandomStep> {
    let mut steps: Vec<RandomStep> = Vec::new();
    for (choice, nested) in choices {
        match choice {
            ("each-server", numbers) => add_each_server(site, numbers, nested, &mut steps),
            _ => add_steps(site, choice, &mut steps),
        }
    }
    steps
}

/// Adds an `each-server` step. The share is on no server, so its nested steps find their installers
/// there.
fn add_each_server(
    site: &RandomSite,
    &[on, x64, ..]: &Numbers,
    choices: &[Choice],
    steps: &mut Vec<RandomStep>,
) {
    let mut nested = Vec::new();
    for choice in choices {
        add_steps(site, choice, &mut nested);
    }
    let mut installers = BTreeMap::new();
    for step in &nested {
        if let RandomStep::Share(files) = step {
            installers.extend(
                files
                    .iter()
                    .map(|name| (CaseFolded::of(name), name.clone())),
            );
        }
    }
    steps.push(RandomStep::Share(installers.into_values().collect()));
    // Half of these steps are for the role with the most servers.
    let servers = |role: &usize| site.servers_of(*role).count();
    let role = match on % 2 {
        0 => (0..site.roles.len()).max_by_key(servers).unwrap_or(0),
        _ => role(site, on / 2),
    };
    steps.push(RandomStep::EachServer {
        role,
        x64: one_in(x64, 5),
        steps: nested,
    });
}

/// Adds the steps of a choice: none, one or several.
fn add_steps(site: &RandomSite, (kind, numbers): &Choice, steps: &mut Vec<RandomStep>) {
    let &[a, b, c, d, e, _] = numbers;
    match *kind {
        "update" => {
            let at = steps.len();
            let selection = selection(site, numbers);
            let installers = members(site, &selection.members).into_iter();
            let installers = installers
                .map(|item| spelled(site.items[item].stock().installer, b))
                .collect();
            steps.extend([
                RandomStep::Uninstall(selection),
                RandomStep::Share(installers),
                RandomStep::Reinstall(at),
            ]);
        }
        "uninstall" => steps.push(RandomStep::Uninstall(selection(site, numbers))),
        "install" => steps.push(RandomStep::Install(selection(site, numbers))),
        "reinstall" => {
            let earlier = steps
                .iter()
                .enumerate()
                .filter(|(_, step)| matches!(step, RandomStep::Uninstall(_)));
            let earlier: Vec<usize> = earlier.map(|(at, _)| at).collect();
            if !earlier.is_empty() {
                steps.push(RandomStep::Reinstall(pick(&earlier, a)));
            }
        }
        "share" => {
            let items = of_mask(a, site.items.len()).into_iter();
            let mut files: Vec<String> = items
                .map(|item| spelled(site.items[item].stock().installer, b))
                .collect();
            if files.is_empty() || one_in(c, 4) {
                files.push(spelled(pick(PLAIN, d).0, b));
            }
            steps.push(RandomStep::Share(files));
        }
        "servers" => {
            let plain: Vec<&str> = PLAIN
                .iter()
                .map(|(name, _)| *name)
                .chain(PROGRAMS.iter().copied())
                .collect();
            let files = of_mask(a | 1, plain.len())
                .into_iter()
                .map(|at| spelled(plain[at], b))
                .collect();
            steps.push(RandomStep::Servers {
                role: Some(role(site, c)),
                to: pick(TARGETS, d),
                files,
            });
        }
        "run" => {
            let items = site.items.iter().map(|item| item.stock().installer);
            let packages: Vec<&str> = PROGRAMS.iter().copied().chain(items).collect();
            let mut run = of_mask(a, packages.len());
            if run.is_empty() {
                run.push(0);
            }
            let files = run.into_iter().map(|at| spelled(packages[at], b)).collect();
            steps.push(RandomStep::Run {
                role: Some(role(site, c)),
                files,
            });
        }
        "opaque" => {
            let mut stored = of_mask(a, OPAQUE.len());
            if stored.is_empty() {
                stored.push(0);
            }
            // The directory is that of one file.
            let program =
                (stored.len() == 1 && d % 2 == 1).then(|| pick(OPAQUE_DIRECTORIES, d / 2));
            let files = stored.into_iter().map(|at| spelled(OPAQUE[at].0, b));
            steps.push(RandomStep::Opaque {
                role: Some(role(site, c)),
                files: files.collect(),
                arguments: (e % 2 == 1).then(|| pick(ARGUMENTS, e / 2)),
                program,
            });
        }
        "initialize" if !site.procedures.is_empty() => {
            let mut procedures = of_mask(a, site.procedures.len());
            if procedures.is_empty() {
                procedures.push(0);
            }
            steps.push(RandomStep::Initialize {
                procedures,
                given: b % 2 == 1,
            });
        }
        "service" if !site.services.is_empty() => {
            let verbs = ["restart", "stop", "start", "disable", "enable", "enable"];
            let verb = pick(&verbs, a);
            steps.push(RandomStep::Service {
                verb,
                service: usize::from(b) % site.services.len(),
                x64: one_in(c, 4),
            });
        }
        "manual" => steps.push(RandomStep::Manual {
            undo: a % 3 != 2,
            optional: a % 3 != 0,
        }),
        _ => {}
    }
}

fn selection(site: &RandomSite, &[a, _, c, d, e, f]: &Numbers) -> Selection {
    let members = match one_in(c, 4) {
        true => ItemsOrGroup::Group(usize::from(d) % site.groups.len()),
        false => {
            let mut items = of_mask(a, site.items.len());
            if items.is_empty() {
                items.push(0);
            }
            ItemsOrGroup::Items(items)
        }
    };
    Selection {
        members,
        role: one_in(e, 5).then(|| role(site, f)),
        x64: one_in(e, 7),
    }
}

/// Returns the items of a selection.
pub(super) fn members(site: &RandomSite, members: &ItemsOrGroup) -> Vec<usize> {
    match members {
        ItemsOrGroup::Items(items) => items.clone(),
        ItemsOrGroup::Group(group) => {
            let path = site.groups[*group];
            let within = |at: &usize| {
                let group = site.groups[site.items[*at].group];
                group == path || group.starts_with(&format!("{path}/"))
            };
            (0..site.items.len()).filter(within).collect()
        }
    }
}

/// Spells a file's name as an article may: not as the file table does.
fn spelled(name: &str, number: u8) -> String {
    match number % 4 {
        1 => name.chars().map(|c| c.to_ascii_uppercase()).collect(),
        2 => name.chars().map(|c| c.to_ascii_lowercase()).collect(),
        _ => name.to_owned(),
    }
}

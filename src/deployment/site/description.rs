//! Contents of `deployment.toml`: everything that a deployment has, installed or not. People write
//! it; rollup only reads it.

use std::collections::{BTreeMap, HashMap};
use std::ops::Index;

use serde::Serialize;

use super::parameters::{ParameterValue, Parameters, StoredParameter};
use crate::document::{is_secret_name, nearest};
use crate::names::{CaseFolded, Digest, FileName, Kb, RelPath, same_name};

/// Platform of a server that names none.
pub const DEFAULT_PLATFORM: &str = "x86";

/// Contents of a checked `deployment.toml`.
///
/// Everything is kept in the document's order; the `…Id` types are positions in these lists.
/// Look-ups fold case and know the aliases.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// Name of the deployment.
    pub name: String,
    /// Product of the deployment.
    pub product: String,
    /// Other names of the product.
    pub product_aliases: Vec<String>,
    pub product_version: String,
    /// Directory of the installer share, at the root.
    pub share: FileName,
    /// Rollups applied before rollup kept records, oldest first.
    pub applied: Vec<Kb>,
    /// Every role the product knows.
    pub roles: Vec<Role>,
    pub servers: Vec<Server>,
    /// Other products on the servers.
    pub products: Vec<Product>,
    /// Services: anything that can be started.
    pub services: Vec<Service>,
    /// Every group: those of `[[groups]]` and every prefix of their paths, in the order of first
    /// mention.
    pub groups: Vec<Group>,
    /// Items and procedures of all groups, in the document's order.
    pub items: Vec<Item>,
    /// Signatures that a run needs; `None` without `[approval]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalRules>,
    /// Items that `rollup rehearse` does not install.
    pub rehearsal_not_installed: Vec<ItemId>,
    #[serde(skip)]
    pub(super) index: NameIndex,
}

/// Position of a role in [`Description::roles`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RoleId(pub usize);
/// Position of a server in [`Description::servers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ServerId(pub usize);
/// Position of a service in [`Description::services`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ServiceId(pub usize);
/// Position of a group in [`Description::groups`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct GroupId(pub usize);
/// Position of an item or procedure in [`Description::items`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ItemId(pub usize);

/// Signatures that a run needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApprovalRules {
    /// People who must approve a plan, if any must.
    pub plans: Option<RequiredApprovals>,
    /// File of the people who may sign a manifest, from the root; without it manifests need no
    /// signature.
    pub manifest_signers: Option<RelPath>,
}

/// Approvals that a plan needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequiredApprovals {
    /// Number of different people, at least one.
    pub required: usize,
    /// File of the people who may approve, from the root.
    pub signers: RelPath,
}

/// A role that servers hold.
#[derive(Debug, Clone, Serialize)]
pub struct Role {
    pub name: String,
    /// Other names of the role.
    pub aliases: Vec<String>,
    /// Servers that hold it, in the document's order.
    pub servers: Vec<ServerId>,
}

/// A server.
#[derive(Debug, Clone, Serialize)]
pub struct Server {
    /// Its name; also the name of its directories.
    pub name: FileName,
    /// The roles it holds.
    pub roles: Vec<RoleId>,
    /// Platform, such as `x64`; [`DEFAULT_PLATFORM`] if none is named.
    pub platform: String,
    /// True if it is out of reach for now: steps skip it, and nothing on it counts.
    pub offline: bool,
}

/// Another product, which only prerequisites ask about.
#[derive(Debug, Clone, Serialize)]
pub struct Product {
    /// Its name. Several entries may name the same product, with other servers.
    pub name: String,
    /// Other names of the product, also for the other entries.
    pub aliases: Vec<String>,
    /// Installed service pack; 0 for none.
    pub service_pack: u32,
    /// Installed version, if it is documented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Servers that have it.
    pub servers: Vec<ServerId>,
}

/// Service, such as a COM+ application, a Windows service or IIS.
#[derive(Debug, Clone, Serialize)]
pub struct Service {
    /// Its name; also the name of its file.
    pub name: FileName,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// The role whose servers have it.
    pub on: RoleId,
}

/// Node of the console tree that holds items or groups.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// Its path, which is also its directory.
    pub path: RelPath,
    /// Names that may replace the last part of the path.
    pub aliases: Vec<String>,
    /// The groups directly below it.
    pub groups: Vec<GroupId>,
    /// Its direct members, items and procedures, in the document's order.
    pub items: Vec<ItemId>,
}

/// Item or procedure of the console.
#[derive(Debug, Clone, Serialize)]
pub struct Item {
    /// Its name, unique in the console together with the aliases of all others.
    pub name: FileName,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// The group it is a direct member of.
    pub group: GroupId,
    /// Role with one instance of the item on each of its servers; without a role there is a single
    /// instance.
    pub on: Option<RoleId>,
    /// Component or procedure.
    pub kind: ItemKind,
    /// Items that it requires. A procedure can require items, but cannot be required.
    pub requires: Vec<ItemId>,
    /// Reason why its installation, or the procedure, cannot be rolled back.
    pub irreversible: Option<String>,
    /// The line in `deployment.toml`, from 1.
    #[serde(skip)]
    pub line: u32,
}

/// Kind of a console entry.
#[derive(Debug, Clone, Serialize)]
pub enum ItemKind {
    /// Component, which an installer installs.
    Component {
        /// Its installer's name in the share.
        installer: FileName,
        /// ProductName that the installer must have.
        product: String,
        /// Features to install although the package has them off, sorted.
        features: Vec<String>,
        /// True if it may be uninstalled.
        removable: bool,
    },
    /// Procedure, which is run.
    Procedure {
        /// Names of the parameters that it requires.
        needs: Vec<String>,
        /// Names of parameters that are secret, besides those whose names say it.
        secret: Vec<String>,
        /// Names of parameters that are not secret, whatever their names say.
        public: Vec<String>,
        /// Stored parameters, by name.
        parameters: BTreeMap<String, StoredParameter>,
    },
}

/// Look-ups by case-folded name, which the reader fills in.
#[derive(Debug, Clone, Default)]
pub(super) struct NameIndex {
    pub(super) roles: BTreeMap<CaseFolded, RoleId>,
    pub(super) servers: BTreeMap<CaseFolded, ServerId>,
    pub(super) services: BTreeMap<CaseFolded, ServiceId>,
    /// Groups by parent group and one part of a path, which may be an alias. Keys of whole paths
    /// would be as many as the aliases of all parts multiplied.
    pub(super) groups: BTreeMap<(Option<GroupId>, CaseFolded), GroupId>,
    pub(super) items: HashMap<CaseFolded, ItemId>,
}

/// Item on one server, or the item itself if it has no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance {
    /// The item or procedure.
    pub item: ItemId,
    /// The server, if the item has a role.
    pub server: Option<ServerId>,
}

impl Item {
    /// Returns whether it is a procedure, which is run and never installed.
    pub fn is_procedure(&self) -> bool {
        matches!(self.kind, ItemKind::Procedure { .. })
    }

    /// Returns whether a parameter of the procedure is secret: `secret` lists it, its name says so
    /// and `public` does not list it, or it is stored outside of `deployment.toml`.
    pub fn has_secret(&self, parameter: &str) -> bool {
        let ItemKind::Procedure {
            secret,
            public,
            parameters,
            ..
        } = &self.kind
        else {
            return false;
        };
        let is_public = public.iter().any(|name| name == parameter);
        secret.iter().any(|name| same_name(name, parameter))
            || (is_secret_name(parameter) && !is_public)
            || matches!(parameters.get(parameter), Some(StoredParameter::Secret(_)))
    }

    /// Returns the stored parameters of a procedure, as plans and records have them.
    pub fn stored_parameters(&self) -> Parameters {
        let ItemKind::Procedure { parameters, .. } = &self.kind else {
            return Parameters::new();
        };
        let stored = parameters.iter();
        stored
            .map(|(name, stored)| (name.clone(), stored.value(name)))
            .collect()
    }

    /// Replaces the texts of secrets, which a record may have in clear text.
    pub fn hide_secrets(&self, parameters: &mut Parameters) {
        for (name, value) in parameters {
            if self.has_secret(name) {
                *value = ParameterValue::SECRET;
            }
        }
    }
}

/// Positions are indexes of the description that they are of.
macro_rules! index {
    ($($id:ty, $list:ident, $output:ty;)*) => {$(
        impl Index<$id> for Description {
            type Output = $output;

            fn index(&self, id: $id) -> &$output {
                &self.$list[id.0]
            }
        }
    )*};
}

index! {
    RoleId, roles, Role;
    ServerId, servers, Server;
    ServiceId, services, Service;
    GroupId, groups, Group;
    ItemId, items, Item;
}

impl Description {
    /// Returns the SHA-256 of what the description says: comments and layout change nothing, the
    /// order of its entries does.
    pub fn meaning(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("a description can be written as JSON"))
    }

    /// Returns whether a name is that of the product, or an alias.
    pub fn is_product(&self, name: &str) -> bool {
        named(&self.product, &self.product_aliases).any(|known| same_name(known, name))
    }

    /// Returns every name and alias of all other products.
    pub fn product_names(&self) -> impl Iterator<Item = &str> {
        self.products
            .iter()
            .flat_map(|product| named(&product.name, &product.aliases))
    }

    /// Returns a role by name or alias.
    pub fn role(&self, name: &str) -> Option<RoleId> {
        self.index.roles.get(&CaseFolded::of(name)).copied()
    }

    /// Returns a server by name.
    pub fn server(&self, name: &str) -> Option<ServerId> {
        self.index.servers.get(&CaseFolded::of(name)).copied()
    }

    /// Returns a service by name or alias.
    pub fn service(&self, name: &str) -> Option<ServiceId> {
        self.index.services.get(&CaseFolded::of(name)).copied()
    }

    /// Returns a group by its path; each part may be an alias of its group.
    pub fn group(&self, path: &str) -> Option<GroupId> {
        let mut found = None;
        for part in path.split('/') {
            found = Some(*self.index.groups.get(&(found, CaseFolded::of(part)))?);
        }
        found
    }

    /// Returns an item or procedure by name or alias.
    pub fn item(&self, name: &str) -> Option<ItemId> {
        self.index.items.get(&CaseFolded::of(name)).copied()
    }

    /// Returns the names of all secrets that do not say it themselves.
    pub fn secret_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for item in &self.items {
            if let ItemKind::Procedure {
                secret, parameters, ..
            } = &item.kind
            {
                names.extend(secret.iter().cloned());
                names.extend(
                    parameters
                        .keys()
                        .filter(|name| item.has_secret(name))
                        .cloned(),
                );
            }
        }
        names
    }

    /// Returns every name and alias of all roles.
    pub fn role_names(&self) -> impl Iterator<Item = &str> {
        self.roles
            .iter()
            .flat_map(|role| named(&role.name, &role.aliases))
    }

    /// Returns every name and alias of all services.
    pub fn service_names(&self) -> impl Iterator<Item = &str> {
        self.services
            .iter()
            .flat_map(|service| named(service.name.as_str(), &service.aliases))
    }

    /// Returns every name and alias of all items and procedures.
    pub fn item_names(&self) -> impl Iterator<Item = &str> {
        self.items
            .iter()
            .flat_map(|item| named(item.name.as_str(), &item.aliases))
    }

    /// Returns the paths of all groups.
    pub fn group_paths(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|group| group.path.as_str())
    }

    /// Returns the path of the first group that has this last part.
    pub fn group_ending(&self, last: &str) -> Option<&str> {
        let ending = |group: &&Group| crate::names::same_name(group.path.name(), last);
        self.groups
            .iter()
            .find(ending)
            .map(|group| group.path.as_str())
    }

    /// Returns the path of the group that may have been meant. The last part of a path is enough to
    /// find it.
    pub fn nearest_group(&self, wanted: &str) -> Option<&str> {
        self.group_ending(wanted)
            .or_else(|| nearest(wanted, self.group_paths()))
    }

    /// Returns the name of the item or procedure that may have been meant.
    pub fn nearest_item(&self, wanted: &str) -> Option<&str> {
        nearest(wanted, self.item_names())
    }

    /// Returns the names and aliases of all procedures.
    pub fn procedure_names(&self) -> impl Iterator<Item = &str> {
        let procedures = self
            .items
            .iter()
            .filter(|item| matches!(item.kind, ItemKind::Procedure { .. }));
        procedures.flat_map(|item| named(item.name.as_str(), &item.aliases))
    }

    /// Returns everything in a group and below it, in the document's order.
    pub fn items_below(&self, group: GroupId) -> Vec<ItemId> {
        let mut found = Vec::new();
        let mut left = vec![group];
        while let Some(group) = left.pop() {
            found.extend(&self.groups[group.0].items);
            left.extend(&self.groups[group.0].groups);
        }
        found.sort_unstable();
        found
    }

    /// Returns every instance of an item, in the order of the servers.
    pub fn instances(&self, item: ItemId) -> Vec<Instance> {
        match self.items[item.0].on {
            None => vec![Instance { item, server: None }],
            Some(role) => self.roles[role.0]
                .servers
                .iter()
                .map(|&server| Instance {
                    item,
                    server: Some(server),
                })
                .collect(),
        }
    }

    /// Returns the servers of a role that are online, in the document's order.
    pub fn online_servers(&self, role: RoleId) -> impl Iterator<Item = ServerId> + '_ {
        let servers = self.roles[role.0].servers.iter().copied();
        servers.filter(|server| !self.servers[server.0].offline)
    }

    /// Returns whether the server of an instance is online; an instance without a server is.
    pub fn is_online(&self, instance: Instance) -> bool {
        instance
            .server
            .is_none_or(|server| !self.servers[server.0].offline)
    }

    /// Returns the server of an instance with the role for which it is there; `None` without a server.
    pub fn server_in_role(&self, instance: Instance) -> Option<(ServerId, RoleId)> {
        Some((instance.server?, self.items[instance.item.0].on?))
    }

    /// Returns the names of the servers that are offline, in the document's order.
    pub fn offline_servers(&self) -> Vec<&str> {
        let offline = self.servers.iter().filter(|server| server.offline);
        offline.map(|server| server.name.as_str()).collect()
    }

    /// Returns the directory of an item, which holds those of its instances if it has a role.
    pub fn item_directory(&self, item: ItemId) -> RelPath {
        let item = &self.items[item.0];
        self.groups[item.group.0]
            .path
            .with(&RelPath::parse(item.name.as_str()).expect("a checked name"))
    }

    /// Returns the directory of an instance, in the spelling of `deployment.toml`.
    pub fn directory(&self, instance: Instance) -> RelPath {
        let item = self.item_directory(instance.item);
        match instance.server {
            Some(server) => item
                .join(self.servers[server.0].name.as_str())
                .expect("a checked name"),
            None => item,
        }
    }

    /// Returns the directory of the files that steps copy to a server.
    pub fn files_directory(&self, server: ServerId) -> RelPath {
        let path = format!("Servers/{}/Files", self.servers[server.0].name);
        RelPath::parse(&path).expect("servers are checked names")
    }

    /// Returns the file that holds a service's state on a server.
    pub fn service_file(&self, service: ServiceId, server: ServerId) -> RelPath {
        let path = format!(
            "Servers/{}/Services/{}.toml",
            self.servers[server.0].name, self.services[service.0].name
        );
        RelPath::parse(&path).expect("servers and services are checked names")
    }

    /// Returns every instance of every item and procedure, in the document's order.
    pub fn all_instances(&self) -> impl Iterator<Item = Instance> + '_ {
        (0..self.items.len()).flat_map(|item| self.instances(ItemId(item)))
    }

    /// Returns every service on every server that has it, in the document's order.
    pub fn all_services(&self) -> Vec<(ServiceId, ServerId)> {
        let services = self.services.iter().enumerate();
        let on = |role: RoleId| self.roles[role.0].servers.iter().copied();
        services
            .flat_map(|(at, service)| on(service.on).map(move |server| (ServiceId(at), server)))
            .collect()
    }

    /// Formats an instance for people: the item, and its server if it has one.
    pub fn shown(&self, instance: Instance) -> String {
        let item = &self.items[instance.item.0].name;
        match instance.server {
            None => item.to_string(),
            Some(server) => format!("{item} on {}", self.servers[server.0].name),
        }
    }
}

/// Returns a name, then its aliases.
pub(super) fn named<'a>(name: &'a str, aliases: &'a [String]) -> impl Iterator<Item = &'a str> {
    std::iter::once(name).chain(aliases.iter().map(String::as_str))
}

//! Language of `deployment.toml`: every table and key, with its description.
//!
//! The reader and the JSON Schema of `rollup schema deployment` both come from here. Rules between
//! several places, such as that every role must be described, are checked by the reader.

use crate::document::{Form, Key, KeyKind, Shape, TOP};

/// The whole document.
pub static DEPLOYMENT: Shape = Shape::new(
    TOP,
    "What exists in a deployment, installed or not: its servers and roles, other products, services, and the whole \
     console.",
    &[
        Key::required(
            "schema",
            KeyKind::Only(1),
            "schema = 1",
            "The version of the language that this document is written in.",
        ),
        Key::required(
            "name",
            KeyKind::Text(Form::Prose),
            "name = \"…\"",
            "The name of the deployment, for people.",
        ),
        Key::required(
            "product",
            TEXT,
            "product = \"…\"",
            "The product that is deployed here; a manifest for another one is refused.",
        ),
        Key::required(
            "product_version",
            TEXT,
            "product_version = \"4.0\"",
            "The version of the product; it must be among a manifest's `product_versions`.",
        ),
        Key::required(
            "share",
            KeyKind::Text(Form::FileName),
            "share = \"MSIShare\"",
            "The directory at the deployment's root where installers lie before they are installed.",
        ),
        Key::new(
            "applied",
            KeyKind::names(Form::Kb),
            "The rollups that were applied before rollup kept the record, oldest first.",
        ),
        Key::required(
            "roles",
            KeyKind::Tables(&ROLE),
            "roles = [{ name = \"engine\" }]",
            "Every role that the product knows. One that no server holds is no mistake, one that is not listed is.",
        ),
        Key::required(
            "servers",
            KeyKind::Tables(&SERVER),
            "servers = [{ name = \"MPS01\", roles = [\"engine\"] }]",
            "The servers, with the roles that they hold.",
        ),
        Key::new(
            "products",
            KeyKind::Tables(&PRODUCT),
            "Other products. No rollup changes them; prerequisites ask about them.",
        ),
        Key::new(
            "services",
            KeyKind::Tables(&SERVICE),
            "Anything that can be started: a COM+ application, a Windows service, IIS.",
        ),
        Key::required(
            "groups",
            KeyKind::Headers(&GROUP),
            "[[groups]]",
            "The groups of the console, with everything in them, installed or not. Every part of a group's path is a \
             group.",
        ),
        Key::new(
            "requires",
            KeyKind::Table(&REQUIRES),
            "What an item or a procedure needs installed. What is required goes in first and comes out last.",
        ),
        Key::new(
            "parameters",
            KeyKind::Table(&PARAMETERS),
            "The stored answers of the procedures; a manifest's own win over them.",
        ),
        Key::new(
            "rehearsal",
            KeyKind::Table(&REHEARSAL),
            "How `rollup rehearse` builds the state before a rollup. Nothing else reads it.",
        ),
    ],
);

static ROLE: Shape = Shape::new(
    "an entry of `roles`",
    "A role that servers hold.",
    &[
        Key::required(
            "name",
            TEXT,
            NAME,
            "The name of the role, as manifests say it in `on`.",
        ),
        Key::new("aliases", ALIASES, ALSO),
    ],
);

static SERVER: Shape = Shape::new(
    "an entry of `servers`",
    "A server, and the roles that it holds.",
    &[
        Key::required(
            "name",
            KeyKind::Text(Form::FileName),
            "name = \"MPS01\"",
            "The name of the server; a directory below `Servers` has it.",
        ),
        Key::new(
            "roles",
            KeyKind::texts(Form::Words),
            "The roles that it holds, by name or alias.",
        ),
        Key::new(
            "platform",
            TEXT,
            "Its platform, `x86` where it is left out.",
        ),
    ],
);

static PRODUCT: Shape = Shape::new(
    "an entry of `products`",
    "A product that no rollup changes.",
    &[
        Key::required(
            "name",
            TEXT,
            NAME,
            "The name of the product, as prerequisites ask for it.",
        ),
        Key::new(
            "service_pack",
            KeyKind::Number(999_999_999),
            "The number of its service pack, 0 where it is left out.",
        ),
        Key::required(
            "servers",
            KeyKind::texts(Form::Words),
            "servers = [\"…\"]",
            "The servers that have it.",
        ),
    ],
);

static SERVICE: Shape = Shape::new(
    "an entry of `services`",
    "A service, which steps can start, stop, restart, enable or disable.",
    &[
        Key::required(
            "name",
            KeyKind::Text(Form::FileName),
            NAME,
            "The name of the service; its record on each server has it.",
        ),
        Key::new("aliases", ALIASES, ALSO),
        Key::required(
            "on",
            TEXT,
            "on = \"ROLE\"",
            "The role on whose servers it runs.",
        ),
    ],
);

static GROUP: Shape = Shape::new(
    "[[groups]]",
    "A group of the console. What it says about itself holds for its direct members, not for groups below it.",
    &[
        Key::required(
            "path",
            KeyKind::Text(Form::FilePath),
            "path = \"Hosted Exchange/Exchange Provisioning\"",
            "The way to the group, with `/` between its parts, spelled the same everywhere. Its directory below the \
             root is this path.",
        ),
        Key::new(
            "aliases",
            KeyKind::names(Form::Part),
            "Other names of the group; each replaces the last part of its path.",
        ),
        Key::new(
            "on",
            TEXT,
            "The role on whose servers its members have their instances. Without it each has one, which the engines \
             share.",
        ),
        Key::new(
            "removable",
            KeyKind::Flag,
            "Whether its items may be removed, `true` where it is left out.",
        ),
        Key::new(
            "items",
            KeyKind::Tables(&ITEM),
            "The items in the group: what an installer puts in place.",
        ),
        Key::new(
            "procedures",
            KeyKind::Tables(&PROCEDURE),
            "The procedures in the group: what is run and leaves nothing installed.",
        ),
    ],
);

static ITEM: Shape = Shape::new(
    "an entry of `items`",
    "An item of the console, with the installer that puts it in place.",
    &[
        Key::required("name", KeyKind::Text(Form::FileName), NAME, MEMBER),
        Key::new("aliases", ALIASES, ALSO),
        Key::required(
            "installer",
            KeyKind::Text(Form::FileName),
            "installer = \"….msi\"",
            "The name of its installer in the share.",
        ),
        Key::new(
            "product",
            KeyKind::Text(Form::FileName),
            "The product name inside the installer, where it is not the item's own name.",
        ),
        Key::new(
            "on",
            TEXT,
            "The role on whose servers it has an instance each, where it is not the group's.",
        ),
        Key::new(
            "removable",
            KeyKind::Flag,
            "Whether it may be removed, where it is not as the group says.",
        ),
    ],
);

static PROCEDURE: Shape = Shape::new(
    "an entry of `procedures`",
    "A procedure of the console.",
    &[
        Key::required("name", KeyKind::Text(Form::FileName), NAME, MEMBER),
        Key::new("aliases", ALIASES, ALSO),
        Key::new(
            "needs",
            KeyKind::texts(Form::Words),
            "The names of the parameters that it cannot run without.",
        ),
        Key::new(
            "on",
            TEXT,
            "The role on whose servers it is run, where it is not the group's.",
        ),
    ],
);

static REQUIRES: Shape = Shape::free(
    "[requires]",
    "What items and procedures need installed.",
    Form::Anything,
    Key::new(
        "NAME",
        KeyKind::texts(Form::Words),
        "The items that this item or procedure needs installed, by name or alias.",
    ),
);

static PARAMETERS: Shape = Shape::free(
    "[parameters]",
    "The stored answers of the procedures.",
    Form::Anything,
    Key::new(
        "PROCEDURE",
        KeyKind::Table(&ANSWERS),
        "The stored answers of this procedure, by name.",
    ),
);

static ANSWERS: Shape = Shape::free(
    "an entry of `parameters`",
    "The stored answers of one procedure.",
    Form::Anything,
    Key::new(
        "NAME",
        KeyKind::AnyText,
        "The answer, a text, which may be empty.",
    ),
);

static REHEARSAL: Shape = Shape::new(
    "[rehearsal]",
    "How `rollup rehearse` builds the state before a rollup.",
    &[Key::new(
        "not_installed",
        KeyKind::texts(Form::Words),
        "Items that are not installed in it, by name or alias.",
    )],
);

const TEXT: KeyKind = KeyKind::Text(Form::Words);
const ALIASES: KeyKind = KeyKind::names(Form::Words);
const NAME: &str = "name = \"…\"";
const ALSO: &str = "Other names that mean the same. Case does not count.";
const MEMBER: &str = "Its name, unique in the console; its directory has it, so Windows must take it for a file name.";

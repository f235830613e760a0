//! Language of `deployment.toml`: every table and key, with its description.
//!
//! Both the reader and the JSON Schema of `rollup schema deployment` use these tables. Rules
//! between several places, such as that every role must be described, are checked by the reader.

use crate::document::{Case, Cases, Form, Key, KeyKind, Shape, TOP};

/// Top of the document.
pub static DEPLOYMENT: Shape = Shape::new(
    TOP,
    "Everything that exists in a deployment, installed or not: its servers and roles, other products, services, and \
     the whole console.",
    &[
        Key::required(
            "schema",
            KeyKind::Only(1),
            "schema = 1",
            "The version of the language in which this document is written.",
        ),
        Key::required(
            "name",
            KeyKind::Text(Form::Prose),
            "name = \"…\"",
            "The name of the deployment, which plans and reports show.",
        ),
        Key::required(
            "product",
            TEXT,
            "product = \"…\"",
            "The product that is deployed here; a manifest for another product is refused.",
        ),
        Key::new(
            "product_aliases",
            ALIASES,
            "Other names of the product, which manifests may use. Case does not count.",
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
            "The directory at the deployment's root that holds installers before they are installed.",
        ),
        Key::new(
            "applied",
            KeyKind::names(Form::Rollup),
            "The rollups that were applied before rollup kept records, oldest first.",
        ),
        Key::required(
            "roles",
            KeyKind::Tables(&ROLE),
            "roles = [{ name = \"engine\" }]",
            "All roles of the product, including those that no server holds. Manifests can name only these.",
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
            "Other products on the servers. No rollup changes them, but prerequisites can require them.",
        ),
        Key::new(
            "services",
            KeyKind::Tables(&SERVICE),
            "The services that steps can start and stop: COM+ applications, Windows services, IIS.",
        ),
        Key::required(
            "groups",
            KeyKind::Headers(&GROUP),
            "[[groups]]",
            "The groups of the console with all their members, installed or not. Every part of a group's path is a group \
             as well.",
        ),
        Key::new(
            "requires",
            KeyKind::Table(&REQUIRES),
            "The items that must be installed for an item or a procedure. Required items are installed first and removed last.",
        ),
        Key::new(
            "parameters",
            KeyKind::Table(&PARAMETERS),
            "The stored parameters of the procedures; those of a manifest take precedence.",
        ),
        Key::new(
            "approval",
            KeyKind::Table(&APPROVAL),
            "The signatures that a run needs: of people who approve its plan, and of the author of its manifest.",
        ),
        Key::new(
            "rehearsal",
            KeyKind::Table(&REHEARSAL),
            "Settings of `rollup rehearse`, which builds the state before a rollup. No other command reads them.",
        ),
    ],
);

static ROLE: Shape = Shape::new(
    "an entry of `roles`",
    "A role that servers can hold.",
    &[
        Key::required(
            "name",
            TEXT,
            NAME,
            "The name of the role, which manifests use in `on`.",
        ),
        Key::new("aliases", ALIASES, ALSO),
    ],
);

static SERVER: Shape = Shape::new(
    "an entry of `servers`",
    "A server and the roles that it holds.",
    &[
        Key::required(
            "name",
            KeyKind::Text(Form::FileName),
            "name = \"MPS01\"",
            "The name of the server and of its directory below `Servers`.",
        ),
        Key::new(
            "roles",
            KeyKind::texts(Form::Words),
            "The roles that it holds, by name or alias.",
        ),
        Key::new(
            "platform",
            TEXT,
            "The platform of the server; `x86` by default.",
        ),
        Key::new(
            "offline",
            KeyKind::Flag,
            "True while the server is out of reach: steps skip it, and nothing on it counts. Afterwards it lags.",
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
            "The name of the product, which prerequisites use.",
        ),
        Key::new("aliases", ALIASES, ALSO),
        Key::new(
            "service_pack",
            KeyKind::Number(999_999_999),
            "The number of its service pack; 0 by default.",
        ),
        Key::new(
            "version",
            TEXT,
            "Its version, such as `9.0.3042`. A prerequisite that asks for a version does not hold without it.",
        ),
        Key::required(
            "servers",
            KeyKind::texts(Form::Words),
            "servers = [\"…\"]",
            "The servers on which it is installed.",
        ),
    ],
);

static SERVICE: Shape = Shape::new(
    "an entry of `services`",
    "A service that steps can start, stop, restart, enable or disable.",
    &[
        Key::required(
            "name",
            KeyKind::Text(Form::FileName),
            NAME,
            "The name of the service and of its record on each server.",
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
    "A group of the console. Its keys apply to its direct members, not to groups below it.",
    &[
        Key::required(
            "path",
            KeyKind::Text(Form::FilePath),
            "path = \"Hosted Exchange/Exchange Provisioning\"",
            "The path of the group in the console and of its directory below the root, with `/` between its parts. It has \
             one spelling everywhere.",
        ),
        Key::new(
            "aliases",
            KeyKind::names(Form::Part),
            "Other names of the group; each replaces the last part of its path.",
        ),
        Key::new(
            "on",
            TEXT,
            "The role on whose servers its members have instances. Without it each member has a single instance, which the \
             servers share.",
        ),
        Key::new(
            "removable",
            KeyKind::Flag,
            "`true` if its items may be removed, which is the default.",
        ),
        Key::new(
            "items",
            KeyKind::Tables(&ITEM),
            "The items in the group, each installed by an installer.",
        ),
        Key::new(
            "procedures",
            KeyKind::Tables(&PROCEDURE),
            "The procedures in the group, which are run and leave nothing installed.",
        ),
    ],
);

static ITEM: Shape = Shape::new(
    "an entry of `items`",
    "An item of the console and its installer.",
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
            "The ProductName of the installer; the name of the item by default.",
        ),
        Key::new(
            "features",
            KeyKind::names(Form::Words),
            "Features to install although the package has them off by default, by their keys in the package.",
        ),
        Key::new(
            "on",
            TEXT,
            "The role on whose servers it has instances; the role of the group by default.",
        ),
        Key::new(
            "removable",
            KeyKind::Flag,
            "`true` if it may be removed; the value of the group by default.",
        ),
        Key::new(
            "irreversible",
            KeyKind::Text(Form::Prose),
            "The reason why its installation cannot be rolled back, such as an upgrade of a database. It is then a point of \
             no return in every run.",
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
            "The names of the parameters that it requires.",
        ),
        Key::new(
            "secret",
            KeyKind::names(Form::Words),
            "The names of parameters that are secret. A name with `password`, `secret`, `token`, `credential` or `key` in it \
             is secret by itself.",
        ),
        Key::new(
            "public",
            KeyKind::names(Form::Words),
            "The names of parameters that are not secret, although their names say so.",
        ),
        Key::new(
            "on",
            TEXT,
            "The role on whose servers it is run; the role of the group by default.",
        ),
        Key::new(
            "irreversible",
            KeyKind::Text(Form::Prose),
            "The reason why it cannot be rolled back. It is then a point of no return in every run.",
        ),
    ],
);

static REQUIRES: Shape = Shape::free(
    "[requires]",
    "The items that must be installed for an item or a procedure.",
    Form::Anything,
    Key::new(
        "NAME",
        KeyKind::texts(Form::Words),
        "The items that must be installed for it, by name or alias.",
    ),
);

static PARAMETERS: Shape = Shape::free(
    "[parameters]",
    "The stored parameters of the procedures.",
    Form::Anything,
    Key::new(
        "PROCEDURE",
        KeyKind::Table(&PARAMETER_VALUES),
        "The stored parameters of this procedure, by name.",
    ),
);

static PARAMETER_VALUES: Shape = Shape::free(
    "an entry of `parameters`",
    "The stored parameters of one procedure.",
    Form::Anything,
    Key::new(
        "NAME",
        KeyKind::TextOrTable(Form::Anything, &SECRET_SOURCE),
        "The value, which may be empty; or the place of a secret, `{ env = \"…\" }` or `{ file = \"…\" }`.",
    ),
);

static SECRET_SOURCE: Shape = Shape::new(
    "the place of a secret",
    "The place from which a parameter is read, which is then secret. `plan`, `stage` and `apply` read it to check \
     that it is set, and forget it.",
    &[
        Key::new(
            "env",
            KeyKind::Text(Form::Variable),
            "The name of an environment variable.",
        ),
        Key::new(
            "file",
            KeyKind::Text(Form::MachinePath),
            "The path of a file of at most 64 KiB, absolute or from the root of the deployment. Links in the deployment, and a \
             link in place of the file, are not followed; one line end after the secret does not count.",
        ),
    ],
)
.with(Cases::Either(&[
    Case {
        name: "env",
        about: "A secret in the environment.",
        keys: &["env"],
        rules: &[],
    },
    Case {
        name: "file",
        about: "A secret in a file.",
        keys: &["file"],
        rules: &[],
    },
]));

static APPROVAL: Shape = Shape::new(
    "[approval]",
    "The signatures that a run needs. A user who may write the deployment can change this table, too; the plan names \
     the change, as it covers the table.",
    &[
        Key::new(
            "required",
            KeyKind::Number(MOST_APPROVALS),
            "The number of different people who must approve a plan before `stage` and `apply` take it, at least 1; \
             `signers` says whose signatures count.",
        ),
        Key::new(
            "signers",
            KeyKind::Text(Form::Path),
            "The `allowed_signers` file of OpenSSH with the keys of the people who may approve: its path from the root of \
             the deployment. Links are not followed.",
        ),
        Key::new(
            "manifest_signers",
            KeyKind::Text(Form::Path),
            "The `allowed_signers` file with the keys of the authors of manifests, as `signers`. A manifest without a valid \
             signature of one of them beside it is then refused.",
        ),
    ],
)
.with(Cases::AtLeastOne(&["required", "manifest_signers"]));

/// Largest number of people who can be required.
const MOST_APPROVALS: u64 = 99;

static REHEARSAL: Shape = Shape::new(
    "[rehearsal]",
    "Settings of `rollup rehearse`.",
    &[Key::new(
        "not_installed",
        KeyKind::texts(Form::Words),
        "The items that are not installed in the state before a rollup, by name or alias.",
    )],
);

const TEXT: KeyKind = KeyKind::Text(Form::Words);
const ALIASES: KeyKind = KeyKind::names(Form::Words);
const NAME: &str = "name = \"…\"";
const ALSO: &str = "Other names for it. Case does not count.";
const MEMBER: &str = "Its name, which is unique in the console and also names its directory, so that Windows must accept it as a file name.";

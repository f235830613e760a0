//! The manifest's language: every table and every key, with its meaning.
//!
//! The reader and the JSON Schema of `rollup schema manifest` both come from here. Rules between
//! places, such as a file that has no row in the table, belong to the checks.

use crate::document::{Case, Cases, Form, Key, KeyKind, List, Rule, Shape, TOP};

/// The whole document.
pub static MANIFEST: Shape = Shape::new(
    TOP,
    "The manifest of one update rollup: its identity, its prerequisites, the steps of its article, and its payload.",
    &[
        Key::required(
            "schema",
            KeyKind::Only(1),
            "schema = 1",
            "The version of the language that this document is written in.",
        ),
        Key::required(
            "rollup",
            KeyKind::Table(&ROLLUP),
            "[rollup]",
            "What the rollup is, and how it relates to others.",
        ),
        Key::new(
            "article",
            KeyKind::Table(&ARTICLE),
            "The page that the manifest was written from.",
        ),
        Key::new(
            "prerequisites",
            KeyKind::Headers(&PREREQUISITE),
            "What must hold before the rollup may be applied. Each asks for a product, an item, or a person's word.",
        ),
        Key::required(
            "steps",
            KeyKind::Headers(&STEP),
            "[[steps]]",
            "What is done, in the order of this document. One numbered step of the article may become several.",
        ),
        Key::new(
            "payload",
            KeyKind::Table(&PAYLOAD),
            "The rollup's files, as unpacked from the vendor's download.",
        ),
    ],
);

pub(super) static ROLLUP: Shape = Shape::new(
    "[rollup]",
    "What the rollup is, and how it relates to others.",
    &[
        Key::required(
            "kb",
            KeyKind::Text(Form::Kb),
            "kb = \"KB952076\"",
            "The KB number of the article, such as `KB952076`. With the article's revision it is the identity of the \
             rollup.",
        ),
        Key::required(
            "title",
            PROSE,
            "title = \"…\"",
            "The title, for people. Rollup numbers in it repeat across product lines and identify nothing.",
        ),
        Key::required(
            "product",
            TEXT,
            "product = \"…\"",
            "The product that is updated; the deployment's `product` must be the same.",
        ),
        Key::required(
            "product_versions",
            KeyKind::Texts(List {
                form: Form::Words,
                filled: true,
                unique: false,
            }),
            "product_versions = [\"4.0\"]",
            "The versions of the product that the rollup is for; the deployment's `product_version` must be one of \
             them.",
        ),
        Key::new(
            "scope",
            PROSE,
            "The part of the product that the rollup is about, for people.",
        ),
        Key::new(
            "released",
            KeyKind::Day,
            "The day of the release, as YYYY-MM-DD without quotes.",
        ),
        Key::new(
            "includes",
            RELATED,
            "Rollups whose whole content is in this one. They count as present once this one is applied.",
        ),
        Key::new(
            "replaces",
            RELATED,
            "Rollups that must not be applied any more once this one is. They are not thereby present.",
        ),
        Key::new(
            "requires",
            RELATED,
            "Rollups that must be in force before this one, by themselves or included by one that is.",
        ),
        Key::new(
            "fixes",
            KeyKind::texts(Form::Prose),
            "What the rollup mends, for preview and report; one text for each fault.",
        ),
        Key::new(
            "notes",
            KeyKind::texts(Form::Prose),
            "What an operator should know, for preview and report.",
        ),
    ],
);

pub(super) static ARTICLE: Shape = Shape::new(
    "[article]",
    "The page that the manifest was written from.",
    &[
        Key::new(
            "url",
            KeyKind::Text(Form::WebAddress),
            "The web address of the article, with `http://` or `https://`.",
        ),
        Key::new(
            "revision",
            KeyKind::Text(Form::Version),
            "The revision of the article, numbers joined by dots, such as `1.0`. They are compared number by number.",
        ),
        Key::new(
            "reviewed",
            KeyKind::Day,
            "The day of the article's last review, as YYYY-MM-DD without quotes.",
        ),
    ],
);

/// One prerequisite; which keys it has depends on what it asks for.
pub(super) static PREREQUISITE: Shape = Shape::new(
    "[[prerequisites]]",
    "One thing that must hold before the rollup may be applied: `product`, `item` or `confirm`.",
    &[
        Key::new("product", TEXT, "A product that must be there, by its name in the deployment's `products`."),
        Key::new(
            "service_pack",
            KeyKind::Number(999_999_999),
            "The service pack that the product must have, or a later one; 0 where it is left out. It counts on every \
             server that has the product.",
        ),
        Key::new(
            "on",
            TEXT,
            "The role on whose servers the product must be. Without it, the servers that have the product.",
        ),
        Key::new("item", TEXT, "An item of the console that must be installed, by name or alias."),
        Key::new(
            "confirm",
            PROSE,
            "A question that only a person can answer. It is asked before anything is staged; `--confirm ID` answers \
             it, `--yes` never does.",
        ),
        Key::new("id", KeyKind::Text(Form::Id), "The name of a `confirm` question, as it is typed after `--confirm`."),
    ],
)
.with(Cases::Either(&[
    Case {
        name: "product",
        about: "A product, in a service pack or a later one.",
        keys: &["product", "service_pack", "on"],
        rules: &[],
    },
    Case { name: "item", about: "An item that is installed.", keys: &["item"], rules: &[] },
    Case {
        name: "confirm",
        about: "Something that only a person can check.",
        keys: &["confirm", "id"],
        rules: &[Rule::Needs("id", "id = \"backup-made\"")],
    },
]));

/// One step; which keys it has depends on its action.
pub(in crate::manifest) static STEP: Shape = Shape::new(
    "[[steps]]",
    "One action on its targets.",
    &[
        Key::required(
            "id",
            KeyKind::Text(Form::Id),
            "id = \"copy\"",
            "The name of the step, of letters, digits, `-`, `_` and `.`: it is typed on the command line. No other \
             step has it, in any case.",
        ),
        Key::new("title", PROSE, "What the step does, for people; its id where it is left out."),
        Key::required("action", TEXT, "action = \"copy\"", "What is done. The other keys of the step depend on it."),
        Key::new(
            "items",
            KeyKind::Table(&ITEMS),
            "Items or procedures, by the group that they are direct members of: `items.\"GROUP\" = [\"NAME\", …]`.",
        ),
        Key::new(
            "groups",
            KeyKind::some_names(Form::Path),
            "Whole groups of the console, by path: everything below them. An `install` puts back what the run \
             removed, and only with `--include-missing` the rest.",
        ),
        Key::new(
            "removed_by",
            TEXT,
            "The id of an `uninstall` step above: exactly what it removed is installed again, where it was.",
        ),
        Key::new(
            "files",
            KeyKind::some_names(Form::FileName),
            "Files of the payload, each with a row in the file table. A new file gets the spelling that stands here.",
        ),
        Key::new(
            "others",
            KeyKind::Yes,
            "All files of the table that no other step copies or runs and that are not `unused`. Only `true` says \
             something.",
        ),
        Key::new(
            "to",
            KeyKind::Text(Form::Directory),
            "Where the files go: `share`, the installer share; or with `on` a directory below `Files` of every server \
             of the role, where `.` is `Files` itself.",
        ),
        Key::new(
            "parameters",
            KeyKind::Table(&PARAMETERS),
            "Answers for procedures, by procedure; they win over those that the deployment has stored.",
        ),
        Key::new(
            "service",
            TEXT,
            "A service of the deployment, by name or alias. It is done one server after another.",
        ),
        Key::new(
            "on",
            TEXT,
            "A role, never a server: the step concerns the servers that hold it. A service's own role is the \
             default; with both, servers that hold both.",
        ),
        Key::new("platform", TEXT, "Narrows the step to servers of this platform, such as `x64`."),
        Key::new("instructions", PROSE, "What a person has to do. The run waits until somebody says that it is done."),
        Key::new(
            "undo",
            PROSE,
            "How a person takes it back. Without it the step is the point of no return: a failure after it goes back \
             to just behind it.",
        ),
        Key::new(
            "optional",
            KeyKind::Flag,
            "Whether the step may be skipped; without a terminal it is skipped, and told. `false` where it is left \
             out.",
        ),
    ],
)
.with(Cases::Of { key: "action", always: &["id", "title", "action"], cases: ACTIONS });

const SERVICE_KEYS: &[&str] = &["service", "on", "platform"];
const SERVICE_RULES: &[Rule] = &[Rule::Targets(&["service"])];

const ACTIONS: &[Case] = &[
    Case {
        name: "uninstall",
        about: "Removes items as one batch, from every server that has them.",
        keys: &["items", "groups", "on", "platform"],
        rules: &[Rule::Targets(&["items", "groups"])],
    },
    Case {
        name: "install",
        about: "Puts items in place, as one batch; what was removed goes where it was.",
        keys: &["items", "groups", "removed_by", "on", "platform"],
        rules: &[
            Rule::Targets(&["items", "groups", "removed_by"]),
            Rule::Alone("removed_by", &["items", "groups"]),
        ],
    },
    Case {
        name: "copy",
        about: "Puts files of the payload into the share, or into a directory of every server of a role.",
        keys: &["files", "others", "to", "on", "platform"],
        rules: &[
            Rule::Targets(&["files", "others"]),
            Rule::Alone("others", &["files"]),
            Rule::Needs("to", "to = \"share\""),
            Rule::Place("to", "share", &["on", "platform"]),
        ],
    },
    Case {
        name: "run",
        about: "Runs installer packages on every server of a role, outside the console.",
        keys: &["files", "on", "platform"],
        rules: &[
            Rule::Targets(&["files"]),
            Rule::Needs("on", ON),
            Rule::Packages("files"),
        ],
    },
    Case {
        name: "initialize",
        about: "Runs procedures as one batch, with the deployment's stored parameters or those given here.",
        keys: &["items", "parameters", "on", "platform"],
        rules: &[Rule::Targets(&["items"])],
    },
    Case {
        name: "start",
        about: "Starts a service that does not run.",
        keys: SERVICE_KEYS,
        rules: SERVICE_RULES,
    },
    Case {
        name: "stop",
        about: "Stops a service that runs.",
        keys: SERVICE_KEYS,
        rules: SERVICE_RULES,
    },
    Case {
        name: "restart",
        about: "Stops a service and starts it.",
        keys: SERVICE_KEYS,
        rules: SERVICE_RULES,
    },
    Case {
        name: "enable",
        about: "Lets a service be started.",
        keys: SERVICE_KEYS,
        rules: SERVICE_RULES,
    },
    Case {
        name: "disable",
        about: "Keeps a service from being started.",
        keys: SERVICE_KEYS,
        rules: SERVICE_RULES,
    },
    Case {
        name: "manual",
        about: "Waits for a person to do what nobody else can, such as running a database script.",
        keys: &["instructions", "undo", "optional", "on", "platform"],
        rules: &[
            Rule::Needs("instructions", "instructions = \"…\""),
            Rule::With("platform", "on", ON),
        ],
    },
];

static ITEMS: Shape = Shape::free(
    "`items`",
    "Items or procedures by their group.",
    Form::Path,
    Key::new(
        "GROUP",
        KeyKind::some_names(Form::Words),
        "Direct members of this group, by name or alias, on every server that has them; the group by its path, with \
         `/` between its parts.",
    ),
);

static PARAMETERS: Shape = Shape::free(
    "`parameters`",
    "Answers by procedure.",
    Form::Anything,
    Key::new(
        "PROCEDURE",
        KeyKind::Table(&GIVEN),
        "The answers that this procedure gets, by name.",
    ),
);

static GIVEN: Shape = Shape::free(
    "an entry of `parameters`",
    "The answers for one procedure.",
    Form::Anything,
    Key::new(
        "NAME",
        KeyKind::AnyText,
        "The answer, a text, which may be empty.",
    ),
);

static PAYLOAD: Shape = Shape::new(
    "[payload]",
    "The rollup's files.",
    &[
        Key::new(
            "files",
            KeyKind::Tables(&ROW),
            "The file table: what the article documents about each file, a row for each.",
        ),
        Key::new(
            "sha256",
            KeyKind::Table(&PINS),
            "The SHA-256 of each file. Vendors do not document them; `rollup pin` writes them.",
        ),
    ],
);

static ROW: Shape = Shape::new(
    "a row of the file table",
    "One file of the payload, as the article documents it. It needs only its name.",
    &[
        Key::required(
            "name",
            KeyKind::Text(Form::FileName),
            "name = \"….msi\"",
            "The name of the file, not a path. Case does not count, so no other row has it in another spelling.",
        ),
        Key::new(
            "size",
            KeyKind::Number(i64::MAX as u64),
            "The size in bytes.",
        ),
        Key::new(
            "modified",
            KeyKind::Time,
            "When the file was last modified: UTC to the minute, such as 2008-03-31T18:32:00Z without quotes.",
        ),
        Key::new(
            "platform",
            TEXT,
            "The documented platform, `x86` where it is left out. It narrows nothing by itself.",
        ),
        Key::new("version", TEXT, "The documented version of the file."),
        Key::new("unused", PROSE, "Why no step deploys the file."),
    ],
);

static PINS: Shape = Shape::free(
    "[payload.sha256]",
    "The SHA-256 of each file.",
    Form::FileName,
    Key::new(
        "FILE",
        KeyKind::Text(Form::Sha256),
        "The SHA-256 of this file, 64 hexadecimal digits.",
    ),
);

const TEXT: KeyKind = KeyKind::Text(Form::Words);
const PROSE: KeyKind = KeyKind::Text(Form::Prose);
const RELATED: KeyKind = KeyKind::names(Form::Kb);
const ON: &str = "on = \"ROLE\"";

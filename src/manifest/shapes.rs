//! The manifest's language: every table and every key, with its meaning.
//!
//! The reader and the JSON Schema of `rollup schema manifest` are both built from it. Rules between
//! tables, such as a file that has no row in the file table, belong to the checks.

use super::ComputerRestart;
use crate::document::{Case, Cases, Form, Key, KeyKind, List, Rule, Shape, TOP};

/// The whole document.
pub static MANIFEST: Shape = Shape::new(
    TOP,
    "The manifest of an update rollup: its identity, its prerequisites, the steps of its article, and its payload.",
    &[
        Key::required(
            "schema",
            KeyKind::Only(1),
            "schema = 1",
            "The version of the manifest language.",
        ),
        Key::required(
            "rollup",
            KeyKind::Table(&ROLLUP),
            "[rollup]",
            "The identity of the rollup, and its relations to others.",
        ),
        Key::new(
            "article",
            KeyKind::Table(&ARTICLE),
            "The article from which the manifest was written.",
        ),
        Key::new(
            "prerequisites",
            KeyKind::Headers(&PREREQUISITE),
            "Conditions that must hold before the rollup is applied: a product, an item, one of several, or the confirmation of \
             a person.",
        ),
        Key::required(
            "steps",
            KeyKind::Headers(&STEP),
            "[[steps]]",
            "The steps of the run, in this order. A numbered step of the article may become more than one.",
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
    "The identity of the rollup, and its relations to others.",
    &[
        Key::new(
            "kb",
            KeyKind::Text(Form::Kb),
            "The KB number of the article, such as `KB952076`. Together with the article's revision it identifies the \
             rollup.",
        ),
        Key::new(
            "id",
            KeyKind::Text(Form::RollupId),
            "The identity of a rollup without a KB number, in place of `kb`: letters, digits, `-` and `.`, such as \
             `HMC45-RU4`. Case does not count.",
        ),
        Key::required(
            "title",
            PROSE,
            "title = \"…\"",
            "The title, for people. A rollup number in the title identifies nothing, as it repeats across product lines.",
        ),
        Key::required(
            "product",
            TEXT,
            "product = \"…\"",
            "The product that is updated. It must equal the deployment's `product`.",
        ),
        Key::required(
            "product_versions",
            KeyKind::Texts(List {
                form: Form::Words,
                filled: true,
                unique: false,
            }),
            "product_versions = [\"4.0\"]",
            "The versions of the product to which the rollup applies. The deployment's `product_version` must be one of \
             them.",
        ),
        Key::new(
            "scope",
            PROSE,
            "The part of the product that the rollup concerns, for people.",
        ),
        Key::new(
            "released",
            KeyKind::Day,
            "The day of the release, as YYYY-MM-DD without quotes.",
        ),
        Key::new(
            "includes",
            RELATED,
            "Rollups whose whole content is in this one. They count as applied once this one is applied.",
        ),
        Key::new(
            "replaces",
            RELATED,
            "Rollups that must not be applied any more once this one is applied. They do not count as applied.",
        ),
        Key::new(
            "requires",
            KeyKind::names(Form::Requirement),
            "Rollups that must be applied before this one, by themselves or as part of a rollup that includes them. \
             An entry may name a minimum revision, as `KB979704 >= 4.0` does: revisions are compared number by number, \
             and an inclusion satisfies every minimum.",
        ),
        Key::new(
            "fixes",
            KeyKind::texts(Form::Prose),
            "The faults that the rollup fixes, one text for each, for the preview and the report.",
        ),
        Key::new(
            "notes",
            KeyKind::texts(Form::Prose),
            "Notes to the operator, for the preview and the report.",
        ),
        Key::new(
            "computer_restart",
            KeyKind::Text(Form::OneOf(&ComputerRestart::WORDS)),
            "The restart of computers that the article documents: `no`, `required`, or `if-in-use` if files were in use. \
             A required one stays pending on each changed server until `rollup ack`.",
        ),
        Key::new(
            "registry_changes",
            PROSE,
            "The changes of the registry that the article documents, or `none`, for the preview and the report.",
        ),
    ],
)
.with(Cases::Either(&[
    Case {
        name: "kb",
        about: "A rollup with a KB number.",
        keys: &identified_by("kb"),
        rules: ROLLUP_RULES,
    },
    Case {
        name: "id",
        about: "A rollup of a vendor without KB numbers.",
        keys: &identified_by("id"),
        rules: ROLLUP_RULES,
    },
]));

/// Returns the keys of `[rollup]` with the one that identifies it.
const fn identified_by(key: &'static str) -> [&'static str; 13] {
    [
        key,
        "title",
        "product",
        "product_versions",
        "scope",
        "released",
        "includes",
        "replaces",
        "requires",
        "fixes",
        "notes",
        "computer_restart",
        "registry_changes",
    ]
}

const ROLLUP_RULES: &[Rule] = &[
    Rule::Needs("title", "title = \"…\""),
    Rule::Needs("product", "product = \"…\""),
    Rule::Needs("product_versions", "product_versions = [\"4.0\"]"),
];

pub(super) static ARTICLE: Shape = Shape::new(
    "[article]",
    "The article from which the manifest was written.",
    &[
        Key::new(
            "url",
            KeyKind::Text(Form::WebAddress),
            "The web address of the article, with `http://` or `https://`.",
        ),
        Key::new(
            "revision",
            KeyKind::Text(Form::Version),
            "The revision of the article: numbers joined by dots, such as `1.0`. Revisions are compared number by number.",
        ),
        Key::new(
            "reviewed",
            KeyKind::Day,
            "The day of the last review of the article, as YYYY-MM-DD without quotes.",
        ),
    ],
);

/// One prerequisite; its keys depend on its kind.
pub(super) static PREREQUISITE: Shape = Shape::new(
    "[[prerequisites]]",
    "One condition that must hold before the rollup is applied: `product`, `item`, `any` or `confirm`.",
    &[
        PRODUCT,
        service_pack(&SERVICE_PACKS),
        version(&VERSIONS),
        ABSENT,
        PRODUCT_ON,
        ITEM,
        Key::new(
            "any",
            KeyKind::SomeTables(&ALTERNATIVE),
            "Alternatives, each a `product` or an `item` with its keys. It is enough if one of them holds.",
        ),
        Key::new(
            "confirm",
            PROSE,
            "A question that only a person can answer. It is asked before anything is staged; `--confirm ID` answers \
             it, `--yes` does not.",
        ),
        Key::new(
            "id",
            KeyKind::Text(Form::Id),
            "The id of a `confirm` question, as it is typed after `--confirm`.",
        ),
    ],
)
.with(Cases::Either(&[
    PRODUCT_CASE,
    ITEM_CASE,
    Case {
        name: "any",
        about: "A choice of products and items.",
        keys: &["any"],
        rules: &[],
    },
    Case {
        name: "confirm",
        about: "A condition that only a person can check.",
        keys: &["confirm", "id"],
        rules: &[Rule::Needs("id", "id = \"backup-made\"")],
    },
]));

/// One alternative of a prerequisite.
pub(super) static ALTERNATIVE: Shape = Shape::new(
    "an entry of `any`",
    "One alternative of a prerequisite: `product` or `item`.",
    &[
        PRODUCT,
        service_pack(&SERVICE_PACKS_IN_ANY),
        version(&VERSIONS_IN_ANY),
        ABSENT,
        PRODUCT_ON,
        ITEM,
    ],
)
.with(Cases::Either(&[PRODUCT_CASE, ITEM_CASE]));

const PRODUCT: Key = Key::new(
    "product",
    TEXT,
    "A product, by its name in the deployment's `products`. At least one server must have it, and every server that \
     has it must meet the other keys.",
);

const fn service_pack(range: &'static Shape) -> Key {
    Key::new(
        "service_pack",
        KeyKind::NumberOrTable(MOST_SERVICE_PACKS, range),
        "The lowest service pack of the product, by default 0; or a range of service packs.",
    )
}

const fn version(range: &'static Shape) -> Key {
    Key::new(
        "version",
        KeyKind::TextOrTable(Form::Words, range),
        "The version of the product or item, or a range of versions. Numbers joined by dots are compared number by \
         number; any other text must be equal. The version of an item is always numbers.",
    )
}

const ABSENT: Key = Key::new(
    "absent",
    KeyKind::Yes,
    "The reverse: no server, or no server of the role `on`, has the product; or the item is installed nowhere. The \
     only value is `true`.",
);

const PRODUCT_ON: Key = Key::new(
    "on",
    TEXT,
    "The role whose servers must all have the product. By default, only servers that have the product are checked.",
);

const ITEM: Key = Key::new(
    "item",
    TEXT,
    "An item of the console that must be installed wherever it can be, by name or alias.",
);

const PRODUCT_CASE: Case = Case {
    name: "product",
    about: "A product, with its service packs and versions.",
    keys: &["product", "service_pack", "version", "absent", "on"],
    rules: &[Rule::Alone("absent", &["service_pack", "version"])],
};

const ITEM_CASE: Case = Case {
    name: "item",
    about: "An item that is installed.",
    keys: &["item", "version", "absent"],
    rules: &[
        Rule::Alone("absent", &["version"]),
        Rule::Numbers("version"),
    ],
};

static SERVICE_PACKS: Shape = service_packs("a range of `service_pack`");
static SERVICE_PACKS_IN_ANY: Shape = service_packs("a range of `service_pack` in `any`");
static VERSIONS: Shape = versions("a range of `version`");
static VERSIONS_IN_ANY: Shape = versions("a range of `version` in `any`");

const fn service_packs(title: &'static str) -> Shape {
    const KEYS: &[Key] = &[
        Key::new("min", SERVICE_PACK, "The lowest service pack."),
        Key::new("max", SERVICE_PACK, "The highest service pack."),
    ];
    Shape::new(title, "The service packs that are accepted.", KEYS).with(LIMITS)
}

const fn versions(title: &'static str) -> Shape {
    const KEYS: &[Key] = &[
        Key::new("min", VERSION, "The lowest version."),
        Key::new("max", VERSION, "The highest version."),
    ];
    Shape::new(title, "The versions that are accepted.", KEYS).with(LIMITS)
}

const LIMITS: Cases = Cases::AtLeastOne(&["min", "max"]);
const MOST_SERVICE_PACKS: u64 = 999_999_999;
const SERVICE_PACK: KeyKind = KeyKind::Number(MOST_SERVICE_PACKS);
const VERSION: KeyKind = KeyKind::Text(Form::Version);

/// One step; which keys it has depends on its action.
pub(super) static STEP: Shape = Shape::new("[[steps]]", "One action on its targets.", &STEP_KEYS)
    .with(Cases::Of {
        key: "action",
        always: STEP_ALWAYS,
        cases: &ACTIONS,
    });

/// Step of an `each-server` step, which names no servers itself.
pub(super) static NESTED_STEP: Shape = Shape::new(
    "[[steps.steps]]",
    "One action of an `each-server` step, on one server at a time.",
    STEP_KEYS.split_at(NESTED_KEYS).0,
)
.with(Cases::Of {
    key: "action",
    always: STEP_ALWAYS,
    cases: ACTIONS.split_at(NESTED_ACTIONS).0,
})
.without(&[("on", OF_OUTER), ("platform", OF_OUTER)]);

const OF_OUTER: &str = "remove the line: a nested step runs on the servers of its `each-server` step, one after another";

const STEP_ALWAYS: &[&str] = &["id", "title", "action"];

/// Number of the first keys of a step that a nested one has, too.
const NESTED_KEYS: usize = 18;

/// Number of the first actions that a nested step may have, too.
const NESTED_ACTIONS: usize = 11;

static STEP_KEYS: [Key; NESTED_KEYS + 3] = [
    Key::required(
        "id",
        KeyKind::Text(Form::Id),
        "id = \"copy\"",
        "The id of the step, of letters, digits, `-`, `_` and `.`, as it is typed on the command line. It is unique \
         among all steps, nested ones included, regardless of case.",
    ),
    Key::new(
        "title",
        PROSE,
        "The purpose of the step, for people. By default, its id.",
    ),
    Key::required(
        "action",
        TEXT,
        "action = \"copy\"",
        "The action of the step, on which its other keys depend.",
    ),
    Key::new(
        "items",
        KeyKind::Table(&ITEMS),
        "Items or procedures, by the group of which they are direct members: `items.\"GROUP\" = [\"NAME\", …]`.",
    ),
    Key::new(
        "groups",
        KeyKind::some_names(Form::Path),
        "Whole groups of the console, by path: all items below them. `install` reinstalls the items that the run \
         removed, and the others only with `--include-missing`. In a nested step, only items of the server count.",
    ),
    Key::new(
        "removed_by",
        TEXT,
        "The id of an earlier `uninstall` step. Exactly the instances that it removed are installed again, where \
         they were. A nested step names one of the same `each-server` step.",
    ),
    Key::new(
        "files",
        KeyKind::some_names(Form::PayloadPath),
        "Files of the payload, each with a row in the file table. A copy has the name without its directories, in the \
         spelling of this list. Files of a manual step are verified and staged with their directories, and the run \
         prints where.",
    ),
    Key::new(
        "features",
        KeyKind::names(Form::Words),
        "Features to install although the packages have them off by default, by their keys in each of them. Only \
         `.msi` packages have features.",
    ),
    Key::new(
        "arguments",
        PROSE,
        "The documented arguments of a `.exe`, `.msp` or `.msu`, for people and for the record: rollup executes \
         nothing.",
    ),
    Key::new(
        "program",
        KeyKind::Text(Form::FileName),
        "The name of what a `.exe`, `.msp` or `.msu` installs, which is its directory below `Programs` of each server. \
         By default, the name of the file.",
    ),
    Key::new(
        "others",
        KeyKind::Yes,
        "All files of the table that no other step names and that are not `unused`. The only value is \
         `true`.",
    ),
    Key::new(
        "to",
        KeyKind::Text(Form::Directory),
        "The target of the copy: `share`, the installer share; or with `on` a directory below `Files` of every \
         server of the role, where `.` is `Files` itself. A nested step copies only below `Files`.",
    ),
    Key::new(
        "parameters",
        KeyKind::Table(&PARAMETERS),
        "Parameters by procedure. They take precedence over those that the deployment has stored.",
    ),
    Key::new(
        "service",
        TEXT,
        "A service of the deployment, by name or alias. Its servers are changed one after another.",
    ),
    Key::new(
        "irreversible",
        PROSE,
        "The reason why the changes of the step cannot be rolled back. Each of its operations is then a point of no \
         return: a later failure rolls back only what follows it, and the finished run cannot be undone.",
    ),
    Key::new(
        "instructions",
        PROSE,
        "The task for a person. The run waits until it is confirmed as done.",
    ),
    Key::new(
        "undo",
        PROSE,
        "Instructions for a person to roll the step back: a manual step, or a `.exe`, `.msp` or `.msu`. Without them \
         the step is a point of no return: a later failure rolls back only the steps after it.",
    ),
    Key::new(
        "optional",
        KeyKind::Flag,
        "True if the step may be skipped. Without a terminal it is skipped and reported. By default `false`.",
    ),
    Key::new(
        "on",
        TEXT,
        "A role, never a server: the step concerns the servers that hold it. By default, a service's own role; \
         with both, only servers that hold both.",
    ),
    Key::new(
        "platform",
        TEXT,
        "Limits the step to servers of this platform, such as `x64`.",
    ),
    Key::new(
        "steps",
        KeyKind::SomeHeaders(&NESTED_STEP),
        "The nested steps, in this order: all of them on one server, then all of them on the next.",
    ),
];

const SERVICE_KEYS: &[&str] = &["service", "on", "platform"];
const SERVICE_RULES: &[Rule] = &[Rule::Targets(&["service"])];

/// Extensions of the packages that `run` takes.
const PACKAGES: &[&str] = &["msi", "exe", "msp", "msu"];
/// Extensions of those that rollup verifies and records, but cannot open.
pub(super) const OPAQUE: &[&str] = &["exe", "msp", "msu"];

static ACTIONS: [Case; NESTED_ACTIONS + 1] = [
    Case {
        name: "uninstall",
        about: "Removes items as one batch, from every server that has them.",
        keys: &["items", "groups", "on", "platform"],
        rules: &[Rule::Targets(&["items", "groups"])],
    },
    Case {
        name: "install",
        about: "Installs items as one batch; removed items return to the servers that had them.",
        keys: &[
            "items",
            "groups",
            "removed_by",
            "on",
            "platform",
            "irreversible",
        ],
        rules: &[
            Rule::Targets(&["items", "groups", "removed_by"]),
            Rule::Alone("removed_by", &["items", "groups"]),
        ],
    },
    Case {
        name: "copy",
        about: "Copies files of the payload to the share, or to a directory of every server of a role.",
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
        about: "Puts packages on every server of a role, outside the console. A `.msi` is unpacked; a `.exe`, `.msp` or \
                `.msu` is verified, stored and recorded, and never executed.",
        keys: &[
            "files",
            "features",
            "arguments",
            "program",
            "undo",
            "irreversible",
            "on",
            "platform",
        ],
        rules: &[
            Rule::Targets(&["files"]),
            Rule::Needs("on", ON),
            Rule::Alone("irreversible", &["undo"]),
            Rule::Kinds(None, PACKAGES),
            Rule::Kinds(Some("features"), &["msi"]),
            Rule::Kinds(Some("arguments"), OPAQUE),
            Rule::Kinds(Some("program"), OPAQUE),
            Rule::Kinds(Some("undo"), OPAQUE),
            Rule::OneFile("program"),
        ],
    },
    Case {
        name: "initialize",
        about: "Runs procedures as one batch, with the parameters of the step or those that the deployment has stored.",
        keys: &["items", "parameters", "on", "platform", "irreversible"],
        rules: &[Rule::Targets(&["items"])],
    },
    Case {
        name: "start",
        about: "Starts a service, unless it runs.",
        keys: SERVICE_KEYS,
        rules: SERVICE_RULES,
    },
    Case {
        name: "stop",
        about: "Stops a service, if it runs.",
        keys: SERVICE_KEYS,
        rules: SERVICE_RULES,
    },
    Case {
        name: "restart",
        about: "Stops a service and starts it again.",
        keys: SERVICE_KEYS,
        rules: SERVICE_RULES,
    },
    Case {
        name: "enable",
        about: "Allows a service to be started.",
        keys: SERVICE_KEYS,
        rules: SERVICE_RULES,
    },
    Case {
        name: "disable",
        about: "Prevents a service from being started.",
        keys: SERVICE_KEYS,
        rules: SERVICE_RULES,
    },
    Case {
        name: "manual",
        about: "Waits for a person to do a task that rollup cannot do, such as running a database script.",
        keys: &[
            "instructions",
            "undo",
            "optional",
            "files",
            "on",
            "platform",
        ],
        rules: &[
            Rule::Needs("instructions", "instructions = \"…\""),
            Rule::With("platform", "on", ON),
        ],
    },
    Case {
        name: "each-server",
        about: "Does its nested steps on one server of a role, then on the next.",
        keys: &["on", "platform", "steps"],
        rules: &[
            Rule::Needs("on", ON),
            Rule::Needs("steps", "[[steps.steps]]"),
        ],
    },
];

static ITEMS: Shape = Shape::free(
    "`items`",
    "Items or procedures by group.",
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
    "Parameters by procedure.",
    Form::Anything,
    Key::new(
        "PROCEDURE",
        KeyKind::Table(&GIVEN),
        "The parameters of this procedure, by name.",
    ),
);

static GIVEN: Shape = Shape::free(
    "an entry of `parameters`",
    "The parameters of one procedure.",
    Form::Anything,
    Key::new(
        "NAME",
        KeyKind::Text(Form::Anything),
        "The value of the parameter: a text, which may be empty.",
    ),
);

static PAYLOAD: Shape = Shape::new(
    "[payload]",
    "The rollup's files.",
    &[
        Key::new(
            "files",
            KeyKind::Tables(&ROW),
            "The file table: a row for each file, as the article documents it.",
        ),
        Key::new(
            "sha256",
            KeyKind::Table(&PINS),
            "The pinned SHA-256 of each file. Vendors rarely document it; `rollup pin` writes it.",
        ),
    ],
);

static ROW: Shape = Shape::new(
    "a row of the file table",
    "One file of the payload, as the article documents it. Only `name` is required.",
    &[
        Key::required(
            "name",
            KeyKind::Text(Form::PayloadPath),
            "name = \"….msi\"",
            "The name of the file; if it is not directly in the payload directory, with its directories, such as \
             `x64/Setup.msi`. It is unique, regardless of case.",
        ),
        Key::new(
            "size",
            KeyKind::Number(i64::MAX as u64),
            "The size in bytes.",
        ),
        Key::new(
            "modified",
            KeyKind::Time,
            "The time of the last change: UTC to the minute, such as 2008-03-31T18:32:00Z without quotes.",
        ),
        Key::new(
            "platform",
            TEXT,
            "The documented platform, by default `x86`. It does not limit any step.",
        ),
        Key::new("version", TEXT, "The documented version of the file."),
        Key::new("unused", PROSE, "The reason why no step deploys the file."),
    ],
);

static PINS: Shape = Shape::free(
    "[payload.sha256]",
    "The SHA-256 of each file.",
    Form::PayloadPath,
    Key::new(
        "FILE",
        KeyKind::Text(Form::Sha256),
        "The SHA-256 of this file, 64 hexadecimal digits.",
    ),
);

const TEXT: KeyKind = KeyKind::Text(Form::Words);
const PROSE: KeyKind = KeyKind::Text(Form::Prose);
const RELATED: KeyKind = KeyKind::names(Form::Rollup);
const ON: &str = "on = \"ROLE\"";

//! Catalogue of findings: each kind once, with the text that `rollup explain` prints.
//!
//! A code keeps its meaning, and the number of a removed one is never used again, since build
//! scripts refer to it.

use std::fmt;
use std::str::FromStr;

use super::severity::Severity;

macro_rules! catalogue {
    ($($name:ident = $number:literal, $level:ident, $title:literal, $explanation:literal;)*) => {
        /// A kind of finding, such as `RU0201`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", $number, "`: ", $title, ".")] $name,)*
        }

        impl Code {
            /// Every code, in the order of their numbers.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// Returns the number that is printed and that `rollup explain` takes.
            pub fn number(self) -> &'static str {
                match self { $(Code::$name => $number,)* }
            }

            /// Returns the name as one word, such as `NotListed`.
            pub fn name(self) -> &'static str {
                match self { $(Code::$name => stringify!($name),)* }
            }

            /// Returns the title: a short phrase that states the problem.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }

            /// Returns the default severity of a finding.
            pub fn level(self) -> Severity {
                match self { $(Code::$name => Severity::$level,)* }
            }

            /// Returns the explanation: the meaning, an example and the fix.
            pub fn explanation(self) -> &'static str {
                match self { $(Code::$name => $explanation,)* }
            }
        }
    };
}

catalogue! {
    // The text itself.
    Syntax = "RU0001", Error, "the document is not TOML",
"A bracket, a quote or an equals sign is missing or misplaced:

    kb = KB952076          # a text needs quotes
    kb = \"KB952076\"

While a document has syntax errors, missing keys and names are not reported, since they may be
in the part that cannot be read. Correct the syntax first, then validate again.";
    NewerToml = "RU0002", Error, "the document uses syntax of TOML 1.1",
"Manifests and deployments are TOML 1.0, so that every editor and checker can read them. TOML 1.1
added: inline tables over several lines or with a comma at their end, times without seconds, and
the escapes `\\e` and `\\x`.

    { name = \"a.msi\", size = 512, }     # a comma at the end
    { name = \"a.msi\", size = 512 }

Write an inline table on one line, add the seconds to a time (`18:32:00`), and write
`\\u001B` for `\\e`.";
    ByteOrderMark = "RU0003", Warning, "the document begins with a byte order mark",
"Some editors write the invisible character U+FEFF at the start of a file. rollup skips it, but
other readers of TOML refuse it. Save the file as `UTF-8`, not as `UTF-8 with BOM`.";
    NotUtf8 = "RU0004", Error, "the document is not UTF-8",
"TOML is UTF-8. The file contains a byte that is not valid there, usually because it was saved in
an older encoding such as Windows-1252. Save it as UTF-8.";
    NulByte = "RU0005", Error, "the document contains a NUL byte",
"A text file contains no NUL bytes. The file was saved as UTF-16, is damaged, or is not a text
file. Save it as UTF-8.";
    TooLarge = "RU0006", Error, "the document is too large",
"A document may have at most 4 MiB. A manifest with twenty thousand rows and their hashes is
smaller, so the file is probably something else. The other limits are 200,000 tables, some
millions of items that all steps together select, and 10,000 findings that are listed.";
    TooDeep = "RU0007", Error, "the document is nested too deeply",
"Tables and lists may be nested sixteen deep, and a key may have sixteen parts. Manifests and
deployments need at most four.";
    Schema = "RU0008", Error, "the schema is missing or unknown",
"Every document begins with the version of its language:

    schema = 1

A higher number requires a newer version of rollup.";
    OtherFormat = "RU0009", Error, "the document has another format",
"A manifest and `deployment.toml` are TOML. A page of a browser begins with `<`, a JSON document,
such as a saved plan, with `{`, and a package with a signature. `rollup import` drafts a manifest
from a saved article, `rollup show` prints a saved plan, and `rollup inspect` what is in a package.
Records that rollup writes into a deployment are no manifests, either.";
    InvalidAllow = "RU0010", Warning, "a comment for rollup is not understood",
"A comment that begins with `rollup:` allows warnings and notes. It lists their codes:

    { name = \"Hmoabupdate.msi\" },    # rollup: allow RU0202

    # rollup: allow RU0202, RU0204 # the article has this size
    { name = \"Hmoabupdate.msi\", size = 393_215 },

It is about the findings on its own line; alone on a line, also about those on the next line that
has more than a comment. A `#` ends the list, and a reason may follow. An error cannot be allowed,
since the document cannot be used, nor what the caller denies by its code (`--deny RU0207`,
`--require-hashes`). With `--format json` and `sarif` an allowed finding is marked.";
    IdleAllow = "RU0011", Note, "a comment allows nothing",
"The comment allows a finding that is not there: the cause is gone, or the comment is on another
line. Remove the code, or move the comment to the line of the finding or above it.

Codes whose check needs more than the document are only missed if that is given: `-d`, `-p`,
`--article`, or other manifests. In a document with errors nothing is missed, since they may hide
other findings.";
    NotSigned = "RU0012", Error, "the manifest has no signature that counts",
"With `--signers FILE` each manifest needs a signature beside it, of a person whom the file lists. It
is over the exact bytes of the manifest, so it is made last, after each change:

    ssh-keygen -Y sign -n rollup-manifest@1 -f ~/.ssh/id_ed25519 kb952076.toml

This writes `kb952076.toml.sig`. FILE is an `allowed_signers` file of OpenSSH. A deployment with
`manifest_signers` in `[approval]` refuses a manifest without such a signature.";

    // Keys and values.
    UnknownKey = "RU0101", Error, "a key is unknown",
"Unknown keys are errors, since a misspelled key would silently have no effect:

    [rollup]
    titel = \"...\"          # did you mean `title`?

Correct the spelling, or remove the key.";
    WrongType = "RU0102", Error, "a value has the wrong type",
"Every key has one type:

    files = \"a.msi\"        # must be a list, even with one entry
    files = [\"a.msi\"]

Dates and times have no quotes in TOML.";
    MissingKey = "RU0103", Error, "a required key is missing",
"The table requires the key that the finding names. Its help shows an example of the line to add.";
    MisplacedKey = "RU0104", Error, "a key is in the wrong table",
"In TOML a key belongs to the last header above it, even across empty lines:

    [[prerequisites]]
    product = \"Exchange Server 2007\"

    title = \"...\"          # meant for [rollup], but still part of the prerequisite

Move the line up to its table; the finding names the line above which it belongs.";
    InvalidValue = "RU0105", Error, "a value is invalid",
"The value has the right type, but not a valid form: for example a KB number with other letters,
a revision that is not numbers joined by dots, or an unknown action. The finding describes the
valid values.";
    EmptyValue = "RU0106", Error, "a value is empty",
"This text or list must not be empty. Fill it, or remove the key.";
    UnsafeName = "RU0107", Error, "a name is not a safe file name",
"Names of files, directories, items and servers become names on disk, also on Windows. So they
contain no path separator and no character that Windows refuses, do not end with a dot or a space,
and are not `..` or the name of a device such as `NUL` or `COM1`. Names in a file table may have
directories, with `/` between the parts; each part is such a name:

    name = \"x64/Setup.msi\"
    name = \"../Setup.msi\"     # outside of the payload";
    DuplicateName = "RU0108", Error, "a name is used twice",
"Names are compared without regard to case, as on NTFS, and aliases count as names:

    { name = \"Hosted.msi\" },
    { name = \"hosted.MSI\" },       # the same name again

Rename or remove one of them. In a file table a directory has one spelling, and is not also the
name of a file.";
    LongPath = "RU0109", Warning, "a path is too long for many Windows programs",
"Programs without support for long paths open at most 260 characters, including the drive and the
program's own directories. This path has more than 240 without them. Shorten the name of a group
or an item.";
    InvalidTime = "RU0110", Error, "a time is not UTC to the minute",
"The file table contains times in UTC, to the minute as articles document them:

    modified = 2008-03-31T18:32:00Z

`Z` means UTC; without it the time would depend on the time zone of the machine. The seconds
are 00.";
    OutOfRange = "RU0111", Error, "a number is out of range",
"Sizes are whole numbers from 0 to 9,223,372,036,854,775,807; a service pack has at most nine
digits.";
    InapplicableKey = "RU0112", Error, "a key does not apply here",
"The keys of a step depend on its action, and those of a prerequisite on its kind:

    action = \"uninstall\"
    files = [\"a.msi\"]      # `files` applies to `copy` and `run`

Remove the key, split the step, or correct the action.";
    ExclusiveKeys = "RU0113", Error, "two keys exclude each other",
"Both keys set the same thing in different ways, and could contradict each other. Keep one:

    files = [\"a.msi\"]
    others = true          # all files that no other step names";
    HiddenCharacter = "RU0114", Warning, "a name contains an invisible character",
"Names copied from a web page may contain non-breaking spaces, soft hyphens and characters without
a width. They look like the right name but differ from it. The finding shows them as escapes:

    on = \"mps\\u{a0}engine\"     # a non-breaking space

Type the name again, with ordinary spaces, and without spaces at its ends.";
    DateOrder = "RU0115", Warning, "two dates are in an impossible order",
"A file is not newer than the rollup that contains it, and an article is not reviewed before it is
published. Usually a digit of a year or month is wrong:

    released = 2008-04-29
    { name = \"a.msi\", modified = 2018-03-31T18:32:00Z }

Compare both dates with the article.";
    DuplicatePrerequisite = "RU0116", Warning, "a prerequisite is listed twice",
"Two prerequisites require the same product on the same role, or the same item. The stricter one
decides, so the other one has no effect. Remove it, correct its name, or write both limits in one:

    product = \"Exchange Server 2007\"
    service_pack = { min = 1, max = 2 }

The alternatives of an `any` may name one product several times, but not with the same keys.";
    MisspelledPlatform = "RU0117", Warning, "a platform is probably misspelled",
"Platforms are free text, and a step for a platform that no server has does nothing. This name is
almost `x86`, `x64`, `ia64`, or the platform of a server:

    platform = \"x46\"       # did you mean `x64`?

Correct the spelling. If the platform exists, ignore the warning.";

    OpenValue = "RU0121", Error, "a value is a TODO",
"A draft has `TODO` where its source leaves a value open. It is not a fact, so the document cannot
be used:

    title = \"TODO the title of the rollup\"

Replace it with the value, or remove the key if it may be left out. The comment above it, or the
report of `rollup import`, names the line of the article.";
    OpenComment = "RU0122", Warning, "a comment is a TODO",
"A comment with the word `TODO` is a decision that is left, such as those that `rollup import`
writes above a value that the article leaves open:

    # TODO the article does not name the zone of the times (article, line 81)

Decide it, and then remove the comment. With `--deny warnings` a draft cannot pass before.";
    NeverHolds = "RU0123", Error, "a prerequisite can never hold",
"Nothing meets the condition: its lowest service pack or version is above its highest one, or another
prerequisite requires the opposite:

    service_pack = { min = 3, max = 2 }

Correct the limits, or remove one of the prerequisites.";
    SingleAlternative = "RU0124", Warning, "an `any` has one alternative",
"`any` lists alternatives of which one is enough. With a single entry it has no effect, so another
one may be missing:

    any = [{ product = \"SQL Server 2005\", service_pack = 2 }]

Add the other alternatives, or write the keys of the entry below [[prerequisites]].";

    // The file table.
    NotListed = "RU0201", Error, "a used file is missing from the file table",
"Every file that a step copies or runs must be in `[payload] files`, so that it can be verified.
The name is misspelled in the step, or its row is missing:

    files = [\"HostedMail.msi\"]     # did you mean `HostedEmail2007NS.msi`?";
    UnusedFile = "RU0202", Warning, "a file is not used by any step",
"The file table lists a file that no step copies or runs. Either a step is incomplete, or the file
is a tool for special cases. Add it to a step, or give the reason in its row:

    { name = \"Hmoabupdate.msi\", unused = \"only for ...\" }";
    SameSizeAndDate = "RU0203", Warning, "two files have the same size and date",
"The file table cannot detect that these two files were swapped, since their sizes and dates are
equal. Pin the files with `rollup pin`: their hashes differ, and the warning becomes a note.";
    UnlikelyMsiSize = "RU0204", Warning, "the size of an .msi is not a multiple of 512",
"A Windows Installer package consists of sectors of 512 bytes, so any other size is probably a
typing mistake. Compare it with the article. If it is right, ignore the warning.";
    CaseDiffers = "RU0205", Note, "a step and the file table differ in case",
"Both names mean the same file, since names are compared without regard to case. A new file gets
the spelling of the step. No action is required; use one spelling to silence the note.";
    NoSizeOrHash = "RU0206", Warning, "a file has neither a size nor a hash",
"A wrong or damaged file would not be detected. Add the documented size to the row, or pin the
file with `rollup pin`.";
    Unpinned = "RU0207", Warning, "a file has no pinned hash",
"Size and date do not prove the contents of a file. `rollup pin MANIFEST --payload DIR` writes the
SHA-256 of each file into `[payload.sha256]`. With `--require-hashes` this is an error.";
    PinWithoutRow = "RU0208", Error, "a pinned file is missing from the file table",
"`[payload.sha256]` pins rows of `[payload] files`, which has no row of this name. Correct the
name, or remove the pin.";
    UsedDespiteUnused = "RU0209", Warning, "a step uses a file that is marked unused",
"The row says why no step deploys the file, but a step does. Remove `unused` from the row, or the
file from the step.";
    NotAPackage = "RU0210", Error, "a file cannot be run",
"`run` puts packages on servers, outside the console: `.msi`, which it unpacks, and `.exe`, `.msp`
and `.msu`, which it stores and records. Use a `manual` step with `files` for any other file, such
as a script that a person has to run.";
    SamePin = "RU0211", Warning, "two files are pinned with the same hash",
"Two files with the same SHA-256 have the same contents. Usually the line was copied and only its
name was changed. Pin the files again with `rollup pin`; if the vendor ships one file under two
names, ignore the warning.";

    // Steps.
    NoTargets = "RU0301", Error, "a step has no targets",
"The step has an action but no targets. Add `items` or `groups`, `files`, or a `service`, as its
action requires.";
    NeverReinstalled = "RU0303", Warning, "removed items are not installed again",
"A step uninstalls items that no later step installs, so they are missing after the rollup. If the
rollup retires them, ignore the warning; otherwise install them again:

    action = \"install\"
    removed_by = \"uninstall\"       # exactly what that step removed, where it was";
    NeverRemoved = "RU0304", Note, "installed items were not removed before",
"An `install` step usually reinstalls items that the run removed. If the items are new with this
rollup, or their installer replaces the old version, no action is required.";
    InvalidRemovedBy = "RU0305", Error, "`removed_by` does not name an earlier step that removes items",
"`removed_by` installs the items that an earlier `uninstall` step of the same manifest removed.
Write the id of such a step.";
    LeftStopped = "RU0306", Warning, "a service remains stopped or disabled",
"No later step starts or enables the service again, so it is unavailable after the rollup. Add a
`start`, `restart` or `enable` step, unless this is intended.";
    CopiedTooLate = "RU0307", Warning, "an installer is copied after the step that needs it",
"An item is installed from the file that is in the share at that step. This `copy` step comes
later, so the old version would be installed again. Move the `copy` step up.";
    StartOfDisabled = "RU0308", Warning, "a disabled service is started",
"An earlier step disables the service, and no step in between enables it. Starting a disabled
service is refused. Add an `enable` step before this one, or remove the `disable` step.";
    RemovedTwice = "RU0309", Warning, "items are removed twice",
"An earlier step uninstalls these items, and no step in between installs them again. Remove the
names from one of the steps.";
    CopiedTwice = "RU0310", Warning, "a file is copied twice to the same path",
"Two steps copy the same file of the payload to the same path; the second one does nothing.
Remove the file from one of them, or correct the path.";
    NoUndo = "RU0311", Note, "a step cannot be rolled back",
"A manual step, or a package that rollup cannot open, has no `undo`: there are no instructions for
reversing it, so the run cannot be rolled back past it: `rollup undo` is refused, and a failure
rolls back only the later steps. If the step can be reversed, describe how:

    undo = \"Run DowngradeSchema.sql against PlanManager.\"";
    ReinstalledTwice = "RU0312", Warning, "removed items are installed again twice",
"Two `install` steps have the same `removed_by`, and no step between them removes the items again,
so the second one does nothing. Probably one of them should name another step:

    removed_by = \"uninstall\"       # in two steps";
    NestedStep = "RU0313", Error, "a nested step does more than one server allows",
"The nested steps of an `each-server` step run on one server, then on the next. They are not
`each-server` themselves, copy only below `Files` of the server, and name only items and services
of servers. Write a step for everything else above or below the `each-server` step.";
    WrongPackageKind = "RU0314", Error, "a key does not apply to the kind of a package",
"A `.msi` is unpacked: it has `features`, and its rollback needs no person. A `.exe`, `.msp` or
`.msu` is stored and recorded, never opened or executed: `arguments`, `program` and `undo` are for
these. Write a step for each kind:

    files = [\"hotfix.exe\"]
    arguments = \"/quiet /norestart\"
    undo = \"hotfix.exe /uninstall /quiet\"";
    CopiedOver = "RU0315", Error, "two files are copied to the same path",
"A copy has the name of the file without its directories, so these two files of the payload would
end at one path, and the second would replace the first:

    files = [\"x86/Setup.msi\", \"x64/Setup.msi\"]
    to = \"share\"

Copy them to different directories, or to different servers:

    files = [\"x64/Setup.msi\"]
    to = \"Setup\"
    on = \"web\"
    platform = \"x64\"

The packages of a `run` step that rollup cannot open are stored in directories of their names.
Write a step for each, with a `program` that names its directory.";

    // Relations between rollups.
    SelfRelation = "RU0401", Error, "a rollup includes, replaces or requires itself",
"`includes`, `replaces` and `requires` name other rollups. Usually a line was copied; replace the
rollup's own number by that of the other rollup.";
    RequiredAndReplaced = "RU0402", Error, "a rollup is both required and replaced",
"`requires` demands that the other rollup is applied, `replaces` that it is not. Remove it from
one of the lists.";
    RelationCycle = "RU0403", Error, "the relations of manifests form a cycle",
"Each of these manifests requires, replaces or includes the next one, and the last one the first.
They cannot be applied in any order. One of the relations is wrong.";
    MissingInclude = "RU0404", Warning, "an included rollup includes more than is listed",
"A manifest that includes another rollup also includes all that the other one includes, and has to
list them, since rollup reads relations only from the manifest at hand:

    includes = [\"KB948755\", \"KB941777\"]     # the first includes the second

List the missing rollups too.";
    AddressOfAnotherArticle = "RU0405", Warning, "the address belongs to another article",
"The number in `url` differs from `kb`, so one of them is probably mistyped. The finding shows
both.";
    SameRollup = "RU0406", Warning, "two manifests describe the same rollup",
"KB number and article revision identify a rollup. Two of the manifests that were validated
together have the same ones. Raise the revision of the newer manifest, or remove the copy.";
    OmittedFiles = "RU0407", Warning, "an included rollup deploys files that this payload lacks",
"A rollup that includes another one brings all its files and counts as that rollup once it is
applied. The manifests that are validated together are compared by the names of the files,
regardless of case: the including rollup has newer versions under the same names. If several
revisions of the included rollup are given, the newest counts.

    includes = [\"KB948755\"]      # it copies a.msi and b.msi
    files = [{ name = \"a.msi\" }] # b.msi is missing

Add the files and the steps that deploy them, or remove the rollup from `includes`.";

    // The deployment.
    ReservedName = "RU0501", Error, "a name is reserved",
"rollup uses some names itself: `.rollup`, `Servers`, the installer share, `deployment.toml` and
`applied` at the root of a deployment; `files` and `state.toml` in the directory of an item.
Choose another name for the group, item or server.";
    OverlappingDirectories = "RU0502", Error, "an item and a group have the same directory",
"The directory of an item is replaced as a whole, so it cannot contain a group. An item must not
have the name of a group beside it. Rename one of them.";
    RequirementCycle = "RU0503", Error, "items require each other in a cycle",
"`[requires]` defines the order in which items are installed. A cycle has no order:

    \"A\" = [\"B\"]
    \"B\" = [\"A\"]

Remove the wrong line.";
    RequiresProcedure = "RU0504", Error, "a procedure is required",
"Procedures can require items, but cannot be required: a procedure runs when a rollup says so, and
leaves nothing installed. Require an item instead.";
    UnknownName = "RU0505", Error, "a name is not described in the deployment",
"Roles, servers, services and the names in `[requires]`, `[parameters]` and `[rehearsal]` must be
described in the same `deployment.toml`. Correct the spelling, or describe it.";
    SharedInstaller = "RU0506", Warning, "two items have the same installer",
"An installer contains one product, and an item is one product. Two items with the same installer
are probably a copied line.";
    MisspelledParameter = "RU0507", Warning, "a parameter is probably misspelled",
"A procedure may get more parameters than it `needs`, so that every name is allowed. This name is
almost one that the procedure needs, which therefore remains unset:

    parameters.\"Initialize Hosted Email 2007\" = { preferedDomainController = \"dc01\" }

Correct the spelling. If the procedure takes both, ignore the warning.";
    SecretInClearText = "RU0508", Warning, "a secret is in clear text",
"Everyone who can read `deployment.toml`, or a copy of it, can read the secret. A parameter is secret
if its procedure lists it in `secret`, or if its name contains `password`, `secret`, `token`,
`credential` or `key`. Name the place of the secret, and change the secret:

    \"Initialize\" = { servicePassword = { env = \"SERVICE_PASSWORD\" } }
    \"Initialize\" = { servicePassword = { file = \"/run/secrets/service\" } }

If the parameter is not secret, list its name in `public` of the procedure.";

    // A manifest against a deployment.
    NoSuchGroup = "RU0601", Error, "the deployment has no such group",
"The deployment lists its whole console, installed or not, so an unknown path is a mistake. Write
the full path with `/` between its parts, such as `Hosted Exchange/Exchange Provisioning`.";
    NoSuchItem = "RU0602", Error, "the deployment has no such item or procedure",
"The deployment lists its whole console, installed or not, so an unknown name is a mistake. If
the article uses another name, add it to `deployment.toml` as an alias.";
    NoSuchRole = "RU0603", Error, "the deployment has no such role",
"Manifests name roles, never servers. Every role of the product must be listed in `roles` of
`deployment.toml`, even if no server holds it.";
    NoSuchService = "RU0604", Error, "the deployment has no such service",
"Services are listed in `services` of `deployment.toml`, with their aliases.";
    NotAMember = "RU0605", Error, "an item belongs to another group",
"`items.\"GROUP\"` lists direct members of a group, as the console shows them when the group is
expanded. The finding names the group of the item.";
    WrongKind = "RU0606", Error, "an item is used as a procedure, or a procedure as an item",
"`install` and `uninstall` take items, `initialize` takes procedures. Move the name to a step with
the right action.";
    NotRemovable = "RU0607", Error, "an item must not be removed",
"`deployment.toml` says `removable = false`: the platform needs the item at all times. Remove it
from the step.";
    WiderGroup = "RU0608", Warning, "an installed group contains items that were not removed",
"The step installs a whole group, which contains items that no earlier step removed. `apply`
installs only the items that the run removed, and lists the others; `--include-missing` installs
them, too. To state it exactly:

    removed_by = \"uninstall\"";
    NoServiceRestart = "RU0609", Note, "items of a role are replaced, but no service of it is restarted",
"Programs such as web services in IIS may keep using the old files until their host restarts. Add
a `restart` step for a service of that role, if the vendor agrees.";
    GroupByAlias = "RU0610", Note, "a group is named by its alias",
"The name is an alias in `deployment.toml`, so the group is found. No action is required.";
    NoSuchProduct = "RU0611", Warning, "the deployment has no such product",
"A prerequisite requires a product that is on no server, so the plan will be refused here. The
name may be misspelled. If the product must be absent, or is one of several alternatives, this is a
note.";
    InstallerOfNoItem = "RU0612", Warning, "a copied installer belongs to no item",
"The step copies an .msi into the share, but no item of the deployment names it as its
`installer`, so nothing would be installed from it. The name is misspelled here or in
`deployment.toml`.";
    InstallerNotInstalled = "RU0613", Warning, "a copied installer is not installed",
"The share gets a new installer, but no later step installs its item, so the old version remains.
Add the item to an `install` step.";
    MissingParameter = "RU0614", Warning, "a required parameter is missing",
"The procedure `needs` a parameter that neither the step nor `[parameters]` of the deployment
sets, so the plan will be refused here:

    parameters.\"Initialize Hosted Email 2007\" = { preferredDomainController = \"dc01\" }";
    NoServers = "RU0615", Note, "a step applies to no server",
"No server of the deployment holds the role, or none of them has the step's platform. The step
does nothing here, but may apply to another deployment.";
    OtherProduct = "RU0616", Warning, "the rollup is for another product or version",
"`product` and `product_versions` of the manifest do not match the deployment, so the plan will be
refused here. One of the names may be misspelled.";
    RequirementRemoved = "RU0617", Warning, "an item or procedure is used while a required item is removed",
"`[requires]` of the deployment says that it requires the other item, which is removed at this
step. Move the step down, or install both in one step, which orders its items by itself.";
    NamedTwice = "RU0618", Warning, "a step names the same thing twice",
"Groups and items have aliases, and an item is also part of its group. Two names in this step mean
the same thing:

    groups = [\"MPS Web Services\", \"Web Services\"]

Perhaps one of them should be another name. Remove it, or correct it.";
    NoCommonServer = "RU0619", Warning, "a step selects servers without its service or item",
"With `on`, a step applies to servers that hold both this role and the role of the service or
item. No server of the deployment holds both, so the step does nothing:

    service = \"IIS\"         # on mps-web
    on = \"sql\"

Remove `on`, since services and items have a role of their own, or correct it.";
    UnlistedItem = "RU0620", Warning, "a prerequisite names an item that the deployment does not list",
"`deployment.toml` lists the whole console, installed or not. A rollup that requires an item which is
not listed does not apply to the deployment, so the plan will be refused here. The name may also be
misspelled. If the item must be absent, or is one of several alternatives, this is a note.";
    SecretInManifest = "RU0621", Error, "a manifest contains a secret",
"The parameter is secret in this deployment: its procedure lists it in `secret`, or its name says so
and `public` does not list it. A manifest is reviewed, copied and stored with its runs, so it cannot
contain a secret. Remove the parameter from the manifest, change the secret, and store its place in
`deployment.toml`:

    [parameters]
    \"Initialize\" = { servicePassword = { env = \"SERVICE_PASSWORD\" } }

If the parameter is not secret, list its name in `public` of the procedure.";

    // A payload against its manifest.
    MissingFile = "RU0701", Error, "a file is missing from the payload",
"The file table lists the file, but the payload directory does not contain it. Unpack the vendor's
download again, and pass the directory into which it was unpacked. For a file that no step
deploys, this is a warning.";
    WrongSize = "RU0702", Error, "a file of the payload has the wrong size",
"The file is truncated or from another edition, or the documented size is mistyped. Unpack the
download again; if the size is still different, compare the row with the article. For a file that
no step deploys, this is a warning.";
    WrongHash = "RU0703", Error, "a file of the payload does not match its pin",
"The size is right, but the SHA-256 differs: the file is damaged, changed or from another edition.
Unpack the download again. If the file is right and the pin is outdated, run `rollup pin` again.
For a file that no step deploys, this is a warning.";
    NotAnInstaller = "RU0704", Error, "a file of the payload is not an installer",
"A step runs the file, or an item is installed from it (without a deployment: a step copies it to
the share); but it is not a Windows Installer package. `rollup inspect` shows its actual kind. For
a file that steps only copy, or that no step deploys, this is a warning.";
    UnusableInstaller = "RU0705", Error, "an installer of the payload cannot be used",
"The Windows Installer package is damaged, unsafe or of an unsupported kind; `rollup inspect`
shows the details. For a file that steps only copy, or that no step deploys, this is a warning.";
    SwappedFiles = "RU0706", Error, "a file of the payload has the name of another one",
"The product in the installer is not that of the item which is installed from it, or the hash is
pinned for another row. Sizes and dates of two files can be equal, so they do not show this.
Rename the files to their own names.";
    NotAFile = "RU0707", Error, "an entry of the payload is not a file",
"The path is a directory, a symbolic link, a device or the like; or one of its directories is a link
or a file; or the name is not UTF-8. rollup follows no links in a payload. Replace the entry by the
file or the directory itself.";
    CaseClash = "RU0708", Error, "two files of the payload differ only in case",
"Names are compared without regard to case, so the row could mean either file, or a file in either
directory. Remove the one that is not from the vendor.";
    ExtraFile = "RU0709", Note, "a file of the payload is not in the file table",
"The file is ignored. If a step should deploy it, add a row to the file table. Of the directories in
a payload, only those are read that the table names.";
    WrongDate = "RU0710", Warning, "a file of the payload has the wrong date",
"A different date can mean another edition; but copying a file and unpacking it in another time
zone change its date, too. If the file is pinned by its hash, this is only a note.";

    // The article.
    ContradictsArticle = "RU0801", Error, "the manifest contradicts its article",
"With `--article` every row of the file table is compared with the lines of the article that name
its file: for example a size with two digits exchanged, or another day. If the article has several
rows of one name, one of them must fit. The finding names both places. Correct the manifest.";
    MissingFromManifest = "RU0802", Error, "a part of the article is missing from the manifest",
"A table or a list of the article names a file that the manifest does not, or a sentence changes a
service that no step names; the latter is a warning. Add the row or the step. If the sentence is
about something else, such as a workaround, ignore the warning.";
    MissingFromArticle = "RU0803", Warning, "a part of the manifest is missing from its article",
"The author may know it from another source. Reported are the files of the table and the numbers of
other rollups; roles, titles and instructions are the author's.";
    ArticleUnclear = "RU0804", Note, "the article is unclear",
"The article mentions files or articles that the manifest does not, but only in sentences: only a
person knows if they belong to the rollup. Check the named line of the article.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}

/// A text that is not a code of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no finding `{0}`; codes look like `RU0201`")]
pub struct UnknownCodeError(String);

impl FromStr for Code {
    type Err = UnknownCodeError;

    fn from_str(text: &str) -> Result<Self, UnknownCodeError> {
        let found = Self::ALL
            .iter()
            .find(|code| code.number().eq_ignore_ascii_case(text));
        found
            .copied()
            .ok_or_else(|| UnknownCodeError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_number_and_they_ascend() {
        assert!(
            Code::ALL
                .windows(2)
                .all(|pair| pair[0].number() < pair[1].number())
        );
        assert_eq!("ru0201".parse(), Ok(Code::NotListed));
        assert!("RU9999".parse::<Code>().is_err());
    }

    #[test]
    fn every_code_is_explained_in_lines_that_fit_a_screen() {
        for code in Code::ALL {
            assert!(code.explanation().lines().count() > 0, "{code}");
            assert!(
                code.explanation()
                    .lines()
                    .all(|line| line.chars().count() <= 100),
                "{code}"
            );
        }
    }
}

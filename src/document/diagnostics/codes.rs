//! The catalogue: every kind of finding once, with the text that `rollup explain` prints.
//!
//! A code never gets a second meaning and is never reused once it is gone, since the build scripts
//! of others name it.

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

            /// Returns the title: a few words on what the finding is about.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }

            /// Returns the level that a finding has by default.
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
"A bracket, a quote or an equals sign is missing or stands in the wrong place:

    kb = KB952076          # a text needs quotes
    kb = \"KB952076\"

While a document has such faults, nothing is said about missing keys or names, since they
may stand in what could not be read. Mend these first and validate again.";
    NewerToml = "RU0002", Error, "the document uses what only TOML 1.1 has",
"Manifests and deployments are TOML 1.0, so that every editor and checker reads them. Newer are:
inline tables over several lines or with a comma at their end, times without seconds, and the
escapes `\\e` and `\\x`.

    { name = \"a.msi\", size = 512, }     # a comma at the end
    { name = \"a.msi\", size = 512 }

Write an inline table on one line, give times their seconds (`18:32:00`), and write
`\\u001B` for `\\e`.";
    ByteOrderMark = "RU0003", Warning, "the document begins with a byte order mark",
"Some editors put the invisible character U+FEFF at the start of a file. It is skipped here, but
other readers of TOML refuse it. Save the file as `UTF-8`, not as `UTF-8 with BOM`.";
    NotUtf8 = "RU0004", Error, "the document is not UTF-8",
"TOML is UTF-8. The file has a byte that cannot stand there, mostly because it was saved in an
older encoding such as Windows-1252. Save it as UTF-8.";
    NulByte = "RU0005", Error, "the document contains a NUL byte",
"No text contains one. The file was saved as UTF-16, is damaged, or is no text at all. Save it
as UTF-8.";
    TooLarge = "RU0006", Error, "the document is too large",
"A document of more than 4 MiB is not read. A manifest with twenty thousand rows and their hashes
has less; the file is probably something else. The same holds for one with more than 333,333
tables, or a million lines and values, and for steps that together select more than some millions
of items.";
    TooDeep = "RU0007", Error, "the document is nested too deeply",
"Tables and lists may stand in each other sixteen deep, and a key may have sixteen parts. The
deepest thing that a manifest or deployment needs is four.";
    Schema = "RU0008", Error, "the schema is missing or unknown",
"Every document says at its top which version of the language it is written in:

    schema = 1

A higher number was written for a newer `rollup`; take that one to read it.";

    // Keys and values.
    UnknownKey = "RU0101", Error, "a key that means nothing here",
"Keys are never ignored, since a misspelled one would silently do nothing:

    [rollup]
    titel = \"...\"          # did you mean `title`?

Correct the spelling, or remove the key.";
    WrongType = "RU0102", Error, "a value of the wrong type",
"Every key has one type:

    files = \"a.msi\"        # a list is wanted, also for one
    files = [\"a.msi\"]

Dates and times have no quotes in TOML.";
    MissingKey = "RU0103", Error, "a key is missing",
"The table cannot do without the key that is named. The help of the finding shows what it looks
like.";
    MisplacedKey = "RU0104", Error, "a key landed in the wrong table",
"In TOML a key belongs to the last header above it, whatever empty lines stand between:

    [[prerequisites]]
    product = \"Exchange Server 2007\"

    title = \"...\"          # meant for [rollup], but this is the prerequisite

Move the line up to its table; the finding says above which line.";
    BadValue = "RU0105", Error, "a value that cannot be",
"The value has the right type but not a form that means something, such as a KB number with
letters in it, a revision that is not numbers joined by dots, or an action that there is none of.
The finding says what would do.";
    Empty = "RU0106", Error, "something is empty that must not be",
"An empty text or list says nothing where it stands. Fill it, or remove the key.";
    BadName = "RU0107", Error, "a name that is not safe as a file name",
"Names of files, directories, items and servers become names on disk, on Windows too. So they have
no path separator, none of the characters that Windows refuses, no dot or space at the end, and
are not `..` nor the name of a device such as `NUL` or `COM1`.

    name = \"sub/a.msi\"     # a file table lists names, not paths";
    DuplicateName = "RU0108", Error, "two things have one name",
"Names are compared without regard to case, as NTFS does, and aliases count as names:

    { name = \"Hosted.msi\" },
    { name = \"hosted.MSI\" },       # the same name again

Rename or remove one of them.";
    LongPath = "RU0109", Warning, "a path longer than many Windows programs can open",
"Programs that know nothing of long paths open at most 260 characters, drive and program directories
included. The path named here has more than 240 before that. Shorten a group or an item.";
    BadTime = "RU0110", Error, "a time that is not UTC to the minute",
"The file table lists times in UTC, and articles document them to the minute:

    modified = 2008-03-31T18:32:00Z

The `Z` says UTC; without it the time would mean another moment on every machine. Seconds are 00.";
    OutOfRange = "RU0111", Error, "a number out of range",
"Sizes are whole numbers from 0 to 9,223,372,036,854,775,807; a service pack has at most nine
digits. No other number means anything there.";
    Unfitting = "RU0112", Error, "a key that does not go with the others",
"Which keys a step takes depends on its action, and those of a prerequisite on what it asks:

    action = \"uninstall\"
    files = [\"a.msi\"]      # files belong to `copy` and `run`

Remove the key, split the step, or correct the action.";
    Contradiction = "RU0113", Error, "two keys that exclude each other",
"Both say the same thing in different ways, and they could differ. Keep one:

    files = [\"a.msi\"]
    others = true          # all files that no other step names";
    HiddenCharacter = "RU0114", Warning, "a name with a character that cannot be seen",
"Names copied from a web page bring non-breaking spaces, soft hyphens and marks without a width.
They look like the right name and are another one. The finding shows them as escapes:

    on = \"mps\\u{a0}engine\"     # a non-breaking space

Type the name anew, with ordinary spaces, and none at its ends.";
    DatesBackwards = "RU0115", Warning, "dates that cannot be in this order",
"A file of a rollup is not younger than the rollup, and nobody reviews an article before it is
there. Mostly a digit of a year or month is wrong:

    released = 2008-04-29
    { name = \"a.msi\", modified = 2018-03-31T18:32:00Z }

Compare both dates with the article.";
    AskedTwice = "RU0116", Warning, "a prerequisite that stands there twice",
"Two prerequisites ask for the same product on the same role, or for the same item. The stricter
one decides, so the other one says nothing. Remove it, or correct its name.";
    OddPlatform = "RU0117", Warning, "a platform spelled almost like another one",
"Platforms are free text, and one that no server has narrows a step to nothing. This one is nearly
`x86`, `x64`, `ia64`, or that of a server, and is none of them:

    platform = \"x46\"       # did you mean `x64`?

Correct the spelling. If there is such a platform, leave the warning.";

    // The file table.
    NotListed = "RU0201", Error, "a file is used but not in the file table",
"Every file that a step copies or runs stands in `[payload] files`, or nothing could be checked
about it. The name is misspelled in the step, or its row is missing:

    files = [\"HostedMail.msi\"]     # did you mean `HostedEmail2007NS.msi`?";
    Unused = "RU0202", Warning, "a file that no step uses",
"The file table documents a file, and no step copies or runs it. The vendor may ship a tool for
special cases, or the steps forgot it. Add it to a step; or say in the row why it is there:

    { name = \"Hmoabupdate.msi\", unused = \"only for ...\" }";
    Twins = "RU0203", Warning, "files that size and date cannot tell apart",
"Two rows have the same size and date, so the file table would not notice if one had the name of
the other. Pin the files with `rollup pin`: a SHA-256 tells them apart, and this becomes a note.";
    OddMsiSize = "RU0204", Warning, "the size of an .msi is no multiple of 512",
"An installer package is made of sectors of 512 bytes, so a size that is no multiple is mostly a
typing mistake. Compare it with the article. If it is right, leave the warning.";
    Spelling = "RU0205", Note, "a step and the file table differ in case",
"Both names mean the same file, since case does not count. A new file gets the step's spelling.
There is nothing to do; make the spellings agree to silence it.";
    Unmeasured = "RU0206", Warning, "a file with neither size nor hash",
"Nothing is known by which a wrong or damaged file would be noticed. Give the row its documented
size, or pin the file with `rollup pin`.";
    Unpinned = "RU0207", Warning, "files without a pinned hash",
"Size and date do not prove what a file contains. `rollup pin MANIFEST --payload DIR` writes the
SHA-256 of each file into `[payload.sha256]`. With `--require-hashes` this is an error.";
    PinOfNothing = "RU0208", Error, "a pin of a file that is not in the file table",
"`[payload.sha256]` pins rows of `[payload] files`, and there is no row of this name. Correct the
name, or remove the pin.";
    UsedAfterAll = "RU0209", Warning, "a file is marked unused, yet a step uses it",
"The row says why no step deploys the file, and a step does. Remove `unused`, or the file from
the step.";
    NotAPackage = "RU0210", Error, "a file that cannot be run",
"`run` installs Windows Installer packages (.msi) outside the console. Nothing else from a payload
is ever executed. Use a `manual` step for a program that a person has to start.";
    SamePin = "RU0211", Warning, "two files are pinned with one hash",
"A SHA-256 belongs to one content, so two rows with the same one are the same file twice. Mostly the
line was copied and only the name changed. Pin the files again with `rollup pin`; if the vendor
ships one file under two names, leave the warning.";

    // Steps.
    NoTargets = "RU0301", Error, "a step without targets",
"The step says what to do but not to what. Give it `items` or `groups`, `files`, or a `service`,
as its action wants.";
    NeverPutBack = "RU0303", Warning, "items are removed and never put back",
"A step uninstalls items that no later step installs, so they are gone after the rollup. If the
rollup retires them, leave the warning; else install them again:

    action = \"install\"
    removed_by = \"uninstall\"       # exactly what that step removed, where it was";
    NeverRemoved = "RU0304", Note, "items are installed that no step removed",
"An `install` puts back what the run removed before. For items that are new with this rollup, or
whose old version the installer replaces, there is nothing to do.";
    RemovedBy = "RU0305", Error, "`removed_by` names no earlier step that removes something",
"`removed_by` installs what an earlier `uninstall` step of the same manifest removed. Name the id
of such a step, above this one.";
    NotTakenBack = "RU0306", Warning, "a service is stopped or disabled and stays so",
"No later step starts (or enables) the service again, so it is down after the rollup. Add a
`start`, `restart` or `enable` step, unless that is meant.";
    CopiedTooLate = "RU0307", Warning, "an installer comes into the share after the step that installs from it",
"An item is installed from the file that lies in the share at that step. Here the `copy` comes
later, so the old version would be installed again. Move the `copy` step up.";
    StartOfDisabled = "RU0308", Warning, "a disabled service is started",
"An earlier step disables the service and none enables it in between. Starting a disabled service
is refused. Add an `enable` step before, or remove the `disable`.";
    RemovedTwice = "RU0309", Warning, "items are removed that are gone already",
"An earlier step uninstalled them and none in between installs them, so there is nothing left to
remove. Remove the names from one of the steps.";
    CopiedTwice = "RU0310", Warning, "a file is copied twice to one place",
"Two steps copy the same file of the payload to the same place; the second one does nothing.
Remove it from one of them, or correct the place.";
    NoWayBack = "RU0311", Note, "a manual step that cannot be taken back",
"Without `undo` nobody knows how to take back what the person did, so from this step on the run
only goes forward: `rollup undo` is refused, and a failure puts back only what came later.
If there is a way back, write it down:

    undo = \"Run DowngradeSchema.sql against PlanManager.\"";
    PutBackTwice = "RU0312", Warning, "items are put back that are back already",
"Two `install` steps have the same `removed_by`, and nothing is removed between them, so the second
one finds everything in place. One of them is a copied line that should name another step:

    removed_by = \"uninstall\"       # in two steps";

    // Relations between rollups.
    SelfRelation = "RU0401", Error, "a rollup that includes, replaces or requires itself",
"A rollup relates to others. Its own number in `includes`, `replaces` or `requires` is mostly a
copied line; put the other rollup's number there.";
    Opposed = "RU0402", Error, "a rollup that is both required and replaced",
"`requires` wants the other rollup in force, `replaces` wants it gone. Remove it from one of the
lists.";
    RelationCycle = "RU0403", Error, "manifests whose relations go in a circle",
"Of the manifests that were validated together, each requires, replaces or includes the next
and the last one the first. No order of applying them satisfies that. One of the links is wrong.";
    IncludesLeftOut = "RU0404", Warning, "an included rollup includes more than is listed",
"A manifest that includes another includes what that one includes, and says so itself, since
relations are read from the manifest at hand and guessed no further:

    includes = [\"KB948755\", \"KB941777\"]     # the second is in the first

List the others too.";
    OtherArticle = "RU0405", Warning, "the address is that of another article",
"The number in `url` is not that of `kb`, so one of them is mistyped. The finding shows both.";
    SameRollup = "RU0406", Warning, "two manifests of one rollup",
"KB number and article revision identify a rollup, and two of the manifests that were validated
together have both in common. Raise the revision of the newer one, or remove the copy.";

    // The deployment.
    Reserved = "RU0501", Error, "a name that rollup keeps for itself",
"At the root of a deployment stand `.rollup`, `Servers`, the installer share, `deployment.toml`
and `applied.toml`; in the directory of an item `files` and `state.toml`. Groups, items and servers
have other names.";
    Overlap = "RU0502", Error, "two directories that lie in each other",
"The directory of an item is replaced as a whole, so nothing else may live in it: an item cannot have
the name of a group beside it. Rename one of them.";
    Cycle = "RU0503", Error, "items that require each other in a circle",
"`[requires]` gives the order in which items are installed, and a circle has none:

    \"A\" = [\"B\"]
    \"B\" = [\"A\"]

Remove the line that is wrong.";
    RequiresProcedure = "RU0504", Error, "something requires a procedure",
"Procedures can require items, but nothing requires a procedure: it runs when a rollup says so and
leaves nothing installed. Require the item instead.";
    UnknownHere = "RU0505", Error, "a name that the deployment does not have",
"Roles, servers, products' servers, services' roles and the names in `[requires]`, `[parameters]`
and `[rehearsal]` must be described in the same file. Correct the spelling, or describe it.";
    SharedInstaller = "RU0506", Warning, "two items are installed from one installer",
"An installer holds one product, and an item is one product. Here two items name the same file, so
one of the names is mostly a copied line.";
    NearParameter = "RU0507", Warning, "a parameter spelled almost like one that is needed",
"A procedure may get more parameters than it `needs`, so no name is refused. This one is nearly one
that the procedure needs, and is not it, so the procedure would not see it:

    parameters.\"Initialize Hosted Email 2007\" = { preferedDomainController = \"dc01\" }

Correct the spelling. If the procedure takes both, leave the warning.";

    // A manifest against a deployment.
    NoSuchGroup = "RU0601", Error, "a group that the deployment does not have",
"The deployment lists its whole console, installed or not, so an unknown path is a mistake. Write
the full path with `/` between its parts, such as `Hosted Exchange/Exchange Provisioning`.";
    NoSuchItem = "RU0602", Error, "an item or procedure that the deployment does not have",
"The deployment lists its whole console, installed or not, so an unknown name is a mistake. If
the article calls it by another name, add that as an alias to `deployment.toml`.";
    NoSuchRole = "RU0603", Error, "a role that the deployment does not have",
"Manifests name roles, never servers. A role that no server holds is no mistake if it stands in
`roles` of `deployment.toml`; this one does not.";
    NoSuchService = "RU0604", Error, "a service that the deployment does not have",
"Services stand in `services` of `deployment.toml`, with their aliases.";
    NotAMember = "RU0605", Error, "an item that is in another group",
"`items.\"GROUP\"` lists direct members of that group, as one sees them in the console after
expanding it. The finding says where the item really is.";
    WrongKind = "RU0606", Error, "a procedure where an item belongs, or the reverse",
"`install` and `uninstall` take items, `initialize` takes procedures. Move the name to a step of
the right action.";
    NotRemovable = "RU0607", Error, "an item that may not be removed",
"`deployment.toml` says `removable = false`: the platform cannot do without it, not even for a
moment. Remove it from the step.";
    Wider = "RU0608", Warning, "a group is installed that is wider than what was removed",
"The step installs a whole group, and the group holds items that no earlier step removed. `apply`
puts back what the run removed and lists the others; `--include-missing` installs them too. To say
it exactly:

    removed_by = \"uninstall\"";
    NoHostRestart = "RU0609", Note, "items on a role are replaced and no service there is restarted",
"Programs may keep the old files loaded until their host restarts, such as web services in IIS.
Add a `restart` step for a service of that role, if the vendor agrees.";
    ByAlias = "RU0610", Note, "a group is named by its other name",
"The name is an alias in `deployment.toml`, so it means the group. There is nothing to do.";
    NoSuchProduct = "RU0611", Warning, "a product that the deployment does not have",
"A prerequisite asks for a product that stands on no server, so the plan will be refused here. It
may be misspelled.";
    InstallsNothing = "RU0612", Warning, "an installer is copied that no item is installed from",
"The step copies an .msi into the share, and no item of the deployment has it as its `installer`.
It would lie there and do nothing. The name is misspelled here or in `deployment.toml`.";
    NotReinstalled = "RU0613", Warning, "a new installer is copied and its item is not installed again",
"The share gets a new installer, and no later step installs the item that it is for, so the old
version stays in place. Add the item to an `install` step.";
    NoAnswer = "RU0614", Warning, "a procedure lacks a parameter",
"The procedure `needs` a parameter. Neither the step gives it nor does `[parameters]` of the
deployment store it, so the plan will be refused here:

    parameters.\"Initialize Hosted Email 2007\" = { preferredDomainController = \"dc01\" }";
    NothingThere = "RU0615", Note, "a step for servers that are not there",
"The role exists and no server of the deployment holds it, or none with the step's platform. The
step does nothing here; in another deployment it may.";
    OtherProduct = "RU0616", Warning, "the rollup is for another product or version",
"`product` and `product_versions` of the manifest are not those of the deployment, so the plan
will be refused here. One of the names may be misspelled.";
    MissingRequirement = "RU0617", Warning, "something is installed or run while an item that it requires is removed",
"`[requires]` of the deployment says that one needs the other, and at this step the other one is
still removed. Move the step down, or install both in one step: a batch finds its own order.";
    NamedTwice = "RU0618", Warning, "a step names one thing twice",
"Groups and items have aliases, and an item is in its group as well. Here two names in one step mean
the same thing:

    groups = [\"MPS Web Services\", \"Web Services\"]

The second one says nothing, so another one may have been meant. Remove it, or correct it.";
    Elsewhere = "RU0619", Warning, "a step for servers that do not have what it is about",
"With `on` a step means servers that hold that role and the one of the service or item as well, and
no server of the deployment holds both. The step does nothing:

    service = \"IIS\"         # on mps-web
    on = \"sql\"

Leave `on` out: a service and an item know their own role. Or correct it.";

    // A payload against its manifest.
    MissingFile = "RU0701", Error, "a file is missing in the payload",
"The file table lists the file, and the directory does not have it. Unpack the vendor's download
again, and give the directory into which it was unpacked. Where no step deploys the file, this is a
warning.";
    WrongSize = "RU0702", Error, "a file of the payload has another size than documented",
"It was cut off, or it is another edition, or the size is mistyped. Unpack the download again; if
the size stays, compare the row with the article. Where no step deploys the file, this is a
warning.";
    WrongHash = "RU0703", Error, "a file of the payload is not the one that is pinned",
"Name and size agree, and the SHA-256 does not: the file is damaged, changed or of another edition.
Unpack the download again. If it is right and the pin is old, pin again with `rollup pin`. Where
no step deploys the file, this is a warning.";
    NoInstaller = "RU0704", Error, "a file of the payload is no installer",
"A step runs the file, an item is installed from it, or its name ends in .msi; and it is no Windows
Installer package. `rollup inspect` tells what was found instead. Where no step deploys the file,
this is a warning.";
    UnusableInstaller = "RU0705", Error, "an installer of the payload cannot be used",
"It is a Windows Installer package, and damaged, unsafe or of a kind that cannot be installed from;
`rollup inspect` tells more. Where no step deploys the file, this is a warning.";
    Swapped = "RU0706", Error, "a file of the payload stands under the name of another one",
"The product inside is not that of the item which is installed from the file, or the hash is the
one pinned for another row. Size and date of two files can be equal, so that nothing else shows
it. Give each file its own name back.";
    NotAFile = "RU0707", Error, "a name of the file table is no file in the payload",
"A directory, a symbolic link, a device or another thing is where the file should be. Nothing of a
payload is ever followed to somewhere else. Put the file itself there.";
    PayloadClash = "RU0708", Error, "two files of the payload differ only in case",
"Names are compared without regard to case, so nobody can tell which of them the row means. Remove
the one that is not the vendor's.";
    ExtraFile = "RU0709", Note, "a file of the payload is in no row",
"It is left alone. If a step should deploy it, its row is missing in the file table.";
    WrongDate = "RU0710", Warning, "a file of the payload has another date than documented",
"Another edition has another date; but copying changes dates too, and so do archives unpacked in
another time zone. Where the file is pinned by its hash, this is only a note.";

    // The article.
    ArticleSaysOtherwise = "RU0801", Error, "the manifest and its article say two things",
"With `--article` the article is read anew and held against the manifest: a size with two digits
exchanged, a step out of its turn, another group. One of the two is wrong, and both places are
named. Correct the manifest; where it says something else on purpose, say why in a comment and
take the finding out with `--allow RU0801`.";
    ArticleSaysMore = "RU0802", Error, "the article says something that the manifest does not",
"A file, an item or a step of the article is missing in the manifest, so that nobody would do it.
Add it; `rollup import` writes a draft to take it from.";
    ArticleSaysLess = "RU0803", Warning, "the manifest says something that its article does not",
"It may be what the author knows from elsewhere. What no article says is never told here: pins,
titles, why a file is unused, how a manual step is taken back.";
    ArticleLeavesOpen = "RU0804", Note, "the article leaves something open",
"What could not be read from the article with certainty is compared with nothing. Look at the line
of the article that is named.";
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

//! A world to try promises on: a deployment, a payload and a manifest in a directory of their own,
//! and the real program.
//!
//! Labs are built once and copied; the program runs in the world's directory, without a terminal.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};

use rollup::deployment::describe;
use rollup::deployment::description::Description;
use rollup::document::{Findings, RenderOptions, Source};
use rollup::manifest::{self, Manifest};
use rollup::names::Digest;
use rollup::rehearse::{
    OnExisting, Origin, SAMPLE, SAMPLE_NAME, build_payload, build_site, prepare,
};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::listing::Listing;

/// What the exit codes mean.
pub(crate) mod exit {
    /// Done, or nothing to do.
    pub(crate) const OK: i32 = 0;
    /// There is something to do.
    pub(crate) const CHANGES: i32 = 2;
    /// A begun commit failed and was put back.
    pub(crate) const UNDONE: i32 = 10;
    /// The deployment is between states.
    pub(crate) const NEEDS_ATTENTION: i32 = 11;
    /// The run is left open.
    pub(crate) const STOPPED: i32 = 12;
    /// Files do not match their table, pin or record.
    pub(crate) const MISMATCH: i32 = 13;
    /// The plan no longer fits.
    pub(crate) const STALE_PLAN: i32 = 14;
    /// A prerequisite or readiness check failed.
    pub(crate) const NOT_READY: i32 = 15;
    /// Superseded, wrong product or version.
    pub(crate) const NOT_APPLICABLE: i32 = 16;
    /// Bad arguments.
    pub(crate) const USAGE: i32 = 64;
    /// A document is not valid.
    pub(crate) const INVALID: i32 = 65;
    /// A path typed on the command line does not exist.
    pub(crate) const NO_INPUT: i32 = 66;
    /// Input or output failed, nothing begun.
    pub(crate) const IO: i32 = 74;
    /// Another process is at work.
    pub(crate) const LOCKED: i32 = 75;
    /// Stopped by the person, nothing open.
    pub(crate) const INTERRUPTED: i32 = 130;
}

/// The shipped manifest, as text.
pub(crate) const KB952076: &str = include_str!("../../manifests/kb952076.toml");
/// Apply the shipped manifest; the directory `KB952076` beside it is the payload.
pub(crate) const APPLY: &str = "apply kb952076.toml --yes";

/// A directory with a deployment, manifests and payloads. Gone when it is dropped.
pub(crate) struct World {
    directory: TempDir,
}

/// A lab that was built once; every world copies it.
struct Template {
    _directory: TempDir,
    deployment: PathBuf,
    payload: PathBuf,
}

/// The sample with the payload of the shipped manifest.
fn sample() -> &'static Template {
    static SAMPLE_LAB: OnceLock<Template> = OnceLock::new();
    SAMPLE_LAB.get_or_init(|| {
        let directory = TempDir::new().expect("a temporary directory");
        let description = description(SAMPLE_NAME, SAMPLE);
        let manifest = parsed("kb952076.toml", KB952076, &description);
        let lab = prepare(
            &manifest,
            &description,
            &directory.path().join("lab"),
            Origin::Built(SAMPLE),
            None,
            OnExisting::Refuse,
            &|| false,
        );
        let lab = lab.expect("the sample can be built");
        Template {
            _directory: directory,
            deployment: lab.deployment,
            payload: lab.payload,
        }
    })
}

/// The deployment of a description, built once for all worlds that have it.
fn site_of(text: &str) -> PathBuf {
    static SITES: Mutex<BTreeMap<Digest, (TempDir, PathBuf)>> = Mutex::new(BTreeMap::new());
    let mut sites = SITES
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let (_, site) = sites.entry(Digest::of(text.as_bytes())).or_insert_with(|| {
        let directory = TempDir::new().expect("a temporary directory");
        let at = directory.path().join("deployment");
        build_site(&description("deployment.toml", text), text, &at)
            .expect("a site that can be built");
        (directory, at)
    });
    site.clone()
}

/// A `deployment.toml` that has no errors.
#[track_caller]
fn description(name: &str, text: &str) -> Description {
    let source = Source::new(name, text);
    let mut findings = Findings::default();
    let description = describe::parse(&source, &mut findings);
    description.unwrap_or_else(|| panic!("{}", findings.text(&source, &RenderOptions::PLAIN)))
}

/// A manifest that has no errors.
#[track_caller]
fn parsed(name: &str, text: &str, description: &Description) -> Manifest {
    let source = Source::new(name, text);
    let mut findings = Findings::default();
    let manifest = manifest::parse(&source, &mut findings);
    let _ = description;
    manifest.unwrap_or_else(|| panic!("{}", findings.text(&source, &RenderOptions::PLAIN)))
}

impl World {
    /// The sample in its state before KB952076, the shipped manifest as `kb952076.toml`, and its
    /// payload.
    pub(crate) fn with_deployment() -> Self {
        let sample = sample();
        let world = Self::copied(&sample.deployment);
        fs::write(world.at("kb952076.toml"), KB952076).expect("written");
        link_files(&sample.payload, &world.at("KB952076"));
        world
    }

    /// A deployment of one's own, built from its `deployment.toml`.
    pub(crate) fn with_site(deployment: &str) -> Self {
        Self::copied(&site_of(deployment))
    }

    fn copied(deployment: &Path) -> Self {
        let world = Self {
            directory: TempDir::new().expect("a temporary directory"),
        };
        copy_tree(deployment, &world.deployment());
        world
    }

    /// Another world that is like this one.
    pub(crate) fn copy(&self) -> Self {
        let world = Self {
            directory: TempDir::new().expect("a temporary directory"),
        };
        copy_tree(self.directory.path(), world.directory.path());
        world
    }

    /// Writes a manifest as `NAME.toml`, and builds its payload beside it where its KB number says.
    #[track_caller]
    pub(crate) fn manifest(self, name: &str, text: &str) -> Self {
        let text_of_site =
            fs::read_to_string(self.at("deployment/deployment.toml")).expect("a deployment");
        let description = description("deployment.toml", &text_of_site);
        let manifest = parsed(name, text, &description);
        fs::write(self.at(&format!("{name}.toml")), text).expect("written");
        let payload = self.at(&manifest.rollup.kb.to_string());
        if !payload.exists() {
            build_payload(&manifest, &description, &payload).expect("a payload that can be built");
        }
        self
    }

    /// A path in the world's directory.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// The deployment.
    pub(crate) fn deployment(&self) -> PathBuf {
        self.at("deployment")
    }

    /// A path in the deployment.
    pub(crate) fn live(&self, path: &str) -> PathBuf {
        self.deployment().join(path)
    }

    /// A text file of the deployment.
    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> String {
        let read = fs::read_to_string(self.live(path));
        read.unwrap_or_else(|error| panic!("cannot read `{path}`: {error}"))
    }

    /// Changes a text of the world: a manifest, or `deployment/deployment.toml`.
    #[track_caller]
    pub(crate) fn edit(self, path: &str, from: &str, to: &str) -> Self {
        let text = fs::read_to_string(self.at(path)).expect("a text");
        assert!(text.contains(from), "`{path}` does not hold `{from}`");
        fs::write(self.at(path), text.replace(from, to)).expect("written");
        self
    }

    /// Takes the pins out of the shipped manifest, so that only name, size and product are known.
    pub(crate) fn without_pins(self) -> Self {
        let text = fs::read_to_string(self.at("kb952076.toml")).expect("a manifest");
        let (before, _) = text
            .split_once("[payload.sha256]")
            .expect("a manifest with pins");
        fs::write(self.at("kb952076.toml"), before).expect("written");
        self
    }

    /// Writes a file of the deployment, and the directories that lead to it.
    pub(crate) fn put(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        let at = self.live(path);
        fs::create_dir_all(at.parent().expect("a path below the deployment")).expect("made");
        fs::write(at, bytes).expect("written");
        self
    }

    /// Gives something in the deployment another name.
    #[track_caller]
    pub(crate) fn rename(self, from: &str, to: &str) -> Self {
        fs::rename(self.live(from), self.live(to))
            .unwrap_or_else(|error| panic!("cannot rename `{from}`: {error}"));
        self
    }

    /// Removes a file or directory of the deployment.
    #[track_caller]
    pub(crate) fn remove(self, path: &str) -> Self {
        let at = self.live(path);
        let removed = if at.is_dir() {
            fs::remove_dir_all(&at)
        } else {
            fs::remove_file(&at)
        };
        removed.unwrap_or_else(|error| panic!("cannot remove `{path}`: {error}"));
        self
    }

    /// Does anything else to the world.
    pub(crate) fn with(self, change: impl FnOnce(&Self)) -> Self {
        change(&self);
        self
    }

    /// The file of the payload that has this name, whatever its case.
    #[track_caller]
    pub(crate) fn payload_file(&self, name: &str) -> PathBuf {
        let entries = fs::read_dir(self.at("KB952076")).expect("a payload");
        let mut paths = entries.map(|entry| entry.expect("an entry").path());
        let found = paths.find(|path| {
            path.file_name()
                .is_some_and(|found| found.eq_ignore_ascii_case(name))
        });
        found.unwrap_or_else(|| panic!("no `{name}` in the payload"))
    }

    /// Changes the bytes of a payload file; its time stays.
    #[track_caller]
    pub(crate) fn change_payload(self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let at = self.payload_file(name);
        let mut bytes = fs::read(&at).expect("a payload file");
        let modified = fs::metadata(&at)
            .and_then(|metadata| metadata.modified())
            .expect("a time");
        change(&mut bytes);
        // The file may be shared with other worlds.
        fs::remove_file(&at).expect("removed");
        fs::write(&at, bytes).expect("written");
        set_modified(&at, modified);
        self
    }

    /// Takes the last bytes of a payload file away.
    #[track_caller]
    pub(crate) fn truncate_payload(self, name: &str) -> Self {
        self.change_payload(name, |bytes| bytes.truncate(bytes.len() - 512))
    }

    /// Removes a payload file.
    #[track_caller]
    pub(crate) fn remove_payload(self, name: &str) -> Self {
        fs::remove_file(self.payload_file(name)).expect("removed");
        self
    }

    /// Gives two payload files each other's name.
    #[track_caller]
    pub(crate) fn swap_payload(self, a: &str, b: &str) -> Self {
        let (a, b, aside) = (self.payload_file(a), self.payload_file(b), self.at("aside"));
        fs::rename(&a, &aside)
            .and_then(|()| fs::rename(&b, &a))
            .and_then(|()| fs::rename(&aside, &b))
            .expect("renamed");
        self
    }

    /// Runs the program with these words, parted by spaces (`'…'` keeps them together), and no
    /// terminal.
    pub(crate) fn run(&self, words: &str) -> Ran<'_> {
        let strict = Listing::strict(&self.deployment());
        let before = Before {
            tree: strict.clone().of_the_deployment(),
            strict,
        };
        let output = self
            .command(words)
            .stdin(Stdio::null())
            .output()
            .expect("the program can be run");
        Ran {
            world: self,
            words: words.to_owned(),
            before,
            output: Told::from(output),
        }
    }

    /// Runs the program at a terminal, at which somebody types all this as soon as it is read.
    pub(crate) fn at_terminal(&self, words: &str, typed: &str) -> Ran<'_> {
        self.talk(words, |terminal, _, told| {
            if told.is_empty() {
                terminal.write_all(typed.as_bytes()).expect("typed");
            }
        })
    }

    /// Runs the program at a terminal, and sends it a signal as soon as it says this.
    pub(crate) fn signalled(&self, words: &str, prompt: &str, signal: Signal) -> Ran<'_> {
        let mut sent = false;
        self.talk(words, move |_, program, told| {
            if !sent && String::from_utf8_lossy(told).contains(prompt) {
                sent = true;
                kill_process(Pid::from_child(program), signal).expect("it is there");
            }
        })
    }

    /// Runs the program at a terminal; `react` is called at first, and whenever it has said more.
    fn talk(&self, words: &str, mut react: impl FnMut(&mut File, &Child, &[u8])) -> Ran<'_> {
        let strict = Listing::strict(&self.deployment());
        let before = Before {
            tree: strict.clone().of_the_deployment(),
            strict,
        };
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours =
            openpt(flags).and_then(|ours| grantpt(&ours).and(unlockpt(&ours)).map(|()| ours));
        let ours = ours.expect("a terminal can be made");
        let name = ptsname(&ours, Vec::new())
            .expect("it has a name")
            .into_string()
            .expect("a plain name");
        let mut ours = File::from(ours);
        let no_control = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
        let theirs = || {
            File::options()
                .read(true)
                .write(true)
                .custom_flags(no_control)
                .open(&name)
                .expect("a terminal")
        };
        let mut command = self.command(words);
        let mut child = command
            .stdin(theirs())
            .stdout(theirs())
            .stderr(theirs())
            .spawn()
            .expect("the program can be run");
        // The other end is closed when nobody but the program has it, and the program has ended.
        drop(command);
        let mut told = Vec::new();
        react(&mut ours, &child, &told);
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = ours.read(&mut chunk) {
            told.extend_from_slice(&chunk[..read]);
            react(&mut ours, &child, &told);
        }
        let code = child.wait().expect("it ended").code();
        let output = Told {
            code,
            stdout: String::from_utf8_lossy(&told).into_owned(),
            stderr: String::new(),
        };
        Ran {
            world: self,
            words: words.to_owned(),
            before,
            output,
        }
    }

    /// The program, not run yet.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollup"));
        command
            .args(split(words))
            .current_dir(self.directory.path());
        command
            .env("ROLLUP_DEPLOYMENT", "deployment")
            .env_remove("ROLLUP_PAYLOAD");
        // Wide, so that no message is broken into lines.
        command
            .env("COLUMNS", "400")
            .env("NO_COLOR", "1")
            .env_remove("CLICOLOR_FORCE");
        command
    }

    /// The directory of a run.
    pub(crate) fn run_directory(&self, name: &str) -> PathBuf {
        self.live(".rollup/runs").join(name)
    }

    /// The plan of a manifest, as `rollup plan` tells it to programs.
    #[track_caller]
    pub(crate) fn plan(&self, words: &str) -> Value {
        self.run(&format!("plan {words} --format json"))
            .exits_with(exit::OK)
            .json()
    }
}

/// What stood before a command.
struct Before {
    tree: Listing,
    strict: Listing,
}

/// What a command said.
struct Told {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Told {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// A command that ran, to be asked what it did.
pub(crate) struct Ran<'w> {
    world: &'w World,
    words: String,
    before: Before,
    output: Told,
}

impl<'w> Ran<'w> {
    /// Everything it said, for the message of a failed assertion.
    fn shown(&self) -> String {
        let Told {
            code,
            stdout,
            stderr,
        } = &self.output;
        format!(
            "`rollup {}` ended with {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}",
            self.words
        )
    }

    /// Ended with this code.
    #[track_caller]
    pub(crate) fn exits_with(self, code: i32) -> Self {
        assert_eq!(self.output.code, Some(code), "{}", self.shown());
        self
    }

    /// Said these words, on either stream; line breaks count as spaces.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(
            self.said(words),
            "it did not say `{words}`\n{}",
            self.shown()
        );
        self
    }

    /// Did not say these words.
    #[track_caller]
    pub(crate) fn does_not_say(self, words: &str) -> Self {
        assert!(!self.said(words), "it said `{words}`\n{}", self.shown());
        self
    }

    /// Whether it said these words.
    pub(crate) fn said(&self, words: &str) -> bool {
        let all = format!("{}\n{}", self.output.stdout, self.output.stderr);
        all.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .contains(words)
    }

    /// Everything but `.rollup` is as it was: names, kinds, bytes, modes, owners, times of files.
    #[track_caller]
    pub(crate) fn tree_is_unchanged(self) -> Self {
        self.before
            .tree
            .assert_same(&Listing::of(&self.world.deployment()));
        self
    }

    /// Not a byte, name, inode or time anywhere in the deployment is another one.
    #[track_caller]
    pub(crate) fn nothing_was_touched(self) -> Self {
        self.before
            .strict
            .assert_same(&Listing::strict(&self.world.deployment()));
        self
    }

    /// What stood before it.
    pub(crate) fn before(&self) -> &Listing {
        &self.before.tree
    }

    /// What stands now.
    pub(crate) fn after(&self) -> Listing {
        Listing::of(&self.world.deployment())
    }

    /// The document on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.output.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}", self.shown()))
    }

    /// Messages alone.
    pub(crate) fn stderr(&self) -> &str {
        &self.output.stderr
    }

    /// Standard output.
    pub(crate) fn stdout(&self) -> &str {
        &self.output.stdout
    }
}

/// Words parted by spaces; single quotes keep some together.
fn split(words: &str) -> Vec<String> {
    let mut split = Vec::new();
    for (at, part) in words.split('\'').enumerate() {
        match at % 2 {
            0 => split.extend(part.split_whitespace().map(str::to_owned)),
            _ => split.push(part.to_owned()),
        }
    }
    split
}

/// Sets the time of the last change of a file.
pub(crate) fn set_modified(at: &Path, modified: std::time::SystemTime) {
    let file = File::options()
        .write(true)
        .open(at)
        .expect("a file that can be opened");
    file.set_times(FileTimes::new().set_modified(modified))
        .expect("a time that can be set");
}

/// Copies a directory with modes and times of its files; empty directories too.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    for entry in WalkDir::new(from) {
        let entry = entry.expect("a readable tree");
        let target = to.join(entry.path().strip_prefix(from).expect("it lies below"));
        let metadata = entry.metadata().expect("it was just listed");
        if metadata.is_dir() {
            fs::create_dir_all(&target).expect("made");
        } else {
            fs::copy(entry.path(), &target).expect("copied");
            set_modified(&target, metadata.modified().expect("a time"));
        }
        fs::set_permissions(&target, metadata.permissions()).expect("a mode that can be set");
    }
}

/// Puts the files of a directory into another one without copying a byte.
fn link_files(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        fs::hard_link(entry.path(), to.join(entry.file_name())).expect("linked");
    }
}

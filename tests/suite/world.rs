//! Worlds that the tests run the real program in: a temporary directory with a deployment, a
//! payload and a manifest.
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
use rollup::phase::Phase;
use rollup::rehearse::{
    LabOrigin, LabProgress, OnExisting, SAMPLE, SAMPLE_NAME, build_payload, build_site, prepare,
};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::claims;
use crate::listing::Listing;
use crate::temporary::temporary;

/// Exit codes of the program.
pub(crate) mod exit {
    /// Done, or nothing to do.
    pub(crate) const OK: i32 = 0;
    /// Any failure that has no code of its own.
    pub(crate) const FAILED: i32 = 1;
    /// A panic, which is a defect.
    pub(crate) const PANICKED: i32 = 101;
    /// Something to do, or a difference.
    pub(crate) const CHANGES: i32 = 2;
    /// A commit that had begun failed and was rolled back.
    pub(crate) const ROLLED_BACK: i32 = 10;
    /// The deployment is between states.
    pub(crate) const NEEDS_ATTENTION: i32 = 11;
    /// The command left its run open.
    pub(crate) const STOPPED: i32 = 12;
    /// Files do not match their table, pin or record.
    pub(crate) const MISMATCH: i32 = 13;
    /// The plan no longer matches the deployment.
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
    /// Another process holds the lock.
    pub(crate) const LOCKED: i32 = 75;
    /// Stopped by the operator, with no run open.
    pub(crate) const INTERRUPTED: i32 = 130;
}

/// Text of the shipped manifest.
pub(crate) const KB952076: &str = include_str!("../../manifests/kb952076.toml");
/// Arguments that apply the shipped manifest; the directory `KB952076` beside it is the payload.
pub(crate) const APPLY: &str = "apply kb952076.toml --yes";

/// Directory with a deployment, manifests and payloads. Dropping it removes it.
pub(crate) struct World {
    directory: TempDir,
}

/// Lab that is built once and copied into every world.
struct SampleLab {
    _directory: TempDir,
    deployment: PathBuf,
    payload: PathBuf,
}

/// Returns the sample with the payload of the shipped manifest.
fn sample() -> &'static SampleLab {
    static SAMPLE_LAB: OnceLock<SampleLab> = OnceLock::new();
    SAMPLE_LAB.get_or_init(|| {
        let directory = temporary();
        let description = description(SAMPLE_NAME, SAMPLE);
        let manifest = parsed("kb952076.toml", KB952076, &description);
        let lab = prepare(
            &[&manifest],
            &description,
            &directory.path().join("lab"),
            LabOrigin::Built(SAMPLE),
            &[],
            OnExisting::Refuse,
            LabProgress {
                phase: &Phase::hidden(),
                is_stopped: &|| false,
            },
        );
        let lab = lab.expect("a sample lab");
        SampleLab {
            _directory: directory,
            deployment: lab.deployment,
            payload: lab.payloads[0].clone(),
        }
    })
}

/// Returns the deployment of a description, built once for all worlds that have it.
fn site_of(text: &str) -> PathBuf {
    static SITES: Mutex<BTreeMap<Digest, (TempDir, PathBuf)>> = Mutex::new(BTreeMap::new());
    let mut sites = SITES
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let (_, site) = sites.entry(Digest::of(text.as_bytes())).or_insert_with(|| {
        let directory = temporary();
        let at = directory.path().join("deployment");
        build_site(&description("deployment.toml", text), text, &at)
            .expect("a site that can be built");
        (directory, at)
    });
    site.clone()
}

/// Parses a `deployment.toml` that has no errors.
#[track_caller]
fn description(name: &str, text: &str) -> Description {
    let source = Source::new(name, text);
    let mut findings = Findings::default();
    let description = describe::parse(&source, &mut findings);
    description.unwrap_or_else(|| panic!("{}", findings.text(&source, &RenderOptions::PLAIN)))
}

/// Parses a manifest that has no errors.
#[track_caller]
fn parsed(name: &str, text: &str, description: &Description) -> Manifest {
    let source = Source::new(name, text);
    let mut findings = Findings::default();
    let manifest = manifest::parse(&source, &mut findings);
    let _ = description;
    manifest.unwrap_or_else(|| panic!("{}", findings.text(&source, &RenderOptions::PLAIN)))
}

impl World {
    /// Makes a world of the sample in its state before KB952076, the shipped manifest as
    /// `kb952076.toml`, and its payload.
    pub(crate) fn with_deployment() -> Self {
        let sample = sample();
        let world = Self::copied(&sample.deployment);
        fs::write(world.at("kb952076.toml"), KB952076).expect("written");
        link_files(&sample.payload, &world.at("KB952076"));
        world
    }

    /// Makes a world with a deployment that is built from this `deployment.toml`.
    pub(crate) fn with_site(deployment: &str) -> Self {
        Self::copied(&site_of(deployment))
    }

    fn copied(deployment: &Path) -> Self {
        let world = Self {
            directory: temporary(),
        };
        copy_tree(deployment, &world.deployment());
        world
    }

    /// Makes a copy of this world.
    pub(crate) fn copy(&self) -> Self {
        let world = Self {
            directory: temporary(),
        };
        copy_tree(self.directory.path(), world.directory.path());
        world
    }

    /// Writes a manifest as `NAME.toml`, and builds its payload beside it, in a directory named
    /// after its KB number.
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

    /// Returns a path in the world's directory.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Returns the root of the deployment.
    pub(crate) fn deployment(&self) -> PathBuf {
        self.at("deployment")
    }

    /// Returns a path in the deployment.
    pub(crate) fn live(&self, path: &str) -> PathBuf {
        self.deployment().join(path)
    }

    /// Reads a text file of the deployment.
    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> String {
        let read = fs::read_to_string(self.live(path));
        read.unwrap_or_else(|error| panic!("cannot read `{path}`: {error}"))
    }

    /// Replaces a part of a text file of the world.
    #[track_caller]
    pub(crate) fn edit(self, path: &str, from: &str, to: &str) -> Self {
        let text = fs::read_to_string(self.at(path)).expect("a text");
        assert!(text.contains(from), "`{path}` does not hold `{from}`");
        fs::write(self.at(path), text.replace(from, to)).expect("written");
        self
    }

    /// Removes the pins from the shipped manifest, so that only name, size and product are known.
    pub(crate) fn without_pins(self) -> Self {
        let text = fs::read_to_string(self.at("kb952076.toml")).expect("a manifest");
        let (before, _) = text
            .split_once("[payload.sha256]")
            .expect("a manifest with pins");
        fs::write(self.at("kb952076.toml"), before).expect("written");
        self
    }

    /// Writes a file of the deployment, and makes its parent directories.
    pub(crate) fn write_file(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        let at = self.live(path);
        fs::create_dir_all(at.parent().expect("a path below the deployment")).expect("made");
        fs::write(at, bytes).expect("written");
        self
    }

    /// Renames a file or directory of the deployment.
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

    /// Makes any other change to the world.
    pub(crate) fn with(self, change: impl FnOnce(&Self)) -> Self {
        change(&self);
        self
    }

    /// Returns the payload file that has this name in any case.
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

    /// Cuts the last bytes off a payload file.
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

    /// Exchanges the names of two payload files.
    #[track_caller]
    pub(crate) fn swap_payload(self, a: &str, b: &str) -> Self {
        let (a, b, spare) = (self.payload_file(a), self.payload_file(b), self.at("spare"));
        fs::rename(&a, &spare)
            .and_then(|()| fs::rename(&b, &a))
            .and_then(|()| fs::rename(&spare, &b))
            .expect("renamed");
        self
    }

    /// Runs the program without a terminal. Arguments are separated by spaces; single quotes keep
    /// words together.
    pub(crate) fn run(&self, arguments: &str) -> CommandRun<'_> {
        self.run_with_output(arguments, Stdio::piped())
    }

    /// Runs the program without a terminal, with this standard output.
    pub(crate) fn run_with_output(&self, arguments: &str, stdout: Stdio) -> CommandRun<'_> {
        let strict = Listing::strict(&self.deployment());
        let before = ListingsBefore {
            tree: strict.clone().without_rollup_directory(),
            strict,
        };
        let output = self
            .command(arguments)
            .stdin(Stdio::null())
            .stdout(stdout)
            .output()
            .expect("the program runs");
        CommandRun::ended(self, arguments, before, CommandOutput::from(output))
    }

    /// Runs the program at a terminal, with all this typed in advance.
    pub(crate) fn at_terminal(&self, arguments: &str, typed: &str) -> CommandRun<'_> {
        self.run_at_terminal(None, arguments, |terminal, _, printed| {
            if printed.is_empty() {
                terminal.write_all(typed.as_bytes()).expect("typed");
            }
        })
    }

    /// Runs the program at a terminal of so many columns.
    pub(crate) fn at_screen(&self, columns: u16, arguments: &str) -> CommandRun<'_> {
        self.run_at_terminal(Some(columns), arguments, |_, _, _| {})
    }

    /// Runs the program at a terminal, and sends it a signal as soon as it prints `prompt`.
    pub(crate) fn signalled(
        &self,
        arguments: &str,
        prompt: &str,
        signal: Signal,
    ) -> CommandRun<'_> {
        let mut sent = false;
        self.run_at_terminal(None, arguments, move |_, program, printed| {
            if !sent && String::from_utf8_lossy(printed).contains(prompt) {
                sent = true;
                kill_process(Pid::from_child(program), signal).expect("a running program");
            }
        })
    }

    /// Runs the program at a terminal, and types `keys` as soon as it prints `text`.
    pub(crate) fn typed_after(&self, arguments: &str, text: &str, keys: &str) -> CommandRun<'_> {
        let mut typed = false;
        self.run_at_terminal(None, arguments, move |terminal, _, printed| {
            if !typed && String::from_utf8_lossy(printed).contains(text) {
                typed = true;
                terminal.write_all(keys.as_bytes()).expect("typed");
            }
        })
    }

    /// Runs the program at a terminal; calls `on_output` at the start and after all output.
    fn run_at_terminal(
        &self,
        columns: Option<u16>,
        arguments: &str,
        mut on_output: impl FnMut(&mut File, &Child, &[u8]),
    ) -> CommandRun<'_> {
        let strict = Listing::strict(&self.deployment());
        let before = ListingsBefore {
            tree: strict.clone().without_rollup_directory(),
            strict,
        };
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let controller =
            openpt(flags).and_then(|pty| grantpt(&pty).and(unlockpt(&pty)).map(|()| pty));
        let controller = controller.expect("a terminal can be made");
        if let Some(ws_col) = columns {
            let size = rustix::termios::Winsize {
                ws_row: 50,
                ws_col,
                ws_xpixel: 0,
                ws_ypixel: 0,
            };
            rustix::termios::tcsetwinsize(&controller, size).expect("a size");
        }
        let name = ptsname(&controller, Vec::new())
            .expect("the name of the terminal")
            .into_string()
            .expect("a name in UTF-8");
        let mut controller = File::from(controller);
        let no_control = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
        let open_terminal = || {
            File::options()
                .read(true)
                .write(true)
                .custom_flags(no_control)
                .open(&name)
                .expect("a terminal")
        };
        let mut command = self.command(arguments);
        let mut child = command
            .stdin(open_terminal())
            .stdout(open_terminal())
            .stderr(open_terminal())
            .spawn()
            .expect("the program runs");
        // The terminal must be closed as soon as the program has ended, so this process keeps no
        // handle of it.
        drop(command);
        let mut printed = Vec::new();
        on_output(&mut controller, &child, &printed);
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = controller.read(&mut chunk) {
            printed.extend_from_slice(&chunk[..read]);
            on_output(&mut controller, &child, &printed);
        }
        let code = child.wait().expect("the exit status").code();
        let output = CommandOutput {
            code,
            stdout: String::from_utf8_lossy(&printed).into_owned(),
            stderr: String::new(),
            is_at_terminal: true,
        };
        CommandRun::ended(self, arguments, before, output)
    }

    /// Returns the command of a program that is not started yet.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollup"));
        command
            .args(split(arguments))
            .current_dir(self.directory.path());
        command
            .env("ROLLUP_DEPLOYMENT", "deployment")
            .env_remove("ROLLUP_PAYLOAD");
        // Wide enough for every message to stay on one line.
        command
            .env("COLUMNS", "400")
            .env("NO_COLOR", "1")
            .env("ROLLUP_TEST_TOKEN", "S3cr3t-variable")
            .env("ROLLUP_TEST_EMPTY", "")
            .env_remove("SUDO_USER")
            .env_remove("CLICOLOR_FORCE");
        command
    }

    /// Returns the directory of a run.
    pub(crate) fn run_directory(&self, name: &str) -> PathBuf {
        self.live(".rollup/runs").join(name)
    }

    /// Returns the JSON document of `rollup plan` for a manifest.
    #[track_caller]
    pub(crate) fn plan(&self, arguments: &str) -> Value {
        self.run(&format!("plan {arguments} --format json"))
            .exits_with(exit::OK)
            .json()
    }
}

/// State of the deployment before a command.
struct ListingsBefore {
    tree: Listing,
    strict: Listing,
}

/// Exit code and output of a command.
struct CommandOutput {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    is_at_terminal: bool,
}

impl From<Output> for CommandOutput {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            is_at_terminal: false,
        }
    }
}

/// Command that has ended, with assertions about it.
pub(crate) struct CommandRun<'w> {
    world: &'w World,
    arguments: String,
    before: ListingsBefore,
    output: CommandOutput,
}

impl<'w> CommandRun<'w> {
    /// Checks the claims of a command that failed, whatever the test is about.
    fn ended(
        world: &'w World,
        arguments: &str,
        before: ListingsBefore,
        output: CommandOutput,
    ) -> Self {
        let run = Self {
            world,
            arguments: arguments.to_owned(),
            before,
            output,
        };
        claims::check(&run);
        run
    }

    /// Returns everything that the command printed, and its exit code.
    pub(crate) fn printed(&self) -> (String, Option<i32>) {
        let CommandOutput {
            code,
            stdout,
            stderr,
            ..
        } = &self.output;
        (format!("{stdout}\n{stderr}"), *code)
    }

    /// Returns whether the command could prompt.
    pub(crate) fn is_at_terminal(&self) -> bool {
        self.output.is_at_terminal
    }

    /// Returns the world and the arguments of the command.
    pub(crate) fn world_and_arguments(&self) -> (&'w World, &str) {
        (self.world, &self.arguments)
    }

    /// Returns the command with its code and output, for the message of a failed assertion.
    pub(crate) fn description(&self) -> String {
        let CommandOutput {
            code,
            stdout,
            stderr,
            ..
        } = &self.output;
        format!(
            "`rollup {}` exited with {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}",
            self.arguments
        )
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits_with(self, code: i32) -> Self {
        assert_eq!(self.output.code, Some(code), "{}", self.description());
        self
    }

    /// Asserts that one of the streams has these words; line breaks count as spaces.
    #[track_caller]
    pub(crate) fn prints(self, words: &str) -> Self {
        assert!(
            self.output_contains(words),
            "`{words}` is not in the output\n{}",
            self.description()
        );
        self
    }

    /// Asserts that neither stream has these words.
    #[track_caller]
    pub(crate) fn does_not_print(self, words: &str) -> Self {
        assert!(
            !self.output_contains(words),
            "`{words}` is in the output\n{}",
            self.description()
        );
        self
    }

    /// Returns true if these words are in the output.
    pub(crate) fn output_contains(&self, words: &str) -> bool {
        let all = format!("{}\n{}", self.output.stdout, self.output.stderr);
        all.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .contains(words)
    }

    /// Asserts that everything but `.rollup` is as before: names, kinds, bytes, modes, owners and
    /// times of files.
    #[track_caller]
    pub(crate) fn tree_is_unchanged(self) -> Self {
        self.before
            .tree
            .assert_same(&Listing::of(&self.world.deployment()));
        self
    }

    /// Asserts that no byte, name, inode or time anywhere in the deployment has changed.
    #[track_caller]
    pub(crate) fn nothing_was_touched(self) -> Self {
        self.before
            .strict
            .assert_same(&Listing::strict(&self.world.deployment()));
        self
    }

    /// Returns the deployment as it was before the command.
    pub(crate) fn before(&self) -> &Listing {
        &self.before.tree
    }

    /// Reads the deployment as it is now.
    pub(crate) fn after(&self) -> Listing {
        Listing::of(&self.world.deployment())
    }

    /// Parses the document on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.output.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}", self.description()))
    }

    /// Returns standard error.
    pub(crate) fn stderr(&self) -> &str {
        &self.output.stderr
    }

    /// Returns standard output.
    pub(crate) fn stdout(&self) -> &str {
        &self.output.stdout
    }
}

/// Splits arguments at spaces; single quotes keep words together.
fn split(arguments: &str) -> Vec<String> {
    let mut split = Vec::new();
    for (at, part) in arguments.split('\'').enumerate() {
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

/// Copies a directory with modes and times of its files; links and empty directories too, but neither
/// pipes nor sockets.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    for entry in WalkDir::new(from) {
        let entry = entry.expect("a readable tree");
        let below = entry.path().strip_prefix(from).expect("a path below");
        let target = to.join(below);
        let metadata = entry.metadata().expect("metadata");
        if metadata.is_symlink() {
            let link = fs::read_link(entry.path()).expect("a link");
            std::os::unix::fs::symlink(link, &target).expect("linked");
            continue;
        }
        if metadata.is_dir() {
            fs::create_dir_all(&target).expect("made");
        } else if metadata.is_file() {
            fs::copy(entry.path(), &target).expect("copied");
            set_modified(&target, metadata.modified().expect("a time"));
        } else {
            continue;
        }
        fs::set_permissions(&target, metadata.permissions()).expect("a mode that can be set");
    }
}

/// Makes a new directory with hard links to the files of another one.
fn link_files(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        fs::hard_link(entry.path(), to.join(entry.file_name())).expect("linked");
    }
}

//! A user who owns an item, and exchanges what is in it for links, FIFOs and directories while rollup
//! works on the deployment as root; and mounts that come and go there.
//!
//! `ROLLUP_NEIGHBOUR_SECONDS` sets how long; the sample in the tests takes a few seconds.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::lchown;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::listing::Listing;
use crate::small::{UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

/// User who owns the item.
const NEIGHBOUR: u32 = 65534;

/// Time of one round.
const ROUND: Duration = Duration::from_secs(4);

/// Number of times that a command ended with an exit code.
type Codes = BTreeMap<(&'static str, i32), usize>;

/// Content outside of the deployment that nobody may read through it.
const SECRET: &str = "what lies outside";

/// Puts objects of another kind in the place of the item's files, of the record, of the directory, and of
/// the whole item, each for a moment. Every path is opened anew.
const EXCHANGE: &str = r#"
cd /
swap() {
  local at=$1 kind=$2
  [ -e "$at" ] || return
  mv -T "$at" "$aside" 2>/dev/null || return
  case $kind in
    0) ln -s "$outside/secret" "$at" ;;
    1) ln -s "$outside" "$at" ;;
    2) mkfifo "$at" ;;
    3) mkdir -p "$at/more" ;;
    4) cp -r "$aside" "$at"; echo more >>"$at" ;;
    5) ln "$aside" "$at" ;;
  esac 2>/dev/null
  sleep 0.00$((RANDOM % 9))
  # A mount may be in the way, or the directory above may have moved.
  for try in {1..200}; do
    rm -rf "$at" 2>/dev/null
    mv -T "$aside" "$at" 2>/dev/null && return
    sleep 0.01
  done
  rm -rf "$aside"
}
aside=$item/../aside
while :; do
  for at in "$item"/files/* "$item/state.toml" "$item/files"; do
    swap "$at" $((RANDOM % 6))
    sleep 0.0$((RANDOM % 9))
  done
done 2>/dev/null
"#;

/// Mounts something in the item, for a moment each time.
const MOUNT: &str = r#"
while :; do
  for at in "$item/files" "$item" "$item"/files/*; do
    if [ -d "$at" ] && [ ! -L "$at" ]; then mount -t tmpfs none "$at"; else mount --bind "$outside/secret" "$at"; fi
    sleep 0.0$((RANDOM % 9))
    umount -l "$at"
    sleep $((RANDOM % 3))
  done
done 2>/dev/null
"#;

struct Neighbour(Child);

impl Drop for Neighbour {
    fn drop(&mut self) {
        // The process may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn seconds() -> u64 {
    let given = std::env::var("ROLLUP_NEIGHBOUR_SECONDS").ok();
    given.map_or(8, |given| given.parse().expect("a number of seconds"))
}

/// Runs a command to its end; one that waits for a FIFO never ends.
fn run(world: &World, arguments: &str) -> (i32, String) {
    let mut command = Command::new("timeout");
    let of_program = world.command(arguments);
    command.args(["--signal=KILL", "60"]);
    command
        .arg(of_program.get_program())
        .args(of_program.get_args());
    for (name, value) in of_program.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.current_dir(world.at("")).stdin(Stdio::null());
    let output = command.output().expect("it can be run");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let code = output.status.code();
    (
        code.unwrap_or_else(|| panic!("`{arguments}` was killed: {text}")),
        text,
    )
}

/// Unmounts whatever is still mounted. A link that was put in the place of a directory at the right moment
/// leads a mount out of the deployment.
fn unmount_all(world: &World) {
    let inside = world.at("").display().to_string();
    let left = || {
        let table = fs::read_to_string("/proc/self/mountinfo").expect("the mounts");
        // Blanks are escaped there.
        let mounts = table.lines().filter_map(|line| line.split(' ').nth(4));
        let mut mounts = mounts.map(|at| at.replace("\\040", " "));
        mounts.rfind(|at| at.starts_with(&inside))
    };
    // One that is unmounted takes those below it along.
    for _ in 0..1_000 {
        let Some(at) = left() else { return };
        let unmounted = Command::new("umount").args(["-l", &at]).output();
        unmounted.expect("umount can be run");
    }
    panic!("{:?} is still mounted", left());
}

#[test]
#[ignore = "needs root and mounts"]
fn a_neighbour_who_exchanges_files_reaches_nothing_outside_and_every_run_comes_to_rest() {
    let end = Instant::now() + Duration::from_secs(seconds());
    let mut codes = Codes::new();
    // What the neighbour changes for good is found by every later command, so rounds are short.
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        try_for(left.min(ROUND), &mut codes);
    }
    print_codes(&codes);
}

#[expect(clippy::print_stderr, reason = "a campaign is run by hand")]
fn print_codes(codes: &Codes) {
    eprintln!("exit codes: {codes:?}");
}

/// Works on a new deployment beside a neighbour.
fn try_for(time: Duration, codes: &mut Codes) {
    let world = small_world(UPDATE_PROVIDER);
    let outside = world.at("outside");
    fs::create_dir(&outside).expect("made");
    fs::write(outside.join("secret"), SECRET).expect("written");
    let outside_before = Listing::of(&outside);
    let things = world.live("Things");
    for entry in walkdir::WalkDir::new(&things) {
        lchown(entry.expect("read").path(), Some(NEIGHBOUR), None).expect("given");
    }
    for at in ["", "deployment"] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(world.at(at), mode).expect("a mode");
    }
    let mut neighbour = Command::new("setpriv");
    neighbour
        .args([
            &format!("--reuid={NEIGHBOUR}"),
            "--clear-groups",
            "bash",
            "-c",
        ])
        .arg(EXCHANGE)
        .env("item", things.join("Provider"))
        .env("outside", &outside);
    let neighbour = Neighbour(neighbour.spawn().expect("setpriv and bash"));
    let mut mounting = Command::new("bash");
    mounting
        .args(["-c", MOUNT])
        .env("item", things.join("Provider"))
        .env("outside", &outside);
    let mounting = Neighbour(mounting.spawn().expect("bash"));

    let commands = [
        "plan small.toml",
        "apply small.toml --yes",
        "verify",
        "undo last --yes",
        "stage small.toml --yes",
        "resume --yes",
        "status",
        "undo --yes",
        "rehearse small.toml -d deployment --lab lab --replace",
        "report last",
    ];
    let end = Instant::now() + time;
    for command in commands.iter().cycle() {
        if Instant::now() > end {
            break;
        }
        let (code, text) = run(&world, command);
        assert_ne!(code, exit::PANICKED, "{command}: {text}");
        assert!(!text.contains(SECRET), "{command}: {text}");
        *codes.entry((command, code)).or_default() += 1;
    }
    drop(neighbour);
    drop(mounting);
    unmount_all(&world);
    // What the neighbour had put aside when he was stopped.
    let aside = things.join("aside");
    let is_aside = fs::symlink_metadata(&aside).is_ok();

    let (code, text) = run(&world, "status");
    if code != exit::OK {
        let forward = run(&world, "resume --yes");
        let back = match forward.0 {
            exit::OK => forward.clone(),
            _ => run(&world, "undo --yes"),
        };
        let ended = [&forward, &back].map(|(code, _)| *code);
        assert!(
            ended.contains(&exit::OK) || is_aside,
            "{text}\nresume: {}\nundo: {}",
            forward.1,
            back.1
        );
    }
    outside_before.assert_same(&Listing::of(&outside));
    for entry in walkdir::WalkDir::new(world.deployment()) {
        let entry = entry.expect("read");
        if entry.file_type().is_file() {
            let bytes = fs::read(entry.path()).expect("read");
            let is_copied = bytes
                .windows(SECRET.len())
                .any(|part| part == SECRET.as_bytes());
            assert!(
                !is_copied,
                "{} was read from outside",
                entry.path().display()
            );
        }
    }
}

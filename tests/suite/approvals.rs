//! Approvals: statements that people sign, without which a deployment with `[approval]` takes no plan.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::signing::{APPROVAL, Key, MANIFEST};
use crate::small::{SMALL, UPDATE_PROVIDER, small};
use crate::world::{CommandRun, World, exit};

const ALICE: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;

/// Time to come.
const UNTIL: &str = "--until 2099-12-31T22:00:00Z";

/// Returns a file of signers with a line for each of these people.
fn signers(lines: &[(&str, u8)]) -> String {
    let lines = lines
        .iter()
        .map(|(name, person)| format!("{name} {}\n", Key::of(*person).public()));
    lines.collect()
}

/// Makes a world that requires two of three people, with a saved plan.
fn board_of_three() -> World {
    board(&signers(&[
        ("alice@example.com", ALICE),
        ("bob@example.com", BOB),
        ("carol@example.com", CAROL),
    ]))
}

fn board(signers: &str) -> World {
    let site = format!("{SMALL}\n[approval]\nrequired = 2\nsigners = \"allowed_signers\"\n");
    let world = World::with_site(&site)
        .manifest("small", &small("KB100001", UPDATE_PROVIDER))
        .write_file("allowed_signers", signers);
    world
        .run("plan small.toml --save plan.json")
        .exits_with(exit::OK)
        .prints("require the approval of 2 different people of `allowed_signers`")
        .prints("next: rollup approve plan.json");
    world
}

/// Writes a statement for the saved plan, and signs it.
fn approve(world: &World, name: &str, person: u8, options: &str) {
    world
        .run(&format!("approve plan.json {options} -o {name}"))
        .exits_with(exit::OK)
        .nothing_was_touched();
    sign(world, name, person, APPROVAL);
}

fn sign(world: &World, name: &str, person: u8, namespace: &str) {
    let text = fs::read_to_string(world.at(name)).expect("a statement");
    let signature = Key::of(person).sign(namespace, &text);
    fs::write(world.at(&format!("{name}.sig")), signature).expect("written");
}

fn apply<'w>(world: &'w World, approvals: &str) -> CommandRun<'w> {
    world.run(&format!("apply plan.json --yes {approvals}"))
}

#[track_caller]
fn refuses<'w>(world: &'w World, approvals: &str, reason: &str) -> CommandRun<'w> {
    apply(world, approvals)
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged()
        .prints(reason)
}

#[test]
fn the_statement_names_what_is_approved() {
    let world = board_of_three();
    let run = world
        .run("approve plan.json --until 2099-12-31T23:00:00+01:00")
        .exits_with(exit::OK)
        .nothing_was_touched();
    let plan: Value =
        serde_json::from_slice(&fs::read(world.at("plan.json")).expect("a plan")).expect("JSON");
    let digest = plan["digest"].as_str().expect("a digest");
    assert_eq!(
        run.stdout(),
        format!(
            "rollup approval 1\ndeployment small\nrollup KB100001 revision 1.0\nplan {digest}\nuntil \
             2099-12-31T22:00:00Z\n"
        )
    );
    assert!(run.stderr().contains("A small rollup"), "{}", run.stderr());
    world
        .run("approve plan.json -o alice")
        .exits_with(exit::OK)
        .prints(
            "next: sign it: `ssh-keygen -Y sign -n rollup-approval@1 -f ~/.ssh/id_ed25519 alice`",
        );
    let text = fs::read_to_string(world.at("alice")).expect("a statement");
    assert!(text.ends_with("\nuntil none\n"), "{text}");
    for (until, why) in [
        ("2020-01-01T00:00:00Z", "is in the past"),
        ("tomorrow", "write it with its seconds"),
        ("2099-12-31T22:00:00.5Z", "write it in whole seconds"),
    ] {
        world
            .run(&format!("approve plan.json --until {until}"))
            .exits_with(exit::USAGE)
            .prints(why);
    }
    world
        .run("approve missing.json")
        .exits_with(exit::NO_INPUT)
        .prints("`missing.json` does not exist");
    world
        .run("approve small.toml")
        .exits_with(exit::INVALID)
        .prints("is not a saved plan");
}

#[test]
fn two_of_three_approve() {
    let world = board_of_three();
    refuses(
        &world,
        "",
        "the approval of 2 different people of `allowed_signers` is required; given by no one; others who \
         can give it now: alice@example.com, bob@example.com, carol@example.com",
    );
    approve(&world, "alice", ALICE, UNTIL);
    approve(&world, "bob", BOB, "");
    refuses(
        &world,
        "--approval alice",
        "given by alice@example.com; others who can give it now: bob@example.com, carol@example.com",
    );
    refuses(
        &world,
        "--approval alice --dry-run",
        "the approval of 2 different people of `allowed_signers` is required",
    );
    apply(&world, "--approval alice --approval bob --dry-run")
        .exits_with(exit::OK)
        .nothing_was_touched();
    apply(&world, "--approval alice --approval bob").exits_with(exit::OK);
    let run = world.run_directory("0001-KB100001");
    for (kept, own) in [
        ("approvals/1", "alice"),
        ("approvals/1.sig", "alice.sig"),
        ("approvals/2", "bob"),
        ("approvals/2.sig", "bob.sig"),
    ] {
        let [kept, own] = [run.join(kept), world.at(own)].map(|path| fs::read(path).expect("kept"));
        assert_eq!(kept, own);
    }
    let alice = "approved by alice@example.com with the ssh-ed25519 key SHA256:";
    for command in [
        "history",
        "history 1",
        "report 1",
        "report 1 --format markdown",
    ] {
        world
            .run(command)
            .exits_with(exit::OK)
            .prints(alice)
            .prints("approved by bob@example.com")
            .prints("until 2099-12-31T22:00:00Z");
    }
    world
        .run("report 1 --format html")
        .exits_with(exit::OK)
        .prints("approved by alice@example.com");
    let report = world
        .run("report 1 --format json")
        .exits_with(exit::OK)
        .json();
    let approvals = &report["report"]["signatures"]["approvals"];
    assert_eq!(approvals[0]["names"][0], "alice@example.com");
    assert_eq!(approvals[1]["names"][0], "bob@example.com");
    let events = fs::read_to_string(run.join("events.ndjson")).expect("events");
    assert!(events.contains("alice@example.com"));
    let history = world
        .run("history --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(history["runs"][0]["signatures"]["approvals"], *approvals);
}

#[test]
fn an_approval_that_does_not_count_is_refused_by_name() {
    let world = board(&signers(&[
        ("alice@example.com", ALICE),
        ("bob@example.com", BOB),
        ("carol@example.com valid-before=\"20200101\"", CAROL),
        ("alice@example.com,dave", 4),
        ("*@example.com", 5),
        ("frank namespaces=\"git\"", 6),
    ]));
    approve(&world, "alice", ALICE, UNTIL);
    for (person, why) in [
        (
            ALICE,
            "given by alice@example.com alias dave; others who can give it now: bob@example.com",
        ),
        (
            CAROL,
            "its key is not valid at this time (line 3 of the signers)",
        ),
        // One person with two keys counts once.
        (
            4,
            "given by alice@example.com alias dave; others who can give it now: bob@example.com",
        ),
        (
            5,
            "its key is listed for a pattern, which names no person (line 5 of the signers)",
        ),
        (
            6,
            "its key is not listed for `rollup-approval@1` (line 6 of the signers)",
        ),
        (7, "is not among the signers"),
    ] {
        approve(&world, "other", person, UNTIL);
        refuses(&world, "--approval alice --approval other", why);
    }
    let statement = fs::read_to_string(world.at("alice")).expect("a statement");
    let changed = |text: String, why: &str| {
        fs::write(world.at("other"), text).expect("written");
        sign(&world, "other", BOB, APPROVAL);
        refuses(&world, "--approval alice --approval other", why);
    };
    changed(
        statement.replace("deployment small", "deployment large"),
        "it approves a plan for the deployment large, and this one is small",
    );
    changed(
        statement.replace("KB100001", "KB100002"),
        "it approves KB100002 revision 1.0, and the plan is of KB100001 revision 1.0",
    );
    changed(
        statement.replace("until 2099", "until 2020"),
        "it was valid until 2020-12-31T22:00:00Z",
    );
    changed(
        statement.replace('\n', "\r\n"),
        "line ends, blanks or spellings differ",
    );
    changed(
        "hello\n".to_owned(),
        "it does not begin with the line `rollup approval 1`",
    );
    let digit = |digit| if digit == '0' { '1' } else { '0' };
    let at = statement.find("plan ").expect("a plan") + 5;
    let mut other = statement.clone();
    let first = other.remove(at);
    other.insert(at, digit(first));
    changed(other, "and the plan now has the digest");
    // A letter that was changed after the signature.
    fs::write(world.at("other"), statement.replace("2099", "2098")).expect("written");
    fs::copy(world.at("alice.sig"), world.at("other.sig")).expect("copied");
    refuses(
        &world,
        "--approval other",
        "what was signed is another text",
    );
    // A signature for another purpose.
    sign(&world, "alice", ALICE, "git");
    refuses(
        &world,
        "--approval alice",
        "it was made in the namespace `git`",
    );
    apply(&world, "--approval alice.sig")
        .exits_with(exit::USAGE)
        .nothing_was_touched()
        .prints("`alice.sig` is a signature");
}

#[test]
fn files_that_are_missing_or_not_understood_are_named() {
    let world = board_of_three();
    world.run("approve plan.json -o alice").exits_with(exit::OK);
    apply(&world, "--approval alice")
        .exits_with(exit::NO_INPUT)
        .prints("the approval `alice` is not signed")
        .prints("ssh-keygen -Y sign -n rollup-approval@1");
    apply(&world, "--approval missing")
        .exits_with(exit::NO_INPUT)
        .prints("there is no file `missing`");
    approve(&world, "alice", ALICE, "");
    let world = world.write_file(
        "allowed_signers",
        format!("alice verify-required {}\n", Key::of(ALICE).public()),
    );
    refuses(
        &world,
        "--approval alice",
        "line 1: the option `verify-required` is not understood",
    );
    let world = world.remove("allowed_signers");
    refuses(
        &world,
        "--approval alice",
        "allowed_signers` does not exist",
    );
    std::os::unix::fs::symlink("/etc/passwd", world.live("allowed_signers")).expect("a link");
    refuses(&world, "--approval alice", "the signers cannot be read");
}

#[test]
fn an_approval_is_used_up_by_the_run_that_finishes_with_it() {
    let world = board_of_three();
    approve(&world, "alice", ALICE, UNTIL);
    approve(&world, "bob", BOB, UNTIL);
    approve(&world, "carol", CAROL, "");
    let both = "--approval alice --approval bob";
    // A run that stops and is rolled back uses nothing.
    apply(&world, &format!("{both} --stop-before install")).exits_with(exit::STOPPED);
    world
        .run("status")
        .exits_with(exit::STOPPED)
        .prints("approved by alice@example.com");
    world.run("undo --yes").exits_with(exit::OK);
    apply(&world, both).exits_with(exit::OK);
    // An undo needs no approval.
    world.run("undo last --yes").exits_with(exit::OK);
    refuses(
        &world,
        both,
        "it was used by run 0002-KB100001; approve the plan again, with another `--until`",
    );
    approve(&world, "alice", ALICE, "--until 2098-12-31T22:00:00Z");
    apply(&world, "--approval alice --approval carol").exits_with(exit::OK);
}

#[test]
fn a_used_approval_stays_used_if_the_journal_is_damaged() {
    let world = board_of_three();
    approve(&world, "alice", ALICE, UNTIL);
    approve(&world, "bob", BOB, UNTIL);
    let both = "--approval alice --approval bob";
    apply(&world, both).exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::OK);
    let journal = world.run_directory("0001-KB100001").join("journal");
    let text = fs::read_to_string(&journal).expect("a journal");
    fs::write(&journal, text.replacen("opened", "opened?", 1)).expect("written");
    refuses(&world, both, "it was used by run 0001-KB100001");
}

#[test]
fn a_reason_stands_in_for_the_approvals_and_is_shown_everywhere() {
    let world = board_of_three();
    apply(&world, "--without-approval ' '").exits_with(exit::USAGE);
    approve(&world, "alice", ALICE, "");
    apply(&world, "--approval alice --without-approval urgent").exits_with(exit::USAGE);
    apply(&world, "--without-approval 'the mail is down'").exits_with(exit::OK);
    for command in ["history", "history 1", "report 1", "report 1 --format html"] {
        world
            .run(command)
            .exits_with(exit::OK)
            .prints("begun WITHOUT APPROVAL: the mail is down");
    }
}

#[test]
fn a_staged_run_keeps_its_approvals_and_they_are_checked_again() {
    let world = board_of_three();
    world
        .run("stage plan.json --yes")
        .exits_with(exit::NOT_READY);
    approve(&world, "alice", ALICE, "");
    approve(&world, "bob", BOB, "");
    let both = "--approval alice --approval bob";
    world
        .run(&format!("stage plan.json --yes {both}"))
        .exits_with(exit::OK);
    // No other approval can be added.
    approve(&world, "carol", CAROL, "");
    apply(&world, "--approval carol")
        .exits_with(exit::NOT_READY)
        .prints("run 0001-KB100001 is staged with other approvals");
    apply(&world, "--without-approval urgent")
        .exits_with(exit::NOT_READY)
        .prints("run 0001-KB100001 is staged with other approvals");
    // Bob left the board.
    let all = world.read("allowed_signers");
    let without_bob = signers(&[("alice@example.com", ALICE), ("carol@example.com", CAROL)]);
    let world = world.write_file("allowed_signers", &without_bob);
    for command in [
        "resume --yes",
        "apply plan.json --yes",
        &format!("apply plan.json --yes {both}"),
    ] {
        world
            .run(command)
            .exits_with(exit::NOT_READY)
            .tree_is_unchanged()
            .prints("is not among the signers");
    }
    let world = world.write_file("allowed_signers", &all);
    let description = world.read("deployment.toml");
    let world = world.write_file("deployment.toml", "broken");
    world
        .run("resume --yes")
        .exits_with(exit::NOT_READY)
        .prints("cannot be checked without `deployment.toml`");
    let world = world.write_file("deployment.toml", &description);
    let copy = world.copy();
    world.run("resume --yes").exits_with(exit::OK);
    apply(&copy, "").exits_with(exit::OK);
    let undo = copy.run("undo last --yes");
    undo.exits_with(exit::OK);
}

#[test]
fn a_run_whose_commit_has_begun_is_finished_without_its_signers() {
    let world = board_of_three();
    approve(&world, "alice", ALICE, "");
    approve(&world, "bob", BOB, "");
    apply(
        &world,
        "--approval alice --approval bob --stop-before install",
    )
    .exits_with(exit::STOPPED);
    let world = world.remove("allowed_signers");
    let copy = world.copy();
    world.run("resume --yes").exits_with(exit::OK);
    copy.run("undo --yes").exits_with(exit::OK);
}

#[test]
fn a_plan_that_was_changed_after_its_approval_is_refused_by_the_word() {
    let world = board_of_three();
    approve(&world, "alice", ALICE, "");
    approve(&world, "bob", BOB, "");
    let both = "--approval alice --approval bob";
    let world = world.edit(
        "plan.json",
        "\"title\": \"A small rollup\"",
        "\"title\": \"A tiny rollup\"",
    );
    apply(&world, both)
        .exits_with(exit::INVALID)
        .nothing_was_touched()
        .prints("its digests do not match its contents")
        .prints("`rollup.title`");
}

#[test]
fn a_deployment_without_rules_takes_no_approval_and_records_none() {
    let world = World::with_site(SMALL).manifest("small", &small("KB100001", UPDATE_PROVIDER));
    for option in ["--approval alice", "--without-approval urgent"] {
        for command in ["apply", "stage"] {
            world
                .run(&format!("{command} small.toml --yes {option}"))
                .exits_with(exit::USAGE)
                .nothing_was_touched()
                .prints("the deployment small requires no approval");
        }
    }
    world.run("apply small.toml --yes").exits_with(exit::OK);
    let run = world.run_directory("0001-KB100001");
    assert!(!run.join("approvals").exists());
    assert!(
        !fs::read_to_string(run.join("journal"))
            .expect("a journal")
            .contains("signatures")
    );
}

#[test]
fn the_rules_of_a_deployment_are_part_of_the_plan() {
    let world = board_of_three();
    approve(&world, "alice", ALICE, "");
    let world = world.edit("deployment/deployment.toml", "required = 2", "required = 1");
    apply(&world, "--approval alice")
        .exits_with(exit::STALE_PLAN)
        .prints("`deployment.toml` has changed");
}

/// Makes a world that requires the signature of a manifest's author.
fn signed_manifests() -> World {
    let site = format!("{SMALL}\n[approval]\nmanifest_signers = \"authors\"\n");
    World::with_site(&site)
        .manifest("small", &small("KB100001", UPDATE_PROVIDER))
        .write_file("authors", signers(&[("vendor@example.com", ALICE)]))
}

#[test]
fn an_unsigned_manifest_is_refused() {
    let world = signed_manifests();
    for command in [
        "plan small.toml",
        "apply small.toml --yes",
        "stage small.toml --yes",
    ] {
        world
            .run(command)
            .exits_with(exit::NOT_READY)
            .nothing_was_touched()
            .prints("the manifest `small.toml` is not signed, and the deployment requires that")
            .prints("ssh-keygen -Y sign -n rollup-manifest@1");
    }
    world
        .run("accept --applied small.toml --reason seen --yes")
        .exits_with(exit::NOT_READY)
        .prints("is not signed");
    sign(&world, "small.toml", BOB, MANIFEST);
    world
        .run("plan small.toml")
        .exits_with(exit::NOT_READY)
        .prints("is not among the signers");
    sign(&world, "small.toml", ALICE, APPROVAL);
    world
        .run("plan small.toml")
        .exits_with(exit::NOT_READY)
        .prints("in the namespace `rollup-approval@1`, and not in `rollup-manifest@1`");
    sign(&world, "small.toml", ALICE, MANIFEST);
    world.run("plan small.toml").exits_with(exit::OK);
    let world = world.edit("small.toml", "A small rollup", "A tiny rollup");
    world
        .run("plan small.toml")
        .exits_with(exit::NOT_READY)
        .prints("the signature of the manifest `small.toml` does not count: it does not match");
}

#[test]
fn a_saved_plan_carries_the_signature_of_its_manifest() {
    let world = signed_manifests();
    sign(&world, "small.toml", ALICE, MANIFEST);
    world
        .run("plan small.toml --save plan.json")
        .exits_with(exit::OK);
    let signature = fs::read(world.at("small.toml.sig")).expect("a signature");
    fs::remove_file(world.at("small.toml")).expect("removed");
    fs::remove_file(world.at("small.toml.sig")).expect("removed");
    let unsigned = world.copy();
    let plan = fs::read_to_string(unsigned.at("plan.json")).expect("a plan");
    let mut plan: Value = serde_json::from_str(&plan).expect("JSON");
    let keys = plan.as_object_mut().expect("an object");
    assert!(keys.remove("manifest_signature").is_some());
    fs::write(unsigned.at("plan.json"), plan.to_string()).expect("written");
    unsigned
        .run("apply plan.json --yes")
        .exits_with(exit::NOT_READY)
        .prints("the manifest `plan.json` is not signed");
    world.run("apply plan.json --yes").exits_with(exit::OK);
    let run = world.run_directory("0001-KB100001");
    assert_eq!(
        fs::read(run.join("manifest.toml.sig")).expect("kept"),
        signature
    );
    world
        .run("history 1")
        .exits_with(exit::OK)
        .prints("manifest signed by vendor@example.com with the ssh-ed25519 key");
}

#[test]
fn the_rules_are_checked_by_name() {
    let world = World::with_site(SMALL).manifest("small", &small("KB100001", UPDATE_PROVIDER));
    let text = world.read("deployment.toml");
    for (rules, finding) in [
        ("required = 2", "[approval] lacks `signers`"),
        ("signers = \"a\"", "[approval] lacks `required`"),
        (
            "required = 0\nsigners = \"a\"",
            "`required` is 0, but must be at least 1",
        ),
        ("required = 100\nsigners = \"a\"", "`required` is 100"),
        ("required = 1\nsigners = \"../a\"", "`../a`"),
        ("required = 1\nsigners = \"/etc/a\"", "`/etc/a`"),
        ("", "[approval] lacks `required`"),
        ("require = 2\nsigners = \"a\"", "has no key `require`"),
    ] {
        let world = world
            .copy()
            .write_file("deployment.toml", format!("{text}\n[approval]\n{rules}\n"));
        world
            .run("apply small.toml --yes")
            .exits_with(exit::INVALID)
            .prints(finding);
    }
}

/// Runs a command of OpenSSH in the world's directory.
#[track_caller]
fn in_shell(world: &World, line: &str) -> bool {
    let ended = Command::new("sh")
        .args(["-c", line])
        .current_dir(world.at(""))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ended.expect("a shell").success()
}

/// Makes a world in which two of `alice`, `bob`, `carol` and `dave` have to approve, with their keys made by
/// `ssh-keygen`.
fn board_of_ssh_keygen() -> World {
    let world = board("");
    for (name, kind) in [
        ("alice", "ed25519"),
        ("alice2", "ed25519"),
        ("bob", "ecdsa -b 256"),
        ("carol", "ecdsa -b 384"),
        ("dave", "ecdsa -b 521"),
        ("erin", "ed25519"),
        ("rsa", "rsa"),
    ] {
        let made = format!("ssh-keygen -q -t {kind} -N '' -f {name}.key");
        assert!(in_shell(&world, &made), "{made}");
    }
    let line = |name: &str, options: &str, key: &str| {
        let key = fs::read_to_string(world.at(&format!("{key}.key.pub"))).expect("a key");
        format!("{name}@example.com {options} {key}")
    };
    let signers = [
        line("alice", "namespaces=\"rollup-approval@1\"", "alice"),
        line("alice", "", "alice2"),
        line("bob", "valid-after=\"20200101\"", "bob"),
        line("carol", "", "carol"),
        line("dave", "", "dave"),
        line("erin", "valid-before=\"20200101Z\"", "erin"),
    ];
    world.write_file("allowed_signers", signers.concat().replace('\n', "\r\n"))
}

/// Approval in the shell: the key that signs, the name of the person, the commands that make `FILE` and
/// its signature with `KEY`, and a reason why it does not count.
struct SignedCase {
    key: &'static str,
    name: &'static str,
    sign: &'static str,
    refused: Option<&'static str>,
    /// True if `ssh-keygen -Y verify` accepts it for that name.
    is_verified: bool,
}

const SIGN: &str = "ssh-keygen -q -Y sign -n rollup-approval@1 -f KEY FILE";

#[test]
#[ignore = "needs ssh-keygen; .ci/run has it"]
fn ssh_keygen_and_the_program_agree_about_approvals() {
    let counts = |key, name, sign| SignedCase {
        key,
        name,
        sign,
        refused: None,
        is_verified: true,
    };
    let refused = |key, name, sign, refused, is_verified| SignedCase {
        key,
        name,
        sign,
        refused: Some(refused),
        is_verified,
    };
    let cases = [
        counts("bob", "bob", SIGN),
        counts("carol", "carol", SIGN),
        counts("dave", "dave", SIGN),
        counts(
            "bob",
            "bob",
            "ssh-agent sh -c 'ssh-add -q KEY && ssh-keygen -q -Y sign -n rollup-approval@1 -f KEY.pub FILE'",
        ),
        counts(
            "bob",
            "bob",
            "ssh-keygen -q -Y sign -O hashalg=sha256 -n rollup-approval@1 -f KEY FILE",
        ),
        refused("alice", "alice", SIGN, "given by alice@example.com", true),
        refused("alice2", "alice", SIGN, "given by alice@example.com", true),
        refused(
            "erin",
            "erin",
            SIGN,
            "its key is not valid at this time",
            false,
        ),
        refused("rsa", "rsa", SIGN, "a key of the kind `ssh-rsa`", false),
        refused(
            "bob",
            "bob",
            "ssh-keygen -q -Y sign -n git -f KEY FILE",
            "in the namespace `git`",
            false,
        ),
        refused(
            "bob",
            "bob",
            "sed -i 's/^deployment .*/deployment large/' FILE && ssh-keygen -q -Y sign -n rollup-approval@1 -f KEY FILE",
            "a plan for the deployment large, and this one is small",
            true,
        ),
        refused(
            "bob",
            "bob",
            "ssh-keygen -q -Y sign -n rollup-approval@1 -f KEY FILE && sed -i 's/2099/2098/' FILE",
            "what was signed is another text",
            false,
        ),
        refused(
            "bob",
            "bob",
            "ssh-keygen -q -Y sign -n rollup-approval@1 -f KEY FILE && sed -i 's/$/\\r/' FILE",
            "line ends, blanks or spellings differ",
            false,
        ),
        refused(
            "bob",
            "bob",
            "ssh-keygen -q -Y sign -n rollup-approval@1 -f KEY FILE && sed -i 's/$/\\r/' FILE.sig",
            "it has line ends of Windows",
            false,
        ),
    ];
    let world = board_of_ssh_keygen();
    world
        .run(&format!("approve plan.json {UNTIL} -o alice"))
        .exits_with(exit::OK);
    assert!(in_shell(
        &world,
        &SIGN.replace("KEY", "alice.key").replace("FILE", "alice")
    ));
    for (at, case) in cases.iter().enumerate() {
        let file = format!("approval{at}");
        world
            .run(&format!("approve plan.json {UNTIL} -o {file}"))
            .exits_with(exit::OK);
        let sign = case.sign.replace("KEY", &format!("{}.key", case.key));
        let sign = sign.replace("FILE", &file);
        assert!(in_shell(&world, &sign), "{sign}");
        let name = case.name;
        let verify = format!(
            "ssh-keygen -Y verify -f deployment/allowed_signers -I {name}@example.com -n \
             rollup-approval@1 -s {file}.sig < {file}"
        );
        assert_eq!(in_shell(&world, &verify), case.is_verified, "{sign}");
        let approvals = format!("--approval alice --approval {file} --dry-run");
        match case.refused {
            None => drop(apply(&world, &approvals).exits_with(exit::OK)),
            Some(why) => drop(refuses(&world, &approvals, why)),
        }
    }
    apply(&world, "--approval alice --approval approval0").exits_with(exit::OK);
    // What the run keeps can be verified without the program.
    assert!(in_shell(
        &world,
        "cd deployment/.rollup/runs/0001-KB100001/approvals && ssh-keygen -Y verify -f \
         ../../../../allowed_signers -I bob@example.com -n rollup-approval@1 -s 2.sig < 2"
    ));
}

#[test]
#[ignore = "needs ssh-keygen; .ci/run has it"]
fn a_manifest_that_ssh_keygen_signed_is_taken() {
    let world = signed_manifests();
    assert!(in_shell(
        &world,
        "ssh-keygen -q -t ecdsa -N '' -f author.key"
    ));
    let key = fs::read_to_string(world.at("author.key.pub")).expect("a key");
    let world = world.write_file("authors", format!("author@example.com {key}"));
    let sign = "ssh-keygen -q -Y sign -n rollup-manifest@1 -f author.key small.toml";
    assert!(in_shell(&world, sign));
    world.run("plan small.toml").exits_with(exit::OK);
    world
        .run("validate small.toml --signers deployment/authors --allow warnings,notes")
        .exits_with(exit::OK);
}

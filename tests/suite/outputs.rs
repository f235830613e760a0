//! Files that commands write: they are complete or missing, never replace an input or an object of
//! a deployment, and keep the link, mode and attributes of the file that they replace.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use crate::small::{UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

/// Makes a world with a saved plan and an article.
fn world() -> World {
    let world = small_world(UPDATE_PROVIDER).write_file("../article.txt", ARTICLE);
    world
        .run("plan small.toml --save plan.json")
        .exits_with(exit::OK);
    world
}

const ARTICLE: &str = "Article ID: 900123\nFixes for the orchard\nUpdate Rollup 7 for the Orchard services\n\nInstallation \
                       information\n1. Copy the files to the installer share.\n";

/// Commands that write a file, with `FILE` for its name.
const WRITERS: [&str; 8] = [
    "validate small.toml --format sarif -o FILE",
    "schema manifest -o FILE",
    "plan small.toml -o FILE",
    "plan small.toml --save FILE",
    "show plan.json --format html -o FILE",
    "import article.txt -o FILE",
    "import article.txt --force -o FILE",
    "report last -o FILE",
];

fn rolled_back() -> World {
    let world = world();
    world.run("apply small.toml --yes").exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::OK);
    world
}

#[test]
fn no_command_writes_into_a_deployment() {
    let world = rolled_back();
    // Another deployment, which only its directories show, and links into the first one.
    fs::create_dir_all(world.at("other/Share/deep")).expect("made");
    fs::copy(
        world.live("deployment.toml"),
        world.at("other/deployment.toml"),
    )
    .expect("copied");
    fs::create_dir_all(world.at("lost/.rollup/runs")).expect("made");
    symlink(
        world.live("Things/Provider/state.toml"),
        world.at("link.toml"),
    )
    .expect("linked");
    symlink(world.live("new.toml"), world.at("dangling.toml")).expect("linked");
    symlink(world.deployment(), world.at("elsewhere")).expect("linked");
    let paths = [
        "deployment/new.toml",
        "deployment/deployment.toml",
        "deployment/.rollup/format",
        "deployment/Share/new.msi",
        "deployment/Share/../new.toml",
        "elsewhere/new.toml",
        "link.toml",
        "dangling.toml",
        "other/Share/deep/new.txt",
        "lost/new.txt",
    ];
    for writer in WRITERS {
        for path in paths {
            let ran = world
                .run(&writer.replace("FILE", path))
                .exits_with(exit::USAGE);
            ran.prints("is in the deployment")
                .prints("now: this command changed nothing")
                .nothing_was_touched();
        }
    }
    assert!(!world.at("other/Share/deep/new.txt").exists() && !world.at("lost/new.txt").exists());
}

#[test]
fn a_directory_with_only_a_description_is_not_a_deployment() {
    let world = world();
    fs::create_dir(world.at("repository")).expect("made");
    fs::copy(
        world.live("deployment.toml"),
        world.at("repository/deployment.toml"),
    )
    .expect("copied");
    let arguments = "validate repository --format sarif -o repository/rollup.sarif";
    world.run(arguments).exits_with(exit::OK);
    assert!(world.at("repository/rollup.sarif").is_file());
}

#[test]
fn no_command_writes_into_its_payload() {
    let world = world();
    for arguments in [
        "plan small.toml -o KB100001/plan.txt",
        "plan small.toml --save KB100001/plan.json",
        "plan plan.json -o KB100001/plan.txt",
        "validate small.toml -p KB100001 -o KB100001/report.txt",
    ] {
        world
            .run(arguments)
            .exits_with(exit::USAGE)
            .prints("is in the payload")
            .prints("now: this command changed nothing");
    }
    assert!(!world.at("KB100001/plan.txt").exists());
}

#[test]
fn no_command_replaces_a_file_that_it_reads() {
    let world = world();
    fs::hard_link(world.at("small.toml"), world.at("same.toml")).expect("linked");
    symlink("small.toml", world.at("link.toml")).expect("linked");
    let before = fs::read(world.at("small.toml")).expect("a manifest");
    for arguments in [
        "plan small.toml -o small.toml",
        "plan small.toml --save small.toml",
        "plan small.toml --save ./link.toml",
        "plan small.toml --save same.toml",
        "plan plan.json -o plan.json",
        "show plan.json -o plan.json",
        "validate small.toml -o small.toml",
        "validate link.toml -o small.toml",
        "validate . --format sarif -o small.toml",
        "import article.txt -o article.txt --force",
        "import article.txt -o article.txt",
    ] {
        world
            .run(arguments)
            .exits_with(exit::USAGE)
            .prints("is an input of this command")
            .prints("now: this command changed nothing");
    }
    world
        .run("plan small.toml -o x.txt --save ./x.txt")
        .exits_with(exit::USAGE)
        .prints("name the same file");
    world
        .run("plan small.toml -o link2.txt --save x.txt")
        .exits_with(exit::OK);
    assert_eq!(
        fs::read(world.at("small.toml")).expect("a manifest"),
        before
    );
    assert!(
        fs::read_to_string(world.at("article.txt"))
            .expect("an article")
            .contains("Orchard")
    );
}

#[test]
fn a_draft_replaces_a_file_only_with_force() {
    let world = world();
    world
        .run("import article.txt -o draft.toml")
        .exits_with(exit::OK);
    fs::write(world.at("draft.toml"), "# decided\n").expect("edited");
    let ran = world
        .run("import article.txt -o draft.toml")
        .exits_with(exit::USAGE);
    ran.prints("`draft.toml` exists")
        .prints("now: this command changed nothing")
        .prints("--force");
    assert_eq!(world.read("../draft.toml"), "# decided\n");
    world
        .run("import article.txt --report -o draft.toml")
        .exits_with(exit::USAGE);
    symlink("draft.toml", world.at("link.toml")).expect("linked");
    world
        .run("import article.txt -o link.toml")
        .exits_with(exit::USAGE);
    assert_eq!(world.read("../draft.toml"), "# decided\n");
    world
        .run("import article.txt -o draft.toml --force")
        .exits_with(exit::OK);
    assert!(world.read("../draft.toml").contains("KB900123"));
    world
        .run("import article.txt --force")
        .exits_with(exit::USAGE);
}

#[test]
fn a_replaced_file_keeps_its_link_mode_and_attributes() {
    let world = world();
    fs::create_dir(world.at("real")).expect("made");
    fs::write(world.at("real/plan.txt"), "old").expect("written");
    fs::set_permissions(world.at("real/plan.txt"), fs::Permissions::from_mode(0o640)).expect("set");
    let attribute = rustix::fs::setxattr(
        world.at("real/plan.txt"),
        "user.reviewed",
        b"yes",
        rustix::fs::XattrFlags::empty(),
    );
    symlink("real/plan.txt", world.at("near.txt")).expect("linked");
    symlink("near.txt", world.at("far.txt")).expect("linked");
    world.run("plan small.toml -o far.txt").exits_with(exit::OK);
    let target_file = world.at("real/plan.txt");
    assert!(
        fs::read_to_string(&target_file)
            .expect("a plan")
            .contains("KB100001")
    );
    assert!(
        world.at("far.txt").is_symlink()
            && world.at("near.txt").is_symlink()
            && !target_file.is_symlink()
    );
    assert_eq!(
        target_file.metadata().expect("a file").mode() & 0o7777,
        0o640
    );
    if attribute.is_ok() {
        let mut value = [0; 8];
        let length = rustix::fs::getxattr(&target_file, "user.reviewed", &mut value);
        assert_eq!(length, Ok(3));
    }
    // The target of a dangling link is written, as a shell does.
    symlink("real/new.txt", world.at("coming.txt")).expect("linked");
    world
        .run("plan small.toml -o coming.txt")
        .exits_with(exit::OK);
    assert!(world.at("coming.txt").is_symlink() && world.at("real/new.txt").is_file());
    assert_eq!(temporary_files(&world.at("real")), Vec::<String>::new());
}

#[test]
fn pinning_keeps_the_link_and_the_mode_of_a_manifest() {
    let world = World::with_deployment().without_pins();
    fs::set_permissions(world.at("kb952076.toml"), fs::Permissions::from_mode(0o600)).expect("set");
    symlink("kb952076.toml", world.at("link.toml")).expect("linked");
    world.run("pin link.toml -p KB952076").exits_with(exit::OK);
    assert!(
        world.at("link.toml").is_symlink()
            && world.read("../kb952076.toml").contains("[payload.sha256]")
    );
    assert_eq!(
        world.at("kb952076.toml").metadata().expect("a file").mode() & 0o7777,
        0o600
    );
    assert_eq!(temporary_files(&world.at(".")), Vec::<String>::new());
}

#[test]
fn pinning_keeps_the_line_endings_of_a_manifest() {
    let world = World::with_deployment().without_pins();
    let text = world.read("../kb952076.toml").replace('\n', "\r\n");
    fs::write(world.at("kb952076.toml"), text).expect("written");
    world
        .run("pin kb952076.toml -p KB952076")
        .exits_with(exit::OK);
    let pinned = world.read("../kb952076.toml");
    assert!(pinned.contains("[payload.sha256]") && !pinned.replace("\r\n", "").contains('\n'));
}

#[test]
fn pinning_changes_no_file_of_a_deployment() {
    let world = World::with_deployment().without_pins();
    fs::copy(world.at("kb952076.toml"), world.live("kb952076.toml")).expect("copied");
    let ran = world
        .run("pin deployment/kb952076.toml -p KB952076")
        .exits_with(exit::USAGE);
    ran.prints("is in the deployment").nothing_was_touched();
}

#[test]
fn a_deployment_is_recognized_in_any_case_of_its_names() {
    let world = world();
    for (share, servers) in [("SHARE", "SERVERS"), ("share", "servers")] {
        let other = world.at(share);
        fs::create_dir_all(other.join(share)).expect("made");
        fs::copy(world.live("deployment.toml"), other.join("deployment.toml")).expect("copied");
        let arguments = format!("schema manifest -o {share}/x.json");
        world
            .run(&arguments)
            .exits_with(exit::USAGE)
            .prints("is in the deployment");
        fs::rename(other.join(share), other.join(servers)).expect("renamed");
        world
            .run(&arguments)
            .exits_with(exit::USAGE)
            .prints("is in the deployment");
    }
}

#[test]
fn a_stream_never_replaces_a_file_that_the_command_reads() {
    let world = world();
    let before = fs::read(world.at("small.toml")).expect("a manifest");
    let program = env!("CARGO_BIN_EXE_rollup");
    for line in [
        format!("{program} validate - -o small.toml < small.toml"),
        format!("{program} validate small.toml -o /dev/fd/3 3<> small.toml"),
        format!("{program} validate small.toml -o /dev/stdout >> small.toml"),
    ] {
        let mut shell = std::process::Command::new("sh");
        let ran = shell
            .args(["-c", &line])
            .current_dir(world.at("."))
            .output()
            .expect("a shell");
        assert_eq!(ran.status.code(), Some(exit::USAGE), "{line}");
        assert_eq!(
            fs::read(world.at("small.toml")).expect("a manifest"),
            before,
            "{line}"
        );
    }
}

#[test]
fn a_draft_does_not_replace_a_file_that_appears_during_the_import() {
    let world = world();
    let line = format!(
        "(cat article.txt; while [ ! -e draft.toml ]; do sleep 0.02; done; sleep 0.2) \
         | {} import /dev/stdin -o draft.toml",
        env!("CARGO_BIN_EXE_rollup")
    );
    let mut shell = std::process::Command::new("sh");
    let shell = shell
        .args(["-c", &line])
        .current_dir(world.at("."))
        .stderr(std::process::Stdio::null());
    let mut shell = shell.spawn().expect("a shell");
    std::thread::sleep(std::time::Duration::from_millis(200));
    fs::write(world.at("draft.toml"), "mine").expect("written");
    assert_eq!(shell.wait().expect("an exit status").code(), Some(exit::IO));
    assert_eq!(world.read("../draft.toml"), "mine");
}

#[test]
fn a_replaced_file_gets_no_acl_from_its_directory() {
    const DEFAULT_ACL: &str = "system.posix_acl_default";
    const ACCESS_ACL: &str = "system.posix_acl_access";
    let world = world();
    fs::create_dir(world.at("shared")).expect("made");
    // Version 2; owner rwx, user 1234 rwx, group r-x, mask rwx, others ---.
    let entry = |tag: u16, rights: u16, id: u32| {
        [
            &tag.to_le_bytes()[..],
            &rights.to_le_bytes(),
            &id.to_le_bytes(),
        ]
        .concat()
    };
    let none = u32::MAX;
    let entries = [
        entry(1, 7, none),
        entry(2, 7, 1234),
        entry(4, 5, none),
        entry(16, 7, none),
        entry(32, 0, none),
    ];
    let acl = [&2u32.to_le_bytes()[..], &entries.concat()].concat();
    let at = world.at("shared/plan.txt");
    fs::write(&at, "old").expect("written");
    fs::set_permissions(&at, fs::Permissions::from_mode(0o640)).expect("set");
    if xattr::set(world.at("shared"), DEFAULT_ACL, &acl).is_err() {
        // The file system has no ACLs.
        return;
    }
    world
        .run("plan small.toml -o shared/plan.txt")
        .exits_with(exit::OK);
    assert_eq!(xattr::get(&at, ACCESS_ACL).expect("attributes"), None);
    assert_eq!(at.metadata().expect("a file").mode() & 0o7777, 0o640);
}

#[test]
fn no_backup_is_written_into_a_deployment_or_the_payload() {
    let world = world();
    fs::create_dir_all(world.at("other/Share")).expect("made");
    fs::copy(
        world.live("deployment.toml"),
        world.at("other/deployment.toml"),
    )
    .expect("copied");
    for (path, location) in [
        ("other", "deployment"),
        ("other/Share/x", "deployment"),
        ("KB100001/kept", "payload"),
    ] {
        let ran = world
            .run(&format!("apply small.toml --yes --backup-dir {path}"))
            .exits_with(exit::USAGE);
        ran.prints(&format!("is in the {location}"))
            .prints("now: this command changed nothing")
            .nothing_was_touched();
    }
    assert!(!world.at("KB100001/kept").exists() && !world.at("other/Share/x").exists());
}

#[test]
fn no_lab_is_built_in_a_deployment_or_the_payload() {
    let world = world();
    symlink(world.deployment(), world.at("elsewhere")).expect("linked");
    for (lab, location) in [
        ("deployment/lab", "deployment"),
        ("deployment/new/lab", "deployment"),
        ("elsewhere/lab", "deployment"),
        ("deployment", "deployment"),
        ("KB100001/lab", "payload"),
    ] {
        let arguments = format!(
            "rehearse small.toml -d deployment/deployment.toml -p KB100001 --lab {lab} --prepare"
        );
        let ran = world.run(&arguments).exits_with(exit::USAGE);
        ran.prints(&format!("is in the {location}"))
            .nothing_was_touched();
        assert!(!world.at("KB100001/lab").exists());
    }
}

#[test]
fn a_new_file_has_the_mode_of_the_umask() {
    let world = world();
    let line = format!(
        "umask 027; exec {} plan small.toml --save mine.json",
        env!("CARGO_BIN_EXE_rollup")
    );
    let mut shell = world.command("");
    let shell = std::process::Command::new("sh")
        .args(["-c", &line])
        .current_dir(world.at("."))
        .envs(
            shell
                .env("X", "")
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .output();
    assert!(shell.expect("a shell").status.success());
    assert_eq!(
        world.at("mine.json").metadata().expect("a file").mode() & 0o7777,
        0o640
    );
}

#[test]
fn no_file_beside_an_output_is_replaced() {
    let world = world();
    for name in ["out.txt.new", "small.toml.new", "out.txt.tmp", "out.txt~"] {
        fs::write(world.at(name), "mine").expect("written");
    }
    symlink("small.toml.new", world.at("out.json.new")).expect("linked");
    world
        .run("plan small.toml -o out.txt --save out.json")
        .exits_with(exit::OK);
    for name in [
        "out.txt.new",
        "small.toml.new",
        "out.txt.tmp",
        "out.txt~",
        "out.json.new",
    ] {
        assert_eq!(world.read(&format!("../{name}")), "mine", "{name}");
    }
    assert!(!world.at("out.json").is_symlink());
}

#[test]
fn a_failed_write_keeps_the_old_file() {
    let world = world();
    fs::create_dir(world.at("directory")).expect("made");
    for writer in WRITERS
        .iter()
        .filter(|writer| !writer.starts_with("report"))
    {
        world
            .run(&writer.replace("FILE", "directory"))
            .exits_with(exit::IO)
            .prints("cannot write `directory`");
        world
            .run(&writer.replace("FILE", "nowhere/x"))
            .exits_with(exit::IO)
            .prints("cannot write `nowhere/x`");
    }
    // A limit on the file size, like a full disk, fails in the middle of a large document.
    fs::write(world.at("plan.txt"), "old").expect("written");
    let line = format!(
        "trap '' XFSZ; ulimit -f 1; exec {} schema manifest -o plan.txt",
        env!("CARGO_BIN_EXE_rollup")
    );
    let shell = std::process::Command::new("sh")
        .args(["-c", &line])
        .current_dir(world.at("."))
        .output();
    assert_eq!(shell.expect("a shell").status.code(), Some(exit::IO));
    assert_eq!(world.read("../plan.txt"), "old");
    assert_eq!(temporary_files(&world.at(".")), Vec::<String>::new());
}

#[test]
fn an_output_can_be_a_stream() {
    let world = world();
    world
        .run("plan small.toml -o /dev/null")
        .exits_with(exit::OK);
    let ran = world
        .run("schema manifest -o /dev/stdout")
        .exits_with(exit::OK);
    assert!(ran.stdout().contains("\"$schema\""));
    let line = format!(
        "echo before > log; {} schema manifest -o /dev/stdout >> log",
        env!("CARGO_BIN_EXE_rollup")
    );
    let shell = std::process::Command::new("sh")
        .args(["-c", &line])
        .current_dir(world.at("."))
        .status();
    assert!(shell.expect("a shell").success());
    let log = world.read("../log");
    assert!(log.starts_with("before\n{") && log.contains("\"$schema\""));
}

/// Lists temporary files that a command has left.
fn temporary_files(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name());
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with('.'))
        .collect()
}

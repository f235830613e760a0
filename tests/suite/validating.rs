//! Validation by `validate`: all findings at once, with the severities that the caller chooses, for
//! people, programs and code hosts.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;

use crate::world::{KB952076, World, exit};

#[test]
fn validate_reports_oddities_of_the_article_but_no_errors() {
    let world = World::with_deployment();
    let ran = world
        .run("validate kb952076.toml deployment/deployment.toml")
        .exits_with(exit::OK);
    ran.prints("2 files: 0 errors")
        .prints("Makegallinked.exe")
        .nothing_was_touched();
    let document = world
        .run("validate kb952076.toml -d deployment -p KB952076 --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        (
            &document["errors"],
            &document["exit_code"],
            &document["changed"]
        ),
        (&0.into(), &0.into(), &false.into())
    );
    let findings = document["findings"].as_array().expect("findings");
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    findings.iter().for_each(|finding| {
        *kinds
            .entry(finding["code"].as_str().expect("a code"))
            .or_default() += 1
    });
    // Three rows that no step uses, a pair of one size, eighteen spellings, two groups with more
    // than the removed items, web services without a restart of IIS, a group with its alias.
    let known = [
        ("RU0202", 3),
        ("RU0203", 1),
        ("RU0205", 18),
        ("RU0608", 2),
        ("RU0609", 1),
        ("RU0610", 1),
    ];
    assert_eq!(kinds, BTreeMap::from(known));
}

#[test]
fn validate_reports_every_error_at_once_with_its_place() {
    let world = World::with_deployment()
        .edit("kb952076.toml", "to = \"share\"", "too = \"share\"")
        .edit(
            "kb952076.toml",
            "action = \"initialize\"",
            "action = \"initialise\"",
        )
        .edit("kb952076.toml", "schema = 1", "schema = 2");
    world
        .run("validate kb952076.toml")
        .exits_with(exit::INVALID)
        .prints("schema");
    let world = world.edit("kb952076.toml", "schema = 2", "schema = 1");
    let ran = world
        .run("validate kb952076.toml")
        .exits_with(exit::INVALID);
    ran.prints("kb952076.toml:")
        .prints("did you mean `initialize`?")
        .prints("did you mean `to`?")
        .nothing_was_touched();
}

#[test]
fn validate_checks_a_payload() {
    let world = World::with_deployment().without_pins().swap_payload(
        "Hostedunifiedmessaging2007ws.msi",
        "Managedmobility2007ws.msi",
    );
    world.run("validate kb952076.toml").exits_with(exit::OK);
    let ran = world
        .run("validate kb952076.toml -d deployment -p KB952076")
        .exits_with(exit::INVALID);
    ran.prints("`Managedmobility2007ws.msi` should hold `Managed Mobility 2007 Web Service`")
        .prints("2 errors");
    world
        .run("validate kb952076.toml --require-hashes")
        .exits_with(exit::INVALID);
    world
        .run("validate kb952076.toml -p nowhere")
        .exits_with(exit::NO_INPUT);
}

#[test]
fn a_missing_file_does_not_hide_findings_in_others() {
    let world = World::with_deployment();
    world
        .run("validate missing.toml kb952076.toml")
        .exits_with(exit::NO_INPUT)
        .prints("there is no file `missing.toml`")
        .prints("1 file: 0 errors");
}

#[test]
fn the_caller_chooses_the_severities() {
    let world = World::with_deployment();
    world
        .run("validate kb952076.toml --deny warnings")
        .exits_with(exit::INVALID)
        .prints("error[RU0202]");
    world
        .run("validate kb952076.toml --deny ru0205")
        .exits_with(exit::INVALID)
        .prints("1 file: 18 errors");
    let run = world.run("validate kb952076.toml --deny warnings --allow RU0202,RU0203,RU0205");
    run.exits_with(exit::OK)
        .prints("1 file: 0 errors, 0 warnings, 0 notes")
        .does_not_print("RU02");
    world
        .run("validate kb952076.toml --warn RU0205 --deny warnings --allow RU0202")
        .prints("18 warnings");
    world
        .run("validate kb952076.toml --allow notes")
        .exits_with(exit::OK)
        .does_not_print("note[");
}

#[test]
fn contradicting_options_are_refused() {
    let world = World::with_deployment();
    let assert_refused = |arguments: &str, reason: &str| {
        world
            .run(&format!("validate kb952076.toml {arguments}"))
            .exits_with(exit::USAGE)
            .prints(reason);
    };
    assert_refused("--allow RU0201", "RU0201 is an error");
    assert_refused("--deny RU0202 --allow RU0202", "`RU0202` has two levels");
    assert_refused("--deny RU9999", "there is no finding `RU9999`");
    assert_refused("--format xml", "possible values: text, json, sarif, github");
}

#[test]
fn directories_and_patterns_select_the_documents_in_them() {
    let world = World::with_deployment()
        .write_file("../manifests/b.toml", KB952076)
        .write_file("../manifests/.hidden/a.toml", "nonsense =")
        .write_file("../manifests/sub/deployment.toml", "schema = 1")
        .write_file("../manifests/Cargo.toml", "[package]\nname = \"x\"\n")
        .write_file("../manifests/read.me", "schema = 1");
    let names_of_files = |arguments: &str| -> Vec<String> {
        let document = world
            .run(&format!("validate {arguments} --format json"))
            .json();
        let files = document["files"].as_array().expect("files").iter();
        files
            .map(|file| file["file"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(
        names_of_files("manifests"),
        ["manifests/b.toml", "manifests/sub/deployment.toml"]
    );
    assert_eq!(
        names_of_files("manifests/*.toml kb952076.toml manifests"),
        [
            "manifests/Cargo.toml",
            "manifests/b.toml",
            "kb952076.toml",
            "manifests/sub/deployment.toml"
        ]
    );
    assert_eq!(names_of_files("deployment"), ["deployment/deployment.toml"]);
    world.run("validate manifests").prints("2 files: ").prints(
        "1 other TOML file skipped, as neither manifest nor deployment: manifests/Cargo.toml",
    );
    world
        .run("validate KB952076")
        .exits_with(exit::NO_INPUT)
        .prints("no manifest and no deployment.toml in `KB952076`");
    world
        .run("validate nothing/*.toml")
        .exits_with(exit::NO_INPUT)
        .prints("`nothing/*.toml` matches no file");
}

#[test]
fn standard_input_can_be_validated() {
    let world = World::with_deployment();
    let mut command = world.command("validate - --format github");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin
        .write_all(b"schema = 1\nservers = []\ntitel = 1\n")
        .expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("an exit status");
    assert_eq!(output.status.code(), Some(exit::INVALID));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(
        text.contains("::error file=standard input,line=3,endLine=3,col=1,endColumn=6,"),
        "{text}"
    );
    assert!(
        text.contains("the top of the document has no key `titel`"),
        "{text}"
    );
}

#[test]
fn errors_of_the_deployment_and_the_manifest_are_reported_together() {
    let world = World::with_deployment()
        .edit("kb952076.toml", "title = \"Update", "titel = \"Update")
        .edit(
            "deployment/deployment.toml",
            "product_version =",
            "product_versoin =",
        );
    let ran = world
        .run("validate kb952076.toml -d deployment")
        .exits_with(exit::INVALID);
    ran.prints("did you mean `product_version`?")
        .prints("did you mean `title`?")
        .prints("2 files: 2 errors");
}

#[test]
fn errors_of_a_manifest_do_not_hide_those_of_its_payload() {
    let world = World::with_deployment()
        .edit("kb952076.toml", "title = \"Update", "titel = \"Update")
        .truncate_payload("HostedEmail2007NS.msi");
    let ran = world
        .run("validate kb952076.toml -p KB952076")
        .exits_with(exit::INVALID);
    ran.prints("did you mean `title`?")
        .prints("error[RU0702]: `Hostedemail2007ns.msi` is too short")
        .prints("2 errors");
}

#[test]
fn a_payload_belongs_to_one_manifest() {
    let world = World::with_deployment().write_file("../two.toml", KB952076);
    world
        .run("validate kb952076.toml two.toml -p KB952076")
        .exits_with(exit::USAGE)
        .prints("2 manifests are given");
}

#[test]
fn a_report_can_be_written_to_a_file() {
    let world = World::with_deployment();
    let ran = world
        .run("validate kb952076.toml --format sarif -o report.sarif")
        .exits_with(exit::OK);
    assert_eq!(ran.stdout(), "");
    ran.prints("1 file: 0 errors, 3 warnings, 19 notes")
        .prints("written to report.sarif");
    let report: Value =
        serde_json::from_slice(&fs::read(world.at("report.sarif")).expect("a file")).expect("JSON");
    assert_eq!(report["version"], "2.1.0");
    world
        .run("validate kb952076.toml -o nowhere/report.txt")
        .exits_with(exit::IO)
        .prints("cannot write");
}

/// Returns the SARIF report about the manifest.
fn sarif(world: &World) -> Value {
    world
        .run("validate kb952076.toml -d deployment --format sarif")
        .json()
}

#[test]
fn sarif_has_the_same_findings_as_the_text() {
    let world =
        World::with_deployment().edit("kb952076.toml", "title = \"Update", "titel = \"Update");
    let report = sarif(&world);
    let run = &report["runs"][0];
    let results = run["results"].as_array().expect("results");
    let document = world
        .run("validate kb952076.toml -d deployment --format json")
        .json();
    assert_eq!(
        results.len(),
        document["findings"].as_array().expect("findings").len()
    );
    let first = &results[0];
    assert_eq!(
        (&first["ruleId"], &first["level"]),
        (&"RU0101".into(), &"error".into())
    );
    let rule =
        &run["tool"]["driver"]["rules"][first["ruleIndex"].as_u64().expect("an index") as usize];
    assert_eq!(rule["id"], "RU0101");
    assert!(
        rule["help"]["text"]
            .as_str()
            .expect("help")
            .contains("did you mean")
    );
    let place = &first["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "kb952076.toml");
    assert_eq!(place["region"]["endColumn"].as_u64(), Some(6));
    let fix = &first["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!(fix["insertedContent"]["text"], "title");
}

#[test]
fn a_fingerprint_does_not_change_with_a_line_added_above() {
    let fingerprints = |world: &World| -> Vec<Value> {
        let report = sarif(world);
        let results = report["runs"][0]["results"]
            .as_array()
            .expect("results")
            .clone();
        results
            .iter()
            .map(|result| result["partialFingerprints"].clone())
            .collect()
    };
    let world = World::with_deployment();
    let before = fingerprints(&world);
    let world = world.edit("kb952076.toml", "[rollup]", "# another line\n\n[rollup]");
    assert_eq!(before, fingerprints(&world));
    let distinct: std::collections::BTreeSet<String> =
        before.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), before.len());
}

#[test]
fn a_hostile_manifest_has_a_bounded_report() {
    let rows: String = "{},\n".repeat(100_000);
    let head = KB952076.split_once("[payload]").expect("a payload").0;
    let world = World::with_deployment().write_file(
        "../rows.toml",
        format!("{head}[payload]\nfiles = [\n{rows}]\n"),
    );
    let ran = world
        .run("validate rows.toml")
        .exits_with(exit::INVALID)
        .prints("only ten thousand findings are listed")
        .prints("10,001 errors")
        .prints("more RU0103");
    assert!(ran.stdout().len() < 200_000, "{} bytes", ran.stdout().len());
}

#[test]
fn a_report_never_replaces_a_document() {
    let world = World::with_deployment();
    let ran = world
        .run("validate kb952076.toml -o ./kb952076.toml")
        .exits_with(exit::USAGE);
    ran.prints("`./kb952076.toml` is an input of this command");
    assert_eq!(
        fs::read_to_string(world.at("kb952076.toml")).expect("a file"),
        KB952076
    );
    let ran = world
        .run("validate kb952076.toml -d deployment -o deployment/deployment.toml")
        .exits_with(exit::USAGE);
    ran.prints("is in the deployment").nothing_was_touched();
}

#[test]
fn a_file_that_looks_like_a_document_is_never_skipped() {
    let world = World::with_deployment()
        .write_file(
            "../given/misspelled.toml",
            "schema = 1\n[rolup]\n[[step]]\n",
        )
        .write_file("../given/utf16.toml", b"\xff\xfes\0c\0h\0")
        .write_file("../elsewhere/linked.toml", "schema = 1\n[rollup]\n");
    std::os::unix::fs::symlink("../elsewhere/linked.toml", world.at("given/link.toml"))
        .expect("a link");
    std::os::unix::fs::symlink("../nowhere.toml", world.at("given/dangling.toml")).expect("a link");
    let ran = world.run("validate given").exits_with(exit::INVALID);
    ran.prints("given/misspelled.toml:")
        .prints("did you mean `rollup`?")
        .prints("the document is UTF-16")
        .prints("the symbolic link `given/dangling.toml` and 1 other link were not read")
        .prints("2 files: ");
}

#[test]
fn a_name_that_is_not_utf_8_does_not_hide_others() {
    let os_string = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    let world = World::with_deployment()
        .write_file("../m/a.toml", KB952076)
        .with(|world| {
            fs::write(
                world.at("m").join(os_string(b"\xff.toml")),
                "schema = 1\n[rollup]\n",
            )
            .expect("written");
            fs::create_dir(world.at("m").join(os_string(b"\xc3"))).expect("made");
            fs::write(world.at("m").join(os_string(b"\xc3/b.toml")), KB952076).expect("written");
        });
    let names_of_files = |arguments: &str| names_of_files(&world, arguments);
    assert_eq!(
        names_of_files("m"),
        ["m/a.toml", "m/\\xC3/b.toml", "m/\\xFF.toml"]
    );
    assert_eq!(names_of_files("m/*.toml"), ["m/a.toml", "m/\\xFF.toml"]);
    assert_eq!(
        names_of_files("m/**/*.toml"),
        ["m/a.toml", "m/\\xC3/b.toml", "m/\\xFF.toml"]
    );
    for format in ["text", "sarif", "github"] {
        world
            .run(&format!("validate m --format {format}"))
            .exits_with(exit::INVALID);
    }
    let output = world
        .command("validate")
        .arg(os_string(b"m/\xff.toml"))
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(exit::INVALID));
    assert!(String::from_utf8_lossy(&output.stdout).contains("m/\\xFF.toml:1:1"));
    let missing = world
        .command("validate")
        .arg(os_string(b"m/\xfe*.toml"))
        .output()
        .expect("the program runs");
    assert_eq!(missing.status.code(), Some(exit::NO_INPUT));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("there is no file `m/\\xFE*.toml`"));
}

/// Returns the names of the validated documents.
#[track_caller]
fn names_of_files(world: &World, arguments: &str) -> Vec<String> {
    let document = world
        .run(&format!("validate {arguments} --format json"))
        .json();
    let files = document["files"].as_array().expect("files").iter();
    files
        .map(|file| file["file"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn a_walk_follows_no_links_and_never_blocks() {
    let world = World::with_deployment()
        .write_file("../m/a.toml", KB952076)
        .with(|world| {
            symlink(".", world.at("m/loop")).expect("linked");
            symlink("/", world.at("m/root")).expect("linked");
            symlink("x.toml", world.at("m/x.toml")).expect("linked");
            mknodat(
                CWD,
                world.at("m/pipe.toml"),
                FileType::Fifo,
                Mode::RUSR | Mode::WUSR,
                0,
            )
            .expect("a FIFO");
            fs::create_dir(world.at("m/d.toml")).expect("made");
        });
    for pattern in [
        "m",
        "m/*.toml",
        "m/**/*.toml",
        "m/**",
        "m/*",
        "m/?.toml",
        "m/{a,pipe,x}.toml",
    ] {
        let ran = world
            .run(&format!("validate '{pattern}'"))
            .exits_with(exit::OK)
            .nothing_was_touched();
        ran.prints("1 file: 0 errors");
    }
    world
        .run("validate 'm/*.toml'")
        .prints("the symbolic link `m/x.toml` was not read");
    world
        .run("validate 'm/loop/*/a.toml'")
        .exits_with(exit::NO_INPUT);
    // A path on the command line may be a link, or lead through one.
    world
        .run("validate 'm/loop/loop/*.toml'")
        .exits_with(exit::OK)
        .prints("1 file: 0 errors");
    world
        .run("validate m/loop")
        .exits_with(exit::OK)
        .prints("1 file: 0 errors");
    world
        .run("validate m/x.toml")
        .exits_with(exit::IO)
        .prints("cannot read `m/x.toml`");
    world
        .run("validate m/pipe.toml")
        .exits_with(exit::NO_INPUT)
        .prints("is not a file");
}

#[test]
fn patterns_match_hidden_names_only_with_a_dot() {
    let world = World::with_deployment();
    let world = ["a", ".a", "s/a", "s/t/a", ".h/a", "[x]"]
        .iter()
        .fold(world, |world, name| {
            world.write_file(&format!("../m/{name}.toml"), KB952076)
        });
    let names_of_files = |arguments: &str| names_of_files(&world, arguments);
    assert_eq!(names_of_files("m/[ab].toml"), ["m/a.toml"]);
    assert_eq!(names_of_files("m/[!b].toml"), ["m/a.toml"]);
    assert_eq!(names_of_files("m/[x].toml"), ["m/[x].toml"]);
    assert_eq!(names_of_files("m/*/a.toml"), ["m/s/a.toml"]);
    assert_eq!(
        names_of_files("m/**/a.toml"),
        ["m/a.toml", "m/s/a.toml", "m/s/t/a.toml"]
    );
    assert_eq!(names_of_files("m/.*.toml"), ["m/.a.toml"]);
    assert_eq!(names_of_files("m/.h/*.toml"), ["m/.h/a.toml"]);
    assert_eq!(names_of_files("m/.?/*.toml"), ["m/.h/a.toml"]);
    assert_eq!(names_of_files("./m/s/?.toml"), ["./m/s/a.toml"]);
    assert_eq!(names_of_files("kb*.toml"), ["kb952076.toml"]);
    assert_eq!(
        names_of_files(&format!("{}/m/s/*.toml", world.at("").display())).len(),
        1
    );
    for invalid_pattern in ["[", "m/[.toml", "{a", "m/{a,b.toml"] {
        let ran = world.run(&format!("validate '{invalid_pattern}' kb952076.toml"));
        ran.exits_with(exit::USAGE)
            .prints("is not a pattern")
            .prints("1 file: 0 errors");
    }
    let long = format!("validate 'm/{}'", "*a".repeat(10_000));
    let ran = world
        .run(&long)
        .exits_with(exit::USAGE)
        .prints("it has more than 4,096 bytes");
    assert!(ran.stderr().len() < 1_000);
    let nested = format!("validate 'm/{}{}'", "{".repeat(1_500), "}".repeat(1_500));
    world
        .run(&nested)
        .exits_with(exit::USAGE)
        .prints("is not a pattern");
    for unmatched in ["no/*.toml", "m/a.toml/*", "m/*/", "*/*/*/*/*/x"] {
        world
            .run(&format!("validate '{unmatched}'"))
            .exits_with(exit::NO_INPUT)
            .prints("matches no file");
    }
}

#[test]
fn a_directory_that_is_too_deep_is_named_once() {
    let deep = format!("../m/{}b.toml", "d/".repeat(70));
    let world = World::with_deployment()
        .write_file("../m/a.toml", KB952076)
        .write_file(&deep, KB952076);
    for pattern in ["m", "m/**/*.toml"] {
        let ran = world
            .run(&format!("validate '{pattern}'"))
            .exits_with(exit::IO);
        let ran = ran
            .prints("it is nested 64 levels deep, and was not read")
            .prints("1 file: 0 errors");
        assert_eq!(ran.stderr().matches("64 levels deep").count(), 1);
    }
}

#[test]
fn an_empty_environment_variable_counts_as_unset() {
    let world = World::with_deployment();
    let run = |arguments: &str, at: &str| {
        let mut command = world.command(arguments);
        for name in [
            "ROLLUP_DEPLOYMENT",
            "ROLLUP_PAYLOAD",
            "NO_COLOR",
            "COLUMNS",
            "SUDO_USER",
            "CLICOLOR_FORCE",
        ] {
            command.env(name, "");
        }
        let output = command
            .current_dir(world.at(at))
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(!text.contains('\u{1b}'), "{text}");
        (output.status.code(), text)
    };
    assert_eq!(run("status -d deployment", ".").0, Some(exit::OK));
    assert_eq!(run("status", "deployment").0, Some(exit::OK));
    assert_eq!(run("status --help", "deployment").0, Some(exit::OK));
    let (code, text) = run("status", ".");
    assert_eq!(code, Some(exit::USAGE), "{text}");
    assert!(text.contains("set ROLLUP_DEPLOYMENT"), "{text}");
    assert_eq!(
        run("plan kb952076.toml -d deployment", ".").0,
        Some(exit::OK),
        "the payload is the directory beside the manifest"
    );
    let (code, text) = run("apply kb952076.toml -d deployment --yes", ".");
    assert_eq!(code, Some(exit::OK), "{text}");
    let (_, text) = run("history -d deployment", ".");
    assert!(!text.contains("claimed"), "{text}");
    // An empty option is an error.
    for arguments in [
        "status -d ''",
        "plan kb952076.toml -p ''",
        "plan kb952076.toml --deployment=",
    ] {
        let (code, text) = run(arguments, ".");
        assert_eq!(code, Some(exit::USAGE), "{arguments}: {text}");
        assert!(text.contains("a value is required for '--"), "{text}");
    }
}

#[test]
fn an_unreadable_payload_file_is_one_finding() {
    let world =
        World::with_deployment().edit("kb952076.toml", "title = \"Update", "titel = \"Update");
    let at = world.payload_file("HostedEmail2007NS.msi");
    fs::remove_file(&at)
        .and_then(|()| fs::create_dir(&at))
        .expect("a directory");
    let ran = world
        .run("validate kb952076.toml -p KB952076")
        .exits_with(exit::INVALID);
    ran.prints("error[RU0707]")
        .prints("did you mean `title`?")
        .prints("2 errors");
}

#[test]
fn a_report_that_cannot_be_written_is_a_failure() {
    let world = World::with_deployment();
    for arguments in [
        "validate kb952076.toml",
        "validate kb952076.toml --format github",
        "explain RU0201",
        "plan kb952076.toml",
    ] {
        let full = fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("a full disk");
        let status = world
            .command(arguments)
            .stdout(full)
            .stderr(Stdio::null())
            .status()
            .expect("the program runs");
        assert_eq!(status.code(), Some(exit::IO), "{arguments}");
    }
    // The exit code of a lost report is the same if there are errors.
    let world = world.edit("kb952076.toml", "title = \"Update", "titel = \"Update");
    let full = fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("a full disk");
    let mut command = world.command("validate kb952076.toml --format sarif");
    let status = command
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .expect("the program runs");
    assert_eq!(status.code(), Some(exit::IO));
}

#[test]
fn reports_for_code_hosts_have_relative_paths() {
    let world = World::with_deployment();
    let absolute = world.at("kb952076.toml");
    let ran = world.run(&format!("validate {} --format github", absolute.display()));
    assert!(
        ran.stdout().contains(" file=kb952076.toml,"),
        "{}",
        ran.stdout()
    );
}

#[test]
fn the_wrong_kind_of_file_is_one_error() {
    let page = "<!DOCTYPE html>\n<html lang=\"en\"><head>\n<title>Plan</title>\n</head></html>\n";
    let world = World::with_deployment().write_file("../plan.html", page);
    let ran = world.run("validate plan.html").exits_with(exit::INVALID);
    ran.prints("the document is an HTML page, not TOML")
        .prints("1 file: 1 error, 0 warnings, 0 notes");
    let site = world.deployment().join("deployment.toml");
    let ran = world.run(&format!(
        "plan {} -d {}",
        site.display(),
        world.deployment().display()
    ));
    ran.exits_with(exit::INVALID)
        .prints("describes a deployment; it is not a manifest");
}

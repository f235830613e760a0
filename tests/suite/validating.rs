//! `validate`: everything at once, weighed as the caller wishes, and told to people, programs and
//! code hosts.

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
fn validate_finds_what_is_odd_about_the_article_and_no_fault() {
    let world = World::with_deployment();
    let ran = world
        .run("validate kb952076.toml deployment/deployment.toml")
        .exits_with(exit::OK);
    ran.says("2 files: 0 errors")
        .says("Makegallinked.exe")
        .nothing_was_touched();
    let told = world
        .run("validate kb952076.toml -d deployment -p KB952076 --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        (&told["errors"], &told["exit_code"], &told["changed"]),
        (&0.into(), &0.into(), &false.into())
    );
    let findings = told["findings"].as_array().expect("findings");
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    findings.iter().for_each(|finding| {
        *kinds
            .entry(finding["code"].as_str().expect("a code"))
            .or_default() += 1
    });
    // Three rows that no step uses, a pair of one size, eighteen spellings, two groups wider than
    // what was removed, web services without a restart of IIS, a group under its other name.
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
fn validate_tells_every_mistake_at_once_with_its_place() {
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
        .says("schema");
    let world = world.edit("kb952076.toml", "schema = 2", "schema = 1");
    let ran = world
        .run("validate kb952076.toml")
        .exits_with(exit::INVALID);
    ran.says("kb952076.toml:")
        .says("did you mean `initialize`?")
        .says("did you mean `to`?")
        .nothing_was_touched();
}

#[test]
fn validate_compares_a_payload() {
    let world = World::with_deployment().without_pins().swap_payload(
        "Hostedunifiedmessaging2007ws.msi",
        "Managedmobility2007ws.msi",
    );
    world.run("validate kb952076.toml").exits_with(exit::OK);
    let ran = world
        .run("validate kb952076.toml -d deployment -p KB952076")
        .exits_with(exit::INVALID);
    ran.says("`Managedmobility2007ws.msi` should hold `Managed Mobility 2007 Web Service`")
        .says("2 errors");
    world
        .run("validate kb952076.toml --require-hashes")
        .exits_with(exit::INVALID);
    world
        .run("validate kb952076.toml -p nowhere")
        .exits_with(exit::NO_INPUT);
}

#[test]
fn a_file_that_is_not_there_keeps_nobody_from_hearing_about_the_others() {
    let world = World::with_deployment();
    world
        .run("validate missing.toml kb952076.toml")
        .exits_with(exit::NO_INPUT)
        .says("there is no file `missing.toml`")
        .says("1 file: 0 errors");
}

#[test]
fn levels_are_the_callers() {
    let world = World::with_deployment();
    world
        .run("validate kb952076.toml --deny warnings")
        .exits_with(exit::INVALID)
        .says("error[RU0202]");
    world
        .run("validate kb952076.toml --deny ru0205")
        .exits_with(exit::INVALID)
        .says("1 file: 18 errors");
    let run = world.run("validate kb952076.toml --deny warnings --allow RU0202,RU0203,RU0205");
    run.exits_with(exit::OK)
        .says("1 file: 0 errors, 0 warnings, 0 notes")
        .does_not_say("RU02");
    world
        .run("validate kb952076.toml --warn RU0205 --deny warnings --allow RU0202")
        .says("18 warnings");
    world
        .run("validate kb952076.toml --allow notes")
        .exits_with(exit::OK)
        .does_not_say("note[");
}

#[test]
fn wishes_that_make_no_sense_are_refused() {
    let world = World::with_deployment();
    let refused = |words: &str, why: &str| {
        world
            .run(&format!("validate kb952076.toml {words}"))
            .exits_with(exit::USAGE)
            .says(why);
    };
    refused("--allow RU0201", "RU0201 is an error");
    refused(
        "--deny RU0202 --allow RU0202",
        "`RU0202` is asked for in two ways",
    );
    refused("--deny RU9999", "there is no finding `RU9999`");
    refused("--format xml", "possible values: text, json, sarif, github");
}

#[test]
fn directories_and_patterns_stand_for_the_documents_in_them() {
    let world = World::with_deployment()
        .put("../manifests/b.toml", KB952076)
        .put("../manifests/.hidden/a.toml", "nonsense =")
        .put("../manifests/sub/deployment.toml", "schema = 1")
        .put("../manifests/Cargo.toml", "[package]\nname = \"x\"\n")
        .put("../manifests/read.me", "schema = 1");
    let files = |words: &str| -> Vec<String> {
        let told = world.run(&format!("validate {words} --format json")).json();
        let files = told["files"].as_array().expect("files").iter();
        files
            .map(|file| file["file"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(
        files("manifests"),
        ["manifests/b.toml", "manifests/sub/deployment.toml"]
    );
    assert_eq!(
        files("manifests/*.toml kb952076.toml manifests"),
        [
            "manifests/Cargo.toml",
            "manifests/b.toml",
            "kb952076.toml",
            "manifests/sub/deployment.toml"
        ]
    );
    assert_eq!(files("deployment"), ["deployment/deployment.toml"]);
    world.run("validate manifests").says("2 files: ").says(
        "1 other TOML file passed over, as neither manifest nor deployment: manifests/Cargo.toml",
    );
    world
        .run("validate KB952076")
        .exits_with(exit::NO_INPUT)
        .says("no manifest and no deployment.toml in `KB952076`");
    world
        .run("validate nothing/*.toml")
        .exits_with(exit::NO_INPUT)
        .says("`nothing/*.toml` matches no file");
}

#[test]
fn standard_input_is_a_document_too() {
    let world = World::with_deployment();
    let mut command = world.command("validate - --format github");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin
        .write_all(b"schema = 1\nservers = []\ntitel = 1\n")
        .expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
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
fn the_deployment_s_own_mistakes_are_told_with_those_of_the_manifest() {
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
    ran.says("did you mean `product_version`?")
        .says("did you mean `title`?")
        .says("2 files: 2 errors");
}

#[test]
fn mistakes_of_a_manifest_hide_none_of_its_payload() {
    let world = World::with_deployment()
        .edit("kb952076.toml", "title = \"Update", "titel = \"Update")
        .truncate_payload("HostedEmail2007NS.msi");
    let ran = world
        .run("validate kb952076.toml -p KB952076")
        .exits_with(exit::INVALID);
    ran.says("did you mean `title`?")
        .says("error[RU0702]: `Hostedemail2007ns.msi` is too short")
        .says("2 errors");
}

#[test]
fn a_payload_is_that_of_one_manifest() {
    let world = World::with_deployment().put("../two.toml", KB952076);
    world
        .run("validate kb952076.toml two.toml -p KB952076")
        .exits_with(exit::USAGE)
        .says("2 manifests are given");
}

#[test]
fn a_report_can_go_into_a_file() {
    let world = World::with_deployment();
    let ran = world
        .run("validate kb952076.toml --format sarif -o report.sarif")
        .exits_with(exit::OK);
    assert_eq!(ran.stdout(), "");
    ran.says("1 file: 0 errors, 3 warnings, 19 notes")
        .says("written to report.sarif");
    let report: Value =
        serde_json::from_slice(&fs::read(world.at("report.sarif")).expect("there")).expect("JSON");
    assert_eq!(report["version"], "2.1.0");
    world
        .run("validate kb952076.toml -o nowhere/report.txt")
        .exits_with(exit::IO)
        .says("cannot write");
}

/// The SARIF of a manifest with a misspelled key.
fn sarif(world: &World) -> Value {
    world
        .run("validate kb952076.toml -d deployment --format sarif")
        .json()
}

#[test]
fn sarif_says_what_the_text_says() {
    let world =
        World::with_deployment().edit("kb952076.toml", "title = \"Update", "titel = \"Update");
    let report = sarif(&world);
    let run = &report["runs"][0];
    let results = run["results"].as_array().expect("results");
    let told = world
        .run("validate kb952076.toml -d deployment --format json")
        .json();
    assert_eq!(
        results.len(),
        told["findings"].as_array().expect("findings").len()
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
fn a_fingerprint_outlives_a_line_that_is_added_above() {
    let prints = |world: &World| -> Vec<Value> {
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
    let before = prints(&world);
    let world = world.edit("kb952076.toml", "[rollup]", "# another line\n\n[rollup]");
    assert_eq!(before, prints(&world));
    let distinct: std::collections::BTreeSet<String> =
        before.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), before.len());
}

#[test]
fn a_hostile_manifest_is_refused_in_bounded_words() {
    let rows: String = "{},\n".repeat(100_000);
    let head = KB952076.split_once("[payload]").expect("a payload").0;
    let world = World::with_deployment().put(
        "../rows.toml",
        format!("{head}[payload]\nfiles = [\n{rows}]\n"),
    );
    let ran = world
        .run("validate rows.toml")
        .exits_with(exit::INVALID)
        .says("100,000 errors")
        .says("more RU0103");
    assert!(ran.stdout().len() < 200_000, "{} bytes", ran.stdout().len());
}

#[test]
fn a_report_never_replaces_a_document() {
    let world = World::with_deployment();
    let ran = world
        .run("validate kb952076.toml -o ./kb952076.toml")
        .exits_with(exit::USAGE);
    ran.says("`./kb952076.toml` is what the command reads");
    assert_eq!(
        fs::read_to_string(world.at("kb952076.toml")).expect("there"),
        KB952076
    );
    let ran = world
        .run("validate kb952076.toml -d deployment -o deployment/deployment.toml")
        .exits_with(exit::USAGE);
    ran.says("is in the deployment").nothing_was_touched();
}

#[test]
fn what_seems_to_be_a_document_of_a_directory_is_never_passed_over() {
    let world = World::with_deployment()
        .put(
            "../given/misspelled.toml",
            "schema = 1\n[rolup]\n[[step]]\n",
        )
        .put("../given/utf16.toml", b"\xff\xfes\0c\0h\0")
        .put("../elsewhere/linked.toml", "schema = 1\n[rollup]\n");
    std::os::unix::fs::symlink("../elsewhere/linked.toml", world.at("given/link.toml"))
        .expect("a link");
    std::os::unix::fs::symlink("../nowhere.toml", world.at("given/dangling.toml")).expect("a link");
    let ran = world.run("validate given").exits_with(exit::INVALID);
    ran.says("given/misspelled.toml:")
        .says("did you mean `rollup`?")
        .says("the document is UTF-16")
        .says("the symbolic link `given/dangling.toml` and 1 other link were not read")
        .says("2 files: ");
}

#[test]
fn a_name_that_is_not_utf_8_hides_no_other() {
    let odd = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    let world = World::with_deployment()
        .put("../m/a.toml", KB952076)
        .with(|world| {
            fs::write(
                world.at("m").join(odd(b"\xff.toml")),
                "schema = 1\n[rollup]\n",
            )
            .expect("written");
            fs::create_dir(world.at("m").join(odd(b"\xc3"))).expect("made");
            fs::write(world.at("m").join(odd(b"\xc3/b.toml")), KB952076).expect("written");
        });
    let files = |words: &str| files(&world, words);
    assert_eq!(files("m"), ["m/a.toml", "m/\\xC3/b.toml", "m/\\xFF.toml"]);
    assert_eq!(files("m/*.toml"), ["m/a.toml", "m/\\xFF.toml"]);
    assert_eq!(
        files("m/**/*.toml"),
        ["m/a.toml", "m/\\xC3/b.toml", "m/\\xFF.toml"]
    );
    for format in ["text", "sarif", "github"] {
        world
            .run(&format!("validate m --format {format}"))
            .exits_with(exit::INVALID);
    }
    let output = world
        .command("validate")
        .arg(odd(b"m/\xff.toml"))
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(exit::INVALID));
    assert!(String::from_utf8_lossy(&output.stdout).contains("m/\\xFF.toml:1:1"));
    let missing = world
        .command("validate")
        .arg(odd(b"m/\xfe*.toml"))
        .output()
        .expect("it runs");
    assert_eq!(missing.status.code(), Some(exit::NO_INPUT));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("there is no file `m/\\xFE*.toml`"));
}

/// The names of the documents that were validated.
#[track_caller]
fn files(world: &World, words: &str) -> Vec<String> {
    let told = world.run(&format!("validate {words} --format json")).json();
    let files = told["files"].as_array().expect("files").iter();
    files
        .map(|file| file["file"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn a_walk_follows_no_link_and_waits_for_nothing() {
    let world = World::with_deployment()
        .put("../m/a.toml", KB952076)
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
    for what in [
        "m",
        "m/*.toml",
        "m/**/*.toml",
        "m/**",
        "m/*",
        "m/?.toml",
        "m/{a,pipe,x}.toml",
    ] {
        let ran = world
            .run(&format!("validate '{what}'"))
            .exits_with(exit::OK)
            .nothing_was_touched();
        ran.says("1 file: 0 errors");
    }
    world
        .run("validate 'm/*.toml'")
        .says("the symbolic link `m/x.toml` was not read");
    world
        .run("validate 'm/loop/*/a.toml'")
        .exits_with(exit::NO_INPUT);
    // What was typed itself may be a link, and lead through one.
    world
        .run("validate 'm/loop/loop/*.toml'")
        .exits_with(exit::OK)
        .says("1 file: 0 errors");
    world
        .run("validate m/loop")
        .exits_with(exit::OK)
        .says("1 file: 0 errors");
    world
        .run("validate m/x.toml")
        .exits_with(exit::IO)
        .says("cannot read `m/x.toml`");
    world
        .run("validate m/pipe.toml")
        .exits_with(exit::NO_INPUT)
        .says("is not a file");
}

#[test]
fn patterns_match_names_and_hidden_ones_only_by_their_dot() {
    let world = World::with_deployment();
    let world = ["a", ".a", "s/a", "s/t/a", ".h/a", "[x]"]
        .iter()
        .fold(world, |world, name| {
            world.put(&format!("../m/{name}.toml"), KB952076)
        });
    let files = |words: &str| files(&world, words);
    assert_eq!(files("m/[ab].toml"), ["m/a.toml"]);
    assert_eq!(files("m/[!b].toml"), ["m/a.toml"]);
    assert_eq!(files("m/[x].toml"), ["m/[x].toml"]);
    assert_eq!(files("m/*/a.toml"), ["m/s/a.toml"]);
    assert_eq!(
        files("m/**/a.toml"),
        ["m/a.toml", "m/s/a.toml", "m/s/t/a.toml"]
    );
    assert_eq!(files("m/.*.toml"), ["m/.a.toml"]);
    assert_eq!(files("m/.h/*.toml"), ["m/.h/a.toml"]);
    assert_eq!(files("m/.?/*.toml"), ["m/.h/a.toml"]);
    assert_eq!(files("./m/s/?.toml"), ["./m/s/a.toml"]);
    assert_eq!(files("kb*.toml"), ["kb952076.toml"]);
    assert_eq!(
        files(&format!("{}/m/s/*.toml", world.at("").display())).len(),
        1
    );
    for wrong in ["[", "m/[.toml", "{a", "m/{a,b.toml"] {
        let ran = world.run(&format!("validate '{wrong}' kb952076.toml"));
        ran.exits_with(exit::USAGE)
            .says("is not a pattern")
            .says("1 file: 0 errors");
    }
    let long = format!("validate 'm/{}'", "*a".repeat(10_000));
    let ran = world
        .run(&long)
        .exits_with(exit::USAGE)
        .says("it has more than 4,096 bytes");
    assert!(ran.stderr().len() < 1_000);
    let nested = format!("validate 'm/{}{}'", "{".repeat(1_500), "}".repeat(1_500));
    world
        .run(&nested)
        .exits_with(exit::USAGE)
        .says("is not a pattern");
    for nothing in ["no/*.toml", "m/a.toml/*", "m/*/", "*/*/*/*/*/x"] {
        world
            .run(&format!("validate '{nothing}'"))
            .exits_with(exit::NO_INPUT)
            .says("matches no file");
    }
}

#[test]
fn what_is_too_deep_is_named_once() {
    let deep = format!("../m/{}b.toml", "d/".repeat(70));
    let world = World::with_deployment()
        .put("../m/a.toml", KB952076)
        .put(&deep, KB952076);
    for what in ["m", "m/**/*.toml"] {
        let ran = world
            .run(&format!("validate '{what}'"))
            .exits_with(exit::IO);
        let ran = ran
            .says("it is nested 64 deep, and was not looked into")
            .says("1 file: 0 errors");
        assert_eq!(ran.stderr().matches("64 deep").count(), 1);
    }
}

#[test]
fn a_variable_that_is_empty_counts_as_unset() {
    let world = World::with_deployment();
    let run = |words: &str, at: &str| {
        let mut command = world.command(words);
        for name in [
            "ROLLUP_DEPLOYMENT",
            "ROLLUP_PAYLOAD",
            "NO_COLOR",
            "COLUMNS",
            "USER",
            "LOGNAME",
            "CLICOLOR_FORCE",
        ] {
            command.env(name, "");
        }
        let output = command
            .current_dir(world.at(at))
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(!told.contains('\u{1b}'), "{told}");
        (output.status.code(), told)
    };
    assert_eq!(run("status -d deployment", ".").0, Some(exit::OK));
    assert_eq!(run("status", "deployment").0, Some(exit::OK));
    assert_eq!(run("status --help", "deployment").0, Some(exit::OK));
    let (code, told) = run("status", ".");
    assert_eq!(code, Some(exit::USAGE), "{told}");
    assert!(told.contains("set ROLLUP_DEPLOYMENT"), "{told}");
    assert_eq!(
        run("plan kb952076.toml -d deployment", ".").0,
        Some(exit::OK),
        "the payload is the one beside it"
    );
    let (code, told) = run("apply kb952076.toml -d deployment --yes", ".");
    assert_eq!(code, Some(exit::OK), "{told}");
    let (_, told) = run("history -d deployment", ".");
    assert!(told.contains("by uid "), "{told}");
    // An option that was typed is another matter.
    for words in [
        "status -d ''",
        "plan kb952076.toml -p ''",
        "plan kb952076.toml --deployment=",
    ] {
        let (code, told) = run(words, ".");
        assert_eq!(code, Some(exit::USAGE), "{words}: {told}");
        assert!(told.contains("a value is required for '--"), "{told}");
    }
}

#[test]
fn a_file_of_a_payload_that_cannot_be_read_is_one_finding() {
    let world =
        World::with_deployment().edit("kb952076.toml", "title = \"Update", "titel = \"Update");
    let at = world.payload_file("HostedEmail2007NS.msi");
    fs::remove_file(&at)
        .and_then(|()| fs::create_dir(&at))
        .expect("a directory in its place");
    let ran = world
        .run("validate kb952076.toml -p KB952076")
        .exits_with(exit::INVALID);
    ran.says("error[RU0707]")
        .says("did you mean `title`?")
        .says("2 errors");
}

#[test]
fn a_report_that_is_lost_is_a_failure() {
    let world = World::with_deployment();
    for words in [
        "validate kb952076.toml",
        "validate kb952076.toml --format github",
        "explain RU0201",
        "plan kb952076.toml",
    ] {
        let full = fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("a full disk");
        let ended = world
            .command(words)
            .stdout(full)
            .stderr(Stdio::null())
            .status()
            .expect("it runs");
        assert_eq!(ended.code(), Some(exit::IO), "{words}");
    }
    // A report for a program is lost, whatever it told.
    let world = world.edit("kb952076.toml", "title = \"Update", "titel = \"Update");
    let full = fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("a full disk");
    let mut command = world.command("validate kb952076.toml --format sarif");
    let ended = command
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .expect("it runs");
    assert_eq!(ended.code(), Some(exit::IO));
}

#[test]
fn code_hosts_get_paths_from_the_directory_of_the_run() {
    let world = World::with_deployment();
    let absolute = world.at("kb952076.toml");
    let ran = world.run(&format!("validate {} --format github", absolute.display()));
    assert!(
        ran.stdout().contains(" file=kb952076.toml,"),
        "{}",
        ran.stdout()
    );
}

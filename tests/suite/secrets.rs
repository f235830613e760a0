//! Secrets among the parameters: none is printed, none is in a file that rollup writes, and a run
//! needs all of them.

use std::fs;
use std::path::Path;

use walkdir::WalkDir;

use crate::small::{SMALL, small};
use crate::world::{CommandRun, World, exit};

/// Part of every secret in these tests.
const SECRET: &str = "S3cr3t";

/// Variable that every command of these tests has in its environment.
const VARIABLE: &str = "ROLLUP_TEST_TOKEN";

/// Record that a person wrote, with secrets in clear text.
const OLD_RECORD: &str = "schema = 1\nstate = \"verified\"\n\n[parameters]\nconnection = \"S3cr3t-old\"\n\
                          controller = \"dc0\"\nservicePassword = \"S3cr3t-old\"\n";

const STEPS: &str = r#"
[[steps]]
id = "initialize"
action = "initialize"
items."Things" = ["Initialize Things"]
[[steps]]
id = "restart"
action = "restart"
service = "Engine"
[payload]
files = []
"#;

/// Description with a secret in clear text, one in the environment and two in files.
fn site(world: &World) -> String {
    let machine_file = world.at("machine-secret");
    SMALL
        .replace(
            "needs = [\"controller\"]",
            "needs = [\"controller\", \"servicePassword\"], secret = [\"connection\"], public = [\"keyPath\"]",
        )
        .replace(
            "{ controller = \"dc1\" }",
            &format!(
                "{{ controller = \"dc1\", keyPath = \"C:/Keys\", servicePassword = \"S3cr3t-text\", \
                 connection = {{ file = \"secrets/connection\" }}, apiToken = {{ env = \"{VARIABLE}\" }}, \
                 more = {{ file = \"{}\" }} }}",
                machine_file.display()
            ),
        )
}

/// Makes a world with secrets everywhere, also in clear text in a record.
fn world() -> World {
    let world = World::with_site(SMALL);
    let site = site(&world);
    fs::write(world.at("machine-secret"), "S3cr3t-machine\n").expect("written");
    world
        .write_file("secrets/connection", "S3cr3t-file\r\n")
        .write_file("deployment.toml", site)
        .write_file("Things/Initialize Things/state.toml", OLD_RECORD)
        .manifest("small", &small("KB100001", STEPS))
}

/// Runs a command whose output must not have a secret.
#[track_caller]
fn run<'w>(world: &'w World, arguments: &str, code: i32) -> CommandRun<'w> {
    let mut ran = world.run(arguments).exits_with(code);
    ran = ran.does_not_print(SECRET);
    ran
}

/// Asserts that no file below a directory has a secret, except those for which `may` returns true.
#[track_caller]
fn assert_no_file_has_a_secret(directory: &Path, may: impl Fn(&str) -> bool) {
    let mut seen = 0;
    for entry in WalkDir::new(directory) {
        let entry = entry.expect("an entry");
        let path = entry.path().to_string_lossy().into_owned();
        if !entry.file_type().is_file() || may(&path) {
            continue;
        }
        seen += 1;
        let bytes = fs::read(entry.path()).expect("a file");
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(SECRET), "{path} has a secret:\n{text}");
    }
    assert!(seen > 0, "there is no file in {}", directory.display());
}

/// Returns whether a path is one where a person put a secret, or where an object is kept that an
/// earlier version made.
fn is_source(path: &str) -> bool {
    path.ends_with("/deployment/deployment.toml")
        || path.ends_with("/deployment/secrets/connection")
        || path.ends_with("/machine-secret")
        || (path.contains("/slots/") && path.contains("/old"))
}

#[test]
fn no_command_prints_a_secret_and_no_file_has_one() {
    let world = world();
    for format in ["text", "json", "markdown", "html"] {
        run(
            &world,
            &format!("plan small.toml --format {format}"),
            exit::OK,
        );
    }
    for view in ["--why", "--tree", "--undo"] {
        run(&world, &format!("plan small.toml {view}"), exit::OK);
    }
    run(&world, "plan small.toml", exit::OK)
        .prints("servicePassword=(secret)")
        .prints("connection=(secret)")
        .prints("apiToken=(secret)")
        .prints("more=(secret)")
        .prints("keyPath=C:/Keys");
    run(&world, "plan small.toml --save plan.json", exit::OK);
    run(
        &world,
        "plan small.toml --format html -o plan.html",
        exit::OK,
    );
    for format in ["text", "json", "markdown", "html"] {
        run(
            &world,
            &format!("show plan.json --format {format}"),
            exit::OK,
        );
    }
    run(&world, "apply small.toml --yes --dry-run", exit::OK);
    run(&world, "stage small.toml --yes", exit::OK);
    run(&world, "status", exit::STOPPED);
    run(&world, "undo --yes", exit::OK);
    run(
        &world,
        "apply plan.json --yes --stop-before restart",
        exit::STOPPED,
    );
    run(&world, "status --format json", exit::STOPPED);
    run(&world, "resume --yes", exit::OK);
    let state = world.read("Things/Initialize Things/state.toml");
    for line in [
        "servicePassword = { secret = true }",
        "connection = { secret = true }",
        "apiToken = { secret = true }",
        "more = { secret = true }",
        "keyPath = { public = \"C:/Keys\" }",
        "controller = \"dc1\"",
    ] {
        assert!(state.contains(line), "{line} is not in\n{state}");
    }
    for command in [
        "status",
        "verify",
        "verify --undo",
        "tree",
        "history",
        "history last",
    ] {
        for format in ["text", "json"] {
            run(&world, &format!("{command} --format {format}"), exit::OK);
        }
    }
    for format in ["text", "json", "markdown", "html"] {
        run(&world, &format!("report last --format {format}"), exit::OK);
    }
    let runs = fs::read_dir(world.live(".rollup/runs")).expect("the runs");
    for directory in runs {
        let plan = directory.expect("a run").path().join("plan.json");
        let plan = plan.display();
        run(&world, &format!("show {plan} --format json"), exit::OK);
    }
    assert_no_file_has_a_secret(&world.at("."), is_source);
    run(&world, "apply small.toml --yes --reapply", exit::OK);
    assert_no_file_has_a_secret(&world.at("."), is_source);
    run(&world, "undo last --yes", exit::OK);
}

#[test]
fn a_changed_secret_is_nothing_to_do_and_another_value_is_named() {
    let world = world();
    run(&world, "plan small.toml --save plan.json", exit::OK);
    let world = world.edit("deployment/deployment.toml", "S3cr3t-text", "S3cr3t-other");
    run(&world, "plan plan.json", exit::OK);
    let world = world.edit("deployment/deployment.toml", "\"dc1\"", "\"dc2\"");
    run(&world, "plan plan.json", exit::STALE_PLAN)
        .prints("controller=dc1")
        .prints("servicePassword=(secret)");
}

#[test]
fn a_lab_has_no_secret() {
    for deployment in ["deployment", "deployment/deployment.toml"] {
        let world = world();
        let rehearse = format!("rehearse small.toml -d {deployment} --lab lab");
        run(&world, &rehearse, exit::OK);
        let description =
            fs::read_to_string(world.at("lab/deployment/deployment.toml")).expect("a description");
        for name in ["servicePassword", "connection", "apiToken", "more"] {
            let line = format!("{name} = \"rehearsed\"");
            assert!(
                description.contains(&line),
                "{line} is not in\n{description}"
            );
        }
        assert!(!world.at("lab/deployment/secrets/connection").exists());
        assert_no_file_has_a_secret(&world.at("lab"), |_| false);
    }
}

#[test]
fn every_form_of_a_table_of_parameters_is_rehearsed() {
    let header = "[parameters]\n\"Initialize Things\" = { controller = \"dc1\" }\n";
    for form in [
        "[parameters.\"Initialize Things\"]\ncontroller = \"dc1\"\nservicePassword = \"S3cr3t\"\n",
        "[parameters.\"initialize things\".servicePassword]\nenv = \"NOT_SET\"\n[parameters.\"initialize things\".controller]\nfile = \"none\"\n",
        "[parameters]\n\"Initialize Things\".controller = \"dc1\"\n\"Initialize Things\".servicePassword.env = \"NOT_SET\"\n",
        "parameters.\"Initialize Things\" = { controller = \"dc1\", servicePassword = \"S3cr3t\" }\n",
    ] {
        let world = World::with_site(SMALL);
        let site = match form.starts_with('[') {
            true => SMALL.replace(header, form),
            false => form.to_owned() + &SMALL.replace(header, ""),
        };
        let world = world
            .write_file("deployment.toml", site)
            .manifest("small", &small("KB100001", STEPS));
        run(
            &world,
            "rehearse small.toml -d deployment --lab lab",
            exit::OK,
        );
        let record = world.at("lab/deployment/Things/Initialize Things/state.toml");
        let record = fs::read_to_string(record).expect("a record");
        assert!(
            record.contains("servicePassword = { secret = true }"),
            "{record}"
        );
        assert_no_file_has_a_secret(&world.at("lab"), |_| false);
    }
}

#[test]
fn a_secret_that_is_not_set_is_a_warning_of_plan_and_refused_by_apply() {
    let place = format!("env = \"{VARIABLE}\"");
    for (other, reason) in [
        (
            "env = \"ROLLUP_TEST_NOT_SET\"",
            "the environment variable `ROLLUP_TEST_NOT_SET` is not set",
        ),
        (
            "env = \"ROLLUP_TEST_EMPTY\"",
            "the environment variable `ROLLUP_TEST_EMPTY` is empty",
        ),
        (
            "file = \"secrets/none\"",
            "the file `deployment/secrets/none` does not exist",
        ),
        (
            "file = \"secrets/empty\"",
            "the file `deployment/secrets/empty` is empty",
        ),
        ("file = \"secrets/long\"", "it is longer than 65536 bytes"),
        ("file = \"secrets/link\"", "deployment/secrets/link"),
        ("file = \"secrets\"", "it is a directory, not a file"),
        ("file = \"/nonexistent/none\"", "/nonexistent"),
    ] {
        let world = world()
            .edit("deployment/deployment.toml", &place, other)
            .write_file("secrets/empty", "\r\n")
            .write_file("secrets/long", "S3cr3t".repeat(20_000))
            .with(|world| {
                std::os::unix::fs::symlink(world.at("machine-secret"), world.live("secrets/link"))
                    .expect("a link");
            });
        run(&world, "plan small.toml", exit::OK)
            .prints("`rollup apply` would refuse this user: the secret `apiToken` of `Initialize Things` cannot be read")
            .prints(reason);
        for command in ["apply", "stage"] {
            run(
                &world,
                &format!("{command} small.toml --yes"),
                exit::NOT_READY,
            )
            .prints("the secret `apiToken` of `Initialize Things` cannot be read")
            .prints(reason)
            .tree_is_unchanged();
        }
    }
}

#[test]
fn a_secret_in_a_manifest_is_refused() {
    for (name, value) in [
        ("servicePassword", "S3cr3t"),
        ("connection", "S3cr3t"),
        ("more", "S3cr3t"),
    ] {
        let steps = STEPS.replace(
            "items.\"Things\" = [\"Initialize Things\"]\n",
            &format!(
                "items.\"Things\" = [\"Initialize Things\"]\nparameters.\"Initialize Things\" = {{ {name} = \"{value}\" }}\n"
            ),
        );
        let world = world();
        fs::write(world.at("small.toml"), small("KB100001", &steps)).expect("written");
        for command in [
            "plan small.toml",
            "apply small.toml --yes",
            "stage small.toml --yes",
        ] {
            run(&world, command, exit::INVALID)
                .prints(&format!(
                    "the manifest contains the secret `{name}` of `Initialize Things`"
                ))
                .nothing_was_touched();
        }
        for format in ["text", "json", "sarif", "github"] {
            let validate = format!("validate small.toml -d deployment --format {format}");
            run(&world, &validate, exit::INVALID).prints("RU0621");
        }
    }
}

#[test]
fn differences_of_manifests_name_a_secret_and_no_value() {
    let manifest = |value: &str| {
        let parameters = format!(
            "parameters.\"Initialize Things\" = {{ servicePassword = \"{value}\", other = \"{value}\" }}\n[[steps]]\nid = \"restart\""
        );
        small(
            "KB100001",
            &STEPS.replace("[[steps]]\nid = \"restart\"", &parameters),
        )
    };
    let world = world();
    for (name, value) in [("old", "S3cr3t-1"), ("new", "S3cr3t-2"), ("none", "x")] {
        let text = manifest(value).replace(&format!("other = \"{value}\""), "other = \"x\"");
        fs::write(world.at(&format!("{name}.toml")), text).expect("written");
    }
    let text = fs::read_to_string(world.at("none.toml")).expect("a manifest");
    let without = text.replace("id = \"initialize\"", "id = \"other\"");
    fs::write(world.at("none.toml"), without).expect("written");
    for format in ["text", "json"] {
        run(
            &world,
            &format!("diff old.toml new.toml --format {format}"),
            exit::OK,
        )
        .prints("servicePassword")
        .prints("(secret)");
        run(
            &world,
            &format!("diff old.toml none.toml --format {format}"),
            exit::OK,
        )
        .prints("(secret)");
    }
}

#[test]
fn no_finding_shows_a_secret_of_its_line() {
    let line = |rest: &str| format!("\"Initialize Things\" = {{ controller = \"dc1\", {rest}");
    for faulty in [
        line("servicePassword = \"S3cr3t\", contoller = 1 }"),
        line("servicePassword = \"S3cr3t\" "),
        line("servicePassword = S3cr3t }"),
        line("servicePassword = \"S3cr3t }"),
        line("servicePassword \"S3cr3t\" }"),
        line("servicePassword = [\"S3cr3t\"] }"),
        line("servicePassword = { env = 1, value = \"S3cr3t\" } }"),
        line("connection = \"S3cr3t\" } x"),
        "\"Initialize Thing\" = { servicePassword = \"S3cr3t\" }".to_owned(),
        "[paremeters]\n\"Initialize Things\".servicePassword = \"S3cr3t\"".to_owned(),
        "paremeters.\"Initialize Things\" = { servicePassword = \"S3cr3t\" }".to_owned(),
        "[parameters.\"Initialize Things\".servicePassword]\nvalue = \"S3cr3t\"".to_owned(),
        "\"Initialize Things\" = { a = 1 } # TODO servicePassword = \"S3cr3t\"".to_owned(),
    ] {
        let world = world();
        let text = SMALL
            .replace(
                "needs = [\"controller\"]",
                "needs = [], secret = [\"connection\"]",
            )
            .replace("\"Initialize Things\" = { controller = \"dc1\" }", &faulty);
        assert!(text.contains(SECRET) || faulty.contains(SECRET));
        let world = world.write_file("deployment.toml", text);
        for format in ["text", "json", "sarif", "github"] {
            let validate = format!("validate deployment/deployment.toml --format {format}");
            run(&world, &validate, exit::INVALID);
        }
        for command in [
            "plan small.toml",
            "status",
            "verify",
            "apply small.toml --yes",
        ] {
            let ran = world.run(command).does_not_print(SECRET);
            assert_ne!(ran.printed().1, Some(exit::PANICKED));
        }
    }
}

#[test]
fn an_excerpt_has_a_mark_in_place_of_the_secret() {
    let world = world();
    let ran = run(&world, "validate deployment/deployment.toml", exit::OK);
    ran.prints("warning[RU0508]: the secret `servicePassword` is in clear text")
        .prints("servicePassword = \"***\"");
}

#[test]
fn the_place_of_a_secret_is_one_variable_or_one_file() {
    for (place, finding) in [
        (
            "{ env = \"A\", file = \"b\" }",
            "`env` and `file` exclude each other",
        ),
        ("{ }", "the place of a secret lacks `env`"),
        (
            "{ env = \"A=B\" }",
            "it is not the name of an environment variable",
        ),
        ("{ file = \"../b\" }", "../b"),
        (
            "{ value = \"b\" }",
            "the place of a secret has no key `value`",
        ),
        (
            "1",
            "`servicePassword` has a whole number instead of a string",
        ),
    ] {
        let world = world().edit("deployment/deployment.toml", "\"S3cr3t-text\"", place);
        run(&world, "validate deployment/deployment.toml", exit::INVALID).prints(finding);
    }
    let world = world().edit(
        "deployment/deployment.toml",
        "public = [\"keyPath\"]",
        "public = [\"connection\"]",
    );
    run(&world, "validate deployment/deployment.toml", exit::INVALID)
        .prints("`secret` and `public` both list `connection`");
}

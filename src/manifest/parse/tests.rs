//! Tests of the meaning of a manifest, and of the findings about one.

use super::*;
use crate::deployment::describe;
use crate::document::Severity;
use crate::manifest::add_pins;

const KB952076: &str = include_str!("../../../manifests/kb952076.toml");
const HMC40: &str = include_str!("../../../fixtures/hmc40/deployment.toml");

fn deployment() -> Description {
    describe::parse(
        &Source::new("deployment.toml", HMC40),
        &mut Findings::default(),
    )
    .expect("no errors")
}

fn finding_lines(source: &Source, findings: &Findings) -> Vec<String> {
    let line = |finding: &&crate::document::Finding| {
        let (line, _) = source.place(finding.span.start);
        format!(
            "{line} {} {} {}",
            finding.level, finding.code, finding.message
        )
    };
    findings.sorted().iter().map(line).collect()
}

fn found(text: &str, checks: &Checks<'_>) -> Vec<String> {
    let source = Source::new("m.toml", text);
    let mut findings = Findings::default();
    let parsed = parse_with(&source, checks, &mut findings);
    assert_eq!(
        parsed.is_some(),
        findings.errors() == 0,
        "{:?}",
        finding_lines(&source, &findings)
    );
    finding_lines(&source, &findings)
}

fn codes(found: &[String], without: &str) -> Vec<String> {
    let code = |line: &String| line.split(' ').nth(2).map(str::to_owned);
    found
        .iter()
        .filter_map(code)
        .filter(|code| code != without)
        .collect()
}

/// Returns the manifest before its files were pinned.
fn unpinned() -> &'static str {
    KB952076
        .split("[payload.sha256]")
        .next()
        .expect("there is always a first part")
}

fn pinned() -> String {
    let manifest =
        parse(&Source::new("m.toml", unpinned()), &mut Findings::default()).expect("no errors");
    let pins: Vec<_> = manifest
        .files
        .iter()
        .map(|row| (row.name.clone(), Digest::of(row.name.as_str().as_bytes())))
        .collect();
    add_pins(unpinned(), &pins).expect("pinned")
}

#[test]
fn kb952076_has_exactly_its_known_oddities() {
    let found = found(&pinned(), &Checks { deployment: None });
    assert_eq!(
        found.iter().filter(|line| line.contains("RU0205")).count(),
        18
    );
    assert_eq!(
        codes(&found, "RU0205"),
        ["RU0202", "RU0203", "RU0202", "RU0202"],
        "{found:#?}"
    );
}

#[test]
fn kb952076_on_the_sample_deployment_has_more_findings() {
    let deployment = deployment();
    let found = found(
        &pinned(),
        &Checks {
            deployment: Some(&deployment),
        },
    );
    let expected = [
        "RU0609", "RU0608", "RU0608", "RU0610", "RU0202", "RU0203", "RU0202", "RU0202",
    ];
    assert_eq!(codes(&found, "RU0205"), expected, "{found:#?}");
}

#[test]
fn missing_pins_are_one_warning() {
    let found = found(unpinned(), &Checks::default());
    assert_eq!(
        found
            .iter()
            .filter(|line| line.contains("warning RU0207"))
            .count(),
        1
    );
}

#[test]
fn kb952076_is_read_as_it_was_written() {
    let manifest =
        parse(&Source::new("m.toml", pinned()), &mut Findings::default()).expect("no errors");
    assert_eq!(manifest.rollup.kb.to_string(), "KB952076");
    assert_eq!((manifest.steps.len(), manifest.files.len()), (5, 21));
    assert_eq!(manifest.files[0].modified, Some(1_206_988_320));
    assert_eq!(
        manifest
            .files
            .iter()
            .filter_map(|row| row.size)
            .sum::<u64>(),
        7_664_808
    );
    let step = &manifest.steps[0];
    assert_eq!(step.verb, Some(Verb::Uninstall));
    assert_eq!(
        step.items
            .iter()
            .map(|group| group.names.len())
            .collect::<Vec<_>>(),
        [11, 7]
    );
    assert!(manifest.files.iter().all(|row| row.sha256.is_some()));
}

/// Returns the findings about a correct manifest followed by `rest`, whose lines count from 8.
fn with(rest: &str) -> Vec<String> {
    let text = format!(
        "schema = 1\n[rollup]\nkb = \"952076\"\ntitle = \"t\"\nproduct = \"p\"\nproduct_versions = [\"1\"]\n\n{rest}"
    );
    found(&text, &Checks::default())
}

const PAYLOAD: &str =
    "[payload]\nfiles = [{ name = \"a.msi\", size = 512 }, { name = \"b.msi\", size = 1024 }]\n";

#[test]
fn every_action_is_read() {
    let text = format!(
        "schema = 1\n[rollup]\nkb = \"kb1\"\ntitle = \"t\"\nproduct = \"p\"\nproduct_versions = [\"1\"]\n\
         [[prerequisites]]\nitem = \"X\"\n[[prerequisites]]\nconfirm = \"Sure?\"\nid = \"sure\"\n\
         [[steps]]\nid = \"d\"\naction = \"disable\"\nservice = \"S\"\nplatform = \"x64\"\n\
         [[steps]]\nid = \"U\"\naction = \"uninstall\"\ngroups = [\"G\"]\non = \"r\"\n\
         [[steps]]\nid = \"r\"\naction = \"run\"\nfiles = [\"a.msi\"]\non = \"r\"\nplatform = \"x64\"\n\
         [[steps]]\nid = \"c\"\naction = \"copy\"\nothers = true\nto = \"x/y\"\non = \"r\"\n\
         [[steps]]\nid = \"i\"\naction = \"install\"\nremoved_by = \"u\"\n\
         [[steps]]\nid = \"p\"\naction = \"initialize\"\nitems.\"G/H\" = [\"P\"]\nparameters.P = {{ a = \"\", b = \"1\" }}\n\
         [[steps]]\nid = \"e\"\naction = \"enable\"\nservice = \"s\"\n\
         [[steps]]\nid = \"m\"\naction = \"manual\"\ninstructions = \"do\"\nundo = \"undo\"\noptional = true\non = \"r\"\n{PAYLOAD}"
    );
    let mut findings = Findings::default();
    let source = Source::new("m.toml", text);
    let manifest = parse(&source, &mut findings);
    assert_eq!(
        codes(&finding_lines(&source, &findings), "RU0207"),
        [""; 0],
        "{:#?}",
        finding_lines(&source, &findings)
    );
    let steps = manifest.expect("no errors").steps;
    assert!(
        matches!(&steps[3], Step { others: Some(_), to: Some(CopyTarget::Servers(_)), files, .. } if files.len() == 1)
    );
    assert!(
        matches!(&steps[4].removed_by, Some(Name { text, id: Some(StepId(1)), .. }) if text == "U")
    );
}

#[test]
fn a_file_that_is_used_but_not_listed_is_reported_once() {
    let step = "[[steps]]\nid = \"c\"\naction = \"copy\"\nto = \"share\"\nfiles = [\"a.msi\", \"Providers.msi\"]\n";
    let found = with(&format!("{step}{PAYLOAD}").replace("\"b.msi\"", "\"Provider.msi\""));
    assert_eq!(codes(&found, "RU0207"), ["RU0201"], "{found:#?}");
}

#[test]
fn removed_items_should_be_reinstalled() {
    let remove = "[[steps]]\nid = \"u\"\naction = \"uninstall\"\nitems.\"G/H\" = [\"A\", \"B\"]\n";
    let install = |targets: &str| {
        with(&format!(
            "{remove}[[steps]]\nid = \"i\"\naction = \"install\"\n{targets}\n"
        ))
    };
    assert_eq!(codes(&with(remove), ""), ["RU0303"]);
    assert_eq!(codes(&install("groups = [\"g\"]"), ""), [""; 0]);
    assert_eq!(codes(&install("removed_by = \"U\""), ""), [""; 0]);
    assert_eq!(codes(&install("items.\"G/H\" = [\"A\"]"), ""), ["RU0303"]);
    assert_eq!(
        codes(&install("items.\"G/H\" = [\"A\", \"B\", \"C\"]"), ""),
        ["RU0304"]
    );
    assert_eq!(codes(&install("groups = [\"alias of G\"]"), ""), [""; 0]);
    assert_eq!(codes(&install("removed_by = \"x\""), "RU0303"), ["RU0305"]);
    assert_eq!(
        codes(
            &with("[[steps]]\nid = \"s\"\naction = \"stop\"\nservice = \"S\"\n"),
            ""
        ),
        ["RU0306"]
    );
}

#[test]
fn a_required_rollup_may_have_a_minimum_revision() {
    let text = |relations: &str| {
        format!(
            "schema = 1\n[rollup]\nkb = \"KB1\"\ntitle = \"t\"\nproduct = \"p\"\nproduct_versions = [\"1\"]\n{relations}\n\
             [[steps]]\nid = \"m\"\naction = \"manual\"\ninstructions = \"x\"\nundo = \"y\"\n"
        )
    };
    let source = Source::new("m.toml", text("requires = [\"kb2>=4.0\", \"KB3\"]"));
    let manifest = parse(&source, &mut Findings::default()).expect("no errors");
    let requires: Vec<_> = manifest
        .rollup
        .requires
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(requires, ["KB2 >= 4.0", "KB3"]);
    for (relations, expected) in [
        ("requires = [\"KB2 > 4.0\"]", "RU0105"),
        ("requires = [\"KB2 >= \"]", "RU0105"),
        ("includes = [\"KB2 >= 4.0\"]", "RU0105"),
        ("requires = [\"\"]", "RU0106"),
        ("requires = [\"KB2\", \"KB2 >= 4.0\"]", "RU0108"),
        ("requires = [\"KB2 >= 4.0\", \"KB2 >= 5.0\"]", "RU0108"),
        ("requires = [\"KB1 >= 2.0\"]", "RU0401"),
        (
            "requires = [\"KB2 >= 2.0\"]\nreplaces = [\"KB2\"]",
            "RU0402",
        ),
    ] {
        let found = found(&text(relations), &Checks::default());
        assert_eq!(codes(&found, ""), [expected], "{found:#?}");
    }
}

#[test]
fn keys_that_do_not_fit_are_reported() {
    let found = with(&format!(
        "[[prerequisites]]\nproduct = \"X\"\nitem = \"Y\"\n[[prerequisites]]\nitem = \"Y\"\nservice_pack = 1\n\
         [[steps]]\nid = \"a b\"\naction = \"copi\"\n[[steps]]\nid = \"c\"\naction = \"copy\"\nto = \"Share\"\n\
         files = [\"a.msi\", \"A.MSI\"]\nothers = true\nservice = \"S\"\n[[steps]]\nid = \"C\"\naction = \"uninstall\"\n{PAYLOAD}"
    ));
    assert_eq!(
        codes(&found, "RU0207"),
        [
            "RU0113", "RU0112", "RU0105", "RU0105", "RU0103", "RU0108", "RU0113", "RU0112",
            "RU0108", "RU0301"
        ],
        "{found:#?}"
    );
}

#[test]
fn faults_of_a_prerequisite_are_reported() {
    let step = "[[steps]]\nid = \"m\"\naction = \"manual\"\ninstructions = \"x\"\nundo = \"y\"\n";
    for (prerequisite, expected) in [
        (
            "product = \"P\"\nservice_pack = { min = 3, max = 2 }",
            "error RU0123 nothing is from 3 to 2",
        ),
        (
            "product = \"P\"\nversion = { min = \"9.10\", max = \"9.9\" }",
            "error RU0123 nothing is from 9.10 to 9.9",
        ),
        (
            "product = \"P\"\nversion = { min = \"2005 R2\" }",
            "error RU0105 `2005 R2` is not numbers joined by dots, such as `1.0`",
        ),
        (
            "product = \"P\"\nversion = {}",
            "error RU0103 a range of `version` lacks `min` or `max`",
        ),
        (
            "product = \"P\"\nservice_pack = { mni = 1 }",
            "error RU0101 a range of `service_pack` has no key `mni`",
        ),
        (
            "product = \"P\"\nservice_pack = \"1\"",
            "error RU0102 `service_pack` has a string instead of a whole number or a table",
        ),
        (
            "product = \"P\"\nversion = 9.0",
            "error RU0102 `version` has a number with a fraction instead of a string",
        ),
        (
            "product = \"P\"\nabsent = true\nservice_pack = 1",
            "error RU0113 `absent` and `service_pack` exclude each other",
        ),
        (
            "product = \"P\"\nabsent = false",
            "error RU0105 `absent = false` has no effect",
        ),
        (
            "item = \"I\"\nversion = \"one\"",
            "error RU0105 `one` is not numbers joined by dots, such as `1.0`",
        ),
        (
            "item = \"I\"\non = \"r\"",
            "error RU0112 the prerequisite `item` has no key `on`",
        ),
        (
            "absent = true",
            "error RU0103 [[prerequisites]] lacks `product`, `item`, `any` or `confirm`",
        ),
        ("any = []", "error RU0106 `any` is empty"),
        (
            "any = [{ item = \"I\" }]",
            "warning RU0124 `any` has one alternative",
        ),
        (
            "any = [{ item = \"I\" }, { confirm = \"Sure?\", id = \"s\" }]",
            "error RU0101 an entry of `any` has no key `confirm`",
        ),
        (
            "any = [{ item = \"I\" }, { any = [] }]",
            "error RU0101 an entry of `any` has no key `any`",
        ),
        (
            "any = [{ item = \"I\" }, { item = \"i\" }]",
            "warning RU0116 two alternatives ask for the same of `i`",
        ),
        (
            "any = [{ item = \"I\" }, { item = \"J\", product = \"P\" }]",
            "error RU0113 one alternative cannot ask for both `product` and `item`",
        ),
        (
            "product = \"P\"\nservice_pack = 1\n[[prerequisites]]\nproduct = \"p\"\nservice_pack = { max = 3 }",
            "warning RU0116 two prerequisites ask for the product `p`",
        ),
        (
            "product = \"P\"\nversion = \"9\"\n[[prerequisites]]\nproduct = \"p\"",
            "warning RU0116 two prerequisites ask for the product `p`",
        ),
        (
            "item = \"I\"\nabsent = true\n[[prerequisites]]\nitem = \"i\"",
            "error RU0123 `i` is required, and it must be absent",
        ),
        (
            "any = [{ item = \"I\" }, { item = \"J\" }]\n[[prerequisites]]\nany = [{ item = \"j\" }, { item = \"i\" }]",
            "warning RU0116 two prerequisites have the same alternatives",
        ),
    ] {
        let found = with(&format!("[[prerequisites]]\n{prerequisite}\n{step}"));
        let first = found.first().map_or("", String::as_str);
        let (_, first) = first.split_once(' ').expect("a line number");
        assert_eq!(first, expected, "{found:#?}");
    }
}

#[test]
fn prerequisites_that_test_different_things_are_no_duplicates() {
    let step = "[[steps]]\nid = \"m\"\naction = \"manual\"\ninstructions = \"x\"\nundo = \"y\"\n";
    for prerequisites in [
        "product = \"P\"\nservice_pack = 1\n[[prerequisites]]\nproduct = \"P\"\nversion = \"9\"",
        "product = \"P\"\n[[prerequisites]]\nproduct = \"P\"\non = \"r\"",
        "product = \"P\"\non = \"r\"\n[[prerequisites]]\nproduct = \"P\"\non = \"q\"\nabsent = true",
        "any = [{ product = \"P\", service_pack = 2 }, { product = \"P\", service_pack = 4 }]",
        "item = \"P\"\n[[prerequisites]]\nproduct = \"P\"",
    ] {
        let found = with(&format!("[[prerequisites]]\n{prerequisites}\n{step}"));
        assert_eq!(found, [""; 0], "{prerequisites}");
    }
}

#[test]
fn faults_of_a_row_are_reported() {
    let rows = "{ name = \"a.msi\", size = 500, unused = \"x\" }, { name = \"A.msi\", unused = \"x\" }, { name = \"c\", size = -1, unused = \"x\" }, \
                { name = \"../e\" }, { name = \"f\", modified = 2008-03-31T18:32:00, unused = \"x\", size = 1 }, \
                { name = \"g\", modified = 2008-03-31T18:32:01Z, unused = \"x\", size = 1 }, { name = \"h\", unused = \"x\", size = 1 }";
    let found = with(&format!(
        "[[steps]]\nid = \"m\"\naction = \"manual\"\ninstructions = \"x\"\nundo = \"y\"\n[payload]\nfiles = [{rows}]\n"
    ));
    assert_eq!(
        codes(&found, "RU0207"),
        [
            "RU0204", "RU0108", "RU0206", "RU0111", "RU0107", "RU0110", "RU0110"
        ],
        "{found:#?}"
    );
}

#[test]
fn names_of_the_deployment_are_checked() {
    let deployment = deployment();
    let text = KB952076
        .replace(
            "\"Exchange 2007 Hosted Email\",",
            "\"Exchange 2007 Hosted Mail\",",
        )
        .replace(
            "items.\"MPS Web Services\" = [ ",
            "items.\"MPS Web Services\" = [ \"MPF Engine\", ",
        )
        .replace("on = \"mps-engine\"", "on = \"mps-engin\"")
        .replace(
            "service = \"Provisioning Engine\"",
            "service = \"Provisioning\"",
        )
        .replace(
            "\"Initialize Managed Email 2007\",",
            "\"Managed Email 2007\",",
        )
        .replace("\"Hosted Exchange\", ", "\"Hosted Exchang\", ")
        .replace(
            "product = \"Exchange Server 2007\"",
            "product = \"Exchange 2007\"",
        );
    let found = found(
        &text,
        &Checks {
            deployment: Some(&deployment),
        },
    );
    let found: Vec<_> = codes(&found, "RU0205")
        .into_iter()
        .filter(|code| code.starts_with("RU06"))
        .collect();
    assert_eq!(
        found,
        [
            "RU0611", "RU0602", "RU0605", "RU0607", "RU0601", "RU0610", "RU0606", "RU0604",
            "RU0603"
        ]
    );
}

#[test]
fn twins_are_a_warning_until_they_are_pinned() {
    let level = |text: &str| {
        let source = Source::new("m.toml", text);
        let mut findings = Findings::default();
        parse(&source, &mut findings);
        findings
            .sorted()
            .iter()
            .find(|finding| finding.code == Code::SameSizeAndDate)
            .map(|finding| finding.level)
    };
    assert_eq!(
        (level(unpinned()), level(&pinned())),
        (Some(Severity::Warning), Some(Severity::Note))
    );
}

#[test]
fn binding_names_every_problem_with_its_line() {
    let text = "schema = 1\n[rollup]\nkb = \"KB1\"\ntitle = \"t\"\nproduct = \"p\"\nproduct_versions = [\"1\"]\n\
        [[prerequisites]]\nitem = \"Nothing\"\n[[prerequisites]]\nproduct = \"Nowhere\"\n\
        [[steps]]\nid = \"u\"\naction = \"uninstall\"\nitems.\"Nowhere\" = [\"Exchange 2007 Provider\"]\n\
        [[steps]]\nid = \"s\"\naction = \"restart\"\nservice = \"Engine\"\non = \"MPS01\"\n";
    let manifest = parse(&Source::new("m.toml", text), &mut Findings::default());
    let problems = manifest.expect("no errors").bind(&deployment());
    let problems = problems.expect_err("unknown names");
    let lines: Vec<_> = problems
        .iter()
        .map(|problem| format!("{} {problem}", problem.line))
        .collect();
    // That no server has a product is a warning here; the planner refuses it. An item that the console
    // does not list makes the prerequisite not applicable.
    assert_eq!(
        lines,
        [
            "14 the deployment `hmc40` has no group `Nowhere`",
            "19 `MPS01` is a server, but a manifest names roles",
            "18 the deployment `hmc40` has no service `Engine`",
        ]
    );
}

#[test]
fn a_bound_step_has_its_instances_in_the_order_of_dependencies() {
    let manifest =
        parse(&Source::new("m.toml", KB952076), &mut Findings::default()).expect("no errors");
    let site = deployment();
    let bound = manifest.bind(&site).expect("known names");
    let Action::Uninstall(targets) = &bound.steps[0].action else {
        panic!("an uninstall step")
    };
    let ranks: Vec<_> = targets
        .iter()
        .map(|target| bound.rank(target.instance.item))
        .collect();
    assert!(ranks.is_sorted(), "{ranks:?}");
    let mut items: Vec<_> = targets.iter().map(|target| target.instance.item).collect();
    items.dedup();
    assert_eq!(items.len(), 11 + 7, "each item once, on all of its servers");
}

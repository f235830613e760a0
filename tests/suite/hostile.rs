//! Hostile documents. Each would take minutes, or all memory, if the work grew with the square of
//! the document's size; none of the tests asserts a time.

use rollup::deployment::describe;
use rollup::deployment::description::Description;
use rollup::document::{Code, Findings, RenderOptions, Source};
use rollup::manifest::{self, Checks};
use rollup::validation::{Document, DocumentKind, Validation, ValidationContext};

const HEAD: &str = "kb = \"KB1\"\ntitle = \"t\"\nproduct = \"p\"\nproduct_versions = [\"1\"]\n";

const DEPLOYMENT: &str = "schema = 1\nname = \"n\"\nproduct = \"p\"\nproduct_version = \"1\"\nshare = \"Share\"\n\
    roles = [{ name = \"r\" }]\nservers = [{ name = \"S1\", roles = [\"r\"] }]\n";

fn manifest_of(steps: &str) -> String {
    format!("schema = 1\nsteps = [\n{steps}]\n[rollup]\n{HEAD}")
}

/// Returns a deployment with a number of items in the group `G`, from `item 0`, followed by `rest`.
fn deployment_of(items: usize, rest: &str) -> String {
    let items: String = (0..items)
        .map(|at| format!("{{ name = \"item {at}\", installer = \"{at}.msi\" }},\n"))
        .collect();
    format!("{DEPLOYMENT}[[groups]]\npath = \"G\"\nitems = [\n{items}]\n{rest}")
}

fn parse_deployment(text: String) -> (Option<Description>, Vec<String>) {
    let mut findings = Findings::default();
    let description = describe::parse(&Source::new("deployment.toml", text), &mut findings);
    (description, messages(&findings))
}

fn parse_manifest(text: String, deployment: Option<&Description>) -> Vec<String> {
    let mut findings = Findings::default();
    manifest::check(
        &Source::new("m.toml", text),
        &Checks { deployment },
        &mut findings,
    );
    messages(&findings)
}

fn messages(findings: &Findings) -> Vec<String> {
    findings
        .sorted()
        .iter()
        .map(|finding| format!("{} {}", finding.code, finding.message))
        .collect()
}

#[test]
fn many_uninstalls_and_installs_are_checked_in_one_pass() {
    let step = |at: usize| {
        let action = if at.is_multiple_of(2) {
            "uninstall"
        } else {
            "install"
        };
        format!(
            "{{ id = \"s{at}\", action = \"{action}\", groups = [\"g{}\"] }},\n",
            at / 2
        )
    };
    let steps: String = (0..20_000).map(step).collect();
    assert_eq!(parse_manifest(manifest_of(&steps), None), [""; 0]);
}

#[test]
fn many_references_to_missing_steps_are_reported() {
    let step = |at: usize| {
        format!(
            "{{ id = \"s{at}\", action = \"uninstall\", groups = [\"g\"] }},\n\
             {{ id = \"t{at}\", action = \"install\", removed_by = \"another {at}\" }},\n"
        )
    };
    let steps: String = (0..10_000).map(step).collect();
    let findings = parse_manifest(manifest_of(&steps), None);
    assert!(
        findings[0].starts_with("RU0305 the manifest has no step `another 0`"),
        "{}",
        findings[0]
    );
}

#[test]
fn many_disabled_and_enabled_services_are_checked_in_one_pass() {
    let step = |action: &'static str| {
        move |at: usize| {
            format!("{{ id = \"{action}{at}\", action = \"{action}\", service = \"{at}\" }},\n")
        }
    };
    let steps: String = (0..10_000)
        .map(step("disable"))
        .chain((0..10_000).map(step("enable")))
        .collect();
    assert_eq!(parse_manifest(manifest_of(&steps), None), [""; 0]);
}

#[test]
fn steps_that_select_all_items_again_and_again_are_refused() {
    let (deployment, _) = parse_deployment(deployment_of(20_000, ""));
    let step =
        |at: usize| format!("{{ id = \"s{at}\", action = \"uninstall\", groups = [\"G\"] }},\n");
    let steps: String = (0..20_000).map(step).collect();
    let findings = parse_manifest(manifest_of(&steps), deployment.as_ref());
    assert_eq!(
        findings,
        ["RU0006 the steps up to `s199` select more items than can be checked"]
    );
}

#[test]
fn one_step_for_each_of_very_many_items_is_checked() {
    let (deployment, _) = parse_deployment(deployment_of(20_000, ""));
    let step = |at: usize| {
        format!("{{ id = \"s{at}\", action = \"install\", items.\"G\" = [\"item {at}\"] }},\n")
    };
    let steps: String = (0..20_000).map(step).collect();
    let files: String = (0..20_000).map(|at| format!("\"{at}.msi\",")).collect();
    let steps = format!(
        "{{ id = \"out\", action = \"uninstall\", groups = [\"G\"] }},\n{steps}\
         {{ id = \"copy\", action = \"copy\", to = \"share\", files = [{files}] }},\n"
    );
    let rows: String = (0..20_000)
        .map(|at| format!("{{ name = \"{at}.msi\", size = {} }},\n", 512 * at))
        .collect();
    let findings = parse_manifest(
        format!("{}[payload]\nfiles = [\n{rows}]\n", manifest_of(&steps)),
        deployment.as_ref(),
    );
    let late = findings
        .iter()
        .filter(|finding| finding.contains("is copied to the share only after the step"));
    assert_eq!(late.count(), 9_999);
    assert_eq!(findings.len(), 10_001, "the limit of findings");
    assert_eq!(
        findings[10_000],
        "RU0006 only ten thousand findings are listed, and the document has more"
    );
}

#[test]
fn many_circular_requirements_are_one_finding() {
    let requires = |at: usize| match at {
        19_999 => format!("\"item {at}\" = [\"item 0\"]\n"),
        _ => format!("\"item {at}\" = [\"item {}\", \"item 0\"]\n", at + 1),
    };
    let requires: String = (0..20_000).map(requires).collect();
    let (_, findings) = parse_deployment(deployment_of(20_000, &format!("[requires]\n{requires}")));
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].starts_with("RU0503 `item 0` requires"),
        "{}",
        findings[0]
    );
}

#[test]
fn groups_with_long_paths_are_bounded() {
    let group = |at: usize| format!("[[groups]]\npath = \"{at}{}\"\n", "/a".repeat(100));
    let groups: String = (0..15_000).map(group).collect();
    let (_, findings) = parse_deployment(format!("{DEPLOYMENT}{groups}"));
    assert!(
        findings[0].starts_with("RU0007 the group is nested 101 deep, more than 32"),
        "{}",
        findings[0]
    );
}

#[test]
fn the_search_for_similar_long_names_is_bounded() {
    let name = |letter: &str, at: usize| format!("{}{at}", letter.repeat(180));
    let items: String = (0..2_000)
        .map(|at| {
            format!(
                "{{ name = \"{}\", installer = \"{at}.msi\" }},\n",
                name("x", at)
            )
        })
        .collect();
    let required: String = (0..2_000)
        .map(|at| format!("\"{}\",", name("y", at)))
        .collect();
    let rest = format!(
        "[[groups]]\npath = \"G\"\nitems = [\n{items}]\n[rehearsal]\nnot_installed = [{required}]\n"
    );
    let (_, findings) = parse_deployment(format!("{DEPLOYMENT}{rest}"));
    assert_eq!(findings.len(), 2_000);
}

#[test]
fn a_name_of_megabytes_is_not_repeated_for_each_of_its_items() {
    let names: String = (0..3_000).map(|at| format!("\"i{at}\",")).collect();
    let step =
        |id: &str| format!("{{ id = \"{id}\", action = \"uninstall\", items.a = [{names}] }},\n");
    let findings = parse_manifest(
        manifest_of(&format!("{}{}", step(&"s".repeat(2 << 20)), step("b"))),
        None,
    );
    assert!(findings.len() > 3_000);
    assert!(findings.iter().all(|finding| finding.len() < 10_000));
}

#[test]
fn findings_at_the_end_of_a_line_of_megabytes_have_their_places() {
    let padding = "x".repeat(2 << 20);
    let text = format!(
        "schema = 1\n[rollup]\n{HEAD}[payload]\nfiles = [{{ name = \"{padding}\" }},{}]\n",
        "{},".repeat(9_000)
    );
    let source = Source::new("m.toml", text);
    let mut findings = Findings::default();
    manifest::check(&source, &Checks::default(), &mut findings);
    let document = Document {
        source,
        kind: DocumentKind::Manifest,
        findings,
    };
    let validation = Validation {
        documents: vec![document],
        ..Validation::default()
    };
    let json = serde_json::json!(validation.document());
    let last = json["findings"]
        .as_array()
        .and_then(|findings| findings.last())
        .expect("findings");
    assert_eq!(last["column"].as_u64(), Some((2 << 20) + 24 + 3 * 8_999));
    assert!(validation.github().len() < 10 << 20);
    assert!(validation.text(&RenderOptions::PLAIN).len() < 1 << 20);
}

/// Units that are repeated to texts, most of them not TOML: one of each kind that the lexer, the
/// parser or a finding distinguishes.
const REPEATED_UNITS: &[&str] = &[
    "\r",
    "\n\r",
    "\r\r\n",
    "\u{b}",
    "[\n",
    "[[\n",
    "[[[",
    "[]",
    "]",
    "]\n",
    "{}",
    "{\n",
    "}",
    "}\n",
    "\"",
    "\"\n",
    "'",
    "'\n",
    "\"\"\"",
    "\"\"\"\n",
    "'''\n",
    "=",
    "=\n",
    "a=\n",
    ",",
    ",\n",
    ".\n",
    ". ",
    "a.a.a.a.a\n",
    "\u{1}",
    "\u{1}\n",
    "#\u{1}\n",
    "\\",
    "a=\"\\q\"\n",
    "a=\"\\\n",
    "a b ",
    "aaa\n",
    "“",
    "a = “x”\n",
    "\u{feff}",
    "\u{a0}",
    "\u{2028}",
    "a=1\n",
    "[a]\n",
    "[[a]]\n",
    "a.b=1\n",
    "a=1x\n",
    "a=2000-99-99\n",
    "a=00\n",
    "a: 1\n",
    "// x\n",
    "a = 1;\n",
    "<<<<<<<\n",
    ">>>>>>>\n",
    "<<<<<<<\na=1\n=======\n>>>>>>>\n",
    "a=[\n",
    "a={b=1\n",
    "a=[{b=1,\n}]\n",
    "a=10:20\n",
    "a=\"\\e\"\n",
    "[steps]\n",
    "[[steps]]\n",
    "[[steps]]\nactoin=1\n",
    "[rollup.a]\n",
    "a=nan\n",
    "a=tru\n",
    "?\n",
    "é\n",
];

/// Units that are repeated inside one value, with the text before and after them.
const REPEATED_IN_VALUES: &[(&str, &str, &str)] = &[
    ("a=[", "1,", "]\n"),
    ("a=[", "1 ", "]\n"),
    ("a=[", "[", "\n"),
    ("a={", "a=1,", "a=1}\n"),
    ("a=\"", "\\q", "\"\n"),
    ("a=\"", "\u{1}", "\"\n"),
    ("a=\"\"\"", "\\q\n", "\"\"\"\n"),
    ("a=\"\"\"", "\u{1}\n", "\"\"\"\n"),
    ("#", "\u{1}", "\n"),
    ("a=[", "1,\n", ""),
    ("[payload]\nfiles=[", "{nmae=\"x\"},\n", "]\n"),
    ("a=\"", "\\e", "\"\n"),
    ("password ", "a ", "\n"),
    ("#password", "=a", "\n"),
    ("", "secret=[\"a\"", "\n"),
];

/// Validates a text, and asserts that the reports are bounded.
fn validate(text: String) -> Validation {
    let validation = Validation::of(
        vec![(Source::new("m.toml", text), DocumentKind::Manifest)],
        &ValidationContext::default(),
    );
    let total_bytes = validation.text(&RenderOptions::PLAIN).len() + validation.github().len();
    assert!(total_bytes < 12 << 20, "{total_bytes} bytes of reports");
    validation
}

/// Returns every kind of text, each of about `size` bytes.
fn texts(size: usize) -> impl Iterator<Item = (String, String)> {
    let plain = REPEATED_UNITS.iter().map(|unit| ("", *unit, ""));
    plain
        .chain(REPEATED_IN_VALUES.iter().copied())
        .map(move |(before, unit, after)| {
            let repeated = unit.repeat(size / unit.len());
            (
                format!("{before:?} {unit:?}"),
                format!("schema = 1\n{before}{repeated}{after}"),
            )
        })
}

#[test]
fn syntax_errors_are_bounded_in_number_and_length() {
    for (unit, text) in texts(40_000) {
        let validation = validate(text);
        let findings = validation.documents[0].findings.sorted();
        let syntax = findings
            .iter()
            .filter(|finding| finding.code == Code::Syntax)
            .count();
        assert!(syntax <= 21, "{unit}: {syntax} syntax errors");
        assert!(
            validation.counts().errors > 0,
            "{unit} is not TOML, or not a manifest"
        );
        let text = validation.text(&RenderOptions::PLAIN);
        assert!(text.len() < 100_000, "{unit}: {} bytes", text.len());
    }
}

#[test]
fn the_first_errors_are_shown() {
    let lines = |count: usize| format!("schema = 1\n{}", "a = 1x\n".repeat(count));
    let syntax = |text: String| -> Vec<String> {
        let findings = parse_manifest(text, None);
        findings
            .into_iter()
            .filter(|finding| finding.starts_with("RU0001"))
            .collect()
    };
    assert_eq!(syntax(lines(20)).len(), 20);
    for text in [lines(21), lines(520), "a\n".repeat(100_000)] {
        let findings = syntax(text);
        assert_eq!(
            (findings.len(), findings[20].as_str()),
            (21, "RU0001 more lines are not TOML, starting here")
        );
    }
}

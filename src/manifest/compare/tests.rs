//! Tests of the changes that count as a difference, and of those that do not.

use super::*;
use crate::document::{Findings, RenderOptions, Source};
use crate::manifest::parse;

const HEAD: &str = "schema = 1\n[rollup]\nkb = \"KB1\"\ntitle = \"t\"\nproduct = \"p\"\nproduct_versions = [\"1\", \"2\"]\n";
const FILES: &str = "[payload]\nfiles = [{ name = \"a.msi\", size = 512, unused = \"x\" }, { name = \"b.msi\", size = 1024, unused = \"x\" }]\n";

#[track_caller]
fn manifest(text: &str) -> Manifest {
    let source = Source::new("m.toml", text);
    let mut findings = Findings::default();
    let manifest = parse(&source, &mut findings);
    manifest.unwrap_or_else(|| panic!("{}", findings.text(&source, &RenderOptions::PLAIN)))
}

/// Returns a manual step, since every kind of step does for these tests.
fn manual_step(id: &str) -> String {
    format!("[[steps]]\nid = \"{id}\"\naction = \"manual\"\ninstructions = \"do {id}\"\n")
}

/// Returns every difference in one line.
#[track_caller]
fn difference_lines(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (manifest(old), manifest(new));
    let side = |value: &Option<Value>, line: Option<u32>| {
        let value = serde_json::to_string(value).expect("JSON");
        line.map_or(value.clone(), |line| format!("{value}@{line}"))
    };
    let line = |difference: ManifestDifference| {
        let ManifestDifference {
            table,
            of,
            key,
            kind,
            old,
            new,
            old_line,
            new_line,
        } = difference;
        let of = of.map(|of| format!(" {of}")).unwrap_or_default();
        format!(
            "{table:?}{of} {key} {kind:?} {} {}",
            side(&old, old_line),
            side(&new, new_line)
        )
    };
    let differences = compare(&old, &new);
    assert_eq!(
        differences.is_empty(),
        old.meaning() == new.meaning(),
        "a comparison and the digests of the meaning agree"
    );
    differences.into_iter().map(line).collect()
}

/// Returns the differences between manifests that have the same head.
#[track_caller]
fn lines_below_head(old: &str, new: &str) -> Vec<String> {
    difference_lines(&format!("{HEAD}{old}"), &format!("{HEAD}{new}"))
}

#[test]
fn a_reformatted_manifest_is_the_same() {
    let old = format!(
        "{HEAD}includes = [\"KB3\", \"KB2\"]\nfixes = [\"x\", \"y\"]\n[[prerequisites]]\nitem = \"I\"\n\
         [[prerequisites]]\nproduct = \"P\"\n[[steps]]\nid = \"u\"\naction = \"uninstall\"\nitems.\"G\" = [\"A\", \"B\"]\n\
         on = \"r\"\nplatform = \"x64\"\n[[steps]]\nid = \"i\"\naction = \"install\"\nremoved_by = \"u\"\n{FILES}"
    );
    let new = "# moved about\nschema = 1\n[payload]\nfiles = [{ unused = \"x\", size = 1_024, name = \"b.msi\", platform = \"X86\" }, \
        { name = \"a.msi\", size = 512, unused = \"x\" }]\n[article]\nrevision = \"1\"\n\
        [[prerequisites]]\nproduct = \"p\"\nservice_pack = 0\n[[prerequisites]]\nitem = \"i\"\n\
        [[steps]]\nid = \"U\"\ntitle = \"u\"\naction = \"uninstall\"\nitems.\"g\" = [\"b\", \"a\"]\non = \"R\"\nplatform = \"X64\"\n\
        [[steps]]\nid = \"i\"\naction = \"install\"\nremoved_by = \"U\"\n\
        [rollup]\nfixes = [\"y\", \"x\"]\nincludes = [\"2\", \"kb3\"]\nproduct_versions = [\"2\", \"1\"]\nproduct = \"p\"\ntitle = \"t\"\nkb = \"1\"\n";
    assert_eq!(difference_lines(&old, new), [""; 0]);
}

#[test]
fn differences_of_identity_and_relations_have_lines() {
    let steps = manual_step("m");
    let old = format!("{HEAD}scope = \"s\"\nincludes = [\"KB2\"]\nreplaces = [\"KB2\"]\n{steps}");
    let new = format!(
        "{}includes = [\"KB3\"]\nreplaces = [\"KB2\"]\n[article]\nrevision = \"1.1\"\n{steps}",
        HEAD.replace("\"t\"", "\"T\"")
    );
    assert_eq!(
        difference_lines(&old, &new),
        [
            "Rollup includes Removed \"KB2\"@8 null",
            "Rollup includes Added null \"KB3\"@7",
            "Rollup scope Removed \"s\"@7 null",
            "Rollup title Changed \"t\"@4 \"T\"@4",
            "Article revision Changed \"1.0\" \"1.1\"@10",
        ]
    );
}

#[test]
fn a_changed_minimum_revision_is_one_difference() {
    let steps = manual_step("m");
    let requires = |list: &str| format!("{HEAD}requires = [{list}]\n{steps}");
    let lines = |old: &str, new: &str| difference_lines(&requires(old), &requires(new));
    assert_eq!(
        lines("\"KB2\", \"KB3 >= 1.0\"", "\"kb3>=1\", \"KB2\""),
        [""; 0]
    );
    assert_eq!(
        lines("\"KB2 >= 1.9\"", "\"KB2 >= 1.10\""),
        ["Rollup requires Changed \"KB2 >= 1.9\"@7 \"KB2 >= 1.10\"@7"]
    );
    assert_eq!(
        lines("\"KB2\", \"KB3 >= 2\"", "\"KB2 >= 1.0\", \"KB3\""),
        [
            "Rollup requires Changed \"KB2\"@7 \"KB2 >= 1.0\"@7",
            "Rollup requires Changed \"KB3 >= 2\"@7 \"KB3\"@7",
        ]
    );
    assert_eq!(
        lines("\"KB2 >= 1.0\"", "\"KB3 >= 1.0\""),
        [
            "Rollup requires Removed \"KB2 >= 1.0\"@7 null",
            "Rollup requires Added null \"KB3 >= 1.0\"@7",
        ]
    );
}

#[test]
fn a_range_is_one_value_in_every_spelling() {
    let step = manual_step("a");
    let product = |more: &str| format!("[[prerequisites]]\nproduct = \"P\"\n{more}\n{step}");
    for (one, other) in [
        ("service_pack = 1", "service_pack = { min = 1 }"),
        (
            "service_pack = { max = 2 }",
            "service_pack = { min = 0, max = 2 }",
        ),
        ("version = \"9.0\"", "version = \"9\""),
        ("version = { min = \"9.0\" }", "version = { min = \"09\" }"),
    ] {
        let none: [&str; 0] = [];
        assert_eq!(lines_below_head(&product(one), &product(other)), none);
    }
    assert_eq!(
        lines_below_head(
            &product("service_pack = 1"),
            &product("service_pack = { min = 1, max = 2 }")
        ),
        ["Prerequisites P service_pack Changed 1@7 {\"max\":2,\"min\":1}@7"]
    );
    assert_eq!(
        lines_below_head(&product(""), &product("absent = true")),
        [
            "Prerequisites P absent Added null true@7",
            "Prerequisites P service_pack Removed 0@7 null"
        ]
    );
}

#[test]
fn alternatives_are_compared_in_any_order_and_case() {
    let step = manual_step("a");
    let any = |entries: &str| format!("[[prerequisites]]\nany = [{entries}]\n{step}");
    let (sql, item) = (
        "{ product = \"SQL\", version = \"9.0\" }",
        "{ item = \"I\" }",
    );
    let none: [&str; 0] = [];
    assert_eq!(
        lines_below_head(
            &any(&format!("{sql}, {item}")),
            &any("{ item = \"i\" }, { version = \"9\", product = \"sql\" }")
        ),
        none
    );
    let more = any(&format!("{sql}, {item}, {{ item = \"J\", absent = true }}"));
    assert_eq!(
        lines_below_head(&any(&format!("{sql}, {item}")), &more),
        ["Prerequisites any Added null {\"absent\":true,\"item\":\"J\"}@7"]
    );
}

#[test]
fn a_prerequisite_is_matched_by_its_subject() {
    let steps = manual_step("m");
    let product = |more: &str| format!("[[prerequisites]]\nproduct = \"P\"\n{more}\n");
    let difference_lines =
        |old: &str, new: &str| lines_below_head(&format!("{old}{steps}"), &format!("{new}{steps}"));
    assert_eq!(
        difference_lines(&product("service_pack = 1"), &product("service_pack = 2")),
        ["Prerequisites P service_pack Changed 1@7 2@7"]
    );
    assert_eq!(
        difference_lines(&product("on = \"r\""), &product("on = \"q\"")),
        ["Prerequisites P on Changed \"r\"@7 \"q\"@7"]
    );
    let both = format!("{}{}", product("on = \"r\""), product("on = \"q\""));
    assert_eq!(
        difference_lines(&product("on = \"q\""), &both),
        [
            "Prerequisites P prerequisite Added null {\"on\":\"r\",\"product\":\"P\",\"service_pack\":0}@7"
        ]
    );
    let confirm =
        |question: &str| format!("[[prerequisites]]\nconfirm = \"{question}\"\nid = \"c\"\n");
    assert_eq!(
        difference_lines(&confirm("A?"), &confirm("a?")),
        ["Prerequisites c confirm Changed \"A?\"@7 \"a?\"@7"]
    );
    assert_eq!(
        difference_lines("[[prerequisites]]\nitem = \"c\"\n", &confirm("A?")),
        [
            "Prerequisites c prerequisite Added null {\"confirm\":\"A?\",\"id\":\"c\"}@7",
            "Prerequisites c prerequisite Removed {\"item\":\"c\"}@7 null"
        ]
    );
}

#[test]
fn the_order_of_steps_counts() {
    let steps = |ids: &[&str]| ids.iter().map(|id| manual_step(id)).collect::<String>();
    assert_eq!(
        lines_below_head(&steps(&["a", "b", "c"]), &steps(&["b", "c", "x", "a"])),
        [
            "Steps order Moved [\"a\",\"b\",\"c\"]@7 [\"b\",\"c\",\"a\"]@7",
            "Steps x step Added null {\"action\":\"manual\",\"after\":\"c\",\"instructions\":\"do x\"}@15",
        ]
    );
    assert_eq!(
        lines_below_head(&steps(&["a", "b"]), &steps(&["b"])),
        ["Steps a step Removed {\"action\":\"manual\",\"instructions\":\"do a\"}@7 null"]
    );
    assert_eq!(
        lines_below_head(
            &steps(&["a", "b", "c", "d", "e"]),
            &steps(&["a", "d", "c", "b", "e"])
        ),
        ["Steps order Moved [\"b\",\"c\",\"d\"]@11 [\"d\",\"c\",\"b\"]@11"]
    );
}

#[test]
fn a_renamed_step_is_another_step() {
    let old = manual_step("a");
    let new = old.replace("id = \"a\"", "id = \"b\"");
    assert_eq!(
        lines_below_head(&old, &new),
        [
            "Steps a step Removed {\"action\":\"manual\",\"instructions\":\"do a\"}@7 null",
            "Steps b step Added null {\"action\":\"manual\",\"instructions\":\"do a\"}@7",
        ]
    );
}

#[test]
fn values_with_the_same_letters_in_other_keys_differ() {
    let step = |items: &str| {
        format!("[[steps]]\nid = \"s\"\naction = \"initialize\"\nitems.\"g\" = [\"p\"]\n{items}\n")
    };
    let lines = |old: &str, new: &str| lines_below_head(&step(old), &step(new)).len();
    assert_eq!(
        lines("items.\"a=b\" = [\"c\"]", "items.\"a\" = [\"b=c\"]"),
        2
    );
    assert_eq!(
        lines(
            "parameters.\"p\" = { \"a.b\" = \"1\" }",
            "parameters.\"p.a\" = { \"b\" = \"1\" }"
        ),
        2
    );
    assert_eq!(
        lines(
            "parameters.\"p\" = { \"A\" = \"1\" }",
            "parameters.\"P\" = { \"a\" = \"1\" }"
        ),
        2
    );
    assert_eq!(
        lines(
            "parameters.\"p\" = { \"a\" = \"1\" }",
            "parameters.\"P\" = { \"a\" = \"1\" }"
        ),
        0
    );
}

#[test]
fn a_step_with_another_action_is_matched_by_id() {
    let step = |rest: &str| format!("[[steps]]\nid = \"s\"\n{rest}\n{FILES}");
    let copy = step("action = \"copy\"\nto = \"share\"\nfiles = [\"a.msi\", \"b.msi\"]");
    let run = step("action = \"run\"\non = \"r\"\nfiles = [\"B.msi\", \"a.msi\"]");
    assert_eq!(
        lines_below_head(&copy, &run),
        [
            "Steps s action Changed \"copy\"@9 \"run\"@9",
            "Steps s files Changed \"b.msi\"@11 \"B.msi\"@11",
            "Steps s on Added null \"r\"@10",
            "Steps s to Removed \"share\"@10 null",
        ]
    );
    let reversed = step("action = \"run\"\non = \"r\"\nfiles = [\"a.msi\", \"B.msi\"]");
    assert_eq!(
        lines_below_head(&run, &reversed),
        ["Steps s files Moved [\"B.msi\",\"a.msi\"]@11 [\"a.msi\",\"B.msi\"]@11"]
    );
}

#[test]
fn others_count_as_the_files_they_resolve_to() {
    let files = |rows: &str| format!("[payload]\nfiles = [{rows}]\n");
    let (one, two) = (
        "{ name = \"a.msi\", size = 512 }",
        "{ name = \"b.msi\", size = 512 }",
    );
    let step = "[[steps]]\nid = \"s\"\naction = \"copy\"\nto = \"share\"\nothers = true\n";
    let (old, new) = (files(one), files(&format!("{one}, {two}")));
    assert_eq!(
        lines_below_head(&format!("{step}{old}"), &format!("{step}{new}")),
        [
            "Steps s files Added null \"b.msi\"@11",
            "Payload b.msi file Added null {\"name\":\"b.msi\",\"platform\":\"x86\",\"size\":512}@13",
        ]
    );
}

#[test]
fn a_row_is_matched_by_name_regardless_of_case() {
    let files = |rows: &str| format!("{}[payload]\nfiles = [{rows}]\n", manual_step("m"));
    assert_eq!(
        lines_below_head(
            &files(
                "{ name = \"a.msi\", size = 512, unused = \"x\" }, { name = \"b.exe\", unused = \"x\" }"
            ),
            &files("{ name = \"A.msi\", size = 1024, unused = \"x\", platform = \"x64\" }")
        ),
        [
            "Payload A.msi name Changed \"a.msi\"@12 \"A.msi\"@12",
            "Payload A.msi platform Changed \"x86\"@12 \"x64\"@12",
            "Payload A.msi size Changed 512@12 1024@12",
            "Payload b.exe file Removed {\"name\":\"b.exe\",\"platform\":\"x86\",\"unused\":\"x\"}@12 null",
        ]
    );
}

//! Complete articles, sound and damaged.

use super::*;

const MILL: &str = include_str!("../fixtures/mill.txt");

/// Asserts the properties of every draft, from any input.
fn assert_sound(bytes: &[u8]) {
    let Ok(imported) = import(bytes) else { return };
    let parsed: Result<toml::Table, _> = toml::from_str(&imported.draft);
    assert!(parsed.is_ok(), "{parsed:?}\n{}", imported.draft);
    assert_eq!(imported.origins.len(), imported.draft.lines().count());
    let last = imported
        .installation
        .iter()
        .map(|entry| entry.line)
        .fold(0, |before, line| {
            assert!(before <= line, "lines are in order: {before}, {line}");
            line
        });
    assert!(last as usize <= bytes.len() + 1);
}

/// Returns the steps of a procedure, as their actions with their targets.
fn steps(procedure: &str) -> Vec<String> {
    let text = format!("Article ID: 612345\n\nInstallation information\n\n{procedure}");
    let draft = import(text.as_bytes()).expect("an article").draft;
    let table: toml::Table = toml::from_str(&draft).expect("it is TOML");
    let keys = [
        "action",
        "service",
        "on",
        "platform",
        "to",
        "files",
        "others",
        "items",
        "parameters",
        "undo",
    ];
    let word = |value: &toml::Value| value.to_string().replace('"', "");
    let step = |step: &toml::Value| {
        keys.iter()
            .filter_map(|key| step.get(key))
            .map(word)
            .collect::<Vec<_>>()
            .join(" ")
    };
    table
        .get("steps")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten()
        .map(step)
        .collect()
}

#[test]
fn parts_are_named_in_many_ways() {
    assert_eq!(
        steps(
            "Plan for an hour. Opened files stay open.\n\nPart 1 – Stop\n\n1. On each wheel server, click Services.\n\
             2. Right-click \u{201c}Gear\u{201d}, and then click Stop.\n3. Right-click \u{201c}Mill\u{201d}, and click Stop. \
             If a message appears, click Yes.\n\nPhase B: Restart IIS\n\nThe mill keeps old pages. On each web server, \
             type iisreset, and press ENTER.\n\nStep 3: Open the mill\n1) Start the Mill service on the wheel servers."
        ),
        [
            "stop Gear wheel",
            "stop Mill wheel",
            "restart IIS web",
            "start Mill wheel"
        ]
    );
}

#[test]
fn installers_run_on_the_servers_of_the_article() {
    assert_eq!(
        steps(
            "1. Log on to the first wheel server.\n2. Run a.msi, and when it has finished, run b.msi. Do the same on \
             every other wheel server.\n3. Run c.msi on each wheel server with a 64-bit operating system.\n\
             4. Do the same on every web server."
        ),
        [
            "run wheel [a.msi, b.msi]",
            "run wheel x64 [c.msi]",
            "manual web"
        ]
    );
}

#[test]
fn an_instruction_for_several_items_is_repeated_for_each() {
    assert_eq!(
        steps(
            "1. Expand Web Services, and do the following for Corn Service and for Rye Service:\n   a. Expand the Web service.\n   \
             b. Right-click each server under it, and then click Uninstall.\n2. Click Start Deployment."
        ),
        ["uninstall {Web Services = [Corn Service, Rye Service]}"
            .replace('{', "{ ")
            .replace('}', " }")]
    );
}

#[test]
fn a_value_typed_into_a_box_is_a_parameter() {
    let value = |typed: &str| {
        steps(&format!(
            "1. Expand Mill, and then expand Setup.\n2. Right-click Load Grain, point to Execute, and then click Load Grain. \
             {typed}, and then click OK.\n3. Click Start Deployment."
        ))
    };
    let given = "initialize { \"Mill/Setup\" = [Load Grain] } { Load Grain = { sort = rye } }"
        .replace('"', "");
    assert_eq!(value("In the sort box, type rye"), [given.as_str()]);
    assert_eq!(value("Type \"rye\" in the sort box"), [given.as_str()]);
    assert_eq!(
        value("In the sort box, type the name of the grain"),
        ["manual"]
    );
}

#[test]
fn a_described_command_is_one_step() {
    assert_eq!(
        steps("1. On the web servers, restart IIS. To do this, type iisreset at a command prompt."),
        ["restart IIS web"]
    );
}

#[test]
fn a_manual_step_has_its_role_and_its_rollback() {
    let drafted = steps(
        "Step 1: The database\n1. On the grain servers, open Grind.sql, and execute the script.\n2. It must end with the \
         word done.\n3. Run Mill.msi on each grain server.\nTo return to the former state, restore the grain database.\n\
         To go back, ask the miller.\nStep 2: Clean up (optional)\n1. Sweep the floor.",
    );
    let with_rollback = "manual grain Restore the grain database. Ask the miller.";
    assert_eq!(drafted, [with_rollback, "run grain [Mill.msi]", "manual"]);
}

#[test]
fn conditional_work_is_optional() {
    for (line, optional) in [
        ("If your site also uses wheels, grease them.", true),
        ("If you have not greased the wheels, grease them.", false),
        ("Grease the wheels.", false),
    ] {
        let text = format!("Article ID: 612345\n\nInstallation information\n\n1. {line}");
        let draft = import(text.as_bytes()).expect("an article").draft;
        assert_eq!(
            draft.contains("\noptional = true\n"),
            optional,
            "{line}\n{draft}"
        );
    }
}

#[test]
fn removed_items_are_found_by_the_number_of_their_part() {
    let procedure = |part: u32| {
        format!(
            "Article ID: 612345\n\nInstallation information\n\nStep 1: Remove\n1. Expand Mill, and then expand Wheels.\n\
             2. Right-click Big Wheel, and then click Uninstall.\n3. Click Start Deployment.\nStep 2: Copy\n\
             1. Copy a.msi to the MillShare folder.\nStep 3: Install\n1. Install all components that you uninstalled in step \
             {part}.\n2. Click Start Deployment."
        )
    };
    let sound = import(procedure(1).as_bytes()).expect("an article");
    assert!(
        sound.draft.contains("removed_by = \"uninstall\""),
        "{}",
        sound.draft
    );
    let other = import(procedure(2).as_bytes()).expect("an article");
    assert!(
        other.draft.contains("removed_by = \"TODO\""),
        "{}",
        other.draft
    );
    assert!(
        other.open.iter().any(|open| open
            .message
            .contains("names step 2, but no part of that number uninstalls anything")),
        "{:?}",
        other.open
    );
}

#[test]
fn lists_end_at_the_next_number() {
    assert_eq!(
        steps(
            "1) Expand Mill, and then expand Wheels.\n2) Right-click each of these, and click Uninstall.\nBig Wheel\n\
             Small Wheel\n3) Expand Web, expand Wheel Service, right-click each server that is listed below it, and \
             click Uninstall.\n4) Click Start Deployment.\n5) Copy these files to MillShare, the share of the tool.\n\
             a.msi\nb.msi\n6) Copy the other files, except c.exe, to the folder Bin\\New on every wheel server."
        ),
        [
            "uninstall { \"Mill/Wheels\" = [Big Wheel, Small Wheel], Web = [Wheel Service] }"
                .replace('"', "")
                .as_str(),
            "copy share [a.msi, b.msi]",
            "manual wheel"
        ]
    );
}

#[test]
fn a_damaged_article_gives_a_draft_or_a_reason() {
    for cut in (0..MILL.len()).step_by(7) {
        assert_sound(&MILL.as_bytes()[..cut]);
        assert_sound(&MILL.as_bytes()[cut..]);
    }
    let lines: Vec<&str> = MILL.lines().collect();
    for at in 1..lines.len() {
        let without = [&lines[..at], &lines[at + 1..]].concat().join("\n");
        assert_sound(without.as_bytes());
        let mut swapped = lines.clone();
        swapped.swap(at - 1, at);
        assert_sound(swapped.join("\r\n").as_bytes());
    }
    let mut noise = 1_u32;
    for _ in 0..100 {
        let mut bytes = MILL.as_bytes().to_vec();
        for _ in 0..20 {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = noise as usize % bytes.len();
            bytes[at] =
                [b'"', b'\\', b'\n', b'.', 0xe9, b'\t', b' ', b'#', b'1'][noise as usize / 7 % 9];
        }
        assert_sound(&bytes);
    }
}

#[test]
fn a_text_that_is_not_an_article_is_refused() {
    assert_eq!(import(b"").map(|_| ()), Err(ArticleError::NothingFound));
    assert_eq!(
        import(b"<html><body><p>Nothing</p></body></html>").map(|_| ()),
        Err(ArticleError::NothingFound)
    );
}

#[test]
fn an_article_has_the_same_draft_in_every_encoding() {
    let wanted = import(MILL.as_bytes()).expect("an article").draft;
    let units = std::iter::once(0xfeff).chain(MILL.encode_utf16());
    let wide: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xef\xbb\xbf", MILL.replace('\n', "\r\n").as_bytes()].concat();
    let odd = MILL
        .replace(' ', "\u{a0}")
        .replace("- ", "\u{2022}\t")
        .replace("Copy", "Co\u{ad}py");
    for bytes in [wide, marked, odd.into_bytes()] {
        assert_eq!(import(&bytes).expect("an article").draft, wanted);
    }
}

/// Checks that hostile texts are read in time proportional to their size.
#[test]
fn hostile_texts_are_read_in_linear_time() {
    let begun = std::time::Instant::now();
    for piece in [
        "KB123456 ",
        "on servers ",
        "that you copy, copy ",
        "1. ",
        "<b> </b>",
        "<td>",
        "<ul><li>",
        "a.bc1",
        "\n- must x",
        "\n1. Expand A, and then expand B.",
        "\n1. Right-click A, and then click Install.\n2. Click Start Deployment.",
        "File name Size Date\na.b 1",
        "\nright-click ",
        "following:\n- a\n",
    ] {
        let text = format!(
            "Article ID: 612345\n\nInstallation information\n\n{}",
            piece.repeat((64 << 10) / piece.len())
        );
        assert_sound(text.as_bytes());
    }
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn steps_that_are_repeated_on_each_server_are_an_open_question() {
    let text = "Article ID: 945001\nTitle\n\nINSTALLATION INSTRUCTIONS\nFollow these steps on each wheel server:\n\
                1. Stop the Wheel service.\n2. Start the Wheel service.\n";
    let found = import(text.as_bytes()).expect("a draft");
    let repeated =
        |open: &OpenQuestion| open.message.contains("`each-server`") && open.line == Some(5);
    assert!(found.open.iter().any(repeated), "{:?}", found.open);
}

#[test]
fn a_manual_step_has_the_files_that_it_names() {
    let text = "Article ID: 945001\nTitle\n\nINSTALLATION INSTRUCTIONS\n1. Apply Upgrade.sql, then look at oil.exe2 with care.\n\n\
                FILE INFORMATION\nFile name\tFile size\tDate\tTime\tPlatform\nupgrade.sql\t900\t31-Mar-2008\t18:32\tx86\n\
                oil.exe\t512\t31-Mar-2008\t18:32\tx86\n";
    let found = import(text.as_bytes()).expect("a draft");
    assert!(
        found.draft.contains("files = [\n  \"upgrade.sql\",\n]"),
        "{}",
        found.draft
    );
    assert!(
        found.draft.contains("\"oil.exe\"") && found.draft.contains("# not used by any step"),
        "{}",
        found.draft
    );
}

//! No name in a package leads out of the target directory, or to another file than it seems.

use super::forge::{Forge, file};
use super::*;

const UNSAFE_NAMES: [&str; 14] = [
    "..",
    "UP~1|..",
    "a/b",
    "a\\b",
    "x|/etc/passwd",
    "x|C:\\boot.ini",
    "NUL",
    "x|con.txt",
    "COM1.log",
    "a:b",
    "a.",
    "a|b ",
    "tab\there",
    "a|b|c",
];

fn assert_unsafe(package: &[u8], case: &str) {
    match Installer::open(Cursor::new(package)) {
        Err(InstallerError::Unsafe { .. }) => {}
        Err(other) => panic!("{case}: {other}"),
        Ok(installer) => panic!("{case} was accepted: {:?}", installer.layout.files),
    }
}

#[test]
fn a_file_with_a_bad_name_is_refused() {
    for bad in UNSAFE_NAMES {
        let mut forge = Forge::valid();
        forge.files = vec![file("f", bad, 5, 1)];
        assert_unsafe(&forge.build(), bad);
    }
}

#[test]
fn a_directory_with_a_bad_name_is_refused() {
    for bad in UNSAFE_NAMES.into_iter().filter(|bad| *bad != "a:b") {
        let mut forge = Forge::valid();
        forge.add_directory("D", "ProgramFilesFolder", bad);
        forge.add_directory("Below", "D", "below");
        forge.components = vec![("c".into(), "Below".into())];
        assert_unsafe(&forge.build(), bad);
    }
}

#[test]
fn the_key_of_a_directory_without_a_row_is_checked_like_a_name() {
    for (bad, accepted) in [
        ("..", false),
        ("a/b", false),
        ("NUL", false),
        ("SystemFolder", true),
    ] {
        let mut forge = Forge::valid();
        forge.components = vec![("c".into(), bad.into())];
        match Installer::open(Cursor::new(forge.build())) {
            Ok(installer) => {
                assert!(accepted, "{bad}");
                assert_eq!(
                    installer
                        .layout
                        .files
                        .first()
                        .map(|file| file.path.as_str()),
                    Some("Windows/System32/a.txt")
                );
            }
            Err(error) => assert!(
                !accepted && matches!(error, InstallerError::Unsafe { .. }),
                "{bad}: {error}"
            ),
        }
    }
}

#[test]
fn a_cycle_of_directories_is_refused() {
    let mut forge = Forge::valid();
    forge.add_directory("A", "B", "a");
    forge.add_directory("B", "A", "b");
    forge.components = vec![("c".into(), "A".into())];
    assert_eq!(
        error_message(&forge.build()),
        "the table `Directory` is damaged: `A` is below itself, or deeper than 100 directories"
    );
}

#[test]
fn a_file_and_a_directory_of_one_name_are_refused() {
    for directory in ["thing", "THING"] {
        let mut forge = Forge::with_files(&[("thing", b"x"), ("inside", b"y")]);
        forge.add_directory("D", "ProgramFilesFolder", directory);
        forge.components.push(("d".into(), "D".into()));
        forge.files[1].component = "d".into();
        let message = error_message(&forge.build());
        assert!(message.contains("both a file and a directory"), "{message}");
    }
}

#[test]
fn two_spellings_of_one_directory_are_one() {
    let mut forge = Forge::with_files(&[("a", b"x"), ("b", b"y"), ("c", b"z")]);
    for (component, directory) in [("c1", "Bin"), ("c2", "bin")] {
        forge.add_directory(directory, "ProgramFilesFolder", directory);
        forge.components.push((component.into(), directory.into()));
    }
    forge.add_directory("Below", "bin", "below");
    forge.components.push(("c3".into(), "Below".into()));
    for (file, component) in forge.files.iter_mut().zip(["c1", "c2", "c3"]) {
        file.component = component.into();
    }
    assert_eq!(
        installed(&forge.build(), &[]),
        [
            "Program Files/Bin/a",
            "Program Files/Bin/b",
            "Program Files/Bin/below/c"
        ]
    );
}

#[test]
fn a_path_that_is_too_long_is_refused() {
    let mut forge = Forge::valid();
    let mut parent = "ProgramFilesFolder".to_owned();
    for depth in 0..40 {
        let key = format!("D{depth}");
        forge.add_directory(&key, &parent, &"x".repeat(60));
        parent = key;
    }
    forge.components = vec![("c".into(), parent)];
    assert!(error_message(&forge.build()).ends_with("the path is too long"));
}

#[test]
fn a_cabinet_in_another_directory_is_refused() {
    for bad in [
        "../x.cab",
        "C:\\x.cab",
        "sub/x.cab",
        "nul",
        "#a/b",
        "#..",
        "#",
    ] {
        let mut forge = Forge::valid();
        forge.media = vec![(1, Some(bad.into()))];
        assert_unsafe(&forge.build(), bad);
    }
}

#[test]
fn control_characters_do_not_reach_a_terminal() {
    let mut forge = Forge::valid();
    forge.files = vec![file("f", "a\u{1b}[31m/b", 5, 1)];
    assert!(error_message(&forge.build()).starts_with("`a\\u{1b}[31m/b` cannot be"));
}

//! Tables of packages: rollup reads the same cells as another library, and refuses contradictory
//! tables.

use msi::{CodePage, Package, PackageType, Select, Value};

use super::forge::{Forge, file, packed, rewrite_streams, stored};
use super::*;
use crate::database::Database;

#[test]
fn the_reader_and_the_library_msi_read_the_same_cells() {
    let recipe = Recipe {
        name: name("Sample.msi"),
        product: "Sample Ünit".to_owned(),
        version: "1.0".parse().expect("a version"),
        size: Some(65_536),
        files: vec![
            (path("a/b/c.txt"), b"x".to_vec()),
            (path("long name.config"), vec![1; 300]),
        ],
        modified: 1_206_988_320,
        features: Vec::new(),
    };
    let package = build_package(&recipe).expect("a package");
    assert_same_cells(&package, "Property", ["Property", "Value"]);
    assert_same_cells(
        &package,
        "Directory",
        ["Directory", "Directory_Parent", "DefaultDir"],
    );
    assert_same_cells(
        &package,
        "File",
        [
            "File",
            "FileName",
            "FileSize",
            "Version",
            "Attributes",
            "Sequence",
        ],
    );
    assert_same_cells(&package, "Media", ["DiskId", "LastSequence", "Cabinet"]);
    assert_same_cells(
        &package,
        "MsiFileHash",
        [
            "File_",
            "Options",
            "HashPart1",
            "HashPart2",
            "HashPart3",
            "HashPart4",
        ],
    );
    assert_same_cells(
        &package,
        "InstallExecuteSequence",
        ["Action", "Condition", "Sequence"],
    );
}

fn assert_same_cells<const N: usize>(package: &[u8], table: &'static str, columns: [&str; N]) {
    let mut compound = cfb::CompoundFile::open(Cursor::new(package)).expect("a compound file");
    let database = Database::open(&mut compound, &[table]).expect("a database");
    let ours = database
        .table(&mut compound, table, columns)
        .expect("a table");
    let mut other = Package::open(Cursor::new(package)).expect("a package");
    let theirs = other.select_rows(Select::table(table)).expect("rows");
    assert!(
        theirs.len() > 0 && ours.rows().count() == theirs.len(),
        "{table}"
    );
    for (ours, theirs) in ours.rows().zip(theirs) {
        for (number, column) in columns.iter().enumerate() {
            match &theirs[*column] {
                Value::Null => assert_eq!(
                    ours.number(number).expect("a cell"),
                    None,
                    "{table}.{column}"
                ),
                Value::Int(value) => {
                    assert_eq!(ours.number(number).expect("a number"), Some(*value))
                }
                Value::Str(value) => {
                    assert_eq!(ours.text(number).expect("a text").as_ref(), Some(value))
                }
                Value::Binary => panic!("none of these tables has streams"),
            }
        }
    }
}

#[test]
fn a_damaged_package_is_distinguished_from_another_file() {
    let open = |bytes: &[u8]| Installer::open(Cursor::new(bytes)).expect_err("an error");
    for bytes in [b"".as_slice(), b"MZ", b"MSCF and more of it"] {
        assert!(matches!(open(bytes), InstallerError::NotAPackage(_)));
    }
    let mut word = cfb::CompoundFile::create(Cursor::new(Vec::new())).expect("a compound file");
    word.create_stream("WordDocument").expect("a stream");
    assert!(matches!(
        open(word.into_inner().get_ref()),
        InstallerError::NotAPackage(_)
    ));
    let package = Forge::valid().build();
    for length in [8, 100, 511, 512, 3000] {
        assert!(
            matches!(open(&package[..length]), InstallerError::Damaged { .. }),
            "{length} bytes"
        );
    }
}

#[test]
fn patches_transforms_and_merge_modules_are_refused() {
    let patch = Forge {
        kind: PackageType::Patch,
        ..Forge::valid()
    };
    assert!(error_message(&patch.build()).starts_with("a patch (.msp)"));
    let transform = Forge {
        kind: PackageType::Transform,
        ..Forge::valid()
    };
    assert!(error_message(&transform.build()).starts_with("a transform (.mst)"));
    let mut module = Forge {
        more_tables: vec!["ModuleSignature"],
        ..Forge::valid()
    };
    unpack(&module.build(), &mut NoSiblingFiles).expect("a package that a module was merged into");
    module.properties.remove("ProductCode");
    assert!(error_message(&module.build()).starts_with("a merge module"));
}

#[test]
fn a_package_without_a_required_property_is_damaged() {
    for missing in ["ProductName", "ProductVersion", "ProductCode"] {
        let mut forge = Forge::valid();
        forge.properties.remove(missing);
        assert_eq!(
            error_message(&forge.build()),
            format!("the table `Property` is damaged: it has no `{missing}`")
        );
        forge.properties.insert(missing, " ".to_owned());
        assert!(error_message(&forge.build()).contains("it has no `"));
    }
    for (property, bad) in [("ProductCode", "{1}"), ("UpgradeCode", "none")] {
        let mut forge = Forge::valid();
        forge.properties.insert(property, bad.to_owned());
        assert!(error_message(&forge.build()).starts_with("the table `Property` is damaged"));
    }
    let mut forge = Forge::valid();
    forge.properties.insert("ProductVersion", "one".to_owned());
    assert_eq!(
        error_message(&forge.build()),
        "the table `Property` is not accepted: its `ProductVersion` is `one`, which has no number"
    );
}

#[test]
fn names_are_read_in_the_code_page_of_the_package() {
    for (code_page, name) in [
        (CodePage::Windows1252, "Übung.txt"),
        (CodePage::Windows1255, "שלום.txt"),
        (CodePage::Windows932, "日本.txt"),
        (CodePage::Utf8, "日本.txt"),
    ] {
        let forge = Forge {
            code_page,
            ..Forge::with_files(&[(name, b"x")])
        };
        let files = unpack(&forge.build(), &mut NoSiblingFiles).expect("its files");
        assert_eq!(
            files.into_keys().collect::<Vec<_>>(),
            [format!("Program Files/{name}")]
        );
    }
    let mut wrong = Forge::with_files(&[("Übung.txt", b"x")]).build();
    // Code page 0 has ASCII only.
    wrong = rewrite_streams(&wrong, |_, stream| {
        if stream.starts_with(&1252_u32.to_le_bytes()) {
            stream[..4].fill(0)
        }
    });
    assert!(error_message(&wrong).contains("is not valid in its code page 0"));
}

#[test]
fn the_long_name_of_the_target_directory_is_used() {
    let mut forge = Forge::valid();
    forge.add_directory("D", "ProgramFilesFolder", "SHORT~1|Long name:src|source");
    forge.add_directory("E", "D", ".");
    forge.components = vec![("c".into(), "E".into())];
    let files = unpack(&forge.build(), &mut NoSiblingFiles).expect("its files");
    assert_eq!(
        files.into_keys().collect::<Vec<_>>(),
        ["Program Files/Long name/a.txt"]
    );
}

#[test]
fn a_package_without_files_is_a_package() {
    let mut forge = Forge::valid();
    (forge.files, forge.streams) = (vec![], vec![]);
    assert!(
        unpack(&forge.build(), &mut NoSiblingFiles)
            .expect("nothing")
            .is_empty()
    );
}

#[test]
fn rows_that_contradict_each_other_are_damage() {
    let damaged = |change: &dyn Fn(&mut Forge)| {
        let mut forge = Forge::valid();
        change(&mut forge);
        error_message(&forge.build())
    };
    assert!(
        damaged(&|forge| forge.files[0].component = "other".into())
            .contains("its component is missing")
    );
    assert!(damaged(&|forge| forge.files[0].size = -1).contains("negative"));
    assert!(
        damaged(&|forge| forge.files[0].size = 6)
            .contains("`f` has 5 bytes, and 6 in the table `File`")
    );
    assert!(
        damaged(&|forge| forge.files[0].sequence = 2)
            .contains("no row has the sequence of `Program Files/a.txt`")
    );
    assert!(damaged(&|forge| forge.streams.clear()).contains("it is missing from the package"));
    assert!(damaged(&|forge| forge.files[0].key = "g".into()).contains("`g` is not in it"));
    let missing = damaged(&|forge| {
        forge.files.push(file("g", "b.txt", 1, 2));
        forge.media = vec![(2, Some("#cab".into()))];
    });
    assert_eq!(missing, "the cabinet `cab` is damaged: `g` is not in it");
}

#[test]
fn a_file_outside_of_cabinets_is_read_from_the_directory_of_the_package() {
    let mut forge = Forge::valid();
    forge.add_directory("D", "TARGETDIR", "SHORT|Long name:SRC|Source name");
    forge.components = vec![("c".into(), "D".into())];
    forge.files[0].name = "A~1.TXT|a long.txt".into();
    forge.media = vec![(1, None)];
    let read = |forge: &Forge, file: &'static str| {
        let mut siblings = SiblingsInMemory(vec![(file, b"HELLO".to_vec())]);
        contents(Cursor::new(forge.build()), &mut siblings).map_err(|error| error.to_string())
    };
    let contents = read(&forge, "source NAME/A long.txt").expect("found without regard to case");
    assert_eq!(contents.files[0].file.path, path("Long name/a long.txt"));
    assert_eq!(contents.files[0].sha256, Digest::of(b"HELLO"));
    assert_eq!(contents.beside[0].path, path("Source name/a long.txt"));
    // Without long names in the source.
    forge.word_count = Some(1);
    read(&forge, "SRC/A~1.TXT").expect("the short names");
    // The attribute of a file, and an administrative image, mean the same.
    forge.media = vec![(1, Some("#cab".into()))];
    for (attributes, word_count) in [(0x2000, Some(2)), (0, Some(4)), (0x4000, Some(6))] {
        forge.files[0].attributes = attributes;
        forge.word_count = word_count;
        assert_eq!(
            read(&forge, "other"),
            Err("`Source name/a long.txt` is missing from the directory of the package".to_owned())
        );
    }
    forge.files[0].size = 6;
    assert_eq!(
        read(&forge, "Source name/a long.txt"),
        Err("the file `Source name/a long.txt` is not accepted: its size is not 6 bytes, as in the table `File`".to_owned())
    );
}

#[test]
fn all_missing_files_are_named() {
    let mut forge = Forge::with_files(&[("a.txt", b"1"), ("b.txt", b"2"), ("c.txt", b"3")]);
    forge.media = vec![
        (1, Some("one.cab".into())),
        (2, Some("two.cab".into())),
        (3, None),
    ];
    assert_eq!(
        error_message(&forge.build()),
        "`one.cab`, `two.cab`, `PFiles/c.txt` are missing from the directory of the package"
            .replace("PFiles", "Program Files")
    );
}

#[test]
fn a_wrong_md5_is_a_peculiarity() {
    let mut forge = Forge::valid();
    let hello = [0x5d41_402a_u32, 0xbc4b_2a76, 0xb971_9d91, 0x1017_c592]
        .map(|part| part.swap_bytes() as i32);
    forge.hashes = vec![("f".into(), hello)];
    assert!(notes(&forge.build()).is_empty());
    forge.hashes = vec![("f".into(), [1, 2, 3, 4])];
    assert_eq!(
        notes(&forge.build()),
        ["the MD5 of `Program Files/a.txt` is not that in the table `MsiFileHash`"]
    );
}

#[test]
fn a_member_without_a_row_is_a_peculiarity() {
    let mut forge = Forge::valid();
    forge.streams[0].1 = stored(&[("f", b"hello"), ("orphan", b"x")]);
    assert_eq!(
        notes(&forge.build()),
        ["the cabinet `cab` has `orphan`, which the table `File` does not list"]
    );
}

#[test]
fn a_version_that_is_valid_in_part_is_a_peculiarity() {
    let mut forge = Forge::valid();
    forge
        .properties
        .insert("ProductVersion", "4.0.300-beta".to_owned());
    let read = contents(Cursor::new(forge.build()), &mut NoSiblingFiles).expect("its contents");
    assert_eq!(read.identity.version.as_str(), "4.0.300");
    assert_eq!(
        read.notes,
        ["`ProductVersion` is `4.0.300-beta`, of which only 4.0.300 is a version"]
    );
}

#[test]
fn two_rows_with_one_target_are_one_file_if_that_is_certain() {
    let package = |bytes: [&[u8]; 2], versions: [Option<&'static str>; 2]| {
        let mut forge =
            Forge::with_files(&[("one.dll", bytes[0]), ("ONE~1.DLL|one.dll", bytes[1])]);
        forge
            .components
            .push(("d".into(), "ProgramFilesFolder".into()));
        forge.conditions = [("c", "VersionNT64"), ("d", "NOT VersionNT64")].into();
        forge.files[1].component = "d".into();
        for (file, version) in forge.files.iter_mut().zip(versions) {
            file.version = version;
        }
        contents(Cursor::new(forge.build()), &mut NoSiblingFiles).expect("its contents")
    };
    let winner = |contents: &Contents| {
        let files = contents.installed(&[]).map_err(|error| error.to_string())?;
        assert_eq!(files.len(), 1);
        Ok::<_, String>(files[0].file.key.clone())
    };
    assert_eq!(
        winner(&package([b"1", b"1"], [None, None])).as_deref(),
        Ok("f1")
    );
    let higher = package([b"1", b"2"], [Some("1.2"), Some("1.10")]);
    assert_eq!(winner(&higher).as_deref(), Ok("f2"));
    let versioned = package([b"1", b"2"], [Some("0.1"), None]);
    assert_eq!(winner(&versioned).as_deref(), Ok("f1"));
    for (versions, shown) in [
        ([None, None], ""),
        ([Some("1.0"), Some("1.0")], " in version 1.0"),
    ] {
        let row = |key, component, condition| {
            format!(
                "`{key}` of the component `{component}` with the condition `{condition}`{shown}"
            )
        };
        let (one, other) = (
            row("f1", "c", "VersionNT64"),
            row("f2", "d", "NOT VersionNT64"),
        );
        let expected =
            format!("`Program Files/one.dll` is two different files: {one}, and {other}");
        let found = winner(&package([b"1", b"2"], versions));
        assert_eq!(found, Err(expected));
    }
    // A version that names another file decides nothing.
    assert!(winner(&package([b"1", b"2"], [Some("f2"), Some("1.0")])).is_err());
}

#[test]
fn only_the_files_of_features_that_are_on_are_installed() {
    let mut forge =
        Forge::with_files(&[("main", b"1"), ("tool", b"2"), ("doc", b"3"), ("off", b"4")]);
    for (component, file) in ["c", "t", "d", "o"].into_iter().zip(&mut forge.files) {
        file.component = component.into();
        if component != "c" {
            forge
                .components
                .push((component.into(), "ProgramFilesFolder".into()));
        }
    }
    forge.features = vec![
        ("Main", None, 1),
        ("Tools", None, 200),
        ("Docs", Some("Tools"), 1),
        ("Off", None, 0),
    ];
    forge.feature_components = vec![("Main", "c"), ("Tools", "t"), ("Docs", "d"), ("Off", "o")];
    let package = forge.build();
    let names = |features: &[&str]| {
        let paths = installed(&package, features);
        paths
            .iter()
            .map(|path| path.replace("Program Files/", ""))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(names(&[]), "main");
    assert_eq!(names(&["Tools"]), "main tool");
    assert_eq!(names(&["Docs", "Off"]), "doc main off tool");
    forge.properties.insert("INSTALLLEVEL", "200".to_owned());
    assert_eq!(installed(&forge.build(), &[]).len(), 3);
}

#[test]
fn a_survey_has_what_can_be_read_of_a_package_that_cannot_be_installed() {
    let survey =
        |forge: &Forge| survey(Cursor::new(forge.build()), &mut NoSiblingFiles).expect("a survey");
    // A damaged cabinet: the second file cannot be unpacked.
    let mut forge = Forge::with_files(&[("a", b"12"), ("b", b"34")]);
    forge.streams = vec![
        ("one".into(), stored(&[("f1", b"12")])),
        ("two".into(), b"MSXX".to_vec()),
    ];
    forge.media = vec![(1, Some("#one".into())), (2, Some("#two".into()))];
    let broken = survey(&forge);
    assert_eq!(broken.properties.product.as_deref(), Some("Example"));
    assert_eq!(broken.files.len(), 2);
    assert!(
        broken
            .contents
            .expect_err("an error")
            .to_string()
            .contains("`two` is damaged")
    );
    // An unsafe name and a missing cabinet.
    forge.files[0].name = "..".into();
    forge.media[1].1 = Some("data.cab".into());
    let unsafe_name = survey(&forge);
    assert_eq!(unsafe_name.files.len(), 1);
    assert_eq!(unsafe_name.absent, [path("data.cab")]);
    assert!(matches!(
        unsafe_name.contents,
        Err(InstallerError::Unsafe { .. })
    ));
    // A missing property.
    let mut forge = Forge::valid();
    forge.properties.remove("ProductName");
    let nameless = survey(&forge);
    assert_eq!(nameless.properties.version.as_deref(), Some("1.2.3"));
    assert_eq!(nameless.files[0].path, path("Program Files/a.txt"));
}

#[test]
fn an_external_cabinet_is_found_in_any_case_and_hashed() {
    let mut forge = Forge::with_files(&[("a.txt", b"hello"), ("b.txt", b"")]);
    let cabinet = forge.streams.remove(0).1;
    forge.media = vec![(2, Some("Data1.cab".into()))];
    let package = forge.build();
    let missing =
        contents(Cursor::new(&package), &mut NoSiblingFiles).expect_err("a missing cabinet");
    assert!(matches!(&missing, InstallerError::Missing(files) if *files == [path("Data1.cab")]));
    assert_eq!(
        missing.to_string(),
        "`Data1.cab` is missing from the directory of the package"
    );
    let mut siblings = SiblingsInMemory(vec![("DATA1.CAB", cabinet.clone())]);
    let contents = contents(Cursor::new(&package), &mut siblings).expect("its contents");
    let (size, sha256) = (cabinet.len() as u64, Digest::of(&cabinet));
    assert_eq!(
        contents.beside,
        [BesideFile {
            path: path("Data1.cab"),
            size,
            sha256
        }]
    );
    assert_eq!(contents.files.len(), 2);
}

#[test]
fn an_external_cabinet_may_have_files_of_other_packages() {
    let mut forge = Forge::valid();
    forge.streams.clear();
    forge.media = vec![(1, Some("shared.cab".into()))];
    let mut siblings = SiblingsInMemory(vec![(
        "shared.cab",
        stored(&[("other", b"12"), ("f", b"hello"), ("more", b"3")]),
    )]);
    let files = unpack(&forge.build(), &mut siblings).expect("its file");
    assert_eq!(files.into_values().collect::<Vec<_>>(), [b"hello"]);
}

#[test]
fn several_cabinets_with_several_block_groups_are_read() {
    let large = vec![42; 100_000];
    let mut forge = Forge::with_files(&[("a", b"one"), ("b", &large), ("c", b""), ("d", b"four")]);
    let compression = cab::CompressionType::MsZip;
    forge.streams = vec![
        (
            "one".into(),
            packed(compression, &[&[("f2", &large)], &[("f1", b"one")]]),
        ),
        ("two".into(), stored(&[("f3", b""), ("f4", b"four")])),
    ];
    forge.media = vec![(2, Some("#one".into())), (9, Some("#two".into()))];
    let files = unpack(&forge.build(), &mut NoSiblingFiles).expect("its files");
    let sizes: Vec<_> = files.values().map(Vec::len).collect();
    assert_eq!(sizes, [3, 100_000, 0, 4]);
}

#[test]
fn errors_of_the_system_are_not_damage() {
    struct FailingIo;
    impl SiblingFiles for FailingIo {
        fn open(&mut self, _path: &RelPath) -> io::Result<Option<Box<dyn ReadSeek>>> {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
    impl Sink for FailingIo {
        fn file<'a>(
            &'a mut self,
            _: &[&PackagedFile],
            _: Option<i64>,
        ) -> io::Result<Box<dyn Write + 'a>> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
    let mut forge = Forge::valid();
    let mut installer = Installer::open(Cursor::new(forge.build())).expect("a package");
    let full = installer
        .unpack(&mut NoSiblingFiles, &mut FailingIo)
        .expect_err("a full disk");
    assert!(
        matches!(full, InstallerError::Io { .. })
            && full.to_string() == "cannot write `Program Files/a.txt`"
    );
    forge.media = vec![(1, Some("x.cab".into()))];
    let denied = unpack(&forge.build(), &mut FailingIo).expect_err("no permission");
    assert_eq!(denied.to_string(), "cannot open `x.cab`");
}

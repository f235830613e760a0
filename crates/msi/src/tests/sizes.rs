//! Built packages: exact sizes, always the same bytes, and the files of the recipe.

use super::*;

fn recipe(size: Option<u64>) -> Recipe {
    Recipe {
        name: name("HostedEmail2007NS.msi"),
        product: "Hosted Email 2007".to_owned(),
        version: "4.0.300".parse().expect("a version"),
        size,
        files: vec![
            (path("read me.txt"), b"hello".to_vec()),
            (path("bin/Provider.dll"), vec![7; 70_000]),
            (path("bin/empty"), vec![]),
        ],
        modified: 1_206_988_320,
        features: Vec::new(),
    }
}

#[test]
fn a_package_contains_the_files_of_its_recipe() {
    let recipe = recipe(Some(250_368));
    let package = build_package(&recipe).expect("a package");
    let contents = contents(Cursor::new(&package), &mut NoSiblingFiles).expect("its contents");
    let directory = path("Program Files/Hosted Email 2007");
    for (file, bytes) in &recipe.files {
        let found = contents
            .files
            .iter()
            .find(|found| found.file.path == directory.with(file))
            .expect("the file");
        assert_eq!(
            (found.file.size, found.sha256),
            (bytes.len() as u64, Digest::of(bytes))
        );
        assert_eq!(found.modified, Some(recipe.modified));
    }
    assert_eq!(contents.files.len(), 4, "the fourth is noise");
    assert!(
        contents
            .files
            .is_sorted_by(|a, b| a.file.path < b.file.path)
    );
    let Identity {
        product,
        version,
        product_code,
        upgrade_code,
        ..
    } = contents.identity;
    assert_eq!(
        (product.as_str(), version.as_str()),
        ("Hosted Email 2007", "4.0.300")
    );
    assert_eq!(product_code.to_uppercase(), product_code);
    assert!(upgrade_code.is_some_and(|code| code.starts_with('{') && code != product_code));
}

#[test]
fn every_documented_size_is_reached() {
    let documented = [
        250_368, 312_320, 251_904, 251_392, 278_528, 249_856, 248_832, 289_792, 372_736, 507_904,
        415_232, 449_536, 471_552, 531_456, 465_408, 457_216, 518_144, 457_216, 393_216, 412_672,
    ];
    for (number, size) in documented.into_iter().enumerate() {
        let recipe = Recipe {
            name: name(&format!("Package{number}.msi")),
            size: Some(size),
            ..recipe(None)
        };
        let package = build_package(&recipe).expect("a package");
        assert_eq!(package.len() as u64, size);
        contents(Cursor::new(&package), &mut NoSiblingFiles).expect("readable");
    }
}

#[test]
fn every_multiple_of_512_is_reached_although_the_map_of_sectors_grows() {
    // One sector maps 128 others, so every 65,536 bytes the file grows by two sectors at once.
    for sectors in (3 * 128 - 2)..(3 * 128 + 5) {
        let package = build_package(&recipe(Some(sectors * 512))).expect("a package");
        assert_eq!(package.len() as u64, sectors * 512);
        contents(Cursor::new(&package), &mut NoSiblingFiles).expect("readable");
        cfb::CompoundFile::open_strict(Cursor::new(&package)).expect("a valid compound file");
    }
}

#[test]
fn the_same_recipe_gives_the_same_bytes() {
    let digest =
        |recipe: &Recipe| Digest::of(&build_package(recipe).expect("a package")).to_string();
    // Pinned: a manifest that ships with the program has hashes of packages built like this one.
    assert_eq!(digest(&recipe(Some(250_368))), PINNED);
    let newer = Recipe {
        version: "4.0.301".parse().expect("a version"),
        ..recipe(Some(250_368))
    };
    assert_ne!(digest(&newer), PINNED);
}

const PINNED: &str = "fcff6fdd428208dabf11af4e4c560ef678c89e54e4196135eb337aa773d17651";

#[test]
fn the_code_page_of_a_package_is_1252() {
    let package = build_package(&recipe(None)).expect("a package");
    let package = msi::Package::open(Cursor::new(package)).expect("readable");
    // Windows Installer refuses databases in UTF-8, the library's default; other tools accept them.
    assert_eq!(package.database_codepage(), msi::CodePage::Windows1252);
    assert_eq!(
        package.summary_info().codepage(),
        msi::CodePage::Windows1252
    );
    assert_eq!(package.summary_info().word_count(), Some(2));
}

#[test]
fn only_the_product_code_changes_with_the_version() {
    let identity = |recipe: &Recipe| {
        let package = build_package(recipe).expect("a package");
        contents(Cursor::new(package), &mut NoSiblingFiles)
            .expect("readable")
            .identity
            .clone()
    };
    let old = identity(&recipe(None));
    let new = identity(&Recipe {
        version: "4.0.301".parse().expect("a version"),
        ..recipe(None)
    });
    assert_eq!(old.upgrade_code, new.upgrade_code);
    assert_ne!(old.product_code, new.product_code);
}

#[test]
fn the_error_for_an_impossible_size_has_the_smallest_size() {
    for requested in [512, 250_367] {
        match build_package(&recipe(Some(requested))).expect_err("an error") {
            BuildError::PackageSize { smallest, .. } => {
                assert_eq!(
                    build_package(&recipe(Some(smallest)))
                        .expect("the smallest")
                        .len() as u64,
                    smallest
                );
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn an_invalid_recipe_is_refused() {
    let with_files = |files: &[&str]| Recipe {
        files: files.iter().map(|file| (path(file), vec![])).collect(),
        ..recipe(None)
    };
    for files in [
        ["a", "a"],
        ["a", "A"],
        ["a", "a/b"],
        ["a/b", "a"],
        ["x/a", "X/b"],
    ] {
        assert!(
            matches!(
                build_package(&with_files(&files)),
                Err(BuildError::Conflict(_))
            ),
            "{files:?}"
        );
    }
    assert!(matches!(
        build_package(&with_files(&["nul"])),
        Err(BuildError::Name { .. })
    ));
    assert!(matches!(
        build_package(&with_files(&["日本"])),
        Err(BuildError::NotEncodable(_))
    ));
    assert!(matches!(
        build_package(&Recipe {
            modified: 0,
            ..recipe(None)
        }),
        Err(BuildError::Modified(0))
    ));
    let product = Recipe {
        product: "A/B".to_owned(),
        ..recipe(None)
    };
    assert!(matches!(
        build_package(&product),
        Err(BuildError::Name { .. })
    ));
    build_package(&with_files(&["a/b", "a/c", "Ünïcödé.txt"])).expect("names in code page 1252");
}

#[test]
fn a_recipe_without_files_gives_a_package_with_noise() {
    let package = build_package(&Recipe {
        files: vec![],
        ..recipe(None)
    })
    .expect("a package");
    let files = unpack(&package, &mut NoSiblingFiles).expect("its files");
    assert_eq!(
        files.into_keys().collect::<Vec<_>>(),
        ["Program Files/Hosted Email 2007/HostedEmail2007NS.dat"]
    );
}

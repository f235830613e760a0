//! Agreement with independent tools about installer packages: they can read the packages that
//! rollup builds, and rollup reads the packages that they build as they do.
//!
//! The tests need the Debian packages msitools, wixl, gcab, cabextract, p7zip-full and file:
//! `cargo test --test suite -- --ignored`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;

use rollup::installer::{
    Contents, NoSiblingFiles, ReadSeek, Recipe, SiblingFiles, build_package, build_program,
    contents,
};
use rollup::names::{Digest, FileName, RelPath};

use crate::temporary::temporary;

/// Documented sizes of the installer packages of KB952076.
const DOCUMENTED_SIZES: [u64; 20] = [
    250_368, 312_320, 251_904, 251_392, 278_528, 249_856, 248_832, 289_792, 372_736, 507_904,
    415_232, 449_536, 471_552, 531_456, 465_408, 457_216, 518_144, 457_216, 393_216, 412_672,
];

fn name(name: &str) -> FileName {
    FileName::parse(name).expect("a valid name")
}

fn recipe(number: usize, size: u64) -> Recipe {
    let path = |path: &str| RelPath::parse(path).expect("a valid path");
    Recipe {
        name: name(&format!("Provider{number}.msi")),
        product: format!("Provider Sample {number}"),
        version: "4.0.300.1".parse().expect("a version"),
        size: Some(size),
        files: vec![
            (path("bin/Provider.dll"), vec![7; 70_000]),
            (
                path("bin/Provider.dll.config"),
                b"<configuration/>".to_vec(),
            ),
            (path("docs/read me.txt"), b"hello".to_vec()),
            (path("docs/deep/er/empty.txt"), vec![]),
            (path("\u{dc}bersicht.txt"), b"code page 1252".to_vec()),
        ],
        modified: 1_206_988_320,
        features: Vec::new(),
    }
}

/// Runs a tool in a directory and returns its standard output.
fn run(directory: &Path, tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool)
        .args(arguments)
        .current_dir(directory)
        .env("LC_ALL", "C.UTF-8")
        .output();
    let output = output.unwrap_or_else(|error| panic!("cannot run `{tool}`: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns every file below a directory with its hash.
fn files_below(directory: &Path) -> BTreeMap<String, Digest> {
    let files = walkdir::WalkDir::new(directory)
        .into_iter()
        .map(|entry| entry.expect("a readable directory"));
    let files = files.filter(|entry| entry.file_type().is_file());
    let relative = |path: &Path| {
        path.strip_prefix(directory)
            .expect("a path below")
            .to_string_lossy()
            .into_owned()
    };
    files
        .map(|entry| {
            (
                relative(entry.path()),
                Digest::of(&fs::read(entry.path()).expect("a file")),
            )
        })
        .collect()
}

fn files_in_package(contents: &Contents) -> BTreeMap<String, Digest> {
    contents
        .files
        .iter()
        .map(|file| (file.file.path.as_str().to_owned(), file.sha256))
        .collect()
}

/// Unpacks a package with `msiextract`, and returns the files. It succeeds even if it could read
/// nothing, so its exit code is not enough.
fn extract_with_msiextract(directory: &Path, package: &str) -> BTreeMap<String, Digest> {
    let target = temporary();
    run(
        directory,
        "msiextract",
        &["-C", &target.path().to_string_lossy(), package],
    );
    files_below(target.path())
}

#[test]
#[ignore = "needs msitools and file"]
fn packages_of_every_documented_size_are_unpacked_alike() {
    let directory = temporary();
    for (number, size) in DOCUMENTED_SIZES.into_iter().enumerate() {
        let package = build_package(&recipe(number, size)).expect("a package");
        fs::write(directory.path().join("it.msi"), &package).expect("written");
        let contents = contents(io::Cursor::new(&package), &mut NoSiblingFiles).expect("contents");
        assert_eq!(package.len() as u64, size);
        assert_eq!(contents.files.len(), 6);
        assert_eq!(
            extract_with_msiextract(directory.path(), "it.msi"),
            files_in_package(&contents)
        );
    }
}

#[test]
#[ignore = "needs msitools and file"]
fn the_properties_of_a_package_are_read_alike() {
    let directory = temporary();
    let package = build_package(&recipe(1, 250_368)).expect("a package");
    fs::write(directory.path().join("it.msi"), &package).expect("written");
    let contents = contents(io::Cursor::new(&package), &mut NoSiblingFiles).expect("contents");
    let identity = &contents.identity;
    let properties = run(
        directory.path(),
        "msiinfo",
        &["export", "it.msi", "Property"],
    );
    for (property, value) in [
        ("ProductName", identity.product.as_str()),
        ("ProductVersion", identity.version.as_str()),
        ("ProductCode", identity.product_code.as_str()),
        (
            "UpgradeCode",
            identity.upgrade_code.as_deref().expect("an upgrade code"),
        ),
    ] {
        assert!(
            properties
                .lines()
                .any(|line| line.trim_end() == format!("{property}\t{value}")),
            "{properties}"
        );
    }
    let summary = run(directory.path(), "msiinfo", &["suminfo", "it.msi"]);
    for line in ["Template: Intel;1033", "Version: 200 (c8)", "Source: 2 (2)"] {
        assert!(summary.contains(line), "{summary}");
    }
    let code_page = run(
        directory.path(),
        "msiinfo",
        &["export", "it.msi", "_ForceCodepage"],
    );
    assert!(code_page.contains("1252\t_ForceCodepage"), "{code_page}");
    let kind = run(directory.path(), "file", &["it.msi"]);
    assert!(
        kind.contains("MSI Installer") && kind.contains("Code page: 1252"),
        "{kind}"
    );
}

#[test]
#[ignore = "needs p7zip-full"]
fn p7zip_reads_the_compound_file_and_the_cabinet() {
    let directory = temporary();
    // The last sector of the second package contains only a map of sectors.
    for size in [250_368, 65_536 * 3 + 1024] {
        fs::write(
            directory.path().join("it.msi"),
            build_package(&recipe(1, size)).expect("a package"),
        )
        .expect("written");
        run(directory.path(), "7z", &["t", "it.msi"]);
        run(directory.path(), "7z", &["x", "-y", "-oout", "it.msi"]);
        let names = ["F1", "F2", "F3", "F4", "F5", "F6"];
        assert!(
            names
                .iter()
                .all(|name| directory.path().join("out").join(name).is_file()),
            "7z names the files by their keys"
        );
    }
}

#[test]
#[ignore = "needs file"]
fn the_program_is_an_executable_for_windows() {
    let directory = temporary();
    let program = build_program(&name("AddMPFSchema.exe"), 79_528).expect("a program");
    assert_eq!(program.len(), 79_528);
    fs::write(directory.path().join("it.exe"), program).expect("written");
    let kind = run(directory.path(), "file", &["it.exe"]);
    assert!(
        kind.contains("PE32 executable (console) Intel 80386") && kind.contains("2 sections"),
        "{kind}"
    );
}

/// Product for wixl. `@DIRECTORY@` is its system directory, and `@EMBED@` is `yes` if the package
/// contains the cabinet.
const PRODUCT: &str = r#"<?xml version="1.0"?>
<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
  <Product Id="*" UpgradeCode="12345678-1234-1234-1234-111111111111" Name="Sample" Version="1.2.3"
      Manufacturer="Example" Language="1033">
    <Package InstallerVersion="200" Compressed="yes"/>
    <Media Id="1" Cabinet="product.cab" EmbedCab="@EMBED@"/>
    <Directory Id="TARGETDIR" Name="SourceDir"><Directory Id="@DIRECTORY@"><Directory Id="INSTALLDIR" Name="Sample">
      <Component Id="C1" Guid="12345678-1234-1234-1234-222222222222">
        <File Id="F1" Source="one.txt" KeyPath="yes"/>
        <File Id="F2" Source="empty.bin"/>
      </Component>
      <Directory Id="D" Name="A longer name"><Component Id="C2" Guid="12345678-1234-1234-1234-222222222223">
        <File Id="F3" Source="large.dat"/>
      </Component></Directory>
    </Directory></Directory></Directory>
    <Feature Id="Complete" Level="1"><ComponentRef Id="C1"/><ComponentRef Id="C2"/></Feature>
  </Product>
</Wix>
"#;

/// Builds a package in a directory with wixl, from files that take several blocks of MSZIP.
fn build_with_wixl(directory: &Path, system_directory: &str, embed: &str) {
    let large: Vec<u8> = (0..150_000_u32)
        .flat_map(|number| (number / 5 * 31).to_le_bytes())
        .collect();
    for (name, bytes) in [
        ("one.txt", b"one".as_slice()),
        ("empty.bin", b""),
        ("large.dat", &large),
    ] {
        fs::write(directory.join(name), bytes).expect("written");
    }
    let product = PRODUCT
        .replace("@DIRECTORY@", system_directory)
        .replace("@EMBED@", embed);
    fs::write(directory.join("it.wxs"), product).expect("written");
    run(directory, "wixl", &["it.wxs", "-o", "it.msi"]);
}

fn open(directory: &Path) -> File {
    File::open(directory.join("it.msi")).expect("the package")
}

#[test]
#[ignore = "needs wixl and msitools"]
fn a_package_of_wixl_is_read_as_msiextract_reads_it() {
    for system_directory in [
        "ProgramFilesFolder",
        "CommonAppDataFolder",
        "ProgramFiles64Folder",
    ] {
        let directory = temporary();
        build_with_wixl(directory.path(), system_directory, "yes");
        let contents = contents(open(directory.path()), &mut NoSiblingFiles).expect("contents");
        assert_eq!(contents.identity.product, "Sample");
        assert_eq!(contents.files.len(), 3);
        // The tool takes the names of system directories from their rows, which are `.` here.
        let below = |files: BTreeMap<String, Digest>| -> BTreeMap<String, Digest> {
            let files = files.into_iter();
            let below = files.map(|(path, sha256)| {
                let at = path.find("Sample/").expect("the directory of the product");
                (path[at..].to_owned(), sha256)
            });
            below.collect()
        };
        assert_eq!(
            below(files_in_package(&contents)),
            below(extract_with_msiextract(directory.path(), "it.msi"))
        );
    }
}

#[test]
#[ignore = "needs wixl and msitools"]
fn long_names_and_dots_are_read_as_msiextract_reads_them() {
    for default in ["SHORT~1|Long name", "."] {
        let directory = temporary();
        build_with_wixl(directory.path(), "ProgramFilesFolder", "yes");
        let change =
            format!("UPDATE `Directory` SET `DefaultDir` = '{default}' WHERE `Directory` = 'D'");
        run(directory.path(), "msibuild", &["it.msi", "-q", &change]);
        let contents = contents(open(directory.path()), &mut NoSiblingFiles).expect("contents");
        assert_eq!(
            files_in_package(&contents),
            extract_with_msiextract(directory.path(), "it.msi"),
            "{default}"
        );
    }
}

#[test]
#[ignore = "needs wixl, gcab and cabextract"]
fn an_external_cabinet_of_gcab_is_read() {
    struct Directory<'a>(&'a Path);
    impl SiblingFiles for Directory<'_> {
        fn open(&mut self, path: &RelPath) -> io::Result<Option<Box<dyn ReadSeek>>> {
            let file = File::open(self.0.join(path.as_str().to_uppercase()))?;
            Ok(Some(Box::new(file)))
        }
    }
    for packed in [true, false] {
        let directory = temporary();
        build_with_wixl(directory.path(), "ProgramFilesFolder", "no");
        for (key, name) in [("F1", "one.txt"), ("F2", "empty.bin"), ("F3", "large.dat")] {
            fs::rename(directory.path().join(name), directory.path().join(key)).expect("renamed");
        }
        let options: &[&str] = if packed { &["-z"] } else { &[] };
        run(
            directory.path(),
            "gcab",
            &[options, &["-c", "PRODUCT.CAB", "F1", "F2", "F3"]].concat(),
        );
        let contents =
            contents(open(directory.path()), &mut Directory(directory.path())).expect("contents");
        run(
            directory.path(),
            "cabextract",
            &["-q", "-d", "out", "PRODUCT.CAB"],
        );
        let extracted_hashes: Vec<_> = files_below(&directory.path().join("out"))
            .into_values()
            .collect();
        let key = |name: &str| {
            contents
                .files
                .iter()
                .find(|file| file.file.path.name() == name)
                .expect("the file")
                .sha256
        };
        assert_eq!(
            [key("one.txt"), key("empty.bin"), key("large.dat")].as_slice(),
            extracted_hashes
        );
        let cabinet = fs::read(directory.path().join("PRODUCT.CAB")).expect("the cabinet");
        let external = contents.beside.first().expect("one cabinet");
        assert_eq!(
            (external.size, external.sha256),
            (cabinet.len() as u64, Digest::of(&cabinet))
        );
    }
}

//! Packages made here are read here, and give back what went in.

use std::io::Cursor;

use super::*;
use crate::names::{Digest, FileName, RelPath};

fn name(name: &str) -> FileName {
    FileName::parse(name).expect("a valid name")
}

fn path(path: &str) -> RelPath {
    RelPath::parse(path).expect("a valid path")
}

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
    }
}

#[test]
fn what_goes_into_a_package_comes_out_of_it() {
    let package = build_package(&recipe(Some(250_368))).expect("a package");
    assert_eq!(package.len(), 250_368);
    let contents = contents(Cursor::new(&package), &mut NothingBeside).expect("its contents");
    let below = "Program Files/Hosted Email 2007";
    let found: Vec<_> = contents.files.iter().map(|file| (file.path.as_str(), file.sha256)).collect();
    assert_eq!(found.len(), 4);
    assert!(found.contains(&(&format!("{below}/read me.txt"), Digest::of(b"hello"))));
    assert!(found.contains(&(&format!("{below}/bin/Provider.dll"), Digest::of(&[7; 70_000]))));
    assert!(found.contains(&(&format!("{below}/bin/empty"), Digest::of(b""))));
    assert!(contents.files.iter().all(|file| file.modified == Some(1_206_988_320)));
    assert!(contents.files.is_sorted_by(|a, b| a.path < b.path));
    assert_eq!(contents.identity.product, "Hosted Email 2007");
}

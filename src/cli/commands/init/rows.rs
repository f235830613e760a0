//! Rows of a first file table, read from a payload.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::terminal::out;
use crate::installer::FileFormat;
use crate::manifest::{FileTable, PayloadFile};
use crate::names::{Escaped, PayloadPath};
use crate::payload::{Payload, PayloadFact};

/// Row of a manifest whose files are not known.
pub(super) const EXAMPLE: &str = "  { name = \"TODO.msi\" },
# { name = \"Provider.msi\", size = 507_904, modified = 2008-03-31T18:32:00Z },
# { name = \"Readme.txt\", size = 4_096, unused = \"for people\" },";

/// Returns a row for each file of a payload, with its size and time. What is in a package is a
/// comment; a file that is none must be explained.
pub(super) fn of_payload(payload: &Payload) -> anyhow::Result<String> {
    let names = payload.names()?;
    if names.is_truncated {
        let reason = "the payload has more than 20,000 files";
        anyhow::bail!(Failure::usage(reason).next("name the directory with the rollup's files"));
    }
    for other in &names.others {
        out::warn(format_args!(
            "`{other}` is left out: no file table can name it"
        ));
    }
    let table = table_of(&names.files);
    let facts = payload.facts_in(&table, &inputs::hashing_payload());
    let width = names.files.iter().map(|name| name.as_str().len()).max();
    let rows = names.files.iter().filter_map(|name| {
        let fact = facts.files.get(&name.case_folded())?;
        Some(row(name, fact, width.unwrap_or_default()))
    });
    let rows: Vec<String> = rows.collect();
    if rows.is_empty() {
        let path = payload.tree().path().display();
        let reason = format!("the payload `{path}` has no files");
        anyhow::bail!(Failure::no_input(reason).next("name the directory with the rollup's files"));
    }
    Ok(rows.join("\n"))
}

/// Returns a file table that only has names.
fn table_of(names: &[PayloadPath]) -> FileTable<'static> {
    let rows = names.iter().map(|name| PayloadFile {
        name: name.clone(),
        size: None,
        modified: None,
        platform: None,
        version: None,
        unused: None,
        sha256: None,
        line: 0,
        span: 0..0,
    });
    FileTable {
        rows: Cow::Owned(rows.collect()),
        span: 0..0,
        deployed: BTreeSet::new(),
        run: BTreeMap::new(),
        opaque: BTreeSet::new(),
        shared: BTreeMap::new(),
    }
}

fn row(name: &PayloadPath, fact: &PayloadFact, width: usize) -> String {
    // A file name has neither quotes nor backslashes nor control characters.
    let mut row = format!(
        "  {{ name = \"{name}\",{:1$}",
        "",
        width - name.as_str().len()
    );
    if let Ok(facts) = &fact.facts {
        row.push_str(&format!(
            " size = {},",
            crate::names::grouped(facts.size, '_')
        ));
    }
    let minute = fact.modified.div_euclid(60) * 60;
    if let Ok(modified) = Timestamp::from_second(minute) {
        row.push_str(&format!(" modified = {modified},"));
    }
    let (key, comment) = described(fact);
    row.push_str(&key);
    let row = row.trim_end_matches(',');
    match comment {
        Some(comment) => format!("{row} }},  # {}", for_comment(&comment)),
        None => format!("{row} }},"),
    }
}

/// Returns the key that a file needs besides, and what it is.
fn described(fact: &PayloadFact) -> (String, Option<String>) {
    match &fact.package {
        Ok(contents) => {
            let identity = &contents.identity;
            let described = format!("{} {}", identity.product, identity.version);
            (String::new(), Some(described))
        }
        Err(error) if error.is_package => {
            let why = format!("cannot be installed: {}", error.why);
            (String::new(), Some(why))
        }
        Err(error) => {
            let version = fact.program_version();
            let version = version.map(|version| format!(" version = \"{version}\","));
            let product = match &error.format {
                Some(FileFormat::WindowsProgram(program)) => program.product.clone(),
                _ => None,
            };
            let why =
                " unused = \"TODO why no step uses it; or remove this, and name it in a step\"";
            (version.unwrap_or_default() + why, product)
        }
    }
}

/// Returns a vendor's text for a comment, in which a `#` could begin an instruction for rollup.
fn for_comment(text: &str) -> String {
    Escaped(text).to_string().replace('#', " ")
}

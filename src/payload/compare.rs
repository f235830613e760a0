//! Comparison of the payload with the file table and the requirements of the steps.

use std::collections::{BTreeMap, BTreeSet};

use super::{PackageError, PayloadFact, PayloadFacts};
use crate::deployment::description::{Description, ItemKind};
use crate::deployment::tree::FileFacts;
use crate::document::{Code, Severity, Span};
use crate::installer::FileFormat;
use crate::manifest::{FileTable, PayloadFile};
use crate::names::{CaseFolded, Digest, Escaped, PayloadPath};

/// Largest offset of a date that is reported as another time zone, in seconds.
const MAX_ZONE_OFFSET: i64 = 14 * 3600;

const UNPACK_AGAIN: &str = "unpack the vendor's download again";
const SHOW_DETAILS: &str = "`rollup inspect FILE` shows the details";

/// Difference of a payload from its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadDifference {
    pub code: Code,
    /// Error if the rollup cannot be applied with the difference.
    pub level: Severity,
    /// Row of the file table, or the whole table.
    pub span: Span,
    /// Message that names the file.
    pub message: String,
    /// Advice on how to resolve the difference.
    pub help: Option<&'static str>,
}

/// Compares every file with its row, its pin and, if a deployment is known, the item that is
/// installed from it. The differences are in the order of the file table; those without a row are
/// last.
pub fn compare(
    table: &FileTable<'_>,
    deployment: Option<&Description>,
    payload: &PayloadFacts,
) -> Vec<PayloadDifference> {
    let mut comparison = PayloadComparison {
        products: deployment
            .map(|deployment| products(table, deployment))
            .unwrap_or_default(),
        knows_items: deployment.is_some(),
        pinned: table
            .rows
            .iter()
            .filter_map(|row| Some((row.sha256?, &row.name)))
            .collect(),
        table,
        clashes: payload
            .clashes
            .iter()
            .map(|(name, _)| CaseFolded::of(name))
            .collect(),
        found: Vec::new(),
    };
    for row in table.rows.iter() {
        comparison.row(row, payload.files.get(&row.name.case_folded()));
    }
    for (a, b) in &payload.clashes {
        let message = format!(
            "`{}` and `{}` in the payload differ only in case",
            Escaped(a),
            Escaped(b)
        );
        let help = "remove the file that is not the vendor's";
        comparison
            .report(Code::CaseClash, Severity::Error, &table.span, message)
            .help = Some(help);
    }
    for name in &payload.unreadable {
        let help = "rename it, or unpack the vendor's download again";
        comparison
            .report(Code::NotAFile, Severity::Error, &table.span, not_utf8(name))
            .help = Some(help);
    }
    for name in &payload.extra {
        let message = format!(
            "`{}` is in the payload, but not in the file table",
            Escaped(name)
        );
        let help = "the file is ignored; if a step should deploy it, add its row";
        comparison
            .report(Code::ExtraFile, Severity::Note, &table.span, message)
            .help = Some(help);
    }
    comparison.found
}

/// Returns the message about an entry whose name, escaped here, is not UTF-8.
pub fn not_utf8(name: &str) -> String {
    format!("`{name}` in the payload cannot be used: its name is not UTF-8")
}

struct PayloadComparison<'t> {
    table: &'t FileTable<'t>,
    /// True if a deployment says which files its items are installed from.
    knows_items: bool,
    /// By the name of the row.
    products: BTreeMap<CaseFolded, ExpectedProduct>,
    /// Names of the rows that have a pin, by hash.
    pinned: BTreeMap<Digest, &'t PayloadPath>,
    /// Names of which the payload has two files or directories.
    clashes: BTreeSet<CaseFolded>,
    found: Vec<PayloadDifference>,
}

/// Product that a file must contain, and the item that is installed from it.
struct ExpectedProduct {
    item: String,
    product: String,
    features: Vec<String>,
}

/// Returns the expected product of each file from which an item is installed.
fn products(
    table: &FileTable<'_>,
    deployment: &Description,
) -> BTreeMap<CaseFolded, ExpectedProduct> {
    let named = deployment.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Component {
            installer,
            product,
            features,
            ..
        } => {
            let installed = ExpectedProduct {
                item: item.name.to_string(),
                product: product.clone(),
                features: features.clone(),
            };
            Some((table.row_of_installer(installer), installed))
        }
        ItemKind::Procedure { .. } => None,
    });
    named.collect()
}

/// Returns the difference of an opaque package whose format is not that of its name.
fn wrong_format(name: &PayloadPath, fact: &PayloadFact) -> Option<(Code, String, &'static str)> {
    let format = match &fact.package {
        Ok(_) => Some(&FileFormat::Package),
        Err(error) => error.format.as_ref(),
    };
    let (wanted, is_wanted) = match format {
        _ if name.has_extension(&["exe"]) => (
            "a program (PE)",
            matches!(format, Some(FileFormat::WindowsProgram(_))),
        ),
        _ if name.has_extension(&["msp"]) => {
            ("a patch (.msp)", matches!(format, Some(FileFormat::Patch)))
        }
        _ => (
            "an update of Windows (.msu)",
            matches!(
                format,
                Some(FileFormat::WindowsUpdate | FileFormat::Cabinet)
            ),
        ),
    };
    if is_wanted {
        return None;
    }
    let found = format.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let message = format!("`{name}` is not {wanted}: it is {found}");
    Some((Code::NotAnInstaller, message, UNPACK_AGAIN))
}

fn code_of(error: &PackageError) -> Code {
    if error.is_package {
        Code::UnusableInstaller
    } else {
        Code::NotAnInstaller
    }
}

impl PayloadComparison<'_> {
    fn row(&mut self, row: &PayloadFile, fact: Option<&PayloadFact>) {
        // The clash of the two files is reported as one difference.
        if self.clashes.contains(&row.name.case_folded())
            || row
                .name
                .directories()
                .any(|directory| self.clashes.contains(&directory.case_folded()))
        {
            return;
        }
        // A file that no step deploys cannot fail the run.
        let level = match self.table.deployed.contains(&row.name.case_folded()) {
            true => Severity::Error,
            false => Severity::Warning,
        };
        let Some(fact) = fact else {
            let message = format!("`{}` is missing from the payload", row.name);
            self.report(Code::MissingFile, level, &row.span, message)
                .help = Some(UNPACK_AGAIN);
            return;
        };
        if let Some((code, message, help)) = self.wrong(row, fact) {
            self.report(code, level, &row.span, message).help = Some(help);
        } else if !self.only_copied(row, fact) {
            self.date(row, fact);
        }
    }

    /// Warns of an installer that cannot be read and that steps only copy: that needs no reading.
    /// Returns whether it warned.
    fn only_copied(&mut self, row: &PayloadFile, fact: &PayloadFact) -> bool {
        let Err(error) = fact.package.as_ref() else {
            return false;
        };
        if !row.name.is_msi() {
            return false;
        }
        let message = format!(
            "`{}` is only copied, and cannot be installed: {}",
            row.name, error.why
        );
        self.report(code_of(error), Severity::Warning, &row.span, message)
            .help = Some(error.help());
        true
    }

    fn report(
        &mut self,
        code: Code,
        level: Severity,
        span: &Span,
        message: String,
    ) -> &mut PayloadDifference {
        self.found.push(PayloadDifference {
            code,
            level,
            span: span.clone(),
            message,
            help: None,
        });
        self.found.last_mut().expect("pushed just now")
    }

    /// Returns the first difference of a file from its row, or the reason why it cannot be used.
    fn wrong(&self, row: &PayloadFile, fact: &PayloadFact) -> Option<(Code, String, &'static str)> {
        let name = &row.name;
        let FileFacts { size, sha256 } = match &fact.facts {
            Ok(facts) => *facts,
            Err(why) => {
                let message = format!("`{name}` in the payload cannot be used: {why}");
                return Some((Code::NotAFile, message, "replace it by the file"));
            }
        };
        if row.sha256.is_some_and(|expected| expected != sha256)
            && let Some(other) = self.pinned.get(&sha256)
        {
            let message =
                format!("`{name}` in the payload is the file that is pinned as `{other}`");
            return Some((
                Code::SwappedFiles,
                message,
                "two files may be swapped; rename them",
            ));
        }
        if let Some(expected) = row.size.filter(|&expected| expected != size) {
            let how = if size < expected {
                "too short"
            } else {
                "too long"
            };
            let message =
                format!("`{name}` is {how}: it has {size} bytes, and {expected} in the file table");
            return Some((Code::WrongSize, message, UNPACK_AGAIN));
        }
        if let Some(expected) = row.sha256.filter(|&expected| expected != sha256) {
            let held = match &fact.package {
                Ok(held) => format!(
                    "; it holds `{}` {}",
                    Escaped(&held.identity.product),
                    held.identity.version
                ),
                Err(_) => String::new(),
            };
            let message = format!(
                "`{name}` is not the pinned file: its SHA-256 is {sha256}, the pin is {expected}{held}"
            );
            let help = "unpack the vendor's download again; if the pin is outdated, run `rollup pin` again";
            return Some((Code::WrongHash, message, help));
        }
        self.unusable(row, fact)
    }

    /// Returns the reason why a file with the right size and hash cannot be installed from.
    fn unusable(
        &self,
        row: &PayloadFile,
        fact: &PayloadFact,
    ) -> Option<(Code, String, &'static str)> {
        let (name, case_folded) = (&row.name, row.name.case_folded());
        let installed = self.products.get(&case_folded);
        // Without a deployment, an installer in the share may be that of any item.
        let in_share = self.table.shared.get(&name.file_name().case_folded());
        let is_shared = name.is_msi() && in_share == Some(&case_folded);
        let may_be_needed = !self.knows_items && is_shared;
        if self.table.opaque.contains(&case_folded) {
            return wrong_format(name, fact);
        }
        let needed =
            self.table.run.contains_key(&case_folded) || installed.is_some() || may_be_needed;
        match &fact.package {
            Err(error) if needed => {
                let message = match error.is_package {
                    true => format!("`{name}` cannot be installed from: {}", error.why),
                    false => format!("`{name}` is not an installer: {}", error.why),
                };
                Some((code_of(error), message, error.help()))
            }
            Err(_) => None,
            Ok(contents) => {
                let found = &contents.identity.product;
                if let Some(ExpectedProduct { item, product, .. }) = installed
                    && found != product
                {
                    let message = format!(
                        "`{name}` should hold `{product}` for `{item}`, but holds `{}`",
                        Escaped(found)
                    );
                    let help = "two files may be swapped; `rollup inspect FILE` shows the contents of each";
                    return Some((Code::SwappedFiles, message, help));
                }
                let asked = installed.map(|installed| installed.features.clone());
                let run = self.table.run.get(&case_folded);
                let asked = asked.or_else(|| Some(run?.iter().cloned().collect()))?;
                let why = contents.installed(&asked).err()?;
                let message = format!("`{name}` cannot be installed from: {why}");
                Some((Code::UnusableInstaller, message, SHOW_DETAILS))
            }
        }
    }

    /// Reports a wrong date, which another edition of the file has. But copying changes the date,
    /// too, so it matters little if the hash is pinned.
    fn date(&mut self, row: &PayloadFile, fact: &PayloadFact) {
        let Some(expected) = row.modified else { return };
        // The table has no seconds.
        let offset = fact.modified.div_euclid(60) * 60 - expected;
        if offset == 0 {
            return;
        }
        let message = match offset % 3600 == 0 && offset.abs() <= MAX_ZONE_OFFSET {
            true => format!(
                "the date of `{}` is off by {} h, which looks like another time zone",
                row.name,
                offset / 3600
            ),
            false => format!(
                "`{}` has another date than in the file table; copying may have changed it",
                row.name
            ),
        };
        let level = if row.sha256.is_some() {
            Severity::Note
        } else {
            Severity::Warning
        };
        let help =
            "compare the date with the article; if the hash is pinned, the date matters little";
        self.report(Code::WrongDate, level, &row.span, message).help = Some(help);
    }
}

//! Comparison of the payload with the file table and with the needs of the steps.

use std::collections::{BTreeMap, BTreeSet};

use super::{PackageError, PayloadFact, PayloadFacts};
use crate::deployment::description::{Description, ItemKind};
use crate::deployment::tree::FileFacts;
use crate::document::{Code, Severity, Span};
use crate::manifest::{FileTable, PayloadFile};
use crate::names::{CaseFolded, Digest, Escaped, FileName};

/// Largest difference of a date that is reported as another time zone, in seconds.
const LARGEST_ZONE: i64 = 14 * 3600;

const AGAIN: &str = "unpack the vendor's download again";

/// Difference between a payload and its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Kind of difference.
    pub code: Code,
    /// Severity: an error if the rollup cannot be applied with it.
    pub level: Severity,
    /// Row of the file table that it is about, or the table.
    pub span: Span,
    /// Message about the difference, naming the file.
    pub message: String,
    /// Advice on how to resolve it.
    pub help: Option<&'static str>,
}

/// Compares every file with its row, its pin and, if a deployment is known, the item it is for. The
/// differences come in the order of the file table; those without a row are last.
pub fn compare(
    table: &FileTable<'_>,
    site: Option<&Description>,
    payload: &PayloadFacts,
) -> Vec<Difference> {
    let mut comparison = Comparison {
        products: site.map(products).unwrap_or_default(),
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
        let help = "remove the one that is not the vendor's";
        comparison
            .tell(Code::PayloadClash, Severity::Error, &table.span, message)
            .help = Some(help);
    }
    for name in &payload.extra {
        let message = format!(
            "`{}` lies in the payload and in no row of the file table",
            Escaped(name)
        );
        let help = "it is left alone; if a step should deploy it, give it a row";
        comparison
            .tell(Code::ExtraFile, Severity::Note, &table.span, message)
            .help = Some(help);
    }
    comparison.found
}

struct Comparison<'t> {
    table: &'t FileTable<'t>,
    products: BTreeMap<CaseFolded, ForItem>,
    /// Names of the rows that have a pin, by hash.
    pinned: BTreeMap<Digest, &'t FileName>,
    /// Names that two files of the payload have.
    clashes: BTreeSet<CaseFolded>,
    found: Vec<Difference>,
}

/// The item that is installed from a file.
struct ForItem {
    item: String,
    product: String,
}

/// Returns the product that each file must hold, and the item that is installed from it.
fn products(site: &Description) -> BTreeMap<CaseFolded, ForItem> {
    let named = site.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Component {
            installer, product, ..
        } => {
            let belongs = ForItem {
                item: item.name.to_string(),
                product: product.clone(),
            };
            Some((installer.case_folded(), belongs))
        }
        ItemKind::Procedure { .. } => None,
    });
    named.collect()
}

impl Comparison<'_> {
    fn row(&mut self, row: &PayloadFile, fact: Option<&PayloadFact>) {
        // The clash of the two files is reported as one difference.
        if self.clashes.contains(&row.name.case_folded()) {
            return;
        }
        // A file that no step deploys cannot spoil the run.
        let level = match self.table.deployed.contains(&row.name.case_folded()) {
            true => Severity::Error,
            false => Severity::Warning,
        };
        let Some(fact) = fact else {
            let message = format!("`{}` is missing in the payload", row.name);
            self.tell(Code::MissingFile, level, &row.span, message).help = Some(AGAIN);
            return;
        };
        let Some((code, message, help)) = self.wrong(row, fact) else {
            self.date(row, fact);
            return;
        };
        self.tell(code, level, &row.span, message).help = Some(help);
    }

    fn tell(
        &mut self,
        code: Code,
        level: Severity,
        span: &Span,
        message: String,
    ) -> &mut Difference {
        self.found.push(Difference {
            code,
            level,
            span: span.clone(),
            message,
            help: None,
        });
        self.found.last_mut().expect("pushed just now")
    }

    /// Returns the first difference of a file from its row, or why it cannot be used for its
    /// purpose.
    fn wrong(&self, row: &PayloadFile, fact: &PayloadFact) -> Option<(Code, String, &'static str)> {
        let name = &row.name;
        let FileFacts { size, sha256 } = match &fact.facts {
            Ok(facts) => *facts,
            Err(what) => {
                let message = format!("`{name}` in the payload cannot be used: {what}");
                return Some((Code::NotAFile, message, "put the file there"));
            }
        };
        if row.sha256.is_some_and(|wanted| wanted != sha256)
            && let Some(other) = self.pinned.get(&sha256)
        {
            let message =
                format!("`{name}` in the payload is the file that is pinned as `{other}`");
            return Some((
                Code::Swapped,
                message,
                "two files may be swapped; give each one its own name back",
            ));
        }
        if let Some(wanted) = row.size.filter(|&wanted| wanted != size) {
            let how = if size < wanted {
                "too short"
            } else {
                "too long"
            };
            let message = format!(
                "`{name}` is {how}: the file table says {wanted} bytes, the payload has {size}"
            );
            return Some((Code::WrongSize, message, AGAIN));
        }
        if let Some(wanted) = row.sha256.filter(|&wanted| wanted != sha256) {
            let held = match &fact.package {
                Ok(held) => format!(
                    "; it holds `{}` {}",
                    Escaped(&held.identity.product),
                    held.identity.version
                ),
                Err(_) => String::new(),
            };
            let message = format!(
                "`{name}` is not the pinned file: SHA-256 {sha256}, the manifest pins {wanted}{held}"
            );
            let help = "unpack the vendor's download again; if the pin is the old one, pin again with `rollup pin`";
            return Some((Code::WrongHash, message, help));
        }
        self.unusable(row, fact)
    }

    /// Returns why a file with the right size and hash still cannot be used for its purpose.
    fn unusable(
        &self,
        row: &PayloadFile,
        fact: &PayloadFact,
    ) -> Option<(Code, String, &'static str)> {
        let (name, case_folded) = (&row.name, row.name.case_folded());
        let belongs = self.products.get(&case_folded);
        let needed = self.table.run.contains(&case_folded) || belongs.is_some() || name.is_msi();
        match &fact.package {
            Err(PackageError::NotAPackage(why)) if needed => Some((
                Code::NoInstaller,
                format!("`{name}` is no installer: {why}"),
                AGAIN,
            )),
            Err(PackageError::Unusable(why)) if needed => {
                let message = format!("`{name}` cannot be installed from: {why}");
                Some((
                    Code::UnusableInstaller,
                    message,
                    "`rollup inspect` tells more",
                ))
            }
            Err(_) => None,
            Ok(contents) => {
                let ForItem { item, product } = belongs?;
                let found = &contents.identity.product;
                (found != product).then(|| {
                    let message = format!(
                        "`{name}` should hold `{product}` for `{item}`, and holds `{}`",
                        Escaped(found)
                    );
                    let help =
                        "two files may be swapped; `rollup inspect` tells what each one holds";
                    (Code::Swapped, message, help)
                })
            }
        }
    }

    /// Reports a wrong date, since another edition of the file has one, too. But copying changes
    /// it, and beside a pinned hash it says next to nothing.
    fn date(&mut self, row: &PayloadFile, fact: &PayloadFact) {
        let Some(wanted) = row.modified else { return };
        // The table has no seconds.
        let off = fact.modified.div_euclid(60) * 60 - wanted;
        if off == 0 {
            return;
        }
        let message = match off % 3600 == 0 && off.abs() <= LARGEST_ZONE {
            true => format!(
                "`{}` is dated {} h off, which looks like another time zone",
                row.name,
                off / 3600
            ),
            false => format!(
                "`{}` has another date than the file table says; copying may have changed it",
                row.name
            ),
        };
        let level = if row.sha256.is_some() {
            Severity::Note
        } else {
            Severity::Warning
        };
        let help = "compare the date with the article; where `rollup pin` pinned the hash, it says next to nothing";
        self.tell(Code::WrongDate, level, &row.span, message).help = Some(help);
    }
}

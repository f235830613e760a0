//! Text of what is known of a file.

use super::Inspected;
use super::facts::{InspectedFile, PackageFacts};
use crate::cli::terminal::out::{self, BOLD, count, count_of, styled};
use crate::document::some_of;
use crate::names::{Escaped, columns};

impl Inspected {
    pub(super) fn show(&self) {
        out::line(styled(BOLD, Escaped(&self.file)));
        if let Some(size) = self.size {
            row("size", format_args!("{} bytes", out::number(size)));
        }
        if let Some(sha256) = self.sha256 {
            row("sha256", sha256);
        }
        if let Some(package) = &self.package {
            package.show();
        }
        if let Some(error) = &self.error {
            let message = styled(out::BAD, "cannot be installed");
            out::line(format_args!("  {message}: {error}"));
        }
        if let Some(help) = self.help {
            out::line(format_args!("  help: {help}"));
        }
    }
}

fn row(name: &str, value: impl std::fmt::Display) {
    out::line(format_args!("  {name:<14}  {value}"));
}

impl PackageFacts {
    fn show(&self) {
        let properties = [
            ("product", &self.identity.product),
            ("version", &self.identity.version),
            ("product code", &self.identity.product_code),
            ("upgrade code", &self.identity.upgrade_code),
            ("manufacturer", &self.identity.manufacturer),
        ];
        for (name, value) in properties {
            row(name, Escaped(value.as_deref().unwrap_or("none")));
        }
        self.show_features();
        for file in &self.beside {
            row("beside it", Escaped(file.path.as_str()));
        }
        for path in &self.absent {
            let path = Escaped(path.as_str());
            row("beside it", format_args!("{path} (missing)"));
        }
        for note in &self.notes {
            row("note", note);
        }
        let files = count(self.files.len(), "file");
        out::line(format_args!("  {files} by default:"));
        show_files(&self.files);
        if !self.not_installed.is_empty() {
            let files = count_of(self.not_installed.len(), "file is", "files are");
            out::line(format_args!("  {files} not installed:"));
            show_files(&self.not_installed);
        }
    }

    fn show_features(&self) {
        for (name, is_on) in [("features", true), ("off by default", false)] {
            let names: Vec<&str> = self
                .features
                .iter()
                .filter(|feature| feature.default == is_on)
                .map(|feature| feature.name.as_str())
                .collect();
            if !names.is_empty() {
                row(name, Escaped(&some_of(names.iter().copied())));
            }
        }
        let conditional = self
            .features
            .iter()
            .filter(|feature| feature.conditional)
            .count();
        if conditional > 0 {
            let features = count_of(conditional, "feature has", "features have");
            row(
                "note",
                format_args!("{features} conditions, which are not evaluated"),
            );
        }
    }
}

fn show_files(files: &[InspectedFile]) {
    let longest = files
        .iter()
        .map(|file| Escaped(file.path.as_str()).to_string())
        .map(|path| columns(&path))
        .max();
    // Show as much of the hashes as the screen has room for; JSON has them in full.
    let digits = if 4 + 13 + 2 + 64 + 2 + longest.unwrap_or_default() <= out::table_width() {
        64
    } else {
        12
    };
    for file in files {
        let sha256 = file.sha256.map(|sha256| sha256.to_string());
        let sha256 = &sha256.unwrap_or_else(|| "-".repeat(64))[..digits];
        let (size, path) = (out::number(file.size), Escaped(file.path.as_str()));
        out::laid_out(format_args!("    {size:>13}  {sha256}  {path}"));
    }
}

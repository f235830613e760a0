//! Documents that the command line names, and paths that could not be read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::signed::signature_of_file;
use crate::cli::terminal::out;
use crate::cli::walk::{DocumentEntry, DocumentSearch, WILDCARDS};
use crate::deployment::describe;
use crate::deployment::description::Description;
use crate::document::{Findings, Source};
use crate::names::escaped_path;
use crate::validation::{DocumentKind, kind_of};

/// Documents that the command line names, in its order.
#[derive(Default)]
pub(super) struct Gathered {
    /// Directory below which documents are named relative to it, as code hosts want them.
    here: Option<PathBuf>,
    pub(super) documents: Vec<NamedDocument>,
    /// Paths that could not be read. They do not keep the others from being reported.
    pub(super) failures: Vec<(String, Failure)>,
    /// Links that were found and not followed.
    pub(super) links: Vec<String>,
    /// Files that were read already, by their true paths.
    pub(super) seen: BTreeSet<PathBuf>,
    /// TOML files in directories that are neither manifest nor deployment.
    pub(super) passed_over: Vec<String>,
    pub(super) read_standard_input: bool,
    /// True if the signatures of the documents are read.
    with_signatures: bool,
    /// Signatures beside the documents, by the names of these.
    pub(super) signatures: BTreeMap<String, String>,
}

/// Document that the command line names, or that is in a directory which it names.
pub(super) struct NamedDocument {
    pub(super) source: Source,
    pub(super) kind: DocumentKind,
    /// Path of the file, unless the document is standard input or the deployment's own.
    pub(super) path: Option<PathBuf>,
}

impl Gathered {
    /// Reads files, directories with documents in and below them, patterns and standard input.
    pub(super) fn of(files: &[PathBuf], here: Option<PathBuf>, with_signatures: bool) -> Self {
        let mut gathered = Self {
            here,
            with_signatures,
            ..Self::default()
        };
        for file in files {
            gathered.take(file);
        }
        gathered
    }

    fn take(&mut self, given: &Path) {
        let name = escaped_path(given);
        if given == Path::new("-") {
            self.standard_input();
        } else if given.is_dir() {
            let none = format!("there is no manifest and no deployment.toml in `{name}`");
            self.search(given, DocumentSearch::directory(given), Self::found, none);
        } else if let Some(pattern) = given.to_str().filter(|text| text.contains(WILDCARDS))
            && !given.exists()
        {
            match DocumentSearch::pattern(pattern) {
                Ok(search) => {
                    let none = format!("`{pattern}` matches no file");
                    self.search(given, search, Self::named, none);
                }
                Err(failure) => self.failures.push((pattern.to_owned(), failure)),
            }
        } else {
            self.named(given);
        }
    }

    /// Reads what a search finds. `read` reads a file, and returns whether it is a document; `none` is
    /// the reason for the failure if there is none.
    fn search(
        &mut self,
        given: &Path,
        search: DocumentSearch,
        read: fn(&mut Self, &Path) -> bool,
        none: String,
    ) {
        let mut any = false;
        search.for_each(|entry| match entry {
            DocumentEntry::File(path) => any |= read(self, &path),
            DocumentEntry::Link(path) => self.links.push(escaped_path(&path)),
            DocumentEntry::Unread(path, why) => {
                let reason = format!("cannot read `{}`: {why}", escaped_path(&path));
                self.fail(&path, Failure::io(reason));
                any = true;
            }
        });
        if !any {
            self.fail(given, Failure::no_input(none));
        }
    }

    /// Reads a file that the command line names: a manifest, unless its contents differ.
    fn named(&mut self, path: &Path) -> bool {
        if let Some(source) = self.source(path) {
            self.add(source, Some(path));
        }
        true
    }

    fn add(&mut self, source: Source, path: Option<&Path>) {
        let kind = kind_of(&source).unwrap_or(DocumentKind::Manifest);
        self.documents.push(NamedDocument {
            source,
            kind,
            path: path.map(Path::to_owned),
        });
    }

    /// Reads a file found in a directory, which may hold other files beside documents.
    fn found(&mut self, path: &Path) -> bool {
        let Some(source) = self.source(path) else {
            return true;
        };
        // A file that cannot even be read as text may be a manifest that was saved in a wrong way.
        let is_document = kind_of(&source).is_some() || source.is_unreadable();
        if is_document {
            self.add(source, Some(path));
        } else {
            self.passed_over.push(source.name().to_owned());
        }
        is_document
    }

    /// Reads a file, unless it was read already.
    fn source(&mut self, path: &Path) -> Option<Source> {
        if !self.is_new(path) {
            return None;
        }
        match inputs::source(path) {
            Ok(source) => {
                let source = self.renamed(source, path);
                if self.with_signatures {
                    self.read_signature(path, source.name());
                }
                Some(source)
            }
            Err(failure) => {
                self.fail(path, failure);
                None
            }
        }
    }

    /// Reads the signature beside a document, if there is one.
    fn read_signature(&mut self, path: &Path, name: &str) {
        match signature_of_file(path) {
            Ok(signature) => {
                let signature = signature.map(|signature| (name.to_owned(), signature));
                self.signatures.extend(signature);
            }
            Err(failure) => self.fail(path, failure),
        }
    }

    /// Names a document as the report needs it.
    fn renamed(&self, source: Source, path: &Path) -> Source {
        match self.here.as_ref().map(|here| path.strip_prefix(here)) {
            Some(Ok(relative)) => source.named(escaped_path(relative)),
            _ => source,
        }
    }

    fn standard_input(&mut self) {
        const NAME: &str = "standard input";
        if std::mem::replace(&mut self.read_standard_input, true) {
            return;
        }
        let mut bytes = Vec::new();
        let most = Source::LARGEST as u64 + 1;
        match io::stdin().lock().take(most).read_to_end(&mut bytes) {
            Ok(_) => self.add(Source::from_bytes(NAME, bytes), None),
            Err(error) => {
                let reason = format!("cannot read {NAME}: {error}");
                self.fail(Path::new(NAME), Failure::io(reason));
            }
        }
    }

    /// Reads the description that manifests are checked against. Its own mistakes are reported with
    /// theirs, and then the manifests are checked without it.
    pub(super) fn deployment(&mut self, directory: &Path) -> Result<Option<Description>, Failure> {
        let source = inputs::description_source(directory)?;
        let path = directory.join("deployment.toml");
        let mut findings = Findings::default();
        let description = describe::parse(&source, &mut findings);
        if self.is_new(&path) && !findings.is_empty() {
            let source = self.renamed(source, &path);
            let document = NamedDocument {
                source,
                kind: DocumentKind::Deployment,
                path: None,
            };
            self.documents.insert(0, document);
        }
        if description.is_none() {
            out::warn(
                "the manifests are not checked against the deployment, whose own file has errors",
            );
        }
        Ok(description)
    }

    pub(super) fn refuse_several_manifests(
        &self,
        subject: &str,
        option: &str,
    ) -> Result<(), Failure> {
        let manifests = self
            .documents
            .iter()
            .map(|document| document.kind)
            .filter(|kind| *kind == DocumentKind::Manifest)
            .count();
        if manifests <= 1 {
            return Ok(());
        }
        let reason =
            format!("{subject} belongs to one rollup, but {manifests} manifests are given");
        let advice = format!("name one manifest with `{option}`, or leave it out");
        Err(Failure::usage(reason).next(advice))
    }

    fn is_new(&mut self, path: &Path) -> bool {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        self.seen.insert(path)
    }

    fn fail(&mut self, file: &Path, failure: Failure) {
        self.failures.push((escaped_path(file), failure));
    }
}

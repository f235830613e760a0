//! `rollup init`: a commented document to start from.
//!
//! It is valid but for its `TODO`s, each of which is a finding until it is replaced.

mod rows;

use std::path::Path;

use crate::cli::args::{InitArgs, InitDocument};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::output::{self, IfExists, OutputFile};
use crate::cli::terminal::out::{self, BOLD, shell_quoted, styled};
use crate::names::Kb;
use crate::payload::Payload;

const MANIFEST: &str = include_str!("../../../../templates/init-manifest.toml");
const DEPLOYMENT: &str = include_str!("../../../../templates/init-deployment.toml");

/// Runs `rollup init`.
pub(super) fn init(args: &InitArgs) -> anyhow::Result<Exit> {
    refuse_unused_options(args)?;
    let existing = if args.force {
        IfExists::Replace
    } else {
        IfExists::Refuse
    };
    let path = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    let reads: Vec<&Path> = args.payload.iter().map(|path| path.as_path()).collect();
    let output = path
        .map(|path| OutputFile::new(path, &reads, existing))
        .transpose()?;
    let text = match args.document {
        InitDocument::Manifest => manifest(args)?,
        InitDocument::Deployment => deployment(args.name.as_deref()),
    };
    output::document(&text, output.as_ref())?;
    let file = path.map_or_else(|| "FILE".to_owned(), shell_quoted);
    let next = styled(BOLD, "next");
    out::message(format_args!(
        "{next}: replace each TODO; `rollup validate {file}` lists them"
    ));
    Ok(Exit::Ok)
}

/// Refuses options of the other document.
fn refuse_unused_options(args: &InitArgs) -> Result<(), Failure> {
    let is_manifest = args.document == InitDocument::Manifest;
    let unused = [
        ("--kb", args.kb.is_some() && !is_manifest),
        ("--payload", args.payload.is_some() && !is_manifest),
        ("--name", args.name.is_some() && is_manifest),
    ];
    match unused.iter().find(|(_, is_unused)| *is_unused) {
        None => Ok(()),
        Some((option, _)) => {
            let (document, other) = if is_manifest {
                ("manifest", "deployment")
            } else {
                ("deployment", "manifest")
            };
            let reason = format!("`{option}` is for a {other}, not for a {document}");
            Err(Failure::usage(reason).next(format!("leave `{option}` out")))
        }
    }
}

/// Returns a manifest with the files of the payload, if one is given.
fn manifest(args: &InitArgs) -> anyhow::Result<String> {
    let directory = args.payload.as_deref();
    let files = match directory {
        Some(directory) => {
            let payload = Payload::open(&inputs::given_payload(directory)?)?;
            rows::of_payload(&payload)?
        }
        None => rows::EXAMPLE.to_owned(),
    };
    let identity = match args.kb.or_else(|| directory.and_then(named_like)) {
        Some(kb) => format!("{} = \"{kb}\"", kb.key()),
        None => "kb = \"TODO the number of the article, such as KB952076\"".to_owned(),
    };
    Ok(MANIFEST
        .replace("{identity}", &identity)
        .replace("{files}", &files))
}

/// Returns the rollup whose number or id is the name of a directory that holds its payload: commands
/// find it by that name.
fn named_like(directory: &Path) -> Option<Kb> {
    let directory = directory.canonicalize().ok()?;
    let name = directory.file_name()?.to_str()?;
    Kb::number(name).ok()
}

fn deployment(name: Option<&str>) -> String {
    let name = toml::Value::String(
        name.unwrap_or("TODO a short name of the deployment, such as hmc40")
            .to_owned(),
    )
    .to_string();
    DEPLOYMENT.replace("{name}", &name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Code, Findings, Source};
    use crate::manifest::{self, Checks};

    fn assert_open_only(source: &Source, findings: &Findings) {
        let found = findings.sorted();
        assert!(found.len() > 4);
        for finding in found {
            let is_open = matches!(finding.code, Code::OpenValue | Code::Unpinned);
            assert!(
                is_open,
                "{}",
                finding.text(source, &crate::document::RenderOptions::PLAIN)
            );
        }
        let todos = source.text().lines();
        let todos = todos.filter(|line| line.contains("TODO") && !line.starts_with('#'));
        let open = findings.sorted();
        let open = open
            .iter()
            .filter(|finding| finding.code == Code::OpenValue);
        assert_eq!(open.count(), todos.count(), "each TODO is a finding");
    }

    #[test]
    fn a_new_manifest_has_no_findings_but_its_todos() {
        let text = MANIFEST
            .replace("{identity}", "kb = \"TODO the number\"")
            .replace("{files}", rows::EXAMPLE);
        let source = Source::new("m.toml", text);
        let mut findings = Findings::default();
        manifest::check(&source, &Checks { deployment: None }, &mut findings);
        assert_open_only(&source, &findings);
    }

    #[test]
    fn a_new_deployment_has_no_findings_but_its_todos() {
        let source = Source::new("deployment.toml", deployment(None));
        let mut findings = Findings::default();
        crate::deployment::describe::parse(&source, &mut findings);
        assert_open_only(&source, &findings);
    }

    #[test]
    fn every_example_behind_a_comment_sign_is_valid() {
        let uncommented = |text: &str| -> String {
            let lines = text.lines().map(|line| {
                let example = line.strip_prefix("# ").or(line.strip_prefix("#"));
                let is_example = example.is_some_and(|example| {
                    example.is_empty() || example.starts_with(['[', '{', ']', ' ']) || {
                        let key = example.split(" = ").next().unwrap_or_default();
                        example.contains(" = ") && !key.contains(' ')
                            || key.starts_with('"')
                            || key.starts_with("items.\"")
                    }
                });
                if is_example {
                    example.unwrap_or_default()
                } else {
                    line
                }
            });
            lines.collect::<Vec<_>>().join("\n")
        };
        for text in [MANIFEST, DEPLOYMENT] {
            let text = uncommented(
                &text
                    .replace("{identity}", "kb = \"KB1\"")
                    .replace("{files}", rows::EXAMPLE)
                    .replace("{name}", "\"x\""),
            );
            assert!(
                text.parse::<toml::Table>().is_ok(),
                "{:?}\n{text}",
                text.parse::<toml::Table>()
            );
        }
    }
}

//! `completions`: scripts that complete commands and options in a shell.

use clap_complete::generate;

use crate::cli::args::CompletionsArgs;
use crate::cli::exit::Exit;
use crate::cli::terminal::out;

/// Runs `rollup completions`.
pub(super) fn completions(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    generate(
        args.shell,
        &mut crate::cli::command(),
        "rollup",
        &mut script,
    );
    out::document(String::from_utf8(script)?.trim_end());
    Ok(Exit::Ok)
}

//! `man`: the man pages, from the definition of the command line.

use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use crate::cli::args::ManArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{IfExists, OutputFile};
use crate::cli::terminal::out::{self, count, shell_quoted};

/// Runs `rollup man`.
pub(super) fn man(args: &ManArgs) -> anyhow::Result<Exit> {
    let mut program = crate::cli::command();
    program.build();
    let Some(directory) = &args.directory else {
        out::document(page(&program)?.trim_end());
        return Ok(Exit::Ok);
    };
    if !directory.is_dir() {
        let reason = format!("there is no directory `{}`", directory.display());
        let make = format!(
            "`mkdir -p {}`, then the same command again",
            shell_quoted(directory)
        );
        return Err(Failure::no_input(reason).next(make).into());
    }
    let commands = program
        .get_subcommands()
        .filter(|command| command.get_name() != "help");
    let mut written = 0;
    for command in std::iter::once(&program).chain(commands) {
        write(command, directory)?;
        written += 1;
    }
    let directory = shell_quoted(directory);
    out::line(format_args!(
        "wrote {} to {directory}",
        count(written, "page")
    ));
    Ok(Exit::Ok)
}

fn write(command: &Command, directory: &Path) -> anyhow::Result<()> {
    let file = directory.join(Man::new(command.clone()).get_filename());
    OutputFile::new(&file, &[], IfExists::Replace)?.write(&page(command)?)?;
    Ok(())
}

/// Returns the page of a command as roff.
fn page(command: &Command) -> anyhow::Result<String> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    Ok(String::from_utf8(page)?)
}

//! The `rollup` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    rollup::cli::main()
}

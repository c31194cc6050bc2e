//! The `baton` command: parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    baton::exit::finish(baton::cli::run(std::env::args_os()))
}

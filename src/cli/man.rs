//! `baton man`: the manual, generated from the command tree.

use std::path::{Path, PathBuf};

use clap::Args;
use clap_mangen::Man;

use super::output::{Output, OutputError};

/// The flags of `baton man`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  baton man | man -l -
  baton man ~/.local/share/man/man1")]
pub(super) struct ManOptions {
    /// Folder to write every page into, made if it is missing [default: the main page to standard output]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Prints the main page, or writes every page.
pub(super) fn run(options: &ManOptions) -> anyhow::Result<()> {
    let mut root = super::command();
    // Pages are named and cross-referenced by what only a built tree knows.
    root.build();
    match &options.folder {
        None => write(root, None),
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(|error| OutputError::new(folder.display(), error))?;
            for command in root.get_subcommands().filter(|command| !command.is_hide_set()) {
                write(command.clone(), Some(folder))?;
            }
            write(root, Some(folder))
        }
    }
}

/// Writes one page to standard output, or under its own name into a folder.
fn write(command: clap::Command, folder: Option<&Path>) -> anyhow::Result<()> {
    let page = Man::new(command).source(concat!("baton ", env!("CARGO_PKG_VERSION"))).manual("baton");
    let mut text = Vec::new();
    page.render(&mut text)?;
    let path = folder.map(|folder| folder.join(page.get_filename()));
    let mut output = Output::open(path.as_deref())?;
    output.write(&text)?;
    Ok(output.finish()?)
}

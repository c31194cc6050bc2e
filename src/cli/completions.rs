//! `baton completions`: what a shell needs to complete baton's command line, generated from the command tree.

use clap::Args;
use clap_complete::Shell;

use super::output::Output;

/// The flags of `baton completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  baton completions bash > ~/.local/share/bash-completion/completions/baton
  baton completions zsh > ~/.zfunc/_baton    # with ~/.zfunc in fpath, before compinit
  baton completions fish > ~/.config/fish/completions/baton.fish")]
pub(super) struct CompletionsOptions {
    /// The shell to write for
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the script.
pub(super) fn run(options: &CompletionsOptions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut super::command(), "baton", &mut script);
    let mut output = Output::open(None)?;
    output.write(&script)?;
    Ok(output.finish()?)
}

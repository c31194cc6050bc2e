//! `baton completions`: what a shell needs to complete baton's command line, generated from the command tree.
//!
//! The names of profiles are the one thing that a script cannot know beforehand: it asks `baton config profiles` for them.

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
    output.write(with_profiles(options.shell, &String::from_utf8_lossy(&script)).as_bytes())?;
    Ok(output.finish()?)
}

/// Puts a question for the profiles in the place of clap's default for the values of `--profile`.
fn with_profiles(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => {
            let default = "--profile)\n                    COMPREPLY=($(compgen -f \"${cur}\"))";
            let asked = "--profile)\n                    _baton_profiles \"${cur}\"";
            format!("{BASH}\n{}", script.replace(default, asked))
        }
        Shell::Zsh => {
            let script = script.replace(":PROFILE:_default", ":PROFILE:_baton_profiles");
            // zsh reads the kind of a script from its first line.
            let (first, rest) = script.split_once('\n').unwrap_or((&script, ""));
            format!("{first}\n\n{ZSH}{rest}")
        }
        Shell::Fish => {
            let asked = |line: &str| match line.strip_suffix(" -r") {
                Some(line) if line.contains(" -l profile ") => {
                    format!("{line} -x -a \"(__fish_baton_profiles)\"")
                }
                _ => line.to_owned(),
            };
            let lines: Vec<String> = script.lines().map(asked).collect();
            format!("{FISH}\n{}\n", lines.join("\n"))
        }
        _ => script.to_owned(),
    }
}

/// Offers the profiles of the file that the command line names, or of the usual one.
const BASH: &str = r#"_baton_profiles() {
    local -a config=()
    local i name file
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == --config ]]; then
            file=${COMP_WORDS[i + 1]}
            [[ ${file} == = ]] && file=${COMP_WORDS[i + 2]}
            config=(--config "${file/#\~\//${HOME}/}")
        fi
    done
    COMPREPLY=()
    while IFS= read -r name; do
        [[ ${name} == "$1"* ]] && COMPREPLY+=("$(printf %q "${name}")")
    done < <("${COMP_WORDS[0]/#\~\//${HOME}/}" config profiles --quiet "${config[@]}" 2>/dev/null)
}
"#;

/// The same in zsh, which knows the command's own path and takes its options apart.
const ZSH: &str = r#"_baton_profiles() {
    local -a config names
    local expl
    [[ -n ${opt_args[--config]} ]] && config=(--config ${~${(Q)opt_args[--config]}})
    names=(${(f)"$(${~_comp_command1:-baton} config profiles --quiet $config 2>/dev/null)"})
    _wanted profiles expl profile compadd -a names
}
"#;

/// The same in fish.
const FISH: &str = r"function __fish_baton_profiles
    set -l words (commandline -opc)
    set -l config
    for i in (seq 2 (count $words))
        switch $words[$i]
            case --config
                set config --config $words[(math $i + 1)]
            case '--config=*'
                set config $words[$i]
        end
    end
    $words[1] config profiles --quiet $config 2>/dev/null | string replace -r '$' \t'profile'
end
";

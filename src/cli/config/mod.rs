//! `baton config`: every setting with where it came from, the place of the configuration file, its profiles, and what is
//! kept in step with other regions.

mod sync;

use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::config;
use crate::config::{Environment, Given, Inventory, Setting, Source};

use self::sync::SyncOptions;
use super::listing::{Format, print};
use super::options::ProfileOptions;
use super::{Talk, Usage};

/// The subcommands of `baton config`.
#[derive(Debug, Args)]
pub(super) struct ConfigOptions {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print every setting with its value and what decided it, secrets hidden
    Show(ShowOptions),
    /// Print the path of the configuration file that is read, or would be if it existed
    Path(PathOptions),
    /// Print the names of the configuration file's profiles, one a line
    Profiles(PathOptions),
    /// Fetch what the profile's config-url serves, check it, keep it, and print which source serves which version
    Sync(SyncOptions),
}

/// The flags of `baton config show`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  baton config show
  baton config show --profile work --format json")]
struct ShowOptions {
    /// Form of the list
    #[arg(long, value_name = "FORM", default_value = "table")]
    format: Format,
    #[command(flatten)]
    profile: ProfileOptions,
}

/// The flags of `baton config path` and `baton config profiles`.
#[derive(Debug, Args)]
struct PathOptions {
    /// Name the file, as for every other command
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl PathOptions {
    /// A command line on which nothing else is given.
    fn given(&self) -> Given {
        Given { config: self.config.clone(), ..Given::default() }
    }
}

/// Prints what was asked for.
pub(super) fn run(options: &ConfigOptions, talk: Talk) -> anyhow::Result<()> {
    let environment = Environment::of_process();
    let text = match &options.what {
        What::Sync(options) => return sync::run(options, &environment, talk),
        What::Show(show) => {
            let inventory = config::inventory(&show.profile.given(), &environment)?;
            match show.format {
                Format::Table => as_table(&inventory.settings),
                Format::Json => as_json(&inventory),
            }
        }
        What::Profiles(path) => {
            let names = config::profiles(&path.given(), &environment)?;
            if names.is_empty() {
                talk.notice("note: there are none; [profile.NAME] in the configuration file begins one");
            }
            names.into_iter().map(|name| name + "\n").collect()
        }
        What::Path(path) => {
            let place = config::place(&path.given(), &environment).ok_or_else(|| {
                Usage::new("there is no place for a configuration file: HOME is not set")
                    .hint("name one with --config or BATON_CONFIG")
            })?;
            if !place.path.exists() {
                talk.notice("note: there is no such file yet");
            }
            format!("{}\n", place.path.display())
        }
    };
    print(&text)
}

/// Name, value and source in columns.
fn as_table(settings: &[Setting]) -> String {
    let value = |setting: &Setting| setting.value.clone().unwrap_or_else(|| "–".to_owned());
    let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let names = width(&mut settings.iter().map(|setting| setting.name.chars().count()));
    let values = width(&mut settings.iter().map(|setting| value(setting).chars().count()));
    let mut text = String::new();
    for setting in settings {
        let detail = if setting.detail.is_empty() { "" } else { ", " };
        let _ = writeln!(
            text,
            "{:names$}  {:values$}  {}{detail}{}",
            setting.name,
            value(setting),
            setting.source,
            setting.detail
        );
    }
    text
}

/// The same as one object, in which each source says its kind and its name.
fn as_json(inventory: &Inventory) -> String {
    let settings: Vec<Value> = inventory
        .settings
        .iter()
        .map(|setting| {
            let (kind, name) = match &setting.source {
                Source::Flag(name) => ("flag", Some(*name)),
                Source::Variable(name) => ("environment", Some(name.as_str())),
                Source::Profile(name) => ("profile", Some(name.as_str())),
                Source::Synced(profile, _) => ("synced", Some(profile.as_str())),
                Source::File => ("file", None),
                Source::Default => ("default", None),
            };
            json!({
                "name": setting.name,
                "value": setting.value,
                "source": {"kind": kind, "name": name},
                "detail": Some(&setting.detail).filter(|detail| !detail.is_empty()),
            })
        })
        .collect();
    let file = inventory.file.as_ref().map(|path| path.to_string_lossy());
    format!("{:#}\n", json!({"file": file, "settings": settings}))
}

//! The flags of the answer cache, and `baton cache`: what it holds, and how to empty it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::cache;
use crate::client::cache::{Cache, CacheError, CacheRules, CacheUse};
use crate::config::PolicyDefaults;
use crate::units::{Size, Span, grouped};
use crate::wire::Dialect;

use super::Usage;
use super::listing::{Format, print};

/// Which answers are kept, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Policy")]
pub(super) struct CacheOptions {
    /// Keep answers, and give them to the same request without asking the relay; with `normalized` also to prompts that
    /// differ in white space, case or Unicode form only [default: off]
    #[arg(long, value_name = "HOW", value_parser = uses())]
    cache: Option<CacheUse>,
    /// How long an answer is good [default: 1d]
    #[arg(long, value_name = "TIME", value_parser = some_time)]
    cache_ttl: Option<Span>,
    /// Disk space of all answers together; those not used for longest make room [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = some_size)]
    cache_size: Option<Size>,
    #[command(flatten)]
    place: PlaceOptions,
}

/// Where answers are kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Policy")]
struct PlaceOptions {
    /// Keep answers in this folder [default: ~/.cache/baton]
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
}

impl PlaceOptions {
    fn folder(&self) -> Result<PathBuf, Usage> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        self.cache_dir.clone().or_else(|| cache::default_folder(variable)).ok_or_else(|| {
            Usage::new("there is no place for a cache: HOME is not set").hint("--cache-dir names one")
        })
    }
}

impl CacheOptions {
    /// Opens the cache, if one is asked for; `own` is what the profile sets.
    pub(super) fn open(&self, dialect: Dialect, own: &PolicyDefaults) -> Result<Option<Arc<Cache>>, Usage> {
        let CacheUse::On(form) = self.cache.or(own.cache).unwrap_or(CacheUse::Off) else {
            return match self.idle() {
                Some(flag) => {
                    let message = format!("{flag} has no effect without a cache");
                    Err(Usage::new(message).hint("--cache exact or --cache normalized asks for one"))
                }
                None => Ok(None),
            };
        };
        if dialect == Dialect::Raw {
            let message =
                "--cache does not go with --api raw: nobody can tell whether such an answer is whole";
            return Err(Usage::new(message).hint("name the dialect with --api, or leave --cache out"));
        }
        let rules = CacheRules {
            form,
            ttl: self.cache_ttl.or(own.cache_ttl).unwrap_or(CacheRules::TTL).0,
            size: self.cache_size.or(own.cache_size).unwrap_or(CacheRules::SIZE).0,
        };
        Cache::open(&self.place.folder()?, rules).map(|cache| Some(Arc::new(cache))).map_err(refusal)
    }

    /// Whether a flag asks for answers to be kept, whatever the profile says.
    pub(super) fn is_asked_for(&self) -> bool {
        matches!(self.cache, Some(CacheUse::On(_)))
    }

    /// A flag that says how to keep answers where none are kept.
    fn idle(&self) -> Option<&'static str> {
        let given = [
            ("--cache-ttl", self.cache_ttl.is_some()),
            ("--cache-size", self.cache_size.is_some()),
            ("--cache-dir", self.place.cache_dir.is_some()),
        ];
        given.into_iter().find_map(|(flag, is_given)| is_given.then_some(flag))
    }
}

fn uses() -> impl TypedValueParser<Value = CacheUse> {
    PossibleValuesParser::new(CacheUse::NAMES).try_map(|name| name.parse::<CacheUse>())
}

fn some_time(text: &str) -> Result<Span, String> {
    match text.parse::<Span>() {
        Ok(Span(time)) if time.is_zero() => {
            Err("an answer that is good for no time is not kept: write --cache off".to_owned())
        }
        read => read.map_err(|error| error.to_string()),
    }
}

fn some_size(text: &str) -> Result<Size, String> {
    match text.parse::<Size>() {
        Ok(Size(size)) if size < 65_536 => Err("write at least 64KiB, which holds a few answers".to_owned()),
        read => read.map_err(|error| error.to_string()),
    }
}

/// A cache that cannot be used, in terms of these flags.
fn refusal(error: CacheError) -> Usage {
    let usage = Usage::new(format!("the cache cannot be used: {error}"));
    match error {
        CacheError::Open { folder, .. } => usage.hint(format!("chmod 700 {}", folder.display())),
        CacheError::Folder { .. } => usage.hint("--cache-dir names another folder"),
    }
}

/// The subcommands of `baton cache`.
#[derive(Debug, Args)]
pub(super) struct CacheCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print how many answers are kept, in how much space, and when they were last used
    Stats(Shown),
    /// Remove every answer
    Clear(Shown),
}

#[derive(Debug, Args)]
struct Shown {
    /// Form of what is printed
    #[arg(long, value_name = "FORM", default_value = "table")]
    format: Format,
    #[command(flatten)]
    place: PlaceOptions,
}

/// Looks at the cache or empties it.
pub(super) fn run(options: &CacheCommand) -> anyhow::Result<()> {
    let (What::Stats(shown) | What::Clear(shown)) = &options.what;
    let folder = shown.place.folder()?;
    let (verb, held) = match &options.what {
        What::Stats(_) => ("answers", cache::stats(&folder)),
        What::Clear(_) => ("removed", cache::clear(&folder)),
    };
    let held = held.map_err(refusal)?;
    let text = match shown.format {
        Format::Table => {
            let time =
                |time: Option<SystemTime>| stamp(time).map_or("–".to_owned(), |time| time.to_string());
            format!(
                "folder     {}\n{verb:<11}{}\nspace      {}\nlast used  {} to {}\n",
                folder.display(),
                grouped(held.entries),
                Size(held.bytes),
                time(held.oldest),
                time(held.newest),
            )
        }
        Format::Json => {
            let time =
                |time: Option<SystemTime>| stamp(time).map_or(Value::Null, |time| json!(time.to_string()));
            let object = json!({
                "folder": folder.to_string_lossy(),
                verb: held.entries,
                "bytes": held.bytes,
                "oldest_use": time(held.oldest),
                "newest_use": time(held.newest),
            });
            format!("{object:#}\n")
        }
    };
    print(&text)
}

/// A moment to the second.
fn stamp(time: Option<SystemTime>) -> Option<jiff::Timestamp> {
    let since = time?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    jiff::Timestamp::from_second(i64::try_from(since.as_secs()).ok()?).ok()
}

//! `bench --direct`: each request goes twice, through the relay and straight to what stands behind it.

use clap::Args;

use crate::cli::Usage;
use crate::cli::options::TargetOptions;
use crate::cli::relay::{Flags, Wired};
use crate::config;
use crate::config::{Environment, Given, Settings};
use crate::load::Sides;
use crate::net::Url;

use super::prompts::SetOptions;

/// The way past the relay.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(super) struct DirectOptions {
    /// Make each request twice, through the relay and straight to this base address, and print what the relay adds; -n
    /// counts the pairs, and the relay's key, headers and certificate do not go there
    #[arg(long, value_name = "URL", value_parser = address)]
    #[arg(conflicts_with_all = ["replay", "turns", "find_capacity", "shard", "unix_socket", "max_connections", "session"])]
    direct: Option<Url>,
    /// Take the key, the headers and the model for --direct from this profile [default: no key, the same model]
    // The completion scripts know the flag's value by this name.
    #[arg(long, value_name = "PROFILE", requires = "direct")]
    direct_profile: Option<String>,
}

/// Variables that name the relay or what is asked of it, and say nothing of what stands behind it.
const OF_THE_RELAY: [&str; 7] = [
    "BATON_URL",
    "BATON_API",
    "BATON_MODEL",
    "BATON_PROFILE",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_MODEL",
    "OPENAI_BASE_URL",
];

/// An origin to which nobody sends anything: keys of the environment are bound to it, so that none goes past the relay.
const NOWHERE: &str = "https://the-relay.invalid";

impl DirectOptions {
    /// How often each request is made.
    pub(super) const fn sides(&self) -> Sides {
        if self.direct.is_some() { Sides::Pairs } else { Sides::One }
    }

    /// The way past the relay, if that is asked for.
    pub(super) fn wired(
        &self,
        relay: &Wired,
        flags: Flags<'_>,
        sets: &SetOptions,
    ) -> anyhow::Result<Option<Wired>> {
        let Some(url) = &self.direct else { return Ok(None) };
        if relay.site.settings.stations.len() > 1 {
            return Err(Usage::new("--direct measures one relay, and there are several endpoints")
                .hint("give one --url, or a profile with one")
                .into());
        }
        if sets.read_stdin() {
            return Err(Usage::new("--prompts - is read once, and --direct encodes each row for both sides")
                .hint("write the rows into a file")
                .into());
        }
        let settings = self.settings(url, (relay, flags.target))?;
        Ok(Some(relay.beside(flags, settings)?))
    }

    /// Who is there, by the profile for it and nothing else.
    fn settings(&self, url: &Url, (relay, target): (&Wired, &TargetOptions)) -> anyhow::Result<Settings> {
        let relay = &relay.site.settings;
        let environment = self.environment();
        let given = Given {
            urls: vec![url.to_string()],
            api: Some(relay.dialect),
            profile: self.direct_profile.clone(),
            config: self.direct_profile.as_ref().and_then(|_| target.given(None, None).config),
            ..Given::default()
        };
        let settings = config::resolve(&given, &environment).map_err(|error| config::Error {
            message: error.message.replacen("--profile", "--direct-profile", 1),
            ..error
        })?;
        let scheme = settings.signs.iter().find_map(|own| own.scheme);
        if let (Some(name), Some(scheme)) = (&self.direct_profile, scheme) {
            let message =
                format!("--direct-profile {name}: it signs requests ({scheme}), and --direct does not");
            return Err(Usage::new(message).hint("choose a profile with a key").into());
        }
        let model = settings.model.clone().or_else(|| relay.model.clone());
        // The environment was bound to nowhere here, of which the user has nothing to know.
        let notices = settings.notices.iter().filter(|notice| !notice.contains(NOWHERE)).cloned().collect();
        let credential_story = match &settings.credential {
            Some(_) => format!("{} (--direct-profile)", settings.credential_story),
            None => "no credential was sent past the relay: --direct-profile names a profile that has one"
                .to_owned(),
        };
        Ok(Settings { model, credential_story, notices, ..settings })
    }

    /// What of the environment speaks of the way past the relay: without a profile nothing, with one what its `key-env` names.
    fn environment(&self) -> Environment {
        if self.direct_profile.is_none() {
            return Environment::of(&[]);
        }
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let all: Vec<_> = std::env::vars_os().filter_map(text).collect();
        let kept = all.iter().filter(|(name, _)| !OF_THE_RELAY.contains(&name.as_str()));
        let mut variables: Vec<_> = kept.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        variables.push(("BATON_URL", NOWHERE));
        Environment::of(&variables)
    }
}

/// A base address, by the rules of `--url`.
fn address(text: &str) -> Result<Url, String> {
    config::base_address(text, "--direct").map_err(|error| {
        let hint = error.hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        // The parser of the command line has named the flag already.
        format!("{}{hint}", error.message.trim_start_matches("--direct: "))
    })
}

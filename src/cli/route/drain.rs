//! `baton route drain` and `baton route resume`: a planned move away from an endpoint, and back, under running commands.

use clap::Args;
use jiff::Timestamp;

use crate::config;
use crate::config::Environment;
use crate::net::route::{Endpoint, Strategy};

use super::super::options::ProfileOptions;
use super::super::{Talk, Usage};
use super::learned::{Book, change};

/// The flags of `baton route drain` and `baton route resume`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  baton route drain https://a.relay.example --profile work
  baton route resume https://a.relay.example --profile work")]
pub(super) struct DrainOptions {
    /// Address of the endpoint, as the profile has it
    #[arg(value_name = "URL")]
    url: String,
    #[command(flatten)]
    profile: ProfileOptions,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// That it gets nothing new.
    Drain,
    /// That it gets its part again.
    Resume,
}

/// Writes the wish where runs of the profile read it.
pub(super) fn run(options: &DrainOptions, wish: Wish, talk: Talk) -> anyhow::Result<()> {
    let environment = Environment::of_process();
    let places = config::endpoints(&options.profile.given(), &environment)?;
    let (profile, file) = super::learned_of(&places, &environment)?;
    let wanted = options.url.trim_end_matches('/');
    let names: Vec<String> = places.endpoints.iter().map(Endpoint::name).collect();
    let Some(name) = names.iter().find(|name| name.trim_end_matches('/') == wanted) else {
        return Err(Usage::new(format!("profile {profile} has no endpoint {}", options.url.escape_debug()))
            .hint(format!("its endpoints: {}", names.join(", ")))
            .into());
    };
    let mut was = false;
    let book = change(&file, |book| {
        let mut book = book.unwrap_or_else(|| Book::blank(Strategy::default(), &places.endpoints));
        book.complete(&places.endpoints);
        if let Some(page) = book.page_mut(name) {
            was = page.drained.is_some();
            page.drained = match wish {
                Wish::Drain => page.drained.or(Some(Timestamp::now())),
                Wish::Resume => None,
            };
        }
        book
    });
    let book = book.map_err(|error| Usage::new(format!("{}: {error}", file.path().display())))?;
    let is_configured = places.endpoints.iter().any(|endpoint| endpoint.name() == *name && endpoint.drain);
    talk.notice(match (wish, was) {
        (Wish::Drain, false) => format!(
            "note: {name} gets nothing new, in runs under way within a second or two; sessions have 30 s, and streams end there"
        ),
        (Wish::Drain, true) => format!("note: {name} is drained already"),
        (Wish::Resume, _) if is_configured => format!("note: {name} stays drained: drain = true stands in its table"),
        (Wish::Resume, true) => format!("note: {name} gets its part again"),
        (Wish::Resume, false) => format!("note: {name} was not drained"),
    });
    if wish == Wish::Drain
        && places
            .endpoints
            .iter()
            .all(|endpoint| book.page(&endpoint.name()).is_some_and(|page| page.is_drained(endpoint)))
    {
        talk.notice(
            "note: all endpoints are drained: they are asked all the same, since a request needs one",
        );
    }
    Ok(())
}

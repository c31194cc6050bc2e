//! `baton route`: what runs have learned of a profile's endpoints, and a look at each of them now.

mod drain;
pub(super) mod learned;
mod probe;
pub(super) mod upkeep;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::config;
use crate::config::{Environment, PrivateFile};
use crate::net::route::{Endpoint, Grade};
use crate::units::Span;

use self::drain::{DrainOptions, Wish};
use self::learned::{Book, LastChange, Page};
use self::probe::ProbeOptions;
use super::listing::{Format, in_columns, print};
use super::options::ProfileOptions;
use super::{Talk, Usage};

/// The subcommands of `baton route`.
#[derive(Debug, Args)]
pub(super) struct RouteCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show what runs have learned of a profile's endpoints: health, latency, share, ejections, last change and why
    Status(StatusOptions),
    /// Give an endpoint nothing new, in runs under way, too: for a planned move away from it
    Drain(DrainOptions),
    /// Give a drained endpoint its part again
    Resume(DrainOptions),
    /// Ask each endpoint for its health now, three times, and show how far it is
    Probe(ProbeOptions),
}

/// The flags of `baton route status`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  baton route status --profile work
  baton route status --profile work --format json")]
struct StatusOptions {
    /// Form of what is printed
    #[arg(long, value_name = "FORM", default_value = "table")]
    format: Format,
    #[command(flatten)]
    profile: ProfileOptions,
}

/// Prints what was asked for.
pub(super) fn run(command: &RouteCommand, talk: Talk) -> anyhow::Result<()> {
    match &command.what {
        What::Status(options) => status(options, talk),
        What::Drain(options) => drain::run(options, Wish::Drain, talk),
        What::Resume(options) => drain::run(options, Wish::Resume, talk),
        What::Probe(options) => probe::run(options, talk),
    }
}

fn status(options: &StatusOptions, talk: Talk) -> anyhow::Result<()> {
    let environment = Environment::of_process();
    let places = config::endpoints(&options.profile.given(), &environment)?;
    let (profile, file) = learned_of(&places, &environment)?;
    let book = Book::read(&file).map_err(|error| {
        Usage::new(format!("{}: {error}", file.path().display())).hint("remove it to begin anew")
    })?;
    match &book {
        None => talk.notice("note: no run has gone over these endpoints yet"),
        Some(book) => talk.notice(format_args!("note: as of {:.0}", book.time)),
    }
    let pages = |endpoint: &Endpoint| book.as_ref()?.page(&endpoint.name());
    let rows: Vec<(&Endpoint, Option<&Page>)> =
        places.endpoints.iter().map(|endpoint| (endpoint, pages(endpoint))).collect();
    let text = match options.format {
        Format::Table => as_table(&rows),
        Format::Json => format!("{:#}\n", as_json(profile, &rows, book.as_ref())),
    };
    print(&text)
}

/// Where what is learned of these endpoints is kept.
fn learned_of<'a>(
    places: &'a config::Endpoints,
    environment: &Environment,
) -> Result<(&'a str, PrivateFile), Usage> {
    let Some(profile) = &places.profile else {
        return Err(Usage::new(
            "what is learned is kept for the endpoints of a profile, and none names these",
        )
        .hint("--profile names one"));
    };
    let file = config::learned_file(profile, environment).ok_or_else(|| {
        Usage::new("there is no place for what is learned of endpoints").hint("set HOME or XDG_STATE_HOME")
    })?;
    Ok((profile, file))
}

fn as_table(rows: &[(&Endpoint, Option<&Page>)]) -> String {
    const NOTHING_KNOWN: &str = "–";
    let ms = |time: Option<f64>| time.map_or(NOTHING_KNOWN.to_owned(), |time| format!("{time:.1}"));
    let row = |(endpoint, page): &(&Endpoint, Option<&Page>)| {
        let of = |text: &dyn Fn(&Page) -> String| page.map_or(NOTHING_KNOWN.to_owned(), text);
        let preferred = page.is_some_and(|page| page.preferred);
        vec![
            format!("{}{}", endpoint.name(), if preferred { " *" } else { "" }),
            endpoint.zone.clone().unwrap_or_default(),
            endpoint.region.clone().unwrap_or_default(),
            of(&|page| health(endpoint, page).to_owned()),
            of(&|page| ms(page.latency_ms)),
            of(&|page| ms(page.probe_ms)),
            of(&|page| format!("{} %", share(endpoint, page))),
            of(&|page| page.ejections.to_string()),
            of(&|page| page.last_change.as_ref().map_or(NOTHING_KNOWN.to_owned(), story)),
        ]
    };
    let headings =
        ["Endpoint", "Zone", "Region", "Health", "TTFB ms", "Probe ms", "Share", "Ejections", "Last change"];
    in_columns(&headings, rows.iter().map(row))
}

/// How willingly it is asked: as the last run had it, unless it is drained since.
fn health<'a>(endpoint: &Endpoint, page: &'a Page) -> &'a str {
    if page.is_drained(endpoint) { Grade::Drained.name() } else { &page.health }
}

/// The percentage of its share that it takes.
fn share(endpoint: &Endpoint, page: &Page) -> u8 {
    if page.is_drained(endpoint) { 0 } else { page.share }
}

/// The last change in words.
fn story(last: &LastChange) -> String {
    let age = std::time::Duration::try_from(Timestamp::now().duration_since(last.time)).unwrap_or_default();
    let age = Span(std::time::Duration::from_secs(age.as_secs()));
    format!("{} {age} ago: {}", last.change, last.reason)
}

fn as_json(profile: &str, rows: &[(&Endpoint, Option<&Page>)], book: Option<&Book>) -> Value {
    let row = |(endpoint, page): &(&Endpoint, Option<&Page>)| {
        json!({
            "url": endpoint.name(),
            "zone": endpoint.zone,
            "region": endpoint.region,
            "weight": endpoint.weight,
            "priority": endpoint.priority,
            "health": page.map(|page| health(endpoint, page)),
            "drained": page.and_then(|page| page.drained),
            "preferred": page.map(|page| page.preferred),
            "share_percent": page.map(|page| share(endpoint, page)),
            "latency_ms": page.and_then(|page| page.latency_ms),
            "probe_ms": page.and_then(|page| page.probe_ms),
            "ejections": page.map(|page| page.ejections),
            "out_until": page.and_then(|page| page.out_until),
            "last_change": page.and_then(|page| page.last_change.as_ref()),
        })
    };
    json!({
        "schema": "baton.route-status/1",
        "profile": profile,
        "time": book.map(|book| book.time),
        "strategy": book.map(|book| &book.strategy),
        "endpoints": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

//! `baton route probe`: asks each endpoint for its health now.

use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::client::{Health, health};
use crate::config;
use crate::config::{Environment, Given};
use crate::net::route::{Endpoint, PROBE_TIMEOUT};
use crate::net::{Connection, Pool, Reuse};

use super::super::listing::{Format, in_columns, print};
use super::super::options::ProfileOptions;
use super::super::{Ending, Talk};
use super::learned::milliseconds;

/// How often each endpoint is asked: the shortest time says most about the way there.
const TIMES: u32 = 3;

/// The flags of `baton route probe`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  baton route probe --profile work
  baton route probe --url https://a.relay.example --url https://b.relay.example --format json")]
pub(super) struct ProbeOptions {
    /// Base address of an endpoint (repeatable)
    #[arg(short, long, value_name = "URL")]
    url: Vec<String>,
    /// Form of what is printed
    #[arg(long, value_name = "FORM", default_value = "table")]
    format: Format,
    #[command(flatten)]
    profile: ProfileOptions,
}

/// What an endpoint answered.
struct Answered {
    endpoint: Endpoint,
    /// The quickest reply, or why there was none.
    health: Result<Health, String>,
}

impl Answered {
    /// Whether it can be reached and is well.
    fn is_well(&self) -> bool {
        self.health.as_ref().is_ok_and(|health| health.status < 500)
    }
}

/// Asks all endpoints at once.
pub(super) fn run(options: &ProbeOptions, talk: Talk) -> anyhow::Result<()> {
    let given = Given { urls: options.url.clone(), ..options.profile.given() };
    let endpoints = config::endpoints(&given, &Environment::of_process())?.endpoints;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answers = runtime.block_on(join_all(endpoints.into_iter().map(ask)));
    runtime.shutdown_background();
    print(&match options.format {
        Format::Table => as_table(&answers),
        Format::Json => format!("{:#}\n", as_json(&answers)),
    })?;
    for Answered { endpoint, health } in &answers {
        if let Err(why) = health {
            talk.notice(format_args!("{}: {why}", endpoint.name()));
        }
    }
    let failed = answers.iter().filter(|answered| !answered.is_well()).count() as u64;
    match failed {
        0 => Ok(()),
        failed => Err(Ending::SomeFailed { what: "endpoints", failed, all: answers.len() as u64 }.into()),
    }
}

async fn ask(endpoint: Endpoint) -> Answered {
    let fresh = Connection { reuse: Reuse::Never, ..Connection::default() };
    let mut best: Result<Health, String> = Err(String::new());
    match Pool::new(&fresh, &endpoint.url) {
        Err(error) => best = Err(error.to_string()),
        Ok(pool) => {
            for _ in 0..TIMES {
                let next = health(&pool, &endpoint.url, PROBE_TIMEOUT).await;
                best = match (best, next) {
                    (Ok(best), Ok(next)) if best.took <= next.took => Ok(best),
                    (Ok(best), Err(_)) => Ok(best),
                    (_, next) => next.map_err(|error| match error {
                        Some(error) => error.to_string(),
                        None => format!("no reply within {}", crate::units::Span(PROBE_TIMEOUT)),
                    }),
                };
            }
        }
    }
    Answered { endpoint, health: best }
}

fn ms(time: Option<Duration>) -> Option<f64> {
    time.map(milliseconds)
}

fn as_table(answers: &[Answered]) -> String {
    let shown = |time: Option<f64>| time.map_or("–".to_owned(), |time| format!("{time:.1}"));
    let row = |answered: &Answered| {
        let Answered { endpoint, health } = answered;
        let health = health.as_ref().ok();
        vec![
            endpoint.name(),
            endpoint.zone.clone().unwrap_or_default(),
            endpoint.region.clone().unwrap_or_default(),
            health.map_or("no reply".to_owned(), |health| health.status.to_string()),
            shown(ms(health.and_then(|health| health.connect))),
            shown(ms(health.map(|health| health.took))),
        ]
    };
    in_columns(&["Endpoint", "Zone", "Region", "Status", "Connect ms", "Reply ms"], answers.iter().map(row))
}

fn as_json(answers: &[Answered]) -> Value {
    let row = |answered: &Answered| {
        let Answered { endpoint, health } = answered;
        let reply = health.as_ref().ok();
        json!({
            "url": endpoint.name(),
            "zone": endpoint.zone,
            "region": endpoint.region,
            "status": reply.map(|health| health.status),
            "connect_ms": ms(reply.and_then(|health| health.connect)),
            "reply_ms": ms(reply.map(|health| health.took)),
            "message": health.as_ref().err(),
        })
    };
    json!({ "schema": "baton.route-probe/1", "endpoints": answers.iter().map(row).collect::<Vec<_>>() })
}

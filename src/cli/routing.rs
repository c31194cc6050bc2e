//! The flags of several endpoints.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::client::Routes;
use crate::config::Settings;
use crate::net::route::Strategy;

use super::Usage;

/// How one of several endpoints is chosen.
#[derive(Debug, Args)]
#[command(next_help_heading = "Endpoints")]
pub(super) struct RouteOptions {
    /// How one of several endpoints is chosen among those that are well [default: nearest]
    #[arg(long, value_name = "STRATEGY", value_parser = strategy())]
    strategy: Option<Strategy>,
    /// Keep requests at one of several endpoints, where others of this session go, too, as long as it is well
    /// [default: the user that the body names]
    #[arg(long, value_name = "ID", value_parser = session)]
    pub(super) session: Option<String>,
    /// Append each decision about endpoints, with its reason, to this file or pipe as a JSON line
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

impl RouteOptions {
    /// The ways to several endpoints; none to one, for which none of these flags has an effect.
    pub(super) fn routes(&self, settings: &Settings) -> Result<Option<Arc<Routes>>, Usage> {
        // A synced file may bring others later.
        if let ([_], None) = (settings.stations.as_slice(), &settings.upkeep) {
            let flags = [
                ("--strategy", self.strategy.is_some()),
                ("--session", self.session.is_some()),
                ("--events", self.events.is_some()),
            ];
            let idle = flags.into_iter().find(|(_, is_given)| *is_given);
            return idle.map_or(Ok(None), |(flag, _)| {
                Err(Usage::new(format!("{flag} has no effect: there is one endpoint"))
                    .hint("--url and [[profile.NAME.endpoint]] can be repeated"))
            });
        }
        let strategy = self.strategy.or(settings.strategy).unwrap_or_default();
        match Routes::new(strategy, settings.dialect, settings.stations.clone()) {
            Ok(routes) => Ok(Some(Arc::new(routes))),
            Err(error) => Err(Usage::new(error.to_string()).hint("each endpoint has an address of its own")),
        }
    }

    /// Where decisions are to be written, if anywhere.
    pub(super) fn events(&self) -> Option<&Path> {
        self.events.as_deref()
    }
}

/// A strategy's name; help, completions and the refusal of another one list all of them.
fn strategy() -> impl TypedValueParser<Value = Strategy> {
    PossibleValuesParser::new(Strategy::ALL.map(Strategy::name)).try_map(|name| name.parse::<Strategy>())
}

fn session(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("write any text that names it") } else { Ok(text.to_owned()) }
}

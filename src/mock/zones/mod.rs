//! Several relays in one process, each a zone with a name, an address and counters of its own.

mod control;

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::Serialize;

use crate::mock::helm::Helm;
use crate::mock::log::Journal;
use crate::mock::mood::Mood;
use crate::mock::server::Error;
use crate::mock::server::Options;
use crate::mock::server::Relay;
use crate::mock::server::Site;
use crate::mock::stats::Stats;

use self::control::Control;

/// The most zones that one process plays.
const MOST: usize = 16;

/// The longest name of a zone.
const LONGEST: usize = 63;

/// The names of the zones, different from one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneNames(Vec<String>);

impl Default for ZoneNames {
    /// One zone, `mock`.
    fn default() -> Self {
        Self(vec!["mock".to_owned()])
    }
}

impl FromStr for ZoneNames {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names: Vec<&str> = text.split(',').map(str::trim).collect();
        let is_plain = |name: &str| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            (1..=LONGEST).contains(&name.len()) && name.bytes().all(plain)
        };
        if let Some(name) = names.iter().find(|name| !is_plain(name)) {
            return Err(format!(
                "'{name}' is no zone's name: write small letters, digits and dashes, as in a,b,eu-1"
            ));
        }
        if let Some((_, name)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            return Err(format!("the zone '{name}' is named twice: write each name once"));
        }
        if names.len() > MOST {
            return Err(format!("write at most {MOST} zones"));
        }
        Ok(Self(names.into_iter().map(str::to_owned).collect()))
    }
}

/// Relays that run until they are stopped or dropped.
#[derive(Debug)]
pub struct Zones {
    control: Option<Control>,
    relays: Vec<Zone>,
    journal: Option<Journal>,
}

/// One relay with its name.
#[derive(Debug)]
struct Zone {
    name: String,
    relay: Relay,
}

/// A zone as the control address knows it.
#[derive(Debug, Clone)]
struct Remote {
    name: String,
    url: String,
    helm: Helm,
}

/// What is said of a zone.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct State<'a> {
    name: &'a str,
    url: &'a str,
    mood: Mood,
    stats: Stats,
}

impl Remote {
    fn state(&self) -> State<'_> {
        State { name: &self.name, url: &self.url, mood: self.helm.mood(), stats: self.helm.stats() }
    }
}

impl Zones {
    /// Starts a relay for each name; they listen when this returns. The port of `options.listen` is the first zone's, the
    /// ports after it are the others'; port 0 takes a free one for each. Their log is one file.
    ///
    /// # Errors
    ///
    /// As [`Relay::start`]. What was started before is stopped.
    pub fn start(names: &ZoneNames, options: Options) -> Result<Self, Error> {
        let Options { listen, spec, log, guards, service_key, threads } = options;
        let (sender, journal) = match log {
            None => (None, None),
            Some(path) => Journal::open(path).map(|(sender, journal)| (Some(sender), Some(journal)))?,
        };
        let begin = |(place, name): (u16, &String)| {
            let listen = match listen.port() {
                0 => listen,
                first => {
                    SocketAddr::new(listen.ip(), first.checked_add(place).ok_or(Error::NoPort { first })?)
                }
            };
            let (zone, log, service_key) = (Some(name.clone()), sender.clone(), service_key.clone());
            let site = Site { listen, threads, zone, service_key, log, guards: guards.clone() };
            Ok(Zone { name: name.clone(), relay: Relay::begin(site, spec.clone())? })
        };
        let relays = (0..).zip(&names.0).map(begin).collect::<Result<_, Error>>()?;
        Ok(Self { control: None, relays, journal })
    }

    /// Opens the control address, which shows and changes the zones over HTTP, and gives it with its port.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoopback`] where other machines could reach it; otherwise as [`Relay::start`].
    pub fn open_control(&mut self, listen: SocketAddr) -> Result<SocketAddr, Error> {
        if !listen.ip().is_loopback() {
            return Err(Error::NotLoopback { address: listen });
        }
        let remote = |zone: &Zone| Remote {
            name: zone.name.clone(),
            url: zone.relay.base_url(),
            helm: zone.relay.helm(),
        };
        let control = Control::start(listen, self.relays.iter().map(remote).collect())?;
        Ok(self.control.insert(control).address())
    }

    /// The relays by name, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Relay)> {
        self.relays.iter().map(|zone| (zone.name.as_str(), &zone.relay))
    }

    /// The relay of this name.
    pub fn zone(&self, name: &str) -> Option<&Relay> {
        self.iter().find_map(|(known, relay)| (known == name).then_some(relay))
    }

    /// Stops all and completes the log, whose failure is the only error.
    pub fn stop(mut self) -> Result<(), Error> {
        self.halt()
    }

    fn halt(&mut self) -> Result<(), Error> {
        self.control = None;
        self.relays.drain(..).try_for_each(|zone| zone.relay.stop())?;
        self.journal.take().map_or(Ok(()), Journal::close)
    }
}

impl Drop for Zones {
    fn drop(&mut self) {
        // Whoever wants to know about the log calls `stop`.
        self.halt().ok();
    }
}

impl fmt::Display for ZoneNames {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.join(","))
    }
}

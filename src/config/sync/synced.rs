//! What a synced file says: its version, until when it holds, endpoints with their zones and weights, and limits.

use std::path::Path;

use jiff::Timestamp;

use crate::net::route;
use crate::net::route::MOST_ENDPOINTS;
use crate::net::{TokenRates, Url, is_private};
use crate::units::Rate;

use super::super::document::{Document, Entry, Section};
use super::super::{Error, target};
use super::hosts::Hosts;

/// The highest version: beyond it JSON readers round.
const LAST_VERSION: u64 = (1 << 53) - 1;
/// Parts of names by which keys give themselves away as credentials or commands.
const SECRETIVE: [&str; 9] =
    ["key", "secret", "password", "auth", "bearer", "command", "header", "credential", "exec"];

/// A synced file that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    /// Grows with each change and never shrinks.
    pub version: u64,
    /// Until when it may be used.
    pub not_after: Timestamp,
    /// Where the relay lives.
    pub endpoints: Vec<Endpoint>,
    /// What may be asked of it.
    pub limits: Limits,
}

/// One address of the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its base address, on a host of `allowed-hosts`.
    pub url: Url,
    /// The zone that it lies in.
    pub zone: Option<String>,
    /// The region of the zone.
    pub region: Option<String>,
    /// Its share beside others.
    pub weight: Option<u32>,
    /// Its order before others.
    pub priority: Option<u32>,
    /// Whether it is to get nothing new.
    pub drain: bool,
}

/// What may be asked of the relay, by each client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// As `--rate`.
    pub rate: Option<Rate>,
    /// As `--burst`.
    pub burst: Option<u32>,
    /// As `--token-rate`.
    pub token_rate: Option<TokenRates>,
}

impl Synced {
    /// Reads a file that came from `source`; what is wrong with it is told with its line.
    pub(super) fn read((source, text): (&str, &str), hosts: &Hosts) -> Result<Self, Error> {
        let document = Document { path: Path::new(source), text };
        let table = document.parse()?;
        let root = Section::root(document, &table);
        only(&root, &["version", "not-after", "endpoint", "limits"])?;
        let wanted =
            |key: &str| root.entry(key).ok_or_else(|| Error::new(format!("{source}: the file has no {key}")));
        let endpoints = match root.entry("endpoint") {
            None => Vec::new(),
            Some(list) => read_endpoints(&list, hosts)?,
        };
        Ok(Self {
            version: wanted("version")?.number(1..=LAST_VERSION)?,
            not_after: wanted("not-after")?.moment()?,
            endpoints,
            limits: match root.entry("limits") {
                None => Limits::default(),
                Some(entry) => Limits::read(&entry.section()?)?,
            },
        })
    }
}

fn read_endpoints(list: &Entry<'_>, hosts: &Hosts) -> Result<Vec<Endpoint>, Error> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for section in list.sections()? {
        let endpoint = Endpoint::read(&section, hosts)?;
        if endpoints.iter().any(|other| other.url == endpoint.url) {
            return Err(section.refuse("names an address that stands here already"));
        }
        if endpoints.len() == MOST_ENDPOINTS {
            return Err(section.refuse(&format!("is one more than the {MOST_ENDPOINTS} that are kept")));
        }
        endpoints.push(endpoint);
    }
    Ok(endpoints)
}

impl Endpoint {
    /// The endpoint as it is routed to.
    pub(in crate::config) fn endpoint(&self) -> route::Endpoint {
        let Self { url, zone, region, weight, priority, drain } = self.clone();
        let (weight, priority) = (weight.unwrap_or(1), priority.unwrap_or(0));
        route::Endpoint { zone, region, weight, priority, drain, ..route::Endpoint::at(url) }
    }

    fn read(section: &Section<'_>, hosts: &Hosts) -> Result<Self, Error> {
        only(section, &["url", "zone", "region", "weight", "priority", "drain"])?;
        let text = |key| section.entry(key).map(|entry| name(&entry)).transpose();
        let entry = section.entry("url").ok_or_else(|| section.refuse("has no url"))?;
        let url = target::parse(entry.text()?, &entry.place())?;
        if !hosts.allow(&url) {
            let host = url.host_str().unwrap_or_default();
            return Err(entry
                .refuse(format_args!("the host {host} is not allowed on this machine"))
                .hint(format!("allowed-hosts of the profile names: {hosts}")));
        }
        if !is_private(&url) {
            let hint = "write https:// (http:// only to this machine)";
            return Err(entry.refuse("the profile's key would go there for all to read").hint(hint));
        }
        if url.query().is_some() {
            return Err(entry.refuse("the address has a query, which could hold a credential"));
        }
        Ok(Self {
            url,
            zone: text("zone")?,
            region: text("region")?,
            weight: section
                .entry("weight")
                .map(|entry| entry.number(route::Endpoint::WEIGHTS))
                .transpose()?,
            priority: section
                .entry("priority")
                .map(|entry| entry.number(route::Endpoint::PRIORITIES))
                .transpose()?,
            drain: section.entry("drain").map_or(Ok(false), |entry| entry.switch())?,
        })
    }
}

/// A name that can be shown on a terminal as it is.
fn name(entry: &Entry<'_>) -> Result<String, Error> {
    let text = entry.text()?;
    if text.chars().any(char::is_control) {
        return Err(entry.refuse("a name has no control characters"));
    }
    Ok(text.to_owned())
}

impl Limits {
    fn read(section: &Section<'_>) -> Result<Self, Error> {
        only(section, &["rate", "burst", "token-rate"])?;
        let limits = Self {
            rate: section.entry("rate").map(|entry| entry.parsed()).transpose()?,
            burst: section.entry("burst").map(|entry| entry.number(1..=1_000_000)).transpose()?,
            token_rate: section.entry("token-rate").map(|entry| entry.parsed()).transpose()?,
        };
        match section.entry("burst") {
            Some(entry) if limits.rate.is_none() => Err(entry.refuse("a burst without a rate")),
            _ => Ok(limits),
        }
    }
}

/// Refuses every key but these, and says of credentials and commands that they have no place here.
fn only(section: &Section<'_>, known: &[&str]) -> Result<(), Error> {
    section.only(known).map_err(|error| {
        let secretive = |key: &str| SECRETIVE.iter().any(|part| key.to_ascii_lowercase().contains(part));
        let stray = section.entries().find(|entry| !known.contains(&entry.key) && secretive(entry.key));
        match stray {
            None => error,
            Some(entry) => entry
                .refuse("a synced file holds no credentials, headers or commands")
                .hint("they belong into each machine's own profile, which is never fetched"),
        }
    })
}

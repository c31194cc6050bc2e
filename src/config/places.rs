//! Where a profile's relay lives: one address, or several endpoints with their places and keys of their own.

use crate::net::route::Endpoint;

use super::document::{Entry, Section};
use super::profile::{Folders, ProfileKey, read_key};
use super::{Error, target};

/// An endpoint of a profile.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) endpoint: Endpoint,
    /// The key that goes there in place of the profile's.
    pub(super) key: Option<ProfileKey>,
}

/// The addresses under `url` and in each `[[endpoint]]`; the one under both stands once.
pub(super) fn read_places(section: &Section<'_>, folders: Folders<'_>) -> Result<Vec<Place>, Error> {
    let mut places: Vec<Place> = Vec::new();
    if let Some(list) = section.entry("endpoint") {
        for endpoint in list.sections()? {
            let place = Place::read(&endpoint, folders)?;
            if places.iter().any(|other| other.endpoint.url == place.endpoint.url) {
                return Err(endpoint.refuse("names an address that stands here already"));
            }
            places.push(place);
        }
    }
    if let Some(entry) = section.entry("url") {
        let url = target::parse(entry.text()?, &entry.place())?;
        match places.iter().position(|place| place.endpoint.url == url) {
            Some(index) => places[..=index].rotate_right(1),
            None => places.insert(0, Place::bare(Endpoint::at(url))),
        }
    }
    Ok(places)
}

impl Place {
    /// An endpoint with nothing of its own.
    pub(super) fn bare(endpoint: Endpoint) -> Self {
        Self { endpoint, key: None }
    }

    fn read(section: &Section<'_>, folders: Folders<'_>) -> Result<Self, Error> {
        const KEYS: [&str; 3] = ["key-file", "key-command", "key-env"];
        section.only(&["url", "zone", "region", "weight", "priority", "drain", KEYS[0], KEYS[1], KEYS[2]])?;
        let text = |key| section.entry(key).map(|entry| name(&entry)).transpose();
        let entry = section.entry("url").ok_or_else(|| section.refuse("has no url"))?;
        let url = target::parse(entry.text()?, &entry.place())?;
        let endpoint = Endpoint {
            zone: text("zone")?,
            region: text("region")?,
            weight: section.entry("weight").map_or(Ok(1), |entry| entry.number(1..=1_000_000))?,
            priority: section.entry("priority").map_or(Ok(0), |entry| entry.number(0..=1_000))?,
            drain: section.entry("drain").map_or(Ok(false), |entry| entry.switch())?,
            ..Endpoint::at(url)
        };
        let mut keys = KEYS.into_iter().filter_map(|key| section.entry(key));
        let key = keys.next().map(|entry| read_key((&entry, entry.key), folders)).transpose()?;
        if let Some(second) = keys.next() {
            let error = second.refuse("a second key for one endpoint");
            return Err(error.hint("exactly one credential is sent: leave one of them out"));
        }
        Ok(Self { endpoint, key })
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

//! Where a profile's relay lives: one address, or several endpoints with their places, credentials and signatures of their own.

use std::sync::Arc;

use crate::net::SchemeName;
use crate::net::route::Endpoint;

use super::document::{Entry, Section};
use super::profile::{Folders, ProfileKey, read_key};
use super::service::Service;
use super::sign::SignPlace;
use super::{Error, target};

/// An endpoint of a profile.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) endpoint: Endpoint,
    /// The key that goes there in place of the profile's. It is shared with the profile that lends it, where one does.
    pub(super) key: Option<Arc<ProfileKey>>,
    /// The profile whose key that is.
    pub(super) lender: Option<Lender>,
    /// What is said of signatures there, in place of what the profile says.
    pub(super) sign: SignPlace,
}

/// Another profile, the credential of which goes to an endpoint.
#[derive(Debug, Clone)]
pub(super) struct Lender {
    pub(super) profile: String,
    /// Where the file says so, as messages begin.
    pub(super) said: String,
}

/// What decides how all endpoints of a profile are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) folders: Folders<'a>,
    /// How the profile signs.
    pub(super) scheme: Option<SchemeName>,
}

/// The addresses under `url` and in each `[[endpoint]]`; the one under both stands once.
pub(super) fn read_places(section: &Section<'_>, around: Surroundings<'_>) -> Result<Vec<Place>, Error> {
    let mut places: Vec<Place> = Vec::new();
    if let Some(list) = section.entry("endpoint") {
        for endpoint in list.sections()? {
            let place = Place::read(&endpoint, around)?;
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
    /// The keys that say which credential goes there.
    const CREDENTIALS: [&str; 5] = ["key-file", "key-command", "key-env", "service-token", "credential-of"];

    /// An endpoint with nothing of its own.
    pub(super) fn bare(endpoint: Endpoint) -> Self {
        Self { endpoint, key: None, lender: None, sign: SignPlace::default() }
    }

    fn read(section: &Section<'_>, around: Surroundings<'_>) -> Result<Self, Error> {
        let mut known = vec!["url", "zone", "region", "weight", "priority", "drain"];
        known.extend(Self::CREDENTIALS);
        known.extend(SignPlace::KEYS);
        section.only(&known)?;
        let text = |key| section.entry(key).map(|entry| name(&entry)).transpose();
        let entry = section.entry("url").ok_or_else(|| section.refuse("has no url"))?;
        let url = target::parse(entry.text()?, &entry.place())?;
        let mut place = Self::bare(Endpoint {
            zone: text("zone")?,
            region: text("region")?,
            weight: section.entry("weight").map_or(Ok(1), |entry| entry.number(Endpoint::WEIGHTS))?,
            priority: section.entry("priority").map_or(Ok(0), |entry| entry.number(Endpoint::PRIORITIES))?,
            drain: section.entry("drain").map_or(Ok(false), |entry| entry.switch())?,
            ..Endpoint::at(url)
        });
        place.read_credential(section, around)?;
        place.sign = SignPlace::read(section, around)?;
        Ok(place)
    }

    fn read_credential(&mut self, section: &Section<'_>, around: Surroundings<'_>) -> Result<(), Error> {
        let mut entries = Self::CREDENTIALS.into_iter().filter_map(|key| section.entry(key));
        let Some(entry) = entries.next() else { return Ok(()) };
        if let Some(second) = entries.next() {
            let error = second.refuse(format_args!("a second key for one endpoint, beside {}", entry.key));
            return Err(error.hint("exactly one credential is sent: leave one of them out"));
        }
        if around.scheme == Some(SchemeName::SigV4) {
            let error = entry.refuse("a key beside sign = \"sigv4\"");
            return Err(error.hint(
                "such a signature is the credential: sign-key-id and sign-key-file name the endpoint's own",
            ));
        }
        match entry.key {
            "credential-of" => {
                let (profile, said) = (entry.text()?.to_owned(), entry.place());
                self.lender = Some(Lender { profile, said });
            }
            "service-token" => {
                let service = Service::read(&entry, around.folders)?;
                self.key = Some(Arc::new(ProfileKey::Service(Arc::new(service))));
            }
            like => self.key = Some(Arc::new(read_key((&entry, like), around.folders)?)),
        }
        Ok(())
    }

    /// What is said there of its credential and its signatures, as the file says it.
    pub(super) fn own_settings(&self) -> Vec<String> {
        let lent = self.lender.as_ref().map(|lender| format!("credential-of {}", lender.profile));
        let key = lent.or_else(|| self.key.as_ref().map(|key| key.setting()));
        key.into_iter().chain(self.sign.settings()).collect()
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

//! How a profile has its requests signed.

use std::path::PathBuf;

use crate::net::{KeyNames, SchemeName, ScopeName};

use super::Error;
use super::document::{Entry, Section};
use super::inventory::Setting;
use super::places::Surroundings;
use super::profile::Folders;
use super::{Source, Sources, target};

/// What a profile says of signatures, each as the flag of the same name, which wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignDefaults {
    /// As `--sign`; none where nothing is signed.
    pub scheme: Option<SchemeName>,
    /// As `--sign-key-id`.
    pub key_id: Option<KeyNames>,
    /// As `--sign-key-file`.
    pub key_file: Option<PathBuf>,
    /// As `--sign-region`.
    pub region: Option<ScopeName>,
    /// As `--sign-service`.
    pub service: Option<ScopeName>,
    /// What the endpoint says in place of that. A variable, which speaks of one key and one region, does not win over it.
    pub place: SignPlace,
}

/// What an endpoint says of signatures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignPlace {
    /// Its key's name and file.
    pub key: Option<(KeyNames, PathBuf)>,
    /// The region that it is signed for.
    pub region: Option<ScopeName>,
}

impl SignPlace {
    /// The keys of an endpoint that are read here.
    pub(super) const KEYS: [&str; 3] = ["sign-key-id", "sign-key-file", "sign-region"];

    pub(super) fn read(section: &Section<'_>, around: Surroundings<'_>) -> Result<Self, Error> {
        let first_idle = match around.scheme {
            None => 0,
            Some(SchemeName::SigV4) => Self::KEYS.len(),
            Some(_) => 2,
        };
        if let Some(entry) = Self::KEYS.into_iter().skip(first_idle).find_map(|key| section.entry(key)) {
            return Err(idle(&entry, around.scheme));
        }
        let key = match (section.entry("sign-key-id"), section.entry("sign-key-file")) {
            (None, None) => None,
            (Some(id), Some(file)) => Some((id.parsed()?, around.folders.resolve(&file)?)),
            (Some(lone), None) | (None, Some(lone)) => {
                let hint = "a key and its name go together: write sign-key-id and sign-key-file";
                return Err(lone.refuse("half of a signing key").hint(hint));
            }
        };
        Ok(Self { key, region: section.entry("sign-region").map(|entry| entry.parsed()).transpose()? })
    }

    /// What it says, as the file says it.
    pub(super) fn settings(&self) -> impl Iterator<Item = String> {
        let key =
            self.key.as_ref().map(|(id, file)| format!("sign-key-id {id}, sign-key-file {}", file.display()));
        key.into_iter().chain(self.region.as_ref().map(|region| format!("sign-region {region}")))
    }
}

/// Refuses what has no effect where signatures are made so.
fn idle(entry: &Entry<'_>, scheme: Option<SchemeName>) -> Error {
    let how = if scheme.is_none() { "sign = \"simple\" asks for it" } else { "sigv4 alone has one" };
    entry.refuse("it has no effect with what sign says").hint(how)
}

impl SignDefaults {
    /// The keys of a profile that are read here.
    pub(super) const KEYS: [&str; 5] =
        ["sign", "sign-key-id", "sign-key-file", "sign-region", "sign-service"];

    pub(super) fn read(section: &Section<'_>, folders: Folders<'_>) -> Result<Self, Error> {
        let file = |entry| folders.resolve(&entry);
        let sign = Self {
            scheme: section.entry("sign").map(|entry| entry.parsed()).transpose()?,
            key_id: section.entry("sign-key-id").map(|entry| entry.parsed()).transpose()?,
            key_file: section.entry("sign-key-file").map(file).transpose()?,
            region: section.entry("sign-region").map(|entry| entry.parsed()).transpose()?,
            service: section.entry("sign-service").map(|entry| entry.parsed()).transpose()?,
            place: SignPlace::default(),
        };
        let first_idle = match sign.scheme {
            None => 1,
            Some(SchemeName::SigV4) => Self::KEYS.len(),
            Some(_) => 3,
        };
        if let Some(entry) = Self::KEYS.into_iter().skip(first_idle).find_map(|key| section.entry(key)) {
            return Err(idle(&entry, sign.scheme));
        }
        Ok(sign)
    }
}

/// What the profile says of requests to this relay: like its headers, it is for the profile's own.
pub(super) fn defaults(from: Sources<'_>, bound: &target::Bindings) -> SignDefaults {
    let own = from.profile.filter(|profile| profile.is_for(&bound.origin));
    let Some(profile) = own else { return SignDefaults::default() };
    let place = profile.place_at(&bound.url).map(|place| place.sign.clone()).unwrap_or_default();
    SignDefaults { place, ..profile.sign.clone() }
}

/// What is to be said where a profile's requests are signed and those to this relay are not.
pub(super) fn withheld(from: Sources<'_>, bound: &target::Bindings) -> Option<String> {
    let profile = from.profile.filter(|profile| profile.sign.scheme.is_some())?;
    (!profile.is_for(&bound.origin)).then(|| {
        format!("profile {} signs for its own url: requests to {} are not signed", profile.name, bound.origin)
    })
}

/// All of it, with what decided it.
pub(super) fn settings(sign: &SignDefaults, profile: Option<&str>) -> Vec<Setting> {
    let file = sign.key_file.as_ref().map(|path| path.display().to_string());
    let values = [
        sign.scheme.map(|scheme| scheme.to_string()),
        sign.key_id.as_ref().map(ToString::to_string),
        file,
        sign.region.as_ref().map(ToString::to_string),
        sign.service.as_ref().map(ToString::to_string),
    ];
    let setting = |(name, value): (&str, Option<String>)| {
        let own = profile.filter(|_| value.is_some());
        let source = own.map_or(Source::Default, |name| Source::Profile(name.to_owned()));
        Setting::new(name, value, source)
    };
    SignDefaults::KEYS.into_iter().zip(values).map(setting).collect()
}

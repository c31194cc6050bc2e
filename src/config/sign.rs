//! How a profile has its requests signed.

use std::path::PathBuf;

use crate::net::{KeyName, SchemeName, ScopeName};

use super::Error;
use super::document::Section;
use super::inventory::Setting;
use super::profile::Folders;
use super::{Source, Sources, target};

/// What a profile says of signatures, each as the flag of the same name, which wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignDefaults {
    /// As `--sign`; none where nothing is signed.
    pub scheme: Option<SchemeName>,
    /// As `--sign-key-id`.
    pub key_id: Option<KeyName>,
    /// As `--sign-key-file`.
    pub key_file: Option<PathBuf>,
    /// As `--sign-region`.
    pub region: Option<ScopeName>,
    /// As `--sign-service`.
    pub service: Option<ScopeName>,
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
        };
        let first_idle = match sign.scheme {
            None => 1,
            Some(SchemeName::SigV4) => Self::KEYS.len(),
            Some(_) => 3,
        };
        if let Some(entry) = Self::KEYS.into_iter().skip(first_idle).find_map(|key| section.entry(key)) {
            let how =
                if sign.scheme.is_none() { "sign = \"simple\" asks for it" } else { "sigv4 alone has one" };
            return Err(entry.refuse("it has no effect with what sign says").hint(how));
        }
        Ok(sign)
    }
}

/// What the profile says of requests to this relay: like its headers, it is for the profile's own.
pub(super) fn defaults(from: Sources<'_>, bound: &target::Bindings) -> SignDefaults {
    let own = from.profile.filter(|profile| profile.is_for(&bound.origin));
    own.map(|profile| profile.sign.clone()).unwrap_or_default()
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

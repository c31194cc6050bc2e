//! What a profile says of its synced configuration: from where, signed by whom, for which hosts, and how old it may be.

use minisign_verify::PublicKey;

use crate::net::Url;
use crate::units::Span;

use super::super::document::{Entry, Section};
use super::super::{Error, target};
use super::hosts::Hosts;

/// `config-url` and the keys beside it.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Where the file lies, one place for each region.
    pub(super) sites: Vec<Site>,
    /// Who signs it.
    pub(super) key: PublicKey,
    /// The same as it was written.
    pub(super) key_text: String,
    /// Where its endpoints may lie.
    pub(super) hosts: Hosts,
    /// How long a version is used after no source has confirmed it.
    pub(super) max_age: Span,
    /// The time from one poll to the next.
    pub(super) poll: Span,
}

/// One place of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its region's name, or its host where it has none.
    pub name: String,
    /// The file's address.
    pub url: Url,
}

impl Subscription {
    /// The keys of a profile that make it up.
    pub(in crate::config) const KEYS: [&str; 5] =
        ["config-url", "config-key", "allowed-hosts", "config-max-age", "config-poll"];
    /// The time from one poll to the next unless `config-poll` says otherwise.
    const POLL: Span = Span::seconds(30);
    /// A day.
    const MAX_AGE: Span = Span::seconds(86_400);

    /// Reads the keys of a profile's section; none where there is no `config-url`.
    pub(in crate::config) fn read(section: &Section<'_>) -> Result<Option<Self>, Error> {
        let Some(urls) = section.entry("config-url") else {
            let stray = Self::KEYS.iter().find_map(|key| section.entry(key));
            return stray
                .map_or(Ok(None), |entry| Err(entry.refuse("this has no effect without a config-url")));
        };
        let needed = |key: &str, hint: &str| {
            section.entry(key).ok_or_else(|| urls.refuse(format_args!("it needs {key} beside it")).hint(hint))
        };
        let key = needed("config-key", "it is the public key that `minisign -G` printed")?;
        let key_text = key.text()?.to_owned();
        let hosts = needed("allowed-hosts", "it lists the hosts that a synced file may name")?;
        let time = |key: &str, default: Span| match section.entry(key) {
            None => Ok(default),
            Some(entry) => match entry.time()? {
                Span(time) if time.is_zero() => Err(entry.refuse("this cannot be zero")),
                time => Ok(time),
            },
        };
        Ok(Some(Self {
            sites: Site::read_all(&urls)?,
            key: PublicKey::from_base64(&key_text).map_err(|_| {
                key.refuse("this is not a public key of minisign")
                    .hint("it is the second line of minisign.pub and begins with RW")
            })?,
            key_text,
            hosts: Hosts(
                hosts
                    .texts()?
                    .into_iter()
                    .map(|text| text.parse().map_err(|error: String| hosts.refuse(error)))
                    .collect::<Result<_, _>>()?,
            ),
            max_age: time("config-max-age", Self::MAX_AGE)?,
            poll: time("config-poll", Self::POLL)?,
        }))
    }
}

impl Site {
    /// One address, or a table of them by region.
    fn read_all(entry: &Entry<'_>) -> Result<Vec<Self>, Error> {
        if entry.text().is_ok() {
            let url = read_url(entry)?;
            let name = url.host_str().unwrap_or_default().to_owned();
            return Ok(vec![Self { name, url }]);
        }
        let hint = "write one address in quotes, or a table of them, as in { eu = \"https://…\", us = \"https://…\" }";
        let section = entry.section().map_err(|error| error.hint(hint))?;
        let read = |entry: Entry<'_>| Ok(Self { name: entry.key.to_owned(), url: read_url(&entry)? });
        let sites = section.entries().map(read).collect::<Result<Vec<_>, Error>>()?;
        if sites.is_empty() { Err(entry.refuse("it names no address").hint(hint)) } else { Ok(sites) }
    }

    /// Where the signature lies: beside the file, with `.minisig` after its name.
    pub(super) fn signature_url(&self) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}.minisig", self.url.path()));
        url
    }
}

fn read_url(entry: &Entry<'_>) -> Result<Url, Error> {
    let url = target::parse(entry.text()?, &entry.place())?;
    if url.path().ends_with('/') {
        return Err(entry
            .refuse("this names a folder, not a file")
            .hint("as in https://eu.example/baton.toml"));
    }
    Ok(url)
}

//! The flags of `baton mock` that say what a request must be like to be let in.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::config;
use crate::mock::{AcceptEncoding, Addresses, Guards, Keys, Range, Signatures};
use crate::net::{KeyNames, SchemeName, ScopeName};
use crate::units::{Span, whole};

use super::{Usage, sign};

/// What requests must be like.
#[derive(Debug, Args)]
#[command(next_help_heading = "Guards")]
pub(super) struct GuardOptions {
    /// Undo these codings of request bodies (gzip, zstd or gzip,zstd), up to 32 MiB; others get a 415, larger ones a 413
    #[arg(long, value_name = "CODINGS", conflicts_with = "upstream")]
    accept_encoding: Option<AcceptEncoding>,
    /// Let in only requests with one key, which is in this file (one a line; only you can read it); others get a 401
    #[arg(long, value_name = "PATH", conflicts_with = "upstream")]
    require_key: Option<PathBuf>,
    /// Let in only requests from these addresses (repeatable); others get a 403
    #[arg(long, value_name = "CIDR", conflicts_with = "personality")]
    allow_ip: Vec<Range>,
    /// With --allow-ip: take the client's address from X-Forwarded-For, to which this many proxies have appended; counted
    /// from its right end, so that a client's own claims do not count [default: 0, the connection's address]
    #[arg(long, value_name = "N", requires = "allow_ip", value_parser = |text: &str| whole::<u8>(text, 0..=16))]
    trusted_proxies: Option<u8>,
    /// Answer prompts, and list models, only where that is asked for with a signature of this scheme, no more than 5 minutes ago, and not twice by one signature
    #[arg(long, value_name = "SCHEME", conflicts_with = "upstream", value_parser = schemes())]
    #[arg(requires = "sign_key_id", requires = "sign_key_file")]
    sign: Option<SchemeName>,
    /// With --sign: the name of the key; for kong and sigv4 A,B where the file has two
    #[arg(long, value_name = "ID", requires = "sign")]
    sign_key_id: Option<KeyNames>,
    /// With --sign: the file of the key; a second line is a key that serves, too
    #[arg(long, value_name = "PATH", requires = "sign")]
    sign_key_file: Option<PathBuf>,
    /// With --sign sigv4: let in only signatures for this region
    #[arg(long, value_name = "REGION", requires = "sign")]
    sign_region: Option<ScopeName>,
    /// With --sign: tell a time that is so far ahead of this machine's, and judge signatures by it
    #[arg(long, value_name = "TIME", requires = "sign")]
    sign_clock: Option<Span>,
}

fn schemes() -> impl TypedValueParser<Value = SchemeName> {
    PossibleValuesParser::new(["simple", "kong", "sigv4"]).try_map(|name| name.parse::<SchemeName>())
}

impl GuardOptions {
    /// The guards that they ask for.
    pub(super) fn guards(&self) -> anyhow::Result<Guards> {
        Ok(Guards {
            accept_encoding: self.accept_encoding.unwrap_or_default(),
            keys: self.require_key.as_deref().map(keys).transpose()?,
            addresses: Addresses {
                allowed: self.allow_ip.clone(),
                trusted_proxies: self.trusted_proxies.unwrap_or(0),
            },
            signatures: self.signatures()?.map(Arc::new),
        })
    }

    fn signatures(&self) -> anyhow::Result<Option<Signatures>> {
        let (Some(scheme), Some(ids), Some(path)) = (self.sign, &self.sign_key_id, &self.sign_key_file)
        else {
            return Ok(None);
        };
        let source = format!("--sign-key-file {}", path.display());
        let keys = sign::keys(ids, &config::read_private(path, &source)?, (scheme, &source))?;
        if self.sign_region.is_some() && scheme != SchemeName::SigV4 {
            let error = Usage::new(format!("--sign-region has no effect with --sign {scheme}"));
            return Err(error.hint("--sign sigv4 alone has one").into());
        }
        let ahead = self.sign_clock.unwrap_or_default().0;
        let signatures = Signatures::new(scheme, keys).ahead_by(ahead);
        Ok(Some(match &self.sign_region {
            Some(region) => signatures.for_region(region.to_string()),
            None => signatures,
        }))
    }
}

impl fmt::Display for GuardOptions {
    /// What they come to, to follow the description of the relay.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(codings) = &self.accept_encoding {
            write!(out, " · takes {codings}")?;
        }
        if let Some(scheme) = self.sign {
            write!(out, " · wants signatures ({scheme})")?;
        }
        if let Some(region) = &self.sign_region {
            write!(out, " for {region}")?;
        }
        if let Some(ahead) = self.sign_clock {
            write!(out, " by a clock that is {ahead} ahead")?;
        }
        if self.require_key.is_some() {
            out.write_str(" · wants a key")?;
        }
        for (at, range) in self.allow_ip.iter().enumerate() {
            write!(out, "{}{range}", if at == 0 { " · lets in " } else { ", " })?;
        }
        self.trusted_proxies.map_or(Ok(()), |count| write!(out, " · behind {count} proxies"))
    }
}

/// The keys in a file.
fn keys(path: &Path) -> anyhow::Result<Keys> {
    let source = format!("--require-key {}", path.display());
    let text = config::read_private(path, &source)?;
    Ok(Keys::read(text.expose())
        .map_err(|problem| Usage::new(format!("{source}: {problem}")).hint("write a key on each line"))?)
}

//! `[profile.NAME.oauth]`: who grants the profile's tokens, to which client, and where they lie between runs.

use std::path::PathBuf;

use crate::net::{AuthError, Authority, ClientSecret, GrantKind, Keeper, Store, Url, is_private};
use crate::units::Secret;

use super::credential::run;
use super::document::{Entry, Section};
use super::private::read_private;
use super::profile::{Folders, ProfileKey, read_key};
use super::{Environment, Error, Sources, target};

/// The keys that may name the client's secret.
const SECRETS: [(&str, &str); 3] = [
    ("client-secret-file", "key-file"),
    ("client-secret-command", "key-command"),
    ("client-secret-env", "key-env"),
];

/// What the table says.
#[derive(Debug, Clone)]
pub(super) struct OAuth {
    /// Without its secret.
    authority: Authority,
    secret: Option<ProfileKey>,
    store: Option<PathBuf>,
}

impl OAuth {
    /// Reads the table of the profile of this name.
    pub(super) fn read(profile: &str, entry: &Entry<'_>, folders: Folders<'_>) -> Result<Self, Error> {
        let section = entry.section()?;
        let mut known =
            vec!["grant", "issuer", "token-url", "device-url", "client-id", "scope", "audience", "store"];
        known.extend(SECRETS.map(|(key, _)| key));
        section.only(&known)?;
        let text = |key| section.entry(key).map(|entry| entry.text()).transpose();
        let oauth = Self {
            authority: Authority {
                profile: profile.to_owned(),
                grant: read_grant(&section)?,
                issuer: read_url(&section, "issuer")?,
                token_url: read_url(&section, "token-url")?,
                device_url: read_url(&section, "device-url")?,
                client_id: text("client-id")?.unwrap_or_default().to_owned(),
                client_secret: None,
                scope: text("scope")?.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
                audience: text("audience")?.map(str::to_owned),
            },
            secret: read_secret(&section, folders)?,
            store: section.entry("store").map(|entry| folders.resolve(&entry)).transpose()?,
        };
        oauth.refuse_gaps(&section)?;
        Ok(oauth)
    }

    /// Refuses a table that lacks what its grant needs, or says what has no effect.
    fn refuse_gaps(&self, section: &Section<'_>) -> Result<(), Error> {
        let Authority { grant, issuer, token_url, device_url, client_id, audience, .. } = &self.authority;
        if client_id.is_empty() {
            return Err(section
                .refuse("has no client-id")
                .hint("it is the name that the server gave to this client"));
        }
        if issuer.is_none() && token_url.is_none() {
            let hint = "issuer = \"https://…\" finds all addresses, token-url names the one for tokens";
            return Err(section.refuse("has neither an issuer nor a token-url").hint(hint));
        }
        if *grant == GrantKind::ClientCredentials && self.secret.is_none() {
            let hint = "client-secret-file, client-secret-command or client-secret-env names it";
            return Err(section.refuse("has no client's secret, by which this grant asks").hint(hint));
        }
        if *grant == GrantKind::DeviceCode && token_url.is_some() && device_url.is_none() {
            return Err(section.refuse("has a token-url and no device-url, where this grant begins"));
        }
        if let (Some(_), GrantKind::ClientCredentials | GrantKind::RefreshToken) = (device_url, grant) {
            return Err(section.refuse("has a device-url, which only grant = \"device-code\" uses"));
        }
        if let (Some(_), GrantKind::DeviceCode | GrantKind::RefreshToken) = (audience, grant) {
            return Err(section.refuse("has an audience, which only grant = \"client-credentials\" names"));
        }
        Ok(())
    }

    /// What keeps its token.
    pub(super) fn keeper(&self, from: Sources<'_>) -> Result<Keeper, Error> {
        let source = format!("profile {}, oauth", self.authority.profile);
        let client_secret = self.secret.as_ref().map(|key| secret_of(key, &source, from.environment));
        let authority = Authority { client_secret, ..self.authority.clone() };
        let store = match &self.store {
            Some(path) => path.clone(),
            None => from.environment.state_file("tokens", &self.authority.profile).ok_or_else(|| {
                Error::new(format!("{source}: there is no place for its token: HOME is not set"))
                    .hint("store = \"PATH\" names one")
            })?,
        };
        Ok(Keeper::new(authority, Store::at(store), from.given.require_scope.clone()))
    }

    /// How its tokens come, in a word.
    pub(super) fn grant(&self) -> &'static str {
        self.authority.grant.name()
    }
}

/// The keeper of the token of the profile that was chosen, for `baton auth`.
pub fn keeper(given: &super::Given, environment: &Environment) -> Result<Keeper, Error> {
    let file = super::file::File::read(given, environment)?;
    let hint = "[profile.NAME.oauth] says how; see docs/config.md";
    let Some((profile, _)) = file.choose(given, environment)? else {
        return Err(Error::new("no profile is named, and a login is a profile's")
            .hint("give one with --profile, or set BATON_PROFILE"));
    };
    let Some(ProfileKey::Token(oauth)) = profile.key.as_deref() else {
        let error = Error::new(format!("profile {} has no login", profile.name));
        let lender = profile.places.iter().find_map(|place| place.lender.as_ref());
        return Err(error.hint(match lender {
            Some(lender) => format!("an endpoint of it uses the one of --profile {}", lender.profile),
            None => hint.to_owned(),
        }));
    };
    oauth.keeper(Sources { given, environment, profile: Some(profile) })
}

/// The folder that the chosen profile's token lies in, or would lie in if it had one.
pub fn token_folder(given: &super::Given, environment: &Environment) -> Option<PathBuf> {
    let own = keeper(given, environment).ok();
    let own = own.and_then(|keeper| Some(keeper.store().path().parent()?.to_owned()));
    own.or_else(|| Some(environment.state_file("tokens", "NAME")?.parent()?.to_owned()))
}

/// The client's secret, which is read, and its command run, when a token is to be asked for.
fn secret_of(key: &ProfileKey, source: &str, environment: &Environment) -> ClientSecret {
    let source = format!("{source}: {}", key.setting().replacen("key", "client-secret", 1));
    let value = match key {
        ProfileKey::Variable(name) => environment.value(name).map(Secret::new),
        _ => None,
    };
    let key = key.clone();
    ClientSecret::read_by(move || {
        let secret = match &key {
            ProfileKey::File(path) => read_private(path, &source),
            ProfileKey::Command(command) => run(command, &source),
            _ => value.ok_or_else(|| Error::new(format!("{source}: the variable is not set"))),
        };
        secret.map_err(|Error { message, hint, .. }| AuthError::Secret { message, hint })
    })
}

fn read_grant(section: &Section<'_>) -> Result<GrantKind, Error> {
    let names = || GrantKind::NAMES.join(", ");
    let Some(entry) = section.entry("grant") else {
        return Err(section.refuse("has no grant").hint(format!("write one of {}", names())));
    };
    let text = entry.text()?;
    GrantKind::named(text).ok_or_else(|| {
        entry.refuse(format_args!("'{text}' is no grant")).hint(format!("write one of {}", names()))
    })
}

/// An address to which secrets go.
fn read_url(section: &Section<'_>, key: &str) -> Result<Option<Url>, Error> {
    let Some(entry) = section.entry(key) else { return Ok(None) };
    let url = target::parse(entry.text()?, &entry.place())?;
    if is_private(&url) {
        return Ok(Some(url));
    }
    Err(entry
        .refuse("secrets would go there for all to read")
        .hint("write https:// (http:// only to this machine)"))
}

fn read_secret(section: &Section<'_>, folders: Folders<'_>) -> Result<Option<ProfileKey>, Error> {
    let mut found = None;
    for (name, like) in SECRETS {
        let Some(entry) = section.entry(name) else { continue };
        if found.is_some() {
            return Err(entry.refuse("a second secret of the client").hint("leave one of them out"));
        }
        found = Some(read_key((&entry, like), folders)?);
    }
    Ok(found)
}

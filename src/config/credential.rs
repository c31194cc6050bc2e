//! Chooses the one credential that is sent, and the origin it belongs to.

use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::net::{Credential, HeaderMap, HeaderName, HeaderValue};
use crate::units::Secret;
use crate::wire::Dialect;

use super::headers::CREDENTIAL_HEADERS;
use super::private::read_private;
use super::profile::ProfileKey;
use super::target::{Bindings, KeyHeader, Withheld, key_header, vendor};
use super::{Error, KeySource, Source, Sources};

/// The credential, and what to say about it.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) credential: Option<Credential>,
    /// Where it was taken from.
    taken: Taken,
    /// A clause to follow "the key …" or a sentence of its own in an error about credentials.
    pub(super) story: String,
    pub(super) notices: Vec<String>,
}

/// The place that a credential was taken from, as far as two of them are told apart.
#[derive(Debug)]
enum Taken {
    /// A header, a flag, or nothing: the same for every endpoint.
    Once(&'static str),
    /// A variable.
    Variable(&'static str),
    /// What a profile says.
    Profile(ProfileKey),
}

impl Taken {
    /// Whether both are the same place.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Once(one), Self::Once(other)) | (Self::Variable(one), Self::Variable(other)) => {
                one == other
            }
            (Self::Profile(key), Self::Profile(other)) => key.is(other),
            _ => false,
        }
    }
}

/// Which credential is sent, before anything is read or run for it.
pub(super) struct Picked<'a> {
    pub(super) pick: Pick<'a>,
    /// What was passed over, and why.
    pub(super) notices: Vec<String>,
}

/// The place that the credential is taken from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pick<'a> {
    /// A header of the user's own, by its name.
    Header(&'static str),
    /// A flag.
    Flag(&'a KeySource),
    /// The embedded relay is given none.
    Embedded,
    /// A variable, its text, and the header that it goes into.
    Variable(&'static str, &'a str, KeyHeader),
    /// A key with the name of the profile that has it.
    Profile(&'a str, &'a ProfileKey),
    /// Nothing was given for this relay.
    Nothing,
}

/// The variables that may hold a key for a relay of this dialect, the one that wins first.
pub fn key_variables(dialect: Dialect) -> impl Iterator<Item = &'static str> {
    let vendors = vendor(dialect).map(|vendor| vendor.keys).unwrap_or_default();
    std::iter::once("BATON_KEY").chain(vendors.iter().map(|(name, _)| *name))
}

/// Picks the credential and reads it.
pub(super) fn choose(from: Sources<'_>, bound: &Bindings, headers: &HeaderMap) -> Result<Chosen, Error> {
    let Picked { pick, notices } = pick(from, bound, headers)?;
    refuse_idle_scope(from, &pick)?;
    let taken = pick.taken();
    let header = key_header(bound.dialect);
    let read = |key: &Secret, source: &str| credential(key, header, bound, source).map(Some);
    let (credential, story) = match pick {
        Pick::Header(name) => (None, format!("the credential came from --header ({name})")),
        Pick::Embedded => (None, "no credential is sent to the embedded relay".to_owned()),
        Pick::Nothing => {
            let why = notices.first().map_or("none was given", String::as_str);
            (None, format!("no credential was sent: {why}"))
        }
        Pick::Flag(KeySource::File(path)) => {
            let source = format!("--key-file {}", path.display());
            (read(&read_private(path, &source)?, &source)?, format!("the key came from {source}"))
        }
        Pick::Flag(KeySource::Command(command)) => {
            let source = "--key-command";
            (read(&run(command, source)?, source)?, format!("the key came from {source}"))
        }
        Pick::Variable(name, text, header) => {
            let key = credential(&Secret::new(text), header, bound, name)?;
            (Some(key), format!("the key came from {name}"))
        }
        Pick::Profile(profile, key) => {
            let source = format!("profile {profile}, {}", key.setting());
            let story = format!("the key came from {source}");
            let credential = match key {
                ProfileKey::File(path) => read(&read_private(path, &source)?, &source)?,
                ProfileKey::Command(command) => read(&run(command, &source)?, &source)?,
                // Its source is the variable alone, so that a printed curl command can name it.
                ProfileKey::Variable(name) => read(&variable(from, name, &source)?, name)?,
                ProfileKey::Header(name, value) => {
                    Some(Credential::new(name.clone(), value.clone(), bound.origin.clone(), source))
                }
                ProfileKey::Service(service) => {
                    Some(Credential::signed(service.signer(&source)?, bound.origin.clone(), source))
                }
                ProfileKey::Token(oauth) => {
                    Some(Credential::token(Arc::new(oauth.keeper(from)?), bound.origin.clone(), source))
                }
            };
            (credential, story)
        }
    };
    Ok(Chosen { credential, taken, story, notices })
}

/// The same for a further endpoint: what was read for one before it is not read, nor a command run, once more.
pub(super) fn choose_beside(
    from: Sources<'_>,
    made: &[Chosen],
    (bound, headers): (&Bindings, &HeaderMap),
) -> Result<Chosen, Error> {
    let there = pick(from, bound, headers)?;
    let taken = there.pick.taken();
    let Some(same) = made.iter().find(|same| same.taken.is(&taken)) else {
        return choose(from, bound, headers);
    };
    let credential = same.credential.as_ref().map(|credential| credential.at(bound.origin.clone()));
    Ok(Chosen { credential, taken, story: same.story.clone(), notices: there.notices })
}

/// A header of the user's own replaces everything; then flags, then `BATON_KEY`, then the vendor's variables, then the
/// profile.
pub(super) fn pick<'a>(
    from: Sources<'a>,
    bound: &Bindings,
    headers: &HeaderMap,
) -> Result<Picked<'a>, Error> {
    let sure = |pick| Ok(Picked { pick, notices: Vec::new() });
    if let Some(name) = CREDENTIAL_HEADERS.iter().find(|name| headers.contains_key(**name)) {
        if from.given.key.is_some() {
            let message =
                format!("--header gives a credential ({name}) and --key-file or --key-command another");
            return Err(Error::new(message).hint("exactly one credential is sent: leave one of them out"));
        }
        return sure(Pick::Header(name));
    }
    match &from.given.key {
        Some(source) => sure(Pick::Flag(source)),
        None if bound.embedded => sure(Pick::Embedded),
        None => Ok(pick_implied(from, bound)),
    }
}

/// Picks among the keys that nobody typed on this command line.
fn pick_implied<'a>(from: Sources<'a>, bound: &Bindings) -> Picked<'a> {
    let own = [("BATON_KEY", key_header(bound.dialect))];
    let theirs = vendor(bound.dialect).map(|vendor| vendor.keys).unwrap_or_default();
    let own = own.iter().map(|key| (*key, &bound.own_withheld));
    let (mut candidates, mut withheld) = (Vec::new(), Vec::new());
    for ((name, header), reason) in own.chain(theirs.iter().map(|key| (*key, &bound.vendor_withheld))) {
        let Some(text) = from.environment.value(name) else { continue };
        match reason {
            None => candidates.push((name.to_owned(), Pick::Variable(name, text, header))),
            Some(reason) => withheld.push(refusal(name, reason, bound)),
        }
    }
    if let Some(profile) = from.profile
        && let Some((owner, key)) = profile.key_at(&bound.url)
    {
        let name = format!("the key of profile {owner}");
        if profile.owns(&bound.origin) {
            candidates.push((name, Pick::Profile(owner, key)));
        } else {
            withheld.push(format!("{name} belongs to its url and is not sent to {}", bound.origin));
        }
    }
    let mut candidates = candidates.into_iter();
    let Some((first, pick)) = candidates.next() else {
        return Picked { pick: Pick::Nothing, notices: withheld };
    };
    let both = |(name, _)| format!("both {first} and {name} are set: only {first} is sent");
    Picked { pick, notices: candidates.map(both).collect() }
}

fn refusal(name: &str, reason: &Withheld, bound: &Bindings) -> String {
    match reason {
        Withheld::Elsewhere(origin, variable) => {
            format!("{name} belongs to {origin} ({variable}) and is not sent to {}", bound.origin)
        }
        Withheld::OfProfile(profile) => format!(
            "{name} is not sent to {}, which only profile {profile} names: key-env = \"{name}\" there binds it",
            bound.origin
        ),
    }
}

/// Refuses a demand for scopes where what is sent has none.
fn refuse_idle_scope(from: Sources<'_>, pick: &Pick<'_>) -> Result<(), Error> {
    let is_token = matches!(pick, Pick::Profile(_, ProfileKey::Token(_)));
    if from.given.require_scope.is_empty() || is_token {
        return Ok(());
    }
    let error = Error::new("--require-scope has no effect: what is sent is no token of an oauth profile");
    Err(error.hint("choose a profile with an oauth table with --profile"))
}

impl Pick<'_> {
    fn taken(&self) -> Taken {
        match self {
            Self::Variable(name, ..) => Taken::Variable(name),
            Self::Profile(_, key) => Taken::Profile((*key).clone()),
            Self::Header(_) => Taken::Once("header"),
            Self::Flag(_) => Taken::Once("flag"),
            Self::Embedded => Taken::Once("embedded"),
            Self::Nothing => Taken::Once("nothing"),
        }
    }

    /// What decided it, and how, for a list of all settings.
    pub(super) fn origin(&self) -> Option<(Source, String)> {
        match self {
            Pick::Header(name) => Some((Source::Flag("--header"), format!("headers.{name}"))),
            Pick::Flag(KeySource::File(_)) => Some((Source::Flag("--key-file"), String::new())),
            Pick::Flag(KeySource::Command(_)) => Some((Source::Flag("--key-command"), String::new())),
            Pick::Variable(name, ..) => Some((Source::Variable((*name).to_owned()), String::new())),
            Pick::Profile(profile, key) => Some((Source::Profile((*profile).to_owned()), key.setting())),
            Pick::Embedded | Pick::Nothing => None,
        }
    }
}

fn variable(from: Sources<'_>, name: &str, source: &str) -> Result<Secret, Error> {
    let text = from.environment.value(name);
    text.map(Secret::new).ok_or_else(|| Error::new(format!("{source}: the variable is not set")))
}

fn credential(key: &Secret, header: KeyHeader, bound: &Bindings, source: &str) -> Result<Credential, Error> {
    let (name, value) = match header {
        KeyHeader::ApiKey => ("x-api-key", HeaderValue::from_str(key.expose())),
        KeyHeader::Bearer => ("authorization", HeaderValue::from_str(&format!("Bearer {}", key.expose()))),
    };
    let printable = key.expose().chars().all(|c| c.is_ascii_graphic());
    let value = value.ok().filter(|_| printable).ok_or_else(|| {
        Error::new(format!("{source}: the key holds white space or characters that no key has"))
            .hint("it must be the key alone, on one line")
    })?;
    Ok(Credential::new(HeaderName::from_static(name), value, bound.origin.clone(), source))
}

/// What a key's command must do.
const COMMAND_HINT: &str = "a shell runs the command: it must print the key and end with exit code 0";

/// Runs the command in the user's shell; what it prints is the key, and never shown.
pub(super) fn run(command: &str, source: &str) -> Result<Secret, Error> {
    let shell = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut run = Command::new(shell.0);
    run.arg(shell.1).arg(command).stdin(Stdio::inherit()).stderr(Stdio::inherit());
    let output =
        run.output().map_err(|error| Error::new(format!("{source}: {} cannot run: {error}", shell.0)))?;
    if !output.status.success() {
        return Err(Error::new(format!("{source} failed: {}", output.status)).hint(COMMAND_HINT));
    }
    let text = String::from_utf8(output.stdout)
        .map_err(|_| Error::new(format!("{source}: what it printed is not UTF-8 text")))?;
    match text.trim() {
        "" => Err(Error::new(format!("{source} printed nothing")).hint(COMMAND_HINT)),
        key => Ok(Secret::new(key)),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Environment, Given, Settings, resolve};
    use crate::wire::Dialect;

    fn settings(url: Option<&str>, api: Dialect, variables: &[(&str, &str)]) -> Settings {
        let given =
            Given { urls: url.into_iter().map(str::to_owned).collect(), api: Some(api), ..Given::default() };
        resolve(&given, &Environment::of(variables)).unwrap()
    }

    fn sent(settings: &Settings) -> Option<(&str, &str)> {
        settings.credential.as_ref().map(|credential| (credential.header().as_str(), credential.source()))
    }

    #[test]
    fn without_a_base_in_the_environment_a_key_belongs_to_the_url_of_the_command_line() {
        let key = [("ANTHROPIC_API_KEY", "sk-1")];
        let settings = settings(Some("https://r.example"), Dialect::Messages, &key);
        assert_eq!(sent(&settings), Some(("x-api-key", "ANTHROPIC_API_KEY")));
    }

    #[test]
    fn a_key_whose_base_is_named_goes_to_no_other_origin() {
        let bound = [("ANTHROPIC_API_KEY", "sk-1"), ("ANTHROPIC_BASE_URL", "https://theirs.example")];
        let elsewhere = settings(Some("https://r.example"), Dialect::Messages, &bound);
        assert_eq!(sent(&elsewhere), None);
        assert!(
            elsewhere.notices[0].contains("belongs to https://theirs.example"),
            "{:?}",
            elsewhere.notices
        );
        assert!(sent(&settings(Some("https://theirs.example/v1"), Dialect::Messages, &bound)).is_some());
        assert!(sent(&settings(None, Dialect::Messages, &bound)).is_some());
        let ours = [("OPENAI_API_KEY", "sk-1"), ("BATON_URL", "https://ours.example")];
        assert_eq!(sent(&settings(Some("https://r.example"), Dialect::Chat, &ours)), None);
        assert!(sent(&settings(None, Dialect::Chat, &ours)).is_some());
    }

    #[test]
    fn each_dialect_reads_its_own_vendors_key_and_a_token_travels_as_bearer() {
        let all = [("ANTHROPIC_AUTH_TOKEN", "t"), ("ANTHROPIC_API_KEY", "a"), ("OPENAI_API_KEY", "o")];
        let relay = Some("https://r.example");
        assert_eq!(
            sent(&settings(relay, Dialect::Messages, &all)),
            Some(("authorization", "ANTHROPIC_AUTH_TOKEN"))
        );
        assert_eq!(sent(&settings(relay, Dialect::Chat, &all)), Some(("authorization", "OPENAI_API_KEY")));
        assert_eq!(sent(&settings(relay, Dialect::Raw, &all)), None);
        let with_ours = [all[0], ("BATON_KEY", "b")];
        assert_eq!(sent(&settings(relay, Dialect::Messages, &with_ours)), Some(("x-api-key", "BATON_KEY")));
    }

    #[test]
    fn the_embedded_relay_is_given_no_credential() {
        let embedded = Some(crate::net::Url::parse("http://127.0.0.1:9/").unwrap());
        let given = Given { embedded, ..Given::default() };
        let settings = resolve(&given, &Environment::of(&[("ANTHROPIC_API_KEY", "sk-1")])).unwrap();
        assert_eq!(sent(&settings), None);
    }

    #[test]
    fn a_key_that_is_no_key_is_refused_without_being_shown() {
        let given = Given { urls: vec!["https://r.example".to_owned()], ..Given::default() };
        let error = resolve(&given, &Environment::of(&[("BATON_KEY", "two planted words")])).unwrap_err();
        assert!(error.message.contains("BATON_KEY") && !format!("{error:?}").contains("planted"));
    }
}

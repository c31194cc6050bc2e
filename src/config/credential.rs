//! Chooses the one credential that is sent, and the origin it belongs to.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::net::{Credential, HeaderMap, HeaderName, HeaderValue};
use crate::units::Secret;

use super::headers::CREDENTIAL_HEADERS;
use super::target::{Bindings, KeyHeader, key_header, vendor};
use super::{Environment, Error, Given, KeySource};

/// The credential, and what to say about it.
pub(super) struct Chosen {
    pub(super) credential: Option<Credential>,
    /// A clause to follow "the key …" or a sentence of its own in an error about credentials.
    pub(super) story: String,
    pub(super) notices: Vec<String>,
}

impl Chosen {
    fn none(story: impl Into<String>) -> Self {
        Self { credential: None, story: story.into(), notices: Vec::new() }
    }
}

/// A header of the user's own replaces everything; then flags, then `BATON_KEY`, then the vendor's variables.
pub(super) fn choose(
    given: &Given,
    environment: &Environment,
    bound: &Bindings,
    headers: &HeaderMap,
) -> Result<Chosen, Error> {
    if let Some(name) = CREDENTIAL_HEADERS.iter().find(|name| headers.contains_key(**name)) {
        if given.key.is_some() {
            let message =
                format!("--header gives a credential ({name}) and --key-file or --key-command another");
            return Err(Error::new(message).hint("exactly one credential is sent: leave one of them out"));
        }
        return Ok(Chosen::none(format!("the credential came from --header ({name})")));
    }
    let header = key_header(bound.dialect);
    match &given.key {
        Some(KeySource::File(path)) => {
            let key = read_file(path)?;
            return credential(&key, header, bound, &format!("--key-file {}", path.display()));
        }
        Some(KeySource::Command(command)) => {
            return credential(&run(command)?, header, bound, "--key-command");
        }
        None if bound.embedded => return Ok(Chosen::none("no credential is sent to the embedded relay")),
        None => {}
    }
    from_environment(environment, header, bound)
}

fn from_environment(environment: &Environment, header: KeyHeader, bound: &Bindings) -> Result<Chosen, Error> {
    let own = [("BATON_KEY", header)];
    let theirs = vendor(bound.dialect).map(|vendor| vendor.keys).unwrap_or_default();
    let mut withheld = Vec::new();
    let mut chosen: Option<(Chosen, &str)> = None;
    let own = own.iter().map(|key| (key, &bound.own_elsewhere));
    for ((name, header), elsewhere) in own.chain(theirs.iter().map(|key| (key, &bound.vendor_elsewhere))) {
        let Some(text) = environment.value(name) else { continue };
        if let Some((origin, variable)) = elsewhere {
            withheld
                .push(format!("{name} belongs to {origin} ({variable}) and is not sent to {}", bound.origin));
        } else if let Some((chosen, first)) = &mut chosen {
            chosen.notices.push(format!("both {first} and {name} are set: only {first} is sent"));
        } else {
            chosen = Some((credential(&Secret::new(text), *header, bound, name)?, name));
        }
    }
    Ok(match chosen {
        Some((chosen, _)) => chosen,
        None if withheld.is_empty() => Chosen::none("no credential was sent: none was given"),
        None => Chosen {
            credential: None,
            story: format!("no credential was sent: {}", withheld[0]),
            notices: withheld,
        },
    })
}

fn credential(key: &Secret, header: KeyHeader, bound: &Bindings, source: &str) -> Result<Chosen, Error> {
    let (name, value) = match header {
        KeyHeader::ApiKey => ("x-api-key", HeaderValue::from_str(key.expose())),
        KeyHeader::Bearer => ("authorization", HeaderValue::from_str(&format!("Bearer {}", key.expose()))),
    };
    let printable = key.expose().chars().all(|c| c.is_ascii_graphic());
    let value = value.ok().filter(|_| printable).ok_or_else(|| {
        Error::new(format!("{source}: the key holds white space or characters that no key has"))
            .hint("it must be the key alone, on one line")
    })?;
    let credential = Credential::new(HeaderName::from_static(name), value, bound.origin.clone(), source);
    let story = format!("the key came from {source}");
    Ok(Chosen { credential: Some(credential), story, notices: Vec::new() })
}

fn read_file(path: &Path) -> Result<Secret, Error> {
    let named =
        |problem: &dyn std::fmt::Display| Error::new(format!("--key-file {}: {problem}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| named(&error))?;
    let key = text.trim();
    if key.is_empty() {
        return Err(named(&"the file is empty"));
    }
    Ok(Secret::new(key))
}

/// Runs the command in the user's shell; what it prints is the key, and never shown.
fn run(command: &str) -> Result<Secret, Error> {
    let shell = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut run = Command::new(shell.0);
    run.arg(shell.1).arg(command).stdin(Stdio::inherit()).stderr(Stdio::inherit());
    let output = run
        .output()
        .map_err(|error| Error::new(format!("--key-command: {} cannot run: {error}", shell.0)))?;
    if !output.status.success() {
        return Err(Error::new(format!("--key-command failed: {}", output.status)));
    }
    let text = String::from_utf8(output.stdout)
        .map_err(|_| Error::new("--key-command: what it printed is not UTF-8 text"))?;
    match text.trim() {
        "" => Err(Error::new("--key-command printed nothing")),
        key => Ok(Secret::new(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, resolve};
    use crate::wire::Dialect;

    fn settings(url: Option<&str>, api: Dialect, variables: &[(&str, &str)]) -> Settings {
        let given = Given { url: url.map(str::to_owned), api: Some(api), ..Given::default() };
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
        let given = Given { url: Some("https://r.example".to_owned()), ..Given::default() };
        let error = resolve(&given, &Environment::of(&[("BATON_KEY", "two planted words")])).unwrap_err();
        assert!(error.message.contains("BATON_KEY") && !format!("{error:?}").contains("planted"));
    }
}

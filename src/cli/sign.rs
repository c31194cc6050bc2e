//! The flags of request signing, and where its keys are read from.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::client::Station;
use crate::config::{Environment, Settings, SignDefaults, read_private};
use crate::net::{KeyNames, Scheme, SchemeName, Scope, ScopeName, Signer, SigningKey, Url};
use crate::units::Secret;

use super::Usage;
use super::options::TargetOptions;

/// The service that a signature of AWS's is for, where nothing else is said.
const SERVICE: &str = "bedrock";

/// Headers that would be a credential beside a signature that is one.
const CREDENTIALS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// Whether and how requests are signed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Policy")]
pub(super) struct SignOptions {
    /// Sign each attempt by HMAC-SHA256; `sigv4` in place of a credential [default: off]
    #[arg(long, value_name = "SCHEME", value_parser = schemes())]
    sign: Option<Chosen>,
    /// What the relay finds the key by; for kong and sigv4 NEW,OLD where the file has two keys [default:
    /// `BATON_SIGN_KEY_ID`; for sigv4 `AWS_ACCESS_KEY_ID`]
    #[arg(long, value_name = "ID")]
    sign_key_id: Option<KeyNames>,
    /// Read the signing key from a file, and the one that it replaces from a second line [default: `BATON_SIGN_KEY`; for
    /// sigv4 `AWS_SECRET_ACCESS_KEY`]
    #[arg(long, value_name = "PATH")]
    sign_key_file: Option<PathBuf>,
    /// The region that sigv4 signs for [default: `AWS_REGION` or `AWS_DEFAULT_REGION`]
    #[arg(long, value_name = "REGION")]
    sign_region: Option<ScopeName>,
    /// The service that sigv4 signs for [default: bedrock]
    #[arg(long, value_name = "SERVICE")]
    sign_service: Option<ScopeName>,
}

/// What `--sign` chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chosen {
    Off,
    By(SchemeName),
}

/// Where the parts of a signer come from, the strongest first. What an endpoint says is stronger than a variable.
struct Sources<'a> {
    flags: &'a SignOptions,
    environment: &'a Environment,
    own: &'a SignDefaults,
}

/// Where a key is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum KeyPlace {
    Variable(&'static str),
    /// A file, and what names it.
    File(&'static str, PathBuf),
}

/// Keys that have been read, with where from: some files can be read only once.
type Read = Vec<(KeyPlace, Secret)>;

impl SignOptions {
    /// Gives each endpoint the signer that the flags, the environment and the profile ask for, if they ask for one. A signature
    /// that takes the place of a credential removes it from the settings.
    pub(super) fn signing(
        &self,
        environment: &Environment,
        target: &TargetOptions,
        settings: &mut Settings,
    ) -> anyhow::Result<Signing> {
        let chosen: Vec<_> = settings.signs.iter().map(|own| self.scheme(own)).collect();
        self.refuse_idle(&chosen)?;
        if chosen.contains(&Some(SchemeName::SigV4)) {
            refuse_second(target, settings)?;
        }
        let (flags, environment) = (self.clone(), environment.clone());
        let mut signing = Signing { flags, environment, read: Read::new(), made: Vec::new() };
        signing.equip(&mut settings.stations, &settings.signs)?;
        if chosen[0] == Some(SchemeName::SigV4) {
            settings.credential = None;
            "the credential is a signature (sigv4)".clone_into(&mut settings.credential_story);
        }
        Ok(signing)
    }

    /// The same where requests go to the first endpoint alone: its signer, if it has one.
    pub(super) fn signer(
        &self,
        environment: &Environment,
        target: &TargetOptions,
        settings: &mut Settings,
    ) -> anyhow::Result<Option<Arc<Signer>>> {
        self.signing(environment, target, settings)?;
        Ok(settings.stations[0].signer.clone())
    }

    /// How requests to an endpoint are signed of which the profile says this.
    fn scheme(&self, own: &SignDefaults) -> Option<SchemeName> {
        self.sign.map_or(own.scheme, Chosen::scheme)
    }

    fn refuse_idle(&self, chosen: &[Option<SchemeName>]) -> Result<(), Usage> {
        let signs = chosen.iter().any(Option::is_some);
        let is_aws = chosen.contains(&Some(SchemeName::SigV4));
        let idle = [
            ("--sign-key-id", self.sign_key_id.is_some() && !signs),
            ("--sign-key-file", self.sign_key_file.is_some() && !signs),
            ("--sign-region", self.sign_region.is_some() && !is_aws),
            ("--sign-service", self.sign_service.is_some() && !is_aws),
        ];
        let Some((flag, _)) = idle.into_iter().find(|(_, is_idle)| *is_idle) else { return Ok(()) };
        let how =
            if signs { "--sign sigv4 alone has one" } else { "--sign simple, kong or sigv4 asks for it" };
        Err(Usage::new(format!("{flag} has no effect with what --sign says")).hint(how))
    }
}

/// What gives endpoints their signers, those that come later, too.
pub(super) struct Signing {
    flags: SignOptions,
    environment: Environment,
    read: Read,
    /// What signs for whom. One that stays keeps what it has learned of its relay's clock.
    made: Vec<(Url, SignDefaults, Arc<Signer>)>,
}

impl Signing {
    /// Gives each of these endpoints its signer, where there is to be one, by what the profile says for it.
    pub(super) fn equip(&mut self, stations: &mut [Station], signs: &[SignDefaults]) -> anyhow::Result<()> {
        for (station, own) in stations.iter_mut().zip(signs) {
            let Some(name) = self.flags.scheme(own) else { continue };
            station.signer = Some(self.signer(&station.endpoint.url, (name, own))?);
            if name == SchemeName::SigV4 {
                station.credential = None;
            }
        }
        Ok(())
    }

    fn signer(&mut self, url: &Url, (name, own): (SchemeName, &SignDefaults)) -> anyhow::Result<Arc<Signer>> {
        if let Some((.., known)) = self.made.iter().find(|(at, by, _)| at == url && by == own) {
            return Ok(Arc::clone(known));
        }
        // A profile's key is that of its own scheme.
        let theirs = Some(own).filter(|own| own.scheme == Some(name)).cloned().unwrap_or_default();
        let from = Sources { flags: &self.flags, environment: &self.environment, own: &theirs };
        let signer = Arc::new(from.signer(name, &mut self.read)?);
        self.made.push((url.clone(), own.clone(), Arc::clone(&signer)));
        Ok(signer)
    }
}

impl Sources<'_> {
    fn signer(&self, name: SchemeName, read: &mut Read) -> anyhow::Result<Signer> {
        let keys = self.keys(name, read)?;
        let scheme = match name {
            SchemeName::Simple => Scheme::Simple,
            SchemeName::Kong => Scheme::Kong,
            SchemeName::SigV4 => Scheme::SigV4(self.scope(&keys)?),
        };
        Ok(Signer::new(scheme, keys))
    }

    fn ids(&self, name: SchemeName) -> Result<KeyNames, Usage> {
        let own = self.own.place.key.as_ref().map(|(ids, _)| ids);
        if let Some(ids) = self.flags.sign_key_id.as_ref().or(own) {
            return Ok(ids.clone());
        }
        let variables = variables("BATON_SIGN_KEY_ID", "AWS_ACCESS_KEY_ID", name);
        if let Some((variable, id)) = self.first(&variables) {
            return id.parse().map_err(|problem| Usage::new(format!("{variable}: {problem}")));
        }
        self.own.key_id.clone().ok_or_else(|| {
            Usage::new(format!("--sign {name} needs the name of its key")).hint(format!(
                "give it by --sign-key-id, {} or sign-key-id in a profile",
                variables.join(", ")
            ))
        })
    }

    fn keys(&self, name: SchemeName, read: &mut Read) -> anyhow::Result<Vec<SigningKey>> {
        let (ids, place) = (self.ids(name)?, self.key_place(name)?);
        let source = match &place {
            KeyPlace::Variable(variable) => (*variable).to_owned(),
            KeyPlace::File(flag, path) => format!("{flag} {}", path.display()),
        };
        if let Some((_, text)) = read.iter().find(|(known, _)| *known == place) {
            return Ok(keys(&ids, text, (name, &source))?);
        }
        let text = match &place {
            KeyPlace::Variable(variable) => Secret::new(self.environment.value(variable).unwrap_or_default()),
            KeyPlace::File(_, path) => read_private(path, &source)?,
        };
        let keys = keys(&ids, &text, (name, &source))?;
        read.push((place, text));
        Ok(keys)
    }

    fn key_place(&self, name: SchemeName) -> Result<KeyPlace, Usage> {
        let variables = variables("BATON_SIGN_KEY", "AWS_SECRET_ACCESS_KEY", name);
        let file = |flag, path: Option<&PathBuf>| Some(KeyPlace::File(flag, path?.clone()));
        let flag = file("--sign-key-file", self.flags.sign_key_file.as_ref());
        let endpoint = || file("sign-key-file", self.own.place.key.as_ref().map(|(_, path)| path));
        let variable = || self.first(&variables).map(|(variable, _)| KeyPlace::Variable(variable));
        let profile = || file("sign-key-file", self.own.key_file.as_ref());
        flag.or_else(endpoint).or_else(variable).or_else(profile).ok_or_else(|| {
            let ways = format!("--sign-key-file, {} or sign-key-file in a profile", variables.join(", "));
            Usage::new(format!("--sign {name} needs its key")).hint(format!("give it by {ways}"))
        })
    }

    fn scope(&self, keys: &[SigningKey]) -> Result<Scope, Usage> {
        let told = self.flags.sign_region.as_ref().or(self.own.place.region.as_ref());
        let region = match (told, self.first(&["AWS_REGION", "AWS_DEFAULT_REGION"])) {
            (Some(region), _) => Some(region.clone()),
            (None, Some((variable, text))) => {
                Some(text.parse().map_err(|problem| Usage::new(format!("{variable}: {problem}")))?)
            }
            (None, None) => self.own.region.clone(),
        };
        let region = region.ok_or_else(|| {
            Usage::new("--sign sigv4 needs a region")
                .hint("give it by --sign-region or AWS_REGION, as in eu-west-1")
        })?;
        let service = self.flags.sign_service.clone().or_else(|| self.own.service.clone());
        let service = service.unwrap_or_else(|| SERVICE.parse().expect("it is letters"));
        let session = self.session()?;
        if session.is_some() && keys.len() > 1 {
            return Err(Usage::new(
                "AWS_SESSION_TOKEN belongs to one key, and AWS_SECRET_ACCESS_KEY holds two",
            )
            .hint("a temporary key is replaced by another, and needs no second one beside it"));
        }
        Ok(Scope { region, service, session })
    }

    /// What goes beside the temporary key of the environment, and beside no other key.
    fn session(&self) -> Result<Option<Secret>, Usage> {
        let is_theirs = self.key_place(SchemeName::SigV4)? == KeyPlace::Variable("AWS_SECRET_ACCESS_KEY");
        let session = self.environment.value("AWS_SESSION_TOKEN");
        let Some(session) = session.filter(|_| is_theirs) else {
            return Ok(None);
        };
        if session.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Some(Secret::new(session)));
        }
        Err(Usage::new("AWS_SESSION_TOKEN: it holds characters that no token has"))
    }

    /// The first of these variables that is set.
    fn first(&self, names: &[&'static str]) -> Option<(&'static str, &str)> {
        names.iter().find_map(|name| Some((*name, self.environment.value(name)?)))
    }
}

fn variables(ours: &'static str, theirs: &'static str, name: SchemeName) -> Vec<&'static str> {
    if name == SchemeName::SigV4 { vec![ours, theirs] } else { vec![ours] }
}

/// Refuses a credential beside a signature that takes its place.
fn refuse_second(target: &TargetOptions, settings: &Settings) -> Result<(), Usage> {
    let header = CREDENTIALS.iter().find(|name| settings.headers.contains_key(**name));
    let given = if target.key_file.is_some() {
        "--key-file".to_owned()
    } else if target.key_command.is_some() {
        "--key-command".to_owned()
    } else if let Some(name) = header {
        format!("--header ({name})")
    } else {
        return Ok(());
    };
    Err(Usage::new(format!("{given} gives a credential and --sign sigv4 another"))
        .hint("exactly one credential is sent: leave one of them out"))
}

/// Takes keys out of a text, a line each, the one in force first, and looks at their number, names and lengths.
pub(super) fn keys(
    ids: &KeyNames,
    text: &Secret,
    (name, source): (SchemeName, &str),
) -> Result<Vec<SigningKey>, Usage> {
    let keys: Vec<_> = text.expose().lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let named = |problem: String| Usage::new(format!("{source}: {problem}"));
    let ids = ids.as_slice();
    let hint = match (name.names_each_key(), ids.len(), keys.len()) {
        (_, _, 3..) => {
            "while keys are changed there are two: the new one on the first line and the old one on the second"
        }
        (true, 1, 2) => "each key has a name of its own there: --sign-key-id NEW,OLD",
        (true, 2, 1) | (_, _, 0) => "the file has a line for each name, the new key's first",
        (false, 2, _) => "requests are signed by both keys under one name: give that name alone",
        _ => "",
    };
    if !hint.is_empty() {
        let problem = format!("{} keys and {} names for them, with --sign {name}", keys.len(), ids.len());
        return Err(named(problem).hint(hint));
    }
    let least = name.shortest_key();
    if let Some(short) = keys.iter().find(|key| key.len() < least) {
        let problem = format!("a key of {} bytes, and {name} needs at least {least}", short.len());
        return Err(named(problem).hint("openssl rand -hex 32 makes one"));
    }
    let ids = ids.iter().cycle();
    Ok(keys
        .into_iter()
        .zip(ids)
        .map(|(key, id)| SigningKey { id: id.clone(), secret: Secret::new(key) })
        .collect())
}

impl Chosen {
    fn scheme(self) -> Option<SchemeName> {
        match self {
            Self::Off => None,
            Self::By(name) => Some(name),
        }
    }
}

/// A scheme; help, completions and the refusal of another word list all.
fn schemes() -> impl TypedValueParser<Value = Chosen> {
    PossibleValuesParser::new(["off", "simple", "kong", "sigv4"]).try_map(|name| match name.as_str() {
        "off" => Ok(Chosen::Off),
        name => name.parse::<SchemeName>().map(Chosen::By),
    })
}

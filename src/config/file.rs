//! The configuration file: where it is, whether it may be trusted, and what it says.

use std::fs;
use std::io;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::document::{Document, Section};
use super::places::Lender;
use super::profile::{Folders, Profile};
use super::{Environment, Error, Given, Prices, Source};
use crate::units::nearest;

/// What the file says; an absent one says nothing.
#[derive(Debug, Default)]
pub(super) struct File {
    /// The file that was read, if there was one.
    pub(super) path: Option<PathBuf>,
    default_profile: Option<String>,
    profiles: Vec<Profile>,
    pub(super) prices: Prices,
}

/// Where the file is, and what named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its path.
    pub path: PathBuf,
    /// The flag or the variable that names it; the default place may be empty.
    pub source: Source,
}

/// The file that is read, or would be if it existed; none where not even a home is known.
pub fn place(given: &Given, environment: &Environment) -> Option<Place> {
    if let Some(path) = &given.config {
        return Some(Place { path: path.clone(), source: Source::Flag("--config") });
    }
    if let Some(path) = environment.path("BATON_CONFIG") {
        return Some(Place { path: path.into(), source: Source::Variable("BATON_CONFIG".to_owned()) });
    }
    // The XDG specification has relative paths ignored.
    let folder = environment.path("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = folder.or_else(|| Some(environment.path("HOME")?.join(".config")))?;
    Some(Place { path: folder.join("baton").join("config.toml"), source: Source::Default })
}

/// The names of the file's profiles, in their order.
pub fn profiles(given: &Given, environment: &Environment) -> Result<Vec<String>, Error> {
    let file = File::read(given, environment)?;
    Ok(file.profiles.into_iter().map(|profile| profile.name).collect())
}

impl File {
    /// Reads the file; only in its default place may it be absent.
    pub(super) fn read(given: &Given, environment: &Environment) -> Result<Self, Error> {
        environment.refuse_unreadable()?;
        let Some(Place { path, source }) = place(given, environment) else { return Ok(Self::default()) };
        let prefix = if source == Source::Default { String::new() } else { format!("{source} ") };
        let failed = |error: io::Error| Error::new(format!("{prefix}{}: {error}", path.display()));
        let mut opened = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if source == Source::Default && is_absence(&error) => return Ok(Self::default()),
            Err(error) => return Err(failed(error)),
        };
        let mut text = String::new();
        opened.read_to_string(&mut text).map_err(failed)?;
        let home = environment.path("HOME");
        let file = Self::parse(Document { path: &path, text: &text }, home)?;
        if let Some(secret) = file.profiles.iter().find_map(|profile| profile.secret.as_ref()) {
            refuse_readable(&opened, &path, secret)?;
        }
        Ok(file)
    }

    /// Reads a file's text.
    pub(super) fn parse(document: Document<'_>, home: Option<&Path>) -> Result<Self, Error> {
        let table = document.parse()?;
        let root = Section::root(document, &table);
        root.only(&["default-profile", "profile", "price"])?;
        let folders = Folders { own: document.path.parent().unwrap_or(Path::new("")), home };
        let mut file = Self { path: Some(document.path.to_owned()), ..Self::default() };
        if let Some(entry) = root.entry("profile") {
            if let Ok(name) = entry.text() {
                let hint = format!("the default profile is named by default-profile = \"{name}\"");
                return Err(entry.refuse("expected tables, as in [profile.NAME]").hint(hint));
            }
            let profiles = entry.section()?;
            file.profiles =
                profiles.entries().map(|entry| Profile::read(&entry, folders)).collect::<Result<_, _>>()?;
        }
        file.lend()?;
        if let Some(entry) = root.entry("price") {
            file.prices = Prices::read(&entry.section()?)?;
        }
        if let Some(entry) = root.entry("default-profile") {
            let name = entry.text()?;
            file.named(name, &entry.place())?;
            file.default_profile = Some(name.to_owned());
        }
        Ok(file)
    }

    /// The profile to use, with what chose it: a flag, a variable or the file itself.
    pub(super) fn choose(
        &self,
        given: &Given,
        environment: &Environment,
    ) -> Result<Option<(&Profile, Source)>, Error> {
        let flag = given.profile.as_deref().map(|name| (name, Source::Flag("--profile")));
        let variable = || {
            let name = environment.value("BATON_PROFILE")?;
            Some((name, Source::Variable("BATON_PROFILE".to_owned())))
        };
        let own = || Some((self.default_profile.as_deref()?, Source::File));
        let Some((name, source)) = flag.or_else(variable).or_else(own) else { return Ok(None) };
        if self.path.is_none() {
            let message = format!("{source}: there is no profile '{name}', since there is no file of them");
            return Err(Error::new(message).hint(match place(given, environment) {
                Some(place) => format!("write [profile.{name}] into {}", place.path.display()),
                None => "name a file with --config or BATON_CONFIG".to_owned(),
            }));
        }
        self.named(name, &source.to_string()).map(|profile| Some((profile, source)))
    }

    /// Gives endpoints the credentials of the profiles that they name.
    fn lend(&mut self) -> Result<(), Error> {
        let lent = |Lender { profile, said }: &Lender| {
            let none = || {
                let error = Error::new(format!("{said}: profile {profile} has no key and no login"));
                error.hint(format!("give [profile.{profile}] one, such as key-env or an oauth table"))
            };
            self.named(profile, said)?.key.clone().ok_or_else(none)
        };
        let places = self.profiles.iter().flat_map(|profile| &profile.places);
        let lenders = places.filter_map(|place| place.lender.as_ref());
        let keys: Vec<_> = lenders.map(lent).collect::<Result<_, _>>()?;
        let places = self.profiles.iter_mut().flat_map(|profile| &mut profile.places);
        for (place, key) in places.filter(|place| place.lender.is_some()).zip(keys) {
            place.key = Some(key);
        }
        Ok(())
    }

    fn named(&self, name: &str, source: &str) -> Result<&Profile, Error> {
        if let Some(profile) = self.profiles.iter().find(|profile| profile.name == name) {
            return Ok(profile);
        }
        let path = self.path.as_deref().unwrap_or(Path::new("")).display();
        let names: Vec<&str> = self.profiles.iter().map(|profile| profile.name.as_str()).collect();
        let hint = match (nearest(name, &names), names.as_slice()) {
            (Some(near), _) => format!("did you mean {near}?"),
            (None, []) => "it has no profiles; one begins with [profile.NAME]".to_owned(),
            (None, names) => format!("its profiles: {}", names.join(", ")),
        };
        Err(Error::new(format!("{source}: {path} has no profile '{name}'")).hint(hint))
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Refuses a file with a secret in it that other users of the machine can read.
#[cfg(unix)]
fn refuse_readable(file: &fs::File, path: &Path, secret: &str) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    /// Read permission of the group and of others.
    const READABLE: u32 = 0o044;
    let failed = |error| Error::new(format!("{}: {error}", path.display()));
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & READABLE == 0 {
        return Ok(());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let path = path.display().to_string();
    let path = if path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) };
    let message = format!("{secret} is a secret, and other users can read the file (mode {mode:03o})");
    Err(Error::new(message).hint(format!("chmod 600 {path}")))
}

/// Elsewhere permissions have no such bits.
#[cfg(not(unix))]
fn refuse_readable(_: &fs::File, _: &Path, _: &str) -> Result<(), Error> {
    Ok(())
}

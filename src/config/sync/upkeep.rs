//! What a run takes from a synced file: endpoints and limits at its start, and each newer version while it lasts.

use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use crate::client::Station;

use super::super::credential::Chosen;
use super::super::profile::Profile;
use super::super::{
    Environment, Error, Given, PolicyDefaults, Resolved, SignDefaults, Sources, stations, target,
};
use super::{Follower, Report, Synced};

/// Keeps a run in step with its profile's sources.
#[derive(Debug)]
pub struct Upkeep {
    given: Given,
    environment: Environment,
    /// As the configuration file has it.
    profile: Profile,
    follower: Follower,
    /// The version that the run goes by, once there is one.
    version: Option<u64>,
    /// When a source served it last.
    confirmed: Timestamp,
    /// Whether it was told that no version may be used any more.
    has_lapsed: bool,
    /// The credentials that were read for endpoints so far.
    made: Vec<Chosen>,
}

/// What a look at the sources came to.
#[derive(Debug)]
pub enum News {
    /// Another version is in force.
    Changed(Box<Update>),
    /// No version may be used any more, and why.
    Lapsed(String),
    /// Nothing that was not told before.
    Nothing,
}

/// What a version says.
#[derive(Debug)]
pub struct Update {
    /// Which it is.
    pub version: u64,
    /// All endpoints, with the credential of each.
    pub stations: Vec<Station>,
    /// What the profile says of signatures, for each of them.
    pub signs: Vec<SignDefaults>,
    /// The profile's policy with the limits of this version.
    pub policy: PolicyDefaults,
}

impl Upkeep {
    /// The profile as the version has it that is kept, if one may be used; nobody is asked for it.
    pub(in crate::config) fn peek(from: Sources<'_>) -> Result<Option<Profile>, Error> {
        let Some((profile, follower)) = followed(from)? else { return Ok(None) };
        // A file that cannot be read is told where it is used.
        let Ok(Ok((synced, _))) = follower.last_known_good() else { return Ok(None) };
        Ok(Some(profile.with(&synced)))
    }

    /// The profile as the synced file has it, and what keeps a run in step with that; none where the profile has no
    /// `config-url`, or flags or variables name another relay than the profile's. What was kept is used at once; only where
    /// none of that may be used are the sources asked first.
    ///
    /// # Errors
    ///
    /// That nothing may be used, where the profile names no address of its own to go to.
    pub(in crate::config) fn begin(
        from: Sources<'_>,
        notices: &mut Vec<String>,
    ) -> Result<Option<(Self, Profile)>, Error> {
        let Some((profile, follower)) = followed(from)? else { return Ok(None) };
        let mut upkeep = Self {
            given: from.given.clone(),
            environment: from.environment.clone(),
            profile: profile.clone(),
            follower,
            version: None,
            confirmed: Timestamp::UNIX_EPOCH,
            has_lapsed: false,
            made: Vec::new(),
        };
        let hint =
            format!("`baton config sync --once --profile {}` tells what each source serves", profile.name);
        match upkeep.known() {
            Ok(synced) => {
                let profile = profile.with(&synced);
                Ok(Some((upkeep, profile)))
            }
            Err(error) if profile.places.is_empty() => Err(error.hint(hint)),
            Err(error) => {
                upkeep.has_lapsed = true;
                notices.push(format!("{}: its own address is used", error.message));
                Ok(Some((upkeep, profile.clone())))
            }
        }
    }

    /// The version to begin with.
    fn known(&mut self) -> Result<Synced, Error> {
        if let Ok((synced, confirmed)) = self.follower.last_known_good()? {
            (self.version, self.confirmed) = (Some(synced.version), confirmed);
            return Ok(synced);
        }
        let Report { in_force, confirmed, .. } = self.ask()?;
        let synced = in_force.map_err(|refusal| self.follower.refused(&refusal))?;
        (self.version, self.confirmed) = (Some(synced.version), confirmed.unwrap_or_default());
        Ok(synced)
    }

    /// Looks at the sources before anything else goes on; a caller may be within a runtime of its own.
    fn ask(&self) -> Result<Report, Error> {
        let failed = |error: std::io::Error| Error::new(format!("the sources cannot be asked: {error}"));
        let poll = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(failed)?;
            let report = runtime.block_on(self.follower.poll());
            // A name look-up may still hang in a thread of its own.
            runtime.shutdown_background();
            report
        };
        thread::scope(|scope| scope.spawn(poll).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// The same, which knows these credentials already.
    pub(in crate::config) fn having_made(self, made: Vec<Chosen>) -> Self {
        Self { made, ..self }
    }

    /// The version that the run begins with.
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// The time to the first look: none where nobody on this machine has looked for as long as a poll takes.
    pub fn first_pause(&self) -> Duration {
        let age = Duration::try_from(Timestamp::now().duration_since(self.confirmed)).unwrap_or_default();
        if age >= self.follower.subscription.poll.0 { Duration::ZERO } else { self.pause() }
    }

    /// The time to the next look.
    pub fn pause(&self) -> Duration {
        self.follower.pause()
    }

    /// Looks at all sources, and tells what the run does not know yet.
    ///
    /// # Errors
    ///
    /// That what is kept cannot be read or written, or that there is no credential for an endpoint of the new version; that
    /// version is not tried again.
    pub async fn look(&mut self) -> Result<News, Error> {
        match self.follower.poll().await?.in_force {
            Ok(synced) => {
                self.has_lapsed = false;
                if self.version == Some(synced.version) {
                    return Ok(News::Nothing);
                }
                self.version = Some(synced.version);
                Ok(News::Changed(Box::new(self.update(&synced)?)))
            }
            Err(_) if self.has_lapsed => Ok(News::Nothing),
            Err(refusal) => {
                self.has_lapsed = true;
                Ok(News::Lapsed(self.follower.refused(&refusal).message))
            }
        }
    }

    fn update(&mut self, synced: &Synced) -> Result<Update, Error> {
        let profile = self.profile.with(synced);
        let from = Sources { given: &self.given, environment: &self.environment, profile: Some(&profile) };
        let (dialect, _) = target::dialect(from)?;
        let bases = target::bases(from, dialect)?;
        let Resolved { stations, signs, .. } = stations(from, (dialect, &bases), &mut self.made)?;
        Ok(Update { version: synced.version, stations, signs, policy: profile.policy })
    }
}

/// The profile whose synced file says where requests go, with what follows its sources; none where flags or variables name
/// another relay than the profile's.
fn followed(from: Sources<'_>) -> Result<Option<(&Profile, Follower)>, Error> {
    let (dialect, _) = target::dialect(from)?;
    let is_elsewhere = !target::bases_elsewhere(from, dialect)?.is_empty();
    let Some(profile) = from.profile.filter(|_| !is_elsewhere) else { return Ok(None) };
    Ok(Follower::of(profile, from.environment)?.map(|follower| (profile, follower)))
}

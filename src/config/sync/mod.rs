//! Configuration that is kept in step between regions: fetched, checked, and kept where the next run finds it.
//!
//! A profile's [`Subscription`] names the sources, the key and the hosts. A [`Follower`] looks at all sources, `judge`
//! says what each of them is worth and which version is in force, and the last-known-good file lies in a private file.
//! docs/config-sync.md is the operator's side of it.

mod fetch;
mod hosts;
mod judge;
mod state;
mod subscription;
mod synced;
#[cfg(test)]
mod tests;
mod upkeep;

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::net::{Connection, HttpVersion, Pool, shown_url};
use crate::units::Span;

use super::file::File;
use super::profile::Profile;
use super::{Environment, Error, Given, Setting, Source};

use self::judge::{Looked, judge, usable};
use self::state::{Seen, Shelf, State};

pub use self::state::OutOfStep;
pub use self::subscription::{Site, Subscription};
pub use self::synced::{Endpoint, Limits, Synced};
pub use self::upkeep::{News, Update, Upkeep};

/// How many polls in a row may find sources out of step before it counts as a failure.
const PATIENCE: u32 = 2;
/// By how much the time to the next poll is changed at random, up or down, so that clients do not poll in step.
const JITTER: f64 = 0.2;

/// After how many polls a source is asked for the whole file, whatever its entity tag says.
const IN_FULL: u32 = 10;

/// What a look at a source came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It serves the version in force, and did not at the look before.
    New,
    /// It serves the version in force, as before.
    Unchanged,
    /// It serves an older version than before.
    RolledBack,
    /// It serves an older version than is in force, and has not served a newer one.
    Stale,
    /// What it serves is not signed by the key.
    BadSignature,
    /// What it serves broke off.
    Truncated,
    /// What it serves is signed, and says what a synced file may not.
    Refused,
    /// What it serves is signed, and held until a moment that has passed.
    Expired,
    /// It serves nothing.
    Unreachable,
}

impl Verdict {
    /// The verdict as a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Unchanged => "unchanged",
            Self::RolledBack => "rolled-back",
            Self::Stale => "stale",
            Self::BadSignature => "bad-signature",
            Self::Truncated => "truncated",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Unreachable => "unreachable",
        }
    }

    /// Whether the source serves the version in force.
    pub const fn is_in_step(self) -> bool {
        matches!(self, Self::New | Self::Unchanged)
    }
}

/// Why no synced configuration may be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There never was one.
    #[error("none was ever accepted on this machine")]
    Nothing,
    /// No source has confirmed it for too long.
    #[error("no source has served version {version} for {}, and config-max-age is {max_age}", Span(Duration::from_secs(age.as_secs())))]
    TooOld {
        /// What was kept.
        version: u64,
        /// How long ago a source served it.
        age: Duration,
        /// How long that may be.
        max_age: Span,
    },
    /// It names an end that has passed.
    #[error("version {version} held until {not_after}")]
    Expired {
        /// What was kept.
        version: u64,
        /// Its end.
        not_after: Timestamp,
    },
    /// It does not pass the checks of today's profile, or was changed on the disk.
    #[error("version {version}, which was kept, does not pass: {why}")]
    Unfit {
        /// What was kept.
        version: u64,
        /// What is wrong.
        why: String,
    },
}

/// Follows a profile's sources.
#[derive(Debug)]
pub struct Follower {
    /// The profile's name.
    profile: String,
    subscription: Subscription,
    shelf: Shelf,
}

/// What a poll found.
#[derive(Debug)]
pub struct Report {
    /// When it was made.
    pub moment: Timestamp,
    /// What may be used now.
    pub in_force: Result<Synced, Refusal>,
    /// When a source served it last.
    pub confirmed: Option<Timestamp>,
    /// What each source served, in the order of their names.
    pub sources: Vec<Row>,
    /// Since when they have not all served what is in force.
    pub out_of_step: Option<OutOfStep>,
    /// Whether that has gone on for too long.
    pub is_too_long: bool,
}

/// What a source served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The source.
    pub site: Site,
    /// The version, where one could be read.
    pub version: Option<u64>,
    /// What it is worth.
    pub verdict: Verdict,
    /// More about it; may be empty.
    pub detail: String,
}

/// What follows the sources of the profile that was chosen, for `baton config sync`.
pub fn follower(given: &Given, environment: &Environment) -> Result<Follower, Error> {
    let file = File::read(given, environment)?;
    let Some((profile, _)) = file.choose(given, environment)? else {
        let error =
            Error::new("no profile is named, and the sources of a synced configuration are a profile's");
        return Err(error.hint("give one with --profile, or set BATON_PROFILE"));
    };
    Follower::of(profile, environment)?.ok_or_else(|| {
        Error::new(format!("profile {} has no config-url", profile.name))
            .hint("docs/config-sync.md says what it takes to keep configuration in step")
    })
}

impl Follower {
    /// What follows this profile's sources, if it has any.
    fn of(profile: &Profile, environment: &Environment) -> Result<Option<Self>, Error> {
        let Some(subscription) = profile.subscription.clone() else { return Ok(None) };
        let name = profile.name.clone();
        let path = environment.state_file("sync", &name).ok_or_else(|| {
            Error::new(format!("profile {name}: there is no place for its synced configuration"))
                .hint("set HOME or XDG_STATE_HOME")
        })?;
        Ok(Some(Self { profile: name, subscription, shelf: Shelf::at(path) }))
    }

    /// The profile's name.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// Where the last-known-good file lies.
    pub fn path(&self) -> &Path {
        self.shelf.path()
    }

    /// For how long a version is used that no source serves any more.
    pub fn max_age(&self) -> Span {
        self.subscription.max_age
    }

    /// That nothing may be used, as an error.
    pub fn refused(&self, refusal: &Refusal) -> Error {
        Error::new(format!("profile {} has no synced configuration to use: {refusal}", self.profile))
    }

    /// The time to the next poll: that of the profile, a fifth more or less.
    pub fn pause(&self) -> Duration {
        self.subscription.poll.0.mul_f64(1.0 + JITTER * (2.0 * fastrand::f64() - 1.0))
    }

    /// Looks at all sources at once, and keeps what is newer and passes.
    ///
    /// # Errors
    ///
    /// When the state cannot be read or written; what is wrong with sources stands in the report.
    pub async fn poll(&self) -> Result<Report, Error> {
        let Self { subscription, shelf, .. } = self;
        let before = shelf.read(&subscription.key_text)?;
        // A kept file that does not pass any more has to be seen again in full.
        let is_fit = usable(&before, subscription, Timestamp::now()).is_ok();
        let looks = subscription.sites.iter().map(|site| self.look(site, Some(&before).filter(|_| is_fit)));
        let looks = join_all(looks).await;
        let lock = shelf.lock().await?;
        let now = Timestamp::now();
        let state = judge(shelf.read(&subscription.key_text)?, looks, subscription, now);
        shelf.write(&state)?;
        drop(lock);
        Ok(self.report(&state, now))
    }

    async fn look(&self, site: &Site, before: Option<&State>) -> Looked {
        let seen = before.and_then(|state| state.sources.get(&site.name)).filter(|seen| seen.url == site.url);
        let began = Timestamp::now();
        let etag = seen.and_then(|seen| self.etag(seen, began));
        let connection = Connection { version: HttpVersion::Negotiated, ..Connection::default() };
        let look = match Pool::new(&connection, &site.url) {
            Ok(pool) => fetch::look(&pool, site, &self.subscription.key, etag).await,
            Err(error) => fetch::Look::Failed(Verdict::Unreachable, error.to_string()),
        };
        Looked { site: site.clone(), began, look }
    }

    /// The tag to ask with; now and then none, since some servers make the same tag for different files.
    fn etag<'a>(&self, seen: &'a Seen, now: Timestamp) -> Option<&'a str> {
        let age = Duration::try_from(now.duration_since(seen.in_full?)).ok()?;
        seen.etag.as_deref().filter(|_| age < self.subscription.poll.0 * IN_FULL)
    }

    fn report(&self, state: &State, now: Timestamp) -> Report {
        let row = |site: &Site| {
            let seen = state.sources.get(&site.name).expect("every site was looked at");
            let (version, verdict, detail) = (seen.version, seen.verdict, seen.detail.clone());
            Row { site: site.clone(), version, verdict, detail }
        };
        Report {
            moment: now,
            in_force: usable(state, &self.subscription, now),
            confirmed: state.kept.as_ref().map(|kept| kept.confirmed),
            sources: self.subscription.sites.iter().map(row).collect(),
            out_of_step: state.out_of_step,
            is_too_long: state.out_of_step.is_some_and(|out| self.is_too_long(out, now)),
        }
    }

    /// More polls than may be, and over a longer time than those take: processes that share the state poll more often.
    fn is_too_long(&self, out: OutOfStep, now: Timestamp) -> bool {
        let shortest = self.subscription.poll.0.mul_f64(f64::from(PATIENCE) * (1.0 - JITTER));
        out.polls > PATIENCE
            && Duration::try_from(now.duration_since(out.since)).is_ok_and(|time| time >= shortest)
    }

    /// What a run that asks nobody would use.
    ///
    /// # Errors
    ///
    /// When the state cannot be read; that it may not be used is no error here.
    pub fn last_known_good(&self) -> Result<Result<(Synced, Timestamp), Refusal>, Error> {
        let state = self.shelf.read(&self.subscription.key_text)?;
        let confirmed = state.kept.as_ref().map(|kept| kept.confirmed).unwrap_or_default();
        Ok(usable(&state, &self.subscription, Timestamp::now()).map(|synced| (synced, confirmed)))
    }
}

/// What `config show` says of a profile's sources, and of the version that was accepted last.
pub(super) fn settings(profile: &Profile, environment: &Environment) -> Vec<Setting> {
    let Some(by) = &profile.subscription else { return Vec::new() };
    let from = || Source::Profile(profile.name.clone());
    let site = |site: &Site| Setting::new(format!("config-url.{}", site.name), shown_url(&site.url), from());
    let mut settings: Vec<Setting> = by.sites.iter().map(site).collect();
    settings.extend([
        Setting::new("config-key", by.key_text.clone(), from()),
        Setting::new("allowed-hosts", by.hosts.to_string(), from()),
        Setting::new("config-max-age", by.max_age.to_string(), from()),
        Setting::new("config-poll", by.poll.to_string(), from()),
    ]);
    let known = Follower::of(profile, environment).and_then(|follower| match follower {
        Some(follower) => follower.last_known_good(),
        None => Ok(Err(Refusal::Nothing)),
    });
    let (value, detail) = match known {
        Ok(Ok((synced, confirmed))) => {
            let (version, not_after) = (synced.version, synced.not_after);
            (Some(format!("version {version}")), format!("confirmed {confirmed:.0}, holds until {not_after}"))
        }
        Ok(Err(refusal)) => (None, refusal.to_string()),
        Err(error) => (None, error.message),
    };
    let synced = Setting { detail, ..Setting::new("synced", value, from()) };
    settings.push(synced);
    settings
}

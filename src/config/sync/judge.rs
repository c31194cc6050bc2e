//! What the looks at all sources come to: a verdict for each, and which version is in force; pure.

use jiff::Timestamp;

use super::super::Error;
use super::fetch::{Look, Signed, verify};
use super::state::{Kept, OutOfStep, Seen, State};
use super::subscription::{Site, Subscription};
use super::synced::Synced;
use super::{Refusal, Verdict};

/// A look at a site, and when it began.
#[derive(Debug, Clone)]
pub(super) struct Looked {
    pub(super) site: Site,
    pub(super) began: Timestamp,
    pub(super) look: Look,
}

/// What a look says, before it is compared with others.
#[derive(Debug)]
enum Said {
    Version(u64),
    Fresh(Box<Synced>, Signed),
    Failed(Verdict, String),
}

/// Takes in what was seen at `now`.
pub(super) fn judge(mut state: State, looks: Vec<Looked>, by: &Subscription, now: Timestamp) -> State {
    let names: Vec<&str> = by.sites.iter().map(|site| site.name.as_str()).collect();
    state.sources.retain(|name, _| names.contains(&name.as_str()));
    let looks = looks.into_iter().filter(|looked| !is_overtaken(&state, looked, now)).collect::<Vec<_>>();
    if looks.is_empty() {
        return state;
    }
    let said: Vec<(Looked, Said)> = looks
        .into_iter()
        .map(|looked| {
            let said = hear(&state, &looked, by);
            (looked, said)
        })
        .collect();
    for (looked, said) in &said {
        keep_if_newer(&mut state, (looked, said), by, now);
    }
    for (looked, said) in said {
        let seen = weigh(&state, looked, said, now);
        if matches!(seen.1.verdict, Verdict::New | Verdict::Unchanged)
            && let Some(kept) = &mut state.kept
        {
            kept.confirmed = now;
        }
        state.sources.insert(seen.0, seen.1);
    }
    let in_step = state.sources.values().all(|seen| seen.verdict.is_in_step());
    state.out_of_step = (!in_step).then(|| match state.out_of_step {
        Some(earlier) => OutOfStep { polls: earlier.polls.saturating_add(1), ..earlier },
        None => OutOfStep { since: now, polls: 1 },
    });
    state
}

/// Whether another process has looked since this look began. A moment in the future was written by another clock.
fn is_overtaken(state: &State, looked: &Looked, now: Timestamp) -> bool {
    state
        .sources
        .get(&looked.site.name)
        .is_some_and(|seen| seen.url == looked.site.url && seen.looked > looked.began && seen.looked <= now)
}

/// Reads what a look brought.
fn hear(state: &State, looked: &Looked, by: &Subscription) -> Said {
    match &looked.look {
        Look::Failed(verdict, detail) => Said::Failed(*verdict, detail.clone()),
        Look::Unmodified => {
            let seen = state.sources.get(&looked.site.name);
            match seen.and_then(|seen| seen.version) {
                Some(version) => Said::Version(version),
                None => Said::Failed(Verdict::Unreachable, "it answered 304 to a first question".to_owned()),
            }
        }
        Look::Signed(signed) => match Synced::read((looked.site.url.as_str(), &signed.document), &by.hosts) {
            Ok(synced) => Said::Fresh(Box::new(synced), signed.clone()),
            Err(error) => Said::Failed(Verdict::Refused, told(&error)),
        },
    }
}

fn told(error: &Error) -> String {
    match &error.hint {
        Some(hint) => format!("{} ({hint})", error.message),
        None => error.message.clone(),
    }
}

/// Puts a version in force that is newer than what is, or that mends what was damaged on the disk.
fn keep_if_newer(state: &mut State, (looked, said): (&Looked, &Said), by: &Subscription, now: Timestamp) {
    let Said::Fresh(synced, signed) = said else { return };
    let is_newer = state.kept.as_ref().is_none_or(|kept| {
        let is_damaged = || verify((kept.document.as_bytes(), kept.signature.as_bytes()), &by.key).is_err();
        synced.version > kept.version || (synced.version == kept.version && is_damaged())
    });
    if is_newer && synced.not_after > now {
        state.kept = Some(Kept {
            version: synced.version,
            from: looked.site.url.to_string(),
            document: signed.document.clone(),
            signature: signed.signature.clone(),
            confirmed: now,
        });
    }
}

/// The verdict on a source, seen from the version in force.
fn weigh(state: &State, looked: Looked, said: Said, now: Timestamp) -> (String, Seen) {
    let Looked { site, began, look } = looked;
    let before = state.sources.get(&site.name).filter(|seen| seen.url == site.url);
    let was = before.and_then(|seen| seen.version);
    let (version, verdict, detail) = match said {
        Said::Failed(verdict, detail) => (None, verdict, detail),
        Said::Version(version) => {
            let (verdict, detail) = rank(state, version, before);
            (Some(version), verdict, detail)
        }
        Said::Fresh(synced, signed) => {
            let other = state.kept.as_ref().filter(|kept| kept.version == synced.version);
            let is_other = other.is_some_and(|kept| kept.document != signed.document);
            let (verdict, detail) = if synced.not_after <= now {
                (Verdict::Expired, format!("it held until {}", synced.not_after))
            } else if is_other {
                (
                    Verdict::Refused,
                    "another file had this version before: a change needs a higher one".to_owned(),
                )
            } else {
                rank(state, synced.version, before)
            };
            (Some(synced.version), verdict, detail)
        }
    };
    let verdict = match verdict {
        Verdict::Unchanged if was != version => Verdict::New,
        other => other,
    };
    // What was refused is read again in full next time, in case it is this machine that changes.
    let is_known = !matches!(verdict, Verdict::Refused | Verdict::Expired);
    let (etag, in_full) = match look {
        Look::Signed(signed) => (signed.etag.filter(|_| is_known), Some(began)),
        Look::Unmodified => before.map(|seen| (seen.etag.clone(), seen.in_full)).unwrap_or_default(),
        Look::Failed(..) => (None, None),
    };
    let highest = before.and_then(|seen| seen.highest).max(version);
    (site.name, Seen { url: site.url, etag, in_full, version, highest, verdict, detail, looked: began })
}

/// Where a version stands beside the one in force.
fn rank(state: &State, version: u64, before: Option<&Seen>) -> (Verdict, String) {
    let in_force = state.kept.as_ref().map_or(0, |kept| kept.version);
    let highest = before.and_then(|seen| seen.highest).unwrap_or(0);
    if version >= in_force {
        (Verdict::Unchanged, String::new())
    } else if highest > version {
        (Verdict::RolledBack, format!("it served version {highest} before"))
    } else {
        (Verdict::Stale, format!("version {in_force} is in force"))
    }
}

/// What may be used of the state at `now`: the kept file, checked anew against the key and the hosts of today.
pub(super) fn usable(state: &State, by: &Subscription, now: Timestamp) -> Result<Synced, Refusal> {
    let kept = state.kept.as_ref().ok_or(Refusal::Nothing)?;
    let unfit = |why: String| Refusal::Unfit { version: kept.version, why };
    verify((kept.document.as_bytes(), kept.signature.as_bytes()), &by.key).map_err(|(_, why)| unfit(why))?;
    let synced =
        Synced::read((&kept.from, &kept.document), &by.hosts).map_err(|error| unfit(told(&error)))?;
    if synced.not_after <= now {
        return Err(Refusal::Expired { version: synced.version, not_after: synced.not_after });
    }
    let age = now.duration_since(kept.confirmed).try_into().unwrap_or_default();
    if age > by.max_age.0 {
        return Err(Refusal::TooOld { version: synced.version, age, max_age: by.max_age });
    }
    Ok(synced)
}

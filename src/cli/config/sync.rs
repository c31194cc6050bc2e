//! `baton config sync`: a look at every source of a profile's configuration, once or for ever, and what it came to.

use std::fmt::Write;
use std::time::Duration;

use clap::{ArgGroup, Args};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::config::Environment;
use crate::config::sync::{Endpoint, Follower, Report, Row, Synced, follower};
use crate::net::shown_url;
use crate::units::Span;

use super::super::listing::{Format, in_columns, print};
use super::super::options::ProfileOptions;
use super::super::signals::Signals;
use super::super::{Ending, Talk};

/// How long before its end a version is worth a remark: long enough for a person to sign the next one.
const SHORT: Duration = Duration::from_secs(3 * 86_400);

/// The flags of `baton config sync`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("how").required(true)))]
#[command(after_help = "Examples:
  baton config sync --once --profile work
  baton config sync --watch --format json --profile work

Ends with code 99 when the sources are out of step in more than two polls in a row, and with code 2 when there is nothing
that may be used. docs/config-sync.md says how a file is written, signed, rolled out and rolled back.")]
pub(super) struct SyncOptions {
    /// Look at each source once
    #[arg(long, group = "how")]
    once: bool,
    /// Look every config-poll (30 s, a fifth more or less), until a signal comes
    #[arg(long, group = "how")]
    watch: bool,
    /// End a --watch, too, where --once fails
    #[arg(long, conflicts_with = "once")]
    fail: bool,
    /// Form of what is printed; with --watch, a table for each change, or a line of JSON for each poll
    #[arg(long, value_name = "FORM", default_value = "table")]
    format: Format,
    #[command(flatten)]
    profile: ProfileOptions,
}

/// Looks as often as was asked for.
pub(super) fn run(options: &SyncOptions, environment: &Environment, talk: Talk) -> anyhow::Result<()> {
    let follower = follower(&options.profile.given(), environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if options.watch {
            watch(&follower, options, talk).await
        } else {
            once(&follower, options, talk).await
        }
    })
}

async fn once(follower: &Follower, options: &SyncOptions, talk: Talk) -> anyhow::Result<()> {
    let report = follower.poll().await?;
    print(&match options.format {
        Format::Table => as_table(follower, &report),
        Format::Json => format!("{:#}\n", as_json(follower, &report)),
    })?;
    remark(follower, &report, talk);
    verdict(follower, &report)
}

async fn watch(follower: &Follower, options: &SyncOptions, talk: Talk) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let mut last = None;
    loop {
        let report = tokio::select! {
            signal = signals.next() => return Err(Ending::Stopped(signal).into()),
            report = follower.poll() => report?,
        };
        let shown = (report.sources.clone(), report.in_force.clone(), report.is_too_long);
        let is_change = last.as_ref() != Some(&shown);
        last = Some(shown);
        match options.format {
            Format::Table if is_change => print(&as_table(follower, &report))?,
            Format::Table => {}
            Format::Json => print(&format!("{}\n", as_json(follower, &report)))?,
        }
        if options.fail {
            verdict(follower, &report)?;
        }
        if is_change {
            remark(follower, &report, talk);
        }
        tokio::select! {
            signal = signals.next() => return Err(Ending::Stopped(signal).into()),
            () = tokio::time::sleep(follower.pause()) => {}
        }
    }
}

/// Says what is no failure yet.
fn remark(follower: &Follower, report: &Report, talk: Talk) {
    let is_served = report.sources.iter().any(|row| row.verdict.is_in_step());
    if let (Ok(synced), false, Some(confirmed)) = (&report.in_force, is_served, report.confirmed) {
        talk.notice(format_args!(
            "note: no source serves version {} now; it is kept from {}, and used for {} from then on",
            synced.version,
            second(confirmed),
            follower.max_age()
        ));
    }
    if let Ok(synced) = &report.in_force
        && let Ok(left) = Duration::try_from(synced.not_after.duration_since(report.moment))
        && left < SHORT
    {
        let (version, left) = (synced.version, Span(Duration::from_secs(left.as_secs())));
        talk.notice(format_args!("note: version {version} holds for {left} more: sign a newer one"));
    }
    if let (Some(out), false) = (report.out_of_step, report.is_too_long) {
        let names: Vec<&str> = strays(report).map(|row| row.site.name.as_str()).collect();
        let times = if out.polls == 1 { "1 poll".to_owned() } else { format!("{} polls", out.polls) };
        talk.notice(format_args!("note: out of step for {times}: {}", names.join(", ")));
    }
}

/// Success, or why this is a failure.
fn verdict(follower: &Follower, report: &Report) -> anyhow::Result<()> {
    if let Err(refusal) = &report.in_force {
        return Err(follower.refused(refusal).into());
    }
    match report.out_of_step.filter(|_| report.is_too_long) {
        None => Ok(()),
        Some(out) => {
            let story = |row: &Row| {
                let version = row.version.map(|version| format!(", version {version}")).unwrap_or_default();
                let detail = if row.detail.is_empty() { String::new() } else { format!(": {}", row.detail) };
                format!("{} is {}{version}{detail}", row.site.name, row.verdict.name())
            };
            let stories = strays(report).map(story).collect();
            Err(Ending::OutOfStep { polls: out.polls, stories }.into())
        }
    }
}

/// The sources that do not serve what is in force.
fn strays(report: &Report) -> impl Iterator<Item = &Row> {
    report.sources.iter().filter(|row| !row.verdict.is_in_step())
}

fn second(moment: Timestamp) -> String {
    format!("{moment:.0}")
}

fn as_table(follower: &Follower, report: &Report) -> String {
    let in_force = match &report.in_force {
        Err(refusal) => format!("–, {refusal}"),
        Ok(Synced { version, not_after, .. }) => {
            let confirmed = report.confirmed.map(second).unwrap_or_default();
            format!("version {version}, confirmed {confirmed}, holds until {not_after}")
        }
    };
    let mut text = format!("profile    {}\nin force   {in_force}\n", follower.profile());
    if let Ok(synced) = &report.in_force {
        let _ = writeln!(text, "endpoints  {}", endpoints(synced));
    }
    let row = |row: &Row| {
        let version = row.version.map_or_else(|| "–".to_owned(), |version| version.to_string());
        vec![row.site.name.clone(), version, row.verdict.name().to_owned(), shown_url(&row.site.url)]
    };
    text.push('\n');
    text += &in_columns(&["Source", "Version", "Verdict", "Address"], report.sources.iter().map(row));
    let told: Vec<&Row> = strays(report).filter(|row| !row.detail.is_empty()).collect();
    if !told.is_empty() {
        text.push('\n');
    }
    for row in told {
        let _ = writeln!(text, "{}: {}", row.site.name, row.detail);
    }
    text
}

/// The endpoints in a line, each with its zone.
fn endpoints(synced: &Synced) -> String {
    let one = |endpoint: &Endpoint| match &endpoint.zone {
        Some(zone) => format!("{} ({zone})", endpoint.url),
        None => endpoint.url.to_string(),
    };
    if synced.endpoints.is_empty() {
        "–".to_owned()
    } else {
        synced.endpoints.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

fn as_json(follower: &Follower, report: &Report) -> Value {
    let row = |row: &Row| {
        json!({
            "name": row.site.name,
            "url": shown_url(&row.site.url),
            "version": row.version,
            "verdict": row.verdict.name(),
            "detail": Some(&row.detail).filter(|detail| !detail.is_empty()),
        })
    };
    json!({
        "schema": "baton.sync/1",
        "time": second(report.moment),
        "profile": follower.profile(),
        "file": follower.path().to_string_lossy(),
        "in_force": report.in_force.as_ref().ok().map(synced),
        "refusal": report.in_force.as_ref().err().map(ToString::to_string),
        "confirmed": report.confirmed.map(second),
        "max_age_s": follower.max_age().0.as_secs(),
        "sources": report.sources.iter().map(row).collect::<Vec<_>>(),
        "out_of_step": report.out_of_step.map(|out| json!({
            "since": second(out.since),
            "polls": out.polls,
            "too_long": report.is_too_long,
        })),
    })
}

fn synced(synced: &Synced) -> Value {
    let endpoint = |endpoint: &Endpoint| {
        json!({
            "url": endpoint.url.as_str(),
            "zone": endpoint.zone,
            "region": endpoint.region,
            "weight": endpoint.weight,
            "priority": endpoint.priority,
        })
    };
    let limits = &synced.limits;
    json!({
        "version": synced.version,
        "not_after": synced.not_after.to_string(),
        "endpoints": synced.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
        "limits": {
            "rate": limits.rate.map(|rate| rate.to_string()),
            "burst": limits.burst,
            "token_rate": limits.token_rate.map(|rates| rates.to_string()),
        },
    })
}

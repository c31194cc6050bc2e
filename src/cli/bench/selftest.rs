//! `bench --selftest`: the same plan against a relay in this process that answers at once, to know what this machine can do.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::relay::{Flags, Wired, start_embedded};
use crate::cli::{Ending, Talk};
use crate::config;
use crate::config::{Environment, Given, Settings};
use crate::load::{Extent, Plan, Sides};
use crate::report::Ceiling;

use super::BenchOptions;
use super::bounds::Purse;
use super::prompts::Terms;
use super::sweep::{Sweep, Swept, Team, Teams, carried};

/// The longest window of a level: the ceiling shows at once.
const WINDOW: Duration = Duration::from_secs(3);

/// The longest warm-up.
const WARMUP: Duration = Duration::from_millis(500);

/// A relay that costs no time but that of this machine.
const SPEC: &str = "ttft=0,gap=0,slots=inf";

/// What this machine makes of the plan where the relay costs nothing; nothing where that is not asked for.
pub(super) fn ceilings(
    options: &BenchOptions,
    (wired, flags): (&Wired, Flags<'_>),
    plan: &Plan,
    (talk, terms): (Talk, Terms<'_>),
) -> anyhow::Result<Vec<Ceiling>> {
    if !options.load.selftest {
        return Ok(Vec::new());
    }
    let embedded = start_embedded(SPEC.parse().expect("it is a description"))?;
    let beside = wired.beside(flags, settings(&embedded.base_url().parse()?, &wired.site.settings)?)?;
    let (script, _) = options.sets.script(Terms { wired: &beside, ..terms })?;
    let plan = shortened(plan);
    let relay = Team { wired: &beside, crew: beside.crew(flags, plan.workers)?, script };
    let course = Sweep {
        plan: &plan,
        session: None,
        progress: None,
        log: None,
        verbose: false,
        lookout: None,
        purse: Arc::new(Purse::bottomless()),
    };
    talk.notice(format_args!(
        "selftest this machine and an embedded relay that answers at once, both on its cores"
    ));
    let Swept { run, signal, .. } = carried(Teams { relay, direct: None }, course)?;
    if let Some(signal) = signal {
        return Err(Ending::Stopped(signal).into());
    }
    let ceilings: Vec<_> = run.levels.iter().map(Ceiling::of).collect();
    for ceiling in &ceilings {
        talk.notice(format_args!("selftest {}", ceiling.told()));
    }
    Ok(ceilings)
}

/// The same levels, each no longer than it takes to see what there is to see.
fn shortened(plan: &Plan) -> Plan {
    let window = match plan.extent {
        Extent::Window(window) => window.min(WINDOW),
        Extent::Requests(_) => WINDOW,
    };
    let short = Plan {
        extent: Extent::Window(window),
        warmup: plan.warmup.min(WARMUP),
        objectives: Arc::default(),
        sides: Sides::One,
        ..plan.clone()
    };
    // Where arrivals are rare, the whole window is needed to see one.
    if short.validate().is_ok() { short } else { Plan { extent: plan.extent, ..short } }
}

/// The embedded relay, asked as the one that is to be measured.
fn settings(url: &crate::net::Url, relay: &Settings) -> anyhow::Result<Settings> {
    let given = Given {
        embedded: Some(url.clone()),
        api: Some(relay.dialect),
        model: relay.model.clone(),
        ..Given::default()
    };
    Ok(config::resolve(&given, &Environment::of(&[]))?)
}

//! The run itself: the request that goes before, then the levels, and an ear for signals.

use std::future::pending;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;

use crate::cli::lookout::{Lookout, watch};
use crate::cli::relay::{Crew, Wired};
use crate::cli::signals::Signals;
use crate::cli::{Ending, Signal};
use crate::client::{Call, Client, Exchange, Failed, Piece};
use crate::load;
use crate::load::{Control, Live, LogSender, Outlets, Plan, Run};
use crate::net::{Pool, shown_url};
use crate::outcome::{BodySize, Class};
use crate::report::Progress;
use crate::units::Span;

use super::bounds::Purse;
use super::outlook::{First, outlook};
use super::prompts::Script;
use super::requests::{Lane, Requests, Scale};
use super::talks::{Maker, Talks};

/// What the load is to be, and what is seen of it.
pub(super) struct Sweep<'a> {
    pub(super) plan: &'a Plan,
    pub(super) progress: Option<Progress>,
    /// What keeps all of them at one of several endpoints.
    pub(super) session: Option<String>,
    /// Where each request gets its line.
    pub(super) log: Option<LogSender>,
    pub(super) verbose: bool,
    /// The eye on several endpoints, where there are.
    pub(super) lookout: Option<&'a Lookout>,
    /// What may be spent.
    pub(super) purse: Arc<Purse>,
}

/// Who carries requests to one server, and what they say.
pub(super) struct Team<'a> {
    pub(super) wired: &'a Wired,
    pub(super) crew: Crew,
    /// What requests send.
    pub(super) script: Script,
}

/// The teams of a run.
pub(super) struct Teams<'a> {
    pub(super) relay: Team<'a>,
    /// Where each request is made twice, those that go past the relay.
    pub(super) direct: Option<Team<'a>>,
}

/// What came of it.
pub(super) struct Swept {
    pub(super) run: Run,
    /// The signal that ended it.
    pub(super) signal: Option<Signal>,
    /// What the bodies of all requests through the relay but the first weighed.
    pub(super) body: BodySize,
}

/// Carries the load out on a runtime of its own.
pub(super) fn carried(teams: Teams<'_>, course: Sweep<'_>) -> anyhow::Result<Swept> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let swept = runtime.block_on(sweep(teams, course));
    // A name look-up may still hang in a thread of its own, and nobody waits for it any more.
    runtime.shutdown_background();
    swept
}

/// Makes the preflight request, then the levels, and stops for signals.
async fn sweep(teams: Teams<'_>, sweep: Sweep<'_>) -> anyhow::Result<Swept> {
    let Sweep { plan, session, mut progress, log, verbose, lookout, purse } = sweep;
    let mut signals = Signals::listen()?;
    let mut watching = pin!(watch(lookout));
    let settings = &teams.relay.wired.site.settings;
    let maker = Maker::of(settings, teams.relay.wired.call.stream, session);
    let opened = Box::pin(teams.open((&maker, &purse), &mut signals, progress.as_mut()));
    let opened = beside(watching.as_mut(), opened).await;
    let Opened { relay, direct, firsts } = match opened {
        Ok(opened) => opened,
        Err(error) => {
            progress.into_iter().for_each(Progress::finish);
            return Err(error);
        }
    };
    if let Some(progress) = &mut progress
        && let Some(outlook) = outlook(plan, &firsts, !settings.prices.is_empty())
    {
        progress.print(&outlook);
    }
    let scales: Vec<Arc<Scale>> = relay.iter().map(|lane| Arc::clone(&lane.scale)).collect();
    let turns = relay.first().map_or(1, |lane| lane.script.turns);
    let mut past = direct.into_iter().flatten();
    let seats: Vec<_> = relay.into_iter().map(|lane| Mutex::new(Some((lane, past.next())))).collect();
    let (control, time) = (purse.control.clone(), purse.time);
    let make_target = move |worker: usize| {
        let lanes = seats[worker].lock().ok().and_then(|mut seat| seat.take());
        let (relay, direct) = lanes.expect("each worker is made once");
        let talks = Talks::new(maker.clone(), turns);
        Requests { relay, direct, talks, verbose, purse: Arc::clone(&purse) }
    };
    let on_live = |live: Live| {
        if let Some(progress) = &mut progress {
            progress.show(&live);
        }
    };
    let mut running = Box::pin(load::run(plan, make_target, control.clone(), Outlets { on_live, log }));
    let mut clock = pin!(bounded(time, &control));
    let mut came = None;
    let run = loop {
        tokio::select! {
            run = &mut running => break run?,
            signal = signals.next() => {
                if came.replace(signal).is_none() { control.stop() } else { control.abort(); signals.arm(); }
            }
            () = &mut clock => {}
            () = &mut watching => {}
        }
    };
    drop(running);
    // What is left is printing, which a reader that does not read must not hold up for ever.
    signals.arm();
    if let Some(progress) = progress {
        progress.finish();
    }
    Ok(Swept { run, signal: came, body: scales.iter().map(|scale| scale.total()).sum() })
}

/// Carries something out while something else is kept going.
async fn beside<T>(mut other: Pin<&mut impl Future<Output = ()>>, what: impl Future<Output = T>) -> T {
    let mut what = pin!(what);
    loop {
        tokio::select! {
            done = &mut what => return done,
            () = &mut other => {}
        }
    }
}

/// Ends the run once its time is over; goes on for ever, so that it can be waited for beside the run.
async fn bounded(time: Option<Duration>, control: &Control) {
    if let Some(time) = time {
        tokio::time::sleep(time).await;
        control.bound(&format!("--max-time {} is over", Span(time)));
    }
    pending::<()>().await;
}

/// The ways that the load goes, and what became of the requests before it.
struct Opened {
    relay: Vec<Lane>,
    direct: Option<Vec<Lane>>,
    firsts: Vec<First>,
}

impl Teams<'_> {
    /// Opens the ways of both.
    async fn open(
        self,
        means: (&Maker, &Purse),
        signals: &mut Signals,
        mut progress: Option<&mut Progress>,
    ) -> anyhow::Result<Opened> {
        let (relay, first) = self.relay.open(means, signals, progress.as_deref_mut()).await?;
        let Some(direct) = self.direct else {
            return Ok(Opened { relay, direct: None, firsts: vec![first] });
        };
        let url = shown_url(&direct.wired.call.url);
        let opened = direct.open(means, signals, progress).await;
        let (direct, second) = opened.with_context(|| format!("past the relay, at {url} (--direct)"))?;
        Ok(Opened { relay, direct: Some(direct), firsts: vec![first, second] })
    }
}

impl Team<'_> {
    /// Makes the request that goes before the load; then each worker has its way, with what that one has learned.
    async fn open(
        self,
        (maker, purse): (&Maker, &Purse),
        signals: &mut Signals,
        progress: Option<&mut Progress>,
    ) -> anyhow::Result<(Vec<Lane>, First)> {
        let Self { wired, crew: Crew { scout, workers }, script } = self;
        let exchange = preflight(&scout, &script.opening(maker), signals, progress).await?;
        purse.pay(&exchange);
        let first = First::of(&exchange, &wired.site.settings);
        passable(exchange, wired)?;
        let learned = scout.learned();
        drop(scout);
        let script = Arc::new(script);
        let lane = |client: Client<Pool>| Lane {
            client: client.having_learned(learned),
            script: Arc::clone(&script),
            scale: Arc::default(),
        };
        Ok((workers.into_iter().map(lane).collect(), first))
    }
}

/// Makes the request that goes before the load, and says so while it lasts.
async fn preflight(
    scout: &Client<Pool>,
    call: &Call,
    signals: &mut Signals,
    mut progress: Option<&mut Progress>,
) -> anyhow::Result<Exchange> {
    let began = Instant::now();
    let mut unheard = |_: Piece<'_>| ControlFlow::Continue(());
    let mut running = pin!(scout.run(call, &mut unheard));
    let mut beat = tokio::time::interval(Duration::from_millis(250));
    loop {
        tokio::select! {
            exchange = &mut running => return Ok(exchange),
            signal = signals.next() => return Err(Ending::Stopped(signal).into()),
            _ = beat.tick() => {
                if let Some(progress) = &mut progress {
                    progress.show_preflight(began.elapsed());
                }
            }
        }
    }
}

/// A preflight request that fails in a way that the load would only repeat ends the run with its own error.
fn passable(exchange: Exchange, wired: &Wired) -> Result<(), Failed> {
    match exchange.class {
        class if class.is_ok() => Ok(()),
        Class::RateLimited
        | Class::Overloaded
        | Class::Http5xx
        | Class::StreamError
        | Class::Truncated
        | Class::Refused => Ok(()),
        _ => Err(Failed {
            exchange: Box::new(exchange),
            credential: wired.site.settings.credential_story.clone(),
        }),
    }
}

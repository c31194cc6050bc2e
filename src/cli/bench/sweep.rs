//! The run itself: the request that goes before, then the levels, and an ear for signals.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::cli::lookout::{Lookout, watch};
use crate::cli::relay::{Crew, Wired};
use crate::cli::signals::Signals;
use crate::cli::{Ending, Signal};
use crate::client::{Call, Client, Exchange, Failed, Piece};
use crate::load;
use crate::load::{Control, Live, LogSender, Outlets, Plan, Run};
use crate::net::Pool;
use crate::outcome::{BodySize, Class};
use crate::report::Progress;

use super::prompts::Script;
use super::requests::{Requests, Scale};
use super::talks::{Maker, Talks};

/// What the load is to be, and what is seen of it.
pub(super) struct Sweep<'a> {
    pub(super) plan: &'a Plan,
    pub(super) progress: Option<Progress>,
    /// What requests send.
    pub(super) script: Script,
    /// What keeps all of them at one of several endpoints.
    pub(super) session: Option<String>,
    /// Where each request gets its line.
    pub(super) log: Option<LogSender>,
    pub(super) verbose: bool,
    /// The eye on several endpoints, where there are.
    pub(super) lookout: Option<&'a Lookout>,
}

/// What came of it.
pub(super) struct Swept {
    pub(super) run: Run,
    /// The signal that ended it.
    pub(super) signal: Option<Signal>,
    /// What the bodies of all requests but the first weighed.
    pub(super) body: BodySize,
}

/// Makes the preflight request, then the levels, and stops for signals.
pub(super) async fn sweep(wired: &Wired, crew: Crew, sweep: Sweep<'_>) -> anyhow::Result<Swept> {
    let Sweep { plan, script, session, mut progress, log, verbose, lookout } = sweep;
    let mut signals = Signals::listen()?;
    let mut watching = std::pin::pin!(watch(lookout));
    let Crew { scout, workers } = crew;
    let maker = Maker::of(&wired.site.settings, wired.call.stream, session);
    let opening = script.opening(&maker);
    let first = {
        let mut first = std::pin::pin!(preflight(&scout, &opening, &mut signals, progress.as_mut()));
        loop {
            tokio::select! {
                first = &mut first => break first,
                () = &mut watching => {}
            }
        }
    };
    if let Err(error) = first.and_then(|exchange| Ok(passable(exchange, wired)?)) {
        progress.into_iter().for_each(Progress::finish);
        return Err(error);
    }
    let learned = scout.learned();
    drop(scout);
    let script = Arc::new(script);
    let seats: Vec<_> =
        workers.into_iter().map(|client| Mutex::new(Some(client.having_learned(learned)))).collect();
    let scales: Vec<Arc<Scale>> = seats.iter().map(|_| Arc::default()).collect();
    let scale = scales.clone();
    let make_target = move |worker: usize| {
        let client = seats[worker].lock().ok().and_then(|mut seat| seat.take());
        let client = client.expect("each worker is made once");
        let (script, scale) = (Arc::clone(&script), Arc::clone(&scale[worker]));
        let talks = Talks::new(maker.clone(), script.turns);
        Requests { client, script, talks, scale, verbose }
    };
    let control = Control::new();
    let on_live = |live: Live| {
        if let Some(progress) = &mut progress {
            progress.show(&live);
        }
    };
    let mut running = Box::pin(load::run(plan, make_target, control.clone(), Outlets { on_live, log }));
    let mut came = None;
    let run = loop {
        tokio::select! {
            run = &mut running => break run?,
            signal = signals.next() => {
                if came.replace(signal).is_none() { control.stop() } else { control.abort(); signals.arm(); }
            }
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

/// Makes the request that goes before the load, and says so while it lasts.
async fn preflight(
    scout: &Client<Pool>,
    call: &Call,
    signals: &mut Signals,
    mut progress: Option<&mut Progress>,
) -> anyhow::Result<Exchange> {
    let began = Instant::now();
    let mut unheard = |_: Piece<'_>| ControlFlow::Continue(());
    let mut running = std::pin::pin!(scout.run(call, &mut unheard));
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

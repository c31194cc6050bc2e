//! `baton batch`: a file of prompts in, a file of answers out, resumable after anything.

mod books;
mod options;

use std::io::{IsTerminal, stderr};
use std::num::NonZeroUsize;
use std::sync::{Arc, mpsc};
use std::thread;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{interval, sleep};

use crate::batch;
use crate::batch::{Control, Crew, Ended, Plan, Progress, Requests, Stop, Summary, Then, Told};
use crate::client::cache::Cache;
use crate::client::{Calls, Client, Exchange, Hints, Partial};
use crate::config::{Prices, Settings};
use crate::net::{Adapt, Limiter, Pool};
use crate::report::{BatchProgress, batch_summary, batch_summary_json};
use crate::units::Span;

use self::books::{Opened, open};
pub(super) use self::options::BatchOptions;
use super::connection::Unasked;
use super::limits::Throttle;
use super::lookout::{Lookout, finish, watch};
use super::options::Attempts;
use super::output::Output;
use super::prompt::no_model;
use super::relay::{Approach, Site, Way, enough_descriptors};
use super::signals::Signals;
use super::{Ending, Signal, Talk, Usage, show};

/// Users of one thread; more of them share more threads, as far as there are cores.
const USERS: usize = 32;

/// Time between two looks at the progress.
const LOOK: Duration = Duration::from_millis(200);

/// Carries the rows and says what they came to.
pub(super) fn run(options: &BatchOptions, talk: Talk) -> anyhow::Result<()> {
    options.refuse_what_cannot_be()?;
    let BatchOptions { target, route, connection, policy, .. } = options;
    let users = options.users();
    let way = Way { target, connection, policy, route };
    enough_descriptors((options.concurrency, 1), way)?;
    let approach = Approach { attempts: Attempts::Usual, unasked: Unasked::Negotiated };
    let mut site = Site::new(way, options.fields.model.as_deref(), approach, talk)?;
    // Nobody has seen a part of an answer: a broken one is asked for again from its beginning.
    site.policy.partial = Partial::Discard;
    if !policy.bounds_waits(&site.settings.policy) {
        // The relay says when it may be asked again: the bucket waits for that, not the rows.
        site.policy.hints = Hints::Parked;
    }
    let limiter = options.pace.limiter(Adapt::Relay, &site)?;
    site.fits(&site.settings.base, connection)?;
    let requests = requests(options, &site.settings)?;
    let summary = options.summary.as_deref().map(|path| Output::open(Some(path))).transpose()?;
    let opened = open(options, talk)?;
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    let clients = site.crew(&site.settings.base, connection, users.div_ceil(USERS).min(cores))?;
    let kept = open_cache(options, &site.settings)?;
    let equip = |client: Client<Pool>| client.with_limiter(limiter.clone()).with_cache(kept.clone());
    let clients = clients.into_iter().map(equip).collect();
    let throttle = Throttle::of(options.pace, limiter.as_ref(), &site.settings.policy);
    let lookout = site.lookout((route, connection), throttle)?;
    let control = Arc::new(Control::new(options.limits(&site.settings)?));
    let progress = Arc::new(Progress::new(opened.size));
    let (lines, attempts) = mpsc::channel();
    let plan = Plan {
        listener: options.verbosity.verbose.then(|| listener(lines)),
        inputs: options.inputs(),
        requests,
        selection: options.selection(),
        manner: options.manner(),
        concurrency: users,
        price: price(&site.settings),
    };
    let crew = Crew { clients, control: Arc::clone(&control), progress: Arc::clone(&progress) };
    let (running, ended) = start(plan, opened, crew);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let watch = Watch {
        ended,
        control: &control,
        progress: &progress,
        drain: options.drain.0,
        limiter,
        attempts,
        lookout: lookout.as_ref(),
    };
    let signal = runtime.block_on(watch.until_it_ends(talk))?;
    finish(lookout, talk);
    // A name look-up may still hang in a thread of its own, and nobody waits for it any more.
    runtime.shutdown_background();
    let ended = joined(running, &site.settings)?;
    if let Some(trouble) = kept.as_ref().and_then(|cache| cache.trouble()) {
        talk.notice(format_args!("note: answers could not be kept: {trouble}"));
    }
    tell(options, &ended, summary, talk)?;
    ending(ended, signal)
}

/// Starts the run in a thread of its own; what comes with it is ready once the run has ended.
fn start(plan: Plan, opened: Opened, crew: Crew) -> (thread::JoinHandle<Ended>, oneshot::Receiver<()>) {
    let Opened { books, output, .. } = opened;
    let (over, ended) = oneshot::channel();
    let running = thread::spawn(move || {
        // Dropped even where a part of the run panics.
        let _over = over;
        batch::run(&plan, books, output, crew)
    });
    (running, ended)
}

/// The cache that is asked for; a streamed answer's body is not kept, so that a row could not show it again.
fn open_cache(options: &BatchOptions, settings: &Settings) -> Result<Option<Arc<Cache>>, Usage> {
    if options.stream { Ok(None) } else { options.cache.open(settings.dialect, &settings.policy) }
}

/// How requests are made of rows.
fn requests(options: &BatchOptions, settings: &Settings) -> Result<Requests, Usage> {
    let dialect = settings.dialect;
    options.fields.fit(dialect)?;
    let base = options.fields.prompt(settings.model.clone())?;
    let form = batch::Form { dialect, base, lines: options.lines(), template: options.template()? };
    if form.lines == batch::LineKind::Text && settings.model.is_none() && options.fields.want_model(dialect) {
        return Err(no_model());
    }
    let calls = Calls::to(&settings.base, dialect, options.stream).with_headers(&settings.headers);
    Ok(Requests { form, calls, session: options.route.session.clone() })
}

/// What an answer costs at the configured prices.
fn price(settings: &Settings) -> batch::Price {
    let (prices, asked): (Prices, _) = (settings.prices.clone(), settings.model.clone());
    Arc::new(move |exchange: &Exchange| {
        // The answer's own name of the model may be more precise than the one asked for.
        let models = [exchange.model.as_deref(), asked.as_deref()];
        prices.cost(models.into_iter().flatten(), &exchange.usage)
    })
}

/// Makes a line of each attempt.
fn listener(lines: mpsc::Sender<String>) -> batch::Listener {
    Arc::new(move |Told { custom_id, attempt, then }| {
        let then = match then {
            Then::Again(wait) => Some(format!("again in {}", Span(wait))),
            Then::Repaired(change) => Some(change.to_owned()),
            Then::Nothing => None,
        };
        // Nobody reads them once the run has ended.
        let _ = lines.send(format!("{custom_id}: {}", show::attempt_line(attempt, then.as_deref())));
    })
}

/// Looks on while a run lasts.
struct Watch<'a> {
    /// Ready once the run has ended.
    ended: oneshot::Receiver<()>,
    control: &'a Control,
    progress: &'a Progress,
    /// How long rows in flight may take once the run is stopped.
    drain: Duration,
    limiter: Option<Arc<Limiter>>,
    /// A line for each attempt, where that is asked for.
    attempts: mpsc::Receiver<String>,
    /// The eye on several endpoints, where there are.
    lookout: Option<&'a Lookout>,
}

impl Watch<'_> {
    /// Shows the progress and listens for signals until the run has ended.
    async fn until_it_ends(mut self, talk: Talk) -> anyhow::Result<Option<Signal>> {
        let mut signals = Signals::listen()?;
        let mut shown = match (talk.is_quiet(), stderr().is_terminal()) {
            (true, _) => None,
            (false, true) => Some(BatchProgress::in_place()),
            (false, false) => Some(BatchProgress::plain(Box::new(stderr()))),
        };
        let (mut came, mut look) = (None, interval(LOOK));
        let drained = async {
            self.control.stopped().await;
            sleep(self.drain).await;
            self.control.abort();
            std::future::pending::<()>().await;
        };
        let watching = watch(self.lookout);
        tokio::pin!(drained, watching);
        loop {
            tokio::select! {
                _ = &mut self.ended => break,
                _ = look.tick() => if let Some(shown) = &mut shown {
                    self.attempts.try_iter().for_each(|line| shown.print(&line));
                    let parked = self.limiter.as_ref().map(|limiter| limiter.parked()).unwrap_or_default();
                    shown.show(&self.progress.live(), parked);
                },
                signal = signals.next() => {
                    if came.replace(signal).is_none() {
                        self.control.stop(Stop::Asked);
                        talk.notice("stopping: rows in flight may finish; once more stops at once");
                    } else {
                        self.control.abort();
                        signals.arm();
                    }
                }
                () = &mut drained => {}
                () = &mut watching => {}
            }
        }
        if let Some(mut shown) = shown {
            self.attempts.try_iter().for_each(|line| shown.print(&line));
            shown.finish();
        }
        Ok(came)
    }
}

/// What the run came to, with what is known of it here alone.
fn joined(running: thread::JoinHandle<Ended>, settings: &Settings) -> anyhow::Result<Ended> {
    let ended = running.join().map_err(|_| anyhow::anyhow!("the run broke off: a part of it panicked"))?;
    let summary = Summary { token_times: settings.token_times(), ..ended.summary };
    Ok(Ended { summary, ..ended })
}

/// Says what the run came to, on paper where that is asked for.
fn tell(options: &BatchOptions, ended: &Ended, summary: Option<Output>, talk: Talk) -> anyhow::Result<()> {
    talk.notice(batch_summary(&ended.summary).trim_end());
    if let Some(path) = options.output_file() {
        let size = std::fs::metadata(path).map(|file| file.len()).unwrap_or_default();
        let journal = ended.journal.as_ref().map(|path| format!(", journal {}", path.display()));
        talk.notice(format_args!(
            "output    {} ({}){}",
            path.display(),
            crate::units::Size(size),
            journal.unwrap_or_default()
        ));
    }
    if let Some(hint) = options.how_to_go_on(ended) {
        talk.notice(format_args!("          {hint}"));
    }
    if let Some(mut output) = summary {
        output.write(batch_summary_json(&ended.summary, ended.stopped.as_ref()).as_bytes())?;
        output.finish()?;
    }
    Ok(())
}

/// What the run as a whole comes to.
fn ending(ended: Ended, signal: Option<Signal>) -> anyhow::Result<()> {
    let Ended { summary, stopped, .. } = ended;
    if let (Some(signal), None | Some(Stop::Asked)) = (signal, &stopped) {
        return Err(Ending::Stopped(signal).into());
    }
    match stopped {
        Some(Stop::Broken(error)) => Err(books::explain(error)),
        Some(Stop::Hopeless { class, message }) => Err(Ending::BatchGaveUp { class, message }.into()),
        Some(Stop::Cost(cost)) => Err(Ending::Capped(format!("--max-cost is reached: {cost}")).into()),
        Some(Stop::Requests(most)) => {
            Err(Ending::Capped(format!("--max-requests is reached: {}", crate::units::grouped(most))).into())
        }
        Some(Stop::TooManyErrors { failed, finished }) => {
            Err(Ending::TooManyErrors { failed, all: finished }.into())
        }
        Some(Stop::Asked) | None if summary.tally.failed > 0 => Err(Ending::SomeFailed {
            what: "rows",
            failed: summary.tally.failed,
            all: summary.tally.finished(),
        }
        .into()),
        Some(Stop::Asked) | None => Ok(()),
    }
}

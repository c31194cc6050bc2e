//! Looks at the sources of a synced configuration beside a run, on a thread of its own: no request waits for a disk.

use std::thread;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, oneshot};
use tokio::time::sleep;

use crate::config::{Error, News, Upkeep};

/// What a look came to.
type Looked = Result<News, Error>;

/// Hands on what is new until it is dropped.
pub(in crate::cli) struct Watcher {
    /// Read by one at a time.
    news: Mutex<UnboundedReceiver<Looked>>,
    /// Dropped with it, which ends the thread.
    _here: oneshot::Sender<()>,
}

impl Watcher {
    pub(in crate::cli) fn start(upkeep: Upkeep) -> Self {
        let (tell, news) = unbounded_channel();
        let (here, gone) = oneshot::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // Without a runtime the run itself could not have begun.
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                tokio::select! {
                    () = look(upkeep, tell) => {}
                    _ = gone => {}
                }
            });
            // A name look-up may still hang in a thread of its own.
            runtime.shutdown_background();
        });
        Self { news: Mutex::new(news), _here: here }
    }

    /// What is new next; never anything where nothing is synced.
    pub(in crate::cli) async fn next(watcher: Option<&Self>) -> Looked {
        let Some(watcher) = watcher else { return std::future::pending().await };
        match watcher.news.lock().await.recv().await {
            Some(looked) => looked,
            None => std::future::pending().await,
        }
    }
}

async fn look(mut upkeep: Upkeep, tell: UnboundedSender<Looked>) {
    let mut pause = upkeep.first_pause();
    loop {
        sleep(pause).await;
        match upkeep.look().await {
            Ok(News::Nothing) => {}
            looked => {
                // Whoever listened is gone only with the run.
                let _ = tell.send(looked);
            }
        }
        pause = upkeep.pause();
    }
}

//! The record of one request, from reading it to its end: its place, its marks, and what is logged and counted of it.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::sleep_until;

use crate::mock::log::Line;
use crate::mock::request::Ask;
use crate::mock::server::Worker;
use crate::mock::slots::Place;
use crate::wire::Dialect;

/// One request on its way. Dropping it unfinished means that its client went away.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// The thread that serves it.
    worker: Rc<Worker>,
    /// Its place among those that are answered, held to the end.
    place: Place,
    /// Whether it still counts as in flight.
    is_open: bool,
    /// The client's own id.
    request_id: Option<String>,
    /// The model's name.
    model: Option<String>,
    /// The status of the reply.
    status: Option<u16>,
    /// The name of the fault that struck.
    fault: Option<&'static str>,
    /// When it was read.
    read: Instant,
    /// When the headers were handed over.
    headers: Option<Instant>,
    /// When the first piece was.
    first_delta: Option<Instant>,
    /// When the last piece so far was.
    last_delta: Option<Instant>,
    /// The longest time between two pieces.
    stall: Option<Duration>,
    /// When the end was.
    end: Option<Instant>,
    /// How many pieces were.
    deltas: u64,
}

/// The name of a dialect in the counters.
const fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Messages => "messages",
        Dialect::Chat => "chat",
        Dialect::Responses => "responses",
        Dialect::Complete => "complete",
        Dialect::Raw => "raw",
    }
}

impl Ticket {
    /// A ticket for a request that was read just now.
    pub(crate) fn issue(worker: &Rc<Worker>, dialect: Dialect, request_id: Option<String>) -> Self {
        let mut counters = worker.shared.counters.lock();
        counters.requests += 1;
        *counters.dialects.entry(name(dialect)).or_default() += 1;
        drop(counters);
        worker.shared.metronome.begin();
        Self {
            worker: Rc::clone(worker),
            place: None,
            is_open: true,
            request_id,
            model: None,
            status: None,
            fault: None,
            read: Instant::now(),
            headers: None,
            first_delta: None,
            last_delta: None,
            stall: None,
            end: None,
            deltas: 0,
        }
    }

    /// Notes what was asked for.
    pub(crate) fn note_ask(&mut self, ask: &Ask) {
        self.model.clone_from(&ask.model);
    }

    /// Notes the fault that strikes.
    pub(crate) fn note_fault(&mut self, fault: &'static str) {
        self.fault = Some(fault);
        *self.worker.shared.counters.lock().faults.entry(fault).or_default() += 1;
    }

    /// The client's own id.
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// When something due then can happen, for a relay that may stand still.
    pub(crate) fn thaw(&self, due: Instant) -> Instant {
        let shared = &self.worker.shared;
        shared.spec.freeze.map_or(due, |freeze| freeze.thaw(shared.epoch, due))
    }

    /// Waits in line for a place and keeps it.
    pub(crate) async fn queue(&mut self) {
        self.place = self.worker.shared.slots.take().await;
        // A relay that stands still begins nothing.
        let now = Instant::now();
        let thaw = self.thaw(now);
        if thaw > now {
            sleep_until(thaw).await;
        }
    }

    /// Notes that the headers leave now.
    pub(crate) fn note_headers(&mut self, status: u16) {
        self.status = Some(status);
        self.headers = Some(Instant::now());
        *self.worker.shared.counters.lock().statuses.entry(status).or_default() += 1;
    }

    /// Notes that a piece leaves now, which was due before.
    pub(crate) fn note_delta(&mut self, now: Instant, due: Instant) {
        self.first_delta.get_or_insert(now);
        let before = self.last_delta.replace(now);
        self.stall = self.stall.max(before.map(|before| now.saturating_duration_since(before)));
        self.deltas += 1;
        self.worker.meter.record(now.saturating_duration_since(due));
    }

    /// Notes that the last byte leaves now; frees the place and writes the log.
    pub(crate) fn finish(&mut self) {
        self.end = Some(Instant::now());
        self.close();
    }

    /// Ends the request at the relay's own will, without its last byte.
    pub(crate) fn sever(&mut self) {
        self.close();
    }

    fn close(&mut self) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        self.place = None;
        self.worker.shared.metronome.end();
        let Some(log) = &self.worker.log else { return };
        let clock = &self.worker.shared.clock;
        let nanos = |moment: Option<Instant>| moment.map(|moment| clock.unix_nanos(moment));
        let line = Line {
            zone: self.worker.shared.zone.clone(),
            request_id: self.request_id.take(),
            model: self.model.take(),
            status: self.status,
            read: clock.unix_nanos(self.read),
            headers: nanos(self.headers),
            first_delta: nanos(self.first_delta),
            last_delta: nanos(self.last_delta),
            stall_ns: self.stall.map(|stall| u64::try_from(stall.as_nanos()).unwrap_or(u64::MAX)),
            end: nanos(self.end),
            deltas: self.deltas,
            fault: self.fault,
        };
        // A log that cannot be written ends its thread; stopping the relay reports why.
        log.send(line).ok();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.is_open {
            self.worker.shared.counters.lock().aborted += 1;
            self.close();
        }
    }
}

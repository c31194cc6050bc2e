//! The open loop on one worker: starts each request when it is due, whatever became of those before it.

use std::cell::Cell;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Target;
use super::Ticket;
use super::WARMUP_ITERATIONS;
use super::alarm::Alarm;
use super::arrivals::Arrivals;
use super::control::Order;
use super::desk::Desk;
use super::desk::Seat;
use super::plan::Extent;

/// The part of a level's arrivals that one worker carries: every `step`-th from `first` on.
#[derive(Debug, Clone)]
pub(super) struct Stripe {
    pub arrivals: Arrivals,
    pub first: u64,
    pub step: u64,
    /// Most requests in flight at once on this worker.
    pub cap: u32,
}

/// Tasks of one worker at one level, requests among them.
pub(super) type Tasks = Rc<RefCell<JoinSet<()>>>;

impl Stripe {
    /// The worker's tickets and when they are due, warm-up first, from `desk`'s schedule.
    fn tickets<T>(&self, desk: &Desk<T>) -> impl Iterator<Item = (Ticket, Instant)> + use<T> {
        let schedule = desk.schedule;
        let warmup = schedule.measured_from - schedule.t0;
        let before = self.arrivals.warmup().map(|arrivals| arrivals.offsets()).into_iter().flatten();
        let before = before.take_while(move |offset| *offset < warmup);
        let (window, most) = match schedule.extent {
            Extent::Window(window) => (window, u64::MAX),
            Extent::Requests(requests) => (Duration::MAX, requests * schedule.sides.each()),
        };
        let measured = self.arrivals.offsets().take_while(move |offset| *offset < window);
        let ticket = move |iteration: u64, place: u64| {
            let (index, side) = schedule.sides.at(place, 0);
            Ticket {
                level: schedule.level,
                index: iteration + index,
                user: u32::try_from(index % u64::from(schedule.users.max(1))).unwrap_or(0),
                iteration: iteration + index,
                side,
            }
        };
        let before = (0..)
            .zip(before)
            .map(move |(index, at)| (index, ticket(WARMUP_ITERATIONS, index), schedule.t0 + at));
        let measured = (0..most)
            .zip(measured)
            .map(move |(index, at)| (index, ticket(0, index), schedule.measured_from + at));
        let (first, step) = (self.first, self.step);
        let all = before.chain(measured).filter(move |(index, ..)| index % step == first);
        all.map(|(_, ticket, due)| (ticket, due))
    }
}

/// Starts the requests of a stripe until there are none left or the run is stopped.
pub(super) async fn dispatch<T: Target + 'static>(desk: Rc<Desk<T>>, stripe: Stripe, tasks: Tasks) {
    let tickets = stripe.tickets(&desk);
    let alarm = Alarm::set_up();
    let places = Rc::new(Places { free: Cell::new(stripe.cap), left: Notify::new() });
    let mut roll = Roll { desk: Rc::clone(&desk), tickets, next: None };
    let mut orders = desk.control.orders();
    let mut held_until: Option<Instant> = None;
    loop {
        let Some((ticket, due)) = roll.next() else { return };
        let place = async {
            alarm.until(due).await;
            places.take().await
        };
        let (place, got) = tokio::select! {
            biased;
            _ = orders.wait_for(|order| !matches!(order, Order::Run)) => return,
            taken = place => taken,
        };
        roll.next = None;
        // Whoever was due while one before it waited for a place has been held back as well.
        held_until = held_until.max(got);
        let planned = Planned { due, free_since: held_until.filter(|until| *until > due) };
        let desk = Rc::clone(&desk);
        tasks.borrow_mut().spawn_local(async move {
            let mut seat = Seat::taken(desk);
            seat.serve(ticket, Some(planned)).await;
            drop(place);
        });
    }
}

/// When a request was to start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planned {
    /// Its due time.
    pub due: Instant,
    /// When it could start, where it was due and had to wait for a place.
    pub free_since: Option<Instant>,
}

/// Places for requests in flight.
#[derive(Debug)]
struct Places {
    free: Cell<u32>,
    left: Notify,
}

impl Places {
    /// Takes a place, and says when it became free if it had to be waited for.
    async fn take(self: &Rc<Self>) -> (Place, Option<Instant>) {
        let mut waited = None;
        while self.free.get() == 0 {
            self.left.notified().await;
            waited = Some(Instant::now());
        }
        self.free.set(self.free.get() - 1);
        (Place(Rc::clone(self)), waited)
    }
}

/// One place, given back when dropped.
#[derive(Debug)]
struct Place(Rc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.free.set(self.0.free.get() + 1);
        self.0.left.notify_one();
    }
}

/// The arrivals that are still to be started. Dropping it writes down those that were due and never sent.
struct Roll<T: Target, I: Iterator<Item = (Ticket, Instant)>> {
    desk: Rc<Desk<T>>,
    tickets: I,
    /// The one that is waited for.
    next: Option<(Ticket, Instant)>,
}

impl<T: Target, I: Iterator<Item = (Ticket, Instant)>> Roll<T, I> {
    fn next(&mut self) -> Option<(Ticket, Instant)> {
        if self.desk.control.is_stopping() {
            return None;
        }
        // One that a bound does not admit was never to be sent.
        self.next = self.tickets.next().filter(|_| self.desk.control.admits());
        self.next
    }
}

impl<T: Target, I: Iterator<Item = (Ticket, Instant)>> Drop for Roll<T, I> {
    fn drop(&mut self) {
        let now = Instant::now();
        // Whoever stopped the run did without what was due after that.
        let until = self.desk.control.stopped_at().map_or(now, |at| at.min(now));
        let rest = self.next.into_iter().chain(self.tickets.by_ref()).take_while(|(_, due)| *due <= until);
        for (ticket, due) in rest {
            if !ticket.is_warmup() {
                self.desk.book(ticket.side).borrow_mut().unsent(due, now);
            }
        }
    }
}

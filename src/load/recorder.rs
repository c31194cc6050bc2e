//! What one worker writes down at one level; recorders of several workers add up exactly.

use std::time::Duration;

use tokio::time::Instant;

use super::Ticket;
use super::delivery::Delivery;
use super::dispatch::Planned;
use super::metrics::Metrics;
use super::metrics::note;
use super::objective::Goodput;
use super::objective::Objective;
use super::schedule::Schedule;
use super::share::Shares;
use super::tally::ClassCounts;
use super::tally::Failure;
use super::throughput::Throughput;
use super::timeline::Timeline;
use crate::outcome::Class;
use crate::outcome::Sample;

/// A request under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    /// When the engine handed it to the target.
    pub start: Instant,
    /// Whether it started inside the window.
    pub recorded: bool,
    /// Which request it is.
    pub ticket: Ticket,
    /// When it was to start; open loop only.
    pub planned: Option<Planned>,
}

impl Flight {
    /// How long after its planned start it began.
    fn lag(&self) -> Option<Duration> {
        self.planned.map(|planned| self.start.saturating_duration_since(planned.due))
    }
}

/// What one worker saw of one level.
#[derive(Debug, Clone, Default)]
pub(super) struct Recorder {
    pub metrics: Metrics,
    pub classes: ClassCounts,
    /// The first failure of each class that has one.
    pub failures: Vec<Failure>,
    pub throughput: Throughput,
    /// What became of the arrivals of an open loop.
    pub delivery: Delivery,
    /// How many requests met the objectives; counted where there are any.
    pub goodput: Goodput,
    /// Successful requests that ended since the window began; for the live view only.
    pub completions: u64,
    /// What happened in each second.
    pub timeline: Timeline,
    /// What each of several endpoints did.
    pub shares: Shares,
    /// Start of the first recorded request.
    pub first_start: Option<Instant>,
    /// End of the last recorded request.
    pub last_end: Option<Instant>,
}

impl Recorder {
    /// Writes down that a request starts.
    pub(super) fn started(&mut self, flight: &Flight) {
        let Some(planned) = flight.planned.filter(|_| flight.recorded) else { return };
        self.metrics.lag.record(flight.start.saturating_duration_since(planned.due));
        self.delivery.sent(planned, flight.start);
    }

    /// Writes down an arrival that was due and not sent until `now`; its response time is at least that.
    pub(super) fn unsent(&mut self, due: Instant, now: Instant) {
        self.delivery.unsent(due);
        self.metrics.response.censor(now.saturating_duration_since(due));
    }

    /// Writes down a request that ended, at `end` and by itself; `limit` is the end of the window as known so far.
    pub(super) fn finished(&mut self, flight: Flight, end: Instant, entry: &Entry<'_>) {
        let Entry { schedule, limit, objectives, sample } = *entry;
        if sample.class.is_ok() {
            let tokens = sample.tokens;
            if flight.recorded && limit.is_none_or(|limit| end <= limit) {
                self.throughput.whole(tokens);
                self.shares.whole(&sample.endpoint, tokens);
            } else if end > schedule.measured_from {
                self.throughput.edge(flight.start, end, tokens);
                self.shares.edge(&sample.endpoint, (flight.start, end), tokens);
            }
            self.completions += u64::from(end >= schedule.measured_from);
        }
        if !flight.recorded {
            return;
        }
        self.span(flight.start, end);
        self.timeline.ended(end.saturating_duration_since(schedule.measured_from), sample);
        self.classes.count(sample.class);
        self.shares.ended(sample);
        self.goodput.count(objectives, sample, flight.lag());
        if sample.class.is_ok() {
            self.metrics.record(sample);
            let response = flight.lag().zip(sample.marks.last_delta).map(|(lag, latency)| lag + latency);
            note(&mut self.metrics.response, response);
        } else {
            self.note_failure(sample, end.saturating_duration_since(schedule.t0));
        }
    }

    /// Writes down a request that was cut at `end`.
    pub(super) fn cut(&mut self, flight: Flight, end: Instant, sample: &Sample) {
        if flight.recorded {
            self.span(flight.start, end);
            let age = end.saturating_duration_since(flight.start);
            self.classes.count(Class::Cancelled);
            self.shares.cut(sample, age);
            self.metrics.censor(sample, age);
            if let Some(planned) = flight.planned {
                self.metrics.response.censor(end.saturating_duration_since(planned.due));
            }
        }
    }

    /// Adds everything that another worker saw of the same level.
    pub(super) fn merge(&mut self, other: &Self) {
        self.metrics.merge(&other.metrics);
        self.classes.merge(&other.classes);
        self.throughput.merge(&other.throughput);
        self.delivery.merge(&other.delivery);
        self.goodput.merge(&other.goodput);
        self.completions += other.completions;
        self.timeline.merge(&other.timeline);
        self.shares.merge(&other.shares);
        self.first_start = self.first_start.into_iter().chain(other.first_start).min();
        self.last_end = self.last_end.max(other.last_end);
        for theirs in &other.failures {
            match self.failures.iter_mut().find(|mine| mine.class == theirs.class) {
                Some(mine) if theirs.after < mine.after => *mine = theirs.clone(),
                Some(_) => {}
                None => self.failures.push(theirs.clone()),
            }
        }
        self.failures.sort_by_key(|failure| failure.class);
    }

    /// Widens the time from the first recorded start to the last end.
    fn span(&mut self, start: Instant, end: Instant) {
        self.first_start = Some(self.first_start.map_or(start, |first| first.min(start)));
        self.last_end = self.last_end.max(Some(end));
    }

    /// Keeps a failure if it is the first of its class.
    fn note_failure(&mut self, sample: &Sample, after: Duration) {
        if self.classes[sample.class] == 1 && sample.class.is_failure() {
            self.failures.push(Failure {
                class: sample.class,
                message: sample.message.clone(),
                after,
                retry_after: sample.retry_after,
            });
            self.failures.sort_by_key(|failure| failure.class);
        }
    }
}

/// A request that ended, and what it is judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub schedule: &'a Schedule,
    /// The end of the window as far as it is known: its planned end or an earlier stop.
    pub limit: Option<Instant>,
    /// What the times of the request should be.
    pub objectives: &'a [Objective],
    pub sample: &'a Sample,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::metric::Metric;

    use super::super::plan::Extent;
    use super::super::{Sides, quantile::Percentile};
    use super::*;
    use crate::outcome::Tokens;

    /// One request: when it starts, how long it lasts, the number of its class, and whether it is cut.
    type Request = (u64, u64, usize, bool);

    fn schedule(t0: Instant) -> Schedule {
        let extent = Extent::Window(Duration::from_millis(500));
        Schedule {
            level: 0,
            users: 1,
            rate: None,
            t0,
            measured_from: t0,
            extent,
            drain: Duration::ZERO,
            sides: Sides::One,
        }
    }

    fn write(recorder: &mut Recorder, schedule: &Schedule, request: &Request) {
        let (start_ms, length_ms, class, cut) = *request;
        let start = schedule.t0 + Duration::from_millis(start_ms);
        let length = Duration::from_millis(length_ms);
        let mut sample = Sample::starting(start);
        sample.class = Class::ALL[class];
        sample.streamed = true;
        sample.tokens = Tokens { output: Some(length_ms), ..Tokens::default() };
        sample.marks.first_delta = Some(length / 4);
        sample.marks.last_delta = Some(length);
        sample.gaps = vec![length / 2, length / 4];
        let flight = Flight { start, recorded: true, ticket: Ticket::default(), planned: None };
        if cut {
            recorder.cut(flight, start + length, &sample);
        } else {
            let entry = Entry { schedule, limit: schedule.window_end(), objectives: &[], sample: &sample };
            recorder.finished(flight, start + length, &entry);
        }
    }

    fn figures(recorder: &Recorder) -> impl PartialEq + std::fmt::Debug + use<> {
        let of = |metric: &Metric| {
            (
                metric.encoded(),
                metric.encoded_censored(),
                metric.sum(),
                metric.min(),
                metric.max(),
                metric.count(),
            )
        };
        let metrics = &recorder.metrics;
        (
            of(&metrics.latency),
            of(&metrics.ttft),
            of(&metrics.gap),
            of(&metrics.tpot),
            recorder.classes,
            (recorder.first_start, recorder.last_end, recorder.completions),
            recorder.failures.iter().map(|failure| (failure.class, failure.after)).collect::<Vec<_>>(),
        )
    }

    proptest! {
           #![proptest_config(ProptestConfig::with_cases(64))]
           #[test]
           fn merged_recorders_equal_one_recorder(
               requests in prop::collection::vec((0_u64..400, 1_u64..400, 0_usize..23, prop::bool::weighted(0.1)), 0..120),
               workers in 1_usize..5,
           ) {
               let schedule = schedule(Instant::now());
               let mut one = Recorder::default();
               let mut several = vec![Recorder::default(); workers];
               // In the order of ends, as one worker would see them.
               let mut ordered: Vec<Request> = requests;
               ordered.sort_by_key(|request| request.0 + request.1);
               for (at, request) in ordered.iter().enumerate() {
                   write(&mut one, &schedule, request);
                   write(&mut several[at % workers], &schedule, request);
               }
               let mut merged = Recorder::default();
               for recorder in &several {
    merged.merge(recorder);
    }
               prop_assert_eq!(figures(&merged), figures(&one));
               let end = schedule.window_end().unwrap();
               let rps = |recorder: &Recorder| recorder.throughput.rates(schedule.t0, end).unwrap().requests;
               prop_assert!((rps(&merged) - rps(&one)).abs() < 1e-9);
           }
       }

    #[test]
    fn a_failure_never_enters_a_latency() {
        let schedule = schedule(Instant::now());
        let mut recorder = Recorder::default();
        write(&mut recorder, &schedule, &(0, 10, Class::Overloaded as usize, false));
        write(&mut recorder, &schedule, &(10, 20, Class::Ok as usize, false));
        assert_eq!(recorder.metrics.latency.count(), 1);
        assert_eq!((recorder.classes.ok(), recorder.classes.failures()), (1, 1));
        assert_eq!(recorder.failures[0].after, Duration::from_millis(10));
    }

    #[test]
    fn a_request_without_a_stream_has_no_time_to_a_token() {
        let schedule = schedule(Instant::now());
        let mut recorder = Recorder::default();
        let mut sample = Sample::starting(schedule.t0);
        sample.class = Class::Ok;
        sample.marks.first_delta = Some(Duration::from_millis(3));
        sample.marks.last_delta = Some(Duration::from_millis(3));
        let entry = Entry { schedule: &schedule, limit: None, objectives: &[], sample: &sample };
        let flight = Flight { start: schedule.t0, recorded: true, ticket: Ticket::default(), planned: None };
        recorder.finished(flight, schedule.t0, &entry);
        assert_eq!((recorder.metrics.latency.count(), recorder.metrics.ttft.count()), (1, 0));
    }

    #[test]
    fn a_cut_request_bounds_its_percentiles_from_below() {
        let schedule = schedule(Instant::now());
        let mut recorder = Recorder::default();
        write(&mut recorder, &schedule, &(0, 40, Class::Ok as usize, false));
        write(&mut recorder, &schedule, &(0, 400, Class::Ok as usize, true));
        let reached = recorder.metrics.latency.quantile_of_any(Percentile::P99).unwrap();
        assert_eq!(reached.bound, super::super::metric::Bound::Lower);
        assert_eq!(recorder.classes[Class::Cancelled], 1);
    }
}

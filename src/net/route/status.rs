//! What a router knows, for tables and reports.

use std::time::Duration;

use super::{Endpoint, Event, Grade, Router};

/// What is known of one endpoint.
#[derive(Debug, Clone)]
pub struct Status {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// How willingly it is asked.
    pub grade: Grade,
    /// Whether it is the one that `nearest` prefers.
    pub preferred: bool,
    /// The percentage of its share that it takes.
    pub share: u8,
    /// Requests under way.
    pub in_flight: u32,
    /// The recent time to first byte.
    pub latency: Option<Duration>,
    /// The average time of probes.
    pub probe: Option<Duration>,
    /// Ejections that are not forgotten yet.
    pub ejections: u32,
    /// The last decision about it.
    pub last: Option<Event>,
}

impl Router {
    /// What is known of each endpoint, in the order in which they were given.
    pub fn status(&self) -> Vec<Status> {
        let now = self.now();
        self.change(now, |board, now| {
            board.tick(now, fastrand::f64());
            let view = board.view(now);
            let placed = view.placed.into_iter().zip(&board.members).enumerate();
            let status = placed.map(|(index, (placed, member))| Status {
                endpoint: (*member.seat.endpoint).clone(),
                grade: placed.grade,
                preferred: index == view.preferred,
                share: placed.share,
                in_flight: member.seat.gauges.in_flight(),
                latency: member.seat.gauges.latency(now),
                probe: member.distance.probes,
                ejections: member.health.ejections,
                last: member.last.clone(),
            });
            status.collect()
        })
    }

    /// Whether fewer than half of the endpoints are well.
    pub fn panics(&self) -> bool {
        self.board().panics()
    }

    /// Whether nothing replies, so that the local network is under suspicion.
    pub fn suspects_network(&self) -> bool {
        self.board().suspects_network()
    }
}

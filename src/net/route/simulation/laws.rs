//! The laws themselves.

use std::time::Duration;

use super::super::rules::{DWELL, SESSION_TTL};
use super::super::view::Grade;
use super::super::{Change, Event, Reason, Ticket};
use super::world::{ATTEMPTS, Request, Way, World};

/// How long an endpoint that serves is still blamed for what it did before: longer than any limit of the client.
const BLAMED: Duration = Duration::from_secs(90);

impl World<'_> {
    /// What holds after every step.
    pub(super) fn check(&mut self) {
        let events = self.router.take_events();
        let silent = events.iter().any(|event| matches!(event.reason, Reason::Silent(_)));
        for event in events {
            self.check_event(&event);
            self.events.push(event);
        }
        let board = self.router.board();
        let out = board.members.iter().filter(|member| member.health.is_out()).count();
        let most = (board.members.len() / 2).max(1);
        assert!(out <= most && out < board.members.len(), "seed {}: {out} are ejected", self.seed);
        drop(board);
        if silent {
            self.call_back();
        }
    }

    /// Who serves is not left, whatever becomes of probes, of the network or of others; and who works is preferred for as
    /// long as it must be.
    fn check_event(&mut self, event: &Event) {
        let seed = self.seed;
        if matches!(event.change, Change::Ejected | Change::Kept) {
            let status = self.router.status();
            let named = |index: &usize| Some(status[*index].endpoint.name()) == event.endpoint;
            let index = (0..status.len()).find(named).unwrap();
            let place = &self.places[index];
            let serves = place.way == Way::Serves && self.lived.saturating_sub(place.since) > BLAMED;
            let lately = &self.events[self.events.len().saturating_sub(9)..];
            assert!(!serves, "seed {seed}: it serves: {event:?}, {place:?}, cut: {}, {lately:?}", self.cut);
        }
        if event.change == Change::Preferred {
            if matches!(event.reason, Reason::Faster(_)) {
                let dwelt = self.preferred_at.is_none_or(|at| event.at.saturating_sub(at) >= DWELL);
                assert!(dwelt, "seed {seed}: it moved within its dwell: {event:?}");
            }
            self.preferred_at = Some(event.at);
        }
    }

    /// Each attempt goes to the best that has not been tried, or is a trial; and a session stays where it is.
    pub(super) fn check_choice(&mut self, request: &Request, session: Option<&str>, ticket: &Ticket<'_>) {
        let index = Self::index_of(ticket.endpoint());
        assert!(!request.asked.contains(&index), "seed {}: {index} is asked twice", self.seed);
        let view = self.router.view.load();
        let stays = |home: usize| view.placed[home].keeps_sessions;
        let Some(session) = session else {
            let left = view.placed.iter().enumerate().filter(|(place, _)| !request.asked.contains(place));
            let best = left.map(|(_, placed)| placed.grade).min();
            let is_best = Some(view.placed[index].grade) == best;
            assert!(ticket.is_trial() || is_best, "seed {}: not the best", self.seed);
            return;
        };
        let home = self.homes.get(session).copied();
        if ticket.is_trial() || !request.asked.is_empty() {
            // It settled where only its next request goes.
            if home.is_some_and(|(home, _)| !stays(home)) {
                self.homes.remove(session);
            }
            return;
        }
        // It was renewed by the last request, or by one at most a quarter of its time before.
        if let Some((home, seen)) = home
            && self.now.saturating_sub(seen) < SESSION_TTL / 2
        {
            assert!(home == index || !stays(home), "seed {}: {session} left its home", self.seed);
        }
        self.homes.insert(session.to_owned(), (index, self.now));
    }

    /// Where there are no more endpoints than attempts, none that serves was left out.
    pub(super) fn check_failed(&self, request: &Request) {
        if self.places.len() <= ATTEMPTS {
            assert_eq!(request.asked.len(), self.places.len(), "seed {}: one was not asked", self.seed);
        }
    }

    /// Who has served for so long takes its whole share again.
    pub(super) fn check_recovered(&self, time: Duration) {
        if self.cut || self.lived.saturating_sub(self.cut_since) <= time {
            return;
        }
        let view = self.router.view.load();
        let board = self.router.board();
        for ((place, placed), member) in self.places.iter().zip(&view.placed).zip(&board.members) {
            let serves = place.way == Way::Serves && self.lived.saturating_sub(place.since) > time;
            let back = placed.grade == Grade::Well && placed.share == 100;
            let health = &member.health;
            assert!(!serves || back, "seed {}: it has not come back: {place:?}, {health:?}", self.seed);
        }
    }
}

//! What is learned of endpoints and outlives the process: how far they are, and which of them were out.

use std::time::Duration;

use super::board::Board;
use super::health::Standing;
use super::rules::{EJECTION_JITTER, EJECTION_MOST};
use super::{Router, Strategy, Url};

/// What is learned of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// Its address.
    pub url: Url,
    /// The average time of probes.
    pub probe: Option<Duration>,
    /// Ejections that are not forgotten yet.
    pub ejections: u32,
    /// How long it is still to be left alone; none where it is not ejected.
    pub out_for: Option<Duration>,
    /// Whether it is the one that `nearest` prefers.
    pub preferred: bool,
}

impl Router {
    /// What is learned of each endpoint, for the next process.
    pub fn learned(&self) -> Vec<Learned> {
        let now = self.now();
        let board = self.board();
        let members = board.members.iter().enumerate();
        let of = members.map(|(index, member)| Learned {
            url: member.seat.endpoint.url.clone(),
            probe: member.distance.probes,
            ejections: member.health.ejections,
            out_for: match member.health.standing {
                Standing::Ejected { until } => Some(until.saturating_sub(now)),
                // One that was on trial has shown nothing yet.
                Standing::Trial { .. } => Some(Duration::ZERO),
                _ => None,
            },
            preferred: index == board.preference.index,
        });
        of.collect()
    }

    /// Takes over what an earlier process learned; addresses that are not of the set say nothing.
    pub fn remember(&self, learned: &[Learned]) {
        self.change(self.now(), |board, now| learned.iter().for_each(|one| board.remember(now, one)));
    }
}

impl Board {
    fn remember(&mut self, now: Duration, learned: &Learned) {
        let Some(index) = self.members.iter().position(|member| member.seat.endpoint.url == learned.url)
        else {
            return;
        };
        let may_eject = self.strategy != Strategy::Pinned && self.may_eject(index);
        let member = &mut self.members[index];
        member.distance.probes = learned.probe.or(member.distance.probes);
        member.health.ejections = learned.ejections;
        if let (Some(time), true) = (learned.out_for, may_eject) {
            // The clock by which the time was kept may have been ahead.
            let until = now + time.min(EJECTION_MOST + EJECTION_JITTER);
            member.health.standing = Standing::Ejected { until };
        }
        if learned.preferred && learned.out_for.is_none() {
            self.preference.index = index;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::route::{Endpoint, Grade, Tried};

    fn router() -> Router {
        let at = |host: &str| Endpoint::at(format!("http://{host}").parse().unwrap());
        Router::new(Strategy::Nearest, ["a", "b", "c"].map(at).to_vec()).unwrap()
    }

    fn learned(host: &str) -> Learned {
        let url = format!("http://{host}").parse().unwrap();
        Learned { url, probe: None, ejections: 0, out_for: None, preferred: false }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_learned_is_taken_over_and_never_by_all() {
        let router = router();
        let out = Some(Duration::from_secs(20));
        let near = Learned { probe: Some(Duration::from_millis(4)), preferred: true, ..learned("b") };
        let all = [Learned { out_for: out, ejections: 2, ..learned("a") }, near.clone(), learned("gone")];
        router.remember(&all);
        assert_eq!(router.learned()[..2], all[..2]);
        let chosen = router.choose(None, &Tried::default()).endpoint().url.clone();
        assert_eq!(chosen, near.url);
        // No more than may be are out, whatever an earlier process says.
        router.remember(&["b", "c"].map(|host| Learned { out_for: out, ..learned(host) }));
        let grades: Vec<_> = router.status().iter().map(|status| status.grade).collect();
        assert_eq!(grades, [Grade::Ejected, Grade::Well, Grade::Well]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_ejection_that_is_taken_over_lasts_longer_than_one_can() {
        let router = router();
        router.remember(&[Learned { out_for: Some(Duration::from_secs(1_000_000)), ..learned("a") }]);
        let most = EJECTION_MOST + EJECTION_JITTER;
        assert_eq!(router.learned()[0].out_for, Some(most));
        let at = |host: &str| Endpoint::at(format!("http://{host}").parse().unwrap());
        let pinned = Router::new(Strategy::Pinned, vec![at("a"), at("b")]).unwrap();
        pinned.remember(&[Learned { out_for: Some(most), ..learned("a") }]);
        assert_eq!(pinned.learned()[0].out_for, None, "where nothing is left there is no ejection");
    }
}

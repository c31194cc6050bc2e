//! Laws of routing, held over thousands of simulated hours of outages, latency shifts, lost probes, sessions and clock jumps.

mod laws;
mod world;

use std::time::Duration;

use super::{Change, Strategy};

use self::world::{Place, Traffic, Way, World};

const SECOND: Duration = Duration::from_secs(1);
const ROUTED: [Strategy; 4] = [Strategy::Nearest, Strategy::Balanced, Strategy::Priority, Strategy::Weighted];

#[test]
fn the_laws_hold_over_thousands_of_hours() {
    let (mut hours, mut counts) = (0, [0; 6]);
    let changes = [
        Change::Ejected,
        Change::Restored,
        Change::Kept,
        Change::SuspicionRaised,
        Change::SuspicionLifted,
        Change::Preferred,
    ];
    for seed in 0..24 {
        let router = World::router(seed, ROUTED[usize::try_from(seed % 4).unwrap()]);
        let mut world = World::new(seed, &router);
        let traffic = if seed % 3 == 0 { Traffic::Sessions } else { Traffic::Plain };
        for _ in 0..60 {
            world.shake();
            let scene = SECOND * world.random.u32(20..120);
            let rate = f64::from(world.random.u8(1..25));
            world.live(scene, (traffic, rate));
            if world.random.u8(..8) == 0 {
                world.live(1300 * SECOND, (traffic, 0.5));
            }
            let idle = SECOND * world.random.u32(..14_400);
            world.idle(idle);
        }
        hours += world.now.as_secs() / 3600;
        for (count, change) in counts.iter_mut().zip(changes) {
            *count += world.count(change);
        }
    }
    // That something was put to the test.
    assert!(hours > 2000, "{hours}");
    assert!(counts.iter().zip([150, 50, 15, 5, 5, 15]).all(|(count, least)| *count > least), "{counts:?}");
}

#[test]
fn where_only_probes_are_lost_nothing_is_ever_switched() {
    for seed in 0..24 {
        let router = World::router(seed, ROUTED[usize::try_from(seed % 4).unwrap()]);
        let mut world = World::new(seed, &router);
        // Slow models, too: no byte for longer than what is called silence.
        let latency = [0.05, 1.0, 3.0, 12.0][usize::try_from(seed / 4 % 4).unwrap()];
        world.places.iter_mut().for_each(|place| place.latency = latency);
        for _ in 0..20 {
            for place in &mut world.places {
                let chance = world.random.u8(..3);
                place.loses = [0.0, world.random.f64(), 1.0][usize::from(chance)];
                place.ails = world.random.f64().round();
            }
            let scene = SECOND * world.random.u32(60..180);
            world.live(scene, (Traffic::Plain, 5.0));
            world.idle(3600 * SECOND);
        }
        let switched = [Change::Ejected, Change::Kept, Change::Preferred].map(|change| world.count(change));
        assert_eq!(switched, [0; 3], "seed {seed}: {:?}", world.events);
    }
}

#[test]
fn a_network_that_goes_and_comes_back_switches_nothing() {
    for seed in 0..12 {
        let router = World::router(seed, ROUTED[usize::try_from(seed % 4).unwrap()]);
        let mut world = World::new(seed, &router);
        let traffic = if seed % 2 == 0 { Traffic::Sessions } else { Traffic::Plain };
        world.places.iter_mut().for_each(|place| place.latency = 0.3);
        for _ in 0..20 {
            let (before, cut) = (world.random.u32(10..60), world.random.u32(1..120));
            let rate = f64::from(world.random.u8(1..40));
            world.live(SECOND * before, (traffic, rate));
            world.cut(true);
            world.live(SECOND * cut, (traffic, rate));
            world.cut(false);
            world.live(60 * SECOND, (traffic, rate));
        }
        let switched = [Change::Ejected, Change::Kept, Change::Preferred].map(|change| world.count(change));
        assert_eq!(switched, [0; 3], "seed {seed}: {:?}", world.events);
        assert!(world.count(Change::SuspicionRaised) > 5, "seed {seed}");
    }
}

#[test]
fn what_fails_is_left_within_three_seconds_and_what_is_silent_within_ten() {
    let ways = [(Way::Refuses, 3), (Way::Overloaded(1.0), 3), (Way::Silent, 10)];
    for seed in 0..60 {
        let (way, most) = ways[usize::try_from(seed % 3).unwrap()];
        let router = World::router(seed, Strategy::Nearest);
        let mut world = World::new(seed, &router);
        for place in &mut world.places {
            place.latency = 0.2 + world.random.f64();
        }
        world.live(30 * SECOND, (Traffic::Plain, 20.0));
        let phase = Duration::from_millis(world.random.u64(..6000));
        world.live(phase, (Traffic::Plain, 20.0));
        let preferred = router.view.load().preferred;
        world.change(preferred, |place| place.way = way);
        let began = world.now;
        world.live(SECOND * most, (Traffic::Plain, 20.0));
        let left = world.events.iter().any(|event| event.at >= began && event.change == Change::Ejected);
        assert!(left, "seed {seed}: {way:?} is not seen within {most} s: {:?}", world.events);
    }
}

#[test]
fn an_endpoint_that_recovered_comes_back_where_there_are_only_sessions_that_live_elsewhere() {
    for seed in 0..12 {
        let router = World::router(seed, Strategy::Nearest);
        let mut world = World::new(seed, &router);
        world.live(60 * SECOND, (Traffic::Fixed, 20.0));
        let all: Vec<usize> = (0..world.places.len()).collect();
        let place = all[world.random.usize(..all.len())];
        world.change(place, |place| place.way = Way::Refuses);
        world.live(120 * SECOND, (Traffic::Fixed, 20.0));
        world.change(place, |place| *place = Place::healthy(0.1));
        world.live(900 * SECOND, (Traffic::Fixed, 5.0));
        world.check_recovered(600 * SECOND);
    }
}

#[test]
fn a_preference_between_equals_that_vary_does_not_wander() {
    for seed in 0..10 {
        let router = World::router(seed, Strategy::Nearest);
        let mut world = World::new(seed, &router);
        world.places.iter_mut().for_each(|place| place.latency = 0.05);
        for _ in 0..10 {
            world.live(180 * SECOND, (Traffic::Plain, 3.0));
        }
        assert!(world.count(Change::Preferred) <= 1, "seed {seed}: {:?}", world.events);
    }
}

//! A name whose addresses change under the connections of a pool, with the clock paused.

use std::cell::RefCell;

use super::*;

thread_local! {
    /// Where the name leads, and how often it was looked up.
    static ZONE: RefCell<(Vec<u8>, u32)> = RefCell::default();
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, last])
}

fn lead(addresses: &[u8]) {
    ZONE.with_borrow_mut(|(leads, _)| *leads = addresses.to_vec());
}

fn asked() -> u32 {
    ZONE.with_borrow(|(_, asked)| *asked)
}

/// Names that lead where the zone says.
fn names() -> Names {
    let look_up = |_| {
        ZONE.with_borrow_mut(|(leads, asked)| {
            *asked += 1;
            let found: Vec<IpAddr> = leads.iter().copied().map(address).collect();
            Box::pin(std::future::ready(found)) as LookUp
        })
    };
    Names { known: Arc::default(), look_up }
}

/// The name as a pool found it that has connected to these.
fn connected(names: &Names, addresses: &[u8]) -> Led {
    let led = names.follow("relay.example").led();
    for last in addresses {
        led.went(address(*last));
    }
    led
}

/// The second after which requests, one each second, see that the name has moved.
async fn moves(led: &Led, seconds: u64) -> Option<u64> {
    for second in 0..seconds {
        if !led.is_current() {
            return Some(second);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    None
}

#[tokio::test(start_paused = true)]
async fn a_name_that_leads_elsewhere_is_followed_within_thirty_seconds_and_told_once() {
    for phase in 0..13 {
        let names = names();
        lead(&[1, 2]);
        let led = connected(&names, &[2]);
        assert_eq!(moves(&led, 20 + phase).await, None);
        lead(&[3, 1]);
        assert!(moves(&led, 60).await.is_some_and(|second| second <= 30));
        let moved = Moved { host: "relay.example".to_owned(), from: address(2), to: address(3) };
        assert_eq!((names.take_moves(), names.take_moves()), (vec![moved], vec![]));
        // What was made before is not asked again, and what is made now leads on.
        led.went(address(2));
        let fresh = connected(&names, &[3]);
        assert_eq!((moves(&fresh, 60).await, led.is_current()), (None, false));
    }
}

#[tokio::test(start_paused = true)]
async fn addresses_not_in_use_another_order_and_an_answer_that_is_short_once_move_nothing() {
    let names = names();
    lead(&[1, 2]);
    let led = connected(&names, &[1]);
    for addresses in [&[2, 1][..], &[3, 1], &[1], &[], &[1, 9]] {
        lead(addresses);
        assert_eq!(moves(&led, 40).await, None, "{addresses:?}");
    }
    // An answer that has others of its addresses, as every second one has.
    for _ in 0..10 {
        let before = asked();
        while asked() == before {
            assert_eq!(moves(&led, 1).await, None);
        }
        lead(if asked().is_multiple_of(2) { &[1] } else { &[2] });
    }
    assert_eq!(names.take_moves(), []);
}

#[tokio::test(start_paused = true)]
async fn a_name_is_looked_up_once_in_its_time_for_all_pools_and_not_while_nobody_goes_there() {
    let names = names();
    lead(&[1]);
    let (first, second) = (connected(&names, &[]), connected(&names, &[]));
    assert_eq!((moves(&first, 60).await, asked()), (None, 0), "nothing has connected");
    first.went(address(1));
    second.went(address(1));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(asked(), 0);
    for _ in 0..30 {
        assert_eq!((moves(&first, 1).await, moves(&second, 1).await), (None, None));
    }
    assert!((5..=7).contains(&asked()), "{}", asked());
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_ended_with_its_runtime_is_made_again() {
    let names = Names { known: Arc::default(), look_up: |_| Box::pin(std::future::pending()) };
    let led = connected(&names, &[1]);
    tokio::time::sleep(EVERY).await;
    assert!(led.is_current() && led.name.known().due.is_none());
    drop(Asking { name: led.name.clone(), pause: EVERY });
    assert!(led.name.known().due.is_some());
}

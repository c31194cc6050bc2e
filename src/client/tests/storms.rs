//! The budget of retries, held over storms of outages by whole clients on the paused clock: they share it, route over several
//! endpoints that fail in every way, and back off, while probes go on beside them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::task::{JoinSet, LocalSet};

use super::*;
use crate::net::route::{Endpoint, Probe, Probed, Strategy};
use crate::net::{Reply, Request, Transport};

const ROUTED: [Strategy; 4] = [Strategy::Nearest, Strategy::Balanced, Strategy::Priority, Strategy::Weighted];
/// Clients of a run, which share routes and budget as the workers of a run do.
const CLIENTS: usize = 4;

/// How an endpoint treats requests.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Serves,
    Refuses,
    /// This share gets a 503, after which others are asked at once.
    Unavailable(f64),
    /// Everybody is to come again in two seconds.
    Limits,
    /// This share gets an answer that breaks off.
    Breaks(f64),
    /// Connections are taken and nothing is ever sent.
    Silent,
}

impl Way {
    /// A way of serving nobody.
    fn down(random: &mut fastrand::Rng) -> Self {
        match random.u8(..5) {
            0 => Self::Refuses,
            1 => Self::Unavailable(1.0),
            2 => Self::Limits,
            3 => Self::Breaks(1.0),
            _ => Self::Silent,
        }
    }
}

/// The endpoints as they are, and what has been sent to them.
#[derive(Debug)]
struct World {
    seed: u64,
    began: Instant,
    random: RefCell<fastrand::Rng>,
    places: RefCell<Vec<Way>>,
    requests: Cell<u64>,
    attempts: Cell<u64>,
    /// Attempts that a silent endpoint never answered and that were called back: sent elsewhere, they are no more load.
    recalled: Cell<u64>,
    /// Requests that ended because others were being tried again.
    denied: Cell<u64>,
    served: Cell<u64>,
    /// What was seen where the law was first broken.
    breach: RefCell<Option<String>>,
}

/// The way to them.
#[derive(Debug)]
struct Wire(Rc<World>);

impl Transport for Wire {
    async fn send(&self, request: Request) -> Result<Reply, Error> {
        self.0.attempts.set(self.0.attempts.get() + 1);
        self.0.check();
        let random = |most: u64| Duration::from_millis(self.0.random.borrow_mut().u64(1..most));
        let falls = |share: f64| self.0.random.borrow_mut().f64() < share;
        let (after, turn) = match self.0.way(&request.url) {
            Way::Refuses => {
                let (detail, via) = ("refused".to_owned(), None);
                (Duration::from_millis(1), Turn::Fail(Error::Connect { detail, via, answered: true }))
            }
            Way::Unavailable(share) if falls(share) => (random(20), refusal(503, vec![])),
            Way::Limits => (random(20), refusal(429, vec![("retry-after", "2")])),
            Way::Breaks(share) if falls(share) => {
                (random(200), Turn::Reply(200, vec![], vec![Step::Bytes("{\"type\":"), Step::Break]))
            }
            Way::Silent => (Duration::ZERO, Turn::Silence),
            Way::Serves | Way::Unavailable(_) | Way::Breaks(_) => (random(400), whole()),
        };
        sleep(after).await;
        turn.play().await
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let places = vec![Way::Serves; random.usize(2..6)];
        Self {
            seed,
            began: Instant::now(),
            random: RefCell::new(random),
            places: RefCell::new(places),
            requests: Cell::default(),
            attempts: Cell::default(),
            recalled: Cell::default(),
            denied: Cell::default(),
            served: Cell::default(),
            breach: RefCell::default(),
        }
    }

    /// The law: a fifth of all requests that have begun, and three retries a second, which may come at once in ten.
    fn check(&self) {
        let (requests, recalled) = (self.requests.get(), self.recalled.get());
        let windows = self.began.elapsed().as_secs() / 10 + 1;
        let most = requests + requests / 5 + 30 * windows + recalled;
        let attempts = self.attempts.get();
        if attempts > most {
            let places = self.places.borrow();
            self.breach.borrow_mut().get_or_insert_with(|| {
                format!("seed {}: {attempts} attempts for {requests} requests in {windows} windows, of which {recalled} were called back: {places:?}", self.seed)
            });
        }
    }

    fn way(&self, url: &Url) -> Way {
        let index: usize = url.host_str().unwrap().strip_suffix(".example").unwrap().parse().unwrap();
        self.places.borrow()[index]
    }

    /// Draws how the endpoints are from now on: anyhow, then all well but a silent one, then all down.
    fn shake(&self, scene: u32) {
        let mut random = self.random.borrow_mut();
        let mut places = self.places.borrow_mut();
        if scene % 3 == 2 {
            let way = Way::down(&mut random);
            return places.fill(way);
        }
        if scene % 3 == 1 {
            places.fill(Way::Serves);
            let index = random.usize(..places.len());
            places[index] = Way::Silent;
            return;
        }
        for place in places.iter_mut() {
            *place = match random.u8(..4) {
                0 => Way::Unavailable(0.5),
                1 => Way::down(&mut random),
                _ => Way::Serves,
            };
        }
    }

    /// What a probe finds.
    async fn answer(&self, probe: &Probe) -> Probed {
        match self.way(&probe.seat.endpoint.url) {
            Way::Silent => {
                sleep(probe.timeout).await;
                Probed::Nothing
            }
            Way::Refuses => Probed::Refused,
            _ => {
                sleep(Duration::from_millis(3)).await;
                Probed::Reached(Duration::from_millis(3))
            }
        }
    }
}

fn routes(world: &World, strategy: Strategy) -> Arc<Routes> {
    let station = |index: usize| {
        let url = Url::parse(&format!("http://{index}.example")).unwrap();
        Station { endpoint: Endpoint::at(url), credential: None, signer: None }
    };
    let stations = (0..world.places.borrow().len()).map(station).collect();
    Arc::new(Routes::new(strategy, Dialect::Messages, stations).unwrap())
}

/// Clients of one run over these routes.
fn crew(world: &Rc<World>, routes: &Arc<Routes>) -> Vec<Rc<Client<Wire>>> {
    let budget = Arc::new(Budget::default());
    let client = |_| {
        let client = Client::new(Wire(Rc::clone(world)), None, Policy::default(), Timeouts::default());
        Rc::new(client.with_routes(Some(Arc::clone(routes))).with_budget(Some(Arc::clone(&budget))))
    };
    (0..CLIENTS).map(client).collect()
}

async fn probe(world: Rc<World>, routes: Arc<Routes>) {
    loop {
        sleep(Duration::from_millis(250)).await;
        for probe in routes.router().due_probes() {
            let (world, routes) = (Rc::clone(&world), Arc::clone(&routes));
            tokio::task::spawn_local(async move {
                let probed = world.answer(&probe).await;
                routes.router().probed(&probe, probed);
            });
        }
    }
}

async fn ask(world: Rc<World>, client: Rc<Client<Wire>>, call: Rc<Call>) {
    world.requests.set(world.requests.get() + 1);
    let recalled = &world.recalled;
    let exchange = client
        .run(&call, &mut |piece: Piece<'_>| {
            if let Piece::Retry(attempt, _) = piece
                && attempt.message.contains("fell silent")
            {
                recalled.set(recalled.get() + 1);
            }
            ControlFlow::Continue(())
        })
        .await;
    let count = |counter: &Cell<u64>, counts: bool| counter.set(counter.get() + u64::from(counts));
    count(&world.denied, exchange.ended == Decision::Stop(Why::Budget));
    count(&world.served, exchange.class == Class::Ok);
}

/// Lets requests arrive at random, so many a second.
async fn storm(world: &Rc<World>, crew: &[Rc<Client<Wire>>], (time, rate): (Duration, f64)) -> JoinSet<()> {
    let (call, end) = (Rc::new(call(Dialect::Messages, false)), Instant::now() + time);
    let mut under_way = JoinSet::new();
    while Instant::now() < end {
        let (pause, client) = {
            let mut random = world.random.borrow_mut();
            (-(1.0 - random.f64()).ln() / rate, random.usize(..crew.len()))
        };
        sleep(Duration::from_secs_f64(pause)).await;
        under_way.spawn_local(ask(Rc::clone(world), Rc::clone(&crew[client]), Rc::clone(&call)));
    }
    under_way
}

/// What came of a run of this seed.
async fn play(seed: u64) -> Rc<World> {
    fastrand::seed(seed);
    let world = Rc::new(World::new(seed));
    let routes = routes(&world, ROUTED[usize::try_from(seed % 4).unwrap()]);
    let crew = crew(&world, &routes);
    let probes = tokio::task::spawn_local(probe(Rc::clone(&world), Arc::clone(&routes)));
    let mut scenes = Vec::new();
    for scene in 0..9 {
        world.shake(scene);
        let (time, rate) = {
            let mut random = world.random.borrow_mut();
            (Duration::from_secs(random.u64(5..25)), [0.5, 4.0, 20.0, 40.0][random.usize(..4)])
        };
        scenes.push(storm(&world, &crew, (time, rate)).await);
    }
    for scene in scenes {
        scene.join_all().await;
    }
    probes.abort();
    assert_eq!(*world.breach.borrow(), None);
    world
}

#[tokio::test(start_paused = true)]
async fn no_storm_of_outages_makes_more_attempts_than_the_budget_allows() {
    let counts_of =
        |world: &World| [&world.requests, &world.attempts, &world.denied, &world.served].map(Cell::get);
    let (mut requests, mut retries, mut denied, mut served, mut recalled) = (0, 0, 0, 0, 0);
    let mut last = None;
    for seed in 0..8 {
        let world = LocalSet::new().run_until(play(seed)).await;
        requests += world.requests.get();
        retries += world.attempts.get() - world.requests.get();
        denied += world.denied.get();
        served += world.served.get();
        recalled += world.recalled.get();
        last = Some(counts_of(&world));
    }
    // The same storm comes of the same seed.
    let again = LocalSet::new().run_until(play(7)).await;
    assert_eq!(Some(counts_of(&again)), last);
    // That something was put to the test.
    let counts = format!(
        "{requests} requests, {retries} retries, {denied} denied, {served} served, {recalled} recalled"
    );
    assert!(
        requests > 10_000 && retries > 1_500 && denied > 1_500 && served > 5_000 && recalled > 20,
        "{counts}"
    );
}

#[tokio::test(start_paused = true)]
async fn while_nothing_answers_at_all_attempts_stay_within_a_fifth_and_three_a_second() {
    for (seed, way) in [Way::Refuses, Way::Unavailable(1.0), Way::Breaks(1.0)].into_iter().enumerate() {
        let seed = seed as u64;
        LocalSet::new()
            .run_until(async {
                fastrand::seed(seed);
                let world = Rc::new(World::new(seed));
                world.places.borrow_mut().fill(way);
                let routes = routes(&world, Strategy::Nearest);
                let crew = crew(&world, &routes);
                storm(&world, &crew, (Duration::from_secs(60), 50.0)).await.join_all().await;
                let (requests, attempts) = (world.requests.get(), world.attempts.get());
                assert!(requests > 2000 && world.served.get() == 0, "{way:?}: {requests}");
                assert!(
                    attempts > requests + requests / 6,
                    "{way:?}: {attempts} for {requests}: the budget is used"
                );
                assert!(attempts < requests + requests / 5 + 300, "{way:?}: {attempts} for {requests}");
            })
            .await;
    }
}

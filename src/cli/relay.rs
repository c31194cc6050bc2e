//! Wiring that subcommands share: the embedded relay, the resolved settings, the encoded call, the client.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::client::{Budget, Call, Client, Content, Policy, Routes, Timeouts};
use crate::config;
use crate::config::{Environment, Settings};
use crate::mock;
use crate::net;
use crate::net::{Compressor, Connection, Pool, Reuse, Url};
use crate::wire::{Prompt, WireError};

use super::connection::{ConnectionOptions, Unasked};
use super::limits::Throttle;
use super::lookout::{Lookout, Outfit};
use super::options::{Attempts, PolicyOptions, TargetOptions};
use super::prompt::{Defaults, PromptOptions};
use super::routing::RouteOptions;
use super::sign::Signing;
use super::{Talk, Usage};

/// The model asked for where the embedded relay answers and none is named.
const EMBEDDED_MODEL: &str = "mock-model";

/// The flags that decide where a request goes and what it says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flags<'a> {
    pub(super) target: &'a TargetOptions,
    pub(super) prompt: &'a PromptOptions,
    pub(super) connection: &'a ConnectionOptions,
    pub(super) policy: &'a PolicyOptions,
    pub(super) route: &'a RouteOptions,
}

/// How a subcommand differs from the others in the way it talks to the relay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Approach {
    pub(super) attempts: Attempts,
    pub(super) unasked: Unasked,
}

/// How a subcommand of one prompt differs from the others in its wiring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) defaults: Defaults,
    pub(super) stream: bool,
    pub(super) attempts: Attempts,
    pub(super) unasked: Unasked,
}

/// The flags that decide how a relay is reached, whatever is asked of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) target: &'a TargetOptions,
    pub(super) connection: &'a ConnectionOptions,
    pub(super) policy: &'a PolicyOptions,
    pub(super) route: &'a RouteOptions,
}

/// A relay to talk to, with the policies of talking to it.
pub(super) struct Site {
    pub(super) settings: Settings,
    connection: Connection,
    timeouts: Timeouts,
    pub(super) policy: Policy,
    request_id_prefix: String,
    talk: Talk,
    /// What all clients know of how the relay takes bodies.
    compressor: Option<Arc<Compressor>>,
    /// What gives endpoints their signers; the eye on them takes it over.
    signing: Option<Signing>,
    /// The ways to several endpoints, where there are.
    routes: Option<Arc<Routes>>,
    /// Lives as long as the command needs it; dropping it stops it.
    pub(super) embedded: Option<mock::Relay>,
}

/// A relay to talk to and the call to make, ready.
pub(super) struct Wired {
    pub(super) site: Site,
    pub(super) call: Call,
    pub(super) content: Content,
    session: Option<String>,
}

/// The clients of a run, each with a pool of its own.
pub(super) struct Crew {
    /// Goes before the levels. A connection belongs to the thread that made it, so no worker takes this one over.
    pub(super) scout: Client<Pool>,
    /// One for each worker, with its share of the connections; fewer than asked for where there are too few of those.
    pub(super) workers: Vec<Client<Pool>>,
}

impl Manner {
    fn approach(self) -> Approach {
        Approach { attempts: self.attempts, unasked: self.unasked }
    }
}

impl<'a> Flags<'a> {
    /// The flags without the prompt's.
    pub(super) fn way(self) -> Way<'a> {
        Way { target: self.target, connection: self.connection, policy: self.policy, route: self.route }
    }
}

impl Wired {
    /// Starts the embedded relay if asked for, resolves the settings and encodes the call.
    pub(super) fn new(flags: Flags<'_>, manner: Manner, talk: Talk) -> anyhow::Result<Self> {
        let site = Site::new(flags.way(), flags.prompt.fields.model.as_deref(), manner.approach(), talk)?;
        let settings = &site.settings;
        let content = flags.prompt.content(settings.dialect, settings.model.clone(), manner.defaults)?;
        let stream = manner.stream && !flags.prompt.fields.bare_prompt;
        let call = Call::new(settings.dialect, &settings.base, &content, stream)
            .map_err(|error| body_error(&error))?
            .with_headers(&settings.headers)
            .with_session(flags.route.session.clone());
        site.fits(&call.url, flags.connection)?;
        Ok(Self { site, call, content, session: flags.route.session.clone() })
    }

    /// The call that says this in place of what was given.
    pub(super) fn encode(&self, content: &Content) -> Result<Call, Usage> {
        let settings = &self.site.settings;
        let call = Call::new(settings.dialect, &settings.base, content, self.call.stream);
        let call = call.map_err(|error| body_error(&error))?.with_headers(&settings.headers);
        Ok(call.with_session(self.session.clone()))
    }

    /// The same call to somebody else, with nothing that is this relay's: no key, header, signature or certificate.
    pub(super) fn beside(&self, flags: Flags<'_>, settings: Settings) -> anyhow::Result<Self> {
        let site = self.site.beside(flags.policy, settings)?;
        let settings = &site.settings;
        let content = match &self.content {
            Content::Prompt(prompt) => {
                Content::Prompt(Box::new(Prompt { model: settings.model.clone(), ..(**prompt).clone() }))
            }
            Content::Body(body) => Content::Body(body.clone()),
        };
        let call = Call::new(settings.dialect, &settings.base, &content, self.call.stream)
            .map_err(|error| body_error(&error))?
            .with_headers(&settings.headers);
        Ok(Self { site, call, content, session: None })
    }

    /// A client with a pool of its own.
    pub(super) fn client(&self, flags: Flags<'_>) -> anyhow::Result<Client<Pool>> {
        self.site.client(&self.call.url, flags.connection)
    }

    /// A client that shows what it would send, and needs no token for it.
    pub(super) fn draughtsman(&self, flags: Flags<'_>) -> anyhow::Result<Client<Pool>> {
        self.site.unauthorised(&self.site.connection, &self.call.url, flags.connection)
    }

    /// The clients of a run with so many workers.
    pub(super) fn crew(&self, flags: Flags<'_>, workers: usize) -> anyhow::Result<Crew> {
        let workers = self.site.crew(&self.call.url, flags.connection, workers)?;
        Ok(Crew { scout: self.client(flags)?, workers })
    }
}

impl Site {
    /// Starts the embedded relay if asked for and resolves the settings.
    pub(super) fn new(
        way: Way<'_>,
        model: Option<&str>,
        approach: Approach,
        talk: Talk,
    ) -> anyhow::Result<Self> {
        let (embedded, mut settings) = settle(way.target, model, talk)?;
        if embedded.is_some() {
            settings.model.get_or_insert_with(|| EMBEDDED_MODEL.to_owned());
        }
        let environment = Environment::of_process();
        let signing = way.policy.sign.signing(&environment, way.target, &mut settings)?;
        let own = settings.policy;
        let connection = way.connection.connection(approach.unasked, &own)?;
        for notice in way.policy.overruled(approach.attempts, &own) {
            talk.notice(format_args!("note: {notice}"));
        }
        Ok(Self {
            routes: way.route.routes(&settings)?,
            settings,
            connection,
            timeouts: way.connection.timeouts(&own),
            policy: way.policy.policy(approach.attempts, &own),
            request_id_prefix: way.policy.request_id_prefix.clone(),
            talk,
            signing: Some(signing),
            compressor: way.policy.compress.compressor(&own)?,
            embedded,
        })
    }

    /// The same way to somebody else.
    fn beside(&self, policy: &PolicyOptions, settings: Settings) -> anyhow::Result<Self> {
        for notice in &settings.notices {
            self.talk.notice(format_args!("note: {notice}"));
        }
        let detours = self.connection.detours.meant_for(&settings.base);
        Ok(Self {
            connection: Connection { identity: None, detours, ..self.connection.clone() },
            timeouts: self.timeouts,
            policy: self.policy,
            request_id_prefix: self.request_id_prefix.clone(),
            talk: self.talk,
            compressor: policy.compress.compressor(&self.settings.policy)?,
            signing: None,
            routes: None,
            embedded: None,
            settings,
        })
    }

    /// Lets each client make so many connections ahead of its requests, where connections are kept and there is no limit of them.
    pub(super) fn make_ahead(&mut self, connections: usize) {
        if self.connection.reuse == Reuse::KeepAlive && self.connection.most.is_none() {
            self.connection.ahead = connections;
        }
    }

    /// Refuses flags that would have no effect on the way to `target`.
    pub(super) fn fits(&self, target: &Url, options: &ConnectionOptions) -> Result<(), Usage> {
        if self.routes.is_none() {
            return options.fits(&self.connection, target);
        }
        if self.connection.unix_socket.is_some() {
            return Err(Usage::new("--unix-socket leads to one place, and there are several endpoints"));
        }
        let urls = || self.settings.stations.iter().map(|station| &station.endpoint.url);
        if let Some(stray) = self.connection.detours.stray(urls()) {
            return Err(Usage::new(format!("{stray}: not for any endpoint"))
                .hint("every --resolve and --connect-to must be for the host and port of an endpoint"));
        }
        urls().try_for_each(|url| {
            let detours = self.connection.detours.meant_for(url);
            options.fits(&Connection { detours, ..self.connection.clone() }, url)
        })
    }

    /// The eye on several endpoints, where there are.
    pub(super) fn lookout(
        &mut self,
        (options, connection): (&RouteOptions, &ConnectionOptions),
        throttle: Option<Throttle>,
    ) -> anyhow::Result<Option<Lookout>> {
        let upkeep = self.settings.upkeep.take();
        let Some(routes) = &self.routes else { return Ok(None) };
        // Each probe makes a connection of its own, so that it shows what a handshake takes.
        let fresh = Connection { reuse: Reuse::Never, most: None, ..self.connection.clone() };
        let prober =
            Pool::of_several(&fresh, &self.settings.base).map_err(|error| connection.explain(error))?;
        let (routes, profile) = (Arc::clone(routes), self.settings.profile.as_deref());
        let signing = self.signing.take();
        let connection = self.connection.clone();
        let events = options.events();
        let outfit = Outfit { routes, profile, prober, events, upkeep, connection, signing, throttle };
        Ok(Some(Lookout::new(outfit, self.talk)?))
    }

    /// A client with a pool of its own for requests to `target`.
    pub(super) fn client(&self, target: &Url, options: &ConnectionOptions) -> anyhow::Result<Client<Pool>> {
        self.client_with(&self.connection, target, options)
    }

    /// Clients for so many workers, each with its share of the connections; fewer where there are too few of those. They
    /// have one budget of retries.
    pub(super) fn crew(
        &self,
        target: &Url,
        options: &ConnectionOptions,
        workers: usize,
    ) -> anyhow::Result<Vec<Client<Pool>>> {
        let most = self.connection.most;
        let workers = workers.min(most.unwrap_or(workers));
        let share = |worker: usize| most.map(|most| most / workers + usize::from(worker < most % workers));
        let budget = (self.policy.attempts > 1).then(Arc::<Budget>::default);
        let worker = |worker: usize| {
            let connection = Connection { most: share(worker), ..self.connection.clone() };
            Ok(self.client_with(&connection, target, options)?.with_budget(budget.clone()))
        };
        (0..workers).map(worker).collect()
    }

    fn client_with(
        &self,
        connection: &Connection,
        target: &Url,
        options: &ConnectionOptions,
    ) -> anyhow::Result<Client<Pool>> {
        let client = self.unauthorised(connection, target, options)?;
        authorise(&self.settings, connection, self.talk)?;
        Ok(client)
    }

    fn unauthorised(
        &self,
        connection: &Connection,
        target: &Url,
        options: &ConnectionOptions,
    ) -> anyhow::Result<Client<Pool>> {
        let pool = match &self.routes {
            None => Pool::new(connection, target),
            Some(_) => Pool::of_several(connection, target),
        };
        let pool = pool.map_err(|error| options.explain(error))?;
        let credential = self.settings.credential.clone();
        let client = Client::new(pool, credential, self.policy, self.timeouts);
        let client = client.with_request_id_prefix(&self.request_id_prefix).with_routes(self.routes.clone());
        Ok(client
            .with_compressor(self.compressor.clone())
            .with_signer(self.settings.stations[0].signer.clone()))
    }
}

/// Starts the embedded relay if asked for, and resolves the settings of the one to talk to.
pub(super) fn settle(
    target: &TargetOptions,
    model: Option<&str>,
    talk: Talk,
) -> anyhow::Result<(Option<mock::Relay>, Settings)> {
    let embedded = target.mock.clone().map(start_embedded).transpose()?;
    let address = embedded.as_ref().map(|relay| relay.base_url().parse::<Url>()).transpose()?;
    let settings = config::resolve(&target.given(address, model), &Environment::of_process())?;
    for notice in &settings.notices {
        talk.notice(format_args!("note: {notice}"));
    }
    Ok((embedded, settings))
}

/// Makes sure of a token before anything is sent, where the credential is one.
pub(super) fn authorise(
    settings: &Settings,
    connection: &Connection,
    talk: Talk,
) -> Result<(), net::AuthError> {
    for keeper in settings.keepers() {
        keeper.reach_by(connection);
        if let Some(remark) = keeper.prepare()? {
            talk.notice(format_args!("note: {remark}"));
        }
    }
    Ok(())
}

/// Refuses several endpoints where a command looks at one relay; out of a profile it takes the first.
pub(super) fn only_one(target: &TargetOptions, settings: &Settings, talk: Talk) -> Result<(), Usage> {
    if target.url.len() > 1 {
        return Err(Usage::new("--url: this command looks at one endpoint at a time").hint("give one --url"));
    }
    if let [first, _, ..] = settings.stations.as_slice() {
        let (count, name) = (settings.stations.len(), first.endpoint.name());
        talk.notice(format_args!("note: of the profile's {count} endpoints the first is asked, {name}"));
    }
    Ok(())
}

/// Files, pipes, signals and the runtimes' own.
const RESERVE: u64 = 64;

/// Descriptors that one connection takes: the embedded relay holds its other end.
fn descriptors_each(way: Way<'_>) -> u64 {
    if way.target.mock.is_some() { 2 } else { 1 }
}

/// How many connections this process may have.
pub(super) fn descriptors_for(way: Way<'_>) -> u32 {
    /// More than that is nobody's relay, and memory is needed for each.
    const MOST: u64 = 20_000;
    let limit = rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(1024, |(limit, _)| limit);
    let connections = limit.saturating_sub(RESERVE) / descriptors_each(way);
    u32::try_from(connections.clamp(1, MOST)).expect("it is at most MOST")
}

/// Each user holds so many connections, and a connection a descriptor.
pub(super) fn enough_descriptors((users, each): (u32, u32), way: Way<'_>) -> Result<(), Usage> {
    let connections = u64::from(way.connection.at_most(users)) * u64::from(each);
    let needed = connections * descriptors_each(way) + RESERVE;
    let Ok((limit, _)) = rlimit::getrlimit(rlimit::Resource::NOFILE) else { return Ok(()) };
    if needed <= limit {
        return Ok(());
    }
    let message =
        format!("--concurrency {users} needs {needed} descriptors, and this process may open {limit}");
    Err(Usage::new(message).hint("raise the hard limit with ulimit -Hn, or lower --concurrency"))
}

/// Starts the embedded relay on a free port of this machine.
pub(super) fn start_embedded(spec: mock::Spec) -> Result<mock::Relay, mock::Error> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    mock::Relay::start(mock::Options { listen, spec, ..mock::Options::default() })
}

fn body_error(error: &WireError) -> Usage {
    Usage::new(format!("--body: {error}"))
        .hint("it must be one JSON object; with --api raw it is sent as it is")
}

//! `baton mock`: the embedded relay as a server of its own.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config;
use crate::mock;
use crate::units::whole;

use super::guards::GuardOptions;
use super::output::Output;
use super::signals::Signals;
use super::{Talk, Usage};

/// The flags of `baton mock`.
#[derive(Debug, Args)]
#[command(after_help = "SPEC is a comma list of
  ttft=TIME                 from having a place to the first generated piece
  gap=TIME                  between two pieces
  tokens=N                  how many pieces an answer has, unless the request allows fewer
  chunk=SIZE                how many bytes of text a piece has (64k), instead of a word
  slots=N                   how many requests are answered at a time (or inf); the others queue
  rate=N/UNIT               how many requests are let through in a second, minute or hour (60/m); the others get a 429
                            with Retry-After, and every reply has the vendor's rate-limit headers
  burst=N                   how many of them may come at once; as many as rate names, if left out
  duplicate-window=TIME     how long the same content gets a 429 after it was asked for
  freeze=TIME:PERIOD        a standstill of TIME at the end of each PERIOD, in which nothing begins or leaves
  token-life=TIME           a prompt, and the list of models, needs an access token that lives this long, from an
                            authorization server beside the relay: clients baton and baton-post with the secret
                            mock-secret, baton-public without one; scopes prompts and models; /oauth/counts tells
                            what it has done
  token-grace=TIME          how long a refresh token that was replaced serves once more (5s); after it, its family ends
  token-delay=TIME          how long each request for a token takes
  token-fault=NAME:COUNT    what befalls the first requests for a token: late, lost, 500, garbage, html or echo
  seed=N                    what all random draws grow from
  fault=NAME:PROBABILITY    a fault that befalls requests by chance (repeatable)
TIME in ttft and gap, and N in tokens, are a constant (80ms), lognormal:MEDIAN:SIGMA or exp:MEAN.

Examples:
  baton mock --listen 127.0.0.1:8080
  baton mock ttft=lognormal:200ms:0.4,gap=20ms,tokens=128,slots=32,seed=7
  baton mock fault=429:0.05,fault=cut:0.01
  baton mock rate=60/m,burst=5,duplicate-window=30s
  baton mock token-life=2s,token-grace=5s
  baton mock --zones a,b,c --control=127.0.0.1:9000
  curl 127.0.0.1:9000/__mock/zones/b -d '{\"connections\":\"silent\"}'

The control address takes GET, PUT (the whole mood) and POST (what the body names) at /__mock/zones/NAME:
  {\"latency_ms\":0, \"error_share\":0, \"error_status\":503, \"retry_after_s\":null,
   \"connections\":\"open|silent|reset|refused\", \"drain\":false, \"health\":\"ok|failing|silent\"}")]
pub(super) struct MockOptions {
    /// What the relay is like, as in ttft=80ms,gap=20ms,tokens=64,slots=64,seed=1
    #[arg(value_name = "SPEC", default_value = "")]
    spec: mock::Spec,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = address)]
    listen: SocketAddr,
    /// Append the times of each request to this file, as JSON lines
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    #[command(flatten)]
    guards: GuardOptions,
    /// Let in only tokens that this key verifies: a public key (RSA or P-256) in PEM form, or a secret; the tokens are for
    /// mock-relay, and for an hour at most
    #[arg(long, value_name = "PATH", conflicts_with = "upstream")]
    service_key_file: Option<PathBuf>,
    /// Threads to serve with [default: one a core]
    #[arg(long, value_name = "N", value_parser = |text: &str| whole::<u16>(text, 1..=256))]
    threads: Option<u16>,
    /// Be several relays in one process, each with an address and counters of its own [their ports: that of --listen and
    /// those after it]
    #[arg(long, value_name = "NAMES", conflicts_with = "personality")]
    zones: Option<mock::ZoneNames>,
    /// Open an address on this machine that changes latency, errors, silence and drain of each zone as it runs [default: a
    /// free port]
    #[arg(
        long,
        value_name = "ADDRESS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "127.0.0.1:0",
        conflicts_with = "personality",
        value_parser = loopback
    )]
    control: Option<SocketAddr>,
    /// Be a relay with known faults: a personality (--list-personalities), or habits as in buffer+leak-slots
    #[arg(long, value_name = "NAME")]
    personality: Option<mock::Personality>,
    /// With --personality: forward to this address, instead of to answers of its own
    #[arg(long, value_name = "ADDRESS", requires = "personality", conflicts_with = "log", value_parser = address)]
    upstream: Option<SocketAddr>,
    /// With --personality: let in only the key in this file
    #[arg(long, value_name = "PATH", requires = "personality")]
    gateway_key_file: Option<PathBuf>,
    /// With --personality: multiply the wait after which such a relay gives its upstream up
    #[arg(long, value_name = "FACTOR", default_value = "1", requires = "personality", value_parser = super::check::scale)]
    time_scale: f64,
    /// List the personalities with the habits that make them, and exit
    #[arg(long)]
    list_personalities: bool,
    /// List the faults that a model's name or SPEC can ask for, and exit
    #[arg(long)]
    list_faults: bool,
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "write an IP address and a port, as in 127.0.0.1:8080 or [::1]:8080")
}

fn loopback(text: &str) -> Result<SocketAddr, &'static str> {
    let address = address(text)?;
    let is_own = address.ip().is_loopback();
    is_own
        .then_some(address)
        .ok_or("the control address must be on the loopback interface, as in 127.0.0.1:9000")
}

/// Serves until a signal comes.
pub(super) fn run(options: &MockOptions, talk: Talk) -> anyhow::Result<()> {
    let mut output = Output::open(None)?;
    if options.list_faults {
        let width = mock::faults().iter().map(|fault| fault.name.len()).max().unwrap_or(0);
        for fault in mock::faults() {
            output.write(format!("{:width$}  {}\n", fault.name, fault.what).as_bytes())?;
        }
        return Ok(());
    }
    if options.list_personalities {
        for (name, habits) in mock::Personality::known() {
            let habits = if habits.is_empty() { "no bad habit".to_owned() } else { habits.join(" + ") };
            output.write(format!("{name:15} {habits}\n").as_bytes())?;
        }
        return Ok(());
    }
    if let Some(personality) = &options.personality {
        return stand_between(options, personality, output, talk);
    }
    let site = mock::Options {
        listen: options.listen,
        spec: options.spec.clone(),
        log: options.log.clone(),
        guards: options.guards.guards()?,
        service_key: service_key(options)?,
        threads: options.threads.map_or(0, usize::from),
    };
    if options.zones.is_some() || options.control.is_some() {
        return play_zones(options, site, output, talk);
    }
    let relay = mock::Relay::start(site)?;
    output.write(format!("{}\n", relay.base_url()).as_bytes())?;
    talk.notice(format_args!("mock relay: {}{} · Ctrl-C stops it", options.spec, options.guards));
    wait_for_signal()?;
    relay.stop()?;
    Ok(())
}

/// Serves as several zones, or as one that can be changed, until a signal comes.
fn play_zones(
    options: &MockOptions,
    site: mock::Options,
    mut output: Output,
    talk: Talk,
) -> anyhow::Result<()> {
    let mut zones = mock::Zones::start(&options.zones.clone().unwrap_or_default(), site)?;
    let mut said = String::new();
    for (name, relay) in zones.iter() {
        // A single relay says its address as it does without a control address.
        let name = if options.zones.is_some() { format!("{name} ") } else { String::new() };
        writeln!(said, "{name}{}", relay.base_url())?;
    }
    if let Some(listen) = options.control {
        writeln!(said, "control http://{}", zones.open_control(listen)?)?;
    }
    output.write(said.as_bytes())?;
    talk.notice(format_args!("mock relay: {}{} · Ctrl-C stops it", options.spec, options.guards));
    wait_for_signal()?;
    zones.stop()?;
    Ok(())
}

/// A signal is how a server's work ends, and so no failure.
fn wait_for_signal() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { anyhow::Ok(Signals::listen()?.next().await) })?;
    Ok(())
}

/// The key of clients that sign their tokens themselves.
fn service_key(options: &MockOptions) -> anyhow::Result<Option<mock::ServiceKey>> {
    let Some(path) = &options.service_key_file else { return Ok(None) };
    let refused = |problem: &dyn std::fmt::Display| {
        Usage::new(format!("--service-key-file {}: {problem}", path.display()))
            .hint("it holds what verifies: a public key in PEM form, or the secret of HS256")
    };
    let text = std::fs::read_to_string(path).map_err(|error| refused(&error))?;
    let key = mock::ServiceKey::read(&text).map_err(|problem| refused(&problem))?;
    if key.is_secret() {
        let file = std::fs::File::open(path).map_err(|error| refused(&error))?;
        config::refuse_exposed(&file, path, &format!("--service-key-file {}", path.display()))?;
    }
    Ok(Some(key))
}

/// Serves as a relay between its clients and an upstream until a signal comes.
fn stand_between(
    options: &MockOptions,
    personality: &mock::Personality,
    mut output: Output,
    talk: Talk,
) -> anyhow::Result<()> {
    let own = match options.upstream {
        Some(_) => None,
        None => Some(mock::Relay::start(mock::Options {
            spec: options.spec.clone(),
            log: options.log.clone(),
            guards: options.guards.guards()?,
            service_key: service_key(options)?,
            threads: options.threads.map_or(0, usize::from),
            ..mock::Options::default()
        })?),
    };
    let upstream = options.upstream.or(own.as_ref().map(mock::Relay::address));
    let upstream = upstream.expect("one of the two is there");
    let defaults = mock::GatewayOptions::to(upstream);
    let gateway = mock::Gateway::start(mock::GatewayOptions {
        listen: options.listen,
        personality: personality.clone(),
        key: options.gateway_key_file.as_deref().map(gateway_key).transpose()?,
        patience: defaults.patience.mul_f64(options.time_scale),
        ..defaults
    })?;
    output.write(format!("http://{}\n", gateway.address()).as_bytes())?;
    talk.notice(format_args!("mock relay between its clients and {upstream} · Ctrl-C stops it"));
    wait_for_signal()?;
    drop(gateway);
    if let Some(own) = own {
        own.stop()?;
    }
    Ok(())
}

/// The key in a file, without its line end.
fn gateway_key(path: &Path) -> anyhow::Result<String> {
    let key = config::read_private(path, &format!("--gateway-key-file {}", path.display()))?;
    Ok(key.expose().to_owned())
}

//! `baton mock`: the embedded relay as a server of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::mock;
use crate::units::whole;

use super::Talk;
use super::output::Output;
use super::signals::Signals;

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
  seed=N                    what all random draws grow from
  fault=NAME:PROBABILITY    a fault that befalls requests by chance (repeatable)
TIME in ttft and gap, and N in tokens, are a constant (80ms), lognormal:MEDIAN:SIGMA or exp:MEAN.

Examples:
  baton mock --listen 127.0.0.1:8080
  baton mock ttft=lognormal:200ms:0.4,gap=20ms,tokens=128,slots=32,seed=7
  baton mock fault=429:0.05,fault=cut:0.01
  baton mock rate=60/m,burst=5,duplicate-window=30s")]
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
    /// Threads to serve with [default: one a core]
    #[arg(long, value_name = "N", value_parser = |text: &str| whole::<u16>(text, 1..=256))]
    threads: Option<u16>,
    /// List the faults that a model's name or SPEC can ask for, and exit
    #[arg(long)]
    list_faults: bool,
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "write an IP address and a port, as in 127.0.0.1:8080 or [::1]:8080")
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
    let relay = mock::Relay::start(mock::Options {
        listen: options.listen,
        spec: options.spec.clone(),
        log: options.log.clone(),
        threads: options.threads.map_or(0, usize::from),
    })?;
    output.write(format!("{}\n", relay.base_url()).as_bytes())?;
    talk.notice(format_args!("mock relay: {} · Ctrl-C stops it", options.spec));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // A signal is how a server's work ends, and so no failure.
    runtime.block_on(async { anyhow::Ok(Signals::listen()?.next().await) })?;
    relay.stop()?;
    Ok(())
}

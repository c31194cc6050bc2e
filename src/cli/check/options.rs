//! The flags of `baton check`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Arg, Args, ValueEnum};

use crate::check::{CHECKS, ENOUGH, Gauge, Kind, Plan, Severity, Soak, rate};
use crate::cli::Usage;
use crate::cli::connection::{ConnectionOptions, without_limit_of_requests};
use crate::cli::options::TargetOptions;
use crate::cli::sign::SignOptions;
use crate::net::Url;
use crate::units::{Money, Rate, Span, nearest, whole};

/// The flags of `baton check`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(mut_args(without_limits_of_answers))]
#[command(
    after_help = "Without --upstream only the relay is asked, with tiny prompts. With it baton listens there and plays the relay's
upstream: let the relay forward to that address, for every model whose name begins with --model; the rest of the
name chooses what the upstream does.

Examples:
  baton check --mock
  baton check -u https://relay.example -m claude-x
  baton check -u http://127.0.0.1:4000 -m claude-x --upstream 127.0.0.1:9001
  baton check -u https://relay.example -m claude-x --format json -o known.json
  baton check -u https://relay.example -m claude-x --baseline known.json --format junit -o check.xml"
)]
pub(in crate::cli) struct CheckOptions {
    #[command(flatten)]
    pub(super) target: TargetOptions,
    /// Model to ask for
    #[arg(short, long, value_name = "NAME", help_heading = "Target", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(super) model: Option<String>,
    /// Play the relay's upstream at this address, and compare both ends
    #[arg(long, value_name = "ADDRESS", help_heading = "Target", conflicts_with = "mock", value_parser = address)]
    pub(super) upstream: Option<SocketAddr>,
    #[command(flatten)]
    choice: ChoiceOptions,
    /// Make at most this many requests, those of --soak aside; checks beyond are skipped
    #[arg(long, value_name = "N", default_value_t = 400, help_heading = "Checks", value_parser = |text: &str| whole::<u32>(text, 1..=1_000_000))]
    pub(super) max_requests: u32,
    /// Ask no more once answers have cost so many dollars, at the configured prices; checks beyond are skipped
    #[arg(long, value_name = "USD", help_heading = "Checks")]
    pub(super) max_cost: Option<Money>,
    /// Also make checks that load the relay: large bodies, one that unpacks to far more, and those of --limit and --soak
    #[arg(long, help_heading = "Checks")]
    pub(super) intrusive: bool,
    /// Check that the relay holds this rate limit (60/m) for the key, by asking for more; with --intrusive
    #[arg(long, value_name = "RATE", help_heading = "Checks", requires = "intrusive")]
    pub(super) limit: Option<Rate>,
    /// Ask for so long and watch the relay's memory; with --intrusive, and --pid or --metrics-url
    #[arg(long, value_name = "TIME", help_heading = "Checks", requires_all = ["intrusive", "gauge"], value_parser = soak)]
    soak: Option<Span>,
    /// Process of this machine whose memory is watched
    #[arg(long, value_name = "PID", help_heading = "Checks", group = "gauge", requires = "soak", value_parser = |text: &str| whole::<u32>(text, 1..=4_194_304))]
    pid: Option<u32>,
    /// Page in Prometheus' form that states the relay's resident memory
    #[arg(long, value_name = "URL", help_heading = "Checks", group = "gauge", requires = "soak", value_parser = page)]
    metrics_url: Option<Url>,
    /// Multiply every wait by this, on both ends; for trying the checks themselves
    #[arg(long, value_name = "FACTOR", default_value = "1", help_heading = "Checks", value_parser = scale)]
    pub(super) time_scale: f64,
    /// Examine this machine and this installation, and ask no relay
    #[arg(long = "self", help_heading = "Checks", conflicts_with_all = ["only", "skip", "severity", "upstream", "max_requests", "max_cost", "intrusive", "time_scale", "dry_run", "baseline", "mock", "limit", "soak", "pid", "metrics_url", "ConnectionOptions", "SignOptions"])]
    pub(super) own: bool,
    /// Say what would be asked, and ask nothing
    #[arg(long, help_heading = "Checks")]
    pub(super) dry_run: bool,
    /// List the checks and exit; --format markdown explains them
    #[arg(long, help_heading = "Checks")]
    pub(super) list_checks: bool,
    /// Form of the report
    #[arg(long, value_name = "FORM", default_value = "table", help_heading = "Report")]
    pub(super) format: Format,
    /// Write the report to a file
    #[arg(short, long, value_name = "FILE", help_heading = "Report")]
    pub(super) output: Option<PathBuf>,
    /// Accept the failures of this earlier report (--format json); only new ones decide the exit code
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(super) baseline: Option<PathBuf>,
    #[command(flatten)]
    pub(super) connection: ConnectionOptions,
    #[command(flatten)]
    pub(super) sign: SignOptions,
}

/// Which checks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Checks")]
struct ChoiceOptions {
    /// Make only these checks, by id (C01,C03)
    #[arg(long, value_name = "IDS", value_delimiter = ',', value_parser = id)]
    only: Vec<String>,
    /// Leave these checks out
    #[arg(long, value_name = "IDS", value_delimiter = ',', value_parser = id)]
    skip: Vec<String>,
    /// Make only checks of at least this severity: low, medium or high
    #[arg(long, value_name = "LEVEL", value_parser = |text: &str| text.parse::<Severity>())]
    severity: Option<Severity>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
    Junit,
    Markdown,
}

impl CheckOptions {
    /// The checks that are asked for.
    pub(super) fn plan(&self) -> Plan {
        let ChoiceOptions { only, skip, severity } = &self.choice;
        Plan { only: only.clone(), skip: skip.clone(), severity: *severity, intrusive: self.intrusive }
    }

    /// Whether no check is left out.
    pub(super) fn asks_for_all(&self) -> bool {
        let ChoiceOptions { only, skip, severity } = &self.choice;
        only.is_empty() && skip.is_empty() && severity.is_none()
    }

    /// For how long the relay's memory is watched, and where.
    pub(super) fn soak(&self) -> Option<Soak> {
        let process = self.pid.map(Gauge::Process);
        let gauge = process.or_else(|| self.metrics_url.clone().map(Gauge::Page))?;
        Some(Soak { time: self.soak?.0, gauge, enough: ENOUGH })
    }

    /// Refuses a choice that leaves nothing.
    pub(super) fn validate(&self) -> Result<(), Usage> {
        if self.plan().checks().is_empty() {
            return Err(Usage::new("--only, --skip and --severity leave no check")
                .hint("`baton check --list-checks` lists them with their severity"));
        }
        let plays = |kind| self.plan().checks().iter().any(|check| check.kind == kind);
        for (flag, given, kind) in [
            ("--limit", self.limit.is_some(), Kind::RateLimit),
            ("--soak", self.soak.is_some(), Kind::Memory),
        ] {
            if given && !plays(kind) {
                return Err(Usage::new(format!("{flag}: its check is not among those asked for"))
                    .hint("--only, --skip or --severity leave it out"));
            }
        }
        let most = u64::from(self.max_requests);
        match self.limit.map(rate::requests) {
            Some(needed) if needed > most => Err(Usage::new(format!(
                "--limit takes up to {needed} requests, and --max-requests allows {most}"
            ))
            .hint(format!("raise it: --max-requests {}", needed + most))),
            _ => Ok(()),
        }
    }
}

/// A limit that no check has would have no effect: it is refused, and not shown.
fn without_limits_of_answers(arg: Arg) -> Arg {
    const NONE: [&str; 4] = ["first_byte_timeout", "first_token_timeout", "idle_timeout", "stall_timeout"];
    if !NONE.contains(&arg.get_id().as_str()) {
        return without_limit_of_requests(arg);
    }
    arg.hide(true).value_parser(|_: &str| {
        Err::<Span, _>(
            "each check has limits of its own, so that this one has no effect; --timeout sets how long an answer may take".to_owned(),
        )
    })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "write an IP address and a port, as in 127.0.0.1:9001")?;
    if address.port() == 0 {
        return Err("the relay must know the port: write one that is not 0".to_owned());
    }
    Ok(address)
}

fn soak(text: &str) -> Result<Span, String> {
    let time: Span = text.parse().map_err(|error: crate::units::UnitError| error.to_string())?;
    if time.0.is_zero() {
        return Err("write a time that is not 0, as in 10m".to_owned());
    }
    Ok(time)
}

fn page(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| "write an address, as in http://127.0.0.1:9090/metrics".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a secret is never an argument: serve the page to this machine without one".to_owned());
    }
    Ok(url)
}

fn id(text: &str) -> Result<String, String> {
    let text = text.trim();
    if let Some(check) = CHECKS.iter().find(|check| check.id.eq_ignore_ascii_case(text)) {
        return Ok(check.id.to_owned());
    }
    let ids: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
    let near = nearest(text, &ids).map(|near| format!(": did you mean {near}?")).unwrap_or_default();
    Err(format!("there is no check '{text}'{near}; write ids that `baton check --list-checks` lists"))
}

/// A factor for every wait.
pub(in crate::cli) fn scale(text: &str) -> Result<f64, String> {
    let scale = text.parse().ok().filter(|scale| (0.001..=10.0).contains(scale));
    scale.ok_or_else(|| "write a number between 0.001 and 10".to_owned())
}

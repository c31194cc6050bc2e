//! `baton check`: is this relay fit for use?

mod baseline;
mod options;
mod own;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::check::own::{OWN, examine_own};
use crate::check::{CHECKS, Finding, Kind, Needs, Purse, SILENCE, Subject, examine, rate};
use crate::config::{Environment, Settings};
use crate::mock::{Gateway, GatewayOptions, Options, Relay};
use crate::net::{Reuse, shown_url};
use crate::report;
use crate::report::{CheckInfo, CheckReport};
use crate::units::Span;
use crate::wire::Usage as TokenUsage;

use super::connection::Unasked;
use super::output::Output;
use super::relay::{authorise, only_one, settle};
use super::signals::Signals;
use super::{Ending, Talk, Usage};

pub(super) use self::options::CheckOptions;
use self::options::Format;
pub(super) use self::options::scale;

/// How the embedded upstream answers: twelve pieces, far enough apart that they can be told apart.
const ANSWER: &str = "tokens=12,slots=inf";
/// The least that the pauses between its pieces are shortened to.
const LEAST_SCALE: f64 = 0.2;

/// The upstream that baton plays: an ear at the relay's other end, and the answers behind it.
struct Stage {
    ear: Gateway,
    _answers: Relay,
}

impl Stage {
    fn start(listen: SocketAddr, scale: f64) -> anyhow::Result<Self> {
        let spec = format!("ttft={}ms,gap={}ms,{ANSWER}", paced(50, scale), paced(100, scale));
        let answers = Relay::start(Options { spec: spec.parse()?, ..Options::default() })?;
        let hold = SILENCE.mul_f64(scale);
        let ear = Gateway::start(GatewayOptions { listen, ..GatewayOptions::ear(answers.address(), hold) })?;
        Ok(Self { ear, _answers: answers })
    }
}

/// A pause in milliseconds on a shortened clock.
fn paced(milliseconds: u64, scale: f64) -> u128 {
    Duration::from_millis(milliseconds).mul_f64(scale.clamp(LEAST_SCALE, 1.0)).as_millis()
}

/// Examines the relay and prints what was found.
pub(super) fn run(options: &CheckOptions, talk: Talk) -> anyhow::Result<()> {
    if options.list_checks {
        return list(options);
    }
    options.validate()?;
    if options.own {
        return own(options, talk);
    }
    let known = options.baseline.as_deref().map(baseline::read).transpose()?;
    let (embedded, mut settings) = settle(&options.target, options.model.as_deref(), talk)?;
    only_one(&options.target, &settings, talk)?;
    let model = match (&settings.model, &embedded) {
        (Some(model), _) => model.clone(),
        (None, Some(_)) => "mock-model".to_owned(),
        (None, None) => {
            return Err(Usage::new("there is no model to ask for")
                .hint("name one that the relay serves with --model; `baton models` lists them")
                .into());
        }
    };
    let signer = options.sign.signer(&Environment::of_process(), &options.target, &mut settings)?;
    let mut subject = subject(options, &settings, model)?;
    subject.signer = signer;
    if options.dry_run {
        return dry_run(options, &settings, talk);
    }
    authorise(&settings, &subject.connection, talk)?;
    let mut output = Output::open(options.output.as_deref())?;
    let stage = options.upstream.map(|listen| Stage::start(listen, options.time_scale)).transpose()?;
    subject.upstream = stage.as_ref().map(|stage| stage.ear.sightings().clone());
    announce(options, &subject, talk);
    let began = Instant::now();
    let (findings, signal) = play(&subject, options, talk)?;
    drop(embedded);
    let info = CheckInfo {
        relay: shown_url(&settings.base),
        upstream: options.upstream.map(|address| address.to_string()),
        asked: format!("{}, {}", settings.dialect.name(), subject.model),
        took: began.elapsed(),
    };
    let accept =
        |finding: &Finding| known.as_ref().map_or(report::Accepted::No, |known| known.accepts(finding));
    let judged = |finding: Finding| {
        let accepted = accept(&finding);
        (finding, accepted)
    };
    let findings = findings.into_iter().map(judged).collect();
    let report = CheckReport { info, findings };
    output.write(rendered(&report, options.format).as_bytes())?;
    output.finish()?;
    match (signal, report.failed()) {
        (Some(signal), _) => Err(Ending::Stopped(signal).into()),
        (None, 0) => Ok(()),
        (None, failed) => Err(Ending::ChecksFailed { failed }.into()),
    }
}

/// Examines this machine and this installation.
fn own(options: &CheckOptions, talk: Talk) -> anyhow::Result<()> {
    let mut output = Output::open(options.output.as_deref())?;
    let began = Instant::now();
    let findings = examine_own(&own::facts(&options.target, options.model.as_deref()));
    let info = CheckInfo {
        relay: "this machine".to_owned(),
        upstream: None,
        asked: "nothing".to_owned(),
        took: began.elapsed(),
    };
    for finding in &findings {
        talk.notice(format_args!("{}: {}", report::check_line(finding), finding.evidence.join("; ")));
    }
    let findings = findings.into_iter().map(|finding| (finding, report::Accepted::No)).collect();
    let report = CheckReport { info, findings };
    let text = match options.format {
        Format::Table => format!("\n{}", report::check_text(&report)),
        format => rendered(&report, format),
    };
    output.write(text.as_bytes())?;
    output.finish()?;
    match report.failed() {
        0 => Ok(()),
        failed => Err(Ending::ChecksFailed { failed }.into()),
    }
}

/// The relay as the checks need it.
fn subject(options: &CheckOptions, settings: &Settings, model: String) -> anyhow::Result<Subject> {
    if !settings.dialect.has_turns() {
        let hint = "--api messages, chat or responses names a dialect that relays share";
        return Err(Usage::new(format!("the dialect {} has no rules to check", settings.dialect.name()))
            .hint(hint)
            .into());
    }
    let connection = options.connection.connection(Unasked::Negotiated, &settings.policy)?;
    if connection.reuse == Reuse::Never {
        return Err(Usage::new("--no-keepalive: the checks look at connections that are kept").into());
    }
    options.connection.fits(&connection, &settings.base)?;
    let mut subject = Subject::new(settings.base.clone(), settings.dialect, connection)
        .map_err(|error| options.connection.explain(error))?;
    subject.model = model;
    subject.headers.clone_from(&settings.headers);
    subject.credential.clone_from(&settings.credential);
    subject.scale = options.time_scale;
    subject.limit = options.connection.timeouts(&settings.policy).total.unwrap_or(subject.limit);
    subject.rate = options.limit;
    subject.soak = options.soak();
    subject.purse = purse(options, settings, &subject.model)?;
    Ok(subject)
}

/// What the checks may ask, and spend.
fn purse(options: &CheckOptions, settings: &Settings, model: &str) -> Result<Purse, Usage> {
    let purse = Purse::new(options.max_requests);
    let Some(most) = options.max_cost else { return Ok(purse) };
    let prices = settings.prices.clone();
    let one = TokenUsage { input: Some(1), output: Some(1), ..TokenUsage::default() };
    if prices.cost([model], &one).is_none() {
        let hint =
            format!("write one into the configuration file: [price.\"{model}\"] with input and output");
        return Err(Usage::new(format!("--max-cost: the model {model} has no price")).hint(hint));
    }
    Ok(purse.with_limit(most, Box::new(move |models, usage| prices.cost(models.iter().copied(), usage))))
}

/// Plays the checks; the first signal ends them, and what was found until then is reported.
fn play(
    subject: &Subject,
    options: &CheckOptions,
    talk: Talk,
) -> anyhow::Result<(Vec<Finding>, Option<super::Signal>)> {
    let mut findings = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plan = options.plan();
    let signal = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        signals.arm_after_one()?;
        let mut found = |finding: Finding| {
            talk.notice(report::check_line(&finding));
            findings.push(finding);
        };
        tokio::select! {
            () = examine(subject, &plan, &mut found) => anyhow::Ok(None),
            signal = signals.next() => Ok(Some(signal)),
        }
    })?;
    runtime.shutdown_background();
    let place = |finding: &Finding| CHECKS.iter().position(|check| check.id == finding.check.id);
    findings.sort_by_key(place);
    Ok((findings, signal))
}

fn announce(options: &CheckOptions, subject: &Subject, talk: Talk) {
    let checks = options.plan().checks().len();
    let side = match options.upstream {
        Some(address) => format!("white box, upstream {address}"),
        None => "black box".to_owned(),
    };
    let Subject { dialect, model, base, .. } = subject;
    talk.notice(format_args!("relay   {} · {}, {model} · {side}", shown_url(base), dialect.name()));
    let cost = options.max_cost.map(|most| format!(" and {most}")).unwrap_or_default();
    talk.notice(format_args!("plan    {checks} checks, at most {} requests{cost}\n", options.max_requests));
}

fn rendered(report: &CheckReport, format: Format) -> String {
    match format {
        Format::Table => format!("{}\n{}", heading(report), report::check_text(report)),
        Format::Json => report::check_json(report),
        Format::Markdown => report::check_markdown(report),
        Format::Junit => report::check_junit(report),
    }
}

fn heading(report: &CheckReport) -> String {
    let CheckInfo { relay, upstream, took, .. } = &report.info;
    let side =
        upstream.as_ref().map_or("black box".to_owned(), |address| format!("white box, upstream {address}"));
    format!("relay {relay} · {side} · {} checks in {}\n", report.findings.len(), Span(*took))
}

/// Prints the catalogue, or the checks of it that are asked for.
fn list(options: &CheckOptions) -> anyhow::Result<()> {
    let own = OWN.iter().filter(|_| options.asks_for_all());
    let checks: Vec<_> = options.plan().checks().into_iter().chain(own).collect();
    let text = match options.format {
        Format::Table => checks.iter().fold(String::new(), |text, check| {
            let (severity, needs) = (check.severity.name(), check.needs.name());
            text + &format!("{}  {severity:6}  {needs:15}  {}\n", check.id, check.title)
        }),
        Format::Markdown => report::check_docs(checks),
        Format::Json | Format::Junit => {
            return Err(Usage::new("--list-checks is a table or Markdown, and no result")
                .hint("--format table or markdown")
                .into());
        }
    };
    let mut output = Output::open(options.output.as_deref())?;
    output.write(text.as_bytes())?;
    Ok(output.finish()?)
}

/// Says what would be asked, and asks nothing.
fn dry_run(options: &CheckOptions, settings: &Settings, talk: Talk) -> anyhow::Result<()> {
    let mut output = Output::open(options.output.as_deref())?;
    let mut requests = 0_u64;
    for check in options.plan().checks() {
        let cost = match (check.kind, check.needs) {
            (_, Needs::Upstream) if options.upstream.is_none() => "skipped without --upstream".to_owned(),
            (_, Needs::Intrusive) if !options.intrusive => "skipped without --intrusive".to_owned(),
            (Kind::Memory, _) => options.soak().map_or_else(
                || "skipped without --soak".to_owned(),
                |soak| format!("as many as {} hold", Span(soak.time)),
            ),
            (Kind::RateLimit, _) if options.limit.is_none() => "skipped without --limit".to_owned(),
            (kind, _) => {
                let limit = options.limit.filter(|_| kind == Kind::RateLimit).map(rate::requests);
                let most = limit.unwrap_or(u64::from(kind.requests()));
                requests += most;
                format!("at most {most}")
            }
        };
        output.write(format!("{}  {cost:26}  {}\n", check.id, check.title).as_bytes())?;
    }
    output.finish()?;
    let at_most = requests.min(u64::from(options.max_requests));
    talk.notice(format_args!(
        "\nat most {at_most} requests to {}, each with a prompt of a dozen words and at most 32 tokens of answer",
        shown_url(&settings.base)
    ));
    Ok(())
}

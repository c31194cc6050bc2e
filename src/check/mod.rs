//! Is a relay fit for use? A list of findings, each with its evidence.
//!
//! [`CHECKS`] is the catalogue; [`examine`] plays the checks of a [`Plan`] against a [`Subject`] and yields a
//! [`Finding`] for each. With the relay alone (black box) a check sees what any client sees; where baton also plays
//! the relay's upstream (white box) it sees both ends and compares them.

mod bodies;
mod breaks;
mod catalogue;
mod dress;
mod errors;
mod headers;
mod leaving;
mod limits;
mod login;
pub mod own;
mod purse;
pub mod rate;
mod reach;
mod seen;
mod silence;
mod soak;
mod stream;
mod subject;
mod words;

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

pub use self::catalogue::{Check, Kind, Needs, Severity};
pub use self::login::{SharedLogin, share_login};
pub use self::purse::{Price, Purse};
pub use self::silence::SILENCE;
pub use self::soak::{ENOUGH, Gauge, Soak};
pub use self::subject::{Subject, Trouble};
pub use self::words::CHECKS;

/// What was found of one check.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The check.
    pub check: &'static Check,
    /// How it came out.
    pub verdict: Verdict,
    /// What shows it: bytes, times, headers; for a skipped check the reason.
    pub evidence: Vec<String>,
    /// What it took.
    pub took: Duration,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It could not be decided; the evidence says why.
    Skip,
    /// It does not hold, and most can live with that.
    Warn,
    /// It does not hold.
    Fail,
}

impl Verdict {
    /// Its name in every report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// Which checks are played.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Only these ids; all where there are none.
    pub only: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
    /// Those of at least this severity.
    pub severity: Option<Severity>,
    /// Whether checks may load the relay or send it what costs.
    pub intrusive: bool,
}

impl Plan {
    /// The checks that are asked for.
    pub fn checks(&self) -> Vec<&'static Check> {
        let named = |list: &[String], check: &Check| list.iter().any(|id| id.eq_ignore_ascii_case(check.id));
        CHECKS
            .iter()
            .filter(|check| self.only.is_empty() || named(&self.only, check))
            .filter(|check| !named(&self.skip, check))
            .filter(|check| self.severity.is_none_or(|least| check.severity >= least))
            .collect()
    }
}

/// What a check came to, before it is a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ruling {
    verdict: Verdict,
    evidence: Vec<String>,
}

impl Ruling {
    fn new(verdict: Verdict, evidence: impl Into<String>) -> Self {
        Self { verdict, evidence: vec![evidence.into()] }
    }

    fn pass(evidence: impl Into<String>) -> Self {
        Self::new(Verdict::Pass, evidence)
    }

    fn warn(evidence: impl Into<String>) -> Self {
        Self::new(Verdict::Warn, evidence)
    }

    fn fail(evidence: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, evidence)
    }

    fn skip(evidence: impl Into<String>) -> Self {
        Self::new(Verdict::Skip, evidence)
    }

    /// Adds a line of evidence.
    fn and(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }
}

/// Plays the checks, and hands out each finding at once: first those that others depend on, then the others one after
/// another, and beside them those that only wait.
pub async fn examine(subject: &Subject, plan: &Plan, found: &mut impl FnMut(Finding)) {
    let of = |kinds: &[Kind]| plan.checks().into_iter().filter(|check| kinds.contains(&check.kind)).collect();
    let (first, waiting): (Vec<_>, Vec<_>) = (of(&FIRST), of(&WAITING));
    let mut served = Served::Unknown;
    for check in first {
        let finding = served.play(subject, plan, check).await;
        served.learn(&finding);
        found(finding);
    }
    let others = plan.checks().into_iter();
    let others = others.filter(|check| !FIRST.contains(&check.kind) && !WAITING.contains(&check.kind));
    let wait = join_all(waiting.into_iter().map(|check| served.play(subject, plan, check)));
    let others = async {
        for check in others {
            found(served.play(subject, plan, check).await);
        }
    };
    let (waited, ()) = tokio::join!(wait, others);
    waited.into_iter().for_each(found);
}

/// What others depend on.
const FIRST: [Kind; 4] = [Kind::Reachable, Kind::Tls, Kind::HttpVersions, Kind::Answers];
/// What takes a minute in which nothing happens.
const WAITING: [Kind; 2] = [Kind::LongSilence, Kind::SlowFirstByte];

/// Whether the relay answers at all, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Served {
    Unknown,
    Unreachable,
    NoAnswer,
}

impl Served {
    /// Plays a check that can be decided on such a relay.
    async fn play(self, subject: &Subject, plan: &Plan, check: &'static Check) -> Finding {
        match (self, check.kind) {
            (Self::Unknown, _) | (Self::NoAnswer, Kind::WrongKey) => play(subject, plan, check).await,
            (Self::Unreachable, _) => skipped(check, "the relay cannot be reached (C21)"),
            (Self::NoAnswer, _) => skipped(check, "the relay answers no prompt in this dialect (C24)"),
        }
    }

    fn learn(&mut self, finding: &Finding) {
        match (finding.check.kind, finding.verdict) {
            (Kind::Reachable, Verdict::Fail) => *self = Self::Unreachable,
            (Kind::Answers, Verdict::Fail) if *self == Self::Unknown => *self = Self::NoAnswer,
            _ => {}
        }
    }
}

fn skipped(check: &'static Check, reason: &str) -> Finding {
    Finding { check, verdict: Verdict::Skip, evidence: vec![reason.to_owned()], took: Duration::ZERO }
}

/// Plays one check.
async fn play(subject: &Subject, plan: &Plan, check: &'static Check) -> Finding {
    match check.needs {
        Needs::Upstream if subject.upstream.is_none() => {
            return skipped(check, "needs --upstream, where baton plays the relay's upstream");
        }
        Needs::Intrusive if !plan.intrusive => return skipped(check, "needs --intrusive"),
        _ => {}
    }
    let (began, before) = (Instant::now(), subject.secrets());
    let Ruling { verdict, mut evidence } =
        rule(subject, check.kind).await.unwrap_or_else(|trouble| match trouble {
            Trouble::Purse | Trouble::Cost(_) => Ruling::skip(trouble.to_string()),
            Trouble::Elsewhere { .. } => Ruling::skip(format!(
                "{trouble}; let the relay forward every model whose name begins with {}",
                subject.model
            )),
            Trouble::Net(_) | Trouble::Silence(_) => Ruling::fail(format!("no answer: {}", chain(&trouble))),
        });
    // A relay may say in many ways what it was told; a token may have been renewed meanwhile.
    for mask in [before, subject.secrets()] {
        for line in &mut evidence {
            mask.apply(line);
        }
    }
    Finding { check, verdict, evidence, took: began.elapsed() }
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The function of each check.
async fn rule(subject: &Subject, kind: Kind) -> Result<Ruling, Trouble> {
    match kind {
        Kind::Reachable => reach::reachable(subject).await,
        Kind::Tls => reach::tls(subject).await,
        Kind::Answers => reach::answers(subject).await,
        Kind::HttpVersions => reach::versions(subject).await,
        Kind::KeepAlive => reach::keep_alive(subject).await,
        Kind::WrongKey => errors::wrong_key(subject).await,
        Kind::ErrorShape => errors::shape(subject).await,
        Kind::UnknownModel => errors::unknown_model(subject).await,
        Kind::Buffered => stream::buffered(subject).await,
        Kind::Usage => stream::usage(subject).await,
        Kind::ModelName => stream::model(subject).await,
        Kind::Grammar => stream::grammar(subject).await,
        Kind::Compressed => bodies::compressed(subject).await,
        Kind::BodySize => bodies::size(subject).await,
        Kind::LargeBodies => bodies::large(subject).await,
        Kind::Forwarded => headers::forwarded(subject).await,
        Kind::RequestId => headers::request_id(subject).await,
        Kind::Leakage => headers::leakage(subject).await,
        Kind::Date => headers::date(subject).await,
        Kind::OwnHeaders => headers::own(subject).await,
        Kind::RetryAfter => limits::retry_after(subject).await,
        Kind::Overload => limits::overload(subject).await,
        Kind::Retries => limits::retries(subject).await,
        Kind::EmptyAnswer => breaks::empty(subject).await,
        Kind::ErrorEvent => breaks::error_event(subject).await,
        Kind::Reset => breaks::reset(subject).await,
        Kind::NoTerminal => breaks::no_terminal(subject).await,
        Kind::HugeEvent => breaks::huge_event(subject).await,
        Kind::SplitText => breaks::split_text(subject).await,
        Kind::Comments => breaks::comments(subject).await,
        Kind::LongSilence => silence::whole(subject).await,
        Kind::SlowFirstByte => silence::stream(subject).await,
        Kind::Disconnect => leaving::disconnect(subject).await,
        Kind::Slots => leaving::slots(subject).await,
        Kind::Dialects => reach::dialects(subject).await,
        Kind::Bomb => bodies::bomb(subject).await,
        Kind::RateLimit => rate::limit(subject).await,
        Kind::Memory => soak::memory(subject).await,
        Kind::Own => Ok(Ruling::skip("it is about this machine: baton check --self")),
    }
}

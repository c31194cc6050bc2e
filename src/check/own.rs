//! The checks of this machine and this installation: what limits a measurement before any relay does.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::SharedLogin;
use super::catalogue::{Check, Kind, Needs, Severity, check};
use super::{Finding, Ruling};

use Needs::Nothing;
use Severity::{High, Low, Medium};

/// Descriptors that a thousand users take, with what the process holds besides.
const DESCRIPTORS: u64 = 1_100;
/// Ports that short-lived connections use up in a minute at a moderate rate.
const PORTS: u64 = 10_000;
/// A name that takes longer to find slows every new connection.
const LOOK_UP: Duration = Duration::from_secs(1);
/// A clock that stands before this day has not been set: 2026-01-01T00:00:00Z.
const DAY: Duration = Duration::from_secs(1_767_225_600);

/// Why there is nothing to look at.
const NO_RELAY: &str = "no relay is configured (--url, BATON_URL or a profile)";

/// What is known of this machine and this installation.
#[derive(Debug)]
pub struct Facts {
    /// Files that the process may open, now and at most; `None` where the system does not say.
    pub descriptors: Option<(u64, u64)>,
    /// The ports that outgoing connections may have, in the words of the system.
    pub ports: Option<String>,
    /// The relay's host, what it is found to be, and how long that took.
    pub name: Option<(String, Result<Vec<IpAddr>, String>, Duration)>,
    /// The variable whose proxy requests to the relay go through.
    pub proxy: Option<String>,
    /// The clock on the wall.
    pub now: SystemTime,
    /// The configuration file and what it decides, or what is wrong with it.
    pub configuration: Result<String, String>,
    /// What becomes of the key: where it comes from, and which others are passed over.
    pub key: Key,
    /// What became of a login that several clients shared, or why none was.
    pub login: Result<SharedLogin, String>,
}

/// Where the key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// There is no relay that it could belong to.
    NoRelay,
    /// Nothing was given, or what was given belongs to another relay.
    Absent(String),
    /// The source that wins, and variables that hold a key and are not used.
    From(String, Vec<String>),
}

/// Every check of the installation.
#[rustfmt::skip]
pub static OWN: [Check; 8] = [
    check("S01", Kind::Own, (Medium, Nothing), [
        "The process may open enough files",
        "Each connection takes a descriptor; a limit of 1024 ends a bench at about 960 users.",
        "The limit of open files, as baton has raised it, must be at least 1,100. Warns otherwise.",
        "Raise the hard limit: `ulimit -Hn`, `LimitNOFILE=` of systemd, `--ulimit nofile=` of a container.",
    ]),
    check("S02", Kind::Own, (Low, Nothing), [
        "Outgoing connections have enough ports",
        "A closed connection holds its port for a minute; with --no-keepalive they run out.",
        "`/proc/sys/net/ipv4/ip_local_port_range` must hold at least 10,000 ports. Warns otherwise; skipped where there is no such file.",
        "`sysctl net.ipv4.ip_local_port_range=\"1024 65535\"`",
    ]),
    check("S03", Kind::Own, (High, Nothing), [
        "The relay's name is found",
        "Nothing can be sent to a name without an address, and a slow look-up is part of the first request's time.",
        "The host of the configured relay is looked up: it fails without an address and warns when that takes more than a second. Skipped where no relay is configured.",
        "Check the name, `/etc/resolv.conf` and `/etc/hosts`; `--resolve` names the address by hand.",
    ]),
    check("S04", Kind::Own, (Medium, Nothing), [
        "No proxy is in the way unknown",
        "A proxy from the environment buffers, cuts and logs; its times are measured as the relay's.",
        "Warns where HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is in the way to the configured relay, after NO_PROXY; loopback never goes through them. Skipped where no relay is configured.",
        "Unset it, list the relay in NO_PROXY, or give `--proxy` on purpose.",
    ]),
    check("S05", Kind::Own, (High, Nothing), [
        "The clock has been set",
        "Certificates, tokens and signatures are refused by a clock that is off.",
        "Fails where the clock stands before this version was made. C29 compares it with a relay's.",
        "Run an NTP client.",
    ]),
    check("S06", Kind::Own, (High, Nothing), [
        "The configuration can be read",
        "A typing error in it ends every command.",
        "The file and the profile that would be used are read; no key is, and no command is run.",
        "`baton config show` lists every setting with its source, `baton config path` names the file.",
    ]),
    check("S07", Kind::Own, (Medium, Nothing), [
        "It is clear which key is used",
        "With several keys about, one of them wins, and a request is billed to it.",
        "Names the source that wins, never the key. Warns where another variable holds one too, or where none is for this relay.",
        "Unset the variables that are not meant; `baton config show` explains the choice.",
    ]),
    check("C17", Kind::Own, (High, Nothing), [
        "Processes can share one login",
        "A refresh token that rotates is good for one use: two processes that renew at once log everybody out (anthropics/claude-code#80585, #85236).",
        "Eight clients, each with the lock that a process of its own would have, share a login of a token server on loopback for three lives of a token; it is stored beside where yours is or would be. One renewal at a time passes; a login that is lost fails. Skipped where nothing can be written there.",
        "Locks do not hold on some network file systems: keep the token on a local one, with `store` in the profile's oauth table.",
    ]),
];

/// What these facts come to, in the order of the catalogue.
pub fn examine_own(facts: &Facts) -> Vec<Finding> {
    let rulings = [
        descriptors(facts.descriptors),
        ports(facts.ports.as_deref()),
        name(facts),
        proxy(facts),
        clock(facts.now),
        configuration(&facts.configuration),
        key(&facts.key),
        login(&facts.login),
    ];
    let finding = |(check, Ruling { verdict, evidence })| {
        let took = Duration::ZERO;
        Finding { check, verdict, evidence, took }
    };
    OWN.iter().zip(rulings).map(finding).collect()
}

fn descriptors(limits: Option<(u64, u64)>) -> Ruling {
    let Some((soft, hard)) = limits else { return Ruling::skip("the system does not say") };
    let line = format!("{soft} open files (hard limit {hard})");
    if soft < DESCRIPTORS { Ruling::warn(line) } else { Ruling::pass(line) }
}

fn ports(range: Option<&str>) -> Ruling {
    let ends: Option<Vec<u64>> =
        range.and_then(|text| text.split_whitespace().map(|end| end.parse().ok()).collect());
    let Some([first, last]) = ends.as_deref() else { return Ruling::skip("the system does not say") };
    let count = (last + 1).saturating_sub(*first);
    let line = format!("{count} ports, {first} to {last}");
    if count < PORTS { Ruling::warn(line) } else { Ruling::pass(line) }
}

fn name(facts: &Facts) -> Ruling {
    let Some((host, found, took)) = &facts.name else {
        return Ruling::skip(NO_RELAY);
    };
    let addresses = match found {
        Err(why) => return Ruling::fail(format!("{host}: {why}")),
        Ok(addresses) if addresses.is_empty() => return Ruling::fail(format!("{host} has no address")),
        Ok(addresses) => addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", "),
    };
    let line = format!("{host} is {addresses}, found in {} ms", took.as_millis());
    if *took > LOOK_UP { Ruling::warn(line) } else { Ruling::pass(line) }
}

fn proxy(facts: &Facts) -> Ruling {
    match (&facts.name, &facts.proxy) {
        (None, _) => Ruling::skip(NO_RELAY),
        (Some(_), None) => Ruling::pass("the relay is asked without one"),
        (Some((host, ..)), Some(variable)) => {
            Ruling::warn(format!("requests to {host} go through the proxy of {variable}"))
        }
    }
}

fn clock(now: SystemTime) -> Ruling {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let line = format!("it is {}", httpdate::fmt_http_date(now.max(SystemTime::UNIX_EPOCH)));
    if since < DAY { Ruling::fail(line) } else { Ruling::pass(line) }
}

fn configuration(read: &Result<String, String>) -> Ruling {
    match read {
        Ok(line) => Ruling::pass(line),
        Err(why) => Ruling::fail(why),
    }
}

fn key(key: &Key) -> Ruling {
    match key {
        Key::NoRelay => Ruling::skip(NO_RELAY),
        Key::Absent(why) if why.is_empty() => Ruling::warn("no key was given"),
        Key::Absent(why) => Ruling::warn(why),
        Key::From(source, others) if others.is_empty() => Ruling::pass(format!("from {source}")),
        Key::From(source, others) => {
            Ruling::warn(format!("from {source}")).and(format!("not used: {}", others.join(", ")))
        }
    }
}

fn login(shared: &Result<SharedLogin, String>) -> Ruling {
    let SharedLogin { renewed, revoked, failure } = match shared {
        Ok(shared) => shared,
        Err(why) => return Ruling::skip(why),
    };
    let line = format!("renewed {renewed} times, revoked {revoked} times");
    match failure {
        Some(failure) => Ruling::fail(line).and(failure),
        None if *revoked > 0 => Ruling::fail(line),
        None => Ruling::pass(line),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn good() -> Facts {
        Facts {
            descriptors: Some((20_000, 20_000)),
            ports: Some("32768\t60999\n".to_owned()),
            name: Some(("localhost".into(), Ok(vec![[127, 0, 0, 1].into()]), Duration::from_millis(1))),
            proxy: None,
            now: SystemTime::UNIX_EPOCH + DAY,
            configuration: Ok("no file".into()),
            key: Key::From("BATON_KEY".into(), Vec::new()),
            login: Ok(SharedLogin { renewed: 3, revoked: 0, failure: None }),
        }
    }

    fn verdicts(facts: &Facts) -> Vec<Verdict> {
        examine_own(facts).into_iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn an_installation_without_fault_passes_every_check() {
        assert_eq!(verdicts(&good()), [Verdict::Pass; 8]);
    }

    #[test]
    fn every_check_finds_the_fault_that_it_is_there_for() {
        use Verdict::{Fail, Warn};
        let bad = Facts {
            descriptors: Some((1024, 1024)),
            ports: Some("60000 60999".to_owned()),
            name: Some(("nowhere.invalid".into(), Err("unknown".into()), Duration::ZERO)),
            proxy: Some("HTTPS_PROXY".into()),
            now: SystemTime::UNIX_EPOCH,
            configuration: Err("line 3: what is this".into()),
            key: Key::From("BATON_KEY".into(), vec!["ANTHROPIC_API_KEY".into()]),
            login: Ok(SharedLogin { renewed: 1, revoked: 1, failure: Some("a login is required".into()) }),
        };
        assert_eq!(verdicts(&bad), [Warn, Warn, Fail, Warn, Fail, Fail, Warn, Fail]);
        let slow = Facts { name: good().name.map(|(host, found, _)| (host, found, LOOK_UP * 2)), ..good() };
        assert_eq!(verdicts(&slow)[2], Warn);
        let absent = Facts { key: Key::Absent(String::new()), ..good() };
        assert_eq!(verdicts(&absent)[6], Warn);
    }

    #[test]
    fn what_cannot_be_known_is_skipped() {
        let login = Err("read-only".to_owned());
        let dark = Facts { descriptors: None, ports: None, name: None, key: Key::NoRelay, login, ..good() };
        let skipped = verdicts(&dark).into_iter().filter(|verdict| *verdict == Verdict::Skip).count();
        assert_eq!(skipped, 6);
    }
}

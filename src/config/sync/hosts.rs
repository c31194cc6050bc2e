//! Which hosts a synced file may name: the ones that this machine's own configuration allows.

use std::fmt;
use std::str::FromStr;

use url::Host;

use crate::net::Url;

/// The hosts of `allowed-hosts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hosts(pub(super) Vec<Allowed>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowed {
    name: Name,
    /// The one port that is allowed; all of them where it is absent.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// This host.
    Is(Host),
    /// Every host below this domain, and not the domain itself.
    Below(String),
}

impl Hosts {
    /// Whether an address is on one of them.
    pub(super) fn allow(&self, url: &Url) -> bool {
        self.0.iter().any(|allowed| allowed.fits(url))
    }
}

impl Allowed {
    fn fits(&self, url: &Url) -> bool {
        let is_port = self.port.is_none_or(|port| url.port_or_known_default() == Some(port));
        is_port
            && match (&self.name, url.host()) {
                (Name::Is(name), Some(host)) => *name == host.to_owned(),
                (Name::Below(domain), Some(Host::Domain(host))) => {
                    host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'))
                }
                _ => false,
            }
    }
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!("'{text}' is no host: write relay.example, relay.example:8443, *.relay.example or [::1]")
        };
        let parts = text.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        let (host, port) = match parts {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| refuse())?)),
            None => (text, None),
        };
        let parse = |host: &str| Host::parse(host).map_err(|_| refuse());
        let name = match host.strip_prefix("*.") {
            None if host.contains('*') => return Err(refuse()),
            None => Name::Is(parse(host)?),
            Some(domain) => match parse(domain)? {
                Host::Domain(domain) if !domain.contains('*') => Name::Below(domain),
                _ => return Err(refuse()),
            },
        };
        Ok(Self { name, port })
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Name::Is(host) => write!(out, "{host}")?,
            Name::Below(domain) => write!(out, "*.{domain}")?,
        }
        self.port.map_or(Ok(()), |port| write!(out, ":{port}"))
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        out.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rule: &str, url: &str) -> bool {
        Hosts(vec![rule.parse().unwrap()]).allow(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_host_is_allowed_by_its_name_its_port_or_its_domain() {
        assert!(allows("Relay.example", "https://relay.example/v1"));
        assert!(allows("relay.example", "https://relay.example:8443"));
        assert!(allows("relay.example:443", "https://relay.example"));
        assert!(allows("[::1]:8080", "http://[::1]:8080"));
        assert!(allows("127.0.0.1", "http://127.0.0.1:9"));
        assert!(allows("*.relay.example", "https://eu.west.relay.example"));
    }

    #[test]
    fn what_only_looks_like_an_allowed_host_is_none() {
        assert!(!allows("relay.example", "https://eu.relay.example"));
        assert!(!allows("relay.example", "https://relay.example.evil.example"));
        assert!(!allows("relay.example:443", "https://relay.example:8443"));
        assert!(!allows("*.relay.example", "https://relay.example"));
        assert!(!allows("*.relay.example", "https://evilrelay.example"));
        assert!(!allows("127.0.0.1", "http://127.0.0.2"));
    }

    #[test]
    fn a_rule_that_could_mean_anything_is_refused() {
        for bad in ["*", "*.*", "re*lay.example", "*.127.0.0.1", "https://relay.example", "relay.example:x"] {
            assert!(bad.parse::<Allowed>().is_err(), "{bad}");
        }
    }
}

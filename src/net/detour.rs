//! `--resolve` and `--connect-to`: connecting elsewhere than the address says, in curl's forms.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::num::{NonZeroU16, ParseIntError};
use std::str::FromStr;

use super::{HeaderValue, HttpVersion, Url};

/// `HOST:PORT:ADDR[,ADDR…]`: the addresses of a name, in place of a look-up. The host may be `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    written: String,
    host: Option<String>,
    port: u16,
    addresses: Vec<IpAddr>,
}

/// `HOST1:PORT1:HOST2:PORT2`: connections for the first place go to the second. An empty HOST1 or PORT1 stands for any,
/// an empty HOST2 or PORT2 for the address's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectTo {
    written: String,
    from: (Option<String>, Option<u16>),
    to: (Option<String>, Option<u16>),
}

/// A detour that cannot be read, or that would have no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DetourError {
    /// It is not of the form.
    #[error("must be {form}, an IPv6 address in brackets")]
    Form {
        /// The form it should have.
        form: &'static str,
    },
    /// It is for a place that no connection is made to.
    #[error("{flag} {detour}: not for {places}, where this command connects")]
    Unused {
        /// The flag.
        flag: &'static str,
        /// The detour as it was written.
        detour: String,
        /// What is looked up.
        places: String,
    },
    /// The address is a number, which nobody looks up.
    #[error("{flag} {detour}: {host} is a number, which is connected to as it is")]
    Number {
        /// The flag.
        flag: &'static str,
        /// The detour as it was written.
        detour: String,
        /// The number.
        host: String,
    },
    /// A port that the address names can be exchanged only where the request names it in `host`.
    #[error("--connect-to {detour}: the port of an address that names one changes over HTTP/1.1 only")]
    Port {
        /// The detour as it was written.
        detour: String,
    },
}

/// All detours of a command.
#[derive(Debug, Clone, Default)]
pub struct Detours {
    /// Addresses of names.
    pub resolve: Vec<Resolve>,
    /// Places of places; the first that matches holds.
    pub connect_to: Vec<ConnectTo>,
}

/// What is connected to, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) target: &'a Url,
    pub(super) proxy: Option<&'a Url>,
    pub(super) version: HttpVersion,
}

/// Where the names of a command lead.
#[derive(Debug, Clone, Default)]
pub struct Route {
    stops: HashMap<String, Stop>,
    /// The `host` header of a request whose address must be stripped of its port, so that the stop's own holds.
    pub(super) stripped_of: Option<HeaderValue>,
}

/// Where one name leads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stop {
    /// The name to look up where there are no addresses.
    pub(super) host: String,
    /// Zero leaves the port as it is.
    pub(super) port: u16,
    pub(super) addresses: Vec<IpAddr>,
}

impl Route {
    /// Where a name leads: itself, unless there is a detour.
    pub(super) fn stop(&self, name: &str) -> Stop {
        self.stops.get(name).cloned().unwrap_or_else(|| Stop { host: name.to_owned(), ..Stop::default() })
    }

    /// Whether there is a detour for a name.
    pub(super) fn turns(&self, name: &str) -> bool {
        self.stops.contains_key(name)
    }
}

/// A host and a port that this command connects to.
#[derive(Debug, Clone)]
struct Place {
    host: String,
    port: u16,
}

impl Place {
    fn of(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        Self { host, port: url.port_or_known_default().unwrap_or_default() }
    }

    fn number(&self) -> Option<IpAddr> {
        number(&self.host)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.host, self.port)
    }
}

impl Detours {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.resolve.is_empty() && self.connect_to.is_empty()
    }

    /// Those that are for connections to this address, where a command has several.
    #[must_use]
    pub fn meant_for(&self, target: &Url) -> Self {
        let target = Place::of(target);
        let connect_to: Vec<_> =
            self.connect_to.iter().filter(|detour| detour.is_for(&target)).cloned().collect();
        let reached = connect_to.first().map_or_else(|| target.clone(), |detour| detour.leads(&target));
        let resolve = self.resolve.iter().filter(|detour| detour.is_for(&reached)).cloned().collect();
        Self { resolve, connect_to }
    }

    /// One that is for none of these addresses, as it was written with its flag.
    pub fn stray<'a>(&self, targets: impl Iterator<Item = &'a Url>) -> Option<String> {
        let meant: Vec<Self> = targets.map(|target| self.meant_for(target)).collect();
        let connect_to =
            self.connect_to.iter().find(|one| !meant.iter().any(|own| own.connect_to.contains(one)));
        let resolve = self.resolve.iter().find(|one| !meant.iter().any(|own| own.resolve.contains(one)));
        let connect_to = connect_to.map(|detour| format!("--connect-to {}", detour.written));
        connect_to.or_else(|| resolve.map(|detour| format!("--resolve {}", detour.written)))
    }

    pub(super) fn route(&self, way: Way<'_>) -> Result<Route, DetourError> {
        let target = Place::of(way.target);
        let mut route = Route::default();
        let reached = self.redirect(&target, way, &mut route)?;
        // A proxy that looks names up itself leaves nothing to resolve here but its own.
        let mut places: Vec<(String, Place)> =
            way.proxy.map(Place::of).into_iter().map(|proxy| (proxy.host.clone(), proxy)).collect();
        if way.proxy.is_none_or(|proxy| proxy.scheme() == "socks5") {
            places.push((target.host, reached));
        }
        self.resolve_all(&places, &mut route)?;
        Ok(route)
    }

    /// Applies `--connect-to` to the target and gives the place that is connected to.
    fn redirect(&self, target: &Place, way: Way<'_>, route: &mut Route) -> Result<Place, DetourError> {
        let flag = "--connect-to";
        let matching = self.connect_to.iter().position(|detour| detour.is_for(target));
        let unused = self.connect_to.iter().enumerate().find(|(index, _)| Some(*index) != matching);
        if let Some((_, detour)) = unused {
            return Err(DetourError::Unused {
                flag,
                detour: detour.written.clone(),
                places: target.to_string(),
            });
        }
        let Some(detour) = matching.and_then(|index| self.connect_to.get(index)) else {
            return Ok(target.clone());
        };
        let written = detour.written.clone();
        if target.number().is_some() {
            return Err(DetourError::Number { flag, detour: written, host: target.host.clone() });
        }
        let reached = detour.leads(target);
        if reached.port != target.port && way.target.port().is_some() {
            // The pool lets the address's own port win over the resolver's. HTTP/2 would tell the port-less address
            // to the server in :authority.
            let plain = way.target.scheme() == "http";
            if way.version == HttpVersion::Two || (way.version == HttpVersion::Negotiated && !plain) {
                return Err(DetourError::Port { detour: written });
            }
            route.stripped_of = HeaderValue::from_str(&target.to_string()).ok();
        }
        let port = if reached.port == target.port { 0 } else { reached.port };
        let stop =
            Stop { host: reached.host.clone(), port, addresses: number(&reached.host).into_iter().collect() };
        route.stops.insert(target.host.clone(), stop);
        Ok(reached)
    }

    /// Applies `--resolve` to every place, each under the name that the pool asks for.
    fn resolve_all(&self, places: &[(String, Place)], route: &mut Route) -> Result<(), DetourError> {
        let flag = "--resolve";
        let mut used = vec![false; self.resolve.len()];
        for (asked, place) in places {
            // The last one holds, as in curl.
            let Some(index) = self.resolve.iter().rposition(|detour| detour.is_for(place)) else { continue };
            let detour = &self.resolve[index];
            if place.number().is_some() {
                let (detour, host) = (detour.written.clone(), place.host.clone());
                return Err(DetourError::Number { flag, detour, host });
            }
            used[index] = true;
            let stop = route.stops.entry(asked.clone()).or_default();
            stop.host.clone_from(&place.host);
            stop.addresses.clone_from(&detour.addresses);
        }
        let unused = self.resolve.iter().zip(used).find(|(_, used)| !used);
        let Some((detour, _)) = unused else { return Ok(()) };
        let places: Vec<_> = places.iter().map(|(_, place)| place.to_string()).collect();
        Err(DetourError::Unused { flag, detour: detour.written.clone(), places: places.join(" and ") })
    }
}

impl Resolve {
    fn is_for(&self, place: &Place) -> bool {
        self.port == place.port && self.host.as_ref().is_none_or(|host| *host == place.host)
    }
}

impl ConnectTo {
    /// Where it leads from a place that it is for.
    fn leads(&self, target: &Place) -> Place {
        let (host, port) = &self.to;
        Place { host: host.clone().unwrap_or_else(|| target.host.clone()), port: port.unwrap_or(target.port) }
    }

    fn is_for(&self, place: &Place) -> bool {
        let (host, port) = &self.from;
        host.as_ref().is_none_or(|host| *host == place.host) && port.is_none_or(|port| port == place.port)
    }
}

impl fmt::Display for Resolve {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.written)
    }
}

impl fmt::Display for ConnectTo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.written)
    }
}

impl FromStr for Resolve {
    type Err = DetourError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (host, rest) = host(text)?;
            let (port, addresses) = rest.split_once(':')?;
            let addresses = addresses.split(',').map(number).collect::<Option<Vec<_>>>()?;
            let host = Some(host?).filter(|host| host != "*");
            Some(Self { written: text.to_owned(), host, port: port.parse().ok()?, addresses })
        };
        read().ok_or(DetourError::Form { form: "HOST:PORT:ADDR[,ADDR…]" })
    }
}

impl FromStr for ConnectTo {
    type Err = DetourError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (from_host, rest) = host(text)?;
            let (from_port, rest) = rest.split_once(':')?;
            let (to_host, to_port) = host(rest)?;
            let from = (from_host, port(from_port).ok()?);
            let to = (to_host, port(to_port).ok()?);
            Some(Self { written: text.to_owned(), from, to })
        };
        read().ok_or(DetourError::Form { form: "HOST1:PORT1:HOST2:PORT2" })
    }
}

/// A host that may be empty or in brackets, and what follows its colon.
fn host(text: &str) -> Option<(Option<String>, &str)> {
    let (host, rest) = if text.starts_with('[') {
        let end = text.find(']')? + 1;
        number(&text[..end])?;
        (&text[..end], text[end..].strip_prefix(':')?)
    } else {
        text.split_once(':')?
    };
    if host.contains(|c: char| c.is_whitespace() || c == '/' || c == '+') {
        return None;
    }
    Some((Some(host.to_ascii_lowercase()).filter(|host| !host.is_empty()), rest))
}

/// A port that may be empty.
fn port(text: &str) -> Result<Option<u16>, ParseIntError> {
    if text.is_empty() { Ok(None) } else { text.parse::<NonZeroU16>().map(|port| Some(port.get())) }
}

/// An IP address, with or without the brackets of IPv6.
fn number(text: &str) -> Option<IpAddr> {
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(resolve: &[&str], connect_to: &[&str], target: &str) -> Result<Route, DetourError> {
        let detours = Detours {
            resolve: resolve.iter().map(|text| text.parse().unwrap()).collect(),
            connect_to: connect_to.iter().map(|text| text.parse().unwrap()).collect(),
        };
        let target = Url::parse(target).unwrap();
        detours.route(Way { target: &target, proxy: None, version: HttpVersion::Negotiated })
    }

    fn stop(host: &str, port: u16, addresses: &[&str]) -> Stop {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Stop { host: host.to_owned(), port, addresses }
    }

    #[test]
    fn what_is_not_of_curls_form_is_refused() {
        for bad in ["", "a", "a:80", "a:80:", "a:x:127.0.0.1", "a:80:b", ":80:127.0.0.1", "[x]:80:127.0.0.1"]
        {
            assert!(bad.parse::<Resolve>().is_err(), "{bad}");
        }
        for bad in ["", "a", "a:1", "a:1:b", "a:1:b:x", "a:1:b:2:3", "a:1:b:0", "a/b:1:c:2"] {
            assert!(bad.parse::<ConnectTo>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_leads_to_the_addresses_given_for_it_and_its_port() {
        let found = route(&["Relay.Example:443:[::1],127.0.0.1"], &[], "https://relay.example/v1").unwrap();
        assert_eq!(found.stop("relay.example"), stop("relay.example", 0, &["::1", "127.0.0.1"]));
        assert_eq!(found.stop("other.example"), stop("other.example", 0, &[]));
        assert!(route(&["*:443:::1"], &[], "https://relay.example").is_ok());
        assert!(route(&["relay.example:80:::1"], &[], "https://relay.example").is_err());
        assert!(route(&["127.0.0.1:80:127.0.0.2"], &[], "http://127.0.0.1").is_err());
    }

    #[test]
    fn of_two_for_one_place_the_one_that_would_do_nothing_is_refused() {
        let two = ["relay.example:443:127.0.0.1", "relay.example:443:127.0.0.2"];
        let error = route(&two, &[], "https://relay.example").unwrap_err();
        assert!(error.to_string().contains("127.0.0.1"), "{error}");
    }

    #[test]
    fn empty_parts_stand_for_any_place_and_for_the_addresss_own() {
        let found = route(&[], &["::other.example:"], "https://relay.example").unwrap();
        assert_eq!(found.stop("relay.example"), stop("other.example", 0, &[]));
        let found = route(&[], &["relay.example:443::8443"], "https://relay.example").unwrap();
        assert_eq!(found.stop("relay.example"), stop("relay.example", 8443, &[]));
        let found = route(&[], &["::[::1]:"], "https://relay.example").unwrap();
        assert_eq!(found.stop("relay.example").addresses, [IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])]);
        assert!(route(&[], &["other.example:443:a:1"], "https://relay.example").is_err());
    }

    #[test]
    fn the_place_connected_to_is_the_one_whose_address_is_given() {
        let resolve = ["other.example:8443:127.0.0.1"];
        let found = route(&resolve, &["::other.example:8443"], "https://relay.example").unwrap();
        assert_eq!(found.stop("relay.example"), stop("other.example", 8443, &["127.0.0.1"]));
    }

    #[test]
    fn a_port_that_the_address_names_changes_only_where_the_host_header_keeps_it() {
        let found = route(&[], &["::127.0.0.1:9000"], "http://relay.example:8080").unwrap();
        assert_eq!(found.stripped_of.unwrap(), "relay.example:8080");
        let refused = route(&[], &["::127.0.0.1:9000"], "https://relay.example:8443").unwrap_err();
        assert!(matches!(refused, DetourError::Port { .. }));
        assert!(route(&[], &["::127.0.0.1:8443"], "https://relay.example:8443").is_ok());
        assert!(route(&[], &["::127.0.0.1:9000"], "https://relay.example").is_ok());
    }
}

//! From which addresses requests are let in, and which address a request came from where proxies stand before the relay.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use hyper::HeaderMap;
use ipnet::IpNet;

/// A range of addresses, as in `10.0.0.0/8`; an address alone is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range(IpNet);

/// A text that is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// It cannot be read.
    #[error("write a range of addresses in CIDR form, as in 10.0.0.0/8, 2001:db8::/32 or 127.0.0.1")]
    Form,
    /// It names an address inside the range that it means.
    #[error("{0} has bits beyond its prefix: write {1}")]
    Inside(IpNet, IpNet),
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let range = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let range = range.map_err(|_| RangeError::Form)?;
        if range == range.trunc() { Ok(Self(range)) } else { Err(RangeError::Inside(range, range.trunc())) }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

/// From where requests may come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The ranges that are let in; without one, everybody is.
    pub allowed: Vec<Range>,
    /// How many proxies stand before the relay, each of which appends to `X-Forwarded-For` the address that it was asked
    /// from. With 0 that header says nothing.
    pub trusted_proxies: u8,
}

impl Addresses {
    /// Whether a request over a connection from `peer` may come in.
    pub(crate) fn admit(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
        if self.allowed.is_empty() {
            return true;
        }
        let client = peer.and_then(|peer| self.client(peer, headers));
        client.is_some_and(|client| self.allowed.iter().any(|range| range.0.contains(&client)))
    }

    /// The address of the client that the outermost trusted proxy was asked by.
    ///
    /// The last proxy is the peer itself, and the list grows at its right end, so that the entry which the outermost of N
    /// wrote is the Nth from the right; what a client put before it is its own claim, and is not looked at. A list that is
    /// too short, or says there what is no address, has not come through all the proxies.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let Some(from_right) = usize::from(self.trusted_proxies).checked_sub(1) else {
            return Some(peer.to_canonical());
        };
        // Several lines are one list, in their order (RFC 9110, section 5.3).
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let mut entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        let entry = std::str::from_utf8(entries.nth(from_right)?).ok()?.trim();
        let address =
            entry.parse::<IpAddr>().or_else(|_| entry.parse().map(|with_port: SocketAddr| with_port.ip()));
        address.ok().map(|address| address.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const OFFICE: &str = "203.0.113.7";

    /// Whether a request with these lines of the header is let in from the office alone, by way of a proxy on this machine.
    fn admits(trusted_proxies: u8, lines: &[&'static str]) -> bool {
        let allowed = vec!["203.0.113.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        Addresses { allowed, trusted_proxies }.admit(Some("127.0.0.1".parse().unwrap()), &headers)
    }

    #[test]
    fn without_a_proxy_the_connection_alone_counts() {
        assert!(!admits(0, &[]) && !admits(0, &[OFFICE]) && !admits(0, &["203.0.113.7, 203.0.113.7"]));
        let peer = |text: &str| {
            let addresses =
                Addresses { allowed: vec!["203.0.113.0/24".parse().unwrap()], trusted_proxies: 0 };
            addresses.admit(text.parse().ok(), &HeaderMap::new())
        };
        assert!(peer(OFFICE) && peer("::ffff:203.0.113.7"));
        assert!(!peer("203.0.114.7") && !peer("unknown"));
        assert!(Addresses::default().admit(None, &HeaderMap::new()));
    }

    #[test]
    fn a_claim_before_what_the_proxies_wrote_is_worth_nothing() {
        assert!(admits(1, &[OFFICE]) && admits(1, &["10.0.0.1, 203.0.113.7"]));
        // What a client forged, with its own address appended by the proxy.
        for forged in ["203.0.113.7, 198.51.100.9", "203.0.113.7,203.0.113.7,198.51.100.9", "203.0.113.7, "] {
            assert!(!admits(1, &[forged]), "{forged}");
        }
        assert!(!admits(1, &[OFFICE, "198.51.100.9"]) && admits(1, &["198.51.100.9", OFFICE]));
        // Two proxies: the outer one wrote the last but one.
        assert!(
            admits(2, &["203.0.113.7, 10.0.0.2"]) && admits(2, &["198.51.100.9, 203.0.113.7", "10.0.0.2"])
        );
        assert!(!admits(2, &["203.0.113.7, 198.51.100.9, 10.0.0.2"]));
    }

    #[test]
    fn what_has_not_come_through_all_the_proxies_stays_outside() {
        assert!(!admits(1, &[]) && !admits(2, &[OFFICE]) && !admits(1, &["unknown"]) && !admits(1, &[""]));
        assert!(
            admits(1, &["203.0.113.7:4711"])
                && admits(1, &["[2001:db8::1]:443"])
                && admits(1, &["2001:db8::1"])
        );
    }

    #[test]
    fn a_range_is_written_by_its_first_address() {
        let refused = |text: &str| text.parse::<Range>().unwrap_err().to_string();
        assert_eq!("127.0.0.1".parse::<Range>().unwrap().to_string(), "127.0.0.1/32");
        assert_eq!(refused("10.0.0.1/8"), "10.0.0.1/8 has bits beyond its prefix: write 10.0.0.0/8");
        for bad in ["", "localhost", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/8/8"] {
            assert!(refused(bad).contains("CIDR"), "{bad}");
        }
    }
}

//! The addresses of an authorization server, from its metadata (RFC 8414) where the profile does not name them.

use crate::net::{
    Connection, HttpVersion, Journey, Method, Pool, Request, RequestHeaders, Reuse, Trust, Url,
};
use crate::outcome::Class;

use super::grant::exchange;
use super::{AuthError, Authority};

/// What is asked where.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    /// For tokens.
    pub(super) token: Url,
    /// For the beginning of a login.
    pub(super) device: Option<Url>,
}

/// A transport to one address of the server.
pub(super) fn reach(connection: &Connection, url: &Url) -> Result<Pool, AuthError> {
    Pool::new(&to_server(connection), url).map_err(|error| AuthError::Unavailable {
        url: super::shown_url(url),
        detail: error.to_string(),
        class: error.class(),
    })
}

/// How the server is reached. What is meant for the relay alone – detours, the socket, the client's certificate, the number of
/// connections, and trust in anybody – stays behind.
fn to_server(connection: &Connection) -> Connection {
    let trust = match &connection.trust {
        Trust::Anyone => Trust::System,
        trust @ (Trust::System | Trust::Only(_)) => trust.clone(),
    };
    Connection {
        version: HttpVersion::Negotiated,
        identity: None,
        reuse: Reuse::Never,
        unix_socket: None,
        detours: crate::net::Detours::default(),
        most: None,
        trust,
        ..connection.clone()
    }
}

/// Finds the addresses.
pub(super) async fn endpoints(
    authority: &Authority,
    connection: &Connection,
) -> Result<Endpoints, AuthError> {
    let Authority { issuer, token_url, device_url, .. } = authority;
    if let Some(token) = token_url {
        return Ok(Endpoints { token: token.clone(), device: device_url.clone() });
    }
    let issuer = issuer.as_ref().expect("the configuration demands an issuer or a token-url");
    let places = places(issuer);
    for place in &places {
        let transport = reach(connection, place)?;
        let (method, url, journey) = (Method::Get, place.clone(), Journey::default());
        let request = Request {
            method,
            url: url.into(),
            headers: RequestHeaders::default(),
            body: bytes::Bytes::new(),
            journey,
        };
        let answer = exchange(&transport, request).await?;
        match (answer.status, &answer.json) {
            (200, Some(json)) => {
                let read = read(json, issuer).map_err(|detail| protocol(place, detail))?;
                return Ok(Endpoints { device: device_url.clone().or(read.device), ..read });
            }
            (404, _) => {}
            _ => return Err(answer.refusal().error),
        }
    }
    let [_, place] = &places;
    Err(protocol(place, "there is no metadata of an authorization server (404)".to_owned()))
}

fn protocol(url: &Url, detail: String) -> AuthError {
    AuthError::Unavailable { url: super::shown_url(url), detail, class: Class::Protocol }
}

/// Where metadata lies: as RFC 8414, section 3.1 has it, else as `OpenID` Connect Discovery 1.0, section 4.
fn places(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_query(None);
        url.set_path(&path);
        url
    };
    [
        at(format!("/.well-known/oauth-authorization-server{path}")),
        at(format!("{path}/.well-known/openid-configuration")),
    ]
}

/// Reads metadata; one that is another issuer's is refused, as section 3.3 demands.
fn read(json: &serde_json::Value, issuer: &Url) -> Result<Endpoints, String> {
    let named = json["issuer"].as_str().unwrap_or_default();
    let plain = |text: &str| text.trim_end_matches('/').to_owned();
    if plain(named) != plain(issuer.as_str()) {
        let named: String = named.chars().take(200).collect();
        return Err(format!("its metadata is of another issuer, {named:?}"));
    }
    let url = |name: &str| match json[name].as_str() {
        None => Ok(None),
        Some(text) => match Url::parse(text) {
            Ok(url) if is_private(&url) => Ok(Some(url)),
            _ => Err(format!("its metadata names a {name} that is no https address")),
        },
    };
    let token = url("token_endpoint")?.ok_or("its metadata names no token_endpoint")?;
    Ok(Endpoints { token, device: url("device_authorization_endpoint")? })
}

/// Whether nobody on the way can read what goes there.
pub fn is_private(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_lies_between_the_host_and_the_path_or_after_both() {
        let [first, second] = places(&Url::parse("https://id.example/tenant/").unwrap());
        assert_eq!(first.as_str(), "https://id.example/.well-known/oauth-authorization-server/tenant");
        assert_eq!(second.as_str(), "https://id.example/tenant/.well-known/openid-configuration");
    }

    #[test]
    fn a_relay_that_is_trusted_unseen_lends_no_trust_to_the_server_that_is_given_secrets() {
        let trust = |trust: Trust| to_server(&Connection { trust, ..Connection::default() }).trust;
        assert!(matches!(trust(Trust::Anyone), Trust::System));
        assert!(matches!(trust(Trust::Only(b"pem".to_vec())), Trust::Only(pem) if pem == b"pem"));
    }

    #[test]
    fn metadata_of_another_issuer_and_addresses_that_others_can_listen_to_are_refused() {
        let issuer = Url::parse("https://id.example").unwrap();
        let json = |issuer: &str, token: &str| serde_json::json!({"issuer": issuer, "token_endpoint": token});
        assert!(read(&json("https://id.example", "https://id.example/token"), &issuer).is_ok());
        assert!(read(&json("https://evil.example", "https://id.example/token"), &issuer).is_err());
        assert!(read(&json("https://id.example", "http://id.example/token"), &issuer).is_err());
        assert!(read(&serde_json::json!({"issuer": "https://id.example"}), &issuer).is_err());
    }
}

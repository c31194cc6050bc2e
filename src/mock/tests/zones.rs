//! Several zones in one process, and the address that changes them.

use std::net::SocketAddr;

use serde_json::Value;
use serde_json::json;

use crate::mock::Connections;
use crate::mock::Error;
use crate::mock::Options;
use crate::mock::ZoneNames;
use crate::mock::Zones;

use super::wire::PATHS;
use super::wire::ask;
use super::wire::receive;
use super::wire::send_to;

fn zones(options: Options) -> Zones {
    let spec = "ttft=0,gap=0,tokens=1".parse().unwrap();
    Zones::start(&"a,b".parse().unwrap(), Options { spec, threads: 1, ..options }).unwrap()
}

/// What the control address says to one request.
async fn control(address: SocketAddr, line: &str, body: &str) -> (u16, Value) {
    let got = receive(send_to(address, line, &[], body).await).await;
    (got.status(), serde_json::from_slice(&got.body).unwrap())
}

/// The refusal of a request, and its words.
async fn refusal(address: SocketAddr, line: &str, body: &str) -> (u16, String) {
    let (status, said) = control(address, line, body).await;
    (status, said["error"]["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn each_zone_has_its_own_address_counters_and_mood() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let zones = zones(Options { log: Some(path.clone()), ..Options::default() });
    let [a, b] = ["a", "b"].map(|name| zones.zone(name).unwrap());
    assert!(zones.zone("c").is_none() && a.address() != b.address());
    a.set_mood(crate::mock::Mood { error_share: 1.0, ..Default::default() }).unwrap();
    assert_eq!(ask(a, PATHS[0], "m", true).await.status(), 503);
    assert_eq!(ask(b, PATHS[0], "m", true).await.status(), 200);
    let counted: Vec<_> = zones.iter().map(|(name, relay)| (name, relay.stats().statuses)).collect();
    assert_eq!(counted, [("a", [(503, 1)].into()), ("b", [(200, 1)].into())]);
    zones.stop().unwrap();
    let log = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["zone"], &lines[1]["zone"]), (&json!("a"), &json!("b")));
}

#[tokio::test]
async fn the_control_address_shows_replaces_and_changes() {
    let mut zones = zones(Options::default());
    let address = zones.open_control("127.0.0.1:0".parse().unwrap()).unwrap();
    let (status, all) = control(address, "GET /__mock/zones", "").await;
    let first = &all["zones"][0];
    assert_eq!((status, &first["name"], &all["zones"][1]["name"]), (200, &json!("a"), &json!("b")));
    assert_eq!(first["url"], json!(zones.zone("a").unwrap().base_url()));
    let at_rest = json!({
        "latency_ms": 0, "error_share": 0.0, "error_status": 503, "retry_after_s": null,
        "connections": "open", "drain": false, "health": "ok",
    });
    assert_eq!((&first["mood"], &first["stats"]["requests"]), (&at_rest, &json!(0)));

    let (status, b) = control(address, "POST /__mock/zones/b", r#"{"latency_ms":500}"#).await;
    assert_eq!((status, &b["mood"]["latency_ms"]), (200, &json!(500)));
    let (_, b) = control(address, "POST /__mock/zones/b", r#"{"connections":"refused"}"#).await;
    assert_eq!(
        (&b["mood"]["latency_ms"], zones.zone("b").unwrap().mood().connections),
        (&json!(500), Connections::Refused)
    );
    assert!(tokio::net::TcpStream::connect(zones.zone("b").unwrap().address()).await.is_err());
    let (_, b) = control(address, "PUT /__mock/zones/b", "{}").await;
    assert_eq!(b["mood"], at_rest);
    assert_eq!(ask(zones.zone("b").unwrap(), PATHS[0], "m", true).await.status(), 200);
    let (_, b) = control(address, "GET /__mock/zones/b/", "").await;
    assert_eq!(b["stats"]["statuses"], json!({ "200": 1 }));
    assert_eq!(control(address, "GET /healthz", "").await, (200, json!({ "status": "ok" })));
}

#[tokio::test]
async fn the_control_address_says_exactly_what_is_wrong() {
    let mut zones = zones(Options::default());
    let address = zones
        .open_control("[::1]:0".parse().unwrap())
        .or_else(|_| zones.open_control("127.0.0.1:0".parse().unwrap()))
        .unwrap();
    for (line, body, status, words) in [
        ("POST /__mock/zones/c", "{}", 404, "there is no zone 'c': the zones are a, b"),
        ("GET /", "", 404, "/__mock/zones lists the zones"),
        ("DELETE /__mock/zones/a", "", 405, "DELETE is not allowed here: GET, PUT, POST is"),
        ("POST /__mock/zones", "{}", 405, "POST is not allowed here"),
        ("POST /__mock/zones/a", "latency", 400, "the body is no JSON object"),
        ("POST /__mock/zones/a", "[]", 400, "the body is no JSON object"),
        (
            "POST /__mock/zones/a",
            r#"{"latency":1}"#,
            400,
            "unknown field `latency`, expected one of `latency_ms`",
        ),
        (
            "POST /__mock/zones/a",
            r#"{"connections":"shut"}"#,
            400,
            "unknown variant `shut`, expected one of `open`",
        ),
        ("PUT /__mock/zones/a", r#"{"error_share":30}"#, 400, "error_share: write a share from 0 to 1"),
    ] {
        let (got, said) = refusal(address, line, body).await;
        assert!(got == status && said.contains(words), "{line}: {got} {said}");
    }
    let page = send_to(address, "POST /__mock/zones/a", &["origin: http://evil.example"], "{}").await;
    assert_eq!(receive(page).await.status(), 403);
    let large = format!(r#"{{"latency_ms":{}1}}"#, " ".repeat(70_000));
    assert!(refusal(address, "PUT /__mock/zones/a", &large).await.1.contains("could not be read"));
    assert_eq!(zones.zone("a").unwrap().mood(), crate::mock::Mood::default());
}

#[tokio::test]
async fn a_control_address_that_others_could_reach_or_that_is_taken_is_refused() {
    let mut zones = zones(Options::default());
    let open = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(zones.open_control(open), Err(Error::NotLoopback { address }) if address == open));
    let taken = zones.zone("a").unwrap().address();
    assert!(matches!(zones.open_control(taken), Err(Error::AddressInUse { address }) if address == taken));
}

#[test]
fn zones_have_plain_names_of_their_own_and_ports_in_a_row() {
    let refused = |text: &str| text.parse::<ZoneNames>().unwrap_err();
    for bad in ["", "a,", "A", "a b", "ä", &"x".repeat(64)] {
        assert!(refused(bad).contains("is no zone's name: write small letters"), "{bad}");
    }
    assert_eq!(refused("a,b,a"), "the zone 'a' is named twice: write each name once");
    let many: Vec<_> = (0..17).map(|n| n.to_string()).collect();
    assert_eq!(refused(&many.join(",")), "write at most 16 zones");
    assert_eq!("eu-1, us".parse::<ZoneNames>().unwrap().to_string(), "eu-1,us");
    let last = Options { listen: "127.0.0.1:65535".parse().unwrap(), threads: 1, ..Options::default() };
    let problem = Zones::start(&"a,b".parse().unwrap(), last).unwrap_err();
    assert!(matches!(problem, Error::NoPort { .. } | Error::AddressInUse { .. }), "{problem}");
}

//! What a synced file and a profile may say.

use super::*;

#[test]
fn a_file_that_says_what_it_may_not_is_refused_with_its_line() {
    let hosts = Operator::new().subscription().hosts;
    let refused = |from: &str, to: &str| {
        let error = Synced::read(("https://eu/b.toml", &FILE.replace(from, to)), &hosts).unwrap_err();
        format!("{} {}", error.message, error.hint.unwrap_or_default())
    };
    let synced = Synced::read(("https://eu/b.toml", FILE), &hosts).unwrap();
    assert_eq!((synced.version, synced.endpoints[0].weight, synced.limits.burst), (7, Some(3), Some(5)));
    assert_eq!(synced.endpoints[0].zone.as_deref(), Some("eu-1"));
    let told = refused("weight", "wieght");
    assert!(
        told.starts_with("https://eu/b.toml:7: unknown key 'endpoint.wieght' did you mean weight"),
        "{told}"
    );
    for secret in
        ["key = 'sk-planted'", "key-command = 'cat planted'", "headers = { authorization = 'planted' }"]
    {
        let told = refused("weight = 3", secret);
        assert!(
            told.starts_with("https://eu/b.toml:7: endpoint.") && told.contains("no credentials"),
            "{told}"
        );
        assert!(!told.contains("planted"), "{told}");
    }
    for (address, reason) in [
        ("https://evil.example", "evil.example is not allowed"),
        ("https://relay.example", "relay.example is not allowed"),
        ("http://eu.relay.example", "for all to read"),
        ("https://u:planted@eu.relay.example", "user name"),
        ("https://eu.relay.example/?key=planted", "query"),
    ] {
        let told = refused("https://eu.relay.example/v1", address);
        assert!(told.starts_with("https://eu/b.toml:4: endpoint.url") && told.contains(reason), "{told}");
        assert!(!told.contains("planted"), "{told}");
    }
    assert!(refused("\"eu-1\"", "\"\\u001b[2J\"").contains("no control characters"));
    assert!(refused("version = 7", "").contains("has no version"));
    assert!(refused("version = 7", "version = 0").contains("from 1 to"));
    assert!(refused("not-after = 2030-01-01T00:00:00Z", "").contains("has no not-after"));
    assert!(refused("2030-01-01T00:00:00Z", "2030-01-01").contains("a moment"));
    assert!(refused("rate = \"60/m\"\n", "").contains("a burst without a rate"));
    let again = format!("{FILE}[[endpoint]]\nurl = 'https://eu.relay.example/v1'");
    assert!(Synced::read(("f", &again), &hosts).is_err());
}

#[test]
fn a_profile_says_all_that_is_needed_or_is_refused() {
    let key = Operator::new().0.pk.to_base64();
    let refused = |text: String| {
        let error = subscribed(&format!("[profile.p]\n{text}")).unwrap_err();
        format!("{} {}", error.message, error.hint.unwrap_or_default())
    };
    let url = "config-url = 'https://eu.example/b.toml'\n";
    let key = format!("config-key = '{key}'\n");
    let hosts = "allowed-hosts = ['relay.example']\n";
    let one = subscribed(&format!("[profile.p]\n{url}{key}{hosts}")).unwrap();
    assert_eq!(one.sites[0].name, "eu.example");
    assert_eq!(one.sites[0].signature_url().as_str(), "https://eu.example/b.toml.minisig");
    assert_eq!((one.poll, one.max_age), (Span::seconds(30), Span::seconds(86_400)));
    assert!(refused(format!("{key}{hosts}")).contains("no effect without a config-url"));
    assert!(refused(format!("{url}{hosts}")).contains("needs config-key"));
    assert!(refused(format!("{url}{key}")).contains("needs allowed-hosts"));
    assert!(
        refused(format!("{url}{hosts}config-key = 'sk-planted'")).contains("not a public key of minisign")
    );
    assert!(refused(format!("{url}{key}allowed-hosts = ['*']")).contains("is no host"));
    assert!(refused(format!("{url}{key}allowed-hosts = []")).contains("a list of texts"));
    assert!(refused(format!("{url}{key}{hosts}config-poll = '0'")).contains("cannot be zero"));
    assert!(refused(format!("config-url = 'https://eu.example/'\n{key}{hosts}")).contains("a folder"));
    assert!(refused(format!("config-url = 3\n{key}{hosts}")).contains("or a table of them"));
}

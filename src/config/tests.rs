//! What a configuration file decides, what it leaves to others, and how it is refused.

use std::io::Write;
use std::path::Path;

use super::document::Document;
use super::*;

const WORK: &str = r#"
default-profile = "work"

[profile.work]
api = "chat"
model = "gpt-x"
url = "https://relay.example/v1"
key-env = "RELAY_KEY"
headers = { x-tenant = "blue" }
attempts = 5
idle-timeout = "10s"

[profile.home]
url = "https://home.example"
headers = { x-api-key = "sk-planted" }

[profile.bare]
model = "m"
"#;

const KEY: (&str, &str) = ("RELAY_KEY", "sk-1");

fn parsed(text: &str) -> Result<File, Error> {
    let document = Document { path: Path::new("/c/config.toml"), text };
    File::parse(document, Some(Path::new("/home/me")))
}

fn resolved(given: &Given, variables: &[(&str, &str)]) -> Result<Settings, Error> {
    resolve_over(given, &Environment::of(variables), parsed(WORK).unwrap())
}

fn profile(name: &str) -> Given {
    Given { profile: Some(name.to_owned()), ..Given::default() }
}

fn sent(settings: &Settings) -> Option<&str> {
    settings.credential.as_ref().map(Credential::source)
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_profile() {
    let plain = resolved(&Given::default(), &[KEY]).unwrap();
    assert_eq!((plain.dialect, plain.model.as_deref()), (Dialect::Chat, Some("gpt-x")));
    assert_eq!(plain.base.as_str(), "https://relay.example/v1");
    assert_eq!((plain.policy.attempts, plain.policy.idle_timeout), (Some(5), Some(Span::seconds(10))));
    assert_eq!(plain.policy.max_wait, None);
    assert_eq!(plain.headers["x-tenant"], "blue");

    let variables = [KEY, ("BATON_MODEL", "env-model"), ("BATON_API", "responses")];
    let environment = resolved(&Given::default(), &variables).unwrap();
    assert_eq!((environment.dialect, environment.model.as_deref()), (Dialect::Responses, Some("env-model")));

    let typed = Given {
        model: Some("flag-model".to_owned()),
        api: Some(Dialect::Raw),
        headers: vec!["x-tenant: red".to_owned()],
        ..Given::default()
    };
    let flags = resolved(&typed, &variables).unwrap();
    assert_eq!((flags.dialect, flags.model.as_deref()), (Dialect::Raw, Some("flag-model")));
    assert_eq!(flags.headers["x-tenant"], "red");
}

#[test]
fn a_profile_is_chosen_by_flag_then_variable_then_file() {
    let base = |given: &Given, variables: &[(&str, &str)]| {
        resolved(given, &[variables, &[KEY]].concat()).unwrap().base.to_string()
    };
    assert_eq!(base(&Given::default(), &[]), "https://relay.example/v1");
    assert_eq!(base(&Given::default(), &[("BATON_PROFILE", "home")]), "https://home.example/");
    assert_eq!(base(&profile("work"), &[("BATON_PROFILE", "home")]), "https://relay.example/v1");
    let error = resolved(&profile("wrok"), &[]).unwrap_err();
    assert!(error.message.contains("--profile: /c/config.toml has no profile 'wrok'"), "{error:?}");
    assert_eq!(error.hint.as_deref(), Some("did you mean work?"));
}

#[test]
fn a_profiles_key_and_headers_go_to_its_own_origin_and_to_no_other() {
    assert_eq!(sent(&resolved(&Given::default(), &[KEY]).unwrap()), Some("RELAY_KEY"));
    let to = |url: &str| Given { urls: vec![url.to_owned()], ..Given::default() };
    let same = resolved(&to("https://relay.example/other"), &[KEY]).unwrap();
    assert_eq!(sent(&same), Some("RELAY_KEY"));
    for url in ["https://elsewhere.example", "http://relay.example", "https://relay.example:8443"] {
        let other = resolved(&to(url), &[KEY]).unwrap();
        assert_eq!(sent(&other), None, "{url}");
        assert!(other.headers.is_empty(), "{url}");
        assert!(other.notices[0].contains("key of profile work belongs to its url"), "{:?}", other.notices);
    }
    let from_variable = resolved(&Given::default(), &[KEY, ("BATON_URL", "https://env.example")]).unwrap();
    assert_eq!(sent(&from_variable), None);
    assert!(from_variable.notices[0].contains("BATON_URL wins over the url of profile work"));
}

#[test]
fn a_credential_among_the_headers_is_bound_as_a_key_is() {
    let own = resolved(&profile("home"), &[]).unwrap();
    assert_eq!(sent(&own), Some("profile home, headers.x-api-key"));
    let elsewhere = Given { urls: vec!["https://elsewhere.example".to_owned()], ..profile("home") };
    let settings = resolved(&elsewhere, &[]).unwrap();
    assert!(settings.credential.is_none() && settings.headers.is_empty());
    let embedded = Given { embedded: Some(Url::parse("http://127.0.0.1:9").unwrap()), ..profile("home") };
    let settings = resolved(&embedded, &[]).unwrap();
    assert!(settings.credential.is_none() && settings.headers.is_empty());
}

#[test]
fn a_key_of_the_environment_is_not_sent_to_an_address_that_only_a_profile_names() {
    let both = [KEY, ("OPENAI_API_KEY", "sk-2"), ("OPENAI_ORG_ID", "org")];
    let settings = resolved(&Given::default(), &both).unwrap();
    assert_eq!(sent(&settings), Some("RELAY_KEY"));
    assert!(!settings.headers.contains_key("openai-organization"));
    let file = parsed("[profile.p]\nurl = \"https://relay.example\"\n").unwrap();
    let settings = resolve_over(&profile("p"), &Environment::of(&[("BATON_KEY", "sk-2")]), file).unwrap();
    assert_eq!(sent(&settings), None);
    assert!(settings.notices[0].contains("key-env = \"BATON_KEY\""), "{:?}", settings.notices);
    // Typed on the command line, the same address is the user's own wish.
    let typed = Given { urls: vec!["https://relay.example/v1".to_owned()], ..Given::default() };
    assert_eq!(sent(&resolved(&typed, &both).unwrap()), Some("OPENAI_API_KEY"));
}

#[test]
fn a_key_that_is_named_and_missing_is_an_error() {
    let error = resolved(&Given::default(), &[]).unwrap_err();
    assert_eq!(error.message, "profile work, key-env RELAY_KEY: the variable is not set");
}

#[test]
fn a_key_file_is_found_from_the_files_folder_or_from_home() {
    let path = |written: &str| {
        let file = parsed(&format!("[profile.p]\nurl = 'http://r'\nkey-file = '{written}'\n")).unwrap();
        let (profile, _) = file.choose(&profile("p"), &Environment::default()).unwrap().unwrap();
        profile.key.as_ref().unwrap().setting()
    };
    assert_eq!(path("relay.key"), "key-file /c/relay.key");
    assert_eq!(path("~/relay.key"), "key-file /home/me/relay.key");
    assert_eq!(path("/etc/relay.key"), "key-file /etc/relay.key");
}

/// The message and the hint of a file that must be refused.
fn refused(text: &str) -> (String, String) {
    let error = parsed(text).unwrap_err();
    (error.message, error.hint.unwrap_or_default())
}

#[test]
fn unknown_keys_are_refused_with_their_line_and_the_nearest_known_one() {
    for (text, place, near) in [
        ("\nprofle = 1\n", ":2: unknown key 'profle'", "profile"),
        ("[profile.p]\n# words\nmodle = 'x'\n", ":3: unknown key 'profile.p.modle'", "model"),
        ("[profile.p]\nkey_file = 'x'\n", ":2: unknown key 'profile.p.key_file'", "key-file"),
        ("[profile.'a b']\ntimeot = '1s'\n", ":2: unknown key 'profile.\"a b\".timeot'", "timeout"),
        ("[[profile.p.endpoint]]\nurll = 'x'\n", ":2: unknown key 'profile.p.endpoint.urll'", "url"),
        ("[price.m]\ninput = 1\noutput = 1\ncache-reed = 1\n", ":4: unknown key", "cache-read"),
    ] {
        let (message, hint) = refused(text);
        assert!(message.starts_with("/c/config.toml:") && message.contains(place), "{text}: {message}");
        assert_eq!(hint, format!("did you mean {near}?"), "{text}");
    }
    assert!(refused("zzzz = 1").1.contains("known here: default-profile, profile, price"));
}

#[test]
fn wrong_types_and_bad_values_are_refused_with_line_and_key() {
    for (line, words) in [
        ("api = 'smtp'", "profile.p.api"),
        ("api = 3", "expected a text in quotes, found a whole number"),
        ("model = ''", "profile.p.model: the text is empty"),
        ("url = 'relay.example'", "not a whole address"),
        ("endpoint = 'x'", "each begun by [[profile.p.endpoint]]"),
        ("endpoint = [{}]", "has no url"),
        ("endpoint = [{url = 'http://a'}, {url = 'http://a'}]", "stands here already"),
        ("endpoint = [{url = 'http://a', weight = 0}]", "weight"),
        ("attempts = 0", "profile.p.attempts: 0 is not a number from 1 to 100"),
        ("attempts = '3'", "expected a whole number, found a text"),
        ("idle-timeout = 5", "expected a time in quotes"),
        ("idle-timeout = 'soon'", "profile.p.idle-timeout: 'soon' is not a time"),
        ("headers = ['x']", "expected a table"),
        ("headers = {'sp ace' = '1'}", "is not a header name"),
        ("headers = {x-a = '1', X-A = '2'}", "stands here twice"),
        ("headers = {host = 'x'}", "set by baton itself"),
        ("key-env = 'sk-planted'", "not the name of a variable"),
        ("key-file = 'x'", "has a key and no url"),
        ("url = 'http://r'\nkey-env = 'K'\nkey-file = 'x'", "a second key"),
        ("url = 'http://r'\nkey-env = 'K'\nheaders = {x-api-key = 'x'}", "a second key"),
        ("url = 'http://u:sk-planted@r'", "user name or password"),
    ] {
        let (message, hint) = refused(&format!("[profile.p]\n{line}\n"));
        assert!(message.starts_with("/c/config.toml:"), "{line}: {message}");
        assert!(message.contains(words), "{line}: {message}");
        assert!(!format!("{message}{hint}").contains("planted"), "{line}: {message}");
    }
    for (text, words) in [
        ("[price.m]\ninput = 3\n", ":1: price.m has no output"),
        ("[price.m]\ninput = -3\noutput = 1\n", ":2: price.m.input: '-3' is not an amount"),
        ("[price.m]\ninput = 'x'\noutput = 1\n", "expected a number"),
        ("[profile.p]\nurl = \"sk-planted\n", ":2:"),
        ("default-profile = 'wrok'\n[profile.work]\nmodel = 'm'\n", ":1: default-profile"),
        ("profile = 'work'\n", ":1: profile: expected tables"),
    ] {
        let (message, _) = refused(text);
        assert!(message.contains(words) && !message.contains("planted"), "{text}: {message}");
    }
    assert!(refused("profile = 'work'\n[profile.work]\nmodel = 'm'\n").1.contains("default-profile"));
}

#[test]
fn the_file_is_named_by_flag_then_variable_then_the_folders_of_the_user() {
    let found = |given: &Given, variables: &[(&str, &str)]| {
        place(given, &Environment::of(variables)).map(|place| place.path.display().to_string())
    };
    let none = Given::default();
    let home = ("HOME", "/home/me");
    assert_eq!(found(&none, &[]), None);
    assert_eq!(found(&none, &[home]).unwrap(), "/home/me/.config/baton/config.toml");
    let relative = [home, ("XDG_CONFIG_HOME", "here")];
    assert_eq!(found(&none, &relative).unwrap(), "/home/me/.config/baton/config.toml");
    let xdg = [home, ("XDG_CONFIG_HOME", "/x")];
    assert_eq!(found(&none, &xdg).unwrap(), "/x/baton/config.toml");
    let named = [xdg[0], xdg[1], ("BATON_CONFIG", "/b.toml")];
    assert_eq!(found(&none, &named).unwrap(), "/b.toml");
    let flag = Given { config: Some("/f.toml".into()), ..Given::default() };
    assert_eq!(found(&flag, &named).unwrap(), "/f.toml");
}

#[test]
fn only_in_its_default_place_may_the_file_be_absent() {
    let home = tempfile::tempdir().unwrap();
    let home = [("HOME", home.path().to_str().unwrap())];
    assert!(File::read(&Given::default(), &Environment::of(&home)).unwrap().path.is_none());
    let error = File::read(&Given::default(), &Environment::of(&[("BATON_CONFIG", "/no/such")])).unwrap_err();
    assert!(error.message.starts_with("BATON_CONFIG /no/such"), "{error:?}");
    let error = resolve(&profile("work"), &Environment::of(&home)).unwrap_err();
    assert!(error.message.contains("no profile 'work'"), "{error:?}");
}

#[cfg(unix)]
#[test]
fn a_file_with_a_secret_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"[profile.p]\nurl = 'http://r'\nheaders = {\n  x-tenant-token = 'sk-planted' }\n")
        .unwrap();
    let given = Given { config: Some(file.path().to_owned()), ..Given::default() };
    let read = |mode| {
        file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
        File::read(&given, &Environment::default())
    };
    for mode in [0o644, 0o640, 0o604] {
        let error = read(mode).unwrap_err();
        assert!(error.message.contains(":4: profile.p.headers.x-tenant-token is a secret"), "{error:?}");
        assert!(error.message.contains(&format!("(mode {mode:o})")), "{error:?}");
        assert_eq!(error.hint.as_deref(), Some(&*format!("chmod 600 {}", file.path().display())));
        assert!(!format!("{error:?}").contains("planted"));
    }
    assert!(read(0o600).is_ok());
}

#[test]
fn a_list_of_all_settings_says_what_decided_each_and_shows_no_secret() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let prices = "[price.gpt-x]\ninput = 2.5\noutput = 10\n";
    // Without a secret the permissions of the file do not matter.
    let text = WORK.replace("x-api-key = \"sk-planted\"", "x-tenant = \"red\"") + prices;
    file.write_all(text.as_bytes()).unwrap();
    let given = Given { config: Some(file.path().to_owned()), ..Given::default() };
    let variables = [("BATON_MODEL", "m"), ("RELAY_KEY", "sk-planted")];
    let inventory = inventory(&given, &Environment::of(&variables)).unwrap();
    let shown = |name: &str| {
        let setting = inventory.settings.iter().find(|setting| setting.name == name).unwrap();
        (setting.value.clone().unwrap_or_default(), setting.source.to_string())
    };
    let pair = |value: &str, source: &str| (value.to_owned(), source.to_owned());
    assert_eq!(shown("profile"), pair("work", "file"));
    assert_eq!(shown("model"), pair("m", "BATON_MODEL"));
    assert_eq!(shown("api"), pair("chat", "profile work"));
    assert_eq!(shown("key"), pair("***", "profile work"));
    assert_eq!(shown("headers.x-tenant"), pair("blue", "profile work"));
    assert_eq!(shown("idle-timeout"), pair("10 s", "profile work"));
    assert_eq!(shown("connect-timeout"), pair("5 s", "default"));
    assert_eq!(shown("price.\"gpt-x\".input"), pair("2.5 USD", "file"));
    assert!(!format!("{inventory:?}").contains("planted"));
    let elsewhere = [variables[0], variables[1], ("BATON_URL", "https://env.example")];
    let inventory = super::inventory(&given, &Environment::of(&elsewhere)).unwrap();
    let key = inventory.settings.iter().find(|setting| setting.name == "key").unwrap();
    assert!(key.value.is_none() && key.detail.contains("belongs to its url"), "{key:?}");
}

#[test]
fn a_secret_of_a_profile_never_prints_itself() {
    assert!(!format!("{:?}", parsed(WORK).unwrap()).contains("planted"));
}

#[test]
fn endpoints_that_come_after_one_with_a_key_of_its_own_share_the_profiles_login() {
    let text = "[profile.p]\nmodel = 'm'\n[profile.p.oauth]\ngrant = 'device-code'\nissuer = 'https://id.example'\n\
                client-id = 'c'\n[[profile.p.endpoint]]\nurl = 'https://a.example'\nkey-env = 'RELAY_KEY'\n\
                [[profile.p.endpoint]]\nurl = 'https://b.example'\n[[profile.p.endpoint]]\nurl = 'https://c.example'\n";
    let environment = Environment::of(&[KEY, ("HOME", "/home/me")]);
    let settings = resolve_over(&profile("p"), &environment, parsed(text).unwrap()).unwrap();
    let keepers: Vec<_> =
        settings.stations.iter().map(|station| station.credential.as_ref().unwrap().keeper()).collect();
    assert!(keepers[0].is_none(), "the first has a key");
    assert!(Arc::ptr_eq(keepers[1].unwrap(), keepers[2].unwrap()), "one login has one keeper");
    assert!(matches!(settings.keepers()[..], [one] if Arc::ptr_eq(one, keepers[1].unwrap())));
}

#[test]
fn a_profile_that_signs_says_so_where_another_relay_gets_no_signature() {
    let text = "[profile.p]\nmodel = 'm'\nurl = 'https://a.example'\nsign = 'simple'\nsign-key-id = 'k'\n";
    let settings = |url: Option<&str>| {
        let given = Given { urls: url.into_iter().map(str::to_owned).collect(), ..profile("p") };
        resolve_over(&given, &Environment::of(&[]), parsed(text).unwrap()).unwrap()
    };
    assert!(settings(None).notices.is_empty() && settings(None).signs[0].scheme.is_some());
    let other = settings(Some("https://b.example"));
    assert_eq!(other.signs[0].scheme, None);
    assert_eq!(
        other.notices,
        ["profile p signs for its own url: requests to https://b.example are not signed"]
    );
}

#[test]
fn endpoints_that_use_one_login_of_another_profile_share_its_keeper() {
    let text = "[profile.p]\nmodel = 'm'\n[[profile.p.endpoint]]\nurl = 'https://a.example'\ncredential-of = 'eu'\n\
                [[profile.p.endpoint]]\nurl = 'https://b.example'\ncredential-of = 'us'\n\
                [[profile.p.endpoint]]\nurl = 'https://c.example'\ncredential-of = 'eu'\n";
    let login = |name: &str| {
        format!(
            "[profile.{name}]\nurl = 'https://{name}.example'\n[profile.{name}.oauth]\ngrant = 'device-code'\n\
             issuer = 'https://id.example'\nclient-id = 'c'\n"
        )
    };
    let file = parsed(&format!("{text}{}{}", login("eu"), login("us"))).unwrap();
    let environment = Environment::of(&[("HOME", "/home/me")]);
    let settings = resolve_over(&profile("p"), &environment, file).unwrap();
    let keepers = settings.keepers();
    let stores: Vec<_> = keepers.iter().map(|keeper| keeper.store().path().file_name().unwrap()).collect();
    assert_eq!(stores, ["eu.json", "us.json"]);
    let last = settings.stations[2].credential.as_ref().unwrap();
    assert!(Arc::ptr_eq(last.keeper().unwrap(), keepers[0]));
    assert!(settings.credential_story.contains("profile eu, oauth"), "{}", settings.credential_story);
}

#[test]
fn what_does_not_go_together_at_an_endpoint_is_refused_with_its_line_and_both_names() {
    for (own, endpoint, line, words) in [
        (
            "",
            "key-env = 'K'\nservice-token = {}",
            5,
            "service-token: a second key for one endpoint, beside key-env",
        ),
        (
            "",
            "key-file = 'k'\ncredential-of = 'q'",
            5,
            "credential-of: a second key for one endpoint, beside key-file",
        ),
        ("", "credential-of = 'r'", 4, "has no profile 'r'"),
        ("", "credential-of = 'q'", 4, "profile q has no key and no login"),
        ("", "service-token = {issuer = 'i'}", 4, "service-token has no key-file"),
        ("", "sign-region = 'eu-west-1'", 4, "sign-region: it has no effect"),
        ("sign = 'kong'", "sign-region = 'eu-west-1'", 4, "sign-region: it has no effect"),
        ("sign = 'kong'", "sign-key-id = 'a'", 4, "sign-key-id: half of a signing key"),
        ("sign = 'sigv4'", "sign-key-file = 'a'", 4, "sign-key-file: half of a signing key"),
        ("sign = 'sigv4'", "key-env = 'K'", 4, "key-env: a key beside sign = \"sigv4\""),
        ("sign = 'sigv4'", "credential-of = 'q'", 4, "credential-of: a key beside sign = \"sigv4\""),
    ] {
        let text = format!(
            "[profile.p]\n{own}\n[[profile.p.endpoint]]\n{endpoint}\nurl = 'http://a'\n[profile.q]\nmodel = 'm'\n"
        );
        let error = parsed(&text).unwrap_err();
        assert!(error.message.starts_with(&format!("/c/config.toml:{line}: ")), "{endpoint}: {error:?}");
        assert!(error.message.contains(words) && error.hint.is_some(), "{endpoint}: {error:?}");
    }
}

#[test]
fn an_endpoint_outside_of_a_profile_is_not_signed_by_it() {
    let text = "[profile.p]\nmodel = 'm'\nurl = 'https://a.example'\nsign = 'simple'\nsign-key-id = 'k'\n";
    let urls = ["https://a.example", "https://b.example"].map(str::to_owned).to_vec();
    let settings =
        resolve_over(&Given { urls, ..profile("p") }, &Environment::of(&[]), parsed(text).unwrap()).unwrap();
    assert!(settings.signs[0].scheme.is_some() && settings.signs[1].scheme.is_none());
    assert!(settings.notices[0].contains("https://b.example are not signed"), "{:?}", settings.notices);
}

//! What is put on a request before it leaves: its token, its compression and its signature, for a body of 2 KB.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use baton::config::{Environment, Given, resolve};
use baton::mock::{Options, Relay};
use baton::net::{
    Compress, CompressRules, Compressor, Connection, Credential, HeaderMap, Journey, RequestHeaders,
};
use baton::net::{Method, Request, Scheme, Scope, Signer, SigningKey, Url};
use baton::units::Secret;
use bytes::Bytes;
use criterion::{Criterion, Throughput};

/// A conversation as chat interfaces send it, cut to this many bytes.
const BODY: usize = 2048;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let folder = tempfile::tempdir().expect("a folder");
    let relay = Relay::start(Options {
        spec: "ttft=0,gap=0,tokens=1,token-life=1h".parse().expect("a description"),
        ..Options::default()
    })
    .expect("a relay");
    let credential = token(folder.path(), &relay);
    let url = Url::parse(&format!("{}/v1/messages", relay.base_url())).expect("an address");
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().expect("a value"));
    let journey = Journey::default();
    let request =
        Request { method: Method::Post, url: url.into(), headers: headers.into(), body: body(), journey };
    parts(&mut criterion, &credential, &request);
    whole(&mut criterion, &credential, &request);
    criterion.final_summary();
}

/// A token of the embedded relay's authorization server, which is good for an hour.
fn token(folder: &Path, relay: &Relay) -> Credential {
    let secret = folder.join("secret");
    fs::write(&secret, "mock-secret").expect("a file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("its owner's");
    }
    let url = relay.base_url();
    let text = format!(
        "[profile.p]\nurl = '{url}'\nmodel = 'm'\n[profile.p.oauth]\ngrant = 'client-credentials'\n\
         issuer = '{url}'\nclient-id = 'baton'\nclient-secret-file = 'secret'\nstore = 'token.json'\n"
    );
    let config = folder.join("config.toml");
    fs::write(&config, text).expect("a file");
    let given = Given { config: Some(config), profile: Some("p".to_owned()), ..Given::default() };
    let settings = resolve(&given, &Environment::of(&[])).expect("settings");
    let credential = settings.credential.expect("the profile has one");
    credential.keeper().expect("it is a token").reach_by(&Connection::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(credential.ready(&settings.base)).expect("a token");
    credential
}

fn body() -> Bytes {
    let turn = |role: &str, text: &str| serde_json::json!({"role": role, "content": text});
    let paragraphs: Vec<&str> = include_str!("../docs/config-sync.md").split("\n\n").collect();
    let turns: Vec<_> = paragraphs
        .iter()
        .enumerate()
        .map(|(at, text)| turn(if at % 2 == 0 { "user" } else { "assistant" }, text))
        .collect();
    let mut text =
        serde_json::json!({"model": "claude-x", "max_tokens": 1024, "messages": turns}).to_string();
    text.truncate(BODY);
    text.into_bytes().into()
}

fn schemes() -> [(&'static str, Signer); 3] {
    let name = |text: &str| text.parse().expect("a name");
    let scope = Scope { region: name("eu-west-1"), service: name("bedrock"), session: None };
    [("simple", Scheme::Simple), ("kong", Scheme::Kong), ("sigv4", Scheme::SigV4(scope))].map(
        |(called, scheme)| {
            let secret = Secret::new("0123456789abcdef0123456789abcdef");
            let key = SigningKey { id: "reader".parse().expect("a name"), secret };
            (called, Signer::new(scheme, vec![key]))
        },
    )
}

fn compressors() -> [(&'static str, Compressor); 2] {
    [("gzip", "gzip"), ("zstd", "zstd")].map(|(called, name)| {
        let way: Compress = name.parse().expect("a way");
        (called, Compressor::new(CompressRules::of(way).expect("it compresses")))
    })
}

/// Each of the three by itself.
fn parts(criterion: &mut Criterion, credential: &Credential, request: &Request) {
    let mut group = criterion.benchmark_group("dress");
    group.throughput(Throughput::Elements(1));
    group.bench_function("token", |bencher| {
        let mut headers = RequestHeaders::default();
        bencher.iter(|| credential.apply(black_box(&request.url), &mut headers));
    });
    for (name, compressor) in compressors() {
        group.bench_function(name, |bencher| bencher.iter(|| compressor.pack(black_box(&request.body))));
    }
    for (name, signer) in schemes() {
        group.bench_function(name, |bencher| {
            let mut signed = request.clone();
            bencher.iter(|| signer.sign(black_box(&mut signed)));
        });
    }
}

/// All three, as an attempt has them.
fn whole(criterion: &mut Criterion, credential: &Credential, request: &Request) {
    let mut group = criterion.benchmark_group("dress/all");
    group.throughput(Throughput::Elements(1));
    for (coding, compressor) in compressors() {
        for (scheme, signer) in schemes() {
            group.bench_function(format!("{coding}, {scheme}"), |bencher| {
                let mut dressed = request.clone();
                bencher.iter(|| {
                    credential.apply(&request.url, &mut dressed.headers);
                    dressed.body = compressor.pack(&request.body).expect("it becomes smaller");
                    signer.sign(black_box(&mut dressed));
                });
            });
        }
    }
}

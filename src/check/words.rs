//! The catalogue of checks: what each asks, why it matters, how it is decided, and how a relay is mended.

use super::catalogue::{Check, Kind, Needs, Severity, check};

use Kind::{
    Answers, BodySize, Bomb, Buffered, Comments, Compressed, Date, Dialects, Disconnect, EmptyAnswer,
    ErrorEvent, ErrorShape, Forwarded, Grammar, HttpVersions, HugeEvent, KeepAlive, LargeBodies, Leakage,
    LongSilence, Memory, ModelName, NoTerminal, Overload, OwnHeaders, RateLimit, Reachable, RequestId, Reset,
    Retries, RetryAfter, Slots, SlowFirstByte, SplitText, Tls, UnknownModel, Usage, WrongKey,
};
use Needs::{Intrusive, Relay, Upstream};
use Severity::{High, Low, Medium};

/// Every check, in the order in which they are played: what others depend on comes first.
#[rustfmt::skip]
pub static CHECKS: [Check; 38] = [
    check("C21", Reachable, (High, Relay), [
        "The relay can be reached",
        "Nothing else can be said of a relay that does not answer.",
        "One prompt is sent. Any answer of HTTP passes; a refused connection, a name that cannot be found, a certificate that is not trusted or silence of 60 s fail, and every other check is then skipped.",
        "Check the address, the firewall, and that the relay listens on the interface that clients use.",
    ]),
    check("C22", Tls, (High, Relay), [
        "Keys and prompts travel encrypted",
        "Everybody on the way reads what goes over http://.",
        "The address itself is fetched without a key. An https:// one passes where that gets through, since the certificate's chain, name and dates are verified then, and nothing older than TLS 1.2 is spoken; which version is, and the days that the certificate has left, are told. Fewer than 15 days warn, or fewer than a sixth of its lifetime where that is less; so does `--insecure`. http:// to another machine fails; to this one it is skipped.",
        "Look at the renewal of the certificate (`certbot renew --dry-run`). nginx: `listen 443 ssl;` with `ssl_certificate`. LiteLLM: put a TLS proxy before it, or start it with `--ssl_keyfile_path` and `--ssl_certfile_path`.",
    ]),
    check("C23", HttpVersions, (Medium, Relay), [
        "HTTP/1.1 is spoken",
        "Many SDKs speak nothing else.",
        "A prompt goes over HTTP/1.1; 426 and 505 fail. Whether HTTP/2 is spoken is told beside it.",
        "nginx: keep HTTP/1.1 on the listener. Envoy: `codec_type: AUTO`.",
    ]),
    check("C24", Answers, (High, Relay), [
        "A prompt is answered in the dialect asked for",
        "A relay that does not offer the dialect, or knows neither the key nor the model, cannot be examined further.",
        "One prompt with at most 32 tokens; a 2xx with text passes. Where it fails, checks that need an answer are skipped.",
        "Ask in another dialect (`--api`), or name a model that the relay serves (`baton models` lists them).",
    ]),
    check("C38", Dialects, (Low, Relay), [
        "Dialects that are not offered are refused cleanly",
        "Clients try another dialect after a 404, and take a 500 for an outage.",
        "A prompt in each other dialect of messages, chat and responses; which of them are offered is told. A 5xx or a broken connection warns.",
        "Answer 404 to paths that are not served.",
    ]),
    check("C25", WrongKey, (High, Relay), [
        "A wrong key is refused with 401 in the dialect's own shape",
        "SDKs raise their authentication error on 401 alone. LiteLLM without a database answers 400 to a wrong key.",
        "One prompt with a wrong key, one with none; with `--sign` one that a wrong key has signed, one unsigned. 401 or 403 passes in the dialect's shape and warns in another; everything else fails. Skipped where no key was given.",
        "LiteLLM: connect a database, so that virtual keys can be told apart. A proxy of your own: answer 401 with `{\"type\":\"error\",…}` (Anthropic) or `{\"error\":{…}}` (OpenAI).",
    ]),
    check("C26", ErrorShape, (Medium, Relay), [
        "An invalid body is refused with 400 in the dialect's own shape",
        "SDKs read the error's type to decide whether to try again. claude-code-router shows its stack trace, Portkey answers 500 to broken JSON.",
        "Half of a JSON body is sent. 400 or 422 with the dialect's error object passes; another status, another shape or a stack trace fails.",
        "Map the relay's own exceptions to the dialect's error object, and never send a trace to clients.",
    ]),
    check("C27", UnknownModel, (High, Relay), [
        "An unknown model is refused",
        "A relay that answers with another model bills and behaves differently without a word (litellm#31722, cc-switch#2877).",
        "A prompt to a model that does not exist. 4xx in the dialect's shape passes, in another shape warns; 2xx and 5xx fail.",
        "Remove catch-all routes and fallback models, or list the models that may fall back.",
    ]),
    check("C01", Buffered, (High, Relay), [
        "A stream arrives piece by piece",
        "A proxy that holds a stream back until it is whole makes users wait for the last word to see the first (litellm#26102, bifrost#2048).",
        "A stream of at least five pieces. With --upstream: fails where the first piece came after the upstream had sent its last. Without: where all pieces came within 250 ms, after more than 800 ms and four times as long. It must look so three times in a row.",
        "nginx: `proxy_buffering off;` or the response header `X-Accel-Buffering: no`, with `proxy_http_version 1.1;`. Apache: `flushpackets=on`. Never compress `text/event-stream`.",
    ]),
    check("C02", Usage, (High, Relay), [
        "Usage is stated, and the same whether the answer streams or not",
        "Budgets and bills are made of it. claude-code-router states 0 for every stream, LiteLLM counted one prompt as 33 019 and as 19 357 (litellm#12970).",
        "The same prompt whole and streamed. Both must state input and output, and the same input: exactly with --upstream, within 2 % without.",
        "OpenAI's dialect: send `stream_options: {\"include_usage\": true}` upstream and pass the last chunk on.",
    ]),
    check("C11", ModelName, (Medium, Relay), [
        "The answer names the model that was asked for",
        "Clients log, price and cache by it.",
        "The answer's model, whole and streamed, must be the one asked for, or a name that begins with it (a dated version). Another fails, none warns.",
        "Pass `model` through, or write the alias back into the answer.",
    ]),
    check("C16", Grammar, (High, Relay), [
        "A stream's events are those of the dialect",
        "Strict SDKs fail on what does not belong: `[DONE]` in an Anthropic stream, events without a name, JSON that is none (litellm#27442, Portkey#1526).",
        "messages: each event's name is its type, message_start comes first and message_stop once and last. chat: every event is JSON, finish_reason stands once, `[DONE]` once and last.",
        "Pass events through as bytes instead of writing them anew.",
    ]),
    check("C12", Compressed, (Medium, Relay), [
        "A compressed body is taken, or cleanly refused",
        "Agents compress long prompts. LiteLLM answers 400 (\"Missing required parameter\"), Portkey 500: errors that send people looking in the wrong place (agentgateway#2402, mlflow#24573).",
        "A prompt in gzip and one in Zstandard. 2xx and 415 pass; every other status fails.",
        "nginx does not unpack requests: use a Lua or njs filter, or answer 415. Envoy: the decompressor filter on requests. Bound the unpacked size.",
    ]),
    check("C15", BodySize, (High, Relay), [
        "Bodies of a usual size are taken",
        "A prompt with a document is larger than many defaults: 32 KiB in Envoy AI Gateway (ai-gateway#828), 1 MiB in nginx.",
        "Bodies of 33 KiB and 1 MiB, padded with white space that costs no tokens, must have an answer.",
        "nginx: `client_max_body_size 64m;`. Envoy: a ClientTrafficPolicy with a larger `connection.bufferLimit`.",
    ]),
    check("C37", LargeBodies, (Medium, Intrusive), [
        "Bodies of up to 31 MiB are taken",
        "Anthropic takes 32 MB; a relay that takes less refuses pictures and PDFs.",
        "Bodies of 5, 12 and 31 MiB, padded with white space.",
        "As for C15.",
    ]),
    check("C39", Bomb, (High, Intrusive), [
        "A small body that unpacks to a large one is refused",
        "A relay that unpacks without a bound is brought down by one request.",
        "A prompt of 128 MiB of white space, 128 KiB in gzip. 413, 415, 400 and 422 pass; 2xx, 5xx and a broken connection fail.",
        "Bound the unpacked size as the plain one, and count while unpacking. Envoy: `max_inflate_ratio`.",
    ]),
    check("C18", Forwarded, (High, Relay), [
        "A forged X-Forwarded-For changes nothing",
        "Whoever believes its first entry lets anybody through an address list (tyk#624, litellm#31257).",
        "The same prompt with and without claims to come from 127.0.0.1, 10.0.0.1 and 203.0.113.7 must have the same status.",
        "Count trusted proxies from the right. nginx: `set_real_ip_from` with your proxies only, `real_ip_recursive on;`. Gin: `SetTrustedProxies`.",
    ]),
    check("C19", RequestId, (Low, Relay), [
        "The request id comes back and reaches the upstream",
        "Without it a failure cannot be found in the logs of all who had a part in it.",
        "X-Request-ID must come back in a header; with --upstream it must also arrive there. Warns otherwise.",
        "nginx: `proxy_set_header X-Request-ID $http_x_request_id;` and `add_header X-Request-ID $http_x_request_id;`. Envoy: `preserve_external_request_id: true`.",
    ]),
    check("C20", KeepAlive, (Medium, Relay), [
        "Connections are reused and may lie idle for 4 s",
        "A handshake for each request costs more than the relay itself; a server that closes idle connections early makes requests fail on reuse (Node's default is 5 s).",
        "Two requests in a row must share a connection, in one of three tries; after 4 s of idleness the next must not fail.",
        "nginx: `keepalive_timeout 75s;`. Node: `server.keepAliveTimeout = 75000`.",
    ]),
    check("C28", Leakage, (Medium, Relay), [
        "Replies tell nothing of keys and little of the relay",
        "A key in a header ends up in logs; `Access-Control-Allow-Origin: *` lets every web page that a user visits ask the relay.",
        "A header that holds the client's key, or the one that the upstream got, fails. An open CORS header, X-Powered-By and a Server with a version warn.",
        "nginx: `server_tokens off;`, `proxy_hide_header X-Powered-By;`. LiteLLM: set `allow_origins`.",
    ]),
    check("C29", Date, (Low, Relay), [
        "The relay's clock is right",
        "Signed requests and short-lived tokens are refused by a clock that is off.",
        "The Date of a reply must be within 30 s of this machine's clock. Warns otherwise.",
        "Run an NTP client on the relay's machine; check your own clock first.",
    ]),
    check("C35", OwnHeaders, (Low, Upstream), [
        "The client's own headers reach the upstream",
        "Beta features and tracing are switched by headers; LiteLLM, Portkey and claude-code-router drop them.",
        "traceparent, anthropic-beta and a header of our own must arrive. Warns otherwise.",
        "LiteLLM: `forward_client_headers_to_llm_api: true`. nginx forwards them unless told not to.",
    ]),
    check("C03", RetryAfter, (High, Upstream), [
        "A 429 keeps its Retry-After and its rate-limit headers",
        "Without them clients try again at once, or never (litellm#21553, #27823, #37754).",
        "The upstream answers 429 with both. Status 429 and Retry-After must come through, or it fails; without the rate-limit headers or with another error shape it warns.",
        "Pass `retry-after`, `anthropic-ratelimit-*` and `x-ratelimit-*` through. LiteLLM: `return_response_headers: true` brings some back.",
    ]),
    check("C30", Overload, (Medium, Upstream), [
        "A 529 stays one",
        "Clients back off from overload, and report a 500 as a defect. LiteLLM makes 500 of it.",
        "The upstream answers 529. 529 passes, 503 warns, everything else fails.",
        "Pass the upstream's status through.",
    ]),
    check("C13", Retries, (High, Upstream), [
        "One request is one request to the upstream",
        "Retries multiply: three of the relay's within three of the client's are nine (litellm#20722, nanobot#2760). They also make limits last longer.",
        "The upstream answers 500, then 429; it must be asked exactly once for each.",
        "LiteLLM: `num_retries: 0` in `router_settings` and `litellm_settings`. nginx: `proxy_next_upstream off;` for POST.",
    ]),
    check("C09", EmptyAnswer, (High, Upstream), [
        "An empty 200 is not passed off as an answer",
        "Nothing was generated, and it is billed as a success (new-api#2989, sub2api#5009).",
        "The upstream answers 200 without a byte. An error status, an error event or a broken connection passes.",
        "Answer 502 where the upstream's body ends before its first event.",
    ]),
    check("C10", ErrorEvent, (High, Upstream), [
        "An error inside of a stream reaches the client",
        "A client that sees a successful end stores half an answer as a whole one; claude-code-router adds `end_turn`.",
        "The upstream sends an error event after half of its answer. The client must see an error, and no successful end beside it.",
        "Pass error events through, and write nothing after them.",
    ]),
    check("C31", Reset, (High, Upstream), [
        "A stream that breaks off does not look whole",
        "Portkey ends such a stream cleanly under status 200.",
        "The upstream drops its connection after half of the answer. A broken connection or an error event passes; a clean end fails.",
        "Break the client's connection too, or send an error event.",
    ]),
    check("C32", NoTerminal, (High, Upstream), [
        "A missing terminal event is not added",
        "It is the only sign of a whole answer; LiteLLM adds `[DONE]` to whatever it got.",
        "The upstream ends cleanly without its terminal event. It fails where the client gets one.",
        "Send the terminal event only when the upstream's has arrived.",
    ]),
    check("C33", HugeEvent, (Medium, Upstream), [
        "An event of 20 MiB comes through",
        "Tool calls and pictures make long lines; one-api's scanner ends the stream silently at 64 KiB.",
        "The upstream sends one event of 20 MiB. It must arrive whole; with an error it warns, silently it fails.",
        "Go: a larger `Scanner.Buffer`, or `bufio.Reader`. new-api: `STREAM_SCANNER_MAX_BUFFER_MB`.",
    ]),
    check("C36", SplitText, (High, Upstream), [
        "Characters that lie in two reads stay whole",
        "A relay that decodes each read by itself breaks every language but English.",
        "The upstream's writes end inside of characters. None may be lost.",
        "Decode incrementally (`TextDecoder` with `stream: true`, `codecs.getincrementaldecoder`), or pass bytes.",
    ]),
    check("C34", Comments, (Low, Upstream), [
        "Comments reach the client",
        "They keep silent streams alive through proxies that cut idle connections.",
        "The upstream sends a comment after each event. The stream must arrive whole; it warns where no comment or ping does.",
        "Pass comments through, or send pings of your own.",
    ]),
    check("C05", Disconnect, (High, Upstream), [
        "The upstream is left within 2 s of the client's leaving",
        "Otherwise tokens are generated, and paid for, that nobody reads (litellm#9178, bifrost#6972). Portkey and claude-code-router leave it running.",
        "The client closes a stream after its first piece. The upstream's connection must close within 2 s.",
        "Cancel the upstream's request when the client's connection closes. nginx does, unless `proxy_ignore_client_abort on;`.",
    ]),
    check("C06", Slots, (High, Upstream), [
        "The places of clients who left are free again",
        "A relay that counts them for ever refuses everybody in the end (claude-relay-service#744, litellm#27955).",
        "16 clients leave their streams; then 8 requests at once must fare no worse than before.",
        "Release the counter in a `finally` that also runs on cancellation.",
    ]),
    check("C07", LongSilence, (High, Upstream), [
        "A whole answer that takes 65 s arrives",
        "Long answers that do not stream are silent until they are made; 60 s is a common default (new-api#2974).",
        "The upstream answers after 65 s. The answer must arrive.",
        "nginx: `proxy_read_timeout 600s;`. AWS ALB: idle timeout 600 s. LiteLLM: `request_timeout: 600`.",
    ]),
    check("C08", SlowFirstByte, (High, Upstream), [
        "A stream whose first byte takes 65 s arrives",
        "A long prompt is read for that long before the first token.",
        "The upstream is silent for 65 s, then streams. The answer must arrive; a sign of life in between is told.",
        "As for C07.",
    ]),
    check("C14", RateLimit, (High, Intrusive), [
        "The rate limit is the one that is configured",
        "Limits are multiplied by instances and workers, or end a window early (litellm#13202, #18518, claude-relay-service#257).",
        "With --limit RATE: what is saved up is used and the end of the window waited for, then one and a half times as much is asked for over two windows. Undecided where more than 2.5 % fail otherwise. Between 95 and 105 % of the limit must be let through, or it fails; a 429 that takes more than 50 ms, or a Retry-After that is too short, warns.",
        "Count in one place (Redis) for all instances, and divide the limit where that cannot be.",
    ]),
    check("C04", Memory, (High, Intrusive), [
        "Memory does not grow with the number of requests",
        "Relays that leak are killed in the night, with every stream they carry (litellm#12685, #27954, #38193).",
        "With --soak TIME and --pid or --metrics-url: four users ask for so long. The slope of the resident memory over the requests after the first third: more than 1 MB for 1,000 requests fails in 10 minutes or more, and warns in less. Requests that fail do not count; --max-requests does not bound it, --max-cost does. Skipped under 1,000 requests. A TP99 of the last third above twice that of the first warns.",
        "Take a heap profile; restart workers after so many requests (`max_requests` of gunicorn) until it is found.",
    ]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_every_check_is_explained() {
        let mut ids: Vec<_> = CHECKS.iter().map(|check| check.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), CHECKS.len());
        for check in &CHECKS {
            let words = [check.title, check.why, check.how, check.fix];
            assert!(words.iter().all(|text| text.len() > 10), "{} says too little", check.id);
            assert!(!check.title.ends_with('.'), "{}", check.id);
        }
    }

    #[test]
    fn what_others_depend_on_comes_first() {
        let place = |kind| CHECKS.iter().position(|check| check.kind == kind).unwrap();
        assert_eq!(place(Kind::Reachable), 0);
        assert!(place(Kind::Answers) < place(Kind::Buffered));
    }
}

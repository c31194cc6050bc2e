"""baton through nginx, as it stands in front of many relays, with the embedded relay behind it."""

import json
import subprocess
import time
from xml.etree import ElementTree

import pytest

from conftest import BATON, Server, clean_environment
from nginx import Nginx, free_port, listens, stats

KEEP_ALIVE = {
    "upstream_more": "keepalive 32;",
    "location_more": 'proxy_http_version 1.1; proxy_set_header Connection "";',
}


@pytest.fixture
def relay():
    """An embedded relay whose times are long enough to be told apart: 50 ms and nine gaps of 50 ms."""
    spec = "ttft=50ms,gap=50ms,tokens=10,slots=inf,seed=1"
    server = Server([str(BATON), "mock", spec], r"http://127\.0\.0\.1:\d+", 20)
    yield server
    server.stop()


@pytest.fixture
def nginx(relay, tmp_path):
    """Makes an nginx in front of the relay."""
    made = []

    def make(**more):
        folder = tmp_path / f"nginx{len(made)}"
        folder.mkdir()
        made.append(Nginx(folder, relay.base_url, **more))
        return made[-1]

    yield make
    for server in made:
        server.stop()


def bench(baton, url, *more):
    said = baton("bench", "-u", url, "-m", "m", "-c", 2, "-n", 10, "--warmup", 0, "--format", "json", *more)
    assert said.code == 0, said
    (level,) = said.json()["levels"]
    assert level["errors"] == 0, said
    return level


def test_buffering_shows_in_the_time_to_the_first_token(baton, nginx):
    straight = bench(baton, nginx(location_more="proxy_buffering off;").url())
    # The first token comes after 50 ms of 500: 300 ms leave room for a machine that is busy.
    assert 50 <= straight["ttft_ms"]["p50"] < 300, straight
    assert straight["latency_ms"]["min"] >= 500, straight
    # Towards the relay nginx speaks HTTP/1.0 unless told otherwise, and holds back what is smaller than its buffers.
    held = bench(baton, nginx(location_more="proxy_buffering on;").url())
    assert held["ttft_ms"]["p50"] > 450, held
    assert held["ttft_ms"]["p50"] > straight["ttft_ms"]["p50"] + 150, (straight, held)


def test_a_threshold_fails_the_job_behind_a_front_that_buffers_and_passes_it_behind_one_that_does_not(
    baton, nginx, tmp_path
):
    def job(buffering):
        front, report = nginx(location_more=f"proxy_buffering {buffering};"), tmp_path / f"{buffering}.xml"
        arguments = ["-c", 20, "-n", 400, "--warmup", "500ms", "--format", "junit", "-o", report]
        thresholds = ["--fail-if", "ttft.p99 > 400ms", "--fail-if", "error_rate > 0"]
        # A machine too busy to measure says so, and is asked again.
        for _ in range(5):
            said = baton("bench", "-u", front.url(), "-m", "m", *arguments, *thresholds)
            if said.code != 98:
                break
        cases = ElementTree.parse(report).getroot().iter("testcase")
        return said, [case.get("name") for case in cases if case.find("failure") is not None]

    said, failed = job("off")
    assert (said.code, failed) == (0, []), said
    said, failed = job("on")
    # Only what was asked of the first token fails: every answer arrives whole.
    assert said.code == 99, said
    assert failed == ["ttft.p99 > 400ms, c=20"], failed


def test_connections_to_the_relay_are_kept_or_made_anew(baton, relay, nginx):
    before = stats(relay)["connections"]
    bench(baton, nginx().url())
    # Each request has its own; the reading of the counters has one too.
    made = stats(relay)["connections"] - before
    assert made >= 10 + 1, made
    before = stats(relay)["connections"]
    bench(baton, nginx(**KEEP_ALIVE).url())
    kept = stats(relay)["connections"] - before
    assert kept <= 2 + 1 + 1, kept


def test_a_relay_that_is_silent_is_a_failure_of_its_front(baton, nginx):
    front = nginx(location_more="proxy_read_timeout 2s; proxy_buffering off;")
    silent = baton("send", "-u", front.url(), "-m", "mock-silent", "--attempts", 1, "Hi")
    assert silent.code == 5 and "504" in silent.err, silent
    stalled = baton("send", "-u", front.url(), "-m", "mock-stall", "--attempts", 1, "Hi")
    assert stalled.code == 9 and stalled.out.strip(), stalled


def test_a_read_timeout_of_the_front_leaves_the_part_of_a_stream_and_its_story(baton, nginx, tmp_path):
    front = nginx(location_more="proxy_read_timeout 2s; proxy_buffering off;")
    file = tmp_path / "answer.txt"
    stalled = baton("stream", "-u", front.url(), "-m", "mock-stall", "--sync", "always", "-o", file, "Hi")
    assert stalled.code == 9, stalled
    partial, side = (tmp_path / f"answer.txt{ending}" for ending in (".partial", ".partial.json"))
    assert not file.exists() and len(partial.read_text().split()) == 5, stalled
    story = json.loads(side.read_text())
    assert (story["outcome"], story["deltas"], len(story["attempts"])) == ("truncated", 5, 1), story
    # What is in the way is refused; the next answer is whole.
    assert baton("stream", "-u", front.url(), "-m", "m", "-o", file, "Hi").code == 2
    whole = baton("stream", "-u", front.url(), "-m", "m", "--overwrite", "-o", file, "Hi")
    assert whole.code == 0 and len(file.read_text().split()) == 10, whole
    assert not partial.exists() and not side.exists()
    silent = baton("stream", "-u", front.url(), "-m", "mock-silent", "--attempts", 1, "-o", tmp_path / "none.txt", "Hi")
    assert silent.code == 5 and not list(tmp_path.glob("none*")), silent


def test_a_restart_in_the_middle_is_counted_and_survived(relay, nginx):
    front = nginx(location_more="proxy_buffering off;")
    command = [str(BATON), "bench", "-u", front.url(), "-m", "m", "-c", "4", "-d", "6s", "--warmup", "0"]
    process = subprocess.Popen(
        [*command, "--format", "json"], env=clean_environment(), stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    try:
        wait_for_requests(relay, 9)
        front.stop()
        assert front.start()
        answered = stats(relay)["requests"]
        wait_for_requests(relay, answered + 8)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    # Some of the requests failed, which is what exit code 1 says.
    assert process.returncode == 1, (out, err)
    (level,) = json.loads(out)["levels"]
    classes = level["classes"]
    assert classes["ok"] >= 8, classes
    # Streams that were cut, and connections that were refused while nobody listened.
    assert classes.get("truncated", 0) + classes.get("connect", 0) == level["errors"] > 0, classes


def wait_for_requests(relay, count):
    deadline = time.monotonic() + 30
    while stats(relay)["requests"] < count:
        assert time.monotonic() < deadline, stats(relay)
        time.sleep(0.02)


@pytest.fixture
def encrypted(nginx, tmp_path):
    """nginx with TLS, HTTP/2 and a certificate of its own making."""
    certificate, key = tmp_path / "front.pem", tmp_path / "front.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=relay.invalid"]
    # Without the constraint it would be an authority's, which is not taken for a server's.
    for extension in ("subjectAltName=DNS:relay.invalid", "basicConstraints=critical,CA:FALSE"):
        command += ["-addext", extension]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    front = nginx(
        listen_more=" ssl http2",
        server_more=f"ssl_certificate {certificate}; ssl_certificate_key {key};",
        location_more="proxy_buffering off;",
    )
    front.certificate = certificate
    return front


VERSIONS = [([], "HTTP/2.0"), (["--http2"], "HTTP/2.0"), (["--http1"], "HTTP/1.1")]


@pytest.mark.parametrize(("flags", "version"), VERSIONS)
def test_tls_is_spoken_in_the_version_asked_for(baton, encrypted, flags, version):
    url = f"https://relay.invalid:{encrypted.port}"
    detour = ["--resolve", f"relay.invalid:{encrypted.port}:127.0.0.1"]
    said = baton("send", "-u", url, "-m", "m", "--cacert", encrypted.certificate, *detour, *flags, "Hi")
    assert said.code == 0 and len(said.out.split()) == 10, said
    # A server that has ended has written its log.
    encrypted.stop()
    assert version in (encrypted.folder / "access.log").read_text()


def test_a_certificate_that_is_not_trusted_is_refused(baton, encrypted):
    url = f"https://relay.invalid:{encrypted.port}"
    said = baton("send", "-u", url, "-m", "m", "--resolve", f"relay.invalid:{encrypted.port}:127.0.0.1", "Hi")
    assert said.code == 11 and "--cacert" in said.err, said


@pytest.fixture
def tinyproxy(tmp_path):
    """tinyproxy on a free port, stopped by its handle."""
    for _ in range(5):
        port, log = free_port(), tmp_path / "tinyproxy.log"
        config = tmp_path / "tinyproxy.conf"
        config.write_text(
            f"Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nLogFile \"{log}\"\nLogLevel Connect\n"
            f"PidFile \"{tmp_path}/tinyproxy.pid\"\nMaxClients 20\n"
        )
        command = ["tinyproxy", "-d", "-c", str(config)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if listens(process, port):
            break
    else:
        raise RuntimeError("tinyproxy did not start")
    process.url, process.log = f"http://127.0.0.1:{port}", log
    yield process
    process.terminate()
    process.wait(20)


def test_a_proxy_carries_plain_and_encrypted_requests(baton, relay, encrypted, tinyproxy):
    said = baton("send", "-u", relay.base_url, "-m", "m", "-x", tinyproxy.url, "Hi")
    assert said.code == 0 and len(said.out.split()) == 10, said
    # The proxy looks names up itself, and only a loopback name is known to it.
    url = f"https://localhost:{encrypted.port}"
    said = baton("send", "-u", url, "-m", "m", "-x", tinyproxy.url, "--insecure", "Hi")
    assert said.code == 0 and len(said.out.split()) == 10, said
    log = tinyproxy.log.read_text()
    assert "POST" in log and f"CONNECT localhost:{encrypted.port}" in log, log


def test_a_forged_address_does_not_pass_through_it(baton, tmp_path):
    """nginx appends the address that asked it, as most set-ups have it; the relay behind counts from the right."""
    for allowed, code in [("203.0.113.0/24", 3), ("127.0.0.0/8", 0)]:
        command = [str(BATON), "mock", "ttft=0,gap=0,tokens=3", "--allow-ip", allowed, "--trusted-proxies", "1"]
        relay = Server(command, r"http://127\.0\.0\.1:\d+", 20)
        folder = tmp_path / str(code)
        folder.mkdir()
        appends = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
        front = Nginx(folder, relay.base_url, location_more=appends)
        try:
            for claim in [[], ["--forwarded-for", "203.0.113.7"], ["-H", "X-Forwarded-For: 203.0.113.7, 203.0.113.8"]]:
                said = baton("send", "-u", front.url(), "-m", "m", *claim, "Hello")
                assert said.code == code, (allowed, claim, said)
        finally:
            front.stop()
            relay.stop()

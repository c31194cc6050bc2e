"""What takes a machine of one's own to try: bad wires in a network namespace, and a prompt of 200 MB."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import BATON, Said, Server, clean_environment

SPEC = "ttft=0,gap=20ms,tokens=40,slots=inf,seed=1"


class Wire:
    """A namespace with a bad wire in it, and a relay behind that."""

    def __init__(self, name, delay, loss):
        self.inside = ["ip", "netns", "exec", name]
        script = str(Path(__file__).with_name("wire.py"))
        self.process = subprocess.Popen(
            [*self.inside, sys.executable, script, str(delay), str(loss)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        assert self.process.stdout.readline() == "up\n"
        mock = [*self.inside, str(BATON), "mock", "--listen", "10.99.0.1:0", SPEC]
        self.relay = Server(mock, r"http://10\.99\.0\.1:\d+", 20)
        self.url = self.relay.base_url.replace("10.99.0.1", "10.99.0.2")

    def order(self, word):
        print(word, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == f"{word}\n"

    def start(self, *arguments):
        command = [*self.inside, str(BATON), *map(str, arguments)]
        return subprocess.Popen(
            command, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )

    def stop(self):
        """Ends it and gives the number of packets that were lost."""
        self.relay.stop()
        lost, _ = self.process.communicate(timeout=20)
        return int(lost)


@pytest.fixture
def wire():
    """Makes a wire of a delay each way and a share of lost packets."""
    name = f"baton-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0 or not os.access("/dev/net/tun", os.W_OK):
        pytest.skip(f"no network namespace with a tunnel can be made: {made.stderr.strip()}")
    wires = []

    def make(delay=0.0, loss=0.0):
        wires.append(Wire(name, delay, loss))
        return wires[-1]

    yield make
    for one in wires:
        if one.process.poll() is None:
            one.stop()
    subprocess.run(["ip", "netns", "del", name], check=True)


def end(process):
    out, err = process.communicate(timeout=60)
    return Said(subprocess.CompletedProcess(process.args, process.returncode, out, err))


def test_a_slow_wire_that_loses_packets_shows_in_the_times_and_loses_no_request(wire):
    bad = wire(delay=0.05, loss=0.05)
    said = end(bad.start("bench", "-u", bad.url, "-m", "m", "-c", 4, "-n", 40, "--warmup", 0, "--format", "json"))
    assert said.code == 0, said
    (level,) = said.json()["levels"]
    assert level["errors"] == 0 and level["classes"] == {"ok": 40}, level
    # There and back, whatever was lost on the way.
    assert level["ttft_ms"]["min"] >= 100, level["ttft_ms"]
    assert bad.stop() > 0, "nothing was lost"


def first_text(process):
    """Reads events up to the first text."""
    while line := process.stdout.readline():
        if '"text"' in line:
            return line
    raise AssertionError(process.stderr.read())


def test_a_wire_that_is_cut_for_100_ms_in_the_middle_of_an_answer_is_survived(wire):
    cut = wire()
    process = cut.start("send", "-u", cut.url, "-m", "m", "--format", "events", "Hi")
    first = first_text(process)
    cut.order("drop")
    time.sleep(0.1)
    cut.order("pass")
    said = end(process)
    assert said.code == 0, said
    events = [json.loads(line) for line in [first, *said.out.splitlines()]]
    times = [event["t_ms"] for event in events if event["event"] == "text"]
    assert len(times) == 40, said
    gaps = [after - before for before, after in zip(times, times[1:])]
    assert max(gaps) >= 80, gaps
    assert cut.stop() > 0


def test_an_address_that_swallows_everything_is_a_timeout_that_is_named(wire):
    hole = wire()
    hole.order("drop")
    began = time.monotonic()
    said = end(hole.start("send", "-u", hole.url, "-m", "m", "--attempts", 1, "--connect-timeout", "500ms", "Hi"))
    assert time.monotonic() - began < 10
    assert said.code == 8 and "--connect-timeout" in said.err and "billed" not in said.err, said


def test_an_answer_that_is_swallowed_from_its_middle_on_ends_by_the_idle_timeout(wire):
    hole = wire()
    process = hole.start("send", "-u", hole.url, "-m", "m", "--format", "events", "--idle-timeout", "500ms", "Hi")
    first_text(process)
    hole.order("drop")
    said = end(process)
    assert said.code == 8 and "--idle-timeout" in said.err, said


def test_a_prompt_of_200_mb_arrives_and_takes_a_small_multiple_of_its_size(mock, tmp_path):
    prompt = tmp_path / "prompt.txt"
    line = 'The quick brown fox "jumps" over the lazy dog, naïvely.\n'
    size = 200_000_000
    with prompt.open("w") as file:
        for _ in range(size // (len(line.encode()) * 1000) + 1):
            file.write(line * 1000)
    for api in ("messages", "chat"):
        command = [str(BATON), "send", "-u", mock.base_url, "-a", api, "-m", "m", "--format", "json", "-f", str(prompt)]
        process = subprocess.Popen(
            command, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        answer = json.load(process.stdout)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0 and answer["outcome"] == "ok", answer
        assert answer["usage"]["input"] > size / 8, answer["usage"]
        assert usage.ru_maxrss * 1024 < 4.5 * size, usage.ru_maxrss
    prompt.unlink()

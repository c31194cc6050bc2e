#!/usr/bin/env python3
"""Joins the relay's own log with what `baton bench` and a bare TCP reader saw of the same streams.

For each level of concurrency the embedded relay plays streams of 50 events a second in a process of its own. `baton
bench` measures them on one core with one worker; then a reader that does nothing but read sockets does the same, so that
what no client on this machine could see better is known. Both are held against the relay's log, request by request.
"""

import argparse
import json
import os
import platform
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GAP_MS = 20
# Users begin at once; after so many seconds, two or three answers of random TTFT later, hardly any two are in step.
WARMUP = 3
METRICS = ("TTFT", "latency", "TPOT", "stall")


def lines(path):
    with open(path, encoding="utf-8") as text:
        return [json.loads(line) for line in text]


def pin(core):
    """Keeps a child on one core, where there are several."""
    cores = sorted(os.sched_getaffinity(0))
    chosen = {cores[core % len(cores)]}
    return lambda: os.sched_setaffinity(0, chosen)


class Relay:
    """`baton mock` in its own process, on the first core."""

    def __init__(self, binary, spec, log):
        command = [binary, "mock", spec, "--log", str(log), "--threads", "1", "--quiet"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=pin(0))
        self.url = self.process.stdout.readline().strip()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(20) == 0, "the relay did not end in good order"


def bench(binary, url, users, seconds, folder):
    """What `baton bench` saw: its log, and its report."""
    log, report = folder / "bench.jsonl", folder / "bench.json"
    command = [binary, "bench", "-u", url, "-m", "m", "-c", str(users), "-d", f"{seconds}s", "--warmup", f"{WARMUP}s"]
    command += ["--workers", "1", "--log", str(log), "--format", "json", "-o", str(report), "--quiet"]
    subprocess.run(command, check=True, preexec_fn=pin(1), env={"PATH": os.environ["PATH"]})
    seen = [line for line in lines(log) if not line.get("warmup") and line["class"].startswith("ok")]
    return seen, json.loads(report.read_text())["levels"][0]


# Unix time of a monotonic clock that was set once, as both logs have it.
SET = time.time_ns() - time.monotonic_ns()


def now_ns():
    return time.monotonic_ns() + SET


class Stream:
    """One connection of the bare reader, which asks again when an answer has ended."""

    def __init__(self, address):
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)

    def ask(self):
        self.seen = {"request_id": str(uuid.uuid4()), "first_delta": None, "stall_ns": 0}
        body = b'{"model":"m","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"Hello"}]}'
        head = (
            "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            f"x-request-id: {self.seen['request_id']}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.seen["start"] = now_ns()
        self.socket.sendall(head.encode() + body)

    def read(self):
        """Takes in what has arrived; says whether the answer has ended."""
        data = self.socket.recv(65536)
        now = now_ns()
        assert data, "the relay closed the connection"
        if b"text_delta" in data:
            if self.seen["first_delta"] is None:
                self.seen["first_delta"] = now
            else:
                self.seen["stall_ns"] = max(self.seen["stall_ns"], now - self.seen["last_delta"])
            self.seen["last_delta"] = now
        return b"message_stop" in data


def reader(url, users, seconds):
    """What a reader of bare sockets sees, pinned where `bench` was."""
    host, port = url.removeprefix("http://").split("/")[0].split(":")
    pin(1)()
    poll = select.epoll()
    streams = {}
    began = time.monotonic()
    for _ in range(users):
        stream = Stream((host, int(port)))
        streams[stream.socket.fileno()] = stream
        poll.register(stream.socket, select.EPOLLIN)
        stream.ask()
    done = []
    while streams:
        for descriptor, _ in poll.poll():
            stream = streams[descriptor]
            if not stream.read():
                continue
            now = time.monotonic() - began
            if (stream.seen["start"] - SET) / 1e9 - began >= WARMUP:
                done.append(stream.seen)
            if now < WARMUP + seconds:
                stream.ask()
            else:
                poll.unregister(stream.socket)
                stream.socket.close()
                del streams[descriptor]
    os.sched_setaffinity(0, set(range(os.cpu_count())))
    return done


def figures(line, start, tokens):
    """The four metrics of a line of either log, in ms."""
    spread = line["last_delta"] - line["first_delta"]
    times = (line["first_delta"] - line[start], line["last_delta"] - line[start], spread / (tokens - 1), line["stall_ns"])
    return [value / 1e6 for value in times]


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * share // 100) - 1))]


def legs(seen, truth):
    """TP99 in ms of the two ways that a TTFT's error is made of, where both sides' logs have one clock: request and first piece."""
    pairs = [(line, truth[line["request_id"]]) for line in seen]
    there = percentile([(real["read"] - line["start"]) / 1e6 for line, real in pairs], 99)
    back = percentile([(line["first_delta"] - real["first_delta"]) / 1e6 for line, real in pairs], 99)
    return f"{there:.2f}, {back:.2f}"


def errors(seen, truth, tokens):
    """For each metric the average error and TP99 of its size, over the requests that both sides know."""
    pairs = [(line, truth[line["request_id"]]) for line in seen]
    assert pairs, "no request to compare"
    found = {}
    for at, metric in enumerate(METRICS):
        off = [figures(line, "start", tokens)[at] - figures(real, "read", tokens)[at] for line, real in pairs]
        found[metric] = (sum(off) / len(off), percentile([abs(value) for value in off], 99))
    return found, len(pairs)


def level(options, users):
    """Both clients at one level; rows of the table."""
    tokens = 21 if users == 1 else 51
    spec = f"ttft=lognormal:200ms:0.5,gap={GAP_MS}ms,tokens={tokens},slots=inf,seed={users}"
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "mock.jsonl"
        relay = Relay(options.binary, spec, log)
        ours, report = bench(options.binary, relay.url, users, options.seconds, folder)
        bare = reader(relay.url, users, options.seconds)
        relay.stop()
        truth = {line["request_id"]: line for line in lines(log)}
        for who, seen in (("baton bench", ours), ("bare reader", bare)):
            found, count = errors(seen, truth, tokens)
            rows.append((users, who, count, found, legs(seen, truth), report if who == "baton bench" else None))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "target/release/baton"), help="the baton to test")
    parser.add_argument("--levels", default="1,50,500,1000", help="streams at once")
    parser.add_argument("--seconds", type=int, default=10, help="measured window of each level")
    parser.add_argument("--at-most", type=float, default=None, metavar="MS",
                        help="fail where bench's TTFT error at TP99 is above this and above three times the reader's")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"{platform.machine()}, {os.cpu_count()} cores, {os.uname().sysname}; relay and client on a core each; "
          f"{1000 // GAP_MS} events/s a stream, {options.seconds} s a level; errors in ms, average / TP99\n")
    print("| streams | client | requests | " + " | ".join(METRICS) + " | request, first piece | verdict |")
    print("|---:|:---|---:|" + "---:|" * len(METRICS) + "---:|:---|")
    failed = []
    for users in map(int, options.levels.split(",")):
        rows = level(options, users)
        for number, who, count, found, ways, report in rows:
            cells = [f"{average:+.2f} / {tail:.2f}" for average, tail in found.values()]
            verdict = report["verdict"] if report else ""
            print(f"| {number} | {who} | {count} | " + " | ".join(cells) + f" | {ways} | {verdict} |", flush=True)
        ours, bare = (row[3]["TTFT"][1] for row in rows)
        if options.at_most is not None and ours > max(options.at_most, 3 * bare):
            failed.append(f"c={users}: TTFT is off by {ours:.2f} ms at TP99, the bare reader by {bare:.2f} ms")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Holds what `baton bench` says of an open loop against what must be true.

Rate: so many requests a second are asked for, of a relay that answers at once; the count and the times of what was sent say
what was delivered. Standstill: a relay that does nothing for the last tenth of each period makes one request in a hundred
wait nine tenths of a standstill; the response time of an open loop must say so, and a closed loop hides it. Relay and client
have a core each, and the client one worker.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from join import ROOT, Relay, lines, percentile, pin

TTFT_MS = 10


def bench(binary, url, *more):
    """What `baton bench` says of one level, and the share of a core that it took."""
    command = [binary, "bench", "-u", url, "-m", "m", "--workers", "1", "--format", "json", "--quiet", *more]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=pin(1), env={"PATH": os.environ["PATH"]})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout)["levels"][0], spent


def delivered(options):
    print("| asked for | due | sent | rate sent | lag TP50 | own lag TP99 | CPU of the client | verdict |")
    print("|---:|---:|---:|---:|---:|---:|---:|:---|")
    wrong = []
    for rate in map(int, options.rates.split(",")):
        relay = Relay(options.binary, "ttft=0,gap=0,tokens=1,slots=inf", "/dev/null")
        level, spent = bench(options.binary, relay.url, "-r", f"{rate}/s", "-d", f"{options.seconds}s", "--warmup", "1s", "--no-stream")
        relay.stop()
        counts = level["arrivals"]
        off = counts["sent_per_s"] / rate - 1
        print(f"| {rate}/s | {counts['planned']} | {counts['sent']} | {counts['sent_per_s']:.2f}/s ({off:+.3%}) | {level['lag_ms']['p50']:.3f} ms | "
              f"{counts['own_lag_p99_ms']:.3f} ms | {spent / (options.seconds + 1):.0%} | {level['verdict']} |", flush=True)
        # An answer takes less than 20 ms, so that a twentieth of it is less than the millisecond that is always allowed.
        exact = abs(off) <= 0.005 and counts["own_lag_p99_ms"] <= 1
        if level["latency_ms"]["p99"] < 20 and not exact and level["verdict"] != "client-bound":
            wrong.append(f"{rate}/s was not delivered, and the row does not say so")
    return wrong


def standstill(options):
    length, period = options.seconds / 10, options.seconds
    spec = f"ttft={TTFT_MS}ms,gap=0,tokens=1,slots=inf,freeze={length}s:{period}s"
    # Whoever comes less than a TTFT before the standstill is caught by it as well: those who wait begin so much earlier, and
    # one in a hundred of all is a tenth of a standstill after the first of them. It waits for the rest, and then for a TTFT.
    expected = 0.9 * length * 1000 + 2 * TTFT_MS
    rows = []
    for name, more in (("open, 200/s", ["-r", "200/s"]), ("closed, 2 users", ["-c", "2"])):
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = Path(folder) / "bench.jsonl", Path(folder) / "mock.jsonl"
            relay = Relay(options.binary, spec, theirs)
            level, _ = bench(options.binary, relay.url, "-d", f"{period}s", "--log", str(ours), *more)
            relay.stop()
            left = {line["request_id"]: line["last_delta"] for line in lines(theirs) if "last_delta" in line}
            true = percentile([(left[line["request_id"]] - line.get("planned", line["start"])) / 1e6
                               for line in lines(ours) if not line.get("warmup")], 99)
        rows.append((name, level["latency_ms"]["p99"], (level["response_ms"] or {}).get("p99"), true))
    print(f"\n{length:g} s of {period:g} s stand still; one request in a hundred waits {expected:.0f} ms or more\n")
    print("| loop | TP99 from the start | TP99 from the due time | by the relay's own log | computed |\n|:---|---:|---:|---:|---:|")
    for name, service, response, true in rows:
        said = "n/a" if response is None else f"{response:.1f} ms ({response / expected - 1:+.2%})"
        print(f"| {name} | {service:.1f} ms | {said} | {true:.1f} ms | {expected:.0f} ms |")
    off, hidden = rows[0][2] / expected - 1, rows[1][1]
    wrong = [] if abs(off) <= 0.02 else [f"the response time is off by {off:+.1%}"]
    return wrong if hidden < expected / 10 else [*wrong, f"a closed loop is said to hide it, and has {hidden:.0f} ms"]


CASES = {"rate": delivered, "standstill": standstill}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "target/release/baton"), help="the baton to test")
    parser.add_argument("--rates", default="200,1000,5000", help="requests a second to ask for")
    parser.add_argument("--seconds", type=int, default=20, help="window of each run")
    parser.add_argument("--cases", default=",".join(CASES), help="what to hold it against")
    options = parser.parse_args()
    wrong = []
    for case in options.cases.split(","):
        wrong += CASES[case](options)
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()

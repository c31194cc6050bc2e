#!/usr/bin/env python3
"""Holds what `baton bench` says of an open loop against what must be true.

Rate: 1000 and 5000 requests a second are asked for; the relay's own count says what was delivered. Standstill: a relay
that does nothing for the last tenth of each period makes one request in a hundred wait nine tenths of a standstill; the
response time of an open loop must say so, and a closed loop hides it.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from join import ROOT, Relay


def bench(binary, url, *more):
    command = [binary, "bench", "-u", url, "-m", "m", "--format", "json", "--quiet", *more]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["levels"][0]


def delivered(options):
    print("| asked for | due | sent | rate sent | own lag TP99 | verdict |\n|---:|---:|---:|---:|---:|:---|")
    wrong = []
    for rate in map(int, options.rates.split(",")):
        relay = Relay(options.binary, "ttft=0,gap=0,tokens=1,slots=inf", "/dev/null")
        level = bench(options.binary, relay.url, "-r", f"{rate}/s", "-d", f"{options.seconds}s", "--no-stream")
        relay.stop()
        counts = level["arrivals"]
        off = counts["sent_per_s"] / rate - 1
        print(f"| {rate}/s | {counts['planned']} | {counts['sent']} | {counts['sent_per_s']:.2f}/s ({off:+.3%}) | "
              f"{counts['own_lag_p99_ms']:.3f} ms | {level['verdict']} |", flush=True)
        exact = abs(off) <= 0.005 and counts["own_lag_p99_ms"] <= 1
        if not exact and level["verdict"] != "client-bound":
            wrong.append(f"{rate}/s was not delivered, and the row does not say so")
    return wrong


def standstill(options):
    length, period = options.seconds / 10, options.seconds
    spec = f"ttft=10ms,gap=0,tokens=1,slots=inf,freeze={length}s:{period}s"
    expected = 0.9 * length * 1000 + 10
    rows = []
    for name, more in (("open, 200/s", ["-r", "200/s"]), ("closed, 2 users", ["-c", "2"])):
        relay = Relay(options.binary, spec, "/dev/null")
        level = bench(options.binary, relay.url, "-d", f"{period}s", *more)
        relay.stop()
        rows.append((name, level["latency_ms"]["p99"], (level["response_ms"] or {}).get("p99")))
    print(f"\n{length:g} s of {period:g} s stand still; one request in a hundred waits {expected:.0f} ms or more\n")
    print("| loop | TP99 from the start | TP99 from the due time |\n|:---|---:|---:|")
    for name, service, response in rows:
        print(f"| {name} | {service:.0f} ms | {'n/a' if response is None else f'{response:.0f} ms'} |")
    off = rows[0][2] / expected - 1
    return [] if abs(off) <= 0.02 else [f"the response time is off by {off:+.1%}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "target/release/baton"), help="the baton to test")
    parser.add_argument("--rates", default="1000,5000", help="requests a second to ask for")
    parser.add_argument("--seconds", type=int, default=20, help="window of each run")
    options = parser.parse_args()
    wrong = delivered(options) + standstill(options)
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()

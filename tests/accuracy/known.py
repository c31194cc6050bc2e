#!/usr/bin/env python3
"""Holds what `baton bench` says against answers that are known beforehand.

distributions: every row of a prompt file lets its answer have so many tokens of 1 ms each that all rows together have a
uniform, a log-normal and a bimodal latency, exactly. tail: log-normal answers (median 0.5 s, TP99 1.9 s) at 150 users and
windows that end before the slowest have, against the relay's own log.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from join import ROOT, Relay, lines

NORMAL = statistics.NormalDist()


def baton(options, *arguments):
    command = [options.binary, *map(str, arguments), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def bench(options, relay, *arguments):
    return json.loads(baton(options, "bench", "-u", relay.url, "-m", "m", "--format", "json", *arguments))


def rank(values, share):
    """The smallest value that is at least as large as this share of all."""
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def heading(*columns):
    print("\n| " + " | ".join(columns) + " |\n|:---|" + "---:|" * (len(columns) - 1), flush=True)


def quantiles(name, share):
    """The latency in ms below which this share lies."""
    if name == "uniform":
        return 50 + 900 * share
    if name == "lognormal":
        return 200 * math.exp(0.6 * NORMAL.inv_cdf(share))
    return 60 if share < 0.8 else 600


def distributions(options, folder):
    wrong, rows, rounds, users = [], 500, options.rounds, 50
    heading("distribution", "requests", "P50, exact", "measured", "P90, exact", "measured", "P99, exact", "measured")
    for name in ("uniform", "lognormal", "bimodal"):
        # One token is there at once, and each further one a millisecond later.
        tokens = [round(quantiles(name, (row + 0.5) / rows)) for row in range(rows)]
        file = folder / f"{name}.jsonl"
        file.write_text("".join(json.dumps({"prompt": "Hi", "max_tokens": count + 1}) + "\n" for count in tokens))
        relay = Relay(options.binary, "ttft=0,gap=1ms,tokens=1000000,slots=inf", "/dev/null")
        document = bench(options, relay, "-c", users, "-n", rows * rounds, "--warmup", "0", "--prompts", file, "--shuffle")
        relay.stop()
        level = document["levels"][0]
        assert level["requests"] == rows * rounds and level["errors"] == 0, level["classes"]
        cells = []
        for label, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
            exact, measured = rank(tokens, share), level["latency_ms"][label]
            cells += [f"{exact} ms", f"{measured:.1f} ms ({measured / exact - 1:+.1%})"]
            if abs(measured - exact) > max(0.01 * exact, 5):
                wrong.append(f"{name}: {label} is {measured} ms where {exact} ms are true")
        print(f"| {name} | {rows * rounds} | " + " | ".join(cells) + " |", flush=True)
    return wrong


def tail(options, folder):
    wrong, sigma = [], math.log(1.9 / 0.5) / NORMAL.inv_cdf(0.99)
    heading("window", "drain", "answers", "TP99 of the relay's log", "TP99 shown", "off by")
    for window in options.windows.split(","):
        for drain in ("30s", "0"):
            truth, seen = folder / f"mock-{window}-{drain}.jsonl", folder / f"bench-{window}-{drain}.jsonl"
            relay = Relay(options.binary, f"ttft=lognormal:500ms:{sigma:.6f},gap=0,tokens=1,slots=inf", truth)
            document = bench(options, relay, "-c", 150, "-d", f"{window}s", "--drain", drain, "--log", seen)
            relay.stop()
            level = document["levels"][0]
            recorded = {line["request_id"] for line in lines(seen) if not line.get("warmup")}
            # What was cut never came to an end in the relay's log either: its true time is longer than any.
            times = [(line["last_delta"] - line["read"]) / 1e6 if "last_delta" in line else math.inf
                     for line in lines(truth) if line["request_id"] in recorded]
            exact, shown = rank(times, 0.99), level["latency_ms"]["p99"]
            bound = level["latency_ms"].get("p99_bound") == "lower"
            off = None if bound or shown is None or math.isinf(exact) else shown / exact - 1
            print(f"| {window} s | {drain} | {level['requests']} | {'cut' if math.isinf(exact) else f'{exact:.0f} ms'} | "
                  f"{'n/a' if shown is None else ('≥ ' if bound else '') + f'{shown:.0f} ms'} | "
                  f"{'–' if off is None else f'{off:+.2%}'} |", flush=True)
            if bound and shown > exact:
                wrong.append(f"{window} s, drain {drain}: at least {shown} ms is said, and {exact} ms are true")
            elif not bound and (off is None or abs(off) > 0.03):
                wrong.append(f"{window} s, drain {drain}: TP99 {shown} ms is said, and {exact} ms are true")
    return wrong


CASES = {"distributions": distributions, "tail": tail}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "target/release/baton"), help="the baton to test")
    parser.add_argument("--cases", default=",".join(CASES), help="what to hold it against")
    parser.add_argument("--rounds", type=int, default=3, help="how often each row of a distribution is sent")
    parser.add_argument("--windows", default="1.5,3,6,30", help="windows of the tail, in seconds")
    options = parser.parse_args()
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for case in options.cases.split(","):
            wrong += CASES[case](options, Path(folder))
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Holds what `baton bench --find-capacity` finds against what a relay of finite slots bears by its construction.

A relay of K slots, each of which an answer holds for S seconds, bears K users without a queue, and K / S requests a second.
With more users than K the mean latency is users x S / K (Little's law); with a higher rate the queue grows as long as
it lasts. The answer must be within 5 % of these, by users and by rate.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from join import ROOT, Relay


def search(options, url, *more):
    """What a search comes to, and how many levels it took."""
    command = [options.binary, "bench", "-u", url, "-m", "m", "--find-capacity", "--no-stream", *more,
               "-d", f"{options.seconds}s", "--warmup", options.warmup, "--format", "json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.returncode in (0, 98), done.stderr
    document = json.loads(done.stdout)
    return document["capacity"], len(document["levels"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "target/release/baton"), help="the baton to test")
    parser.add_argument("--slots", default="10,40", help="slots of the relays")
    parser.add_argument("--service", type=int, default=500, help="ms that an answer holds a slot")
    parser.add_argument("--seconds", type=int, default=10, help="window of each level")
    parser.add_argument("--warmup", default="1s", help="warm-up of each level")
    parser.add_argument("--at-most", type=float, default=5, help="percent that an answer may be off")
    options = parser.parse_args()
    service = options.service
    # What a window of overload at one part in a hundred builds up in the queue, beside twice what a busy machine adds.
    patience = service + 10 * options.seconds + 40
    wrong = []
    print(f"an answer takes {service} ms; windows of {options.seconds} s\n")
    print("| slots | by | bears | found | fails at | off by | levels | ended |\n|---:|:---|---:|---:|---:|---:|---:|:---|")
    for slots in map(int, options.slots.split(",")):
        rate = slots * 1000 / service
        searches = (
            ("users", slots, "", ["--slo", f"latency.p99 < {round(service * 1.04)}ms"]),
            ("rate", rate, "/s", ["--rate", f"{rate / 5:g}/s", "--slo", f"response.p99 < {patience}ms"]),
        )
        for by, truth, unit, more in searches:
            relay = Relay(options.binary, f"ttft={service}ms,gap=0,tokens=1,slots={slots}", "/dev/null")
            found, levels = search(options, relay.url, *more)
            relay.stop()
            passing = found["passing"] or 0
            off = passing / truth - 1
            failing = "n/a" if found["failing"] is None else f"{found['failing']:.4g}{unit}"
            print(f"| {slots} | {by} | {truth:g}{unit} | {passing:.4g}{unit} | {failing} | {off:+.1%} | "
                  f"{levels} | {found['ended']} |", flush=True)
            if found["ended"] != "confirmed" or abs(off) > options.at_most / 100:
                wrong.append(f"{slots} slots by {by}: {passing:g}{unit} where {truth:g}{unit} is the truth ({found['ended']})")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()

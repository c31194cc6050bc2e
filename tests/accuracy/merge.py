#!/usr/bin/env python3
"""Holds the sum of eight shards against one process: the same requests must be sent, and every figure must add up exactly.

One process carries a plan of Poisson arrivals, and eight carry a part of it each. The requests in their logs are compared,
then the merged document with the parts: counts, sums, sums of squares, least and largest values.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

from join import ROOT, Relay, lines

SHARDS = 8
PLAN = ["-r", "400/s", "-n", "2000", "-c", "64", "--warmup", "0", "--arrival", "poisson", "--seed", "7"]
METRICS = ("latency_ms", "response_ms", "gap_ms", "lag_ms")
FIELDS = (("n", sum), ("sum", sum), ("sum_of_squares_us2", sum), ("min", min), ("max", max))


def baton(options, *arguments):
    """What a command prints; its figures are read as they are written, to the last digit."""
    command = [options.binary, *map(str, arguments), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return json.loads(done.stdout, parse_float=Decimal, parse_int=Decimal)


def carry(options, url, place, *more):
    """The requests that a process sent, its level, and where its result is."""
    log, saved = place.with_suffix(".log"), place.with_suffix(".json")
    arguments = ["-u", url, "-m", "m", *PLAN, *more, "--log", log, "--save", saved, "--format", "json"]
    level = baton(options, "bench", *arguments)["levels"][0]
    return [(line["level"], line["index"], line["user"]) for line in lines(log)], level, saved


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "target/release/baton"), help="the baton to test")
    options = parser.parse_args()
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        relay = Relay(options.binary, "ttft=lognormal:20ms:0.5,gap=1ms,tokens=8,slots=inf", "/dev/null")
        whole, _, _ = carry(options, relay.url, folder / "whole")
        parts = [carry(options, relay.url, folder / f"part-{number}", "--shard", f"{number}/{SHARDS}")
                 for number in range(1, SHARDS + 1)]
        relay.stop()
        merged = baton(options, "report", "merge", *(saved for _, _, saved in parts), "--format", "json")["levels"][0]
    sent = sorted(request for requests, _, _ in parts for request in requests)
    print(f"| | {SHARDS} shards | merged |\n|:---|---:|---:|")
    print(f"| requests sent, and by one process | {len(sent)} | {len(whole)} |")
    if sent != sorted(whole):
        wrong.append("the shards send other requests than one process")
    for metric in METRICS:
        for field, add in FIELDS:
            expected = add(Decimal(level[metric][field]) for _, level, _ in parts)
            got = Decimal(merged[metric][field])
            print(f"| {metric}, {field} | {expected} | {got} |")
            if expected != got:
                wrong.append(f"{metric}: {field} is {got} in the sum and {expected} in the parts")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Runs `baton check` against relays whose faults are known, on a machine with two busy loops, and counts wrong verdicts.

Each run has a relay with a personality in a process of its own (`baton mock --personality NAME`) and `baton check` on both
ends of it, every wait shortened to a hundredth. A relay without fault must pass every check that applies to it; on each
other one every check that a habit of it breaks (tests/it/habits.txt) must warn or fail.
"""

import argparse
import collections
import json
import os
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-verdicts"
SCALE = "0.01"
# Nothing of these applies: there is no TLS, no limit and no soak.
MOOT = {"C22", "C14", "C04"}


def breaks():
    """Which checks each habit breaks."""
    rows = (line.split(": ") for line in (ROOT / "tests/it/habits.txt").read_text().splitlines())
    return {habit: set(ids.split()) for habit, ids in rows}


def personalities(binary):
    """The relays by name, with the habits of each."""
    said = subprocess.run([binary, "mock", "--list-personalities"], check=True, capture_output=True, text=True).stdout
    rows = (line.split(maxsplit=1) for line in said.splitlines())
    return {name: set() if habits == "no bad habit" else set(habits.split(" + ")) for name, habits in rows}


def ports():
    """Ports that no outgoing connection is given, each once."""
    for port in range(12000, 30000):
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


def findings(binary, personality, port, key_file):
    """What `baton check` finds about a relay with this personality, by check."""
    upstream, scale = ["--upstream", f"127.0.0.1:{port}"], ["--time-scale", SCALE]
    command = [binary, "mock", "--personality", personality, *upstream, *scale, "--gateway-key-file", key_file]
    relay = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = relay.stdout.readline().strip()
        command = [binary, "check", "-u", url, "-m", "claude-x", "--key-file", key_file, *upstream, *scale]
        command += ["--intrusive", "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
        assert done.returncode in (0, 99), f"{command}: exit {done.returncode}: {done.stderr}"
        return {finding["id"]: finding for finding in json.loads(done.stdout)["findings"]}
    finally:
        relay.terminate()
        relay.wait(20)


def wrong(found, must_fail):
    """The findings of one run that are false, as text."""
    bad = {"warn", "fail"}
    if not must_fail:
        expected = {check: "skip" if check in MOOT else "pass" for check in found}
        false = [check for check, finding in found.items() if finding["verdict"] != expected[check]]
    else:
        false = [check for check in must_fail if found[check]["verdict"] not in bad]
    return [json.dumps(found[check]) for check in false]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=str(ROOT / "target/release/baton"))
    parser.add_argument("--runs", type=int, default=200, help="runs of each personality")
    parser.add_argument("--at-once", type=int, default=20, help="runs beside one another: most of a run is waiting")
    options = parser.parse_args()

    broken, relays = breaks(), personalities(options.binary)
    assert any(not habits for habits in relays.values()), "a relay without fault is among them"
    free, tally, faults = ports(), collections.Counter(), []
    jobs = [(name, next(free)) for _ in range(options.runs) for name in relays]
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.at_once) as pool:
            key_file = Path(folder) / "key"
            key_file.touch(mode=0o600)
            key_file.write_text(KEY)

            def run(job):
                name, port = job
                must_fail = set().union(*(broken[habit] for habit in relays[name]))
                return name, wrong(findings(options.binary, name, port, str(key_file)), must_fail)

            for name, false in pool.map(run, jobs):
                tally[name] += 1
                faults += [f"{name}: {text}" for text in false]
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    for name, runs in tally.items():
        kind = "misses" if relays[name] else "false alarms"
        count = sum(fault.startswith(f"{name}: ") for fault in faults)
        print(f"{name:15} {runs:4} runs  {count} {kind}")
    for fault in faults:
        print(fault)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()

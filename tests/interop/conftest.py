"""Starts what the suite talks to, each on a free port, and stops it by its own handle."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BATON = Path(os.environ.get("BATON_INTEROP_BATON", ROOT / "target" / "release" / "baton"))


class Said:
    """What a finished command said."""

    def __init__(self, process):
        self.code, self.out, self.err = process.returncode, process.stdout, process.stderr

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"

    def json(self):
        return json.loads(self.out)


def clean_environment(**more):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **more}


@pytest.fixture(scope="session")
def baton():
    def run(*arguments, key=None, timeout=120):
        environment = clean_environment(**({"BATON_KEY": key} if key else {}))
        command = [str(BATON), *map(str, arguments)]
        process = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
        )
        return Said(process)

    return run


class Server:
    """A process that prints the address it listens on."""

    def __init__(self, command, pattern, patience, **options):
        self.lines = []
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        )
        self.found = threading.Event()
        self.base_url = None
        self.pattern = re.compile(pattern)
        threading.Thread(target=self._read, daemon=True).start()
        if not self.found.wait(patience):
            self.stop()
            raise RuntimeError("no address was printed:\n" + "".join(self.lines[-40:]))

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)
            match = self.pattern.search(line)
            if match and not self.found.is_set():
                self.base_url = match.group(0)
                self.found.set()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def embedded(folder, spec):
    """The embedded relay as a process of its own, with a log."""
    log = folder / "mock.jsonl"
    server = Server([str(BATON), "mock", "--log", str(log), spec], r"http://127\.0\.0\.1:\d+", 20)
    server.log = log
    return server


@pytest.fixture(scope="session")
def mock(tmp_path_factory):
    """An embedded relay without fault."""
    server = embedded(tmp_path_factory.mktemp("mock"), "ttft=20ms,gap=2ms,tokens=12,slots=inf,seed=1")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shaky(tmp_path_factory):
    """One that refuses some requests for their rate and breaks some streams off."""
    spec = "ttft=20ms,gap=2ms,tokens=12,slots=inf,seed=5,fault=429:0.06,fault=cut:0.15"
    server = embedded(tmp_path_factory.mktemp("shaky"), spec)
    yield server
    server.stop()


def log_entries(log, request_id, patience=5.0):
    """The mock's log lines of one request; the log is flushed at least each second."""
    deadline = time.monotonic() + patience
    while True:
        entries = [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]
        found = [entry for entry in entries if entry.get("request_id") == request_id]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


LITELLM_KEY = "sk-interop-1234"


@pytest.fixture(scope="session")
def litellm(mock, shaky, tmp_path_factory):
    """The LiteLLM proxy in front of the mock, as an operator would run it, without retries of its own."""
    folder = tmp_path_factory.mktemp("litellm")
    config = folder / "config.yaml"
    config.write_text(
        f"""
model_list:
  - model_name: "oai-shaky"
    litellm_params: {{model: "openai/oai-x", api_base: "{shaky.base_url}/v1", api_key: "sk-upstream"}}
  - model_name: "claude-shaky"
    litellm_params: {{model: "anthropic/claude-x", api_base: "{shaky.base_url}", api_key: "sk-upstream"}}
  - model_name: "oai-*"
    litellm_params: {{model: "openai/oai-*", api_base: "{mock.base_url}/v1", api_key: "sk-upstream"}}
  - model_name: "claude-*"
    litellm_params: {{model: "anthropic/claude-*", api_base: "{mock.base_url}", api_key: "sk-upstream"}}
litellm_settings: {{telemetry: false, num_retries: 0, request_timeout: 600}}
router_settings: {{num_retries: 0, disable_cooldowns: true}}
general_settings: {{master_key: {LITELLM_KEY}}}
"""
    )
    command = [str(Path(sys.executable).with_name("litellm")), "--config", str(config)]
    command += ["--host", "127.0.0.1", "--port", "0", "--telemetry", "False"]
    environment = clean_environment(LITELLM_LOCAL_MODEL_COST_MAP="True", PYTHONUNBUFFERED="1")
    server = Server(command, r"(?<=running on )http://127\.0\.0\.1:[1-9]\d*", 180, env=environment, cwd=folder)
    server.key = LITELLM_KEY
    yield server
    server.stop()

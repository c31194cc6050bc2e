"""baton check against real relays, from the front and from behind; what it finds is compared with a committed list.

Each entry of `findings.json` was confirmed once by hand with curl; README.md has the commands.
"""

import json
import sys
from pathlib import Path

import pytest

from conftest import LITELLM_KEY, ROOT, Server, clean_environment
from nginx import Nginx, free_port

KNOWN = json.loads((Path(__file__).parent / "findings.json").read_text())


def found(said):
    """What did not pass, without what could not be decided."""
    assert said.code in (0, 99), said
    findings = {finding["id"]: finding["verdict"] for finding in said.json()["findings"]}
    return {check: verdict for check, verdict in findings.items() if verdict in ("warn", "fail")}, findings


def compare(said, name):
    bad, findings = found(said)
    # Kept for whoever moves a pin and has to look at what has changed.
    report = ROOT / "target" / "findings" / (name.replace(", ", "-").replace(" ", "-") + ".json")
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(said.out)
    known = {check: entry["verdict"] for check, entry in KNOWN[name].items()}
    assert bad == known, (bad, said)
    return findings


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """LiteLLM as it comes, in front of an upstream that baton plays at the address that goes with it."""
    folder = tmp_path_factory.mktemp("litellm-check")
    port = free_port()
    (folder / "config.yaml").write_text(
        f"""
model_list:
  - model_name: "claude-*"
    litellm_params: {{model: "anthropic/claude-*", api_base: "http://127.0.0.1:{port}", api_key: "sk-upstream"}}
  - model_name: "oai-*"
    litellm_params: {{model: "openai/oai-*", api_base: "http://127.0.0.1:{port}/v1", api_key: "sk-upstream"}}
router_settings: {{disable_cooldowns: true}}
general_settings: {{master_key: {LITELLM_KEY}}}
"""
    )
    command = [str(Path(sys.executable).with_name("litellm")), "--config", str(folder / "config.yaml")]
    command += ["--host", "127.0.0.1", "--port", "0", "--telemetry", "False"]
    environment = clean_environment(LITELLM_LOCAL_MODEL_COST_MAP="True", PYTHONUNBUFFERED="1")
    server = Server(command, r"(?<=running on )http://127\.0\.0\.1:[1-9]\d*", 180, env=environment, cwd=folder)
    server.upstream = f"127.0.0.1:{port}"
    yield server
    server.stop()


def test_litellm_from_the_front(baton, litellm):
    said = baton("check", "-u", litellm.base_url, "-m", "claude-x", "--format", "json", "-q", key=litellm.key)
    findings = compare(said, "litellm, black box")
    assert findings["C24"] == findings["C01"] == "pass", said


def test_litellm_from_both_ends(baton, heard):
    said = baton(
        "check", "-u", heard.base_url, "-m", "claude-x", "--upstream", heard.upstream, "--time-scale", 0.1,
        "--format", "json", "-q", key=LITELLM_KEY, timeout=300,
    )
    compare(said, "litellm, white box")


def test_litellm_from_both_ends_in_chat(baton, heard):
    said = baton(
        "check", "-u", heard.base_url, "-a", "chat", "-m", "oai-x", "--upstream", heard.upstream, "--time-scale", 0.1,
        "--only", "C21,C24,C16,C03,C10,C32,C34", "--format", "json", "-q", key=LITELLM_KEY, timeout=300,
    )
    compare(said, "litellm, white box, chat")


def test_nginx_from_the_front(baton, mock, tmp_path):
    server = Nginx(tmp_path, mock.base_url)
    try:
        said = baton("check", "-u", server.url(), "-m", "claude-x", "--format", "json", "-q", key="sk-interop-key")
        compare(said, "nginx, black box")
    finally:
        server.stop()


def test_nginx_from_both_ends_with_its_own_timeouts(baton, tmp_path):
    port = free_port()
    server = Nginx(tmp_path, f"http://127.0.0.1:{port}")
    try:
        said = baton(
            "check", "-u", server.url(), "-m", "claude-x", "--upstream", f"127.0.0.1:{port}", "--format", "json", "-q",
            key="sk-interop-key", timeout=300,
        )
        findings = compare(said, "nginx, white box")
        # It buffers, and it cuts a silence of more than a minute.
        assert findings["C01"] == findings["C07"] == "fail", said
    finally:
        server.stop()

"""Batch files as the vendors take them, through the LiteLLM proxy, with refusals and broken streams on the way."""

import json
from collections import Counter

import pytest

ROWS = 40


def openai_row(number):
    body = {"model": "oai-shaky", "max_tokens": 64, "messages": [{"role": "user", "content": f"Name river {number}"}]}
    return {"custom_id": f"river-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}


def anthropic_row(number):
    params = {"model": "claude-shaky", "max_tokens": 64, "messages": [{"role": "user", "content": f"Name river {number}"}]}
    return {"custom_id": f"river-{number}", "params": params}


def openai_text(line):
    assert line["error"] is None and line["response"]["status_code"] == 200, line
    return line["response"]["body"]["choices"][0]["message"]["content"]


def anthropic_text(line):
    assert line["result"]["type"] == "succeeded", line
    return "".join(block.get("text", "") for block in line["result"]["message"]["content"])


FILES = [("chat", "openai", openai_row, openai_text), ("messages", "anthropic", anthropic_row, anthropic_text)]


@pytest.mark.parametrize(("api", "form", "row", "text"), FILES, ids=["openai", "anthropic"])
def test_every_row_is_answered_whole_whatever_befalls_its_stream(baton, litellm, shaky, tmp_path, api, form, row, text):
    before = len(shaky.log.read_text().splitlines()) if shaky.log.exists() else 0
    rows, out, summary = tmp_path / "in.jsonl", tmp_path / "out.jsonl", tmp_path / "summary.json"
    rows.write_text("".join(json.dumps(row(number)) + "\n" for number in range(ROWS)))
    said = baton(
        "batch", rows, "-o", out, "-u", litellm.base_url, "-a", api, "--stream", "-c", 8, "--output-form", form,
        "--attempts", 12, "--backoff-base", "10ms", "--backoff-max", "50ms", "--summary", summary, key=litellm.key,
    )
    assert said.code == 0, said
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["custom_id"] for line in lines] == [f"river-{number}" for number in range(ROWS)]
    assert all(len(text(line).split()) == 12 for line in lines), said
    # What befell them is known from the other end of the relay.
    faults = Counter(json.loads(line).get("fault") for line in shaky.log.read_text().splitlines()[before:])
    assert faults["mock-429"] >= 1 and faults["mock-cut"] >= 1, faults
    assert json.loads(summary.read_text())["attempts"] >= ROWS + faults["mock-429"] + faults["mock-cut"], (faults, said)

"""baton through a real relay: the LiteLLM proxy, with the embedded relay as the model behind it."""

import json

import pytest

from conftest import log_entries

DIALECTS = [("messages", "claude-x"), ("chat", "oai-x"), ("chat", "claude-x")]


@pytest.mark.parametrize(("api", "model"), DIALECTS)
@pytest.mark.parametrize("shape", ["stream", "whole"])
def test_send_brings_the_whole_answer(baton, litellm, api, model, shape):
    whole = ["--no-stream"] if shape == "whole" else []
    said = baton(
        "send", "-u", litellm.base_url, "-a", api, "-m", model, "--max-tokens", 64, "--format", "json", *whole,
        "Name three rivers", key=litellm.key,
    )
    assert said.code == 0, said
    answer = said.json()
    assert len(answer["text"].split()) == 12, said
    assert (answer["outcome"], answer["stop"]) == ("ok", "end"), said
    assert answer["usage"]["output"] == 12 and not answer["usage"]["estimated"], said
    assert answer["relay_request_id"], said


def test_text_arrives_piece_by_piece(baton, litellm):
    said = baton(
        "send", "-u", litellm.base_url, "-m", "claude-x", "--max-tokens", 64, "--format", "events", "Hi",
        key=litellm.key,
    )
    assert said.code == 0, said
    assert said.out.count('"event":"text"') == 12, said
    assert said.out.count('"event":"terminal"') == 1, said


def test_the_relays_errors_are_named_for_what_they_are(baton, litellm):
    def failure(model, key=litellm.key):
        return baton(
            "send", "-u", litellm.base_url, "-a", "chat", "-m", model, "--attempts", 1, "Hi", key=key
        )

    limited = failure("oai-mock-429")
    assert limited.code == 6 and "answered 429" in limited.err, limited
    refused = failure("oai-mock-400")
    assert refused.code == 4 and "answered 400" in refused.err, refused
    unknown = failure("no-such-model")
    assert unknown.code == 4 and "no-such-model" in unknown.err, unknown
    # Without its database LiteLLM answers 400 "No connected db." to a wrong key (seen with 1.100.5).
    stranger = failure("oai-x", key="sk-wrong")
    assert stranger.code in (3, 4), stranger
    assert "sk-wrong" not in stranger.err, stranger


def test_an_error_in_the_middle_of_a_stream_fails_the_answer(baton, litellm):
    said = baton(
        "send", "-u", litellm.base_url, "-m", "claude-mock-error-event", "--max-tokens", 64, "Hi", key=litellm.key
    )
    assert said.code == 9, said
    assert said.out.strip(), said


@pytest.mark.parametrize(("api", "model"), [("messages", "claude"), ("chat", "oai")])
def test_a_stream_goes_to_a_file_and_one_that_is_cut_leaves_its_part_and_its_story(baton, litellm, tmp_path, api, model):
    def stream(model, file):
        return baton(
            "stream", "-u", litellm.base_url, "-a", api, "-m", model, "--max-tokens", 64, "-o", file, "Hi", key=litellm.key
        )

    whole = stream(f"{model}-x", tmp_path / "whole.txt")
    assert (whole.code, whole.out) == (0, ""), whole
    assert len((tmp_path / "whole.txt").read_text().split()) == 12
    cut = stream(f"{model}-mock-cut", tmp_path / "cut.txt")
    assert cut.code == 9 and "cut.txt.partial" in cut.err, cut
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.txt.partial", "cut.txt.partial.json", "whole.txt"]
    part = (tmp_path / "cut.txt.partial").read_text()
    assert 0 < len(part.split()) < 12, part
    story = json.loads((tmp_path / "cut.txt.partial.json").read_text())
    # LiteLLM may pass the cut on as it is or word it as an error of its own.
    assert story["outcome"] in ("truncated", "stream_error"), story
    assert story["bytes"] == len(part.encode()) and story["relay_request_id"] and story["message"], story
    assert len(story["attempts"]) == 1, story


def test_attempts_follow_one_another_under_one_request_id(baton, litellm):
    said = baton(
        "send", "-u", litellm.base_url, "-a", "chat", "-m", "oai-mock-503", "--attempts", 2,
        "--backoff-base", "10ms", "--error-format", "json", "Hi", key=litellm.key,
    )
    assert said.code == 5, said
    assert said.err.count('"number":') == 2, said


@pytest.mark.parametrize(("api", "model"), [("messages", "claude-x"), ("chat", "oai-x")])
@pytest.mark.parametrize("shape", ["stream", "whole"])
def test_a_bench_sweep_measures_it(baton, litellm, api, model, shape):
    whole = ["--no-stream"] if shape == "whole" else []
    said = baton(
        "bench", "-u", litellm.base_url, "-a", api, "-m", model, "-c", "2,4", "-d", "4s", "--warmup", "1s",
        "--format", "json", *whole, key=litellm.key,
    )
    assert said.code == 0, said
    levels = said.json()["levels"]
    assert [level["concurrency"] for level in levels] == [2, 4], said
    for level in levels:
        assert level["classes"].get("ok", 0) + level["classes"].get("ok_length", 0) == level["requests"] > 0, said
        assert level["latency_ms"]["min"] >= 20 + 11 * 2, said
        assert level["errors"] == 0 and level["rps"] > 0 and level["tokens_per_s"] > 0, said
        if shape == "stream":
            assert 20 <= level["ttft_ms"]["min"] < level["latency_ms"]["max"], said
        else:
            assert level["ttft_ms"] is None, said


def test_bench_prints_its_table(baton, litellm):
    said = baton(
        "bench", "-u", litellm.base_url, "-m", "claude-x", "-c", "1,4", "-n", "20", "--warmup", "0", key=litellm.key
    )
    assert said.code == 0, said
    for heading in ("Concurrency", "Avg (ms)", "TP99 (ms)"):
        assert heading in said.out, said


def test_the_mock_logs_what_it_was_asked(baton, mock):
    said = baton("send", "-u", mock.base_url, "-m", "m", "--format", "json", "Hi")
    (entry,) = log_entries(mock.log, said.json()["request_id"])
    assert entry["read"] <= entry["headers"] <= entry["first_delta"] <= entry["last_delta"] <= entry["end"]
    assert entry["deltas"] == 12


@pytest.mark.parametrize(("api", "model"), DIALECTS)
def test_a_packed_body_that_it_refuses_is_sent_again_plain(baton, litellm, api, model):
    """LiteLLM 1.100.5 answers 400 to a gzip body, in words that speak of something else."""
    prompt = "The river flows through the valley to the sea. " * 100
    command = ["send", "-u", litellm.base_url, "-a", api, "-m", model, "--max-tokens", 64, "--format", "json"]
    said = baton(*command, "--compress", "auto", "-v", prompt, key=litellm.key)
    assert said.code == 0 and "sent again without compression" in said.err, said
    answer = said.json()
    assert [(attempt["outcome"], attempt["status"]) for attempt in answer["attempts"]] == [("http_4xx", 400), ("ok", 200)], said
    assert answer["body_bytes"]["plain"] == answer["body_bytes"]["sent"], "nothing was saved"
    refused = baton(*command, "--compress", "gzip", prompt, key=litellm.key)
    assert refused.code == 4 and "--compress auto" in refused.err, refused


def test_a_batch_finds_out_once_that_it_takes_no_packed_bodies(baton, litellm, tmp_path):
    rows, out, summary = tmp_path / "rows.jsonl", tmp_path / "out.jsonl", tmp_path / "summary.json"
    prompts = [f"{row} " + "The river flows through the valley to the sea. " * 100 for row in range(30)]
    rows.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts))
    said = baton(
        "batch", rows, "-o", out, "-u", litellm.base_url, "-m", "claude-x", "--compress", "auto", "-c", 4,
        "--summary", summary, key=litellm.key,
    )
    assert said.code == 0, said
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert [len(answer["text"].split()) for answer in answers] == [12] * 30, answers[:2]
    # The body that was refused is the only one that went twice.
    assert sorted(answer["attempts"] for answer in answers) == [1] * 29 + [2]

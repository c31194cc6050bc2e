"""The vendors' own SDKs against the embedded relay: it speaks their language, failures included."""

import anthropic
import openai
import pytest

PROMPT = [{"role": "user", "content": "Name three rivers"}]


@pytest.fixture(scope="session")
def claude(mock):
    return anthropic.Anthropic(base_url=mock.base_url, api_key="sk-test", max_retries=0)


@pytest.fixture(scope="session")
def gpt(mock):
    return openai.OpenAI(base_url=f"{mock.base_url}/v1", api_key="sk-test", max_retries=0)


class TestAnthropic:
    def test_a_whole_message(self, claude):
        message = claude.messages.create(model="claude-x", max_tokens=64, messages=PROMPT)
        assert len(message.content[0].text.split()) == 12
        assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 12)
        assert message.usage.input_tokens > 0

    def test_a_streamed_message(self, claude):
        with claude.messages.stream(model="claude-x", max_tokens=64, messages=PROMPT) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        assert final.content[0].text == text and len(text.split()) == 12
        assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 12)

    def test_the_token_limit_stops_the_answer(self, claude):
        message = claude.messages.create(model="claude-x", max_tokens=5, messages=PROMPT)
        assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 5)

    def test_tokens_are_counted(self, claude):
        assert claude.messages.count_tokens(model="claude-x", messages=PROMPT).input_tokens > 0

    def test_models_are_listed(self, claude):
        assert claude.models.list().data

    @pytest.mark.parametrize(
        ("model", "error"),
        [
            ("mock-401", anthropic.AuthenticationError),
            ("mock-404", anthropic.NotFoundError),
            ("mock-429", anthropic.RateLimitError),
            ("mock-500", anthropic.InternalServerError),
        ],
    )
    @pytest.mark.parametrize("stream", [False, True])
    def test_a_refusal_raises_the_sdks_own_class(self, claude, model, error, stream):
        with pytest.raises(error) as raised:
            claude.messages.create(model=model, max_tokens=64, messages=PROMPT, stream=stream)
        assert raised.value.body["type"] == "error"
        assert raised.value.request_id.startswith("req_mock")

    def test_an_overload_raises_with_its_status(self, claude):
        with pytest.raises(anthropic.APIStatusError) as raised:
            claude.messages.create(model="mock-529", max_tokens=64, messages=PROMPT)
        assert raised.value.status_code == 529
        assert raised.value.body["error"]["type"] == "overloaded_error"

    def test_an_error_in_the_middle_of_a_stream_raises(self, claude):
        seen = 0
        with pytest.raises(anthropic.APIStatusError) as raised:
            with claude.messages.stream(model="mock-error-event", max_tokens=64, messages=PROMPT) as stream:
                for _ in stream.text_stream:
                    seen += 1
        assert seen > 0 and "overloaded_error" in str(raised.value.body)


class TestOpenAI:
    def test_a_whole_completion(self, gpt):
        answer = gpt.chat.completions.create(model="gpt-x", messages=PROMPT)
        assert len(answer.choices[0].message.content.split()) == 12
        assert (answer.choices[0].finish_reason, answer.usage.completion_tokens) == ("stop", 12)

    def test_a_streamed_completion_with_usage(self, gpt):
        options = {"include_usage": True}
        chunks = list(gpt.chat.completions.create(model="gpt-x", messages=PROMPT, stream=True, stream_options=options))
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        assert len(text.split()) == 12
        assert chunks[-1].usage.completion_tokens == 12 and not chunks[-1].choices

    def test_a_stream_without_the_wish_for_usage_has_none(self, gpt):
        chunks = list(gpt.chat.completions.create(model="gpt-x", messages=PROMPT, stream=True))
        assert all(chunk.usage is None for chunk in chunks)

    def test_a_whole_response(self, gpt):
        response = gpt.responses.create(model="gpt-x", input="Name three rivers")
        assert (response.status, len(response.output_text.split())) == ("completed", 12)
        assert response.usage.output_tokens == 12

    def test_a_streamed_response(self, gpt):
        events = list(gpt.responses.create(model="gpt-x", input="Name three rivers", stream=True))
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        assert events[-1].type == "response.completed" and events[-1].response.output_text == text
        assert [event.sequence_number for event in events] == list(range(len(events)))

    def test_models_are_listed(self, gpt):
        assert gpt.models.list().data

    @pytest.mark.parametrize(
        ("model", "error"),
        [
            ("mock-401", openai.AuthenticationError),
            ("mock-404", openai.NotFoundError),
            ("mock-429", openai.RateLimitError),
            ("mock-500", openai.InternalServerError),
        ],
    )
    @pytest.mark.parametrize("stream", [False, True])
    def test_a_refusal_raises_the_sdks_own_class(self, gpt, model, error, stream):
        with pytest.raises(error) as raised:
            gpt.chat.completions.create(model=model, messages=PROMPT, stream=stream)
        assert raised.value.request_id

    def test_an_overload_raises_with_its_status(self, gpt):
        with pytest.raises(openai.InternalServerError) as raised:
            gpt.responses.create(model="mock-529", input="x")
        assert raised.value.status_code == 529

    def test_an_error_in_the_middle_of_a_completion_raises(self, gpt):
        seen = 0
        with pytest.raises(openai.APIError, match="Overloaded"):
            for _ in gpt.chat.completions.create(model="mock-error-event", messages=PROMPT, stream=True):
                seen += 1
        assert seen > 0

    def test_an_error_in_the_middle_of_a_response_is_the_sdks_own_event(self, gpt):
        # The SDK raises for the envelope of chat completions, and hands the flat event of Responses out as it is.
        events = list(gpt.responses.create(model="mock-error-event", input="x", stream=True))
        assert isinstance(events[-1], openai.types.responses.ResponseErrorEvent)
        assert "response.output_text.delta" in [event.type for event in events]

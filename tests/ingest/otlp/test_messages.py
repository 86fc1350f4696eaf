"""Payloads as a person reads them."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.ingest.otlp.messages import input_text, output_text
from tests.ingest.otlp.building import chat, run_of

IMAGE = base64.b64encode(b"x" * 12_288).decode()
CALL = {"name": "get_weather", "arguments": '{"city":"Lisbon"}'}
CALLED = '[tool call] get_weather({"city":"Lisbon"})'


def from_user(*parts: Any, key: str = "parts") -> dict[str, Any]:
    return {"messages": [{"role": "user", key: list(parts)}]}


INPUTS: dict[str, tuple[dict[str, Any], str]] = {
    "one message of the user": ({"messages": [{"role": "user", "content": "hi"}]}, "hi"),
    "one message of another role": ({"messages": [{"role": "system", "content": "hi"}]}, "system: hi"),
    "OpenTelemetry parts": ({"messages": [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]}, "hi"),
    "OpenAI parts": ({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}, "hi"),
    "Responses": (
        {"instructions": "Be brief.", "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]},
        "system: Be brief.\n\nuser: hi",
    ),
    "Responses, plain": ({"instructions": None, "input": "hi"}, "hi"),
    "Anthropic": ({"system": [{"type": "text", "text": "Be brief."}], "messages": [{"role": "user", "content": "hi"}]},
        "system: Be brief.\n\nuser: hi"),
    "Gemini": (
        {
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [{"text": "yo"}]}],
        },
        "system: Be brief.\n\nuser: hi\n\nassistant: yo",
    ),
    "completion": ({"prompt": "Once upon"}, "Once upon"),
    "token ids": ({"prompt": [1, 2, 3]}, "[3 tokens]"),
    "a tool's turn": (
        {
            "messages": [
                {"role": "user", "content": "weather?"},
                {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": CALL}]},
                {"role": "tool", "tool_call_id": "1", "content": "18 degrees"},
            ]
        },
        f"user: weather?\n\nassistant: {CALLED}\n\ntool: 18 degrees",
    ),
    "a tool's turn in OpenTelemetry parts": (
        {
            "messages": [
                {"role": "assistant", "parts": [{"type": "tool_call", "id": "1", "name": "f", "arguments": {"a": 1}}]},
                {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": {"b": 2}}]},
                {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "result": "two"}]},
            ]
        },
        'assistant: [tool call] f({"a":1})\n\ntool: {"b":2}\n\ntool: two',
    ),
    "a tool's turn of Anthropic": (
        {
            "messages": [
                {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "two"}]},
            ]
        },
        'assistant: [tool call] f({"a":1})\n\nuser: [tool result] two',
    ),
    "a tool's turn of Vercel": (
        {
            "messages": [
                {"role": "assistant", "content": [{"type": "tool-call", "toolName": "f", "input": {"a": 1}}]},
                {"role": "tool", "content": [{"type": "tool-result", "output": {"type": "json", "value": {"b": 2}}}]},
            ]
        },
        'assistant: [tool call] f({"a":1})\n\ntool: {"b":2}',
    ),
    "a tool's turn of the Responses API": (
        {
            "input": [
                {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "1", "output": "two"},
            ]
        },
        "user: [tool call] f({})\n\ntool: two",
    ),
    "reasoning": (
        from_user({"type": "reasoning", "content": "hm"}, {"type": "text", "content": "yo"}),
        "[reasoning] hm\nyo",
    ),
    "an image of OpenAI": (
        {"messages": [{"role": "user", "content": [
            {"type": "text", "text": "what is it?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}},
        ]}]},
        "what is it?\n[image image/png 12 KB]",
    ),
    "an image of Anthropic": (
        {"messages": [{"role": "user", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": IMAGE}},
        ]}]},
        "[image image/jpeg 12 KB]",
    ),
    "a blob of OpenTelemetry": (
        from_user({"type": "blob", "modality": "image", "mime_type": "image/png", "content": IMAGE}),
        "[image image/png 12 KB]",
    ),
    "an image by address": (
        {"messages": [{"role": "user", "parts": [{"type": "uri", "modality": "image", "uri": "https://x.org/a.png"}]}]},
        "[image https://x.org/a.png]",
    ),
    "LangChain's serialised messages": (
        {"messages": [[{"lc": 1, "id": ["langchain", "HumanMessage"], "kwargs": {"content": "hi", "type": "human"}}]]},
        "hi",
    ),
    "nothing": ({}, ""),
}  # fmt: skip

OUTPUTS: dict[str, tuple[dict[str, Any], str]] = {
    "OpenAI chat": ({"choices": [{"message": {"role": "assistant", "content": "yo"}}]}, "yo"),
    "several choices": ({"choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}]}, "a\n\nb"),
    "OpenAI completion": ({"choices": [{"text": "yo", "index": 0}]}, "yo"),
    "OpenAI Responses": (
        {
            "output": [
                {"type": "reasoning", "summary": []},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yo"}]},
            ]
        },
        "yo",
    ),
    "Responses' tool call": ({"output": [{"type": "function_call", **CALL}]}, CALLED),
    "Anthropic": ({"content": [{"type": "text", "text": "yo"}]}, "yo"),
    "Gemini": ({"candidates": [{"content": {"role": "model", "parts": [{"text": "yo"}]}}]}, "yo"),
    "Ollama": ({"message": {"role": "assistant", "content": "yo"}, "done": True}, "yo"),
    "an object": ({"object": "chat.completion", "choices": [{"message": {"content": "yo"}}]}, "yo"),
    "embeddings": ({"object": "list", "data": [{"embedding": [0.1, 0.2]}]}, "[1 vector of 2 dimensions]"),
    "a tool call": (
        {"choices": [{"message": {"content": None, "tool_calls": [{"type": "function", "function": CALL}]}}]},
        '[tool call] get_weather({"city":"Lisbon"})',
    ),
    "LangChain": ({"generations": [[{"text": "yo", "message": {"kwargs": {"content": "yo"}}}]]}, "yo"),
    "nothing but a role": ({"messages": [{"role": "assistant"}]}, ""),
    "nothing said": ({"choices": [{"message": {"role": "assistant", "content": None}}]}, ""),
    "nothing": ({}, ""),
}  # fmt: skip


@pytest.mark.parametrize(("request_payload", "text"), INPUTS.values(), ids=INPUTS)
def test_an_input_reads_as_plain_text(request_payload: dict[str, Any], text: str) -> None:
    assert input_text(request_payload) == text


@pytest.mark.parametrize(("response", "text"), OUTPUTS.values(), ids=OUTPUTS)
def test_an_output_reads_as_plain_text(response: dict[str, Any], text: str) -> None:
    assert output_text(response) == text


@pytest.mark.parametrize("text", ["مرحبا بالعالم", "你好，世界", "नमस्ते", "שלום", "👩‍👩‍👧 é ﬁ"])
def test_text_is_stored_decoded_in_every_script(text: str) -> None:
    escaped = json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}], ensure_ascii=True)
    run = chat({"gen_ai.input.messages": escaped})
    assert run.input == text
    assert text in run.request


def test_nul_and_lone_surrogates_become_replacement_characters() -> None:
    messages = '[{"role":"user","parts":[{"type":"text","content":"a\\u0000b\\ud800c"}]}]'
    run = chat({"gen_ai.input.messages": messages, "note\0": "x\0y"})
    assert run.input == "a\ufffdb\ufffdc"
    assert "\\u0000" not in run.request
    assert json.loads(run.request)["messages"][0]["parts"][0]["content"] == "a\ufffdb\ufffdc"
    assert run.attributes["note\ufffd"] == "x\ufffdy"


def test_lone_surrogates_inside_a_payload_reach_no_field() -> None:
    answer = '{"id":"chat\\ud800","choices":[{"finish_reason":"st\\ud800op","message":{"content":"a\\udfff"}}]}'
    wire = '{"model":"m\\ud800","messages":[{"role":"user","content":"b"}]}'
    run = run_of({"openinference.span.kind": "LLM", "input.value": wire, "output.value": answer})
    assert (run.model, run.response_id, run.finish_reasons) == ("m\ufffd", "chat\ufffd", ["st\ufffdop"])
    assert run.output == "a\ufffd"
    json.loads(run.response)


def test_messages_nested_a_thousand_levels_deep_are_read_to_a_bound() -> None:
    deep: Any = "bottom"
    for _ in range(300):
        deep = {"content": [deep]}
    run = chat({"gen_ai.input.messages": json.dumps([{"role": "user", "content": [deep]}])})
    json.loads(run.request)
    endless = "[" * 5000 + "]" * 5000
    assert json.loads(chat({"gen_ai.input.messages": endless}).request)["input"] == endless


_plain_texts = st.text() | st.sampled_from(['[{"type": "text", "content": "a"}]', "[", '["type"', ""])
_messages = st.builds(
    lambda role, said: {"role": role, **said},
    st.sampled_from(["user", "assistant", "system", "tool", "model", "", None, 7]),
    st.builds(lambda text: {"content": text}, _plain_texts)
    | st.builds(lambda text: {"parts": [{"type": "text", "content": text}]}, _plain_texts)
    | st.builds(lambda text: {"parts": [{"type": "reasoning", "content": text}]}, _plain_texts)
    | st.builds(lambda text: {"content": [{"type": "text", "text": text}]}, _plain_texts),
)


@given(st.lists(_messages, max_size=4))
def test_plain_messages_read_as_they_do_by_the_long_way(messages: list[dict[str, Any]]) -> None:
    # A third key that says nothing sends a message the long way.
    assert input_text({"messages": messages}) == input_text({"messages": [{**m, "id": None} for m in messages]})

"""One call, spelled in each dialect, gives the same run."""

import json
from typing import Any

import pytest

from modeltraces.run import Run
from tests.ingest.otlp.building import chat, decode, event, run_of, span

SYSTEM = "Answer in one sentence."
QUESTION = "How is the weather in Lisbon? 天気は?"
ANSWER = "18 degrees and sunny ☀️"
TOOL = {"name": "get_weather", "description": "Weather", "parameters": {"type": "object"}}

GEN_AI: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.request.temperature": 0.2,
    "gen_ai.system_instructions": json.dumps([{"type": "text", "content": SYSTEM}]),
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]),
    "gen_ai.output.messages": json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}], "finish_reason": "stop"}]
    ),
    "gen_ai.tool.definitions": json.dumps([TOOL]),
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 42,
    "gen_ai.usage.output_tokens": 17,
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.cache_write.input_tokens": 8,
    "gen_ai.usage.reasoning.output_tokens": 5,
    "gen_ai.request.stream": True,
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.conversation.id": "session-1",
    "user.id": "user-1",
}
GEN_AI_STRUCTURED = GEN_AI | {
    name: json.loads(GEN_AI[name])
    for name in ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages")
}
GEN_AI_OLD = {
    name: value
    for name, value in GEN_AI.items()
    if name
    not in (
        "gen_ai.provider.name",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.cache_write.input_tokens",
    )
} | {
    "gen_ai.system": "openai",
    "gen_ai.usage.prompt_tokens": 42,
    "gen_ai.usage.completion_tokens": 17,
    "gen_ai.usage.cache_creation.input_tokens": 8,
}
OPENINFERENCE: dict[str, Any] = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.model_name": "gpt-4o-2024-08-06",
    "llm.invocation_parameters": json.dumps({"model": "gpt-4o", "temperature": 0.2, "stream": True}),
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": SYSTEM,
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.contents.0.message_content.type": "text",
    "llm.input_messages.1.message.contents.0.message_content.text": QUESTION,
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": ANSWER,
    "llm.tools.0.tool.json_schema": json.dumps(TOOL),
    "llm.finish_reason": "stop",
    "llm.token_count.prompt": 42,
    "llm.token_count.completion": 17,
    "llm.token_count.total": 59,
    "llm.token_count.prompt_details.cache_read": 4,
    "llm.token_count.prompt_details.cache_write": 8,
    "llm.token_count.completion_details.reasoning": 5,
    "output.value": json.dumps(
        {"id": "chatcmpl-1", "choices": [{"message": {"role": "assistant", "content": ANSWER}}]}
    ),
    "output.mime_type": "application/json",
    "session.id": "session-1",
    "user.id": "user-1",
}
OPENLLMETRY_OLD: dict[str, Any] = {
    "llm.request.type": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.temperature": 0.2,
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "llm.is_streaming": "True",
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": SYSTEM,
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": json.dumps([{"type": "text", "text": QUESTION}]),
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": ANSWER,
    "gen_ai.completion.0.finish_reason": "stop",
    "llm.request.functions.0.name": "get_weather",
    "llm.request.functions.0.description": "Weather",
    "llm.request.functions.0.parameters": json.dumps(TOOL["parameters"]),
    "gen_ai.usage.prompt_tokens": "42",
    "gen_ai.usage.completion_tokens": 17.0,
    "gen_ai.usage.cache_read_input_tokens": 4,
    "gen_ai.usage.cache_creation_input_tokens": 8,
    "gen_ai.usage.reasoning_tokens": 5,
    "traceloop.association.properties.session_id": "session-1",
    "traceloop.association.properties.user_id": "user-1",
}
VERCEL: dict[str, Any] = {
    "operation.name": "ai.streamText.doStream",
    "ai.operationId": "ai.streamText.doStream",
    "ai.model.provider": "openai.chat",
    "ai.model.id": "gpt-4o",
    "gen_ai.request.temperature": 0.2,
    "ai.prompt.messages": json.dumps(
        [{"role": "system", "content": SYSTEM}, {"role": "user", "content": [{"type": "text", "text": QUESTION}]}]
    ),
    "ai.prompt.tools": [json.dumps(TOOL)],
    "ai.response.text": ANSWER,
    "ai.response.finishReason": "stop",
    "ai.response.id": "chatcmpl-1",
    "ai.response.model": "gpt-4o-2024-08-06",
    "ai.response.msToFirstChunk": 250.0,
    "ai.usage.inputTokens": 42,
    "ai.usage.outputTokens": 17,
    "ai.usage.cachedInputTokens": 4,
    "ai.usage.inputTokenDetails.cacheWriteTokens": 8,
    "ai.usage.reasoningTokens": 5,
    "ai.telemetry.metadata.sessionId": "session-1",
    "ai.telemetry.metadata.userId": "user-1",
}
LANGFUSE: dict[str, Any] = {
    "langfuse.observation.type": "generation",
    "langfuse.observation.model.name": "gpt-4o",
    "langfuse.observation.model.parameters": json.dumps({"temperature": 0.2, "stream": True}),
    "langfuse.observation.input": json.dumps(
        {"messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}], "tools": [TOOL]}
    ),
    "langfuse.observation.output": json.dumps({"role": "assistant", "content": ANSWER}),
    "langfuse.observation.usage_details": json.dumps(
        {"prompt_tokens": 42, "completion_tokens": 17, "prompt_tokens_details": {"cached_tokens": 4}}
    ),
    "langfuse.observation.completion_start_time": "",
    "session.id": "session-1",
    "user.id": "user-1",
}

ALL = {
    "GenAI": GEN_AI,
    "GenAI, structured values": GEN_AI_STRUCTURED,
    "GenAI, older names": GEN_AI_OLD,
    "OpenInference": OPENINFERENCE,
    "OpenLLMetry, older names": OPENLLMETRY_OLD,
    "Vercel": VERCEL,
    "Langfuse": LANGFUSE,
}
FULL = [name for name in ALL if name != "Langfuse"]


def run_in(dialect: str) -> Run:
    events = [event("First Token Stream Event", {}, after_ms=250)] if dialect == "OpenInference" else []
    return run_of(ALL[dialect], events=events)


@pytest.mark.parametrize("dialect", ALL)
def test_what_was_said_reads_the_same_in_every_dialect(dialect: str) -> None:
    run = run_in(dialect)
    assert run.input == f"system: {SYSTEM}\n\nuser: {QUESTION}"
    assert run.output == ANSWER
    assert run.input_size == len(run.input.encode())
    assert run.output_size == len(ANSWER.encode())
    assert (run.status, run.error_type, run.error_message) == ("success", "", "")


@pytest.mark.parametrize("dialect", ALL)
def test_the_request_payload_holds_model_messages_tools_and_parameters(dialect: str) -> None:
    request = json.loads(run_in(dialect).request)
    assert request["model"] == "gpt-4o"
    assert request["tools"] == [TOOL]
    assert request["temperature"] == 0.2
    assert "messages" in request
    assert QUESTION in run_in(dialect).request


@pytest.mark.parametrize("dialect", FULL)
def test_the_fields_are_the_same_in_every_dialect(dialect: str) -> None:
    run = run_in(dialect)
    assert (run.model, run.base_model, run.provider) == ("gpt-4o", "gpt-4o-2024-08-06", "openai")
    assert (run.input_tokens, run.output_tokens) == (42, 17)
    assert (run.cached_input_tokens, run.cache_write_input_tokens, run.reasoning_tokens) == (4, 8, 5)
    assert run.finish_reasons == ["stop"]
    assert run.streaming
    assert run.response_id == "chatcmpl-1"
    assert (run.session_id, run.user_id) == ("session-1", "user-1")
    assert run.response_time_ms == 1500.0


@pytest.mark.parametrize("dialect", [name for name in FULL if name != "OpenLLMetry, older names"])
def test_the_first_token_is_in_milliseconds_whatever_the_dialects_unit(dialect: str) -> None:
    assert run_in(dialect).time_to_first_token_ms == pytest.approx(250.0)


@pytest.mark.parametrize("dialect", FULL)
def test_what_a_field_took_does_not_stand_among_the_attributes_too(dialect: str) -> None:
    attributes = run_in(dialect).attributes
    assert not any(ANSWER in value or QUESTION in value for value in attributes.values())
    assert not any("tokens" in name for name in attributes)
    assert attributes["service.name"] == "weather-app"


def test_langfuse_counts_cached_tokens_beside_the_input_and_we_count_them_in() -> None:
    details = {"input": 30, "output": 17, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 8, "total": 59}
    run = run_of(LANGFUSE | {"langfuse.observation.usage_details": json.dumps(details)})
    assert (run.input_tokens, run.output_tokens, run.cached_input_tokens) == (42, 17, 4)


def test_langfuse_failure_and_first_token_are_read() -> None:
    started = {"langfuse.observation.completion_start_time": '"2026-11-18T11:05:40.250000Z"'}
    failed = {"langfuse.observation.level": "ERROR", "langfuse.observation.status_message": "no quota"}
    run = run_of(
        LANGFUSE | started | failed,
        start_time_unix_nano=1_794_999_940_000_000_000,
        end_time_unix_nano=1_794_999_941_000_000_000,
    )
    assert (run.status, run.error_message) == ("failed", "no quota")
    assert run.time_to_first_token_ms == pytest.approx(250.0)


def test_newest_name_wins_and_what_an_older_one_says_differently_is_kept_as_an_attribute() -> None:
    run = chat({"gen_ai.system": "az.ai.inference", "gen_ai.provider.name": "azure.ai.inference"})
    assert run.provider == "azure.ai.inference"
    assert run.attributes["gen_ai.system"] == "az.ai.inference"


def test_the_whole_wire_payload_is_kept_with_keys_that_no_dialect_knows() -> None:
    wire = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "logit_bias": {"50256": -100}}
    answer = {"id": "chatcmpl-9", "choices": [{"message": {"content": "yo"}}], "system_fingerprint": "fp"}
    run = run_of(
        {"openinference.span.kind": "LLM", "input.value": json.dumps(wire), "output.value": json.dumps(answer)}
    )
    assert json.loads(run.request) == wire
    assert json.loads(run.response).items() >= answer.items()
    assert (run.input, run.output, run.model, run.response_id) == ("hi", "yo", "gpt-4o", "chatcmpl-9")


def test_langchains_result_tells_the_providers_id_and_that_it_was_streamed() -> None:
    metadata = {"id": "chatcmpl-7", "model_name": "gpt-4o"}
    message = {"kwargs": {"content": "yo", "id": "lc_run--1", "type": "AIMessageChunk", "response_metadata": metadata}}
    result = {"generations": [[{"text": "yo", "message": message}]], "llm_output": None}
    messages = {"llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": "yo"}
    run = run_of({"openinference.span.kind": "LLM", "output.value": json.dumps(result), **messages})
    assert (run.response_id, run.streaming, run.output) == ("chatcmpl-7", True, "yo")


def test_an_id_inside_the_input_history_is_no_response_id() -> None:
    history = {"messages": [{"role": "assistant", "content": "a", "id": "chatcmpl-old"}], "id": "chatcmpl-old"}
    assert run_of({"openinference.span.kind": "LLM", "input.value": json.dumps(history)}).response_id == ""


def test_litellm_spells_a_tool_call_as_function_call_and_reasons_as_json_text() -> None:
    run = chat(
        {
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "weather?",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.function_call.name": "get_weather",
            "gen_ai.completion.0.function_call.arguments": '{"city": "Lisbon"}',
            "gen_ai.response.finish_reasons": '["tool_calls"]',
            "llm.is_streaming": "False",
        }
    )
    assert run.output == '[tool call] get_weather({"city": "Lisbon"})'
    assert run.finish_reasons == ["tool_calls"]
    assert not run.streaming


def test_embeddings_read_as_their_texts_and_the_vectors_measure() -> None:
    run = run_of(
        {
            "openinference.span.kind": "EMBEDDING",
            "embedding.model_name": "text-embedding-3-small",
            "embedding.embeddings.0.embedding.text": "sunny",
            "embedding.embeddings.0.embedding.vector": [0.1, 0.2, 0.3],
            "embedding.embeddings.1.embedding.text": "rainy",
            "embedding.embeddings.1.embedding.vector": [0.1, 0.2, 0.4],
        }
    )
    assert run.model == "text-embedding-3-small"
    assert run.input == "sunny\n\nrainy"
    assert run.output == "[2 vectors of 3 dimensions]"


def test_redacted_text_stays_as_the_emitter_redacted_it() -> None:
    run = run_of({"openinference.span.kind": "LLM", "input.value": "__REDACTED__", "output.value": "__REDACTED__"})
    assert (run.input, run.output) == ("__REDACTED__", "__REDACTED__")


def test_a_call_that_names_no_model_is_kept_as_unknown() -> None:
    assert run_of({"gen_ai.operation.name": "chat"}).model == "unknown"


def test_the_served_model_stands_in_for_a_requested_one_that_is_not_named() -> None:
    run = run_of({"gen_ai.operation.name": "chat", "gen_ai.response.model": "llama-3-8b"})
    assert (run.model, run.base_model) == ("llama-3-8b", "llama-3-8b")


def test_engines_give_durations_in_seconds_and_do_not_say_that_they_streamed() -> None:
    run = run_of(
        {
            "gen_ai.response.model": "llama-3-8b",
            "gen_ai.latency.time_to_first_token": 0.125,
            "gen_ai.latency.e2e": 2.0,
            "gen_ai.usage.prompt_tokens": 5,
            "gen_ai.usage.completion_tokens": 6,
        }
    )
    assert run.time_to_first_token_ms == 125.0
    assert not run.streaming
    assert (run.input_tokens, run.output_tokens) == (5, 6)
    assert run.attributes["gen_ai.latency.e2e"] == "2.0"


def test_a_server_may_say_its_deployment_once_for_all_its_spans() -> None:
    resource = {"service.name": "vllm", "modeltraces.deployment_version": "v2", "modeltraces.connection_name": "eu"}
    [run] = decode(span(GEN_AI), resource=resource).runs
    assert (run.deployment_version, run.connection_name) == ("v2", "eu")
    [run] = decode(span(GEN_AI | {"modeltraces.deployment_version": "v3"}), resource=resource).runs
    assert run.deployment_version == "v3"


def test_explicit_attributes_of_ours_win() -> None:
    run = chat(
        {
            "modeltraces.deployment_version": "v2",
            "modeltraces.connection_name": "azure-eu",
            "modeltraces.session_id": "s",
            "modeltraces.user_id": "u",
            "gen_ai.conversation.id": "other",
            "user.id": "other",
        }
    )
    assert (run.deployment_version, run.connection_name, run.session_id, run.user_id) == ("v2", "azure-eu", "s", "u")

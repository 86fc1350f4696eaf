"""What must be known of every scenario of every emitter, whatever form its telemetry takes.

A fact is one run, field by field: the value, or a list of the values that will do; a part of the text where the name
ends in `_contains`, the whole of it if empty; a pattern for all of it where it ends in `_matches`. None is unknown, and
must be shown as such. A field that is left out cannot be known from what the emitter sends.
"""

from typing import Any

from tests.emitters.catalog import SERVICE
from tests.emitters.fake_answers import (
    ANSWER,
    CACHED_TOKENS,
    EMBEDDING_TOKENS,
    FINAL_ANSWER,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    REASONING_TOKENS,
)

Fact = dict[str, Any]
Facts = dict[str, list[Fact]]

OPENAI_MODEL = "gpt-4o-mini"
ANTHROPIC_MODEL = "claude-sonnet-4-5"
EMBEDDING_MODEL = "text-embedding-3-small"
SERVED = "-2026-07-18"
QUESTION = "How is the weather in Lisbon?"
TOOL = 'get_weather({"city":'
UNCOUNTED = {"input_tokens": None, "output_tokens": None, "cached_input_tokens": None, "reasoning_tokens": None}
RATE = {
    "type_matches": r"(?i)[\w.]*(rate_?limit_?error|AI_APICallError|AI_RetryError)",
    "message_matches": r"(?!Traceback).*(?i:rate limit).*",
}
BAD_REQUEST = {
    "type_matches": r"(?i)[\w.]*(bad_?request|invalid_?request|context_?window_?exceeded)_?error",
    "message_matches": "(?!Traceback).*context length.*",
}
OVERLOADED = {
    "type_matches": r"(?i)[\w.]*(overloaded|internal_?server)_?error",
    "message_matches": "(?!Traceback).*Overloaded.*",
}
BROKEN = {
    "type_matches": r"(?i)[\w.]*(connection_?error|protocol_?error|AI_APICallError)",
    "message_matches": "(?!Traceback).*(Connection error|peer closed|Failed to process).*",
}


EMBEDDINGS_LACK = ("output_contains", "output_tokens", "cached_input_tokens", "reasoning_tokens")


def _run(**more: Any) -> Fact:
    known: Fact = {
        "model": OPENAI_MODEL,
        "provider": "openai",
        "status": "success",
        "error": None,
        "input_contains": QUESTION,
        "output_contains": ANSWER,
        "input_tokens": INPUT_TOKENS,
        "output_tokens": OUTPUT_TOKENS,
        "cached_input_tokens": CACHED_TOKENS,
        "reasoning_tokens": REASONING_TOKENS,
        "source_type": "Application",
        "source": SERVICE,
        "streaming": False,
    }
    return known | more


def _failed(error: dict[str, str], **more: Any) -> Fact:
    return _run(status="failed", error=error, output_contains="", **UNCOUNTED) | more


def _openai() -> Facts:
    """The scenarios of the openai SDK as an instrumentation that sees everything records them."""
    tools = [_run(output_contains=TOOL), _run(output_contains=FINAL_ANSWER, input_contains="18 degrees, sunny")]
    embedding = _run(model=EMBEDDING_MODEL, input_contains="sunny in Lisbon", input_tokens=EMBEDDING_TOKENS)
    return {
        "success": [_run()],
        "stream": [_run(streaming=True)],
        "stream_no_usage": [_run(streaming=True, **UNCOUNTED)],
        "error429": [_failed(RATE)],
        "error400": [_failed(BAD_REQUEST)],
        "stream_error429": [_failed(RATE, streaming=True)],
        "broken": [_failed(BROKEN, streaming=True, output_contains="It is 18")],
        "tool": tools,
        "stream_tool": [_run(output_contains=TOOL, streaming=True)],
        "embeddings": [_without(embedding, *EMBEDDINGS_LACK)],
        "responses": [_run()],
        "responses_stream": [_run(streaming=True)],
        "responses_error429": [_failed(RATE)],
        "responses_tool": [_run(output_contains=TOOL)],
    }


def _anthropic() -> Facts:
    claude = {"model": ANTHROPIC_MODEL, "provider": "anthropic", "reasoning_tokens": None}
    half = {"output_contains": "It is", "input_tokens": INPUT_TOKENS, "output_tokens": [1, None]}
    half["cached_input_tokens"] = CACHED_TOKENS
    facts = {
        "success": [_run()],
        "stream": [_run(streaming=True)],
        "stream_helper": [_run(streaming=True)],
        "error529": [_failed(OVERLOADED)],
        "error400": [_failed(BAD_REQUEST)],
        "stream_error529": [_failed(OVERLOADED, streaming=True)],
        "broken": [_failed(BROKEN, streaming=True, **half)],
        "tool": [_run(output_contains=TOOL), _run(output_contains=FINAL_ANSWER)],
        "stream_tool": [_run(output_contains=TOOL, streaming=True)],
    }
    return _with(facts, **claude)


def _with(scenarios: Facts, **more: Any) -> Facts:
    return {name: [fact | more for fact in facts] for name, facts in scenarios.items()}


def _without(fact: Fact, *names: str) -> Fact:
    return {name: value for name, value in fact.items() if name not in names}


def _not_knowing(scenarios: Facts, *names: str) -> Facts:
    return {name: [_without(fact, *names) for fact in facts] for name, facts in scenarios.items()}


def _only(scenarios: Facts, names: str) -> Facts:
    return {name: scenarios[name] for name in names.split()}


def _no_content(scenarios: Facts) -> Facts:
    return _with(scenarios, input_contains="", output_contains="")


def _openai_emitters() -> dict[str, Facts]:
    base = _openai()
    chat_only = {name: facts for name, facts in base.items() if not name.startswith("responses")}
    # OpenLLMetry ends a broken stream's span with status OK.
    cut_off = _run(streaming=True, output_contains="It is 18", **UNCOUNTED)
    # It does not read how many tokens of a stream were for reasoning.
    streams = {name: _with({"": base[name]}, reasoning_tokens=None)[""] for name in ("stream", "stream_tool")}
    openllmetry = base | streams | {"broken": [cut_off]}
    # Its choice event bears no trace and span id when the answer was streamed: the output is then unknown.
    nowhere = {name: _with({name: openllmetry[name]}, output_contains="")[name] for name in (
        "stream", "stream_no_usage", "stream_tool", "broken")}  # fmt: skip
    # Nor are cached and reasoning tokens known to it.
    older = _with(_not_knowing(chat_only, "streaming"), cached_input_tokens=None, reasoning_tokens=None)
    # Its embeddings have no events, and so no content; the newer package's neither.
    silent = [_without(base["embeddings"][0], "input_contains")]
    # Failing calls are not said to be streamed.
    newer = base | {"stream_error429": [_without(base["stream_error429"][0], "streaming")], "embeddings": silent}
    return {
        "openai_openinference": base,
        "openai_openllmetry": openllmetry,
        "openai_openllmetry_events": openllmetry | nowhere,
        "openai_otel_v2": older | {"embeddings": silent},
        "openai_otel_v2_latest": older | {"embeddings": silent},
        "openai_otel_genai_spans": newer,
        "openai_otel_genai_events": newer,
        "openai_otel_genai_no_content": _no_content(newer),
    }


def _anthropic_emitters() -> dict[str, Facts]:
    base = _anthropic()
    # The SDK's own span says the type of an error, and no more.
    native = {
        name: [fact | ({"error": fact["error"] | {"message_matches": ""}} if fact["error"] else {}) for fact in facts]
        for name, facts in _no_content(base).items()
    }
    openllmetry = base | {
        # It adds the first event's count to the last one's; the SDK's own span has it right.
        name: [fact | {"output_tokens": [OUTPUT_TOKENS, OUTPUT_TOKENS + 1]} for fact in base[name]]
        for name in ("stream", "stream_helper", "stream_tool")
    }
    # It records nothing of a broken stream: only the SDK's own span is left.
    openllmetry["broken"] = native["broken"]
    # In events mode no event bears a trace id. The span of a call that was not streamed bears neither the model nor the
    # response's id: those are the SDK's own span's.
    events = _no_content(openllmetry)
    return {
        "anthropic_openinference": base,
        "anthropic_openllmetry": openllmetry,
        "anthropic_openllmetry_in_request": openllmetry,
        "anthropic_openllmetry_events": events,
        "anthropic_otel_genai_spans": base,
        "anthropic_otel_genai_events": base,
        "anthropic_native": native,
    }


def _litellm() -> Facts:
    facts = _only(_openai(), "success stream stream_no_usage error429 error400 broken tool embeddings")
    # Cached and reasoning tokens stand only in a text of Python's (`metadata.usage_object`).
    uncounted: Fact = {"cached_input_tokens": None, "reasoning_tokens": None}
    facts = _with(facts, **uncounted)
    # Where the stream told no usage, it counts tokens itself. What a broken stream had said is lost.
    facts["stream_no_usage"] = [_run(streaming=True, input_tokens=36, output_tokens=10, **uncounted)]
    facts["broken"] = [_failed(BROKEN, streaming=True)]
    facts["embeddings"] = [_without(facts["embeddings"][0], "provider", *EMBEDDINGS_LACK)]
    claude = {"model": ANTHROPIC_MODEL, "provider": "anthropic"} | uncounted
    facts["anthropic"] = [_run(**claude)]
    facts["anthropic_error529"] = [_failed(OVERLOADED, **claude)]
    return facts


def _langchain_emitters() -> dict[str, Facts]:
    facts = _only(_openai(), "success stream stream_no_usage error429 broken tool")
    facts["agent_error429"] = [_failed(RATE)]
    embedded = {"embeddings": _openai()["embeddings"]}
    # Its invocation parameters say `"stream": false` of a stream too.
    openinference = _not_knowing(facts, "streaming")
    both = openinference | embedded
    otel = facts | {"broken": [_failed(BROKEN, streaming=True)]}
    # Of a broken stream this one keeps no output, and of embeddings no input.
    silent = [_without(embedded["embeddings"][0], "input_contains")]
    return {
        "langchain_openinference": openinference,
        "langchain_openinference_twice": both,
        "langchain_otel": otel,
        "langchain_otel_twice": otel | {"embeddings": silent},
        "langchain_mixed_twice": both,
        "langchain_mixed_in_request": both,
    }


def _pydantic_ai_emitters() -> dict[str, Facts]:
    facts = _only(_openai(), "success stream error429 error400 broken tool")
    facts = _not_knowing(_with(facts, source_type="Agent", source="weather-agent"), "streaming")
    # Failing calls bear no input; a broken stream's span is not marked as failed.
    silent = {name: _with({name: facts[name]}, input_contains="")[name] for name in ("error429", "error400")}
    ended_well = {"status": "success", "error": None}
    return {
        "pydantic_ai": facts | silent | {"broken": [facts["broken"][0] | ended_well]},
        "pydantic_ai_twice": facts,
    }


def _vercel_emitters() -> dict[str, Facts]:
    base = _openai()
    facts = _only(base, "success stream error429 stream_error429 broken tool embeddings responses")
    facts["error429_retried"] = [_failed(RATE)]
    facts["stream_tool"] = _with({"": base["tool"]}, streaming=True)[""]
    # What a broken stream had said is lost.
    facts["broken"] = [_failed(BROKEN, streaming=True)]
    facts["embeddings_many"] = [fact | {"input_contains": "sunny"} for fact in base["embeddings"]]
    # Major 6 makes a span for each try, and none for a broken stream.
    six = {name: expected for name, expected in facts.items() if name != "broken"}
    six["error429_retried"] = [_failed(RATE), _failed(RATE)]
    seven = _not_knowing(facts, "streaming")
    for name in ("embeddings", "embeddings_many"):
        seven[name] = [_without(seven[name][0], "input_contains")]
    return {"vercel_ai_6": six, "vercel_ai_7": seven, "vercel_ai_7_legacy": facts}


def _langfuse() -> Facts:
    facts = _only(_openai(), "success stream stream_no_usage broken tool")
    # A broken stream's observation is not marked as failed.
    facts["broken"] = [facts["broken"][0] | {"status": "success", "error": None}]
    facts["observed"] = [_run(session_id="session-7", user_id="user-7")]
    # The requested model is replaced by the one that served. No provider is named.
    facts = _with(facts, model=OPENAI_MODEL + SERVED)
    # An error is a message without a type: its type is what OpenAI's status code means.
    facts["error429"] = [_failed(RATE)]
    by_hand = UNCOUNTED | {"output_contains": "Sunny.", "input_tokens": 12, "output_tokens": 3}
    facts["generation"] = [_run(model="llama-3-8b", **by_hand)]
    return _not_knowing(facts, "streaming", "provider")


EXPECTED: dict[str, Facts] = {
    **_openai_emitters(),
    **_anthropic_emitters(),
    "litellm_otel": _litellm(),
    **_langchain_emitters(),
    **_pydantic_ai_emitters(),
    **_vercel_emitters(),
    "langfuse": _langfuse(),
}

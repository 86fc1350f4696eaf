"""Which spans are runs."""

from typing import Any

import pytest

from tests.ingest.otlp.building import CHAT, decode, run_of, span

CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("GenAI chat", {"gen_ai.operation.name": "chat"}, "chat"),
    ("GenAI embeddings", {"gen_ai.operation.name": "embeddings"}, "embeddings"),
    ("GenAI text completion", {"gen_ai.operation.name": "text_completion"}, "text_completion"),
    ("GenAI generate_content", {"gen_ai.operation.name": "generate_content"}, "generate_content"),
    ("OpenInference LLM", {"openinference.span.kind": "LLM"}, "chat"),
    (
        "OpenInference completion",
        {"openinference.span.kind": "LLM", "llm.prompts.0.prompt.text": "a"},
        "text_completion",
    ),
    ("OpenInference embedding", {"openinference.span.kind": "EMBEDDING"}, "embeddings"),
    ("OpenInference reranker", {"openinference.span.kind": "RERANKER", "reranker.model_name": "bge"}, "rerank"),
    ("OpenLLMetry chat", {"llm.request.type": "chat"}, "chat"),
    ("OpenLLMetry completion", {"llm.request.type": "completion"}, "text_completion"),
    ("OpenLLMetry embedding", {"llm.request.type": "embedding"}, "embeddings"),
    ("Vercel doGenerate", {"ai.operationId": "ai.generateText.doGenerate"}, "chat"),
    ("Vercel doStream", {"ai.operationId": "ai.streamObject.doStream"}, "chat"),
    ("Vercel doEmbed", {"ai.operationId": "ai.embedMany.doEmbed"}, "embeddings"),
    ("Vercel by operation.name only", {"operation.name": "ai.generateText.doGenerate bot"}, "chat"),
    ("Langfuse generation", {"langfuse.observation.type": "generation"}, "chat"),
    ("Langfuse embedding", {"langfuse.observation.type": "embedding"}, "embeddings"),
    ("an engine's span", {"gen_ai.response.model": "llama", "gen_ai.latency.e2e": 1.2}, "chat"),
    (
        "an unknown operation with usage",
        {"gen_ai.operation.name": "summarize", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 1},
        "summarize",
    ),
]

OTHERS: list[tuple[str, str, dict[str, Any]]] = [
    ("an HTTP client", "POST", {"http.request.method": "POST", "url.full": "https://api.openai.com/v1"}),
    ("GenAI agent", "invoke_agent a", {"gen_ai.operation.name": "invoke_agent"}),
    ("GenAI tool", "execute_tool t", {"gen_ai.operation.name": "execute_tool"}),
    ("GenAI retrieval", "retrieval", {"gen_ai.operation.name": "retrieval", "gen_ai.usage.input_tokens": 1}),
    ("GenAI workflow", "invoke_workflow w", {"gen_ai.operation.name": "invoke_workflow"}),
    ("OpenInference chain", "chain", {"openinference.span.kind": "CHAIN", "llm.input_messages.0.message.role": "user"}),
    ("OpenInference agent", "agent", {"openinference.span.kind": "AGENT"}),
    ("OpenInference tool", "tool", {"openinference.span.kind": "TOOL"}),
    ("OpenInference retriever", "retriever", {"openinference.span.kind": "RETRIEVER"}),
    ("OpenInference guardrail", "guard", {"openinference.span.kind": "GUARDRAIL"}),
    ("OpenInference reranker without a model", "rerank", {"openinference.span.kind": "RERANKER"}),
    ("OpenLLMetry workflow", "w", {"traceloop.span.kind": "workflow", "llm.request.type": "chat"}),
    ("OpenLLMetry task", "t", {"traceloop.span.kind": "task"}),
    ("Vercel generateText", "ai.generateText", {"ai.operationId": "ai.generateText", "ai.usage.inputTokens": 3}),
    ("Vercel streamText", "ai.streamText", {"ai.operationId": "ai.streamText"}),
    ("Vercel tool call", "ai.toolCall", {"ai.operationId": "ai.toolCall"}),
    ("Langfuse span", "s", {"langfuse.observation.type": "span"}),
    ("Langfuse agent", "s", {"langfuse.observation.type": "agent"}),
    ("litellm's wrapper", "raw_gen_ai_request", {"gen_ai.operation.name": "chat"}),
]


@pytest.mark.parametrize(("attributes", "operation"), [call[1:] for call in CALLS], ids=[call[0] for call in CALLS])
def test_a_model_call_is_a_run_with_its_operation(attributes: dict[str, Any], operation: str) -> None:
    assert run_of(attributes).operation == operation


@pytest.mark.parametrize(("name", "attributes"), [other[1:] for other in OTHERS], ids=[other[0] for other in OTHERS])
def test_another_kind_of_span_is_ignored_and_counted(name: str, attributes: dict[str, Any]) -> None:
    with_model = {"gen_ai.request.model": "gpt-4o", "llm.model_name": "gpt-4o", **attributes}
    for given in (attributes, with_model):
        decoded = decode(span(given, name=name))
        assert (decoded.runs, decoded.rejected, decoded.ignored) == ([], [], 1)


def test_runs_keep_the_order_of_their_spans_among_others() -> None:
    spans = [span(CHAT, span_id=bytes([number] * 8)) for number in range(1, 4)]
    decoded = decode(spans[0], span({"http.route": "/"}), spans[1], spans[2])
    assert [run.span_id for run in decoded.runs] == ["01" * 8, "02" * 8, "03" * 8]
    assert decoded.ignored == 1

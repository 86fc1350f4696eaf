"""The names that each dialect has for each concept: the newest first.

Read across: what a concept is called in OpenTelemetry's GenAI conventions, in OpenInference, in OpenLLMetry
(Traceloop), in the Vercel AI SDK and in Langfuse's SDK. A span is read with all of them at once, because emitters mix
them; of several names that hold a value, the leftmost column and the newest name win. `ours` are the attributes that
a sender may set to be explicit.
"""

from typing import Final, NamedTuple


class Names(NamedTuple):
    ours: tuple[str, ...] = ()
    gen_ai: tuple[str, ...] = ()
    openinference: tuple[str, ...] = ()
    openllmetry: tuple[str, ...] = ()
    vercel: tuple[str, ...] = ()
    langfuse: tuple[str, ...] = ()


TABLE: Final[dict[str, Names]] = {
    # Which call it is
    "operation": Names(
        gen_ai=("gen_ai.operation.name",),
        openinference=("openinference.span.kind",),
        openllmetry=("llm.request.type",),
        vercel=("ai.operationId", "operation.name"),
        langfuse=("langfuse.observation.type", "langfuse.span.type"),
    ),
    "wrapper": Names(openllmetry=("traceloop.span.kind",)),
    "provider": Names(
        gen_ai=("gen_ai.provider.name", "gen_ai.system"),
        openinference=("llm.provider", "llm.system"),
        openllmetry=("llm.vendor",),
        vercel=("ai.model.provider",),
    ),
    "model": Names(
        gen_ai=("gen_ai.request.model",),
        openinference=("llm.request.model_name", "embedding.model_name", "reranker.model_name"),
        openllmetry=("llm.request.model",),
        vercel=("ai.model.id",),
        langfuse=("langfuse.observation.model.name",),
    ),
    "base_model": Names(
        gen_ai=("gen_ai.response.model",),
        openinference=("llm.response.model_name", "llm.model_name"),
        openllmetry=("llm.response.model",),
        vercel=("ai.response.model",),
    ),
    "deployment_version": Names(
        ours=("modeltraces.deployment_version",),
        gen_ai=("gen_ai.deployment.version", "deployment.version"),
    ),
    "connection_name": Names(ours=("modeltraces.connection_name",)),
    "response_id": Names(gen_ai=("gen_ai.response.id",), openllmetry=("llm.response.id",), vercel=("ai.response.id",)),
    # What went in and what came out
    "input_messages": Names(
        gen_ai=("gen_ai.input.messages", "gen_ai.prompt"),
        openinference=("llm.prompts",),
        vercel=("ai.prompt.messages",),
        langfuse=("langfuse.observation.input",),
    ),
    "output_messages": Names(
        gen_ai=("gen_ai.output.messages", "gen_ai.completion"),
        langfuse=("langfuse.observation.output",),
    ),
    "system": Names(gen_ai=("gen_ai.system_instructions",)),
    "tools": Names(
        gen_ai=("gen_ai.tool.definitions",),
        openllmetry=("llm.request.functions",),
        vercel=("ai.prompt.tools",),
    ),
    "parameters": Names(
        openinference=("llm.invocation_parameters", "embedding.invocation_parameters"),
        langfuse=("langfuse.observation.model.parameters",),
    ),
    "input_value": Names(openinference=("input.value",), openllmetry=("traceloop.entity.input",)),
    "input_mime": Names(openinference=("input.mime_type",)),
    "output_value": Names(openinference=("output.value",), openllmetry=("traceloop.entity.output",)),
    "output_mime": Names(openinference=("output.mime_type",)),
    "prompt": Names(vercel=("ai.prompt", "ai.values", "ai.value")),
    "output_text": Names(vercel=("ai.response.text", "ai.result.text")),
    "output_object": Names(vercel=("ai.response.object", "ai.result.object")),
    "output_calls": Names(vercel=("ai.response.toolCalls", "ai.result.toolCalls")),
    "output_reasoning": Names(vercel=("ai.response.reasoning",)),
    "output_vectors": Names(vercel=("ai.embeddings", "ai.embedding")),
    # How it ended
    "finish_reasons": Names(
        gen_ai=("gen_ai.response.finish_reasons", "anthropic.message.stop_reason"),
        openinference=("llm.finish_reason",),
        openllmetry=("gen_ai.response.finish_reason", "llm.response.finish_reason"),
        vercel=("ai.response.finishReason", "ai.finishReason"),
    ),
    "error_type": Names(gen_ai=("error.type",)),
    "error_message": Names(gen_ai=("error.message",), langfuse=("langfuse.observation.status_message",)),
    "error_code": Names(
        gen_ai=("error.code", "http.response.status_code", "http.status_code"),
    ),
    "level": Names(langfuse=("langfuse.observation.level",)),
    # How much
    "input_tokens": Names(
        gen_ai=("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
        openinference=("llm.token_count.prompt",),
        openllmetry=("llm.usage.prompt_tokens",),
        vercel=("ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"),
    ),
    "output_tokens": Names(
        gen_ai=("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
        openinference=("llm.token_count.completion",),
        openllmetry=("llm.usage.completion_tokens",),
        vercel=("ai.usage.outputTokens", "ai.usage.completionTokens"),
    ),
    "cached_input_tokens": Names(
        gen_ai=("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.details.cache_read_tokens"),
        openinference=("llm.token_count.prompt_details.cache_read",),
        openllmetry=("gen_ai.usage.cache_read_input_tokens",),
        vercel=("ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens"),
    ),
    "cache_write_input_tokens": Names(
        gen_ai=(
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.details.cache_write_tokens",
        ),
        openinference=("llm.token_count.prompt_details.cache_write",),
        openllmetry=("gen_ai.usage.cache_creation_input_tokens",),
        vercel=("ai.usage.inputTokenDetails.cacheWriteTokens",),
    ),
    "reasoning_tokens": Names(
        gen_ai=("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.details.reasoning_tokens"),
        openinference=("llm.token_count.completion_details.reasoning",),
        openllmetry=("gen_ai.usage.reasoning_tokens", "llm.usage.reasoning_tokens"),
        vercel=("ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens"),
    ),
    "total_tokens": Names(
        gen_ai=("gen_ai.usage.total_tokens",),
        openinference=("llm.token_count.total",),
        openllmetry=("llm.usage.total_tokens",),
        vercel=("ai.usage.totalTokens",),
    ),
    "usage": Names(langfuse=("langfuse.observation.usage_details",)),
    # How fast
    "streaming": Names(
        gen_ai=("gen_ai.request.stream",),
        openllmetry=("gen_ai.is_streaming", "llm.is_streaming", "gen_ai.request.is_stream"),
    ),
    "first_token_seconds": Names(
        gen_ai=(
            "gen_ai.response.time_to_first_chunk",
            "gen_ai.client.operation.time_to_first_chunk",
            "gen_ai.latency.time_to_first_token",
        ),
    ),
    "first_token_ms": Names(vercel=("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk")),
    "first_token_at": Names(langfuse=("langfuse.observation.completion_start_time",)),
    # Who asked
    "source_type": Names(ours=("modeltraces.source_type",)),
    "source": Names(ours=("modeltraces.source",)),
    "agent": Names(gen_ai=("gen_ai.agent.name",), openinference=("agent.name", "graph.node.name", "graph.node.id")),
    "workflow": Names(
        gen_ai=("gen_ai.workflow.name",),
        openllmetry=("traceloop.workflow.name", "traceloop.entity.name"),
    ),
    "session_id": Names(
        ours=("modeltraces.session_id",),
        gen_ai=("gen_ai.conversation.id", "session.id"),
        openllmetry=("traceloop.association.properties.session_id", "traceloop.association.properties.conversation_id"),
        vercel=("ai.settings.context.sessionId", "ai.telemetry.metadata.sessionId"),
        langfuse=("langfuse.session.id",),
    ),
    "user_id": Names(
        ours=("modeltraces.user_id",),
        gen_ai=("user.id", "enduser.id"),
        openllmetry=("traceloop.association.properties.user_id",),
        vercel=("ai.settings.context.userId", "ai.telemetry.metadata.userId"),
        langfuse=("langfuse.user.id",),
    ),
}

LOOKUP: Final[dict[str, tuple[str, int]]] = {
    name: (concept, rank)
    for concept, names in TABLE.items()
    for rank, name in enumerate(name for column in names for name in column)
}
"""Attribute name → its concept, and its rank among the concept's names (0 wins)."""

INDEXED: Final[dict[str, str]] = {
    "llm.input_messages.": "input_messages",
    "llm.output_messages.": "output_messages",
    "gen_ai.prompt.": "input_messages",
    "gen_ai.completion.": "output_messages",
    "llm.prompts.": "input_messages",
    "llm.completions.": "output_messages",
    "llm.choices.": "output_messages",
    "llm.tools.": "tools",
    "llm.request.functions.": "tools",
    "embedding.embeddings.": "embeddings",
    "reranker.input_documents.": "documents_in",
    "reranker.output_documents.": "documents_out",
}
"""Prefix of attributes whose names spell out a list (`llm.input_messages.0.message.role`) → what it lists."""

INDEXED_PREFIXES: Final = tuple(INDEXED)

CONTENT: Final = frozenset(
    {
        "input_messages",
        "output_messages",
        "system",
        "tools",
        "input_value",
        "output_value",
        "prompt",
        "output_text",
        "output_object",
        "output_calls",
        "output_reasoning",
        "output_vectors",
        "parameters",
    }
)
"""Concepts that hold what was said; never kept as attributes when content is not recorded."""

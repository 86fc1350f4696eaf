"""Which spans are runs: one inference by a model, whatever instrumentation made the span.

Agents, workflows, chains, tools, retrievers, prompts, evaluators and HTTP clients are not, also when they repeat the
messages and the tokens of the calls inside them.
"""

from typing import Any, Final

OPERATIONS: Final[dict[str, str]] = {
    "chat": "chat",
    "chat_completion": "chat",
    "chat.completions": "chat",
    "message": "chat",
    "messages": "chat",
    "acompletion": "chat",
    "completion": "text_completion",
    "completions": "text_completion",
    "text_completion": "text_completion",
    "generate": "text_completion",
    "embedding": "embeddings",
    "embeddings": "embeddings",
    "embed": "embeddings",
    "generate_content": "generate_content",
    "response": "responses",
    "responses": "responses",
    "rerank": "rerank",
    "image_generation": "image_generation",
    "generate_image": "image_generation",
    "speech": "speech",
    "text_to_speech": "speech",
    "transcription": "transcription",
    "speech_to_text": "transcription",
    "translation": "translation",
    "moderation": "moderation",
    "classification": "classification",
}
"""What emitters call an inference → what we call it."""

_LANGFUSE: Final = {"generation": "chat", "embedding": "embeddings"}
_OPENINFERENCE: Final = {"LLM": "chat", "EMBEDDING": "embeddings"}
_VERCEL: Final = {
    "doGenerate": "chat",
    "doStream": "chat",
    "doEmbed": "embeddings",
    "doRerank": "rerank",
}
_TRACELOOP_WRAPPERS: Final = frozenset({"workflow", "task", "agent", "tool"})
_WRAPPER_PREFIXES: Final = (
    "invoke_",
    "create_",
    "execute_",
    "delete_",
    "update_",
    "search_",
    "retriev",
    "handoff",
    "plan",
    "agent",
    "step",
    "workflow",
)
_WRAPPER_NAMES: Final = frozenset({"raw_gen_ai_request"})
"""litellm's span around the raw HTTP exchange of a call that has a span of its own."""
_MODELS: Final = ("gen_ai.request.model", "gen_ai.response.model", "llm.request.model", "llm.model_name")
_SIGNS: Final = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.usage.total_tokens",
    "llm.token_count.total",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.prompt.0.content",
    "gen_ai.completion.0.content",
    "gen_ai.latency.e2e",
)
"""What only an inference reports, for emitters that name no operation (vLLM, SGLang, early instrumentations)."""


def operation_of(attributes: dict[str, Any], span_name: str) -> str:
    """The operation of a model call (`chat`, `embeddings`, …), or '' for a span that is none."""
    get = attributes.get
    kind = get("langfuse.observation.type")
    if type(kind) is str:
        return _LANGFUSE.get(kind.lower(), "")
    kind = get("openinference.span.kind")
    if type(kind) is str:
        return _openinference(attributes, kind.upper())
    kind = get("traceloop.span.kind")
    if type(kind) is str and kind.lower() in _TRACELOOP_WRAPPERS:
        return ""
    kind = get("ai.operationId")
    if type(kind) is str:
        return _VERCEL.get(kind.rpartition(".")[2], "")
    kind = get("gen_ai.operation.name") or get("llm.request.type")
    if type(kind) is str and kind:
        if span_name in _WRAPPER_NAMES:
            return ""
        known = OPERATIONS.get(kind)
        return known if known is not None else _unknown(attributes, kind.lower())
    kind = get("operation.name")
    if type(kind) is str and kind.startswith("ai."):
        return _VERCEL.get(kind.partition(" ")[0].rpartition(".")[2], "")
    return "chat" if _looks_like_a_call(attributes, span_name) else ""


def _openinference(attributes: dict[str, Any], kind: str) -> str:
    if kind == "LLM":
        if "llm.prompts" in attributes or "llm.prompts.0.prompt.text" in attributes:
            return "text_completion"
        named = attributes.get("gen_ai.operation.name")
        return OPERATIONS.get(named, "chat") if type(named) is str else "chat"
    if kind == "RERANKER":
        # A reranker is a model of its own only where it names one; else it is a step of a retrieval.
        return "rerank" if attributes.get("reranker.model_name") else ""
    return _OPENINFERENCE.get(kind, "")


def _unknown(attributes: dict[str, Any], operation: str) -> str:
    known = OPERATIONS.get(operation)
    if known is not None:
        return known
    if operation.startswith(_WRAPPER_PREFIXES):
        return ""
    return operation if _looks_like_a_call(attributes, operation) else ""


def _looks_like_a_call(attributes: dict[str, Any], span_name: str) -> bool:
    if span_name in _WRAPPER_NAMES or span_name.startswith(_WRAPPER_PREFIXES):
        return False
    return any(name in attributes for name in _MODELS) and any(name in attributes for name in _SIGNS)

"""Runs as instrumented programs send them: OTLP spans in two dialects, and native JSON."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from modeltraces.demo.payloads import dump
from modeltraces.run import Run

Dialect = Literal["gen_ai", "openinference"]
Attribute = str | int | float | bool | Sequence[str] | None

_SCOPES: Final[dict[Dialect, str]] = {
    "gen_ai": "opentelemetry.instrumentation.genai.openai",
    "openinference": "openinference.instrumentation.openai",
}
_RESOURCE_NAMES: Final[tuple[str, ...]] = ("service.name", "deployment.environment.name", "k8s.pod.name")
_KINDS: Final = {"chat": "LLM", "embeddings": "EMBEDDING"}


def trace_request(runs: Iterable[Run], dialect: Dialect) -> ExportTraceServiceRequest:
    """One export of these runs' spans, grouped by the service that they come from."""
    groups: dict[tuple[str, ...], ScopeSpans] = {}
    request = ExportTraceServiceRequest()
    for run in runs:
        resource = {name: run.attributes[name] for name in _RESOURCE_NAMES if name in run.attributes}
        resource |= {"modeltraces.source_type": run.source_type, "modeltraces.source": run.source}
        group = tuple(resource.values())
        if group not in groups:
            groups[group] = ScopeSpans(scope=InstrumentationScope(name=_SCOPES[dialect], version="1.2.0"))
            spans = ResourceSpans(scope_spans=[groups[group]])
            spans.resource.attributes.extend(_key_values(resource))
            request.resource_spans.append(spans)
            groups[group] = request.resource_spans[-1].scope_spans[0]
        groups[group].spans.append(span_of(run, dialect))
    return request


def span_of(run: Run, dialect: Dialect) -> Span:
    """The run as one model-inference span."""
    start = run.executed_on_us * 1000
    end = start + round((run.response_time_ms or 0.0) * 1_000_000)
    attributes = _gen_ai(run) if dialect == "gen_ai" else _openinference(run)
    attributes |= {
        "modeltraces.deployment_version": run.deployment_version or None,
        "modeltraces.connection_name": run.connection_name or None,
    }
    attributes |= {name: value for name, value in run.attributes.items() if name not in _RESOURCE_NAMES}
    span = Span(
        trace_id=bytes.fromhex(run.trace_id),
        span_id=bytes.fromhex(run.span_id),
        parent_span_id=bytes.fromhex(run.parent_span_id),
        name=f"{run.operation} {run.model}" if dialect == "gen_ai" else "ChatCompletion",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start,
        end_time_unix_nano=end,
        attributes=_key_values(attributes),
    )
    if run.time_to_first_token_ms is not None and dialect == "openinference":
        span.events.add(
            name="First Token Stream Event", time_unix_nano=start + round(run.time_to_first_token_ms * 1_000_000)
        )
    if run.status == "failed":
        span.status.code = Status.STATUS_CODE_ERROR
        span.status.message = run.error_message
        exception = {"exception.type": run.error_type, "exception.message": run.error_message}
        span.events.add(name="exception", time_unix_nano=end, attributes=_key_values(exception))
    return span


def _gen_ai(run: Run) -> dict[str, Attribute]:
    request = orjson.loads(run.request)
    system = request.get("system")
    messages = request.get("messages") or [
        {"role": "user", "content": text} for text in _listed(request.get("input", []))
    ]
    attributes: dict[str, Attribute] = {
        "gen_ai.operation.name": run.operation,
        "gen_ai.provider.name": run.provider,
        "gen_ai.request.model": run.model,
        "gen_ai.response.model": run.base_model if run.status == "success" else None,
        "gen_ai.response.id": run.response_id or None,
        "gen_ai.response.finish_reasons": run.finish_reasons or None,
        "gen_ai.request.stream": run.streaming or None,
        "gen_ai.usage.input_tokens": run.input_tokens,
        "gen_ai.usage.output_tokens": run.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": run.cached_input_tokens,
        "gen_ai.usage.reasoning.output_tokens": run.reasoning_tokens,
        "gen_ai.conversation.id": run.session_id or None,
        "user.id": run.user_id or None,
        "gen_ai.system_instructions": dump([_part(system)]) if system else None,
        "gen_ai.input.messages": dump([{"role": m["role"], "parts": [_part(m["content"])]} for m in messages]),
        "error.type": run.error_type or None,
        "http.response.status_code": int(run.error_code) if run.error_code else None,
    }
    if run.time_to_first_token_ms is not None:
        attributes["gen_ai.response.time_to_first_chunk"] = run.time_to_first_token_ms / 1000
    if run.output and run.operation == "chat":
        reason = run.finish_reasons[0] if run.finish_reasons else "stop"
        answer = {"role": "assistant", "parts": _answer_parts(run), "finish_reason": reason}
        attributes["gen_ai.output.messages"] = dump([answer])
    return attributes


def _part(text: str) -> dict[str, str]:
    return {"type": "text", "content": text}


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _answer_parts(run: Run) -> list[dict[str, Any]]:
    """The answer of either provider's form, as parts of the conventions' message."""
    response = orjson.loads(run.response) if run.response else {}
    parts: list[dict[str, Any]] = []
    for block in response.get("content") or ():
        if block["type"] == "tool_use":
            parts.append({"type": "tool_call", "id": block["id"], "name": block["name"], "arguments": block["input"]})
        else:
            parts.append(_part(block["text"]))
    for choice in response.get("choices") or ():
        message = choice["message"]
        if message["content"]:
            parts.append(_part(message["content"]))
        for call in message.get("tool_calls") or ():
            called = call["function"]
            parts.append(
                {
                    "type": "tool_call",
                    "id": call["id"],
                    "name": called["name"],
                    "arguments": orjson.loads(called["arguments"]),
                }
            )
    return parts or [_part(run.output)]


def _openinference(run: Run) -> dict[str, Attribute]:
    return {
        "openinference.span.kind": _KINDS[run.operation],
        "llm.system": run.provider,
        "llm.request.model_name": run.model,
        "llm.response.model_name": run.base_model if run.status == "success" else None,
        "embedding.model_name": run.model if run.operation == "embeddings" else None,
        "input.value": run.request,
        "input.mime_type": "application/json",
        "output.value": (run.response if run.status == "success" else run.output) or None,
        "output.mime_type": "application/json" if run.status == "success" else "text/plain",
        "llm.token_count.prompt": run.input_tokens,
        "llm.token_count.completion": run.output_tokens,
        "llm.token_count.prompt_details.cache_read": run.cached_input_tokens,
        "llm.token_count.completion_details.reasoning": run.reasoning_tokens,
        "llm.finish_reason": run.finish_reasons[0] if run.finish_reasons else None,
        "session.id": run.session_id or None,
        "user.id": run.user_id or None,
        "error.code": run.error_code or None,
    }


def native_of(run: Run) -> dict[str, Any]:
    """The run in the field names of `POST /api/v1/runs`."""
    value: dict[str, Any] = {
        name: getattr(run, name)
        for name in (
            "model", "status", "base_model", "provider", "deployment_version", "connection_name", "operation",
            "response_time_ms", "time_to_first_token_ms", "streaming", "source_type", "source", "input_tokens",
            "output_tokens", "cached_input_tokens", "reasoning_tokens", "finish_reasons", "session_id", "user_id",
            "response_id", "attributes", "trace_id", "span_id", "input", "output",
        )
    }  # fmt: skip
    value["executed_on"] = datetime.fromtimestamp(run.executed_on_us / 1_000_000, UTC).isoformat()
    value["request"] = orjson.loads(run.request)
    value["response"] = orjson.loads(run.response) if run.response else None
    if run.status == "failed":
        value["error"] = {"type": run.error_type, "message": run.error_message, "code": run.error_code}
    return value


def _key_values(attributes: Mapping[str, Attribute]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_value(value)) for name, value in attributes.items() if value is not None]


def _value(value: Attribute) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=part) for part in value or ()]))

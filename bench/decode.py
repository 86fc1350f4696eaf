"""How fast OTLP spans become runs, one thread: `python bench/decode.py [--profile DIALECT]`.

Each batch holds 500 chat spans of some 1.2 KB, spelled as the dialect's own instrumentation spells them.
"""

import argparse
import cProfile
import json
import os
import pstats
import time
from collections.abc import Callable, Mapping

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from modeltraces.ingest.otlp.json import traces_from_json
from modeltraces.ingest.otlp.spans import runs_of_traces
from modeltraces.ingest.recordings import Decoded, Limits, SourceDefaults
from modeltraces.run import now_us

SPANS = 500
SYSTEM = (
    "You are a support assistant of an online shop. Answer briefly, in the customer's language; promise no refunds."
)
QUESTION = "My order 4711 was to arrive on Tuesday, and the tracking page has not changed since. Where is it? " * 3
ANSWER = "I am sorry about the delay. The parcel is at the Lisbon depot and goes out tomorrow before noon. " * 3
RESOURCE: Mapping[str, object] = {
    "service.name": "checkout-assistant",
    "service.version": "1.4.2",
    "deployment.environment": "production",
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.45.2",
    "host.name": "node-7",
}


def gen_ai() -> dict[str, object]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": "chatcmpl-123456789",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 400,
        "gen_ai.usage.input_tokens": 312,
        "gen_ai.usage.output_tokens": 48,
        "gen_ai.response.finish_reasons": ["stop"],
        "server.address": "api.openai.com",
        "server.port": 443,
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": SYSTEM}]),
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]),
        "gen_ai.output.messages": json.dumps(
            [{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}], "finish_reason": "stop"}]
        ),
    }


def openinference() -> dict[str, object]:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    answer = {"message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop", "index": 0}
    return {
        "openinference.span.kind": "LLM",
        "llm.system": "openai",
        "llm.model_name": "gpt-4o-mini-2024-07-18",
        "llm.invocation_parameters": json.dumps({"model": "gpt-4o-mini", "temperature": 0.2}),
        "input.value": json.dumps({"model": "gpt-4o-mini", "messages": messages}),
        "input.mime_type": "application/json",
        "llm.input_messages.0.message.role": "system",
        "llm.input_messages.0.message.content": SYSTEM,
        "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.content": QUESTION,
        "output.value": json.dumps({"id": "chatcmpl-123456789", "choices": [answer]}),
        "output.mime_type": "application/json",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": ANSWER,
        "llm.token_count.prompt": 312,
        "llm.token_count.completion": 48,
        "llm.token_count.total": 360,
    }


def openllmetry() -> dict[str, object]:
    return {
        "llm.request.type": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": "chatcmpl-123456789",
        "llm.is_streaming": False,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": SYSTEM,
        "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.1.content": QUESTION,
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": ANSWER,
        "gen_ai.completion.0.finish_reason": "stop",
        "gen_ai.usage.prompt_tokens": 312,
        "gen_ai.usage.completion_tokens": 48,
        "llm.usage.total_tokens": 360,
        "traceloop.workflow.name": "support",
    }


def vercel() -> dict[str, object]:
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
    ]
    return {
        "operation.name": "ai.generateText.doGenerate",
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.provider": "openai.chat",
        "ai.model.id": "gpt-4o-mini",
        "ai.prompt.messages": json.dumps(messages),
        "ai.settings.maxRetries": 2,
        "gen_ai.system": "openai.chat",
        "gen_ai.request.model": "gpt-4o-mini",
        "ai.response.text": ANSWER,
        "ai.response.finishReason": "stop",
        "ai.response.id": "chatcmpl-123456789",
        "ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 312,
        "gen_ai.usage.output_tokens": 48,
        "ai.usage.inputTokens": 312,
        "ai.usage.outputTokens": 48,
    }


DIALECTS: dict[str, Callable[[], dict[str, object]]] = {
    "gen_ai": gen_ai,
    "openinference": openinference,
    "openllmetry": openllmetry,
    "vercel": vercel,
}


def any_value(value: object) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        message = AnyValue()
        message.array_value.values.extend([any_value(item) for item in value])
        return message
    return AnyValue(string_value=str(value))


def key_values(attributes: Mapping[str, object]) -> list[KeyValue]:
    return [KeyValue(key=name, value=any_value(value)) for name, value in attributes.items()]


def batch(dialect: str) -> bytes:
    """One export request of `SPANS` spans, as protobuf."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(key_values(RESOURCE))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = f"bench.{dialect}"
    start = time.time_ns()
    for number in range(SPANS):
        scope_spans.spans.add(
            trace_id=os.urandom(16),
            span_id=os.urandom(8),
            name="chat gpt-4o-mini",
            kind=3,
            start_time_unix_nano=start + number,
            end_time_unix_nano=start + number + 1_200_000_000,
            attributes=key_values(DIALECTS[dialect]()),
        )
    return request.SerializeToString()


def decode(body: bytes) -> Decoded:
    return runs_of_traces(
        ExportTraceServiceRequest.FromString(body),
        account_id="bench",
        defaults=SourceDefaults(),
        limits=Limits(),
        received_on_us=now_us(),
    )


def best_seconds(call: Callable[[], object], rounds: int = 20) -> float:
    """CPU seconds of the fastest round: what else runs on the machine counts less than it would by the clock."""
    times = []
    for _ in range(rounds):
        start = time.thread_time()
        call()
        times.append(time.thread_time() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", choices=DIALECTS)
    profiled = parser.parse_args().profile
    if profiled:
        body = batch(profiled)
        profile = cProfile.Profile()
        profile.runcall(lambda: [decode(body) for _ in range(10)])
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    print(f"{'dialect':<16}{'bytes/span':>12}{'µs/run':>10}{'runs/s':>10}{'protobuf alone µs':>20}")
    for dialect in DIALECTS:
        body = batch(dialect)
        assert len(decode(body).runs) == SPANS
        seconds = best_seconds(lambda body=body: decode(body))  # type: ignore[misc]
        parsing = best_seconds(lambda body=body: ExportTraceServiceRequest.FromString(body))  # type: ignore[misc]
        each = seconds / SPANS * 1e6
        print(
            f"{dialect:<16}{len(body) // SPANS:>12}{each:>10.1f}{SPANS / seconds:>10.0f}{parsing / SPANS * 1e6:>20.1f}"
        )
    as_json = json_batch()
    seconds = best_seconds(lambda: traces_from_json(as_json), rounds=5)
    print(f"\nOTLP/JSON → message: {seconds / SPANS * 1e6:.1f} µs a span")


def json_batch() -> bytes:
    """The GenAI batch as OTLP/JSON."""
    from google.protobuf.json_format import MessageToDict

    document = MessageToDict(ExportTraceServiceRequest.FromString(batch("gen_ai")))
    for resource_spans in document["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                span["traceId"], span["spanId"] = os.urandom(16).hex(), os.urandom(8).hex()
    return json.dumps(document).encode()


if __name__ == "__main__":
    main()

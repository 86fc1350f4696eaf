"""What an account without a run is shown: how to send the first, with this server's own address."""

from typing import Final

from starlette.requests import Request

from modeltraces.api.identity import Identity
from modeltraces.web.address import STREAM, with_query
from modeltraces.web.contexts import FirstRun, Snippet

_CURL: Final = """curl {address}/api/v1/runs \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "my-model",
    "input": "Say hello.",
    "output": "Hello!",
    "response_time_ms": 420,
    "input_tokens": 4,
    "output_tokens": 2
  }'"""

_PYTHON: Final = """# pip install openai opentelemetry-distro opentelemetry-exporter-otlp-proto-http \\
#   opentelemetry-instrumentation-openai-v2
from openai import OpenAI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(
    endpoint="{address}/v1/traces",
    headers={"Authorization": "Bearer {key}"},
)))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()

OpenAI().chat.completions.create(
    model="gpt-4o-mini", messages=[{"role": "user", "content": "Say hello."}])
provider.shutdown()"""

_OPENINFERENCE: Final = """# pip install openai openinference-instrumentation-openai opentelemetry-exporter-otlp-proto-http
from openai import OpenAI
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(
    endpoint="{address}/v1/traces",
    headers={"Authorization": "Bearer {key}"},
)))
OpenAIInstrumentor().instrument(tracer_provider=provider)

OpenAI().chat.completions.create(
    model="gpt-4o-mini", messages=[{"role": "user", "content": "Say hello."}])
provider.shutdown()"""

_NODE: Final = """// npm install ai @ai-sdk/openai @ai-sdk/otel @opentelemetry/api @opentelemetry/sdk-node \\
//   @opentelemetry/exporter-trace-otlp-proto
// Save it as app.mts, or as app.mjs for a Node.js before 22.18.
import { OpenTelemetry } from "@ai-sdk/otel";
import { openai } from "@ai-sdk/openai";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { generateText, registerTelemetry } from "ai";

const sdk = new NodeSDK({
  traceExporter: new OTLPTraceExporter({
    url: "{address}/v1/traces",
    headers: { Authorization: "Bearer {key}" },
  }),
});
sdk.start();
// Version 6 of ai: instead of this line, experimental_telemetry: { isEnabled: true } in each call.
registerTelemetry(new OpenTelemetry());

await generateText({
  model: openai("gpt-4o-mini"),
  prompt: "Say hello.",
});
await sdk.shutdown();"""

_ENVIRONMENT: Final = """export OTEL_EXPORTER_OTLP_ENDPOINT={address}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20{key}"
export OTEL_SERVICE_NAME=my-service
# then start any program that OpenTelemetry instruments"""

_SNIPPETS: Final = (
    ("curl", "curl", _CURL),
    ("python", "OpenTelemetry, Python", _PYTHON),
    ("openinference", "OpenInference", _OPENINFERENCE),
    ("node", "Vercel AI SDK", _NODE),
    ("environment", "Environment", _ENVIRONMENT),
)


def first_run(request: Request, identity: Identity) -> FirstRun:
    address = str(request.base_url).rstrip("/")
    return FirstRun(
        address=address,
        snippets=tuple(Snippet(key, label, code.replace("{address}", address)) for key, label, code in _SNIPPETS),
        may_create_key="admin" in identity.scopes,
        waiting_url=with_query(STREAM, [("period", "all")]),
    )

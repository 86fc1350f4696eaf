// The Vercel AI SDK, majors 6 and 7 (AI_MAJOR), with a JavaScript OTLP exporter (EXPORTER: json or protobuf).
// TELEMETRY=legacy is major 7 with spans in the names of 6. Speaks with its driver as harness.py says.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { createOpenAI } from "@ai-sdk/openai";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import * as ai from "ai";
import { z } from "zod";

const major = process.env.AI_MAJOR;
const Exporter = process.env.EXPORTER === "json" ? JsonExporter : ProtobufExporter;
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": process.env.OTEL_SERVICE_NAME }),
  spanProcessors: [new BatchSpanProcessor(new Exporter())],
});
provider.register();

const session = { sessionId: "session-7", userId: "user-7" };
const packages = ["ai", "@ai-sdk/openai", "@opentelemetry/sdk-trace-base"];
let telemetry;
if (major === "6") {
  telemetry = { experimental_telemetry: { isEnabled: true, functionId: "forecast", metadata: session } };
} else {
  const otel = await import("@ai-sdk/otel");
  const Integration = process.env.TELEMETRY === "legacy" ? otel.LegacyOpenTelemetry : otel.OpenTelemetry;
  ai.registerTelemetry(new Integration({ runtimeContext: true, usage: true }));
  packages.push("@ai-sdk/otel");
  telemetry = {
    runtimeContext: session,
    telemetry: { functionId: "forecast", includeRuntimeContext: { sessionId: true, userId: true } },
  };
}

const openai = createOpenAI({ baseURL: `${process.env.PROVIDER_URL}/v1`, apiKey: "sk-fake" });
const system = "You are a weather assistant. Answer in one sentence.";
const ask = (scenario) => ({
  model: openai.chat("gpt-4o-mini"),
  prompt: `How is the weather in Lisbon? (scenario:${scenario})`,
  maxRetries: 0,
  temperature: 0.2,
  ...(major === "6" ? { system } : { instructions: system }),
  ...telemetry,
});
const tools = {
  get_weather: ai.tool({
    description: "Tells the weather in a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async () => "18 degrees, sunny",
  }),
};
const stopWhen = ai.stepCountIs ? ai.stepCountIs(4) : ai.isStepCount(4);

async function stream(scenario, more = {}) {
  const result = ai.streamText({ ...ask(scenario), onError: () => {}, ...more });
  for await (const part of result.textStream) void part;
}

const scenarios = {
  success: () => ai.generateText(ask("success")),
  stream: () => stream("stream"),
  error429: () => ai.generateText(ask("error429")),
  error429_retried: () => ai.generateText({ ...ask("error429"), maxRetries: 1 }),
  stream_error429: () => stream("error429"),
  // Major 6 never ends the spans of a stream that breaks.
  ...(major === "6" ? {} : { broken: () => stream("broken") }),
  tool: () => ai.generateText({ ...ask("tool"), tools, stopWhen }),
  stream_tool: () => stream("tool", { tools, stopWhen }),
  responses: () => ai.generateText({ ...ask("responses"), model: openai.responses("gpt-4o-mini") }),
  embeddings: () =>
    ai.embed({ model: openai.embedding("text-embedding-3-small"), value: "sunny in Lisbon", ...telemetry }),
  embeddings_many: () =>
    ai.embedMany({ model: openai.embedding("text-embedding-3-small"), values: ["sunny", "rainy"], ...telemetry }),
};

const versionOf = (name) =>
  JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url), "utf8")).version;
const versions = Object.fromEntries(packages.map((name) => [name, versionOf(name)]));
console.log(JSON.stringify({ scenarios: Object.keys(scenarios), versions }));

for await (const line of createInterface({ input: process.stdin })) {
  try {
    await scenarios[line]();
  } catch (error) {
    const own = [TypeError, ReferenceError].some((kind) => error instanceof kind);
    if (own || !/error|broken/.test(line)) throw error;
  }
  await provider.forceFlush();
  console.log(`done ${line}`);
}

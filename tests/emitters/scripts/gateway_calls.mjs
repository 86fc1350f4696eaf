// The real clients for TypeScript with nothing changed but base URL and key: OpenAI's, Anthropic's, the Vercel AI SDK.
// Prints what each call gave.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import Anthropic from "@anthropic-ai/sdk";
import { embedMany, generateText, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const { GATEWAY, KEY } = process.env;
const MESSAGES = [{ role: "user", content: "How is the weather in Lisbon?" }];
const FOR_A_TOOL = [{ role: "user", content: "How is the weather in Lisbon? scenario:tool" }];
const PARAMETERS = { type: "object", properties: { city: { type: "string" } } };
const found = {};

async function openaiCalls() {
  const client = new OpenAI({ baseURL: `${GATEWAY}/gateway/openai/v1`, apiKey: KEY, maxRetries: 0 });
  const chat = { model: "gpt-4o", messages: MESSAGES };
  const answer = await client.chat.completions.create(chat);
  found.chat = [answer.choices[0].message.content, answer.usage.completion_tokens];
  const usages = [];
  let text = "";
  for await (const chunk of await client.chat.completions.create({ ...chat, stream: true })) {
    text += chunk.choices[0]?.delta.content ?? "";
    if (chunk.usage) usages.push(chunk.usage);
  }
  found.stream = [text, usages.length];
  const called = await client.chat.completions.create({
    model: "gpt-4o",
    messages: FOR_A_TOOL,
    tools: [{ type: "function", function: { name: "weather", parameters: PARAMETERS } }],
  });
  const { name, arguments: given } = called.choices[0].message.tool_calls[0].function;
  found.tool = [name, JSON.parse(given)];
  const response = await client.responses.create({ model: "gpt-4o", input: "How is the weather in Lisbon?" });
  found.responses = [response.output_text, response.usage.output_tokens];
  let streamed = "";
  for await (const event of await client.responses.create({ model: "gpt-4o", input: "How?", stream: true })) {
    if (event.type === "response.output_text.delta") streamed += event.delta;
  }
  found.responsesStream = [streamed, null];
  // Without an encoding the client asks for base64 and decodes it.
  const embedded = await client.embeddings.create({ model: "text-embedding-3-small", input: ["a", "b"] });
  found.embeddings = [embedded.data.length, embedded.data[0].embedding[1]];
  try {
    await client.chat.completions.create({ ...chat, model: "no-such-model@nowhere" });
  } catch (error) {
    found.unknown = [error instanceof OpenAI.NotFoundError, error.code];
  }
}

async function anthropicCalls() {
  const client = new Anthropic({ baseURL: `${GATEWAY}/gateway/anthropic`, apiKey: KEY, maxRetries: 0 });
  const message = { model: "claude-sonnet-4-5", max_tokens: 99, messages: MESSAGES };
  const answer = await client.messages.create(message);
  found.message = [answer.content.at(-1).text, answer.usage.output_tokens];
  const final = await client.messages.stream(message).finalMessage();
  found.messageStream = [final.content.at(-1).text, final.usage.output_tokens];
  const tools = [{ name: "weather", input_schema: PARAMETERS }];
  const called = (await client.messages.create({ ...message, messages: FOR_A_TOOL, tools })).content.at(-1);
  found.messageTool = [called.name, called.input];
}

async function vercelCalls() {
  const openai = createOpenAI({ baseURL: `${GATEWAY}/gateway/openai/v1`, apiKey: KEY });
  const anthropic = createAnthropic({ baseURL: `${GATEWAY}/gateway/anthropic/v1`, apiKey: KEY });
  const prompt = "How is the weather in Lisbon?";
  const once = { prompt, maxRetries: 0 };
  const answer = await generateText({ model: openai.chat("gpt-4o"), ...once });
  found.vercelChat = [answer.text, answer.usage.outputTokens];
  const response = await generateText({ model: openai("gpt-4o"), ...once });
  found.vercelResponses = [response.text, response.usage.outputTokens];
  const stream = streamText({ model: openai.chat("gpt-4o"), ...once });
  let text = "";
  for await (const part of stream.textStream) text += part;
  found.vercelStream = [text, (await stream.usage).outputTokens];
  const weather = tool({ description: "Tells the weather", inputSchema: z.object({ city: z.string() }) });
  const called = await generateText({ model: openai.chat("gpt-4o"), ...once, prompt: FOR_A_TOOL[0].content, tools: { weather } });
  found.vercelTool = [called.toolCalls[0].toolName, called.toolCalls[0].input];
  const message = await generateText({ model: anthropic("claude-sonnet-4-5"), ...once });
  found.vercelMessage = [message.text, message.usage.outputTokens];
  const embedded = await embedMany({ model: openai.embedding("text-embedding-3-small"), values: ["a", "b"] });
  found.vercelEmbeddings = [embedded.embeddings.length, embedded.embeddings[0][1]];
}

await openaiCalls();
await anthropicCalls();
await vercelCalls();
console.log(JSON.stringify(found));

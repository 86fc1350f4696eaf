// The Vercel AI SDK against the demo's own upstream. Prints what each call gave.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, streamText, tool } from "ai";
import { z } from "zod";

const { UPSTREAM } = process.env;
const openai = createOpenAI({ baseURL: `${UPSTREAM}/v1`, apiKey: "sk" });
const anthropic = createAnthropic({ baseURL: `${UPSTREAM}/v1`, apiKey: "sk" });
const once = { prompt: "test", maxRetries: 0 };
const inputSchema = z.object({ city: z.enum(["Lisbon", "Porto"]), days: z.number().int().min(2) });
const weather = tool({ description: "Tells the weather", inputSchema });
const found = {};

for (const [name, model] of Object.entries({ responses: openai("m"), chat: openai.chat("m"), messages: anthropic("m") })) {
  found[name] = (await generateText({ model, ...once })).text.slice(0, 21);
  const stream = streamText({ model, ...once });
  let text = "";
  for await (const part of stream.textStream) text += part;
  found[`${name} stream`] = [text.slice(0, 21), (await stream.usage).outputTokens > 5];
  const called = await generateText({ model, ...once, tools: { weather }, toolChoice: "required" });
  found[`${name} tool`] = [called.finishReason, called.toolCalls[0].toolName, called.toolCalls[0].input];
  const streamed = streamText({ model, ...once, tools: { weather }, toolChoice: { type: "tool", toolName: "weather" } });
  found[`${name} tool stream`] = (await streamed.toolCalls)[0].input;
}
console.log(JSON.stringify(found));

"""Programs to paste that call a model through the gateway, one a tool. Pure texts: the tests run each of them."""

import json
from dataclasses import dataclass
from typing import Final

from modeltraces.gateway.targets import Family
from modeltraces.web.called_for import Task

VARIABLE: Final = "MODELTRACES_KEY"
"""Of the environment, where a program finds the key that is not written in it."""

_CURL: Final = r"""curl {base}/gateway/openai/v1/chat/completions \
  -H "Authorization: Bearer {key}" \
  -H "Content-Type: application/json" \
  -d '{
    "model": {model},
    "messages": [{"role": "user", "content": "Say hello."}]
  }'"""

_CURL_ANTHROPIC: Final = r"""curl {base}/gateway/anthropic/v1/messages \
  -H "x-api-key: {key}" \
  -H "anthropic-version: 2023-06-01" \
  -H "Content-Type: application/json" \
  -d '{
    "model": {model},
    "max_tokens": 1024,
    "messages": [{"role": "user", "content": "Say hello."}]
  }'"""

_PYTHON: Final = """# pip install openai
{import_os}from openai import OpenAI

client = OpenAI(
    base_url="{base}/gateway/openai/v1",
    api_key={key},
)
answer = client.chat.completions.create(
    model={model},
    messages=[{"role": "user", "content": "Say hello."}],
)
print(answer.choices[0].message.content)"""

_PYTHON_ANTHROPIC: Final = """# pip install anthropic
{import_os}from anthropic import Anthropic

client = Anthropic(
    base_url="{base}/gateway/anthropic",
    api_key={key},
)
answer = client.messages.create(
    model={model},
    max_tokens=1024,
    messages=[{"role": "user", "content": "Say hello."}],
)
print(answer.content[0].text)"""

_TYPESCRIPT: Final = """// npm install openai
// Save it as call.mjs, run it with: node call.mjs
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: "{base}/gateway/openai/v1",
  apiKey: {key},
});
const answer = await client.chat.completions.create({
  model: {model},
  messages: [{ role: "user", content: "Say hello." }],
});
console.log(answer.choices[0]?.message.content);"""

_TYPESCRIPT_ANTHROPIC: Final = """// npm install @anthropic-ai/sdk
// Save it as call.mjs, run it with: node call.mjs
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({
  baseURL: "{base}/gateway/anthropic",
  apiKey: {key},
});
const answer = await client.messages.create({
  model: {model},
  max_tokens: 1024,
  messages: [{ role: "user", content: "Say hello." }],
});
for (const block of answer.content) {
  if (block.type === "text") console.log(block.text);
}"""

_LANGCHAIN: Final = """# pip install langchain-openai
{import_os}from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    model={model},
    base_url="{base}/gateway/openai/v1",
    api_key={key},
)
print(model.invoke("Say hello.").content)"""

_LANGCHAIN_ANTHROPIC: Final = """# pip install langchain-anthropic
{import_os}from langchain_anthropic import ChatAnthropic

model = ChatAnthropic(
    model={model},
    base_url="{base}/gateway/anthropic",
    api_key={key},
    max_tokens=1024,
)
print(model.invoke("Say hello.").content)"""

_VERCEL: Final = """// npm install ai @ai-sdk/openai
// Save it as call.mjs, run it with: node call.mjs
import { createOpenAI } from "@ai-sdk/openai";
import { generateText } from "ai";

const gateway = createOpenAI({
  baseURL: "{base}/gateway/openai/v1",
  apiKey: {key},
});
const { text } = await generateText({
  model: gateway.chat({model}),
  prompt: "Say hello.",
});
console.log(text);"""

_VERCEL_ANTHROPIC: Final = """// npm install ai @ai-sdk/anthropic
// Save it as call.mjs, run it with: node call.mjs
import { createAnthropic } from "@ai-sdk/anthropic";
import { generateText } from "ai";

const gateway = createAnthropic({
  // Unlike Anthropic's own SDK, this one takes the address with its /v1.
  baseURL: "{base}/gateway/anthropic/v1",
  apiKey: {key},
});
const { text } = await generateText({
  model: gateway({model}),
  prompt: "Say hello.",
});
console.log(text);"""

_CURL_EMBEDDINGS: Final = r"""curl {base}/gateway/openai/v1/embeddings \
  -H "Authorization: Bearer {key}" \
  -H "Content-Type: application/json" \
  -d '{
    "model": {model},
    "input": "A text to be found again."
  }'"""

_PYTHON_EMBEDDINGS: Final = """# pip install openai
{import_os}from openai import OpenAI

client = OpenAI(
    base_url="{base}/gateway/openai/v1",
    api_key={key},
)
answer = client.embeddings.create(
    model={model},
    input="A text to be found again.",
)
print(len(answer.data[0].embedding))"""

_TYPESCRIPT_EMBEDDINGS: Final = """// npm install openai
// Save it as call.mjs, run it with: node call.mjs
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: "{base}/gateway/openai/v1",
  apiKey: {key},
});
const answer = await client.embeddings.create({
  model: {model},
  input: "A text to be found again.",
});
console.log(answer.data[0]?.embedding.length);"""

_LANGCHAIN_EMBEDDINGS: Final = """# pip install langchain-openai
{import_os}from langchain_openai import OpenAIEmbeddings

model = OpenAIEmbeddings(
    model={model},
    base_url="{base}/gateway/openai/v1",
    api_key={key},
    # Sends texts as they are: tokens would be those of OpenAI's own models.
    check_embedding_ctx_length=False,
)
print(len(model.embed_query("A text to be found again.")))"""

_VERCEL_EMBEDDINGS: Final = """// npm install ai @ai-sdk/openai
// Save it as call.mjs, run it with: node call.mjs
import { createOpenAI } from "@ai-sdk/openai";
import { embed } from "ai";

const gateway = createOpenAI({
  baseURL: "{base}/gateway/openai/v1",
  apiKey: {key},
});
const { embedding } = await embed({
  model: gateway.embedding({model}),
  value: "A text to be found again.",
});
console.log(embedding.length);"""


@dataclass(frozen=True, slots=True)
class Tool:
    key: str
    label: str
    family: Family
    language: str
    """`shell`, `python` or `typescript`."""
    template: str
    task: Task = "chat"


TOOLS: Final[tuple[Tool, ...]] = (
    Tool("curl-openai", "curl", "openai", "shell", _CURL),
    Tool("python-openai", "Python, openai", "openai", "python", _PYTHON),
    Tool("typescript-openai", "TypeScript, openai", "openai", "typescript", _TYPESCRIPT),
    Tool("langchain-openai", "LangChain", "openai", "python", _LANGCHAIN),
    Tool("vercel-openai", "Vercel AI SDK", "openai", "typescript", _VERCEL),
    Tool("curl-anthropic", "curl", "anthropic", "shell", _CURL_ANTHROPIC),
    Tool("python-anthropic", "Python, anthropic", "anthropic", "python", _PYTHON_ANTHROPIC),
    Tool("typescript-anthropic", "TypeScript, anthropic", "anthropic", "typescript", _TYPESCRIPT_ANTHROPIC),
    Tool("langchain-anthropic", "LangChain", "anthropic", "python", _LANGCHAIN_ANTHROPIC),
    Tool("vercel-anthropic", "Vercel AI SDK", "anthropic", "typescript", _VERCEL_ANTHROPIC),
    Tool("curl-embeddings", "curl", "openai", "shell", _CURL_EMBEDDINGS, "embeddings"),
    Tool("python-embeddings", "Python, openai", "openai", "python", _PYTHON_EMBEDDINGS, "embeddings"),
    Tool("typescript-embeddings", "TypeScript, openai", "openai", "typescript", _TYPESCRIPT_EMBEDDINGS, "embeddings"),
    Tool("langchain-embeddings", "LangChain", "openai", "python", _LANGCHAIN_EMBEDDINGS, "embeddings"),
    Tool("vercel-embeddings", "Vercel AI SDK", "openai", "typescript", _VERCEL_EMBEDDINGS, "embeddings"),
)
_BY_KEY: Final = {tool.key: tool for tool in TOOLS}
_FROM_ENVIRONMENT: Final = {
    "shell": f"${VARIABLE}",
    "python": f'os.environ["{VARIABLE}"]',
    "typescript": f"process.env.{VARIABLE}",
}


def tool_of(key: str) -> Tool | None:
    return _BY_KEY.get(key)


def snippet(tool: str, base_url: str, model: str, key: str = "") -> str:
    """The program of that tool. `base_url`: this server's; `key`: '' for one that the program reads from its environment."""
    found = _BY_KEY[tool]
    # What JSON writes is a literal of Python and of TypeScript, too, as long as no character is a pair of escapes.
    name = json.dumps(model, ensure_ascii=False)
    if found.language == "shell":
        name = name.replace("'", r"'\''")
    given = key if found.language == "shell" else json.dumps(key)
    said = {
        "base": base_url,
        "model": name,
        "key": given if key else _FROM_ENVIRONMENT[found.language],
        "import_os": "" if key else "import os\n\n",
    }
    text = found.template
    # The model's name last: it may hold anything.
    for place in ("import_os", "base", "key", "model"):
        text = text.replace(f"{{{place}}}", said[place])
    return text

# mypy: disable-error-code="import-not-found, untyped-decorator"
"""The real OpenAI and Anthropic clients, and LangChain on them, with nothing changed but base URL and key. Prints what each call gave."""

import asyncio
import json
import os
from typing import Any

import anthropic
import openai
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

GATEWAY, KEY = os.environ["GATEWAY"], os.environ["KEY"]
MESSAGES = [{"role": "user", "content": "How is the weather in Lisbon?"}]
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
ASKED_FOR_A_TOOL = [{"role": "user", "content": "How is the weather in Lisbon? scenario:tool"}]
found: dict[str, list[Any]] = {}


def called(calls: Any) -> list[Any]:
    return [calls[0].function.name, json.loads(calls[0].function.arguments)]


def openai_calls() -> None:
    client = openai.OpenAI(base_url=f"{GATEWAY}/gateway/openai/v1", api_key=KEY, max_retries=0)
    answer = client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    found["chat"] = [answer.choices[0].message.content, answer.usage.completion_tokens]
    chunks = list(client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True))
    found["stream"] = ["".join(c.choices[0].delta.content or "" for c in chunks if c.choices), None]
    assert not any(chunk.usage for chunk in chunks), "the usage was not asked for"
    answer = client.chat.completions.create(model="gpt-4o", messages=ASKED_FOR_A_TOOL, tools=[TOOL])
    found["tool"] = called(answer.choices[0].message.tool_calls)
    with client.chat.completions.stream(model="gpt-4o", messages=ASKED_FOR_A_TOOL, tools=[TOOL]) as stream:
        stream.until_done()
        found["tool stream"] = called(stream.get_final_completion().choices[0].message.tool_calls)
    counted = client.chat.completions.create(
        model="gpt-4o", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    found["stream with usage"] = ["", next(c.usage.completion_tokens for c in counted if c.usage)]
    answer = client.responses.create(model="gpt-4o", input="How is the weather in Lisbon?")
    found["responses"] = [answer.output_text, answer.usage.output_tokens]
    events = list(client.responses.create(model="gpt-4o", input="How is the weather?", stream=True))
    found["responses stream"] = ["".join(e.delta for e in events if e.type == "response.output_text.delta"), None]
    answer = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    found["embeddings"] = [len(answer.data), answer.usage.prompt_tokens]
    listed = [model.id for model in client.models.list().data]
    found["models"] = [sorted(listed), None]
    try:
        client.chat.completions.create(model="no-such-model@nowhere", messages=MESSAGES)
    except openai.NotFoundError as error:
        found["unknown"] = [error.code, None]


def azure_calls() -> None:
    client = openai.AzureOpenAI(
        azure_endpoint=f"{GATEWAY}/gateway/openai/v1", api_key=KEY, api_version="2024-10-21", max_retries=0
    )
    answer = client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    found["azure"] = [answer.choices[0].message.content, answer.usage.completion_tokens]
    chunks = list(client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True))
    found["azure stream"] = ["".join(c.choices[0].delta.content or "" for c in chunks if c.choices), None]


async def async_calls() -> None:
    async with openai.AsyncOpenAI(base_url=f"{GATEWAY}/gateway/openai/v1", api_key=KEY) as client:
        stream = await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
        found["async stream"] = ["".join([c.choices[0].delta.content or "" async for c in stream if c.choices]), None]
    async with anthropic.AsyncAnthropic(base_url=f"{GATEWAY}/gateway/anthropic", api_key=KEY) as client:
        answer = await client.messages.create(model="claude-sonnet-4-5", max_tokens=99, messages=MESSAGES)
        found["async message"] = [answer.content[-1].text, answer.usage.output_tokens]


def anthropic_calls() -> None:
    client = anthropic.Anthropic(base_url=f"{GATEWAY}/gateway/anthropic", api_key=KEY, max_retries=0)
    answer = client.messages.create(model="claude-sonnet-4-5", max_tokens=99, messages=MESSAGES)
    found["message"] = [answer.content[-1].text, answer.usage.output_tokens]
    with client.messages.stream(model="claude-sonnet-4-5", max_tokens=99, messages=MESSAGES) as stream:
        text = "".join(stream.text_stream)
        found["message stream"] = [text, stream.get_final_message().usage.output_tokens]
    offered: dict[str, Any] = {"name": "weather", "input_schema": TOOL["function"]["parameters"]}
    answer = client.messages.create(
        model="claude-sonnet-4-5", max_tokens=99, messages=ASKED_FOR_A_TOOL, tools=[offered]
    )
    found["message tool"] = [answer.content[-1].name, answer.content[-1].input]
    try:
        client.messages.create(model="gpt-4o", max_tokens=9, messages=MESSAGES)
    except anthropic.BadRequestError as error:
        found["wrong protocol"] = [error.type if hasattr(error, "type") else "", None]


def langchain_calls() -> None:
    @tool
    def weather(city: str) -> str:
        """Tells the weather in a city."""
        return city

    at: dict[str, Any] = {"base_url": f"{GATEWAY}/gateway/openai/v1", "api_key": KEY}
    model = ChatOpenAI(model="gpt-4o", **at)
    answer = model.invoke("How is the weather in Lisbon?")
    found["langchain"] = [answer.content, answer.usage_metadata["output_tokens"]]
    found["langchain stream"] = ["".join(part.content for part in model.stream("How is the weather?")), None]
    (call,) = model.bind_tools([weather]).invoke("How is the weather? scenario:tool").tool_calls
    found["langchain tool"] = [call["name"], call["args"]]
    embeddings = OpenAIEmbeddings(model="text-embedding-3-small", check_embedding_ctx_length=False, **at)
    found["langchain embeddings"] = [len(embeddings.embed_documents(["a", "b"])), None]


async def langchain_async() -> None:
    model = ChatOpenAI(model="gpt-4o", base_url=f"{GATEWAY}/gateway/openai/v1", api_key=KEY)
    found["langchain async"] = ["".join([part.content async for part in model.astream("How is the weather?")]), None]


openai_calls()
azure_calls()
anthropic_calls()
langchain_calls()
asyncio.run(langchain_async())
asyncio.run(async_calls())
print(json.dumps(found))

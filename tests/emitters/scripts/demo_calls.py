# mypy: disable-error-code="import-not-found, untyped-decorator"
"""The real clients against the demo's own upstream: prints what each call gave, and checks what it can check itself."""

import json
import os
from typing import Any, Literal

import anthropic
import openai
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field

UPSTREAM = os.environ["UPSTREAM"]
MESSAGES = [{"role": "user", "content": "test"}]
found: dict[str, Any] = {}


class Place(BaseModel):
    street: str = Field(min_length=3, max_length=12)
    number: int = Field(ge=10, le=11)


class Order(BaseModel):
    """What a tool is called with: every kind of value that a schema may ask for."""

    order_id: str
    state: Literal["shipped", "lost"]
    parts: list[Place] = Field(min_length=2)
    price: float = Field(gt=5)
    is_paid: bool
    note: str | None
    nothing: int = 7


SCHEMA = Order.model_json_schema()
OTHER: dict[str, Any] = {"type": "object", "properties": {}}
CHAT_TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": schema}}
    for name, schema in (("order", SCHEMA), ("other", OTHER))
]
RESPONSE_TOOLS: Any = [{"type": "function", **tool["function"], "strict": False} for tool in CHAT_TOOLS]
MESSAGE_TOOLS: Any = [{"name": "order", "input_schema": SCHEMA}, {"name": "other", "input_schema": OTHER}]


def fits(arguments: str | object) -> str:
    if isinstance(arguments, str):
        Order.model_validate_json(arguments, strict=True)
    else:
        Order.model_validate(arguments, strict=True)
    return "fits"


def chats(client: Any) -> None:
    def ask(**more: Any) -> Any:
        return client.chat.completions.create(model="m", messages=MESSAGES, tools=CHAT_TOOLS, **more)

    assert ask().choices[0].message.content.startswith("This is a test reply."), "nobody demanded a tool"
    choice = ask(tool_choice="required").choices[0]
    (call,) = choice.message.tool_calls
    found["chat tool"] = [choice.finish_reason, call.function.name, fits(call.function.arguments)]
    named = ask(tool_choice={"type": "function", "function": {"name": "other"}}).choices[0].message.tool_calls[0]
    found["chat named tool"] = [named.function.name, named.function.arguments]
    with client.chat.completions.stream(
        model="m", messages=MESSAGES, tools=CHAT_TOOLS, tool_choice="required", stream_options={"include_usage": True}
    ) as stream:
        stream.until_done()
        final = stream.get_final_completion()
    (call,) = final.choices[0].message.tool_calls
    found["chat tool stream"] = [final.choices[0].finish_reason, call.function.name, fits(call.function.arguments)]
    assert final.usage.completion_tokens > 1
    result = {"role": "tool", "tool_call_id": call.id, "content": "test"}
    told = [*MESSAGES, {"role": "assistant", "tool_calls": [call.model_dump()]}, result]
    after = client.chat.completions.create(model="m", messages=told, tools=CHAT_TOOLS)
    found["chat after a tool"] = after.choices[0].message.content[:21]


def responses(client: Any) -> None:
    answer = client.responses.create(model="m", input="test", instructions="Be brief.")
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    found["response"] = [answer.status, answer.output_text[:21]]
    parts = [{"role": "user", "content": [{"type": "input_text", "text": "test"}]}]
    with client.responses.stream(model="m", input=parts) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert final.output_text == text
    found["response stream"] = [final.status, text[:21]]
    with client.responses.stream(model="m", input="test", max_output_tokens=3) as stream:
        last = list(stream)[-1]
    found["response cut"] = [last.type, last.response.status, last.response.incomplete_details.reason]
    answer = client.responses.create(model="m", input="test", tools=RESPONSE_TOOLS, tool_choice="required")
    (call,) = answer.output
    found["response tool"] = [call.type, call.name, fits(call.arguments)]
    chosen = {"type": "function", "name": "order"}
    with client.responses.stream(model="m", input="test", tools=RESPONSE_TOOLS, tool_choice=chosen) as stream:
        pieces = "".join(event.delta for event in stream if event.type == "response.function_call_arguments.delta")
        (call,) = stream.get_final_response().output
    assert pieces == call.arguments
    found["response tool stream"] = [call.name, fits(call.arguments)]
    told = [
        *parts,
        {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
        {"type": "function_call_output", "call_id": call.call_id, "output": "test"},
    ]
    found["response after a tool"] = client.responses.create(model="m", input=told).output_text[:21]


def completions(client: Any) -> None:
    answer = client.completions.create(model="m", prompt=["test", "hi"], max_tokens=4)
    found["completions"] = [[one.index, one.text, one.finish_reason] for one in answer.choices]
    assert answer.usage.completion_tokens == 8
    found["completion of tokens"] = len(client.completions.create(model="m", prompt=[1, 2, 3]).choices)
    stream = list(
        client.completions.create(model="m", prompt="test", stream=True, stream_options={"include_usage": True})
    )
    found["completion stream"] = "".join(one.choices[0].text for one in stream if one.choices)[:21]
    assert stream[-1].usage.completion_tokens > 5


def messages(client: Any) -> None:
    def ask(choice: Any, **more: Any) -> Any:
        return client.messages.create(
            model="m", max_tokens=999, messages=MESSAGES, tools=MESSAGE_TOOLS, tool_choice=choice, **more
        )

    found["count"] = client.messages.count_tokens(model="m", system="Be brief.", messages=MESSAGES).input_tokens
    assert ask({"type": "auto"}).content[0].text.startswith("This is a test reply.")
    answer = ask({"type": "any"})
    found["message tool"] = [answer.stop_reason, answer.content[0].name, fits(answer.content[0].input)]
    found["message named tool"] = ask({"type": "tool", "name": "other"}).content[0].input
    with client.messages.stream(
        model="m", max_tokens=999, messages=MESSAGES, tools=MESSAGE_TOOLS, tool_choice={"type": "any"}
    ) as stream:
        final = stream.get_final_message()
    found["message tool stream"] = [final.stop_reason, final.content[0].name, fits(final.content[0].input)]
    result = {"type": "tool_result", "tool_use_id": final.content[0].id, "content": [{"type": "text", "text": "test"}]}
    told = [
        *MESSAGES,
        {"role": "assistant", "content": [final.content[0].model_dump()]},
        {"role": "user", "content": [result]},
    ]
    after = client.messages.create(model="m", max_tokens=999, messages=told, tools=MESSAGE_TOOLS)
    found["message after a tool"] = after.content[0].text[:21]


def errors(client: Any, claude: Any) -> None:
    try:
        client.chat.completions.create(model="m", messages=MESSAGES, tool_choice="required")
    except openai.BadRequestError as error:
        found["no tools"] = [error.type, error.body["message"]]
    try:
        client.chat.completions.create(
            model="m", messages=MESSAGES, tools=CHAT_TOOLS, tool_choice={"type": "function", "function": {"name": "x"}}
        )
    except openai.BadRequestError as error:
        found["no such tool"] = error.body["message"]
    try:
        client.files.delete("file-1")
    except openai.NotFoundError as error:
        found["no such path"] = error.body["message"]
    try:
        claude.messages.batches.list()
    except anthropic.NotFoundError as error:
        found["no such path of Anthropic's"] = [error.type, error.body["type"]]
    try:
        claude.messages.create(model="m", max_tokens=9, messages=[])
    except anthropic.BadRequestError as error:
        found["no messages"] = [error.type, error.body["error"]["message"]]


def langchain() -> None:
    model = ChatOpenAI(model="m", base_url=f"{UPSTREAM}/v1", api_key="sk")
    found["langchain"] = fits(
        model.with_structured_output(Order, method="function_calling").invoke("test").model_dump()
    )
    (call,) = model.bind_tools([Order], tool_choice="any").invoke("test").tool_calls
    found["langchain tool"] = [call["name"], fits(call["args"])]


openai_client = openai.OpenAI(base_url=f"{UPSTREAM}/v1", api_key="sk", max_retries=0)
anthropic_client = anthropic.Anthropic(base_url=UPSTREAM, api_key="sk", max_retries=0)
chats(openai_client)
responses(openai_client)
completions(openai_client)
messages(anthropic_client)
errors(openai_client, anthropic_client)
langchain()
print(json.dumps(found))

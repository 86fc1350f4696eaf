"""Lists that were spelled out attribute by attribute, as the messages and tools that they describe.

OpenInference wraps every level (`message`, `message_content`, `tool_call`); OpenLLMetry numbers tool calls and puts
content as JSON text. Both come out as role, content and tool calls, with every further key kept.
"""

from typing import Any, Final

from modeltraces.ingest.otlp.payloads import structure

_WRAPPERS: Final = ("message", "message_content", "tool_call", "tool", "embedding", "prompt", "completion", "document")


def messages_of(listed: Any, default_role: str = "") -> list[Any]:
    """The messages that a list spells out."""
    items = listed if type(listed) is list else [listed]
    messages = []
    for item in items:
        message = unwrapped(item)
        if type(message) is dict:
            message = _message(message, default_role)
        messages.append(message)
    return messages


def _message(message: dict[str, Any], default_role: str) -> dict[str, Any]:
    contents = message.pop("contents", None)
    if contents is not None and "content" not in message:
        message["content"] = contents
    function = {
        key.removeprefix("function_call_"): message.pop(key)
        for key in ("function_call_name", "function_call_arguments_json")
        if key in message
    }
    if function:
        function["arguments"] = function.pop("arguments_json", "")
        message["function_call"] = function
    content = message.get("content")
    if type(content) is str and content[:1] == "[":
        # OpenLLMetry's older form: a list of parts as JSON text.
        parts = structure(content)
        if type(parts) is list and all(type(part) is dict and "type" in part for part in parts):
            message["content"] = parts
    if default_role and "role" not in message:
        message = {"role": default_role, **message}
    return message


def unwrapped(value: Any) -> Any:
    """The value without OpenInference's wrapper objects, at every level."""
    if type(value) is list:
        return [unwrapped(item) for item in value]
    if type(value) is not dict:
        return value
    for wrapper in _WRAPPERS:
        inner = value.get(wrapper)
        if type(inner) is dict:
            rest = {name: unwrapped(part) for name, part in value.items() if name != wrapper}
            return {**unwrapped(inner), **rest}
    return {name: unwrapped(part) for name, part in value.items()}


def tools_of(listed: Any) -> list[Any]:
    """The tools' definitions: the JSON schema that each gives as text, read."""
    items = listed if type(listed) is list else [listed]
    tools = []
    for item in items:
        tool = unwrapped(item)
        if type(tool) is dict:
            if set(tool) == {"json_schema"}:
                tool = tool["json_schema"]
            elif "parameters" in tool:
                tool["parameters"] = structure(tool["parameters"])
        tools.append(structure(tool))
    return tools

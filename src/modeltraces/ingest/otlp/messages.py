"""Payloads as plain text, whichever shape the messages have.

The shapes of OpenTelemetry (role and `parts`), OpenAI (chat, responses, completions), Anthropic, Gemini, Vercel and
LangChain are all lists of objects that say a role and hold text, calls of tools, their results, reasoning, or media;
one reader that looks for those finds them in each, also in the mixtures that emitters make.
"""

from typing import Any, Final

from modeltraces.ingest.otlp.payloads import dump, structure, utf8_size

_MAX_DEPTH: Final = 12

_INPUT_KEYS: Final = ("messages", "contents", "input", "prompt", "inputs", "texts", "text", "value", "values", "query")
_SYSTEM_KEYS: Final = ("system_instructions", "system", "instructions", "systemInstruction", "system_instruction")
_OUTPUT_KEYS: Final = (
    "messages",
    "choices",
    "output",
    "content",
    "candidates",
    "message",
    "generations",
    "text",
    "completion",
    "response",
    "data",
    "embeddings",
)
_TEXT_KEYS: Final = ("text", "content", "output_text", "refusal", "transcript", "value")
_FRAME: Final = frozenset(
    {"role", "name", "id", "content", "parts", "tool_calls", "function_call", "finish_reason", "index", "logprobs"}
)
"""What is not itself said: a message of nothing else says nothing."""
_REASONING_TYPES: Final = frozenset({"reasoning", "thinking", "redacted_thinking", "reasoning_text", "thought"})
_CALL_TYPES: Final = frozenset(
    {"tool_call", "tool_use", "tool-call", "function_call", "server_tool_call", "server_tool_use", "custom_tool_call"}
)
_RESULT_TYPES: Final = frozenset(
    {
        "tool_call_response",
        "tool_result",
        "tool-result",
        "function_call_output",
        "server_tool_call_response",
        "custom_tool_call_output",
        "function_response",
    }
)
_RESULT_MARK: Final = "[tool result] "
_RESULT_KEYS: Final = ("response", "result", "content", "output")
_MEDIA_TYPES: Final = {
    "image": "image",
    "image_url": "image",
    "input_image": "image",
    "audio": "audio",
    "input_audio": "audio",
    "video": "video",
    "document": "document",
    "file": "file",
    "input_file": "file",
    "uri": "file",
    "blob": "file",
    "image_generation_call": "image",
    "inline_data": "file",
    "file_data": "file",
}

_SPEAKERS: Final = ("user", "assistant", "system")


def input_text(request: dict[str, Any]) -> str:
    """The request as a person reads it: a single message of the user alone, or `role: text` blocks."""
    turns: list[tuple[str, str]] = []
    for key in _SYSTEM_KEYS:
        value = request.get(key)
        if value:
            turns.append(("system", text_of_content(structure(value))))
            break
    for key in _INPUT_KEYS:
        value = request.get(key)
        if value:
            _turns_of(value, "user", turns)
            break
    return _joined(turns, alone="user")


def output_text(response: dict[str, Any]) -> str:
    """The response as a person reads it: the answer alone, or one block a choice."""
    for key in _OUTPUT_KEYS:
        value = response.get(key)
        if value:
            if key in ("data", "embeddings"):
                return _vectors(value)
            if key == "content":
                text = text_of_content(value)
                calls = response.get("tool_calls")
                return "\n\n".join(filter(None, (text, *map(text_of_part, calls)))) if type(calls) is list else text
            turns: list[tuple[str, str]] = []
            _turns_of(value, "assistant", turns)
            return _joined(turns, alone="assistant")
    calls = response.get("tool_calls")
    return text_of_content(calls) if type(calls) is list else ""


def _joined(turns: list[tuple[str, str]], alone: str) -> str:
    spoken = [turn for turn in turns if turn[1]]
    if len(spoken) == 1 and spoken[0][0] == alone:
        return spoken[0][1]
    if alone == "assistant" and all(role == alone for role, _ in spoken):
        return "\n\n".join([text for _, text in spoken])
    return "\n\n".join([f"{role}: {text}" for role, text in spoken])


def _turns_of(value: Any, default_role: str, turns: list[tuple[str, str]], depth: int = 0) -> None:
    if type(value) is list:
        if depth > _MAX_DEPTH:
            return
        if value and type(value[0]) in (int, float):
            turns.append((default_role, f"[{len(value)} tokens]"))
            return
        if all(type(item) is str for item in value):  # The texts of an embedding.
            turns.append((default_role, "\n\n".join(value)))
            return
        for item in value:
            if type(item) is dict:
                if not _plain_turn_of(item, turns):
                    _turn_of(item, default_role, turns)
            else:
                _turns_of(item, default_role, turns, depth + 1)
    elif type(value) is dict:
        _turn_of(value, default_role, turns)
    elif type(value) is str:
        turns.append((default_role, value))
    elif value is not None:
        turns.append((default_role, dump(value)))


def _plain_turn_of(message: dict[str, Any], turns: list[tuple[str, str]]) -> bool:
    """Nine messages in ten have a role, one text and nothing else: what `_turn_of` says of them, in a fifth of its time."""
    role = message.get("role")
    if len(message) != 2 or role not in _SPEAKERS:
        return False
    parts = message.get("parts")
    if type(parts) is list and len(parts) == 1 and type(parts[0]) is dict:
        part = parts[0]
        text = part.get("content") if len(part) == 2 and part.get("type") == "text" else None
    else:
        text = message.get("content")
        if type(text) is str and text[:1] == "[":
            return False
    if type(text) is not str:
        return False
    turns.append((role, text))
    return True


def _turn_of(message: dict[str, Any], default_role: str, turns: list[tuple[str, str]]) -> None:
    inner = message.get("message")
    if type(inner) is dict:
        message = inner
    inner = message.get("kwargs")
    if type(inner) is dict:
        message = {"role": _langchain_role(message), **inner}
    role = message.get("role") or message.get("author")
    if type(role) is not str:
        kind = message.get("type")
        role = "tool" if kind in _RESULT_TYPES else default_role
    elif role == "model":
        role = "assistant"
    texts: list[str] = []
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    if type(reasoning) is str:
        texts.append(f"[reasoning] {reasoning}")
    parts = message.get("parts")
    if parts is None:
        parts = message.get("content")
    if type(parts) is str:
        if parts:
            # OpenTelemetry's message in a message: content that is itself a JSON list of parts.
            inner = structure(parts) if parts[0] == "[" and '"type"' in parts else parts
            texts.append(parts if inner is parts else text_of_content(inner))
    elif parts is not None:
        kind = message.get("type")
        if kind in _RESULT_TYPES or kind in _REASONING_TYPES:
            texts.append(text_of_part(message))
        else:
            texts.append(text_of_content(parts))
    elif message.keys() - _FRAME:
        texts.append(text_of_part(message))
    calls = message.get("tool_calls")
    if type(calls) is list:
        # Some emitters give a call both as a part of the content and beside it.
        known = "\n".join(texts)
        texts.extend([text for call in calls if (text := text_of_part(call)) not in known])
    call = message.get("function_call")
    if type(call) is dict:
        texts.append(_call(call))
    spoken = "\n".join([text for text in texts if text])
    # The role already says what it is.
    turns.append((role, spoken.removeprefix(_RESULT_MARK) if role == "tool" else spoken))


def _langchain_role(message: dict[str, Any]) -> str:
    names = message.get("id")
    last = names[-1] if type(names) is list and names else ""
    return {"SystemMessage": "system", "HumanMessage": "user", "ToolMessage": "tool"}.get(str(last), "assistant")


def text_of_content(content: Any, depth: int = 0) -> str:
    """The text of a message's content: a string, a part, or a list of either."""
    if type(content) is str:
        return content
    if content is None:
        return ""
    if type(content) is list:
        if depth > _MAX_DEPTH:
            return ""
        return "\n".join([text for part in content if (text := text_of_content(part, depth + 1))])
    if type(content) is dict:
        return text_of_part(content, depth)
    return dump(content)


def text_of_part(part: Any, depth: int = 0) -> str:
    """One part: its text; a call of a tool as `[tool call] name(arguments)`; media as `[image image/png 12 KB]`."""
    if type(part) is not dict:
        return part if type(part) is str else text_of_content(part, depth + 1)
    if depth > _MAX_DEPTH:
        return ""
    kind = part.get("type")
    if kind == "text":
        for key in ("content", "text"):
            text = part.get(key)
            if type(text) is str:
                return text
    if type(kind) is not str:
        kind = ""
    if kind in _CALL_TYPES:
        return _call(part)
    if kind in _RESULT_TYPES:
        value = next((part[key] for key in _RESULT_KEYS if part.get(key) is not None), None)
        return _RESULT_MARK + _result(value, depth)
    if kind in _REASONING_TYPES:
        text = text_of_content(
            part.get("content") or part.get("text") or part.get("thinking") or part.get("summary"), depth + 1
        )
        return f"[reasoning] {text}" if text else ""
    if kind in _MEDIA_TYPES:
        return _media(part, _MEDIA_TYPES[kind])
    function = part.get("function") or part.get("functionCall")
    if type(function) is dict:
        return _call(function)
    answered = part.get("functionResponse")
    if type(answered) is dict:
        return _RESULT_MARK + _result(answered.get("response"), depth)
    media = part.get("inlineData") or part.get("inline_data")
    if type(media) is dict:
        return _media(media, "file")
    for key in _TEXT_KEYS:
        text = part.get(key)
        if type(text) is str:
            return text
    if "name" in part and ("arguments" in part or "args" in part):
        return _call(part)
    for key in ("content", "parts"):
        if part.get(key) is not None:
            return text_of_content(part[key], depth + 1)
    if not part or (kind and len(part) == 1):
        return ""
    return dump(part)


def _call(call: dict[str, Any]) -> str:
    inner = call.get("function")
    if type(inner) is dict:
        call = inner
    name = call.get("name") or call.get("toolName") or call.get("tool_name") or ""
    arguments: Any = ""
    for key in ("arguments", "input", "args"):
        if call.get(key) is not None:
            arguments = call[key]
            break
    return f"[tool call] {name}({arguments if type(arguments) is str else dump(arguments)})"


def _result(value: Any, depth: int) -> str:
    if type(value) is str:
        return value
    if type(value) is list and value and type(value[0]) is dict and "type" in value[0]:
        return text_of_content(value, depth + 1)
    if type(value) is dict and value.keys() == {"type", "value"}:
        return _result(value["value"], depth + 1) if depth < _MAX_DEPTH else ""
    return "" if value is None else dump(value)


def _media(part: dict[str, Any], kind: str) -> str:
    mime, size, where = "", 0, ""
    for holder in (part, part.get("source"), part.get("image_url"), part.get("input_audio"), part.get("file")):
        if type(holder) is str:
            holder = {"data": holder}
        if type(holder) is not dict:
            continue
        for key in ("mime_type", "media_type", "mimeType", "mediaType", "mime", "format"):
            if not mime and type(holder.get(key)) is str:
                mime = holder[key]
        if type(holder.get("size")) is int:
            size = holder["size"]
        for key in ("data", "content", "url", "uri", "file_data", "image", "file_id", "image_url", "result"):
            data = holder.get(key)
            if type(data) is dict and type(data.get("size")) is int:  # A blob that was cut away.
                mime, size = str(data.get("mime") or mime), data["size"]
            if type(data) is not str or not data or size or where:
                continue
            if data.startswith("data:"):
                head, _, data = data.partition(",")
                mime = mime or head[5:].split(";")[0]
            elif key in ("url", "uri", "image_url", "file_id") or data.startswith(("http://", "https://", "gs://")):
                where = data[:300]
                continue
            size = len(data) * 3 // 4 - data[-2:].count("=")
    modality = part.get("modality")
    if type(modality) is str and modality:
        kind = modality
    elif mime.startswith(("image/", "audio/", "video/")):
        kind = mime.partition("/")[0]
    words = [kind, mime, _size(size) if size else "", where]
    return f"[{' '.join(filter(None, words))}]"


def _size(count: int) -> str:
    if count < 1024:
        return f"{count} bytes"
    if count < 1024 * 1024:
        return f"{count / 1024:.0f} KB"
    return f"{count / 1024 / 1024:.1f} MB"


def _vectors(value: Any) -> str:
    vectors = value if type(value) is list else [value]
    first = vectors[0] if vectors else None
    if type(first) is dict:
        first = first.get("embedding", first.get("vector"))
    count = f"{len(vectors)} vector{'s' if len(vectors) != 1 else ''}"
    if type(first) is list:
        return f"[{count} of {len(first)} dimensions]"
    if type(first) is str:
        return f"[{count}, {_size(utf8_size(first))} each]"
    return f"[{count}]"

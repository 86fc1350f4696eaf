"""What a path of either API is: inference that is recorded, or something that is passed through."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote, unquote

from modeltraces.gateway.errors import Refused
from modeltraces.gateway.reading import anthropic, media, openai
from modeltraces.gateway.reading.outcome import Outcome, StreamReader
from modeltraces.gateway.targets import Family, Target

_AZURE_VERSION: Final = "2024-10-21"
_AZURE_BY_DEPLOYMENT: Final = frozenset(
    {
        "chat/completions", "completions", "embeddings", "images/generations", "images/edits", "audio/speech",
        "audio/transcriptions", "audio/translations",
    }
)  # fmt: skip
"""Below a deployment's own address, which is where its name goes; all else is the resource's."""


@dataclass(frozen=True, slots=True)
class Call:
    """An inference: its operation in OpenTelemetry's words, and who reads its answer."""

    operation: str
    stream: Callable[[], StreamReader]
    whole: Callable[[int, Any], Outcome]
    answers: Literal["json", "text or json", "media"] = "json"
    """What a good answer is, when it is no stream of events."""
    asks_for_usage: bool = False
    """Whether its streams give tokens only when they are asked to."""
    protocol: Family = "openai"
    """Whose shape its bodies and errors have, whichever of the two roots it is called below."""


_MESSAGES: Final = Call("chat", anthropic.MessageStream, anthropic.read_whole, protocol="anthropic")
_CALLS: Final = {
    "chat/completions": Call("chat", openai.ChatStream, openai.read_whole, asks_for_usage=True),
    "completions": Call("text_completion", openai.ChatStream, openai.read_whole, asks_for_usage=True),
    "embeddings": Call("embeddings", openai.ChatStream, openai.read_whole),
    "responses": Call("chat", openai.ResponsesStream, openai.read_whole),
    "images/generations": Call("image_generation", media.MediaStream, openai.read_whole),
    "images/edits": Call("image_edit", media.MediaStream, openai.read_whole),
    "images/variations": Call("image_variation", media.MediaStream, openai.read_whole),
    "audio/speech": Call("speech", media.MediaStream, openai.read_whole, "media"),
    "audio/transcriptions": Call("transcription", media.MediaStream, openai.read_whole, "text or json"),
    "audio/translations": Call("translation", media.MediaStream, openai.read_whole, "text or json"),
    "moderations": Call("moderation", openai.ChatStream, openai.read_whole),
    "rerank": Call("rerank", openai.ChatStream, openai.read_whole),
    "messages": _MESSAGES,
}
"""Below either root: Anthropic has OpenAI's chat completions too, and many a server of OpenAI's protocol has messages."""
_THREAD: Final = re.compile(r"(?:^|/)threads/[^/]+$")
_DEPLOYMENT: Final = re.compile(r"(?:openai/)?(?:deployments|engines)/([^/]+)/(.+)", re.IGNORECASE)


def call_of(family: Family, method: str, path: str) -> Call | None:
    """The inference that a request is, by how its path ends; None for what is only passed through."""
    if method != "POST":
        return None
    # Some servers take any case, and have the same below several paths: no way around being counted and recorded.
    head, _, last = path.lower().rpartition("/")
    found = _CALLS.get(f"{head.rpartition('/')[2]}/{last}") or _CALLS.get(last)
    # OpenAI's threads hold messages, too.
    return None if found is _MESSAGES and family == "openai" and _THREAD.search(head) else found


def is_usual(path: str) -> bool:
    """Whether a call's path says what is called and nothing else."""
    return path.lower() in _CALLS


def without_deployment(path: str) -> tuple[str, str]:
    """(a call's path as it usually is, the model that it names), for one that names the model itself, as Azure's do."""
    found = _DEPLOYMENT.fullmatch(path)
    return (found[2], unquote(found[1])) if found and is_usual(found[2]) else (path, "")


def address_of_call(target: Target, path: str, query: str) -> str:
    """The upstream's address for a path below the API's own root (`chat/completions`, `messages`).

    Raises Refused for a model whose name would lead elsewhere.
    """
    base = target.base_url
    if target.protocol == "anthropic" or target.protocol == "ollama":
        url = f"{base.removesuffix('/v1')}/v1/{path}"
    elif target.protocol == "azure_openai" and not base.endswith("/v1"):
        url, needs_version = _of_azure(base, target.upstream_model, path)
        if needs_version and "api-version=" not in query:
            query = f"{query}&api-version={_AZURE_VERSION}" if query else f"api-version={_AZURE_VERSION}"
    else:
        url = f"{base}/{path}"
    return f"{url}?{query}" if query else url


def _of_azure(base: str, deployment: str, path: str) -> tuple[str, bool]:
    """(address, whether it bears the version of the API). Azure has three kinds of paths."""
    base, named, given = base.partition("/openai/deployments/")
    root = f"{base.removesuffix('/openai')}/openai"
    if path == "responses" or path.startswith("responses/"):
        # https://learn.microsoft.com/azure/foundry/openai/how-to/responses: only there, the deployment in the body.
        return f"{root}/v1/{path}", False
    if path not in _AZURE_BY_DEPLOYMENT or not (given or deployment):
        return f"{root}/{path}", True
    if named:
        return f"{root}/deployments/{given}/{path}", True
    if deployment in (".", ".."):
        raise Refused(400, f"{deployment} is no model's name.")
    return f"{root}/deployments/{quote(deployment, safe='')}/{path}", True

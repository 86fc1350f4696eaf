"""A call as its caller made it, and how each upstream that may serve it gets it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, cast
from urllib.parse import quote

import orjson
from starlette.types import Scope

from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.gateway import headers as passing
from modeltraces.gateway.allowed import ALTERNATIVES
from modeltraces.gateway.bodies import with_members
from modeltraces.gateway.calls import Call, call_of, is_usual
from modeltraces.gateway.errors import Refused
from modeltraces.gateway.exchange import Exchange
from modeltraces.gateway.forms import Form, NoForm, form_of, is_form
from modeltraces.gateway.reading.outcome import member, text_of
from modeltraces.gateway.targets import Family, Target
from modeltraces.ingest.otlp.messages import text_of_part

_CALLS_ITS_MODEL: Final = frozenset(
    {
        "messages/count_tokens", "responses/input_tokens", "responses/compact", "score", "tokenize",
    }
)  # fmt: skip
"""Of the paths that pass unrecorded, those that do no more than call the model that their body names."""

ROOTS: Final[dict[str, Family]] = {"/gateway/openai/v1/": "openai", "/gateway/anthropic/v1/": "anthropic"}


AT: Final = "The gateway is at /gateway/openai/v1, and for Anthropic's SDKs at /gateway/anthropic."


@dataclass(slots=True)
class Asked:
    family: Family
    method: str
    path: str
    """Below the API's root."""
    query: str
    headers: passing.Headers
    call: Call | None
    """None for what is only passed through, unrecorded."""
    body: bytes
    value: Any
    """The body as JSON; None when it is none."""
    is_limited: bool = False
    """Whether its key may call some models only."""
    told: Mapping[str, str] = field(default_factory=dict)
    """The headers by their names."""
    form: Form | None = None
    """The body as a form, where it is one of an inference; its value is what is recorded of it."""
    named_by_path: str = ""
    """The model that the path named, for a body that names none."""
    model: str = field(init=False)
    """As the caller names it; '' when it does not."""

    def __post_init__(self) -> None:
        self.model = text_of(member(self.value, "model")) or self.named_by_path

    @property
    def called_model(self) -> str:
        """The model that the call is one of; '' for what names one, and does something else."""
        # What else stands in a path may be a model's name as well, and count for whoever gets it.
        is_call = is_usual(self.path) if self.call else self.method == "POST" and self.path in _CALLS_ITS_MODEL
        return self.model if is_call else ""

    def prepared(self, target: Target, *, asks_usage: bool) -> tuple[bytes, bool]:
        """The body as the upstream gets it, and whether it was made to give usage that the caller did not ask for: where
        it may be."""
        value = self.value
        if self.form is not None:
            alone = self.form.names_it_alone(target.upstream_model)
            return (self.body if alone else self.form.with_model(target.upstream_model)), False
        if not isinstance(value, dict):
            return self.body, False
        changed: dict[str, Any] = {}
        named = value.get("model")
        if (self.named_by_path and not text_of(named)) or (
            isinstance(named, str)
            and (named != target.upstream_model or self.is_limited or self.body.count(b'"model"') > 1)
        ):
            # Of a member that stands there twice readers differ in which counts: what was looked up is what is called.
            changed["model"] = target.upstream_model
        if self.is_limited:
            changed |= {name: value[name] for name in ALTERNATIVES if name in value}
        strips = False
        if asks_usage and value.get("stream") is True and self.call is not None and self.call.asks_for_usage:
            options = value.get("stream_options")
            if not (isinstance(options, dict) and options.get("include_usage") is True):
                changed["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
                strips = True
        return (with_members(self.body, changed) if changed else self.body), strips

    def exchange(self, key: KeyIdentity, target: Target) -> Exchange | None:
        """What becomes its run; None for what is not recorded. The clock starts here."""
        if self.call is None:
            return None
        told = self.told
        trace_id, parent = passing.trace_of(told.get("traceparent", ""))
        return Exchange(
            key, self.call.operation, self.model, target, self.value, member(self.value, "stream") is True,
            source_type=told.get("x-source-type", ""),
            source=told.get("x-source", ""),
            session_id=told.get("x-session-id", ""),
            user_id=told.get("x-user-id", "") or str(member(self.value, "user") or ""),
            trace_id=trace_id,
            parent_span_id=parent,
            input=_input_of(self.value) if self.form is not None else "",
            request_bytes=len(self.body),
        )  # fmt: skip


def _input_of(form: dict[str, Any]) -> str:
    """A form as a person reads it: its prompt, and its files by type and size."""
    files = [
        one
        for value in form.values()
        for one in (value if isinstance(value, list) else [value])
        if isinstance(one, dict)
    ]
    return "\n\n".join(filter(None, (str(form.get("prompt") or ""), *map(text_of_part, files))))


def root_of(path: str) -> str:
    """The API's root that a path is below; '' for none."""
    return next((root for root in ROOTS if path.startswith(root)), "")


def shape_of(method: str, path: str) -> Family | None:
    """Whose errors the caller of a whole path reads; None beside the gateway."""
    if not (root := root_of(path)):
        return None
    call = call_of(ROOTS[root], method, path.removeprefix(root))
    return call.protocol if call else ROOTS[root]


def clean_path(scope: Scope, root: str) -> str:
    """The path below the API's root. Raises Refused for one that would leave it."""
    path = cast(str, scope["path"]).removeprefix(root)
    if not root:
        raise Refused(404, f"There is no such path in this API. {AT}", is_no_address=True)
    return _cleaned(path)


@lru_cache(maxsize=256)
def _cleaned(path: str) -> str:
    parts = path.split("/")
    if not path or "\\" in path or any(part in ("", ".", "..") for part in parts) or not path.isprintable():
        raise Refused(404, f"There is no such path in this API. {AT}", is_no_address=True)
    return "/".join(quote(part, safe="-._~!$&'()*+,;=:@") for part in parts)


def read_body(content_type: str, body: bytes) -> tuple[Form | None, Any]:
    """The body as a form, where it says to be one, and what it holds; None for what can be read as neither form nor JSON.
    Raises Refused for a form that is none."""
    if not is_form(content_type):
        return None, json_of(body)
    try:
        form = form_of(content_type, body)
    except NoForm as error:
        raise Refused(400, f"The body is no form of multipart/form-data: {error}.") from error
    return form, form.value()


def fault_of(body: bytes) -> str:
    """Why a body is no JSON object."""
    must = "The body must be a JSON object, or a form where a file goes with it."
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return f"The body is no JSON: {error}. {must}"
    return must


def json_of(body: bytes) -> Any:
    """None for what is no JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None

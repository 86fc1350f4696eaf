"""The one catalog of the fields that runs are filtered, sorted and suggested by.

The grammar, the SQL, the API's docs, `docs/fields.md` and the page's filter builder all read this table.
"""

import difflib
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from modeltraces.run import MODEL_KINDS

Kind: TypeAlias = Literal["text", "keyword", "id", "status", "model_kind", "duration", "count", "time", "bool", "map"]
Operator: TypeAlias = Literal["is", ">", ">=", "<", "<=", "range", "present"]

ATTRIBUTES_PREFIX: Final = "attributes."
ANY_TEXT: Final = "text"
"""The field that a bare word or quoted phrase asks: input, output or Request ID."""

_WORDS: Final[tuple[Operator, ...]] = ("is", "present")
_ORDERED: Final[tuple[Operator, ...]] = ("is", ">", ">=", "<", "<=", "range", "present")
OPERATORS: Final[dict[Kind, tuple[Operator, ...]]] = {
    "text": _WORDS,
    "keyword": _WORDS,
    "id": _WORDS,
    "status": ("is",),
    "model_kind": ("is",),
    "duration": _ORDERED,
    "count": _ORDERED,
    "time": _ORDERED,
    "bool": ("is",),
    "map": _WORDS,
}
KIND_NOTES: Final[dict[Kind, str]] = {
    "text": "contains, in any case; `*` at an end anchors the other",
    "keyword": "equal, in any case; `*` stands for any characters",
    "id": "equal, exactly; `*` stands for any characters",
    "status": "`success` or `failed`",
    "model_kind": "`open_source`, `fine_tuned` or `external`",
    "duration": "`250ms`, `2s`, `1m`, `1.5h`; a bare number is milliseconds",
    "count": "a whole number",
    "time": "RFC 3339 with an offset, or a date (that day in UTC)",
    "bool": "`true` or `false`",
    "map": "equal, in any case; `*` stands for any characters",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: how it is called, what it holds, and the columns it is read from."""

    name: str
    label: str
    kind: Kind
    columns: tuple[str, ...]
    """SQL expressions over the `runs` table; a run matches when one of them does. Empty for `model_kind`."""
    description: str
    aliases: tuple[str, ...] = ()
    sortable: bool = False
    suggestable: bool = False
    nullable: bool = False
    """The column holds NULL where the value is unknown; text columns hold '' there."""
    array: bool = False

    @property
    def operators(self) -> tuple[Operator, ...]:
        return OPERATORS[self.kind]

    @property
    def choices(self) -> tuple[str, ...]:
        """All values there can be, or () for an open set."""
        if self.kind == "status":
            return ("success", "failed")
        if self.kind == "model_kind":
            return MODEL_KINDS
        return ("true", "false") if self.kind == "bool" else ()


def _keyword(name: str, label: str, description: str) -> Field:
    return Field(name, label, "keyword", (name,), description, sortable=True, suggestable=True)


def _id(name: str, label: str, description: str, *, sortable: bool = False, suggestable: bool = False) -> Field:
    return Field(name, label, "id", (name,), description, sortable=sortable, suggestable=suggestable)


def _count(name: str, label: str, description: str) -> Field:
    return Field(name, label, "count", (name,), description, sortable=True, nullable=True)


def _duration(name: str, label: str, description: str) -> Field:
    column = f"{name}_ms"
    return Field(name, label, "duration", (column,), description, aliases=(column,), sortable=True, nullable=True)


FIELDS: Final[tuple[Field, ...]] = (
    Field("status", "Status", "status", ("status",), "Whether the model answered.", sortable=True, suggestable=True),
    _id("request_id", "Request ID", "The run's unique identifier.", sortable=True),
    _duration("response_time", "Response Time", "From the request sent to the last byte received."),
    _duration("time_to_first_token", "Time to First Token", "From the request sent to the first content of a stream."),
    _keyword("deployment_version", "Deployment Version", "The version of the deployment that answered."),
    _keyword("source_type", "Source Type", "What kind of caller asked."),
    _keyword("source", "Source", "The name of the caller."),
    Field("executed_on", "Executed on", "time", ("executed_on",), "When the run started.", sortable=True),
    Field("input", "Input", "text", ("input",), "The request as plain text."),
    Field("output", "Output", "text", ("output",), "The response as plain text."),
    Field(
        ANY_TEXT,
        "Text",
        "text",
        ("input", "output", "request_id"),
        "Input, output or Request ID: what a bare word or a quoted phrase asks.",
    ),
    _keyword("model", "Model", "The model's name in the catalog."),
    Field("model_kind", "Model Kind", "model_kind", (), "How the model came here.", suggestable=True),
    _keyword(
        "base_model",
        "Base Model",
        "The model that served the request, as the provider names it; of runs that do not say it, the base model of "
        "their model in the catalog.",
    ),
    _keyword("connection_name", "Connection Name", "The connection by which an external model was reached."),
    _keyword("provider", "Provider", "The provider, as the emitter names it."),
    _keyword("server_address", "Server Address", "Host, or host:port, of the server that was called."),
    Field(
        "key",
        "Key",
        "keyword",
        ("key_name",),
        "The API key that the run came in with.",
        sortable=True,
        suggestable=True,
    ),
    _keyword("matched_by", "Matched by", "The rule that gave the run its model, deployment or connection."),
    _keyword("operation", "Operation", "What was asked of the model: `chat`, `embeddings`, …"),
    Field("streaming", "Streaming", "bool", ("streaming",), "Whether the answer came as a stream.", suggestable=True),
    Field(
        "payload_cut",
        "Payload Cut",
        "bool",
        ("payload_cut",),
        "Whether parts of the request or response were over a limit, and are kept as their beginning or their digest.",
        suggestable=True,
    ),
    Field(
        "payload_removed_on",
        "Payload Removed on",
        "time",
        ("nullIf(payload_removed_on, toDateTime64(0, 6, 'UTC'))",),
        "When the run's input, output and payloads were removed for their age.",
        nullable=True,
    ),
    _count("input_tokens", "Input Tokens", "Tokens of the input."),
    _count("output_tokens", "Output Tokens", "Tokens of the output."),
    Field(
        "total_tokens",
        "Total Tokens",
        "count",
        ("(input_tokens + output_tokens)",),
        "Tokens of input and output together; unknown when either is.",
        sortable=True,
        nullable=True,
    ),
    _count("cached_input_tokens", "Cached Input Tokens", "Tokens of the input that the provider had cached."),
    _count("reasoning_tokens", "Reasoning Tokens", "Tokens of the output spent on reasoning."),
    Field(
        "finish_reasons",
        "Finish Reasons",
        "keyword",
        ("finish_reasons",),
        "Why the model stopped.",
        suggestable=True,
        array=True,
    ),
    Field("error", "Error", "text", ("error_type", "error_message"), "The type or the message of the error."),
    _keyword("error_type", "Error Type", "The kind of the error."),
    Field("error_message", "Error Message", "text", ("error_message",), "What the error says."),
    _keyword("error_code", "Error Code", "The provider's or HTTP's code of the error."),
    _id("trace_id", "Trace ID", "The OpenTelemetry trace."),
    _id("span_id", "Span ID", "The OpenTelemetry span."),
    _id("parent_span_id", "Parent Span ID", "The span that the run happened in."),
    _id("session_id", "Session ID", "The conversation that the run belongs to.", suggestable=True),
    _id("user_id", "User ID", "The end user that the run was for.", suggestable=True),
    Field(
        "attributes",
        "Attributes",
        "map",
        ("attributes",),
        "Any other attribute of the run, by its key: `attributes.KEY`.",
        suggestable=True,
    ),
)

_BY_NAME: Final[dict[str, Field]] = {name: field for field in FIELDS for name in (field.name, *field.aliases)}

SORTABLE: Final[tuple[str, ...]] = tuple(field.name for field in FIELDS if field.sortable)
SUGGESTABLE: Final[tuple[str, ...]] = tuple(field.name for field in FIELDS if field.suggestable)


def field_named(name: str) -> Field | None:
    """The field of a name or alias; `attributes.KEY` gives the map field. None when there is none."""
    if name.startswith(ATTRIBUTES_PREFIX) and len(name) > len(ATTRIBUTES_PREFIX):
        return _BY_NAME["attributes"]
    return None if name == "attributes" else _BY_NAME.get(name)


def canonical_name(name: str) -> str:
    """The name a field is called by in canonical text: aliases become the field's own name."""
    field = field_named(name)
    return name if field is None or field.kind == "map" else field.name


def attribute_key(name: str) -> str:
    """`env` of `attributes.env`, or ''."""
    return name[len(ATTRIBUTES_PREFIX) :] if name.startswith(ATTRIBUTES_PREFIX) else ""


def nearest_names(name: str, among: tuple[str, ...] = ()) -> list[str]:
    """Up to three known names that look like this one, best first."""
    known = among or tuple(field.name for field in FIELDS)
    return difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.6)

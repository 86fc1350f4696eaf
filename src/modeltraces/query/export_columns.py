"""What an export says of each run, as SQL expressions: the contract's CSV cells, JSON line, and Parquet columns."""

from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import Final

from modeltraces.query.filters import Bound, FilterContext

CSV_HEADER: Final = (
    "Status,Request ID,Response Time (ms),Deployment Version,Source Type,Source,Executed On,Input,Output,"
    "Base Model,Connection Name,Input Tokens,Output Tokens,Error"
)

# What a spreadsheet takes for the start of a formula (OWASP), the full-width forms that some read alike included.
_FORMULA_STARTS: Final = "['=', '+', '-', '@', '\\t', '\\r', '\\n', '＝', '＋', '－', '＠']"  # noqa: RUF001

_REMOVED: Final = "payload_removed_on > toDateTime64(0, 6, 'UTC')"
_ERROR_TEXT: Final = "arrayStringConcat(arrayFilter(part -> part != '', [error_type, error_message]), ': ')"


def csv(zone: tzinfo, raw: bool, context: FilterContext, bound: Bound) -> str:
    """The cells of a CSV row. Text cells that would run as formulas get a leading apostrophe, unless `raw`."""

    def text(expression: str) -> str:
        if raw:
            return f"toString({expression})"
        return (
            f"if(has({_FORMULA_STARTS}, substringUTF8({expression}, 1, 1)), "
            f"concat('\\'', {expression}), toString({expression}))"
        )

    cells = [
        "toString(status)",
        text("request_id"),
        "response_time_ms",
        text("deployment_version"),
        text("source_type"),
        text("source"),
        _instant(zone, bound),
        _or_removed("input", text),
        _or_removed("output", text),
        text(context.base_model(bound)),
        text("connection_name"),
        "input_tokens",
        "output_tokens",
        text(_ERROR_TEXT),
    ]
    return ", ".join(cells)


def json_line(context: FilterContext, bound: Bound) -> str:
    """One text: the contract's run in JSON, whole, without a line break in it."""
    fields = {
        "request_id": "toJSONString(request_id)",
        "status": "toJSONString(status)",
        "model": f"toJSONString({context.model})",
        "model_kind": _json_text(_model_kind(context, bound)),
        "base_model": _json_text(context.base_model(bound)),
        **{name: _json_text(name) for name in ("provider", "deployment_version", "connection_name", "operation")},
        "response_time_ms": _json_number("response_time_ms"),
        "response_time_clamped": "toJSONString(response_time_clamped)",
        "time_to_first_token_ms": _json_number("time_to_first_token_ms"),
        "executed_on": f"concat('\"', {_instant(UTC, bound)}, '\"')",
        "source_type": _json_text("source_type"),
        "source": _json_text("source"),
        "input_tokens": _json_number("input_tokens"),
        "output_tokens": _json_number("output_tokens"),
        "cached_input_tokens": _json_number("cached_input_tokens"),
        "reasoning_tokens": _json_number("reasoning_tokens"),
        "finish_reasons": "toJSONString(finish_reasons)",
        "streaming": "toJSONString(streaming)",
        "error": (
            "if(status = 'failed', concat('{\"type\":', "
            f"{_json_text('error_type')}, ',\"message\":', {_json_text('error_message')}, "
            f"',\"code\":', {_json_text('error_code')}, '}}'), 'null')"
        ),
        **{name: _json_text(name) for name in ("trace_id", "span_id", "parent_span_id", "session_id", "user_id")},
        "attributes": "toJSONString(attributes)",
        "input": "toJSONString(input)",
        "output": "toJSONString(output)",
        "input_size": "toString(input_size)",
        "output_size": "toString(output_size)",
        "cache_write_input_tokens": _json_number("cache_write_input_tokens"),
        "response_id": _json_text("response_id"),
        "instrumentation": _json_text("instrumentation"),
        "payload_cut": "toJSONString(payload_cut)",
        "payload_removed_on": f"if({_REMOVED}, concat('\"', {_instant(UTC, bound, 'payload_removed_on')}, '\"'), 'null')",
        "request": _json_payload("request"),
        "response": _json_payload("response"),
    }
    parts = [f"'{'{' if index == 0 else ','}\"{name}\":', {sql}" for index, (name, sql) in enumerate(fields.items())]
    return f"concat({', '.join(parts)}, '}}')"


def parquet(context: FilterContext, bound: Bound) -> str:
    """Typed columns by the names of the contract's JSON; unknown texts are null, payloads are JSON text."""
    texts = (
        "provider", "deployment_version", "connection_name", "operation", "source_type", "source", "error_type",
        "error_message", "error_code", "trace_id", "span_id", "parent_span_id", "session_id", "user_id", "request",
        "response",
    )  # fmt: skip
    named = {
        "request_id": "request_id",
        "status": "toString(status)",
        "model": f"toString({context.model})",
        "model_kind": _or_null(_model_kind(context, bound)),
        "base_model": _or_null(context.base_model(bound)),
        "executed_on": "executed_on",
        "input": "input",
        "output": "output",
        "finish_reasons": "arrayMap(reason -> toString(reason), finish_reasons)",
        "attributes": "CAST(attributes, 'Map(String, String)')",
        "payload_removed_on": f"if({_REMOVED}, payload_removed_on, NULL)",
        **{name: _or_null(name) for name in texts},
    }
    plain = (
        "response_time_ms", "time_to_first_token_ms", "input_tokens", "output_tokens", "cached_input_tokens",
        "reasoning_tokens", "streaming",
    )  # fmt: skip
    return ", ".join([*(f"{sql} AS {name}" for name, sql in named.items()), *plain])


def _or_null(expression: str) -> str:
    return f"nullIf(toString({expression}), '')"


def _json_text(expression: str) -> str:
    return f"if({expression} = '', 'null', toJSONString(toString({expression})))"


def _json_number(expression: str) -> str:
    return f"ifNull(toJSONString({expression}), 'null')"


def _json_payload(column: str) -> str:
    # In JSON a line break stands only between tokens, where a space says the same; what is not JSON is text.
    return (
        f"multiIf({column} = '', 'null', isValidJSON({column}), translate({column}, '\\n\\r', '  '), "
        f"toJSONString({column}))"
    )


def _model_kind(context: FilterContext, bound: Bound) -> str:
    pairs = [(name, kind) for kind, names in context.names_of_kind.items() for name in names]
    if not pairs:
        return "''"
    names = bound([name for name, _ in pairs], "Array(String)")
    kinds = bound([kind for _, kind in pairs], "Array(String)")
    return f"transform(toString(model), {names}, {kinds}, '')"


def _or_removed(name: str, text: Callable[[str], str]) -> str:
    """The contract's header has no column for it, and an empty cell would say that there was no text."""
    said = "concat('(removed on ', formatDateTime(payload_removed_on, '%Y-%m-%d', 'UTC'), ')')"
    return f"if({name} = '' AND {name}_size > 0 AND {_REMOVED}, {said}, {text(name)})"


def _instant(zone: tzinfo, bound: Bound, column: str = "executed_on") -> str:
    """RFC 3339 to the microsecond, with the zone's offset at that time."""
    if zone is UTC:
        return f"formatDateTime({column}, '%Y-%m-%dT%H:%i:%S.%fZ', 'UTC')"
    place = bound.text(str(zone))
    offset = f"timezoneOffset(toTimeZone({column}, {place}))"
    return (
        f"concat(formatDateTime({column}, '%Y-%m-%dT%H:%i:%S.%f', {place}), if({offset} < 0, '-', '+'), "
        f"leftPad(toString(intDiv(abs({offset}), 3600)), 2, '0'), ':', "
        f"leftPad(toString(intDiv(abs({offset}) % 3600, 60)), 2, '0'))"
    )

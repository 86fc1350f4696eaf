"""A run in the contract's JSON: the summary that lists carry, and the whole run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from modeltraces.catalog.models import ModelEntry
from modeltraces.query.filters import FilterContext
from modeltraces.query.filters.old_names import old_names
from modeltraces.query.runs import RunSummary
from modeltraces.query.times import rfc3339
from modeltraces.run import ModelKind, Run


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the catalog says of the models that runs name."""

    kinds: Mapping[str, ModelKind]
    base_models: Mapping[str, str]
    names: Mapping[str, str]
    """The name that runs bear → the model's name in the catalog, where they differ."""
    recorded: Mapping[str, tuple[str, ...]]
    old_names: Mapping[str, str]

    @classmethod
    def of(cls, entries: list[ModelEntry]) -> "ModelFacts":
        names = [(name, entry) for entry in entries for name in (*entry.merged, *entry.recorded_names, entry.name)]
        return cls(
            {name: entry.kind for name, entry in names},
            {name: entry.base_model for name, entry in names},
            {name: entry.name for entry in entries for name in entry.recorded_names if name != entry.name},
            {
                # Its own name, too: runs may come that bear it.
                name: (*entry.recorded_names, entry.name)
                for name, entry in names
                if entry.recorded_names not in ((), (name,))
            },
            old_names_of(entries),
        )

    def name_of(self, model: str) -> str:
        """The catalog's name of the model that a run names."""
        return self.names.get(model, model)

    @property
    def context(self) -> FilterContext:
        names: dict[ModelKind, list[str]] = {}
        for name, kind in self.kinds.items():
            names.setdefault(kind, []).append(name)
        return FilterContext(names, self.base_models, self.names, self.recorded, self.old_names)


def old_names_of(entries: Sequence[ModelEntry]) -> dict[str, str]:
    """What filters mean by names that models had before they were renamed or merged."""
    return old_names(
        (entry.name for entry in entries),
        ((name, entry.name) for entry in entries for name in (*entry.recorded_names, *entry.merged)),
    )


def summary_json(run: RunSummary, facts: ModelFacts) -> dict[str, Any]:
    return {
        **_common(run, facts),
        "input": run.input,
        "output": run.output,
        "input_truncated": run.input_truncated,
        "output_truncated": run.output_truncated,
    }


def run_json(run: Run, facts: ModelFacts) -> dict[str, Any]:
    """The whole run. `request` and `response` are the payloads as JSON, or null when none was recorded."""
    return {
        **_common(run, facts),
        "input": run.input,
        "output": run.output,
        "input_size": run.input_size,
        "output_size": run.output_size,
        "cache_write_input_tokens": run.cache_write_input_tokens,
        "response_id": run.response_id or None,
        "instrumentation": run.instrumentation or None,
        "payload_cut": run.payload_cut,
        "request": payload(run.request),
        "response": payload(run.response),
    }


def payload(text: str) -> Any:
    if not text:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _common(run: Run | RunSummary, facts: ModelFacts) -> dict[str, Any]:
    failed = run.status == "failed"
    return {
        "request_id": run.request_id,
        "status": run.status,
        "model": facts.name_of(run.model),
        "model_kind": facts.kinds.get(run.model),
        "base_model": run.base_model or facts.base_models.get(run.model) or None,
        "provider": run.provider or None,
        "deployment_version": run.deployment_version or None,
        "connection_name": run.connection_name or None,
        "operation": run.operation or None,
        "response_time_ms": run.response_time_ms,
        "response_time_clamped": run.response_time_clamped,
        "time_to_first_token_ms": run.time_to_first_token_ms,
        "executed_on": rfc3339(run.executed_on_us),
        "source_type": run.source_type or None,
        "source": run.source or None,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "cached_input_tokens": run.cached_input_tokens,
        "reasoning_tokens": run.reasoning_tokens,
        "finish_reasons": run.finish_reasons,
        "streaming": run.streaming,
        "error": {"type": run.error_type or None, "message": run.error_message or None, "code": run.error_code or None}
        if failed
        else None,
        "trace_id": run.trace_id or None,
        "span_id": run.span_id or None,
        "parent_span_id": run.parent_span_id or None,
        "session_id": run.session_id or None,
        "user_id": run.user_id or None,
        "attributes": run.attributes,
        "payload_removed_on": rfc3339(run.payload_removed_on_us) if run.payload_removed_on_us else None,
    }

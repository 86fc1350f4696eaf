"""The models that runs name, for the catalog."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from modeltraces.catalog.models import SeenModel
from modeltraces.run import CLIENT_LEFT, ModelKind, Run

_NO_ANSWER = 400
"""The HTTP status from which on an upstream did not take a call."""


def seen_models(
    runs: Sequence[Run], kinds: Iterable[tuple[str, str, ModelKind]] = ()
) -> dict[str, dict[str, SeenModel]]:
    """By account and name. A recording that is folded into a run with another model brings none.

    `kinds`: account, model, and the kind that a sender says it is of.
    """
    seen: dict[str, dict[str, SeenModel]] = defaultdict(dict)
    for run in runs:
        if run.superseded_by:
            continue
        model = seen[run.account_id].get(run.model)
        if model is None:
            model = seen[run.account_id][run.model] = SeenModel(
                provider=run.provider,
                base_model=run.base_model,
                first_run_on_us=run.executed_on_us,
                is_known_upstream=False,
            )
        model.is_known_upstream = model.is_known_upstream or _is_known_upstream(run)
        model.first_run_on_us = min(model.first_run_on_us, run.executed_on_us)
        model.provider = model.provider or run.provider
        if run.deployment_version:
            model.deployment_versions.add(run.deployment_version)
        if run.connection_name:
            model.connection_names.add(run.connection_name)
    for account_id, name, kind in kinds:
        if name in seen[account_id]:
            seen[account_id][name].kind = kind
    return seen


def _is_known_upstream(run: Run) -> bool:
    """Whether whoever was called has that model. Of a call through the gateway its name is what a caller typed."""
    if run.instrumentation != "gateway":
        return True
    status = run.attributes.get("http.response.status_code", "")
    if status.isdecimal():
        return int(status) < _NO_ANSWER
    # Not reached, or left before an answer; or no attributes are kept here.
    return run.status == "success" and CLIENT_LEFT not in run.finish_reasons

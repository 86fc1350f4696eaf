"""Applying a catalog file: all of it, in one transaction, or nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from modeltraces.catalog.changes import Change, changing
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound
from modeltraces.catalog.file.credentials import Credentials
from modeltraces.catalog.file.difference import compare
from modeltraces.catalog.file.problems import Misplaced
from modeltraces.catalog.file.reading import bad_file, read
from modeltraces.catalog.file.state import read_state
from modeltraces.catalog.file.steps import Phase, Plan, Step, shown
from modeltraces.catalog.hosting.still_up import still_up


@dataclass(frozen=True, slots=True)
class Applied:
    changes: tuple[str, ...]
    """Lines, in the file's order; what the file lacks at the end."""
    left: tuple[str, ...]
    """What the account has and the file does not, and was left alone: `model gpt-4o`."""
    warnings: tuple[str, ...] = ()
    """What goes on costing although its model was archived."""


_TOGETHER: Final = frozenset({Phase.MODEL, Phase.DEPLOYMENT, Phase.EVENT})
"""Each adds rows to one table, which nothing of the same phase needs."""


class _Undo(Exception):
    """Ends a transaction without a trace."""


def apply(
    catalog: Catalog,
    account_id: str,
    text: str,
    credentials: Credentials,
    *,
    actor: str,
    dry_run: bool = False,
    allow_removal: bool = False,
    allow_link_local: bool = False,
) -> Applied:
    """Make the account's catalog what the file's text says. `dry_run`: make it, look whether it holds, and undo it.

    A file that says what is there already leaves nothing behind, not even a line in the audit log.
    Raises BadFile (nothing was changed then), NotFound for an account that is gone, CatalogUnavailable.
    """
    file = read(text, allow_link_local=allow_link_local)
    applied = Applied((), ())
    try:
        with changing(catalog, account_id, actor) as change:
            plan = Plan(
                read_state(change.session, account_id), change.now_us, allow_removal, credentials, allow_link_local
            )
            compare(plan, file)
            if plan.problems:
                raise bad_file(text, plan.problems)
            ends: dict[int, str] = {}
            # What thousands of models need is written a phase at a time: each row by itself took most of the time.
            together = replace(change, at_once=False)
            for phase, steps in groupby(sorted(plan.steps, key=_phase), _phase):
                for step in steps:
                    try:
                        made = step.make(together if phase in _TOGETHER else change)
                        ends[id(step)] = made if isinstance(made, str) else ""
                    except (Conflict, Invalid, NotFound) as error:
                        within = error.parameter.split(".") if isinstance(error, Invalid) and error.parameter else ()
                        raise bad_file(text, [Misplaced((*step.where, *within), str(error))]) from None
                together.write()
            lines = tuple(step.text + ends[id(step)] for step in plan.steps if step.text)
            applied = Applied(lines, tuple(plan.left))
            if plan.archived:
                applied = replace(applied, warnings=_still_up(change, plan.archived))
            if dry_run or not plan.steps:
                raise _Undo
    except _Undo:
        pass
    return applied


def _phase(step: Step) -> Phase:
    return step.phase


def _still_up(change: Change, names: Sequence[str]) -> tuple[str, ...]:
    change.session.flush()
    models = read_state(change.session, change.account_id).models

    def told() -> Iterator[str]:
        for name in names:
            if up := still_up((one.row.version, one.intervals) for one in models[name].deployments):
                yield f"{shown(name)} is archived, but {up}; undeploy what is no longer needed."

    return tuple(told())

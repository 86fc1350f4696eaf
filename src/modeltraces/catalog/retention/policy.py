"""What is said of how long things are kept, and what follows from it.

The server says it for every account (its settings), an account for itself, a model for its own runs; what one leaves open, the
one above says. Days are whole days, UTC: a run of day D that is kept for N days goes with the first sweep of day D + N + 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from modeltraces.catalog.changes import Change, changing
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.model_entries import natural_key
from modeltraces.catalog.tables import AccountRow, ModelNameRow, ModelRetentionRow, ModelRow, RetentionRow
from modeltraces.days import US_PER_DAY
from modeltraces.store.retention_limits import NEVER, Keep, Limits

FOR_EVER: Final = 0
MOST_DAYS: Final = 36_500
SETTABLE: Final = ("keep_runs_days", "keep_payloads_days")


@dataclass(frozen=True, slots=True)
class Days:
    """How long; 0 is for ever."""

    runs: int = FOR_EVER
    payloads: int = FOR_EVER

    @property
    def capped(self) -> "Days":
        """A payload goes with its run at the latest."""
        if self.runs == FOR_EVER:
            return self
        return Days(self.runs, self.runs if self.payloads == FOR_EVER else min(self.payloads, self.runs))


@dataclass(frozen=True, slots=True)
class Said:
    """By an account or for a model; None is left open."""

    keep_runs_days: int | None = None
    keep_payloads_days: int | None = None

    def over(self, above: Days) -> Days:
        """Not capped: what stands below may keep runs longer."""
        return Days(
            above.runs if self.keep_runs_days is None else self.keep_runs_days,
            above.payloads if self.keep_payloads_days is None else self.keep_payloads_days,
        )

    @property
    def nothing(self) -> bool:
        return self.keep_runs_days is None and self.keep_payloads_days is None


@dataclass(frozen=True, slots=True)
class Policy:
    """Of one account."""

    server: Days
    account: Said
    models: Mapping[str, Said] = field(default_factory=dict)
    """By the model's name: those that say something of their own."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By model, the names that its runs bear."""

    @property
    def days(self) -> Days:
        return self.account.over(self.server).capped

    def days_of(self, model: str) -> Days:
        return self.models.get(model, Said()).over(self.account.over(self.server)).capped

    def is_shorter_than(self, other: "Policy") -> bool:
        """Whether anything is kept for less long."""
        pairs = [
            (self.days, other.days),
            *((self.days_of(name), other.days_of(name)) for name in (*self.models, *other.models)),
        ]
        return any(
            _is_shorter(mine.runs, theirs.runs) or _is_shorter(mine.payloads, theirs.payloads) for mine, theirs in pairs
        )

    def limits(self, account_id: str, now_us: int) -> tuple[Limits, Limits]:
        """(of runs, of payloads)"""
        today = now_us - now_us % US_PER_DAY
        own = [(name, self.days_of(model)) for model in self.models for name in self.names.get(model, (model,))]
        return (
            Limits(
                {account_id: limit(self.days.runs, today)},
                {(account_id, name): limit(days.runs, today) for name, days in own},
            ),
            Limits(
                {account_id: limit(self.days.payloads, today)},
                {(account_id, name): limit(days.payloads, today) for name, days in own},
            ),
        )

    def keep(self, account_id: str, now_us: int) -> Keep:
        return Keep(*self.limits(account_id, now_us))


def _is_shorter(days: int, than: int) -> bool:
    return days != FOR_EVER and (than == FOR_EVER or days < than)


def limit(days: int, today_us: int) -> int:
    return NEVER if days == FOR_EVER else today_us - days * US_PER_DAY


def read_policy(catalog: Catalog, account_id: str, server: Days) -> Policy:
    with catalog.session() as session:
        return _policy(session, account_id, server, _read(session, account_id))


def keep_of_all(catalog: Catalog, server: Days, now_us: int) -> Keep:
    """What all accounts keep."""
    runs: tuple[dict[str, int], dict[tuple[str, str], int]] = {}, {}
    payloads: tuple[dict[str, int], dict[tuple[str, str], int]] = {}, {}
    with catalog.session() as session:
        for account_id in session.scalars(select(AccountRow.id)).all():
            policy = _policy(session, account_id, server, _read(session, account_id))
            for into, limits in zip((runs, payloads), policy.limits(account_id, now_us), strict=True):
                into[0].update(limits.accounts)
                into[1].update(limits.models)
    everybody = min([*runs[0].values(), *runs[1].values(), limit(server.runs, now_us - now_us % US_PER_DAY)])
    return Keep(Limits(*runs), Limits(*payloads), everybody)


def change_policy(
    catalog: Catalog,
    account_id: str,
    values: Mapping[str, Any],
    *,
    server: Days,
    actor: str,
    model: str | None = None,
) -> Policy:
    """What an account says, or one of its models: any of `SETTABLE`; None leaves it open. Raises Invalid, and NotFound for a
    model."""
    given = {name: checked(name, value) for name, value in values.items()}
    with changing(catalog, account_id, actor) as change:
        told = _told(change, given, server, model)
        if told.after != told.before:
            _write(change, told)
        return told.policy


def preview_policy(
    catalog: Catalog, account_id: str, values: Mapping[str, Any], *, server: Days, model: str | None = None
) -> Policy:
    """What `change_policy` would make of it, and raise."""
    given = {name: checked(name, value) for name, value in values.items()}
    with catalog.session() as session:
        return _told(Change(session, account_id, "", catalog.clock()), given, server, model).policy


def checked(name: str, value: Any) -> int | None:
    """Raises Invalid."""
    if name not in SETTABLE:
        raise ValueError(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_DAYS:
        raise Invalid(
            f"{name} must be a whole number of days from 1 to {MOST_DAYS:,}, 0 for ever, or null: as it is above.",
            parameter=name,
        )
    return value


@dataclass(frozen=True, slots=True)
class _Told:
    model: ModelRow | None
    before: Said
    after: Said
    policy: Policy


def _told(change: Change, given: Mapping[str, int | None], server: Days, model: str | None) -> _Told:
    """Raises Invalid, NotFound."""
    named = None if model is None else change.model(model)
    found = _read(change.session, change.account_id)
    before = found.account if named is None else found.models.get(named.id, Said())
    after = replace(before, **given)
    if named is None:
        found.account = after
    else:
        found.models[named.id] = after
    policy = _policy(change.session, change.account_id, server, found)
    _check_order(after, server if named is None else policy.account.over(server))
    return _Told(named, before, after, policy)


def _write(change: Change, told: _Told) -> None:
    row: RetentionRow | ModelRetentionRow
    if told.model is None:
        row = RetentionRow(account_id=change.account_id)
    else:
        row = ModelRetentionRow(model_id=told.model.id, account_id=change.account_id)
    row.keep_runs_days, row.keep_payloads_days = told.after.keep_runs_days, told.after.keep_payloads_days
    row = change.session.merge(row)
    change.session.flush()
    if told.after.nothing:
        change.session.delete(row)
        change.session.flush()
    change.record(
        "retention.change",
        "retention" if told.model is None else f"model:{told.model.name}",
        _shown(told.before),
        _shown(told.after),
    )


def _check_order(said: Said, above: Days) -> None:
    """What is said of payloads must be what happens. What is said above may be more: it is cut to the runs' days."""
    days = said.over(above)
    if said.keep_payloads_days is not None and days.capped.payloads != days.payloads:
        runs = f"{days.runs} day{'s' if days.runs != 1 else ''}"
        raise Invalid(
            f"Payloads cannot be kept longer than their runs, which are kept for {runs}: give fewer days for payloads.",
            parameter="keep_payloads_days",
        )


@dataclass(slots=True)
class _Read:
    account: Said
    models: dict[str, Said]
    """By the model's id."""


def _read(session: Session, account_id: str) -> _Read:
    return _Read(
        _said(session.get(RetentionRow, account_id)),
        {
            one.model_id: _said(one)
            for one in session.scalars(select(ModelRetentionRow).where(ModelRetentionRow.account_id == account_id))
        },
    )


def _policy(session: Session, account_id: str, server: Days, found: _Read) -> Policy:
    own = {model_id: said for model_id, said in found.models.items() if not said.nothing}
    if not own:
        return Policy(server, found.account)
    models = {
        model_id: (name, into)
        for model_id, name, into in session.execute(
            select(ModelRow.id, ModelRow.name, ModelRow.merged_into_id).where(ModelRow.account_id == account_id)
        )
    }

    def last(model_id: str) -> str:
        while (into := models[model_id][1]) is not None:
            model_id = into
        return model_id

    owner = {
        recorded: last(model_id)
        for recorded, model_id in session.execute(
            select(ModelNameRow.recorded_name, ModelNameRow.model_id).where(ModelNameRow.account_id == account_id)
        )
    }
    # A model that was merged is counted with another, and kept as that one is.
    said = {model_id: one for model_id, one in own.items() if models[model_id][1] is None}
    names: dict[str, list[str]] = {model_id: [] for model_id in said}
    for model_id in said:
        # Runs may come that bear its name, unless these are another's.
        owner.setdefault(models[model_id][0], model_id)
    for recorded, model_id in owner.items():
        if model_id in names:
            names[model_id].append(recorded)
    ordered = sorted(said, key=lambda model_id: natural_key(models[model_id][0]))
    return Policy(
        server,
        found.account,
        {models[model_id][0]: said[model_id] for model_id in ordered},
        {models[model_id][0]: tuple(sorted(names[model_id])) for model_id in ordered},
    )


def _said(row: RetentionRow | ModelRetentionRow | None) -> Said:
    return Said() if row is None else Said(row.keep_runs_days, row.keep_payloads_days)


def _shown(said: Said) -> dict[str, Any]:
    return {"keep_runs_days": said.keep_runs_days, "keep_payloads_days": said.keep_payloads_days}

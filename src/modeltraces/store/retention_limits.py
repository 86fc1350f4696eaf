"""What is past its limit of age, as data and as SQL. A limit is an instant: what was executed before it goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NEVER: Final = -(2**62)
"""A limit that nothing lies before."""
_FIRST_US: Final = -2_208_988_800_000_000
"""1900, where the engine's instants begin."""


@dataclass(frozen=True, slots=True)
class Limits:
    """By account, and by (account, name that runs bear) where a model has a limit of its own."""

    accounts: Mapping[str, int] = field(default_factory=dict)
    models: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def latest(self) -> int:
        """Nothing from here on is past."""
        return max([NEVER, *self.accounts.values(), *self.models.values()])

    def of_account(self) -> dict[str, int]:
        """By account the limit that comes first: of what does not say its model."""
        found = dict(self.accounts)
        for (account_id, _), limit in self.models.items():
            found[account_id] = max(found.get(account_id, NEVER), limit)
        return {account_id: limit for account_id, limit in found.items() if limit > NEVER}

    def only(self, account_id: str) -> "Limits":
        return Limits(
            {one: limit for one, limit in self.accounts.items() if one == account_id},
            {key: limit for key, limit in self.models.items() if key[0] == account_id},
        )

    def longer_of(self, other: "Limits") -> "Limits":
        """Whatever is kept by one of the two. What the first does not name is not limited."""
        return Limits(
            {account_id: min(at, other.accounts.get(account_id, NEVER)) for account_id, at in self.accounts.items()},
            {key: min(self._of(*key), other._of(*key)) for key in {**self.models, **other.models}},
        )

    def _of(self, account_id: str, model: str) -> int:
        return self.models.get((account_id, model), self.accounts.get(account_id, NEVER))

    def sql(self, name: str, at: str = "executed_on") -> tuple[str, dict[str, Any]]:
        """(whether a row is past by its time `at`, its parameters, which begin with `name`)."""
        limited = self.of_account()
        if not limited:
            return "false", {}
        params: dict[str, Any] = {
            f"{name}_latest": inside(self.latest),
            f"{name}_accounts": list(limited),
            f"{name}_limits": [self.accounts.get(account_id, NEVER) for account_id in limited],
        }
        limit = (
            f"transform(toString(account_id), {{{name}_accounts:Array(String)}}, {{{name}_limits:Array(Int64)}}, "
            f"toInt64({NEVER}))"
        )
        own = {key: at for key, at in self.models.items() if key[0] in limited}
        if own:
            params[f"{name}_pairs"] = [f"{account_id}\0{model}" for account_id, model in own]
            params[f"{name}_pair_limits"] = list(own.values())
            limit = (
                f"transform(concat(account_id, '\\0', model), {{{name}_pairs:Array(String)}}, "
                f"{{{name}_pair_limits:Array(Int64)}}, {limit})"
            )
        return (
            f"({at} < fromUnixTimestamp64Micro({{{name}_latest:Int64}}, 'UTC') "
            f"AND account_id IN {{{name}_accounts:Array(String)}} AND toUnixTimestamp64Micro({at}) < {limit})"
        ), params


@dataclass(frozen=True, slots=True)
class Keep:
    """What is kept. A run's payload does not outlive the run."""

    runs: Limits = field(default_factory=Limits)
    payloads: Limits = field(default_factory=Limits)
    everybody: int = NEVER
    """Before this, runs are past for every account there is, and for one that is made now."""

    @property
    def latest(self) -> int:
        return max(self.runs.latest, self.payloads.latest)

    def longer_of(self, other: "Keep") -> "Keep":
        """Whatever one of the two keeps."""
        return Keep(
            self.runs.longer_of(other.runs),
            self.payloads.longer_of(other.payloads),
            min(self.everybody, other.everybody),
        )

    @property
    def has_own(self) -> bool:
        """Whether a model has a limit of its own."""
        return bool(self.runs.models or self.payloads.models)


def inside(at_us: int) -> int:
    """An instant that the engine can hold."""
    return max(at_us, _FIRST_US)

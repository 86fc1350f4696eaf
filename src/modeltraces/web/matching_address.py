"""What the address of Settings → Matching says: what is tried out, what is filtered, and what is open."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.datastructures import QueryParams

from modeltraces.catalog.matching.rules import FACTS, Fact
from modeltraces.web.address import MATCHING, with_query


@dataclass(frozen=True, slots=True)
class Asked:
    """One state of the page."""

    facts: Mapping[Fact, str] = field(default_factory=dict)
    """What the run that is tried out says."""
    on: str = ""
    """When it was executed: a `datetime-local` in the reader's zone."""
    search: str = ""
    page: int = 1
    """Of the implied rules."""
    do: str = ""
    name: str = ""

    @classmethod
    def of(cls, query: QueryParams) -> "Asked":
        page = query.get("page", "")
        return cls(
            facts={fact: value for fact in FACTS if (value := query.get(fact, "").strip())},
            on=query.get("on", "").strip(),
            search=query.get("q", "").strip(),
            page=max(1, int(page)) if page.isdecimal() and len(page) < 9 else 1,
            do=query.get("do", ""),
            name=query.get("name", ""),
        )

    def tried(self) -> tuple[tuple[str, str], ...]:
        return (*self.facts.items(), *((("on", self.on),) if self.on else ()))

    def listed(self) -> tuple[tuple[str, str], ...]:
        pairs = (("q", self.search), ("page", str(self.page) if self.page > 1 else ""))
        return tuple(pair for pair in pairs if pair[1])

    def url(self, **changes: Any) -> str:
        """The address of another state, with nothing open unless it is said."""
        to = replace(self, **{"do": "", "name": "", **changes})
        opened = tuple(pair for pair in (("do", to.do), ("name", to.name)) if pair[1])
        return with_query(MATCHING, [*to.tried(), *to.listed(), *opened])

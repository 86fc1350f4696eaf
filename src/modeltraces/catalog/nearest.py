"""Which names a misspelt one may have meant: of models, connections, versions, hardware, actions."""

import difflib
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

_MOST: Final = 3
_SHORTEST_PART: Final = 3
"""Characters from which on a part of a name says something."""


def nearest_names(name: str, among: Iterable[str]) -> list[str]:
    """Up to three of the names, as they are spelled: those most alike in any case, then those that hold it."""
    wanted, spelled = name.lower(), defaultdict[str, list[str]](list)
    for other in among:
        spelled[other.lower()].append(other)
    found = difflib.get_close_matches(wanted, spelled, _MOST)
    if len(wanted) >= _SHORTEST_PART:
        found += [other for other in spelled if wanted in other and other not in found]
    return [one for other in found for one in spelled[other]][:_MOST]

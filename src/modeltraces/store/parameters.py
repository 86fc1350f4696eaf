"""Long parameters on their way to a ClickHouse server.

It takes no field of more than 128 KiB (`http_max_field_value_size`, which no query can change), and a catalog's names in one
array may be more. Such an array goes as several, joined again in the SQL.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

LONGEST_BYTES: Final = 64 << 10
"""Of one field: half of what is taken, for quotes and escapes make values longer."""
_PLACE: Final = re.compile(r"\{(\w+):(Array\([^{}]*\))\}")


def in_pieces(sql: str, params: Mapping[str, Any], longest_bytes: int = LONGEST_BYTES) -> tuple[str, dict[str, Any]]:
    """The same statement with parameters of which none is long."""
    split = {
        name: pieces
        for name, value in params.items()
        if isinstance(value, list | tuple) and len(pieces := _pieces(value, longest_bytes)) > 1
    }
    if not split:
        return sql, dict(params)
    sent = {name: value for name, value in params.items() if name not in split}
    sent |= {f"{name}_{at}": piece for name, pieces in split.items() for at, piece in enumerate(pieces)}

    def joined(place: re.Match[str]) -> str:
        name, type_name = place.groups()
        if name not in split:
            return place[0]
        return f"arrayConcat({', '.join(f'{{{name}_{at}:{type_name}}}' for at in range(len(split[name])))})"

    return _PLACE.sub(joined, sql), sent


def _pieces(values: list[Any] | tuple[Any, ...], longest_bytes: int) -> list[list[Any]]:
    pieces: list[list[Any]] = [[]]
    length = 0
    for value in values:
        # Characters of a text may take four bytes each; a number takes fewer than twenty in all.
        size = 4 + (len(value.encode()) if isinstance(value, str) else 20)
        if pieces[-1] and length + size > longest_bytes:
            pieces.append([])
            length = 0
        pieces[-1].append(value)
        length += size
    return pieces

"""SQL that several parts of the store say."""

from typing import Final

PATIENT: Final = "SETTINGS max_execution_time = 0, max_threads = 1"
"""Of what is done in the background: it may take long, and leaves the other cores to who waits."""


def started_between(start: str, end: str) -> str:
    """Which runs were executed from one instant until another; names of parameters that hold µs."""
    return (
        f"executed_on >= fromUnixTimestamp64Micro({{{start}:Int64}}, 'UTC') "
        f"AND executed_on < fromUnixTimestamp64Micro({{{end}:Int64}}, 'UTC')"
    )

"""How many random cases a test takes."""

import hypothesis


def examples(daily: int, *, thorough: int) -> int:
    """`thorough` many in a run with `--thorough`. Where a test is decorated there is no fixture yet; the profile is there."""
    return daily if hypothesis.settings().derandomize else thorough

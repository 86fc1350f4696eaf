"""How often Python looks for cycles."""

import gc


def collect_seldom() -> None:
    """Runs are made in tens of thousands and hold no cycles: looking for them took a third of ingest's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)

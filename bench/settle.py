"""What is done once runs were put into a store past the server, before it is measured."""

import time

from bench.progress import Progress
from modeltraces.query.covered import is_worth_asking
from modeltraces.store.coverage import forget
from modeltraces.store.engine import Store
from modeltraces.store.summaries import refresh
from modeltraces.store.texts import MOST_HOURS, refresh_texts


def settle(store: Store) -> None:
    """Sum up anew: the runs' times of receipt lie in the past, so sums that were made meanwhile would leave them out."""
    forget(store, now_us=time.time_ns() // 1000)
    if is_worth_asking(store):
        sum_up(store)


def sum_up(store: Store) -> None:
    progress = Progress(
        "Summing up their hours, and looking through their texts, as a server does in its first minutes",
        "a minute or two, and some ten of 10 M runs",
    )
    as_of_us = time.time_ns() // 1000
    while left := refresh(store, as_of_us):
        progress.show(f"{left:,} hours to be summed up")
        as_of_us += 1
    looked_through = 0
    while refresh_texts(store, as_of_us):
        looked_through += MOST_HOURS
        progress.show(f"texts of {looked_through:,} hours are looked through")
    progress.end()

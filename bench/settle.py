"""What is done once runs were put into a store past the server, before it is measured."""

import sys
import time

from modeltraces.store.coverage import forget
from modeltraces.store.engine import Store
from modeltraces.store.summaries import refresh
from modeltraces.store.texts import refresh_texts


def settle(store: Store) -> None:
    """Sum up anew: the runs' times of receipt lie in the past, so sums that were made meanwhile would leave them out."""
    forget(store, now_us=time.time_ns() // 1000)
    sum_up(store)


def sum_up(store: Store) -> None:
    """What a server does in its first minutes."""
    as_of_us = time.time_ns() // 1000
    while left := refresh(store, as_of_us):
        sys.stderr.write(f"\r{left} hours to be summed up ")
        as_of_us += 1
    while refresh_texts(store, as_of_us):
        sys.stderr.write("\rtexts are looked through ")

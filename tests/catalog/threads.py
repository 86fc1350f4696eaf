"""Calls that begin at the same moment."""

import threading
from collections.abc import Callable
from typing import Any


def in_threads(*calls: Callable[[], object]) -> list[Any]:
    """What each call returned or raised, all begun at once."""
    results: list[Any] = [None] * len(calls)
    ready = threading.Barrier(len(calls))

    def run(index: int) -> None:
        ready.wait()
        try:
            results[index] = calls[index]()
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results

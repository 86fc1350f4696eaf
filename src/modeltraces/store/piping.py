"""What the embedded engine writes to a file, read while it is written: the file is a pipe.

It gives formats that have a footer whole, and that in memory; to a file it writes them piece by piece.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Final

from modeltraces.store.errors import StoreError

_PIECE_BYTES: Final = 1 << 20
_AGAIN_SECONDS: Final = 0.2


@contextmanager
def piped(write: Callable[[str], None], end: Callable[[], None]) -> Iterator[Iterator[bytes]]:
    """The pieces of what `write`, in a thread of its own, writes to the path that it is given; they raise what it raises.

    `end`: called until `write` has ended, when nobody reads any more.
    """
    reader, writer = os.pipe()
    _widen(writer)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            write(f"/dev/fd/{writer}")
        except BaseException as error:
            failures.append(error)
        finally:
            os.close(writer)

    thread = Thread(target=run, name="piped", daemon=True)

    def read() -> bytes:
        piece = os.read(reader, _PIECE_BYTES)
        if not piece:
            thread.join()
            if failures:
                raise failures[0]
        return piece

    try:
        thread.start()
    except BaseException:
        os.close(writer)
        os.close(reader)
        raise
    try:
        yield iter(read, b"")
    finally:
        # The engine goes on when nobody reads: it takes a broken pipe for no reason to stop. And what is ended before it has
        # begun is not ended.
        os.close(reader)
        while thread.is_alive():
            with suppress(StoreError):
                end()
            thread.join(_AGAIN_SECONDS)


def _widen(writer: int) -> None:
    if sys.platform == "linux":
        import fcntl

        try:
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIECE_BYTES)
        except OSError:
            # A user may have only so much in pipes; a narrow one is slower.
            return

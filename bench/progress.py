"""What is being done, on stderr: on a terminal in one line that is written over, in a file a line of its own now and then."""

import sys
import time
from typing import Final

LINE_SECONDS: Final = 10.0
"""Between two lines in a file."""


class Progress:
    """Of one part. It is named before it begins, with how long it takes."""

    def __init__(self, what: str, takes: str = "") -> None:
        self._last = time.monotonic()
        self._is_open = False
        _write(f"{what}{f' ({takes})' if takes else ''} …\n")

    def show(self, text: str) -> None:
        if sys.stderr.isatty():
            _write(f"\r\033[K{text}")
            self._is_open = True
        elif time.monotonic() - self._last >= LINE_SECONDS:
            self._last = time.monotonic()
            _write(text + "\n")

    def end(self, text: str = "") -> None:
        """What stays of it."""
        before = "\r\033[K" if self._is_open else ""
        _write(before + (text + "\n" if text else ""))


def in_words(seconds: float) -> str:
    """`about 40 s`, `about 3 minutes`."""
    if seconds < 90:
        return f"about {max(10, round(seconds, -1)):.0f} s"
    return f"about {seconds / 60:.0f} minutes"


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()

"""Which tests of a run with several processes one process takes together.

A file's tests share what the file sets up, so they stay together. Files that share something dearer do, too.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

_TOGETHER = {
    # 40,000 runs, made and stored.
    "tests/demo/test_history.py": "the demo's history",
    "tests/demo/test_incidents.py": "the demo's history",
}


def together(nodeid: str) -> str:
    file = nodeid.split("::", 1)[0]
    return _TOGETHER.get(file, file)


def scheduling(config: pytest.Config, log: Any) -> Any:
    by_file = LoadFileScheduling(config, log)
    by_file._split_scope = together
    return by_file

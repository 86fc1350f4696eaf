"""Fails if a tracked file has what no file here may have.

Download addresses and paths of one machine make a clone depend on where it was made; files that are too long or too
big are hard to read or to keep.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
MAXIMUM_BYTES: Final = 1_000_000
MAXIMUM_LINES: Final = 400
LINE_LIMITED: Final = {".py", ".ts", ".css", ".html", ".mjs"}

# Written so that this file does not hold what it looks for.
FORBIDDEN: Final = {
    "a download address in a lock file": re.compile(rb'"resol' rb'ved"\s*:'),
    "a package index": re.compile(
        rb"--(?:extra-)?index" rb"-url|--find" rb"-links|--default" rb"-index|index" rb"_url"
    ),
    "the address of a package file": re.compile(rb"https?://[^\s\"'<>)]+\.(?:whl|tgz|tar\.gz)\b"),
    "the host of a package registry": re.compile(rb"files\.python" rb"hosted\.org|registry\.npm" rb"js\.org"),
    "a path of one machine": re.compile(
        rb"(?<![\w.~$}-])/(?:wo" rb"rk|ro" rb"ot|ho" rb"me/\w+|Us" rb"ers/\w+)/\w|\.pye" rb"nv"
    ),
}


def tracked_files() -> list[Path]:
    """The files that git tracks, or would with the next `git add`, as they are in the work tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    paths = [ROOT / name.decode() for name in listed.split(b"\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def problems(path: Path) -> list[str]:
    """What is wrong with one file, each as `file:line: what`."""
    name = path.relative_to(ROOT).as_posix()
    content = path.read_bytes()
    wrong = []
    if len(content) > MAXIMUM_BYTES:
        wrong.append(f"{name}: {len(content):,} bytes, more than {MAXIMUM_BYTES:,}")
    if b"\0" in content[:8192]:
        return wrong
    lines = content.splitlines()
    if path.suffix in LINE_LIMITED and len(lines) > MAXIMUM_LINES:
        wrong.append(f"{name}: {len(lines)} lines, more than {MAXIMUM_LINES}: a file is about one thing")
    for number, line in enumerate(lines, start=1):
        wrong += [f"{name}:{number}: {what}" for what, pattern in FORBIDDEN.items() if pattern.search(line)]
    return wrong


def main() -> int:
    files = tracked_files()
    wrong = [problem for path in files for problem in problems(path)]
    print("\n".join(wrong) or f"Tracked files: {len(files)}, nothing that may not be there.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

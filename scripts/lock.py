"""The lock files: compile requirements/*.lock from pyproject.toml and requirements/*.in, or check that they are fresh.

    python scripts/lock.py              # adds what is missing, moves nothing that need not move
    python scripts/lock.py --upgrade    # moves everything to the newest allowed versions
    python scripts/lock.py --check      # fails if a lock is not what compiling it again would give

Without a network `--check` compiles from the installer's cache; where that is not possible either, it checks what can
be told without: that each requirement is pinned, to a version it allows, with hashes.
"""

import argparse
import difflib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
NO_NETWORK: Final = (
    "error sending request",
    "dns error",
    "Failed to fetch",
    "Could not connect",
    "network was disabled",
)


@dataclass(frozen=True)
class Lock:
    """One lock file, what it is compiled from, and the locks whose versions it must share."""

    name: str
    sources: tuple[str, ...]
    constraints: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        return ROOT / self.name


LOCKS: Final = (
    Lock("requirements/bootstrap.lock", ("requirements/bootstrap.in",)),
    Lock("requirements/runtime.lock", ("pyproject.toml",)),
    Lock(
        "requirements/dev.lock",
        ("pyproject.toml", "requirements/dev.in"),
        ("requirements/bootstrap.lock", "requirements/runtime.lock"),
    ),
    Lock("requirements/postgres.lock", ("requirements/postgres.in",), ("requirements/dev.lock",)),
    Lock("requirements/node.lock", ("requirements/node.in",)),
)


class CompileError(Exception):
    """The installer could not compile a lock; the message is what it said."""


def compile_lock(lock: Lock, output: Path, *extra: str) -> None:
    """Compiles `lock` into `output`, whose present pins are kept where they can be. Raises CompileError."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise CompileError("uv is not installed: run `make` first, which sets up .venv.")
    command = [uv, "pip", "compile", *lock.sources, "--output-file", str(output)]
    for constraint in lock.constraints:
        command += ["--constraints", constraint]
    # No header: it would carry the command, with this machine's paths in it.
    command += ["--no-header", "--generate-hashes", "--universal", "--python-version", "3.11", "--quiet", *extra]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise CompileError(result.stderr.strip())


def recompiled(lock: Lock) -> str | None:
    """The text that compiling `lock` again gives; None where that needs a network that is not there."""
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory, lock.path.name)
        for extra in ((), ("--offline",)):
            shutil.copy(lock.path, output)
            try:
                compile_lock(lock, output, *extra)
            except CompileError as error:
                if any(sign in str(error) for sign in NO_NETWORK):
                    continue
                raise
            return output.read_text()
    return None


def pins(text: str) -> dict[str, set[str]]:
    """The versions that a lock's text pins, by canonical name."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def requirements(source: str) -> list[Requirement]:
    """The requirements that a source file states."""
    text = (ROOT / source).read_text()
    if source.endswith(".toml"):
        lines = tomllib.loads(text)["project"]["dependencies"]
    else:
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [Requirement(line) for line in lines]


def problems_without_network(lock: Lock) -> list[str]:
    """What is wrong with `lock` as far as its own text tells."""
    text = lock.path.read_text()
    pinned = pins(text)
    wrong = []
    for source in lock.sources:
        for requirement in requirements(source):
            versions = pinned.get(canonicalize_name(requirement.name), set())
            if not any(requirement.specifier.contains(version, prereleases=True) for version in versions):
                wrong.append(f"{lock.name} has no version that satisfies `{requirement}` of {source}")
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    wrong += [f"{lock.name}: no hash for {block.split()[0]}" for block in blocks[1:] if "--hash=sha256:" not in block]
    return wrong


def npm_problems() -> list[str]:
    """Where package-lock.json does not say what package.json asks for. `npm ci` refuses that too, but only later."""
    package = json.loads((ROOT / "package.json").read_text())
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"][""]
    kinds = ("dependencies", "devDependencies")
    if all(package.get(kind, {}) == locked.get(kind, {}) for kind in kinds):
        return []
    return ["package-lock.json is not what package.json asks for: run `npm install --package-lock-only`"]


def check() -> list[str]:
    """Every way in which the lock files are not fresh."""
    wrong = npm_problems()
    for lock in LOCKS:
        if not lock.path.exists():
            wrong.append(f"{lock.name} is missing: run `make lock`")
            continue
        again = recompiled(lock)
        if again is None:
            print(f"{lock.name}: no network, checked names, versions and hashes only")
            wrong += problems_without_network(lock)
        elif again != lock.path.read_text():
            difference = difflib.unified_diff(lock.path.read_text().splitlines(), again.splitlines(), lineterm="", n=0)
            wrong.append("\n".join([f"{lock.name} is stale: run `make lock`", *list(difference)[:20]]))
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description="Compile or check the lock files.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a lock is not fresh")
    parser.add_argument("--upgrade", action="store_true", help="move to the newest allowed versions")
    arguments = parser.parse_args()
    try:
        if arguments.check:
            wrong = check()
            print("\n".join(wrong) or "Locks: fresh.")
            return 1 if wrong else 0
        for lock in LOCKS:
            compile_lock(lock, lock.path, *(["--upgrade"] if arguments.upgrade else []))
    except CompileError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

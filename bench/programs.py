"""A program of the benchmark's own, in a process of its own: the engine gives a process one data directory for life."""

import os
import subprocess
from tempfile import TemporaryFile

from tests.support.forking import start


def output_of(module: str, *arguments: str) -> str:
    """What `python -m module arguments` writes. Raises CalledProcessError when it does not end well."""
    with open(os.devnull, "rb") as nothing, TemporaryFile("w+") as out, open(2, "wb", closefd=False) as error:
        status = start(module, arguments, os.environ, nothing, out, error).wait()
        out.seek(0)
        if status != 0:
            raise subprocess.CalledProcessError(status, [module, *arguments], out.read())
        return out.read()

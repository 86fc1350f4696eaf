"""The embedded engine's directory: private to its user, and open in one process at a time."""

import fcntl
import os
import secrets
from pathlib import Path

from modeltraces.store.errors import DirectoryInUse, StoreUnavailable

_LEAST_FREE_BYTES = 4 << 20
"""Less room than this on the disk is none: a commit writes its rows twice before it is done."""


def make_private(path: Path) -> None:
    """Make a directory that only this user may enter: prompts stand in it. One that is there is left as it is."""
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def lock(path: Path) -> int:
    """Hold the directory's lock, or say who has it: two engines on one directory would destroy it."""
    try:
        make_private(path)
        descriptor = os.open(path / "modeltraces.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"the data directory {path} cannot be written to: {error.strerror}. Choose another with --data-dir, or mend its rights."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise DirectoryInUse(
            f"the data directory {path} is in use by another modeltraces process. Stop it, or choose another with --data-dir. "
            "Several processes need a ClickHouse server (MODELTRACES_STORE_URL)."
        ) from error
    return descriptor


def identity(path: Path) -> str:
    """What tells the store in this directory from any other, wherever the directory is moved; for who holds its lock.

    Raises StoreUnavailable.
    """
    file = path / "store.id"
    try:
        if not file.exists() or not file.stat().st_size:
            made = file.with_suffix(".new")
            with made.open("w") as writing:
                writing.write(secrets.token_hex(8))
                writing.flush()
                os.fsync(writing.fileno())
            made.replace(file)
        return file.read_text(errors="replace").strip()
    except OSError as error:
        raise StoreUnavailable(f"{file} cannot be read or written: {error.strerror}. Mend its rights.") from error


def check_room(descriptor: int) -> None:
    """Raises StoreUnavailable when the directory cannot be written to."""
    try:
        os.pwrite(descriptor, b"ready", 0)
        os.fsync(descriptor)
        disk = os.fstatvfs(descriptor)
    except OSError as error:
        raise StoreUnavailable(f"the data directory cannot be written to: {error.strerror}") from error
    if disk.f_bavail * disk.f_frsize < _LEAST_FREE_BYTES:
        raise StoreUnavailable("the disk is full: free space in the data directory")

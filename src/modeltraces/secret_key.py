"""The server's secret key: signs what it hands out, and locks the credentials that it keeps."""

import contextlib
import os
import secrets
import tempfile
from typing import Final

import structlog

from modeltraces.settings import Settings

log = structlog.get_logger(__name__)

LEAST_BYTES: Final = 32
"""Fewer can be guessed."""


class SecretKeyUnavailable(Exception):
    """The key can neither be read nor made; the message says what to do."""


def secret_key(settings: Settings) -> bytes:
    """The key from the settings, or the one made at the first start and kept beside the data.

    Raises SecretKeyUnavailable.
    """
    if settings.secret_key is not None:
        given = settings.secret_key.get_secret_value().encode()
        if len(given) < LEAST_BYTES:
            log.warning(
                "MODELTRACES_SECRET_KEY is so short that it can be guessed, and it encrypts credentials: take 32 bytes or more "
                "(`openssl rand -base64 48`), let the catalog know (`modeltraces catalog forget-key`), and enter credentials again"
            )
        return given
    path = settings.data_dir / "secret.key"
    try:
        if not path.exists() or not path.stat().st_size:
            path.unlink(missing_ok=True)
            # Under its own name only when it is whole, and never over another's: nobody signs with a part of it, and
            # of processes that start together all sign with the same one.
            with tempfile.NamedTemporaryFile(dir=settings.data_dir, prefix="secret-") as file:
                file.write(secrets.token_urlsafe(48).encode())
                file.flush()
                os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):
                    os.link(file.name, path)
        return path.read_bytes()
    except OSError as error:
        raise SecretKeyUnavailable(
            f"the secret key {path} cannot be read or written: {error.strerror}. Mend its rights, or set MODELTRACES_SECRET_KEY."
        ) from error

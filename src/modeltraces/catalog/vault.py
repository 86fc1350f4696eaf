"""Credentials of providers, encrypted at rest: written, used, and never shown again."""

import base64
from dataclasses import dataclass, field
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from modeltraces.catalog.errors import Invalid

LONGEST_CREDENTIAL: Final = 8192


@dataclass(frozen=True, slots=True)
class Vault:
    """`secret`: the server's secret key, whatever its length."""

    secret: bytes = field(repr=False)

    def lock(self, credential: str) -> str:
        """The credential encrypted. Raises Invalid for one that no header could carry."""
        credential = credential.strip()
        if (
            not credential
            or len(credential) > LONGEST_CREDENTIAL
            or not credential.isprintable()
            or not credential.isascii()
        ):
            raise Invalid(
                f"The credential must be 1 to {LONGEST_CREDENTIAL} printable ASCII characters, as it goes into a header."
            )
        return self._fernet().encrypt(credential.encode()).decode()

    def unlock(self, locked: str) -> str:
        """The credential. Raises Invalid when it was encrypted with another secret key."""
        try:
            return self._fernet().decrypt(locked.encode()).decode()
        except InvalidToken:
            raise Invalid(
                "The credential was stored with another secret key and cannot be read. Enter it again, "
                "or start the server with the MODELTRACES_SECRET_KEY of that time."
            ) from None

    def _fernet(self) -> Fernet:
        derived = HKDF(SHA256(), length=32, salt=None, info=b"modeltraces credentials").derive(self.secret)
        return Fernet(base64.urlsafe_b64encode(derived))

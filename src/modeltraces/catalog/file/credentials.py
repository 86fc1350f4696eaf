"""The credentials that a catalog file names: read where they are kept, and never shown."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.file.problems import Misplaced, Where
from modeltraces.catalog.vault import LONGEST_CREDENTIAL, Vault


@dataclass(slots=True)
class Credentials:
    """`directory`: what a relative `credential_file` starts from. `open_vault`: asked for when there is a credential."""

    directory: Path
    open_vault: Callable[[], Vault]
    _vault: Vault | None = None

    @property
    def vault(self) -> Vault:
        if self._vault is None:
            self._vault = self.open_vault()
        return self._vault

    def read(self, env: str, file: str, where: Where) -> str:
        """The credential that these name. Raises Misplaced."""
        return self._from_env(env, where) if env else self._from_file(file, where)

    def changed(self, env: str, file: str, stored: str | None, where: Where) -> str | None:
        """The credential that these name, or None when it is the stored one. Raises Misplaced."""
        credential = self.read(env, file, where)
        try:
            self.vault.lock(credential)
            if stored is not None and self.vault.unlock(stored) == credential:
                return None
        except Invalid as error:
            if stored is None:
                key = "credential_env" if env else "credential_file"
                raise Misplaced((*where, key), f"{key}: {error}") from None
        return credential

    def _from_env(self, name: str, where: Where) -> str:
        credential = os.environ.get(name, "").strip()
        if not credential:
            raise Misplaced(
                (*where, "credential_env"),
                f"the environment variable {name[:200]!r}, which holds the credential, is not set.",
            )
        return credential

    def _from_file(self, name: str, where: Where) -> str:
        path = self.directory / name
        try:
            with path.open("rb") as file:
                credential = file.read(LONGEST_CREDENTIAL + 100).decode("ascii").strip()
        except OSError as error:
            raise Misplaced(
                (*where, "credential_file"),
                f"the credential's file {str(path)[:500]!r} cannot be read: {error.strerror}.",
            ) from None
        except UnicodeDecodeError:
            raise Misplaced(
                (*where, "credential_file"), f"the credential's file {str(path)[:500]!r} must hold ASCII text alone."
            ) from None
        if not credential:
            raise Misplaced((*where, "credential_file"), f"the credential's file {str(path)[:500]!r} is empty.")
        return credential

"""Telling whose a key is, on every request of every sender: a digest and a look into memory.

What the database said is believed for a second or two, so that a key revoked by another process is refused soon; while it
does not answer, for five minutes, in which programs go on. The time of last use is written by a thread of its own: the first in a minute
at once, later ones together some seconds after the first of them.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy import or_, select, update

from modeltraces.catalog import tokens
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.catalog.key_limits import KeyLimits
from modeltraces.catalog.keys import KEY_START, ApiKey, Scope, granted, key_of
from modeltraces.catalog.tables import ApiKeyRow

log = structlog.get_logger(__name__)

_LONGEST_KEY = 200
_MOST_CACHED = 10_000
"""Keys of a very large installation; only keys that exist get in, so nobody fills the memory with guesses."""
_TOUCH_US = 60_000_000
_LATER_SECONDS = 10.0
"""Until uses that follow one just written are written, too: so late they are seen by other processes and commands."""
_TOGETHER = 200
"""Keys whose last use is written in one transaction: others wait for it, on SQLite all that write."""
_OUTAGE_SECONDS = 300.0
"""How long a key is believed while the database is away: as a failover or a restart takes, and no longer."""
_PATIENCE_SECONDS = 1.0
"""How long the answer about a known key is waited for; and between two questions to a database that is away."""


@dataclass(frozen=True, slots=True)
class KeyIdentity:
    """Whose a key is and what it may do."""

    key_id: str
    account_id: str
    name: str
    scopes: frozenset[Scope]
    default_source_type: str
    default_source: str
    expires_on_us: int | None
    limits: KeyLimits = field(default_factory=KeyLimits)


@dataclass(frozen=True, slots=True)
class _Cached:
    identity: KeyIdentity
    until: float
    at: float
    """When the database said it."""


class KeyAuthenticator:
    """Thread-safe; one per process. `ttl_seconds`: how long another process's revocation may go unseen.

    `timer`: seconds that never go back, for the cache.
    """

    def __init__(
        self, catalog: Catalog, *, ttl_seconds: float = 1.5, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._catalog = catalog
        self._ttl = ttl_seconds
        self._timer = timer
        self._cache: dict[str, _Cached] = {}
        self._generation = catalog.generation("keys")
        self._asking: dict[int, float] = {}
        self._away_until = float("-inf")
        self._used: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._later: threading.Timer | None = None
        self._background = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keys")

    def authenticate(self, token: str) -> KeyIdentity | None:
        """Whose the key is, or None when it is unknown, expired or revoked.

        Takes microseconds for a key seen lately, else one small query. Raises CatalogUnavailable.
        """
        return self.cached(token) or self._read(token)

    def cached(self, token: str) -> KeyIdentity | None:
        """The answer if it is in memory: for a caller who must not wait for the database on this thread."""
        digest = _digest(token)
        if digest is None:
            return None
        if self._generation != (generation := self._catalog.generation("keys")):
            self._generation = generation
            self._cache.clear()
        found = self._cache.get(digest)
        if found is None or (found.until <= (now := self._timer()) and not self._is_away(found, now)):
            return None
        return self._admit(found.identity)

    def _is_away(self, found: _Cached, now: float) -> bool:
        """Whether the database does not answer, so that what it said last must do."""
        if now - found.at > _OUTAGE_SECONDS:
            return False
        since = min(tuple(self._asking.values()), default=now)
        return now < self._away_until or now - since > _PATIENCE_SECONDS

    def _read(self, token: str) -> KeyIdentity | None:
        digest = _digest(token)
        if digest is None:
            return None
        asked = threading.get_ident()
        self._asking[asked] = self._timer()
        try:
            return self._ask(digest)
        except CatalogUnavailable:
            now = self._timer()
            self._away_until = now + _PATIENCE_SECONDS
            found = self._cache.get(digest)
            if found is None or now - found.at > _OUTAGE_SECONDS:
                raise
            return self._admit(found.identity)
        finally:
            self._asking.pop(asked, None)

    def _ask(self, digest: str) -> KeyIdentity | None:
        # Taken before the query: a revocation during it must not be cached over.
        generation, at = self._catalog.generation("keys"), self._timer()
        with self._catalog.session() as session:
            row = session.scalar(
                select(ApiKeyRow).where(ApiKeyRow.key_hash == digest, ApiKeyRow.revoked_on_us.is_(None))
            )
        if row is None:
            self._cache.pop(digest, None)
            return None
        key = key_of(row)
        identity = identity_of(key)
        self._written.setdefault(key.id, key.last_used_on_us or 0)
        if generation == self._catalog.generation("keys"):
            if len(self._cache) >= _MOST_CACHED:
                self._cache.clear()
            self._cache[digest] = _Cached(identity, at + self._ttl, at)
        return self._admit(identity)

    def _admit(self, identity: KeyIdentity) -> KeyIdentity | None:
        now = self._catalog.clock()
        if identity.expires_on_us is not None and identity.expires_on_us <= now:
            return None
        self._used[identity.key_id] = now
        if now - self._written.get(identity.key_id, 0) >= _TOUCH_US:
            self._write_behind({identity.key_id: now})
        elif self._later is None:
            self._later = threading.Timer(_LATER_SECONDS, self._write_unwritten)
            self._later.daemon = True
            self._later.start()
        return identity

    def with_last_use(self, keys: Iterable[ApiKey]) -> list[ApiKey]:
        """The keys, with what this process knows of their last use and has not written yet."""
        return [
            replace(key, last_used_on_us=used)
            if (used := self._used.get(key.id, 0)) > (key.last_used_on_us or 0)
            else key
            for key in keys
        ]

    def _write_unwritten(self) -> None:
        self._later = None
        self._write_behind(self._unwritten())

    def _unwritten(self) -> dict[str, int]:
        return {key_id: at for key_id, at in self._used.copy().items() if at > self._written.get(key_id, 0)}

    def _write_behind(self, used: dict[str, int]) -> None:
        # Before it is handed over: a write that fails at once takes it back.
        self._written.update(used)
        try:
            self._background.submit(self._write, used)
        except RuntimeError:  # closed meanwhile: a request that outlives the server
            self._take_back(used)

    def _take_back(self, used: dict[str, int]) -> None:
        """They are among those that the next use of any key brings along."""
        self._written.update({key_id: at_us - 1 for key_id, at_us in used.items()})

    def _write(self, used: dict[str, int]) -> None:
        waiting = sorted(used.items())
        while waiting:
            try:
                self._write_some(waiting[:_TOGETHER])
            except CatalogUnavailable as error:
                log.warning("the keys' time of last use could not be written", reason=str(error), keys=len(waiting))
                self._take_back(dict(waiting))
                return
            del waiting[:_TOGETHER]

    def _write_some(self, used: Sequence[tuple[str, int]]) -> None:
        with self._catalog.writing() as session:
            for key_id, at_us in used:
                session.execute(
                    update(ApiKeyRow)
                    .where(
                        ApiKeyRow.id == key_id,
                        or_(ApiKeyRow.last_used_on_us.is_(None), ApiKeyRow.last_used_on_us < at_us),
                    )
                    .values(last_used_on_us=at_us)
                )

    def close(self) -> None:
        """Write what is not written yet, and end the thread."""
        if self._later is not None:
            self._later.cancel()
        self._background.shutdown(wait=True)
        if late := self._unwritten():
            self._write(late)


def identity_of(key: ApiKey) -> KeyIdentity:
    return KeyIdentity(
        key_id=key.id,
        account_id=key.account_id,
        name=key.name,
        scopes=granted(key.scopes),
        default_source_type=key.default_source_type,
        default_source=key.default_source,
        expires_on_us=key.expires_on_us,
        limits=key.limits,
    )


def _digest(token: str) -> str | None:
    """The token's digest, or None for what cannot be a key."""
    if not token.startswith(KEY_START) or len(token) > _LONGEST_KEY or not token.isascii():
        return None
    return tokens.digest(token)

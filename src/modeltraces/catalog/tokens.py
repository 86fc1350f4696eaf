"""Random secrets that are handed out once and kept as digests."""

import hashlib
import secrets


def new_token() -> str:
    """43 URL-safe characters: 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """SHA-256 in hex. Fast on purpose: a random token cannot be guessed, unlike a password."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

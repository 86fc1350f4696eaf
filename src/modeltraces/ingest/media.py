"""Images, sound and files inside a payload: told from text by what they are, so that no provider's shapes need a list.

Over the cap they are replaced by their type, size and digest: the digest is of the file's own bytes, so that it can be
found again where the file lies.
"""

import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[^;,\s]{1,64}){0,8}),", re.ASCII)
_MIME_KEYS: Final = ("mime_type", "media_type", "mimeType", "mediaType")
_FORMATS: Final = {"mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "opus": "audio/ogg", "aac": "audio/aac",
                   "pcm16": "audio/pcm"}  # fmt: skip
"""OpenAI names a sound's type so, in `format` beside its `data`."""
_OWN_KEYS: Final = frozenset({"b64_json", "file_data", "partial_image_b64", "image_base64", "audio_base64", "base64"})
"""Nothing but base64 stands under these."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_\-\r\n]+={0,2}\s*")
_MAGIC: Final = (
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("JVBERi0", "application/pdf"),
    ("SUQz", "audio/mpeg"),
    ("T2dnUw", "audio/ogg"),
    ("ZkxhQ", "audio/flac"),
    ("GkXfo", "video/webm"),
    ("UEsDB", "application/zip"),
    ("SUkqA", "image/tiff"),
    ("TU0AK", "image/tiff"),
)
"""How the base64 of a file begins whose bytes say what it is."""
_RIFF: Final = "UklGR"
_RIFF_KINDS: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}


def replaced(text: str, key: str, holder: Mapping[str, Any]) -> dict[str, Any] | None:
    """What stands in a long text's place when it is media: None when it is none. `key`: its name in `holder`."""
    if (found := _DATA_URL.match(text)) is not None and found.end() > len("data:,"):
        mime, data = found[1] or "text/plain", text[found.end() :]
        is_base64 = found[2].lower().endswith(";base64")
        return _blob(mime, _bytes_of(data) if is_base64 else unquote_to_bytes(data))
    # A text has a character that base64 has not among its first; only what may be base64 is looked at whole.
    if not _BASE64.fullmatch(text, 0, 256) or not _BASE64.fullmatch(text):
        return None
    said = next((value for name in _MIME_KEYS if type(value := holder.get(name)) is str), "")
    if not said and type(form := holder.get("format")) is str:
        said = _FORMATS.get(form, "")
    mime = "" if said.startswith("text/") else said
    mime = mime or _mime_of_head(text)
    is_said_base64 = key in _OWN_KEYS or holder.get("type") == "base64" or holder.get("encoding") == "base64"
    if not mime and not is_said_base64:
        return None
    return _blob(mime or said or "application/octet-stream", _bytes_of(text))


def _mime_of_head(text: str) -> str:
    if text.startswith(_RIFF):
        return _RIFF_KINDS.get(_bytes_of(text[:16])[8:12], "")
    if text[:24].startswith("AAAA") and _bytes_of(text[:16])[4:8] == b"ftyp":
        return "video/mp4"
    return next((mime for head, mime in _MAGIC if text.startswith(head)), "")


def _bytes_of(data: str) -> bytes:
    """Of what is not quite base64, as much as there is: its own letters when nothing can be made of it."""
    if "-" in data or "_" in data:
        data = data.replace("-", "+").replace("_", "/")
    try:
        return binascii.a2b_base64(data + "=" * (-len(data) % 4))
    except (binascii.Error, ValueError):
        return data.encode(errors="replace")


def _blob(mime: str, data: bytes) -> dict[str, Any]:
    return {"type": "blob", "mime": mime[:128], "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

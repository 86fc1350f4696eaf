"""The built scripts and styles: read once, compressed once, kept by browsers for ever (their names hold their hashes)."""

import gzip
import json
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

STATIC: Final = Path(__file__).parent / "static"
_COMPRESSIBLE: Final = (".js", ".css", ".svg", ".txt", ".json")


class NotBuilt(RuntimeError):
    """The front end is missing: a source tree that was never built."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    content: bytes
    compressed: bytes | None
    media_type: str


@cache
def manifest() -> dict[str, str]:
    """Logical name (`app.js`) → file name with its hash. Raises NotBuilt, which says what to run."""
    try:
        names: dict[str, str] = json.loads((STATIC / "manifest.json").read_text())
    except FileNotFoundError:
        raise NotBuilt("the pages' scripts and styles are not built: run `make frontend`") from None
    return names


@cache
def _files() -> dict[str, StaticFile]:
    files = {}
    for path in STATIC.iterdir():
        if path.is_file():
            content = path.read_bytes()
            compressed = gzip.compress(content, 9, mtime=0) if path.suffix in _COMPRESSIBLE else None
            media_type = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(path.name)[0]
            files[path.name] = StaticFile(content, compressed, media_type or "application/octet-stream")
    return files


def asset(name: str) -> str:
    """The address of a built file."""
    return f"/static/{manifest()[name]}"


async def serve(request: Request) -> Response:
    name: str = request.path_params["name"]
    file = _files().get(name)
    if file is None:
        return Response("There is no such file.", 404, media_type="text/plain", headers={"cache-control": "no-store"})
    hashed = name in manifest().values()
    headers = {
        "cache-control": "public, max-age=31536000, immutable" if hashed else "public, max-age=3600",
        "vary": "accept-encoding",
    }
    if file.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.compressed, media_type=file.media_type, headers={**headers, "content-encoding": "gzip"})
    return Response(file.content, media_type=file.media_type, headers=headers)


route: Final = Route("/static/{name}", serve, methods=["GET", "HEAD"])

"""Bodies of `multipart/form-data`, as sound and images are sent in: which model they name, what is recorded of them, and that
name changed with every other byte as it was."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final

_BOUNDARY: Final = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_MOST_PARTS: Final = 1_000
_LONGEST_HEAD: Final = 16 << 10


class NoForm(ValueError):
    """The body is not what its type says; the text says how."""


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    file: str | None
    """The file's name; None for a value."""
    mime: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Form:
    body: bytes
    parts: tuple[Part, ...]

    @property
    def model(self) -> str:
        return next((self._text(part) for part in self.parts if part.name == "model" and part.file is None), "")

    def with_model(self, model: str) -> bytes:
        """The body with that name of its model, wherever it stands."""
        body = self.body
        for part in reversed(self.parts):
            if part.name == "model" and part.file is None:
                body = body[: part.start] + model.encode() + body[part.end :]
        return body

    def names_it_alone(self, model: str) -> bool:
        """Whether every part that names the model names this one."""
        return all(self._text(part) == model for part in self.parts if part.name == "model" and part.file is None)

    def value(self) -> dict[str, Any]:
        """What is recorded: the values, and of each file its type, size and digest."""
        found: dict[str, Any] = {}
        for part in self.parts:
            value = self._text(part) if part.file is None else self._file(part)
            name = part.name.removesuffix("[]")
            if name not in found:
                found[name] = [value] if name != part.name else value
            else:
                known = found[name] if isinstance(found[name], list) else [found[name]]
                found[name] = [*known, value]
        return found

    def _text(self, part: Part) -> str:
        return self.body[part.start : part.end].decode("utf-8", "replace")

    def _file(self, part: Part) -> dict[str, Any]:
        data = memoryview(self.body)[part.start : part.end]
        return {
            "type": "blob", "mime": part.mime or "application/octet-stream", "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(), **({"name": part.file} if part.file else {}),
        }  # fmt: skip


def is_form(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "multipart/form-data"


def form_of(content_type: str, body: bytes) -> Form:
    """Raises NoForm."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise NoForm("its Content-Type has no boundary")
    return Form(body, tuple(_parts(body, (found[1] or found[2]).encode())))


def _parts(body: bytes, boundary: bytes) -> Iterator[Part]:
    line = b"--" + boundary
    # The first may stand at the very beginning; the others end the part before them with their line end.
    at = 0 if body.startswith(line) else body.find(b"\r\n" + line) + 2
    if at == 1:
        raise NoForm("it has no part")
    for _ in range(_MOST_PARTS):
        at += len(line)
        if body.startswith(b"--", at):
            return
        head_start = body.find(b"\r\n", at) + 2
        head_end = body.find(b"\r\n\r\n", max(head_start - 2, 0), head_start + _LONGEST_HEAD)
        end = body.find(b"\r\n" + line, head_end + 4)
        if head_start == 1 or head_end < 0 or end < 0:
            raise NoForm("it ends in the middle of a part")
        yield _part(body[head_start:head_end], head_end + 4, end)
        at = end + 2
    raise NoForm(f"it has more than {_MOST_PARTS} parts")


def _part(head: bytes, start: int, end: int) -> Part:
    headers = Message()
    for line in head.split(b"\r\n"):
        name, _, value = line.decode("utf-8", "replace").partition(":")
        if name.strip().lower() in ("content-disposition", "content-type"):
            headers[name.strip()] = value.strip()
    named = headers.get_param("name", header="content-disposition")
    if not isinstance(named, str):
        raise NoForm("one of its parts has no name")
    mime = str(headers.get("content-type", "")).partition(";")[0].strip()[:128]
    return Part(named, headers.get_filename(), mime, start, end)

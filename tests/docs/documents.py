"""Reading the documents: which there are, their links, headings and shell commands."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SHELL_LANGUAGES: Final = {"sh", "bash", "shell", "console"}
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_HEREDOC: Final = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")


def documents() -> list[Path]:
    """Every document of the repository that a reader is meant to find."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(document: Path) -> str:
    """The document's path as a reader knows it."""
    return document.relative_to(ROOT).as_posix()


def _tokens(document: Path) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable("table").parse(document.read_text()):
        yield token
        yield from token.children or ()


def links(document: Path) -> list[str]:
    """The targets of the document's links and images, also of those written as HTML."""
    found: list[str] = []
    for token in _tokens(document):
        if token.type == "link_open":
            found.append(str(token.attrs["href"]))
        elif token.type == "image":
            found.append(str(token.attrs["src"]))
        elif token.type in {"html_inline", "html_block"}:
            found += re.findall(r"(?:href|src|srcset)=\"([^\"]+)\"", token.content)
    return found


def anchors(document: Path) -> set[str]:
    """The fragments by which the document's headings can be linked, as code hosts derive them."""
    found: set[str] = set()
    heading = False
    for token in _tokens(document):
        if token.type == "heading_open":
            heading = True
        elif heading and token.type == "inline":
            text = "".join(child.content for child in token.children or ())
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            found.add(next(s for s in (slug, *(f"{slug}-{n}" for n in range(1, 1000))) if s not in found))
            heading = False
    return found


@dataclass(frozen=True)
class ShellCommand:
    """One command of a fenced shell block: its words, and where it stands."""

    document: Path
    line: int
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{name_of(self.document)}:{self.line}: {shlex.join(self.words)}"


def shell_commands(document: Path) -> list[ShellCommand]:
    """The commands of the document's fenced shell blocks, also those inside pipes and `$(…)`."""
    found = []
    for token in _tokens(document):
        if token.type == "fence" and token.info.split(" ")[0] in SHELL_LANGUAGES and token.map:
            for line, text in _logical_lines(token.content):
                for words in _split_commands(text):
                    found.append(ShellCommand(document, token.map[0] + 1 + line, words))
    return found


def inline_commands(document: Path) -> list[tuple[str, ...]]:
    """The words of the commands of ours that stand in a sentence: `modeltraces …`, `make …`."""
    spans = [token.content for token in _tokens(document) if token.type == "code_inline"]
    return [
        tuple(shlex.split(span)) for span in spans if re.match(r"(\.venv/bin/)?(modeltraces|make) [a-z-]+( |$)", span)
    ]


def _logical_lines(block: str) -> Iterator[tuple[int, str]]:
    """Numbered lines, with continued ones joined, quoted line ends kept and here-documents left out."""
    pending, start, heredoc = "", 0, ""
    for number, line in enumerate(block.splitlines(), start=1):
        if heredoc:
            heredoc = "" if line.strip() == heredoc else heredoc
            continue
        start = start if pending else number
        pending += line.removeprefix("$ ") if not pending else line
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        if _has_open_quote(pending):
            pending += "\n"
            continue
        if pending.strip() and not pending.lstrip().startswith("#"):
            yield start, pending
            match = _HEREDOC.search(pending)
            heredoc = match.group(1) if match else ""
        pending = ""
    if pending.strip():
        raise ValueError(f"a command is not closed: {pending!r}")


def _has_open_quote(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return True
    return False


def _split_commands(text: str) -> Iterator[tuple[str, ...]]:
    for inner in re.findall(r"\$\(([^()]*)\)", text):
        yield from _split_commands(inner)
    lexer = shlex.shlex(re.sub(r"\$\([^()]*\)", "SUBSTITUTED", text), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    skip_next = False
    for word in lexer:
        if skip_next:
            skip_next = False
        elif set(word) <= set("<>&") and set(word) & set("<>"):
            skip_next = True
        elif set(word) <= set("();|&"):
            if words:
                yield tuple(words)
            words = []
        elif words or not _ASSIGNMENT.match(word):
            words.append(word)
    if words:
        yield tuple(words)

"""The reader of documents itself: a test of the documents is worth what it sees."""

from pathlib import Path

from tests.docs.documents import anchors, links, shell_commands


def _write(directory: Path, text: str) -> Path:
    document = directory / "page.md"
    document.write_text(text)
    return document


def test_links_are_found_in_text_images_and_html(tmp_path: Path) -> None:
    document = _write(tmp_path, '[a](docs/a.md) ![b](b.png)\n\n<img src="c.svg">\n\n```sh\n[no](no.md)\n```\n')
    assert links(document) == ["docs/a.md", "b.png", "c.svg"]


def test_repeated_headings_have_numbered_anchors(tmp_path: Path) -> None:
    document = _write(tmp_path, "# Send `runs`, first!\n\n## Send\n\n## Send\n")
    assert anchors(document) == {"send-runs-first", "send", "send-1"}


def test_commands_are_found_in_pipes_substitutions_and_continued_lines(tmp_path: Path) -> None:
    document = _write(
        tmp_path,
        "Text.\n\n```sh\n# a comment\nKEY=$(modeltraces keys create --name ci)\nA=1 B=2 modeltraces serve \\\n"
        "  --port 1 > log.txt\ncurl -d '{\n  \"model\": 1}' | jq . && make demo\n```\n",
    )
    assert [(command.line, command.words) for command in shell_commands(document)] == [
        (5, ("modeltraces", "keys", "create", "--name", "ci")),
        (6, ("modeltraces", "serve", "--port", "1")),
        (8, ("curl", "-d", '{\n  "model": 1}')),
        (8, ("jq", ".")),
        (8, ("make", "demo")),
    ]


def test_here_documents_and_other_languages_hold_no_commands(tmp_path: Path) -> None:
    document = _write(
        tmp_path, "```sh\ncat > x.py <<'EOF'\nrm everything\nEOF\nmake test\n```\n\n```python\nimport x\n```\n"
    )
    assert [command.words[0] for command in shell_commands(document)] == ["cat", "make"]

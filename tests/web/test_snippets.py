"""The snippets: complete programs in their languages, whatever the model is called; the gateway's tests run them."""

import ast
import json
import re
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeltraces.web.snippets import TOOLS, snippet, tool_of

BASE = "https://traces.example.com"
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60)
ODD = 'it\'s/a "model"\\n {key} {base} $HOME `id` 模型 😀'


@pytest.mark.parametrize("tool", [tool.key for tool in TOOLS])
def test_each_leads_to_this_server_and_leaves_no_place_open(tool: str) -> None:
    text = snippet(tool, BASE, "gpt-4o")
    found = tool_of(tool)
    assert found is not None
    assert f"{BASE}/gateway/{found.family}" in text
    assert '"gpt-4o"' in text
    assert "MODELTRACES_KEY" in text
    assert not re.search(r"\{(base|model|key|import_os)\}", text)
    with_key = snippet(tool, BASE, "gpt-4o", "mt_abc")
    assert "mt_abc" in with_key
    assert "MODELTRACES_KEY" not in with_key
    assert "import os" not in with_key


@settings(max_examples=50)
@given(NAMES)
def test_python_is_python_and_names_the_model(name: str) -> None:
    for tool in TOOLS:
        if tool.language == "python":
            tree = ast.parse(snippet(tool.key, BASE, name))
            assert name in {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}


@settings(max_examples=50)
@given(NAMES)
def test_curl_sends_json_that_names_the_model(name: str) -> None:
    for tool in ("curl-openai", "curl-anthropic", "curl-embeddings"):
        words = shlex.split(snippet(tool, BASE, name))
        assert json.loads(words[words.index("-d") + 1])["model"] == name


def test_what_to_save_a_typescript_program_as_is_said() -> None:
    """Without `.mjs` or a package of modules, Node takes neither `import` nor `await` at the top."""
    for tool in TOOLS:
        says = "// Save it as call.mjs, run it with: node call.mjs"
        assert (says in snippet(tool.key, BASE, "m")) is (tool.language == "typescript"), tool.key


def test_a_typescript_literal_is_what_json_writes() -> None:
    for tool in TOOLS:
        if tool.language == "typescript":
            assert json.dumps(ODD, ensure_ascii=False) in snippet(tool.key, BASE, ODD)

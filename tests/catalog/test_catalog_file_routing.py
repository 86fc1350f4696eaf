"""The catalog as a file: how the gateway spreads a model's calls."""

from collections.abc import Callable

import pytest

from modeltraces.catalog.db import Catalog
from modeltraces.catalog.file.applying import Applied
from modeltraces.catalog.file.problems import BadFile
from modeltraces.catalog.models import ModelRegistry
from modeltraces.catalog.routing import Routing
from tests.catalog.catalog_files import exported, problems, traces

FILE = """
[[connections]]
name = "azure-eu"
protocol = "openai"
base_url = "https://eu.example.com/openai"

[[models]]
name = "llama"
kind = "open_source"
%s

[[models.deployments]]
version = "v1"

[[models.deployments]]
version = "v 2.0"
"""
SPREAD = 'routing = { weights = { "v 2.0" = 90, v1 = 10 }, fallbacks = ["v1", "azure-eu"] }'


def routing(catalog: Catalog, account_id: str) -> Routing | None:
    entry = ModelRegistry(catalog).get_model(account_id, "llama")
    assert entry is not None
    return entry.routing


def test_a_routing_comes_and_goes_with_the_file(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    told = apply_file(FILE % SPREAD).changes
    assert told[-1] == "+ routing of llama: v 2.0 90, v1 10; then v1, azure-eu"
    assert routing(catalog, account_id) == Routing({"v 2.0": 90, "v1": 10}, ("v1", "azure-eu"))
    before = traces(catalog, account_id)
    text = exported(catalog, account_id)
    assert apply_file(text).changes == ()
    assert apply_file(FILE % "").changes == (), "a file that does not say leaves it as it is"
    assert traces(catalog, account_id) == before
    assert apply_file(FILE % 'routing = { fallbacks = ["azure-eu"] }').changes == (
        "~ routing of llama: v 2.0 90, v1 10; then v1, azure-eu → then azure-eu",
    )
    assert routing(catalog, account_id) == Routing({}, ("azure-eu",))
    assert apply_file(FILE % 'routing = ""').changes == ("- routing of llama",)
    assert routing(catalog, account_id) is None
    apply_file(text)
    assert exported(catalog, account_id) == text


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("routing = { weights = { v1 = 1001 } }", "the weight of v1 must be a whole number from 0 to 1000."),
        ('routing = { fallbacks = ["v3"] }', "llama has no version or connection 'v3'."),
        ("routing = { weights = { azure-eu = 1 } }", "llama has no version 'azure-eu'"),
        ("routing = 3", "routing must be"),
    ],
)
def test_a_routing_that_cannot_be_is_told_with_its_line(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied], line: str, says: str
) -> None:
    with pytest.raises(BadFile) as refused:
        apply_file(FILE % line)
    ((at, text),) = problems(refused)
    assert (at, text[: len(says)]) == (10, says)
    assert exported(catalog, account_id).count("[[") == 0


def test_a_routing_cannot_name_what_the_file_removes(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(FILE % SPREAD)
    fewer = (FILE % SPREAD).partition('[[models.deployments]]\nversion = "v 2.0"')[0]
    with pytest.raises(BadFile) as refused:
        apply_file(fewer, allow_removal=True)
    assert problems(refused) == [
        (10, "llama has no version 'v 2.0'. Weights are given to its versions; a connection can be a fallback.")
    ]
    assert routing(catalog, account_id) == Routing({"v 2.0": 90, "v1": 10}, ("v1", "azure-eu"))

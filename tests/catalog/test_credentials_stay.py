"""A stored credential does not go along to another server by a change of the address alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modeltraces.catalog import audit, connections, model_edits
from modeltraces.catalog.addresses import is_elsewhere
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.file.applying import Applied, apply
from modeltraces.catalog.file.credentials import Credentials
from modeltraces.catalog.file.problems import BadFile
from modeltraces.catalog.hosting import deployments
from modeltraces.catalog.models import ModelRegistry, SeenModel
from tests.catalog.catalog_files import VAULT, problems

ALICE = "alice@example.com"
KEY = "sk-proj-Zq81hTz7Wm5XbN2Lc9Rv"
HOME = "https://models.example.com/v1"
ELSEWHERE = (
    "http://models.example.com/v1",
    "https://evil.example.com/v1",
    "https://models.example.com.evil.example/v1",
    "https://models.example.com:8443/v1",
    "https://models.example.com:80/v1",
    "https://models.example.com./v1",
    "https://models.\u212aexample.com/v1",
)
THERE = (HOME, "https://models.example.com", "https://MODELS.example.com:443/v2", "https://models.example.com:/v1")
REFUSAL = "The address leads to another server: enter the credential again, or remove it."


class Place:
    """A connection or a deployment with a credential, and where that one goes."""

    def __init__(self, catalog: Catalog, account_id: str, is_deployment: bool) -> None:
        self.catalog, self.account_id, self.is_deployment = catalog, account_id, is_deployment
        self.of = catalog, account_id

    def make(self, address: str, credential: str | None = KEY) -> None:
        if self.is_deployment:
            model_edits.create(*self.of, "m", "open_source", actor=ALICE)
            values = {"endpoint": address, "credential": credential}
            deployments.create(*self.of, "m", deployments.Fields(values, VAULT), actor=ALICE)
        else:
            said = {"name": "c", "protocol": "openai", "base_url": address, "credential": credential}
            connections.create(*self.of, said, VAULT, actor=ALICE)

    def move(self, address: str, **more: Any) -> None:
        if self.is_deployment:
            fields = deployments.Fields({"endpoint": address, **more}, VAULT)
            deployments.edit(*self.of, "m", "v1", fields, actor=ALICE)
        else:
            values = {"base_url": address, **more}
            connections.edit(*self.of, "c", values, VAULT, has_runs=False, actor=ALICE)

    @property
    def kept(self) -> tuple[str, str | None]:
        """(address, credential in the clear)."""
        if self.is_deployment:
            entry = ModelRegistry(self.catalog).get_model(self.account_id, "m")
            assert entry is not None
            (found,) = entry.deployments
            address, locked = found.endpoint, found.locked_credential
        else:
            (connection,) = connections.list_connections(*self.of)
            address, locked = connection.base_url, connection.locked_credential
        return address, None if locked is None else VAULT.unlock(locked)


@pytest.fixture(params=[False, True], ids=["connection", "deployment"])
def place(catalog: Catalog, account_id: str, request: pytest.FixtureRequest) -> Place:
    return Place(catalog, account_id, request.param)


@pytest.mark.parametrize("address", ELSEWHERE)
def test_an_address_at_another_server_needs_the_credential_again(place: Place, address: str) -> None:
    place.make(HOME)
    log = audit.list_entries(*place.of)
    with pytest.raises(Invalid) as raised:
        place.move(address)
    assert str(raised.value) == REFUSAL
    assert (place.kept, audit.list_entries(*place.of)) == ((HOME, KEY), log)


@pytest.mark.parametrize("address", THERE)
def test_another_path_or_spelling_at_the_same_server_keeps_it(place: Place, address: str) -> None:
    place.make(HOME)
    place.move(address)
    assert place.kept == (address, KEY)


@pytest.mark.parametrize("credential", [KEY, "sk-another", "", None])
def test_who_gives_a_credential_or_removes_it_may_move_it(place: Place, credential: str | None) -> None:
    place.make(HOME)
    place.move(ELSEWHERE[1], credential=credential)
    assert place.kept == (ELSEWHERE[1], credential or None)


def test_without_a_credential_any_address_will_do(place: Place) -> None:
    place.make(HOME, None)
    place.move(ELSEWHERE[1])
    assert place.kept == (ELSEWHERE[1], None)


def test_what_leaves_the_address_alone_leaves_the_credential_alone(catalog: Catalog, account_id: str) -> None:
    for is_deployment in (False, True):
        place = Place(catalog, account_id, is_deployment)
        place.make(HOME)
        place.move(HOME, protocol="anthropic")
        assert place.kept == (HOME, KEY)


def test_there_is_no_way_round_by_an_endpoint_that_is_cleared_first(catalog: Catalog, account_id: str) -> None:
    place = Place(catalog, account_id, True)
    place.make(HOME)
    place.move("")
    assert place.kept == ("", KEY)
    for address in (HOME, ELSEWHERE[1]):
        with pytest.raises(Invalid, match="leads to another server"):
            place.move(address)
    assert place.kept == ("", KEY)


def test_there_is_no_way_round_by_making_anew_what_was_only_seen_on_runs(catalog: Catalog, account_id: str) -> None:
    seen = {"m": SeenModel("vllm", "", 5, {"v1"}, {"c"})}
    ModelRegistry(catalog).ensure(account_id, seen)
    connections.edit(catalog, account_id, "c", {"credential": KEY}, VAULT, has_runs=True, actor=ALICE)
    told = deployments.Fields({"endpoint": HOME, "credential": KEY}, VAULT)
    deployments.edit(catalog, account_id, "m", "v1", told, actor=ALICE)
    made = {"name": "c", "protocol": "openai", "base_url": ELSEWHERE[1]}
    with pytest.raises(Invalid, match="leads to another server"):
        connections.create(catalog, account_id, made, VAULT, actor=ALICE)
    moved = deployments.Fields({"endpoint": ELSEWHERE[1]}, VAULT)
    with pytest.raises(Invalid, match="leads to another server"):
        deployments.create(catalog, account_id, "m", moved, actor=ALICE, version="v1")
    assert Place(catalog, account_id, False).kept == ("", KEY)
    assert Place(catalog, account_id, True).kept == (HOME, KEY)


def test_nowhere_is_no_server() -> None:
    assert not is_elsewhere("", "")
    assert not is_elsewhere(HOME, "")
    assert is_elsewhere("", HOME)
    assert not is_elsewhere("http://[::1]:80/a", "http://[::1]/b")
    assert is_elsewhere("http://[::1]/a", "http://[::2]/a")


FILE = """[[connections]]
name = "c"
protocol = "openai"
base_url = "{address}"
{credential}

[[models]]
name = "m"
kind = "open_source"

[[models.deployments]]
version = "v1"
endpoint = "{address}"
{credential}
"""
NAMED = 'credential_env = "MODELS_KEY"'


def test_a_catalog_file_moves_a_credential_only_where_it_names_it(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied], monkeypatch: pytest.MonkeyPatch
) -> None:
    def applied(address: str, credential: str) -> Applied:
        text = FILE.format(address=address, credential=credential)
        return apply(catalog, account_id, text, Credentials(Path(), lambda: VAULT), actor="cli")

    monkeypatch.setenv("MODELS_KEY", KEY)
    applied(HOME, NAMED)
    places = Place(catalog, account_id, False), Place(catalog, account_id, True)
    for dry_run in (True, False):
        with pytest.raises(BadFile) as refused:
            apply_file(FILE.format(address=ELSEWHERE[1], credential=""), dry_run=dry_run)
        assert REFUSAL in problems(refused)[0][1]
        assert KEY not in str(refused.value)
    assert [place.kept for place in places] == [(HOME, KEY)] * 2
    assert len(applied(THERE[1], "").changes) == 2

    changes = applied(ELSEWHERE[1], NAMED).changes
    assert len(changes) == 2
    assert not [line for line in changes if "another credential" in line], "it is the same one"
    assert [place.kept for place in places] == [(ELSEWHERE[1], KEY)] * 2
    monkeypatch.setenv("MODELS_KEY", f"{KEY}-2")
    assert all("another credential" in line for line in applied(HOME, NAMED).changes)
    assert [place.kept for place in places] == [(HOME, f"{KEY}-2")] * 2

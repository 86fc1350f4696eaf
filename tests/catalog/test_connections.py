from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from modeltraces.catalog import audit, connections
from modeltraces.catalog.connections import Connection
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogError, Conflict, Invalid, NotFound
from modeltraces.catalog.models import ModelRegistry, SeenModel
from modeltraces.catalog.tables import ConnectionRow
from modeltraces.catalog.vault import Vault
from tests.catalog.cast import Cast, Clock
from tests.catalog.threads import in_threads

ALICE = "alice@example.com"
CHARLIE = "charlie@example.com"
KEY = "sk-proj-Zq81hTz7Wm5XbN2Lc9Rv"
VAULT = Vault(b"secret of these tests")
AZURE: dict[str, Any] = {
    "name": "azure-eu",
    "provider": "azure",
    "protocol": "azure_openai",
    "base_url": "https://eu.openai.azure.com",
    "credential": KEY,
    "models": ["gpt-4o"],
}


def create(catalog: Catalog, account_id: str, **values: Any) -> str:
    return connections.create(catalog, account_id, {**AZURE, **values}, VAULT, actor=ALICE)


def edit(catalog: Catalog, account_id: str, connection: str, /, *, has_runs: bool = False, **values: Any) -> str:
    return connections.edit(catalog, account_id, connection, values, VAULT, has_runs=has_runs, actor=ALICE)


def delete(catalog: Catalog, account_id: str, name: str, has_runs: bool = False) -> None:
    connections.delete(catalog, account_id, name, has_runs=has_runs, actor=ALICE)


def seen(catalog: Catalog, account_id: str, *names: str, model: str = "gpt-4o") -> None:
    """Runs through connections of those names come in, at a process that has seen none before."""
    ModelRegistry(catalog).ensure(account_id, {model: SeenModel("openai", "", 5, set(), set(names))})


def one(catalog: Catalog, account_id: str) -> Connection:
    (found,) = connections.list_connections(catalog, account_id)
    return found


def test_a_connection_is_listed_with_all_but_its_credential(catalog: Catalog, cast: Cast, clock: Clock) -> None:
    a = cast.account_a.id
    assert create(catalog, a, name=" azure-eu ", base_url="https://eu.openai.azure.com/") == "azure-eu"
    listed = one(catalog, a)
    assert listed == Connection(
        name="azure-eu",
        provider="azure",
        protocol="azure_openai",
        base_url="https://eu.openai.azure.com",
        models=("gpt-4o",),
        has_credential=True,
        created_on_us=clock(),
        archived=False,
        locked_credential=listed.locked_credential,
    )
    assert str(listed.locked_credential) not in repr(listed)
    reach = connections.reach(catalog, a, "azure-eu")
    assert (reach.protocol, reach.base_url) == ("azure_openai", "https://eu.openai.azure.com")
    assert reach.locked_credential is not None
    assert VAULT.unlock(reach.locked_credential) == KEY
    assert connections.list_connections(catalog, cast.account_b.id) == []


def test_without_models_it_reaches_every_one(catalog: Catalog, cast: Cast) -> None:
    values = {key: value for key, value in AZURE.items() if key not in ("models", "credential", "provider")}
    connections.create(catalog, cast.account_a.id, values, VAULT, actor=ALICE)
    found = one(catalog, cast.account_a.id)
    assert (found.models, found.has_credential, found.provider) == (("*",), False, "")
    assert connections.reach(catalog, cast.account_a.id, "azure-eu").locked_credential is None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"name": ""}, "name is missing"),
        ({"name": None}, "name is missing"),
        ({"protocol": None}, "protocol is missing"),
        ({"base_url": ""}, "base_url is missing"),
        ({"name": 5}, "The connection's name must be text"),
        ({"name": "a\nb"}, "The connection's name must not contain line breaks"),
        ({"name": "x" * 201}, "The connection's name must have at most 200"),
    ],
)
def test_what_a_connection_cannot_be_without(catalog: Catalog, cast: Cast, values: dict[str, Any], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        create(catalog, cast.account_a.id, **values)
    assert connections.list_connections(catalog, cast.account_a.id) == []


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"protocol": "grpc"}, "protocol must be one of openai, anthropic, azure_openai"),
        ({"protocol": ["openai"]}, "protocol must be one of"),
        ({"base_url": 7}, "base_url must be text"),
        ({"base_url": "api.openai.com"}, "The address must be an http:// or https:// address"),
        ({"base_url": "http://u:hush@h"}, "The address must not hold a user name"),
        ({"base_url": "http://0xa9fea9fe/"}, "The address leads to a link-local address"),
        ({"credential": 7}, "credential must be text"),
        ({"credential": "  "}, "The credential must be"),
        ({"credential": "hush\u00fc"}, "The credential must be"),
        ({"models": []}, "models must be a list of 1 to 1000 names"),
        ({"models": "gpt-4o"}, "models must be a list"),
        ({"models": None}, "models must be a list"),
        ({"models": ["m"] * 1001}, "models must be a list"),
        ({"models": ["*", "gpt-4o"]}, "not both"),
        ({"models": [1]}, "A model's name must be text"),
        ({"models": ["a\nb"]}, "A model's name must not contain line breaks"),
        ({"provider": 7}, "The provider must be text"),
        ({"archived": "yes"}, "archived must be true or false"),
        ({"base_ulr": "http://h"}, "A connection has no field 'base_ulr'; it has name, provider"),
    ],
)
def test_a_value_that_cannot_be_is_refused_and_nothing_changes(
    catalog: Catalog, cast: Cast, values: dict[str, Any], says: str
) -> None:
    a = cast.account_a.id
    with pytest.raises(Invalid, match=says) as raised:
        create(catalog, a, **values)
    assert "hush" not in str(raised.value)
    assert connections.list_connections(catalog, a) == []
    create(catalog, a)
    before, log = one(catalog, a), audit.list_entries(catalog, a)
    with pytest.raises(Invalid, match=says):
        edit(catalog, a, "azure-eu", **values)
    assert (one(catalog, a), audit.list_entries(catalog, a)) == (before, log)


def test_a_link_local_address_is_taken_where_the_server_allows_it(catalog: Catalog, cast: Cast) -> None:
    a = cast.account_a.id
    values = {**AZURE, "base_url": "http://169.254.7.7"}
    connections.create(catalog, a, values, VAULT, actor=ALICE, allow_link_local=True)
    assert one(catalog, a).base_url == "http://169.254.7.7"


def test_a_name_used_twice_is_a_conflict_also_when_it_is_archived(catalog: Catalog, cast: Cast) -> None:
    a = cast.account_a.id
    create(catalog, a)
    with pytest.raises(Conflict, match="This account has a connection 'azure-eu' already"):
        create(catalog, a, name=" azure-eu")
    edit(catalog, a, "azure-eu", archived=True)
    with pytest.raises(Conflict, match="This account has a connection 'azure-eu' already"):
        create(catalog, a)
    create(catalog, cast.account_b.id)


def test_a_connection_that_runs_came_through_before_it_was_made_is_one(catalog: Catalog, cast: Cast) -> None:
    a = cast.account_a.id
    seen(catalog, a, "azure-eu")
    assert (one(catalog, a).protocol, one(catalog, a).provider) == ("", "openai")
    with pytest.raises(Invalid, match="azure-eu was only seen on runs: give it a protocol and an address first"):
        connections.reach(catalog, a, "azure-eu")
    create(catalog, a)
    assert (one(catalog, a).protocol, one(catalog, a).provider) == ("azure_openai", "azure")
    entry = ModelRegistry(catalog).get_model(a, "gpt-4o")
    assert entry is not None
    assert [(found.name, found.provider) for found in entry.connections] == [("azure-eu", "azure")]


def test_a_connection_that_runs_come_through_after_it_was_made_stays_as_it_is(catalog: Catalog, cast: Cast) -> None:
    a = cast.account_a.id
    create(catalog, a)
    before = one(catalog, a)
    seen(catalog, a, "azure-eu")
    assert one(catalog, a) == before


def test_what_is_not_given_stays_and_a_credential_can_be_cleared(catalog: Catalog, cast: Cast) -> None:
    a = cast.account_a.id
    create(catalog, a)
    assert edit(catalog, a, "azure-eu", models=["*"], provider=None) == "azure-eu"
    found = one(catalog, a)
    assert (found.models, found.provider, found.has_credential) == (("*",), "", True)
    edit(catalog, a, "azure-eu", credential=None)
    assert one(catalog, a).has_credential is False
    edit(catalog, a, "azure-eu", archived=True)
    assert one(catalog, a).archived is True
    edit(catalog, a, "azure-eu", archived=False)
    assert one(catalog, a).archived is False


def test_a_connection_is_renamed_unless_the_name_is_used_or_runs_bear_the_old_one(catalog: Catalog, cast: Cast) -> None:
    a = cast.account_a.id
    create(catalog, a)
    create(catalog, a, name="other")
    assert edit(catalog, a, "azure-eu", name=" azure-eu ", has_runs=True) == "azure-eu"
    with pytest.raises(Conflict, match="This account has a connection 'other' already"):
        edit(catalog, a, "azure-eu", name="other")
    with pytest.raises(Conflict, match=r"Runs bear the name 'azure-eu'\. Make a new connection, and archive this one"):
        edit(catalog, a, "azure-eu", name="azure-we", has_runs=True)
    for name in ("", None, 1, "a\nb"):
        with pytest.raises(Invalid, match="The connection's name must"):
            edit(catalog, a, "azure-eu", name=name)
    assert edit(catalog, a, "azure-eu", name="azure-we") == "azure-we"
    renamed = audit.list_entries(catalog, a, limit=1)[0]
    assert (renamed.object, (renamed.before or {})["name"], (renamed.after or {})["name"]) == (
        "connection:azure-eu",
        "azure-eu",
        "azure-we",
    )


def test_a_connection_is_deleted_unless_runs_came_through_it(catalog: Catalog, cast: Cast) -> None:
    a = cast.account_a.id
    create(catalog, a)
    seen(catalog, a, "azure-eu")
    with pytest.raises(Conflict, match=r"Runs came through azure-eu\. Archive it instead"):
        delete(catalog, a, "azure-eu", has_runs=True)
    delete(catalog, a, "azure-eu")
    assert connections.list_connections(catalog, a) == []
    assert audit.list_entries(catalog, a, limit=1)[0].action == "connection.delete"
    create(catalog, a)


@pytest.mark.parametrize("name", ["nowhere", "", "x" * 5000, "a\0", "\ud800"])
def test_what_is_not_there_is_not_found(catalog: Catalog, cast: Cast, name: str) -> None:
    a = cast.account_a.id
    changes: list[Callable[[], object]] = [
        lambda: edit(catalog, a, name, archived=True),
        lambda: delete(catalog, a, name),
        lambda: connections.reach(catalog, a, name),
    ]
    for change in changes:
        with pytest.raises(NotFound, match="This account has no connection"):
            change()


def test_charlie_neither_finds_nor_changes_nor_uses_a_connection_of_alices(catalog: Catalog, cast: Cast) -> None:
    a, b = cast.account_a.id, cast.account_b.id
    create(catalog, a)
    before = one(catalog, a)
    changes: list[Callable[[], object]] = [
        lambda: connections.reach(catalog, b, "azure-eu"),
        lambda: edit(catalog, b, "azure-eu", base_url="http://evil"),
        lambda: delete(catalog, b, "azure-eu"),
    ]
    for change in changes:
        with pytest.raises(NotFound, match="This account has no connection 'azure-eu'"):
            change()
    create(catalog, b, credential="sk-of-charlie")
    edit(catalog, b, "azure-eu", base_url="http://evil", credential="sk-of-charlie")
    delete(catalog, b, "azure-eu")
    assert one(catalog, a) == before


def test_of_several_who_make_one_connection_at_once_one_does(
    catalog: Catalog, other_process: Catalog, cast: Cast
) -> None:
    a = cast.account_a.id
    calls = [lambda where=where: create(where, a) for where in (catalog, other_process) * 4]
    results = in_threads(*calls)
    assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 7 + ["str"]
    assert one(catalog, a).name == "azure-eu"


def test_a_connection_that_runs_bring_in_and_people_make_at_once_is_one(
    catalog: Catalog, other_process: Catalog, cast: Cast
) -> None:
    a = cast.account_a.id
    results = in_threads(lambda: create(catalog, a), lambda: seen(other_process, a, "azure-eu"))
    assert results == ["azure-eu", None]
    assert one(catalog, a).protocol == "azure_openai"


def test_two_who_rename_to_one_name_at_once_leave_two_names(
    catalog: Catalog, other_process: Catalog, cast: Cast
) -> None:
    a = cast.account_a.id
    create(catalog, a, name="one")
    create(catalog, a, name="two")
    results = in_threads(
        lambda: edit(catalog, a, "one", name="three"), lambda: edit(other_process, a, "two", name="three")
    )
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "str"]
    assert len({found.name for found in connections.list_connections(catalog, a)}) == 2


def test_a_credential_is_encrypted_at_rest_and_shown_nowhere(catalog: Catalog, cast: Cast, tmp_path: Path) -> None:
    a = cast.account_a.id
    create(catalog, a)
    edit(catalog, a, "azure-eu", credential=f"{KEY}-2")
    edit(catalog, a, "azure-eu", credential="")
    edit(catalog, a, "azure-eu", credential=f"{KEY}-3")
    log = audit.list_entries(catalog, a, limit=4)
    assert [((entry.before or {}).get("credential"), (entry.after or {}).get("credential")) for entry in log] == [
        ("none", "set"),
        ("set", "none"),
        ("set", "changed"),
        (None, "set"),
    ]
    reach = connections.reach(catalog, a, "azure-eu")
    assert KEY not in repr(log) + repr(one(catalog, a)) + repr(reach)
    assert str(reach.locked_credential) not in repr(reach)
    with catalog.session() as session:
        assert VAULT.unlock(str(session.scalar(select(ConnectionRow.credential)))) == f"{KEY}-3"
        everything = [
            str(row)
            for table in ("connections", "audit_log")
            for row in session.execute(text(f"SELECT * FROM {table}"))
        ]
    assert KEY not in "".join(everything)
    for file in tmp_path.iterdir():
        assert KEY.encode() not in file.read_bytes(), file


def test_another_secret_key_cannot_read_a_credential_and_the_error_says_what_to_do(
    catalog: Catalog, cast: Cast
) -> None:
    a = cast.account_a.id
    create(catalog, a)
    locked = connections.reach(catalog, a, "azure-eu").locked_credential
    with pytest.raises(Invalid, match=r"Enter it again.*MODELTRACES_SECRET_KEY"):
        Vault(b"another").unlock(str(locked))
    edit(catalog, a, "azure-eu", credential=f"{KEY}-2")
    assert VAULT.unlock(str(connections.reach(catalog, a, "azure-eu").locked_credential)) == f"{KEY}-2"


def test_no_error_repeats_a_credential(catalog: Catalog, cast: Cast) -> None:
    a = cast.account_a.id
    create(catalog, a)
    for values in (
        {},
        {"credential": f"{KEY}\t{KEY}"},
        {"credential": KEY * 500},
        {"base_url": "nonsense"},
        {"protocol": "none"},
        {"models": [KEY, None]},
    ):
        with pytest.raises(CatalogError) as raised:
            create(catalog, a, **values)
        assert KEY not in str(raised.value) + repr(raised.value)

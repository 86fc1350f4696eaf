from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from modeltraces.catalog import audit, model_edits
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogError, Conflict, Invalid, NotFound
from modeltraces.catalog.hosting import deployments, hardware, ledger
from modeltraces.catalog.model_entries import DeploymentEntry
from modeltraces.catalog.models import ModelRegistry, SeenModel
from modeltraces.catalog.tables import DeploymentRow
from modeltraces.catalog.vault import Vault
from tests.catalog.cast import Cast, Clock

ALICE = "alice@example.com"
KEY = "sk-proj-Zq81hTz7Wm5XbN2Lc9Rv"
VAULT = Vault(b"secret of these tests")


@pytest.fixture
def a(catalog: Catalog, cast: Cast) -> str:
    """Account A with a model `llama`."""
    model_edits.create(catalog, cast.account_a.id, "llama", "open_source", actor=ALICE)
    return cast.account_a.id


def fields(values: dict[str, Any], *, allow_link_local: bool = False) -> deployments.Fields:
    return deployments.Fields(values, VAULT, allow_link_local)


def deploy(catalog: Catalog, account_id: str, version: Any = None, **values: Any) -> str:
    return deployments.create(catalog, account_id, "llama", fields(values), actor=ALICE, version=version)


def edit(catalog: Catalog, account_id: str, version: str, **values: Any) -> None:
    deployments.edit(catalog, account_id, "llama", version, fields(values), actor=ALICE)


def delete(catalog: Catalog, account_id: str, version: str, has_runs: bool = False) -> None:
    deployments.delete(catalog, account_id, "llama", version, has_runs=has_runs, actor=ALICE)


def seen(catalog: Catalog, account_id: str, *versions: str, name: str = "llama") -> None:
    """Runs with those versions come in, at a process that has seen none before."""
    ModelRegistry(catalog).ensure(account_id, {name: SeenModel("vllm", "", 5, set(versions), set())})


def listed(catalog: Catalog, account_id: str, name: str = "llama") -> tuple[DeploymentEntry, ...]:
    found = ModelRegistry(catalog).get_model(account_id, name)
    assert found is not None
    return found.deployments


def test_a_deployment_is_kept_with_all_that_is_said_of_it(catalog: Catalog, a: str, clock: Clock) -> None:
    hardware.set_price(catalog, a, "h100", 4, actor=ALICE)
    version = deployments.create(
        catalog,
        a,
        "llama",
        fields(
            {
                "hardware": "h100",
                "credits_per_replica_hour": "3.50",
                "endpoint": " http://10.0.0.7:8000/v1/ ",
                "protocol": "ollama",
                "upstream_model": " llama3:8b ",
                "credential": KEY,
            }
        ),
        actor=ALICE,
        replicas=2,
    )
    (entry,) = listed(catalog, a)
    assert version == entry.version == "v1"
    assert (entry.hardware, entry.credits_per_replica_hour, entry.has_credential) == ("h100", Decimal("3.5"), True)
    assert (entry.endpoint, entry.protocol, entry.upstream_model) == ("http://10.0.0.7:8000/v1", "ollama", "llama3:8b")
    assert (entry.replicas, entry.deployed_on_us, entry.created_on_us) == (2, clock(), clock())
    assert (entry.intervals[0].credits_per_replica_hour, entry.intervals[0].hardware) == (Decimal("3.5"), "h100")


def test_versions_are_numbered_on_from_the_highest_also_of_those_that_runs_named(catalog: Catalog, a: str) -> None:
    assert deploy(catalog, a) == "v1"
    assert deploy(catalog, a, "canary") == "canary"
    assert deploy(catalog, a) == "v2"
    seen(catalog, a, "v9", "v10-beta", "v007", "v٣")
    assert deploy(catalog, a) == "v10"
    deploy(catalog, a, "v999999999")
    assert deploy(catalog, a) == "v1000000000"
    assert deploy(catalog, a) == "v1000000001"


@pytest.mark.parametrize("version", ["", "  ", "a\nb", "x" * 201, "a\0", "\ud800", 1, []])
def test_a_version_that_is_none_is_refused(catalog: Catalog, a: str, version: Any) -> None:
    with pytest.raises(Invalid, match="The version must"):
        deploy(catalog, a, version)


def test_a_version_used_twice_is_a_conflict_also_when_it_is_down_or_struck_out(
    catalog: Catalog, a: str, clock: Clock
) -> None:
    deploy(catalog, a, "v1")
    says = r"llama has a version 'v1' already\. Deploy that again with an event, or choose another version"
    with pytest.raises(Conflict, match=says):
        deploy(catalog, a, " v1 ")
    with pytest.raises(Conflict, match=r"llama has a version 'v1': filters take no notice of case"):
        deploy(catalog, a, "V1")
    clock.advance(60)
    down = ledger.add_event(catalog, a, "llama", "v1", "undeploy", actor=ALICE)
    with pytest.raises(Conflict, match=says):
        deploy(catalog, a, "v1")
    (entry,) = listed(catalog, a)
    for event_id in (down.id, entry.events[0].id):
        ledger.strike_event(catalog, a, "llama", "v1", event_id, actor=ALICE)
    with pytest.raises(Conflict, match=says):
        deploy(catalog, a, "v1")
    clock.advance(60)
    ledger.add_event(catalog, a, "llama", "v1", "deploy", actor=ALICE, replicas=2)
    assert listed(catalog, a)[0].replicas == 2


def test_a_version_that_runs_bore_before_it_was_deployed_is_one_deployment(catalog: Catalog, a: str) -> None:
    seen(catalog, a, "v1", "v2")
    deploy(catalog, a, "v1", endpoint="http://h/v1")
    first, second = listed(catalog, a)
    assert (first.version, first.replicas, first.endpoint) == ("v1", 1, "http://h/v1")
    assert (second.version, second.replicas, second.events) == ("v2", 0, ())


def test_a_version_that_runs_bear_after_it_was_deployed_is_one_deployment(catalog: Catalog, a: str) -> None:
    deploy(catalog, a, "v1", endpoint="http://h/v1")
    before = listed(catalog, a)
    seen(catalog, a, "v1")
    assert listed(catalog, a) == before


def test_a_model_that_only_seemed_external_becomes_open_source_when_it_is_deployed(
    catalog: Catalog, cast: Cast
) -> None:
    account = cast.account_a.id
    ModelRegistry(catalog).ensure(account, {"llama": SeenModel("", "", 5, set(), set())})
    deploy(catalog, account)
    ModelRegistry(catalog).ensure(account, {"llama": SeenModel("openai", "", 4, set(), set())})
    entry = ModelRegistry(catalog).get_model(account, "llama")
    assert entry is not None
    assert (entry.kind, entry.deployments[0].replicas) == ("open_source", 1)


def test_what_is_said_of_a_deployment_can_be_changed_and_cleared(catalog: Catalog, a: str, clock: Clock) -> None:
    deploy(catalog, a, endpoint="http://h/v1", credential=KEY, credits_per_replica_hour=1, upstream_model="x")
    clock.advance(60)
    edit(catalog, a, "v1", credits_per_replica_hour="2", endpoint="http://h/v2")
    (entry,) = listed(catalog, a)
    assert (entry.credits_per_replica_hour, entry.endpoint, entry.protocol) == (
        Decimal(2),
        "http://h/v2",
        "openai",
    )
    assert (entry.has_credential, entry.upstream_model) == (True, "x")
    assert [one.credits_per_replica_hour for one in entry.intervals] == [Decimal(1)]
    edit(catalog, a, "v1", credits_per_replica_hour="", endpoint="", credential="", upstream_model=None, protocol="")
    (entry,) = listed(catalog, a)
    assert (entry.credits_per_replica_hour, entry.endpoint, entry.protocol) == (None, "", "")
    assert (entry.has_credential, entry.upstream_model) == (False, "")
    clock.advance(60)
    ledger.add_event(catalog, a, "llama", "v1", "scale", actor=ALICE, replicas=2)
    assert [one.credits_per_replica_hour for one in listed(catalog, a)[0].intervals] == [Decimal(1), None]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"endpoint": "ftp://x"}, "The endpoint must be an http:// or https:// address"),
        ({"endpoint": "http://[::1"}, "The endpoint must be an http:// or https:// address"),
        ({"endpoint": "http://169.254.169.254"}, "The endpoint leads to a link-local address"),
        ({"endpoint": 1}, "endpoint must be text"),
        ({"protocol": "grpc"}, "protocol must be one of openai, anthropic, ollama"),
        ({"protocol": []}, "protocol must be text"),
        ({"hardware": 1}, "hardware must be text"),
        ({"upstream_model": "a\nb"}, "The model's name upstream must not contain line breaks"),
        ({"upstream_model": {}}, "upstream_model must be text"),
        ({"credential": "a\nb"}, "The credential must be"),
        ({"credential": ["hush"]}, "credential must be text"),
        ({"credits_per_replica_hour": -1}, "credits_per_replica_hour must be"),
        ({"endpont": "http://h"}, "A deployment has no field 'endpont'; it has hardware, credits"),
    ],
)
def test_a_value_that_cannot_be_is_refused_and_nothing_changes(
    catalog: Catalog, a: str, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(Invalid, match=says) as raised:
        deploy(catalog, a, **values)
    assert "hush" not in str(raised.value)
    assert listed(catalog, a) == ()
    deploy(catalog, a)
    before, log = listed(catalog, a), audit.list_entries(catalog, a)
    with pytest.raises(Invalid, match=says):
        edit(catalog, a, "v1", **values)
    assert (listed(catalog, a), audit.list_entries(catalog, a)) == (before, log)


def test_a_link_local_endpoint_is_taken_where_the_server_allows_it(catalog: Catalog, a: str) -> None:
    allowed = fields({"endpoint": "http://169.254.1.1:8000"}, allow_link_local=True)
    deployments.create(catalog, a, "llama", allowed, actor=ALICE)
    assert listed(catalog, a)[0].endpoint == "http://169.254.1.1:8000"


def test_hardware_that_is_not_on_the_price_list_is_not_found(catalog: Catalog, a: str) -> None:
    with pytest.raises(NotFound, match="This account's price list has no hardware 'h100'"):
        deploy(catalog, a, hardware="h100")
    hardware.set_price(catalog, a, "NCB", "4", actor=ALICE)
    with pytest.raises(NotFound, match=r"no hardware 'ncb'\. Did you mean 'NCB'\?"):
        deploy(catalog, a, hardware="ncb")
    assert listed(catalog, a) == ()


def test_a_deployment_is_deleted_only_when_nothing_was_counted_of_it(catalog: Catalog, a: str, clock: Clock) -> None:
    seen(catalog, a, "seen")
    deploy(catalog, a, "hosted")
    with pytest.raises(Conflict, match=r"llama@seen has runs.*Undeploy it instead"):
        delete(catalog, a, "seen", has_runs=True)
    with pytest.raises(Conflict, match=r"llama@hosted was hosted.*strike out the events that were mistakes"):
        delete(catalog, a, "hosted")
    delete(catalog, a, "seen")
    clock.advance(1)
    ledger.strike_event(catalog, a, "llama", "hosted", listed(catalog, a)[0].events[0].id, actor=ALICE)
    delete(catalog, a, "hosted")
    assert listed(catalog, a) == ()
    gone = audit.list_entries(catalog, a, limit=1)[0]
    assert (gone.action, gone.object) == ("deployment.delete", "deployment:llama@hosted")
    with pytest.raises(NotFound, match="The model 'llama' has no deployment 'hosted'"):
        delete(catalog, a, "hosted")
    deploy(catalog, a, "hosted")


def test_deleting_a_version_that_a_merge_brought_together_deletes_all_of_it(catalog: Catalog, a: str) -> None:
    model_edits.create(catalog, a, "other", "open_source", actor=ALICE)
    seen(catalog, a, "v1")
    seen(catalog, a, "v1", name="other")
    model_edits.merge(catalog, a, "other", "llama", actor=ALICE)
    delete(catalog, a, "v1")
    assert listed(catalog, a) == ()


def test_charlie_changes_no_deployment_of_alices(catalog: Catalog, cast: Cast, a: str) -> None:
    deploy(catalog, a, endpoint="http://h/v1", credential=KEY)
    b = cast.account_b.id
    before = listed(catalog, a)
    changes: list[Callable[[], object]] = [
        lambda: edit(catalog, b, "v1", endpoint="http://evil"),
        lambda: delete(catalog, b, "v1"),
        lambda: deploy(catalog, b, "v1"),
    ]
    for change in changes:
        with pytest.raises(NotFound, match="This account has no model 'llama'"):
            change()
    model_edits.create(catalog, b, "llama", "open_source", actor="charlie@example.com")
    for change in changes[:2]:
        with pytest.raises(NotFound, match="has no deployment 'v1'"):
            change()
    changes[2]()
    edit(catalog, b, "v1", endpoint="http://evil")
    assert listed(catalog, a) == before


def test_a_credential_is_encrypted_at_rest_and_shown_nowhere(
    catalog: Catalog, a: str, clock: Clock, tmp_path: Path
) -> None:
    deploy(catalog, a, "v1", credential=KEY)
    edit(catalog, a, "v1", credential=f"{KEY}-2")
    edit(catalog, a, "v1", credential=f"{KEY}-2", endpoint="http://h")
    edit(catalog, a, "v1", credential="")
    edit(catalog, a, "v1", credential=f"{KEY}-3")
    shown = [
        (entry.action, (entry.before or {}).get("credential"), (entry.after or {}).get("credential"))
        for entry in audit.list_entries(catalog, a)
        if entry.action in ("deployment.add", "deployment.edit")
    ]
    assert shown == [
        ("deployment.edit", "none", "set"),
        ("deployment.edit", "set", "none"),
        ("deployment.edit", "set", "changed"),
        ("deployment.edit", "set", "changed"),
        ("deployment.add", None, "set"),
    ]
    assert KEY not in repr(audit.list_entries(catalog, a))
    assert KEY not in repr(listed(catalog, a))
    assert KEY not in repr(fields({"credential": KEY}))
    with catalog.session() as session:
        locked = session.scalar(select(DeploymentRow.credential))
        everything = [
            str(row)
            for table in ("deployments", "deployment_events", "audit_log", "models")
            for row in session.execute(text(f"SELECT * FROM {table}"))
        ]
    assert locked is not None
    assert VAULT.unlock(locked) == f"{KEY}-3"
    assert KEY not in "".join(everything)
    for file in tmp_path.iterdir():
        assert KEY.encode() not in file.read_bytes(), file


def test_no_error_repeats_a_credential(catalog: Catalog, a: str) -> None:
    deploy(catalog, a, "v1")
    for values in (
        {"credential": f"{KEY}\n"[:-1] + "\t" + KEY},
        {"credential": KEY, "endpoint": "nonsense"},
        {"credential": KEY, "hardware": "none"},
        {"credential": KEY, "protocol": "none"},
        {"credential": KEY * 500},
    ):
        for version in ("v1", "v2"):
            with pytest.raises(CatalogError) as raised:
                deploy(catalog, a, version, **values)
            assert KEY not in str(raised.value) + repr(raised.value)

"""`/api/v1/audit-log` on the running server: filters, pages, export, and who may."""

import ast
import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from modeltraces.api import audit_log
from modeltraces.catalog import audit, users
from modeltraces.query import export_columns
from tests.support.server import ALICE, BOB, CHARLIE, PASSWORD, Server

ACCOUNT = "audited"
LOG = "/api/v1/audit-log"
EXPORT = f"{LOG}/export"
START_US = 1_790_000_000_000_000
HOSTILE = ("=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\tx", "＝1")


@pytest.fixture(scope="module")
def account(server: Server) -> str:
    """30 entries, a minute apart, besides those of the account and its keys."""
    name = server.new_account(ACCOUNT)
    server.key("admin", account=name)
    account_id = server.account_id(name)
    with server.catalog.writing() as session:
        for n in range(30):
            audit.record(
                session,
                account_id=account_id,
                at_us=START_US + n * 60_000_000,
                actor=("dora@example.com", "key:deployer", "cli")[n % 3],
                action=("model.rename", "model.merge", "deployment.scale")[n % 3],
                object=f"model:Llama-{n}",
                before={"replicas": n},
                after={"replicas": n + 1, "note": "ein\nÜberrest, \"quoted\""},
            )  # fmt: skip
    return name


@pytest.fixture
def admin(server: Server, account: str) -> Iterator[httpx.Client]:
    with server.client("admin", account=account) as client:
        yield client


def listed(client: httpx.Client, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(LOG, params={"limit": 1000, **params})
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


def test_an_entry_says_who_did_what_when_with_both_values(admin: httpx.Client) -> None:
    (entry,) = listed(admin, object="model:llama-4")
    assert entry.pop("id") > 0
    assert entry == {
        "at": "2026-09-21T14:17:20.000000Z",
        "actor": "key:deployer",
        "action": "model.merge",
        "object": "model:Llama-4",
        "before": {"replicas": 4},
        "after": {"replicas": 5, "note": 'ein\nÜberrest, "quoted"'},
    }


def test_filters_narrow_and_add_up(admin: httpx.Client) -> None:
    assert {entry["actor"] for entry in listed(admin, actor="cli")} == {"cli"}
    assert len(listed(admin, action="model.*")) == 20
    assert len(listed(admin, action="model.merge", object="LLAMA-1")) == 5
    for action, near in (
        ("model", "'model'. Did you mean model."),
        ("model.mrge", "'model.mrge'. Did you mean model.merge"),
        ("modle.*", "'modle.*'. Did you mean model.*?"),
        ("nothing.like.it", "'nothing.like.it'. docs/api.md lists them."),
    ):
        for address in (LOG, EXPORT):
            answer = admin.get(address, params={"action": action})
            assert answer.status_code == 422, answer.text
            assert answer.json()["parameter"] == "action"
            assert answer.json()["detail"].startswith(f"There is no action {near}")
    assert listed(admin, action="connection.add") == [], "there is such an action, and no such entry"
    # What older versions called otherwise stays to be found.
    assert len(listed(admin, action="model.rename")) == 10
    window = {"from": "2026-09-21T14:14:20Z", "to": "2026-09-21T16:16:20+02:00"}
    assert [entry["object"] for entry in listed(admin, **window)] == ["model:Llama-2", "model:Llama-1"]


def test_the_making_of_a_key_is_an_entry_by_who_made_it(admin: httpx.Client) -> None:
    assert {entry["object"] for entry in listed(admin, action="key.create")} == {"key:test"}


def test_pages_follow_one_another_to_the_end(admin: httpx.Client) -> None:
    seen: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = admin.get(LOG, params={"limit": 7, "action": "model.*", **({"cursor": cursor} if cursor else {})}).json()
        seen += page["entries"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == listed(admin, action="model.*")
    assert [entry["id"] for entry in seen] == sorted((entry["id"] for entry in seen), reverse=True)
    assert len(seen) == 20


@pytest.mark.parametrize(
    ("params", "parameter", "hint"),
    [
        ({"actors": "x"}, "actors", "actor"),
        ({"account_id": "default"}, "account_id", "no parameter"),
        ({"actor": ""}, "actor", "empty"),
        ({"object": "a\0b"}, "object", "NUL"),
        ({"action": "mo*del"}, "action", "*"),
        ({"from": "yesterday"}, "from", "RFC 3339"),
        ({"to": "2026-11-01T00:00:00"}, "to", "offset"),
        ({"from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z"}, "from", "before"),
        ({"limit": "0"}, "limit", "1000"),
        ({"limit": "1001"}, "limit", "1000"),
        ({"limit": "ten"}, "limit", "1000"),
        ({"cursor": "abc"}, "cursor", "cursor"),
        ({"cursor": ""}, "cursor", "cursor"),
        ({"cursor": "-1"}, "cursor", "cursor"),
        ({"cursor": "9" * 40}, "cursor", "cursor"),
        ({"cursor": "9999999999999999999"}, "cursor", "cursor"),
        ({"cursor": "١٢"}, "cursor", "cursor"),
        ({"format": "csv"}, "format", "no parameter"),
        ({"actor": ["a", "b"]}, "actor", "2 times"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(
    admin: httpx.Client, params: dict[str, Any], parameter: str, hint: str
) -> None:
    answer = admin.get(LOG, params=params)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["parameter"] == parameter
    assert hint in answer.json()["detail"]


@pytest.mark.parametrize(("params", "parameter"), [({"format": "xml"}, "format"), ({"limit": "5"}, "limit"),
                                                   ({"cursor": "1"}, "cursor")])  # fmt: skip
def test_the_export_takes_the_filters_and_a_format_only(
    admin: httpx.Client, params: dict[str, str], parameter: str
) -> None:
    answer = admin.get(EXPORT, params=params)
    assert answer.status_code == 400
    assert answer.json()["parameter"] == parameter


def test_both_formats_hold_what_the_pages_hold(admin: httpx.Client) -> None:
    expected = listed(admin, action="model.*")
    answer = admin.get(EXPORT, params={"action": "model.*", "format": "jsonl"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == expected
    answer = admin.get(EXPORT, params={"action": "model.*"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-log-')
    header, *rows = csv.reader(io.StringIO(answer.text, newline=""))
    assert header == ["Time", "Actor", "Action", "Object", "Before", "After", "Entry"]
    assert [
        {
            "id": int(number), "at": at, "actor": actor, "action": action, "object": object,
            "before": json.loads(before), "after": json.loads(after),
        }
        for at, actor, action, object, before, after, number in rows
    ] == expected  # fmt: skip


def test_an_export_of_nothing_is_an_empty_file(admin: httpx.Client) -> None:
    assert admin.get(EXPORT, params={"actor": "nobody", "format": "jsonl"}).text == ""
    assert admin.get(EXPORT, params={"actor": "nobody"}).text == "Time,Actor,Action,Object,Before,After,Entry\r\n"


def test_an_export_goes_over_many_pages_without_a_cap(server: Server) -> None:
    name = server.new_account("long log")
    account_id = server.account_id(name)
    with server.catalog.writing() as session:
        for n in range(2_500):
            audit.record(session, account_id=account_id, at_us=n, actor="cli", action="a.b", object=f"model:{n}")
    with server.client("admin", account=name) as client:
        lines = client.get(EXPORT, params={"format": "jsonl", "action": "a.b"}).text.splitlines()
    assert [json.loads(line)["object"] for line in lines] == [f"model:{n}" for n in reversed(range(2_500))]


def test_cells_that_a_spreadsheet_would_run_are_made_harmless(server: Server) -> None:
    assert ast.literal_eval(export_columns._FORMULA_STARTS) == list(audit_log.FORMULA_STARTS), "as in the runs' export"
    name = server.new_account("formulas")
    account_id = server.account_id(name)
    with server.catalog.writing() as session:
        for text in HOSTILE:
            audit.record(session, account_id=account_id, at_us=1, actor=text, action=text, object=text)
    with server.client("admin", account=name) as client:
        rows = list(csv.reader(io.StringIO(client.get(EXPORT).text, newline="")))
    found = [row for row in rows if any(text in row[1] for text in HOSTILE)]
    assert len(found) == len(HOSTILE)
    assert all(cell.startswith("'") for row in found for cell in row[1:4])


@pytest.mark.parametrize("path", [LOG, EXPORT])
def test_keys_without_the_scope_admin_are_refused(server: Server, account: str, path: str) -> None:
    with server.client("read", "ingest", account=account) as client:
        answer = client.get(path)
    assert answer.status_code == 403
    assert "admin" in answer.json()["detail"]


@contextmanager
def signed_in(server: Server, email: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        entered = client.post("/sign-in", data={"email": email, "password": PASSWORD}, headers={"Origin": server.url})
        assert entered.status_code == 303, entered.text
        yield client


@pytest.mark.parametrize("path", [LOG, EXPORT])
def test_members_and_viewers_are_refused_and_owners_are_not(server: Server, path: str) -> None:
    viewer = "walter@example.com"
    if viewer not in (member.user.email for member in users.list_members(server.catalog, server.account_id())):
        users.create(server.catalog, server.account_id(), viewer, "viewer", password=PASSWORD, actor="test")
    for email, status in ((ALICE, 200), (BOB, 403), (viewer, 403), (CHARLIE, 200)):
        with signed_in(server, email) as client:
            answer = client.get(path)
            assert answer.status_code == status, (email, answer.text)
            if email != ALICE:
                assert BOB not in answer.text


def test_another_accounts_entries_are_never_seen(server: Server, account: str) -> None:
    with server.client("admin", account="other") as charlie:
        for params in ({}, {"actor": "cli"}, {"object": "Llama"}, {"action": "model.*"}, {"cursor": "999999999"}):
            assert "Llama-" not in charlie.get(LOG, params=params).text
        assert "Llama-" not in charlie.get(EXPORT, params={"format": "jsonl"}).text

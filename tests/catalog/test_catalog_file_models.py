"""The catalog as a file: ledgers, merges and kinds of models."""

from collections.abc import Callable

import pytest

from modeltraces.catalog import audit, model_edits
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict
from modeltraces.catalog.file.applying import Applied
from modeltraces.catalog.file.problems import BadFile
from modeltraces.catalog.hosting import ledger
from modeltraces.catalog.models import ModelRegistry, SeenModel
from tests.catalog.catalog_files import DEPLOY, FULL, SCALE, UNDEPLOY, V1, entries, exported, problems, traces
from tests.catalog.model_world import seen


def test_an_event_that_the_file_lacks_is_struck_out_only_with_leave(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(V1 % f"{DEPLOY}\n{SCALE}\n{UNDEPLOY}")
    before = traces(catalog, account_id)
    fewer = V1 % f"{DEPLOY}\n{UNDEPLOY}"
    with pytest.raises(BadFile) as refused:
        apply_file(fewer)
    ((line, text),) = problems(refused)
    assert line == 4
    assert "m@v1: scale to 4 replicas at 2025-11-01T12:00:00Z" in text
    assert "--allow-removal" in text
    assert traces(catalog, account_id) == before
    assert apply_file(fewer, allow_removal=True).changes == (
        "- event m@v1: scale to 4 replicas at 2025-11-01T12:00:00Z",
    )
    model = ModelRegistry(catalog).get_model(account_id, "m")
    assert model is not None
    assert [one.replicas for one in model.deployments[0].intervals] == [2]
    assert [event.struck_by for event in model.deployments[0].events] == [None, "cli", None]
    assert apply_file(fewer) == Applied((), ())


def test_a_file_that_lists_no_events_leaves_the_ledger_alone(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(V1 % DEPLOY)
    silent = (V1 % "").replace(", events = [\n\n]", "")
    assert apply_file(silent, allow_removal=True) == Applied((), ())
    with pytest.raises(BadFile, match="deploy to 2 replicas"):
        apply_file(V1 % "")
    assert apply_file(V1 % "", allow_removal=True).changes == (
        "- event m@v1: deploy to 2 replicas at 2025-11-01T10:00:00Z",
    )


def test_events_may_be_entered_between_others_in_any_order(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(V1 % f"{DEPLOY}\n{SCALE}")
    # One by one neither could be: down at eleven, the scaling at twelve would make no sense.
    between = '{ type = "deploy", on = 2025-11-01T11:30:00Z },\n{ type = "undeploy", on = 2025-11-01T11:00:00Z },'
    apply_file(V1 % f"{SCALE}\n{between}\n{DEPLOY}")
    model = ModelRegistry(catalog).get_model(account_id, "m")
    assert model is not None
    assert [one.replicas for one in model.deployments[0].intervals] == [2, 1, 4]


def test_an_event_entered_elsewhere_and_then_put_into_the_file_is_the_same(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(V1 % DEPLOY)
    ledger.add_event(catalog, account_id, "m", "v1", "scale", replicas=4, on_us=1_761_998_400_000_000, actor="alice")
    assert apply_file(V1 % f"{DEPLOY}\n{SCALE}") == Applied((), ())


@pytest.mark.parametrize(
    ("events", "line", "told"),
    [
        (UNDEPLOY, 5, "it is not up at that time: choose a time at which it was"),
        (f"{SCALE}\n{DEPLOY}\n{DEPLOY.replace('10:00', '11:00')}", 7, "it is up already at that time"),
        (f"{DEPLOY}\n\n# again\n{DEPLOY}", 8, "another event at the same instant"),
        (DEPLOY.replace("2025", "2199"), 5, "lies in the future"),
        (DEPLOY.replace("2025", "1925"), 5, "before the year 2000"),
        (DEPLOY.replace("= 2 ", "= 0 "), 5, "whole number from 1"),
        (DEPLOY.replace("= 2 ", "= -1 "), 5, "whole number from 1"),
        (DEPLOY.replace("= 2 ", "= 2.0 "), 5, "must be a whole number"),
        (DEPLOY.replace("= 2 ", "= nan "), 5, "must be a whole number"),
        (DEPLOY.replace('"deploy"', '"deploi"'), 5, "type must be one of deploy, scale, undeploy"),
        (DEPLOY.replace("00Z", "00"), 5, "has no offset"),
        (DEPLOY.replace("2025-11-01T10:00:00Z", '"noon"'), 5, "must be a time such as"),
        (DEPLOY.replace("on =", "no ="), 5, "Did you mean 'on'?"),
        (f"{DEPLOY}\n{UNDEPLOY.replace(' }', ', replicas = 1 }')}", 6, "replicas has no place in an undeploy"),
        (SCALE.replace(", replicas = 4", ""), 5, "replicas is missing"),
    ],
)
def test_events_that_cannot_be_are_refused_with_their_line(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied], events: str, line: int, told: str
) -> None:
    before = traces(catalog, account_id)
    with pytest.raises(BadFile) as refused:
        apply_file(V1 % events, allow_removal=True)
    assert any(at == line and told in text for at, text in problems(refused)), problems(refused)
    assert traces(catalog, account_id) == before


def two_models(second: str, version: str = "v2", kind: str = "open_source") -> str:
    return f"""
[[models]]
name = "m"
kind = "open_source"
deployments = [{{ version = "v1", events = [{DEPLOY}] }}]
{second}
[[models]]
name = "n"
kind = "{kind}"
deployments = [{{ version = "{version}", events = [{SCALE.replace("scale", "deploy")}] }}]
"""


AS_ONE = """
[[models]]
name = "m"
merged = ["n"]
"""


def test_a_file_merges_models_that_both_hosted_one_version_and_tells_whose_is_whose(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(two_models("", version="v1"))
    up = f"version = 'v1', events = [{DEPLOY}]"
    of_n = f"version = 'v1', merged_from = 'n', events = [{SCALE.replace('scale', 'deploy')}]"
    listed = f"{AS_ONE}deployments = [{{ {of_n}, endpoint = 'http://n/v1' }}, {{ {up} }}]"
    assert apply_file(listed).changes == ("+ merge of n into m", '~ deployment m@v1 of n: endpoint: "" → "http://n/v1"')
    assert apply_file(listed) == Applied((), ())
    text = exported(catalog, account_id)
    assert apply_file(text) == Applied((), ())
    again = apply_file(text.replace('merged_from = "n"', 'merged_from = "n"\nupstream_model = "x"'))
    assert again.changes == ('~ deployment m@v1 of n: upstream_model: "" → "x"',)
    assert apply_file(f"{AS_ONE}deployments = [{{ {up} }}]").left == ("deployment m@v1 of n",)
    of_o = of_n.replace("'n'", "'o'")
    for wrong, told in (
        (f"{AS_ONE}deployments = [{{ {up} }}, {{ {up} }}]", "the version of m 'v1' is in the file twice"),
        (f"{AS_ONE}deployments = [{{ {of_n} }}, {{ {of_n} }}]", "the version of n 'v1' is in the file twice"),
        (
            f"{AS_ONE}deployments = [{{ {of_o} }}]",
            "o is not merged into m: put it into m's 'merged'",
        ),
    ):
        with pytest.raises(BadFile, match=told):
            apply_file(wrong)


def test_what_a_file_tells_to_be_a_merged_models_is_not_the_models_own(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    merged = AS_ONE.replace("merged", "kind = 'open_source'\nmerged")
    of_n = f"{{ version = 'v1', merged_from = 'n', events = [{DEPLOY}] }}"
    apply_file(f"{merged}deployments = [{of_n}]")
    own = f"{{ version = 'v1', events = [{SCALE.replace('scale', 'deploy')}] }}"
    made = apply_file(f"{merged}deployments = [{of_n}, {own}]").changes
    assert made[0] == "+ deployment m@v1"
    assert apply_file(f"{merged}deployments = [{own}, {of_n}]") == Applied((), ())
    (model,) = entries(catalog, account_id)
    assert len(model["deployments"]) == 2


def described(version: str, merged_from: str = "", events: str = "", endpoint: str = "") -> str:
    parts = {"version": version, "merged_from": merged_from, "endpoint": endpoint}
    said = [f"{name} = '{value}'" for name, value in parts.items() if value]
    return f"{{ {', '.join([*said, *([f'events = [{events}]'] if events else [])])} }}"


def listed(*parts: str, merged: str = "merged = ['n']") -> str:
    return f"[[models]]\nname = 'm'\nkind = 'open_source'\n{merged}\ndeployments = [{', '.join(parts)}]\n"


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_deployments_of_a_version_one_may_be_hosted_and_the_other_only_described(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied], order: int
) -> None:
    both = [described("v1", endpoint="http://own/v1"), described("v1", "n", DEPLOY)][::order]
    assert "+ deployment m@v1" in apply_file(listed(*both)).changes
    assert apply_file(listed(*both)) == Applied((), ())
    assert apply_file(exported(catalog, account_id)) == Applied((), ())
    now_hosted = [described("v1", events=DEPLOY), described("v1", "n", DEPLOY)][::order]
    assert apply_file(listed(*now_hosted)).changes[0].startswith("+ event m@v1: deploy")


def test_what_only_runs_told_of_is_a_files_own_beside_a_merged_models(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    seen(catalog, account_id, "m", versions=["v1"])
    seen(catalog, account_id, "n", versions=["v2"])
    hosted = [described(v, m, DEPLOY) for v in ("v1", "v2") for m in ("", "n")]
    assert len(apply_file(listed(*hosted)).changes) == 8
    assert apply_file(listed(*hosted)) == Applied((), ())


@pytest.mark.parametrize("events", [DEPLOY, ""], ids=["hosted", "described"])
def test_removing_a_described_version_leaves_a_merged_models(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied], events: str
) -> None:
    apply_file(
        listed(described("v1", endpoint="http://own/v1"), merged="")
        + "[[models]]\nname = 'n'\nkind = 'open_source'\ndeployments = ["
        + described("v1", events=events, endpoint="http://n/v1")
        + "]\n"
    )
    hosted = listed(described("v1", "n", events, "http://n/v1"))
    applied = apply_file(hosted, allow_removal=True)
    assert applied.changes == ("+ merge of n into m", "- deployment m@v1")
    assert apply_file(hosted, allow_removal=True) == Applied((), ())


def test_a_merged_models_deployment_of_a_name_that_was_only_given_up_is_refused(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    seen(catalog, account_id, "n")
    model_edits.edit(catalog, account_id, "n", {"name": "m"}, actor="test")
    with pytest.raises(BadFile, match=r"n is no model of its own in this account, .* leave 'merged_from' out"):
        apply_file(listed(described("v1", "n", DEPLOY)))


def test_a_file_merges_models_that_were_two_and_their_deployments_with_them(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(two_models(""))
    listed = f"{AS_ONE}deployments = [{{ version = 'v1' }}, {{ version = 'v2', events = [{SCALE.replace('scale', 'deploy')}] }}]"
    assert apply_file(listed).changes == ("+ merge of n into m",)
    (model,) = entries(catalog, account_id)
    assert (model["merged"], len(model["deployments"])) == (("n",), 2)
    assert apply_file(listed) == Applied((), ())
    assert apply_file(exported(catalog, account_id)) == Applied((), ())


@pytest.mark.parametrize(
    ("account", "told"),
    [
        (
            two_models("").replace('"n"\nkind = "open_source"', '"n"\nkind = "fine_tuned"'),
            "Make them of one kind first",
        ),
        ('[[models]]\nname = "x"\nkind = "open_source"\nmerged = ["n"]', "n is merged into x in this account"),
    ],
)
def test_a_merge_that_cannot_be_is_refused_with_its_line(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied], account: str, told: str
) -> None:
    apply_file(account)
    before = traces(catalog, account_id)
    with pytest.raises(BadFile) as refused:
        apply_file(AS_ONE.replace("merged", "kind = 'open_source'\nmerged"))
    ((line, text),) = problems(refused)
    assert (line, told in text) == (5, True), text
    assert traces(catalog, account_id) == before


def test_a_merge_is_taken_back_only_with_leave(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file('[[models]]\nname = "m"\nkind = "external"\nmerged = ["n", "o"]')
    fewer = '[[models]]\nname = "m"\nmerged = ["n"]'
    assert apply_file(fewer) == Applied((), ("merge of o into m",))
    assert apply_file(fewer, allow_removal=True).changes == ("- merge of o into m",)
    assert [(one["name"], one["merged"]) for one in entries(catalog, account_id)] == [("m", ("n",)), ("o", ())]


def test_a_merged_model_cannot_be_one_of_its_own_in_the_file(apply_file: Callable[..., Applied]) -> None:
    apply_file(FULL)
    with pytest.raises(BadFile, match="line 2: llama3 is merged into llama-3-8b in this account"):
        apply_file('[[models]]\nname = "llama3"\nkind = "open_source"', allow_removal=True)


def test_a_kind_that_runs_suggested_is_settled_by_the_file_that_says_it(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    registry = ModelRegistry(catalog)
    registry.ensure(account_id, {"gpt-4o": SeenModel("openai", "", 1)})
    assert apply_file(exported(catalog, account_id)) == Applied((), ())
    settled = '[[models]]\nname = "gpt-4o"\nkind = "external"'
    assert apply_file(settled).changes == ('~ model gpt-4o: kind is "external" for good (it was inferred)',)
    assert apply_file(settled) == Applied((), ())
    assert audit.list_entries(catalog, account_id)[0].after == {
        "name": "gpt-4o", "kind": "external", "base_model": "", "provider": "openai", "archived": False,
        "kind_is_inferred": False,
    }  # fmt: skip


def test_a_hosted_model_becomes_external_only_when_its_events_are_struck_out(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(V1 % DEPLOY)
    external = (V1 % "").replace("open_source", "external")
    with pytest.raises(BadFile, match="line 4: m is external"):
        apply_file((V1 % DEPLOY).replace("open_source", "external"))
    with pytest.raises(BadFile, match="--allow-removal"):
        apply_file(external)
    apply_file(external, allow_removal=True)
    assert entries(catalog, account_id)[0]["kind"] == "external"


@pytest.mark.parametrize("runs", [True, False], ids=["with runs", "without runs"])
@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "for real"])
def test_a_file_that_still_has_the_name_that_a_model_had_before_is_refused(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied], runs: bool, dry_run: bool
) -> None:
    file = V1 % DEPLOY
    apply_file(file)
    if runs:
        ModelRegistry(catalog).ensure(account_id, {"m": SeenModel("vllm", "", 1)})
    for before, after in (("m", "between"), ("between", "new")):
        model_edits.edit(catalog, account_id, before, {"name": after}, actor="alice")
    trace = traces(catalog, account_id)
    for name in ("m", "between"):
        with pytest.raises(BadFile, match=f"line 2: {name} is a name that new had before.* Write new in its place"):
            apply_file(file.replace('"m"', f'"{name}"'), dry_run=dry_run, allow_removal=True)
    assert traces(catalog, account_id) == trace
    assert apply_file(file.replace('"m"', '"new"'), dry_run=dry_run) == Applied((), ())
    assert apply_file(file.replace('"m"', '"new"\nmerged = ["m"]'), dry_run=dry_run) == Applied((), ())


def test_a_name_that_a_model_had_before_is_another_models_once_somebody_says_so(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(V1 % DEPLOY)
    model_edits.edit(catalog, account_id, "m", {"name": "new"}, actor="alice")
    with pytest.raises(Conflict, match="Runs that bear the name 'm' are counted as new's"):
        model_edits.create(catalog, account_id, "m", "open_source", actor="alice")
    model_edits.create(catalog, account_id, "m", "open_source", is_unborne=True, actor="alice")
    assert apply_file(V1 % DEPLOY).changes == (
        "+ deployment m@v1",
        "+ event m@v1: deploy to 2 replicas at 2025-11-01T10:00:00Z, at 1 credits per replica-hour",
    )
    assert [one["name"] for one in entries(catalog, account_id)] == ["m", "new"]

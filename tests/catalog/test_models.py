import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, update

from modeltraces.catalog import audit, model_writes, models
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.model_entries import natural_key
from modeltraces.catalog.model_kinds import SELF_HOSTED_PROVIDERS, infer_kind, is_self_hosted
from modeltraces.catalog.models import ModelRegistry, SeenModel
from modeltraces.catalog.tables import AccountRow, ModelNameRow, ModelRow
from modeltraces.run import MODEL_KINDS
from tests.catalog.cast import Cast


class Statements:
    """Counts what is sent to the database."""

    def __init__(self, catalog: Catalog) -> None:
        self.sent: list[str] = []
        event.listen(catalog.engine, "before_cursor_execute", self._note)

    def _note(self, _c: object, _cursor: object, statement: str, *_: object) -> None:
        self.sent.append(statement)


class Timer:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def names(registry: ModelRegistry, account_id: str) -> list[str]:
    return [entry.name for entry in registry.list_models(account_id)]


def test_a_model_enters_the_catalog_with_what_its_first_run_says(registry: ModelRegistry, cast: Cast) -> None:
    seen = SeenModel("vllm", "meta-llama/Llama-3-8B", 1000, {"v10", "v2"}, set())
    registry.ensure(cast.account_a.id, {"llama-3-8b": seen})
    registry.ensure(cast.account_a.id, {"gpt-4o": SeenModel("openai", "gpt-4o-2024-08-06", 2000, set(), {"azure-eu"})})
    llama, gpt = registry.list_models(cast.account_a.id)
    assert (llama.name, llama.kind, llama.base_model) == ("llama-3-8b", "open_source", "meta-llama/Llama-3-8B")
    assert (llama.provider, llama.first_run_on_us) == ("vllm", 1000)
    assert [deployment.version for deployment in llama.deployments] == ["v2", "v10"]
    assert (gpt.kind, [(c.name, c.provider) for c in gpt.connections]) == ("external", [("azure-eu", "openai")])
    assert registry.get_model(cast.account_a.id, "gpt-4o") == gpt
    assert registry.names_of_kind(cast.account_a.id) == {
        "open_source": ["llama-3-8b"],
        "fine_tuned": [],
        "external": ["gpt-4o"],
    }


def test_no_account_sees_anothers_models(registry: ModelRegistry, cast: Cast) -> None:
    registry.ensure(cast.account_a.id, {"m": SeenModel("vllm", "", 1, {"v1"}, {"c"})})
    registry.ensure(cast.account_b.id, {"m": SeenModel("openai", "", 2, set(), {"c"})})
    (mine,), (theirs,) = (registry.list_models(account.id) for account in (cast.account_a, cast.account_b))
    assert (mine.kind, theirs.kind) == ("open_source", "external")
    assert mine.id != theirs.id
    assert theirs.deployments == ()
    registry.ensure(cast.account_a.id, {"only mine": SeenModel()})
    assert registry.get_model(cast.account_b.id, "only mine") is None
    assert registry.list_models("nowhere") == []


def test_what_is_known_costs_no_query(catalog: Catalog, registry: ModelRegistry, cast: Cast) -> None:
    seen = {f"m{n}": SeenModel("openai", "b", 5, {"v1"}, {"c1"}) for n in range(50)}
    registry.ensure(cast.account_a.id, seen)
    statements = Statements(catalog)
    registry.ensure(cast.account_a.id, seen)
    registry.ensure(cast.account_a.id, {"m1": SeenModel("azure", "other", 6), "m2": SeenModel(first_run_on_us=9)})
    registry.ensure(cast.account_a.id, {})
    assert statements.sent == []


def test_what_another_process_added_is_read_and_not_written(
    registry: ModelRegistry, other_process: Catalog, cast: Cast
) -> None:
    seen = {"m": SeenModel("openai", "b", 5, {"v1"}, {"c1"})}
    registry.ensure(cast.account_a.id, seen)
    statements = Statements(other_process)
    ModelRegistry(other_process).ensure(cast.account_a.id, seen)
    assert statements.sent
    assert not [statement for statement in statements.sent if not statement.startswith(("SELECT", "BEGIN"))]


def test_the_first_run_only_moves_back(registry: ModelRegistry, cast: Cast) -> None:
    for first_run_on_us in (500, 700, 300, 400):
        registry.ensure(cast.account_a.id, {"m": SeenModel(first_run_on_us=first_run_on_us)})
    (entry,) = registry.list_models(cast.account_a.id)
    assert entry.first_run_on_us == 300


def test_later_runs_add_versions_connections_and_what_was_unknown(registry: ModelRegistry, cast: Cast) -> None:
    registry.ensure(cast.account_a.id, {"m": SeenModel()})
    registry.ensure(cast.account_a.id, {"m": SeenModel("openai", "", 9, set(), {"c1"})})
    registry.ensure(cast.account_a.id, {"m": SeenModel("azure", "base", 9, set(), {"c2", "c1"})})
    registry.ensure(cast.account_a.id, {"other": SeenModel("azure", "base", 9, set(), {"c1"})})
    entry = registry.get_model(cast.account_a.id, "m")
    assert entry is not None
    assert (entry.provider, entry.base_model) == ("openai", "base")
    assert [connection.name for connection in entry.connections] == ["c1", "c2"]


def test_a_kind_that_was_a_guess_follows_the_first_evidence(registry: ModelRegistry, cast: Cast) -> None:
    def kind_after(name: str, *seen: SeenModel) -> str:
        for one in seen:
            registry.ensure(cast.account_a.id, {name: one})
        entry = registry.get_model(cast.account_a.id, name)
        assert entry is not None
        return entry.kind

    assert kind_after("late provider", SeenModel(), SeenModel("ollama")) == "open_source"
    assert kind_after("late deployment", SeenModel("openai"), SeenModel("openai", "", 0, {"v1"})) == "open_source"
    assert kind_after("gpt-4o", SeenModel("openai"), SeenModel("vllm")) == "external", "one odd run changes nothing"
    assert kind_after("said", SeenModel(kind="external"), SeenModel("vllm", "", 0, {"v1"})) == "external"
    assert kind_after("said too", SeenModel("openai", kind="fine_tuned")) == "fine_tuned"


def test_a_model_added_by_ingest_is_recorded_once(catalog: Catalog, registry: ModelRegistry, cast: Cast) -> None:
    registry.ensure(cast.account_a.id, {"m": SeenModel("openai", "b", 1)})
    registry.ensure(cast.account_a.id, {"m": SeenModel("openai", "b", 0, {"v1"})})
    added = [entry for entry in audit.list_entries(catalog, cast.account_a.id) if entry.action == "model.add"]
    assert [(entry.actor, entry.object) for entry in added] == [("ingest", "model:m")]


ODD = [
    "a/b:c@v2",
    "with spaces",
    "\"quotes' --",
    "🦙",
    "<script>alert(1)</script>",
    "%s {} \\",
    "é",
    "e\u0301",
    " x",
    "X",
]


def test_names_are_kept_as_they_are(registry: ModelRegistry, cast: Cast) -> None:
    registry.ensure(cast.account_a.id, {name: SeenModel() for name in ODD})
    assert set(names(registry, cast.account_a.id)) == set(ODD)
    for name in ODD:
        entry = registry.get_model(cast.account_a.id, name)
        assert entry is not None
        assert entry.recorded_names == (name,)


@pytest.mark.parametrize("name", ["", "x" * 513, "nul\0", "\ud800"])
def test_a_name_that_cannot_be_kept_does_not_spoil_the_batch(registry: ModelRegistry, cast: Cast, name: str) -> None:
    odd = SeenModel("p\0", "b\ud800", 1, {"v\0", "v1"}, {"\ud800", "c1"})
    registry.ensure(cast.account_a.id, {name: SeenModel(), "good": odd})
    (entry,) = registry.list_models(cast.account_a.id)
    assert (entry.name, entry.provider, entry.base_model) == ("good", "", "")
    assert [deployment.version for deployment in entry.deployments] == ["v1"]
    assert [connection.name for connection in entry.connections] == ["c1"]


def test_the_longest_name_fits_into_every_index(registry: ModelRegistry, cast: Cast) -> None:
    longest = "🦙" * models.LONGEST_NAME
    registry.ensure(cast.account_a.id, {longest: SeenModel("", "", 1, {longest}, {longest})})
    assert registry.get_model(cast.account_a.id, longest) is not None


def test_made_up_names_do_not_fill_the_catalog(catalog: Catalog, cast: Cast) -> None:
    timer = Timer()
    registry = ModelRegistry(catalog, max_models=3, timer=timer)
    registry.ensure(cast.account_a.id, {f"m{n}": SeenModel() for n in range(5)})
    assert names(registry, cast.account_a.id) == ["m0", "m1", "m2"]
    statements = Statements(catalog)
    registry.ensure(cast.account_a.id, {"m9": SeenModel(), "m0": SeenModel("openai")})
    assert names(registry, cast.account_a.id) == ["m0", "m1", "m2"]
    assert not [statement for statement in statements.sent if "count(" in statement.lower()]
    entry = registry.get_model(cast.account_a.id, "m0")
    assert entry is not None
    assert entry.provider == "openai", "what is in the catalog still learns"
    registry.ensure(cast.account_b.id, {"m9": SeenModel()})
    assert names(registry, cast.account_b.id) == ["m9"], "another account has room of its own"
    timer.now += 61
    registry.max_models = 4
    registry.ensure(cast.account_a.id, {"m9": SeenModel()})
    assert names(registry, cast.account_a.id) == ["m0", "m1", "m2", "m9"]


def test_made_up_versions_do_not_fill_the_catalog(
    registry: ModelRegistry, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_writes, "MOST_VERSIONS", 3)
    for n in range(6):
        registry.ensure(cast.account_a.id, {"m": SeenModel("", "", 1, {f"v{n}", f"w{n}"}, {f"c{n}", f"d{n}"})})
    (entry,) = registry.list_models(cast.account_a.id)
    assert (len(entry.deployments), len(entry.connections)) == (3, 3)


def test_runs_of_an_account_that_is_gone_are_no_error(registry: ModelRegistry, cast: Cast) -> None:
    registry.ensure("gone", {"m": SeenModel()})
    assert registry.list_models("gone") == []


def test_the_memory_of_models_is_bounded(registry: ModelRegistry, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_MOST_CACHED", 10)
    monkeypatch.setattr(models, "_MOST_SNAPSHOTS", 1)
    for n in range(6):
        registry.ensure(cast.account_a.id, {f"m{n}-{i}": SeenModel() for i in range(4)})
    assert len(registry._known) <= 12
    for account in (cast.account_a, cast.account_b):
        registry.list_models(account.id)
    assert len(registry._snapshots) == 1


def test_a_list_is_read_again_only_when_something_changed(catalog: Catalog, other_process: Catalog, cast: Cast) -> None:
    registry = ModelRegistry(catalog)
    registry.ensure(cast.account_a.id, {"m1": SeenModel()})
    registry.list_models(cast.account_a.id)
    statements = Statements(catalog)
    registry.names_of_kind(cast.account_a.id)
    assert len([statement for statement in statements.sent if statement.startswith("SELECT")]) == 1
    ModelRegistry(other_process).ensure(cast.account_a.id, {"m2": SeenModel()})
    assert names(registry, cast.account_a.id) == ["m1", "m2"], "an acknowledged run's model is in the next answer"


def test_two_thousand_models_are_listed_with_a_fixed_number_of_queries(catalog: Catalog, cast: Cast) -> None:
    seen = {f"m{n}": SeenModel("vllm", "", 1, {"v1", "v2"}, {f"c{n % 7}"}) for n in range(2000)}
    ModelRegistry(catalog).ensure(cast.account_a.id, seen)
    statements = Statements(catalog)
    registry = ModelRegistry(catalog)
    assert names(registry, cast.account_a.id) == [f"m{n}" for n in range(2000)]
    assert len([statement for statement in statements.sent if statement.startswith("SELECT")]) == 6


def merge(catalog: Catalog, account_id: str, source: str, target: str) -> None:
    """As the catalog's pages will: the names of one model go to another."""
    registry = ModelRegistry(catalog)
    one, other = registry.get_model(account_id, source), registry.get_model(account_id, target)
    assert one is not None
    assert other is not None
    with catalog.writing() as session:
        session.execute(update(ModelNameRow).where(ModelNameRow.model_id == one.id).values(model_id=other.id))
        session.execute(update(ModelRow).where(ModelRow.id == one.id).values(archived_on_us=1))
        session.execute(
            update(AccountRow).where(AccountRow.id == account_id).values(models_revision=AccountRow.models_revision + 1)
        )


def test_runs_of_a_merged_name_belong_to_the_model_it_was_merged_into(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    registry.ensure(cast.account_a.id, {"old": SeenModel("vllm", "", 5), "new": SeenModel("vllm", "", 9)})
    merge(catalog, cast.account_a.id, "old", "new")
    fresh = ModelRegistry(catalog)
    fresh.ensure(
        cast.account_a.id,
        {"old": SeenModel("vllm", "", 2, {"v1"}, {"c1"}), "new": SeenModel("vllm", "", 9, {"v1", "v2"}, {"c1"})},
    )
    (entry,) = fresh.list_models(cast.account_a.id)
    assert (entry.name, entry.recorded_names, entry.first_run_on_us) == ("new", ("new", "old"), 2)
    assert [deployment.version for deployment in entry.deployments] == ["v1", "v2"]
    assert fresh.names_of_kind(cast.account_a.id)["open_source"] == ["new", "old"]
    by_name = fresh.get_model(cast.account_a.id, "old")
    assert by_name is not None
    assert by_name.archived, "its own name still leads to the model that was merged away"


def test_runs_that_bear_the_new_name_of_a_renamed_model_are_its_runs(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    registry.ensure(cast.account_a.id, {"old": SeenModel("vllm", "", 5, {"v1"}, {"c1"})})
    with catalog.writing() as session:
        session.execute(update(ModelRow).values(name="new"))
    fresh = ModelRegistry(catalog)
    fresh.ensure(cast.account_a.id, {"new": SeenModel("vllm", "", 3, {"v1"}, {"c1"})})
    (entry,) = fresh.list_models(cast.account_a.id)
    assert (entry.name, entry.recorded_names, entry.first_run_on_us) == ("new", ("new", "old"), 3)


def test_two_threads_and_two_pools_add_the_same_models_at_once(
    catalog: Catalog, other_process: Catalog, cast: Cast
) -> None:
    ready = threading.Barrier(4)
    failed: list[BaseException] = []

    def ensure(opened: Catalog, offset: int) -> None:
        registry = ModelRegistry(opened)
        ready.wait()
        try:
            for n in range(20):
                seen = SeenModel("vllm", "b", 100 - n - offset, {f"v{n}"}, {f"c{n}"})
                registry.ensure(cast.account_a.id, {f"m{n}": seen, f"m{19 - n}": seen})
        except BaseException as error:
            failed.append(error)

    threads = [
        threading.Thread(target=ensure, args=(opened, offset))
        for offset, opened in enumerate((catalog, other_process) * 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    entries = ModelRegistry(catalog).list_models(cast.account_a.id)
    assert [entry.name for entry in entries] == [f"m{n}" for n in range(20)]
    for n, entry in enumerate(entries):
        assert {deployment.version for deployment in entry.deployments} == {f"v{n}", f"v{19 - n}"}
        assert entry.first_run_on_us == 100 - max(n, 19 - n) - 3


def test_two_processes_add_the_same_models_at_once(catalog: Catalog, catalog_url: str, cast: Cast) -> None:
    script = (
        "import sys\n"
        "from modeltraces.catalog.db import Catalog\n"
        "from modeltraces.catalog.models import ModelRegistry, SeenModel\n"
        "catalog = Catalog(sys.argv[1]); registry = ModelRegistry(catalog); sys.stdin.readline()\n"
        "for n in range(40):\n"
        "    registry.ensure(sys.argv[2], {f'm{n}': SeenModel('vllm', 'b', int(sys.argv[3]), {f'v{n}'}, {'c'})})\n"
        "catalog.close()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script, catalog_url, cast.account_a.id, str(first_run)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for first_run in (7, 5, 6)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    entries = ModelRegistry(catalog).list_models(cast.account_a.id)
    assert [(entry.name, entry.first_run_on_us) for entry in entries] == [(f"m{n}", 5) for n in range(40)]


@pytest.mark.parametrize(
    ("name", "provider", "kind"),
    [
        ("gpt-4o", "openai", "external"),
        ("claude-sonnet", "anthropic", "external"),
        ("llama-3-8b", "", "external"),
        ("llama-3-8b", "vllm", "open_source"),
        ("llama-3-8b", "Llama.cpp", "open_source"),
        ("llama-3-8b", "LM Studio", "open_source"),
        ("llama-3-8b", "huggingface-tgi", "open_source"),
        ("llama-3-8b", "HuggingFace TGI", "open_source"),
        ("llama-3-8b", "text-generation-inference", "open_source"),
        ("llama-3-8b", "huggingface", "external"),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc123", "openai", "fine_tuned"),
        ("openai/ft:gpt-4o-mini:acme::abc123", "litellm", "fine_tuned"),
        ("ft:open-mistral-7b:1:2024:x", "vllm", "fine_tuned"),
        ("arn:aws:bedrock:us-east-1:1:custom-model/x/y", "aws.bedrock", "fine_tuned"),
        ("left:right", "openai", "external"),
        ("soft:serve", "openai", "external"),
    ],
)
def test_a_models_kind_is_told_from_its_name_and_provider(name: str, provider: str, kind: str) -> None:
    assert infer_kind(name, provider) == kind


def test_a_deployment_version_makes_a_model_one_that_is_deployed() -> None:
    assert infer_kind("llama", "", has_deployment=True) == "open_source"
    assert infer_kind("ft:llama", "", has_deployment=True) == "fine_tuned"


@given(st.sampled_from(sorted(SELF_HOSTED_PROVIDERS)), st.sampled_from(["", "-", "_", " ", "."]), st.booleans())
def test_a_self_hosted_server_is_known_in_every_spelling(provider: str, separator: str, upper: bool) -> None:
    spelled = provider.replace("_", separator)
    assert is_self_hosted(spelled.upper() if upper else spelled)


@given(st.text(), st.text())
def test_every_model_has_a_kind(name: str, provider: str) -> None:
    assert infer_kind(name, provider) in MODEL_KINDS


@given(st.lists(st.text() | st.from_regex(r"v?[0-9]{1,30}(\.[0-9]+)?", fullmatch=True)))
def test_any_names_can_be_sorted(values: list[str]) -> None:
    assert sorted(sorted(values, key=natural_key, reverse=True), key=natural_key) == sorted(
        values, key=natural_key
    ) or (len({natural_key(value) for value in values}) < len(values))


def test_versions_are_sorted_by_their_numbers() -> None:
    assert sorted(["v10", "v2", "V1", "beta"], key=natural_key) == ["beta", "V1", "v2", "v10"]

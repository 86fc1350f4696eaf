"""What a model is called for, by its last runs, else by its name: the page Gateway shows programs that do that."""

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

from modeltraces.api.run_json import ModelFacts
from modeltraces.catalog.models import ModelEntry
from modeltraces.parts import Parts
from modeltraces.query.runs import list_runs
from modeltraces.query.selection import parse_selection
from modeltraces.run import now_us
from modeltraces.store.engine import StoreError

Task = Literal["chat", "embeddings"]
TASKS: Final[tuple[Task, ...]] = ("chat", "embeddings")

_LOOKED_AT: Final = 20
"""Of the last runs: one call of another kind, made by mistake, is no reason."""
_UNLIKE_CHATS: Final = frozenset(
    {
        "image_generation", "image_edit", "image_variation", "speech", "transcription", "translation", "moderation", "rerank",
    }
)  # fmt: skip


async def operation_of(parts: Parts, account_id: str, entries: Sequence[ModelEntry], model: str) -> str:
    """The operation of most of the model's last runs that succeeded; where there are none, what its name says; or ''."""
    name = _entry_name(entries, model)
    entry = next((one for one in entries if one.name == name), None)
    if entry is not None:
        asked = [("model", name), ("period", "7d"), ("filter", "status:success")]
        selection = parse_selection(asked, account_id=account_id, now_us=now_us())
        context = ModelFacts.of(list(entries)).context

        def last() -> list[str]:
            page = list_runs(parts.store, selection, context, limit=_LOOKED_AT, cursor=None, secret=parts.secret)
            return [run.operation for run in page.runs if run.operation]

        try:
            found = Counter(await parts.workers.query(last))
        except StoreError:
            found = Counter()
        if found:
            return found.most_common(1)[0][0]
    says = f"{name} {entry.base_model if entry else ''}".lower()
    return "embeddings" if "embed" in says else ""


def _entry_name(entries: Sequence[ModelEntry], model: str) -> str:
    """The model of `name@place`; one that bears such a name is that one."""
    if "@" not in model or any(entry.name == model for entry in entries):
        return model
    return model.rpartition("@")[0]


def task_of(operation: str) -> Task:
    return "embeddings" if operation == "embeddings" else "chat"


def is_unlike_chats(operation: str) -> bool:
    return operation in _UNLIKE_CHATS

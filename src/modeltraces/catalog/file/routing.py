"""How a model's calls are spread in the file against the account's."""

from functools import partial

from modeltraces.catalog import model_edits
from modeltraces.catalog.changes import Change
from modeltraces.catalog.file.ledgers import ModelOf
from modeltraces.catalog.file.problems import Where
from modeltraces.catalog.file.shape import ModelPart
from modeltraces.catalog.file.state import ModelState
from modeltraces.catalog.file.steps import Phase, Plan, shown
from modeltraces.catalog.routing import Routing, read_routing


def compare_routing(plan: Plan, part: ModelPart, known: ModelState | None, model_of: ModelOf, where: Where) -> None:
    if not part.says("routing"):
        return
    before, after = read_routing(known.row.routing) if known else None, part.routing
    named, text = f"routing of {shown(part.name)}", ""
    if before is None and after is not None:
        text = f"+ {named}: {_words(after)}"
    elif before is not None and after is None:
        text = f"- {named}"
    elif before is not None and after is not None and before != after:
        text = f"~ {named}: {_words(before)} → {_words(after)}"
    # A removal takes its place out of the routing: one that the file names all the same is told as missing.
    if text or (after is not None and plan.allow_removal):
        plan.step(Phase.ROUTING, text, (*where, "routing"), partial(_set, model_of, after))


def _set(model_of: ModelOf, routing: Routing | None, change: Change) -> None:
    model_edits.revise(change, model_of(change), {"routing": routing})


def _words(routing: Routing) -> str:
    weights = ", ".join(f"{shown(place)} {weight}" for place, weight in routing.weights.items())
    fallbacks = ", ".join(map(shown, routing.fallbacks))
    return "; ".join(part for part in (weights, fallbacks and f"then {fallbacks}") if part)

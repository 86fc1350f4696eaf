"""Who asks the demo's models, what, how often, and when in the week."""

from dataclasses import dataclass
from typing import Final

from modeltraces.demo import texts
from modeltraces.demo.texts import Compose


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of request from one source."""

    source_type: str
    source: str
    compose: Compose
    share: float
    """Of all runs."""
    models: tuple[tuple[str, float], ...]
    """(model, weight)."""
    rhythm: str = "office"
    operation: str = "chat"
    streamed: float = 0.0
    """Share of its runs that are streamed."""
    temperature: float = 0.2
    max_tokens: int = 1024
    sessions: bool = False
    """Its runs belong to conversations of users."""
    team: str = "platform"


_LLAMA, _MISTRAL, _CODER = "llama-3.1-8b-instruct", "mistral-small", "qwen2.5-coder"
_TRIAGE, _INVOICE, _GPT, _CLAUDE, _EMBED = (
    "support-triage", "invoice-extractor", "gpt-4o", "claude-sonnet-5-5", "text-embedding-3-small",
)  # fmt: skip

WORKLOADS: Final[tuple[Workload, ...]] = (
    Workload("Agent", "support-copilot", texts.support, 0.155, ((_LLAMA, 6), (_GPT, 3), (_CLAUDE, 1)), "shop", streamed=0.8, sessions=True, team="support"),
    Workload("Agent", "order-agent", texts.order_tools, 0.085, ((_GPT, 5), (_CLAUDE, 3), (_LLAMA, 2)), "shop", sessions=True, team="support"),
    Workload("Agent", "policy-assistant", texts.rag, 0.045, ((_LLAMA, 5), (_GPT, 3), (_CLAUDE, 2)), streamed=0.6, sessions=True, team="people"),
    Workload("Agent", "review-bot", texts.code, 0.03, ((_CODER, 7), (_CLAUDE, 3)), max_tokens=2048, team="engineering"),
    Workload("Workflow", "ticket-triage", texts.triage, 0.16, ((_TRIAGE, 1),), "shop", temperature=0.0, max_tokens=128, team="support"),
    Workload("Workflow", "invoice-intake", texts.invoice, 0.075, ((_INVOICE, 1),), "office", temperature=0.0, max_tokens=2048, team="finance"),
    Workload("Workflow", "meeting-minutes", texts.meeting, 0.012, ((_CLAUDE, 6), (_MISTRAL, 4)), max_tokens=2048, team="people"),
    Workload("Workflow", "contract-review", texts.dossier, 0.0015, ((_CLAUDE, 1),), max_tokens=4096, team="legal"),
    Workload("Workflow", "knowledge-base-indexer", texts.embedding, 0.035, ((_EMBED, 1),), "nightly", "embeddings", team="platform"),
    Workload("Prompt Studio", "translation-playground", texts.translation, 0.006, ((_MISTRAL, 5), (_GPT, 5)), streamed=1.0, temperature=0.7, team="localization"),
    Workload("Prompt Studio", "tone-of-voice v7", texts.support, 0.005, ((_CLAUDE, 5), (_GPT, 3), (_LLAMA, 2)), streamed=1.0, temperature=0.9, team="support"),
    Workload("Prompt Studio", "invoice prompt draft", texts.invoice, 0.004, ((_INVOICE, 4), (_GPT, 6)), temperature=0.5, team="finance"),
    Workload("Evaluation", "nightly-quality-eval", texts.rag, 0.022, ((_LLAMA, 4), (_MISTRAL, 4), (_GPT, 1), (_CLAUDE, 1)), "nightly", temperature=0.0, team="platform"),
    Workload("Evaluation", "triage-regression", texts.triage, 0.02, ((_TRIAGE, 8), (_LLAMA, 2)), "nightly", temperature=0.0, max_tokens=128, team="support"),
    Workload("Evaluation", "invoice-regression-suite", texts.invoice, 0.012, ((_INVOICE, 1),), "nightly", temperature=0.0, team="finance"),
    Workload("API", "localization-api", texts.translation, 0.055, ((_MISTRAL, 8), (_GPT, 2)), "always", team="localization"),
    Workload("API", "semantic-search", texts.search_query, 0.085, ((_EMBED, 1),), "shop", "embeddings", team="platform"),
    Workload("API", "crm-sync", texts.triage, 0.025, ((_TRIAGE, 9), (_MISTRAL, 1)), "always", temperature=0.0, max_tokens=128, team="sales"),
    Workload("API", "billing-exports", texts.sql, 0.02, ((_CODER, 8), (_GPT, 2)), "always", temperature=0.0, team="finance"),
    Workload("Application", "chat-widget", texts.small_talk, 0.05, ((_LLAMA, 9), (_MISTRAL, 1)), "shop", streamed=0.9, sessions=True, team="support"),
    Workload("Application", "helpdesk-web", texts.support, 0.045, ((_GPT, 6), (_CLAUDE, 4)), "office", streamed=0.9, sessions=True, team="support"),
    Workload("Application", "ide-assistant", texts.code, 0.04, ((_CODER, 8), (_CLAUDE, 2)), streamed=0.95, sessions=True, team="engineering"),
    Workload("Application", "analytics-notebook", texts.sql, 0.0225, ((_CODER, 6), (_GPT, 4)), streamed=0.5, sessions=True, team="analytics"),
)  # fmt: skip

_WEEKEND: Final = {"office": 0.08, "shop": 0.7, "always": 0.9, "nightly": 1.0}
_HOURS: Final[dict[str, tuple[float, ...]]] = {
    # Weight of each hour of the day, UTC.
    "office": (.02, .02, .02, .03, .06, .2, .5, 1, 1.6, 1.9, 1.9, 1.6, 1.2, 1.6, 1.8, 1.7, 1.3, .8, .5, .35, .25, .15, .08, .04),
    "shop": (.25, .18, .14, .13, .15, .25, .45, .8, 1.1, 1.3, 1.4, 1.4, 1.3, 1.3, 1.2, 1.2, 1.3, 1.4, 1.6, 1.8, 1.7, 1.3, .8, .45),
    "always": (.9, .9, .9, .9, .9, .9, 1, 1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1, 1, 1, 1, 1, 1, .9, .9, .9),
    "nightly": (.1, .6, 8, 9, 4, .3, .05, .05, .05, .05, .05, .05, .05, .05, .05, .05, .05, .05, .05, .05, .05, .05, .05, .1),
}  # fmt: skip


def rhythm_weight(rhythm: str, hour: int, weekday: int) -> float:
    """How busy a rhythm is in an hour (0 to 23, UTC) of a weekday (0 = Monday)."""
    return _HOURS[rhythm][hour] * (_WEEKEND[rhythm] if weekday >= 5 else 1.0)

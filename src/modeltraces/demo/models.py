"""The eight models of the demo account: what they are, how fast, and where they run."""

from dataclasses import dataclass
from typing import Final, Literal

from modeltraces.run import ModelKind

Wire = Literal["openai", "anthropic"]


@dataclass(frozen=True, slots=True)
class Rollout:
    """A version that takes over its model's traffic, step by step."""

    version: str
    steps: tuple[tuple[float, float], ...]
    """(days before the end of the history, share of the model's runs from then on), in that order."""

    def share(self, days_before_end: float) -> float:
        reached = 0.0
        for day, share in self.steps:
            if days_before_end <= day:
                reached = share
        return reached


@dataclass(frozen=True, slots=True)
class DemoModel:
    name: str
    kind: ModelKind
    base_model: str
    provider: str
    wire: Wire
    first_token_ms: float
    """Median, without load."""
    token_ms: float
    """Milliseconds an output token, median."""
    failure_rate: float
    rollouts: tuple[Rollout, ...] = ()
    """Of deployments; a later one takes its share before the earlier ones."""
    connections: tuple[tuple[str, float], ...] = ()
    """(name, weight); of external models."""

    def version_at(self, days_before_end: float, draw: float) -> str:
        """The version that serves a run, for a `draw` in [0, 1); '' for an external model."""
        for rollout in reversed(self.rollouts):
            if draw < rollout.share(days_before_end):
                return rollout.version
        return self.rollouts[0].version if self.rollouts else ""


_FROM_THE_START: Final = ((float("inf"), 1.0),)
LLAMA_V2_DAYS: Final = 11.0
"""Days before the end when half of the traffic went to version 2: it ran out of memory until the next step."""

MODELS: Final[dict[str, DemoModel]] = {
    model.name: model
    for model in (
        DemoModel(
            "llama-3.1-8b-instruct", "open_source", "meta-llama/Llama-3.1-8B-Instruct", "vllm", "openai", 95, 11, 0.011,
            rollouts=(
                Rollout("v1", _FROM_THE_START),
                Rollout("v2", ((12.0, 0.1), (LLAMA_V2_DAYS, 0.5), (10.2, 0.1), (9.0, 0.6), (7.5, 1.0))),
            ),
        ),
        DemoModel(
            "mistral-small", "open_source", "mistralai/Mistral-Small-3.2-24B-Instruct-2506", "vllm", "openai", 160, 21, 0.008,
            rollouts=(Rollout("v1", _FROM_THE_START),),
        ),
        DemoModel(
            "qwen2.5-coder", "open_source", "Qwen/Qwen2.5-Coder-32B-Instruct", "vllm", "openai", 190, 25, 0.013,
            rollouts=(Rollout("v1", _FROM_THE_START), Rollout("v2", ((20.0, 0.3), (18.0, 1.0)))),
        ),
        DemoModel(
            "support-triage", "fine_tuned", "meta-llama/Llama-3.1-8B-Instruct", "vllm", "openai", 48, 7, 0.006,
            rollouts=(
                Rollout("v1", _FROM_THE_START),
                Rollout("v2", ((24.0, 0.5), (23.0, 1.0))),
                Rollout("v3", ((6.0, 0.2), (5.0, 1.0))),
            ),
        ),
        DemoModel(
            "invoice-extractor", "fine_tuned", "Qwen/Qwen2.5-7B-Instruct", "tgi", "openai", 120, 9, 0.021,
            rollouts=(Rollout("v1", _FROM_THE_START), Rollout("v2", ((15.0, 1.0),))),
        ),
        DemoModel(
            "gpt-4o", "external", "gpt-4o-2024-11-20", "openai", "openai", 380, 13, 0.015,
            connections=(("azure-eu", 0.65), ("openai-direct", 0.35)),
        ),
        DemoModel(
            "claude-sonnet-5-5", "external", "claude-sonnet-5-5", "anthropic", "anthropic", 620, 16, 0.013,
            connections=(("anthropic-prod", 1.0),),
        ),
        DemoModel(
            "text-embedding-3-small", "external", "text-embedding-3-small", "openai", "openai", 60, 0, 0.004,
            connections=(("openai-direct", 1.0),),
        ),
    )
}  # fmt: skip

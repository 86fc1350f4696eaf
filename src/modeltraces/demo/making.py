"""Makes one run: who asked which model what, what came of it, and how long it took."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

from modeltraces.demo import payloads
from modeltraces.demo.failures import Failure, failure_of_kind, usual_failure
from modeltraces.demo.incidents import Incident
from modeltraces.demo.models import MODELS, DemoModel
from modeltraces.demo.sources import Workload
from modeltraces.demo.texts import Exchange
from modeltraces.run import Run, request_id_of_span

_DAY_US: Final = 86_400_000_000
_SILENT_STREAMS: Final = 0.14
"""Share of streams whose token counts nobody asked for: unknown, not zero."""
_TIGHT_LIMITS: Final = 0.015
"""Share of requests whose limit of output tokens cuts some answers short."""
_ANTHROPIC_REASONS: Final = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_ENVIRONMENTS: Final = {"Prompt Studio": "staging", "Evaluation": "ci"}


@dataclass(slots=True)
class _Conversation:
    session_id: str
    user_id: str
    trace_id: str


@dataclass(slots=True)
class RunMaker:
    """Makes runs of one account, each a function of the random numbers drawn before it."""

    account_id: str
    rng: Random
    end_us: int
    """Roll-outs are dated from here."""
    incidents: Sequence[Incident] = ()
    instrumentation: str = "demo"
    _conversations: dict[str, deque[_Conversation]] = field(default_factory=dict)
    _weights: dict[str, tuple[list[DemoModel], list[float]]] = field(default_factory=dict)

    def make(self, workload: Workload, at_us: int) -> Run:
        """The run of a request that was sent at this instant."""
        rng = self.rng
        model = self._model(workload)
        version = model.version_at((self.end_us - at_us) / _DAY_US, rng.random())
        connection = self._connection(model)
        incidents = [i for i in self.incidents if i.model == model.name and i.touches(at_us, version, connection)]
        exchange = workload.compose(rng)
        if rng.random() < _TIGHT_LIMITS and not exchange.json_output:
            workload = replace(workload, max_tokens=48)
        is_streamed = rng.random() < workload.streamed
        conversation = self._conversation(workload)
        span_id = f"{rng.getrandbits(64):016x}"
        text = payloads.plain_input(exchange)
        run = Run(
            account_id=self.account_id,
            request_id=request_id_of_span(conversation.trace_id, span_id, at_us),
            executed_on_us=at_us,
            model=model.name,
            base_model=model.base_model,
            provider=model.provider if not connection.startswith("azure") else "azure.ai.openai",
            deployment_version=version,
            connection_name=connection,
            operation=workload.operation,
            streaming=is_streamed,
            source_type=workload.source_type,
            source=workload.source,
            input=text,
            input_size=len(text.encode()),
            request=payloads.dump(payloads.request_of(model, workload, exchange, is_streamed)),
            trace_id=conversation.trace_id,
            span_id=span_id,
            parent_span_id=f"{rng.getrandbits(64):016x}" if workload.source_type in ("Agent", "Workflow") else "",
            session_id=conversation.session_id,
            user_id=conversation.user_id,
            instrumentation=self.instrumentation,
            attributes=self._attributes(workload, model, version),
        )
        failure = self._failure(model, connection, incidents)
        if failure is not None:
            self._fail(run, failure, exchange)
        else:
            self._answer(run, model, workload, exchange)
        for incident in incidents:
            if failure is None or failure.kind != "timeout":
                run.response_time_ms = (run.response_time_ms or 0.0) * incident.slowdown * rng.lognormvariate(0, 0.3)
            if run.time_to_first_token_ms is not None:
                run.time_to_first_token_ms = min(
                    run.time_to_first_token_ms * incident.slowdown, run.response_time_ms or 0
                )
        run.response_time_ms = round(run.response_time_ms or 0.0, 3)
        if run.time_to_first_token_ms is not None:
            run.time_to_first_token_ms = round(min(run.time_to_first_token_ms, run.response_time_ms), 3)
        run.received_on_us = at_us + int(run.response_time_ms * 1000) + rng.randrange(200_000, 5_000_000)
        return run

    def _model(self, workload: Workload) -> DemoModel:
        known = self._weights.get(workload.source)
        if known is None:
            known = [MODELS[name] for name, _ in workload.models], [weight for _, weight in workload.models]
            self._weights[workload.source] = known
        models, weights = known
        return models[0] if len(models) == 1 else self.rng.choices(models, weights)[0]

    def _connection(self, model: DemoModel) -> str:
        if len(model.connections) > 1:
            names, weights = zip(*model.connections, strict=True)
            return str(self.rng.choices(names, weights)[0])
        return model.connections[0][0] if model.connections else ""

    def _conversation(self, workload: Workload) -> _Conversation:
        rng = self.rng
        trace_id = f"{rng.getrandbits(128):032x}"
        if not workload.sessions:
            return _Conversation("", "", trace_id)
        recent = self._conversations.setdefault(workload.source, deque(maxlen=16))
        if recent and rng.random() < 0.6:
            known = rng.choice(recent)
            # An agent's steps share a trace; a person's next message begins one.
            return known if workload.source_type == "Agent" else replace(known, trace_id=trace_id)
        made = _Conversation(
            f"s-{rng.getrandbits(40):010x}", f"user-{int(rng.paretovariate(0.6)) % 4000:04d}", trace_id
        )
        recent.append(made)
        return made

    def _attributes(self, workload: Workload, model: DemoModel, version: str) -> dict[str, str]:
        attributes = {
            "service.name": workload.source,
            "deployment.environment.name": _ENVIRONMENTS.get(workload.source_type, "production"),
            "team": workload.team,
        }
        if workload.operation == "chat":
            attributes["gen_ai.request.temperature"] = str(workload.temperature)
            attributes["gen_ai.request.max_tokens"] = str(workload.max_tokens)
        if version:
            attributes["k8s.pod.name"] = f"{model.name}-{version}-{self.rng.randrange(3)}"
        return attributes

    def _failure(self, model: DemoModel, connection: str, incidents: Sequence[Incident]) -> Failure | None:
        rng = self.rng
        for incident in incidents:
            if incident.failure_rate and rng.random() < incident.failure_rate:
                return failure_of_kind(incident.failure_kind, model, connection)
        return usual_failure(rng, model, connection) if rng.random() < model.failure_rate else None

    def _fail(self, run: Run, failure: Failure, exchange: Exchange) -> None:
        rng = self.rng
        run.status = "failed"
        run.error_type, run.error_code = failure.type, failure.code
        run.error_message = failure.message.replace("{model}", run.model)
        spread = 0.002 if failure.kind == "timeout" else 0.4
        run.response_time_ms = failure.median_ms * rng.lognormvariate(0, spread)
        if failure.body is not None:
            run.response = payloads.dump(failure.body).replace("{model}", run.model)
        elif run.streaming and exchange.output and rng.random() < 0.5:
            # The stream broke off: what had come is kept.
            run.output = exchange.output[: rng.randrange(1, len(exchange.output) + 1)]
            run.output_size = len(run.output.encode())
            run.time_to_first_token_ms = min(600 * rng.lognormvariate(0, 0.4), run.response_time_ms)
            run.finish_reasons = ["error"]

    def _answer(self, run: Run, model: DemoModel, workload: Workload, exchange: Exchange) -> None:
        rng = self.rng
        input_tokens, output_tokens = _tokens(run.input, rng), _tokens(exchange.output, rng)
        is_cut = output_tokens > workload.max_tokens
        if is_cut:
            exchange.output = exchange.output[: len(exchange.output) * workload.max_tokens // output_tokens]
            output_tokens = workload.max_tokens
        run.output = payloads.plain_output(exchange, workload.operation)
        run.output_size = len(run.output.encode())
        if exchange.tool_calls:
            output_tokens = _tokens(run.output, rng)
        first_token_ms = model.first_token_ms * rng.lognormvariate(0, 0.35) + input_tokens * 0.03
        if workload.operation == "embeddings":
            run.input_tokens, run.response_time_ms = input_tokens, first_token_ms
            run.response = payloads.dump(_response(run, model, workload, exchange, ""))
            return
        if model.wire == "anthropic" and rng.random() < 0.25:
            run.reasoning_tokens = rng.randrange(80, 1500)
            output_tokens += run.reasoning_tokens
        if model.kind == "external" and input_tokens > 1024:
            run.cached_input_tokens = input_tokens // 128 * 128 if rng.random() < 0.55 else 0
        finish_reason = "length" if is_cut else "tool_calls" if exchange.tool_calls else "stop"
        if model.wire == "anthropic":
            finish_reason = _ANTHROPIC_REASONS[finish_reason]
        run.finish_reasons = [finish_reason]
        run.response_time_ms = first_token_ms + output_tokens * model.token_ms * rng.lognormvariate(0, 0.18)
        if run.streaming:
            run.time_to_first_token_ms = first_token_ms
        if not (run.streaming and model.wire == "openai" and rng.random() < _SILENT_STREAMS):
            run.input_tokens, run.output_tokens = input_tokens, output_tokens
        else:
            run.cached_input_tokens = None
        prefix = "msg_01" if model.wire == "anthropic" else "chatcmpl-"
        run.response_id = f"{prefix}{rng.getrandbits(96):024x}"
        run.response = payloads.dump(_response(run, model, workload, exchange, finish_reason))


def _response(run: Run, model: DemoModel, workload: Workload, exchange: Exchange, finish_reason: str) -> dict[str, Any]:
    return payloads.response_of(
        model,
        workload,
        exchange,
        response_id=run.response_id,
        created=run.executed_on_us // 1_000_000,
        finish_reason=finish_reason,
        input_tokens=run.input_tokens,
        output_tokens=run.output_tokens,
        cached_input_tokens=run.cached_input_tokens,
        reasoning_tokens=run.reasoning_tokens,
    )


def _tokens(text: str, rng: Random) -> int:
    """About what a tokenizer would count: four to five characters of Latin script, one or two of others."""
    characters_a_token = 4.3 if text.isascii() else 1.6
    return max(1, round(len(text) / characters_a_token * rng.uniform(0.92, 1.08)))

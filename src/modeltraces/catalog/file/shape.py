"""What a catalog file may say. What it does not say of something that is there stays as it is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from modeltraces.catalog import connections
from modeltraces.catalog.addresses import clean_address
from modeltraces.catalog.amounts import parse_amount
from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.hosting import deployments, ledger
from modeltraces.catalog.hosting.intervals import Event, EventType
from modeltraces.catalog.matching.rules import FACTS, OUTCOMES
from modeltraces.catalog.matching.written import clean_outcome, clean_patterns
from modeltraces.catalog.models import LONGEST_NAME
from modeltraces.catalog.routing import Routing, clean_routing
from modeltraces.catalog.text import clean_name, is_storable
from modeltraces.run import ModelKind

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _telling(check: Callable[[Any, ValidationInfo], Any]) -> BeforeValidator:
    """The check, with the catalog's refusals as the library wants them."""

    def checked(value: Any, info: ValidationInfo) -> Any:
        try:
            return check(value, info)
        except Invalid as error:
            raise ValueError(str(error)) from None

    return BeforeValidator(checked)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{what} must be text.")
    return value


def _recorded(value: Any, info: ValidationInfo) -> str:
    # Runs bring in names that nobody would type, and the file must hold those as they are.
    if not is_storable(text := _text(value, str(info.field_name)), LONGEST_NAME) or not text.strip():
        raise Invalid(f"{info.field_name} must have 1 to {LONGEST_NAME} characters.")
    return text


def _recorded_or_none(value: Any, info: ValidationInfo) -> str:
    return _recorded(value, info) if value != "" else ""


def _named(value: Any, info: ValidationInfo) -> str:
    return clean_name(_text(value, str(info.field_name)), str(info.field_name))


def _named_or_none(value: Any, info: ValidationInfo) -> str:
    return _named(value, info) if value != "" else ""


def _amount(value: Any, info: ValidationInfo) -> Decimal:
    return parse_amount(value, str(info.field_name))


def _amount_or_none(value: Any, info: ValidationInfo) -> Decimal | None:
    return None if value == "" else _amount(value, info)


def _address(value: Any, info: ValidationInfo) -> str:
    allowed = bool((info.context or {}).get("allow_link_local"))
    return clean_address(_text(value, str(info.field_name)), str(info.field_name), allow_link_local=allowed)


def _address_or_none(value: Any, info: ValidationInfo) -> str:
    return _address(value, info) if value != "" else ""


def _instant(value: Any, info: ValidationInfo) -> int:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, datetime):
        raise Invalid(f"{info.field_name} must be a time such as 2026-11-01T10:00:00Z.")
    if value.tzinfo is None:
        raise Invalid(f"{info.field_name} has no offset: end it with Z for UTC, or with one such as +02:00.")
    return (value - _EPOCH) // timedelta(microseconds=1)


def _choice(among: tuple[str, ...]) -> BeforeValidator:
    def chosen(value: Any, info: ValidationInfo) -> Any:
        if value not in among:
            raise Invalid(f"{info.field_name} must be one of {', '.join(filter(None, among))}.")
        return value

    return _telling(chosen)


def _reaches(value: Any, _: ValidationInfo) -> list[str]:
    return connections.clean_models(value)


def _routing_or_none(value: Any, _: ValidationInfo) -> Routing | None:
    return clean_routing(None if value == "" else value)


def _patterns(value: Any, info: ValidationInfo) -> list[str]:
    return clean_patterns(value, str(info.field_name))


def _outcome(value: Any, info: ValidationInfo) -> str:
    return clean_outcome(value, str(info.field_name))


Recorded = Annotated[str, _telling(_recorded)]
RecordedOrNone = Annotated[str, _telling(_recorded_or_none)]
Named = Annotated[str, _telling(_named)]
NamedOrNone = Annotated[str, _telling(_named_or_none)]
Amount = Annotated[Decimal, _telling(_amount)]
AmountOrNone = Annotated[Decimal | None, _telling(_amount_or_none)]
"""`""`: none."""
Patterns = Annotated[list[str], _telling(_patterns)]
"""Or a single one."""
Given = Annotated[str, _telling(_outcome)]
Instant = Annotated[int, _telling(_instant)]
"""Microseconds since the epoch."""


class Part(BaseModel):
    """A table of the file; `says` tells what stands in it from what is only the default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def says(self, name: str) -> bool:
        return name in self.model_fields_set


class HardwarePart(Part):
    name: Named
    credits_per_replica_hour: Amount


class EventPart(Part):
    type: Annotated[EventType, _choice(ledger.EVENT_TYPES)]
    on: Instant
    replicas: int | None = None
    credits_per_replica_hour: AmountOrNone = None
    """The price that applied, where it is not what would apply by itself."""
    hardware: NamedOrNone = ""

    @model_validator(mode="after")
    def _has_replicas(self) -> "EventPart":
        try:
            ledger.replica_count(self.type, self.replicas)
        except Invalid as error:
            raise ValueError(str(error)) from None
        if self.type == "undeploy" and (self.says("credits_per_replica_hour") or self.says("hardware")):
            raise ValueError("an undeploy has neither a price nor hardware: nothing is up any more.")
        return self

    @property
    def event(self) -> Event:
        """As it stands in a ledger, but for price and hardware where it does not say them."""
        replicas = ledger.replica_count(self.type, self.replicas)
        return Event(self.type, self.on, replicas, self.credits_per_replica_hour, self.hardware)


class _WithCredential(Part):
    credential_env: str = ""
    """The name of an environment variable."""
    credential_file: str = ""

    @model_validator(mode="after")
    def _has_one_source(self) -> "_WithCredential":
        if self.credential_env and self.credential_file:
            raise ValueError("the credential comes from credential_env or from credential_file, not from both.")
        if "\0" in self.credential_env + self.credential_file or "=" in self.credential_env:
            raise ValueError("credential_env must be a variable's name, and credential_file a file's.")
        return self

    @property
    def names_credential(self) -> bool:
        return bool(self.credential_env or self.credential_file)


class DeploymentPart(_WithCredential):
    version: Recorded
    merged_from: RecordedOrNone = ""
    """The merged model whose deployment it is: it may have had a version of the same name."""
    hardware: NamedOrNone = ""
    credits_per_replica_hour: AmountOrNone = None
    endpoint: Annotated[str, _telling(_address_or_none)] = ""
    protocol: Annotated[str, _choice(("", *deployments.PROTOCOLS))] = ""
    upstream_model: NamedOrNone = ""
    events: list[EventPart] = Field(default_factory=list)


class ModelPart(Part):
    name: Recorded
    kind: Annotated[ModelKind | None, _choice(("open_source", "fine_tuned", "external"))] = None
    kind_is_inferred: bool = False
    """True: the kind is only what the runs suggested, and is left to them."""
    base_model: RecordedOrNone = ""
    provider: RecordedOrNone = ""
    archived: bool = False
    merged: list[Recorded] = Field(default_factory=list)
    routing: Annotated[Routing | None, _telling(_routing_or_none)] = None
    """How the gateway spreads its calls; `""`: not at all."""
    deployments: list[DeploymentPart] = Field(default_factory=list)


class ConnectionPart(_WithCredential):
    name: Recorded
    provider: RecordedOrNone = ""
    protocol: Annotated[Literal["", "openai", "anthropic", "azure_openai"], _choice(connections.PROTOCOLS)] = ""
    base_url: Annotated[str, _telling(_address)] = ""
    models: Annotated[list[str], _telling(_reaches)] = Field(default_factory=list)
    archived: bool = False


class ConditionsPart(Part):
    """What of `FACTS` a rule asks for."""

    model: Patterns = Field(default_factory=list)
    base_model: Patterns = Field(default_factory=list)
    provider: Patterns = Field(default_factory=list)
    server_address: Patterns = Field(default_factory=list)
    deployment_version: Patterns = Field(default_factory=list)
    connection_name: Patterns = Field(default_factory=list)
    key: Patterns = Field(default_factory=list)


class OutcomesPart(Part):
    """What of `OUTCOMES` a rule gives."""

    model: Given = ""
    deployment_version: Given = ""
    connection_name: Given = ""


class RulePart(Part):
    """A matching rule. It says all of itself: a condition that it does not have is none."""

    name: Named
    conditions: ConditionsPart
    outcomes: OutcomesPart
    enabled: bool = True

    @model_validator(mode="after")
    def _says_something(self) -> "RulePart":
        if not self.conditions.model_fields_set:
            raise ValueError(f"conditions must name at least one of {', '.join(FACTS)}.")
        if not self.outcomes.model_fields_set:
            raise ValueError(f"outcomes must name at least one of {', '.join(OUTCOMES)}.")
        return self

    @property
    def values(self) -> dict[str, Any]:
        """As a rule is stored, but for its name and place."""
        return {
            "conditions": self.conditions.model_dump(exclude_unset=True),
            "outcomes": self.outcomes.model_dump(exclude_unset=True),
            "enabled": self.enabled,
        }


class CatalogPart(Part):
    """The whole file."""

    hardware: list[HardwarePart] = Field(default_factory=list)
    connections: list[ConnectionPart] = Field(default_factory=list)
    models: list[ModelPart] = Field(default_factory=list)
    rules: list[RulePart] = Field(default_factory=list)

    @property
    def names_credential(self) -> bool:
        return any(part.names_credential for part in self.connections) or any(
            part.names_credential for model in self.models for part in model.deployments
        )

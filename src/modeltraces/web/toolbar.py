"""The head of the page: model, period, live view, export."""

from collections.abc import Sequence
from datetime import UTC, timedelta, tzinfo
from typing import Final

from modeltraces.catalog.models import ModelEntry
from modeltraces.run import ModelKind
from modeltraces.web.address import EXPORT, PERIODS, STREAM, Address, with_query
from modeltraces.web.contexts import ModelGroup, Option, Toolbar
from modeltraces.web.formatting import at, instant, zone_label

KIND_LABELS: Final[dict[ModelKind, str]] = {
    "open_source": "Open source",
    "fine_tuned": "Fine-tuned",
    "external": "External",
}
_FORMATS: Final = (
    ("csv", "CSV", "for spreadsheets"),
    ("jsonl", "JSON Lines", "whole payloads"),
    ("parquet", "Parquet", "for analysis"),
)
_SHORT: Final = {"24h": "24h", "7d": "7d", "30d": "30d", "90d": "90d", "all": "Since deployment"}


_MOST_LISTED: Final = 200
"""Models in the menu of a page; of more, each page would be half a megabyte of names that nobody reads."""


def toolbar(
    address: Address,
    entries: Sequence[ModelEntry],
    zone: tzinfo,
    *,
    now_us: int,
    from_us: int | None,
    to_us: int | None,
    may_export: bool,
    lists_all: bool = False,
) -> Toolbar:
    """`from_us`, `to_us`: the shown period, for the custom period's form. `lists_all`: every model, however many there are."""
    chosen = set(address.models)
    groups = []
    alone = address.of_each_model()
    known = [entry for entry in entries if not entry.archived]

    def is_current(entry: ModelEntry) -> bool:
        return bool(chosen) and chosen <= {entry.name, *entry.recorded_names, *entry.merged}

    listed = known if lists_all or len(known) <= _MOST_LISTED else [entry for entry in known if is_current(entry)]
    for kind, label in KIND_LABELS.items():
        options = tuple(
            Option(
                label=entry.name,
                href=alone(entry.name),
                current=is_current(entry),
                hint=entry.base_model if entry.base_model != entry.name else entry.provider,
            )
            for entry in listed
            if entry.kind == kind
        )
        if options:
            groups.append(ModelGroup(label, options))
    named = [option.label for group in groups for option in group.options if option.current]
    if not chosen:
        model_label = "All models"
    elif named:
        model_label = named[0]
    else:
        model_label = address.models[0] if len(address.models) == 1 else f"{len(address.models)} models"
    custom = not address.period
    quick = _quick(address, zone, now_us)
    export_pairs = [*address.selection(), *address.ordering()]
    zone_name = getattr(zone, "key", "UTC")
    return Toolbar(
        model_label=model_label,
        all_models=Option("All models", address.changed(models=()).url, not chosen),
        groups=tuple(groups),
        unlisted_models=len(known) - len(listed),
        periods=tuple(
            Option(
                _SHORT[name],
                address.changed(period=name, from_="", to="").url,
                address.period == name,
                hint="Since deployment" if name == "all" else f"The last {words}",
            )
            for name, words in PERIODS.items()
        ),
        custom=custom,
        custom_label=_custom_label(from_us, to_us, zone, now_us),
        quick=quick,
        since=next((option for option in quick if option.label.endswith(":00")), quick[1]),
        from_local=_local(from_us if from_us is not None else now_us - 7 * 86_400_000_000, zone),
        to_local=_local(to_us if to_us is not None else now_us, zone),
        zone_label=zone_label(zone, now_us),
        exports=tuple(
            Option(
                label,
                with_query(EXPORT, [("format", name), *export_pairs, *([("tz", zone_name)] if name == "csv" else [])]),
                hint=hint,
            )
            for name, label, hint in _FORMATS
        ),
        may_export=may_export,
        stream_url=with_query(STREAM, address.selection()),
        hidden=tuple(pair for pair in address.changed().pairs() if pair[0] not in ("period", "from", "to")),
    )


def _quick(address: Address, zone: tzinfo, now_us: int) -> tuple[Option, ...]:
    """What a complaint says: "today", "since noon". Each begins at a fixed instant, so that its link stays true."""
    now = at(now_us, zone)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    # The day's quarter that has begun, and the one before.
    hours = [hour for hour in (6, 12, 18) if hour <= now.hour][-2:]
    starts = [("Last hour", now - timedelta(hours=1)), ("Today", midnight)]
    starts += [(f"Since {hour:02d}:00", midnight.replace(hour=hour)) for hour in reversed(hours)]
    starts.append(("Since yesterday", midnight - timedelta(days=1)))
    made = []
    for label, start in starts:
        from_ = start.replace(microsecond=0).astimezone(UTC).isoformat().replace("+00:00", "Z")
        made.append(Option(label, address.changed(period="", from_=from_, to="").url, address.from_ == from_))
    return tuple(made)


def _local(instant_us: int, zone: tzinfo) -> str:
    """For a `datetime-local` input; to the second."""
    moment = at(instant_us, zone)
    return (moment - timedelta(microseconds=moment.microsecond)).strftime("%Y-%m-%dT%H:%M:%S")


def _custom_label(from_us: int | None, to_us: int | None, zone: tzinfo, now_us: int) -> str:
    start = "the first run" if from_us is None else instant(from_us, zone, now_us=now_us)
    end = "now" if to_us is None else instant(to_us, zone, now_us=now_us)
    return f"{start} \N{EN DASH} {end}"

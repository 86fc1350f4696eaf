"""The page's numbers of an account with thousands of runs a second. `python -m bench.busy [--rate N] [--hours N]`.

Hours of runs without texts, made by the engine in a store of its own, on a clock of its own: before an hour ends, after
it did and before it is summed up, while it is, afterwards, and when late runs came to it. Milliseconds inside this
process, without a server around it.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from bench.results import Section, machine, quantile, show
from modeltraces.catalog import accounts
from modeltraces.parts import Parts, build
from modeltraces.query.filters import FilterContext
from modeltraces.query.metrics import metrics
from modeltraces.query.selection import Selection
from modeltraces.query.series import series
from modeltraces.settings import load_settings
from modeltraces.store.coverage import US_PER_HOUR
from modeltraces.store.engine import Store
from modeltraces.store.summaries import SETTLED_SECONDS, refresh

_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_TRIES: Final = 5
_PIECE: Final = 150_000
"""Runs made by one insert."""
_NONE: Final = FilterContext()
_INSERT: Final = """
INSERT INTO runs (account_id, executed_on, request_id, received_on, model, deployment_version, status, response_time_ms,
    source_type, source, input_tokens, output_tokens)
WITH cityHash64(number, {start:Int64}) AS h
SELECT {account_id:String}, fromUnixTimestamp64Micro({start:Int64} + toInt64(number * {gap:Float64}) AS at, 'UTC'),
    concat(hex(h), hex(number)), fromUnixTimestamp64Micro(if({received:Int64} > 0, {received:Int64}, at + 2000000), 'UTC'),
    concat('model-', toString(toUInt32(sqrt(h % 400)))), 'v1', h % 100 < 5 ? 'failed' : 'success',
    exp((h % 1000 + intDiv(h, 1009) % 1000 + intDiv(h, 100003) % 1000) / 300), 'API',
    concat('team-', toString(intDiv(h, 31) % 40)), h % 700, h % 300
FROM numbers({many:UInt64})
"""


class Busy:
    def __init__(self, parts: Parts, rate: float, hours: int) -> None:
        self.parts = parts
        self.store: Store = parts.store
        self.rate = rate
        self.account_id = accounts.ensure_default(parts.catalog).id
        # The hour that ends in the course of this; what is long past would go with its age.
        self.end_us = time.time_ns() // 1000 // US_PER_HOUR * US_PER_HOUR
        self.clock = self.end_us - hours * US_PER_HOUR
        self.section = Section(
            f"{rate:,.0f} runs/s for {hours} hours: p50 of {_TRIES}, ms",
            ["when", "runs", *(name for name, _ in self._questions())],
        )

    def until(self, clock: int) -> None:
        """What comes until then."""
        gap = _SECOND / self.rate
        while self.clock < clock:
            many = min(_PIECE, round((clock - self.clock) / gap))
            self._insert(self.clock, gap, many, 0)
            self.clock += max(1, round(many * gap))

    def late(self, start: int, many: int) -> None:
        self._insert(start, 1000.0, many, self.clock)

    def _insert(self, start: int, gap: float, many: int, received: int) -> None:
        params = {"account_id": self.account_id, "start": start, "gap": gap, "many": many, "received": received}
        self.store.command(_INSERT, params)

    def sum_up(self) -> float:
        """Seconds that it took."""
        began = time.monotonic()
        while refresh(self.store, self.clock - int(SETTLED_SECONDS * 1e6), most_hours=1000):
            pass
        return time.monotonic() - began

    def megabytes(self, table: str) -> float:
        ((size,),) = self.store.query(
            "SELECT sum(bytes_on_disk) / 1e6 FROM system.parts WHERE active AND database = currentDatabase() AND table = {t:String}",
            {"t": table},
        )
        return float(size)

    def _questions(self) -> Sequence[tuple[str, Callable[[], Any]]]:
        def ask(what: Callable[..., Any], hours: int) -> Callable[[], Any]:
            return lambda: what(
                self.store,
                Selection(
                    self.account_id,
                    from_us=self.clock - hours * US_PER_HOUR - 7 * _SECOND,
                    to_us=self.clock,
                    now_us=self.clock,
                ),
                _NONE,
            )

        return [
            ("metrics 1 h", ask(metrics, 1)),
            ("metrics 24 h", ask(metrics, 24)),
            ("series 1 h", ask(series, 1)),
            ("series 24 h", ask(series, 24)),
        ]

    def look(self, when: str, tries: int = _TRIES) -> None:
        row: list[Any] = [when, self.store.rows_about("runs")]
        for _, question in self._questions():
            took = []
            for _ in range(tries):
                began = time.monotonic()
                question()
                took.append((time.monotonic() - began) * 1000)
            row.append(round(quantile(took, 0.5)))
        self.section.add(*row)


def busy(data_dir: Path, *, rate: float, hours: int) -> Section:
    parts = build(load_settings(data_dir=data_dir))
    # What it does is measured here, by another clock.
    parts.summarizer.stop()
    try:
        it = Busy(parts, rate, hours)
        it.until(it.end_us - 10 * _MINUTE)
        it.sum_up()
        it.until(it.end_us - 5 * _MINUTE)
        it.sum_up()
        it.look("before the hour's end")
        # The last time that the hour is not over for what sums up, and half a minute later.
        it.until(it.end_us + 2 * _MINUTE - _SECOND)
        it.sum_up()
        it.until(it.clock + 30 * _SECOND)
        it.look("after it")
        thread = threading.Thread(target=it.sum_up)
        began = time.monotonic()
        thread.start()
        while thread.is_alive():
            it.look("while it is summed up", 1)
        took = [time.monotonic() - began]
        it.look("summed up")
        it.late(it.end_us - 20 * _MINUTE, 100)
        it.until(it.clock + 30 * _SECOND)
        it.look("late runs came to it")
        it.until(it.clock + 3 * _MINUTE)
        took.append(it.sum_up())
        it.look("summed up again")
        it.section.note = (
            f"Summed up in {took[0]:.1f} s, and again in {took[1]:.1f} s. On disk: runs {it.megabytes('runs'):,.0f} MB, "
            f"sums of minutes {it.megabytes('minute_sums'):,.0f} MB, of hours {it.megabytes('summaries'):,.1f} MB."
        )
        return it.section
    finally:
        parts.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.busy", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=float, default=5_000.0, help="runs a second (default 5,000)")
    parser.add_argument("--hours", type=int, default=3, help="before the one that is not over (default 3)")
    parser.add_argument("--data-dir", type=Path, help="where the store is made (default: a directory that is removed)")
    options = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    with tempfile.TemporaryDirectory(prefix="modeltraces-busy-") as directory:
        show([busy(options.data_dir or Path(directory), rate=options.rate, hours=options.hours)])


if __name__ == "__main__":
    main()

"""Directories that are filled to be measured: all that is in them is counted."""

import subprocess
import sys
from pathlib import Path

_FILLED_SLOWLY = """
import sys, time
from pathlib import Path
from bench import generate
from modeltraces.catalog import accounts
from modeltraces.parts import build
from modeltraces.query import covered
from modeltraces.query.filters import FilterContext
from modeltraces.query.metrics import metrics
from modeltraces.query.selection import parse_selection
from modeltraces.settings import load_settings
from modeltraces.store.summaries import refresh

data_dir = Path(sys.argv[1])
put = generate.insert_runs

def put_and_sum_up(store, batch):
    # As the server's parts do by themselves while a long filling goes on.
    put(store, batch)
    as_of_us = time.time_ns() // 1000
    while refresh(store, as_of_us):
        as_of_us += 1

generate.insert_runs = put_and_sum_up
generate.generate.__kwdefaults__["batch_runs"] = 400
generate.fill(data_dir, 1200, 30)

# Of so few runs sums are not asked otherwise.
covered.FEWEST_RUNS = 0
parts = build(load_settings(data_dir=data_dir))
account_id = accounts.ensure_default(parts.catalog).id
asked = parse_selection([("period", "all")], account_id=account_id, now_us=time.time_ns() // 1000)
print(metrics(parts.store, asked, FilterContext()).total_requests)
parts.close()
"""


def test_all_runs_are_counted_though_their_hours_were_summed_up_while_they_came(tmp_path: Path) -> None:
    # In a process of its own: the engine gives a process one data directory for life.
    program = [sys.executable, "-c", _FILLED_SLOWLY, str(tmp_path)]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "1200"

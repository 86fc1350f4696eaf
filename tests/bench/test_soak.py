"""The soak, for as long as a breath: it sends, looks, and counts what it sent."""

from pathlib import Path

from bench.soak import BATCH, soak


def test_all_that_is_sent_is_counted_and_shown_row_by_row(tmp_path: Path) -> None:
    [table] = soak(tmp_path / "data", minutes=0.04, rate=4 * BATCH, rows=2)
    assert [row[0] for row in table.rows] == [0.02, 0.04]
    runs, memory = table.rows[-1][1], table.rows[-1][3]
    assert runs > 0
    assert runs % BATCH == 0
    assert memory > 50
    assert len(table.columns) == len(table.rows[0])

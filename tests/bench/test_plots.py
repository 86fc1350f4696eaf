"""Pictures of measurements, read back as the XML that they are."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.plots import plots
from bench.results import Section, as_json
from bench.svg import COLOURS, TEXT, Chart, bars

SVG = "{http://www.w3.org/2000/svg}"
OURS, PHOENIX, MLFLOW = "modeltraces 0.1.0", "Phoenix 20.26.1", "MLflow 3.17.2"


def peers() -> dict[str, Any]:
    calls = Section("Answers over 20,000 runs, p50 ms", ("call", OURS, PHOENIX, MLFLOW, "ours ÷ fastest peer"))
    calls.add("newest 50", 12.0, 310.0, 9.0, 1.3)
    calls.add("one run & <all>", 5.0, 20.0, 6.0, 0.8)
    rates = Section("Runs a second, durable and queryable, of 20,000 runs", ("sent over", OURS, PHOENIX, MLFLOW, "ours ÷ fastest peer"))  # fmt: skip
    rates.add("1 connection", 4000.0, 200.0, 300.0, 13.0)
    return as_json([calls, rates])


def pages(runs: int, ms: float) -> dict[str, Any]:
    table = Section(f"Answers over {runs:,} runs, one at a time", ("call", "p50 ms", "p95 ms", "KB sent"))
    table.add("metrics, all models", ms, ms * 2, 1.0)
    table.add("page 200 of 50 runs", ms, ms * 2, 1.0)
    return as_json([table])


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_every_call_and_system_is_named_in_the_picture_with_its_figure() -> None:
    written = texts(plots([peers()])["peers.svg"])
    assert {"newest 50", "one run & <all>", OURS, PHOENIX, MLFLOW, "310", "9.0", "6.0"} <= set(written)


def test_the_slower_call_has_the_longer_bar() -> None:
    root = ElementTree.fromstring(plots([peers()])["peers.svg"])
    bars_of_newest = [
        float(rect.get("width", "0")) for rect in root.iter(f"{SVG}rect") if rect.get("height") == "13.0"
    ][:3]
    assert bars_of_newest[2] < bars_of_newest[0] < bars_of_newest[1]


def test_processor_time_has_a_picture_of_its_own() -> None:
    table = Section("Answers over 5,000 runs, processor ms of one call", ("call", OURS, PHOENIX, "ours ÷ least peer"))
    table.add("newest 50", 42.0, 275.0, 0.15)
    assert {"42", "275", "5,000 runs of seven days: processor ms of one call, logarithmic; shorter is better"} <= set(
        texts(plots([as_json([table])])["peers-processor.svg"])
    )


def test_a_picture_says_in_words_what_it_shows() -> None:
    root = ElementTree.fromstring(plots([peers()])["peers-ingest.svg"])
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "The same spans taken in"
    assert "1 connection: modeltraces 0.1.0 4,000" in (root.findtext(f"{SVG}desc") or "")


def test_calls_over_more_runs_stand_on_one_line_in_the_order_of_their_sizes() -> None:
    files = [pages(10_000_000, 400.0), pages(100_000, 20.0), pages(1_000_000, 90.0)]
    picture = plots(files)["calls.svg"]
    assert texts(picture)[2:6] == ["100 k runs", "1 M runs", "10 M runs", "10 M"]
    rings = [ring for ring in ElementTree.fromstring(picture).iter(f"{SVG}circle") if float(ring.get("cy", "0")) > 80]
    places = [(float(ring.get("r", "0")), float(ring.get("cx", "0"))) for ring in rings]
    assert all(one < other for one, other in pairwise(places))
    assert len(places) == 3, "a deep page is another call at each size"


def test_ways_in_are_rows_and_batches_are_dots() -> None:
    table = Section(
        "Ingest: durable and queryable runs a second", ("way in", "connections", "runs a request", "runs/s")
    )
    for batch, rate in ((1, 26.0), (512, 5600.0)):
        table.add("otlp protobuf", 1, batch, rate)
    written = texts(plots([as_json([table])])["ingest.svg"])
    assert {"OTLP protobuf, 1 connection", "1 run a request", "512 runs a request", "5,600"} <= set(written)


def test_where_there_is_no_figure_the_picture_says_why() -> None:
    chart = Chart("Calls", "ms", (OURS, PHOENIX), [("newest 50", [12.0, 30.0]), ("text in input", [12.0, "over 60 s"])])
    assert "over 60 s" in texts(bars(chart))


@pytest.mark.parametrize("page", ["#ffffff", "#0d1117"])
def test_words_and_bars_stand_out_from_a_light_and_a_dark_page(page: str) -> None:
    assert contrast(TEXT, page) >= 4.0
    assert min(contrast(colour, page) for colour in COLOURS) >= 3.0


def test_the_pictures_of_the_documentation_are_named_there_with_their_words() -> None:
    docs = Path(__file__).parents[2] / "docs"
    told = (docs / "performance.md").read_text(encoding="utf-8")
    for picture in (docs / "plots").glob("*.svg"):
        ElementTree.parse(picture)
        assert f"](plots/{picture.name})" in told
        assert f"![](plots/{picture.name})" not in told


def test_figures_survive_the_way_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "figures.json").write_text(json.dumps(peers()))
    assert plots([json.loads((tmp_path / "figures.json").read_text())]) == plots([peers()])

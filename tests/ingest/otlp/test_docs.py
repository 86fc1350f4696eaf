"""The page about OpenTelemetry tells every name that is read."""

from pathlib import Path

import pytest

from modeltraces.ingest.otlp.contents import NAMES
from modeltraces.ingest.otlp.dialects.table import INDEXED_PREFIXES, LOOKUP
from modeltraces.ingest.otlp.spans import DROPPED

PAGE = (Path(__file__).parents[3] / "docs" / "opentelemetry.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*LOOKUP, *INDEXED_PREFIXES, *sorted(NAMES), DROPPED])
def test_every_name_that_is_read_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE

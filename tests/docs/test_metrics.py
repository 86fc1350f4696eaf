"""`docs/metrics.md` is what `/metrics` says: `python -m tests.docs.test_metrics` writes it."""

import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, generate_latest

import modeltraces.app  # noqa: F401 - with all that counts
from tests.docs.documents import documents, name_of

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
HEAD = """# Metrics for Prometheus

`GET /metrics` wants a key of scope `admin`:

```yaml
scrape_configs:
  - job_name: modeltraces
    authorization: {credentials_file: /etc/prometheus/modeltraces.key}
    static_configs: [{targets: ["127.0.0.1:8321"]}]
```

Each process counts what it did itself, since its start. Beside these it tells what every Python program tells of itself
(`process_…`, `python_…`). This page is made from what a server says.

| metric | kind | what it is |
| --- | --- | --- |
"""


def told() -> dict[str, tuple[str, str]]:
    """Name, as it is in the output → kind, what it is."""
    text = generate_latest(REGISTRY).decode()
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE))
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    return {
        name: (kind, helps[name])
        for name, kind in sorted(kinds.items())
        if name.startswith("modeltraces_") and not name.endswith("_created")
    }


def page() -> str:
    return HEAD + "".join(f"| `{name}` | {kind} | {text} |\n" for name, (kind, text) in told().items())


def test_every_metric_is_documented_as_it_is() -> None:
    assert len(told()) > 10
    assert PAGE.read_text() == page(), "run python -m tests.docs.test_metrics"


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_every_metric_that_a_document_names_is_in_the_output(document: Path) -> None:
    named = set(re.findall(r"\bmodeltraces_[a-z_]+[a-z]\b", document.read_text()))
    assert named - set(told()) - {"modeltraces_retention"} == set()


if __name__ == "__main__":
    PAGE.write_text(page())

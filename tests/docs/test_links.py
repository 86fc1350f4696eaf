"""Links between documents lead somewhere."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.documents import ROOT, anchors, documents, links, name_of


def _broken(document: Path, target: str) -> str | None:
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return None
    path = (document.parent / unquote(parts.path)).resolve() if parts.path else document
    if not path.is_relative_to(ROOT):
        return f"{target} leads out of the repository"
    if not path.exists():
        return f"{target} does not exist"
    if parts.fragment and path.suffix == ".md" and parts.fragment not in anchors(path):
        return f"{target} names no heading of {name_of(path)}"
    return None


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_every_relative_link_leads_to_a_file_or_heading(document: Path) -> None:
    broken = [why for target in links(document) if (why := _broken(document, target))]
    assert not broken


def test_a_broken_link_is_seen() -> None:
    readme = ROOT / "README.md"
    assert _broken(readme, "docs/no-such-page.md") == "docs/no-such-page.md does not exist"
    assert _broken(readme, "CONTRIBUTING.md#no-such-heading")
    assert _broken(readme, "../elsewhere")
    assert _broken(readme, "CONTRIBUTING.md#dependencies") is None

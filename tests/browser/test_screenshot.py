"""The README's picture, taken from the demo as anybody sees it.

`UPDATE_SCREENSHOT=1` puts it into docs/; without, it is only taken and measured, so that a test run changes no file.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SCREENSHOTS, TRACES, Visitors
from tests.support import server as support
from tests.support.server import Server

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "screenshot.png"
MOST_BYTES = 300_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "data", verb="demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(support, "_START_SECONDS", 300.0)
        try:
            yield running.start()
        finally:
            running.close()


def test_the_picture_of_the_page_is_small_and_shows_what_there_is(visitors: Visitors, demo: Server) -> None:
    link = re.findall(r"(/sign-in/link/\S+)", demo.log)[-1]
    visit = visitors.visit(None, height=860)
    page = visit.page
    # The demo runs on a port of its own.
    page.goto(demo.url + link)
    visit.elsewhere.clear()
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**" + TRACES)
    expect(page.locator(".chart-area canvas")).to_be_visible()
    expect(page.locator("tr[data-run]")).to_have_count(50)
    page.wait_for_timeout(400)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    taken = SCREENSHOTS / "model-traces.png"
    page.screenshot(path=taken)
    visit.elsewhere.clear()
    assert 20_000 < taken.stat().st_size <= MOST_BYTES
    if os.environ.get("UPDATE_SCREENSHOT"):
        shutil.copyfile(taken, PICTURE)
    assert PICTURE.is_file(), "take it with UPDATE_SCREENSHOT=1"

"""The chart, as a reader's mouse uses it."""

from playwright.sync_api import Page


def drag_over_chart(page: Page, begin: float, end: float) -> None:
    """From one place to another, as shares of its width; until the page shows that period."""
    box = page.locator(".u-over").bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * begin, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, y, steps=5)
    page.mouse.up()
    page.wait_for_url("**from=**to=**")

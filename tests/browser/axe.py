"""axe-core on a page as it stands, in both themes."""

from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

_AXE: Final = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Rows are made alike: the first ones stand for fifty. What is left out is taken out meanwhile, for only to lay it out anew for
# each rule takes half of the time; but for the row with the focus, which would lose it.
_LOOK: Final = """async runOnly => {
  const beyond = "tbody tr:nth-child(n+9)"
  const rows = [...document.querySelectorAll(beyond)].filter(row => !row.contains(document.activeElement))
  const places = rows.map(row => document.createComment(""))
  rows.forEach((row, number) => row.replaceWith(places[number]))
  try {
    const left = document.querySelector(beyond)
    const result = await axe.run(left ? {exclude: [[beyond]]} : document, {runOnly, resultTypes: ["violations"]})
    return result.violations
  } finally {
    places.forEach((place, number) => place.replaceWith(rows[number]))
  }
}"""
# Where motion ends: a colour on its way is nobody's, and waiting for it is slow. What moves for ever stays.
_STILL: Final = """() => document.getAnimations().forEach(one => one.effect.getComputedTiming().endTime < Infinity && one.finish())"""


def findings(page: Page) -> list[str]:
    """What is wrong with it, moderately or worse: every rule in the theme it is in, and contrast in the other one, too."""
    # As a browser's extension would put it in: the page's own policy admits no inline script.
    page.evaluate(_AXE.read_text())
    found = _look(page, {"type": "tag", "values": _RULES})
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.emulate_media(color_scheme="light" if is_dark else "dark")
    other = _look(page, {"type": "rule", "values": ["color-contrast"]})
    page.emulate_media(color_scheme="dark" if is_dark else "light")
    return found + [f"{'light' if is_dark else 'dark'}: {one}" for one in other]


def _look(page: Page, rules: dict[str, Any]) -> list[str]:
    page.evaluate(_STILL)
    violations: list[dict[str, Any]] = page.evaluate(_LOOK, rules)
    return [
        f"{violation['impact']}: {violation['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for violation in violations
        for node in violation["nodes"]
        if violation["impact"] in ("serious", "critical", "moderate")
    ]

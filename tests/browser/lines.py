"""Where a text was broken, as it is drawn."""

from playwright.sync_api import Locator


def lines_of(place: Locator) -> list[str]:
    """What stands on each line of the element."""
    found: list[str] = place.evaluate(
        """(place) => {
          const lines = [];
          const texts = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
          const range = document.createRange();
          let top = null;
          for (let node = texts.nextNode(); node; node = texts.nextNode()) {
            for (let at = 0; at < node.length; at++) {
              range.setStart(node, at);
              range.setEnd(node, at + 1);
              const box = range.getBoundingClientRect();
              if (top === null || box.top > top + box.height / 2) {
                lines.push("");
                top = box.top;
              }
              lines[lines.length - 1] += node.data[at];
            }
          }
          return lines.map((line) => line.trim());
        }"""
    )
    return found

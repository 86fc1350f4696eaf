/** The page by keyboard: `/ j k Enter Esc c ?`. Enter is the link's own. */

import { all, isTyping, one } from "./dom";
import { copyNow } from "./copy";
import { closeRun, linkOf, open, openRun, rowOf } from "./drawer";
import { closeMenus, openDialog, toggleNavigation } from "./menus";

export function startKeyboard(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
    if (event.key === "Escape") {
      escape(event);
      return;
    }
    if (isTyping(event)) return;
    switch (event.key) {
      case "/":
        if (focusFilter()) event.preventDefault();
        break;
      case "j":
        move(1);
        break;
      case "k":
        move(-1);
        break;
      case "c":
        copyWhatIsMeant();
        break;
      case "?":
        openDialog("help");
        break;
    }
  });
}

function escape(event: KeyboardEvent): void {
  if (closeMenus()) return;
  if (document.body.classList.contains("nav-open")) {
    toggleNavigation(false);
    return;
  }
  if (isTyping(event) && event.target instanceof HTMLElement && !event.target.closest(".drawer")) {
    event.target.blur();
    return;
  }
  closeRun();
}

function focusFilter(): boolean {
  const input = one<HTMLInputElement>("#filter-text");
  input?.focus();
  input?.select();
  return input !== null;
}

/** The next or previous run: the focus moves over the rows; with a run open, its neighbour is opened. */
function move(step: 1 | -1): void {
  if (openRun()) {
    const neighbour = one<HTMLAnchorElement>(step > 0 ? "a[data-next]" : "a[data-previous]");
    if (neighbour) void open(neighbour);
    return;
  }
  const rows = all("tr[data-run]");
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))];
  const link = linkOf(next);
  link?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

function copyWhatIsMeant(): void {
  const panel = document.activeElement?.closest<HTMLElement>("[data-payload]");
  if (panel) {
    one("[data-copy-payload]", panel)?.click();
    return;
  }
  const id = openRun() || document.activeElement?.closest<HTMLElement>("tr[data-run]")?.dataset["run"];
  if (!id) return;
  const row = rowOf(id);
  const button = openRun() ? one(".drawer [data-copy]") : row ? one("[data-copy]", row) : null;
  void copyNow(id, button, "The Request ID was copied.");
}

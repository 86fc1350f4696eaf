/** The run beside the table: opened from a row, closed with Esc, previous and next within the selection. */

import { all, announce, on, one } from "./dom";
import { go, isPlain, rememberAddress } from "./navigate";

let cameFrom = "";

export function openRun(): string {
  return one(".drawer")?.dataset["run"] ?? "";
}

export function rowOf(requestId: string): HTMLElement | undefined {
  return all("tr[data-run]").find((row) => row.dataset["run"] === requestId);
}

export function linkOf(row: Element | null | undefined): HTMLAnchorElement | null {
  return row?.querySelector<HTMLAnchorElement>("a[data-open]") ?? null;
}

export async function open(link: HTMLAnchorElement): Promise<void> {
  await go(link.href, "drawer");
  rememberAddress();
  // Walking on by keyboard may leave the table's page; then the focus goes back to where it was left.
  if (rowOf(openRun())) cameFrom = openRun();
  mark();
  one(".drawer")?.focus({ preventScroll: true });
}

/** Shuts the drawer; `push`: the address changes with it. The focus goes back to the run's row. */
export function closeRun(push = true): boolean {
  const drawer = one(".drawer");
  if (!drawer) return false;
  const address = drawer.dataset["closeHref"] ?? "/settings/monitoring/model-traces";
  if (!one("#runs")) {
    location.assign(address);
    return true;
  }
  const row = rowOf(openRun()) ?? rowOf(cameFrom);
  one("#drawer")?.replaceChildren();
  if (push) history.pushState({ htmx: true }, "", address);
  document.title = "Model Traces · modeltraces";
  rememberAddress();
  mark();
  linkOf(row)?.focus({ preventScroll: !row || isInView(row) });
  announce("The run was closed.");
  return true;
}

function isInView(row: HTMLElement): boolean {
  const box = row.getBoundingClientRect();
  return box.top >= 40 && box.bottom <= innerHeight;
}

/** The row of the open run is marked. */
function mark(): void {
  const current = openRun();
  for (const row of all("tr[data-run]")) {
    if (row.dataset["run"] === current) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

export function startDrawer(): void {
  on("click", "a[data-open]", (link, event) => {
    if (!isPlain(event)) return;
    event.preventDefault();
    void open(link as HTMLAnchorElement);
  });
  on("click", "#rows tr", (row, event) => {
    const target = event.target as Element;
    if (target.closest("a, button, input") || !isPlain(event) || (getSelection()?.toString() ?? "") !== "") return;
    const link = linkOf(row);
    if (link) void open(link);
  });
  on("click", "a[data-close]", (_, event) => {
    if (!isPlain(event)) return;
    event.preventDefault();
    closeRun();
  });
  document.addEventListener("close-run", () => closeRun(false));
  document.addEventListener("swapped", () => {
    rememberAddress();
    mark();
  });
  if (openRun()) {
    mark();
    one(".drawer")?.focus({ preventScroll: true });
  }
}

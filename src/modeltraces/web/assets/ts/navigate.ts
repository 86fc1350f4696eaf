/**
 * Moving between states of the page. Every state has an address; the server draws it, htmx swaps in what changed.
 *
 * `data-nav`: another selection, the whole content changes. `data-nav="runs"`: the same runs in another order or
 * place; metrics and chart stay. `data-open`: a run beside the table. A request that is under way is given up for the
 * next one.
 */

import htmx from "htmx.org";
import { announce, on, one, toast } from "./dom";

/** `whole`: the page, with its numbers at once even if they take long. */
export type Part = "page" | "whole" | "runs" | "overview" | "drawer";



/** Go to the address. Resolves when it is shown. */
export async function go(address: string, part: Part = "page", history: "push" | "replace" | "none" = "push"): Promise<void> {
  const navigator = one("#navigator");
  const target = part === "whole" ? "#page" : `#${part}`;
  if (!navigator || !one(target)) {
    location.assign(address);
    return;
  }
  const opening = part === "drawer" && !one("#drawer > *");
  await htmx.ajax("GET", address, {
    source: navigator,
    target,
    swap: part === "drawer" ? "outerHTML" : "outerMorph",
    headers: { "X-Part": part },
    ...(history === "none" ? {} : { [history]: "true" }),
  });
  one("#drawer")?.classList.toggle("is-opening", opening);
}

export function startNavigation(): void {
  on("click", "a[data-nav]", (link, event) => {
    if (isPlain(event)) {
      event.preventDefault();
      const arriving = go((link as HTMLAnchorElement).href, link.dataset["nav"] === "runs" ? "runs" : "page");
      // Another page of rows is read from its top; and who asks for the slowest wants to see them.
      if (link.matches("[data-page], [data-to-runs]")) void arriving.then(() => one(".runs-head")?.scrollIntoView({ block: "start" }));
    }
  });
  document.addEventListener("htmx:before:request", () => document.body.classList.add("is-loading"));
  document.addEventListener("htmx:finally:request", () => document.body.classList.remove("is-loading"));
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.error instanceof DOMException && event.detail.error.name === "AbortError") return;
    toast("The server could not be reached. Try again.");
    announce("The server could not be reached.");
  });
  document.addEventListener("htmx:before:history:restore", (event) => {
    // Ours is lighter than htmx's, which draws the whole body anew and loses place and focus.
    event.preventDefault();
    restore();
  });
  document.addEventListener("htmx:after:swap", () => document.dispatchEvent(new Event("swapped")));
  document.addEventListener("swapped", () => {
    // Also after a run was opened in the meantime: that request took the place of this one.
    if (one("#overview[data-deferred]")) void quietly(() => go(location.pathname + location.search, "overview", "none"));
  });
}

/** Without the signs of waiting: what is being read stands. */
export async function quietly(act: () => Promise<void>): Promise<void> {
  document.body.classList.add("is-quiet");
  try {
    await act();
  } finally {
    document.body.classList.remove("is-quiet");
  }
}

let shown = location.pathname + location.search;

/** What the page shows now; set with every change of the address. */
export function rememberAddress(): void {
  shown = location.pathname + location.search;
}

function restore(): void {
  const [path, search] = [location.pathname, location.search];
  const before = new URL(shown, location.origin);
  const runPath = /\/model-traces(\/runs\/[^/]+)?$/;
  const sameSelection = before.search === search && runPath.test(path) && runPath.test(before.pathname);
  rememberAddress();
  if (!sameSelection) {
    void go(path + search, "page", "none");
  } else if (path.includes("/runs/")) {
    void go(path + search, "drawer", "none");
  } else {
    document.dispatchEvent(new Event("close-run"));
  }
}

/** A click that means "here", not "in a new tab". */
export function isPlain(event: MouseEvent): boolean {
  return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
}

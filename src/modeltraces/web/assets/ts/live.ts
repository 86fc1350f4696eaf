/** Live: new runs of the selection, as they land. On the first page, newest first, they appear on top of the table. */

import { announce, on, one, toast } from "./dom";
import { go, quietly } from "./navigate";

let source: EventSource | null = null;
let pending = 0;
let timer = 0;
let drawnAt = -Infinity;

const GATHER_MS = 100;
/** Runs that land together are drawn together. */
const PAUSE_MS = 2000;
/** From one drawing to the next, while more and more land: so the first of them is there at once. */

function button(): HTMLElement | null {
  return one("[data-live]");
}

function isOn(): boolean {
  return source !== null;
}

function show(): void {
  const control = button();
  control?.setAttribute("aria-pressed", String(isOn()));
  control?.classList.toggle("live-on", isOn());
}

function connect(): void {
  const address = button()?.dataset["live"];
  if (!address) return;
  source = new EventSource(address);
  source.addEventListener("run", () => {
    pending += 1;
    if (!timer) timer = window.setTimeout(draw, Math.max(GATHER_MS, drawnAt + PAUSE_MS - performance.now()));
  });
  source.addEventListener("error", () => {
    // Otherwise the browser connects again by itself.
    if (source?.readyState !== EventSource.CLOSED) return;
    stop();
    show();
    toast("Live has ended. Load the page again.");
  });
}

function stop(): void {
  source?.close();
  source = null;
  pending = 0;
  clearTimeout(timer);
  timer = 0;
}

async function draw(): Promise<void> {
  timer = 0;
  const count = pending;
  pending = 0;
  if (!isOn() || count === 0) return;
  const isBusy = document.hidden || one("dialog[open], details[data-menu][open]") || document.activeElement?.id === "filter-text";
  const elsewhere = new URL(location.href).searchParams.has("cursor") || one(".drawer");
  if (elsewhere || isBusy) {
    tell(count);
    return;
  }
  const before = new Set([...document.querySelectorAll<HTMLElement>("tr[data-run]")].map((row) => row.dataset["run"]));
  await quietly(() => go(location.pathname + location.search, "whole", "none"));
  drawnAt = performance.now();
  for (const row of document.querySelectorAll<HTMLElement>("tr[data-run]")) {
    row.classList.toggle("is-new", !before.has(row.dataset["run"]));
  }
  announce(`${count} new ${count === 1 ? "run" : "runs"}`);
}

let told = 0;

function tell(count: number): void {
  told += count;
  const place = one("[data-new-runs]");
  if (!place) return;
  place.hidden = false;
  const link = document.createElement("button");
  link.type = "button";
  link.className = "button small plain";
  link.textContent = `${told} new ${told === 1 ? "run" : "runs"}, show`;
  link.addEventListener("click", () => {
    told = 0;
    const address = new URL(location.href);
    address.searchParams.delete("cursor");
    void go(`/settings/monitoring/model-traces${address.search}`, "page");
  });
  place.replaceChildren(link);
}

export function startLive(): void {
  on("click", "[data-live]", () => {
    if (isOn()) stop();
    else connect();
    announce(isOn() ? "Live: new runs appear as they land." : "Live is off.");
    show();
  });
  document.addEventListener("swapped", () => {
    if (isOn() && source?.url !== new URL(button()?.dataset["live"] ?? "", location.href).href) {
      stop();
      connect();
    }
    told = one("[data-new-runs]:not([hidden])") ? told : 0;
    show();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !isOn() || told === 0) return;
    pending = told;
    told = 0;
    void draw();
  });
  addEventListener("pagehide", stop);
}

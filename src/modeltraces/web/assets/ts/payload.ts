/** Input and Output of a run: Plain text or JSON, the first part or all of it, copied as a whole. */

import { copyNow } from "./copy";
import { all, element, on, one } from "./dom";
import { renderJson } from "./json";

type View = "text" | "json";

const CHUNK = 40_000;
/** Characters of one block of text: the browser lays out the blocks in view only. */

const texts = new WeakMap<HTMLElement, Partial<Record<View, Promise<string>>>>();

function whole(panel: HTMLElement, view: View): Promise<string> {
  const kept = texts.get(panel) ?? {};
  texts.set(panel, kept);
  kept[view] ??= load(panel.dataset[view === "json" ? "jsonUrl" : "textUrl"] ?? "").catch((error: unknown) => {
    delete kept[view];
    throw error;
  });
  return kept[view];
}

async function load(address: string): Promise<string> {
  const answer = await fetch(address, { credentials: "same-origin" });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.text();
}

function viewOf(panel: HTMLElement): View {
  return one('[data-view="json"]', panel)?.getAttribute("aria-pressed") === "true" ? "json" : "text";
}

const plainParts = new WeakMap<HTMLElement, { body: Node[]; foot: HTMLElement | null }>();

async function show(panel: HTMLElement, view: View): Promise<void> {
  if (viewOf(panel) === view) return;
  const body = one("[data-payload-body]", panel);
  if (!body) return;
  for (const button of all("[data-view]", panel)) {
    button.setAttribute("aria-pressed", String(button.dataset["view"] === view));
  }
  if (view === "text") {
    const kept = plainParts.get(panel);
    if (kept) {
      body.replaceChildren(...kept.body);
      if (kept.foot) kept.foot.hidden = false;
    }
    return;
  }
  const foot = one("[data-payload-foot]", panel);
  if (foot) foot.hidden = true;
  plainParts.set(panel, { body: [...body.childNodes], foot });
  const waiting = element("span", { className: "quiet" }, "Loading…");
  body.replaceChildren(waiting);
  try {
    const text = await whole(panel, "json");
    if (viewOf(panel) === "json") body.replaceChildren(renderJson(text));
  } catch {
    failed(body, () => {
      one('[data-view="json"]', panel)?.setAttribute("aria-pressed", "false");
      body.replaceChildren(...(plainParts.get(panel)?.body ?? []));
      void show(panel, "json");
    });
  }
}

function failed(body: HTMLElement, again: () => void): void {
  const retry = element("button", { type: "button", className: "button small", onclick: again }, "Try again");
  body.replaceChildren(element("span", { className: "quiet" }, "The payload could not be loaded. "), retry);
}

async function showAll(panel: HTMLElement, button: HTMLButtonElement): Promise<void> {
  button.disabled = true;
  const body = one("[data-plain]", panel);
  try {
    const text = await whole(panel, "text");
    if (!body) return;
    body.replaceChildren(...chunks(text).map((chunk) => element("span", { textContent: chunk })));
    one("[data-payload-foot]", panel)?.remove();
    one("[data-payload-box]", panel)?.classList.add("is-whole");
    one("[data-payload-body]", panel)?.focus({ preventScroll: true });
  } catch {
    button.disabled = false;
    button.textContent = "Could not be loaded. Try again";
  }
}

/** Pieces that end at line ends where there are any; each is a block, so the line end itself is dropped. */
function chunks(text: string): string[] {
  const pieces: string[] = [];
  let from = 0;
  while (text.length - from > CHUNK) {
    const lineEnd = text.lastIndexOf("\n", from + CHUNK);
    if (lineEnd > from) {
      pieces.push(text.slice(from, lineEnd));
      from = lineEnd + 1;
    } else {
      // Never between the halves of a surrogate pair.
      const at = from + CHUNK;
      const code = text.charCodeAt(at - 1);
      const end = code >= 0xd800 && code <= 0xdbff ? at + 1 : at;
      pieces.push(text.slice(from, end));
      from = end;
    }
  }
  pieces.push(text.slice(from));
  return pieces;
}

export function startPayloads(): void {
  on("click", "[data-view]", (button) => {
    const panel = button.closest<HTMLElement>("[data-payload]");
    if (panel) void show(panel, button.dataset["view"] === "json" ? "json" : "text");
  });
  on("click", "[data-show-all]", (button) => {
    const panel = button.closest<HTMLElement>("[data-payload]");
    if (panel) void showAll(panel, button as HTMLButtonElement);
  });
  on("click", "[data-copy-payload]", (button) => {
    const panel = button.closest<HTMLElement>("[data-payload]");
    if (!panel) return;
    const view = viewOf(panel);
    const here = view === "text" && !one("[data-payload-foot]", panel) && !one("[data-payload-box].is-whole", panel);
    const text = here ? (one("[data-plain]", panel)?.textContent ?? "") : whole(panel, view);
    void copyNow(text, button, view === "json" ? "The JSON was copied." : "The text was copied.");
  });
}

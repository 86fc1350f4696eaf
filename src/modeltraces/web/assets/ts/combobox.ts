/** The model selector: a list that is searched by typing and walked by arrow keys. */

import { all, on, one } from "./dom";

function options(box: HTMLElement): HTMLElement[] {
  return all("[role=option]", box).filter((option) => !option.hidden);
}

function activate(box: HTMLElement, option: HTMLElement | undefined): void {
  for (const other of all("[role=option]", box)) other.setAttribute("aria-selected", String(other === option));
  const input = one("[data-combobox-input]", box);
  if (option) {
    input?.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  } else {
    input?.removeAttribute("aria-activedescendant");
  }
}

function search(box: HTMLElement, text: string): void {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const option of all("[role=option]", box)) {
    const against = (option.dataset["search"] ?? option.textContent ?? "").toLowerCase();
    option.hidden = !words.every((word) => against.includes(word));
  }
  for (const group of all("[role=group]", box)) {
    group.hidden = options(group).length === 0;
  }
  const found = options(box);
  const none = one("[data-combobox-none]", box);
  if (none) none.hidden = found.length > 0;
  activate(box, words.length > 0 ? found[0] : found.find((option) => option.hasAttribute("aria-current")));
}

/** Of very many models the page has none but the chosen one: the others come when they are looked for. */
async function readAll(box: HTMLElement, input: HTMLInputElement): Promise<void> {
  try {
    const headers = { "HX-Request": "true", "X-Part": "models" };
    const got = await fetch(location.pathname + location.search, { headers, credentials: "same-origin" });
    if (!got.ok) throw new Error(String(got.status));
    const list = one("[role=listbox]", box);
    if (list) list.innerHTML = await got.text();
    search(box, input.value);
  } catch {
    const waiting = one("[data-more]", box);
    if (waiting) waiting.textContent = "The models could not be read. Open the menu again.";
  }
}

/** Ready to be typed into, at once: what is typed right after a press must not be lost. */
function begin(box: HTMLElement): void {
  const input = one<HTMLInputElement>("[data-combobox-input]", box);
  if (!input || input === document.activeElement) return;
  input.value = "";
  search(box, "");
  input.focus({ preventScroll: true });
  if (one("[data-more]", box)) void readAll(box, input);
}

export function startCombobox(): void {
  on("click", "details[data-combobox]:not([open]) > summary", (summary, event) => {
    const box = summary.parentElement;
    if (!(box instanceof HTMLDetailsElement)) return;
    event.preventDefault();
    box.open = true;
    begin(box);
  });
  // Opened by a script, or by a search in the page. The event comes later than the opening.
  document.addEventListener(
    "toggle",
    (event) => {
      const box = event.target;
      if (box instanceof HTMLDetailsElement && box.matches("[data-combobox]") && box.open) begin(box);
    },
    true,
  );
  on("input", "[data-combobox-input]", (input) => {
    const box = input.closest<HTMLElement>("[data-combobox]");
    if (box) search(box, (input as HTMLInputElement).value);
  });
  on("keydown", "[data-combobox-input]", (input, event) => {
    const box = input.closest<HTMLElement>("[data-combobox]");
    if (!box) return;
    const found = options(box);
    const at = found.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") activate(box, found[Math.min(found.length - 1, at + 1)]);
    else if (event.key === "ArrowUp") activate(box, found[Math.max(0, at - 1)]);
    else if (event.key === "Home") activate(box, found[0]);
    else if (event.key === "End") activate(box, found.at(-1));
    else if (event.key === "Enter") (found[at] ?? found[0])?.click();
    else return;
    event.preventDefault();
  });
}

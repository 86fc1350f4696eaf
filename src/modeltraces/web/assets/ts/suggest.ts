/** Suggestions under the filter line. They come when they come: the table never waits for them. */

import { announce, element, on, one } from "./dom";

export interface Suggestion {
  insert: string;
  label: string;
  hint: string;
}

interface Answer {
  start: number;
  end: number;
  items: Suggestion[];
}

const PAUSE_MS = 120;
let timer = 0;
let request: AbortController | null = null;
let answer: Answer | null = null;
let active = -1;

export async function fetchSuggestions(text: string, caret: number, signal: AbortSignal): Promise<Answer> {
  const query = new URLSearchParams(location.search);
  for (const name of ["filter", "cursor", "columns", "sort", "order", "compare", "measure"]) query.delete(name);
  query.set("text", text);
  query.set("caret", String(caret));
  const got = await fetch(`/settings/monitoring/model-traces/suggest?${query}`, { signal, credentials: "same-origin" });
  if (!got.ok) throw new Error(String(got.status));
  return (await got.json()) as Answer;
}

const input = (): HTMLInputElement | null => one<HTMLInputElement>("#filter-text");
const list = (): HTMLElement | null => one("#suggestions");

function ask(): void {
  clearTimeout(timer);
  request?.abort();
  timer = window.setTimeout(async () => {
    const field = input();
    if (!field || document.activeElement !== field) return;
    const mine = (request = new AbortController());
    try {
      const got = await fetchSuggestions(field.value, field.selectionStart ?? field.value.length, mine.signal);
      if (!mine.signal.aborted) show(got);
    } catch {
      // No suggestions then; typing goes on without them. What is no longer asked for must not hide what is asked for now.
      if (!mine.signal.aborted) hide();
    }
  }, PAUSE_MS);
}

function show(got: Answer): void {
  answer = got;
  active = -1;
  const box = list();
  if (!box || got.items.length === 0) {
    hide();
    return;
  }
  box.replaceChildren(
    ...got.items.map((item, index) => {
      const hint = element("span", { className: "hint", textContent: item.hint });
      if (!item.insert) return element("div", { className: "menu-item note" }, hint);
      const row = element("div", { className: "menu-item", id: `suggestion-${index}` }, element("code", { textContent: item.label }), hint);
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", "false");
      row.dataset["index"] = String(index);
      return row;
    }),
  );
  box.hidden = false;
  input()?.setAttribute("aria-expanded", "true");
}

export function hide(): boolean {
  clearTimeout(timer);
  request?.abort();
  const box = list();
  const wasOpen = box !== null && !box.hidden;
  if (box) box.hidden = true;
  answer = null;
  active = -1;
  const field = input();
  field?.setAttribute("aria-expanded", "false");
  field?.removeAttribute("aria-activedescendant");
  return wasOpen;
}

function activate(index: number): void {
  const options = [...(list()?.querySelectorAll<HTMLElement>("[role=option]") ?? [])];
  if (options.length === 0) return;
  active = (index + options.length) % options.length;
  options.forEach((option, i) => option.setAttribute("aria-selected", String(i === active)));
  const chosen = options[active];
  chosen?.scrollIntoView({ block: "nearest" });
  if (chosen) input()?.setAttribute("aria-activedescendant", chosen.id);
}

function accept(index: number): void {
  const item = answer?.items[index];
  const field = input();
  if (!item?.insert || !field || !answer) return;
  const isWhole = !/[:><.]$/.test(item.insert);
  const rest = field.value.slice(answer.end);
  const text = item.insert + (isWhole && !rest.startsWith(" ") ? " " : "");
  field.value = field.value.slice(0, answer.start) + text + rest;
  const caret = answer.start + text.length;
  field.focus();
  field.setSelectionRange(caret, caret);
  announce(item.label);
  hide();
  ask();
}

export function startSuggestions(): void {
  on("input", "#filter-text", ask);
  on("focusin", "#filter-text", ask);
  on("click", "#filter-text", ask);
  on("focusout", "#filter-text", () => hide());
  // Not the click: the field would have lost the focus, and the list with it.
  on("pointerdown", "#suggestions [role=option]", (option, event) => {
    event.preventDefault();
    accept(Number(option.dataset["index"]));
  });
  on("keydown", "#filter-text", (_, event) => {
    const isOpen = list()?.hidden === false;
    switch (event.key) {
      case "ArrowDown":
        if (isOpen) activate(active + 1);
        else ask();
        break;
      case "ArrowUp":
        if (isOpen) activate(active < 0 ? -1 : active - 1);
        break;
      case "Tab":
        if (!isOpen || active < 0) return;
        accept(active);
        break;
      case "Enter":
        if (!isOpen || active < 0) {
          hide();
          return;
        }
        accept(active);
        break;
      case "Escape":
        if (!hide()) return;
        // Nothing was typed, and a run is open: who came here by mistake is let out at once.
        if (one(".drawer") && input()?.value === input()?.defaultValue) input()?.blur();
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
}

/**
 * Pretty-printed JSON, coloured and foldable. The text comes formatted from the server, so numbers and strings stand
 * here exactly as they were recorded; nothing is parsed. Lines are made as they are needed.
 */

import { element } from "./dom";

const FIRST_LINES = 400;
const MORE_LINES = 2000;
const LONGEST_LINE = 3000;
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;

export function renderJson(text: string): HTMLElement {
  const lines = text.split("\n");
  const box = element("div", { className: "json" });
  let made = 0;
  const more = element("button", { type: "button", className: "button small plain" });
  const add = (count: number): void => {
    const part = document.createDocumentFragment();
    for (const end = Math.min(lines.length, made + count); made < end; made++) part.append(line(lines[made] ?? "", lines[made + 1]));
    more.remove();
    box.append(part);
    if (made < lines.length) {
      more.textContent = `Show more (${(lines.length - made).toLocaleString("en").replaceAll(",", "\u202f")} lines)`;
      box.append(more);
    }
  };
  more.addEventListener("click", () => add(MORE_LINES));
  add(FIRST_LINES);
  box.addEventListener("click", (event) => {
    const handle = event.target instanceof Element ? event.target.closest<HTMLElement>(".fold") : null;
    if (handle) fold(handle);
  });
  return box;
}

function indentOf(text: string): number {
  return text.length - text.trimStart().length;
}

function line(text: string, next: string | undefined): HTMLElement {
  const row = element("div", { className: "line" });
  const indent = indentOf(text);
  row.dataset["indent"] = String(indent);
  // What wraps stands under its own line, not under the margin.
  row.style.paddingInlineStart = `calc(16px + ${indent + 2}ch)`;
  row.style.textIndent = `-${indent + 2}ch`;
  if (/[[{]$/.test(text) && next !== undefined && indentOf(next) > indent) {
    // For the pointer only: who cannot see the text folds nothing, and a tab stop a line would be in the way.
    const handle = element("i", { className: "fold" });
    handle.setAttribute("aria-hidden", "true");
    row.append(handle);
  }
  if (text.length > LONGEST_LINE) {
    const rest = element("button", { type: "button", className: "more" }, `… ${(text.length - LONGEST_LINE).toLocaleString("en").replaceAll(",", "\u202f")} more characters`);
    rest.addEventListener("click", () => {
      row.replaceChildren(...coloured(text));
    });
    row.append(...coloured(text.slice(0, LONGEST_LINE)), rest);
  } else {
    row.append(...coloured(text));
  }
  return row;
}

function coloured(text: string): (Node | string)[] {
  const out: (Node | string)[] = [];
  let at = 0;
  const span = (name: string, value: string): void => {
    out.push(element("span", { className: name, textContent: value }));
  };
  for (const match of text.matchAll(TOKEN)) {
    if (match.index > at) out.push(text.slice(at, match.index));
    const [whole, string, colon, number] = match;
    if (string !== undefined) {
      span(colon === undefined ? "s" : "k", string);
      if (colon !== undefined) out.push(colon);
    } else {
      span(number !== undefined ? "n" : "w", whole);
    }
    at = match.index + whole.length;
  }
  if (at < text.length) {
    // The rest of a cut line is the middle of a string.
    const rest = text.slice(at);
    if (rest.trimStart().startsWith('"')) span("s", rest);
    else out.push(rest);
  }
  return out;
}

function fold(handle: HTMLElement): void {
  const row = handle.closest<HTMLElement>(".line");
  if (!row) return;
  const open = !row.classList.contains("folded");
  const indent = Number(row.dataset["indent"]);
  row.classList.toggle("folded", open);
  let next = row.nextElementSibling as HTMLElement | null;
  let insideFolded = -1;
  while (next?.classList.contains("line") && Number(next.dataset["indent"]) > indent) {
    const depth = Number(next.dataset["indent"]);
    if (insideFolded >= 0 && depth <= insideFolded) insideFolded = -1;
    next.hidden = open || insideFolded >= 0;
    if (insideFolded < 0 && next.classList.contains("folded")) insideFolded = depth;
    next = next.nextElementSibling as HTMLElement | null;
  }
}

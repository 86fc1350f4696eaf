/** The filter builder: rows of field, operator and value, joined by AND or OR. It reads and writes the filter's text. */

import { all, element, icon, on, one } from "./dom";
import { applyFilter } from "./filter";
import { closeMenus, openDialog } from "./menus";
import { fetchSuggestions } from "./suggest";

interface Field {
  name: string;
  label: string;
  kind: string;
  operators: string[];
  choices: string[];
}

interface Row {
  field: string;
  operator: string;
  value: string;
}

interface Rows {
  joint: "AND" | "OR";
  rows: Row[];
  /** The row whose value is not of its field's kind. */
  wrong?: number;
}

interface Checked {
  error: { message: string; position: number; instead: string } | null;
}

type Control = HTMLInputElement | HTMLSelectElement;

const WORDS: Record<string, string> = {
  ":": "is",
  "-:": "is not",
  ":*": "is known",
  "-:*": "is unknown",
  ">": ">",
  ">=": "≥",
  "<": "<",
  "<=": "≤",
};
const TEXT_WORDS: Record<string, string> = { ...WORDS, ":": "contains", "-:": "does not contain" };
const HINTS: Record<string, string> = {
  duration: "2s, 250ms, 1m",
  count: "1000",
  time: "2026-11-01",
  text: "words, * at an end",
};
const PLAIN = /^[\p{L}\p{N}_.*/@+-]+$/u;

let fields: Field[] = [];
let joint: "AND" | "OR" = "AND";
let listed = 0;

function fieldNamed(name: string): Field | undefined {
  return fields.find((field) => field.name === name) ?? (name.startsWith("attributes.") ? fields.find((field) => field.kind === "map") : undefined);
}

/** The value as filter text. Stars and backslashes mean what they mean in the filter line. */
function quoted(value: string): string {
  const text = value.trim();
  if (PLAIN.test(text) && !text.startsWith("-") && !/^(and|or|not|to)$/i.test(text)) return text;
  return `"${text.replace(/(?<!\\)"/g, '\\"')}"`;
}

function termOf(row: Row): string {
  const minus = row.operator.startsWith("-") ? "-" : "";
  const sign = row.operator.replace("-", "");
  if (sign === ":*") return `${minus}${row.field}:*`;
  return row.value.trim() ? `${minus}${row.field}${sign}${quoted(row.value)}` : "";
}

function read(): Row[] {
  return all(".builder-row").map((row) => ({
    field: attributeName(row) ?? one<HTMLSelectElement>("[data-field]", row)?.value ?? "",
    operator: one<HTMLSelectElement>("[data-operator]", row)?.value ?? ":",
    value: one<Control>("[data-value]", row)?.value ?? "",
  }));
}

function attributeName(row: HTMLElement): string | null {
  const key = one<HTMLInputElement>("[data-key]", row);
  if (!key || key.hidden) return null;
  const name = key.value.trim();
  return `attributes.${/^[\w./-]+$/.test(name) ? name : `"${name.replaceAll('"', '\\"')}"`}`;
}

function glue(): string {
  return joint === "AND" ? " " : " OR ";
}

function textOf(): string {
  return read().map(termOf).filter(Boolean).join(glue());
}

/** The row whose term the position in the text lies in. */
function rowAt(position: number): HTMLElement | undefined {
  let end = -glue().length;
  return all(".builder-row").find((_, index) => {
    const row = read()[index];
    const term = row ? termOf(row) : "";
    if (!term) return false;
    end += glue().length + term.length;
    return position <= end;
  });
}

function mark(row: HTMLElement | undefined, message: string): void {
  for (const value of all("[data-value]")) value.removeAttribute("aria-invalid");
  const place = one("[data-builder-error]");
  if (place) {
    place.hidden = message === "";
    const text = one("span", place);
    if (text) text.textContent = message;
  }
  if (!row) return;
  const value = one("[data-value]", row);
  value?.setAttribute("aria-invalid", "true");
  value?.focus();
}

/** What the server would say to the filter. What cannot be asked is not held back: the page will say it. */
async function check(text: string): Promise<Checked> {
  const got = await fetch(`/settings/monitoring/model-traces/check?${new URLSearchParams({ filter: text })}`, { credentials: "same-origin" }).catch(() => null);
  return got?.ok ? ((await got.json()) as Checked) : { error: null };
}

function preview(): void {
  const place = one("[data-builder-preview]");
  if (place) place.textContent = textOf() || "All runs";
}

function option(value: string, label: string, chosen: string): HTMLOptionElement {
  return element("option", { value, textContent: label, selected: value === chosen });
}

function addRow(row: Row): void {
  const box = one("[data-builder-rows]");
  if (!box) return;
  const isAttribute = row.field.startsWith("attributes.");
  const field = element("select", { className: "input" }, ...fields.map((one) => option(one.name, one.label, isAttribute ? "attributes" : row.field)));
  field.dataset["field"] = "";
  field.setAttribute("aria-label", "Field");
  const key = element("input", { className: "input", type: "text", placeholder: "key", hidden: !isAttribute });
  key.value = row.field.slice("attributes.".length).replace(/^"|"$/g, "");
  key.dataset["key"] = "";
  key.setAttribute("aria-label", "Attribute's key");
  const operator = element("select", { className: "input" });
  operator.dataset["operator"] = "";
  operator.setAttribute("aria-label", "Operator");
  listed += 1;
  const values = element("datalist", { id: `builder-values-${listed}` });
  const place = element("div", { className: "value" });
  let value: Control = element("input");
  const remove = element("button", { type: "button", className: "icon-button" }, icon("close"));
  remove.setAttribute("aria-label", "Remove this condition");
  const line = element("div", { className: "builder-row" }, element("span", { className: "joint" }), element("div", { className: "builder-field" }, field, key), operator, place, remove, values);

  /** Where all values are known, one of them is chosen; else it is typed. */
  const remake = (spec: Field | undefined, text: string): void => {
    const chosen = spec?.choices.find((choice) => choice === text.toLowerCase()) ?? spec?.choices[0] ?? "";
    value = spec?.choices.length
      ? element("select", { className: "input" }, ...spec.choices.map((choice) => option(choice, choice.replaceAll("_", " "), chosen)))
      : element("input", { className: "input", type: "text", value: text, autocomplete: "off", placeholder: HINTS[spec?.kind ?? ""] ?? "" });
    value.dataset["value"] = "";
    value.setAttribute("aria-label", "Value");
    value.addEventListener("input", () => {
      value.removeAttribute("aria-invalid");
      preview();
    });
    if (value instanceof HTMLInputElement) {
      const typed = value;
      typed.setAttribute("list", values.id);
      for (const type of ["focus", "input"]) typed.addEventListener(type, () => suggest(line, typed, values));
    }
    place.replaceChildren(value);
  };
  const refill = (chosen: string, text: string): void => {
    const spec = fieldNamed(field.value);
    const words = spec?.kind === "text" ? TEXT_WORDS : WORDS;
    operator.replaceChildren(...(spec?.operators ?? [":"]).map((sign) => option(sign, words[sign] ?? sign, chosen)));
    key.hidden = spec?.kind !== "map";
    remake(spec, text);
    showValue();
  };
  const showValue = (): void => {
    value.disabled = operator.value.endsWith("*");
    if (value.disabled) value.value = "";
    preview();
  };
  field.addEventListener("change", () => {
    const ordered = fieldNamed(field.value)?.operators.includes(">") ?? false;
    values.replaceChildren();
    refill(ordered ? ">" : ":", "");
  });
  operator.addEventListener("change", showValue);
  key.addEventListener("input", preview);
  remove.addEventListener("click", () => {
    line.remove();
    renumber();
    one("[data-builder-add]")?.focus();
  });
  box.append(line);
  refill(row.operator, row.value);
  renumber();
}

let asking: AbortController | null = null;

function suggest(row: HTMLElement, value: HTMLInputElement, values: HTMLDataListElement): void {
  const name = attributeName(row) ?? one<HTMLSelectElement>("[data-field]", row)?.value ?? "";
  asking?.abort();
  asking = new AbortController();
  const text = `${name}:${value.value}`;
  fetchSuggestions(text, text.length, asking.signal).then(
    ({ items }) => values.replaceChildren(...items.filter((item) => item.insert).map((item) => element("option", { value: item.label, label: item.hint ? `${item.label} (${item.hint})` : item.label }))),
    () => values.replaceChildren(),
  );
}

/** The first row says "Where", the second lets choose AND or OR, the others follow it. */
function renumber(): void {
  all(".builder-row .joint").forEach((place, index) => {
    if (index === 0) place.replaceChildren("Where");
    else if (index > 1) place.replaceChildren(joint);
    else if (!one("select", place)) {
      const choice = element("select", { className: "input" }, option("AND", "AND", joint), option("OR", "OR", joint));
      choice.setAttribute("aria-label", "All or any of the conditions");
      choice.addEventListener("change", () => {
        joint = choice.value === "OR" ? "OR" : "AND";
        renumber();
      });
      place.replaceChildren(choice);
    }
  });
  preview();
}

function open(): void {
  closeMenus();
  const form = one("[data-filter]");
  if (!form) return;
  fields = JSON.parse(form.dataset["fields"] ?? "[]") as Field[];
  const rows = JSON.parse(form.dataset["rows"] ?? "null") as Rows | null;
  const note = one("[data-builder-note]");
  if (note) note.hidden = rows !== null;
  const words = one("[data-builder-note-text]");
  const unreadable = one("#filter-error") !== null;
  if (words) words.textContent = `${unreadable ? "The filter cannot be read." : "The filter says more than rows can."} Applying these rows replaces it.`;
  joint = rows?.joint ?? "AND";
  one("[data-builder-rows]")?.replaceChildren();
  const shown = rows && rows.rows.length > 0 ? rows.rows : [{ field: "status", operator: ":", value: "failed" }];
  for (const row of shown) addRow(row);
  openDialog("builder");
  mark(undefined, "");
  if (rows?.wrong === undefined) one<HTMLSelectElement>(".builder-row [data-field]")?.focus();
  else mark(all(".builder-row")[rows.wrong], one("#filter-error > p")?.textContent ?? "");
}

/** Shuts the builder only over a filter that can be read: what was typed in its rows would be gone. */
async function apply(dialog: HTMLDialogElement | null): Promise<void> {
  const text = textOf();
  const { error } = text ? await check(text) : { error: null };
  if (error) {
    mark(rowAt(error.position), error.message);
    return;
  }
  dialog?.close();
  applyFilter(text);
}

export function startBuilder(): void {
  on("click", "[data-builder-open]", open);
  on("click", "[data-builder-add]", () => {
    addRow({ field: "source", operator: ":", value: "" });
    all<HTMLSelectElement>(".builder-row [data-field]").at(-1)?.focus();
  });
  on("submit", "#builder form", (form, event) => {
    event.preventDefault();
    void apply(form.closest("dialog"));
  });
}

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
}

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
    value: one<HTMLInputElement>("[data-value]", row)?.value ?? "",
  }));
}

function attributeName(row: HTMLElement): string | null {
  const key = one<HTMLInputElement>("[data-key]", row);
  if (!key || key.hidden) return null;
  const name = key.value.trim();
  return `attributes.${/^[\w./-]+$/.test(name) ? name : `"${name.replaceAll('"', '\\"')}"`}`;
}

function textOf(): string {
  return read().map(termOf).filter(Boolean).join(joint === "AND" ? " " : " OR ");
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
  const value = element("input", { className: "input value", type: "text", value: row.value, autocomplete: "off" });
  value.dataset["value"] = "";
  value.setAttribute("aria-label", "Value");
  value.setAttribute("list", values.id);
  const remove = element("button", { type: "button", className: "icon-button" }, icon("close"));
  remove.setAttribute("aria-label", "Remove this condition");
  const line = element("div", { className: "builder-row" }, element("span", { className: "joint" }), element("div", { className: "builder-field" }, field, key), operator, value, remove, values);

  const refill = (chosen: string): void => {
    const spec = fieldNamed(field.value);
    const words = spec?.kind === "text" ? TEXT_WORDS : WORDS;
    operator.replaceChildren(...(spec?.operators ?? [":"]).map((sign) => option(sign, words[sign] ?? sign, chosen)));
    value.placeholder = HINTS[spec?.kind ?? ""] ?? "";
    key.hidden = spec?.kind !== "map";
    showValue();
  };
  const showValue = (): void => {
    value.disabled = operator.value.endsWith("*");
    if (value.disabled) value.value = "";
    preview();
  };
  field.addEventListener("change", () => {
    const ordered = fieldNamed(field.value)?.operators.includes(">") ?? false;
    value.value = "";
    values.replaceChildren();
    refill(ordered ? ">" : ":");
  });
  operator.addEventListener("change", showValue);
  for (const control of [value, key]) control.addEventListener("input", preview);
  for (const type of ["focus", "input"]) value.addEventListener(type, () => suggest(line, value, values));
  remove.addEventListener("click", () => {
    line.remove();
    renumber();
    one("[data-builder-add]")?.focus();
  });
  box.append(line);
  refill(row.operator);
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
  joint = rows?.joint ?? "AND";
  one("[data-builder-rows]")?.replaceChildren();
  const shown = rows && rows.rows.length > 0 ? rows.rows : [{ field: "status", operator: ":", value: "" }];
  for (const row of shown) addRow(row);
  openDialog("builder");
  one<HTMLSelectElement>(".builder-row [data-field]")?.focus();
}

export function startBuilder(): void {
  on("click", "[data-builder-open]", open);
  on("click", "[data-builder-add]", () => {
    addRow({ field: "source", operator: ":", value: "" });
    all<HTMLSelectElement>(".builder-row [data-field]").at(-1)?.focus();
  });
  on("submit", "#builder form", (form, event) => {
    event.preventDefault();
    form.closest("dialog")?.close();
    applyFilter(textOf());
  });
}

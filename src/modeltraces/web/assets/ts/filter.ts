/** The filter line. Enter applies it. */

import { on, one } from "./dom";
import { go } from "./navigate";

/** Applies a filter's text to the page. */
export function applyFilter(text: string): void {
  const form = one<HTMLFormElement>("[data-filter]");
  if (!form) return;
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (name !== "filter" && typeof value === "string") query.append(name, value);
  }
  if (text.trim()) query.set("filter", text.trim());
  const search = query.toString();
  void go(`/settings/monitoring/model-traces${search ? `?${search}` : ""}`);
}

export function startFilter(): void {
  on("submit", "[data-filter]", (form, event) => {
    event.preventDefault();
    applyFilter(one<HTMLInputElement>("#filter-text", form)?.value ?? "");
  });
}

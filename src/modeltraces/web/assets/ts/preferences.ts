/** Theme and time zone: chosen here, kept in cookies so that the server draws the first paint right. */

import { cookie, on, setCookie } from "./dom";

const KNOWN = ["light", "dark"];

export function startPreferences(): void {
  on("click", "[data-theme-toggle]", () => {
    const root = document.documentElement;
    const dark = root.dataset["theme"]
      ? root.dataset["theme"] === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    const next = dark ? "light" : "dark";
    root.dataset["theme"] = next;
    setCookie("theme", next);
    document.dispatchEvent(new Event("theme-changed"));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (!KNOWN.includes(document.documentElement.dataset["theme"] ?? "")) {
      document.dispatchEvent(new Event("theme-changed"));
    }
  });
  tellZone();
}

/** The first page ever was drawn in UTC, and one after a journey in the zone left behind; then it is asked for again, once. */
function tellZone(): void {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone || cookie("tz") === zone) return;
  setCookie("tz", zone);
  const shown = document.body.dataset["zone"];
  if (cookie("tz") === zone && shown && shown !== zone) location.reload();
}

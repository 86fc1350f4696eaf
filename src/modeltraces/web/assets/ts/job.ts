/** Work on many runs: while it goes on, how far it is; when it has ended, how. Without the script a reload shows it. */

import { announce, one } from "./dom";

const PAUSE_MS = 1000;
const PAUSE_AFTER_TROUBLE_MS = 5000;
const PARTS = ["[data-job]", "[data-job-actions]"];

export function startJob(): void {
  if (one("[data-job-running]")) later(PAUSE_MS);
}

function later(pause: number): void {
  setTimeout(() => void look(), pause);
}

async function look(): Promise<void> {
  const address = one("[data-job]")?.dataset["job"];
  if (!address) return;
  if (document.hidden) {
    later(PAUSE_MS);
    return;
  }
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    // Another page, such as the sign-in, has nothing of a job.
    if (!one("[data-job]", parsed)) return;
    const ended = !one("[data-job-running]", parsed);
    for (const part of PARTS) {
      const fresh = one(part, parsed);
      // What stands beside a preview belongs to the preview.
      if (fresh && (part === "[data-job]" || ended)) one(part)?.replaceChildren(...fresh.childNodes);
    }
    if (ended) announce(one("[data-job]")?.textContent?.replace(/\s+/g, " ").trim() ?? "");
    else later(PAUSE_MS);
  } catch {
    later(PAUSE_AFTER_TROUBLE_MS);
  }
}

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
    if (ended && one("[data-job-actions] form")) {
      // A preview is shown: what it says of the runs may be past.
      location.reload();
      return;
    }
    for (const part of ended ? PARTS : PARTS.slice(0, 1)) {
      one(part)?.replaceChildren(...(one(part, parsed)?.childNodes ?? []));
    }
    if (ended) announce(one("[data-job]")?.textContent?.replace(/\s+/g, " ").trim() ?? "");
    else later(PAUSE_MS);
  } catch {
    later(PAUSE_AFTER_TROUBLE_MS);
  }
}

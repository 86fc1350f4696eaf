/** The empty account: a key made and filled in, and the page that comes when the first run does. */

import { copyNow } from "./copy";
import { all, csrfToken, element, icon, on, one, toast } from "./dom";
import { go } from "./navigate";

export function startFirstRun(): void {
  on("click", "[data-create-key]", (button) => void createKey(button as HTMLButtonElement));
  wait();
}

async function createKey(button: HTMLButtonElement): Promise<void> {
  button.disabled = true;
  try {
    const answer = await fetch("/settings/api-keys/first", { method: "POST", headers: { "X-CSRF-Token": csrfToken() } });
    if (!answer.ok) throw new Error(String(answer.status));
    const { key } = (await answer.json()) as { key: string };
    for (const place of all("[data-key]")) place.textContent = key;
    const copy = element("button", { type: "button", className: "icon-button", title: "Copy the key" }, icon("copy"));
    copy.setAttribute("aria-label", "Copy the key");
    copy.addEventListener("click", () => void copyNow(key, copy));
    one("[data-key-place]")?.replaceChildren(
      element("div", { className: "secret" }, element("code", { textContent: key }), copy),
    );
    copy.focus();
  } catch {
    button.disabled = false;
    toast("The key could not be made. Load the page again and retry.");
  }
}

function wait(): void {
  const place = one("[data-first-run]");
  const address = place?.dataset["waitingUrl"];
  if (!address) return;
  const source = new EventSource(address);
  source.addEventListener("run", () => {
    source.close();
    void go("/settings/monitoring/model-traces", "page", "replace");
  });
  addEventListener("pagehide", () => source.close());
}

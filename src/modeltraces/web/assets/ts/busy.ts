/** Forms whose answer takes its time (`data-busy`): the button says so, and cannot be pressed twice. */

import { announce, on, one } from "./dom";

export function startBusy(): void {
  on("submit", "form[data-busy]", (form, event) => {
    const button = one<HTMLButtonElement>("button", form);
    if (event.defaultPrevented || !button) return;
    const words = form.dataset["busy"] ?? "";
    // After this event: a button that is disabled in it is not sent.
    setTimeout(() => {
      button.disabled = true;
      button.textContent = words;
      announce(words);
    });
  });
  // The browser may bring the page back as it was left.
  addEventListener("pageshow", (event) => {
    if (event.persisted && one("form[data-busy] button:disabled")) location.reload();
  });
}

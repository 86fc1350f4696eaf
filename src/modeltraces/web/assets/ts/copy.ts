/** Copying to the clipboard, also where the browser offers it to secure addresses only. */

import { announce, on, one, toast } from "./dom";

/** Copies, shows a tick on the button for a moment, and says so. */
export async function copyNow(text: string | Promise<string>, button: HTMLElement | null, words = "Copied."): Promise<void> {
  try {
    await write(await text);
  } catch {
    toast("The browser did not let us copy. Select the text and copy it yourself.");
    return;
  }
  announce(words);
  if (!button) {
    toast(words);
    return;
  }
  const use = one<SVGUseElement>("use", button);
  button.classList.add("copied");
  use?.setAttribute("href", "#i-tick");
  setTimeout(() => {
    button.classList.remove("copied");
    use?.setAttribute("href", "#i-copy");
  }, 1400);
}

async function write(text: string): Promise<void> {
  // Undefined on plain http:// other than localhost, where a self-hosted server often is.
  if (window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "sr-only";
  const place = one("dialog[open]") ?? document.body;
  const focused = document.activeElement;
  place.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  if (!done) throw new Error("copy");
}

export function startCopy(): void {
  on("click", "[data-copy]", (button) => {
    const target = button.dataset["copyTarget"];
    const text = target ? one(target)?.textContent : button.dataset["copy"];
    void copyNow(text ?? "", button);
  });
}

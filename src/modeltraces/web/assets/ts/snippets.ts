/** Examples in tabs. Where the address says which one is open (`data-tool`), it goes on saying so. */

import { all, on, one } from "./dom";

export function startSnippets(): void {
  on("click", "[data-snippets] [role=tab]", (tab) => choose(tab));
  on("keydown", "[data-snippets] [role=tab]", (tab, event) => {
    const tabs = all("[data-snippets] [role=tab]");
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    if (step && next) {
      choose(next);
      next.focus();
      event.preventDefault();
    }
  });
}

function choose(tab: HTMLElement): void {
  for (const other of all("[data-snippets] [role=tab]")) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    const panel = one(`#${other.getAttribute("aria-controls") ?? ""}`);
    if (panel) panel.hidden = !chosen;
  }
  const tool = tab.dataset["tool"];
  if (tool) remember(tool);
}

function remember(tool: string): void {
  history.replaceState(history.state, "", withTool(location.href, tool));
  for (const link of all<HTMLAnchorElement>("main a[href*='/settings/gateway?']")) link.href = withTool(link.href, tool);
  for (const form of all<HTMLFormElement>("main form[action*='/settings/gateway/key']")) {
    form.action = withTool(form.action, tool);
  }
  // One API's example, one API's call.
  const family = one<HTMLInputElement>("[data-try] [name=family]");
  if (family) family.value = tool.endsWith("-anthropic") ? "anthropic" : "openai";
}

function withTool(address: string, tool: string): string {
  const url = new URL(address, location.href);
  url.searchParams.set("tool", tool);
  return url.href;
}

/** Menus (`<details data-menu>`), dialogs, the navigation on small screens, and confirmations. */

import { all, on, one } from "./dom";

export function closeMenus(except?: Element | null): boolean {
  let closed = false;
  for (const menu of all<HTMLDetailsElement>("details[data-menu][open]")) {
    if (except && menu.contains(except)) continue;
    menu.open = false;
    closed = true;
  }
  return closed;
}

export function openDialog(id: string): HTMLDialogElement | null {
  const dialog = one<HTMLDialogElement>(`dialog#${id}`);
  if (dialog && !dialog.open) dialog.showModal();
  return dialog;
}

export function startMenus(): void {
  document.addEventListener("click", (event) => {
    closeMenus(event.target instanceof Element ? event.target : null);
  });
  document.addEventListener("focusin", (event) => {
    const target = event.target;
    if (!(target instanceof Element)) return;
    // A press on a word in a menu gives the focus to what is around the menu. A menu that shut itself in the middle of
    // the press would lose the click, and crash Chromium.
    if (all("details[data-menu][open]").some((menu) => target !== menu && target.contains(menu))) return;
    closeMenus(target);
  });
  on("keydown", "details[data-menu][open]", (menu, event) => {
    if (event.key === "Escape") {
      (menu as HTMLDetailsElement).open = false;
      one("summary", menu)?.focus();
      event.stopPropagation();
      event.preventDefault();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !menu.matches("[data-combobox]")) {
      const items = all(".menu-item input, a.menu-item, button.menu-item", menu);
      const at = items.findIndex((item) => item === document.activeElement);
      const next = items[(at + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length];
      if (next && !(event.target as Element).matches("input[type=datetime-local]")) {
        next.focus();
        event.preventDefault();
      }
    }
  });
  document.addEventListener(
    "toggle",
    (event) => {
      const menu = event.target;
      if (!(menu instanceof HTMLDetailsElement) || !menu.matches("[data-menu]") || !menu.open) return;
      // One that opens near the edge of the screen is brought wholly into it.
      one(".menu-panel", menu)?.scrollIntoView({ block: "nearest" });
    },
    true,
  );
  on("click", "a.menu-item", (item) => {
    if (!item.hasAttribute("data-nav")) closeMenus();
  });
  on("click", "[data-help]", () => openDialog("help"));
  on("click", "[data-close-dialog]", (button) => button.closest("dialog")?.close());
  on("click", "dialog", (dialog, event) => {
    if (event.target === dialog) (dialog as HTMLDialogElement).close();
  });
  on("click", "[data-nav-toggle]", () => toggleNavigation());
  document.addEventListener("click", (event) => {
    const target = event.target as Element;
    if (document.body.classList.contains("nav-open") && !target.closest(".rail, [data-nav-toggle]")) {
      toggleNavigation(false);
    }
  });
  on("submit", "form[data-confirm]", (form, event) => {
    if (!confirm(form.dataset["confirm"])) event.preventDefault();
  });
  on("change", "[data-submit]", (control) => control.closest("form")?.requestSubmit());
}

export function toggleNavigation(open = !document.body.classList.contains("nav-open")): void {
  document.body.classList.toggle("nav-open", open);
  one("[data-nav-toggle]")?.setAttribute("aria-expanded", String(open));
  if (open) one<HTMLElement>(".rail a.nav")?.focus();
}

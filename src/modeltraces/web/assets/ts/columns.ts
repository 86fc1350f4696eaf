/** The column chooser: the columns stand in the address, so a shared link shows the same. */

import { all, on } from "./dom";
import { go } from "./navigate";

export function startColumns(): void {
  on("change", "[data-column]", (box) => {
    const menu = box.closest<HTMLElement>("[data-columns]");
    if (!menu) return;
    const chosen = all<HTMLInputElement>("[data-column]:checked", menu).map((input) => input.value);
    const address = new URL(location.href);
    address.searchParams.set("columns", [...chosen, "request_id"].join(","));
    // The commas may stand as they are, and read better so.
    void go(address.pathname + address.search.replaceAll("%2C", ","), "runs", "replace").then(() => {
      const again = document.querySelector<HTMLDetailsElement>("[data-columns]");
      if (again) again.open = true;
    });
  });
}
